/* Building loop IR: expressions are shared (equal ones are one pointer) and simplified as they are made. */
#include "base/ds.h"
#include "codegen/loop_internal.h"
#include "runtime/core/kernel.h"
#include "runtime/core/number.h"
#include <string.h>

const char *const x_names[X_KINDS] = {
    [X_INT] = "int",       [X_NUM] = "num",         [X_DIM] = "dim",     [X_VAR] = "var",
    [X_ADD] = "+",         [X_SUB] = "-",           [X_MUL] = "*",       [X_DIV] = "/",
    [X_MOD] = "%",         [X_MIN] = "min",         [X_MAX] = "max",     [X_LT] = "<",
    [X_GE] = ">=",         [X_EQ] = "==",           [X_AND] = "&",       [X_OP] = "op",
    [X_SELECT] = "select", [X_LOAD] = "load",       [X_SPLAT] = "splat", [X_FMA] = "fma",
    [X_WEAVE] = "weave",   [X_UNIFORM] = "uniform", [X_CHECK] = "check"};

LB *lb_new(Arena *a, DimTab *dims, const Target *target) {
  LB *b = arena_one(a, LB);
  b->arena = a;
  b->dims = dims;
  b->target = target;
  b->k = arena_one(a, Kernel);
  b->k->arena = a;
  b->k->target = target;
  Open top = {.body = &b->k->body};
  arrput(b->open, top);
  return b;
}
DimTab *lb_dims(const LB *b) { return b->dims; }
Loc lb_place(LB *b, Loc at) {
  Loc was = b->at;
  if (at.file) b->at = at;
  return was;
}
int lb_level(const LB *b) { return (int)arrlen(b->open) - 1; }

/* ---- the expressions of a kernel, by contents: open addressing, the arena's memory ---- */

static uint64_t mix(uint64_t h, uint64_t v) { return (h ^ v) * UINT64_C(0x9e3779b97f4a7c15); }
static uint64_t number_bits(double v) {
  uint64_t u;
  memcpy(&u, &v, sizeof u);
  return u;
}
static uint32_t hash_of(const LExpr *x) {
  uint64_t h = mix((uint64_t)x->kind << 32 | (uint64_t)x->op, (uint64_t)x->dtype << 32 | (uint64_t)x->lanes);
  for (int k = 0; k < 4 && x->in[k]; k++) h = mix(h ^ h >> 32, (uint64_t)x->in[k]->id);
  h = mix(h ^ h >> 32, (uint64_t)x->i);
  h = mix(h ^ h >> 32, number_bits(x->num) ^ (uint64_t)x->dim);
  h = mix(h ^ h >> 32, (uint64_t)(uintptr_t)x->var ^ (uint64_t)(uintptr_t)x->arr << 7);
  return (uint32_t)(h >> 32);
}
static bool is_same(const LExpr *x, const LExpr *y) {
  return x->kind == y->kind && x->op == y->op && x->dtype == y->dtype && x->lanes == y->lanes && x->dim == y->dim &&
         x->i == y->i && x->var == y->var && x->arr == y->arr && number_bits(x->num) == number_bits(y->num) &&
         !memcmp(x->in, y->in, sizeof x->in);
}

/* The place of an expression equal to `x`, or the free one where it belongs. */
static LExpr **place_in(LExpr **table, uint32_t mask, const LExpr *x) {
  for (uint32_t at = hash_of(x) & mask;; at = (at + 1) & mask)
    if (!table[at] || is_same(table[at], x)) return &table[at];
}
static void grow(LB *b) {
  uint32_t size = b->table_size ? 2 * b->table_size : 256;
  LExpr **table = arena_array(b->arena, LExpr *, size);
  for (uint32_t i = 0; i < b->table_size; i++)
    if (b->table[i]) *place_in(table, size - 1, b->table[i]) = b->table[i];
  b->table = table;
  b->table_size = size;
}

