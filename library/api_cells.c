/* dnnc.h: parameters and state, weights files, training. */
#include "library/handle.h"
#include "runtime/core/weights.h"
#include <string.h>

/* ---- cells ---- */

int dnnc_cells(const dnnc_program *p) {
  return handle_use(p) == HANDLE_FREE && p->stage == HANDLE_COMPILED ? p->m.s.program->n_cells : 0;
}

dnnc_status dnnc_get_cell(dnnc_program *p, int i, dnnc_cell *out) {
  dnnc_status status = handle_enter(p, HANDLE_COMPILED);
  if (status) return status;
  if (i < 0 || i >= p->m.s.program->n_cells || !out) return handle_fail(p, DNNC_USE, "there is no cell %d", i);
  const DnnCell *c = &p->m.s.program->cells[i];
  *out =
      (dnnc_cell){.path = c->path, .kind = (dnnc_kind)(1 << c->kind), .dtype = (dnnc_dtype)c->dtype, .rank = c->rank};
  memcpy(out->shape, c->shape, (size_t)c->rank * sizeof *c->shape);
  return DNNC_OK;
}

/* The cell of that path; NULL after an error. */
static const DnnCell *cell_of(dnnc_program *p, const char *path, const dnnc_tensor *t) {
  const DnnProgram *program = p->m.s.program;
  if (!path || !t) {
    handle_fail(p, DNNC_USE, "the path of a cell and a tensor are wanted");
    return NULL;
  }
  for (int i = 0; i < program->n_cells; i++)
    if (!strcmp(program->cells[i].path, path)) return &program->cells[i];
  handle_fail(p, DNNC_USE, "the program has no cell `%s`", path);
  return NULL;
}

dnnc_status dnnc_read(dnnc_program *p, const char *path, dnnc_tensor *out) {
  bool own;
  dnnc_status status = handle_enter(p, HANDLE_COMPILED);
  if (status) return status;
  const DnnCell *c = cell_of(p, path, out);
  if (!c) return DNNC_USE;
  status = handle_room(p, path, c->dtype, c->rank, c->shape, out, &own);
  if (!status) memcpy(out->data, p->m.context.cells + c->offset, out->bytes);
  return status;
}

dnnc_status dnnc_write(dnnc_program *p, const char *path, const dnnc_tensor *in) {
  char want[200];
  dnnc_status status = handle_enter(p, HANDLE_COMPILED);
  if (status) return status;
  const DnnCell *c = cell_of(p, path, in);
  if (!c) return DNNC_USE;
  status = handle_tensor(p, path, c->dtype, in);
  if (status) return status;
  if (in->rank != c->rank || memcmp(in->shape, c->shape, (size_t)c->rank * sizeof *c->shape))
    return handle_fail(p, DNNC_USE, "%s is %s; what was given has another shape", path,
                       dnn_type_text(want, sizeof want, c->dtype, c->rank, c->shape));
  int64_t bytes = dnn_count(c->rank, c->shape, 1) * dnn_dtype_size(c->dtype);
  if (bytes) memcpy(p->m.context.cells + c->offset, in->data, (size_t)bytes);
  p->m.context.is_prepared = 0;
  p->touched = true;
  return DNNC_OK;
}

typedef struct Seed {
  uint64_t seed;
} Seed;
static dnnc_status reset(dnnc_program *p, void *arguments) {
  const Seed *s = arguments;
  if (p->run) return handle_fail(p, DNNC_USE, "the seed comes from the run");
  p->touched = false;
  return handle_told(p, &p->m.s, machine_fill(&p->m, s->seed));
}

dnnc_status dnnc_reset(dnnc_program *p, uint64_t seed) {
  dnnc_status status = handle_enter(p, HANDLE_COMPILED);
  return status ? status : handle_do(p, false, reset, &(Seed){seed});
}

/* ---- weights files ---- */

