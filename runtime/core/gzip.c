/* Reading of gzip files, in memory (RFC 1952), through zlib's inflate. */
#include "runtime/core/file.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* Inflates every member of `in`. Memory grows with what was really inflated, never with what a header claims. */
static bool gunzip(const char *path, const DnnBytes *in, DnnBytes *out, DnnError *e) {
  z_stream z;
  memset(&z, 0, sizeof z);
  if (inflateInit2(&z, 15 + 16) != Z_OK) return dnn_fail(e, "%s: zlib cannot be started", path);
  int64_t room = in->size * 4 + 4096, used = 0, fed = 0, most = dnn_file_limit();
  unsigned char *data = malloc((size_t)room + 1);
  int status = Z_OK;
  const char *why = NULL;
  while (data && !why) {
    if (z.avail_in == 0 && fed < in->size) {
      int64_t n = in->size - fed < (1 << 30) ? in->size - fed : 1 << 30;
      z.next_in = in->data + fed, z.avail_in = (uInt)n, fed += n;
    }
    if (used > most) {
      inflateEnd(&z);
      free(data);
      return dnn_fail(e, "%s: unpacks to more than %lld bytes, the most that are read", path, (long long)most);
    }
    if (used == room) {
      unsigned char *more = realloc(data, (size_t)(room *= 2) + 1);
      if (!more) break;
      data = more;
    }
    int64_t want = room - used < (1 << 30) ? room - used : 1 << 30;
    z.next_out = data + used, z.avail_out = (uInt)want;
    status = inflate(&z, Z_NO_FLUSH);
    used += want - z.avail_out;
    if (status == Z_STREAM_END) {
      if (z.avail_in == 0 && fed == in->size) break;
      if (z.avail_in >= 2 && z.next_in[0] == 0x1f && z.next_in[1] == 0x8b) inflateReset(&z);
      else break; /* padding behind the last member */
    } else if (status == Z_BUF_ERROR || (status == Z_OK && z.avail_in == 0 && fed == in->size && z.avail_out)) {
      why = "the gzip data ends too early";
    } else if (status != Z_OK) {
      why = z.msg ? z.msg : "the gzip data is damaged";
    }
  }
  int64_t at = fed - z.avail_in;
  inflateEnd(&z);
  if (!data || (!why && status != Z_STREAM_END)) {
    free(data);
    return dnn_fail(e, "%s: no memory to unpack it", path);
  }
  if (why) {
    free(data);
    return dnn_fail(e, "%s: damaged near byte %lld of %lld: %s", path, (long long)at, (long long)in->size, why);
  }
  data[used] = 0;
  out->data = data, out->size = used;
  return true;
}

bool dnn_file_read_gz(const char *path, DnnBytes *out, DnnError *e) {
  if (!dnn_file_read(path, out, e)) return false;
  if (out->size < 2 || out->data[0] != 0x1f || out->data[1] != 0x8b) return true;
  DnnBytes packed = *out;
  out->data = NULL, out->size = 0;
  bool ok = gunzip(path, &packed, out, e);
  free(packed.data);
  return ok;
}
