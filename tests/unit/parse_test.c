/* frontend/parse: trees of tests/parse, errors of tests/errors that are purely syntactic, the programs, places. */
#include "syntax_files.h"
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static void one_tree(const char *path, const Buf *text) {
  Buf want = file_beside(path, ".ast");
  char *got = dump_of(text->s, text->n);
  assert_non_null(got);
  if (strcmp(got, want.s)) print_message("%s\n", path);
  assert_string_equal(got, want.s);
  free(got);
  buf_free(&want);
}

static void trees(void **state) { assert_true(each_file("parse/*.dnn", one_tree) >= 10); }

static void one_program(const char *path, const Buf *text) {
  char *got = dump_of(text->s, text->n);
  if (!got) print_message("%s\n", path);
  assert_non_null(got);
  free(got);
}

static void programs(void **state) {
  assert_int_equal(each_file("programs/*.dnn", one_program), 19);
  each_file("../std/*.dnn", one_program);
}

static void expect_loc(const char *text, Loc loc, const char *want) {
  assert_int_equal(loc.end - loc.begin, strlen(want));
  assert_memory_equal(text + loc.begin, want, strlen(want));
}

static void places(void **state) {
  const char *text = "const a: int = (x + y) * f(1, k = 2)[3].name  # c\n";
  Syntax s = syntax_of(text, strlen(text));
  const AstItem *c = s.file->items[0];
  expect_loc(text, c->loc, "const a: int = (x + y) * f(1, k = 2)[3].name");
  expect_loc(text, c->name.loc, "a");
  expect_loc(text, c->type->loc, "int");
  const AstExpr *e = c->value;
  expect_loc(text, e->loc, "(x + y) * f(1, k = 2)[3].name");
  expect_loc(text, e->op, "*");
  expect_loc(text, e->binary.a->loc, "x + y");
  const AstExpr *field = e->binary.b;
  expect_loc(text, field->loc, "f(1, k = 2)[3].name");
  expect_loc(text, field->op, "name");
  const AstExpr *index = field->field.base;
  expect_loc(text, index->op, "[3]");
  const AstExpr *call = index->index.base;
  expect_loc(text, call->op, "(1, k = 2)");
  expect_loc(text, call->call.args[1].name.loc, "k");
  assert_ptr_equal(call->call.args[1].name.name, intern("k"));
  arena_free(s.arena);
}

static void places_in_strings_and_statements(void **state) {
  const char *text = "step s(x) {\n  report \"a {x + 1} b\" = l\n  update net.w by r on l + 1\n}\n";
  Syntax s = syntax_of(text, strlen(text));
  const AstBlock *b = &s.file->items[0]->fn->body;
  assert_int_equal(b->n, 2);
  expect_loc(text, b->stmts[0]->reports[0].text->string.parts[1].expr->loc, "x + 1");
  expect_loc(text, b->stmts[1]->loc, "update net.w by r on l + 1");
  expect_loc(text, b->stmts[1]->places[0]->loc, "net.w");
  expect_loc(text, b->stmts[1]->value->op, "+");
  arena_free(s.arena);
}

/* After a mistake the rest is still there. */
static void recovery(void **state) {
  const char *text =
      "const a = )\nconst b = 1\nfn f(x) {\n  let y = \n  let z = ]\n  z\n}\nmodule M() {\n  a = 1 2\n  b = 3\n}\n";
  Syntax s = syntax_of(text, strlen(text));
  assert_int_equal(diag_errors(s.diag), 3); /* `=` goes on over the newline: the two `let` are one mistake */
  assert_int_equal(s.file->n_items, 3);
  assert_int_equal(s.file->items[1]->fn->body.n, 1);
  assert_int_equal(s.file->items[2]->n_members, 1);
  arena_free(s.arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(trees),    cmocka_unit_test(programs),
      cmocka_unit_test(places),   cmocka_unit_test(places_in_strings_and_statements),
      cmocka_unit_test(recovery),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
