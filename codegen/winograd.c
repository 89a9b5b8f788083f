/* Convolutions of stride 1 with small square windows by fewer multiplications: Winograd, "Arithmetic Complexity of
 * Computations" (1980), in the tiled form of Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks"
 * (2016). A tile of m x m results and the (m + r - 1)^2 inputs under it, window r x r, a = m + r - 1:
 *
 *   y  = A' [ (G w G') . (B' d B) ] A              summed over the channels inside of the brackets
 *   dw = G' [ (B' d B) . (A dy A') ] G             summed over the tiles inside of the brackets
 *   dx = y with the flipped window on dy
 *
 * so that every one of the a^2 positions is a product of its own, [tiles, channels] times [channels, results]. The
 * matrices come from Toom and Cook's points. One kernel transforms the weights; one takes a few tiles at a time through
 * copy (channels last), transform, products, transform back and epilogue, all in the thread's scratch. For dw a fixed
 * number of pieces sums apart, and a last kernel adds them. The order of sums differs from the direct form's: the
 * largest error, in units of the largest result, is about 1.5e-6 for r = 3 and 4e-6 for r = 5 against 0.7e-6. */
#include "base/ds.h"
#include "codegen/lower.h"
#include "codegen/tile.h"
#include "codegen/winograd.h"

/* ---- transforms ---- */
static int64_t up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
static int64_t clamp64(int64_t n, int64_t lo, int64_t hi) { return n < lo ? lo : n > hi ? hi : n; }
/* The same for all channels: vectors from `from` + in[i], to `to` + out[i]. */
static void transform_rows(Lower *l, const Wino *w, const Matrix *mat, int64_t channels, LArr *from, LExpr *const *in,
                           LArr *to, LExpr *const *out) {
  LB *b = l->b;
  LExpr *c = x_var(b, lb_for(b, FOR_SERIAL, "c", x_int(b, 0), x_int(b, channels), w->lanes)), *v[MAX_A], *y[MAX_A];
  for (int k = 0; k < mat->cols; k++) v[k] = lb_let(b, NULL, x_vload(b, from, x_add(b, in[k], c), w->lanes));
  matrix_apply(b, mat, v, y, w->lanes);
  for (int k = 0; k < mat->rows; k++) lb_store(b, to, x_add(b, out[k], c), y[k]);
  lb_end(b);
}
static LExpr *loop(LB *b, const char *name, LExpr *end) {
  return x_var(b, lb_for(b, FOR_SERIAL, name, x_int(b, 0), end, 1));
}
static LExpr *mul(LB *b, LExpr *x, int64_t n) { return x_mul(b, x, x_int(b, n)); }
static LExpr *plus(LB *b, LExpr *x, int64_t n) { return x_add(b, x, x_int(b, n)); }
static LArr *scratch(LB *b, int64_t count, const char *name) {
  LArr *a = lb_array(b, ARR_SCRATCH, F32, count, name);
  a->written = true;
  return a;
}
/* Places i * first + j * second + at for i < n. */
static void places(LB *b, LExpr **out, int n, int64_t step, LExpr *at) {
  for (int i = 0; i < n; i++) out[i] = plus(b, at, i * step);
}

