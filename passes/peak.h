/* What fills an arena: who made each buffer, and what is alive where most bytes are. For people; nothing is changed. */
#ifndef PASSES_PEAK_H
#define PASSES_PEAK_H
#include "base/buf.h"
#include "passes/plan.h"

/* Does the buffer have a place in the arena? */
bool plan_in_arena(const PlanBuf *x);
/* By buffer: the node whose value a kernel stores there first, or whose workspace it is; NULL: what a loop or branch
 * carries. In p's arena. */
const Node **plan_makers(const Plan *p);
/* Bytes alive at each position, 0 .. *n - 1; to be freed by arrfree. */
int64_t *plan_alive(const Plan *p, int *n);
/* The buffers (stb_ds) that are alive at the first position where most bytes are, the largest first. */
int *plan_at_peak(const Plan *p, int *position);
/* Bytes of the arena that the entry takes whatever is computed again: operands of a product, convolution or window and
 * the smallest result of its kernel, where they are most; the buffers, largest first. Entries with loops may be cut
 * into smaller products: 0. Of a whole plan: where results are written in place of a cell they need nothing. */
int64_t plan_needs(const Plan *p, int **bufs);
/* "conv, model.dnn:12" and the like: what a buffer holds; without a place where there is none. */
void plan_tell_maker(const Plan *p, Buf *b, int buf, const Node *maker);
#endif
