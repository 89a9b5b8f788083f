/* Gradient rules of views and of ops at run-time indices, in the order of ir/ops.def. */
#include "passes/grad.h"
#define RULE(name) void grad_##name(Grad *c, NodeId n, NodeId dy)
#define X operand(c, n, 0)

RULE(reshape) { GIVE(0, shaped(c, dy, operand_type(c, n, 0))); }

RULE(transpose) {
  int64_t perm[MAX_RANK];
  int back[MAX_RANK], rank = node_ints(c->g, graph_node(c->g, n), A_perm, perm, MAX_RANK);
  for (int k = 0; k < rank; k++) back[perm[k]] = k;
  GIVE(0, g_transpose(c->g, c->loc, dy, back));
}

/* Sums over the axes that repeat: those no axis of a stands on, and those where a has size 1. */
RULE(broadcast) {
  Type a = operand_type(c, n, 0), y = graph_type(c->g, n);
  int64_t axes[MAX_RANK];
  int over[MAX_RANK], n_over = 0;
  int rank = node_ints(c->g, graph_node(c->g, n), A_axes, axes, MAX_RANK);
  for (int j = 0; j < y.rank; j++) {
    bool stays = false;
    for (int k = 0; k < rank; k++) stays |= axes[k] == j && a.shape[k] == y.shape[j];
    if (!stays) over[n_over++] = j;
  }
  GIVE(0, shaped(c, n_over ? g_reduce(c->g, OP_sum, c->loc, dy, over, n_over) : dy, a));
}

/* d with step - 1 zeros after each element along axis k: [a, n, b] -> [a, n, 1, b] -> padded [a, n, step, b]. */
static NodeId spread(Grad *c, NodeId d, int k, int64_t step) {
  Type t = graph_type(c->g, d);
  DimTab *dims = c->g->dims;
  Dim one = dim_int(dims, 1), wide[4] = {one, t.shape[k], one, one}, low[4], size[MAX_RANK];
  for (int j = 0; j < 4; j++) low[j] = dim_int(dims, 0);
  for (int j = 0; j < t.rank; j++) {
    int to = j < k ? 0 : 3;
    if (j != k) wide[to] = dim_mul(dims, wide[to], t.shape[j]);
    size[j] = j == k ? dim_mul(dims, t.shape[j], dim_int(dims, step)) : t.shape[j];
  }
  NodeId rows = g_reshape(c->g, c->loc, d, 4, wide);
  wide[2] = dim_int(dims, step);
  return g_reshape(c->g, c->loc, g_pad(c->g, c->loc, rows, low, wide, 0), t.rank, size);
}

/* dy from its last element to its first along the axes of negative step. */
static NodeId reversed(Grad *c, NodeId d, const int64_t *step) {
  Type t = graph_type(c->g, d);
  Dim start[MAX_RANK];
  int64_t unit[MAX_RANK];
  bool any = false;
  for (int k = 0; k < t.rank; k++) {
    any |= step[k] < 0;
    unit[k] = step[k] < 0 ? -1 : 1;
    start[k] = step[k] < 0 ? dim_sub(c->g->dims, t.shape[k], dim_int(c->g->dims, 1)) : dim_int(c->g->dims, 0);
  }
  return any ? g_slice(c->g, c->loc, d, start, unit, t.shape) : d;
}

/* Puts dy back where it was read: reversed for negative steps, spread for wide ones, then padded with zeros. */
RULE(slice) {
  const Node *d = graph_node(c->g, n);
  Type a = operand_type(c, n, 0), y = d->type;
  const Attr *start = node_attr(d, A_start);
  int64_t step[MAX_RANK];
  node_ints(c->g, d, A_step, step, MAX_RANK);
  Dim low[MAX_RANK];
  NodeId s = reversed(c, dy, step);
  for (int k = 0; k < a.rank; k++) {
    Dim back =
        dim_mul(c->g->dims, dim_sub(c->g->dims, y.shape[k], dim_int(c->g->dims, 1)), dim_int(c->g->dims, step[k]));
    low[k] = step[k] < 0 ? dim_add(c->g->dims, start->dims[k], back) : start->dims[k];
    int64_t wide = step[k] < 0 ? -step[k] : step[k];
    if (wide > 1) s = spread(c, s, k, wide);
  }
  GIVE(0, g_pad(c->g, c->loc, s, low, a.shape, 0));
}

/* da[j] = dy[j + low] where that is inside of y: a pad by -low. */
RULE(pad) {
  Type a = operand_type(c, n, 0);
  const Attr *low = node_attr(graph_node(c->g, n), A_low);
  Dim back[MAX_RANK];
  for (int k = 0; k < a.rank; k++) back[k] = dim_neg(c->g->dims, low->dims[k]);
  GIVE(0, g_pad(c->g, c->loc, dy, back, a.shape, 0));
}

