/* Rows of simplify for element-wise ops, in the order of rewrites.def. */
#include "base/ds.h"
#include "passes/simplify.h"
#include <math.h>
#include <string.h>
#define WHEN(name) bool when_##name(const Simplify *s, const Node *d)
#define THEN(name) NodeId then_##name(const Simplify *s, Node d)
#define IS(k, op) simp_is(s, d, k, OP_##op)
#define FULL(k, v) simp_full(s, d, k, v)
#define IN(k) simp_in(s, d, k)

static NodeId full(const Simplify *s, Node d, double v) { return g_full(s->g, d.loc, v, d.type); }
static NodeId inner(const Simplify *s, Node d, int k, int j) { return graph_node(s->g, d.in[k])->in[j]; }
static NodeId map1(const Simplify *s, Node d, Op op, NodeId a) { return g_map1(s->g, op, d.loc, a); }
static NodeId map2(const Simplify *s, Node d, Op op, NodeId a, NodeId b) { return g_map2(s->g, op, d.loc, a, b); }
static bool is_zero(const Simplify *s, const Node *d, int k) { return FULL(k, 0.0) || FULL(k, -0.0); }
static double value_of(const Simplify *s, NodeId n) {
  const Node *d = graph_node(s->g, n);
  return d->op == OP_full ? node_num(d, A_value) : 0;
}

WHEN(const_right) {
  bool ok = d->op == OP_add || d->op == OP_mul || d->op == OP_eq || d->op == OP_ne || d->op == OP_and || d->op == OP_or;
  return ok && IS(0, full) && !IS(1, full);
}
THEN(const_right) { return map2(s, d, (Op)d.op, d.in[1], d.in[0]); }

WHEN(idem) { return (op_info[d->op].flags & IDEM) && d->in[0] == d->in[1]; }
THEN(idem) { return (void)s, d.in[0]; }

WHEN(add_zero) { return is_zero(s, d, 1); }
THEN(add_zero) { return (void)s, d.in[0]; }

WHEN(add_neg) { return IS(1, neg); }
THEN(add_neg) { return map2(s, d, OP_sub, d.in[0], inner(s, d, 1, 0)); }

WHEN(sub_zero) { return FULL(1, 0.0); }
THEN(sub_zero) { return (void)s, d.in[0]; }

WHEN(sub_neg) { return IS(1, neg); }
THEN(sub_neg) { return map2(s, d, OP_add, d.in[0], inner(s, d, 1, 0)); }

/* inf - inf is NaN: not for floats */
WHEN(sub_self) { return (void)s, d->in[0] == d->in[1] && dtype_is_int(d->type.dtype); }
THEN(sub_self) { return full(s, d, 0); }

WHEN(zero_sub) { return is_zero(s, d, 0); }
THEN(zero_sub) { return map1(s, d, OP_neg, d.in[1]); }

WHEN(neg_neg) { return IS(0, neg); }
THEN(neg_neg) { return inner(s, d, 0, 0); }

WHEN(neg_sub) { return IS(0, sub); }
THEN(neg_sub) { return map2(s, d, OP_sub, inner(s, d, 0, 1), inner(s, d, 0, 0)); }

WHEN(mul_one) { return FULL(1, 1.0); }
THEN(mul_one) { return (void)s, d.in[0]; }

/* inf * 0 is NaN: not for floats */
WHEN(mul_zero) { return is_zero(s, d, 1) && dtype_is_int(d->type.dtype); }
THEN(mul_zero) { return full(s, d, 0); }

WHEN(mul_minus_one) { return FULL(1, -1.0) && d->type.dtype != U8; }
THEN(mul_minus_one) { return map1(s, d, OP_neg, d.in[0]); }

WHEN(mul_neg_const) { return IS(0, neg) && IS(1, full) && dtype_is_float(d->type.dtype); }
THEN(mul_neg_const) { return map2(s, d, OP_mul, inner(s, d, 0, 0), full(s, d, -value_of(s, d.in[1]))); }

