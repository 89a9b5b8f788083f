/* Batching rules of convolutions and windows. Of y = conv(x, w) and its gradients, whichever of the three is the result
 * has the lanes; so they become part of an axis that the others have too, or that only they sum over:
 *
 *   x, y batched       of the examples               x [l*N, C, ..], y [l*N, O, ..]
 *   w, y batched       of the output channels        w [g*l*O/g, ..], y [N, g*l*O/g, ..]
 *   x, w batched       of the input channels         x [N, g*l*C/g, ..], w [O, l*C/g, ..]
 *   all three          of the groups                 x [N, l*C, ..], w [l*O, ..], y [N, l*O, ..], l*g groups */
#include "passes/vmap.h"
#include "base/ds.h"
#define RULE(name) void vmap_##name(Vmap *v, NodeId n)

/* Where the lanes go in a tensor: between the two parts of `axis`, which are [parts, size / parts]. */
typedef struct Place {
  int axis;
  int64_t parts;
} Place;

/* [l, .., axis, ..] -> [.., parts * l * axis / parts, ..] */
static NodeId merge(Vmap *v, Loc loc, NodeId x, Place p) {
  DimTab *t = v->g->dims;
  Type a = graph_type(v->g, x);
  Dim wide[MAX_RANK], shape[MAX_RANK];
  int perm[MAX_RANK], rank = 0;
  for (int k = 0; k < a.rank; k++) { /* split the axis */
    if (k == p.axis + 1 && p.parts > 1) {
      wide[rank++] = dim_int(t, p.parts);
      wide[rank++] = dim_floordiv(t, a.shape[k], dim_int(t, p.parts));
    } else wide[rank++] = a.shape[k];
    if (k > 0) shape[k - 1] = k == p.axis + 1 ? dim_mul(t, a.shape[k], v->length) : a.shape[k];
  }
  int before = p.axis + (p.parts > 1), at = 0; /* axes of x that come to stand before the lanes */
  for (int k = 1; k <= before; k++) perm[at++] = k;
  perm[at++] = 0;
  for (int k = before + 1; k < rank; k++) perm[at++] = k;
  if (p.parts > 1) x = g_reshape(v->g, loc, x, rank, wide);
  if (before) x = g_transpose(v->g, loc, x, perm);
  return g_reshape(v->g, loc, x, a.rank - 1, shape);
}

/* The inverse: the lanes of a result, whose type for one lane is `one`. */
static NodeId unmerge(Vmap *v, Loc loc, NodeId x, Type one, Place p) {
  DimTab *t = v->g->dims;
  Dim wide[MAX_RANK];
  int perm[MAX_RANK], rank = 0, lanes = 0, at = 1;
  for (int k = 0; k < one.rank; k++) {
    if (k == p.axis) {
      if (p.parts > 1) wide[rank++] = dim_int(t, p.parts);
      lanes = rank;
      wide[rank++] = v->length;
      wide[rank++] = p.parts > 1 ? dim_floordiv(t, one.shape[k], dim_int(t, p.parts)) : one.shape[k];
    } else wide[rank++] = one.shape[k];
  }
  perm[0] = lanes;
  for (int k = 0; k < rank; k++)
    if (k != lanes) perm[at++] = k;
  Type lead = vmap_lead(v, one);
  x = g_reshape(v->g, loc, x, rank, wide);
  if (lanes) x = g_transpose(v->g, loc, x, perm);
  return p.parts > 1 ? g_reshape(v->g, loc, x, lead.rank, lead.shape) : x;
}

/* One lane's type with the lanes merged into it. */
static Type merged(Vmap *v, Type one, Place p) {
  Type t = type_of(v->g->arena, one.dtype, one.rank, one.shape);
  Dim shape[MAX_RANK];
  for (int k = 0; k < t.rank; k++) shape[k] = k == p.axis ? dim_mul(v->g->dims, t.shape[k], v->length) : t.shape[k];
  return type_of(v->g->arena, t.dtype, t.rank, shape);
}

/* ---- convolutions ---- */

