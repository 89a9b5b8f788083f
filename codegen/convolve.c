/* Convolutions as products. Within each group
 *
 *   y[n, o, q]  = sum over c, k of x[n, c, q s + k d - low] w[o, c, k]
 *   conv     A = w   (o x c k)      B = x   (c k x n q)
 *   conv_dw  A = dy  (o x n q)      B = x   (n q x c k)
 *   conv_dx  A = w   (c x o k)      B = dy  (o k x n u)       for each phase of the stride
 *
 * B's operand is first copied with a border of zeros into workspace, so that every read of it is in range and at an
 * address that is a part of K plus a part of N; a window of one element without a border needs no copy, and each image
 * is a product of its own. The places u of dx that agree modulo the stride, a phase, read the same elements of the
 * window: u = s q + r reads k = k0 + s t of dy at q + shift - t d. So a phase is a convolution of stride 1, and nothing
 * is multiplied by the zeros between the elements of a spread dy. */
#include "base/buf.h"
#include "base/ds.h"
#include "codegen/convolve.h"

static DType sum_type(DType t) { return t == F64 ? F64 : F32; }

/* The batch axes of the product are image (when single), then group. */
static LExpr *image_of(const Conv *c, const Idx *b, LExpr *otherwise) { return c->single ? b->i[0] : otherwise; }
static LExpr *channel(Lower *l, const Conv *c, const Idx *b, LExpr *i, Dim each) {
  if (c->groups == 1) return i;
  return x_add(l->b, x_mul(l->b, b->i[c->single && c->op != OP_conv_dw ? 1 : 0], x_dim(l->b, each)), i);
}
static LExpr *affine(LB *b, LExpr *x, int64_t mul, int64_t add) {
  return x_add(b, x_mul(b, x, x_int(b, mul)), x_int(b, add));
}
/* An index of the image as one of a thin copy that has its channels last, as the image has. */
static Idx channels_last(const Conv *c, const Idx *at) {
  Idx last = *at;
  for (int i = 0; i < c->spatial; i++) last.i[1 + i] = at->i[2 + i];
  last.i[1 + c->spatial] = at->i[1];
  return last;
}
LExpr *conv_image_at(Lower *l, const Conv *c, LExpr *n, LExpr *channel, LExpr *const *q, LExpr *const *t) {
  LB *b = l->b;
  Idx at = {{n, channel}};
  for (int i = 0; i < c->spatial; i++) {
    const Spatial *a = &c->axis[i];
    LExpr *place = x_mul(b, q[i], x_int(b, a->step)), *tap = x_mul(b, t[i], x_int(b, a->gap < 0 ? -a->gap : a->gap));
    if (a->gap < 0) { /* dx */
      LExpr *from =
          c->in_place ? x_int(b, a->shift) : x_dim(b, dim_add(l->dims, a->border, dim_int(l->dims, a->shift)));
      at.i[2 + i] = x_add(b, place, x_sub(b, from, tap));
    } else {
      at.i[2 + i] = x_add(b, place, tap);
    }
  }
  if (c->apart > 1) { /* [remainder][quotient] */
    int last = c->spatial - 1;
    LExpr *tap = x_mul(b, t[last], x_int(b, c->axis[last].gap)), *s = x_int(b, c->apart);
    at.i[2 + last] = x_mod(b, tap, s);
    at.i[3 + last] = x_add(b, q[last], x_div(b, tap, s));
  }
  DType type = sum_type(c->n->type.dtype);
  if (c->in_place) return x_cast(b, value_at(l, c->image, &at), type);
  if (c->thin)
    for (int i = 0; i < c->spatial; i++) at.i[2 + i] = q[i];
  if (c->thin && c->last) at = channels_last(c, &at);
  return x_load(b, lower_temp_array(l, c->temp, type, false), axes_linear(b, &c->copy, &at), NULL);
}
static LExpr *window_at(Lower *l, const Conv *c, LExpr *o, LExpr *i, LExpr *const *t, DType type) {
  Idx at = {{o, i}};
  for (int k = 0; k < c->spatial; k++) at.i[2 + k] = affine(l->b, t[k], c->axis[k].every, c->axis[k].k0);
  return x_cast(l->b, value_at(l, c->other, &at), type);
}

