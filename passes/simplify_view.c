/* Rows of simplify for views, in the order of rewrites.def. */
#include "base/ds.h"
#include "passes/rewrite.h"
#include "passes/simplify.h"
#include <string.h>
#define WHEN(name) bool when_##name(const Simplify *s, const Node *d)
#define THEN(name) NodeId then_##name(const Simplify *s, Node d)
#define IS(k, op) simp_is(s, d, k, OP_##op)
#define IN(k) simp_in(s, d, k)

static NodeId inner(const Simplify *s, Node d, int k, int j) { return graph_node(s->g, d.in[k])->in[j]; }
static int ints(const Simplify *s, const Node *d, AttrKey key, int64_t *v) {
  return node_ints(s->g, d, key, v, MAX_RANK);
}
static bool le(const Simplify *s, Dim a, Dim b) { return dim_le(s->g->dims, a, b) == DIM_YES; }

WHEN(view_full) {
  if (op_info[d->op].cls != VIEW || d->n_in == 0 || !IS(0, full)) return false;
  double v = node_num(IN(0), A_value);
  for (int k = 0; k < d->n_in; k++)
    if (!simp_full(s, d, k, v)) return false;
  return d->op != OP_pad || simp_same(node_num(d, A_value), v);
}
THEN(view_full) { return g_full(s->g, d.loc, node_num(simp_in(s, &d, 0), A_value), d.type); }

WHEN(reshape_same) { return shape_same(IN(0)->type, d->type); }
THEN(reshape_same) { return (void)s, d.in[0]; }

WHEN(reshape_reshape) { return IS(0, reshape); }
THEN(reshape_reshape) { return g_reshape(s->g, d.loc, inner(s, d, 0, 0), d.type.rank, d.type.shape); }

WHEN(transpose_same) {
  int64_t perm[MAX_RANK];
  int rank = ints(s, d, A_perm, perm);
  for (int k = 0; k < rank; k++)
    if (perm[k] != k) return false;
  return true;
}
THEN(transpose_same) { return (void)s, d.in[0]; }

WHEN(transpose_transpose) { return IS(0, transpose); }
THEN(transpose_transpose) {
  int64_t outer[MAX_RANK], in[MAX_RANK];
  const Node *a = simp_in(s, &d, 0);
  int both[MAX_RANK], rank = ints(s, &d, A_perm, outer);
  ints(s, a, A_perm, in);
  for (int k = 0; k < rank; k++) both[k] = (int)in[outer[k]];
  return g_transpose(s->g, d.loc, a->in[0], both);
}

/* The axes that are not of size 1 keep their order. */
WHEN(transpose_unit) {
  int64_t perm[MAX_RANK], last = -1;
  int rank = ints(s, d, A_perm, perm);
  for (int k = 0; k < rank; k++) {
    if (simp_dim(s, d->type.shape[k], 1)) continue;
    if (perm[k] < last) return false;
    last = perm[k];
  }
  return true;
}
THEN(transpose_unit) { return g_reshape(s->g, d.loc, d.in[0], d.type.rank, d.type.shape); }

WHEN(transpose_dot) { return IS(0, dot); }
THEN(transpose_dot) {
  Node a = *simp_in(s, &d, 0);
  int64_t perm[MAX_RANK], ly[MAX_RANK], now[MAX_RANK];
  int rank = ints(s, &d, A_perm, perm);
  ints(s, &a, A_ly, ly);
  for (int k = 0; k < rank; k++) now[k] = ly[perm[k]];
  Attr attrs[3] = {*node_attr(&a, A_la), *node_attr(&a, A_lb), attr_ints(s->g, A_ly, now, rank)};
  return graph_add(s->g, OP_dot, a.loc, a.in, 2, attrs, 3, NULL);
}

/* Axes in order, none stretched, the new ones of size 1. */
WHEN(broadcast_unit) {
  int64_t axes[MAX_RANK], last = -1;
  int rank = ints(s, d, A_axes, axes);
  bool from[MAX_RANK] = {0};
  for (int k = 0; k < rank; k++) {
    if (axes[k] <= last || IN(0)->type.shape[k] != d->type.shape[axes[k]]) return false;
    last = axes[k], from[axes[k]] = true;
  }
  for (int j = 0; j < d->type.rank; j++)
    if (!from[j] && !simp_dim(s, d->type.shape[j], 1)) return false;
  return true;
}
THEN(broadcast_unit) { return g_reshape(s->g, d.loc, d.in[0], d.type.rank, d.type.shape); }

