/* max_pool and max_pool_arg. An item of work is a block of rows of one plane, so that every loop along the contiguous
 * axis is long or has a constant length, has no conditions in it and compiles to vector code: the rows under a window
 * are folded into a row of the stack, column by column, with their places; then the columns under each window are. What
 * stands outside of the plane counts as the nearest element inside, which the window holds as well, at the same place.
 * Long rows are cut into blocks of windows. */
#include "base/ds.h"
#include "codegen/pool.h"

static bool surely(Lower *l, Dim a, Dim b) { return dim_le(l->dims, a, b) == DIM_YES; }

Pool pool_of(Lower *l, const Node *n, const Axes *x, const Axes *y) {
  Pool p = {.n = n, .x = *x, .y = *y, .rank = x->n, .row = x->n - 2};
  int64_t window[MAX_RANK], stride[MAX_RANK], low[MAX_RANK], high[MAX_RANK];
  node_ints(l->g, n, A_window, window, MAX_RANK);
  node_ints(l->g, n, A_stride, stride, MAX_RANK);
  node_ints(l->g, n, A_low, low, MAX_RANK);
  node_ints(l->g, n, A_high, high, MAX_RANK);
  for (int k = 0; k < p.rank; k++) {
    p.window[k] = k < 2 ? 1 : window[k - 2];
    p.stride[k] = k < 2 ? 1 : stride[k - 2];
    p.low[k] = k < 2 ? 0 : low[k - 2];
    p.reach[k] = (p.window[k] + p.stride[k] - 1) / p.stride[k];
    p.sure[k] =
        k < 2 || (low[k - 2] < window[k - 2] && high[k - 2] < window[k - 2] && dim_lower(l->dims, x->size[k]) > 0);
  }
  return p;
}

void pool_open(Lower *l, Pool *p, const Axes *over, Dim windows, int64_t each, int64_t more) {
  LB *b = l->b;
  int last = p->rank - 1;
  int64_t most = dim_most(l, windows) * each + more, rows = dim_most(l, over->size[p->row]);
  p->pitch = dim_add(l->dims, dim_mul(l->dims, windows, number(l, each)), number(l, more));
  if (most > ROOM) {
    p->cols = ROOM / each > 1 ? ROOM / each : 1;
    most = p->cols * each + more;
    p->pitch = number(l, most);
  }
  p->rows = !p->cols && most < ROOM ? ROOM / (most > 0 ? most : 1) : 1;
  if (p->rows > rows) p->rows = rows > 0 ? rows : 1;
  Axes items = *over;
  items.n = p->row;
  items.size[items.n++] = dim_ceil_div(l->dims, over->size[p->row], p->rows);
  items.size[items.n++] = p->cols ? dim_ceil_div(l->dims, windows, p->cols) : number(l, 1);
  open_items(l, &items, &p->at);
  LExpr *rows_end = x_dim(b, over->size[p->row]), *cols_end = x_dim(b, windows);
  p->lo = x_mul(b, p->at.i[p->row], x_int(b, p->rows));
  p->hi = p->rows == rows ? rows_end : x_min(b, x_add(b, p->lo, x_int(b, p->rows)), rows_end);
  p->first = x_mul(b, p->at.i[last], x_int(b, p->cols));
  p->end = p->cols ? x_min(b, x_add(b, p->first, x_int(b, p->cols)), cols_end) : cols_end;
  p->count = p->rows * most;
}

LExpr *pool_rows(Lower *l, Pool *p, const Axes *over) {
  LVar *r = lb_for(l->b, FOR_SERIAL, "r", p->lo, p->hi, 1);
  lb_range(l->b, r, over->size[p->row]);
  p->at.i[p->row] = x_var(l->b, r);
  return x_mul(l->b, x_sub(l->b, x_var(l->b, r), p->lo), x_dim(l->b, p->pitch));
}

