/* Element-wise expressions, integers, bools, reductions, random numbers. */
#include "tests/generate/gen.h"

/* A number that is away from 0 and not large, for divisors, roots and logarithms. */
static const char *positive(Gen *g, Shape t, int depth) {
  return gen_text(g, "(abs(%s) + 0.5)", gen_expr(g, t, depth - 1));
}

static const char *one_operand(Gen *g, Shape t, int depth) {
  static const char *const tame[] = {"tanh",     "sigmoid",   "sin",        "cos",      "erf",           "abs",
                                     "relu",     "gelu",      "silu",       "softplus", "leaky_relu",    "elu",
                                     "exp(-abs", "log1p(abs", "expm1(tanh", "-",        "tan(0.5 * tanh"};
  static const char *const stairs[] = {"floor", "ceil", "round", "sign", "stop_gradient"};
  int k = gen_pick(g, 24);
  if (k < 17) {
    const char *x = gen_expr(g, t, depth - 1);
    bool open = k >= 12 && k != 15;
    if (k == 15) return gen_text(g, "(-%s)", x);
    return gen_text(g, "%s(%s)%s", tame[k], x, open ? ")" : "");
  }
  if (k < 19) {
    const char *stair = stairs[gen_pick(g, g->smooth ? 4 : 5)];
    return gen_text(g, "%s(%s)", stair, gen_expr(g, t, depth - 1));
  }
  if (k == 19) return gen_text(g, "sqrt(%s)", positive(g, t, depth));
  if (k == 20) return gen_text(g, "rsqrt(%s)", positive(g, t, depth));
  if (k == 21) return gen_text(g, "log(%s)", positive(g, t, depth));
  if (k == 22) return gen_text(g, "(%s ** 2)", gen_expr(g, t, depth - 1));
  return gen_text(g, "clamp(%s, -0.75, 1.5)", gen_expr(g, t, depth - 1));
}

static const char *scalar_operand(Gen *g, Shape t, int depth) {
  const char *x = gen_expr(g, t, depth - 1);
  switch (gen_pick(g, 9)) {
  case 0: return gen_text(g, "(%s * 0.75)", x);
  case 1: return gen_text(g, "(%s + 0.125)", x);
  case 2: return gen_text(g, "(1.5 - %s)", x);
  case 3: return gen_text(g, "(%s / 3)", x);
  case 4: return gen_text(g, "(%s %% 1.5)", x);
  case 5: return gen_text(g, "(%s // 0.75)", x);
  case 6: return gen_text(g, "maximum(%s, 0.25)", x);
  case 7: return gen_text(g, "minimum(%s, 0.5)", x);
  default: return gen_text(g, "(2 * %s)", x);
  }
}

/* An operand of lower rank, or with axes of size 1, which broadcasting stretches. */
static const char *stretched(Gen *g, Shape t, int depth) {
  Shape s = t;
  if (!t.rank) return gen_expr(g, t, depth - 1);
  if (gen_chance(g, 3)) return gen_expr(g, gen_scalar(t.dtype), depth - 1);
  if (gen_chance(g, 2)) {
    s.size[gen_pick(g, t.rank)] = gen_const(1);
    return gen_expr(g, s, depth - 1);
  }
  while (s.rank > 1 && gen_chance(g, 2)) s = gen_without(s, 0);
  return gen_expr(g, s, depth - 1);
}

static const char *two_operands(Gen *g, Shape t, int depth) {
  const char *x = gen_expr(g, t, depth - 1);
  bool wide = t.rank && gen_chance(g, 3);
  const char *y = wide ? stretched(g, t, depth) : gen_chance(g, 8) ? x : gen_expr(g, t, depth - 1);
  switch (gen_pick(g, 9)) {
  case 0:
  case 1: return gen_text(g, gen_chance(g, 2) ? "(%s + %s)" : "(%2$s + %1$s)", x, y);
  case 2: return gen_text(g, "(%s - %s)", x, y);
  case 3:
  case 4: return gen_text(g, "(%s * %s)", x, y);
  case 5: return gen_text(g, "(%s / (abs(%s) + 0.5))", x, y);
  case 6: return gen_text(g, "%s(%s, %s)", gen_chance(g, 2) ? "maximum" : "minimum", x, y);
  case 7:
    if (wide) return gen_text(g, "(%s - tanh(%s))", x, y);
    return gen_chance(g, 2) ? gen_text(g, "mix(%s, %s, 0.25)", x, y)
                            : gen_text(g, "((abs(%s) + 0.25) ** tanh(%s))", x, y);
  default: return gen_text(g, "where(%s, %s, %s)", gen_expr(g, gen_of(t, BOOL), depth - 1), x, y);
  }
}

