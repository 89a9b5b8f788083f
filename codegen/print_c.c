/* The one place that writes C text of kernels. */
#include "base/ds.h"
#include "codegen/lines.h"
#include "codegen/loop_internal.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Print {
  Buf *b;
  int depth;
  Lines lines;
} Print;

static const char *value_type(DType t) {
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
static const char *memory_type(DType t) {
  return t == F16 || t == BF16 ? "uint16_t" : t == BOOL ? "uint8_t" : value_type(t);
}
/* Suffix of the runtime's functions for computing in t. */
static const char *suffix(DType t) { return t == F16 || t == BF16 ? "f32" : t == BOOL ? "u8" : dtype_name(t); }

static void put_type(Buf *b, DType t, int lanes) {
  if (lanes == 1) buf_str(b, value_type(t));
  else buf_printf(b, "dnn_%sx%d", dtype_name(t), lanes);
}

static void put_int(Buf *b, int64_t v) {
  if (v > INT32_MAX || v < -INT32_MAX) {
    if (v == INT64_MIN) buf_str(b, "INT64_MIN");
    else buf_printf(b, "INT64_C(%lld)", (long long)v);
  } else buf_printf(b, "%lld", (long long)v);
}
static void put_num(Buf *b, double v, DType t) {
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
    put_int(b, scalar_wrap(t, i));
  }
}

static void put_x(Buf *b, const LExpr *x);
static void put_call(Buf *b, const char *f, const LExpr *x) {
  buf_printf(b, "%s(", f);
  for (int k = 0; k < x->n_in; k++) {
    if (k) buf_str(b, ", ");
    put_x(b, x->in[k]);
  }
  buf_char(b, ')');
}
static void put_infix(Buf *b, const LExpr *x, const char *op) {
  buf_char(b, '(');
  put_x(b, x->in[0]);
  buf_printf(b, " %s ", op);
  put_x(b, x->in[1]);
  buf_char(b, ')');
}

static void put_cast(Buf *b, const LExpr *x) {
  DType to = x->dtype, from = x->in[0]->dtype;
  if (to == BOOL) {
    buf_char(b, '(');
    put_x(b, x->in[0]);
    buf_str(b, " != 0)");
  } else if (dtype_is_float(from) && !dtype_is_float(to)) {
    buf_printf(b, "dnn_to_%s(", dtype_name(to));
    put_x(b, x->in[0]);
    buf_char(b, ')');
  } else {
    buf_printf(b, "(%s)", value_type(to));
    put_x(b, x->in[0]);
  }
}

/* Functions of floats (runtime/core/maths.h, kernel.h; exact ones are libm's): NULL where C has a sign for the op. */
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

static void put_op(Buf *b, const LExpr *x) {
  DType t = x->in[0]->dtype;
  if (x->op == OP_stop_gradient) {
    put_x(b, x->in[0]);
  } else if (x->op == OP_not) {
    buf_char(b, '!');
    put_x(b, x->in[0]);
  } else if (x->op == OP_mix_key) {
    put_call(b, "dnn_mix_key", x);
  } else if (dtype_is_float(t)) {
    const char *f = float_function(x->op, t == F64);
    if (f) put_call(b, f, x);
    else if (x->op == OP_neg) {
      buf_str(b, "(-");
      put_x(b, x->in[0]);
      buf_char(b, ')');
    } else if (infix(x->op)) put_infix(b, x, infix(x->op));
    else INTERNAL("no C for op %s", op_info[x->op].name);
  } else if (infix(x->op) && (op_info[x->op].flags & CMP || x->op == OP_and || x->op == OP_or)) {
    put_infix(b, x, infix(x->op));
  } else if (x->op == OP_floordiv || x->op == OP_mod) {
    buf_printf(b, "(%s)", value_type(t));
    put_call(b, x->op == OP_mod ? "dnn_floormod" : "dnn_floordiv", x);
  } else if (x->op == OP_maximum || x->op == OP_minimum) {
    if (t == I64) put_call(b, x->op == OP_maximum ? "dnn_max" : "dnn_min", x);
    else {
      buf_printf(b, "(%s)", value_type(t));
      put_call(b, x->op == OP_maximum ? "dnn_max" : "dnn_min", x);
    }
  } else {
    char f[40];
    snprintf(f, sizeof f, "dnn_%s_%s", op_info[x->op].name, suffix(t));
    put_call(b, f, x);
  }
}

