/* Expressions of the loop IR as C. */
#include "base/ds.h"
#include "codegen/loop_internal.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *c_value_type(DType t) {
  switch (t) {
  case F64: return "double";
  case F32:
  case F16:
  case BF16: return "float";
  case I64: return "int64_t";
  case I32: return "int32_t";
  case I8: return "int8_t";
  case U8: return "uint8_t";
  case BOOL: return "int";
  default: INTERNAL("no value type");
  }
}
const char *c_memory_type(DType t) {
  return t == F16 || t == BF16 ? "uint16_t" : t == BOOL ? "uint8_t" : c_value_type(t);
}
/* Suffix of the runtime's functions for computing in t. */
static const char *suffix(DType t) { return t == F16 || t == BF16 ? "f32" : t == BOOL ? "u8" : dtype_name(t); }

void c_put_type(Buf *b, DType t, int lanes) {
  if (lanes == 1) buf_str(b, c_value_type(t));
  else buf_printf(b, "dnn_%sx%d", dtype_name(t), lanes);
}

void c_put_int(Buf *b, int64_t v) {
  if (v > INT32_MAX || v < -INT32_MAX) {
    if (v == INT64_MIN) buf_str(b, "INT64_MIN");
    else buf_printf(b, "INT64_C(%lld)", (long long)v);
  } else buf_printf(b, "%lld", (long long)v);
}
void c_put_num(Buf *b, double v, DType t) {
  if (t == BOOL) {
    buf_str(b, v != 0 ? "1" : "0");
  } else if (dtype_is_float(t)) {
    bool f = t != F64;
    if (v != v) buf_str(b, f ? "NAN" : "(double)NAN");
    else if (isinf(v)) buf_str(b, v < 0 ? f ? "-INFINITY" : "-(double)INFINITY" : f ? "INFINITY" : "(double)INFINITY");
    else {
      char s[64];
      if (f && isinf((float)v)) {
        buf_str(b, v < 0 ? "-INFINITY" : "INFINITY");
        return;
      }
      snprintf(s, sizeof s, f ? "%.9g" : "%.17g", f ? (double)(float)v : v);
      for (int digits = 1; digits < 17; digits++) { /* the shortest that reads back the same */
        char u[64];
        snprintf(u, sizeof u, "%.*g", digits, v);
        if (strchr(u, 'e') && fabs(v) >= 1 && fabs(v) < 1e6) continue; /* 10 and not 1e+01 */
        if (f ? strtof(u, NULL) == (float)v : strtod(u, NULL) == v) {
          memcpy(s, u, sizeof u);
          break;
        }
      }
      buf_str(b, s);
      if (!strpbrk(s, ".e")) buf_str(b, ".0");
      if (f) buf_char(b, 'f');
    }
  } else {
    int64_t i = v >= 0x1p63 ? INT64_MAX : v <= -0x1p63 ? INT64_MIN : (int64_t)v;
    c_put_int(b, scalar_wrap(t, i));
  }
}

