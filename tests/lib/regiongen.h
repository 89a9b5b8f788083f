/* Random compositions of scan, vmap, while, cond, checkpoint and custom_grad, and the same computation without them:
 *
 *   Graph *g = graph_new(arena, dims, diag);
 *   NodeId y = regiongen_build(g, seed, depth, true);          // a scalar made of g's inputs: f64 vectors and a matrix
 *   Graph *flat = regiongen_unroll(arena, g);            // iterations one after the other, both branches and a choice
 *
 * The backward of a custom_grad is the true one, so that values and gradients of both are equal up to rounding. The
 * same seed gives the same graph. */
#ifndef TESTS_REGIONGEN_H
#define TESTS_REGIONGEN_H
#include "ir/ir.h"

enum { REGIONGEN_INPUTS = 4, REGIONGEN_WIDTH = 3 };
/* Regions are nested `depth` deep. Every input matters to the result. With `stops` there is stop_gradient in it. */
NodeId regiongen_build(Graph *g, uint64_t seed, int depth, bool stops);
/* The same with loops of up to `longest` iterations. */
NodeId regiongen_build_long(Graph *g, uint64_t seed, int depth, int longest);
/* A copy of a graph in which no region is left; lengths and limits must be constants. */
Graph *regiongen_unroll(Arena *a, const Graph *g);
#endif
