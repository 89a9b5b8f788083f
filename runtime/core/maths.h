/* Elementary functions without branches or calls, so that compilers vectorise loops over them. They are the one
 * definition: emitted kernels, the interpreter of the loop IR and the evaluator call them. Copied beside emitted
 * programs, so it stands alone. f64 is libm's.
 *
 * Bits: where the processor has a fused multiply-add, dnn_fma is that instruction; every other product that meets a sum
 * is exact. So compilers have no choice of what to contract, and a vector body, a scalar tail, gcc and clang give the
 * same bits (tests/runtime/maths.sh). Without the instruction the last bits are others.
 *
 * The error beside each function is the largest one measured, in units of the last place (ulp), with the instruction /
 * without it; docs/maths.md tells how. The polynomials are minimax fits made for this file: Remez's exchange, weighted
 * by the relative error of the whole function, coefficients rounded afterwards (tests/exhaustive/fit.py). */
#ifndef DNN_MATHS_H
#define DNN_MATHS_H
#include <math.h>
#include <stdint.h>
#include <string.h>
#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ == 2 && !defined(__STRICT_ANSI__)
#error "x87 registers do not round to float: compile with -std=c11 instead of gnu11, or with -msse2 -mfpmath=sse"
#endif

static inline uint32_t dnn_word(float x) {
  uint32_t u;
  memcpy(&u, &x, 4);
  return u;
}
static inline float dnn_float(uint32_t u) {
  float x;
  memcpy(&x, &u, 4);
  return x;
}
static inline uint64_t dnn_word_f64(double x) {
  uint64_t u;
  memcpy(&u, &x, 8);
  return u;
}
static inline double dnn_double(uint64_t u) {
  double x;
  memcpy(&x, &u, 8);
  return x;
}
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA) || (defined(__riscv_flen) && __riscv_flen >= 64)
static inline float dnn_fma_f32(float a, float b, float c) { return fmaf(a, b, c); }
#else
static inline float dnn_fma_f32(float a, float b, float c) { return a * b + c; }
#endif
#if defined(__FMA__) || (defined(__ARM_FEATURE_FMA) && (!defined(__ARM_FP) || (__ARM_FP & 8))) ||                      \
    (defined(__riscv_flen) && __riscv_flen >= 64)
static inline double dnn_fma_f64(double a, double b, double c) { return fma(a, b, c); }
#else
static inline double dnn_fma_f64(double a, double b, double c) { return a * b + c; }
#endif

/* Adding 1.5 * 2^23 (f64: 2^52) rounds to an integer, which then stands in the low bits of the sum. */
#define DNN_SHIFT_F32 12582912.0f
#define DNN_SHIFT_F64 6755399441055744.0

/* x, but at least low and at most high; NaN stays. A choice is one instruction where its result is one of what it
 * compares; of two in a row gcc makes masks. */
static inline float dnn_clamp_f32(float x, float low, float high) {
  const float most = x > high ? high : x;
#if defined(__clang__)
  return most < low ? low : most;
#else
  return x < low ? low : most;
#endif
}

/* x = n ln 2 + r with |r| <= ln(2)/2, and e^r = 1 + r + p r^2: e^x = 2^n (1 + t). ln 2 in two parts, the first so short
 * that its product with n is exact (Cody and Waite, Software Manual for the Elementary Functions, 1980). */
typedef struct DnnExp {
  uint32_t shifted; /* n + shift, which has n in its low bits */
  int32_t n;
  float r, z, p, t;
} DnnExp;
static inline DnnExp dnn_exp_shifted(float x, float shift) {
  const float shifted = dnn_fma_f32(x, 1.44269504f, shift), n = shifted - shift;
  const float r = dnn_fma_f32(n, 2.12194440e-4f, dnn_fma_f32(n, -0.693359375f, x));
  const float z = r * r, p2 = dnn_fma_f32(8.369493298e-03f, r, 4.167059809e-02f);
  const float p0 = dnn_fma_f32(1.666651219e-01f, r, 4.999998510e-01f);
  const float p = dnn_fma_f32(dnn_fma_f32(1.368477126e-03f, z, p2), z, p0);
  const DnnExp e = {dnn_word(shifted),   (int32_t)(dnn_word(shifted) - dnn_word(DNN_SHIFT_F32)), r, z, p,
                    dnn_fma_f32(p, z, r)};
  return e;
}
static inline DnnExp dnn_exp_parts(float x) { return dnn_exp_shifted(x, DNN_SHIFT_F32); }
/* 2^n for -126 <= n <= 127. */
static inline float dnn_power_of_2(int32_t n) { return dnn_float((uint32_t)(n + 127) << 23); }

