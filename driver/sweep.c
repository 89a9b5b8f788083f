/* The `sweep` of a program: each combination of its constants is compiled and trained like a program of its own, with
 * `--set NAME=VALUE` for each of them and a run folder of its own, and the best by the chosen metric is told. A run
 * that fails is a row of the table with the reason, the others go on; Ctrl-C ends the sweep with what there is. A sweep
 * that goes on lets every run go on that has a checkpoint; one that is finished only tells its value.
 *   DIR/1 .. DIR/N   the run folders
 *   DIR/sweep.csv    one line per run: run, the constants, the metric
 *   DIR/best.dnnw    the weights of the best run */
#include "base/ds.h"
#include "driver/program.h"
#include "library/run.h"
#include "report/report.h"
#include "runtime/core/file.h"
#include "runtime/core/show.h"
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Trial {
  int number;          /* from 1 */
  const char **values; /* one per axis */
  Trained end;
} Trial;

typedef struct Sweeping {
  const Args *args, *again; /* the sweep's command line; the one that goes on with it, or NULL */
  Machine *m;               /* the program as it stands: its arena holds what follows */
  const Sweep *sweep;
  const SweepAxis **axes; /* stb_ds: those the command line leaves free */
  const char *dir;
  Trial *trials; /* stb_ds: those that are done */
  int count, best;
} Sweeping;

/* Constants that `--set` fixes are no axes. */
static void free_axes(Sweeping *w) {
  const char *const *sets = w->m->s.o.sets;
  w->count = 1;
  for (int i = 0; i < (int)arrlen(w->sweep->axes); i++) {
    const SweepAxis *axis = &w->sweep->axes[i];
    size_t length = strlen(axis->name);
    bool fixed = false;
    for (int k = 0; sets && sets[k]; k++) fixed |= !strncmp(sets[k], axis->name, length) && sets[k][length] == '=';
    if (fixed) continue;
    arrput(w->axes, axis);
    w->count *= (int)arrlen(axis->values);
  }
}

/* Run number `index` from 0; the last axis changes fastest. */
static Trial trial(Sweeping *w, int index) {
  int n = (int)arrlen(w->axes);
  Trial t = {.number = index + 1, .values = arena_array(w->m->s.arena, const char *, n + 1)};
  t.end = (Trained){.metric = w->sweep->metric, .value = NAN, .arena = w->m->s.arena};
  for (int i = n; i-- > 0;) {
    int values = (int)arrlen(w->axes[i]->values);
    t.values[i] = w->axes[i]->values[index % values];
    index /= values;
  }
  return t;
}

static bool better(const Sweeping *w, const Trial *t) {
  double is = t->end.value, best = w->best < 0 ? NAN : w->trials[w->best].end.value;
  return !isnan(is) && (isnan(best) || (w->sweep->max ? is > best : is < best));
}

static const char *said(const Sweeping *w, const Trial *t) {
  Buf b = {0};
  for (int i = 0; i < (int)arrlen(w->axes); i++)
    buf_printf(&b, "%s%s = %s", i ? ", " : "", w->axes[i]->name, t->values[i]);
  const char *s = arena_strdup(w->m->s.arena, b.s ? b.s : "");
  buf_free(&b);
  return s;
}

static int begin_trial(Sweeping *w, Trial *t, const char *dir) {
  Args args = args_copy(w->args);
  for (int i = 0; i < (int)arrlen(w->axes); i++)
    args_add(&args, "set", arena_printf(w->m->s.arena, "%s=%s", w->axes[i]->name, t->values[i]));
  args_add(&args, "out", dir);
  Options o;
  Machine one = {0};
  int status = program_options(&args, w->m->s.o.path, &o) ? EXIT_OK : EXIT_USAGE;
  o.training = true;
  if (!status) status = machine_load(&one, &o);
  if (!status) status = machine_compile(&one, NULL);
  if (!status) status = program_train(&args, &one, false, &t->end);
  status = program_end_training(&args, &one, status, &t->end);
  arrfree(args.values);
  return status;
}

