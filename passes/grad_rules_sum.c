/* Gradient rules of reductions, contractions and windows, in the order of ir/ops.def. */
#include "passes/grad.h"
#define RULE(name) void grad_##name(Grad *c, NodeId n, NodeId dy)
#define X operand(c, n, 0)

static int reduced_axes(const Grad *c, NodeId n, int64_t *axes) {
  return node_ints(c->g, graph_node(c->g, n), A_axes, axes, MAX_RANK);
}

RULE(sum) {
  Type a = operand_type(c, n, 0);
  int64_t axes[MAX_RANK];
  int n_axes = reduced_axes(c, n, axes), kept[MAX_RANK], n_kept = 0;
  for (int k = 0; k < a.rank; k++) {
    bool gone = false;
    for (int j = 0; j < n_axes; j++) gone |= axes[j] == k;
    if (!gone) kept[n_kept++] = k;
  }
  GIVE(0, g_broadcast(c->g, c->loc, dy, a.rank, a.shape, kept));
}

/* A reduction's operand seen as [K, R]: K the axes that stay, R those that are folded, both in order. */
typedef struct Plane {
  int perm[MAX_RANK], back[MAX_RANK];
  Dim moved[MAX_RANK], shape[2];
  int rank;
} Plane;

static Plane plane_of(Grad *c, NodeId n) {
  Type a = operand_type(c, n, 0);
  int64_t axes[MAX_RANK];
  int n_axes = reduced_axes(c, n, axes), at = 0;
  DimTab *t = c->g->dims;
  Plane p = {.rank = a.rank, .shape = {dim_int(t, 1), dim_int(t, 1)}};
  for (int folded = 0; folded < 2; folded++)
    for (int k = 0; k < a.rank; k++) {
      bool gone = false;
      for (int j = 0; j < n_axes; j++) gone |= axes[j] == k;
      if (gone != folded) continue;
      p.shape[folded] = dim_mul(t, p.shape[folded], a.shape[k]);
      p.moved[at] = a.shape[k], p.perm[at] = k, p.back[k] = at++;
    }
  return p;
}

static NodeId to_plane(Grad *c, const Plane *p, NodeId a) {
  return g_reshape(c->g, c->loc, g_transpose(c->g, c->loc, a, p->perm), 2, p->shape);
}
static NodeId from_plane(Grad *c, const Plane *p, NodeId a) {
  return g_transpose(c->g, c->loc, g_reshape(c->g, c->loc, a, p->rank, p->moved), p->back);
}
/* A value for each row of the plane, repeated along it. */
static NodeId along_rows(Grad *c, const Plane *p, NodeId v) {
  NodeId line = g_reshape(c->g, c->loc, v, 1, p->shape);
  return g_broadcast(c->g, c->loc, line, 2, p->shape, (const int[]){0});
}

/* da[k,r] = dy[k] * product over s != r of a[k,s]: the product of a square whose diagonal is 1. Quadratic, but right
 * where elements are 0 and differentiable again. */
RULE(prod) {
  Plane p = plane_of(c, n);
  Dim cube[3] = {p.shape[0], p.shape[1], p.shape[1]};
  NodeId a = g_broadcast(c->g, c->loc, to_plane(c, &p, X), 3, cube, (const int[]){0, 2});
  Type at = type_of(c->g->arena, I32, 3, cube);
  NodeId r = g_iota(c->g, c->loc, at, 1), s = g_iota(c->g, c->loc, at, 2);
  NodeId others = pick(c, map2(c, OP_eq, r, s), num(c, 1, a), a);
  NodeId each = g_reduce(c->g, OP_prod, c->loc, others, (const int[]){2}, 1);
  GIVE(0, from_plane(c, &p, mul(c, along_rows(c, &p, dy), each)));
}

/* To the first element chosen: dy where the position along the row is that of argmax (argmin), else 0. */
static void grad_extreme(Grad *c, NodeId n, NodeId dy, Op arg) {
  Plane p = plane_of(c, n);
  NodeId first = g_arg(c->g, arg, c->loc, to_plane(c, &p, X), 1);
  NodeId at = along_rows(c, &p, first), here = g_iota(c->g, c->loc, type_of(c->g->arena, I32, 2, p.shape), 1);
  NodeId rows = along_rows(c, &p, dy), chosen = map2(c, OP_eq, here, at);
  GIVE(0, from_plane(c, &p, pick(c, chosen, rows, num(c, 0, rows))));
}

RULE(reduce_max) { grad_extreme(c, n, dy, OP_argmax); }
RULE(reduce_min) { grad_extreme(c, n, dy, OP_argmin); }

typedef struct Labels {
  int v[MAX_RANK], n;
} Labels;
static Labels labels_of(const Grad *c, NodeId n, AttrKey key) {
  int64_t v[MAX_RANK];
  Labels l = {.n = node_ints(c->g, graph_node(c->g, n), key, v, MAX_RANK)};
  for (int k = 0; k < l.n; k++) l.v[k] = (int)v[k];
  return l;
}

/* Each label of a stands in b or y, so da[la] = sum dy[ly] b[lb] is a dot again, and likewise for b. */
RULE(dot) {
  Labels a = labels_of(c, n, A_la), b = labels_of(c, n, A_lb), y = labels_of(c, n, A_ly);
  GIVE(0, g_dot(c->g, c->loc, dy, operand(c, n, 1), y.v, b.v, a.v, a.n));
  GIVE(1, g_dot(c->g, c->loc, X, dy, a.v, y.v, b.v, b.n));
}

