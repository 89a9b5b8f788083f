/* Loops, branches and calls: their graphs are evaluated with the operands as inputs. */
#include "base/ds.h"
#include "ir/eval_rules.h"
#include <string.h>

/* Runs a region in an arena of its own and copies its outputs to `out`, which are allocated. */
static bool call(Eval *e, const Graph *r, const Tensor *in, Tensor *out) {
  Arena *local = arena_new();
  EvalEnv env = *e->env;
  env.inputs = in;
  ptrdiff_t n = arrlen(r->outputs);
  Tensor *got = arena_array(local, Tensor, n ? n : 1);
  bool ok = graph_eval(local, r, &env, got, e->why);
  for (ptrdiff_t i = 0; ok && i < n; i++) memcpy(out[i].data, got[i].data, (size_t)tensor_bytes(&got[i]));
  arena_free(local);
  return ok;
}

/* Room for the outputs of a region. */
static Tensor *room(Eval *e, const Graph *r) {
  ptrdiff_t n = arrlen(r->outputs);
  Tensor *t = arena_array(e->tmp, Tensor, n ? n : 1);
  for (ptrdiff_t i = 0; i < n; i++) {
    t[i] = tensor_of_type(e->tmp, r->dims, graph_type(r, r->outputs[i]), e->env->vars);
  }
  return t;
}

static Tensor *inputs(Eval *e) {
  Tensor *in = arena_array(e->tmp, Tensor, e->node->n_in ? e->node->n_in : 1);
  for (int i = 0; i < e->node->n_in; i++) in[i] = *e->ins[i];
  return in;
}

static Tensor row_of(const Tensor *t, int64_t i) {
  Tensor r = {t->dtype, t->rank - 1, {0}, NULL};
  for (int k = 1; k < t->rank; k++) r.shape[k - 1] = t->shape[k];
  r.data = (char *)t->data + i * tensor_bytes(&r);
  return r;
}

static void store(Tensor *to, const Tensor *from) { memcpy(to->data, from->data, (size_t)tensor_bytes(from)); }

static bool loop(Eval *e) {
  const Graph *body = e->node->regions[0];
  int64_t length = eval_attr(e, A_length);
  int carried = e->node->op == OP_scan ? (int)eval_attr(e, A_carried) : 0, rows = (int)eval_attr(e, A_rows);
  int n = (int)arrlen(body->outputs);
  bool reverse = e->node->op == OP_scan && eval_attr(e, A_reverse);
  Tensor *in = inputs(e), *next = room(e, body);
  for (int i = 0; i < carried; i++) store(&e->out[i], &in[i]);
  for (int i = 0; i < carried; i++) in[i] = e->out[i];
  for (int64_t k = 0; k < length; k++) {
    int64_t t = reverse ? length - 1 - k : k;
    for (int i = carried; i < carried + rows; i++) in[i] = row_of(e->ins[i], t);
    if (!call(e, body, in, next)) return false;
    for (int i = 0; i < carried; i++) store(&e->out[i], &next[i]);
    for (int i = carried; i < n; i++) {
      Tensor row = row_of(&e->out[i], t);
      store(&row, &next[i]);
    }
  }
  return true;
}

static bool while_loop(Eval *e) {
  const Graph *condition = e->node->regions[0], *body = e->node->regions[1];
  int carried = (int)eval_attr(e, A_carried);
  int64_t limit = eval_attr(e, A_limit);
  Tensor *in = inputs(e), *flag = room(e, condition), *next = room(e, body);
  for (int i = 0; i < carried; i++) store(&e->out[i], &in[i]);
  for (int i = 0; i < carried; i++) in[i] = e->out[i];
  for (int64_t t = 0; limit < 0 || t < limit; t++) {
    if (!call(e, condition, in, flag)) return false;
    if (!tensor_get_int(flag, 0)) break;
    if (!call(e, body, in, next)) return false;
    for (int i = 0; i < carried; i++) store(&e->out[i], &next[i]);
  }
  return true;
}

bool eval_region(Eval *e) {
  const Node *n = e->node;
  switch (n->op) {
  case OP_scan:
  case OP_vmap: return loop(e);
  case OP_while: return while_loop(e);
  case OP_cond: return call(e, n->regions[tensor_get_int(e->ins[0], 0) ? 0 : 1], inputs(e) + 1, e->out);
  case OP_checkpoint:
  case OP_custom_grad: return call(e, n->regions[0], inputs(e), e->out);
  default: return eval_fail(e, "has no evaluator");
  }
}
