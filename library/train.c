/* The `train` block of a program, with a run folder when one is wanted. */
#include "base/ds.h"
#include "library/run.h"
#include "runtime/tool/event_file.h"
#include <string.h>

/* Events go into the run folder and to the caller. */
typedef struct Listeners {
  Session *session;
  DnnFolder *folder;
  DnnEventFile *events;
  const TrainOptions *o;
  bool stepped; /* there was a step */
} Listeners;
static void on_event(void *user, const DnnEvent *event) {
  Listeners *l = user;
  if (event->kind == DNN_EVENT_STEP && !l->stepped)
    session_time(l->session, "all, to the end of step 1", l->session->begun);
  l->stepped |= event->kind == DNN_EVENT_STEP;
  if (l->folder) dnn_folder_event(l->folder, event);
  if (l->events && l->events->log.file) dnn_event_file_event(l->events, event);
  if (l->o->event) l->o->event(l->o->user, event);
}

/* What a training leaves in its folder. */
typedef struct Records {
  DnnFolder folder;
  DnnEventFile events;
  const char **settings; /* stb_ds */
} Records;

static bool open_records(Machine *m, TrainOptions *to, Records *r) {
  DnnError *e = &m->error;
  Resumed *again = to->resumed;
  if (again ? !resumed_fits(again, m, e) : !dnn_folder_new(&r->folder, to->out, to->overwrite, e)) return false;
  if (again) r->folder = again->folder, again->folder.lock = -1;
  const DnnCheckpoint *from = again ? &again->from : NULL;
  if ((!again && !run_begin(m, to->out, e)) || !dnn_folder_start(&r->folder, m->s.program, &m->context, from, e))
    return false;
  r->settings = run_settings(m, to);
  bool over = from && from->at.action == m->s.program->n_stages; /* it will only say so */
  return (over || dnn_event_file_open(&r->events, to->out, from ? from->steps + 1 : 0, e)) &&
         run_record(m, to, to->out, "running", e);
}

/* `state`: how it ended. False: the training itself went well, but what is left of it could not be written. */
static bool close_records(Machine *m, TrainOptions *to, Records *r, const char *state) {
  bool whole = strcmp(state, "failed") != 0;
  DnnError ignored;
  bool ok = !r->events.log.file || dnn_event_file_close(&r->events, whole ? &m->error : &ignored);
  ok = whole && ok ? dnn_folder_close(&r->folder, &m->error) : ok;
  if (r->settings) run_record(m, to, to->out, ok ? state : "failed", ok ? &m->error : &ignored);
  dnn_folder_leave(&r->folder);
  arrfree(r->settings);
  return ok;
}

/* Are the first cells a function of the seed? */
static bool is_drawn(const Machine *m, const TrainOptions *to) {
  bool drawn = !m->s.o.weights && !to->filled;
  for (int i = 0; i < m->s.program->n_cells; i++) drawn &= !m->s.program->cells[i].load_file;
  return drawn;
}

static DnnSaving saving_of(const Machine *m, const TrainOptions *to, Records *r) {
  return (DnnSaving){.run = to->out,
                     .seconds = to->every_seconds,
                     .steps = to->every_steps,
                     .keep = to->keep,
                     .drawn = is_drawn(m, to),
                     .settings = r->settings,
                     .n_settings = (int)arrlen(r->settings),
                     .from = to->resumed ? &to->resumed->from : NULL,
                     .grown = dnn_folder_grown,
                     .sound = dnn_folder_sound,
                     .user = &r->folder};
}

Status machine_train(Machine *m, TrainOptions *to) {
  const char *out = to->evaluate_only ? NULL : to->out;
  if (!m->s.program->n_actions) return session_fail(&m->s, STATUS_PROGRAM, "%s has no `train` block", m->s.o.path);
  Records records = {.folder.lock = -1};
  Listeners listeners = {&m->s, out ? &records.folder : NULL, out ? &records.events : NULL, to, false};
  DnnSaving saving;
  DnnTrainOpts o = {.data_dir = m->s.o.data,
                    .file_dir = session_dir(&m->s),
                    .out_dir = out,
                    .seed = m->seed,
                    .epochs = to->epochs,
                    .max_steps = to->max_steps,
                    .evaluate_only = to->evaluate_only,
                    .log = to->log,
                    .choose = to->choose,
                    .chosen = &to->chosen,
                    .quiet = to->quiet,
                    .stop = to->stop,
                    .event = on_event,
                    .user = &listeners};
  int status = out && !open_records(m, to, &records);
  if (!status && out) saving = saving_of(m, to, &records), o.saving = &saving;
  if (!status) status = dnn_train(m->s.program, &m->context, &o, &m->error);
  static const char *const states[] = {"finished", "failed", "interrupted"};
  if (out && !close_records(m, to, &records, states[status])) status = 1;
  if (status == 1) return machine_failed(m);
  return status ? STATUS_STOPPED : STATUS_OK;
}
