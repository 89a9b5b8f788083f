/* Golden numbers: every tests/golden/NAME.txt (made by PyTorch, see golden.py) against the front end and the reference
 * evaluator; compiled code is held against the same numbers by `build/tests/golden`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/ds.h"
#include "tests/lib/golden.h"

static void one(void **state) {
  Arena *a = arena_new();
  Buf why = {0};
  int compared = 0;
  if (!golden_check(a, *state, false, &compared, &why)) fail_msg("%s", why.s);
  arena_free(a);
}

int main(void) {
  Arena *a = arena_new();
  char **files = golden_files(a);
  int n = (int)arrlen(files);
  struct CMUnitTest *tests = arena_array(a, struct CMUnitTest, n + 1);
  for (int i = 0; i < n; i++) tests[i] = (struct CMUnitTest){files[i], one, NULL, NULL, files[i]};
  return _cmocka_run_group_tests("golden", tests, (size_t)n, NULL, NULL);
}
