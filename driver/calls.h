/* A loaded program with its memory: what run, train and eval share. */
#ifndef DRIVER_CALLS_H
#define DRIVER_CALLS_H
#include "driver/session.h"
#include "runtime/core/train.h"
#include "runtime/core/vocabulary.h"

typedef struct Machine {
  Session s;
  DnnContext context;
  uint64_t seed;
  DnnDataOpts find; /* where the vocabularies are looked for */
  DnnTokenSet tokens;
  DnnError error;
} Machine;

/* Reads and elaborates the program. An exit status, as in all of these. */
int machine_load(Machine *m, const Args *a);
/* Compiles it and takes it into this process, makes a context, fills the cells by the seed, then from --weights.
 * `called`: the only entry point that will run, NULL for all. */
int machine_compile(Machine *m, const char *called);
void machine_end(Machine *m);
/* The folder of the program's file, in the arena. */
const char *machine_file_dir(Machine *m);

/* What a training gives to a sweep. */
typedef struct Trained {
  const char *metric;
  double value; /* NaN: never reported */
} Trained;
/* Runs the training of a compiled program; `trained` may be NULL. */
int machine_train(Machine *m, bool evaluate_only, Trained *trained);
/* `sweep { }` of a loaded program: a training for every combination of its constants. */
int machine_sweep(Machine *m);
#endif
