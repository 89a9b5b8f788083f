#include "passes/grad.h"
#include "base/ds.h"
#include "passes/mutate.h"
#include <stdlib.h>

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

/* A node is active when it is an x, or a value that can carry a gradient made from an active one by a rule other than
 * `zero`. Tuples count: whether a float comes out of them is for their rule to say. */
static void mark_active(Grad *c) {
  for (NodeId n = 1; n < c->limit; n++) {
    const Node *d = graph_node(c->g, n);
    if (c->cut[n]) {
      c->active[n] = true;
      continue;
    }
    if (grad_rules[d->op] == grad_zero) continue;
    if (!dtype_is_float(d->type.dtype) && d->type.dtype != TUPLE) continue;
    for (int k = 0; k < d->n_in && !c->active[n]; k++) c->active[n] = c->active[d->in[k]];
  }
}

/* The one place where rules are called. */
static void run_rule(Grad *c, NodeId n) {
  const Node *d = graph_node(c->g, n);
  c->loc = d->loc;
  c->op = op_info[d->op].name;
  NodeId dy = c->adj[n];
  if (mutate_grad(c->op)) dy = neg(c, dy);
  grad_rules[d->op](c, n, dy);
}

bool grad_reverse(Graph *g, Loc asked, const NodeId *ys, const NodeId *us, int n_ys, const NodeId *xs, int n_xs,
                  NodeId *dxs) {
  Grad c = {.g = g, .limit = (NodeId)arrlen(g->nodes), .asked = asked, .loc = asked, .op = "grad"};
  c.adj = calloc(c.limit, sizeof *c.adj);
  c.active = calloc(c.limit, sizeof *c.active);
  c.cut = calloc(c.limit, sizeof *c.cut);
  if (!c.adj || !c.active || !c.cut) INTERNAL("out of memory");
  NodeId from = 0;
  for (int i = 0; i < n_xs; i++) c.cut[xs[i]] = dtype_is_float(graph_type(g, xs[i]).dtype);
  mark_active(&c);
  for (int i = 0; i < n_ys; i++) {
    if (!c.active[ys[i]]) continue;
    c.adj[ys[i]] = c.adj[ys[i]] ? add(&c, c.adj[ys[i]], us[i]) : us[i];
    if (ys[i] > from) from = ys[i];
  }
  for (NodeId n = from; n > 0; n--)
    if (c.adj[n] && c.active[n] && !c.cut[n]) run_rule(&c, n);
  for (int i = 0; i < n_xs; i++) dxs[i] = c.adj[xs[i]];
  free(c.adj);
  free(c.active);
  free(c.cut);
  return !c.failed;
}
