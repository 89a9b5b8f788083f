/* Whether a derivative can pass from one value to another: along floats, and not through what has none. Inside of
 * bodies also through what they captured, which `grad` does not see. */
#include "frontend/elab_priv.h"
#include <string.h>

static bool passes(const Graph *g, NodeId user, NodeId operand) {
  const Node *u = graph_node(g, user);
  DType t = graph_type(g, operand).dtype;
  return strcmp(op_info[u->op].grad, "zero") != 0 && (dtype_is_float(t) || t == TUPLE);
}

/* Marks what node y was computed from along derivatives, y itself with it; nodes of xs are marked and cut. */
static bool *ancestors(Elab *e, const Graph *g, NodeId y, const NodeId *xs, int n) {
  bool *mark = arena_array(e->arena, bool, y + 1), *cut = arena_array(e->arena, bool, y + 1);
  for (int i = 0; i < n; i++)
    if (xs[i] <= y) cut[xs[i]] = true;
  mark[y] = true;
  for (NodeId i = y; i > 0; i--) {
    if (!mark[i] || cut[i]) continue;
    const Node *d = graph_node(g, i);
    for (int k = 0; k < d->n_in; k++)
      if (passes(g, i, d->in[k])) mark[d->in[k]] = true;
  }
  return mark;
}

static bool any_marked(const bool *mark, NodeId y, const NodeId *xs, int n) {
  for (int i = 0; i < n; i++)
    if (xs[i] <= y && mark[xs[i]]) return true;
  return false;
}

static bool among(NodeId n, const NodeId *xs, int count) {
  for (int i = 0; i < count; i++)
    if (xs[i] == n) return true;
  return false;
}

/* The nodes outside of region r that the xs in it are. */
static NodeId *outside_of(Elab *e, const Region *r, const NodeId *xs, int n, int *n_out) {
  NodeId *out = arena_array(e->arena, NodeId, n + 1);
  *n_out = 0;
  for (ptrdiff_t i = 0; i < arrlen(r->inputs); i++)
    if (r->inputs[i].kind == IN_CAPTURE && among(r->inputs[i].node, xs, n)) out[(*n_out)++] = r->inputs[i].outside;
  return out;
}

/* A value around region r, which is its inside's graph g, through which y depends on the xs; 0: there is none. What is
 * carried counts later, when the body is complete. */
static NodeId outer_path(Elab *e, Region *r, const Graph *g, NodeId y, const NodeId *xs, int n, Loc at,
                         const Region **where) {
  if (!r) return 0;
  int n_out;
  bool *mark = ancestors(e, g, y, xs, n);
  NodeId *out = outside_of(e, r, xs, n, &n_out);
  for (ptrdiff_t i = 0; i < arrlen(r->inputs); i++) {
    const RegionInput *in = &r->inputs[i];
    if (in->node > y || !mark[in->node] || among(in->node, xs, n)) continue;
    if (in->kind == IN_CARRY && !in->state) {
      CarriedGrad c = {(int)i, arena_copy(e->arena, xs, sizeof *xs * (size_t)n), n, at};
      arrput(r->grads, c);
    }
    if (!n_out || !in->outside) continue;
    *where = r;
    if (any_marked(ancestors(e, r->outer.graph, in->outside, out, n_out), in->outside, out, n_out)) return in->outside;
    NodeId further = outer_path(e, r->up, r->outer.graph, in->outside, out, n_out, at, where);
    if (further) return further;
  }
  return 0;
}

bool grad_sees_all(Elab *e, NodeId y, const NodeId *xs, int n, Loc at) {
  const Region *where = NULL;
  Region *r = e->trace->region;
  NodeId z = outer_path(e, r, e->trace->graph, y, xs, n, at, &where);
  if (!z) return true;
  elab_error(e, at, E0708,
             "the value depends on what the derivative is asked for through a value from outside of the `%s`",
             region_name(where));
  elab_note(e, graph_node(where->outer.graph, z)->loc, "this was computed from it, outside");
  elab_help(e, "compute it inside of the block, or hold it fixed: `stop_gradient(…)`");
  return false;
}

/* Does what input `carry` of the complete body r becomes depend on the xs, also by way of other carried values? */
static bool carried_path(Elab *e, const Region *r, int carry, const NodeId *xs, int n) {
  ptrdiff_t count = arrlen(r->inputs), todo = 1;
  bool *seen = arena_array(e->arena, bool, count + 1);
  int *queue = arena_array(e->arena, int, count + 1);
  queue[0] = carry;
  seen[carry] = true;
  for (ptrdiff_t k = 0; k < todo; k++) {
    NodeId next = r->inputs[queue[k]].next;
    if (!next) continue;
    bool *mark = ancestors(e, r->graph, next, xs, n);
    if (any_marked(mark, next, xs, n)) return true;
    for (ptrdiff_t i = 0; i < count; i++) {
      const RegionInput *in = &r->inputs[i];
      if (seen[i] || in->kind != IN_CARRY || in->node > next || !mark[in->node]) continue;
      seen[i] = true;
      queue[todo++] = (int)i;
    }
  }
  return false;
}

bool carried_grads(Elab *e, const Region *r) {
  for (ptrdiff_t k = 0; k < arrlen(r->grads); k++) {
    const CarriedGrad *g = &r->grads[k];
    if (!carried_path(e, r, g->carry, g->xs, g->n)) continue;
    elab_error(e, g->loc, E0708,
               "the value depends on what the derivative is asked for through a value that the `%s` carries",
               region_name(r));
    elab_note(e, graph_node(r->graph, r->inputs[g->carry].next)->loc,
              "it is carried from here into the next iteration");
    elab_help(e,
              "only the path inside of one iteration is known here: hold the carried value fixed, `stop_gradient(…)`");
    return false;
  }
  return true;
}

/* Could a derivative be asked for with respect to what node n of the current graph was computed from? */
bool carries_gradient(Elab *e, NodeId n) {
  const Graph *g = e->trace->graph;
  const Region *r = e->trace->region;
  bool *mark = ancestors(e, g, n, NULL, 0);
  for (NodeId i = 1; i <= n; i++) {
    if (!mark[i]) continue;
    const Node *d = graph_node(g, i);
    if (d->op == OP_cell && e->prog->cells[node_int(g, d, A_cell)].kind == DNN_PARAM) return true;
    if (d->op == OP_input && !r) return true;
  }
  for (ptrdiff_t i = 0; r && i < arrlen(r->inputs); i++) {
    const RegionInput *in = &r->inputs[i];
    if (in->node > n || !mark[in->node]) continue;
    if (in->kind != IN_CAPTURE) return true;
    Region *now = e->trace->region;
    region_leave(e, now);
    bool yes = carries_gradient(e, in->outside);
    region_enter(e, now);
    if (yes) return true;
  }
  return false;
}
