/* Random cases for every differentiable op of ops.def: small graphs of f64 values, away from kinks, sizes 1, primes and
 * others, some of them dimension variables. Building twice from one seed gives the same graph and the same numbers. */
#ifndef TESTS_UNIT_GRAD_CASES_H
#define TESTS_UNIT_GRAD_CASES_H
#include "base/ds.h"
#include "ir/ir.h"
#include <math.h>

enum { CASE_MAX = 8 };
typedef struct Case {
  Arena *arena;
  Graph *g;
  uint64_t seed;
  int n_in;
  double *data[CASE_MAX]; /* by input; floats and integers alike */
  int64_t count[CASE_MAX];
  NodeId in[CASE_MAX];
  bool wanted[CASE_MAX]; /* a gradient is asked for */
  int64_t *vars;         /* stb_ds: values of the dimension variables */
  double step;           /* of finite differences */
  double grid;           /* inputs are multiples of it when it is not 0 */
  Dim var[3];
} Case;

static const Loc nowhere = {0};

static inline uint64_t case_random(Case *c) {
  uint64_t z = (c->seed += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}
static inline int case_int(Case *c, int lo, int hi) { return lo + (int)(case_random(c) % (uint64_t)(hi - lo + 1)); }
static inline double case_unit(Case *c) { return (double)(case_random(c) >> 11) * 0x1p-53; }

/* A size: 1, a prime or another small one; one in three is a variable of that value. */
static inline Dim case_dim(Case *c, int64_t v) {
  if (case_int(c, 0, 2)) return dim_int(c->g->dims, v);
  Dim d = dim_var(c->g->dims, "N", v + 3);
  arrput(c->vars, v);
  return d;
}
static inline int case_size(Case *c) { return (const int[]){1, 2, 3, 4, 5, 7}[case_int(c, 0, 5)]; }
static inline Dim case_any(Case *c) { return case_dim(c, case_size(c)); }
static inline int64_t case_value(const Case *c, Dim d) { return dim_eval(c->g->dims, d, c->vars); }

static inline NodeId case_input(Case *c, DType t, int rank, const Dim *shape, double lo, double hi) {
  int64_t n = 1;
  for (int k = 0; k < rank; k++) n *= case_value(c, shape[k]);
  int i = c->n_in++;
  c->count[i] = n;
  c->data[i] = arena_array(c->arena, double, n + 1);
  for (int64_t k = 0; k < n; k++) {
    double v = lo + (hi - lo) * case_unit(c);
    if (c->grid != 0) v = c->grid * round(v / c->grid);
    c->data[i][k] = dtype_is_float(t) ? v : floor(v);
  }
  c->wanted[i] = dtype_is_float(t);
  return c->in[i] = g_input(c->g, nowhere, type_of(c->arena, t, rank, shape));
}
/* Floats of one to three axes in [lo, hi). */
static inline NodeId case_floats(Case *c, double lo, double hi) {
  Dim shape[3];
  int rank = case_int(c, 0, 3);
  for (int k = 0; k < rank; k++) shape[k] = case_any(c);
  return case_input(c, F64, rank, shape, lo, hi);
}
static inline NodeId case_like(Case *c, NodeId a, double lo, double hi) {
  Type t = graph_type(c->g, a);
  return case_input(c, t.dtype, t.rank, t.shape, lo, hi);
}
/* Indices below `limit`, repeats among them. */
static inline NodeId case_index(Case *c, int rank, const Dim *shape, int64_t limit) {
  return case_input(c, I32, rank, shape, 0, (double)limit);
}

typedef NodeId CaseFn(Case *c);
typedef struct CaseRow {
  Op op;
  CaseFn *build; /* the node whose gradient is tested */
} CaseRow;
extern const CaseRow case_rows[];
extern const int case_row_count;

/* ---- element-wise ---- */
#define UNARY(name, lo, hi)                                                                                            \
  static NodeId case_##name(Case *c) { return g_map1(c->g, OP_##name, nowhere, case_floats(c, lo, hi)); }
UNARY(neg, -2, 2)
UNARY(exp, -2, 2)
UNARY(log, 0.3, 3)
UNARY(log1p, -0.6, 3)
UNARY(expm1, -2, 2)
UNARY(sqrt, 0.3, 3)
UNARY(rsqrt, 0.3, 3)
UNARY(sin, -3, 3)
UNARY(cos, -3, 3)
UNARY(tan, -1, 1)
UNARY(tanh, -2, 2)
UNARY(sigmoid, -3, 3)
UNARY(erf, -2, 2)

/* A value of either sign, at least 0.2 away from 0. */
static NodeId case_signed(Case *c, NodeId like) {
  NodeId a = like ? case_like(c, like, 0.2, 2) : case_floats(c, 0.2, 2);
  int i = c->n_in - 1;
  for (int64_t k = 0; k < c->count[i]; k++) c->data[i][k] *= case_int(c, 0, 1) ? 1 : -1;
  return a;
}
static NodeId case_abs(Case *c) { return g_map1(c->g, OP_abs, nowhere, case_signed(c, 0)); }

/* From f32, on a grid where that is exact. */
static NodeId case_cast(Case *c) {
  c->grid = 1.0 / 64, c->step = 1.0 / 128;
  Dim shape[1] = {case_any(c)};
  return g_cast(c->g, nowhere, case_input(c, F32, 1, shape, -2, 2), F64);
}

static NodeId binary(Case *c, Op op, NodeId a, NodeId b) { return g_map2(c->g, op, nowhere, a, b); }
static NodeId case_add(Case *c) {
  NodeId a = case_floats(c, -2, 2);
  return binary(c, OP_add, a, case_int(c, 0, 3) ? case_like(c, a, -2, 2) : a);
}
static NodeId case_sub(Case *c) {
  NodeId a = case_floats(c, -2, 2);
  return binary(c, OP_sub, a, case_like(c, a, -2, 2));
}
static NodeId case_mul(Case *c) {
  NodeId a = case_floats(c, -2, 2);
  return binary(c, OP_mul, a, case_int(c, 0, 3) ? case_like(c, a, -2, 2) : a);
}
static NodeId case_div(Case *c) {
  NodeId a = case_floats(c, -2, 2);
  return binary(c, OP_div, a, case_signed(c, a));
}
/* a = b * (n + 0.3 .. 0.7): away from the jumps */
static NodeId case_mod(Case *c) {
  NodeId a = case_floats(c, 0.3, 0.7);
  int i = c->n_in - 1;
  NodeId b = case_signed(c, a);
  for (int64_t k = 0; k < c->count[i]; k++) c->data[i][k] = c->data[i + 1][k] * (c->data[i][k] + case_int(c, -2, 3));
  return binary(c, OP_mod, a, b);
}
static NodeId case_pow(Case *c) {
  NodeId a = case_floats(c, 0.3, 2);
  return binary(c, OP_pow, a, case_like(c, a, -2, 3));
}
/* b differs from a by at least 0.1 */
static NodeId apart(Case *c, Op op) {
  NodeId a = case_floats(c, -2, 2), b = case_like(c, a, 0.1, 2);
  for (int64_t k = 0; k < c->count[0]; k++)
    c->data[1][k] = c->data[0][k] + (case_int(c, 0, 1) ? 1 : -1) * c->data[1][k];
  return binary(c, op, a, b);
}
static NodeId case_maximum(Case *c) { return apart(c, OP_maximum); }
static NodeId case_minimum(Case *c) { return apart(c, OP_minimum); }
static NodeId case_where(Case *c) {
  NodeId a = case_floats(c, -2, 2), b = case_like(c, a, -2, 2);
  Type t = graph_type(c->g, a);
  NodeId m = case_input(c, BOOL, t.rank, t.shape, 0, 2);
  return g_where(c->g, nowhere, m, a, b);
}

/* ---- views ---- */
static NodeId case_reshape(Case *c) {
  Dim n = case_any(c), a[3] = {n, dim_int(c->g->dims, 2), dim_int(c->g->dims, 3)};
  Dim b[2] = {dim_int(c->g->dims, 3), dim_mul(c->g->dims, n, dim_int(c->g->dims, 2))};
  return g_reshape(c->g, nowhere, case_input(c, F64, 3, a, -2, 2), 2, b);
}
static NodeId case_transpose(Case *c) {
  Dim a[4] = {case_any(c), case_any(c), case_dim(c, 2), case_dim(c, 3)};
  int perm[4] = {0, 1, 2, 3};
  for (int k = 3; k > 0; k--) {
    int j = case_int(c, 0, k), t = perm[k];
    perm[k] = perm[j], perm[j] = t;
  }
  return g_transpose(c->g, nowhere, case_input(c, F64, 4, a, -2, 2), perm);
}
static NodeId case_broadcast(Case *c) {
  DimTab *t = c->g->dims;
  Dim n = case_any(c), m = case_any(c), a[3] = {n, dim_int(t, 1), m},
      y[5] = {case_any(c), n, case_any(c), m, case_dim(c, 2)};
  static const int axes[3] = {1, 2, 3};
  return g_broadcast(c->g, nowhere, case_input(c, F64, 3, a, -2, 2), 5, y, axes);
}
/* start + i * step, either sign, inside of an axis that is long enough */
static NodeId case_slice(Case *c) {
  DimTab *t = c->g->dims;
  Dim a[2], start[2], size[2];
  int64_t step[2];
  for (int k = 0; k < 2; k++) {
    int n = case_int(c, 1, 4), s = case_int(c, 1, 3), low = case_int(c, 0, 2), high = case_int(c, 0, 2);
    bool back = case_int(c, 0, 1);
    size[k] = dim_int(t, n);
    a[k] = case_dim(c, low + (n - 1) * s + 1 + high);
    step[k] = back ? -s : s;
    start[k] = back ? dim_int(t, low + (n - 1) * s) : dim_int(t, low);
  }
  return g_slice(c->g, nowhere, case_input(c, F64, 2, a, -2, 2), start, step, size);
}
/* adds, cuts, or one at each end */
static NodeId case_pad(Case *c) {
  DimTab *t = c->g->dims;
  Dim a[2], low[2], size[2];
  for (int k = 0; k < 2; k++) {
    int n = case_int(c, 3, 6), l = case_int(c, -2, 2);
    a[k] = case_dim(c, n);
    low[k] = dim_int(t, l);
    size[k] = dim_add(t, a[k], dim_int(t, l + case_int(c, -1, 2)));
    if (case_value(c, size[k]) < 1) size[k] = a[k];
  }
  return g_pad(c->g, nowhere, case_input(c, F64, 2, a, -2, 2), low, size, 0.5);
}
static NodeId case_concat(Case *c) {
  Dim n = case_any(c), m = case_any(c);
  NodeId in[3];
  int axis = case_int(c, 0, 1);
  for (int k = 0; k < 3; k++) {
    Dim part = case_any(c), shape[2] = {axis ? n : part, axis ? part : m};
    in[k] = case_input(c, F64, 2, shape, -2, 2);
  }
  return g_concat(c->g, nowhere, in, 3, axis);
}

/* ---- reductions ---- */
static NodeId reduce(Case *c, Op op, double lo, double hi) {
  Dim a[3] = {case_any(c), case_any(c), case_dim(c, 3)};
  int axes[3], n = 0, mask = case_int(c, 1, 7);
  for (int k = 0; k < 3; k++)
    if (mask >> k & 1) axes[n++] = k;
  return g_reduce(c->g, op, nowhere, case_input(c, F64, 3, a, lo, hi), axes, n);
}
static NodeId case_sum(Case *c) { return reduce(c, OP_sum, -2, 2); }
static NodeId case_prod(Case *c) {
  NodeId y = reduce(c, OP_prod, -1.5, 1.5);
  for (int64_t k = 0; k < c->count[0]; k += 4) c->data[0][k] = 0; /* the rule may not divide by elements */
  return y;
}
/* all elements at least 0.05 apart */
static void spread_out(Case *c, int i) {
  for (int64_t k = 0; k < c->count[i]; k++) c->data[i][k] = 0.05 * (double)k - 1;
  for (int64_t k = c->count[i] - 1; k > 0; k--) {
    int64_t j = case_int(c, 0, (int)k);
    double t = c->data[i][k];
    c->data[i][k] = c->data[i][j], c->data[i][j] = t;
  }
}
static NodeId case_reduce_max(Case *c) {
  NodeId y = reduce(c, OP_reduce_max, 0, 1);
  spread_out(c, 0);
  return y;
}
static NodeId case_reduce_min(Case *c) {
  NodeId y = reduce(c, OP_reduce_min, 0, 1);
  spread_out(c, 0);
  return y;
}

/* ---- contractions and windows ---- */
/* labels: 0 in a and y, 1 in all (batch), 2 and 3 summed, 4 in b and y; each operand in random order */
static void shuffle(Case *c, int *v, int n) {
  for (int k = n - 1; k > 0; k--) {
    int j = case_int(c, 0, k), t = v[k];
    v[k] = v[j], v[j] = t;
  }
}
static NodeId case_dot(Case *c) {
  Dim size[5] = {case_any(c), case_dim(c, 2), case_any(c), case_dim(c, 2), case_any(c)}, a[4], b[4];
  int la[4] = {0, 1, 2, 3}, lb[4] = {1, 2, 3, 4}, ly[3] = {0, 1, 4};
  shuffle(c, la, 4), shuffle(c, lb, 4), shuffle(c, ly, 3);
  for (int k = 0; k < 4; k++) a[k] = size[la[k]], b[k] = size[lb[k]];
  NodeId x = case_input(c, F64, 4, a, -2, 2), w = case_input(c, F64, 4, b, -2, 2);
  return g_dot(c->g, nowhere, x, w, la, lb, ly, 3);
}

typedef struct ConvCase {
  int ns;
  int64_t stride[2], dilation[2], groups;
  Dim low[2], high[2];
  Type x, w, y;
} ConvCase;
static ConvCase conv_case(Case *c) {
  DimTab *t = c->g->dims;
  ConvCase v = {.ns = case_int(c, 1, 2), .groups = case_int(c, 1, 2)};
  int each = case_int(c, 1, 2), out = case_int(c, 1, 2);
  Dim x[4] = {case_dim(c, case_int(c, 1, 2)), dim_int(t, v.groups * each)},
      w[4] = {dim_int(t, v.groups * out), dim_int(t, each)};
  for (int k = 0; k < v.ns; k++) {
    int size = case_int(c, 1, 3);
    v.stride[k] = case_int(c, 1, 2), v.dilation[k] = case_int(c, 1, 2);
    v.low[k] = dim_int(t, case_int(c, 0, 2)), v.high[k] = dim_int(t, case_int(c, 0, 2));
    w[2 + k] = dim_int(t, size);
    x[2 + k] = dim_int(t, (size - 1) * v.dilation[k] + case_int(c, 1, 4));
  }
  v.x = type_of(c->arena, F64, 2 + v.ns, x), v.w = type_of(c->arena, F64, 2 + v.ns, w);
  NodeId a = g_full(c->g, nowhere, 0, v.x), b = g_full(c->g, nowhere, 0, v.w);
  v.y =
      graph_type(c->g, g_conv(c->g, OP_conv, nowhere, a, b, v.ns, v.stride, v.low, v.high, v.dilation, v.groups, NULL));
  return v;
}
static NodeId conv(Case *c, Op op, const ConvCase *v, Type a, Type b, const Type *want) {
  NodeId x = case_input(c, F64, a.rank, a.shape, -2, 2), w = case_input(c, F64, b.rank, b.shape, -2, 2);
  return g_conv(c->g, op, nowhere, x, w, v->ns, v->stride, v->low, v->high, v->dilation, v->groups, want);
}
static NodeId case_conv(Case *c) {
  ConvCase v = conv_case(c);
  return conv(c, OP_conv, &v, v.x, v.w, NULL);
}
static NodeId case_conv_dx(Case *c) {
  ConvCase v = conv_case(c);
  return conv(c, OP_conv_dx, &v, v.y, v.w, &v.x);
}
static NodeId case_conv_dw(Case *c) {
  ConvCase v = conv_case(c);
  return conv(c, OP_conv_dw, &v, v.x, v.y, &v.w);
}
static NodeId max_pool(Case *c, Op op) {
  DimTab *t = c->g->dims;
  int ns = case_int(c, 1, 2);
  Dim x[4] = {case_dim(c, case_int(c, 1, 2)), case_dim(c, 2)}, low[2], high[2];
  int64_t window[2], stride[2];
  for (int k = 0; k < ns; k++) {
    window[k] = case_int(c, 1, 3), stride[k] = case_int(c, 1, 3);
    low[k] = dim_int(t, case_int(c, 0, (int)window[k] - 1)), high[k] = dim_int(t, case_int(c, 0, (int)window[k] - 1));
    x[2 + k] = dim_int(t, window[k] + case_int(c, 0, 4));
  }
  NodeId a = case_input(c, F64, 2 + ns, x, 0, 1);
  spread_out(c, 0);
  if (op == OP_max_pool) return g_pool(c->g, op, nowhere, a, ns, window, stride, low, high);
  NodeId arg = g_pool(c->g, OP_max_pool_arg, nowhere, a, ns, window, stride, low, high);
  Type tx = graph_type(c->g, a), ty = graph_type(c->g, arg);
  NodeId in[2] = {case_input(c, F64, ty.rank, ty.shape, -2, 2), arg};
  if (case_int(c, 0, 1) && pool_span(c->g, tx, window) <= 256) in[1] = g_cast(c->g, nowhere, arg, U8);
  return graph_add(c->g, op, nowhere, in, 2, graph_node(c->g, arg)->attrs, graph_node(c->g, arg)->n_attrs, &tx);
}
static NodeId case_max_pool(Case *c) { return max_pool(c, OP_max_pool); }
static NodeId case_max_pool_dx(Case *c) { return max_pool(c, OP_max_pool_dx); }

/* ---- run-time indices ---- */
typedef struct IndexCase {
  int axis, batch;
  NodeId x, i;
} IndexCase;
static IndexCase index_case(Case *c) {
  IndexCase v = {.batch = case_int(c, 0, 1)};
  v.axis = case_int(c, v.batch, 2);
  Dim n = case_any(c), x[3] = {n, case_any(c), case_dim(c, 3)}, i[3] = {n, case_dim(c, 2), case_any(c)};
  v.x = case_input(c, F64, 3, x, -2, 2);
  int64_t limit = case_value(c, x[v.axis]);
  v.i = v.batch ? case_index(c, 2, i, limit) : case_index(c, case_int(c, 0, 1) ? 2 : 1, i + 1, limit);
  return v;
}
static NodeId case_gather(Case *c) {
  IndexCase v = index_case(c);
  return g_gather(c->g, nowhere, v.x, v.i, v.axis, v.batch);
}
static NodeId scatter(Case *c, Op op) {
  IndexCase v = index_case(c);
  Type t = graph_type(c->g, g_gather(c->g, nowhere, v.x, v.i, v.axis, v.batch));
  NodeId u = case_input(c, F64, t.rank, t.shape, -2, 2);
  return g_scatter(c->g, op, nowhere, v.x, v.i, u, v.axis, v.batch);
}
static NodeId case_scatter_add(Case *c) { return scatter(c, OP_scatter_add); }
static NodeId case_scatter_set(Case *c) { return scatter(c, OP_scatter_set); }

#include "tests/unit/grad_cases_region.h"
#include "tests/unit/grad_cases_call.h"

#define ROW(name)                                                                                                      \
  { OP_##name, case_##name }
const CaseRow case_rows[] = {
    ROW(neg),         ROW(exp),         ROW(log),
    ROW(log1p),       ROW(expm1),       ROW(sqrt),
    ROW(rsqrt),       ROW(sin),         ROW(cos),
    ROW(tan),         ROW(tanh),        ROW(sigmoid),
    ROW(erf),         ROW(abs),         ROW(cast),
    ROW(add),         ROW(sub),         ROW(mul),
    ROW(div),         ROW(mod),         ROW(pow),
    ROW(maximum),     ROW(minimum),     ROW(where),
    ROW(reshape),     ROW(transpose),   ROW(broadcast),
    ROW(slice),       ROW(pad),         ROW(concat),
    ROW(sum),         ROW(prod),        ROW(reduce_max),
    ROW(reduce_min),  ROW(dot),         ROW(conv),
    ROW(conv_dx),     ROW(conv_dw),     ROW(max_pool),
    ROW(max_pool_dx), ROW(gather),      ROW(scatter_add),
    ROW(scatter_set), ROW(scan),        ROW(while),
    ROW(cond),        ROW(get),         ROW(checkpoint),
    ROW(custom_grad), ROW(scatter_max), ROW(cumsum),
    ROW(cumprod),     ROW(cholesky),    ROW(logdet),
    ROW(eigh),        ROW(solve),       ROW(triangular_solve),
    ROW(orthonormal),
};
const int case_row_count = sizeof case_rows / sizeof *case_rows;
#undef ROW
#endif
