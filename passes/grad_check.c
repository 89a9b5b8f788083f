#include "passes/grad_check.h"
#include "base/ds.h"
#include "passes/grad.h"
#include "passes/grad_point.h"
#include "passes/rewrite.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- bodies at their first iteration ---- */

static Tensor row_of(const Tensor *t, int64_t i) {
  Tensor r = {t->dtype, t->rank - 1, {0}, NULL};
  for (int k = 1; k < t->rank; k++) r.shape[k - 1] = t->shape[k];
  r.data = (char *)t->data + i * tensor_bytes(&r);
  return r;
}

/* The body that op d runs first on these operands, and its inputs; NULL: none, it runs no iteration. */
static const Graph *body_of(Arena *a, const Graph *g, const Node *d, const EvalEnv *env, const Tensor *ops,
                            Tensor **inputs) {
  Tensor *in = arena_array(a, Tensor, d->n_in + 1);
  *inputs = in;
  int first = d->op == OP_cond;
  for (int k = first; k < d->n_in; k++) in[k - first] = ops[k];
  if (d->op == OP_cond) return d->regions[tensor_get_int(&ops[0], 0) ? 0 : 1];
  if (d->op == OP_while) return d->regions[1];
  if (d->op != OP_scan && d->op != OP_vmap) return d->regions[0];
  int carried = d->op == OP_scan ? (int)node_int(g, d, A_carried) : 0, rows = (int)node_int(g, d, A_rows);
  int64_t length = dim_eval(g->dims, node_dim(d, A_length), env->vars);
  if (length < 1) return NULL;
  int64_t at = d->op == OP_scan && node_int(g, d, A_reverse) ? length - 1 : 0;
  for (int k = carried; k < carried + rows; k++) in[k] = row_of(&ops[k], at);
  return d->regions[0];
}

/* The operands of node n of g, which may hold transformations. NULL: they cannot be evaluated. */
static Tensor *operands_of(Arena *a, const Graph *g, NodeId n, const EvalEnv *env) {
  Graph *c = graph_clone(a, g);
  const Node *d = graph_node(g, n);
  Tensor *out = arena_array(a, Tensor, d->n_in + 1);
  arrsetlen(c->outputs, 0);
  for (int k = 0; k < d->n_in; k++) arrput(c->outputs, d->in[k]);
  expand_transforms(c);
  Buf why = {0};
  bool ok = graph_eval(a, c, env, out, &why);
  buf_free(&why);
  return ok ? out : NULL;
}

/* ---- one operation by itself ---- */

/* Node n of g as a graph of its own: its inputs are the operands, order[i] the number of the one that input i is, and a
 * weight for the result. The node of its derivative, a vjp of result `which`, so that no other rule takes part; 0: no
 * float goes in, or comes out there. */
static NodeId alone(Graph *l, const Graph *g, NodeId n, int which, NodeId *map, int *order, int *given) {
  Node d = *graph_node(g, n);
  NodeId in[66] = {0};
  int n_x = 0;
  *given = 0;
  for (int k = 0; k < d.n_in; k++) {
    Type t = graph_type(g, d.in[k]);
    if (map[d.in[k]]) continue;
    map[d.in[k]] = g_input(l, d.loc, t);
    order[(*given)++] = k;
    if (dtype_is_float(t.dtype) && n_x < 64) in[2 + n_x++] = map[d.in[k]];
  }
  NodeId copy = graph_copy_node(l, d, map);
  in[0] = d.type.dtype == TUPLE ? g_get(l, d.loc, copy, which) : copy;
  if (!dtype_is_float(graph_type(l, in[0]).dtype) || !n_x) return 0;
  in[1] = g_input(l, d.loc, graph_type(l, in[0]));
  return graph_add(l, OP_vjp, d.loc, in, n_x + 2, NULL, 0, NULL);
}

