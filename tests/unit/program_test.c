/* Whole programs, compiled and loaded, against the reference evaluator: initial values, training steps with their new
 * cells, and functions for several sizes. */
#include "base/ds.h"
#include "codegen/load.h"
#include "frontend/frontend.h"
#include "ir/eval.h"
#include "passes/pipeline.h"
#include "runtime/core/random.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

typedef struct World {
  Arena *a;
  Prog *prog;
  const DnnProgram *program;
  Backend *backend;
  DnnContext c;
  Tensor *cells; /* the evaluator's */
  int64_t offset[256];
} World;

static void load(World *w, const char *file, int threads) {
  *w = (World){.a = arena_new()};
  Arena *a = w->a;
  Diag *d = diag_new(a);
  Prog *p = w->prog = frontend_load(a, d, arena_printf(a, "%s/%s", TEST_ROOT, file), NULL);
  if (!p) diag_flush(d, stderr, 0);
  assert_non_null(p);
  int n = (int)arrlen(p->entries);
  Plan **plans = arena_array(a, Plan *, n);
  Lowered **lowered = arena_array(a, Lowered *, n);
  const Target *t = target_find("native");
  KernelTable *k = kernels_new(a, p, t);
  PipelineOpts o = {.verify = true};
  for (int i = 0; i < n; i++) {
    assert_true(pipeline_graph(p, &p->entries[i], &o));
    plans[i] = plan_build(a, p, &p->entries[i]);
  }
  for (int i = 0; i < n; i++) lowered[i] = lower_plan(a, plans[i], k);
  EmitOpts eo = {.checks = true, .source = file};
  EmitOut out;
  Buf why = {0};
  assert_true(emit_program(a, p, plans, lowered, k, t, &eo, &out));
  w->program = backend_load(a, &out, t, &(LoadOpts){.no_cache = true}, &w->backend, &why);
  if (!w->program) fail_msg("%s", why.s);
  unsigned char *memory = aligned_alloc(64, (size_t)((out.memory_bytes + 63) / 64 * 64));
  w->c = (DnnContext){.cells = memory, .prepared = memory + out.cell_bytes, .threads = threads, .seed = 5};
  w->c.arena = w->c.prepared + out.prepared_bytes;
  prog_layout(p, w->offset);
  for (int i = 0; i < (int)arrlen(p->cells); i++) arrput(w->cells, tensor_of_type(a, p->dims, p->cells[i].type, NULL));
}

static void end(World *w) {
  backend_close(w->backend);
  free(w->c.cells);
  arena_free(w->a);
}

/* One call of entry `i` by both; outputs and cells must agree. `below[k]`: integer inputs are drawn below it. */
static void compare(World *w, int i, const int64_t *sizes, const int64_t *below, uint64_t seed, double tolerance) {
  const Entry *x = &w->prog->entries[i];
  int64_t *vars = arena_array(w->a, int64_t, dim_var_count(w->prog->dims) + 1);
  int64_t v[8] = {0};
  for (int k = 0; k < (int)arrlen(x->vars); k++) vars[x->vars[k]] = v[k] = sizes[k];
  int n_in = (int)arrlen(x->inputs), n_out = x->n_results + x->n_reports, n_all = (int)arrlen(x->graph->outputs);
  Tensor *in = arena_array(w->a, Tensor, n_in + 1), *want = arena_array(w->a, Tensor, n_all + 1);
  Tensor *got = arena_array(w->a, Tensor, n_out + 1);
  const void *in_data[8];
  void *out_data[8];
  for (int k = 0; k < n_in; k++) {
    in[k] = tensor_of_type(w->a, w->prog->dims, x->inputs[k].type, vars);
    bool is_float = dtype_is_float(in[k].dtype);
    tensor_random(&in[k], seed + (uint64_t)k, is_float ? -1 : 0, is_float ? 1 : (double)below[k]);
    in_data[k] = in[k].data;
  }
  for (int k = 0; k < n_out; k++) {
    got[k] = tensor_of_type(w->a, w->prog->dims, x->outputs[k].type, vars);
    out_data[k] = got[k].data;
  }
  DnnContext *c = &w->c;
  EvalEnv env = {.vars = vars,
                 .inputs = in,
                 .cells = w->cells,
                 .clock = {c->step, c->steps, c->epoch, dnn_call_key(c->seed, c->stage, c->step)}};
  Buf why = {0};
  if (!graph_eval(w->a, x->graph, &env, want, &why)) fail_msg("%s: %s", x->name, why.s);
  if (w->program->entries[i].call(c, v, in_data, out_data)) fail_msg("%s: %s", x->name, w->program->error_text(c));
  for (int k = 0; k < n_out; k++)
    if (!(tensor_diff(&want[k], &got[k]) <= tolerance))
      fail_msg("%s: output %s differs by %g", x->name, x->outputs[k].name, tensor_diff(&want[k], &got[k]));
  for (int k = 0; k < (int)arrlen(x->writes); k++) {
    int cell = x->writes[k];
    Tensor now = want[n_out + k];
    now.data = c->cells + w->offset[cell];
    double diff = tensor_diff(&want[n_out + k], &now);
    if (!(diff <= tolerance)) fail_msg("%s: cell %s differs by %g", x->name, w->prog->cells[cell].path, diff);
    w->cells[cell] = want[n_out + k];
    memcpy(c->cells + w->offset[cell], want[n_out + k].data, (size_t)tensor_bytes(&want[n_out + k]));
  }
}

