/* Reading a program, its samples, and the ways that need no lowering. */
#include "base/ds.h"
#include "frontend/fmt.h"
#include "frontend/frontend.h"
#include "runtime/core/random.h"
#include "tests/generate/differ_internal.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const way_names[WAYS] = {"text", "passes", "without", "memory", "loops", "steps",
                                     "jit",  "clang",  "gcc",     "lanes",  "slope"};
const int64_t sample_clock[4] = {3, 10, 1, 0};

uint64_t world_draw(World *w) { return dnn_mix64(w->d->seed + 77, w->count++); }

bool world_fail(World *w, const char *kind, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  snprintf(w->d->kind, sizeof w->d->kind, "%s", kind);
  vsnprintf(w->d->what, sizeof w->d->what, fmt, ap);
  va_end(ap);
  return false;
}

int world_outputs(const Entry *e) { return e->n_results + e->n_reports + (int)arrlen(e->writes); }

/* ---- the program with entries that are derived from its own ---- */

/* mapN with `scan` in place of `vmap`. The name stays: random numbers depend on it. */
static void add_loop(Buf *b, const char *entry, const char *end) {
  const char *loop = strstr(entry, " vmap ");
  if (!loop || loop > end) loop = end;
  buf_bytes(b, entry, (size_t)(loop - entry));
  if (loop == end) return;
  buf_str(b, " scan ");
  loop += strlen(" vmap ");
  buf_bytes(b, loop, (size_t)(end - loop));
}

/* A derivative of lossN by x0 in the place of its value: the gradient, the same as a Jacobian, or along one direction,
 * which is the second result. */
static void add_slope(World *w, Buf *b, const char *entry, const char *end) {
  static const char *const derivatives[] = {
      "grad(l, x0)", "grad(l, x0)", "jacobian(l, x0)",
      "let direction = sin(2.7 * x0 + 0.3)\n  (jvp(l, x0, direction), direction)"};
  const char *type = strstr(entry, " -> f32[] {"), *last = end - 3;
  while (last > entry && last[-1] != '\n') last--;
  if (!type || type > last) type = last;
  buf_bytes(b, entry, (size_t)(type - entry));
  if (type < last) {
    type += strlen(" -> f32[]");
    buf_bytes(b, type, (size_t)(last - type));
  }
  buf_str(b, "  let l = ");
  buf_bytes(b, last, (size_t)(end - 3 - last));
  buf_printf(b, "\n  %s\n}\n", derivatives[world_draw(w) % 4]);
}

static void derive(World *w, Buf *b) {
  const char *s = w->d->text, *stop = s + w->d->size;
  for (const char *entry; (entry = strstr(s, "export fn "));) {
    const char *end = strstr(entry, "\n}\n");
    end = end ? end + 3 : stop;
    buf_bytes(b, s, (size_t)(entry - s));
    if (!strncmp(entry, "export fn map", 13)) add_loop(b, entry, end);
    else if (!strncmp(entry, "export fn loss", 14)) add_slope(w, b, entry, end);
    else buf_bytes(b, entry, (size_t)(end - entry));
    s = end;
  }
  buf_str(b, s);
}

/* All passes of an entry; within a limit of memory, when there is one, or with the least that was found. */
static bool passed(Prog *p, Entry *e, const PipelineOpts *o, int64_t limit) {
  int64_t least = 0;
  PipelineRoom room = {.limit = limit};
  for (int i = 0; i < (int)arrlen(e->vars); i++) limit = dim_var_bound(p->dims, e->vars[i]) < 0 ? 0 : limit;
  return limit ? pipeline_within(p, e, o, &room, &least) : pipeline_graph(p, e, o);
}

static Prog *load_text(World *w, const char *text, size_t size, const char *hostile, const char *stop_after,
                       int64_t limit) {
  Diag *diag = diag_new(w->a);
  Prog *p = frontend_load_text(w->a, diag, "generated.dnn", text, size, NULL);
  PipelineOpts o = {.verify = true, .stop_after = stop_after};
  bool ok = p && !diag_errors(diag);
  if (hostile) setenv("DNN_HOSTILE", hostile, 1);
  for (int i = 0; ok && i < (int)arrlen(p->entries); i++) ok = passed(p, &p->entries[i], &o, limit);
  unsetenv("DNN_HOSTILE");
  if (ok) return p;
  char *told = NULL;
  size_t n;
  FILE *f = open_memstream(&told, &n);
  diag_flush(diag, f, 0);
  fclose(f);
  w->d->rejected = true;
  world_fail(w, "check", "%s", told);
  free(told);
  return NULL;
}

