/* nest: scans whose gradient is taken run in segments that the gradient computes again, to fit into less memory.
 *
 *   before  t = scan(h; x; w) length=n { f }
 *   after   t = scan(h; X; w) length=n/k { checkpoint { scan length=k { f } } }, and one for the n % k rows behind
 *
 * The gradient of the left stores n carried values (and what else it keeps); that of the right n/k and, while a segment
 * is dealt with, k: with k near the square root of n a multiple of sqrt(n), for one more forward computation. `nest`
 * levels, each a root of its own, give d n^(1/d) for d - 1 more forward computations; at d = log2 n the memory is
 * logarithmic (Griewank, Achieving logarithmic growth of temporal and spatial complexity in reverse automatic
 * differentiation, 1992; Chen et al., Training deep nets with sublinear memory cost, 2016).
 *
 * Why here: first, before the gradients are taken. How deep is entry->nest, which pipeline_within raises until the plan
 * fits; 0 and 1 leave everything as it is.
 * Needs: nothing. Keeps: values. Breaks: nothing. */
#include "passes/grad_joint.h"
#include "passes/rewrite.h"
#include "base/ds.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Loop {
  Graph *g;
  Loc loc;
  const Graph *body;
  int n_in, carried, rows, n_out;
  Dim length;
  bool reverse;
} Loop;

enum { SHORT = 4 }; /* loops of fewer iterations are left alone */

static NodeId plain(const Loop *l, const NodeId *in) {
  Graph *body = graph_clone(l->g->arena, l->body);
  Attr attrs[4] = {attr_int(l->g, A_carried, l->carried), attr_int(l->g, A_rows, l->rows),
                   attr_dim(l->g, A_length, l->length), attr_int(l->g, A_reverse, l->reverse)};
  return graph_add_region(l->g, OP_scan, l->loc, in, l->n_in, attrs, 4, &body, 1);
}

/* Rows from `from` on, n of them. */
static NodeId rows_of(const Loop *l, NodeId x, Dim from, Dim n) {
  Type t = graph_type(l->g, x);
  Dim start[MAX_RANK], size[MAX_RANK];
  int64_t step[MAX_RANK];
  for (int k = 0; k < t.rank; k++) {
    start[k] = k ? dim_int(l->g->dims, 0) : from;
    size[k] = k ? t.shape[k] : n;
    step[k] = 1;
  }
  return n == t.shape[0] ? x : g_slice(l->g, l->loc, x, start, step, size);
}

/* [q * k, ...] -> [q, k, ...] and back */
static NodeId split_axis(const Loop *l, NodeId x, Dim q, Dim k) {
  Type t = graph_type(l->g, x);
  Dim shape[MAX_RANK] = {q, k};
  for (int i = 1; i < t.rank; i++) shape[i + 1] = t.shape[i];
  return g_reshape(l->g, l->loc, x, t.rank + 1, shape);
}
static NodeId join_axes(const Loop *l, NodeId x) {
  Type t = graph_type(l->g, x);
  Dim shape[MAX_RANK] = {dim_mul(l->g->dims, t.shape[0], t.shape[1])};
  for (int i = 2; i < t.rank; i++) shape[i - 1] = t.shape[i];
  return g_reshape(l->g, l->loc, x, t.rank - 1, shape);
}

/* How many iterations, segments, segments of segments .. there are in one of the next level, for n iterations in
 * `depth` levels: factors of a constant n near its root, else powers of the root, and a rest. */
