/* expand: grad, vjp, jvp, jacobian and vmap become the ops that compute them; checkpoint and custom_grad, which only
 * gradients see, become their bodies. A checkpoint of again = 1 stays: cse would find that it repeats what was computed
 * before.
 *
 *   before  l = sum(x * x); t = grad l, x; d = get t, 0        after  l = sum(x * x); u = 1; e = broadcast(u); d = e*x
 * + e*x
 *
 * Why here: first, since every other pass wants plain ops. Transformations are expanded in the order of their nodes, so
 * an inner one, which stands before its users, is plain when an outer one runs through it: any nesting works.
 * Needs: nothing. Keeps: locations (gradient nodes have that of the forward node). Breaks: nothing. */
#include "passes/grad.h"
#include "passes/rewrite.h"
#include "base/ds.h"
#include "base/limits.h"
#include "passes/vmap.h"
#include <stdlib.h>
#include <string.h>

typedef struct Expand {
  Rewrite r;
  NodeId **results; /* by old id: what `get` finds there, NULL for other ops */
} Expand;

/* Gradients that nothing reached are zeros. */
static void zeros_for_missing(Graph *g, Loc loc, const NodeId *xs, int n, NodeId *dxs) {
  for (int i = 0; i < n; i++)
    if (!dxs[i]) dxs[i] = g_full_like(g, loc, 0, xs[i]);
}

/* grad: y, xs. vjp: y, u, xs. */
static void expand_reverse(Expand *e, NodeId n) {
  Node d = e->r.old[n];
  Graph *g = e->r.g;
  int first = d.op == OP_grad ? 1 : 2, n_xs = d.n_in - first;
  NodeId *in = arena_array(g->arena, NodeId, d.n_in), *dxs = arena_array(g->arena, NodeId, n_xs);
  for (int k = 0; k < d.n_in; k++) in[k] = rewrite_get(&e->r, d.in[k]);
  NodeId u = d.op == OP_grad ? g_full_like(g, d.loc, 1, in[0]) : in[1];
  grad_reverse(g, d.loc, &in[0], &u, 1, in + first, n_xs, dxs);
  zeros_for_missing(g, d.loc, in + first, n_xs, dxs);
  e->results[n] = dxs;
}

/* dy/dx v, summed over n_xs values x; 0 when y depends on none. The map u -> u' dy/dx is linear in u, and the gradient
 * of its product with v is dy/dx v: two reverse accumulations make a forward one (Townsend, A new trick for calculating
 * Jacobian vector products, 2017). */
static NodeId forward(Graph *g, Loc loc, NodeId y, const NodeId *xs, const NodeId *vs, int n_xs) {
  NodeId u = g_full_like(g, loc, 0, y), dy = 0;
  NodeId *dxs = arena_array(g->arena, NodeId, n_xs), *seeds = arena_array(g->arena, NodeId, n_xs);
  int met = 0;
  bool ok = grad_reverse(g, loc, &y, &u, 1, xs, n_xs, dxs);
  for (int k = 0; k < n_xs; k++) {
    if (!dxs[k]) continue;
    dxs[met] = dxs[k];
    seeds[met++] = vs[k];
  }
  if (ok && met) grad_reverse(g, loc, dxs, seeds, met, &u, 1, &dy);
  return dy;
}

/* jvp: y, x1, v1 .. xn, vn. */
static NodeId expand_jvp(Expand *e, NodeId n) {
  Node d = e->r.old[n];
  Graph *g = e->r.g;
  int n_xs = (d.n_in - 1) / 2;
  NodeId y = rewrite_get(&e->r, d.in[0]);
  NodeId *xs = arena_array(g->arena, NodeId, n_xs), *vs = arena_array(g->arena, NodeId, n_xs);
  for (int k = 0; k < n_xs; k++) {
    xs[k] = rewrite_get(&e->r, d.in[1 + 2 * k]);
    vs[k] = rewrite_get(&e->r, d.in[2 + 2 * k]);
  }
  NodeId dy = forward(g, d.loc, y, xs, vs, n_xs);
  return dy ? dy : g_full_like(g, d.loc, 0, y);
}