/* e^x; 0.80 / 0.81 ulp. What 1 + r loses goes to p r^2 (Dekker, A floating-point technique for extending the available
 * precision, 1971). 2^n is 2^64 or 2^-64 times a number in the normal range: results below that range are rounded once
 * more and those above it overflow. The shift makes the low bits of the sum that number's exponent.
 * The least argument has n = -191, whose exponent makes the number 0: what is masked by a large negative number is 0
 * times the sum then, no product that underflows, which costs some processors a hundred cycles. */
#define DNN_EXP_NONE -132.4f
static inline float dnn_exp_of(DnnExp e, float rest) {
  const float sum = 1.0f + e.r, lost = e.r - (sum - 1.0f);
  return (sum + dnn_fma_f32(e.p, e.z, lost)) * dnn_float(e.shifted << 23) * rest;
}
static inline float dnn_exp_f32(float x) {
  const float shift = x < 0.0f ? DNN_SHIFT_F32 + 191.0f : DNN_SHIFT_F32 + 63.0f, rest = x < 0.0f ? 0x1p-64f : 0x1p64f;
  return dnn_exp_of(dnn_exp_shifted(dnn_clamp_f32(x, DNN_EXP_NONE, 89.0f), shift), rest);
}

/* The same for x <= 0 or NaN, with the same bits. */
static inline float dnn_exp_below_0_f32(float x) {
  return dnn_exp_of(dnn_exp_shifted(x < DNN_EXP_NONE ? DNN_EXP_NONE : x, DNN_SHIFT_F32 + 191.0f), 0x1p-64f);
}

/* e^x - 1; 1.47 / 1.60 ulp. It is 2^n t + (2^n - 1), all by 1/2 because 2^128 is too large. */
static inline float dnn_expm1_f32(float x) {
  const DnnExp e = dnn_exp_parts(dnn_clamp_f32(x, -26.0f, 89.0f));
  const float s = dnn_power_of_2(e.n - 1), y = dnn_fma_f32(s, e.t, s - 0.5f) * 2.0f;
  return fabsf(x) < 0x1p-24f ? x : y;
}

/* 1 / (1 + e^-x); 1.70 / 1.75 ulp. Both terms by 2^-32 so that the sum does not overflow. 1 + 2^n is exact for n below
 * 24; what it loses beyond goes to 2^n t, so that the whole sum is rounded once. */
static inline float dnn_sigmoid_f32(float x) {
  const DnnExp e = dnn_exp_parts(-dnn_clamp_f32(x, -105.0f, 40.0f));
  const float one = 0x1p-32f, s = dnn_power_of_2(e.n - 32), sum = s + one;
  const float lost = s < one ? s - (sum - one) : one - (sum - s);
  return one / (sum + dnn_fma_f32(s, e.t, lost));
}

/* tanh x; 1.31 / 1.31 ulp: x + x^3 P(x^2) for |x| < 0.5625, beyond it 1 - 2 / (1 + e^(2|x|)). */
static inline float dnn_tanh_f32(float x) {
  const float a = fabsf(x), c = a > 10.0f ? 10.0f : a, z = c * c;
  float p = -6.170139648e-03f;
  p = dnn_fma_f32(p, z, 2.100051567e-02f);
  p = dnn_fma_f32(p, z, -5.383575708e-02f);
  p = dnn_fma_f32(p, z, 1.333243698e-01f);
  p = dnn_fma_f32(p, z, -3.333331347e-01f);
  const float cube = c * z, small = dnn_fma_f32(cube, p, c);
  const DnnExp e = dnn_exp_parts(c + c);
  const float s = dnn_power_of_2(e.n), large = 1.0f - 2.0f / (s + dnn_fma_f32(s, e.t, 1.0f));
  const float y = c < 0.5625f ? small : large;
  return dnn_float(dnn_word(y) | (dnn_word(x) & 0x80000000u));
}

