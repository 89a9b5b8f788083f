/* Between the command line and the library: options in, messages out. */
#include "driver/program.h"
#include "base/ds.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* All values of an option, NULL-terminated; NULL when there is none. */
static const char *const *list_of(const Args *a, const char *option) {
  const char **list;
  if (!args_many(a, option, &list)) return NULL;
  arrput(list, NULL);
  return list;
}

const char *program_imports(const Args *a) {
  const char **list;
  int n = args_many(a, "import", &list);
  Buf b = {0};
  for (int i = 0; i < n; i++) buf_printf(&b, "%s%s", i ? ":" : "", list[i]);
  arrfree(list);
  return b.s;
}

bool program_options(const Args *a, const char *path, Options *o) {
  int64_t units = 0, threads = 0, seed = -1;
  if (!args_int(a, "units", 1, 1000, &units) || !args_int(a, "threads", 1, 4096, &threads) ||
      !args_int(a, "seed", 0, INT64_MAX, &seed))
    return false;
  *o = (Options){.path = path,
                 .sets = list_of(a, "set"),
                 .dims = list_of(a, "dim"),
                 .imports = program_imports(a),
                 .target = args_get(a, "target", NULL),
                 .plan = args_get(a, "plan", NULL),
                 .memory = args_get(a, "memory", NULL),
                 .units = (int)units,
                 .freestanding = args_has(a, "freestanding"),
                 .no_checks = args_has(a, "no-checks"),
                 .no_cache = args_has(a, "no-cache"),
                 .check = args_has(a, "check"),
                 .debug = args_has(a, "debug"),
                 .verify = args_has(a, "verify"),
                 .time = args_has(a, "time"),
                 .data = args_get(a, "data", NULL),
                 .weights = args_get(a, "weights", NULL),
                 .seeded = seed >= 0,
                 .seed = (uint64_t)seed,
                 .threads = (int)threads};
  return true;
}

/* "model.dnn:4:3: error: …": what a compiled program tells names its place by itself. */
static bool begins_with_place(const char *text) {
  const char *end = strstr(text, ": error: "), *line = strchr(text, '\n');
  return end && (!line || end < line) && end > text && end[-1] >= '0' && end[-1] <= '9';
}

int program_told(const Args *a, Session *s, int status) {
  if (s->diag) {
    fflush(stdout);
    if (!strcmp(a->command->name, "check") && args_has(a, "json")) diag_flush_json(s->diag, stdout);
    else diag_flush(s->diag, stderr, isatty(STDERR_FILENO) && !getenv("NO_COLOR"));
  }
  if (s->error && status == STATUS_USE) usage_error(a, "%s", s->error);
  else if (s->error && begins_with_place(s->error)) fprintf(stderr, "%s\n", s->error);
  else if (s->error) program_error("%s", s->error);
  s->error = NULL;
  return status == STATUS_STOPPED ? EXIT_STOPPED : status;
}

int program_end(const Args *a, Session *s, int status) {
  status = program_told(a, s, status);
  session_end(s);
  return status;
}

int program_machine_end(const Args *a, Machine *m, int status) {
  status = program_told(a, &m->s, status);
  machine_end(m);
  return status;
}
