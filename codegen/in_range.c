/* What is known of values by what they are made of.
 * Indices that cannot be out of range, by what they are made of: positions of largest elements, numbers of an axis,
 * remainders, and what is chosen among such. Their gathers need no check, so that a row is read in whole vectors. */
#include "codegen/lower.h"
#include <string.h>

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

/* Is `row` at least the largest element of x's rows, whose axes `axes` of x are? */
static bool tops_rows(const Graph *g, NodeId row, NodeId x, const int64_t *axes, int n_axes, int depth) {
  const Node *n = graph_node(g, row);
  if (!depth) return false;
  if (n->op == OP_stop_gradient) return tops_rows(g, n->in[0], x, axes, n_axes, depth - 1);
  if (n->op == OP_maximum)
    return tops_rows(g, n->in[0], x, axes, n_axes, depth - 1) || tops_rows(g, n->in[1], x, axes, n_axes, depth - 1);
  if (n->op != OP_reduce_max || n->in[0] != x) return false;
  int64_t folded[MAX_RANK];
  int n_folded = node_ints(g, n, A_axes, folded, MAX_RANK);
  if (n_folded + n_axes != graph_type(g, x).rank) return false;
  for (int i = 0; i < n_folded; i++)
    for (int k = 0; k < n_axes; k++)
      if (folded[i] == axes[k]) return false;
  for (int k = 1; k < n_axes; k++)
    if (axes[k - 1] >= axes[k]) return false;
  return true;
}
/* Is each element of `top` at least that of x, where neither is NaN? */
static bool tops(const Graph *g, NodeId top, NodeId x, int depth) {
  const Node *n = graph_node(g, top);
  int64_t axes[MAX_RANK];
  if (top == x) return true;
  if (!depth) return false;
  switch (n->op) {
  case OP_stop_gradient: return tops(g, n->in[0], x, depth - 1);
  case OP_maximum: return tops(g, n->in[0], x, depth - 1) || tops(g, n->in[1], x, depth - 1);
  case OP_broadcast: {
    int n_axes = node_ints(g, n, A_axes, axes, MAX_RANK);
    return tops_rows(g, n->in[0], x, axes, n_axes, depth - 1);
  }
  default: return false;
  }
}
bool never_positive(const Graph *g, NodeId id) {
  enum { DEPTH = 4 };
  const Node *n = graph_node(g, id), *x = graph_node(g, n->op == OP_neg ? n->in[0] : id);
  if (n->op == OP_neg) return x->op == OP_abs || (x->op == OP_mul && x->in[0] == x->in[1]);
  return n->op == OP_sub && tops(g, n->in[1], n->in[0], DEPTH);
}

/* Do the rows of x, along `axes`, hold a 0 and nothing above it, or NaN: y less the largest of the row? */
static bool reaches_0(const Graph *g, NodeId id, const int64_t *axes, int n_axes) {
  const Node *n = graph_node(g, id);
  if (n->op != OP_sub) return false;
  const Node *top = graph_node(g, n->in[1]);
  while (top->op == OP_stop_gradient) top = graph_node(g, top->in[0]);
  int64_t kept[MAX_RANK], folded[MAX_RANK];
  if (top->op != OP_broadcast) return false;
  int n_kept = node_ints(g, top, A_axes, kept, MAX_RANK);
  const Node *most = graph_node(g, top->in[0]);
  while (most->op == OP_stop_gradient) most = graph_node(g, most->in[0]);
  if (most->op != OP_reduce_max || !tops_rows(g, top->in[0], n->in[0], kept, n_kept, 4)) return false;
  int n_folded = node_ints(g, most, A_axes, folded, MAX_RANK);
  return n_folded == n_axes && !memcmp(folded, axes, (size_t)n_axes * sizeof *axes);
}
/* A root of any number of f32 is 0, or from 2^-75 to 2^64; a sum of as many e^x as fit a memory is below 2^60. */
static bool moderate(const Graph *g, NodeId id, int depth) {
  const Node *n = graph_node(g, id);
  int64_t axes[MAX_RANK];
  if (!depth) return false;
  switch (n->op) {
  case OP_broadcast:
  case OP_reshape:
  case OP_transpose:
  case OP_stop_gradient: return moderate(g, n->in[0], depth - 1);
  case OP_sqrt: return true;
  case OP_full: return node_num(n, A_value) >= 0x1p-75 && node_num(n, A_value) <= 0x1p75;
  case OP_add:
  case OP_maximum:
  case OP_minimum: return moderate(g, n->in[0], depth - 1) && moderate(g, n->in[1], depth - 1);
  case OP_sum: {
    const Node *e = graph_node(g, n->in[0]);
    return e->op == OP_exp && reaches_0(g, e->in[0], axes, node_ints(g, n, A_axes, axes, MAX_RANK));
  }
  default: return false;
  }
}
bool is_moderate(const Graph *g, NodeId id) {
  enum { DEPTH = 8 };
  return moderate(g, id, DEPTH);
}