WHEN(broadcast_broadcast) { return IS(0, broadcast); }
THEN(broadcast_broadcast) {
  const Node *a = simp_in(s, &d, 0);
  int64_t outer[MAX_RANK], in[MAX_RANK];
  int both[MAX_RANK], rank = ints(s, a, A_axes, in);
  ints(s, &d, A_axes, outer);
  for (int k = 0; k < rank; k++) both[k] = (int)outer[in[k]];
  return g_broadcast(s->g, d.loc, a->in[0], d.type.rank, d.type.shape, both);
}

/* Finds the axes of `small` in `big`, which has further axes of size 1 only; at[k] is the place of axis k. */
static bool embeds(const Simplify *s, Type small, Type big, int *at) {
  int k = 0;
  for (int j = 0; j < big.rank; j++) {
    if (k < small.rank && small.shape[k] == big.shape[j]) at[k++] = j;
    else if (!simp_dim(s, big.shape[j], 1)) return false;
  }
  return k == small.rank;
}
WHEN(broadcast_reshape) {
  int at[MAX_RANK];
  return IS(0, reshape) && embeds(s, simp_in(s, IN(0), 0)->type, IN(0)->type, at);
}
THEN(broadcast_reshape) {
  const Node *a = simp_in(s, &d, 0);
  int64_t axes[MAX_RANK];
  int now[MAX_RANK], at[MAX_RANK] = {0}, rank = graph_type(s->g, a->in[0]).rank;
  embeds(s, graph_type(s->g, a->in[0]), a->type, at);
  ints(s, &d, A_axes, axes);
  for (int k = 0; k < rank; k++) now[k] = (int)axes[at[k]];
  return g_broadcast(s->g, d.loc, a->in[0], d.type.rank, d.type.shape, now);
}

WHEN(slice_whole) {
  int64_t step[MAX_RANK];
  int rank = ints(s, d, A_step, step);
  for (int k = 0; k < rank; k++)
    if (step[k] != 1 || !simp_dim(s, node_attr(d, A_start)->dims[k], 0)) return false;
  return shape_same(IN(0)->type, d->type);
}
THEN(slice_whole) { return (void)s, d.in[0]; }

WHEN(slice_slice) { return IS(0, slice); }
THEN(slice_slice) {
  const Node *a = simp_in(s, &d, 0);
  int64_t outer[MAX_RANK], in[MAX_RANK];
  Dim start[MAX_RANK];
  DimTab *t = s->g->dims;
  int rank = ints(s, &d, A_step, outer);
  ints(s, a, A_step, in);
  for (int k = 0; k < rank; k++) {
    Dim far = dim_mul(t, node_attr(&d, A_start)->dims[k], dim_int(t, in[k]));
    start[k] = dim_add(t, node_attr(a, A_start)->dims[k], far);
    outer[k] *= in[k];
  }
  return g_slice(s->g, d.loc, a->in[0], start, outer, d.type.shape);
}

