/* The value of a graph node at an index, as an expression: views change the index, maps compute, leaves generate, and
 * nodes that another nest has stored are loaded. */
#include "base/ds.h"
#include "codegen/lower.h"
#include "passes/plan_internal.h"
#include <math.h>
#include <string.h>

Axes axes_of(const Lower *l, NodeId n) {
  Type t = graph_type(l->g, n);
  Axes a = {.n = t.rank};
  for (int k = 0; k < t.rank; k++) a.size[k] = t.shape[k];
  return a;
}
Dim axes_count(DimTab *t, const Axes *a, int from, int to) {
  Dim d = dim_int(t, 1);
  for (int k = from; k < to; k++) d = dim_mul(t, d, a->size[k]);
  return d;
}
LExpr *axes_linear(LB *b, const Axes *a, const Idx *at) {
  LExpr *e = x_int(b, 0);
  for (int k = 0; k < a->n; k++) e = x_add(b, x_mul(b, e, x_dim(b, a->size[k])), at->i[k]);
  return e;
}
void axes_split(LB *b, const Dim *size, int n, LExpr *e, LExpr **out) {
  for (int k = n - 1; k >= 0; k--) {
    LExpr *s = x_dim(b, size[k]);
    bool first = true; /* nothing but ones before it: no remainder to take */
    for (int j = 0; j < k; j++) first = first && dim_is(lb_dims(b), size[j], 1);
    if (dim_is(lb_dims(b), size[k], 1)) {
      out[k] = x_int(b, 0);
    } else if (first) {
      out[k] = e;
    } else {
      out[k] = x_mod(b, e, s);
      e = x_div(b, e, s);
    }
  }
}

/* Axes are matched in the groups where the products of sizes agree. */
Idx axes_reshape(Lower *l, const Axes *to, const Idx *at, const Axes *from) {
  DimTab *t = l->dims;
  Idx y = {0};
  Dim p[MAX_RANK + 1], q[MAX_RANK + 1];
  p[0] = q[0] = dim_int(t, 1);
  for (int k = 0; k < to->n; k++) p[k + 1] = dim_mul(t, p[k], to->size[k]);
  for (int k = 0; k < from->n; k++) q[k + 1] = dim_mul(t, q[k], from->size[k]);
  bool zero = dim_is(t, p[to->n], 0);
  int i0 = 0, j0 = 0;
  while (i0 < to->n || j0 < from->n) {
    int i1 = to->n, j1 = from->n;
    bool found = false;
    for (int i = i0; i <= to->n && !found && !zero; i++)
      for (int j = j0; j <= from->n && !found; j++)
        if ((i > i0 || j > j0) && p[i] == q[j]) {
          i1 = i;
          j1 = j;
          found = true;
        }
    Axes part = {.n = i1 - i0};
    Idx in = {0};
    for (int k = i0; k < i1; k++) {
      part.size[k - i0] = to->size[k];
      in.i[k - i0] = at->i[k];
    }
    axes_split(l->b, from->size + j0, j1 - j0, axes_linear(l->b, &part, &in), y.i + j0);
    i0 = i1;
    j0 = j1;
  }
  return y;
}

static LExpr *number_at(Lower *l, const Node *n, const unsigned char *data, int64_t i) {
  double v = 0;
  switch (n->type.dtype) {
  case F64: memcpy(&v, data + 8 * i, 8); break;
  case F32: v = (double)((const float *)(const void *)data)[i]; break;
  case I64: {
    int64_t w;
    memcpy(&w, data + 8 * i, 8);
    if (w > INT64_C(1) << 53 || w < -(INT64_C(1) << 53)) return NULL;
    v = (double)w;
    break;
  }
  case I32: v = ((const int32_t *)(const void *)data)[i]; break;
  case I8: v = ((const int8_t *)data)[i]; break;
  case U8:
  case BOOL: v = data[i]; break;
  default: return NULL;
  }
  return x_num(l->b, v, n->type.dtype);
}
static LExpr *literal_at(Lower *l, NodeId id, const Axes *axes, const Idx *at) {
  const Node *n = graph_node(l->g, id);
  const Attr *data = node_attr(n, A_data);
  int64_t count = data->n / dtype_size(n->type.dtype);
  LExpr *one = count == 1 ? number_at(l, n, data->data, 0) : NULL;
  if (one) return one;
  LArr *table = NULL;
  for (int i = 0; i < arrlen(l->temps); i++)
    if (l->temps[i]->kind == ARR_TABLE && l->temps[i]->data == data->data) table = l->temps[i];
  if (!table) {
    table = lb_array(l->b, ARR_TABLE, n->type.dtype, count, "table");
    table->data = data->data;
    arrput(l->temps, table);
  }
  return x_load(l->b, table, axes_linear(l->b, axes, at), l->guard);
}

