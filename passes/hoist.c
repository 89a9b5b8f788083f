/* hoist: work that a loop need not do once per iteration moves out of it.
 *
 *   invariants     scan(h; x; w) { .. exp(w) .. }          v = exp(w); scan(h; x; w, v) { .. v .. }
 *   products       scan(h; x; w) { .. x w .. }             y = X w, all rows at once; scan(h; y; w) { .. y .. }
 *   accumulations  scan(c; a; ..) { c' = c + a' b }        scan(; a; ..) { stack b }; c + A' B, one product over all
 *
 * Only what stands in the body itself moves, not what is in a branch of it. Views and constants stay, for they cost
 * nothing. What can fail, a read at run-time indices, leaves a loop only where it is certain to run in it. Stacks that
 * did not exist must be small or not much larger than those the loop has already.
 *
 * Why here: twice, before gradients are taken, whose products then stand outside of the loop as well, and after cse,
 * when the weight gradients are sums in the reverse loop.
 * Needs: bodies without transformations. Keeps: values; sums in another order. Breaks: nothing; dead values of bodies
 * are left to trim. */
#include "passes/hoist.h"
#include "passes/rewrite.h"
#include "base/ds.h"
#include <stdlib.h>
#include <string.h>

enum { SMALL = 16 << 20, LARGER = 8 }; /* new stacks: bytes, or times the bytes of those that exist */

/* Bytes at the bounds; -1 when there are none. */
static int64_t bytes_of(const Graph *g, Type t) {
  int64_t n = dim_upper(g->dims, type_count(g->dims, t));
  return n < 0 ? -1 : n * dtype_size(t.dtype);
}

/* Can it fail at run time? */
static bool may_fail(const Node *d) {
  OpClass c = op_info[d->op].cls;
  if (c == GATHER || c == SCATTER) return true;
  for (int r = 0; r < d->n_regions; r++)
    for (NodeId n = 1; n < (NodeId)arrlen(d->regions[r]->nodes); n++)
      if (may_fail(graph_node(d->regions[r], n))) return true;
  return false;
}

int hoist_input(const Graph *body, NodeId n) {
  const Node *d = graph_node(body, n);
  return d->op == OP_input ? (int)node_int(body, d, A_index) : -1;
}

static void find_fixed(Hoist *l) {
  NodeId n_nodes = (NodeId)arrlen(l->body->nodes);
  l->fixed = arena_array(l->g->arena, bool, n_nodes);
  for (NodeId n = 1; n < n_nodes; n++) {
    const Node *d = graph_node(l->body, n);
    int i = hoist_input(l->body, n);
    if (i >= 0) {
      l->fixed[n] = i >= l->carried + l->rows || (i < l->carried && l->body->outputs[i] == n);
      continue;
    }
    l->fixed[n] = !(op_info[d->op].flags & IMPURE) && (l->runs || !may_fail(d));
    for (int k = 0; k < d->n_in; k++) l->fixed[n] &= l->fixed[d->in[k]];
  }
}

/* ---- changing the loop ---- */

void hoist_make_input(Hoist *l, NodeId n, int index, NodeId operand) {
  Graph *b = l->body;
  Type t = graph_type(b, n);
  for (int r = 0; r < l->d.n_regions; r++) {
    Graph *body = l->d.regions[r];
    for (NodeId m = 1; m < (NodeId)arrlen(body->nodes); m++) {
      Node *d = &body->nodes[m];
      if (d->op != OP_input || node_int(body, d, A_index) < index) continue;
      Attr at = attr_int(body, A_index, node_int(body, d, A_index) + 1);
      d->attrs = arena_copy(body->arena, &at, sizeof at);
    }
    arrins(body->input_types, index, t);
    body->n_inputs++;
  }
  Attr at = attr_int(b, A_index, index);
  b->nodes[n] = (Node){
      .op = OP_input, .n_attrs = 1, .type = t, .loc = b->nodes[n].loc, .attrs = arena_copy(b->arena, &at, sizeof at)};
  NodeId *in = arena_array(l->g->arena, NodeId, l->d.n_in + 1);
  memcpy(in, l->d.in, sizeof *in * (size_t)index);
  in[index] = operand;
  memcpy(in + index + 1, l->d.in + index, sizeof *in * (size_t)(l->d.n_in - index));
  l->d.in = in;
  l->d.n_in++;
}