dnnc_status dnnc_save_weights(dnnc_program *p, const char *path, int kinds) {
  dnnc_status status = handle_enter(p, HANDLE_COMPILED);
  if (status) return status;
  if (!path || kinds < 0 || kinds > 7) return handle_fail(p, DNNC_USE, "a path and kinds of cells are wanted");
  if (!kinds) kinds = DNNC_PARAMETER | DNNC_STATE;
  if (dnn_weights_save(p->m.s.program, p->m.context.cells, kinds, path, &p->m.error)) return DNNC_OK;
  return handle_fail(p, DNNC_PROGRAM, "%s", p->m.error.text);
}

dnnc_status dnnc_load_weights(dnnc_program *p, const char *path) {
  dnnc_status status = handle_enter(p, HANDLE_COMPILED);
  if (status) return status;
  if (!path) return handle_fail(p, DNNC_USE, "a path is wanted");
  p->touched = true;
  return machine_weights(&p->m, path) ? DNNC_OK : handle_fail(p, DNNC_PROGRAM, "%s", p->m.error.text);
}

/* ---- training ---- */

_Static_assert((int)DNNC_STEP == DNN_EVENT_STEP && (int)DNNC_PASS == DNN_EVENT_PASS &&
                   (int)DNNC_EPOCH == DNN_EVENT_EPOCH && (int)DNNC_BEST == DNN_EVENT_BEST &&
                   (int)DNNC_PARAMETER == DNN_SAVE_PARAM && (int)DNNC_STATE == DNN_SAVE_STATE &&
                   (int)DNNC_OPTIMISER == DNN_SAVE_OPT,
               "events and kinds are the same numbers");

typedef struct Training {
  const dnnc_training *given;
  bool evaluate;
  volatile int stop;
} Training;

static void hear(void *user, const DnnEvent *event) {
  Training *t = user;
  dnnc_event e = {.kind = (dnnc_event_kind)event->kind,
                  .stage = event->stage ? event->stage : "",
                  .entry = event->entry ? event->entry : "",
                  .step = event->step,
                  .steps = event->steps,
                  .epoch = event->epoch,
                  .values = event->n,
                  .names = event->names,
                  .value = event->values};
  if (t->given->listener && t->given->listener(t->given->user, &e)) t->stop = 1;
}

static dnnc_status train(dnnc_program *p, void *arguments) {
  Training *t = arguments;
  TrainOptions o = {.out = t->given->out,
                    .overwrite = t->given->overwrite,
                    .filled = p->touched,
                    .keep = t->given->keep,
                    .epochs = t->given->epochs,
                    .max_steps = t->given->steps,
                    .evaluate_only = t->evaluate,
                    .quiet = 1,
                    .stop = &t->stop,
                    .event = hear,
                    .user = t};
  const char *every = t->given->every;
  if (every && !dnn_checkpoint_every(every, &o.every_seconds, &o.every_steps))
    return handle_fail(p, DNNC_USE, "every: a time such as 30s, 5m, 1h or a number of steps is wanted, not `%s`",
                       every);
  Resumed *run = p->opened_run && !t->evaluate ? &p->resumed : NULL;
  if (run) o.resumed = run, o.out = run->dir, o.epochs = run->epochs, o.max_steps = run->max_steps;
  p->m.s.error = NULL;
  p->touched |= !t->evaluate;
  return handle_told(p, &p->m.s, machine_train(&p->m, &o));
}

static dnnc_status begin(dnnc_program *p, const dnnc_training *o, bool evaluate) {
  static const dnnc_training plain;
  dnnc_status status = handle_enter(p, HANDLE_COMPILED);
  if (status) return status;
  Training t = {.given = o ? o : &plain, .evaluate = evaluate};
  if (t.given->epochs < 0 || t.given->steps < 0 || t.given->keep < 0)
    return handle_fail(p, DNNC_USE, "epochs, steps and keep are not negative");
  if (p->run && p->touched && !evaluate) return handle_fail(p, DNNC_USE, "the cells are no longer those of the run");
  if (p->only) return handle_fail(p, DNNC_USE, "only %s was compiled", p->only->name);
  return handle_do(p, false, train, &t);
}

dnnc_status dnnc_train(dnnc_program *p, const dnnc_training *o) { return begin(p, o, false); }

dnnc_status dnnc_evaluate(dnnc_program *p, const dnnc_training *o) { return begin(p, o, true); }
