/* sums: sums of gradients that follow from sums which are there anyway, or which cost nothing beside them.
 *
 *   before  t = sum(x); c = x - t / n; s = sum(g * c); u = sum(g * r + c * k)   (r, k, t / n: one value for each sum)
 *   after   t = sum(x); c = x - t / n; s = sum(g * c); u = sum(g) * r + (t - n * (t / n)) * k
 *
 * The gradient of a norm sums what the norm makes of its row, with weights that depend on other sums of the row (r and
 * k on s): one more time through the row, while sum(g) is taken along with s. Only sums that the compiler has made are
 * taken apart: whoever writes sum(x - c) knows why. Why here: after cse, so that equal values are one node. Needs: an
 * expanded graph. Keeps: results but for rounding. Breaks: nothing. */
#include "base/ds.h"
#include "passes/plan_internal.h"
#include "passes/rewrite.h"
#include "passes/simplify.h"
#include <stdlib.h>

enum { DEEP = 6 };

typedef struct Known {
  NodeId sum, base; /* old nodes: a sum, and what it sums, through reshapes */
  Split split;
} Known;
typedef struct Sums {
  Rewrite r;
  Simplify s;    /* looks at the new graph */
  Known *known;  /* stb_ds */
  Node d;        /* the sum that is taken apart, in the new graph */
  Split split;   /* its */
  NodeId whole;  /* what it sums, through reshapes */
  bool weighted; /* something in it is multiplied by a value of the row */
} Sums;

static bool is_sum(const Node *x) {
  return x->op == OP_sum && dtype_is_float(x->type.dtype) && dtype_size(x->type.dtype) >= 4;
}
static void find_sums(Sums *t, const Graph *g) {
  for (NodeId n = 1; n < (NodeId)arrlen(g->nodes); n++) {
    Known k = {.sum = n};
    const Node *x = graph_node(g, n);
    if (!is_sum(x) || !split_of(g, n, &k.split)) continue;
    for (k.base = x->in[0]; graph_node(g, k.base)->op == OP_reshape;) k.base = graph_node(g, k.base)->in[0];
    arrput(t->known, k);
  }
}

/* The known sum of new node v, folded as d folds it; NULL when there is none. */
static const Known *known_sum(const Sums *t, NodeId v) {
  while (graph_node(t->r.g, v)->op == OP_reshape) v = graph_node(t->r.g, v)->in[0];
  for (int i = 0; i < (int)arrlen(t->known); i++) {
    const Known *k = &t->known[i];
    if (t->r.live[k->sum] && t->r.map[k->base] == v && split_same(&k->split, &t->split)) return k;
  }
  return NULL;
}

/* Is v read for a known sum that is folded like d? Then its own can be taken along. */
static bool read_by_known(const Sums *t, NodeId v) {
  for (int i = 0; i < (int)arrlen(t->known); i++) {
    const Known *k = &t->known[i];
    if (!t->r.live[k->sum] || !t->r.map[k->base] || !split_same(&k->split, &t->split)) continue;
    const Node *x = graph_node(t->r.g, t->r.map[k->base]);
    if (t->r.map[k->base] == t->whole) continue;
    for (int j = 0; op_info[x->op].cls == MAP && j < x->n_in; j++)
      if (x->in[j] == v) return true;
  }
  return false;
}
static bool is_weighted(const Sums *t, NodeId v, int depth) {
  const Node *x = graph_node(t->r.g, v);
  if (!depth || op_info[x->op].cls != MAP) return false;
  for (int k = 0; k < x->n_in; k++) {
    const Node *w = graph_node(t->r.g, x->in[k]);
    bool scales = x->op == OP_mul || (x->op == OP_div && k);
    if (scales && w->op == OP_broadcast && simp_same_along(&t->s, &t->d, x->in[k])) return true;
    if (is_weighted(t, x->in[k], depth - 1)) return true;
  }
  return false;
}

