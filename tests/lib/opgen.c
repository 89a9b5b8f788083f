#include "tests/lib/opgen.h"
#include "base/ds.h"
#include "runtime/core/random.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Gen {
  Arena *a;
  Graph *g;
  DType dt;
  uint64_t seed, count;
  Dim var; /* the run-time dimension, or DIM_NONE */
} Gen;

static const Loc here = {0};

/* 0 .. n-1 */
static int pick(Gen *r, int n) { return (int)(dnn_mix64(r->seed, r->count++) % (uint64_t)n); }
static bool chance(Gen *r, int one_in) { return pick(r, one_in) == 0; }

static const int sizes[] = {1, 2, 3, 5, 7, 9, 13, 15, 16, 17, 31, 33, 65};

/* A size of at most `max`. */
static int size(Gen *r, int max) {
  int n = 0;
  while (n < (int)(sizeof sizes / sizeof *sizes) && sizes[n] <= max) n++;
  return sizes[pick(r, n)];
}

static Dim num(Gen *r, int64_t v) { return dim_int(r->g->dims, v); }

/* The run-time dimension of the case, made when it is first asked for. */
static Dim run_time(Gen *r) {
  if (r->var == DIM_NONE) r->var = dim_var(r->g->dims, "B", size(r, 17));
  return r->var;
}

/* `rank` sizes whose product stays below `budget`; in a third of the cases one of them is the run-time dimension. */
static void shape(Gen *r, int rank, int budget, Dim *out) {
  int symbolic = rank > 0 && chance(r, 3) ? pick(r, rank) : -1;
  if (symbolic >= 0) budget /= 17;
  for (int i = 0; i < rank; i++) {
    if (i == symbolic) {
      out[i] = run_time(r);
      continue;
    }
    int v = size(r, budget < 1 ? 1 : budget < 65 ? budget : 65);
    out[i] = num(r, v);
    budget /= v;
  }
}

static NodeId input(Gen *r, DType t, int rank, const Dim *s) { return g_input(r->g, here, type_of(r->a, t, rank, s)); }

static int64_t constant(Gen *r, Dim d) {
  int64_t v;
  return dim_is_int(r->g->dims, d, &v) ? v : -1;
}

/* Some axes of a rank, rising. */
static int some_axes(Gen *r, int rank, int *axes) {
  int n = 0;
  for (int i = 0; i < rank; i++) {
    if (chance(r, 2)) axes[n++] = i;
  }
  if (n == 0 && rank > 0) axes[n++] = pick(r, rank);
  return n;
}

/* ---- one function per class ---- */

static bool takes(Op op, DType t) {
  OpClass c = op_info[op].cls;
  if (t == TUPLE || c == REGION || c == META || op == OP_cell) return false;
  if (op == OP_uniform) return dtype_is_float(t);
  if (op == OP_clock) return t == I32 || t == I64;
  if (op == OP_mix_key) return t == I64;
  if (op == OP_iota) return t != BOOL;
  if (c == WINDOW) return dtype_is_float(t);
  return op_takes(op, t);
}

static NodeId leaf(Gen *r, Op op) {
  Dim s[MAX_RANK];
  int rank = pick(r, 4) + (op == OP_iota);
  if (op == OP_size)
    return g_size(r->g, here, dim_add(r->g->dims, dim_mul(r->g->dims, num(r, 2), run_time(r)), num(r, 1)), r->dt);
  if (op == OP_clock) return g_clock(r->g, here, r->dt == I64 ? 3 : pick(r, 3));
  shape(r, rank, 2000, s);
  for (int i = 0; op == OP_literal && i < rank; i++) s[i] = num(r, size(r, 9));
  Type t = type_of(r->a, r->dt, rank, s);
  switch (op) {
  case OP_input: return g_input(r->g, here, t);
  case OP_full: return g_full(r->g, here, r->dt == BOOL ? 1 : pick(r, 9) - (r->dt == U8 ? 0 : 4), t);
  case OP_iota: return g_iota(r->g, here, t, pick(r, rank));
  case OP_uniform: return g_uniform(r->g, here, input(r, I64, pick(r, rank + 1), s), r->seed * 7 + 5, t);
  default: {
    Tensor v = tensor_of_type(r->a, r->g->dims, t, NULL);
    tensor_random(&v, r->seed, r->dt == U8 ? 0 : -4, 4);
    return g_literal(r->g, here, t, v.data, (size_t)tensor_bytes(&v));
  }
  }
}

