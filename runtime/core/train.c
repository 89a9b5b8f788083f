/* The training loop. A stage runs its `run`s once per step, in order, and its `each`/`every` blocks between steps; what
 * stands outside of stages is a pass over its data. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "runtime/core/file.h"
#include "runtime/core/random.h"
#include "runtime/core/tensor.h"
#include "runtime/core/train_loop.h"
#include "runtime/core/vocabulary.h"
#include "runtime/core/write.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A stage without a name is called by its first run. */
static const char *title_of(const DnnLoop *l, const DnnAction *stage) {
  if (stage->name) return stage->name;
  for (int i = 0; i < stage->n; i++)
    if (l->p->actions[stage->first + i].kind == DNN_RUN)
      return l->p->entries[l->p->actions[stage->first + i].entry].name;
  return "train";
}

volatile sig_atomic_t dnn_interrupted;
static void on_signal(int sig) {
  static const char text[] = "\nstopping after this step; once more stops at once\n";
  if (dnn_interrupted) _exit(128 + sig);
  dnn_interrupted = 1;
  if (isatty(STDERR_FILENO) && write(STDERR_FILENO, text, sizeof text - 1) < 0) return;
}

/* ---- passes and other actions ---- */

static int act(DnnLoop *l, const DnnAction *a);

/* The batches of a pass from number `k` on, on the clock of a pass. 0, 1 after an error, 2: interrupted. */
static int pass_batches(DnnLoop *l, DnnRunner *r, int64_t k) {
  int status = 0;
  for (; !status && (l->c->steps < 0 || k < l->c->steps); k++) {
    int64_t rows;
    l->c->step = k;
    int more = dnn_run_once(l, r, &rows);
    if (more < 0) status = 1;
    if (more <= 0) break;
    l->at.batch = k + 1;
    status = dnn_train_pause(l);
  }
  return status;
}

/* A pass: every batch of the data once (or `times` calls without data); means of the reports by rows. */
static int run_pass(DnnLoop *l, const DnnAction *a) {
  DnnRunner *r = dnn_runner_of(l, a);
  if (!r) return 1;
  if (r->feeder && dnn_feeder_batches(r->feeder) < 0)
    return dnn_fail(l->e, "%s: a pass over data without an end; take some records", a->place), 1;
  DnnContext was = *l->c;
  double began = dnn_seconds();
  bool again = l->again && l->at.batch >= 0;
  l->again = NULL;
  if (!again) l->at.batch = 0, l->passes++;
  l->c->stage = ((int64_t)1 << DNN_PASS_SHIFT) + l->passes - 1;
  l->c->steps = r->feeder ? dnn_feeder_batches(r->feeder) : a->count > 0 ? a->count : 1;
  l->c->epoch = 0;
  if (!again) dnn_reset_sums(r);
  if (r->feeder && !again) dnn_feeder_start(r->feeder, l->c->stage, 0);
  l->outer = &was;
  int status = pass_batches(l, r, l->at.batch);
  l->outer = NULL;
  l->at.batch = -1;
  l->c->stage = was.stage, l->c->step = was.step, l->c->steps = was.steps, l->c->epoch = was.epoch;
  if (status) return status;
  double *means = r->values, spent = dnn_seconds() - began;
  for (int i = 0; i < r->entry->n_reports; i++) means[i] = r->weight > 0 ? r->sums[i] / r->weight : NAN;
  dnn_note_metrics(l, r->entry, means);
  dnn_tell(l, DNN_EVENT_PASS, "", r, means);
  if (r->entry->n_reports)
    dnn_progress_pass(&l->progress, r->entry->name, r->entry->n_reports, r->names, means,
                      r->feeder ? r->weight / (spent > 0 ? spent : 1) : 0, spent);
  return 0;
}

static char *out_path(const DnnLoop *l, const char *path) { return dnn_path_join(l->o->out_dir, path); }

