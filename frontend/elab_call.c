/* Calls: frames, argument passing, functions, natives, and the record of calls for `summary`. */
#include "frontend/elab_priv.h"
#include "base/limits.h"
#include <string.h>

/* --- frames ------------------------------------------------------------------------------------------------------- */
/* The random site of the next thing called `name` in this frame: a hash of the chain of calls and its ordinal here. */
uint64_t site_next(Elab *e, const char *name) {
  Frame *f = e->trace->frame;
  if (!f) return hash_text(1, name);
  for (ptrdiff_t i = 0; i < arrlen(f->seen); i++)
    if (strcmp(f->seen[i].name, name) == 0) return hash_mix(hash_text(f->site, name), (uint64_t)++f->seen[i].n);
  arraddnptr(f->seen, 1);
  arrlast(f->seen).name = name;
  arrlast(f->seen).n = 0;
  return hash_mix(hash_text(f->site, name), 0);
}

/* name NULL: a turn of a static loop, not a call. */
void frame_push(Elab *e, Frame *f, const char *name, Loc at, uint64_t site) {
  Frame *up = e->trace->frame;
  *f = (Frame){
      .up = up, .name = name, .at = at, .site = site, .depth = up ? up->depth + (name != NULL && at.file != 0) : 0};
  e->trace->frame = f;
}

void frame_pop(Elab *e) {
  Frame *f = e->trace->frame;
  arrfree(f->seen);
  e->trace->frame = f->up;
}

static Value *too_deep(Elab *e, const char *name, Loc at) {
  Buf b = {0};
  const Frame *f = e->trace->frame;
  for (int n = 0; f && n < 4; f = f->up)
    if (f->name && f->at.file) buf_printf(&b, "%s <- ", f->name), n++;
  elab_error(e, at, E0420, "the call of `%s` is nested %lld deep: %s...", name, (long long)limits[LIMIT_calls],
             b.s ? b.s : "");
  elab_help(e, "recursion ends when a static argument says so: `if depth == 0 { … } else { … }`");
  buf_free(&b);
  return e->poison;
}

/* --- the record for summary ----------------------------------------------------------------------------------------
 */
int call_begin(Elab *e, const char *label, const char *path, int64_t params, Loc at) {
  Trace *t = e->trace;
  if (!t->entry || t->discover || t->kind == T_INIT || t->kind == T_RECORD) return -1;
  Call c = {.depth = t->call_depth++, .label = label, .path = path, .params = params, .loc = elab_place(e, at)};
  c.graph = t->graph;
  c.first = (NodeId)arrlen(t->graph->nodes);
  arrput(t->entry->calls, c);
  return (int)arrlen(t->entry->calls) - 1;
}

void call_end(Elab *e, int index, Value *result) {
  Trace *t = e->trace;
  if (index < 0) return;
  t->call_depth--;
  Call *c = &t->entry->calls[index];
  c->last = (NodeId)arrlen(t->graph->nodes);
  bool tensor = result->kind == V_TENSOR;
  if (!tensor && c->last == c->first && index == arrlen(t->entry->calls) - 1) {
    arrpop(t->entry->calls); /* a static function */
    return;
  }
  c->out = tensor ? v_type(result) : (Type){TUPLE, 0, NULL};
}

/* --- arguments ---------------------------------------------------------------------------------------------------- */
static int param_index(const AstParam *params, int n, const char *name) {
  for (int i = 0; i < n; i++)
    if (strcmp(params[i].name.name, name) == 0) return i;
  return -1;
}

