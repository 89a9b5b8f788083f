/* Checkpoints of the training loop: what its state is, when one is written, how it goes on from one. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "runtime/core/file.h"
#include "runtime/core/train_loop.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const double usual_seconds = 30, most_cost = 0.05; /* the share of the time that writing takes, by itself */

/* ---- writing ---- */
/* Runs whose sums or feeds stand open: those of the stage, and the pass. */
static bool is_open(const DnnLoop *l, int64_t row) {
  const DnnAction *a = &l->p->actions[l->at.action];
  if (l->at.action >= l->p->n_stages || !l->runners[row].action) return false;
  if (l->at.batch >= 0 && row == (l->at.begun ? l->at.row : l->at.action)) return true;
  return l->at.begun && row >= a->first && row < a->first + a->n && l->p->actions[row].kind == DNN_RUN;
}

static bool take_runs(DnnLoop *l, DnnCheckpoint *k) {
  k->runs = calloc((size_t)l->p->n_actions + 1, sizeof *k->runs);
  if (!k->runs) return false;
  for (int i = 0; i < l->p->n_actions; i++) {
    if (!is_open(l, i)) continue;
    DnnRunner *r = &l->runners[i];
    DnnRunState *s = &k->runs[k->n_runs++];
    *s = (DnnRunState){.row = i, .weight = r->weight, .sums = r->sums, .n = r->entry->n_reports};
    if (r->feeder) dnn_feeder_place(r->feeder, &s->stage, &s->epoch, &s->next);
  }
  return true;
}

/* Is this a `load` of a file that the training writes too, and the first one of its path? What stands in such a file is
 * part of the state: after this moment the training may write it again. */
static bool is_read_back(const DnnProgram *p, int row) {
  const DnnAction *a = &p->actions[row];
  if (a->kind != DNN_LOAD) return false;
  for (int i = 0; i < row; i++)
    if (p->actions[i].kind == DNN_LOAD && !strcmp(p->actions[i].path, a->path)) return false;
  for (int i = 0; i < p->n_actions; i++)
    if (p->actions[i].kind == DNN_SAVE && !strcmp(p->actions[i].path, a->path)) return true;
  return false;
}

static bool take_files(DnnLoop *l, DnnCheckpoint *k, DnnError *e) {
  k->files = calloc((size_t)l->p->n_actions + 1, sizeof *k->files);
  if (!k->files) return dnn_fail(e, "out of memory");
  for (int i = 0; i < l->p->n_actions; i++) {
    char *path = is_read_back(l->p, i) ? dnn_path_join(l->o->out_dir, l->p->actions[i].path) : NULL;
    DnnBytes b;
    bool found = path && dnn_file_exists(path), ok = !found || dnn_file_read(path, &b, e);
    free(path);
    if (!ok) return false;
    if (!found) continue;
    DnnWeight *w = &k->files[k->n_files++];
    *w = (DnnWeight){.dtype = DNN_U8, .rank = 1, .shape = {b.size}, .kind = DNN_STATE, .data = b.data};
    w->path = (char *)(uintptr_t)l->p->actions[i].path;
  }
  return true;
}

/* The state as it stands; its lists are the loop's. */
static bool take_state(DnnLoop *l, DnnCheckpoint *k, DnnError *e) {
  const DnnSaving *s = l->o->saving;
  const DnnContext *clock = l->outer ? l->outer : l->c;
  double now = dnn_seconds();
  *k = (DnnCheckpoint){.at = l->at,
                       .clock_stage = clock->stage,
                       .clock_step = clock->step,
                       .clock_steps = clock->steps,
                       .clock_epoch = clock->epoch,
                       .seed = l->o->seed,
                       .plan_hash = l->p->plan_hash,
                       .table_hash = dnn_table_hash(l->p),
                       .steps = l->steps,
                       .passes = l->passes,
                       .stopped = l->stopped,
                       .have_best = l->have_best,
                       .best_seen = l->best_seen,
                       .seconds = now - l->began,
                       .stage_seconds = now - l->progress.started,
                       .epoch_seconds = now - l->epoch_began,
                       .smooth = l->progress.smooth,
                       .smooth_n = l->progress.smooth_n,
                       .seen = l->progress.seen,
                       .metrics = l->metrics,
                       .n_metrics = l->n_metrics,
                       .settings = (char **)(uintptr_t)s->settings,
                       .n_settings = s->n_settings};
  int n = s->grown ? s->grown(s->user, k->grown, e) : 0;
  k->n_grown = n > 0 ? n : 0;
  return n >= 0 && (take_runs(l, k) || dnn_fail(e, "out of memory")) && take_files(l, k, e);
}

