/* Bounds of dimensions by interval arithmetic over the sizes of their variables. */
#include "ir/dim_table.h"
#include "base/ds.h"

#define NO_LO INT64_MIN
#define NO_HI INT64_MAX

/* Sums and products of bounds; what leaves 64 bits counts as unbounded. */
static int64_t lo_add(int64_t a, int64_t b) {
  int64_t r;
  return a == NO_LO || b == NO_LO || __builtin_add_overflow(a, b, &r) ? NO_LO : r;
}
static int64_t hi_add(int64_t a, int64_t b) {
  int64_t r;
  return a == NO_HI || b == NO_HI || __builtin_add_overflow(a, b, &r) ? NO_HI : r;
}

/* One corner of a product: the infinities count as such, 0 times anything is 0. */
static int64_t corner(int64_t a, int64_t b) {
  if (a == 0 || b == 0) return 0;
  int64_t r;
  bool inf = a == NO_LO || a == NO_HI || b == NO_LO || b == NO_HI;
  if (inf || __builtin_mul_overflow(a, b, &r)) return (a < 0) != (b < 0) ? NO_LO : NO_HI;
  return r;
}

static DimRange range_mul(DimRange x, DimRange y) {
  int64_t c[4] = {corner(x.lo, y.lo), corner(x.lo, y.hi), corner(x.hi, y.lo), corner(x.hi, y.hi)};
  DimRange r = {c[0], c[0]};
  for (int i = 1; i < 4; i++) {
    if (c[i] < r.lo) r.lo = c[i];
    if (c[i] > r.hi) r.hi = c[i];
  }
  return r;
}

static DimRange atom_range(DimTab *t, uint32_t id, bool bounds, int depth);
static DimRange poly_range(DimTab *t, Dim d, bool bounds, int depth);

static DimRange div_range(DimRange a, DimRange b) {
  if (b.lo < 1) b.lo = 1; /* a divisor of 0 is no size of a running program */
  DimRange r = {NO_LO, NO_HI};
  if (a.lo != NO_LO) r.lo = a.lo >= 0 ? (b.hi == NO_HI ? 0 : a.lo / b.hi) : dim_int_floordiv(a.lo, b.lo);
  if (a.hi != NO_HI) {
    if (a.hi >= 0) r.hi = a.hi / b.lo;
    else r.hi = b.hi == NO_HI ? -1 : dim_int_floordiv(a.hi, b.hi);
  }
  return r;
}

static DimRange atom_range(DimTab *t, uint32_t id, bool bounds, int depth) {
  DimAtom a = t->atoms[id];
  if (a.kind == ATOM_VAR) {
    int64_t b = t->vars[a.var].bound;
    return (DimRange){0, bounds && b >= 0 ? b : NO_HI};
  }
  DimRange x = poly_range(t, a.a, bounds, depth), y = poly_range(t, a.b, bounds, depth);
  if (y.lo < 0) return (DimRange){NO_LO, NO_HI};
  if (a.kind == ATOM_DIV) return div_range(x, y);
  int64_t hi = y.hi == NO_HI ? NO_HI : y.hi < 1 ? 0 : y.hi - 1;
  if (x.lo >= 0 && x.hi < hi) hi = x.hi;
  return (DimRange){0, hi};
}

static DimRange plain_range(DimTab *t, Dim d, bool bounds, int depth) {
  DimRange sum = {0, 0};
  for (int i = 0; i < t->polys[d].n; i++) {
    DimTerm term = t->polys[d].terms[i];
    DimMono m = t->monos[term.mono];
    DimRange prod = {1, 1};
    for (int j = 0; j < m.n;) {
      int k = j;
      DimRange f = atom_range(t, m.atoms[j], bounds, depth);
      for (; k < m.n && m.atoms[k] == m.atoms[j]; k++) {
      }
      for (int e = j; e < k; e++) prod = range_mul(prod, f);
      if ((k - j) % 2 == 0 && m.n == k - j && prod.lo < 0) prod.lo = 0; /* an even power */
      j = k;
    }
    prod = range_mul(prod, (DimRange){term.c, term.c});
    sum.lo = lo_add(sum.lo, prod.lo);
    sum.hi = hi_add(sum.hi, prod.hi);
  }
  return sum;
}

