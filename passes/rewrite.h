/* Rebuilding a graph: what every graph pass stands on. The old nodes are read, new ones appended in topological order,
 * and the outputs follow.
 *
 *   Rewrite r = rewrite_begin(g);              // g->nodes is empty now, r.old holds the old nodes
 *   for (NodeId n = 1; n < r.n_old; n++)
 *     if (r.live[n]) rewrite_to(&r, n, rewrite_copy(&r, n));  // or anything built with the g_* functions
 *   rewrite_end(&r);                           // outputs renamed
 */
#ifndef PASSES_REWRITE_H
#define PASSES_REWRITE_H
#include "passes/pipeline.h"

typedef struct Rewrite {
  Graph *g;
  Node *old;    /* stb_ds, freed by rewrite_end */
  NodeId n_old; /* ids in `old` run from 1 to n_old - 1 */
  NodeId *map;  /* by old id: the new node, 0 while there is none */
  bool *live;   /* by old id: an output needs it, or it is IMPURE */
} Rewrite;

Rewrite rewrite_begin(Graph *g);
/* The new name of an old node that was dealt with; anything else is an internal error. */
NodeId rewrite_get(const Rewrite *r, NodeId old);
void rewrite_to(Rewrite *r, NodeId old, NodeId now);
/* Appends old node n with its operands renamed; returns its new id without entering it in the map. */
NodeId rewrite_copy(Rewrite *r, NodeId n);
void rewrite_end(Rewrite *r);

/* A constant, or a broadcast that keeps the order of its operand's axes when axis k of old node n becomes axis at[k]:
 * it can be made in that order at once. */
bool rewrite_turnable(const Rewrite *r, NodeId n, const int *at);
/* Such a value, with axis k at place at[k]. */
NodeId rewrite_turned(Rewrite *r, NodeId n, const int *at);
/* The element-wise old node n of other operands, in the order of axes that the first one has. */
NodeId rewrite_again(Rewrite *r, NodeId n, const NodeId *in);

/* Runs a pass on the graphs inside of g's region nodes, innermost first. */
void rewrite_regions(Graph *g, PassFn *pass, const Prog *prog, const Entry *entry);
/* The number of nodes of g without those of its regions. */
int rewrite_count(const Graph *g);
/* True when g, or a graph inside of it, holds a node of op grad, vjp, jvp, jacobian or vmap. */
bool rewrite_has_transforms(const Graph *g);

/* Equal in bits. */
bool attr_same(const Attr *a, const Attr *b);

/* pass_hoist, which expand calls as well: loops of g, and of regions in it, whose bodies hold no transformation. NULL:
 * of no entry. */
void hoist_graph(Graph *g, const Entry *entry);

/* grad, vjp, jvp, jacobian and vmap alone: checkpoints and own gradients stay. A part of pass_expand. */
void expand_transforms(Graph *g);

/* The passes, in the files of their names. */
PassFn pass_nest, pass_expand, pass_simplify, pass_fold, pass_cse, pass_trim, pass_hoist, pass_sink, pass_absorb,
    pass_settle, pass_turn, pass_sums, pass_block, pass_compact, pass_join, pass_dce, pass_keep, pass_again;
#endif
