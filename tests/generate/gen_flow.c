/* Statements: values, variables that change, loops, branches, derivatives, functions. */
#include "tests/generate/gen.h"
#include <string.h>

enum { DEPTH = 3, SMALL = 300 };

static Shape some_type(Gen *g) { return gen_some(g, false, 4, g->nested ? SMALL : g->most); }
static Shape some_float_type(Gen *g) { return gen_some(g, true, 4, g->nested ? SMALL : g->most); }

/* An expression whose value stays small, for what is computed again and again. */
static const char *tame(Gen *g, Shape t, int depth) {
  const char *x = gen_expr(g, t, depth);
  if (t.dtype == BOOL) return x;
  return dtype_is_float(t.dtype) ? gen_text(g, "tanh(%s)", x) : gen_text(g, "(%s %% 7)", x);
}

static void let(Gen *g) {
  Shape t = some_type(g);
  const char *x = gen_expr(g, t, DEPTH), *name = gen_name(g, "v");
  gen_line(g, "let %s = %s", name, x);
  gen_var(g, name, t);
}

/* ---- blocks ---- */

typedef struct Block {
  int n_vars;
} Block;

static Block open(Gen *g) {
  g->indent++, g->nested++;
  return (Block){g->n_vars};
}

static void closed(Gen *g, Block b, const char *with) {
  g->indent--, g->nested--;
  g->n_vars = b.n_vars;
  gen_line(g, "}%s", with);
}

static void inside(Gen *g) {
  int n = gen_pick(g, 3);
  if (g->nested < 3) gen_statements(g, n);
}

/* Rows to walk over: names and where they come from; sets the length. */
static const char *rows(Gen *g, Size *length, GenVar *out, int *n) {
  *n = 1;
  Size s = g->sized && gen_chance(g, 2) ? (Size){1, 0} : gen_const(1 + gen_pick(g, 7));
  if (gen_chance(g, 3)) {
    *length = s;
    out[0] = (GenVar){gen_name(g, "j"), gen_scalar(I32)};
    return gen_text(g, "%s in 0..%s", out[0].name, gen_size_text(g, s));
  }
  int found = -1, seen = 0;
  for (int i = 0; i < g->n_vars; i++) {
    Shape t = g->vars[i].type;
    if (!t.rank || t.size[0].many > 1 || (!t.size[0].many && (t.size[0].plus > 17 || !t.size[0].plus))) continue;
    if (t.size[0].many && t.size[0].plus) continue;
    if (gen_pick(g, ++seen) == 0) found = i;
  }
  out[0].name = gen_name(g, "r");
  const char *from;
  if (found >= 0 && !gen_chance(g, 4)) {
    from = g->vars[found].name;
    s = g->vars[found].type.size[0];
    out[0].type = gen_without(g->vars[found].type, 0);
  } else {
    out[0].type = gen_some(g, false, 3, SMALL / 8);
    from = gen_expr(g, gen_with(out[0].type, 0, s), DEPTH - 1);
  }
  *length = s;
  if (!gen_chance(g, 3)) return gen_text(g, "%s in %s", out[0].name, from);
  out[1].name = gen_name(g, "r");
  out[1].type = gen_some(g, false, 3, SMALL / 8);
  *n = 2;
  const char *other = gen_expr(g, gen_with(out[1].type, 0, s), DEPTH - 1);
  return gen_text(g, "(%s, %s) in (%s, %s)", out[0].name, out[1].name, from, other);
}

static void loop(Gen *g, bool map) {
  GenVar row[2];
  Size length;
  int n, carried = map ? 0 : gen_pick(g, 3);
  const char *carry[2];
  Shape type[2];
  const char *over = rows(g, &length, row, &n);
  for (int i = 0; i < carried; i++) {
    type[i] = i ? some_type(g) : some_float_type(g);
    const char *x = gen_expr(g, type[i], DEPTH - 1);
    carry[i] = gen_name(g, "c");
    gen_line(g, "var %s = %s", carry[i], x);
  }
  for (int i = 0; i < carried; i++) gen_var(g, carry[i], type[i]);
  const char *name = gen_name(g, "v");
  gen_line(g, "let %s = %s %s {", name, map ? "vmap" : "scan", over);
  Block b = open(g);
  for (int i = 0; i < n; i++) gen_var(g, row[i].name, row[i].type);
  inside(g);
  for (int i = 0; i < carried; i++) gen_line(g, "%s = %s", carry[i], tame(g, type[i], DEPTH - 1));
  if (carried && dtype_is_float(type[0].dtype) && gen_chance(g, 5))
    gen_line(g, "stop when mean(%s) > %s", carry[0], gen_chance(g, 2) ? "0.25" : "0.0");
  Shape t = gen_some(g, false, 3, SMALL / 4);
  gen_line(g, "%s", gen_expr(g, t, DEPTH - 1));
  closed(g, b, "");
  gen_var(g, name, gen_with(t, 0, length));
}

