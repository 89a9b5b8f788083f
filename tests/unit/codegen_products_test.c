/* Products and convolutions around the sizes of tiles, blocks and vectors: evaluator == interpreted loop IR == compiled
 * C with equal bits for several numbers of threads. Fixed shapes and drawn ones (another seed by DNN_TEST_SEED). */
#include "base/ds.h"
#include "runtime/core/random.h"
#include "tests/lib/kernel_case.h"
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

static const Loc nowhere;
static uint64_t random_state;
static int64_t draw(int64_t lo, int64_t hi) { /* lo .. hi */
  random_state = random_state * 6364136223846793005u + 1442695040888963407u;
  return lo + (int64_t)(random_state >> 33) % (hi - lo + 1);
}
/* A size with its pitfalls: 1, primes, one past a vector or tile. */
static int64_t draw_size(int64_t most) {
  static const int64_t sizes[] = {1, 2, 3, 5, 7, 8, 13, 14, 15, 16, 17, 29, 31, 32, 33, 47, 49, 64, 65, 97, 128, 129};
  int64_t n;
  do n = draw(0, 3) ? sizes[draw(0, 21)] : draw(1, most);
  while (n > most);
  return n;
}

/* ---- products ---- */
typedef struct Dot {
  int64_t b, m, n, k;
  int forms; /* 1: a transposed, 2: b transposed, 4: M is a run-time size, 8: operands are views, 16: bias and ReLU, 32:
                an array is added */
} Dot;
static const Dot dots[] = {
    {1, 17, 49, 300, 20},   {1, 14, 32, 256, 21},  {1, 15, 97, 257, 22},  {1, 270, 33, 513, 23}, {1, 3, 1000, 7, 20},
    {1, 8, 8, 5000, 21},    {1, 64, 10, 2100, 6},  {3, 20, 40, 33, 3},    {1, 1, 300, 70, 4},    {5, 300, 3, 65, 0},
    {1, 9, 400, 1, 4},      {2, 8, 390, 1100, 1},  {1, 1, 513, 600, 18},  {1, 600, 1, 513, 16},  {1, 129, 257, 64, 0},
    {1, 520, 280, 260, 16}, {1, 520, 280, 260, 2}, {4, 30, 31, 29, 8},    {1, 100, 48, 48, 27},  {1, 0, 33, 20, 0},
    {1, 20, 33, 0, 16},     {1, 65, 128, 128, 11}, {1, 512, 37, 600, 16}, {2, 264, 21, 800, 0},  {1, 512, 65, 130, 16},
    {2, 300, 66, 256, 48},  {1, 520, 65, 128, 18}, {2, 144, 17, 600, 17}, {1, 70, 16, 8200, 17}, {1, 8, 96, 23000, 16},
};

/* Operand of `forms`: a view reads every other row of a larger array, backwards. */
static NodeId operand(KernelCase *c, int64_t b, Dim rows, Dim cols, bool view) {
  DimTab *t = c->g->dims;
  Dim d[3] = {dim_int(t, b), rows, cols};
  if (!view) return g_input(c->g, nowhere, type_of(c->a, c->dt, 3, d));
  Dim two = dim_int(t, 2), one = dim_int(t, 1), big[3] = {d[0], dim_mul(t, two, rows), dim_add(t, cols, one)};
  NodeId x = g_input(c->g, nowhere, type_of(c->a, c->dt, 3, big));
  Dim start[3] = {dim_int(t, 0), dim_sub(t, big[1], one), one};
  int64_t step[3] = {1, -2, 1};
  Attr attrs[] = {attr_dims(c->g, A_start, start, 3), attr_ints(c->g, A_step, step, 3)};
  Type want = type_of(c->a, c->dt, 3, d);
  return graph_add(c->g, OP_slice, nowhere, &x, 1, attrs, 2, &want);
}
static void make_dot(KernelCase *c, const Dot *r) {
  DimTab *t = c->g->dims;
  bool ta = r->forms & 1, tb = r->forms & 2, view = r->forms & 8;
  Dim m = r->forms & 4 ? dim_var(t, "M", r->m) : dim_int(t, r->m), n = dim_int(t, r->n), k = dim_int(t, r->k);
  int la[3] = {0, ta ? 3 : 1, ta ? 1 : 3}, lb[3] = {0, tb ? 2 : 3, tb ? 3 : 2}, ly[3] = {0, 1, 2};
  NodeId x = operand(c, r->b, ta ? k : m, ta ? m : k, view), w = operand(c, r->b, tb ? n : k, tb ? k : n, view);
  NodeId y = g_dot(c->g, nowhere, x, w, la, lb, ly, 3);
  if (r->forms & 16) {
    Dim dy[3] = {dim_int(t, r->b), m, n};
    NodeId bias = g_input(c->g, nowhere, type_of(c->a, c->dt, 1, &n));
    y = g_map2(c->g, OP_add, nowhere, y, g_broadcast_to(c->g, nowhere, bias, 3, dy));
    y = g_map2(c->g, OP_maximum, nowhere, y, g_full_like(c->g, nowhere, 0, y));
  }
  if (r->forms & 32) y = g_map2(c->g, OP_add, nowhere, y, g_input(c->g, nowhere, graph_type(c->g, y)));
  arrput(c->g->outputs, y);
}

