/* Integers that wrap, floats to integers, floor division of floats, 16-bit floats. Copied beside emitted programs, so
 * it stands alone. Each function is the definition of its op. */
#ifndef DNN_NUMBER_H
#define DNN_NUMBER_H
#include "runtime/core/maths.h"
#include <math.h>
#include <stdint.h>

/* Integer arithmetic that wraps. */
#define DNN_WRAP(T, U, s)                                                                                            \
  static inline T dnn_add_##s(T a, T b) { return (T)(U)((U)a + (U)b); }                                              \
  static inline T dnn_sub_##s(T a, T b) { return (T)(U)((U)a - (U)b); }                                              \
  static inline T dnn_mul_##s(T a, T b) { return (T)(U)((uint64_t)(U)a * (uint64_t)(U)b); }                          \
  static inline T dnn_neg_##s(T a) { return (T)(U)(0 - (U)a); }                                                      \
  static inline T dnn_abs_##s(T a) { return a < (T)1 ? (T)(U)(0 - (U)a) : a; }                                       \
  static inline T dnn_sign_##s(T a) { return (T)(a < (T)1 ? (a == 0 ? 0 : -1) : 1); }                                \
  static inline T dnn_pow_##s(T a, T b) {                                                                            \
    if (b < (T)1) return (T)(b == 0 || a == (T)1);                                                                   \
    T y = 1;                                                                                                         \
    for (; b > (T)0; b = (T)(b / 2)) {                                                                               \
      if (b % 2) y = dnn_mul_##s(y, a);                                                                              \
      a = dnn_mul_##s(a, a);                                                                                         \
    }                                                                                                                \
    return y;                                                                                                        \
  }
DNN_WRAP(int64_t, uint64_t, i64)
DNN_WRAP(int32_t, uint32_t, i32)
DNN_WRAP(int8_t, uint8_t, i8)
DNN_WRAP(uint8_t, uint8_t, u8)
#undef DNN_WRAP

/* Float to integer: truncates, saturates, NaN gives 0. */
static inline int64_t dnn_to_int(double x, double low, double high, int64_t least, int64_t most) {
  return x != x ? 0 : x <= low ? least : x >= high ? most : (int64_t)x;
}
static inline int64_t dnn_to_i64(double x) { return dnn_to_int(x, -0x1p63, 0x1p63, INT64_MIN, INT64_MAX); }
static inline int32_t dnn_to_i32(double x) { return (int32_t)dnn_to_int(x, -0x1p31, 0x1p31 - 1, INT32_MIN, INT32_MAX); }
static inline int8_t dnn_to_i8(double x) { return (int8_t)dnn_to_int(x, -128, 127, -128, 127); }
static inline uint8_t dnn_to_u8(double x) { return (uint8_t)dnn_to_int(x, 0, 255, 0, 255); }

static inline float dnn_floordiv_f32(float a, float b) { return floorf(a / b); }
static inline double dnn_floordiv_f64(double a, double b) { return floor(a / b); }
static inline float dnn_mod_f32(float a, float b) { return a - b * floorf(a / b); }
static inline double dnn_mod_f64(double a, double b) { return a - b * floor(a / b); }
static inline float dnn_sign_f32(float a) { return a != a ? a : (float)((a > 0.0f) - (a < 0.0f)); }
static inline double dnn_sign_f64(double a) { return a != a ? a : (double)((a > 0.0) - (a < 0.0)); }

/* 16-bit floats are stored as integers and computed with as float. Rounds to nearest, ties to even. */
static inline float dnn_from_bf16(uint16_t h) { return dnn_float((uint32_t)h << 16); }
static inline uint16_t dnn_bits_bf16(float x) {
  uint32_t u = dnn_word(x);
  if ((u & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(u >> 16 | 0x40);
  return (uint16_t)((u + 0x7fffu + (u >> 16 & 1)) >> 16);
}
static inline float dnn_from_f16(uint16_t h) {
  uint32_t sign = (uint32_t)(h & 0x8000) << 16, e = h >> 10 & 31, m = h & 0x3ff;
  if (e == 31) return dnn_float(sign | 0x7f800000u | m << 13);
  if (e) return dnn_float(sign | (e + 112) << 23 | m << 13);
  float x = (float)m * 0x1p-24f; /* subnormal or zero */
  return sign ? -x : x;
}
static inline uint16_t dnn_bits_f16(float x) {
  uint32_t u = dnn_word(x), sign = u >> 16 & 0x8000, a = u & 0x7fffffffu;
  if (a > 0x7f800000u) return (uint16_t)(sign | 0x7e00);
  if (a >= 0x477ff000u) return (uint16_t)(sign | 0x7c00);     /* 65520 and above */
  if (a < 0x38800000u) {                                      /* below 2^-14: a multiple of 2^-24 */
    float y = dnn_float(a) + 0.5f;                            /* rounds to that grid */
    return (uint16_t)(sign | (dnn_word(y) - 0x3f000000u));
  }
  a += 0xfffu + (a >> 13 & 1);
  return (uint16_t)(sign | (a - 0x38000000u) >> 13);
}
static inline float dnn_round_f16(float x) { return dnn_from_f16(dnn_bits_f16(x)); }
static inline float dnn_round_bf16(float x) { return dnn_from_bf16(dnn_bits_bf16(x)); }
#endif
