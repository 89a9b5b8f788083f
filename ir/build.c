/* Short forms that build nodes. */
#include "base/ds.h"
#include "ir/ir.h"

NodeId g_input(Graph *g, Loc loc, Type t) {
  Attr a = attr_int(g, A_index, g->n_inputs);
  return graph_add(g, OP_input, loc, NULL, 0, &a, 1, &t);
}

NodeId g_cell(Graph *g, Loc loc, int cell, Type t) {
  Attr a = attr_int(g, A_cell, cell);
  return graph_add(g, OP_cell, loc, NULL, 0, &a, 1, &t);
}

NodeId g_full(Graph *g, Loc loc, double v, Type t) {
  Attr a = attr_num(A_value, v);
  return graph_add(g, OP_full, loc, NULL, 0, &a, 1, &t);
}

NodeId g_full_like(Graph *g, Loc loc, double v, NodeId like) { return g_full(g, loc, v, graph_type(g, like)); }

NodeId g_literal(Graph *g, Loc loc, Type t, const void *data, size_t bytes) {
  Attr a = {.key = A_data, .n = (uint32_t)bytes, .data = arena_copy(g->arena, data, bytes)};
  return graph_add(g, OP_literal, loc, NULL, 0, &a, 1, &t);
}

NodeId g_iota(Graph *g, Loc loc, Type t, int axis) {
  Attr a = attr_int(g, A_axis, axis);
  return graph_add(g, OP_iota, loc, NULL, 0, &a, 1, &t);
}

NodeId g_size(Graph *g, Loc loc, Dim d, DType t) {
  Attr a = attr_dim(g, A_size, d);
  Type want = type_scalar(t);
  return graph_add(g, OP_size, loc, NULL, 0, &a, 1, &want);
}

NodeId g_clock(Graph *g, Loc loc, int which) {
  Attr a = attr_int(g, A_which, which);
  Type want = type_scalar(which == 3 ? I64 : I32);
  return graph_add(g, OP_clock, loc, NULL, 0, &a, 1, &want);
}

NodeId g_uniform(Graph *g, Loc loc, NodeId key, uint64_t site, Type t) {
  Attr a = attr_hash(A_site, site);
  return graph_add(g, OP_uniform, loc, &key, 1, &a, 1, &t);
}

NodeId g_map1(Graph *g, Op op, Loc loc, NodeId a) { return graph_add(g, op, loc, &a, 1, NULL, 0, NULL); }

/* A scalar of the same dtype stretches to the other's shape. */
static NodeId stretch(Graph *g, Loc loc, NodeId a, Type like) {
  Type t = graph_type(g, a);
  return t.rank == 0 && like.rank > 0 ? g_broadcast(g, loc, a, like.rank, like.shape, NULL) : a;
}

NodeId g_map2(Graph *g, Op op, Loc loc, NodeId a, NodeId b) {
  NodeId in[2] = {stretch(g, loc, a, graph_type(g, b)), stretch(g, loc, b, graph_type(g, a))};
  return graph_add(g, op, loc, in, 2, NULL, 0, NULL);
}

NodeId g_where(Graph *g, Loc loc, NodeId c, NodeId a, NodeId b) {
  Type like = graph_type(g, c);
  if (graph_type(g, a).rank > like.rank) like = graph_type(g, a);
  if (graph_type(g, b).rank > like.rank) like = graph_type(g, b);
  NodeId in[3] = {stretch(g, loc, c, like), stretch(g, loc, a, like), stretch(g, loc, b, like)};
  return graph_add(g, OP_where, loc, in, 3, NULL, 0, NULL);
}

NodeId g_cast(Graph *g, Loc loc, NodeId a, DType t) {
  Type want = graph_type(g, a);
  if (want.dtype == t) return a;
  want.dtype = t;
  return graph_add(g, OP_cast, loc, &a, 1, NULL, 0, &want);
}

NodeId g_reshape(Graph *g, Loc loc, NodeId a, int rank, const Dim *shape) {
  Type want = type_of(g->arena, graph_type(g, a).dtype, rank, shape);
  return graph_add(g, OP_reshape, loc, &a, 1, NULL, 0, &want);
}

NodeId g_transpose(Graph *g, Loc loc, NodeId a, const int *perm) {
  Attr at = attr_int32s(g, A_perm, perm, graph_type(g, a).rank);
  return graph_add(g, OP_transpose, loc, &a, 1, &at, 1, NULL);
}

NodeId g_broadcast(Graph *g, Loc loc, NodeId a, int rank, const Dim *shape, const int *axes) {
  Attr at = attr_int32s(g, A_axes, axes, graph_type(g, a).rank);
  Type want = type_of(g->arena, graph_type(g, a).dtype, rank, shape);
  return graph_add(g, OP_broadcast, loc, &a, 1, &at, 1, &want);
}

