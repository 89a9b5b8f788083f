/* The f32 functions of runtime/core/maths.h, what they should be, and how far from it they may be. */
#ifndef FUNCTIONS_H
#define FUNCTIONS_H
#include "runtime/core/maths.h"
#include <stdbool.h>

/* FUNCTION(name, reference in f64, largest error allowed in ulp, with or without fused multiply-adds) */
#define FUNCTIONS                                                                                                      \
  FUNCTION(exp, exp, 0.85)                                                                                             \
  FUNCTION(log, log, 0.95)                                                                                             \
  FUNCTION(log1p, log1p, 1.6)                                                                                          \
  FUNCTION(expm1, expm1, 1.6)                                                                                          \
  FUNCTION(tanh, tanh, 1.4)                                                                                            \
  FUNCTION(sigmoid, sigmoid_ref, 1.8)                                                                                  \
  FUNCTION(erf, erf, 1.0)                                                                                              \
  FUNCTION(rsqrt, rsqrt_ref, 1.5)                                                                                      \
  FUNCTION(sin, sin, 0.6)                                                                                              \
  FUNCTION(cos, cos, 0.6)                                                                                              \
  FUNCTION(tan, tan, 0.6)
#define POW_BOUND 0.55
/* gelu: in ulp right of 0 and from -1 to 0, absolute left of 0; with or without fused multiply-adds. */
#define GELU_RIGHT_BOUND 1.5
#define GELU_LEFT_BOUND 3.5
#define GELU_ABSOLUTE_BOUND 2e-7

static inline double sigmoid_ref(double x) { return 1 / (1 + exp(-x)); }
static inline double gelu_ref(double x) { return 0.5 * x * erfc(-x * 0.70710678118654752440); }
static inline double rsqrt_ref(double x) { return 1 / sqrt(x); }

/* How far y is from `want`, the value of the function at an argument or arguments of which `plain` says that they are
 * finite. A result that is exactly 0, infinite or not a number must be that (with its sign): else the error is
 * infinite. An infinite y for a finite `want` counts as 2^128. */
typedef struct UlpError {
  double ulp;
  bool exact, subnormal; /* the kinds of `want`; below 2^-126 a unit is 2^-149 */
} UlpError;
static inline UlpError ulp_error(float y, double want, bool plain) {
  UlpError e = {0};
  e.exact = want != want || want == 0 || !plain || isinf(want);
  if (e.exact) {
    bool same = want != want ? y != y : dnn_word(y) == dnn_word((float)want);
    e.ulp = same ? 0 : (double)INFINITY;
    return e;
  }
  if (fabs(want) >= 0x1.000001p128) {
    e.ulp = isinf(y) && (y > 0) == (want > 0) ? 0 : (double)INFINITY;
    return e;
  }
  /* the exponent of want; ilogb would be slow */
  const int exponent = (int)(dnn_word_f64(want) >> 52 & 2047) - 1023;
  const double near = isinf(y) ? (y > 0 ? 0x1p128 : -0x1p128) : (double)y;
  e.subnormal = exponent < -126;
  const int unit = exponent < -126 ? -149 : exponent > 127 ? 104 : exponent - 23;
  e.ulp = fabs(near - want) * dnn_double((uint64_t)(1023 - unit) << 52);
  if (!(e.ulp >= 0)) e.ulp = (double)INFINITY;
  return e;
}

/* Arguments where something happens; pow is tried on all pairs of them. */
static const float special_values[] = {
    0.0f,           0x1p-149f,
    0x1.8p-127f,    0x1p-126f,
    0x1p-64f,       0x1p-24f,
    0.1f,           0.5f,
    0x1.fffffep-1f, 1.0f,
    0x1.000002p0f,  1.5f,
    2.0f,           2.5f,
    3.0f,           4.0f,
    5.0f,           127.0f,
    128.0f,         149.0f,
    150.0f,         151.0f,
    0x1p22f,        0x1.000002p22f,
    0x1p23f,        0x1.000002p23f,
    0x1.fffffep23f, 0x1p24f,
    0x1.000002p24f, 0x1p31f,
    0x1p64f,        0x1.fffffep126f,
    0x1p127f,       0x1.fffffep127f,
    INFINITY,       NAN, /* and the negative ones */
};
enum { SPECIAL_VALUES = sizeof special_values / sizeof *special_values };
static inline float special_value(int i) {
  return i < SPECIAL_VALUES ? special_values[i] : -special_values[i - SPECIAL_VALUES];
}

/* The k-th pair for pow: positive x of any size and y such that the result is representable; x near 1; any two floats;
 * integer y for x of either sign. Pseudo-random numbers: SplitMix64 (Steele, Lea, Flood 2014). */
static inline uint64_t pair_random(uint64_t k) {
  k = (k + 1) * UINT64_C(0x9e3779b97f4a7c15);
  k = (k ^ k >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  k = (k ^ k >> 27) * UINT64_C(0x94d049bb133111eb);
  return k ^ k >> 31;
}
static inline void pair_for_pow(uint64_t k, float *x, float *y) {
  const uint64_t r = pair_random(k);
  const uint32_t a = (uint32_t)r, b = (uint32_t)(r >> 32);
  const double share = (double)b * 0x1p-32 * 284 - 152; /* -152 .. 132 */
  switch (k & 3) {
  case 0:
    *x = dnn_float(a % 0x7f7fffffu + 1);
    *y = (float)(share / log2((double)*x));
    break;
  case 1:
    *x = 1.0f + (float)((int32_t)a >> (a & 7)) * 0x1p-31f * 0.5f;
    *y = (float)(share / log2((double)*x));
    break;
  case 2:
    *x = dnn_float(a);
    *y = dnn_float(b);
    break;
  default:
    *x = dnn_float((a & 0x87ffffffu) + 0x3c000000u); /* 2^-7 .. 2^8 */
    *y = (float)((int)(b % 65) - 32);
  }
}
#endif