/* Functions of floats (runtime/core/maths.h, number.h; exact ones are libm's): NULL where C has a sign for the op. */
static const char *float_function(Op op, bool f64) {
  switch (op) {
  case OP_exp: return f64 ? "dnn_exp_f64" : "dnn_exp_f32";
  case OP_log: return f64 ? "dnn_log_f64" : "dnn_log_f32";
  case OP_tanh: return f64 ? "dnn_tanh_f64" : "dnn_tanh_f32";
  case OP_sigmoid: return f64 ? "dnn_sigmoid_f64" : "dnn_sigmoid_f32";
  case OP_log1p: return f64 ? "dnn_log1p_f64" : "dnn_log1p_f32";
  case OP_expm1: return f64 ? "dnn_expm1_f64" : "dnn_expm1_f32";
  case OP_sqrt: return f64 ? "sqrt" : "sqrtf";
  case OP_rsqrt: return f64 ? "dnn_rsqrt_f64" : "dnn_rsqrt_f32";
  case OP_sin: return f64 ? "dnn_sin_f64" : "dnn_sin_f32";
  case OP_cos: return f64 ? "dnn_cos_f64" : "dnn_cos_f32";
  case OP_tan: return f64 ? "dnn_tan_f64" : "dnn_tan_f32";
  case OP_erf: return f64 ? "dnn_erf_f64" : "dnn_erf_f32";
  case OP_abs: return f64 ? "fabs" : "fabsf";
  case OP_floor: return f64 ? "floor" : "floorf";
  case OP_ceil: return f64 ? "ceil" : "ceilf";
  case OP_round: return f64 ? "rint" : "rintf";
  case OP_pow: return f64 ? "dnn_pow_f64" : "dnn_pow_f32";
  case OP_sign: return f64 ? "dnn_sign_f64" : "dnn_sign_f32";
  case OP_floordiv: return f64 ? "dnn_floordiv_f64" : "dnn_floordiv_f32";
  case OP_mod: return f64 ? "dnn_mod_f64" : "dnn_mod_f32";
  case OP_maximum: return f64 ? "dnn_maximum_f64" : "dnn_maximum_f32";
  case OP_minimum: return f64 ? "dnn_minimum_f64" : "dnn_minimum_f32";
  default: return NULL;
  }
}
static const char *infix(Op op) {
  switch (op) {
  case OP_add: return "+";
  case OP_sub: return "-";
  case OP_mul: return "*";
  case OP_div: return "/";
  case OP_eq: return "==";
  case OP_ne: return "!=";
  case OP_lt: return "<";
  case OP_le: return "<=";
  case OP_gt: return ">";
  case OP_ge: return ">=";
  case OP_and: return "&";
  case OP_or: return "|";
  default: return NULL;
  }
}

/* How tightly C binds what put_x writes. Parentheses stand only where C needs them, or where a reader (a * b / c of
 * integers) or a compiler (a & b == c) would ask for them. */
enum { SELECT = 1, LOGIC, COMPARE, SUM, TERM, UNARY, PRIMARY };
static int binding_of_op(Op op) {
  switch (op) {
  case OP_add:
  case OP_sub: return SUM;
  case OP_mul:
  case OP_div: return TERM;
  case OP_and:
  case OP_or: return LOGIC;
  default: return COMPARE;
  }
}
static bool is_infix(const LExpr *x) { /* of the X_OPs */
  bool in_c = !dtype_is_float(x->in[0]->dtype) ? op_info[x->op].flags & CMP || x->op == OP_and || x->op == OP_or : true;
  return infix(x->op) && in_c;
}
static bool is_half(DType t) { return t == F16 || t == BF16; }

static int binding(const LExpr *x) {
  switch (x->kind) {
  case X_INT: return x->i < 0 ? UNARY : PRIMARY;
  case X_NUM: return x->num < 0 ? UNARY : PRIMARY;
  case X_ADD:
  case X_SUB:
  case X_FMA:
  case X_SPLAT: return SUM;
  case X_MUL:
  case X_DIV:
  case X_MOD: return TERM;
  case X_LT:
  case X_GE:
  case X_EQ: return COMPARE;
  case X_AND: return LOGIC;
  case X_SELECT: return SELECT;
  case X_LOAD: return x->in[1] ? SELECT : x->lanes > 1 ? UNARY : PRIMARY;
  case X_CHECK: return x->in[3] ? SELECT : PRIMARY;
  case X_OP: break;
  default: return PRIMARY;
  }
  DType from = x->in[0]->dtype;
  if (x->op == OP_stop_gradient) return binding(x->in[0]);
  if (is_half(x->dtype)) return PRIMARY;
  if (x->op == OP_cast)
    return x->dtype == BOOL ? COMPARE : dtype_is_float(from) && !dtype_is_float(x->dtype) ? PRIMARY : UNARY;
  if (is_infix(x)) return binding_of_op(x->op);
  bool sign = x->op == OP_not || (x->op == OP_neg && dtype_is_float(from));
  bool narrow = !dtype_is_float(from) && (x->op == OP_floordiv || x->op == OP_mod ||
                                          ((x->op == OP_maximum || x->op == OP_minimum) && from != I64));
  return sign || narrow ? UNARY : PRIMARY;
}

static void put_bound(Buf *b, const LExpr *x, int least) {
  bool wrap = binding(x) < least;
  if (wrap) buf_char(b, '(');
  c_put_x(b, x);
  if (wrap) buf_char(b, ')');
}
/* An operand behind a sign or a cast: never a second sign. */
static void put_signed(Buf *b, const LExpr *x, int least) {
  bool minus = x->kind == X_INT ? x->i < 0 : x->kind == X_NUM ? x->num < 0 : x->kind == X_OP && x->op == OP_neg;
  put_bound(b, x, minus && binding(x) == UNARY ? PRIMARY : least);
}

