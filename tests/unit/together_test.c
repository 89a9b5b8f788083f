/* Kernels of one structure that run at the same time: a step that updates many cells of drawn sizes by what it makes of
 * all of them. Evaluator == interpreted loop IR, for several numbers of threads with equal bits; and they are one call
 * for each kernel, over a table. */
#include "base/ds.h"
#include "codegen/loop.h"
#include "ir/eval.h"
#include "passes/pipeline.h"
#include "tests/lib/opgen.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static const Loc nowhere = {0};
static uint64_t state_ = 1;
static int64_t draw(int64_t lo, int64_t hi) {
  state_ = state_ * 6364136223846793005u + 1442695040888963407u;
  return lo + (int64_t)((state_ >> 33) % (uint64_t)(hi - lo + 1));
}

typedef struct World {
  Arena *a;
  Prog prog;
  Graph *g;
  Entry e;
} World;

static NodeId cell(World *w, Type t) {
  arrput(w->prog.cells, ((Cell){.path = "w", .type = t, .kind = DNN_PARAM}));
  return g_cell(w->g, nowhere, (int)arrlen(w->prog.cells) - 1, t);
}
static NodeId map2(World *w, Op op, NodeId a, NodeId b) { return g_map2(w->g, op, nowhere, a, b); }
static NodeId spread(World *w, NodeId one, NodeId like) {
  Type t = graph_type(w->g, like);
  return g_broadcast(w->g, nowhere, one, t.rank, t.shape, NULL);
}
static NodeId times(World *w, NodeId x, double k) { return map2(w, OP_mul, x, g_full_like(w->g, nowhere, k, x)); }
static NodeId whole_sum(World *w, NodeId x) {
  int axes[2] = {0, 1};
  return g_reduce(w->g, OP_sum, nowhere, x, axes, graph_type(w->g, x).rank);
}
static void put(World *w, NodeId cell, NodeId value) {
  arrput(w->g->outputs, value);
  arrput(w->e.writes, (int)node_int(w->g, graph_node(w->g, cell), A_cell));
}

enum { CELLS = 7 };
/* s = the sum over all cells of the sums of their squares; m' = 0.9 m + 0.1 p min(1, x / s); p' = p - m'. Sizes are far
 * apart: `least` .. `most` decides whether sums go in pieces. */
static void make(World *w, DType t, int64_t least, int64_t most) {
  DimTab *d = w->g->dims;
  NodeId x = g_input(w->g, nowhere, type_of(w->a, t, 0, NULL)), sum = 0, p[CELLS], m[CELLS];
  for (int i = 0; i < CELLS; i++) {
    Dim size[2] = {dim_int(d, draw(least, most)), dim_int(d, draw(2, 5))};
    Type type = type_of(w->a, t, 1 + (int)draw(0, 1), size);
    p[i] = cell(w, type), m[i] = cell(w, type);
    NodeId one = whole_sum(w, map2(w, OP_mul, p[i], p[i]));
    sum = sum ? map2(w, OP_add, sum, one) : one;
  }
  sum = map2(w, OP_add, sum, g_full_like(w->g, nowhere, 1, sum));
  NodeId scale = map2(w, OP_minimum, map2(w, OP_div, x, sum), g_full_like(w->g, nowhere, 1, x));
  arrput(w->g->outputs, scale);
  for (int i = 0; i < CELLS; i++) {
    NodeId g = map2(w, OP_mul, p[i], spread(w, scale, p[i]));
    NodeId next = map2(w, OP_add, times(w, m[i], 0.9), times(w, g, 0.1));
    put(w, m[i], next);
    put(w, p[i], map2(w, OP_sub, p[i], next));
  }
}

/* All cells' updates are one call; but a small one may have become one kernel with its sum and the scale. */
static void check_calls(const Plan *p, const Lowered *l, const char *what) {
  int updates = 0, rows = 0;
  for (int i = 0; i < arrlen(p->groups); i++)
    for (int c = 0; c < arrlen(l->groups[i].calls); c++) {
      bool stores = p->bufs[p->groups[i].outs[0].buf].kind == BUF_CELL;
      if (!stores || arrlen(p->groups[i].folds)) continue;
      updates++;
      rows += (int)arrlen(l->groups[i].calls[c].rows);
    }
  if (updates != 1 || rows < CELLS - 1) fail_msg("%s: %d calls with %d rows update the cells", what, updates, rows);
}

