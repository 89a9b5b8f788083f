/* Exported functions whose weights are cells: what `prepare` packs, transforms and computes, and what the calls make of
 * it. Evaluator == interpreted loop IR, for several numbers of threads with equal bits. Drawn: convolutions of small
 * images, whose pixels are rows of the product, with strides, and products; behind them a scale and a shift of each
 * channel, in forms that go into the weights, and a residual. Then chains of convolutions of all kinds, with residuals
 * and element-wise values between them, whose values lie with channels last or first as passes/layout.c has it. */
#include "base/ds.h"
#include "codegen/codegen.h"
#include "ir/eval.h"
#include "passes/rewrite.h"
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

typedef struct Kept {
  Arena *a;
  Prog prog;
  Graph *g;
  int64_t vars[4];
} Kept;

static NodeId cell(Kept *c, DType t, int rank, const int64_t *size) {
  Dim shape[MAX_RANK];
  for (int i = 0; i < rank; i++) shape[i] = dim_int(c->g->dims, size[i]);
  Type type = type_of(c->a, t, rank, shape);
  arrput(c->prog.cells, ((Cell){.path = "w", .type = type}));
  return g_cell(c->g, nowhere, (int)arrlen(c->prog.cells) - 1, type);
}
static NodeId map2(Kept *c, Op op, NodeId a, NodeId b) { return g_map2(c->g, op, nowhere, a, b); }
/* A vector of the channels, along axis 1 of y. */
static NodeId along(Kept *c, NodeId v, NodeId y) {
  int axis = 1;
  Type t = graph_type(c->g, y);
  return g_broadcast(c->g, nowhere, v, t.rank, t.shape, &axis);
}

static void make(Kept *c, int form, DType t, int64_t n, bool free_batch, int64_t channels, int64_t out, int64_t side,
                 int64_t k, int64_t step) {
  DimTab *d = c->g->dims;
  Dim batch = free_batch ? dim_var(d, "N", n) : dim_int(d, n);
  Dim x[4] = {batch, dim_int(d, channels), dim_int(d, side), dim_int(d, side + (side % 3 == 0))};
  int rank = form == 3 ? 2 : 4;
  NodeId image = g_input(c->g, nowhere, type_of(c->a, t, rank, x)), y;
  int64_t ws[4] = {form == 3 ? channels : out, form == 3 ? out : channels, k, k};
  NodeId w = cell(c, t, rank, ws);
  if (rank == 4) {
    Dim border[2] = {dim_int(d, k / 2), dim_int(d, k / 2)};
    int64_t stride[2] = {step, step}, one[2] = {1, 1};
    y = g_conv(c->g, OP_conv, nowhere, image, w, 2, stride, border, border, one, 1, NULL);
  } else {
    int la[2] = {0, 1}, lb[2] = {1, 2}, ly[2] = {0, 2};
    y = g_dot(c->g, nowhere, image, w, la, lb, ly, 2);
  }
  NodeId s = cell(c, t, 1, &out), b = cell(c, t, 1, &out), v = map2(c, OP_mul, s, s);
  v = g_map1(c->g, OP_sqrt, nowhere, map2(c, OP_add, v, g_full_like(c->g, nowhere, 0.5, v)));
  if (form == 1) y = map2(c, OP_div, map2(c, OP_sub, y, along(c, b, y)), along(c, v, y));
  if (form >= 2) y = map2(c, OP_add, map2(c, OP_mul, along(c, v, y), y), along(c, map2(c, OP_mul, b, v), y));
  NodeId more = g_input(c->g, nowhere, graph_type(c->g, y));
  y = map2(c, OP_maximum, map2(c, OP_add, y, more), g_full_like(c->g, nowhere, 0, y));
  arrput(c->g->outputs, y);
  c->vars[0] = n;
}