/* Initial values differ in a few numbers only, and they are made once: there a number is a parameter, in units of 2^-40
 * (exact, or it stays a number), so that cells of equal rules share a kernel. */
static LExpr *full_at(Lower *l, double v, DType t) {
  enum { UNITS = 40 };
  const double units = ldexp((double)(float)v, UNITS);
  const bool first = l->plan->entry && l->plan->entry->kind == DNN_INIT;
  if (!first || t != F32 || !(fabs(units) < 0x1p53) || units != rint(units)) return x_num(l->b, v, t);
  LExpr *x = x_param(l->b, (KSize){.kind = KARG_INT, .value = (int64_t)units});
  x->var->name = "number";
  return x_op(l->b, OP_mul, F32, x_cast(l->b, x, F32), x_num(l->b, ldexp(1, -UNITS), F32), NULL);
}

static LExpr *leaf_at(Lower *l, NodeId id, const Axes *axes, const Idx *at) {
  const Node *n = graph_node(l->g, id);
  DType t = n->type.dtype;
  switch (n->op) {
  case OP_full: return full_at(l, node_num(n, A_value), t);
  case OP_literal: return literal_at(l, id, axes, at);
  case OP_iota: return x_cast(l->b, at->i[node_int(l->g, n, A_axis)], t);
  case OP_size: return x_cast(l->b, x_dim(l->b, node_dim(n, A_size)), t);
  case OP_clock:
    return x_cast(l->b, x_param(l->b, (KSize){.kind = KARG_CLOCK, .value = node_int(l->g, n, A_which)}), t);
  case OP_uniform: {
    int keys = graph_type(l->g, n->in[0]).rank; /* the axes that lead; each key counts its own elements */
    LExpr *key = value_at(l, n->in[0], at);
    Axes own = {.n = axes->n - keys};
    Idx i = {{0}};
    for (int k = 0; k < own.n; k++) own.size[k] = axes->size[keys + k], i.i[k] = at->i[keys + k];
    LExpr *site = x_param(l->b, (KSize){.kind = KARG_INT, .value = (int64_t)node_attr(n, A_site)->hash});
    return x_uniform(l->b, t, key, site, axes_linear(l->b, &own, &i));
  }
  default: INTERNAL("leaf %s has no buffer", op_info[n->op].name);
  }
}

static LExpr *under(Lower *l, LExpr *cond, NodeId n, const Idx *at) {
  LExpr *outer = l->guard;
  l->guard = x_and(l->b, outer, cond);
  LExpr *v = value_at(l, n, at);
  l->guard = outer;
  return v;
}

static LExpr *pad_at(Lower *l, const Node *n, const Idx *at) {
  const Attr *low = node_attr(n, A_low);
  Axes a = axes_of(l, n->in[0]);
  Idx in = {0};
  LExpr *inside = NULL;
  for (int k = 0; k < a.n; k++) {
    Dim lo = low->dims[k];
    in.i[k] = x_sub(l->b, at->i[k], x_dim(l->b, lo));
    if (dim_le(l->dims, lo, dim_int(l->dims, 0)) != DIM_YES)
      inside = x_and(l->b, inside, x_ge(l->b, in.i[k], x_int(l->b, 0)));
    if (dim_le(l->dims, n->type.shape[k], dim_add(l->dims, lo, a.size[k])) != DIM_YES)
      inside = x_and(l->b, inside, x_lt(l->b, in.i[k], x_dim(l->b, a.size[k])));
  }
  LExpr *v = under(l, inside, n->in[0], &in);
  return x_select(l->b, inside, v, x_num(l->b, node_num(n, A_value), n->type.dtype));
}

