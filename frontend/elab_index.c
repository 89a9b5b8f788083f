/* Indexing as in NumPy: ints, slices, `...`, `none`, integer tensors; and storing to a part. */
#include "frontend/elab_priv.h"
#include <string.h>

int eval_index_items(Elab *e, Env *env, const AstExpr *x, IndexItem **out) {
  int n = x->index.n;
  *out = arena_array(e->arena, IndexItem, n + 1);
  for (int i = 0; i < n; i++) {
    const AstIndex *a = &x->index.items[i];
    IndexItem *t = &(*out)[i];
    *t = (IndexItem){.kind = a->kind, .loc = a->loc};
    if (a->value) t->v = v_read(e, elab_expr(e, env, a->value));
    if (a->from) t->from = elab_expr(e, env, a->from);
    if (a->to) t->to = elab_expr(e, env, a->to);
    if (a->step) t->step = elab_expr(e, env, a->step);
    if ((t->v && is_poison(t->v)) || (t->from && is_poison(t->from)) || (t->to && is_poison(t->to)) ||
        (t->step && is_poison(t->step)))
      return -1;
  }
  return n;
}

/* --- slices ------------------------------------------------------------------------------------------------------- */
/* A constant start beyond an axis whose size is open is a matter of run time: `x[1:]` needs an element. */
static Dim clamp_end(Elab *e, Dim at, Dim size, Dim low, bool start, bool *ok, Loc loc) {
  DimTab *t = e->dims;
  int64_t k;
  Dim zero = dim_int(t, 0);
  if (dim_is_int(t, at, &k) && k < 0) {
    at = dim_add(t, at, size);
    if (dim_is_int(t, at, &k) && k < 0) return low;
    return at;
  }
  if (dim_le(t, zero, at) == DIM_NO) return low;
  DimTruth fits = dim_le(t, at, size);
  if (fits == DIM_YES) return at;
  if (fits == DIM_NO) return size;
  if (start && dim_is_int(t, at, &k)) return at;
  elab_error(e, loc, E0330, "it cannot be proved that the slice's end %s lies within the axis of size %s",
             dim_text(e, at), dim_text(e, size));
  elab_help(e, "only an axis of known size, or an end in terms of the axis' own size, proves it");
  *ok = false;
  return size;
}

static bool slice_end(Elab *e, Value *v, Dim size, Dim missing, Dim low, bool start, Dim *out, Loc at) {
  bool ok = true;
  if (!v || v->kind == V_NONE) {
    *out = missing;
    return true;
  }
  if (v->kind != V_INT) {
    elab_error(e, at, E0331, "a slice has static ends, but one is %s", value_kind_name(e, v));
    if (v->kind == V_TENSOR) elab_help(e, "`slice(x, start, size)` takes a run-time start");
    return false;
  }
  *out = clamp_end(e, v->i, size, low, start, &ok, at);
  return ok;
}

static bool resolve_slice(Elab *e, const IndexItem *t, Dim size, Dim *start, int64_t *step, Dim *count) {
  DimTab *d = e->dims;
  Dim one = dim_int(d, 1), zero = dim_int(d, 0), to;
  int64_t k;
  *step = 1;
  if (t->step && !want_int(e, t->step, step, "the step of a slice", t->loc)) return false;
  if (*step == 0) {
    elab_error(e, t->loc, E0332, "the step of a slice cannot be 0");
    return false;
  }
  if (*step > 0) {
    if (!slice_end(e, t->from, size, zero, zero, true, start, t->loc) ||
        !slice_end(e, t->to, size, size, zero, false, &to, t->loc))
      return false;
    *count = dim_floordiv(d, dim_add(d, dim_sub(d, to, *start), dim_int(d, *step - 1)), dim_int(d, *step));
  } else {
    Dim last = dim_sub(d, size, one), before = dim_int(d, -1);
    if (!slice_end(e, t->from, last, last, before, false, start, t->loc) ||
        !slice_end(e, t->to, size, before, before, true, &to, t->loc))
      return false;
    if (t->from && t->from->kind == V_INT && dim_is_int(d, t->from->i, &k) && k < 0)
      *start = dim_add(d, size, t->from->i);
    *count = dim_floordiv(d, dim_add(d, dim_sub(d, *start, to), dim_int(d, -*step - 1)), dim_int(d, -*step));
  }
  if (dim_is_int(d, *count, &k) && k < 0) *count = zero;
  return true;
}