enum { MAX_DEPTH = 16 };
static void choose_factors(const Loop *l, int64_t n, int depth, int64_t *factor) {
  int64_t left;
  bool exact = dim_is_int(l->g->dims, l->length, &left);
  for (int level = depth; level > 1 && exact; level--) {
    int64_t root = llround(pow((double)left, 1.0 / level)), f = 0;
    for (int64_t away = 0; away <= root / 3 && !f; away++) {
      if (left % (root + away) == 0) f = root + away;
      else if (left % (root - away) == 0) f = root - away;
    }
    exact = f > 1;
    factor[level - 1] = f;
    if (exact) left /= f;
  }
  factor[0] = left;
  int64_t root = (int64_t)floor(pow((double)n, 1.0 / depth) + 1e-9);
  for (int level = 0; level < depth && !exact; level++) factor[level] = root < 2 ? 2 : root;
}

static void run_loop(const Loop *l, const NodeId *in, const int64_t *factor, int depth, NodeId *out);

/* All of the segments: a scan over checkpoints of scans. */
static void run_segments(const Loop *l, const NodeId *in, Dim q, Dim k, const int64_t *factor, int depth, NodeId *out) {
  Graph *g = l->g, *outer = graph_new(g->arena, g->dims, g->diag), *inner = graph_new(g->arena, g->dims, g->diag);
  NodeId *given = arena_array(g->arena, NodeId, l->n_in + 1), *x = arena_array(g->arena, NodeId, l->n_in + 1);
  NodeId *again = arena_array(g->arena, NodeId, l->n_in + 1), *results = arena_array(g->arena, NodeId, l->n_out + 1);
  for (int i = 0; i < l->n_in; i++) {
    bool row = i >= l->carried && i < l->carried + l->rows;
    given[i] = row ? split_axis(l, in[i], q, k) : in[i];
    Type t = graph_type(g, given[i]);
    if (row) t = type_of(g->arena, t.dtype, t.rank - 1, t.shape + 1);
    x[i] = g_input(outer, l->loc, t);
    again[i] = g_input(inner, l->loc, t);
  }
  Loop part = *l;
  part.g = inner;
  part.length = k;
  run_loop(&part, again, factor, depth - 1, results);
  for (int i = 0; i < l->n_out; i++) arrput(inner->outputs, results[i]);
  NodeId t = graph_add_region(outer, OP_checkpoint, l->loc, x, l->n_in, NULL, 0, &inner, 1);
  for (int i = 0; i < l->n_out; i++) arrput(outer->outputs, g_get(outer, l->loc, t, i));
  Loop whole = *l;
  whole.body = outer;
  whole.length = q;
  t = plain(&whole, given);
  for (int i = 0; i < l->n_out; i++) {
    out[i] = g_get(g, l->loc, t, i);
    if (i >= l->carried) out[i] = join_axes(l, out[i]);
  }
}

/* A loop in `depth` levels. */
static void run_loop(const Loop *l, const NodeId *in, const int64_t *factor, int depth, NodeId *out) {
  DimTab *dims = l->g->dims;
  int64_t n = dim_upper(dims, l->length), size = 1;
  for (int i = 0; i < depth - 1; i++) size *= factor[i];
  for (; depth > 1 && size >= n; depth--) size /= factor[depth - 2];
  if (depth <= 1) {
    NodeId t = plain(l, in);
    for (int i = 0; i < l->n_out; i++) out[i] = g_get(l->g, l->loc, t, i);
    return;
  }
  Dim k = dim_int(dims, size), q = dim_floordiv(dims, l->length, k), main = dim_mul(dims, q, k);
  Dim rest = dim_sub(dims, l->length, main), zero = dim_int(dims, 0);
  NodeId *now = arena_copy(l->g->arena, in, sizeof *in * (size_t)l->n_in);
  NodeId *parts[2] = {arena_array(l->g->arena, NodeId, l->n_out + 1), arena_array(l->g->arena, NodeId, l->n_out + 1)};
  bool whole = dim_is(dims, rest, 0);
  for (int turn = 0; turn < 2; turn++) { /* segments first, or the rest where the loop runs backwards */
    int which = turn ^ l->reverse;
    if (which == 1 && whole) continue;
    for (int i = l->carried; i < l->carried + l->rows; i++)
      now[i] = rows_of(l, in[i], which ? main : zero, which ? rest : main);
    Loop left = *l;
    left.length = rest;
    if (which == 0) run_segments(l, now, q, k, factor, depth, parts[0]);
    else run_loop(&left, now, factor, depth - 1, parts[1]);
    for (int i = 0; i < l->carried; i++) now[i] = parts[which][i];
  }
  for (int i = 0; i < l->n_out; i++) {
    NodeId both[2] = {parts[0][i], parts[1][i]};
    out[i] = i < l->carried ? now[i] : whole ? both[0] : g_concat(l->g, l->loc, both, 2, 0);
  }
}

