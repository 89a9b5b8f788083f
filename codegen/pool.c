/* Pools. An item of work is a block of rows of one plane, so that every loop along the contiguous axis is long or has
 * a constant length, has no conditions in it and compiles to vector code:
 *   max_pool, max_pool_arg  the rows under a window are folded into a row of the stack, column by column, with their
 *                           places; then the columns under each window are. What stands outside of the plane counts
 *                           as the nearest element inside, which the window holds as well, at the same place.
 *   max_pool_dx             dy and places of the windows that hold the rows are repeated along both axes until they lie
 *                           under the elements; each element takes what its window gives if its own place is there. */
#include "base/ds.h"
#include "codegen/lower.h"

enum { ROOM = 2048, UNROLL = 16 }; /* elements of the stack; terms of one expression */

typedef struct Pool {
  NodeId max, arg; /* whose values are wanted; 0: not that one */
  const Node *n;
  int rank, row;                                             /* the axis of rows: the one before the last */
  DType t;                                                   /* of x */
  int64_t window[MAX_RANK], stride[MAX_RANK], low[MAX_RANK]; /* by axis; those of N and C are 1, 1, 0 */
  int64_t reach[MAX_RANK];                                   /* how many windows may hold one element */
  bool sure[MAX_RANK];                                       /* no window stands wholly outside of the plane */
  Axes x, y;
  int64_t rows, cols; /* an item's rows; of a long row, its windows or columns, else 0 */
  Dim pitch;          /* of a row on the stack */
  bool flat;          /* rows follow each other on the stack as they do in the result */
  int64_t count;      /* elements on the stack */
  LArr *v, *p;        /* values, places; NULL: not needed */
  /* of the item */
  Idx at;
  LExpr *lo, *hi;     /* rows */
  LExpr *first, *end; /* windows along the last axis */
} Pool;

static Dim number(Lower *l, int64_t v) { return dim_int(l->dims, v); }
static bool surely(Lower *l, Dim a, Dim b) { return dim_le(l->dims, a, b) == DIM_YES; }

