/* What depends on parameters and state alone, in an exported function that writes none of it: NAME_prepare makes it. */
#ifndef PASSES_FIXED_H
#define PASSES_FIXED_H
#include "passes/plan.h"

/* Does this cell keep its value in the calls of the entry? Without an entry, every cell does. */
bool fixed_cell(const Entry *e, int cell);

/* VARIES: from call to call; CONSTANT: known to the compiler; FIXED: made of cells that keep their values. */
typedef enum Fixed { VARIES, CONSTANT, FIXED } Fixed;
/* Of node n of the entry's own graph, from what its operands are. A broadcast and what is made of it element by element
 * may have a run-time size. */
Fixed fixed_node(const Graph *g, const Entry *e, NodeId n, const uint8_t *of);
bool fixed_size(const Graph *g, NodeId n); /* of its elements */
#endif
