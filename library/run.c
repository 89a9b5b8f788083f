#include "library/run.h"
#include "base/ds.h"
#include "codegen/plugin.h"
#include "runtime/core/xxh64.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* ---- places ---- */
/* An absolute path without `.` and `..`, by its text alone: relative imports are looked up by text, too. */
static const char *whole_path(Arena *a, const char *path) {
  Buf b = {0};
  if (path[0] != '/') {
    char *here = getcwd(NULL, 0);
    buf_str(&b, here ? here : "");
    free(here);
  }
  while (*path) {
    size_t n = strcspn(path, "/");
    if (n == 2 && !memcmp(path, "..", 2)) {
      while (b.n && b.s[b.n - 1] != '/') b.n--;
      if (b.n) b.n--;
    } else if (n && !(n == 1 && *path == '.')) {
      buf_char(&b, '/');
      buf_bytes(&b, path, n);
    }
    path += n + (path[n] == '/');
  }
  const char *s = b.n ? arena_strndup(a, b.s, b.n) : "/";
  buf_free(&b);
  return s;
}

typedef struct SourceFile {
  const char *path, *name; /* absolute; below the deepest folder that holds all of them */
  const char *text;
  size_t n;
} SourceFile;

/* The program's file first, then what it uses: stb_ds. */
static SourceFile *sources_of(const Session *s) {
  SourceFile *list = NULL;
  for (uint32_t i = 1; i < diag_source_count(s->diag); i++) {
    if (diag_source_is_std(s->diag, i)) continue;
    SourceFile f = {.path = whole_path(s->arena, diag_source_name(s->diag, i))};
    f.text = diag_source_text(s->diag, i, &f.n);
    arrput(list, f);
  }
  size_t common = arrlen(list) ? (size_t)(strrchr(list[0].path, '/') - list[0].path) + 1 : 0;
  for (int i = 1; i < (int)arrlen(list); i++) {
    size_t same = 0;
    for (size_t k = 0; k < common && list[i].path[k] == list[0].path[k]; k++)
      if (list[0].path[k] == '/') same = k + 1;
    common = same;
  }
  for (int i = 0; i < (int)arrlen(list); i++) list[i].name = list[i].path + common;
  return list;
}

static uint64_t source_hash(const SourceFile *list) {
  uint64_t h = 0;
  for (int i = 0; i < (int)arrlen(list); i++) {
    const char *slash = strrchr(list[i].path, '/');
    h = dnn_xxh64(slash, (int64_t)strlen(slash), h);
    h = dnn_xxh64(list[i].text, (int64_t)list[i].n, h);
  }
  return h;
}

static const char *compiler(const Machine *m) {
  return backend_by_system(m->s.backend) ? "the system's compiler" : plugin_llvm();
}

/* ---- settings ---- */
static void set(Arena *a, const char ***list, const char *name, const char *value) {
  if (value) arrput(*list, arena_printf(a, "%s=%s", name, value));
}

static void set_all(Arena *a, const char ***list, const char *name, const char *const *values) {
  for (; values && *values; values++) set(a, list, name, *values);
}

static void set_number(Arena *a, const char ***list, const char *name, int64_t value) {
  if (value) set(a, list, name, arena_printf(a, "%lld", (long long)value));
}

/* ISO 8601, in UTC. libc's functions would read the files of its time zones. The date: days of the Gregorian calendar
 * in years that begin in March (H. Hinnant, "chrono-compatible low-level date algorithms"). */
static const char *now(Arena *a) {
  int64_t t = (int64_t)time(NULL), days = t / 86400 + 719468, rest = t % 86400;
  int64_t era = days / 146097, of_era = days % 146097;
  int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  int64_t of_year = of_era - (365 * year + year / 4 - year / 100), month = (5 * of_year + 2) / 153;
  int day = (int)(of_year - (153 * month + 2) / 5 + 1), calendar = (int)(month < 10 ? month + 3 : month - 9);
  return arena_printf(a, "%04d-%02d-%02dT%02d:%02d:%02dZ", (int)(year + era * 400 + (calendar <= 2)), calendar, day,
                      (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60));
}

