#include "runtime_files.h"
#include "runtime/core/data_set.h"
#include "runtime/core/random.h"
#include "runtime/core/xxh64.h"
#include <math.h>

/* SplitMix64 from state 0: the generator's published sequence. */
static void known_values(void **state) {
  (void)state;
  assert_true(dnn_mix64(0, 0) == 0xe220a8397b1dcdafu);
  assert_true(dnn_mix64(0, 1) == 0x6e789e6aa1b965f4u);
  assert_true(dnn_mix64(0, 2) == 0x06c45d188009454fu);
  assert_true(dnn_call_key(1, 2, 3) != dnn_call_key(1, 3, 2));
  assert_true(dnn_call_key(1, 2, 3) != dnn_call_key(2, 2, 3));
}

static void even(void **state) {
  (void)state;
  double sum = 0, squares = 0, follow = 0, last = 0;
  int n = 200000, cells[16] = {0};
  for (int i = 0; i < n; i++) {
    double u = dnn_uniform_f64(dnn_call_key(7, 0, 0), 99, i);
    assert_true(u >= 0 && u < 1);
    cells[(int)(u * 16)]++;
    sum += u, squares += u * u, follow += (u - 0.5) * (last - 0.5), last = u;
  }
  assert_true(fabs(sum / n - 0.5) < 0.003);
  assert_true(fabs(squares / n - 1.0 / 3) < 0.003);
  assert_true(fabs(follow / n) < 0.001);
  for (int i = 0; i < 16; i++) assert_true(abs(cells[i] - n / 16) < 500);
}

static void shuffled(void **state) {
  (void)state;
  int64_t a[100], b[100], count[100] = {0};
  for (int i = 0; i < 100; i++) a[i] = b[i] = i;
  dnn_shuffle(a, 100, 5);
  dnn_shuffle(b, 100, 5);
  assert_memory_equal(a, b, sizeof a);
  dnn_shuffle(b, 100, 6);
  assert_memory_not_equal(a, b, sizeof a);
  for (int i = 0; i < 100; i++) count[a[i]]++;
  for (int i = 0; i < 100; i++) assert_int_equal(count[i], 1);
}

/* Values of the reference implementation (xxhsum -H1). */
static void xxh64(void **state) {
  (void)state;
  assert_true(dnn_xxh64("", 0, 0) == 0xef46db3751d8e999u);
  assert_true(dnn_xxh64("a", 1, 0) == 0xd24ec4f1a98c6e5bu);
  assert_true(dnn_xxh64("abc", 3, 0) == 0x44bc2cf5ad770999u);
  assert_true(dnn_xxh64("Nobody inspects the spammish repetition", 39, 0) == 0xfbcea83c8a378bf1u);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(known_values), cmocka_unit_test(even), cmocka_unit_test(shuffled),
                                     cmocka_unit_test(xxh64)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
