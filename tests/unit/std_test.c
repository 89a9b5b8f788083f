/* The embedded standard library: every file is there, whole. */
#include "frontend/std.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void every_namespace_is_embedded(void **state) {
  (void)state;
  const char *names[] = {"prelude", "nn", "init", "loss", "optim", "metric", "tree", "sample", "augment", "plot"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    size_t n = 0;
    const char *text = std_source(names[i], &n);
    assert_non_null(text);
    assert_true(n > 100);
    assert_int_equal(strlen(text), n);
    assert_true(!strncmp(text, "##", 2));
    assert_int_equal(text[n - 1], '\n');
  }
}

static void an_unknown_namespace_is_null(void **state) {
  (void)state;
  assert_null(std_source("nnn", NULL));
  assert_null(std_source("", NULL));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_namespace_is_embedded),
                                     cmocka_unit_test(an_unknown_namespace_is_null)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
