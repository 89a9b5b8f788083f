/* Factorisations of one matrix, row-major and in double whatever the dtype of the op: what they lose does not show in
 * narrower results. Sums have a fixed order. Copied beside emitted programs that use them: C11, libm. */
#ifndef DNN_MATRIX_H
#define DNN_MATRIX_H
#include <math.h>
#include <stdint.h>
#include <string.h>

/* y -= f * x */
static inline void dnn_subtract_row(double *restrict y, const double *restrict x, double f, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] -= f * x[i];
}

/* a[n, n] becomes the lower triangular L with L L^T = (a + a^T) / 2; NaN where that is not positive definite.
 * Algorithm: outer products, on L^T so that rows are contiguous (Golub and Van Loan, Matrix Computations, 4.2). */
static inline void dnn_cholesky(double *a, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = i + 1; j < n; j++) a[i * n + j] = (a[i * n + j] + a[j * n + i]) / 2;
  for (int64_t k = 0; k < n; k++) {
    double pivot = a[k * n + k], root = pivot > 0 ? sqrt(pivot) : (double)NAN;
    for (int64_t j = k; j < n; j++) a[k * n + j] = j == k ? root : a[k * n + j] / root;
    for (int64_t i = k + 1; i < n; i++) dnn_subtract_row(a + i * n + i, a + k * n + i, a[k * n + i], n - i);
  }
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = i + 1; j < n; j++) {
      a[j * n + i] = a[i * n + j];
      a[i * n + j] = 0;
    }
}

/* b[n, k] becomes x with T x = b, T the lower or upper triangle of a[n, n]; the rest of a is not read. A zero on the
 * diagonal gives infinities or NaN. */
static inline void dnn_triangular_solve(const double *a, double *b, int64_t n, int64_t k, int64_t lower) {
  for (int64_t s = 0; s < n; s++) {
    int64_t i = lower ? s : n - 1 - s, from = lower ? 0 : i + 1, to = lower ? i : n;
    for (int64_t j = from; j < to; j++) dnn_subtract_row(b + i * k, b + j * k, a[i * n + j], k);
    for (int64_t j = 0; j < k; j++) b[i * k + j] /= a[i * n + i];
  }
}

/* PA = LU with partial pivoting, U in the upper triangle of a[n, n]; the steps are taken on b[n, k] as well. Returns
 * the sign of the permutation. */
static inline int dnn_eliminate(double *a, double *b, int64_t n, int64_t k) {
  int sign = 1;
  for (int64_t p = 0; p < n; p++) {
    int64_t best = p;
    for (int64_t i = p + 1; i < n; i++)
      if (fabs(a[i * n + p]) > fabs(a[best * n + p])) best = i;
    if (best != p) {
      sign = -sign;
      for (int64_t j = p; j < n; j++) {
        double t = a[p * n + j];
        a[p * n + j] = a[best * n + j];
        a[best * n + j] = t;
      }
      for (int64_t j = 0; j < k; j++) {
        double t = b[p * k + j];
        b[p * k + j] = b[best * k + j];
        b[best * k + j] = t;
      }
    }
    if (a[p * n + p] == 0) continue; /* singular; the column is zero already */
    for (int64_t i = p + 1; i < n; i++) {
      double f = a[i * n + p] / a[p * n + p];
      dnn_subtract_row(a + i * n + p + 1, a + p * n + p + 1, f, n - p - 1);
      dnn_subtract_row(b + i * k, b + p * k, f, k);
    }
  }
  return sign;
}

/* b[n, k] becomes x with a x = b; a[n, n] is lost. Infinities or NaN where a is singular. */
static inline void dnn_solve(double *a, double *b, int64_t n, int64_t k) {
  dnn_eliminate(a, b, n, k);
  dnn_triangular_solve(a, b, n, k, 0);
}

