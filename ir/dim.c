#include "ir/dim_table.h"
#include "base/diag.h"
#include "base/ds.h"
#include <stdlib.h>
#include <string.h>

/* ---- interning ---- */

static uint32_t hash_bytes(const void *p, size_t n) {
  uint32_t h = (uint32_t)stbds_hash_bytes((void *)(uintptr_t)p, n, 0x51ed);
  return h ^ (h >> 15);
}

/* Terms are hashed field by field: the struct has padding. */
static uint32_t hash_poly(const DimTerm *terms, int n) {
  uint64_t h = 0x9e3779b97f4a7c15u + (uint64_t)n;
  for (int i = 0; i < n; i++) {
    h = (h ^ (uint64_t)terms[i].c) * 0xbf58476d1ce4e5b9u;
    h = (h ^ (h >> 29) ^ terms[i].mono) * 0x94d049bb133111ebu;
    h ^= h >> 32;
  }
  return (uint32_t)h;
}

static bool poly_same(DimPoly p, const DimTerm *terms, int n) {
  if (p.n != n) return false;
  for (int i = 0; i < n; i++) {
    if (p.terms[i].c != terms[i].c || p.terms[i].mono != terms[i].mono) return false;
  }
  return true;
}

static void insert(uint32_t *slots, uint32_t n_slots, uint32_t h, uint32_t id) {
  for (uint32_t i = h & (n_slots - 1);; i = (i + 1) & (n_slots - 1)) {
    if (slots[i] == UINT32_MAX) {
      slots[i] = id;
      return;
    }
  }
}

static uint32_t *new_slots(Arena *a, uint32_t n) {
  uint32_t *s = arena_array(a, uint32_t, n);
  memset(s, 0xff, n * sizeof *s);
  return s;
}

/* The id of a polynomial whose terms are sorted and without zeros. */
static Dim intern_poly(DimTab *t, const DimTerm *terms, int n) {
  uint32_t h = hash_poly(terms, n);
  for (uint32_t i = h & (t->poly_slots - 1);; i = (i + 1) & (t->poly_slots - 1)) {
    uint32_t id = t->poly_hash[i];
    if (id == UINT32_MAX) break;
    if (poly_same(t->polys[id], terms, n)) return id;
  }
  DimPoly p = {n, arena_copy(t->arena, terms, sizeof *terms * (size_t)n)};
  Dim id = (Dim)arrlen(t->polys);
  arrput(t->polys, p);
  if (2 * id >= t->poly_slots) {
    t->poly_slots *= 2;
    t->poly_hash = new_slots(t->arena, t->poly_slots);
    for (uint32_t i = 2; i < id; i++)
      insert(t->poly_hash, t->poly_slots, hash_poly(t->polys[i].terms, t->polys[i].n), i);
  }
  insert(t->poly_hash, t->poly_slots, h, id);
  return id;
}

static uint32_t intern_mono(DimTab *t, const uint32_t *atoms, int n) {
  uint32_t h = hash_bytes(atoms, sizeof *atoms * (size_t)n);
  for (uint32_t i = h & (t->mono_slots - 1);; i = (i + 1) & (t->mono_slots - 1)) {
    uint32_t id = t->mono_hash[i];
    if (id == UINT32_MAX) break;
    if (t->monos[id].n == n && (n == 0 || !memcmp(t->monos[id].atoms, atoms, sizeof *atoms * (size_t)n))) return id;
  }
  DimMono m = {n, arena_copy(t->arena, atoms, sizeof *atoms * (size_t)n)};
  uint32_t id = (uint32_t)arrlen(t->monos);
  arrput(t->monos, m);
  if (2 * id >= t->mono_slots) {
    t->mono_slots *= 2;
    t->mono_hash = new_slots(t->arena, t->mono_slots);
    for (uint32_t i = 0; i < id; i++) {
      uint32_t hi = hash_bytes(t->monos[i].atoms, sizeof *atoms * (size_t)t->monos[i].n);
      insert(t->mono_hash, t->mono_slots, hi, i);
    }
  }
  insert(t->mono_hash, t->mono_slots, h, id);
  return id;
}

static uint32_t intern_atom(DimTab *t, DimAtom a) {
  for (ptrdiff_t i = 0; i < arrlen(t->atoms); i++) {
    const DimAtom *o = &t->atoms[i];
    if (o->kind == a.kind && o->var == a.var && o->a == a.a && o->b == a.b) return (uint32_t)i;
  }
  arrput(t->atoms, a);
  return (uint32_t)arrlen(t->atoms) - 1;
}

