/* Pools, transposes and scatters around the sizes of tiles, blocks and vectors: evaluator == interpreted loop IR ==
 * compiled C with equal bits for several numbers of threads. */
#include "base/ds.h"
#include "runtime/core/random.h"
#include "tests/lib/kernel_case.h"
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

/* Pools: spatial axes, size, window, stride, padding; of one size along all axes but the last. With ties and NaN. */
static const int64_t pools[][8] = {
    {0}, /* ns, size, last size, window, last window, stride, last stride, low + 10 high + 100 run-time size */
    {2, 28, 28, 2, 2, 2, 2, 0},
    {2, 14, 14, 2, 2, 2, 2, 0},
    {2, 7, 9, 2, 2, 2, 2, 100},
    {2, 13, 17, 3, 3, 2, 2, 11},
    {2, 27, 27, 3, 3, 2, 2, 100},
    {2, 9, 9, 3, 3, 1, 1, 11},
    {2, 31, 33, 3, 2, 4, 3, 1},
    {2, 20, 21, 17, 18, 1, 1, 0},
    {2, 18, 40, 18, 40, 18, 40, 100},
    {2, 5, 3001, 2, 3, 2, 2, 11},
    {2, 5, 4100, 1, 2, 1, 2, 0},
    {1, 1, 9001, 1, 5, 1, 3, 42},
    {1, 1, 65, 1, 2, 1, 2, 110},
    {3, 5, 7, 3, 3, 2, 2, 11},
    {3, 6, 6, 2, 2, 2, 2, 0},
};

static NodeId make_pool(KernelCase *c, const int64_t *r) {
  int ns = (int)r[0];
  DimTab *t = c->g->dims;
  Dim size[MAX_RANK], low[MAX_RANK], high[MAX_RANK];
  int64_t window[MAX_RANK], stride[MAX_RANK];
  size[0] = dim_int(t, 2), size[1] = dim_int(t, 3);
  for (int k = 0; k < ns; k++) {
    int last = k == ns - 1;
    bool open = r[7] >= 100;
    size[2 + k] = open ? dim_var(t, last ? "W" : k ? "H" : "D", r[1 + last]) : dim_int(t, r[1 + last]);
    window[k] = r[3 + last], stride[k] = r[5 + last];
    low[k] = dim_int(t, window[k] > 1 ? r[7] % 10 : 0), high[k] = dim_int(t, window[k] > 1 ? r[7] / 10 % 10 : 0);
  }
  NodeId x = g_input(c->g, (Loc){0}, type_of(c->a, c->dt, 2 + ns, size));
  Op op = c->op == OP_max_pool_dx ? OP_max_pool_arg : c->op;
  NodeId y = g_pool(c->g, op, (Loc){0}, x, ns, window, stride, low, high);
  if (c->op != OP_max_pool_dx) return y;
  Type tx = graph_type(c->g, x), ty = graph_type(c->g, y);
  NodeId in[2] = {g_input(c->g, (Loc){0}, type_of(c->a, c->dt, ty.rank, ty.shape)), y};
  if (r[1] % 3 && pool_span(c->g, tx, window) <= 256) in[1] = g_cast(c->g, (Loc){0}, y, U8);
  const Node *n = graph_node(c->g, y);
  y = graph_add(c->g, c->op, (Loc){0}, in, 2, n->attrs, n->n_attrs, &tx);
  return g_map2(c->g, OP_mul, (Loc){0}, y, x); /* an epilogue */
}

/* Scatters of long rows: rows, elements of a row, indices. */
static const int64_t scatters[][3] = {{0}, {7, 128, 40}, {64, 129, 33}, {2, 200, 5}, {5, 1025, 9}, {1, 2100, 3}};
static NodeId make_scatter(KernelCase *c, const int64_t *r) {
  DimTab *t = c->g->dims;
  Dim x[2] = {c->dt == F64 ? dim_var(t, "N", r[0]) : dim_int(t, r[0]), dim_int(t, r[1])},
      u[2] = {dim_int(t, r[2]), x[1]};
  NodeId a = g_input(c->g, (Loc){0}, type_of(c->a, c->dt, 2, x)), i = g_input(c->g, (Loc){0}, type_of(c->a, I32, 1, u));
  return g_scatter(c->g, c->op, (Loc){0}, a, i, g_input(c->g, (Loc){0}, type_of(c->a, c->dt, 2, u)), 0, 0);
}