static void put_load(Buf *b, const LExpr *x) {
  if (x->in[1]) {
    buf_char(b, '(');
    put_x(b, x->in[1]);
    buf_str(b, " ? ");
  }
  DType t = x->dtype;
  if (x->lanes > 1) {
    buf_printf(b, "*(const dnn_%sx%du *)(%s + ", dtype_name(t), x->lanes, x->arr->name);
    put_x(b, x->in[0]);
    buf_char(b, ')');
  } else {
    if (t == F16 || t == BF16) buf_printf(b, "dnn_from_%s(", dtype_name(t));
    buf_printf(b, "%s[", x->arr->name);
    put_x(b, x->in[0]);
    buf_char(b, ']');
    if (t == F16 || t == BF16) buf_char(b, ')');
  }
  if (x->in[1]) {
    buf_str(b, " : ");
    put_num(b, 0, t);
    buf_char(b, ')');
  }
}

static void put_x(Buf *b, const LExpr *x) {
  switch (x->kind) {
  case X_INT:
    if (x->i < 0) buf_char(b, '(');
    put_int(b, x->i);
    if (x->i < 0) buf_char(b, ')');
    break;
  case X_NUM:
    if (x->num < 0) buf_char(b, '(');
    put_num(b, x->num, x->dtype);
    if (x->num < 0) buf_char(b, ')');
    break;
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
    buf_char(b, '(');
    put_x(b, x->in[0]);
    buf_str(b, " ? ");
    put_x(b, x->in[1]);
    buf_str(b, " : ");
    put_x(b, x->in[2]);
    buf_char(b, ')');
    break;
  case X_LOAD: put_load(b, x); break;
  case X_SPLAT:
    buf_char(b, '(');
    put_x(b, x->in[0]);
    buf_printf(b, " - (dnn_%sx%d){0})", dtype_name(x->dtype), x->lanes);
    break;
  case X_FMA:
    put_x(b, x->in[0]);
    buf_str(b, " * ");
    put_x(b, x->in[1]);
    buf_str(b, " + ");
    put_x(b, x->in[2]);
    break;
  case X_WEAVE: {
    int64_t d = x->i < 0 ? -x->i : x->i;
    buf_str(b, "__builtin_shufflevector(");
    put_x(b, x->in[0]);
    buf_str(b, ", ");
    put_x(b, x->in[1]);
    for (int64_t l = 0; l < x->lanes; l++)
      buf_printf(b, ", %lld", (long long)(l & d ? x->lanes + l - (x->i > 0 ? d : 0) : l + (x->i > 0 ? 0 : d)));
    buf_char(b, ')');
    break;
  }
  case X_UNIFORM:
    if (x->dtype == F16 || x->dtype == BF16) buf_printf(b, "dnn_round_%s(", dtype_name(x->dtype));
    buf_printf(b, "dnn_uniform_%s(", suffix(x->dtype));
    put_x(b, x->in[0]);
    buf_str(b, ", (uint64_t)");
    put_x(b, x->in[1]);
    buf_str(b, ", ");
    put_x(b, x->in[2]);
    buf_char(b, ')');
    if (x->dtype == F16 || x->dtype == BF16) buf_char(b, ')');
    break;
  case X_CHECK:
    if (x->in[3]) {
      buf_char(b, '(');
      put_x(b, x->in[3]);
      buf_str(b, " ? ");
    }
    buf_str(b, "dnn_check(team, ");
    put_x(b, x->in[0]);
    buf_str(b, ", ");
    put_x(b, x->in[1]);
    buf_str(b, ", ");
    put_x(b, x->in[2]);
    buf_char(b, ')');
    if (x->in[3]) buf_str(b, " : 0)");
    break;
  default: INTERNAL("no C for expression kind %d", (int)x->kind);
  }
}

/* An expression without the parentheses around it. */
static void put_top(Buf *b, const LExpr *x) {
  size_t at = b->n;
  put_x(b, x);
  if (b->s[at] != '(' || b->s[b->n - 1] != ')') return;
  int depth = 0;
  for (size_t i = at; i + 1 < b->n; i++) {
    depth += b->s[i] == '(' ? 1 : b->s[i] == ')' ? -1 : 0;
    if (!depth) return;
  }
  memmove(b->s + at, b->s + at + 1, b->n - at - 2);
  b->n -= 2;
  b->s[b->n] = 0;
}

