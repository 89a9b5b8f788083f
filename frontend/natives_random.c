/* random.* and clock.*: counter-based numbers; a site is the chain of calls with ordinals, mixed with static indices.
 */
#include "frontend/elab_priv.h"
#include <math.h>
#include <string.h>

/* Uniform in [0, 1) of this type, from the next site called `name`. */
static NodeId draw(Elab *e, const char *name, DType t, int rank, const Dim *shape, Loc at) {
  return g_uniform(e->trace->graph, elab_place(e, at), random_key(e, at), site_next(e, name),
                   type_of(e->arena, t, rank, shape));
}

static bool drawn_shape(Elab *e, Value *v, Value *dtype, int *rank, Dim *shape, DType *t, Loc at) {
  *t = F32;
  if (!want_shape(e, v, rank, shape, "the shape", at)) return false;
  if (dtype && (dtype->kind != V_DTYPE || !dtype_is_float(dtype->dtype))) {
    elab_error(e, at, E0401, "`dtype` must be a float dtype");
    return false;
  }
  if (dtype) *t = dtype->dtype;
  return !too_big(e, type_of(e->arena, *t, *rank, shape), at);
}

static Value *uniform(Elab *e, Value **a, int n, Loc at) {
  Dim shape[MAX_RANK];
  int rank;
  DType t;
  double lo, hi;
  if (!drawn_shape(e, a[0], a[3], &rank, shape, &t, at)) return e->poison;
  Value *u = v_tensor(e, draw(e, "uniform", t, rank, shape, at));
  if (v_number(e, a[1], &lo) && v_number(e, a[2], &hi) && lo == 0 && hi == 1) return u;
  Value *span = elab_binary(e, OP_sub, a[2], a[1], at);
  return elab_binary(e, OP_add, elab_binary(e, OP_mul, u, span, at), a[1], at);
}

/* Box and Muller (1958): sqrt(-2 ln(1 - u)) cos(2 pi v). */
static Value *normal(Elab *e, Value **a, int n, Loc at) {
  Dim shape[MAX_RANK];
  int rank;
  DType t;
  if (!drawn_shape(e, a[0], a[1], &rank, shape, &t, at)) return e->poison;
  Graph *g = e->trace->graph;
  Loc place = elab_place(e, at);
  NodeId u = draw(e, "normal", t, rank, shape, at), v = draw(e, "normal", t, rank, shape, at);
  NodeId ln = g_map1(g, OP_log1p, place, g_map1(g, OP_neg, place, u));
  NodeId r = g_map1(g, OP_sqrt, place, g_map2(g, OP_mul, place, g_full_like(g, place, -2, u), ln));
  NodeId angle = g_map2(g, OP_mul, place, g_full_like(g, place, 6.283185307179586, v), v);
  return v_tensor(e, g_map2(g, OP_mul, place, r, g_map1(g, OP_cos, place, angle)));
}

/* u < p, with u of p's dtype. */
static Value *bernoulli(Elab *e, Value **a, int n, Loc at) {
  Dim shape[MAX_RANK];
  int rank;
  DType t;
  if (!drawn_shape(e, a[1], NULL, &rank, shape, &t, at)) return e->poison;
  Value *p = v_read(e, a[0]);
  if (p->kind == V_TENSOR && dtype_is_float(v_type(p).dtype)) t = v_type(p).dtype;
  return elab_binary(e, OP_lt, v_tensor(e, draw(e, "bernoulli", t, rank, shape, at)), a[0], at);
}

/* lo + floor(u * (hi - lo)), at most hi - 1. */
static Value *integer(Elab *e, Value **a, int n, Loc at) {
  Dim shape[MAX_RANK];
  int rank;
  DType t;
  if (!drawn_shape(e, a[0], NULL, &rank, shape, &t, at)) return e->poison;
  Value *u = v_tensor(e, draw(e, "integer", t, rank, shape, at));
  Value *span = elab_binary(e, OP_sub, a[2], a[1], at);
  if (is_poison(span)) return span;
  Value *wide = v_read(e, span)->kind == V_TENSOR ? cast_value(e, F32, span, at) : span;
  Value *k = cast_value(e, I32, elab_binary(e, OP_mul, u, wide, at), at);
  k = elab_binary(e, OP_minimum, k, elab_binary(e, OP_sub, span, v_int(e, 1), at), at);
  return elab_binary(e, OP_add, k, a[1], at);
}

/* Draws from one distribution f32[C]: the place of u in the running sums of e^(x - max x), found by counting the sums
 * that are not beyond it. Those that have reached the total do not count, so that nothing of probability 0 is drawn. */