/* The one node equal to `x`; `unique`: never shared, because the same text may mean another value later. */
static LExpr *make(LB *b, LExpr x, bool unique) {
  LExpr **place = NULL;
  if (!x.lanes) x.lanes = 1;
  if (!unique) {
    if (2 * b->table_used >= b->table_size) grow(b);
    place = place_in(b->table, b->table_size - 1, &x);
    if (*place) return *place;
  }
  LExpr *n = arena_one(b->arena, LExpr);
  *n = x;
  n->id = ++b->n_exprs;
  n->loc = x.loc.file ? x.loc : b->at;
  n->pure = true;
  n->heavy = x.kind == X_DIV || x.kind == X_MOD;
  n->level = x.var ? x.var->level : 0;
  for (int k = 0; k < 4; k++) {
    if (!x.in[k]) continue;
    n->n_in = k + 1;
    n->pure = n->pure && x.in[k]->pure;
    n->heavy = n->heavy || x.in[k]->heavy;
    if (x.in[k]->level > n->level) n->level = x.in[k]->level;
  }
  if (x.kind == X_LOAD || x.kind == X_CHECK) n->pure = false;
  if (x.kind == X_VAR && x.var->mutable) n->pure = false;
  if (place) *place = n, b->table_used++;
  return n;
}

LExpr *x_int(LB *b, int64_t v) {
  bool small = v >= 0 && v < (int64_t)(sizeof b->small / sizeof *b->small);
  if (small && b->small[v]) return b->small[v];
  LExpr *x = make(b, (LExpr){.kind = X_INT, .dtype = I64, .i = v}, false);
  if (small) b->small[v] = x;
  return x;
}
LExpr *x_num(LB *b, double v, DType t) {
  if (t == F16) v = (double)dnn_round_f16((float)v);
  if (t == BF16) v = (double)dnn_round_bf16((float)v);
  return make(b, (LExpr){.kind = X_NUM, .dtype = t, .num = v}, v != v);
}
LExpr *x_dim(LB *b, Dim d) {
  int64_t v;
  if (dim_is_int(b->dims, d, &v)) return x_int(b, v);
  return make(b, (LExpr){.kind = X_DIM, .dtype = I64, .dim = d}, false);
}
LExpr *x_param(LB *b, KSize s) {
  for (int i = 0; i < arrlen(b->fixed); i++)
    if (b->fixed[i].size.kind == s.kind && b->fixed[i].size.value == s.value && b->fixed[i].size.dim == s.dim)
      return x_var(b, b->fixed[i].var);
  LVar *v = arena_one(b->arena, LVar);
  static const char *const names[] = {
      [KARG_SIZE] = "n", [KARG_CLOCK] = "clock", [KARG_INT] = "site", [KARG_LOOP] = "at"};
  *v = (LVar){.name = names[s.kind], .dtype = I64, .lanes = 1};
  FixedSize f = {s, v};
  arrput(b->fixed, f);
  return x_var(b, v);
}
LExpr *x_var(LB *b, LVar *v) {
  return make(b, (LExpr){.kind = X_VAR, .dtype = v->dtype, .lanes = v->lanes, .var = v}, v->mutable);
}
LExpr *x_read(LB *b, LVar *v) { return x_var(b, v); }

bool x_is_int(const LExpr *x, int64_t *v) {
  if (x->kind != X_INT) return false;
  *v = x->i;
  return true;
}
static bool is_int(const LExpr *x, int64_t v) { return x->kind == X_INT && x->i == v; }

static LExpr *two(LB *b, XKind k, LExpr *x, LExpr *y) {
  DType t = k >= X_LT && k <= X_AND ? BOOL : I64;
  return make(b, (LExpr){.kind = k, .dtype = t, .in = {x, y}}, false);
}
/* X_DIM or X_INT as a Dim, else DIM_NONE. */
static Dim as_dim(LB *b, const LExpr *x) {
  return x->kind == X_DIM ? x->dim : x->kind == X_INT ? dim_int(b->dims, x->i) : DIM_NONE;
}
static bool both_dims(LB *b, const LExpr *x, const LExpr *y, Dim *dx, Dim *dy) {
  *dx = as_dim(b, x);
  *dy = as_dim(b, y);
  return *dx && *dy;
}

/* v + (u + c) = (v + c) + u where u varies in a further loop: what moves with it stands alone, which is how compilers
 * see that neighbours lie side by side (clang 19 gathers them where it meets two sums of disjoint bits). NULL where
 * there is no such constant. */
