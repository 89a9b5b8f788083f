/* trim: what goes into a region and comes out of it without need is left out.
 *
 *   before  t = scan(a, b; x; 2, w, w) { a', b', y, y }; out get t, 0        after  t = scan(a; ; w) { a' }
 *
 *   results      that nobody reads; carried values that only they themselves need; a second stack of one value
 *   passed on    a carried value that no iteration changes is a capture, its result the operand
 *   operands     that no body reads; the same operand twice; constants and repetitions, which are made inside
 *
 * Why here: the gradients of control flow keep values that nobody may want in the end, and zeros come from all over.
 * Needs: expanded transformations. Keeps: bits. Breaks: nothing. */
#include "passes/rewrite.h"
#include "base/ds.h"
#include <stdlib.h>
#include <string.h>

static void trim_graph(Graph *g);

/* A region op while it is trimmed. */
typedef struct Trim {
  Graph *g;
  NodeId n;
  Node d;
  bool *need; /* by result */
  int first;  /* operand of the bodies' input 0: 1 for cond */
  int n_in;   /* inputs of the bodies */
  int carried, rows;
  NodeId *alias; /* by result: the node outside that it is, or 0 */
  int *renamed;  /* by result: its new number, -1 for none */
} Trim;

static NodeId operand_of(const Trim *t, int input) { return t->d.in[t->first + input]; }
static Graph *body_of(const Trim *t) { return t->d.regions[t->d.op == OP_while ? 1 : 0]; }

/* The input that node n of a body is, or -1. */
static int as_input(const Graph *body, NodeId n) {
  const Node *d = graph_node(body, n);
  return d->op == OP_input ? (int)node_int(body, d, A_index) : -1;
}

/* Inputs that the outputs in `out` (all of them: NULL) need. */
static void needed_inputs(const Graph *body, const bool *out, bool *in) {
  bool *met = zeroed((size_t)arrlen(body->nodes), sizeof *met);
  for (ptrdiff_t i = 0; i < arrlen(body->outputs); i++) met[body->outputs[i]] |= !out || out[i];
  for (NodeId n = (NodeId)arrlen(body->nodes); n-- > 1;) {
    const Node *d = graph_node(body, n);
    if (op_info[d->op].flags & IMPURE) met[n] = true;
    if (!met[n]) continue;
    if (d->op == OP_input) in[as_input(body, n)] = true;
    for (int k = 0; k < d->n_in; k++) met[d->in[k]] = true;
  }
  free(met);
}

/* ---- results ---- */

/* Results that are a value from outside, or another result. */
static void find_aliases(Trim *t) {
  const Graph *body = body_of(t), *other = t->d.op == OP_cond ? t->d.regions[1] : NULL;
  bool stacks = t->d.op == OP_scan || t->d.op == OP_vmap;
  for (int i = 0; i < t->d.n_results; i++) {
    int in = as_input(body, body->outputs[i]);
    t->renamed[i] = i;
    if (i < t->carried) {
      if (in == i) t->alias[i] = operand_of(t, i);
      continue;
    }
    for (int m = t->carried; m < i && stacks; m++)
      if (body->outputs[m] == body->outputs[i]) t->renamed[i] = m;
    if (t->renamed[i] != i) {
      t->need[t->renamed[i]] |= t->need[i];
      t->need[i] = false;
    }
    if (in < 0 || (other && as_input(other, other->outputs[i]) != in)) continue;
    if (stacks && (in < t->carried || in >= t->carried + t->rows)) continue;
    t->alias[i] = operand_of(t, in);
  }
}

/* A carried value is needed when its result is, or the body makes a needed output of it. */
static void needed_carries(Trim *t) {
  bool *in = arena_array(t->g->arena, bool, t->n_in + 1);
  if (t->d.op == OP_while) needed_inputs(t->d.regions[0], NULL, in);
  for (bool more = true; more;) {
    more = false;
    needed_inputs(body_of(t), t->need, in);
    for (int i = 0; i < t->carried; i++) {
      more |= in[i] && !t->need[i];
      t->need[i] |= in[i];
    }
  }
}