/* ---- convolutions ---- */
typedef struct Conv {
  int rank;
  int64_t n, c, o, groups, size[3], k[3], stride[3], dilation[3], low[3], high[3];
  bool epilogue, free_batch;
} Conv;
static const Conv convs[] = {
    {2, 3, 3, 16, 1, {13, 13}, {3, 4}, {1, 1}, {1, 1}, {2, 1}, {1, 2}, true, false},
    {2, 2, 8, 7, 1, {15, 15}, {3, 4}, {2, 2}, {1, 1}, {2, 1}, {1, 2}, false, false},
    {2, 2, 8, 16, 2, {9, 9}, {3, 4}, {1, 1}, {2, 2}, {2, 1}, {1, 2}, false, false},
    {2, 5, 1, 32, 1, {28, 28}, {5, 5}, {1, 1}, {1, 1}, {2, 2}, {2, 2}, true, true},
    {2, 3, 32, 64, 1, {14, 14}, {5, 5}, {1, 1}, {1, 1}, {2, 2}, {2, 2}, true, true},
    {2, 2, 16, 16, 1, {32, 32}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, true, false},
    {2, 9, 64, 48, 1, {8, 8}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, true, true},
    {2, 2, 33, 17, 1, {19, 11}, {3, 3}, {1, 1}, {1, 1}, {0, 2}, {1, 0}, true, false},
    {2, 1, 24, 40, 1, {70, 9}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, false, true},
    {2, 5, 32, 32, 1, {3, 3}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, true, false},
    {2, 2, 16, 16, 1, {21, 23}, {5, 5}, {1, 1}, {1, 1}, {2, 0}, {4, 1}, true, false},
    {2, 3, 16, 32, 1, {16, 16}, {1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}, true, true},
    {2, 3, 16, 32, 1, {16, 16}, {1, 1}, {2, 2}, {1, 1}, {0, 0}, {0, 0}, true, true},
    {2, 2, 24, 24, 24, {14, 14}, {7, 7}, {1, 1}, {1, 1}, {3, 3}, {3, 3}, true, false},
    {2, 2, 24, 24, 24, {14, 14}, {3, 3}, {2, 2}, {1, 1}, {1, 1}, {1, 1}, false, true},
    {2, 2, 3, 4, 1, {21, 23}, {3, 2}, {5, 7}, {1, 1}, {1, 0}, {0, 1}, true, true},
    {2, 2, 6, 4, 2, {19, 40}, {4, 3}, {6, 4}, {2, 3}, {2, 1}, {1, 5}, false, false},
    {1, 2, 3, 5, 1, {100}, {7}, {40}, {1}, {3}, {2}, true, false},
    {1, 4, 12, 20, 1, {50}, {5}, {1}, {2}, {4}, {4}, true, false},
    {1, 2, 8, 8, 4, {33}, {3}, {2}, {1}, {1}, {0}, false, false},
    {3, 1, 4, 8, 1, {6, 7, 8}, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, true, false},
    {3, 2, 16, 6, 1, {6, 7, 9}, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, true, false},
    {3, 2, 6, 24, 2, {4, 9, 9}, {2, 3, 2}, {1, 1, 1}, {1, 2, 1}, {0, 2, 0}, {1, 1, 0}, true, true},
    {2, 2, 32, 32, 2, {30, 30}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, true, false},
    {1, 3, 20, 8, 1, {1020}, {5}, {1}, {1}, {2}, {2}, true, true},
    {3, 2, 3, 5, 1, {5, 6, 7}, {2, 3, 1}, {2, 1, 2}, {1, 2, 1}, {0, 1, 0}, {1, 2, 0}, false, false},
};
static Conv draw_conv(void) {
  Conv r = {.rank = draw(0, 5) ? 2 : draw(1, 3), .n = draw(1, 5), .groups = 1};
  bool plain = draw(0, 1); /* the forms that have short cuts */
  r.groups = !plain && draw(0, 2) == 0 ? draw(2, 4) : 1;
  r.c = r.groups * draw_size(r.rank == 3 ? 8 : 40 / r.groups);
  r.o = r.groups * draw_size(r.rank == 3 ? 8 : 40 / r.groups);
  int64_t side = draw(0, 3);
  for (int i = 0; i < r.rank; i++) {
    r.k[i] = plain ? (side == 0 ? 1 : side == 3 ? 5 : 3) : draw(1, 4);
    r.stride[i] = plain ? 1 : draw(1, 3);
    r.dilation[i] = plain ? 1 : draw(1, 2);
    int64_t reach = (r.k[i] - 1) * r.dilation[i] + 1;
    r.low[i] = draw(0, reach - 1);
    r.high[i] = draw(0, reach - 1);
    r.size[i] = reach + draw(0, r.rank == 3 ? 5 : 20);
  }
  r.epilogue = draw(0, 1);
  r.free_batch = draw(0, 1);
  return r;
}
static void make_conv(KernelCase *c, const Conv *r) {
  DimTab *t = c->g->dims;
  Dim n = r->free_batch ? dim_var(t, "N", r->n) : dim_int(t, r->n);
  Dim x[5] = {n, dim_int(t, r->c)}, w[5] = {dim_int(t, r->o), dim_int(t, r->c / r->groups)}, y[5] = {n, w[0]};
  for (int i = 0; i < r->rank; i++) {
    int64_t out = (r->size[i] + r->low[i] + r->high[i] - (r->k[i] - 1) * r->dilation[i] - 1) / r->stride[i] + 1;
    x[2 + i] = dim_int(t, r->size[i]);
    w[2 + i] = dim_int(t, r->k[i]);
    y[2 + i] = dim_int(t, out);
  }
  int rank = r->rank + 2;
  Type tx = type_of(c->a, c->dt, rank, x), tw = type_of(c->a, c->dt, rank, w), ty = type_of(c->a, c->dt, rank, y);
  NodeId in[2] = {g_input(c->g, nowhere, c->op == OP_conv_dx ? ty : tx),
                  g_input(c->g, nowhere, c->op == OP_conv_dw ? ty : tw)};
  Attr attrs[] = {attr_ints(c->g, A_stride, r->stride, r->rank), attr_ints(c->g, A_low, r->low, r->rank),
                  attr_ints(c->g, A_high, r->high, r->rank), attr_ints(c->g, A_dilation, r->dilation, r->rank),
                  attr_int(c->g, A_groups, r->groups)};
  Type want = c->op == OP_conv_dx ? tx : tw;
  NodeId z = graph_add(c->g, c->op, nowhere, in, 2, attrs, 5, c->op == OP_conv ? NULL : &want);
  if (r->epilogue) {
    NodeId more = g_input(c->g, nowhere, graph_type(c->g, z));
    z = g_map2(c->g, OP_maximum, nowhere, g_map2(c->g, OP_add, nowhere, z, more), g_full_like(c->g, nowhere, 0, z));
  }
  arrput(c->g->outputs, z);
}

