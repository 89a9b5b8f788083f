/* turn: values between products get the order of axes that gives the products the least work beside multiplying.
 *
 *   before  h = max(dot(w, x) + b, 0) : [out, batch]; y = dot(h, v)       after  h : [batch, out]
 *
 * A product takes vectors along the last axis of its result from the operand that has this axis. Where another axis is
 * the operand's last, the operand is transposed while it is packed; where the size of the axis is known at run time
 * only, its columns come one by one and what is left of a vector is idle. Values of two axes that products and
 * element-wise nodes make, and that products, element-wise nodes, reductions and transposes read, may have either
 * order: what hangs together takes the other one when that is less work for all products beside it.
 * Why here: behind resimplify, when products have taken the transposes in.
 * Needs: an expanded graph. Keeps: values; sums may have another order. Breaks: nothing. */
#include "base/ds.h"
#include "passes/fixed.h"
#include "passes/rewrite.h"
#include <stdlib.h>

/* Of work, in elements that are moved: an operand that is transposed or packed is moved once; columns of a run-time
 * size cost a part of the product. */
enum { RAGGED = 16 }; /* operations of the product */

typedef struct Turn {
  Rewrite r;
  NodeId *up;     /* by old node: union-find of what hangs together */
  bool *bound;    /* by root: keeps its order */
  bool *other;    /* by root: takes the other order */
  double *flops;  /* by old node: of products, at the bounds */
  uint8_t *fixed; /* by old node */
  NodeId *dots;   /* stb_ds */
} Turn;

static const int swap[2] = {1, 0};

static const Node *old(const Turn *t, NodeId n) { return &t->r.old[n]; }
static bool is_member(const Turn *t, NodeId n) {
  const Node *d = old(t, n);
  return t->r.live[n] && d->type.dtype != TUPLE && d->type.rank == 2 && (op_info[d->op].cls == MAP || d->op == OP_dot);
}
static NodeId root(const Turn *t, NodeId n) {
  while (t->up[n] != n) n = t->up[n] = t->up[t->up[n]];
  return n;
}
static bool is_turned(const Turn *t, NodeId n) { return is_member(t, n) && t->other[root(t, n)]; }

/* ---- what may have either order ---- */
static void look_at_operands(Turn *t, NodeId n) {
  const Node *d = old(t, n);
  OpClass c = op_info[d->op].cls;
  bool member = is_member(t, n), folds = c == REDUCE && d->op != OP_argmax && d->op != OP_argmin;
  bool takes = d->op == OP_dot || d->op == OP_transpose || folds;
  for (int k = 0; k < d->n_in; k++) {
    NodeId a = d->in[k];
    if (member && c == MAP) {
      if (is_member(t, a)) t->up[root(t, a)] = root(t, n);
    } else if (is_member(t, a) && !takes) t->bound[a] = true;
  }
}
/* Does a broadcast operand of the members depend on members? Then their rows belong together, as those of a softmax. */
static void bind_rows(Turn *t) {
  NodeId *from = zeroed((size_t)t->r.n_old + 1, sizeof *from); /* the component that a node depends on; the last one */
  for (NodeId n = 1; n < t->r.n_old; n++) {
    const Node *d = old(t, n);
    for (int k = 0; k < d->n_in; k++)
      if (from[d->in[k]]) from[n] = from[d->in[k]];
    if (is_member(t, n)) from[n] = root(t, n);
  }
  for (NodeId n = 1; n < t->r.n_old; n++) {
    const Node *d = old(t, n);
    for (int k = 0; k < d->n_in && is_member(t, n) && d->op != OP_dot; k++)
      if (!is_member(t, d->in[k]) && from[d->in[k]] == root(t, n)) t->bound[root(t, n)] = true;
  }
  free(from);
}
static void find_members(Turn *t) {
  const Graph *g = t->r.g;
  for (NodeId n = 1; n < t->r.n_old; n++) t->up[n] = n;
  for (int i = 0; i < (int)arrlen(g->outputs); i++) t->bound[g->outputs[i]] = true;
  for (NodeId n = 1; n < t->r.n_old; n++) {
    if (!t->r.live[n]) continue;
    look_at_operands(t, n);
    if (old(t, n)->op == OP_dot) arrput(t->dots, n);
  }
  for (NodeId n = 1; n < t->r.n_old; n++) {
    const Node *d = old(t, n);
    if (!is_member(t, n)) continue;
    if (t->bound[n]) t->bound[root(t, n)] = true;
    for (int k = 0; k < d->n_in && d->op != OP_dot; k++)
      if (!is_member(t, d->in[k]) && !rewrite_turnable(&t->r, d->in[k], swap)) t->bound[root(t, n)] = true;
  }
  bind_rows(t);
}