uint32_t dim_atom_mono(DimTab *t, DimAtom a) {
  uint32_t id = intern_atom(t, a);
  return intern_mono(t, &id, 1);
}

/* ---- order: independent of when something was made, so that texts print alike after parsing ---- */

static int cmp_poly(const DimTab *t, Dim a, Dim b);

static int cmp_atom(const DimTab *t, uint32_t a, uint32_t b) {
  if (a == b) return 0;
  const DimAtom *x = &t->atoms[a], *y = &t->atoms[b];
  if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
  if (x->kind == ATOM_VAR) return x->var < y->var ? -1 : 1;
  int c = cmp_poly(t, x->a, y->a);
  return c ? c : cmp_poly(t, x->b, y->b);
}

/* Higher degree first, then by atoms. */
static int cmp_mono(const DimTab *t, uint32_t a, uint32_t b) {
  if (a == b) return 0;
  const DimMono *x = &t->monos[a], *y = &t->monos[b];
  if (x->n != y->n) return x->n > y->n ? -1 : 1;
  for (int i = 0; i < x->n; i++) {
    int c = cmp_atom(t, x->atoms[i], y->atoms[i]);
    if (c) return c;
  }
  return 0;
}

static int cmp_poly(const DimTab *t, Dim a, Dim b) {
  if (a == b) return 0;
  DimPoly x = t->polys[a], y = t->polys[b];
  for (int i = 0; i < x.n && i < y.n; i++) {
    int c = cmp_mono(t, x.terms[i].mono, y.terms[i].mono);
    if (c) return c;
    if (x.terms[i].c != y.terms[i].c) return x.terms[i].c < y.terms[i].c ? -1 : 1;
  }
  return x.n < y.n ? -1 : x.n > y.n;
}

/* ---- the table ---- */

DimTab *dimtab_new(Arena *a) {
  DimTab *t = arena_one(a, DimTab);
  t->arena = a;
  t->poly_slots = t->mono_slots = 64;
  t->poly_hash = new_slots(a, 64);
  t->mono_hash = new_slots(a, 64);
  arrput(t->polys, ((DimPoly){0}));
  arrput(t->polys, ((DimPoly){0}));
  intern_mono(t, NULL, 0);
  return t;
}

int dim_var_count(const DimTab *t) { return (int)arrlen(t->vars); }

Dim dim_term(DimTab *t, int64_t c, uint32_t mono) {
  if (c > DIM_MAX_COEF || c < -DIM_MAX_COEF) return DIM_OVERFLOW;
  DimTerm term = {c, mono};
  return intern_poly(t, &term, c != 0);
}

Dim dim_int(DimTab *t, int64_t v) {
  if (v < 0 || v >= DIM_SMALL) return dim_term(t, v, 0);
  if (t->small[v] == DIM_NONE) t->small[v] = dim_term(t, v, 0);
  return t->small[v];
}

Dim dim_of_atom(DimTab *t, uint32_t atom) { return dim_term(t, 1, intern_mono(t, &atom, 1)); }

Dim dim_var(DimTab *t, const char *name, int64_t bound) {
  DimVar v = {arena_strdup(t->arena, name), bound < 0 ? -1 : bound, 0, 0};
  v.atom = intern_atom(t, (DimAtom){ATOM_VAR, (int)arrlen(t->vars), 0, 0});
  v.dim = dim_of_atom(t, v.atom);
  arrput(t->vars, v);
  return v.dim;
}

int dim_as_var(const DimTab *t, Dim d) {
  if (!dim_ok(t, d)) return -1;
  DimPoly p = t->polys[d];
  if (p.n != 1 || p.terms[0].c != 1 || t->monos[p.terms[0].mono].n != 1) return -1;
  const DimAtom *a = &t->atoms[t->monos[p.terms[0].mono].atoms[0]];
  return a->kind == ATOM_VAR ? a->var : -1;
}

Dim dim_of_var(const DimTab *t, int var) { return t->vars[var].dim; }
const char *dim_var_name(const DimTab *t, int var) { return t->vars[var].name; }
int64_t dim_var_bound(const DimTab *t, int var) { return t->vars[var].bound; }
void dim_set_bound(DimTab *t, int var, int64_t bound) { t->vars[var].bound = bound < 0 ? -1 : bound; }

bool dim_is_int(const DimTab *t, Dim d, int64_t *v) {
  if (!dim_ok(t, d)) return false;
  DimPoly p = t->polys[d];
  if (p.n > 1 || (p.n == 1 && p.terms[0].mono != 0)) return false;
  if (v) *v = p.n ? p.terms[0].c : 0;
  return true;
}

