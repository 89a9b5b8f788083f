/* Entry points around one operation that random expressions meet rarely, or deep within others: windows with strides
 * and groups, decompositions, scatters, segments, products of turned operands. The operation works on inputs, so that
 * nothing hides what is wrong with it, its gradient, its second derivative or its rule for lanes. */
#include "tests/generate/gen.h"

/* The operation: its operands' types, by number; text or lines of the entry with the operands' names in it. */
typedef struct Form {
  Gen *g;
  const char *x[2]; /* names */
  Shape type[2];
  DType float_type;
  bool lanes, steps; /* it is for lanes; it has no gradient */
} Form;

static Shape of_sizes(Form *f, int rank, const int *sizes) {
  Shape t = {.dtype = f->float_type, .rank = rank};
  for (int i = 0; i < rank; i++) t.size[i] = gen_const(sizes[i]);
  return t;
}

static int between(Gen *g, int least, int most) { return least + gen_pick(g, most - least + 1); }

static const char *numbers(Gen *g, int n, const int *v) {
  const char *s = "[";
  for (int i = 0; i < n; i++) s = gen_text(g, "%s%s%d", s, i ? ", " : "", v[i]);
  return gen_text(g, "%s]", s);
}

static const char *pairs(Gen *g, int n, const int *low, const int *high) {
  const char *s = "[";
  for (int i = 0; i < n; i++) s = gen_text(g, "%s%s(%d, %d)", s, i ? ", " : "", low[i], high[i]);
  return gen_text(g, "%s]", s);
}

/* ---- element-wise, and along an axis ---- */

static const char *mapped(Form *f) {
  static const char *const forms[] = {"rsqrt(abs(%s) + 0.5)",
                                      "cos(%s)",
                                      "sin(%s)",
                                      "tan(0.5 * tanh(%s))",
                                      "erf(%s)",
                                      "sqrt(abs(%s) + 0.5)",
                                      "log1p(abs(%s))",
                                      "expm1(%s)",
                                      "log(abs(%s) + 0.5)",
                                      "sigmoid(%s)",
                                      "exp(-abs(%s))",
                                      "(%s %% 1.5)",
                                      "(2.0 ** tanh(%s))",
                                      "f32(f64(%s))",
                                      "(max(%1$s) * %1$s)",
                                      "checkpoint { cos(%s) }",
                                      "minimum(%s, 0.25)",
                                      "where(%1$s > 0.1, %1$s ** 2, cos(%1$s))",
                                      "(0.75 / (%s ** 2 + 0.5))"};
  f->type[0] = gen_shape(f->g, f->float_type, gen_pick(f->g, 4), 60);
  return gen_text(f->g, forms[gen_pick(f->g, (int)(sizeof forms / sizeof *forms))], f->x[0]);
}

/* Without a gradient: for lanes only. */
static const char *stepped(Form *f) {
  static const char *const forms[] = {"floor(3 * %s)",
                                      "ceil(3 * %s)",
                                      "round(3 * %s)",
                                      "sign(%s)",
                                      "(%s // 0.5)",
                                      "stop_gradient(%s)",
                                      "where(%1$s <= 0.1, cos(%1$s), %1$s)",
                                      "where(%1$s >= 0.1 and not %1$s > 0.5, cos(%1$s), %1$s)",
                                      "where(round(%1$s) == 0.0 or %1$s < 0.0, cos(%1$s), %1$s)",
                                      "where(round(%1$s) != 1.0, cos(%1$s), %1$s)"};
  f->type[0] = gen_shape(f->g, f->float_type, gen_pick(f->g, 4), 60);
  f->steps = true;
  return gen_text(f->g, forms[gen_pick(f->g, 10)], f->x[0]);
}

/* Where the least or largest element of a row stands; without a gradient. */
static const char *place_in_row(Form *f) {
  int rank = between(f->g, 1, 3), axis = gen_pick(f->g, rank);
  f->type[0] = gen_shape(f->g, f->float_type, rank, 60);
  f->type[0].size[axis] = gen_const(between(f->g, 2, 5));
  f->steps = true;
  return gen_text(f->g, "f32(%s(%s, axis = %d))", gen_chance(f->g, 2) ? "argmin" : "argmax", f->x[0], axis);
}

