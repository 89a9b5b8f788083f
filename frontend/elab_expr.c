/* Expressions: one function per kind of node. */
#include "frontend/elab_priv.h"
#include "base/limits.h"
#include <string.h>

/* One step of the static interpreter: ends what would run for ever or overrun the stack. */
bool spend(Elab *e, Loc at) {
  size_t used =
      (size_t)(e->stack_base - (char *)__builtin_frame_address(0)); /* a local can lie elsewhere under a sanitizer */
  if (e->fuel <= 0) return false;
  if (used > e->stack_size) {
    e->fuel = 0;
    elab_error(e, at, E0408, "static evaluation is nested too deeply");
    return false;
  }
  if (e->trace->graph && (int64_t)arrlen(e->trace->graph->nodes) > limits[LIMIT_nodes]) {
    e->fuel = 0;
    elab_error(e, at, E0431, "the graph has more than %lld nodes here", (long long)limits[LIMIT_nodes]);
    elab_help(e, "`scan` is the loop of the graph; `--limit nodes=N` allows more");
    return false;
  }
  if (--e->fuel > 0) return true;
  elab_error(e, at, E0408,
             "static evaluation takes more than %lld steps; is a static `for` meant to be a loop of the graph?",
             (long long)limits[LIMIT_steps]);
  elab_help(e, "`--limit steps=N` allows more");
  return false;
}

const char *expr_text(Elab *e, const AstExpr *x) {
  size_t n;
  if (!x || !x->loc.file || diag_source_is_std(e->diag, x->loc.file)) return NULL;
  const char *text = diag_source_text(e->diag, x->loc.file, &n);
  if (!text || x->loc.end > n || x->loc.end - x->loc.begin > 40) return NULL;
  bool simple = x->kind == AX_NAME || x->kind == AX_CALL || x->kind == AX_INDEX || x->kind == AX_FIELD;
  return arena_printf(e->arena, simple ? "%.*s" : "(%.*s)", (int)(x->loc.end - x->loc.begin), text + x->loc.begin);
}

/* --- strings ------------------------------------------------------------------------------------------------------ */
static Value *eval_string(Elab *e, Env *env, const AstExpr *x) {
  Buf b = {0};
  Value **items = arena_array(e->arena, Value *, 2 * x->string.n + 2);
  int n = 0;
  bool bad = false;
  buf_str(&b, "");
  for (int i = 0; i < x->string.n; i++) {
    const AstStringPart *p = &x->string.parts[i];
    if (p->text) {
      buf_str(&b, p->text);
      continue;
    }
    Value *v = elab_expr(e, env, p->expr);
    if (is_poison(v)) bad = true;
    else if (v->kind == V_SYM || (v->kind == V_INT && !v_const_int(e, v, &(int64_t){0})))
      v = v_to_tensor(e, v, TUPLE, x->loc);
    if (v->kind == V_TENSOR) {
      items[n++] = v_str(e, b.s ? b.s : "");
      items[n++] = v;
      buf_free(&b);
      b = (Buf){0};
      buf_str(&b, "");
    } else if (!bad) {
      buf_str(&b, value_text(e, v));
      if (b.n > (size_t)limits[LIMIT_text]) bad = true, string_too_long(e, x->loc);
    }
  }
  Value *last = v_str(e, b.s ? b.s : "");
  buf_free(&b);
  if (bad) return e->poison;
  if (n == 0) return last;
  items[n++] = last;
  Value *v = v_list(e, items, n);
  v->kind = V_TEXT;
  return v;
}

/* --- operators ---------------------------------------------------------------------------------------------------- */
Op op_of_ast(AstOp op) {
  switch (op) {
  case AST_OR: return OP_or;
  case AST_AND: return OP_and;
  case AST_NOT: return OP_not;
  case AST_EQ: return OP_eq;
  case AST_NE: return OP_ne;
  case AST_LT: return OP_lt;
  case AST_LE: return OP_le;
  case AST_GT: return OP_gt;
  case AST_GE: return OP_ge;
  case AST_ADD: return OP_add;
  case AST_SUB: return OP_sub;
  case AST_MUL: return OP_mul;
  case AST_DIV: return OP_div;
  case AST_FLOORDIV: return OP_floordiv;
  case AST_MOD: return OP_mod;
  case AST_NEG: return OP_neg;
  case AST_POW: return OP_pow;
  default: return OP_NONE;
  }
}

