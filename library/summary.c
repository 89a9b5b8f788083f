#include "library/summary.h"
#include "base/ds.h"

const char *const summary_titles[SUMMARY_COLUMNS] = {"layer", "result", "parameters", "multiply-adds", "bytes"};

const char *summary_dim(Prog *p, Dim d) {
  Buf b = {0};
  dim_print(p->dims, &b, d);
  char *text = arena_strdup(p->arena, b.s ? b.s : "0");
  buf_free(&b);
  return text;
}

/* How often the bodies of a loop run at most; once for other ops, and for a loop without a limit. */
static Dim turns(const Graph *g, const Node *n) {
  if (n->op == OP_scan || n->op == OP_vmap) return node_dim(n, A_length);
  bool limited = n->op == OP_while && !dim_is(g->dims, node_dim(n, A_limit), -1);
  return limited ? node_dim(n, A_limit) : dim_int(g->dims, 1);
}

/* Operations of contractions; of loops as often as they run, of a branch those of its larger arm. */
static Dim contractions(DimTab *t, const Graph *g, NodeId first, NodeId last) {
  Dim sum = dim_int(t, 0);
  for (NodeId k = first; k < last && k < (NodeId)arrlen(g->nodes); k++) {
    const Node *n = graph_node(g, k);
    if (op_info[n->op].cls == CONTRACT) sum = dim_add(t, sum, node_flops(g, k));
    if (op_info[n->op].cls != REGION) continue;
    Dim body = dim_int(t, 0);
    for (int r = 0; r < (n->op == OP_custom_grad ? 1 : n->n_regions); r++) {
      Dim d = contractions(t, n->regions[r], 1, (NodeId)arrlen(n->regions[r]->nodes));
      if (n->op != OP_cond) body = dim_add(t, body, d);
      else if (dim_le(t, body, d) != DIM_NO) body = d;
    }
    sum = dim_add(t, sum, dim_mul(t, turns(g, n), body));
  }
  return sum;
}

Dim summary_multiply_adds(Prog *p, const Graph *g, NodeId first, NodeId last) {
  return dim_floordiv(p->dims, contractions(p->dims, g, first, last), dim_int(p->dims, 2));
}

Dim summary_bytes(Prog *p, Type t) {
  if (t.dtype == TUPLE) return dim_int(p->dims, 0);
  return dim_mul(p->dims, type_count(p->dims, t), dim_int(p->dims, dtype_size(t.dtype)));
}

const char *summary_type(Prog *p, Type t) {
  if (t.dtype == TUPLE) return arena_strdup(p->arena, "(...)");
  Buf b = {0};
  type_print(p->dims, &b, t);
  char *text = arena_strdup(p->arena, b.s);
  buf_free(&b);
  return text;
}

int64_t summary_parameters(const Prog *p) {
  int64_t sum = 0;
  for (int i = 0; i < (int)arrlen(p->cells); i++) {
    int64_t n = 1, axis = 0;
    if (p->cells[i].kind != DNN_PARAM) continue;
    for (int k = 0; k < p->cells[i].type.rank; k++)
      n *= dim_is_int(p->dims, p->cells[i].type.shape[k], &axis) ? axis : 0;
    sum += n;
  }
  return sum;
}

bool summary_shows(const Prog *p, int i) {
  int exports = 0;
  for (int k = 0; k < (int)arrlen(p->entries); k++) exports += p->entries[k].kind == DNN_EXPORT;
  return p->entries[i].kind == (exports ? DNN_EXPORT : DNN_STEP);
}

SummaryRow *summary_rows(Prog *p, const Entry *x) {
  SummaryRow *rows = NULL;
  for (int i = 0; i < (int)arrlen(x->calls); i++) {
    const Call *c = &x->calls[i];
    SummaryRow r = {
        c->depth,
        {arena_printf(p->arena, "%s%s%s%s", c->label, c->path ? " (" : "", c->path ? c->path : "", c->path ? ")" : ""),
         summary_type(p, c->out), arena_printf(p->arena, "%lld", (long long)c->params),
         summary_dim(p, summary_multiply_adds(p, c->graph, c->first, c->last)),
         summary_dim(p, summary_bytes(p, c->out))}};
    arrput(rows, r);
  }
  return rows;
}

const char *summary_head(Prog *p, const Entry *x) {
  Buf b = {0};
  buf_printf(&b, "%s %s(", x->kind == DNN_STEP ? "step" : "fn", x->name);
  for (int i = 0; i < (int)arrlen(x->inputs); i++)
    buf_printf(&b, "%s%s: %s", i ? ", " : "", x->inputs[i].name, summary_type(p, x->inputs[i].type));
  buf_char(&b, ')');
  char *text = arena_strdup(p->arena, b.s);
  buf_free(&b);
  return text;
}

const char *summary_work(Prog *p, const Entry *x) {
  return summary_dim(p, summary_multiply_adds(p, x->graph, 1, (NodeId)arrlen(x->graph->nodes)));
}
