/* Rows of simplify for reductions and contractions, in the order of rewrites.def. */
#include "base/ds.h"
#include "passes/simplify.h"
#include <math.h>
#define WHEN(name) bool when_##name(const Simplify *s, const Node *d)
#define THEN(name) NodeId then_##name(const Simplify *s, Node d)
#define IS(k, op) simp_is(s, d, k, OP_##op)
#define IN(k) simp_in(s, d, k)

static bool has(const int64_t *v, int n, int64_t x) {
  for (int k = 0; k < n; k++)
    if (v[k] == x) return true;
  return false;
}

static bool folds_units(const Simplify *s, const Node *d) {
  int64_t axes[MAX_RANK];
  int n = node_ints(s->g, d, A_axes, axes, MAX_RANK);
  for (int k = 0; k < n; k++)
    if (!simp_dim(s, IN(0)->type.shape[axes[k]], 1)) return false;
  return true;
}
static NodeId without_units(const Simplify *s, Node d) { return simp_shaped(s, d.loc, d.in[0], d.type); }

WHEN(sum_unit) { return folds_units(s, d); }
THEN(sum_unit) { return without_units(s, d); }

static bool is_fold(Op op) { return op == OP_prod || op == OP_reduce_max || op == OP_reduce_min; }
WHEN(fold_unit) { return is_fold((Op)d->op) && folds_units(s, d); }
THEN(fold_unit) { return without_units(s, d); }

Dim simp_folded_count(const Simplify *s, const Node *d) {
  int64_t axes[MAX_RANK];
  int n = node_ints(s->g, d, A_axes, axes, MAX_RANK);
  Dim count = dim_int(s->g->dims, 1);
  for (int k = 0; k < n; k++) count = dim_mul(s->g->dims, count, IN(0)->type.shape[axes[k]]);
  return count;
}
/* Without elements there is nothing that could be infinite: this row stands before those that multiply sums. */
WHEN(sum_empty) { return simp_dim(s, simp_folded_count(s, d), 0); }
THEN(sum_empty) { return g_full(s->g, d.loc, 0, d.type); }
static Dim contracted_count(const Simplify *s, const Node *d) {
  int64_t la[MAX_RANK], y[MAX_RANK];
  int n = node_ints(s->g, d, A_la, la, MAX_RANK), ny = node_ints(s->g, d, A_ly, y, MAX_RANK);
  Dim count = dim_int(s->g->dims, 1);
  for (int j = 0; j < n; j++)
    if (!has(y, ny, la[j])) count = dim_mul(s->g->dims, count, IN(0)->type.shape[j]);
  return count;
}
WHEN(dot_empty) { return simp_dim(s, contracted_count(s, d), 0); }
THEN(dot_empty) { return g_full(s->g, d.loc, 0, d.type); }

/* r, which a sum of `count` terms is multiplied with or divided by; any number, not infinite, where there are no terms:
 * their sum stays 0. */
static NodeId unless_empty(const Simplify *s, Loc loc, Dim count, NodeId r) {
  Graph *g = s->g;
  Type t = graph_type(g, r), one = {t.dtype, 0, NULL};
  const Node *x = graph_node(g, r);
  if (!dtype_is_float(t.dtype) || dim_lower(g->dims, count) > 0) return r;
  if (x->op == OP_full && isfinite(node_num(x, A_value)) && node_num(x, A_value) != 0) return r;
  Dim size = x->op == OP_size ? node_dim(x, A_size) : DIM_NONE;
  if (size && dim_lower(g->dims, size) >= 0) {
    Dim unit = dim_int(g->dims, 1), empty = dim_floordiv(g->dims, unit, dim_add(g->dims, count, unit));
    return g_size(g, loc, dim_add(g->dims, size, empty), t.dtype);
  }
  NodeId empty = g_map2(g, OP_eq, loc, g_size(g, loc, count, t.dtype), g_full(g, loc, 0, one));
  empty = g_broadcast(g, loc, empty, t.rank, t.shape, NULL);
  return g_where(g, loc, empty, g_full(g, loc, 1, t), r);
}

