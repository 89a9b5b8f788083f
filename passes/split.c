/* Splits: which axes a reduction folds and a broadcast repeats, so that shapes that differ by reshapes compare equal.
 */
#include "passes/plan_internal.h"

static void add_run(DimTab *t, Split *s, Dim size, bool folded) {
  if (dim_is(t, size, 1)) return;
  if (s->n && s->folded[s->n - 1] == folded) {
    s->size[s->n - 1] = dim_mul(t, s->size[s->n - 1], size);
    return;
  }
  s->size[s->n] = size;
  s->folded[s->n++] = folded;
}

bool folds_axes(const Node *x) {
  if (op_info[x->op].cls != REDUCE) return false;
  for (int i = 0; i < x->n_attrs; i++)
    if (x->attrs[i].key == A_axes) return true;
  return false;
}

bool split_of(const Graph *g, NodeId n, Split *s) {
  const Node *x = graph_node(g, n);
  bool gather = op_info[x->op].cls == GATHER, reduce = gather || folds_axes(x);
  if (!reduce && x->op != OP_broadcast) return false;
  Type narrow = graph_type(g, reduce ? n : x->in[0]), wide = graph_type(g, reduce ? x->in[0] : n);
  int64_t axes[MAX_RANK];
  int n_axes = gather ? 1 : node_ints(g, x, A_axes, axes, MAX_RANK);
  if (gather) axes[0] = node_int(g, x, A_axis);
  if (gather && narrow.rank != wide.rank - 1) return false;
  bool folded[MAX_RANK];
  for (int k = 0; k < wide.rank; k++) folded[k] = !reduce;
  for (int k = 0; k < n_axes; k++) {
    if (reduce) folded[axes[k]] = true;
    else if (k && axes[k] < axes[k - 1]) return false;
    else folded[axes[k]] = narrow.shape[k] != wide.shape[axes[k]];
  }
  *s = (Split){0};
  bool any = false;
  for (int k = 0; k < wide.rank; k++) add_run(g->dims, s, wide.shape[k], folded[k]);
  for (int k = 0; k < s->n; k++) any |= s->folded[k];
  return any;
}

bool split_same(const Split *a, const Split *b) {
  if (a->n != b->n) return false;
  for (int k = 0; k < a->n; k++)
    if (a->size[k] != b->size[k] || a->folded[k] != b->folded[k]) return false;
  return true;
}