/* Result `which` of node n at its operands' values `ops`. */
static GradDerivative check_result(const Graph *g, NodeId n, int which, const Tensor *ops, const EvalEnv *env) {
  GradDerivative d = {.verdict = GRAD_RIGHT};
  const Node *x = graph_node(g, n);
  Arena *a = arena_new();
  Graph *l = graph_new(a, g->dims, g->diag);
  NodeId *map = arena_array(a, NodeId, arrlen(g->nodes));
  int *order = arena_array(a, int, x->n_in + 1), given;
  NodeId t = alone(l, g, n, which, map, order, &given);
  Tensor *in = arena_array(a, Tensor, l->n_inputs + 1);
  for (int i = 0; i < given; i++) in[i] = ops[order[i]];
  if (t) {
    in[given] = tensor_of_type(a, l->dims, l->input_types[given], env->vars);
    tensor_random(&in[given], 3 + (uint64_t)which, 0.5, 2);
  }
  EvalEnv own = *env;
  own.inputs = in;
  GradFn f = {0};
  GradPoint p = {0};
  Buf why = {0};
  if (t && grad_fn_open(a, l, t, &own, &f, &why) && grad_point_open(&f, f.base, true, &p, &why)) {
    d = grad_fn_verdict(&f, &p, &why);
    bool flat = fabs(d.want) <= 1e-9 * fabs(d.have);
    if (d.verdict == GRAD_WRONG && x->op == OP_custom_grad && flat) d.verdict = GRAD_STOPPED;
  }
  if (p.arena) grad_point_close(&p);
  grad_fn_close(&f);
  buf_free(&why);
  arena_free(a);
  return d;
}

/* The first of its results that is not right, a wrong one before others. */
static GradDerivative check_alone(const Graph *g, NodeId n, const Tensor *ops, const EvalEnv *env) {
  const Node *x = graph_node(g, n);
  GradDerivative first = {.verdict = GRAD_RIGHT};
  for (int i = 0; i < (x->type.dtype == TUPLE ? x->n_results : 1) && first.verdict != GRAD_WRONG; i++) {
    GradDerivative d = check_result(g, n, i, ops, env);
    if (d.verdict > first.verdict) first = d;
  }
  return first;
}

/* ---- all operations between xs and y ---- */

static void add_op(GradOp **ops, GradOp found) {
  for (ptrdiff_t i = 0; i < arrlen(*ops); i++) {
    const GradOp *o = &(*ops)[i];
    if (o->op == found.op && o->d.verdict == found.d.verdict && loc_same(o->loc, found.loc)) return;
  }
  arrput(*ops, found);
}

/* Adds the operations of g that are not as their gradient says, of those in `on_path`. */
static void find_ops(Arena *a, const Graph *g, const EvalEnv *env, const bool *on_path, int depth, GradOp **ops) {
  Graph *c = graph_clone(a, g);
  arrsetlen(c->outputs, 0);
  int *first = arena_array(a, int, arrlen(g->nodes));
  for (NodeId n = 1; n < (NodeId)arrlen(g->nodes); n++) {
    const Node *d = graph_node(g, n);
    bool tuple = false;
    for (int k = 0; on_path[n] && k < d->n_in; k++) tuple |= graph_type(g, d->in[k]).dtype == TUPLE;
    first[n] = on_path[n] && !tuple ? (int)arrlen(c->outputs) : -1;
    for (int k = 0; first[n] >= 0 && k < d->n_in; k++) arrput(c->outputs, d->in[k]);
  }
  Tensor *values = arena_array(a, Tensor, arrlen(c->outputs) + 1);
  Buf why = {0};
  bool ok = graph_eval(a, c, env, values, &why);
  buf_free(&why);
  for (NodeId n = 1; ok && n < (NodeId)arrlen(g->nodes); n++) {
    const Node *d = graph_node(g, n);
    if (first[n] < 0) continue;
    GradOp found = {.op = (Op)d->op, .loc = d->loc};
    if (d->op == OP_custom_grad && arrlen(d->regions[1]->outputs))
      found.inside = graph_node(d->regions[1], d->regions[1]->outputs[0])->loc;
    if (d->op == OP_stop_gradient) {
      found.d.verdict = GRAD_STOPPED;
      add_op(ops, found);
    }
    if (grad_rules[d->op] == grad_zero) continue;
    Arena *tmp = arena_new();
    found.d = check_alone(g, n, values + first[n], env);
    ptrdiff_t before = arrlen(*ops);
    Tensor *inputs;
    bool own = d->op == OP_custom_grad || !d->n_regions;
    const Graph *body =
        found.d.verdict == GRAD_RIGHT || own || depth > 8 ? NULL : body_of(tmp, g, d, env, values + first[n], &inputs);
    if (body) {
      EvalEnv in_body = *env;
      in_body.inputs = inputs;
      bool *all = arena_array(tmp, bool, arrlen(body->nodes));
      memset(all, true, (size_t)arrlen(body->nodes));
      find_ops(tmp, body, &in_body, all, depth + 1, ops);
    }
    if (found.d.verdict != GRAD_RIGHT && arrlen(*ops) == before) add_op(ops, found);
    arena_free(tmp);
  }
}

