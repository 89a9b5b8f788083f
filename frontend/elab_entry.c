/* Entry points: traces, inputs from signatures or feeds, results; one graph each. */
#include "frontend/elab_priv.h"
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

typedef struct Outer {
  Trace *trace;
  Loc call_loc;
  Frame frame;
} Outer;

static void enter(Elab *e, Outer *o, Trace *t, const char *name) {
  o->trace = e->trace;
  o->call_loc = e->call_loc;
  e->trace = t;
  e->call_loc = (Loc){0};
  e->fuel = ELAB_FUEL;
  o->frame = (Frame){.name = name, .site = hash_text(0, name)};
  t->frame = &o->frame;
}

static void leave(Elab *e, Outer *o) {
  arrfree(o->frame.seen);
  e->trace->frame = NULL;
  e->trace = o->trace;
  e->call_loc = o->call_loc;
}

static NodeId add_input(Elab *e, const char *name, Type type, Dim below, const char *as, Loc loc) {
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
      const char *part = v->list.names && v->list.names[i] ? v->list.names[i] : arena_printf(e->arena, "%s%d", name ? "" : "out", i);
      const char *full = name ? arena_printf(e->arena, "%s.%s", name, part) : part;
      const TypeX *ft = t && t->kind == TX_TUPLE && i < t->n ? t->items[i] : NULL;
      ok &= add_result(e, v->list.items[i], ft, full, at);
    }
    return ok;
  }
  if (!want_tensor(e, &v, arena_printf(e->arena, "the result%s%s", name ? " " : "", name ? name : ""), at)) return false;
  Port p = {.name = name ? name : "out", .type = v_type(v), .as = t ? t->as : NULL, .loc = elab_place(e, at)};
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
  int n = dim_var_count(e->dims);
  for (ptrdiff_t i = 0; i < arrlen(en->inputs); i++)
    for (int k = 0; k < en->inputs[i].type.rank; k++) {
      Dim d = en->inputs[i].type.shape[k];
      if (dim_is_int(e->dims, d, &(int64_t){0})) continue;
      for (int v = 0; v < n; v++)
        if (dim_uses(e->dims, d, v)) add_var(en, v);
    }
}

/* Puts reports, writes and effects behind the results. */
void trace_close(Elab *e, Trace *t) {
  Entry *en = t->entry;
  Graph *g = t->graph;
  for (ptrdiff_t i = 0; i < arrlen(t->reports); i++) {
    arrput(g->outputs, t->reports[i]);
    arrput(en->outputs, t->report_ports[i]);
  }
  en->n_reports = (int)arrlen(t->reports);
  for (ptrdiff_t i = 0; i < arrlen(t->cells); i++)
    if (t->cells[i].written) {
      arrput(g->outputs, t->cells[i].now);
      arrput(en->writes, (int)i);
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

static int64_t opt_bound(Elab *e, const char *name) {
  size_t n = strlen(name);
  for (const char *const *o = e->opts ? e->opts->dims : NULL; o && *o; o++)
    if (strncmp(*o, name, n) == 0 && (*o)[n] == '=') return strtoll(*o + n + 1, NULL, 10);
  return -1;
}

/* The sizes of one axis: unknowns become run-time sizes of the entry. */
static bool input_dim(Elab *e, Sig *s, TypeX *t, int i, Dim *out) {
  int64_t mul, add, bound = -1;
  int var;
  Dim limit = sig_subst(e, t->bounds[i]);
  if (t->bounds[i] != DIM_NONE && !dim_is_int(e->dims, limit, &bound)) {
    elab_error(e, t->locs[i], E0901, "the bound of an entry point's size must be a constant, `%s` is not", dim_text(e, limit));
    return false;
  }
  for (int k = 0; k < arrlen(s->used); k++) {
    struct MetaVar *m = &e->metas[s->used[k]];
    if (m->solved != DIM_NONE || !dim_uses(e->dims, t->dims[i], m->var)) continue;
    sig_solve(e, s->used[k], dim_var(e->dims, m->name, opt_bound(e, m->name)), "the entry point", m->loc);
  }
  *out = sig_subst(e, t->dims[i]);
  if (bound < 0) return true;
  if (!dim_linear(e->dims, *out, &var, &mul, &add) || (var >= 0 && mul <= 0)) {
    elab_error(e, t->locs[i], E0901, "the bound %lld cannot be solved for a size in `%s`", (long long)bound, dim_text(e, *out));
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
  return v_tensor(e, add_input(e, name, type, t->below, t->as, loc));
}

static Value *input_value(Elab *e, Sig *s, TypeX *t, const char *name, Loc loc) {
  if (t->kind == TX_TENSOR) return input_tensor(e, s, t, name, loc);
  if (t->kind == TX_TUPLE || t->kind == TX_LIST) {
    if (t->kind == TX_LIST) return elab_error(e, t->loc, E0903, "the list `%s` has no definite length; an entry point takes tensors and tuples of them", name);
    Value **items = arena_array(e->arena, Value *, t->n + 1);
    for (int i = 0; i < t->n; i++) {
      const char *part = t->names ? arena_printf(e->arena, "%s.%s", name, t->names[i]) : arena_printf(e->arena, "%s.%d", name, i);
      items[i] = input_value(e, s, t->items[i], part, loc);
      if (is_poison(items[i])) return items[i];
    }
    return v_tuple(e, items, t->names, t->n);
  }
  elab_error(e, t->loc, E0903, "`%s` of an entry point cannot be %s: it takes tensors, and static arguments with a default", name, typex_text(e, t));
  return e->poison;
}

/* After all inputs: value bounds in terms of the solved sizes, and a bound for every size. */
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
      continue;
    }
    elab_error(e, m->loc, E0904, "the size `%s` of the entry point `%s` has no bound", m->name, en->name);
    elab_help(e, "write `%s <= 64` in the signature, or give `--dim %s=64`", m->name, m->name);
    ok = false;
  }
  return ok;
}

