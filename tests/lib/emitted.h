/* Graphs as the entries of one program: emitted, compiled with every warning an error, run by one and by three threads
 * with equal bits, and held against the evaluator.
 *
 *   EmittedCase *cases = NULL;
 *   arrput(cases, ((EmittedCase){.g = g, .seed = 1}));           // all of one arena and one table of dimensions
 *   emitted_check(cases, &(EmittedHow){.target = "native", .openmp = true});
 *
 * Failures end the cmocka test. The graphs go through the passes and are changed by them. */
#ifndef TESTS_EMITTED_H
#define TESTS_EMITTED_H
#include "codegen/cc.h"
#include "ir/eval.h"

typedef struct EmittedCase {
  Graph *g;
  uint64_t seed;     /* of sizes and inputs */
  int64_t *vars;     /* sizes; NULL: by the seed */
  double tolerance;  /* relative to the largest number of a result; 0: 1e-4 */
  const char *error; /* what the call must report instead, or NULL */
  Tensor *in, *want; /* set by the check */
} EmittedCase;
typedef struct EmittedHow {
  const char *target;
  bool openmp;
  bool raw;       /* the graph passes are left out */
  int64_t little; /* as in plan.h; 0: that of plan_build, negative: every kernel is shared */
} EmittedHow;
/* The emitted text of NAME.c, for looking at. */
const char *emitted_check(EmittedCase *cases, const EmittedHow *how);
#endif
