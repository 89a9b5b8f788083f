/* What only steps do: `update`, the optimiser's cells. */
#include "base/ds.h"
#include "frontend/elab_priv.h"
#include <string.h>

/* --- the optimiser's state ---------------------------------------------------------------------------------------- */
static int opt_cell(Elab *e, const char *path, Value *v, Loc at) {
  if (!want_tensor(e, &v, "the optimiser's state", at)) return -1;
  Type t = v_type(v);
  ptrdiff_t known = shgeti(e->opt_cells, path);
  if (known >= 0) {
    int i = e->opt_cells[known].value;
    if (type_same(e->prog->cells[i].type, t)) return i;
    elab_error(e, at, E0614, "the optimiser's state `%s` is %s here and %s before", path, type_text(e, t),
               type_text(e, e->prog->cells[i].type));
    return -1;
  }
  Cell c = {.path = path, .type = t, .kind = DNN_OPT, .loc = elab_place(e, at)};
  arrput(e->prog->cells, c);
  int k = (int)arrlen(e->prog->cells) - 1;
  shput(e->opt_cells, path, k);
  cell_write(e, k, nid(v), at);
  return k;
}

static Value *opt_cell_leaf(Elab *e, void *ctx, Value **leaf, int n, const char *path) {
  const char *const *prefix = ctx;
  if (leaf[0]->kind == V_NONE) return leaf[0];
  int k = opt_cell(e, arena_printf(e->arena, "%s%s%s", prefix[0], *path ? "." : "", path), leaf[0], *(Loc *)prefix[1]);
  if (k < 0) return e->poison;
  Value *v = arena_one(e->arena, Value);
  v->kind = V_CELL;
  v->cell = k;
  return v;
}

/* An instance inside of `(m = net)` names its own path: m.net.w. */
static Value *opt_cells(Elab *e, Value *v, const char *prefix, Loc at) {
  const void *ctx[2] = {prefix, &at};
  if (v->kind != V_TUPLE && v->kind != V_LIST) return tree_map(e, &v, 1, opt_cell_leaf, ctx, "", at);
  Value **items = arena_array(e->arena, Value *, v->list.n + 1);
  for (int i = 0; i < v->list.n; i++) {
    const char *name = v->list.names ? v->list.names[i] : NULL;
    const char *p = name ? arena_printf(e->arena, "%s.%s", prefix, name) : arena_printf(e->arena, "%s[%d]", prefix, i);
    items[i] = opt_cells(e, v->list.items[i], p, at);
    if (is_poison(items[i])) return items[i];
  }
  Value *t = v_tuple(e, items, v->list.names, v->list.n);
  t->kind = v->kind;
  return t;
}

/* --- update ------------------------------------------------------------------------------------------------------- */
static bool is_model_place(Elab *e, Env *env, const AstExpr *p) {
  const AstExpr *root = place_root(p);
  Scope *scope = env->scope;
  bool local = false;
  for (Env *s = env; s && root->kind == AX_NAME; s = s->up) local |= env_find(s, root->name) != NULL;
  const Global *g = !local && root->kind == AX_NAME ? scope_find(scope, root->name) : NULL;
  if (g && g->item->kind == AI_MODEL) return true;
  Value *v = elab_expr(e, env, root); /* a name that is not there tells so itself */
  if (is_poison(v)) return false;
  elab_error(e, p->loc, E0612, "`update` trains a model or a part of one, and this is neither");
  if (local) elab_help(e, "a local tree is changed by an assignment: `fast = fast - rate * grad(l, fast)`");
  return false;
}

/* The path of a place that is one leaf, `net.w`; instances know their own, so NULL for the rest. */
static const char *leaf_path(Elab *e, Env *env, const AstExpr *p) {
  if (p->kind != AX_FIELD) return NULL;
  Value *base = elab_expr(e, env, p->field.base);
  if (base->kind != V_INST || !base->inst->path) return NULL;
  return arena_printf(e->arena, "%s.%s", base->inst->path, p->field.name.name);
}

/* What is updated: the place's value, or a tuple of several, whose leaves keep their paths as names. */
static Value *places_value(Elab *e, Env *env, const AstStmt *s) {
  if (s->n_places == 1) {
    Value *one = elab_expr(e, env, s->places[0]);
    return one->kind == V_LIST ? v_tuple(e, one->list.items, NULL, one->list.n) : one; /* a slice: a tree like others */
  }
  Value **v = arena_array(e->arena, Value *, s->n_places);
  const char **names = arena_array(e->arena, const char *, s->n_places);
  for (int i = 0; i < s->n_places; i++) {
    v[i] = elab_expr(e, env, s->places[i]);
    if (is_poison(v[i])) return v[i];
    names[i] = leaf_path(e, env, s->places[i]);
  }
  return v_tuple(e, v, names, s->n_places);
}

static bool rule_parts(Elab *e, Value *r, Value **init, Value **apply, Loc at) {
  if (is_poison(r)) return false;
  *init = v_field(r, "init");
  *apply = v_field(r, "apply");
  if (*init && *apply) return true;
  elab_error(e, at, E0613, "an optimiser is a pair (init = fn(p), apply = fn(p, g, s, t)), but this is %s",
             value_kind_name(e, r));
  if (r->kind == V_FN) elab_help(e, "did you forget its arguments? `%s(…)`", r->fn->name);
  return false;
}

