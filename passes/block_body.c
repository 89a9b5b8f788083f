/* The body of a block: its nodes without the lead axes; see block.c.
 *
 * What is made inside loses the lead axes. What comes from outside is read at the element: views of it, which cost
 * nothing, put the lead axes in front and a gather takes the element's row, which is a view as well where the index is
 * the number of an iteration. What is generated (random numbers, masks of counters) is made again inside. */
#include "base/ds.h"
#include "passes/block.h"

static bool has(const Lead *lead, int n, int axis) {
  for (int i = 0; i < n; i++)
    if (lead->axis[i] == axis) return true;
  return false;
}
static bool same_lead(const Lead *a, const Lead *b, int n) {
  for (int i = 0; i < n; i++)
    if (a->axis[i] != b->axis[i]) return false;
  return true;
}
/* The number of an axis that is no lead axis, when those are gone. */
static int left(const Lead *lead, int n, int axis) {
  int at = axis;
  for (int i = 0; i < n; i++) at -= lead->axis[i] < axis;
  return at;
}
/* How many of the lead axes are none of the body's. */
static int gone(const Family *f) { return f->rows ? 0 : f->n; }
static Type reduced(const Family *f, Type t, const Lead *lead) {
  Dim shape[MAX_RANK];
  int rank = 0;
  for (int k = 0; k < t.rank; k++)
    if (!has(lead, gone(f), k)) shape[rank++] = t.shape[k];
  if (f->rows) shape[lead->axis[0]] = dim_int(f->g->dims, f->rows);
  return type_of(f->g->arena, t.dtype, rank, shape);
}

/* ---- what is made inside ---- */

static double most(const Family *f, NodeId n) {
  return (double)dim_upper(f->g->dims, type_count(f->g->dims, graph_type(f->g, n)));
}
static bool is_view(const Node *x) { return op_info[x->op].cls == VIEW && x->op != OP_concat; }

/* Made of counters, constants and what is much smaller: it costs no more to make it than to load it. */
static bool is_light(const Family *f, NodeId n, int depth) {
  const Node *x = graph_node(f->g, n);
  if (x->op == OP_full || x->op == OP_iota || x->op == OP_uniform || x->op == OP_size || x->op == OP_clock) return true;
  if (x->op == OP_broadcast && most(f, x->in[0]) * 4 <= most(f, n)) return true;
  if (depth > 6 || (op_info[x->op].cls != MAP && !is_view(x))) return false;
  for (int k = 0; k < x->n_in; k++)
    if (!is_light(f, x->in[k], depth + 1)) return false;
  return true;
}

static NodeId behind_views(const Family *f, NodeId n) {
  while (is_view(graph_node(f->g, n))) n = graph_node(f->g, n)->in[0];
  return n;
}

/* Does a member of this level read it? Then it is taken in anyway. */
static bool is_read(const Family *f, NodeId n, int level) {
  for (NodeId m = n + 1; m < (NodeId)arrlen(f->g->nodes); m++) {
    if (!f->member[m] || f->level[m] != level) continue;
    const Node *x = graph_node(f->g, m);
    for (int k = 0; k < x->n_in; k++)
      if (behind_views(f, x->in[k]) == n) return true;
  }
  return false;
}

/* A large value of an earlier block is made again where that reads less than it would, or what is read anyway. */
static bool again(const Family *f, NodeId n, int level, int depth) {
  enum { LONG_SUM = 256 };
  const Node *x = graph_node(f->g, n);
  if (!f->member[n] || f->level[n] >= level || depth > 12) return false;
  if (x->op == OP_dot) {
    double sum = (double)dim_upper(f->g->dims, node_flops(f->g, n)) / 2 / most(f, n);
    return sum <= LONG_SUM && most(f, x->in[0]) * 2 <= most(f, n) && most(f, x->in[1]) * 2 <= most(f, n);
  }
  if (op_info[x->op].cls != MAP) return false;
  for (int k = 0; k < x->n_in; k++) {
    NodeId base = behind_views(f, x->in[k]);
    bool small = most(f, base) * 4 <= most(f, n);
    if (!small && !is_light(f, x->in[k], 0) && !again(f, base, level, depth + 1) && !is_read(f, base, level))
      return false;
  }
  return true;
}
bool block_again(const Family *f, NodeId n, int level) { return again(f, n, level, 0); }

