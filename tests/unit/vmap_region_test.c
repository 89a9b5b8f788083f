/* vmap of loops, branches and calls, random compositions of them, and gradients inside and outside: the expanded graph
 * equals the lanes computed one after the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/ds.h"
#include "passes/rewrite.h"
#include "tests/lib/lanes.h"
#include "tests/lib/opgen.h"
#include "tests/lib/regiongen.h"
#include <math.h>
#include <stdlib.h>

static const Loc here = {0};

static Graph *new_graph(Arena *a) { return graph_new(a, dimtab_new(a), diag_new(a)); }

static Graph *composition(Arena *a, uint64_t seed, int depth) {
  Graph *g = new_graph(a);
  NodeId y = regiongen_build(g, seed, depth, true);
  arrput(g->outputs, y);
  return g;
}

/* Gradients of output 0 by the float inputs, as further outputs. */
static void add_gradients(Graph *g) {
  NodeId in[16] = {g->outputs[0]};
  int n = 1;
  for (NodeId id = 1; id < (NodeId)arrlen(g->nodes); id++) {
    const Node *x = graph_node(g, id);
    if (x->op == OP_input && dtype_is_float(x->type.dtype)) in[n++] = id;
  }
  NodeId d = graph_add(g, OP_grad, here, in, n, NULL, 0, NULL);
  for (int i = 0; i < n - 1; i++) arrput(g->outputs, g_get(g, here, d, i));
}

static Tensor *random_inputs(Arena *a, const Graph *g, uint64_t seed, const int64_t *vars) {
  Tensor *in = arena_array(a, Tensor, g->n_inputs + 1);
  for (int i = 0; i < g->n_inputs; i++) {
    in[i] = tensor_of_type(a, g->dims, g->input_types[i], vars);
    tensor_random(&in[i], seed * 31 + (uint64_t)i, -1, 1);
  }
  return in;
}

static void expect_same(Arena *a, const Graph *want, const Graph *have, uint64_t seed, const char *what) {
  Buf why = {0};
  if (!graph_verify(have, &why)) fail_msg("%s seed %d: %s", what, (int)seed, why.s);
  int64_t *vars = opgen_vars(a, want, seed);
  Tensor *in = random_inputs(a, want, seed, vars);
  Tensor *x = opgen_eval(a, want, vars, in), *y = opgen_eval(a, have, vars, in);
  assert_int_equal(arrlen(want->outputs), arrlen(have->outputs));
  for (int i = 0; i < (int)arrlen(want->outputs); i++) {
    double d = tensor_diff(&x[i], &y[i]);
    if (d <= 1e-11) continue;
    tensor_print(&why, &x[i], 20), buf_char(&why, '\n');
    tensor_print(&why, &y[i], 20), buf_char(&why, '\n');
    graph_print(want, &why);
    fail_msg("%s seed %d: output %d differs by %g\n%s", what, (int)seed, i, d, why.s);
  }
}

static Graph *expanded(Arena *a, const Graph *g) {
  Graph *flat = graph_clone(a, g);
  pass_expand(flat, NULL, NULL);
  return flat;
}

/* y[l] * (l + 1) summed over the lanes */
static NodeId weighted(Graph *g, NodeId y) {
  Type t = graph_type(g, y);
  NodeId n = g_iota(g, here, t, 0), w = g_map2(g, OP_add, here, n, g_full_like(g, here, 1, n));
  return g_reduce(g, OP_sum, here, g_map2(g, OP_mul, here, y, w), (int[]){0}, 1);
}

/* The same without vmap: the body once for each lane. */
static Graph *lane_after_lane(Arena *a, const Graph *body, uint64_t rows, int64_t lanes) {
  Graph *g = graph_new(a, body->dims, body->diag);
  NodeId in[16], own[16], sum = 0, y;
  for (int i = 0; i < body->n_inputs; i++) {
    Type t = body->input_types[i];
    Dim shape[MAX_RANK + 1] = {dim_int(g->dims, lanes)};
    for (int k = 0; k < t.rank; k++) shape[k + 1] = t.shape[k];
    in[i] = g_input(g, here, rows >> i & 1 ? type_of(a, t.dtype, t.rank + 1, shape) : t);
  }
  for (int64_t l = 0; l < lanes; l++) {
    NodeId at = g_full(g, here, (double)l, type_scalar(I32));
    for (int i = 0; i < body->n_inputs; i++) own[i] = rows >> i & 1 ? g_gather(g, here, in[i], at, 0, 0) : in[i];
    graph_inline(g, body, own, &y);
    y = g_map2(g, OP_mul, here, y, g_full_like(g, here, (double)(l + 1), y));
    sum = sum ? g_map2(g, OP_add, here, sum, y) : y;
  }
  arrput(g->outputs, sum);
  return g;
}

