/* Graphs under `vmap`, for tests: a body, its lanes' inputs, and the loop that the expanded graph must equal. */
#ifndef TESTS_LANES_H
#define TESTS_LANES_H
#include "ir/eval.h"

/* A graph whose only work is a vmap of `body` (which it takes), with the inputs of body in their order: inputs whose
 * bit of `rows` is set have a leading axis `length` and one row per lane, the others are captured. Its outputs are
 * those of body, stacked. */
Graph *lanes_graph(Arena *a, Graph *body, uint64_t rows, Dim length);

/* The inputs of lanes_graph from those of each lane; captured ones are lane 0's. */
Tensor *lanes_inputs(Arena *a, const Graph *g, uint64_t rows, Tensor *const *lane, int n_lanes, const int64_t *vars);

/* Expands a copy of g and evaluates both with the same inputs; g itself, where vmap is a loop, must be without
 * derivatives. The largest difference of an output, as tensor_diff; aborts when a graph is wrong. */
double lanes_differ(Arena *a, const Graph *g, const int64_t *vars, const Tensor *in);
#endif
