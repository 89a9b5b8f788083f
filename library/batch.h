/* The inputs of one call of an entry point of a compiled program, for those who look at single calls. */
#ifndef LIBRARY_BATCH_H
#define LIBRARY_BATCH_H
#include "ir/eval.h"
#include "library/machine.h"
#include "runtime/core/data.h"
#include "runtime/core/shapes.h"

typedef struct Batch {
  DnnDataSets *sets;
  DnnFeeder *feeder;
  const void *in[256];        /* one per input of the entry */
  int64_t vars[DNN_MAX_VARS]; /* of the entry */
} Batch;

/* The first batch of the first run that calls the entry. False: nothing feeds it (`*fed` is false), or m->error. */
bool batch_real(Machine *m, int entry, Batch *b, bool *fed);
/* Random inputs by their types, in `a`: floats of -1 .. 1, integers within their bounds, or 0 and 1; each size is
 * `rows` or its bound. */
void batch_made_up(Arena *a, const DnnEntry *x, int64_t rows, Batch *b);
void batch_close(Batch *b);
#endif