bool pool_plain(Lower *l, const Axes *axes, const Idx *at) {
  int divisions = 0;
  value_known(l, l->group->heavy, x_num(l->b, 0, graph_type(l->g, l->group->heavy).dtype));
  if (l->twin) value_known(l, l->twin, x_num(l->b, 0, graph_type(l->g, l->twin).dtype));
  for (int i = 0; i < arrlen(l->group->outs); i++) {
    Axes out = axes_of(l, l->group->outs[i].node);
    Idx to = *at;
    if (out.n != axes->n) axes_split(l->b, out.size, out.n, axes_linear(l->b, axes, at), to.i);
    divisions += x_divisions(value_at(l, l->group->outs[i].node, &to), lb_level(l->b));
  }
  hmfree(l->known);
  l->known = NULL;
  hmfree(l->memo);
  l->memo = NULL;
  return !divisions;
}

LExpr *pool_flat(Lower *l, const Pool *p, const Axes *over, Idx *at) {
  LB *b = l->b;
  Dim width = over->size[p->rank - 1], two[2] = {over->size[p->row], width};
  LExpr *w = x_dim(b, width);
  LExpr *rows = x_sub(b, p->hi, p->lo), *n = p->cols ? x_sub(b, p->end, p->first) : x_mul(b, rows, w);
  LVar *q = lb_for(b, FOR_VECTOR, "q", x_int(b, 0), n, 1);
  *at = p->at;
  LExpr *e = x_add(b, x_mul(b, p->lo, w), x_add(b, p->first, x_var(b, q)));
  at->i[p->row + 1] = x_mod(b, e, w);
  at->i[p->row] = dim_is(l->dims, two[0], 1) ? x_int(b, 0) : x_div(b, e, w);
  return x_var(b, q);
}

/* ---- the largest of a window ---- */

/* v beats the best so far: it is larger, or the first NaN. */
static LExpr *beats(Lower *l, LExpr *v, LExpr *best) {
  LB *b = l->b;
  LExpr *more = x_op(b, OP_not, BOOL, x_op(b, OP_le, BOOL, v, best, NULL), NULL, NULL);
  return x_op(b, OP_and, BOOL, more, x_op(b, OP_eq, BOOL, best, best, NULL), NULL);
}
/* As beats, or it is as good and stands before. */
static LExpr *beats_at(Lower *l, LExpr *v, LExpr *best, LExpr *place, LExpr *where) {
  LB *b = l->b;
  LExpr *nans = x_op(b, OP_and, BOOL, x_op(b, OP_ne, BOOL, v, v, NULL), x_op(b, OP_ne, BOOL, best, best, NULL), NULL);
  LExpr *same = x_op(b, OP_or, BOOL, x_op(b, OP_eq, BOOL, v, best, NULL), nans, NULL);
  LExpr *before = x_op(b, OP_and, BOOL, same, x_op(b, OP_lt, BOOL, place, where, NULL), NULL);
  return x_op(b, OP_or, BOOL, beats(l, v, best), before, NULL);
}

/* Where the element under row and offset `k` of the window at `at` stands along an axis before the last. */
static LExpr *inside(Lower *l, const Pool *p, int axis, LExpr *k) {
  LB *b = l->b;
  Dim last = dim_sub(l->dims, p->y.size[axis], number(l, 1)), size = p->x.size[axis];
  LExpr *i = x_add(b, x_mul(b, p->at.i[axis], x_int(b, p->stride[axis])), x_sub(b, k, x_int(b, p->low[axis])));
  Dim end =
      dim_add(l->dims, dim_mul(l->dims, last, number(l, p->stride[axis])), number(l, p->window[axis] - p->low[axis]));
  if (dim_is(l->dims, size, 1)) return x_int(b, 0);
  if (p->low[axis] > 0) i = x_max(b, i, x_int(b, 0));
  if (!surely(l, end, size)) i = x_min(b, i, x_dim(b, dim_sub(l->dims, size, number(l, 1))));
  return i->kind == X_MIN || i->kind == X_MAX ? lb_let(b, NULL, i) : i; /* not in the loop over columns */
}

