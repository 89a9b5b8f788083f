/* dnnc train and dnnc eval: the program's `train` block, whole or its evaluation passes alone. */
#include "base/ds.h"
#include "driver/program.h"
#include "runtime/core/show.h"

/* dnnc eval: one line per value. */
static void print_pass(void *user, const DnnEvent *event) {
  if (event->kind != DNN_EVENT_PASS) return;
  for (int i = 0; i < event->n; i++) {
    char number[40];
    dnn_show_float(number, sizeof number, 6, event->values[i]);
    printf("%s.%s %s\n", event->entry, event->names[i], number);
  }
}

int program_train(const Args *a, Machine *m, bool evaluate_only, const char *choose, double *chosen) {
  TrainOptions o = {.out = args_get(a, "out", NULL),
                    .evaluate_only = evaluate_only,
                    .log = stdout,
                    .choose = choose,
                    .quiet = args_has(a, "quiet")  ? 1
                             : args_has(a, "json") ? 2
                                                   : 0};
  if (!args_int(a, "epochs", 1, INT32_MAX, &o.epochs) || !args_int(a, "steps", 1, INT64_MAX, &o.max_steps))
    return EXIT_USAGE;
  if (evaluate_only && !args_has(a, "json")) {
    o.event = print_pass;
    o.quiet = 1;
  }
  int status = machine_train(m, &o);
  if (chosen) *chosen = o.chosen;
  return status;
}

static int start(const Args *a, bool evaluate_only) {
  Options o;
  Machine m;
  if (!program_options(a, a->operands[0], &o)) return EXIT_USAGE;
  o.training = true;
  int status = machine_load(&m, &o);
  if (!status && m.s.prog && m.s.prog->sweep && !evaluate_only) {
    status = program_sweep(a, &m);
  } else if (!status) {
    status = machine_compile(&m, NULL);
    if (!status) status = program_train(a, &m, evaluate_only, NULL, NULL);
  }
  return program_machine_end(a, &m, status);
}

int cmd_train(const Args *a) { return start(a, false); }

int cmd_eval(const Args *a) {
  if (!args_has(a, "weights")) return usage_error(a, "`--weights FILE` is missing");
  return start(a, true);
}
