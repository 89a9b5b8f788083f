/* sink: what costs nothing is made inside of regions instead of being handed to them.
 *
 *   before  i = iota; r = i * 2 + 3; w = transpose v; t = scan(h, r, n, w) { ... }
 *   after   i = iota; t = scan(h, i, v) { r = i * 2 + 3; n = size N; w = transpose v; ... }
 *
 *   captures   sizes, counters, the clock, small tables; views, through which the kernels inside read; an element-wise
 *              scalar of such; what a few operations make of indices, such as a mask
 *   rows       that are functions of their number are made of it, so that nothing of the loop's length is stored; one
 *              row among equal numbers, as the gradient of a loop's last state has, is chosen by its number
 *
 * From the outside in, so that what an outer region takes in goes on to its inner ones.
 * Why here: after cse, which makes equal captures one; before resimplify, since what comes in meets its users there.
 * Needs: trim, which does the same for constants and repetitions and drops what this leaves unread. Keeps: bits.
 * Breaks: nothing. */
#include "base/ds.h"
#include "passes/rewrite.h"
#include <stdlib.h>

typedef struct Sink {
  Rewrite *r;
  Graph *g; /* r->g; operands are named by old ids */
  const Node *x;
  int carried, rows, first; /* operands: `first` is 1 for cond, whose operand 0 decides */
  bool needs_count;
  NodeId *captures; /* stb_ds: old ids of what the new regions capture */
} Sink;

static const Node *old_node(const Sink *s, NodeId n) { return &s->r->old[n]; }

/* ---- what is made inside ---- */

static bool is_leaf(const Sink *s, NodeId n) {
  const Node *x = old_node(s, n);
  enum { SMALL = 1024 }; /* bytes */
  if (x->op == OP_literal) return node_attr(x, A_data)->n <= SMALL;
  return x->op == OP_full || x->op == OP_size || x->op == OP_iota || x->op == OP_clock;
}
/* Do at most `most` operations make an element of n from its indices? Those that remain, or -1. */
static int few_operations(const Sink *s, NodeId n, int most) {
  const Node *x = old_node(s, n);
  if (x->op == OP_full || x->op == OP_size || x->op == OP_iota) return most;
  if (x->op != OP_broadcast && x->op != OP_reshape && op_info[x->op].cls != MAP) return -1;
  if (op_info[x->op].cls == MAP) most -= op_info[x->op].flops;
  for (int k = 0; k < x->n_in && most >= 0; k++) most = few_operations(s, x->in[k], most);
  return most;
}
/* A leaf, or what a few operations make of leaves: a scalar, or a value of indices. */
static bool is_constant(const Sink *s, NodeId n) {
  enum { FEW = 4 };
  const Node *x = old_node(s, n);
  if (is_leaf(s, n) || few_operations(s, n, FEW) >= 0) return true;
  if (op_info[x->op].cls != MAP || x->type.rank) return false;
  for (int k = 0; k < x->n_in; k++)
    if (!is_constant(s, x->in[k])) return false;
  return true;
}
static bool is_view(const Sink *s, NodeId n) {
  Op op = (Op)old_node(s, n)->op;
  return op == OP_reshape || op == OP_transpose || op == OP_broadcast || op == OP_slice;
}
static bool repeats_rows(const Sink *s, NodeId n) { /* a broadcast along the first axis */
  const Node *x = old_node(s, n);
  int64_t axes[MAX_RANK];
  if (x->op != OP_broadcast) return false;
  int rank = node_ints(s->g, x, A_axes, axes, MAX_RANK);
  return !rank || axes[0] != 0;
}
static bool is_one_row(const Sink *s, NodeId n) { /* and all others are one number */
  const Node *x = old_node(s, n);
  const DimTab *d = s->g->dims;
  if (x->op != OP_pad || !dim_is(d, old_node(s, x->in[0])->type.shape[0], 1)) return false;
  for (int k = 1; k < x->type.rank; k++)
    if (old_node(s, x->in[0])->type.shape[k] != x->type.shape[k] || !dim_is(d, node_attr(x, A_low)->dims[k], 0))
      return false;
  return true;
}
/* A row operand whose rows are functions of their number. */
static bool is_counted(const Sink *s, NodeId n) {
  const Node *x = old_node(s, n);
  if (x->op == OP_full || x->op == OP_iota || repeats_rows(s, n) || is_one_row(s, n)) return true;
  if (op_info[x->op].cls != MAP) return false;
  for (int k = 0; k < x->n_in; k++)
    if (!is_counted(s, x->in[k])) return false;
  return true;
}