WHEN(mul_neg_neg) { return IS(0, neg) && IS(1, neg); }
THEN(mul_neg_neg) { return map2(s, d, OP_mul, inner(s, d, 0, 0), inner(s, d, 1, 0)); }

/* A product beyond the range would turn a finite result into inf or 0. */
static bool well_inside(double v) { return v == 0 || (fabs(v) < 1e4 && fabs(v) > 1e-4); }
WHEN(mul_mul_const) {
  if (!IS(1, full) || !IS(0, mul) || !dtype_is_float(d->type.dtype)) return false;
  const Node *a = IN(0);
  if (!simp_is(s, a, 1, OP_full)) return false;
  double p = value_of(s, d->in[1]), q = value_of(s, a->in[1]);
  return well_inside(p) && well_inside(q) && well_inside(p * q);
}
THEN(mul_mul_const) {
  double v = value_of(s, d.in[1]) * value_of(s, inner(s, d, 0, 1));
  return map2(s, d, OP_mul, inner(s, d, 0, 0), full(s, d, v));
}

WHEN(div_one) { return FULL(1, 1.0); }
THEN(div_one) { return (void)s, d.in[0]; }

WHEN(div_power) {
  int e;
  return IS(1, full) && fabs(frexp(value_of(s, d->in[1]), &e)) == 0.5 && e > -14 && e < 14;
}
THEN(div_power) { return map2(s, d, OP_mul, d.in[0], full(s, d, 1 / value_of(s, d.in[1]))); }

WHEN(pow_zero) { return is_zero(s, d, 1); }
THEN(pow_zero) { return full(s, d, 1); }

WHEN(pow_one) { return FULL(1, 1.0); }
THEN(pow_one) { return (void)s, d.in[0]; }

WHEN(pow_two) { return FULL(1, 2.0); }
THEN(pow_two) { return map2(s, d, OP_mul, d.in[0], d.in[0]); }

WHEN(pow_minus_one) { return FULL(1, -1.0); }
THEN(pow_minus_one) { return map2(s, d, OP_div, full(s, d, 1), d.in[0]); }

WHEN(pow_half) { return FULL(1, 0.5); }
THEN(pow_half) { return map1(s, d, OP_sqrt, d.in[0]); }

static bool twice(const Simplify *s, const Node *d) {
  const Node *a = IN(0);
  return a->op == d->op && a->in[1] == d->in[1];
}
WHEN(max_max) { return twice(s, d); }
THEN(max_max) { return (void)s, d.in[0]; }
WHEN(min_min) { return twice(s, d); }
THEN(min_min) { return (void)s, d.in[0]; }

WHEN(or_false) { return is_zero(s, d, 1); }
THEN(or_false) { return (void)s, d.in[0]; }

WHEN(and_true) { return FULL(1, 1.0); }
THEN(and_true) { return (void)s, d.in[0]; }

WHEN(not_not) { return IS(0, not ); }
THEN(not_not) { return inner(s, d, 0, 0); }

static Op opposite(Op op) {
  switch (op) {
  case OP_eq: return OP_ne;
  case OP_ne: return OP_eq;
  case OP_lt: return OP_ge;
  case OP_le: return OP_gt;
  case OP_gt: return OP_le;
  case OP_ge: return OP_lt;
  default: return OP_NONE;
  }
}
/* not (NaN < b) is true, NaN >= b is not; not (NaN == b) and NaN != b are both true */
WHEN(not_compare) {
  const Node *a = IN(0);
  if (!opposite((Op)a->op)) return false;
  return a->op == OP_eq || a->op == OP_ne || !dtype_is_float(graph_type(s->g, a->in[0]).dtype);
}
THEN(not_compare) {
  Node a = *graph_node(s->g, d.in[0]);
  return map2(s, d, opposite((Op)a.op), a.in[0], a.in[1]);
}

WHEN(abs_abs) { return IS(0, abs); }
THEN(abs_abs) { return (void)s, d.in[0]; }

