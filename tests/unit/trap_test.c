/* base/trap and the heaps of base/ds: what lets a process go on after a defect or without memory, and frees what the
 * compiler does not. */
#include "base/arena.h"
#include "base/diag.h"
#include "base/ds.h"
#include "base/trap.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void defects_come_back(void **state) {
  Trap trap;
  volatile int reached = 0;
  assert_false(trap_is_set());
  if (setjmp(*trap_set(&trap))) {
    reached++;
  } else {
    assert_true(trap_is_set());
    INTERNAL("the answer is %d", 42);
  }
  trap_end(&trap);
  assert_int_equal(reached, 1);
  assert_non_null(strstr(trap.text, "trap_test.c:"));
  assert_non_null(strstr(trap.text, "the answer is 42\nThis is a defect of dnnc"));
  assert_false(trap_is_set());
}

static void memory_that_is_not_there(void **state) {
  Trap outer, inner;
  Arena *a = arena_new();
  volatile int inside = 0, outside = 0;
  if (setjmp(*trap_set(&outer))) {
    outside++;
  } else {
    if (setjmp(*trap_set(&inner))) inside++;
    else arena_alloc(a, SIZE_MAX);
    trap_end(&inner);
    ds_realloc(NULL, SIZE_MAX);
  }
  trap_end(&outer);
  assert_int_equal(inside, 1);
  assert_int_equal(outside, 1);
  assert_string_equal(inner.text, "out of memory");
  assert_string_equal(outer.text, "out of memory");
  arena_free(a);
}

static void zeros(void **state) {
  Trap trap;
  volatile size_t most = SIZE_MAX / 4;
  volatile int told = 0;
  unsigned char *none = zeroed(0, 1), *three = zeroed(3, 1);
  assert_non_null(none);
  for (int i = 0; i < 4; i++) assert_int_equal(three[i], 0);
  free(none), free(three);
  if (setjmp(*trap_set(&trap))) told++;
  else free(zeroed(most, 8));
  trap_end(&trap);
  assert_int_equal(told, 1);
  assert_string_equal(trap.text, "out of memory");
}

static int rising(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

static void sorting(void **state) {
  int *x = NULL;
  arrsort(x, rising);
  assert_null(x);
  arrput(x, 3), arrput(x, 1), arrput(x, 2);
  arrsort(x, rising);
  for (int i = 0; i < 3; i++) assert_int_equal(x[i], i + 1);
  arrfree(x);
}

static int blocks(const DsHeap *h) { return h->first != NULL; }

static void heaps(void **state) {
  DsHeap one = {0}, two = {0};
  int *plain = NULL, *x = NULL, *y = NULL;
  struct {
    char *key;
    int value;
  } *names = NULL;
  arrput(plain, 1);
  assert_null(ds_heap_use(&one));
  arrput(x, 1);
  sh_new_arena(names);
  for (int i = 0; i < 1000; i++) {
    char key[16];
    snprintf(key, sizeof key, "k%d", i);
    shput(names, key, i);
  }
  const char *name = intern("a name that nobody else has");
  assert_ptr_equal(ds_heap_use(&two), &one);
  arrput(y, 2);
  for (int i = 0; i < 1000; i++) arrput(x, i); /* grows where it was made */
  for (int i = 0; i < 1000; i++) arrput(plain, i);
  assert_int_equal(shget(names, "k999"), 999);
  arrfree(y);
  assert_false(blocks(&two));
  assert_true(blocks(&one));
  assert_ptr_equal(ds_heap_use(NULL), &two);
  ds_heap_free(&one);
  assert_false(blocks(&one));
  assert_int_equal(arrlen(plain), 1001);
  assert_int_equal(plain[1000], 999);
  arrfree(plain);
  assert_ptr_equal(intern("a name that nobody else has"), name); /* names outlive every heap */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(defects_come_back),
      cmocka_unit_test(memory_that_is_not_there),
      cmocka_unit_test(zeros),
      cmocka_unit_test(sorting),
      cmocka_unit_test(heaps),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