/* ---- what an order costs ---- */
static double elements(const Turn *t, NodeId n) {
  return (double)dim_upper(t->r.g->dims, type_count(t->r.g->dims, old(t, n)->type));
}
/* The label and the size of the last axis that node n has as operand or result of a product. */
static int64_t last_label(const Turn *t, const Node *dot, AttrKey name, NodeId n, Dim *size) {
  int64_t labels[MAX_RANK];
  int rank = node_ints(t->r.g, dot, name, labels, MAX_RANK), at = rank - 1 - is_turned(t, n);
  *size = rank ? old(t, n)->type.shape[at] : DIM_NONE;
  return rank ? labels[at] : -1;
}
/* Does the result have an axis of this operand alone? *last: is it the result's last axis? */
static bool has_own(const Turn *t, const Node *dot, AttrKey name, AttrKey other, int64_t last_of_result, bool *last) {
  int64_t l[3][MAX_RANK];
  int n = node_ints(t->r.g, dot, name, l[0], MAX_RANK), n_other = node_ints(t->r.g, dot, other, l[1], MAX_RANK);
  int n_result = node_ints(t->r.g, dot, A_ly, l[2], MAX_RANK);
  bool any = false;
  for (int k = 0; k < n; k++) {
    bool own = false;
    for (int i = 0; i < n_result; i++) own |= l[2][i] == l[0][k];
    for (int i = 0; i < n_other; i++) own &= l[1][i] != l[0][k];
    any |= own;
    *last |= own && l[0][k] == last_of_result;
  }
  return any;
}
static double cost_of(const Turn *t, NodeId n) {
  const Node *d = old(t, n);
  Dim size[3];
  int64_t fixed_size, last[3] = {last_label(t, d, A_la, d->in[0], &size[0]), last_label(t, d, A_lb, d->in[1], &size[1]),
                                 last_label(t, d, A_ly, n, &size[2])};
  bool in_a = false, in_b = false;
  if (!has_own(t, d, A_la, A_lb, last[2], &in_a) || !has_own(t, d, A_lb, A_la, last[2], &in_b)) return 0;
  if (in_a == in_b) return 0; /* the last axis is one of the batch */
  int columns = in_b, rows = !in_b;
  double cost = 0;
  if (last[columns] != last[2] && t->fixed[d->in[columns]] != FIXED) cost += elements(t, d->in[columns]);
  if (!dim_is_int(t->r.g->dims, size[2], &fixed_size)) cost += t->flops[n] / RAGGED;
  if (!dim_is_int(t->r.g->dims, size[rows], &fixed_size)) cost += elements(t, d->in[rows]);
  return cost;
}
/* Of the products beside a component. */
static double cost_beside(const Turn *t, NodeId component) {
  double cost = 0;
  for (int i = 0; i < (int)arrlen(t->dots); i++) {
    NodeId n = t->dots[i];
    const Node *d = old(t, n);
    bool beside = is_member(t, n) && root(t, n) == component;
    for (int k = 0; k < 2; k++) beside |= is_member(t, d->in[k]) && root(t, d->in[k]) == component;
    if (beside) cost += cost_of(t, n);
  }
  return cost;
}
static void choose(Turn *t) {
  enum { ROUNDS = 4 };
  bool changed = true;
  for (int round = 0; round < ROUNDS && changed; round++) {
    changed = false;
    for (NodeId n = 1; n < t->r.n_old; n++) {
      if (!is_member(t, n) || root(t, n) != n || t->bound[n]) continue;
      double before = cost_beside(t, n);
      if (before == 0) continue;
      t->other[n] = !t->other[n];
      if (cost_beside(t, n) < before) changed = true;
      else t->other[n] = !t->other[n];
    }
  }
}

