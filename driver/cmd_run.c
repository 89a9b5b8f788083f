/* dnnc run: one call of an entry point on arrays from files, numbers and texts. */
#include "base/ds.h"
#include "driver/program.h"
#include "runtime/core/run.h"
#include <string.h>

static bool is_named(const char *pair, const char *name) {
  size_t n = strlen(name);
  return !strncmp(pair, name, n) && pair[n] == '=';
}

/* Adds `--NAME VALUE` to the inputs; an option of dnnc fills an input of its name, too, which --in does not give. */
static int add_named(Machine *m, const Args *a, DnnRunOpts *o, const char **in) {
  const DnnEntry *x = &m->s.program->entries[dnn_find_entry(m->s.program, o->entry)];
  for (int i = 0; i < (int)arrlen(a->named); i++) {
    bool known = false;
    for (int k = 0; k < x->n_inputs; k++) known |= is_named(a->named[i], x->inputs[k].name);
    if (!known)
      return unknown_option(a, arena_printf(m->s.arena, "--%.*s", (int)strcspn(a->named[i], "="), a->named[i]));
    arrput(in, a->named[i]);
  }
  for (int k = 0; k < x->n_inputs; k++) {
    const char *name = x->inputs[k].name, *value = args_get(a, name, NULL);
    bool given = !value;
    for (int i = 0; i < (int)arrlen(in); i++) given |= is_named(in[i], name);
    if (!given) arrput(in, arena_printf(m->s.arena, "%s=%s", name, value));
  }
  o->in = in, o->n_in = (int)arrlen(in);
  for (int i = 0; i < o->n_in; i++)
    for (int j = 0; j < i; j++) {
      int n = (int)strcspn(in[i], "=");
      if (!strncmp(in[i], in[j], (size_t)n + 1)) return usage_error(a, "the input `%.*s` is given twice", n, in[i]);
    }
  return EXIT_OK;
}

int cmd_run(const Args *a) {
  const char *second = arrlen(a->operands) > 1 ? a->operands[1] : NULL;
  DnnRunOpts o = {
      .entry = args_get(a, "entry", second), .out_dir = args_get(a, "out", NULL), .show = args_has(a, "show")};
  const char **in;
  int n = args_many(a, "in", &in);
  if (!o.entry) return usage_error(a, "the entry point is missing: dnnc run %s ENTRY", a->operands[0]);
  if (second && strcmp(second, o.entry)) return usage_error(a, "two entry points: `%s` and `%s`", second, o.entry);
  for (int i = 0; i < n; i++)
    if (!strchr(in[i], '=') || in[i][0] == '=') return usage_error(a, "`--in %s`: NAME=VALUE is wanted", in[i]);
  Options how;
  Machine m;
  if (!program_options(a, a->operands[0], &how)) return EXIT_USAGE;
  int status = machine_load(&m, &how);
  m.once = true;
  if (!status) status = machine_compile(&m, o.entry);
  if (!status) status = add_named(&m, a, &o, in);
  o.tokens = &m.tokens;
  if (!status && !dnn_run_entry(m.s.program, &m.context, &o, &m.error)) status = machine_failed(&m);
  return program_machine_end(a, &m, status);
}
