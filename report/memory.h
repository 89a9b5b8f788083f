/* The arena of an entry point as a picture: time from left to right, offsets upwards, a rectangle per buffer. */
#ifndef REPORT_MEMORY_H
#define REPORT_MEMORY_H
#include "base/buf.h"
#include "passes/plan.h"

/* A figure with the buffers of the plan, the bytes that are alive at each time, the arena's size and the bound below
 * which no order of offsets could get. Every rectangle says in its title what lies there and where it comes from. */
void memory_picture(Buf *b, const Plan *plan);
/* The same drawings of n plans as an SVG document of its own, one below the other. */
void memory_svg(Buf *b, Plan *const *plans, int n);
/* A bar of what the whole program keeps in memory: parameters, state, optimiser's state, the arena of `largest`. */
void memory_bar(Buf *b, const Prog *prog, const Plan *largest);
#endif