static bool place_args(Elab *e, const AstParam *params, int n, const Args *a, int *slot, const char *what, Loc decl,
                       Loc at) {
  int next = 0;
  for (int i = 0; i < n; i++) slot[i] = -1;
  for (int i = 0; i < a->n; i++) {
    int k = a->names[i] ? param_index(params, n, a->names[i]) : next++;
    if (a->names[i] && k < 0) {
      const char **names = NULL;
      for (int j = 0; j < n; j++) arrput(names, params[j].name.name);
      const char *near = diag_nearest(a->names[i], names, n);
      arrfree(names);
      elab_error(e, a->locs[i], E0417, "%s has no parameter `%s`", what, a->names[i]);
      elab_note(e, decl, "it is declared here");
      if (near) elab_help(e, "did you mean `%s`?", near);
      return false;
    }
    if (k >= n) {
      elab_error(e, a->locs[i], E0416, "%s takes %d argument%s, but %d are given", what, n, n == 1 ? "" : "s", a->n);
      elab_note(e, decl, "it is declared here");
      return false;
    }
    if (slot[k] >= 0) {
      elab_error(e, a->locs[i], E0418, "the argument `%s` is given twice", params[k].name.name);
      elab_note(e, a->locs[slot[k]], "it is given here first");
      return false;
    }
    slot[k] = i;
  }
  for (int i = 0; i < n; i++)
    if (slot[i] < 0 && !params[i].value) {
      elab_error(e, at, E0419, "the argument `%s` of %s is missing", params[i].name.name, what);
      elab_note(e, params[i].loc, "it is declared here");
      return false;
    }
  return true;
}

static bool is_int_type(const AstType *t) {
  return t && t->kind == AT_NAME && t->n_path == 1 && !t->has_dims && strcmp(t->path[0].name, "int") == 0;
}

/* Binds the parameters in `env`: arguments by place and name, defaults, types; solves the sizes of the signature. */
bool bind_params(Elab *e, Env *env, const AstParam *params, int n, const Args *a, const char *what, Loc decl, Loc at) {
  int *slot = arena_array(e->arena, int, n + 1);
  Sig s;
  bool ok = true;
  if (!place_args(e, params, n, a, slot, what, decl, at)) return false;
  sig_begin(e, &s, env);
  for (int i = 0; i < n; i++) /* sizes given as arguments may stand in types before them */
    if (slot[i] >= 0 && is_int_type(params[i].type) && a->v[slot[i]]->kind == V_INT)
      env_bind(env, params[i].name.name, a->v[slot[i]], params[i].name.loc);
  for (int i = 0; i < n && ok; i++) {
    const AstParam *p = &params[i];
    Value *v = slot[i] >= 0 ? v_read(e, a->v[slot[i]]) : elab_expr(e, env, p->value);
    Loc where = slot[i] >= 0 ? a->locs[slot[i]] : p->value->loc;
    if (p->type && !is_poison(v) && !(slot[i] < 0 && v->kind == V_NONE)) {
      TypeX *t = resolve_type(e, &s, p->type);
      v = t ? unify_type(e, &s, t, v, arena_join(e->arena, "the argument `", p->name.name, "` of ", what), where)
            : e->poison;
    }
    ok = !is_poison(v);
    env_bind(env, p->name.name, v, p->name.loc);
  }
  return sig_end(e, &s) && ok;
}

/* --- functions ---------------------------------------------------------------------------------------------------- */
static Value *check_result(Elab *e, Env *env, const AstFn *d, Value *v, const char *name) {
  Sig s;
  Loc at = d->body.n ? d->body.stmts[d->body.n - 1]->loc : d->loc;
  sig_begin(e, &s, env);
  TypeX *t = resolve_type(e, &s, d->result);
  v = t ? unify_type(e, &s, t, v, arena_join(e->arena, "the result of `", name, "`"), at) : e->poison;
  return sig_end(e, &s) ? v : e->poison;
}

static const char *fn_label(Elab *e, const Fn *f) {
  if (!f->self) return f->name;
  return strcmp(f->name, "call") == 0 ? f->self->def->name : arena_join(e->arena, f->self->def->name, ".", f->name);
}

