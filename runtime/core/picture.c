#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "runtime/core/picture.h"
#include "runtime/core/tensor.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

DnnPictureFn *dnn_picture_png, *dnn_picture_jpeg;

bool dnn_picture_new(const char *path, DnnPicture *p, int64_t width, int64_t height, int channels, int64_t most,
                     DnnError *e) {
  if (width < 1 || height < 1 || width > 65535 || height > 65535 || width * height > (int64_t)1 << 28)
    return dnn_fail(e, "%s: a picture of %lld x %lld cannot be read", path, (long long)width, (long long)height);
  if (width * height > most)
    return dnn_fail(e, "%s: damaged: a picture of %lld x %lld does not fit into the file", path, (long long)width,
                    (long long)height);
  *p = (DnnPicture){width, height, channels, malloc((size_t)(width * height * channels))};
  return p->pixels || dnn_fail(e, "%s: no memory for the picture", path);
}

bool dnn_picture_name(const char *name) {
  static const char *const endings[] = {".png", ".jpg", ".jpeg", ".pgm", ".ppm", ".pnm"};
  size_t n = strlen(name);
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
    size_t k = strlen(endings[i]);
    if (n > k && !strcasecmp(name + n - k, endings[i])) return true;
  }
  return false;
}

/* ---- PGM and PPM (Netpbm): P2 P3 as text, P5 P6 as bytes ---- */
/* A number behind blanks and comments; -1: there is none. */
static long number(const unsigned char **s, const unsigned char *end) {
  while (*s < end && (strchr(" \t\r\n", **s) || **s == '#') && **s) {
    if (**s == '#')
      while (*s < end && **s != '\n') ++*s;
    else ++*s;
  }
  long v = -1;
  for (; *s < end && **s >= '0' && **s <= '9' && v < 1000000; ++*s) v = (v < 0 ? 0 : v * 10) + (**s - '0');
  return v;
}

static bool read_netpbm(const char *path, const DnnBytes *b, DnnPicture *p, DnnError *e) {
  const unsigned char *s = b->data + 2, *end = b->data + b->size;
  bool text = b->data[1] < '5';
  int channels = b->data[1] == '3' || b->data[1] == '6' ? 3 : 1;
  long width = number(&s, end), height = number(&s, end), most = number(&s, end);
  if (width < 1 || height < 1 || most < 1 || most > 65535)
    return dnn_fail(e, "%s: damaged: width, height or maximum is missing in the header", path);
  if (!text && s < end) s++; /* one blank */
  int64_t n = (int64_t)width * height * channels, item = most > 255 ? 2 : 1;
  if (!text && n > (end - s) / item)
    return dnn_fail(e, "%s: damaged: %lld bytes of pixels where %lld are needed", path, (long long)(end - s),
                    (long long)(n * item));
  if (!dnn_picture_new(path, p, width, height, channels, text ? b->size : n, e)) return false; /* a byte a number */
  for (int64_t i = 0; i < n; i++) {
    long v = text ? number(&s, end) : item == 2 ? s[2 * i] << 8 | s[2 * i + 1] : s[i];
    if (v < 0 || v > most)
      return dnn_fail(e, "%s: damaged: pixel %lld is missing or above the maximum", path, (long long)i);
    p->pixels[i] = (unsigned char)((v * 255 + most / 2) / most);
  }
  return true;
}

static bool decode(const char *path, const DnnBytes *b, DnnPicture *p, DnnError *e) {
  const unsigned char *s = b->data;
  if (b->size > 8 && !memcmp(s, "\x89PNG\r\n\x1a\n", 8))
    return dnn_picture_png ? dnn_picture_png(path, b, p, e) : dnn_fail(e, "%s: PNG is not read by this program", path);
  if (b->size > 3 && !memcmp(s, "\xff\xd8\xff", 3))
    return dnn_picture_jpeg ? dnn_picture_jpeg(path, b, p, e)
                            : dnn_fail(e, "%s: JPEG is not read by this program", path);
  if (b->size > 3 && s[0] == 'P' && strchr("2356", s[1]) && s[1]) return read_netpbm(path, b, p, e);
  return dnn_fail(e, "%s: is no PNG, JPEG, PGM or PPM picture", path);
}

bool dnn_picture_read(const char *path, DnnPicture *p, DnnError *e) {
  DnnBytes b;
  memset(p, 0, sizeof *p);
  if (!dnn_file_read(path, &b, e)) return false;
  bool ok = decode(path, &b, p, e);
  free(b.data);
  if (!ok) free(p->pixels), p->pixels = NULL;
  return ok;
}

/* ---- to a size ---- */
static double channel(const DnnPicture *p, int64_t pixel, int channels, int c) {
  const unsigned char *s = p->pixels + pixel * p->channels;
  if (p->channels == channels) return s[c];
  return channels == 1 ? 0.299 * s[0] + 0.587 * s[1] + 0.114 * s[2] : s[0];
}

/* n numbers, `step` apart, as m means of equal areas. */
static void shrink(const double *from, int64_t n, int64_t step, double *to, int64_t m, int64_t to_step) {
  for (int64_t i = 0; i < m; i++) {
    double a = (double)(i * n) / (double)m, b = (double)((i + 1) * n) / (double)m, sum = 0;
    for (int64_t k = (int64_t)floor(a); k < n && (double)k < b; k++) {
      double low = a > (double)k ? a : (double)k, high = b < (double)(k + 1) ? b : (double)(k + 1);
      if (high > low) sum += (high - low) * from[k * step];
    }
    to[i * to_step] = sum / (b - a);
  }
}

bool dnn_picture_fit(const DnnPicture *p, int channels, int64_t height, int64_t width, unsigned char *to) {
  double *plane = dnn_alloc(p->width * p->height * (int64_t)sizeof *plane);
  double *narrow = width < 1 << 28 ? dnn_alloc(width * p->height * (int64_t)sizeof *narrow) : NULL;
  double *column = height < 1 << 28 ? dnn_alloc(height * (int64_t)sizeof *column) : NULL;
  bool ok = plane && narrow && column;
  for (int c = 0; ok && c < channels; c++) {
    for (int64_t i = 0; i < p->width * p->height; i++) plane[i] = channel(p, i, channels, c);
    for (int64_t y = 0; y < p->height; y++) shrink(plane + y * p->width, p->width, 1, narrow + y * width, width, 1);
    for (int64_t x = 0; x < width; x++) {
      shrink(narrow + x, p->height, width, column, height, 1);
      for (int64_t y = 0; y < height; y++) to[(c * height + y) * width + x] = (unsigned char)(column[y] + 0.5);
    }
  }
  free(plane), free(narrow), free(column);
  return ok;
}