/* Outputs that are still needed stay, with new numbers. */
static void drop_results(Trim *t) {
  int *number = arena_array(t->g->arena, int, t->d.n_results + 1), n = 0;
  Type *types = arena_array(t->g->arena, Type, t->d.n_results + 1);
  for (int i = 0; i < t->d.n_results; i++) {
    number[i] = -1;
    if (!t->need[i] || t->alias[i]) continue;
    types[n] = t->d.results[i];
    number[i] = n++;
  }
  for (int r = t->d.op == OP_while ? 1 : 0; r < t->d.n_regions; r++) {
    Graph *body = t->d.regions[r];
    NodeId *kept = NULL;
    for (int i = 0; i < t->d.n_results; i++)
      if (number[i] >= 0) arrput(kept, body->outputs[i]);
    arrfree(body->outputs);
    body->outputs = kept;
  }
  for (int i = 0; i < t->d.n_results; i++) {
    int m = t->renamed[i];
    t->alias[i] = t->alias[m];
    t->renamed[i] = number[m];
  }
  t->d.results = types;
  t->d.n_results = n;
}

/* ---- operands ---- */

/* What becomes of an input. */
typedef struct Fate {
  bool used;
  NodeId operand; /* 0: made in the body without one */
  NodeId made;    /* the node outside whose op makes it in the body: full, or a broadcast of `operand` */
  int group;      /* 0 carried, 1 row, 2 capture */
  int at;         /* its new number */
} Fate;

/* Does a broadcast repeat whole rows of its result, so that each is the same broadcast without the first axis? */
static bool repeats_rows(const Graph *g, const Node *d) {
  const Attr *axes = node_attr(d, A_axes);
  for (uint32_t k = 0; k < axes->n; k++)
    if (dim_is(g->dims, axes->dims[k], 0)) return false;
  return d->type.rank > 0;
}

static Fate fate_of(const Trim *t, int i, bool used, bool passed_on) {
  Fate f = {.used = used, .operand = operand_of(t, i), .group = 2};
  if (i < t->carried && !passed_on) f.group = 0;
  if (f.group == 0) return f;
  if (i >= t->carried && i < t->carried + t->rows) f.group = 1;
  const Node *d = graph_node(t->g, f.operand), *from = d->op == OP_broadcast ? graph_node(t->g, d->in[0]) : d;
  if (from->op == OP_full) {
    f.made = from == d ? f.operand : d->in[0];
    f.operand = 0;
  } else if (d->op == OP_broadcast && (f.group == 2 || repeats_rows(t->g, d))) {
    f.made = f.operand;
    f.operand = d->in[0];
    f.group = 2;
  }
  return f;
}

/* The input in the new body: itself, or made there like the node outside. */
static NodeId remake(const Trim *t, Graph *body, const Fate *f, NodeId x, Type type) {
  if (!f->made) return x;
  const Node *d = graph_node(t->g, f->made);
  if (d->op == OP_full) return g_full(body, d->loc, node_num(d, A_value), type);
  int64_t wide[MAX_RANK];
  int axes[MAX_RANK], rank = node_ints(t->g, d, A_axes, wide, MAX_RANK), less = d->type.rank - type.rank;
  for (int k = 0; k < rank; k++) axes[k] = (int)wide[k] - less;
  return g_broadcast(body, d->loc, x, type.rank, type.shape, axes);
}