WHEN(sum_full) {
  int64_t n;
  return IS(0, full) && dim_is_int(s->g->dims, simp_folded_count(s, d), &n);
}
THEN(sum_full) {
  int64_t n = 1;
  const Node *a = simp_in(s, &d, 0);
  dim_is_int(s->g->dims, simp_folded_count(s, &d), &n);
  return g_full(s->g, d.loc, node_num(a, A_value) * (double)n, d.type);
}

WHEN(sum_sum) { return IS(0, sum); }
THEN(sum_sum) {
  Node a = *simp_in(s, &d, 0);
  int64_t outer[MAX_RANK], in[MAX_RANK];
  int no = node_ints(s->g, &d, A_axes, outer, MAX_RANK), ni = node_ints(s->g, &a, A_axes, in, MAX_RANK);
  int all[MAX_RANK], n = 0, rank = graph_type(s->g, a.in[0]).rank;
  for (int k = 0, at = 0; k < rank; k++) {
    bool gone = has(in, ni, k);
    if (gone || has(outer, no, at)) all[n++] = k;
    at += !gone;
  }
  return g_reduce(s->g, OP_sum, d.loc, a.in[0], all, n);
}

/* Is axis j of a broadcast one that no axis of its operand stands on? */
static bool repeated(const Simplify *s, const Node *b, int64_t j) {
  int64_t axes[MAX_RANK];
  return !has(axes, node_ints(s->g, b, A_axes, axes, MAX_RANK), j);
}
WHEN(sum_broadcast) {
  if (!IS(0, broadcast)) return false;
  int64_t axes[MAX_RANK];
  int n = node_ints(s->g, d, A_axes, axes, MAX_RANK);
  for (int k = 0; k < n; k++)
    if (repeated(s, IN(0), axes[k])) return true;
  return false;
}
/* broadcast without the summed repeated axes, summed over the summed others, times their count */
THEN(sum_broadcast) {
  Node b = *simp_in(s, &d, 0);
  int64_t axes[MAX_RANK], from[MAX_RANK];
  int n = node_ints(s->g, &d, A_axes, axes, MAX_RANK), rank = node_ints(s->g, &b, A_axes, from, MAX_RANK);
  int place[MAX_RANK], over[MAX_RANK], n_over = 0, at = 0, now[MAX_RANK];
  Dim shape[MAX_RANK], count = dim_int(s->g->dims, 1);
  for (int j = 0; j < b.type.rank; j++) {
    bool summed = has(axes, n, j), gone = summed && !has(from, rank, j);
    if (gone) count = dim_mul(s->g->dims, count, b.type.shape[j]);
    if (summed && !gone) over[n_over++] = at;
    place[j] = at;
    if (!gone) shape[at++] = b.type.shape[j];
  }
  for (int k = 0; k < rank; k++) now[k] = place[from[k]];
  NodeId small = g_broadcast(s->g, b.loc, b.in[0], at, shape, now);
  NodeId y = n_over ? g_reduce(s->g, OP_sum, d.loc, small, over, n_over) : small;
  y = unless_empty(s, d.loc, count, y);
  return g_map2(s->g, OP_mul, d.loc, y, g_size(s->g, d.loc, count, d.type.dtype));
}

WHEN(sum_neg) { return IS(0, neg); }
THEN(sum_neg) {
  int64_t axes[MAX_RANK];
  int over[MAX_RANK], n = node_ints(s->g, &d, A_axes, axes, MAX_RANK);
  for (int k = 0; k < n; k++) over[k] = (int)axes[k];
  return g_map1(s->g, OP_neg, d.loc, g_reduce(s->g, OP_sum, d.loc, simp_in(s, &d, 0)->in[0], over, n));
}

