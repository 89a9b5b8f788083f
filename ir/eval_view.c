/* Views, reductions and run-time indices. */
#include "ir/eval_rules.h"
#include <math.h>
#include <string.h>

/* y[index] = a[base + sum index[k] * step[k]] */
static void strided(Eval *e, int64_t base, const int64_t *step) {
  const Tensor *a = e->ins[0];
  int size = dtype_size(a->dtype);
  int64_t index[MAX_RANK] = {0}, n = tensor_count(e->out);
  for (int64_t i = 0; i < n; i++) {
    int64_t from = base;
    for (int k = 0; k < e->out->rank; k++) from += index[k] * step[k];
    memcpy((char *)e->out->data + i * size, (char *)a->data + from * size, (size_t)size);
    eval_next(index, e->out->shape, e->out->rank);
  }
}

static bool slice(Eval *e, const int64_t *strides) {
  int64_t start[MAX_RANK], step[MAX_RANK], base = 0;
  eval_attrs(e, A_start, start);
  eval_attrs(e, A_step, step);
  for (int k = 0; k < e->out->rank; k++) {
    int64_t size = e->out->shape[k], last = start[k] + (size - 1) * step[k], n = e->ins[0]->shape[k];
    if (tensor_count(e->out) == 0) continue;
    if (start[k] < 0 || start[k] >= n || last < 0 || last >= n) {
      return eval_fail(e, "%lld .. %lld leaves axis %d of size %lld", (long long)start[k], (long long)last, k,
                       (long long)n);
    }
    base += start[k] * strides[k];
    step[k] *= strides[k];
  }
  strided(e, base, step);
  return true;
}

static void pad(Eval *e, const int64_t *strides) {
  const Tensor *a = e->ins[0];
  int64_t low[MAX_RANK], index[MAX_RANK] = {0}, n = tensor_count(e->out);
  int size = dtype_size(a->dtype);
  eval_attrs(e, A_low, low);
  for (int64_t i = 0; i < n; i++) {
    int64_t from = 0;
    bool inside = true;
    for (int k = 0; k < a->rank; k++) {
      int64_t j = index[k] - low[k];
      inside &= j >= 0 && j < a->shape[k];
      from += j * strides[k];
    }
    if (inside) memcpy((char *)e->out->data + i * size, (char *)a->data + from * size, (size_t)size);
    else tensor_set(e->out, i, node_num(e->node, A_value));
    eval_next(index, e->out->shape, e->out->rank);
  }
}

static void concat(Eval *e) {
  int axis = (int)eval_attr(e, A_axis);
  int64_t outer = 1, inner = dtype_size(e->out->dtype), at = 0;
  for (int k = 0; k < axis; k++) outer *= e->out->shape[k];
  for (int k = axis + 1; k < e->out->rank; k++) inner *= e->out->shape[k];
  for (int i = 0; i < e->node->n_in; i++) {
    int64_t bytes = e->ins[i]->shape[axis] * inner;
    for (int64_t o = 0; o < outer; o++) {
      memcpy((char *)e->out->data + o * e->out->shape[axis] * inner + at, (char *)e->ins[i]->data + o * bytes,
             (size_t)bytes);
    }
    at += bytes;
  }
}

bool eval_view(Eval *e) {
  const Tensor *a = e->ins[0];
  int64_t strides[MAX_RANK], list[MAX_RANK], step[MAX_RANK] = {0};
  eval_strides(a, strides);
  switch (e->node->op) {
  case OP_reshape:
    if (tensor_count(a) != tensor_count(e->out)) return eval_fail(e, "the sizes do not fit");
    memcpy(e->out->data, a->data, (size_t)tensor_bytes(a));
    return true;
  case OP_transpose:
    eval_attrs(e, A_perm, list);
    for (int k = 0; k < a->rank; k++) step[k] = strides[list[k]];
    strided(e, 0, step);
    return true;
  case OP_broadcast:
    eval_attrs(e, A_axes, list);
    for (int k = 0; k < a->rank; k++) step[list[k]] = a->shape[k] == 1 ? 0 : strides[k];
    strided(e, 0, step);
    return true;
  case OP_slice: return slice(e, strides);
  case OP_pad: pad(e, strides); return true;
  case OP_concat: concat(e); return true;
  default: return eval_fail(e, "has no evaluator");
  }
}

