/* Golden numbers: every tests/golden/NAME.txt (made by PyTorch, see golden.py) against the front end and the reference
 * evaluator. Each number must agree within the file's tolerance times the largest magnitude of its tensor. */
#include "base/buf.h"
#include "base/ds.h"
#include "frontend/frontend.h"
#include "ir/eval.h"
#include "passes/pipeline.h"
#include <setjmp.h>
#include <stdarg.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

typedef struct World {
  Arena *arena;
  Prog *prog;
  Tensor *cells; /* stb_ds */
  Tensor *outputs;
  const Entry *entry; /* the last that was evaluated */
  double tolerance;
  int compared;
} World;

/* The project's root, from the path that this file was compiled by. */
static const char *root_path(Arena *a, const char *file) {
  const char *here = __FILE__, *end = strstr(here, "tests/unit/");
  return arena_printf(a, "%.*s%s", end ? (int)(end - here) : 0, here, file);
}

static const Entry *entry_named(World *w, const char *name) {
  for (int i = 0; i < arrlen(w->prog->entries); i++)
    if (!strcmp(w->prog->entries[i].name, name)) return &w->prog->entries[i];
  fail_msg("no entry %s", name);
  return NULL;
}

/* One call of an entry without inputs; its writes go to the cells. */
static void evaluate(World *w, const Entry *entry, int64_t step, int64_t steps) {
  int n = (int)arrlen(entry->graph->outputs);
  Buf why = {0};
  EvalEnv env = {.cells = w->cells, .clock = {step, steps, 0, 1}};
  w->outputs = arena_array(w->arena, Tensor, n + 1);
  w->entry = entry;
  assert_int_equal(entry->graph->n_inputs, 0);
  if (!graph_eval(w->arena, entry->graph, &env, w->outputs, &why)) fail_msg("%s: %s", entry->name, why.s);
  int first = entry->n_results + entry->n_reports;
  for (int i = 0; i < arrlen(entry->writes); i++) w->cells[entry->writes[i]] = w->outputs[first + i];
}

static void load(World *w, const char *file) {
  PipelineOpts opts = {.verify = true};
  Diag *d = diag_new(w->arena);
  w->prog = frontend_load(w->arena, d, root_path(w->arena, file), NULL);
  if (!w->prog) diag_flush(d, stderr, 0);
  assert_non_null(w->prog);
  for (int i = 0; i < arrlen(w->prog->entries); i++)
    if (!pipeline_graph(w->prog, &w->prog->entries[i], &opts)) {
      diag_flush(d, stderr, 0);
      fail_msg("%s: the passes failed", w->prog->entries[i].name);
    }
  for (int i = 0; i < arrlen(w->prog->cells); i++)
    arrput(w->cells, tensor_of_type(w->arena, w->prog->dims, w->prog->cells[i].type, NULL));
  evaluate(w, &w->prog->entries[w->prog->init], 0, 0);
}

static const Tensor *find(World *w, const char *kind, const char *name) {
  if (!strcmp(kind, "cell")) {
    for (int i = 0; i < arrlen(w->prog->cells); i++)
      if (!strcmp(w->prog->cells[i].path, name)) return &w->cells[i];
  } else {
    int from = strcmp(kind, "report") ? 0 : w->entry->n_results;
    int to = strcmp(kind, "report") ? w->entry->n_results : w->entry->n_results + w->entry->n_reports;
    for (int i = from; i < to; i++)
      if (!strcmp(w->entry->outputs[i].name, name)) return &w->outputs[i];
  }
  fail_msg("no %s `%s` after %s", kind, name, w->entry->name);
  return NULL;
}

/* The rest of a line is the rank, the shape, and the numbers. */
static void compare(World *w, const char *kind, const char *name, char *rest) {
  const Tensor *t = find(w, kind, name);
  int rank = (int)strtol(rest, &rest, 10);
  assert_int_equal(t->rank, rank);
  for (int i = 0; i < rank; i++) assert_int_equal(t->shape[i], strtol(rest, &rest, 10));
  int64_t n = tensor_count(t), where = 0;
  double worst = 0, largest = 0;
  for (int64_t i = 0; i < n; i++) {
    double want = strtod(rest, &rest), off = fabs(want - tensor_get(t, i));
    largest = fmax(largest, fabs(want));
    if (!(off <= worst)) worst = off, where = i;
  }
  double tolerance = strcmp(kind, "report") ? w->tolerance : fmax(w->tolerance, 2e-7); /* reports are f32 */
  w->compared++;
  if (!(worst <= tolerance * largest))
    fail_msg("%s %s %s: element %lld is off by %g, largest is %g", w->entry->name, kind, name, (long long)where, worst,
             largest);
}

static void check_line(World *w, char *line) {
  char kind[32], name[128];
  int used = 0, times, steps, first;
  if (sscanf(line, "%31s %127s %n", kind, name, &used) < 2 || kind[0] == '#') return;
  if (!strcmp(kind, "file")) load(w, name);
  else if (!strcmp(kind, "tolerance")) w->tolerance = atof(name);
  else if (!strcmp(kind, "call")) evaluate(w, entry_named(w, name), 0, 0);
  else if (!strcmp(kind, "run")) {
    assert_int_equal(sscanf(line + used, "%d %d %d", &times, &steps, &first), 3);
    for (int i = 0; i < times; i++) evaluate(w, entry_named(w, name), first + i, steps);
  } else compare(w, kind, name, line + used);
}

static void golden(const char *name, int least) {
  World w = {.arena = arena_new()};
  Buf text = {0};
  const char *path = root_path(w.arena, arena_printf(w.arena, "tests/golden/%s.txt", name));
  if (!buf_read_file(&text, path, 1 << 26)) fail_msg("cannot read %s", path);
  for (char *line = strtok(text.s, "\n"); line; line = strtok(NULL, "\n")) check_line(&w, line);
  assert_true(w.compared >= least);
  arrfree(w.cells);
  arena_free(w.arena);
  buf_free(&text);
}

static void losses(void **state) { (void)state, golden("losses", 30); }
static void layers(void **state) { (void)state, golden("layers", 60); }
static void optimisers(void **state) { (void)state, golden("optimisers", 276); }
static void lenet(void **state) { (void)state, golden("lenet", 19); }

static void library(void **state) { (void)state, golden("library", 22); }

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(losses), cmocka_unit_test(layers), cmocka_unit_test(optimisers),
                                     cmocka_unit_test(lenet), cmocka_unit_test(library)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
