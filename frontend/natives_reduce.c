/* Reductions: sum, prod, max, min, any, all over axes; argmax, argmin. */
#include "frontend/elab_priv.h"
#include <string.h>

/* The axes of `axis = none | int | [int]`, ascending; their number, or -1 after an error. */
static int axes_of(Elab *e, Value *v, int rank, int *axes, Loc at) {
  bool on[MAX_RANK] = {0};
  int n = 0, k;
  if (is_poison(v)) return -1;
  if (v->kind == V_NONE) {
    for (int i = 0; i < rank; i++) axes[n++] = i;
    return n;
  }
  if (v->kind != V_LIST && v->kind != V_TUPLE) {
    if (!want_axis(e, v, rank, &axes[0], "`axis`", at)) return -1;
    return 1;
  }
  for (int i = 0; i < v->list.n; i++) {
    if (!want_axis(e, v->list.items[i], rank, &k, "an axis", at)) return -1;
    if (on[k]) {
      elab_error(e, at, E0352, "axis %d stands twice", k);
      return -1;
    }
    on[k] = true;
  }
  for (int i = 0; i < rank; i++)
    if (on[i]) axes[n++] = i;
  return n;
}

/* Folds axes; with `keep` they stay with size 1. */
NodeId reduce_axes(Elab *e, Op op, NodeId x, const int *axes, int n, bool keep, Loc at) {
  Graph *g = e->trace->graph;
  Loc place = elab_place(e, at);
  Type t = graph_type(g, x);
  if (n == 0) return x;
  NodeId y = g_reduce(g, op, place, x, axes, n);
  if (!keep) return y;
  Dim shape[MAX_RANK];
  for (int i = 0, j = 0; i < t.rank; i++) {
    shape[i] = t.shape[i];
    if (j < n && axes[j] == i) shape[i] = dim_int(e->dims, 1), j++;
  }
  return g_reshape(g, place, y, t.rank, shape);
}

static bool empty_extreme(Elab *e, Type t, const int *axes, int n, Loc at) {
  for (int i = 0; i < n; i++)
    if (dim_is(e->dims, t.shape[axes[i]], 0)) {
      elab_error(e, at, E0353, "`%s` over the empty axis %d of %s", e->native->name, axes[i], type_text(e, t));
      return true;
    }
  return false;
}

static Value *static_reduce(Elab *e, Op op, Value *v, Loc at) {
  Op two = op == OP_sum ? OP_add : op == OP_prod ? OP_mul : op == OP_reduce_max ? OP_maximum : OP_minimum;
  Value *r = v_int(e, op == OP_prod);
  for (int i = 0; i < v->list.n; i++)
    r = i == 0 && op != OP_sum && op != OP_prod ? v->list.items[0] : elab_binary(e, two, r, v->list.items[i], at);
  return r;
}

static Value *reduce(Elab *e, Value **a, int n, Loc at) {
  Op op = (Op)e->native->data;
  Value *x = v_read(e, a[0]);
  int axes[MAX_RANK];
  bool keep;
  if (x->kind == V_LIST && a[1]->kind == V_NONE && x->list.n > 0) return static_reduce(e, op, x, at);
  if (!want_tensor(e, &x, "what is reduced", at) || !want_bool(e, a[2], &keep, "`keep`", at)) return e->poison;
  Type t = v_type(x);
  int count = axes_of(e, a[1], t.rank, axes, at);
  if (count < 0) return e->poison;
  NodeId in = nid(x);
  if (t.dtype == BOOL) {
    if (op == OP_prod) return elab_error(e, at, E0310, "`prod` takes numbers, not bool");
    in = g_cast(e->trace->graph, elab_place(e, at), in, op == OP_sum ? I32 : U8);
  }
  if ((op == OP_reduce_max || op == OP_reduce_min) && empty_extreme(e, t, axes, count, at)) return e->poison;
  NodeId y = reduce_axes(e, op, in, axes, count, keep, at);
  if (t.dtype == BOOL && op != OP_sum) y = g_cast(e->trace->graph, elab_place(e, at), y, BOOL);
  return v_tensor(e, y);
}