static bool is_made(const Block *b, NodeId n) {
  return b->f->member[n] && (b->f->level[n] == b->level || block_again(b->f, n, b->level));
}
/* Made inside, or a view of it. */
static bool is_inside(const Block *b, NodeId n) {
  const Node *x = graph_node(b->f->g, n);
  if (is_made(b, n)) return true;
  return is_view(x) && b->f->known[n] && !b->f->bad[n] && is_inside(b, x->in[0]);
}

static NodeId value(Block *b, NodeId n, const Lead *lead);

static NodeId enter_some(Block *b, NodeId n, const Lead *lead);

static NodeId operand(Block *b, NodeId n, const Lead *lead, int k) {
  Lead at;
  NodeId o = graph_node(b->f->g, n)->in[k];
  return lead_of_operand(b->f->g, n, lead, b->f->n, k, &at) ? value(b, o, &at) : enter_some(b, o, &at);
}

static int labels(const Family *f, const Node *x, AttrKey key, const Lead *lead, int *out) {
  int64_t v[MAX_RANK], ly[MAX_RANK];
  int n = node_ints(f->g, x, key, v, MAX_RANK), m = 0;
  node_ints(f->g, x, A_ly, ly, MAX_RANK);
  for (int i = 0; i < n; i++) {
    bool lost = false;
    for (int k = 0; k < gone(f); k++) lost |= ly[lead->axis[k]] == v[i];
    if (!lost) out[m++] = (int)v[i];
  }
  return m;
}

static NodeId copy_node(Graph *g, const Node *x, const NodeId *in, Type t) {
  Node y = *x;
  y.in = arena_copy(g->arena, in, sizeof *in * (size_t)(x->n_in ? x->n_in : 1));
  y.type = t;
  arrput(g->nodes, y);
  return (NodeId)arrlen(g->nodes) - 1;
}

/* A view of what is made inside. */
static NodeId make_view(Block *b, NodeId n, const Lead *lead) {
  const Family *f = b->f;
  const Node *x = graph_node(f->g, n);
  NodeId a = operand(b, n, lead, 0);
  Type t = reduced(f, x->type, lead);
  Lead from;
  int64_t v[MAX_RANK], step[MAX_RANK];
  int axes[MAX_RANK], rank = 0;
  Dim at[MAX_RANK];
  lead_of_operand(f->g, n, lead, f->n, 0, &from);
  switch (x->op) {
  case OP_reshape: return g_reshape(b->body, x->loc, a, t.rank, t.shape);
  case OP_transpose:
    node_ints(f->g, x, A_perm, v, MAX_RANK);
    for (int k = 0; k < x->type.rank; k++)
      if (!has(lead, gone(f), k)) axes[rank++] = left(&from, gone(f), (int)v[k]);
    return g_transpose(b->body, x->loc, a, axes);
  case OP_broadcast: {
    int n_axes = node_ints(f->g, x, A_axes, v, MAX_RANK);
    for (int k = 0; k < n_axes; k++)
      if (!has(&from, gone(f), k)) axes[rank++] = left(lead, gone(f), (int)v[k]);
    return g_broadcast(b->body, x->loc, a, t.rank, t.shape, axes);
  }
  case OP_slice: node_ints(f->g, x, A_step, step, MAX_RANK); /* fall through */
  case OP_pad: {
    const Attr *begin = node_attr(x, x->op == OP_slice ? A_start : A_low);
    for (int k = 0; k < x->type.rank; k++) {
      if (has(lead, gone(f), k)) continue;
      at[rank] = begin->dims[k];
      v[rank++] = x->op == OP_slice ? step[k] : 0;
    }
    if (x->op == OP_slice) return g_slice(b->body, x->loc, a, at, v, t.shape);
    return g_pad(b->body, x->loc, a, at, t.shape, node_num(x, A_value));
  }
  default: INTERNAL("block: a view by %s", op_info[x->op].name);
  }
}

