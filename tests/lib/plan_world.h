/* A program of one entry, its plan, and what the evaluator says, for tests of the planner:
 *
 *   PlanWorld w = plan_world_parse("graph {\n%1 = input() index=0 : f32[4]\n%2 = tanh(%1) : f32[4]\nreturn %2\n}\n");
 *   Plan *p = plan_world_check(&w); // planned, run by tests/lib/plan_run.c, equal to the evaluator's results
 *
 * What goes wrong fails the test that runs. */
#ifndef TESTS_PLAN_WORLD_H
#define TESTS_PLAN_WORLD_H
#include "tests/lib/plan_run.h"

typedef struct PlanWorld {
  Arena *a;
  Prog *prog;
  Entry *entry;
  Graph *g;
  Dim N;
  int64_t vars[8]; /* the values of its symbols */
  uint64_t seed;
  NodeId *pool;  /* stb_ds: values so far, of a graph that a test makes */
  int reordered; /* plans whose steps went into another order for workspace */
} PlanWorld;

/* Inputs, cells, and the outputs that the evaluator makes of them. */
typedef struct PlanValues {
  Tensor *in, *cells, *out;
  EvalEnv env;
} PlanValues;

/* An entry whose graph is empty; `seed` chooses the numbers of its inputs and cells. */
PlanWorld plan_world_new(uint64_t seed);
/* An entry that returns all outputs of the graph `text`; every symbol is 3. */
PlanWorld plan_world_parse(const char *text);
/* Random inputs, and what the evaluator makes of them. */
PlanValues plan_world_evaluate(PlanWorld *w);
/* Runs the plan on memory: its outputs are `v`'s to within `tolerance`. */
void plan_world_run(PlanWorld *w, const Plan *p, PlanValues v, double tolerance);
/* Plans the graph, also with workspace for some of its groups, and runs both plans. Thread 0 does alone what takes less
 * than `little` (operations and words moved). */
Plan *plan_world_check_for(PlanWorld *w, PlanValues v, double tolerance, int64_t little);
Plan *plan_world_check_values(PlanWorld *w, PlanValues v, double tolerance); /* with the usual `little` */
Plan *plan_world_check(PlanWorld *w); /* and with values of its own, which must be equal to the bit */
/* How many kernels the plan has. */
int plan_kernels(const Plan *p);
/* Prints the text whole, since fail_msg cuts long ones, and fails. */
void plan_world_wrong(const char *why, const char *text);
#endif