RULE(concat) {
  int axis = (int)node_int(c->g, graph_node(c->g, n), A_axis), n_in = graph_node(c->g, n)->n_in;
  Dim start[MAX_RANK];
  int64_t step[MAX_RANK];
  for (int j = 0; j < MAX_RANK; j++) start[j] = dim_int(c->g->dims, 0), step[j] = 1;
  for (int k = 0; k < n_in; k++) {
    Type a = operand_type(c, n, k);
    GIVE(k, g_slice(c->g, c->loc, dy, start, step, a.shape));
    start[axis] = dim_add(c->g->dims, start[axis], a.shape[axis]);
  }
}

typedef struct Where {
  int axis, batch;
} Where;
static Where indexed(const Grad *c, NodeId n) {
  const Node *d = graph_node(c->g, n);
  return (Where){(int)node_int(c->g, d, A_axis), (int)node_int(c->g, d, A_batch)};
}

/* dx = zeros with dy added at i */
RULE(gather) {
  Where w = indexed(c, n);
  GIVE(0, g_scatter(c->g, OP_scatter_add, c->loc, num(c, 0, X), operand(c, n, 1), dy, w.axis, w.batch));
}

/* y = x with u added at i: dx = dy, du = dy at i */
RULE(scatter_add) {
  Where w = indexed(c, n);
  GIVE(0, dy);
  GIVE(2, g_gather(c->g, c->loc, dy, operand(c, n, 1), w.axis, w.batch));
}

/* 0, 1, 2 .. over a type, as i64 */
static NodeId counted(Grad *c, Type t) {
  Dim count = type_count(c->g->dims, t);
  NodeId line = g_iota(c->g, c->loc, type_of(c->g->arena, I64, 1, &count), 0);
  return g_reshape(c->g, c->loc, line, t.rank, t.shape);
}

/* y = x with u stored at i: dx = dy with zeros at i. du = dy at i for the element that was stored last, found by
 * storing each element's number. */
RULE(scatter_set) {
  Where w = indexed(c, n);
  NodeId i = operand(c, n, 1), u = operand(c, n, 2);
  GIVE(0, g_scatter(c->g, OP_scatter_set, c->loc, dy, i, num(c, 0, u), w.axis, w.batch));
  if (!grad_wants(c, n, 2)) return;
  Type all = graph_type(c->g, n);
  NodeId number = counted(c, graph_type(c->g, u)), none = g_full(c->g, c->loc, -1, (Type){I64, all.rank, all.shape});
  NodeId stored = g_scatter(c->g, OP_scatter_set, c->loc, none, i, number, w.axis, w.batch);
  NodeId there = g_gather(c->g, c->loc, stored, i, w.axis, w.batch);
  NodeId last = map2(c, OP_eq, there, number), du = g_gather(c->g, c->loc, dy, i, w.axis, w.batch);
  grad_give(c, n, 2, pick(c, last, du, num(c, 0, u)));
}

/* y = x with the larger of it and u at i. dx = dy where x stayed. du = dy at i for the first element that equals what
 * came of it, found by the largest of numbers that fall. */
RULE(scatter_max) {
  Where w = indexed(c, n);
  NodeId i = operand(c, n, 1), u = operand(c, n, 2), zero = num(c, 0, dy);
  NodeId stays = map2(c, OP_or, map2(c, OP_eq, X, n), map2(c, OP_ne, X, X));
  GIVE(0, pick(c, stays, dy, zero));
  if (!grad_wants(c, n, 2)) return;
  Type all = graph_type(c->g, n), each = graph_type(c->g, u);
  NodeId y = g_gather(c->g, c->loc, n, i, w.axis, w.batch), here = map2(c, OP_eq, u, y);
  NodeId count = g_size(c->g, c->loc, type_count(c->g->dims, each), I64);
  NodeId falling = sub(c, g_broadcast_to(c->g, c->loc, count, each.rank, each.shape), counted(c, each));
  NodeId number = pick(c, here, falling, num(c, 0, falling));
  NodeId none = g_full(c->g, c->loc, 0, (Type){I64, all.rank, all.shape});
  NodeId best = g_scatter(c->g, OP_scatter_max, c->loc, none, i, number, w.axis, w.batch);
  NodeId first = map2(c, OP_eq, g_gather(c->g, c->loc, best, i, w.axis, w.batch), falling);
  NodeId du = g_gather(c->g, c->loc, pick(c, stays, zero, dy), i, w.axis, w.batch);
  grad_give(c, n, 2, pick(c, first, du, num(c, 0, u)));
}
