/* The plan: what the graph of one entry becomes before it is lowered. Kernels in a tree of sequences, loops and
 * branches, each reading and writing buffers that have a place: a caller's pointer, a cell, or an arena offset. */
#ifndef PASSES_PLAN_H
#define PASSES_PLAN_H
#include "ir/prog.h"

typedef enum BufKind { BUF_INPUT, BUF_OUTPUT, BUF_CELL, BUF_ARENA } BufKind;
typedef struct PlanBuf {
  BufKind kind;
  int index;      /* INPUT: input; OUTPUT: result or report; CELL: cell */
  Type type;
  NodeId node;    /* whose value it holds (first, when shared in place) */
  int64_t bytes;  /* for the bounds of the variables, rounded up to 64 */
  int64_t offset; /* ARENA */
  int begin, end; /* live from position `begin` to `end`, inclusive, in kernel order */
} PlanBuf;

/* A kernel group: the nodes of one loop nest. All `outs` have the same number of elements in the same row-major
 * order. Nodes that are not outs are computed where they are used ("inlined"). At most one node of the group is
 * `heavy`: a REDUCE, CONTRACT, WINDOW or argmax whose accumulator the nest holds; MAP and VIEW nodes before it are
 * its operands, MAP nodes after it its epilogue. GATHER nodes are loads at run-time indices and may be inlined. A
 * SCATTER is a group of its own (its operands may be inlined). */
typedef struct GroupOut {
  NodeId node;
  int buf;
} GroupOut;
typedef struct Group {
  NodeId heavy;   /* 0 for a purely element-wise group */
  GroupOut *outs; /* stb_ds */
  NodeId *nodes;  /* stb_ds: every node computed here, in topological order */
  int *reads;     /* stb_ds: buffers read */
  bool inplace;   /* an out shares the buffer of an operand that is read at the same element only */
} Group;

typedef enum PlanKind { PLAN_KERNEL, PLAN_LOOP, PLAN_BRANCH } PlanKind;
typedef struct PlanStep PlanStep;
struct PlanStep {
  PlanKind kind;
  int group;        /* KERNEL */
  bool barrier;     /* all threads meet before this step: it reads what another thread may have written */
  NodeId node;      /* LOOP, BRANCH: the scan, while or cond */
  PlanStep *body;   /* stb_ds: LOOP body, BRANCH then */
  PlanStep *other;  /* stb_ds: LOOP condition, BRANCH else */
};

typedef struct Plan {
  Arena *arena;
  const Prog *prog;
  const Entry *entry;
  Graph *graph;
  PlanBuf *bufs;    /* stb_ds */
  Group *groups;    /* stb_ds */
  PlanStep *steps;  /* stb_ds */
  int *buf_of;      /* by NodeId: the buffer that holds it, or -1: inlined */
  int64_t peak;     /* arena bytes */
  int64_t bound;    /* liveness lower bound of the arena */
} Plan;
#endif