static int run_trial(Sweeping *w, Trial *t) {
  const char *dir = arena_printf(w->m->s.arena, "%s/%d", w->dir, t->number);
  bool quiet = args_has(w->args, "quiet") || args_has(w->args, "json");
  if (!quiet) printf("sweep %d/%d: %s\n", t->number, w->count, said(w, t));
  fflush(stdout);
  char *begun = w->again ? dnn_checkpoint_newest(dir) : NULL;
  int status = begun ? program_resume(w->again, dir, &t->end) : begin_trial(w, t, dir);
  free(begun);
  return status;
}

static void put_json_row(const Sweeping *w, Buf *b, const Trial *t, bool best) {
  buf_printf(b, "{\"event\":\"run\",\"run\":%d,\"constants\":{", t->number);
  for (int i = 0; i < (int)arrlen(w->axes); i++) {
    buf_printf(b, "%s\"%s\":", i ? "," : "", w->axes[i]->name);
    buf_json(b, t->values[i]);
  }
  buf_str(b, "},\"metric\":");
  buf_json(b, w->sweep->metric);
  if (isfinite(t->end.value)) buf_printf(b, ",\"value\":%.9g", t->end.value);
  else buf_str(b, ",\"value\":null");
  buf_printf(b, ",\"best\":%s", best ? "true" : "false");
  if (t->end.failed) buf_str(b, ",\"error\":"), buf_json(b, t->end.failed);
  buf_char(b, '}');
}

static void put_row(const Sweeping *w, Buf *b, const Trial *t, bool best, const int *width) {
  char number[40];
  dnn_show_float(number, sizeof number, 6, t->end.value);
  buf_printf(b, "%c %4d", best ? '*' : ' ', t->number);
  for (int i = 0; i < (int)arrlen(w->axes); i++) buf_printf(b, "  %-*s", width[i], t->values[i]);
  if (t->end.failed) buf_printf(b, "  failed: %s", t->end.failed);
  else buf_printf(b, "  %s", number);
}

/* A line per run, the best marked; or JSON lines. */
static void print_table(const Sweeping *w) {
  bool json = args_has(w->args, "json");
  if (args_has(w->args, "quiet")) return;
  int n = (int)arrlen(w->axes), *width = arena_array(w->m->s.arena, int, n + 1);
  for (int i = 0; i < n; i++) {
    width[i] = (int)strlen(w->axes[i]->name);
    for (int k = 0; k < (int)arrlen(w->axes[i]->values); k++) {
      int wide = (int)strlen(w->axes[i]->values[k]);
      if (wide > width[i]) width[i] = wide;
    }
  }
  if (!json) {
    printf("   run");
    for (int i = 0; i < n; i++) printf("  %-*s", width[i], w->axes[i]->name);
    printf("  %s\n", w->sweep->metric);
  }
  for (int k = 0; k < (int)arrlen(w->trials); k++) {
    Buf b = {0};
    if (json) put_json_row(w, &b, &w->trials[k], k == w->best);
    else put_row(w, &b, &w->trials[k], k == w->best, width);
    puts(b.s);
    buf_free(&b);
  }
  if (json) return;
  if (arrlen(w->trials) < w->count) printf("%d of %d runs are done\n", (int)arrlen(w->trials), w->count);
  if (w->best >= 0) printf("best: %s\nits weights: %s/best.dnnw\n", said(w, &w->trials[w->best]), w->dir);
}

static void csv_field(Buf *b, const char *s) {
  if (!strpbrk(s, ",\"\n")) {
    buf_str(b, s);
    return;
  }
  buf_char(b, '"');
  for (; *s; s++) buf_printf(b, *s == '"' ? "\"\"" : "%c", *s);
  buf_char(b, '"');
}

