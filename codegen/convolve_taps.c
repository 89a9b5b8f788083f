/* dw of a convolution of one channel per group. A product would have one row: instead all taps add up side by side, in
 * vectors along the last axis. */
#include "codegen/convolve.h"

enum { MAX_TAPS = 49 };
typedef struct Taps {
  Conv *c;
  int64_t count, size[MAX_RANK];
  int lanes; /* vectors that leave the fewest places over */
  LVar *sum[MAX_TAPS], *rest[MAX_TAPS];
} Taps;
static void tap_index(Lower *l, const Taps *s, int64_t e, LExpr **t) {
  for (int i = s->c->spatial - 1; i >= 0; e /= s->size[i--]) t[i] = x_int(l->b, e % s->size[i]);
}
/* Adds the places from lo to hi of a line, `lanes` at a time, to sums. */
static void add_taps(Lower *l, const Taps *s, LExpr *n, LExpr *g, LExpr **q, LExpr *lo, LExpr *hi, int lanes,
                     LVar *const *sums) {
  LB *x = l->b;
  Conv *c = s->c;
  Idx at = {{n, g}};
  LExpr *t[MAX_RANK];
  LVar *v = lb_for(x, FOR_SERIAL, "q", lo, hi, lanes);
  q[c->spatial - 1] = x_var(x, v);
  for (int i = 0; i < c->spatial; i++) at.i[2 + i] = q[i];
  LExpr *dy = value_at(l, c->other, &at);
  if (lanes > 1) dy = lb_let(x, "dy", x_vload(x, dy->arr, dy->in[0], lanes));
  for (int64_t e = 0; e < s->count; e++) {
    tap_index(l, s, e, t);
    LExpr *u = conv_image_at(l, c, n, g, q, t);
    if (lanes > 1) u = x_vload(x, u->arr, u->in[0], lanes);
    lb_assign(x, sums[e], x_fma(x, dy, u, x_read(x, sums[e])));
  }
  lb_end(x);
}
static bool choose_taps(const Lower *l, Conv *c, Taps *s) {
  int64_t width, one;
  DType t = c->n->type.dtype;
  *s = (Taps){.c = c, .count = 1};
  if (c->in_place || (t != F32 && t != F64) || l->buf_of[c->other] < 0 || l->here[c->other]) return false;
  if (!dim_is_int(l->dims, c->og, &one) || one != 1 || !dim_is(l->dims, c->cg, 1)) return false;
  for (int i = 0; i < c->spatial; i++) {
    if (!dim_is_int(l->dims, c->axis[i].window, &s->size[i])) return false;
    s->count *= s->size[i];
  }
  if (s->count < 1 || s->count > MAX_TAPS || !dim_is_int(l->dims, c->axis[c->spatial - 1].result, &width)) return false;
  int64_t best = width;
  s->lanes = 1;
  for (int lanes = l->target->vector_bytes / dtype_size(t); lanes >= (t == F32 ? 4 : 2); lanes /= 2)
    if (width / lanes + width % lanes < best) {
      best = width / lanes + width % lanes;
      s->lanes = lanes;
    }
  return s->lanes > 1;
}
bool lower_taps(Lower *l, Conv *c, Dim images) {
  Taps taps, *s = &taps;
  if (!choose_taps(l, c, s)) return false;
  DType dt = c->n->type.dtype;
  lower_begin(l);
  LB *x = l->b;
  LArr *line = lb_array(x, ARR_SCRATCH, dt, s->lanes, "line");
  line->written = true;
  LExpr *g = x_var(x, lb_for(x, FOR_PARALLEL, "g", x_int(x, 0), x_int(x, c->groups), 1)), *q[MAX_RANK], *t[MAX_RANK];
  for (int64_t e = 0; e < s->count; e++) {
    s->sum[e] = lb_var(x, "sum", x_splat(x, x_num(x, 0, dt), s->lanes));
    s->rest[e] = lb_var(x, "rest", x_num(x, 0, dt));
  }
  LExpr *n = x_var(x, lb_for(x, FOR_SERIAL, "n", x_int(x, 0), x_dim(x, images), 1));
  for (int i = 0; i < c->spatial - 1; i++)
    q[i] = x_var(x, lb_for(x, FOR_SERIAL, "q", x_int(x, 0), x_dim(x, c->axis[i].result), 1));
  int64_t width;
  dim_is_int(l->dims, c->axis[c->spatial - 1].result, &width);
  LExpr *full = x_int(x, width / s->lanes * s->lanes);
  add_taps(l, s, n, g, q, x_int(x, 0), full, s->lanes, s->sum);
  if (width % s->lanes) add_taps(l, s, n, g, q, full, x_int(x, width), 1, s->rest);
  for (int i = 0; i < c->spatial; i++) lb_end(x);
  Product p = {.ctx = c, .dtype = dt};
  for (int64_t e = 0; e < s->count; e++) {
    LExpr *sum = x_read(x, s->rest[e]);
    lb_store(x, line, x_int(x, 0), x_read(x, s->sum[e]));
    for (int k = 0; k < s->lanes; k++)
      sum = lb_let(x, NULL, x_op(x, OP_add, dt, sum, x_load(x, line, x_int(x, k), NULL), NULL));
    Idx b = {{g}}, m = {{x_int(x, 0)}}, at = {{x_int(x, 0)}};
    tap_index(l, s, e, t);
    for (int i = 0; i < c->spatial; i++) at.i[1 + i] = t[i];
    conv_taps_done(l, &p, &b, &m, &at, sum);
  }
  lb_end(x);
  lower_end(l, "conv_dw", true);
  return true;
}
