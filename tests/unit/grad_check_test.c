/* passes/grad_check.h: gradients that are right, wrong, at a kink and held fixed, in the graph and in the bodies of its
 * loops. With DNN_MUTATE_GRAD (tests/mutate) the operation of that rule must be found. */
#include "base/ds.h"
#include "passes/grad_check.h"
#include "passes/mutate.h"
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

/* The derivative of y, weighed, by the wanted inputs, and what grad_check says. */
static GradSite *check(Case *c, NodeId y) {
  NodeId in[CASE_MAX + 2] = {y};
  int n = 2;
  for (int i = 0; i < c->n_in; i++)
    if (c->wanted[i]) in[n++] = c->in[i];
  in[1] = case_like(c, y, 0.5, 2);
  NodeId d = graph_add(c->g, OP_vjp, nowhere, in, n, NULL, 0, NULL);
  arrput(c->g->outputs, g_get(c->g, nowhere, d, 0));
  Graph *wide = graph_widen(c->arena, c->g);
  Tensor values[CASE_MAX] = {0};
  for (int i = 0; i < c->n_in; i++) {
    values[i] = tensor_of_type(c->arena, c->g->dims, wide->input_types[i], c->vars);
    for (int64_t k = 0; k < c->count[i]; k++) {
      if (dtype_is_float(values[i].dtype)) tensor_set(&values[i], k, c->data[i][k]);
      else tensor_set_int(&values[i], k, (int64_t)c->data[i][k]);
    }
  }
  return grad_check(c->arena, wide, &(EvalEnv){.vars = c->vars, .inputs = values});
}

/* Every rule of ops.def on a random case: right, and with a mutant wrong, at its operation. */
static void test_rules(void **state) {
  const char *mutant = getenv("DNN_MUTATE_GRAD");
  for (int i = 0; i < case_row_count; i++) {
    const char *op = op_info[case_rows[i].op].name;
    if (mutant && strcmp(op, mutant)) continue;
    Case c = case_new(3);
    GradSite *s = check(&c, case_rows[i].build(&c));
    assert_int_equal(arrlen(s), 1);
    if (!mutant && s[0].verdict != GRAD_RIGHT)
      fail_msg("%s: verdict %d: gradient %.9g, differences %.9g %s", op, s[0].verdict, s[0].all.have, s[0].all.want,
               s[0].why ? s[0].why : "");
    bool found = false;
    for (ptrdiff_t k = 0; mutant && k < arrlen(s[0].ops); k++)
      found |= s[0].ops[k].op == case_rows[i].op && s[0].ops[k].d.verdict == GRAD_WRONG;
    if (mutant && (s[0].verdict != GRAD_WRONG || !found))
      fail_msg("%s: verdict %d (%.9g, %.9g), op %s not found", op, s[0].verdict, s[0].all.have, s[0].all.want,
               arrlen(s[0].ops) ? op_info[s[0].ops[0].op].name : "");
    grad_check_free(s);
    arena_free(c.arena);
  }
}

static NodeId vector(Case *c, int n, double lo, double hi) {
  Dim shape[1] = {dim_int(c->g->dims, n)};
  return case_input(c, F64, 1, shape, lo, hi);
}

static GradVerdict verdict(GradSite *s, Op blamed) {
  assert_int_equal(arrlen(s), 1);
  GradVerdict v = s[0].verdict;
  if (blamed != OP_NONE) {
    assert_true(arrlen(s[0].ops) >= 1);
    assert_string_equal(op_info[s[0].ops[0].op].name, op_info[blamed].name);
  }
  grad_check_free(s);
  return v;
}

/* relu at 0 is a kink, not a mistake; beside 0 it is right. */
static void test_kink(void **state) {
  for (int at = 0; at < 2; at++) {
    Case c = case_new(1);
    NodeId x = vector(&c, 3, 1, 2);
    for (int k = 0; k < 3; k++) c.data[0][k] = at;
    NodeId y = g_map2(c.g, OP_maximum, nowhere, x, g_full_like(c.g, nowhere, 0, x));
    assert_int_equal(verdict(check(&c, y), at ? OP_NONE : OP_maximum), at ? GRAD_RIGHT : GRAD_KINK);
    arena_free(c.arena);
  }
}

