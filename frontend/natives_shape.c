/* Natives that make tensors and move their elements. */
#include "frontend/elab_priv.h"
#include <string.h>

#define GRAPH (e->trace->graph)

static Value *out(Elab *e, NodeId n, Loc at) {
  return too_big(e, graph_type(GRAPH, n), at) ? e->poison : v_tensor(e, n);
}

static bool want_dtype(Elab *e, Value *v, DType *t, Loc at) {
  if (v->kind == V_DTYPE) {
    *t = v->dtype;
    return true;
  }
  elab_error(e, at, E0401, "`dtype` must be a dtype such as f32, but it is %s", value_kind_name(e, v));
  return false;
}

/* --- makers ------------------------------------------------------------------------------------------------------- */
static Value *zeros(Elab *e, Value **a, int n, Loc at) {
  Dim shape[MAX_RANK];
  int rank;
  DType t;
  if (!want_shape(e, a[0], &rank, shape, "the shape", at) || !want_dtype(e, a[1], &t, at)) return e->poison;
  return full_value(e, e->native->data, t, rank, shape, at);
}

static Value *full(Elab *e, Value **a, int n, Loc at) {
  Dim shape[MAX_RANK];
  int rank;
  Value *v = v_read(e, a[1]);
  if (!want_shape(e, a[0], &rank, shape, "the shape", at)) return e->poison;
  v = v_to_tensor(e, v, TUPLE, at);
  if (!want_tensor(e, &v, "the value", at)) return e->poison;
  Type t = v_type(v);
  if (t.rank != 0) return elab_error(e, at, E0340, "`full` fills with a scalar, not %s", type_text(e, t));
  if (too_big(e, type_of(e->arena, t.dtype, rank, shape), at)) return e->poison;
  double x;
  if (v_number(e, a[1], &x) || a[1]->kind == V_BOOL)
    return full_value(e, a[1]->kind == V_BOOL ? a[1]->b : x, t.dtype, rank, shape, at);
  return v_tensor(e, g_broadcast_to(GRAPH, elab_place(e, at), nid(v), rank, shape));
}

static Value *zeros_leaf(Elab *e, int data, Value *v, Loc at) {
  v = v_read(e, v);
  if (v->kind == V_TENSOR) return full_value(e, data, v_type(v).dtype, v_type(v).rank, v_type(v).shape, at);
  return v->kind == V_INT ? v_int(e, data) : v_float(e, data);
}

static Value *zeros_like_any(Elab *e, int data, Value *v, Loc at) {
  if (v->kind != V_LIST) return is_tree(v) ? tree_unary(e, v, zeros_leaf, data, at) : zeros_leaf(e, data, v, at);
  return tree_unary(e, v, zeros_leaf, data, at);
}
static Value *zeros_like(Elab *e, Value **a, int n, Loc at) { return zeros_like_any(e, e->native->data, a[0], at); }

static bool want_size(Elab *e, Value *v, Dim *d, const char *what, Loc at) {
  int64_t k;
  if (v->kind != V_INT) {
    if (!is_poison(v)) elab_error(e, at, E0401, "%s must be an int, but it is %s", what, value_kind_name(e, v));
    return false;
  }
  if (v_const_int(e, v, &k) && k < 0) {
    elab_error(e, at, E0304, "%s is negative: %lld", what, (long long)k);
    return false;
  }
  *d = v->i;
  return true;
}

static NodeId iota(Elab *e, DType t, Dim n, Loc at) {
  return g_iota(GRAPH, elab_place(e, at), type_of(e->arena, t, 1, &n), 0);
}

static Value *arange(Elab *e, Value **a, int n, Loc at) {
  Dim d;
  return want_size(e, a[0], &d, "the length of `arange`", at) ? out(e, iota(e, I32, d, at), at) : e->poison;
}

static Value *linspace(Elab *e, Value **a, int n, Loc at) {
  double from, to;
  int64_t k;
  if (!want_float(e, a[0], &from, "the first end", at) || !want_float(e, a[1], &to, "the last end", at) ||
      !want_int(e, a[2], &k, "the number of points", at))
    return e->poison;
  if (k < 1) return elab_error(e, at, E0304, "`linspace` needs at least one point, not %lld", (long long)k);
  if (k > 1ll << 40) return elab_error(e, at, E0306, "`linspace` has too many points: %lld", (long long)k);
  Value *i = v_tensor(e, iota(e, F32, dim_int(e->dims, k), at));
  double step = k > 1 ? (to - from) / (double)(k - 1) : 0;
  return elab_binary(e, OP_add, elab_binary(e, OP_mul, i, v_float(e, step), at), v_float(e, from), at);
}