static NodeId map(Gen *r, Op op) {
  Dim s[MAX_RANK];
  int rank = pick(r, 5);
  shape(r, rank, 6000, s);
  if (op == OP_cast) {
    static const DType to[] = {F64, F32, F16, BF16, I64, I32, I8, U8, BOOL};
    DType t = to[pick(r, 9)];
    return g_cast(r->g, here, input(r, r->dt, rank, s), t == r->dt ? (t == F32 ? I32 : F32) : t);
  }
  if (op == OP_where) {
    NodeId c = input(r, BOOL, rank, s), x = input(r, r->dt, rank, s);
    return g_where(r->g, here, c, x, input(r, r->dt, rank, s));
  }
  NodeId x = input(r, r->dt, rank, s);
  return op_info[op].arity == 1 ? g_map1(r->g, op, here, x) : g_map2(r->g, op, here, x, input(r, r->dt, rank, s));
}

static NodeId slice(Gen *r, NodeId x, int rank, const Dim *s) {
  Dim start[MAX_RANK], count[MAX_RANK];
  int64_t step[MAX_RANK];
  for (int i = 0; i < rank; i++) {
    int64_t n = constant(r, s[i]);
    if (n < 0) { /* the whole axis, sometimes from its end */
      step[i] = chance(r, 2) ? -1 : 1;
      start[i] = step[i] < 0 ? dim_sub(r->g->dims, s[i], num(r, 1)) : num(r, 0);
      count[i] = s[i];
      continue;
    }
    int64_t from = pick(r, (int)n), by = 1 + pick(r, 3);
    if (chance(r, 3)) by = -by;
    int64_t most = by > 0 ? (n - 1 - from) / by + 1 : from / -by + 1;
    step[i] = by;
    start[i] = num(r, from);
    count[i] = num(r, 1 + pick(r, (int)most));
  }
  return g_slice(r->g, here, x, start, step, count);
}

static NodeId pad(Gen *r, NodeId x, int rank, const Dim *s) {
  Dim low[MAX_RANK], total[MAX_RANK];
  for (int i = 0; i < rank; i++) {
    int64_t n = constant(r, s[i]);
    int lo = pick(r, 4) - (n > 3 ? 1 : 0), hi = pick(r, 4) - (n > 3 ? 1 : 0);
    low[i] = num(r, lo);
    total[i] = dim_add(r->g->dims, s[i], num(r, lo + hi));
  }
  double value = r->dt == BOOL ? 1 : r->dt == U8 || chance(r, 2) ? 0 : -1.5;
  return g_pad(r->g, here, x, low, total, dtype_is_float(r->dt) ? value : (double)(int)value);
}

static NodeId reshape(Gen *r, NodeId x, int rank, const Dim *s) {
  Dim to[MAX_RANK];
  int n = 0;
  for (int i = 0; i < rank; i++) { /* join with the axis before, or keep; sometimes a 1 between */
    if (n && chance(r, 2)) to[n - 1] = dim_mul(r->g->dims, to[n - 1], s[i]);
    else to[n++] = s[i];
    if (n < 6 && chance(r, 4)) to[n++] = num(r, 1);
  }
  return g_reshape(r->g, here, x, n, to);
}

static NodeId broadcast(Gen *r) {
  Dim to[MAX_RANK], from[MAX_RANK];
  int rank = pick(r, 5), axes[MAX_RANK], n = 0;
  shape(r, rank, 6000, to);
  for (int i = 0; i < rank; i++) {
    if (chance(r, 3)) continue;
    axes[n] = i;
    from[n++] = chance(r, 4) ? num(r, 1) : to[i];
  }
  return g_broadcast(r->g, here, input(r, r->dt, n, from), rank, to, axes);
}

static NodeId concat(Gen *r) {
  Dim s[MAX_RANK];
  NodeId in[4];
  int rank = 1 + pick(r, 4), axis = pick(r, rank), n = 1 + pick(r, 4);
  shape(r, rank, 1500, s);
  for (int i = 0; i < n; i++) {
    in[i] = input(r, r->dt, rank, s);
    if (chance(r, 2)) s[axis] = num(r, size(r, 9));
  }
  return g_concat(r->g, here, in, n, axis);
}

