#include "library/gradients.h"
#include "base/ds.h"
#include "library/batch.h"
#include "passes/rewrite.h"
#include "runtime/core/random.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is compiled beside ---- */

static bool takes_gradients(const Graph *g) {
  for (NodeId n = 1; n < (NodeId)arrlen(g->nodes); n++) {
    const Node *d = graph_node(g, n);
    if (grad_is_taken((Op)d->op)) return true;
    for (int k = 0; k < d->n_regions; k++)
      if (takes_gradients(d->regions[k])) return true;
  }
  return false;
}

/* An entry that returns the gradients which entry x takes in its own graph, in the order of grad_check. */
static Entry returning(Arena *a, const Entry *x, int *n_sites) {
  Entry e = {.name = arena_printf(a, "gradients of %s", x->name),
             .kind = DNN_EXPORT,
             .inputs = x->inputs,
             .vars = x->vars,
             .loc = x->loc,
             .graph = graph_clone(a, x->graph)};
  Graph *g = e.graph;
  NodeId end = (NodeId)arrlen(g->nodes);
  arrsetlen(g->outputs, 0);
  *n_sites = 0;
  for (NodeId n = 1; n < end; n++) {
    Node d = *graph_node(g, n);
    if (!grad_is_taken((Op)d.op)) continue;
    ++*n_sites;
    for (int k = 0; k < (d.type.dtype == TUPLE ? d.n_results : 1); k++) {
      NodeId dx = d.type.dtype == TUPLE ? g_get(g, d.loc, n, k) : n;
      Port p = {.name = arena_printf(a, "d%d", (int)arrlen(e.outputs)), .type = graph_type(g, dx), .below = DIM_NONE};
      p.loc = d.loc;
      arrput(g->outputs, dx);
      arrput(e.outputs, p);
    }
  }
  e.n_results = (int)arrlen(g->outputs);
  return e;
}

/* Feeds of fewer records, where the entry takes any number of them. */
static void shorten(Session *s, int entry, int64_t rows) {
  for (int i = 0; i < (int)arrlen(s->prog->actions); i++) {
    DnnAction *run = &s->prog->actions[i];
    const Entry *x = &s->prog->entries[entry];
    if (run->kind != DNN_RUN || run->entry != entry || !run->n_feeds) continue;
    bool open = true;
    for (int k = 0; k < (int)arrlen(x->inputs); k++)
      open &= x->inputs[k].type.rank > 0 && !dim_is_int(s->prog->dims, x->inputs[k].type.shape[0], NULL);
    DnnFeed *feeds = arena_copy(s->arena, run->feeds, sizeof *feeds * (size_t)run->n_feeds);
    for (int k = 0; k < run->n_feeds; k++)
      if (open && feeds[k].batch > rows) feeds[k].batch = rows;
    run->feeds = feeds;
  }
}

/* ---- the evaluator's view ---- */

/* Data in memory as the evaluator's f64. */
static Tensor widened(Arena *a, const DimTab *dims, Type t, const int64_t *vars, const void *data) {
  int64_t shape[MAX_RANK];
  for (int k = 0; k < t.rank; k++) shape[k] = dim_eval(dims, t.shape[k], vars);
  Tensor from = {t.dtype, t.rank, {0}, (void *)(uintptr_t)data};
  memcpy(from.shape, shape, sizeof *shape * (size_t)t.rank);
  Tensor to = tensor_new(a, dtype_is_float(t.dtype) ? F64 : t.dtype, t.rank, shape);
  if (to.dtype == from.dtype) memcpy(to.data, from.data, (size_t)tensor_bytes(&to));
  else
    for (int64_t k = 0, n = tensor_count(&to); k < n; k++) tensor_set(&to, k, tensor_get(&from, k));
  return to;
}

static void mark_cells(const Graph *g, bool *used) {
  for (NodeId n = 1; n < (NodeId)arrlen(g->nodes); n++) {
    const Node *d = graph_node(g, n);
    if (d->op == OP_cell) used[node_int(g, d, A_cell)] = true;
    for (int k = 0; k < d->n_regions; k++) mark_cells(d->regions[k], used);
  }
}

static EvalEnv env_of(Machine *m, Arena *a, const Graph *g, const Entry *x, const Batch *b) {
  const Prog *prog = m->s.prog;
  const DnnContext *c = &m->context;
  int n_cells = (int)arrlen(prog->cells), n_vars = dim_var_count(prog->dims);
  int64_t *vars = arena_array(a, int64_t, n_vars + 1);
  for (int k = 0; k < (int)arrlen(x->vars); k++) vars[x->vars[k]] = b->vars[k];
  Tensor *inputs = arena_array(a, Tensor, g->n_inputs + 1), *cells = arena_array(a, Tensor, n_cells + 1);
  for (int i = 0; i < g->n_inputs; i++) inputs[i] = widened(a, prog->dims, x->inputs[i].type, vars, b->in[i]);
  bool *used = arena_array(a, bool, n_cells + 1);
  mark_cells(g, used);
  for (int i = 0; i < n_cells; i++)
    if (used[i]) cells[i] = widened(a, prog->dims, prog->cells[i].type, vars, c->cells + m->s.program->cells[i].offset);
  int64_t key = dnn_call_key(c->seed, c->stage, c->step);
  return (EvalEnv){.vars = vars, .inputs = inputs, .cells = cells, .clock = {c->step, c->steps, c->epoch, key}};
}

