/* Gradient rules of control flow, in the order of ir/ops.def: the reverse of a scan is a scan, that of a branch a
 * branch. What they make are ordinary ops again, so gradients have every order. The forward op is changed in its place:
 * it gets further results, the values that its reverse needs. */
#include "base/ds.h"
#include "passes/grad_joint.h"
#include <stdlib.h>
#include <string.h>
#define RULE(name) void grad_##name(Grad *c, NodeId n, NodeId dy)

/* The results of an op of several hand their gradients to it. */
RULE(get) {
  NodeId t = operand(c, n, 0);
  int i = (int)node_int(c->g, graph_node(c->g, n), A_index);
  if (!c->parts[t]) c->parts[t] = arena_array(c->g->arena, NodeId, graph_node(c->g, t)->n_results);
  c->parts[t][i] = c->parts[t][i] ? add(c, c->parts[t][i], dy) : dy;
  c->adj[t] = dy;
}

/* ---- building a region and its node ---- */

typedef struct Build {
  Grad *c;
  Graph *body;
  NodeId *in; /* stb_ds: operands of the node */
  Attr attr[4];
  int n_attrs;
} Build;

static Build build_begin(Grad *c) { return (Build){.c = c, .body = graph_new(c->g->arena, c->g->dims, c->g->diag)}; }

/* A further operand; gives its node in the body, of type t. */
static NodeId build_input(Build *b, NodeId x, Type t) {
  arrput(b->in, x);
  return g_input(b->body, b->c->loc, t);
}

static NodeId build_end(Build *b, Op op, Graph *const *regions, int n_regions) {
  NodeId n =
      graph_add_region(b->c->g, op, b->c->loc, b->in, (int)arrlen(b->in), b->attr, b->n_attrs, regions, n_regions);
  arrfree(b->in);
  return n;
}

static Graph *empty_body(Grad *c) { return graph_new(c->g->arena, c->g->dims, c->g->diag); }

/* The forward op's new bodies and results. The results it had keep their numbers. */
static void replace_regions(Grad *c, NodeId n, Graph *const *regions, const Type *results, int n_results) {
  Node *d = &c->g->nodes[n];
  d->regions = arena_copy(c->g->arena, regions, sizeof *regions * d->n_regions);
  d->results = arena_copy(c->g->arena, results, sizeof *results * (size_t)n_results);
  d->n_results = n_results;
}

static bool *flags(Grad *c, int n) { return arena_array(c->g->arena, bool, n + 1); }

/* Operands from `first` on that are active: what a gradient is wanted for. */
static bool *wanted_operands(Grad *c, NodeId n, int first) {
  int n_in = graph_node(c->g, n)->n_in;
  bool *w = flags(c, n_in);
  for (int k = first; k < n_in; k++) w[k - first] = grad_wants(c, n, k);
  return w;
}

static bool *seeded_results(Grad *c, NodeId n) {
  int n_results = graph_node(c->g, n)->n_results;
  bool *s = flags(c, n_results);
  for (int i = 0; i < n_results; i++) s[i] = c->parts[n] && c->parts[n][i];
  return s;
}

/* Results of region op `r`, from number `at` on, for the operands of n that have a flag in `given`. */
static void give_results(Grad *c, NodeId n, NodeId r, int at, int first, const bool *given, int count) {
  for (int k = 0; k < count; k++)
    if (given[k]) grad_give(c, n, first + k, g_get(c->g, c->loc, r, at++));
}

/* ---- cond ---- */

/* Values that the reverse of either branch keeps share results of the forward cond where their types are equal. */
typedef struct Slots {
  Type *types; /* stb_ds: results of the forward cond, its own first */
  int n_own;
} Slots;