static LExpr *concat_at(Lower *l, const Node *n, const Idx *at) {
  int axis = (int)node_int(l->g, n, A_axis);
  LExpr *i = at->i[axis], *y = NULL;
  Dim end = n->type.shape[axis];
  for (int k = n->n_in - 1; k >= 0; k--) {
    Dim size = graph_type(l->g, n->in[k]).shape[axis];
    Dim begin = dim_sub(l->dims, end, size);
    LExpr *above = k ? x_ge(l->b, i, x_dim(l->b, begin)) : NULL, *below = x_lt(l->b, i, x_dim(l->b, end));
    Idx in = *at;
    in.i[axis] = x_sub(l->b, i, x_dim(l->b, begin));
    LExpr *v = under(l, k == n->n_in - 1 ? above : x_and(l->b, above, below), n->in[k], &in);
    y = y ? x_select(l->b, below, v, y) : v;
    end = begin;
  }
  return y;
}

static LExpr *view_at(Lower *l, NodeId id, const Axes *axes, const Idx *at) {
  const Node *n = graph_node(l->g, id);
  Idx in = {0};
  switch (n->op) {
  case OP_reshape: {
    Axes from = axes_of(l, n->in[0]);
    in = axes_reshape(l, axes, at, &from);
    break;
  }
  case OP_transpose: {
    int64_t perm[MAX_RANK];
    node_ints(l->g, n, A_perm, perm, MAX_RANK);
    for (int k = 0; k < axes->n; k++) in.i[perm[k]] = at->i[k];
    break;
  }
  case OP_broadcast: {
    int64_t to[MAX_RANK];
    int rank = node_ints(l->g, n, A_axes, to, MAX_RANK);
    Type a = graph_type(l->g, n->in[0]);
    for (int k = 0; k < rank; k++) in.i[k] = dim_is(l->dims, a.shape[k], 1) ? x_int(l->b, 0) : at->i[to[k]];
    break;
  }
  case OP_slice: {
    const Attr *start = node_attr(n, A_start);
    int64_t step[MAX_RANK];
    node_ints(l->g, n, A_step, step, MAX_RANK);
    for (int k = 0; k < axes->n; k++)
      in.i[k] = x_add(l->b, x_mul(l->b, at->i[k], x_int(l->b, step[k])), x_dim(l->b, start->dims[k]));
    break;
  }
  case OP_pad: return pad_at(l, n, at);
  case OP_concat: return concat_at(l, n, at);
  default: INTERNAL("no lowering of view %s", op_info[n->op].name);
  }
  return value_at(l, n->in[0], &in);
}

