/* Arithmetic on static values: sizes, numbers, strings, lists; nothing here makes a node. */
#include "frontend/elab_priv.h"
#include "base/limits.h"
#include <math.h>
#include <string.h>

static Value *sym(Elab *e, Op op, Value *a, Value *b) {
  Value *v = arena_one(e->arena, Value);
  v->kind = V_SYM;
  v->sym.op = op;
  v->sym.a = a;
  v->sym.b = b;
  return v;
}

static Value *dim_result(Elab *e, Op op, Dim d, Loc at) {
  if (d != DIM_OVERFLOW) return v_dim(e, d);
  return elab_error(e, at, E0403, "the result of `%s` does not fit 63 bits", op_spelling(op));
}

static Value *int_power(Elab *e, Dim base, int64_t n, Loc at) {
  Dim r = dim_int(e->dims, 1);
  int64_t b;
  if (dim_is_int(e->dims, base, &b) && (b == 0 || b == 1 || b == -1))
    return v_int(e, n == 0 ? 1 : b == -1 ? (n % 2 ? -1 : 1) : b);
  if (n > 64) return dim_result(e, OP_pow, DIM_OVERFLOW, at);
  for (int64_t i = 0; i < n && r != DIM_OVERFLOW; i++) r = dim_mul(e->dims, r, base);
  return dim_result(e, OP_pow, r, at);
}

/* Two ints; NULL: go on as floats. */
static Value *int_binary(Elab *e, Op op, Dim a, Dim b, Loc at) {
  DimTab *t = e->dims;
  int64_t n;
  switch (op) {
  case OP_add: return dim_result(e, op, dim_add(t, a, b), at);
  case OP_sub: return dim_result(e, op, dim_sub(t, a, b), at);
  case OP_mul: return dim_result(e, op, dim_mul(t, a, b), at);
  case OP_floordiv:
  case OP_mod:
    if (dim_is(t, b, 0)) return elab_error(e, at, E0404, "`%s` by zero", op_spelling(op));
    return dim_result(e, op, op == OP_mod ? dim_mod(t, a, b) : dim_floordiv(t, a, b), at);
  case OP_pow: return dim_is_int(t, b, &n) && n >= 0 ? int_power(e, a, n, at) : NULL;
  case OP_maximum:
  case OP_minimum: {
    DimTruth le = dim_le(t, a, b), ge = dim_le(t, b, a);
    if (le == DIM_YES || ge == DIM_NO) return v_dim(e, op == OP_maximum ? b : a);
    if (ge == DIM_YES || le == DIM_NO) return v_dim(e, op == OP_maximum ? a : b);
    return sym(e, op, v_dim(e, a), v_dim(e, b));
  }
  default: return NULL;
  }
}

