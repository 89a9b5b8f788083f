#include "driver/session.h"
#include "base/ds.h"
#include "frontend/frontend.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double session_clock(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void session_time(const Session *s, const char *what, double since) {
  if (s->time) fprintf(stderr, "%8.1f ms  %s\n", 1e3 * (session_clock() - since), what);
}

void session_flush(Session *s) {
  fflush(stdout);
  if (!strcmp(s->args->command->name, "check") && args_has(s->args, "json")) diag_flush_json(s->diag, stdout);
  else diag_flush(s->diag, stderr, isatty(STDERR_FILENO) && !getenv("NO_COLOR"));
}

static int failed(Session *s) {
  session_flush(s);
  return EXIT_PROGRAM;
}

/* NULL-terminated list of an option's values; false after a message when one lacks the "=". */
static bool pairs(const Args *a, const char *option, const char *const **out) {
  const char **list;
  int n = args_many(a, option, &list);
  for (int i = 0; i < n; i++) {
    const char *eq = strchr(list[i], '=');
    if (eq && eq != list[i]) continue;
    usage_error(a, "`--%s %s`: NAME=VALUE is wanted", option, list[i]);
    return false;
  }
  arrput(list, NULL);
  *out = list;
  return true;
}

int session_load(Session *s, const Args *a, const char *path) {
  *s = (Session){.args = a, .arena = arena_new(), .time = args_has(a, "time"), .verify = args_has(a, "verify")};
  s->diag = diag_new(s->arena);
  ElabOpts o = {0};
  if (!pairs(a, "set", &o.sets) || !pairs(a, "dim", &o.dims)) return EXIT_USAGE;
  double t = session_clock();
  s->prog = frontend_load(s->arena, s->diag, path, &o);
  session_time(s, "elaborate", t);
  if (!s->prog || diag_errors(s->diag)) return failed(s);
  return EXIT_OK;
}

/* Every size of an entry needs a bound before memory can be planned. Only `batch all` leaves one open. */
static bool sizes_are_bound(Session *s) {
  for (int i = 0; i < (int)arrlen(s->prog->entries); i++) {
    const Entry *x = &s->prog->entries[i];
    for (int k = 0; k < (int)arrlen(x->vars); k++) {
      const char *name = dim_var_name(s->prog->dims, x->vars[k]);
      if (dim_var_bound(s->prog->dims, x->vars[k]) >= 0) continue;
      diag_error(s->diag, x->loc, E0906, "how many records `batch all` gives to `%s` is not known while compiling",
                 x->name);
      diag_help(s->diag, "write a bound in the step's signature, `%s <= 60000`, or give `--dim %s=60000`", name, name);
    }
  }
  return !diag_errors(s->diag);
}

/* --memory: bytes, or with K, M, G (1024 each time); 0 when it is not given, -1 after a message. */
static int64_t memory_limit(const Args *a) {
  static const char units[] = "KMG";
  const char *text = args_get(a, "memory", NULL);
  if (!text) return 0;
  char *end;
  double v = strtod(text, &end);
  const char *unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
  if (unit) end++;
  for (int k = 0; unit && k <= unit - units; k++) v *= 1024;
  if (end > text && !*end && v >= 1 && v < 0x1p62) return (int64_t)v;
  usage_error(a, "--memory takes a size such as 500M or 2G, not `%s`", text);
  return -1;
}

/* The passes of one entry; false after a message. */
static bool entry_passes(Session *s, Entry *e, const PipelineOpts *o, int64_t limit) {
  int64_t least = 0;
  bool ok = limit ? pipeline_within(s->prog, e, o, limit, &least) : pipeline_graph(s->prog, e, o);
  if (!ok && !diag_errors(s->diag)) INTERNAL("a pass failed without a message");
  if (!ok || o->stop_after || least <= limit) return true; /* errors of all entries are told together */
  program_error("`%s` does not fit into --memory %s: the least found is %lld bytes", e->name,
                args_get(s->args, "memory", ""), (long long)least);
  return false;
}

int session_passes(Session *s, const char *stop_after) {
  PipelineOpts o = {.stop_after = stop_after, .verify = s->verify, .time = s->time};
  int64_t limit = memory_limit(s->args);
  if (limit < 0) return EXIT_USAGE;
  if (limit && !sizes_are_bound(s)) return failed(s);
  for (int i = 0; i < (int)arrlen(s->prog->entries); i++)
    if (!entry_passes(s, &s->prog->entries[i], &o, limit)) return EXIT_PROGRAM;
  return diag_errors(s->diag) ? failed(s) : EXIT_OK;
}

