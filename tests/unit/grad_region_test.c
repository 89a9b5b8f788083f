/* Gradients through regions: equal to those of the unrolled computation, first and second order, on random compositions
 * of scan, while, cond, checkpoint and custom_grad; and to finite differences. */
#include "base/ds.h"
#include "ir/eval.h"
#include "passes/grad.h"
#include "passes/rewrite.h"
#include "tests/lib/regiongen.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

static const Loc nowhere = {0};
enum { COMPOSITIONS = 120 };

static NodeId *inputs_of(const Graph *g) {
  NodeId *in = arena_array(g->arena, NodeId, g->n_inputs);
  for (NodeId n = 1; n < (NodeId)arrlen(g->nodes); n++) {
    const Node *d = graph_node(g, n);
    if (d->op == OP_input) in[node_int(g, d, A_index)] = n;
  }
  return in;
}

/* Gradients of y with respect to all inputs. */
static void add_grads(Graph *g, NodeId y, NodeId *dxs) {
  NodeId in[REGIONGEN_INPUTS + 1] = {y};
  memcpy(in + 1, inputs_of(g), sizeof *in * REGIONGEN_INPUTS);
  NodeId t = graph_add(g, OP_grad, nowhere, in, REGIONGEN_INPUTS + 1, NULL, 0, NULL);
  for (int i = 0; i < REGIONGEN_INPUTS; i++) dxs[i] = g_get(g, nowhere, t, i);
}

/* A scalar of all gradients, in which every element counts differently. */
static NodeId mixed(Graph *g, const NodeId *dxs) {
  NodeId s = 0;
  for (int i = 0; i < REGIONGEN_INPUTS; i++) {
    Type t = graph_type(g, dxs[i]);
    NodeId w = g_map1(g, OP_cos, nowhere, g_iota(g, nowhere, t, t.rank - 1));
    NodeId part = g_reduce(g, OP_sum, nowhere, g_map2(g, OP_mul, nowhere, dxs[i], w), (int[]){0, 1}, t.rank);
    s = s ? g_map2(g, OP_add, nowhere, s, part) : part;
  }
  return s;
}

/* Outputs: y or, of order 2, the mixture of its gradients; then the gradients of that. */
static void finish(Graph *g, int order) {
  NodeId y = g->outputs[0], dxs[REGIONGEN_INPUTS];
  for (int k = 1; k < order; k++) {
    add_grads(g, y, dxs);
    y = mixed(g, dxs);
  }
  add_grads(g, y, dxs);
  arrsetlen(g->outputs, 0);
  arrput(g->outputs, y);
  for (int i = 0; i < REGIONGEN_INPUTS; i++) arrput(g->outputs, dxs[i]);
}

static void expand(Graph *g, const char *label) {
  pass_expand(g, NULL, NULL);
  Buf why = {0};
  if (!graph_verify(g, &why)) fail_msg("%s after expand: %s", label, why.s);
  assert_int_equal(diag_errors(g->diag), 0);
}

/* The rest of the pipeline, the graph verified after each pass. */
static void run_passes(Graph *g, const char *label) {
  for (int i = 0; i < pass_count; i++) {
    Buf why = {0};
    pass_table[i].run(g, NULL, NULL);
    if (!graph_verify(g, &why)) fail_msg("%s after %s: %s", label, pass_table[i].name, why.s);
  }
}

static Tensor *random_inputs(Arena *a, const Graph *g, uint64_t seed) {
  Tensor *in = arena_array(a, Tensor, g->n_inputs);
  for (int i = 0; i < g->n_inputs; i++) {
    in[i] = tensor_of_type(a, g->dims, g->input_types[i], NULL);
    tensor_random(&in[i], seed * 16 + (uint64_t)i, -1, 1);
  }
  return in;
}

static Tensor *evaluate(Arena *a, const Graph *g, const Tensor *in) {
  Tensor *out = arena_array(a, Tensor, arrlen(g->outputs));
  Buf why = {0};
  if (!graph_eval(a, g, &(EvalEnv){.inputs = in}, out, &why)) fail_msg("eval: %s", why.s);
  return out;
}

static void check_equal(const Tensor *have, const Tensor *want, int n, double within, const char *label) {
  for (int i = 0; i < n; i++) {
    double d = tensor_diff(&have[i], &want[i]);
    if (!(d <= within)) fail_msg("%s: output %d differs by %g", label, i, d);
  }
}

