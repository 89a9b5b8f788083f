/* Random graphs of one op, generated from the op table, for tests of the evaluator, of gradients and of compiled code:
 *
 *   Graph *g = graph_new(arena, dims, NULL);
 *   NodeId y;
 *   if (!opgen_case(arena, g, op, F32, seed, &y)) continue;       // this op does not take this dtype
 *   int64_t *vars = opgen_vars(arena, g, seed);                   // sizes within the bounds
 *   Tensor *in = opgen_inputs(arena, g, seed, vars);              // g->n_inputs tensors in the op's domain
 *   Tensor *out = opgen_eval(arena, g, vars, in);                 // what the evaluator says
 *
 * The same seed gives the same case on every machine. */
#ifndef TESTS_OPGEN_H
#define TESTS_OPGEN_H
#include "ir/eval.h"

/* Adds inputs and one op of random shape and random valid attributes to the empty graph g and makes it the output.
 * Sizes are 1, 2, primes and one past a tile; in a third of the cases one axis is a run-time dimension B with a bound.
 * `dt` is the dtype of the data operands (the result's for leaves). False when the op does not take dt, holds regions,
 * is expanded by a pass, or is `cell` (it has no operand that a test could give). */
bool opgen_case(Arena *a, Graph *g, Op op, DType dt, uint64_t seed, NodeId *out);

/* The same for the graph that a gradient is tested on: sum(op(inputs) * w) with w a further input, a scalar. False
 * also when the result is not a float or the op's rule is `never`. */
bool opgen_grad_case(Arena *a, Graph *g, Op op, DType dt, uint64_t seed, NodeId *out);

/* A value for each dimension variable of the table: 1 .. bound (3 without one). */
int64_t *opgen_vars(Arena *a, const Graph *g, uint64_t seed);

/* One tensor per input, in the domain of the op that reads it: positive where it takes a logarithm or a root, divisors
 * away from 0, indices in range, no ties and no kinks within 1/32 so that gradients exist. */
Tensor *opgen_inputs(Arena *a, const Graph *g, uint64_t seed, const int64_t *vars);

/* The outputs by the evaluator (random key and clock 3, 10, 1, 42); the test fails by abort when it cannot. */
Tensor *opgen_eval(Arena *a, const Graph *g, const int64_t *vars, const Tensor *in);
#endif