bool simp_same_along(const Simplify *s, const Node *d, NodeId v) {
  const Node *x = graph_node(s->g, v);
  int64_t axes[MAX_RANK], from[MAX_RANK];
  int n = node_ints(s->g, d, A_axes, axes, MAX_RANK);
  if (x->op == OP_full) return true;
  if (x->op != OP_broadcast) return false;
  int rank = node_ints(s->g, x, A_axes, from, MAX_RANK);
  for (int k = 0; k < rank; k++)
    if (has(axes, n, from[k]) && !simp_dim(s, graph_type(s->g, x->in[0]).shape[k], 1)) return false;
  return true;
}
NodeId simp_value_along(const Simplify *s, const Node *d, NodeId v) {
  Node x = *graph_node(s->g, v);
  Dim count = simp_folded_count(s, d);
  if (x.op == OP_full) return unless_empty(s, d->loc, count, g_full(s->g, d->loc, node_num(&x, A_value), d->type));
  int64_t axes[MAX_RANK], from[MAX_RANK];
  int n = node_ints(s->g, d, A_axes, axes, MAX_RANK), rank = node_ints(s->g, &x, A_axes, from, MAX_RANK);
  int place[MAX_RANK], to[MAX_RANK], at = 0, kept = 0;
  for (int j = 0; j < x.type.rank; j++) {
    place[j] = at;
    at += !has(axes, n, j);
  }
  Type a = graph_type(s->g, x.in[0]);
  Dim shape[MAX_RANK];
  for (int k = 0; k < rank; k++) {
    if (has(axes, n, from[k])) continue;
    shape[kept] = a.shape[k];
    to[kept++] = place[from[k]];
  }
  NodeId r = simp_shaped(s, d->loc, x.in[0], (Type){a.dtype, kept, shape});
  return g_broadcast(s->g, d->loc, unless_empty(s, d->loc, count, r), d->type.rank, d->type.shape, to);
}

/* The operand of a product or quotient that is the same along what d sums, in v or in one of its factors. */
static NodeId common_factor(const Simplify *s, const Node *d, NodeId v, int depth) {
  const Node *x = graph_node(s->g, v);
  if (x->op != OP_mul && x->op != OP_div) return 0;
  for (int k = x->op == OP_div; k < 2; k++)
    if (simp_same_along(s, d, x->in[k])) return x->in[k];
  NodeId r = 0;
  for (int k = 0; k < 2 && depth && !r && (k == 0 || x->op == OP_mul); k++)
    r = common_factor(s, d, x->in[k], depth - 1);
  return r;
}
/* v without that operand; *divided: it was a divisor. */
static NodeId without_factor(const Simplify *s, const Node *d, NodeId v, bool *divided) {
  Node x = *graph_node(s->g, v);
  for (int k = x.op == OP_div; k < 2; k++)
    if (simp_same_along(s, d, x.in[k])) {
      *divided = x.op == OP_div;
      return x.in[1 - k];
    }
  int k = common_factor(s, d, x.in[0], 0) ? 0 : 1;
  NodeId in[2] = {x.in[0], x.in[1]};
  in[k] = without_factor(s, d, x.in[k], divided);
  return g_map2(s->g, (Op)x.op, d->loc, in[0], in[1]);
}
WHEN(sum_scaled) {
  return dtype_is_float(d->type.dtype) && dtype_size(d->type.dtype) >= 4 && common_factor(s, d, d->in[0], 1) != 0;
}
THEN(sum_scaled) {
  int64_t axes[MAX_RANK];
  int over[MAX_RANK], n = node_ints(s->g, &d, A_axes, axes, MAX_RANK);
  for (int k = 0; k < n; k++) over[k] = (int)axes[k];
  NodeId r = common_factor(s, &d, d.in[0], 1);
  if (!r) return 0;
  bool divided = false;
  NodeId a = without_factor(s, &d, d.in[0], &divided), y = g_reduce(s->g, OP_sum, d.loc, a, over, n);
  return g_map2(s->g, divided ? OP_div : OP_mul, d.loc, y, simp_value_along(s, &d, r));
}