/* conv: m = o; k = c, taps; n = n, places.    conv_dx: m = c; k = o, taps; n = n, places */
static LExpr *weight_a(Lower *l, const Product *p, const Idx *b, const Idx *m, const Idx *k) {
  const Conv *c = p->ctx;
  LExpr *in = k->i[c->taps_first ? c->spatial : 0], *const *t = k->i + !c->taps_first;
  if (c->op == OP_conv) return window_at(l, c, channel(l, c, b, m->i[0], c->og), in, t, p->dtype);
  return window_at(l, c, channel(l, c, b, in, c->og), m->i[0], t, p->dtype);
}
static LExpr *image_b(Lower *l, const Product *p, const Idx *b, const Idx *n, const Idx *k) {
  const Conv *c = p->ctx;
  LExpr *in = channel(l, c, b, k->i[c->taps_first ? c->spatial : 0], c->op == OP_conv ? c->cg : c->og);
  return conv_image_at(l, c, image_of(c, b, n->i[0]), in, n->i + !c->single, k->i + !c->taps_first);
}
static void places_done(Lower *l, const Product *p, const Idx *b, const Idx *m, const Idx *n, LExpr *sum) {
  const Conv *c = p->ctx;
  Axes out = axes_of(l, l->group->heavy);
  Idx at = {{image_of(c, b, n->i[0]), channel(l, c, b, m->i[0], c->op == OP_conv ? c->og : c->cg)}};
  for (int i = 0; i < c->spatial; i++)
    at.i[2 + i] = affine(l->b, n->i[!c->single + i], c->axis[i].apart, c->axis[i].first);
  store_epilogue(l, &out, &at, x_cast(l->b, sum, c->n->type.dtype));
}
/* conv_dw: m = o; n = c, taps; k = n, places */
static LExpr *gradient_a(Lower *l, const Product *p, const Idx *b, const Idx *m, const Idx *k) {
  const Conv *c = p->ctx;
  Idx at = {{k->i[0], channel(l, c, b, m->i[0], c->og)}};
  for (int i = 0; i < c->spatial; i++) at.i[2 + i] = k->i[1 + i];
  return x_cast(l->b, value_at(l, c->other, &at), p->dtype);
}
static LExpr *taps_b(Lower *l, const Product *p, const Idx *b, const Idx *n, const Idx *k) {
  const Conv *c = p->ctx;
  return conv_image_at(l, c, k->i[0], channel(l, c, b, n->i[0], c->cg), k->i + 1, n->i + 1);
}
void conv_taps_done(Lower *l, const Product *p, const Idx *b, const Idx *m, const Idx *n, LExpr *sum) {
  const Conv *c = p->ctx;
  Axes out = axes_of(l, l->group->heavy);
  Idx at = {{channel(l, c, b, m->i[0], c->og)}};
  for (int i = 0; i <= c->spatial; i++) at.i[1 + i] = n->i[i];
  store_epilogue(l, &out, &at, x_cast(l->b, sum, c->n->type.dtype));
}

/* ---- the copy: X[t] = image[t - border] ---- */
static void border_body(Lower *l, const Axes *a, const Idx *at, bool trial, int *cost, void *ctx) {
  const Conv *c = ctx;
  LB *b = l->b;
  Idx in = *at;
  LExpr *inside = NULL;
  if (c->thin && c->last) {
    in.i[1] = at->i[1 + c->spatial];
    for (int i = 0; i < c->spatial; i++) in.i[2 + i] = x_mul(b, at->i[1 + i], x_int(b, c->axis[i].stride));
  }
  DType t = sum_type(c->n->type.dtype);
  for (int i = 0; i < c->spatial; i++) {
    Dim border = c->axis[i].border;
    LExpr *u = at->i[2 + i];
    if (c->thin) {
      if (!c->last) in.i[2 + i] = x_mul(b, u, x_int(b, c->axis[i].stride));
      continue;
    }
    if (c->apart > 1 && i == c->spatial - 1) u = x_add(b, x_mul(b, at->i[3 + i], x_int(b, c->apart)), u);
    u = x_sub(b, u, x_dim(b, border));
    if (dim_le(l->dims, border, dim_int(l->dims, 0)) != DIM_YES) inside = x_and(b, inside, x_ge(b, u, x_int(b, 0)));
    inside = x_and(b, inside, x_lt(b, u, x_dim(b, c->axis[i].image)));
    in.i[2 + i] = u;
  }
  l->guard = inside;
  LExpr *v = value_at(l, c->image, &in);
  l->guard = NULL;
  v = x_cast(b, inside ? x_select(b, inside, v, x_num(b, 0, v->dtype)) : v, t);
  if (trial) *cost = x_divisions(v, lb_level(b));
  else lb_store(b, lower_temp_array(l, c->temp, t, true), axes_linear(b, a, at), v);
}

