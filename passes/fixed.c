/* Values that stay the same from call to call. */
#include "passes/fixed.h"
#include "base/ds.h"

bool fixed_cell(const Entry *e, int cell) {
  if (!e) return true;
  if (e->kind != DNN_EXPORT || !e->exported) return false;
  for (int i = 0; i < arrlen(e->writes); i++)
    if (e->writes[i] == cell) return false;
  return true;
}

static bool fixed_dim(const Graph *g, Dim d) {
  int64_t v;
  return dim_is_int(g->dims, d, &v);
}
bool fixed_size(const Graph *g, NodeId n) { return fixed_dim(g, type_count(g->dims, graph_type(g, n))); }

Fixed fixed_node(const Graph *g, const Entry *e, NodeId n, const uint8_t *of) {
  const Node *d = graph_node(g, n);
  OpClass c = op_info[d->op].cls;
  if (d->type.dtype == TUPLE) return VARIES;
  if (c != MAP && d->op != OP_broadcast && d->op != OP_full && !fixed_size(g, n)) return VARIES;
  if (d->op == OP_cell) return fixed_cell(e, (int)node_int(g, d, A_cell)) ? FIXED : VARIES;
  if (d->op == OP_full || d->op == OP_literal || d->op == OP_iota) return CONSTANT;
  if (d->op == OP_size) return fixed_dim(g, node_dim(d, A_size)) ? CONSTANT : VARIES;
  if (c != MAP && c != VIEW && c != REDUCE && c != CONTRACT) return VARIES;
  Fixed all = CONSTANT;
  for (int k = 0; k < d->n_in; k++) {
    if (of[d->in[k]] == VARIES || (c != MAP && d->op != OP_broadcast && !fixed_size(g, d->in[k]))) return VARIES;
    if (of[d->in[k]] == FIXED) all = FIXED;
  }
  return all;
}