static LExpr *add_constant_outside(LB *b, LExpr *v, LExpr *y) {
  bool plus = y->kind == X_ADD, any = (plus || y->kind == X_SUB) && y->in[1]->kind == X_INT;
  if (!any || v->kind == X_INT || y->in[0]->level <= v->level) return NULL;
  LExpr *u = y->in[0], *sum = x_add(b, v, u);
  bool plain = sum->kind == X_ADD && sum->in[0] == v && sum->in[1] == u;
  if (!plain) return plus ? x_add(b, sum, y->in[1]) : x_sub(b, sum, y->in[1]);
  return two(b, X_ADD, plus ? x_add(b, v, y->in[1]) : x_sub(b, v, y->in[1]), u);
}
LExpr *x_add(LB *b, LExpr *x, LExpr *y) {
  Dim dx, dy;
  if (x->kind == X_INT && y->kind == X_INT) return x_int(b, x->i + y->i);
  if (is_int(x, 0)) return y;
  if (is_int(y, 0)) return x;
  if (both_dims(b, x, y, &dx, &dy)) return x_dim(b, dim_add(b->dims, dx, dy));
  if (x->kind == X_INT) return x_add(b, y, x);
  if (y->kind == X_INT && x->kind == X_ADD && x->in[1]->kind == X_INT)
    return x_add(b, x->in[0], x_int(b, x->in[1]->i + y->i));
  if (y->kind == X_INT && y->i < 0) return two(b, X_SUB, x, x_int(b, -y->i));
  if (y->kind == X_INT && x->kind == X_SUB && x->in[1]->kind == X_INT)
    return x_add(b, x->in[0], x_int(b, y->i - x->in[1]->i));
  /* (t / n) * n + t % n = t; also with a further term: (u + (t / n) * n) + t % n = u + t */
  if (y->kind == X_MOD) {
    LExpr *t = y->in[0], *n = y->in[1];
    if (x->kind == X_MUL && x->in[1] == n && x->in[0]->kind == X_DIV && x->in[0]->in[0] == t && x->in[0]->in[1] == n)
      return t;
    /* ((t / n) % m) * n + t % n = t % (m n) */
    if (x->kind == X_MUL && x->in[1] == n && x->in[0]->kind == X_MOD && x->in[0]->in[0]->kind == X_DIV &&
        x->in[0]->in[0]->in[0] == t && x->in[0]->in[0]->in[1] == n)
      return x_mod(b, t, x_mul(b, x->in[0]->in[1], n));
  }
  /* (u + t / n) * n + t % n = u * n + t */
  if (y->kind == X_MOD && x->kind == X_MUL && x->in[1] == y->in[1] && x->in[0]->kind == X_ADD) {
    LExpr *t = y->in[0], *n = y->in[1], *q = x->in[0]->in[1];
    if (q->kind == X_DIV && q->in[0] == t && q->in[1] == n) return x_add(b, x_mul(b, x->in[0]->in[0], n), t);
  }
  LExpr *apart = add_constant_outside(b, x, y);
  if (!apart) apart = add_constant_outside(b, y, x);
  return apart ? apart : two(b, X_ADD, x, y);
}
LExpr *x_sub(LB *b, LExpr *x, LExpr *y) {
  Dim dx, dy;
  if (x->kind == X_INT && y->kind == X_INT) return x_int(b, x->i - y->i);
  if (is_int(y, 0)) return x;
  if (x == y) return x_int(b, 0);
  if (both_dims(b, x, y, &dx, &dy)) return x_dim(b, dim_sub(b->dims, dx, dy));
  if (y->kind == X_INT && y->i < 0) return x_add(b, x, x_int(b, -y->i));
  if (y->kind == X_INT && x->kind == X_ADD && x->in[1]->kind == X_INT)
    return x_add(b, x->in[0], x_int(b, x->in[1]->i - y->i));
  if (y->kind == X_INT && x->kind == X_SUB && x->in[1]->kind == X_INT)
    return x_sub(b, x->in[0], x_int(b, x->in[1]->i + y->i));
  return two(b, X_SUB, x, y);
}
LExpr *x_mul(LB *b, LExpr *x, LExpr *y) {
  Dim dx, dy;
  if (x->kind == X_INT && y->kind == X_INT) return x_int(b, x->i * y->i);
  if (is_int(x, 0) || is_int(y, 0)) return x_int(b, 0);
  if (is_int(x, 1)) return y;
  if (is_int(y, 1)) return x;
  if (both_dims(b, x, y, &dx, &dy)) return x_dim(b, dim_mul(b->dims, dx, dy));
  if (x->kind == X_INT || x->kind == X_DIM) return x_mul(b, y, x);
  if (x->kind == X_MUL && both_dims(b, x->in[1], y, &dx, &dy)) return x_mul(b, x->in[0], x_mul(b, x->in[1], y));
  return two(b, X_MUL, x, y);
}

