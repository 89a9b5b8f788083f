/* Runs a kernel one statement at a time: the meaning of the loop IR, held against the C made of it and the evaluator.
 */
#include "base/ds.h"
#include "codegen/loop_internal.h"
#include "runtime/core/kernel.h"
#include "runtime/core/number.h"
#include "runtime/core/random.h"
#include <stdlib.h>
#include <string.h>

typedef union Val {
  double d;
  float f;
  int64_t i;
  float fv[16];
  double dv[8];
} Val;
typedef struct Run {
  const Kernel *k;
  Val *vars;
  unsigned char **arrs; /* by id */
  DnnTeam *team;
} Run;

int64_t scalar_wrap(DType t, int64_t v) {
  switch (t) {
  case I32: return (int32_t)(uint32_t)(uint64_t)v;
  case I8: return (int8_t)(uint8_t)(uint64_t)v;
  case U8: return (uint8_t)(uint64_t)v;
  default: return v;
  }
}
/* Which member of Val holds a value of type t. */
static bool single(DType t) { return t == F32 || t == F16 || t == BF16; }
static float round_to(DType t, float x) { return t == F16 ? dnn_round_f16(x) : t == BF16 ? dnn_round_bf16(x) : x; }
static double as_double(DType t, Val v) { return t == F64 ? v.d : single(t) ? (double)v.f : (double)v.i; }

static Val cast(DType from, DType to, Val v) {
  Val y = {0};
  if (to == BOOL) y.i = from == F64 ? v.d != 0 : single(from) ? v.f != 0 : v.i != 0;
  else if (to == F64) y.d = as_double(from, v);
  else if (single(to)) y.f = from == F64 ? (float)v.d : single(from) ? v.f : (float)v.i;
  else if (dtype_is_float(from)) {
    double d = as_double(from, v);
    y.i = to == I64 ? dnn_to_i64(d) : to == I32 ? dnn_to_i32(d) : to == I8 ? dnn_to_i8(d) : dnn_to_u8(d);
  } else y.i = scalar_wrap(to, v.i);
  if (single(to)) y.f = round_to(to, y.f);
  return y;
}

#define FLOAT_OPS(T, s, m)                                                                                             \
  static T float_op_##s(Op op, T a, T b) {                                                                             \
    switch (op) {                                                                                                      \
    case OP_neg: return -a;                                                                                            \
    case OP_exp: return dnn_exp_##s(a);                                                                                \
    case OP_log: return dnn_log_##s(a);                                                                                \
    case OP_tanh: return dnn_tanh_##s(a);                                                                              \
    case OP_sigmoid: return dnn_sigmoid_##s(a);                                                                        \
    case OP_log1p: return dnn_log1p_##s(a);                                                                            \
    case OP_expm1: return dnn_expm1_##s(a);                                                                            \
    case OP_sqrt: return sqrt##m(a);                                                                                   \
    case OP_rsqrt: return dnn_rsqrt_##s(a);                                                                            \
    case OP_sin: return dnn_sin_##s(a);                                                                                \
    case OP_cos: return dnn_cos_##s(a);                                                                                \
    case OP_tan: return dnn_tan_##s(a);                                                                                \
    case OP_erf: return dnn_erf_##s(a);                                                                                \
    case OP_abs: return fabs##m(a);                                                                                    \
    case OP_floor: return floor##m(a);                                                                                 \
    case OP_ceil: return ceil##m(a);                                                                                   \
    case OP_round: return rint##m(a);                                                                                  \
    case OP_sign: return dnn_sign_##s(a);                                                                              \
    case OP_stop_gradient: return a;                                                                                   \
    case OP_add: return a + b;                                                                                         \
    case OP_sub: return a - b;                                                                                         \
    case OP_mul: return a * b;                                                                                         \
    case OP_div: return a / b;                                                                                         \
    case OP_floordiv: return dnn_floordiv_##s(a, b);                                                                   \
    case OP_mod: return dnn_mod_##s(a, b);                                                                             \
    case OP_pow: return dnn_pow_##s(a, b);                                                                             \
    case OP_maximum: return dnn_maximum_##s(a, b);                                                                     \
    case OP_minimum: return dnn_minimum_##s(a, b);                                                                     \
    default: INTERNAL("no meaning of op %s on floats", op_info[op].name);                                              \
    }                                                                                                                  \
  }                                                                                                                    \
  static int64_t compare_##s(Op op, T a, T b) {                                                                        \
    switch (op) {                                                                                                      \
    case OP_eq: return a == b;                                                                                         \
    case OP_ne: return a != b;                                                                                         \
    case OP_lt: return a < b;                                                                                          \
    case OP_le: return a <= b;                                                                                         \
    case OP_gt: return a > b;                                                                                          \
    default: return a >= b;                                                                                            \
    }                                                                                                                  \
  }