static int save_or_write(DnnLoop *l, const DnnAction *a) {
  char *path = out_path(l, a->path);
  if (!path) return dnn_fail(l->e, "out of memory"), 1;
  bool ok;
  if (a->kind == DNN_SAVE) {
    ok = dnn_weights_save(l->p, l->c->cells, DNN_SAVE_PARAM | DNN_SAVE_STATE, path, l->e);
  } else {
    DnnRunner *r = dnn_runner_of(l, a);
    int64_t rows;
    ok = r && dnn_run_once(l, r, &rows) > 0 &&
         dnn_write_result(&l->tokens, r->entry, r->vars, r->out, path, a->as, l->e);
  }
  if (ok) {
    dnn_progress_file(&l->progress, path);
    dnn_tell_file(l, path, a->path);
  } else if (l->o->saving) {
    dnn_fail_more(l->e, "\nwhen that is mended, --resume %s goes on from the last checkpoint", l->o->saving->run);
  }
  free(path);
  return ok ? 0 : 1;
}

/* `load`: what this training saved before, else a file beside the program, in --data or here. */
static int load_cells(DnnLoop *l, const DnnAction *a) {
  const char *dirs[] = {l->o->out_dir, l->o->file_dir, l->o->data_dir};
  char *path = dnn_file_find(dirs, 3, a->path);
  DnnWeights w;
  bool ok = path && dnn_weights_open(path, &w, l->e);
  if (ok) {
    ok = dnn_weights_load(l->p, l->c->cells, a->into, &w, l->e);
    dnn_weights_close(&w);
  }
  free(path);
  return ok ? 0 : 1;
}

/* The actions of an `each`/`every` block or of a stage's end, in order, from number `first` on. */
static int act_all(DnnLoop *l, const DnnAction *list, int n, int first) {
  int status = 0;
  for (int i = first; i < n && !status; i++) {
    l->at.row = list + i - l->p->actions;
    if (list[i].kind == DNN_STAGE || list[i].kind == DNN_EVERY) continue;
    status = l->at.batch < 0 ? dnn_train_pause(l) : 0;
    if (!status) status = act(l, &list[i]);
  }
  return status;
}

/* ---- stages ---- */

typedef struct Stage {
  const DnnAction *a, *children;
  int number;
  int64_t epochs, steps, per_epoch;
  int64_t part; /* steps whose means are told: an epoch, or a tenth of a stage that has no more than one */
} Stage;

/* The length of a stage in steps, from the data of its first fed run. */
static int measure(DnnLoop *l, Stage *s) {
  s->per_epoch = -1;
  for (int i = 0; i < s->a->n && s->per_epoch < 0; i++) {
    const DnnAction *a = &s->children[i];
    if (a->kind != DNN_RUN) continue;
    DnnRunner *r = dnn_runner_of(l, a);
    if (!r) return 1;
    if (r->feeder) s->per_epoch = dnn_feeder_batches(r->feeder);
  }
  bool by_epoch = s->a->unit == DNN_EPOCHS;
  s->epochs = by_epoch ? l->o->epochs > 0 ? l->o->epochs : s->a->count : 1;
  if (by_epoch && s->per_epoch <= 0) {
    dnn_fail(l->e, "%s: this stage counts epochs, but its data has %s", s->a->place,
             s->per_epoch ? "no end: give `steps`" : "no full batch");
    return 1;
  }
  if (by_epoch && s->epochs > (INT64_MAX >> 1) / s->per_epoch) {
    dnn_fail(l->e, "%s: %lld epochs of %lld steps are more steps than can be counted", s->a->place,
             (long long)s->epochs, (long long)s->per_epoch);
    return 1;
  }
  s->steps = by_epoch ? s->epochs * s->per_epoch : s->a->count;
  if (s->per_epoch <= 0) s->per_epoch = s->steps > 0 ? s->steps : 1;
  s->part = by_epoch || s->per_epoch < s->steps ? s->per_epoch : (s->steps + 9) / 10;
  return 0;
}