static NodeId make(Block *b, NodeId n, const Lead *lead) {
  const Family *f = b->f;
  const Node *x = graph_node(f->g, n);
  NodeId in[3] = {0};
  for (int k = 0; k < x->n_in; k++) in[k] = operand(b, n, lead, k);
  x = graph_node(f->g, n);
  if (x->op == OP_dot) {
    int la[MAX_RANK], lb[MAX_RANK], ly[MAX_RANK], ny = labels(f, x, A_ly, lead, ly);
    labels(f, x, A_la, lead, la);
    labels(f, x, A_lb, lead, lb);
    return g_dot(b->body, x->loc, in[0], in[1], la, lb, ly, ny);
  }
  if (op_info[x->op].cls == MAP) return copy_node(b->body, x, in, reduced(f, x->type, lead));
  if (x->op == OP_gather) { /* the lead axes are some of its batch */
    int axis = (int)node_int(f->g, x, A_axis), batch = (int)node_int(f->g, x, A_batch);
    return g_gather(b->body, x->loc, in[0], in[1], axis - gone(f), batch - gone(f));
  }
  Lead from;
  lead_of_operand(f->g, n, lead, f->n, 0, &from);
  if (x->op == OP_argmax || x->op == OP_argmin)
    return g_arg(b->body, (Op)x->op, x->loc, in[0], left(&from, gone(f), (int)node_int(f->g, x, A_axis)));
  int64_t v[MAX_RANK];
  int axes[MAX_RANK], n_axes = node_ints(f->g, x, A_axes, v, MAX_RANK);
  for (int k = 0; k < n_axes; k++) axes[k] = left(&from, gone(f), (int)v[k]);
  return g_reduce(b->body, (Op)x->op, x->loc, in[0], axes, n_axes);
}

/* ---- what comes in ---- */

/* The whole value: views, counters and random numbers are copied, the rest is captured. */
static NodeId capture(Block *b, NodeId n) {
  if (b->captured[n]) return b->captured[n];
  const Node *x = graph_node(b->f->g, n);
  bool leaf = x->op == OP_full || x->op == OP_iota || x->op == OP_size || x->op == OP_clock || x->op == OP_uniform;
  if (leaf || is_view(x)) {
    NodeId in[1] = {x->n_in ? capture(b, x->in[0]) : 0};
    b->captured[n] = copy_node(b->body, x, in, x->type);
  } else {
    arrput(b->captures, n);
    b->captured[n] = g_input(b->body, x->loc, x->type);
  }
  return b->captured[n];
}

/* The element's rows. */
static NodeId enter_rows(Block *b, NodeId n, int axis) {
  const Family *f = b->f;
  Type t = graph_type(f->g, n);
  Dim shape[MAX_RANK + 1];
  for (int k = 0; k < t.rank; k++) shape[k + (k > axis)] = t.shape[k];
  shape[axis] = f->length;
  shape[axis + 1] = dim_int(f->g->dims, f->rows);
  Loc loc = graph_node(f->g, n)->loc;
  return g_gather(b->body, loc, g_reshape(b->body, loc, capture(b, n), t.rank + 1, shape), b->count, axis, 0);
}