/* y[0] = log det a: NaN where the determinant is negative, -inf where it is 0; a[n, n] is lost. */
static inline void dnn_logdet(double *a, double *y, int64_t n) {
  int sign = dnn_eliminate(a, a, n, 0);
  double sum = 0;
  for (int64_t i = 0; i < n; i++) {
    double d = a[i * n + i];
    if (d < 0) sign = -sign;
    sum += log(fabs(d));
  }
  y[0] = sign > 0 || sum == -(double)INFINITY ? sum : (double)NAN;
}

/* m -= f v (v^T m) for rows `from` .. n of m[n, k] */
static inline void dnn_reflect(double *m, const double *v, double f, int64_t from, int64_t n, int64_t k, double *work) {
  memset(work, 0, (size_t)k * sizeof *work);
  for (int64_t i = from; i < n; i++) dnn_subtract_row(work, m + i * k, -v[i], k);
  for (int64_t i = from; i < n; i++) dnn_subtract_row(m + i * k, work, f * v[i], k);
}
/* v[from .. n) from x: (1 - f v v^T) x = r e_from, r returned with the sign that loses nothing; f = 2 / v.v, or 0. */
static inline double dnn_reflector(double *v, int64_t from, int64_t n, double *f) {
  double rest = 0;
  for (int64_t i = from + 1; i < n; i++) rest += v[i] * v[i];
  double head = v[from], r = sqrt(head * head + rest);
  *f = 0;
  if (rest == 0) return head;
  if (head > 0) r = -r;
  v[from] = head - r;
  *f = 2 / (v[from] * v[from] + rest);
  return r;
}

/* q[m, n], m >= n: orthonormal columns with a = q r, r upper triangular with a diagonal >= 0; a[m, n] is lost. `work`:
 * n * (m + 2) + n elements. Algorithm: Householder (Golub and Van Loan, 5.2). */
static inline void dnn_orthonormal(double *a, double *q, double *work, int64_t m, int64_t n) {
  double *vs = work, *fs = vs + n * m, *signs = fs + n, *row = signs + n;
  for (int64_t k = 0; k < n; k++) {
    double *v = vs + k * m;
    for (int64_t i = k; i < m; i++) v[i] = a[i * n + k];
    double r = dnn_reflector(v, k, m, &fs[k]);
    signs[k] = r < 0 ? -1 : 1;
    dnn_reflect(a, v, fs[k], k, m, n, row);
  }
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) q[i * n + j] = i == j ? signs[j] : 0;
  for (int64_t k = n - 1; k >= 0; k--) dnn_reflect(q, vs + k * m, fs[k], k, m, n, row);
}

/* a[n, n] symmetric = q t q^T with t tridiagonal: d its diagonal, e[i] beside it between i and i + 1; a becomes q^T.
 * `work`: n * n + 2 * n elements. Algorithm: Householder (Golub and Van Loan, 8.3.1). */
static inline void dnn_tridiagonal(double *a, double *d, double *e, double *work, int64_t n) {
  double *vs = work, *fs = vs + n * n, *p = fs + n;
  for (int64_t k = 0; k + 1 < n; k++) {
    double *v = vs + k * n, f, half = 0;
    for (int64_t i = k + 1; i < n; i++) v[i] = a[i * n + k];
    e[k] = dnn_reflector(v, k + 1, n, &f);
    fs[k] = f;
    if (f == 0) continue;
    for (int64_t i = k + 1; i < n; i++) { /* p = f a v */
      p[i] = 0;
      for (int64_t j = k + 1; j < n; j++) p[i] += a[i * n + j] * v[j];
      p[i] *= f;
      half += v[i] * p[i];
    }
    half *= f / 2;
    for (int64_t i = k + 1; i < n; i++) p[i] -= half * v[i];
    for (int64_t i = k + 1; i < n; i++) {
      dnn_subtract_row(a + i * n + k + 1, p + k + 1, v[i], n - k - 1);
      dnn_subtract_row(a + i * n + k + 1, v + k + 1, p[i], n - k - 1);
    }
  }
  for (int64_t i = 0; i < n; i++) d[i] = a[i * n + i];
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) a[i * n + j] = i == j;
  for (int64_t k = n - 2; k >= 0; k--)
    if (fs[k] != 0) dnn_reflect(a, vs + k * n, fs[k], k + 1, n, n, p);
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < i; j++) {
      double t = a[i * n + j];
      a[i * n + j] = a[j * n + i];
      a[j * n + i] = t;
    }
}