static void put_call(Buf *b, const char *f, const LExpr *x) {
  buf_printf(b, "%s(", f);
  for (int k = 0; k < x->n_in; k++) {
    if (k) buf_str(b, ", ");
    c_put_x(b, x->in[k]);
  }
  buf_char(b, ')');
}

/* Operands of one sign stand in a row, as in a + b - c; a * b / c and comparisons of comparisons get parentheses. */
static void put_infix(Buf *b, const LExpr *x, const char *sign) {
  const LExpr *l = x->in[0];
  int own = binding(x), left = own == SUM || own == COMPARE ? SUM : UNARY;
  if (l->kind == x->kind && l->op == x->op && (own == TERM || own == LOGIC)) left = own;
  if (l->kind == X_OP && l->op == OP_not && own == COMPARE) left = PRIMARY;
  put_bound(b, l, left);
  buf_printf(b, " %s ", sign);
  put_signed(b, x->in[1], own == SUM ? TERM : own == COMPARE ? SUM : UNARY);
}
static void put_guard(Buf *b, const LExpr *x) {
  put_bound(b, x, COMPARE);
  buf_str(b, " ? ");
}

void c_put_at(Buf *b, const LArr *arr, const LExpr *at) {
  buf_str(b, arr->name);
  if (at->kind == X_INT && !at->i) return;
  buf_str(b, " + ");
  put_bound(b, at, TERM);
}

static void put_cast(Buf *b, const LExpr *x) {
  DType to = x->dtype, from = x->in[0]->dtype;
  if (to == BOOL) {
    put_bound(b, x->in[0], SUM);
    buf_str(b, " != 0");
  } else if (dtype_is_float(from) && !dtype_is_float(to)) {
    buf_printf(b, "dnn_to_%s(", dtype_name(to));
    c_put_x(b, x->in[0]);
    buf_char(b, ')');
  } else {
    buf_printf(b, "(%s)", c_value_type(to));
    put_signed(b, x->in[0], UNARY);
  }
}

static void put_op(Buf *b, const LExpr *x) {
  DType t = x->in[0]->dtype;
  if (x->op == OP_stop_gradient) {
    c_put_x(b, x->in[0]);
  } else if (x->op == OP_not) {
    buf_char(b, '!');
    put_bound(b, x->in[0], UNARY);
  } else if (x->op == OP_mix_key) {
    put_call(b, "dnn_mix_key", x);
  } else if ((x->op == OP_exp || x->op == OP_erf) && x->in[1]) {
    buf_str(b, x->op == OP_exp ? "dnn_exp_below_0_f32(" : "dnn_gelu_f32(");
    c_put_x(b, x->in[0]);
    buf_char(b, ')');
  } else if (x->op == OP_div && x->in[2]) {
    buf_str(b, "dnn_over_f32(");
    c_put_x(b, x->in[0]);
    buf_str(b, ", ");
    c_put_x(b, x->in[1]);
    buf_char(b, ')');
  } else if (dtype_is_float(t)) {
    const char *f = float_function(x->op, t == F64);
    if (f) put_call(b, f, x);
    else if (x->op == OP_neg) {
      buf_char(b, '-');
      put_signed(b, x->in[0], UNARY);
    } else if (infix(x->op)) put_infix(b, x, infix(x->op));
    else INTERNAL("no C for op %s", op_info[x->op].name);
  } else if (is_infix(x)) {
    put_infix(b, x, infix(x->op));
  } else if (x->op == OP_floordiv || x->op == OP_mod) {
    buf_printf(b, "(%s)", c_value_type(t));
    put_call(b, x->op == OP_mod ? "dnn_floormod" : "dnn_floordiv", x);
  } else if (x->op == OP_maximum || x->op == OP_minimum) {
    if (t == I64) put_call(b, x->op == OP_maximum ? "dnn_max" : "dnn_min", x);
    else {
      buf_printf(b, "(%s)", c_value_type(t));
      put_call(b, x->op == OP_maximum ? "dnn_max" : "dnn_min", x);
    }
  } else {
    char f[40];
    snprintf(f, sizeof f, "dnn_%s_%s", op_info[x->op].name, suffix(t));
    put_call(b, f, x);
  }
}

