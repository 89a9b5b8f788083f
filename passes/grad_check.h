/* Are the gradients that a graph takes those of its own values? Reverse accumulation against finite differences in the
 * reference evaluator, and which operation is off when they differ. For `dnnc check --grad` and tests.
 *
 *   Graph *w = graph_widen(a, entry->graph);          // f32 has not the digits
 *   GradSite *sites = grad_check(a, w, &env);         // one for each `grad`, `vjp`, `jvp`, `jacobian` of it
 *
 * A gradient of y by x1 .. xn is looked at as the derivative along a random direction v of all xs at once: sum(dx * v)
 * against (y(x + hv) - y(x - hv)) / 2h, for several h. Each x has about the same share in it. Where they differ the
 * point is moved a little: a gradient that is right there met a kink (relu at 0, two equal maxima), which has no
 * derivative. Else the share of each x is told, and every operation between the xs and y is differentiated by itself,
 * at the values it has there, in the first iteration of loops as well.
 * Of a jacobian, and of a jvp along its own direction, y is the sum of the elements with weights.
 * What a stop_gradient gives is held fixed, as the program says; whether y depends on it all the same is told. */
#ifndef PASSES_GRAD_CHECK_H
#define PASSES_GRAD_CHECK_H
#include "ir/eval.h"

typedef enum GradVerdict {
  GRAD_RIGHT,
  GRAD_KINK,    /* right beside the point, but no derivative at it */
  GRAD_STOPPED, /* what differs passes through a stop_gradient, or through own gradients where the value is constant */
  GRAD_WRONG,   /* another number than the differences */
  GRAD_UNCHECKED, /* it could not be evaluated: `why` */
} GradVerdict;

/* Derivative of y along a direction: by the gradient, and by differences. */
typedef struct GradDerivative {
  GradVerdict verdict;
  double have, want;
  double away; /* |have - want| as a share of the larger one; 0 when rounding explains it */
} GradDerivative;

/* An operation that is not as its gradient says. */
typedef struct GradOp {
  Op op;
  Loc loc, inside; /* inside: of own gradients, where they are computed; else no place */
  GradDerivative d;
} GradOp;

/* A gradient that is 0 whatever the values: every path from x to y passes through an operation like this one, which is
 * constant but for jumps, or holds its operand fixed. */
typedef struct GradCut {
  int x;
  Op op;
  Loc loc;
} GradCut;

typedef struct GradSite {
  Op op;     /* grad, vjp, jvp or jacobian */
  Loc loc;   /* of it */
  int depth; /* 0: in the graph itself, 1: in a body of it, .. */
  GradVerdict verdict;
  const char *why; /* GRAD_UNCHECKED */
  double value;    /* y */
  int64_t numbers; /* elements of all xs */
  int n_x;
  int *cells; /* by x: the cell it is, -1: another value, whose place is in x_locs */
  Loc *x_locs;
  GradDerivative all;   /* the direction that differs most */
  GradDerivative *each; /* by x, when `all` is wrong; else NULL, as of jvp */
  Tensor *results;      /* what the program gets: gradients */
  int n_results;
  Loc *stops;     /* stb_ds: stop_gradients that y depends on */
  double stopped; /* the share of the derivative that they hold back, 0 .. 1 */
  GradOp *ops;    /* stb_ds: when it is not right */
  GradCut *cuts;  /* stb_ds */
} GradSite;

/* Is this an op that grad_check checks? */
bool grad_is_taken(Op op);
/* All gradients of g, whose floats are f64, at the values of `env`: stb_ds, in the order of the graph. What is in it
 * lives in `a`. */
GradSite *grad_check(Arena *a, const Graph *g, const EvalEnv *env);
void grad_check_free(GradSite *sites);
#endif
