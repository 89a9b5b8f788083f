/* `train { ... }`: after its static `for` and `if`, a flat list of stages and passes. Fills prog->actions.
 *
 * A body with a length (`epochs`, `steps`) is a stage: its runs are repeated in order, with what stands in `each` and
 * `every`, `stop` and `keep`; `load`, `save` and `write` happen once, before the stage when they stand before its first
 * run, else after it. Without a length, and beside explicit stages, a run is one pass over its data. */
#include "frontend/train.h"
#include "base/size.h"
#include <string.h>

/* --- settings ----------------------------------------------------------------------------------------------------- */

/* One statement after unrolling, and the names its `for`s bound. */
typedef struct Flat {
  const AstTrain *t;
  Env *env;
} Flat;

static void flatten(Elab *e, Env *env, const AstTrainBlock *block, Flat **out);

static void flatten_for(Elab *e, Env *env, const AstTrain *t, Flat **out) {
  Value **items = NULL;
  int n = elab_range(e, env, &t->range, &items);
  for (int i = 0; i < n; i++) {
    Env *inner = env_new(e, env);
    if (elab_pattern(e, inner, t->pattern, items[i])) flatten(e, inner, &t->body, out);
  }
}

static void flatten_if(Elab *e, Env *env, const AstTrain *t, Flat **out) {
  for (int i = 0; i < t->n_arms; i++) {
    bool yes = true;
    if (t->arms[i].cond) {
      Value *c = elab_expr(e, env, t->arms[i].cond);
      if (is_poison(c) || !want_bool(e, c, &yes, "the condition", t->arms[i].cond->loc)) return;
    }
    if (yes) return flatten(e, env_new(e, env), &t->arms[i].body, out);
  }
}

static void flatten(Elab *e, Env *env, const AstTrainBlock *block, Flat **out) {
  for (int i = 0; i < block->n; i++) {
    const AstTrain *t = block->stmts[i];
    if (t->kind == AR_FOR) flatten_for(e, env, t, out);
    else if (t->kind == AR_IF) flatten_if(e, env, t, out);
    else arrput(*out, ((Flat){t, env}));
  }
}

static bool positive(Elab *e, Env *env, const AstExpr *x, const char *what, int64_t *out) {
  Value *v = elab_expr(e, env, x);
  if (is_poison(v) || !want_int(e, v, out, what, x->loc)) return false;
  if (*out >= 1 && *out <= INT32_MAX) return true;
  elab_error(e, x->loc, E0809, "%s is %lld, but must be 1 to 2147483647", what, (long long)*out);
  return false;
}

/* Each setting once per body: `slot` remembers where it was. */
static bool once(Elab *e, const char *name, Loc *slot, Loc at) {
  if (slot->file) {
    elab_error(e, at, E0821, "`%s` is set twice", name);
    elab_note(e, *slot, "here first");
    return false;
  }
  *slot = at;
  return true;
}

static void set_batch(Elab *e, Env *env, const AstBatch *b, Batch *out) {
  *out = (Batch){.kind = b->kind, .drop = b->drop, .loc = b->loc};
  if (b->kind == AB_SIZE && !positive(e, env, b->size, "the batch size", &out->size)) out->size = 1;
}

/* "500M" */
static void set_budget(Elab *e, Env *env, const AstTrain *t) {
  const char *text = NULL;
  Value *v = elab_expr(e, env, t->value);
  if (is_poison(v) || !want_str(e, v, &text, "the budget", t->value->loc)) return;
  int64_t bytes = size_parse(text);
  if (bytes > 0) {
    e->prog->budget = bytes;
    e->prog->budget_loc = t->loc;
    return;
  }
  elab_error(e, t->value->loc, E0844, "`%s` is no size of memory", text);
  elab_help(e, "bytes, or with K, M or G behind the number: budget \"500M\"");
}

