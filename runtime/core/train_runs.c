/* The runs of a training program: their data, the room for their outputs, one call at a time; and their metrics with
 * what `keep` and `stop` make of them. */
#include "runtime/core/text_port.h"
#include "runtime/core/shapes.h"
#include "runtime/core/tensor.h"
#include "runtime/core/train_loop.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- runners ---- */

static int64_t port_bytes(const DnnPort *t, const int64_t *sizes) {
  int64_t n = dnn_dtype_size(t->dtype);
  for (int k = 0; k < t->rank; k++) n *= sizes[k];
  return n;
}

/* Buffers for the outputs, at the sizes of the variables' bounds. */
static bool make_outputs(DnnLoop *l, DnnRunner *r) {
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
static bool make_texts(DnnLoop *l, DnnRunner *r, const DnnAction *a) {
  const DnnEntry *x = r->entry;
  int32_t ranks[DNN_MAX_PORTS];
  int64_t shapes[DNN_MAX_PORTS][DNN_MAX_RANK];
  DnnError why;
  r->texts = calloc((size_t)x->n_inputs + 1, sizeof *r->texts);
  if (!r->texts || x->n_inputs > DNN_MAX_PORTS) return dnn_fail(l->e, "%s: too many inputs", a->place);
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

DnnRunner *dnn_runner_of(DnnLoop *l, const DnnAction *a) {
  DnnRunner *r = &l->runners[a - l->p->actions];
  if (r->action) return r;
  r->entry = &l->p->entries[a->entry];
  if (!make_outputs(l, r)) return NULL;
  if (a->texts && !make_texts(l, r, a)) return NULL;
  if (a->n_feeds && !dnn_feeder_new(l->data, a, 1, &r->feeder, l->e)) return NULL;
  r->action = a;
  return r;
}

void dnn_runner_free(DnnRunner *r) {
  if (!r->out) return;
  if (r->feeder) dnn_feeder_free(r->feeder);
  for (int k = 0; k < r->entry->n_results + r->entry->n_reports; k++) free(r->out[k]);
  for (int k = 0; r->texts && k < r->entry->n_inputs; k++) dnn_tensor_free(&r->texts[k]);
  free(r->texts), free(r->vars), free(r->out), free(r->names), free(r->values), free(r->sums);
}

void dnn_reset_sums(DnnRunner *r) {
  r->weight = 0;
  for (int i = 0; i < r->entry->n_reports; i++) r->sums[i] = 0;
}

/* One call on the next batch. 1; 0 at the end of the data; -1 after an error. */
int dnn_run_once(DnnLoop *l, DnnRunner *r, int64_t *rows) {
  const void *in[DNN_MAX_PORTS];
  const DnnEntry *x = r->entry;
  *rows = 1;
  if (x->n_inputs > DNN_MAX_PORTS) return dnn_fail(l->e, "%s has too many inputs", x->name), -1;
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

DnnMetric *dnn_metric_of(DnnLoop *l, const char *name) {
  for (int i = 0; i < l->n_metrics; i++)
    if (!strcmp(l->metrics[i].name, name)) return &l->metrics[i];
  DnnMetric *grown = realloc(l->metrics, sizeof *grown * (size_t)(l->n_metrics + 1));
  if (!grown) return NULL;
  l->metrics = grown;
  DnnMetric *m = &grown[l->n_metrics++];
  *m = (DnnMetric){.name = strdup(name), .value = NAN, .kept = NAN};
  return m;
}

void dnn_note_metrics(DnnLoop *l, const DnnEntry *x, const double *values) {
  char name[512];
  for (int i = 0; i < x->n_reports; i++) {
    snprintf(name, sizeof name, "%s.%s", x->name, x->outputs[x->n_results + i].name);
    DnnMetric *m = dnn_metric_of(l, name);
    if (m) m->value = values[i], m->known = 1;
  }
}

void dnn_tell(DnnLoop *l, DnnEventKind kind, const char *stage, const DnnRunner *r, const double *values) {
  if (!l->o->event) return;
  DnnEvent v = {.kind = kind, .stage = stage, .entry = r ? r->entry->name : "", .total = l->steps, .values = values};
  v.step = l->c->step + 1, v.steps = l->c->steps, v.epoch = l->c->epoch + 1;
  if (r) v.n = r->entry->n_reports, v.names = r->names;
  l->o->event(l->o->user, &v);
}

void dnn_tell_file(DnnLoop *l, const char *path, const char *name) {
  if (!l->o->event) return;
  DnnEvent v = {.kind = DNN_EVENT_FILE, .stage = "", .entry = "", .total = l->steps, .path = path, .name = name};
  l->o->event(l->o->user, &v);
}

/* `keep`: the best cells so far are copied. */
void dnn_keep_best(DnnLoop *l, const DnnAction *a) {
  DnnMetric *m = dnn_metric_of(l, a->metric);
  if (!m || !m->known || !l->best) return;
  bool better = !l->have_best || (a->compare == '<' ? m->value < m->kept : m->value > m->kept);
  if (!better) return;
  for (int i = 0; i < l->n_metrics; i++) l->metrics[i].kept = l->metrics[i].value;
  l->have_best = l->best_seen = 1;
  memcpy(l->best, l->c->cells, (size_t)l->p->cell_bytes);
  dnn_tell(l, DNN_EVENT_BEST, "", NULL, NULL);
}

/* The best cells back, and the metrics that were theirs, at the end of the stage that kept them or of an interrupted
 * training. */
void dnn_restore_best(DnnLoop *l) {
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
void dnn_look_at_stops(DnnLoop *l, const DnnAction *list, int n, int unit) {
  for (int i = 0; i < n; i++) {
    const DnnAction *a = &list[i];
    if (a->kind != DNN_STOP && a->kind != DNN_STALL) continue;
    DnnMetric *m = dnn_metric_of(l, a->metric);
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