/* The operand of v, a product or quotient, that is one value for each sum; -1: none. */
static int weight_of(const Sums *t, const Node *x) {
  if (x->op != OP_mul && x->op != OP_div) return -1;
  for (int k = x->op == OP_div; k < 2; k++)
    if (simp_same_along(&t->s, &t->d, x->in[k])) return k;
  return -1;
}
static bool follows(const Sums *t, NodeId v, int depth);
/* Does the sum of v follow from those of its operands? */
static bool splits(const Sums *t, NodeId v, int depth) {
  const Node *x = graph_node(t->r.g, v);
  if (!depth) return false;
  if (x->op == OP_neg) return follows(t, x->in[0], depth - 1);
  if (x->op == OP_add || x->op == OP_sub) return follows(t, x->in[0], depth - 1) && follows(t, x->in[1], depth - 1);
  int w = weight_of(t, x);
  return w >= 0 && follows(t, x->in[1 - w], depth - 1);
}
/* Does the sum of v follow from others? */
static bool follows(const Sums *t, NodeId v, int depth) {
  if (simp_same_along(&t->s, &t->d, v) || known_sum(t, v)) return true;
  return splits(t, v, depth) || (t->weighted && read_by_known(t, v));
}

/* The known sum again, of the new value; cse makes the two one. */
static NodeId put_known(Sums *t, const Known *k) {
  Graph *g = t->r.g;
  const Node x = t->r.old[k->sum];
  Type from = t->r.old[x.in[0]].type;
  NodeId a = simp_shaped(&t->s, x.loc, t->r.map[k->base], from);
  return simp_shaped(&t->s, x.loc, graph_add(g, OP_sum, x.loc, &a, 1, x.attrs, x.n_attrs, NULL), t->d.type);
}
static NodeId put_sum(Sums *t, NodeId v, int depth);
static NodeId put_split(Sums *t, const Node x, int depth) {
  Graph *g = t->r.g;
  Loc at = t->d.loc;
  int w = weight_of(t, &x);
  NodeId a = put_sum(t, x.in[w == 0], depth - 1);
  if (x.op == OP_neg) return g_map1(g, OP_neg, at, a);
  NodeId b = w >= 0 ? simp_value_along(&t->s, &t->d, x.in[w]) : put_sum(t, x.in[1], depth - 1);
  return g_map2(g, (Op)x.op, at, a, b);
}
static NodeId put_sum(Sums *t, NodeId v, int depth) {
  Graph *g = t->r.g;
  Loc at = t->d.loc;
  if (simp_same_along(&t->s, &t->d, v)) {
    NodeId n = g_size(g, at, simp_folded_count(&t->s, &t->d), t->d.type.dtype);
    NodeId all = g_broadcast(g, at, n, t->d.type.rank, t->d.type.shape, NULL);
    return g_map2(g, OP_mul, at, simp_value_along(&t->s, &t->d, v), all);
  }
  const Known *k = known_sum(t, v);
  if (k) return put_known(t, k);
  if (splits(t, v, depth)) return put_split(t, *graph_node(g, v), depth);
  return graph_add(g, OP_sum, at, &v, 1, t->d.attrs, t->d.n_attrs, NULL);
}

static NodeId take_apart(Sums *t, NodeId n) {
  t->d = *graph_node(t->r.g, n);
  if (!is_sum(&t->d) || !t->d.loc.grad || !split_of(t->r.g, n, &t->split)) return n;
  NodeId v = t->d.in[0];
  t->whole = v;
  while (graph_node(t->r.g, t->whole)->op == OP_reshape) t->whole = graph_node(t->r.g, t->whole)->in[0];
  t->weighted = is_weighted(t, v, DEEP);
  return splits(t, v, DEEP) ? put_split(t, *graph_node(t->r.g, v), DEEP) : n;
}

void pass_sums(Graph *g, const Prog *prog, const Entry *entry) {
  rewrite_regions(g, pass_sums, prog, entry);
  Sums t = {.s = {.g = g}};
  find_sums(&t, g);
  t.r = rewrite_begin(g);
  for (NodeId n = 1; n < t.r.n_old; n++) {
    if (!t.r.live[n]) continue;
    NodeId now = rewrite_copy(&t.r, n);
    rewrite_to(&t.r, n, take_apart(&t, now));
  }
  rewrite_end(&t.r);
  arrfree(t.known);
}