static Value *any_all(Elab *e, Value **a, int n, Loc at) {
  Value *x = v_read(e, a[0]);
  int axes[MAX_RANK];
  bool keep;
  if (x->kind == V_BOOL) return x;
  if (x->kind == V_LIST && x->list.n && x->list.items[0]->kind == V_BOOL) {
    bool all = e->native->data == OP_reduce_min, r = all;
    for (int i = 0; i < x->list.n; i++) r = all ? r && x->list.items[i]->b : r || x->list.items[i]->b;
    return v_bool(e, r);
  }
  if (!want_tensor(e, &x, "what is tested", at) || !want_bool(e, a[2], &keep, "`keep`", at)) return e->poison;
  Type t = v_type(x);
  if (t.dtype != BOOL) {
    elab_error(e, at, E0310, "`%s` takes bools, not %s", e->native->name, type_text(e, t));
    elab_help(e, "compare first: `x != 0`");
    return e->poison;
  }
  int count = axes_of(e, a[1], t.rank, axes, at);
  if (count < 0) return e->poison;
  Graph *g = e->trace->graph;
  Loc place = elab_place(e, at);
  /* counts: an empty axis gives false for any, true for all */
  NodeId in = e->native->data == OP_reduce_min ? g_map1(g, OP_not, place, nid(x)) : nid(x);
  NodeId sum = reduce_axes(e, OP_sum, g_cast(g, place, in, I32), axes, count, keep, at);
  NodeId zero = g_full_like(g, place, 0, sum);
  return v_tensor(e, g_map2(g, e->native->data == OP_reduce_min ? OP_eq : OP_ne, place, sum, zero));
}

static Value *arg(Elab *e, Value **a, int n, Loc at) {
  Value *x = a[0];
  int axis = 0;
  if (!want_tensor(e, &x, "what is searched", at)) return e->poison;
  Type t = v_type(x);
  Graph *g = e->trace->graph;
  Loc place = elab_place(e, at);
  NodeId in = nid(x);
  if (t.dtype == BOOL) in = g_cast(g, place, in, I32);
  if (a[1]->kind == V_NONE) {
    Dim count = type_count(e->dims, t);
    if (t.rank != 1) in = g_reshape(g, place, in, 1, &count);
  } else if (!want_axis(e, a[1], t.rank, &axis, "`axis`", at)) {
    return e->poison;
  }
  Type u = graph_type(g, in);
  if (empty_extreme(e, u, &axis, 1, at)) return e->poison;
  return v_tensor(e, g_arg(g, (Op)e->native->data, place, in, axis));
}

/* axes(x, axis): the axes a reduction folds, as a list. */
static Value *axes(Elab *e, Value **a, int n, Loc at) {
  Value *x = a[0];
  int list[MAX_RANK];
  if (!want_tensor(e, &x, "the first argument", at)) return e->poison;
  int count = axes_of(e, a[1], v_type(x).rank, list, at);
  if (count < 0) return e->poison;
  Value **items = arena_array(e->arena, Value *, count + 1);
  for (int i = 0; i < count; i++) items[i] = v_int(e, list[i]);
  return v_list(e, items, count);
}

static const Native table[] = {
    {"sum", "x, axis = none, keep = false", reduce, OP_sum},
    {"prod", "x, axis = none, keep = false", reduce, OP_prod},
    {"max", "x, axis = none, keep = false", reduce, OP_reduce_max},
    {"min", "x, axis = none, keep = false", reduce, OP_reduce_min},
    {"any", "x, axis = none, keep = false", any_all, OP_reduce_max},
    {"all", "x, axis = none, keep = false", any_all, OP_reduce_min},
    {"argmax", "x, axis = none", arg, OP_argmax},
    {"argmin", "x, axis = none", arg, OP_argmin},
    {"axes", "x, axis = none", axes, 0},
};
void natives_reduce(Elab *e) { elab_register(e, table, (int)(sizeof table / sizeof *table)); }