/* The row of x under offset number e (row-major over the window's axes before the last): its index but for the column,
 * and the place of its first element in the plane. */
static LExpr *row_under(Lower *l, const Pool *p, LExpr *e, Idx *in) {
  LB *b = l->b;
  Dim size[MAX_RANK];
  LExpr *k[MAX_RANK], *place = x_int(b, 0);
  int n = p->rank - 3;
  for (int i = 0; i < n; i++) size[i] = number(l, p->window[2 + i]);
  axes_split(b, size, n, e, k);
  *in = p->at;
  for (int i = 0; i < n; i++) {
    in->i[2 + i] = inside(l, p, 2 + i, k[i]);
    place = x_add(b, x_mul(b, place, x_dim(b, p->x.size[2 + i])), in->i[2 + i]);
  }
  return x_mul(b, place, x_dim(b, p->x.size[p->rank - 1]));
}
static int64_t rows_under(const Pool *p) {
  int64_t n = 1;
  for (int k = 2; k < p->rank - 1; k++) n *= p->window[k];
  return n;
}

/* Folds rows from .. to of the window into the row of the stack at `base`, columns lo .. hi of x at to - offset. */
static void fold_under(Lower *l, Pool *p, LExpr *base, LExpr *e, int64_t count, LExpr *lo, LExpr *hi) {
  LB *b = l->b;
  Idx in[UNROLL];
  LExpr *row[UNROLL];
  for (int64_t i = 0; i < count; i++) row[i] = row_under(l, p, x_add(b, e, x_int(b, i)), &in[i]);
  LVar *c = lb_for(b, FOR_VECTOR, "c", lo, hi, 1);
  lb_range(b, c, p->x.size[p->rank - 1]);
  int last = p->rank - 1;
  LExpr *shift = x_sub(b, x_int(b, p->low[last]), x_mul(b, p->first, x_int(b, p->stride[last])));
  LExpr *to = x_add(b, base, x_add(b, x_var(b, c), shift)), *best = NULL, *where = NULL;
  int64_t start;
  if (!x_is_int(e, &start)) {
    best = lb_let(b, NULL, x_load(b, p->v, to, NULL));
    where = p->p ? lb_let(b, NULL, x_load(b, p->p, to, NULL)) : NULL;
  }
  for (int64_t i = 0; i < count; i++) {
    in[i].i[last] = x_var(b, c);
    LExpr *v = p->v || count > 1 ? lb_let(b, NULL, value_at(l, p->n->in[0], &in[i])) : NULL;
    LExpr *place = p->p ? x_cast(b, x_add(b, row[i], x_var(b, c)), I32) : NULL;
    LExpr *take = p->p && best ? lb_let(b, NULL, beats(l, v, best)) : NULL;
    if (p->p) where = best ? x_select(b, take, place, where) : place;
    best = best ? x_op(b, OP_maximum, p->t, best, v, NULL) : v; /* not by `take`: gcc would not make vectors of it */
  }
  if (p->v) lb_store(b, p->v, to, best);
  if (p->p) lb_store(b, p->p, to, where);
  lb_end(b);
}

/* Columns from .. to of a row on the stack are what stands in column `of`. */
static void put_margin(Lower *l, const Pool *p, LExpr *base, LExpr *from, LExpr *to, LExpr *of) {
  LB *b = l->b;
  int64_t lo, hi;
  if (x_is_int(from, &lo) && x_is_int(to, &hi) && lo >= hi) return;
  LVar *m = lb_for(b, FOR_SERIAL, "m", from, to, 1);
  LExpr *at = x_add(b, base, x_var(b, m));
  of = x_add(b, base, of);
  if (p->v) lb_store(b, p->v, at, x_load(b, p->v, of, NULL));
  if (p->p) lb_store(b, p->p, at, x_load(b, p->p, of, NULL));
  lb_end(b);
}