static void branch(Gen *g) {
  Shape t = some_type(g);
  const char *c = gen_expr(g, gen_scalar(BOOL), DEPTH - 1), *name = gen_name(g, "v");
  gen_line(g, "let %s = cond %s {", name, c);
  Block b = open(g);
  inside(g);
  gen_line(g, "%s", gen_expr(g, t, DEPTH - 1));
  closed(g, b, " else {");
  b = open(g);
  inside(g);
  gen_line(g, "%s", gen_expr(g, t, DEPTH - 1));
  closed(g, b, "");
  gen_var(g, name, t);
}

static void repeated(Gen *g) {
  Shape t = some_float_type(g);
  const char *x = gen_expr(g, t, DEPTH - 1), *k = gen_name(g, "k"), *name = gen_name(g, "c");
  int n = 1 + gen_pick(g, 4);
  gen_line(g, "var %s = 0", k);
  gen_line(g, "var %s = %s", name, x);
  gen_var(g, name, t);
  static const char *const bars[] = {"0.75", "0.25", "0.0", "-0.125"};
  const char *also = gen_chance(g, 2) ? gen_text(g, " and mean(%s) < %s", name, bars[gen_pick(g, 4)]) : "";
  gen_line(g, "while %s < %d%s limit %d {", k, n, also, n + gen_pick(g, 2));
  Block b = open(g);
  inside(g);
  gen_line(g, "%s = %s + 1", k, k);
  gen_line(g, "%s = %s", name, tame(g, t, DEPTH - 1));
  closed(g, b, "");
}

static void unrolled(Gen *g) {
  Shape t = some_float_type(g);
  const char *x = gen_expr(g, t, DEPTH - 1), *name = gen_name(g, "c"), *i = gen_name(g, "j");
  gen_line(g, "var %s = %s", name, x);
  gen_var(g, name, t);
  gen_line(g, "for %s in 0..%d {", i, 2 + gen_pick(g, 2));
  Block b = open(g);
  gen_line(g, "%s = %s + 0.25 * %s", name, tame(g, t, DEPTH - 1), i);
  closed(g, b, "");
}

static void again(Gen *g) {
  Shape t = some_float_type(g);
  const char *name = gen_name(g, "v");
  gen_line(g, "let %s = checkpoint {", name);
  Block b = open(g);
  inside(g);
  gen_line(g, "%s", gen_expr(g, t, DEPTH - 1));
  closed(g, b, "");
  gen_var(g, name, t);
}

/* ---- places ---- */

static void stored(Gen *g) {
  Shape t = some_float_type(g);
  if (!t.rank) t = gen_with(t, 0, gen_size(g, 17));
  const char *x = gen_expr(g, t, DEPTH - 1), *name = gen_name(g, "c");
  gen_line(g, "var %s = %s", name, x);
  int k = gen_pick(g, 4);
  Shape u = t;
  if (k == 0 && !t.size[0].many) { /* one row */
    const char *y = gen_expr(g, gen_without(t, 0), DEPTH - 1);
    int at = gen_pick(g, t.size[0].plus);
    gen_line(g, "%s[%d] %s %s", name, at, gen_chance(g, 2) ? "=" : "+=", y);
  } else if (k == 1 && !t.size[0].many && t.size[0].plus > 2) { /* a range */
    int at = gen_pick(g, t.size[0].plus - 2);
    u.size[0] = gen_const(2);
    const char *y = gen_expr(g, u, DEPTH - 1);
    gen_line(g, "%s[%d:%d] %s %s", name, at, at + 2, gen_chance(g, 2) ? "=" : "+=", y);
  } else { /* rows at run-time indices, some of them twice */
    u.size[0] = gen_const(1 + gen_pick(g, 6));
    Shape i = {.dtype = I32, .rank = 1, .size = {u.size[0]}};
    const char *at = gen_expr(g, i, DEPTH - 1), *y = gen_expr(g, u, DEPTH - 1), *n = gen_size_text(g, t.size[0]);
    if (k == 2 && !g->smooth) gen_line(g, "%s = scatter_max(%s, %s %% (%s), %s)", name, name, at, n, y);
    else gen_line(g, "%s[%s %% (%s)] %s %s", name, at, n, gen_chance(g, 3) ? "=" : "+=", y);
  }
  gen_var(g, name, t);
}

/* ---- derivatives ---- */

GenVar gen_some_float(Gen *g) {
  DType d = gen_may(g, MAY_DOUBLE) && gen_chance(g, 3) ? F64 : F32;
  Shape t = gen_shape(g, d, gen_pick(g, 4), g->nested ? 40 : SMALL);
  const char *x = gen_expr(g, t, DEPTH - 1), *name = gen_name(g, "z");
  gen_line(g, "let %s = 1.0 * %s", name, x); /* a value of its own */
  gen_var(g, name, t);
  return (GenVar){name, t};
}

