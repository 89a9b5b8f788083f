/* vmap: the expanded graph equals the loop, for every op of the table, each choice of operands that have lanes, a
 * constant and a run-time number of lanes, once and twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/ds.h"
#include "passes/rewrite.h"
#include "tests/lib/lanes.h"
#include "tests/lib/opgen.h"
#include <math.h>

enum { MOST_LANES = 4 };

/* Rounding of a dtype: the order of sums may differ. */
static double rounding(DType t) { return t == F16 ? 1e-2 : t == BF16 ? 5e-2 : t == F32 ? 1e-5 : 1e-12; }

/* The elements, the first one last, k times: what chooses among elements gets the same ones for every seed. */
static void rotate(Arena *a, Tensor *t, int k) {
  int64_t n = tensor_count(t);
  Tensor old = {t->dtype, t->rank, {0}, arena_copy(a, t->data, (size_t)tensor_bytes(t))};
  for (int64_t i = 0; i < n; i++) tensor_set(t, i, tensor_get(&old, (i + k) % n));
}

/* The body's inputs for each of n lanes. */
static Tensor **inputs_of_lanes(Arena *a, const Graph *body, Op op, uint64_t seed, const int64_t *vars, int n) {
  Tensor **lane = arena_array(a, Tensor *, n + 1);
  bool chooses = op_info[op].cls == WINDOW || op_info[op].cls == REDUCE;
  for (int l = 0; l < n; l++) {
    lane[l] = opgen_inputs(a, body, seed * 16 + (uint64_t)l, vars);
    if (chooses && dtype_is_float(lane[l][0].dtype)) rotate(a, &lane[l][0], l);
  }
  return lane;
}

/* One case of an op; false when there is none of this dtype. `twice`: under two vmaps. */
static bool check_op(Op op, DType dt, uint64_t seed, bool twice) {
  Arena *a = arena_new();
  Graph *body = graph_new(a, dimtab_new(a), NULL);
  NodeId y;
  bool is = opgen_case(a, body, op, dt, seed, &y);
  int most_rank = is ? graph_type(body, y).rank : 0, n = body->n_inputs;
  for (int i = 0; i < n; i++)
    if (body->input_types[i].rank > most_rank) most_rank = body->input_types[i].rank;
  if (is && most_rank + (twice ? 2 : 1) <= MAX_RANK) {
    int64_t lanes = 1 + (int64_t)(seed % 3);
    uint64_t rows = seed % ((uint64_t)1 << n), outer = (seed / 3) % ((uint64_t)1 << n);
    Dim length = seed % 5 ? dim_int(body->dims, lanes) : dim_var(body->dims, "L", MOST_LANES);
    int64_t *vars = opgen_vars(a, body, seed);
    if (seed % 5 == 0) lanes = dim_eval(body->dims, length, vars);
    Graph *g = lanes_graph(a, graph_clone(a, body), rows, length);
    Tensor **lane = inputs_of_lanes(a, body, op, seed, vars, (int)lanes + 1);
    Tensor *in = lanes_inputs(a, g, rows, lane, (int)lanes, vars);
    double d = lanes_differ(a, g, vars, in);
    if (twice) {
      Tensor *both[2] = {in, lanes_inputs(a, g, rows, lane + 1, (int)lanes, vars)};
      Graph *h = lanes_graph(a, g, outer, dim_int(body->dims, 2));
      d = lanes_differ(a, h, vars, lanes_inputs(a, h, outer, both, 2, vars));
    }
    if (!(d <= rounding(dt))) {
      Buf text = {0};
      graph_print(g, &text);
      fail_msg("%s %s seed %d: differs by %g\n%s", op_info[op].name, dtype_name(dt), (int)seed, d, text.s);
    }
  }
  arena_free(a);
  return is;
}

static void check_all(bool twice) {
  for (Op op = 1; op < OP_COUNT; op++) {
    int cases = 0;
    for (DType dt = 0; dt < TUPLE; dt++)
      for (uint64_t seed = 0; seed < (twice ? 7u : 16u); seed++) cases += check_op(op, dt, seed, twice);
    OpClass c = op_info[op].cls;
    if (c != REGION && c != META && op != OP_cell && !cases) fail_msg("`%s` has no case", op_info[op].name);
  }
}
static void test_ops(void **state) { check_all(false); }
static void test_ops_nested(void **state) { check_all(true); }

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_ops), cmocka_unit_test(test_ops_nested)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
