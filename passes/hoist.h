/* What the files of hoist share: a loop that work moves out of. */
#ifndef PASSES_HOIST_H
#define PASSES_HOIST_H
#include "ir/ir.h"

typedef struct Hoist {
  Graph *g;
  NodeId n; /* the loop in g, once it stands there again; d.in are names in g */
  Node d;
  Graph *body; /* of a while: the body, not the condition */
  int carried, rows;
  Dim length;  /* of a scan */
  bool runs;   /* at least once */
  bool tight;  /* loops run in segments to fit into less memory (passes/nest.c) */
  bool *fixed; /* by node of the body: the same in every iteration */
} Hoist;

int hoist_input(const Graph *body, NodeId n); /* the input that n is, or -1 */
/* Node n of the body becomes input `index`, which is `operand` outside; further inputs move up. */
void hoist_make_input(Hoist *l, NodeId n, int index, NodeId operand);
/* A graph of the nodes that n `values` are made of, with the inputs of the body; they are its outputs. */
Graph *hoist_cone(const Hoist *l, const NodeId *values, int n);
/* Bytes of the rows and stacks that the loop has. */
int64_t hoist_stack_bytes(const Hoist *l);
/* May values of type t be stacked for `have` bytes of stacks that exist? */
bool hoist_pays(const Hoist *l, Type t, int64_t have);
/* Products of rows with what is fixed, for all rows before the loop. */
void hoist_products(Hoist *l);
#endif
