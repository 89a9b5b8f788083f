/* Entry points: traces, inputs from signatures or feeds, results; one graph each. */
#include "frontend/elab_priv.h"
#include "base/limits.h"
#include <string.h>

/* --- traces ------------------------------------------------------------------------------------------------------- */
Trace *trace_new(Elab *e, TraceKind kind, const char *name, Loc loc) {
  static const int kinds[] = {DNN_EXPORT, DNN_STEP, DNN_INIT, DNN_RECORD, DNN_STEP};
  Trace *t = arena_one(e->arena, Trace);
  t->kind = kind;
  t->entry = arena_one(e->arena, Entry);
  t->entry->name = name;
  t->entry->kind = kinds[kind];
  t->entry->loc = loc;
  t->graph = graph_new(e->arena, e->dims, e->diag);
  t->entry->graph = t->graph;
  return t;
}

void trace_enter(Elab *e, Outer *o, Trace *t, const char *name) {
  o->trace = e->trace;
  o->call_loc = e->call_loc;
  e->trace = t;
  e->call_loc = (Loc){0};
  e->fuel = limits[LIMIT_steps];
  o->frame = (Frame){.name = name, .site = hash_text(0, name)};
  t->frame = &o->frame;
}

void trace_leave(Elab *e, Outer *o) {
  arrfree(o->frame.seen);
  e->trace->frame = NULL;
  e->trace = o->trace;
  e->call_loc = o->call_loc;
}

NodeId trace_input(Elab *e, const char *name, Type type, Dim below, const char *as, Loc loc) {
  Port p = {.name = name, .type = type, .below = below, .as = as, .loc = loc};
  arrput(e->trace->entry->inputs, p);
  return g_input(e->trace->graph, loc, type);
}

/* --- results ------------------------------------------------------------------------------------------------------ */
static bool add_result(Elab *e, Value *v, const TypeX *t, const char *name, Loc at) {
  v = v_read(e, v);
  if (is_poison(v)) return false;
  if (v->kind == V_NONE) return true;
  if (v->kind == V_TUPLE || v->kind == V_LIST || v->kind == V_INST) {
    LeafRef *leaves = NULL;
    bool ok = true;
    if (v->kind == V_INST) {
      tree_leaves(e, v, "", &leaves);
      for (ptrdiff_t i = 0; i < arrlen(leaves); i++) ok &= add_result(e, leaves[i].v, NULL, leaves[i].path, at);
      arrfree(leaves);
      return ok;
    }
    for (int i = 0; i < v->list.n; i++) {
      const char *part =
          v->list.names && v->list.names[i] ? v->list.names[i] : arena_printf(e->arena, "%s%d", name ? "" : "out", i);
      const char *full = name ? arena_printf(e->arena, "%s.%s", name, part) : part;
      const TypeX *ft = t && t->kind == TX_TUPLE && i < t->n ? t->items[i] : NULL;
      ok &= add_result(e, v->list.items[i], ft, full, at);
    }
    return ok;
  }
  const char *as = v->kind == V_TENSOR ? v->s : NULL;
  if (!want_tensor(e, &v, arena_printf(e->arena, "the result%s%s", name ? " " : "", name ? name : ""), at))
    return false;
  Port p = {.name = name ? name : "out", .type = v_type(v), .as = t ? t->as : as, .loc = elab_place(e, at)};
  arrput(e->trace->entry->outputs, p);
  arrput(e->trace->graph->outputs, nid(v));
  e->trace->entry->n_results++;
  return true;
}

static void add_var(Entry *en, int var) {
  for (ptrdiff_t i = 0; i < arrlen(en->vars); i++)
    if (en->vars[i] == var) return;
  arrput(en->vars, var);
}

static void collect_vars(Elab *e, Entry *en) {
  int *vars = NULL;
  for (ptrdiff_t i = 0; i < arrlen(en->inputs); i++)
    for (int k = 0; k < en->inputs[i].type.rank; k++) {
      arrsetlen(vars, 0);
      dim_vars(e->dims, en->inputs[i].type.shape[k], &vars);
      for (ptrdiff_t j = 0; j < arrlen(vars); j++) add_var(en, vars[j]);
    }
  arrfree(vars);
}

static bool is_empty(Elab *e, Type t) { return dim_is(e->dims, type_count(e->dims, t), 0); }