static int write_table(const Sweeping *w) {
  Buf b = {0};
  buf_str(&b, "run,");
  for (int i = 0; i < (int)arrlen(w->axes); i++) buf_printf(&b, "%s,", w->axes[i]->name);
  csv_field(&b, w->sweep->metric);
  buf_char(&b, '\n');
  for (int k = 0; k < (int)arrlen(w->trials); k++) {
    const Trial *t = &w->trials[k];
    buf_printf(&b, "%d,", t->number);
    for (int i = 0; i < (int)arrlen(w->axes); i++) csv_field(&b, t->values[i]), buf_char(&b, ',');
    if (isnan(t->end.value)) buf_str(&b, "nan\n"); /* without the sign that printf gives to some */
    else buf_printf(&b, "%.9g\n", t->end.value);
  }
  const char *path = arena_printf(w->m->s.arena, "%s/sweep.csv", w->dir);
  int bad = file_write_atomic(path, b.s, b.n);
  buf_free(&b);
  return bad ? program_error("%s: %s", path, strerror(errno)) : EXIT_OK;
}

static int copy_best(const Sweeping *w) {
  Buf b = {0};
  const char *from = arena_printf(w->m->s.arena, "%s/%d/best.dnnw", w->dir, w->trials[w->best].number);
  const char *to = arena_printf(w->m->s.arena, "%s/best.dnnw", w->dir);
  if (!buf_read_file(&b, from, (size_t)1 << 40)) return program_error("%s: %s", from, buf_read_why());
  int bad = file_write_atomic(to, b.s, b.n);
  buf_free(&b);
  return bad ? program_error("%s: %s", to, strerror(errno)) : EXIT_OK;
}

/* All combinations. The table is on disk after each of them. EXIT_PROGRAM when one has failed. */
static int run_trials(Sweeping *w) {
  int worst = w->again ? EXIT_OK : write_table(w); /* from now on the folder is a sweep's */
  if (worst) return worst;
  for (int i = 0; i < w->count; i++) {
    Trial t = trial(w, i);
    int status = run_trial(w, &t);
    if (status && status != EXIT_PROGRAM) return status; /* stopped, or an option that no run can take */
    if (status) worst = status;
    arrput(w->trials, t);
    if (better(w, &t)) w->best = (int)arrlen(w->trials) - 1;
    status = write_table(w);
    if (status) return status;
  }
  return worst;
}

/* The number of the first run in the folder that has a checkpoint; 0: none. */
static int first_begun(const char *dir) {
  int first = 0;
  DIR *d = opendir(dir);
  for (struct dirent *x; d && (x = readdir(d));) {
    int number = (int)strtol(x->d_name, NULL, 10);
    if (number < 1 || (first && number > first)) continue;
    char *run = dnn_path_join(dir, x->d_name), *newest = run ? dnn_checkpoint_newest(run) : NULL;
    if (newest) first = number;
    free(newest), free(run);
  }
  if (d) closedir(d);
  return first;
}

/* Removes the runs that the sweep that was here has left under the numbers of this one: they would be taken for this
 * one's, should it be stopped and go on. */
static bool remove_runs(const Sweeping *w) {
  bool ok = true;
  for (int number = 1; number <= w->count && ok; number++) {
    const char *run = arena_printf(w->m->s.arena, "%s/%d", w->dir, number);
    char *newest = dnn_checkpoint_newest(run);
    DnnFolder folder;
    if (newest && (ok = dnn_folder_new(&folder, run, true, &w->m->error))) dnn_folder_leave(&folder);
    free(newest);
  }
  return ok;
}

int program_sweep(const Args *a, Machine *m, const Args *again) {
  Sweeping w = {.args = a, .again = again, .m = m, .sweep = m->s.prog->sweep, .best = -1};
  w.dir = args_get(a, "out", arena_printf(m->s.arena, "%s.sweep", m->s.prog->name));
  free_axes(&w);
  if (!arrlen(w.axes)) { /* everything is fixed: an ordinary training */
    int compiled = machine_compile(m, NULL);
    return compiled ? compiled : program_train(a, m, false, NULL);
  }
  if (!again && !args_has(a, "overwrite") && report_is_sweep(w.dir) && first_begun(w.dir))
    return program_error("%s: holds a sweep already: --resume %s goes on with it, --overwrite begins anew", w.dir,
                         w.dir);
  DnnFolder folder;
  if (!dnn_make_dir(w.dir, &m->error) || !dnn_folder_lock(&folder, w.dir, &m->error)) return machine_failed(m);
  bool anew = !again && args_has(a, "overwrite") && report_is_sweep(w.dir);
  int status = !anew || remove_runs(&w) ? run_trials(&w) : (int)machine_failed(m);
  if (arrlen(w.trials)) {
    print_table(&w);
    int copied = w.best >= 0 ? copy_best(&w) : EXIT_OK;
    if (!status) status = copied;
    if (!status && w.best < 0) status = program_error("no run of the sweep has a value of `%s`", w.sweep->metric);
  }
  dnn_folder_leave(&folder);
  arrfree(w.trials);
  arrfree(w.axes);
  return status;
}

