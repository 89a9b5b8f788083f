/* frontend/fmt: the expected layouts of tests/fmt; what is laid out stays; the tree is kept. */
#include "syntax_files.h"
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static void one_layout(const char *path, const Buf *text) {
  Buf want = file_beside(path, ".expect");
  char *got = fmt_of(text->s, text->n);
  assert_non_null(got);
  if (strcmp(got, want.s)) print_message("%s\n", path);
  assert_string_equal(got, want.s);
  free(got);
  buf_free(&want);
}

static void layouts(void **state) { assert_true(each_file("fmt/*.dnn", one_layout) >= 4); }

static void one_fixed(const char *path, const Buf *text) {
  char *got = fmt_of(text->s, text->n);
  assert_non_null(got);
  if (strcmp(got, text->s)) print_message("%s\n", path);
  assert_string_equal(got, text->s);
  free(got);
}

static void laid_out_stays(void **state) {
  assert_true(each_file("parse/*.dnn", one_fixed) >= 10);
  assert_int_equal(each_file("programs/*.dnn", one_fixed), 19);
  assert_true(each_file("fmt/*.expect", one_fixed) >= 4);
}

static void one_round_trip(const char *path, const Buf *text) {
  char *once = fmt_of(text->s, text->n);
  assert_non_null(once);
  char *twice = fmt_of(once, strlen(once));
  assert_string_equal(once, twice);
  char *before = dump_of(text->s, text->n), *after = dump_of(once, strlen(once));
  assert_string_equal(before, after);
  free(once), free(twice), free(before), free(after);
}

static void tree_is_kept(void **state) {
  each_file("fmt/*.dnn", one_round_trip);
  each_file("programs/*.dnn", one_round_trip);
  each_file("../std/*.dnn", one_round_trip);
  each_file("../models/*/*.dnn", one_round_trip);
}

/* The same programs with their layout destroyed: every blank doubled, every line indented at random, statements kept.
 */
static void one_messy(const char *path, const Buf *text) {
  Buf messy = {0};
  bool in_string = false, in_comment = false;
  uint32_t seed = 1;
  for (size_t i = 0; i < text->n; i++) {
    char c = text->s[i];
    buf_char(&messy, c);
    if (c == '"' && !in_comment && (i == 0 || text->s[i - 1] != '\\')) in_string = !in_string;
    if (c == '#' && !in_string) in_comment = true;
    if (c == '\n') in_comment = in_string = false;
    if (in_string || in_comment) continue;
    seed = seed * 1664525u + 1013904223u;
    if (c == ' ' || c == ',') buf_fill(&messy, ' ', (int)(seed >> 30));
    if (c == '\n' && text->s[i + 1] != '#') buf_fill(&messy, ' ', 1 + (int)(seed >> 28));
  }
  char *got = fmt_of(messy.s, messy.n);
  assert_non_null(got);
  char *before = dump_of(text->s, text->n), *after = dump_of(got, strlen(got));
  assert_string_equal(before, after);
  if (strcmp(got, text->s)) print_message("%s\n", path);
  assert_string_equal(got, text->s); /* and the layout is found again */
  free(got), free(before), free(after);
  buf_free(&messy);
}

static void layout_is_found_again(void **state) { assert_int_equal(each_file("programs/*.dnn", one_messy), 19); }

static void lines_fit(const char *path, const Buf *text) {
  char *got = fmt_of(text->s, text->n);
  for (char *line = got, *end; *line; line = end + 1) {
    end = strchr(line, '\n');
    assert_true(end > line ? end[-1] != ' ' : true);
    char *hash = memchr(line, '#', (size_t)(end - line));
    int bytes = (int)((hash ? hash : end) - line);
    if (bytes > 125 && !memchr(line, '"', (size_t)bytes)) fail_msg("%s: %.*s", path, bytes, line);
  }
  free(got);
}

static void no_line_is_too_long(void **state) {
  each_file("fmt/*.dnn", lines_fit);
  each_file("programs/*.dnn", lines_fit);
}

static void broken_text_is_refused(void **state) {
  assert_null(fmt_of("const a = (", 11));
  assert_null(fmt_of("\xff", 1));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(layouts),
      cmocka_unit_test(laid_out_stays),
      cmocka_unit_test(tree_is_kept),
      cmocka_unit_test(layout_is_found_again),
      cmocka_unit_test(no_line_is_too_long),
      cmocka_unit_test(broken_text_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