Prog *world_load(World *w, const char *hostile, const char *stop_after, int64_t limit) {
  return load_text(w, w->d->text, w->d->size, hostile, stop_after, limit);
}

/* ---- samples ---- */

/* Numbers of few digits, whose ties and sums are exact, or any. */
static void fill(World *w, Tensor *t, DType first) {
  uint64_t seed = world_draw(w);
  bool few = seed & 1;
  tensor_random(t, seed, first == U8 ? 0 : dtype_is_float(first) ? -2 : -20, dtype_is_float(first) ? 2 : 20);
  for (int64_t i = 0; few && dtype_is_float(t->dtype) && i < tensor_count(t); i++)
    tensor_set(t, i, round(tensor_get(t, i) * 8) / 8);
}

static bool evaluate(World *w, const Graph *g, const EvalEnv *env, Tensor *out) {
  Buf why = {0};
  bool ok = graph_eval(w->a, g, env, out, &why);
  if (!ok) world_fail(w, "evaluator", "%s", why.s ? why.s : "?");
  buf_free(&why);
  return ok;
}

static EvalEnv env_of(const World *w, const Sample *s) {
  EvalEnv env = {.vars = s->vars, .inputs = s->in, .cells = s->cells};
  memcpy(env.clock, sample_clock, sizeof env.clock);
  env.clock[3] = dnn_call_key(SAMPLE_SEED, 0, sample_clock[0]);
  return env;
}

static void spread_by(Sample *s, int n, const Tensor *from, const Tensor *other) {
  for (int o = 0; o < n; o++)
    for (int64_t i = 0; i < tensor_count(&from[o]); i++) {
      double x = tensor_get(&from[o], i), y = tensor_get(&other[o], i);
      double d = x == y || (x != x && y != y) ? 0 : isfinite(x) && isfinite(y) ? fabs(x - y) : INFINITY;
      if (d > s->spread[o][i]) s->spread[o][i] = d;
    }
}

static bool begins(const World *w, const Sample *s, const char *stem) {
  return !strncmp(w->ref->entries[s->entry].name, stem, strlen(stem));
}

/* The sizes of a sample for another reading of the program. */
static const int64_t *sizes_for(World *w, const Sample *s, const Prog *p) {
  int64_t *vars = arena_array(w->a, int64_t, dim_var_count(p->dims) + 1);
  for (int k = 0; k < (int)arrlen(p->entries[s->entry].vars); k++) vars[p->entries[s->entry].vars[k]] = s->own[k];
  return vars;
}

/* Some more evaluations that round at random, of this reading of the program. */
static bool ask(World *w, Sample *s, const Prog *p, int times, double noise) {
  const Entry *e = &p->entries[s->entry];
  int n = (int)arrlen(e->graph->outputs) + 1;
  Tensor *out = arena_array(w->a, Tensor, n), *own = arena_array(w->a, Tensor, n), *from = s->want;
  EvalEnv env = env_of(w, s);
  env.vars = sizes_for(w, s, p);
  if (p != w->ref && !evaluate(w, e->graph, &env, from = own)) return false;
  for (int k = 0; k < times; k++) {
    env.noise = noise, env.noise_seed = world_draw(w);
    if (!evaluate(w, e->graph, &env, out)) return false;
    spread_by(s, world_outputs(e), from, out);
  }
  return true;
}

static Tensor *widened(World *w, const Tensor *from, int n) {
  Tensor *to = arena_array(w->a, Tensor, n + 1);
  for (int k = 0; k < n; k++) {
    to[k] = from[k];
    if (!dtype_is_float(from[k].dtype)) continue;
    to[k] = tensor_new(w->a, F64, from[k].rank, from[k].shape);
    for (int64_t i = 0; i < tensor_count(&from[k]); i++) tensor_set(&to[k], i, tensor_get(&from[k], i));
  }
  return to;
}