/* ---- going on ---- */
/* Is a constant one of the columns between the first and the last of a sweep's table? */
static bool is_axis(const char *table, const char *set) {
  const char *end = table + strcspn(table, "\n");
  size_t n = strcspn(set, "=");
  for (const char *s = table; (s = strchr(s, ',')) && s < end; s++)
    if (!strncmp(s + 1, set, n) && s[1 + n] == ',') return true;
  return false;
}

/* The command line of the sweep, as the record of its run `r` has it, without what is that run's own. */
static Args recorded(const Args *a, const Resumed *r, const char *dir, const char *table) {
  static const char *const same[] = {"set",   "dim",     "target", "memory", "no-checks", "check",
                                     "debug", "weights", "seed",   "epochs", "steps"};
  Args args = args_copy(a);
  for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
    const char *value;
    for (int next = 0; (value = dnn_checkpoint_setting(&r->from, same[i], &next));)
      if (i || !is_axis(table, value)) args_add(&args, same[i], value);
  }
  const char *data = dnn_checkpoint_setting(&r->from, "data", NULL);
  if (data && !args_has(a, "data")) args_add(&args, "data", data);
  if (r->options.plan) args_add(&args, "plan", r->options.plan);
  args_add(&args, "out", dir);
  return args;
}

/* The sweep's program, from where it was: runs that have not begun are compiled from there. */
static int resume_from(const Args *a, const Resumed *r, const char *dir, const char *table) {
  const char *program = dnn_checkpoint_setting(&r->from, "program", NULL), *slash = strrchr(program, '/');
  const char *path = arrlen(a->operands) ? a->operands[0]
                                         : arena_printf(r->arena, "%s/%s", r->options.dir, slash ? slash + 1 : program);
  Args args = recorded(a, r, dir, table);
  Options o;
  Machine m = {0};
  int status = program_options(&args, path, &o) ? EXIT_OK : EXIT_USAGE;
  o.training = true;
  if (!status) status = machine_load(&m, &o);
  if (!status && !resumed_began_with(r, &m, path, &m.error)) status = machine_failed(&m);
  if (!status) status = program_sweep(&args, &m, a);
  arrfree(args.values);
  return program_machine_end(a, &m, status);
}

int program_resume_sweep(const Args *a, const char *dir) {
  int first = first_begun(dir);
  if (!first) return program_error("%s: no run of this sweep has begun", dir);
  Buf run = {0}, path = {0}, table = {0};
  buf_printf(&run, "%s/%d", dir, first), buf_printf(&path, "%s/sweep.csv", dir);
  Resumed r;
  DnnError e;
  int status = resumed_open(&r, run.s, &e) ? EXIT_OK : program_error("%s", e.text);
  if (!status && !buf_read_file(&table, path.s, (size_t)1 << 30))
    status = program_error("%s: %s", path.s, buf_read_why());
  if (!status && (!table.n || strncmp(table.s, "run,", 4) || !strchr(table.s, '\n')))
    status = program_error("%s: is not the table of a sweep", path.s);
  dnn_folder_leave(&r.folder); /* its own turn comes */
  if (!status) status = resume_from(a, &r, dir, table.s);
  resumed_close(&r);
  buf_free(&run), buf_free(&path), buf_free(&table);
  return status;
}
