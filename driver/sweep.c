/* The `sweep` of a program: each combination of its constants is compiled and trained like a program of its own, with
 * `--set NAME=VALUE` for each of them and a run folder of its own, and the best by the chosen metric is told. A run
 * that fails is a row of the table with the reason, the others go on; Ctrl-C ends the sweep with what there is.
 *   DIR/1 .. DIR/N   the run folders
 *   DIR/sweep.csv    one line per run: run, the constants, the metric
 *   DIR/best.dnnw    the weights of the best run */
#include "base/ds.h"
#include "driver/program.h"
#include "runtime/core/file.h"
#include "runtime/core/show.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Trial {
  int number;          /* from 1 */
  const char **values; /* one per axis */
  double result;
  const char *failed; /* why, or NULL */
} Trial;

typedef struct Sweeping {
  const Args *args;
  Machine *m; /* the program as it stands: its arena holds what follows */
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
  Trial t = {.number = index + 1, .values = arena_array(w->m->s.arena, const char *, n + 1), .result = NAN};
  for (int i = n; i-- > 0;) {
    int values = (int)arrlen(w->axes[i]->values);
    t.values[i] = w->axes[i]->values[index % values];
    index /= values;
  }
  return t;
}

static bool better(const Sweeping *w, const Trial *t) {
  if (isnan(t->result)) return false;
  double best = w->best < 0 ? NAN : w->trials[w->best].result;
  return isnan(best) || (w->sweep->max ? t->result > best : t->result < best);
}

static const char *said(const Sweeping *w, const Trial *t) {
  Buf b = {0};
  for (int i = 0; i < (int)arrlen(w->axes); i++)
    buf_printf(&b, "%s%s = %s", i ? ", " : "", w->axes[i]->name, t->values[i]);
  const char *s = arena_strdup(w->m->s.arena, b.s ? b.s : "");
  buf_free(&b);
  return s;
}

/* The reason of a failed run in one line; mistakes of the program stand on stderr, in full. */
static const char *reason(Sweeping *w, const Session *s) {
  if (!s->error) return "mistakes in the program";
  return arena_strndup(w->m->s.arena, s->error, strcspn(s->error, "\n"));
}

static int run_trial(Sweeping *w, Trial *t) {
  Arena *a = w->m->s.arena;
  Args args = *w->args;
  args.values = NULL;
  for (int i = 0; i < (int)arrlen(w->args->values); i++) arrput(args.values, w->args->values[i]);
  for (int i = 0; i < (int)arrlen(w->axes); i++)
    args_add(&args, "set", arena_printf(a, "%s=%s", w->axes[i]->name, t->values[i]));
  args_add(&args, "out", arena_printf(a, "%s/%d", w->dir, t->number));
  bool quiet = args_has(&args, "quiet") || args_has(&args, "json");
  if (!quiet) printf("sweep %d/%d: %s\n", t->number, w->count, said(w, t));
  fflush(stdout);
  Options o;
  Machine one = {0};
  int status = program_options(&args, w->m->s.o.path, &o) ? EXIT_OK : EXIT_USAGE;
  o.training = true;
  if (!status) status = machine_load(&one, &o);
  if (!status) status = machine_compile(&one, NULL);
  if (!status) status = program_train(&args, &one, false, w->sweep->metric, &t->result);
  if (status == EXIT_PROGRAM) t->failed = reason(w, &one.s), t->result = NAN;
  status = program_machine_end(&args, &one, status);
  arrfree(args.values);
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
  if (isfinite(t->result)) buf_printf(b, ",\"value\":%.9g", t->result);
  else buf_str(b, ",\"value\":null");
  buf_printf(b, ",\"best\":%s", best ? "true" : "false");
  if (t->failed) buf_str(b, ",\"error\":"), buf_json(b, t->failed);
  buf_char(b, '}');
}

static void put_row(const Sweeping *w, Buf *b, const Trial *t, bool best, const int *width) {
  char number[40];
  dnn_show_float(number, sizeof number, 6, t->result);
  buf_printf(b, "%c %4d", best ? '*' : ' ', t->number);
  for (int i = 0; i < (int)arrlen(w->axes); i++) buf_printf(b, "  %-*s", width[i], t->values[i]);
  if (t->failed) buf_printf(b, "  failed: %s", t->failed);
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
    if (isnan(t->result)) buf_str(&b, "nan\n"); /* without the sign that printf gives to some */
    else buf_printf(&b, "%.9g\n", t->result);
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
  int worst = EXIT_OK;
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

int program_sweep(const Args *a, Machine *m) {
  Sweeping w = {.args = a, .m = m, .sweep = m->s.prog->sweep, .best = -1};
  w.dir = args_get(a, "out", arena_printf(m->s.arena, "%s.sweep", m->s.prog->name));
  free_axes(&w);
  if (!arrlen(w.axes)) { /* everything is fixed: an ordinary training */
    int compiled = machine_compile(m, NULL);
    return compiled ? compiled : program_train(a, m, false, NULL, NULL);
  }
  if (!dnn_make_dir(w.dir, &m->error)) return machine_failed(m);
  int status = run_trials(&w);
  if (arrlen(w.trials)) {
    print_table(&w);
    int copied = w.best >= 0 ? copy_best(&w) : EXIT_OK;
    if (!status) status = copied;
    if (!status && w.best < 0) status = program_error("no run of the sweep has a value of `%s`", w.sweep->metric);
  }
  arrfree(w.trials);
  arrfree(w.axes);
  return status;
}
