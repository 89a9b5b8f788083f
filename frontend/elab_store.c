/* Storing to a part of a value: `x[i] = v`, `x[i] += v` as functional updates. */
#include "frontend/elab_priv.h"

static Value *store_list(Elab *e, Value *base, const IndexItem *items, int n, Op op, Value *v, Loc at) {
  Value **copy = arena_copy(e->arena, base->list.items, sizeof(Value *) * (size_t)base->list.n);
  Value *r = v_tuple(e, copy, base->list.names, base->list.n);
  int64_t k;
  r->kind = base->kind;
  if (n == 0) return elab_error(e, at, E0335, "a list takes one index or slice");
  if (items[0].kind == AST_INDEX_EXPR) {
    if (!want_int(e, items[0].v, &k, "the index of a list", items[0].loc)) return e->poison;
    if (k < -base->list.n || k >= base->list.n)
      return elab_error(e, items[0].loc, E0333, "the index %lld is outside of a list of %d items", (long long)k,
                        base->list.n);
    if (k < 0) k += base->list.n;
    if (n > 1) v = index_store(e, base->list.items[k], items + 1, n - 1, op, v, at);
    else if (op != OP_NONE) v = elab_binary(e, op, base->list.items[k], v, at);
    if (is_poison(v)) return v;
    copy[k] = v;
    return r;
  }
  Value *part = index_value(e, base, items, 1, at); /* which items: by walking a list of numbers along */
  Value **numbers = arena_array(e->arena, Value *, base->list.n + 1);
  for (int i = 0; i < base->list.n; i++) numbers[i] = v_int(e, i);
  Value *at_items = index_value(e, v_list(e, numbers, base->list.n), items, 1, at);
  if (is_poison(part) || is_poison(at_items) || n > 1 || op != OP_NONE)
    return is_poison(part) ? part : elab_error(e, at, E0335, "a slice of a list is assigned as a whole");
  if ((v->kind != V_LIST && v->kind != V_TUPLE) || v->list.n != at_items->list.n)
    return elab_error(e, at, E0505, "a slice of %d items cannot take %s", at_items->list.n, value_kind_name(e, v));
  for (int i = 0; i < at_items->list.n; i++)
    if (v_const_int(e, at_items->list.items[i], &k)) copy[k] = v->list.items[i];
  return r;
}

/* The new value, of the dtype of x and stretched to `shape`. */
static Value *stored_value(Elab *e, Value *v, Type x, Type part, Loc at) {
  Type want = {x.dtype, part.rank, part.shape};
  double k;
  if (v_number(e, v, &k) || v->kind == V_SYM || v->kind == V_BOOL || v->kind == V_INT)
    return adapt_number(e, v, want, at);
  if (v->kind == V_LIST) v = v_to_tensor(e, v, x.dtype, at);
  if (is_poison(v) || !want_tensor(e, &v, "the stored value", at)) return e->poison;
  Type t = v_type(v);
  if (t.dtype != x.dtype) {
    elab_error(e, at, E0302, "%s cannot be stored into %s", type_text(e, t), type_text(e, x));
    elab_help(e, "cast it: `%s(…)`", dtype_name(x.dtype));
    return e->poison;
  }
  int rank = 0;
  Dim shape[MAX_RANK];
  if (t.rank > part.rank || !broadcast_shapes(e, "=", want, t, at, &rank, shape)) {
    if (t.rank > part.rank)
      elab_error(e, at, E0301, "%s cannot be stored into a part of shape %s", type_text(e, t), shape_text(e, want));
    return e->poison;
  }
  for (int i = 0; i < rank; i++)
    if (shape[i] != part.shape[i])
      return elab_error(e, at, E0301, "%s cannot be stored into a part of shape %s", type_text(e, t),
                        shape_text(e, want));
  return v_tensor(e, broadcast_node(e, nid(v), part.rank, part.shape, at));
}

/* x[i] with one integer tensor on one axis and everything else whole: the axis, or -1. */
static int single_axis(Elab *e, const IndexItem *items, int n, int rank, Value **index) {
  int axis = -1, k = 0;
  for (int i = 0; i < n; i++) {
    const IndexItem *t = &items[i];
    if (t->kind == AST_INDEX_ELLIPSIS && i == n - 1) break;
    if (t->kind == AST_INDEX_ELLIPSIS) return -1;
    if (t->kind == AST_INDEX_SLICE) {
      if (t->from || t->to || t->step) return -1;
    } else {
      if (axis >= 0 || t->v->kind != V_TENSOR || !dtype_is_int(v_type(t->v).dtype)) return -1;
      axis = k;
      *index = t->v;
    }
    k++;
  }
  return k <= rank ? axis : -1;
}

static Value *store_tensor(Elab *e, Value *x, const IndexItem *items, int n, Op op, Value *v, Loc at) {
  Graph *g = e->trace->graph;
  Loc place = elab_place(e, at);
  Type t = v_type(x);
  Op scatter = OP_scatter_set;
  Value *index = NULL;
  Value *part = index_value(e, x, items, n, at);
  if (is_poison(part)) return part;
  v = stored_value(e, v, t, v_type(part), at);
  if (is_poison(v)) return v;
  if (op == OP_add || op == OP_sub) {
    scatter = OP_scatter_add;
    if (op == OP_sub) v = elab_unary(e, OP_neg, v, at);
  } else if (op != OP_NONE) {
    v = elab_binary(e, op, part, v, at);
  }
  if (is_poison(v)) return v;
  if (t.dtype == BOOL && scatter == OP_scatter_add) return elab_error(e, at, E0310, "`+=` takes numbers, not bool");
  int axis = single_axis(e, items, n, t.rank, &index);
  if (axis >= 0) {
    NodeId i = nid(index);
    DType d = v_type(index).dtype;
    if (d != I32 && d != I64) i = g_cast(g, place, i, I32);
    return v_tensor(e, g_scatter(g, scatter, place, nid(x), i, nid(v), axis, 0));
  }
  /* in general: the same index on a tensor of positions tells where the elements go */
  Dim count = type_count(e->dims, t);
  NodeId pos = g_reshape(g, place, g_iota(g, place, type_of(e->arena, I32, 1, &count), 0), t.rank, t.shape);
  Value *where = index_value(e, v_tensor(e, pos), items, n, at);
  if (is_poison(where)) return where;
  Dim m = type_count(e->dims, v_type(where));
  NodeId y = g_scatter(g, scatter, place, g_reshape(g, place, nid(x), 1, &count),
                       g_reshape(g, place, nid(where), 1, &m), g_reshape(g, place, nid(v), 1, &m), 0, 0);
  return v_tensor(e, g_reshape(g, place, y, t.rank, t.shape));
}

Value *index_store(Elab *e, Value *base, const IndexItem *items, int n, Op op, Value *v, Loc at) {
  base = v_read(e, base);
  if (is_poison(base) || is_poison(v)) return e->poison;
  if (base->kind == V_LIST || base->kind == V_TUPLE) return store_list(e, base, items, n, op, v, at);
  if (base->kind == V_TENSOR && want_tensor(e, &base, "the place", at))
    return store_tensor(e, base, items, n, op, v, at);
  return elab_error(e, at, E0335, "%s cannot be indexed", value_kind_name(e, base));
}