/* erf x; 0.82 / 0.96 ulp: x + x P(x^2) for |x| < 0.8203125, beyond it 1 - Q(|x| - 0.875)^2. Q^2 is erfc: Q is below 1/2
 * there, so that its rounding counts less than it would in 1 - Q, and around 0.875, where erfc counts most, the
 * polynomial has hardly any other. */
static inline float dnn_erf_f32(float x) {
  const float a = fabsf(x), c = a > 4.0f ? 4.0f : a, z = c * c, u = c - 0.875f;
  float p = -6.471539964e-04f;
  p = dnn_fma_f32(p, z, 5.076547619e-03f);
  p = dnn_fma_f32(p, z, -2.681710199e-02f);
  p = dnn_fma_f32(p, z, 1.128306240e-01f);
  p = dnn_fma_f32(p, z, -3.761260211e-01f);
  p = dnn_fma_f32(p, z, 1.283791661e-01f);
  float q = 7.128830475e-06f;
  q = dnn_fma_f32(q, u, -1.156139115e-04f);
  q = dnn_fma_f32(q, u, 7.545533590e-04f);
  q = dnn_fma_f32(q, u, -2.297547879e-03f);
  q = dnn_fma_f32(q, u, 1.877000206e-03f);
  q = dnn_fma_f32(q, u, 6.463021040e-03f);
  q = dnn_fma_f32(q, u, -7.537866943e-03f);
  q = dnn_fma_f32(q, u, -4.424320906e-02f);
  q = dnn_fma_f32(q, u, 8.354036510e-02f);
  q = dnn_fma_f32(q, u, 1.510072201e-01f);
  q = dnn_fma_f32(q, u, -5.646340251e-01f);
  q = dnn_fma_f32(q, u, 4.646772444e-01f);
  const float small = dnn_fma_f32(p, c, c), large = dnn_fma_f32(-q, q, 1.0f), y = c < 0.8203125f ? small : large;
  return dnn_float(dnn_word(y) | (dnn_word(x) & 0x80000000u));
}

/* x (1 + erf(x / sqrt 2)) / 2; docs/maths.md tells of its errors. With a = |x| and s = a (1/4 + P(a)), (1 - s)^4 is
 * 1 - erf(a / sqrt 2), which counts nothing beside 1 beyond 5.59. 2 s - s^2 and 2 t - t^2 are rounded once each. */
static inline float dnn_gelu_f32(float x) {
  const float a = fabsf(x), half = x * 0.5f;
  float p = 6.748886783e-09f;
  p = dnn_fma_f32(p, a, -2.273190773e-07f);
  p = dnn_fma_f32(p, a, 2.828494871e-06f);
  p = dnn_fma_f32(p, a, -1.402443922e-05f);
  p = dnn_fma_f32(p, a, -2.761915084e-06f);
  p = dnn_fma_f32(p, a, 2.167299244e-04f);
  p = dnn_fma_f32(p, a, 2.433696354e-04f);
  p = dnn_fma_f32(p, a, -4.673995543e-03f);
  p = dnn_fma_f32(p, a, -5.460374057e-03f);
  p = dnn_fma_f32(p, a, 5.968195200e-02f);
  p = dnn_fma_f32(p, a, -5.052878708e-02f);
  const float s = dnn_fma_f32(p, a, a * 0.25f), t = dnn_fma_f32(-s, s, s + s), y = dnn_fma_f32(-t, t, t + t);
  return dnn_fma_f32(fabsf(half), a > 5.59f ? 1.0f : y, half);
}