static NodeId view(Gen *r, Op op) {
  Dim s[MAX_RANK];
  if (op == OP_broadcast) return broadcast(r);
  if (op == OP_concat) return concat(r);
  int rank = pick(r, 5), perm[MAX_RANK];
  shape(r, rank, 6000, s);
  NodeId x = input(r, r->dt, rank, s);
  switch (op) {
  case OP_slice: return slice(r, x, rank, s);
  case OP_pad: return pad(r, x, rank, s);
  case OP_reshape: return reshape(r, x, rank, s);
  default:
    for (int i = 0; i < rank; i++) perm[i] = i;
    for (int i = rank - 1; i > 0; i--) {
      int j = pick(r, i + 1), t = perm[i];
      perm[i] = perm[j];
      perm[j] = t;
    }
    return g_transpose(r->g, here, x, perm);
  }
}

static NodeId reduce(Gen *r, Op op) {
  Dim s[MAX_RANK];
  bool arg = op == OP_argmax || op == OP_argmin;
  int rank = pick(r, 4) + 1, axes[MAX_RANK];
  shape(r, rank, op == OP_prod ? 500 : 6000, s);
  NodeId x = input(r, r->dt, rank, s);
  if (arg) return g_arg(r->g, op, here, x, pick(r, rank));
  int n = some_axes(r, rank, axes);
  return g_reduce(r->g, op, here, x, axes, n);
}

/* Batch, free and summed labels in random order of axes. */
static NodeId dot(Gen *r) {
  Dim s[MAX_RANK];
  int kinds[MAX_RANK], n = 1 + pick(r, 4), na = 0, nb = 0, ny = 0;
  int la[MAX_RANK], lb[MAX_RANK], ly[MAX_RANK];
  Dim sa[MAX_RANK], sb[MAX_RANK];
  if (chance(r, 2)) { /* the plain product, larger */
    n = 3;
    kinds[0] = 1, kinds[1] = 2, kinds[2] = 3;
  } else {
    for (int i = 0; i < n; i++) kinds[i] = pick(r, 4);
  }
  shape(r, n, n == 3 ? 60000 : 20000, s);
  for (int i = 0; i < n; i++) { /* 0 batch, 1 only a, 2 only b, 3 summed */
    if (kinds[i] != 2) la[na] = i, sa[na++] = s[i];
    if (kinds[i] != 1) {
      int at = chance(r, 2) ? nb : 0; /* in front or at the end */
      memmove(lb + at + 1, lb + at, sizeof *lb * (size_t)(nb - at));
      memmove(sb + at + 1, sb + at, sizeof *sb * (size_t)(nb - at));
      lb[at] = i, sb[at] = s[i], nb++;
    }
    if (kinds[i] != 3) {
      int at = chance(r, 3) ? 0 : ny;
      memmove(ly + at + 1, ly + at, sizeof *ly * (size_t)(ny - at));
      ly[at] = i, ny++;
    }
  }
  NodeId a = input(r, r->dt, na, sa), b = input(r, r->dt, nb, sb);
  return g_dot(r->g, here, a, b, la, lb, ly, ny);
}

static NodeId conv(Gen *r, Op op) {
  int ns = 1 + pick(r, 3), groups = chance(r, 3) ? 1 + pick(r, 3) : 1;
  int most = ns == 1 ? 33 : ns == 2 ? 17 : 7;
  Dim x[MAX_RANK], w[MAX_RANK], low[MAX_RANK], high[MAX_RANK];
  int64_t stride[MAX_RANK], dilation[MAX_RANK];
  int per_group = size(r, 3), out_group = size(r, ns == 2 ? 9 : 3);
  x[0] = chance(r, 3) ? run_time(r) : num(r, size(r, 3));
  x[1] = num(r, per_group * groups);
  w[0] = num(r, out_group * groups);
  w[1] = num(r, per_group);
  for (int i = 0; i < ns; i++) {
    int k = 1 + pick(r, 4), lo = pick(r, 3), hi = pick(r, 3);
    stride[i] = 1 + pick(r, 3);
    dilation[i] = 1 + pick(r, 2);
    int need = (int)dilation[i] * (k - 1) + 1 - lo - hi, n = size(r, most);
    x[2 + i] = num(r, n > need ? n : need > 1 ? need : 1);
    w[2 + i] = num(r, k);
    low[i] = num(r, lo);
    high[i] = num(r, hi);
  }
  Graph *g = r->g;
  if (op == OP_conv) {
    NodeId a = input(r, r->dt, ns + 2, x), b = input(r, r->dt, ns + 2, w);
    return g_conv(g, op, here, a, b, ns, stride, low, high, dilation, groups, NULL);
  }
  /* the shape of y by the rule, on a graph that is thrown away */
  Graph *t = graph_new(r->a, g->dims, NULL);
  Type tx = type_of(r->a, r->dt, ns + 2, x), tw = type_of(r->a, r->dt, ns + 2, w);
  NodeId a = g_input(t, here, tx), b = g_input(t, here, tw);
  Type ty = graph_type(t, g_conv(t, OP_conv, here, a, b, ns, stride, low, high, dilation, groups, NULL));
  a = g_input(g, here, op == OP_conv_dx ? ty : tx);
  b = g_input(g, here, op == OP_conv_dx ? tw : ty);
  return g_conv(g, op, here, a, b, ns, stride, low, high, dilation, groups, op == OP_conv_dx ? &tx : &tw);
}

