#include "passes/rewrite.h"
#include "base/ds.h"
#include <stdlib.h>

/* Marks what the outputs need, walking down once: operands stand before their users. */
static bool *live_nodes(const Graph *g, NodeId n_nodes) {
  bool *live = zeroed(n_nodes + 1, sizeof *live);
  for (int i = 0; i < (int)arrlen(g->outputs); i++) live[g->outputs[i]] = true;
  for (NodeId n = n_nodes; n-- > 1;) {
    const Node *d = &g->nodes[n];
    if (op_info[d->op].flags & IMPURE) live[n] = true;
    if (!live[n]) continue;
    for (int k = 0; k < d->n_in; k++) live[d->in[k]] = true;
  }
  return live;
}

Rewrite rewrite_begin(Graph *g) {
  Rewrite r = {.g = g, .old = g->nodes, .n_old = (NodeId)arrlen(g->nodes)};
  r.live = live_nodes(g, r.n_old);
  r.map = zeroed(r.n_old + 1, sizeof *r.map);
  g->nodes = NULL;
  arrput(g->nodes, (Node){0});
  return r;
}

NodeId rewrite_get(const Rewrite *r, NodeId old) {
  if (old == 0 || old >= r->n_old || !r->map[old])
    INTERNAL("rewrite: node %u (%s) has no new name", old, old < r->n_old ? op_info[r->old[old].op].name : "?");
  return r->map[old];
}

void rewrite_to(Rewrite *r, NodeId old, NodeId now) {
  if (now == 0 || now >= (NodeId)arrlen(r->g->nodes)) INTERNAL("rewrite: node %u renamed to nothing", old);
  r->map[old] = now;
}

NodeId rewrite_copy(Rewrite *r, NodeId n) {
  Node d = r->old[n];
  if (d.n_in) {
    NodeId *in = arena_array(r->g->arena, NodeId, d.n_in);
    for (int k = 0; k < d.n_in; k++) in[k] = rewrite_get(r, d.in[k]);
    d.in = in;
  }
  arrput(r->g->nodes, d);
  return (NodeId)arrlen(r->g->nodes) - 1;
}

void rewrite_end(Rewrite *r) {
  for (int i = 0; i < (int)arrlen(r->g->outputs); i++) r->g->outputs[i] = rewrite_get(r, r->g->outputs[i]);
  arrfree(r->old);
  free(r->map);
  free(r->live);
  *r = (Rewrite){0};
}

/* ---- constants and repeated values can have their axes in any order ---- */

/* Do the axes of broadcast d keep their order when axis k of its result becomes axis at[k]? Those of size 1 have none.
 */
static bool stays_ordered(const Rewrite *r, const Node *d, const int *at) {
  const Type from = r->old[d->in[0]].type;
  int64_t axes[MAX_RANK];
  int n = node_ints(r->g, d, A_axes, axes, MAX_RANK), last = -1;
  for (int k = 0; k < n; k++) {
    if (dim_is(r->g->dims, from.shape[k], 1)) continue;
    if (at[axes[k]] < last) return false;
    last = at[axes[k]];
  }
  return true;
}
bool rewrite_turnable(const Rewrite *r, NodeId n, const int *at) {
  const Node *d = &r->old[n];
  return d->op == OP_full || (d->op == OP_broadcast && stays_ordered(r, d, at));
}
NodeId rewrite_turned(Rewrite *r, NodeId n, const int *at) {
  Graph *g = r->g;
  const Node d = r->old[n];
  Dim shape[MAX_RANK];
  for (int k = 0; k < d.type.rank; k++) shape[at[k]] = d.type.shape[k];
  if (d.op == OP_full)
    return g_full(g, d.loc, node_num(&d, A_value), type_of(g->arena, d.type.dtype, d.type.rank, shape));
  const Type from = r->old[d.in[0]].type;
  Dim kept[MAX_RANK];
  int64_t axes[MAX_RANK];
  int now[MAX_RANK], rank = node_ints(g, &d, A_axes, axes, MAX_RANK), n_kept = 0;
  for (int k = 0; k < rank; k++)
    if (!dim_is(g->dims, from.shape[k], 1)) kept[n_kept] = from.shape[k], now[n_kept++] = at[axes[k]];
  NodeId a = rewrite_get(r, d.in[0]);
  if (n_kept < rank) a = g_reshape(g, d.loc, a, n_kept, kept);
  return g_broadcast(g, d.loc, a, d.type.rank, shape, now);
}
NodeId rewrite_again(Rewrite *r, NodeId n, const NodeId *in) {
  const Node d = r->old[n];
  Type t = graph_type(r->g, in[0]);
  t.dtype = d.type.dtype;
  return graph_add(r->g, (Op)d.op, d.loc, in, d.n_in, d.attrs, d.n_attrs, &t);
}

void rewrite_regions(Graph *g, PassFn *pass, const Prog *prog, const Entry *entry) {
  for (NodeId n = 1; n < (NodeId)arrlen(g->nodes); n++)
    for (int k = 0; k < g->nodes[n].n_regions; k++) pass(g->nodes[n].regions[k], prog, entry);
}

int rewrite_count(const Graph *g) { return (int)arrlen(g->nodes) - 1; }

bool rewrite_has_transforms(const Graph *g) {
  for (NodeId n = 1; n < (NodeId)arrlen(g->nodes); n++) {
    const Node *d = &g->nodes[n];
    if (d->op == OP_grad || d->op == OP_vjp || d->op == OP_jvp || d->op == OP_jacobian || d->op == OP_vmap) return true;
    for (int k = 0; k < d->n_regions; k++)
      if (rewrite_has_transforms(d->regions[k])) return true;
  }
  return false;
}