/* x / d for a d that many x share: two operations for each where there is a fused multiply-add. d is 0, infinite, NaN
 * or from 2^-100 to 2^100 in size. For d from 2^-20 to 2^64 the reciprocal has two parts, so that what is rounded twice
 * is 2^-22 of the quotient or less: off by 0.5000006 ulp at most, and where the quotient is below 2^-100 by another
 * 2^-150; exact quotients are exact. Other d have one part, off by 1.5 ulp. The first part is too small, so that the
 * second one is never 0 nor of the other sign, which would make NaN of an infinite x. */
static inline float dnn_over_f32(float x, float d) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA) || (defined(__riscv_flen) && __riscv_flen >= 64)
  const float near = 1.0f / d, below = dnn_float(dnn_word(near) - 1), rest = dnn_fma_f32(-below, d, 1.0f) * near;
  const int two_parts = d >= 0x1p-20f && d <= 0x1p64f;
  const float high = two_parts ? below : near, low = two_parts ? rest : near * 0x1p-60f;
  return dnn_fma_f32(x, high, x * low);
#else
  return x / d;
#endif
}

/* x = m 2^e with m in [sqrt(1/2), sqrt 2), for normal x > 0. */
typedef struct DnnScaled {
  int32_t e;
  float m;
} DnnScaled;
static inline DnnScaled dnn_scaled(float x) {
  const uint32_t root = 0x3f3504f3u, shifted = dnn_word(x) - root; /* bits of sqrt(1/2) */
  const DnnScaled s = {(int32_t)shifted >> 23, dnn_float((shifted & 0x7fffffu) + root)};
  return s;
}
/* ln(1 + r) + e ln 2 = (e hi + r) + (r^2 P(r) + e lo), hi so short that e hi is exact. What the first sum loses goes to
 * the second (Dekker). */
static inline float dnn_log_sum(float r, float e) {
  const float z = r * r;
  float p = 6.746598333e-02f;
  p = dnn_fma_f32(p, r, -1.167560965e-01f);
  p = dnn_fma_f32(p, r, 1.188815311e-01f);
  p = dnn_fma_f32(p, r, -1.240559295e-01f);
  p = dnn_fma_f32(p, r, 1.421955526e-01f);
  p = dnn_fma_f32(p, r, -1.666799635e-01f);
  p = dnn_fma_f32(p, r, 2.000211924e-01f);
  p = dnn_fma_f32(p, r, -2.500000894e-01f);
  p = dnn_fma_f32(p, r, 3.333331347e-01f);
  p = dnn_fma_f32(p, r, -0.5f);
  const float hi = e * 0.693359375f, sum = hi + r, lost = r - (sum - hi);
  return sum + dnn_fma_f32(z, p, dnn_fma_f32(e, -2.12194440e-4f, lost));
}

/* ln x; 0.86 / 0.87 ulp. Subnormal x are scaled by 2^23 first. */
static inline float dnn_log_f32(float x) {
  const int small = x < 0x1p-126f;
  const DnnScaled s = dnn_scaled(small ? x * 0x1p23f : x);
  const float y = dnn_log_sum(s.m - 1.0f, (float)(small ? s.e - 23 : s.e));
  const float positive = x < INFINITY ? y : x, other = x == 0.0f ? -INFINITY : NAN;
  return x > 0.0f ? positive : other;
}

/* ln(1 + x); 1.43 / 1.51 ulp: 1 + x = u + c exactly (Knuth's sum of two), u = m 2^e, then ln(m + c 2^-e) + e ln 2. */
static inline float dnn_log1p_f32(float x) {
  const float u = 1.0f + x, v = u - 1.0f, c = (x - v) + (1.0f - (u - v));
  const DnnScaled s = dnn_scaled(u);
  const float y = dnn_log_sum(dnn_fma_f32(c, dnn_power_of_2(s.e < 100 ? -s.e : -100), s.m - 1.0f), (float)s.e);
  const float positive = ((x < INFINITY) & (x != 0.0f)) ? y : x, other = x == -1.0f ? -INFINITY : NAN;
  return x > -1.0f ? positive : other;
}

/* 1.50 / 1.50 ulp. */
static inline float dnn_rsqrt_f32(float x) { return 1.0f / sqrtf(x); }