/* vmap: its body in the graph around it, each value that differs between iterations with an axis for them in front. */
static void expand_vmap(Expand *e, NodeId n) {
  Node d = e->r.old[n];
  Graph *g = e->r.g;
  int rows = (int)node_int(g, &d, A_rows);
  Lane *in = arena_array(g->arena, Lane, d.n_in + 1), *out = arena_array(g->arena, Lane, d.n_results + 1);
  for (int k = 0; k < d.n_in; k++) in[k] = (Lane){rewrite_get(&e->r, d.in[k]), k < rows};
  e->results[n] = arena_array(g->arena, NodeId, d.n_results + 1);
  vmap_body(g, d.regions[0], node_dim(&d, A_length), d.loc, in, out);
  for (int i = 0; i < d.n_results; i++) e->results[n][i] = vmap_stack(g, node_dim(&d, A_length), d.loc, out[i]);
}

/* The unit vectors of a type, one after the other: [count] + its shape. */
static NodeId unit_vectors(Graph *g, Loc loc, Type t) {
  Dim count = type_count(g->dims, t), square[2] = {count, count}, shape[MAX_RANK + 1] = {count};
  for (int k = 0; k < t.rank; k++) shape[k + 1] = t.shape[k];
  Type at = type_of(g->arena, I32, 2, square);
  NodeId i = g_iota(g, loc, at, 0), j = g_iota(g, loc, at, 1), diagonal = g_map2(g, OP_eq, loc, i, j);
  return g_reshape(g, loc, g_cast(g, loc, diagonal, t.dtype), t.rank + 1, shape);
}

/* Row i is the gradient of y's element i: one reverse accumulation for a vector, batched over the unit vectors. */
static void jacobian_rows(Graph *g, Loc loc, NodeId y, const NodeId *xs, int n_xs, NodeId *dxs) {
  NodeId u = g_full_like(g, loc, 0, y), units = unit_vectors(g, loc, graph_type(g, y)), from = (NodeId)arrlen(g->nodes);
  if (!grad_reverse(g, loc, &y, &u, 1, xs, n_xs, dxs)) memset(dxs, 0, sizeof *dxs * (size_t)n_xs);
  vmap_nodes(g, from, (NodeId)arrlen(g->nodes), type_count(g->dims, graph_type(g, y)), loc, u, units, dxs, n_xs);
}

/* Column j is what element j of x does to y: a forward one, batched likewise. [x.., y..] turned to [y.., x..] */
static NodeId jacobian_columns(Graph *g, Loc loc, NodeId y, NodeId x) {
  Type tx = graph_type(g, x), ty = graph_type(g, y);
  NodeId v = g_full_like(g, loc, 0, x), units = unit_vectors(g, loc, tx), from = (NodeId)arrlen(g->nodes);
  NodeId dy = forward(g, loc, y, &x, &v, 1);
  vmap_nodes(g, from, (NodeId)arrlen(g->nodes), type_count(g->dims, tx), loc, v, units, &dy, 1);
  if (!dy) return 0;
  Dim shape[2 * MAX_RANK];
  int perm[2 * MAX_RANK], rank = 0;
  for (int k = 0; k < tx.rank; k++) shape[rank++] = tx.shape[k];
  for (int k = 0; k < ty.rank; k++) shape[rank++] = ty.shape[k];
  for (int k = 0; k < rank; k++) perm[k] = k < ty.rank ? tx.rank + k : k - ty.rank;
  return g_transpose(g, loc, g_reshape(g, loc, dy, rank, shape), perm);
}

/* Is there a loop or branch before y? Their derivatives are dear to take twice. */
static bool has_regions(const Graph *g, NodeId y) {
  for (NodeId n = 1; n < y; n++)
    if (op_info[graph_node(g, n)->op].cls == REGION) return true;
  return false;
}

/* jacobian: y, xs. By columns where one x has at most half as many elements as y. */
static void expand_jacobian(Expand *e, NodeId n) {
  Node d = e->r.old[n];
  Graph *g = e->r.g;
  DimTab *t = g->dims;
  int n_xs = d.n_in - 1;
  NodeId y = rewrite_get(&e->r, d.in[0]), *xs = arena_array(g->arena, NodeId, n_xs);
  NodeId *dxs = arena_array(g->arena, NodeId, n_xs);
  for (int k = 0; k < n_xs; k++) xs[k] = rewrite_get(&e->r, d.in[1 + k]);
  Dim twice = dim_mul(t, dim_int(t, 2), type_count(t, graph_type(g, xs[0])));
  bool narrow = n_xs == 1 && dim_le(t, twice, type_count(t, graph_type(g, y))) == DIM_YES && !has_regions(g, y);
  if (narrow) dxs[0] = jacobian_columns(g, d.loc, y, xs[0]);
  else jacobian_rows(g, d.loc, y, xs, n_xs, dxs);
  for (int k = 0; k < n_xs; k++) {
    Type ty = d.results[k];
    dxs[k] = dxs[k] ? g_reshape(g, d.loc, dxs[k], ty.rank, ty.shape) : g_full(g, d.loc, 0, ty);
  }
  e->results[n] = dxs;
}