/* ---- weights: [a * a][panel of nr results][ci][nr] ---- */
static LExpr *weight_at(Lower *l, const Wino *w, LExpr *o, LExpr *c, int ky, LExpr *kx) {
  LB *b = l->b;
  int last = w->r - 1;
  bool flipped = w->op == OP_conv_dx;
  Idx at = {{flipped ? c : o, flipped ? o : c, x_int(b, flipped ? last - ky : ky),
             flipped ? x_sub(b, x_int(b, last), kx) : kx}};
  return value_at(l, w->other, &at);
}
static void weights(Lower *l, Wino *w) {
  w->weights = lower_temp(l, F32, w->a * w->a * w->ci * w->cop);
  lower_begin(l);
  LB *b = l->b;
  LArr *u = lower_temp_array(l, w->weights, F32, true), *s = scratch(b, w->a * w->r * w->cop, "s");
  LVar *cv = lb_for(b, FOR_PARALLEL, "c", x_int(b, 0), x_int(b, w->ci), 1);
  LExpr *c = x_var(b, cv), *v[MAX_A], *y[MAX_A], *in[MAX_A], *out[MAX_A];
  LExpr *kx = loop(b, "kx", x_int(b, w->r));
  LExpr *o = x_var(b, lb_for(b, FOR_VECTOR, "o", x_int(b, 0), x_int(b, w->co), 1));
  for (int k = 0; k < w->r; k++) v[k] = weight_at(l, w, o, c, k, kx);
  matrix_apply(b, &w->g, v, y, 1);
  for (int k = 0; k < w->a; k++) lb_store(b, s, x_add(b, mul(b, plus(b, kx, k * w->r), w->cop), o), y[k]);
  lb_end(b);
  if (w->co < w->cop) {
    o = x_var(b, lb_for(b, FOR_VECTOR, "o", x_int(b, w->co), x_int(b, w->cop), 1));
    for (int k = 0; k < w->a; k++) lb_store(b, s, x_add(b, mul(b, plus(b, kx, k * w->r), w->cop), o), x_num(b, 0, F32));
    lb_end(b);
  }
  lb_end(b);
  LExpr *i = loop(b, "i", x_int(b, w->a)), *panel = loop(b, "panel", x_int(b, w->cop / w->nr));
  places(b, in, w->r, w->cop, x_add(b, mul(b, i, w->r * w->cop), mul(b, panel, w->nr)));
  LExpr *row = x_add(b, mul(b, panel, w->ci), c);
  places(b, out, w->a, w->ci * w->cop, x_add(b, mul(b, i, w->a * w->ci * w->cop), mul(b, row, w->nr)));
  transform_rows(l, w, &w->g, w->nr, s, in, u, out);
  close_nest(l, 3);
  lower_end(l, "winograd_weights", false);
}

/* ---- planes ---- */
typedef struct Planes { /* one operand's planes, of which an item takes rows lo .. hi */
  NodeId node;
  int buf; /* where its elements lie, or -1 when they are computed */
  int64_t c, cp, h, w;
  LArr *copy;   /* [pixel][cp], then a pixel of zeros */
  int64_t most; /* pixels of the copy */
  LExpr *lo, *hi;
  bool blocks; /* whole squares of lanes x lanes at every place */
  bool last;   /* its channels are last already, in whole vectors */
} Planes;

/* The copy of image n with its channels last. */
static void copy_planes(Lower *l, const Wino *w, const Planes *q, LExpr *n) {
  LB *b = l->b;
  int64_t lanes = w->lanes, full = q->blocks ? q->c / lanes * lanes : 0;
  if (q->last) { /* it lies so */
    LArr *src = lower_buf(l, q->buf, F32);
    LExpr *from = mul(b, x_add(b, mul(b, n, q->h), q->lo), q->w * q->c),
          *end = mul(b, x_sub(b, q->hi, q->lo), q->w * q->c);
    LExpr *z = x_var(b, lb_for(b, FOR_SERIAL, "z", x_int(b, 0), end, lanes));
    lb_store(b, q->copy, z, x_vload(b, src, x_add(b, from, z), lanes));
    lb_end(b);
    return;
  }
  LExpr *count = lb_let(b, "count", mul(b, x_sub(b, q->hi, q->lo), q->w)), *first = mul(b, q->lo, q->w);
  if (full) {
    const Kernel *square = transpose_kernel(l->table, l->arena, l->dims, F32, w->lanes);
    LArr *src = lower_buf(l, q->buf, F32);
    LExpr *c = x_var(b, lb_for(b, FOR_SERIAL, "c", x_int(b, 0), x_int(b, full), lanes));
    LExpr *p = x_var(b, lb_for(b, FOR_SERIAL, "p", x_int(b, 0), count, lanes));
    LExpr *at = lb_let(b, "at", x_min(b, p, x_sub(b, count, x_int(b, lanes)))); /* the last square overlaps */
    LExpr *from = x_add(b, mul(b, x_add(b, mul(b, n, q->c), c), q->h * q->w), x_add(b, first, at));
    CallArg args[] = {{.arr = src, .x = from},
                      {.arr = q->copy, .x = x_add(b, mul(b, at, q->cp), c)},
                      {.x = x_int(b, q->h * q->w)},
                      {.x = x_int(b, q->cp)}};
    lb_call(b, square, args, 4);
    close_nest(l, 2);
  }
  if (full == q->cp) return;
  LVar *pv = lb_for(b, FOR_SERIAL, "p", x_int(b, 0), count, 1);
  LExpr *p = x_var(b, pv), *pixel = lb_let(b, "pixel", x_add(b, first, p));
  for (int part = 0; part < 2; part++) {
    int64_t from = part ? q->c : full, to = part ? q->cp : q->c;
    if (from == to) continue;
    LExpr *c = x_var(b, lb_for(b, FOR_VECTOR, "c", x_int(b, from), x_int(b, to), 1));
    Idx at = {{n, c, x_div(b, pixel, x_int(b, q->w)), x_mod(b, pixel, x_int(b, q->w))}};
    lb_store(b, q->copy, x_add(b, mul(b, p, q->cp), c), part ? x_num(b, 0, F32) : value_at(l, q->node, &at));
    lb_end(b);
  }
  lb_end(b);
}

