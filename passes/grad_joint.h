/* The gradient of a region's body: the body and its reverse accumulation in one graph (the joint), and how it is taken
 * apart again into what runs with the forward computation and what runs for the gradient.
 *
 *   joint     the body's nodes 1 .. limit-1 under their own ids, then inputs for the gradients of its outputs, then the
 *             reverse accumulation
 *   forward   nodes 1 .. limit-1 again; values that the reverse needs become further outputs (`keep`)
 *   reverse   the rest, and what it computes again: cheap nodes, from inputs of the body and kept values
 */
#ifndef PASSES_GRAD_JOINT_H
#define PASSES_GRAD_JOINT_H
#include "passes/grad.h"

typedef struct Joint {
  Graph *g;
  NodeId limit;
  int n_in, n_out; /* inputs and outputs of the body */
  NodeId *in;      /* by input: its node, 0 when nothing reads it */
  NodeId *us;      /* by output: the node of its gradient, 0 where none was asked for */
  NodeId *dxs;     /* by input: its gradient, 0 for none */
  uint8_t *need;   /* by node: what the reverse needs, after joint_needs */
  NodeId *keep;    /* stb_ds: body nodes, neither inputs nor constants, that the reverse takes as they were */
} Joint;
enum { NEED_NOT, NEED_COMPUTED, NEED_GIVEN };

/* Gradients of the outputs in `seeded` with respect to the inputs in `wanted`. False when it met an op without a
 * derivative, which is told. */
bool joint_build(Grad *c, const Graph *body, const bool *seeded, const bool *wanted, Joint *j);
/* What the reverse needs. Kept are results of nodes that cost much, and outputs of the body from number `kept` on,
 * which are kept anyway; or, instead, the one element-wise value that such a result is for. Everything else it computes
 * again. kept = -1: it keeps nothing. */
void joint_needs(Joint *j, int kept);
bool joint_needs_input(const Joint *j, int i);
/* The forward graph, with the body's outputs alone. */
Graph *joint_forward(const Joint *j);
/* Appends what is needed to the graph `to`. map, by node of the joint: NEED_GIVEN nodes have their new names already,
 * the others get them. */
void joint_reverse(const Joint *j, Graph *to, NodeId *map);
NodeId *joint_map(const Joint *j); /* zeros, from the graph's arena */
void joint_free(Joint *j);

/* A while of at most `limit` iterations becomes, in its place, a scan over them whose body is a branch. False when it
 * has no limit. */
bool while_to_scan(Graph *g, NodeId n);
#endif
