/* The vector maths of emitted programs against libm's double functions, and the integer helpers of kernel.h. */
#include "runtime/core/kernel.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* The largest error in units of the last place over every `step`-th float whose result is a normal number; results that
 * are not must agree up to the smallest number. */
static double worst(float (*f)(float), double (*ref)(double), double least) {
  double most = 0;
  for (uint64_t u = 0; u < UINT64_C(1) << 32; u += 997) {
    float x = dnn_float((uint32_t)u), y = f(x);
    double want = ref((double)x);
    if (want != want) {
      if (y == y) fail_msg("%.9g is not a NaN at %.9g", (double)y, (double)x);
      continue;
    }
    if (fabs(want) > 3.4028235677973366e38 || isinf((double)x)) {
      if ((double)y != (want > 3.4e38 ? INFINITY : want < -3.4e38 ? -INFINITY : want))
        fail_msg("%.9g at %.9g", (double)y, (double)x);
      continue;
    }
    double size = fabs(want) < least ? least : fabs(want);
    double ulp = ldexp(1, ilogb(size) - 23), e = fabs((double)y - want) / ulp;
    if (e > most) most = e;
  }
  return most;
}
static double sigmoid_ref(double x) { return 1 / (1 + exp(-x)); }

static void test_errors(void **state) {
  (void)state;
  double e = worst(dnn_exp_f32, exp, 0x1p-126), l = worst(dnn_log_f32, log, 0x1p-126);
  double t = worst(dnn_tanh_f32, tanh, 0x1p-126), s = worst(dnn_sigmoid_f32, sigmoid_ref, 0x1p-126);
  print_message("ulp: exp %.2f, log %.2f, tanh %.2f, sigmoid %.2f\n", e, l, t, s);
  assert_true(e <= 1.5);
  assert_true(l <= 1.5);
  assert_true(t <= 6);
  assert_true(s <= 4);
}
static void test_special(void **state) {
  (void)state;
  assert_true(dnn_exp_f32(0) == 1 && dnn_exp_f32(-INFINITY) == 0 && dnn_exp_f32(INFINITY) == INFINITY);
  assert_true(isnan(dnn_exp_f32(NAN)) && isnan(dnn_log_f32(NAN)) && isnan(dnn_tanh_f32(NAN)) &&
              isnan(dnn_sigmoid_f32(NAN)));
  assert_true(dnn_log_f32(0) == -INFINITY && dnn_log_f32(1) == 0 && isnan(dnn_log_f32(-1)));
  assert_true(dnn_log_f32(INFINITY) == INFINITY);
  assert_true(fabsf(dnn_exp_f32(-100) - 3.783506e-44f) < 3e-45f); /* below the normal range */
  assert_true(fabsf(dnn_log_f32(1e-40f) + 92.1034f) < 1e-4f);
  assert_true(dnn_tanh_f32(-20) > -1.0000003f && dnn_tanh_f32(-20) <= -0.9999997f);
  assert_true(dnn_sigmoid_f32(-200) == 0 && dnn_sigmoid_f32(200) == 1);
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

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_errors),   cmocka_unit_test(test_special),
                                     cmocka_unit_test(test_integers), cmocka_unit_test(test_halves),
                                     cmocka_unit_test(test_parts),    cmocka_unit_test(test_check)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