static void derivative(Gen *g) {
  GenVar x = gen_some_float(g);
  g->nested++;
  inside(g);
  Shape t = gen_shape(g, x.type.dtype, gen_pick(g, 3), 40);
  const char *e = gen_expr(g, t, DEPTH), *y = gen_name(g, "y");
  gen_line(g, "let %s = %s + 0.125 * mean(%s ** 2)", y, e, x.name);
  gen_var(g, y, t);
  int k = gen_pick(g, 6);
  const char *name = gen_name(g, "g");
  if (k == 0) {
    e = gen_expr(g, x.type, 1);
    gen_line(g, "let %s = jvp(%s, %s, %s)", name, y, x.name, e);
    gen_var(g, name, t);
  } else if (k == 1) {
    e = gen_expr(g, t, 1);
    gen_line(g, "let %s = vjp(%s, %s, %s)", name, y, x.name, e);
    gen_var(g, name, x.type);
  } else if (k == 2 && t.rank + x.type.rank <= 4 && gen_elements(t) * gen_elements(x.type) <= 1500) {
    gen_line(g, "let %s = jacobian(%s, %s)", name, y, x.name);
    for (int i = 0; i < x.type.rank; i++) t = gen_with(t, t.rank, x.type.size[i]);
    gen_var(g, name, t);
  } else {
    const char *l = gen_name(g, "l");
    gen_line(g, "let %s = %s(%s)", l, gen_chance(g, 2) ? "sum" : "mean", y);
    gen_line(g, "let %s = grad(%s, %s)", name, l, x.name);
    gen_var(g, name, x.type);
    if (gen_chance(g, 3)) { /* of second order */
      const char *m = gen_name(g, "l"), *h = gen_name(g, "g");
      gen_line(g, "let %s = sum(%s * %s)", m, name, x.name);
      gen_line(g, "let %s = grad(%s, %s)", h, m, x.name);
      gen_var(g, h, x.type);
    }
  }
  g->nested--;
}

/* ---- functions ---- */

static void function(Gen *g) {
  Shape a = gen_shape(g, F32, gen_pick(g, 3), 60), b = gen_shape(g, F32, gen_pick(g, 2), 20);
  Gen outer = *g;
  g->body = (Buf){0}, g->n_vars = 0, g->indent = 1, g->nested++;
  bool own = !g->smooth && gen_chance(g, 4);
  for (int i = 0; i < a.rank; i++)
    if (a.size[i].many) a.size[i] = gen_const(3);
  for (int i = 0; i < b.rank; i++)
    if (b.size[i].many) b.size[i] = gen_const(3);
  g->sized = g->cells = false;
  if (own) g->features &= ~(1u << MAY_RANDOM);
  gen_var(g, "a", a), gen_var(g, "b", b);
  inside(g);
  Shape t = own ? a : gen_shape(g, F32, gen_pick(g, 3), 60);
  const char *e = gen_expr(g, t, DEPTH - 1), *name = gen_name(g, "h");
  buf_printf(&g->functions, "fn %s(a: %s, b: %s) -> %s {\n%s  %s\n}", name, gen_type(g, a), gen_type(g, b),
             gen_type(g, t), g->body.s ? g->body.s : "", e);
  if (own)
    buf_printf(&g->functions, " backward(y, dy) { (0.5 * dy * y, 0.25 * sum(dy)%s) }", b.rank ? " * ones_like(b)" : "");
  buf_str(&g->functions, "\n");
  buf_free(&g->body);
  outer.count = g->count, outer.names = g->names, outer.left = g->left, outer.layers = g->layers;
  outer.members = g->members, outer.functions = g->functions;
  *g = outer;
  const char *x = gen_expr(g, a, 1), *y = gen_expr(g, b, 1), *v = gen_name(g, "v");
  gen_line(g, "let %s = %s(%s, %s)", v, name, x, y);
  gen_var(g, v, t);
}

/* ---- all of them ---- */

void gen_statement(Gen *g) {
  if (g->left-- <= 0) return;
  int k = gen_pick(g, 16);
  if (k < 2 && gen_may(g, MAY_LOOP)) loop(g, false);
  else if (k < 4 && gen_may(g, MAY_MAP)) loop(g, true);
  else if (k == 4 && gen_may(g, MAY_BRANCH)) branch(g);
  else if (k == 5 && gen_may(g, MAY_BRANCH)) repeated(g);
  else if (k == 6 && gen_may(g, MAY_LOOP)) unrolled(g);
  else if (k == 7 && gen_may(g, MAY_GRAD) && gen_chance(g, 2)) again(g);
  else if (k < 10 && gen_may(g, MAY_GRAD) && g->nested < 2) derivative(g);
  else if (k == 10 && gen_may(g, MAY_SCATTER)) stored(g);
  else if (k == 11 && gen_may(g, MAY_FUNCTION) && g->nested < 2) function(g);
  else let(g);
}

void gen_statements(Gen *g, int n) {
  for (int i = 0; i < n; i++) gen_statement(g);
}
