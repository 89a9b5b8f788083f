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
  for (int i = 1; i < pass_count; i++) {
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

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_unrolled), cmocka_unit_test(test_unrolled_twice),
                                     cmocka_unit_test(test_unrolled_thrice), cmocka_unit_test(test_differences)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