static bool resolve_int(Elab *e, Dim i, Dim size, Dim *start, Loc at) {
  DimTab *d = e->dims;
  int64_t k;
  Dim from_end = dim_add(d, size, i);
  bool negative = dim_is_int(d, i, &k) && k < 0;
  *start = negative ? from_end : i;
  bool below = dim_le(d, dim_int(d, 0), *start) == DIM_NO;
  bool above = dim_le(d, dim_add(d, *start, dim_int(d, 1)), size) == DIM_NO;
  if (!below && !above) return true;
  elab_error(e, at, E0333, "the index %s is outside of an axis of size %s", dim_text(e, i), dim_text(e, size));
  return false;
}

/* --- lists -------------------------------------------------------------------------------------------------------- */
static bool list_slice(Elab *e, const IndexItem *t, int n, int64_t *start, int64_t *step, int64_t *count) {
  Dim s, c;
  return resolve_slice(e, t, dim_int(e->dims, n), &s, step, &c) && dim_is_int(e->dims, s, start) &&
         dim_is_int(e->dims, c, count);
}

static bool list_index(Elab *e, const IndexItem *t, int n, int64_t *k) {
  if (t->v->kind == V_TENSOR) {
    elab_error(e, t->loc, E0334, "a list is indexed while compiling, it does not take the run-time index %s",
               value_kind_name(e, t->v));
    elab_help(e, "`stack(xs)[i]` indexes the tensors of a list at run time");
    return false;
  }
  if (!want_int(e, t->v, k, "the index of a list", t->loc)) return false;
  if (*k >= -n && *k < n) {
    if (*k < 0) *k += n;
    return true;
  }
  elab_error(e, t->loc, E0333, "the index %lld is outside of a list of %d items", (long long)*k, n);
  return false;
}

static Value *index_list(Elab *e, Value *v, const IndexItem *items, int n, Loc at) {
  int64_t k, step, count;
  if (n == 0 || items[0].kind == AST_INDEX_ELLIPSIS) return elab_error(e, at, E0335, "a list takes one index or slice");
  Value *r;
  if (items[0].kind == AST_INDEX_EXPR) {
    if (!list_index(e, &items[0], v->list.n, &k)) return e->poison;
    r = v_read(e, v->list.items[k]);
  } else {
    if (!list_slice(e, &items[0], v->list.n, &k, &step, &count)) return e->poison;
    Value **part = arena_array(e->arena, Value *, count + 1);
    for (int64_t i = 0; i < count; i++) part[i] = v->list.items[k + i * step];
    r = v_list(e, part, (int)count);
  }
  return n == 1 ? r : index_value(e, r, items + 1, n - 1, at);
}

/* --- tensors ------------------------------------------------------------------------------------------------------ */
typedef enum { AXIS_ALL, AXIS_SLICE, AXIS_INT, AXIS_TENSOR, AXIS_NEW } AxisKind;
typedef struct AxisSpec {
  AxisKind kind;
  Dim start, count;
  int64_t step;
  Value *v; /* TENSOR */
} AxisSpec;

/* A list of ints used as an index, perhaps with sizes known at run time only. */
static Value *index_tensor(Elab *e, Value *v, Loc at) {
  bool fixed = true;
  for (int i = 0; v->kind == V_LIST && i < v->list.n; i++)
    fixed &= v->list.items[i]->kind != V_INT || v_const_int(e, v->list.items[i], &(int64_t){0});
  if (v->kind != V_LIST || fixed) return v_to_tensor(e, v, v->kind == V_LIST ? I32 : TUPLE, at);
  NodeId *part = arena_array(e->arena, NodeId, v->list.n);
  Dim one = dim_int(e->dims, 1);
  for (int i = 0; i < v->list.n; i++) {
    Value *s = v_to_tensor(e, v->list.items[i], I32, at);
    if (is_poison(s)) return s;
    part[i] = g_reshape(e->trace->graph, elab_place(e, at), nid(s), 1, &one);
  }
  return v_tensor(e, g_concat(e->trace->graph, elab_place(e, at), part, v->list.n, 0));
}