FLOAT_OPS(float, f32, f)
FLOAT_OPS(double, f64, )
static int64_t compare_int(Op op, int64_t a, int64_t b) {
  switch (op) {
  case OP_eq: return a == b;
  case OP_ne: return a != b;
  case OP_lt: return a < b;
  case OP_le: return a <= b;
  case OP_gt: return a > b;
  default: return a >= b;
  }
}
static int64_t int_op(Op op, DType t, int64_t a, int64_t b) {
  switch (op) {
  case OP_neg: return scalar_wrap(t, dnn_neg_i64(a));
  case OP_abs: return scalar_wrap(t, dnn_abs_i64(a));
  case OP_sign: return dnn_sign_i64(a);
  case OP_not: return !a;
  case OP_stop_gradient: return a;
  case OP_add: return scalar_wrap(t, dnn_add_i64(a, b));
  case OP_sub: return scalar_wrap(t, dnn_sub_i64(a, b));
  case OP_mul: return scalar_wrap(t, dnn_mul_i64(a, b));
  case OP_floordiv: return scalar_wrap(t, dnn_floordiv(a, b));
  case OP_mod: return scalar_wrap(t, dnn_floormod(a, b));
  case OP_pow:
    return t == I64   ? dnn_pow_i64(a, b)
           : t == I32 ? dnn_pow_i32((int32_t)a, (int32_t)b)
           : t == I8  ? dnn_pow_i8((int8_t)a, (int8_t)b)
                      : dnn_pow_u8((uint8_t)a, (uint8_t)b);
  case OP_maximum: return dnn_max(a, b);
  case OP_minimum: return dnn_min(a, b);
  case OP_and: return a & b;
  case OP_or: return a | b;
  case OP_mix_key: return dnn_mix_key(a, b);
  default: INTERNAL("no meaning of op %s on integers", op_info[op].name);
  }
}

static Val eval(Run *r, const LExpr *x);
static Val eval_op(Run *r, const LExpr *x) {
  DType t = x->in[0]->dtype;
  Val a = eval(r, x->in[0]), b = {0}, y = {0};
  if (x->in[1]) b = eval(r, x->in[1]);
  if (x->op == OP_erf && x->in[1]) {
    y.f = dnn_gelu_f32(a.f);
    return y;
  }
  if (x->op == OP_div && x->in[2]) {
    y.f = dnn_over_f32(a.f, b.f);
    return y;
  }
  if (x->lanes > 1) {
    for (int l = 0; l < x->lanes; l++)
      if (t == F64) y.dv[l] = float_op_f64(x->op, a.dv[l], b.dv[l]);
      else y.fv[l] = float_op_f32(x->op, a.fv[l], b.fv[l]);
    return y;
  }
  if (x->op == OP_cast) return cast(t, x->dtype, a);
  if (op_info[x->op].flags & CMP)
    y.i = t == F64    ? compare_f64(x->op, a.d, b.d)
          : single(t) ? compare_f32(x->op, a.f, b.f)
                      : compare_int(x->op, a.i, b.i);
  else if (t == F64) y.d = float_op_f64(x->op, a.d, b.d);
  else if (single(t)) y.f = round_to(t, float_op_f32(x->op, a.f, b.f));
  else y.i = int_op(x->op, t, a.i, b.i);
  return y;
}