/* Which result holds kept value i of branch j; appends results that are missing. */
static int *assign_slots(Grad *c, const Joint *j, Slots *s) {
  int n_kept = (int)arrlen(j->keep), *slot = arena_array(c->g->arena, int, n_kept + 1);
  bool *taken = flags(c, (int)arrlen(s->types) + n_kept);
  for (int i = 0; i < n_kept; i++) {
    Type t = graph_type(j->g, j->keep[i]);
    slot[i] = -1;
    for (int m = 0; m < s->n_own && slot[i] < 0; m++)
      if (j->g->outputs[m] == j->keep[i]) slot[i] = m;
    for (int m = s->n_own; m < (int)arrlen(s->types) && slot[i] < 0; m++)
      if (!taken[m] && type_same(s->types[m], t)) slot[i] = m;
    if (slot[i] < 0) {
      slot[i] = (int)arrlen(s->types);
      arrput(s->types, t);
    }
    taken[slot[i]] = true;
  }
  return slot;
}

static Graph *cond_forward(Grad *c, const Joint *j, const Slots *s, const int *slot) {
  Graph *f = joint_forward(j);
  for (int m = s->n_own; m < (int)arrlen(s->types); m++) {
    NodeId v = 0;
    for (int i = 0; i < (int)arrlen(j->keep); i++)
      if (slot[i] == m) v = j->keep[i];
    arrput(f->outputs, v ? v : g_full(f, c->loc, 0, s->types[m]));
  }
  return f;
}

typedef struct CondReverse {
  Joint j[2];
  int *slot[2];
  NodeId *in; /* stb_ds: operands of the reverse */
  int *what;  /* stb_ds: for each: input i as i, result m as -1 - m, gradient of result m as 1000000 + m */
} CondReverse;
enum { GRADIENT_OF = 1000000 };

static NodeId *place_of(const CondReverse *r, int b, int what, NodeId *map) {
  const Joint *j = &r->j[b];
  if (what >= GRADIENT_OF) return j->us[what - GRADIENT_OF] ? &map[j->us[what - GRADIENT_OF]] : NULL;
  if (what >= 0) return j->in[what] ? &map[j->in[what]] : NULL;
  for (int i = 0; i < (int)arrlen(j->keep); i++)
    if (r->slot[b][i] == -1 - what) return &map[j->keep[i]];
  return NULL;
}

/* Branch b of the reverse; gives a gradient, if only zeros, for each input in `given`. */
static Graph *cond_branch(Grad *c, const CondReverse *r, int b, const bool *given) {
  const Joint *j = &r->j[b];
  Graph *body = empty_body(c);
  NodeId *map = joint_map(j);
  for (int k = 1; k < (int)arrlen(r->in); k++) {
    NodeId x = g_input(body, c->loc, graph_type(c->g, r->in[k])), *p = place_of(r, b, r->what[k], map);
    if (p) *p = x;
  }
  joint_reverse(j, body, map);
  for (int i = 0; i < j->n_in; i++) {
    if (!given[i]) continue;
    NodeId zero = j->dxs[i] ? 0 : g_full(body, c->loc, 0, j->g->input_types[i]);
    arrput(body->outputs, j->dxs[i] ? map[j->dxs[i]] : zero);
  }
  return body;
}

static void cond_operand(CondReverse *r, NodeId x, int what) {
  arrput(r->in, x);
  arrput(r->what, what);
}

