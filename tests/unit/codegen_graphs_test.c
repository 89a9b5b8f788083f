/* Whole graphs through fusion, planning and lowering, run by the interpreter of the loop IR, against the evaluator: the
 * graphs of tests/codegen and tests/passes, and random ones in which views, reductions, products and element-wise ops
 * stand in any order and values have several users, or reductions over the same axes with what is made of them, as in
 * softmax and norms. */
#include "base/ds.h"
#include "codegen/codegen.h"
#include "passes/pipeline.h"
#include "tests/lib/opgen.h"
#include "tests/lib/regiongen.h"
#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const Loc nowhere;
static const int64_t clock_values[4] = {3, 10, 1, 42};

static int parts, aside; /* results that were made in their places, and how many of these have others between them */

/* What the loop IR of g's plan computes, for several numbers of threads. */
static void check_graph(Arena *a, Graph *g, const char *what, uint64_t seed) {
  Buf why = {0};
  int64_t *vars = opgen_vars(a, g, seed);
  Tensor *in = opgen_inputs(a, g, seed, vars);
  Tensor *want = opgen_eval(a, g, vars, in);
  Prog prog = {.arena = a, .dims = g->dims, .diag = g->diag, .name = "t"};
  int n = (int)arrlen(g->outputs);
  Entry e = {.name = "f", .kind = DNN_EXPORT, .graph = g, .n_results = n};
  for (int i = 0; i < g->n_inputs; i++) arrput(e.inputs, ((Port){.name = "x", .type = g->input_types[i]}));
  for (int i = 0; i < n; i++) arrput(e.outputs, ((Port){.name = "y", .type = graph_type(g, g->outputs[i])}));
  for (int v = 0; v < dim_var_count(g->dims); v++) {
    if (dim_var_bound(g->dims, v) < 0) dim_set_bound(g->dims, v, 64);
    arrput(e.vars, v);
  }
  Plan *plan = plan_build(a, &prog, &e);
  parts += plan->n_parts;
  for (int i = 0; i < arrlen(plan->bufs); i++)
    aside += plan->bufs[i].kind == BUF_ROW && plan->bufs[i].loop < 0 && plan->bufs[i].place;
  Target target = *target_find(seed % 2 ? "x86-64-v4" : "plain");
  if (seed % 3 == 0) target.l3 = 0; /* every long row goes past the caches */
  KernelTable *t = kernels_new(a, &prog, &target);
  Lowered *l = lower_plan(a, plan, t);
  const void **ins = arena_array(a, const void *, g->n_inputs + 1);
  void **outs = arena_array(a, void *, n + 1);
  Tensor *got = arena_array(a, Tensor, n + 1);
  for (int i = 0; i < g->n_inputs; i++) ins[i] = in[i].data;
  for (int threads = 1; threads <= 3; threads += 2) {
    for (int i = 0; i < n; i++) {
      got[i] = tensor_of_type(a, g->dims, graph_type(g, g->outputs[i]), vars);
      outs[i] = got[i].data;
    }
    if (!lowered_interpret(l, t, vars, ins, outs, NULL, clock_values, threads, &why)) fail_msg("%s: %s", what, why.s);
    for (int o = 0; o < n; o++) {
      double scale = 1;
      for (int64_t i = 0; i < tensor_count(&want[o]); i++)
        if (isfinite(tensor_get(&want[o], i))) scale = fmax(scale, fabs(tensor_get(&want[o], i)));
      for (int64_t i = 0; i < tensor_count(&want[o]); i++) {
        double x = tensor_get(&want[o], i), y = tensor_get(&got[o], i);
        double tol = dtype_is_float(want[o].dtype) ? (want[o].dtype >= F16 ? 3e-2 : 1e-4) : 0;
        if (x == y || (x != x && y != y) || fabs(x - y) <= tol * scale) continue;
        graph_print(g, &why);
        plan_print(plan, &why);
        fail_msg("%s: output %d, element %d is %.9g, not %.9g\n%s", what, o, (int)i, y, x, why.s);
      }
    }
  }
}

/* Is it for this test: no cells, no loops, not too much work for an interpreter? */
static bool suitable(const Graph *g) {
  double work = 0;
  for (NodeId id = 1; id < (NodeId)arrlen(g->nodes); id++) {
    OpClass c = op_info[graph_node(g, id)->op].cls;
    bool taken = c == META && graph_node(g, id)->op != OP_get;
    if (taken || graph_node(g, id)->op == OP_cell) return false;
    int64_t flops = dim_upper(g->dims, node_flops(g, id));
    work += flops < 0 ? 1e5 : (double)flops;
  }
  return work < 3e6;
}