/* Computed again for the gradient, or with a gradient of its own. */
static const char *wrapped(Form *f) {
  Gen *g = f->g;
  f->type[0] = gen_shape(g, f->float_type, gen_pick(g, 3), 60);
  if (gen_chance(g, 2)) return gen_text(g, "checkpoint { cos(2 * %s) * %s }", f->x[0], f->x[0]);
  const char *name = gen_name(g, "own");
  buf_printf(&g->functions,
             "fn %s(a: F[...]) -> F[...] { sin(a) * a } backward(y, dy) { dy * (cos(a) * a + sin(a)) }\n", name);
  return gen_text(g, "%s(%s)", name, f->x[0]);
}

static const char *along_axis(Form *f) {
  static const char *const forms[] = {"sum(%s, axis = %d)",
                                      "prod(%s, axis = %d)",
                                      "min(%s, axis = %d)",
                                      "max(%s, axis = %d)",
                                      "cumsum(%s, axis = %d)",
                                      "cumsum(%s, axis = %d, reverse = true)",
                                      "cumprod(%s, axis = %d)",
                                      "cumprod(%s, axis = %d, reverse = true)",
                                      "sort(%s, axis = %d)",
                                      "sort(%s, axis = %d, descending = true)",
                                      "softmax(%s, axis = %d)",
                                      "logsumexp(%s, axis = %d)",
                                      "var(%s, axis = %d)",
                                      "reverse(%s, axis = %d)",
                                      "roll(%s, 2, axis = %d)",
                                      "repeat(%s, 3, axis = %d)",
                                      "norm(%s + 0.1, axis = %d)",
                                      "stack([%1$s, cos(%1$s)], axis = %2$d)",
                                      "concat([%1$s, cos(%1$s), %1$s], axis = %2$d)"};
  int rank = between(f->g, 1, 3), axis = gen_pick(f->g, rank);
  f->type[0] = gen_shape(f->g, f->float_type, rank, 60);
  return gen_text(f->g, forms[gen_pick(f->g, (int)(sizeof forms / sizeof *forms))], f->x[0], axis);
}

static const char *padded(Form *f) {
  int rank = between(f->g, 1, 3), low[3], high[3];
  bool mirror = gen_chance(f->g, 3), cut = gen_chance(f->g, 3);
  f->type[0] = (Shape){.dtype = f->float_type, .rank = rank};
  for (int i = 0; i < rank; i++) {
    f->type[0].size[i] = gen_const(between(f->g, 4, 6));
    low[i] = gen_pick(f->g, 4) - (cut && !mirror), high[i] = gen_pick(f->g, 4) - (cut && !mirror);
  }
  const char *how = mirror ? ", mode = \"mirror\"" : gen_chance(f->g, 2) ? ", value = 0.5" : "";
  return gen_text(f->g, "pad(%s, %s%s)", f->x[0], pairs(f->g, rank, low, high), how);
}

/* ---- windows ---- */

typedef struct Window {
  int spatial, size[3], stride[3], dilation[3], low[3], high[3], in[3], out[3];
} Window;

/* A window that fits: what it reads and what it gives. */
static Window window(Gen *g, bool dilated) {
  Window w = {.spatial = between(g, 1, gen_chance(g, 4) ? 3 : 2)};
  for (int i = 0; i < w.spatial; i++) {
    w.size[i] = between(g, 1, 3), w.stride[i] = between(g, 1, 3), w.dilation[i] = dilated ? between(g, 1, 2) : 1;
    w.low[i] = gen_pick(g, w.size[i]), w.high[i] = gen_pick(g, w.size[i]);
    int span = (w.size[i] - 1) * w.dilation[i] + 1, least = span - w.low[i] - w.high[i];
    w.in[i] = (least < 1 ? 1 : least) + gen_pick(g, w.spatial > 2 ? 3 : 5);
    w.out[i] = (w.in[i] + w.low[i] + w.high[i] - span) / w.stride[i] + 1;
  }
  return w;
}

