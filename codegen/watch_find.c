/* Which operation of a group makes a NaN or an infinity. What the group reads stands in memory, and so does what it
 * stored; between them the reference evaluator computes. */
#include "base/ds.h"
#include "codegen/watch_internal.h"
#include "runtime/core/random.h"
#include <math.h>
#include <stdlib.h>

Find watch_find_begin(const WatchCall *c) {
  const Plan *p = c->w->plans[c->entry];
  const Group *g = &p->groups[c->at->group];
  const DnnContext *m = c->m;
  Find f = {.c = c, .arena = arena_new(), .plan = p, .group = g, .graph = p->scopes[g->scope].graph};
  int n = (int)arrlen(f.graph->nodes);
  f.values = arena_array(f.arena, Tensor *, n + 1);
  f.seen = arena_array(f.arena, unsigned char *, n + 1);
  f.whole = arena_array(f.arena, unsigned char, n + 1);
  f.inside = arena_array(f.arena, bool, n + 1);
  f.tried = arena_array(f.arena, bool, n + 1);
  for (int i = 0; i < (int)arrlen(g->nodes); i++) f.inside[g->nodes[i]] = true;
  f.env = (EvalEnv){.vars = c->vars, .clock = {m->step, m->steps, m->epoch, dnn_call_key(m->seed, m->stage, m->step)}};
  return f;
}

void watch_find_end(Find *f) { arena_free(f->arena); }

/* ---- values ---- */

static Tensor *tensor_at(Find *f, NodeId n, const void *data) {
  Tensor *t = arena_one(f->arena, Tensor);
  Type type = graph_type(f->graph, n);
  *t = (Tensor){.dtype = type.dtype, .rank = type.rank, .data = (void *)(uintptr_t)data};
  for (int k = 0; k < type.rank; k++) t->shape[k] = dim_eval(f->graph->dims, type.shape[k], f->c->vars);
  return t;
}

static const void *in_a_row(Find *f, int buf, const void *data) {
  const PlanBuf *x = &f->plan->bufs[buf];
  if (!x->place) return data;
  int64_t bytes = watch_count(f->c, x->type) * dtype_size(x->type.dtype);
  void *to = arena_alloc(f->arena, (size_t)bytes + 1);
  watch_gather(f->c, x, data, to);
  return to;
}

/* What stands in memory: results of the group, and what it read as it was then. */
static Tensor *stored(Find *f, NodeId n) {
  const Group *g = f->group;
  const WatchCall *c = f->c;
  int n_reads = (int)arrlen(g->reads), buf = f->plan->scopes[g->scope].buf_of[n];
  for (int k = 0; k < (int)arrlen(g->outs); k++)
    if (g->outs[k].node == n) return tensor_at(f, n, in_a_row(f, g->outs[k].buf, c->at->bufs[n_reads + k]));
  for (int k = 0; k < n_reads && !f->inside[n]; k++) {
    if (g->reads[k] != buf) continue;
    if (f->plan->bufs[buf].kind != BUF_COUNT)
      return tensor_at(f, n, in_a_row(f, buf, c->copies[k].data ? c->copies[k].data : c->at->bufs[k]));
    Tensor *t = tensor_at(f, n, NULL);
    *t = tensor_new(f->arena, t->dtype, 0, NULL);
    tensor_set_int(t, 0, *(const int64_t *)c->at->bufs[k]);
    return t;
  }
  return NULL;
}

/* By the evaluator, whose loops are plain: what takes minutes is left out. */
static Tensor *computed(Find *f, NodeId n) {
  const Node *x = graph_node(f->graph, n);
  enum { LONG = 1 << 30 };
  bool leaf = op_info[x->op].cls == LEAF && x->op != OP_input && x->op != OP_cell;
  if (!f->inside[n] && !leaf) return NULL;
  if (dim_eval(f->graph->dims, node_flops(f->graph, n), f->c->vars) > LONG) return NULL;
  for (int k = 0; k < x->n_in; k++)
    if (!watch_value(f, x->in[k])) return NULL;
  return node_eval(f->arena, f->graph, &f->env, n, f->values, NULL);
}

const Tensor *watch_value(Find *f, NodeId n) {
  if (f->tried[n]) return f->values[n];
  f->tried[n] = true;
  if (graph_type(f->graph, n).dtype == TUPLE) return NULL;
  Tensor *t = stored(f, n);
  f->values[n] = t ? t : computed(f, n);
  f->unknown |= !f->values[n];
  return f->values[n];
}

/* ---- where it arises ---- */

static bool is_bad(const Tensor *t, int64_t i) { return dtype_is_float(t->dtype) && !isfinite(tensor_get(t, i)); }

/* True the first time. */
static bool first_look(Find *f, NodeId n, int64_t i) {
  if (!f->seen[n]) f->seen[n] = arena_array(f->arena, unsigned char, tensor_count(f->values[n]) + 1);
  bool first = !f->seen[n][i];
  f->seen[n][i] = 1;
  return first;
}

/* What is bad in an operand, or in one element of it. */
enum { BAD = 1, BAD_NAN = 2, KNOWN = 4 };

/* Looks at element `i` of operand `n`: is it bad, and does that arise in this group (*from)? */
static int follow(Find *f, NodeId n, int64_t i, NodeId *from, int64_t *at) {
  const Tensor *t = f->values[n];
  if (!is_bad(t, i)) return 0;
  if (f->inside[n] && first_look(f, n, i)) *from = watch_arose(f, n, i, at);
  return isnan(tensor_get(t, i)) ? BAD | BAD_NAN : BAD;
}

/* The same for all elements, once: when nothing arose there, it will not the next time. */
static int follow_all(Find *f, NodeId n, NodeId *from, int64_t *at) {
  if (f->whole[n] & KNOWN) return f->whole[n];
  int found = KNOWN;
  for (int64_t i = 0, m = tensor_count(f->values[n]); i < m && !*from; i++) found |= follow(f, n, i, from, at);
  f->whole[n] = (unsigned char)found;
  return found;
}

/* Element-wise operations are followed at the element, the others at every bad one of their operands. Of a `where` the
 * arm that was not taken says nothing. */
NodeId watch_arose(Find *f, NodeId n, int64_t i, int64_t *at) {
  if (!f->inside[n]) return 0; /* a group that copies */
  const Node *x = graph_node(f->graph, n);
  const Tensor *y = watch_value(f, n);
  bool map = op_info[x->op].cls == MAP;
  int fed = 0;
  NodeId from = 0;
  for (int k = 0; y && k < x->n_in; k++) {
    const Tensor *t = watch_value(f, x->in[k]);
    if (!t || !dtype_is_float(t->dtype)) continue;
    const Tensor *taken = x->op == OP_where ? watch_value(f, x->in[0]) : NULL;
    if (taken && k != (tensor_get_int(taken, i) ? 1 : 2)) continue;
    fed |= map ? follow(f, x->in[k], i, &from, at) : follow_all(f, x->in[k], &from, at);
    if (from) return from;
  }
  *at = i;
  if (y && isnan(tensor_get(y, i)) && !(fed & BAD_NAN && watch_makes_records(f->c))) return n;
  return fed & BAD || !x->n_in ? 0 : n;
}
