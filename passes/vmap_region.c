/* Batching rules of loops, branches and calls. Their bodies are batched like the graph around them; which of their
 * values have lanes is found by building. A body whose iterations or branches are not the same in all lanes runs for
 * all of them and its results are chosen; lanes that do not count
 *
 *   - index with 0 (`mask`), so that no index of theirs is out of range;
 *   - compute with the inputs of a lane that counts wherever an op could give an infinity or a NaN, which a gradient of
 *     0 would not silence (0 * inf); no lane that counts: the branch does not run. */
#include "passes/vmap.h"
#include "base/ds.h"
#include <string.h>
#define RULE(name) void vmap_##name(Vmap *v, NodeId n)

/* ---- bodies ---- */

static Vmap inside(const Vmap *v, Graph *g, NodeId mask) {
  Vmap inner = *v;
  inner.g = g;
  inner.mask = mask;
  return inner;
}

/* A new graph with an input for each of n values, `types` being those of one lane. */
static Graph *with_inputs(Vmap *v, Loc loc, const Type *types, const bool *batched, int n, Lane *in) {
  Graph *g = graph_new(v->g->arena, v->g->dims, v->g->diag);
  for (int i = 0; i < n; i++) {
    NodeId x = g_input(g, loc, batched[i] ? vmap_lead(v, types[i]) : types[i]);
    if (in) in[i] = (Lane){x, batched[i]};
  }
  return g;
}

/* Region r with lanes in the inputs that say so, and in `out`; its outputs are left to give_outputs. The mask, when
 * there is one, is a further input. */
static Graph *build(Vmap *v, Loc loc, const Graph *r, const bool *batched, Lane *out) {
  Lane *in = arena_array(v->g->arena, Lane, r->n_inputs + 1);
  Graph *g = with_inputs(v, loc, r->input_types, batched, r->n_inputs, in);
  NodeId mask = v->mask ? g_input(g, loc, vmap_lead(v, type_scalar(BOOL))) : 0;
  Vmap inner = inside(v, g, mask);
  vmap_inline(&inner, r, in, out);
  return g;
}

/* Outputs with lanes where `batched` says so. */
static void give_outputs(Vmap *v, Graph *g, const Lane *out, const bool *batched, int n) {
  Vmap inner = inside(v, g, 0);
  for (int i = 0; i < n; i++) arrput(g->outputs, batched[i] ? vmap_lift(&inner, out[i]) : out[i].node);
}

static int n_outputs(const Graph *r) { return (int)arrlen(r->outputs); }
static Lane *lanes(Vmap *v, int n) { return arena_array(v->g->arena, Lane, n + 1); }
static bool *flags(Vmap *v, int n) { return arena_array(v->g->arena, bool, n + 1); }

/* Which operands have lanes, from the k-th on. */
static bool *operand_flags(Vmap *v, NodeId n, int k) {
  int n_in = v->src[n].n_in;
  bool *f = flags(v, n_in);
  for (int i = k; i < n_in; i++) f[i - k] = vmap_in(v, n, i).batched;
  return f;
}

/* The operands, with lanes where `batched` says so, and the mask; room for `more`. */
static NodeId *operands(Vmap *v, NodeId n, const bool *batched, int *count) {
  int n_in = v->src[n].n_in;
  NodeId *in = arena_array(v->g->arena, NodeId, n_in + 1);
  for (int i = 0; i < n_in; i++) in[i] = batched[i] ? vmap_lifted(v, n, i) : vmap_in(v, n, i).node;
  if (v->mask) in[n_in] = v->mask;
  *count = n_in + (v->mask != 0);
  return in;
}

/* The results of a node are those of `tuple`. */
static void give_parts(Vmap *v, NodeId n, NodeId tuple, const bool *batched) {
  int count = v->src[n].n_results;
  v->parts[n] = lanes(v, count);
  for (int i = 0; i < count; i++) v->parts[n][i] = (Lane){g_get(v->g, v->src[n].loc, tuple, i), batched[i]};
}

/* ---- scan ---- */

