/* The machinery of batching: see passes/vmap.h. Each node is looked at once, in order. One whose operands all lanes
 * share is computed once; any other goes through the rule of its op's shape. */
#include "passes/vmap.h"
#include "base/ds.h"
#include "passes/mutate.h"
#include <stdlib.h>
#include <string.h>

static VmapRule *const rules[OP_COUNT] = {
#define OP(name, arity, cls, shape, ...) [OP_##name] = vmap_##shape,
#include "ir/ops.def"
#undef OP
};

Type vmap_lead(Vmap *v, Type t) {
  Dim shape[MAX_RANK + 1] = {v->length};
  for (int k = 0; k < t.rank; k++) shape[k + 1] = t.shape[k];
  return type_of(v->g->arena, t.dtype, t.rank + 1, shape);
}

NodeId vmap_lift(Vmap *v, Lane x) {
  if (x.batched) return x.node;
  Type t = graph_type(v->g, x.node), lead = vmap_lead(v, t);
  int axes[MAX_RANK];
  for (int k = 0; k < t.rank; k++) axes[k] = k + 1;
  return g_broadcast(v->g, graph_node(v->g, x.node)->loc, x.node, lead.rank, lead.shape, axes);
}

Lane vmap_in(const Vmap *v, NodeId n, int k) {
  Lane x = v->at[v->src[n].in[k]];
  if (!x.node) INTERNAL("vmap: operand %d of node %u has no value", k, n);
  return x;
}

NodeId vmap_lifted(Vmap *v, NodeId n, int k) { return vmap_lift(v, vmap_in(v, n, k)); }
void vmap_give(Vmap *v, NodeId n, NodeId batched) { v->at[n] = (Lane){batched, true}; }
void vmap_share(Vmap *v, NodeId n, NodeId one) { v->at[n] = (Lane){one, false}; }

NodeId vmap_again(Vmap *v, NodeId n, const NodeId *in, const Attr *attrs) {
  const Node *d = &v->src[n];
  Type want = vmap_lead(v, d->type);
  return graph_add(v->g, (Op)d->op, d->loc, in, d->n_in, attrs ? attrs : d->attrs, d->n_attrs, &want);
}

/* A node that all lanes share: the same with its operands renamed. */
static void share(Vmap *v, NodeId n) {
  const Node *d = &v->src[n];
  NodeId *in = arena_array(v->g->arena, NodeId, d->n_in + 1);
  for (int k = 0; k < d->n_in; k++) in[k] = vmap_in(v, n, k).node;
  vmap_share(v, n, graph_add(v->g, (Op)d->op, d->loc, in, d->n_in, d->attrs, d->n_attrs, &d->type));
}

/* Zeros of the node's types, once an error is reported: nobody looks at them. */
static void give_nothing(Vmap *v, NodeId n) {
  const Node *d = &v->src[n];
  if (d->type.dtype != TUPLE) {
    vmap_share(v, n, g_full(v->g, d->loc, 0, d->type));
    return;
  }
  v->parts[n] = arena_array(v->g->arena, Lane, d->n_results + 1);
  for (int i = 0; i < d->n_results; i++) v->parts[n][i].node = g_full(v->g, d->loc, 0, d->results[i]);
}

static bool too_deep(const Node *d) {
  if (d->type.dtype != TUPLE) return d->type.rank >= MAX_RANK;
  for (int i = 0; i < d->n_results; i++)
    if (d->results[i].rank >= MAX_RANK) return true;
  return false;
}

/* A planted defect (passes/mutate.h): lanes in reverse. */
static void reverse(Vmap *v, Lane *x) {
  if (!x->node || !x->batched) return;
  Type t = graph_type(v->g, x->node);
  Dim start[MAX_RANK];
  int64_t step[MAX_RANK];
  for (int k = 0; k < t.rank; k++) start[k] = dim_int(v->g->dims, 0), step[k] = 1;
  start[0] = dim_sub(v->g->dims, v->length, dim_int(v->g->dims, 1)), step[0] = -1;
  x->node = g_slice(v->g, v->asked, x->node, start, step, t.shape);
}

