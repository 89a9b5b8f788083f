/* What a step trains: the places of its `update`s, `net`, `net.blocks[3]`, and what it assigns. Modules in these places
 * are in training mode from the step's first statement on, so it has to be known before the step is elaborated. Mostly
 * the text tells: the statements stand outermost and name fields and elements by number. Otherwise a first pass over
 * the step, whose graph and messages are thrown away, comes by the places (Trace.discover). */
#include "frontend/elab_priv.h"

static void note_instance(Trace *t, const Value *v) {
  if (v->kind == V_INST && v->inst->path) arrput(t->trained, v->inst->path);
  if (v->kind != V_LIST && v->kind != V_TUPLE) return;
  for (int i = 0; i < v->list.n; i++) note_instance(t, v->list.items[i]);
}

/* A parameter in the field of an instance: `net.w`. */
static void note_leaf(Elab *e, Trace *t, const Value *base, const AstExpr *place) {
  if (base->kind != V_INST || !base->inst->path) return;
  arrput(t->trained, arena_join(e->arena, base->inst->path, ".", place->field.name.name));
}

/* --- in the first pass -------------------------------------------------------------------------------------------- */
void trained_place(Elab *e, Env *env, const AstExpr *place) {
  Value *v = elab_expr(e, env, place);
  if (v->kind != V_TENSOR) note_instance(e->trace, v);
  else if (place->kind == AX_FIELD) note_leaf(e, e->trace, elab_expr(e, env, place->field.base), place);
}

static const Global *model_named(Scope *s, const char *name) {
  const Global *g = scope_find(s, name);
  return g && g->item->kind == AI_MODEL ? g : NULL;
}

void trained_assigned(Elab *e, Env *env, const AstExpr *place) {
  const AstExpr *root = place_root(place);
  Scope *scope = env->scope;
  if (root->kind != AX_NAME) return;
  for (Env *s = env; s; s = s->up)
    if (env_find(s, root->name) || (s->self && inst_field(s->self, root->name))) return;
  if (model_named(scope, root->name)) trained_place(e, env, place);
}

/* --- by the text -------------------------------------------------------------------------------------------------- */
/* What stands in a place of a model: fields and elements by number; NULL for anything else. */
static const Value *place_value(Scope *s, const AstExpr *place) {
  if (place->kind == AX_NAME) {
    const Global *g = model_named(s, place->name);
    return g ? g->v : NULL; /* one that is not declared yet has none */
  }
  const Value *base = place->kind == AX_FIELD   ? place_value(s, place->field.base)
                      : place->kind == AX_INDEX ? place_value(s, place->index.base)
                                                : NULL;
  if (!base) return NULL;
  if (place->kind == AX_FIELD) {
    const Field *f = base->kind == V_INST ? inst_field(base->inst, place->field.name.name) : NULL;
    return f ? f->v : NULL;
  }
  const AstIndex *x = place->index.items;
  if (base->kind != V_LIST || place->index.n != 1 || x->kind != AST_INDEX_EXPR || x->value->kind != AX_INT) return NULL;
  return x->value->i >= 0 && x->value->i < base->list.n ? base->list.items[x->value->i] : NULL;
}

static bool by_text(Elab *e, Trace *t, const AstExpr *place) {
  Scope *s = e->main;
  const AstExpr *root = place_root(place);
  if (!model_named(s, root->name)) return true; /* a state, or an error */
  const Value *v = place_value(s, place);
  if (!v || (v->kind != V_INST && v->kind != V_LIST && v->kind != V_TUPLE && v->kind != V_CELL)) return false;
  if (v->kind != V_CELL) note_instance(t, v);
  else if (place->kind == AX_FIELD) note_leaf(e, t, place_value(s, place->field.base), place);
  return true;
}

bool trained_by_text(Elab *e, Trace *t, const AstFn *f) {
  Assigned *inner = NULL;
  const AstExpr **places = outermost_places(f, &inner);
  bool known = true;
  for (ptrdiff_t i = 0; i < arrlen(inner); i++) known &= !model_named(e->main, inner[i].name);
  for (ptrdiff_t i = 0; known && i < arrlen(places); i++) known = by_text(e, t, places[i]);
  if (!known) arrfree(t->trained);
  arrfree(inner);
  arrfree(places);
  return known;
}