/* conv and its two gradients are bilinear and closed: of y = conv(x, w), dx = conv_dx(dy, w) and dw = conv_dw(x, dy),
 * each is the gradient of the others. `want` has the shape of the result. */
static NodeId conv_like(Grad *c, NodeId n, Op op, NodeId a, NodeId b, Type want) {
  const Node *d = graph_node(c->g, n);
  NodeId in[2] = {a, b};
  return graph_add(c->g, op, c->loc, in, 2, d->attrs, d->n_attrs, op == OP_conv ? NULL : &want);
}

RULE(conv) {
  GIVE(0, conv_like(c, n, OP_conv_dx, dy, operand(c, n, 1), operand_type(c, n, 0)));
  GIVE(1, conv_like(c, n, OP_conv_dw, X, dy, operand_type(c, n, 1)));
}

/* operands (dy, w), result like x */
RULE(conv_dx) {
  GIVE(0, conv_like(c, n, OP_conv, dy, operand(c, n, 1), operand_type(c, n, 0)));
  GIVE(1, conv_like(c, n, OP_conv_dw, dy, X, operand_type(c, n, 1)));
}

/* operands (x, dy), result like w */
RULE(conv_dw) {
  GIVE(0, conv_like(c, n, OP_conv_dx, operand(c, n, 1), dy, operand_type(c, n, 0)));
  GIVE(1, conv_like(c, n, OP_conv, X, dy, operand_type(c, n, 1)));
}

/* Gives dy to the position that max_pool_arg names; a byte of it says which one, where windows are small. */
RULE(max_pool) {
  const Node *d = graph_node(c->g, n);
  Type x = operand_type(c, n, 0);
  int64_t window[MAX_RANK];
  node_ints(c->g, d, A_window, window, MAX_RANK);
  NodeId a = X, arg = graph_add(c->g, OP_max_pool_arg, c->loc, &a, 1, d->attrs, d->n_attrs, NULL), in[2] = {dy, arg};
  if (pool_span(c->g, x, window) <= 256) in[1] = g_cast(c->g, c->loc, arg, U8);
  GIVE(0, graph_add(c->g, OP_max_pool_dx, c->loc, in, 2, graph_node(c->g, n)->attrs, graph_node(c->g, n)->n_attrs, &x));
}

/* Places in planes like those of x, of which u8 has the last byte: behind the first of the window, which may stand
 * outside, less than 256. */
static NodeId pool_places(Grad *c, const Node *d, NodeId arg, Type x) {
  Graph *g = c->g;
  DimTab *t = g->dims;
  Type u = graph_type(g, arg);
  if (u.dtype != U8) return arg;
  u.dtype = I32;
  int64_t stride[MAX_RANK];
  node_ints(g, d, A_stride, stride, MAX_RANK);
  const Dim *low = node_attr(d, A_low)->dims;
  Dim step = dim_int(t, 1), before = dim_int(t, 0); /* elements of the axes behind; from the first window to 0 */
  NodeId first = g_full(g, c->loc, 0, u);
  for (int k = x.rank - 1; k >= 2; k--) {
    NodeId each = g_size(g, c->loc, dim_mul(t, step, dim_int(t, stride[k - 2])), I32);
    NodeId here = g_map2(g, OP_mul, c->loc, g_iota(g, c->loc, u, k), g_broadcast_to(g, c->loc, each, u.rank, u.shape));
    first = g_map2(g, OP_add, c->loc, first, here);
    before = dim_add(t, before, dim_mul(t, step, low[k - 2]));
    step = dim_mul(t, step, x.shape[k]);
  }
  NodeId off = g_broadcast_to(g, c->loc, g_size(g, c->loc, before, I32), u.rank, u.shape);
  first = g_map2(g, OP_sub, c->loc, first, off);
  NodeId behind = g_cast(g, c->loc, g_map2(g, OP_sub, c->loc, g_cast(g, c->loc, arg, I32), first), U8);
  NodeId place = g_map2(g, OP_add, c->loc, first, g_cast(g, c->loc, behind, I32));
  Dim last = dim_sub(t, step, dim_int(t, 1)); /* a window that holds nothing has any place */
  place =
      g_map2(g, OP_minimum, c->loc, place, g_broadcast_to(g, c->loc, g_size(g, c->loc, last, I32), u.rank, u.shape));
  return g_map2(g, OP_maximum, c->loc, place, g_full(g, c->loc, 0, u));
}

/* What arg names of the gradient, in planes [N, C, all spatial axes as one]. */
RULE(max_pool_dx) {
  Type x = graph_type(c->g, n), y = operand_type(c, n, 0);
  const Node d = *graph_node(c->g, n);
  DimTab *t = c->g->dims;
  Dim in[3] = {x.shape[0], x.shape[1], dim_int(t, 1)}, out[3] = {in[0], in[1], in[2]};
  for (int k = 2; k < x.rank; k++) in[2] = dim_mul(t, in[2], x.shape[k]), out[2] = dim_mul(t, out[2], y.shape[k]);
  NodeId i = g_reshape(c->g, c->loc, pool_places(c, &d, operand(c, n, 1), x), 3, out),
         u = g_reshape(c->g, c->loc, dy, 3, in);
  GIVE(0, shaped(c, g_gather(c->g, c->loc, u, i, 2, 2), y));
}
