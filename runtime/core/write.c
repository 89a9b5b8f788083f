#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "runtime/core/write.h"
#include "runtime/core/file.h"
#include "runtime/core/png.h"
#include "runtime/core/shapes.h"
#include "runtime/core/show.h"
#include "runtime/core/tensor_file.h"
#include "runtime/core/text_port.h"
#include <stdlib.h>
#include <string.h>

typedef struct Result {
  const void *data;
  int dtype, rank;
  int64_t shape[DNN_MAX_RANK], n;
} Result;

static bool ends(const char *s, const char *ending) {
  size_t n = strlen(s), k = strlen(ending);
  return n >= k && !strcmp(s + n - k, ending);
}

/* Rows of the last axis, a line each. Numbers so that they read back exactly. */
static void put_numbers(DnnOut *o, const Result *r, char between) {
  int64_t width = r->rank ? r->shape[r->rank - 1] : 1;
  if (r->rank == 1 && between == ',') width = 1; /* a vector is a column */
  for (int64_t i = 0; i < r->n; i++) {
    char text[40];
    if (!dnn_dtype_is_float(r->dtype))
      snprintf(text, sizeof text, "%lld", (long long)dnn_get_int(r->data, r->dtype, i));
    else dnn_show_float(text, sizeof text - 1, r->dtype == DNN_F64 ? 17 : 9, dnn_get(r->data, r->dtype, i));
    int n = (int)strlen(text);
    text[n++] = (i + 1) % width ? between : '\n';
    dnn_out_write(o, text, n);
  }
}

static void put_text(void *user, const char *s, int64_t n) { dnn_out_write(user, s, n); }

static uint8_t level(const Result *r, int64_t i) {
  double v = dnn_get(r->data, r->dtype, i);
  if (r->dtype == DNN_BOOL) return v != 0 ? 255 : 0;
  if (dnn_dtype_is_float(r->dtype)) v = v * 255 + 0.5;
  return (uint8_t)(v > 0 ? (v < 255 ? v : 255) : 0); /* NaN is black */
}

/* [h, w], [h, w, 3], [c, h, w] with 1 or 3 channels, or a batch [n, h, w] or [n, c, h, w], which is laid out as a
 * square. */
static bool put_picture(const Result *r, const char *path, DnnError *e) {
  const int64_t *s = r->shape;
  int64_t n = 1, channels = 1, h = 0, w = 0;
  bool last = r->rank == 3 && (s[2] == 3 || s[2] == 1) && s[0] != 3;
  char text[200];
  if (r->rank == 2) h = s[0], w = s[1];
  else if (last) h = s[0], w = s[1], channels = s[2];
  else if (r->rank == 3 && (s[0] == 1 || s[0] == 3)) channels = s[0], h = s[1], w = s[2];
  else if (r->rank == 3) n = s[0], h = s[1], w = s[2];
  else if (r->rank == 4 && (s[1] == 1 || s[1] == 3)) n = s[0], channels = s[1], h = s[2], w = s[3];
  else
    return dnn_fail(e, "%s: %s is no picture; [h, w], [3, h, w] and batches of these are", path,
                    dnn_type_text(text, sizeof text, r->dtype, r->rank, s));
  int64_t columns = 1;
  while (columns * columns < n) columns++;
  int64_t rows = n ? (n + columns - 1) / columns : 1, width = columns * w, height = rows * h;
  if (width < 1 || height < 1 || width > 65535 || height > 65535)
    return dnn_fail(e, "%s: a picture of %lld x %lld cannot be written", path, (long long)width, (long long)height);
  uint8_t *pixels = calloc((size_t)(width * height), (size_t)channels);
  if (!pixels) return dnn_fail(e, "%s: no memory for the picture", path);
  for (int64_t k = 0; k < n; k++)
    for (int64_t c = 0; c < channels; c++)
      for (int64_t i = 0; i < h; i++)
        for (int64_t j = 0; j < w; j++) {
          int64_t from = last ? (i * w + j) * channels + c : ((k * channels + c) * h + i) * w + j;
          pixels[((k / columns * h + i) * width + k % columns * w + j) * channels + c] = level(r, from);
        }
  bool ok = dnn_png_write(path, width, height, (int)channels, pixels, e);
  free(pixels);
  return ok;
}

bool dnn_write_result(DnnTokenSet *tokens, const DnnEntry *x, const int64_t *vars, void *const *out, const char *path,
                      const char *as, DnnError *e) {
  if (x->n_results < 1) return dnn_fail(e, "%s: `%s` has no result to write", path, x->name);
  Result r = {.data = out[0], .dtype = x->outputs[0].dtype, .rank = x->outputs[0].rank};
  r.n = dnn_port_shape(x, x->n_inputs, vars, r.shape);
  if (ends(path, ".npy")) return dnn_npy_write(path, r.dtype, r.rank, r.shape, r.data, e);
  if (ends(path, ".png")) return put_picture(&r, path, e);
  DnnOut o;
  if (!dnn_out_open(&o, path, e)) return false;
  DnnPort port = x->outputs[0];
  port.as = as;
  if (ends(path, ".txt") && tokens && dnn_tokens_row(tokens->program, as) >= 0) {
    if (!dnn_text_output(tokens, &port, r.shape, r.data, put_text, &o, e)) return dnn_out_cancel(&o), false;
  } else {
    put_numbers(&o, &r, ends(path, ".csv") ? ',' : ' ');
  }
  return dnn_out_close(&o, e);
}
