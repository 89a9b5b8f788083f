/* expand: grad, vjp and jvp become the ops that compute them; checkpoint and custom_grad, which only gradients see,
 * become their bodies. A checkpoint of again = 1 stays: cse would find that it repeats what was computed before.
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
#include <stdlib.h>

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

/* jvp: y, x1, v1 .. xn, vn. The map u -> u' dy/dx is linear in u, and the gradient of its product with v is dy/dx v:
 * two reverse accumulations make a forward one (Townsend, A new trick for calculating Jacobian vector products, 2017).
 */
static NodeId expand_jvp(Expand *e, NodeId n) {
  Node d = e->r.old[n];
  Graph *g = e->r.g;
  int n_xs = (d.n_in - 1) / 2, met = 0;
  NodeId y = rewrite_get(&e->r, d.in[0]), u = g_full_like(g, d.loc, 0, y), dy = 0;
  NodeId *xs = arena_array(g->arena, NodeId, n_xs), *dxs = arena_array(g->arena, NodeId, n_xs);
  NodeId *vs = arena_array(g->arena, NodeId, n_xs);
  for (int k = 0; k < n_xs; k++) xs[k] = rewrite_get(&e->r, d.in[1 + 2 * k]);
  bool ok = grad_reverse(g, d.loc, &y, &u, 1, xs, n_xs, dxs);
  for (int k = 0; k < n_xs; k++) {
    if (!dxs[k]) continue;
    dxs[met] = dxs[k];
    vs[met++] = rewrite_get(&e->r, d.in[2 + 2 * k]);
  }
  if (ok && met) grad_reverse(g, d.loc, dxs, vs, met, &u, 1, &dy);
  return dy ? dy : g_full_like(g, d.loc, 0, y);
}

static void expand_node(Expand *e, NodeId n) {
  Node d = e->r.old[n];
  if (d.op == OP_grad || d.op == OP_vjp) {
    expand_reverse(e, n);
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

static void expand_graph(Graph *g, const Prog *prog, const Entry *entry) {
  rewrite_regions(g, expand_graph, prog, entry);
  if (!rewrite_has_transforms(g)) return;
  hoist_graph(g); /* what stands outside of a loop has its gradient outside */
  Expand e = {.r = rewrite_begin(g)};
  e.results = calloc(e.r.n_old, sizeof *e.results);
  if (!e.results) INTERNAL("out of memory");
  for (NodeId n = 1; n < e.r.n_old; n++)
    if (e.r.live[n]) expand_node(&e, n);
  free(e.results);
  rewrite_end(&e.r);
}

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
  NodeId **results = calloc(r.n_old, sizeof *results);
  if (!results) INTERNAL("out of memory");
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
