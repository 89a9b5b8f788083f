/* The bodies of loops and branches: each is a graph of its own inside of a trace. While one is made it is the trace's
 * current graph; a value of a graph around it becomes an input at its first use, through all bodies between. */
#include "frontend/elab_priv.h"

Region *region_new(Elab *e, RegionKind kind, Loc loc) {
  Region *r = arena_one(e->arena, Region);
  r->kind = kind;
  r->loc = loc;
  r->depth = frame_depth(e);
  r->graph = graph_new(e->arena, e->dims, e->diag);
  return r;
}

void region_enter(Elab *e, Region *r) {
  Trace *t = e->trace;
  r->up = t->region;
  r->outer = (Surroundings){t->graph, t->cells, t->key};
  t->region = r;
  t->graph = r->graph;
  t->cells = r->cells;
  t->key = r->key;
}

void region_leave(Elab *e, Region *r) {
  Trace *t = e->trace;
  if (t->region != r) INTERNAL("a body that is not the current one is left");
  r->cells = t->cells;
  r->key = t->key;
  t->region = r->up;
  t->graph = r->outer.graph;
  t->cells = r->outer.cells;
  t->key = r->outer.key;
}

/* --- inputs ------------------------------------------------------------------------------------------------------- */
NodeId region_input(Region *r, InputKind kind, NodeId outside, Type t) {
  RegionInput in = {.kind = kind, .outside = outside, .node = g_input(r->graph, r->loc, t)};
  arrput(r->inputs, in);
  return in.node;
}

Value *region_argument(Elab *e, void *ctx, Value *v) {
  Region *r = ctx;
  if (v->kind != V_TENSOR) return v;
  region_leave(e, r);
  NodeId outside = nid(v);
  region_enter(e, r);
  return v_tensor(e, region_input(r, IN_CARRY, outside, v_type(v)));
}

NodeId region_capture(Region *r, NodeId outside) {
  ptrdiff_t k = hmgeti(r->captured, outside);
  if (k >= 0) return r->captured[k].value;
  NodeId n = region_input(r, IN_CAPTURE, outside, graph_type(r->outer.graph, outside));
  hmput(r->captured, outside, n);
  return n;
}

/* The node of graph g in the current graph; 0 when g is none of those around it. */
static NodeId bring(Elab *e, const Graph *g, NodeId n) {
  Region *r = e->trace->region;
  if (e->trace->graph == g) return n;
  if (!r) return 0;
  region_leave(e, r);
  NodeId outside = bring(e, g, n);
  region_enter(e, r);
  return outside ? region_capture(r, outside) : 0;
}

bool is_around(const Elab *e, const Graph *g) {
  if (e->trace->graph == g) return true;
  for (const Region *r = e->trace->region; r; r = r->up)
    if (r->outer.graph == g) return true;
  return false;
}

NodeId node_here(Elab *e, const Value *v) {
  if (v->t.graph == e->trace->graph) return v->t.id;
  NodeId n = bring(e, v->t.graph, v->t.id);
  if (!n) INTERNAL("a value of another graph is used");
  return n;
}

/* --- cells and the clock ------------------------------------------------------------------------------------------ */
NodeId region_cell(Elab *e, int cell, Loc at) {
  Region *r = e->trace->region;
  region_leave(e, r);
  NodeId outside = cell_now(e, cell, at);
  region_enter(e, r);
  return region_capture(r, outside);
}

NodeId clock_node(Elab *e, int which, Loc at) {
  Region *r = e->trace->region;
  if (!r) return g_clock(e->trace->graph, elab_place(e, at), which);
  region_leave(e, r);
  NodeId outside = clock_node(e, which, at);
  region_enter(e, r);
  return region_capture(r, outside);
}

static bool is_loop(const Region *r) { return r->kind == RG_SCAN || r->kind == RG_VMAP || r->kind == RG_WHILE; }

