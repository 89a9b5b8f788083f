/* Types of signatures: resolving the syntax, matching values against it, solving for its unknown dimensions. */
#include "frontend/elab_priv.h"
#include <ctype.h>
#include <string.h>

/* --- unknown dimensions ------------------------------------------------------------------------------------------- */
static int meta_new(Elab *e, const char *name, Loc loc) {
  for (int i = 0; i < arrlen(e->metas); i++) {
    if (e->metas[i].busy || strcmp(e->metas[i].name, name) != 0) continue;
    e->metas[i].busy = true;
    e->metas[i].solved = DIM_NONE;
    e->metas[i].loc = loc;
    return i;
  }
  struct MetaVar m = {.name = name, .busy = true, .solved = DIM_NONE, .loc = loc};
  m.var = dim_as_var(e->dims, dim_var(e->dims, name, -1));
  arrput(e->metas, m);
  return (int)arrlen(e->metas) - 1;
}

void sig_begin(Elab *e, Sig *s, Env *env) { *s = (Sig){.env = env}; }

Dim sig_subst(Elab *e, Dim d) {
  if (d == DIM_NONE || d == DIM_OVERFLOW || dim_is_int(e->dims, d, &(int64_t){0})) return d;
  return dim_subst(e->dims, d, e->subst, (int)arrlen(e->subst));
}

/* How many unsolved unknowns of the signature `d` has; *one is the last of them. */
static int count_open(Elab *e, const Sig *s, Dim d, int *one) {
  int n = 0;
  for (int i = 0; i < arrlen(s->used); i++) {
    struct MetaVar *m = &e->metas[s->used[i]];
    if (m->solved != DIM_NONE || !dim_uses(e->dims, d, m->var)) continue;
    n++;
    *one = s->used[i];
  }
  return n;
}

bool sig_open(Elab *e, const Sig *s, Dim d) {
  int one;
  return d != DIM_NONE && d != DIM_OVERFLOW && count_open(e, s, d, &one) > 0;
}

const char *where_text(Elab *e, Where w) {
  return w.type.shape ? arena_printf(e->arena, "axis %d of %s %s", w.axis, w.what, type_text(e, w.type)) : w.what;
}

void sig_solve(Elab *e, int meta, Dim d, Where where, Loc at) {
  int var = e->metas[meta].var;
  while (arrlen(e->subst) <= var) arrput(e->subst, DIM_NONE);
  e->subst[var] = d;
  e->metas[meta].solved = d;
  e->metas[meta].bound = false;
  e->metas[meta].where = where;
  e->metas[meta].loc = at;
}

void sig_rebind(Elab *e, const Sig *s) {
  for (int i = 0; i < arrlen(s->used); i++) {
    struct MetaVar *m = &e->metas[s->used[i]];
    if (m->bound || m->solved == DIM_NONE) continue;
    Binding *b = env_find(s->env, m->name);
    if (b) b->v = v_dim(e, m->solved);
    m->bound = b != NULL;
  }
}

/* Does the text at `at` have `name` as a word? */
static bool mentions(Elab *e, Loc at, const char *name) {
  size_t n, len = strlen(name);
  const char *text = at.file ? diag_source_text(e->diag, at.file, &n) : NULL;
  for (uint32_t i = at.begin; text && i + len <= at.end; i++) {
    bool before = i > at.begin && (isalnum((unsigned char)text[i - 1]) || text[i - 1] == '_');
    bool after = i + len < at.end && (isalnum((unsigned char)text[i + len]) || text[i + len] == '_');
    if (!before && !after && strncmp(text + i, name, len) == 0) return true;
  }
  return false;
}

/* Notes what the signature says at `decl`, and where its variables got their sizes. */
static void note_signature(Elab *e, const Sig *s, Loc decl, Dim value) {
  size_t n;
  const char *text = decl.file ? diag_source_text(e->diag, decl.file, &n) : NULL;
  if (text)
    elab_note(e, decl, "the signature says `%.*s` here, which is %s", (int)(decl.end - decl.begin), text + decl.begin,
              dim_text(e, value));
  for (int i = 0; i < arrlen(s->used); i++) {
    struct MetaVar *m = &e->metas[s->used[i]];
    if (m->solved == DIM_NONE || !m->where.what || !mentions(e, decl, m->name)) continue;
    elab_note(e, m->loc, "`%s` is %s by %s", m->name, dim_text(e, m->solved), where_text(e, m->where));
  }
}