/* The same line by line where the last axis has a known size: zeros, elements of the image one after the other or with
 * gaps, zeros, so that no element is asked whether it is inside. */
enum { MOST_RESTS = 4 };
typedef struct Line {
  int64_t low, wide, places; /* zeros before the image, its elements, places of the copy with one rest */
  LExpr *at;                 /* where the line begins in the copy */
  Idx in;                    /* its index in the image but for the last axis */
} Line;
static void line_part(Lower *l, const Conv *c, const Line *q, int64_t rest, int64_t from, int64_t to, bool image) {
  LB *b = l->b;
  DType t = sum_type(c->n->type.dtype);
  if (from >= to) return;
  LVar *jv = lb_for(b, FOR_VECTOR, "j", x_int(b, from), x_int(b, to), 1);
  LExpr *j = x_var(b, jv), *v = x_num(b, 0, t);
  Idx in = q->in;
  in.i[1 + c->spatial] = affine(b, j, c->apart, rest - q->low);
  if (image) v = x_cast(b, value_at(l, c->image, &in), t);
  lb_store(b, lower_temp_array(l, c->temp, t, true), x_add(b, q->at, x_add(b, x_int(b, rest * q->places), j)), v);
  lb_end(b);
}
static int64_t clamp64(int64_t n, int64_t lo, int64_t hi) { return n < lo ? lo : n > hi ? hi : n; }
/* The places from lo to hi of the copy with this rest are elements of the image. */
static void image_part(const Conv *c, const Line *q, int64_t rest, int64_t *lo, int64_t *hi) {
  int64_t step = c->apart, first = q->low - rest; /* element 0 is at first / step */
  *lo = clamp64(first > 0 ? (first + step - 1) / step : 0, 0, q->places);
  *hi = clamp64(first + q->wide > 0 ? (first + q->wide + step - 1) / step : 0, *lo, q->places);
}
static bool border_by_lines(Lower *l, const Conv *c) {
  DimTab *d = l->dims;
  LB *b;
  Line q;
  int last = c->spatial - 1;
  if (c->thin || c->apart > MOST_RESTS || !dim_is_int(d, c->axis[last].image, &q.wide)) return false;
  if (!dim_is_int(d, c->axis[last].border, &q.low) || !dim_is_int(d, c->copy.size[c->copy.n - 1], &q.places) ||
      q.places * c->apart < 8)
    return false;
  lower_begin(l);
  b = l->b;
  Axes lines = c->copy;
  Idx at = {0};
  lines.n = 2 + last;
  open_items(l, &lines, &at);
  q.in = at;
  q.at = lb_let(b, "line", x_mul(b, axes_linear(b, &lines, &at), x_int(b, c->apart * q.places)));
  LExpr *inside = NULL;
  for (int i = 0; i < last; i++) {
    LExpr *u = q.in.i[2 + i] = x_sub(b, at.i[2 + i], x_dim(b, c->axis[i].border));
    inside = x_and(b, inside, x_and(b, x_ge(b, u, x_int(b, 0)), x_lt(b, u, x_dim(b, c->axis[i].image))));
  }
  int64_t lo[MOST_RESTS], hi[MOST_RESTS];
  for (int64_t rest = 0; rest < c->apart; rest++) {
    image_part(c, &q, rest, &lo[rest], &hi[rest]);
    line_part(l, c, &q, rest, 0, lo[rest], false);
    line_part(l, c, &q, rest, hi[rest], q.places, false);
  }
  if (inside) lb_if(b, inside);
  for (int64_t rest = 0; rest < c->apart; rest++) line_part(l, c, &q, rest, lo[rest], hi[rest], true);
  if (inside) {
    lb_else(b);
    for (int64_t rest = 0; rest < c->apart; rest++) line_part(l, c, &q, rest, lo[rest], hi[rest], false);
    lb_end(b);
  }
  lb_end(b);
  lower_end(l, "border", false);
  return true;
}

