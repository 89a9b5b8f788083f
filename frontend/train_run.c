/* One `run`: which step, its static arguments, and which data fills its parameters. */
#include "frontend/train.h"
#include <string.h>

static void note_steps(Elab *e, const char *wrong) {
  const char **names = NULL;
  const AstFile *file = e->main->file;
  for (int i = 0; i < file->n_items; i++)
    if (file->items[i]->kind == AI_STEP) arrput(names, file->items[i]->fn->name.name);
  const char *near = diag_nearest(wrong, names, (int)arrlen(names));
  if (near) elab_help(e, "did you mean `%s`?", near);
  arrfree(names);
}

static const AstFn *find_step(Elab *e, const AstTrain *t) {
  const AstFn *decl = NULL;
  if (elab_is_step(e, t->name.name, &decl)) return decl;
  const AstFile *file = e->main->file;
  for (int i = 0; i < file->n_items; i++) {
    const AstItem *it = file->items[i];
    if (it->kind != AI_FN || strcmp(it->fn->name.name, t->name.name)) continue;
    elab_error(e, t->name.loc, E0819, "`%s` is a function; only a `step` can be run", t->name.name);
    elab_note(e, it->fn->name.loc, "declared here");
    elab_help(e, "write `step %s(...)`", t->name.name);
    return NULL;
  }
  elab_error(e, t->name.loc, E0819, "there is no step `%s`", t->name.name);
  note_steps(e, t->name.name);
  return NULL;
}

static const AstParam *param_named(const AstFn *decl, const char *name) {
  for (int i = 0; i < decl->n_params; i++)
    if (!strcmp(decl->params[i].name.name, name)) return &decl->params[i];
  return NULL;
}

static bool static_args(Elab *e, Env *env, const AstTrain *t, const AstFn *decl, Value ***v, const char ***names) {
  for (int i = 0; i < t->n_args; i++) {
    const AstArg *a = &t->args[i];
    Value *x = elab_expr(e, env, a->value);
    if (is_poison(x)) return false;
    const char *name = a->name.name ? a->name.name : i < decl->n_params ? decl->params[i].name.name : NULL;
    const AstParam *p = name ? param_named(decl, name) : NULL;
    if (!p) {
      Loc at = a->name.name ? a->name.loc : a->value->loc;
      if (name) elab_error(e, at, E0826, "step `%s` has no parameter `%s`", decl->name.name, name);
      else elab_error(e, at, E0826, "step `%s` has %d parameters only", decl->name.name, decl->n_params);
      elab_note(e, decl->name.loc, "declared here");
      return false;
    }
    for (int k = 0; k < arrlen(*names); k++)
      if (!strcmp((*names)[k], name)) {
        elab_error(e, a->value->loc, E0826, "`%s` is given twice", name);
        return false;
      }
    if (v_has_tensor(x)) {
      elab_error(e, a->value->loc, E0826, "`%s` is known at run time only; arguments of a run are static", name);
      elab_help(e, "tensors come from data: `run %s on ...`", decl->name.name);
      return false;
    }
    arrput(*v, x);
    arrput(*names, name);
  }
  return true;
}