/* The number of the stack of node n, which is made if there is none. */
static int stack_of(Hoist *l, NodeId n) {
  int i = l->carried;
  while (i < (int)arrlen(l->body->outputs) && l->body->outputs[i] != n) i++;
  if (i < (int)arrlen(l->body->outputs)) return i;
  Type t = graph_type(l->body, n), *types = arena_array(l->g->arena, Type, i + 1);
  Dim shape[MAX_RANK + 1] = {l->length};
  for (int k = 0; k < t.rank; k++) shape[k + 1] = t.shape[k];
  memcpy(types, l->d.results, sizeof *types * (size_t)i);
  types[i] = type_of(l->g->arena, t.dtype, t.rank + 1, shape);
  arrput(l->body->outputs, n);
  l->d.results = types;
  l->d.n_results = i + 1;
  return i;
}

static bool has_stack(const Hoist *l, NodeId n) {
  int in = hoist_input(l->body, n);
  if (in >= l->carried && in < l->carried + l->rows) return true;
  for (int i = l->carried; i < (int)arrlen(l->body->outputs); i++)
    if (l->body->outputs[i] == n) return true;
  return false;
}

int64_t hoist_stack_bytes(const Hoist *l) {
  int64_t sum = 0;
  for (int k = l->carried; k < l->carried + l->rows; k++) sum += bytes_of(l->g, graph_type(l->g, l->d.in[k]));
  for (int i = l->carried; i < l->d.n_results; i++) sum += bytes_of(l->g, l->d.results[i]);
  return sum;
}

bool hoist_pays(const Hoist *l, Type t, int64_t have) {
  int64_t one = bytes_of(l->g, t), n = dim_upper(l->g->dims, l->length);
  return t.rank < MAX_RANK && one >= 0 && n >= 0 && (one * n <= SMALL || one * n <= LARGER * have);
}

/* ---- invariants ---- */

Graph *hoist_cone(const Hoist *l, const NodeId *values, int n) {
  Graph *c = graph_clone(l->g->arena, l->body);
  arrsetlen(c->outputs, 0);
  for (int i = 0; i < n; i++) arrput(c->outputs, values[i]);
  pass_dce(c, NULL, NULL);
  return c;
}

/* Fixed values that cost something and are read by what is not fixed, or by views of them. */
static NodeId *fixed_values(const Hoist *l) {
  NodeId n_nodes = (NodeId)arrlen(l->body->nodes), *out = NULL;
  bool *read = zeroed(n_nodes, sizeof *read);
  int64_t have = 0;
  for (int k = 0; k < l->d.n_in; k++) have += bytes_of(l->g, graph_type(l->g, l->d.in[k]));
  for (ptrdiff_t i = 0; i < arrlen(l->body->outputs); i++) read[l->body->outputs[i]] = true;
  for (NodeId n = n_nodes; n-- > 1;) {
    const Node *d = graph_node(l->body, n);
    OpClass c = op_info[d->op].cls;
    bool moves = l->fixed[n] && c != LEAF && c != VIEW && d->type.dtype != TUPLE;
    if (!read[n] && !(op_info[d->op].flags & IMPURE)) continue;
    if (moves) {
      int64_t bytes = bytes_of(l->body, d->type);
      moves = bytes >= 0 && (bytes <= SMALL || bytes <= LARGER * have);
    }
    if (moves) arrput(out, n);
    for (int k = 0; k < d->n_in && !moves; k++) read[d->in[k]] = true;
  }
  free(read);
  return out;
}

static void move_fixed(Hoist *l) {
  NodeId *values = fixed_values(l);
  int n = (int)arrlen(values);
  if (n) {
    NodeId *out = arena_array(l->g->arena, NodeId, n);
    graph_inline(l->g, hoist_cone(l, values, n), l->d.in, out);
    for (int i = 0; i < n; i++) hoist_make_input(l, values[i], l->d.n_in, out[i]);
  }
  arrfree(values);
}