/* ---- phases ---- */
static int64_t gcd64(int64_t a, int64_t b) { return b ? gcd64(b, a % b) : a; }

/* dx: places r, r + s, ... of an axis read the window's elements k0, k0 + s / g, ... with k d = r + low modulo s, where
 * g divides both s and d. */
static void axis_phase(DimTab *d, Spatial *a, int64_t r) {
  int64_t s = a->stride, g = gcd64(s, a->dilation), k0 = 0;
  while (k0 < s / g && (k0 * a->dilation - r - a->low) % s != 0) k0++;
  bool some = k0 < s / g;
  a->k0 = some ? k0 : 0;
  a->every = s / g;
  a->first = r;
  a->apart = s;
  a->step = 1;
  a->gap = -a->dilation / g;
  a->shift = some ? (r + a->low - k0 * a->dilation) / s : 0; /* + border */
  a->places = dim_ceil_div(d, dim_sub(d, a->result, dim_int(d, r)), s);
  a->taps = some ? dim_ceil_div(d, dim_sub(d, a->window, dim_int(d, k0)), s / g) : dim_int(d, 0);
}
/* y: one phase. dw reads the image alike. */
static void axis_straight(DimTab *d, Spatial *a) {
  a->step = a->stride;
  a->gap = a->dilation;
  a->every = a->apart = 1;
  a->places = a->result;
  a->taps = a->window;
}

/* ---- dx with strides of many phases ----
 * A kernel for each would be thousands. Instead every place sums over the whole window, of which only the elements that
 * fall on a place of dy count: one kernel of any stride, which tries more than it adds. */
enum { MOST_PHASES = 16 };
static LExpr *spread_value(Lower *l, const Fold *f, const Idx *kept, const Idx *red) {
  const Conv *c = f->ctx;
  LB *b = l->b;
  LExpr *group = kept->i[1], *o = x_add(b, x_mul(b, group, x_dim(b, c->og)), red->i[0]), *inside = NULL;
  Idx dy = {{kept->i[0], o}}, w = {{o, kept->i[2]}};
  for (int i = 0; i < c->spatial; i++) {
    const Spatial *a = &c->axis[i];
    LExpr *s = x_int(b, a->stride), *t = red->i[1 + i];
    LExpr *u = x_sub(b, x_add(b, kept->i[3 + i], x_int(b, a->low)), x_mul(b, t, x_int(b, a->dilation)));
    LExpr *at = x_max(b, u, x_int(b, 0));
    inside = x_and(b, x_and(b, inside, x_ge(b, u, x_int(b, 0))), x_eq(b, x_mod(b, at, s), x_int(b, 0)));
    dy.i[2 + i] = x_div(b, at, s);
    inside = x_and(b, inside, x_lt(b, dy.i[2 + i], x_dim(b, a->image)));
    w.i[2 + i] = t;
  }
  l->guard = inside;
  LExpr *v = value_at(l, c->image, &dy);
  l->guard = NULL;
  v = x_cast(b, x_select(b, inside, v, x_num(b, 0, v->dtype)), f->dtype);
  return x_op(b, OP_mul, f->dtype, v, x_cast(b, value_at(l, c->other, &w), f->dtype), NULL);
}
static void spread_done(Lower *l, const Fold *f, const Idx *kept, LExpr *result) {
  const Conv *c = f->ctx;
  Axes out = axes_of(l, l->group->heavy);
  Idx at = {{kept->i[0], x_add(l->b, x_mul(l->b, kept->i[1], x_dim(l->b, c->cg)), kept->i[2])}};
  for (int i = 0; i < c->spatial; i++) at.i[2 + i] = kept->i[3 + i];
  store_epilogue(l, &out, &at, x_cast(l->b, result, c->n->type.dtype));
}
static void lower_spread(Lower *l, const Conv *c, Dim images) {
  Fold f = {.op = OP_add, .dtype = sum_type(c->n->type.dtype), .rows = true, .ctx = c, .name = op_info[c->op].name};
  f.value = spread_value;
  f.done = spread_done;
  f.kept = (Axes){.n = 3, .size = {images, dim_int(l->dims, c->groups), c->cg}};
  f.red = (Axes){.n = 1, .size = {c->og}};
  for (int i = 0; i < c->spatial; i++) {
    f.kept.size[f.kept.n++] = c->axis[i].result;
    f.red.size[f.red.n++] = c->axis[i].window;
  }
  lower_fold(l, &f);
}