/* Positions along the last two axes of `shape` compared: column - row against k. */
static NodeId diagonal(Elab *e, Op op, int rank, const Dim *shape, Loc at) {
  Type t = type_of(e->arena, I32, rank, shape);
  Loc place = elab_place(e, at);
  return g_map2(GRAPH, op, place, g_iota(GRAPH, place, t, rank - 1), g_iota(GRAPH, place, t, rank - 2));
}

static Value *eye(Elab *e, Value **a, int n, Loc at) {
  Dim shape[2];
  DType t;
  if (!want_size(e, a[0], &shape[0], "the size of `eye`", at) || !want_dtype(e, a[1], &t, at)) return e->poison;
  shape[1] = shape[0];
  if (too_big(e, type_of(e->arena, t, 2, shape), at)) return e->poison;
  return v_tensor(e, g_cast(GRAPH, elab_place(e, at), diagonal(e, OP_eq, 2, shape, at), t));
}

static Value *tril(Elab *e, Value **a, int n, Loc at) {
  Value *x = a[0];
  if (!want_tensor(e, &x, "the matrix", at)) return e->poison;
  Type t = v_type(x);
  if (t.rank < 2)
    return elab_error(e, at, E0341, "`%s` needs a matrix, but this is %s", e->native->name, type_text(e, t));
  NodeId keep = diagonal(e, (Op)e->native->data, t.rank, t.shape, at);
  Loc place = elab_place(e, at);
  return v_tensor(e, g_where(GRAPH, place, keep, nid(x), g_full_like(GRAPH, place, 0, nid(x))));
}

/* --- shapes ------------------------------------------------------------------------------------------------------- */
static Value *reshape(Elab *e, Value **a, int n, Loc at) {
  Value *x = a[0];
  Dim shape[MAX_RANK], known = dim_int(e->dims, 1);
  int rank = 0, open = -1;
  int64_t k;
  if (!want_tensor(e, &x, "what is reshaped", at)) return e->poison;
  Value *s = a[1];
  for (int i = 0; s->kind == V_LIST && i < s->list.n; i++)
    if (v_const_int(e, s->list.items[i], &k) && k == -1) {
      if (open >= 0) return elab_error(e, at, E0342, "`reshape` can work out one size only, but two are -1");
      open = i;
    }
  if (open >= 0) {
    Value **items = arena_copy(e->arena, s->list.items, sizeof(Value *) * (size_t)s->list.n);
    items[open] = v_int(e, 1);
    s = v_list(e, items, s->list.n);
  }
  if (!want_shape(e, s, &rank, shape, "the shape", at)) return e->poison;
  Dim count = type_count(e->dims, v_type(x));
  for (int i = 0; i < rank; i++) known = dim_mul(e->dims, known, shape[i]);
  if (open >= 0 && !dim_is(e->dims, known, 0)) {
    Dim q = dim_floordiv(e->dims, count, known);
    shape[open] = q;
    known = dim_mul(e->dims, known, q);
  }
  if (known == DIM_OVERFLOW || dim_eq(e->dims, known, count) != DIM_YES) {
    Type want = type_of(e->arena, v_type(x).dtype, rank, shape);
    elab_error(e, at, E0343, "%s with %s elements cannot become %s with %s", type_text(e, v_type(x)),
               dim_text(e, count), shape_text(e, want), dim_text(e, known));
    elab_note(e, graph_node(GRAPH, nid(x))->loc, "it was made here");
    return e->poison;
  }
  return v_tensor(e, g_reshape(GRAPH, elab_place(e, at), nid(x), rank, shape));
}