static Type row_type(Type t) { return (Type){t.dtype, t.rank - 1, t.shape + 1}; }

static void capture(Sink *s, NodeId n) {
  for (int i = 0; i < (int)arrlen(s->captures); i++)
    if (s->captures[i] == n) return;
  arrput(s->captures, n);
}
/* What the regions must capture to make n; rows: a row of it. */
static void collect(Sink *s, NodeId n) {
  if (is_constant(s, n)) return;
  if (is_view(s, n)) collect(s, old_node(s, n)->in[0]);
  else capture(s, n);
}
static void collect_row(Sink *s, NodeId n) {
  const Node *x = old_node(s, n);
  if (x->op == OP_iota && node_int(s->g, x, A_axis) == 0) s->needs_count = true;
  s->needs_count |= x->op == OP_pad;
  if (repeats_rows(s, n) || x->op == OP_pad) collect(s, x->in[0]);
  else
    for (int k = 0; k < x->n_in; k++) collect_row(s, x->in[k]);
}

/* The new region while it is built. */
typedef struct Body {
  Sink *s;
  Graph *g;
  NodeId count;     /* the number of the iteration, i64 */
  NodeId *captured; /* stb_ds: by new capture */
} Body;

static NodeId copy_with(Graph *g, const Node *x, const NodeId *in, Type t) {
  Node y = *x;
  y.in = arena_copy(g->arena, in, sizeof *in * (size_t)(x->n_in ? x->n_in : 1));
  y.type = t;
  arrput(g->nodes, y);
  return (NodeId)arrlen(g->nodes) - 1;
}
static NodeId make(Body *b, NodeId n) {
  const Node *x = old_node(b->s, n);
  for (int i = 0; i < (int)arrlen(b->s->captures); i++)
    if (b->s->captures[i] == n) return b->captured[i];
  NodeId in[3] = {0};
  for (int k = 0; k < x->n_in; k++) in[k] = make(b, x->in[k]);
  return copy_with(b->g, x, in, x->type);
}
/* The one row in its iteration, in all others the number. */
static NodeId make_one_row(Body *b, const Node *x, Type t) {
  NodeId place = g_size(b->g, x->loc, node_attr(x, A_low)->dims[0], I64);
  NodeId here = g_map2(b->g, OP_eq, x->loc, b->count, place);
  if (t.rank) here = g_broadcast_to(b->g, x->loc, here, t.rank, t.shape);
  NodeId row = g_reshape(b->g, x->loc, make(b, x->in[0]), t.rank, t.shape);
  return g_where(b->g, x->loc, here, row, g_full(b->g, x->loc, node_num(x, A_value), t));
}
static NodeId make_row(Body *b, NodeId n) {
  const Node *x = old_node(b->s, n);
  Type t = row_type(x->type);
  if (x->op == OP_full) return g_full(b->g, x->loc, node_num(x, A_value), t);
  if (x->op == OP_iota) {
    int axis = (int)node_int(b->g, x, A_axis);
    if (axis) return g_iota(b->g, x->loc, t, axis - 1);
    NodeId count = g_cast(b->g, x->loc, b->count, t.dtype);
    return t.rank ? g_broadcast_to(b->g, x->loc, count, t.rank, t.shape) : count;
  }
  if (x->op == OP_broadcast) {
    int64_t to[MAX_RANK];
    int axes[MAX_RANK], rank = node_ints(b->g, x, A_axes, to, MAX_RANK);
    for (int k = 0; k < rank; k++) axes[k] = (int)to[k] - 1;
    return g_broadcast(b->g, x->loc, make(b, x->in[0]), t.rank, t.shape, axes);
  }
  if (x->op == OP_pad) return make_one_row(b, x, t);
  NodeId in[3];
  for (int k = 0; k < x->n_in; k++) in[k] = make_row(b, x->in[k]);
  return copy_with(b->g, x, in, t);
}

/* ---- the new node ---- */

static bool is_row(const Sink *s, int i) { return i >= s->carried && i < s->carried + s->rows; }
static bool stays(const Sink *s, int i) { return i < s->carried || (is_row(s, i) && !is_counted(s, s->x->in[i])); }

/* Is there anything to be made inside? The number of the iteration alone is not. */
static bool sinks(const Sink *s) {
  for (int i = s->first + s->carried; i < s->x->n_in; i++) {
    NodeId n = s->x->in[i];
    if (!is_row(s, i) && (is_constant(s, n) || is_view(s, n))) return true;
    const Node *x = old_node(s, n);
    bool count = x->op == OP_iota && x->type.rank == 1 && x->type.dtype == I64;
    if (is_row(s, i) && is_counted(s, n) && !count) return true;
  }
  return false;
}