/* y[b.., p.., j.., r..] = x[b.., p.., i[b.., j..], r..] */
static LExpr *gather_at(Lower *l, NodeId id, const Idx *at) {
  const Node *n = graph_node(l->g, id);
  int axis = (int)node_int(l->g, n, A_axis), batch = (int)node_int(l->g, n, A_batch);
  Type x = graph_type(l->g, n->in[0]), i = graph_type(l->g, n->in[1]);
  int nj = i.rank - batch;
  Idx ix = {0}, in = {0};
  for (int k = 0; k < batch; k++) ix.i[k] = at->i[k];
  for (int k = 0; k < nj; k++) ix.i[batch + k] = at->i[axis + k];
  LExpr *where = x_cast(l->b, value_at(l, n->in[1], &ix), I64);
  bool picks = arrlen(l->plan->scopes) && picks_iteration(l->plan, l->group->scope, id);
  if (picks || index_in_range(l->g, n->in[1], x.shape[axis])) {
    for (int k = 0; k < x.rank; k++) in.i[k] = k < axis ? at->i[k] : k == axis ? where : at->i[k + nj - 1];
    return value_at(l, n->in[0], &in);
  }
  bool joint = graph_node(l->g, n->in[0])->op == OP_iota; /* elab_index.c: one of several that become one */
  LExpr *site =
      x_param(l->b, (KSize){.kind = KARG_INT, .value = kernels_site_of(l->table, n->loc, axis, joint ? NULL : &x)});
  LExpr *bound = x_dim(l->b, x.shape[axis]);
  for (int k = 0; k < axis; k++) in.i[k] = at->i[k];
  in.i[axis] = x_check(l->b, where, bound, site, l->guard);
  for (int k = axis + 1; k < x.rank; k++) in.i[k] = at->i[k + nj - 1];
  bool empty = dim_le(l->dims, dim_int(l->dims, 1), x.shape[axis]) != DIM_YES; /* at some sizes */
  return under(l, empty ? x_ge(l->b, in.i[axis], x_int(l->b, 0)) : NULL, n->in[0], &in);
}

static LExpr *map_at(Lower *l, const Node *n, const Idx *at) {
  LExpr *in[3] = {0};
  for (int k = 0; k < n->n_in; k++) in[k] = value_at(l, n->in[k], at);
  if (n->op == OP_where) return x_select(l->b, in[0], in[1], in[2]);
  if (n->op == OP_cast) return x_cast(l->b, in[0], n->type.dtype);
  if (n->op == OP_stop_gradient) return in[0];
  return form_at(l, n, in);
}

static LExpr *plain_read(Lower *l, LArr *arr, LExpr *index, LExpr *guard) { return x_load(l->b, arr, index, guard); }

LExpr *count_at(Lower *l, int buf, DType t) {
  return x_cast(l->b, x_param(l->b, (KSize){.kind = KARG_LOOP, .value = l->plan->bufs[buf].loop}), t);
}

static MemoKey memo_key(Lower *l, NodeId id, const Axes *axes, const Idx *given, Idx *at) {
  MemoKey key;
  memset(&key, 0, sizeof key);
  key.node = id;
  key.guard = l->guard ? l->guard->id : 0;
  for (int k = 0; k < axes->n; k++) {
    at->i[k] = dim_is(l->dims, axes->size[k], 1) ? x_int(l->b, 0) : given->i[k];
    key.at[k] = at->i[k]->id;
  }
  return key;
}
void value_known(Lower *l, NodeId n, LExpr *value) { hmput(l->known, n, value); }
void value_known_at(Lower *l, NodeId n, const Idx *given, LExpr *value) {
  Axes axes = axes_of(l, n);
  Idx at = {0};
  MemoKey key = memo_key(l, n, &axes, given, &at);
  hmput(l->memo, key, value);
}

bool lower_last(const Lower *l, int buf) {
  return buf >= 0 && l->plan->bufs[buf].kind == BUF_ARENA && l->plan->bufs[buf].place;
}
/* Axis 1 becomes the last one. */
static void channels_last(Axes *axes, Idx *at) {
  Dim size = axes->size[1];
  LExpr *i = at->i[1];
  for (int k = 1; k < axes->n - 1; k++) axes->size[k] = axes->size[k + 1], at->i[k] = at->i[k + 1];
  axes->size[axes->n - 1] = size;
  at->i[axes->n - 1] = i;
}
/* Where an element is in its buffer. */
LExpr *lower_place(Lower *l, int buf, const Axes *axes, const Idx *at) {
  const PlanBuf *x = &l->plan->bufs[buf];
  const RowPlace *place = x->place;
  if (!place) return axes_linear(l->b, axes, at);
  if (x->kind == BUF_ROW && x->loop < 0) { /* as an element of the whole: places that are one index stay one */
    Axes a = *axes;
    for (int k = 0; k < a.n; k++) a.size[k] = l->plan->bufs[x->index].type.shape[k];
    return axes_linear(l->b, &a, at);
  }
  if (lower_last(l, buf)) { /* in this order places that are one index lose their divisions */
    Axes a = *axes;
    Idx in = *at;
    channels_last(&a, &in);
    return axes_linear(l->b, &a, &in);
  }
  LExpr *e = x_int(l->b, 0);
  for (int k = 0; k < axes->n; k++) e = x_add(l->b, e, x_mul(l->b, at->i[k], x_dim(l->b, place->axis[k])));
  return e;
}

