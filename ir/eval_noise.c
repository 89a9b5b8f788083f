/* Rounding at random: what a result would be if sums were taken in another order and functions rounded otherwise. The
 * spread of some such evaluations tells how far two correct answers may lie apart: little where a program is well
 * conditioned, much behind a comparison that a rounding error decides (Parker, "Monte Carlo Arithmetic", 1997). */
#include "ir/eval_rules.h"
#include "runtime/core/random.h"
#include <math.h>
#include <string.h>

static int digits(DType t) { return t == F64 ? 53 : t == F32 ? 24 : t == F16 ? 11 : 8; }

/* A number of few digits is most likely exact, and stays: ties remain ties. */
static bool is_short(double v, DType t) {
  int e;
  double m = ldexp(frexp(v, &e), digits(t) / 2);
  return m == floor(m);
}

static void shake(Eval *e, Tensor *t, uint64_t which, double coarse) {
  double unit = coarse * ldexp(1, -digits(t->dtype));
  uint64_t seed = dnn_mix64(e->env->noise_seed, (uint64_t)e->id * 8 + which);
  for (int64_t i = 0, n = tensor_count(t); i < n; i++) {
    double v = tensor_get(t, i);
    if (!isfinite(v) || is_short(v, t->dtype)) continue;
    double u = (double)(dnn_mix64(seed, (uint64_t)i) >> 11) * 0x1p-52 - 1;
    tensor_set(t, i, v + v * unit * u);
  }
}

/* What cancels but for rounding may as well cancel altogether: half of the evaluations give exactly 0. */
static void cancel(Eval *e) {
  Op op = e->node->op;
  if ((op != OP_sub && op != OP_add) || dnn_mix64(e->env->noise_seed, (uint64_t)e->id * 8 + 7) & 1) return;
  double unit = e->env->noise * ldexp(1, -digits(e->out->dtype));
  for (int64_t i = 0, n = tensor_count(e->out); i < n; i++) {
    double most = fmax(fabs(tensor_get(e->ins[0], i)), fabs(tensor_get(e->ins[1], i)));
    if (fabs(tensor_get(e->out, i)) <= 4 * unit * most) tensor_set(e->out, i, 0);
  }
}

/* What is made of a whole matrix rounds by its largest numbers, also where the result is 0. */
static void shake_matrix(Eval *e) {
  double most = 0, unit = e->env->noise * ldexp(1, -digits(e->out->dtype));
  int64_t n = tensor_count(e->out);
  for (int64_t i = 0; i < n; i++)
    if (isfinite(tensor_get(e->out, i))) most = fmax(most, fabs(tensor_get(e->out, i)));
  for (int64_t i = 0; i < n; i++) {
    double u = (double)(dnn_mix64(e->env->noise_seed + e->id, (uint64_t)i) >> 11) * 0x1p-52 - 1;
    tensor_set(e->out, i, tensor_get(e->out, i) + most * unit * u);
  }
}

/* Does the op round? Moves, choices, comparisons and steps do not; leaves are given. */
static bool rounds(const Eval *e) {
  switch (e->node->op) {
  case OP_neg:
  case OP_abs:
  case OP_sign:
  case OP_floor:
  case OP_ceil:
  case OP_round:
  case OP_stop_gradient:
  case OP_maximum:
  case OP_minimum:
  case OP_where:
  case OP_reduce_max:
  case OP_reduce_min:
  case OP_max_pool:
  case OP_scatter_set:
  case OP_scatter_max: return false;
  case OP_cast: return dtype_is_float(e->ins[0]->dtype) && dtype_size(e->out->dtype) < dtype_size(e->ins[0]->dtype);
  default: break;
  }
  OpClass c = op_info[e->node->op].cls;
  return c == MAP || c == REDUCE || c == CONTRACT || c == WINDOW || c == SCATTER || c == CALL;
}

/* About how many terms a sum has. */
static double terms(const Eval *e) {
  double n = (double)tensor_count(e->ins[0]), out = (double)tensor_count(e->out);
  if (op_info[e->node->op].cls == CONTRACT) n = sqrt(n * (double)tensor_count(e->ins[1]) * fmax(out, 1));
  return n / fmax(out, 1);
}

/* Sums see terms that are a little off, as each addition rounds a sum of many terms. */
void eval_noise_operands(Eval *e) {
  OpClass c = op_info[e->node->op].cls;
  if (!rounds(e) || (c != REDUCE && c != CONTRACT && c != SCATTER && c != WINDOW)) return;
  double coarse = fmax(e->env->noise, e->env->noise / 4 * terms(e));
  for (int k = 0; k < e->node->n_in; k++) {
    if (!dtype_is_float(e->ins[k]->dtype)) continue;
    Tensor *copy = arena_one(e->tmp, Tensor);
    *copy = tensor_new(e->tmp, e->ins[k]->dtype, e->ins[k]->rank, e->ins[k]->shape);
    memcpy(copy->data, e->ins[k]->data, (size_t)tensor_bytes(copy));
    shake(e, copy, (uint64_t)(k & 3) + 1, coarse);
    e->ins[k] = copy;
  }
}

void eval_noise_result(Eval *e) {
  if (e->node->type.dtype == TUPLE || !dtype_is_float(e->out->dtype) || !rounds(e)) return;
  Op op = e->node->op;
  if (op_info[op].cls == CALL && op != OP_cumsum && op != OP_cumprod) shake_matrix(e);
  shake(e, e->out, 0, e->env->noise);
  cancel(e);
}