static Shape planes(Form *f, int n, int channels, int spatial, const int *sizes) {
  int all[GEN_RANK] = {n, channels};
  for (int i = 0; i < spatial; i++) all[2 + i] = sizes[i];
  return of_sizes(f, 2 + spatial, all);
}

static const char *convolved(Form *f) {
  Gen *g = f->g;
  Window w = window(g, true);
  int groups = between(g, 1, 3), in = groups * between(g, 1, 2), out = groups * between(g, 1, 2);
  bool turned = gen_chance(g, 3); /* reads what conv gives */
  f->type[0] = planes(f, between(g, 1, 3), turned ? out : in, w.spatial, turned ? w.out : w.in);
  f->type[1] = planes(f, out, in / groups, w.spatial, w.size);
  const char *to = "";
  if (turned)
    for (int i = 0; i < w.spatial; i++) { /* a place before the first: no result */
      int span = (w.size[i] - 1) * w.dilation[i] + 1;
      if ((w.out[i] - 1) * w.stride[i] + span - w.low[i] - w.high[i] < 1) w.low[i] = w.high[i] = 0;
    }
  return gen_text(g, "%s(%s, %s, stride = %s, padding = %s, dilation = %s, groups = %d%s)",
                  turned ? "conv_transpose" : "conv", f->x[0], f->x[1], numbers(g, w.spatial, w.stride),
                  pairs(g, w.spatial, w.low, w.high), numbers(g, w.spatial, w.dilation), groups, to);
}

static const char *pooled(Form *f) {
  Gen *g = f->g;
  Window w = window(g, false);
  f->type[0] = planes(f, between(g, 1, 2), between(g, 1, 3), w.spatial, w.in);
  const char *k = numbers(g, w.spatial, w.size), *stride = numbers(g, w.spatial, w.stride);
  if (gen_chance(g, 4)) {
    const char *p = gen_text(g, "max_pool_at(%s, %s)", f->x[0], k);
    for (int i = 0; i < w.spatial; i++) f->type[0].size[2 + i] = gen_const(w.size[i] * between(g, 1, 3));
    return gen_text(g, "max_unpool(cos(%s[0]), %s[1], %s)", p, p, k);
  }
  return gen_text(g, "max_pool(%s, %s, stride = %s, padding = %s)", f->x[0], k, stride,
                  pairs(g, w.spatial, w.low, w.high));
}

/* ---- matrices ---- */

/* Of one matrix: eigenvalues far from each other, a definite or a regular matrix. */
static const char *decomposed(Form *f) {
  static const char *const forms[] = {"eigh(%s)[0]", "eigh(%s)[0]", "eigh(%s)[1]", "cholesky(%s)",
                                      "logdet(%s)",  "inverse(%s)", "qr(%s)[1]",   "trace(%s)"};
  Gen *g = f->g;
  int n = between(g, 1, 5), lead = gen_pick(g, 2), sizes[3] = {2, n, n};
  f->type[0] = of_sizes(f, 2 + lead, sizes + 1 - lead);
  const char *t = dtype_name(f->float_type), *a = gen_text(g, "0.2 * tanh(%s)", f->x[0]);
  const char *regular = gen_text(g, "%s + eye(%d, dtype = %s) * (2 + %s(arange(%d)))", a, n, t, t, n);
  if (gen_chance(g, 4)) {
    f->type[0].size[lead] = gen_const(n + gen_pick(g, 3));
    return gen_text(g, "orthonormal(%s + pad(2 * eye(%d, dtype = %s), [(0, %d), (0, 0)]))", a, n, t,
                    f->type[0].size[lead].plus - n);
  }
  return gen_text(g, forms[gen_pick(g, 8)], regular);
}