/* How often the step of run `i` has been called before it in this step of the stage, by runs with whatever static
 * arguments: their random numbers go on from there. */
static int64_t calls_before(const DnnLoop *l, const Stage *s, int i) {
  const char *name = l->p->entries[s->children[i].entry].name;
  size_t n = strcspn(name, "(");
  int64_t calls = 0;
  for (int k = 0; k < i; k++) {
    const DnnAction *a = &s->children[k];
    if (a->kind != DNN_RUN) continue;
    const char *other = l->p->entries[a->entry].name;
    if (strcspn(other, "(") == n && !memcmp(other, name, n)) calls += a->count > 0 ? a->count : 1;
  }
  return calls;
}

/* What the progress tells of a run of the stage. `step` is from 0. */
static DnnProgressAt told_of(const DnnLoop *l, const Stage *s, int64_t step, const DnnRunner *r, const double *values) {
  return (DnnProgressAt){.stage = title_of(l, s->a),
                         .entry = r->entry->name,
                         .step = step + 1,
                         .steps = s->steps,
                         .epoch = l->c->epoch + 1,
                         .epochs = s->epochs,
                         .in_epochs = s->a->unit == DNN_EPOCHS,
                         .n = r->entry->n_reports,
                         .names = r->names,
                         .values = values};
}

/* One step: every run of the stage once (or `times`), each on its next batch. */
static int stage_step(DnnLoop *l, Stage *s, int64_t step) {
  int64_t seen = 0;
  DnnRunner *first = NULL;
  l->steps++;
  for (int i = 0; i < s->a->n; i++) {
    const DnnAction *a = &s->children[i];
    if (a->kind != DNN_RUN) continue;
    DnnRunner *r = dnn_runner_of(l, a);
    if (!r) return 1;
    int64_t before = calls_before(l, s, i);
    for (int64_t k = 0; k < (a->count > 0 ? a->count : 1); k++) {
      int64_t rows;
      l->c->step = step; /* a call moves the clock on */
      l->c->stage = s->number + ((before + k) << DNN_CALL_SHIFT);
      int more = dnn_run_once(l, r, &rows);
      if (more == 0) { /* a feed shorter than the first one begins again */
        dnn_feeder_start(r->feeder, s->number + ((int64_t)(i + 1) << 20), step + 1);
        more = dnn_run_once(l, r, &rows);
      }
      if (more <= 0) return more == 0 ? (dnn_fail(l->e, "%s: its data holds no batch", a->place), 1) : 1;
      seen += r->feeder ? rows : 0;
    }
    l->c->step = step;
    l->c->stage = s->number;
    if (s->a->unit == DNN_STEPS) dnn_note_metrics(l, r->entry, r->values); /* in epochs: their means, by part_line */
    dnn_tell(l, DNN_EVENT_STEP, title_of(l, s->a), r, r->values);
    if (!first) first = r;
  }
  if (first) {
    DnnProgressAt at = told_of(l, s, step, first, first->values);
    dnn_progress_step(&l->progress, &at, seen);
  }
  return 0;
}

/* The line of a part, whose means are the metrics' values where an epoch or the stage ends. */
static void part_line(DnnLoop *l, Stage *s, bool ends) {
  double spent = dnn_seconds() - l->epoch_began;
  for (int i = 0; i < s->a->n; i++) {
    DnnRunner *r = &l->runners[&s->children[i] - l->p->actions];
    if (s->children[i].kind != DNN_RUN || !r->action || !r->entry->n_reports) continue;
    double *means = r->sums;
    for (int k = 0; k < r->entry->n_reports; k++) means[k] = r->weight > 0 ? means[k] / r->weight : NAN;
    if (ends) dnn_note_metrics(l, r->entry, means);
    dnn_tell(l, DNN_EVENT_EPOCH, title_of(l, s->a), r, means);
    DnnProgressAt at = told_of(l, s, l->c->step, r, means);
    dnn_progress_epoch(&l->progress, &at, r->feeder ? r->weight / (spent > 0 ? spent : 1) : 0, spent);
  }
}

