#include "runtime_files.h"
#include "runtime/core/draw.h"
#include <math.h>
#include <time.h>

static void digits(void **state) {
  (void)state;
  int seen[10] = {0}, ink = 0, again = 0;
  uint8_t image[784], other[784], label, label2;
  for (int i = 0; i < 3000; i++) {
    dnn_draw_digit(0, i, image, &label);
    assert_true(label < 10);
    seen[label]++;
    int dark = 0;
    for (int k = 0; k < 784; k++) dark += image[k] > 100;
    assert_true(dark > 5 && dark < 450);
    ink += dark;
    dnn_draw_digit(i % 2, i, other, &label2);
    again += !memcmp(image, other, 784) && label == label2;
  }
  assert_int_equal(again, 1500); /* the same record again, and never a training digit in the test set */
  for (int d = 0; d < 10; d++) assert_true(seen[d] > 230 && seen[d] < 370);
  assert_true(ink / 3000 > 50 && ink / 3000 < 160);
}

/* A nearest-mean classifier sees something, but far from everything. */
static void digits_are_no_gift(void **state) {
  (void)state;
  static double mean[10][784];
  int n[10] = {0}, right = 0;
  uint8_t image[784], label;
  for (int i = 0; i < 2000; i++) {
    dnn_draw_digit(0, i, image, &label);
    n[label]++;
    for (int k = 0; k < 784; k++) mean[label][k] += image[k];
  }
  for (int i = 0; i < 500; i++) {
    dnn_draw_digit(1, i, image, &label);
    int best = 0;
    double least = 1e300;
    for (int d = 0; d < 10; d++) {
      double s = 0;
      for (int k = 0; k < 784; k++) s += (image[k] - mean[d][k] / n[d]) * (image[k] - mean[d][k] / n[d]);
      if (s < least) least = s, best = d;
    }
    right += best == label;
  }
  assert_true(right > 200 && right < 425);
}

static void fast(void **state) {
  (void)state;
  uint8_t image[784], label;
  clock_t t = clock();
  for (int i = 0; i < 6000; i++) dnn_draw_digit(0, i, image, &label);
  assert_true((double)(clock() - t) / CLOCKS_PER_SEC < 3); /* 60,000 in 3 s when optimised; this runs anyhow compiled */
}

static void curves(void **state) {
  (void)state;
  float p[2], x, y;
  uint8_t label;
  int ones = 0;
  for (int i = 0; i < 500; i++) {
    dnn_draw_spiral(i, 0, p, &label);
    ones += label;
    double r = hypot(p[0], p[1]), turn = atan2(p[1], p[0]) - 9.42477796 * r - 3.14159265 * label;
    assert_true(r > 0.09 && r <= 1.001);
    assert_true(cos(turn) > 0.9999);
    dnn_draw_sine(i, 0, &x, &y);
    assert_true(fabs(y - sin(x)) < 1e-6 && fabs(x) <= 3.1416);
  }
  assert_int_equal(ones, 250);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(digits), cmocka_unit_test(digits_are_no_gift),
                                     cmocka_unit_test(fast), cmocka_unit_test(curves)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