const char **run_settings(const Machine *m, const TrainOptions *o) {
  const Options *so = &m->s.o;
  Arena *a = m->s.arena;
  const char **list = NULL;
  SourceFile *sources = sources_of(&m->s);
  if (o->resumed) {
    for (int i = 0; i < o->resumed->from.n_settings; i++) arrput(list, o->resumed->from.settings[i]);
  } else if (arrlen(sources)) {
    set(a, &list, "program", sources[0].name);
    set(a, &list, "folder",
        arena_strndup(a, sources[0].path, (size_t)(strrchr(sources[0].path, '/') - sources[0].path)));
    set(a, &list, "source", arena_printf(a, "%016llx", (unsigned long long)source_hash(sources)));
    set(a, &list, "compiler", compiler(m));
    set_all(a, &list, "set", so->sets);
    set_all(a, &list, "dim", so->dims);
    set(a, &list, "target", so->target ? so->target : session_default_target(true));
    set(a, &list, "plan", so->plan ? "plan.txt" : NULL);
    set(a, &list, "memory", so->memory);
    set(a, &list, "no-checks", so->no_checks ? "1" : NULL);
    set(a, &list, "check", so->check ? "1" : NULL);
    set(a, &list, "debug", so->debug ? "1" : NULL);
    set(a, &list, "data", so->data ? whole_path(a, so->data) : NULL);
    set(a, &list, "weights", so->weights ? whole_path(a, so->weights) : NULL);
    set(a, &list, "seed", arena_printf(a, "%llu", (unsigned long long)m->seed));
    set_number(a, &list, "epochs", o->epochs);
    set_number(a, &list, "steps", o->max_steps);
    set(a, &list, "started", now(a));
  }
  arrfree(sources);
  return list;
}

/* ---- files of a new run ---- */
/* Everything below a folder that is there. */
static void remove_tree(Arena *a, const char *dir) {
  DIR *d = opendir(dir);
  for (struct dirent *x; d && (x = readdir(d));) {
    struct stat st;
    const char *path = arena_printf(a, "%s/%s", dir, x->d_name);
    if (!strcmp(x->d_name, ".") || !strcmp(x->d_name, "..") || lstat(path, &st)) continue;
    if (S_ISDIR(st.st_mode)) remove_tree(a, path);
    else unlink(path);
  }
  if (d) closedir(d);
  rmdir(dir);
}

/* What an older run of dnnc left. */
static void remove_old(Arena *a, const char *dir) {
  static const char *const own[] = {"run.json", "plan.txt", "report.html"};
  static const char events[] = "events.out.tfevents.";
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) unlink(arena_printf(a, "%s/%s", dir, own[i]));
  DIR *d = opendir(dir);
  for (struct dirent *x; d && (x = readdir(d));)
    if (!strncmp(x->d_name, events, sizeof events - 1)) unlinkat(dirfd(d), x->d_name, 0);
  if (d) closedir(d);
  remove_tree(a, arena_printf(a, "%s/source", dir));
}

static bool put_file(const char *path, const char *text, size_t n, DnnError *e) {
  return !file_write_atomic(path, text ? text : "", n) || dnn_fail(e, "%s: %s", path, strerror(errno));
}

static bool put_sources(Machine *m, const char *dir, DnnError *e) {
  SourceFile *list = sources_of(&m->s);
  bool ok = true;
  for (int i = 0; ok && i < (int)arrlen(list); i++) {
    const char *path = arena_printf(m->s.arena, "%s/source/%s", dir, list[i].name);
    ok = dnn_make_dir(arena_strndup(m->s.arena, path, (size_t)(strrchr(path, '/') - path)), e) &&
         put_file(path, list[i].text, list[i].n, e);
  }
  arrfree(list);
  return ok;
}

bool run_begin(Machine *m, const char *dir, DnnError *e) {
  remove_old(m->s.arena, dir);
  if (!put_sources(m, dir, e)) return false;
  Buf b = {0};
  const char *plan = m->s.o.plan;
  bool ok = !plan || buf_read_file(&b, plan, (size_t)1 << 20) || dnn_fail(e, "%s: %s", plan, buf_read_why());
  if (ok && !plan) buf_printf(&b, "dnnc plan 1 %s\n", m->s.program->target);
  ok = ok && put_file(arena_printf(m->s.arena, "%s/plan.txt", dir), b.s, b.n, e);
  buf_free(&b);
  return ok;
}

/* ---- run.json ---- */
static void key(Buf *b, const char *name) {
  buf_str(b, b->n > 2 ? ",\n  " : "  ");
  buf_json(b, name);
  buf_str(b, ": ");
}

static void put_text(Buf *b, const char *name, const char *value) {
  key(b, name);
  if (value) buf_json(b, value);
  else buf_str(b, "null");
}

