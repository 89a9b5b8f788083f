/* The `train` block of a program, with a run folder when one is wanted. */
#include "base/ds.h"
#include "library/machine.h"
#include "runtime/core/folder.h"
#include "runtime/tool/event_file.h"
#include <errno.h>
#include <string.h>

/* The run folder keeps the source it was made from. */
static Status copy_source(Machine *m, const char *dir) {
  const char *from = m->s.o.path, *to = arena_printf(m->s.arena, "%s/%s", dir, session_file(&m->s));
  Buf b = {0};
  if (m->s.o.text) buf_bytes(&b, m->s.o.text, m->s.o.text_size);
  else if (!buf_read_file(&b, from, (size_t)1 << 30))
    return session_fail(&m->s, STATUS_PROGRAM, "%s: %s", from, strerror(errno));
  int bad = file_write_atomic(to, b.s ? b.s : "", b.n);
  buf_free(&b);
  return bad ? session_fail(&m->s, STATUS_PROGRAM, "%s: %s", to, strerror(errno)) : STATUS_OK;
}

/* Events go into the run folder and to the caller. */
typedef struct Listeners {
  DnnFolder *folder;
  DnnEventFile *events;
  const TrainOptions *o;
} Listeners;
static void on_event(void *user, const DnnEvent *event) {
  Listeners *l = user;
  if (l->folder) dnn_folder_event(l->folder, event);
  if (l->events) dnn_event_file_event(l->events, event);
  if (l->o->event) l->o->event(l->o->user, event);
}

/* What a training leaves in its folder. */
typedef struct Records {
  DnnFolder folder;
  DnnEventFile events;
} Records;

static Status open_records(Machine *m, const char *out, Records *r) {
  if (!dnn_folder_new(&r->folder, out, true, &m->error) ||
      !dnn_folder_start(&r->folder, m->s.program, &m->context, NULL, &m->error))
    return machine_failed(m);
  if (!dnn_event_file_open(&r->events, out, 0, &m->error)) {
    dnn_folder_leave(&r->folder);
    return machine_failed(m);
  }
  return STATUS_OK;
}

static bool close_records(Machine *m, Records *r, bool whole) {
  DnnError ignored;
  bool ok = dnn_event_file_close(&r->events, whole ? &m->error : &ignored);
  if (whole && ok) return dnn_folder_close(&r->folder, &m->error);
  dnn_folder_leave(&r->folder);
  return ok;
}

Status machine_train(Machine *m, TrainOptions *to) {
  const char *out = to->evaluate_only ? NULL : to->out;
  if (!m->s.program->n_actions) return session_fail(&m->s, STATUS_PROGRAM, "%s has no `train` block", m->s.o.path);
  Records records;
  Listeners listeners = {out ? &records.folder : NULL, out ? &records.events : NULL, to};
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
  if (out) {
    Status status = open_records(m, out, &records);
    if (!status && (status = copy_source(m, out))) close_records(m, &records, false);
    if (status) return status;
  }
  int status = dnn_train(m->s.program, &m->context, &o, &m->error);
  if (status == 1) {
    if (out) close_records(m, &records, false);
    return machine_failed(m);
  }
  if (out && !close_records(m, &records, true)) return machine_failed(m);
  return status ? STATUS_STOPPED : STATUS_OK;
}
