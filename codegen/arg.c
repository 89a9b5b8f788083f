/* The place of the largest along an axis. */
#include "base/ds.h"
#include "codegen/lower.h"

/* v beats the best so far: larger (smaller), or the first NaN. */
static LExpr *beats(Lower *l, LExpr *v, LExpr *best, bool least) {
  LB *b = l->b;
  LExpr *more = x_op(b, least ? OP_lt : OP_gt, BOOL, v, best, NULL);
  if (!dtype_is_float(v->dtype)) return more;
  LExpr *nan = x_op(b, OP_and, BOOL, x_op(b, OP_ne, BOOL, v, v, NULL), x_op(b, OP_eq, BOOL, best, best, NULL), NULL);
  return x_op(b, OP_or, BOOL, more, nan, NULL);
}

void lower_arg(Lower *l) {
  const Node *n = graph_node(l->g, l->group->heavy);
  int axis = (int)node_int(l->g, n, A_axis);
  Axes a = axes_of(l, n->in[0]), kept = {0};
  for (int k = 0; k < a.n; k++)
    if (k != axis) kept.size[kept.n++] = a.size[k];
  lower_begin(l);
  LB *b = l->b;
  Idx out = {0}, at = {0};
  open_items(l, &kept, &out);
  for (int k = 0, j = 0; k < a.n; k++)
    if (k != axis) at.i[k] = out.i[j++];
  at.i[axis] = x_int(b, 0);
  LVar *best = lb_var(b, "best", value_at(l, n->in[0], &at));
  LVar *where = lb_var(b, "where", x_num(b, 0, I32));
  LVar *r = lb_for(b, FOR_SERIAL, "r", x_int(b, 1), x_dim(b, a.size[axis]), 1);
  lb_range(b, r, a.size[axis]);
  at.i[axis] = x_var(b, r);
  LExpr *v = lb_let(b, "v", value_at(l, n->in[0], &at));
  LExpr *better = lb_let(b, "better", beats(l, v, x_read(b, best), n->op == OP_argmin));
  lb_assign(b, best, x_select(b, better, v, x_read(b, best)));
  lb_assign(b, where, x_select(b, better, x_cast(b, x_var(b, r), I32), x_read(b, where)));
  lb_end(b);
  store_epilogue(l, &kept, &out, x_read(b, where));
  lb_end(b);
  lower_end(l, op_info[n->op].name, false);
}
