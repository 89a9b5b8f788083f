#include "passes/grad_point.h"
#include "base/ds.h"
#include "passes/rewrite.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DIRECTIONS = 2, MOVES = 2 };

/* ---- the function ---- */

/* Node n becomes the next input of g. */
static int make_input(Graph *g, NodeId n) {
  Attr at = attr_int(g, A_index, g->n_inputs);
  Node *d = &g->nodes[n];
  d->op = OP_input, d->n_in = 0, d->in = NULL, d->n_regions = 0, d->regions = NULL;
  d->attrs = arena_copy(g->arena, &at, sizeof at), d->n_attrs = 1;
  arrput(g->input_types, d->type);
  return g->n_inputs++;
}

/* Numbers of 0.5 .. 2.5 of y's type, so that no two elements of y cancel for long. */
static NodeId weights(Graph *g, Loc loc, Type t) {
  Dim count = type_count(g->dims, t);
  Type line = type_of(g->arena, I32, 1, &count);
  NodeId w = g_cast(g, loc, g_iota(g, loc, line, 0), t.dtype);
  w = g_map1(g, OP_sin, loc, g_map2(g, OP_mul, loc, w, g_full_like(g, loc, 1.7, w)));
  return g_reshape(g, loc, g_map2(g, OP_add, loc, w, g_full_like(g, loc, 1.5, w)), t.rank, t.shape);
}

/* The sum of a * b over the first n axes of a, where b has no others. */
static NodeId weighted(Graph *g, Loc loc, NodeId a, NodeId b, int n) {
  int axes[MAX_RANK];
  Type t = graph_type(g, a);
  for (int k = 0; k < MAX_RANK; k++) axes[k] = k;
  NodeId m = g_map2(g, OP_mul, loc, a, t.rank > n ? g_broadcast(g, loc, b, t.rank, t.shape, axes) : b);
  return n ? g_reduce(g, OP_sum, loc, m, axes, n) : m;
}

/* How many operands stand for y, and for each x. */
static int first_x(Op op) { return op == OP_vjp ? 2 : 1; }
static int per_x(Op op) { return op == OP_jvp ? 2 : 1; }

/* y of node t, a number, and its gradients as further nodes; outputs: y, xs, dxs, results, of vjp its seed, of jvp the
 * derivative along the dxs. */
static void ask(Graph *g, NodeId t) {
  Node d = *graph_node(g, t);
  NodeId y = d.in[0], u = d.op == OP_vjp ? d.in[1] : 0, of = y;
  int rank = graph_type(g, y).rank, n_x = (d.n_in - first_x(d.op)) / per_x(d.op);
  int n_result = d.type.dtype == TUPLE ? d.n_results : 1;
  NodeId *result = arena_array(g->arena, NodeId, n_result + 1);
  for (int k = 0; k < n_result; k++) result[k] = d.type.dtype == TUPLE ? g_get(g, d.loc, t, k) : t;
  if (d.op == OP_jvp || d.op == OP_jacobian) u = weights(g, d.loc, graph_type(g, y));
  if (u) y = weighted(g, d.loc, of, u, rank);
  arrsetlen(g->outputs, 0);
  arrput(g->outputs, y);
  for (int k = 0; k < n_x; k++) arrput(g->outputs, d.in[first_x(d.op) + k * per_x(d.op)]);
  for (int k = 0; k < n_x; k++) {
    NodeId dx = d.op == OP_jvp        ? d.in[2 + 2 * k]
                : d.op == OP_jacobian ? weighted(g, d.loc, result[k], u, rank)
                                      : result[k];
    arrput(g->outputs, dx);
  }
  for (int k = 0; k < n_result; k++) arrput(g->outputs, result[k]);
  if (d.op == OP_vjp) arrput(g->outputs, u);
  if (d.op == OP_jvp) arrput(g->outputs, weighted(g, d.loc, result[0], u, rank));
}

static bool is_leaf(const Graph *g, NodeId n) {
  Op op = graph_node(g, n)->op;
  return op == OP_full || op == OP_literal || op == OP_size || op == OP_iota;
}

