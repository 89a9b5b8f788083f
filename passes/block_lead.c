/* Where the axes of a block are from node to node; see block.c. */
#include "base/ds.h"
#include "passes/block.h"

static bool same_size(const Graph *g, Dim a, Dim b) { return a == b || dim_eq(g->dims, a, b) == DIM_YES; }

/* The axis of `to` that is axis `at` of `from`, two shapes of the same elements in row-major order; -1: none. */
static int through_reshape(const Graph *g, Type from, int at, Type to) {
  Dim before = dim_int(g->dims, 1), seen = before;
  for (int k = 0; k < at; k++) before = dim_mul(g->dims, before, from.shape[k]);
  for (int k = 0; k < to.rank; k++) {
    if (seen == before && same_size(g, to.shape[k], from.shape[at]) && !dim_is(g->dims, to.shape[k], 1)) return k;
    seen = dim_mul(g->dims, seen, to.shape[k]);
  }
  return -1;
}

/* Slices and pads that leave an axis as it is. */
static bool whole_axis(const Graph *g, const Node *x, int axis) {
  Dim had = graph_type(g, x->in[0]).shape[axis];
  const Attr *from = node_attr(x, x->op == OP_slice ? A_start : A_low);
  int64_t step[MAX_RANK];
  if (x->op == OP_slice) {
    node_ints(g, x, A_step, step, MAX_RANK);
    if (step[axis] != 1) return false;
  }
  return dim_is(g->dims, from->dims[axis], 0) && same_size(g, had, x->type.shape[axis]);
}

static int find(const int64_t *list, int n, int64_t v) {
  for (int i = 0; i < n; i++)
    if (list[i] == v) return i;
  return -1;
}

static int operand_axis(const Graph *g, const Node *x, int axis, int k) {
  int64_t v[MAX_RANK], w[MAX_RANK];
  if (op_info[x->op].cls == MAP) return axis;
  switch (x->op) {
  case OP_transpose: node_ints(g, x, A_perm, v, MAX_RANK); return (int)v[axis];
  case OP_reshape: return through_reshape(g, x->type, axis, graph_type(g, x->in[0]));
  case OP_broadcast: {
    int n = node_ints(g, x, A_axes, v, MAX_RANK), at = find(v, n, axis);
    return at >= 0 && same_size(g, graph_type(g, x->in[0]).shape[at], x->type.shape[axis]) ? at : -1;
  }
  case OP_slice:
  case OP_pad: return whole_axis(g, x, axis) ? axis : -1;
  case OP_dot: {
    node_ints(g, x, A_ly, v, MAX_RANK);
    int n = node_ints(g, x, k ? A_lb : A_la, w, MAX_RANK);
    return find(w, n, v[axis]);
  }
  case OP_sum:
  case OP_prod:
  case OP_reduce_max:
  case OP_reduce_min: {
    int n = node_ints(g, x, A_axes, v, MAX_RANK), left = axis;
    for (int i = 0; i < graph_type(g, x->in[0]).rank; i++)
      if (find(v, n, i) < 0 && left-- == 0) return i;
    return -1;
  }
  case OP_argmax:
  case OP_argmin: return axis + (axis >= node_int(g, x, A_axis));
  case OP_gather: return axis < node_int(g, x, A_batch) ? axis : -1;
  default: return -1;
  }
}

int lead_axes_of_operand(const Graph *g, NodeId n, const Lead *lead, int count, int k, Lead *out) {
  int found = 0;
  for (int i = 0; i < count && i < MAX_LEAD; i++) {
    out->axis[i] = (int8_t)operand_axis(g, graph_node(g, n), lead->axis[i], k);
    found += out->axis[i] >= 0;
  }
  return found;
}
bool lead_of_operand(const Graph *g, NodeId n, const Lead *lead, int count, int k, Lead *out) {
  return lead_axes_of_operand(g, n, lead, count, k, out) == count;
}

bool lead_of_user(const Graph *g, NodeId n, int k, const Lead *lead, int count, Lead *out) {
  const Node *x = graph_node(g, n);
  for (int i = 0; i < count && i < MAX_LEAD; i++) {
    int at = -1;
    for (int axis = 0; axis < x->type.rank && at < 0; axis++)
      if (operand_axis(g, x, axis, k) == lead->axis[i]) at = axis;
    if (at < 0) return false;
    out->axis[i] = (int8_t)at;
  }
  return true;
}

bool block_member_kind(const Graph *g, NodeId n) {
  const Node *x = graph_node(g, n);
  OpClass c = op_info[x->op].cls;
  if (x->op == OP_gather) return node_int(g, x, A_batch) > 0;
  return c == MAP || x->op == OP_dot || c == REDUCE;
}