enum { COMPOSITIONS = 100 };
static uint64_t some_rows(uint64_t seed, int n) { return (seed * 2654435761u >> 7) % (((uint64_t)1 << n) - 1) + 1; }

static void test_values(void **state) {
  for (uint64_t seed = 0; seed < COMPOSITIONS; seed++) {
    Arena *a = arena_new();
    Graph *body = composition(a, seed, 1 + (int)(seed % 2));
    Dim length = seed % 4 ? dim_int(body->dims, 1 + (int64_t)(seed % 3)) : dim_var(body->dims, "L", 4);
    Graph *g = lanes_graph(a, body, some_rows(seed, REGIONGEN_INPUTS), length);
    expect_same(a, g, expanded(a, g), seed, "values");
    Graph *twice = lanes_graph(a, g, some_rows(seed + 9, REGIONGEN_INPUTS), dim_int(body->dims, 2));
    expect_same(a, twice, expanded(a, twice), seed, "values twice");
    arena_free(a);
  }
}

static void test_gradient_inside(void **state) {
  for (uint64_t seed = 0; seed < COMPOSITIONS; seed++) {
    Arena *a = arena_new();
    Graph *body = composition(a, seed, 1);
    add_gradients(body);
    uint64_t rows = some_rows(seed, REGIONGEN_INPUTS);
    Dim length = dim_int(body->dims, 3);
    Graph *loop = lanes_graph(a, expanded(a, body), rows, length), *g = lanes_graph(a, body, rows, length);
    expect_same(a, loop, expanded(a, g), seed, "gradient inside");
    arena_free(a);
  }
}

static void test_gradient_outside(void **state) {
  for (uint64_t seed = 0; seed < COMPOSITIONS; seed++) {
    Arena *a = arena_new();
    Graph *body = composition(a, seed, 1);
    uint64_t rows = some_rows(seed, REGIONGEN_INPUTS);
    Graph *one = lane_after_lane(a, body, rows, 3),
          *g = lanes_graph(a, graph_clone(a, body), rows, dim_int(body->dims, 3));
    g->outputs[0] = weighted(g, g->outputs[0]);
    add_gradients(one);
    add_gradients(g);
    expect_same(a, expanded(a, one), expanded(a, g), seed, "gradient outside");
    arena_free(a);
  }
}

/* ---- Jacobians ---- */

/* d y / d x with y's axes first, row by row: the gradients of y's elements, y being a vector. */
static NodeId rows_by_grad(Graph *g, NodeId y, NodeId x, int64_t n) {
  NodeId row[16];
  Type t = graph_type(g, x);
  Dim shape[MAX_RANK + 1] = {dim_int(g->dims, 1)};
  for (int k = 0; k < t.rank; k++) shape[k + 1] = t.shape[k];
  for (int64_t i = 0; i < n; i++) {
    NodeId at = g_full(g, here, (double)i, type_scalar(I32)), in[2] = {g_gather(g, here, y, at, 0, 0), x};
    NodeId d = g_get(g, here, graph_add(g, OP_grad, here, in, 2, NULL, 0, NULL), 0);
    row[i] = g_reshape(g, here, d, t.rank + 1, shape);
  }
  return g_concat(g, here, row, (int)n, 0);
}

static NodeId jacobian(Graph *g, NodeId y, NodeId x) {
  NodeId in[2] = {y, x};
  return g_get(g, here, graph_add(g, OP_jacobian, here, in, 2, NULL, 0, NULL), 0);
}

