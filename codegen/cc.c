/* The system's C compiler as a child process: no shell, one process per unit, as many at a time as there are
 * processors. */
#include "codegen/cc.h"
#include "base/ds.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* The one table of flags, beside the target's own. */
static const char *const common_flags[] = {"-std=gnu11", "-O2", "-fPIC", "-fno-math-errno", "-fno-trapping-math"};

static bool is_program(const char *path) {
  struct stat st;
  return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

/* Whether a program of n bytes, the first word of a command, can be started. */
static bool in_path(const char *command, size_t n_name) {
  char program[4096];
  if (n_name >= sizeof program) return false;
  snprintf(program, sizeof program, "%.*s", (int)n_name, command);
  if (strchr(program, '/')) return is_program(program);
  const char *path = getenv("PATH");
  for (path = path ? path : "/usr/bin:/bin"; *path;) {
    size_t n = strcspn(path, ":");
    char full[4096];
    int len = snprintf(full, sizeof full, "%.*s/%s", (int)n, path, program);
    if (len < (int)sizeof full && is_program(full)) return true;
    path += n + (path[n] == ':');
  }
  return false;
}

const char *cc_find(void) {
  static const char *const names[] = {"gcc", "clang-19", "clang", "cc"};
  const char *cc = getenv("CC");
  if (cc) cc += strspn(cc, " ");
  if (cc && *cc) return in_path(cc, strcspn(cc, " ")) ? cc : NULL;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (in_path(names[i], strlen(names[i]))) return names[i];
  return NULL;
}

bool cc_is_clang(const char *cc) { return strstr(cc, "clang") != NULL; }

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Adds the words of a list separated by blanks. */
static void add_words(Arena *a, const char ***argv, const char *words) {
  while (words && *words) {
    size_t n = strcspn(words, " ");
    if (n) arrput(*argv, arena_strndup(a, words, n));
    words += n + (words[n] == ' ');
  }
}

typedef struct Child {
  pid_t pid;
  int log; /* a file that holds its stdout and stderr */
  const char *what;
  double begin;
} Child;

/* Starts argv[0] (NULL-terminated list) with its output into an unlinked file of `dir`. */
static bool child_start(Child *c, const char *dir, const char **argv, Buf *why) {
  char log[4096];
  snprintf(log, sizeof log, "%s/dnncXXXXXX", dir);
  c->log = mkostemp(log, O_CLOEXEC);
  if (c->log < 0) {
    buf_printf(why, "%s: %s\n", dir, strerror(errno));
    return false;
  }
  unlink(log);
  posix_spawn_file_actions_t fa;
  posix_spawn_file_actions_init(&fa);
  posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&fa, c->log, 1);
  posix_spawn_file_actions_adddup2(&fa, c->log, 2);
  c->begin = now();
  int error = posix_spawnp(&c->pid, argv[0], &fa, NULL, (char *const *)(uintptr_t)argv, environ);
  posix_spawn_file_actions_destroy(&fa);
  if (!error) return true;
  buf_printf(why, "%s: %s\n", argv[0], strerror(error));
  close(c->log);
  return false;
}

/* Takes the end of a child; its words go to `why` when it failed. */
static bool child_end(Child *c, int status, bool time, Buf *why) {
  bool ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (time) fprintf(stderr, "%8.1f ms  cc %s\n", 1e3 * (now() - c->begin), c->what);
  if (!ok) {
    char text[4096];
    ssize_t n;
    lseek(c->log, 0, SEEK_SET);
    while (why->n < 20000 && (n = read(c->log, text, sizeof text)) > 0) buf_bytes(why, text, (size_t)n);
    if (!why->n && WIFEXITED(status))
      buf_printf(why, "the compiler ended with status %d on %s\n", WEXITSTATUS(status), c->what);
    if (WIFSIGNALED(status)) buf_printf(why, "the compiler was ended by signal %d on %s\n", WTERMSIG(status), c->what);
  }
  close(c->log);
  return ok;
}