/* Puts reports, writes and effects behind the results. What has no elements is not written. */
void trace_close(Elab *e, Trace *t) {
  Entry *en = t->entry;
  Graph *g = t->graph;
  for (ptrdiff_t i = 0; i < arrlen(t->reports); i++) {
    arrput(g->outputs, t->reports[i]);
    arrput(en->outputs, t->report_ports[i]);
  }
  en->n_reports = (int)arrlen(t->reports);
  for (ptrdiff_t i = 0; i < arrlen(t->cells); i++)
    if (t->cells[i].written && !is_empty(e, graph_type(g, t->cells[i].now))) {
      arrput(g->outputs, t->cells[i].now);
      arrput(en->writes, t->cells[i].cell);
    }
  int base = (int)arrlen(g->outputs);
  for (ptrdiff_t i = 0; i < arrlen(t->effect_values); i++) arrput(g->outputs, t->effect_values[i]);
  for (ptrdiff_t i = 0; i < arrlen(t->effects); i++) {
    Effect f = t->effects[i];
    f.cond += base;
    for (int k = 0; k < f.n_values; k++) f.values[k] += base;
    arrput(en->effects, f);
  }
  collect_vars(e, en);
}

/* --- inputs from a signature -------------------------------------------------------------------------------------- */
enum { CHECK_BOUND = 1024 };

int64_t option_bound(Elab *e, const char *name) {
  size_t n = strlen(name);
  for (const char *const *o = e->opts ? e->opts->dims : NULL; o && *o; o++)
    if (strncmp(*o, name, n) == 0 && (*o)[n] == '=') return strtoll(*o + n + 1, NULL, 10);
  return -1;
}

static bool is_among(const int *vars, int var) {
  ptrdiff_t i = 0;
  while (i < arrlen(vars) && vars[i] != var) i++;
  return i < arrlen(vars);
}

/* The sizes of one axis: unknowns become run-time sizes of the entry. */
static bool input_dim(Elab *e, Sig *s, TypeX *t, int i, Dim *out) {
  int64_t mul, add, bound = -1;
  int var;
  Dim limit = sig_subst(e, t->bounds[i]);
  if (t->bounds[i] != DIM_NONE && !dim_is_int(e->dims, limit, &bound)) {
    elab_error(e, t->locs[i], E0901, "the bound of an entry point's size must be a constant, `%s` is not",
               dim_text(e, limit));
    return false;
  }
  int *vars = NULL;
  dim_vars(e->dims, t->dims[i], &vars);
  for (int k = 0; k < arrlen(s->used); k++) {
    struct MetaVar *m = &e->metas[s->used[k]];
    if (m->solved != DIM_NONE || !is_among(vars, m->var)) continue;
    sig_solve(e, s->used[k], dim_var(e->dims, m->name, option_bound(e, m->name)), (Where){.what = "the entry point"},
              m->loc);
  }
  arrfree(vars);
  *out = sig_subst(e, t->dims[i]);
  if (bound < 0) return true;
  if (!dim_linear(e->dims, *out, &var, &mul, &add) || (var >= 0 && mul <= 0)) {
    elab_error(e, t->locs[i], E0901, "the bound %lld cannot be solved for a size in `%s`", (long long)bound,
               dim_text(e, *out));
    return false;
  }
  if (var >= 0) {
    int64_t b = (bound - add) / mul, old = dim_var_bound(e->dims, var);
    if (old < 0 || b < old) dim_set_bound(e->dims, var, b);
  }
  return true;
}

static Value *input_tensor(Elab *e, Sig *s, TypeX *t, const char *name, Loc loc) {
  Dim shape[MAX_RANK];
  if (t->dtype_var) {
    elab_error(e, t->loc, E0902, "an entry point's input has a definite dtype, `%s` stands for any", t->dtype_var);
    return e->poison;
  }
  if (t->run >= 0) {
    elab_error(e, t->loc, E0902, "an entry point's input has a definite number of axes, `...` leaves it open");
    return e->poison;
  }
  for (int i = 0; i < t->n_dims; i++)
    if (!input_dim(e, s, t, i, &shape[i])) return e->poison;
  Type type = type_of(e->arena, t->dtype, t->n_dims, shape);
  return v_tensor(e, trace_input(e, name, type, t->below, t->as, loc));
}

static Value *input_value(Elab *e, Sig *s, TypeX *t, const char *name, Loc loc) {
  if (t->kind == TX_TENSOR) return input_tensor(e, s, t, name, loc);
  if (t->kind == TX_TUPLE || t->kind == TX_LIST) {
    if (t->kind == TX_LIST)
      return elab_error(e, t->loc, E0903,
                        "the list `%s` has no definite length; an entry point takes tensors and tuples of them", name);
    Value **items = arena_array(e->arena, Value *, t->n + 1);
    for (int i = 0; i < t->n; i++) {
      const char *part =
          t->names ? arena_printf(e->arena, "%s.%s", name, t->names[i]) : arena_printf(e->arena, "%s.%d", name, i);
      items[i] = input_value(e, s, t->items[i], part, loc);
      if (is_poison(items[i])) return items[i];
    }
    return v_tuple(e, items, t->names, t->n);
  }
  elab_error(e, t->loc, E0903,
             "`%s` of an entry point cannot be %s: it takes tensors, and static arguments with a default", name,
             typex_text(e, t));
  return e->poison;
}

