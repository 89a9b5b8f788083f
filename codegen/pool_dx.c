/* The gradient of max_pool: each element takes what the windows that hold it give, if its own place is what they chose.
 * dy and the places of the windows that hold an item's rows are repeated along both axes until they lie under the
 * elements, so that every loop is plain; windows that overlap are summed in a fixed order. */
#include "codegen/pool.h"
#include "base/ds.h"

/* The windows that may hold an element are those at `m` before the last that does, m[k] < reach[k] along each axis. For
 * each m: rows `from` .. `to` of windows hold the item's rows. */
typedef struct Back {
  LArr *dy, *arg;   /* s elements for each window of these rows */
  LArr *near, *who; /* by element of the item: the gradient of its window, and which element that window chose */
  LArr *sum;        /* by element; NULL: one window is all there may be */
  LExpr *m[MAX_RANK], *from, *to, *first, *end; /* rows; windows along the last axis */
  LExpr *place;                                 /* of the item's first element in its plane */
  LExpr *width;
  bool byte; /* places are known modulo 256 */
} Back;

/* As many bits of a place as are known. */
static LExpr *known_bits(Lower *l, const Back *d, LExpr *place) {
  if (d->byte) place = x_cast(l->b, place, U8);
  return x_cast(l->b, place, I32);
}

/* The window at `m` before the last along `axis` that holds element i, there or not. */
static LExpr *window_at(Lower *l, const Pool *p, const Back *d, int axis, LExpr *i) {
  LB *b = l->b;
  return x_sub(b, x_div(b, x_add(b, i, x_int(b, p->low[axis])), x_int(b, p->stride[axis])), d->m[axis]);
}
static LExpr *clamp(Lower *l, LExpr *i, LExpr *end) { return x_max(l->b, x_min(l->b, i, end), x_int(l->b, 0)); }

/* dy and arg of the windows in rows from .. to, s times each; -1: it stands wholly outside. */
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
  LExpr *dy = lb_let(b, NULL, value_at(l, p->n->in[0], &at)), *arg = x_cast(b, value_at(l, p->n->in[1], &at), I32);
  LExpr *some = pool_in_plane(l, p, &at);
  arg = lb_let(b, NULL, some ? x_select(b, some, arg, x_num(b, -1, I32)) : arg);
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
  if (p->row < 2) { /* each row is a plane */
    LExpr *none = x_num(b, -1, I32), *is = d->byte ? x_op(b, OP_ne, BOOL, who, none, NULL) : NULL;
    who = known_bits(l, d, x_op(b, OP_add, I32, who, x_cast(b, base, I32), NULL));
    if (is) who = x_select(b, is, who, none);
  }
  lb_store(b, d->who, at, who);
  lb_end(b);
  put_none(l, p, d, base, hi, d->width);
  lb_end(b);
}

static LExpr *chosen(Lower *l, const Pool *p, const Back *d, LExpr *q) {
  LB *b = l->b;
  LExpr *near = lb_let(b, NULL, x_load(b, d->near, q, NULL));
  LExpr *is = x_op(b, OP_eq, BOOL, x_load(b, d->who, q, NULL), known_bits(l, d, x_add(b, d->place, q)), NULL);
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

void lower_max_dx(Lower *l) {
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
    pool_open(l, &p, &x, x.size[last], 1, 0);
    if (!trial) break;
    pool_flat(l, &p, &x, &at);
    p.flat = pool_plain(l, &x, &at);
    close_nest(l, 2);
  }
  LB *b = l->b;
  int64_t wide = p.cols ? p.cols / s + 2 : dim_most(l, y.size[last]),
          room = ((p.rows - 1) / p.stride[p.row] + 2) * s * wide;
  bool byte = graph_type(l->g, n->in[1]).dtype == U8;
  Back d = {.byte = byte, .width = p.cols ? x_sub(b, p.end, p.first) : x_dim(b, x.size[last])};
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
    q = pool_flat(l, &p, &x, &at);
  } else {
    q = pool_rows(l, &p, &x);
    LVar *c = lb_for(b, FOR_VECTOR, "c", zero, d.width, 1);
    at = p.at;
    at.i[last] = x_add(b, p.first, x_var(b, c));
    q = x_add(b, q, x_var(b, c));
  }
  store_epilogue(l, &x, &at, lb_let(b, NULL, d.sum ? x_load(b, d.sum, q, NULL) : chosen(l, &p, &d, q)));
  close_nest(l, p.flat ? 2 : 3);
  lower_end(l, op_info[n->op].name, false);
}
