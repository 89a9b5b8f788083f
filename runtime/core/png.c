#include "runtime/core/png.h"
#include "runtime/core/file.h"
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static void put32(unsigned char *p, uint32_t v) {
  for (int i = 0; i < 4; i++) p[i] = (unsigned char)(v >> (24 - 8 * i));
}

static void chunk(DnnOut *o, const char *type, const unsigned char *data, uint32_t size) {
  unsigned char head[8], tail[4];
  put32(head, size);
  memcpy(head + 4, type, 4);
  uLong crc = crc32(crc32(0, NULL, 0), head + 4, 4);
  if (size) crc = crc32(crc, data, size);
  put32(tail, (uint32_t)crc);
  dnn_out_write(o, head, 8);
  dnn_out_write(o, data, size);
  dnn_out_write(o, tail, 4);
}

bool dnn_png_write(const char *path, int64_t width, int64_t height, int channels, const uint8_t *pixels, DnnError *e) {
  if (width < 1 || height < 1 || width > 65535 || height > 65535)
    return dnn_fail(e, "%s: a picture of %lld x %lld cannot be written", path, (long long)width, (long long)height);
  size_t row = (size_t)width * (size_t)channels, size = (row + 1) * (size_t)height;
  uLongf packed_size = compressBound((uLong)size);
  unsigned char *plain = malloc(size), *packed = malloc(packed_size);
  bool ok = plain && packed && size < UINT32_MAX / 2;
  for (size_t y = 0; ok && y < (size_t)height; y++) {
    plain[y * (row + 1)] = 0; /* no filter */
    memcpy(plain + y * (row + 1) + 1, pixels + y * row, row);
  }
  ok = ok && compress2(packed, &packed_size, plain, (uLong)size, 6) == Z_OK;
  free(plain);
  DnnOut o;
  if (!ok) dnn_fail(e, "%s: no memory for the picture", path);
  ok = ok && dnn_out_open(&o, path, e);
  if (ok) {
    unsigned char head[13] = {0};
    put32(head, (uint32_t)width), put32(head + 4, (uint32_t)height);
    head[8] = 8, head[9] = channels == 3 ? 2 : 0;
    dnn_out_write(&o, "\x89PNG\r\n\x1a\n", 8);
    chunk(&o, "IHDR", head, 13);
    chunk(&o, "IDAT", packed, (uint32_t)packed_size);
    chunk(&o, "IEND", NULL, 0);
    ok = dnn_out_close(&o, e);
  }
  free(packed);
  return ok;
}