bool dim_is(const DimTab *t, Dim d, int64_t v) {
  int64_t have;
  return dim_is_int(t, d, &have) && have == v;
}

/* ---- sums and products ---- */

/* A polynomial under construction. */
enum { SUM_ROOM = 16 };
typedef struct Sum {
  DimTerm *terms; /* in order: `room`, or malloced */
  int n, cap;
  bool overflow;
  DimTerm room[SUM_ROOM];
} Sum;

static void sum_begin(Sum *s) {
  s->terms = s->room;
  s->n = 0;
  s->cap = SUM_ROOM;
  s->overflow = false;
}

static void sum_grow(Sum *s) {
  DimTerm *more = zeroed((size_t)s->cap * 2, sizeof *more);
  memcpy(more, s->terms, sizeof *more * (size_t)s->n);
  if (s->terms != s->room) free(s->terms);
  s->terms = more;
  s->cap *= 2;
}

static void sum_add(DimTab *t, Sum *s, int64_t c, uint32_t mono) {
  if (c == 0) return;
  int lo = 0, hi = s->n;
  while (lo < hi) {
    int mid = (lo + hi) / 2;
    int cmp = cmp_mono(t, s->terms[mid].mono, mono);
    if (cmp == 0) {
      if (__builtin_add_overflow(s->terms[mid].c, c, &s->terms[mid].c)) s->overflow = true;
      if (s->terms[mid].c) return;
      memmove(s->terms + mid, s->terms + mid + 1, sizeof *s->terms * (size_t)(--s->n - mid));
      return;
    }
    if (cmp < 0) lo = mid + 1;
    else hi = mid;
  }
  if (s->n == s->cap) sum_grow(s);
  memmove(s->terms + lo + 1, s->terms + lo, sizeof *s->terms * (size_t)(s->n++ - lo));
  s->terms[lo] = (DimTerm){c, mono};
}

static int64_t term_of(const Sum *s, uint32_t mono) {
  for (int i = 0; i < s->n; i++) {
    if (s->terms[i].mono == mono) return s->terms[i].c;
  }
  return 0;
}

/* k*c*(x // c) + k*(x % c) is k*x, for constant c. Returns true when it rewrote something. */
static bool join_mod(DimTab *t, Sum *s) {
  for (int i = 0; i < s->n; i++) {
    DimMono m = t->monos[s->terms[i].mono];
    if (m.n != 1) continue;
    DimAtom a = t->atoms[m.atoms[0]];
    int64_t c, k = s->terms[i].c, kc;
    if (a.kind != ATOM_MOD || !dim_is_int(t, a.b, &c) || __builtin_mul_overflow(k, c, &kc)) continue;
    DimAtom div = {ATOM_DIV, 0, a.a, a.b};
    uint32_t other = dim_atom_mono(t, div);
    if (term_of(s, other) != kc) continue;
    sum_add(t, s, -kc, other);
    sum_add(t, s, -k, s->terms[i].mono);
    DimPoly x = t->polys[a.a];
    for (int j = 0; j < x.n; j++) {
      int64_t v;
      if (__builtin_mul_overflow(k, x.terms[j].c, &v)) s->overflow = true;
      else sum_add(t, s, v, x.terms[j].mono);
    }
    return true;
  }
  return false;
}

static Dim sum_done(DimTab *t, Sum *s) {
  while (!s->overflow && join_mod(t, s)) {
  }
  Dim d = DIM_OVERFLOW;
  bool ok = !s->overflow && s->n <= DIM_MAX_TERMS;
  for (int i = 0; ok && i < s->n; i++) {
    if (s->terms[i].c > DIM_MAX_COEF || s->terms[i].c < -DIM_MAX_COEF) ok = false;
  }
  if (ok) d = intern_poly(t, s->terms, s->n);
  if (s->terms != s->room) free(s->terms);
  return d;
}

/* a + k*b */
static Dim add_scaled(DimTab *t, Dim a, Dim b, int64_t k) {
  int64_t x, y, sum;
  if (!dim_ok(t, a) || !dim_ok(t, b)) return DIM_OVERFLOW;
  if (dim_is_int(t, a, &x) && dim_is_int(t, b, &y) && !__builtin_mul_overflow(y, k, &sum) &&
      !__builtin_add_overflow(x, sum, &sum))
    return dim_int(t, sum);
  Sum s;
  sum_begin(&s);
  for (int i = 0; i < t->polys[a].n; i++) sum_add(t, &s, t->polys[a].terms[i].c, t->polys[a].terms[i].mono);
  for (int i = 0; i < t->polys[b].n; i++) {
    int64_t v;
    if (__builtin_mul_overflow(t->polys[b].terms[i].c, k, &v)) s.overflow = true;
    else sum_add(t, &s, v, t->polys[b].terms[i].mono);
  }
  return sum_done(t, &s);
}