static void look_at_keeps(DnnLoop *l, const Stage *s) {
  for (int k = 0; k < s->a->n; k++)
    if (s->children[k].kind == DNN_KEEP) dnn_keep_best(l, &s->children[k]);
}

/* Blocks that are due after this step; `keep` and `stop` look at what they measured. Goes on in the block of l->at.row
 * when the training does. */
static int after_step(DnnLoop *l, Stage *s, int64_t step, bool epoch_ends) {
  int64_t epoch = l->c->epoch;
  for (int i = 0; i < s->a->n; i++) {
    const DnnAction *a = &s->children[i];
    if (a->kind != DNN_EVERY) continue;
    int64_t at = a->unit == DNN_EPOCHS ? epoch + 1 : step + 1, first = 0;
    if ((a->unit == DNN_EPOCHS && !epoch_ends) || at % (a->count > 0 ? a->count : 1)) continue;
    if (l->again) {
      if (l->at.row < a->first || l->at.row >= a->first + a->n) continue; /* done before */
      first = l->at.row - a->first;
    }
    int status = act_all(l, l->p->actions + a->first, a->n, (int)first);
    if (status) return status;
    if (!epoch_ends) look_at_keeps(l, s);
  }
  if (epoch_ends) look_at_keeps(l, s);
  dnn_look_at_stops(l, s->children, s->a->n, DNN_STEPS);
  if (epoch_ends) dnn_look_at_stops(l, s->children, s->a->n, DNN_EPOCHS);
  l->at.row = -1;
  return dnn_train_pause(l);
}

static void start_epoch(DnnLoop *l, Stage *s, int64_t epoch) {
  l->c->epoch = epoch;
  for (int i = 0; i < s->a->n; i++) {
    DnnRunner *r = &l->runners[&s->children[i] - l->p->actions];
    if (s->children[i].kind != DNN_RUN || !r->action) continue;
    if (r->feeder && (epoch == 0 || dnn_feeder_batches(r->feeder) == s->per_epoch))
      dnn_feeder_start(r->feeder, s->number + ((int64_t)(i + 1) << 20), epoch);
  }
}

static void start_part(DnnLoop *l, Stage *s) {
  for (int i = 0; i < s->a->n; i++) {
    DnnRunner *r = &l->runners[&s->children[i] - l->p->actions];
    if (s->children[i].kind == DNN_RUN && r->action) dnn_reset_sums(r);
  }
  l->epoch_began = dnn_seconds();
}

/* Opens the data of every run and makes room for its outputs, those of `each` blocks too: what is missing is told
 * before an epoch is spent, and nothing is allocated between steps. */
static bool open_runs(DnnLoop *l, const DnnAction *list, int n) {
  for (int i = 0; i < n; i++) {
    const DnnAction *a = &list[i];
    if ((a->kind == DNN_RUN || a->kind == DNN_WRITE) && !dnn_runner_of(l, a)) return false;
    if (a->kind == DNN_EVERY && !open_runs(l, l->p->actions + a->first, a->n)) return false;
  }
  return true;
}

/* What a stage says beside its runs happens at its end. */
static int end_stage(DnnLoop *l, Stage *s) {
  int first = 0;
  if (l->again) first = (int)(l->p->actions + l->at.row - s->children);
  else dnn_progress_settle(&l->progress), dnn_restore_best(l);
  for (int i = first; i < s->a->n; i++) {
    int kind = s->children[i].kind;
    if (kind != DNN_SAVE && kind != DNN_WRITE && kind != DNN_LOAD) continue;
    int status = act_all(l, s->children, i + 1, i);
    if (status) return status;
  }
  return 0;
}