/* The settings of one body, on top of those around it. */
static void collect(Elab *e, const Flat *flat, bool top, Settings *s) {
  Loc length = {0}, batch = {0}, seed = {0}, budget = {0};
  for (int i = 0; i < arrlen(flat); i++) {
    const AstTrain *t = flat[i].t;
    int64_t v;
    if (t->kind == AR_EPOCHS || t->kind == AR_STEPS) {
      const char *name = t->kind == AR_EPOCHS ? "epochs" : "steps";
      if (length.file && s->unit != (t->kind == AR_EPOCHS ? DNN_EPOCHS : DNN_STEPS)) {
        elab_error(e, t->loc, E0821, "a stage is as long as its `epochs` or its `steps`, not both");
        elab_note(e, length, "the other length");
      } else if (once(e, name, &length, t->loc) && positive(e, flat[i].env, t->value, "the length", &v)) {
        s->unit = t->kind == AR_EPOCHS ? DNN_EPOCHS : DNN_STEPS;
        s->length = v;
        s->length_loc = t->loc;
      }
    } else if (t->kind == AR_BATCH) {
      if (once(e, "batch", &batch, t->loc)) set_batch(e, flat[i].env, &t->batch, &s->batch);
    } else if (t->kind == AR_SEED) {
      Value *x = elab_expr(e, flat[i].env, t->value);
      if (!top) elab_error(e, t->loc, E0822, "`seed` belongs at the top of `train`, for the whole training");
      else if (once(e, "seed", &seed, t->loc) && !is_poison(x) && want_int(e, x, &v, "the seed", t->value->loc))
        e->prog->seed = (uint64_t)v;
    } else if (t->kind == AR_BUDGET) {
      if (!top) elab_error(e, t->loc, E0822, "`budget` belongs at the top of `train`, for the whole training");
      else if (once(e, "budget", &budget, t->loc)) set_budget(e, flat[i].env, t);
    }
  }
}

/* --- small statements --------------------------------------------------------------------------------------------- */

Act *act_new(Elab *e, int kind, Loc at) {
  Act *a = arena_one(e->arena, Act);
  a->a = (DnnAction){.kind = kind, .place = loc_text(e, at), .entry = -1};
  a->loc = at;
  return a;
}

static const char *want_path(Elab *e, Env *env, const AstExpr *x, const char *what) {
  const char *s = NULL;
  Value *v = elab_expr(e, env, x);
  if (is_poison(v) || !want_str(e, v, &s, what, x->loc)) return NULL;
  if (*s) return s;
  elab_error(e, x->loc, E0820, "%s is empty", what);
  return NULL;
}

/* Does the path lead out of the folder it counts from? */
static bool leads_out(const char *path) {
  if (*path == '/') return true;
  for (const char *s = path; s; s = strchr(s, '/') ? strchr(s, '/') + 1 : NULL)
    if (!strncmp(s, "..", 2) && (!s[2] || s[2] == '/')) return true;
  return false;
}

/* The same of a file that is made: it stays in the run folder. */
static const char *want_output(Elab *e, Env *env, const AstExpr *x, const char *what) {
  const char *s = want_path(e, env, x, what);
  if (!s || !leads_out(s)) return s;
  elab_error(e, x->loc, E0820, "`%s` leads out of the run folder", s);
  elab_help(e, "what a training makes lies below the folder of --out; write a path without `..` and first `/`");
  return NULL;
}

/* A place as text: net.blocks[3].w, or a metric evaluate(s = 0).accuracy. False after an error. */
static bool place_text(Elab *e, Env *env, const AstExpr *x, Buf *b) {
  switch (x->kind) {
  case AX_NAME: buf_str(b, x->name); return true;
  case AX_FIELD:
    if (!place_text(e, env, x->field.base, b)) return false;
    buf_printf(b, ".%s", x->field.name.name);
    return true;
  case AX_INDEX: {
    int64_t i;
    if (!place_text(e, env, x->index.base, b) || x->index.n != 1 || x->index.items[0].kind != AST_INDEX_EXPR) break;
    if (!v_const_int(e, elab_expr(e, env, x->index.items[0].value), &i)) break;
    buf_printf(b, "[%lld]", (long long)i);
    return true;
  }
  case AX_CALL: {
    if (!place_text(e, env, x->call.fn, b)) return false;
    buf_char(b, '(');
    for (int i = 0; i < x->call.n; i++) {
      Value *v = elab_expr(e, env, x->call.args[i].value);
      if (is_poison(v)) return false;
      if (x->call.args[i].name.name)
        buf_printf(b, "%s%s = %s", i ? ", " : "", x->call.args[i].name.name, value_text(e, v));
      else buf_printf(b, "%s%s", i ? ", " : "", value_text(e, v));
    }
    buf_char(b, ')');
    return true;
  }
  default: break;
  }
  elab_error(e, x->loc, E0823, "a name with its path must stand here: `net.head`, or a metric `evaluate.accuracy`");
  return false;
}

