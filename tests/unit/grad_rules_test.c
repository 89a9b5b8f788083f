/* Every gradient rule against finite differences in f64, first and second order, on the random cases of grad_cases.h.
 * The list of rules comes from ops.def: a differentiable op without a case fails. */
#include "ir/eval.h"
#include "passes/grad.h"
#include "passes/rewrite.h"
#include "tests/unit/grad_cases.h"
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

static Case case_new(uint64_t seed) {
  Arena *a = arena_new();
  return (Case){.arena = a, .seed = seed, .step = 1e-5, .g = graph_new(a, dimtab_new(a), diag_new(a))};
}

/* sum(y * w) with w a further input: a scalar in which every element of y counts differently. */
static NodeId weighed(Case *c, NodeId y) {
  Type t = graph_type(c->g, y);
  NodeId w = case_like(c, y, 0.5, 2);
  int axes[MAX_RANK];
  for (int k = 0; k < t.rank; k++) axes[k] = k;
  return g_reduce(c->g, OP_sum, nowhere, g_map2(c->g, OP_mul, nowhere, y, w), axes, t.rank);
}

/* The gradients of y with respect to the wanted inputs, through a node of op grad; how many. */
static int add_grad(Case *c, NodeId y, NodeId *dxs) {
  NodeId in[CASE_MAX + 1] = {y};
  int n = 0;
  for (int i = 0; i < c->n_in; i++)
    if (c->wanted[i]) in[1 + n++] = c->in[i];
  NodeId t = graph_add(c->g, OP_grad, nowhere, in, n + 1, NULL, 0, NULL);
  for (int i = 0; i < n; i++) dxs[i] = g_get(c->g, nowhere, t, i);
  return n;
}

/* sum over i of sum(dx_i * v_i), v_i fixed inputs */
static NodeId mixed(Case *c, const NodeId *dxs, int n) {
  NodeId s = 0;
  for (int i = 0; i < n; i++) {
    NodeId part = weighed(c, dxs[i]);
    c->wanted[c->n_in - 1] = false;
    part = g_cast(c->g, nowhere, part, F64);
    s = s ? g_map2(c->g, OP_add, nowhere, s, part) : part;
  }
  return s;
}

static Tensor *evaluate(Case *c) {
  Tensor in[CASE_MAX] = {0};
  for (int i = 0; i < c->n_in; i++) {
    in[i] = tensor_of_type(c->arena, c->g->dims, c->g->input_types[i], c->vars);
    assert_int_equal(tensor_count(&in[i]), c->count[i]);
    for (int64_t k = 0; k < c->count[i]; k++) {
      if (dtype_is_float(in[i].dtype)) tensor_set(&in[i], k, c->data[i][k]);
      else tensor_set_int(&in[i], k, (int64_t)c->data[i][k]);
    }
  }
  Tensor *out = arena_array(c->arena, Tensor, arrlen(c->g->outputs));
  Buf why = {0};
  if (!graph_eval(c->arena, c->g, &(EvalEnv){.vars = c->vars, .inputs = in}, out, &why)) fail_msg("eval: %s", why.s);
  return out;
}

static void expand(Case *c) {
  pass_expand(c->g, NULL, NULL);
  Buf why = {0};
  if (!graph_verify(c->g, &why)) fail_msg("after expand: %s", why.s);
  assert_int_equal(diag_errors(c->g->diag), 0);
}

/* c->g returns a scalar, then its gradients with respect to the wanted inputs: each element against
 * (f(x + h) - f(x - h)) / 2h. `label` names the case in messages. */
static void check_differences(Case *c, Case *f, const char *label) {
  Tensor *all = evaluate(c);
  int at = 1;
  for (int i = 0; i < c->n_in; i++) {
    if (!c->wanted[i]) continue;
    const Tensor *dx = &all[at++];
    for (int64_t k = 0; k < c->count[i]; k += 1 + c->count[i] / 12) {
      double x = f->data[i][k], h = c->step;
      f->data[i][k] = x + h;
      double up = tensor_get(evaluate(f), 0);
      f->data[i][k] = x - h;
      double down = tensor_get(evaluate(f), 0);
      f->data[i][k] = x;
      double want = (up - down) / (2 * h), have = tensor_get(dx, k);
      if (fabs(want - have) > 2e-5 * (1 + fabs(want)) || isnan(have))
        fail_msg("%s: input %d element %d: gradient %.9g, differences %.9g", label, i, (int)k, have, want);
    }
  }
}