static int check_folder(const char *folder) {
  char path[512];
  int done = 0;
  DIR *d = opendir(folder);
  assert_non_null(d);
  for (struct dirent *f; (f = readdir(d));) {
    if (!strstr(f->d_name, ".ir")) continue;
    snprintf(path, sizeof path, "%s/%s", folder, f->d_name);
    Arena *a = arena_new();
    Buf text = {0}, why = {0};
    assert_true(buf_read_file(&text, path, 1 << 20));
    const char *at = strncmp(text.s, "graph", 5) ? strstr(text.s, "\ngraph") : text.s;
    Graph *g = graph_parse(a, dimtab_new(a), diag_new(a), at, &why);
    if (!g) fail_msg("%s: %s", path, why.s);
    if (suitable(g)) {
      check_graph(a, g, path, (uint64_t)done);
      done++;
    }
    buf_free(&text);
    buf_free(&why);
    arena_free(a);
  }
  closedir(d);
  return done;
}
static void test_files(void **state) {
  (void)state;
  assert_true(check_folder(TEST_ROOT "/tests/codegen") >= 8);
  assert_true(check_folder(TEST_ROOT "/tests/passes") >= 50);
}

/* ---- random graphs ---- */
typedef struct Rand {
  uint64_t s;
} Rand;
static int pick(Rand *r, int n) {
  r->s ^= r->s << 13;
  r->s ^= r->s >> 7;
  r->s ^= r->s << 17;
  return (int)(r->s % (uint64_t)n);
}

/* One more node (or a few) from the values in `pool`. All values stay within a few units. */
static NodeId grow(Graph *g, Rand *r, const NodeId *pool, int n) {
  static const Op unary[] = {OP_tanh, OP_sigmoid, OP_neg, OP_abs, OP_sin};
  NodeId x = pool[pick(r, n)];
  Type t = graph_type(g, x);
  DimTab *d = g->dims;
  switch (pick(r, 11)) {
  case 0:
  case 1: return g_map1(g, unary[pick(r, 5)], nowhere, x);
  case 2:
  case 3: /* with another value of the shape */
    for (int k = 0; k < 8; k++) {
      NodeId y = pool[pick(r, n)];
      if (!shape_same(t, graph_type(g, y))) continue;
      if (pick(r, 3) == 0)
        return g_where(g, nowhere, g_map2(g, OP_lt, nowhere, x, y), y, g_map1(g, OP_neg, nowhere, x));
      NodeId z = g_map2(g, pick(r, 2) ? OP_add : OP_maximum, nowhere, x, y);
      return g_map1(g, OP_tanh, nowhere, z);
    }
    return g_map1(g, OP_tanh, nowhere, x);
  case 4: /* reversed axes */
    if (t.rank >= 2) {
      int perm[MAX_RANK];
      for (int k = 0; k < t.rank; k++) perm[k] = t.rank - 1 - k;
      return g_transpose(g, nowhere, x, perm);
    }
    return g_map1(g, OP_neg, nowhere, x);
  case 5: { /* all in one row, and back */
    Dim flat = type_count(d, t);
    NodeId y = g_map1(g, OP_tanh, nowhere, g_reshape(g, nowhere, x, 1, &flat));
    return pick(r, 2) ? y : g_reshape(g, nowhere, y, t.rank, t.shape);
  }
  case 6: { /* minus the mean along an axis, as softmax and norms do */
    if (!t.rank) return x;
    int axis = pick(r, t.rank), axes[MAX_RANK], m = 0;
    NodeId sum = g_reduce(g, pick(r, 2) ? OP_reduce_max : OP_sum, nowhere, x, &axis, 1);
    for (int k = 0; k < t.rank; k++)
      if (k != axis) axes[m++] = k;
    NodeId wide = g_broadcast(g, nowhere, g_map1(g, OP_tanh, nowhere, sum), t.rank, t.shape, axes);
    return g_map2(g, OP_sub, nowhere, g_map1(g, OP_tanh, nowhere, x), wide);
  }
  case 7: { /* a border around it */
    Dim low[MAX_RANK], size[MAX_RANK];
    for (int k = 0; k < t.rank; k++) {
      low[k] = dim_int(d, k % 2);
      size[k] = dim_add(d, t.shape[k], dim_int(d, 1 + k % 2));
    }
    return type_count(d, t) && dim_upper(d, type_count(d, t)) < 3000 ? g_pad(g, nowhere, x, low, size, 0.5) : x;
  }
  case 8: { /* end to end */
    if (!t.rank || dim_upper(d, type_count(d, t)) > 3000) return x;
    NodeId in[2] = {x, g_map1(g, OP_neg, nowhere, x)};
    return g_concat(g, nowhere, in, 2, pick(r, t.rank));
  }
  case 9: /* a product with itself transposed */
    if (t.rank == 2 && dim_upper(d, t.shape[0]) <= 40) {
      int la[] = {0, 1}, lb[] = {2, 1}, ly[] = {0, 2};
      NodeId y = g_dot(g, nowhere, x, g_map1(g, OP_tanh, nowhere, x), la, lb, ly, 2);
      return g_map1(g, OP_tanh, nowhere, y);
    }
    return g_map1(g, OP_sigmoid, nowhere, x);
  default: { /* a sum of everything, spread again */
    if (!t.rank) return x;
    int axes[MAX_RANK];
    for (int k = 0; k < t.rank; k++) axes[k] = k;
    NodeId s = g_map1(g, OP_tanh, nowhere, g_reduce(g, OP_sum, nowhere, x, axes, t.rank));
    return pick(r, 2) ? s : g_map2(g, OP_add, nowhere, x, g_broadcast_to(g, nowhere, s, t.rank, t.shape));
  }
  }
}

