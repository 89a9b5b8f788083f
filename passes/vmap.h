/* Batching: nodes of a graph that compute one lane become nodes that compute all of them, along a new leading axis.
 * What its rules (passes/vmap_rules.c, vmap_conv.c, vmap_region.c; one for each shape rule of ops.def) are made of. */
#ifndef PASSES_VMAP_H
#define PASSES_VMAP_H
#include "ir/ir.h"

/* A value in the new graph: one for each lane along its leading axis, or one that all lanes share. */
typedef struct Lane {
  NodeId node;
  bool batched;
} Lane;

typedef struct Vmap {
  Graph *g;        /* where the new nodes go */
  const Node *src; /* the nodes that are batched; operands are ids in here */
  Dim length;      /* how many lanes; may be a run-time size */
  Lane *at;        /* by node of src: what became of it, node = 0 for none yet */
  Lane **parts;    /* by node of src: the results of an op of several */
  NodeId mask;     /* bool[length]: lanes whose values count, the others' indices may be anything; 0: all count */
  Loc asked;       /* place of the vmap */
  bool *failed;    /* an error was reported; everything is zeros from there on */
} Vmap;

/* The results of a body for `length` lanes: in[i] is what its input i is. Unbatched values of `out` were computed once.
 * An intermediate value of more than MAX_RANK axes is an error at its place, with a note at `asked`; false then. */
bool vmap_body(Graph *g, const Graph *body, Dim length, Loc asked, const Lane *in, Lane *out);
/* What the body gave, stacked: repeated when all lanes share it. */
NodeId vmap_stack(Graph *g, Dim length, Loc asked, Lane x);
/* Nodes from .. to-1 of g, batched for `length` lanes where they depend on `seed`, which stands before them and is
 * `seeds` [length, ...] now. values[i], a node or 0, becomes its stack; 0 when it failed. */
bool vmap_nodes(Graph *g, NodeId from, NodeId to, Dim length, Loc asked, NodeId seed, NodeId seeds, NodeId *values,
                int n);

/* A rule makes node n, some operand of which is batched, and enters it. */
typedef void VmapRule(Vmap *v, NodeId n);
#define OP(name, arity, cls, shape, ...) VmapRule vmap_##shape;
#include "ir/ops.def"
#undef OP

/* For rules. */
/* The nodes of a region in v->g, its inputs being `in`; what its outputs became in `out`. */
void vmap_inline(Vmap *v, const Graph *r, const Lane *in, Lane *out);
Type vmap_lead(Vmap *v, Type t);                   /* [length] + its shape */
NodeId vmap_lift(Vmap *v, Lane x);                 /* with the leading axis, repeated where lanes share it */
Lane vmap_in(const Vmap *v, NodeId n, int k);      /* operand k */
NodeId vmap_lifted(Vmap *v, NodeId n, int k);      /* operand k with the leading axis */
void vmap_give(Vmap *v, NodeId n, NodeId batched); /* the batched result of n */
void vmap_share(Vmap *v, NodeId n, NodeId one);    /* the result of n that all lanes share */
/* The node's op on other operands; attributes other than the node's when not NULL; its type with the leading axis. */
NodeId vmap_again(Vmap *v, NodeId n, const NodeId *in, const Attr *attrs);
#endif