/* Orders 1 and 2 of one case: c has value and gradients, f the value alone. */
static void check_case(const CaseRow *row, uint64_t seed, int order) {
  char label[64];
  snprintf(label, sizeof label, "%s, seed %d, order %d", op_info[row->op].name, (int)seed, order);
  Case two[2] = {case_new(seed), case_new(seed)};
  for (int i = 0; i < 2; i++) {
    Case *c = &two[i];
    NodeId dxs[CASE_MAX], y = weighed(c, row->build(c));
    int n;
    if (order == 2) {
      n = add_grad(c, y, dxs);
      y = mixed(c, dxs, n);
    }
    arrput(c->g->outputs, y);
    n = i == 0 ? add_grad(c, y, dxs) : 0;
    for (int k = 0; k < n; k++) arrput(c->g->outputs, dxs[k]);
    expand(c);
  }
  check_differences(&two[0], &two[1], label);
  for (int i = 0; i < 2; i++) arena_free(two[i].arena), arrfree(two[i].vars);
}

static void test_rules(void **state) {
  const char *only = getenv("DNN_MUTATE_GRAD");
  for (int i = 0; i < case_row_count; i++) {
    if (only && strcmp(only, op_info[case_rows[i].op].name)) continue;
    for (uint64_t seed = 1; seed <= 10; seed++) check_case(&case_rows[i], seed, 1);
    for (uint64_t seed = 1; seed <= 4; seed++) check_case(&case_rows[i], seed, 2);
  }
}

static void test_every_op_has_a_case(void **state) {
  for (int op = 1; op < OP_COUNT; op++) {
    if (grad_rules[op] == grad_zero || grad_rules[op] == grad_never) continue;
    bool found = false;
    for (int i = 0; i < case_row_count; i++) found |= case_rows[i].op == (Op)op;
    if (!found) fail_msg("no case for `%s`", op_info[op].name);
  }
}

/* ---- values at special points ---- */

/* The gradient of sum(op(a, b)) at n points; which = 0: to a, 1: to b. */
static void check_points(Op op, int n, const double *a, const double *b, int which, const double *want) {
  Case c = case_new(1);
  Dim shape[1] = {dim_int(c.g->dims, n)};
  NodeId x = case_input(&c, F64, 1, shape, 0, 1), y = b ? case_input(&c, F64, 1, shape, 0, 1) : 0;
  for (int k = 0; k < n; k++) {
    c.data[0][k] = a[k];
    if (b) c.data[1][k] = b[k];
  }
  NodeId r = y                           ? g_map2(c.g, op, nowhere, x, y)
             : op_info[op].cls == REDUCE ? g_reduce(c.g, op, nowhere, x, (int[]){0}, 1)
                                         : g_map1(c.g, op, nowhere, x);
  NodeId dxs[2];
  if (graph_type(c.g, r).rank) r = g_reduce(c.g, OP_sum, nowhere, r, (int[]){0}, 1);
  add_grad(&c, r, dxs);
  arrput(c.g->outputs, dxs[which]);
  expand(&c);
  Tensor *out = evaluate(&c);
  for (int k = 0; k < n; k++)
    if (tensor_get(out, k) != want[k])
      fail_msg("%s: point %d has %g, not %g", op_info[op].name, k, tensor_get(out, k), want[k]);
}

#define P(...)                                                                                                         \
  (const double[]) { __VA_ARGS__ }