static bool tensor_item(Elab *e, const IndexItem *t, AxisSpec *a) {
  Value *v = t->v;
  if (v->kind == V_LIST) v = index_tensor(e, v, t->loc);
  if (is_poison(v)) return false;
  if (v->kind != V_TENSOR) {
    elab_error(e, t->loc, E0335, "an index is an int, a slice, `none` or an integer tensor, not %s",
               value_kind_name(e, v));
    return false;
  }
  if (!want_tensor(e, &v, "the index", t->loc)) return false;
  DType d = v_type(v).dtype;
  if (d == BOOL) {
    elab_error(e, t->loc, E0336, "a bool tensor cannot index: the size of the result would depend on the data");
    elab_help(e, "`where(mask, x, 0)` keeps the shape; `nonzero(mask, limit = n)` gives at most n positions");
    return false;
  }
  if (!dtype_is_int(d)) {
    elab_error(e, t->loc, E0337, "an index is an integer tensor, not %s", type_text(e, v_type(v)));
    elab_help(e, "cast it: `i32(…)`");
    return false;
  }
  if (d != I32 && d != I64) v = v_tensor(e, g_cast(e->trace->graph, elab_place(e, t->loc), nid(v), I32));
  *a = (AxisSpec){.kind = AXIS_TENSOR, .v = v};
  return true;
}

/* Lays the items out along the axes of `t`; -1 after an error. */
static int lay_out(Elab *e, Type t, const IndexItem *items, int n, AxisSpec *out, Loc at) {
  int used = 0, k = 0, axis = 0, ellipses = 0;
  for (int i = 0; i < n; i++) {
    if (items[i].kind == AST_INDEX_ELLIPSIS) ellipses++;
    else if (items[i].kind != AST_INDEX_EXPR || items[i].v->kind != V_NONE) used++;
  }
  if (used > t.rank || ellipses > 1) {
    if (ellipses > 1) elab_error(e, at, E0335, "`...` stands at most once in an index");
    else elab_error(e, at, E0338, "%d indices are too many for %s", used, type_text(e, t));
    return -1;
  }
  for (int i = 0; i < n && k < 3 * MAX_RANK - 2; i++) {
    const IndexItem *it = &items[i];
    AxisSpec *a = &out[k];
    if (it->kind == AST_INDEX_ELLIPSIS) {
      for (int j = used; j < t.rank; j++, axis++) out[k++] = (AxisSpec){.kind = AXIS_ALL};
      continue;
    }
    k++;
    if (it->kind == AST_INDEX_EXPR && it->v->kind == V_NONE) {
      *a = (AxisSpec){.kind = AXIS_NEW};
      continue;
    }
    if (it->kind == AST_INDEX_SLICE) {
      *a = (AxisSpec){.kind = it->from || it->to || it->step ? AXIS_SLICE : AXIS_ALL, .step = 1};
      if (a->kind == AXIS_SLICE && !resolve_slice(e, it, t.shape[axis], &a->start, &a->step, &a->count)) return -1;
    } else if (it->v->kind == V_INT) {
      *a = (AxisSpec){.kind = AXIS_INT, .step = 1, .count = dim_int(e->dims, 1)};
      if (!resolve_int(e, it->v->i, t.shape[axis], &a->start, it->loc)) return -1;
    } else if (!tensor_item(e, it, a)) {
      return -1;
    }
    axis++;
  }
  for (; axis < t.rank; axis++) out[k++] = (AxisSpec){.kind = AXIS_ALL};
  return k;
}

/* Slices and whole axes; int axes vanish. */
static NodeId take_static(Elab *e, NodeId x, const AxisSpec *spec, int n, Loc at) {
  Graph *g = e->trace->graph;
  Type t = graph_type(g, x);
  Dim start[MAX_RANK], count[MAX_RANK], left[MAX_RANK];
  int64_t step[MAX_RANK];
  int axis = 0, rank = 0;
  bool slices = false;
  for (int i = 0; i < n; i++) {
    const AxisSpec *a = &spec[i];
    if (a->kind == AXIS_NEW) continue;
    bool part = a->kind == AXIS_SLICE || a->kind == AXIS_INT;
    start[axis] = part ? a->start : dim_int(e->dims, 0);
    count[axis] = part ? a->count : t.shape[axis];
    step[axis] = part ? a->step : 1;
    slices |= part;
    if (a->kind != AXIS_INT) left[rank++] = count[axis];
    axis++;
  }
  if (slices) x = g_slice(g, at, x, start, step, count);
  return rank < axis ? g_reshape(g, at, x, rank, left) : x;
}