/* Feed number i as the runtime sees it and as the elaborator needs it. */
static bool one_feed(Elab *e, Env *env, const AstFeed *f, const Settings *s, DnnFeed *out, ElabFeed *shape) {
  Value *v = elab_expr(e, env, f->arg.value);
  int row = is_poison(v) ? -1 : data_want(e, v, f->arg.value->loc);
  if (row < 0) return false;
  Batch b = s->batch;
  if (f->batch.kind != AB_UNSAID) {
    b = (Batch){.kind = f->batch.kind, .drop = f->batch.drop, .loc = f->batch.loc};
    if (b.kind == AB_SIZE) {
      Value *size = elab_expr(e, env, f->batch.size);
      if (is_poison(size) || !want_int(e, size, &b.size, "the batch size", f->batch.size->loc)) return false;
      if (b.size < 1 || b.size > INT32_MAX) {
        elab_error(e, f->batch.size->loc, E0809, "the batch size is %lld, but must be 1 to 2147483647",
                   (long long)b.size);
        return false;
      }
    }
  }
  DataInfo *info = data_info(e, row);
  if (b.kind == AB_UNSAID) {
    elab_error(e, f->loc, E0827, "no batch size: how many records does a call get?");
    elab_note(e, info->loc, "the records come from here");
    elab_help(e, "add `batch 64` to the stage or behind the feed; `batch all` gives everything, `batch none` one "
                 "record without an axis");
    return false;
  }
  int64_t most = data_most(e, row);
  if (b.kind == AB_ALL && most == DATA_ENDLESS) {
    elab_error(e, f->loc, E0828, "`batch all` of records without end");
    elab_note(e, info->loc, "`generate(inf, ...)` stands here");
    elab_help(e, "`take(d, n)` gives the first n");
    return false;
  }
  *out = (DnnFeed){.data = row, .name = f->arg.name.name, .shuffled = f->shuffled, .drop = b.drop};
  out->batch = b.kind == AB_SIZE ? b.size : b.kind == AB_ALL ? -1 : 0;
  *shape = (ElabFeed){
      .name = f->arg.name.name, .fields = info->fields, .n_fields = (int)arrlen(info->fields), .loc = f->loc};
  shape->fits = info->fits, shape->n_fits = info->n_fits;
  if (b.kind == AB_NONE && data_packed(e, row)) {
    elab_error(e, f->loc, E0843, "packed records need a batch size: `batch 32` lays 32 of them end to end");
    elab_note(e, info->loc, "the records come from here");
    return false;
  }
  shape->batch = b.kind == AB_ALL && most > 0 ? most : out->batch;
  return true;
}

static bool feeds_fit(Elab *e, const AstTrain *t, const AstFn *decl) {
  for (int i = 0; i < t->n_feeds; i++) {
    const AstName *name = &t->feeds[i].arg.name;
    if (!name->name && t->n_feeds > 1) {
      elab_error(e, t->feeds[i].loc, E0829, "of several feeds each one needs the name of its parameter");
      elab_note(e, decl->name.loc, "the step is declared here");
      elab_help(e, "`run %s on new = a, old = b`", decl->name.name);
      return false;
    }
    if (name->name && !param_named(decl, name->name)) {
      elab_error(e, name->loc, E0826, "step `%s` has no parameter `%s`", decl->name.name, name->name);
      elab_note(e, decl->name.loc, "declared here");
      return false;
    }
  }
  return true;
}

static bool given(const AstParam *p, const char **names, const ElabFeed *feeds, int n_feeds) {
  for (int i = 0; i < arrlen(names); i++)
    if (!strcmp(names[i], p->name.name)) return true;
  for (int i = 0; i < n_feeds; i++) {
    if (feeds[i].name && !strcmp(feeds[i].name, p->name.name)) return true;
    if (feeds[i].name) continue;
    if (!strcmp(p->name.name, "row")) return true;
    for (int k = 0; k < feeds[i].n_fields; k++)
      if (!strcmp(feeds[i].fields[k].name, p->name.name)) return true;
  }
  return p->value != NULL;
}

