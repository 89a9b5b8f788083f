/* frontend/lex: tokens, numbers, newlines, brackets, comments. */
#include "frontend/lex.h"
#include "base/buf.h"
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

/* The kinds of the tokens as text, ends of statements as "|". */
static void expect_tokens(const char *text, const char *want) {
  Arena *a = arena_new();
  Diag *d = diag_new(a);
  uint32_t f = diag_add_source(d, "x.dnn", text, strlen(text), 0);
  Lexed l = lex_source(a, d, f, 0, (uint32_t)strlen(text), false);
  Buf b = {0};
  buf_bytes(&b, "", 0);
  for (uint32_t i = 0; i + 1 < l.n_tokens; i++) {
    const Token *t = &l.tokens[i];
    if (i) buf_char(&b, ' ');
    if (t->kind == T_END) buf_char(&b, '|');
    else if (t->kind == T_INT) buf_printf(&b, "%lld", (long long)t->i);
    else if (t->kind == T_FLOAT) buf_printf(&b, "%gf", t->f);
    else buf_bytes(&b, text + t->begin, t->end - t->begin);
  }
  assert_int_equal(l.tokens[l.n_tokens - 1].kind, T_EOF);
  assert_int_equal(diag_errors(d), 0);
  assert_string_equal(b.s, want);
  buf_free(&b);
  arena_free(a);
}

static void numbers(void **state) {
  expect_tokens("0 12 0x1F 0XfF 9223372036854775807", "0 12 31 255 9223372036854775807 |");
  expect_tokens("0.5 1e3 1e-3 1.5E+2 2e1", "0.5f 1000f 0.001f 150f 20f |");
  expect_tokens("1e-400", "0f |");
  expect_tokens("0..3 1..n", "0 .. 3 1 .. n |");
  expect_tokens("x.y[1:2]", "x . y [ 1 : 2 ] |");
}

static void signs(void **state) {
  expect_tokens("a**b*c//d/e", "a ** b * c // d / e |");
  expect_tokens("a<=b<c==d->e-=f", "a <= b < c == d -> e -= f |");
  expect_tokens("......x", "... ... x |");
}

static void newlines_end_statements(void **state) {
  expect_tokens("a\nb\n\n\nc", "a | b | c |");
  expect_tokens("a; b;\nc", "a | b | c |");
  expect_tokens("\n\n# c\na", "a |");
  expect_tokens("a =\n1\nb", "a = 1 | b |");
  expect_tokens("f(a\nb)[c\nd]\ne", "f ( a b ) [ c d ] | e |");
  expect_tokens("f(fn() {\na\nb\n})\nc", "f ( fn ( ) { a | b | } ) | c |");
  const char *binary[] = {
      "+", "-", "*", "/", "//", "%", "@", "**", "==", "<=", "and", "or", "not", ",", "->", "..", "with"};
  for (size_t i = 0; i < sizeof binary / sizeof *binary; i++) {
    char text[64], want[64];
    snprintf(text, sizeof text, "a %s  # why\n\n b\nc", binary[i]);
    snprintf(want, sizeof want, "a %s b | c |", binary[i]);
    expect_tokens(text, want);
  }
}

static void words_that_go_on(void **state) {
  expect_tokens("} \n # c\n else {}", "} else { } |");
  expect_tokens("f()\n  -> int", "f ( ) -> int |");
  expect_tokens("a\nelsewhere", "a | elsewhere |");
  expect_tokens("a\npad b\npack c\nbackward", "a pad b pack c backward |");
  expect_tokens("{\na\npad\n}", "{ a | pad | } |"); /* outside of braces only */
  expect_tokens("a\npadding", "a | padding |");
}

static void strings_are_one_token(void **state) {
  expect_tokens("\"a b\" \"{f(\"x\")} }}\" \"\\\"\"", "\"a b\" \"{f(\"x\")} }}\" \"\\\"\" |");
  expect_tokens("\"{{\" \"# no\" a", "\"{{\" \"# no\" a |");
}

static void comments_are_kept(void **state) {
  const char *text = "# one  \n## two\na # three\n";
  Arena *a = arena_new();
  Diag *d = diag_new(a);
  Lexed l = lex_source(a, d, diag_add_source(d, "x.dnn", text, strlen(text), 0), 0, (uint32_t)strlen(text), false);
  assert_int_equal(l.n_comments, 3);
  assert_int_equal(l.comments[0].end, 5);
  assert_true(l.comments[0].own_line && !l.comments[0].doc);
  assert_true(l.comments[1].own_line && l.comments[1].doc);
  assert_true(!l.comments[2].own_line && !l.comments[2].doc);
  arena_free(a);
}

/* A forgotten bracket costs one item, not the rest of the file. */
static void brackets_start_again_at_items(void **state) {
  expect_tokens("a(\nconst b", "a ( | const b |");
  expect_tokens("f(a,\nconst_b\n)", "f ( a , const_b ) |");
  expect_tokens("f(\ntrain = 3)", "f ( train = 3 ) |");
  expect_tokens("fn f() {\nfn g", "fn f ( ) { | fn g |");
  expect_tokens("module M() {\nfn g\n}", "module M ( ) { fn g | } |");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(numbers),
      cmocka_unit_test(signs),
      cmocka_unit_test(newlines_end_statements),
      cmocka_unit_test(words_that_go_on),
      cmocka_unit_test(strings_are_one_token),
      cmocka_unit_test(comments_are_kept),
      cmocka_unit_test(brackets_start_again_at_items),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