/* An item's share of the work. */
typedef struct Item {
  LExpr *n0, *images; /* images n0 .. n0 + images */
  LExpr *ty0, *rows;  /* rows of tiles */
  LExpr *tiles;
  LExpr *column; /* its first result channel; it makes w->cols of them */
} Item;
static void open_tiles(Lower *l, const Wino *w, const Item *it, LExpr *im, LExpr **ty, LExpr **tx, LExpr **t) {
  LB *b = l->b;
  LExpr *y = loop(b, "ty", it->rows);
  *tx = loop(b, "tx", x_int(b, w->tx));
  *ty = x_add(b, it->ty0, y);
  *t = lb_let(b, "t", x_add(b, mul(b, x_add(b, mul(b, im, w->rows), y), w->tx), *tx));
}
/* Where pixel (y, x) of the copy begins; the pixel of zeros when it is outside. */
static LExpr *pixel_at(LB *b, const Planes *q, LExpr *y, LExpr *x) {
  LExpr *inside = x_and(b, x_and(b, x_ge(b, y, x_int(b, 0)), x_lt(b, y, x_int(b, q->h))),
                        x_and(b, x_ge(b, x, x_int(b, 0)), x_lt(b, x, x_int(b, q->w))));
  LExpr *at = mul(b, x_add(b, mul(b, x_sub(b, y, q->lo), q->w), x), q->cp);
  return lb_let(b, NULL, x_select(b, inside, at, x_int(b, q->most * q->cp)));
}

/* For every tile of image `im`: mat [k x k inputs at (m ty - low, m tx - low)] mat', to[a * a][tiles][cp]. */
static void tiles_in(Lower *l, const Wino *w, const Item *it, const Planes *q, LExpr *im, const Matrix *mat,
                     const int64_t low[2], LArr *s, LArr *to) {
  LB *b = l->b;
  LExpr *ty, *tx, *t, *in[MAX_A], *out[MAX_A];
  open_tiles(l, w, it, im, &ty, &tx, &t);
  LExpr *j = loop(b, "j", x_int(b, mat->cols));
  LExpr *x = lb_let(b, "x", x_add(b, mul(b, tx, w->m), plus(b, j, -low[1])));
  LExpr *y = plus(b, mul(b, ty, w->m), -low[0]);
  for (int i = 0; i < mat->cols; i++) in[i] = pixel_at(b, q, plus(b, y, i), x);
  places(b, out, w->a, mat->cols * q->cp, mul(b, j, q->cp));
  transform_rows(l, w, mat, q->cp, q->copy, in, s, out);
  lb_end(b);
  LExpr *i = loop(b, "i", x_int(b, w->a));
  places(b, in, mat->cols, q->cp, mul(b, i, mat->cols * q->cp));
  places(b, out, w->a, w->tiles * q->cp, x_add(b, mul(b, i, w->a * w->tiles * q->cp), mul(b, t, q->cp)));
  transform_rows(l, w, mat, q->cp, s, in, to, out);
  close_nest(l, 3);
}