/* The graph in f64: what rounding has done to the answers altogether. */
static bool ask_wide(World *w, Sample *s) {
  const Entry *e = &w->ref->entries[s->entry];
  EvalEnv env = env_of(w, s);
  env.inputs = widened(w, s->in, (int)arrlen(e->inputs));
  env.cells = widened(w, s->cells, (int)arrlen(w->ref->cells));
  Tensor *out = arena_array(w->a, Tensor, arrlen(e->graph->outputs) + 1);
  if (!evaluate(w, graph_widen(w->a, e->graph), &env, out)) return false;
  spread_by(s, world_outputs(e), s->want, out);
  return true;
}

/* Sizes and inputs of the k-th sample of an entry: the bounds; any sizes; with `some` none is 0. */
static Sample sample_draw(World *w, int entry, int k, bool some) {
  const Entry *e = &w->ref->entries[entry];
  DimTab *dims = w->ref->dims;
  Sample s = {.entry = entry};
  s.vars = arena_array(w->a, int64_t, dim_var_count(dims) + 1);
  s.own = arena_array(w->a, int64_t, arrlen(e->vars) + 1);
  for (int i = 0; i < (int)arrlen(e->vars); i++) {
    int64_t bound = dim_var_bound(dims, e->vars[i]), size = (int64_t)(world_draw(w) % (uint64_t)(bound + 1));
    s.own[i] = s.vars[e->vars[i]] = k == 0 ? bound : some && !size ? 1 : size;
  }
  s.in = arena_array(w->a, Tensor, arrlen(e->inputs) + 1);
  for (int i = 0; i < (int)arrlen(e->inputs); i++) {
    s.in[i] = tensor_of_type(w->a, dims, e->inputs[i].type, s.vars);
    fill(w, &s.in[i], e->inputs[i].type.dtype);
  }
  s.want = arena_array(w->a, Tensor, arrlen(e->graph->outputs) + 1);
  return s;
}

/* The cells behind the sample before, when it was one of the same step: its first call or its second. */
static Tensor *cells_for(World *w, int entry, int k) {
  const Entry *e = &w->ref->entries[entry];
  int n = (int)arrlen(w->ref->cells);
  if (!k || !arrlen(e->writes)) return w->cells;
  const Sample *before = &w->samples[arrlen(w->samples) - 1];
  Tensor *cells = arena_copy(w->a, before->cells, sizeof *cells * (size_t)n);
  for (int i = 0; i < (int)arrlen(e->writes); i++) cells[e->writes[i]] = before->want[e->n_results + e->n_reports + i];
  return cells;
}

bool sample_make(World *w, int entry, int k) {
  const Entry *e = &w->ref->entries[entry];
  Sample s = sample_draw(w, entry, k, false);
  s.cells = cells_for(w, entry, k);
  EvalEnv env = env_of(w, &s);
  if (!evaluate(w, e->graph, &env, s.want)) { /* an axis of no elements may have been indexed */
    w->d->kind[0] = 0;
    s = sample_draw(w, entry, k, true);
    s.cells = cells_for(w, entry, k);
    env = env_of(w, &s);
    if (!evaluate(w, e->graph, &env, s.want)) return false;
  }
  int n = world_outputs(e);
  s.spread = arena_array(w->a, double *, n + 1);
  for (int o = 0; o < n; o++) s.spread[o] = arena_array(w->a, double, tensor_count(&s.want[o]) + 1);
  if (!ask(w, &s, w->ref, 3, 4)) return false;
  arrput(w->samples, s);
  return true;
}

static double unit(DType t) { return t == F64 ? 0x1p-53 : t == F32 ? 0x1p-24 : t == F16 ? 0x1p-11 : 0x1p-8; }

/* The first element that is too far off; -1: none is. */
static int64_t off(const World *w, const Sample *s, int o, const Tensor *got) {
  const Tensor *want = &s->want[o];
  for (int64_t i = 0; i < tensor_count(want); i++) {
    double x = tensor_get(want, i), y = tensor_get(got, i), spread = s->spread[o][i];
    if (x == y || (x != x && y != y)) continue;
    if (!isfinite(x) && (w->half || !isfinite(y) || spread > 0)) continue;
    if (isfinite(x) && !isfinite(y) && w->half) continue;
    double most = 6 * spread;
    if (dtype_is_float(want->dtype)) most += 8 * unit(want->dtype) * fabs(x) + 0x1p-100;
    if (!(fabs(x - y) <= most)) return i;
  }
  return -1;
}