static void put_number(Buf *b, const char *name, int64_t value) {
  key(b, name);
  buf_printf(b, "%lld", (long long)value);
}

static void put_list(Buf *b, const char *name, const char *const *values) {
  key(b, name);
  buf_char(b, '[');
  for (int i = 0; values && values[i]; i++) {
    if (i) buf_str(b, ", ");
    buf_json(b, values[i]);
  }
  buf_char(b, ']');
}

/* The first "model name" of /proc/cpuinfo, or NULL. */
static const char *processor(Arena *a) {
  char line[300];
  const char *found = NULL;
  FILE *f = fopen("/proc/cpuinfo", "re");
  while (f && !found && fgets(line, sizeof line, f)) {
    char *colon = strchr(line, ':');
    if (strncmp(line, "model name", 10) || !colon) continue;
    colon[strcspn(colon, "\n")] = 0;
    found = arena_strdup(a, colon + 1 + strspn(colon + 1, " "));
  }
  if (f) fclose(f);
  return found;
}

static void put_machine(Buf *b, Arena *a) {
  struct utsname u;
  bool known = !uname(&u);
  key(b, "machine");
  buf_str(b, "{\"processor\": ");
  const char *name = processor(a);
  buf_json(b, name ? name : "");
  buf_printf(b, ", \"processors\": %ld, \"memory\": %lld, \"system\": ", sysconf(_SC_NPROCESSORS_ONLN),
             (long long)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE));
  buf_json(b, known ? arena_printf(a, "%s %s %s", u.sysname, u.release, u.machine) : "");
  buf_str(b, ", \"host\": ");
  buf_json(b, known ? u.nodename : "");
  buf_char(b, '}');
}

static const char *setting(const char *const *list, const char *name) {
  size_t n = strlen(name);
  for (int i = 0; i < (int)arrlen(list); i++)
    if (!strncmp(list[i], name, n) && list[i][n] == '=') return list[i] + n + 1;
  return NULL;
}

static void put_program(Buf *b, const Machine *m, const TrainOptions *o, const char *const *list) {
  Arena *a = m->s.arena;
  const char *file = setting(list, "program"), *folder = setting(list, "folder"),
             *slash = file ? strrchr(file, '/') : 0;
  put_text(b, "dnnc", DNNC_VERSION);
  put_text(b, "compiler", setting(list, "compiler"));
  put_text(b, "program", file);
  put_text(b, "file", file && folder ? arena_printf(a, "%s/%s", folder, slash ? slash + 1 : file) : NULL);
  put_text(b, "source_hash", setting(list, "source"));
  put_list(b, "set", m->s.o.sets);
  put_list(b, "dim", m->s.o.dims);
  static const char *const texts[] = {"memory", "plan", "data", "weights", "epochs", "steps", "seed"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    const char *value = setting(list, texts[i]);
    if (!value || i < 4) put_text(b, texts[i], value);
    else key(b, texts[i]), buf_str(b, value);
  }
  const Target *t = target_find(m->s.program->target);
  put_text(b, "target", m->s.program->target);
  put_text(b, "features", t ? t->cpu_features : NULL);
  put_text(b, "plan_hash", arena_printf(a, "%016llx", (unsigned long long)m->s.program->plan_hash));
  put_number(b, "threads", m->context.threads);
  put_number(b, "cell_bytes", m->s.program->cell_bytes);
  put_number(b, "arena_bytes", m->s.program->arena_bytes);
  put_machine(b, a);
  put_text(b, "started", setting(list, "started"));
  if (o->resumed && o->resumed->from.at.action < m->s.program->n_stages)
    put_number(b, "resumed_after_step", o->resumed->from.steps);
}

bool run_record(const Machine *m, const TrainOptions *o, const char *dir, const char *state, DnnError *e) {
  Buf b = {0};
  const char **list = run_settings(m, o);
  buf_str(&b, "{\n");
  put_program(&b, m, o, list);
  put_text(&b, "state", state);
  put_text(&b, strcmp(state, "running") ? "ended" : "now", now(m->s.arena));
  buf_str(&b, "\n}\n");
  bool ok = put_file(arena_printf(m->s.arena, "%s/run.json", dir), b.s, b.n, e);
  buf_free(&b);
  arrfree(list);
  return ok;
}

/* ---- going on ---- */
static const char *const *all_of(const DnnCheckpoint *k, const char *name) {
  const char **list = NULL, *value;
  int next = 0;
  while ((value = dnn_checkpoint_setting(k, name, &next))) arrput(list, value);
  if (list) arrput(list, NULL);
  return list;
}