Value *binary_ast(Elab *e, AstOp op, Value *a, Value *b, Loc at) {
  return op == AST_MATMUL ? matmul(e, a, b, at) : elab_binary(e, op_of_ast(op), a, b, at);
}

static Value *eval_binary(Elab *e, Env *env, const AstExpr *x) {
  AstOp op = x->binary.op;
  Value *a = elab_expr(e, env, x->binary.a);
  if (op == AST_AND && a->kind == V_BOOL && !a->b) return a; /* static: the other side is not looked at */
  if (op == AST_OR && a->kind == V_BOOL && a->b) return a;
  Value *b = elab_expr(e, env, x->binary.b);
  e->left = x->binary.a;
  e->right = x->binary.b;
  Value *v = binary_ast(e, op, a, b, x->op);
  e->left = e->right = NULL;
  return v;
}

/* --- choices ------------------------------------------------------------------------------------------------------ */
Saved *save_vars(Env *env) {
  Saved *all = NULL;
  for (Env *s = env; s && !s->fixed; s = s->up)
    for (ptrdiff_t i = 0; i < s->n; i++) {
      Saved one = {s, i, s->binds[i].v};
      if (s->binds[i].var) arrput(all, one);
    }
  return all;
}

void restore_vars(const Saved *all) {
  for (ptrdiff_t i = 0; i < arrlen(all); i++) saved_binding(&all[i])->v = all[i].v;
}

/* where(c, a, b), through trees. */
Value *select_value(Elab *e, Value *c, Value *a, Value *b, Loc at) {
  a = v_read(e, a), b = v_read(e, b);
  if (is_poison(a) || is_poison(b) || is_poison(c)) return e->poison;
  if (a == b || v_equal(e, a, b)) return a;
  if ((a->kind == V_TUPLE || a->kind == V_LIST) && b->kind == a->kind && a->list.n == b->list.n) {
    Value **items = arena_array(e->arena, Value *, a->list.n + 1);
    for (int i = 0; i < a->list.n; i++) items[i] = select_value(e, c, a->list.items[i], b->list.items[i], at);
    Value *v = v_tuple(e, items, a->list.names, a->list.n);
    v->kind = a->kind;
    return v;
  }
  if (!tensor_pair(e, "if", &a, &b, at) || !want_tensor(e, &c, "the condition", at)) return e->poison;
  Type t = v_type(a);
  NodeId cn = broadcast_node(e, nid(c), t.rank, t.shape, at);
  return v_tensor(e, g_where(e->trace->graph, elab_place(e, at), cn, nid(a), nid(b)));
}

/* An `if` on a size that is known at run time only: both arms are elaborated and the values selected. */
static Value *choose_open(Elab *e, Env *env, const AstExpr *x, int arm, Value *c,
                          Value *(*rest)(Elab *, Env *, const AstExpr *, int)) {
  int version = e->trace->version;
  ptrdiff_t effects = arrlen(e->trace->reports) + arrlen(e->trace->effects);
  Saved *before = save_vars(env);
  Value *a = elab_block(e, env, &x->choice.arms[arm].body);
  Saved *then = save_vars(env);
  restore_vars(before);
  Value *b = rest(e, env, x, arm + 1);
  if (version != e->trace->version || effects != arrlen(e->trace->reports) + arrlen(e->trace->effects))
    not_yet(e, x->loc, "a state, report, check or print under an `if` on a run-time size");
  for (ptrdiff_t i = 0; i < arrlen(before); i++) {
    Binding *now = saved_binding(&before[i]);
    if (then[i].v != now->v) now->v = select_value(e, c, then[i].v, now->v, x->loc);
  }
  arrfree(before);
  arrfree(then);
  if (a->kind == V_NONE && b->kind == V_NONE) return a;
  return select_value(e, c, a, b, x->loc);
}