static void test_random(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 150; seed++) {
    Arena *a = arena_new();
    DimTab *d = dimtab_new(a);
    Graph *g = graph_new(a, d, diag_new(a));
    Rand r = {seed * 0x9e3779b97f4a7c15u};
    for (int k = 0; k < 5; k++) pick(&r, 2);
    Dim rows = pick(&r, 3) ? dim_int(d, 1 + pick(&r, 20)) : dim_var(d, "B", 33), cols = dim_int(d, 1 + pick(&r, 37));
    Dim shape[3] = {rows, cols, dim_int(d, 3)};
    NodeId *pool = NULL;
    arrput(pool, g_input(g, nowhere, type_of(a, F32, 2, shape)));
    arrput(pool, g_input(g, nowhere, type_of(a, F32, 2, shape)));
    arrput(pool, g_input(g, nowhere, type_of(a, F32, 3, shape)));
    int steps = 3 + pick(&r, 14);
    for (int k = 0; k < steps; k++) arrput(pool, grow(g, &r, pool, (int)arrlen(pool)));
    arrput(g->outputs, arrlast(pool));
    for (int k = pick(&r, 3); k > 0; k--) arrput(g->outputs, pool[3 + pick(&r, (int)arrlen(pool) - 3)]);
    char what[32];
    snprintf(what, sizeof what, "random graph %d", (int)seed);
    check_graph(a, g, what, seed);
    arrfree(pool);
    arena_free(a);
  }
}

/* ---- random rows ---- */
typedef struct RowWorld {
  Graph *g;
  Rand r;
  Type wide;
  int axes[MAX_RANK], n_axes; /* folded */
  int kept[MAX_RANK], n_kept;
  NodeId *wides, *narrows; /* stb_ds */
  NodeId place;            /* one of each row, or 0 */
} RowWorld;