/* dot over operand k without the view on it: its labels become `l`. */
static NodeId relabel(const Simplify *s, Node d, int k, NodeId a, const int64_t *l, int n) {
  NodeId in[2] = {d.in[0], d.in[1]};
  in[k] = a;
  Attr attrs[3] = {*node_attr(&d, A_la), *node_attr(&d, A_lb), *node_attr(&d, A_ly)};
  attrs[k] = attr_ints(s->g, k ? A_lb : A_la, l, n);
  return graph_add(s->g, OP_dot, d.loc, in, 2, attrs, 3, NULL);
}

/* Which operand of node v, a product or quotient, is one number for all elements; -1: none, or what it scales is a
 * parameter, which `prepare` can do once. */
static int number_in(const Simplify *s, NodeId v) {
  const Node *x = graph_node(s->g, v);
  if (x->op != OP_mul && x->op != OP_div) return -1;
  if (graph_node(s->g, x->in[0])->op == OP_cell) return -1;
  for (int k = 1; k >= (x->op == OP_div); k--) {
    const Node *r = graph_node(s->g, x->in[k]);
    if (r->op == OP_full || (r->op == OP_broadcast && graph_type(s->g, r->in[0]).rank == 0)) return k;
  }
  return -1;
}
WHEN(dot_scaled) {
  if (!dtype_is_float(d->type.dtype) || dtype_size(d->type.dtype) < 4) return false;
  return number_in(s, d->in[0]) >= 0 || number_in(s, d->in[1]) >= 0;
}
THEN(dot_scaled) {
  int k = number_in(s, d.in[0]) >= 0 ? 0 : 1, n = number_in(s, d.in[k]);
  if (n < 0) return 0;
  const Node x = *simp_in(s, &d, k), r = *graph_node(s->g, x.in[n]);
  Dim count = contracted_count(s, &d);
  NodeId in[2] = {d.in[0], d.in[1]};
  in[k] = x.in[1 - n];
  NodeId y = graph_add(s->g, OP_dot, d.loc, in, 2, d.attrs, d.n_attrs, NULL), all;
  if (r.op == OP_full) all = unless_empty(s, d.loc, count, g_full(s->g, d.loc, node_num(&r, A_value), d.type));
  else all = g_broadcast(s->g, d.loc, unless_empty(s, d.loc, count, r.in[0]), d.type.rank, d.type.shape, NULL);
  return g_map2(s->g, (Op)x.op, d.loc, y, all);
}

WHEN(dot_transpose) { return IS(0, transpose) || IS(1, transpose); }
THEN(dot_transpose) {
  int k = simp_is(s, &d, 0, OP_transpose) ? 0 : 1;
  const Node *t = simp_in(s, &d, k);
  int64_t perm[MAX_RANK], l[MAX_RANK], now[MAX_RANK];
  int rank = node_ints(s->g, t, A_perm, perm, MAX_RANK);
  node_ints(s->g, &d, k ? A_lb : A_la, l, MAX_RANK);
  for (int j = 0; j < rank; j++) now[perm[j]] = l[j];
  return relabel(s, d, k, t->in[0], now, rank);
}