const char **cc_unit_flags(Arena *a, bool clang, const Target *target, EmitKind kind, bool openmp, bool debug) {
  const char **list = NULL;
  for (size_t i = 0; i < sizeof common_flags / sizeof *common_flags; i++) arrput(list, common_flags[i]);
  arrput(list, clang ? "-ffp-contract=on" : "-ffp-contract=fast");
  /* a program may compare an integer with itself, or with what its type cannot hold */
  if (clang) arrput(list, "-Wno-tautological-compare");
  if (kind == EMIT_KERNELS || kind == EMIT_BRIEF) add_words(a, &list, clang ? target->clang_flags : target->gcc_flags);
  if (openmp && kind != EMIT_KERNELS && kind != EMIT_BRIEF) arrput(list, "-fopenmp"); /* kernels have teams */
  if (debug) arrput(list, clang ? "-gline-tables-only" : "-g");
  const char **flags = arena_array(a, const char *, arrlen(list) + 1);
  memcpy(flags, list, (size_t)arrlen(list) * sizeof *flags);
  arrfree(list);
  return flags;
}

static const char **compile_args(Arena *a, const CcJob *job, const char *cc, const EmitFile *f, const char *object) {
  const char **argv = NULL;
  add_words(a, &argv, cc);
  const char **flags = cc_unit_flags(a, cc_is_clang(cc), job->target, f->kind, job->openmp, job->debug);
  for (; *flags; flags++) arrput(argv, *flags);
  if (job->kind == CC_EXE) arrput(argv, "-ffunction-sections");
  arrput(argv, arena_printf(a, "-I%s", job->dir));
  arrput(argv, "-c");
  arrput(argv, arena_printf(a, "%s/%s", job->dir, f->name));
  arrput(argv, "-o");
  arrput(argv, object);
  arrput(argv, NULL);
  return argv;
}

static bool link_objects(Arena *a, const CcJob *job, const char *cc, const char **objects, Buf *why) {
  const char **argv = NULL;
  add_words(a, &argv, cc);
  if (job->kind == CC_SHARED) arrput(argv, "-shared");
  else arrput(argv, "-Wl,--gc-sections");
  if (job->openmp) arrput(argv, "-fopenmp");
  for (int i = 0; i < (int)arrlen(objects); i++) arrput(argv, objects[i]);
  arrput(argv, "-o");
  arrput(argv, job->out);
  add_words(a, &argv, job->extra_libs);
  arrput(argv, "-lm");
  arrput(argv, NULL);
  Child c = {.what = "link"};
  int status = 0;
  bool ok = child_start(&c, job->dir, argv, why);
  if (ok) {
    while (waitpid(c.pid, &status, 0) < 0 && errno == EINTR) {
    }
    ok = child_end(&c, status, job->time, why);
  }
  arrfree(argv);
  return ok;
}

/* Waits for any of the running children; false when it failed. */
static bool reap(Child *running, int *n, bool time, Buf *why) {
  for (;;) {
    int status;
    pid_t pid = waitpid(-1, &status, 0);
    if (pid < 0 && errno == EINTR) continue;
    if (pid < 0) return false;
    for (int i = 0; i < *n; i++) {
      if (running[i].pid != pid) continue;
      bool ok = child_end(&running[i], status, time, why);
      running[i] = running[--*n];
      return ok;
    }
  }
}

/* The largest file first, so that the last one to end is a small one. */
static int by_size(const void *x, const void *y) {
  const EmitFile *p = *(const EmitFile *const *)x, *q = *(const EmitFile *const *)y;
  return p->size < q->size ? 1 : p->size > q->size ? -1 : strcmp(p->name, q->name);
}

int cc_jobs(void) {
  long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n < 1 ? 1 : n > CC_MOST_JOBS ? CC_MOST_JOBS : (int)n;
}