bool match_dim(Elab *e, Sig *s, Dim pattern, Dim actual, Where where, Loc at, Loc decl, bool last) {
  int one = -1;
  int64_t rest = 0;
  Dim p = sig_subst(e, pattern);
  if (p == DIM_OVERFLOW || actual == DIM_OVERFLOW) return false;
  int n = count_open(e, s, p, &one);
  if (n == 0) {
    if (p == actual || dim_eq(e->dims, p, actual) == DIM_YES) return true;
    elab_error(e, at, E0311, "%s: size %s is needed where %s is given", where_text(e, where), dim_text(e, p),
               dim_text(e, actual));
    note_signature(e, s, decl, p);
    return false;
  }
  if (n > 1 && !last) {
    struct Pending w = {pattern, actual, where, at, decl};
    arrput(s->pending, w);
    return true;
  }
  Dim v = n == 1 ? dim_solve(e->dims, p, e->metas[one].var, actual, &rest) : DIM_NONE;
  if (v == DIM_NONE) {
    elab_error(e, at, E0312, "%s: `%s` = %s cannot be solved for `%s`", where_text(e, where), dim_text(e, p),
               dim_text(e, actual), e->metas[one].name);
    elab_note(e, decl, "the signature demands it here");
    if (rest) elab_help(e, "%s leaves a remainder of %lld", dim_text(e, actual), (long long)rest);
    else elab_help(e, "make one of the sizes an argument: `%s: int`", e->metas[one].name);
    return false;
  }
  sig_solve(e, one, v, where, at);
  sig_rebind(e, s);
  return true;
}

bool sig_end(Elab *e, Sig *s) {
  bool ok = true;
  for (int i = 0; i < arrlen(s->pending); i++) {
    struct Pending *w = &s->pending[i];
    ok &= match_dim(e, s, w->pattern, w->actual, w->where, w->at, w->decl, true);
  }
  sig_rebind(e, s);
  for (int i = 0; i < arrlen(s->used); i++) {
    struct MetaVar *m = &e->metas[s->used[i]];
    Binding *b = env_find(s->env, m->name);
    if (b && m->solved == DIM_NONE) b->v = e->none;
    m->busy = false;
    if (m->var < arrlen(e->subst)) e->subst[m->var] = DIM_NONE;
  }
  arrfree(s->used);
  arrfree(s->pending);
  arrfree(s->open_dtypes);
  return ok;
}

/* --- resolving ---------------------------------------------------------------------------------------------------- */
static bool is_upper(const char *s) { return isupper((unsigned char)s[0]) != 0; }

/* Is there something of that name already? Looks without reporting. */
static bool in_scope(Elab *e, Env *env, const char *name) {
  for (Env *s = env; s; s = s->up) {
    if (env_find(s, name)) return true;
    Field *f = s->self ? inst_field(s->self, name) : NULL;
    if (f && f->kind == FIELD_STATIC && f->v->kind == V_INT) return true;
  }
  Scope *file = env->scope;
  const Global *g = file ? scope_find(file, name) : NULL;
  return g && g->item->kind == AI_CONST;
}

/* Binds the upper-case names of a dimension that are not in scope to unknowns. */
static void bind_unknowns(Elab *e, Sig *s, const AstExpr *x) {
  switch (x->kind) {
  case AX_NAME:
    if (is_upper(x->name) && !in_scope(e, s->env, x->name)) {
      int m = meta_new(e, x->name, x->loc);
      arrput(s->used, m);
      env_bind(s->env, x->name, v_dim(e, dim_of_var(e->dims, e->metas[m].var)), x->loc);
    }
    break;
  case AX_BINARY:
    bind_unknowns(e, s, x->binary.a);
    bind_unknowns(e, s, x->binary.b);
    break;
  case AX_UNARY: bind_unknowns(e, s, x->binary.a); break;
  default: break;
  }
}

static bool resolve_dim(Elab *e, Sig *s, const AstExpr *x, Dim *out) {
  bind_unknowns(e, s, x);
  int errors = e->errors;
  Value *v = elab_expr(e, s->env, x);
  int64_t k;
  if (is_poison(v)) {
    if (x->kind == AX_NAME && e->errors > errors && !in_scope(e, s->env, x->name))
      elab_help(e, "a size that may differ from call to call begins with an upper-case letter: `N`");
    return false;
  }
  if (v->kind != V_INT) {
    elab_error(e, x->loc, E0313, "a dimension must be an int, but this is %s", value_kind_name(e, v));
    return false;
  }
  if (v_const_int(e, v, &k) && k < 0) {
    elab_error(e, x->loc, E0304, "a dimension cannot be negative: %lld", (long long)k);
    return false;
  }
  *out = v->i;
  return true;
}

