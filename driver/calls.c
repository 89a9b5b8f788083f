#include "driver/calls.h"
#include "runtime/core/file.h"
#include "runtime/core/picture.h"
#include "runtime/core/run.h"
#include "runtime/core/weights.h"
#include <stdlib.h>
#include <string.h>

const char *machine_file_dir(Machine *m) {
  const char *path = m->s.args->operands[0], *slash = strrchr(path, '/');
  return slash ? arena_strndup(m->s.arena, path, (size_t)(slash - path)) : "";
}

/* weights("file"): beside the program's file, else in --data, else here. */
static char *find_file(void *user, const char *name) {
  Machine *m = user;
  const char *dirs[] = {machine_file_dir(m), args_get(m->s.args, "data", NULL)};
  return dnn_file_find(dirs, 2, name);
}

static bool load_weights(Machine *m, const char *path) {
  DnnWeights w;
  if (!dnn_weights_open(path, &w, &m->error)) return false;
  bool ok = dnn_weights_load(m->s.program, m->context.cells, NULL, &w, &m->error);
  dnn_weights_close(&w);
  return ok;
}

int machine_load(Machine *m, const Args *a) {
  memset(m, 0, sizeof *m);
  dnn_picture_codecs();
  return session_load(&m->s, a, a->operands[0]);
}

int machine_compile(Machine *m) {
  const Args *a = m->s.args;
  int64_t threads = 0, seed = -1;
  if (!args_int(a, "threads", 1, 4096, &threads) || !args_int(a, "seed", 0, INT64_MAX, &seed)) return EXIT_USAGE;
  int status = session_native(&m->s);
  if (status) return status;
  const DnnProgram *p = m->s.program;
  if (threads > p->max_threads)
    return usage_error(a, "`--threads %lld`: this program takes at most %d", (long long)threads, p->max_threads);
  m->seed = seed >= 0 ? (uint64_t)seed : p->seed;
  m->find = (DnnDataOpts){args_get(a, "data", NULL), machine_file_dir(m), m->seed};
  if (!dnn_tokens_new(p, &m->tokens, &m->error)) return program_error("%s", m->error.text);
  m->tokens.read = dnn_vocabulary_read, m->tokens.user = &m->find;
  const char *weights = args_get(a, "weights", NULL);
  if (!dnn_context_new(p, &m->context, (int)threads, &m->error) ||
      !dnn_context_init(p, &m->context, m->seed, find_file, m, &m->error) || (weights && !load_weights(m, weights)))
    return program_error("%s", m->error.text);
  return EXIT_OK;
}

int machine_start(Machine *m, const Args *a) {
  int status = machine_load(m, a);
  return status ? status : machine_compile(m);
}

void machine_end(Machine *m) {
  if (m->context.cells) dnn_context_free(&m->context);
  if (m->tokens.program) dnn_tokens_free(&m->tokens);
  session_end(&m->s);
}