typedef struct OptState {
  Value *cells; /* tree of V_CELL */
  Value *count; /* V_CELL: updates done */
} OptState;

/* Elaborates R.init(P) in the INIT trace and makes the cells. */
static bool opt_state(Elab *e, Env *env, const AstStmt *s, Value *init, const char *prefix, OptState *o) {
  Trace *outer = e->trace;
  Frame fr;
  e->trace = e->init;
  frame_push(e, &fr, "init", (Loc){0}, hash_text(11, prefix));
  Value *p = places_value(e, env, s);
  Value *st = elab_call_values(e, init, &p, 1, s->rule->loc);
  o->cells = is_poison(st) ? st : opt_cells(e, st, prefix, s->rule->loc);
  o->count = opt_cells(e, v_to_tensor(e, v_int(e, 0), I32, s->loc), arena_printf(e->arena, "%s.t", prefix), s->loc);
  frame_pop(e);
  e->trace = outer;
  return !is_poison(o->cells) && !is_poison(o->count);
}

static bool update_allowed(Elab *e, Loc at) {
  Trace *t = e->trace;
  if (!outside_of_loops(e, "update", at)) return false;
  if ((t->kind == T_STEP || t->kind == T_CHECK) && t->frame && t->frame->depth == 0) return true;
  elab_error(e, at, E0610, "`update` stands in a step, not in a function");
  elab_help(e, "a `step` has effects, a `fn` has not");
  return false;
}

static Value *stop_leaf(Elab *e, int unused, Value *v, Loc at) { return elab_unary(e, OP_stop_gradient, v, at); }

void elab_update(Elab *e, Env *env, const AstStmt *s) {
  Trace *t = e->trace;
  Value *init, *apply, *args[4];
  OptState o;
  if (!update_allowed(e, s->op)) return;
  const char *prefix = arena_printf(e->arena, "%s.%d", t->step ? t->step : "step", t->n_updates++);
  for (int i = 0; i < s->n_places; i++)
    if (!is_model_place(e, env, s->places[i])) return;
  if (t->discover) {
    for (int i = 0; i < s->n_places; i++) trained_place(e, env, s->places[i]);
    return;
  }
  Value *p = places_value(e, env, s), *l = elab_expr(e, env, s->value), *r = elab_expr(e, env, s->rule);
  if (is_poison(p) || is_poison(l) || !rule_parts(e, r, &init, &apply, s->rule->loc)) return;
  LeafRef *leaves = NULL;
  tree_leaves(e, p, "", &leaves);
  bool empty = arrlen(leaves) == 0;
  arrfree(leaves);
  if (empty) {
    elab_error(e, s->places[0]->loc, E0611, "%s has no parameters to update", value_kind_name(e, p));
    return;
  }
  Value *g = s->with_gradient ? l : grad_value(e, l, p, s->value->loc);
  if (is_poison(g) || !opt_state(e, env, s, init, prefix, &o)) return;
  Value *count = elab_binary(e, OP_add, v_read(e, o.count), v_int(e, 1), s->loc);
  args[0] = p;
  args[1] = g;
  args[2] = model_value(e, read_tree(e, o.cells));
  args[3] = count;
  t->target = s->n_places == 1 ? leaf_path(e, env, s->places[0]) : NULL;
  Value *res = elab_call_values(e, apply, args, 4, s->loc);
  t->target = NULL;
  if (is_poison(res)) return;
  if (res->kind != V_TUPLE || res->list.n != 2) {
    elab_error(e, s->rule->loc, E0613, "the optimiser's `apply` must return (parameters, state), but it returns %s",
               value_kind_name(e, res));
    return;
  }
  /* What was updated is given: a later gradient does not go back through the rule. */
  Value *np = tree_unary(e, res->list.items[0], stop_leaf, 0, s->loc);
  if (is_poison(np)) return;
  for (int i = 0; i < s->n_places; i++) {
    Value *v = s->n_places == 1 ? np : np->kind == V_TUPLE && i < np->list.n ? np->list.items[i] : e->none;
    assign_place(e, env, s->places[i], OP_NONE, v, s->loc);
  }
  assign_tree(e, o.cells, res->list.items[1], s->loc);
  assign_tree(e, o.count, count, s->loc);
}

/* Cells in lists and tuples as their current values. */
Value *read_tree(Elab *e, Value *v) {
  if (v->kind == V_CELL) return v_read(e, v);
  if (v->kind == V_INST) return model_value(e, v);
  if (v->kind != V_LIST && v->kind != V_TUPLE) return v;
  Value **items = arena_array(e->arena, Value *, v->list.n + 1);
  for (int i = 0; i < v->list.n; i++) items[i] = read_tree(e, v->list.items[i]);
  Value *t = v_tuple(e, items, v->list.names, v->list.n);
  t->kind = v->kind;
  return t;
}
