/* Draws, types, names, leaves. */
#include "tests/generate/gen.h"
#include "runtime/core/random.h"
#include <stdarg.h>
#include <string.h>

int gen_pick(Gen *g, int n) { return (int)(dnn_mix64(g->seed, g->count++) % (uint64_t)n); }
bool gen_chance(Gen *g, int one_in) { return gen_pick(g, one_in) == 0; }
bool gen_may(Gen *g, Feature f) { return g->features >> f & 1; }

const char *gen_text(Gen *g, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  const char *s = arena_vprintf(g->a, fmt, ap);
  va_end(ap);
  return s;
}

void gen_line(Gen *g, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  buf_fill(&g->body, ' ', 2 * g->indent);
  buf_str(&g->body, arena_vprintf(g->a, fmt, ap));
  buf_char(&g->body, '\n');
  va_end(ap);
}

const char *gen_name(Gen *g, const char *stem) { return gen_text(g, "%s%d", stem, g->names++); }

void gen_var(Gen *g, const char *name, Shape t) {
  if (g->n_vars == GEN_VARS) memmove(g->vars + 8, g->vars + 9, sizeof *g->vars * (size_t)(--g->n_vars - 8));
  g->vars[g->n_vars++] = (GenVar){name, t};
}

/* ---- types ---- */

Size gen_const(int n) { return (Size){0, n}; }
bool gen_same(Size a, Size b) { return a.many == b.many && a.plus == b.plus; }

bool gen_fits(Shape a, Shape b) {
  for (int i = 0; i < a.rank && a.rank == b.rank; i++)
    if (!gen_same(a.size[i], b.size[i])) return false;
  return a.rank == b.rank;
}

static int64_t most(Size s) { return (int64_t)s.many * GEN_BOUND + s.plus; }

int64_t gen_elements(Shape t) {
  int64_t n = 1;
  for (int i = 0; i < t.rank; i++) n *= most(t.size[i]);
  return n;
}

DType gen_float(Gen *g) {
  if (gen_may(g, MAY_DOUBLE) && gen_chance(g, 6)) return F64;
  if (gen_may(g, MAY_SMALL_FLOATS) && gen_chance(g, 5)) return gen_chance(g, 2) ? F16 : BF16;
  return F32;
}

DType gen_dtype(Gen *g) {
  static const DType whole[] = {I32, I32, I32, I64, I8, U8};
  if (gen_may(g, MAY_INTS) && gen_chance(g, 4)) return gen_chance(g, 3) ? BOOL : whole[gen_pick(g, 6)];
  return gen_float(g);
}

/* Sizes around what vectors and tiles hold. */
Size gen_size(Gen *g, int budget) {
  static const int sizes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 48, 64, 65, 100, 129};
  int n = 1;
  while (n < (int)(sizeof sizes / sizeof *sizes) && sizes[n] <= budget) n++;
  if (n > 8 && gen_chance(g, g->most > GEN_FEW ? 5 : 2)) n = 8;
  return gen_const(sizes[gen_pick(g, n)]);
}

Shape gen_shape(Gen *g, DType t, int rank, int budget) {
  Shape s = {.dtype = t, .rank = rank};
  int sized = g->sized && rank && gen_chance(g, 3) ? gen_pick(g, rank) : -1;
  if (sized >= 0) budget /= GEN_BOUND;
  for (int i = 0; i < rank; i++) {
    s.size[i] = i == sized ? (Size){1, 0} : gen_size(g, budget < 2 ? 2 : budget);
    if (i != sized) budget /= s.size[i].plus;
  }
  return s;
}

Shape gen_some(Gen *g, bool only_floats, int ranks, int budget) {
  DType t = only_floats ? gen_float(g) : gen_dtype(g);
  int rank = gen_pick(g, ranks);
  return gen_shape(g, t, rank, budget);
}

Shape gen_scalar(DType t) { return (Shape){.dtype = t}; }

Shape gen_of(Shape t, DType d) {
  t.dtype = d;
  return t;
}

Shape gen_with(Shape t, int k, Size s) {
  for (int i = t.rank; i > k; i--) t.size[i] = t.size[i - 1];
  t.size[k] = s;
  t.rank++;
  return t;
}

Shape gen_without(Shape t, int k) {
  t.rank--;
  for (int i = k; i < t.rank; i++) t.size[i] = t.size[i + 1];
  return t;
}

const char *gen_size_text(Gen *g, Size s) {
  if (!s.many) return gen_text(g, "%d", s.plus);
  const char *b = s.many == 1 ? "B" : gen_text(g, "%d*B", s.many);
  return s.plus ? gen_text(g, "%s + %d", b, s.plus) : b;
}

const char *gen_list(Gen *g, Shape t) {
  const char *s = "[";
  for (int i = 0; i < t.rank; i++) s = gen_text(g, "%s%s%s", s, i ? ", " : "", gen_size_text(g, t.size[i]));
  return gen_text(g, "%s]", s);
}

const char *gen_type(Gen *g, Shape t) { return gen_text(g, "%s%s", dtype_name(t.dtype), gen_list(g, t)); }

/* ---- leaves ---- */