const char *train_place(Elab *e, Env *env, const AstExpr *x) {
  Buf b = {0};
  const char *s = place_text(e, env, x, &b) ? arena_strdup(e->arena, b.s) : NULL;
  buf_free(&b);
  return s;
}

/* Metrics are checked when all runs of the block are known. */
void train_metric(Elab *e, const char *metric, Loc at) {
  TrainState *s = e->train;
  arrput(s->metrics, ((MetricUse){metric, at}));
}

static Act *stop_act(Elab *e, Env *env, const AstTrain *t) {
  Act *a = act_new(e, t->stalls ? DNN_STALL : DNN_STOP, t->loc);
  a->a.metric = train_place(e, env, t->place);
  if (!a->a.metric) return NULL;
  train_metric(e, a->a.metric, t->place->loc);
  if (t->stalls) {
    a->a.unit = t->unit == AST_EPOCHS ? DNN_EPOCHS : DNN_STEPS;
    return positive(e, env, t->value, "the patience", &a->a.count) ? a : NULL;
  }
  a->a.compare = t->cmp == AST_LT ? '<' : t->cmp == AST_GT ? '>' : t->cmp == AST_LE ? 'l' : 'g';
  Value *v = elab_expr(e, env, t->value);
  return !is_poison(v) && want_float(e, v, &a->a.value, "the bound", t->value->loc) ? a : NULL;
}

static Act *keep_act(Elab *e, Env *env, const AstTrain *t) {
  Act *a = act_new(e, DNN_KEEP, t->loc);
  a->a.metric = train_place(e, env, t->place);
  if (!a->a.metric) return NULL;
  train_metric(e, a->a.metric, t->place->loc);
  a->a.compare = t->max ? '>' : '<';
  return a;
}

static Act *load_act(Elab *e, Env *env, const AstTrain *t) {
  Act *a = act_new(e, DNN_LOAD, t->loc);
  a->a.into = train_place(e, env, t->place);
  a->a.path = want_path(e, env, t->value, "the file to load");
  if (!a->a.into || !a->a.path) return NULL;
  if (elab_has_cells(e, a->a.into)) return a;
  elab_error(e, t->place->loc, E0824, "nothing to load into: `%s` is no model, state or part of one", a->a.into);
  return NULL;
}

static Act *save_act(Elab *e, Env *env, const AstTrain *t) {
  Act *a = act_new(e, DNN_SAVE, t->loc);
  a->a.path = want_output(e, env, t->value, "the file to save");
  return a->a.path ? a : NULL;
}

static Act *write_act(Elab *e, Env *env, const AstTrain *t) {
  static const char *const endings[] = {".png", ".txt", ".csv", ".npy"};
  Act *a = act_new(e, DNN_WRITE, t->loc);
  a->a.path = want_output(e, env, t->place, "the file to write");
  if (!a->a.path) return NULL;
  const char *dot = strrchr(a->a.path, '.');
  bool known = false;
  for (int i = 0; i < 4; i++) known |= dot && !strcmp(dot, endings[i]);
  if (!known) {
    elab_error(e, t->place->loc, E0820, "`%s` does not end in a form that can be written", a->a.path);
    elab_help(e, "the ending says the form: .png, .txt, .csv or .npy");
    return NULL;
  }
  TrainState *s = e->train;
  const char **texts = NULL;
  a->a.entry = elab_expr_entry(e, arena_printf(e->arena, "write%d", s->n_writes++), env, t->value, t->loc, &texts);
  if (a->a.entry < 0) return NULL;
  if (arrlen(texts)) a->a.texts = arena_copy(e->arena, texts, sizeof *texts * (size_t)arrlen(texts));
  arrfree(texts);
  const Entry *entry = &e->prog->entries[a->a.entry];
  if (entry->n_results == 1) a->a.as = entry->outputs[0].as;
  return a;
}

/* --- bodies ------------------------------------------------------------------------------------------------------- */

static void body_acts(Elab *e, const Flat *flat, const Settings *s, Act *into);