static NodeId enter(Block *b, NodeId n, const Lead *lead) {
  const Family *f = b->f;
  const Node *x = graph_node(f->g, n);
  Type t = reduced(f, x->type, lead);
  if (x->op == OP_full) return g_full(b->body, x->loc, node_num(x, A_value), t);
  if (x->op == OP_broadcast) { /* the same for every element? */
    int64_t v[MAX_RANK];
    int axes[MAX_RANK], rank = node_ints(f->g, x, A_axes, v, MAX_RANK);
    bool same = true;
    for (int k = 0; k < rank; k++) same &= !has(lead, f->n, (int)v[k]);
    for (int k = 0; k < rank; k++) axes[k] = left(lead, gone(f), (int)v[k]);
    if (same) return g_broadcast(b->body, x->loc, capture(b, x->in[0]), t.rank, t.shape, axes);
  }
  if (f->rows) return enter_rows(b, n, lead->axis[0]);
  int perm[MAX_RANK], n_perm = 0;
  Dim shape[MAX_RANK];
  bool turned = false;
  for (int k = 0; k < f->n; k++) perm[n_perm++] = lead->axis[k];
  for (int k = 0; k < x->type.rank; k++)
    if (!has(lead, gone(f), k)) perm[n_perm++] = k;
  for (int k = 0; k < n_perm; k++) turned |= perm[k] != k;
  NodeId a = capture(b, n);
  Loc loc = graph_node(f->g, n)->loc;
  if (turned) a = g_transpose(b->body, loc, a, perm);
  shape[0] = f->length;
  for (int k = 0; k < t.rank; k++) shape[k + 1] = t.shape[k];
  if (f->n > 1) a = g_reshape(b->body, loc, a, t.rank + 1, shape);
  return g_gather(b->body, loc, a, b->count, 0, 0);
}

/* What has some of the lead axes only, -1 for the others, and is the same along those. */
static NodeId enter_some(Block *b, NodeId n, const Lead *lead) {
  const Family *f = b->f;
  NodeId a = capture(b, n);
  bool none = true;
  for (int i = 0; i < f->n; i++) none &= lead->axis[i] < 0;
  if (f->rows || none) return a;
  Type t = graph_type(f->g, n);
  Loc loc = graph_node(f->g, n)->loc;
  Dim shape[MAX_RANK + MAX_LEAD];
  int axes[MAX_RANK], perm[MAX_RANK], rank = f->n, n_perm = 0;
  for (int i = 0; i < f->n; i++) { /* those that it has in front, in their order */
    shape[i] = f->size[i];
    if (lead->axis[i] < 0) continue;
    axes[n_perm] = i;
    perm[n_perm++] = lead->axis[i];
  }
  for (int k = 0; k < t.rank; k++) {
    if (has(lead, gone(f), k)) continue;
    shape[rank] = t.shape[k];
    axes[n_perm] = rank++;
    perm[n_perm++] = k;
  }
  if (rank > MAX_RANK) INTERNAL("block: an operand of %d axes", rank);
  a = g_broadcast(b->body, loc, g_transpose(b->body, loc, a, perm), rank, shape, axes);
  shape[f->n - 1] = f->length;
  if (f->n > 1) a = g_reshape(b->body, loc, a, rank - f->n + 1, shape + f->n - 1);
  return g_gather(b->body, loc, a, b->count, 0, 0);
}

/* Node n of the old graph at the element, its lead axes being these. */
static NodeId value(Block *b, NodeId n, const Lead *lead) {
  const Family *f = b->f;
  bool usual = f->known[n] && same_lead(lead, &f->lead[n], f->n);
  if (usual && b->inner[n]) return b->inner[n];
  bool inside = usual && is_inside(b, n);
  NodeId now;
  Lead at; /* a repetition of the element's row is one of what comes in */
  bool row = graph_node(f->g, n)->op == OP_broadcast && lead_of_operand(f->g, n, lead, f->n, 0, &at);
  if (row || (inside && is_view(graph_node(f->g, n)))) now = make_view(b, n, lead);
  else if (inside || (op_info[graph_node(f->g, n)->op].cls == MAP && is_light(f, n, 0))) now = make(b, n, lead);
  else now = enter(b, n, lead);
  if (usual) b->inner[n] = now;
  return now;
}

void block_fill(Block *b) {
  const Family *f = b->f;
  NodeId n_nodes = (NodeId)arrlen(f->g->nodes);
  b->body = graph_new(f->g->arena, f->g->dims, f->g->diag);
  b->inner = arena_array(f->g->arena, NodeId, n_nodes);
  b->captured = arena_array(f->g->arena, NodeId, n_nodes);
  b->count = g_input(b->body, (Loc){0}, type_scalar(I64));
  for (NodeId n = 1; n < n_nodes; n++)
    if (f->member[n] && f->level[n] == b->level) value(b, n, &f->lead[n]);
}