/* Axes 0 and 1 change places: lanes and iterations. */
static NodeId turned(Vmap *v, Loc loc, NodeId x) {
  int perm[MAX_RANK] = {1, 0}, rank = graph_type(v->g, x).rank;
  for (int k = 2; k < rank; k++) perm[k] = k;
  return g_transpose(v->g, loc, x, perm);
}

/* Carries that have lanes before or after an iteration have them in all; `out` is what such a body gives. */
static Graph *stable_body(Vmap *v, NodeId n, const Graph *r, int carried, bool *batched, Lane *out) {
  for (;;) {
    bool grown = false;
    Graph *g = build(v, v->src[n].loc, r, batched, out);
    for (int i = 0; i < carried; i++)
      if (out[i].batched && !batched[i]) batched[i] = grown = true;
    if (!grown) return g;
  }
}

RULE(scan) {
  const Node *d = &v->src[n];
  const Graph *r = d->regions[0];
  int carried = (int)node_int(v->g, d, A_carried), rows = (int)node_int(v->g, d, A_rows), n_out = n_outputs(r), n_in;
  bool *batched = operand_flags(v, n, 0), *gives = flags(v, n_out);
  Lane *out = lanes(v, n_out);
  Graph *body = stable_body(v, n, r, carried, batched, out);
  for (int i = 0; i < n_out; i++) gives[i] = i < carried ? batched[i] : out[i].batched;
  give_outputs(v, body, out, gives, n_out);
  NodeId *in = operands(v, n, batched, &n_in);
  for (int i = carried; i < carried + rows; i++)
    if (batched[i]) in[i] = turned(v, d->loc, in[i]);
  give_parts(v, n, graph_add_region(v->g, OP_scan, d->loc, in, n_in, d->attrs, d->n_attrs, &body, 1), gives);
  for (int i = carried; i < n_out; i++)
    if (gives[i]) v->parts[n][i].node = turned(v, d->loc, v->parts[n][i].node);
}

/* ---- choosing lanes ---- */

/* m over the axes of a batched value */
static NodeId spread(Vmap *v, Loc loc, NodeId m, NodeId like) {
  Type t = graph_type(v->g, like);
  return g_broadcast(v->g, loc, m, t.rank, t.shape, (const int[]){0});
}

static NodeId any(Vmap *v, Loc loc, NodeId m) { return g_reduce(v->g, OP_reduce_max, loc, m, (const int[]){0}, 1); }

static NodeId both(Vmap *v, Loc loc, NodeId a, NodeId b) {
  return a && b ? g_map2(v->g, OP_and, loc, a, b) : a ? a : b;
}

static Lane choose(Vmap *v, Loc loc, NodeId m, Lane a, Lane b) {
  if (a.node == b.node && a.batched == b.batched) return a;
  NodeId x = vmap_lift(v, a), y = vmap_lift(v, b);
  return (Lane){g_where(v->g, loc, spread(v, loc, m, x), x, y), true};
}

/* Could an op of r turn finite numbers into an infinity or a NaN, in its value or its gradient? */
static bool risky(const Graph *r) {
  for (NodeId n = 1; n < (NodeId)arrlen(r->nodes); n++) {
    const Node *d = &r->nodes[n];
    switch (d->op) {
    case OP_exp:
    case OP_log:
    case OP_log1p:
    case OP_expm1:
    case OP_sqrt:
    case OP_rsqrt:
    case OP_tan:
    case OP_div:
    case OP_mod:
    case OP_pow: return true;
    case OP_cumsum:
    case OP_argsort: break;
    default:
      if (op_info[d->op].cls == CALL) return true;
    }
    for (int k = 0; k < d->n_regions; k++)
      if (risky(d->regions[k])) return true;
  }
  return false;
}

/* In lanes that do not count, the inputs of the first that does. What they compute has a gradient of 0. */
static void borrow(Vmap *v, Loc loc, NodeId m, Lane *in, int n) {
  NodeId first = g_arg(v->g, OP_argmax, loc, g_cast(v->g, loc, m, I32), 0);
  for (int i = 0; i < n; i++) {
    if (!in[i].batched) continue;
    NodeId lent = g_map1(v->g, OP_stop_gradient, loc, g_gather(v->g, loc, in[i].node, first, 0, 0));
    in[i] = choose(v, loc, m, in[i], (Lane){lent, false});
  }
}

