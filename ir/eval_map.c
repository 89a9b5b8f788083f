/* Element-wise ops. */
#include "ir/eval_rules.h"
#include "runtime/core/maths.h"
#include "runtime/core/random.h"
#include <math.h>

/* The same functions in both precisions: T the type, s its name, m the last letter of the exact functions of libm. The
 * others are those of emitted kernels (runtime/core/maths.h). */
#define FLOAT_OPS(T, s, m)                                                                                             \
  static T map_##s(Op op, T a, T b) {                                                                                  \
    switch (op) {                                                                                                      \
    case OP_neg: return -a;                                                                                            \
    case OP_exp: return dnn_exp_##s(a);                                                                                \
    case OP_log: return dnn_log_##s(a);                                                                                \
    case OP_log1p: return dnn_log1p_##s(a);                                                                            \
    case OP_expm1: return dnn_expm1_##s(a);                                                                            \
    case OP_sqrt: return sqrt##m(a);                                                                                   \
    case OP_rsqrt: return dnn_rsqrt_##s(a);                                                                            \
    case OP_sin: return dnn_sin_##s(a);                                                                                \
    case OP_cos: return dnn_cos_##s(a);                                                                                \
    case OP_tan: return dnn_tan_##s(a);                                                                                \
    case OP_tanh: return dnn_tanh_##s(a);                                                                              \
    case OP_sigmoid: return dnn_sigmoid_##s(a);                                                                        \
    case OP_erf: return dnn_erf_##s(a);                                                                                \
    case OP_abs: return fabs##m(a);                                                                                    \
    case OP_sign: return (T)((a > 0) - (a < 0));                                                                       \
    case OP_floor: return floor##m(a);                                                                                 \
    case OP_ceil: return ceil##m(a);                                                                                   \
    case OP_round: return rint##m(a);                                                                                  \
    case OP_add: return a + b;                                                                                         \
    case OP_sub: return a - b;                                                                                         \
    case OP_mul: return a * b;                                                                                         \
    case OP_div: return a / b;                                                                                         \
    case OP_floordiv: return floor##m(a / b);                                                                          \
    case OP_mod: return a - b * floor##m(a / b);                                                                       \
    case OP_pow: return dnn_pow_##s(a, b);                                                                             \
    case OP_maximum: return a >= b || isnan(a) ? a : b;                                                                \
    case OP_minimum: return a <= b || isnan(a) ? a : b;                                                                \
    default: INTERNAL("%s has no float evaluator", op_info[op].name);                                                  \
    }                                                                                                                  \
  }
FLOAT_OPS(float, f32, f)
FLOAT_OPS(double, f64, )

static int64_t floor_div(int64_t a, int64_t b) {
  if (b == 0) return 0;
  if (b == -1) return (int64_t)(0 - (uint64_t)a);
  int64_t q = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

/* Integers wrap; the store cuts to the dtype. */
static int64_t map_int(Op op, int64_t a, int64_t b) {
  uint64_t x = (uint64_t)a, y = (uint64_t)b;
  switch (op) {
  case OP_neg: return (int64_t)(0 - x);
  case OP_abs: return a < 0 ? (int64_t)(0 - x) : a;
  case OP_sign: return (a > 0) - (a < 0);
  case OP_not: return !a;
  case OP_add: return (int64_t)(x + y);
  case OP_sub: return (int64_t)(x - y);
  case OP_mul: return (int64_t)(x * y);
  case OP_floordiv: return floor_div(a, b);
  case OP_mod: return b == 0 ? 0 : (int64_t)(x - y * (uint64_t)floor_div(a, b));
  case OP_maximum: return a >= b ? a : b;
  case OP_minimum: return a <= b ? a : b;
  case OP_and: return a && b;
  case OP_or: return a || b;
  case OP_mix_key: return dnn_mix_key(a, b);
  default: INTERNAL("%s has no integer evaluator", op_info[op].name);
  }
}

#define COMPARE(T, NAME)                                                                                               \
  static bool NAME(Op op, T a, T b) {                                                                                  \
    switch (op) {                                                                                                      \
    case OP_eq: return a == b;                                                                                         \
    case OP_ne: return a != b;                                                                                         \
    case OP_lt: return a < b;                                                                                          \
    case OP_le: return a <= b;                                                                                         \
    case OP_gt: return a > b;                                                                                          \
    default: return a >= b;                                                                                            \
    }                                                                                                                  \
  }
COMPARE(double, compare_float)
COMPARE(int64_t, compare_int)

static void copy_element(Tensor *to, int64_t i, const Tensor *from, int64_t j) {
  if (dtype_is_float(from->dtype)) tensor_set(to, i, tensor_get(from, j));
  else tensor_set_int(to, i, tensor_get_int(from, j));
}

static void map_element(Eval *e, Op op, int64_t i) {
  const Tensor *a = e->ins[0], *b = e->node->n_in > 1 ? e->ins[1] : a;
  bool is_float = dtype_is_float(a->dtype);
  if (op_info[op].flags & CMP) {
    bool r = is_float ? compare_float(op, tensor_get(a, i), tensor_get(b, i))
                      : compare_int(op, tensor_get_int(a, i), tensor_get_int(b, i));
    tensor_set_int(e->out, i, r);
  } else if (!is_float) {
    tensor_set_int(e->out, i, map_int(op, tensor_get_int(a, i), tensor_get_int(b, i)));
  } else if (a->dtype == F64) {
    tensor_set(e->out, i, map_f64(op, tensor_get(a, i), tensor_get(b, i)));
  } else {
    tensor_set(e->out, i, (double)map_f32(op, (float)tensor_get(a, i), (float)tensor_get(b, i)));
  }
}

bool eval_map(Eval *e) {
  Op op = (Op)e->node->op;
  for (int64_t i = 0, n = tensor_count(e->out); i < n; i++) {
    switch (op) {
    case OP_cast:
    case OP_stop_gradient: copy_element(e->out, i, e->ins[0], i); break;
    case OP_where: copy_element(e->out, i, tensor_get_int(e->ins[0], i) ? e->ins[1] : e->ins[2], i); break;
    default: map_element(e, op, i);
    }
  }
  return true;
}
