/* layout: the order of axes in which the values between convolutions lie.
 *
 * Before: every value lies row-major, an image as [batch][channel][place]. After: buffers of the arena between
 * convolutions may have their channels last, [batch][place][channel]; PlanBuf.place has the distances, and kernels read
 * and store through it. Nodes keep their axes, so that nothing else of the plan changes, and there is no transpose: the
 * first kernel of a chain reads what lies channels first and the last one stores it so.
 *
 * What a kernel gains or loses by an order depends on its own kind only, but an element-wise operand must lie as the
 * result does, or every line of one of them is touched once for each channel. So the buffers of such kernels are tied.
 * The order of all is chosen by the sum of gains, in moves of an element: first for what hangs together as a whole,
 * then for one buffer after the other as long as that is better. Chains that lose keep their order.
 * Why here: behind plan_memory, when values that share a buffer have one. Needs: fixed sizes but for the batch. */
#include "base/ds.h"
#include "passes/fixed.h"
#include "passes/pipeline.h"
#include "passes/plan_internal.h"
#include <stdlib.h>

/* Moves of an element that an order with channels last saves or costs. SQUARES: the transposed squares of a convolution
 * by tiles; LINES: long rows instead of short ones; ACROSS: an image that is read across its order; STEP: a result that
 * is stored so; TIED: operands of one element-wise kernel in different orders. */
enum { SQUARES = 4, LINES = 2, ACROSS = -8, STEP = -2, TIED = 6 };
enum { LEAST_CHANNELS = 16 }; /* whole vectors, and whole lines of a cache */

typedef struct Tie {
  int a, b;
} Tie;
typedef struct Layout {
  Plan *p;
  int n;
  bool *open;     /* by buffer: may have either order */
  bool *last;     /* channels last */
  double *gain;   /* by buffer: of channels last */
  Tie *ties;      /* stb_ds */
  uint8_t *fixed; /* by node of the entry's graph */
} Layout;

static bool sizes(const Plan *p, Type t, int64_t *size) { /* all but the first */
  if (t.rank != 4 || t.dtype != F32) return false;
  for (int k = 1; k < 4; k++)
    if (!dim_is_int(p->graph->dims, t.shape[k], &size[k]) || size[k] < 1) return false;
  return true;
}
static bool same_shape(Type a, Type b) {
  for (int k = 0; k < a.rank && a.rank == b.rank; k++)
    if (a.shape[k] != b.shape[k]) return false;
  return a.rank == b.rank;
}
static double elements(const Layout *y, int buf) { /* of an image */
  int64_t size[4];
  return sizes(y->p, y->p->bufs[buf].type, size) ? (double)(size[1] * size[2] * size[3]) : 0;
}
static void add(Layout *y, int buf, int moves) {
  if (buf >= 0) y->gain[buf] += moves * elements(y, buf);
}

/* ---- which buffers may have either order ---- */
static void open_buffers(Layout *y) {
  const Plan *p = y->p;
  for (int b = 0; b < y->n; b++) {
    const PlanBuf *x = &p->bufs[b];
    int64_t size[4];
    y->open[b] = x->kind == BUF_ARENA && x->begin >= 0 && x->twin < 0 && !x->place && sizes(p, x->type, size) &&
                 size[1] % LEAST_CHANNELS == 0 && size[2] * size[3] > 1;
  }
  for (int b = 0; b < y->n; b++)
    if (p->bufs[b].kind == BUF_ROW) y->open[p->bufs[b].index] = false;
  for (int s = 0; s < arrlen(p->scopes); s++)
    for (NodeId n = 1; n < (NodeId)arrlen(p->scopes[s].graph->nodes); n++) {
      int b = p->scopes[s].buf_of[n];
      if (b >= 0 && !same_shape(p->bufs[b].type, graph_type(p->scopes[s].graph, n))) y->open[b] = false;
    }
  for (int i = 0; i < arrlen(p->graph->outputs); i++)
    if (p->buf_of[p->graph->outputs[i]] >= 0) y->open[p->buf_of[p->graph->outputs[i]]] = false;
}
static void close_group(Layout *y, const Group *gr) {
  for (int i = 0; i < arrlen(gr->outs); i++) y->open[gr->outs[i].buf] = false;
  for (int i = 0; i < arrlen(gr->reads); i++) y->open[gr->reads[i]] = false;
}

