/* fold: ops of constants become constants.
 *
 *   before  a = full 2 : f32[N]; b = full 3 : f32[N]; y = a * b        after  y = full 6 : f32[N]
 *
 * The reference evaluator computes them, so folding changes no bit of what it would return. Element-wise ops of `full`
 * fold for any shape, through one element. Others fold when the result has at most 64 KiB; a view that would copy a
 * literal into something larger stays a view. Random numbers and positions (uniform, iota) are left: they are cheap.
 *
 * Needs: nothing. Keeps: the bits of the evaluator. Breaks: nothing. */
#include "passes/rewrite.h"
#include "base/ds.h"
#include "ir/eval.h"
#include <math.h>
#include <string.h>

enum { MAX_BYTES = 64 * 1024 };

static bool is_const(const Graph *g, NodeId n) {
  const Node *d = graph_node(g, n);
  return d->op == OP_full || d->op == OP_literal;
}

static bool all_of(const Graph *g, const Node *d, bool full_only) {
  for (int k = 0; k < d->n_in; k++)
    if (!is_const(g, d->in[k]) || (full_only && graph_node(g, d->in[k])->op != OP_full)) return false;
  return d->n_in > 0;
}

/* Is every element the same, and a double that `full` can carry? */
static bool uniform_value(const Tensor *t, double *v) {
  int64_t n = tensor_count(t);
  size_t size = (size_t)dtype_size(t->dtype);
  if (n == 0) return false;
  for (int64_t i = 1; i < n; i++)
    if (memcmp(t->data, (const char *)t->data + (size_t)i * size, size)) return false;
  *v = tensor_get(t, 0);
  if (t->dtype != I64) return true;
  int64_t whole = tensor_get_int(t, 0);
  return whole > -((int64_t)1 << 53) && whole < (int64_t)1 << 53;
}

static NodeId constant(Graph *g, Loc loc, Type type, const Tensor *t) {
  double v;
  if (uniform_value(t, &v)) return g_full(g, loc, v, type);
  return g_literal(g, loc, type, t->data, (size_t)tensor_bytes(t));
}

/* An element-wise op of `full` operands, through one element; 0 when it cannot be computed. */
static NodeId fold_full(Graph *g, NodeId n) {
  Node d = *graph_node(g, n);
  NodeId in[3], keep = (NodeId)arrlen(g->nodes);
  for (int k = 0; k < d.n_in; k++) {
    const Node *a = graph_node(g, d.in[k]);
    in[k] = g_full(g, d.loc, node_num(a, A_value), type_scalar(a->type.dtype));
  }
  Type want = type_scalar(d.type.dtype);
  NodeId one = graph_add(g, (Op)d.op, d.loc, in, d.n_in, d.attrs, d.n_attrs, &want);
  Tensor t;
  double v;
  bool ok = node_eval_const(g->arena, g, one, 1, &t) && uniform_value(&t, &v);
  arrsetlen(g->nodes, keep);
  return ok ? g_full(g, d.loc, v, d.type) : 0;
}

/* Number of elements, -1 when it depends on sizes. */
static int64_t count_of(const Graph *g, NodeId n) {
  int64_t v;
  return dim_is_int(g->dims, type_count(g->dims, graph_type(g, n)), &v) ? v : -1;
}

static bool copies_literal(const Graph *g, NodeId n) {
  const Node *d = graph_node(g, n);
  if (d->op != OP_broadcast && d->op != OP_pad) return false;
  return count_of(g, n) > count_of(g, d->in[0]);
}

static NodeId fold_node(Graph *g, NodeId n) {
  Node d = *graph_node(g, n);
  int64_t size, count;
  if (d.op == OP_size && dim_is_int(g->dims, node_dim(&d, A_size), &size)) {
    bool fits = dtype_is_float(d.type.dtype) || (size < (int64_t)1 << 31 && dtype_size(d.type.dtype) >= 4);
    return fits ? g_full(g, d.loc, (double)size, d.type) : 0;
  }
  OpClass cls = op_info[d.op].cls;
  if (cls == LEAF || cls == REGION || cls == META || !all_of(g, &d, false)) return 0;
  if (cls == MAP && all_of(g, &d, true)) return fold_full(g, n);
  count = count_of(g, n);
  if (count < 0 || count * dtype_size(d.type.dtype) > MAX_BYTES || copies_literal(g, n)) return 0;
  Tensor t;
  if (!node_eval_const(g->arena, g, n, MAX_BYTES, &t)) return 0;
  return constant(g, d.loc, d.type, &t);
}

void pass_fold(Graph *g, const Prog *prog, const Entry *entry) {
  rewrite_regions(g, pass_fold, prog, entry);
  Rewrite r = rewrite_begin(g);
  for (NodeId n = 1; n < r.n_old; n++) {
    if (!r.live[n]) continue;
    NodeId now = rewrite_copy(&r, n), folded = fold_node(g, now);
    rewrite_to(&r, n, folded ? folded : now);
  }
  rewrite_end(&r);
  r = rewrite_begin(g); /* operands of what was folded */
  for (NodeId n = 1; n < r.n_old; n++)
    if (r.live[n]) rewrite_to(&r, n, rewrite_copy(&r, n));
  rewrite_end(&r);
}