/* ---- the compiled program ---- */

static double distance(const Tensor *have, const Tensor *want, double *length) {
  double d = 0;
  for (int64_t k = 0, n = tensor_count(want); k < n; k++) {
    double h = tensor_get(have, k), w = tensor_get(want, k);
    d += (h - w) * (h - w), *length += w * w;
  }
  return d;
}

/* The gradients that entry `at` of the program returns, against those of the first sites. */
static void check_compiled(Machine *m, Arena *a, int at, const Batch *b, const EvalEnv *env, GradEntry *r) {
  const DnnEntry *x = &m->s.program->entries[at];
  const Entry *e = &m->s.prog->entries[at];
  void **out = arena_array(a, void *, x->n_results + 1);
  Tensor *t = arena_array(a, Tensor, x->n_results + 1);
  for (int i = 0; i < x->n_results; i++)
    t[i] = tensor_of_type(a, m->s.prog->dims, e->outputs[i].type, env->vars), out[i] = t[i].data;
  if (x->call(&m->context, b->vars, b->in, out)) {
    dnn_call_failed(m->s.program, &m->context, x->name, &m->error);
    r->failed = arena_strdup(m->s.arena, m->error.text);
    return;
  }
  int next = 0, site = 0;
  for (ptrdiff_t k = 0; k < arrlen(r->sites) && site < r->n_compiled; k++) {
    const GradSite *s = &r->sites[k];
    if (s->depth) continue;
    site++;
    double d = 0, length = 0;
    for (int i = 0; i < s->n_results; i++, next++)
      if (s->results) d += distance(&t[next], &s->results[i], &length);
    if (!s->results) continue;
    double share = length > 0 ? sqrt(d / length) : sqrt(d);
    if (!(share <= r->compiled)) r->compiled = share;
  }
}

/* ---- all of it ---- */

static Status choose(Machine *m, const char *called, GradEntry **list) {
  Session *s = &m->s;
  int only = -1;
  Status status = called ? session_entry(s, called, 1u << DNN_EXPORT | 1u << DNN_STEP, &only) : STATUS_OK;
  for (int i = 0; i < (int)arrlen(s->prog->entries) && !status; i++) {
    const Entry *x = &s->prog->entries[i];
    bool kind = x->kind == DNN_EXPORT || x->kind == DNN_STEP;
    if (!kind || (only >= 0 && i != only) || !takes_gradients(x->graph)) continue;
    GradEntry e = {.entry = i, .name = x->name, .compiled = -1};
    arrput(*list, e);
  }
  return status;
}

/* Makes the entries that return gradients; the clones of the graphs as they are before the passes. */
static Graph **prepare(Machine *m, int64_t rows, GradEntry *list, int *at) {
  Session *s = &m->s;
  Prog *prog = s->prog;
  int n = (int)arrlen(list);
  Graph **graphs = arena_array(s->arena, Graph *, n + 1);
  s->needed = arena_array(s->arena, bool, (int)arrlen(prog->entries) + n + 1);
  for (int i = 0; i < (int)arrlen(prog->entries); i++)
    s->needed[i] = i == prog->init || prog->entries[i].kind == DNN_RECORD;
  for (int i = 0; i < n; i++) {
    graphs[i] = graph_widen(s->arena, prog->entries[list[i].entry].graph);
    shorten(s, list[i].entry, rows);
    Entry e = returning(s->arena, &prog->entries[list[i].entry], &list[i].n_compiled);
    at[i] = -1;
    if (!e.n_results) continue;
    at[i] = (int)arrlen(prog->entries);
    s->needed[at[i]] = true;
    arrput(prog->entries, e);
  }
  s->manifest.usable = false; /* the next one to start this program is not to get these entries */
  return graphs;
}

static void check_entry(Machine *m, const Graph *g, int compiled, int64_t rows, GradEntry *r) {
  Batch b = {0};
  Arena *a = arena_new();
  bool fed;
  if (!batch_real(m, r->entry, &b, &fed)) {
    r->made_up = m->s.program->entries[r->entry].n_inputs > 0;
    if (fed) r->why = arena_strdup(m->s.arena, m->error.text);
    batch_made_up(a, &m->s.program->entries[r->entry], rows, &b);
  }
  m->context.stage = 1, m->context.step = 0, m->context.epoch = 0, m->context.steps = 1;
  EvalEnv env = env_of(m, a, g, &m->s.prog->entries[r->entry], &b);
  r->sites = grad_check(m->s.arena, g, &env);
  if (compiled >= 0) check_compiled(m, a, compiled, &b, &env, r);
  arena_free(a);
  batch_close(&b);
}

Status gradients_check(Machine *m, const char *called, int64_t rows, GradEntry **out) {
  *out = NULL;
  Status status = m->s.prog ? STATUS_OK : session_elaborate(&m->s);
  if (!status) status = choose(m, called, out);
  int n = (int)arrlen(*out);
  if (status || !n) return status;
  int *at = arena_array(m->s.arena, int, n + 1);
  Graph **graphs = prepare(m, rows, *out, at);
  status = machine_compile(m, NULL);
  for (int i = 0; i < n && !status; i++) check_entry(m, graphs[i], at[i], rows, &(*out)[i]);
  return status;
}

void gradients_free(GradEntry *list) {
  for (ptrdiff_t i = 0; i < arrlen(list); i++) grad_check_free(list[i].sites);
  arrfree(list);
}