/* The carried value of the scan that the row is, when slice d takes one row of a stack: the last one made; -1: none. */
static int last_carried(const Simplify *s, const Node *d) {
  if (!IS(0, get)) return -1;
  const Node *x = graph_node(s->g, IN(0)->in[0]);
  if (x->op != OP_scan || !simp_dim(s, d->type.shape[0], 1)) return -1;
  int carried = (int)node_int(s->g, x, A_carried), index = (int)node_int(s->g, IN(0), A_index);
  DimTab *t = s->g->dims;
  Dim end = dim_sub(t, node_dim(x, A_length), dim_int(t, 1));
  Dim last = node_int(s->g, x, A_reverse) ? simp_zero(s) : end;
  if (index < carried || dim_sub(t, node_attr(d, A_start)->dims[0], last) != simp_zero(s)) return -1;
  const NodeId *outs = x->regions[0]->outputs;
  for (int k = 0; k < carried; k++)
    if (outs[k] == outs[index]) return k;
  return -1;
}
WHEN(slice_last) { return last_carried(s, d) >= 0; }
THEN(slice_last) {
  const Node *a = simp_in(s, &d, 0);
  Type row = a->type;
  NodeId tuple = a->in[0];
  int64_t step[MAX_RANK];
  Dim start[MAX_RANK], shape[MAX_RANK];
  ints(s, &d, A_step, step);
  for (int k = 0; k < row.rank; k++) {
    start[k] = k ? node_attr(&d, A_start)->dims[k] : simp_zero(s);
    shape[k] = k ? row.shape[k] : dim_int(s->g->dims, 1);
  }
  NodeId n = g_get(s->g, d.loc, tuple, last_carried(s, &d));
  return g_slice(s->g, d.loc, g_reshape(s->g, d.loc, n, row.rank, shape), start, step, d.type.shape);
}

/* The part of the concat that holds all of the slice, and where that part begins; 0 when there is none. */
static NodeId part_of(const Simplify *s, const Node *d, int *axis, Dim *begin) {
  const Node *a = IN(0);
  DimTab *t = s->g->dims;
  int64_t step[MAX_RANK];
  ints(s, d, A_step, step);
  *axis = (int)node_int(s->g, a, A_axis);
  Dim from = node_attr(d, A_start)->dims[*axis], to = dim_add(t, from, d->type.shape[*axis]);
  *begin = simp_zero(s);
  for (int k = 0; step[*axis] == 1 && k < a->n_in; k++) {
    Dim end = dim_add(t, *begin, graph_type(s->g, a->in[k]).shape[*axis]);
    if (le(s, *begin, from) && le(s, to, end)) return a->in[k];
    *begin = end;
  }
  return 0;
}
WHEN(slice_concat) {
  int axis;
  Dim begin;
  return IS(0, concat) && part_of(s, d, &axis, &begin);
}
THEN(slice_concat) {
  int axis;
  Dim begin, start[MAX_RANK];
  int64_t step[MAX_RANK];
  NodeId part = part_of(s, &d, &axis, &begin);
  int rank = ints(s, &d, A_step, step);
  memcpy(start, node_attr(&d, A_start)->dims, sizeof(Dim) * (size_t)rank);
  start[axis] = dim_sub(s->g->dims, start[axis], begin);
  return g_slice(s->g, d.loc, part, start, step, d.type.shape);
}

WHEN(pad_nothing) {
  for (int k = 0; k < d->type.rank; k++)
    if (!simp_dim(s, node_attr(d, A_low)->dims[k], 0)) return false;
  return shape_same(IN(0)->type, d->type);
}
THEN(pad_nothing) { return (void)s, d.in[0]; }

static bool only_adds(const Simplify *s, const Node *d) {
  for (int k = 0; k < d->type.rank; k++) {
    Dim low = node_attr(d, A_low)->dims[k];
    if (!le(s, simp_zero(s), low)) return false;
    if (!le(s, dim_add(s->g->dims, low, IN(0)->type.shape[k]), d->type.shape[k])) return false;
  }
  return true;
}
WHEN(pad_pad) {
  if (!IS(0, pad) || !only_adds(s, d) || !only_adds(s, IN(0))) return false;
  return simp_same(node_num(d, A_value), node_num(IN(0), A_value));
}
THEN(pad_pad) {
  const Node *a = simp_in(s, &d, 0);
  Dim low[MAX_RANK];
  for (int k = 0; k < d.type.rank; k++)
    low[k] = dim_add(s->g->dims, node_attr(&d, A_low)->dims[k], node_attr(a, A_low)->dims[k]);
  return g_pad(s->g, d.loc, a->in[0], low, d.type.shape, node_num(&d, A_value));
}