/* What lies between the xs and y, and what that reads beside. */
static void find_paths(GradFn *f, NodeId seed) {
  Graph *g = f->g;
  NodeId n_nodes = (NodeId)arrlen(g->nodes);
  bool *from = zeroed(n_nodes, 1), *to = zeroed(n_nodes, 1), *held = zeroed(n_nodes, 1);
  f->on_path = arena_array(f->arena, bool, n_nodes);
  for (int i = 0; i < f->n_x; i++) from[f->x[i]] = true;
  for (NodeId n = 1; n < n_nodes; n++)
    for (int k = 0; k < g->nodes[n].n_in && n != seed; k++) from[n] |= from[g->nodes[n].in[k]];
  to[f->y] = true;
  for (NodeId n = f->y; n > 0; n--) {
    bool is_x = false;
    for (int i = 0; i < f->n_x; i++) is_x |= f->x[i] == n;
    if (!to[n] || !from[n] || is_x) continue;
    f->on_path[n] = true;
    if (g->nodes[n].op == OP_stop_gradient) arrput(f->stops, n);
    for (int k = 0; k < g->nodes[n].n_in; k++) {
      NodeId in = g->nodes[n].in[k];
      to[in] = true;
      if (!from[in] && !held[in] && !is_leaf(g, in)) held[in] = true, f->n_held++;
    }
  }
  f->held = arena_array(f->arena, NodeId, f->n_held + 1);
  f->n_held = 0;
  for (NodeId n = 1; n < n_nodes; n++)
    if (held[n]) f->held[f->n_held++] = n;
  free(from), free(to), free(held);
}

static bool eval_base(GradFn *f, Buf *why) {
  arrsetlen(f->g->outputs, 0);
  for (int i = 0; i < f->n_x; i++) arrput(f->g->outputs, f->x[i]);
  f->base = arena_array(f->arena, Tensor, f->n_x + 1);
  return graph_eval(f->arena, f->g, &f->env, f->base, why);
}

bool grad_fn_open(Arena *a, const Graph *g, NodeId t, const EvalEnv *env, GradFn *f, Buf *why) {
  const Node *d = graph_node(g, t);
  *f = (GradFn){.arena = a, .env = *env, .op = (Op)d->op};
  f->g = graph_clone(a, g);
  f->n_x = (d->n_in - first_x(f->op)) / per_x(f->op);
  f->n_result = d->type.dtype == TUPLE ? d->n_results : 1;
  ask(f->g, t);
  int errors = diag_errors(g->diag);
  expand_transforms(f->g);
  if (diag_errors(g->diag) > errors) return buf_str(why, "it has no gradient"), false;
  f->x = arena_array(a, NodeId, f->n_x + 1), f->dx = arena_array(a, NodeId, f->n_x + 1);
  f->result = arena_array(a, NodeId, f->n_result + 1);
  const NodeId *out = f->g->outputs;
  f->y = *out++;
  for (int i = 0; i < f->n_x; i++) f->x[i] = *out++;
  for (int i = 0; i < f->n_x; i++) f->dx[i] = *out++;
  for (int i = 0; i < f->n_result; i++) f->result[i] = *out++;
  f->along = f->op == OP_jvp ? *out : 0;
  find_paths(f, f->op == OP_vjp ? *out : 0);
  if (!eval_base(f, why)) return false;
  Tensor *inputs = arena_array(a, Tensor, f->g->n_inputs + f->n_x + 1);
  for (int i = 0; i < f->g->n_inputs; i++) inputs[i] = env->inputs[i];
  f->env.inputs = inputs;
  for (int i = 0; i < f->n_x; i++) make_input(f->g, f->x[i]);
  return true;
}

void grad_fn_close(GradFn *f) { arrfree(f->stops); }

/* ---- points ---- */

static void put_nodes(Graph *g, const NodeId *nodes, int n) {
  for (int i = 0; i < n; i++) arrput(g->outputs, nodes[i]);
}

