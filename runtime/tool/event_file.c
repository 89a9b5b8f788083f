#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "runtime/tool/event_file.h"
#include "runtime/core/folder.h"
#include "runtime/core/progress.h"
#include "schema/event.pb-c.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MOST_IMAGE_BYTES = 16 << 20 };

uint32_t dnn_crc32c(const void *data, int64_t n) {
  static _Thread_local uint32_t table[256];
  for (uint32_t i = 0; i < 256 && !table[255]; i++) {
    uint32_t c = i;
    for (int k = 0; k < 8; k++) c = c & 1 ? 0x82F63B78u ^ c >> 1 : c >> 1;
    table[i] = c;
  }
  const unsigned char *s = data;
  uint32_t c = ~0u;
  for (int64_t i = 0; i < n; i++) c = table[(c ^ s[i]) & 255] ^ c >> 8;
  return ~c;
}

static void put_little_endian(unsigned char *to, uint64_t v, int n) {
  for (int i = 0; i < n; i++) to[i] = (unsigned char)(v >> 8 * i);
}

/* A checksum of data that hold checksums themselves is weak, so TFRecord turns it and adds a number. */
static uint32_t masked_crc(const void *data, int64_t n) {
  uint32_t c = dnn_crc32c(data, n);
  return (c >> 15 | c << 17) + 0xA282EAD8u;
}

/* A record of a TFRecord file: length (8 bytes), checksum of the length (4), data, checksum of the data (4). */
static void put_record(DnnEventFile *f, Event__Event *event) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  event->wall_time = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
  size_t n = event__event__get_packed_size(event);
  unsigned char small[512], *data = n <= sizeof small ? small : malloc(n), head[12], tail[4];
  if (!data) {
    if (!f->log.failed) f->log.failed = ENOMEM;
    return;
  }
  event__event__pack(event, data);
  put_little_endian(head, n, 8);
  put_little_endian(head + 8, masked_crc(head, 8), 4);
  put_little_endian(tail, masked_crc(data, (int64_t)n), 4);
  dnn_log_write(&f->log, head, 12);
  dnn_log_write(&f->log, data, (int64_t)n);
  dnn_log_write(&f->log, tail, 4);
  if (data != small) free(data);
}

/* A name that no file of the folder has: TensorBoard reads files in the order of their names, so a second process
 * within one second takes the next second. */
static char *free_path(const char *dir) {
  char host[65] = "localhost", name[160];
  gethostname(host, sizeof host - 1);
  for (long long t = (long long)time(NULL);; t++) {
    snprintf(name, sizeof name, "events.out.tfevents.%010lld.%s", t, host);
    char *path = dnn_path_join(dir, name);
    if (!path || access(path, F_OK)) return path;
    free(path);
  }
}

bool dnn_event_file_open(DnnEventFile *f, const char *dir, int64_t first, DnnError *e) {
  memset(f, 0, sizeof *f);
  char *path = free_path(dir);
  if (!path) return dnn_fail(e, "%s: no memory", dir);
  bool ok = dnn_log_open(&f->log, path, 0, e);
  free(path);
  if (!ok) return false;
  Event__Event version = EVENT__EVENT__INIT, start = EVENT__EVENT__INIT;
  Event__SessionLog session = EVENT__SESSION_LOG__INIT;
  version.what_case = EVENT__EVENT__WHAT_FILE_VERSION;
  version.file_version = (char *)"brain.Event:2";
  put_record(f, &version);
  session.status = EVENT__SESSION_LOG__STATUS__START;
  start.step = first;
  start.what_case = EVENT__EVENT__WHAT_SESSION_LOG;
  start.session_log = &session;
  put_record(f, &start);
  dnn_log_flush(&f->log, false);
  return true;
}

static void put_value(DnnEventFile *f, int64_t step, Event__Summary__Value *value) {
  Event__Event event = EVENT__EVENT__INIT;
  Event__Summary summary = EVENT__SUMMARY__INIT;
  summary.n_value = 1;
  summary.value = &value;
  event.step = step;
  event.what_case = EVENT__EVENT__WHAT_SUMMARY;
  event.summary = &summary;
  put_record(f, &event);
}

static void put_scalars(DnnEventFile *f, const DnnEvent *event) {
  for (int i = 0; i < event->n; i++) {
    char *tag;
    if (asprintf(&tag, "%s/%s%s", event->entry, event->names[i], event->kind == DNN_EVENT_EPOCH ? "_epoch" : "") < 0) {
      if (!f->log.failed) f->log.failed = ENOMEM;
      return;
    }
    Event__Summary__Value value = EVENT__SUMMARY__VALUE__INIT;
    value.tag = tag;
    value.value_case = EVENT__SUMMARY__VALUE__VALUE_SIMPLE_VALUE;
    value.simple_value = (float)event->values[i];
    put_value(f, event->total, &value);
    free(tag);
  }
}

static int32_t big_endian(const unsigned char *s) {
  return (int32_t)((uint32_t)s[0] << 24 | (uint32_t)s[1] << 16 | (uint32_t)s[2] << 8 | s[3]);
}

/* A PNG file as it is; its size and colours stand behind the signature (PNG specification, 11.2.2). A file of another
 * kind, or too large for a log, is none of TensorBoard's. */
static void put_image(DnnEventFile *f, const DnnEvent *event) {
  size_t n = strlen(event->path);
  if (n < 4 || strcmp(event->path + n - 4, ".png")) return;
  DnnBytes file;
  DnnError ignored;
  if (!dnn_file_read(event->path, &file, &ignored)) return;
  if (file.size > 33 && file.size <= MOST_IMAGE_BYTES && !memcmp(file.data, "\x89PNG\r\n\x1a\n", 8)) {
    static const int32_t colours[8] = {1, 0, 3, 3, 2, 0, 4, 0};
    Event__Summary__Image image = EVENT__SUMMARY__IMAGE__INIT;
    image.width = big_endian(file.data + 16), image.height = big_endian(file.data + 20);
    image.colorspace = colours[file.data[25] & 7];
    image.encoded_image_string = (ProtobufCBinaryData){(size_t)file.size, file.data};
    Event__Summary__Value value = EVENT__SUMMARY__VALUE__INIT;
    value.tag = (char *)event->name;
    value.value_case = EVENT__SUMMARY__VALUE__VALUE_IMAGE;
    value.image = &image;
    put_value(f, event->total, &value);
  }
  free(file.data);
}

void dnn_event_file_event(DnnEventFile *f, const DnnEvent *event) {
  double now = dnn_seconds();
  switch (event->kind) {
  case DNN_EVENT_STEP:
    if (dnn_step_is_kept(event->total)) put_scalars(f, event);
    if (now - f->flushed < 1) return;
    break;
  case DNN_EVENT_PASS:
  case DNN_EVENT_EPOCH: put_scalars(f, event); break;
  case DNN_EVENT_FILE: put_image(f, event); break;
  default: return;
  }
  dnn_log_flush(&f->log, false);
  f->flushed = now;
}

bool dnn_event_file_close(DnnEventFile *f, DnnError *e) { return dnn_log_close(&f->log, e); }