static int entry_named(const World *w, const char *name) {
  for (int i = 0; i < (int)arrlen(w->prog->entries); i++)
    if (!strcmp(w->prog->entries[i].name, name)) return i;
  fail_msg("no entry %s", name);
  return -1;
}

/* A convolutional net: one program answers batches of 1, 7 and 64 like the evaluator, and learns like it. */
static void test_small(void **state) {
  for (int threads = 1; threads <= 3; threads += 2) {
    World w;
    load(&w, "tests/models/small.dnn", threads);
    compare(&w, w.prog->init, NULL, NULL, 0, 1e-6);
    const int64_t batches[] = {1, 7, 64}, below[] = {256, 10};
    for (int k = 0; k < 3; k++) compare(&w, entry_named(&w, "classify"), &batches[k], below, 10 + (uint64_t)k, 1e-4);
    w.c.steps = 3;
    const int64_t rows[] = {50, 13, 1};
    for (w.c.step = 0; w.c.step < 3; w.c.step++)
      compare(&w, entry_named(&w, "learn"), &rows[w.c.step], below, 20 + (uint64_t)w.c.step, 1e-3);
    compare(&w, entry_named(&w, "evaluate"), rows, below, 30, 1e-4);
    end(&w);
  }
}

static void test_curve(void **state) {
  World w;
  load(&w, "models/first/curve.dnn", 2);
  compare(&w, w.prog->init, NULL, NULL, 0, 1e-6);
  const int64_t n[] = {100, 1, 0};
  for (int k = 0; k < 3; k++) compare(&w, entry_named(&w, "predict"), &n[k], NULL, (uint64_t)k, 1e-5);
  const int64_t rows = 50;
  for (w.c.step = 0; w.c.step < 5; w.c.step++)
    compare(&w, entry_named(&w, "learn"), &rows, NULL, 40 + (uint64_t)w.c.step, 1e-4);
  end(&w);
}

/* Softmax, norms and their gradients: rows of every size up to the bound, none and one past the lanes among them. */
static void test_rows(void **state) {
  static const int64_t rows[] = {0, 1, 7, 70}, columns[] = {1, 31, 65, 131}, below[] = {2, 2}, labels[] = {1, 67};
  for (int threads = 1; threads <= 3; threads += 2) {
    World w;
    load(&w, "tests/models/rows.dnn", threads);
    compare(&w, w.prog->init, NULL, NULL, 0, 1e-6);
    for (int k = 0; k < 4; k++) {
      const int64_t sizes[] = {rows[k], columns[k]};
      static const char *const both[] = {"soft_masked", "norms", "soft_grad"}, *const one[] = {"soft", "soft_middle",
                                                                                               "norm_grad"};
      for (int i = 0; i < 3; i++) compare(&w, entry_named(&w, both[i]), sizes, below, 50 + (uint64_t)k, 1e-4);
      for (int i = 0; i < 3; i++) compare(&w, entry_named(&w, one[i]), sizes, below, 60 + (uint64_t)k, 1e-3);
      compare(&w, entry_named(&w, "halves"), sizes, below, 70 + (uint64_t)k, 2e-2);
      if (rows[k]) compare(&w, entry_named(&w, "entropy"), sizes, labels, 80 + (uint64_t)k, 1e-4);
    }
    const int64_t n[] = {9, 2};
    for (int k = 0; k < 2; k++) compare(&w, entry_named(&w, "learn"), &n[k], NULL, 90 + (uint64_t)k, 1e-3);
    end(&w);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_curve), cmocka_unit_test(test_small),
                                     cmocka_unit_test(test_rows)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
