/* What the shape rules share: their argument and the helpers of ir/shape.c. Private to the rules. */
#ifndef IR_SHAPE_RULES_H
#define IR_SHAPE_RULES_H
#include "ir/ir.h"

typedef struct Shape {
  Graph *g;
  Op op;
  const char *spelling;
  const Type *in;
  const NodeId *ids;
  int n_in;
  const Attr *attrs;
  int n_attrs;
  const Type *want; /* may be NULL */
  Type *out;
  Buf *why; /* may be NULL */
} Shape;
typedef bool ShapeRule(Shape *s);

/* Writes the reason and returns false. */
bool shape_fail(Shape *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *shape_type(Shape *s, Type t); /* as text */
const char *shape_dim(Shape *s, Dim d);
/* Attributes: exactly n constants; exactly n dimensions; one constant in lo .. hi. */
bool shape_ints(Shape *s, AttrKey key, int64_t *out, int n);
bool shape_dims(Shape *s, AttrKey key, const Dim **out, int n);
bool shape_int(Shape *s, AttrKey key, int64_t lo, int64_t hi, int *out);
/* Stores the result type; false when it is too large or a size is negative. */
bool shape_done(Shape *s, DType dtype, int rank, const Dim *shape);

/* ir/shape_contract.c */
ShapeRule shape_dot, shape_conv, shape_conv_dx, shape_conv_dw, shape_pool, shape_pool_arg, shape_pool_dx, shape_gather, shape_scatter;
/* ir/shape_call.c */
ShapeRule shape_cumulative, shape_argsort, shape_square, shape_solve, shape_logdet, shape_orthonormal, shape_eigh;
/* ir/shape_region.c */
ShapeRule shape_get, shape_grad, shape_jvp, shape_jacobian;
#endif