/* ---- pixels as rows ----
 * A small image has few pixels, and as columns they fill vectors badly: 49 are four of 16. As rows they fit any number,
 * and the channels of the weights, which are packed once, are the columns. The results lie along the rows then. */
static LExpr *image_a(Lower *l, const Product *p, const Idx *b, const Idx *m, const Idx *k) {
  return image_b(l, p, b, m, k);
}
static LExpr *weight_b(Lower *l, const Product *p, const Idx *b, const Idx *n, const Idx *k) {
  return weight_a(l, p, b, n, k);
}
static void rows_done(Lower *l, const Product *p, const Idx *b, const Idx *m, const Idx *n, LExpr *sum) {
  places_done(l, p, b, n, m, sum);
}
static void turn(Product *p, bool last) {
  Axes places = p->n;
  p->n = p->m;
  p->m = places;
  p->a = image_a;
  p->bv = weight_b;
  p->done = rows_done;
  p->turned = !last;
}
/* Are the weights the same in every call? */
static bool keeps_weights(Lower *l, const Conv *c) {
  LExpr *zero[MAX_RANK];
  lower_begin(l);
  for (int i = 0; i < c->spatial; i++) zero[i] = x_int(l->b, 0);
  LExpr *o = x_var(l->b, lb_for(l->b, FOR_SERIAL, "o", x_int(l->b, 0), x_int(l->b, 1 << 30), 1));
  return lower_keeps_value(l, window_at(l, c, o, o, zero, sum_type(c->n->type.dtype)));
}
static bool out_last(const Lower *l) { return lower_last(l, l->group->outs[0].buf); }
static bool pays_turned(Lower *l, const Conv *c, const Product *p) {
  DimTab *d = l->dims;
  Dim m = axes_count(d, &p->m, 0, p->m.n), n = axes_count(d, &p->n, 0, p->n.n), k = axes_count(d, &p->k, 0, p->k.n);
  int64_t M, N, K;
  if (c->op != OP_conv || c->groups != 1 || p->dtype != c->n->type.dtype) return false;
  if (!dim_is_int(d, m, &M) || !dim_is_int(d, n, &N) || !dim_is_int(d, k, &K) || K < 1) return false;
  double here = tile_cost(l->target, p->dtype, M, N), turned = tile_cost(l->target, p->dtype, N, M);
  double squares = 16.0 / (double)K; /* what turning a result costs, in multiplications of an element */
  if (out_last(l)) here += squares;
  else turned += squares;
  if (!c->single) turned += 8.0 / (double)M;            /* rows of the copy are packed one element at a time */
  if (c->last && c->single) return keeps_weights(l, c); /* the pixels are rows as they lie */
  return here > 0 && turned > 0 && turned < here && keeps_weights(l, c);
}

/* ---- lines of the copy as columns ----
 * Where places that are neighbours read neighbours, an image's places can be counted as the elements of the copy's
 * lines, which are longer: column j reads the element that lies j behind the first one of its channel and tap. So B is
 * read where it lies, and nothing is packed; what falls between two lines is dropped. K goes through the longer one of
 * channels and last axis of the window, the others are outer axes. */
static bool lines_fit(Lower *l, const Conv *c, const Product *p, Axes *lines) {
  bool fit = !c->in_place && !c->thin && !c->last && !out_last(l) && c->apart == 1;
  for (int i = 0; i < c->spatial; i++) {
    fit = fit && c->axis[i].step == 1;
    lines->size[lines->n++] = i ? c->copy.size[2 + i] : c->axis[i].places;
  }
  return fit && p->dtype == c->n->type.dtype;
}
/* What packing costs, and what the ends of lines and short parts of K do, in multiplications of a vector for each of an
 * element of the result. */