static void put_block(Print *p, LBlock body);
static void begin_line(Print *p, const LStmt *s) {
  lines_put(&p->lines, p->b, s->loc);
  buf_fill(p->b, ' ', 2 * p->depth);
}

static void put_for(Print *p, const LStmt *s) {
  Buf *b = p->b;
  const char *i = s->var->name;
  if (s->mode == FOR_PARALLEL) {
    buf_printf(b, "const int64_t %s_end = dnn_part(", i);
    put_top(b, s->hi);
    buf_str(b, ", team->tid + 1, team->n);\n");
    begin_line(p, s);
    buf_printf(b, "for (int64_t %s = dnn_part(", i);
    put_top(b, s->hi);
    buf_printf(b, ", team->tid, team->n); %s < %s_end; %s++) {\n", i, i, i);
  } else {
    buf_printf(b, "for (int64_t %s = ", i);
    put_top(b, s->lo);
    buf_printf(b, "; %s < ", i);
    put_top(b, s->hi);
    if (s->step == 1) buf_printf(b, "; %s++) {\n", i);
    else buf_printf(b, "; %s += %lld) {\n", i, (long long)s->step);
  }
  put_block(p, s->body);
  begin_line(p, s);
  buf_str(b, "}\n");
}

static void put_store(Print *p, const LStmt *s) {
  Buf *b = p->b;
  DType t = s->arr->dtype;
  if (s->value->lanes > 1) {
    buf_printf(b, "*(dnn_%sx%du *)(%s + ", dtype_name(t), s->value->lanes, s->arr->name);
    put_x(b, s->index);
    buf_str(b, ") = ");
  } else {
    buf_printf(b, "%s[", s->arr->name);
    put_top(b, s->index);
    buf_str(b, "] = ");
  }
  if (t == F16 || t == BF16) buf_printf(b, "dnn_bits_%s(", dtype_name(t));
  if (t == BOOL) buf_str(b, "(uint8_t)(");
  put_top(b, s->value);
  if (t == F16 || t == BF16 || t == BOOL) buf_char(b, ')');
  buf_str(b, ";\n");
}

static void put_stmt_call(Print *p, const LStmt *s) {
  Buf *b = p->b;
  if (s->kind == S_RUN) buf_printf(b, "dnn_%s(", s->function->name);
  else buf_printf(b, "%s(", kernel_name(s->callee));
  for (int i = 0; i < arrlen(s->args); i++) {
    CallArg a = s->args[i];
    if (i) buf_str(b, ", ");
    if (a.arr) {
      buf_printf(b, "%s + ", a.arr->name);
      put_x(b, a.x);
    } else put_top(b, a.x);
  }
  buf_str(b, s->kind == S_RUN ? ");\n" : ", team);\n");
}

static void put_stmt(Print *p, const LStmt *s) {
  Buf *b = p->b;
  begin_line(p, s);
  switch (s->kind) {
  case S_FOR: put_for(p, s); break;
  case S_LET:
    buf_str(b, "const ");
    /* fall through */
  case S_VAR:
    put_type(b, s->var->dtype, s->var->lanes);
    buf_printf(b, " %s = ", s->var->name);
    put_top(b, s->value);
    buf_str(b, ";\n");
    break;
  case S_ASSIGN:
    buf_printf(b, "%s = ", s->var->name);
    put_top(b, s->value);
    buf_str(b, ";\n");
    break;
  case S_STORE: put_store(p, s); break;
  case S_LOCAL:
    buf_printf(b, "%s %s[%lld];\n", memory_type(s->arr->dtype), s->arr->name, (long long)s->arr->count);
    break;
  case S_IF:
    buf_str(b, "if (");
    put_top(b, s->value);
    buf_str(b, ") {\n");
    put_block(p, s->body);
    begin_line(p, s);
    buf_char(b, '}');
    if (s->other) {
      buf_str(b, " else {\n");
      put_block(p, s->other);
      begin_line(p, s);
      buf_char(b, '}');
    }
    buf_char(b, '\n');
    break;
  case S_CALL:
  case S_RUN: put_stmt_call(p, s); break;
  }
}
static void put_block(Print *p, LBlock body) {
  p->depth++;
  for (int i = 0; i < arrlen(body); i++) put_stmt(p, body[i]);
  p->depth--;
}

