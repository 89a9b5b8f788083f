#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define _FILE_OFFSET_BITS 64 /* on 32-bit machines too */
#include "runtime/core/folder.h"
#include "runtime/core/progress.h"
#include "runtime/core/weights.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const written[] = {"metrics.csv", "steps.csv", "best.dnnw", "last.dnnw"};
static const char head[] = "stage,epoch,step,metric,value\n";
enum { METRICS, STEPS, N_WRITTEN = sizeof written / sizeof *written };

static char *path_in(const char *dir, const char *name, DnnError *e) {
  char *path = dnn_path_join(dir, name);
  if (!path) dnn_fail(e, "out of memory");
  return path;
}

bool dnn_folder_lock(DnnFolder *f, const char *dir, DnnError *e) {
  *f = (DnnFolder){
      .dir = dir,
  };
  f->lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (f->lock < 0) return dnn_fail(e, "%s: %s", dir, strerror(errno));
  if (!flock(f->lock, LOCK_EX | LOCK_NB) || errno != EWOULDBLOCK) return true; /* some file systems have no locks */
  close(f->lock);
  f->lock = -1;
  return dnn_fail(e, "%s: another process is training in this folder", dir);
}

static int64_t bytes_of(const char *dir, const char *name) {
  struct stat st;
  char *path = dnn_path_join(dir, name);
  int64_t n = path && !stat(path, &st) ? (int64_t)st.st_size : 0;
  free(path);
  return n;
}

/* A training that failed before its first step left nothing that anybody would miss. */
static bool holds_run(const char *dir) {
  char *newest = dnn_checkpoint_newest(dir), *first = dnn_checkpoint_path(dir, 0);
  bool found = newest && first && strcmp(newest, first) != 0;
  free(newest), free(first);
  return found || bytes_of(dir, "last.dnnw") || bytes_of(dir, written[METRICS]) >= (int64_t)sizeof head ||
         bytes_of(dir, written[STEPS]) >= (int64_t)sizeof head;
}

/* Weights, metrics, checkpoints. */
static bool remove_run(const char *dir, DnnError *e) {
  dnn_checkpoint_prune(dir, -1, 0);
  for (int i = 0; i < N_WRITTEN; i++) {
    char *path = path_in(dir, written[i], e);
    bool ok = path && (!unlink(path) || errno == ENOENT || dnn_fail(e, "%s: %s", path, strerror(errno)));
    free(path);
    if (!ok) return false;
  }
  return true;
}

bool dnn_folder_new(DnnFolder *f, const char *dir, bool overwrite, DnnError *e) {
  if (!dnn_make_dir(dir, e) || !dnn_folder_lock(f, dir, e)) return false;
  bool ok = true;
  if (holds_run(dir))
    ok = overwrite
             ? remove_run(dir, e)
             : dnn_fail(e, "%s: holds a run already: --resume %s goes on with it, --overwrite begins anew", dir, dir);
  if (!ok) dnn_folder_leave(f);
  return ok;
}

static void remove_torn(const DnnFolder *f) {
  for (int i = 0; i < N_WRITTEN; i++) {
    char *path = dnn_path_join(f->dir, written[i]);
    if (path) dnn_remove_torn(path);
    free(path);
  }
  for (int i = 0; i < f->program->n_actions; i++) {
    const DnnAction *a = &f->program->actions[i];
    char *path = a->kind == DNN_SAVE || a->kind == DNN_WRITE ? dnn_path_join(f->dir, a->path) : NULL;
    if (path) dnn_remove_torn(path);
    free(path);
  }
}

static bool open_table(DnnFolder *f, DnnLog *table, const char *name, const DnnCheckpoint *from, DnnError *e) {
  int64_t keep = from ? dnn_checkpoint_grown(from, name) : 0;
  char *path = path_in(f->dir, name, e);
  bool ok = path && dnn_log_open(table, path, keep > 0 ? keep : 0, e);
  free(path);
  if (ok && keep <= 0) dnn_log_write(table, head, sizeof head - 1);
  return ok;
}

bool dnn_folder_start(DnnFolder *f, const DnnProgram *p, const DnnContext *c, const DnnCheckpoint *from, DnnError *e) {
  f->program = p, f->context = c;
  f->has_best = from && from->best_seen;
  remove_torn(f);
  return open_table(f, &f->metrics, written[METRICS], from, e) && open_table(f, &f->steps, written[STEPS], from, e);
}

static bool save(DnnFolder *f, const char *name, int kinds, DnnError *e) {
  char *path = path_in(f->dir, name, e);
  bool ok = path && dnn_weights_save(f->program, f->context->cells, kinds, path, e);
  free(path);
  return ok;
}