static void put_rows(Lower *l, Pool *p) {
  LB *b = l->b;
  int last = p->rank - 1;
  LExpr *base = lb_let(b, NULL, pool_rows(l, p, &p->y));
  LExpr *width = x_dim(b, p->x.size[last]), *pitch = x_dim(b, p->pitch), *zero = x_int(b, 0);
  LExpr *start = x_sub(b, x_mul(b, p->first, x_int(b, p->stride[last])), x_int(b, p->low[last])); /* column of x at 0 */
  LExpr *lo = p->cols || p->low[last] > 0 ? x_max(b, start, zero) : start;
  LExpr *hi = x_min(b, width, x_add(b, pitch, start));
  int64_t count = rows_under(p);
  if (count <= UNROLL) {
    fold_under(l, p, base, zero, count, lo, hi);
  } else {
    fold_under(l, p, base, zero, 1, lo, hi);
    LVar *k = lb_for(b, FOR_SERIAL, "k", x_int(b, 1), x_int(b, count), 1);
    lb_range(b, k, number(l, count));
    fold_under(l, p, base, x_var(b, k), 1, lo, hi);
    lb_end(b);
  }
  LExpr *left = x_sub(b, lo, start), *right = x_sub(b, hi, start);
  put_margin(l, p, base, zero, left, left);
  put_margin(l, p, base, right, pitch, x_sub(b, right, x_int(b, 1)));
  lb_end(b);
}

/* Folds the columns of the stack from `at` on that one window holds. */
static void fold_columns(Lower *l, const Pool *p, LExpr *at, LExpr **best, LExpr **where) {
  LB *b = l->b;
  int64_t count = p->window[p->rank - 1];
  LVar *vb = NULL, *vw = NULL, *k = NULL;
  *best = p->v ? x_load(b, p->v, at, NULL) : NULL;
  *where = p->p ? lb_let(b, NULL, x_load(b, p->p, at, NULL)) : NULL;
  if (count > UNROLL) {
    vb = lb_var(b, "best", *best);
    vw = p->p ? lb_var(b, "where", *where) : NULL;
    k = lb_for(b, FOR_SERIAL, "k", x_int(b, 1), x_int(b, count), 1);
  }
  for (int64_t i = 1; i < count && (i == 1 || !k); i++) {
    LExpr *from = x_add(b, at, k ? x_var(b, k) : x_int(b, i));
    LExpr *v = lb_let(b, NULL, x_load(b, p->v, from, NULL)), *place = NULL, *take = NULL;
    if (k) *best = x_read(b, vb), *where = p->p ? x_read(b, vw) : NULL;
    if (p->p) {
      place = lb_let(b, NULL, x_load(b, p->p, from, NULL));
      take = lb_let(b, NULL, rows_under(p) > 1 ? beats_at(l, v, *best, place, *where) : beats(l, v, *best));
    }
    *best = x_op(b, OP_maximum, p->t, *best, v, NULL);
    *where = p->p ? x_select(b, take, place, *where) : NULL;
    if (k) {
      lb_assign(b, vb, *best);
      if (p->p) lb_assign(b, vw, *where);
    }
  }
  if (!k) return;
  lb_end(b);
  *best = x_read(b, vb);
  *where = p->p ? x_read(b, vw) : NULL;
}

LExpr *pool_in_plane(Lower *l, const Pool *p, const Idx *at) {
  LB *b = l->b;
  LExpr *all = NULL;
  for (int k = 2; k < p->rank; k++) {
    if (p->sure[k]) continue;
    LExpr *start = x_sub(b, x_mul(b, at->i[k], x_int(b, p->stride[k])), x_int(b, p->low[k]));
    all = x_and(b, all, x_lt(b, start, x_dim(b, p->x.size[k])));
    all = x_and(b, all, x_ge(b, x_add(b, start, x_int(b, p->window[k] - 1)), x_int(b, 0)));
    all = x_and(b, all, x_ge(b, x_dim(b, p->x.size[k]), x_int(b, 1)));
  }
  return all;
}