/* A vector of a composition, repeated where it is to have more elements than x. */
static Graph *vector_of(Arena *a, uint64_t seed, bool tall, NodeId *x, NodeId *y) {
  Graph *g = new_graph(a);
  NodeId sum = regiongen_build(g, seed, (int)(seed % 2), true);
  *x = 0, *y = graph_node(g, sum)->in[0];
  for (NodeId id = 1; id < (NodeId)arrlen(g->nodes); id++) {
    const Node *n = graph_node(g, id);
    if (n->op == OP_input && node_int(g, n, A_index) == (int64_t)(seed % REGIONGEN_INPUTS)) *x = id;
  }
  if (tall) {
    NodeId three[3] = {*y, g_map1(g, OP_sin, here, *y), g_map2(g, OP_mul, here, *y, *y)};
    *y = g_concat(g, here, three, 3, 0);
  }
  return g;
}

static void test_jacobian(void **state) {
  for (uint64_t seed = 0; seed < 60; seed++) {
    Arena *a = arena_new();
    bool tall = seed / 4 % 2;
    NodeId x = 0, y;
    Graph *g = vector_of(a, seed, tall, &x, &y), *rows = graph_clone(a, g);
    arrput(g->outputs, jacobian(g, y, x));
    arrput(rows->outputs, rows_by_grad(rows, y, x, tall ? 9 : 3));
    expect_same(a, expanded(a, rows), expanded(a, g), seed, "jacobian");
    /* of each lane */
    uint64_t lanes = some_rows(seed, REGIONGEN_INPUTS);
    Dim two = dim_int(g->dims, 2);
    Graph *loop = lanes_graph(a, expanded(a, rows), lanes, two), *vmap = lanes_graph(a, g, lanes, two);
    expect_same(a, loop, expanded(a, vmap), seed, "jacobian inside");
    arena_free(a);
  }
}

/* Hessians: the Jacobian of a gradient, and the gradient of each of its elements. */
static void test_hessian(void **state) {
  for (uint64_t seed = 0; seed < 20; seed++) {
    Arena *a = arena_new();
    NodeId x = 0, y;
    Graph *g = vector_of(a, 4 * seed, false, &x, &y);
    NodeId in[2] = {g_reduce(g, OP_sum, here, y, (int[]){0}, 1), x};
    NodeId d = g_get(g, here, graph_add(g, OP_grad, here, in, 2, NULL, 0, NULL), 0);
    Graph *rows = graph_clone(a, g);
    arrput(g->outputs, jacobian(g, d, x));
    arrput(rows->outputs, rows_by_grad(rows, d, x, REGIONGEN_WIDTH));
    expect_same(a, expanded(a, rows), expanded(a, g), seed, "hessian");
    arena_free(a);
  }
}

/* The Jacobian of what does not depend on x, and of a run-time number of elements. */
static void test_jacobian_sizes(void **state) {
  Arena *a = arena_new();
  Graph *g = new_graph(a);
  Dim n[2] = {dim_var(g->dims, "N", 5), dim_int(g->dims, 2)};
  NodeId x = g_input(g, here, type_of(a, F64, 2, n)), z = g_input(g, here, type_of(a, F64, 1, n));
  NodeId y = g_reduce(g, OP_sum, here, g_map2(g, OP_mul, here, x, x), (int[]){1}, 1);
  arrput(g->outputs, jacobian(g, y, x));
  arrput(g->outputs, jacobian(g, y, z));
  Graph *flat = expanded(a, g);
  int64_t vars[1] = {3}, shape[2] = {3, 2};
  Tensor in[2] = {tensor_new(a, F64, 2, shape), tensor_new(a, F64, 1, shape)};
  for (int i = 0; i < 6; i++) tensor_set(&in[0], i, i + 1);
  Tensor *out = opgen_eval(a, flat, vars, in);
  assert_int_equal(tensor_count(&out[0]), 18);
  assert_int_equal(tensor_count(&out[1]), 9);
  for (int i = 0; i < 18; i++) {
    int row = i / 6, at = i % 6;
    assert_true(tensor_get(&out[0], i) == (at / 2 == row ? 2 * (at + 1) : 0));
  }
  for (int i = 0; i < 9; i++) assert_true(tensor_get(&out[1], i) == 0);
  arena_free(a);
}

/* ---- lanes that disagree ---- */