static bool write_state(DnnLoop *l, const char *path, DnnCheckpoint *k, DnnError *e) {
  enum { ALL = DNN_SAVE_PARAM | DNN_SAVE_STATE | DNN_SAVE_OPT };
  const DnnPlace *at = &k->at;
  bool initial = l->o->saving->drawn && at->action == 0 && !at->begun && at->batch < 0;
  DnnWeight *rows = calloc(2 * (size_t)l->p->n_cells + 1, sizeof *rows);
  if (!rows) return dnn_fail(e, "out of memory");
  int n = initial ? 0 : dnn_weights_of_cells(l->p, l->c->cells, ALL, rows);
  k->best = rows + l->p->n_cells;
  k->n_best = l->have_best ? dnn_weights_of_cells(l->p, l->best, ALL, k->best) : 0;
  bool ok = dnn_checkpoint_write(path, l->p->name, k, rows, n, e);
  free(rows);
  return ok;
}

bool dnn_train_save(DnnLoop *l) {
  const DnnSaving *s = l->o->saving;
  if (!s) return true;
  DnnCheckpoint k;
  DnnError e = {{0}};
  double began = dnn_seconds();
  char *path = dnn_checkpoint_path(s->run, l->steps);
  bool ok = path && take_state(l, &k, &e) && write_state(l, path, &k, &e);
  for (int64_t i = 0; path && i < k.n_files; i++) free((void *)(uintptr_t)k.files[i].data);
  if (path) free(k.runs), free(k.files);
  if (ok) {
    dnn_checkpoint_prune(s->run, l->steps, s->keep > 0 ? s->keep : 3);
  } else {
    char text[2300];
    snprintf(text, sizeof text, "no checkpoint is written after step %lld, those before are whole: %s",
             (long long)l->steps, path ? e.text : "out of memory");
    if (l->o->quiet == 1) fprintf(stderr, "%s\n", text);
    else dnn_progress_note(&l->progress, text);
  }
  free(path);
  l->saved_at = dnn_seconds(), l->save_cost = l->saved_at - began, l->saved_steps = l->steps;
  return ok;
}

static bool is_due(const DnnLoop *l) {
  const DnnSaving *s = l->o->saving;
  if (s->steps > 0) return l->steps - l->saved_steps >= s->steps && l->at.row < 0 && l->at.batch < 0;
  double wait = s->seconds;
  if (wait <= 0) wait = usual_seconds > l->save_cost / most_cost ? usual_seconds : l->save_cost / most_cost;
  return dnn_seconds() - l->saved_at >= wait;
}

int dnn_train_pause(DnnLoop *l) {
  const DnnSaving *s = l->o->saving;
  if (l->o->evaluate_only || !s) return dnn_is_stopped(l) ? 2 : 0;
  if (s->sound && !s->sound(s->user, l->e)) return 1;
  if (!dnn_is_stopped(l) && !is_due(l)) return 0;
  l->saved = dnn_train_save(l);
  return dnn_is_stopped(l) ? 2 : 0;
}

/* ---- going on ---- */
static bool restore_runs(DnnLoop *l, const DnnCheckpoint *k) {
  for (int64_t i = 0; i < k->n_runs; i++) {
    const DnnRunState *s = &k->runs[i];
    DnnRunner *r = dnn_runner_of(l, &l->p->actions[s->row]);
    if (!r) return false;
    r->weight = s->weight;
    if (s->n) memcpy(r->sums, s->sums, sizeof *r->sums * (size_t)s->n);
    if (s->epoch < 0 || s->next < 0) return dnn_fail(l->e, "%s: damaged: a place in the data", k->file.name);
    if (r->feeder) dnn_feeder_seek(r->feeder, s->stage, s->epoch, s->next);
  }
  return true;
}