WHEN(abs_neg) { return IS(0, neg); }
THEN(abs_neg) { return map1(s, d, OP_abs, inner(s, d, 0, 0)); }

WHEN(cast_same) { return IN(0)->type.dtype == d->type.dtype; }
THEN(cast_same) { return (void)s, d.in[0]; }

/* Does `wide` hold every value of t, so that going through it loses nothing? */
static bool holds(DType wide, DType t) {
  switch (t) {
  case BOOL: return true;
  case U8: return wide == I32 || wide == I64 || wide == F32 || wide == F64 || wide == F16 || wide == BF16;
  case I8: return wide == I32 || wide == I64 || wide == F32 || wide == F64 || wide == F16 || wide == BF16;
  case F16:
  case BF16: return wide == F32 || wide == F64;
  case F32: return wide == F64;
  case I32: return wide == I64 || wide == F64;
  default: return false;
  }
}
/* bool and integers differ: a cast of float to int saturates, one of int to a narrower int may not: floats to floats,
 * or integers through integers and floats to floats. */
WHEN(cast_cast) {
  if (!IS(0, cast)) return false;
  DType from = simp_in(s, IN(0), 0)->type.dtype, wide = IN(0)->type.dtype;
  bool same_kind =
      dtype_is_float(from) == dtype_is_float(wide) || dtype_is_float(d->type.dtype) || d->type.dtype == BOOL;
  return same_kind && holds(wide, from);
}
THEN(cast_cast) { return g_cast(s->g, d.loc, inner(s, d, 0, 0), d.type.dtype); }

WHEN(where_const) { return IS(0, full); }
THEN(where_const) { return d.in[value_of(s, d.in[0]) != 0 ? 1 : 2]; }

WHEN(where_same) { return (void)s, d->in[1] == d->in[2]; }
THEN(where_same) { return (void)s, d.in[1]; }

WHEN(where_not) { return IS(0, not ); }
THEN(where_not) { return g_where(s->g, d.loc, inner(s, d, 0, 0), d.in[2], d.in[1]); }

WHEN(stop_gradient) { return (void)d, s->plain; }
THEN(stop_gradient) { return (void)s, d.in[0]; }

static bool same_stretch(const Graph *g, const Node *a, const Node *b) {
  const Attr *p = node_attr(a, A_axes), *q = node_attr(b, A_axes);
  return p->n == q->n && !memcmp(p->dims, q->dims, sizeof(Dim) * p->n) &&
         shape_same(graph_type(g, a->in[0]), graph_type(g, b->in[0]));
}

/* The first operand that is a broadcast, or NULL. */
static const Node *first_broadcast(const Simplify *s, const Node *d) {
  for (int k = 0; k < d->n_in; k++)
    if (IS(k, broadcast)) return IN(k);
  return NULL;
}

WHEN(map_broadcast) {
  if (op_info[d->op].cls != MAP) return false;
  const Node *b = first_broadcast(s, d);
  for (int k = 0; b && k < d->n_in; k++)
    if (!IS(k, full) && !(IS(k, broadcast) && same_stretch(s->g, b, IN(k)))) return false;
  return b != NULL;
}
THEN(map_broadcast) {
  Node b = *first_broadcast(s, &d);
  Type small = graph_type(s->g, b.in[0]);
  NodeId in[3];
  for (int k = 0; k < d.n_in; k++) {
    Node a = *graph_node(s->g, d.in[k]);
    Type t = {a.type.dtype, small.rank, small.shape};
    in[k] = a.op == OP_broadcast ? a.in[0] : a.op == OP_full ? g_full(s->g, a.loc, node_num(&a, A_value), t) : d.in[k];
  }
  Type want = {d.type.dtype, small.rank, small.shape};
  NodeId f = graph_add(s->g, (Op)d.op, d.loc, in, d.n_in, d.attrs, d.n_attrs, &want);
  Attr axes = *node_attr(&b, A_axes);
  return graph_add(s->g, OP_broadcast, d.loc, &f, 1, &axes, 1, &d.type);
}