static void expand_node(Expand *e, NodeId n) {
  Node d = e->r.old[n];
  if (d.op == OP_grad || d.op == OP_vjp) {
    expand_reverse(e, n);
  } else if (d.op == OP_vmap) {
    expand_vmap(e, n);
  } else if (d.op == OP_jacobian) {
    expand_jacobian(e, n);
  } else if (d.op == OP_jvp) {
    NodeId dy = expand_jvp(e, n);
    e->results[n] = arena_copy(e->r.g->arena, &dy, sizeof dy);
    rewrite_to(&e->r, n, dy);
  } else if (d.op == OP_get && e->results[d.in[0]]) {
    rewrite_to(&e->r, n, e->results[d.in[0]][node_int(e->r.g, &d, A_index)]);
  } else {
    rewrite_to(&e->r, n, rewrite_copy(&e->r, n));
  }
}

/* Gradients of gradients grow without bound, so somebody has to say stop. */
static bool is_small(const Graph *g, Loc at) {
  if ((int64_t)arrlen(g->nodes) <= limits[LIMIT_nodes]) return true;
  diag_error(g->diag, at, E0431, "with its derivatives the graph has more than %lld nodes here",
             (long long)limits[LIMIT_nodes]);
  diag_help(g->diag, "a derivative of a derivative is some times as large; `--limit nodes=N` allows more");
  return false;
}

static void expand_graph(Graph *g, const Prog *prog, const Entry *entry) {
  rewrite_regions(g, expand_graph, prog, entry);
  if (!rewrite_has_transforms(g)) return;
  hoist_graph(g, entry); /* what stands outside of a loop has its gradient outside */
  Expand e = {.r = rewrite_begin(g)};
  e.results = zeroed(e.r.n_old, sizeof *e.results);
  bool small = true;
  for (NodeId n = 1; n < e.r.n_old; n++) {
    if (!e.r.live[n]) continue;
    small = small && is_small(g, e.r.old[n].loc);
    if (small || e.r.old[n].op == OP_get) expand_node(&e, n);
    else rewrite_to(&e.r, n, rewrite_copy(&e.r, n)); /* the program is refused; the graph stays sound */
  }
  free(e.results);
  rewrite_end(&e.r);
}

void expand_transforms(Graph *g) { expand_graph(g, NULL, NULL); }

/* ---- calls ---- */

static bool is_call(const Graph *g, const Node *d) {
  return d->op == OP_custom_grad || (d->op == OP_checkpoint && node_int(g, d, A_again) == 0);
}

static void inline_calls(Graph *g, const Prog *prog, const Entry *entry) {
  rewrite_regions(g, inline_calls, prog, entry);
  bool any = false;
  for (NodeId n = 1; n < (NodeId)arrlen(g->nodes); n++) any |= is_call(g, graph_node(g, n));
  if (!any) return;
  Rewrite r = rewrite_begin(g);
  NodeId **results = zeroed(r.n_old, sizeof *results);
  for (NodeId n = 1; n < r.n_old; n++) {
    Node d = r.old[n];
    if (!r.live[n]) continue;
    if (is_call(g, &d)) {
      NodeId *in = arena_array(g->arena, NodeId, d.n_in + 1);
      for (int k = 0; k < d.n_in; k++) in[k] = rewrite_get(&r, d.in[k]);
      results[n] = arena_array(g->arena, NodeId, d.n_results + 1);
      graph_inline(g, d.regions[0], in, results[n]);
    } else if (d.op == OP_get && results[d.in[0]]) {
      rewrite_to(&r, n, results[d.in[0]][node_int(g, &d, A_index)]);
    } else {
      rewrite_to(&r, n, rewrite_copy(&r, n));
    }
  }
  free(results);
  rewrite_end(&r);
}

void pass_expand(Graph *g, const Prog *prog, const Entry *entry) {
  expand_graph(g, prog, entry);
  inline_calls(g, prog, entry);
}