static bool resolve_dims(Elab *e, Sig *s, const AstType *t, TypeX *out) {
  out->run = -1;
  if (t->n_dims > MAX_RANK) {
    elab_error(e, t->loc, E0304, "a tensor has at most %d axes, this type has %d", MAX_RANK, t->n_dims);
    return false;
  }
  out->n_dims = t->n_dims;
  out->dims = arena_array(e->arena, Dim, t->n_dims + 1);
  out->bounds = arena_array(e->arena, Dim, t->n_dims + 1);
  out->locs = arena_array(e->arena, Loc, t->n_dims + 1);
  for (int i = 0; i < t->n_dims; i++) {
    const AstDim *d = &t->dims[i];
    out->locs[i] = d->loc;
    if (d->ellipsis) {
      if (out->run >= 0) {
        elab_error(e, d->loc, E0314, "one type has at most one run of axes `...`");
        return false;
      }
      out->run = i;
      out->run_name = intern(d->rest.name ? arena_join(e->arena, "...", d->rest.name) : "...");
      continue;
    }
    if (!resolve_dim(e, s, d->size, &out->dims[i])) return false;
    if (d->bound && !resolve_dim(e, s, d->bound, &out->bounds[i])) return false;
  }
  return true;
}

static TypeX *new_type(Elab *e, TypeXKind kind, const AstType *t) {
  TypeX *x = arena_one(e->arena, TypeX);
  x->kind = kind;
  x->loc = t->loc;
  x->run = -1;
  return x;
}

static const AstItem *find_item(Elab *e, Scope *s, const char *name, AstItemKind kind) {
  const Global *g = s ? scope_find(s, name) : NULL;
  if (!g || g->item->kind != kind) return NULL;
  parse_rest(e->arena, e->diag, g->item);
  return g->item;
}

static Scope *scope_of_path(Elab *e, Env *env, const AstType *t) {
  if (t->n_path == 1) return env->scope;
  for (int i = 0; i < arrlen(env->scope->uses); i++)
    if (strcmp(env->scope->uses[i].name, t->path[0].name) == 0) return env->scope->uses[i].v->scope;
  elab_error(e, t->path[0].loc, E0201, "there is no namespace `%s` here", t->path[0].name);
  elab_help(e, "`use %s` at the top of the file brings it in", t->path[0].name);
  return NULL;
}

static TypeX *resolve_alias(Elab *e, Sig *s, const AstType *t, const AstItem *alias, Scope *home) {
  if (t->n_args != alias->n_type_params) {
    elab_error(e, t->loc, E0315, "the type `%s` takes %d arguments, not %d", alias->name.name, alias->n_type_params,
               t->n_args);
    elab_note(e, alias->loc, "it is declared here");
    return NULL;
  }
  if (++e->alias_depth > 64) {
    e->alias_depth--;
    elab_error(e, t->loc, E0316, "the type `%s` contains itself", alias->name.name);
    return NULL;
  }
  Env *env = env_new(e, home->env);
  bool ok = true;
  for (int i = 0; i < t->n_args; i++) {
    Dim d = DIM_NONE;
    if (!resolve_dim(e, s, t->args[i], &d)) ok = false;
    else env_bind(env, alias->type_params[i].name, v_dim(e, d), t->args[i]->loc);
  }
  Env *outer = s->env;
  s->env = env; /* fresh names of the alias' own text belong to it alone */
  TypeX *x = ok ? resolve_type(e, s, alias->type) : NULL;
  s->env = outer;
  e->alias_depth--;
  return x;
}

static TypeX *resolve_named(Elab *e, Sig *s, const AstType *t) {
  static const struct {
    const char *name;
    TypeXKind kind;
  } plain[] = {{"int", TX_INT},       {"float", TX_FLOAT}, {"bool", TX_BOOL}, {"str", TX_STR}, {"tree", TX_TREE},
               {"module", TX_MODULE}, {"dtype", TX_DTYPE}, {"data", TX_DATA}, {"any", TX_ANY}};
  const char *name = t->path[t->n_path - 1].name;
  DType dt;
  if (t->n_path == 1 && t->has_dims) {
    TypeX *x = new_type(e, TX_TENSOR, t);
    const AstItem *alias = find_item(e, s->env->scope, name, AI_TYPE);
    if (dtype_parse(name, &dt) && dt != TUPLE) x->dtype = dt;
    else if (is_upper(name) && !alias) x->dtype = TUPLE, x->dtype_var = name;
    else {
      elab_error(e, t->path[0].loc, E0317, "`%s` is not a dtype", name);
      elab_help(e, "dtypes are f64 f32 f16 bf16 i64 i32 i8 u8 bool; an upper-case name stands for any of them");
      return NULL;
    }
    return resolve_dims(e, s, t, x) ? x : NULL;
  }
  for (size_t i = 0; t->n_path == 1 && i < sizeof plain / sizeof *plain; i++)
    if (strcmp(name, plain[i].name) == 0) return new_type(e, plain[i].kind, t);
  if (t->n_path == 1 && dtype_parse(name, &dt)) {
    elab_error(e, t->loc, E0317, "a tensor type needs brackets");
    elab_help(e, "`%s[]` is a scalar, `%s[N]` a vector; a number known while compiling is `float` or `int`", name,
              name);
    return NULL;
  }
  Scope *home = scope_of_path(e, s->env, t);
  if (!home) return NULL;
  const AstItem *alias = find_item(e, home, name, AI_TYPE);
  if (alias) return resolve_alias(e, s, t, alias, home);
  if (find_item(e, home, name, AI_MODULE)) {
    TypeX *x = new_type(e, TX_INST, t);
    Value *m = elab_global(e, home, name, t->loc);
    if (!m || m->kind != V_MODULE) return NULL;
    x->mod = m->mod;
    return x;
  }
  elab_error(e, t->loc, E0318, "there is no type `%s`", name);
  elab_help(e, "types are tensors like `f32[N]`, `int`, `float`, `bool`, `str`, tuples, `[T]`, `fn`, `module`, `tree`, "
               "and names declared by `type` or `module`");
  return NULL;
}