static Value *choose_from(Elab *e, Env *env, const AstExpr *x, int arm) {
  for (; arm < x->choice.n; arm++) {
    const AstArm *a = &x->choice.arms[arm];
    if (!a->cond) return elab_block(e, env, &a->body);
    Value *c = elab_expr(e, env, a->cond);
    if (is_poison(c)) return c;
    if (is_open_bool(c)) return choose_open(e, env, x, arm, v_to_tensor(e, c, BOOL, a->cond->loc), choose_from);
    if (c->kind == V_TENSOR) {
      elab_error(e, a->cond->loc, E0410, "a static `if` cannot test a run-time value of type %s",
                 type_text(e, v_type(c)));
      elab_help(e, "`cond` runs one of two branches, `where(c, a, b)` chooses element by element");
      return e->poison;
    }
    if (c->kind != V_BOOL)
      return elab_error(e, a->cond->loc, E0411, "a condition must be a bool, but this is %s", value_kind_name(e, c));
    if (c->b) return elab_block(e, env, &a->body);
  }
  return e->none;
}

Value *choose_static(Elab *e, Env *env, const AstExpr *x) { return choose_from(e, env, x, 0); }

/* --- collections -------------------------------------------------------------------------------------------------- */
static Value *eval_tuple(Elab *e, Env *env, const AstExpr *x) {
  int n = x->tuple.n;
  Value **items = arena_array(e->arena, Value *, n + 1);
  const char **names = n && x->tuple.items[0].name.name ? arena_array(e->arena, const char *, n) : NULL;
  bool bad = false;
  for (int i = 0; i < n; i++) {
    items[i] = elab_expr(e, env, x->tuple.items[i].value);
    bad |= is_poison(items[i]);
    if (names) names[i] = x->tuple.items[i].name.name;
  }
  return bad ? e->poison : v_tuple(e, items, names, n);
}

static Value *eval_list(Elab *e, Env *env, const AstExpr *x) {
  Value **items = arena_array(e->arena, Value *, x->list.n + 1);
  bool bad = false;
  for (int i = 0; i < x->list.n; i++) {
    items[i] = elab_expr(e, env, x->list.items[i]);
    bad |= is_poison(items[i]);
  }
  return bad ? e->poison : v_list(e, items, x->list.n);
}

static Value *eval_comprehension(Elab *e, Env *env, const AstExpr *x) {
  Value **in, **out = NULL;
  int n = elab_range(e, env, &x->each.range, &in);
  bool bad = n < 0;
  uint64_t site = site_next(e, "for");
  for (int i = 0; i < n && !bad; i++) {
    Frame f;
    Env *inner = env_new(e, env);
    frame_push(e, &f, NULL, (Loc){0}, hash_mix(site, (uint64_t)i));
    bad = !elab_pattern(e, inner, x->each.pattern, in[i]);
    Value *c = !bad && x->each.cond ? elab_expr(e, inner, x->each.cond) : e->yes;
    bool keep = true;
    bad = bad || !want_bool(e, c, &keep, "the condition of a comprehension", x->loc);
    if (!bad && keep) {
      Value *v = elab_expr(e, inner, x->each.value);
      bad = is_poison(v);
      arrput(out, v);
    }
    frame_pop(e);
  }
  if (bad) return arrfree(out), e->poison;
  Value **items = arena_copy(e->arena, out, sizeof(Value *) * (size_t)arrlen(out));
  Value *v = v_list(e, items, (int)arrlen(out));
  arrfree(out);
  return v;
}

static Value *eval_fn(Elab *e, Env *env, const AstExpr *x) {
  Value *v = arena_one(e->arena, Value);
  v->kind = V_FN;
  v->loc = x->loc;
  v->fn = arena_one(e->arena, Fn);
  v->fn->name = "fn";
  v->fn->decl = x->fn;
  v->fn->env = env_snapshot(e, env);
  return v;
}