/* Files that the training reads back are again what they were: a later one is taken away. */
static bool restore_files(DnnLoop *l, const DnnCheckpoint *k) {
  bool ok = true;
  for (int i = 0; ok && i < l->p->n_actions; i++) {
    if (!is_read_back(l->p, i)) continue;
    char *path = dnn_path_join(l->o->out_dir, l->p->actions[i].path);
    const DnnWeight *w = NULL;
    for (int64_t j = 0; j < k->n_files; j++)
      if (!strcmp(k->files[j].path, l->p->actions[i].path)) w = &k->files[j];
    DnnOut out;
    ok = path && (!w || dnn_out_open(&out, path, l->e));
    if (ok && w) {
      dnn_out_write(&out, w->data, w->bytes);
      ok = dnn_out_close(&out, l->e);
    }
    if (ok && !w) unlink(path);
    free(path);
  }
  return ok;
}

/* The first checkpoint of a training, in an empty folder. */
static bool begin(DnnLoop *l) {
  const DnnSaving *s = l->o->saving;
  char *path = dnn_checkpoint_path(s->run, 0), *slash = path ? strrchr(path, '/') : NULL;
  if (!slash) return free(path), dnn_fail(l->e, "out of memory");
  *slash = 0;
  bool ok = dnn_make_dir(path, l->e);
  free(path);
  if (ok) dnn_train_save(l);
  return ok;
}

bool dnn_train_restore(DnnLoop *l) {
  const DnnSaving *s = l->o->saving;
  const DnnCheckpoint *k = s ? s->from : NULL;
  l->progress.started = l->epoch_began = dnn_seconds();
  if (!k) return !s || begin(l);
  if (k->seed != l->o->seed) return dnn_fail(l->e, "%s: is of another seed", k->file.name);
  double now = dnn_seconds();
  dnn_checkpoint_prune(s->run, k->steps, INT32_MAX); /* what is behind is done again */
  for (int i = 0; i < k->file.n; i++)
    memcpy(l->c->cells + l->p->cells[i].offset, k->file.rows[i].data, (size_t)k->file.rows[i].bytes);
  if (k->n_best) memset(l->best, 0, (size_t)l->p->cell_bytes); /* between the cells, too */
  for (int i = 0; i < k->n_best; i++)
    memcpy(l->best + l->p->cells[i].offset, k->best[i].data, (size_t)k->best[i].bytes);
  l->at = k->at, l->again = k;
  l->c->stage = k->clock_stage, l->c->step = k->clock_step;
  l->c->steps = k->clock_steps, l->c->epoch = k->clock_epoch, l->c->is_prepared = 0;
  l->steps = l->saved_steps = k->steps, l->passes = k->passes, l->stopped = k->stopped != 0;
  l->have_best = k->have_best != 0, l->best_seen = k->best_seen != 0;
  l->began = now - k->seconds, l->progress.started = now - k->stage_seconds, l->epoch_began = now - k->epoch_seconds;
  l->progress.smooth = k->smooth, l->progress.smooth_n = k->smooth_n, l->progress.seen = k->seen;
  for (int64_t i = 0; i < k->n_metrics; i++) {
    DnnMetric *m = dnn_metric_of(l, k->metrics[i].name);
    if (!m) return dnn_fail(l->e, "out of memory");
    char *name = m->name;
    *m = k->metrics[i], m->name = name;
  }
  l->saved_at = now;
  if (k->at.action == l->p->n_stages) {
    char text[600];
    snprintf(text, sizeof text, "%s: this training is finished, after %lld steps", s->run, (long long)k->steps);
    dnn_progress_note(&l->progress, text);
  }
  return restore_files(l, k) && restore_runs(l, k);
}
