/* Batching rules of leaves, element-wise ops, views, reductions, products and run-time indices. One axis stands before
 * those of the node, so attributes that name axes count from one more. */
#include "passes/vmap.h"
#include <string.h>
#define RULE(name) void vmap_##name(Vmap *v, NodeId n)

/* Rules that no node with a batched operand can reach: leaves have none, transformations are expanded before. */
static void unreachable(Vmap *v, NodeId n) { INTERNAL("vmap: `%s` cannot be batched", op_info[v->src[n].op].name); }
RULE(given) { unreachable(v, n); }
RULE(grad) { unreachable(v, n); }
RULE(jvp) { unreachable(v, n); }
RULE(jacobian) { unreachable(v, n); }
RULE(vmap) { unreachable(v, n); }
/* `get` of an op of several results is answered by what that op gave. */
RULE(get) { unreachable(v, n); }

/* All operands with the leading axis. */
static void lift_all(Vmap *v, NodeId n, const Attr *attrs) {
  int n_in = v->src[n].n_in;
  NodeId *in = arena_array(v->g->arena, NodeId, n_in);
  for (int k = 0; k < n_in; k++) in[k] = vmap_lifted(v, n, k);
  vmap_give(v, n, vmap_again(v, n, in, attrs));
}

RULE(same) { lift_all(v, n, NULL); }
RULE(cast) { lift_all(v, n, NULL); }
RULE(compare) { lift_all(v, n, NULL); }
RULE(where) { lift_all(v, n, NULL); }
RULE(reshape) { lift_all(v, n, NULL); }

/* The key's axes lead the result's, and each key counts its own elements. */
RULE(uniform) { lift_all(v, n, NULL); }

/* ---- attributes ---- */

static Attr *copied(Vmap *v, NodeId n) {
  const Node *d = &v->src[n];
  return arena_copy(v->g->arena, d->attrs, sizeof *d->attrs * d->n_attrs);
}

static Attr *find(const Vmap *v, NodeId n, Attr *attrs, AttrKey key) {
  for (int i = 0; i < v->src[n].n_attrs; i++)
    if (attrs[i].key == key) return &attrs[i];
  INTERNAL("vmap: `%s` has no attribute `%s`", op_info[v->src[n].op].name, attr_names[key]);
}

/* A list with `first` in front; the others, when they are axes, count from one more. */
static void lead(Vmap *v, Attr *a, int64_t first, bool axes) {
  Dim d[2 * MAX_RANK + 1] = {dim_int(v->g->dims, first)}, one = dim_int(v->g->dims, 1);
  for (uint32_t i = 0; i < a->n; i++) d[i + 1] = axes ? dim_add(v->g->dims, a->dims[i], one) : a->dims[i];
  *a = attr_dims(v->g, a->key, d, (int)a->n + 1);
}

/* Axes of the operand, each one later. */
static void later(Vmap *v, Attr *a) {
  Dim d[MAX_RANK], one = dim_int(v->g->dims, 1);
  for (uint32_t i = 0; i < a->n; i++) d[i] = dim_add(v->g->dims, a->dims[i], one);
  *a = attr_dims(v->g, a->key, d, (int)a->n);
}

/* ---- views and reductions ---- */

RULE(transpose) {
  Attr *attrs = copied(v, n);
  lead(v, find(v, n, attrs, A_perm), 0, true);
  lift_all(v, n, attrs);
}

RULE(broadcast) {
  Attr *attrs = copied(v, n);
  lead(v, find(v, n, attrs, A_axes), 0, true);
  lift_all(v, n, attrs);
}

RULE(slice) {
  Attr *attrs = copied(v, n);
  lead(v, find(v, n, attrs, A_start), 0, false);
  lead(v, find(v, n, attrs, A_step), 1, false);
  lift_all(v, n, attrs);
}

RULE(pad) {
  Attr *attrs = copied(v, n);
  lead(v, find(v, n, attrs, A_low), 0, false);
  lift_all(v, n, attrs);
}

RULE(concat) {
  Attr *attrs = copied(v, n);
  later(v, find(v, n, attrs, A_axis));
  lift_all(v, n, attrs);
}

RULE(reduce) {
  Attr *attrs = copied(v, n);
  later(v, find(v, n, attrs, A_axes));
  lift_all(v, n, attrs);
}

RULE(argreduce) {
  Attr *attrs = copied(v, n);
  later(v, find(v, n, attrs, A_axis));
  lift_all(v, n, attrs);
}

/* ---- functions of trailing rows and matrices ---- */

RULE(cumulative) { lift_all(v, n, NULL); }
RULE(argsort) { lift_all(v, n, NULL); }
RULE(square) { lift_all(v, n, NULL); }
RULE(logdet) { lift_all(v, n, NULL); }
RULE(orthonormal) { lift_all(v, n, NULL); }
RULE(eigh) { lift_all(v, n, NULL); }

