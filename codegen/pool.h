/* What the pools and their gradient share: the window, the items of work, their rows on the stack. */
#ifndef CODEGEN_POOL_H
#define CODEGEN_POOL_H
#include "codegen/lower.h"

enum { ROOM = 2048, UNROLL = 16 }; /* elements of the stack; terms of one expression */

typedef struct Pool {
  NodeId max, arg; /* whose values are wanted; 0: not that one */
  const Node *n;
  int rank, row;                                             /* the axis of rows: the one before the last */
  DType t;                                                   /* of x */
  int64_t window[MAX_RANK], stride[MAX_RANK], low[MAX_RANK]; /* by axis; those of N and C are 1, 1, 0 */
  int64_t reach[MAX_RANK];                                   /* how many windows may hold one element */
  bool sure[MAX_RANK];                                       /* no window stands wholly outside of the plane */
  Axes x, y;
  int64_t rows, cols; /* an item's rows; of a long row, its windows or columns, else 0 */
  Dim pitch;          /* of a row on the stack */
  bool flat;          /* rows follow each other on the stack as they do in the result */
  int64_t count;      /* elements on the stack */
  LArr *v, *p;        /* values, places; NULL: not needed */
  /* of the item */
  Idx at;
  LExpr *lo, *hi;     /* rows */
  LExpr *first, *end; /* windows along the last axis */
} Pool;

static inline Dim number(Lower *l, int64_t v) { return dim_int(l->dims, v); }

Pool pool_of(Lower *l, const Node *n, const Axes *x, const Axes *y);
/* Items: the axes before the rows, blocks of rows, blocks of `windows` along the last axis, which take `each` elements
 * of the stack and `more`. */
void pool_open(Lower *l, Pool *p, const Axes *over, Dim windows, int64_t each, int64_t more);
/* Opens a loop over the item's rows; the start of the row on the stack. */
LExpr *pool_rows(Lower *l, Pool *p, const Axes *over);
/* Do the group's results need no division when rows are taken as one? Their values at `at`, an index on `axes`. */
bool pool_plain(Lower *l, const Axes *axes, const Idx *at);
/* A loop over all elements of the item's rows, which follow each other on the stack and in the result; its place on the
 * stack in units of the result's elements. */
LExpr *pool_flat(Lower *l, const Pool *p, const Axes *over, Idx *at);
/* Does the window at `at` hold an element? NULL: all do. One wholly outside has -inf as the largest, at place 0. */
LExpr *pool_in_plane(Lower *l, const Pool *p, const Idx *at);
void lower_max_dx(Lower *l);
bool lower_max_last(Lower *l); /* false: not of this kind */
#endif
