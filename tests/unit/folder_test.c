/* The tables of a run folder: what is in them, that a killed run's are readable, that a resumed run's are the same. */
#include "runtime_files.h"
#include "runtime/core/folder.h"
#include <math.h>
#include <string.h>

static const DnnProgram program = {.name = "t", .cell_bytes = 64};
static unsigned char cells[64];
static const DnnContext context = {.cells = cells};
static const char *const names[] = {"loss", "a,b"};

static DnnEvent event(DnnEventKind kind, const char *stage, int64_t total, const double *values) {
  return (DnnEvent){.kind = kind,
                    .stage = stage,
                    .entry = "learn",
                    .step = total,
                    .steps = 100,
                    .epoch = 2,
                    .total = total,
                    .n = 2,
                    .names = names,
                    .values = values};
}

static void steps(DnnFolder *f, int64_t first, int64_t last) {
  for (int64_t i = first; i <= last; i++) {
    double values[2] = {1.0 / (double)i, i == 3 ? -NAN : INFINITY};
    DnnEvent step = event(DNN_EVENT_STEP, "fit", i, values), epoch = event(DNN_EVENT_EPOCH, "fit", i, values);
    dnn_folder_event(f, &step);
    if (i % 2 == 0) dnn_folder_event(f, &epoch);
  }
}

static char dir[2][256]; /* stay while a folder is open */
static const char *run_dir(int i, const char *name) { return strcpy(dir[i], in_folder(name)); }

static const char *text(const char *name) {
  size_t n;
  return (const char *)get_file(in_folder(name), &n);
}

static bool opened(DnnFolder *f, const char *path, DnnError *e) {
  return dnn_folder_new(f, path, false, e) && dnn_folder_start(f, &program, &context, NULL, e);
}

static void tables(void **state) {
  (void)state;
  DnnFolder f;
  DnnError e = {{0}};
  if (!opened(&f, run_dir(0, "run"), &e)) fail_msg("%s", e.text);
  steps(&f, 1, 3);
  assert_string_equal(text("run/metrics.csv"), "stage,epoch,step,metric,value\n"
                                               "fit,2,2,learn.loss,0.5\n"
                                               "fit,2,2,\"learn.a,b\",inf\n"); /* while it runs */
  if (!dnn_folder_close(&f, &e)) fail_msg("%s", e.text);
  assert_non_null(strstr(text("run/steps.csv"), "fit,2,3,learn.loss,0.333333333\nfit,2,3,\"learn.a,b\",nan\n"));
  assert_true(dnn_file_exists(in_folder("run/best.dnnw")) && dnn_file_exists(in_folder("run/last.dnnw")));
}

static void resumed(void **state) {
  (void)state;
  DnnFolder f;
  DnnError e = {{0}};
  assert_true(opened(&f, run_dir(0, "whole"), &e));
  steps(&f, 1, 9);
  assert_true(dnn_folder_close(&f, &e));
  assert_true(opened(&f, run_dir(1, "two"), &e));
  steps(&f, 1, 5);
  DnnCheckpoint at = {0};
  at.n_grown = dnn_folder_grown(&f, at.grown, &e);
  assert_int_equal(at.n_grown, 2);
  steps(&f, 6, 7);
  dnn_folder_leave(&f);
  put_text("two/last.dnnw.tmp-123", "torn");
  assert_true(dnn_folder_lock(&f, dir[1], &e) && dnn_folder_start(&f, &program, &context, &at, &e));
  assert_false(dnn_file_exists(in_folder("two/last.dnnw.tmp-123")));
  steps(&f, 6, 9);
  assert_true(dnn_folder_close(&f, &e));
  char *want = strdup(text("whole/metrics.csv"));
  assert_string_equal(text("two/metrics.csv"), want);
  free(want), want = strdup(text("whole/steps.csv"));
  assert_string_equal(text("two/steps.csv"), want);
  free(want);
  at.grown[1].bytes = 1 << 20;
  assert_true(dnn_folder_lock(&f, dir[1], &e));
  assert_false(dnn_folder_start(&f, &program, &context, &at, &e));
  assert_says(&e, "steps.csv");
  assert_says(&e, "1048576");
  dnn_folder_leave(&f);
}

/* A folder belongs to one process at a time, and a run is not thrown away by accident. */
static void one_at_a_time(void **state) {
  (void)state;
  DnnFolder f, second;
  DnnError e = {{0}};
  const char *path = run_dir(0, "mine");
  assert_true(opened(&f, path, &e));
  assert_false(dnn_folder_new(&second, path, true, &e));
  assert_says(&e, "another process");
  assert_false(dnn_folder_lock(&second, path, &e));
  assert_true(dnn_folder_close(&f, &e));
  assert_false(dnn_folder_new(&second, path, false, &e));
  assert_says(&e, "--overwrite");
  assert_true(dnn_file_exists(in_folder("mine/last.dnnw")));
  assert_true(dnn_folder_new(&second, path, true, &e));
  assert_false(dnn_file_exists(in_folder("mine/last.dnnw")));
  dnn_folder_leave(&second);
  assert_false(dnn_folder_lock(&f, in_folder("nowhere"), &e));
}

static void kept_steps(void **state) {
  (void)state;
  int64_t n = 0, before = 0;
  for (int64_t i = 1; i <= 1000000; i++) {
    if (!dnn_step_is_kept(i)) continue;
    n++;
    assert_true(i - before <= (i <= 10000 ? 1 : i <= 100000 ? 10 : 100));
    before = i;
  }
  assert_int_equal(n, 10000 + 9000 + 9000);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(tables), cmocka_unit_test(resumed),
                                     cmocka_unit_test(one_at_a_time), cmocka_unit_test(kept_steps)};
  return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