static Value *transpose(Elab *e, Value **a, int n, Loc at) {
  Value *x = a[0];
  int perm[MAX_RANK];
  bool seen[MAX_RANK] = {0};
  if (!want_tensor(e, &x, "what is transposed", at)) return e->poison;
  int rank = v_type(x).rank;
  if (a[1]->kind == V_NONE) {
    if (rank < 2)
      return elab_error(e, at, E0341, "`transpose` swaps the last two axes, but this is %s", type_text(e, v_type(x)));
    for (int i = 0; i < rank; i++) perm[i] = i;
    perm[rank - 2] = rank - 1;
    perm[rank - 1] = rank - 2;
  } else {
    if ((a[1]->kind != V_LIST && a[1]->kind != V_TUPLE) || a[1]->list.n != rank) {
      elab_error(e, at, E0344, "the order of `transpose` must be a list of the %d axes of %s", rank,
                 type_text(e, v_type(x)));
      return e->poison;
    }
    for (int i = 0; i < rank; i++) {
      if (!want_axis(e, a[1]->list.items[i], rank, &perm[i], "an axis of the order", at)) return e->poison;
      if (seen[perm[i]]) return elab_error(e, at, E0344, "axis %d stands twice in the order of `transpose`", perm[i]);
      seen[perm[i]] = true;
    }
  }
  return v_tensor(e, g_transpose(GRAPH, elab_place(e, at), nid(x), perm));
}

static Value *broadcast(Elab *e, Value **a, int n, Loc at) {
  Value *x = a[0];
  Dim shape[MAX_RANK], got[MAX_RANK];
  int rank, r = 0;
  if (!want_tensor(e, &x, "what is broadcast", at) || !want_shape(e, a[1], &rank, shape, "the shape", at))
    return e->poison;
  Type t = v_type(x), want = type_of(e->arena, t.dtype, rank, shape);
  if (t.rank > rank)
    return elab_error(e, at, E0345, "%s cannot be broadcast to fewer axes: %s", type_text(e, t), shape_text(e, want));
  if (too_big(e, want, at) || !broadcast_shapes(e, "broadcast", t, want, at, &r, got)) return e->poison;
  for (int i = 0; i < rank; i++)
    if (got[i] != shape[i])
      return elab_error(e, at, E0345, "%s cannot be broadcast to %s", type_text(e, t), shape_text(e, want));
  return v_tensor(e, broadcast_node(e, nid(x), rank, shape, at));
}

/* --- together and apart ------------------------------------------------------------------------------------------- */
static int tensors_of(Elab *e, Value *v, Value **items, int max, const char *what, Loc at) {
  DType t = TUPLE;
  if (is_poison(v)) return -1;
  if (v->kind != V_LIST && v->kind != V_TUPLE) {
    elab_error(e, at, E0401, "`%s` takes a list of tensors, not %s", what, value_kind_name(e, v));
    return -1;
  }
  if (v->list.n == 0 || v->list.n > max) {
    elab_error(e, at, E0346, v->list.n ? "`%s` takes fewer tensors" : "`%s` needs at least one tensor", what);
    return -1;
  }
  for (int i = 0; i < v->list.n; i++) {
    Value *x = v_read(e, v->list.items[i]);
    if (t == TUPLE && x->kind == V_TENSOR) t = v_type(x).dtype;
  }
  for (int i = 0; i < v->list.n; i++) {
    items[i] = v_read(e, v->list.items[i]);
    if (items[i]->kind != V_TENSOR) items[i] = v_to_tensor(e, items[i], t, at);
    if (!want_tensor(e, &items[i], arena_printf(e->arena, "item %d of `%s`", i, what), at)) return -1;
    if (v_type(items[i]).dtype != v_type(items[0]).dtype) {
      elab_error(e, at, E0302, "`%s` takes one dtype: %s and %s", what, type_text(e, v_type(items[0])),
                 type_text(e, v_type(items[i])));
      elab_help(e, "cast one: `%s(x)`", dtype_name(v_type(items[0]).dtype));
      return -1;
    }
  }
  return v->list.n;
}

enum { MOST = 4096 };

static Value *concat(Elab *e, Value **a, int n, Loc at) {
  if (a[0]->kind == V_DATA) return data_chain(e, a[0], a[1], at);
  Value **x = arena_array(e->arena, Value *, MOST);
  NodeId *in = arena_array(e->arena, NodeId, MOST);
  int axis, count = tensors_of(e, a[0], x, MOST, "concat", at);
  if (count < 0) return e->poison;
  Type t = v_type(x[0]);
  if (!want_axis(e, a[1], t.rank, &axis, "the axis of `concat`", at)) return e->poison;
  for (int i = 0; i < count; i++) {
    Type u = v_type(x[i]);
    bool same = u.rank == t.rank;
    for (int k = 0; same && k < t.rank; k++) same = k == axis || u.shape[k] == t.shape[k];
    if (!same) {
      elab_error(e, at, E0347, "`concat` along axis %d needs equal other axes: %s and %s", axis, type_text(e, t),
                 type_text(e, u));
      elab_note(e, graph_node(GRAPH, nid(x[i]))->loc, "item %d was made here", i);
      return e->poison;
    }
    in[i] = nid(x[i]);
  }
  return out(e, count == 1 ? in[0] : g_concat(GRAPH, elab_place(e, at), in, count, axis), at);
}