/* Positions along an axis of this size, however they are arranged? */
static bool is_position(Elab *e, NodeId n, Dim size) {
  const Node *x = graph_node(e->trace->graph, n);
  while (x->n_in == 1 && (op_info[x->op].cls == VIEW || x->op == OP_cast)) x = graph_node(e->trace->graph, x->in[0]);
  return x->op == OP_iota && dim_le(e->dims, x->type.shape[node_int(e->trace->graph, x, A_axis)], size) == DIM_YES;
}

/* One of several indices that become one: each is checked along its own axis, for their sum can be in range when they
 * are not. */
static Value *one_of_several(Elab *e, Value *v, Dim size, Loc at) {
  Graph *g = e->trace->graph;
  DType d = v_type(v).dtype == I64 ? I64 : I32;
  if (is_position(e, nid(v), size)) return v;
  v = cast_value(e, d, v, at);
  NodeId all = g_iota(g, elab_place(e, at), type_of(e->arena, d, 1, &size), 0);
  return v_tensor(e, g_gather(g, elab_place(e, at), all, nid(v), 0, 0));
}

/* The joint index of adjacent integer tensors over `merged` axes: row-major position. */
static bool joint_index(Elab *e, const AxisSpec **ix, int n, const Dim *sizes, Value **out, Loc at) {
  Value *sum = n > 1 ? one_of_several(e, ix[0]->v, sizes[0], at) : ix[0]->v;
  for (int i = 1; i < n; i++) {
    Value *v = one_of_several(e, ix[i]->v, sizes[i], at);
    if (v_type(v).dtype != v_type(sum).dtype) {
      v = cast_value(e, I64, v, at);
      sum = cast_value(e, I64, sum, at);
    }
    sum = elab_binary(e, OP_add, elab_binary(e, OP_mul, sum, v_dim(e, sizes[i]), at), v, at);
    if (is_poison(sum)) return false;
  }
  *out = sum;
  return true;
}

static bool find_tensors(Elab *e, const AxisSpec *spec, int n, int *first, int *count, Loc at) {
  int last = -1, axis = 0;
  *count = 0;
  for (int i = 0; i < n; i++) {
    if (spec[i].kind == AXIS_TENSOR) {
      if (*count && last != i - 1) {
        elab_error(e, at, E0339, "integer tensors in an index must stand side by side");
        elab_help(e, "index in two steps, or `transpose` first");
        return false;
      }
      if (!*count) *first = axis;
      ++*count;
      last = i;
    }
    if (spec[i].kind != AXIS_INT && spec[i].kind != AXIS_NEW) axis++;
  }
  return true;
}

static Value *gather_tensors(Elab *e, NodeId x, const AxisSpec *spec, int n, int first, int count, int *index_rank,
                             Loc at) {
  Graph *g = e->trace->graph;
  Type t = graph_type(g, x);
  const AxisSpec *ix[MAX_RANK];
  Value *i = NULL;
  for (int k = 0, m = 0; k < n; k++)
    if (spec[k].kind == AXIS_TENSOR) ix[m++] = &spec[k];
  if (!joint_index(e, ix, count, t.shape + first, &i, at)) return e->poison;
  if (count > 1) {
    Dim shape[MAX_RANK];
    int rank = 0;
    for (int k = 0; k < t.rank; k++) {
      if (k > first && k < first + count) shape[rank - 1] = dim_mul(e->dims, shape[rank - 1], t.shape[k]);
      else shape[rank++] = t.shape[k];
    }
    x = g_reshape(g, elab_place(e, at), x, rank, shape);
  }
  *index_rank = v_type(i).rank;
  if (t.rank - count + *index_rank > MAX_RANK)
    return elab_error(e, at, E0304, "the result would have more than %d axes", MAX_RANK);
  NodeId y = g_gather(g, elab_place(e, at), x, nid(i), first, 0);
  return too_big(e, graph_type(g, y), at) ? e->poison : v_tensor(e, y);
}

