/* The training loop. A stage runs its `run`s once per step, in order, and its `each`/`every` blocks between steps; what
 * stands outside of stages is a pass over its data. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "runtime/core/train.h"
#include "runtime/core/data.h"
#include "runtime/core/file.h"
#include "runtime/core/progress.h"
#include "runtime/core/random.h"
#include "runtime/core/shapes.h"
#include "runtime/core/tensor.h"
#include "runtime/core/text_port.h"
#include "runtime/core/vocabulary.h"
#include "runtime/core/weights.h"
#include "runtime/core/write.h"
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_PORTS = 256 };
/* Random keys: a stage has its number, the calls of one step within a step of the stage are counted, passes too. */
enum { CALL_SHIFT = 28, PASS_SHIFT = 60 };

/* A run of the program's table with its feeder and the place of its outputs. */
typedef struct Runner {
  const DnnAction *action;
  const DnnEntry *entry;
  DnnFeeder *feeder;  /* NULL: no feeds */
  DnnTensor *texts;   /* of a write: its inputs, made of the texts in the program */
  int64_t *vars;      /* of the last call */
  void **out;         /* one buffer per output */
  const char **names; /* of the reports */
  double *values, *sums;
  double weight; /* rows behind `sums` */
} Runner;

typedef struct Metric { /* the last value of a report */
  char *name;
  double value, best, kept; /* best: by `stalls`, since best_at; kept: of the best cells by `keep` */
  int64_t best_at;
  int known;
} Metric;

typedef struct Loop {
  const DnnProgram *p;
  DnnContext *c;
  const DnnTrainOpts *o;
  DnnError *e;
  DnnDataOpts find;
  DnnTokenSet tokens;
  DnnDataSets *data;
  Runner *runners; /* by action */
  Metric *metrics;
  int n_metrics;
  unsigned char *best; /* a copy of the cells by `keep` */
  int have_best;
  int64_t passes; /* so far: each has its own random key */
  int64_t steps;  /* of all stages so far, the current one included */
  int stopped;    /* by a `stop` of the stage */
  DnnProgress progress;
} Loop;

/* A stage without a name is called by its first run. */
static const char *title_of(const Loop *l, const DnnAction *stage) {
  if (stage->name) return stage->name;
  for (int i = 0; i < stage->n; i++)
    if (l->p->actions[stage->first + i].kind == DNN_RUN)
      return l->p->entries[l->p->actions[stage->first + i].entry].name;
  return "train";
}

static volatile sig_atomic_t interrupted;
static void on_signal(int sig) {
  static const char text[] = "\nstopping after this step; once more stops at once\n";
  if (interrupted) _exit(128 + sig);
  interrupted = 1;
  if (isatty(STDERR_FILENO) && write(STDERR_FILENO, text, sizeof text - 1) < 0) return;
}

/* ---- runners ---- */

static int64_t port_bytes(const DnnPort *t, const int64_t *sizes) {
  int64_t n = dnn_dtype_size(t->dtype);
  for (int k = 0; k < t->rank; k++) n *= sizes[k];
  return n;
}

/* Buffers for the outputs, at the sizes of the variables' bounds. */
static bool make_outputs(Loop *l, Runner *r) {
  const DnnEntry *x = r->entry;
  int n = x->n_results + x->n_reports, axes = 0;
  for (int i = 0; i < x->n_inputs; i++) axes += x->inputs[i].rank;
  int first = axes;
  for (int i = 0; i < n; i++) axes += x->outputs[i].rank;
  int64_t *sizes = calloc((size_t)axes + 1, sizeof *sizes), *vars = calloc((size_t)x->n_vars + 1, sizeof *vars);
  r->out = calloc((size_t)n + 1, sizeof *r->out);
  r->names = calloc((size_t)n + 1, sizeof *r->names);
  r->values = calloc((size_t)n + 1, sizeof *r->values);
  r->sums = calloc((size_t)n + 1, sizeof *r->sums);
  r->vars = calloc((size_t)x->n_vars + 1, sizeof *r->vars);
  bool ok = sizes && vars && r->vars && r->out && r->names && r->values && r->sums;
  for (int i = 0; ok && i < x->n_vars; i++) vars[i] = x->vars[i].bound;
  if (ok) x->shapes(vars, sizes);
  for (int i = 0, at = first; ok && i < n; at += x->outputs[i].rank, i++) {
    r->out[i] = dnn_alloc(port_bytes(&x->outputs[i], sizes + at));
    ok = r->out[i] != NULL;
  }
  for (int i = 0; ok && i < x->n_reports; i++) r->names[i] = x->outputs[x->n_results + i].name;
  free(sizes);
  free(vars);
  return ok || dnn_fail(l->e, "out of memory");
}

