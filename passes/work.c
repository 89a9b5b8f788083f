/* What the groups and steps of a plan cost. */
#include "passes/work.h"
#include "base/ds.h"
#include <math.h>

const Graph *group_graph(const Plan *p, const Group *g) {
  return arrlen(p->scopes) ? p->scopes[g->scope].graph : p->graph;
}

static Dim type_bytes(DimTab *t, Type x) { return dim_mul(t, type_count(t, x), dim_int(t, dtype_size(x.dtype))); }

Dim group_flops(const Plan *p, const Group *g) {
  const Graph *graph = group_graph(p, g);
  Dim sum = dim_int(graph->dims, 0);
  for (int i = 0; i < arrlen(g->nodes); i++) sum = dim_add(graph->dims, sum, node_flops(graph, g->nodes[i]));
  return sum;
}

Dim group_bytes_read(const Plan *p, const Group *g, int buf) {
  const Graph *graph = group_graph(p, g);
  const int *buf_of = arrlen(p->scopes) ? p->scopes[g->scope].buf_of : p->buf_of;
  DimTab *t = graph->dims;
  Dim all = type_bytes(t, p->bufs[buf].type), part = dim_int(t, 0);
  bool any = false;
  for (int i = 0; i < arrlen(g->nodes); i++) {
    const Node *x = graph_node(graph, g->nodes[i]);
    for (int k = 0; k < x->n_in; k++) {
      if (buf_of[x->in[k]] != buf) continue;
      if (x->op != OP_slice && (x->op != OP_gather || k)) return all;
      part = dim_add(t, part, type_bytes(t, x->type));
      any = true;
    }
  }
  return any && dim_le(t, part, all) == DIM_YES ? part : all;
}

Dim group_bytes(const Plan *p, const Group *g) {
  const Graph *graph = group_graph(p, g);
  DimTab *t = graph->dims;
  Dim sum = dim_int(t, 0);
  for (int i = 0; i < arrlen(g->outs); i++) sum = dim_add(t, sum, type_bytes(t, graph_type(graph, g->outs[i].node)));
  for (int i = 0; i < arrlen(g->reads); i++) sum = dim_add(t, sum, group_bytes_read(p, g, g->reads[i]));
  return sum;
}

/* ---- work ---- */

static double at_bound(const DimTab *t, Dim d) {
  int64_t v = dim_upper(t, d);
  return v < 0 ? INFINITY : (double)v;
}

double group_work(const Plan *p, const Group *g) {
  const DimTab *t = group_graph(p, g)->dims;
  return at_bound(t, group_flops(p, g)) + at_bound(t, group_bytes(p, g)) / 4;
}

static double times_of(const Plan *p, const PlanStep *s) {
  const Graph *g = p->scopes[s->scope].graph;
  const Node *x = graph_node(g, s->node);
  return at_bound(g->dims, node_dim(x, x->op == OP_while ? A_limit : A_length));
}

static double step_work(const Plan *p, const PlanStep *s) {
  if (s->kind == PLAN_KERNEL) return group_work(p, &p->groups[s->group]);
  double body = plan_work(p, s->body, (int)arrlen(s->body)), other = plan_work(p, s->other, (int)arrlen(s->other));
  if (s->kind == PLAN_BRANCH) return body > other ? body : other;
  double times = times_of(p, s); /* of nothing there is nothing, however often */
  return plan_work(p, s->before, (int)arrlen(s->before)) + (body + other > 0 ? times * (body + other) : 0);
}

double plan_work(const Plan *p, const PlanStep *steps, int n) {
  double work = 0;
  for (int i = 0; i < n; i++) work += step_work(p, &steps[i]);
  return work;
}