/* Is 0 <= x < n certain? Loop variables know their range. */
static bool below(LB *b, const LExpr *x, const LExpr *n) {
  Dim dn = as_dim(b, n), dx = as_dim(b, x);
  if (!dn) return false;
  if (dx)
    return dim_le(b->dims, dim_add(b->dims, dx, dim_int(b->dims, 1)), dn) == DIM_YES && dim_lower(b->dims, dx) >= 0;
  if (x->kind == X_MOD) {
    Dim m = as_dim(b, x->in[1]);
    return m && dim_le(b->dims, m, dn) == DIM_YES;
  }
  if (x->kind == X_VAR && !x->var->mutable) {
    ptrdiff_t at = hmgeti(b->range, x->var);
    return at >= 0 && dim_le(b->dims, b->range[at].value, dn) == DIM_YES;
  }
  return false;
}
/* The upper end (exclusive) of x as a Dim where it is known, else DIM_NONE. */
static Dim end_of(LB *b, const LExpr *x) {
  Dim d = as_dim(b, x);
  if (d) return dim_add(b->dims, d, dim_int(b->dims, 1));
  if (x->kind == X_VAR) {
    ptrdiff_t at = hmgeti(b->range, x->var);
    return at >= 0 ? b->range[at].value : DIM_NONE;
  }
  if (x->kind == X_MOD) return as_dim(b, x->in[1]);
  if (x->kind == X_DIV) { /* t / n with t < m n is below m */
    Dim t = end_of(b, x->in[0]), n = as_dim(b, x->in[1]), rem;
    if (!t || !n) return DIM_NONE;
    rem = dim_mod(b->dims, t, n);
    return dim_is(b->dims, rem, 0) ? dim_floordiv(b->dims, t, n) : DIM_NONE;
  }
  return DIM_NONE;
}

LExpr *x_div(LB *b, LExpr *x, LExpr *y) {
  Dim dx, dy;
  if (x->kind == X_INT && y->kind == X_INT && y->i > 0 && x->i >= 0) return x_int(b, x->i / y->i);
  if (is_int(y, 1)) return x;
  if (is_int(x, 0)) return x;
  if (both_dims(b, x, y, &dx, &dy) && !dim_is(b->dims, dy, 0)) return x_dim(b, dim_floordiv(b->dims, dx, dy));
  if (below(b, x, y)) return x_int(b, 0);
  Dim e = end_of(b, x), n = as_dim(b, y);
  if (e && n && dim_le(b->dims, e, n) == DIM_YES) return x_int(b, 0);
  if (x->kind == X_ADD && x->in[0]->kind == X_MUL && x->in[0]->in[1] == y && below(b, x->in[1], y))
    return x->in[0]->in[0];
  return two(b, X_DIV, x, y);
}
LExpr *x_mod(LB *b, LExpr *x, LExpr *y) {
  Dim dx, dy;
  if (x->kind == X_INT && y->kind == X_INT && y->i > 0 && x->i >= 0) return x_int(b, x->i % y->i);
  if (is_int(y, 1)) return x_int(b, 0);
  if (is_int(x, 0)) return x;
  if (both_dims(b, x, y, &dx, &dy) && !dim_is(b->dims, dy, 0)) return x_dim(b, dim_mod(b->dims, dx, dy));
  if (below(b, x, y)) return x;
  Dim e = end_of(b, x), n = as_dim(b, y);
  if (e && n && dim_le(b->dims, e, n) == DIM_YES) return x;
  if (x->kind == X_ADD && x->in[0]->kind == X_MUL && x->in[0]->in[1] == y && below(b, x->in[1], y)) return x->in[1];
  if (x->kind == X_MUL && x->in[1] == y) return x_int(b, 0);
  return two(b, X_MOD, x, y);
}
LExpr *x_min(LB *b, LExpr *x, LExpr *y) {
  Dim dx, dy;
  if (x == y) return x;
  if (x->kind == X_INT && y->kind == X_INT) return x_int(b, x->i < y->i ? x->i : y->i);
  if (both_dims(b, x, y, &dx, &dy)) {
    if (dim_le(b->dims, dx, dy) == DIM_YES) return x;
    if (dim_le(b->dims, dy, dx) == DIM_YES) return y;
  }
  return two(b, X_MIN, x, y);
}
LExpr *x_max(LB *b, LExpr *x, LExpr *y) {
  Dim dx, dy;
  if (x == y) return x;
  if (x->kind == X_INT && y->kind == X_INT) return x_int(b, x->i > y->i ? x->i : y->i);
  if (both_dims(b, x, y, &dx, &dy)) {
    if (dim_le(b->dims, dx, dy) == DIM_YES) return y;
    if (dim_le(b->dims, dy, dx) == DIM_YES) return x;
  }
  return two(b, X_MAX, x, y);
}