/* A static number in the range of the dtype. */
static const char *number(Gen *g, DType t) {
  static const char *const floats[] = {"0.5", "-1.25", "2.0", "0.1", "-0.75", "1.0", "0.0", "3.5"};
  if (t == BOOL) return gen_chance(g, 2) ? "true" : "false";
  if (!dtype_is_float(t)) return gen_text(g, "%d", gen_pick(g, 9) - (t == U8 ? 0 : 3));
  return floats[gen_pick(g, 8)];
}

static const char *constant(Gen *g, Shape t) {
  if (t.dtype == BOOL) {
    int a = gen_pick(g, 3), b = gen_pick(g, 3);
    return gen_text(g, "(full(%s, %d) > %d)", gen_list(g, t), a, b);
  }
  if (t.rank == 1 && !t.size[0].many && t.size[0].plus <= 9 && gen_chance(g, 2)) {
    const char *s = gen_text(g, "%s([", dtype_name(t.dtype));
    for (int i = 0; i < t.size[0].plus; i++) s = gen_text(g, "%s%s%s", s, i ? ", " : "", number(g, t.dtype));
    return gen_text(g, "%s])", s);
  }
  const char *s = gen_text(g, "full(%s, %s)", gen_list(g, t), number(g, t.dtype));
  return t.dtype == F32 || t.dtype == I32 ? s : gen_text(g, "%s(%s)", dtype_name(t.dtype), s);
}

/* One dtype becomes another; floats are brought into the range of the integers first. */
static const char *cast(Gen *g, const char *x, DType from, DType to) {
  if (from == to) return x;
  if (to == BOOL) return gen_text(g, "(%s > %s)", x, from == BOOL ? "false" : number(g, from));
  if (dtype_is_float(from) && !dtype_is_float(to)) x = gen_text(g, "clamp(%s, %d, 9)", x, to == U8 ? 0 : -9);
  if (to == U8 && from != BOOL && !dtype_is_float(from)) x = gen_text(g, "abs(%s)", x);
  return gen_text(g, "%s(%s)", dtype_name(to), x);
}

/* Axis k of x, of size `from`, becomes one of size `to`. */
static const char *resize_axis(Gen *g, const char *x, int k, Size from, Size to) {
  const char *colons = "";
  for (int i = 0; i < k; i++) colons = gen_text(g, "%s:, ", colons);
  bool known = !from.many && !to.many;
  if (known && from.plus > to.plus) {
    int step = gen_chance(g, 3) && (from.plus - 1) / 2 + 1 >= to.plus ? 2 : 1;
    int span = (to.plus - 1) * step + 1, at = gen_pick(g, from.plus - span + 1);
    if (gen_chance(g, 4)) {
      if (at) return gen_text(g, "%s[%s%d:%d:-%d]", x, colons, at + span - 1, at - 1, step);
      return gen_text(g, "%s[%s%d::-%d]", x, colons, span - 1, step);
    }
    if (step > 1) return gen_text(g, "%s[%s%d:%d:%d]", x, colons, at, at + span, step);
    return gen_text(g, "%s[%s%d:%d]", x, colons, at, at + span);
  }
  return gen_text(g, "%s[%sarange(%s) %% %s]", x, colons, gen_size_text(g, to),
                  from.many ? gen_text(g, "(%s)", gen_size_text(g, from)) : gen_size_text(g, from));
}

static const char *fold_axis(Gen *g, const char *x, Shape from, int k) {
  static const char *const folds[] = {"mean", "sum", "max", "min"};
  if (dtype_is_float(from.dtype)) return gen_text(g, "%s(%s, axis = %d)", folds[gen_pick(g, 4)], x, k);
  return gen_text(g, from.dtype == BOOL ? "any(%s, axis = %d)" : "max(%s, axis = %d)", x, k);
}

const char *gen_adapt(Gen *g, const char *x, Shape from, Shape to) {
  while (from.rank > to.rank) {
    int k = gen_pick(g, from.rank);
    x = fold_axis(g, x, from, k);
    from = gen_without(from, k);
  }
  int lead = to.rank - from.rank;
  for (int k = 0; k < from.rank; k++) {
    if (gen_same(from.size[k], to.size[lead + k])) continue;
    x = resize_axis(g, x, k, from.size[k], to.size[lead + k]);
  }
  x = cast(g, x, from.dtype, to.dtype);
  return lead ? gen_text(g, "broadcast(%s, %s)", x, gen_list(g, to)) : x;
}

const char *gen_leaf(Gen *g, Shape t) {
  int found = -1, n = 0;
  for (int i = 0; i < g->n_vars; i++)
    if (g->vars[i].type.dtype == t.dtype && gen_fits(g->vars[i].type, t) && gen_pick(g, ++n) == 0) found = i;
  if (found >= 0 && !gen_chance(g, 6)) return g->vars[found].name;
  if (g->n_vars && !gen_chance(g, 8)) {
    int last = gen_chance(g, 3) ? g->n_vars - 1 : gen_pick(g, g->n_vars);
    const GenVar *v = &g->vars[g->smooth && gen_chance(g, 2) ? 0 : last]; /* what the derivative is taken by */
    return gen_adapt(g, v->name, v->type, t);
  }
  if (gen_chance(g, 3) && t.rank == 1 && t.dtype != BOOL && t.dtype != U8 && t.dtype != I8)
    return cast(g, gen_text(g, "arange(%s)", gen_size_text(g, t.size[0])), I32, t.dtype);
  return constant(g, t);
}