static Val load(const LArr *a, const unsigned char *p, int64_t i, int lanes) {
  Val y = {0};
  if (lanes > 1) {
    memcpy(&y, p + i * dtype_size(a->dtype), (size_t)lanes * (size_t)dtype_size(a->dtype));
    return y;
  }
  switch (a->dtype) {
  case F64: memcpy(&y.d, p + 8 * i, 8); break;
  case F32: memcpy(&y.f, p + 4 * i, 4); break;
  case F16: y.f = dnn_from_f16(((const uint16_t *)(const void *)p)[i]); break;
  case BF16: y.f = dnn_from_bf16(((const uint16_t *)(const void *)p)[i]); break;
  case I64: memcpy(&y.i, p + 8 * i, 8); break;
  case I32: y.i = ((const int32_t *)(const void *)p)[i]; break;
  case I8: y.i = ((const int8_t *)p)[i]; break;
  default: y.i = p[i];
  }
  return y;
}
static void store(const LArr *a, unsigned char *p, int64_t i, int lanes, Val v) {
  if (lanes > 1) {
    memcpy(p + i * dtype_size(a->dtype), &v, (size_t)lanes * (size_t)dtype_size(a->dtype));
    return;
  }
  switch (a->dtype) {
  case F64: memcpy(p + 8 * i, &v.d, 8); break;
  case F32: memcpy(p + 4 * i, &v.f, 4); break;
  case F16: ((uint16_t *)(void *)p)[i] = dnn_bits_f16(v.f); break;
  case BF16: ((uint16_t *)(void *)p)[i] = dnn_bits_bf16(v.f); break;
  case I64: memcpy(p + 8 * i, &v.i, 8); break;
  case I32: ((int32_t *)(void *)p)[i] = (int32_t)v.i; break;
  default: p[i] = (unsigned char)v.i;
  }
}

static Val eval_lanes(Run *r, const LExpr *x) {
  Val a = eval(r, x->in[0]), y = {0};
  if (x->kind == X_SPLAT) {
    for (int l = 0; l < x->lanes; l++)
      if (x->dtype == F64) y.dv[l] = a.d;
      else y.fv[l] = a.f;
    return y;
  }
  Val b = eval(r, x->in[1]), c = {0};
  if (x->kind == X_WEAVE) {
    int d = (int)(x->i < 0 ? -x->i : x->i);
    for (int l = 0; l < x->lanes; l++) {
      int at = x->i > 0 ? (l & d ? l - d : l) : l & d ? l : l + d;
      const Val *v = l & d ? &b : &a;
      if (x->dtype == F64) y.dv[l] = v->dv[at];
      else y.fv[l] = v->fv[at];
    }
    return y;
  }
  c = eval(r, x->in[2]);
  for (int l = 0; l < x->lanes; l++)
    if (x->dtype == F64) y.dv[l] = a.dv[l] * b.dv[l] + c.dv[l];
    else y.fv[l] = a.fv[l] * b.fv[l] + c.fv[l];
  return y;
}

static Val eval(Run *r, const LExpr *x) {
  Val y = {0};
  int64_t a, b;
  switch (x->kind) {
  case X_INT: y.i = x->i; return y;
  case X_NUM:
    if (x->dtype == F64) y.d = x->num;
    else if (single(x->dtype)) y.f = (float)x->num;
    else y.i = scalar_wrap(x->dtype, dnn_to_i64(x->num));
    return y;
  case X_VAR: return r->vars[x->var->id];
  case X_OP: return eval_op(r, x);
  case X_SELECT: return eval(r, x->in[0]).i ? eval(r, x->in[1]) : eval(r, x->in[2]);
  case X_LOAD:
    if (x->in[1] && !eval(r, x->in[1]).i) return y;
    return load(x->arr, r->arrs[x->arr->id], eval(r, x->in[0]).i, x->lanes);
  case X_SPLAT:
  case X_WEAVE:
  case X_FMA: return eval_lanes(r, x);
  case X_UNIFORM: {
    int64_t key = eval(r, x->in[0]).i, i = eval(r, x->in[2]).i;
    uint64_t site = (uint64_t)eval(r, x->in[1]).i;
    if (x->dtype == F64) y.d = dnn_uniform_f64(key, site, i);
    else y.f = round_to(x->dtype, dnn_uniform_f32(key, site, i));
    return y;
  }
  case X_CHECK:
    if (x->in[3] && !eval(r, x->in[3]).i) return y;
    y.i = dnn_check(r->team, eval(r, x->in[0]).i, eval(r, x->in[1]).i, eval(r, x->in[2]).i);
    return y;
  default: break;
  }
  a = eval(r, x->in[0]).i;
  b = eval(r, x->in[1]).i;
  switch (x->kind) {
  case X_ADD: y.i = a + b; break;
  case X_SUB: y.i = a - b; break;
  case X_MUL: y.i = a * b; break;
  case X_DIV: y.i = b ? a / b : 0; break;
  case X_MOD: y.i = b ? a % b : 0; break;
  case X_MIN: y.i = dnn_min(a, b); break;
  case X_MAX: y.i = dnn_max(a, b); break;
  case X_LT: y.i = a < b; break;
  case X_GE: y.i = a >= b; break;
  case X_EQ: y.i = a == b; break;
  case X_AND: y.i = a && b; break;
  default: INTERNAL("no meaning of expression kind %d", (int)x->kind);
  }
  return y;
}

