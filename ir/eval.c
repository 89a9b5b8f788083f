#include "base/ds.h"
#include "ir/eval_rules.h"
#include "runtime/core/random.h"
#include <string.h>

bool eval_fail(Eval *e, const char *fmt, ...) {
  if (!e->why) return false;
  if (e->g->diag && e->node->loc.file) {
    int line, col;
    diag_line_col(e->g->diag, e->node->loc, &line, &col);
    buf_printf(e->why, "%s:%d:%d: ", diag_source_name(e->g->diag, e->node->loc.file), line, col);
  }
  buf_printf(e->why, "%%%u %s: ", e->id, op_info[e->node->op].name);
  va_list ap;
  va_start(ap, fmt);
  buf_str(e->why, arena_vprintf(e->arena, fmt, ap));
  va_end(ap);
  return false;
}

/* ---- shared helpers ---- */

double *eval_floats(Eval *e, const Tensor *t) {
  int64_t n = tensor_count(t);
  double *x = arena_array(e->tmp, double, n);
  for (int64_t i = 0; i < n; i++) x[i] = tensor_get(t, i);
  return x;
}

int64_t eval_attr(Eval *e, AttrKey key) { return dim_eval(e->g->dims, node_dim(e->node, key), e->env->vars); }

int eval_attrs(Eval *e, AttrKey key, int64_t *out) {
  const Attr *a = node_attr(e->node, key);
  for (uint32_t i = 0; i < a->n; i++) out[i] = dim_eval(e->g->dims, a->dims[i], e->env->vars);
  return (int)a->n;
}

void eval_strides(const Tensor *t, int64_t *strides) {
  int64_t n = 1;
  for (int i = t->rank - 1; i >= 0; i--) {
    strides[i] = n;
    n *= t->shape[i];
  }
}

bool eval_next(int64_t *index, const int64_t *shape, int n) {
  for (int i = n - 1; i >= 0; i--) {
    if (++index[i] < shape[i]) return true;
    index[i] = 0;
  }
  return false;
}

/* ---- leaves ---- */

static bool check_given(Eval *e, const Tensor *given, const char *what, int64_t index) {
  if (tensor_same_shape(given, e->out)) {
    e->out->data = given->data;
    return true;
  }
  Buf have = {0}, want = {0};
  tensor_print(&have, given, 0);
  tensor_print(&want, e->out, 0);
  eval_fail(e, "%s %lld is %s, must be %s", what, (long long)index, have.s, want.s);
  buf_free(&have);
  buf_free(&want);
  return false;
}

static void iota(Eval *e) {
  int axis = (int)eval_attr(e, A_axis);
  int64_t index[MAX_RANK] = {0}, n = tensor_count(e->out);
  for (int64_t i = 0; i < n; i++) {
    tensor_set_int(e->out, i, index[axis]);
    eval_next(index, e->out->shape, e->out->rank);
  }
}

static void uniform(Eval *e) {
  int64_t n = tensor_count(e->out), each = n / (n ? tensor_count(e->ins[0]) : 1);
  uint64_t site = node_attr(e->node, A_site)->hash;
  for (int64_t at = 0; at < n; at++) {
    int64_t key = tensor_get_int(e->ins[0], at / each), i = at % each;
    switch (e->out->dtype) {
    case F64: tensor_set(e->out, at, dnn_uniform_f64(key, site, i)); break;
    case F32: tensor_set(e->out, at, (double)dnn_uniform_f32(key, site, i)); break;
    default: { /* as many bits as the significand has, so that 1 is never reached */
      int bits = e->out->dtype == F16 ? 11 : 8;
      tensor_set(e->out, at, (double)(dnn_bits(key, site, i) >> (64 - bits)) / (double)(1 << bits));
    }
    }
  }
}

bool eval_leaf(Eval *e) {
  int64_t n = tensor_count(e->out);
  switch (e->node->op) {
  case OP_input: {
    int64_t i = eval_attr(e, A_index);
    return check_given(e, &e->env->inputs[i], "input", i);
  }
  case OP_cell: {
    int64_t i = eval_attr(e, A_cell);
    return check_given(e, &e->env->cells[i], "cell", i);
  }
  case OP_full:
    for (int64_t i = 0; i < n; i++) tensor_set(e->out, i, node_num(e->node, A_value));
    return true;
  case OP_literal: memcpy(e->out->data, node_attr(e->node, A_data)->data, (size_t)tensor_bytes(e->out)); return true;
  case OP_iota: iota(e); return true;
  case OP_size: tensor_set_int(e->out, 0, eval_attr(e, A_size)); return true;
  case OP_clock: tensor_set_int(e->out, 0, e->env->clock[eval_attr(e, A_which)]); return true;
  case OP_uniform: uniform(e); return true;
  default: return eval_fail(e, "has no evaluator");
  }
}

/* ---- one node ---- */

