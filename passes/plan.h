/* The plan: what the graph of one entry becomes before it is lowered. Kernels in a tree of sequences, loops and
 * branches, each reading and writing buffers that have a place: a caller's pointer, a cell, or an arena offset. */
#ifndef PASSES_PLAN_H
#define PASSES_PLAN_H
#include "ir/prog.h"

/* ROW: the slice of buffer `index` that belongs to the current iteration of loop `loop`, or where that is -1 the part
 * that begins at element `first` (parts.c). COUNT: the number of that
 * iteration, from 0, which is no memory. CELLS: cells of one type at equal distances, which are read as rows only.
 * FIXED: made by `prepare`, see Plan.fixed. OWN: inside of a loop whose iterations are spread over the threads: each
 * has it in its scratch. */
typedef enum BufKind {
  BUF_INPUT,
  BUF_OUTPUT,
  BUF_CELL,
  BUF_ARENA,
  BUF_FIXED,
  BUF_ROW,
  BUF_COUNT,
  BUF_CELLS,
  BUF_OWN
} BufKind;
/* Rows that do not lie one after the other: the distances, in elements, of the iteration's number, which is split into
 * `n` indices, and of the row's axes. */
typedef struct RowPlace {
  int n;
  Dim size[MAX_RANK], stride[MAX_RANK], axis[MAX_RANK];
} RowPlace;
typedef struct PlanBuf {
  BufKind kind;
  int index;             /* INPUT: input; OUTPUT: result or report; CELL: cell; ROW: the buffer it lies in */
  int loop;              /* ROW, COUNT: number of the loop; -1: no loop */
  Dim first;             /* ROW of no loop: elements of buffer `index` before it */
  const RowPlace *place; /* ROW, and ARENA in an order of layout.c (of its axes alone); or NULL, one after the other */
  Dim length;            /* COUNT: the number of its iterations */
  int *cells;            /* stb_ds: CELLS: by row */
  int64_t stride;        /* CELLS: bytes from one to the next */
  int twin;              /* a carried value of a loop: the buffer of the next iteration's value, they swap; else -1 */
  Type type;
  bool temp;      /* ARENA: the workspace of one group, alive in its step only */
  NodeId node;    /* whose value it holds (first, when shared in place) */
  int64_t bytes;  /* for the bounds of the variables, rounded up to 64 */
  int64_t offset; /* ARENA; OWN: in the thread's part */
  int begin, end; /* live from position `begin` to `end`, inclusive, in kernel order */
} PlanBuf;

/* The axes of a tensor as runs that stay and runs that are folded: [B, T, C] folded over C is (B*T stay)(C folded).
 * Axes of size 1 vanish, neighbours of one kind are one run. */
typedef struct Split {
  int n;
  Dim size[MAX_RANK];
  bool folded[MAX_RANK];
} Split;
bool folds_axes(const Node *x); /* a REDUCE other than argmax and argmin */
/* How a reduction folds its operand, a broadcast repeats it, or a gather of one element picks from it; false for other
 * nodes, and where nothing is folded or axes change their order. */
bool split_of(const Graph *g, NodeId n, Split *s);
bool split_same(const Split *a, const Split *b);

/* A kernel group: the nodes of one loop nest. All `outs` have the same number of elements in the same row-major
 * order. Nodes that are not outs are computed where they are used ("inlined"). At most one node of the group is
 * `heavy`: a CONTRACT, WINDOW or argmax whose accumulator the nest holds; MAP and VIEW nodes before it are its
 * operands, MAP nodes after it its epilogue. GATHER nodes are loads at run-time indices and may be inlined. A SCATTER
 * or CALL is a group of its own (its operands may be inlined). A group without nodes copies buffer reads[0] to
 * outs[0].buf. In an in-place group every load of an element comes before the stores of that element.
 *
 * A row group holds any number of other REDUCEs, all of the same split: one row, the elements that are folded into one
 * result, is dealt with at a time. Its outs are wide (an element per folded element) or narrow (one per row); a wide
 * value may need a narrow one of its own row, which a broadcast of the same split spreads over it. A GATHER that picks
 * one element of a row is narrow as well. */
