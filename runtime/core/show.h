/* Values as text for `check` and `print`: scalars as %g, tensors as nested lists, cut with "..." where the text is
 * full. This text is also written beside emitted programs. */
#ifndef DNN_SHOW_H
#define DNN_SHOW_H
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct DnnShow {
  char *text; /* always NUL-terminated within `size` */
  int size, used;
} DnnShow;

static inline void dnn_show_text(DnnShow *b, const char *s) {
  size_t n = strlen(s), room = (size_t)(b->size - b->used - 1);
  int cut = n > room;
  if (cut) n = room;
  memcpy(b->text + b->used, s, n);
  b->used += (int)n;
  b->text[b->used] = 0;
  if (cut && b->used > 3) memcpy(b->text + b->used - 3, "...", 3);
}

/* A float with so many significant digits; NaN has no sign in a text, whatever its bits. */
static inline void dnn_show_float(char *s, size_t size, int digits, double v) {
  if (v != v) snprintf(s, size, "nan");
  else snprintf(s, size, "%.*g", digits, v);
}

/* One number. Dtypes are those of program.h: f64 f32 f16 bf16 i64 i32 i8 u8 bool. */
static inline void dnn_show_number(DnnShow *b, const void *data, int dtype, int64_t i) {
  char s[40];
  const uint16_t *h = (const uint16_t *)data;
  switch (dtype) {
  case 0: dnn_show_float(s, sizeof s, 9, ((const double *)data)[i]); break;
  case 1: dnn_show_float(s, sizeof s, 6, (double)((const float *)data)[i]); break;
  case 2: {
    const int e = h[i] >> 10 & 31, m = h[i] & 1023;
    double v = e ? 1024.0 + m : m;
    for (int k = e ? e : 1; k < 25; k++) v *= 0.5;
    for (int k = e; k > 25; k--) v *= 2;
    if (e == 31) snprintf(s, sizeof s, "%s", m ? "nan" : h[i] >> 15 ? "-inf" : "inf");
    else snprintf(s, sizeof s, "%.4g", h[i] >> 15 ? -v : v);
    break;
  }
  case 3: {
    const uint32_t u = (uint32_t)h[i] << 16;
    float f;
    memcpy(&f, &u, 4);
    dnn_show_float(s, sizeof s, 3, (double)f);
    break;
  }
  case 4: snprintf(s, sizeof s, "%lld", (long long)((const int64_t *)data)[i]); break;
  case 5: snprintf(s, sizeof s, "%ld", (long)((const int32_t *)data)[i]); break;
  case 6: snprintf(s, sizeof s, "%d", ((const int8_t *)data)[i]); break;
  case 7: snprintf(s, sizeof s, "%d", ((const uint8_t *)data)[i]); break;
  default: snprintf(s, sizeof s, "%s", ((const uint8_t *)data)[i] ? "true" : "false"); break;
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
