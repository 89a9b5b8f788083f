/* The run folder of dnnc: what tells, beside the tables and weights of runtime/core/folder.h, how a training came
 * about, and going on with it. run.json   versions, program, options, seed, target, plan, machine, times, how it ended
 *   source/    the program and the files it uses, by their relative paths: it loads from there
 *   plan.txt   the target and the choices of --plan */
#ifndef LIBRARY_RUN_H
#define LIBRARY_RUN_H
#include "library/machine.h"
#include "runtime/core/folder.h"

/* A run that goes on: all it was given stands in its checkpoint. */
typedef struct Resumed {
  Arena *arena;
  char *dir;
  DnnFolder folder; /* locked */
  DnnCheckpoint from;
  Options options; /* to load the program by, from the folder's source */
  int64_t epochs, max_steps;
} Resumed;

/* Of a run folder or one of its checkpoint files. After any result resumed_close frees what there is. */
bool resumed_open(Resumed *r, const char *run_or_file, DnnError *e);
void resumed_close(Resumed *r);
/* Is this file the program of the run, byte for byte? */
bool resumed_is_of(const Resumed *r, const char *path, DnnError *e);
/* After the program is loaded, from `where`: is it the text of the run, all it uses included, and the same compiler? */
bool resumed_began_with(const Resumed *r, const Machine *m, const char *where, DnnError *e);
/* After the program is compiled: is it the one, compiled by the same compiler for the same target? */
bool resumed_fits(const Resumed *r, const Machine *m, DnnError *e);

/* What decides the bits, as "name=value" for the checkpoints: a stb_ds list in the session's arena. */
const char **run_settings(const Machine *m, const TrainOptions *o);
/* A new run: takes what an older one left beside the runtime's files, writes source/ and plan.txt. */
bool run_begin(Machine *m, const char *dir, DnnError *e);
/* Writes run.json; `state`: running, finished, interrupted, failed. */
bool run_record(const Machine *m, const TrainOptions *o, const char *dir, const char *state, DnnError *e);
#endif