LExpr *value_at(Lower *l, NodeId id, const Idx *given) {
  const Node *n = graph_node(l->g, id);
  ptrdiff_t known = hmgeti(l->known, id);
  if (known >= 0) return l->known[known].value;
  Axes axes = axes_of(l, id);
  Idx at = {0};
  MemoKey key = memo_key(l, id, &axes, given, &at);
  ptrdiff_t found = hmgeti(l->memo, key);
  if (found >= 0) return l->memo[found].value;
  LExpr *v = NULL;
  int buf = l->buf_of[id];
  Loc place = lb_place(l->b, n->loc);
  if (buf >= 0 && !l->here[id] && l->plan->bufs[buf].kind == BUF_COUNT) v = count_at(l, buf, n->type.dtype);
  else if (buf >= 0 && !l->here[id])
    v = (l->read ? l->read : plain_read)(l, lower_buf(l, buf, n->type.dtype), lower_place(l, buf, &axes, &at),
                                         l->guard);
  else if (id == l->group->heavy) INTERNAL("the value of %s is used before it is there", op_info[n->op].name);
  else switch (op_info[n->op].cls) {
    case LEAF: v = leaf_at(l, id, &axes, &at); break;
    case MAP: v = map_at(l, n, &at); break;
    case VIEW: v = view_at(l, id, &axes, &at); break;
    case GATHER: v = gather_at(l, id, &at); break;
    default: INTERNAL("%s cannot be computed in place of its use", op_info[n->op].name);
    }
  lb_place(l->b, place);
  hmput(l->memo, key, v);
  return v;
}

void store_outs(Lower *l, const Axes *axes, const Idx *at) {
  const Group *g = l->group;
  LExpr *linear = axes_linear(l->b, axes, at);
  int n = (int)arrlen(g->outs);
  LExpr **values = arena_array(l->arena, LExpr *, n), **where = arena_array(l->arena, LExpr *, n);
  for (int i = 0; i < n; i++) {
    Axes out = axes_of(l, g->outs[i].node);
    bool same = out.n == axes->n && !memcmp(out.size, axes->size, sizeof(Dim) * (size_t)out.n);
    Idx to = *at;
    if (!same) to = axes_reshape(l, axes, at, &out);
    values[i] = value_at(l, g->outs[i].node, &to);
    where[i] = l->plan->bufs[g->outs[i].buf].place ? lower_place(l, g->outs[i].buf, &out, &to) : linear;
  }
  if (n > 1)
    for (int i = 0; i < n; i++) values[i] = lb_let(l->b, NULL, values[i]);
  for (int i = 0; i < n; i++) store_out(l, &g->outs[i], where[i], values[i]);
}
void store_out(Lower *l, const GroupOut *o, LExpr *linear, LExpr *value) {
  Loc place = lb_place(l->b, graph_node(l->g, o->node)->loc);
  lb_store(l->b, lower_buf(l, o->buf, graph_type(l->g, o->node).dtype), linear, value);
  lb_place(l->b, place);
}

void store_epilogue(Lower *l, const Axes *axes, const Idx *at, LExpr *heavy) {
  /* what was computed with another value of the heavy node must not be taken again */
  hmfree(l->memo);
  l->memo = NULL;
  value_known(l, l->group->heavy, heavy);
  store_outs(l, axes, at);
  (void)hmdel(l->known, l->group->heavy);
  hmfree(l->memo);
  l->memo = NULL;
}
