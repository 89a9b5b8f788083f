/* What groups of plans are told to cost, for programs with loops, branches and several steps: shares of lines add up,
 * parts are where they belong, and the operations of a plan without loops are those of its graph. */
#include "base/ds.h"
#include "codegen/account.h"
#include "frontend/frontend.h"
#include "passes/pipeline.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

typedef struct Sums {
  double flops, graph; /* at the bounds; of the groups, of the graph */
  bool part[PARTS];    /* is there a line of this part? */
  bool loops;
} Sums;

static void check_group(const Plan *p, const Group *g, uint8_t *const *parts, Sums *s) {
  LineShare *lines = group_lines(p, g, parts);
  double share = 0, flops_share = 0;
  int64_t flops = dim_upper(p->graph->dims, group_flops(p, g)), bytes = dim_upper(p->graph->dims, group_bytes(p, g));
  for (int i = 0; i < arrlen(lines); i++) {
    assert_true(lines[i].share > 0 && lines[i].part < PARTS);
    assert_int_equal(!lines[i].file, !lines[i].line);
    share += lines[i].share, flops_share += lines[i].flops_share;
    s->part[lines[i].part] = true;
  }
  assert_true(fabs(share - 1) < 1e-9);
  assert_true(flops <= 0 || fabs(flops_share - 1) < 1e-9);
  assert_true(bytes >= 0);
  s->flops += (double)flops;
  arrfree(lines);
}

/* Every entry of a program; `step`: the one that is told in `s`. */
static void check_program(const char *file, const char *step, Sums *s) {
  Arena *a = arena_new();
  Diag *d = diag_new(a);
  Prog *prog = frontend_load(a, d, arena_printf(a, "%s/models/%s", TEST_ROOT, file), NULL);
  assert_non_null(prog);
  *s = (Sums){0};
  for (int i = 0; i < arrlen(prog->entries); i++) {
    Entry *x = &prog->entries[i];
    Sums sums = {0};
    for (int k = 0; k < arrlen(x->vars); k++)
      if (dim_var_bound(prog->dims, x->vars[k]) < 0) dim_set_bound(prog->dims, x->vars[k], 10);
    assert_true(pipeline_graph(prog, x, &(PipelineOpts){0}));
    Plan *p = plan_build(a, prog, x);
    uint8_t **parts = plan_parts(a, p);
    for (int g = 0; g < arrlen(p->groups); g++) check_group(p, &p->groups[g], parts, &sums);
    for (NodeId n = 1; n < (NodeId)arrlen(p->graph->nodes); n++)
      sums.graph += (double)dim_upper(p->graph->dims, node_flops(p->graph, n));
    sums.loops = arrlen(p->scopes) > 1;
    if (!strcmp(x->name, step)) *s = sums;
    if (x->kind == DNN_EXPORT && !strstr(file, "recurrent")) assert_false(sums.part[PART_GRADIENT]);
  }
  arena_free(a);
}

static void test_training(void **state) {
  (void)state;
  Sums s;
  check_program("first/curve.dnn", "learn", &s);
  assert_true(s.part[PART_FORWARD] && s.part[PART_GRADIENT] && s.part[PART_UPDATE] && !s.loops);
  assert_true(s.flops >= s.graph && s.graph > 0); /* what is made again by its readers counts again */
  check_program("first/line.dnn", "predict", &s);
  assert_true(s.part[PART_FORWARD] && !s.part[PART_GRADIENT] && !s.part[PART_UPDATE]);
  assert_true(s.flops == s.graph && s.graph == 64);
}

static void test_loops(void **state) {
  (void)state;
  Sums s;
  check_program("first/recurrent.dnn", "learn", &s);
  assert_true(s.part[PART_FORWARD] && s.part[PART_GRADIENT] && s.part[PART_UPDATE] && s.loops);
  check_program("gan/ring.dnn", "", &s);
  check_program("rnn/adding.dnn", "", &s);
  check_program("language/chargpt.dnn", "generate", &s);
  assert_true(s.part[PART_FORWARD] && s.loops);
}

/* The work of entry `name`, planned. */
static double work_of(const char *text, const char *name) {
  Arena *a = arena_new();
  Diag *d = diag_new(a);
  Prog *prog = frontend_load_text(a, d, "work.dnn", text, strlen(text), NULL);
  assert_non_null(prog);
  double work = -1;
  for (int i = 0; i < arrlen(prog->entries); i++) {
    if (strcmp(prog->entries[i].name, name)) continue;
    assert_true(pipeline_graph(prog, &prog->entries[i], &(PipelineOpts){0}));
    Plan *p = plan_build(a, prog, &prog->entries[i]);
    work = plan_work(p, p->steps, (int)arrlen(p->steps));
  }
  arena_free(a);
  return work;
}

/* A chain that is one kernel reads and writes once, a table is read where it is looked up; bodies count as often as
 * they run, and of two branches the longer one. */
static void test_work(void **state) {
  (void)state;
  assert_true(work_of("export fn f(x: f32[100]) { (x + 1.0) * x - 2.0 }", "f") == 300 + 200);
  assert_true(work_of("export fn f(w: f32[1000, 16], i: i32[4]) { w[i] }", "f") == 64 + 64 + 4);
  assert_true(work_of("export fn f(x: f64[100]) { x * x }", "f") == 100 + 400);
  double ten =
      work_of("export fn f(w: f32[64, 64], x: f32[64]) { var h = x\nscan t in 0..10 { h = tanh(w @ h) }\nh }", "f");
  double more =
      work_of("export fn f(w: f32[64, 64], x: f32[64]) { var h = x\nscan t in 0..19 { h = tanh(w @ h) }\nh }", "f");
  assert_true(more - ten == 9 * (2 * 64 * 64 + 64 * 64 + 14 * 64 + 128));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_training), cmocka_unit_test(test_loops),
                                     cmocka_unit_test(test_work)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
