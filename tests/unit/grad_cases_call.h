/* Cases for functions of rows and matrices, and the largest at run-time indices. Included by grad_cases.h, behind its
 * index_case. */
#ifndef TESTS_UNIT_GRAD_CASES_CALL_H
#define TESTS_UNIT_GRAD_CASES_CALL_H
#include "tests/unit/grad_cases.h"

/* No two updates of one place within 0.1, nor an update and what is there: numbers apart, in random order. */
static NodeId case_scatter_max(Case *c) {
  IndexCase v = index_case(c);
  Type t = graph_type(c->g, g_gather(c->g, nowhere, v.x, v.i, v.axis, v.batch));
  NodeId u = case_input(c, F64, t.rank, t.shape, -2, 2);
  int64_t m = c->count[0] + c->count[c->n_in - 1];
  for (int64_t k = 0; k < m; k++) {
    double *at = k < c->count[0] ? &c->data[0][k] : &c->data[c->n_in - 1][k - c->count[0]];
    *at = 0.1 * (double)(k * 7919 % 1009);
  }
  return g_scatter(c->g, OP_scatter_max, nowhere, v.x, v.i, u, v.axis, v.batch);
}

/* ---- rows and matrices ---- */
static NodeId call(Case *c, Op op, NodeId a, NodeId b, AttrKey key) {
  NodeId in[2] = {a, b};
  Attr attr = attr_int(c->g, key == A_NONE ? A_lower : key, case_int(c, 0, 1));
  return graph_add(c->g, op, nowhere, in, b ? 2 : 1, &attr, key != A_NONE, NULL);
}
static NodeId case_cumsum(Case *c) {
  Dim x[2] = {case_any(c), case_any(c)};
  return call(c, OP_cumsum, case_input(c, F64, 2, x, -2, 2), 0, A_reverse);
}
static NodeId case_cumprod(Case *c) {
  Dim x[2] = {case_any(c), case_any(c)};
  NodeId a = case_input(c, F64, 2, x, -2, 2);
  c->data[0][case_int(c, 0, (int)c->count[0] - 1)] = 0;
  return call(c, OP_cumprod, a, 0, A_reverse);
}
/* One or two matrices [m, n]; the diagonal is raised so that they are well conditioned and eigenvalues are apart. */
static NodeId matrix(Case *c, Dim lead, Dim m, Dim n) {
  Dim x[3] = {lead, m, n};
  NodeId a = case_input(c, F64, 3, x, -1, 1);
  int64_t rows = case_value(c, m), size = case_value(c, n);
  for (int64_t k = 0; k < c->count[c->n_in - 1]; k++)
    if (k / size % rows == k % size) c->data[c->n_in - 1][k] += (double)(size + 2 * (k % size));
  return a;
}
static NodeId square(Case *c, Op op) {
  Dim n = case_dim(c, case_int(c, 1, 4));
  return call(c, op, matrix(c, case_dim(c, case_int(c, 1, 2)), n, n), 0, A_NONE);
}
static NodeId case_cholesky(Case *c) { return square(c, OP_cholesky); }
static NodeId case_logdet(Case *c) { return square(c, OP_logdet); }
static NodeId case_eigh(Case *c) { return square(c, OP_eigh); }
static NodeId solve(Case *c, Op op, AttrKey key) {
  Dim lead = case_dim(c, case_int(c, 1, 2)), n = case_dim(c, case_int(c, 1, 4)), x[3] = {lead, n, case_dim(c, 2)};
  NodeId a = matrix(c, lead, n, n);
  return call(c, op, a, case_input(c, F64, 3, x, -2, 2), key);
}
static NodeId case_solve(Case *c) { return solve(c, OP_solve, A_NONE); }
static NodeId case_triangular_solve(Case *c) { return solve(c, OP_triangular_solve, A_lower); }
static NodeId case_orthonormal(Case *c) {
  Dim n = case_dim(c, case_int(c, 1, 4)), m = dim_add(c->g->dims, n, dim_int(c->g->dims, case_int(c, 0, 2)));
  return call(c, OP_orthonormal, matrix(c, case_dim(c, case_int(c, 1, 2)), m, n), 0, A_NONE);
}
#endif
