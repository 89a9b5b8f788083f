/* A loaded program with its memory: what run, train and eval share. */
#ifndef DRIVER_CALLS_H
#define DRIVER_CALLS_H
#include "driver/session.h"
#include "runtime/core/train.h"

typedef struct Machine {
  Session s;
  DnnContext context;
  uint64_t seed;
  DnnError error;
} Machine;

/* Compiles and loads the program, makes a context, fills the cells by the seed, then from --weights. An exit status. */
int machine_start(Machine *m, const Args *a);
void machine_end(Machine *m);
/* The folder of the program's file, in the arena. */
const char *machine_file_dir(Machine *m);
#endif
