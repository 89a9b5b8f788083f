/* Functions with own gradients: the call is one op with two bodies, the function and its `backward`. */
#include "frontend/elab_priv.h"

typedef struct Own {
  const AstFn *fn;
  Region *forward, *backward;
  Env *env; /* with the arguments */
  Loc loc;
  int n_out; /* results */
} Own;

/* The scope of the arguments, with inputs of the body for their tensors; the region is the current one. */
static Env *body_env(Elab *e, const Own *o, Region *r) {
  Env *c = arena_one(e->arena, Env);
  *c = *o->env;
  c->binds = NULL;
  c->by_name = NULL;
  c->n = c->named = 0;
  c->shared = false;
  for (int i = 0; i < o->env->n; i++) {
    const Binding *b = &o->env->binds[i];
    (b->var ? env_var : env_bind)(c, b->name, tree_parts(e, v_read(e, b->v), region_argument, r), b->loc);
  }
  return c;
}

static bool writes_nothing(Elab *e, const Own *o) {
  for (ptrdiff_t i = 0; i < arrlen(e->trace->cells); i++) {
    if (!e->trace->cells[i].written) continue;
    elab_error(e, e->trace->cells[i].loc, E0617, "`%s` is written in a function with own gradients",
               cell_info(e, e->trace->cells[i].cell)->path);
    elab_note(e, o->fn->loc, "the function is declared here");
    return false;
  }
  return true;
}

/* --- the function ------------------------------------------------------------------------------------------------- */
static Value *result_part(Elab *e, void *ctx, Value *v) {
  Own *o = ctx;
  v = v_read(e, v);
  if (is_number(v)) v = v_to_tensor(e, v, TUPLE, o->loc);
  if (is_poison(v) || (v->kind != V_TENSOR && !v_has_tensor(v))) return v;
  if (v->kind != V_TENSOR)
    return elab_error(e, o->loc, E0424, "a function with own gradients gives tensors, and a part of this is %s",
                      value_kind_name(e, v));
  arrput(o->forward->graph->outputs, nid(v));
  return coming(e, o->n_out++);
}

static Value *run_forward(Elab *e, Own *o) {
  region_enter(e, o->forward);
  Value *v = elab_block(e, body_env(e, o, o->forward), &o->fn->body);
  if (!is_poison(v)) v = tree_parts(e, v, result_part, o);
  if (!writes_nothing(e, o)) v = e->poison;
  region_leave(e, o->forward);
  if (is_poison(v) || o->n_out) return v;
  return elab_error(e, o->fn->name.loc, E0706, "`%s` has own gradients but no result", o->fn->name.name);
}

/* --- backward ----------------------------------------------------------------------------------------------------- */
static Value *late_part(Elab *e, void *ctx, Value *v) {
  Own *o = ctx;
  if (v->kind != V_TENSOR || v->t.graph) return v;
  Type t = graph_type(o->forward->graph, o->forward->graph->outputs[v->t.id]);
  return v_tensor(e, region_input(o->backward, IN_LATE, 0, t));
}

static bool has_floats(const Value *v) {
  if (v->kind == V_TENSOR) return dtype_is_float(v_type(v).dtype);
  if (v->kind == V_TUPLE || v->kind == V_LIST)
    for (int i = 0; i < v->list.n; i++)
      if (has_floats(v->list.items[i])) return true;
  for (int i = 0; v->kind == V_INST && i < v->inst->n; i++)
    if (v->inst->fields[i].kind != FIELD_STATE && has_floats(v->inst->fields[i].v)) return true;
  return false;
}

static bool wrong_gradient(Elab *e, const Own *o, const char *path, const Value *x, const Value *g) {
  if (is_poison(g)) return false;
  elab_error(e, o->fn->backward.loc, E0706, "the gradient for `%s` of `%s` is %s, it must be %s", path,
             o->fn->name.name, value_kind_name(e, g), value_kind_name(e, x));
  elab_help(e, "`backward` gives the gradients of the arguments that hold floats: a tuple where there are several");
  return false;
}

