#include "library/profile.h"
#include "base/ds.h"
#include "library/profile_count.h"
#include "runtime/core/shapes.h"
#include <math.h>
#include <string.h>

/* ---- training ---- */

/* The program with one stage, which has nothing but its runs and no end. Actions keep their numbers, for random keys
 * are made of them. */
static DnnProgram only_stage(Arena *a, const DnnProgram *p, int stage) {
  enum { NOTHING = -1 };
  DnnProgram q = *p;
  DnnAction *actions = arena_array(a, DnnAction, p->n_actions);
  memcpy(actions, p->actions, sizeof *actions * (size_t)p->n_actions);
  for (int i = 0; i < p->n_stages; i++)
    if (i != stage) actions[i].kind = NOTHING;
  DnnAction *s = &actions[stage];
  for (int i = 0; i < s->n; i++)
    if (actions[s->first + i].kind != DNN_RUN) actions[s->first + i].kind = NOTHING;
  s->count = 1000000000;
  q.actions = actions;
  return q;
}

typedef struct Training {
  Count *count;
  int runs; /* of the stage, in a step */
  int done;
} Training;

static void on_event(void *user, const DnnEvent *event) {
  Training *t = user;
  if (event->kind != DNN_EVENT_STEP) return;
  if (++t->done % t->runs == 0) count_step(t->count);
  else dnn_lap(&t->count->m->context, DNN_LAP_OUTSIDE);
}

static Status train_stage(Machine *m, int stage, double seconds, const ProfileOpts *po, Count *c) {
  const DnnProgram q = only_stage(m->s.arena, m->s.program, stage);
  Training t = {.count = c};
  DnnTrainOpts o = {.data_dir = m->s.o.data,
                    .file_dir = session_dir(&m->s),
                    .seed = m->seed,
                    .quiet = 1,
                    .event = on_event,
                    .user = &t,
                    .stop = &c->stop};
  const DnnAction *s = &q.actions[stage];
  for (int i = 0; i < s->n; i++) t.runs += q.actions[s->first + i].kind == DNN_RUN;
  if (!t.runs) return STATUS_OK;
  c->laps.between = DNN_LAP_FEED;
  count_open(c, seconds, po->steps);
  int status = dnn_train(&q, &m->context, &o, &m->error);
  count_close(c);
  return status == 1 ? machine_failed(m) : STATUS_OK;
}

static Status finish(Machine *m, Profile *p, Status status) {
  if (status) return status;
  if (!p->count->steps) return session_fail(&m->s, STATUS_PROGRAM, "nothing was measured");
  int threads = m->context.threads;
  bool ok = dnn_limits_measure(threads, threads > 1 ? 0.2 : 0.3, &p->limits);
  p->limits_of_one = p->limits;
  if (ok && threads > 1) ok = dnn_limits_measure(1, 0.1, &p->limits_of_one);
  if (!ok) return session_fail(&m->s, STATUS_PROGRAM, "the limits of the machine cannot be measured: no memory");
  profile_rows(p);
  return STATUS_OK;
}

Status profile_train(Machine *m, const ProfileOpts *o, Profile *p) {
  const DnnProgram *q = m->s.program;
  *p = (Profile){.machine = m, .what = "steps"};
  int stages = 0;
  for (int i = 0; i < q->n_stages; i++) stages += q->actions[i].kind == DNN_STAGE;
  if (!stages) return session_fail(&m->s, STATUS_PROGRAM, "%s has no `train` block; give an entry point", m->s.o.path);
  Status status = count_new(m, o, &p->count);
  for (int i = 0; i < q->n_stages && !status; i++)
    if (q->actions[i].kind == DNN_STAGE) status = train_stage(m, i, 1.0 / stages, o, p->count);
  return finish(m, p, status);
}

/* ---- calls of an entry ---- */

/* The largest value below a bound of an input at the sizes `vars`; 1 where there is none that is known. */
static int64_t largest(const DnnPort *t, const int64_t *vars) {
  const DnnAxis *b = &t->below;
  int64_t bound = b->var >= 0 ? b->mul * vars[b->var] + b->add : b->var == -1 ? b->add : 0;
  if (t->dtype == DNN_BOOL) return 1;
  return bound > 0 ? bound - 1 : 1;
}

static bool fill_inputs(void *user, const DnnEntry *x, DnnTensor *in, DnnError *e) {
  int64_t vars[DNN_MAX_VARS] = {0}, shape[DNN_MAX_RANK];
  uint32_t random = 1;
  (void)user;
  for (int k = 0; k < x->n_vars && k < DNN_MAX_VARS; k++) vars[k] = x->vars[k].bound;
  for (int i = 0; i < x->n_inputs; i++) {
    const DnnPort *t = &x->inputs[i];
    int64_t n = dnn_port_shape(x, i, vars, shape), most = largest(t, vars);
    if (!dnn_tensor_new(&in[i], t->dtype, t->rank, shape, e)) return false;
    for (int64_t k = 0; k < n; k++) {
      random = random * 1664525u + 1013904223u;
      double u = (double)(random >> 8) * 0x1p-24;
      dnn_put(in[i].data, t->dtype, k, dnn_dtype_is_float(t->dtype) ? u : floor(u * ((double)most + 1)));
    }
  }
  return true;
}

static int again(void *user) {
  count_step(user);
  return !((Count *)user)->stop;
}

Status profile_entry(Machine *m, const char *entry, const char *const *in, int n_in, const ProfileOpts *o, Profile *p) {
  *p = (Profile){.machine = m, .what = "calls", .made_up = !n_in};
  int k = dnn_find_entry(m->s.program, entry);
  if (k >= 0 && !m->s.program->entries[k].n_inputs) p->made_up = false;
  Status status = count_new(m, o, &p->count);
  if (status) return status;
  DnnRunOpts run = {.entry = entry,
                    .in = in,
                    .n_in = n_in,
                    .tokens = &m->tokens,
                    .fill = n_in ? NULL : fill_inputs,
                    .again = again,
                    .user = p->count};
  p->count->laps.between = DNN_LAP_OUTSIDE;
  count_open(p->count, 1, o->steps);
  bool ok = dnn_run_entry(m->s.program, &m->context, &run, &m->error);
  count_close(p->count);
  return finish(m, p, ok ? STATUS_OK : machine_failed(m));
}

void profile_end(Profile *p) {
  if (p->count) count_free(p->count);
  arrfree(p->kernels), arrfree(p->lines), arrfree(p->rest), arrfree(p->threads);
}
