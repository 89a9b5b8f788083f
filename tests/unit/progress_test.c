/* What a run shows: lines that fit, JSON that is valid, epochs thinned out, NaN without a sign. */
#include "runtime/core/progress.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void fits(const char *line, int columns, const char *want) {
  char out[64];
  dnn_fit_line(out, sizeof out, line, columns);
  assert_string_equal(out, want);
}

static void lines_are_cut_between_signs(void **state) {
  (void)state;
  fits("loss 0.5", 8, "loss 0.5");
  fits("loss 0.5", 7, "loss 0…");
  fits("", 5, "");
  fits("naïve", 5, "naïve");
  fits("naïve", 4, "naï…");
  fits("文字列", 6, "文字列"); /* two columns each */
  fits("文字列", 5, "文字…");
  fits("文字列", 4, "文…");
  fits("e\xCC\x81t\xC3\xA9", 3, "e\xCC\x81t\xC3\xA9"); /* a combining accent takes no column */
  fits("a\033[31mb\n", 9, "a?[31mb?");
  fits("\xFFok", 3, "?ok");
  char out[16]; /* never beyond the buffer */
  dnn_fit_line(out, sizeof out, "0123456789abcdefghijklmnop", 100);
  assert_true(strlen(out) < sizeof out);
}

static char *shown(int quiet, void (*tell)(DnnProgress *)) {
  char *text = NULL;
  size_t n = 0;
  FILE *f = open_memstream(&text, &n);
  DnnTrainOpts o = {.log = f, .quiet = quiet};
  DnnProgress g;
  dnn_progress_start(&g, &o);
  tell(&g);
  dnn_progress_settle(&g);
  fclose(f);
  return text;
}

static const char *const names[] = {"loss", "a \"b\""};

static void tell_epochs(DnnProgress *g) {
  double values[] = {-NAN, 1.0 / 3};
  dnn_progress_stage(g);
  for (int k = 1; k <= 500; k++) {
    DnnProgressAt at = {"fit", "learn", k, 900, k, 900, 1, 2, names, values};
    dnn_progress_step(g, &at, 1);
    dnn_progress_epoch(g, &at, 0, 0.25);
  }
}

static int count(const char *text, const char *what) {
  int n = 0;
  for (; (text = strstr(text, what)); text += strlen(what)) n++;
  return n;
}

static void epochs_are_thinned_out(void **state) {
  (void)state;
  char *text = shown(0, tell_epochs);
  int lines = count(text, "\n");
  assert_true(lines >= 11 && lines < 100);
  for (int k = 1; k <= 10; k++) {
    char title[40];
    snprintf(title, sizeof title, "fit epoch %d/900", k);
    assert_non_null(strstr(text, title));
  }
  assert_non_null(strstr(text, "fit epoch 500/900")); /* the training stopped there */
  assert_non_null(strstr(text, "  loss nan  a \"b\" 0.3333  0.2 s\n"));
  assert_null(strstr(text, "-nan"));
  assert_null(strstr(text, "\033"));
  free(text);
}

static void json_has_them_all(void **state) {
  (void)state;
  char *text = shown(2, tell_epochs);
  assert_true(count(text, "{\"event\":\"epoch\"") == 500);
  assert_non_null(strstr(text, "{\"event\":\"epoch\",\"stage\":\"fit\",\"entry\":\"learn\",\"step\":7,\"steps\":900,"
                               "\"epoch\":7,\"epochs\":900,\"values\":{\"loss\":null,\"a \\\"b\\\"\":0.333333333},"
                               "\"seconds\":0.250}\n"));
  assert_null(strstr(text, "nan"));
  free(text);
}

static void tell_rest(DnnProgress *g) {
  double value = INFINITY;
  dnn_progress_pass(g, "test", 1, names, &value, 1234.4, 61);
  dnn_progress_file(g, "out\xFF\n.npy");
  dnn_progress_note(g, "done");
}

static void passes_and_files(void **state) {
  (void)state;
  char *text = shown(0, tell_rest);
  assert_string_equal(text, "test                  loss inf  1234 examples/s  1:01\nwrote out\xFF\n.npy\ndone\n");
  free(text);
  text = shown(2, tell_rest);
  assert_string_equal(
      text, "{\"event\":\"pass\",\"entry\":\"test\",\"values\":{\"loss\":null},\"examples_per_second\":1234.4,"
            "\"seconds\":61.000}\n{\"event\":\"file\",\"path\":\"out\\ufffd\\u000a.npy\"}\n"
            "{\"event\":\"note\",\"text\":\"done\"}\n");
  free(text);
  text = shown(1, tell_rest);
  assert_string_equal(text, "");
  free(text);
}

static void the_average_recovers(void **state) {
  (void)state;
  DnnTrainOpts o = {.quiet = 1};
  DnnProgress g;
  dnn_progress_start(&g, &o);
  double values[] = {4, 2, NAN, 8, 6};
  for (int k = 0; k < 5; k++) {
    DnnProgressAt at = {"fit", "learn", k + 1, 5, 1, 1, 0, 1, names, values + k};
    dnn_progress_step(&g, &at, 3);
    if (k == 1) assert_float_equal(g.smooth, 3, 1e-12);
    if (k == 2) assert_true(isnan(g.smooth));
  }
  assert_float_equal(g.smooth, 7, 1e-12);
  assert_int_equal(g.seen, 15);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lines_are_cut_between_signs), cmocka_unit_test(epochs_are_thinned_out),
      cmocka_unit_test(json_has_them_all),           cmocka_unit_test(passes_and_files),
      cmocka_unit_test(the_average_recovers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