bool dnn_step_is_kept(int64_t total) {
  int64_t stride = 1;
  while (total > 10000 * stride) stride *= 10;
  return total % stride == 0;
}

/* "name" as a field of a table (RFC 4180). */
static void put_field(DnnLog *table, const char *stage, const char *dot, const char *name) {
  const char *parts[] = {stage, dot, name};
  bool quoted = false;
  for (int i = 0; i < 3; i++) quoted |= strpbrk(parts[i], ",\"\r\n") != NULL;
  if (quoted) dnn_log_write(table, "\"", 1);
  for (int i = 0; i < 3; i++)
    for (const char *s = parts[i]; *s; s++) dnn_log_write(table, *s == '"' ? "\"\"" : s, *s == '"' ? 2 : 1);
  if (quoted) dnn_log_write(table, "\"", 1);
}

static void put_rows(DnnLog *table, const DnnEvent *event) {
  for (int i = 0; i < event->n; i++) {
    char text[64];
    double v = event->values[i];
    put_field(table, event->stage, "", "");
    dnn_log_write(table, text,
                  snprintf(text, sizeof text, ",%lld,%lld,", (long long)event->epoch, (long long)event->total));
    put_field(table, event->entry, ".", event->names[i]);
    if (isnan(v)) dnn_log_write(table, ",nan\n", 5); /* without the sign that printf gives to some */
    else dnn_log_write(table, text, snprintf(text, sizeof text, ",%.9g\n", v));
  }
}

void dnn_folder_event(void *folder, const DnnEvent *event) {
  DnnFolder *f = folder;
  if (event->kind == DNN_EVENT_BEST) {
    f->has_best = true;
    if (!f->failed) f->failed = !save(f, "best.dnnw", DNN_SAVE_PARAM | DNN_SAVE_STATE, &f->error);
  }
  if (event->kind == DNN_EVENT_STEP) {
    if (dnn_step_is_kept(event->total)) put_rows(&f->steps, event);
    double now = dnn_seconds();
    if (now - f->flushed < 1) return;
    f->flushed = now;
    dnn_log_flush(&f->steps, false);
    return;
  }
  if (event->kind != DNN_EVENT_PASS && event->kind != DNN_EVENT_EPOCH) return;
  put_rows(&f->metrics, event);
  dnn_log_flush(&f->metrics, false);
}

static bool sync_table(DnnLog *table, const char *name, DnnGrown *file, DnnError *e) {
  dnn_log_flush(table, true);
  if (table->failed) return dnn_fail(e, "%s: cannot be written: %s", table->path, strerror(table->failed));
  snprintf(file->name, sizeof file->name, "%s", name);
  file->bytes = table->at;
  return true;
}

int dnn_folder_grown(void *folder, DnnGrown *files, DnnError *e) {
  DnnFolder *f = folder;
  bool ok =
      sync_table(&f->metrics, written[METRICS], &files[0], e) && sync_table(&f->steps, written[STEPS], &files[1], e);
  return ok ? 2 : -1;
}

static bool go_on_hint(const DnnFolder *f, DnnError *e) {
  dnn_fail_more(e, "\nwhen that is mended, --resume %s goes on from the last checkpoint", f->dir);
  return false;
}

bool dnn_folder_sound(void *folder, DnnError *e) {
  DnnFolder *f = folder;
  const DnnLog *bad = f->metrics.failed ? &f->metrics : f->steps.failed ? &f->steps : NULL;
  if (!f->failed && !bad) return true;
  if (f->failed) *e = f->error;
  else dnn_fail(e, "%s: cannot be written: %s", bad->path, strerror(bad->failed));
  return go_on_hint(f, e);
}

bool dnn_folder_close(DnnFolder *f, DnnError *e) {
  dnn_log_flush(&f->metrics, true), dnn_log_flush(&f->steps, true);
  bool sound = dnn_folder_sound(f, e), ok = sound;
  ok = ok && save(f, "last.dnnw", DNN_SAVE_PARAM | DNN_SAVE_STATE | DNN_SAVE_OPT, e);
  if (ok && !f->has_best) ok = save(f, "best.dnnw", DNN_SAVE_PARAM | DNN_SAVE_STATE, e);
  if (sound && !ok) go_on_hint(f, e);
  dnn_folder_leave(f);
  return ok;
}

void dnn_folder_leave(DnnFolder *f) {
  DnnError ignored;
  dnn_log_close(&f->metrics, &ignored);
  dnn_log_close(&f->steps, &ignored);
  if (f->lock >= 0) close(f->lock);
  f->lock = -1;
}