/* --- bodies ------------------------------------------------------------------------------------------------------- */
static bool entry_body(Elab *e, Env *env, const AstFn *f, TypeX **result_type) {
  Env *inner = env_new(e, env);
  Value *v = block_in(e, inner, &f->body);
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
    for (int k = 0; k < arrlen(s.used); k++) {
      struct MetaVar *m = &e->metas[s.used[k]];
      Binding *b = env_find(env, m->name);
      if (b && m->solved != DIM_NONE) b->v = v_dim(e, m->solved);
    }
    env_bind(env, p->name.name, v, p->name.loc);
    ok = !is_poison(v);
  }
  ok = ok && close_inputs(e, &s, e->trace);
  return sig_end(e, &s) && ok;
}

/* One pass over a function as an entry point; `trained` from the pass before. */
typedef bool FillFn(Elab *e, Env *env, const AstFn *f, void *ctx);

static Trace *trace_fn(Elab *e, TraceKind kind, const AstFn *f, const char *name, FillFn *fill, void *ctx, bool *ok) {
  const char **trained = NULL;
  for (int pass = kind == T_EXPORT ? 1 : 0; pass < 2; pass++) {
    Outer o;
    TypeX *result = NULL;
    Trace *t = trace_new(e, kind, name, f->name.loc);
    t->discover = pass == 0;
    t->trained = pass == 0 ? NULL : trained;
    t->step = f->name.name;
    t->entry->exported = f->exported;
    enter(e, &o, t, f->name.name);
    e->mute += pass == 0;
    int errors = e->errors;
    Env *env = env_new(e, e->main->env);
    bool filled = fill(e, env, f, ctx);
    if (filled) filled = entry_body(e, env, f, &result);
    trained = t->trained;
    *ok = filled && e->errors == errors;
    e->mute -= pass == 0;
    if (pass == 0) {
      e->errors = errors;
    }
    if (pass == 1 && *ok) trace_close(e, t);
    leave(e, &o);
    if (pass == 1) return t;
  }
  return NULL;
}

static bool fill_signature(Elab *e, Env *env, const AstFn *f, void *ctx) { return inputs_from_signature(e, env, f); }

/* An exported function or step; index of the entry or -1. */
int elab_export_entry(Elab *e, const AstFn *f) {
  bool ok;
  if (f->has_backward) {
    not_yet(e, f->backward_value.loc, "`backward`");
    return -1;
  }
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
  ptrdiff_t n_cells = arrlen(e->prog->cells);
  Trace *t = trace_fn(e, T_CHECK, f, f->name.name, fill_signature, NULL, &ok);
  if (!ok) return;
  bool bounded = keep;
  for (ptrdiff_t i = 0; i < arrlen(t->entry->vars); i++) bounded &= dim_var_bound(e->dims, t->entry->vars[i]) != CHECK_BOUND;
  if (bounded) arrput(e->prog->entries, *t->entry);
  (void)n_cells;
}

/* --- steps from feeds --------------------------------------------------------------------------------------------- */
typedef struct Fill {
  Value **statics;
  const char **names;
  int n_statics;
  const ElabFeed *feeds;
  int n_feeds;
  Loc at;
  DnnBind **binds;
  Dim *batch; /* per feed: its leading axis, once it is made */
} Fill;