static void store_window(Lower *l, const Pool *p, const Idx *at, LExpr *best, LExpr *where) {
  LB *b = l->b;
  LExpr *sure = pool_in_plane(l, p, at);
  if (best) best = x_select(b, sure, best, x_num(b, -__builtin_inf(), p->t));
  if (where) where = x_select(b, sure, where, x_num(b, 0, I32));
  bool first = l->group->heavy == p->max;
  if (l->twin) value_known(l, l->twin, first ? where : best);
  store_epilogue(l, &p->y, at, first ? best : where);
  if (l->twin) (void)hmdel(l->known, l->twin);
}

/* Windows that overlap: a row of the stack has some more of them than the result. All are folded as one row into
 * another part of the stack, from where the loops over rows take what there is. With places, column after column: gcc
 * makes no vectors of choices that depend on choices. */
static void fold_all(Lower *l, Pool *p, int64_t spare) {
  LB *b = l->b;
  int last = p->rank - 1;
  Dim windows = dim_add(l->dims, p->y.size[last], number(l, spare));
  int64_t count = p->rows * dim_most(l, windows);
  LArr *v = p->v ? lb_array(b, ARR_STACK, p->t, count, "h") : NULL;
  LArr *w = p->p ? lb_array(b, ARR_STACK, I32, count, "hp") : NULL;
  LExpr *n = x_sub(b, x_mul(b, x_sub(b, p->hi, p->lo), x_dim(b, windows)), x_int(b, spare)), *best, *where;
  LExpr *q = x_var(b, lb_for(b, FOR_VECTOR, "q", x_int(b, 0), n, 1)), *step = x_int(b, p->stride[last]);
  int64_t all = p->window[last];
  if (w) p->window[last] = 1;
  fold_columns(l, p, x_mul(b, q, step), &best, &where);
  p->window[last] = all;
  if (v) lb_store(b, v, q, best);
  if (w) lb_store(b, w, q, where);
  lb_end(b);
  if (w && all > 1) {
    LExpr *k = x_var(b, lb_for(b, FOR_SERIAL, "k", x_int(b, 1), x_int(b, all), 1));
    q = x_var(b, lb_for(b, FOR_VECTOR, "q", x_int(b, 0), n, 1));
    LExpr *from = x_add(b, x_mul(b, q, step), k), *x = lb_let(b, NULL, x_load(b, p->v, from, NULL));
    LExpr *place = lb_let(b, NULL, x_load(b, p->p, from, NULL));
    best = lb_let(b, NULL, x_load(b, v, q, NULL));
    where = lb_let(b, NULL, x_load(b, w, q, NULL));
    LExpr *take = rows_under(p) > 1 ? beats_at(l, x, best, place, where) : beats(l, x, best);
    lb_store(b, w, q, x_select(b, take, place, where));
    lb_store(b, v, q, x_op(b, OP_maximum, p->t, best, x, NULL));
    close_nest(l, 2);
  }
  p->v = v, p->p = w;
  p->pitch = windows;
}

