#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "runtime/core/tensor.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
  const char *name;
  int size;
} dtypes[DNN_DTYPES] = {
    [DNN_F64] = {"f64", 8},   [DNN_F32] = {"f32", 4}, [DNN_F16] = {"f16", 2},
    [DNN_BF16] = {"bf16", 2}, [DNN_I64] = {"i64", 8}, [DNN_I32] = {"i32", 4},
    [DNN_I8] = {"i8", 1},     [DNN_U8] = {"u8", 1},   [DNN_BOOL] = {"bool", 1},
};

int64_t dnn_dtype_size(int dtype) { return dtypes[dtype].size; }
const char *dnn_dtype_name(int dtype) { return dtype >= 0 && dtype < DNN_DTYPES ? dtypes[dtype].name : "?"; }
bool dnn_dtype_is_float(int dtype) { return dtype <= DNN_BF16; }

void dnn_dtype_range(int dtype, int64_t *lo, int64_t *hi) {
  switch (dtype) {
  case DNN_I64: *lo = INT64_MIN, *hi = INT64_MAX; break;
  case DNN_I32: *lo = INT32_MIN, *hi = INT32_MAX; break;
  case DNN_I8: *lo = -128, *hi = 127; break;
  case DNN_U8: *lo = 0, *hi = 255; break;
  default: *lo = 0, *hi = 1; break;
  }
}

int64_t dnn_count(int rank, const int64_t *shape, int64_t item) {
  int64_t limit = ((int64_t)1 << 62) / item, n = 1;
  bool zero = false;
  for (int i = 0; i < rank; i++) {
    if (shape[i] < 0) return -1;
    if (shape[i] == 0) zero = true;
    else if (n > limit / shape[i]) return -1;
    else n *= shape[i];
  }
  return zero ? 0 : n;
}

int64_t dnn_memory_most;

int64_t dnn_memory_limit(void) {
  static const int64_t addressable = (int64_t)1 << 62;
  if (dnn_memory_most) return dnn_memory_most < addressable ? dnn_memory_most : addressable;
  long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  return pages > 0 && page > 0 ? (int64_t)pages * page : addressable;
}

void *dnn_alloc(int64_t bytes) {
  if (bytes < 0 || bytes > dnn_memory_limit() || (uint64_t)bytes > SIZE_MAX / 2) return NULL;
  size_t n = ((size_t)bytes + 63) / 64 * 64;
  return aligned_alloc(64, n ? n : 64);
}

bool dnn_tensor_new(DnnTensor *t, int dtype, int rank, const int64_t *shape, DnnError *e) {
  memset(t, 0, sizeof *t);
  if (rank > DNN_MAX_RANK) return dnn_fail(e, "a tensor of %d axes; at most %d are supported", rank, DNN_MAX_RANK);
  for (int i = 0; i < rank; i++)
    if (shape[i] < 0) return dnn_fail(e, "axis %d of a tensor would have the size %lld", i, (long long)shape[i]);
  int64_t n = dnn_count(rank, shape, dnn_dtype_size(dtype));
  if (n < 0) return dnn_fail(e, "a tensor is too large to be addressed");
  t->dtype = dtype, t->rank = rank, t->bytes = n * dnn_dtype_size(dtype);
  for (int i = 0; i < rank; i++) t->shape[i] = shape[i];
  t->data = dnn_alloc(t->bytes);
  if (!t->data) return dnn_fail(e, "no memory for a tensor of %lld bytes", (long long)t->bytes);
  return true;
}

void dnn_tensor_free(DnnTensor *t) {
  free(t->data);
  memset(t, 0, sizeof *t);
}

/* IEEE 754 binary16 to binary32, exact. */
float dnn_f16_to_f32(uint16_t h) {
  uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, mantissa = h & 1023, bits;
  if (exponent == 31) {
    bits = sign | 0x7f800000u | mantissa << 13;
  } else if (exponent) {
    bits = sign | (exponent + 112) << 23 | mantissa << 13;
  } else {
    float f = (float)mantissa * 0x1p-24f;
    return sign ? -f : f;
  }
  float f;
  memcpy(&f, &bits, 4);
  return f;
}