static void check_composition(uint64_t seed, int depth, int order) {
  Arena *a = arena_new();
  char label[64];
  snprintf(label, sizeof label, "seed %d, depth %d, order %d", (int)seed, depth, order);
  Graph *g = graph_new(a, dimtab_new(a), diag_new(a));
  arrput(g->outputs, regiongen_build(g, seed, depth, true));
  Graph *flat = regiongen_unroll(a, g);
  Tensor *in = random_inputs(a, g, seed);
  finish(g, order), finish(flat, order);
  expand(g, label), expand(flat, label);
  Tensor *want = evaluate(a, flat, in);
  check_equal(evaluate(a, g, in), want, 1 + REGIONGEN_INPUTS, 1e-9, label);
  run_passes(g, label);
  check_equal(evaluate(a, g, in), want, 1 + REGIONGEN_INPUTS, 1e-9, label);
  arena_free(a);
}

static void test_unrolled(void **state) {
  for (uint64_t seed = 1; seed <= COMPOSITIONS; seed++) check_composition(seed, 1 + (int)(seed % 3), 1);
}

static void test_unrolled_twice(void **state) {
  for (uint64_t seed = 1; seed <= COMPOSITIONS; seed++) check_composition(seed, 1 + (int)(seed % 2), 2);
}

static void test_unrolled_thrice(void **state) {
  for (uint64_t seed = 1; seed <= 12; seed++) check_composition(seed, 1, 3);
}

/* Directional derivatives, which are reverse accumulation twice. */
static void test_jvp(void **state) {
  for (uint64_t seed = 501; seed <= 530; seed++) {
    Arena *a = arena_new();
    Graph *g = graph_new(a, dimtab_new(a), diag_new(a));
    arrput(g->outputs, regiongen_build(g, seed, 2, true));
    Graph *both[2] = {g, regiongen_unroll(a, g)};
    Tensor *in = random_inputs(a, g, seed);
    for (int k = 0; k < 2; k++) {
      NodeId *x = inputs_of(both[k]), args[1 + 2 * REGIONGEN_INPUTS] = {both[k]->outputs[0]};
      for (int i = 0; i < REGIONGEN_INPUTS; i++) {
        args[1 + 2 * i] = x[i];
        args[2 + 2 * i] = g_map1(both[k], OP_cos, nowhere, x[i]);
      }
      both[k]->outputs[0] = graph_add(both[k], OP_jvp, nowhere, args, 1 + 2 * REGIONGEN_INPUTS, NULL, 0, NULL);
      expand(both[k], "jvp");
    }
    Tensor *want = evaluate(a, both[1], in);
    check_equal(evaluate(a, g, in), want, 1, 1e-9, "jvp");
    run_passes(g, "jvp");
    check_equal(evaluate(a, g, in), want, 1, 1e-9, "jvp, all passes");
    arena_free(a);
  }
}

/* Nothing but values is used here: (f(x + h) - f(x - h)) / 2h. */
static void test_differences(void **state) {
  for (uint64_t seed = 201; seed <= 230; seed++) {
    Arena *a = arena_new();
    int order = 1 + (int)(seed % 2);
    Graph *g = graph_new(a, dimtab_new(a), diag_new(a));
    arrput(g->outputs, regiongen_build(g, seed, 2, false));
    Tensor *in = random_inputs(a, g, seed);
    finish(g, order);
    expand(g, "differences");
    Tensor *out = evaluate(a, g, in);
    for (int i = 0; i < REGIONGEN_INPUTS; i++)
      for (int64_t k = 0; k < tensor_count(&in[i]); k++) {
        double x = tensor_get(&in[i], k), h = 1e-5;
        tensor_set(&in[i], k, x + h);
        double up = tensor_get(evaluate(a, g, in), 0);
        tensor_set(&in[i], k, x - h);
        double down = tensor_get(evaluate(a, g, in), 0), want = (up - down) / (2 * h),
               have = tensor_get(&out[1 + i], k);
        tensor_set(&in[i], k, x);
        if (!(fabs(have - want) <= 1e-5 * (1 + fabs(want))))
          fail_msg("seed %d: input %d element %d: gradient %.9g, differences %.9g", (int)seed, i, (int)k, have, want);
      }
    arena_free(a);
  }
}