static const char *solved(Form *f) {
  Gen *g = f->g;
  int n = between(g, 1, 5), lead = gen_pick(g, 2), sizes[3] = {2, n, n}, kind = gen_pick(g, 3);
  f->type[0] = f->type[1] = of_sizes(f, 2 + lead, sizes + 1 - lead);
  f->type[1].size[1 + lead] = gen_const(between(g, 1, 4));
  const char *a = gen_text(g, "0.2 * tanh(%s) + 2 * eye(%d, dtype = %s)", f->x[0], n, dtype_name(f->float_type));
  if (!kind) return gen_text(g, "solve(%s, %s)", a, f->x[1]);
  return gen_text(g, "triangular_solve(%s, %s, lower = %s)", a, f->x[1], kind == 1 ? "true" : "false");
}

/* ---- products: any order of the axes of both operands and of the result ---- */

static const char *shuffled(Gen *g, const char *labels, int n, Shape *t) {
  char order[8] = "";
  Shape from = *t;
  const char *s = "";
  int used = 0;
  for (int i = 0, k; i < n; i++) {
    do k = gen_pick(g, n);
    while (used >> k & 1);
    used |= 1 << k, order[i] = labels[k];
    t->size[i] = from.size[k];
    s = gen_text(g, "%s%s%c", s, i ? " " : "", order[i]);
  }
  return s;
}

static const char *multiplied(Form *f) {
  Gen *g = f->g;
  char labels[3][8] = {""};
  int n[3] = {0}, size[4];
  for (int k = 0; k < 4; k++) size[k] = between(g, 1, k ? 6 : 3);
  bool batch = gen_chance(g, 2), twice = gen_chance(g, 3), row = !gen_chance(g, 4), column = !gen_chance(g, 4);
  static const struct {
    char label;
    int in[3], size;
  } axes[] = {{'b', {1, 1, 1}, 0}, {'m', {1, 0, 1}, 1}, {'n', {0, 1, 1}, 2}, {'k', {1, 1, 0}, 3}, {'l', {1, 1, 0}, 0}};
  const bool used[] = {batch, row, column, true, twice};
  Shape t[3] = {{.dtype = f->float_type}, {.dtype = f->float_type}, {.dtype = f->float_type}};
  for (int a = 0; a < 5; a++)
    for (int k = 0; k < 3 && used[a]; k++)
      if (axes[a].in[k]) labels[k][n[k]] = axes[a].label, t[k].size[n[k]++] = gen_const(size[axes[a].size]);
  const char *text[3];
  for (int k = 0; k < 3; k++) t[k].rank = n[k], text[k] = shuffled(g, labels[k], n[k], &t[k]);
  f->type[0] = t[0], f->type[1] = t[1];
  return gen_text(g, "einsum(\"%s, %s -> %s\", %s, %s)", text[0], text[1], text[2], f->x[0], f->x[1]);
}

/* ---- places ---- */

/* Rows stored, added, or compared at places that meet, of a run-time index. */
static const char *scattered(Form *f) {
  Gen *g = f->g;
  int n = between(g, 1, 5), m = between(g, 1, 6), kind = gen_pick(g, 9);
  Shape row = gen_shape(g, f->float_type, gen_pick(g, 2), 8);
  f->type[0] = gen_with(row, 0, gen_const(n)), f->type[1] = gen_with(row, 0, gen_const(m));
  const char *at = gen_text(g, "(arange(%d) * %d + %d) %% %d", m, between(g, 1, 3), gen_pick(g, 4), n);
  if (gen_chance(g, 2)) at = gen_text(g, "argsort(sum(reshape(%s, [%d, -1]), axis = 1)) %% %d", f->x[1], m, n);
  if (kind < 4) {
    const char *v = gen_name(g, "c");
    gen_line(g, "var %s = %s", v, f->x[0]);
    gen_line(g, "%s[%s] %s %s", v, at, kind == 3 ? "+=" : "=", f->x[1]);
    return v;
  }
  if (kind < 6) return gen_text(g, "scatter_max(%s, %s, %s)", f->x[0], at, f->x[1]);
  static const char *const segments[] = {"segment_sum", "segment_mean", "segment_max"};
  const char *s = segments[kind - 6], *empty = gen_chance(g, 2) ? ", empty = 0.5" : "";
  return gen_text(g, "%s(%s, %s, %d%s) * %s", s, f->x[1], at, n, empty, f->x[0]);
}