bool grad_point_open(const GradFn *f, const Tensor *x, bool stop, GradPoint *p, Buf *why) {
  *p = (GradPoint){.arena = arena_new(), .env = &f->env};
  Arena *a = p->arena;
  int n_x = f->n_x, n_stops = stop ? (int)arrlen(f->stops) : 0, n_held = f->n_held + n_stops;
  int own = f->g->n_inputs - n_x;
  Tensor *in = arena_array(a, Tensor, f->g->n_inputs + n_held + n_x + 1);
  memcpy(in, f->env.inputs, sizeof *in * (size_t)own);
  memcpy(in + own, x, sizeof *in * (size_t)n_x);
  Graph *g = graph_clone(a, f->g);
  arrsetlen(g->outputs, 0);
  put_nodes(g, &f->y, 1);
  put_nodes(g, f->dx, n_x);
  put_nodes(g, f->held, f->n_held);
  put_nodes(g, f->stops, n_stops);
  put_nodes(g, f->result, f->n_result);
  put_nodes(g, &f->along, f->along != 0);
  Tensor *out = arena_array(a, Tensor, arrlen(g->outputs));
  EvalEnv env = f->env;
  env.inputs = in;
  if (!graph_eval(a, g, &env, out, why)) return false;
  p->y = tensor_get(&out[0], 0);
  p->x = in + own, p->dx = out + 1, p->result = p->dx + n_x + n_held, p->first = own, p->inputs = in;
  p->along = f->along ? tensor_get(&p->result[f->n_result], 0) : (double)NAN;
  for (int i = 0; i < n_held; i++) {
    make_input(g, i < f->n_held ? f->held[i] : f->stops[i - f->n_held]);
    in[own + n_x + i] = out[1 + n_x + i];
  }
  arrsetlen(g->outputs, 1);
  p->through = g;
  return true;
}

void grad_point_close(GradPoint *p) { arena_free(p->arena); }

/* y at x + h v; NaN when it cannot be evaluated. */
static double value_at(const GradPoint *p, int n_x, const Tensor *v, double h) {
  Arena *a = arena_new();
  int n = p->through->n_inputs;
  Tensor *in = arena_array(a, Tensor, n + 1), out;
  memcpy(in, p->inputs, sizeof *in * (size_t)n);
  for (int i = 0; i < n_x; i++) {
    if (!v[i].data) continue;
    Tensor *x = &in[p->first + i];
    *x = tensor_new(a, v[i].dtype, v[i].rank, v[i].shape);
    for (int64_t k = 0, c = tensor_count(x); k < c; k++)
      tensor_set(x, k, tensor_get(&p->x[i], k) + h * tensor_get(&v[i], k));
  }
  EvalEnv env = *p->env;
  env.inputs = in;
  Buf why = {0};
  double y = graph_eval(a, p->through, &env, &out, &why) ? tensor_get(&out, 0) : (double)NAN;
  buf_free(&why);
  arena_free(a);
  return y;
}

static double share(const Tensor *dx, const Tensor *v) {
  double s = 0;
  for (int64_t k = 0, n = v->data ? tensor_count(v) : 0; k < n; k++) s += tensor_get(dx, k) * tensor_get(v, k);
  return s;
}

/* Central differences of several steps; one that agrees is enough: a wrong number would have to agree by chance. A step
 * whose rounding hides a thousandth of the derivative says nothing, unless it is the largest. The small ones are for
 * functions of many kinks: those that lie between the two points count in proportion to h. */
GradDerivative grad_point_along(const GradPoint *p, int n_x, const Tensor *v) {
  static const double steps[] = {1e-3, 1e-5, 1e-6, 1e-4, 1e-7, 1e-8, 1e-9};
  GradDerivative d = {.verdict = GRAD_WRONG};
  double all = 0, best = INFINITY;
  for (int i = 0; i < n_x; i++) {
    double s = share(&p->dx[i], &v[i]);
    d.have += s, all += fabs(s);
  }
  if (!isnan(p->along)) d.have = p->along, all = fabs(p->along);
  for (size_t i = 0; i < sizeof steps / sizeof *steps && d.verdict == GRAD_WRONG; i++) {
    double h = steps[i], up = value_at(p, n_x, v, h), down = value_at(p, n_x, v, -h), want = (up - down) / (2 * h);
    double noise = 1e-14 * (fabs(up) + fabs(down)) / h, large = fmax(fmax(fabs(d.have), fabs(want)), 1e-3 * all);
    double err = fabs(want - d.have);
    if (isnan(err) || (i && noise > 1e-3 * large)) continue;
    if (err < best) best = err, d.want = want, d.away = err <= noise ? 0 : err / large;
    if (err <= 1e-5 * large + noise) d.verdict = GRAD_RIGHT;
  }
  if (isinf(best)) d.want = d.away = NAN;
  return d;
}