static void batch(Vmap *v, NodeId n, bool batched) {
  const Node *d = &v->src[n];
  if (batched && too_deep(d)) {
    diag_error(v->g->diag, d->loc, E0710, "all of this value at once would have more than %d axes", MAX_RANK);
    diag_note(v->g->diag, v->asked, "it is computed for each iteration of `vmap`, or row of a Jacobian, here");
    *v->failed = true;
    give_nothing(v, n);
    return;
  }
  rules[d->op](v, n);
  if (mutate_vmap(op_info[d->op].name)) {
    reverse(v, &v->at[n]);
    for (int i = 0; v->parts[n] && i < d->n_results; i++) reverse(v, &v->parts[n][i]);
  }
  if (!v->at[n].node && !v->parts[n] && !*v->failed)
    INTERNAL("the batching rule of `%s` gives nothing", op_info[d->op].name);
}

static void run_node(Vmap *v, NodeId n) {
  const Node *d = &v->src[n];
  OpClass c = op_info[d->op].cls;
  bool batched = false, guarded = v->mask && (c == GATHER || c == SCATTER);
  if (*v->failed) {
    give_nothing(v, n);
    return;
  }
  if (d->op == OP_get && v->parts[d->in[0]]) {
    v->at[n] = v->parts[d->in[0]][node_int(v->g, d, A_index)];
    return;
  }
  for (int k = 0; k < d->n_in; k++) batched |= vmap_in(v, n, k).batched;
  /* regions always: a graph that is read twice needs bodies of its own each time */
  if (batched || guarded || c == REGION) batch(v, n, batched);
  else share(v, n);
}

static void run(Vmap *v, NodeId from, NodeId to) {
  for (NodeId n = from; n < to; n++)
    if (!v->at[n].node && !v->parts[n]) run_node(v, n);
}

/* The tables by node of n nodes. */
static void tables(Vmap *v, NodeId n) {
  v->at = zeroed(n + 1, sizeof *v->at);
  v->parts = zeroed(n + 1, sizeof *v->parts);
}

static void end(Vmap *v) {
  free(v->at);
  free(v->parts);
}

void vmap_inline(Vmap *outer, const Graph *r, const Lane *in, Lane *out) {
  Vmap v = *outer;
  NodeId n_nodes = (NodeId)arrlen(r->nodes);
  v.src = r->nodes;
  tables(&v, n_nodes);
  for (NodeId n = 1; n < n_nodes; n++)
    if (r->nodes[n].op == OP_input) v.at[n] = in[node_int(r, &r->nodes[n], A_index)];
  run(&v, 1, n_nodes);
  for (int i = 0; i < (int)arrlen(r->outputs); i++) out[i] = v.at[r->outputs[i]];
  end(&v);
}

bool vmap_body(Graph *g, const Graph *body, Dim length, Loc asked, const Lane *in, Lane *out) {
  bool failed = false;
  Vmap v = {.g = g, .length = length, .asked = asked, .failed = &failed};
  vmap_inline(&v, body, in, out);
  return !failed;
}

NodeId vmap_stack(Graph *g, Dim length, Loc asked, Lane x) {
  Vmap v = {.g = g, .length = length, .asked = asked};
  return vmap_lift(&v, x);
}

bool vmap_nodes(Graph *g, NodeId from, NodeId to, Dim length, Loc asked, NodeId seed, NodeId seeds, NodeId *values,
                int n) {
  bool failed = false;
  Vmap v = {.g = g, .length = length, .asked = asked, .failed = &failed};
  /* a copy: building nodes moves those of g */
  v.src = arena_copy(g->arena, g->nodes, sizeof *g->nodes * to);
  tables(&v, to);
  for (NodeId k = 1; k < from; k++) v.at[k] = (Lane){k, false};
  v.at[seed] = (Lane){seeds, true};
  run(&v, from, to);
  for (int i = 0; i < n; i++)
    if (values[i]) values[i] = failed ? 0 : vmap_lift(&v, v.at[values[i]]);
  end(&v);
  return !failed;
}
