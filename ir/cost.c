/* Operations and bytes of a node, from the table's column `flops`. */
#include "base/ds.h"
#include "ir/ir.h"

static Dim prod(DimTab *t, Type ty, int from, int to) {
  Dim d = dim_int(t, 1);
  for (int i = from; i < to; i++) d = dim_mul(t, d, ty.shape[i]);
  return d;
}

/* Elements combined by a dot: every label once. */
static Dim dot_terms(const Graph *g, const Node *n) {
  DimTab *t = g->dims;
  Type a = graph_type(g, n->in[0]), b = graph_type(g, n->in[1]);
  const Attr *la = node_attr(n, A_la), *lb = node_attr(n, A_lb);
  Dim d = type_count(t, a);
  for (int i = 0; i < b.rank; i++) {
    bool in_a = false;
    for (int j = 0; j < a.rank; j++) in_a |= la->dims[j] == lb->dims[i];
    if (!in_a) d = dim_mul(t, d, b.shape[i]);
  }
  return d;
}

/* Multiply-adds of conv(x, w) = y: elements of y times those of one filter w[o]. */
static Dim conv_terms(const Graph *g, const Node *n) {
  Type y = n->type, w = n->type;
  if (n->op == OP_conv) w = graph_type(g, n->in[1]);
  else if (n->op == OP_conv_dx) y = graph_type(g, n->in[0]), w = graph_type(g, n->in[1]);
  else y = graph_type(g, n->in[1]);
  return dim_mul(g->dims, type_count(g->dims, y), prod(g->dims, w, 1, w.rank));
}

static Dim region_flops(const Graph *r) {
  Dim sum = dim_int(r->dims, 0);
  for (NodeId i = 1; i < (NodeId)arrlen(r->nodes); i++) sum = dim_add(r->dims, sum, node_flops(r, i));
  return sum;
}

/* Loops count their trips (a while its limit, or one trip without), branches the dearer side where that is known. */
static Dim control_flops(const Graph *g, const Node *n) {
  DimTab *t = g->dims;
  Dim one = region_flops(n->regions[0]);
  if (n->op == OP_scan || n->op == OP_vmap) return dim_mul(t, node_dim(n, A_length), one);
  if (n->op == OP_while) {
    Dim limit = node_dim(n, A_limit), turn = dim_add(t, one, region_flops(n->regions[1]));
    return dim_is(t, limit, -1) ? turn : dim_mul(t, limit, turn);
  }
  if (n->op == OP_cond) {
    Dim other = region_flops(n->regions[1]);
    return dim_le(t, one, other) == DIM_YES ? other : one;
  }
  return one;
}

Dim node_flops(const Graph *g, NodeId id) {
  const Node *n = graph_node(g, id);
  DimTab *t = g->dims;
  Dim each = dim_int(t, op_info[n->op].flops), terms;
  switch (op_info[n->op].cls) {
  case MAP: terms = type_count(t, n->type); break;
  case REDUCE: terms = type_count(t, graph_type(g, n->in[0])); break;
  case CONTRACT: terms = n->op == OP_dot ? dot_terms(g, n) : conv_terms(g, n); break;
  case WINDOW: {
    const Attr *window = node_attr(n, A_window);
    terms = type_count(t, n->op == OP_max_pool_dx ? graph_type(g, n->in[0]) : n->type);
    for (uint32_t i = 0; i < window->n; i++) terms = dim_mul(t, terms, window->dims[i]);
    break;
  }
  case SCATTER: terms = type_count(t, graph_type(g, n->in[2])); break;
  case CALL:
    terms = dim_int(t, 0);
    for (int i = 0; i < n->n_in; i++) terms = dim_add(t, terms, type_count(t, graph_type(g, n->in[i])));
    if (op_info[n->op].flags & FLOAT)
      terms = dim_mul(t, terms,
                      prod(t, graph_type(g, n->in[0]), graph_type(g, n->in[0]).rank - 1, graph_type(g, n->in[0]).rank));
    break;
  case LEAF: terms = type_count(t, n->type); break;
  case REGION: return control_flops(g, n);
  default: return dim_int(t, 0);
  }
  return dim_mul(t, each, terms);
}

static Dim bytes_of(const Graph *g, Type t) {
  return dim_mul(g->dims, dim_int(g->dims, dtype_size(t.dtype)), type_count(g->dims, t));
}

Dim node_bytes(const Graph *g, NodeId id) {
  const Node *n = graph_node(g, id);
  Dim sum = dim_int(g->dims, 0);
  for (int i = 0; i < n->n_in; i++) sum = dim_add(g->dims, sum, bytes_of(g, graph_type(g, n->in[i])));
  if (n->type.dtype != TUPLE) return dim_add(g->dims, sum, bytes_of(g, n->type));
  for (int i = 0; i < n->n_results; i++) sum = dim_add(g->dims, sum, bytes_of(g, n->results[i]));
  return sum;
}
