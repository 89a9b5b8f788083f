/* Entry points around statements, and the program around entry points. */
#include "tests/generate/gen.h"
#include "runtime/core/random.h"
#include <string.h>

enum { MOST_INPUTS = 4 };

typedef struct Head {
  const char *names; /* "x0: f32[B <= 9, 3], x1: i32[2]" */
} Head;

/* "f32[B <= 9, 3]": the bound stands where B is met first. */
static const char *bounded(Gen *g, Shape t, bool *bound) {
  const char *s = gen_text(g, "%s[", dtype_name(t.dtype));
  for (int i = 0; i < t.rank; i++) {
    s = gen_text(g, "%s%s%s", s, i ? ", " : "", gen_size_text(g, t.size[i]));
    if (t.size[i].many && !*bound) s = gen_text(g, "%s <= %d", s, GEN_BOUND), *bound = true;
  }
  return gen_text(g, "%s]", s);
}

static void begin(Gen *g) {
  g->n_vars = 0, g->indent = 1, g->nested = 0;
  g->left = g->most > GEN_FEW ? 4 : 12;
  buf_free(&g->body);
}

/* Inputs of an entry: the first is `first` when that is given. */
static Head inputs(Gen *g, const Shape *first, int n_first) {
  Head h = {""};
  int n = n_first + 1 + gen_pick(g, MOST_INPUTS - 1);
  bool bound = false, wants = g->sized;
  for (int i = 0; i < n; i++) {
    Shape t = i < n_first ? first[i] : gen_some(g, i == n_first, 4, g->most / 2);
    if (wants && i >= n_first && !bound) { /* B has to come from an input */
      bool has = false;
      for (int k = 0; k < t.rank; k++) has |= t.size[k].many > 0;
      if (!has && t.rank) t.size[gen_pick(g, t.rank)] = (Size){1, 0};
      if (!has && !t.rank) t = gen_with(t, 0, (Size){1, 0});
    }
    const char *name = gen_text(g, "x%d", i), *type = bounded(g, t, &bound);
    h.names = gen_text(g, "%s%s%s: %s", h.names, i ? ", " : "", name, type);
    gen_var(g, name, t);
  }
  if (g->cells) gen_var(g, "net.base", (Shape){F32, 1, {{0, 4}}});
  return h;
}

/* The last values, and any. */
static const char *results(Gen *g, int from) {
  const char *s = "";
  int n = 0;
  for (int i = g->n_vars - 1; i >= from && n < 4; i--) {
    if (n && gen_chance(g, 3)) continue;
    s = gen_text(g, "%s%s%s", s, n ? ", " : "", g->vars[i].name);
    n++;
  }
  return n > 1 ? gen_text(g, "(%s)", s) : s;
}

static void plain(Gen *g, Buf *out, int id) {
  begin(g);
  g->sized = gen_may(g, MAY_SIZE) && gen_chance(g, 2);
  Head h = inputs(g, NULL, 0);
  int from = g->n_vars;
  gen_statements(g, 2 + gen_pick(g, 5));
  const char *r = results(g, from);
  buf_printf(out, "export fn f%d(%s) {\n%s  %s\n}\n", id, h.names, g->body.s ? g->body.s : "", *r ? r : "x0");
}

/* What gives the same under scan. */
static void lanes(Gen *g, Buf *out, int id) {
  begin(g);
  g->sized = gen_may(g, MAY_SIZE) && gen_chance(g, 2);
  Size n = g->sized ? (Size){1, 0} : gen_const(1 + gen_pick(g, 6));
  bool sized = g->sized;
  g->sized = false; /* rows of fixed size, so that B is the number of lanes alone */
  Shape r = gen_shape(g, F32, gen_pick(g, 3), 60), s = gen_some(g, false, 3, 40);
  Shape both[2] = {gen_with(r, 0, n), gen_with(s, 0, n)};
  Head h = inputs(g, both, 2);
  g->sized = sized && gen_chance(g, 2);
  memmove(g->vars, g->vars + 2, sizeof *g->vars * (size_t)(g->n_vars -= 2));
  gen_var(g, "r", r), gen_var(g, "s", s);
  g->indent = 2, g->nested = 1;
  gen_statements(g, 1 + gen_pick(g, 3));
  const char *e = gen_expr(g, gen_some(g, true, 3, 60), 3);
  buf_printf(out, "export fn map%d(%s) {\n  vmap (r, s) in (x0, x1) {\n%s    %s\n  }\n}\n", id, h.names,
             g->body.s ? g->body.s : "", e);
}