bool sample_check(World *w, const char *way, Sample *s, const Tensor *got, const Prog *by) {
  const Entry *e = &w->ref->entries[s->entry];
  for (int o = 0; o < world_outputs(e); o++) {
    int64_t at = off(w, s, o, &got[o]);
    if (at >= 0 && !s->asked) {
      s->asked = true;
      if (!ask(w, s, w->ref, 12, 8) || !ask(w, s, w->ref, 12, 32) || !ask_wide(w, s)) return false;
      if (by != w->ref && !ask(w, s, by, 12, 8)) return false;
      at = off(w, s, o, &got[o]);
    }
    if (at < 0) continue;
    return world_fail(w, way, "%s, output %d, element %lld of %lld: %.9g, not %.9g (spread %.3g)", e->name, o,
                      (long long)at, (long long)tensor_count(&got[o]), tensor_get(&got[o], at),
                      tensor_get(&s->want[o], at), s->spread[o][at]);
  }
  return true;
}

bool same_bits(World *w, const char *way, const Sample *s, const Tensor *a, const Tensor *b) {
  const Entry *e = &w->ref->entries[s->entry];
  for (int o = 0; o < world_outputs(e); o++) {
    int size = dtype_size(a[o].dtype);
    for (int64_t i = 0; i < tensor_count(&a[o]); i++)
      if (memcmp((char *)a[o].data + i * size, (char *)b[o].data + i * size, (size_t)size))
        return world_fail(w, way, "%s, output %d, element %lld: bits of %.9g and %.9g", e->name, o, (long long)i,
                          tensor_get(&a[o], i), tensor_get(&b[o], i));
  }
  return true;
}

/* ---- ways without lowering ---- */

static bool way_passes(World *w, const char *way, const char *hostile, int64_t limit) {
  Prog *p = world_load(w, hostile, NULL, limit);
  if (!p) return false;
  for (int i = 0; i < (int)arrlen(w->samples); i++) {
    Sample *s = &w->samples[i];
    const Graph *g = p->entries[s->entry].graph;
    Tensor *out = arena_array(w->a, Tensor, arrlen(g->outputs) + 1);
    EvalEnv env = env_of(w, s);
    env.vars = sizes_for(w, s, p);
    if (!evaluate(w, g, &env, out) || !sample_check(w, way, s, out, p)) return false;
  }
  return true;
}

static bool way_lanes(World *w, Sample *s) {
  const Entry *e = &w->derived->entries[s->entry];
  Tensor *out = arena_array(w->a, Tensor, arrlen(e->graph->outputs) + 1);
  EvalEnv env = env_of(w, s);
  env.vars = sizes_for(w, s, w->derived);
  w->d->compared[WAY_LANES]++;
  return evaluate(w, e->graph, &env, out) && sample_check(w, "lanes", s, out, w->derived);
}

typedef struct Slope {
  const Graph *loss;
  EvalEnv env;
  Tensor *in, x, direction;
} Slope;

/* The loss at x + h * direction; NaN when it cannot be told. */
static double loss_at(World *w, Slope *p, double h) {
  Tensor out[8];
  for (int64_t i = 0; i < tensor_count(&p->x); i++)
    tensor_set(&p->in[0], i, tensor_get(&p->x, i) + h * tensor_get(&p->direction, i));
  return evaluate(w, p->loss, &p->env, out) ? tensor_get(&out[0], 0) : NAN;
}

/* Differences of two widths agree, from both sides, and the derivative says something else. */
static bool slope_differs(World *w, Slope *p, double told, double *found) {
  static const double widths[2] = {1e-5, 1e-6};
  double middle = loss_at(w, p, 0), rate[4];
  for (int k = 0; k < 2; k++) {
    rate[2 * k] = (loss_at(w, p, widths[k]) - middle) / widths[k];
    rate[2 * k + 1] = (middle - loss_at(w, p, -widths[k])) / widths[k];
  }
  *found = (rate[2] + rate[3]) / 2;
  double least = fmin(fmin(rate[0], rate[1]), fmin(rate[2], rate[3]));
  double most = fmax(fmax(rate[0], rate[1]), fmax(rate[2], rate[3])), scale = fabs(*found) + 0.01;
  if (fabs(middle) > 1e3 || scale > 1e3) return false; /* steps of floor and round may look like a slope */
  return most - least < 2e-3 * scale && fabs(told - *found) > 4 * (most - least) + 5e-4 * scale;
}