static Value *from_one(Elab *e, NodeId x, int rank, Dim *shape, Loc at) {
  Graph *g = e->trace->graph;
  Loc place = elab_place(e, at);
  Type t = graph_type(g, x);
  int last = 0, axis = rank;
  Dim classes = t.shape[0];
  shape[rank] = classes;
  if (too_big(e, type_of(e->arena, t.dtype, rank + 1, shape), at)) return e->poison;
  NodeId top = g_broadcast_to(g, place, g_reduce(g, OP_reduce_max, place, x, &last, 1), 1, &classes);
  NodeId share = g_map1(g, OP_exp, place, g_map2(g, OP_sub, place, x, top));
  Attr axes[] = {attr_int(g, A_reverse, 0)};
  NodeId sums = graph_add(g, OP_cumsum, place, &share, 1, axes, 1, NULL);
  NodeId total = index_axis(e, sums, 0, dim_sub(e->dims, classes, dim_int(e->dims, 1)), at);
  NodeId u = draw(e, "categorical", t.dtype, rank, shape, at);
  u = g_map2(g, OP_mul, place, u, broadcast_node(e, total, rank, shape, at));
  NodeId before = g_map2(g, OP_lt, place, sums, g_broadcast_to(g, place, total, 1, &classes));
  int axes_of_u[MAX_RANK];
  for (int i = 0; i < rank; i++) axes_of_u[i] = i;
  NodeId passed = g_map2(g, OP_le, place, broadcast_node(e, sums, rank + 1, shape, at),
                         g_broadcast(g, place, u, rank + 1, shape, axes_of_u));
  passed = g_map2(g, OP_and, place, passed, broadcast_node(e, before, rank + 1, shape, at));
  return v_tensor(e, g_reduce(g, OP_sum, place, g_cast(g, place, passed, I32), &axis, 1));
}

/* One draw for each row of logits, argmax(logits + Gumbel noise) over the last axis; with a shape, many from one row.
 */
static Value *categorical(Elab *e, Value **a, int n, Loc at) {
  Value *x = a[0];
  if (!want_tensor(e, &x, "the logits", at)) return e->poison;
  Type t = v_type(x);
  Dim shape[MAX_RANK];
  int rank = t.rank;
  if (!dtype_is_float(t.dtype) || t.rank < 1)
    return elab_error(e, at, E0310, "`random.categorical` takes floats f32[..., C], not %s", type_text(e, t));
  for (int i = 0; i < rank; i++) shape[i] = t.shape[i];
  if (a[1]->kind != V_NONE) {
    if (t.rank != 1) return elab_error(e, at, E0345, "with a shape the logits are one vector, not %s", type_text(e, t));
    if (!want_shape(e, a[1], &rank, shape, "the shape", at)) return e->poison;
    if (rank == MAX_RANK) return elab_error(e, at, E0304, "the result would have more than %d axes", MAX_RANK - 1);
    return from_one(e, nid(x), rank, shape, at);
  }
  Graph *g = e->trace->graph;
  Loc place = elab_place(e, at);
  if (too_big(e, type_of(e->arena, t.dtype, rank, shape), at)) return e->poison;
  NodeId u = draw(e, "categorical", t.dtype, rank, shape, at);
  NodeId e1 = g_map1(g, OP_neg, place, g_map1(g, OP_log1p, place, g_map1(g, OP_neg, place, u)));
  NodeId tiny = g_full_like(g, place, 1e-30, e1);
  NodeId gumbel = g_map1(g, OP_neg, place, g_map1(g, OP_log, place, g_map2(g, OP_maximum, place, e1, tiny)));
  NodeId y = g_map2(g, OP_add, place, nid(x), gumbel);
  return v_tensor(e, g_arg(g, OP_argmax, place, y, rank - 1));
}

/* The order of keys that are drawn: uniform in f64, so that equal ones do not count. */
static Value *permutation(Elab *e, Value **a, int n, Loc at) {
  Graph *g = e->trace->graph;
  Dim shape[1];
  int rank;
  if (!want_shape(e, v_list(e, a, 1), &rank, shape, "the number of elements", at)) return e->poison;
  if (too_big(e, type_of(e->arena, F64, 1, shape), at)) return e->poison;
  NodeId keys = draw(e, "permutation", F64, 1, shape, at);
  Attr up = attr_int(g, A_descending, 0);
  return v_tensor(e, graph_add(g, OP_argsort, elab_place(e, at), &keys, 1, &up, 1, NULL));
}

/* random.gamma, random.beta: the prelude's draws_NAME. */
static Value *written(Elab *e, Value **a, int n, Loc at) {
  const char *name = arena_printf(e->arena, "draws_%s", e->native->name + strlen("random."));
  return elab_call_values(e, elab_global(e, e->prelude, intern(name), at), a, n, at);
}

static Value *clock_value(Elab *e, Value **a, int n, Loc at) {
  TraceKind k = e->trace->kind;
  if (k != T_STEP && k != T_CHECK)
    return elab_error(e, at, E0615, "the clock runs in steps only; here `%s` has no meaning", e->native->name);
  return v_tensor(e, clock_node(e, e->native->data, at));
}

static const Native table[] = {
    {"random.uniform", "shape, lo = 0, hi = 1, dtype = f32", uniform, 0},
    {"random.normal", "shape, dtype = f32", normal, 0},
    {"random.bernoulli", "p, shape", bernoulli, 0},
    {"random.integer", "shape, lo, hi", integer, 0},
    {"random.categorical", "logits, shape = none", categorical, 0},
    {"random.permutation", "n", permutation, 0},
    {"random.gamma", "a, shape, dtype = f32", written, 0},
    {"random.beta", "a, b, shape, dtype = f32", written, 0},
    {"clock.step", NULL, clock_value, 0},
    {"clock.steps", NULL, clock_value, 1},
    {"clock.epoch", NULL, clock_value, 2},
};
void natives_random(Elab *e) { elab_register(e, table, (int)(sizeof table / sizeof *table)); }