static const char *leading_name(const AstType *t) {
  if (t && t->n_dims && t->dims[0].size && t->dims[0].size->kind == AX_NAME) return t->dims[0].size->name;
  return "B";
}

/* The bound of a batch that takes everything: from the signature `B <= n` or --dim. */
static int64_t whole_bound(Elab *e, Env *env, const AstType *t, const char *name) {
  int64_t n = opt_bound(e, name);
  if (n >= 0 || !t || !t->n_dims || !t->dims[0].bound) return n;
  Value *v = elab_expr(e, env, t->dims[0].bound);
  return v_const_int(e, v, &n) ? n : -1;
}

static Dim batch_dim(Elab *e, Env *env, Fill *f, int feed, const AstType *type) {
  const ElabFeed *d = &f->feeds[feed];
  const char *name = leading_name(type);
  if (f->batch[feed] != DIM_NONE) return f->batch[feed];
  int64_t bound = d->batch > 0 ? d->batch : whole_bound(e, env, type, name);
  if (bound < 0) {
    elab_error(e, d->loc.file ? d->loc : f->at, E0906, "how many records `batch all` gives is not known while compiling");
    elab_help(e, "write a bound in the step's signature, `%s <= 60000`, or give `--dim %s=60000`, or `take(d, n)`", name, name);
    return DIM_OVERFLOW;
  }
  f->batch[feed] = dim_var(e->dims, name, bound);
  return f->batch[feed];
}

static Value *field_input(Elab *e, Env *env, Fill *f, int feed, int field, const char *name, const AstType *type, Loc loc) {
  const ElabFeed *d = &f->feeds[feed];
  Type ft = field >= 0 ? d->fields[field].type : type_scalar(I32);
  Dim shape[MAX_RANK];
  int rank = 0;
  if (d->batch != 0) {
    shape[rank] = batch_dim(e, env, f, feed, type);
    if (shape[rank++] == DIM_OVERFLOW) return e->poison;
  }
  if (ft.rank + rank > MAX_RANK) return elab_error(e, loc, E0304, "`%s` with its batch axis has more than %d axes", name, MAX_RANK);
  for (int i = 0; i < ft.rank; i++) shape[rank++] = ft.shape[i];
  DnnBind b = {feed, field};
  if (f->binds) arrput(*f->binds, b);
  return v_tensor(e, add_input(e, name, type_of(e->arena, ft.dtype, rank, shape), field >= 0 ? d->fields[field].below : DIM_NONE, NULL, loc));
}

static int find_field(const ElabFeed *d, const char *name) {
  for (int i = 0; i < d->n_fields; i++)
    if (strcmp(d->fields[i].name, name) == 0) return i;
  return -1;
}

/* A parameter that takes a whole record of a named feed. */
static Value *record_input(Elab *e, Env *env, Fill *f, int feed, const AstParam *p) {
  const ElabFeed *d = &f->feeds[feed];
  const AstType *t = p->type && p->type->kind == AT_TUPLE ? p->type : NULL;
  int n = t ? t->n_fields : d->n_fields;
  Value **items = arena_array(e->arena, Value *, n + 1);
  const char **names = arena_array(e->arena, const char *, n + 1);
  for (int i = 0; i < n; i++) {
    names[i] = t ? t->fields[i].name.name : d->fields[i].name;
    int k = names[i] ? find_field(d, names[i]) : i;
    if (k < 0 && !(names[i] && strcmp(names[i], "row") == 0))
      return elab_error(e, p->loc, E0907, "the data fed to `%s` has no field `%s`", p->name.name, names[i]);
    items[i] = field_input(e, env, f, feed, k, arena_printf(e->arena, "%s.%s", p->name.name, names[i]),
                           t ? t->fields[i].type : NULL, p->name.loc);
    if (is_poison(items[i])) return items[i];
  }
  return v_tuple(e, items, names, n);
}