/* What the program holds fixed by itself, and kinks beside it, are no mistakes. */
static GradVerdict blame(const GradSite *s) {
  bool stopped = false, wrong = false;
  for (ptrdiff_t i = 0; i < arrlen(s->ops); i++) {
    stopped |= s->ops[i].d.verdict == GRAD_STOPPED;
    wrong |= s->ops[i].d.verdict == GRAD_WRONG;
  }
  return stopped && !wrong ? GRAD_STOPPED : GRAD_WRONG;
}

/* ---- a gradient ---- */

static void tell_values(GradSite *s, Arena *a, const GradFn *f, const GradPoint *p) {
  s->value = p->y;
  s->results = arena_array(a, Tensor, f->n_result + 1);
  for (int i = 0; i < f->n_result; i++) {
    s->results[i] = p->result[i];
    s->results[i].data = arena_copy(a, p->result[i].data, (size_t)tensor_bytes(&p->result[i]));
  }
  for (int i = 0; i < f->n_x; i++) s->numbers += tensor_count(&p->x[i]);
  for (ptrdiff_t i = 0; i < arrlen(f->stops); i++) arrput(s->stops, graph_node(f->g, f->stops[i])->loc);
}

/* Where the paths end of the xs that no gradient reaches; an x without numbers has none to reach. */
static void tell_cuts(GradSite *s, const GradFn *f) {
  NodeId n_nodes = (NodeId)arrlen(f->g->nodes);
  bool *active = zeroed(n_nodes, sizeof *active);
  for (int i = 0; i < f->n_x; i++) {
    if (tensor_count(&f->base[i]) == 0) continue;
    memset(active, 0, n_nodes);
    active[f->x[i]] = true;
    grad_spread(f->arena, f->g, n_nodes, active, NULL);
    for (NodeId n = 1; n < n_nodes && !active[f->y]; n++) {
      const Node *d = graph_node(f->g, n);
      bool meets = false;
      for (int k = 0; f->on_path[n] && k < d->n_in; k++) meets |= active[d->in[k]];
      GradCut cut = {i, (Op)d->op, d->loc};
      if (meets && !active[n]) arrput(s->cuts, cut);
    }
  }
  free(active);
}

/* Which share of the derivative the stop_gradients hold back. */
static void tell_stopped(GradSite *s, const GradFn *f) {
  GradPoint p;
  Buf why = {0};
  if (grad_point_open(f, f->base, false, &p, &why)) {
    GradDerivative d = grad_point_along(&p, f->n_x, grad_point_direction(&p, f->n_x, -1, 1));
    double large = fmax(fabs(d.have), fabs(d.want));
    if (d.verdict != GRAD_RIGHT && large > 0) s->stopped = fmin(1, fabs(d.have - d.want) / large);
  }
  grad_point_close(&p);
  buf_free(&why);
}

/* Expanding replaces some ops, as a while by a scan: what is off may show in the graph as it was before. */
static void find_before(Arena *a, const Graph *g, NodeId t, const EvalEnv *env, GradOp **ops) {
  bool *on_path = arena_array(a, bool, arrlen(g->nodes));
  on_path[graph_node(g, t)->in[0]] = true;
  for (NodeId n = t; n > 0; n--)
    for (int k = 0; on_path[n] && k < graph_node(g, n)->n_in; k++) on_path[graph_node(g, n)->in[k]] = true;
  find_ops(a, g, env, on_path, 0, ops);
}