/* ---- what a kernel gains ---- */
/* A window of 3x3 or 5x5 that moves by one, over some channels: convolutions by tiles, which have channels last. */
static bool by_tiles(const Graph *g, const Node *n, Type window) {
  int64_t stride[MAX_RANK], dilation[MAX_RANK], size[2], channels[2];
  if (node_ints(g, n, A_stride, stride, MAX_RANK) != 2 || node_int(g, n, A_groups) != 1) return false;
  node_ints(g, n, A_dilation, dilation, MAX_RANK);
  for (int k = 0; k < 2; k++)
    if (!dim_is_int(g->dims, window.shape[k], &channels[k]) || channels[k] < LEAST_CHANNELS / 2) return false;
  for (int k = 0; k < 2; k++)
    if (!dim_is_int(g->dims, window.shape[2 + k], &size[k]) || stride[k] * dilation[k] != 1) return false;
  return size[0] == size[1] && (size[0] == 3 || size[0] == 5);
}
/* A window of one element: rows of channels times weights that are packed once. */
static bool by_pixels(const Layout *y, const Group *gr, const Graph *g, const Node *n, Type window) {
  int64_t low[MAX_RANK], high[MAX_RANK];
  int spatial = node_ints(g, n, A_low, low, MAX_RANK);
  node_ints(g, n, A_high, high, MAX_RANK);
  if (n->op != OP_conv || spatial != 2 || node_int(g, n, A_groups) != 1 || gr->scope) return false;
  for (int k = 0; k < 2; k++)
    if (low[k] || high[k] || !dim_is(g->dims, window.shape[2 + k], 1)) return false;
  return y->fixed[n->in[1]] == FIXED;
}

static int stored(const Layout *y, const Group *gr, NodeId n) { /* its buffer, unless the group computes it */
  int b = y->p->scopes[gr->scope].buf_of[n];
  for (int i = 0; i < arrlen(gr->reads) && b >= 0; i++)
    if (gr->reads[i] == b) return b;
  return -1;
}
static void tie(Layout *y, int a, int b) {
  if (a != b) arrput(y->ties, ((Tie){a, b}));
}
/* Everything of the result's shape that the group touches lies as its first out does; `but`: the heavy node's operands.
 */
static void tie_group(Layout *y, const Group *gr, const int *but) {
  const PlanBuf *bufs = y->p->bufs;
  int out = gr->outs[0].buf;
  for (int i = 1; i < arrlen(gr->outs); i++) tie(y, out, gr->outs[i].buf);
  for (int i = 0; i < arrlen(gr->reads); i++) {
    int r = gr->reads[i];
    if (but && (r == but[0] || r == but[1])) continue;
    if (same_shape(bufs[r].type, bufs[out].type)) tie(y, out, r);
    else y->open[r] = false;
  }
}
static void conv_group(Layout *y, const Group *gr) {
  const Graph *g = y->p->scopes[gr->scope].graph;
  const Node *n = &g->nodes[gr->heavy];
  bool dw = n->op == OP_conv_dw;
  Type window = dw ? n->type : graph_type(g, n->in[1]);
  int image = stored(y, gr, n->in[0]), other = stored(y, gr, n->in[1]), out = gr->outs[0].buf;
  if (image < 0 || (dw && other < 0) || n->type.rank != 4) { /* operands that are computed where they are packed */
    close_group(y, gr);
    return;
  }
  bool tiles = by_tiles(g, n, window), pixels = by_pixels(y, gr, g, n, window);
  int in = tiles ? SQUARES : pixels ? LINES : ACROSS;
  add(y, image, in);
  if (dw) add(y, other, in);
  else if (other >= 0) y->open[other] = false;
  if (dw) { /* the results are weights */
    for (int i = 0; i < arrlen(gr->outs); i++) y->open[gr->outs[i].buf] = false;
    for (int i = 0; i < arrlen(gr->reads); i++)
      if (gr->reads[i] != image && gr->reads[i] != other) y->open[gr->reads[i]] = false;
    return;
  }
  y->open[out] &= same_shape(y->p->bufs[out].type, n->type);
  add(y, out, tiles ? SQUARES : pixels ? LINES : STEP);
  tie_group(y, gr, (int[]){image, other});
}
/* Sums of each channel of each image alone may go through the places in any order. */
static bool sums_places(const Graph *g, const Group *gr) {
  int64_t axes[MAX_RANK];
  const Node *n = &g->nodes[gr->heavy];
  if (arrlen(gr->folds) != 1 || graph_type(g, n->in[0]).rank != 4) return false;
  if (node_ints(g, n, A_axes, axes, MAX_RANK) != 2 || axes[0] != 2 || axes[1] != 3) return false;
  Dim few = type_count(g->dims, n->type);
  for (int i = 0; i < arrlen(gr->outs); i++)
    if (type_count(g->dims, graph_type(g, gr->outs[i].node)) != few) return false;
  return true;
}
/* The largest of windows, none of which stands outside of the image; the results lie as the image does. */
static void pool_group(Layout *y, const Group *gr) {
  const Graph *g = y->p->scopes[gr->scope].graph;
  const Node *n = &g->nodes[gr->heavy];
  int64_t window[MAX_RANK], low[MAX_RANK], high[MAX_RANK], size[4];
  int image = stored(y, gr, n->in[0]), out = gr->outs[0].buf, spatial = node_ints(g, n, A_window, window, MAX_RANK);
  bool good = image >= 0 && spatial == 2 && sizes(y->p, n->type, size) && same_shape(y->p->bufs[out].type, n->type);
  node_ints(g, n, A_low, low, MAX_RANK);
  node_ints(g, n, A_high, high, MAX_RANK);
  for (int k = 0; k < spatial; k++) good = good && low[k] < window[k] && high[k] < window[k];
  for (int i = 0; i < arrlen(gr->nodes); i++) good = good && g->nodes[gr->nodes[i]].op != OP_max_pool_arg;
  if (!good) {
    close_group(y, gr);
    return;
  }
  add(y, image, 1);
  tie(y, image, out);
  tie_group(y, gr, (int[]){image, -1});
}
static bool is_map(const Graph *g, const Group *gr) {
  for (int i = 0; i < arrlen(gr->nodes); i++) {
    const Node *n = &g->nodes[gr->nodes[i]];
    OpClass c = op_info[n->op].cls;
    if (c != MAP && n->op != OP_broadcast && n->op != OP_full && n->op != OP_reshape) return false;
  }
  return arrlen(gr->nodes) > 0;
}
static void look_at_group(Layout *y, const Group *gr) {
  const Graph *g = y->p->scopes[gr->scope].graph;
  Op op = gr->heavy ? (Op)g->nodes[gr->heavy].op : OP_NONE;
  if (!arrlen(gr->outs)) return;
  if (op == OP_conv || op == OP_conv_dx || op == OP_conv_dw) conv_group(y, gr);
  else if (op == OP_max_pool) pool_group(y, gr);
  else if (!gr->heavy && is_map(g, gr)) tie_group(y, gr, NULL);
  else if (!gr->heavy || !sums_places(g, gr)) close_group(y, gr);
}

