/* absorb: what scales the results of a product goes into its weights, where these are the same in every call.
 *
 *   before  y = conv(x, w) * s + b          after  y = conv(x, w * s) + b        s: one factor for each result channel
 *           (conv(x, w) + a) * s + b               conv(x, w * s) + (a * s + b)
 *
 * w, s, a and b are made of parameters and state that an exported function does not write: a batch norm behind a
 * convolution or a product, by whatever formula it is written. `prepare` makes the new weights and the shift, and a
 * call is left with a product and one addition. Products are conv, conv_dx of one group, and dot; factors vary along
 * axes of the result that the weights have, or are numbers.
 *
 * Why here: after cse, which shows how often a result is used. simplify merges the broadcasts that remain.
 * Needs: an expanded graph. Keeps: values; roundings differ. Breaks: nothing. */
#include "base/ds.h"
#include "passes/fixed.h"
#include "passes/rewrite.h"
#include <stdlib.h>

typedef struct Absorb {
  Graph *g;
  const Entry *entry;
  uint8_t *fixed; /* stb_ds, by new node: a Fixed */
  bool *once;     /* stb_ds, by new node: used once at most */
} Absorb;

static Fixed fixed_of(Absorb *a, NodeId n) {
  for (NodeId m = (NodeId)arrlen(a->fixed); m <= n; m++) {
    uint8_t f = m ? (uint8_t)fixed_node(a->g, a->entry, m, a->fixed) : VARIES;
    arrput(a->fixed, f);
  }
  return (Fixed)a->fixed[n];
}
static void set_once(Absorb *a, NodeId n, bool once) {
  while ((NodeId)arrlen(a->once) <= n) arrput(a->once, true);
  a->once[n] = once;
}
static bool is_once(const Absorb *a, NodeId n) { return n >= (NodeId)arrlen(a->once) || a->once[n]; }

/* The factors `by`, which have the shape of a result, in the shape of its weights w; axis[j] is the axis of w that axis
 * j of the result is, or -1. 0 when they vary along other axes. */
static NodeId factors_of(Absorb *a, NodeId by, NodeId w, const int *axis) {
  Graph *g = a->g;
  Node b = *graph_node(g, by);
  Type t = graph_type(g, w);
  if (b.op == OP_full) return g_full(g, b.loc, node_num(&b, A_value), t);
  if (b.op != OP_broadcast) return 0;
  Type f = graph_type(g, b.in[0]);
  int64_t to[MAX_RANK];
  int on[MAX_RANK], n = 0;
  Dim size[MAX_RANK];
  node_ints(g, &b, A_axes, to, MAX_RANK);
  for (int k = 0; k < f.rank; k++) {
    if (dim_is(g->dims, f.shape[k], 1)) continue;
    int at = axis[to[k]];
    if (at < 0 || t.shape[at] != f.shape[k] || (n && on[n - 1] >= at)) return 0;
    size[n] = f.shape[k];
    on[n++] = at;
  }
  return g_broadcast(g, b.loc, g_reshape(g, b.loc, b.in[0], n, size), t.rank, t.shape, on);
}

/* Product d with operand k scaled. */
static NodeId scale_weights(Absorb *a, Node d, int k, Op op, NodeId by) {
  Graph *g = a->g;
  int axis[MAX_RANK];
  for (int j = 0; j < MAX_RANK; j++) axis[j] = -1;
  if (fixed_of(a, d.in[k]) != FIXED || fixed_of(a, d.in[!k]) != VARIES) return 0;
  if (d.op == OP_dot) {
    int64_t lw[MAX_RANK], ly[MAX_RANK];
    int nw = node_ints(g, &d, k ? A_lb : A_la, lw, MAX_RANK), ny = node_ints(g, &d, A_ly, ly, MAX_RANK);
    for (int j = 0; j < ny; j++)
      for (int i = 0; i < nw; i++)
        if (lw[i] == ly[j]) axis[j] = i;
  } else {
    if (!k || (d.op == OP_conv_dx && node_int(g, &d, A_groups) != 1)) return 0;
    axis[1] = d.op == OP_conv ? 0 : 1;
  }
  NodeId f = factors_of(a, by, d.in[k], axis);
  if (!f) return 0;
  NodeId in[2] = {d.in[0], d.in[1]};
  in[k] = g_map2(g, op, d.loc, d.in[k], f);
  return graph_add(g, (Op)d.op, d.loc, in, 2, d.attrs, d.n_attrs, &d.type);
}