static void check(World *w, const char *target, const char *what) {
  Graph *g = w->g;
  Buf why = {0};
  int n = (int)arrlen(w->prog.cells), n_out = (int)arrlen(g->outputs);
  Tensor *cells = arena_array(w->a, Tensor, n + 1), *want = arena_array(w->a, Tensor, n_out + 1), in;
  in = tensor_of_type(w->a, g->dims, g->input_types[0], NULL);
  tensor_random(&in, (uint64_t)draw(1, 1 << 20), 1, 9);
  for (int i = 0; i < n; i++) {
    cells[i] = tensor_of_type(w->a, g->dims, w->prog.cells[i].type, NULL);
    tensor_random(&cells[i], (uint64_t)draw(1, 1 << 20), -1, 1);
  }
  EvalEnv env = {.inputs = &in, .cells = cells};
  assert_true(graph_eval(w->a, g, &env, want, &why));
  Plan *p = plan_build(w->a, &w->prog, &w->e);
  KernelTable *t = kernels_new(w->a, &w->prog, target_find(target));
  Lowered *l = lower_plan(w->a, p, t);
  check_calls(p, l, what);
  Tensor *first = NULL;
  for (int threads = 1; threads <= 4; threads += 3) {
    Tensor *got = arena_array(w->a, Tensor, n + 1), scale = tensor_of_type(w->a, g->dims, g->input_types[0], NULL);
    void **data = arena_array(w->a, void *, n + 1), *to[1] = {scale.data};
    for (int i = 0; i < n; i++) {
      got[i] = tensor_of_type(w->a, g->dims, w->prog.cells[i].type, NULL);
      memcpy(data[i] = got[i].data, cells[i].data, (size_t)tensor_bytes(&cells[i]));
    }
    const void *from[1] = {in.data};
    int64_t clock[4] = {0};
    if (!lowered_interpret(l, t, NULL, from, to, data, clock, threads, &why)) fail_msg("%s: %s", what, why.s);
    for (int i = 0; i < n; i++) {
      const Tensor *x = NULL;
      for (int k = 0; k < n; k++)
        if (w->e.writes[k] == i) x = &want[1 + k];
      double far = tensor_diff(x, &got[i]), allowed = x->dtype == F64 ? 1e-12 : x->dtype == F32 ? 1e-5 : 0.02;
      if (!(far < allowed)) fail_msg("%s: cell %d is %g from the evaluator's", what, i, far);
      if (first) assert_memory_equal(first[i].data, got[i].data, (size_t)tensor_bytes(&got[i]));
    }
    first = got;
  }
}

static void run(const char *target, DType t, int64_t least, int64_t most) {
  Arena *a = arena_new();
  World w = {.a = a};
  w.g = graph_new(a, dimtab_new(a), diag_new(a));
  w.prog = (Prog){.arena = a, .dims = w.g->dims, .diag = w.g->diag, .name = "t"};
  w.e = (Entry){.name = "f", .kind = DNN_STEP, .graph = w.g, .n_results = 1};
  make(&w, t, least, most);
  arrput(w.e.inputs, ((Port){.name = "x", .type = w.g->input_types[0]}));
  arrput(w.e.outputs, ((Port){.name = "y", .type = graph_type(w.g, w.g->outputs[0])}));
  check(&w, target, arena_printf(a, "%s %s %lld .. %lld", target, dtype_name(t), (long long)least, (long long)most));
  arrfree(w.prog.cells);
  arena_free(a);
}

static void test_updates(void **state) {
  (void)state;
  static const char *const targets[] = {"x86-64-v4", "x86-64-v3", "plain"};
  static const DType types[] = {F32, F64, F16, BF16};
  if (getenv("DNN_TEST_SEED")) state_ = (uint64_t)atoll(getenv("DNN_TEST_SEED"));
  for (int i = 0; i < 12; i++) {
    int64_t least = i % 3 ? 300 : 3000;
    run(targets[i % 3], types[i % 4], least, i % 3 == 2 ? 9000 : 4 * least);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_updates)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
