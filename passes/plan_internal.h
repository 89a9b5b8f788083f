/* What fuse, schedule and memory share, beside plan.h. */
#ifndef PASSES_PLAN_INTERNAL_H
#define PASSES_PLAN_INTERNAL_H
#include "passes/plan.h"

/* Groups of one scope. Appends groups, buffers and the steps that run them (in dependence order) to the plan.
 * `roots`: the nodes that must have a buffer; `home[i]` is the buffer a root must end in, or -1: any. */
void fuse_scope(Plan *p, int scope, PlanStep **steps, const NodeId *roots, const int *home, int n_roots);
int plan_new_buf(Plan *p, BufKind kind, int index, Type type, NodeId node);
/* Makes the results of products and convolutions that are put end to end in their places (parts.c). */
void plan_place_parts(Plan *p, int scope, PlanStep **steps, const NodeId *roots, int n_roots);
int plan_new_scope(Plan *p, Graph *g);
/* A group that copies buffer `from`, the value of node n, to buffer `to`. */
int plan_copy_group(Plan *p, int scope, NodeId n, int from, int to);
int plan_made_group(Plan *p, int scope, NodeId n, int to); /* that makes leaf n in buffer `to` */
PlanStep plan_kernel_step(int group);
/* Buffers for the results of every region of a scope, given to the `get` nodes that read them; a root that no loop
 * carries ends in its home. */
void region_results(Plan *p, int scope, const NodeId *roots, const int *home, int n_roots);
/* Does the region read this operand from a buffer of its own? It counts itself where a row operand is an iota, and goes
 * from cell to cell where it is a stack of cells at equal distances. */
bool region_reads(const Plan *p, int scope, NodeId region, int operand);
/* The buffer of a region's operand n, which may be a reshape of what is stored; -1: none. */
int region_buf(const Plan *p, int scope, NodeId n);
int region_carried(const Plan *p, int scope, NodeId n); /* how many values it carries */
/* The step of a scan, while, cond, vmap, checkpoint or custom_grad, its bodies planned. */
PlanStep region_step(Plan *p, int scope, NodeId n);
/* Puts the steps of a body into an order that respects every read and keeps few bytes alive. */
void schedule_steps(Plan *p, PlanStep **steps);
/* The entry's steps in an order in which fewer bytes are alive, when buffers are shared and workspace is known: every
 * place is touched in the order in which it is now. stb_ds; NULL: none is found. */
PlanStep *plan_placed_order(const Plan *p);
/* Buffers that a step reads and writes, loops and branches with all that is inside; stb_ds lists. */
void step_reads(const Plan *p, const PlanStep *s, int **out);
void step_writes(const Plan *p, const PlanStep *s, int **out);
bool buf_holds_cell(const PlanBuf *b, int cell); /* as CELL, or among CELLS */
/* How far from the buffer's begin the row of iteration `at` is, in elements. */
int64_t row_offset(const Plan *p, const RowPlace *place, int64_t at, const int64_t *vars);
/* A gather of the element with the number of the loop's iteration: as good as a view. */
bool picks_iteration(const Plan *p, int scope, NodeId n);
/* Every read of `n` in the group happens at the element being computed; in a row group, at one of its row. */
bool group_reads_same(const Plan *p, const Group *gr, NodeId n);
/* May the group store the new value of `cell` right into the cell, if no later step reads the old one? */
bool group_may_commit(const Plan *p, const Group *gr, int cell);
/* May the group make `out` in the buffer of its operand `from`, if nobody reads that later? */
bool group_may_take(const Plan *p, const Group *gr, int from, int out);
#endif
