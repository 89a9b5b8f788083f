/* Rows of simplify for gathers and scatters whose indices are known to be neighbours, in the order of rewrites.def. */
#include "passes/simplify.h"
#define WHEN(name) bool when_##name(const Simplify *s, const Node *d)
#define THEN(name) NodeId then_##name(const Simplify *s, Node d)
#define IN(k) simp_in(s, d, k)

/* The indices of an axis: begin, begin + step, ..; all of them lie within it. */
typedef struct Range {
  Dim begin;
  int64_t step;
  int axis;
} Range;

/* The value of an integer constant. */
static bool whole(const Simplify *s, NodeId n, int64_t *v) {
  const Node *x = graph_node(s->g, n);
  if (x->op != OP_full) return false;
  double w = node_num(x, A_value);
  *v = (int64_t)w;
  return (double)*v == w;
}
/* Index i (rank 1) as a range: made of iota by slices, casts, and sums with constants. */
static bool is_range(const Simplify *s, NodeId i, Range *r) {
  const Node *x = graph_node(s->g, i);
  DimTab *t = s->g->dims;
  int64_t v, step[1];
  if (x->type.rank != 1 || dtype_size(x->type.dtype) < 4) return false;
  switch (x->op) {
  case OP_iota: r->begin = simp_zero(s), r->step = 1; return true;
  case OP_cast: return dtype_is_int(graph_type(s->g, x->in[0]).dtype) && is_range(s, x->in[0], r);
  case OP_add:
  case OP_sub:
    if (!whole(s, x->in[1], &v) || !is_range(s, x->in[0], r)) return false;
    r->begin = dim_add(t, r->begin, dim_int(t, x->op == OP_add ? v : -v));
    return true;
  case OP_slice:
    if (!is_range(s, x->in[0], r)) return false;
    node_ints(s->g, x, A_step, step, 1);
    r->begin = dim_add(t, r->begin, dim_mul(t, node_attr(x, A_start)->dims[0], dim_int(t, r->step)));
    r->step *= step[0];
    return true;
  default: return false;
  }
}
/* The indices of gather or scatter d as a range that is known to lie within the axis. */
static bool indices(const Simplify *s, const Node *d, Range *r) {
  DimTab *t = s->g->dims;
  if (node_int(s->g, d, A_batch) != 0 || !is_range(s, d->in[1], r)) return false;
  r->axis = (int)node_int(s->g, d, A_axis);
  Dim n = IN(1)->type.shape[0], size = IN(0)->type.shape[r->axis];
  Dim end = dim_add(t, r->begin, dim_mul(t, dim_sub(t, n, dim_int(t, 1)), dim_int(t, r->step)));
  Dim low = r->step > 0 ? r->begin : end, high = r->step > 0 ? end : r->begin;
  return dim_le(t, simp_zero(s), low) == DIM_YES && dim_le(t, dim_add(t, high, dim_int(t, 1)), size) == DIM_YES;
}

WHEN(gather_range) {
  Range r;
  return d->op == OP_gather && indices(s, d, &r);
}
THEN(gather_range) {
  Range r = {0};
  (void)indices(s, &d, &r); /* as WHEN has seen */
  Dim start[MAX_RANK];
  int64_t step[MAX_RANK];
  for (int k = 0; k < d.type.rank; k++) start[k] = simp_zero(s), step[k] = 1;
  start[r.axis] = r.begin, step[r.axis] = r.step;
  return g_slice(s->g, d.loc, d.in[0], start, step, d.type.shape);
}

/* u in its place of something of d's shape, which is `v` elsewhere. */
static NodeId placed(const Simplify *s, Node d, Range r, double v) {
  Dim low[MAX_RANK];
  for (int k = 0; k < d.type.rank; k++) low[k] = simp_zero(s);
  low[r.axis] = r.begin;
  return g_pad(s->g, d.loc, d.in[2], low, d.type.shape, v);
}
WHEN(scatter_set_range) {
  Range r;
  if (!indices(s, d, &r) || r.step != 1) return false;
  return shape_same(IN(2)->type, d->type) || simp_is(s, d, 0, OP_full);
}
THEN(scatter_set_range) {
  Range r;
  if (!indices(s, &d, &r)) return 0;
  if (shape_same(graph_type(s->g, d.in[2]), d.type)) return d.in[2];
  return placed(s, d, r, node_num(simp_in(s, &d, 0), A_value));
}
WHEN(scatter_add_range) {
  Range r;
  if (!indices(s, d, &r) || r.step != 1) return false;
  return shape_same(IN(2)->type, d->type) || simp_full(s, d, 0, 0.0);
}
THEN(scatter_add_range) {
  Range r;
  if (!indices(s, &d, &r)) return 0;
  if (simp_full(s, &d, 0, 0.0)) return placed(s, d, r, 0.0);
  return g_map2(s->g, OP_add, d.loc, d.in[0], d.in[2]);
}

static bool compares(Op op) {
  return op == OP_eq || op == OP_ne || op == OP_lt || op == OP_le || op == OP_gt || op == OP_ge;
}
WHEN(compare_self) { return compares((Op)d->op) && d->in[0] == d->in[1] && dtype_is_int(IN(0)->type.dtype); }
THEN(compare_self) {
  bool yes = d.op == OP_eq || d.op == OP_le || d.op == OP_ge;
  return g_full(s->g, d.loc, yes, d.type);
}