static NodeId insert_axis(Elab *e, NodeId x, int axis, Loc at) {
  Type t = graph_type(GRAPH, x);
  Dim shape[MAX_RANK + 1];
  for (int i = 0, k = 0; i <= t.rank; i++) shape[i] = i == axis ? dim_int(e->dims, 1) : t.shape[k++];
  return g_reshape(GRAPH, elab_place(e, at), x, t.rank + 1, shape);
}

static Value *stack(Elab *e, Value **a, int n, Loc at) {
  Value **x = arena_array(e->arena, Value *, MOST);
  NodeId *in = arena_array(e->arena, NodeId, MOST);
  int axis, count = tensors_of(e, a[0], x, MOST, "stack", at);
  if (count < 0) return e->poison;
  Type t = v_type(x[0]);
  if (t.rank == MAX_RANK) return elab_error(e, at, E0304, "the result would have more than %d axes", MAX_RANK);
  if (!want_axis(e, a[1], t.rank + 1, &axis, "the axis of `stack`", at)) return e->poison;
  for (int i = 0; i < count; i++) {
    if (!shape_same(v_type(x[i]), t))
      return elab_error(e, at, E0347, "`stack` needs equal shapes: %s and %s", type_text(e, t),
                        type_text(e, v_type(x[i])));
    in[i] = insert_axis(e, nid(x[i]), axis, at);
  }
  return out(e, count == 1 ? in[0] : g_concat(GRAPH, elab_place(e, at), in, count, axis), at);
}

static NodeId part(Elab *e, NodeId x, int axis, Dim start, Dim size, int64_t step, Loc at) {
  Type t = graph_type(GRAPH, x);
  Dim from[MAX_RANK], count[MAX_RANK];
  int64_t steps[MAX_RANK];
  for (int i = 0; i < t.rank; i++) {
    from[i] = i == axis ? start : dim_int(e->dims, 0);
    count[i] = i == axis ? size : t.shape[i];
    steps[i] = i == axis ? step : 1;
  }
  return g_slice(GRAPH, elab_place(e, at), x, from, steps, count);
}

static Value *split(Elab *e, Value **a, int n, Loc at) {
  int64_t k;
  int axis;
  Value *x = a[0];
  if (x->kind == V_DATA) return data_split(e, x, a[3], at);
  if (a[1]->kind == V_NONE) return elab_error(e, at, E0419, "the argument `n` of `split` is missing");
  if (!want_tensor(e, &x, "what is split", at) || !want_int(e, a[1], &k, "the number of pieces", at) ||
      !want_axis(e, a[2], v_type(x).rank, &axis, "the axis of `split`", at))
    return e->poison;
  Dim size = v_type(x).shape[axis];
  if (k < 1 || k > MOST || !dim_is(e->dims, dim_mod(e->dims, size, dim_int(e->dims, k)), 0))
    return elab_error(e, at, E0348, "axis %d of %s does not divide into %lld equal pieces", axis,
                      type_text(e, v_type(x)), (long long)k);
  Dim each = dim_floordiv(e->dims, size, dim_int(e->dims, k));
  Value **items = arena_array(e->arena, Value *, k);
  for (int64_t i = 0; i < k; i++)
    items[i] = v_tensor(e, part(e, nid(x), axis, dim_mul(e->dims, each, dim_int(e->dims, i)), each, 1, at));
  return v_list(e, items, (int)k);
}

static Value *unstack(Elab *e, Value **a, int n, Loc at) {
  Value *x = a[0];
  int64_t k;
  if (!want_tensor(e, &x, "what is unstacked", at)) return e->poison;
  Type t = v_type(x);
  if (t.rank == 0 || !dim_is_int(e->dims, t.shape[0], &k) || k > MOST)
    return elab_error(e, at, E0349, "`unstack` needs a first axis of known size, but this is %s", type_text(e, t));
  Value **items = arena_array(e->arena, Value *, k + 1);
  for (int64_t i = 0; i < k; i++) items[i] = v_tensor(e, index_axis(e, nid(x), 0, dim_int(e->dims, i), at));
  return v_list(e, items, (int)k);
}