/* `each epoch { }`, `every n steps { }`: passes and writes. */
static Act *every_act(Elab *e, Env *env, const AstTrain *t, const Settings *s) {
  Act *a = act_new(e, DNN_EVERY, t->loc);
  Flat *flat = NULL;
  Settings inner = *s;
  a->a.unit = t->kind == AR_EACH || t->unit == AST_EPOCHS ? DNN_EPOCHS : DNN_STEPS;
  a->a.count = 1;
  if (t->kind == AR_EVERY && !positive(e, env, t->value, "the interval", &a->a.count)) return NULL;
  flatten(e, env_new(e, env), &t->body, &flat);
  collect(e, flat, false, &inner);
  body_acts(e, flat, &inner, a);
  arrfree(flat);
  return a;
}

static bool is_setting(AstTrainKind k) {
  return k == AR_SEED || k == AR_BUDGET || k == AR_EPOCHS || k == AR_STEPS || k == AR_BATCH;
}
static bool is_once(AstTrainKind k) { return k == AR_SAVE || k == AR_LOAD || k == AR_WRITE; }

static Act *plain_act(Elab *e, const Flat *f, const Settings *s) {
  switch (f->t->kind) {
  case AR_RUN: return train_run(e, f->env, f->t, s);
  case AR_EACH:
  case AR_EVERY: return every_act(e, f->env, f->t, s);
  case AR_STOP: return stop_act(e, f->env, f->t);
  case AR_KEEP: return keep_act(e, f->env, f->t);
  case AR_SAVE: return save_act(e, f->env, f->t);
  case AR_LOAD: return load_act(e, f->env, f->t);
  case AR_WRITE: return write_act(e, f->env, f->t);
  default: return NULL;
  }
}

/* The body of `each` or `every`: everything in order. */
static void body_acts(Elab *e, const Flat *flat, const Settings *s, Act *into) {
  for (int i = 0; i < arrlen(flat); i++) {
    const AstTrain *t = flat[i].t;
    if (is_setting(t->kind)) {
      if (t->kind != AR_BATCH) elab_error(e, t->loc, E0822, "a length has no place here: this is done once each time");
      continue;
    }
    if (t->kind == AR_STAGE || t->kind == AR_EACH || t->kind == AR_EVERY) {
      elab_error(e, t->loc, E0822, "%s cannot stand inside `each` or `every`",
                 t->kind == AR_STAGE ? "a stage" : "another `each` or `every`");
      continue;
    }
    Act *a = plain_act(e, &flat[i], s);
    if (a) arrput(into->kids, a);
  }
}

static bool has_feed(const Act *stage) {
  for (int i = 0; i < arrlen(stage->kids); i++)
    if (stage->kids[i]->a.kind == DNN_RUN && stage->kids[i]->a.n_feeds) return true;
  return false;
}

/* A body with a length: [once before] stage [once after], appended to `out`. */
static Act *stage_acts(Elab *e, const char *name, const Flat *flat, const Settings *s, Loc at, Act ***out) {
  Act *stage = act_new(e, DNN_STAGE, at), **after = NULL;
  bool ran = false, broken = false;
  stage->a.name = name ? name : "train";
  stage->a.unit = s->unit;
  stage->a.count = s->length;
  for (int i = 0; i < arrlen(flat); i++) {
    const AstTrain *t = flat[i].t;
    if (is_setting(t->kind)) continue;
    if (t->kind == AR_STAGE) {
      elab_error(e, t->loc, E0822, "a stage cannot stand inside a stage");
      elab_note(e, at, "the stage around it");
      continue;
    }
    Act *a = plain_act(e, &flat[i], s);
    ran |= t->kind == AR_RUN;
    broken |= !a;
    if (!a) continue;
    if (!is_once(t->kind)) arrput(stage->kids, a);
    else if (ran) arrput(after, a);
    else arrput(*out, a);
  }
  if (!ran) {
    elab_error(e, at, E0825, "this stage runs nothing");
    elab_help(e, "add `run step on data`");
  } else if (s->unit == DNN_EPOCHS && !broken && !has_feed(stage)) {
    elab_error(e, s->length_loc, E0825, "an epoch is one pass over a data set, but no `run` here has one");
    elab_help(e, "say how often with `steps %lld`", (long long)s->length);
  }
  arrput(*out, stage);
  for (int i = 0; i < arrlen(after); i++) arrput(*out, after[i]);
  arrfree(after);
  return stage;
}

