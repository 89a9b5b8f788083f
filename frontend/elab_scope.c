/* Scopes and names: local bindings, fields of `self`, the file, what it uses, the prelude, natives. */
#include "frontend/elab_priv.h"
#include <string.h>

Env *env_new(Elab *e, Env *up) {
  Env *env = arena_one(e->arena, Env);
  env->up = up;
  env->scope = up ? up->scope : NULL;
  return env;
}

/* An array that a copy of the scope sees must not move. */
static void bind(Env *env, const char *name, Value *v, bool var, Loc loc) {
  Binding b = {.name = name, .v = v, .var = var, .loc = loc};
  if (env->shared && arrlenu(env->binds) == arrcap(env->binds)) {
    Binding *own = NULL;
    arrsetcap(own, 2 * arrcap(env->binds));
    for (int i = 0; i < env->n; i++) arrput(own, env->binds[i]);
    env->binds = own;
    env->shared = false;
  }
  env->vars |= var;
  env->n++;
  arrput(env->binds, b);
}

void env_bind(Env *env, const char *name, Value *v, Loc loc) { bind(env, name, v, false, loc); }
void env_var(Env *env, const char *name, Value *v, Loc loc) { bind(env, name, v, true, loc); }

enum { MANY_NAMES = 16 };

Binding *env_find(Env *env, const char *name) {
  if (env->n > MANY_NAMES && !env->captured) {
    for (; env->named < env->n; env->named++) hmput(env->by_name, env->binds[env->named].name, env->named);
    ptrdiff_t i = hmgeti(env->by_name, name);
    return i < 0 ? NULL : &env->binds[env->by_name[i].value];
  }
  for (int i = env->n - 1; i >= 0; i--)
    if (env->binds[i].name == name) return &env->binds[i];
  return NULL;
}

/* A copy of the local scopes for a closure: it sees the values of now and may not assign them. Bindings that nobody may
 * assign are not copied: a module of many fields makes a copy behind each. */
Env *env_snapshot(Elab *e, Env *env) {
  if (!env || env->fixed) return env;
  Env *c = arena_one(e->arena, Env);
  *c = *env;
  c->by_name = NULL;
  c->up = env_snapshot(e, env->up);
  c->fixed = c->captured = true;
  if (env->vars) {
    c->binds = NULL;
    for (int i = 0; i < env->n; i++) arrput(c->binds, env->binds[i]);
  } else {
    env->shared = true;
  }
  return c;
}

/* --- globals ------------------------------------------------------------------------------------------------------ */
static Value *new_value(Elab *e, ValueKind kind, Loc loc) {
  Value *v = arena_one(e->arena, Value);
  v->kind = kind;
  v->loc = loc;
  return v;
}

static Value *global_fn(Elab *e, Scope *s, const AstItem *item) {
  Value *v = new_value(e, V_FN, item->loc);
  v->fn = arena_one(e->arena, Fn);
  v->fn->name = item->fn->name.name;
  v->fn->decl = item->fn;
  v->fn->env = s->env;
  return v;
}

/* `--set name=value`: text as a value of the kind of `like`. */
static Value *override_const(Elab *e, Scope *s, const AstItem *item, Value *like) {
  if (!s->is_main || !e->opts || !e->opts->sets) return like;
  size_t n = strlen(item->name.name);
  for (const char *const *o = e->opts->sets; *o; o++) {
    if (strncmp(*o, item->name.name, n) != 0 || (*o)[n] != '=') continue;
    const char *text = *o + n + 1;
    char *end = NULL;
    if (like->kind == V_STR) return v_str(e, text);
    if (like->kind == V_BOOL && strcmp(text, "true") == 0) return e->yes;
    if (like->kind == V_BOOL && strcmp(text, "false") == 0) return e->no;
    long long i = strtoll(text, &end, 10);
    if (like->kind == V_INT && *text && !*end) return v_int(e, i);
    double f = strtod(text, &end);
    if (like->kind == V_FLOAT && *text && !*end) return v_float(e, f);
    return elab_error(e, item->name.loc, E0407, "`--set %s`: `%s` is not of the constant's kind, which is %s", *o, text,
                      value_kind_name(e, like));
  }
  return like;
}