/* ---- chains ---- */
static NodeId conv(Kept *c, Op op, NodeId a, NodeId w, int64_t border, int64_t step, int64_t gap, int64_t groups,
                   const Type *want) {
  Dim around[2] = {dim_int(c->g->dims, border), dim_int(c->g->dims, border)};
  int64_t stride[2] = {step, step}, dilation[2] = {gap, gap};
  return g_conv(c->g, op, nowhere, a, w, 2, stride, around, around, dilation, groups, want);
}
static int64_t size_of(const Kept *c, NodeId n, int axis) {
  int64_t v = 0;
  assert_true(dim_is_int(c->g->dims, graph_type(c->g, n).shape[axis], &v));
  return v;
}
static bool same_shape(const Kept *c, NodeId a, NodeId b) {
  Type x = graph_type(c->g, a), y = graph_type(c->g, b);
  for (int k = 0; k < 4; k++)
    if (x.shape[k] != y.shape[k]) return false;
  return true;
}
static NodeId one_more(Kept *c, NodeId x) {
  static const int64_t channels[] = {16, 32, 48, 64, 20};
  int64_t ci = size_of(c, x, 1), co = channels[draw(0, 11) % 5], step = size_of(c, x, 2) > 6 && !draw(0, 3) ? 2 : 1;
  int kind = (int)draw(0, 7);
  int64_t summands = ci * (kind < 3 ? 1 : kind == 3 ? 25 : 9); /* values stay near 1 */
  NodeId y;
  if (kind < 3) {
    y = conv(c, OP_conv, x, cell(c, F32, 4, (int64_t[]){co, ci, 1, 1}), 0, step, 1, 1, NULL);
  } else if (kind == 3) {
    y = conv(c, OP_conv, x, cell(c, F32, 4, (int64_t[]){co, ci, 5, 5}), 2, 1, 1, 1, NULL);
  } else if (kind == 4 && ci % 4 == 0) {
    y = conv(c, OP_conv, x, cell(c, F32, 4, (int64_t[]){ci, ci / 4, 3, 3}), 2, 1, draw(1, 2), 4, NULL);
  } else if (kind == 5) {
    Type want = graph_type(c->g, x);
    Dim shape[4] = {want.shape[0], dim_int(c->g->dims, co), want.shape[2], want.shape[3]};
    want = type_of(c->a, F32, 4, shape);
    y = conv(c, OP_conv_dx, x, cell(c, F32, 4, (int64_t[]){ci, co, 3, 3}), 1, 1, 1, 1, &want);
  } else {
    y = conv(c, OP_conv, x, cell(c, F32, 4, (int64_t[]){co, ci, 3, 3}), 1, step, 1, 1, NULL);
  }
  co = size_of(c, y, 1);
  y = map2(c, OP_add, map2(c, OP_mul, y, g_full_like(c->g, nowhere, 1.5 / sqrt((double)summands), y)),
           along(c, cell(c, F32, 1, &co), y));
  return draw(0, 3) ? map2(c, OP_maximum, y, g_full_like(c->g, nowhere, 0, y)) : g_map1(c->g, OP_tanh, nowhere, y);
}
static void chain(Kept *c) {
  DimTab *d = c->g->dims;
  bool free_batch = draw(0, 1);
  int64_t n = draw(1, 3), side = draw(5, 11);
  Dim shape[4] = {free_batch ? dim_var(d, "N", n) : dim_int(d, n), dim_int(d, draw(0, 1) ? 32 : 3), dim_int(d, side),
                  dim_int(d, side + draw(0, 1))};
  NodeId x = g_input(c->g, nowhere, type_of(c->a, F32, 4, shape)), made[16] = {x}, y = x;
  int links = (int)draw(2, 6), count = 1;
  for (int i = 0; i < links; i++) {
    y = one_more(c, y);
    for (int k = 0; k < count; k++)
      if (same_shape(c, made[k], y) && draw(0, 1)) y = map2(c, OP_add, y, made[k]);
    made[count++] = y;
    if (!draw(0, 4) && size_of(c, y, 2) > 3) {
      Dim around[2] = {dim_int(d, draw(0, 1)), dim_int(d, draw(0, 1))};
      made[count++] = y =
          g_pool(c->g, OP_max_pool, nowhere, y, 2, (int64_t[]){3, 2}, (int64_t[]){2, draw(1, 2)}, around, around);
    }
    if (!draw(0, 4)) made[count++] = y = map2(c, OP_mul, y, g_map1(c->g, OP_sigmoid, nowhere, y));
  }
  x = made[count - 2];
  int64_t end = draw(0, 2);
  if (end == 0) y = g_reduce(c->g, OP_sum, nowhere, y, (int[]){2, 3}, 2);
  if (end == 1 && size_of(c, x, 2) == size_of(c, y, 2)) {
    Dim w[4] = {dim_int(d, size_of(c, y, 1)), dim_int(d, size_of(c, x, 1)), dim_int(d, 3), dim_int(d, 3)};
    Type want = type_of(c->a, F32, 4, w);
    y = conv(c, OP_conv_dw, x, y, 1, 1, 1, 1, &want);
  }
  NodeId more = g_input(c->g, nowhere, graph_type(c->g, y));
  arrput(c->g->outputs, map2(c, OP_add, y, more));
  c->vars[0] = n;
}