/* Adapts w to a task, fast = w - 0.1 dl(w, task)/dw with l = sum(cos(w task)^2), and adds l(fast, task) to the loss.
 * The adaptation is in the body, a grad in a loop; or the tasks are unrolled by hand. */
static NodeId task_loss(Graph *g, NodeId w, NodeId task) {
  NodeId c = g_map1(g, OP_cos, nowhere, g_map2(g, OP_mul, nowhere, w, task));
  return g_reduce(g, OP_sum, nowhere, g_map2(g, OP_mul, nowhere, c, c), (int[]){0}, 1);
}
static NodeId adapted_loss(Graph *g, NodeId w, NodeId task, int steps) {
  NodeId fast = w;
  for (int k = 0; k < steps; k++) {
    NodeId t = graph_add(g, OP_grad, nowhere, (NodeId[]){task_loss(g, fast, task), fast}, 2, NULL, 0, NULL);
    NodeId slope = g_get(g, nowhere, t, 0), rate = g_full_like(g, nowhere, 0.1, slope);
    fast = g_map2(g, OP_sub, nowhere, fast, g_map2(g, OP_mul, nowhere, rate, slope));
  }
  return task_loss(g, fast, task);
}

static void test_maml(void **state) {
  for (int steps = 1; steps <= 3; steps++) {
    Arena *a = arena_new();
    Dim shape[2] = {0}, one;
    Graph *g[2];
    DimTab *dims = dimtab_new(a);
    shape[0] = dim_int(dims, 4), shape[1] = dim_int(dims, 3), one = dim_int(dims, 1);
    for (int flat = 0; flat < 2; flat++) {
      Graph *m = g[flat] = graph_new(a, dims, diag_new(a)), *body = graph_new(a, dims, diag_new(a));
      NodeId w = g_input(m, nowhere, type_of(a, F64, 1, shape + 1)),
             tasks = g_input(m, nowhere, type_of(a, F64, 2, shape));
      NodeId y = g_full(m, nowhere, 0, type_scalar(F64));
      if (flat) {
        for (int k = 0; k < 4; k++) {
          Dim start[2] = {dim_int(dims, k), dim_int(dims, 0)}, size[2] = {one, shape[1]};
          NodeId row = g_slice(m, nowhere, tasks, start, (int64_t[]){1, 1}, size);
          y = g_map2(m, OP_add, nowhere, y, adapted_loss(m, w, g_reshape(m, nowhere, row, 1, shape + 1), steps));
        }
      } else {
        NodeId sum = g_input(body, nowhere, type_scalar(F64)), x = g_input(body, nowhere, graph_type(m, w));
        NodeId v = g_input(body, nowhere, graph_type(m, w));
        arrput(body->outputs, g_map2(body, OP_add, nowhere, sum, adapted_loss(body, v, x, steps)));
        Attr attrs[3] = {attr_int(m, A_carried, 1), attr_int(m, A_rows, 1), attr_int(m, A_length, 4)};
        NodeId in[3] = {y, tasks, w};
        y = g_get(m, nowhere, graph_add_region(m, OP_scan, nowhere, in, 3, attrs, 3, &body, 1), 0);
      }
      NodeId t = graph_add(m, OP_grad, nowhere, (NodeId[]){y, w, tasks}, 3, NULL, 0, NULL);
      arrput(m->outputs, y);
      arrput(m->outputs, g_get(m, nowhere, t, 0));
      arrput(m->outputs, g_get(m, nowhere, t, 1));
    }
    Tensor *in = random_inputs(a, g[0], 77);
    for (int k = 0; k < 2; k++) expand(g[k], "maml");
    Tensor *want = evaluate(a, g[1], in);
    check_equal(evaluate(a, g[0], in), want, 3, 1e-12, "maml");
    assert_true(fabs(tensor_get(&want[1], 0)) > 1e-3);
    run_passes(g[0], "maml");
    check_equal(evaluate(a, g[0], in), want, 3, 1e-12, "maml, all passes");
    arena_free(a);
  }
}

