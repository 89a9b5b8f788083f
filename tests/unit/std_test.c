/* The embedded standard library: every file is there, whole, and its outline is what the parser finds. */
#include "frontend/ast.h"
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

static void outlines_are_the_parsers(void **state) {
  (void)state;
  Arena *a = arena_new();
  for (int i = 0; i < std_count; i++) {
    Diag *d = diag_new(a);
    uint32_t source = diag_add_source(d, std_files[i].name, std_files[i].text, std_files[i].size, 1);
    AstFile *whole = parse_file(a, d, source), *outline = parse_outline(a, d, source);
    assert_int_equal(outline->n_items, whole->n_items);
    for (int k = 0; k < whole->n_items; k++) {
      AstItem *x = outline->items[k], *y = whole->items[k];
      assert_int_equal(x->kind, y->kind);
      assert_ptr_equal(x->name.name, y->name.name);
      assert_int_equal(x->outline, y->kind != AI_USE);
      parse_rest(a, d, x);
      assert_false(x->outline);
      assert_int_equal(x->loc.begin, y->loc.begin);
      assert_int_equal(x->loc.end, y->loc.end);
      assert_int_equal(x->n_params + x->n_members, y->n_params + y->n_members);
    }
    assert_int_equal(diag_errors(d), 0);
  }
  arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_namespace_is_embedded),
                                     cmocka_unit_test(an_unknown_namespace_is_null),
                                     cmocka_unit_test(outlines_are_the_parsers)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
