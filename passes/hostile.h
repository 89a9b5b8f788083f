/* Hostile modes: what a program may not depend on is made different, and what must be equal is compared. The variable
 * DNN_HOSTILE of the environment holds words, separated by commas:
 *   text         the graph is printed, parsed and printed again after every pass; the two texts must be equal
 *   nodes=SEED   nodes stand in another topological order after every pass (sums of gradients, and what is fused, may
 *                come out in another order: values are the same but for rounding)
 *   steps=SEED   steps of a plan run in any order in which everything is written before it is read; memory is planned
 *                for it (the same bits)
 *   without=A+B  the passes A and B are left out, but for those that plans cannot do without (the same but for rounding)
 *   apart        parameters and other cells stand apart in memory, so that tests can put guard pages between them
 * Freed memory that is filled with NaN is `--check` (codegen/watch.h). */
#ifndef PASSES_HOSTILE_H
#define PASSES_HOSTILE_H
#include "ir/ir.h"

bool hostile_text(void);
bool hostile_apart(void);
/* The seed, or 0: not wanted. */
uint64_t hostile_nodes(void);
uint64_t hostile_steps(void);
/* Is the pass left out? `expand`, `trim`, `dce` and `keep` never are: plans rely on what they leave. */
bool hostile_without(const char *pass);
/* A number below n, from a state that is a seed at first. */
int hostile_pick(uint64_t *state, int n);
/* Gives the nodes of g, and of the graphs inside of it, a random topological order. */
void hostile_shuffle(Graph *g, uint64_t seed);
#endif