static Graph *rebuild(Sink *s, const Graph *from) {
  Body b = {s, graph_new(s->g->arena, from->dims, from->diag), 0, NULL};
  NodeId *input = arena_array(s->g->arena, NodeId, from->n_inputs + 1);
  NodeId *map = zeroed((size_t)arrlen(from->nodes) + 1, sizeof *map);
  for (int i = 0; i < s->carried; i++) input[i] = g_input(b.g, s->x->loc, from->input_types[i]);
  if (s->needs_count) b.count = g_input(b.g, s->x->loc, type_scalar(I64));
  for (int i = s->carried; i < s->carried + s->rows; i++)
    if (stays(s, i)) input[i] = g_input(b.g, s->x->loc, from->input_types[i]);
  for (int i = 0; i < (int)arrlen(s->captures); i++)
    arrput(b.captured, g_input(b.g, s->x->loc, old_node(s, s->captures[i])->type));
  for (int i = 0; i < from->n_inputs; i++) {
    NodeId n = s->x->in[i + s->first];
    if (!input[i]) input[i] = is_row(s, i) ? make_row(&b, n) : make(&b, n);
  }
  for (NodeId n = 1; n < (NodeId)arrlen(from->nodes); n++) {
    const Node *x = graph_node(from, n);
    map[n] = x->op == OP_input ? input[node_int(from, x, A_index)] : graph_copy_node(b.g, *x, map);
  }
  for (int i = 0; i < (int)arrlen(from->outputs); i++) arrput(b.g->outputs, map[from->outputs[i]]);
  free(map);
  arrfree(b.captured);
  return b.g;
}

/* Appends the new node; its operands are new ids. */
static NodeId rebuild_node(Sink *s) {
  const Node *x = s->x;
  Graph *g = s->g, *regions[2];
  NodeId *in = NULL;
  for (int i = s->first + s->carried; i < x->n_in; i++) {
    if (is_row(s, i) && !stays(s, i)) collect_row(s, x->in[i]);
    else if (!is_row(s, i)) collect(s, x->in[i]);
  }
  for (int k = 0; k < x->n_regions; k++) regions[k] = rebuild(s, x->regions[k]);
  for (int i = 0; i < s->first + s->carried; i++) arrput(in, rewrite_get(s->r, x->in[i]));
  if (s->needs_count) {
    Dim length = node_dim(x, A_length);
    arrput(in, g_iota(g, x->loc, type_of(g->arena, I64, 1, &length), 0));
  }
  for (int i = s->carried; i < s->carried + s->rows; i++)
    if (stays(s, i)) arrput(in, rewrite_get(s->r, x->in[i]));
  int rows = (int)arrlen(in) - s->carried;
  for (int i = 0; i < (int)arrlen(s->captures); i++) arrput(in, rewrite_get(s->r, s->captures[i]));
  Attr attrs[8];
  for (int i = 0; i < x->n_attrs; i++) attrs[i] = x->attrs[i].key == A_rows ? attr_int(g, A_rows, rows) : x->attrs[i];
  NodeId n = graph_add_region(g, (Op)x->op, x->loc, in, (int)arrlen(in), attrs, x->n_attrs, regions, x->n_regions);
  arrfree(in);
  return n;
}

static NodeId sink_node(Rewrite *r, NodeId n) {
  const Node *x = &r->old[n];
  Sink s = {.r = r, .g = r->g, .x = x, .first = x->op == OP_cond};
  if (x->op == OP_scan || x->op == OP_while) s.carried = (int)node_int(r->g, x, A_carried);
  if (x->op == OP_scan || x->op == OP_vmap) s.rows = (int)node_int(r->g, x, A_rows);
  NodeId now = sinks(&s) ? rebuild_node(&s) : rewrite_copy(r, n);
  arrfree(s.captures);
  return now;
}

void pass_sink(Graph *g, const Prog *prog, const Entry *entry) {
  bool any = false;
  for (NodeId n = 1; n < (NodeId)arrlen(g->nodes); n++) any |= g->nodes[n].n_regions > 0;
  if (!any) return;
  Rewrite r = rewrite_begin(g);
  for (NodeId n = 1; n < r.n_old; n++) {
    if (!r.live[n]) continue;
    Op op = (Op)r.old[n].op;
    bool region = op == OP_scan || op == OP_vmap || op == OP_while || op == OP_cond || op == OP_checkpoint;
    rewrite_to(&r, n, region ? sink_node(&r, n) : rewrite_copy(&r, n));
  }
  rewrite_end(&r);
  rewrite_regions(g, pass_sink, prog, entry);
}