static Pool pool_of(Lower *l, const Node *n, const Axes *x, const Axes *y) {
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

/* Items: the axes before the rows, blocks of rows, blocks of `windows` along the last axis, which take `each` elements
 * of the stack and `more`. */
static void open_pool(Lower *l, Pool *p, const Axes *over, Dim windows, int64_t each, int64_t more) {
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

/* Opens a loop over the item's rows; the start of the row on the stack. */
static LExpr *open_rows(Lower *l, Pool *p, const Axes *over) {
  LVar *r = lb_for(l->b, FOR_SERIAL, "r", p->lo, p->hi, 1);
  lb_range(l->b, r, over->size[p->row]);
  p->at.i[p->row] = x_var(l->b, r);
  return x_mul(l->b, x_sub(l->b, x_var(l->b, r), p->lo), x_dim(l->b, p->pitch));
}

/* Do the group's results need no division when rows are taken as one? Their values at `at`, an index on `axes`. */
static bool plain_results(Lower *l, const Axes *axes, const Idx *at) {
  int divisions = 0;
  l->heavy_value = x_num(l->b, 0, graph_type(l->g, l->group->heavy).dtype);
  l->twin_value = l->twin ? x_num(l->b, 0, graph_type(l->g, l->twin).dtype) : NULL;
  for (int i = 0; i < arrlen(l->group->outs); i++) {
    Axes out = axes_of(l, l->group->outs[i].node);
    Idx to = *at;
    if (out.n != axes->n) axes_split(l->b, out.size, out.n, axes_linear(l->b, axes, at), to.i);
    divisions += x_divisions(value_at(l, l->group->outs[i].node, &to), lb_level(l->b));
  }
  l->heavy_value = l->twin_value = NULL;
  hmfree(l->memo);
  l->memo = NULL;
  return !divisions;
}

/* A loop over all elements of the item's rows, which follow each other on the stack and in the result; its place on the
 * stack in units of the result's elements. */
static LExpr *open_flat(Lower *l, const Pool *p, const Axes *over, Idx *at) {
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
  if (p->low[axis] > 0) i = x_max(b, i, x_int(b, 0));
  if (!surely(l, end, size)) i = x_min(b, i, x_dim(b, dim_sub(l->dims, size, number(l, 1))));
  return i;
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
    best = !best ? v : p->p ? x_select(b, take, v, best) : x_op(b, OP_maximum, p->t, best, v, NULL);
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
  LExpr *base = lb_let(b, NULL, open_rows(l, p, &p->y));
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
    *best = p->p ? x_select(b, take, v, *best) : x_op(b, OP_maximum, p->t, *best, v, NULL);
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

/* A window that stands wholly outside has -inf at 0. */
static LExpr *in_plane(Lower *l, const Pool *p, const Idx *at) {
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

static void store_window(Lower *l, const Pool *p, const Idx *at, LExpr *stack) {
  LB *b = l->b;
  LExpr *best, *where, *sure = in_plane(l, p, at);
  fold_columns(l, p, stack, &best, &where);
  if (best) best = x_select(b, sure, best, x_num(b, -__builtin_inf(), p->t));
  if (where) where = x_select(b, sure, where, x_num(b, 0, I32));
  bool first = l->group->heavy == p->max;
  l->twin_value = !l->twin ? NULL : first ? where : best;
  store_epilogue(l, &p->y, at, first ? best : where);
  l->twin_value = NULL;
}

/* The loops of an item. */
static void put_pool(Lower *l, Pool *p) {
  LB *b = l->b;
  int last = p->rank - 1;
  Idx at;
  put_rows(l, p);
  if (p->flat) {
    LExpr *q = open_flat(l, p, &p->y, &at);
    store_window(l, p, &at, x_mul(b, q, x_int(b, p->stride[last])));
    close_nest(l, 1);
    return;
  }
  LExpr *base = open_rows(l, p, &p->y);
  LVar *o = lb_for(b, FOR_VECTOR, "o", p->first, p->end, 1);
  lb_range(b, o, p->y.size[last]);
  at = p->at;
  at.i[last] = x_var(b, o);
  LExpr *column = x_mul(b, x_sub(b, x_var(b, o), p->first), x_int(b, p->stride[last]));
  store_window(l, p, &at, x_add(b, base, column));
  close_nest(l, 2);
}

/* What all windows have where the plane holds nothing: -inf at 0. */
static void put_nothing(Lower *l, Pool *p) {
  open_rows(l, p, &p->y);
  LVar *o = lb_for(l->b, FOR_SERIAL, "o", p->first, p->end, 1);
  lb_range(l->b, o, p->y.size[p->rank - 1]);
  Idx at = p->at;
  at.i[p->rank - 1] = x_var(l->b, o);
  LExpr *best = x_num(l->b, -__builtin_inf(), p->t), *where = x_num(l->b, 0, I32);
  bool first = l->group->heavy == p->max;
  l->twin_value = !l->twin ? NULL : first ? where : best;
  store_epilogue(l, &p->y, &at, first ? best : where);
  l->twin_value = NULL;
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
  int64_t more = p.window[last] > p.stride[last] ? p.window[last] - p.stride[last] : 0;
  LExpr *some = NULL;
  bool sure = true;
  for (int k = 2; k < p.rank; k++) sure = sure && p.sure[k];
  for (int trial = 1; trial >= 0; trial--) {
    lower_begin(l);
    open_pool(l, &p, &y, y.size[last], p.stride[last], more);
    if (!trial) break;
    Idx at;
    open_flat(l, &p, &y, &at);
    p.flat = sure && !more && !p.cols && plain_results(l, &y, &at);
    close_nest(l, 2);
  }
  if (p.max || p.window[last] > 1 || rows_under(&p) > UNROLL) p.v = lb_array(l->b, ARR_STACK, p.t, p.count, "v");
  if (p.arg) p.p = lb_array(l->b, ARR_STACK, I32, p.count, "p");
  for (int k = 2; k < p.rank; k++)
    if (dim_lower(l->dims, x.size[k]) < 1) some = x_and(l->b, some, x_ge(l->b, x_dim(l->b, x.size[k]), x_int(l->b, 1)));
  if (some) lb_if(l->b, some);
  put_pool(l, &p);
  if (some) {
    lb_else(l->b);
    put_nothing(l, &p);
    lb_end(l->b);
  }
  lb_end(l->b);
  lower_end(l, op_info[n->op].name, false);
}

/* ---- its gradient ---- */

/* The windows that may hold an element are those at `m` before the last that does, m[k] < reach[k] along each axis. For
 * each m: rows `from` .. `to` of windows hold the item's rows. */
typedef struct Back {
  LArr *dy, *arg;   /* s elements for each window of these rows */
  LArr *near, *who; /* by element of the item: the gradient of its window, and which element that window chose */
  LArr *sum;        /* by element; NULL: one window is all there may be */
  LExpr *m[MAX_RANK], *from, *to, *first, *end; /* rows; windows along the last axis */
  LExpr *place;                                 /* of the item's first element in its plane */
  LExpr *width;
} Back;

/* The window at `m` before the last along `axis` that holds element i, there or not. */
static LExpr *window_at(Lower *l, const Pool *p, const Back *d, int axis, LExpr *i) {
  LB *b = l->b;
  return x_sub(b, x_div(b, x_add(b, i, x_int(b, p->low[axis])), x_int(b, p->stride[axis])), d->m[axis]);
}
static LExpr *clamp(Lower *l, LExpr *i, LExpr *end) { return x_max(l->b, x_min(l->b, i, end), x_int(l->b, 0)); }

/* dy and arg of the windows in rows from .. to, s times each. */
static void put_spread(Lower *l, const Pool *p, const Back *d) {
  LB *b = l->b;
  int last = p->rank - 1;
  LExpr *n = x_sub(b, d->end, d->first), *rows = x_sub(b, d->to, d->from), *s = x_int(b, p->stride[last]);
  Idx at = p->at;
  for (int k = 2; k < p->row; k++)
    at.i[k] = clamp(l, window_at(l, p, d, k, p->at.i[k]), x_dim(b, dim_sub(l->dims, p->y.size[k], number(l, 1))));
  bool flat = !p->cols;
  LExpr *to;
  if (flat) {
    LExpr *w = x_dim(b, p->y.size[last]);
    LVar *q = lb_for(b, FOR_VECTOR, "q", x_int(b, 0), x_mul(b, rows, w), 1);
    LExpr *e = x_add(b, x_mul(b, d->from, w), x_var(b, q));
    at.i[last] = x_mod(b, e, w);
    at.i[p->row] = x_div(b, e, w);
    to = x_var(b, q);
  } else {
    LVar *r = lb_for(b, FOR_SERIAL, "o", d->from, d->to, 1);
    LVar *q = lb_for(b, FOR_VECTOR, "q", d->first, d->end, 1);
    at.i[p->row] = x_var(b, r);
    at.i[last] = x_var(b, q);
    to = x_add(b, x_mul(b, x_sub(b, x_var(b, r), d->from), n), x_sub(b, x_var(b, q), d->first));
  }
  LExpr *dy = lb_let(b, NULL, value_at(l, p->n->in[0], &at)), *arg = lb_let(b, NULL, value_at(l, p->n->in[1], &at));
  for (int64_t i = 0; i < p->stride[last]; i++) {
    LExpr *here = x_add(b, x_mul(b, to, s), x_int(b, i));
    lb_store(b, d->dy, here, dy);
    lb_store(b, d->arg, here, arg);
  }
  close_nest(l, flat ? 1 : 2);
}

static void put_none(Lower *l, const Pool *p, const Back *d, LExpr *base, LExpr *from, LExpr *to) {
  LB *b = l->b;
  int64_t lo, hi;
  if (from == to || (x_is_int(from, &lo) && x_is_int(to, &hi) && lo >= hi)) return;
  LExpr *at = x_add(b, base, x_var(b, lb_for(b, FOR_SERIAL, "c", from, to, 1)));
  lb_store(b, d->near, at, x_num(b, 0, p->t));
  lb_store(b, d->who, at, x_num(b, -1, I32));
  lb_end(b);
}

/* To each element of the item what its window at m has; -1 chose none. */
static void put_near(Lower *l, Pool *p, const Back *d) {
  LB *b = l->b;
  int last = p->rank - 1;
  LVar *r = lb_for(b, FOR_SERIAL, "r", p->lo, p->hi, 1);
  lb_range(b, r, p->x.size[p->row]);
  LExpr *s = x_int(b, p->stride[last]), *zero = x_int(b, 0), *there = NULL;
  LExpr *base = lb_let(b, NULL, x_mul(b, x_sub(b, x_var(b, r), p->lo), d->width));
  for (int k = 2; k <= p->row; k++) {
    LExpr *o = window_at(l, p, d, k, k == p->row ? x_var(b, r) : p->at.i[k]);
    there = x_and(b, there, x_lt(b, o, x_dim(b, p->y.size[k])));
    if (p->reach[k] > 1) there = x_and(b, there, x_ge(b, o, zero));
  }
  LExpr *o = p->row < 2 ? x_var(b, r) : window_at(l, p, d, p->row, x_var(b, r));
  LExpr *row = x_mul(b, x_sub(b, o, d->from), x_mul(b, x_sub(b, d->end, d->first), s));
  /* column c is at c + shift of the row of windows */
  LExpr *shift = x_sub(b, x_int(b, p->low[last]), x_mul(b, x_add(b, d->m[last], d->first), s));
  shift = x_add(b, shift, p->first);
  LExpr *lo = clamp(l, x_sub(b, zero, shift), d->width);
  LExpr *hi = x_max(b, lo, x_min(b, x_sub(b, x_mul(b, x_sub(b, d->end, d->first), s), shift), d->width));
  if (there) lo = x_select(b, there, lo, d->width), hi = x_select(b, there, hi, d->width);
  lo = lb_let(b, NULL, lo);
  hi = lb_let(b, NULL, hi);
  put_none(l, p, d, base, zero, lo);
  LVar *c = lb_for(b, FOR_VECTOR, "c", lo, hi, 1);
  LExpr *from = x_add(b, row, x_add(b, x_var(b, c), shift)), *at = x_add(b, base, x_var(b, c));
  lb_store(b, d->near, at, x_load(b, d->dy, from, NULL));
  LExpr *who = x_load(b, d->arg, from, NULL);
  if (p->row < 2) who = x_op(b, OP_add, I32, who, x_cast(b, base, I32), NULL); /* each row is a plane */
  lb_store(b, d->who, at, who);
  lb_end(b);
  put_none(l, p, d, base, hi, d->width);
  lb_end(b);
}

static LExpr *chosen(Lower *l, const Pool *p, const Back *d, LExpr *q) {
  LB *b = l->b;
  LExpr *near = lb_let(b, NULL, x_load(b, d->near, q, NULL));
  LExpr *is = x_op(b, OP_eq, BOOL, x_load(b, d->who, q, NULL), x_cast(b, x_add(b, d->place, q), I32), NULL);
  return x_select(b, is, near, x_num(b, 0, p->t));
}

/* One m: k counts the m of all axes. */
static void put_window(Lower *l, Pool *p, Back *d, LExpr *k) {
  LB *b = l->b;
  int last = p->rank - 1;
  Dim size[MAX_RANK];
  for (int i = 2; i <= last; i++) size[i - 2] = number(l, p->reach[i]);
  d->m[0] = d->m[1] = x_int(b, 0);
  axes_split(b, size, p->rank - 2, k, d->m + 2);
  LExpr *one = x_int(b, 1), *zero = x_int(b, 0), *rows = x_dim(b, p->y.size[p->row]),
        *windows = x_dim(b, p->y.size[last]);
  d->from = lb_let(b, "from", clamp(l, window_at(l, p, d, p->row, p->lo), rows));
  d->to = lb_let(b, "to", clamp(l, x_add(b, window_at(l, p, d, p->row, x_sub(b, p->hi, one)), one), rows));
  d->first = p->cols ? lb_let(b, "first", clamp(l, window_at(l, p, d, last, p->first), windows)) : zero;
  d->end = windows;
  if (p->cols)
    d->end = lb_let(b, "end", clamp(l, x_add(b, window_at(l, p, d, last, x_sub(b, p->end, one)), one), windows));
  put_spread(l, p, d);
  put_near(l, p, d);
}

static void lower_max_dx(Lower *l) {
  NodeId id = l->group->heavy;
  const Node *n = graph_node(l->g, id);
  Axes x = axes_of(l, id), y = axes_of(l, n->in[0]);
  Pool p = pool_of(l, n, &x, &y);
  int last = p.rank - 1;
  int64_t s = p.stride[last], count = 1;
  p.t = graph_type(l->g, id).dtype;
  for (int k = 2; k < p.rank; k++) count *= p.reach[k];
  Idx at;
  for (int trial = 1; trial >= 0; trial--) {
    lower_begin(l);
    open_pool(l, &p, &x, x.size[last], 1, 0);
    if (!trial) break;
    open_flat(l, &p, &x, &at);
    p.flat = plain_results(l, &x, &at);
    close_nest(l, 2);
  }
  LB *b = l->b;
  int64_t wide = p.cols ? p.cols / s + 2 : dim_most(l, y.size[last]),
          room = ((p.rows - 1) / p.stride[p.row] + 2) * s * wide;
  Back d = {.width = p.cols ? x_sub(b, p.end, p.first) : x_dim(b, x.size[last])};
  d.dy = lb_array(b, ARR_STACK, p.t, room, "v");
  d.arg = lb_array(b, ARR_STACK, I32, room, "p");
  d.near = lb_array(b, ARR_STACK, p.t, p.count, "near");
  d.who = lb_array(b, ARR_STACK, I32, p.count, "who");
  d.sum = count > 1 ? lb_array(b, ARR_STACK, p.t, p.count, "sum") : NULL;
  LExpr *row = x_int(b, 0), *zero = x_int(b, 0), *all = x_mul(b, x_sub(b, p.hi, p.lo), d.width);
  p.at.i[p.row] = p.lo;
  for (int k = 2; k < last; k++) row = x_add(b, x_mul(b, row, x_dim(b, x.size[k])), p.at.i[k]);
  d.place = lb_let(b, NULL, x_add(b, x_mul(b, row, x_dim(b, x.size[last])), p.first));
  if (d.sum) {
    lb_store(b, d.sum, x_var(b, lb_for(b, FOR_VECTOR, "q", zero, all, 1)), x_num(b, 0, p.t));
    lb_end(b);
    LVar *k = lb_for(b, FOR_SERIAL, "k", zero, x_int(b, count), 1);
    put_window(l, &p, &d, x_sub(b, x_int(b, count - 1), x_var(b, k)));
    LExpr *q = x_var(b, lb_for(b, FOR_VECTOR, "q", zero, all, 1));
    lb_store(b, d.sum, q, x_op(b, OP_add, p.t, x_load(b, d.sum, q, NULL), chosen(l, &p, &d, q), NULL));
    close_nest(l, 2);
  } else {
    put_window(l, &p, &d, zero);
  }
  LExpr *q;
  if (p.flat) {
    q = open_flat(l, &p, &x, &at);
  } else {
    q = open_rows(l, &p, &x);
    LVar *c = lb_for(b, FOR_VECTOR, "c", zero, d.width, 1);
    at = p.at;
    at.i[last] = x_add(b, p.first, x_var(b, c));
    q = x_add(b, q, x_var(b, c));
  }
  store_epilogue(l, &x, &at, lb_let(b, NULL, d.sum ? x_load(b, d.sum, q, NULL) : chosen(l, &p, &d, q)));
  close_nest(l, p.flat ? 2 : 3);
  lower_end(l, op_info[n->op].name, false);
}

void lower_window(Lower *l) {
  if (graph_node(l->g, l->group->heavy)->op == OP_max_pool_dx) lower_max_dx(l);
  else lower_max(l);
}