enum { X, W, Y };

/* Lanes of all three cannot be groups when their number is a run-time size, for `groups` is a constant: a loop over
 * the lanes then. */
static NodeId lane_by_lane(Vmap *v, NodeId n) {
  const Node *d = &v->src[n];
  Graph *body = graph_new(v->g->arena, v->g->dims, v->g->diag);
  NodeId in[2], rows[2];
  for (int k = 0; k < 2; k++) {
    rows[k] = vmap_lifted(v, n, k);
    Type t = graph_type(v->g, rows[k]);
    in[k] = g_input(body, d->loc, type_of(v->g->arena, t.dtype, t.rank - 1, t.shape + 1));
  }
  arrput(body->outputs, graph_add(body, (Op)d->op, d->loc, in, 2, d->attrs, d->n_attrs, &d->type));
  Attr at[3] = {attr_int(v->g, A_carried, 0), attr_int(v->g, A_rows, 2), attr_dim(v->g, A_length, v->length)};
  return g_get(v->g, d->loc, graph_add_region(v->g, OP_scan, d->loc, rows, 2, at, 3, &body, 1), 0);
}

/* The roles of a node's two operands and of its result. */
static void batch_conv(Vmap *v, NodeId n, int role0, int role1, int result) {
  const Node *d = &v->src[n];
  Lane x[2] = {vmap_in(v, n, 0), vmap_in(v, n, 1)};
  bool has[3] = {false, false, false}, all;
  has[role0] = x[0].batched, has[role1] = x[1].batched, has[result] = true;
  all = has[X] && has[W] && has[Y];
  int64_t groups = node_int(v->g, d, A_groups), length = 1;
  if (all && !dim_is_int(v->g->dims, v->length, &length)) {
    vmap_give(v, n, lane_by_lane(v, n));
    return;
  }
  Place place[3];
  if (all) place[X] = (Place){1, 1}, place[W] = (Place){0, 1}, place[Y] = (Place){1, 1};
  else if (!has[W]) place[X] = place[Y] = (Place){0, 1};
  else if (!has[X]) place[W] = (Place){0, groups}, place[Y] = (Place){1, groups};
  else place[X] = (Place){1, groups}, place[W] = (Place){1, 1};
  int roles[2] = {role0, role1};
  NodeId in[2];
  for (int k = 0; k < 2; k++) in[k] = x[k].batched ? merge(v, d->loc, x[k].node, place[roles[k]]) : x[k].node;
  Attr *attrs = arena_copy(v->g->arena, d->attrs, sizeof *d->attrs * d->n_attrs);
  for (int i = 0; i < d->n_attrs; i++)
    if (attrs[i].key == A_groups) attrs[i] = attr_int(v->g, A_groups, all ? groups * length : groups);
  Type want = merged(v, d->type, place[result]);
  NodeId y = graph_add(v->g, (Op)d->op, d->loc, in, 2, attrs, d->n_attrs, &want);
  vmap_give(v, n, unmerge(v, d->loc, y, d->type, place[result]));
}

RULE(conv) { batch_conv(v, n, X, W, Y); }
RULE(conv_dx) { batch_conv(v, n, Y, W, X); }
RULE(conv_dw) { batch_conv(v, n, X, Y, W); }

/* ---- windows: lanes are further examples ---- */

static void batch_pool(Vmap *v, NodeId n) {
  const Node *d = &v->src[n];
  const Place examples = {0, 1};
  NodeId in[2];
  for (int k = 0; k < d->n_in; k++) in[k] = merge(v, d->loc, vmap_lifted(v, n, k), examples);
  Type want = merged(v, d->type, examples);
  NodeId y = graph_add(v->g, (Op)d->op, d->loc, in, d->n_in, d->attrs, d->n_attrs, &want);
  vmap_give(v, n, unmerge(v, d->loc, y, d->type, examples));
}

RULE(pool) { batch_pool(v, n); }
RULE(pool_arg) { batch_pool(v, n); }
RULE(pool_dx) { batch_pool(v, n); }
