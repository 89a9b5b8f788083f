/* Modules: blueprints, models, owners, paths, cells, training mode. */
#include "frontend/elab_priv.h"
#include <string.h>

Value *v_inst(Elab *e, Inst *m) {
  Value *v = arena_one(e->arena, Value);
  v->kind = V_INST;
  v->inst = m;
  return v;
}

Inst *inst_copy(Elab *e, const Inst *from) {
  Inst *m = arena_copy(e->arena, from, sizeof *from);
  m->fields = arena_copy(e->arena, from->fields, sizeof(Field) * (size_t)from->n);
  return m;
}

Field *inst_field(const Inst *m, const char *name) {
  for (int i = 0; i < m->n; i++)
    if (strcmp(m->fields[i].name, name) == 0) return &m->fields[i];
  return NULL;
}

const AstMember *module_fn(const ModDef *def, const char *name) {
  for (int i = 0; i < def->decl->n_members; i++) {
    const AstMember *m = &def->decl->members[i];
    if (m->kind == AM_FN && strcmp(m->fn->name.name, name) == 0) return m;
  }
  return NULL;
}

Value *method_value(Elab *e, Inst *self, const AstMember *m) {
  Value *v = arena_one(e->arena, Value);
  v->kind = V_FN;
  v->fn = arena_one(e->arena, Fn);
  v->fn->name = m->fn->name.name;
  v->fn->decl = m->fn;
  v->fn->env = self->env;
  v->fn->self = self;
  return v;
}

/* --- blueprints --------------------------------------------------------------------------------------------------- */
/* One owner: the field or model in which a blueprint ends. */
static bool own(Elab *e, Value *v, Loc owner) {
  if (v->kind == V_LIST || v->kind == V_TUPLE) {
    for (int i = 0; i < v->list.n; i++)
      if (!own(e, v->list.items[i], owner)) return false;
    return true;
  }
  if (v->kind != V_INST) return true;
  if (v->inst->path) {
    elab_error(e, owner, E0506, "a module cannot hold `%s`, which belongs to a model", v->inst->path);
    elab_help(e, "pass it to the function that needs it");
    return false;
  }
  if (v->inst->owner.file) {
    elab_error(e, owner, E0507, "this blueprint of `%s` has an owner already", v->inst->def->name);
    elab_note(e, v->inst->owner, "it was put in here");
    elab_help(e, "to share weights call the one instance twice; for two modules write the constructor twice");
    return false;
  }
  v->inst->owner = owner;
  return true;
}

static bool leaf_type(Elab *e, Env *env, const AstType *type, const AstExpr *init, Type *out, Loc at) {
  if (type) return type_fixed(e, env, type, out);
  Value *v = elab_expr(e, env_new(e, env), init);
  if (!want_tensor(e, &v, "the initial value", at)) return false;
  *out = v_type(v);
  for (int i = 0; i < out->rank; i++) {
    int64_t k;
    if (dim_is_int(e->dims, out->shape[i], &k)) continue;
    elab_error(e, at, E0326, "every size of a state must be known while compiling");
    return false;
  }
  return true;
}

static Value *make_leaf(Elab *e, Env *env, const AstType *type, const AstExpr *init, int kind, Loc loc) {
  Value *v = arena_one(e->arena, Value);
  v->kind = V_LEAF;
  v->loc = loc;
  v->leaf = arena_one(e->arena, Leaf);
  *v->leaf = (Leaf){.init = init, .env = env_snapshot(e, env), .kind = kind, .loc = loc};
  if (!leaf_type(e, env, type, init, &v->leaf->type, loc)) return e->poison;
  if (kind == DNN_PARAM && !dtype_is_float(v->leaf->type.dtype)) {
    elab_error(e, loc, E0508, "a parameter is trained, so it holds floats, not %s", dtype_name(v->leaf->type.dtype));
    elab_help(e, "`state` keeps values that are not trained");
    return e->poison;
  }
  return v;
}

static bool module_assert(Elab *e, Env *env, const AstMember *a) {
  AstStmt s = {.kind = AS_ASSERT, .loc = a->loc, .op = a->loc, .value = a->value, .message = a->message};
  int errors = e->errors;
  elab_stmt(e, env, &s);
  e->asserted = false;
  return e->errors == errors;
}