static void run(Run *r, LBlock body);
static void call(Run *r, const LStmt *s);
static void run_function(Run *r, const LStmt *s);
static void step(Run *r, const LStmt *s) {
  switch (s->kind) {
  case S_FOR: {
    int64_t lo = eval(r, s->lo).i, hi = eval(r, s->hi).i;
    if (s->mode == FOR_PARALLEL) {
      lo = dnn_part(hi, r->team->tid, r->team->n);
      hi = dnn_part(hi, r->team->tid + 1, r->team->n);
    }
    for (int64_t i = lo; i < hi; i += s->step) {
      r->vars[s->var->id].i = i;
      run(r, s->body);
    }
    break;
  }
  case S_LET:
  case S_VAR:
  case S_ASSIGN: r->vars[s->var->id] = eval(r, s->value); break;
  case S_STORE: store(s->arr, r->arrs[s->arr->id], eval(r, s->index).i, s->value->lanes, eval(r, s->value)); break;
  case S_LOCAL: break;
  case S_IF: run(r, eval(r, s->value).i ? s->body : s->other); break;
  case S_CALL: call(r, s); break;
  case S_RUN: run_function(r, s); break;
  }
}
static void run(Run *r, LBlock body) {
  for (int i = 0; i < arrlen(body); i++) step(r, body[i]);
}

/* One thread's run of a kernel; `scratch` has the kernel's scratch_bytes. */
static void run_kernel(const Kernel *k, const KValue *args, DnnTeam *team) {
  Run r = {.k = k, .team = team};
  r.vars = zeroed((size_t)arrlen(k->vars) + 1, sizeof *r.vars);
  r.arrs = zeroed((size_t)arrlen(k->arrs) + 1, sizeof *r.arrs);
  void **local = NULL;
  for (int i = 0; i < arrlen(k->params); i++) {
    if (k->params[i].arr) r.arrs[k->params[i].arr->id] = args[i].ptr;
    else r.vars[k->params[i].var->id].i = args[i].i;
  }
  for (int i = 0; i < arrlen(k->arrs); i++) {
    LArr *a = k->arrs[i];
    if (a->kind == ARR_SCRATCH) r.arrs[a->id] = team->scratch + a->offset;
    if (a->kind == ARR_TABLE) r.arrs[a->id] = (unsigned char *)(uintptr_t)a->data;
    if (a->kind == ARR_STACK) {
      r.arrs[a->id] = zeroed((size_t)a->count + 1, (size_t)dtype_size(a->dtype));
      arrput(local, r.arrs[a->id]);
    }
  }
  run(&r, k->body);
  for (int i = 0; i < arrlen(local); i++) free(local[i]);
  arrfree(local);
  free(r.vars);
  free(r.arrs);
}
static void call(Run *r, const LStmt *s) {
  KValue *args = zeroed((size_t)arrlen(s->args) + 1, sizeof *args);
  for (int i = 0; i < arrlen(s->args); i++) {
    int64_t v = eval(r, s->args[i].x).i;
    LArr *a = s->args[i].arr;
    if (a) args[i].ptr = r->arrs[a->id] + v * dtype_size(a->dtype);
    else args[i].i = v;
  }
  run_kernel(s->callee, args, r->team);
  free(args);
}

static void run_function(Run *r, const LStmt *s) {
  void *p[8];
  int64_t v[8];
  int arrays = s->function->arrays;
  for (int i = 0; i < arrlen(s->args); i++) {
    int64_t x = eval(r, s->args[i].x).i;
    if (i < arrays) p[i] = r->arrs[s->args[i].arr->id] + x * dtype_size(s->args[i].arr->dtype);
    else v[i - arrays] = x;
  }
  s->function->run(p, v);
}

bool kernel_interpret(const Kernel *k, const KValue *args, int threads, Buf *why) {
  bool good = true;
  unsigned char *scratch = aligned_alloc(64, (size_t)k->scratch_bytes + 64);
  for (int t = 0; t < threads && good; t++) {
    memset(scratch, 0xff, (size_t)k->scratch_bytes + 64); /* NaN: nothing may rely on what was there */
    DnnTeam team = {.tid = t, .n = threads, .scratch = scratch};
    run_kernel(k, args, &team);
    if (team.error_site) {
      buf_printf(why, "site %d: index %lld is outside of 0 .. %lld", team.error_site, (long long)team.error_value[0],
                 (long long)team.error_value[1] - 1);
      good = false;
    }
  }
  free(scratch);
  return good;
}