bool resumed_open(Resumed *r, const char *run_or_file, DnnError *e) {
  *r = (Resumed){.arena = arena_new(), .folder.lock = -1};
  const DnnCheckpoint *k = &r->from;
  if (!dnn_checkpoint_resume(run_or_file, &r->dir, &r->from, e) || !dnn_folder_lock(&r->folder, r->dir, e))
    return false;
  const char *program = dnn_checkpoint_setting(k, "program", NULL), *seed = dnn_checkpoint_setting(k, "seed", NULL);
  const char *epochs = dnn_checkpoint_setting(k, "epochs", NULL), *steps = dnn_checkpoint_setting(k, "steps", NULL);
  if (!program)
    return dnn_fail(e, "%s: this training is a built trainer's: `TRAINER train --resume %s` goes on with it", r->dir,
                    r->dir);
  r->options = (Options){.path = arena_printf(r->arena, "%s/source/%s", r->dir, program),
                         .dir = dnn_checkpoint_setting(k, "folder", NULL),
                         .imports = arena_printf(r->arena, "%s/source", r->dir),
                         .sets = all_of(k, "set"),
                         .dims = all_of(k, "dim"),
                         .target = dnn_checkpoint_setting(k, "target", NULL),
                         .memory = dnn_checkpoint_setting(k, "memory", NULL),
                         .data = dnn_checkpoint_setting(k, "data", NULL),
                         .weights = dnn_checkpoint_setting(k, "weights", NULL),
                         .no_checks = dnn_checkpoint_setting(k, "no-checks", NULL) != NULL,
                         .check = dnn_checkpoint_setting(k, "check", NULL) != NULL,
                         .debug = dnn_checkpoint_setting(k, "debug", NULL) != NULL,
                         .seeded = true,
                         .seed = seed ? strtoull(seed, NULL, 10) : 0};
  if (dnn_checkpoint_setting(k, "plan", NULL)) r->options.plan = arena_printf(r->arena, "%s/plan.txt", r->dir);
  r->epochs = epochs ? strtoll(epochs, NULL, 10) : 0, r->max_steps = steps ? strtoll(steps, NULL, 10) : 0;
  return true;
}

void resumed_close(Resumed *r) {
  dnn_folder_leave(&r->folder);
  dnn_checkpoint_close(&r->from);
  free(r->dir);
  const char **sets = (const char **)(uintptr_t)r->options.sets, **dims = (const char **)(uintptr_t)r->options.dims;
  arrfree(sets);
  arrfree(dims);
  arena_free(r->arena);
}

bool resumed_is_of(const Resumed *r, const char *path, DnnError *e) {
  Buf one = {0}, two = {0};
  bool ok =
      (buf_read_file(&one, path, (size_t)1 << 30) || dnn_fail(e, "%s: %s", path, buf_read_why())) &&
      (buf_read_file(&two, r->options.path, (size_t)1 << 30) || dnn_fail(e, "%s: %s", r->options.path, buf_read_why()));
  if (ok && (one.n != two.n || (one.n && memcmp(one.s, two.s, one.n))))
    ok = dnn_fail(e, "%s: differs from %s, which the run began with: a changed program is another training", path,
                  r->options.path);
  buf_free(&one);
  buf_free(&two);
  return ok;
}

bool resumed_began_with(const Resumed *r, const Machine *m, const char *where, DnnError *e) {
  SourceFile *sources = sources_of(&m->s);
  const char *hash = arena_printf(m->s.arena, "%016llx", (unsigned long long)source_hash(sources));
  const char *want = dnn_checkpoint_setting(&r->from, "source", NULL);
  const char *by = dnn_checkpoint_setting(&r->from, "compiler", NULL);
  arrfree(sources);
  if (want && strcmp(want, hash))
    return dnn_fail(e, "%s: was changed or renamed since the run began: a changed program is another training", where);
  if (by && strcmp(by, compiler(m)))
    return dnn_fail(e, "%s: the run was compiled by %s, here is %s: the bits would differ", r->dir, by, compiler(m));
  return true;
}

bool resumed_fits(const Resumed *r, const Machine *m, DnnError *e) {
  return resumed_began_with(r, m, arena_printf(m->s.arena, "%s/source", r->dir), e) &&
         dnn_checkpoint_fits(&r->from, m->s.program, e);
}