static const char *gathered(Form *f) {
  Gen *g = f->g;
  int n = between(g, 1, 6), m = between(g, 1, 6), kind = gen_pick(g, 4);
  Shape row = gen_shape(g, f->float_type, gen_pick(g, 2), 8);
  f->type[0] = gen_with(row, 0, gen_const(n)), f->type[1] = gen_with(row, 0, gen_const(m));
  const char *at = gen_text(g, "argsort(sum(reshape(%s, [%d, -1]), axis = 1)) %% %d", f->x[1], m, n);
  if (kind == 0) return gen_text(g, "%s[%s] * %s", f->x[0], at, f->x[1]);
  if (kind == 1) return gen_text(g, "segment_softmax(%s, %s, %d)", f->x[1], at, n);
  f->type[0] = f->type[1] = gen_with(f->type[0], 0, gen_const(m));
  at = gen_text(g, "argmax(%s, axis = 1)", f->x[1]);
  if (kind == 2) return gen_text(g, "pick(%s, %s, axis = 1)", f->x[0], at);
  return gen_text(g, "put(%s, cos(%s[:, :1]), axis = 1, at = max(%s))", f->x[0], f->x[1], at);
}

/* ---- loops, and slices of slices ---- */

static const char *looped(Form *f) {
  Gen *g = f->g;
  int n = between(g, 1, 6);
  Shape row = gen_shape(g, f->float_type, gen_pick(g, 2), 8);
  f->type[0] = gen_with(row, 0, gen_const(n));
  const char *c = gen_name(g, "c"), *v = gen_name(g, "v"), *r = gen_name(g, "r"), *k = gen_name(g, "k");
  gen_line(g, "var %s = 0.5 * %s[%d]", c, f->x[0], gen_pick(g, n));
  if (gen_chance(g, 3)) {
    static const char *const bars[] = {"", " and mean(%s) < 0.75", " and mean(%s) < 0.25"};
    gen_line(g, "var %s = 0", k);
    gen_line(g, "while %s < 3%s limit 4 {", k, gen_text(g, bars[gen_pick(g, 3)], c));
    gen_line(g, "  %s = %s + 1", k, k);
    gen_line(g, "  %s = tanh(1.25 * %s + %s[%s %% %d])", c, c, f->x[0], k, n);
    gen_line(g, "}");
    return c;
  }
  gen_line(g, "let %s = scan %s in %s%s {", v, r, f->x[0], gen_chance(g, 3) ? "[::-1]" : "");
  gen_line(g, "  %s = %s", c, gen_text(g, gen_chance(g, 2) ? "tanh(0.75 * %s + %s)" : "(0.5 * %s + cos(%s))", c, r));
  if (gen_chance(g, 3)) gen_line(g, "  stop when mean(%s) > %s", c, gen_chance(g, 2) ? "0.25" : "0.5");
  gen_line(g, "  %s * %s", c, r);
  gen_line(g, "}");
  return gen_chance(g, 2) ? v : gen_chance(g, 2) ? c : gen_text(g, "(%s * %s)", v, c);
}

static const char *sliced(Form *f) {
  static const char *const first[] = {"1:10:2", "10:1:-2", "::-1", "2:11", "9::-3", "11:2:-1"};
  static const char *const second[] = {"::-1", "1:", "2::-1", "::2", "1:3", ":0:-1"};
  int rank = between(f->g, 1, 2);
  f->type[0] = gen_shape(f->g, f->float_type, rank, 8);
  f->type[0].size[rank - 1] = gen_const(12);
  const char *colon = rank == 2 ? ":, " : "";
  return gen_text(f->g, "%s[%s%s][%s%s]", f->x[0], colon, first[gen_pick(f->g, 6)], colon, second[gen_pick(f->g, 6)]);
}

/* ---- entries ---- */

typedef const char *Maker(Form *f);