/* A scalar that has a gradient by its first input. */
static void slope(Gen *g, Buf *out, int id) {
  begin(g);
  g->sized = gen_may(g, MAY_SIZE) && gen_chance(g, 3);
  g->smooth = true;
  Shape x = gen_shape(g, F32, gen_pick(g, 4), 100);
  Head h = inputs(g, &x, 1);
  g->nested = 1;
  gen_statements(g, 1 + gen_pick(g, 4));
  const char *e = gen_expr(g, gen_shape(g, F32, gen_pick(g, 3), 100), 3);
  buf_printf(out, "export fn loss%d(%s) -> f32[] {\n%s  mean(%s) + 0.0625 * mean(x0 ** 2)\n}\n", id, h.names,
             g->body.s ? g->body.s : "", e);
  g->smooth = false;
}

static const char *rule(Gen *g) {
  static const char *const rules[] = {"optim.sgd(0.1)",
                                      "optim.sgd(0.1, momentum = 0.9)",
                                      "optim.adam(1e-2)",
                                      "optim.adamw(1e-2, decay = 0.1)",
                                      "optim.rmsprop(1e-2)",
                                      "optim.adagrad(0.1)",
                                      "optim.clip(0.5, optim.adam(1e-2))",
                                      "optim.lamb(1e-2)",
                                      "optim.sgd(optim.cosine(0.1), momentum = 0.5, nesterov = true)"};
  return rules[gen_pick(g, 9)];
}

static void step(Gen *g, Buf *out, Buf *states, int id) {
  begin(g);
  g->sized = gen_may(g, MAY_SIZE) && gen_chance(g, 2);
  Head h = inputs(g, NULL, 0);
  DType d = gen_may(g, MAY_DOUBLE) && gen_chance(g, 4) ? F64 : F32;
  Shape s = gen_shape(g, d, gen_pick(g, 3), 100);
  for (int i = 0; i < s.rank; i++)
    if (s.size[i].many) s.size[i] = gen_const(4);
  const char *state = gen_text(g, "kept%d", id);
  buf_printf(states, "state %s: %s = 0.5\n", state, gen_type(g, s));
  gen_var(g, state, s);
  int from = g->n_vars;
  gen_statements(g, 1 + gen_pick(g, 4));
  const char *e = gen_expr(g, gen_shape(g, F32, gen_pick(g, 3), 100), 3);
  gen_line(g, "let loss = mean(%s) + 0.0625 * tree.dot(net, net)", e);
  const char *which = gen_chance(g, 4) ? "net.base" : "net";
  gen_line(g, "update %s by %s on loss", which, rule(g));
  const char *kept = gen_expr(g, s, 3);
  gen_line(g, "%s = tanh(%s)", state, kept);
  if (s.rank && !s.size[0].many && gen_chance(g, 2)) {
    const char *at = gen_expr(g, (Shape){I32, 1, {{0, 3}}}, 1);
    gen_line(g, "%s[%s %% %d] += 0.25", state, at, s.size[0].plus);
  }
  gen_line(g, "report loss = loss");
  const char *r = results(g, from);
  buf_printf(out, "step s%d(%s) {\n%s  %s\n}\n", id, h.names, g->body.s, *r ? r : "x0");
}

void gen_program(uint64_t seed, Buf *out) {
  Gen g = {.a = arena_new(), .seed = seed * 0x9e3779b97f4a7c15u + 0x5851f42d4c957f2du};
  Buf entries = {0}, states = {0};
  g.features = (unsigned)dnn_mix64(g.seed, 1u << 30) | (unsigned)dnn_mix64(g.seed, 1u << 29);
  g.most = gen_chance(&g, 10) ? GEN_MANY : GEN_FEW;
  int n = 1 + gen_pick(&g, 2);
  g.cells = gen_may(&g, MAY_MODEL);
  for (int id = 0; id < n; id++) {
    int kind = gen_pick(&g, 8);
    if (kind < 2 && gen_may(&g, MAY_MAP)) lanes(&g, &entries, id);
    else if (kind < 4 && gen_may(&g, MAY_GRAD)) slope(&g, &entries, id);
    else if (kind < 6 && g.cells) step(&g, &entries, &states, id);
    else plain(&g, &entries, id);
  }
  if (gen_chance(&g, 2)) gen_rare_slope(&g, &entries, n);
  if (gen_chance(&g, 3)) gen_rare_lanes(&g, &entries, n + 1);
  buf_printf(out, "# program %llu\n", (unsigned long long)seed);
  buf_str(out, "use nn, init, optim, tree\n");
  if (g.cells)
    buf_printf(out, "module Net() {\n  param base: f32[4] = init.normal(0.5)\n%s}\nmodel net = Net()\n",
               g.members.s ? g.members.s : "");
  if (states.s) buf_str(out, states.s);
  if (g.functions.s) buf_str(out, g.functions.s);
  buf_str(out, entries.s);
  buf_free(&entries), buf_free(&states), buf_free(&g.body), buf_free(&g.members), buf_free(&g.functions);
  arena_free(g.a);
}