/* x with `before` and `after` places mirrored at the borders of an axis, without the border itself: c b | a b c | b a
 */
static NodeId mirror(Elab *e, NodeId x, int axis, Dim before, Dim after, Loc at) {
  DimTab *d = e->dims;
  Dim size = graph_type(GRAPH, x).shape[axis], zero = dim_int(d, 0), one = dim_int(d, 1);
  Dim widths[] = {before, after};
  for (int i = 0; i < 2; i++)
    if (dim_le(d, zero, widths[i]) != DIM_YES || dim_le(d, dim_add(d, widths[i], one), size) != DIM_YES) {
      elab_error(e, at, E0350, "`pad` mirrors 0 .. size - 1 places, but axis %d of size %s is to get %s", axis,
                 dim_text(e, size), dim_text(e, widths[i]));
      return 0;
    }
  NodeId parts[3];
  int n = 0;
  if (!dim_is(d, before, 0)) parts[n++] = part(e, x, axis, before, before, -1, at);
  parts[n++] = x;
  if (!dim_is(d, after, 0)) parts[n++] = part(e, x, axis, dim_sub(d, size, dim_int(d, 2)), after, -1, at);
  return n == 1 ? x : g_concat(GRAPH, elab_place(e, at), parts, n, axis);
}

/* pad(x, [(before, after), ...]): one pair per axis. Negative widths cut. */
static Value *pad(Elab *e, Value **a, int n, Loc at) {
  Value *x = a[0], *w = a[1];
  Dim low[MAX_RANK], size[MAX_RANK];
  double value;
  const char *mode;
  if (!want_tensor(e, &x, "what is padded", at) || !want_str(e, a[2], &mode, "the mode", at) ||
      !want_float(e, a[3], &value, "the value", at))
    return e->poison;
  bool mirrored = !strcmp(mode, "mirror");
  if (!mirrored && strcmp(mode, "zero") != 0)
    return elab_error(e, at, E0350, "the mode of `pad` is \"zero\" or \"mirror\", not \"%s\"", mode);
  Type t = v_type(x);
  if ((w->kind != V_LIST && w->kind != V_TUPLE) || w->list.n != t.rank)
    return elab_error(e, at, E0350, "the widths of `pad` are one pair (before, after) per axis of %s", type_text(e, t));
  for (int i = 0; i < t.rank; i++) {
    Value *p = w->list.items[i];
    int64_t k;
    if ((p->kind != V_TUPLE && p->kind != V_LIST) || p->list.n != 2 || p->list.items[0]->kind != V_INT ||
        p->list.items[1]->kind != V_INT)
      return elab_error(e, at, E0350, "the widths of `pad` are one pair of ints (before, after) per axis of %s",
                        type_text(e, t));
    low[i] = p->list.items[0]->i;
    size[i] = dim_add(e->dims, dim_add(e->dims, t.shape[i], low[i]), p->list.items[1]->i);
    if (dim_is_int(e->dims, size[i], &k) && k < 0)
      return elab_error(e, at, E0350, "`pad` leaves a negative size on axis %d", i);
  }
  if (too_big(e, type_of(e->arena, t.dtype, t.rank, size), at)) return e->poison;
  if (mirrored) {
    NodeId y = nid(x);
    for (int i = 0; y && i < t.rank; i++) y = mirror(e, y, i, low[i], w->list.items[i]->list.items[1]->i, at);
    return y ? v_tensor(e, y) : e->poison;
  }
  return v_tensor(e, g_pad(GRAPH, elab_place(e, at), nid(x), low, size, value));
}