bool cc_build(const CcJob *job, const EmitFile *files, int n_files, Buf *why) {
  const char *cc = cc_find();
  if (!cc) {
    const char *want = getenv("CC");
    buf_printf(why, want && *want ? "the compiler `%s` ($CC) is not there" : "no C compiler: install gcc%s",
               want && *want ? want : "");
    return false;
  }
  Arena *a = arena_new();
  Buf words = {0};
  const EmitFile **units = NULL;
  const char **objects = NULL;
  for (int i = 0; i < n_files; i++) {
    if (files[i].kind == EMIT_HEADER) continue;
    arrput(units, &files[i]);
    arrput(objects,
           arena_printf(a, "%s/%.*s.o", job->dir, (int)(strrchr(files[i].name, '.') - files[i].name), files[i].name));
  }
  const EmitFile **sorted = NULL;
  for (int i = 0; i < (int)arrlen(units); i++) arrput(sorted, units[i]);
  arrsort(sorted, by_size);
  int jobs = job->jobs > 0 && job->jobs < CC_MOST_JOBS ? job->jobs : cc_jobs();
  Child running[CC_MOST_JOBS];
  int n = 0;
  bool ok = true;
  for (int i = 0; ok && i < (int)arrlen(sorted); i++) {
    if (n == jobs) ok = reap(running, &n, job->time, &words);
    if (!ok) break;
    int k = 0;
    while (units[k] != sorted[i]) k++;
    const char **argv = compile_args(a, job, cc, sorted[i], objects[k]);
    running[n] = (Child){.what = sorted[i]->name};
    ok = child_start(&running[n], job->dir, argv, &words);
    n += ok;
    arrfree(argv);
  }
  while (n) ok = reap(running, &n, job->time, &words) && ok;
  if (ok && job->kind != CC_OBJECTS) ok = link_objects(a, job, cc, objects, &words);
  while (words.n && words.s[words.n - 1] == '\n') words.n--;
  if (!ok) buf_printf(why, "the C compiler failed:\n%.*s", (int)words.n, words.s ? words.s : "");
  buf_free(&words);
  arrfree(units);
  arrfree(sorted);
  arrfree(objects);
  arena_free(a);
  return ok;
}

static bool same_contents(const char *path, const EmitFile *f) {
  Buf b = {0};
  bool same = buf_read_file(&b, path, f->size + 1) && b.n == f->size && (!b.n || !memcmp(b.s, f->text, b.n));
  buf_free(&b);
  return same;
}

bool cc_write_files(const char *dir, const EmitFile *files, int n_files, Buf *why) {
  if (mkdir(dir, 0777) && errno != EEXIST) {
    buf_printf(why, "%s: %s", dir, strerror(errno));
    return false;
  }
  for (int i = 0; i < n_files; i++) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, files[i].name);
    if (same_contents(path, &files[i])) continue;
    FILE *f = fopen(path, "wb");
    bool ok = f && fwrite(files[i].text, 1, files[i].size, f) == files[i].size;
    if (f && fclose(f)) ok = false;
    if (ok) continue;
    buf_printf(why, "%s: %s", path, strerror(errno));
    return false;
  }
  return true;
}

char *cc_temp_dir(Arena *a, Buf *why) {
  const char *base = getenv("TMPDIR");
  char *dir = arena_printf(a, "%s/dnncXXXXXX", base && *base ? base : "/tmp");
  if (mkdtemp(dir)) return dir;
  buf_printf(why, "%s: %s", dir, strerror(errno));
  return NULL;
}

void cc_remove_dir(const char *dir) {
  DIR *d = opendir(dir);
  for (struct dirent *x; d && (x = readdir(d));) {
    if (!strcmp(x->d_name, ".") || !strcmp(x->d_name, "..")) continue;
    unlinkat(dirfd(d), x->d_name, 0);
  }
  if (d) closedir(d);
  rmdir(dir);
}
