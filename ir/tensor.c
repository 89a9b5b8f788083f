#include "ir/eval.h"
#include "runtime/core/random.h"
#include <math.h>
#include <string.h>

/* ---- 16-bit floats by integer operations ---- */

static uint32_t bits_of(float f) {
  uint32_t u;
  memcpy(&u, &f, sizeof u);
  return u;
}
static float of_bits(uint32_t u) {
  float f;
  memcpy(&f, &u, sizeof f);
  return f;
}

float bf16_to_float(uint16_t h) { return of_bits((uint32_t)h << 16); }

uint16_t bf16_from_float(float f) {
  uint32_t u = bits_of(f);
  if (isnan(f)) return (uint16_t)(u >> 16 | 0x40);
  return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

float f16_to_float(uint16_t h) {
  uint32_t sign = (uint32_t)(h & 0x8000) << 16, exp = h >> 10 & 31, man = h & 0x3ff;
  if (exp == 31) return of_bits(sign | 0x7f800000 | man << 13);
  if (exp) return of_bits(sign | (exp + 112) << 23 | man << 13);
  float f = (float)man * 0x1p-24f;
  return sign ? -f : f;
}

uint16_t f16_from_float(float f) {
  uint32_t u = bits_of(f), sign = u >> 16 & 0x8000, abs = u & 0x7fffffff;
  if (abs > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (abs >> 13 & 0x3ff));
  if (abs >= 0x477ff000) return (uint16_t)(sign | 0x7c00); /* rounds to 65536 or more */
  if (abs < 0x38800000) {                                  /* below 2^-14: multiples of 2^-24 */
    float scaled = of_bits(abs) * 0x1p24f;
    return (uint16_t)(sign | (uint32_t)rintf(scaled));
  }
  uint32_t r = abs - 0x38000000;
  return (uint16_t)(sign | (r + 0xfff + (r >> 13 & 1)) >> 13);
}

/* ---- tensors ---- */

Tensor tensor_new(Arena *a, DType dtype, int rank, const int64_t *shape) {
  Tensor t = {dtype, rank, {0}, NULL};
  for (int i = 0; i < rank; i++) t.shape[i] = shape[i];
  t.data = arena_alloc(a, (size_t)tensor_bytes(&t));
  return t;
}

Tensor tensor_of_type(Arena *a, const DimTab *dims, Type t, const int64_t *vars) {
  int64_t shape[MAX_RANK];
  for (int i = 0; i < t.rank; i++) {
    shape[i] = dim_eval(dims, t.shape[i], vars);
    if (shape[i] < 0) shape[i] = 0;
  }
  return tensor_new(a, t.dtype, t.rank, shape);
}

int64_t tensor_count(const Tensor *t) {
  int64_t n = 1;
  for (int i = 0; i < t->rank; i++) n *= t->shape[i];
  return n;
}

int64_t tensor_bytes(const Tensor *t) { return tensor_count(t) * dtype_size(t->dtype); }

bool tensor_same_shape(const Tensor *a, const Tensor *b) {
  if (a->dtype != b->dtype || a->rank != b->rank) return false;
  for (int i = 0; i < a->rank; i++) {
    if (a->shape[i] != b->shape[i]) return false;
  }
  return true;
}

int64_t tensor_get_int(const Tensor *t, int64_t i) {
  switch (t->dtype) {
  case I64: return ((const int64_t *)t->data)[i];
  case I32: return ((const int32_t *)t->data)[i];
  case I8: return ((const int8_t *)t->data)[i];
  case U8:
  case BOOL: return ((const uint8_t *)t->data)[i];
  default: return (int64_t)tensor_get(t, i);
  }
}

double tensor_get(const Tensor *t, int64_t i) {
  switch (t->dtype) {
  case F64: return ((const double *)t->data)[i];
  case F32: return (double)((const float *)t->data)[i];
  case F16: return (double)f16_to_float(((const uint16_t *)t->data)[i]);
  case BF16: return (double)bf16_to_float(((const uint16_t *)t->data)[i]);
  default: return (double)tensor_get_int(t, i);
  }
}

void tensor_set_int(Tensor *t, int64_t i, int64_t v) {
  switch (t->dtype) {
  case I64: ((int64_t *)t->data)[i] = v; break;
  case I32: ((int32_t *)t->data)[i] = (int32_t)v; break;
  case I8: ((int8_t *)t->data)[i] = (int8_t)v; break;
  case U8: ((uint8_t *)t->data)[i] = (uint8_t)v; break;
  case BOOL: ((uint8_t *)t->data)[i] = v != 0; break;
  case F32: ((float *)t->data)[i] = (float)v; break;
  case F64: ((double *)t->data)[i] = (double)v; break;
  case F16: ((uint16_t *)t->data)[i] = f16_from_float((float)v); break;
  case BF16: ((uint16_t *)t->data)[i] = bf16_from_float((float)v); break;
  default: INTERNAL("a tensor has no tensors");
  }
}

/* Truncates towards 0 and stays in lo .. hi; NaN gives 0. */
static int64_t saturate(double v, int64_t lo, int64_t hi) {
  if (isnan(v)) return 0;
  if (v <= (double)lo) return lo;
  if (v >= (double)hi) return hi;
  return (int64_t)v;
}

void tensor_set(Tensor *t, int64_t i, double v) {
  switch (t->dtype) {
  case F64: ((double *)t->data)[i] = v; break;
  case F32: ((float *)t->data)[i] = (float)v; break;
  case F16: ((uint16_t *)t->data)[i] = f16_from_float((float)v); break;
  case BF16: ((uint16_t *)t->data)[i] = bf16_from_float((float)v); break;
  case I64: tensor_set_int(t, i, saturate(v, INT64_MIN, INT64_MAX)); break;
  case I32: tensor_set_int(t, i, saturate(v, INT32_MIN, INT32_MAX)); break;
  case I8: tensor_set_int(t, i, saturate(v, INT8_MIN, INT8_MAX)); break;
  case U8: tensor_set_int(t, i, saturate(v, 0, UINT8_MAX)); break;
  case BOOL: tensor_set_int(t, i, v != 0); break;
  default: INTERNAL("a tensor has no tensors");
  }
}

void tensor_random(Tensor *t, uint64_t seed, double lo, double hi) {
  int64_t n = tensor_count(t);
  for (int64_t i = 0; i < n; i++) {
    double u = dnn_uniform_f64((int64_t)seed, 0x7e57, i);
    if (dtype_is_float(t->dtype)) tensor_set(t, i, lo + (hi - lo) * u);
    else if (t->dtype == BOOL) tensor_set_int(t, i, u < 0.5);
    else tensor_set_int(t, i, (int64_t)floor(lo + (hi - lo) * u));
  }
}

double tensor_diff(const Tensor *a, const Tensor *b) {
  if (!tensor_same_shape(a, b)) return INFINITY;
  double worst = 0;
  for (int64_t i = 0, n = tensor_count(a); i < n; i++) {
    if (!dtype_is_float(a->dtype)) {
      int64_t p = tensor_get_int(a, i), q = tensor_get_int(b, i);
      if (p == q) continue;
      double size = fmax(1, fmax(fabs((double)p), fabs((double)q)));
      worst = fmax(worst, fmax(fabs((double)p - (double)q), 1) / size);
      continue;
    }
    double x = tensor_get(a, i), y = tensor_get(b, i);
    if (x == y || (isnan(x) && isnan(y))) continue;
    if (!isfinite(x) || !isfinite(y)) return INFINITY;
    worst = fmax(worst, fabs(x - y) / fmax(1, fmax(fabs(x), fabs(y))));
  }
  return worst;
}

void tensor_print(Buf *b, const Tensor *t, int64_t max) {
  buf_printf(b, "%s[", dtype_name(t->dtype));
  for (int i = 0; i < t->rank; i++) buf_printf(b, "%s%lld", i ? ", " : "", (long long)t->shape[i]);
  buf_char(b, ']');
  int64_t n = tensor_count(t);
  for (int64_t i = 0; i < n && i < max; i++) {
    if (dtype_is_float(t->dtype) && isnan(tensor_get(t, i))) buf_str(b, " nan"); /* whatever its sign */
    else if (dtype_is_float(t->dtype)) buf_printf(b, " %.9g", tensor_get(t, i));
    else buf_printf(b, " %lld", (long long)tensor_get_int(t, i));
  }
  if (n > max && max > 0) buf_str(b, " ...");
}
