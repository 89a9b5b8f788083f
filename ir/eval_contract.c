/* Products, convolutions and pools. */
#include "ir/eval_rules.h"
#include <math.h>

static int find(const int64_t *labels, int n, int64_t label) {
  for (int i = 0; i < n; i++) {
    if (labels[i] == label) return i;
  }
  return -1;
}

/* Loops over the labels of the result, then over those that are summed. */
static bool dot(Eval *e) {
  const Tensor *a = e->ins[0], *b = e->ins[1];
  int64_t la[MAX_RANK], lb[MAX_RANK], labels[2 * MAX_RANK], size[2 * MAX_RANK], sa[MAX_RANK], sb[MAX_RANK];
  int64_t step_a[2 * MAX_RANK] = {0}, step_b[2 * MAX_RANK] = {0}, index[2 * MAX_RANK] = {0};
  int na = eval_attrs(e, A_la, la), nb = eval_attrs(e, A_lb, lb), ny = eval_attrs(e, A_ly, labels), n = ny;
  for (int i = 0; i < na; i++) {
    if (find(labels, n, la[i]) < 0) labels[n++] = la[i];
  }
  eval_strides(a, sa);
  eval_strides(b, sb);
  for (int i = 0; i < n; i++) {
    int p = find(la, na, labels[i]), q = find(lb, nb, labels[i]);
    size[i] = p >= 0 ? a->shape[p] : b->shape[q];
    if (p >= 0) step_a[i] = sa[p];
    if (q >= 0) step_b[i] = sb[q];
  }
  const double *x = eval_floats(e, a), *w = eval_floats(e, b);
  int64_t count = tensor_count(e->out), terms = 1;
  for (int i = ny; i < n; i++) terms *= size[i];
  for (int64_t o = 0; o < count; o++) {
    double sum = 0;
    int64_t line = n > ny ? size[n - 1] : 1, pa = n > ny ? step_a[n - 1] : 0, pb = n > ny ? step_b[n - 1] : 0;
    for (int64_t k = 0; k < terms; k += line) {
      int64_t p = 0, q = 0;
      for (int i = 0; i < n; i++) {
        p += index[i] * step_a[i];
        q += index[i] * step_b[i];
      }
      for (int64_t j = 0; j < line; j++) sum += x[p + j * pa] * w[q + j * pb];
      if (k + line < terms) eval_next(index + ny, size + ny, n - 1 - ny);
    }
    for (int i = ny; i < n; i++) index[i] = 0;
    tensor_set(e->out, o, sum);
    eval_next(index, size, ny);
  }
  return true;
}

/* One loop over all multiply-adds serves the convolution and both gradients: what differs is which of the three is
 * the sum. */
typedef struct Conv {
  int ns;
  int64_t stride[MAX_RANK], low[MAX_RANK], dilation[MAX_RANK], groups;
  const int64_t *x, *w, *y; /* shapes */
  double *vx, *vw, *vy;
} Conv;

/* All taps of w[o, c] over the plane y[n, o] and x[n, o's group, c]. */
static void conv_plane(Op op, const Conv *c, double *x, double *w, double *y) {
  int64_t p[MAX_RANK] = {0}, at_y = 0;
  do {
    int64_t k[MAX_RANK] = {0}, at_w = 0;
    do {
      int64_t at_x = 0;
      bool inside = true;
      for (int i = 0; i < c->ns; i++) {
        int64_t j = p[i] * c->stride[i] + k[i] * c->dilation[i] - c->low[i];
        inside &= j >= 0 && j < c->x[2 + i];
        at_x = at_x * c->x[2 + i] + j;
      }
      if (inside) {
        if (op == OP_conv) y[at_y] += x[at_x] * w[at_w];
        else if (op == OP_conv_dx) x[at_x] += y[at_y] * w[at_w];
        else w[at_w] += y[at_y] * x[at_x];
      }
      at_w++;
    } while (eval_next(k, c->w + 2, c->ns));
    at_y++;
  } while (eval_next(p, c->y + 2, c->ns));
}

/* The same for the convolution and its dw, a row of y at a time: each element of y sums over the taps, and each tap
 * over the places of y, in the order of conv_plane. */
static void conv_lines(Op op, const Conv *c, const double *x, double *w, double *y) {
  int last = c->ns - 1;
  int64_t k[MAX_RANK] = {0}, at_w = 0, wide = c->x[2 + last], n = c->y[2 + last], step = c->stride[last];
  do {
    int64_t p[MAX_RANK] = {0}, at_y = 0, j0 = k[last] * c->dilation[last] - c->low[last];
    int64_t from = j0 < 0 ? (-j0 + step - 1) / step : 0, to = wide > j0 ? (wide - j0 + step - 1) / step : 0;
    if (to > n) to = n;
    double tap = w[at_w];
    do {
      int64_t at_x = 0;
      bool inside = true;
      for (int i = 0; i < last; i++) {
        int64_t j = p[i] * c->stride[i] + k[i] * c->dilation[i] - c->low[i];
        inside &= j >= 0 && j < c->x[2 + i];
        at_x = at_x * c->x[2 + i] + j;
      }
      if (inside && op == OP_conv) {
        for (int64_t o = from; o < to; o++) y[at_y + o] += x[at_x * wide + o * step + j0] * tap;
      } else if (inside) {
        for (int64_t o = from; o < to; o++) tap += y[at_y + o] * x[at_x * wide + o * step + j0];
      }
      at_y += n;
    } while (eval_next(p, c->y + 2, last));
    if (op == OP_conv_dw) w[at_w] = tap;
    at_w++;
  } while (eval_next(k, c->w + 2, c->ns));
}

