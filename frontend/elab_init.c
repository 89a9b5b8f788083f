/* Initial values of cells, in the INIT trace: numbers, lists, tensors, functions of the shape, `with`, weights(). */
#include "frontend/elab_priv.h"
#include <string.h>

static Value *as_shape(Elab *e, Type t) {
  Value **dims = arena_array(e->arena, Value *, t.rank + 1);
  for (int i = 0; i < t.rank; i++) dims[i] = v_dim(e, t.shape[i]);
  return v_list(e, dims, t.rank);
}

/* Writes the initial value `v` to a cell: it must be of the cell's type; a number fills. */
static bool store_init(Elab *e, int cell, Value *v, Loc at) {
  Cell *c = &e->prog->cells[cell];
  Type t = c->type;
  const char *what = arena_printf(e->arena, "the initial value of `%s`", c->path);
  double x;
  v = v_read(e, v);
  if (is_poison(v)) return false;
  if (v->kind == V_FN || v->kind == V_DTYPE) {
    Value *shape = as_shape(e, t);
    v = elab_call_values(e, v, &shape, 1, at);
    if (is_poison(v)) return false;
  }
  if (v_number(e, v, &x) || v->kind == V_BOOL) v = adapt_number(e, v, t, at);
  else if (v->kind == V_LIST) v = v_to_tensor(e, v, t.dtype, at);
  if (is_poison(v) || !want_tensor(e, &v, what, at)) return false;
  if (!type_same(v_type(v), t)) {
    elab_error(e, at, E0512, "%s must be %s, but it is %s", what, type_text(e, t), type_text(e, v_type(v)));
    elab_note(e, c->loc, "it is declared here");
    return false;
  }
  cell_write(e, cell, nid(v), at);
  return true;
}

void init_cell(Elab *e, int cell, const Leaf *l) {
  Frame fr;
  Loc outer = e->call_loc;
  frame_push(e, &fr, "init", (Loc){0}, hash_text(3, e->prog->cells[cell].path));
  e->call_loc = diag_source_is_std(e->diag, l->loc.file) ? e->call_loc : (Loc){0};
  store_init(e, cell, elab_expr(e, env_new(e, l->env), l->init), l->init->loc);
  e->call_loc = outer;
  frame_pop(e);
}

/* --- with --------------------------------------------------------------------------------------------------------- */
static void with_weights(Elab *e, Value *to, Value *w, const char *path, Loc at) {
  if (to->kind == V_CELL) {
    Cell *c = &e->prog->cells[to->cell];
    c->load_file = w->list.items[0]->s;
    c->load_path = path;
  } else if (to->kind == V_INST) {
    for (int i = 0; i < to->inst->n; i++) {
      Field *f = &to->inst->fields[i];
      if (f->kind != FIELD_STATIC || holds_inst(f->v))
        with_weights(e, f->v, w, *path ? arena_printf(e->arena, "%s.%s", path, f->name) : f->name, at);
    }
  } else if (to->kind == V_LIST || to->kind == V_TUPLE) {
    for (int i = 0; i < to->list.n; i++)
      with_weights(e, to->list.items[i], w, arena_printf(e->arena, "%s[%d]", path, i), at);
  }
}

static void with_value(Elab *e, Value *to, Value *v, const char *path, Loc at) {
  if (is_poison(v)) return;
  if (v->kind == V_WEIGHTS) {
    with_weights(e, to, v, *v->list.items[1]->s ? v->list.items[1]->s : path, at);
  } else if (to->kind == V_CELL) {
    store_init(e, to->cell, v, at);
  } else if (to->kind == V_INST && v->kind == V_INST && to->inst->def == v->inst->def && to->inst->n == v->inst->n) {
    for (int i = 0; i < to->inst->n; i++) {
      Field *f = &to->inst->fields[i];
      if (f->kind != FIELD_STATIC || holds_inst(f->v)) with_value(e, f->v, v->inst->fields[i].v, path, at);
    }
  } else if ((to->kind == V_LIST || to->kind == V_TUPLE) && v->kind == to->kind && v->list.n == to->list.n) {
    for (int i = 0; i < to->list.n; i++) with_value(e, to->list.items[i], v->list.items[i], path, at);
  } else {
    elab_error(e, at, E0513, "%s cannot be replaced by %s", value_kind_name(e, to), value_kind_name(e, v));
  }
}

/* The part of a model's cells under a place such as `blocks[3].attn.w`. */
static Value *with_place(Elab *e, Env *env, Value *real, const AstExpr *p, const char **path) {
  Value *v = real;
  if (p->kind == AX_FIELD) v = with_place(e, env, real, p->field.base, path);
  else if (p->kind == AX_INDEX) v = with_place(e, env, real, p->index.base, path);
  if (!v || is_poison(v)) return v;
  if (p->kind == AX_NAME || p->kind == AX_FIELD) {
    const char *name = p->kind == AX_NAME ? p->name : p->field.name.name;
    Field *f = v->kind == V_INST ? inst_field(v->inst, name) : NULL;
    *path = arena_printf(e->arena, "%s.%s", *path, name);
    if (f) return f->v;
    elab_error(e, p->loc, E0514, "%s has no part `%s`", value_kind_name(e, v), name);
    if (v->kind == V_INST) {
      elab_note(e, v->inst->def->decl->loc, "the module is declared here");
      const char **names = NULL;
      for (int i = 0; i < v->inst->n; i++) arrput(names, v->inst->fields[i].name);
      const char *near = diag_nearest(name, names, (int)arrlen(names));
      if (near) elab_help(e, "did you mean `%s`?", near);
      arrfree(names);
    }
    return e->poison;
  }
  if (p->kind == AX_INDEX && p->index.n == 1 && p->index.items[0].kind == AST_INDEX_EXPR && v->kind == V_LIST) {
    int64_t i;
    if (!want_int(e, elab_expr(e, env, p->index.items[0].value), &i, "the index", p->loc)) return e->poison;
    if (i < 0) i += v->list.n;
    *path = arena_printf(e->arena, "%s[%lld]", *path, (long long)i);
    if (i >= 0 && i < v->list.n) return v->list.items[i];
  }
  return elab_error(e, p->loc, E0514, "the place behind `with` is a path of fields and indices of the model");
}

void init_with(Elab *e, Env *env, const char *model, Value *real, const AstWith *w) {
  const char *path = model;
  Value *to = with_place(e, env, real, w->place, &path);
  if (is_poison(to)) return;
  Frame fr;
  frame_push(e, &fr, "with", (Loc){0}, hash_text(5, path));
  with_value(e, to, elab_expr(e, env, w->value), path, w->value->loc);
  frame_pop(e);
}