/* One step, and what the end of its part says; the blocks behind it come in after_step(). */
static int begin_step(DnnLoop *l, Stage *s, int64_t step, bool ends) {
  if (step % s->part == 0) start_part(l, s);
  if (step % s->per_epoch == 0) start_epoch(l, s, step / s->per_epoch);
  int status = stage_step(l, s, step);
  if (status) return status;
  l->at.step = step + 1;
  if (ends || (step + 1) % s->part == 0) part_line(l, s, ends);
  return 0;
}

/* The stage from where l->at stands in it. */
static int run_steps(DnnLoop *l, Stage *s) {
  int64_t last = s->steps, step = l->at.step;
  bool end = l->again && l->at.row >= s->a->first && l->at.row < s->a->first + s->a->n;
  bool within = l->again && l->at.row >= 0 && !end; /* of the blocks after step number at.step - 1 */
  if (l->o->max_steps > 0 && l->o->max_steps - l->steps < last - step) last = l->o->max_steps - l->steps + step;
  if (within) step--;
  if (!within && !end) l->again = NULL;
  for (; step < last && !l->stopped && !end; step++, within = false) {
    bool ends = (step + 1) % s->per_epoch == 0 || step + 1 == last;
    int status = within ? 0 : begin_step(l, s, step, ends);
    if (!status) status = after_step(l, s, step, ends);
    if (status) return status;
  }
  return end_stage(l, s);
}

static int run_stage(DnnLoop *l, const DnnAction *a, int number) {
  Stage s = {.a = a, .children = l->p->actions + a->first, .number = number};
  if (measure(l, &s)) return 1;
  if (!l->again) {
    l->at.begun = 1, l->at.step = 0;
    l->c->stage = number, l->c->steps = s.steps, l->c->epoch = 0;
    l->stopped = 0;
    for (int i = 0; i < l->n_metrics; i++) l->metrics[i].best_at = 0;
    dnn_progress_stage(&l->progress);
    l->epoch_began = dnn_seconds();
  }
  if (!open_runs(l, s.children, a->n)) return 1;
  int status = run_steps(l, &s);
  l->again = NULL;
  if (!status) l->at.begun = 0, l->at.row = -1;
  return status;
}

/* Is a stage left out, since --steps are over? One that has begun comes to its end. */
static bool is_left_out(const DnnLoop *l) {
  return l->o->evaluate_only || (!l->again && l->o->max_steps > 0 && l->steps >= l->o->max_steps);
}

static int act(DnnLoop *l, const DnnAction *a) {
  switch (a->kind) {
  case DNN_STAGE: return is_left_out(l) ? 0 : run_stage(l, a, (int)(a - l->p->actions) + 1);
  case DNN_RUN: return run_pass(l, a);
  case DNN_SAVE:
  case DNN_WRITE: l->again = NULL; return save_or_write(l, a);
  case DNN_LOAD: l->again = NULL; return load_cells(l, a);
  case DNN_KEEP:
    l->again = NULL;
    dnn_keep_best(l, a);
    return 0;
  default: l->again = NULL; return 0;
  }
}

/* `eval`: the passes at the top and those of `each` blocks, once. */
static int evaluate(DnnLoop *l) {
  int status = 0;
  for (int i = 0; i < l->p->n_stages && !status; i++) {
    const DnnAction *a = &l->p->actions[i];
    if (a->kind == DNN_RUN) status = run_pass(l, a);
    if (a->kind != DNN_STAGE) continue;
    for (int k = 0; k < a->n && !status; k++) {
      const DnnAction *b = &l->p->actions[a->first + k];
      for (int m = 0; b->kind == DNN_EVERY && m < b->n && !status; m++)
        if (l->p->actions[b->first + m].kind == DNN_RUN) status = run_pass(l, &l->p->actions[b->first + m]);
    }
  }
  return status;
}

static void free_loop(DnnLoop *l) {
  for (int i = 0; l->runners && i < l->p->n_actions; i++) dnn_runner_free(&l->runners[i]);
  for (int i = 0; i < l->n_metrics; i++) free(l->metrics[i].name);
  free(l->metrics), free(l->runners), free(l->best);
  dnn_data_free(l->data);
  dnn_tokens_free(&l->tokens);
}

