/* Random programs, their comparison, and the reduction of those that disagree:
 *
 *   generate SEED                          prints the program
 *   generate --run FROM COUNT              compares programs FROM .. FROM + COUNT - 1
 *   generate --seconds S [--from SEED]     as many as the time allows
 *   generate --file FILE                   compares this one; its inputs are those of the seed in its first line
 *   generate --reduce FILE                 makes it small, as long as it disagrees in the same way; to standard output
 *     --ways a,b       only these (text passes without memory loops steps jit clang gcc lanes slope); default: all,
 *                      clang and gcc for one program in --cc N (default 40; 0: none), jit for one in --jit N
 *     --first          stops at the first disagreement
 *     --out DIR        keeps the programs that disagree, with what was found in their first lines
 *
 * Status 0: all agree. Programs run in processes of their own, so that one that crashes ends nothing. */
#include "base/buf.h"
#include "tests/generate/differ.h"
#include "tests/generate/gen.h"
#include "tests/generate/reduce.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EACH = 100, SECONDS = 60, PATIENCE = 900 };

typedef struct Run {
  uint64_t from, count;
  double seconds;
  unsigned ways;
  int each_cc, each_jit;
  bool first;
  const char *out;
} Run;

/* What the parent sees of a child. */
typedef struct Shared {
  volatile uint64_t next; /* the program at hand */
  volatile bool done;     /* it has been compared */
  Differ d;
  int64_t compared[WAYS], programs, rejected;
} Shared;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *shared_memory(size_t n) {
  void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) exit(2);
  return p;
}

/* What a process that ended otherwise has left: the place of an internal error belongs to the kind. */
static void ending(Differ *d, int status, FILE *log) {
  char text[300] = "", line[300];
  bool told = false;
  rewind(log);
  while (!told && fgets(line, sizeof line, log)) {
    told = strstr(line, "internal error") != NULL;
    if (line[0] != '\n') snprintf(text, sizeof text, "%s", line);
  }
  text[strcspn(text, "\n")] = 0;
  int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  const char *kind = signal == SIGALRM || signal == SIGPROF ? "hang"
                     : signal == SIGABRT                    ? "abort"
                     : signal                               ? "crash"
                                                            : "internal";
  const char *at = told ? strstr(text, " at ") : NULL;
  snprintf(d->kind, sizeof d->kind, "%s%.*s", kind, at ? (int)strcspn(at, " (") + (int)strcspn(at + 4, " ") + 4 : 0,
           at ? at : "");
  snprintf(d->what, sizeof d->what, "%s (status %d)", text, status);
}

/* A program takes so many seconds of the processors, or of the clock where it sleeps. */
static void watch(void) {
  struct itimerval t = {.it_value = {SECONDS, 0}};
  setitimer(ITIMER_PROF, &t, NULL);
  alarm(PATIENCE);
}