/* ---- both ---- */
static void check(const char *target, const char *compiler, bool clang, int drawn) {
  static const Op ops[] = {OP_conv, OP_conv_dx, OP_conv_dw};
  CaseSet s = {.target = target_find(target)};
  const char *only = getenv("DNN_TEST_OP");
  if (getenv("DNN_TEST_SEEDS")) drawn = atoi(getenv("DNN_TEST_SEEDS"));
  int n_dots = (int)(sizeof dots / sizeof *dots), n_convs = (int)(sizeof convs / sizeof *convs);
  for (int i = 0; i < n_dots + drawn && (!only || !strcmp(only, "dot")); i++) {
    Dot r = i < n_dots
                ? dots[i]
                : (Dot){draw(0, 3) ? 1 : draw(2, 4), draw_size(200), draw_size(200), draw_size(600), (int)draw(0, 31)};
    make_dot(set_begin(&s, OP_dot, i % 5 == 4 ? F64 : F32, i), &r);
    set_end(&s);
  }
  for (int i = 0; i < n_convs + drawn; i++) {
    Conv r = i < n_convs ? convs[i] : draw_conv();
    for (int k = 0; k < 3; k++) {
      if (only && strcmp(only, op_info[ops[k]].name)) continue;
      make_conv(set_begin(&s, ops[k], i % 7 == 6 ? F64 : F32, i), &r);
      set_end(&s);
    }
  }
  set_check(&s, compiler, clang ? s.target->clang_flags : s.target->gcc_flags);
}