/* The sine and the cosine of a >= 0 before their signs: a = (quadrant + f) pi/2 with |f| <= 1/2, modulo 2 pi.
 * a 2/pi is the sum of three products; the first two are exact, since the parts of 2/pi have 29 bits. For large a the
 * parts begin further behind the point: what is left out are multiples of 4 (Payne and Hanek, Radian reduction for
 * trigonometric functions, 1983, with three windows instead of one for each exponent). */
typedef struct DnnTurn {
  uint64_t quadrant;
  double sine, cosine;
} DnnTurn;
static inline DnnTurn dnn_turn(double a) {
  double c1 = 0x1.45f306cp-1, c2 = 0x1.c9c882ap-29, c3 = 0x1.4fe13abe8fa9ap-59;
  c1 = a >= 0x1p50 ? -0x1.1b1bbecp-28 : c1;
  c2 = a >= 0x1p50 ? 0x1.29fc276p-56 : c2;
  c3 = a >= 0x1p50 ? -0x1.05c1596447e49p-85 : c3;
  c1 = a >= 0x1p77 ? 0x1.4a7f09ep-54 : c1;
  c2 = a >= 0x1p77 ? -0x1.4170566p-83 : c2;
  c3 = a >= 0x1p77 ? 0x1.bb81b6c52b328p-113 : c3;
  c1 = a >= 0x1p104 ? -0x1.505c15ap-81 : c1;
  c2 = a >= 0x1p104 ? 0x1.377036ep-110 : c2;
  c3 = a >= 0x1p104 ? -0x1.d6a66c3bc6fbep-140 : c3;
  const double p = a * c1, n = p + DNN_SHIFT_F64;
  const double g = dnn_fma_f64(a, c2, p - (n - DNN_SHIFT_F64)), n2 = g + DNN_SHIFT_F64;
  const double f = dnn_fma_f64(a, c3, g - (n2 - DNN_SHIFT_F64)), z = f * f;
  double s = -4.60005027859412743e-03, c = 9.03039745522132321e-04;
  s = dnn_fma_f64(s, z, 7.96795201164904737e-02);
  s = dnn_fma_f64(s, z, -6.45963420796957233e-01);
  s = dnn_fma_f64(s, z, 1.57079632128255375e+00);
  c = dnn_fma_f64(c, z, -2.08597896424031100e-02);
  c = dnn_fma_f64(c, z, 2.53669162139867677e-01);
  c = dnn_fma_f64(c, z, -1.23370053866417284e+00);
  c = dnn_fma_f64(c, z, 9.99999999937861039e-01);
  const DnnTurn t = {dnn_word_f64(n) + dnn_word_f64(n2), s * f, c};
  return t;
}
/* y with the sign changed when the lowest bit of `minus` is 1. */
static inline float dnn_signed(double y, uint64_t minus) { return (float)dnn_double(dnn_word_f64(y) ^ minus << 63); }
/* sin x, cos x, tan x: 0.56 / 0.56 ulp. */
static inline float dnn_sin_f32(float x) {
  const DnnTurn t = dnn_turn((double)fabsf(x));
  const float y = dnn_signed(t.quadrant & 1 ? t.cosine : t.sine, t.quadrant >> 1);
  return dnn_float(dnn_word(y) ^ (dnn_word(x) & 0x80000000u));
}
static inline float dnn_cos_f32(float x) {
  const DnnTurn t = dnn_turn((double)fabsf(x));
  return dnn_signed(t.quadrant & 1 ? t.sine : t.cosine, (t.quadrant + 1) >> 1);
}
static inline float dnn_tan_f32(float x) {
  const DnnTurn t = dnn_turn((double)fabsf(x));
  const double over = t.quadrant & 1 ? t.cosine : t.sine, under = t.quadrant & 1 ? t.sine : t.cosine;
  return dnn_float(dnn_word(dnn_signed(over / under, t.quadrant)) ^ (dnn_word(x) & 0x80000000u));
}

/* log2 x for finite x > 0: x = m 2^e, log2 m = s P(s^2) with s = (m - 1) / (m + 1) (the series of atanh). 2^52 + n has
 * n in its low bits, which is how e becomes a double. */