static NodeId num(Graph *g, double v, NodeId like) { return g_full_like(g, here, v, like); }
static NodeId op2(Graph *g, Op op, NodeId a, NodeId b) { return g_map2(g, op, here, a, b); }

static void run(Arena *a, Graph *g, const Tensor *in, Tensor **out) {
  Graph *flat = expanded(a, g);
  Buf why = {0};
  if (!graph_verify(flat, &why)) fail_msg("%s", why.s);
  *out = opgen_eval(a, flat, opgen_vars(a, flat, 1), in);
}
static Tensor vec(Arena *a, DType t, int n, const double *v) {
  int64_t shape = n;
  Tensor x = tensor_new(a, t, 1, &shape);
  for (int i = 0; i < n; i++) tensor_set(&x, i, v[i]);
  return x;
}
static void expect(const Tensor *t, int n, const double *v) {
  assert_int_equal(tensor_count(t), n);
  for (int i = 0; i < n; i++)
    if (!(fabs(tensor_get(t, i) - v[i]) <= 1e-12)) fail_msg("element %d is %g, not %g", i, tensor_get(t, i), v[i]);
}
#define V(...)                                                                                                         \
  (const double[]) { __VA_ARGS__ }

/* while x[i] > 0 { s += x[i]; i += 1 }: the end of x is never passed by a lane that has stopped, and a lane that starts
 * behind it reads nothing. */
static void test_while_apart(void **state) {
  Arena *a = arena_new();
  Graph *body = new_graph(a);
  Dim six = dim_int(body->dims, 6);
  NodeId in[4] = {g_input(body, here, type_scalar(I32)), g_input(body, here, type_scalar(F64)),
                  g_input(body, here, type_of(a, F64, 1, &six)), g_input(body, here, type_scalar(I32))};
  Graph *regions[2];
  for (int k = 0; k < 2; k++) {
    Graph *r = graph_new(a, body->dims, body->diag);
    NodeId i = g_input(r, here, type_scalar(I32)), s = g_input(r, here, type_scalar(F64));
    NodeId x = g_input(r, here, type_of(a, F64, 1, &six)), end = g_input(r, here, type_scalar(I32));
    if (k == 0) arrput(r->outputs, op2(r, OP_lt, i, end));
    else {
      arrput(r->outputs, op2(r, OP_add, i, num(r, 1, i)));
      arrput(r->outputs, op2(r, OP_add, s, g_gather(r, here, x, i, 0, 0)));
    }
    regions[k] = r;
  }
  Attr at[2] = {attr_int(body, A_carried, 2), attr_int(body, A_limit, -1)};
  NodeId w = graph_add_region(body, OP_while, here, in, 4, at, 2, regions, 2);
  arrput(body->outputs, g_get(body, here, w, 0));
  arrput(body->outputs, g_get(body, here, w, 1));
  Graph *g = lanes_graph(a, body, 1 | 8, dim_int(body->dims, 4));
  double start = 0;
  Tensor x[4] = {vec(a, I32, 4, V(0, 4, 6, 9)),
                 {F64, 0, {0}, &start},
                 vec(a, F64, 6, V(1, 2, 3, 4, 5, 6)),
                 vec(a, I32, 4, V(2, 6, 6, 3))},
         *out;
  run(a, g, x, &out);
  expect(&out[0], 4, V(2, 6, 6, 9));
  expect(&out[1], 4, V(3, 11, 0, 0));
  arena_free(a);
}

/* cond x > 0 { log(x * w) } else { x * w }, the gradients of rows and of the shared w: no NaN from the lanes that the
 * branch is not for. A bound of the shared table is not read by them either. */
