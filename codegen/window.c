/* Nests with a search inside: the largest of a window, the place of the largest along an axis. */
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

typedef struct Pool {
  const Node *n;
  int spatial;
  int64_t window[MAX_RANK], stride[MAX_RANK], low[MAX_RANK], high[MAX_RANK];
  Axes in, out;
  bool arg;
} Pool;

/* Element of the input under offset `w` of the window at `at`; *inside is NULL where it is always in the plane. */
static LExpr *pool_value(Lower *l, const Pool *p, const Idx *at, LExpr *const *w, LExpr **inside, LExpr **place) {
  LB *b = l->b;
  Idx in = *at;
  *inside = NULL;
  *place = x_int(b, 0);
  for (int k = 0; k < p->spatial; k++) {
    int axis = 2 + k;
    LExpr *i = x_add(b, x_mul(b, at->i[axis], x_int(b, p->stride[k])), x_sub(b, w[k], x_int(b, p->low[k])));
    Dim end = dim_add(
        l->dims,
        dim_mul(l->dims, dim_sub(l->dims, p->out.size[axis], dim_int(l->dims, 1)), dim_int(l->dims, p->stride[k])),
        dim_int(l->dims, p->window[k] - p->low[k]));
    if (p->low[k] > 0) *inside = x_and(b, *inside, x_ge(b, i, x_int(b, 0)));
    if (dim_le(l->dims, end, p->in.size[axis]) != DIM_YES)
      *inside = x_and(b, *inside, x_lt(b, i, x_dim(b, p->in.size[axis])));
    in.i[axis] = i;
    *place = x_add(b, x_mul(b, *place, x_dim(b, p->in.size[axis])), i);
  }
  LExpr *outer = l->guard;
  l->guard = x_and(b, outer, *inside);
  LExpr *v = value_at(l, p->n->in[0], &in);
  l->guard = outer;
  return v;
}

/* Small windows: one expression, so that the loop around it can be vectorised. */
static LExpr *pool_unrolled(Lower *l, const Pool *p, const Idx *at) {
  LB *b = l->b;
  int64_t count = 1;
  for (int k = 0; k < p->spatial; k++) count *= p->window[k];
  DType t = graph_type(l->g, p->n->in[0]).dtype;
  LExpr *best = NULL, *where = NULL;
  for (int64_t c = 0; c < count; c++) {
    LExpr *w[MAX_RANK], *inside, *place;
    int64_t rest = c;
    for (int k = p->spatial - 1; k >= 0; k--) {
      w[k] = x_int(b, rest % p->window[k]);
      rest /= p->window[k];
    }
    LExpr *v = x_select(b, NULL, pool_value(l, p, at, w, &inside, &place), NULL);
    if (!p->arg) {
      v = x_select(b, inside, v, x_num(b, -__builtin_inf(), t));
      best = best ? x_op(b, OP_maximum, t, best, v, NULL) : v;
      continue;
    }
    LExpr *low = x_num(b, -__builtin_inf(), t), *none = x_num(b, -1, I32);
    place = x_cast(b, place, I32);
    if (!best) {
      best = x_select(b, inside, v, low);
      where = x_select(b, inside, place, none);
      continue;
    }
    LExpr *take =
        x_op(b, OP_or, BOOL, beats(l, v, best, false), x_op(b, OP_lt, BOOL, where, x_num(b, 0, I32), NULL), NULL);
    if (inside) take = x_and(b, inside, take);
    best = x_select(b, take, v, best);
    where = x_select(b, take, place, where);
  }
  return p->arg ? where : best;
}

static LExpr *pool_loops(Lower *l, const Pool *p, const Idx *at) {
  LB *b = l->b;
  DType t = graph_type(l->g, p->n->in[0]).dtype;
  LVar *best = lb_var(b, "best", x_num(b, -__builtin_inf(), t));
  LVar *where = p->arg ? lb_var(b, "where", x_num(b, -1, I32)) : NULL;
  LExpr *w[MAX_RANK], *inside, *place;
  for (int k = 0; k < p->spatial; k++)
    w[k] = x_var(b, lb_for(b, FOR_SERIAL, "k", x_int(b, 0), x_int(b, p->window[k]), 1));
  LExpr *v = lb_let(b, "v", pool_value(l, p, at, w, &inside, &place));
  if (p->arg) {
    LExpr *first = x_op(b, OP_lt, BOOL, x_read(b, where), x_num(b, 0, I32), NULL);
    LExpr *take =
        lb_let(b, "take", x_and(b, inside, x_op(b, OP_or, BOOL, beats(l, v, x_read(b, best), false), first, NULL)));
    lb_assign(b, best, x_select(b, take, v, x_read(b, best)));
    lb_assign(b, where, x_select(b, take, x_cast(b, place, I32), x_read(b, where)));
  } else {
    v = x_select(b, inside, v, x_num(b, -__builtin_inf(), t));
    lb_assign(b, best, x_op(b, OP_maximum, t, x_read(b, best), v, NULL));
  }
  for (int k = 0; k < p->spatial; k++) lb_end(b);
  return x_read(b, p->arg ? where : best);
}

static void pool_body(Lower *l, const Axes *a, const Idx *at, bool trial, int *cost, void *ctx) {
  const Pool *p = ctx;
  int64_t count = 1;
  for (int k = 0; k < p->spatial; k++) count *= p->window[k];
  LExpr *v = count <= 16 ? pool_unrolled(l, p, at) : pool_loops(l, p, at);
  if (trial) *cost = x_divisions(v, lb_level(l->b));
  else store_epilogue(l, a, at, v);
}

void lower_window(Lower *l) {
  const Node *n = graph_node(l->g, l->group->heavy);
  Pool p = {.n = n, .in = axes_of(l, n->in[0]), .out = axes_of(l, l->group->heavy), .arg = n->op == OP_max_pool_arg};
  p.spatial = node_ints(l->g, n, A_window, p.window, MAX_RANK);
  node_ints(l->g, n, A_stride, p.stride, MAX_RANK);
  node_ints(l->g, n, A_low, p.low, MAX_RANK);
  node_ints(l->g, n, A_high, p.high, MAX_RANK);
  lower_nest(l, &p.out, op_info[n->op].name, pool_body, &p);
}