static void open_item(Lower *l, const Wino *w, LExpr *block, LExpr *row_block, Item *it) {
  LB *b = l->b;
  LExpr *batch = x_dim(b, graph_type(l->g, w->image).shape[0]);
  it->n0 = mul(b, block, w->images);
  it->images =
      w->images == 1 ? x_int(b, 1) : lb_let(b, "images", x_min(b, x_sub(b, batch, it->n0), x_int(b, w->images)));
  it->ty0 = lb_let(b, "ty0", mul(b, row_block, w->rows));
  it->rows = w->ty % w->rows == 0 ? x_int(b, w->rows)
                                  : lb_let(b, "rows", x_min(b, x_sub(b, x_int(b, w->ty), it->ty0), x_int(b, w->rows)));
  it->tiles = mul(b, w->images > 1 ? mul(b, it->images, w->rows) : it->rows, w->tx);
}
/* The buffer that holds the value, also as one of another shape; -1 when there is none. */
static int stored_as(const Lower *l, NodeId node) {
  NodeId n = node;
  while (graph_node(l->g, n)->op == OP_reshape && (l->buf_of[n] < 0 || l->here[n])) n = graph_node(l->g, n)->in[0];
  int buf = l->here[n] ? -1 : l->buf_of[n];
  return buf >= 0 && n != node && l->plan->bufs[buf].place ? -1 : buf;
}
/* The planes of an operand that tiles with `reach` inputs a side need. */
static Planes planes(Lower *l, const Wino *w, const Item *it, NodeId node, int reach, int64_t low, const char *name) {
  LB *b = l->b;
  Type t = graph_type(l->g, node);
  Planes q = {.node = node};
  dim_is_int(l->dims, t.shape[1], &q.c);
  dim_is_int(l->dims, t.shape[2], &q.h);
  dim_is_int(l->dims, t.shape[3], &q.w);
  q.cp = up(q.c, w->lanes);
  int64_t rows = w->rows * w->m + reach - w->m, least = q.h;
  q.most = (rows < q.h ? rows : q.h) * q.w;
  for (int64_t y = 0; y < w->ty; y += w->rows) { /* the smallest number of rows that an item copies */
    int64_t end = clamp64(y + w->rows, 0, w->ty), lo = clamp64(y * w->m - low, 0, q.h);
    int64_t n = clamp64(end * w->m + reach - w->m - low, lo, q.h) - lo;
    if (n < least) least = n;
  }
  q.buf = stored_as(l, node);
  q.last = q.buf >= 0 && lower_last(l, q.buf) && q.c == q.cp;
  q.blocks = least * q.w >= w->lanes && q.buf >= 0 && !lower_last(l, q.buf);
  q.copy = scratch(b, (q.most + 1) * q.cp, name);
  LExpr *lo = plus(b, mul(b, it->ty0, w->m), -low), *end = mul(b, x_add(b, it->ty0, it->rows), w->m);
  q.lo = lb_let(b, "lo", x_min(b, x_max(b, lo, x_int(b, 0)), x_int(b, q.h)));
  q.hi = lb_let(b, "hi", x_max(b, x_min(b, plus(b, end, reach - w->m - low), x_int(b, q.h)), q.lo));
  LExpr *z = x_var(b, lb_for(b, FOR_SERIAL, "z", x_int(b, 0), x_int(b, q.cp), w->lanes));
  lb_store(b, q.copy, plus(b, z, q.most * q.cp), x_splat(b, x_num(b, 0, F32), w->lanes));
  lb_end(b);
  return q;
}