/* The number of the iteration of loop r, which is the current body: i64[]. `while` counts in a value it carries. */
static NodeId iteration(Elab *e, Region *r) {
  if (r->iteration) return r->iteration;
  Type t = type_scalar(I64), all = type_of(e->arena, I64, 1, &r->length);
  region_leave(e, r);
  NodeId outside =
      r->kind == RG_WHILE ? g_full(e->trace->graph, r->loc, 0, t) : g_iota(e->trace->graph, r->loc, all, 0);
  region_enter(e, r);
  return r->iteration = region_input(r, r->kind == RG_WHILE ? IN_CARRY : IN_ROW, outside, t);
}

/* The same from within the bodies inside of r. */
static NodeId iteration_here(Elab *e, Region *r) {
  Region *now = e->trace->region;
  if (now == r) return iteration(e, r);
  region_leave(e, now);
  NodeId outside = iteration_here(e, r);
  region_enter(e, now);
  return region_capture(now, outside);
}

static NodeId mix_from(Elab *e, NodeId key, Region *r, Loc at) {
  if (!r) return key;
  key = mix_from(e, key, r->up, at);
  return is_loop(r) ? g_map2(e->trace->graph, OP_mix_key, elab_place(e, at), key, iteration_here(e, r)) : key;
}

NodeId mix_iterations(Elab *e, NodeId key, Loc at) { return mix_from(e, key, e->trace->region, at); }

NodeId random_key(Elab *e, Loc at) {
  Trace *t = e->trace;
  Region *r = t->region;
  if (t->key) return t->key;
  if (!r) return clock_node(e, 3, at);
  region_leave(e, r);
  NodeId key = random_key(e, at);
  region_enter(e, r);
  key = region_capture(r, key);
  if (is_loop(r)) key = g_map2(r->graph, OP_mix_key, elab_place(e, at), key, iteration(e, r));
  return t->key = key;
}

/* --- closing ------------------------------------------------------------------------------------------------------ */
static void mark_used(const Region *r, bool *used) {
  const Graph *g = r->graph;
  for (NodeId n = 1; n < (NodeId)arrlen(g->nodes); n++)
    for (int k = 0; k < g->nodes[n].n_in; k++) used[g->nodes[n].in[k]] = true;
  for (ptrdiff_t i = 0; i < arrlen(g->outputs); i++) used[g->outputs[i]] = true;
}

/* All have the carries and rows of the first in the same order, except for the counter of a `while`. */
void region_share_counter(Region **r, int n) {
  Region *with = NULL;
  for (int i = 0; i < n; i++)
    if (r[i]->kind == RG_WHILE && r[i]->iteration) with = r[i];
  if (!with) return;
  NodeId zero = 0;
  for (ptrdiff_t i = 0; i < arrlen(with->inputs); i++)
    if (with->inputs[i].node == with->iteration) zero = with->inputs[i].outside;
  for (int i = 0; i < n; i++) {
    if (!r[i]->iteration) r[i]->iteration = region_input(r[i], IN_CARRY, zero, type_scalar(I64));
    NodeId now = r[i]->iteration;
    for (ptrdiff_t k = 0; k < arrlen(r[i]->inputs); k++) {
      if (r[i]->inputs[k].node != now) continue;
      NodeId one = g_full(r[i]->graph, r[i]->loc, 1, type_scalar(I64));
      r[i]->inputs[k].outside = zero;
      r[i]->inputs[k].next = g_map2(r[i]->graph, OP_add, r[i]->loc, now, one);
    }
  }
}

static void number_input(Region *r, NodeId node) {
  Attr *a = arena_one(r->graph->arena, Attr);
  *a = attr_int(r->graph, A_index, r->graph->n_inputs);
  r->graph->nodes[node].attrs = a;
  arrput(r->graph->input_types, graph_type(r->graph, node));
  r->graph->n_inputs++;
}

/* What nothing reads is no input: a constant that nothing reads stands in its place. */
static void drop_input(Region *r, NodeId node) {
  Attr *a = arena_one(r->graph->arena, Attr);
  *a = attr_num(A_value, 0);
  r->graph->nodes[node].op = OP_full;
  r->graph->nodes[node].attrs = a;
}