static const char *converted(Gen *g, Shape t, int depth) {
  Shape s = gen_of(t, gen_dtype(g));
  const char *x = gen_expr(g, s, depth - 1);
  if (s.dtype == t.dtype) return x;
  return dtype_is_float(s.dtype) || s.dtype == BOOL ? gen_text(g, "%s(%s)", dtype_name(t.dtype), x)
                                                    : gen_text(g, "(0.125 * %s(%s))", dtype_name(t.dtype), x);
}

const char *gen_float_map(Gen *g, Shape t, int depth) {
  switch (gen_pick(g, 8)) {
  case 0:
  case 1: return one_operand(g, t, depth);
  case 2: return scalar_operand(g, t, depth);
  case 3: return gen_chance(g, 2) ? converted(g, t, depth) : one_operand(g, t, depth);
  default: return two_operands(g, t, depth);
  }
}

/* ---- reductions ---- */

const char *gen_reduce(Gen *g, Shape t, int depth) {
  static const char *const folds[] = {"sum", "mean", "max", "min", "logsumexp", "var", "norm", "prod"};
  if (t.rank + 1 > GEN_RANK) return NULL;
  int k = gen_pick(g, t.rank + 1), which = gen_pick(g, 8);
  int64_t room = g->most / (gen_elements(t) ? gen_elements(t) : 1);
  if (room < 2) return NULL;
  Size s =
      g->sized && room >= GEN_BOUND && gen_chance(g, 4) ? (Size){1, 0} : gen_size(g, (int)(room < 130 ? room : 130));
  Shape w = gen_with(t, k, s);
  const char *x = gen_expr(g, w, depth - 1);
  if (which == 7) x = gen_text(g, "(1 + 0.1 * tanh(%s))", x);
  if (which == 6) x = gen_text(g, "(%s + 0.25)", x);
  if (gen_chance(g, 6) && t.rank && t.size[k < t.rank ? k : t.rank - 1].plus == 1) {
    int j = k < t.rank ? k : t.rank - 1;
    if (!t.size[j].many) {
      w = t;
      w.size[j] = s;
      return gen_text(g, "%s(%s, axis = %d, keep = true)", folds[which % 6], gen_expr(g, w, depth - 1), j);
    }
  }
  if (t.rank == 0 && gen_chance(g, 2)) return gen_text(g, "%s(%s)", folds[which], x);
  if (t.rank >= 1 && w.rank < GEN_RANK && room >= 8 && gen_chance(g, 3)) { /* two axes at once */
    int j = gen_pick(g, w.rank + 1);
    Shape v = gen_with(w, j, gen_const(2 + gen_pick(g, 2)));
    int other = j <= k ? k + 1 : k;
    return gen_text(g, "%s(%s, axis = [%d, %d])", folds[which % 6], gen_expr(g, v, depth - 1), j, other);
  }
  return gen_text(g, "%s(%s, axis = %d)", folds[which], x, gen_chance(g, 2) ? k : k - w.rank);
}

/* ---- integers and bools ---- */

static const char *counted(Gen *g, Shape t, int depth) {
  if (t.dtype != I32 || t.rank + 1 > GEN_RANK || gen_elements(t) > g->most / 8) return NULL;
  int k = gen_pick(g, t.rank + 1);
  Shape w = gen_with(t, k, gen_size(g, 8));
  if (gen_chance(g, 3)) return gen_text(g, "sum(%s, axis = %d)", gen_expr(g, gen_of(w, BOOL), depth - 1), k);
  const char *fold = gen_chance(g, 2) ? "argmax" : "argmin";
  w = gen_of(w, gen_float(g));
  return gen_text(g, "%s(%s, axis = %d)", fold, gen_expr(g, w, depth - 1), k);
}