static bool eval_node(Eval *e) {
  switch (op_info[e->node->op].cls) {
  case LEAF: return eval_leaf(e);
  case MAP: return eval_map(e);
  case VIEW: return eval_view(e);
  case REDUCE: return eval_reduce(e);
  case CONTRACT: return eval_contract(e);
  case WINDOW: return eval_window(e);
  case GATHER: return eval_gather(e);
  case SCATTER: return eval_scatter(e);
  case CALL: return eval_call(e);
  case REGION: return eval_region(e);
  case META: break;
  }
  return eval_fail(e, "must be expanded before it is evaluated");
}

static void mark_live(const Graph *g, bool *live) {
  for (ptrdiff_t i = 0; i < arrlen(g->outputs); i++) live[g->outputs[i]] = true;
  for (NodeId id = (NodeId)arrlen(g->nodes) - 1; id > 0; id--) {
    const Node *n = graph_node(g, id);
    for (int i = 0; live[id] && i < n->n_in; i++) live[n->in[i]] = true;
  }
}

Tensor *node_eval(Arena *a, const Graph *g, const EvalEnv *env, NodeId id, Tensor *const *values, Buf *why) {
  const Node *n = graph_node(g, id);
  int count = n->type.dtype == TUPLE ? n->n_results : 1;
  Tensor *out = arena_array(a, Tensor, count ? count : 1);
  if (n->op == OP_get) {
    *out = values[n->in[0]][node_int(g, n, A_index)];
    return out;
  }
  Eval e = {.arena = a, .g = g, .env = env, .id = id, .node = n, .out = out, .why = why, .tmp = arena_new()};
  e.ins = n->n_in <= 64 ? e.in : arena_array(e.tmp, const Tensor *, n->n_in);
  for (int i = 0; i < n->n_in; i++) e.ins[i] = values[n->in[i]];
  for (int i = 0; i < count; i++) {
    Type t = n->type.dtype == TUPLE ? n->results[i] : n->type;
    out[i] = tensor_of_type(a, g->dims, t, env->vars);
  }
  if (env->noise > 0) eval_noise_operands(&e);
  bool ok = eval_node(&e);
  if (ok && env->noise > 0) eval_noise_result(&e);
  arena_free(e.tmp);
  return ok ? out : NULL;
}

bool graph_eval(Arena *a, const Graph *g, const EvalEnv *env, Tensor *outputs, Buf *why) {
  ptrdiff_t n = arrlen(g->nodes);
  Arena *local = arena_new();
  bool *live = arena_array(local, bool, n), ok = true;
  Tensor **values = arena_array(local, Tensor *, n);
  mark_live(g, live);
  for (NodeId id = 1; ok && id < (NodeId)n; id++) {
    if (!live[id]) continue;
    if (env->stop && *env->stop) {
      if (why) buf_str(why, "interrupted");
      ok = false;
      break;
    }
    values[id] = node_eval(a, g, env, id, values, why);
    ok = values[id] != NULL;
  }
  for (ptrdiff_t i = 0; ok && i < arrlen(g->outputs); i++) outputs[i] = *values[g->outputs[i]];
  arena_free(local);
  return ok;
}

/* ---- constant folding ---- */

static bool small_constant(const Graph *g, Type t, int64_t max_count) {
  int64_t n;
  return t.dtype != TUPLE && dim_is_int(g->dims, type_count(g->dims, t), &n) && n <= max_count;
}

bool node_eval_const(Arena *a, const Graph *g, NodeId id, int64_t max_count, Tensor *out) {
  const Node *n = graph_node(g, id);
  OpClass c = op_info[n->op].cls;
  bool leaf = n->op == OP_full || n->op == OP_literal || n->op == OP_iota || n->op == OP_uniform;
  if ((c == LEAF && !leaf && n->op != OP_size) || c == REGION || c == META) return false;
  if (!small_constant(g, n->type, max_count) || (op_info[n->op].flags & IMPURE)) return false;
  if (n->op == OP_size && !dim_is_int(g->dims, node_dim(n, A_size), NULL)) return false;
  for (int i = 0; i < n->n_attrs; i++) { /* symbolic starts and paddings have no value yet */
    AttrKind k = attr_kinds[n->attrs[i].key];
    for (uint32_t j = 0; (k == AK_INT || k == AK_INTS) && j < n->attrs[i].n; j++) {
      if (!dim_is_int(g->dims, n->attrs[i].dims[j], NULL)) return false;
    }
  }
  EvalEnv env = {0};
  Tensor **values = arena_array(a, Tensor *, id + 1);
  for (int i = 0; i < n->n_in; i++) {
    const Node *x = graph_node(g, n->in[i]);
    if ((x->op != OP_full && x->op != OP_literal) || !small_constant(g, x->type, max_count)) return false;
    values[n->in[i]] = node_eval(a, g, &env, n->in[i], values, NULL);
  }
  Tensor *r = node_eval(a, g, &env, id, values, NULL);
  if (r) *out = *r;
  return r != NULL;
}