/* Every parameter of the step is given, comes from a field, or has a default. */
static bool all_given(Elab *e, const AstTrain *t, const AstFn *decl, const char **names, const ElabFeed *feeds,
                      const DnnFeed *rows, int n_feeds) {
  bool good = true;
  for (int i = 0; i < decl->n_params; i++) {
    const AstParam *p = &decl->params[i];
    if (given(p, names, feeds, n_feeds)) continue;
    good = false;
    if (!n_feeds) {
      elab_error(e, t->name.loc, E0801, "step `%s` needs `%s`, and this run gives it no data", decl->name.name,
                 p->name.name);
      elab_note(e, p->loc, "the parameter");
      elab_help(e, "`run %s on data`, or `run %s(%s = ...)` when it is static", decl->name.name, decl->name.name,
                p->name.name);
      continue;
    }
    elab_error(e, t->feeds[0].loc, E0801, "step `%s` needs `%s`, but the records have no such field", decl->name.name,
               p->name.name);
    elab_note(e, p->loc, "the parameter");
    elab_note(e, data_info(e, rows[0].data)->loc, "the records come from here");
    const char **fields = NULL;
    for (int k = 0; k < feeds[0].n_fields; k++) arrput(fields, feeds[0].fields[k].name);
    const char *near = diag_nearest(p->name.name, fields, (int)arrlen(fields));
    if (!near && arrlen(fields)) near = fields[0];
    if (near) elab_help(e, "the records have `%s`; rename the parameter, or the field with `map`", near);
    arrfree(fields);
  }
  return good;
}

Act *train_run(Elab *e, Env *env, const AstTrain *t, const Settings *s) {
  const AstFn *decl = find_step(e, t);
  if (!decl) return NULL;
  Value **statics = NULL;
  const char **names = NULL;
  DnnBind *binds = NULL;
  int n = t->n_feeds;
  DnnFeed *feeds = arena_array(e->arena, DnnFeed, n ? n : 1);
  ElabFeed *shapes = arena_array(e->arena, ElabFeed, n ? n : 1);
  bool good = static_args(e, env, t, decl, &statics, &names) && feeds_fit(e, t, decl);
  for (int i = 0; i < n && good; i++) good = one_feed(e, env, &t->feeds[i], s, &feeds[i], &shapes[i]);
  if (!good || !all_given(e, t, decl, names, shapes, feeds, n)) return NULL;
  Act *a = act_new(e, DNN_RUN, t->loc);
  a->a.count = 1;
  if (t->times) {
    Value *times = elab_expr(e, env, t->times);
    if (is_poison(times) || !want_int(e, times, &a->a.count, "`times`", t->times->loc)) return NULL;
    if (a->a.count < 1) {
      elab_error(e, t->times->loc, E0809, "`times` is %lld, but must be at least 1", (long long)a->a.count);
      return NULL;
    }
  }
  a->a.entry = elab_step_entry(e, decl->name.name, statics, names, (int)arrlen(statics), shapes, n, t->loc, &binds);
  if (a->a.entry < 0) return NULL;
  a->a.name = e->prog->entries[a->a.entry].name;
  a->a.n_feeds = n;
  a->a.feeds = feeds;
  a->a.binds = arena_copy(e->arena, binds, sizeof *binds * (size_t)arrlen(binds));
  TrainState *state = e->train;
  arrput(state->entries, a->a.entry);
  return a;
}

void train_check_metrics(Elab *e) {
  TrainState *s = e->train;
  const char **known = NULL;
  for (int i = 0; i < arrlen(s->entries); i++) {
    const Entry *x = &e->prog->entries[s->entries[i]];
    for (int k = 0; k < x->n_reports; k++)
      arrput(known, arena_printf(e->arena, "%s.%s", x->name, x->outputs[x->n_results + k].name));
  }
  for (int i = 0; i < arrlen(s->metrics) && !e->errors; i++) {
    bool found = false;
    for (int k = 0; k < arrlen(known); k++) found |= !strcmp(known[k], s->metrics[i].metric);
    if (found) continue;
    elab_error(e, s->metrics[i].loc, E0817, "no step that is run reports `%s`", s->metrics[i].metric);
    const char *near = diag_nearest(s->metrics[i].metric, known, (int)arrlen(known));
    if (near) elab_help(e, "did you mean `%s`?", near);
    else if (arrlen(known)) elab_help(e, "there is `%s`", known[0]);
  }
  arrfree(known);
}