RULE(cond) {
  (void)dy;
  Node d = *graph_node(c->g, n);
  bool *wanted = wanted_operands(c, n, 1), *seeded = seeded_results(c, n), *given = flags(c, d.n_in), any = false;
  CondReverse r = {0};
  Slots s = {.n_own = d.n_results};
  for (int i = 0; i < d.n_results; i++) arrput(s.types, d.results[i]);
  for (int b = 0; b < 2; b++) {
    joint_build(c, d.regions[b], seeded, wanted, &r.j[b]);
    joint_needs(&r.j[b], 0);
    r.slot[b] = assign_slots(c, &r.j[b], &s);
    for (int i = 0; i < d.n_in - 1; i++) any |= given[i] |= r.j[b].dxs[i] != 0;
  }
  if (any && !c->failed) {
    Graph *forward[2], *back[2];
    for (int b = 0; b < 2; b++) forward[b] = cond_forward(c, &r.j[b], &s, r.slot[b]);
    replace_regions(c, n, forward, s.types, (int)arrlen(s.types));
    cond_operand(&r, d.in[0], 0);
    for (int i = 0; i < d.n_in - 1; i++)
      if (joint_needs_input(&r.j[0], i) || joint_needs_input(&r.j[1], i)) cond_operand(&r, d.in[1 + i], i);
    bool *used = flags(c, (int)arrlen(s.types));
    for (int b = 0; b < 2; b++)
      for (int i = 0; i < (int)arrlen(r.j[b].keep); i++) used[r.slot[b][i]] = true;
    for (int m = 0; m < (int)arrlen(s.types); m++)
      if (used[m]) cond_operand(&r, g_get(c->g, c->loc, n, m), -1 - m);
    for (int m = 0; m < d.n_results; m++)
      if (seeded[m]) cond_operand(&r, c->parts[n][m], GRADIENT_OF + m);
    for (int b = 0; b < 2; b++) back[b] = cond_branch(c, &r, b, given);
    NodeId t = graph_add_region(c->g, OP_cond, c->loc, r.in, (int)arrlen(r.in), NULL, 0, back, 2);
    give_results(c, n, t, 0, 1, given, d.n_in - 1);
  }
  for (int b = 0; b < 2; b++) joint_free(&r.j[b]);
  arrfree(r.in), arrfree(r.what), arrfree(s.types);
}

/* ---- checkpoint, custom_grad ---- */

/* The body and its reverse in one region: nothing but operands and gradients of results goes in. */
RULE(checkpoint) {
  (void)dy;
  Node d = *graph_node(c->g, n);
  bool *given = flags(c, d.n_in), any = false;
  Joint j;
  joint_build(c, d.regions[0], seeded_results(c, n), wanted_operands(c, n, 0), &j);
  joint_needs(&j, -1);
  for (int i = 0; i < d.n_in; i++) any |= given[i] = j.dxs[i] != 0;
  if (any && !c->failed) {
    Build b = build_begin(c);
    NodeId *map = joint_map(&j);
    for (int i = 0; i < d.n_in; i++)
      if (joint_needs_input(&j, i)) map[j.in[i]] = build_input(&b, d.in[i], j.g->input_types[i]);
    for (int m = 0; m < d.n_results; m++)
      if (j.us[m]) map[j.us[m]] = build_input(&b, c->parts[n][m], d.results[m]);
    joint_reverse(&j, b.body, map);
    for (int i = 0; i < d.n_in; i++)
      if (given[i]) arrput(b.body->outputs, map[j.dxs[i]]);
    b.attr[b.n_attrs++] = attr_int(c->g, A_again, 1);
    give_results(c, n, build_end(&b, OP_checkpoint, &b.body, 1), 0, 0, given, d.n_in);
  }
  joint_free(&j);
}

/* The user's backward, with zeros for gradients that nobody asked for. */
RULE(custom_grad) {
  (void)dy;
  Node d = *graph_node(c->g, n);
  NodeId *in = arena_array(c->g->arena, NodeId, d.n_in + 2 * d.n_results + 1);
  NodeId *dxs = arena_array(c->g->arena, NodeId, d.n_in + 1);
  memcpy(in, d.in, sizeof *in * (size_t)d.n_in);
  for (int i = 0; i < d.n_results; i++) {
    in[d.n_in + i] = g_get(c->g, c->loc, n, i);
    NodeId part = c->parts[n] ? c->parts[n][i] : 0;
    in[d.n_in + d.n_results + i] = part ? part : g_full(c->g, c->loc, 0, d.results[i]);
  }
  graph_inline(c->g, d.regions[1], in, dxs);
  for (int k = 0, i = 0; k < d.n_in; k++) {
    if (!dtype_is_float(operand_type(c, n, k).dtype)) continue;
    GIVE(k, dxs[i]);
    i++;
  }
}
