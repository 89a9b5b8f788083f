/* What the passes that compute values again share: what lies in memory where most is alive, and clones of nodes. */
#ifndef PASSES_REMAT_INTERNAL_H
#define PASSES_REMAT_INTERNAL_H
#include "passes/plan.h"

typedef struct Remat {
  const Plan *p;
  Graph *g;
  const Node *nodes; /* of the graph as it is planned */
  int n, at;         /* nodes; the step (of the outermost sequence) at which most is alive */
  int *first;        /* by node: the first step that computes it, or -1 */
  NodeId *content;   /* by buffer: the node whose value lies in it at that step, or 0 */
  bool *kept;        /* by buffer: it holds a value there that is read later */
  bool *idle;        /* by buffer: and the step itself does not touch it */
  bool *read;        /* by buffer: the step, a kernel, reads it and nothing else */
  int *last, *next;  /* by buffer: the last step before that touches it, the first one behind that reads it */
  bool *dropped;     /* by node: who reads it at the place or behind it reads a clone of it */
  bool *offered;     /* by node: it has no buffer, but gets one when clones read it */
  bool *alone;       /* by node: what its clone is made of is cloned for it alone */
  uint32_t *stamp, now;
} Remat;
/* p has lives (plan_lives). */
Remat remat_begin(const Plan *p);
void remat_end(Remat *r);
/* Makes the clones that `dropped` asks for. */
void remat_clone(Remat *r);
bool remat_is_late(const Remat *r, NodeId n); /* computed behind the place only */
bool remat_is_leaf(const Remat *r, NodeId n);
/* Its value lies in memory at the place and is still read later. */
bool remat_is_there(const Remat *r, NodeId n);
double remat_words(const Remat *r, NodeId n); /* elements, at the bounds */
#endif