static NodeId pool(Gen *r, Op op) {
  int ns = 1 + pick(r, 3);
  Dim x[MAX_RANK], low[MAX_RANK], high[MAX_RANK];
  int64_t window[MAX_RANK], stride[MAX_RANK];
  x[0] = chance(r, 3) ? run_time(r) : num(r, size(r, 3));
  x[1] = num(r, size(r, 5));
  for (int i = 0; i < ns; i++) {
    int n = size(r, ns == 1 ? 65 : 9), k = 1 + pick(r, n < 3 ? n : 3);
    x[2 + i] = num(r, n);
    window[i] = k;
    stride[i] = 1 + pick(r, 3);
    low[i] = num(r, pick(r, k)); /* no window lies wholly outside */
    high[i] = num(r, pick(r, k));
  }
  NodeId in = input(r, r->dt, ns + 2, x);
  if (op != OP_max_pool_dx) return g_pool(r->g, op, here, in, ns, window, stride, low, high);
  NodeId arg = g_pool(r->g, OP_max_pool_arg, here, in, ns, window, stride, low, high);
  Type tx = graph_type(r->g, in), ty = graph_type(r->g, arg);
  NodeId dy[2] = {input(r, r->dt, ty.rank, ty.shape), arg};
  if (chance(r, 2) && pool_span(r->g, tx, window) <= 256) dy[1] = g_cast(r->g, here, arg, U8);
  const Node *n = graph_node(r->g, arg);
  return graph_add(r->g, op, here, dy, 2, n->attrs, n->n_attrs, &tx);
}

static NodeId indexed(Gen *r, Op op) {
  Dim x[MAX_RANK], i[MAX_RANK], u[MAX_RANK];
  int rank = 1 + pick(r, 3), batch = pick(r, rank), axis = batch + pick(r, rank - batch), free_axes = pick(r, 3), n = 0;
  shape(r, rank, 800, x);
  if (constant(r, x[axis]) < 0) x[axis] = num(r, size(r, 17));
  for (int k = 0; k < batch; k++) i[k] = x[k];
  for (int k = 0; k < free_axes; k++) i[batch + k] = num(r, size(r, 9));
  NodeId a = input(r, r->dt, rank, x), b = input(r, chance(r, 2) ? I32 : I64, batch + free_axes, i);
  if (op == OP_gather) return g_gather(r->g, here, a, b, axis, batch);
  for (int k = 0; k < axis; k++) u[n++] = x[k];
  for (int k = 0; k < free_axes; k++) u[n++] = i[batch + k];
  for (int k = axis + 1; k < rank; k++) u[n++] = x[k];
  return g_scatter(r->g, op, here, a, b, input(r, r->dt, n, u), axis, batch);
}

/* Rows, square and tall matrices, one right side or several. */
static NodeId call(Gen *r, Op op) {
  Dim x[MAX_RANK], b[MAX_RANK];
  int rank = 2 + pick(r, 3);
  bool row = op == OP_cumsum || op == OP_cumprod || op == OP_argsort;
  shape(r, rank - (row ? 1 : 2), row ? 60 : 12, x);
  x[rank - 1] = chance(r, 3) ? run_time(r) : num(r, size(r, row ? 65 : 17));
  if (!row) x[rank - 2] = op != OP_orthonormal ? x[rank - 1] : dim_add(r->g->dims, x[rank - 1], num(r, pick(r, 4)));
  for (int i = 0; i < rank; i++) b[i] = x[i];
  if (!row) b[rank - 1] = num(r, size(r, 9));
  NodeId in[2] = {input(r, r->dt, rank, x)};
  if (op_info[op].arity == 2) in[1] = input(r, r->dt, rank, b);
  Attr attr = {0};
  if (op_info[op].attrs[0])
    attr = attr_int(r->g, row ? op == OP_argsort ? A_descending : A_reverse : A_lower, pick(r, 2));
  return graph_add(r->g, op, here, in, op_info[op].arity, &attr, attr.key != A_NONE, NULL);
}