/* The inputs of a write, which are texts for tokenisers. */
static bool make_texts(Loop *l, Runner *r, const DnnAction *a) {
  const DnnEntry *x = r->entry;
  int32_t ranks[MAX_PORTS];
  int64_t shapes[MAX_PORTS][DNN_MAX_RANK];
  DnnError why;
  r->texts = calloc((size_t)x->n_inputs + 1, sizeof *r->texts);
  if (!r->texts || x->n_inputs > MAX_PORTS) return dnn_fail(l->e, "%s: too many inputs", a->place);
  for (int i = 0; i < x->n_inputs; i++) {
    DnnTensor *t = &r->texts[i];
    if (!dnn_text_input(&l->tokens, &x->inputs[i], a->texts[i], t, &why))
      return dnn_fail(l->e, "%s: %s", a->place, why.text);
    ranks[i] = t->rank;
    memcpy(shapes[i], t->shape, sizeof shapes[i]);
  }
  bool ok = dnn_bind_shapes(x, ranks, (const int64_t(*)[DNN_MAX_RANK])shapes, r->vars, &why);
  for (int i = 0; ok && i < x->n_inputs; i++)
    ok = dnn_check_bound(x, i, r->vars, r->texts[i].data, dnn_count(ranks[i], shapes[i], 1), &why);
  return ok || dnn_fail(l->e, "%s: %s", a->place, why.text);
}

static Runner *runner_of(Loop *l, const DnnAction *a) {
  Runner *r = &l->runners[a - l->p->actions];
  if (r->action) return r;
  r->entry = &l->p->entries[a->entry];
  if (!make_outputs(l, r)) return NULL;
  if (a->texts && !make_texts(l, r, a)) return NULL;
  if (a->n_feeds && !dnn_feeder_new(l->data, a, 1, &r->feeder, l->e)) return NULL;
  r->action = a;
  return r;
}

static void reset_sums(Runner *r) {
  r->weight = 0;
  for (int i = 0; i < r->entry->n_reports; i++) r->sums[i] = 0;
}

/* One call on the next batch. 1; 0 at the end of the data; -1 after an error. */
static int run_once(Loop *l, Runner *r, int64_t *rows) {
  const void *in[MAX_PORTS];
  const DnnEntry *x = r->entry;
  *rows = 1;
  if (x->n_inputs > MAX_PORTS) return dnn_fail(l->e, "%s has too many inputs", x->name), -1;
  if (r->feeder) {
    int more = dnn_feeder_next(r->feeder, in, r->vars, rows, l->e);
    if (more <= 0) return more;
  } else if (r->texts) {
    for (int i = 0; i < x->n_inputs; i++) in[i] = r->texts[i].data;
  } else if (x->n_inputs) {
    return dnn_fail(l->e, "%s: %s has inputs but no data to fill them", r->action->place, x->name), -1;
  }
  if (x->call(l->c, r->vars, in, r->out))
    return dnn_feeder_blame(r->feeder, l->c), dnn_call_failed(l->p, l->c, x->name, l->e), -1;
  for (int i = 0; i < x->n_reports; i++) {
    const DnnPort *t = &x->outputs[x->n_results + i];
    r->values[i] = dnn_get(r->out[x->n_results + i], t->dtype, 0);
    r->sums[i] += r->values[i] * (double)*rows;
  }
  r->weight += (double)*rows;
  return 1;
}

/* ---- metrics ---- */

static Metric *metric_of(Loop *l, const char *name) {
  for (int i = 0; i < l->n_metrics; i++)
    if (!strcmp(l->metrics[i].name, name)) return &l->metrics[i];
  Metric *grown = realloc(l->metrics, sizeof *grown * (size_t)(l->n_metrics + 1));
  if (!grown) return NULL;
  l->metrics = grown;
  Metric *m = &grown[l->n_metrics++];
  *m = (Metric){.name = strdup(name), .value = NAN, .kept = NAN};
  return m;
}

static void note_metrics(Loop *l, const DnnEntry *x, const double *values) {
  char name[512];
  for (int i = 0; i < x->n_reports; i++) {
    snprintf(name, sizeof name, "%s.%s", x->name, x->outputs[x->n_results + i].name);
    Metric *m = metric_of(l, name);
    if (m) m->value = values[i], m->known = 1;
  }
}