/* One matrix for all lanes is factored once: their right sides [l, n, k] are columns [n, l*k]. */
RULE(solve) {
  const Node *d = &v->src[n];
  Lane a = vmap_in(v, n, 0), b = vmap_in(v, n, 1);
  if (a.batched || d->type.rank != 2) {
    lift_all(v, n, NULL);
    return;
  }
  DimTab *t = v->g->dims;
  Dim wide[2] = {d->type.shape[0], dim_mul(t, v->length, d->type.shape[1])};
  Dim apart[3] = {d->type.shape[0], v->length, d->type.shape[1]};
  const int turn[3] = {1, 0, 2};
  NodeId columns = g_reshape(v->g, d->loc, g_transpose(v->g, d->loc, b.node, turn), 2, wide), in[2] = {a.node, columns};
  Type want = type_of(v->g->arena, d->type.dtype, 2, wide);
  NodeId y = graph_add(v->g, (Op)d->op, d->loc, in, 2, d->attrs, d->n_attrs, &want);
  vmap_give(v, n, g_transpose(v->g, d->loc, g_reshape(v->g, d->loc, y, 3, apart), turn));
}

/* ---- products ---- */

/* A label for the lanes, in the operands that have them: a shared operand is neither repeated nor moved. */
RULE(dot) {
  Attr *attrs = copied(v, n);
  Attr *la = find(v, n, attrs, A_la), *lb = find(v, n, attrs, A_lb), *ly = find(v, n, attrs, A_ly), *all[] = {la, lb};
  int64_t label = 0, l;
  for (int k = 0; k < 2; k++)
    for (uint32_t i = 0; i < all[k]->n; i++)
      if (dim_is_int(v->g->dims, all[k]->dims[i], &l) && l >= label) label = l + 1;
  NodeId in[2];
  for (int k = 0; k < 2; k++) {
    Lane x = vmap_in(v, n, k);
    if (x.batched) lead(v, all[k], label, false);
    in[k] = x.node;
  }
  lead(v, ly, label, false);
  vmap_give(v, n, vmap_again(v, n, in, attrs));
}

/* ---- run-time indices ---- */

/* The indices of a gather or scatter: those of lanes that do not count are 0, so that they are in range. */
static Lane indices(Vmap *v, NodeId n) {
  Lane i = vmap_in(v, n, 1);
  Loc loc = v->src[n].loc;
  if (!v->mask) return i;
  Type t = graph_type(v->g, i.node);
  NodeId counts = v->mask;
  if (i.batched) counts = g_broadcast(v->g, loc, counts, t.rank, t.shape, (const int[]){0});
  else counts = g_reduce(v->g, OP_reduce_max, loc, counts, (const int[]){0}, 1);
  NodeId none = g_full(v->g, loc, 0, t);
  return (Lane){g_where(v->g, loc, counts, i.node, none), i.batched};
}

/* The axis that was `from` becomes the first. */
static NodeId to_front(Vmap *v, Loc loc, NodeId x, int from) {
  int perm[MAX_RANK] = {from}, rank = graph_type(v->g, x).rank;
  for (int k = 0, at = 1; k < rank; k++)
    if (k != from) perm[at++] = k;
  return from ? g_transpose(v->g, loc, x, perm) : x;
}

RULE(gather) {
  const Node *d = &v->src[n];
  int axis = (int)node_int(v->g, d, A_axis), batch = (int)node_int(v->g, d, A_batch);
  Lane x = vmap_in(v, n, 0), i = indices(v, n);
  if (!x.batched && !i.batched) {
    vmap_share(v, n, g_gather(v->g, d->loc, x.node, i.node, axis, batch));
  } else if (!batch && !i.batched) {
    vmap_give(v, n, g_gather(v->g, d->loc, x.node, i.node, axis + 1, 0));
  } else if (!batch && !x.batched) { /* the lanes stand where the indices' axes go */
    vmap_give(v, n, to_front(v, d->loc, g_gather(v->g, d->loc, x.node, i.node, axis, 0), axis));
  } else {
    NodeId all = vmap_lift(v, x);
    vmap_give(v, n, g_gather(v->g, d->loc, all, vmap_lift(v, i), axis + 1, batch + 1));
  }
}

RULE(scatter) {
  const Node *d = &v->src[n];
  Op op = (Op)d->op;
  int axis = (int)node_int(v->g, d, A_axis), batch = (int)node_int(v->g, d, A_batch);
  Lane x = vmap_in(v, n, 0), i = indices(v, n), u = vmap_in(v, n, 2);
  if (!x.batched && !i.batched && !u.batched) {
    vmap_share(v, n, g_scatter(v->g, op, d->loc, x.node, i.node, u.node, axis, batch));
    return;
  }
  NodeId all = vmap_lift(v, x), rows = vmap_lift(v, u);
  bool shared = !batch && !i.batched; /* the same places in every lane */
  NodeId at = shared ? i.node : vmap_lift(v, i);
  vmap_give(v, n, g_scatter(v->g, op, d->loc, all, at, rows, axis + 1, shared ? 0 : batch + 1));
}
