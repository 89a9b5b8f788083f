/* dnnc train and dnnc eval: the program's `train` block, whole or its evaluation passes alone. */
#include "base/ds.h"
#include "driver/program.h"
#include "library/run.h"
#include "report/report.h"
#include "runtime/core/show.h"
#include <math.h>
#include <string.h>

/* dnnc eval: one line per value. */
static void print_pass(void *user, const DnnEvent *event) {
  if (event->kind != DNN_EVENT_PASS) return;
  for (int i = 0; i < event->n; i++) {
    char number[40];
    dnn_show_float(number, sizeof number, 6, event->values[i]);
    printf("%s.%s %s\n", event->entry, event->names[i], number);
  }
}

static bool train_options(const Args *a, TrainOptions *o) {
  const char *every = args_get(a, "checkpoint-every", NULL);
  int64_t keep = 0;
  *o = (TrainOptions){.out = args_get(a, "out", NULL),
                      .overwrite = args_has(a, "overwrite"),
                      .log = stdout,
                      .quiet = args_has(a, "quiet")  ? 1
                               : args_has(a, "json") ? 2
                                                     : 0};
  if (!args_int(a, "epochs", 1, INT32_MAX, &o->epochs) || !args_int(a, "steps", 1, INT64_MAX, &o->max_steps) ||
      !args_int(a, "keep-checkpoints", 1, INT32_MAX, &keep))
    return false;
  o->keep = (int)keep;
  if (!every || dnn_checkpoint_every(every, &o->every_seconds, &o->every_steps)) return true;
  usage_error(a, "`--checkpoint-every %s`: a time such as 30s, 5m, 1h or a number of steps is wanted", every);
  return false;
}

/* The reason of a failed run in one line; mistakes of the program stand on stderr, in full. */
static const char *reason(Arena *a, const Session *s) {
  return s->error ? arena_strndup(a, s->error, strcspn(s->error, "\n")) : "mistakes in the program";
}

static int train(Machine *m, TrainOptions *o, Trained *end) {
  o->choose = end ? end->metric : NULL;
  int status = machine_train(m, o);
  if (end) end->value = o->chosen;
  return status;
}

int program_end_training(const Args *a, Machine *m, int status, Trained *end) {
  if (end && status == EXIT_PROGRAM) end->failed = reason(end->arena, &m->s), end->value = NAN;
  return program_machine_end(a, m, status);
}

int program_train(const Args *a, Machine *m, bool evaluate_only, Trained *end) {
  TrainOptions o;
  if (!train_options(a, &o)) return EXIT_USAGE;
  if (o.out && !o.overwrite && report_is_sweep(o.out))
    return program_error("%s: holds a sweep, whose best weights would be lost: --overwrite trains there", o.out);
  o.evaluate_only = evaluate_only;
  if (evaluate_only && !args_has(a, "json")) {
    o.event = print_pass;
    o.quiet = 1;
  }
  return train(m, &o, end);
}

static int start(const Args *a, bool evaluate_only) {
  Options o;
  TrainOptions early; /* wrong ones are told before anything is compiled */
  Machine m;
  if (!program_options(a, a->operands[0], &o) || !train_options(a, &early)) return EXIT_USAGE;
  o.training = true;
  int status = machine_load(&m, &o);
  if (!status && m.s.prog && m.s.prog->sweep && !evaluate_only) {
    status = program_sweep(a, &m, NULL);
  } else if (!status) {
    status = machine_compile(&m, NULL);
    if (!status) status = program_train(a, &m, evaluate_only, NULL);
  }
  return program_machine_end(a, &m, status);
}

/* A run that goes on takes nothing from the command line that decides about its bits. */
static bool leaves_bits(const Args *a) {
  static const char *const fixed[] = {"out",   "overwrite", "weights", "seed",   "set",   "dim",   "epochs",
                                      "steps", "target",    "plan",    "memory", "check", "debug", "no-checks"};
  for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
    if (args_has(a, fixed[i])) return usage_error(a, "`--%s` comes from the run that --resume names", fixed[i]), false;
  return true;
}

/* The options of the run, and of the command line those that decide nothing about its bits. */
static bool resume_options(const Args *a, Resumed *r, Options *o, TrainOptions *t) {
  Options given;
  if (!program_options(a, NULL, &given) || !train_options(a, t)) return false;
  *o = r->options;
  o->training = true;
  if (given.data) o->data = given.data;
  o->threads = given.threads, o->verify = given.verify, o->time = given.time, o->no_cache = given.no_cache;
  t->resumed = r, t->out = r->dir, t->epochs = r->epochs, t->max_steps = r->max_steps;
  return true;
}

int program_resume(const Args *a, const char *run, Trained *end) {
  Resumed r;
  Options o;
  TrainOptions t;
  DnnError e;
  bool ok = resumed_open(&r, run, &e) && (!arrlen(a->operands) || resumed_is_of(&r, a->operands[0], &e));
  int status = ok ? EXIT_OK : program_error("%s", e.text);
  if (status && end) end->failed = arena_strndup(end->arena, e.text, strcspn(e.text, "\n"));
  if (!status && !resume_options(a, &r, &o, &t)) status = EXIT_USAGE;
  if (!status) {
    Machine m;
    status = machine_load(&m, &o);
    m.from = &r.from;
    if (!status) status = machine_compile(&m, NULL);
    if (!status) status = train(&m, &t, end);
    status = program_end_training(a, &m, status, end);
  }
  resumed_close(&r);
  return status;
}

int cmd_train(const Args *a) {
  const char *run = args_get(a, "resume", NULL);
  if (run && !leaves_bits(a)) return EXIT_USAGE;
  if (run) return report_is_sweep(run) ? program_resume_sweep(a, run) : program_resume(a, run, NULL);
  if (!arrlen(a->operands)) return usage_error(a, "FILE is missing");
  return start(a, false);
}

int cmd_eval(const Args *a) {
  if (!args_has(a, "weights")) return usage_error(a, "`--weights FILE` is missing");
  return start(a, true);
}