/* ---- y and dx ---- */
/* Where the weights do not stay in the second cache, tiles ask for the next panel. */
static void products(Lower *l, const Wino *w, const Item *it, LArr *v, LArr *u, LArr *p) {
  LB *b = l->b;
  int64_t step = winograd_weight_bytes(w) > l->target->l2 ? fetch_step(w->tiles, w->mr, w->nr, 4) : 0;
  const Kernel *micro =
      micro_kernel(l->table, l->arena, l->dims, F32, w->mr, w->nr, w->lanes, false, step ? FETCH_NEXT : FETCH_NOTHING);
  LExpr *panels = lb_let(b, "panels", x_div(b, plus(b, it->tiles, w->mr - 1), x_int(b, w->mr)));
  LExpr *e = loop(b, "e", x_int(b, w->a * w->a));
  LExpr *j = x_var(b, lb_for(b, FOR_SERIAL, "j", x_int(b, 0), x_int(b, w->cols), w->nr));
  LExpr *panel = x_add(b, mul(b, e, w->ci * w->cop), mul(b, x_add(b, it->column, j), w->ci)), *next = NULL;
  if (step) { /* of the next columns, or the first ones of the next position */
    LExpr *other = x_lt(b, plus(b, j, w->nr), x_int(b, w->cols));
    next = x_select(b, other, x_int(b, w->ci * w->nr), x_int(b, w->ci * (w->cop - w->cols + w->nr)));
    next = lb_let(b, "next", x_min(b, x_add(b, panel, next), x_int(b, w->ci * (w->a * w->a * w->cop - w->nr))));
  }
  LExpr *tile = loop(b, "i", panels), *i = mul(b, tile, w->mr), *row = x_add(b, mul(b, e, w->tiles), i);
  CallArg args[11] = {
      {.arr = v, .x = mul(b, row, w->cip)}, {.arr = u, .x = panel}, {.arr = p, .x = x_add(b, mul(b, row, w->cols), j)}};
  int n = 3;
  if (step) args[n++] = (CallArg){.arr = u, .x = x_add(b, next, mul(b, tile, w->ci * step))};
  args[n++].x = x_int(b, w->ci);
  args[n++].x = x_int(b, w->cip);
  args[n++].x = x_int(b, 1);
  args[n++].x = x_int(b, w->nr);
  args[n++].x = x_int(b, w->cols);
  args[n++].x = x_int(b, 0);
  if (step) args[n++].x = x_int(b, step);
  lb_call(b, micro, args, n);
  close_nest(l, 3);
}

/* A' [products] A of every tile of image `im`, as pixels with channels last: those beyond the plane into the last one.
 */
