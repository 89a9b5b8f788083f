/* dnnc run: one call of an entry point on arrays from files. */
#include "base/ds.h"
#include "driver/calls.h"
#include "runtime/core/run.h"
#include <string.h>

int cmd_run(const Args *a) {
  DnnRunOpts o = {
      .entry = args_get(a, "entry", NULL), .out_dir = args_get(a, "out", NULL), .show = args_has(a, "show")};
  const char **in;
  o.n_in = args_many(a, "in", &in);
  o.in = in;
  if (!o.entry) return usage_error(a, "`--entry NAME` is missing");
  for (int i = 0; i < o.n_in; i++)
    if (!strchr(in[i], '=') || in[i][0] == '=') return usage_error(a, "`--in %s`: NAME=FILE is wanted", in[i]);
  for (int i = 0; i < o.n_in; i++)
    for (int j = 0; j < i; j++) {
      size_t n = strcspn(in[i], "=") + 1;
      if (!strncmp(in[i], in[j], n)) return usage_error(a, "`--in %.*s` is given twice", (int)n - 1, in[i]);
    }
  Machine m;
  int status = machine_start(&m, a);
  if (!status && session_entry(&m.s, o.entry, 1u << DNN_EXPORT | 1u << DNN_STEP) < 0) status = EXIT_PROGRAM;
  if (!status && !dnn_run_entry(m.s.program, &m.context, &o, &m.error)) status = program_error("%s", m.error.text);
  machine_end(&m);
  return status;
}