/* A known condition is the integer 0 or 1 in BOOL; x_and drops true ones by NULL, so conditions fold where they are
 * made. */
static LExpr *known(LB *b, bool v) { return x_num(b, v, BOOL); }
LExpr *x_lt(LB *b, LExpr *x, LExpr *y) {
  if (x->kind == X_INT && y->kind == X_INT) return known(b, x->i < y->i);
  Dim e = end_of(b, x), n = as_dim(b, y);
  if (e && n && dim_le(b->dims, e, n) == DIM_YES) return known(b, true);
  return two(b, X_LT, x, y);
}
LExpr *x_ge(LB *b, LExpr *x, LExpr *y) {
  if (x->kind == X_INT && y->kind == X_INT) return known(b, x->i >= y->i);
  if (is_int(y, 0) && x->kind != X_DIM && end_of(b, x)) return known(b, true); /* what has a known range starts at 0 */
  if (y->kind == X_INT && y->i == 0 && x->kind == X_DIM && dim_lower(b->dims, x->dim) >= 0) return known(b, true);
  return two(b, X_GE, x, y);
}
LExpr *x_eq(LB *b, LExpr *x, LExpr *y) {
  if (x == y) return known(b, true);
  if (x->kind == X_INT && y->kind == X_INT) return known(b, x->i == y->i);
  return two(b, X_EQ, x, y);
}
LExpr *x_and(LB *b, LExpr *x, LExpr *y) {
  if (x && x->kind == X_NUM && x->num != 0) x = NULL;
  if (y && y->kind == X_NUM && y->num != 0) y = NULL;
  if (!x) return y;
  if (!y || x == y) return x;
  if (x->kind == X_NUM) return x;
  if (y->kind == X_NUM) return y;
  return two(b, X_AND, x, y);
}

LExpr *x_op(LB *b, Op op, DType t, LExpr *x, LExpr *y, LExpr *z) {
  return make(b, (LExpr){.kind = X_OP, .op = op, .dtype = t, .lanes = x->lanes, .in = {x, y, z}}, false);
}
LExpr *x_cast(LB *b, LExpr *x, DType t) {
  if (x->dtype == t) return x;
  if (x->kind == X_INT) return x_num(b, t == BOOL ? x->i != 0 : (double)x->i, t);
  return x_op(b, OP_cast, t, x, NULL, NULL);
}
LExpr *x_select(LB *b, LExpr *c, LExpr *x, LExpr *y) {
  if (!c || x == y) return x;
  if (c->kind == X_NUM) return c->num != 0 ? x : y;
  return make(b, (LExpr){.kind = X_SELECT, .dtype = x->dtype, .lanes = x->lanes, .in = {c, x, y}}, false);
}
LExpr *x_load(LB *b, LArr *a, LExpr *index, LExpr *guard) {
  if (guard && guard->kind == X_NUM) {
    if (guard->num == 0) return x_num(b, 0, a->dtype);
    guard = NULL;
  }
  return make(b, (LExpr){.kind = X_LOAD, .dtype = a->dtype, .arr = a, .in = {index, guard}}, a->written);
}
LExpr *x_vload(LB *b, LArr *a, LExpr *index, int lanes) {
  return make(b, (LExpr){.kind = X_LOAD, .dtype = a->dtype, .lanes = lanes, .arr = a, .in = {index}}, a->written);
}
LExpr *x_splat(LB *b, LExpr *x, int lanes) {
  if (lanes == 1) return x;
  return make(b, (LExpr){.kind = X_SPLAT, .dtype = x->dtype, .lanes = lanes, .in = {x}}, false);
}
LExpr *x_fma(LB *b, LExpr *x, LExpr *y, LExpr *z) {
  return make(b, (LExpr){.kind = X_FMA, .dtype = z->dtype, .lanes = z->lanes, .in = {x, y, z}}, false);
}
LExpr *x_weave(LB *b, LExpr *x, LExpr *y, int64_t d) {
  return make(b, (LExpr){.kind = X_WEAVE, .dtype = x->dtype, .lanes = x->lanes, .in = {x, y}, .i = d}, false);
}
LExpr *x_uniform(LB *b, DType t, LExpr *key, LExpr *site, LExpr *index) {
  return make(b, (LExpr){.kind = X_UNIFORM, .dtype = t, .in = {key, site, index}}, false);
}
LExpr *x_check(LB *b, LExpr *index, LExpr *bound, LExpr *site, LExpr *guard) {
  if (guard && guard->kind == X_NUM && guard->num != 0) guard = NULL;
  return make(b, (LExpr){.kind = X_CHECK, .dtype = I64, .in = {index, bound, site, guard}}, false);
}