/* Collects the gradients for the float parts of argument x, in the order of the operands. */
static bool take_gradients(Elab *e, Own *o, const char *path, Value *x, Value *g) {
  g = v_read(e, g);
  if (x->kind == V_TENSOR) {
    if (!dtype_is_float(v_type(x).dtype)) return true;
    if (is_number(g) && !is_bool(g)) g = adapt_number(e, g, v_type(x), o->fn->backward.loc);
    if (g->kind != V_TENSOR || !type_same(v_type(g), v_type(x))) return wrong_gradient(e, o, path, x, g);
    arrput(o->backward->graph->outputs, nid(g));
    return true;
  }
  if (!has_floats(x)) return true;
  if (x->kind == V_INST) {
    if (g->kind != V_INST || g->inst->def != x->inst->def) return wrong_gradient(e, o, path, x, g);
    for (int i = 0; i < x->inst->n; i++) {
      const Field *f = &x->inst->fields[i];
      if (f->kind == FIELD_STATE || (f->kind == FIELD_STATIC && !holds_inst(f->v))) continue;
      if (!take_gradients(e, o, arena_printf(e->arena, "%s.%s", path, f->name), f->v, g->inst->fields[i].v))
        return false;
    }
    return true;
  }
  if ((g->kind != V_TUPLE && g->kind != V_LIST) || g->list.n != x->list.n) return wrong_gradient(e, o, path, x, g);
  for (int i = 0; i < x->list.n; i++)
    if (!take_gradients(e, o, arena_printf(e->arena, "%s[%d]", path, i), x->list.items[i], g->list.items[i]))
      return false;
  return true;
}

/* The arguments in the order of their scope: a name that was bound twice counts once, as the operands do. */
static bool collect_gradients(Elab *e, Own *o, Env *env, Value *g) {
  int n = 0, k = 0;
  for (ptrdiff_t i = 0; i < env->n; i++) n += has_floats(env->binds[i].v);
  if (n == 0)
    return elab_error(e, o->fn->backward.loc, E0706, "`%s` has no argument of floats", o->fn->name.name), false;
  bool tuple = n > 1;
  if (tuple && (g->kind != V_TUPLE || g->list.n != n)) {
    elab_error(e, o->fn->backward.loc, E0706, "`backward` of `%s` gives %s, it must give a tuple of %d gradients",
               o->fn->name.name, part_text(e, g), n);
    return false;
  }
  for (ptrdiff_t i = 0; i < env->n; i++) {
    Value *x = env->binds[i].v;
    if (has_floats(x) && !take_gradients(e, o, env->binds[i].name, x, tuple ? g->list.items[k++] : g)) return false;
  }
  return true;
}

static bool run_backward(Elab *e, Own *o, Value *y) {
  const AstFn *f = o->fn;
  region_enter(e, o->backward);
  Env *args = body_env(e, o, o->backward), *env = env_new(e, args);
  env_bind(env, f->backward_value.name, tree_parts(e, y, late_part, o), f->backward_value.loc);
  env_bind(env, f->backward_grad.name, tree_parts(e, y, late_part, o), f->backward_grad.loc);
  Value *g = elab_block(e, env, &f->backward);
  bool ok = !is_poison(g) && collect_gradients(e, o, args, g);
  ok = writes_nothing(e, o) && ok;
  region_leave(e, o->backward);
  return ok;
}

/* What the bodies read besides the arguments has no gradient: it must not need one. */
static bool captures_constants(Elab *e, const Own *o, const NodeId *in, int from, int n) {
  Graph *g = e->trace->graph;
  for (int i = from; i < n; i++) {
    Type t = graph_type(g, in[i]);
    if (!dtype_is_float(t.dtype)) continue;
    if (carries_gradient(e, in[i])) {
      elab_error(e, o->fn->name.loc, E0707, "`%s` has own gradients and uses a value that is not an argument of it: %s",
                 o->fn->name.name, type_text(e, t));
      elab_note(e, graph_node(g, in[i])->loc, "the value is made here");
      elab_help(e, "its gradient would be lost: make it an argument, or hold it fixed by `stop_gradient`");
      return false;
    }
    arrput(o->backward->graph->outputs, g_full(o->backward->graph, o->loc, 0, t));
  }
  return true;
}

/* The value of the body of `fn`, whose arguments are bound in env. */
Value *own_gradient(Elab *e, Env *env, const AstFn *fn, Loc at) {
  Loc loc = elab_place(e, at);
  Own o = {.fn = fn, .env = env, .loc = loc};
  o.forward = region_new(e, RG_OWN, loc);
  o.backward = region_new(e, RG_OWN, loc);
  Value *y = run_forward(e, &o);
  if (is_poison(y) || !run_backward(e, &o, y)) return e->poison;
  Region *both[2] = {o.forward, o.backward};
  int n, args, none;
  NodeId *in = region_operands(e, both, 2, &n, &args, &none);
  if (!captures_constants(e, &o, in, args, n)) return e->poison;
  Graph *bodies[2] = {o.forward->graph, o.backward->graph};
  NodeId op = graph_add_region(e->trace->graph, OP_custom_grad, loc, in, n, NULL, 0, bodies, 2);
  return come(e, op, loc, y);
}