static bool way_slope(World *w, Sample *s) {
  const Entry *e = &w->derived->entries[s->entry], *l = &w->ref->entries[s->entry];
  int n = (int)arrlen(e->inputs), n_told = (int)arrlen(e->graph->outputs);
  EvalEnv env = env_of(w, s);
  env.inputs = widened(w, s->in, n);
  env.cells = widened(w, s->cells, (int)arrlen(w->ref->cells));
  Slope p = {.loss = graph_widen(w->a, l->graph), .env = env, .in = widened(w, s->in, n), .x = env.inputs[0]};
  env.vars = sizes_for(w, s, w->derived);
  Tensor told[2];
  w->d->compared[WAY_SLOPE]++;
  if (n_told > 2 || !evaluate(w, graph_widen(w->a, e->graph), &env, told)) return false;
  p.env.inputs = p.in;
  p.direction = n_told == 2 ? told[1] : tensor_new(w->a, F64, p.x.rank, p.x.shape);
  for (int turn = 0; turn < (n_told == 2 ? 1 : 2); turn++) {
    double along = 0, found;
    if (n_told == 1) tensor_random(&p.direction, world_draw(w), -1, 1);
    for (int64_t i = 0; n_told == 1 && i < tensor_count(&told[0]); i++)
      along += tensor_get(&told[0], i) * tensor_get(&p.direction, i);
    if (n_told == 2) along = tensor_get(&told[0], 0);
    if (slope_differs(w, &p, along, &found))
      return world_fail(w, "slope", "%s: the derivative says %.9g, differences %.9g", e->name, along, found);
  }
  return true;
}

static bool way_derived(World *w) {
  Buf text = {0};
  w->count = 6 << 20;
  derive(w, &text);
  w->count = 5 << 20;
  w->derived = load_text(w, arena_strndup(w->a, text.s, text.n), text.n, NULL, "expand", 0);
  buf_free(&text);
  for (int i = 0; w->derived && i < (int)arrlen(w->samples); i++) {
    Sample *s = &w->samples[i];
    if (w->d->ways >> WAY_LANES & 1 && begins(w, s, "map") && !way_lanes(w, s)) return false;
    if (w->d->ways >> WAY_SLOPE & 1 && begins(w, s, "loss") && !way_slope(w, s)) return false;
  }
  return w->derived != NULL;
}

/* ---- all ---- */

/* Elements that the evaluator computes, at the bounds. */
static double work_of(const Graph *g) {
  double work = 0;
  for (NodeId n = 1; n < (NodeId)arrlen(g->nodes); n++) {
    const Node *x = graph_node(g, n);
    double times = 1;
    if (x->op == OP_scan || x->op == OP_vmap) times = (double)dim_upper(g->dims, node_dim(x, A_length));
    if (x->op == OP_while) times = (double)dim_upper(g->dims, node_dim(x, A_limit));
    for (int k = 0; k < x->n_regions; k++) work += times * work_of(x->regions[k]);
    if (x->type.dtype != TUPLE) work += (double)dim_upper(g->dims, type_count(g->dims, x->type));
    if (op_info[x->op].cls == REDUCE) work += (double)dim_upper(g->dims, type_count(g->dims, graph_type(g, x->in[0])));
  }
  return work;
}