/* An operation on n operands of these names; lines that it needs go into the body. */
static const char *draw(Form *f, int n) {
  static Maker *const one[] = {mapped, along_axis, padded, pooled,  decomposed,
                               looped, looped,     sliced, wrapped, decomposed};
  static Maker *const two[] = {convolved, convolved, solved, multiplied, scattered, gathered};
  f->float_type = gen_may(f->g, MAY_DOUBLE) && gen_chance(f->g, 4) ? F64 : F32;
  if (n == 1 && f->lanes && gen_chance(f->g, 4)) return stepped(f);
  if (n == 1 && f->lanes && gen_chance(f->g, 8)) return place_in_row(f);
  if (n == 1) return one[gen_pick(f->g, 10)](f);
  return two[gen_pick(f->g, 6)](f);
}

/* The mean of a wave of it, as it is, by its gradient, or along a direction. */
void gen_rare_slope(Gen *g, Buf *out, int id) {
  int n = 1 + gen_pick(g, 2);
  bool turned = n == 2 && gen_chance(g, 2), deep = gen_chance(g, 3);
  Form f = {.g = g, .x = {turned ? "x1" : "z", turned ? "z" : "x1"}};
  const char *other = "";
  g->indent = 1, g->sized = false;
  buf_free(&g->body);
  gen_line(g, "let z = 1.0 * x0");
  const char *y = draw(&f, n);
  if (n == 2) other = gen_text(g, ", x1: %s", gen_type(g, f.type[!turned]));
  const char *name = gen_name(g, "y"), *l = gen_name(g, "l");
  gen_line(g, "let %s = %s", name, y);
  static const char *const last[] = {"mean(grad(%s, z) * cos(3.1 * z))", "mean(jvp(%2$s, z, cos(2 * z)) * sin(%2$s))",
                                     "mean(vjp(%2$s, z, cos(%2$s)) ** 2)"};
  gen_line(g, "let %s = mean(sin(1.7 * %s + 0.3))", l, name);
  const char *value = deep ? gen_text(g, last[gen_pick(g, 3)], l, name) : l;
  buf_printf(out, "export fn loss%d(x0: %s%s) -> f32[] {\n%s  f32(%s)\n}\n", id, gen_type(g, f.type[turned]), other,
             g->body.s, value);
}

/* Lanes of one operand or of both. */
void gen_rare_lanes(Gen *g, Buf *out, int id) {
  Form f = {.g = g, .x = {"r", "x1"}, .lanes = true};
  int n = 1 + gen_pick(g, 2), which = gen_pick(g, 3);
  const char *b = gen_may(g, MAY_SIZE) && gen_chance(g, 3) ? "B" : "3", *over = "r in x0", *types[2];
  if (which == 1) f.x[1] = "s", over = "(r, s) in (x0, x1)";
  if (which == 2) f.x[0] = "x0", f.x[1] = "s", over = "s in x1";
  g->indent = 2, g->sized = false;
  buf_free(&g->body);
  if (n == 1) f.x[0] = "r";
  const char *y = draw(&f, n);
  if (n == 1) over = "r in x0";
  for (int k = 0; k < n; k++) {
    bool lanes = n == 1 || which == 1 || which == 2 * k;
    const char *s = gen_list(g, f.type[k]) + 1, *bound = b[0] == 'B' ? gen_text(g, "B <= %d", GEN_BOUND) : b;
    types[k] = gen_text(g, "%s[%s%s%s", dtype_name(f.type[k].dtype), lanes ? (k && which == 1 ? b : bound) : "",
                        lanes && f.type[k].rank ? ", " : "", s);
  }
  if (!f.steps && gen_chance(g, 3)) y = gen_text(g, "grad(mean(sin(1.7 * (%s))), %s)", y, f.x[n > 1 && which == 2]);
  buf_printf(out, "export fn map%d(x0: %s%s%s) {\n  vmap %s {\n%s    %s\n  }\n}\n", id, types[0],
             n == 2 ? ", x1: " : "", n == 2 ? types[1] : "", over, g->body.s ? g->body.s : "", y);
}
