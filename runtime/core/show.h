/* Values as text for `check` and `print`: scalars as %g, tensors as nested lists, cut with "..." where the text is
 * full. This text is also written beside emitted programs; with DNN_FREESTANDING it needs no stdio. */
#ifndef DNN_SHOW_H
#define DNN_SHOW_H
#include <stdint.h>
#ifndef DNN_FREESTANDING
#include <stdio.h>
#endif
#include <string.h>

typedef struct DnnShow {
  char *text; /* always NUL-terminated within `size` */
  int size, used;
} DnnShow;

static inline void dnn_show_text(DnnShow *b, const char *s) {
  while (*s && b->used < b->size - 1) b->text[b->used++] = *s++;
  b->text[b->used] = 0;
  for (int k = 1; *s && b->used > 3 && k <= 3; k++) b->text[b->used - k] = '.';
}

static inline void dnn_show_int(DnnShow *b, int64_t v) {
  char s[24], *p = s + sizeof s;
  uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
  *--p = 0;
  do *--p = (char)('0' + u % 10);
  while (u /= 10);
  if (v < 0) *--p = '-';
  dnn_show_text(b, p);
}

/* A float with so many significant digits, as %g has it; NaN has no sign in a text, whatever its bits. */
#ifdef DNN_FREESTANDING
static inline void dnn_show_float(char *s, size_t size, int digits, double v) {
  DnnShow b = {s, (int)size, 0};
  uint64_t all = 1, d;
  int e = 0, n = digits, i = 0;
  char t[20];
  if (v < 0 || (v == 0 && 1 / v < 0)) dnn_show_text(&b, "-");
  if (v < 0) v = -v;
  if (v != v || v == 0 || v > 1.7976931348623157e308) {
    dnn_show_text(&b, v != v ? "nan" : v == 0 ? "0" : "inf");
    return;
  }
  for (; i < digits; i++) all *= 10;
  for (; v >= 1e16; e += 16) v /= 1e16;
  for (; v >= 10; e++) v /= 10;
  for (; v < 1e-16; e -= 16) v *= 1e16;
  for (; v < 1; e--) v *= 10;
  d = (uint64_t)(v * (double)(all / 10) + 0.5);
  if (d >= all) d /= 10, e++;
  for (i = digits; i-- > 0; d /= 10) t[i] = (char)('0' + d % 10);
  while (n > 1 && t[n - 1] == '0') n--;
  const int wide = e < -4 || e >= digits, point = wide ? 1 : e + 1; /* digits before the point */
  if (point <= 0) dnn_show_text(&b, "0.");
  for (i = point; i < 0; i++) dnn_show_text(&b, "0");
  for (i = 0; i < n || i < point; i++) {
    const char c[3] = {i == point && i ? '.' : i < n ? t[i] : '0', i == point && i ? t[i] : 0, 0};
    dnn_show_text(&b, c);
  }
  if (!wide) return;
  dnn_show_text(&b, e < 0 ? "e-" : "e+");
  if (e < 0) e = -e;
  if (e < 10) dnn_show_text(&b, "0");
  dnn_show_int(&b, e);
}
#else
static inline void dnn_show_float(char *s, size_t size, int digits, double v) {
  if (v != v) snprintf(s, size, "nan");
  else snprintf(s, size, "%.*g", digits, v);
}
#endif

/* One number. Dtypes are those of program.h: f64 f32 f16 bf16 i64 i32 i8 u8 bool. */
static inline void dnn_show_number(DnnShow *b, const void *data, int dtype, int64_t i) {
  char s[40] = "";
  const uint16_t *h = (const uint16_t *)data;
  switch (dtype) {
  case 0: dnn_show_float(s, sizeof s, 9, ((const double *)data)[i]); break;
  case 1: dnn_show_float(s, sizeof s, 6, (double)((const float *)data)[i]); break;
  case 2: {
    const int e = h[i] >> 10 & 31, m = h[i] & 1023;
    double v = e ? 1024.0 + m : m;
    for (int k = e ? e : 1; k < 25; k++) v *= 0.5;
    for (int k = e; k > 25; k--) v *= 2;
    if (e == 31) dnn_show_text(b, m ? "nan" : h[i] >> 15 ? "-inf" : "inf");
    else dnn_show_float(s, sizeof s, 4, h[i] >> 15 ? -v : v);
    break;
  }
  case 3: {
    const uint32_t u = (uint32_t)h[i] << 16;
    float f;
    memcpy(&f, &u, 4);
    dnn_show_float(s, sizeof s, 3, (double)f);
    break;
  }
  case 4: dnn_show_int(b, ((const int64_t *)data)[i]); break;
  case 5: dnn_show_int(b, ((const int32_t *)data)[i]); break;
  case 6: dnn_show_int(b, ((const int8_t *)data)[i]); break;
  case 7: dnn_show_int(b, ((const uint8_t *)data)[i]); break;
  default: dnn_show_text(b, ((const uint8_t *)data)[i] ? "true" : "false"); break;
  }
  dnn_show_text(b, s);
}

static inline void dnn_show_value(DnnShow *b, const void *data, int dtype, int rank, const int64_t *shape) {
  int64_t count = 1;
  for (int k = 0; k < rank; k++) count *= shape[k];
  if (rank && !count) {
    dnn_show_text(b, "[]");
    return;
  }
  for (int64_t i = 0; i < count && b->used < b->size - 1; i++) {
    int64_t block = count;
    if (i && rank) dnn_show_text(b, ", ");
    for (int k = 0; k < rank; k++) { /* block: elements of the axes from k on */
      if (i % block == 0) dnn_show_text(b, "[");
      block /= shape[k];
    }
    dnn_show_number(b, data, dtype, i);
    block = count;
    for (int k = 0; k < rank; k++) {
      if ((i + 1) % block == 0) dnn_show_text(b, "]");
      block /= shape[k];
    }
  }
}
#endif