/* The loops of an item. */
static void put_pool(Lower *l, Pool *p, int64_t spare) {
  LB *b = l->b;
  int last = p->rank - 1;
  Idx at;
  LExpr *best = NULL, *where = NULL;
  put_rows(l, p);
  if (p->flat) {
    LExpr *q = pool_flat(l, p, &p->y, &at);
    fold_columns(l, p, x_mul(b, q, x_int(b, p->stride[last])), &best, &where);
    store_window(l, p, &at, best, where);
    close_nest(l, 1);
    return;
  }
  bool all = !p->cols && dim_most(l, p->y.size[last]) > 1;
  if (all) fold_all(l, p, spare);
  LExpr *base = pool_rows(l, p, &p->y);
  LVar *o = lb_for(b, FOR_VECTOR, "o", p->first, p->end, 1);
  lb_range(b, o, p->y.size[last]);
  at = p->at;
  at.i[last] = x_var(b, o);
  LExpr *from = x_add(b, base, x_mul(b, x_sub(b, x_var(b, o), p->first), x_int(b, all ? 1 : p->stride[last])));
  if (!all) {
    fold_columns(l, p, from, &best, &where);
  } else {
    best = p->max ? lb_let(b, NULL, x_load(b, p->v, from, NULL)) : NULL;
    where = p->p ? lb_let(b, NULL, x_load(b, p->p, from, NULL)) : NULL;
  }
  store_window(l, p, &at, best, where);
  close_nest(l, 2);
}

/* What all windows have where the plane holds nothing: -inf at 0. */
static void put_nothing(Lower *l, Pool *p) {
  pool_rows(l, p, &p->y);
  LVar *o = lb_for(l->b, FOR_SERIAL, "o", p->first, p->end, 1);
  lb_range(l->b, o, p->y.size[p->rank - 1]);
  Idx at = p->at;
  at.i[p->rank - 1] = x_var(l->b, o);
  LExpr *best = x_num(l->b, -__builtin_inf(), p->t), *where = x_num(l->b, 0, I32);
  bool first = l->group->heavy == p->max;
  if (l->twin) value_known(l, l->twin, first ? where : best);
  store_epilogue(l, &p->y, &at, first ? best : where);
  if (l->twin) (void)hmdel(l->known, l->twin);
  close_nest(l, 2);
}

static void lower_max(Lower *l) {
  NodeId id = l->group->heavy;
  const Node *n = graph_node(l->g, id);
  Axes x = axes_of(l, n->in[0]), y = axes_of(l, id);
  Pool p = pool_of(l, n, &x, &y);
  int last = p.rank - 1;
  p.t = graph_type(l->g, n->in[0]).dtype;
  p.max = n->op == OP_max_pool ? id : l->twin;
  p.arg = n->op == OP_max_pool ? l->twin : id;
  int64_t s = p.stride[last], spare = p.window[last] > s ? p.reach[last] - 1 : 0,
          more = spare * s; /* windows, columns */
  LExpr *some = NULL;
  bool sure = true;
  for (int k = 2; k < p.rank; k++) sure = sure && p.sure[k];
  for (int trial = 1; trial >= 0; trial--) {
    lower_begin(l);
    pool_open(l, &p, &y, y.size[last], p.stride[last], more);
    if (!trial) break;
    Idx at;
    pool_flat(l, &p, &y, &at);
    p.flat = sure && !more && !p.cols && pool_plain(l, &y, &at);
    close_nest(l, 2);
  }
  if (p.max || p.window[last] > 1 || rows_under(&p) > UNROLL) p.v = lb_array(l->b, ARR_STACK, p.t, p.count, "v");
  if (p.arg) p.p = lb_array(l->b, ARR_STACK, I32, p.count, "p");
  for (int k = 2; k < p.rank; k++)
    if (dim_lower(l->dims, x.size[k]) < 1) some = x_and(l->b, some, x_ge(l->b, x_dim(l->b, x.size[k]), x_int(l->b, 1)));
  if (some) lb_if(l->b, some);
  put_pool(l, &p, spare);
  if (some) {
    lb_else(l->b);
    put_nothing(l, &p);
    lb_end(l->b);
  }
  lb_end(l->b);
  lower_end(l, op_info[n->op].name, false);
}

void lower_window(Lower *l) {
  if (graph_node(l->g, l->group->heavy)->op == OP_max_pool_dx) lower_max_dx(l);
  else if (!lower_max_last(l)) lower_max(l);
}