static bool block_uses_team(LBlock body);
static bool x_uses_team(const LExpr *x) {
  if (x->kind == X_CHECK) return true;
  for (int k = 0; k < x->n_in; k++)
    if (x->in[k] && x_uses_team(x->in[k])) return true;
  return false;
}
static void see_team(void *ctx, LExpr **slot) { *(bool *)ctx |= x_uses_team(*slot); }
static bool block_uses_team(LBlock body) {
  for (int i = 0; i < arrlen(body); i++) {
    LStmt *s = body[i];
    bool found = (s->kind == S_FOR && s->mode == FOR_PARALLEL) || s->kind == S_CALL;
    stmt_exprs(s, see_team, &found);
    if (found || block_uses_team(s->body) || block_uses_team(s->other)) return true;
  }
  return false;
}

const char *kernel_name(const Kernel *k) {
  return arena_printf(k->arena, "%s_k%d_%s", k->prefix ? k->prefix : "dnn", k->index, k->name);
}

static void put_head(const Kernel *k, Lines *lines, Buf *b) {
  size_t line = b->n, indent_by;
  buf_printf(b, "void %s(", kernel_name(k));
  indent_by = b->n - line;
  for (int i = 0; i <= arrlen(k->params); i++) {
    char s[160];
    if (i == arrlen(k->params)) snprintf(s, sizeof s, "DnnTeam *team)");
    else if (k->params[i].arr) {
      const LArr *a = k->params[i].arr;
      snprintf(s, sizeof s, "%s%s *%s%s,", a->written ? "" : "const ", memory_type(a->dtype),
               k->shared_arrays ? "" : "restrict ", a->name);
    } else snprintf(s, sizeof s, "int64_t %s,", k->params[i].var->name);
    if (b->n - line + strlen(s) + 3 > 120) {
      buf_char(b, '\n');
      lines_put(lines, b, k->loc);
      line = b->n;
      buf_fill(b, ' ', (int)indent_by);
    } else if (i) buf_char(b, ' ');
    buf_str(b, s);
  }
}
void kernel_print_prototype(const Kernel *k, Buf *b) {
  put_head(k, &(Lines){0}, b);
  buf_str(b, ";\n");
}

static void put_table(const LArr *a, Buf *b) {
  buf_printf(b, "  static const %s %s[%lld] = {", memory_type(a->dtype), a->name, (long long)a->count);
  for (int64_t i = 0; i < a->count; i++) {
    buf_str(b, i % 12 ? " " : "\n      ");
    switch (a->dtype) {
    case F64: put_num(b, ((const double *)a->data)[i], F64); break;
    case F32: put_num(b, ((const float *)a->data)[i], F32); break;
    case F16:
    case BF16: buf_printf(b, "%u", ((const uint16_t *)a->data)[i]); break;
    case I64: put_int(b, ((const int64_t *)a->data)[i]); break;
    case I32:
      if (((const int32_t *)a->data)[i] == INT32_MIN) buf_str(b, "INT32_MIN");
      else put_int(b, ((const int32_t *)a->data)[i]);
      break;
    case I8: put_int(b, ((const int8_t *)a->data)[i]); break;
    default: put_int(b, ((const uint8_t *)a->data)[i]);
    }
    buf_char(b, ',');
  }
  buf_str(b, "};\n");
}

void kernel_print_lines(const Kernel *k, const Diag *diag, Buf *b) {
  Print p = {.b = b, .lines = {.diag = diag}};
  lines_back(&p.lines, b); /* kernels that belong to no place, such as register tiles */
  if (k->comment && k->comment[0]) buf_printf(b, "/* %s */\n", k->comment);
  lines_put(&p.lines, b, k->loc);
  put_head(k, &p.lines, b);
  buf_str(b, " {\n");
  if (!block_uses_team(k->body) && !k->scratch_bytes) buf_str(b, "  (void)team;\n");
  for (int i = 0; i < arrlen(k->arrs); i++) {
    const LArr *a = k->arrs[i];
    if (a->kind == ARR_TABLE || a->kind == ARR_SCRATCH) lines_put(&p.lines, b, k->loc);
    if (a->kind == ARR_TABLE) put_table(a, b);
    if (a->kind == ARR_SCRATCH)
      buf_printf(b, "  %s *restrict const %s = (%s *)(void *)(team->scratch + %lld);\n", memory_type(a->dtype), a->name,
                 memory_type(a->dtype), (long long)a->offset);
  }
  put_block(&p, k->body);
  lines_put(&p.lines, b, k->loc);
  buf_str(b, "}\n");
}
void kernel_print_c(const Kernel *k, Buf *b) { kernel_print_lines(k, NULL, b); }
