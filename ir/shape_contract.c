/* Shape rules of products, convolutions, windows and run-time indices. */
#include "base/ds.h"
#include "ir/shape_rules.h"
#include <string.h>

/* ---- dot ---- */

static const Attr *list(Shape *s, AttrKey key) {
  for (int i = 0; i < s->n_attrs; i++) {
    if (s->attrs[i].key == key) return &s->attrs[i];
  }
  return NULL;
}

static int find(const int64_t *labels, int n, int64_t label) {
  for (int i = 0; i < n; i++) {
    if (labels[i] == label) return i;
  }
  return -1;
}

static bool labels_of(Shape *s, AttrKey key, int64_t *out, int n) {
  if (!shape_ints(s, key, out, n)) return false;
  for (int i = 0; i < n; i++) {
    if (find(out, i, out[i]) >= 0)
      return shape_fail(s, "label %lld stands twice in %s", (long long)out[i], attr_names[key]);
  }
  return true;
}

bool shape_dot(Shape *s) {
  Type a = s->in[0], b = s->in[1];
  int64_t la[MAX_RANK], lb[MAX_RANK], ly[2 * MAX_RANK];
  const Attr *y = list(s, A_ly);
  int ny = y ? (int)y->n : 0;
  if (a.dtype != b.dtype) return shape_fail(s, "`@` needs equal dtypes: %s and %s", shape_type(s, a), shape_type(s, b));
  if (ny > MAX_RANK) return shape_fail(s, "the result of `@` would have %d axes, more than %d", ny, MAX_RANK);
  if (!labels_of(s, A_la, la, a.rank) || !labels_of(s, A_lb, lb, b.rank) || !labels_of(s, A_ly, ly, ny)) return false;
  for (int i = 0; i < a.rank; i++) {
    int j = find(lb, b.rank, la[i]);
    if (j >= 0 && a.shape[i] != b.shape[j]) {
      return shape_fail(s, "`@` needs equal inner sizes: %s of %s and %s of %s", shape_dim(s, a.shape[i]),
                        shape_type(s, a), shape_dim(s, b.shape[j]), shape_type(s, b));
    }
    if (j < 0 && find(ly, ny, la[i]) < 0) {
      return shape_fail(s, "axis %d of %s is neither in the other operand nor in the result", i, shape_type(s, a));
    }
  }
  for (int i = 0; i < b.rank; i++) {
    if (find(la, a.rank, lb[i]) < 0 && find(ly, ny, lb[i]) < 0) {
      return shape_fail(s, "axis %d of %s is neither in the other operand nor in the result", i, shape_type(s, b));
    }
  }
  Dim shape[MAX_RANK];
  for (int i = 0; i < ny; i++) {
    int j = find(la, a.rank, ly[i]), k = find(lb, b.rank, ly[i]);
    if (j < 0 && k < 0) return shape_fail(s, "label %lld of the result is in no operand", (long long)ly[i]);
    shape[i] = j >= 0 ? a.shape[j] : b.shape[k];
  }
  return shape_done(s, a.dtype, ny, shape);
}

/* ---- convolutions ---- */

typedef struct Conv {
  int ns;
  int64_t stride[MAX_RANK], dilation[MAX_RANK];
  const Dim *low, *high;
  int groups;
} Conv;

static bool conv_attrs(Shape *s, int rank, Conv *c) {
  if (rank < 3) return shape_fail(s, "`conv` needs [N, C, size...]: at least 3 axes, got %d", rank);
  c->ns = rank - 2;
  if (!shape_ints(s, A_stride, c->stride, c->ns) || !shape_ints(s, A_dilation, c->dilation, c->ns) ||
      !shape_dims(s, A_low, &c->low, c->ns) || !shape_dims(s, A_high, &c->high, c->ns) ||
      !shape_int(s, A_groups, 1, INT32_MAX, &c->groups)) {
    return false;
  }
  for (int i = 0; i < c->ns; i++) {
    if (c->stride[i] < 1 || c->dilation[i] < 1) return shape_fail(s, "stride and dilation must be at least 1");
  }
  return true;
}