typedef struct GroupOut {
  NodeId node;
  int buf;
} GroupOut;
typedef struct Group {
  int scope;      /* whose graph the nodes are of: plan->scopes[scope] */
  NodeId heavy;   /* 0 for a purely element-wise group */
  NodeId *folds;  /* stb_ds: the reductions of a row group, in topological order; the first is `heavy` */
  GroupOut *outs; /* stb_ds */
  NodeId *nodes;  /* stb_ds: every node computed here, in topological order */
  int *reads;     /* stb_ds: buffers read */
  bool inplace;   /* an out shares the buffer of an operand that is read at the same element only */
  bool solo;      /* inside of a loop whose iterations are spread: one thread runs it */
  int64_t rows;   /* in a loop by rows: so many rows are a part; 0: not in such a loop */
  bool parted;    /* lowering has cut all its kernels at these parts */
  int temp;       /* 1 + the buffer of its workspace, 0: none, or not known yet */
} Group;

typedef enum PlanKind { PLAN_KERNEL, PLAN_LOOP, PLAN_BRANCH } PlanKind;
typedef struct PlanStep PlanStep;
struct PlanStep {
  PlanKind kind;
  int group;        /* KERNEL */
  bool barrier;     /* all threads meet before this step: it reads what another thread may have written */
  bool alone;       /* thread 0 does all of it, for there is little to do (LOOP, BRANCH: in each kernel inside) */
  int behind;       /* KERNEL: so many of the steps that follow are independent kernels of its structure: they have its
                       position, and run with it at the same time (together.c) */
  bool joined;      /* KERNEL: it is one of those */
  int scope;        /* LOOP, BRANCH: where `node` is */
  NodeId node;      /* LOOP, BRANCH: the scan, while or cond; a checkpoint or custom_grad is a BRANCH without `other` */
  int at;           /* position in kernel order, for live ranges (LOOP, BRANCH: of their end) */
  int loop;         /* LOOP: its number, 0 .. plan->n_loops - 1 */
  bool spread;      /* LOOP: each thread does whole iterations; nothing inside waits for another */
  int64_t rows;     /* LOOP: no row of its values needs another one, so many of them are a part (by_rows.c); or 0 */
  bool apart;       /* LOOP: each thread takes its parts through all iterations; they meet before the first one */
  PlanStep *before; /* stb_ds: LOOP: fills the carried values, once */
  PlanStep *body;   /* stb_ds: LOOP body, BRANCH then */
  PlanStep *other;  /* stb_ds: LOOP condition, BRANCH else */
  int *carried;     /* stb_ds: LOOP: buffers that swap with their twins after each iteration; the twins are not here */
  int flag;         /* LOOP of a while: the bool[] buffer that `other` fills; BRANCH of a cond: what decides; or -1 */
  bool meet;        /* LOOP: all threads meet before they look at the flag */
};

/* A graph with places for its nodes: the entry's own is scopes[0], the bodies of loops and branches follow. */
typedef struct Scope {
  Graph *graph;
  int *buf_of; /* by NodeId: the buffer that holds it, or -1: computed where it is used */
} Scope;

typedef struct Plan {
  Arena *arena;
  const Prog *prog;
  const Entry *entry;
  Graph *graph;
  PlanBuf *bufs;   /* stb_ds */
  Group *groups;   /* stb_ds */
  PlanStep *steps; /* stb_ds */
  int *fixed;    /* stb_ds: groups that depend on cells alone which keep their values: no steps, `prepare` runs them in
                    this order, and their outs are BUF_FIXED */
  int *buf_of;   /* scopes[0].buf_of */
  Scope *scopes; /* stb_ds */
  int n_loops;
  bool whole;     /* what is put end to end is copied: nothing is made in its place */
  int n_parts;    /* results that are made in their places in others (parts.c) */
  int64_t little; /* a kernel of less work, in operations and words moved, is thread 0's alone */
  int64_t peak;   /* arena bytes */
  int64_t bound;  /* liveness lower bound of the arena */
  int64_t own;    /* bytes of each thread's part */
  bool least;     /* no offsets need less than `peak` for these lives: it is the bound, or a search has shown it */
  bool ordered;   /* no order of the entry's steps has fewer bytes alive at a time: a search has shown it */
} Plan;

/* The loops of a plan: which is around a group, or another loop, and what each writes (loops.c). */
typedef struct PlanLoops {
  int *of_group, *around; /* -1: none */
  bool **writes;          /* by loop and buffer */
} PlanLoops;
PlanLoops *plan_loops(const Plan *p);
/* The outermost loop around the group in which none of the buffers changes, or -1. */
int plan_stays(const Plan *p, const PlanLoops *l, int group, const int *bufs, int n);
int buf_home(const Plan *p, int buf); /* the buffer that it is a row of, or itself */
#endif
