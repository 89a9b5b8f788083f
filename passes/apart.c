/* One group of a plan as an entry of its own, to be measured: what the group reads from buffers becomes inputs, what it
 * leaves in buffers becomes results. Cells stay cells, so that what is kept of them from call to call still is. Sizes
 * stay as they are, so that the group is lowered as it is in the program.
 *
 *   before   plan of a whole entry
 *   after    an entry that has gone through the graph passes */
#include "base/ds.h"
#include "passes/pipeline.h"

typedef struct Apart {
  const Graph *from;
  Graph *to;
  Entry *entry;
  NodeId *at; /* by node of `from`: its copy */
} Apart;

static NodeId copy(Apart *x, NodeId n) {
  const Node *old = graph_node(x->from, n);
  Node node = *old;
  NodeId *in = arena_array(x->to->arena, NodeId, old->n_in + 1);
  for (int i = 0; i < old->n_in; i++) in[i] = x->at[old->in[i]];
  node.in = in;
  arrput(x->to->nodes, node);
  return (NodeId)arrlen(x->to->nodes) - 1;
}
/* A value that the group does not compute. */
static bool leaf(Apart *x, NodeId n) {
  const Node *node = graph_node(x->from, n);
  if (node->type.dtype == TUPLE) return false;
  if (node->op == OP_cell) {
    x->at[n] = copy(x, n);
    return true;
  }
  x->at[n] = g_input(x->to, node->loc, node->type);
  const char *name = arena_printf(x->to->arena, "x%d", (int)arrlen(x->entry->inputs));
  arrput(x->entry->inputs, ((Port){.name = name, .type = node->type, .loc = node->loc}));
  return true;
}

bool plan_apart(Arena *a, const Plan *plan, const Group *g, Entry *out) {
  const Graph *from = arrlen(plan->scopes) ? plan->scopes[g->scope].graph : plan->graph;
  *out = (Entry){.name = plan->entry->name, .kind = plan->entry->kind, .exported = plan->entry->exported};
  out->loc = plan->entry->loc;
  out->graph = graph_new(a, from->dims, from->diag);
  Apart x = {from, out->graph, out, arena_array(a, NodeId, arrlen(from->nodes))};
  for (int i = 0; i < (int)arrlen(g->nodes); i++) {
    const Node *n = graph_node(from, g->nodes[i]);
    for (int k = 0; k < n->n_in; k++)
      if (!x.at[n->in[k]] && !leaf(&x, n->in[k])) return false;
    if (n->op != OP_input) x.at[g->nodes[i]] = copy(&x, g->nodes[i]);
    else if (!x.at[g->nodes[i]] && !leaf(&x, g->nodes[i])) return false;
  }
  for (int i = 0; i < (int)arrlen(g->outs); i++) {
    NodeId y = g->outs[i].node;
    if (!x.at[y]) return false;
    arrput(out->graph->outputs, x.at[y]);
    arrput(out->outputs, ((Port){.name = arena_printf(a, "y%d", i), .type = graph_type(from, y)}));
  }
  out->n_results = (int)arrlen(g->outs);
  for (int i = 0; i < (int)arrlen(plan->entry->vars); i++) arrput(out->vars, plan->entry->vars[i]);
  return true;
}