void try_program(Differ *d) {
  Differ *seen = shared_memory(sizeof *seen);
  FILE *log = tmpfile();
  *seen = *d;
  pid_t pid = fork();
  if (!pid) {
    dup2(fileno(log), 2);
    watch();
    differ_run(seen);
    _exit(0);
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  *d = *seen;
  if (status) ending(d, status, log);
  fclose(log);
  munmap(seen, sizeof *seen);
}

/* ---- many programs ---- */

static unsigned ways_of(const Run *r, uint64_t seed) {
  unsigned ways = r->ways;
  if (!r->each_cc || seed % (uint64_t)r->each_cc) ways &= ~(1u << WAY_CLANG | 1u << WAY_GCC);
  if (!r->each_jit || seed % (uint64_t)r->each_jit) ways &= ~(1u << WAY_JIT | 1u << WAY_CLANG | 1u << WAY_GCC);
  return ways;
}

/* Compares one after the other until one disagrees, EACH are done or the time is over. */
static void child(const Run *r, Shared *s, uint64_t end, double until) {
  for (int i = 0; i < EACH && s->next < end && now() < until; i++) {
    Buf text = {0};
    gen_program(s->next, &text);
    s->d = (Differ){.text = text.s, .size = text.n, .seed = s->next, .ways = ways_of(r, s->next)};
    s->done = false;
    watch();
    differ_run(&s->d);
    s->done = true;
    s->programs++;
    s->rejected += s->d.rejected;
    for (int k = 0; k < WAYS; k++) s->compared[k] += s->d.compared[k];
    buf_free(&text);
    if (s->d.kind[0] && !s->d.rejected) return;
    s->next++;
  }
}

static void keep(const Run *r, uint64_t seed, const Differ *d) {
  Buf text = {0}, all = {0};
  char path[4096];
  mkdir(r->out, 0777);
  gen_program(seed, &text);
  buf_printf(&all, "%s## %s: %s\n", "", d->kind, d->what);
  for (char *c = all.s; c[0] && c[1]; c++)
    if (*c == '\n') *c = ' ';
  snprintf(path, sizeof path, "%s/%llu.dnn", r->out, (unsigned long long)seed);
  FILE *f = fopen(path, "w");
  if (f) fprintf(f, "%s%s", text.s, all.s), fclose(f);
  buf_free(&text), buf_free(&all);
}

static int run_many(const Run *r) {
  Shared *s = shared_memory(sizeof *s);
  double begin = now(), until = r->seconds > 0 ? begin + r->seconds : 1e300;
  uint64_t end = r->seconds > 0 ? UINT64_MAX : r->from + r->count;
  int found = 0;
  s->next = r->from;
  while (s->next < end && now() < until && !(found && r->first)) {
    FILE *log = tmpfile();
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
      dup2(fileno(log), 2);
      child(r, s, end, until);
      _exit(0);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    Differ d = s->d;
    if (status && s->done) d.kind[0] = 0;
    if (status) ending(&d, status, log);
    fclose(log);
    if (!d.kind[0] || (!status && d.rejected)) continue;
    found++;
    printf("program %llu: %s: %s (after %.0f s)\n", (unsigned long long)s->next, d.kind, d.what, now() - begin);
    if (r->out) keep(r, s->next, &d);
    s->next++;
  }
  double seconds = now() - begin;
  printf("%lld programs in %.1f s (%.0f an hour), %lld refused, %d disagree;", (long long)s->programs, seconds,
         3600 * (double)s->programs / seconds, (long long)s->rejected, found);
  for (int k = 0; k < WAYS; k++) printf(" %s %lld", way_names[k], (long long)s->compared[k]);
  printf("\n");
  return found ? 1 : 0;
}

/* ---- one program ---- */

static bool read_program(const char *path, Buf *text, Differ *d) {
  if (!buf_read_file(text, path, 1 << 20)) {
    fprintf(stderr, "generate: %s: %s\n", path, strerror(errno));
    return false;
  }
  unsigned long long seed = 0;
  sscanf(text->s, "# program %llu", &seed);
  d->text = text->s, d->size = text->n, d->seed = seed;
  return true;
}

static int one_file(const char *path, unsigned ways, bool reduce) {
  Buf text = {0};
  Differ d = {.ways = ways};
  if (!read_program(path, &text, &d)) return 2;
  try_program(&d);
  if (!d.kind[0] || !reduce) {
    if (d.kind[0]) printf("%s: %s: %s\n", path, d.kind, d.what);
    return d.kind[0] ? 1 : 0;
  }
  reduce_program(&text, &d);
  fputs(text.s, stdout);
  printf("# %s: %s\n", d.kind, d.what);
  buf_free(&text);
  return 1;
}

static unsigned parse_ways(const char *list) {
  unsigned ways = 0;
  for (const char *s = list; *s; s += strcspn(s, ","), s += *s == ',') {
    size_t n = strcspn(s, ",");
    int k = 0;
    while (k < WAYS && (strlen(way_names[k]) != n || strncmp(s, way_names[k], n))) k++;
    if (k == WAYS) fprintf(stderr, "generate: no way `%.*s`\n", (int)n, s), exit(2);
    ways |= 1u << k;
  }
  return ways;
}

int main(int argc, char **argv) {
  Run r = {.ways = (1u << WAYS) - 1, .each_cc = 40, .each_jit = 1};
  const char *file = NULL, *reduce = NULL;
  bool many = false;
  unsetenv("DNN_HOSTILE");
  for (int i = 1; i < argc; i++) {
    const char *o = argv[i], *v = i + 1 < argc ? argv[i + 1] : "0";
    if (!strcmp(o, "--first")) r.first = true;
    else if (!strcmp(o, "--run"))
      r.from = strtoull(v, NULL, 10), r.count = strtoull(argv[i + 2 < argc ? i + 2 : i], NULL, 10), many = true, i += 2;
    else if (!strcmp(o, "--seconds")) r.seconds = atof(v), many = true, i++;
    else if (!strcmp(o, "--from")) r.from = strtoull(v, NULL, 10), i++;
    else if (!strcmp(o, "--ways")) r.ways = parse_ways(v), i++;
    else if (!strcmp(o, "--cc")) r.each_cc = atoi(v), i++;
    else if (!strcmp(o, "--jit")) r.each_jit = atoi(v), i++;
    else if (!strcmp(o, "--out")) r.out = v, i++;
    else if (!strcmp(o, "--file")) file = v, i++;
    else if (!strcmp(o, "--reduce")) reduce = v, i++;
    else r.from = strtoull(o, NULL, 10);
  }
  if (file || reduce) return one_file(file ? file : reduce, r.ways, reduce != NULL);
  if (many) return run_many(&r);
  Buf text = {0};
  gen_program(r.from, &text);
  fputs(text.s, stdout);
  buf_free(&text);
  return 0;
}
