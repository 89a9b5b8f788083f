/* Reverse accumulation over a graph, and what its rules (passes/grad_rules*.c, in the order of ops.def) are made of. */
#ifndef PASSES_GRAD_H
#define PASSES_GRAD_H
#include "ir/ir.h"

typedef struct Grad {
  Graph *g;
  NodeId *adj;    /* by node: the gradient so far, 0 for none; nodes from `limit` on have none. Of an op of several
                     results it only tells that one of them has a gradient: they stand in `parts` */
  NodeId **parts; /* by node of several results: their gradients, 0 for none; NULL where no one has */
  bool **live;    /* by node of several results: which of them are active; else NULL */
  bool *active;   /* by node: some x reaches it through differentiable ops of float results */
  bool *cut;      /* by node: it is one of the xs, nothing passes through it */
  NodeId limit;   /* behind the last of what is differentiated and what it is taken for */
  Loc loc;        /* place of the node whose rule runs; its gradient nodes inherit it */
  Loc asked;      /* place of the `grad` */
  bool failed;    /* a `never` rule was reached */
  const char *op; /* name of the op whose rule runs, for internal errors */
} Grad;

/* Gradients of sum(u[i] * ys[i]) with respect to the xs, which are cut: for each x a node of its type, 0 when no y
 * depends on it through differentiable ops. A path through an op that is not differentiable is reported to g->diag at
 * the op, with a note at `asked`; the result is false then. Seeds u have the types of the ys.
 * Algorithm: reverse accumulation (Griewank and Walther, Evaluating Derivatives, 2008, chapter 3). */
bool grad_reverse(Graph *g, Loc asked, const NodeId *ys, const NodeId *us, int n_ys, const NodeId *xs, int n_xs,
                  NodeId *dxs);

/* A rule gives the operands of node n their part of the gradient, where dy (never 0) is that of its result. */
typedef void GradRule(Grad *c, NodeId n, NodeId dy);
#define OP(name, arity, cls, shape, grad, ...) GradRule grad_##grad;
#include "ir/ops.def"
#undef OP
extern GradRule *const grad_rules[OP_COUNT];

/* Marks what depends on the nodes that are marked already, through differentiable ops of float results: nodes below
 * `limit`, and, unless NULL, results of nodes that have several (arrays are made in `a`). */
void grad_spread(Arena *a, const Graph *g, NodeId limit, bool *active, bool **live);

/* Does operand k want a gradient? */
bool grad_wants(const Grad *c, NodeId n, int k);
/* Adds d, of the operand's type, to the gradient of operand k. */
void grad_give(Grad *c, NodeId n, int k, NodeId d);
/* Gives operand k the value of an expression, which is built only when it is wanted. */
#define GIVE(k, expr)                                                                                                  \
  do {                                                                                                                 \
    if (grad_wants(c, n, (k))) grad_give(c, n, (k), (expr));                                                           \
  } while (0)

/* Short forms for rules. An expression that builds nodes for two arguments of one call must name one of them first: the
 * order of a call's arguments is the C compiler's choice, the order of nodes may not be. */
static inline NodeId operand(const Grad *c, NodeId n, int k) { return graph_node(c->g, n)->in[k]; }
static inline Type operand_type(const Grad *c, NodeId n, int k) { return graph_type(c->g, operand(c, n, k)); }
static inline NodeId map1(Grad *c, Op op, NodeId a) { return g_map1(c->g, op, c->loc, a); }
static inline NodeId map2(Grad *c, Op op, NodeId a, NodeId b) { return g_map2(c->g, op, c->loc, a, b); }
static inline NodeId add(Grad *c, NodeId a, NodeId b) { return map2(c, OP_add, a, b); }
static inline NodeId sub(Grad *c, NodeId a, NodeId b) { return map2(c, OP_sub, a, b); }
static inline NodeId mul(Grad *c, NodeId a, NodeId b) { return map2(c, OP_mul, a, b); }
static inline NodeId quo(Grad *c, NodeId a, NodeId b) { return map2(c, OP_div, a, b); }
static inline NodeId neg(Grad *c, NodeId a) { return map1(c, OP_neg, a); }
static inline NodeId num(Grad *c, double v, NodeId like) { return g_full_like(c->g, c->loc, v, like); }
static inline NodeId pick(Grad *c, NodeId m, NodeId a, NodeId b) { return g_where(c->g, c->loc, m, a, b); }
static inline NodeId shaped(Grad *c, NodeId a, Type like) {
  return shape_same(graph_type(c->g, a), like) ? a : g_reshape(c->g, c->loc, a, like.rank, like.shape);
}
#endif