static void tiles_out(Lower *l, const Wino *w, const Item *it, LExpr *im, LArr *p, LArr *s, LArr *y, int64_t pixels) {
  LB *b = l->b;
  LExpr *ty, *tx, *t, *in[MAX_A], *out[MAX_A];
  open_tiles(l, w, it, im, &ty, &tx, &t);
  LExpr *j = loop(b, "j", x_int(b, w->a)), *at = x_add(b, mul(b, j, w->tiles * w->cols), mul(b, t, w->cols));
  places(b, in, w->a, w->a * w->tiles * w->cols, at);
  places(b, out, w->m, w->a * w->cols, mul(b, j, w->cols));
  transform_rows(l, w, &w->at, w->cols, p, in, s, out);
  lb_end(b);
  LExpr *i = loop(b, "i", x_int(b, w->m)), *row = lb_let(b, "row", x_add(b, mul(b, ty, w->m), i));
  LExpr *below = x_lt(b, row, x_int(b, w->oh)), *line = mul(b, x_sub(b, row, mul(b, it->ty0, w->m)), w->ow);
  for (int k = 0; k < w->m; k++) {
    LExpr *x = plus(b, mul(b, tx, w->m), k), *inside = x_and(b, below, x_lt(b, x, x_int(b, w->ow)));
    LExpr *pixel = mul(b, x_add(b, line, x), w->cols);
    out[k] = lb_let(b, NULL, x_select(b, inside, pixel, x_int(b, pixels * w->cols)));
  }
  places(b, in, w->a, w->cols, mul(b, i, w->a * w->cols));
  transform_rows(l, w, &w->at, w->cols, s, in, y, out);
  close_nest(l, 3);
}
/* Pixels with channels last go through the epilogue, which stores them so. */
static void pixels_out(Lower *l, const Wino *w, const Item *it, LExpr *n, LArr *y, LExpr *y0, LExpr *count) {
  LB *b = l->b;
  LVar *pv = lb_for(b, FOR_SERIAL, "p", x_int(b, 0), count, 1);
  lb_range(b, pv, dim_int(l->dims, w->oh * w->ow));
  LExpr *pixel = x_add(b, mul(b, y0, w->ow), x_var(b, pv)), *width = x_int(b, w->ow), *cols = x_int(b, w->cols);
  if (w->rows == w->ty) pixel = x_var(b, pv);
  if (w->co < w->cop) cols = x_min(b, cols, x_sub(b, x_int(b, w->co), it->column));
  LExpr *o = x_var(b, lb_for(b, FOR_VECTOR, "o", x_int(b, 0), cols, 1));
  Axes out = axes_of(l, l->group->heavy);
  Idx at = {{n, x_add(b, it->column, o), x_div(b, pixel, width), x_mod(b, pixel, width)}};
  store_epilogue(l, &out, &at, x_load(b, y, x_add(b, mul(b, x_var(b, pv), w->cols), o), NULL));
  close_nest(l, 2);
}
/* Pixels of image n with channels last become rows of pixels, and these go through the epilogue. */
static void planes_out(Lower *l, const Wino *w, const Item *it, LExpr *n, LArr *y, LArr *turned, int64_t stride) {
  LB *b = l->b;
  LExpr *y0 = mul(b, it->ty0, w->m), *y1 = x_min(b, mul(b, x_add(b, it->ty0, it->rows), w->m), x_int(b, w->oh));
  LExpr *count = lb_let(b, "count", mul(b, x_sub(b, y1, y0), w->ow));
  if (!turned) {
    pixels_out(l, w, it, n, y, y0, count);
    return;
  }
  const Kernel *square = transpose_kernel(l->table, l->arena, l->dims, F32, w->lanes);
  LExpr *p = x_var(b, lb_for(b, FOR_SERIAL, "p", x_int(b, 0), count, w->lanes));
  LExpr *c = x_var(b, lb_for(b, FOR_SERIAL, "c", x_int(b, 0), x_int(b, w->cols), w->lanes));
  CallArg args[] = {{.arr = y, .x = x_add(b, mul(b, p, w->cols), c)},
                    {.arr = turned, .x = x_add(b, mul(b, c, stride), p)},
                    {.x = x_int(b, w->cols)},
                    {.x = x_int(b, stride)}};
  lb_call(b, square, args, 4);
  close_nest(l, 2);
  LExpr *end = x_int(b, w->cols);
  if (w->co < w->cop) end = lb_let(b, "end", x_min(b, end, x_sub(b, x_int(b, w->co), it->column)));
  LExpr *o = loop(b, "o", end);
  LVar *pv = lb_for(b, FOR_VECTOR, "p", x_int(b, 0), count, 1);
  lb_range(b, pv, dim_int(l->dims, w->oh * w->ow));
  LExpr *pixel = x_add(b, mul(b, y0, w->ow), x_var(b, pv)), *width = x_int(b, w->ow);
  if (w->rows == w->ty) pixel = x_var(b, pv);
  Axes out = axes_of(l, l->group->heavy);
  Idx at = {{n, x_add(b, it->column, o), x_div(b, pixel, width), x_mod(b, pixel, width)}};
  store_epilogue(l, &out, &at, x_load(b, turned, x_add(b, mul(b, o, stride), x_var(b, pv)), NULL));
  close_nest(l, 2);
}

static void lower_forward(Lower *l, Wino *w) {
  int64_t a2 = w->a * w->a, row_blocks = (w->ty + w->rows - 1) / w->rows;
  int64_t band = clamp64(w->rows * w->m, 1, w->oh) * w->ow, pixels = up(band, w->lanes);
  w->tiles = up(w->tiles, w->mr);
  weights(l, w);
  lower_begin(l);
  LB *b = l->b;
  LArr *u = lower_temp_array(l, w->weights, F32, false);
  LArr *v = scratch(b, a2 * w->tiles * w->cip, "v"), *p = scratch(b, a2 * w->tiles * w->cols, "p");
  LArr *s = scratch(b, a2 * (w->cip > w->cols ? w->cip : w->cols), "s");
  LArr *y = scratch(b, (pixels + 1) * w->cols, "y"), *turned = NULL;
  if (!lower_last(l, l->group->outs[0].buf)) turned = scratch(b, w->cols * pixels, "turned");
  Axes items = {.n = 3,
                .size = {dim_ceil_div(l->dims, graph_type(l->g, w->image).shape[0], w->images),
                         dim_int(l->dims, row_blocks), dim_int(l->dims, w->cop / w->cols)}};
  Idx at = {0};
  Item it;
  bool shared = w->cols < w->cop; /* a thread has the tiles in its scratch from the item before, of other channels */
  LVar *last = shared ? lb_var(b, "last", x_int(b, -1)) : NULL;
  open_items(l, &items, &at);
  open_item(l, w, at.i[0], at.i[1], &it);
  it.column = mul(b, at.i[2], w->cols);
  if (shared) {
    LExpr *here = x_add(b, mul(b, at.i[0], row_blocks), at.i[1]);
    lb_if(b, x_lt(b, x_read(b, last), here));
    lb_assign(b, last, here);
  }
  Planes q = planes(l, w, &it, w->image, w->a, w->low[0], "copy");
  LExpr *im = loop(b, "im", it.images);
  copy_planes(l, w, &q, x_add(b, it.n0, im));
  tiles_in(l, w, &it, &q, im, &w->bt, w->low, s, v);
  close_nest(l, 1 + shared);
  products(l, w, &it, v, u, p);
  im = loop(b, "im", it.images);
  tiles_out(l, w, &it, im, p, s, y, pixels);
  planes_out(l, w, &it, x_add(b, it.n0, im), y, turned, pixels);
  close_nest(l, 2);
  lower_end(l, op_info[w->op].name, true);
}

