/* Gradients of random compositions of control flow, compiled and run: against the evaluator. */
#include "base/ds.h"
#include "passes/rewrite.h"
#include "tests/lib/emitted.h"
#include "tests/lib/regiongen.h"
#include <string.h>
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

static const Loc nowhere = {0};

/* The gradient of y with respect to each input of g. */
static void add_grads(Graph *g, NodeId y, NodeId *dxs) {
  NodeId in[REGIONGEN_INPUTS + 1] = {y};
  for (NodeId n = 1; n < (NodeId)arrlen(g->nodes); n++) {
    const Node *d = graph_node(g, n);
    if (d->op == OP_input) in[1 + node_int(g, d, A_index)] = n;
  }
  NodeId t = graph_add(g, OP_grad, nowhere, in, REGIONGEN_INPUTS + 1, NULL, 0, NULL);
  for (int i = 0; i < REGIONGEN_INPUTS; i++) dxs[i] = g_get(g, nowhere, t, i);
}

static void test_compiled(void **state) {
  (void)state;
  Arena *a = arena_new();
  DimTab *dims = dimtab_new(a);
  EmittedCase *cases = NULL;
  for (uint64_t seed = 401; seed <= 412; seed++) {
    Graph *g = graph_new(a, dims, diag_new(a));
    NodeId dxs[REGIONGEN_INPUTS], y = regiongen_build(g, seed, 1 + (int)(seed % 2), true);
    add_grads(g, y, dxs);
    if (seed % 3 == 0) { /* second order */
      Type t = graph_type(g, dxs[0]);
      NodeId w = g_iota(g, nowhere, t, 0);
      y = g_reduce(g, OP_sum, nowhere, g_map2(g, OP_mul, nowhere, dxs[0], w), (int[]){0}, 1);
      add_grads(g, y, dxs);
    }
    arrput(g->outputs, y);
    for (int i = 0; i < REGIONGEN_INPUTS; i++) arrput(g->outputs, dxs[i]);
    pass_nest(g, NULL, &(Entry){.nest = seed % 4 == 1 ? 2 : 1});
    pass_expand(g, NULL, NULL);
    arrput(cases, ((EmittedCase){.g = g, .seed = seed, .tolerance = 1e-9}));
  }
  emitted_check(cases, &(EmittedHow){.target = "native", .openmp = true});
  arrfree(cases);
  arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_compiled)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
