/* What the files of fusion share: clusters of nodes while they are merged. */
#ifndef PASSES_FUSE_H
#define PASSES_FUSE_H
#include "passes/plan_internal.h"

enum { K_DEAD, K_VIRTUAL, K_SOURCE, K_CLUSTER, K_REGION };

typedef struct Fuse {
  Plan *p;
  int scope;
  Graph *g;
  int n;
  uint8_t *kind;
  uint8_t *fixed;  /* a Fixed of each node; VARIES throughout in the bodies of regions */
  bool *forced;    /* must have a buffer: a root, or an operand of a region */
  bool *inlined;   /* by cluster head: computed in its users */
  bool *again;     /* a member that its readers make again (rule 5) */
  int *reads;      /* by node: other clusters that read it; MANY more for each that wants it in memory */
  bool *narrow;    /* a member of a row cluster that has one element per row */
  NodeId *head;    /* by node: the cluster's representative (union-find) */
  NodeId *next;    /* members of a cluster, a list from head to 0 */
  NodeId *tail;    /* by head: the end of that list */
  NodeId *last;    /* by head: largest member */
  NodeId *heavy;   /* by head */
  Split **row;     /* by head: how a row cluster's reductions fold; NULL for other clusters */
  NodeId *lowest;  /* by head: smallest member */
  NodeId *reach;   /* of clusters that begin at a node or before it the largest members, as a tree; see fuse_merge.c */
  uint32_t *stamp; /* by head: visited in search `now` */
  uint32_t now;
} Fuse;

/* One read of a buffered value by node `user`. The value is reached through reshapes and at most one broadcast, or by
 * other views (`bent`). `same`: element by element; `once`: each element is read at most once. */
typedef struct Edge {
  NodeId user, base, spread; /* spread: the broadcast, or 0 */
  int operand;
  bool bent, same, once;
} Edge;

/* The value behind operand k of n, through virtual views; base 0 when it is generated (constants, indices). */
Edge fuse_edge(const Fuse *f, NodeId n, int k);
NodeId fuse_find(Fuse *f, NodeId n);
bool fuse_is_lonely(const Fuse *f, NodeId n); /* stays alone in its cluster */
/* Will n have a buffer? Known for nodes before the one that rule 5 is deciding about. */
bool fuse_is_stored(const Fuse *f, NodeId n);
/* Rules 2 and 3 of fuse.c; reductions of one split that read one value, when `again` is known. */
void fuse_merge(Fuse *f);
void fuse_merge_readers(Fuse *f);
#endif
