#include "report/run.h"
#include "base/ds.h"
#include "runtime/core/tensor_file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_FILES = 2000, DEEPEST = 4, COLUMNS = 5 };

const char *metric_report(const char *metric) {
  const char *dot = strrchr(metric, '.');
  return dot ? dot + 1 : metric;
}

const char *run_path(const Run *run, const char *name) {
  const char *path = arena_printf(run->arena, "%s/%s", run->dir, name);
  return dnn_file_exists(path) ? path : NULL;
}

const char *run_text(const Run *run, const char *key) { return json_string_value(json_object_get(run->record, key)); }

bool run_is_at_work(const Run *run) {
  int f = open(run->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool locked = f >= 0 && flock(f, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
  if (f >= 0) close(f);
  return locked;
}

static void note(Run *run, const char *fmt, const char *name, const char *what) {
  arrput(run->notes, arena_printf(run->arena, fmt, name, what));
}

/* ---- tables ---- */

static Series *series_of(Run *run, const char *metric, SeriesKind kind) {
  for (int i = 0; i < (int)arrlen(run->series); i++)
    if (run->series[i].kind == kind && !strcmp(run->series[i].metric, metric)) return &run->series[i];
  Series s = {.metric = arena_strdup(run->arena, metric), .kind = kind};
  arrput(run->series, s);
  return &arrlast(run->series);
}

static void take_row(Run *run, const DnnCsvCell *cell, bool of_steps) {
  const char *stage = cell[0].text;
  double step = strtod(cell[2].text, NULL), value = strtod(cell[4].text, NULL);
  if (!(step >= 0 && step < 1e15)) return; /* of no run of dnnc's */
  Series *s = series_of(run, cell[3].text, of_steps ? SERIES_STEPS : *stage ? SERIES_EPOCHS : SERIES_PASSES);
  if (arrlen(s->points) && arrlast(s->points).step > step) return;
  if (of_steps && *stage && (!arrlen(run->marks) || strcmp(arrlast(run->marks).stage, stage))) {
    Mark m = {arrlen(run->marks) ? run->last_step : 0, arena_strdup(run->arena, stage)};
    arrput(run->marks, m);
  }
  arrput(s->points, ((Point){step, value}));
  if (step > run->last_step) run->last_step = step;
}

/* A run may be at work, or was killed: what stands behind the last end of a line is no row yet. */
static void read_table(Run *run, const char *name, bool of_steps) {
  DnnError e;
  DnnBytes bytes;
  DnnCsv csv;
  if (!run_path(run, name)) return;
  if (!dnn_file_read(run_path(run, name), &bytes, &e)) return note(run, "%s%s", "", e.text);
  while (bytes.size > 0 && bytes.data[bytes.size - 1] != '\n') bytes.size--;
  bytes.data[bytes.size] = 0;
  if (!bytes.size) {
    free(bytes.data);
    return;
  }
  if (!dnn_csv_parse(name, bytes, &csv, &e)) return note(run, "%s%s", "", e.text);
  if (csv.columns != COLUMNS) note(run, "%s: %s", name, "is no table of a training");
  for (int64_t i = 1; i < csv.rows && csv.columns == COLUMNS; i++) take_row(run, csv.cells + i * COLUMNS, of_steps);
  dnn_csv_close(&csv);
}

/* ---- JSON ---- */

static json_t *read_json(Run *run, const char *name) {
  const char *path = run_path(run, name);
  json_error_t why;
  if (!path) return NULL;
  json_t *v = json_load_file(path, 0, &why);
  if (!v) note(run, "%s: %s", name, arena_printf(run->arena, "line %d: %s", why.line, why.text));
  if (v && !json_is_object(v)) {
    note(run, "%s: %s", name, "is no JSON object");
    json_decref(v);
    v = NULL;
  }
  return v;
}

/* ---- files ---- */

static bool is_own(const char *name, int depth) {
  static const char *const own[] = {"metrics.csv", "steps.csv", "run.json", "plan.txt", "profile.json", "report.html"};
  bool is = !strncmp(name, "events.out.tfevents.", 20) || strstr(name, ".tmp-");
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) is |= depth == 0 && !strcmp(name, own[i]);
  return is;
}

/* Sources apart from what the training made; checkpoints and the runs of a sweep are neither. */
static void take_file(Run *run, const char *name, const char *base, int depth, int64_t bytes) {
  size_t n = strlen(name);
  bool source = !strncmp(name, "source/", 7) || (depth == 0 && n > 4 && !strcmp(name + n - 4, ".dnn"));
  RunFile file = {name, bytes};
  if (source) arrput(run->sources, file);
  else if (!is_own(base, depth)) arrput(run->files, file);
}

static void list_files(Run *run, const char *sub, int depth) {
  const char *dir = *sub ? arena_printf(run->arena, "%s/%s", run->dir, sub) : run->dir;
  DIR *d = opendir(dir);
  for (struct dirent *x; d && (x = readdir(d)) && arrlen(run->files) < MOST_FILES;) {
    struct stat st;
    const char *name = *sub ? arena_printf(run->arena, "%s/%s", sub, x->d_name) : arena_strdup(run->arena, x->d_name);
    if (x->d_name[0] == '.' || lstat(arena_printf(run->arena, "%s/%s", run->dir, name), &st)) continue;
    bool enter = S_ISDIR(st.st_mode) && depth < DEEPEST && !(depth == 0 && !strcmp(x->d_name, "checkpoints"));
    if (enter) list_files(run, name, depth + 1);
    if (S_ISREG(st.st_mode)) take_file(run, name, x->d_name, depth, st.st_size);
  }
  if (d) closedir(d);
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const RunFile *)a)->name, ((const RunFile *)b)->name);
}

static int64_t count_checkpoints(const Run *run) {
  DIR *d = opendir(arena_printf(run->arena, "%s/checkpoints", run->dir));
  int64_t n = 0;
  for (struct dirent *x; d && (x = readdir(d));) {
    size_t length = strlen(x->d_name);
    n += length > 5 && !strcmp(x->d_name + length - 5, ".dnnc");
  }
  if (d) closedir(d);
  return n;
}

bool run_read(Run *run, Arena *arena, const char *dir, const char **why) {
  *run = (Run){.arena = arena, .dir = dir};
  struct stat st;
  if (stat(dir, &st)) return *why = arena_printf(arena, "%s: %s", dir, strerror(errno)), false;
  if (!S_ISDIR(st.st_mode)) return *why = arena_printf(arena, "%s: is no folder", dir), false;
  if (!run_path(run, "metrics.csv") && !run_path(run, "run.json")) {
    *why = arena_printf(arena,
                        "%s: is no run folder: it has neither metrics.csv nor run.json; `dnnc train FILE --out "
                        "DIR` makes one",
                        dir);
    return false;
  }
  read_table(run, "steps.csv", true);
  read_table(run, "metrics.csv", false);
  run->record = read_json(run, "run.json");
  run->profile = read_json(run, "profile.json");
  list_files(run, "", 0);
  arrsort(run->files, by_name);
  arrsort(run->sources, by_name);
  run->checkpoints = count_checkpoints(run);
  return true;
}

void run_free(Run *run) {
  for (int i = 0; i < (int)arrlen(run->series); i++) arrfree(run->series[i].points);
  arrfree(run->series), arrfree(run->marks), arrfree(run->files), arrfree(run->sources);
  arrfree(run->notes);
  json_decref(run->record), json_decref(run->profile);
}