static bool pays_lines(Lower *l, const Conv *c, const Product *p, const Axes *lines, Dim images) {
  enum { PACKED = 20, LOADED = 5, THIN = 4 };
  DimTab *d = l->dims;
  int64_t M, N, wide, channels, taps;
  Dim places = axes_count(d, &p->n, 1, p->n.n);
  if (!dim_is_int(d, p->m.size[0], &M) || !dim_is_int(d, places, &N) || N < 1 || M < 1) return false;
  if (M < THIN && few_summands(l, p)) return false; /* one expression for each element */
  if (!dim_is_int(d, axes_count(d, lines, 0, lines->n), &wide)) return false;
  if (!dim_is_int(d, p->k.size[0], &channels) || !dim_is_int(d, p->k.size[p->k.n - 1], &taps)) return false;
  double packed = tile_cost(l->target, p->dtype, M, N * dim_most(l, images)) + (double)PACKED / (double)M;
  double here = tile_cost(l->target, p->dtype, M, wide) * (double)wide / (double)N;
  here *= 1 + (double)LOADED / (double)(taps > channels ? taps : channels);
  return here > 0 && here < packed;
}
/* The window as [group][axes of K][row]: all images read it, and a register tile its rows from a line. */
static void weights_body(Lower *l, const Axes *a, const Idx *at, bool trial, int *cost, void *ctx) {
  const Product *p = ctx;
  const Conv *c = p->ctx;
  Idx b = {{x_int(l->b, 0), at->i[0]}}, m = {{at->i[a->n - 1]}}, k = {0};
  for (int i = 0; i < p->k.n; i++) k.i[i] = at->i[1 + i];
  LExpr *v = weight_a(l, p, &b, &m, &k);
  if (trial) *cost = x_divisions(v, lb_level(l->b));
  else lb_store(l->b, lower_temp_array(l, c->weights_temp, p->dtype, true), axes_linear(l->b, a, at), v);
}
static LExpr *lined_weight(Lower *l, const Product *p, const Idx *b, const Idx *m, const Idx *k) {
  const Conv *c = p->ctx;
  Idx at = {{c->groups > 1 ? b->i[1] : x_int(l->b, 0)}};
  for (int i = 0; i < p->k.n; i++) at.i[1 + i] = k->i[i];
  at.i[1 + p->k.n] = m->i[0];
  LArr *copy = lower_temp_array(l, c->weights_temp, p->dtype, false);
  return x_load(l->b, copy, axes_linear(l->b, &c->weights, &at), NULL);
}
static void take_lines(Lower *l, Conv *c, Product *p, const Axes *lines, Dim images, bool taps_first) {
  p->wanted = (Axes){.n = lines->n};
  for (int i = 0; i < lines->n; i++) p->wanted.size[i] = p->n.size[1 + i];
  p->n = *lines;
  for (int i = p->b.n++; i > 0; i--) p->b.size[i] = p->b.size[i - 1];
  p->b.size[0] = images;
  p->outer = c->spatial;
  c->single = true, c->taps_first = taps_first;
  if (taps_first) {
    Dim channels = p->k.size[0];
    for (int i = 0; i < c->spatial; i++) p->k.size[i] = p->k.size[1 + i];
    p->k.size[c->spatial] = channels;
  }
  c->weights = (Axes){.n = 1, .size = {dim_int(l->dims, c->groups)}};
  for (int i = 0; i < p->k.n; i++) c->weights.size[c->weights.n++] = p->k.size[i];
  c->weights.size[c->weights.n++] = p->m.size[0];
  c->weights_temp = lower_temp(l, p->dtype, dim_most(l, axes_count(l->dims, &c->weights, 0, c->weights.n)));
  lower_nest(l, &c->weights, "weights", weights_body, p);
  p->a = lined_weight;
}

