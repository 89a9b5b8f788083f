/* Steps as entry points of a train block: parameters filled by name from records, with a leading batch axis. */
#include "frontend/elab_priv.h"
#include <string.h>

typedef struct Fill {
  Value **statics;
  const char **names;
  int n_statics;
  const ElabFeed *feeds;
  int n_feeds;
  Loc at;
  DnnBind **binds;
  Dim *batch;   /* per feed: its leading axis, once it is made */
  Dim **packed; /* per feed and fit: the packed size, once it is made */
} Fill;

static const char *leading_name(const AstType *t) {
  if (t && t->n_dims && t->dims[0].size && t->dims[0].size->kind == AX_NAME) return t->dims[0].size->name;
  return "B";
}

/* The bound of a batch that takes everything: from the signature `B <= n` or --dim; else -1, and the driver finds it
 * before memory is planned. */
static int64_t whole_bound(Elab *e, Env *env, const AstType *t, const char *name) {
  int64_t n = option_bound(e, name);
  if (n >= 0 || !t || !t->n_dims || !t->dims[0].bound) return n;
  Value *v = elab_expr(e, env, t->dims[0].bound);
  return v_const_int(e, v, &n) ? n : -1;
}

static Dim batch_dim(Elab *e, Env *env, Fill *f, int feed, const AstType *type) {
  const ElabFeed *d = &f->feeds[feed];
  const char *name = leading_name(type);
  if (f->batch[feed] != DIM_NONE) return f->batch[feed];
  int64_t bound = d->batch > 0 ? d->batch : whole_bound(e, env, type, name);
  f->batch[feed] = dim_var(e->dims, name, bound);
  return f->batch[feed];
}

static Dim packed_dim(Elab *e, Fill *f, int feed, int fit) {
  const DnnFit *p = &f->feeds[feed].fits[fit];
  if (f->packed[feed][fit] == DIM_NONE) f->packed[feed][fit] = dim_var(e->dims, p->var, p->size);
  return f->packed[feed][fit];
}

/* A field whose first axis is packed: the records of a batch end to end, without a batch axis. */
static Value *packed_input(Elab *e, Env *env, Fill *f, int feed, int field, const char *name, Loc loc) {
  const ElabFeed *d = &f->feeds[feed];
  const Port *p = &d->fields[field];
  int fit = p->fits[0], below = p->fits[p->type.rank];
  Dim shape[MAX_RANK], bound = p->below;
  for (int i = 0; i < p->type.rank; i++) shape[i] = i ? p->type.shape[i] : packed_dim(e, f, feed, fit);
  if (below >= 0 && d->fits[below].pack) bound = packed_dim(e, f, feed, below);
  if (d->fits[fit].as && !strcmp(d->fits[fit].as, p->name)) bound = batch_dim(e, env, f, feed, NULL);
  if (bound == DIM_OVERFLOW) return e->poison;
  DnnBind b = {feed, field};
  if (f->binds) arrput(*f->binds, b);
  return v_tensor(e, trace_input(e, name, type_of(e->arena, p->type.dtype, p->type.rank, shape), bound, NULL, loc));
}

static Value *field_input(Elab *e, Env *env, Fill *f, int feed, int field, const char *name, const AstType *type,
                          Loc loc) {
  const ElabFeed *d = &f->feeds[feed];
  const Port *p = field >= 0 ? &d->fields[field] : NULL;
  if (p && p->fits && p->type.rank && p->fits[0] >= 0 && d->fits[p->fits[0]].pack)
    return packed_input(e, env, f, feed, field, name, loc);
  Type ft = field >= 0 ? d->fields[field].type : type_scalar(I32);
  Dim shape[MAX_RANK];
  int rank = 0;
  if (d->batch != 0) {
    shape[rank] = batch_dim(e, env, f, feed, type);
    if (shape[rank++] == DIM_OVERFLOW) return e->poison;
  }
  if (ft.rank + rank > MAX_RANK)
    return elab_error(e, loc, E0304, "`%s` with its batch axis has more than %d axes", name, MAX_RANK);
  for (int i = 0; i < ft.rank; i++) shape[rank++] = ft.shape[i];
  DnnBind b = {feed, field};
  if (f->binds) arrput(*f->binds, b);
  return v_tensor(e, trace_input(e, name, type_of(e->arena, ft.dtype, rank, shape),
                                 field >= 0 ? d->fields[field].below : DIM_NONE, NULL, loc));
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
    if (k >= 0 || strcmp(p->name.name, "row") == 0)
      return field_input(e, env, f, i, k, p->name.name, p->type, p->name.loc);
  }
  if (p->value) return elab_expr(e, env, p->value);
  elab_error(e, f->at, E0907, "nothing fills the parameter `%s` of the step `%s`", p->name.name, fn->name.name);
  elab_note(e, p->loc, "it is declared here");
  const char **names = NULL;
  for (int i = 0; i < f->n_feeds; i++)
    for (int k = 0; !f->feeds[i].name && k < f->feeds[i].n_fields; k++) arrput(names, f->feeds[i].fields[k].name);
  const char *near = diag_nearest(p->name.name, names, (int)arrlen(names));
  if (near) elab_help(e, "the record has a field `%s`; parameters are filled by name", near);
  else if (!f->n_feeds)
    elab_help(e, "`run %s on data` fills parameters from records, `run %s(%s = …)` gives a static one", fn->name.name,
              fn->name.name, p->name.name);
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
  f->packed = arena_array(e->arena, Dim *, f->n_feeds + 1);
  for (int i = 0; i < f->n_feeds; i++) f->packed[i] = arena_array(e->arena, Dim, f->feeds[i].n_fits + 1);
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
      v = t ? unify_type(e, &s, t, v,
                         arena_printf(e->arena, "the field `%s` given to the step `%s`", p->name.name, fn->name.name),
                         p->loc)
            : e->poison;
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
  const Global *g = scope_find(e->main, intern(name));
  if (!g || g->item->kind != AI_STEP) return false;
  if (decl) *decl = g->item->fn;
  return true;
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

int elab_step_entry(Elab *e, const char *step, Value **statics, const char **names, int n_statics,
                    const ElabFeed *feeds, int n_feeds, Loc at, DnnBind **binds) {
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
  Fill f = {statics, names, n_statics, feeds, n_feeds, at, binds, NULL, NULL};
  arrput(e->stepped, fn);
  Trace *t = trace_fn(e, T_STEP, fn, entry_name(e, step, &f), fill_feeds, &f, &ok);
  if (!ok) return -1;
  int old = same_entry(e, t->entry);
  if (old >= 0) return old;
  entry_unique_name(e, t->entry);
  arrput(e->prog->entries, *t->entry);
  return (int)arrlen(e->prog->entries) - 1;
}