const char *session_default_target(bool native) {
  if (native) return "native";
#if defined(__x86_64__)
  return "x86-64-v3";
#elif defined(__aarch64__)
  return "aarch64";
#else
  return "plain";
#endif
}

/* The target and the plan file of the command line. */
static int take_options(Session *s, const char *target) {
  const char *name = args_get(s->args, "target", target), *plan = args_get(s->args, "plan", NULL);
  s->target = target_find(name);
  if (!s->target) return usage_error(s->args, "there is no target `%s`", name);
  if (!plan) return EXIT_OK;
  Buf why = {0};
  if (!s->tuning) s->tuning = tuning_new(s->arena);
  int status = tuning_read(s->tuning, plan, s->target, &why) ? EXIT_OK : program_error("%s", why.s);
  buf_free(&why);
  return status;
}

int session_lower(Session *s, const char *target) {
  int status = take_options(s, target);
  if (!status) status = session_passes(s, NULL);
  if (status) return status;
  if (!sizes_are_bound(s)) return failed(s);
  int n = (int)arrlen(s->prog->entries);
  double t = session_clock();
  s->plans = arena_array(s->arena, Plan *, n + 1);
  s->lowered = arena_array(s->arena, Lowered *, n + 1);
  for (int i = 0; i < n; i++) {
    s->plans[i] = plan_build(s->arena, s->prog, &s->prog->entries[i]);
    Buf why = {0};
    if (s->plans[i] && s->verify && !plan_verify(s->plans[i], &why))
      INTERNAL("the plan of %s: %s", s->prog->entries[i].name, why.s);
    if (!s->plans[i] || diag_errors(s->diag)) return failed(s);
  }
  session_time(s, "plan", t);
  t = session_clock();
  s->kernels = kernels_new(s->arena, s->prog, s->target);
  kernels_tune(s->kernels, s->tuning);
  for (int i = 0; i < n; i++) s->lowered[i] = lower_plan(s->arena, s->plans[i], s->kernels);
  if (diag_errors(s->diag)) return failed(s);
  session_time(s, "lower", t);
  if (s->time && args_has(s->args, "plan"))
    fprintf(stderr, "%d of %d choices of the plan are used\n", tuning_used(s->tuning), tuning_count(s->tuning));
  return EXIT_OK;
}

int session_emit(Session *s, const char *target, bool weights) {
  int64_t units = 0;
  if (!args_int(s->args, "units", 1, 1000, &units)) return EXIT_USAGE;
  int status = session_lower(s, target);
  if (status) return status;
  double t = session_clock();
  const char *path = s->args->operands[0], *slash = strrchr(path, '/');
  EmitOpts o = {.checks = !args_has(s->args, "no-checks"),
                .weights = weights,
                .lines = args_has(s->args, "debug"),
                .units = (int)units,
                .source = slash ? slash + 1 : path};
  if (!emit_program(s->arena, s->prog, s->plans, s->lowered, s->kernels, s->target, &o, &s->out)) return failed(s);
  session_time(s, "emit", t);
  return EXIT_OK;
}

int session_native(Session *s) {
  int status = session_emit(s, session_default_target(true), false);
  if (status) return status;
  Buf why = {0};
  double t = session_clock();
  s->program = backend_load(s->arena, &s->out, s->target, s->time, &s->backend, &why);
  session_time(s, "compile and load", t);
  if (!s->program) return program_error("%s", why.s ? why.s : "the program cannot be loaded");
  return EXIT_OK;
}

void session_end(Session *s) {
  backend_close(s->backend);
  if (s->tuning) tuning_free(s->tuning);
  if (s->arena) arena_free(s->arena);
}

int session_entry(const Session *s, const char *name, unsigned kinds) {
  const char **names = NULL;
  int found = -1;
  for (int i = 0; i < (int)arrlen(s->prog->entries); i++) {
    const Entry *x = &s->prog->entries[i];
    if (!(kinds & 1u << x->kind)) continue;
    arrput(names, x->name);
    if (name && !strcmp(x->name, name)) found = i;
  }
  if (found < 0) {
    const char *near = name ? diag_nearest(name, names, (int)arrlen(names)) : NULL;
    if (name)
      program_error("the program has no entry point `%s`%s%s%s", name, near ? "; did you mean `" : "", near ? near : "",
                    near ? "`?" : "");
    fputs(arrlen(names) ? "entry points:" : "it has no entry points", stderr);
    for (int i = 0; i < (int)arrlen(names); i++) fprintf(stderr, "%s %s", i ? "," : "", names[i]);
    fputc('\n', stderr);
  }
  arrfree(names);
  return found;
}