static int64_t plane(const int64_t *shape, int ns) {
  int64_t n = 1;
  for (int i = 0; i < ns; i++) n *= shape[2 + i];
  return n;
}

static bool conv(Eval *e) {
  Op op = (Op)e->node->op;
  const Tensor *x = op == OP_conv_dx ? e->out : e->ins[0];
  const Tensor *w = op == OP_conv_dw ? e->out : e->ins[1];
  const Tensor *y = op == OP_conv ? e->out : op == OP_conv_dx ? e->ins[0] : e->ins[1];
  Conv c = {.ns = x->rank - 2, .x = x->shape, .w = w->shape, .y = y->shape, .groups = eval_attr(e, A_groups)};
  eval_attrs(e, A_stride, c.stride);
  eval_attrs(e, A_low, c.low);
  eval_attrs(e, A_dilation, c.dilation);
  c.vx = eval_floats(e, x); /* the result's values are zeros here */
  c.vw = eval_floats(e, w);
  c.vy = eval_floats(e, y);
  int64_t px = plane(c.x, c.ns), pw = plane(c.w, c.ns), py = plane(c.y, c.ns), per_group = c.w[0] / c.groups;
  for (int64_t n = 0; n < c.x[0] && px && pw && py; n++) {
    for (int64_t o = 0; o < c.w[0]; o++) {
      for (int64_t i = 0; i < c.w[1]; i++) {
        int64_t channel = o / per_group * c.w[1] + i;
        double *x_at = c.vx + (n * c.x[1] + channel) * px, *w_at = c.vw + (o * c.w[1] + i) * pw;
        double *y_at = c.vy + (n * c.w[0] + o) * py;
        if (op == OP_conv_dx || !c.ns) conv_plane(op, &c, x_at, w_at, y_at);
        else conv_lines(op, &c, x_at, w_at, y_at);
      }
    }
  }
  const double *sum = op == OP_conv ? c.vy : op == OP_conv_dx ? c.vx : c.vw;
  for (int64_t i = 0, n = tensor_count(e->out); i < n; i++) tensor_set(e->out, i, sum[i]);
  return true;
}

bool eval_contract(Eval *e) { return e->node->op == OP_dot ? dot(e) : conv(e); }

/* ---- pools ---- */

typedef struct Pool {
  int ns;
  int64_t window[MAX_RANK], stride[MAX_RANK], low[MAX_RANK];
} Pool;

/* Calls see(ctx, position in the plane of x) for what the window at p holds, in row-major order. */
typedef void SeeFn(void *ctx, int64_t at);
static void each_in_window(const Pool *q, const int64_t *size, const int64_t *p, SeeFn *see, void *ctx) {
  int64_t k[MAX_RANK] = {0};
  do {
    int64_t at = 0;
    bool inside = true;
    for (int i = 0; i < q->ns; i++) {
      int64_t j = p[i] * q->stride[i] + k[i] - q->low[i];
      inside &= j >= 0 && j < size[i];
      at = at * size[i] + j;
    }
    if (inside) see(ctx, at);
  } while (eval_next(k, q->window, q->ns));
}

/* The position of the first largest, -1 when the window lies outside. NaN wins. */
typedef struct Best {
  const double *x;
  int64_t at;
} Best;
static void see_best(void *ctx, int64_t at) {
  Best *b = ctx;
  if (b->at < 0 || b->x[at] > b->x[b->at] || (isnan(b->x[at]) && !isnan(b->x[b->at]))) b->at = at;
}

/* dx += dy at the position `arg`, of whose bits those in `mask` are known. */
typedef struct Spread {
  double *dx, dy;
  int64_t arg, mask;
} Spread;
static void see_spread(void *ctx, int64_t at) {
  Spread *s = ctx;
  if ((at & s->mask) == s->arg) s->dx[at] += s->dy;
}

bool eval_window(Eval *e) {
  bool back = e->node->op == OP_max_pool_dx;
  const Tensor *x = back ? e->out : e->ins[0], *y = back ? e->ins[0] : e->out;
  Pool q = {.ns = x->rank - 2};
  eval_attrs(e, A_window, q.window);
  eval_attrs(e, A_stride, q.stride);
  eval_attrs(e, A_low, q.low);
  const double *v = eval_floats(e, e->ins[0]);
  int64_t size = plane(x->shape, q.ns), count = plane(y->shape, q.ns), planes = x->shape[0] * x->shape[1];
  int64_t mask = back && e->ins[1]->dtype == U8 ? 255 : -1;
  double *dx = back ? arena_array(e->arena, double, planes *size + 1) : NULL;
  for (int64_t i = 0; i < planes && count; i++) {
    int64_t p[MAX_RANK] = {0}, at = i * count;
    do {
      if (back) {
        Spread s = {dx + i * size, v[at], tensor_get_int(e->ins[1], at), mask};
        each_in_window(&q, x->shape + 2, p, see_spread, &s);
        at++;
        continue;
      }
      Best best = {v + i * size, -1};
      each_in_window(&q, x->shape + 2, p, see_best, &best);
      if (e->node->op == OP_max_pool_arg) tensor_set_int(e->out, at++, best.at < 0 ? 0 : best.at);
      else tensor_set(e->out, at++, best.at < 0 ? -INFINITY : best.x[best.at]);
    } while (eval_next(p, y->shape + 2, q.ns));
  }
  for (int64_t i = 0; back && i < planes * size; i++) tensor_set(e->out, i, dx[i]);
  return true;
}
