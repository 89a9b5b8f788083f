/* What the groups of a plan are, for people: their place, and how what they cost (passes/work.h) is shared by the lines
 * of the program. */
#ifndef CODEGEN_ACCOUNT_H
#define CODEGEN_ACCOUNT_H
#include "base/buf.h"
#include "passes/work.h"

/* The place of what is most work in a group: its heavy node, else what it stores. */
Loc group_place(const Plan *p, const Group *g);
/* " dot add exp -> f32[B, 10]": the ops, at most 12, and what is stored. `brief`: without constants and views. */
void group_print(const Plan *p, const Group *g, bool brief, Buf *b);

/* FORWARD: what a step computes from its inputs; GRADIENT: derivatives; UPDATE: what is made of derivatives, and what
 * else is needed for nothing but new values of cells. */
typedef enum Part { PART_FORWARD, PART_GRADIENT, PART_UPDATE, PARTS } Part;
extern const char *const part_names[PARTS];
/* By scope and node. In bodies of loops and branches: that of their node, or GRADIENT. */
uint8_t **plan_parts(Arena *a, const Plan *p);

/* What a line of the program has of a group. A node counts its operations and, a fourth each, the bytes that it stores
 * and those of the buffers that it is the first to read, at the bounds of the sizes; a group of nothing but copies
 * counts for the place of what it stores. The shares of a group add up to 1; those of its operations alone too, where
 * it has any. */
typedef struct LineShare {
  uint32_t file; /* 0: no place */
  int line;
  Part part;
  double share, flops_share;
} LineShare;
/* stb_ds. `parts`: of plan_parts. */
LineShare *group_lines(const Plan *p, const Group *g, uint8_t *const *parts);
#endif