/* After all inputs: value bounds in terms of the solved sizes, a bound for every size, and none is too large. */
static bool close_inputs(Elab *e, Sig *s, Trace *t) {
  bool ok = true;
  Entry *en = t->entry;
  for (ptrdiff_t i = 0; i < arrlen(en->inputs); i++) en->inputs[i].below = sig_subst(e, en->inputs[i].below);
  for (int i = 0; i < arrlen(s->used); i++) {
    struct MetaVar *m = &e->metas[s->used[i]];
    int var = m->solved == DIM_NONE ? -1 : dim_as_var(e->dims, m->solved);
    if (var < 0 || dim_var_bound(e->dims, var) >= 0) continue;
    if (t->kind == T_CHECK) {
      dim_set_bound(e->dims, var, CHECK_BOUND);
      t->open_sizes = true;
      continue;
    }
    elab_error(e, m->loc, E0904, "the size `%s` of the entry point `%s` has no bound", m->name, en->name);
    elab_help(e, "write `%s <= 64` in the signature, or give `--dim %s=64`", m->name, m->name);
    ok = false;
  }
  for (ptrdiff_t i = 0; ok && i < arrlen(en->inputs); i++) ok = !too_big(e, en->inputs[i].type, en->inputs[i].loc);
  return ok;
}

/* --- bodies ------------------------------------------------------------------------------------------------------- */
static bool entry_body(Elab *e, Env *env, const AstFn *f, TypeX **result_type) {
  Env *inner = env_new(e, env);
  Value *v = f->has_backward ? own_gradient(e, env, f, f->name.loc) : block_in(e, inner, &f->body);
  Loc at = f->body.n ? f->body.stmts[f->body.n - 1]->loc : f->loc;
  TypeX *t = NULL;
  v = v_read(e, v);
  if (is_poison(v)) return false;
  if (f->result) {
    Sig s;
    sig_begin(e, &s, env);
    t = resolve_type(e, &s, f->result);
    v = t ? unify_type(e, &s, t, v, arena_printf(e->arena, "the result of `%s`", f->name.name), at) : e->poison;
    if (!sig_end(e, &s) || is_poison(v)) return false;
  } else if (f->kind == AF_STEP && !f->exported) {
    return true;
  }
  if (v->kind == V_NONE && f->kind == AF_FN) {
    elab_error(e, f->name.loc, E0905, "`%s` is exported but has no result", f->name.name);
    return false;
  }
  return add_result(e, v, t, NULL, at);
}

/* Parameters of an entry made from its signature alone. */
static bool inputs_from_signature(Elab *e, Env *env, const AstFn *f) {
  Sig s;
  bool ok = true;
  sig_begin(e, &s, env);
  s.entry = true;
  for (int i = 0; i < f->n_params && ok; i++) {
    const AstParam *p = &f->params[i];
    TypeX *t = p->type ? resolve_type(e, &s, p->type) : NULL;
    Value *v;
    if (p->type && !t) ok = false;
    if (!ok) break;
    if (t && (t->kind == TX_TENSOR || t->kind == TX_TUPLE || !p->value)) {
      v = input_value(e, &s, t, p->name.name, p->name.loc);
    } else if (p->value) {
      v = elab_expr(e, env, p->value);
      if (t && !is_poison(v)) v = unify_type(e, &s, t, v, p->name.name, p->value->loc);
    } else {
      v = elab_error(e, p->loc, E0903, "the parameter `%s` of an entry point needs a type", p->name.name);
    }
    sig_rebind(e, &s);
    env_bind(env, p->name.name, v, p->name.loc);
    ok = !is_poison(v);
  }
  ok = ok && close_inputs(e, &s, e->trace);
  return sig_end(e, &s) && ok;
}

/* One pass over a function as an entry point. In the first of two, which finds what a step trains, nothing is said. */
static Trace *trace_pass(Elab *e, Trace *t, const AstFn *f, FillFn *fill, void *ctx, bool *ok) {
  Outer o;
  TypeX *result = NULL;
  int errors = e->errors;
  t->step = f->name.name;
  t->entry->exported = f->exported;
  trace_enter(e, &o, t, f->name.name);
  e->mute += t->discover;
  Env *env = env_new(e, e->main->env);
  *ok = fill(e, env, f, ctx) && entry_body(e, env, f, &result) && e->errors == errors;
  e->mute -= t->discover;
  if (t->discover) e->errors = errors;
  else if (*ok) trace_close(e, t);
  trace_leave(e, &o);
  return t;
}