/* Each row gets one element, so none is added to another; a gather at the same indices reports those out of range. */
WHEN(scatter_one) {
  if (!simp_full(s, d, 0, 0.0) || IN(1)->type.rank != node_int(s->g, d, A_batch)) return false;
  int64_t axis = node_int(s->g, d, A_axis);
  Dim size = d->type.shape[axis];
  for (NodeId n = d->in[1] + 1; n < (NodeId)arrlen(s->g->nodes); n++) {
    const Node *x = graph_node(s->g, n);
    if (x->op != OP_gather || x->in[1] != d->in[1]) continue;
    if (graph_type(s->g, x->in[0]).shape[node_int(s->g, x, A_axis)] == size) return true;
  }
  return false;
}
THEN(scatter_one) {
  int axes[MAX_RANK], rest[MAX_RANK], axis = (int)node_int(s->g, &d, A_axis), n = 0;
  Type t = d.type;
  for (int k = 0; k < t.rank; k++) {
    axes[k] = k;
    if (k != axis) rest[n++] = k;
  }
  NodeId i = d.in[1];
  if (dtype_size(graph_type(s->g, i).dtype) < 4) i = g_cast(s->g, d.loc, i, I32);
  Type at = {graph_type(s->g, i).dtype, t.rank, t.shape};
  NodeId here = g_iota(s->g, d.loc, at, axis), there = g_broadcast(s->g, d.loc, i, t.rank, t.shape, axes);
  NodeId mask = g_map2(s->g, OP_eq, d.loc, here, there);
  NodeId u = g_broadcast(s->g, d.loc, d.in[2], t.rank, t.shape, rest);
  return g_where(s->g, d.loc, mask, u, d.in[0]);
}

WHEN(dot_outer) {
  int64_t la[MAX_RANK], y[MAX_RANK];
  int n = node_ints(s->g, d, A_la, la, MAX_RANK), ny = node_ints(s->g, d, A_ly, y, MAX_RANK);
  for (int j = 0; j < n; j++)
    if (!has(y, ny, la[j])) return false;
  return true;
}
/* Operand k with its labels in the order they have in y, stretched to y. */
static NodeId laid_out(const Simplify *s, Node d, int k) {
  int64_t l[MAX_RANK], y[MAX_RANK];
  int n = node_ints(s->g, &d, k ? A_lb : A_la, l, MAX_RANK), ny = node_ints(s->g, &d, A_ly, y, MAX_RANK);
  int perm[MAX_RANK], axes[MAX_RANK], at = 0;
  for (int j = 0; j < ny; j++)
    for (int i = 0; i < n; i++)
      if (l[i] == y[j]) perm[at] = i, axes[at++] = j;
  NodeId a = g_transpose(s->g, d.loc, d.in[k], perm);
  return g_broadcast(s->g, d.loc, a, d.type.rank, d.type.shape, axes);
}
THEN(dot_outer) {
  NodeId a = laid_out(s, d, 0), b = laid_out(s, d, 1);
  return g_map2(s->g, OP_mul, d.loc, a, b);
}

/* Every label that operand k only repeats stands in the other operand and in y; no axis is stretched from 1. */
static bool repeats_elsewhere(const Simplify *s, const Node *d, int k) {
  if (simp_in(s, d, k)->op != OP_broadcast) return false;
  const Node *b = IN(k);
  int64_t l[MAX_RANK], other[MAX_RANK], y[MAX_RANK], axes[MAX_RANK];
  int n = node_ints(s->g, d, k ? A_lb : A_la, l, MAX_RANK), ny = node_ints(s->g, d, A_ly, y, MAX_RANK);
  int no = node_ints(s->g, d, k ? A_la : A_lb, other, MAX_RANK), na = node_ints(s->g, b, A_axes, axes, MAX_RANK);
  for (int i = 0; i < na; i++)
    if (graph_type(s->g, b->in[0]).shape[i] != b->type.shape[axes[i]]) return false;
  for (int j = 0; j < n; j++)
    if (!has(axes, na, j) && !(has(other, no, l[j]) && has(y, ny, l[j]))) return false;
  return true;
}
WHEN(dot_broadcast) { return repeats_elsewhere(s, d, 0) || repeats_elsewhere(s, d, 1); }
THEN(dot_broadcast) {
  int k = repeats_elsewhere(s, &d, 0) ? 0 : 1;
  const Node *b = simp_in(s, &d, k);
  int64_t l[MAX_RANK], now[MAX_RANK], axes[MAX_RANK];
  int na = node_ints(s->g, b, A_axes, axes, MAX_RANK);
  node_ints(s->g, &d, k ? A_lb : A_la, l, MAX_RANK);
  for (int i = 0; i < na; i++) now[i] = l[axes[i]];
  return relabel(s, d, k, b->in[0], now, na);
}