/* Segments of any depth change no value and no gradient: lengths that divide and others, loops in both directions. */
static void test_nested(void **state) {
  for (uint64_t seed = 301; seed <= 360; seed++) {
    Arena *a = arena_new();
    char label[64];
    int depth = 2 + (int)(seed % 3);
    snprintf(label, sizeof label, "seed %d in %d levels", (int)seed, depth);
    Graph *g = graph_new(a, dimtab_new(a), diag_new(a));
    arrput(g->outputs, regiongen_build_long(g, seed, 1, 23));
    Graph *nested = graph_clone(a, g);
    Tensor *in = random_inputs(a, g, seed);
    finish(g, 1 + (int)(seed % 2)), finish(nested, 1 + (int)(seed % 2));
    pass_nest(nested, NULL, &(Entry){.nest = depth});
    expand(g, label), expand(nested, label);
    Tensor *want = evaluate(a, g, in);
    check_equal(evaluate(a, nested, in), want, 1 + REGIONGEN_INPUTS, 1e-9, label);
    run_passes(nested, label);
    check_equal(evaluate(a, nested, in), want, 1 + REGIONGEN_INPUTS, 1e-9, label);
    arena_free(a);
  }
}

/* h = tanh(h W) n times, the loss sum(h): its gradient with respect to W. */
static Entry long_loop(Prog *p, int64_t length) {
  Graph *g = graph_new(p->arena, p->dims, p->diag), *b = graph_new(p->arena, p->dims, p->diag);
  Dim shape[2] = {dim_int(p->dims, 16), dim_int(p->dims, 16)};
  Type square = type_of(p->arena, F32, 2, shape);
  NodeId in[2] = {g_input(g, nowhere, square), g_input(g, nowhere, square)};
  NodeId h = g_input(b, nowhere, square), w = g_input(b, nowhere, square);
  arrput(b->outputs,
         g_map1(b, OP_tanh, nowhere, g_dot(b, nowhere, h, w, (int[]){0, 1}, (int[]){1, 2}, (int[]){0, 2}, 2)));
  Attr attrs[3] = {attr_int(g, A_carried, 1), attr_int(g, A_rows, 0), attr_int(g, A_length, length)};
  NodeId t = graph_add_region(g, OP_scan, nowhere, in, 2, attrs, 3, &b, 1);
  NodeId y = g_reduce(g, OP_sum, nowhere, g_get(g, nowhere, t, 0), (int[]){0, 1}, 2);
  t = graph_add(g, OP_grad, nowhere, (NodeId[]){y, in[1]}, 2, NULL, 0, NULL);
  arrput(g->outputs, g_get(g, nowhere, t, 0));
  Entry e = {.name = "f", .kind = DNN_EXPORT, .graph = g, .n_results = 1};
  for (int i = 0; i < 2; i++) arrput(e.inputs, ((Port){.name = i ? "w" : "h", .type = square}));
  arrput(e.outputs, ((Port){.name = "dw", .type = square}));
  return e;
}

/* 10,000 iterations of 1 KB: 20 MB without a limit. Two levels keep some 200 states and products, three 66, and so on;
 * what cannot be met is told. */
static void test_memory_limit(void **state) {
  static const int64_t limits[] = {64 << 20, 1 << 20, 200 << 10, 100 << 10};
  int before = 0;
  for (int i = 0; i < 4; i++) {
    Arena *a = arena_new();
    Prog p = {.arena = a, .dims = dimtab_new(a), .diag = diag_new(a), .name = "model"};
    Entry e = long_loop(&p, 10000);
    int64_t least;
    assert_true(pipeline_within(&p, &e, &(PipelineOpts){.verify = true}, &(PipelineRoom){limits[i]}, &least));
    Plan *plan = plan_build(a, &p, &e);
    if (plan->peak > limits[i]) fail_msg("%d bytes, not %d", (int)plan->peak, (int)limits[i]);
    if (e.nest <= before) fail_msg("limit %d: %d levels after %d", (int)limits[i], e.nest, before);
    before = e.nest;
    arena_free(a);
  }
  Arena *a = arena_new();
  Prog p = {.arena = a, .dims = dimtab_new(a), .diag = diag_new(a), .name = "model"};
  Entry e = long_loop(&p, 10000);
  int64_t least;
  assert_true(pipeline_within(&p, &e, &(PipelineOpts){.verify = true}, &(PipelineRoom){4096}, &least));
  assert_true(least > 4096 && least < 100 << 10);
  arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_unrolled),
                                     cmocka_unit_test(test_unrolled_twice),
                                     cmocka_unit_test(test_unrolled_thrice),
                                     cmocka_unit_test(test_differences),
                                     cmocka_unit_test(test_jvp),
                                     cmocka_unit_test(test_maml),
                                     cmocka_unit_test(test_nested),
                                     cmocka_unit_test(test_memory_limit)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