Value *call_fn(Elab *e, Fn *f, const Args *a, Loc at) {
  const AstFn *d = f->decl;
  Loc outer = e->call_loc, place = elab_place(e, at);
  const char *label = fn_label(e, f), *what = arena_join(e->arena, "`", label, "`");
  Value *v = e->poison;
  Frame fr;
  if (d->kind == AF_STEP) {
    elab_error(e, at, E0606, "the step `%s` is run by `train`, it cannot be called", f->name);
    elab_note(e, d->loc, "it is declared here");
    return v;
  }
  if (e->trace->frame && e->trace->frame->depth >= limits[LIMIT_calls]) return too_deep(e, label, at);
  bool lambda = d->kind == AF_LAMBDA;
  int c = lambda ? -1 : call_begin(e, label, f->self ? f->self->path : NULL, f->self ? inst_params(e, f->self) : 0, at);
  frame_push(e, &fr, label, at.file ? at : place, site_next(e, label));
  if (diag_source_is_std(e->diag, d->loc.file)) e->call_loc = place;
  Env *base = f->env;
  if (f->self) {
    base = env_new(e, base);
    base->self = f->self;
    base->fixed = true;
  }
  Env *env = env_new(e, base);
  if (bind_params(e, env, d->params, d->n_params, a, what, d->loc, at)) {
    v = d->has_backward ? own_gradient(e, env, d, at) : elab_block(e, env, &d->body);
    v = v_read(e, v);
    if (d->result && !is_poison(v)) v = check_result(e, env, d, v, label);
  }
  e->call_loc = outer;
  frame_pop(e);
  if (c >= 0) call_end(e, c, v);
  return v;
}

/* --- natives ------------------------------------------------------------------------------------------------------ */
struct NativeSig {
  int n;
  bool rest;
  const char *names[16];
  const char *defaults[16];
};

/* Parses "x, axis = none, keep = false, *". */
static NativeSig *native_sig(Elab *e, const Native *nat) {
  ptrdiff_t at = hmgeti(e->native_sigs, nat);
  if (at >= 0) return e->native_sigs[at].value;
  NativeSig *s = arena_one(e->arena, NativeSig);
  for (const char *p = nat->params; *p && s->n < 16;) {
    while (*p == ' ' || *p == ',') p++;
    size_t n = strcspn(p, ", =");
    if (n == 0) break;
    if (*p == '*') {
      s->rest = true;
      break;
    }
    s->names[s->n] = intern_n(p, n);
    p += n;
    while (*p == ' ') p++;
    if (*p == '=') {
      for (p++; *p == ' ';) p++;
      n = strcspn(p, ",");
      s->defaults[s->n] = intern_n(p, n);
      p += n;
    }
    s->n++;
  }
  hmput(e->native_sigs, nat, s);
  return s;
}

static Value *native_default(Elab *e, const char *s) {
  DType t;
  char *end;
  if (strcmp(s, "none") == 0) return e->none;
  if (strcmp(s, "true") == 0) return e->yes;
  if (strcmp(s, "false") == 0) return e->no;
  if (s[0] == '"') return v_str(e, arena_strndup(e->arena, s + 1, strlen(s) - 2));
  if (dtype_parse(s, &t)) return v_dtype(e, t);
  long long i = strtoll(s, &end, 10);
  if (!*end) return v_int(e, i);
  return v_float(e, strtod(s, NULL));
}

static Value *call_native(Elab *e, const Fn *f, const Args *a, Loc at) {
  const Native *nat = f->native, *outer = e->native;
  if (!nat->params) return elab_error(e, at, E0421, "`%s` is a value, not a function", nat->name);
  NativeSig *s = native_sig(e, nat);
  Value *v[17] = {0};
  Value **more = arena_array(e->arena, Value *, a->n + 1);
  const char **more_names = arena_array(e->arena, const char *, a->n + 1);
  int next = 0, extra = 0;
  if (f->with) v[next++] = f->with;
  for (int i = 0; i < a->n; i++) {
    int k = a->names[i] ? -1 : next++;
    for (int j = 0; a->names[i] && j < s->n; j++)
      if (strcmp(s->names[j], a->names[i]) == 0) k = j;
    if (k >= 0 && k < s->n) {
      if (v[k]) return elab_error(e, a->locs[i], E0418, "the argument `%s` is given twice", s->names[k]);
      v[k] = v_read(e, a->v[i]);
    } else if (s->rest) {
      more_names[extra] = a->names[i];
      more[extra++] = v_read(e, a->v[i]);
    } else if (a->names[i]) {
      elab_error(e, a->locs[i], E0417, "`%s` has no parameter `%s`", nat->name, a->names[i]);
      elab_help(e, "its parameters are: %s", nat->params);
      return e->poison;
    } else {
      elab_error(e, a->locs[i], E0416, "`%s` takes %d argument%s, but %d are given", nat->name, s->n,
                 s->n == 1 ? "" : "s", a->n);
      elab_help(e, "its parameters are: %s", nat->params);
      return e->poison;
    }
  }
  for (int k = 0; k < s->n; k++) {
    if (!v[k] && !s->defaults[k]) {
      elab_error(e, at, E0419, "the argument `%s` of `%s` is missing", s->names[k], nat->name);
      elab_help(e, "its parameters are: %s", nat->params);
      return e->poison;
    }
    if (!v[k]) v[k] = native_default(e, s->defaults[k]);
  }
  if (s->rest) v[s->n] = v_tuple(e, more, more_names, extra);
  e->native = nat;
  Value *r = nat->fn(e, v, s->n + s->rest, at);
  e->native = outer;
  return r;
}

