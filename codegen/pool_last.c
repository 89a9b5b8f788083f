/* max_pool where the result lies with its channels last: every place of the window is a row of channels, and the rows
 * are folded side by side. What stands outside of the plane counts as the nearest element inside, as in pool.c. */
#include "base/ds.h"
#include "codegen/pool.h"

enum { MOST_PLACES = 49 };

static void pool_body(Lower *l, const Axes *a, const Idx *at, bool trial, int *cost, void *ctx) {
  const Pool *p = ctx;
  LB *b = l->b;
  Idx y = *at, in;
  LExpr *best = NULL;
  (void)a;
  y.i[1] = at->i[3], y.i[2] = at->i[1], y.i[3] = at->i[2];
  for (int64_t e = 0; e < p->window[2] * p->window[3]; e++) {
    int64_t k[2] = {e / p->window[3], e % p->window[3]};
    in = y;
    for (int i = 0; i < 2; i++) {
      LExpr *last = x_dim(b, dim_sub(l->dims, p->x.size[2 + i], number(l, 1)));
      LExpr *from = x_add(b, x_mul(b, y.i[2 + i], x_int(b, p->stride[2 + i])), x_int(b, k[i] - p->low[2 + i]));
      in.i[2 + i] = x_min(b, x_max(b, from, x_int(b, 0)), last);
    }
    LExpr *v = value_at(l, p->n->in[0], &in);
    best = best ? x_op(b, OP_maximum, p->t, best, v, NULL) : v;
  }
  if (trial) *cost = x_divisions(best, lb_level(b));
  else store_epilogue(l, &p->y, &y, best);
}

bool lower_max_last(Lower *l) {
  const Node *n = graph_node(l->g, l->group->heavy);
  if (n->op != OP_max_pool || l->twin || !lower_last(l, l->group->outs[0].buf)) return false;
  Axes x = axes_of(l, n->in[0]), y = axes_of(l, l->group->heavy);
  Pool p = pool_of(l, n, &x, &y);
  p.t = graph_type(l->g, n->in[0]).dtype;
  if (p.rank != 4 || !p.sure[2] || !p.sure[3] || p.window[2] * p.window[3] > MOST_PLACES) return false;
  Axes nest = {.n = 4, .size = {y.size[0], y.size[2], y.size[3], y.size[1]}};
  lower_nest(l, &nest, "max_pool", pool_body, &p);
  return true;
}