static bool prepare(World *w) {
  static const double most = 4e6;
  w->ref = world_load(w, NULL, "expand", 0);
  if (!w->ref) return false;
  for (int i = 0; i < (int)arrlen(w->ref->entries); i++)
    if (work_of(w->ref->entries[i].graph) > most) {
      w->d->rejected = true;
      return world_fail(w, "work", "%s takes too long", w->ref->entries[i].name);
    }
  w->half = strstr(w->d->text, "f16") != NULL;
  int n = (int)arrlen(w->ref->cells);
  w->cells = arena_array(w->a, Tensor, n + 1);
  for (int i = 0; i < n; i++) w->cells[i] = tensor_of_type(w->a, w->ref->dims, w->ref->cells[i].type, NULL);
  if (!sample_make(w, w->ref->init, 0)) return false;
  const Entry *init = &w->ref->entries[w->ref->init];
  for (int i = 0; i < (int)arrlen(init->writes); i++) w->cells[init->writes[i]] = w->samples[0].want[i];
  for (int i = 0; i < (int)arrlen(w->ref->entries); i++)
    for (int k = 0; k < SAMPLES && i != w->ref->init; k++)
      if (!sample_make(w, i, k)) return false;
  return true;
}

/* Some passes are left out, and the nodes stand in another order. */
static const char *other_passes(World *w) {
  const char *text = world_draw(w) % 4 ? "" : "text,"; /* and every graph is printed and read */
  const char *s = arena_printf(w->a, "%snodes=%d,without=", text, (int)(world_draw(w) % 1000));
  uint64_t bits = world_draw(w) & world_draw(w);
  for (int i = 0; i < pass_count; i++)
    if (bits >> i & 1) s = arena_printf(w->a, "%s%s+", s, pass_table[i].name);
  return s;
}

/* The layout of the text: laid out again it stays, and it means the same graphs. */
static bool way_text(World *w) {
  Buf text[2] = {{0}}, graph[2] = {{0}};
  const char *from = w->d->text;
  for (int k = 0; k < 2; k++) {
    Diag *diag = diag_new(w->a);
    uint32_t source = diag_add_source(diag, "generated.dnn", from, strlen(from), 0);
    if (!fmt_source(w->a, diag, source, &text[k])) return world_fail(w, "text", "it cannot be laid out");
    from = text[k].s;
  }
  bool ok = !strcmp(text[0].s, text[1].s) || world_fail(w, "text", "laid out twice it is another text");
  for (int k = 0; ok && k < 2; k++) {
    Prog *p = load_text(w, k ? text[0].s : w->d->text, k ? text[0].n : w->d->size, NULL, "expand", 0);
    ok = p != NULL;
    for (int i = 0; ok && i < (int)arrlen(p->entries); i++) graph_print(p->entries[i].graph, &graph[k]);
  }
  if (ok && strcmp(graph[0].s, graph[1].s)) ok = world_fail(w, "text", "laid out it means another program");
  for (int k = 0; k < 2; k++) buf_free(&text[k]), buf_free(&graph[k]);
  return ok;
}

static void run(World *w) {
  unsigned ways = w->d->ways;
  if (!prepare(w)) return;
  if (ways >> WAY_TEXT & 1 && (w->d->compared[WAY_TEXT]++, !way_text(w))) return;
  if (ways & (1u << WAY_LANES | 1u << WAY_SLOPE) && !way_derived(w)) return;
  w->count = 1 << 20; /* what is drawn for one way depends on no other */
  const char *hostile = other_passes(w);
  if (ways >> WAY_PASSES & 1 && (w->d->compared[WAY_PASSES]++, !way_passes(w, "passes", NULL, 0))) return;
  if (ways >> WAY_WITHOUT & 1 && (w->d->compared[WAY_WITHOUT]++, !way_passes(w, "without", hostile, 0))) return;
  bool derives = strstr(w->d->text, "grad(") || strstr(w->d->text, "update ");
  w->count = 2 << 20;
  int64_t limit = 256ll << world_draw(w) % 8;
  if (derives && ways >> WAY_MEMORY & 1 && (w->d->compared[WAY_MEMORY]++, !way_passes(w, "memory", NULL, limit)))
    return;
  w->count = 3 << 20;
  if (ways & (1u << WAY_LOOPS | 1u << WAY_STEPS) && !way_loops(w)) return;
  w->count = 4 << 20;
  if (ways & (1u << WAY_JIT | 1u << WAY_CLANG | 1u << WAY_GCC)) way_code(w);
}

void differ_run(Differ *d) {
  DsHeap heap = {0}, *before = ds_heap_use(&heap);
  World w = {.a = arena_new(), .d = d};
  d->kind[0] = d->what[0] = 0, d->rejected = false;
  run(&w);
  arena_free(w.a);
  ds_heap_use(before);
  ds_heap_free(&heap);
}