static const char *stage_name(Elab *e, Env *env, const AstTrain *t) {
  const char *s = t->name.name;
  if (!t->text) return s;
  Value *v = elab_expr(e, env, t->text);
  return !is_poison(v) && want_str(e, v, &s, "the name of a stage", t->text->loc) ? s : NULL;
}

/* The batch size a stage has, for the passes behind it: its own, else that of its first feed. */
static Batch stage_batch(const Act *stage, const Settings *s) {
  Batch b = s->batch;
  for (int i = 0; b.kind == AB_UNSAID && i < arrlen(stage->kids); i++)
    if (stage->kids[i]->a.n_feeds && stage->kids[i]->a.feeds[0].batch > 0)
      b = (Batch){.kind = AB_SIZE, .size = stage->kids[i]->a.feeds[0].batch, .loc = stage->loc};
  b.drop = false;
  return b;
}

/* The batch size for passes behind the stage. */
static Batch explicit_stage(Elab *e, const Flat *f, const Settings *around, Act ***out) {
  Flat *flat = NULL;
  Settings s = *around;
  flatten(e, env_new(e, f->env), &f->t->body, &flat);
  collect(e, flat, false, &s);
  if (!s.length) {
    elab_error(e, f->t->loc, E0825, "this stage has no length");
    elab_help(e, "add `epochs n` or `steps n`");
    s.length = 1;
  }
  Batch b = stage_batch(stage_acts(e, stage_name(e, f->env, f->t), flat, &s, f->t->loc, out), &s);
  arrfree(flat);
  return b;
}

/* The top level: explicit stages and passes, or one stage of everything. */
static void top_acts(Elab *e, const AstItem *item, Act ***out) {
  Flat *flat = NULL;
  Settings s = {0};
  bool staged = false;
  flatten(e, env_new(e, e->main->env), &(AstTrainBlock){item->loc, item->train, item->n_train}, &flat);
  collect(e, flat, true, &s);
  for (int i = 0; i < arrlen(flat); i++) staged |= flat[i].t->kind == AR_STAGE;
  if (s.length && !staged) {
    stage_acts(e, item->name.name, flat, &s, item->loc, out);
  } else {
    Settings pass = s; /* a pass that says no batch size takes that of the stage before it */
    for (int i = 0; i < arrlen(flat); i++) {
      const AstTrain *t = flat[i].t;
      if (is_setting(t->kind)) continue;
      if (t->kind == AR_STAGE) {
        Batch b = explicit_stage(e, &flat[i], &s, out);
        if (s.batch.kind == AB_UNSAID) pass.batch = b;
      } else if (t->kind == AR_EACH || t->kind == AR_EVERY || t->kind == AR_STOP || t->kind == AR_KEEP) {
        elab_error(e, t->loc, E0825, "this belongs to a stage, and there is none around it");
        elab_help(e, staged ? "move it into the stage" : "give the training a length: `epochs n` or `steps n`");
      } else {
        Act *a = plain_act(e, &flat[i], &pass);
        if (a) arrput(*out, a);
      }
    }
  }
  arrfree(flat);
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

/* Appends siblings side by side, then the children of each. */
static void lay_out(Elab *e, Act **acts) {
  int first = (int)arrlen(e->prog->actions);
  for (int i = 0; i < arrlen(acts); i++) arrput(e->prog->actions, acts[i]->a);
  for (int i = 0; i < arrlen(acts); i++) {
    int n = (int)arrlen(acts[i]->kids), at = (int)arrlen(e->prog->actions);
    if (n) lay_out(e, acts[i]->kids);
    e->prog->actions[first + i].first = n ? at : 0;
    e->prog->actions[first + i].n = n;
  }
}

void train_elaborate(Elab *e, const AstItem *item) {
  Act **acts = NULL;
  if (!e->train) e->train = arena_one(e->arena, TrainState);
  TrainState *s = e->train;
  if (s->item) {
    elab_error(e, item->loc, E0818, "a file has one `train`");
    elab_note(e, s->item->loc, "the other one");
    elab_help(e, "several trainings in a row are stages of one: `stage first { ... }; stage second { ... }`");
    return;
  }
  s->item = item;
  top_acts(e, item, &acts);
  lay_out(e, acts);
  e->prog->n_stages = (int)arrlen(acts);
  arrfree(acts);
}
