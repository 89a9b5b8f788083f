/* dnnc train and dnnc eval: the program's `train` block, whole or its evaluation passes alone. */
#include "base/ds.h"
#include "driver/calls.h"
#include "runtime/core/folder.h"
#include <errno.h>
#include <string.h>

/* The run folder keeps the source it was made from. */
static int copy_source(Machine *m, const char *dir) {
  const char *from = m->s.args->operands[0], *slash = strrchr(from, '/');
  Buf b = {0};
  const char *to = arena_printf(m->s.arena, "%s/%s", dir, slash ? slash + 1 : from);
  if (!buf_read_file(&b, from, (size_t)1 << 30)) return program_error("%s: %s", from, strerror(errno));
  int bad = file_write_atomic(to, b.s ? b.s : "", b.n);
  buf_free(&b);
  return bad ? program_error("%s: %s", to, strerror(errno)) : EXIT_OK;
}

/* dnnc eval: one line per value. */
static void print_pass(void *user, const DnnEvent *event) {
  if (event->kind != DNN_EVENT_PASS) return;
  for (int i = 0; i < event->n; i++) printf("%s.%s %.6g\n", event->entry, event->names[i], event->values[i]);
}

int machine_train(Machine *m, bool evaluate_only, Trained *trained) {
  const Args *a = m->s.args;
  const char *out = evaluate_only ? NULL : args_get(a, "out", NULL);
  int64_t epochs = 0, steps = 0;
  if (!args_int(a, "epochs", 1, INT32_MAX, &epochs) || !args_int(a, "steps", 1, INT64_MAX, &steps)) return EXIT_USAGE;
  if (!m->s.program->n_actions) return program_error("%s has no `train` block", a->operands[0]);
  DnnTrainOpts o = {.data_dir = args_get(a, "data", NULL),
                    .file_dir = machine_file_dir(m),
                    .out_dir = out,
                    .seed = m->seed,
                    .epochs = epochs,
                    .max_steps = steps,
                    .evaluate_only = evaluate_only,
                    .log = stdout,
                    .choose = trained ? trained->metric : NULL,
                    .chosen = trained ? &trained->value : NULL,
                    .quiet = args_has(a, "quiet")  ? 1
                             : args_has(a, "json") ? 2
                                                   : 0};
  if (evaluate_only && !args_has(a, "json")) {
    o.event = print_pass;
    o.quiet = 1;
  }
  DnnFolder folder;
  if (out) {
    if (!dnn_folder_open(&folder, m->s.program, &m->context, out, &m->error)) return program_error("%s", m->error.text);
    int status = copy_source(m, out);
    if (status) {
      dnn_out_cancel(&folder.metrics);
      return status;
    }
    o.event = dnn_folder_event;
    o.user = &folder;
  }
  int status = dnn_train(m->s.program, &m->context, &o, &m->error);
  if (status == 1) {
    if (out) dnn_out_cancel(&folder.metrics);
    return program_error("%s", m->error.text);
  }
  if (out && !dnn_folder_close(&folder, &m->error)) return program_error("%s", m->error.text);
  return status ? 130 : EXIT_OK;
}

static int start(const Args *a, bool evaluate_only) {
  Machine m;
  int status = machine_load(&m, a);
  if (!status && m.s.prog->sweep && !evaluate_only) {
    status = machine_sweep(&m);
  } else if (!status) {
    status = machine_compile(&m, NULL);
    if (!status) status = machine_train(&m, evaluate_only, NULL);
  }
  machine_end(&m);
  return status;
}

int cmd_train(const Args *a) { return start(a, false); }

int cmd_eval(const Args *a) {
  if (!args_has(a, "weights")) return usage_error(a, "`--weights FILE` is missing");
  return start(a, true);
}
