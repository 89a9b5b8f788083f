/* Floor division and remainder of polynomials, in normal form, and solving. */
#include "ir/dim_table.h"
#include "base/ds.h"

/* Floors as Python does; 0 for a divisor of 0 (a run-time size; constants are caught before). */
int64_t dim_int_floordiv(int64_t a, int64_t b) {
  if (b == 0) return 0;
  int64_t q = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

static int64_t gcd(int64_t a, int64_t b) {
  if (a < 0) a = -a;
  while (b) {
    int64_t r = a % b;
    a = b;
    b = r;
  }
  return a;
}

static Dim atom(DimTab *t, AtomKind kind, Dim a, Dim b) {
  return dim_term(t, 1, dim_atom_mono(t, (DimAtom){kind, 0, a, b}));
}

/* a = c*q + r where the coefficients of r are in [0, c). */
static void divide_coefs(DimTab *t, Dim a, int64_t c, Dim *q, Dim *r) {
  *q = *r = dim_int(t, 0);
  for (int i = 0; i < t->polys[a].n; i++) {
    DimTerm term = t->polys[a].terms[i];
    int64_t k = dim_int_floordiv(term.c, c);
    *q = dim_add(t, *q, dim_term(t, k, term.mono));
    *r = dim_add(t, *r, dim_term(t, term.c - k * c, term.mono));
  }
}

/* Splits off the constant of d and gives the greatest common divisor of `g` and its other coefficients. */
static int64_t common(const DimTab *t, Dim d, int64_t g, int64_t *constant) {
  DimPoly p = t->polys[d];
  *constant = 0;
  for (int i = 0; i < p.n; i++) {
    if (p.terms[i].mono == 0) *constant = p.terms[i].c;
    else g = gcd(p.terms[i].c, g);
  }
  return g;
}

/* (d - constant) / g + shift, where g divides every coefficient but the constant. */
static Dim reduced(DimTab *t, Dim d, int64_t g, int64_t shift) {
  Dim out = dim_int(t, shift);
  for (int i = 0; i < t->polys[d].n; i++) {
    DimTerm term = t->polys[d].terms[i];
    if (term.mono != 0) out = dim_add(t, out, dim_term(t, term.c / g, term.mono));
  }
  return out;
}

/* The atom when d is 1*atom + constant. */
static const DimAtom *lone_atom(const DimTab *t, Dim d, int64_t *constant) {
  DimPoly p = t->polys[d];
  *constant = 0;
  if (p.n < 1 || p.n > 2 || p.terms[0].c != 1 || t->monos[p.terms[0].mono].n != 1) return NULL;
  if (p.n == 2) {
    if (p.terms[1].mono != 0) return NULL;
    *constant = p.terms[1].c;
  }
  return &t->atoms[t->monos[p.terms[0].mono].atoms[0]];
}

/* floor(r / c) for r with coefficients in [0, c), c > 1. */
static Dim div_const(DimTab *t, Dim r, int64_t c) {
  int64_t k, g = common(t, r, c, &k);
  if (g > 1) {
    r = reduced(t, r, g, k / g);
    c /= g;
    if (c == 1) return r;
  }
  if (dim_is_int(t, r, NULL)) return dim_int(t, 0); /* coefficients are below c */
  DimRange range = dim_range(t, r, false);
  if (range.lo >= 0 && range.hi < c) return dim_int(t, 0);
  const DimAtom *inner = lone_atom(t, r, &k);
  int64_t d, cd, kd;
  /* floor((floor(x / d) + k) / c) = floor((x + k*d) / (c*d)) */
  if (inner && inner->kind == ATOM_DIV && dim_is_int(t, inner->b, &d) && d > 0 && !__builtin_mul_overflow(c, d, &cd) &&
      !__builtin_mul_overflow(k, d, &kd) && cd <= DIM_MAX_COEF) {
    return dim_floordiv(t, dim_add(t, inner->a, dim_int(t, kd)), dim_int(t, cd));
  }
  return atom(t, ATOM_DIV, r, dim_int(t, c));
}

/* In terms k*(x % d) where c divides d, x % d may be x when only the remainder by c matters. */
static Dim drop_inner_mods(DimTab *t, Dim a, int64_t c) {
  Dim out = dim_int(t, 0);
  for (int i = 0; i < t->polys[a].n; i++) {
    DimTerm term = t->polys[a].terms[i];
    DimMono m = t->monos[term.mono];
    Dim part = dim_term(t, term.c, term.mono);
    int64_t d;
    if (m.n == 1) {
      DimAtom x = t->atoms[m.atoms[0]];
      if (x.kind == ATOM_MOD && dim_is_int(t, x.b, &d) && d % c == 0) part = dim_mul(t, dim_int(t, term.c), x.a);
    }
    out = dim_add(t, out, part);
  }
  return out;
}

static Dim mod_const(DimTab *t, Dim a, int64_t c) {
  Dim q, r;
  divide_coefs(t, drop_inner_mods(t, a, c), c, &q, &r);
  if (!dim_ok(t, r) || dim_is_int(t, r, NULL)) return r;
  int64_t k, g = common(t, r, c, &k);
  if (g > 1) { /* (g*p + g*s + u) % (g*m) = g*((p + s) % m) + u */
    Dim inner = mod_const(t, reduced(t, r, g, k / g), c / g);
    return dim_add(t, dim_mul(t, dim_int(t, g), inner), dim_int(t, k % g));
  }
  DimRange range = dim_range(t, r, false);
  if (range.lo >= 0 && range.hi < c) return r;
  return atom(t, ATOM_MOD, r, dim_int(t, c));
}

/* The quotient of products, or false when b does not divide a. */
static bool mono_quotient(DimTab *t, uint32_t a, uint32_t b, Dim *out) {
  DimMono x = t->monos[a], y = t->monos[b];
  Dim q = dim_int(t, 1);
  int j = 0;
  for (int i = 0; i < x.n; i++) {
    if (j < y.n && x.atoms[i] == y.atoms[j]) j++;
    else q = dim_mul(t, q, dim_of_atom(t, x.atoms[i]));
  }
  *out = q;
  return j == y.n;
}

/* Long division a = q*b + r by the leading term of b (not constant): r holds no term that the leading term divides
 * with a coefficient of its size or more. */
static bool divide_poly(DimTab *t, Dim a, Dim b, Dim *q, Dim *r) {
  DimTerm lead = t->polys[b].terms[0];
  *q = *r = dim_int(t, 0);
  Dim rest = a;
  for (int turns = 0; dim_ok(t, rest) && t->polys[rest].n > 0; turns++) {
    if (turns > 4 * DIM_MAX_TERMS) return false;
    DimTerm top = t->polys[rest].terms[0];
    Dim m, term = dim_term(t, top.c, top.mono);
    int64_t k = lead.c != 0 && mono_quotient(t, top.mono, lead.mono, &m) ? dim_int_floordiv(top.c, lead.c) : 0;
    if (k != 0) {
      Dim part = dim_mul(t, dim_int(t, k), m);
      Dim next = dim_sub(t, rest, dim_mul(t, part, b));
      if (!dim_ok(t, next)) return false;
      *q = dim_add(t, *q, part);
      int64_t left = top.c - k * lead.c;
      if (left) { /* what remains of the leading term belongs to the remainder */
        term = dim_term(t, left, top.mono);
        *r = dim_add(t, *r, term);
        next = dim_sub(t, next, term);
      }
      rest = next;
    } else {
      *r = dim_add(t, *r, term);
      rest = dim_sub(t, rest, term);
    }
  }
  return dim_ok(t, rest) && dim_ok(t, *q) && dim_ok(t, *r);
}

Dim dim_floordiv(DimTab *t, Dim a, Dim b) {
  if (!dim_ok(t, a) || !dim_ok(t, b)) return DIM_OVERFLOW;
  int64_t c;
  Dim q, r;
  if (dim_is_int(t, b, &c)) {
    if (c == 0) return DIM_OVERFLOW;
    if (c < 0) return dim_floordiv(t, dim_neg(t, a), dim_int(t, -c));
    if (c == 1) return a;
    divide_coefs(t, a, c, &q, &r);
    return dim_add(t, q, div_const(t, r, c));
  }
  if (!divide_poly(t, a, b, &q, &r)) return atom(t, ATOM_DIV, a, b);
  if (dim_is(t, r, 0)) return q;
  int64_t k;
  const DimAtom *inner = lone_atom(t, r, &k);
  if (inner && k == 0 && inner->kind == ATOM_MOD && inner->b == b) return q;
  return dim_add(t, q, atom(t, ATOM_DIV, r, b));
}

Dim dim_mod(DimTab *t, Dim a, Dim b) {
  if (!dim_ok(t, a) || !dim_ok(t, b)) return DIM_OVERFLOW;
  int64_t c;
  Dim q, r;
  if (dim_is_int(t, b, &c)) {
    if (c == 0) return DIM_OVERFLOW;
    if (c < 0) return dim_neg(t, dim_mod(t, dim_neg(t, a), dim_int(t, -c)));
    return c == 1 ? dim_int(t, 0) : mod_const(t, a, c);
  }
  if (!divide_poly(t, a, b, &q, &r)) return atom(t, ATOM_MOD, a, b);
  if (dim_is(t, r, 0)) return r;
  int64_t k;
  const DimAtom *inner = lone_atom(t, r, &k);
  if (inner && k == 0 && inner->kind == ATOM_MOD && inner->b == b) return r;
  return atom(t, ATOM_MOD, r, b);
}

Dim dim_solve(DimTab *t, Dim pattern, int var, Dim target, int64_t *remainder) {
  if (remainder) *remainder = 0;
  Dim c, k;
  if (!dim_ok(t, target) || !dim_split_linear(t, pattern, var, &c, &k) || dim_is(t, c, 0)) return DIM_NONE;
  Dim rest = dim_sub(t, target, k);
  if (!dim_ok(t, rest) || !dim_ok(t, c)) return DIM_NONE;
  int64_t v, m;
  if (dim_is_int(t, rest, &v) && dim_is_int(t, c, &m)) {
    if (v % m != 0 || v / m < 0) { /* a misfit, or a size below 0 */
      if (remainder) *remainder = v % m != 0 && v / m >= 0 ? v % m : v;
      return DIM_NONE;
    }
    return dim_int(t, v / m);
  }
  Dim left = dim_mod(t, rest, c);
  if (dim_is(t, left, 0)) return dim_floordiv(t, rest, c);
  if (remainder && dim_is_int(t, left, &v)) *remainder = v;
  return DIM_NONE;
}