static bool open_loop(DnnLoop *l) {
  const DnnProgram *p = l->p;
  l->find = (DnnDataOpts){l->o->data_dir, l->o->file_dir, l->o->seed};
  if (!dnn_tokens_new(p, &l->tokens, l->e)) return false;
  l->tokens.read = dnn_vocabulary_read, l->tokens.user = &l->find;
  l->data = dnn_data_new(p, l->c, &l->find, &l->tokens);
  l->runners = calloc((size_t)p->n_actions + 1, sizeof *l->runners);
  bool keeps = false;
  for (int i = 0; i < p->n_actions; i++) keeps |= p->actions[i].kind == DNN_KEEP;
  if (keeps && !l->o->evaluate_only) l->best = dnn_alloc(p->cell_bytes);
  if (!l->data || !l->runners || (keeps && !l->o->evaluate_only && !l->best)) return dnn_fail(l->e, "out of memory");
  return true;
}

/* The actions at the top, from l->at on; then a checkpoint that stands at the end. */
static int walk(DnnLoop *l) {
  int status = 0;
  for (; l->at.action < l->p->n_stages && !status; l->at.action += !status) {
    bool inside = l->at.begun || l->at.batch >= 0; /* a training goes on there */
    if (!inside) l->at.row = -1, l->again = NULL, status = dnn_train_pause(l);
    if (!status) status = act(l, &l->p->actions[l->at.action]);
  }
  if (!status) dnn_train_save(l);
  return status;
}

static void tell_stop(DnnLoop *l) {
  char text[700];
  const char *run = l->o->saving ? l->o->saving->run : NULL;
  if (run && l->saved) snprintf(text, sizeof text, "--resume %s goes on from here", run);
  else if (run) snprintf(text, sizeof text, "--resume %s goes on from its last checkpoint", run);
  else snprintf(text, sizeof text, "nothing is kept without --out RUN");
  char line[800];
  snprintf(line, sizeof line, "stopped after step %lld; %s", (long long)l->steps, text);
  dnn_progress_note(&l->progress, line);
}

/* The handlers of before. */
typedef struct Signals {
  struct sigaction interrupt, terminate, size;
} Signals;
static void take_signals(Signals *before) {
  struct sigaction sa = {0};
  sa.sa_handler = on_signal;
  dnn_interrupted = 0;
  sigaction(SIGINT, &sa, &before->interrupt);
  sigaction(SIGTERM, &sa, &before->terminate);
  sa.sa_handler = SIG_IGN; /* a file beyond its limit is an error of writing like others */
  sigaction(SIGXFSZ, &sa, &before->size);
}
static void give_signals_back(const Signals *before) {
  sigaction(SIGINT, &before->interrupt, NULL);
  sigaction(SIGTERM, &before->terminate, NULL);
  sigaction(SIGXFSZ, &before->size, NULL);
}

int dnn_train(const DnnProgram *p, DnnContext *c, const DnnTrainOpts *o, DnnError *e) {
  DnnLoop l = {.p = p, .c = c, .o = o, .e = e, .at = {.row = -1, .batch = -1}, .began = dnn_seconds()};
  if (!open_loop(&l)) return free_loop(&l), 1;
  dnn_progress_start(&l.progress, o);
  c->seed = (int64_t)o->seed;
  Signals before;
  if (!o->stop) take_signals(&before);
  int status = !o->evaluate_only && !dnn_train_restore(&l);
  if (o->evaluate_only) status = evaluate(&l);
  else if (!status) status = walk(&l);
  if (status != 1) dnn_restore_best(&l);
  if (o->choose) {
    DnnMetric *m = dnn_metric_of(&l, o->choose);
    *o->chosen = m ? m->value : NAN;
  }
  dnn_progress_settle(&l.progress);
  if (status == 2) tell_stop(&l);
  if (!o->stop) give_signals_back(&before);
  free_loop(&l);
  return status;
}
