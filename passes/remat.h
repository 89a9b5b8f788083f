/* Values that are computed again instead of being kept: see passes/remat.c. */
#ifndef PASSES_REMAT_H
#define PASSES_REMAT_H
#include "passes/plan.h"

/* One turn: drops values that lie unused in the arena where most is alive, at least `excess` bytes of them if there are
 * as many, those first that take the least work to compute again for each byte; the graph of p's entry gets the clones.
 * p must be a plan of that graph as it is. False when nothing can be dropped there; then the graph is as it was. */
bool remat_turn(const Plan *p, int64_t excess);
#endif