static NodeId build(Gen *r, Op op) {
  switch (op_info[op].cls) {
  case LEAF: return leaf(r, op);
  case MAP: return map(r, op);
  case VIEW: return view(r, op);
  case REDUCE: return reduce(r, op);
  case CONTRACT: return op == OP_dot ? dot(r) : conv(r, op);
  case WINDOW: return pool(r, op);
  case CALL: return call(r, op);
  default: return indexed(r, op);
  }
}

bool opgen_case(Arena *a, Graph *g, Op op, DType dt, uint64_t seed, NodeId *out) {
  if (!takes(op, dt)) return false;
  Gen r = {a, g, dt, dnn_mix64(seed, op * 16u + dt), 0, DIM_NONE};
  *out = build(&r, op);
  arrput(g->outputs, *out);
  return true;
}

bool opgen_grad_case(Arena *a, Graph *g, Op op, DType dt, uint64_t seed, NodeId *out) {
  if (!dtype_is_float(dt) || op_info[op].cls == LEAF || !strcmp(op_info[op].grad, "never")) return false;
  if (!opgen_case(a, g, op, dt, seed, out) || !dtype_is_float(graph_type(g, *out).dtype)) return false;
  Type t = graph_type(g, *out);
  int axes[MAX_RANK];
  for (int i = 0; i < t.rank; i++) axes[i] = i;
  NodeId w = g_input(g, here, t);
  NodeId y = g_reduce(g, OP_sum, here, g_map2(g, OP_mul, here, *out, w), axes, t.rank);
  arrsetlen(g->outputs, 0);
  arrput(g->outputs, y);
  *out = y;
  return true;
}

/* ---- values ---- */

int64_t *opgen_vars(Arena *a, const Graph *g, uint64_t seed) {
  int n = dim_var_count(g->dims);
  int64_t *vars = arena_array(a, int64_t, n + 1);
  for (int i = 0; i < n; i++) {
    int64_t bound = dim_var_bound(g->dims, i);
    vars[i] = bound < 0 ? 3 : bound == 0 ? 0 : 1 + (int64_t)(dnn_mix64(seed, 77 + (uint64_t)i) % (uint64_t)bound);
  }
  return vars;
}

/* Which op reads input node `in`, at which operand (its first use). */
static const Node *reader(const Graph *g, NodeId in, int *operand) {
  for (NodeId id = 1; id < (NodeId)arrlen(g->nodes); id++) {
    const Node *n = graph_node(g, id);
    for (int i = 0; i < n->n_in; i++) {
      if (n->in[i] == in) {
        *operand = i;
        return n;
      }
    }
  }
  return NULL;
}

/* A float for position i: a multiple of 1/8 plus 1/16 for the second operand and a further 1/32, so that no two
 * operands tie and no value lies near an integer or a half. */
static double apart(double u, int operand) {
  double k = (double)(int)(u * 63) - 31;
  return k / 8 + (operand == 1 ? 1.0 / 16 : 0) + 1.0 / 32;
}

static double in_domain(const Node *n, int operand, int64_t i, int64_t count, double u, double sign) {
  if (!n) return 4 * u - 2;
  switch (n->op) {
  case OP_log:
  case OP_sqrt:
  case OP_rsqrt: return 0.2 + 3 * u;
  case OP_log1p: return -0.7 + 3 * u;
  case OP_tan: return 2 * u - 1;
  case OP_pow: return operand == 0 ? 0.3 + 2 * u : 4 * u - 2;
  case OP_div: return operand == 0 ? 4 * u - 2 : sign * (0.5 + 1.5 * u);
  case OP_floordiv:
  case OP_mod: return operand == 0 ? 8 * u - 4 : sign * (1 + u);
  case OP_abs:
  case OP_sign:
  case OP_floor:
  case OP_ceil:
  case OP_round:
  case OP_maximum:
  case OP_minimum: return apart(u, operand);
  case OP_prod: return sign * (0.7 + 0.6 * u);
  case OP_cast: return 100 * u - 50;
  case OP_reduce_max:
  case OP_reduce_min:
  case OP_argmax:
  case OP_argmin:
  case OP_max_pool:
  case OP_max_pool_arg: { /* a permutation: all different */
    int64_t step = 1 + count / 2;
    while (step > 1) {
      int64_t x = step, y = count;
      while (y) {
        int64_t t = x % y;
        x = y;
        y = t;
      }
      if (x == 1) break;
      step--;
    }
    return (double)(i * step % count) * (8.0 / (double)count) - 4;
  }
  default: return 4 * u - 2;
  }
}

