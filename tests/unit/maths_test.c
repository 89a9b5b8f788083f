/* The vector maths of emitted programs against libm's double functions, and the integer helpers of number.h. All floats
 * are tried by tests/exhaustive/run, the code of every target by tests/runtime/maths.sh. */
#include "runtime/core/kernel.h"
#include "runtime/core/number.h"
#include "tests/exhaustive/functions.h"
#include <fenv.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static double checked(const char *name, float x, float x2, float y, double want, bool plain, double bound) {
  UlpError e = ulp_error(y, want, plain);
  if (e.ulp > bound) fail_msg("%s is %a, not %a, at %a, %a", name, (double)y, want, (double)x, (double)x2);
  return e.ulp;
}
/* Every sign and exponent with the first and last and 4096 other mantissas: the largest error. */
static double worst(const char *name, float (*f)(float), double (*ref)(double), double bound) {
  double most = 0;
  for (uint32_t high = 0; high < 512; high++)
    for (uint32_t k = 0; k < 4096 + 16; k++) {
      uint32_t mantissa = k < 8 ? k : k < 16 ? 0x7ffff0u + k : (k - 16) << 11 | (k * 2654435761u + high) >> 21;
      float x = dnn_float(high << 23 | mantissa);
      double e = checked(name, x, 0, f(x), ref((double)x), isfinite(x), bound);
      if (e > most) most = e;
    }
  return most;
}
static void test_errors(void **state) {
  (void)state;
#define FUNCTION(name, ref, bound) print_message("%s %.2f ulp\n", #name, worst(#name, dnn_##name##_f32, ref, bound));
  FUNCTIONS
#undef FUNCTION
}
static void test_pow(void **state) {
  (void)state;
  double most = 0;
  for (uint64_t k = 0; k < 1000000; k++) {
    float x, y;
    pair_for_pow(k, &x, &y);
    double e =
        checked("pow", x, y, dnn_pow_f32(x, y), pow((double)x, (double)y), isfinite(x) && isfinite(y), POW_BOUND);
    if (e > most) most = e;
  }
  print_message("pow %.4f ulp\n", most);
  for (int a = 0; a < 2 * SPECIAL_VALUES; a++)
    for (int b = 0; b < 2 * SPECIAL_VALUES; b++) {
      float x = special_value(a), y = special_value(b);
      checked("pow", x, y, dnn_pow_f32(x, y), pow((double)x, (double)y), isfinite(x) && isfinite(y), POW_BOUND);
    }
}
/* What masks make is 0 without a product that underflows on the way: some processors take a hundred cycles for each. */
static void test_masked(void **state) {
  (void)state;
  static const float masked[] = {-INFINITY, -1e30f, -1e9f, -1e4f, -140};
  for (int i = 0; i < 5; i++) {
    volatile float x = masked[i], y; /* or the compiler computes it */
    feclearexcept(FE_ALL_EXCEPT);
    y = dnn_exp_f32(x);
    assert_true(y == 0 && !fetestexcept(FE_UNDERFLOW));
    y = dnn_exp_below_0_f32(x);
    assert_true(y == 0 && !fetestexcept(FE_UNDERFLOW));
  }
}