static double py_mod(double a, double b) {
  double r = fmod(a, b);
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

static Value *float_binary(Elab *e, Op op, double a, double b, Loc at) {
  switch (op) {
  case OP_add: return v_float(e, a + b);
  case OP_sub: return v_float(e, a - b);
  case OP_mul: return v_float(e, a * b);
  case OP_div:
  case OP_floordiv:
  case OP_mod:
    if (b == 0) return elab_error(e, at, E0404, "`%s` by zero", op_spelling(op));
    return v_float(e, op == OP_div ? a / b : op == OP_mod ? py_mod(a, b) : floor(a / b));
  case OP_pow: return v_float(e, pow(a, b));
  case OP_maximum: return v_float(e, a >= b ? a : b);
  case OP_minimum: return v_float(e, a <= b ? a : b);
  default: return NULL;
  }
}

static Value *truth(Elab *e, Op op, DimTruth t, bool negate, Value *a, Value *b) {
  if (t == DIM_UNKNOWN) return sym(e, op, a, b);
  return v_bool(e, (t == DIM_YES) != negate);
}

static Value *compare_ints(Elab *e, Op op, Value *a, Value *b) {
  DimTab *t = e->dims;
  Dim one = dim_int(t, 1);
  switch (op) {
  case OP_eq: return truth(e, op, dim_eq(t, a->i, b->i), false, a, b);
  case OP_ne: return truth(e, op, dim_eq(t, a->i, b->i), true, a, b);
  case OP_le: return truth(e, op, dim_le(t, a->i, b->i), false, a, b);
  case OP_ge: return truth(e, op, dim_le(t, b->i, a->i), false, a, b);
  case OP_lt: return truth(e, op, dim_le(t, dim_add(t, a->i, one), b->i), false, a, b);
  default: return truth(e, op, dim_le(t, dim_add(t, b->i, one), a->i), false, a, b);
  }
}

static bool is_number_kind(const Value *v) { return v->kind == V_INT || v->kind == V_FLOAT || v->kind == V_SYM; }

static Value *compare_static(Elab *e, Op op, Value *a, Value *b, Loc at) {
  double x, y;
  if (a->kind == V_INT && b->kind == V_INT) return compare_ints(e, op, a, b);
  if (v_number(e, a, &x) && v_number(e, b, &y)) {
    switch (op) {
    case OP_eq: return v_bool(e, x == y);
    case OP_ne: return v_bool(e, x != y);
    case OP_lt: return v_bool(e, x < y);
    case OP_le: return v_bool(e, x <= y);
    case OP_gt: return v_bool(e, x > y);
    default: return v_bool(e, x >= y);
    }
  }
  if (is_number_kind(a) && is_number_kind(b)) return sym(e, op, a, b);
  if (op == OP_eq || op == OP_ne) return v_bool(e, v_equal(e, a, b) == (op == OP_eq));
  if (a->kind == V_STR && b->kind == V_STR) {
    int c = strcmp(a->s, b->s);
    return v_bool(e, op == OP_lt ? c < 0 : op == OP_le ? c <= 0 : op == OP_gt ? c > 0 : c >= 0);
  }
  return elab_error(e, at, E0405, "`%s` does not compare %s with %s", op_spelling(op), value_kind_name(e, a),
                    value_kind_name(e, b));
}

Value *string_too_long(Elab *e, Loc at) {
  return elab_error(e, at, E0408, "a string of more than %lld bytes%s", (long long)limits[LIMIT_text],
                    limit_hint(LIMIT_text));
}

static Value *concat_lists(Elab *e, Value *a, Value *b, Loc at) {
  int n = a->list.n + b->list.n;
  if (n > limits[LIMIT_items])
    return elab_error(e, at, E0408, "a static list of %d items; at most %lld are possible%s", n,
                      (long long)limits[LIMIT_items], limit_hint(LIMIT_items));
  Value **items = arena_array(e->arena, Value *, n);
  for (int i = 0; i < a->list.n; i++) items[i] = a->list.items[i];
  for (int i = 0; i < b->list.n; i++) items[a->list.n + i] = b->list.items[i];
  return v_list(e, items, n);
}

/* Both operands static. */
Value *static_binary(Elab *e, Op op, Value *a, Value *b, Loc at) {
  double x, y;
  if (op >= OP_eq && op <= OP_ge) return compare_static(e, op, a, b, at);
  if (op == OP_add && a->kind == V_LIST && b->kind == V_LIST) return concat_lists(e, a, b, at);
  if (op == OP_add && a->kind == V_STR && b->kind == V_STR) {
    if (strlen(a->s) + strlen(b->s) > (size_t)limits[LIMIT_text]) return string_too_long(e, at);
    return v_str(e, arena_printf(e->arena, "%s%s", a->s, b->s));
  }
  if (a->kind == V_INT && b->kind == V_INT) {
    Value *v = int_binary(e, op, a->i, b->i, at);
    if (v) return v;
  }
  if (v_number(e, a, &x) && v_number(e, b, &y)) return float_binary(e, op, x, y, at);
  if (is_number_kind(a) && is_number_kind(b)) return sym(e, op, a, b);
  elab_error(e, at, E0405, "`%s` does not take %s and %s", op_spelling(op), value_kind_name(e, a),
             value_kind_name(e, b));
  if (a->kind == V_LIST || b->kind == V_LIST)
    elab_help(e,
              "arithmetic on lists goes item by item in a comprehension: `[x * 2 for x in xs]`; `+` joins two lists");
  return e->poison;
}

static double unary_value(Op op, double x, bool *known) {
  *known = true;
  switch (op) {
  case OP_neg: return -x;
  case OP_exp: return exp(x);
  case OP_log: return log(x);
  case OP_log1p: return log1p(x);
  case OP_expm1: return expm1(x);
  case OP_sqrt: return sqrt(x);
  case OP_rsqrt: return 1 / sqrt(x);
  case OP_sin: return sin(x);
  case OP_cos: return cos(x);
  case OP_tan: return tan(x);
  case OP_tanh: return tanh(x);
  case OP_sigmoid: return 1 / (1 + exp(-x));
  case OP_erf: return erf(x);
  case OP_abs: return fabs(x);
  case OP_sign: return (x > 0) - (x < 0);
  case OP_floor: return floor(x);
  case OP_ceil: return ceil(x);
  case OP_round: return nearbyint(x);
  case OP_stop_gradient: return x;
  default: *known = false; return 0;
  }
}

Value *static_unary(Elab *e, Op op, Value *a, Loc at) {
  double x;
  bool known;
  int64_t i;
  if (a->kind == V_INT && op == OP_neg) return dim_result(e, op, dim_neg(e->dims, a->i), at);
  if (op == OP_stop_gradient) return a;
  if (v_const_int(e, a, &i) && (op == OP_abs || op == OP_sign))
    return v_int(e, op == OP_abs ? (i < 0 ? -i : i) : (i > 0) - (i < 0));
  if (op == OP_not) {
    if (a->kind == V_BOOL) return v_bool(e, !a->b);
    if (is_open_bool(a)) {
      static const Op opposite[] = {OP_ne, OP_eq, OP_ge, OP_gt, OP_le, OP_lt}; /* of eq ne lt le gt ge */
      return sym(e, opposite[a->sym.op - OP_eq], a->sym.a, a->sym.b);
    }
    return elab_error(e, at, E0405, "`not` takes a bool, not %s", value_kind_name(e, a));
  }
  if (v_number(e, a, &x)) {
    double y = unary_value(op, x, &known);
    if (known && isnan(y) && !isnan(x))
      return elab_error(e, at, E0404, "`%s` of %g is not a number", op_info[op].name, x);
    if (known) return v_float(e, y);
  }
  if (is_number_kind(a) && !is_open_bool(a)) return sym(e, op, a, NULL);
  return elab_error(e, at, E0405, "`%s` does not take %s", op == OP_neg ? "-" : op_info[op].name,
                    value_kind_name(e, a));
}
