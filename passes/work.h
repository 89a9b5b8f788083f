/* What the groups and steps of a plan cost: operations of the definition, and bytes of buffers. */
#ifndef PASSES_WORK_H
#define PASSES_WORK_H
#include "passes/plan.h"

const Graph *group_graph(const Plan *p, const Group *g); /* that its nodes are of */
/* Operations of its nodes; bytes of the buffers that it reads (what indices and slices take of them) and writes, each
 * once. Of one call. */
Dim group_flops(const Plan *p, const Group *g);
Dim group_bytes(const Plan *p, const Group *g);
/* Of a buffer that is read at indices or in slices only, what these take; else all of it. */
Dim group_bytes_read(const Plan *p, const Group *g, int buf);

/* Work is operations, and words of four bytes moved, at the bounds of the sizes; infinite where there is none. Of one
 * call of a group; of n steps of a list, a loop's body as often as it runs, the longer one of two branches. */
double group_work(const Plan *p, const Group *g);
double plan_work(const Plan *p, const PlanStep *steps, int n);
#endif
