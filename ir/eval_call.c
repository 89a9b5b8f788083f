/* Functions of rows and matrices: those of the runtime, one after the other over the leading axes. */
#include "ir/eval_rules.h"
#include "runtime/core/matrix.h"
#include "runtime/core/sort.h"

static void cumulate(Eval *e, int64_t row, int64_t n) {
  const Tensor *a = e->ins[0];
  bool sum = e->node->op == OP_cumsum, reverse = eval_attr(e, A_reverse);
  double f = sum ? 0 : 1;
  int64_t v = sum ? 0 : 1;
  for (int64_t k = 0; k < n; k++) {
    int64_t i = row * n + (reverse ? n - 1 - k : k);
    if (dtype_is_float(a->dtype)) {
      f = sum ? f + tensor_get(a, i) : f * tensor_get(a, i);
      tensor_set(e->out, i, f);
    } else {
      uint64_t x = (uint64_t)tensor_get_int(a, i);
      v = (int64_t)(sum ? (uint64_t)v + x : (uint64_t)v * x);
      tensor_set_int(e->out, i, v);
    }
  }
}

static void argsort(Eval *e, int64_t row, int64_t n) {
  const Tensor *a = e->ins[0];
  int32_t *order = (int32_t *)e->out->data + row * n, *work = arena_array(e->tmp, int32_t, n);
  int64_t descending = eval_attr(e, A_descending);
  if (dtype_is_float(a->dtype)) {
    double *x = arena_array(e->tmp, double, n);
    for (int64_t i = 0; i < n; i++) x[i] = tensor_get(a, row * n + i);
    dnn_argsort_f64(x, order, work, n, descending);
  } else {
    int64_t *x = arena_array(e->tmp, int64_t, n);
    for (int64_t i = 0; i < n; i++) x[i] = tensor_get_int(a, row * n + i);
    dnn_argsort_i64(x, order, work, n, descending);
  }
}

/* Matrix `row` of t as double. */
static double *matrix(Eval *e, const Tensor *t, int64_t row, int64_t count) {
  double *x = arena_array(e->tmp, double, count);
  for (int64_t i = 0; i < count; i++) x[i] = tensor_get(t, row * count + i);
  return x;
}

static void factorise(Eval *e, int64_t row, int64_t m, int64_t n) {
  double *a = matrix(e, e->ins[0], row, m * n), *b = NULL, *y = a;
  int64_t count = m * n, k = 0;
  if (e->node->n_in > 1) {
    k = e->ins[1]->shape[e->ins[1]->rank - 1];
    count = n * k;
    y = b = matrix(e, e->ins[1], row, count);
  }
  switch (e->node->op) {
  case OP_cholesky: dnn_cholesky(a, n); break;
  case OP_triangular_solve: dnn_triangular_solve(a, b, n, k, eval_attr(e, A_lower)); break;
  case OP_solve: dnn_solve(a, b, n, k); break;
  case OP_logdet:
    count = 1;
    y = arena_array(e->tmp, double, 1);
    dnn_logdet(a, y, n);
    break;
  case OP_orthonormal:
    y = arena_array(e->tmp, double, m *n);
    dnn_orthonormal(a, y, arena_array(e->tmp, double, n *(m + 3)), m, n);
    break;
  default:
    count = (n + 1) * n;
    y = arena_array(e->tmp, double, count);
    dnn_eigh(a, y, arena_array(e->tmp, double, n *(n + 4)), n);
  }
  for (int64_t i = 0; i < count; i++) tensor_set(e->out, row * count + i, y[i]);
}

bool eval_call(Eval *e) {
  const Tensor *a = e->ins[0];
  bool is_row = e->node->op == OP_cumsum || e->node->op == OP_cumprod || e->node->op == OP_argsort;
  int64_t rows = 1, n = a->shape[a->rank - 1];
  for (int k = 0; k < a->rank - (is_row ? 1 : 2); k++) rows *= a->shape[k];
  for (int64_t r = 0; r < rows; r++) {
    if (!is_row) factorise(e, r, a->shape[a->rank - 2], n);
    else if (e->node->op == OP_argsort) argsort(e, r, n);
    else cumulate(e, r, n);
  }
  return true;
}
