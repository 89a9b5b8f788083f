/* Indices that cannot be out of range, by what they are made of: positions of largest elements, numbers of an axis,
 * remainders, and what is chosen among such. Their gathers need no check, so that a row is read in whole vectors. */
#include "codegen/lower.h"

typedef struct Range { /* from .. end - 1 */
  int64_t from;
  Dim end;
} Range;

/* Ends are not below 0: the sum of two is not below the larger one. */
static Dim larger(DimTab *d, Dim a, Dim b) {
  if (dim_le(d, a, b) == DIM_YES) return b;
  return dim_le(d, b, a) == DIM_YES ? a : dim_add(d, a, b);
}
static Dim smaller(DimTab *d, Dim a, Dim b) { return dim_le(d, b, a) == DIM_YES ? b : a; }
static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

static bool range_of(const Graph *g, NodeId id, int depth, Range *r);
/* Of one of two operands, or of the smaller or larger one of both. */
static bool range_of_two(const Graph *g, NodeId x, NodeId y, Op op, int depth, Range *r) {
  Range a, b;
  if (!range_of(g, x, depth, &a) || !range_of(g, y, depth, &b)) return false;
  r->from = op == OP_maximum ? most(a.from, b.from) : least(a.from, b.from);
  r->end = op == OP_minimum ? smaller(g->dims, a.end, b.end) : larger(g->dims, a.end, b.end);
  return true;
}

static bool range_of(const Graph *g, NodeId id, int depth, Range *r) {
  const Node *n = graph_node(g, id);
  Type t = graph_type(g, id);
  if (!depth || !dtype_is_int(t.dtype) || dtype_size(t.dtype) < 4) return false;
  switch (n->op) {
  case OP_full: {
    double v = node_num(n, A_value);
    if (v < -1e9 || v > 1e9) return false;
    r->from = (int64_t)v;
    r->end = dim_int(g->dims, most((int64_t)v + 1, 0));
    return true;
  }
  case OP_iota: *r = (Range){0, t.shape[node_int(g, n, A_axis)]}; return true;
  case OP_argmax:
  case OP_argmin:
    *r = (Range){0, graph_type(g, n->in[0]).shape[node_int(g, n, A_axis)]};
    return dim_le(g->dims, dim_int(g->dims, 1), r->end) == DIM_YES;
  case OP_reshape:
  case OP_broadcast:
  case OP_transpose:
  case OP_slice: return range_of(g, n->in[0], depth - 1, r);
  case OP_minimum:
  case OP_maximum: return range_of_two(g, n->in[0], n->in[1], (Op)n->op, depth - 1, r);
  case OP_where: return range_of_two(g, n->in[1], n->in[2], OP_where, depth - 1, r);
  case OP_scatter_set: return range_of_two(g, n->in[0], n->in[2], OP_where, depth - 1, r);
  default: return false;
  }
}

bool index_in_range(const Graph *g, NodeId index, Dim size) {
  enum { DEPTH = 12 };
  Range r;
  return range_of(g, index, DEPTH, &r) && r.from >= 0 && dim_le(g->dims, r.end, size) == DIM_YES;
}