static void fill_float(Tensor *t, const Node *n, int operand, uint64_t seed) {
  int64_t count = tensor_count(t);
  for (int64_t i = 0; i < count; i++) {
    double u = dnn_uniform_f64((int64_t)seed, 1, i), sign = dnn_bits((int64_t)seed, 2, i) & 1 ? 1 : -1;
    tensor_set(t, i, in_domain(n, operand, i, count, u, sign));
  }
  if (!n || operand || op_info[n->op].cls != CALL || !(op_info[n->op].flags & FLOAT)) return;
  int64_t rows = t->shape[t->rank - 2], columns = t->shape[t->rank - 1];
  for (int64_t i = 0; i < count; i++) /* well conditioned matrices, their eigenvalues apart */
    if (i / columns % rows == i % columns)
      tensor_set(t, i, tensor_get(t, i) + (double)(2 * columns + 3 * (i % columns)));
}

static void fill_int(Tensor *t, const Graph *g, const Node *n, int operand, uint64_t seed, const int64_t *vars) {
  int64_t count = tensor_count(t), lo = t->dtype == U8 ? 0 : -9, hi = 9;
  bool index = n && operand == 1 && (op_info[n->op].cls == GATHER || op_info[n->op].cls == SCATTER);
  if (index) {
    Type x = graph_type(g, n->in[0]);
    lo = 0;
    hi = dim_eval(g->dims, x.shape[node_int(g, n, A_axis)], vars) - 1;
  }
  if (n && (n->op == OP_mix_key || n->op == OP_uniform)) lo = -((int64_t)1 << 61), hi = (int64_t)1 << 61;
  for (int64_t i = 0; i < count; i++) {
    uint64_t bits = dnn_bits((int64_t)seed, 3, i) >> 1;
    tensor_set_int(t, i, t->dtype == BOOL ? (int64_t)(bits & 1) : lo + (int64_t)(bits % (uint64_t)(hi - lo + 1)));
  }
}

/* a = b * (k + 1/4 .. 3/4): a / b keeps away from the jumps of floor. */
static void keep_from_jumps(Tensor *a, const Tensor *b, uint64_t seed) {
  for (int64_t i = 0, n = tensor_count(a); i < n; i++) {
    double u = dnn_uniform_f64((int64_t)seed, 4, i), k = (double)(dnn_bits((int64_t)seed, 5, i) % 7) - 3;
    tensor_set(a, i, tensor_get(b, i) * (k + 0.25 + 0.5 * u));
  }
}

Tensor *opgen_inputs(Arena *a, const Graph *g, uint64_t seed, const int64_t *vars) {
  Tensor *in = arena_array(a, Tensor, g->n_inputs + 1);
  for (NodeId id = 1; id < (NodeId)arrlen(g->nodes); id++) {
    const Node *x = graph_node(g, id);
    if (x->op != OP_input) continue;
    int64_t index = node_int(g, x, A_index);
    int operand = 0;
    const Node *n = reader(g, id, &operand);
    in[index] = tensor_of_type(a, g->dims, x->type, vars);
    uint64_t s = dnn_mix64(seed, (uint64_t)index + 1000);
    if (dtype_is_float(x->type.dtype)) fill_float(&in[index], n, operand, s);
    else fill_int(&in[index], g, n, operand, s, vars);
  }
  for (NodeId id = 1; id < (NodeId)arrlen(g->nodes); id++) {
    const Node *n = graph_node(g, id);
    if ((n->op != OP_mod && n->op != OP_floordiv) || !dtype_is_float(n->type.dtype)) continue;
    const Node *p = graph_node(g, n->in[0]), *q = graph_node(g, n->in[1]);
    if (p->op != OP_input || q->op != OP_input || p == q) continue;
    keep_from_jumps(&in[node_int(g, p, A_index)], &in[node_int(g, q, A_index)], seed);
  }
  return in;
}

Tensor *opgen_eval(Arena *a, const Graph *g, const int64_t *vars, const Tensor *in) {
  EvalEnv env = {vars, in, NULL, {3, 10, 1, 42}};
  Tensor *out = arena_array(a, Tensor, arrlen(g->outputs) + 1);
  Buf why = {0};
  if (!graph_eval(a, g, &env, out, &why)) {
    fprintf(stderr, "evaluator: %s\n", why.s);
    abort();
  }
  return out;
}