static Value *fed_param(Elab *e, Env *env, Fill *f, const AstParam *p, const AstFn *fn) {
  for (int i = 0; i < f->n_statics; i++)
    if (strcmp(f->names[i], p->name.name) == 0) return f->statics[i];
  for (int i = 0; i < f->n_feeds; i++) {
    const ElabFeed *d = &f->feeds[i];
    if (d->name) {
      if (strcmp(d->name, p->name.name) == 0) return record_input(e, env, f, i, p);
      continue;
    }
    int k = find_field(d, p->name.name);
    if (k >= 0 || strcmp(p->name.name, "row") == 0) return field_input(e, env, f, i, k, p->name.name, p->type, p->name.loc);
  }
  if (p->value) return elab_expr(e, env, p->value);
  elab_error(e, f->at, E0907, "nothing fills the parameter `%s` of the step `%s`", p->name.name, fn->name.name);
  elab_note(e, p->loc, "it is declared here");
  const char **names = NULL;
  for (int i = 0; i < f->n_feeds; i++)
    for (int k = 0; !f->feeds[i].name && k < f->feeds[i].n_fields; k++) arrput(names, f->feeds[i].fields[k].name);
  const char *near = diag_nearest(p->name.name, names, (int)arrlen(names));
  if (near) elab_help(e, "the record has a field `%s`; parameters are filled by name", near);
  else if (!f->n_feeds) elab_help(e, "`run %s on data` fills parameters from records, `run %s(%s = …)` gives a static one", fn->name.name, fn->name.name, p->name.name);
  else elab_help(e, "parameters are filled by name; `map(d, fn(r) { (%s = r.…) })` renames a field", p->name.name);
  arrfree(names);
  return e->poison;
}

/* Where the field that fills a parameter is declared; no place when there is none. */
static Loc field_place(const Fill *f, const char *name) {
  for (int i = 0; i < f->n_feeds; i++)
    for (int k = 0; !f->feeds[i].name && k < f->feeds[i].n_fields; k++)
      if (strcmp(f->feeds[i].fields[k].name, name) == 0) return f->feeds[i].fields[k].loc;
  return (Loc){0};
}

static bool fill_feeds(Elab *e, Env *env, const AstFn *fn, void *ctx) {
  Fill *f = ctx;
  Sig s;
  bool ok = true;
  if (f->binds) arrsetlen(*f->binds, 0);
  f->batch = arena_array(e->arena, Dim, f->n_feeds + 1);
  for (int i = 0; i < f->n_statics; i++) {
    bool known = false;
    for (int k = 0; k < fn->n_params; k++) known |= strcmp(fn->params[k].name.name, f->names[i]) == 0;
    if (!known) {
      elab_error(e, f->at, E0417, "the step `%s` has no parameter `%s`", fn->name.name, f->names[i]);
      elab_note(e, fn->name.loc, "it is declared here");
      return false;
    }
  }
  sig_begin(e, &s, env);
  for (int i = 0; i < fn->n_params && ok; i++) {
    const AstParam *p = &fn->params[i];
    Value *v = fed_param(e, env, f, p, fn);
    ptrdiff_t port = arrlen(e->trace->entry->inputs) - 1;
    if (p->type && !is_poison(v)) {
      TypeX *t = resolve_type(e, &s, p->type);
      v = t ? unify_type(e, &s, t, v, arena_printf(e->arena, "the field `%s` given to the step `%s`", p->name.name, fn->name.name), p->loc) : e->poison;
      if (is_poison(v)) {
        elab_note(e, field_place(f, p->name.name), "the field of the record is declared here");
        elab_note(e, f->at, "it is run here");
      } else if (t->kind == TX_TENSOR && t->below != DIM_NONE && port >= 0) {
        Dim below = sig_subst(e, t->below);
        if (!sig_open(e, &s, below)) e->trace->entry->inputs[port].below = below;
      }
    }
    env_bind(env, p->name.name, v, p->name.loc);
    ok = !is_poison(v);
  }
  return sig_end(e, &s) && ok;
}

bool elab_is_step(Elab *e, const char *name, const AstFn **decl) {
  for (ptrdiff_t i = 0; i < arrlen(e->main->globals); i++) {
    const Global *g = &e->main->globals[i];
    if (g->item->kind != AI_STEP || strcmp(g->name, name) != 0) continue;
    if (decl) *decl = g->item->fn;
    return true;
  }
  return false;
}

static const char *entry_name(Elab *e, const char *step, const Fill *f) {
  Buf b = {0};
  buf_str(&b, step);
  for (int i = 0; i < f->n_statics; i++)
    buf_printf(&b, "%s%s = %s", i ? ", " : "(", f->names[i], value_text(e, f->statics[i]));
  if (f->n_statics) buf_char(&b, ')');
  const char *s = arena_strdup(e->arena, b.s);
  buf_free(&b);
  return s;
}

static bool same_dim(Elab *e, Dim a, Dim b) {
  int va = dim_as_var(e->dims, a), vb = dim_as_var(e->dims, b);
  if (a == b) return true;
  return va >= 0 && vb >= 0 && dim_var_bound(e->dims, va) == dim_var_bound(e->dims, vb);
}

