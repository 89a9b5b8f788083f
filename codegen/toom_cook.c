/* Toom and Cook's matrices come from interpolation of polynomials: at holds powers of the points, g powers over the
 * products of their differences, bt the coefficients of the products of all x - point but one. Points in pairs p, -p
 * make rows and columns that mirror each other, which saves half of the multiplications. */
#include "codegen/toom_cook.h"
#include <math.h>
#include <string.h>

void toom_cook(int m, int r, const double *point, Matrix *at, Matrix *g, Matrix *bt) {
  int a = m + r - 1, n = a - 1;
  double all[MAX_A + 1] = {1}; /* the product of all x - point, ascending */
  for (int j = 0; j < n; j++)
    for (int k = j + 1; k >= 0; k--) all[k] = (k ? all[k - 1] : 0) - point[j] * all[k];
  *at = (Matrix){.rows = m, .cols = a};
  *g = (Matrix){.rows = a, .cols = r};
  *bt = (Matrix){.rows = a, .cols = a};
  for (int j = 0; j < n; j++) {
    double scale = 1, power = 1, rest = 0;
    for (int k = 0; k < n; k++)
      if (k != j) scale *= point[j] - point[k];
    for (int k = n; k >= 1; k--) bt->v[j][k - 1] = rest = all[k] + point[j] * rest; /* all / (x - point) */
    for (int k = 0; k < m || k < r; k++, power *= point[j]) {
      if (k < m) at->v[k][j] = power;
      if (k < r) g->v[j][k] = power / scale;
    }
  }
  at->v[m - 1][n] = g->v[n][r - 1] = 1;
  for (int k = 0; k <= n; k++) bt->v[n][k] = all[k];
}
Matrix matrix_transposed(const Matrix *m) {
  Matrix t = {.rows = m->cols, .cols = m->rows};
  for (int i = 0; i < m->rows; i++)
    for (int j = 0; j < m->cols; j++) t.v[j][i] = m->v[i][j];
  return t;
}

/* sum of coefficient * value over the nonzero coefficients; NULL when there are none. */
static LExpr *weighted(LB *b, const double *c, LExpr *const *v, int n, int lanes) {
  LExpr *y = NULL;
  for (int pass = 0; pass < 2; pass++) /* begin with a plain value if there is one */
    for (int k = 0; k < n; k++) {
      bool plain = c[k] == 1;
      if (c[k] == 0 || plain == (pass == 1)) continue;
      LExpr *factor = x_splat(b, x_num(b, c[k], F32), lanes);
      if (!y) y = plain ? v[k] : x_op(b, OP_mul, F32, factor, v[k], NULL);
      else if (plain) y = x_op(b, OP_add, F32, y, v[k], NULL);
      else if (c[k] == -1) y = x_op(b, OP_sub, F32, y, v[k], NULL);
      else y = x_fma(b, factor, v[k], y);
      y = lb_let(b, NULL, y);
    }
  return y;
}
/* Rows (or columns) p and q equal but for signs, some equal and some opposite? */
static bool mirrored(const double *p, const double *q, int n, int step) {
  bool same = false, opposite = false;
  for (int k = 0; k < n; k++) {
    double x = p[k * step], y = q[k * step];
    if (fabs(x) != fabs(y)) return false;
    same |= x != 0 && x == y;
    opposite |= x != 0 && x == -y;
  }
  return same && opposite;
}
/* out = mat in. Points come in pairs p, -p: of mirrored columns sum and difference are taken first, of mirrored rows
 * the part with equal and the part with opposite signs once. */
void matrix_apply(LB *b, const Matrix *mat, LExpr *const *in, LExpr **out, int lanes) {
  Matrix t = *mat;
  LExpr *v[MAX_A];
  memcpy(v, in, sizeof(LExpr *) * (size_t)t.cols);
  for (int p = 0; p < t.cols; p++)
    for (int q = p + 1; q < t.cols; q++) {
      if (!mirrored(&t.v[0][p], &t.v[0][q], t.rows, MAX_A)) continue;
      LExpr *sum = lb_let(b, NULL, x_op(b, OP_add, F32, v[p], v[q], NULL));
      v[q] = lb_let(b, NULL, x_op(b, OP_sub, F32, v[p], v[q], NULL));
      v[p] = sum;
      for (int i = 0; i < t.rows; i++) {
        if (t.v[i][p] == t.v[i][q]) {
          t.v[i][q] = 0;
        } else {
          t.v[i][q] = t.v[i][p];
          t.v[i][p] = 0;
        }
      }
    }
  for (int i = 0; i < t.rows; i++) out[i] = NULL;
  for (int i = 0; i < t.rows; i++) {
    int pair = -1;
    for (int j = i + 1; j < t.rows && pair < 0 && !out[i]; j++)
      if (!out[j] && mirrored(t.v[i], t.v[j], t.cols, 1)) pair = j;
    if (out[i]) continue;
    if (pair < 0) {
      out[i] = weighted(b, t.v[i], v, t.cols, lanes);
      continue;
    }
    double same[MAX_A] = {0}, opposite[MAX_A] = {0};
    for (int k = 0; k < t.cols; k++) (t.v[i][k] == t.v[pair][k] ? same : opposite)[k] = t.v[i][k];
    LExpr *s = weighted(b, same, v, t.cols, lanes), *o = weighted(b, opposite, v, t.cols, lanes);
    out[i] = x_op(b, OP_add, F32, s, o, NULL);
    out[pair] = x_op(b, OP_sub, F32, s, o, NULL);
  }
}