static inline double dnn_log2_wide(double x) {
  const uint64_t root = UINT64_C(0x3fe6a09e667f3bcd), fraction = (UINT64_C(1) << 52) - 1; /* bits of sqrt(1/2) */
  const uint64_t u = dnn_word_f64(x) - root;
  const double e = dnn_double(((u + (UINT64_C(1023) << 52)) >> 52) | UINT64_C(0x4330000000000000)) - (0x1p52 + 1023);
  const double m = dnn_double((u & fraction) + root), s = (m - 1.0) / (m + 1.0), z = s * s;
  double p = 2.82902393996411483e-01;
  p = dnn_fma_f64(p, z, 3.19905548635737946e-01);
  p = dnn_fma_f64(p, z, 4.12209255781560868e-01);
  p = dnn_fma_f64(p, z, 5.77077942333507843e-01);
  p = dnn_fma_f64(p, z, 9.61796694113440376e-01);
  p = dnn_fma_f64(p, z, 2.88539008177784995e+00);
  return dnn_fma_f64(s, p, e);
}
/* 2^x for |x| < 1000. */
static inline double dnn_exp2_wide(double x) {
  const double shifted = x + DNN_SHIFT_F64, f = x - (shifted - DNN_SHIFT_F64);
  double p = 1.52019139341616986e-05;
  p = dnn_fma_f64(p, f, 1.54693183186218247e-04);
  p = dnn_fma_f64(p, f, 1.33339228106140904e-03);
  p = dnn_fma_f64(p, f, 9.61802716980356652e-03);
  p = dnn_fma_f64(p, f, 5.55041035287656831e-02);
  p = dnn_fma_f64(p, f, 2.40226511987654712e-01);
  p = dnn_fma_f64(p, f, 6.93147180728695522e-01);
  p = dnn_fma_f64(p, f, 9.99999999961628028e-01);
  return dnn_double(dnn_word_f64(p) + (dnn_word_f64(shifted) << 52));
}
/* Whether a >= 0 is an integer. */
static inline int dnn_whole(float a) { return (a >= 0x1p23f) | (a + 0x1p23f - 0x1p23f == a); }

/* x^y; 0.51 / 0.51 ulp: 2^(y log2 |x|) in f64, rounded once; special values as C99's annex F has them. */
static inline float dnn_pow_f32(float x, float y) {
  const float a = fabsf(x), b = fabsf(y);
  const float most = 3.40282347e38f, power = y > most ? most : y < -most ? -most : y; /* 0 * infinity shall be 0 */
  const double finite = dnn_log2_wide((double)a);
  const double l = a == 0.0f ? -(double)INFINITY : a == INFINITY ? (double)INFINITY : finite, w = l * (double)power;
  const float size = (float)dnn_exp2_wide(w < -300.0 ? -300.0 : w > 300.0 ? 300.0 : w);
  const int whole = dnn_whole(b), odd = whole & (b < 0x1p24f) & !dnn_whole(0.5f * b);
  const float value = dnn_float(dnn_word(size) ^ (odd ? dnn_word(x) & 0x80000000u : 0u));
  const int none = (x < 0.0f) & (a < INFINITY) & !whole;
  const float some = ((x != x) | (y != y)) ? x + y : none ? NAN : value;
  return ((x == 1.0f) | (y == 0.0f)) ? 1.0f : some;
}

#define DNN_LIBM(name)                                                                                                 \
  static inline double dnn_##name##_f64(double x) { return name(x); }
DNN_LIBM(exp)
DNN_LIBM(log)
DNN_LIBM(tanh)
DNN_LIBM(log1p)
DNN_LIBM(expm1)
DNN_LIBM(sin)
DNN_LIBM(cos)
DNN_LIBM(tan)
DNN_LIBM(erf)
#undef DNN_LIBM
static inline double dnn_sigmoid_f64(double x) { return 1.0 / (1.0 + exp(-x)); }
static inline double dnn_rsqrt_f64(double x) { return 1.0 / sqrt(x); }
static inline double dnn_pow_f64(double x, double y) { return pow(x, y); }
#endif