/* Rounds to nearest, ties to even. */
uint16_t dnn_f32_to_f16(float f) {
  uint32_t bits;
  memcpy(&bits, &f, 4);
  uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
  bits &= 0x7fffffff;
  if (bits > 0x7f800000u) return (uint16_t)(sign | 0x7e00);
  if (bits >= 0x477ff000u) return (uint16_t)(sign | 0x7c00);
  if (bits < 0x38800000u) { /* subnormal or zero in f16 */
    float a;
    memcpy(&a, &bits, 4);
    return (uint16_t)(sign | (uint16_t)lrintf(a * 0x1p24f));
  }
  uint32_t rounded = bits - 0x38000000u + 0xfff + (bits >> 13 & 1);
  return (uint16_t)(sign | rounded >> 13);
}

static float bf16_to_f32(uint16_t h) {
  uint32_t bits = (uint32_t)h << 16;
  float f;
  memcpy(&f, &bits, 4);
  return f;
}

static uint16_t f32_to_bf16(float f) {
  uint32_t bits;
  memcpy(&bits, &f, 4);
  if ((bits & 0x7fffffff) > 0x7f800000u) return (uint16_t)(bits >> 16 | 64);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

int64_t dnn_get_int(const void *data, int dtype, int64_t i) {
  switch (dtype) {
  case DNN_I64: return ((const int64_t *)data)[i];
  case DNN_I32: return ((const int32_t *)data)[i];
  case DNN_I8: return ((const int8_t *)data)[i];
  case DNN_U8:
  case DNN_BOOL: return ((const uint8_t *)data)[i];
  default: return (int64_t)dnn_get(data, dtype, i);
  }
}

double dnn_get(const void *data, int dtype, int64_t i) {
  switch (dtype) {
  case DNN_F64: return ((const double *)data)[i];
  case DNN_F32: return (double)((const float *)data)[i];
  case DNN_F16: return (double)dnn_f16_to_f32(((const uint16_t *)data)[i]);
  case DNN_BF16: return (double)bf16_to_f32(((const uint16_t *)data)[i]);
  default: return (double)dnn_get_int(data, dtype, i);
  }
}

void dnn_put(void *data, int dtype, int64_t i, double v) {
  switch (dtype) {
  case DNN_F64: ((double *)data)[i] = v; break;
  case DNN_F32: ((float *)data)[i] = (float)v; break;
  case DNN_F16: ((uint16_t *)data)[i] = dnn_f32_to_f16((float)v); break;
  case DNN_BF16: ((uint16_t *)data)[i] = f32_to_bf16((float)v); break;
  case DNN_I64: ((int64_t *)data)[i] = (int64_t)v; break;
  case DNN_I32: ((int32_t *)data)[i] = (int32_t)v; break;
  case DNN_I8: ((int8_t *)data)[i] = (int8_t)v; break;
  case DNN_U8: ((uint8_t *)data)[i] = (uint8_t)v; break;
  default: ((uint8_t *)data)[i] = v != 0; break;
  }
}

static void put_int(void *data, int dtype, int64_t i, int64_t v) {
  switch (dtype) {
  case DNN_I64: ((int64_t *)data)[i] = v; break;
  case DNN_I32: ((int32_t *)data)[i] = (int32_t)v; break;
  case DNN_I8: ((int8_t *)data)[i] = (int8_t)v; break;
  default: ((uint8_t *)data)[i] = (uint8_t)v; break;
  }
}

bool dnn_convert(void *to, int to_dtype, const void *from, int from_dtype, int64_t n, int64_t *bad) {
  *bad = -1;
  if (dnn_dtype_is_float(to_dtype) != dnn_dtype_is_float(from_dtype)) return false;
  if (to_dtype == from_dtype) {
    memcpy(to, from, (size_t)(n * dnn_dtype_size(to_dtype)));
    return true;
  }
  if (dnn_dtype_is_float(to_dtype)) {
    for (int64_t i = 0; i < n; i++) dnn_put(to, to_dtype, i, dnn_get(from, from_dtype, i));
    return true;
  }
  int64_t lo, hi;
  dnn_dtype_range(to_dtype, &lo, &hi);
  for (int64_t i = 0; i < n; i++) {
    int64_t v = dnn_get_int(from, from_dtype, i);
    if (v < lo || v > hi) return *bad = i, false;
    put_int(to, to_dtype, i, v);
  }
  return true;
}

char *dnn_type_text(char *buf, size_t size, int dtype, int rank, const int64_t *shape) {
  size_t n = (size_t)snprintf(buf, size, "%s[", dnn_dtype_name(dtype));
  for (int i = 0; i < rank && n < size; i++)
    n += (size_t)snprintf(buf + n, size - n, "%s%lld", i ? ", " : "", (long long)shape[i]);
  if (n < size) snprintf(buf + n, size - n, "]");
  return buf;
}
