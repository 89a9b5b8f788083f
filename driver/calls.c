#include "driver/calls.h"
#include "base/ds.h"
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

/* Can the records of a data row be counted without compiled code, as `filter` needs it? */
static bool is_countable(const Prog *prog, int row) {
  const DnnData *d = &prog->data[row];
  for (int i = 0; i < d->n_args; i++) {
    if (d->args[i].kind == 'e') return false;
    if (d->args[i].kind == 'd' && !is_countable(prog, d->args[i].index)) return false;
  }
  return true;
}

/* The variable of the leading axis that feed `feed` of a run fills, when it has no bound; else -1. */
static int open_size(const Prog *prog, const DnnAction *run, int feed) {
  const Entry *x = &prog->entries[run->entry];
  for (int i = 0; i < (int)arrlen(x->inputs); i++) {
    int var;
    int64_t mul, add;
    Type t = x->inputs[i].type;
    if (run->binds[i].feed == feed && t.rank && dim_linear(prog->dims, t.shape[0], &var, &mul, &add) && var >= 0 &&
        mul == 1 && add == 0 && dim_var_bound(prog->dims, var) < 0)
      return var;
  }
  return -1;
}

/* `batch all` of files: what trains reads them anyway, so their records are counted before memory is planned. Of a call
 * of one entry point (`called`, else NULL) only that one needs it: the others, which do not run, get one record. */
static int count_wholes(Machine *m, const char *called) {
  Prog *prog = m->s.prog;
  DnnProgram p = {.name = prog->name, .data = prog->data, .n_data = (int)arrlen(prog->data), .tokens = prog->tokens};
  p.n_tokens = (int)arrlen(prog->tokens);
  DnnContext none = {0};
  DnnTokenSet tokens = {0};
  DnnDataSets *sets = NULL;
  bool ok = true;
  for (int i = 0; ok && i < (int)arrlen(prog->actions); i++) {
    const DnnAction *run = &prog->actions[i];
    for (int f = 0; ok && run->kind == DNN_RUN && f < run->n_feeds; f++) {
      int row = run->feeds[f].data, var = run->feeds[f].batch < 0 ? open_size(prog, run, f) : -1;
      if (var >= 0 && called && strcmp(prog->entries[run->entry].name, called)) {
        dim_set_bound(prog->dims, var, 1);
        continue;
      }
      if (var < 0 || !is_countable(prog, row)) continue;
      if (!sets) {
        ok = dnn_tokens_new(&p, &tokens, &m->error);
        tokens.read = dnn_vocabulary_read, tokens.user = &m->find;
        sets = ok ? dnn_data_new(&p, &none, &m->find, &tokens) : NULL;
        ok = sets != NULL;
      }
      ok = ok && dnn_data_open(sets, row, &m->error);
      if (ok && dnn_data_count(sets, row) >= 0) dim_set_bound(prog->dims, var, dnn_data_count(sets, row));
    }
  }
  dnn_data_free(sets);
  if (tokens.program) dnn_tokens_free(&tokens);
  return ok ? EXIT_OK : program_error("%s", m->error.text);
}

int machine_compile(Machine *m, const char *called) {
  const Args *a = m->s.args;
  int64_t threads = 0, seed = -1;
  if (!args_int(a, "threads", 1, 4096, &threads) || !args_int(a, "seed", 0, INT64_MAX, &seed)) return EXIT_USAGE;
  m->find = (DnnDataOpts){args_get(a, "data", NULL), machine_file_dir(m), 0};
  int status = count_wholes(m, called);
  if (!status) status = session_native(&m->s);
  if (status) return status;
  const DnnProgram *p = m->s.program;
  if (threads > p->max_threads)
    return usage_error(a, "`--threads %lld`: this program takes at most %d", (long long)threads, p->max_threads);
  m->seed = seed >= 0 ? (uint64_t)seed : p->seed;
  m->find.seed = m->seed;
  if (!dnn_tokens_new(p, &m->tokens, &m->error)) return program_error("%s", m->error.text);
  m->tokens.read = dnn_vocabulary_read, m->tokens.user = &m->find;
  const char *weights = args_get(a, "weights", NULL);
  if (!dnn_context_new(p, &m->context, (int)threads, &m->error) ||
      !dnn_context_init(p, &m->context, m->seed, find_file, m, &m->error) || (weights && !load_weights(m, weights)))
    return program_error("%s", m->error.text);
  return EXIT_OK;
}

void machine_end(Machine *m) {
  if (m->context.cells) dnn_context_free(&m->context);
  if (m->tokens.program) dnn_tokens_free(&m->tokens);
  session_end(&m->s);
}