static double rms(const Tensor *t) {
  double s = 0;
  int64_t n = tensor_count(t);
  for (int64_t k = 0; k < n; k++) s += tensor_get(t, k) * tensor_get(t, k);
  return n ? sqrt(s / (double)n) : 0;
}

/* Numbers of -1 .. 1, each as far as x is large: 1/100 where it is 0. */
static Tensor scaled(Arena *a, const Tensor *x, uint64_t seed) {
  Tensor v = tensor_new(a, x->dtype, x->rank, x->shape);
  double s = fmax(rms(x), 0.01);
  tensor_random(&v, seed, -s, s);
  return v;
}

Tensor *grad_point_direction(const GradPoint *p, int n_x, int only, uint64_t seed) {
  if (!isnan(p->along)) return p->dx;
  Tensor *v = arena_array(p->arena, Tensor, n_x + 1);
  double most = 0;
  for (int i = 0; i < n_x; i++) {
    v[i] = scaled(p->arena, &p->x[i], seed + 1000u * (uint64_t)i);
    most = fmax(most, fabs(share(&p->dx[i], &v[i])));
  }
  for (int i = 0; i < n_x; i++) {
    double s = share(&p->dx[i], &v[i]), factor = s != 0 && isfinite(s) ? fmin(10, most / fabs(s)) : 1;
    if (only >= 0) factor = 1;
    if (s < 0) factor = -factor; /* all shares are positive: they do not cancel */
    for (int64_t k = 0, n = tensor_count(&v[i]); k < n; k++) tensor_set(&v[i], k, factor * tensor_get(&v[i], k));
    if (only >= 0 && i != only) v[i].data = NULL;
  }
  return v;
}

Tensor *grad_beside(Arena *a, const Tensor *x, int n_x, uint64_t seed) {
  Tensor *to = arena_array(a, Tensor, n_x + 1);
  for (int i = 0; i < n_x; i++) {
    to[i] = scaled(a, &x[i], seed + 77u * (uint64_t)i);
    for (int64_t k = 0, n = tensor_count(&to[i]); k < n; k++)
      tensor_set(&to[i], k, tensor_get(&x[i], k) + 0.02 * tensor_get(&to[i], k));
  }
  return to;
}

/* ---- the verdict ---- */

static GradDerivative worst_along(const GradPoint *p, int n_x, uint64_t seed) {
  GradDerivative worst = {.verdict = GRAD_RIGHT};
  for (uint64_t k = 0; k < DIRECTIONS && worst.verdict == GRAD_RIGHT; k++) {
    GradDerivative d = grad_point_along(p, n_x, grad_point_direction(p, n_x, -1, seed + k));
    if (k == 0 || d.verdict != GRAD_RIGHT || d.away > worst.away) worst = d;
  }
  return worst;
}

GradDerivative grad_fn_verdict(const GradFn *f, GradPoint *p, Buf *why) {
  GradDerivative d = worst_along(p, f->n_x, 1);
  if (d.verdict == GRAD_RIGHT) return d;
  Arena *a = arena_new();
  int right = 0;
  for (int k = 0; k < MOVES; k++) {
    GradPoint q;
    bool ok = grad_point_open(f, grad_beside(a, f->base, f->n_x, 5 + (uint64_t)k), true, &q, why);
    right += ok && worst_along(&q, f->n_x, 11 + (uint64_t)k).verdict == GRAD_RIGHT;
    grad_point_close(&q);
  }
  arena_free(a);
  if (right == MOVES) d.verdict = GRAD_KINK;
  return d;
}