static void test_special_points(void **state) {
  check_points(OP_maximum, 3, P(1, 2, NAN), P(1, 3, 1), 0, P(1, 0, 1)); /* ties and NaN: to a */
  check_points(OP_maximum, 3, P(1, 2, NAN), P(1, 3, 1), 1, P(0, 1, 0));
  check_points(OP_minimum, 3, P(1, 2, NAN), P(1, 3, 1), 0, P(1, 1, 1));
  check_points(OP_reduce_max, 4, P(1, 5, 5, 2), NULL, 0, P(0, 1, 0, 0)); /* the first */
  check_points(OP_reduce_min, 4, P(1, 5, 1, 2), NULL, 0, P(1, 0, 0, 0));
  check_points(OP_prod, 3, P(2, 0, 3), NULL, 0, P(0, 6, 0));
  check_points(OP_prod, 3, P(0, 0, 3), NULL, 0, P(0, 0, 0));
  check_points(OP_abs, 3, P(-2, 0, 2), NULL, 0, P(-1, 0, 1));
  /* as PyTorch: d 0^0 = 0, d 0^2 = 0, d 0^1 = 1; to the exponent 0 at 0^0 and 0^2 */
  check_points(OP_pow, 4, P(0, 0, 0, 2), P(0, 2, 1, 3), 0, P(0, 0, 1, 12));
  check_points(OP_pow, 3, P(0, 0, 1), P(0, 2, 3), 1, P(0, 0, 0));
}

/* ---- the meaning of grad, vjp, jvp ---- */

static Case scalars(int n, const double *v, NodeId *x) {
  Case c = case_new(7);
  for (int i = 0; i < n; i++) {
    x[i] = case_input(&c, F64, 0, NULL, 0, 1);
    c.data[i][0] = v[i];
  }
  return c;
}
static void expect_outputs(Case *c, const double *want) {
  expand(c);
  Tensor *out = evaluate(c);
  for (int i = 0; i < (int)arrlen(c->g->outputs); i++) assert_float_equal(tensor_get(&out[i], 0), want[i], 1e-9);
}
static NodeId mul2(Case *c, NodeId a, NodeId b) { return g_map2(c->g, OP_mul, nowhere, a, b); }
static NodeId grad1(Case *c, NodeId y, NodeId x) {
  NodeId in[2] = {y, x};
  return g_get(c->g, nowhere, graph_add(c->g, OP_grad, nowhere, in, 2, NULL, 0, NULL), 0);
}

/* y = a * b with b = a * a: b is cut when both are asked for, not when only a is. */
static void test_cut(void **state) {
  NodeId x[1];
  Case c = scalars(1, P(3), x);
  NodeId b = mul2(&c, x[0], x[0]), y = mul2(&c, x[0], b), in[3] = {y, x[0], b};
  NodeId both = graph_add(c.g, OP_grad, nowhere, in, 3, NULL, 0, NULL);
  arrput(c.g->outputs, g_get(c.g, nowhere, both, 0));
  arrput(c.g->outputs, g_get(c.g, nowhere, both, 1));
  arrput(c.g->outputs, grad1(&c, y, x[0]));
  arrput(c.g->outputs, grad1(&c, x[0], x[0]));
  arrput(c.g->outputs, grad1(&c, b, y)); /* does not depend on it */
  expect_outputs(&c, P(9, 3, 27, 1, 0));
}

/* third derivative of x^4 at 2 is 48; stop_gradient, floor and comparisons pass nothing */
static void test_nested_and_stopped(void **state) {
  NodeId x[1];
  Case c = scalars(1, P(2), x);
  NodeId x2 = mul2(&c, x[0], x[0]), y = mul2(&c, x2, x2);
  arrput(c.g->outputs, grad1(&c, grad1(&c, grad1(&c, y, x[0]), x[0]), x[0]));
  NodeId stop = g_map1(c.g, OP_stop_gradient, nowhere, x2), step = g_map1(c.g, OP_floor, nowhere, x2);
  arrput(c.g->outputs, grad1(&c, mul2(&c, x[0], stop), x[0]));
  arrput(c.g->outputs, grad1(&c, mul2(&c, x[0], step), x[0]));
  NodeId positive = g_map2(c.g, OP_gt, nowhere, x[0], g_full_like(c.g, nowhere, 0, x[0]));
  arrput(c.g->outputs, grad1(&c, mul2(&c, x2, g_cast(c.g, nowhere, positive, F64)), x[0]));
  expect_outputs(&c, P(48, 4, 4, 4));
}