static int start(void **state) {
  (void)state;
  const char *seed = getenv("DNN_TEST_SEED");
  random_state = seed ? (uint64_t)atoll(seed) : 1;
  return 0;
}
static void test_native(void **state) {
  (void)state;
  check("native", "gcc", false, 10);
}
static void test_levels(void **state) {
  (void)state;
  check("x86-64-v3", "gcc", false, 5);
  check("x86-64-v2", "gcc", false, 3);
}
static void test_clang(void **state) {
  (void)state;
  if (system("clang-19 --version >/dev/null 2>&1")) skip();
  check("native", "clang-19", true, 3);
}

/* Few tiles and more weights than the second cache holds: items of a Winograd convolution have channels of their own.
 */
static void test_channels(void **state) {
  (void)state;
  static const Conv some[] = {
      {2, 1, 24, 128, 1, {7, 7}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, true, false},
      {2, 3, 40, 250, 1, {6, 9}, {3, 3}, {1, 1}, {1, 1}, {0, 2}, {2, 1}, true, true},
      {2, 1, 64, 128, 1, {14, 14}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, true, true},
  };
  Target target = *target_find("native");
  target.l2 = 64 * 1024;
  CaseSet s = {.target = &target};
  for (int i = 0; i < (int)(sizeof some / sizeof *some); i++)
    for (int k = 0; k < 2; k++) {
      make_conv(set_begin(&s, k ? OP_conv_dx : OP_conv, F32, i), &some[i]);
      set_end(&s);
    }
  set_check(&s, "gcc", target.gcc_flags);
}

/* Results larger than the second cache, with few summands: register tiles ask for what is added. */
static void test_fetching(void **state) {
  (void)state;
  static const Dot some[] = {
      {1, 60, 256, 20, 33}, {1, 62, 300, 33, 33}, {1, 61, 260, 64, 37}, {2, 54, 320, 1, 32}, {1, 58, 257, 0, 33}};
  Target target = *target_find("native");
  target.l2 = 64 * 1024;
  CaseSet s = {.target = &target};
  for (int i = 0; i < (int)(sizeof some / sizeof *some); i++) {
    make_dot(set_begin(&s, OP_dot, F32, i), &some[i]);
    set_end(&s);
  }
  set_check(&s, "gcc", target.gcc_flags);
}

/* A block's rows of A exceed the second cache: blocks of K go outside of the panels of columns. */
static void test_deep(void **state) {
  (void)state;
  static const Dot some[] = {{1, 60, 40, 1100, 0},  {2, 61, 45, 1110, 2},   {1, 66, 48, 1100, 1}, {1, 70, 50, 1000, 22},
                             {1, 62, 33, 1100, 24}, {1, 64, 300, 1050, 16}, {1, 40, 40, 4200, 2}};
  CaseSet s = {.target = target_find("x86-64-v3")};
  for (int i = 0; i < (int)(sizeof some / sizeof *some); i++) {
    make_dot(set_begin(&s, OP_dot, F32, i), &some[i]);
    set_end(&s);
  }
  set_check(&s, "gcc", s.target->gcc_flags);
}

/* A lies along its rows, both operands exceed the second cache: a thread takes a part of K with all of its blocks. */
static void test_rounds(void **state) {
  (void)state;
  static const Dot some[] = {{1, 100, 130, 400, 1}, {1, 96, 128, 500, 1},   {1, 97, 129, 410, 17},
                             {1, 120, 90, 390, 33}, {1, 90, 192, 4200, 17}, {1, 128, 96, 1000, 9},
                             {1, 100, 130, 400, 5}};
  CaseSet s = {.target = target_find("x86-64-v3")};
  for (int i = 0; i < (int)(sizeof some / sizeof *some); i++) {
    make_dot(set_begin(&s, OP_dot, F32, i), &some[i]);
    set_end(&s);
  }
  set_check(&s, "gcc", s.target->gcc_flags);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_native),   cmocka_unit_test(test_levels),
                                     cmocka_unit_test(test_clang),    cmocka_unit_test(test_channels),
                                     cmocka_unit_test(test_fetching), cmocka_unit_test(test_deep),
                                     cmocka_unit_test(test_rounds)};
  return cmocka_run_group_tests(tests, start, NULL);
}
