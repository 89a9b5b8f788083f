/* Shape rules of functions of rows and matrices: of the last one or two axes, whatever stands before them. */
#include "ir/shape_rules.h"

static bool has_rank(Shape *s, int least) {
  if (s->in[0].rank >= least) return true;
  return shape_fail(s, "`%s` needs %s, not %s", s->spelling, least == 1 ? "an axis" : "a matrix",
                    shape_type(s, s->in[0]));
}

static bool is_square(Shape *s) {
  Type a = s->in[0];
  if (!has_rank(s, 2)) return false;
  if (dim_eq(s->g->dims, a.shape[a.rank - 2], a.shape[a.rank - 1]) == DIM_YES) return true;
  return shape_fail(s, "`%s` needs a square matrix, not %s", s->spelling, shape_type(s, a));
}

bool shape_cumulative(Shape *s) {
  int reverse;
  if (!has_rank(s, 1) || !shape_int(s, A_reverse, 0, 1, &reverse)) return false;
  return shape_done(s, s->in[0].dtype, s->in[0].rank, s->in[0].shape);
}

bool shape_argsort(Shape *s) {
  int descending;
  if (!has_rank(s, 1) || !shape_int(s, A_descending, 0, 1, &descending)) return false;
  return shape_done(s, I32, s->in[0].rank, s->in[0].shape);
}

bool shape_square(Shape *s) { return is_square(s) && shape_done(s, s->in[0].dtype, s->in[0].rank, s->in[0].shape); }

/* a[.., n, n], b[.., n, k] */
bool shape_solve(Shape *s) {
  Type a = s->in[0], b = s->in[1];
  int lower;
  if (!is_square(s)) return false;
  if (s->op == OP_triangular_solve && !shape_int(s, A_lower, 0, 1, &lower)) return false;
  bool fits = a.rank == b.rank && a.dtype == b.dtype;
  for (int k = 0; fits && k < a.rank - 1; k++) fits = dim_eq(s->g->dims, a.shape[k], b.shape[k]) == DIM_YES;
  if (!fits)
    return shape_fail(s, "the sides of `%s` do not fit: %s and %s", s->spelling, shape_type(s, a), shape_type(s, b));
  return shape_done(s, b.dtype, b.rank, b.shape);
}

bool shape_logdet(Shape *s) { return is_square(s) && shape_done(s, s->in[0].dtype, s->in[0].rank - 2, s->in[0].shape); }

bool shape_orthonormal(Shape *s) {
  Type a = s->in[0];
  if (!has_rank(s, 2)) return false;
  if (dim_le(s->g->dims, a.shape[a.rank - 1], a.shape[a.rank - 2]) != DIM_YES)
    return shape_fail(s, "`%s` needs at least as many rows as columns, not %s", s->spelling, shape_type(s, a));
  return shape_done(s, a.dtype, a.rank, a.shape);
}

bool shape_eigh(Shape *s) {
  Type a = s->in[0];
  if (!is_square(s)) return false;
  Dim shape[MAX_RANK], one = dim_int(s->g->dims, 1);
  for (int k = 0; k < a.rank; k++) shape[k] = k == a.rank - 2 ? dim_add(s->g->dims, a.shape[k], one) : a.shape[k];
  return shape_done(s, a.dtype, a.rank, shape);
}