static Value *eval_const(Elab *e, Scope *s, const AstItem *item) {
  Env *env = env_new(e, s->env);
  Value *v = override_const(e, s, item, elab_expr(e, env, item->value));
  if (!item->type || is_poison(v)) return v;
  Sig sig;
  sig_begin(e, &sig, env);
  TypeX *t = resolve_type(e, &sig, item->type);
  v = t ? unify_type(e, &sig, t, v, arena_join(e->arena, "the constant `", item->name.name, "`"), item->value->loc)
        : e->poison;
  sig_end(e, &sig);
  return v;
}

static Value *eval_global(Elab *e, Scope *s, const AstItem *item) {
  Value *v;
  switch (item->kind) {
  case AI_CONST: return eval_const(e, s, item);
  case AI_FN:
  case AI_STEP: return global_fn(e, s, item);
  case AI_MODULE:
    v = new_value(e, V_MODULE, item->loc);
    v->mod = arena_one(e->arena, ModDef);
    *v->mod = (ModDef){item->name.name, item, s};
    return v;
  case AI_DATA: return s->is_main ? data_declare(e, s, item) : NULL;
  default: return NULL;
  }
}

static Value *cycle_error(Elab *e, Global *g, Loc at) {
  elab_error(e, at, E0202, "`%s` is defined by itself", g->name);
  elab_note(e, g->item->loc, "its definition is here");
  return e->poison;
}

/* Constants may hold tensors, which belong to one graph: those are evaluated again where it is not at hand. */
static Value *global_value(Elab *e, Scope *s, Global *g, Loc at) {
  parse_rest(e->arena, e->diag, g->item);
  if (g->item->kind == AI_MODEL || g->item->kind == AI_STATE) {
    if (g->state == G_BUSY) return cycle_error(e, g, at);
    if (!s->is_main) {
      elab_error(e, at, E0203,
                 "`%s` is a %s of another file; only its constants, types, modules and functions can be used", g->name,
                 g->item->kind == AI_MODEL ? "model" : "state");
      return e->poison;
    }
    if (g->state == G_NEW) declare_model(e, s, g->item);
    g = &s->globals[g - s->globals];
    return g->v ? (is_poison(g->v) ? g->v : model_value(e, g->v)) : e->poison;
  }
  bool again = g->state == G_DONE && g->graph && !is_around(e, g->graph);
  if (g->state == G_DONE && !again) return g->v;
  if (g->state == G_BUSY) return cycle_error(e, g, at);
  ptrdiff_t k = g - s->globals;
  g->state = G_BUSY;
  Loc outer = e->call_loc;
  Frame f;
  if (!s->is_std) e->call_loc = (Loc){0};
  frame_push(e, &f, g->name, (Loc){0}, 1);
  Value *v = eval_global(e, s, g->item);
  frame_pop(e);
  e->call_loc = outer;
  g = &s->globals[k];
  g->state = G_DONE;
  if (!v) v = elab_error(e, at, E0203, "`%s` is not a value that can be used here", g->name);
  g->v = v;
  g->graph = g->item->kind == AI_CONST && v_has_tensor(v) ? e->trace->graph : NULL;
  return v;
}

Global *scope_find(Scope *s, const char *name) {
  ptrdiff_t i = hmgeti(s->by_name, name);
  return i < 0 ? NULL : &s->globals[s->by_name[i].value];
}

Value *elab_global(Elab *e, Scope *s, const char *name, Loc at) {
  Global *g = scope_find(s, name);
  if (g) return global_value(e, s, g, at);
  for (ptrdiff_t i = 0, n = arrlen(s->uses); i < n; i++)
    if (s->uses[i].name == name) return s->uses[i].v;
  return NULL;
}

/* --- look-up ------------------------------------------------------------------------------------------------------ */
static Value *native_value(Elab *e, const char *name, Loc at) {
  ptrdiff_t i = shgeti(e->natives, name);
  if (i < 0) return NULL;
  const Native *n = e->natives[i].value;
  if (n->params) return v_native(e, n, NULL);
  const Native *outer = e->native; /* a constant: `pi`, `clock.step` */
  e->native = n;
  Value *v = n->fn(e, NULL, 0, at);
  e->native = outer;
  return v;
}

