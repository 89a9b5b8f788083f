/* What the files of pass `block` share. */
#ifndef PASSES_BLOCK_H
#define PASSES_BLOCK_H
#include "passes/rewrite.h"

/* The axes that a block goes through, outermost first: `size` of each, and which axis of a node each one is. */
enum { MAX_LEAD = 4 };
typedef struct Lead {
  int8_t axis[MAX_LEAD];
} Lead;

/* Nodes around some batched products which are parallel in the batch axes. Side tables by node. */
typedef struct Family {
  Graph *g;
  int n; /* lead axes */
  Dim size[MAX_LEAD], length;
  int64_t rows;      /* 0, or: the lead axis is one of rows, of which an element takes so many: it stays in the body */
  NodeId tail;       /* 0, or: the block's only product, whose other operand every element reads as a whole */
  bool *known, *bad; /* `lead` is known; it is ambiguous, or the node is not parallel in these axes */
  Lead *lead;
  bool *member;
  bool *inside; /* members, and views between them */
  int *level;   /* how often a path to the node has left the members */
} Family;

/* One loop: the members of one level, as a body without the lead axes. */
typedef struct Block {
  const Family *f;
  int level;
  bool large; /* elements: all threads deal with one */
  Graph *body;
  NodeId *inner;    /* by old node: in the body, or 0 */
  NodeId *captures; /* stb_ds: old ids of what the body takes in, after the number of the element */
  NodeId *captured; /* by old node: its input or copy in the body, or 0 */
  NodeId count;     /* the number of the element, i64[] */
  NodeId *outs;     /* stb_ds: old ids of what is read outside */
  bool wanted, begun;
  NodeId region; /* in the new graph */
} Block;

/* Where the lead axes of a node are in its operand k; or where those of operand k are in the node. False: nowhere, or
 * not each in one axis as a whole. */
bool lead_of_operand(const Graph *g, NodeId n, const Lead *lead, int count, int k, Lead *out);
/* The same of each lead axis by itself, -1 where it is nowhere; returns how many there are. */
int lead_axes_of_operand(const Graph *g, NodeId n, const Lead *lead, int count, int k, Lead *out);
bool lead_of_user(const Graph *g, NodeId n, int k, const Lead *lead, int count, Lead *out);
/* May a member be of this kind? */
bool block_member_kind(const Graph *g, NodeId n);

/* Fills the body with the members of the block. */
void block_fill(Block *b);
/* Is the value made in this block's body, though it is a member of an earlier one? */
bool block_again(const Family *f, NodeId n, int level);
#endif
