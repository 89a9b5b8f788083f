/* Elementary functions of f32 without branches or calls, so that compilers vectorise loops over them; a vector body and
 * a scalar tail give the same bits. The rest comes from libm. Copied beside emitted programs, so it stands alone.
 * Largest errors against libm's double functions over all finite floats where the result is a normal number, in units
 * of the last place (measured by tests/unit/maths_test.c): exp 0.94, log 0.76, tanh 5.5, sigmoid 2.5. */
#ifndef DNN_MATHS_H
#define DNN_MATHS_H
#include <math.h>
#include <stdint.h>
#include <string.h>

/* e^x: x = n ln 2 + r, polynomial on |r| <= ln(2)/2 with the coefficients of Moshier's Cephes library (expf.c); 2^n is
 * applied in two steps so that results below the normal range come out right. */
static inline float dnn_exp_f32(float x) {
  const float c = x < -104.0f ? -104.0f : x > 89.0f ? 89.0f : x;
  const float shift = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
  const float t = c * 1.44269504088896341f + shift;
  const float n = t - shift;
  float r = c - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  int32_t k;
  memcpy(&k, &t, 4);
  k -= 0x4b400000;
  const int32_t k1 = k >> 1, k2 = k - k1;
  const uint32_t u1 = ((uint32_t)k1 + 127u) << 23, u2 = ((uint32_t)k2 + 127u) << 23;
  float s1, s2;
  memcpy(&s1, &u1, 4);
  memcpy(&s2, &u2, 4);
  return p * s1 * s2;
}

/* ln x: x = m 2^e with m in [sqrt(1/2), sqrt 2), polynomial of Cephes (logf.c). */
static inline float dnn_log_f32(float x) {
  const int small = x < 1.17549435e-38f;
  const float y = small ? x * 8388608.0f : x;
  uint32_t u;
  memcpy(&u, &y, 4);
  const uint32_t shifted = u - 0x3f3504f3u; /* bits of sqrt(1/2) */
  const int32_t e = (int32_t)shifted >> 23;
  const uint32_t v = (shifted & 0x7fffffu) + 0x3f3504f3u;
  float m;
  memcpy(&m, &v, 4);
  const float f = (float)(small ? e - 23 : e);
  const float r = m - 1.0f, z = r * r;
  float p = 7.0376836292e-2f;
  p = p * r - 1.1514610310e-1f;
  p = p * r + 1.1676998740e-1f;
  p = p * r - 1.2420140846e-1f;
  p = p * r + 1.4249322787e-1f;
  p = p * r - 1.6668057665e-1f;
  p = p * r + 2.0000714765e-1f;
  p = p * r - 2.4999993993e-1f;
  p = p * r + 3.3333331174e-1f;
  p = p * r * z;
  p = p + f * -2.12194440e-4f;
  p = p - 0.5f * z;
  float w = r + p;
  w = w + f * 0.693359375f;
  w = x > 3.40282347e38f ? x : w; /* infinity */
  w = x == 0.0f ? -INFINITY : w;
  w = x < 0.0f ? NAN : w;
  return x != x ? x : w;
}

/* tanh x: odd rational function of degrees 13 and 6 on |x| < 7.9 (the coefficients of Eigen's fast tanh). */
static inline float dnn_tanh_f32(float x) {
  const float limit = 7.90531110763549805f;
  const float c = x < -limit ? -limit : x > limit ? limit : x;
  const float s = c * c;
  float p = -2.76076847742355e-16f;
  p = p * s + 2.00018790482477e-13f;
  p = p * s - 8.60467152213735e-11f;
  p = p * s + 5.12229709037114e-08f;
  p = p * s + 1.48572235717979e-05f;
  p = p * s + 6.37261928875436e-04f;
  p = p * s + 4.89352455891786e-03f;
  p = p * c;
  float q = 1.19825839466702e-06f;
  q = q * s + 1.18534705686654e-04f;
  q = q * s + 2.26843463243900e-03f;
  q = q * s + 4.89352518554385e-03f;
  const float y = p / q;
  return s < 1.6e-7f ? x : y;
}

/* By e^-|x|, so that small results keep their digits. */
static inline float dnn_sigmoid_f32(float x) {
  const float e = dnn_exp_f32(x < 0.0f ? x : -x);
  return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

static inline double dnn_exp_f64(double x) { return exp(x); }
static inline double dnn_log_f64(double x) { return log(x); }
static inline double dnn_tanh_f64(double x) { return tanh(x); }
static inline double dnn_sigmoid_f64(double x) { return 1.0 / (1.0 + exp(-x)); }
#endif
