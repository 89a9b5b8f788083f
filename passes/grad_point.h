/* One gradient of grad_check.h from within: its graph with the xs as inputs, evaluated at points, along directions. */
#ifndef PASSES_GRAD_POINT_H
#define PASSES_GRAD_POINT_H
#include "passes/grad_check.h"

/* y, its xs and its gradients in a graph without transformations. */
typedef struct GradFn {
  Arena *arena;
  Graph *g;    /* the xs are its last n_x inputs */
  EvalEnv env; /* inputs: with room for all of g */
  NodeId y;
  Op op;                 /* grad, vjp, jvp or jacobian */
  NodeId *x, *dx;        /* dx of jvp: the direction */
  NodeId *result, along; /* what the op gives; of jvp the derivative of y */
  int n_x, n_result, n_held;
  NodeId *held;  /* what does not depend on xs but is read where y is computed, and what is held fixed */
  bool *on_path; /* by node: some x reaches it, and it y */
  NodeId *stops; /* stb_ds: stop_gradients on a path */
  Tensor *base;  /* by x: its value in the program */
} GradFn;

/* A point: values of the xs, and what follows from them. */
typedef struct GradPoint {
  Arena *arena;
  Tensor *x, *dx, *result;
  double y, along; /* along dx: of jvp, else NaN */
  Graph *through;  /* y of the xs, all that is held being inputs; the stop_gradients too, or not */
  Tensor *inputs;  /* of `through`, those of the xs from `first` on */
  int first;
  const EvalEnv *env;
} GradPoint;

/* The derivative that node t (grad, vjp, jvp, jacobian) of g takes: of y, or of a sum of y's elements with weights, by
 * xs; false and the reason. */
bool grad_fn_open(Arena *a, const Graph *g, NodeId t, const EvalEnv *env, GradFn *f, Buf *why);
void grad_fn_close(GradFn *f);
/* f at `x`; `stop`: stop_gradients are held fixed. */
bool grad_point_open(const GradFn *f, const Tensor *x, bool stop, GradPoint *p, Buf *why);
void grad_point_close(GradPoint *p);
/* The derivative along v; v[i].data NULL: that x stays. */
GradDerivative grad_point_along(const GradPoint *p, int n_x, const Tensor *v);
/* A direction in which every x counts about the same; only x number `only` when that is not -1; of jvp its own. In p's
 * arena. */
Tensor *grad_point_direction(const GradPoint *p, int n_x, int only, uint64_t seed);
/* The xs a little beside `x`, in a. */
Tensor *grad_beside(Arena *a, const Tensor *x, int n_x, uint64_t seed);
/* The verdict at the program's values and, where needed, beside them: the worst of some directions. */
GradDerivative grad_fn_verdict(const GradFn *f, GradPoint *p, Buf *why);
#endif