static void look_closer(GradSite *s, Arena *a, const GradFn *f, const GradPoint *p) {
  if (f->op != OP_jvp) s->each = arena_array(a, GradDerivative, f->n_x + 1);
  for (int i = 0; i < f->n_x && s->each; i++)
    s->each[i] = grad_point_along(p, f->n_x, grad_point_direction(p, f->n_x, i, 21));
  EvalEnv env = f->env;
  int own = f->g->n_inputs - f->n_x;
  Tensor *in = arena_array(f->arena, Tensor, f->g->n_inputs + 1);
  memcpy(in, env.inputs, sizeof *in * (size_t)own);
  memcpy(in + own, f->base, sizeof *in * (size_t)f->n_x);
  env.inputs = in;
  find_ops(f->arena, f->g, &env, f->on_path, 0, &s->ops);
  if (s->verdict == GRAD_WRONG) s->verdict = blame(s);
}

static GradSite check_site(Arena *a, const Graph *g, NodeId t, const EvalEnv *env) {
  const Node *d = graph_node(g, t);
  int skip = d->op == OP_vjp ? 2 : 1, each = d->op == OP_jvp ? 2 : 1;
  GradSite s = {.op = (Op)d->op, .loc = d->loc, .n_x = (d->n_in - skip) / each, .verdict = GRAD_UNCHECKED};
  s.n_results = d->type.dtype == TUPLE ? d->n_results : 1;
  s.cells = arena_array(a, int, s.n_x + 1), s.x_locs = arena_array(a, Loc, s.n_x + 1);
  for (int i = 0; i < s.n_x; i++) {
    const Node *x = graph_node(g, d->in[skip + each * i]);
    s.cells[i] = x->op == OP_cell ? (int)node_int(g, x, A_cell) : -1;
    s.x_locs[i] = x->loc;
  }
  Arena *own = arena_new();
  GradFn f;
  GradPoint p = {0};
  Buf why = {0};
  if (grad_fn_open(own, g, t, env, &f, &why) && grad_point_open(&f, f.base, true, &p, &why)) {
    tell_values(&s, a, &f, &p);
    tell_cuts(&s, &f);
    if (!isfinite(p.y)) {
      buf_printf(&why, "the value is %g here", p.y);
    } else {
      s.all = grad_fn_verdict(&f, &p, &why);
      s.verdict = s.all.verdict;
      if (s.verdict != GRAD_RIGHT) look_closer(&s, a, &f, &p);
      if (s.verdict == GRAD_WRONG && !arrlen(s.ops)) find_before(own, g, t, env, &s.ops);
      if ((s.verdict == GRAD_RIGHT || s.verdict == GRAD_STOPPED) && arrlen(f.stops)) tell_stopped(&s, &f);
    }
  }
  if (s.verdict == GRAD_UNCHECKED) s.why = arena_strdup(a, why.s ? why.s : "?");
  if (p.arena) grad_point_close(&p);
  grad_fn_close(&f);
  arena_free(own);
  buf_free(&why);
  return s;
}

bool grad_is_taken(Op op) { return op == OP_grad || op == OP_vjp || op == OP_jvp || op == OP_jacobian; }

static void check_all(Arena *a, const Graph *g, const EvalEnv *env, int depth, GradSite **sites) {
  for (NodeId n = 1; n < (NodeId)arrlen(g->nodes); n++) {
    const Node *d = graph_node(g, n);
    if (grad_is_taken((Op)d->op)) {
      GradSite s = check_site(a, g, n, env);
      s.depth = depth;
      arrput(*sites, s);
    }
    bool inside = false;
    for (int k = 0; k < d->n_regions; k++) inside |= rewrite_has_transforms(d->regions[k]);
    if (!inside) continue;
    Arena *tmp = arena_new();
    Tensor *in, *ops = operands_of(tmp, g, n, env);
    const Graph *body = ops ? body_of(tmp, g, d, env, ops, &in) : NULL;
    if (body) {
      EvalEnv own = *env;
      own.inputs = in;
      check_all(a, body, &own, depth + 1, sites);
    }
    arena_free(tmp);
  }
}

GradSite *grad_check(Arena *a, const Graph *g, const EvalEnv *env) {
  GradSite *sites = NULL;
  check_all(a, g, env, 0, &sites);
  return sites;
}

void grad_check_free(GradSite *sites) {
  for (ptrdiff_t i = 0; i < arrlen(sites); i++) {
    arrfree(sites[i].stops), arrfree(sites[i].ops), arrfree(sites[i].cuts);
  }
  arrfree(sites);
}