/* ---- accumulations ---- */

/* What carried value i is increased by in each iteration, where nothing else reads it; 0 for other values. */
static NodeId increment(const Hoist *l, int i) {
  const Graph *b = l->body;
  NodeId sum = b->outputs[i], acc = 0;
  const Node *d = graph_node(b, sum);
  if (d->op != OP_add || !dtype_is_float(d->type.dtype)) return 0;
  for (int k = 0; k < 2; k++)
    if (hoist_input(b, d->in[k]) == i) acc = d->in[k];
  if (!acc || d->in[0] == d->in[1]) return 0;
  int reads = 0;
  for (NodeId n = 1; n < (NodeId)arrlen(b->nodes); n++)
    for (int k = 0; k < graph_node(b, n)->n_in; k++) {
      reads += graph_node(b, n)->in[k] == acc;
      reads += graph_node(b, n)->in[k] == sum;
    }
  for (ptrdiff_t k = 0; k < arrlen(b->outputs); k++) reads += b->outputs[k] == acc || b->outputs[k] == sum;
  return reads == 2 ? d->in[d->in[0] == acc] : 0; /* the addition, the output */
}

typedef struct Moved {
  int carry;
  NodeId value; /* dot(a, b), sum(a) or a */
  bool folded;  /* the axes of sum(a) are still to be folded */
  int at[2];    /* stacks of a and b: results, or operands as -1 - k */
} Moved;

static int source_of(Hoist *l, NodeId n) {
  int in = hoist_input(l->body, n);
  return in >= l->carried && in < l->carried + l->rows ? -1 - in : stack_of(l, n);
}

/* Decides whether an accumulation moves, and stacks what its sum needs. */
static bool plan_sum(Hoist *l, Moved *m, int64_t have) {
  const Node *d = graph_node(l->body, m->value);
  if (d->op == OP_dot) {
    NodeId a = d->in[0], b = d->in[1];
    if (l->fixed[a] || l->fixed[b]) return false;
    if (!(has_stack(l, a) || hoist_pays(l, graph_type(l->body, a), have))) return false;
    if (!(has_stack(l, b) || hoist_pays(l, graph_type(l->body, b), have))) return false;
    m->at[0] = source_of(l, a);
    m->at[1] = source_of(l, b);
    return true;
  }
  if (d->op == OP_sum && has_stack(l, d->in[0])) {
    m->at[0] = source_of(l, d->in[0]);
    m->folded = true;
    return true;
  }
  if (!has_stack(l, m->value)) return false;
  m->at[0] = source_of(l, m->value);
  return true;
}

static NodeId stacked(const Hoist *l, int at) { return at < 0 ? l->d.in[-1 - at] : g_get(l->g, l->d.loc, l->n, at); }

/* The sum of a moved accumulation behind the loop. */
static NodeId sum_behind(const Hoist *l, const Moved *m) {
  Graph *g = l->g;
  const Node *d = graph_node(l->body, m->value);
  NodeId a = stacked(l, m->at[0]);
  if (d->op == OP_dot) {
    int64_t from[3][MAX_RANK];
    int labels[3][MAX_RANK], rank[3], fresh = 0;
    const AttrKey keys[3] = {A_la, A_lb, A_ly};
    for (int k = 0; k < 3; k++) {
      rank[k] = node_ints(l->body, d, keys[k], from[k], MAX_RANK);
      for (int i = 0; i < rank[k]; i++)
        if (from[k][i] >= fresh) fresh = (int)from[k][i] + 1;
    }
    for (int k = 0; k < 3; k++) {
      int lead = k < 2;
      if (lead) labels[k][0] = fresh;
      for (int i = 0; i < rank[k]; i++) labels[k][i + lead] = (int)from[k][i];
    }
    NodeId b = stacked(l, m->at[1]);
    return g_dot(g, d->loc, a, b, labels[0], labels[1], labels[2], rank[2]);
  }
  int over[MAX_RANK + 1] = {0}, n = 1;
  if (m->folded) {
    int64_t axes[MAX_RANK];
    int n_axes = node_ints(l->body, d, A_axes, axes, MAX_RANK);
    for (int i = 0; i < n_axes; i++) over[n++] = (int)axes[i] + 1;
  }
  return g_reduce(g, OP_sum, d->loc, a, over, n);
}