/* Transposes with an element-wise op around: the shape, the permutation as digits, + 10000 with run-time sizes. */
static const int64_t turns[][5] = {
    {0},
    {1, 1, 64, 64, 132},
    {1, 1, 65, 129, 132},
    {3, 1, 7, 200, 231},
    {1, 200, 9, 67, 1320},
    {1, 20, 10, 130, 3210},
    {2, 70, 5, 13, 10231},
    {2, 65, 3, 64, 10312},
    {1, 9, 8, 127, 3120},
    {2, 3, 100, 9, 2031},
    {1, 1, 63, 8, 10132},
};
static NodeId make_turn(KernelCase *c, const int64_t *r) {
  Dim d[4], to[4];
  int perm[4], n = 0;
  for (int k = 0; k < 4; k++)
    d[k] = r[4] >= 10000 ? dim_var(c->g->dims,
                                   k == 3   ? "W"
                                   : k == 2 ? "H"
                                   : k      ? "C"
                                            : "N",
                                   r[k])
                         : dim_int(c->g->dims, r[k]);
  char digits[8];
  snprintf(digits, sizeof digits, "%04d", (int)(r[4] % 10000));
  for (int k = 0; k < 4; k++) perm[n++] = digits[k] - '0', to[k] = d[digits[k] - '0'];
  NodeId x = g_input(c->g, (Loc){0}, type_of(c->a, c->dt, 4, d)),
         y = g_input(c->g, (Loc){0}, type_of(c->a, c->dt, 4, to));
  NodeId z = g_map2(c->g, OP_add, (Loc){0}, x, x);
  return g_map2(c->g, OP_sub, (Loc){0}, y, g_transpose(c->g, (Loc){0}, z, perm));
}

/* Few different values, NaN and infinities among them. */
static void spoil(Tensor *x) {
  static const double v[] = {0, 1, -1, 2, 1, NAN, 0, -INFINITY, INFINITY, 1, 0, -1};
  for (int64_t i = 0; i < tensor_count(x); i++) tensor_set(x, i, v[dnn_mix64(7, (uint64_t)i) % 12]);
}

static void end(CaseSet *s, NodeId y) {
  arrput(arrlast(s->cases).g->outputs, y);
  set_end(s);
}
static void test_pools(void **state) {
  (void)state;
  CaseSet s = {.target = target_find("native")};
  for (int i = 1; i < (int)(sizeof pools / sizeof *pools); i++)
    for (Op op = OP_max_pool; op <= OP_max_pool_dx; op++) {
      KernelCase *c = set_begin(&s, op, i % 4 ? F32 : F64, i);
      if (op != OP_max_pool_dx) c->change = spoil;
      end(&s, make_pool(c, pools[i]));
    }
  set_check(&s, "gcc", s.target->gcc_flags);
}
static void test_moves(void **state) {
  (void)state;
  static const DType types[] = {F32, F64, BF16, I8};
  CaseSet s = {.target = target_find("native")};
  for (int i = 1; i < (int)(sizeof turns / sizeof *turns); i++) {
    KernelCase *c = set_begin(&s, OP_transpose, types[i % 4], i);
    end(&s, make_turn(c, turns[i]));
  }
  for (int i = 1; i < (int)(sizeof scatters / sizeof *scatters); i++)
    for (Op op = OP_scatter_add; op <= OP_scatter_set; op++) {
      KernelCase *c = set_begin(&s, op, i % 2 ? F32 : F64, i);
      end(&s, make_scatter(c, scatters[i]));
    }
  set_check(&s, "gcc", s.target->gcc_flags);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_pools), cmocka_unit_test(test_moves)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
