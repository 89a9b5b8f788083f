/* Gradient rules of leaves and element-wise ops, in the order of ir/ops.def. a, b: operands, y: result, dy: gradient.
 */
#include "passes/grad.h"
#include <math.h>
#define RULE(name) void grad_##name(Grad *c, NodeId n, NodeId dy)
#define A operand(c, n, 0)
#define B operand(c, n, 1)

/* Piecewise constant ops: nothing passes. */
RULE(zero) { (void)c, (void)n, (void)dy; }

/* Not differentiable: an error at the place of the op. The result of `get` stands for the op that made it. */
RULE(never) {
  const Node *d = graph_node(c->g, n);
  if (d->op == OP_get) d = graph_node(c->g, d->in[0]);
  if (c->failed) return;
  c->failed = true;
  diag_error(c->g->diag, d->loc, E0790, "no gradient passes through `%s`", op_info[d->op].name);
  diag_note(c->g->diag, c->asked, "the gradient is asked for here");
  diag_help(c->g->diag, "`stop_gradient` marks a value as constant");
}

RULE(neg) { GIVE(0, neg(c, dy)); }
RULE(exp) { GIVE(0, mul(c, dy, n)); }
RULE(log) { GIVE(0, quo(c, dy, A)); }
RULE(log1p) { GIVE(0, quo(c, dy, add(c, A, num(c, 1, n)))); }
RULE(expm1) { GIVE(0, mul(c, dy, add(c, n, num(c, 1, n)))); }
RULE(sqrt) { GIVE(0, quo(c, mul(c, dy, num(c, 0.5, n)), n)); }

/* d a^(-1/2) = -1/2 y^3 */
RULE(rsqrt) {
  NodeId y3 = mul(c, mul(c, n, n), n);
  GIVE(0, mul(c, mul(c, dy, num(c, -0.5, n)), y3));
}

RULE(sin) { GIVE(0, mul(c, dy, map1(c, OP_cos, A))); }
RULE(cos) { GIVE(0, neg(c, mul(c, dy, map1(c, OP_sin, A)))); }

/* d tan a = 1 + y^2 */
RULE(tan) {
  NodeId y2 = mul(c, n, n);
  GIVE(0, mul(c, dy, add(c, y2, num(c, 1, n))));
}

/* d tanh a = 1 - y^2 */
RULE(tanh) {
  NodeId y2 = mul(c, n, n), one = num(c, 1, n);
  GIVE(0, mul(c, dy, sub(c, one, y2)));
}

/* d sigmoid a = y (1 - y) */
RULE(sigmoid) {
  NodeId rest = sub(c, num(c, 1, n), n);
  GIVE(0, mul(c, dy, mul(c, n, rest)));
}

/* d erf a = 2/sqrt(pi) e^(-a^2) */
RULE(erf) {
  NodeId bell = map1(c, OP_exp, neg(c, mul(c, A, A)));
  GIVE(0, mul(c, mul(c, dy, num(c, 2 / sqrt(M_PI), n)), bell));
}

RULE(abs) { GIVE(0, mul(c, dy, map1(c, OP_sign, A))); }
RULE(cast) { GIVE(0, g_cast(c->g, c->loc, dy, operand_type(c, n, 0).dtype)); }

RULE(add) {
  GIVE(0, dy);
  GIVE(1, dy);
}

RULE(sub) {
  GIVE(0, dy);
  GIVE(1, neg(c, dy));
}

RULE(mul) {
  GIVE(0, mul(c, dy, B));
  GIVE(1, mul(c, dy, A));
}

/* d a/b = da / b - y db / b */
RULE(div) {
  GIVE(0, quo(c, dy, B));
  GIVE(1, neg(c, quo(c, mul(c, dy, n), B)));
}

/* y = a - b floor(a / b), floor constant */
RULE(mod) {
  GIVE(0, dy);
  GIVE(1, neg(c, mul(c, dy, map2(c, OP_floordiv, A, B))));
}

/* d a^b = b a^(b-1) da + y ln a db. As in PyTorch, the first is 0 where b = 0, the second where a = 0 and b >= 0. */
RULE(pow) {
  NodeId a = A, b = B, zero = num(c, 0, n);
  if (grad_wants(c, n, 0)) {
    NodeId less = map2(c, OP_pow, a, sub(c, b, num(c, 1, n)));
    NodeId da = mul(c, mul(c, dy, b), less);
    grad_give(c, n, 0, pick(c, map2(c, OP_eq, b, zero), zero, da));
  }
  if (grad_wants(c, n, 1)) {
    NodeId flat = map2(c, OP_eq, a, zero), up = map2(c, OP_ge, b, zero);
    NodeId db = mul(c, mul(c, dy, n), map1(c, OP_log, a));
    grad_give(c, n, 1, pick(c, map2(c, OP_and, flat, up), zero, db));
  }
}

/* To a where `op(a, b)` holds or a is NaN, else to b. Where a is a number, as in relu, `op(a, y)` tells the same: then
 * the result is all that has to be kept. */
static void grad_choice(Grad *c, NodeId n, NodeId dy, Op op) {
  bool number = graph_node(c->g, A)->op == OP_full;
  NodeId wins = map2(c, op, A, number ? n : B), nan = map2(c, OP_ne, A, A);
  NodeId mask = map2(c, OP_or, wins, nan), zero = num(c, 0, n);
  GIVE(0, pick(c, mask, dy, zero));
  GIVE(1, pick(c, mask, zero, dy));
}

RULE(maximum) { grad_choice(c, n, dy, OP_ge); }
RULE(minimum) { grad_choice(c, n, dy, OP_le); }

RULE(where) {
  NodeId mask = A, zero = num(c, 0, n);
  GIVE(1, pick(c, mask, dy, zero));
  GIVE(2, pick(c, mask, zero, dy));
}