static void put_load(Buf *b, const LExpr *x) {
  if (x->in[1]) put_guard(b, x->in[1]);
  DType t = x->dtype;
  if (x->lanes > 1) {
    buf_printf(b, "*(const dnn_%sx%du *)", dtype_name(t), x->lanes);
    buf_char(b, '(');
    c_put_at(b, x->arr, x->in[0]);
    buf_char(b, ')');
  } else {
    if (t == F16 || t == BF16) buf_printf(b, "dnn_from_%s(", dtype_name(t));
    buf_printf(b, "%s[", x->arr->name);
    c_put_x(b, x->in[0]);
    buf_char(b, ']');
    if (t == F16 || t == BF16) buf_char(b, ')');
  }
  if (x->in[1]) {
    buf_str(b, " : ");
    c_put_num(b, 0, t);
  }
}

void c_put_x(Buf *b, const LExpr *x) {
  switch (x->kind) {
  case X_INT: c_put_int(b, x->i); break;
  case X_NUM: c_put_num(b, x->num, x->dtype); break;
  case X_VAR: buf_str(b, x->var->name); break;
  case X_ADD:
  case X_SUB:
  case X_MUL:
  case X_DIV:
  case X_MOD:
  case X_LT:
  case X_GE:
  case X_EQ:
  case X_AND: put_infix(b, x, x_names[x->kind]); break;
  case X_MIN: put_call(b, "dnn_min", x); break;
  case X_MAX: put_call(b, "dnn_max", x); break;
  case X_OP: {
    bool half = (x->dtype == F16 || x->dtype == BF16) && x->op != OP_stop_gradient;
    if (half) buf_printf(b, "dnn_round_%s(", dtype_name(x->dtype));
    if (x->op == OP_cast) put_cast(b, x);
    else put_op(b, x);
    if (half) buf_char(b, ')');
    break;
  }
  case X_SELECT:
    put_guard(b, x->in[0]);
    put_bound(b, x->in[1], COMPARE);
    buf_str(b, " : ");
    put_bound(b, x->in[2], COMPARE);
    break;
  case X_LOAD: put_load(b, x); break;
  case X_SPLAT:
    put_bound(b, x->in[0], SUM);
    buf_printf(b, " - (dnn_%sx%d){0}", dtype_name(x->dtype), x->lanes);
    break;
  case X_FMA:
    put_bound(b, x->in[0], UNARY);
    buf_str(b, " * ");
    put_bound(b, x->in[1], UNARY);
    buf_str(b, " + ");
    put_bound(b, x->in[2], TERM);
    break;
  case X_WEAVE: {
    int64_t d = x->i < 0 ? -x->i : x->i;
    buf_str(b, "__builtin_shufflevector(");
    c_put_x(b, x->in[0]);
    buf_str(b, ", ");
    c_put_x(b, x->in[1]);
    for (int64_t l = 0; l < x->lanes; l++)
      buf_printf(b, ", %lld", (long long)(l & d ? x->lanes + l - (x->i > 0 ? d : 0) : l + (x->i > 0 ? 0 : d)));
    buf_char(b, ')');
    break;
  }
  case X_UNIFORM:
    if (x->dtype == F16 || x->dtype == BF16) buf_printf(b, "dnn_round_%s(", dtype_name(x->dtype));
    buf_printf(b, "dnn_uniform_%s(", suffix(x->dtype));
    c_put_x(b, x->in[0]);
    buf_str(b, ", (uint64_t)");
    c_put_x(b, x->in[1]);
    buf_str(b, ", ");
    c_put_x(b, x->in[2]);
    buf_char(b, ')');
    if (x->dtype == F16 || x->dtype == BF16) buf_char(b, ')');
    break;
  case X_CHECK:
    if (x->in[3]) put_guard(b, x->in[3]);
    buf_str(b, "dnn_check(team, ");
    c_put_x(b, x->in[0]);
    buf_str(b, ", ");
    c_put_x(b, x->in[1]);
    buf_str(b, ", ");
    c_put_x(b, x->in[2]);
    buf_char(b, ')');
    if (x->in[3]) buf_str(b, " : 0");
    break;
  default: INTERNAL("no C for expression kind %d", (int)x->kind);
  }
}
