/* A loaded program with its memory: what is called, trained and evaluated. Statuses and errors as in session.h. */
#ifndef LIBRARY_MACHINE_H
#define LIBRARY_MACHINE_H
#include "codegen/watch.h"
#include "library/session.h"
#include "runtime/core/train.h"
#include "runtime/core/vocabulary.h"

typedef struct Machine {
  Session s;
  DnnContext context;
  Watch *watch; /* of a checked run, or NULL */
  uint64_t seed;
  DnnDataOpts find; /* where the vocabularies are looked for */
  DnnTokenSet tokens;
  bool counted;              /* sizes were taken from data */
  const DnnCheckpoint *from; /* before machine_compile: the cells come from it, when it has some; or NULL */
  bool once;                 /* before machine_compile: `called` runs once, then the machine ends */
  DnnError error;            /* of the runtime; functions copy it to s.error */
} Machine;

/* Reads and elaborates the program, unless the cache has what is needed of it (then there is no s.prog). After any
 * status machine_end frees what there is. */
Status machine_load(Machine *m, const Options *o);
/* Compiles it and takes it into this process, makes a context, fills the cells by the seed, then from `weights`.
 * `called`: the only entry point that will run (an export or a step), NULL for all. */
Status machine_compile(Machine *m, const char *called);
/* Fills the cells by a seed, then from the `weights` of the options; the clock is 0. */
Status machine_fill(Machine *m, uint64_t seed);
/* Fills the cells from a file; false and m->error: nothing is changed. */
bool machine_weights(Machine *m, const char *path);
void machine_end(Machine *m);
/* Sets the error from m->error. */
Status machine_failed(Machine *m);

struct Resumed;
typedef struct TrainOptions {
  const char *out;         /* the run folder, or NULL */
  bool overwrite;          /* a run that is in the folder is removed; else that is an error */
  bool filled;             /* the cells need not be those of the seed: the first checkpoint keeps them */
  struct Resumed *resumed; /* the run that goes on (run.h), or NULL; `out`, `epochs` and `max_steps` are its own */
  double every_seconds;    /* between checkpoints (DnnSaving), or */
  int64_t every_steps;     /* one each so many steps; both 0: as dnnc sees fit */
  int keep;                /* that many checkpoints stay; 0: 3 */
  int64_t epochs;          /* > 0: in place of every stage's number of epochs */
  int64_t max_steps;       /* > 0: the stages end after so many steps of all of them */
  bool evaluate_only;      /* the evaluation passes, once; no run folder */
  int quiet;               /* 0: lines for people on `log`; 1: nothing; 2: JSON lines */
  FILE *log;
  const char *choose;                               /* a metric, or NULL */
  double chosen;                                    /* out: its value at the end, NaN when it was never reported */
  void (*event)(void *user, const DnnEvent *event); /* beside what is written into the run folder; may be NULL */
  void *user;
  const volatile int *stop; /* becomes 1: the training stops after this step; NULL: SIGINT and SIGTERM do that */
} TrainOptions;
/* Runs the `train` block of a compiled program on cells that are filled. */
Status machine_train(Machine *m, TrainOptions *o);
#endif
