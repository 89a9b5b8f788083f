/* Loops and branches of the plan. A body is a graph of its own, so it gets a scope; its inputs are bound to buffers of
 * the operands, its outputs end in buffers of the results: scan     carried value i: a pair of buffers that swap after
 * each iteration (body reads one, writes its twin); row operand: the iteration's slice of the operand's buffer; stacked
 * result: a slice of the result's buffer while    carried values as in scan; `other` holds the condition cond     both
 * bodies write the same result buffers vmap     rows and stacks as in scan, nothing carried others   the body runs once
 */
#include "base/ds.h"
#include "passes/plan_internal.h"
#include <stdlib.h>

static int carried_of(const Graph *g, const Node *x) {
  return x->op == OP_scan || x->op == OP_while ? (int)node_int(g, x, A_carried) : 0;
}
static int rows_of(const Graph *g, const Node *x) {
  return x->op == OP_scan || x->op == OP_vmap ? (int)node_int(g, x, A_rows) : 0;
}

void region_results(Plan *p, int scope) {
  Graph *g = p->scopes[scope].graph;
  int *buf_of = p->scopes[scope].buf_of;
  for (NodeId n = 1; n < (NodeId)arrlen(g->nodes); n++) {
    const Node *x = &g->nodes[n];
    if (x->op != OP_get || op_info[g->nodes[x->in[0]].op].cls != REGION || buf_of[n] >= 0) continue;
    int index = (int)node_int(g, x, A_index);
    const Node *r = &g->nodes[x->in[0]];
    int b = plan_new_buf(p, BUF_ARENA, 0, x->type, n);
    if (index < carried_of(g, r)) {
      int twin = plan_new_buf(p, BUF_ARENA, 0, x->type, n);
      p->bufs[b].twin = twin;
      p->bufs[twin].twin = b;
    }
    for (NodeId m = n; m < (NodeId)arrlen(g->nodes); m++) { /* other reads of the same result */
      const Node *y = &g->nodes[m];
      if (y->op == OP_get && y->in[0] == x->in[0] && node_int(g, y, A_index) == index) buf_of[m] = b;
    }
  }
}

/* The buffer of result `index` of region n; a fresh one when nothing reads it. */
static int result_buf(Plan *p, int scope, NodeId n, int index) {
  Graph *g = p->scopes[scope].graph;
  for (NodeId m = n + 1; m < (NodeId)arrlen(g->nodes); m++) {
    const Node *y = &g->nodes[m];
    if (y->op == OP_get && y->in[0] == n && node_int(g, y, A_index) == index) return p->scopes[scope].buf_of[m];
  }
  const Node *x = &g->nodes[n];
  int b = plan_new_buf(p, BUF_ARENA, 0, x->results[index], n);
  if (index < carried_of(g, x)) {
    int twin = plan_new_buf(p, BUF_ARENA, 0, x->results[index], n);
    p->bufs[b].twin = twin;
    p->bufs[twin].twin = b;
  }
  return b;
}

/* Plans one body; `in[i]` and `out[i]` are the buffers of its inputs and outputs. */
static PlanStep *plan_body(Plan *p, Graph *body, const int *in, const int *out) {
  int s = plan_new_scope(p, body);
  for (NodeId n = 1; n < (NodeId)arrlen(body->nodes); n++)
    if (body->nodes[n].op == OP_input) p->scopes[s].buf_of[n] = in[node_int(body, &body->nodes[n], A_index)];
  PlanStep *steps = NULL;
  int n_out = (int)arrlen(body->outputs);
  fuse_scope(p, s, &steps, body->outputs, out, n_out);
  schedule_steps(p, &steps);
  for (int i = 0; i < n_out; i++)
    if (out[i] >= 0 && p->scopes[s].buf_of[body->outputs[i]] != out[i])
      arrput(steps,
             plan_kernel_step(plan_copy_group(p, s, body->outputs[i], p->scopes[s].buf_of[body->outputs[i]], out[i])));
  return steps;
}

static int row_of(Plan *p, int buf, Type row) { return plan_new_buf(p, BUF_ROW, buf, row, p->bufs[buf].node); }

PlanStep region_step(Plan *p, int scope, NodeId n) {
  Graph *g = p->scopes[scope].graph;
  const Node *x = &g->nodes[n];
  bool loop = x->op == OP_scan || x->op == OP_while || x->op == OP_vmap;
  PlanStep step = {.kind = loop ? PLAN_LOOP : PLAN_BRANCH, .group = -1, .scope = scope, .node = n};
  int carried = carried_of(g, x), rows = rows_of(g, x);
  int first = x->op == OP_cond ? 1 : 0; /* operand 0 of cond decides */
  Graph *body = x->regions[x->op == OP_while ? 1 : 0];
  int *in = NULL, *out = NULL, *cond_in = NULL, *pass = NULL;
  for (int i = first; i < x->n_in; i++) {
    int b = p->scopes[scope].buf_of[x->in[i]];
    if (i < carried) {
      int cur = result_buf(p, scope, n, i);
      arrput(step.before, plan_kernel_step(plan_copy_group(p, scope, x->in[i], b, cur)));
      b = cur;
    } else if (i < carried + rows) {
      b = row_of(p, b, body->input_types[i]);
    }
    arrput(in, b);
    arrput(cond_in, b);
  }
  int n_out = (int)arrlen(body->outputs);
  for (int i = 0; i < n_out; i++) {
    int r = result_buf(p, scope, n, i);
    if (i < carried) r = p->bufs[r].twin;
    else if (x->op == OP_scan || x->op == OP_vmap) r = row_of(p, r, graph_type(body, body->outputs[i]));
    arrput(out, r);
    arrput(pass, r);
  }
  step.body = plan_body(p, body, in, out);
  if (x->op == OP_while) {
    step.flag = plan_new_buf(p, BUF_ARENA, 0, type_scalar(BOOL), n);
    step.other = plan_body(p, x->regions[0], cond_in, &step.flag);
  }
  if (x->op == OP_cond) step.other = plan_body(p, x->regions[1], cond_in, pass);
  arrfree(in), arrfree(out), arrfree(cond_in), arrfree(pass);
  return step;
}