Dim dim_add(DimTab *t, Dim a, Dim b) { return add_scaled(t, a, b, 1); }
Dim dim_sub(DimTab *t, Dim a, Dim b) { return add_scaled(t, a, b, -1); }
Dim dim_neg(DimTab *t, Dim a) { return add_scaled(t, dim_int(t, 0), a, -1); }

static uint32_t mono_mul(DimTab *t, uint32_t a, uint32_t b) {
  DimMono x = t->monos[a], y = t->monos[b];
  if (!x.n) return b;
  if (!y.n) return a;
  uint32_t *out = arena_array(t->arena, uint32_t, x.n + y.n);
  int i = 0, j = 0, n = 0;
  while (i < x.n || j < y.n) {
    if (j >= y.n || (i < x.n && cmp_atom(t, x.atoms[i], y.atoms[j]) <= 0)) out[n++] = x.atoms[i++];
    else out[n++] = y.atoms[j++];
  }
  return intern_mono(t, out, n);
}

Dim dim_mul(DimTab *t, Dim a, Dim b) {
  int64_t p, q, product;
  if (!dim_ok(t, a) || !dim_ok(t, b)) return DIM_OVERFLOW;
  bool number = dim_is_int(t, a, &p);
  if (number && p == 1) return b;
  if (dim_is_int(t, b, &q)) {
    if (q == 1) return a;
    if (number && !__builtin_mul_overflow(p, q, &product)) return dim_int(t, product);
  }
  if ((int64_t)t->polys[a].n * t->polys[b].n > DIM_MAX_TERMS) return DIM_OVERFLOW;
  Sum s;
  sum_begin(&s);
  for (int i = 0; i < t->polys[a].n; i++) {
    for (int j = 0; j < t->polys[b].n; j++) {
      DimTerm x = t->polys[a].terms[i], y = t->polys[b].terms[j];
      int64_t c;
      if (t->monos[x.mono].n + t->monos[y.mono].n > 64) s.overflow = true;
      else if (__builtin_mul_overflow(x.c, y.c, &c)) s.overflow = true;
      else sum_add(t, &s, c, mono_mul(t, x.mono, y.mono));
    }
  }
  return sum_done(t, &s);
}

bool dim_product_fits(const DimTab *t, const Dim *d, int n) {
  double most = 1;
  int64_t terms = 1, degree = 0;
  for (int i = 0; i < n; i++) {
    if (!dim_ok(t, d[i])) return false;
    DimPoly p = t->polys[d[i]];
    if (p.n == 1 && p.terms[0].mono == 0 && p.terms[0].c >= 0 && p.terms[0].c < (1 << 20) &&
        most < 0x1p40) { /* a number, mostly */
      most *= (double)p.terms[0].c;
      continue;
    }
    double sum = 0;
    for (int k = 0; k < p.n; k++) {
      DimMono m = t->monos[p.terms[k].mono];
      for (int j = 0; j < m.n; j++)
        if (t->atoms[m.atoms[j]].kind != ATOM_VAR) return false;
      sum += (double)(p.terms[k].c < 0 ? -p.terms[k].c : p.terms[k].c);
    }
    if (p.n) degree += t->monos[p.terms[0].mono].n;
    terms *= p.n ? p.n : 1;
    most *= sum;
    if (most >= 0x1p61 || terms > DIM_MAX_TERMS || degree > 64) return false;
  }
  return true;
}

/* ---- queries and rebuilding ---- */

bool dim_uses(const DimTab *t, Dim d, int var) {
  if (!dim_ok(t, d)) return false;
  DimPoly p = t->polys[d];
  for (int i = 0; i < p.n; i++) {
    DimMono m = t->monos[p.terms[i].mono];
    for (int j = 0; j < m.n; j++) {
      const DimAtom *a = &t->atoms[m.atoms[j]];
      if (a->kind == ATOM_VAR ? a->var == var : dim_uses(t, a->a, var) || dim_uses(t, a->b, var)) return true;
    }
  }
  return false;
}

