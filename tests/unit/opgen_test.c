/* Every case of the generator is a valid graph, survives printing, and is evaluated; every op has one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/ds.h"
#include "tests/lib/opgen.h"
#include <stdio.h>
#include <string.h>

/* print(parse(print(g))) == print(g) */
static void check_text(Arena *a, const Graph *g) {
  Buf one = {0}, two = {0}, why = {0};
  graph_print(g, &one);
  Graph *h = graph_parse(a, dimtab_new(a), NULL, one.s, &why);
  if (!h) fail_msg("%s\n%s", why.s, one.s);
  if (!graph_verify(h, &why)) fail_msg("%s\n%s", why.s, one.s);
  graph_print(h, &two);
  assert_string_equal(one.s, two.s);
  buf_free(&one);
  buf_free(&two);
}

static void check_case(Graph *g, Op op, DType dt, uint64_t seed) {
  Buf why = {0};
  if (!graph_verify(g, &why)) {
    graph_print(g, &why);
    fail_msg("%s %s seed %d: %s", op_info[op].name, dtype_name(dt), (int)seed, why.s);
  }
  check_text(g->arena, g);
  int64_t *vars = opgen_vars(g->arena, g, seed);
  Tensor *in = opgen_inputs(g->arena, g, seed, vars), *out = opgen_eval(g->arena, g, vars, in);
  assert_int_equal(out->dtype, graph_type(g, g->outputs[0]).dtype);
  for (NodeId id = 1; id < (NodeId)arrlen(g->nodes); id++) {
    int64_t flops = dim_eval(g->dims, node_flops(g, id), vars), bytes = dim_eval(g->dims, node_bytes(g, id), vars);
    assert_true(flops >= 0 && bytes >= 0 && bytes < 4000000);
  }
}

static void test_all(void **state) {
  (void)state;
  for (Op op = 1; op < OP_COUNT; op++) {
    int cases = 0, symbolic = 0;
    for (DType dt = 0; dt < TUPLE; dt++) {
      for (uint64_t seed = 0; seed < 12; seed++) {
        Arena *a = arena_new();
        Graph *g = graph_new(a, dimtab_new(a), NULL);
        NodeId y;
        if (opgen_case(a, g, op, dt, seed, &y)) {
          cases++;
          symbolic += dim_var_count(g->dims) > 0;
          check_case(g, op, dt, seed);
        }
        arena_free(a);
      }
    }
    OpClass c = op_info[op].cls;
    if (c != REGION && c != META && op != OP_cell) assert_true(cases >= 12);
    if (c == MAP || c == CONTRACT || c == VIEW || c == REDUCE) assert_true(symbolic > 0);
  }
}

/* f64 and f32 of one graph agree up to rounding: widen keeps the meaning. */
static void test_widen(void **state) {
  (void)state;
  for (Op op = 1; op < OP_COUNT; op++) {
    for (uint64_t seed = 0; seed < 4; seed++) {
      Arena *a = arena_new();
      Graph *g = graph_new(a, dimtab_new(a), NULL);
      NodeId y;
      if (opgen_grad_case(a, g, op, F32, seed, &y)) {
        Buf why = {0};
        Graph *w = graph_widen(a, g);
        if (!graph_verify(w, &why)) fail_msg("%s: %s", op_info[op].name, why.s);
        int64_t *vars = opgen_vars(a, g, seed);
        Tensor *in = opgen_inputs(a, g, seed, vars), *wide = arena_array(a, Tensor, g->n_inputs);
        for (int i = 0; i < g->n_inputs; i++) {
          wide[i] = tensor_of_type(a, g->dims, w->input_types[i], vars);
          for (int64_t k = 0; k < tensor_count(&in[i]); k++) {
            if (dtype_is_float(in[i].dtype)) tensor_set(&wide[i], k, tensor_get(&in[i], k));
            else tensor_set_int(&wide[i], k, tensor_get_int(&in[i], k));
          }
        }
        double p = tensor_get(opgen_eval(a, g, vars, in), 0), q = tensor_get(opgen_eval(a, w, vars, wide), 0);
        double size = 1 + (p < 0 ? -p : p), most = op == OP_cast ? 1e-2 : 1e-3; /* a cast may go through bf16 */
        if (!((p - q) / size < most && (q - p) / size < most))
          fail_msg("%s seed %d: %g %g", op_info[op].name, (int)seed, p, q);
      }
      arena_free(a);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_all), cmocka_unit_test(test_widen)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