Trace *trace_fn(Elab *e, TraceKind kind, const AstFn *f, const char *name, FillFn *fill, void *ctx, bool *ok) {
  Trace *t = trace_new(e, kind, name, f->name.loc);
  if (kind != T_EXPORT && !trained_by_text(e, t, f)) {
    Trace *first = trace_new(e, kind, name, f->name.loc);
    first->discover = true;
    t->trained = trace_pass(e, first, f, fill, ctx, ok)->trained;
  }
  return trace_pass(e, t, f, fill, ctx, ok);
}

static bool fill_signature(Elab *e, Env *env, const AstFn *f, void *ctx) { return inputs_from_signature(e, env, f); }

/* An exported function or step; index of the entry or -1. */
int elab_export_entry(Elab *e, const AstFn *f) {
  bool ok;
  Trace *t = trace_fn(e, f->kind == AF_STEP ? T_STEP : T_EXPORT, f, f->name.name, fill_signature, NULL, &ok);
  if (!ok) return -1;
  arrput(e->prog->entries, *t->entry);
  return (int)arrlen(e->prog->entries) - 1;
}

/* A step that nothing runs: checked; kept as an entry when all its sizes have bounds. */
static bool has_unfilled(const AstFn *f) {
  for (int i = 0; i < f->n_params; i++) {
    const AstType *t = f->params[i].type;
    bool tensor = t && (t->has_dims || t->kind == AT_TUPLE || t->has_args);
    if (!tensor && !f->params[i].value) return true;
  }
  return false;
}

void elab_check_step(Elab *e, const AstFn *f, bool keep) {
  bool ok;
  if (has_unfilled(f)) return; /* its static arguments come with `run` */
  Trace *t = trace_fn(e, T_CHECK, f, f->name.name, fill_signature, NULL, &ok);
  if (!ok) return;
  if (keep && !t->open_sizes) arrput(e->prog->entries, *t->entry);
}

void entry_unique_name(Elab *e, Entry *en) {
  int n = 1;
  const char *base = en->name;
  for (ptrdiff_t i = 0; i < arrlen(e->prog->entries); i++)
    if (i != e->prog->init && strcmp(e->prog->entries[i].name, en->name) == 0) {
      en->name = arena_printf(e->arena, "%s.%d", base, ++n);
      i = -1;
    }
}

/* --- records and expressions -------------------------------------------------------------------------------------- */
int elab_record_entry(Elab *e, const char *name, Value *fn, const Port *fields, int n_fields, Loc at, Port **out) {
  Outer o;
  Trace *t = trace_new(e, T_RECORD, name, at);
  trace_enter(e, &o, t, name);
  int errors = e->errors;
  Value *r = NULL;
  if (n_fields >= 0) {
    Value **items = arena_array(e->arena, Value *, n_fields + 1);
    const char **names = arena_array(e->arena, const char *, n_fields + 1);
    for (int i = 0; i < n_fields; i++) {
      names[i] = fields[i].name;
      items[i] = v_tensor(e, trace_input(e, fields[i].name, fields[i].type, fields[i].below, NULL, fields[i].loc));
    }
    r = v_tuple(e, items, names, n_fields);
  }
  Value *v = elab_call_values(e, fn, &r, r ? 1 : 0, at);
  bool ok = !is_poison(v) && add_result(e, v, NULL, NULL, at) && e->errors == errors;
  if (ok) trace_close(e, t);
  trace_leave(e, &o);
  if (!ok) return -1;
  for (ptrdiff_t i = 0; out && i < arrlen(t->entry->outputs); i++) arrput(*out, t->entry->outputs[i]);
  entry_unique_name(e, t->entry);
  arrput(e->prog->entries, *t->entry);
  return (int)arrlen(e->prog->entries) - 1;
}

int elab_expr_entry(Elab *e, const char *name, Env *env, const AstExpr *x, Loc at, const char ***texts) {
  Outer o;
  Trace *t = trace_new(e, T_RECORD, name, at);
  t->writes = true;
  trace_enter(e, &o, t, name);
  int errors = e->errors;
  Value *v = elab_expr(e, env, x);
  bool ok = !is_poison(v) && add_result(e, v, NULL, NULL, x->loc) && e->errors == errors;
  if (ok) trace_close(e, t);
  trace_leave(e, &o);
  if (!ok) return -1;
  *texts = t->texts;
  entry_unique_name(e, t->entry);
  arrput(e->prog->entries, *t->entry);
  return (int)arrlen(e->prog->entries) - 1;
}

bool elab_has_cells(Elab *e, const char *path) {
  for (ptrdiff_t i = 0; i < arrlen(e->prog->cells); i++)
    if (path_covers(path, e->prog->cells[i].path)) return true;
  return false;
}