static void tell(Loop *l, DnnEventKind kind, const char *stage, const Runner *r, const double *values) {
  if (!l->o->event) return;
  DnnEvent v = {.kind = kind, .stage = stage, .entry = r ? r->entry->name : "", .total = l->steps, .values = values};
  v.step = l->c->step + 1, v.steps = l->c->steps, v.epoch = l->c->epoch + 1;
  if (r) v.n = r->entry->n_reports, v.names = r->names;
  l->o->event(l->o->user, &v);
}

static void tell_file(Loop *l, const char *path, const char *name) {
  if (!l->o->event) return;
  DnnEvent v = {.kind = DNN_EVENT_FILE, .stage = "", .entry = "", .total = l->steps, .path = path, .name = name};
  l->o->event(l->o->user, &v);
}

/* `keep`: the best cells so far are copied. */
static void keep_best(Loop *l, const DnnAction *a) {
  Metric *m = metric_of(l, a->metric);
  if (!m || !m->known || !l->best) return;
  bool better = !l->have_best || (a->compare == '<' ? m->value < m->kept : m->value > m->kept);
  if (!better) return;
  for (int i = 0; i < l->n_metrics; i++) l->metrics[i].kept = l->metrics[i].value;
  l->have_best = 1;
  memcpy(l->best, l->c->cells, (size_t)l->p->cell_bytes);
  tell(l, DNN_EVENT_BEST, "", NULL, NULL);
}

/* The best cells back, and the metrics that were theirs, at the end of the stage that kept them or of an interrupted
 * training. */
static void restore_best(Loop *l) {
  if (l->have_best) memcpy(l->c->cells, l->best, (size_t)l->p->cell_bytes);
  for (int i = 0; l->have_best && i < l->n_metrics; i++) l->metrics[i].value = l->metrics[i].kept;
  l->have_best = 0;
}

static bool holds(const DnnAction *a, double v) {
  switch (a->compare) {
  case '<': return v < a->value;
  case '>': return v > a->value;
  case 'l': return v <= a->value;
  default: return v >= a->value;
  }
}

/* `stop when m < v` and `stop when m stalls for n`: looked at whenever the metric may have changed. Smaller is better
 * for a metric that stalls, unless a `keep max` names it. */
static void look_at_stops(Loop *l, const DnnAction *list, int n, int unit) {
  for (int i = 0; i < n; i++) {
    const DnnAction *a = &list[i];
    if (a->kind != DNN_STOP && a->kind != DNN_STALL) continue;
    Metric *m = metric_of(l, a->metric);
    if (!m || !m->known) continue;
    if (a->kind == DNN_STOP) {
      if (holds(a, m->value)) l->stopped = 1;
      continue;
    }
    if (a->unit != unit) continue;
    bool up = false;
    for (int k = 0; k < l->p->n_actions; k++) {
      const DnnAction *b = &l->p->actions[k];
      up |= b->kind == DNN_KEEP && b->compare == '>' && !strcmp(b->metric, a->metric);
    }
    int64_t now = a->unit == DNN_EPOCHS ? l->c->epoch : l->c->step;
    if (m->best_at == 0 || (up ? m->value > m->best : m->value < m->best)) m->best = m->value, m->best_at = now + 1;
    else if (now + 1 - m->best_at >= a->count) l->stopped = 1;
  }
}

/* ---- passes and other actions ---- */

static int act(Loop *l, const DnnAction *a);

/* A pass: every batch of the data once (or `times` calls without data); means of the reports by rows. */
static int run_pass(Loop *l, const DnnAction *a) {
  Runner *r = runner_of(l, a);
  if (!r) return 1;
  if (r->feeder && dnn_feeder_batches(r->feeder) < 0)
    return dnn_fail(l->e, "%s: a pass over data without an end; take some records", a->place), 1;
  DnnContext was = *l->c;
  double began = dnn_seconds();
  l->c->stage = ((int64_t)1 << PASS_SHIFT) + l->passes++;
  l->c->steps = r->feeder ? dnn_feeder_batches(r->feeder) : a->count > 0 ? a->count : 1;
  l->c->epoch = 0;
  reset_sums(r);
  if (r->feeder) dnn_feeder_start(r->feeder, l->c->stage, 0);
  int status = 0;
  for (int64_t k = 0; !status && !interrupted && (l->c->steps < 0 || k < l->c->steps); k++) {
    int64_t rows;
    l->c->step = k;
    int more = run_once(l, r, &rows);
    if (more < 0) status = 1;
    if (more <= 0) break;
  }
  l->c->stage = was.stage, l->c->step = was.step, l->c->steps = was.steps, l->c->epoch = was.epoch;
  if (status) return 1;
  if (interrupted) return 2;
  double *means = r->values, spent = dnn_seconds() - began;
  for (int i = 0; i < r->entry->n_reports; i++) means[i] = r->weight > 0 ? r->sums[i] / r->weight : NAN;
  note_metrics(l, r->entry, means);
  tell(l, DNN_EVENT_PASS, "", r, means);
  if (r->entry->n_reports)
    dnn_progress_pass(&l->progress, r->entry->name, r->entry->n_reports, r->names, means,
                      r->feeder ? r->weight / (spent > 0 ? spent : 1) : 0, spent);
  return 0;
}