/* What C99's annex F says of special values, independent of libm. */
static void test_special(void **state) {
  (void)state;
  const float inf = INFINITY;
#define IS(a, b) assert_int_equal(dnn_word(a), dnn_word(b))
  IS(dnn_exp_f32(0), 1), IS(dnn_exp_f32(-0.0f), 1), IS(dnn_exp_f32(-inf), 0), IS(dnn_exp_f32(inf), inf);
  IS(dnn_exp_f32(88.8f), inf), IS(dnn_exp_f32(-104.0f), 0), IS(dnn_exp_f32(-103.9f), 0x1p-149f);
  IS(dnn_expm1_f32(-0.0f), -0.0f), IS(dnn_expm1_f32(-inf), -1), IS(dnn_expm1_f32(inf), inf);
  IS(dnn_expm1_f32(0x1p-149f), 0x1p-149f);
  IS(dnn_log_f32(0), -inf), IS(dnn_log_f32(-0.0f), -inf), IS(dnn_log_f32(1), 0), IS(dnn_log_f32(inf), inf);
  IS(dnn_log1p_f32(-0.0f), -0.0f), IS(dnn_log1p_f32(-1), -inf), IS(dnn_log1p_f32(inf), inf);
  IS(dnn_log1p_f32(-0x1p-149f), -0x1p-149f);
  assert_true(isnan(dnn_log_f32(-1)) && isnan(dnn_log_f32(-inf)) && isnan(dnn_log1p_f32(-2)));
  IS(dnn_tanh_f32(-0.0f), -0.0f), IS(dnn_tanh_f32(inf), 1), IS(dnn_tanh_f32(-20), -1);
  IS(dnn_erf_f32(-0.0f), -0.0f), IS(dnn_erf_f32(inf), 1), IS(dnn_erf_f32(-inf), -1);
  IS(dnn_sigmoid_f32(-inf), 0), IS(dnn_sigmoid_f32(inf), 1), IS(dnn_sigmoid_f32(0), 0.5f), IS(dnn_sigmoid_f32(-200), 0);
  IS(dnn_rsqrt_f32(0), inf), IS(dnn_rsqrt_f32(-0.0f), -inf), IS(dnn_rsqrt_f32(inf), 0);
  assert_true(isnan(dnn_rsqrt_f32(-1)));
  IS(dnn_sin_f32(-0.0f), -0.0f), IS(dnn_tan_f32(-0.0f), -0.0f), IS(dnn_cos_f32(-0.0f), 1);
  IS(dnn_sin_f32(-0x1p-149f), -0x1p-149f);
  assert_true(isnan(dnn_sin_f32(inf)) && isnan(dnn_cos_f32(-inf)) && isnan(dnn_tan_f32(inf)));
#define FUNCTION(name, ref, bound) assert_true(isnan(dnn_##name##_f32(NAN)));
  FUNCTIONS
#undef FUNCTION
  for (int sign = 0; sign < 2; sign++) {
    const float s = sign ? -1.0f : 1.0f, zero = s * 0.0f;
    IS(dnn_pow_f32(zero, -3), s * inf), IS(dnn_pow_f32(zero, -2), inf), IS(dnn_pow_f32(zero, -0.5f), inf);
    IS(dnn_pow_f32(zero, -inf), inf), IS(dnn_pow_f32(zero, 3), zero), IS(dnn_pow_f32(zero, 2), 0);
    IS(dnn_pow_f32(zero, 0.5f), 0), IS(dnn_pow_f32(-1, s * inf), 1), IS(dnn_pow_f32(1, s * NAN), 1);
    IS(dnn_pow_f32(NAN, zero), 1), IS(dnn_pow_f32(s * inf, zero), 1), IS(dnn_pow_f32(0, zero), 1);
    IS(dnn_pow_f32(s * 0.5f, -inf), inf), IS(dnn_pow_f32(s * 2, -inf), 0), IS(dnn_pow_f32(s * 0.5f, inf), 0);
    IS(dnn_pow_f32(s * 2, inf), inf), IS(dnn_pow_f32(s * inf, -3), zero), IS(dnn_pow_f32(s * inf, -2), 0);
    IS(dnn_pow_f32(s * inf, 3), s * inf), IS(dnn_pow_f32(s * inf, 2.5f), inf), IS(dnn_pow_f32(s * 3, 5), s * 243);
    IS(dnn_pow_f32(s * 2, -149), s * 0x1p-149f), IS(dnn_pow_f32(s * 2, 128), inf),
        IS(dnn_pow_f32(s * 2, -151), s * 0.0f);
  }
  assert_true(isnan(dnn_pow_f32(-2, 0.5f)) && isnan(dnn_pow_f32(NAN, 1)) && isnan(dnn_pow_f32(2, NAN)) &&
              isnan(dnn_pow_f32(-1, NAN)));
#undef IS
}
static void test_integers(void **state) {
  (void)state;
  assert_int_equal(dnn_floordiv(-7, 2), -4);
  assert_int_equal(dnn_floordiv(7, -2), -4);
  assert_int_equal(dnn_floordiv(5, 0), 0);
  assert_true(dnn_floordiv(INT64_MIN, -1) == INT64_MIN);
  assert_int_equal(dnn_floormod(-7, 3), 2);
  assert_int_equal(dnn_floormod(7, -3), -2);
  assert_int_equal(dnn_floormod(7, 0), 0);
  assert_int_equal(dnn_add_i8(127, 1), -128);
  assert_int_equal(dnn_mul_i32(INT32_MAX, 2), -2);
  assert_int_equal(dnn_abs_i8(-128), -128);
  assert_int_equal(dnn_sub_u8(1, 2), 255);
  assert_int_equal(dnn_pow_i32(-3, 3), -27);
  assert_int_equal(dnn_pow_i32(5, -1), 0);
  assert_int_equal(dnn_to_i32(NAN), 0);
  assert_int_equal(dnn_to_i32(1e20), INT32_MAX);
  assert_true(dnn_to_i64(-1e30) == INT64_MIN);
  assert_int_equal(dnn_to_u8(-3.7), 0);
  assert_int_equal(dnn_to_i8(-3.7), -3);
}
static void test_halves(void **state) {
  (void)state;
  for (uint32_t h = 0; h < 65536; h++) { /* every 16-bit float survives the way through f32 */
    float x = dnn_from_f16((uint16_t)h), y = dnn_from_bf16((uint16_t)h);
    if (x == x) assert_int_equal(dnn_bits_f16(x), h);
    else assert_true((dnn_bits_f16(x) & 0x7fff) > 0x7c00);
    if (y == y) assert_int_equal(dnn_bits_bf16(y), h);
  }
  assert_int_equal(dnn_bits_f16(65519.0f), 0x7bff);
  assert_int_equal(dnn_bits_f16(65520.0f), 0x7c00);
  assert_int_equal(dnn_bits_f16(1.0f + 0x1p-11f), 0x3c00); /* a tie goes to even */
  assert_int_equal(dnn_bits_f16(1.0f + 3 * 0x1p-11f), 0x3c02);
  assert_int_equal(dnn_bits_f16(0x1p-25f), 0);
  assert_int_equal(dnn_bits_f16(0x1.8p-25f), 1);
}
static void test_parts(void **state) {
  (void)state;
  for (int64_t n = 1; n <= 7; n++)
    for (int64_t count = 0; count < 20; count++) {
      assert_int_equal(dnn_part(count, 0, n), 0);
      assert_int_equal(dnn_part(count, n, n), count);
      for (int64_t t = 0; t < n; t++) {
        int64_t part = dnn_part(count, t + 1, n) - dnn_part(count, t, n);
        assert_true(part == count / n || part == count / n + 1);
      }
    }
}
static void test_check(void **state) {
  (void)state;
  DnnTeam team = {.n = 1};
  assert_int_equal(dnn_check(&team, 3, 5, 9), 3);
  assert_int_equal(team.error_site, 0);
  assert_int_equal(dnn_check(&team, 7, 5, 9), 4);
  assert_int_equal(dnn_check(&team, -2, 5, 10), 0);
  assert_int_equal(dnn_check(&team, 0, 0, 10), -1);
  assert_int_equal(dnn_check(&team, -2, 0, 10), -1);
  assert_int_equal(team.error_site, 9); /* the first stays */
  assert_int_equal(team.error_value[0], 7);
  assert_int_equal(team.error_value[1], 5);
}
static void test_exp_below_0(void **state) {
  (void)state;
  for (uint64_t u = 0x80000000u; u < UINT64_C(1) << 32; u += 997) {
    const float x = dnn_float((uint32_t)u), y = dnn_exp_f32(x);
    if (x == x) assert_int_equal(dnn_word(dnn_exp_below_0_f32(x)), dnn_word(y));
    else assert_true(dnn_exp_below_0_f32(x) != dnn_exp_below_0_f32(x));
  }
  assert_true(dnn_exp_below_0_f32(0.0f) == 1.0f);
  assert_true(dnn_exp_below_0_f32(NAN) != dnn_exp_below_0_f32(NAN));
}
static void test_gelu(void **state) {
  (void)state;
  for (uint64_t u = 0; u < UINT64_C(1) << 32; u += 1009) {
    const float x = dnn_float((uint32_t)u);
    if (!(fabsf(x) < 1e30f)) continue;
    const float y = dnn_gelu_f32(x);
    const double want = gelu_ref((double)x), ulp = ulp_error(y, want, true).ulp;
    if (x > 0) assert_true(ulp <= GELU_RIGHT_BOUND);
    if (x < 0 && x > -1) assert_true(ulp <= GELU_LEFT_BOUND);
    if (x < 0) assert_true(fabs((double)y - want) <= GELU_ABSOLUTE_BOUND);
  }
  assert_true(dnn_gelu_f32(0) == 0 && dnn_gelu_f32(INFINITY) == INFINITY);
  assert_true(dnn_gelu_f32(-6) == 0 && dnn_gelu_f32(-1e30f) == 0 && dnn_gelu_f32(1e30f) == 1e30f);
  assert_true(isnan(dnn_gelu_f32(NAN)) && isnan(dnn_gelu_f32(-NAN)));
}
/* Quotients by shared divisors are as near as quotients are, down to the smallest: by divisors from 2^-20 to 2^64, by
 * those near 1, and, less so, by the others from 2^-100 to 2^100. */