/* Accumulations leave the loop; alias[i] is then the value of carried result i. */
static void move_sums(Hoist *l, NodeId *alias) {
  Moved *moved = NULL;
  int64_t have = hoist_stack_bytes(l);
  for (int products = 1; products >= 0; products--) /* first: their stacks serve the sums */
    for (int i = 0; i < l->carried; i++) {
      Moved m = {.carry = i, .value = increment(l, i)};
      if (!m.value || (graph_node(l->body, m.value)->op == OP_dot) != products || !plan_sum(l, &m, have)) continue;
      arrput(moved, m);
    }
  l->g->nodes[l->n] = l->d;
  for (int i = 0; i < (int)arrlen(moved); i++) {
    const Node *sum = graph_node(l->body, l->body->outputs[moved[i].carry]);
    NodeId acc = hoist_input(l->body, sum->in[0]) == moved[i].carry ? sum->in[0] : sum->in[1];
    NodeId all = sum_behind(l, &moved[i]);
    alias[moved[i].carry] = g_map2(l->g, OP_add, sum->loc, l->d.in[moved[i].carry], all);
    l->body->outputs[moved[i].carry] = acc; /* passed on from now on: trim drops it */
  }
  arrfree(moved);
}

/* ---- nodes ---- */

/* Node n of g, the last one, is a loop; alias: by result, what stands for it from now on. Returns its new name. */
static NodeId hoist_loop(Graph *g, const Entry *entry, NodeId n, NodeId *alias) {
  Hoist l = {.g = g, .d = *graph_node(g, n), .tight = entry && entry->nest > 1};
  bool scan = l.d.op == OP_scan;
  l.body = l.d.regions[scan ? 0 : 1];
  l.carried = (int)node_int(g, &l.d, A_carried);
  if (scan) {
    l.rows = (int)node_int(g, &l.d, A_rows);
    l.length = node_dim(&l.d, A_length);
    l.runs = dim_lower(g->dims, l.length) >= 1;
  }
  (void)arrpop(g->nodes); /* what moves stands before the loop */
  find_fixed(&l);
  move_fixed(&l);
  find_fixed(&l);
  if (scan) hoist_products(&l);
  find_fixed(&l);
  arrput(g->nodes, l.d);
  l.n = (NodeId)arrlen(g->nodes) - 1;
  if (scan) move_sums(&l, alias);
  return l.n;
}

void hoist_graph(Graph *g, const Entry *entry) {
  bool any = false;
  for (NodeId n = 1; n < (NodeId)arrlen(g->nodes); n++) {
    const Node *d = graph_node(g, n);
    for (int r = 0; r < d->n_regions; r++) hoist_graph(d->regions[r], entry);
    any |= d->op == OP_scan || d->op == OP_while;
  }
  if (!any) return;
  Rewrite r = rewrite_begin(g);
  NodeId **alias = zeroed(r.n_old, sizeof *alias);
  for (NodeId n = 1; n < r.n_old; n++) {
    Node d = r.old[n];
    if (!r.live[n]) continue;
    if (d.op == OP_get && alias[d.in[0]]) {
      NodeId now = alias[d.in[0]][node_int(g, &d, A_index)];
      if (now) {
        rewrite_to(&r, n, now);
        continue;
      }
    }
    NodeId now = rewrite_copy(&r, n);
    if (d.op == OP_scan || d.op == OP_while) {
      int carried = (int)node_int(g, &d, A_carried);
      alias[n] = arena_array(g->arena, NodeId, d.n_results + carried + 1);
      now = hoist_loop(g, entry, now, alias[n]);
    }
    rewrite_to(&r, n, now);
  }
  free(alias);
  rewrite_end(&r);
}

void pass_hoist(Graph *g, const Prog *prog, const Entry *entry) {
  (void)prog;
  hoist_graph(g, entry);
}