/* ---- which loops ---- */

/* May its rows and stacks take one more axis? */
static bool has_room(const Graph *g, const Node *d) {
  for (int k = 0; k < d->n_in; k++)
    if (graph_type(g, d->in[k]).rank >= MAX_RANK) return false;
  for (int i = 0; i < d->n_results; i++)
    if (d->results[i].rank >= MAX_RANK) return false;
  return true;
}

/* Nodes that values are made of whose derivatives are asked for. */
static bool *differentiated(const Graph *g, bool all) {
  bool *met = zeroed((size_t)arrlen(g->nodes), sizeof *met);
  for (NodeId n = (NodeId)arrlen(g->nodes); n-- > 1;) {
    const Node *d = graph_node(g, n);
    met[n] |= all;
    if (op_info[d->op].cls == META && d->op != OP_get) met[d->in[0]] = true;
    for (int k = 0; k < d->n_in; k++) met[d->in[k]] |= met[n];
  }
  return met;
}

static void nest_graph(Graph *g, int depth, bool all) {
  bool *met = differentiated(g, all), any = false;
  for (NodeId n = 1; n < (NodeId)arrlen(g->nodes); n++) {
    const Node *d = graph_node(g, n);
    for (int r = 0; r < d->n_regions; r++) nest_graph(d->regions[r], depth, met[n]);
    any |= met[n] && (d->op == OP_scan || d->op == OP_while);
  }
  if (!any) {
    free(met);
    return;
  }
  Rewrite r = rewrite_begin(g);
  NodeId **results = zeroed(r.n_old, sizeof *results);
  for (NodeId n = 1; n < r.n_old; n++) {
    Node d = r.old[n];
    if (!r.live[n]) continue;
    if (d.op == OP_get && results[d.in[0]]) {
      rewrite_to(&r, n, results[d.in[0]][node_int(g, &d, A_index)]);
      continue;
    }
    NodeId now = rewrite_copy(&r, n);
    rewrite_to(&r, n, now);
    if (!met[n] || (d.op != OP_scan && d.op != OP_while)) continue;
    if (d.op == OP_while && !while_to_scan(g, now)) continue;
    d = *graph_node(g, now);
    Loop l = {.g = g, .loc = d.loc, .body = d.regions[0], .n_in = d.n_in, .n_out = d.n_results};
    l.carried = (int)node_int(g, &d, A_carried), l.rows = (int)node_int(g, &d, A_rows);
    l.length = node_dim(&d, A_length), l.reverse = node_int(g, &d, A_reverse);
    int64_t longest = dim_upper(g->dims, l.length), factor[MAX_DEPTH];
    if (!has_room(g, &d) || longest < SHORT) continue;
    results[n] = arena_array(g->arena, NodeId, d.n_results + 1);
    choose_factors(&l, longest, depth, factor);
    run_loop(&l, d.in, factor, depth, results[n]);
  }
  rewrite_end(&r);
  free(results);
  free(met);
}

void pass_nest(Graph *g, const Prog *prog, const Entry *entry) {
  (void)prog;
  if (entry && entry->nest > 1 && rewrite_has_transforms(g))
    nest_graph(g, entry->nest < MAX_DEPTH ? entry->nest : MAX_DEPTH, false);
}