static Graph *rebuild(const Trim *t, const Graph *old, const Fate *fates, const NodeId *in, int n_in) {
  Graph *body = graph_new(old->arena, old->dims, old->diag);
  NodeId *fresh = arena_array(old->arena, NodeId, n_in + 1), *map = zeroed((size_t)arrlen(old->nodes), sizeof *map);
  NodeId *given = arena_array(old->arena, NodeId, t->n_in + 1);
  for (int k = 0; k < n_in; k++) {
    Type type = graph_type(t->g, in[k]);
    for (int i = 0; i < t->n_in; i++)
      if (fates[i].used && fates[i].operand && fates[i].at == k && !fates[i].made) type = old->input_types[i];
    fresh[k] = g_input(body, t->d.loc, type);
  }
  for (int i = 0; i < t->n_in; i++) {
    const Fate *f = &fates[i];
    if (!f->used) continue;
    given[i] = remake(t, body, f, f->operand ? fresh[f->at] : 0, old->input_types[i]);
  }
  for (NodeId n = 1; n < (NodeId)arrlen(old->nodes); n++) {
    int i = as_input(old, n);
    if (i >= 0) map[n] = given[i];
    else map[n] = graph_copy_node(body, *graph_node(old, n), map);
  }
  for (ptrdiff_t i = 0; i < arrlen(old->outputs); i++) arrput(body->outputs, map[old->outputs[i]]);
  free(map);
  return body;
}

/* Gives each operand that is left a number: carried values, rows, captures. */
static NodeId *number_operands(Trim *t, Fate *fates, int counts[3], int *n_in) {
  NodeId *in = arena_array(t->g->arena, NodeId, t->n_in + 1);
  int n = 0;
  for (int group = 0; group < 3; group++) {
    int begin = n;
    for (int i = 0; i < t->n_in; i++) {
      Fate *f = &fates[i];
      if (!f->used || !f->operand || f->group != group) continue;
      int k = begin;
      while (k < n && (group == 0 || in[k] != f->operand)) k++;
      f->at = k;
      if (k == n) in[n++] = f->operand;
    }
    counts[group] = n - begin;
  }
  *n_in = n;
  return in;
}

static void set_counts(Trim *t, int carried, int rows) {
  Attr *attrs = arena_copy(t->g->arena, t->d.attrs, sizeof(Attr) * (size_t)t->d.n_attrs);
  for (int k = 0; k < t->d.n_attrs; k++) {
    if (attrs[k].key == A_carried) attrs[k] = attr_int(t->g, A_carried, carried);
    if (attrs[k].key == A_rows) attrs[k] = attr_int(t->g, A_rows, rows);
  }
  t->d.attrs = attrs;
}

static void trim_operands(Trim *t, const bool *passed_on, const bool *kept) {
  bool *used = arena_array(t->g->arena, bool, t->n_in + 1);
  Fate *fates = arena_array(t->g->arena, Fate, t->n_in + 1);
  for (int r = 0; r < t->d.n_regions; r++) needed_inputs(t->d.regions[r], NULL, used);
  for (int i = 0; i < t->n_in; i++) {
    bool own = i < t->carried && !passed_on[i];
    fates[i] = fate_of(t, i, own ? kept[i] : used[i], i < t->carried && passed_on[i]);
  }
  int counts[3], n;
  NodeId *in = number_operands(t, fates, counts, &n);
  Graph **regions = arena_array(t->g->arena, Graph *, t->d.n_regions);
  for (int r = 0; r < t->d.n_regions; r++) regions[r] = rebuild(t, t->d.regions[r], fates, in, n);
  NodeId *all = arena_array(t->g->arena, NodeId, n + 1);
  if (t->first) all[0] = t->d.in[0];
  memcpy(all + t->first, in, sizeof *in * (size_t)n);
  t->d.in = all;
  t->d.n_in = n + t->first;
  t->d.regions = regions;
  set_counts(t, counts[0], counts[1]);
}

/* ---- nodes ---- */

static bool may_trim(const Node *d) {
  return d->op == OP_scan || d->op == OP_vmap || d->op == OP_while || d->op == OP_cond || d->op == OP_checkpoint;
}