/* An entry made before for the same request. */
static int same_entry(Elab *e, const Entry *en) {
  for (int i = 0; i < arrlen(e->prog->entries); i++) {
    const Entry *o = &e->prog->entries[i];
    bool same = o->kind == DNN_STEP && strcmp(o->name, en->name) == 0 && arrlen(o->inputs) == arrlen(en->inputs);
    for (ptrdiff_t k = 0; same && k < arrlen(o->inputs); k++) {
      Type a = o->inputs[k].type, b = en->inputs[k].type;
      same = a.dtype == b.dtype && a.rank == b.rank && strcmp(o->inputs[k].name, en->inputs[k].name) == 0;
      for (int j = 0; same && j < a.rank; j++) same = same_dim(e, a.shape[j], b.shape[j]);
    }
    if (same) return i;
  }
  return -1;
}

static void unique_name(Elab *e, Entry *en) {
  int n = 1;
  const char *base = en->name;
  for (ptrdiff_t i = 0; i < arrlen(e->prog->entries); i++)
    if (i != e->prog->init && strcmp(e->prog->entries[i].name, en->name) == 0) {
      en->name = arena_printf(e->arena, "%s.%d", base, ++n);
      i = -1;
    }
}

int elab_step_entry(Elab *e, const char *step, Value **statics, const char **names, int n_statics, const ElabFeed *feeds,
                    int n_feeds, Loc at, DnnBind **binds) {
  const AstFn *fn;
  bool ok;
  if (!elab_is_step(e, step, &fn)) {
    elab_error(e, at, E0819, "there is no step `%s`", step);
    const char **all = NULL;
    for (ptrdiff_t i = 0; i < arrlen(e->main->globals); i++)
      if (e->main->globals[i].item->kind == AI_STEP) arrput(all, e->main->globals[i].name);
    const char *near = diag_nearest(step, all, (int)arrlen(all));
    if (near) elab_help(e, "did you mean `%s`?", near);
    arrfree(all);
    return -1;
  }
  Fill f = {statics, names, n_statics, feeds, n_feeds, at, binds, NULL};
  arrput(e->stepped, fn);
  Trace *t = trace_fn(e, T_STEP, fn, entry_name(e, step, &f), fill_feeds, &f, &ok);
  if (!ok) return -1;
  int old = same_entry(e, t->entry);
  if (old >= 0) return old;
  unique_name(e, t->entry);
  arrput(e->prog->entries, *t->entry);
  return (int)arrlen(e->prog->entries) - 1;
}

/* --- records and expressions -------------------------------------------------------------------------------------- */
int elab_record_entry(Elab *e, const char *name, Value *fn, const Port *fields, int n_fields, Loc at, Port **out) {
  Outer o;
  Trace *t = trace_new(e, T_RECORD, name, at);
  enter(e, &o, t, name);
  int errors = e->errors;
  Value *r = NULL;
  if (n_fields >= 0) {
    Value **items = arena_array(e->arena, Value *, n_fields + 1);
    const char **names = arena_array(e->arena, const char *, n_fields + 1);
    for (int i = 0; i < n_fields; i++) {
      names[i] = fields[i].name;
      items[i] = v_tensor(e, add_input(e, fields[i].name, fields[i].type, fields[i].below, NULL, fields[i].loc));
    }
    r = v_tuple(e, items, names, n_fields);
  }
  Value *v = elab_call_values(e, fn, &r, r ? 1 : 0, at);
  bool ok = !is_poison(v) && add_result(e, v, NULL, NULL, at) && e->errors == errors;
  if (ok) trace_close(e, t);
  leave(e, &o);
  if (!ok) return -1;
  for (ptrdiff_t i = 0; out && i < arrlen(t->entry->outputs); i++) arrput(*out, t->entry->outputs[i]);
  unique_name(e, t->entry);
  arrput(e->prog->entries, *t->entry);
  return (int)arrlen(e->prog->entries) - 1;
}

int elab_expr_entry(Elab *e, const char *name, Env *env, const AstExpr *x, Loc at) {
  Outer o;
  Trace *t = trace_new(e, T_RECORD, name, at);
  enter(e, &o, t, name);
  int errors = e->errors;
  Value *v = elab_expr(e, env, x);
  bool ok = !is_poison(v) && add_result(e, v, NULL, NULL, x->loc) && e->errors == errors;
  if (ok) trace_close(e, t);
  leave(e, &o);
  if (!ok) return -1;
  unique_name(e, t->entry);
  arrput(e->prog->entries, *t->entry);
  return (int)arrlen(e->prog->entries) - 1;
}

bool elab_has_cells(Elab *e, const char *path) {
  for (ptrdiff_t i = 0; i < arrlen(e->prog->cells); i++)
    if (path_covers(path, e->prog->cells[i].path)) return true;
  return false;
}
