#include "passes/grad.h"
#include "base/ds.h"
#include "passes/mutate.h"
#include <stdlib.h>
#include <string.h>

GradRule *const grad_rules[OP_COUNT] = {
#define OP(name, arity, cls, shape, grad, ...) [OP_##name] = grad_##grad,
#include "ir/ops.def"
#undef OP
};

bool grad_wants(const Grad *c, NodeId n, int k) { return c->active[operand(c, n, k)]; }

void grad_give(Grad *c, NodeId n, int k, NodeId d) {
  NodeId x = operand(c, n, k);
  if (!type_same(graph_type(c->g, x), graph_type(c->g, d)))
    INTERNAL("the gradient rule of `%s` gives operand %d a value of another type", c->op, k);
  c->adj[x] = c->adj[x] ? add(c, c->adj[x], d) : d;
}

/* ---- what depends on what ---- */

static void body_flow(Arena *a, const Graph *body, const bool *in, bool *out) {
  NodeId n_nodes = (NodeId)arrlen(body->nodes);
  bool *active = zeroed(n_nodes, sizeof *active);
  for (NodeId n = 1; n < n_nodes; n++) {
    const Node *d = graph_node(body, n);
    if (d->op == OP_input) active[n] = in[node_int(body, d, A_index)] && dtype_is_float(d->type.dtype);
  }
  grad_spread(a, body, n_nodes, active, NULL);
  for (ptrdiff_t i = 0; i < arrlen(body->outputs); i++) out[i] |= active[body->outputs[i]];
  free(active);
}

/* Which results of an op of several depend on the operands in `in`, which for loops takes the carried values along. */
static void node_flow(Arena *a, const Graph *g, const Node *d, bool *in, bool *out) {
  int carried = d->op == OP_scan || d->op == OP_while ? (int)node_int(g, d, A_carried) : 0;
  const Graph *body = d->n_regions ? d->regions[d->op == OP_while ? 1 : 0] : NULL;
  if (!body || d->op == OP_custom_grad) {
    for (int k = 0; k < d->n_in; k++) out[0] |= in[k];
    for (int i = d->n_results - 1; i >= 0; i--) out[i] = out[0];
  } else if (d->op == OP_cond) {
    for (int b = 0; b < 2; b++) body_flow(a, d->regions[b], in + 1, out);
  } else {
    for (bool more = true; more;) {
      more = false;
      body_flow(a, body, in, out);
      for (int i = 0; i < carried; i++) {
        more |= out[i] && !in[i];
        in[i] = out[i] = in[i] || out[i];
      }
    }
  }
  for (int i = 0; i < d->n_results; i++) out[i] &= dtype_is_float(d->results[i].dtype);
}

void grad_spread(Arena *a, const Graph *g, NodeId limit, bool *active, bool **live) {
  bool **own = live ? live : zeroed(limit, sizeof *own);
  const bool *first = memchr(active, 1, limit); /* nothing before depends on it */
  for (NodeId n = first ? (NodeId)(first - active) : limit; n < limit; n++) {
    const Node *d = graph_node(g, n);
    if (active[n] || grad_rules[d->op] == grad_zero) continue;
    if (d->op == OP_get) {
      const bool *of = own[d->in[0]];
      active[n] = of && of[node_int(g, d, A_index)];
    } else if (d->type.dtype == TUPLE) {
      bool *in = arena_array(a, bool, d->n_in + 1), any = false;
      for (int k = 0; k < d->n_in; k++) any |= in[k] = active[d->in[k]];
      if (!any) continue;
      own[n] = arena_array(a, bool, d->n_results + 1);
      node_flow(a, g, d, in, own[n]);
      for (int i = 0; i < d->n_results; i++) active[n] |= own[n][i];
    } else if (dtype_is_float(d->type.dtype)) {
      for (int k = 0; k < d->n_in && !active[n]; k++) active[n] = active[d->in[k]];
    }
  }
  if (!live) free(own);
}

/* ---- accumulation ---- */

/* The one place where rules are called. */
static void run_rule(Grad *c, NodeId n) {
  const Node *d = graph_node(c->g, n);
  c->loc = d->loc;
  c->op = op_info[d->op].name;
  NodeId dy = c->adj[n], *parts = c->parts[n];
  if (mutate_grad(c->op) && !parts) dy = neg(c, dy);
  for (int i = 0; mutate_grad(c->op) && parts && i < graph_node(c->g, n)->n_results; i++)
    if (parts[i]) parts[i] = neg(c, parts[i]);
  NodeId from = (NodeId)arrlen(c->g->nodes);
  grad_rules[d->op](c, n, dy);
  for (; from < (NodeId)arrlen(c->g->nodes); from++) c->g->nodes[from].loc.grad = 1;
}

bool grad_reverse(Graph *g, Loc asked, const NodeId *ys, const NodeId *us, int n_ys, const NodeId *xs, int n_xs,
                  NodeId *dxs) {
  Grad c = {.g = g, .limit = 1, .asked = asked, .loc = asked, .op = "grad"};
  NodeId from = 0, least = 0;
  for (int i = 0; i < n_ys; i++)
    if (ys[i] >= c.limit) c.limit = ys[i] + 1;
  for (int i = 0; i < n_xs; i++) {
    if (xs[i] >= c.limit) c.limit = xs[i] + 1;
    if (!i || xs[i] < least) least = xs[i];
  }
  c.adj = zeroed(c.limit, sizeof *c.adj);
  c.active = zeroed(c.limit, sizeof *c.active);
  c.cut = zeroed(c.limit, sizeof *c.cut);
  c.parts = zeroed(c.limit, sizeof *c.parts);
  c.live = zeroed(c.limit, sizeof *c.live);
  for (int i = 0; i < n_xs; i++) c.active[xs[i]] = c.cut[xs[i]] = dtype_is_float(graph_type(g, xs[i]).dtype);
  grad_spread(g->arena, g, c.limit, c.active, c.live);
  for (int i = 0; i < n_ys; i++) {
    if (!c.active[ys[i]]) continue;
    c.adj[ys[i]] = c.adj[ys[i]] ? add(&c, c.adj[ys[i]], us[i]) : us[i];
    if (ys[i] > from) from = ys[i];
  }
  for (NodeId n = from; n > least; n--)
    if (c.adj[n] && c.active[n] && !c.cut[n]) run_rule(&c, n);
  for (int i = 0; i < n_xs; i++) dxs[i] = c.adj[xs[i]];
  free(c.adj);
  free(c.active);
  free(c.cut);
  free(c.parts);
  free(c.live);
  return !c.failed;
}
