/* dnnc ir: every stage of a program as text. */
#include "base/ds.h"
#include "driver/program.h"
#include <string.h>

static const char *const plan_stages[] = {"fuse", "schedule", "memory", "plan"};
enum { PLAN_STAGES = sizeof plan_stages / sizeof *plan_stages };

static int list_passes(void) {
  printf("%-12s %s\n", "elaborate", "the graph as the front end made it");
  for (int i = 0; i < pass_count; i++) printf("%-12s %s\n", pass_table[i].name, pass_table[i].title);
  printf("%-12s %s\n%-12s %s\n%-12s %s\n", "fuse", "graph -> groups of nodes, one loop nest each", "schedule",
         "groups -> their order", "memory", "buffers -> cells, arena offsets; barriers");
  return EXIT_OK;
}

static int plan_stage(const char *name) {
  for (int i = 0; name && i < PLAN_STAGES; i++)
    if (!strcmp(name, plan_stages[i])) return i + 1;
  return 0;
}

static int unknown_pass(const Args *a, const char *name) {
  const char *names[64] = {"elaborate"};
  int n = 1;
  for (int i = 0; i < pass_count && n < 60; i++) names[n++] = pass_table[i].name;
  for (int i = 0; i < PLAN_STAGES; i++) names[n++] = plan_stages[i];
  const char *near = diag_nearest(name, names, n);
  return usage_error(a, "there is no pass `%s`%s%s%s", name, near ? "; did you mean `" : "", near ? near : "",
                     near ? "`?" : "; `--after=list` lists them");
}

static void print_entry(Session *s, int i, int stage, bool dot, bool title) {
  Entry *x = &s->prog->entries[i];
  Buf b = {0};
  if (title) printf("# %s\n", x->name);
  if (stage) {
    Plan *p = stage >= 3 ? plan_build(s->arena, s->prog, x) : plan_fuse(s->arena, s->prog, x);
    if (stage == 2) plan_schedule(p);
    plan_print(p, &b);
  } else if (dot) {
    graph_print_dot(x->graph, &b);
  } else {
    graph_print(x->graph, &b);
  }
  fputs(b.s ? b.s : "", stdout);
  buf_free(&b);
}

static int print_loops(Session *s) {
  int status = session_lower(s, session_default_target(false));
  if (status) return status;
  for (int i = 0; i < kernels_count(s->kernels); i++) {
    Buf b = {0};
    kernel_print(kernels_get(s->kernels, i), &b);
    printf("%s%s", i ? "\n" : "", b.s ? b.s : "");
    buf_free(&b);
  }
  return EXIT_OK;
}

int cmd_ir(const Args *a) {
  const char *after = args_get(a, "after", NULL), *entry = args_get(a, "entry", NULL);
  if (after && !strcmp(after, "list")) return list_passes();
  int stage = plan_stage(after);
  if (after && !stage && strcmp(after, "elaborate") && !pass_find(after)) return unknown_pass(a, after);
  if (args_has(a, "dot") && (stage || args_has(a, "loops"))) return usage_error(a, "`--dot` draws graphs only");
  Options o;
  Session s;
  if (!program_options(a, a->operands[0], &o)) return EXIT_USAGE;
  int status = session_load(&s, &o), only = -1;
  if (!status && entry) status = session_entry(&s, entry, ~0u, &only);
  if (!status && args_has(a, "loops")) {
    status = print_loops(&s);
  } else if (!status) {
    if (!after || strcmp(after, "elaborate")) status = session_passes(&s, stage ? NULL : after);
    for (int i = 0; !status && i < (int)arrlen(s.prog->entries); i++)
      if (only < 0 || only == i) print_entry(&s, i, stage, args_has(a, "dot"), only < 0);
  }
  return program_end(a, &s, status);
}