static char *out_path(const Loop *l, const char *path) { return dnn_path_join(l->o->out_dir, path); }

static int save_or_write(Loop *l, const DnnAction *a) {
  char *path = out_path(l, a->path);
  if (!path) return dnn_fail(l->e, "out of memory"), 1;
  bool ok;
  if (a->kind == DNN_SAVE) {
    ok = dnn_weights_save(l->p, l->c->cells, DNN_SAVE_PARAM | DNN_SAVE_STATE, path, l->e);
  } else {
    Runner *r = runner_of(l, a);
    int64_t rows;
    ok = r && run_once(l, r, &rows) > 0 && dnn_write_result(&l->tokens, r->entry, r->vars, r->out, path, a->as, l->e);
  }
  if (ok) {
    dnn_progress_file(&l->progress, path);
    tell_file(l, path, a->path);
  }
  free(path);
  return ok ? 0 : 1;
}

/* `load`: what this training saved before, else a file beside the program, in --data or here. */
static int load_cells(Loop *l, const DnnAction *a) {
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

/* The actions of an `each`/`every` block, in order. */
static int act_all(Loop *l, const DnnAction *list, int n) {
  int status = 0;
  for (int i = 0; i < n && !status; i++) status = act(l, &list[i]);
  return status;
}

/* ---- stages ---- */

typedef struct Stage {
  const DnnAction *a, *children;
  int number;
  int64_t epochs, steps, per_epoch;
  double began;
} Stage;

/* The length of a stage in steps, from the data of its first fed run. */
static int measure(Loop *l, Stage *s) {
  s->per_epoch = -1;
  for (int i = 0; i < s->a->n && s->per_epoch < 0; i++) {
    const DnnAction *a = &s->children[i];
    if (a->kind != DNN_RUN) continue;
    Runner *r = runner_of(l, a);
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
  s->steps = by_epoch ? s->epochs * s->per_epoch : s->a->count;
  if (s->per_epoch <= 0) s->per_epoch = s->steps > 0 ? s->steps : 1;
  return 0;
}

/* How often the step of run `i` has been called before it in this step of the stage, by runs with whatever static
 * arguments: their random numbers go on from there. */
static int64_t calls_before(const Loop *l, const Stage *s, int i) {
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
static DnnProgressAt told_of(const Loop *l, const Stage *s, int64_t step, const Runner *r, const double *values) {
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
static int stage_step(Loop *l, Stage *s, int64_t step) {
  int64_t seen = 0;
  Runner *first = NULL;
  l->steps++;
  for (int i = 0; i < s->a->n; i++) {
    const DnnAction *a = &s->children[i];
    if (a->kind != DNN_RUN) continue;
    Runner *r = runner_of(l, a);
    if (!r) return 1;
    int64_t before = calls_before(l, s, i);
    for (int64_t k = 0; k < (a->count > 0 ? a->count : 1); k++) {
      int64_t rows;
      l->c->step = step; /* a call moves the clock on */
      l->c->stage = s->number + ((before + k) << CALL_SHIFT);
      int more = run_once(l, r, &rows);
      if (more == 0) { /* a feed shorter than the first one begins again */
        dnn_feeder_start(r->feeder, s->number + ((int64_t)(i + 1) << 20), step + 1);
        more = run_once(l, r, &rows);
      }
      if (more <= 0) return more == 0 ? (dnn_fail(l->e, "%s: its data holds no batch", a->place), 1) : 1;
      seen += r->feeder ? rows : 0;
    }
    l->c->step = step;
    l->c->stage = s->number;
    if (s->a->unit == DNN_STEPS) note_metrics(l, r->entry, r->values); /* in epochs: their means, by epoch_line */
    tell(l, DNN_EVENT_STEP, title_of(l, s->a), r, r->values);
    if (!first) first = r;
  }
  if (first) {
    DnnProgressAt at = told_of(l, s, step, first, first->values);
    dnn_progress_step(&l->progress, &at, seen);
  }
  return 0;
}

/* The line of an epoch (or of a stage counted in steps, at its end). */
static void epoch_line(Loop *l, Stage *s, double began) {
  double spent = dnn_seconds() - began;
  for (int i = 0; i < s->a->n; i++) {
    Runner *r = &l->runners[&s->children[i] - l->p->actions];
    if (s->children[i].kind != DNN_RUN || !r->action || !r->entry->n_reports) continue;
    double *means = r->sums;
    for (int k = 0; k < r->entry->n_reports; k++) means[k] = r->weight > 0 ? means[k] / r->weight : NAN;
    note_metrics(l, r->entry, means);
    tell(l, DNN_EVENT_EPOCH, title_of(l, s->a), r, means);
    DnnProgressAt at = told_of(l, s, l->c->step, r, means);
    dnn_progress_epoch(&l->progress, &at, r->feeder ? r->weight / (spent > 0 ? spent : 1) : 0, spent);
  }
}

static void look_at_keeps(Loop *l, const Stage *s) {
  for (int k = 0; k < s->a->n; k++)
    if (s->children[k].kind == DNN_KEEP) keep_best(l, &s->children[k]);
}

/* Blocks that are due after this step; `keep` and `stop` look at what they measured. */
static int after_step(Loop *l, Stage *s, int64_t step, bool epoch_ends) {
  int64_t epoch = l->c->epoch;
  for (int i = 0; i < s->a->n; i++) {
    const DnnAction *a = &s->children[i];
    if (a->kind != DNN_EVERY) continue;
    int64_t at = a->unit == DNN_EPOCHS ? epoch + 1 : step + 1;
    if ((a->unit == DNN_EPOCHS && !epoch_ends) || at % (a->count > 0 ? a->count : 1)) continue;
    int status = act_all(l, l->p->actions + a->first, a->n);
    if (status) return status;
    if (!epoch_ends) look_at_keeps(l, s);
  }
  if (epoch_ends) look_at_keeps(l, s);
  look_at_stops(l, s->children, s->a->n, DNN_STEPS);
  if (epoch_ends) look_at_stops(l, s->children, s->a->n, DNN_EPOCHS);
  return 0;
}

static void start_epoch(Loop *l, Stage *s, int64_t epoch) {
  l->c->epoch = epoch;
  for (int i = 0; i < s->a->n; i++) {
    Runner *r = &l->runners[&s->children[i] - l->p->actions];
    if (s->children[i].kind != DNN_RUN || !r->action) continue;
    reset_sums(r);
    if (r->feeder && (epoch == 0 || dnn_feeder_batches(r->feeder) == s->per_epoch))
      dnn_feeder_start(r->feeder, s->number + ((int64_t)(i + 1) << 20), epoch);
  }
}

/* Opens the data of every run and makes room for its outputs, those of `each` blocks too: what is missing is told
 * before an epoch is spent, and nothing is allocated between steps. */
static bool open_runs(Loop *l, const DnnAction *list, int n) {
  for (int i = 0; i < n; i++) {
    const DnnAction *a = &list[i];
    if ((a->kind == DNN_RUN || a->kind == DNN_WRITE) && !runner_of(l, a)) return false;
    if (a->kind == DNN_EVERY && !open_runs(l, l->p->actions + a->first, a->n)) return false;
  }
  return true;
}

static int run_stage(Loop *l, const DnnAction *a, int number) {
  Stage s = {.a = a, .children = l->p->actions + a->first, .number = number, .began = dnn_seconds()};
  if (measure(l, &s)) return 1;
  l->c->stage = number, l->c->steps = s.steps, l->c->epoch = 0;
  l->stopped = 0;
  for (int i = 0; i < l->n_metrics; i++) l->metrics[i].best_at = 0;
  dnn_progress_stage(&l->progress);
  if (!open_runs(l, s.children, a->n)) return 1;
  double began = dnn_seconds();
  int64_t last = s.steps;
  if (l->o->max_steps > 0 && l->o->max_steps - l->steps < last) last = l->o->max_steps - l->steps;
  for (int64_t step = 0; step < last && !l->stopped; step++) {
    if (step % s.per_epoch == 0) start_epoch(l, &s, step / s.per_epoch), began = dnn_seconds();
    int status = stage_step(l, &s, step);
    if (status) return status;
    bool ends = (step + 1) % s.per_epoch == 0 || step + 1 == last;
    if (ends) epoch_line(l, &s, began);
    status = after_step(l, &s, step, ends);
    if (status) return status;
    if (interrupted) return 2;
  }
  dnn_progress_settle(&l->progress);
  restore_best(l);
  for (int i = 0; i < a->n; i++) { /* what a stage says beside its runs happens at its end */
    int kind = s.children[i].kind;
    if (kind != DNN_SAVE && kind != DNN_WRITE && kind != DNN_LOAD) continue;
    int status = act(l, &s.children[i]);
    if (status) return status;
  }
  return 0;
}

static int act(Loop *l, const DnnAction *a) {
  switch (a->kind) {
  case DNN_STAGE:
    if (l->o->evaluate_only || (l->o->max_steps > 0 && l->steps >= l->o->max_steps)) return 0;
    return run_stage(l, a, (int)(a - l->p->actions) + 1);
  case DNN_RUN: return run_pass(l, a);
  case DNN_SAVE:
  case DNN_WRITE: return save_or_write(l, a);
  case DNN_LOAD: return load_cells(l, a);
  case DNN_KEEP: return keep_best(l, a), 0;
  default: return 0;
  }
}

/* `eval`: the passes at the top and those of `each` blocks, once. */
static int evaluate(Loop *l) {
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

static void free_loop(Loop *l) {
  for (int i = 0; l->runners && i < l->p->n_actions; i++) {
    Runner *r = &l->runners[i];
    if (!r->out) continue;
    if (r->feeder) dnn_feeder_free(r->feeder);
    for (int k = 0; k < r->entry->n_results + r->entry->n_reports; k++) free(r->out[k]);
    for (int k = 0; r->texts && k < r->entry->n_inputs; k++) dnn_tensor_free(&r->texts[k]);
    free(r->texts), free(r->vars), free(r->out), free(r->names), free(r->values), free(r->sums);
  }
  for (int i = 0; i < l->n_metrics; i++) free(l->metrics[i].name);
  free(l->metrics), free(l->runners), free(l->best);
  dnn_data_free(l->data);
  dnn_tokens_free(&l->tokens);
}

static void tell_stop(Loop *l) {
  char text[200];
  const char *hint = l->o->out_dir ? "" : "; nothing is kept without --out RUN";
  snprintf(text, sizeof text, "stopped after step %lld%s", (long long)l->steps, hint);
  dnn_progress_note(&l->progress, text);
}

int dnn_train(const DnnProgram *p, DnnContext *c, const DnnTrainOpts *o, DnnError *e) {
  Loop l = {.p = p, .c = c, .o = o, .e = e};
  l.find = (DnnDataOpts){o->data_dir, o->file_dir, o->seed};
  if (!dnn_tokens_new(p, &l.tokens, e)) return 1;
  l.tokens.read = dnn_vocabulary_read, l.tokens.user = &l.find;
  l.data = dnn_data_new(p, c, &l.find, &l.tokens);
  l.runners = calloc((size_t)p->n_actions + 1, sizeof *l.runners);
  bool keeps = false;
  for (int i = 0; i < p->n_actions; i++) keeps |= p->actions[i].kind == DNN_KEEP;
  if (keeps && !o->evaluate_only) l.best = dnn_alloc(p->cell_bytes);
  if (!l.data || !l.runners || (keeps && !o->evaluate_only && !l.best)) return dnn_fail(e, "out of memory"), 1;
  dnn_progress_start(&l.progress, o);
  c->seed = (int64_t)o->seed;
  struct sigaction sa = {0}, old_int, old_term;
  sa.sa_handler = on_signal;
  interrupted = 0;
  sigaction(SIGINT, &sa, &old_int);
  sigaction(SIGTERM, &sa, &old_term);
  int status = 0;
  if (o->evaluate_only) status = evaluate(&l);
  for (int i = 0; !o->evaluate_only && i < p->n_stages && !status; i++) status = act(&l, &p->actions[i]);
  if (status != 1) restore_best(&l);
  if (o->choose) {
    Metric *m = metric_of(&l, o->choose);
    *o->chosen = m ? m->value : NAN;
  }
  dnn_progress_settle(&l.progress);
  if (status == 2) tell_stop(&l);
  sigaction(SIGINT, &old_int, NULL);
  sigaction(SIGTERM, &old_term, NULL);
  free_loop(&l);
  return status;
}