static Value *index_node(Elab *e, Value *v, const IndexItem *items, int n, Loc at) {
  AxisSpec spec[3 * MAX_RANK + 2];
  int first = 0, count = 0, index_rank = 0, news = 0;
  if (n > 2 * MAX_RANK) return elab_error(e, at, E0338, "%d indices are too many", n);
  int k = lay_out(e, v_type(v), items, n, spec, at);
  if (k < 0 || !find_tensors(e, spec, k, &first, &count, at)) return e->poison;
  Loc place = elab_place(e, at);
  NodeId x = take_static(e, nid(v), spec, k, place);
  if (count) {
    v = gather_tensors(e, x, spec, k, first, count, &index_rank, at);
    if (is_poison(v)) return v;
    x = nid(v);
  }
  for (int i = 0; i < k; i++) news += spec[i].kind == AXIS_NEW;
  if (!news) return v_tensor(e, x);
  Type t = graph_type(e->trace->graph, x);
  Dim shape[3 * MAX_RANK];
  int rank = 0, axis = 0;
  bool done = false;
  for (int i = 0; i < k; i++) {
    if (spec[i].kind == AXIS_NEW) shape[rank++] = dim_int(e->dims, 1);
    else if (spec[i].kind == AXIS_TENSOR) {
      for (int j = 0; !done && j < index_rank; j++) shape[rank++] = t.shape[axis++];
      done = true;
    } else if (spec[i].kind != AXIS_INT) shape[rank++] = t.shape[axis++];
    if (rank > MAX_RANK) return elab_error(e, at, E0304, "the result would have more than %d axes", MAX_RANK);
  }
  return v_tensor(e, g_reshape(e->trace->graph, place, x, rank, shape));
}

/* One instance of a stack, or some of them. */
typedef struct StackIndex {
  const IndexItem *item;
  Loc at;
} StackIndex;

static Value *index_part(Elab *e, void *ctx, Value *v) {
  const StackIndex *x = ctx;
  v = v_read(e, v);
  return v->kind == V_TENSOR ? index_value(e, v, x->item, 1, x->at) : v;
}

static Value *index_stack(Elab *e, Value *v, const IndexItem *items, int n, Loc at) {
  if (n != 1 || items[0].kind == AST_INDEX_ELLIPSIS || (items[0].v && items[0].v->kind == V_NONE))
    return elab_error(e, at, E0335, "a stack of instances takes one index or slice");
  bool slice = items[0].kind == AST_INDEX_SLICE;
  int axes = slice ? 1 : items[0].v->kind == V_TENSOR ? v_type(items[0].v).rank : items[0].v->kind == V_LIST;
  StackIndex x = {items, at};
  Value *r = tree_parts(e, v, index_part, &x);
  return is_poison(r) ? r : restack(e, r, axes - 1);
}

Value *index_value(Elab *e, Value *v, const IndexItem *items, int n, Loc at) {
  v = v_read(e, v);
  if (is_poison(v)) return v;
  if (v->kind == V_INST && v->inst->stacked) return index_stack(e, v, items, n, at);
  if (v->kind == V_LIST || v->kind == V_TUPLE) return index_list(e, v, items, n, at);
  if (v->kind == V_TENSOR)
    return want_tensor(e, &v, "the indexed value", at) ? index_node(e, v, items, n, at) : e->poison;
  elab_error(e, at, E0335, "%s cannot be indexed", value_kind_name(e, v));
  return e->poison;
}

NodeId index_axis(Elab *e, NodeId n, int axis, Dim i, Loc at) {
  AxisSpec spec[MAX_RANK];
  Type t = graph_type(e->trace->graph, n);
  for (int k = 0; k < t.rank; k++) spec[k] = (AxisSpec){.kind = AXIS_ALL};
  spec[axis] = (AxisSpec){.kind = AXIS_INT, .step = 1, .count = dim_int(e->dims, 1), .start = i};
  return take_static(e, n, spec, t.rank, elab_place(e, at));
}