/* Product of one phase of y or dx. */
static void lower_phase(Lower *l, Conv *c, Dim images) {
  Product p = {.ctx = c, .name = op_info[c->op].name, .dtype = sum_type(c->n->type.dtype), .slack = true};
  p.a = weight_a;
  p.bv = image_b;
  p.done = places_done;
  if (c->single) p.b.size[p.b.n++] = images;
  else p.n.size[p.n.n++] = images;
  if (c->groups > 1) p.b.size[p.b.n++] = dim_int(l->dims, c->groups);
  p.m = (Axes){.n = 1, .size = {c->op == OP_conv ? c->og : c->cg}};
  p.k = (Axes){.n = 1, .size = {c->op == OP_conv ? c->cg : c->og}};
  for (int i = 0; i < c->spatial; i++) {
    p.n.size[p.n.n++] = c->axis[i].places;
    p.k.size[p.k.n++] = c->axis[i].taps;
  }
  if (c->single) p.slack = false;
  Axes lines = {0};
  Conv by_lines = *c;
  if (lines_fit(l, c, &p, &lines) && pays_lines(l, c, &p, &lines, images)) {
    p.ctx = &by_lines;
    take_lines(l, &by_lines, &p, &lines, images, dim_most(l, p.k.size[0]) >= dim_most(l, p.k.size[p.k.n - 1]));
  } else if (pays_turned(l, c, &p)) turn(&p, out_last(l));
  else p.turned = out_last(l);
  lower_product(l, &p);
}
static void lower_dw(Lower *l, Conv *c, Dim images) {
  Product p = {.ctx = c, .name = op_info[c->op].name, .dtype = sum_type(c->n->type.dtype), .outer = 1};
  p.a = gradient_a;
  p.bv = taps_b;
  p.done = conv_taps_done;
  if (c->groups > 1) p.b = (Axes){.n = 1, .size = {dim_int(l->dims, c->groups)}};
  p.m = (Axes){.n = 1, .size = {c->og}};
  p.n = (Axes){.n = 1, .size = {c->cg}};
  p.k = (Axes){.n = 1, .size = {images}};
  for (int i = 0; i < c->spatial; i++) {
    p.n.size[p.n.n++] = c->axis[i].window;
    p.k.size[p.k.n++] = c->axis[i].result;
  }
  lower_product(l, &p);
}

/* Channels that lie a multiple of a page apart meet in few places of the first cache: the copy gets a line more. */
static void spread_channels(Lower *l, Conv *c) {
  enum { PAGE = 4096, LINE = 16 };
  int64_t channel;
  if (c->thin || !dim_is_int(l->dims, axes_count(l->dims, &c->copy, 2, c->copy.n), &channel)) return;
  if (channel * dtype_size(sum_type(c->n->type.dtype)) % PAGE) return;
  c->copy.size[2] = dim_add(l->dims, c->copy.size[2], dim_int(l->dims, c->spatial > 1 ? 1 : LINE));
}

/* The sizes of the copy: for dx from the lowest place that a phase reads, (low - (k - 1) d) / s, to the highest. */
static void plan_copy(Lower *l, Conv *c) {
  DimTab *d = l->dims;
  Dim one = dim_int(d, 1);
  c->copy = axes_of(l, c->image);
  for (int i = 0; i < c->spatial; i++) {
    Spatial *a = &c->axis[i];
    if (c->thin) {
      c->copy.size[2 + i] = a->result;
      continue;
    }
    Dim low = dim_int(d, a->low), reach = dim_mul(d, dim_sub(d, a->window, one), dim_int(d, a->dilation));
    if (c->op == OP_conv_dx) {
      a->border = dim_ceil_div(d, dim_sub(d, reach, low), a->stride);
      Dim last = dim_floordiv(d, dim_add(d, dim_sub(d, a->result, one), low), dim_int(d, a->stride));
      c->copy.size[2 + i] = dim_add(d, dim_add(d, last, a->border), one);
    } else {
      a->border = low;
      Dim last = dim_mul(d, dim_sub(d, a->result, one), dim_int(d, a->stride));
      c->copy.size[2 + i] = dim_add(d, dim_add(d, last, reach), one);
    }
  }
  spread_channels(l, c);
  if (c->apart > 1) {
    Dim *last = &c->copy.size[c->copy.n - 1];
    c->copy.size[c->copy.n++] = dim_ceil_div(d, *last, c->apart);
    *last = dim_int(d, c->apart);
  }
  if (c->thin && c->last) {
    Dim channels = c->copy.size[1];
    for (int i = 0; i < c->spatial; i++) c->copy.size[1 + i] = c->copy.size[2 + i];
    c->copy.size[1 + c->spatial] = channels;
  }
  /* a vector beyond the end may be read */
  c->temp = lower_temp(l, sum_type(c->n->type.dtype), dim_most(l, axes_count(d, &c->copy, 0, c->copy.n)) + 64);
  if (!border_by_lines(l, c)) lower_nest(l, &c->copy, "border", border_body, c);
}