static Value *eval_seeded(Elab *e, Env *env, const AstExpr *x) {
  Value *s = elab_expr(e, env, x->with.value);
  if (!want_tensor(e, &s, "the seed", x->with.value->loc)) return e->poison;
  Type t = v_type(s);
  if (!dtype_is_int(t.dtype) || t.rank != 0)
    return elab_error(e, x->with.value->loc, E0412, "a seed is an integer scalar, not %s", type_text(e, t));
  Graph *g = e->trace->graph;
  Loc at = elab_place(e, x->loc);
  NodeId outer = e->trace->key, word = g_full(g, at, 0x5eed, type_scalar(I64));
  e->trace->key = mix_iterations(e, g_map2(g, OP_mix_key, at, g_cast(g, at, nid(s), I64), word), x->loc);
  Value *v = elab_block(e, env, &x->with.body);
  e->trace->key = outer;
  return v;
}

static Value *eval_call(Elab *e, Env *env, const AstExpr *x) {
  Value *f = elab_expr(e, env, x->call.fn);
  Args a = elab_args(e, env, x->call.args, x->call.n);
  if (is_poison(f)) return f;
  for (int i = 0; i < a.n; i++)
    if (is_poison(a.v[i])) return a.v[i];
  return call_value(e, f, &a, x->call.fn, x->loc);
}

static Value *eval_index(Elab *e, Env *env, const AstExpr *x) {
  IndexItem *items;
  Value *v = elab_expr(e, env, x->index.base);
  int n = eval_index_items(e, env, x, &items);
  return n < 0 || is_poison(v) ? e->poison : index_value(e, v, items, n, x->loc);
}

static Value *int_literal(Elab *e, const AstExpr *x) {
  Dim d = dim_int(e->dims, x->i);
  return d != DIM_OVERFLOW ? v_dim(e, d) : elab_error(e, x->loc, E0403, "%lld does not fit 63 bits", (long long)x->i);
}

Value *elab_expr(Elab *e, Env *env, const AstExpr *x) {
  if (!spend(e, x->loc)) return e->poison;
  switch (x->kind) {
  case AX_INT: return int_literal(e, x);
  case AX_FLOAT: return v_float(e, x->f);
  case AX_BOOL: return v_bool(e, x->b);
  case AX_NONE: return e->none;
  case AX_STRING: return eval_string(e, env, x);
  case AX_NAME: return elab_name(e, env, x->name, x->loc);
  case AX_TUPLE: return eval_tuple(e, env, x);
  case AX_LIST: return eval_list(e, env, x);
  case AX_COMPREHENSION: return eval_comprehension(e, env, x);
  case AX_UNARY: return elab_unary(e, op_of_ast(x->binary.op), elab_expr(e, env, x->binary.a), x->op);
  case AX_BINARY: return eval_binary(e, env, x);
  case AX_CALL: return eval_call(e, env, x);
  case AX_INDEX: return eval_index(e, env, x);
  case AX_FIELD: return elab_field(e, elab_expr(e, env, x->field.base), x->field.name.name, x->field.name.loc);
  case AX_IF: return choose_static(e, env, x);
  case AX_COND: return elab_cond(e, env, x);
  case AX_FN: return eval_fn(e, env, x);
  case AX_SCAN: return elab_scan(e, env, x);
  case AX_VMAP: return elab_vmap(e, env, x);
  case AX_WHILE: return elab_while(e, env, x);
  case AX_SEEDED: return eval_seeded(e, env, x);
  case AX_CHECKPOINT: return elab_checkpoint(e, env, x);
  case AX_ERROR: e->errors++; return e->poison;
  }
  return e->poison;
}

Args elab_args(Elab *e, Env *env, const AstArg *args, int n) {
  Args a = {arena_array(e->arena, Value *, n + 1), arena_array(e->arena, const char *, n + 1),
            arena_array(e->arena, Loc, n + 1), n};
  for (int i = 0; i < n; i++) {
    a.v[i] = elab_expr(e, env, args[i].value);
    a.names[i] = args[i].name.name;
    a.locs[i] = args[i].value->loc;
  }
  return a;
}