/* A captured value is told by its node outside and, since a carried value that never changes becomes a captured one, by
 * how often it was captured before. Parallel to the inputs; 0 for carries and rows. */
static uint64_t *capture_keys(const Region *r) {
  struct {
    NodeId key;
    uint64_t value;
  } *count = NULL;
  ptrdiff_t n = arrlen(r->inputs);
  uint64_t *keys = arena_array(r->graph->arena, uint64_t, n + 1);
  for (ptrdiff_t i = 0; i < n; i++) {
    if (r->inputs[i].kind != IN_CAPTURE) continue;
    uint64_t before = hmget(count, r->inputs[i].outside);
    keys[i] = before << 32 | r->inputs[i].outside;
    hmput(count, r->inputs[i].outside, before + 1);
  }
  hmfree(count);
  return keys;
}

/* Carries and rows of the first region, then what any of them captures and uses. */
static uint64_t *order_operands(Region **r, int n, int *n_carried, int *n_rows) {
  uint64_t *order = NULL;
  struct {
    uint64_t key;
    bool value;
  } *seen = NULL;
  for (InputKind kind = IN_CARRY; kind < IN_CAPTURE; kind++) {
    for (ptrdiff_t i = 0; i < arrlen(r[0]->inputs); i++)
      if (r[0]->inputs[i].kind == kind) arrput(order, r[0]->inputs[i].outside);
    if (kind == IN_CARRY) *n_carried = (int)arrlen(order);
    else *n_rows = (int)arrlen(order) - *n_carried;
  }
  for (int k = 0; k < n; k++) {
    bool *used = arena_array(r[k]->graph->arena, bool, arrlen(r[k]->graph->nodes));
    uint64_t *keys = capture_keys(r[k]);
    mark_used(r[k], used);
    for (ptrdiff_t i = 0; i < arrlen(r[k]->inputs); i++) {
      if (!keys[i] || !used[r[k]->inputs[i].node] || hmgeti(seen, keys[i]) >= 0) continue;
      hmput(seen, keys[i], true);
      arrput(order, keys[i]);
    }
  }
  hmfree(seen);
  return order;
}

static void number_inputs(Elab *e, Region *r, const uint64_t *order, int fixed, int n) {
  struct {
    uint64_t key;
    NodeId value;
  } *captures = NULL;
  ptrdiff_t inputs = arrlen(r->inputs);
  uint64_t *keys = capture_keys(r);
  arrsetlen(r->graph->input_types, 0);
  r->graph->n_inputs = 0;
  for (InputKind kind = IN_CARRY; kind < IN_CAPTURE; kind++)
    for (ptrdiff_t i = 0; i < inputs; i++)
      if (r->inputs[i].kind == kind) number_input(r, r->inputs[i].node);
  for (ptrdiff_t i = 0; i < inputs; i++)
    if (keys[i]) hmput(captures, keys[i], r->inputs[i].node);
  for (int i = fixed; i < n; i++) {
    ptrdiff_t at = hmgeti(captures, order[i]);
    if (at < 0) {
      g_input(r->graph, r->loc, graph_type(e->trace->graph, (NodeId)order[i]));
      continue;
    }
    number_input(r, captures[at].value);
    hmdel(captures, order[i]);
  }
  for (ptrdiff_t i = 0; i < inputs; i++)
    if (r->inputs[i].kind == IN_LATE) number_input(r, r->inputs[i].node);
  for (ptrdiff_t i = 0; i < hmlen(captures); i++) drop_input(r, captures[i].value);
  hmfree(captures);
}

NodeId *region_operands(Elab *e, Region **r, int n, int *n_operands, int *n_carried, int *n_rows) {
  uint64_t *order = order_operands(r, n, n_carried, n_rows);
  int count = (int)arrlen(order);
  NodeId *operands = arena_array(e->arena, NodeId, count + 1);
  for (int k = 0; k < n; k++) number_inputs(e, r[k], order, *n_carried + *n_rows, count);
  for (int i = 0; i < count; i++) operands[i] = (NodeId)order[i];
  arrfree(order);
  *n_operands = count;
  return operands;
}