void elab_register(Elab *e, const Native *table, int n) {
  for (int i = 0; i < n; i++) shput(e->natives, table[i].name, &table[i]);
}

/* --- calling a value ---------------------------------------------------------------------------------------------- */
static Value *call_inst(Elab *e, Value *f, const Args *a, Loc at) {
  Inst *m = f->inst;
  const AstMember *call = module_fn(m->def, "call");
  if (!m->path) {
    elab_error(e, at, E0502, "this is a blueprint of `%s`: it has no parameters yet and cannot be called",
               m->def->name);
    elab_help(e, "`model name = %s(…)` makes it real; inside of a module let a field own it: `inner = …`",
              m->def->name);
    return e->poison;
  }
  if (m->stacked && inst_params(e, m)) {
    elab_error(e, at, E0516, "%s is a stack of instances, it cannot be called", value_kind_name(e, f));
    elab_help(e, "take one of them, `t[0]`, or walk through them: `vmap f in t { f(x) }`");
    return e->poison;
  }
  if (call) return elab_call(e, method_value(e, m, call), a, at);
  elab_error(e, at, E0503, "`%s` cannot be called: the module `%s` has no `fn call`", m->path, m->def->name);
  elab_note(e, m->def->decl->loc, "the module is declared here");
  return e->poison;
}

Value *elab_call(Elab *e, Value *f, const Args *a, Loc at) {
  for (int i = 0; i < a->n; i++)
    if (is_poison(a->v[i])) return e->poison;
  if (!spend(e, at)) return e->poison;
  switch (f->kind) {
  case V_ERROR: return f;
  case V_FN: return f->fn->native ? call_native(e, f->fn, a, at) : call_fn(e, f->fn, a, at);
  case V_MODULE: return make_blueprint(e, f->mod, a, at);
  case V_INST: return call_inst(e, f, a, at);
  case V_DTYPE:
    if (a->n == 1 && !a->names[0]) return cast_value(e, f->dtype, a->v[0], at);
    return elab_error(e, at, E0416, "the cast `%s` takes one argument", dtype_name(f->dtype));
  default:
    elab_error(e, at, E0421, "%s cannot be called", value_kind_name(e, f));
    if (f->kind == V_TENSOR) elab_help(e, "an element is read with brackets: `x[i]`");
    return e->poison;
  }
}

Value *elab_call_values(Elab *e, Value *f, Value **v, int n, Loc at) {
  Args a = {v, arena_array(e->arena, const char *, n + 1), arena_array(e->arena, Loc, n + 1), n};
  for (int i = 0; i < n; i++) a.locs[i] = at;
  return elab_call(e, f, &a, at);
}

/* A call in the text; natives are recorded for the summary when a user's file calls them, or calls them by a name of
 * its own (an element of a Sequential). */
Value *call_value(Elab *e, Value *f, const Args *a, const AstExpr *callee, Loc at) {
  bool record = false;
  if (f->kind == V_FN && f->fn->native && f->fn->native->params) {
    const char *name = callee->kind == AX_NAME ? callee->name : callee->kind == AX_FIELD ? callee->field.name.name : "";
    const char *own = strrchr(f->fn->name, '.');
    record = !diag_source_is_std(e->diag, at.file) || strcmp(name, own ? own + 1 : f->fn->name) != 0;
  }
  if (!record) return elab_call(e, f, a, at);
  int c = call_begin(e, f->fn->name, NULL, 0, at);
  Value *v = elab_call(e, f, a, at);
  call_end(e, c, v);
  return v;
}