static const char *outside_text(Elab *e, const AstExpr *x) {
  if (x->kind == AX_NAME) return x->name;
  if (x->kind == AX_FIELD) {
    const char *base = outside_text(e, x->field.base);
    return base ? arena_printf(e->arena, "%s.%s", base, x->field.name.name) : NULL;
  }
  return NULL;
}

TypeX *resolve_type(Elab *e, Sig *s, const AstType *t) {
  TypeX *x = NULL;
  switch (t->kind) {
  case AT_NAME: x = resolve_named(e, s, t); break;
  case AT_TUPLE:
    x = new_type(e, TX_TUPLE, t);
    x->n = t->n_fields;
    x->items = arena_array(e->arena, TypeX *, x->n + 1);
    x->names = x->n && t->fields[0].name.name ? arena_array(e->arena, const char *, x->n) : NULL;
    for (int i = 0; i < x->n; i++) {
      if (!(x->items[i] = resolve_type(e, s, t->fields[i].type))) return NULL;
      if (x->names) x->names[i] = t->fields[i].name.name;
    }
    break;
  case AT_LIST:
    x = new_type(e, TX_LIST, t);
    x->n = 1;
    x->items = arena_array(e->arena, TypeX *, 1);
    if (!(x->items[0] = resolve_type(e, s, t->element))) return NULL;
    break;
  case AT_FN: x = new_type(e, TX_FN, t); break;
  case AT_DATA: x = new_type(e, TX_DATA, t); break;
  case AT_MODULE: x = new_type(e, TX_MODULE, t); break;
  case AT_ERROR: e->errors++; return NULL;
  }
  if (!x) return NULL;
  if (t->below) {
    Dim d = DIM_NONE;
    if (x->kind != TX_TENSOR || !(x->dtype == TUPLE || dtype_is_int(x->dtype))) {
      elab_error(e, t->below->loc, E0319, "a value bound `<` stands behind integer tensors only");
      return NULL;
    }
    if (!resolve_dim(e, s, t->below, &d)) return NULL;
    x->below = d;
  }
  if (t->outside) {
    x->outside = t->outside;
    x->as = outside_text(e, t->outside);
    if (!data_outside(e, s->env, x)) return NULL;
  }
  return x;
}

const char *typex_text(Elab *e, const TypeX *t) {
  static const char *const names[] = {
      "anything",          "", "int",    "float",     "bool", "str", "a dtype", "", "a list", "a function",
      "a module instance", "", "a tree", "a data set"};
  Buf b = {0};
  if (t->kind == TX_TENSOR) {
    buf_printf(&b, "%s[", t->dtype_var ? t->dtype_var : dtype_name(t->dtype));
    for (int i = 0; i < t->n_dims; i++)
      buf_printf(&b, "%s%s", i ? ", " : "", i == t->run ? t->run_name : dim_text(e, t->dims[i]));
    buf_str(&b, "]");
  } else if (t->kind == TX_TUPLE) {
    buf_str(&b, "(");
    for (int i = 0; i < t->n; i++)
      buf_printf(&b, "%s%s%s%s", i ? ", " : "", t->names ? t->names[i] : "", t->names ? ": " : "",
                 typex_text(e, t->items[i]));
    buf_str(&b, ")");
  } else if (t->kind == TX_INST) {
    buf_printf(&b, "an instance of `%s`", t->mod->name);
  } else {
    buf_str(&b, names[t->kind]);
  }
  const char *s = arena_strdup(e->arena, b.s);
  buf_free(&b);
  return s;
}