/* ---- while ---- */

/* All lanes stop at once: the condition is theirs together. */
static void while_together(Vmap *v, NodeId n, bool *batched, Graph *condition, Graph *body) {
  const Node *d = &v->src[n];
  Graph *regions[2] = {condition, body};
  int n_in;
  if (v->mask) { /* nobody asks for it: it may not end */
    NodeId go = condition->outputs[0], mask = 0;
    for (NodeId i = 1; i < (NodeId)arrlen(condition->nodes); i++) {
      const Node *x = &condition->nodes[i];
      if (x->op == OP_input && node_int(condition, x, A_index) == condition->n_inputs - 1) mask = i;
    }
    Vmap inner = inside(v, condition, 0);
    condition->outputs[0] = both(&inner, d->loc, go, any(&inner, d->loc, mask));
  }
  NodeId *in = operands(v, n, batched, &n_in);
  give_parts(v, n, graph_add_region(v->g, OP_while, d->loc, in, n_in, d->attrs, d->n_attrs, regions, 2), batched);
}

/* The operands of while_apart: carries, who still runs, captures. */
static void split_inputs(const Lane *in, int carried, int n_in, Lane *plain) {
  for (int i = 0, at = 0; i < n_in; i++)
    if (i != carried) plain[at++] = in[i];
}

/* Each lane stops by itself: bool[length] of those that still run is carried along. */
static void while_apart(Vmap *v, NodeId n, const bool *batched, int carried) {
  const Node *d = &v->src[n];
  const Graph *condition = d->regions[0], *r = d->regions[1];
  Loc loc = d->loc;
  int n_in = d->n_in + 1, at = 0;
  Lane *in = lanes(v, n_in), *plain = lanes(v, n_in), *out = lanes(v, n_in), go;
  bool *has = flags(v, n_in);
  Type *types = arena_array(v->g->arena, Type, n_in);
  for (int i = 0; i < d->n_in; i++) {
    plain[i] = vmap_in(v, n, i);
    if (batched[i]) plain[i] = (Lane){vmap_lift(v, plain[i]), true};
  }
  vmap_inline(v, condition, plain, &go);
  NodeId running = both(v, loc, vmap_lift(v, go), v->mask), *from = arena_array(v->g->arena, NodeId, n_in);
  for (int i = 0; i < n_in; i++) {
    bool flag = i == carried;
    types[i] = flag ? type_scalar(BOOL) : r->input_types[at];
    has[i] = flag || batched[at];
    from[i] = flag ? running : plain[at].node;
    at += !flag;
  }
  Graph *regions[2] = {with_inputs(v, loc, types, has, n_in, in), NULL};
  Vmap test = inside(v, regions[0], 0);
  arrput(regions[0]->outputs, any(&test, loc, in[carried].node));
  regions[1] = with_inputs(v, loc, types, has, n_in, in);
  NodeId m = in[carried].node;
  Vmap inner = inside(v, regions[1], m);
  split_inputs(in, carried, n_in, plain);
  if (risky(r)) borrow(&inner, loc, m, plain, d->n_in);
  vmap_inline(&inner, r, plain, out);
  split_inputs(in, carried, n_in, plain);
  for (int i = 0; i < carried; i++) {
    plain[i] = choose(&inner, loc, m, out[i], in[i]);
    arrput(regions[1]->outputs, vmap_lift(&inner, plain[i]));
  }
  vmap_inline(&inner, condition, plain, &go);
  arrput(regions[1]->outputs, both(&inner, loc, vmap_lift(&inner, go), m));
  Attr attrs[2] = {attr_int(v->g, A_carried, carried + 1), *node_attr(d, A_limit)};
  give_parts(v, n, graph_add_region(v->g, OP_while, loc, from, n_in, attrs, 2, regions, 2), has);
}

