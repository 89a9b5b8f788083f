/* settle: transposes between element-wise nodes and products settle in the products.
 *
 *   before  t = transpose(a + b); y = t / 8; z = dot(y, c)        after  y = (a + b) / 8; z = dot(transpose(y), c)
 *   before  z = transpose(dot(a, b) + c)                         after  z = transpose(dot(a, b)) + transpose(c)
 *
 * A product reads operands and stores results in any order of axes, so what stands between a transpose and a product
 * goes to the other side of the transpose. Then it is an epilogue of the product that made the value (down: behind the
 * element-wise nodes, where only products and transposes read them), or the result needs no copy in another order (up:
 * in front of them, where they are made of products alone).
 * Why here: before resimplify, which puts the transposes into the products.
 * Needs: an expanded graph. Keeps: every bit. Breaks: nothing. */
#include "base/ds.h"
#include "passes/rewrite.h"
#include <stdlib.h>
#include <string.h>

typedef struct Settle {
  Rewrite r;
  NodeId *down;  /* by old node: the transpose whose order it gets rid of, or 0 */
  NodeId *up;    /* by old node: the transpose that goes in front of it, or 0 */
  NodeId *plain; /* by old node that went down: the new one in the order of before */
  int *users;    /* by old node */
  bool *fixed;   /* by old node: an output, or read by what takes no transposed values */
} Settle;

static const Node *old(const Settle *s, NodeId n) { return &s->r.old[n]; }
static bool is_map(const Node *d) { return op_info[d->op].cls == MAP; }
static void perm_of(const Settle *s, NodeId t, int *perm) {
  int64_t p[MAX_RANK];
  int rank = node_ints(s->r.g, old(s, t), A_perm, p, MAX_RANK);
  for (int k = 0; k < rank; k++) perm[k] = (int)p[k];
}
static void turn_back(const int *perm, int rank, int *back) {
  for (int k = 0; k < rank; k++) back[perm[k]] = k;
}
static bool same_perm(const Settle *s, NodeId a, NodeId b) {
  return attr_same(node_attr(old(s, a), A_perm), node_attr(old(s, b), A_perm));
}

/* ---- down ---- */

/* Is a value made by nodes that could take more into their nest? */
static bool is_made(const Settle *s, NodeId n) {
  while (old(s, n)->op == OP_reshape) n = old(s, n)->in[0];
  OpClass c = op_info[old(s, n)->op].cls;
  return c == MAP || c == CONTRACT || c == REDUCE;
}
/* The transpose that all operands of n stand behind, one of them at least; 0 when there is no such. */
static NodeId common_transpose(const Settle *s, NodeId n) {
  const Node *d = old(s, n);
  NodeId t = 0;
  bool made = false;
  for (int k = 0; k < d->n_in; k++) {
    NodeId a = d->in[k], now = old(s, a)->op == OP_transpose ? a : s->down[a];
    if (now && t && !same_perm(s, now, t)) return 0;
    if (now) made |= s->down[a] || is_made(s, old(s, a)->in[0]);
    if (now) t = now;
  }
  if (!t || !made) return 0;
  int perm[MAX_RANK];
  perm_of(s, t, perm);
  for (int k = 0; k < d->n_in; k++) {
    NodeId a = d->in[k];
    if (old(s, a)->op != OP_transpose && !s->down[a] && !rewrite_turnable(&s->r, a, perm)) return 0;
  }
  return t;
}
/* What goes down is read by products, transposes and what goes down with it; taken away from until that is so. */
static void choose_down(Settle *s) {
  for (bool changed = true; changed;) {
    changed = false;
    for (NodeId n = 1; n < s->r.n_old; n++) s->fixed[n] = false;
    for (int i = 0; i < (int)arrlen(s->r.g->outputs); i++) s->fixed[s->r.g->outputs[i]] = true;
    for (NodeId n = s->r.n_old; n-- > 1;) {
      const Node *d = old(s, n);
      bool takes = d->op == OP_dot || d->op == OP_transpose || s->down[n];
      if (s->down[n] && s->fixed[n]) s->down[n] = 0, changed = true, takes = false;
      for (int k = 0; k < d->n_in && s->r.live[n]; k++) s->fixed[d->in[k]] |= !takes;
    }
    for (NodeId n = 1; n < s->r.n_old; n++) {
      if (!s->down[n] || common_transpose(s, n)) continue;
      s->down[n] = 0;
      changed = true;
    }
  }
}
static NodeId go_down(Settle *s, NodeId n) {
  const Node *d = old(s, n);
  int perm[MAX_RANK];
  NodeId in[3];
  perm_of(s, s->down[n], perm);
  for (int k = 0; k < d->n_in; k++) {
    NodeId a = d->in[k];
    if (s->down[a]) in[k] = s->plain[a];
    else if (old(s, a)->op == OP_transpose) in[k] = rewrite_get(&s->r, old(s, a)->in[0]);
    else in[k] = rewrite_turned(&s->r, a, perm);
  }
  s->plain[n] = rewrite_again(&s->r, n, in);
  return g_transpose(s->r.g, d->loc, s->plain[n], perm);
}