/* x * stop_gradient(x): right, with half of the derivative held back. */
static void test_stopped(void **state) {
  Case c = case_new(1);
  NodeId x = vector(&c, 3, 1, 2);
  GradSite *s = check(&c, g_map2(c.g, OP_mul, nowhere, x, g_map1(c.g, OP_stop_gradient, nowhere, x)));
  assert_int_equal(s[0].verdict, GRAD_RIGHT);
  assert_int_equal(arrlen(s[0].stops), 1);
  assert_float_equal(s[0].stopped, 0.5, 1e-3);
  grad_check_free(s);
  arena_free(c.arena);
}

/* x^2 with an own gradient of dy * x * factor, in the graph or in a scan over [3, 2]. */
static NodeId own_square(Graph *g, NodeId x, double factor) {
  Type t = graph_type(g, x);
  Graph *forward = graph_new(g->arena, g->dims, g->diag), *backward = graph_new(g->arena, g->dims, g->diag);
  NodeId a = g_input(forward, nowhere, t);
  arrput(forward->outputs, g_map2(forward, OP_mul, nowhere, a, a));
  NodeId b = g_input(backward, nowhere, t);
  g_input(backward, nowhere, t);
  NodeId dy = g_input(backward, nowhere, t), d = g_map2(backward, OP_mul, nowhere, dy, b);
  arrput(backward->outputs, g_map2(backward, OP_mul, nowhere, d, g_full_like(backward, nowhere, factor, d)));
  return g_get(g, nowhere,
               graph_add_region(g, OP_custom_grad, nowhere, &x, 1, NULL, 0, (Graph *[]){forward, backward}, 2), 0);
}

static void test_own(void **state) {
  for (int wrong = 0; wrong < 2; wrong++) {
    Case c = case_new(1);
    NodeId y = own_square(c.g, vector(&c, 3, 1, 2), wrong ? 1 : 2);
    assert_int_equal(verdict(check(&c, y), wrong ? OP_custom_grad : OP_NONE), wrong ? GRAD_WRONG : GRAD_RIGHT);
    arena_free(c.arena);
  }
}

static void test_in_loop(void **state) {
  for (int wrong = 0; wrong < 2; wrong++) {
    Case c = case_new(1);
    Dim two[2] = {dim_int(c.g->dims, 3), dim_int(c.g->dims, 2)};
    NodeId in[2] = {vector(&c, 2, 0.5, 1), case_input(&c, F64, 2, two, 0.5, 1)};
    Graph *body = graph_new(c.arena, c.g->dims, c.g->diag);
    Type row = graph_type(c.g, in[0]);
    NodeId carry = g_input(body, nowhere, row), x = g_input(body, nowhere, row);
    arrput(body->outputs, g_map2(body, OP_add, nowhere, own_square(body, carry, wrong ? 1 : 2), x));
    Attr attrs[3] = {attr_int(c.g, A_carried, 1), attr_int(c.g, A_rows, 1), attr_int(c.g, A_length, 3)};
    NodeId r = graph_add_region(c.g, OP_scan, nowhere, in, 2, attrs, 3, &body, 1);
    NodeId y = g_get(c.g, nowhere, r, 0);
    assert_int_equal(verdict(check(&c, y), wrong ? OP_custom_grad : OP_NONE), wrong ? GRAD_WRONG : GRAD_RIGHT);
    arena_free(c.arena);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_rules), cmocka_unit_test(test_kink),
                                     cmocka_unit_test(test_stopped), cmocka_unit_test(test_own),
                                     cmocka_unit_test(test_in_loop)};
  const struct CMUnitTest mutants[] = {cmocka_unit_test(test_rules)};
  return getenv("DNN_MUTATE_GRAD") ? cmocka_run_group_tests(mutants, NULL, NULL)
                                   : cmocka_run_group_tests(tests, NULL, NULL);
}