RULE(while) {
  const Node *d = &v->src[n];
  int carried = (int)node_int(v->g, d, A_carried);
  bool *batched = operand_flags(v, n, 0);
  Lane *out = lanes(v, carried), go;
  Graph *body = stable_body(v, n, d->regions[1], carried, batched, out);
  Graph *condition = build(v, d->loc, d->regions[0], batched, &go);
  if (go.batched) {
    for (int i = 0; i < carried; i++) batched[i] = true;
    while_apart(v, n, batched, carried);
    return;
  }
  give_outputs(v, body, out, batched, carried);
  arrput(condition->outputs, go.node);
  while_together(v, n, batched, condition, body);
}

/* ---- cond ---- */

/* One side of a branch that is taken in the lanes of m alone, in all lanes. */
static void side(Vmap *v, NodeId n, const Graph *r, NodeId m, const Lane *in, int n_in, Lane *out) {
  Loc loc = v->src[n].loc;
  if (!risky(r)) {
    Vmap inner = inside(v, v->g, m);
    vmap_inline(&inner, r, in, out);
    return;
  }
  bool *has = flags(v, n_in + 1);
  Type *types = arena_array(v->g->arena, Type, n_in + 1);
  NodeId *from = arena_array(v->g->arena, NodeId, n_in + 2);
  Lane *at = lanes(v, n_in + 1);
  from[0] = any(v, loc, m), from[n_in + 1] = m;
  for (int i = 0; i < n_in; i++) types[i] = r->input_types[i], has[i] = in[i].batched, from[i + 1] = in[i].node;
  types[n_in] = type_scalar(BOOL), has[n_in] = true;
  Graph *regions[2];
  regions[1] = with_inputs(v, loc, types, has, n_in + 1, NULL);
  regions[0] = with_inputs(v, loc, types, has, n_in + 1, at);
  NodeId mask = at[n_in].node;
  Vmap inner = inside(v, regions[0], mask);
  borrow(&inner, loc, mask, at, n_in);
  vmap_inline(&inner, r, at, out);
  int n_out = n_outputs(r);
  for (int i = 0; i < n_out; i++) {
    arrput(regions[0]->outputs, out[i].batched ? out[i].node : vmap_lift(&inner, out[i]));
    Type t = vmap_lead(v, graph_type(r, r->outputs[i]));
    arrput(regions[1]->outputs, g_full(regions[1], loc, 0, t));
  }
  NodeId tuple = graph_add_region(v->g, OP_cond, loc, from, n_in + 2, NULL, 0, regions, 2);
  for (int i = 0; i < n_out; i++) out[i] = (Lane){g_get(v->g, loc, tuple, i), true};
}

/* Both sides, then a choice. */
static void cond_apart(Vmap *v, NodeId n) {
  const Node *d = &v->src[n];
  int n_in = d->n_in - 1, n_out = d->n_results;
  NodeId c = vmap_in(v, n, 0).node, not = g_map1(v->g, OP_not, d->loc, c);
  Lane *in = lanes(v, n_in), *a = lanes(v, n_out), *b = lanes(v, n_out);
  for (int i = 0; i < n_in; i++) in[i] = vmap_in(v, n, i + 1);
  side(v, n, d->regions[0], both(v, d->loc, c, v->mask), in, n_in, a);
  side(v, n, d->regions[1], both(v, d->loc, not, v->mask), in, n_in, b);
  v->parts[n] = lanes(v, n_out);
  for (int i = 0; i < n_out; i++) v->parts[n][i] = choose(v, d->loc, c, a[i], b[i]);
}