/* n * by or n / by with the factors in the weights; 0 when n is no product, nor one with something fixed added. */
static NodeId scaled(Absorb *a, NodeId n, Op op, NodeId by) {
  Node d = *graph_node(a->g, n);
  if (!is_once(a, n)) return 0;
  if (d.op == OP_conv || d.op == OP_conv_dx || d.op == OP_dot) {
    NodeId y = scale_weights(a, d, 1, op, by);
    return y || d.op != OP_dot ? y : scale_weights(a, d, 0, op, by);
  }
  if (d.op != OP_add && d.op != OP_sub) return 0;
  int k = fixed_of(a, d.in[0]) != VARIES;
  if (fixed_of(a, d.in[!k]) == VARIES) return 0;
  NodeId in[2];
  in[k] = scaled(a, d.in[k], op, by);
  if (!in[k]) return 0;
  in[!k] = g_map2(a->g, op, d.loc, d.in[!k], by);
  return g_map2(a->g, (Op)d.op, d.loc, in[0], in[1]);
}

/* Where is the operand of d that varies, when the other one is fixed and added or subtracted? -1: nowhere. */
static int shifted(Absorb *a, const Node *d) {
  if (d->op != OP_add && d->op != OP_sub) return -1;
  int k = fixed_of(a, d->in[0]) != VARIES;
  if (fixed_of(a, d->in[!k]) == VARIES || fixed_of(a, d->in[k]) != VARIES || (d->op == OP_sub && k)) return -1;
  return k;
}
/* (x + a) + b = x + (a + b), and so on with differences, where a and b are fixed. */
static NodeId added(Absorb *a, Node d) {
  int k = shifted(a, &d);
  if (k < 0 || !is_once(a, d.in[k])) return 0;
  Node inner = *graph_node(a->g, d.in[k]);
  int j = shifted(a, &inner);
  if (j < 0) return 0;
  NodeId first = inner.in[!j], second = d.in[!k];
  bool less = inner.op == OP_sub;
  NodeId sum = less && d.op == OP_add ? g_map2(a->g, OP_sub, d.loc, second, first)
                                      : g_map2(a->g, less ? OP_add : (Op)d.op, d.loc, first, second);
  return g_map2(a->g, less && d.op == OP_sub ? OP_sub : OP_add, inner.loc, inner.in[j], sum);
}

static NodeId absorb_node(Absorb *a, NodeId n) {
  Node d = *graph_node(a->g, n);
  NodeId y = 0;
  if (d.type.dtype != F32 && d.type.dtype != F64) return n;
  if (d.op == OP_mul || d.op == OP_div) {
    int k = fixed_of(a, d.in[0]) != VARIES;
    if (fixed_of(a, d.in[!k]) == VARIES || fixed_of(a, d.in[k]) != VARIES || (d.op == OP_div && k)) return n;
    y = scaled(a, d.in[k], (Op)d.op, d.in[!k]);
  } else y = added(a, d);
  return y ? y : n;
}

void pass_absorb(Graph *g, const Prog *prog, const Entry *entry) {
  (void)prog;
  if (entry && (entry->kind != DNN_EXPORT || !entry->exported)) return;
  Rewrite r = rewrite_begin(g);
  int *uses = zeroed(r.n_old + 1, sizeof *uses);
  for (NodeId n = 1; n < r.n_old; n++)
    for (int k = 0; r.live[n] && k < r.old[n].n_in; k++) uses[r.old[n].in[k]]++;
  for (int i = 0; i < (int)arrlen(g->outputs); i++) uses[g->outputs[i]]++;
  Absorb a = {.g = g, .entry = entry};
  for (NodeId n = 1; n < r.n_old; n++) {
    if (!r.live[n]) continue;
    NodeId now = absorb_node(&a, rewrite_copy(&r, n));
    set_once(&a, now, uses[n] <= 1);
    rewrite_to(&r, n, now);
  }
  free(uses);
  arrfree(a.fixed);
  arrfree(a.once);
  rewrite_end(&r);
}