/* ---- choosing ---- */
static int root(int *up, int b) {
  while (up[b] != b) b = up[b] = up[up[b]];
  return b;
}
/* What it gains when buffer b changes its order alone. */
static double gain_of_change(const Layout *y, int b) {
  double sum = y->last[b] ? -y->gain[b] : y->gain[b];
  for (int i = 0; i < arrlen(y->ties); i++) {
    Tie t = y->ties[i];
    if (t.a == b || t.b == b) sum += (y->last[t.a] == y->last[t.b] ? -TIED : TIED) * elements(y, b);
  }
  return sum;
}
static void choose(Layout *y) {
  int *up = zeroed((size_t)y->n, sizeof *up);
  double *whole = zeroed((size_t)y->n + 1, sizeof *whole);
  for (int b = 0; b < y->n; b++) up[b] = b;
  for (int i = 0; i < arrlen(y->ties); i++) { /* what turned out to keep its order holds the other back */
    Tie t = y->ties[i];
    if (y->open[t.a] != y->open[t.b]) y->gain[y->open[t.a] ? t.a : t.b] -= TIED * elements(y, y->open[t.a] ? t.a : t.b);
    if (y->open[t.a] && y->open[t.b]) continue;
    arrdelswap(y->ties, i);
    i--;
  }
  for (int i = 0; i < arrlen(y->ties); i++) up[root(up, y->ties[i].a)] = root(up, y->ties[i].b);
  for (int b = 0; b < y->n; b++)
    if (y->open[b]) whole[root(up, b)] += y->gain[b];
  for (int b = 0; b < y->n; b++) y->last[b] = y->open[b] && whole[root(up, b)] > 0;
  bool changed = true;
  for (int turn = 0; turn < 8 && changed; turn++) {
    changed = false;
    for (int b = 0; b < y->n; b++) {
      if (!y->open[b] || gain_of_change(y, b) <= 0) continue;
      y->last[b] = !y->last[b];
      changed = true;
    }
  }
  free(up);
  free(whole);
}

static const RowPlace *channels_last(const Plan *p, Type t) {
  DimTab *d = p->graph->dims;
  RowPlace *x = arena_one(p->arena, RowPlace);
  x->axis[1] = dim_int(d, 1);
  x->axis[3] = t.shape[1];
  x->axis[2] = dim_mul(d, t.shape[1], t.shape[3]);
  x->axis[0] = dim_mul(d, x->axis[2], t.shape[2]);
  return x;
}

void plan_layout(Plan *p) {
  Layout y = {.p = p, .n = (int)arrlen(p->bufs)};
  size_t n = (size_t)y.n + 1, nodes = arrlen(p->graph->nodes) + 1;
  y.open = zeroed(n, sizeof *y.open);
  y.last = zeroed(n, sizeof *y.last);
  y.gain = zeroed(n, sizeof *y.gain);
  y.fixed = zeroed(nodes, sizeof *y.fixed);
  for (NodeId i = 1; i < (NodeId)arrlen(p->graph->nodes); i++)
    y.fixed[i] = (uint8_t)fixed_node(p->graph, p->entry, i, y.fixed);
  open_buffers(&y);
  for (int i = 0; i < arrlen(p->groups); i++) look_at_group(&y, &p->groups[i]);
  choose(&y);
  for (int b = 0; b < y.n; b++)
    if (y.last[b]) p->bufs[b].place = channels_last(p, p->bufs[b].type);
  free(y.open), free(y.last), free(y.gain), free(y.fixed);
  arrfree(y.ties);
}