/* Trims node n, whose results in `need` are read, in its place. */
static void trim_node(Graph *g, NodeId n, bool *need, NodeId *alias, int *renamed) {
  Trim t = {.g = g, .n = n, .d = *graph_node(g, n), .need = need, .alias = alias, .renamed = renamed};
  t.first = t.d.op == OP_cond;
  t.n_in = t.d.n_in - t.first;
  if (t.d.op == OP_scan || t.d.op == OP_while) t.carried = (int)node_int(g, &t.d, A_carried);
  if (t.d.op == OP_scan || t.d.op == OP_vmap) t.rows = (int)node_int(g, &t.d, A_rows);
  find_aliases(&t);
  needed_carries(&t);
  bool *passed_on = arena_array(g->arena, bool, t.carried + 1), *kept = arena_array(g->arena, bool, t.carried + 1);
  for (int i = 0; i < t.carried; i++) passed_on[i] = alias[i] != 0, kept[i] = need[i];
  drop_results(&t);
  for (int r = 0; r < t.d.n_regions; r++) trim_graph(t.d.regions[r]);
  trim_operands(&t, passed_on, kept);
  g->nodes[n] = t.d;
}

typedef struct Trimmed {
  bool *need;
  NodeId *alias;
  int *renamed;
} Trimmed;

static Trimmed results_of(Graph *g, const Node *d) {
  return (Trimmed){arena_array(g->arena, bool, d->n_results + 1), arena_array(g->arena, NodeId, d->n_results + 1),
                   arena_array(g->arena, int, d->n_results + 1)};
}

/* From the outputs down: a region is met when all that reads its results has been. */
static void trim_nodes(Graph *g, Trimmed *of, bool *live) {
  for (int i = 0; i < (int)arrlen(g->outputs); i++) live[g->outputs[i]] = true;
  for (NodeId n = (NodeId)arrlen(g->nodes); n-- > 1;) {
    Node d = *graph_node(g, n);
    live[n] |= (op_info[d.op].flags & IMPURE) != 0;
    if (!live[n]) continue;
    if (d.op == OP_get && may_trim(graph_node(g, d.in[0]))) {
      if (!of[d.in[0]].need) of[d.in[0]] = results_of(g, graph_node(g, d.in[0]));
      of[d.in[0]].need[node_int(g, &d, A_index)] = true;
    }
    if (of[n].need) {
      trim_node(g, n, of[n].need, of[n].alias, of[n].renamed);
      for (int i = 0; i < d.n_results; i++)
        if (of[n].alias[i]) live[of[n].alias[i]] = true;
      d = *graph_node(g, n);
    }
    for (int k = 0; k < d.n_in; k++) live[d.in[k]] = true;
  }
}

static void trim_graph(Graph *g) {
  bool any = false;
  NodeId n_nodes = (NodeId)arrlen(g->nodes);
  for (NodeId n = 1; n < n_nodes; n++) any |= may_trim(graph_node(g, n));
  if (any) {
    Trimmed *of = zeroed(n_nodes, sizeof *of);
    bool *live = zeroed(n_nodes, sizeof *live);
    trim_nodes(g, of, live);
    Rewrite r = rewrite_begin(g); /* results under their new numbers */
    free(r.live);
    r.live = live; /* what aliases name counts, what trimmed operands named does not */
    for (NodeId n = 1; n < r.n_old; n++) {
      Node d = r.old[n];
      if (!r.live[n]) continue;
      const Trimmed *t = d.op == OP_get ? &of[d.in[0]] : NULL;
      int i = t && t->need ? (int)node_int(g, &d, A_index) : -1;
      if (i >= 0 && t->alias[i]) {
        rewrite_to(&r, n, rewrite_get(&r, t->alias[i]));
        continue;
      }
      if (i >= 0) {
        Attr index = attr_int(g, A_index, t->renamed[i]);
        r.old[n].attrs = arena_copy(g->arena, &index, sizeof index);
      }
      rewrite_to(&r, n, rewrite_copy(&r, n));
    }
    free(of);
    rewrite_end(&r);
  }
  Rewrite r = rewrite_begin(g);
  for (NodeId n = 1; n < r.n_old; n++)
    if (r.live[n]) rewrite_to(&r, n, rewrite_copy(&r, n));
  rewrite_end(&r);
}

void pass_trim(Graph *g, const Prog *prog, const Entry *entry) {
  (void)prog, (void)entry;
  trim_graph(g);
}
