#include "passes/grad_joint.h"
#include "base/ds.h"
#include <stdlib.h>
#include <string.h>

bool joint_build(Grad *c, const Graph *body, const bool *seeded, const bool *wanted, Joint *j) {
  Arena *a = c->g->arena;
  *j = (Joint){.g = graph_clone(a, body), .limit = (NodeId)arrlen(body->nodes), .n_in = body->n_inputs};
  j->n_out = (int)arrlen(body->outputs);
  j->in = arena_array(a, NodeId, j->n_in + 1);
  j->dxs = arena_array(a, NodeId, j->n_in + 1);
  j->us = arena_array(a, NodeId, j->n_out + 1);
  for (NodeId n = 1; n < j->limit; n++) {
    const Node *d = graph_node(body, n);
    if (d->op == OP_input) j->in[node_int(body, d, A_index)] = n;
  }
  NodeId *ys = arena_array(a, NodeId, j->n_out + 1), *us = arena_array(a, NodeId, j->n_out + 1);
  NodeId *xs = arena_array(a, NodeId, j->n_in + 1), *dxs = arena_array(a, NodeId, j->n_in + 1);
  int n_ys = 0, n_xs = 0;
  for (int i = 0; i < j->n_out; i++) {
    if (!seeded[i]) continue;
    j->us[i] = g_input(j->g, c->loc, graph_type(body, body->outputs[i]));
    ys[n_ys] = body->outputs[i];
    us[n_ys++] = j->us[i];
  }
  for (int i = 0; i < j->n_in; i++)
    if (wanted[i] && j->in[i]) xs[n_xs++] = j->in[i];
  bool ok = grad_reverse(j->g, c->asked, ys, us, n_ys, xs, n_xs, dxs);
  for (int i = 0, k = 0; i < j->n_in; i++)
    if (wanted[i] && j->in[i]) j->dxs[i] = dxs[k++];
  c->failed |= !ok;
  return ok;
}

/* Is the value of a body node dearer to compute than to keep? Contractions, windows and long sums: sixteen operations
 * and more for an element; whatever comes out of a loop, branch or call. Element-wise functions are computed again. */
static bool costs_much(const Graph *g, NodeId n) {
  enum { DEAR = 16 };
  const Node *d = graph_node(g, n);
  if (d->op == OP_get) return true;
  OpClass cls = op_info[d->op].cls;
  if (cls == LEAF || cls == MAP || cls == VIEW || cls == GATHER || d->type.dtype == TUPLE) return false;
  int64_t work = dim_upper(g->dims, node_flops(g, n)), size = dim_upper(g->dims, type_count(g->dims, d->type));
  return work < 0 || size < 0 || work / DEAR >= size;
}

/* Is it an output from number `kept` on, and more than a constant or a view? */
static bool is_output(const Joint *j, NodeId n, int kept) {
  OpClass cls = op_info[graph_node(j->g, n)->op].cls;
  for (int i = kept; i < j->n_out; i++)
    if (j->g->outputs[i] == n) return cls != LEAF && cls != VIEW;
  return false;
}

/* What is needed, from the last node to the first; a node of `instead` is kept. */
static void find_needs(Joint *j, int kept, const bool *instead) {
  NodeId n_nodes = (NodeId)arrlen(j->g->nodes);
  memset(j->need, 0, n_nodes);
  arrsetlen(j->keep, 0);
  for (int i = 0; i < j->n_in; i++)
    if (j->dxs[i]) j->need[j->dxs[i]] = NEED_COMPUTED;
  for (NodeId n = n_nodes; n-- > 1;) {
    if (!j->need[n]) continue;
    const Node *d = graph_node(j->g, n);
    bool keep = kept >= 0 && n < j->limit && d->op != OP_input;
    keep = keep && (instead[n] || costs_much(j->g, n) || is_output(j, n, kept));
    if (keep) arrput(j->keep, n);
    if (keep || d->op == OP_input) j->need[n] = NEED_GIVEN;
    else
      for (int k = 0; k < d->n_in; k++) j->need[d->in[k]] = NEED_COMPUTED;
  }
}

/* Where a kept value serves to compute one element-wise value of its size and nothing else, that one is kept: what it
 * has besides is not needed then. Returns whether there was one. */
static bool keep_later(const Joint *j, int kept, bool *instead) {
  NodeId n_nodes = (NodeId)arrlen(j->g->nodes), *user = zeroed(n_nodes, sizeof *user);
  bool *several = zeroed(n_nodes, sizeof *several), moved = false;
  for (NodeId n = 1; n < n_nodes; n++)
    for (int k = 0; k < graph_node(j->g, n)->n_in && j->need[n] == NEED_COMPUTED; k++) {
      NodeId x = graph_node(j->g, n)->in[k];
      several[x] |= user[x] && user[x] != n;
      user[x] = n;
    }
  for (int i = 0; i < (int)arrlen(j->keep); i++) {
    NodeId n = j->keep[i], u = user[n];
    if (!u || several[n] || u >= j->limit || is_output(j, n, kept)) continue;
    const Node *d = graph_node(j->g, u);
    if (op_info[d->op].cls == MAP && type_same(d->type, graph_type(j->g, n))) instead[u] = moved = true;
  }
  free(user);
  free(several);
  return moved;
}

void joint_needs(Joint *j, int kept) {
  size_t n_nodes = (size_t)arrlen(j->g->nodes);
  j->need = zeroed(n_nodes, 1);
  bool *instead = zeroed(n_nodes, sizeof *instead);
  do find_needs(j, kept, instead);
  while (kept >= 0 && keep_later(j, kept, instead));
  free(instead);
}

bool joint_needs_input(const Joint *j, int i) { return j->in[i] && j->need[j->in[i]]; }

Graph *joint_forward(const Joint *j) {
  Graph *f = graph_new(j->g->arena, j->g->dims, j->g->diag);
  for (NodeId n = 1; n < j->limit; n++) arrput(f->nodes, *graph_node(j->g, n));
  for (int i = 0; i < j->n_out; i++) arrput(f->outputs, j->g->outputs[i]);
  for (int i = 0; i < j->n_in; i++) arrput(f->input_types, j->g->input_types[i]);
  f->n_inputs = j->n_in;
  return f;
}

void joint_reverse(const Joint *j, Graph *to, NodeId *map) {
  for (NodeId n = 1; n < (NodeId)arrlen(j->g->nodes); n++) {
    if (!j->need[n]) continue;
    if (j->need[n] == NEED_GIVEN && !map[n]) INTERNAL("a gradient lacks node %u of its body", n);
    if (!map[n]) map[n] = graph_copy_node(to, *graph_node(j->g, n), map);
  }
}

NodeId *joint_map(const Joint *j) { return arena_array(j->g->arena, NodeId, arrlen(j->g->nodes)); }

void joint_free(Joint *j) {
  free(j->need);
  arrfree(j->keep);
  arrfree(j->g->nodes);
  j->g = NULL;
}