static bool add_member(Elab *e, Inst *m, Env *env, const AstMember *a) {
  if (a->kind == AM_ASSERT) return module_assert(e, env, a);
  Field *f = &m->fields[m->n];
  f->name = a->name.name;
  if (a->kind == AM_FIELD) {
    f->kind = FIELD_STATIC;
    f->v = elab_expr(e, env, a->value);
    if (is_poison(f->v) || !own(e, f->v, a->name.loc)) return false;
    if (f->v->kind == V_TENSOR) {
      elab_error(e, a->value->loc, E0510, "the field `%s` is static, it cannot hold the tensor %s", f->name,
                 value_kind_name(e, f->v));
      elab_help(e, "`state %s = …` keeps a tensor, `param` one that is trained; or let a function compute it", f->name);
      return false;
    }
  } else {
    f->kind = a->kind == AM_PARAM ? FIELD_PARAM : FIELD_STATE;
    f->v = make_leaf(e, env, a->type, a->value, a->kind == AM_PARAM ? DNN_PARAM : DNN_STATE, a->loc);
    if (is_poison(f->v)) return false;
  }
  m->n++;
  env_bind(env, f->name, f->v, a->name.loc);
  return true;
}

Value *make_blueprint(Elab *e, ModDef *def, const Args *a, Loc at) {
  const AstItem *d = def->decl;
  Frame fr;
  Loc outer = e->call_loc, place = elab_place(e, at);
  if (e->trace->frame && e->trace->frame->depth >= 200)
    return elab_error(e, at, E0420, "modules are nested more than 200 deep at `%s`: what ends the recursion?",
                      def->name);
  frame_push(e, &fr, def->name, at.file ? at : place, site_next(e, def->name));
  if (def->scope->is_std) e->call_loc = place;
  Inst *m = arena_one(e->arena, Inst);
  m->def = def;
  m->env = env_new(e, def->scope->env);
  m->fields = arena_array(e->arena, Field, d->n_members + 1);
  bool ok = bind_params(e, m->env, d->params, d->n_params, a, arena_printf(e->arena, "`%s`", def->name), d->loc, at);
  for (int i = 0; i < d->n_members && ok; i++) {
    const AstMember *member = &d->members[i];
    if (member->kind == AM_ASSERT) {
      AstStmt s = {
          .kind = AS_ASSERT, .loc = member->loc, .op = member->loc, .value = member->value, .message = member->message};
      int errors = e->errors;
      elab_stmt(e, m->env, &s);
      ok = e->errors == errors;
    } else if (member->kind != AM_FN) ok = add_member(e, m, m->env, member);
  }
  m->env->fixed = true;
  e->call_loc = outer;
  frame_pop(e);
  return ok ? v_inst(e, m) : e->poison;
}

/* --- models ------------------------------------------------------------------------------------------------------- */
static int new_cell(Elab *e, const char *path, const Leaf *l) {
  Cell c = {.path = path, .type = l->type, .kind = l->kind, .loc = elab_place(e, l->loc)};
  arrput(e->prog->cells, c);
  return (int)arrlen(e->prog->cells) - 1;
}

static Value *cell_value(Elab *e, int cell) {
  Value *v = arena_one(e->arena, Value);
  v->kind = V_CELL;
  v->cell = cell;
  return v;
}

/* A blueprint with cells instead of leaves, and paths. */
static Value *make_real(Elab *e, Value *v, const char *path) {
  if (v->kind == V_LEAF) return cell_value(e, new_cell(e, path, v->leaf));
  if (v->kind == V_INST) {
    Inst *m = inst_copy(e, v->inst);
    m->path = path;
    for (int i = 0; i < m->n; i++) {
      Field *f = &m->fields[i];
      if (f->kind != FIELD_STATIC || holds_inst(f->v))
        f->v = make_real(e, f->v, arena_printf(e->arena, "%s.%s", path, f->name));
    }
    return v_inst(e, m);
  }
  if ((v->kind == V_LIST || v->kind == V_TUPLE) && holds_inst(v)) {
    Value **items = arena_array(e->arena, Value *, v->list.n);
    for (int i = 0; i < v->list.n; i++)
      items[i] = make_real(e, v->list.items[i],
                           v->list.names && v->list.names[i] ? arena_printf(e->arena, "%s.%s", path, v->list.names[i])
                                                             : arena_printf(e->arena, "%s[%d]", path, i));
    Value *l = v_tuple(e, items, v->list.names, v->list.n);
    l->kind = v->kind;
    return l;
  }
  return v;
}

/* Leaves of the blueprint beside the cells made of them, in the same order. */
static void init_leaves(Elab *e, Value *blue, Value *real) {
  if (blue->kind == V_LEAF) {
    init_cell(e, real->cell, blue->leaf);
  } else if (blue->kind == V_INST) {
    for (int i = 0; i < blue->inst->n; i++) init_leaves(e, blue->inst->fields[i].v, real->inst->fields[i].v);
  } else if ((blue->kind == V_LIST || blue->kind == V_TUPLE) && holds_inst(blue)) {
    for (int i = 0; i < blue->list.n; i++) init_leaves(e, blue->list.items[i], real->list.items[i]);
  }
}

