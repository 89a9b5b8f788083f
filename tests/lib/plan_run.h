/* Runs a plan on real memory with the reference evaluator as its kernels: buffers stand where the planner put them, and
 * a buffer's bytes are overwritten as soon as its life is said to end. What the plan gets wrong shows in the results.
 */
#ifndef TESTS_PLAN_RUN_H
#define TESTS_PLAN_RUN_H
#include "ir/eval.h"
#include "passes/pipeline.h"

typedef struct PlanRun {
  Arena *arena;
  const Plan *plan;
  const EvalEnv *env;        /* inputs and cells are copied */
  char **memory;             /* by buffer: where INPUT, OUTPUT and CELL buffers are */
  char *space;               /* the arena, plan->peak bytes */
  char *own;                 /* of one thread, plan->own bytes */
  ptrdiff_t others;          /* how much of `touched` other iterations may have done */
  int64_t *at;               /* by loop: its iteration */
  bool *swapped;             /* by buffer of a pair: it stands where its twin's place is */
  bool inside;               /* a loop or branch that thread 0 goes through alone */
  int *last;                 /* by buffer: the last position that touched it */
  bool straight;             /* no loops or branches were met */
  Buf why;                   /* what went wrong */
  struct PlanTouch *touched; /* stb_ds: bytes read and written since the last barrier */
} PlanRun;

/* The outputs of the entry's graph, in order, as the plan leaves them. False and `why` on a violation: threads that
 * touch the same bytes without a barrier, a place outside of the arena, a life that is longer than its use. */
bool plan_run(PlanRun *r, Tensor *outputs);
#endif