/* --- along an axis ------------------------------------------------------------------------------------------------ */
static Value *repeat(Elab *e, Value **a, int n, Loc at) {
  Value *x = a[0];
  Dim k, shape[MAX_RANK + 1];
  int axis, axes[MAX_RANK];
  if (!want_tensor(e, &x, "what is repeated", at) || !want_size(e, a[1], &k, "the number of repeats", at) ||
      !want_axis(e, a[2], v_type(x).rank, &axis, "the axis of `repeat`", at))
    return e->poison;
  Type t = v_type(x);
  if (t.rank == MAX_RANK) return elab_error(e, at, E0304, "`repeat` works on at most %d axes", MAX_RANK - 1);
  for (int i = 0, j = 0; i <= t.rank; i++) {
    if (i == axis + 1) shape[i] = k;
    else axes[j] = i, shape[i] = t.shape[j], j++;
  }
  Loc place = elab_place(e, at);
  if (too_big(e, type_of(e->arena, t.dtype, t.rank + 1, shape), at)) return e->poison;
  NodeId y = g_broadcast(GRAPH, place, nid(x), t.rank + 1, shape, axes);
  Dim flat[MAX_RANK];
  for (int i = 0; i < t.rank; i++) flat[i] = i == axis ? dim_mul(e->dims, t.shape[i], k) : t.shape[i];
  return out(e, g_reshape(GRAPH, place, y, t.rank, flat), at);
}

static Value *reverse(Elab *e, Value **a, int n, Loc at) {
  Value *x = a[0];
  int axis;
  if (!want_tensor(e, &x, "what is reversed", at) ||
      !want_axis(e, a[1], v_type(x).rank, &axis, "the axis of `reverse`", at))
    return e->poison;
  Dim size = v_type(x).shape[axis];
  return v_tensor(e, part(e, nid(x), axis, dim_sub(e->dims, size, dim_int(e->dims, 1)), size, -1, at));
}

static Value *roll(Elab *e, Value **a, int n, Loc at) {
  Value *x = a[0];
  int axis;
  int64_t k;
  if (!want_tensor(e, &x, "what is rolled", at) || !want_int(e, a[1], &k, "the distance", at) ||
      !want_axis(e, a[2], v_type(x).rank, &axis, "the axis of `roll`", at))
    return e->poison;
  if (k < -(1ll << 40) || k > 1ll << 40) return elab_error(e, at, E0304, "`roll` by %lld is too far", (long long)k);
  DimTab *d = e->dims;
  Dim size = v_type(x).shape[axis], by;
  if (dim_is(d, size, 0)) return x;
  by = dim_mod(d, dim_int(d, k), size);
  if (dim_is(d, by, 0)) return x;
  NodeId in[2] = {part(e, nid(x), axis, dim_sub(d, size, by), by, 1, at),
                  part(e, nid(x), axis, dim_int(d, 0), dim_sub(d, size, by), 1, at)};
  NodeId y = g_concat(GRAPH, elab_place(e, at), in, 2, axis);
  return v_tensor(e, g_reshape(GRAPH, elab_place(e, at), y, v_type(x).rank, v_type(x).shape));
}

/* i32 positions start .. start + size - 1. */
static bool positions(Elab *e, Value *start, Dim size, NodeId *ix, Loc at) {
  Value *s = start;
  if (!want_tensor(e, &s, "the start", at)) return false;
  Type t = v_type(s);
  if (t.rank != 0 || !dtype_is_int(t.dtype)) {
    elab_error(e, at, E0337, "a start is an integer scalar, not %s", type_text(e, t));
    return false;
  }
  Loc place = elab_place(e, at);
  NodeId from = g_broadcast_to(GRAPH, place, g_cast(GRAPH, place, nid(s), I32), 1, &size);
  *ix = g_map2(GRAPH, OP_add, place, iota(e, I32, size, at), from);
  return true;
}

static Value *slice(Elab *e, Value **a, int n, Loc at) {
  Value *x = a[0];
  Dim size;
  int axis;
  NodeId ix;
  if (!want_tensor(e, &x, "what is sliced", at) || !want_size(e, a[2], &size, "the size of `slice`", at) ||
      !want_axis(e, a[3], v_type(x).rank, &axis, "the axis of `slice`", at) || !positions(e, a[1], size, &ix, at))
    return e->poison;
  return v_tensor(e, g_gather(GRAPH, elab_place(e, at), nid(x), ix, axis, 0));
}