RULE(cond) {
  const Node *d = &v->src[n];
  if (vmap_in(v, n, 0).batched) {
    cond_apart(v, n);
    return;
  }
  int n_out = d->n_results, n_in;
  bool *batched = operand_flags(v, n, 0), *gives = flags(v, n_out);
  Lane *a = lanes(v, n_out), *b = lanes(v, n_out);
  Graph *regions[2];
  regions[0] = build(v, d->loc, d->regions[0], batched + 1, a);
  regions[1] = build(v, d->loc, d->regions[1], batched + 1, b);
  for (int i = 0; i < n_out; i++) gives[i] = a[i].batched || b[i].batched;
  give_outputs(v, regions[0], a, gives, n_out);
  give_outputs(v, regions[1], b, gives, n_out);
  NodeId *in = operands(v, n, batched, &n_in);
  give_parts(v, n, graph_add_region(v->g, OP_cond, d->loc, in, n_in, NULL, 0, regions, 2), gives);
}

/* ---- calls ---- */

/* The backward body of own gradients. An operand that lanes share gets the sum of theirs. */
static Graph *batch_backward(Vmap *v, NodeId n, const bool *operand) {
  const Node *d = &v->src[n];
  const Graph *r = d->regions[1];
  int m = v->mask != 0, at = 0;
  bool *batched = flags(v, r->n_inputs + m);
  Type *types = arena_array(v->g->arena, Type, r->n_inputs + m + 1);
  Lane *in = lanes(v, r->n_inputs + m), *out = lanes(v, n_outputs(r));
  for (int i = 0; i < r->n_inputs; i++) {
    int to = i + (i >= d->n_in ? m : 0); /* the mask is an operand, so it stands behind those */
    types[to] = r->input_types[i];
    batched[to] = i >= d->n_in || operand[i];
  }
  if (m) types[d->n_in] = type_scalar(BOOL), batched[d->n_in] = true;
  Graph *g = with_inputs(v, d->loc, types, batched, r->n_inputs + m, in);
  Vmap inner = inside(v, g, m ? in[d->n_in].node : 0);
  for (int i = d->n_in; m && i < r->n_inputs; i++) in[i] = in[i + 1];
  vmap_inline(&inner, r, in, out);
  for (int i = 0; i < d->n_in; i++) {
    if (!dtype_is_float(r->input_types[i].dtype)) continue;
    NodeId each = vmap_lift(&inner, out[at++]);
    arrput(g->outputs, operand[i] ? each : g_reduce(g, OP_sum, d->loc, each, (const int[]){0}, 1));
  }
  return g;
}

/* Own gradients: every result has lanes, so that each lane's gradient is its own. */
static void batch_own_gradient(Vmap *v, NodeId n, const bool *batched) {
  const Node *d = &v->src[n];
  int n_out = d->n_results, n_in;
  bool *gives = flags(v, n_out);
  Lane *out = lanes(v, n_out);
  Graph *regions[2];
  for (int i = 0; i < n_out; i++) gives[i] = true;
  regions[0] = build(v, d->loc, d->regions[0], batched, out);
  give_outputs(v, regions[0], out, gives, n_out);
  regions[1] = batch_backward(v, n, batched);
  NodeId *in = operands(v, n, batched, &n_in);
  give_parts(v, n, graph_add_region(v->g, OP_custom_grad, d->loc, in, n_in, NULL, 0, regions, 2), gives);
}

RULE(call) {
  const Node *d = &v->src[n];
  int n_out = d->n_results, n_in;
  bool *batched = operand_flags(v, n, 0), *gives = flags(v, n_out), some = v->mask != 0;
  for (int i = 0; i < d->n_in; i++) some |= batched[i];
  if (d->op == OP_custom_grad && some) {
    batch_own_gradient(v, n, batched);
    return;
  }
  Lane *out = lanes(v, n_out);
  Graph *regions[2] = {NULL};
  if (d->op == OP_custom_grad) {
    for (int k = 0; k < 2; k++) regions[k] = graph_clone(v->g->arena, d->regions[k]);
  } else {
    regions[0] = build(v, d->loc, d->regions[0], batched, out);
    for (int i = 0; i < n_out; i++) gives[i] = out[i].batched;
    give_outputs(v, regions[0], out, gives, n_out);
  }
  NodeId *in = operands(v, n, batched, &n_in);
  Op op = (Op)d->op;
  give_parts(v, n, graph_add_region(v->g, op, d->loc, in, n_in, d->attrs, d->n_attrs, regions, d->n_regions), gives);
}