static NodeId any(RowWorld *w, const NodeId *pool) { return pool[pick(&w->r, (int)arrlen(pool))]; }
/* A value between -1 and 1 of one or two of the pool. */
static NodeId row_map(RowWorld *w, const NodeId *pool) {
  static const Op unary[] = {OP_tanh, OP_sigmoid, OP_neg, OP_sin};
  NodeId x = any(w, pool), y = any(w, pool);
  Graph *g = w->g;
  switch (pick(&w->r, 5)) {
  case 0: return g_map1(g, unary[pick(&w->r, 4)], nowhere, x);
  case 1: return g_map2(g, OP_mul, nowhere, x, y);
  case 2: return g_where(g, nowhere, g_map2(g, OP_lt, nowhere, pool[0], pool[arrlen(pool) > 1]), y, x);
  case 3: return g_map1(g, OP_tanh, nowhere, g_map2(g, OP_sub, nowhere, x, y));
  default:
    return g_map1(g, OP_exp, nowhere,
                  g_map2(g, OP_sub, nowhere, g_map1(g, OP_tanh, nowhere, x), g_full_like(g, nowhere, 1, x)));
  }
}
static void row_step(RowWorld *w) {
  Graph *g = w->g;
  int kind = pick(&w->r, 10);
  if (kind < 4) {
    NodeId n = row_map(w, w->wides);
    arrput(w->wides, n);
  } else if (kind < 7) {
    Op op = pick(&w->r, 3) ? OP_sum : pick(&w->r, 2) ? OP_reduce_max : OP_reduce_min;
    NodeId n = g_reduce(g, op, nowhere, any(w, w->wides), w->axes, w->n_axes);
    if (op == OP_sum) n = g_map1(g, OP_tanh, nowhere, n);
    if (w->place && pick(&w->r, 3) == 0) n = g_gather(g, nowhere, any(w, w->wides), w->place, w->n_kept, w->n_kept);
    arrput(w->narrows, n);
  } else if (arrlen(w->narrows)) {
    NodeId n = kind == 7 ? row_map(w, w->narrows) : any(w, w->narrows);
    if (kind == 7) arrput(w->narrows, n);
    NodeId wide = g_broadcast(g, nowhere, n, w->wide.rank, w->wide.shape, w->kept);
    wide = g_map2(g, pick(&w->r, 2) ? OP_sub : OP_maximum, nowhere, any(w, w->wides), wide);
    wide = g_map1(g, OP_tanh, nowhere, wide);
    arrput(w->wides, wide);
  }
}
static void test_rows(void **state) {
  (void)state;
  static const int sizes[] = {1, 2, 3, 7, 10, 31, 64, 65, 0, 150};
  static const DType dtypes[] = {F32, F32, F32, F64, F16, BF16};
  for (uint64_t seed = 1; seed <= 400; seed++) {
    Arena *a = arena_new();
    DimTab *d = dimtab_new(a);
    RowWorld w = {.g = graph_new(a, d, diag_new(a)), .r = {seed * 0x9e3779b97f4a7c15u}};
    for (int k = 0; k < 5; k++) pick(&w.r, 2);
    Dim shape[4];
    int rank = 1 + pick(&w.r, 4);
    for (int k = 0; k < rank; k++) shape[k] = dim_int(d, sizes[pick(&w.r, k == 0 || rank < 3 ? 10 : 5)]);
    if (rank > 1 && pick(&w.r, 3) == 0) shape[pick(&w.r, rank)] = dim_var(d, "B", 33);
    w.wide = type_of(a, dtypes[pick(&w.r, 6)], rank, shape);
    unsigned folded = pick(&w.r, 2) ? 1u << (rank - 1) : 1u + (unsigned)pick(&w.r, (1 << rank) - 1);
    for (int k = 0; k < rank; k++) {
      if (folded >> k & 1) w.axes[w.n_axes++] = k;
      else w.kept[w.n_kept++] = k;
    }
    for (int k = 0; k < 2; k++) { /* an input, or a buffer that may be replaced */
      NodeId x = g_input(w.g, nowhere, w.wide);
      if (pick(&w.r, 2)) x = g_concat(w.g, nowhere, &x, 1, 0);
      arrput(w.wides, x);
    }
    if (folded == 1u << (rank - 1) && dim_lower(d, shape[rank - 1]) > 0 && pick(&w.r, 2))
      w.place = g_input(w.g, nowhere, type_of(a, I32, rank - 1, shape));
    for (int k = 4 + pick(&w.r, 14); k > 0; k--) row_step(&w);
    NodeId last = arrlast(w.wides);
    if (pick(&w.r, 2)) last = g_concat(w.g, nowhere, &last, 1, 0);
    arrput(w.g->outputs, last);
    if (arrlen(w.narrows)) arrput(w.g->outputs, arrlast(w.narrows));
    for (int k = pick(&w.r, 3); k > 0; k--) arrput(w.g->outputs, any(&w, w.wides));
    char what[32];
    snprintf(what, sizeof what, "random rows %d", (int)seed);
    check_graph(a, w.g, what, seed);
    arrfree(w.wides);
    arrfree(w.narrows);
    arena_free(a);
  }
}

/* ---- random loops and branches ---- */
static void test_regions(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 100; seed++) {
    Arena *a = arena_new();
    Graph *g = graph_new(a, dimtab_new(a), diag_new(a));
    NodeId y = regiongen_build(g, seed, 2, true);
    arrsetlen(g->outputs, 0);
    arrput(g->outputs, y);
    char what[32];
    snprintf(what, sizeof what, "random regions %d", (int)seed);
    check_graph(a, g, what, seed);
    arena_free(a);
  }
}