static Value *put(Elab *e, Value **a, int n, Loc at) {
  Value *x = a[0], *y = a[1];
  int axis;
  NodeId ix;
  if (!want_tensor(e, &x, "the target of `put`", at) || !want_tensor(e, &y, "the value of `put`", at) ||
      !want_axis(e, a[3], v_type(x).rank, &axis, "the axis of `put`", at))
    return e->poison;
  Type t = v_type(x), u = v_type(y);
  bool same = t.rank == u.rank && t.dtype == u.dtype;
  for (int i = 0; same && i < t.rank; i++) same = i == axis || t.shape[i] == u.shape[i];
  if (!same)
    return elab_error(e, at, E0347, "`put` along axis %d needs equal other axes: %s and %s", axis, type_text(e, t),
                      type_text(e, u));
  if (!positions(e, a[2], u.shape[axis], &ix, at)) return e->poison;
  return v_tensor(e, g_scatter(GRAPH, OP_scatter_set, elab_place(e, at), nid(x), ix, nid(y), axis, 0));
}

NodeId axis_last(Elab *e, NodeId x, int axis, bool back, Loc at) {
  int perm[MAX_RANK], rank = graph_type(GRAPH, x).rank;
  if (axis == rank - 1) return x;
  for (int k = 0; k < rank; k++)
    perm[k] = back ? (k < axis ? k : k == axis ? rank - 1 : k - 1) : (k < axis ? k : k < rank - 1 ? k + 1 : axis);
  return g_transpose(GRAPH, elab_place(e, at), x, perm);
}

/* pick(x, i, axis): i has the axes before `axis` (one position each), all axes but `axis`, or all: then it may have any
 * number of positions along `axis`. */
static Value *pick(Elab *e, Value **a, int n, Loc at) {
  Value *x = a[0], *i = a[1];
  int axis;
  if (!want_tensor(e, &x, "what is picked from", at) || !want_tensor(e, &i, "the positions", at) ||
      !want_axis(e, a[2], v_type(x).rank, &axis, "the axis of `pick`", at))
    return e->poison;
  Type t = v_type(x), u = v_type(i);
  Loc place = elab_place(e, at);
  if (!dtype_is_int(u.dtype)) return elab_error(e, at, E0337, "positions are integers, not %s", type_text(e, u));
  NodeId in = nid(x), ix = u.dtype == I64 ? nid(i) : g_cast(GRAPH, place, nid(i), I32);
  bool many = u.rank == t.rank;
  int moved = axis;
  if (many || (u.rank == t.rank - 1 && axis != t.rank - 1)) { /* bring the axis to the end */
    in = axis_last(e, in, axis, false, at);
    if (many) ix = axis_last(e, ix, axis, false, at);
    axis = t.rank - 1;
  }
  Type v = graph_type(GRAPH, in), w = graph_type(GRAPH, ix);
  bool fits = u.rank == axis + many;
  for (int k = 0; fits && k < axis; k++) fits = w.shape[k] == v.shape[k];
  if (!fits)
    return elab_error(e, at, E0351, "`pick` along axis %d of %s needs one position per row, or some, not %s", moved,
                      type_text(e, t), type_text(e, u));
  NodeId y = g_gather(GRAPH, place, in, ix, axis, axis);
  return v_tensor(e, many ? axis_last(e, y, moved, true, at) : y);
}

static const Native table[] = {
    {"zeros", "shape, dtype = f32", zeros, 0},
    {"ones", "shape, dtype = f32", zeros, 1},
    {"full", "shape, v", full, 0},
    {"zeros_like", "t", zeros_like, 0},
    {"ones_like", "t", zeros_like, 1},
    {"arange", "n", arange, 0},
    {"linspace", "a, b, n", linspace, 0},
    {"eye", "n, dtype = f32", eye, 0},
    {"tril", "x", tril, OP_le},
    {"triu", "x", tril, OP_ge},
    {"reshape", "x, shape", reshape, 0},
    {"transpose", "x, order = none", transpose, 0},
    {"broadcast", "x, shape", broadcast, 0},
    {"concat", "xs, axis = 0", concat, 0},
    {"stack", "xs, axis = 0", stack, 0},
    {"split", "x, n = none, axis = 0, *", split, 0},
    {"unstack", "x", unstack, 0},
    {"pad", "x, widths, mode = \"zero\", value = 0", pad, 0},
    {"repeat", "x, n, axis = 0", repeat, 0},
    {"reverse", "x, axis = 0", reverse, 0},
    {"roll", "x, n, axis = 0", roll, 0},
    {"slice", "x, start, size, axis = 0", slice, 0},
    {"put", "x, y, at, axis = 0", put, 0},
    {"pick", "x, i, axis = -1", pick, 0},
};
void natives_shape(Elab *e) { elab_register(e, table, (int)(sizeof table / sizeof *table)); }