const char *gen_whole(Gen *g, Shape t, int depth) {
  const char *x = gen_expr(g, t, depth - 1), *made;
  switch (gen_pick(g, 11)) {
  case 0: return gen_text(g, "(%s + %s)", x, gen_expr(g, t, depth - 1));
  case 1: return t.dtype == U8 ? gen_text(g, "(%s // 2)", x) : gen_text(g, "(%s - %s)", x, gen_expr(g, t, depth - 1));
  case 2: return gen_text(g, "(%s * %d)", x, 1 + gen_pick(g, 3));
  case 3: return gen_text(g, "(%s %% %d)", x, 2 + gen_pick(g, 6));
  case 4: return gen_text(g, "(%s // %d)", x, 2 + gen_pick(g, 3));
  case 5: return gen_text(g, "maximum(%s, %s)", x, gen_expr(g, t, depth - 1));
  case 6:
    made = gen_expr(g, gen_of(t, BOOL), depth - 1);
    return gen_text(g, "where(%s, %s, %s)", made, x, gen_expr(g, t, depth - 1));
  case 7: return gen_text(g, "%s(%s)", dtype_name(t.dtype), gen_expr(g, gen_of(t, BOOL), depth - 1));
  case 8: return t.dtype == U8 ? gen_text(g, "minimum(%s, 7)", x) : gen_text(g, "abs(%s)", x);
  case 9:
    if (t.rank) return gen_text(g, "cumsum(%s, axis = %d)", x, gen_pick(g, t.rank));
    return gen_text(g, "(%s %% 5)", x);
  default:
    made = counted(g, t, depth);
    return made ? made
                : gen_text(g, "%s(clamp(%s, 0, 9))", dtype_name(t.dtype), gen_expr(g, gen_of(t, F32), depth - 1));
  }
}

const char *gen_truth(Gen *g, Shape t, int depth) {
  static const char *const compare[] = {"<", "<=", ">", ">=", "==", "!="};
  DType d = gen_may(g, MAY_INTS) && gen_chance(g, 3) ? I32 : gen_float(g);
  const char *x, *y;
  switch (gen_pick(g, 6)) {
  case 0:
    x = gen_expr(g, t, depth - 1), y = gen_expr(g, t, depth - 1);
    return gen_text(g, "(%s %s %s)", x, gen_chance(g, 2) ? "and" : "or", y);
  case 1: return gen_text(g, "(not %s)", gen_expr(g, t, depth - 1));
  case 2:
    if (t.rank == GEN_RANK || gen_elements(t) >= g->most / 8) break;
    x = gen_expr(g, gen_with(t, t.rank, gen_size(g, 8)), depth - 1);
    return gen_text(g, "%s(%s, axis = %d)", gen_chance(g, 2) ? "any" : "all", x, t.rank);
  case 3:
    x = gen_expr(g, gen_of(t, d), depth - 1);
    return gen_text(g, "(%s %s %s)", x, compare[gen_pick(g, 4)], d == I32 ? "2" : "0.25");
  default: break;
  }
  x = gen_expr(g, gen_of(t, d), depth - 1);
  y = gen_expr(g, gen_of(t, d), depth - 1);
  return gen_text(g, "(%s %s %s)", x, compare[gen_pick(g, d == I32 ? 6 : 4)], y);
}

/* ---- random numbers ---- */

const char *gen_drawn(Gen *g, Shape t, int depth) {
  const char *list = gen_list(g, t);
  (void)depth;
  if (t.dtype == I32) return gen_text(g, "random.integer(%s, 0, %d)", list, 2 + gen_pick(g, 7));
  if (t.dtype == BOOL) return gen_text(g, "random.bernoulli(0.5, %s)", list);
  if (t.dtype != F32 && t.dtype != F64) return NULL;
  const char *dtype = t.dtype == F64 ? ", dtype = f64" : "";
  if (gen_chance(g, 4)) return gen_text(g, "seeded(%d) { random.uniform(%s%s) }", gen_pick(g, 5), list, dtype);
  return gen_text(g, "random.%s(%s%s)", gen_chance(g, 2) ? "uniform" : "normal", list, dtype);
}