bool native_space(Elab *e, const char *name) {
  size_t n = strlen(name);
  for (ptrdiff_t i = 0; i < shlen(e->natives); i++)
    if (strncmp(e->natives[i].key, name, n) == 0 && e->natives[i].key[n] == '.') return true;
  return false;
}

static Value *self_name(Elab *e, Inst *self, const char *name) {
  Field *f = inst_field(self, name);
  if (f) return f->kind == FIELD_STATIC ? f->v : v_read(e, f->v);
  const AstMember *m = module_fn(self->def, name);
  if (m) return method_value(e, self, m);
  if (strcmp(name, "self") == 0) return v_inst(e, self);
  if (strcmp(name, "training") == 0) return v_bool(e, inst_training(e, self));
  return NULL;
}

static void collect(const char ***names, const char *name) { arrput(*names, name); }

/* What stands here for a name of other libraries, or NULL. */
static const char *elsewhere(const char *name) {
  static const struct {
    const char *name, *code;
  } rows[] = {
#define ELSEWHERE(name, code) {name, code},
#include "frontend/elsewhere.def"
#undef ELSEWHERE
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    if (strcmp(rows[i].name, name) == 0) return rows[i].code;
  return NULL;
}

static void suggest(Elab *e, Env *env, const char *wrong) {
  const char **names = NULL;
  if (e->drop_notes || diag_is_full(e->diag)) return; /* nobody will see it, and looking is slow */
  for (Env *s = env; s; s = s->up) {
    for (int i = 0; i < s->n; i++)
      if (s->binds[i].name[0] != '.') collect(&names, s->binds[i].name);
    for (int i = 0; s->self && i < s->self->n; i++) collect(&names, s->self->fields[i].name);
  }
  Scope *files[2] = {env->scope, e->prelude};
  for (int k = 0; k < 2; k++) {
    for (ptrdiff_t i = 0; files[k] && i < arrlen(files[k]->globals); i++) collect(&names, files[k]->globals[i].name);
    for (ptrdiff_t i = 0; files[k] && i < arrlen(files[k]->uses); i++) collect(&names, files[k]->uses[i].name);
  }
  for (ptrdiff_t i = 0; i < shlen(e->natives); i++)
    if (!strchr(e->natives[i].key, '.')) collect(&names, e->natives[i].key);
  static const char *const words[] = {"true", "false", "none"};
  for (int i = 0; i < 3; i++) collect(&names, words[i]);
  const char *near = elsewhere(wrong);
  if (!near) near = diag_nearest(wrong, names, (int)arrlen(names));
  size_t n;
  if (near) elab_help(e, "did you mean `%s`?", near);
  else if (std_source(wrong, &n) || native_space(e, wrong))
    elab_help(e, "`use %s` at the top of the file brings the namespace in", wrong);
  arrfree(names);
}

/* The value of a name, or NULL: nothing is reported. */
static Value *find_name(Elab *e, Env *env, const char *name, Loc at) {
  DType t;
  for (Env *s = env; s; s = s->up) {
    Binding *b = env_find(s, name);
    if (b) return v_read(e, b->v);
    Value *v = s->self ? self_name(e, s->self, name) : NULL;
    if (v) return v;
  }
  Value *v = elab_global(e, env->scope, name, at);
  if (!v && env->scope->is_std) v = native_value(e, arena_join(e->arena, env->scope->name, ".", name), at);
  if (!v && e->prelude) v = elab_global(e, e->prelude, name, at);
  if (!v) v = native_value(e, name, at);
  if (!v && dtype_parse(name, &t) && t != TUPLE) v = v_dtype(e, t);
  if (!v && (strcmp(name, "random") == 0 || strcmp(name, "clock") == 0) && native_space(e, name)) {
    v = new_value(e, V_SPACE, at);
    v->s = intern(name);
  }
  return v;
}

Value *elab_name(Elab *e, Env *env, const char *name, Loc at) {
  Value *v = find_name(e, env, name, at);
  if (v) return v;
  if (strcmp(name, "training") == 0 || strcmp(name, "self") == 0)
    return elab_error(e, at, E0204, "`%s` stands inside of a module's functions only", name);
  elab_error(e, at, E0201, "there is no `%s` here", name);
  suggest(e, env, name);
  return e->poison;
}

static Value *always_there(Elab *e, const char *name, Loc at) {
  Value *v = native_value(e, name, at);
  return !v && e->prelude ? elab_global(e, e->prelude, name, at) : v;
}

/* A member of a namespace: of its file, or a native `space.name`. */
static Value *space_field(Elab *e, Value *space, const char *name, Loc at) {
  Scope *s = space->scope;
  Value *v = s ? elab_global(e, s, name, at) : NULL;
  bool prelude = strcmp(space->s, "prelude") == 0;
  if (!v) v = native_value(e, prelude ? name : arena_join(e->arena, space->s, ".", name), at);
  if (v) return v;
  elab_error(e, at, E0205, "`%s` has no `%s`", space->s, name);
  const char **names = NULL;
  size_t n = strlen(space->s);
  for (ptrdiff_t i = 0; s && i < arrlen(s->globals); i++) collect(&names, s->globals[i].name);
  for (ptrdiff_t i = 0; i < shlen(e->natives); i++)
    if (strncmp(e->natives[i].key, space->s, n) == 0 && e->natives[i].key[n] == '.')
      collect(&names, e->natives[i].key + n + 1);
  const char *near = diag_nearest(name, names, (int)arrlen(names));
  const char *code = elsewhere(arena_join(e->arena, space->s, ".", name));
  if (!prelude && always_there(e, name, at))
    elab_help(e, "did you mean `%s`? it is always there, without a namespace", name);
  else if (code) elab_help(e, "did you mean `%s`?", code);
  else if (near) elab_help(e, "did you mean `%s.%s`?", space->s, near);
  arrfree(names);
  return e->poison;
}

static const char *field_names(Elab *e, const Inst *m) {
  const char *s = m->fields[0].name;
  for (int i = 1; i < m->n && i < 12; i++) s = arena_printf(e->arena, "%s, %s", s, m->fields[i].name);
  return s;
}

static Value *inst_member(Elab *e, Value *v, const char *name, Loc at) {
  Inst *m = v->inst;
  Field *f = inst_field(m, name);
  if (f) return f->kind == FIELD_STATIC ? f->v : v_read(e, f->v);
  const AstMember *fn = module_fn(m->def, name);
  if (fn) return method_value(e, m, fn);
  elab_error(e, at, E0501, "%s has no field `%s`", value_kind_name(e, v), name);
  elab_note(e, m->def->decl->loc, "the module is declared here");
  const char **names = NULL;
  for (int i = 0; i < m->n; i++) collect(&names, m->fields[i].name);
  for (int i = 0; i < m->def->decl->n_members; i++) collect(&names, m->def->decl->members[i].name.name);
  const char *near = diag_nearest(name, names, (int)arrlen(names));
  if (near) elab_help(e, "did you mean `%s`?", near);
  else if (m->n) elab_help(e, "its fields are %s", field_names(e, m));
  arrfree(names);
  return e->poison;
}

Value *elab_field(Elab *e, Value *v, const char *name, Loc at) {
  Value *f;
  switch (v->kind) {
  case V_ERROR: return v;
  case V_INST: return inst_member(e, v, name, at);
  case V_SPACE: return space_field(e, v, name, at);
  case V_DATA: f = data_field(e, v, name, at); return f ? f : e->poison;
  case V_TOKENISER:
  case V_TUPLE:
    f = v->kind == V_TUPLE ? v_field(v, name) : NULL;
    for (int i = 0; v->kind == V_TOKENISER && i < v->list.n; i++)
      if (strcmp(v->list.names[i], name) == 0) f = v->list.items[i];
    if (f) return v_read(e, f);
    break;
  default: break;
  }
  elab_error(e, at, E0206, "%s has no field `%s`", value_kind_name(e, v), name);
  if (v->kind == V_TENSOR) {
    const char *code = strcmp(name, "T") == 0 ? "transpose(x)" : elsewhere(name);
    if (!code && always_there(e, name, at)) code = arena_join(e->arena, name, "(", "x)");
    if (code) elab_help(e, "did you mean `%s`?", code);
  } else if (v->kind == V_TUPLE && v->list.names) {
    const char *near = diag_nearest(name, v->list.names, v->list.n);
    if (near) elab_help(e, "did you mean `%s`?", near);
  }
  return e->poison;
}