static void gather_vars(const DimTab *t, Dim d, int **vars) {
  if (!dim_ok(t, d)) return;
  DimPoly p = t->polys[d];
  for (int i = 0; i < p.n; i++) {
    DimMono m = t->monos[p.terms[i].mono];
    for (int j = 0; j < m.n; j++) {
      const DimAtom *a = &t->atoms[m.atoms[j]];
      if (a->kind != ATOM_VAR) {
        gather_vars(t, a->a, vars), gather_vars(t, a->b, vars);
        continue;
      }
      ptrdiff_t k = 0, n = arrlen(*vars);
      while (k < n && (*vars)[k] != a->var) k++;
      if (k == n) arrput(*vars, a->var);
    }
  }
}

static int ascending(const void *x, const void *y) {
  int a = *(const int *)x, b = *(const int *)y;
  return (a > b) - (a < b);
}

void dim_vars(const DimTab *t, Dim d, int **vars) {
  ptrdiff_t before = arrlen(*vars);
  gather_vars(t, d, vars);
  if (arrlen(*vars) > before + 1) qsort(*vars + before, (size_t)(arrlen(*vars) - before), sizeof **vars, ascending);
}

Dim dim_subst(DimTab *t, Dim d, const Dim *by, int n) {
  if (!dim_ok(t, d)) return d;
  Dim sum = dim_int(t, 0);
  for (int i = 0; i < t->polys[d].n; i++) {
    DimTerm term = t->polys[d].terms[i];
    Dim prod = dim_int(t, term.c);
    for (int j = 0; j < t->monos[term.mono].n; j++) {
      DimAtom a = t->atoms[t->monos[term.mono].atoms[j]];
      Dim f;
      if (a.kind == ATOM_VAR) {
        f = a.var < n && by[a.var] != DIM_NONE ? by[a.var] : t->vars[a.var].dim;
      } else {
        Dim x = dim_subst(t, a.a, by, n), y = dim_subst(t, a.b, by, n);
        f = a.kind == ATOM_DIV ? dim_floordiv(t, x, y) : dim_mod(t, x, y);
      }
      prod = dim_mul(t, prod, f);
    }
    sum = dim_add(t, sum, prod);
  }
  return sum;
}

bool dim_split_linear(DimTab *t, Dim d, int var, Dim *q, Dim *r) {
  if (!dim_ok(t, d)) return false;
  Dim qs = dim_int(t, 0), rs = qs;
  for (int i = 0; i < t->polys[d].n; i++) {
    DimTerm term = t->polys[d].terms[i];
    DimMono m = t->monos[term.mono];
    uint32_t rest[64];
    int n = 0, times = 0;
    for (int j = 0; j < m.n; j++) {
      const DimAtom *a = &t->atoms[m.atoms[j]];
      if (a->kind == ATOM_VAR && a->var == var) {
        times++;
        continue;
      }
      if (a->kind != ATOM_VAR && (dim_uses(t, a->a, var) || dim_uses(t, a->b, var))) return false;
      rest[n++] = m.atoms[j];
    }
    if (times > 1) return false;
    Dim part = dim_term(t, term.c, intern_mono(t, rest, n));
    if (times) qs = dim_add(t, qs, part);
    else rs = dim_add(t, rs, part);
  }
  *q = qs;
  *r = rs;
  return true;
}

bool dim_linear(const DimTab *t, Dim d, int *var, int64_t *mul, int64_t *add) {
  if (!dim_ok(t, d)) return false;
  DimPoly p = t->polys[d];
  *var = -1;
  *mul = *add = 0;
  for (int i = 0; i < p.n; i++) {
    DimMono m = t->monos[p.terms[i].mono];
    if (m.n == 0) {
      *add = p.terms[i].c;
      continue;
    }
    if (m.n > 1 || *var >= 0 || t->atoms[m.atoms[0]].kind != ATOM_VAR) return false;
    *var = t->atoms[m.atoms[0]].var;
    *mul = p.terms[i].c;
  }
  return true;
}

int64_t dim_eval(const DimTab *t, Dim d, const int64_t *values) {
  if (!dim_ok(t, d)) return 0;
  DimPoly p = t->polys[d];
  int64_t sum = 0;
  for (int i = 0; i < p.n; i++) {
    int64_t prod = p.terms[i].c;
    DimMono m = t->monos[p.terms[i].mono];
    for (int j = 0; j < m.n; j++) {
      const DimAtom *a = &t->atoms[m.atoms[j]];
      if (a->kind == ATOM_VAR) {
        prod *= values[a->var];
        continue;
      }
      int64_t x = dim_eval(t, a->a, values), y = dim_eval(t, a->b, values);
      int64_t q = dim_int_floordiv(x, y);
      prod *= a->kind == ATOM_DIV ? q : x - y * q;
    }
    sum += prod;
  }
  return sum;
}