/* ---- dw: sums over the tiles, [piece][a * a][cip][cop] ---- */
static void add_products(Lower *l, const Wino *w, const Item *it, LArr *v, LArr *d, LArr *sums, LExpr *piece,
                         LExpr *more) {
  LB *b = l->b;
  const Kernel *micro = micro_kernel(l->table, l->arena, l->dims, F32, w->mr, w->nr, w->lanes, false, FETCH_NOTHING);
  LExpr *e = loop(b, "e", x_int(b, w->a * w->a));
  LExpr *j = x_var(b, lb_for(b, FOR_SERIAL, "j", x_int(b, 0), x_int(b, w->cop), w->nr));
  LExpr *i = x_var(b, lb_for(b, FOR_SERIAL, "i", x_int(b, 0), x_int(b, w->cip), w->mr));
  LExpr *row = x_add(b, mul(b, x_add(b, mul(b, piece, w->a * w->a), e), w->cip), i);
  CallArg args[] = {{.arr = v, .x = x_add(b, mul(b, e, w->tiles * w->cip), i)},
                    {.arr = d, .x = x_add(b, mul(b, e, w->tiles * w->cop), j)},
                    {.arr = sums, .x = x_add(b, mul(b, row, w->cop), j)},
                    {.x = it->tiles},
                    {.x = x_int(b, 1)},
                    {.x = x_int(b, w->cip)},
                    {.x = x_int(b, w->cop)},
                    {.x = x_int(b, w->cop)},
                    {.x = more}};
  lb_call(b, micro, args, 9);
  close_nest(l, 3);
}

static void sum_tiles(Lower *l, Wino *w) {
  int64_t a2 = w->a * w->a, row_blocks = (w->ty + w->rows - 1) / w->rows, zero[2] = {0, 0};
  Matrix spread = matrix_transposed(&w->at);
  lower_begin(l);
  LB *b = l->b;
  LArr *sums = lower_temp_array(l, w->sums, F32, true);
  LArr *v = scratch(b, a2 * w->tiles * w->cip, "v"), *d = scratch(b, a2 * w->tiles * w->cop, "d");
  LArr *s = scratch(b, a2 * (w->cip > w->cop ? w->cip : w->cop), "s");
  Dim blocks = dim_mul(l->dims, dim_ceil_div(l->dims, graph_type(l->g, w->image).shape[0], w->images),
                       dim_int(l->dims, row_blocks));
  LVar *pv = lb_for(b, FOR_PARALLEL, "piece", x_int(b, 0), x_int(b, w->pieces), 1);
  LExpr *piece = x_var(b, pv), *each = x_dim(b, dim_ceil_div(l->dims, blocks, w->pieces));
  LExpr *first = lb_let(b, "first", x_mul(b, piece, each)), *end = x_min(b, x_add(b, first, each), x_dim(b, blocks));
  lb_if(b, x_ge(b, first, end)); /* a piece without work still has a sum */
  LExpr *z = x_var(b, lb_for(b, FOR_VECTOR, "z", x_int(b, 0), x_int(b, a2 * w->cip * w->cop), 1));
  lb_store(b, sums, x_add(b, mul(b, piece, a2 * w->cip * w->cop), z), x_num(b, 0, F32));
  close_nest(l, 2);
  LExpr *item = x_var(b, lb_for(b, FOR_SERIAL, "item", first, end, 1)), *at[2];
  Dim size[2] = {blocks, dim_int(l->dims, row_blocks)};
  axes_split(b, size, 2, item, at);
  Item it;
  open_item(l, w, at[0], at[1], &it);
  Planes x = planes(l, w, &it, w->image, w->a, w->low[0], "copy"), y = planes(l, w, &it, w->other, w->m, 0, "copy");
  LExpr *im = loop(b, "im", it.images), *n = x_add(b, it.n0, im);
  copy_planes(l, w, &x, n);
  tiles_in(l, w, &it, &x, im, &w->bt, w->low, s, v);
  copy_planes(l, w, &y, n);
  tiles_in(l, w, &it, &y, im, &spread, zero, s, d);
  lb_end(b);
  add_products(l, w, &it, v, d, sums, piece, x_lt(b, first, item));
  close_nest(l, 2);
  lower_end(l, "conv_dw", false);
}