static Value *declare(Elab *e, Scope *s, const AstItem *item) {
  Env *env = env_new(e, s->env);
  const char *name = item->name.name;
  if (item->kind == AI_STATE) {
    Value *leaf = make_leaf(e, env, item->type, item->value, DNN_STATE, item->name.loc);
    if (is_poison(leaf)) return leaf;
    Value *real = make_real(e, leaf, name);
    init_leaves(e, leaf, real);
    return real;
  }
  Value *blue = elab_expr(e, env, item->value);
  if (is_poison(blue)) return blue;
  if (blue->kind != V_INST) {
    elab_error(e, item->value->loc, E0511, "a model is made of a module, but this is %s", value_kind_name(e, blue));
    if (blue->kind == V_MODULE) elab_help(e, "did you mean `%s(…)`?", blue->mod->name);
    return e->poison;
  }
  if (!own(e, blue, item->name.loc)) return e->poison;
  Value *real = make_real(e, blue, name);
  init_leaves(e, blue, real);
  for (int i = 0; i < item->n_withs; i++) init_with(e, env, name, real, &item->withs[i]);
  return real;
}

/* Makes the cells of a model or state and gives them their initial values in the INIT trace. */
void declare_model(Elab *e, Scope *s, const AstItem *item) {
  Global *g = item->name.name ? scope_find(s, item->name.name) : NULL;
  if (!g || g->item != item || g->state != G_NEW) return;
  g->state = G_BUSY;
  Trace *outer = e->trace;
  Loc call = e->call_loc;
  e->trace = e->init;
  e->call_loc = (Loc){0};
  Frame fr;
  frame_push(e, &fr, item->name.name, (Loc){0}, 7);
  fr.depth = 0;
  Value *v = declare(e, s, item);
  frame_pop(e);
  e->call_loc = call;
  e->trace = outer;
  g = scope_find(s, item->name.name);
  g->v = v;
  g->state = G_DONE;
}

/* The model with the current values of its parameters; states stay cells. */
Value *model_value(Elab *e, Value *t) {
  if (t->kind == V_CELL) return v_read(e, t);
  if (t->kind == V_INST) {
    Inst *m = inst_copy(e, t->inst);
    for (int i = 0; i < m->n; i++)
      if (m->fields[i].kind == FIELD_PARAM || (m->fields[i].kind == FIELD_STATIC && holds_inst(m->fields[i].v)))
        m->fields[i].v = model_value(e, m->fields[i].v);
    return v_inst(e, m);
  }
  if ((t->kind == V_LIST || t->kind == V_TUPLE) && holds_inst(t)) {
    Value **items = arena_array(e->arena, Value *, t->list.n);
    for (int i = 0; i < t->list.n; i++) items[i] = model_value(e, t->list.items[i]);
    Value *l = v_tuple(e, items, t->list.names, t->list.n);
    l->kind = t->kind;
    return l;
  }
  return t;
}

/* --- mode and size ------------------------------------------------------------------------------------------------ */
bool path_covers(const char *a, const char *b) {
  size_t n = strlen(a);
  return strncmp(a, b, n) == 0 && (b[n] == 0 || b[n] == '.' || b[n] == '[');
}

bool inst_training(Elab *e, const Inst *m) {
  const Trace *t = e->trace;
  if (m->mode) return m->mode == 1;
  if (!m->path || (t->kind != T_STEP && t->kind != T_CHECK)) return false;
  for (ptrdiff_t i = 0; i < arrlen(t->trained); i++)
    if (path_covers(t->trained[i], m->path) || path_covers(m->path, t->trained[i])) return true;
  return false;
}

static int64_t value_params(Elab *e, const Value *v) {
  int64_t n = 0, k;
  if (v->kind == V_INST) return inst_params(e, v->inst);
  if ((v->kind == V_LIST || v->kind == V_TUPLE) && holds_inst(v))
    for (int i = 0; i < v->list.n; i++) n += value_params(e, v->list.items[i]);
  if (v->kind == V_TENSOR || v->kind == V_CELL) {
    Type t = v->kind == V_CELL ? cell_info(e, v->cell)->type : v_type(v);
    if (dim_is_int(e->dims, type_count(e->dims, t), &k)) n = k;
  }
  return n;
}

int64_t inst_params(Elab *e, const Inst *m) {
  int64_t n = 0;
  for (int i = 0; i < m->n; i++)
    if (m->fields[i].kind == FIELD_PARAM || m->fields[i].kind == FIELD_STATIC) n += value_params(e, m->fields[i].v);
  return n;
}