static int divisions(const LExpr *x, int level, struct XSeen **seen) {
  if (!x || !x->heavy || x->level < level || hmgeti(*seen, x) >= 0) return 0;
  hmput(*seen, x, 1);
  int n = x->kind == X_DIV || x->kind == X_MOD;
  for (int k = 0; k < x->n_in; k++) n += divisions(x->in[k], level, seen);
  return n;
}
int x_divisions(const LExpr *x, int level) {
  struct XSeen *seen = NULL;
  int n = divisions(x, level, &seen);
  hmfree(seen);
  return n;
}

static bool uses(const LExpr *x, LVar *const *vars, int n) {
  if (x->kind == X_VAR) {
    for (int i = 0; i < n; i++)
      if (x->var == vars[i]) return true;
    return false;
  }
  for (int k = 0; k < x->n_in; k++)
    if (x->in[k] && uses(x->in[k], vars, n)) return true;
  return false;
}
static bool uses_only(const LExpr *x, LVar *const *vars, int n) {
  if (x->kind == X_VAR) return uses(x, vars, n);
  for (int k = 0; k < x->n_in; k++)
    if (x->in[k] && !uses_only(x->in[k], vars, n)) return false;
  return true;
}
bool x_separate(LB *b, LExpr *x, LVar *const *vars, int n, LExpr **near, LExpr **far) {
  if (!x->pure) return false;
  if (!uses(x, vars, n)) {
    *near = x_int(b, 0);
    *far = x;
    return true;
  }
  LExpr *n0, *f0, *n1, *f1;
  if (x->kind == X_ADD || x->kind == X_SUB) {
    if (!x_separate(b, x->in[0], vars, n, &n0, &f0) || !x_separate(b, x->in[1], vars, n, &n1, &f1)) return false;
    LExpr *(*f)(LB *, LExpr *, LExpr *) = x->kind == X_ADD ? x_add : x_sub;
    *near = f(b, n0, n1);
    *far = f(b, f0, f1);
    return true;
  }
  if (x->kind == X_MUL && (x->in[1]->kind == X_INT || x->in[1]->kind == X_DIM)) {
    if (!x_separate(b, x->in[0], vars, n, &n0, &f0)) return false;
    *near = x_mul(b, n0, x->in[1]);
    *far = x_mul(b, f0, x->in[1]);
    return true;
  }
  /* another form: all of it must be near, so nothing else may vary in it */
  *near = x;
  *far = x_int(b, 0);
  return uses_only(x, vars, n);
}

LExpr *x_subst(LB *b, LExpr *x, LVar *const *vars, LExpr *const *by, int n) {
  if (x->kind == X_VAR) {
    for (int i = 0; i < n; i++)
      if (x->var == vars[i]) return by[i];
    return x;
  }
  if (!x->n_in || !uses(x, vars, n)) return x;
  LExpr *in[4] = {0};
  for (int k = 0; k < x->n_in; k++)
    if (x->in[k]) in[k] = x_subst(b, x->in[k], vars, by, n);
  switch (x->kind) {
  case X_ADD: return x_add(b, in[0], in[1]);
  case X_SUB: return x_sub(b, in[0], in[1]);
  case X_MUL: return x_mul(b, in[0], in[1]);
  case X_DIV: return x_div(b, in[0], in[1]);
  case X_MOD: return x_mod(b, in[0], in[1]);
  case X_LOAD: return x->lanes == 1 ? x_load(b, x->arr, in[0], in[1]) : x_vload(b, x->arr, in[0], x->lanes);
  default: {
    LExpr y = *x;
    memcpy(y.in, in, sizeof in);
    return make(b, y, false);
  }
  }
}
