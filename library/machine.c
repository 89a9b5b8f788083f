#include "library/machine.h"
#include "base/ds.h"
#include "codegen/plugin.h"
#include "library/manifest.h"
#include "runtime/core/file.h"
#include "runtime/core/picture.h"
#include "runtime/core/run.h"
#include "runtime/core/weights.h"
#include <stdlib.h>
#include <string.h>

Status machine_failed(Machine *m) {
  if (m->watch && watch_found(m->watch)) return STATUS_PROGRAM; /* s.diag says more than m->error */
  return session_fail(&m->s, STATUS_PROGRAM, "%s", m->error.text);
}

/* weights("file"): beside the program's file, else in --data, else here. */
static char *find_file(void *user, const char *name) {
  Machine *m = user;
  const char *dirs[] = {session_dir(&m->s), m->s.o.data};
  return dnn_file_find(dirs, 2, name);
}

static bool take_weights(Machine *m, const DnnWeights *w) {
  if (!dnn_weights_load(m->s.program, m->context.cells, NULL, w, &m->error)) return false;
  m->context.is_prepared = 0;
  return true;
}

bool machine_weights(Machine *m, const char *path) {
  DnnWeights w;
  if (!dnn_weights_open(path, &w, &m->error)) return false;
  bool ok = take_weights(m, &w);
  dnn_weights_close(&w);
  return ok;
}

Status machine_load(Machine *m, const Options *o) {
  memset(m, 0, sizeof *m);
  dnn_picture_codecs();
  Status status = session_open(&m->s, o);
  if (status || manifest_find(&m->s)) return status;
  if (!m->s.manifest.compiled) plugin_open_ahead(); /* most likely it has to be compiled */
  return session_elaborate(&m->s);
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
 * of one entry point (`called`, else NULL) only that one needs it: the others are not compiled. */
static Status count_wholes(Machine *m, const char *called) {
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
      if (called && strcmp(prog->entries[run->entry].name, called)) continue;
      if (var < 0 || !is_countable(prog, row)) continue;
      if (!sets) {
        ok = dnn_tokens_new(&p, &tokens, &m->error);
        tokens.read = dnn_vocabulary_read, tokens.user = &m->find;
        sets = ok ? dnn_data_new(&p, &none, &m->find, &tokens) : NULL;
        ok = sets != NULL;
      }
      ok = ok && dnn_data_open(sets, row, &m->error);
      if (ok && dnn_data_count(sets, row) >= 0) {
        dim_set_bound(prog->dims, var, dnn_data_count(sets, row));
        m->counted = true;
      }
    }
  }
  dnn_data_free(sets);
  if (tokens.program) dnn_tokens_free(&tokens);
  return ok ? STATUS_OK : machine_failed(m);
}

static Status compile(Machine *m, const char *called) {
  Status status = count_wholes(m, called);
  if (!status) status = session_native(&m->s, called);
  if (!status && (m->counted || m->s.prog->sweep)) manifest_mark(&m->s);
  else if (!status) manifest_write(&m->s, called);
  return status;
}

static int cells_left(const DnnProgram *p, const DnnWeights *w) {
  int n = p->n_cells;
  for (int i = 0; i < p->n_cells && w; i++) n -= dnn_weights_find(w, p->cells[i].path) >= 0;
  return n;
}

Status machine_fill(Machine *m, uint64_t seed) {
  const DnnProgram *p = m->s.program;
  const char *file = m->s.o.weights;
  DnnWeights w = {0};
  double t = session_clock();
  m->seed = m->find.seed = seed;
  bool ok = !file || dnn_weights_open(file, &w, &m->error);
  ok = ok && dnn_context_init(p, &m->context, seed, file ? &w : NULL, find_file, m, &m->error);
  ok = ok && (!file || take_weights(m, &w));
  if (ok)
    session_time(&m->s, arena_printf(m->s.arena, "initial values of %d cells", cells_left(p, file ? &w : NULL)), t);
  if (file) dnn_weights_close(&w);
  return ok ? STATUS_OK : machine_failed(m);
}

Status machine_compile(Machine *m, const char *called) {
  const Options *o = &m->s.o;
  Status status = STATUS_OK;
  int entry;
  m->find = (DnnDataOpts){o->data, session_dir(&m->s), 0};
  bool warm = !m->s.prog && manifest_load(&m->s, called);
  if (!warm && !m->s.prog) status = session_elaborate(&m->s);
  if (!status && called) status = session_entry(&m->s, called, 1u << DNN_EXPORT | 1u << DNN_STEP, &entry);
  if (!status && !warm) status = compile(m, called);
  if (status) return status;
  const DnnProgram *p = m->s.program;
  if (o->threads > p->max_threads)
    return session_fail(&m->s, STATUS_USE, "`--threads %d`: this program takes at most %d", o->threads, p->max_threads);
  m->seed = o->seeded ? o->seed : p->seed;
  m->find.seed = m->seed;
  if (!dnn_tokens_new(p, &m->tokens, &m->error)) return machine_failed(m);
  m->tokens.read = dnn_vocabulary_read, m->tokens.user = &m->find;
  int threads = m->once ? dnn_threads_once(p, dnn_find_entry(p, called), !o->weights, o->threads) : o->threads;
  if (!dnn_context_new(p, &m->context, threads, &m->error)) return machine_failed(m);
  if (o->check) {
    m->watch = watch_new(m->s.arena, m->s.prog, m->s.plans, m->s.lowered, &m->s.out);
    watch_attach(m->watch, &m->context);
  }
  if (!m->from || !m->from->file.n) return machine_fill(m, m->seed);
  m->context.seed = (int64_t)m->seed;
  return STATUS_OK;
}

void machine_end(Machine *m) {
  if (m->context.cells) dnn_context_free(&m->context);
  if (m->watch) watch_end(m->watch);
  if (m->tokens.program) dnn_tokens_free(&m->tokens);
  session_end(&m->s);
}