/* dw = G' [sum of the pieces] G for one channel of x at a time, then the epilogue. */
static void finish_dw(Lower *l, const Wino *w) {
  Matrix back = matrix_transposed(&w->g);
  int64_t plane = w->cip * w->cop;
  lower_begin(l);
  LB *b = l->b;
  LArr *sums = lower_temp_array(l, w->sums, F32, false);
  LArr *s = scratch(b, w->r * w->a * w->cop, "s"), *dw = scratch(b, w->r * w->r * w->cop, "dw");
  LVar *cv = lb_for(b, FOR_PARALLEL, "c", x_int(b, 0), x_int(b, w->ci), 1);
  LExpr *c = x_var(b, cv), *v[MAX_A], *out[MAX_A], *in[MAX_A];
  LExpr *j = loop(b, "j", x_int(b, w->a));
  LExpr *o = x_var(b, lb_for(b, FOR_SERIAL, "o", x_int(b, 0), x_int(b, w->cop), w->lanes));
  for (int i = 0; i < w->a; i++) {
    LExpr *at = x_add(b, x_add(b, mul(b, plus(b, j, i * w->a), plane), mul(b, c, w->cop)), o);
    v[i] = x_vload(b, sums, at, w->lanes);
    for (int k = 1; k < w->pieces; k++) {
      LExpr *part = x_vload(b, sums, plus(b, at, k * w->a * w->a * plane), w->lanes);
      v[i] = lb_let(b, NULL, x_op(b, OP_add, F32, v[i], part, NULL));
    }
  }
  matrix_apply(b, &back, v, out, w->lanes);
  for (int i = 0; i < w->r; i++) lb_store(b, s, x_add(b, mul(b, plus(b, j, i * w->a), w->cop), o), out[i]);
  close_nest(l, 2);
  LExpr *i = loop(b, "i", x_int(b, w->r));
  places(b, in, w->a, w->cop, mul(b, i, w->a * w->cop));
  places(b, out, w->r, w->cop, mul(b, i, w->r * w->cop));
  transform_rows(l, w, &back, w->cop, s, in, dw, out);
  lb_end(b);
  LVar *ov = lb_for(b, FOR_SERIAL, "o", x_int(b, 0), x_int(b, w->co), 1);
  LVar *kv = lb_for(b, FOR_VECTOR, "k", x_int(b, 0), x_int(b, w->r * w->r), 1);
  LExpr *k = x_var(b, kv), *side = x_int(b, w->r);
  Axes axes = axes_of(l, l->group->heavy);
  Idx at = {{x_var(b, ov), c, x_div(b, k, side), x_mod(b, k, side)}};
  store_epilogue(l, &axes, &at, x_load(b, dw, x_add(b, mul(b, k, w->cop), x_var(b, ov)), NULL));
  close_nest(l, 3);
  lower_end(l, "combine", true);
}

bool lower_winograd(Lower *l, const Node *n) {
  Wino w;
  if (!winograd_choose(l, n, &w)) return false;
  if (w.op != OP_conv_dw) {
    lower_forward(l, &w);
    return true;
  }
  w.sums = lower_temp(l, F32, w.pieces * w.a * w.a * w.cip * w.cop);
  sum_tiles(l, &w);
  finish_dw(l, &w);
  return true;
}
