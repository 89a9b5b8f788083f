/* Numbers as text without stdio, as freestanding programs show them, against printf. */
#define DNN_FREESTANDING
#include "runtime/core/show.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* after the others */
#include <cmocka.h>
#include <math.h>
#include <stdio.h>

static void same(double v, int digits) {
  char want[64], got[64];
  snprintf(want, sizeof want, "%.*g", digits, v);
  dnn_show_float(got, sizeof got, digits, v);
  if (strcmp(want, v != v ? (strcpy(want, "nan"), got) : got))
    fail_msg("%a with %d digits: `%s`, not `%s`", v, digits, got, want);
}

static void test_floats(void **state) {
  (void)state;
  static const double some[] = {0,        1,      -1,     10,   0.1,    9.9999949, 9.9999951, 999999.4,
                                999999.6, 1e6,    123456, 1e-4, 9.9e-5, 1.5e-5,    1e22,      1e100,
                                1e-300,   5e-324, 1e308,  0.5,  1.25,   100};
  for (size_t i = 0; i < sizeof some / sizeof *some; i++)
    for (int digits = 3; digits <= 9; digits += 3) same(some[i], digits), same(-some[i], digits);
  same((double)NAN, 6), same((double)INFINITY, 6), same(-(double)INFINITY, 6);
  srand(1);
  for (int i = 0; i < 100000; i++) {
    double v = ldexp(rand() / (double)RAND_MAX - 0.5, rand() % 200 - 100);
    same(v, 6), same((double)(float)v, 3);
  }
}

static void test_texts(void **state) {
  (void)state;
  char s[16];
  DnnShow b = {s, sizeof s, 0};
  dnn_show_int(&b, INT64_MIN);
  assert_string_equal(s, "-92233720368...");
  b.used = 0;
  dnn_show_int(&b, -70);
  dnn_show_text(&b, ", ");
  dnn_show_int(&b, INT32_MAX);
  assert_string_equal(s, "-70, 2147483647");
  dnn_show_text(&b, "");
  assert_string_equal(s, "-70, 2147483647");
  b.used = 0;
  dnn_show_value(&b, (const uint8_t[]){1, 0}, 8, 1, (const int64_t[]){2});
  assert_string_equal(s, "[true, false]");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_floats), cmocka_unit_test(test_texts)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