static void test_cond_apart(void **state) {
  Arena *a = arena_new();
  Graph *body = new_graph(a);
  Dim two = dim_int(body->dims, 2);
  NodeId x = g_input(body, here, type_scalar(F64)), w = g_input(body, here, type_scalar(F64));
  NodeId table = g_input(body, here, type_of(a, F64, 1, &two)), i = g_input(body, here, type_scalar(I32));
  NodeId in[5] = {op2(body, OP_gt, x, num(body, 0, x)), x, w, table, i};
  Graph *regions[2];
  for (int k = 0; k < 2; k++) {
    Graph *r = graph_new(a, body->dims, body->diag);
    NodeId p = g_input(r, here, type_scalar(F64)), q = g_input(r, here, type_scalar(F64));
    NodeId t = g_input(r, here, type_of(a, F64, 1, &two)), j = g_input(r, here, type_scalar(I32));
    NodeId m = op2(r, OP_mul, p, q);
    if (k == 0) m = op2(r, OP_add, g_map1(r, OP_log, here, m), g_gather(r, here, t, j, 0, 0));
    arrput(r->outputs, m);
    regions[k] = r;
  }
  NodeId c = graph_add_region(body, OP_cond, here, in, 5, NULL, 0, regions, 2);
  arrput(body->outputs, g_get(body, here, c, 0));
  for (int none = 0; none < 2; none++) { /* and when no lane takes the first branch */
    Graph *g = lanes_graph(a, graph_clone(a, body), 1 | 8, dim_int(body->dims, 3));
    NodeId y = g->outputs[0];
    g->outputs[0] = g_reduce(g, OP_sum, here, y, (int[]){0}, 1);
    add_gradients(g);
    arrput(g->outputs, y);
    double weight = 2;
    Tensor v[4] = {vec(a, F64, 3, none ? V(0, -3, 0) : V(0, 4, -3)),
                   {F64, 0, {0}, &weight},
                   vec(a, F64, 2, V(10, 20)),
                   vec(a, I32, 3, none ? V(7, -1, 5) : V(7, 1, -5))},
           *out;
    run(a, g, v, &out);
    expect(&out[1], 3, none ? V(2, 2, 2) : V(2, 0.25, 2));
    expect(&out[2], 1, none ? V(-3) : V(0.5 - 3));
    expect(&out[3], 2, none ? V(0, 0) : V(0, 1));
    expect(&out[4], 3, none ? V(0, -6, 0) : V(0, log(8) + 20, -6));
  }
  arena_free(a);
}

/* A value that no row decides is computed once, without the axis. */
static void test_shared(void **state) {
  Arena *a = arena_new();
  Graph *body = new_graph(a);
  Dim n = dim_int(body->dims, 5);
  Type t = type_of(a, F64, 1, &n);
  NodeId x = g_input(body, here, t), w = g_input(body, here, t);
  arrput(body->outputs, op2(body, OP_mul, x, g_map1(body, OP_exp, here, w)));
  Graph *flat = expanded(a, lanes_graph(a, body, 1, dim_int(body->dims, 3)));
  for (NodeId id = 1; id < (NodeId)arrlen(flat->nodes); id++)
    if (graph_node(flat, id)->op == OP_exp) assert_int_equal(graph_type(flat, id).rank, 1);
  arena_free(a);
}

/* Draws: each lane's key gives the numbers that a loop would draw. */
static void test_draws(void **state) {
  Arena *a = arena_new();
  Graph *body = new_graph(a);
  Dim n[2] = {dim_int(body->dims, 5), dim_int(body->dims, 2)};
  NodeId key = g_input(body, here, type_scalar(I64)), i = g_input(body, here, type_scalar(I64));
  NodeId own = op2(body, OP_mix_key, key, i);
  arrput(body->outputs, g_uniform(body, here, own, 7, type_of(a, F32, 2, n)));
  arrput(body->outputs, g_uniform(body, here, key, 8, type_of(a, F64, 2, n)));
  Graph *g = lanes_graph(a, body, 2, dim_int(body->dims, 4));
  Graph *twice = lanes_graph(a, graph_clone(a, g), 1, dim_int(body->dims, 3));
  expect_same(a, g, expanded(a, g), 5, "draws");
  expect_same(a, twice, expanded(a, twice), 5, "draws twice");
  arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_values),           cmocka_unit_test(test_gradient_inside),
                                     cmocka_unit_test(test_gradient_outside), cmocka_unit_test(test_jacobian),
                                     cmocka_unit_test(test_hessian),          cmocka_unit_test(test_jacobian_sizes),
                                     cmocka_unit_test(test_while_apart),      cmocka_unit_test(test_cond_apart),
                                     cmocka_unit_test(test_shared),           cmocka_unit_test(test_draws)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