/* y = (a b, a + b): vjp with u and jvp with v are u' J and J v */
static void test_vjp_jvp(void **state) {
  NodeId x[6];
  Case c = scalars(6, P(2, 5, 3, 7, 11, 13), x);
  Dim one = dim_int(c.g->dims, 1);
  NodeId a = x[0], b = x[1], parts[2], seeds[2];
  NodeId y2[2] = {mul2(&c, a, b), g_map2(c.g, OP_add, nowhere, a, b)};
  for (int i = 0; i < 2; i++) {
    parts[i] = g_reshape(c.g, nowhere, y2[i], 1, &one);
    seeds[i] = g_reshape(c.g, nowhere, x[2 + i], 1, &one);
  }
  NodeId y = g_concat(c.g, nowhere, parts, 2, 0), u = g_concat(c.g, nowhere, seeds, 2, 0);
  NodeId back[4] = {y, u, a, b}, forth[5] = {y, a, x[4], b, x[5]};
  NodeId v = graph_add(c.g, OP_vjp, nowhere, back, 4, NULL, 0, NULL);
  arrput(c.g->outputs, g_get(c.g, nowhere, v, 0));
  arrput(c.g->outputs, g_get(c.g, nowhere, v, 1));
  NodeId j = graph_add(c.g, OP_jvp, nowhere, forth, 5, NULL, 0, NULL);
  if (graph_type(c.g, j).dtype == TUPLE) j = g_get(c.g, nowhere, j, 0);
  int64_t step = 1;
  for (int i = 0; i < 2; i++) {
    Dim start = dim_int(c.g->dims, i);
    arrput(c.g->outputs, g_slice(c.g, nowhere, j, &start, &step, &one));
  }
  expect_outputs(&c, P(3 * 5 + 7, 3 * 2 + 7, 11 * 5 + 13 * 2, 11 + 13));
}

/* A path through an op without a derivative: one error at the op. Beside the path it is no error. */
static void test_never(void **state) {
  for (int through = 0; through < 2; through++) {
    NodeId x[1];
    Case c = scalars(1, P(2), x);
    Graph *body = graph_new(c.arena, c.g->dims, c.g->diag), *test = graph_new(c.arena, c.g->dims, c.g->diag);
    arrput(body->outputs, g_map1(body, OP_exp, nowhere, g_input(body, nowhere, type_scalar(F64))));
    NodeId t = g_input(test, nowhere, type_scalar(F64));
    arrput(test->outputs, g_map2(test, OP_lt, nowhere, t, t));
    Attr attrs[2] = {attr_int(c.g, A_carried, 1), attr_int(c.g, A_limit, -1)};
    NodeId r = graph_add_region(c.g, OP_while, nowhere, x, 1, attrs, 2, (Graph *[]){test, body}, 2);
    NodeId e = g_get(c.g, nowhere, r, 0);
    if (!through) e = g_map1(c.g, OP_stop_gradient, nowhere, e);
    arrput(c.g->outputs, grad1(&c, mul2(&c, x[0], e), x[0]));
    pass_expand(c.g, NULL, NULL);
    assert_int_equal(diag_errors(c.g->diag), through);
    Buf why = {0};
    if (!graph_verify(c.g, &why)) fail_msg("%s", why.s);
  }
}

/* Gradient nodes carry the place of the forward node. */
static void test_places(void **state) {
  NodeId x[1];
  Case c = scalars(1, P(2), x);
  Loc here = {1, 10, 20};
  arrput(c.g->outputs, grad1(&c, g_map1(c.g, OP_sin, here, x[0]), x[0]));
  expand(&c);
  int cosines = 0;
  for (NodeId n = 1; n < (NodeId)arrlen(c.g->nodes); n++) {
    if (graph_node(c.g, n)->op != OP_cos) continue;
    cosines++;
    assert_int_equal(graph_node(c.g, n)->loc.begin, 10);
  }
  assert_int_equal(cosines, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_op_has_a_case),
                                     cmocka_unit_test(test_rules),
                                     cmocka_unit_test(test_special_points),
                                     cmocka_unit_test(test_cut),
                                     cmocka_unit_test(test_nested_and_stopped),
                                     cmocka_unit_test(test_vjp_jvp),
                                     cmocka_unit_test(test_never),
                                     cmocka_unit_test(test_places)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