/* ---- end to end ---- */
typedef struct PartWorld {
  Graph *g;
  Rand r;
  bool conv; /* or a product */
  int rank, axis;
  Dim size[4]; /* of a part; along the axis another one for each */
  Dim deep;    /* folded */
} PartWorld;

static NodeId part_input(PartWorld *w, int rank, Dim a, Dim b, Dim c, Dim d) {
  Dim shape[4] = {a, b, c, d};
  return g_input(w->g, nowhere, type_of(w->g->arena, F32, rank, shape));
}
static NodeId part_product(PartWorld *w) {
  Graph *g = w->g;
  const Dim *s = w->size;
  NodeId y;
  if (w->conv) {
    int64_t one[2] = {1, 1}, k = pick(&w->r, 2) ? 3 : 1;
    Dim border[2] = {dim_int(g->dims, k / 2), dim_int(g->dims, k / 2)}, window = dim_int(g->dims, k);
    NodeId x = part_input(w, 4, s[0], w->deep, s[2], s[3]), v = part_input(w, 4, s[1], w->deep, window, window);
    y = g_conv(g, OP_conv, nowhere, x, v, 2, one, border, border, one, 1, NULL);
  } else if (w->rank == 3) {
    int la[] = {0, 1, 3}, lb[] = {3, 2}, ly[] = {0, 1, 2};
    y = g_dot(g, nowhere, part_input(w, 3, s[0], s[1], w->deep, 0), part_input(w, 2, w->deep, s[2], 0, 0), la, lb, ly,
              3);
  } else {
    int la[] = {0, 2}, lb[] = {2, 1}, ly[] = {0, 1};
    y = g_dot(g, nowhere, part_input(w, 2, s[0], w->deep, 0, 0), part_input(w, 2, w->deep, s[1], 0, 0), la, lb, ly, 2);
  }
  return pick(&w->r, 3) ? g_map1(g, OP_tanh, nowhere, y) : y;
}
static NodeId part_of(PartWorld *w) {
  Graph *g = w->g;
  w->size[w->axis] = dim_int(g->dims, 1 + pick(&w->r, w->conv ? 18 : 40));
  NodeId x = pick(&w->r, 4) ? part_product(w) : part_input(w, w->rank, w->size[0], w->size[1], w->size[2], w->size[3]);
  if (pick(&w->r, 6) == 0) arrput(g->outputs, g_map1(g, OP_neg, nowhere, x)); /* somebody else reads it */
  return pick(&w->r, 5) ? x : g_map1(g, OP_sin, nowhere, x);
}
/* Products, convolutions and others end to end, along every axis. */
static void test_parts(void **state) {
  (void)state;
  parts = aside = 0;
  for (uint64_t seed = 1; seed <= 120; seed++) {
    Arena *a = arena_new();
    DimTab *d = dimtab_new(a);
    PartWorld w = {.g = graph_new(a, d, diag_new(a)), .r = {seed * 0x9e3779b97f4a7c15u}, .conv = seed % 3 == 0};
    for (int k = 0; k < 5; k++) pick(&w.r, 2);
    w.rank = w.conv ? 4 : 2 + pick(&w.r, 2);
    w.axis = pick(&w.r, w.rank);
    for (int k = 0; k < 4; k++) w.size[k] = dim_int(d, 1 + pick(&w.r, w.conv ? 9 : 20));
    if (w.axis && pick(&w.r, 2)) w.size[0] = dim_var(d, "B", 12);
    w.deep = dim_int(d, w.conv ? 8 * (1 + pick(&w.r, 2)) : 1 + pick(&w.r, 24));
    NodeId in[4];
    int n = 2 + pick(&w.r, 3);
    for (int k = 0; k < n; k++) in[k] = part_of(&w);
    NodeId y = g_concat(w.g, nowhere, in, n, w.axis);
    int all[4] = {0, 1, 2, 3};
    if (pick(&w.r, 2)) arrput(w.g->outputs, y);
    else arrput(w.g->outputs, g_reduce(w.g, OP_sum, nowhere, y, all + pick(&w.r, w.rank), 1));
    if (pick(&w.r, 2)) arrput(w.g->outputs, g_map1(w.g, OP_sigmoid, nowhere, y));
    char what[32];
    snprintf(what, sizeof what, "random parts %d", (int)seed);
    check_graph(a, w.g, what, seed);
    arena_free(a);
  }
  assert_true(parts > 100 && aside > 50);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_files), cmocka_unit_test(test_random),
                                     cmocka_unit_test(test_rows), cmocka_unit_test(test_regions),
                                     cmocka_unit_test(test_parts)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