static void test_over(void **state) {
  (void)state;
  for (uint64_t k = 0; k < 6000000; k++) {
    const uint64_t r = pair_random(k);
    static const uint32_t least[] = {127, 107, 27}, octaves[] = {1, 84, 200};
    const uint32_t bits = (least[k % 3] << 23) + (uint32_t)(r % (octaves[k % 3] << 23));
    const float d = dnn_float(bits), x = dnn_float((uint32_t)(r >> 32) % 0x7f800000u), y = dnn_over_f32(x, d);
    const double want = (double)x / (double)d;
    const double bound = want < 0x1p-100 ? 2.0 : d >= 0x1p-20f && d <= 0x1p64f ? 0.500001 : 1.5;
    if (want < 0x1p127) assert_true(ulp_error(y, want, true).ulp <= bound);
    else assert_true(y > 0x1p126f); /* not NaN */
    assert_true(dnn_over_f32(x * 0x1p-50f * d, d) == x * 0x1p-50f || (x * 0x1p-50f * d) / d != x * 0x1p-50f);
  }
  assert_true(dnn_over_f32(0, 3) == 0 && dnn_over_f32(1, 1) == 1 && dnn_over_f32(3, 3) == 1);
  assert_true(isnan(dnn_over_f32(NAN, 2)) && isnan(dnn_over_f32(1, NAN)));
  static const float divisors[] = {0, 0x1p-75f, 1e-10f, 0x1p-20f, 0.25f, 1,       1.5f,
                                   3, 255,      1e10f,  0x1p64f,  1e25f, INFINITY};
  static const float xs[] = {0, 1, -1, 1e-30f, -7e20f, INFINITY, -INFINITY};
  for (size_t i = 0; i < sizeof divisors / sizeof *divisors; i++)
    for (size_t k = 0; k < sizeof xs / sizeof *xs; k++) {
      const float y = dnn_over_f32(xs[k], divisors[i]), want = xs[k] / divisors[i];
      if (isnan(want)) assert_true(isnan(y));
      else if (isinf(want) || want == 0) assert_true(y == want);
      else assert_true(fabsf(y - want) <= fabsf(want) * 0x1p-22f);
    }
}
/* Every alignment of both sides: what is copied, and nothing beside it. */
static void test_stream(void **state) {
  (void)state;
  enum { MOST = 400 };
  static unsigned char from[MOST], to[MOST];
  for (int i = 0; i < MOST; i++) from[i] = (unsigned char)(1 + i % 250);
  for (int f = 0; f < 64; f += 4)
    for (int t = 0; t < 64; t += 4)
      for (int bytes = 0; bytes <= 260; bytes += 4) {
        memset(to, 0, MOST);
        dnn_stream(to + t, from + f, bytes);
        dnn_stream_end();
        for (int i = 0; i < MOST; i++) assert_int_equal(to[i], i >= t && i < t + bytes ? from[f + i - t] : 0);
        if (bytes % 64) continue;
        memset(to, 0, MOST);
        for (int at = 0; at < bytes; at += 64) dnn_stream_lines(to + t + at, from + f + at, 64);
        dnn_stream_end();
        for (int i = 0; i < MOST; i++) assert_int_equal(to[i], i >= t && i < t + bytes ? from[f + i - t] : 0);
      }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_errors),      cmocka_unit_test(test_pow),      cmocka_unit_test(test_special),
      cmocka_unit_test(test_masked),      cmocka_unit_test(test_integers), cmocka_unit_test(test_halves),
      cmocka_unit_test(test_parts),       cmocka_unit_test(test_check),    cmocka_unit_test(test_stream),
      cmocka_unit_test(test_exp_below_0), cmocka_unit_test(test_gelu),     cmocka_unit_test(test_over)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
