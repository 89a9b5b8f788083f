/* Programs that are nothing but openings, thousands deep, end with an error. Damaged programs are those of
 * tests/fuzz/frontend.c. */
#include "syntax_files.h"
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static void nests(void **state) {
  static const char *const openers[] = {
      "(", "[",   "f(",    "x[",      "-",      "not ",       "fn() {", "if x {",       "if ", "(x, ",
      "{", "\"{", "x ** ", "[x for ", "f(a = ", "scan x in ", "f32[",   "module M() {", "1 + "};
  for (size_t k = 0; k < sizeof openers / sizeof *openers; k++) {
    static const char *const begins[] = {"const a = ", "fn f() {", "train {", "", "type T = ", "fn f("};
    for (size_t j = 0; j < sizeof begins / sizeof *begins; j++) {
      Buf b = {0};
      buf_str(&b, begins[j]);
      for (int i = 0; i < 20000; i++) buf_str(&b, openers[k]);
      Syntax s = syntax_of(b.s, b.n);
      assert_true(diag_errors(s.diag) > 0);
      arena_free(s.arena);
      buf_free(&b);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(nests)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