/* ---- up ---- */

/* Is n, which only its transposed value is needed of, made of products, and of what has any order, by element-wise
 * nodes alone? *heavy counts the products. */
static bool may_rise(const Settle *s, NodeId n, const int *back, int depth, int *heavy) {
  const Node *d = old(s, n);
  if (rewrite_turnable(&s->r, n, back) || d->op == OP_transpose) return true;
  if (s->users[n] != 1) return false;
  if (d->op == OP_dot) return ++*heavy;
  if (!is_map(d) || s->down[n] || !depth) return false;
  for (int k = 0; k < d->n_in; k++)
    if (!may_rise(s, d->in[k], back, depth - 1, heavy)) return false;
  return true;
}
static void choose_up(Settle *s) {
  enum { DEEP = 8 };
  for (NodeId t = 1; t < s->r.n_old; t++) {
    const Node *d = old(s, t);
    int perm[MAX_RANK], back[MAX_RANK], heavy = 0;
    if (!s->r.live[t] || d->op != OP_transpose || !is_map(old(s, d->in[0]))) continue;
    perm_of(s, t, perm);
    turn_back(perm, d->type.rank, back);
    if (may_rise(s, d->in[0], back, DEEP, &heavy) && heavy == 1) s->up[t] = t;
  }
}
static NodeId rise(Settle *s, NodeId n, const int *perm, const int *back) {
  const Node *d = old(s, n);
  NodeId in[3];
  if (rewrite_turnable(&s->r, n, back)) return rewrite_turned(&s->r, n, back);
  if (!is_map(d)) return g_transpose(s->r.g, d->loc, rewrite_get(&s->r, n), perm);
  for (int k = 0; k < d->n_in; k++) in[k] = rise(s, d->in[k], perm, back);
  return rewrite_again(&s->r, n, in);
}
static NodeId go_up(Settle *s, NodeId t) {
  int perm[MAX_RANK], back[MAX_RANK];
  perm_of(s, t, perm);
  turn_back(perm, old(s, t)->type.rank, back);
  return rise(s, old(s, t)->in[0], perm, back);
}

static void count_users(Settle *s) {
  for (NodeId n = 1; n < s->r.n_old; n++)
    for (int k = 0; k < old(s, n)->n_in && s->r.live[n]; k++) s->users[old(s, n)->in[k]]++;
  for (int i = 0; i < (int)arrlen(s->r.g->outputs); i++) s->users[s->r.g->outputs[i]]++;
}

void pass_settle(Graph *g, const Prog *prog, const Entry *entry) {
  rewrite_regions(g, pass_settle, prog, entry);
  Settle s = {.r = rewrite_begin(g)};
  size_t n_nodes = (size_t)s.r.n_old + 1;
  s.down = zeroed(n_nodes, sizeof *s.down);
  s.up = zeroed(n_nodes, sizeof *s.up);
  s.plain = zeroed(n_nodes, sizeof *s.plain);
  s.users = zeroed(n_nodes, sizeof *s.users);
  s.fixed = zeroed(n_nodes, sizeof *s.fixed);
  count_users(&s);
  for (NodeId n = 1; n < s.r.n_old; n++)
    if (s.r.live[n] && is_map(old(&s, n))) s.down[n] = common_transpose(&s, n);
  choose_down(&s);
  choose_up(&s);
  for (NodeId n = 1; n < s.r.n_old; n++) {
    if (!s.r.live[n]) continue;
    NodeId now = s.down[n] ? go_down(&s, n) : s.up[n] ? go_up(&s, n) : rewrite_copy(&s.r, n);
    rewrite_to(&s.r, n, now);
  }
  rewrite_end(&s.r);
  free(s.down), free(s.up), free(s.plain), free(s.users), free(s.fixed);
}