/* One implicit QL step on d[l .. m], e[l .. m), taken on the rows of vt[., n] too. */
static inline void dnn_ql_step(double *d, double *e, double *vt, int64_t l, int64_t m, int64_t n) {
  double g = (d[l + 1] - d[l]) / (2 * e[l]), r = hypot(g, 1), s = 1, c = 1, p = 0;
  g = d[m] - d[l] + e[l] / (g + copysign(r, g));
  for (int64_t i = m - 1; i >= l; i--) {
    double f = s * e[i], b = c * e[i], *u = vt + i * n, *w = u + n;
    r = hypot(f, g);
    e[i + 1] = r;
    if (r == 0) {
      d[i + 1] -= p;
      e[m] = 0;
      return;
    }
    s = f / r;
    c = g / r;
    g = d[i + 1] - p;
    r = (d[i] - g) * s + 2 * c * b;
    p = s * r;
    d[i + 1] = g + p;
    g = c * r - b;
    for (int64_t k = 0; k < n; k++) {
      double x = u[k], y = w[k];
      w[k] = s * x + c * y;
      u[k] = c * x - s * y;
    }
  }
  d[l] -= p;
  e[l] = g;
  e[m] = 0;
}

/* y[n + 1, n]: the eigenvalues of (a + a^T) / 2, ascending, over their orthonormal vectors, which are columns; in each
 * the first of the components of largest magnitude is positive. All NaN where a holds one. a[n, n] is lost; `work`:
 * n * n + 4 * n elements. Algorithm: tridiagonal by reflections, then implicit QL (Bowdler, Martin, Reinsch, Wilkinson,
 * Numerische Mathematik 11, 1968). */
static inline void dnn_eigh(double *a, double *y, double *work, int64_t n) {
  enum { STEPS = 60 }; /* for one eigenvalue; two are usual */
  double *d = work, *e = d + n;
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < i; j++) a[i * n + j] = a[j * n + i] = (a[i * n + j] + a[j * n + i]) / 2;
  dnn_tridiagonal(a, d, e, e + n, n);
  if (n > 0) e[n - 1] = 0;
  double all = 0; /* the reduction leaves rounding of this size everywhere: what is below it is nothing */
  for (int64_t i = 0; i < n; i++) all = fmax(all, fabs(d[i]) + fabs(e[i]));
  for (int64_t l = 0, step = 0; l < n; step++) {
    int64_t m = l;
    while (m + 1 < n && !(fabs(e[m]) <= 0x1p-53 * fmax(fabs(d[m]) + fabs(d[m + 1]), all))) m++;
    if (m == l) {
      l++;
      step = -1;
    } else if (step < STEPS) dnn_ql_step(d, e, a, l, m, n);
    else {
      for (int64_t i = 0; i < (n + 1) * n; i++) y[i] = (double)NAN;
      return;
    }
  }
  for (int64_t j = 0; j < n; j++) { /* the smallest that is left */
    int64_t least = j, big = 0;
    for (int64_t i = j + 1; i < n; i++)
      if (d[i] < d[least]) least = i;
    double t = d[j], most = 0, *v = a + least * n;
    y[j] = d[least];
    d[least] = t;
    for (int64_t i = 0; i < n; i++) most = fabs(v[i]) > most ? fabs(v[i]) : most;
    while (big + 1 < n && fabs(v[big]) < 0.999 * most) big++; /* rounding does not choose between equal ones */
    for (int64_t i = 0; i < n; i++) y[(i + 1) * n + j] = v[big] < 0 ? -v[i] : v[i];
    if (least != j) memcpy(v, a + j * n, (size_t)n * sizeof *v);
  }
}
#endif