WHEN(pad_cut) {
  for (int k = 0; k < d->type.rank; k++) {
    Dim low = node_attr(d, A_low)->dims[k];
    if (!le(s, low, simp_zero(s))) return false;
    if (!le(s, d->type.shape[k], dim_add(s->g->dims, low, IN(0)->type.shape[k]))) return false;
  }
  return true;
}
THEN(pad_cut) {
  Dim start[MAX_RANK];
  int64_t step[MAX_RANK];
  for (int k = 0; k < d.type.rank; k++) step[k] = 1, start[k] = dim_neg(s->g->dims, node_attr(&d, A_low)->dims[k]);
  return g_slice(s->g, d.loc, d.in[0], start, step, d.type.shape);
}

WHEN(concat_one) { return (void)s, d->n_in == 1; }
THEN(concat_one) { return (void)s, d.in[0]; }

/* Is operand k itself a concat along the same axis? */
static bool nested(const Simplify *s, const Node *d, int k) {
  return IS(k, concat) && node_int(s->g, IN(k), A_axis) == node_int(s->g, d, A_axis);
}
WHEN(concat_concat) {
  for (int k = 0; k < d->n_in; k++)
    if (nested(s, d, k)) return true;
  return false;
}
THEN(concat_concat) {
  NodeId *in = NULL;
  for (int k = 0; k < d.n_in; k++) {
    const Node *a = simp_in(s, &d, k);
    bool flat = nested(s, &d, k);
    for (int j = 0; flat && j < a->n_in; j++) arrput(in, a->in[j]);
    if (!flat) arrput(in, d.in[k]);
  }
  NodeId y = g_concat(s->g, d.loc, in, (int)arrlen(in), (int)node_int(s->g, &d, A_axis));
  arrfree(in);
  return y;
}

/* Which operand of comparison m is y, where the other one is a number; -1: neither. */
static int compared(const Simplify *s, const Node *m, NodeId y) {
  if (!(op_info[m->op].flags & CMP)) return -1;
  for (int k = 0; k < 2; k++)
    if (m->in[k] == y && simp_is(s, m, 1 - k, OP_full)) return k;
  return -1;
}
/* The places of the gradient of a maximum over windows, of which it may read a byte; NULL: they are of no max_pool_arg.
 */
static const Node *pool_places(const Simplify *s, const Node *dx) {
  const Node *arg = simp_in(s, dx, 1);
  if (arg->op == OP_cast) arg = simp_in(s, arg, 0);
  return arg->op == OP_max_pool_arg ? arg : NULL;
}
/* The operand of a where that is the gradient of a maximum over windows, the other one is 0; 0: it is none. */
static int pool_side(const Simplify *s, const Node *d) {
  for (int k = 1; k <= 2; k++)
    if (IS(k, max_pool_dx) && simp_full(s, d, 3 - k, 0.0) && pool_places(s, IN(k))) return k;
  return 0;
}
WHEN(where_pool) {
  int k = pool_side(s, d);
  if (!k) return false;
  const Node *arg = pool_places(s, IN(k));
  for (int i = 0; i < arg->n_attrs; i++)
    if (!attr_same(&arg->attrs[i], node_attr(IN(k), arg->attrs[i].key))) return false;
  return compared(s, IN(0), arg->in[0]) >= 0;
}
THEN(where_pool) {
  int k = pool_side(s, &d);
  if (!k) return 0;
  const Node dx = *simp_in(s, &d, k), arg = *pool_places(s, &dx), mask = *simp_in(s, &d, 0);
  int side = compared(s, &mask, arg.in[0]);
  if (side < 0) return 0;
  NodeId y = graph_add(s->g, OP_max_pool, d.loc, arg.in, 1, arg.attrs, arg.n_attrs, NULL), of[2], in[2] = {0, dx.in[1]};
  const Node *c = simp_in(s, &mask, 1 - side);
  of[side] = y, of[1 - side] = g_full(s->g, d.loc, node_num(c, A_value), graph_type(s->g, y));
  NodeId some = g_map2(s->g, (Op)mask.op, d.loc, of[0], of[1]),
         none = g_full(s->g, d.loc, 0, graph_type(s->g, dx.in[0]));
  in[0] = k == 1 ? g_where(s->g, d.loc, some, dx.in[0], none) : g_where(s->g, d.loc, some, none, dx.in[0]);
  return graph_add(s->g, OP_max_pool_dx, d.loc, in, 2, dx.attrs, dx.n_attrs, &dx.type);
}