static int turned; /* buffers with channels last */
static void check(Kept *c, const char *target, const char *what) {
  Graph *g = c->g;
  Buf why = {0};
  int n = (int)arrlen(c->prog.cells);
  Tensor *cells = arena_array(c->a, Tensor, n + 1), want, in[2];
  void **cell_data = arena_array(c->a, void *, n + 1);
  for (int i = 0; i < 2; i++) {
    in[i] = tensor_of_type(c->a, g->dims, g->input_types[i], c->vars);
    tensor_random(&in[i], (uint64_t)draw(1, 1 << 20), -1, 1);
  }
  for (int i = 0; i < n; i++) {
    cells[i] = tensor_of_type(c->a, g->dims, c->prog.cells[i].type, c->vars);
    tensor_random(&cells[i], (uint64_t)draw(1, 1 << 20), -1, 1);
    cell_data[i] = cells[i].data;
  }
  EvalEnv env = {.vars = c->vars, .inputs = in, .cells = cells};
  assert_true(graph_eval(c->a, g, &env, &want, &why));
  Entry e = {.name = "f", .kind = DNN_EXPORT, .exported = 1, .graph = g, .n_results = 1};
  for (int i = 0; i < 2; i++) arrput(e.inputs, ((Port){.name = "x", .type = g->input_types[i]}));
  arrput(e.outputs, ((Port){.name = "y", .type = graph_type(g, g->outputs[0])}));
  for (int v = 0; v < dim_var_count(g->dims); v++) arrput(e.vars, v);
  pass_absorb(g, &c->prog, &e);
  pass_simplify(g, &c->prog, &e);
  pass_dce(g, &c->prog, &e);
  Plan *p = plan_build(c->a, &c->prog, &e);
  for (int i = 0; i < arrlen(p->bufs); i++) turned += p->bufs[i].place != NULL;
  KernelTable *t = kernels_new(c->a, &c->prog, target_find(target));
  Lowered *l = lower_plan(c->a, p, t);
  Tensor first = {0};
  for (int threads = 1; threads <= 3; threads += 2) {
    Tensor got = tensor_of_type(c->a, g->dims, graph_type(g, g->outputs[0]), c->vars);
    const void *from[2] = {in[0].data, in[1].data};
    void *to[1] = {got.data};
    int64_t clock[4] = {0};
    if (!lowered_interpret(l, t, c->vars, from, to, cell_data, clock, threads, &why)) fail_msg("%s: %s", what, why.s);
    double far = tensor_diff(&want, &got);
    double largest = 1;
    for (int64_t i = 0; i < tensor_count(&want); i++) largest = fmax(largest, fabs(tensor_get(&want, i)));
    if (!(far < largest * (want.dtype == F64 ? 1e-11 : 1e-4))) {
      plan_print(p, &why);
      fail_msg("%s: %g from the evaluator's\n%s", what, far, why.s);
    }
    if (threads > 1) assert_memory_equal(first.data, got.data, (size_t)tensor_bytes(&got));
    first = got;
  }
}

static void run(const char *target, int form, DType t, int64_t n, bool free_batch, int64_t channels, int64_t out,
                int64_t side, int64_t k, int64_t step) {
  Arena *a = arena_new();
  Kept c = {.a = a};
  c.g = graph_new(a, dimtab_new(a), diag_new(a));
  c.prog = (Prog){.arena = a, .dims = c.g->dims, .diag = c.g->diag, .name = "t"};
  make(&c, form, t, n, free_batch, channels, out, side, k, step);
  check(&c, target,
        arena_printf(a, "%s form %d %s %lldx%lldx%lld -> %lld, window %lld, stride %lld", target, form, dtype_name(t),
                     (long long)n, (long long)channels, (long long)side, (long long)out, (long long)k,
                     (long long)step));
  arrfree(c.prog.cells);
  arena_free(a);
}

static void test_kept(void **state) {
  (void)state;
  static const char *const targets[] = {"x86-64-v4", "x86-64-v3", "plain"};
  if (getenv("DNN_TEST_SEED")) state_ = (uint64_t)atoll(getenv("DNN_TEST_SEED"));
  int rounds = getenv("DNN_TEST_SEEDS") ? atoi(getenv("DNN_TEST_SEEDS")) : 40;
  run("x86-64-v4", 2, F32, 1, false, 70, 96, 7, 1, 1); /* pixels as rows, the last tile of which overlaps */
  run("x86-64-v4", 1, F32, 2, true, 64, 64, 13, 1, 2); /* of every other pixel */
  run("x86-64-v4", 2, F32, 1, false, 24, 128, 7, 3, 1);
  for (int i = 0; i < rounds; i++) {
    DType t = draw(0, 6) ? F32 : F64;
    int form = (int)draw(0, 3);
    int64_t k = form == 3 ? 1 : draw(0, 2) ? 1 : 3;
    run(targets[draw(0, 5) / 2 % 3], form, t, draw(1, 3), draw(0, 1), draw(1, 90), draw(1, 80), draw(2, 9), k,
        draw(1, 2));
  }
}

static void test_chains(void **state) {
  (void)state;
  static const char *const targets[] = {"x86-64-v4", "x86-64-v3", "plain"};
  if (getenv("DNN_TEST_SEED")) state_ = (uint64_t)atoll(getenv("DNN_TEST_SEED"));
  int rounds = getenv("DNN_TEST_SEEDS") ? atoi(getenv("DNN_TEST_SEEDS")) : 16;
  turned = 0;
  for (int i = 0; i < rounds; i++) {
    Arena *a = arena_new();
    Kept c = {.a = a};
    c.g = graph_new(a, dimtab_new(a), diag_new(a));
    c.prog = (Prog){.arena = a, .dims = c.g->dims, .diag = c.g->diag, .name = "t"};
    chain(&c);
    check(&c, targets[draw(0, 5) / 2 % 3], arena_printf(a, "chain %d", i));
    arrfree(c.prog.cells);
    arena_free(a);
  }
  assert_true(turned > rounds / 4);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_kept), cmocka_unit_test(test_chains)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