/* ---- the nodes in their order ---- */
static void labels_now(const Turn *t, const Node *dot, AttrKey name, NodeId n, int *labels) {
  int64_t l[MAX_RANK];
  int rank = node_ints(t->r.g, dot, name, l, MAX_RANK);
  for (int k = 0; k < rank; k++) labels[k] = (int)l[is_turned(t, n) ? 1 - k : k];
}
static NodeId reduce_turned(Turn *t, const Node *d) {
  int64_t axes[MAX_RANK];
  int now[MAX_RANK], n = node_ints(t->r.g, d, A_axes, axes, MAX_RANK);
  for (int k = 0; k < n; k++) now[k] = n == 2 ? k : 1 - (int)axes[k];
  return g_reduce(t->r.g, (Op)d->op, d->loc, rewrite_get(&t->r, d->in[0]), now, n);
}
static NodeId rebuilt(Turn *t, NodeId n) {
  const Node *d = old(t, n);
  if (d->op == OP_dot) {
    if (!is_turned(t, n) && !is_turned(t, d->in[0]) && !is_turned(t, d->in[1])) return rewrite_copy(&t->r, n);
    int la[MAX_RANK], lb[MAX_RANK], ly[MAX_RANK];
    labels_now(t, d, A_la, d->in[0], la);
    labels_now(t, d, A_lb, d->in[1], lb);
    labels_now(t, d, A_ly, n, ly);
    return g_dot(t->r.g, d->loc, rewrite_get(&t->r, d->in[0]), rewrite_get(&t->r, d->in[1]), la, lb, ly, d->type.rank);
  }
  if (is_turned(t, n)) {
    NodeId in[3];
    for (int k = 0; k < d->n_in; k++)
      in[k] = is_member(t, d->in[k]) ? rewrite_get(&t->r, d->in[k]) : rewrite_turned(&t->r, d->in[k], swap);
    return rewrite_again(&t->r, n, in);
  }
  if (!d->n_in || !is_turned(t, d->in[0])) return rewrite_copy(&t->r, n);
  if (d->op == OP_transpose) return rewrite_get(&t->r, d->in[0]);
  return reduce_turned(t, d);
}

void pass_turn(Graph *g, const Prog *prog, const Entry *entry) {
  rewrite_regions(g, pass_turn, prog, entry);
  size_t n_nodes = arrlen(g->nodes) + 1;
  Turn t = {.flops = zeroed(n_nodes, sizeof *t.flops), .fixed = zeroed(n_nodes, sizeof *t.fixed)};
  for (NodeId n = 1; n < (NodeId)arrlen(g->nodes); n++) {
    if (g->nodes[n].op == OP_dot) t.flops[n] = (double)dim_upper(g->dims, node_flops(g, n));
    if (!entry || entry->graph == g) t.fixed[n] = (uint8_t)fixed_node(g, entry, n, t.fixed);
  }
  t.r = rewrite_begin(g);
  t.up = zeroed(n_nodes, sizeof *t.up);
  t.bound = zeroed(n_nodes, sizeof *t.bound);
  t.other = zeroed(n_nodes, sizeof *t.other);
  find_members(&t);
  choose(&t);
  for (NodeId n = 1; n < t.r.n_old; n++)
    if (t.r.live[n]) rewrite_to(&t.r, n, rebuilt(&t, n));
  rewrite_end(&t.r);
  arrfree(t.dots);
  free(t.up), free(t.bound), free(t.other), free(t.flops), free(t.fixed);
}