static void print_sizes(const Lower *l, Type t, Buf *b) {
  for (int i = 0; i < t.rank; i++) buf_printf(b, "%s%lld", i ? "x" : " ", (long long)dim_most(l, t.shape[i]));
}
const char *convolution_key(Lower *l, const Node *n) {
  bool dw = n->op == OP_conv_dw;
  int64_t low[MAX_RANK], high[MAX_RANK];
  node_ints(l->g, n, A_low, low, MAX_RANK);
  node_ints(l->g, n, A_high, high, MAX_RANK);
  Buf b = {0};
  buf_printf(&b, "%s %s", op_info[n->op].name, dtype_name(n->type.dtype));
  print_sizes(l, graph_type(l->g, n->in[0]), &b);
  print_sizes(l, dw ? n->type : graph_type(l->g, n->in[1]), &b);
  buf_printf(&b, " low %lld,%lld high %lld,%lld", (long long)low[0], (long long)low[1], (long long)high[0],
             (long long)high[1]);
  int w = dw ? -1 : l->buf_of[n->in[1]];
  if (w >= 0 && lower_keeps(l, w)) buf_str(&b, " kept");
  const char *key = arena_strdup(l->arena, b.s);
  buf_free(&b);
  return key;
}

void lower_convolution(Lower *l, const Node *n) {
  DimTab *d = l->dims;
  Conv c = {.n = n, .op = (Op)n->op, .image = n->in[0], .other = n->in[1], .in_place = true};
  int64_t stride[MAX_RANK], low[MAX_RANK], high[MAX_RANK], dilation[MAX_RANK];
  c.spatial = node_ints(l->g, n, A_stride, stride, MAX_RANK);
  node_ints(l->g, n, A_low, low, MAX_RANK);
  node_ints(l->g, n, A_high, high, MAX_RANK);
  node_ints(l->g, n, A_dilation, dilation, MAX_RANK);
  c.groups = node_int(l->g, n, A_groups);
  bool dw = c.op == OP_conv_dw;
  Type image = graph_type(l->g, c.image), w = dw ? n->type : graph_type(l->g, c.other);
  Type y = dw ? graph_type(l->g, c.other) : n->type;
  c.og = dim_floordiv(d, w.shape[0], dim_int(d, c.groups));
  c.cg = w.shape[1];
  for (int i = 0; i < c.spatial; i++) {
    c.axis[i] = (Spatial){.stride = stride[i], .dilation = dilation[i], .low = low[i]};
    c.axis[i].image = image.shape[2 + i];
    c.axis[i].result = y.shape[2 + i];
    c.axis[i].window = w.shape[2 + i];
    axis_straight(d, &c.axis[i]);
    c.in_place = c.in_place && low[i] == 0 && high[i] == 0 && dim_is(d, w.shape[2 + i], 1);
  }
  c.single = c.in_place;
  c.last = l->buf_of[c.image] >= 0 && !l->here[c.image] && lower_last(l, l->buf_of[c.image]);
  for (int i = 0; i < c.spatial && c.single && c.op == OP_conv; i++) c.thin = c.thin || stride[i] > 1;
  c.in_place = c.in_place && !c.thin;
  c.apart = c.single || c.op == OP_conv_dx ? 1 : stride[c.spatial - 1];
  int64_t phases = 1;
  for (int i = 0; i < c.spatial && c.op == OP_conv_dx; i++) phases = phases > MOST_PHASES ? phases : phases * stride[i];
  if (phases > MOST_PHASES) {
    lower_spread(l, &c, image.shape[0]);
    return;
  }
  if (!c.in_place) plan_copy(l, &c);
  if (dw) {
    if (!lower_taps(l, &c, image.shape[0])) lower_dw(l, &c, image.shape[0]);
    return;
  }
  for (int64_t phase = 0; phase < phases; phase++) {
    int64_t rest = phase;
    for (int i = 0; i < c.spatial && c.op == OP_conv_dx; i++, rest /= stride[i - 1])
      axis_phase(d, &c.axis[i], rest % stride[i]);
    lower_phase(l, &c, image.shape[0]);
  }
}
