/* tests/ir/NAME.ir are read, accepted by the verifier and print as they stand; tests/ir/bad/NAME.ir are refused by the
 * parser or the verifier with the text after `; expect: ` in their first line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/ds.h"
#include "ir/ir.h"
#include <glob.h>
#include <stdlib.h>
#include <string.h>

static char *read_text(Arena *a, const char *path) {
  Buf b = {0};
  if (!buf_read_file(&b, path, 1 << 20)) fail_msg("%s cannot be read", path);
  char *s = arena_strdup(a, b.s);
  buf_free(&b);
  return s;
}

static void check_good(const char *path) {
  Arena *a = arena_new();
  char *text = read_text(a, path);
  Buf why = {0}, out = {0}, dot = {0};
  Graph *g = graph_parse(a, dimtab_new(a), NULL, text, &why);
  if (!g || !graph_verify(g, &why)) fail_msg("%s: %s", path, why.s);
  graph_print(g, &out);
  assert_string_equal(out.s, text);
  graph_print_dot(g, &dot);
  assert_non_null(strstr(dot.s, "->"));
  Graph *w = graph_widen(a, g);
  if (!graph_verify(w, &why)) fail_msg("%s widened: %s", path, why.s);
  for (NodeId id = 1; id < (NodeId)arrlen(g->nodes); id++) {
    assert_int_not_equal(node_flops(g, id), DIM_OVERFLOW);
    assert_int_not_equal(node_bytes(g, id), DIM_OVERFLOW);
  }
  buf_free(&why), buf_free(&out), buf_free(&dot);
  arena_free(a);
}

static void check_bad(const char *path) {
  Arena *a = arena_new();
  char *text = read_text(a, path);
  Buf why = {0};
  const char *mark = "; expect: ";
  if (strncmp(text, mark, strlen(mark))) fail_msg("%s: the first line must begin with `%s`", path, mark);
  char *expect = arena_strndup(a, text + strlen(mark), strcspn(text, "\n") - strlen(mark));
  Graph *g = graph_parse(a, dimtab_new(a), NULL, text, &why);
  if (g && graph_verify(g, &why)) fail_msg("%s is accepted", path);
  if (!strstr(why.s, expect)) fail_msg("%s: expected `%s`, got `%s`", path, expect, why.s);
  buf_free(&why);
  arena_free(a);
}

static void each(const char *pattern, size_t at_least, void check(const char *)) {
  glob_t files;
  assert_int_equal(glob(pattern, 0, NULL, &files), 0);
  assert_true(files.gl_pathc >= at_least);
  for (size_t i = 0; i < files.gl_pathc; i++) check(files.gl_pathv[i]);
  globfree(&files);
}

static void test_good(void **state) {
  (void)state;
  each(TEST_ROOT "/tests/ir/*.ir", 10, check_good);
}
static void test_bad(void **state) {
  (void)state;
  each(TEST_ROOT "/tests/ir/bad/*.ir", 30, check_bad);
}

/* Broken graphs that cannot be written as text. */
static void test_order(void **state) {
  (void)state;
  Arena *a = arena_new();
  const char *text = "graph { %1 = input() index=0 : f32[2] %2 = neg(%1) : f32[2] %3 = abs(%2) : f32[2] return %3 }";
  Buf why = {0};
  Graph *g = graph_parse(a, dimtab_new(a), NULL, text, &why);
  assert_non_null(g);
  NodeId later = 3, none = 0;
  g->nodes[2].in = &later;
  assert_false(graph_verify(g, &why));
  assert_non_null(strstr(why.s, "%2 neg: operand 0 is %3, which is not defined before"));
  g->nodes[2].in = &none;
  assert_false(graph_verify(g, NULL));
  NodeId first = 1;
  g->nodes[2].in = &first;
  assert_true(graph_verify(g, NULL));
  g->outputs[0] = 99;
  assert_false(graph_verify(g, &why));
  assert_non_null(strstr(why.s, "output 0 is %99, which does not exist"));
  buf_free(&why);
  arena_free(a);
}

/* Damaged text is refused or accepted, and never harms: a byte changed, a piece cut out or doubled. */
static void damage(const char *path) {
  static uint32_t seed = 1;
  Arena *outer = arena_new();
  char *text = read_text(outer, path);
  size_t n = strlen(text);
  for (int i = 0; i < 300; i++) {
    Arena *a = arena_new();
    Buf b = {0}, why = {0};
    seed = seed * 1664525 + 1013904223;
    size_t at = (seed >> 8) % n, len = seed % 13;
    if (at + len > n) len = n - at;
    buf_bytes(&b, text, at);
    int kind = seed >> 30;
    if (kind == 0) buf_char(&b, " %()[]{}=:;,-019xBf\n"[(seed >> 5) % 20]);
    if (kind == 1) buf_bytes(&b, text + at, len);
    buf_str(&b, text + at + (kind == 0 ? 1 : kind == 1 ? 0 : len));
    Graph *g = graph_parse(a, dimtab_new(a), NULL, b.s, &why);
    if (g && graph_verify(g, &why)) {
      Buf out = {0};
      graph_print(g, &out);
      buf_free(&out);
    } else {
      assert_true(why.n > 0);
    }
    buf_free(&b), buf_free(&why);
    arena_free(a);
  }
  arena_free(outer);
}
static void test_damage(void **state) {
  (void)state;
  each(TEST_ROOT "/tests/ir/*.ir", 10, damage);
}

/* A variable of the table is found again by its name, so that graphs of one table can be compared. */
static void test_same_table(void **state) {
  (void)state;
  Arena *a = arena_new();
  DimTab *t = dimtab_new(a);
  Dim b = dim_var(t, "B", 64);
  Buf why = {0};
  Graph *g = graph_parse(a, t, NULL, "graph (B <= 64, C) { %1 = input() index=0 : f32[B, C] return %1 }", &why);
  assert_non_null(g);
  assert_int_equal(g->input_types[0].shape[0], b);
  assert_int_equal(dim_var_count(t), 2);
  Dim again = dim_var(t, "B", -1); /* another variable of the same name is B'2 in text */
  g->input_types[0] = type_of(a, F32, 1, &again);
  g->nodes[1].type = g->input_types[0];
  Buf out = {0};
  graph_print(g, &out);
  assert_string_equal(out.s, "graph (B'2) {\n  %1 = input() index=0 : f32[B'2]\n  return %1\n}\n");
  Graph *h = graph_parse(a, t, NULL, out.s, &why);
  assert_int_equal(h->input_types[0].shape[0], again);
  buf_free(&out);
  arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_bad),
                                     cmocka_unit_test(test_damage), cmocka_unit_test(test_order),
                                     cmocka_unit_test(test_same_table)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