/* ---- reductions: accumulators by result element, combined in row-major order of the operand ---- */

static int64_t least(DType t) { return t == I64 ? INT64_MIN : t == I32 ? INT32_MIN : t == I8 ? INT8_MIN : 0; }
static int64_t greatest(DType t) {
  return t == I64 ? INT64_MAX : t == I32 ? INT32_MAX : t == I8 ? INT8_MAX : t == U8 ? UINT8_MAX : 1;
}

static double fold_float(Op op, double acc, double x) {
  switch (op) {
  case OP_sum: return acc + x;
  case OP_prod: return acc * x;
  case OP_reduce_max: return isnan(acc) || acc >= x ? acc : x;
  default: return isnan(acc) || acc <= x ? acc : x;
  }
}

static int64_t fold_int(Op op, int64_t acc, int64_t x) {
  switch (op) {
  case OP_sum: return (int64_t)((uint64_t)acc + (uint64_t)x);
  case OP_prod: return (int64_t)((uint64_t)acc * (uint64_t)x);
  case OP_reduce_max: return acc >= x ? acc : x;
  default: return acc <= x ? acc : x;
  }
}

static void fold(Eval *e, const int64_t *step) {
  const Tensor *a = e->ins[0];
  Op op = (Op)e->node->op;
  int64_t n = tensor_count(e->out), m = tensor_count(a), index[MAX_RANK] = {0};
  bool is_float = dtype_is_float(a->dtype);
  double *f = arena_array(e->tmp, double, n);
  int64_t *v = arena_array(e->tmp, int64_t, n);
  for (int64_t i = 0; i < n; i++) {
    f[i] = op == OP_sum ? 0 : op == OP_prod ? 1 : op == OP_reduce_max ? -INFINITY : INFINITY;
    v[i] = op == OP_sum ? 0 : op == OP_prod ? 1 : op == OP_reduce_max ? least(a->dtype) : greatest(a->dtype);
  }
  for (int64_t j = 0; j < m; j++) {
    int64_t i = 0;
    for (int k = 0; k < a->rank; k++) i += index[k] * step[k];
    if (is_float) f[i] = fold_float(op, f[i], tensor_get(a, j));
    else v[i] = fold_int(op, v[i], tensor_get_int(a, j));
    eval_next(index, a->shape, a->rank);
  }
  for (int64_t i = 0; i < n; i++) {
    if (is_float) tensor_set(e->out, i, f[i]);
    else tensor_set_int(e->out, i, v[i]);
  }
}

/* Does x at a later place beat the best so far? The first NaN beats all. */
static bool beats(bool max, const Tensor *a, int64_t x, int64_t best) {
  if (!dtype_is_float(a->dtype)) {
    int64_t p = tensor_get_int(a, x), q = tensor_get_int(a, best);
    return max ? p > q : p < q;
  }
  double p = tensor_get(a, x), q = tensor_get(a, best);
  if (isnan(q)) return false;
  return isnan(p) || (max ? p > q : p < q);
}

static void arg(Eval *e, int axis) {
  const Tensor *a = e->ins[0];
  int64_t inner = 1, n = a->shape[axis], count = tensor_count(e->out);
  for (int k = axis + 1; k < a->rank; k++) inner *= a->shape[k];
  for (int64_t i = 0; i < count; i++) {
    int64_t first = i / inner * n * inner + i % inner, best = 0;
    for (int64_t j = 1; j < n; j++) {
      if (beats(e->node->op == OP_argmax, a, first + j * inner, first + best * inner)) best = j;
    }
    tensor_set_int(e->out, i, best);
  }
}

bool eval_reduce(Eval *e) {
  const Tensor *a = e->ins[0];
  if (e->node->op == OP_argmax || e->node->op == OP_argmin) {
    arg(e, (int)eval_attr(e, A_axis));
    return true;
  }
  int64_t axes[MAX_RANK], step[MAX_RANK], strides[MAX_RANK];
  int n = eval_attrs(e, A_axes, axes), j = 0;
  eval_strides(e->out, strides);
  for (int k = 0; k < a->rank; k++) {
    bool folded = false;
    for (int i = 0; i < n; i++) folded |= axes[i] == k;
    step[k] = folded ? 0 : strides[j++];
  }
  fold(e, step);
  return true;
}