/* A lower bound of d that uses how x // c and x % c hang together with x:
 * x/c - (c-1)/c <= x // c <= x/c, and x % c <= x where x >= 0. */
static int64_t relaxed_lower(DimTab *t, Dim d, bool bounds, int depth) {
  int64_t best = NO_LO;
  for (int i = 0; i < t->polys[d].n; i++) {
    DimTerm term = t->polys[d].terms[i];
    DimMono m = t->monos[term.mono];
    if (m.n != 1 || t->atoms[m.atoms[0]].kind == ATOM_VAR) continue;
    DimAtom a = t->atoms[m.atoms[0]];
    Dim rest = dim_sub(t, d, dim_term(t, term.c, term.mono));
    int64_t c, lo = NO_LO;
    if (a.kind == ATOM_DIV && dim_is_int(t, a.b, &c) && c > 0) {
      Dim x = term.c > 0 ? dim_sub(t, a.a, dim_int(t, c - 1)) : a.a;
      Dim all = dim_add(t, dim_mul(t, rest, a.b), dim_mul(t, dim_int(t, term.c), x));
      if (dim_ok(t, all)) lo = poly_range(t, all, bounds, depth + 1).lo;
      if (lo != NO_LO) lo = -dim_int_floordiv(-lo, c);
    } else if (a.kind == ATOM_MOD && term.c < 0 && poly_range(t, a.a, bounds, depth + 1).lo >= 0) {
      Dim all = dim_add(t, rest, dim_mul(t, dim_int(t, term.c), a.a));
      if (dim_ok(t, all)) lo = poly_range(t, all, bounds, depth + 1).lo;
    }
    if (lo > best) best = lo;
  }
  return best;
}

static DimRange poly_range(DimTab *t, Dim d, bool bounds, int depth) {
  DimRange r = plain_range(t, d, bounds, depth);
  if (depth > 3) return r;
  int64_t lo = relaxed_lower(t, d, bounds, depth);
  if (lo > r.lo) r.lo = lo;
  Dim minus = dim_neg(t, d);
  lo = dim_ok(t, minus) ? relaxed_lower(t, minus, bounds, depth) : NO_LO;
  if (lo != NO_LO && -lo < r.hi) r.hi = -lo;
  return r;
}

DimRange dim_range(DimTab *t, Dim d, bool bounds) {
  if (!dim_ok(t, d)) return (DimRange){NO_LO, NO_HI};
  return poly_range(t, d, bounds, 0);
}

/* The table grows by intermediate results only: what the caller sees of it does not change. */
static DimRange const_range(const DimTab *t, Dim d) { return dim_range((DimTab *)(uintptr_t)t, d, true); }

int64_t dim_upper(const DimTab *t, Dim d) {
  int64_t hi = const_range(t, d).hi;
  return hi == NO_HI ? -1 : hi;
}

int64_t dim_lower(const DimTab *t, Dim d) {
  int64_t lo = const_range(t, d).lo;
  return lo == NO_LO ? -1 : lo;
}

DimTruth dim_eq(DimTab *t, Dim a, Dim b) {
  if (!dim_ok(t, a) || !dim_ok(t, b)) return DIM_UNKNOWN;
  if (a == b) return DIM_YES;
  DimRange r = dim_range(t, dim_sub(t, a, b), true);
  if (r.lo > 0 || r.hi < 0) return DIM_NO;
  return r.lo == 0 && r.hi == 0 ? DIM_YES : DIM_UNKNOWN;
}

DimTruth dim_le(DimTab *t, Dim a, Dim b) {
  if (!dim_ok(t, a) || !dim_ok(t, b)) return DIM_UNKNOWN;
  DimRange r = dim_range(t, dim_sub(t, b, a), true);
  return r.lo >= 0 ? DIM_YES : r.hi < 0 ? DIM_NO : DIM_UNKNOWN;
}
