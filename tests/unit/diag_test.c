/* base/diag: places, order, repeats, the limit, library places, both printed forms, and the nearest name. */
#include "base/buf.h"
#include "base/diag.h"
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* What a flush writes; the caller frees. */
static char *flushed(Diag *d, int json) {
  char *s = NULL;
  size_t n = 0;
  FILE *f = open_memstream(&s, &n);
  if (json) diag_flush_json(d, f);
  else diag_flush(d, f, 0);
  fclose(f);
  return s;
}

static void prints_line_and_caret(void **state) {
  Arena *a = arena_new();
  Diag *d = diag_new(a);
  const char *text = "let a = 1\nlet \xC3\xA4 = b\tc\n";
  uint32_t f = diag_add_source(d, "m.dnn", text, strlen(text), 0);
  diag_error(d, (Loc){f, 19, 20}, E0001, "no `%s`", "b");
  diag_note(d, (Loc){f, 4, 5}, "here");
  diag_help(d, "write a");
  diag_error(d, (Loc){f, 0, 3}, E0001, "first");
  assert_int_equal(diag_errors(d), 2);
  char *s = flushed(d, 0);
  assert_string_equal(s, "m.dnn:1:1: error: first [E0001]\n"
                         "    1 | let a = 1\n"
                         "      | ^~~\n"
                         "m.dnn:2:9: error: no `b` [E0001]\n"
                         "    2 | let \xC3\xA4 = b c\n"
                         "      |         ^\n"
                         "m.dnn:1:5: note: here\n"
                         "    1 | let a = 1\n"
                         "      |     ^\n"
                         "help: write a\n");
  free(s);
  s = flushed(d, 0); /* printed once only */
  assert_string_equal(s, "");
  free(s);
  arena_free(a);
}

static void repeats_and_limit(void **state) {
  Arena *a = arena_new();
  Diag *d = diag_new(a);
  uint32_t f = diag_add_source(d, "m.dnn", "x\n", 2, 0);
  for (int i = 0; i < 3; i++) diag_error(d, (Loc){f, 0, 1}, E0001, "same");
  for (int i = 0; i < 60; i++) diag_error(d, (Loc){f, 0, 1}, E0001, "number %d", i);
  diag_note(d, (Loc){f, 0, 1}, "lost with its error");
  assert_int_equal(diag_errors(d), 63);
  char *s = flushed(d, 0);
  int same = 0;
  for (char *p = s; (p = strstr(p, "same")); p++) same++;
  assert_int_equal(same, 1);
  assert_non_null(strstr(s, "number 48 "));
  assert_null(strstr(s, "number 49"));
  assert_null(strstr(s, "lost"));
  assert_non_null(strstr(s, "and 11 more errors (--limit errors=N)\n"));
  free(s);
  arena_free(a);
}

static void no_place_and_past_the_end(void **state) {
  Arena *a = arena_new();
  Diag *d = diag_new(a);
  uint32_t f = diag_add_source(d, "m.dnn", "ab", 2, 0);
  diag_error(d, (Loc){0}, E0001, "nowhere");
  diag_error(d, (Loc){f, 900, 901}, E0001, "end");
  char *s = flushed(d, 0);
  assert_string_equal(s, "error: nowhere [E0001]\n"
                         "m.dnn:1:3: error: end [E0001]\n    1 | ab\n      |   ^\n");
  free(s);
  arena_free(a);
}

static void library_errors_show_at_the_call(void **state) {
  Arena *a = arena_new();
  Diag *d = diag_new(a);
  uint32_t lib = diag_add_source(d, "std/nn.dnn", "assert x\n", 9, 1);
  uint32_t user = diag_add_source(d, "m.dnn", "mean(1)\n", 8, 0);
  diag_error(d, (Loc){lib, 7, 8}, E0001, "wrong");
  diag_note(d, (Loc){user, 0, 7}, "called here");
  char *s = flushed(d, 0);
  assert_ptr_equal(strstr(s, "m.dnn:1:1: error: wrong"), s);
  assert_non_null(strstr(s, "std/nn.dnn:1:8: note:"));
  free(s);
  arena_free(a);
}

static void json_lines(void **state) {
  Arena *a = arena_new();
  Diag *d = diag_new(a);
  uint32_t f = diag_add_source(d, "m\".dnn", "ab\ncd", 5, 0);
  diag_error(d, (Loc){f, 3, 5}, E0001, "bad \"x\"");
  diag_note(d, (Loc){f, 0, 1}, "n");
  diag_help(d, "h");
  char *s = flushed(d, 1);
  assert_string_equal(
      s, "{\"file\":\"m\\\".dnn\",\"line\":2,\"col\":1,\"end_line\":2,\"end_col\":3,\"severity\":\"error\","
         "\"id\":\"E0001\",\"message\":\"bad \\\"x\\\"\",\"notes\":[{\"file\":\"m\\\".dnn\",\"line\":1,"
         "\"col\":1,\"end_line\":1,\"end_col\":2,\"message\":\"n\"}],\"help\":[\"h\"]}\n");
  free(s);
  arena_free(a);
}

static void hostile_text_is_printed_tamely(void **state) {
  Arena *a = arena_new();
  Diag *d = diag_new(a);
  Buf b = {0};
  for (int i = 0; i < 3000; i++) buf_str(&b, "x\x1b");
  buf_str(&b, "\xFF");
  uint32_t f = diag_add_source(d, "m.dnn", b.s, b.n, 0);
  diag_error(d, (Loc){f, 4000, 9000}, E0001, "long");
  char *s = flushed(d, 0);
  assert_null(strchr(s, 0x1b));
  assert_true(strlen(s) < 800);
  free(s);
  buf_free(&b);
  arena_free(a);
}

static void nearest_name(void **state) {
  const char *names[] = {"transpose", "softmax", "relu", "x"};
  assert_string_equal(diag_nearest("tranpose", names, 4), "transpose");
  assert_string_equal(diag_nearest("sofmtax", names, 4), "softmax");
  assert_string_equal(diag_nearest("ReLU", names, 4), "relu");
  assert_null(diag_nearest("gelu_new", names, 4));
  assert_null(diag_nearest("y", names, 4));
}

static void every_error_has_its_text(void **state) {
  for (int i = 1; i < E_COUNT; i++) {
    assert_int_equal(strlen(error_info[i].code), 5);
    if (strlen(error_info[i].title) < 6 || strlen(error_info[i].text) < 30)
      fail_msg("%s has no explanation", error_info[i].code);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(prints_line_and_caret),
      cmocka_unit_test(repeats_and_limit),
      cmocka_unit_test(no_place_and_past_the_end),
      cmocka_unit_test(library_errors_show_at_the_call),
      cmocka_unit_test(json_lines),
      cmocka_unit_test(hostile_text_is_printed_tamely),
      cmocka_unit_test(nearest_name),
      cmocka_unit_test(every_error_has_its_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