/* ---- run-time indices ---- */

/* x is [outer, n, inner]; the first axes of outer are the batch: one row of `mid` indices per batch element. */
typedef struct Place {
  int64_t outer, per_batch, n, mid, inner;
} Place;

static Place place(Eval *e) {
  const Tensor *x = e->ins[0], *i = e->ins[1];
  int axis = (int)eval_attr(e, A_axis), batch = (int)eval_attr(e, A_batch);
  Place p = {1, 1, x->shape[axis], 1, 1};
  for (int k = 0; k < axis; k++) p.outer *= x->shape[k];
  for (int k = batch; k < axis; k++) p.per_batch *= x->shape[k];
  for (int k = batch; k < i->rank; k++) p.mid *= i->shape[k];
  for (int k = axis + 1; k < x->rank; k++) p.inner *= x->shape[k];
  return p;
}

static bool find_row(Eval *e, const Place *p, int64_t outer, int64_t mid, int64_t *row) {
  int64_t i = tensor_get_int(e->ins[1], outer / p->per_batch * p->mid + mid);
  if (i < 0 || i >= p->n) {
    return eval_fail(e, "index %lld is out of range 0 .. %lld", (long long)i, (long long)p->n - 1);
  }
  *row = (outer * p->n + i) * p->inner;
  return true;
}

bool eval_gather(Eval *e) {
  Place p = place(e);
  int64_t row = 0, size = dtype_size(e->out->dtype);
  if (tensor_count(e->out) == 0) return true;
  for (int64_t o = 0; o < p.outer; o++) {
    for (int64_t m = 0; m < p.mid; m++) {
      if (!find_row(e, &p, o, m, &row)) return false;
      memcpy((char *)e->out->data + (o * p.mid + m) * p.inner * size, (char *)e->ins[0]->data + row * size,
             (size_t)(p.inner * size));
    }
  }
  return true;
}

static void add_element(Tensor *y, int64_t i, const Tensor *u, int64_t j) {
  if (y->dtype == F64) tensor_set(y, i, tensor_get(y, i) + tensor_get(u, j));
  else if (dtype_is_float(y->dtype)) tensor_set(y, i, (double)((float)tensor_get(y, i) + (float)tensor_get(u, j)));
  else tensor_set_int(y, i, (int64_t)((uint64_t)tensor_get_int(y, i) + (uint64_t)tensor_get_int(u, j)));
}

/* u[j] > y[i]; a NaN is larger than all numbers. */
static bool exceeds(const Tensor *u, int64_t j, const Tensor *y, int64_t i) {
  if (!dtype_is_float(u->dtype)) return tensor_get_int(u, j) > tensor_get_int(y, i);
  double p = tensor_get(u, j), q = tensor_get(y, i);
  return !isnan(q) && (isnan(p) || p > q);
}

bool eval_scatter(Eval *e) {
  Place p = place(e);
  const Tensor *u = e->ins[2];
  int64_t row = 0, size = dtype_size(e->out->dtype);
  memcpy(e->out->data, e->ins[0]->data, (size_t)tensor_bytes(e->out));
  if (tensor_count(u) == 0) return true;
  for (int64_t o = 0; o < p.outer; o++) {
    for (int64_t m = 0; m < p.mid; m++) {
      if (!find_row(e, &p, o, m, &row)) return false;
      int64_t from = (o * p.mid + m) * p.inner;
      for (int64_t k = 0; k < p.inner; k++) {
        if (e->node->op == OP_scatter_add) add_element(e->out, row + k, u, from + k);
        else if (e->node->op == OP_scatter_max && !exceeds(u, from + k, e->out, row + k)) continue;
        else memcpy((char *)e->out->data + (row + k) * size, (char *)u->data + (from + k) * size, (size_t)size);
      }
    }
  }
  return true;
}
