#include "library/session.h"
#include "base/ds.h"
#include "base/size.h"
#include "codegen/plugin.h"
#include "frontend/frontend.h"
#include "library/misfit.h"
#include "passes/hostile.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

double session_clock(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void session_time(Session *s, const char *what, double since) {
  Phase p = {what, since, session_clock()};
  arrput(s->phases, p);
  if (s->o.time) fprintf(stderr, "%8.1f ms  %s\n", 1e3 * (p.end - since), what);
}

Status session_fail(Session *s, Status status, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  s->error = arena_vprintf(s->arena, fmt, ap);
  va_end(ap);
  return status;
}

const char *session_dir(const Session *s) {
  if (s->o.dir) return s->o.dir;
  const char *slash = strrchr(s->o.path, '/');
  return slash ? arena_strndup(s->arena, s->o.path, (size_t)(slash - s->o.path)) : "";
}

const char *session_file(const Session *s) {
  const char *slash = strrchr(s->o.path, '/');
  return slash ? slash + 1 : s->o.path;
}

/* The first of the pairs that is none, or NULL. */
static const char *no_pair(const char *const *list) {
  for (; list && *list; list++)
    if (!strchr(*list, '=') || **list == '=') return *list;
  return NULL;
}

Status session_open(Session *s, const Options *o) {
  *s = (Session){.o = *o, .arena = arena_new(), .begun = session_clock()};
  s->diag = diag_new(s->arena);
  const char *set = no_pair(o->sets), *dim = no_pair(o->dims);
  if (set || dim)
    return session_fail(s, STATUS_USE, "`--%s %s`: NAME=VALUE is wanted", set ? "set" : "dim", set ? set : dim);
  return STATUS_OK;
}

/* The folders of DIR:DIR. */
static void add_folders(Session *s, const char ***list, const char *dirs) {
  for (size_t n; dirs && *dirs; dirs += n + (dirs[n] == ':')) {
    n = strcspn(dirs, ":");
    if (n) arrput(*list, arena_strndup(s->arena, dirs, n));
  }
}

/* A folder of --import that is none; NULL: all are there. DNNC_IMPORT may name folders that are not, as PATH does. */
static const char *no_folder(Session *s) {
  const char **list = NULL, *missing = NULL;
  struct stat st;
  add_folders(s, &list, s->o.imports);
  for (int i = 0; i < (int)arrlen(list) && !missing; i++)
    if (stat(list[i], &st) || !S_ISDIR(st.st_mode)) missing = list[i];
  arrfree(list);
  return missing;
}

/* The folders of --import, then those of DNNC_IMPORT. */
static const char *const *import_path(Session *s) {
  const char **list = NULL;
  add_folders(s, &list, s->o.imports);
  add_folders(s, &list, getenv("DNNC_IMPORT"));
  arrput(list, NULL);
  const char **kept = arena_array(s->arena, const char *, arrlen(list));
  memcpy(kept, list, sizeof *kept * (size_t)arrlen(list));
  arrfree(list);
  return kept;
}

Status session_elaborate(Session *s) {
  const Options *o = &s->o;
  const char *missing = no_folder(s);
  if (missing) return session_fail(s, STATUS_USE, "--import %s: there is no such folder", missing);
  ElabOpts elab = {.sets = o->sets, .dims = o->dims, .path = import_path(s)};
  double t = session_clock();
  s->prog = o->text ? frontend_load_text(s->arena, s->diag, o->path, o->text, o->text_size, &elab)
                    : frontend_load(s->arena, s->diag, o->path, &elab);
  session_time(s, "elaborate", t);
  if (s->prog) s->prog->apart = hostile_apart();
  return s->prog && !diag_errors(s->diag) ? STATUS_OK : STATUS_PROGRAM;
}

Status session_load(Session *s, const Options *o) {
  Status status = session_open(s, o);
  return status ? status : session_elaborate(s);
}

static bool is_needed(const Session *s, int entry) { return !s->needed || s->needed[entry]; }

/* Every size of an entry needs a bound before memory can be planned. Only `batch all` leaves one open. */
static bool sizes_are_bound(Session *s) {
  for (int i = 0; i < (int)arrlen(s->prog->entries); i++) {
    const Entry *x = &s->prog->entries[i];
    for (int k = 0; k < (int)arrlen(x->vars) && is_needed(s, i); k++) {
      const char *name = dim_var_name(s->prog->dims, x->vars[k]);
      if (dim_var_bound(s->prog->dims, x->vars[k]) >= 0) continue;
      diag_error(s->diag, x->loc, E0906, "how many records `batch all` gives to `%s` is not known while compiling",
                 x->name);
      diag_help(s->diag, "write a bound in the step's signature, `%s <= 60000`, or give `--dim %s=60000`", name, name);
    }
  }
  return !diag_errors(s->diag);
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

/* The target and the plan file of the options. */
static Status take_options(Session *s, const char *target) {
  const char *name = s->o.target ? s->o.target : target;
  s->target = target_find(name);
  if (!s->target) return session_fail(s, STATUS_USE, "there is no target `%s`", name);
  if (s->o.freestanding) {
    Target *one = arena_array(s->arena, Target, 1);
    *one = *s->target;
    one->max_threads = 1;
    s->target = one;
  }
  if (!s->o.plan) return STATUS_OK;
  Buf why = {0};
  if (!s->tuning) s->tuning = tuning_new(s->arena);
  bool ok = tuning_read(s->tuning, s->o.plan, s->target, &why);
  if (!ok) session_fail(s, STATUS_PROGRAM, "%s", why.s);
  buf_free(&why);
  return ok ? STATUS_OK : STATUS_PROGRAM;
}

/* ---- memory limit ---- */

/* Workspace and scratch: of as many threads as this machine has processors, of all that an executable may be asked
 * for. */
static int64_t beside(void *context, Plan *p) {
  Session *s = context;
  KernelTable *t = kernels_new(s->arena, s->prog, s->target);
  kernels_tune(t, s->tuning);
  int threads = s->built ? s->target->max_threads : (int)sysconf(_SC_NPROCESSORS_ONLN);
  if (threads < 1 || threads > s->target->max_threads) threads = s->target->max_threads;
  int64_t peak = p->peak;
  return lowered_arena_bytes(lower_plan(s->arena, p, t), threads) - peak;
}

/* The passes of one entry. */
static Status entry_passes(Session *s, Entry *e, const PipelineOpts *o, int64_t limit) {
  int64_t least = 0;
  PipelineRoom room = {limit, beside, s};
  if (limit && prog_layout(s->prog, NULL) > limit) return misfit_tell(s, e, limit, 0);
  bool ok = limit ? pipeline_within(s->prog, e, o, &room, &least) : pipeline_graph(s->prog, e, o);
  if (!ok && !diag_errors(s->diag)) INTERNAL("a pass failed without a message");
  if (!ok || o->stop_after || least <= limit) return STATUS_OK; /* errors of all entries are told together */
  return misfit_tell(s, e, limit, least);
}

Status session_passes(Session *s, const char *stop_after) {
  PipelineOpts o = {.stop_after = stop_after, .verify = s->o.verify, .time = s->o.time};
  int64_t limit = s->o.memory ? size_parse(s->o.memory) : 0;
  if (limit < 0) return session_fail(s, STATUS_USE, "--memory takes a size such as 500M or 2G, not `%s`", s->o.memory);
  bool budget = !limit && s->prog->budget;
  if ((limit || budget) && !sizes_are_bound(s)) return STATUS_PROGRAM;
  if ((limit || budget) && !s->target) {
    Status status = take_options(s, session_default_target(true));
    if (status) return status;
  }
  for (int i = 0; i < (int)arrlen(s->prog->entries); i++) {
    int64_t within = budget && prog_trains(s->prog, i) ? s->prog->budget : limit;
    Status status = is_needed(s, i) ? entry_passes(s, &s->prog->entries[i], &o, within) : STATUS_OK;
    if (status) return status;
  }
  return diag_errors(s->diag) ? STATUS_PROGRAM : STATUS_OK;
}

Status session_lower(Session *s, const char *target) {
  Status status = take_options(s, target);
  if (!status) status = session_passes(s, NULL);
  if (status) return status;
  if (!sizes_are_bound(s)) return STATUS_PROGRAM;
  int n = (int)arrlen(s->prog->entries);
  double t = session_clock();
  s->plans = arena_array(s->arena, Plan *, n + 1);
  s->lowered = arena_array(s->arena, Lowered *, n + 1);
  for (int i = 0; i < n; i++) {
    if (!is_needed(s, i)) continue;
    s->plans[i] = plan_build(s->arena, s->prog, &s->prog->entries[i]);
    Buf why = {0};
    if (s->plans[i] && s->o.verify && !plan_verify(s->plans[i], &why))
      INTERNAL("the plan of %s: %s", s->prog->entries[i].name, why.s);
    if (!s->plans[i] || diag_errors(s->diag)) return STATUS_PROGRAM;
  }
  session_time(s, "plan", t);
  t = session_clock();
  s->kernels = kernels_new(s->arena, s->prog, s->target);
  kernels_tune(s->kernels, s->tuning);
  for (int first = 1; first >= 0; first--) /* those of the training first: the plan's hash knows no others */
    for (int i = 0; i < n; i++)
      if (s->plans[i] && first == prog_trains(s->prog, i))
        s->lowered[i] = lower_plan(s->arena, s->plans[i], s->kernels);
  if (diag_errors(s->diag)) return STATUS_PROGRAM;
  session_time(s, "lower", t);
  if (s->o.time && s->o.plan)
    fprintf(stderr, "%d of %d choices of the plan are used\n", tuning_used(s->tuning), tuning_count(s->tuning));
  return STATUS_OK;
}

/* Of emitted sources: the entries of the options, and the initialisation when one of them writes cells. */
static Status find_emitted(Session *s) {
  int n = (int)arrlen(s->prog->entries), found;
  if (!s->o.entries) return STATUS_OK;
  s->needed = arena_array(s->arena, bool, n + 1);
  for (const char *const *name = s->o.entries; *name; name++) {
    Status status = session_entry(s, *name, 1u << DNN_EXPORT | 1u << DNN_STEP, &found);
    if (status) return status;
    s->needed[found] = true;
    if (arrlen(s->prog->entries[found].writes)) s->needed[s->prog->init] = true;
  }
  return STATUS_OK;
}

Status session_emit(Session *s, const char *target, bool weights, bool bare) {
  s->built = !bare;
  Status status = bare ? STATUS_OK : find_emitted(s);
  if (!status) status = session_lower(s, target);
  if (status) return status;
  double t = session_clock();
  EmitOpts o = {.checks = !s->o.no_checks,
                .weights = weights,
                .freestanding = s->o.freestanding,
                .bare = bare,
                .profile = s->o.profile,
                .lines = s->o.debug,
                .watch = s->o.check,
                .units = s->o.units,
                .source = session_file(s)};
  if (!emit_program(s->arena, s->prog, s->plans, s->lowered, s->kernels, s->target, &o, &s->out)) return STATUS_PROGRAM;
  session_time(s, "emit", t);
  return STATUS_OK;
}

/* What is not called need not be compiled: one entry is called after the cells are filled, or those of the training. */
static void find_needed(Session *s, const char *called) {
  if (!called && !s->o.training) return;
  s->needed = arena_array(s->arena, bool, arrlen(s->prog->entries) + 1);
  for (int i = 0; i < (int)arrlen(s->prog->entries); i++)
    s->needed[i] = called ? i == s->prog->init || !strcmp(s->prog->entries[i].name, called) : prog_trains(s->prog, i);
}

Status session_native(Session *s, const char *called) {
  find_needed(s, called);
  Status status = session_emit(s, session_default_target(true), false, true);
  if (status) return status;
  Buf why = {0};
  LoadOpts load = {.time = s->o.time, .no_cache = s->o.no_cache, .quiet = s->o.quiet, .debug = s->o.debug};
  double t = session_clock();
  s->program = backend_load(s->arena, &s->out, s->target, &load, &s->backend, &why);
  session_time(s, "compile and load", t);
  if (!s->program) session_fail(s, STATUS_PROGRAM, "%s", why.s ? why.s : "the program cannot be loaded");
  buf_free(&why);
  return s->program ? STATUS_OK : STATUS_PROGRAM;
}

void session_end(Session *s) {
  plugin_wait();
  backend_close(s->backend);
  if (s->tuning) tuning_free(s->tuning);
  arrfree(s->phases);
  if (s->arena) arena_free(s->arena);
}

Status session_entry(Session *s, const char *name, unsigned kinds, int *found) {
  const char **names = NULL;
  *found = -1;
  int n = s->prog ? (int)arrlen(s->prog->entries) : s->program->n_entries;
  for (int i = 0; i < n; i++) {
    const char *other = s->prog ? s->prog->entries[i].name : s->program->entries[i].name;
    int kind = s->prog ? (int)s->prog->entries[i].kind : s->program->entries[i].kind;
    if (!(kinds & 1u << kind)) continue;
    arrput(names, other);
    if (!strcmp(other, name)) *found = i;
  }
  if (*found < 0) {
    Buf b = {0};
    const char *near = diag_nearest(name, names, (int)arrlen(names));
    buf_printf(&b, "the program has no entry point `%s`", name);
    if (near) buf_printf(&b, "; did you mean `%s`?", near);
    buf_str(&b, arrlen(names) ? "\nentry points:" : "\nit has no entry points");
    for (int i = 0; i < (int)arrlen(names); i++) buf_printf(&b, "%s %s", i ? "," : "", names[i]);
    session_fail(s, STATUS_PROGRAM, "%s", b.s);
    buf_free(&b);
  }
  arrfree(names);
  return *found < 0 ? STATUS_PROGRAM : STATUS_OK;
}