NodeId g_broadcast_to(Graph *g, Loc loc, NodeId a, int rank, const Dim *shape) {
  Type t = graph_type(g, a);
  if (shape_same(t, (Type){t.dtype, rank, shape})) return a;
  int axes[MAX_RANK];
  for (int i = 0; i < t.rank; i++) axes[i] = rank - t.rank + i;
  return g_broadcast(g, loc, a, rank, shape, axes);
}

NodeId g_slice(Graph *g, Loc loc, NodeId a, const Dim *start, const int64_t *step, const Dim *size) {
  Type t = graph_type(g, a);
  Attr at[2] = {attr_dims(g, A_start, start, t.rank), attr_ints(g, A_step, step, t.rank)};
  Type want = type_of(g->arena, t.dtype, t.rank, size);
  return graph_add(g, OP_slice, loc, &a, 1, at, 2, &want);
}

NodeId g_pad(Graph *g, Loc loc, NodeId a, const Dim *low, const Dim *size, double value) {
  Type t = graph_type(g, a);
  Attr at[2] = {attr_dims(g, A_low, low, t.rank), attr_num(A_value, value)};
  Type want = type_of(g->arena, t.dtype, t.rank, size);
  return graph_add(g, OP_pad, loc, &a, 1, at, 2, &want);
}

NodeId g_concat(Graph *g, Loc loc, const NodeId *in, int n, int axis) {
  Attr a = attr_int(g, A_axis, axis);
  return graph_add(g, OP_concat, loc, in, n, &a, 1, NULL);
}

NodeId g_reduce(Graph *g, Op op, Loc loc, NodeId a, const int *axes, int n_axes) {
  Attr at = attr_int32s(g, A_axes, axes, n_axes);
  return graph_add(g, op, loc, &a, 1, &at, 1, NULL);
}

NodeId g_arg(Graph *g, Op op, Loc loc, NodeId a, int axis) {
  Attr at = attr_int(g, A_axis, axis);
  return graph_add(g, op, loc, &a, 1, &at, 1, NULL);
}

NodeId g_dot(Graph *g, Loc loc, NodeId a, NodeId b, const int *la, const int *lb, const int *ly, int ny) {
  NodeId in[2] = {a, b};
  Attr at[3] = {attr_int32s(g, A_la, la, graph_type(g, a).rank), attr_int32s(g, A_lb, lb, graph_type(g, b).rank),
                attr_int32s(g, A_ly, ly, ny)};
  return graph_add(g, OP_dot, loc, in, 2, at, 3, NULL);
}

NodeId g_conv(Graph *g, Op op, Loc loc, NodeId a, NodeId b, int ns, const int64_t *stride, const Dim *low,
              const Dim *high, const int64_t *dilation, int64_t groups, const Type *want) {
  NodeId in[2] = {a, b};
  Attr at[5] = {attr_ints(g, A_stride, stride, ns), attr_dims(g, A_low, low, ns), attr_dims(g, A_high, high, ns),
                attr_ints(g, A_dilation, dilation, ns), attr_int(g, A_groups, groups)};
  return graph_add(g, op, loc, in, 2, at, 5, want);
}

NodeId g_pool(Graph *g, Op op, Loc loc, NodeId x, int ns, const int64_t *window, const int64_t *stride, const Dim *low,
              const Dim *high) {
  Attr at[4] = {attr_ints(g, A_window, window, ns), attr_ints(g, A_stride, stride, ns), attr_dims(g, A_low, low, ns),
                attr_dims(g, A_high, high, ns)};
  return graph_add(g, op, loc, &x, 1, at, 4, NULL);
}

NodeId g_gather(Graph *g, Loc loc, NodeId x, NodeId i, int axis, int batch) {
  NodeId in[2] = {x, i};
  Attr at[2] = {attr_int(g, A_axis, axis), attr_int(g, A_batch, batch)};
  return graph_add(g, OP_gather, loc, in, 2, at, 2, NULL);
}

NodeId g_scatter(Graph *g, Op op, Loc loc, NodeId x, NodeId i, NodeId u, int axis, int batch) {
  NodeId in[3] = {x, i, u};
  Attr at[2] = {attr_int(g, A_axis, axis), attr_int(g, A_batch, batch)};
  return graph_add(g, op, loc, in, 3, at, 2, NULL);
}

NodeId g_get(Graph *g, Loc loc, NodeId tuple, int index) {
  Attr a = attr_int(g, A_index, index);
  return graph_add(g, OP_get, loc, &tuple, 1, &a, 1, NULL);
}