/* (size + low + high - dilation*(k - 1) - 1) // stride + 1 */
static bool window_size(Shape *s, Dim size, Dim low, Dim high, int64_t dilation, Dim k, int64_t stride, Dim *out) {
  DimTab *t = s->g->dims;
  Dim reach = dim_mul(t, dim_int(t, dilation), dim_sub(t, k, dim_int(t, 1)));
  Dim room = dim_sub(t, dim_sub(t, dim_add(t, size, dim_add(t, low, high)), reach), dim_int(t, 1));
  *out = dim_add(t, dim_floordiv(t, room, dim_int(t, stride)), dim_int(t, 1));
  Dim padded = dim_add(t, size, dim_add(t, low, high));
  int64_t v;
  if (dim_is_int(t, *out, &v) && v <= 0 && !dim_is(t, padded, 0)) {
    return shape_fail(s, "the window of `%s` (%s) is larger than the padded input (%s)", s->spelling,
                      shape_dim(s, dim_add(t, reach, dim_int(t, 1))), shape_dim(s, padded));
  }
  return true;
}

/* The type of conv(x, w) in s->out. */
static bool conv_type(Shape *s, Type x, Type w) {
  Conv c;
  DimTab *t = s->g->dims;
  if (x.dtype != w.dtype)
    return shape_fail(s, "`conv` needs equal dtypes: %s and %s", shape_type(s, x), shape_type(s, w));
  if (!conv_attrs(s, x.rank, &c)) return false;
  if (w.rank != x.rank) {
    return shape_fail(s, "`conv` of %s needs weights of %d axes, got %s", shape_type(s, x), x.rank, shape_type(s, w));
  }
  if (dim_mul(t, w.shape[1], dim_int(t, c.groups)) != x.shape[1]) {
    return shape_fail(s, "`conv` with weights %s and groups = %d needs %s channels, but the input %s has %s",
                      shape_type(s, w), c.groups, shape_dim(s, dim_mul(t, w.shape[1], dim_int(t, c.groups))),
                      shape_type(s, x), shape_dim(s, x.shape[1]));
  }
  if (!dim_is(t, dim_mod(t, w.shape[0], dim_int(t, c.groups)), 0)) {
    return shape_fail(s, "%s output channels of `conv` do not divide into %d groups", shape_dim(s, w.shape[0]),
                      c.groups);
  }
  Dim shape[MAX_RANK] = {x.shape[0], w.shape[0]};
  for (int i = 0; i < c.ns; i++) {
    if (!window_size(s, x.shape[2 + i], c.low[i], c.high[i], c.dilation[i], w.shape[2 + i], c.stride[i],
                     &shape[2 + i])) {
      return false;
    }
  }
  return shape_done(s, x.dtype, x.rank, shape);
}

bool shape_conv(Shape *s) { return conv_type(s, s->in[0], s->in[1]); }

/* want is x's (dx) or w's (dw) type; dy must be what conv gives for it. */
static bool conv_back(Shape *s, Type x, Type w, Type dy) {
  if (!conv_type(s, x, w)) return false;
  if (!type_same(*s->out, dy)) {
    return shape_fail(s, "`%s` needs a gradient %s, got %s", op_info[s->op].name, shape_type(s, *s->out),
                      shape_type(s, dy));
  }
  return shape_done(s, s->want->dtype, s->want->rank, s->want->shape);
}

bool shape_conv_dx(Shape *s) {
  if (!s->want) return shape_fail(s, "`conv_dx` needs a type");
  return conv_back(s, *s->want, s->in[1], s->in[0]);
}

bool shape_conv_dw(Shape *s) {
  if (!s->want) return shape_fail(s, "`conv_dw` needs a type");
  return conv_back(s, s->in[0], *s->want, s->in[1]);
}

/* ---- pools ---- */

/* The type of a pool of x in s->out. */
static bool pool(Shape *s, Type x, DType dtype) {
  int ns = x.rank - 2;
  int64_t window[MAX_RANK], stride[MAX_RANK];
  const Dim *low, *high;
  if (ns < 1)
    return shape_fail(s, "`%s` needs [N, C, size...]: at least 3 axes, got %s", s->spelling, shape_type(s, x));
  if (!shape_ints(s, A_window, window, ns) || !shape_ints(s, A_stride, stride, ns) || !shape_dims(s, A_low, &low, ns) ||
      !shape_dims(s, A_high, &high, ns)) {
    return false;
  }
  Dim shape[MAX_RANK] = {x.shape[0], x.shape[1]};
  for (int i = 0; i < ns; i++) {
    if (window[i] < 1 || stride[i] < 1)
      return shape_fail(s, "window and stride of `%s` must be at least 1", s->spelling);
    Dim k = dim_int(s->g->dims, window[i]);
    if (!window_size(s, x.shape[2 + i], low[i], high[i], 1, k, stride[i], &shape[2 + i])) return false;
  }
  return shape_done(s, dtype, x.rank, shape);
}

bool shape_pool(Shape *s) { return pool(s, s->in[0], s->in[0].dtype); }
bool shape_pool_arg(Shape *s) { return pool(s, s->in[0], I32); }

int64_t pool_span(const Graph *g, Type x, const int64_t *window) {
  int64_t span = 1, step = 1; /* elements of the axes behind */
  for (int i = x.rank - 1; i >= 2; i--) {
    int64_t size = dim_upper(g->dims, x.shape[i]), last = window[i - 2] - 1;
    if (last > 0 && (step > INT32_MAX || last > INT32_MAX)) return INT64_MAX;
    if (last > 0) span += last * step;
    if (span > INT32_MAX) return INT64_MAX;
    step = size < 0 || size > INT32_MAX || step > INT32_MAX ? INT64_MAX : step * size;
  }
  return span;
}

/* want is x's type; dy and arg must be what the pools give for it. */
bool shape_pool_dx(Shape *s) {
  if (!s->want) return shape_fail(s, "`max_pool_dx` needs a type");
  Type x = *s->want;
  int64_t window[MAX_RANK];
  if (!pool(s, x, x.dtype) || !shape_ints(s, A_window, window, x.rank - 2)) return false;
  bool places = s->in[1].dtype == I32 || (s->in[1].dtype == U8 && pool_span(s->g, x, window) <= 256);
  if (!dtype_is_float(x.dtype) || !type_same(*s->out, s->in[0]) || !shape_same(s->in[0], s->in[1]) || !places) {
    return shape_fail(s, "`max_pool_dx` needs a gradient %s and places of its shape, got %s and %s",
                      shape_type(s, *s->out), shape_type(s, s->in[0]), shape_type(s, s->in[1]));
  }
  return shape_done(s, x.dtype, x.rank, x.shape);
}

/* ---- run-time indices ---- */

/* The shape of gather(x, i): x's axes before `axis`, i's after the batch, x's after `axis`. */
static bool gather_shape(Shape *s, Dim *shape, int *rank) {
  Type x = s->in[0], i = s->in[1];
  int axis, batch;
  if (!dtype_is_int(i.dtype)) return shape_fail(s, "an index must be an integer, not %s", shape_type(s, i));
  if (!shape_int(s, A_batch, 0, x.rank < i.rank ? x.rank : i.rank, &batch)) return false;
  if (x.rank == 0) return shape_fail(s, "a scalar cannot be indexed");
  if (!shape_int(s, A_axis, batch, x.rank - 1, &axis)) return false;
  for (int k = 0; k < batch; k++) {
    if (x.shape[k] != i.shape[k]) {
      return shape_fail(s, "%s and its indices %s need equal leading sizes", shape_type(s, x), shape_type(s, i));
    }
  }
  int n = x.rank - 1 + i.rank - batch;
  if (n > MAX_RANK) return shape_fail(s, "the result of indexing would have %d axes, more than %d", n, MAX_RANK);
  *rank = 0;
  for (int k = 0; k < axis; k++) shape[(*rank)++] = x.shape[k];
  for (int k = batch; k < i.rank; k++) shape[(*rank)++] = i.shape[k];
  for (int k = axis + 1; k < x.rank; k++) shape[(*rank)++] = x.shape[k];
  return true;
}

bool shape_gather(Shape *s) {
  Dim shape[MAX_RANK];
  int rank = 0;
  return gather_shape(s, shape, &rank) && shape_done(s, s->in[0].dtype, rank, shape);
}

bool shape_scatter(Shape *s) {
  Dim shape[MAX_RANK];
  int rank = 0;
  if (!gather_shape(s, shape, &rank)) return false;
  Type need = {s->in[0].dtype, rank, shape};
  if (!type_same(need, s->in[2])) {
    return shape_fail(s, "storing at these indices needs %s, got %s", shape_type(s, need), shape_type(s, s->in[2]));
  }
  return shape_done(s, s->in[0].dtype, s->in[0].rank, s->in[0].shape);
}
