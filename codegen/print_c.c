/* Kernels and their statements as C; with print_expr.c the one place that writes C text of kernels. */
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
    c_put_x(b, s->hi);
    buf_str(b, ", team->tid + 1, team->n);\n");
    begin_line(p, s);
    buf_printf(b, "for (int64_t %s = dnn_part(", i);
    c_put_x(b, s->hi);
    buf_printf(b, ", team->tid, team->n); %s < %s_end; %s++) {\n", i, i, i);
  } else {
    if (s->mode == FOR_LINE) {
      buf_str(b, "DNN_LINE\n");
      begin_line(p, s);
    }
    buf_printf(b, "for (int64_t %s = ", i);
    c_put_x(b, s->lo);
    buf_printf(b, "; %s < ", i);
    c_put_x(b, s->hi);
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
    buf_printf(b, "*(dnn_%sx%du *)(", dtype_name(t), s->value->lanes);
    c_put_at(b, s->arr, s->index);
    buf_str(b, ") = ");
  } else {
    buf_printf(b, "%s[", s->arr->name);
    c_put_x(b, s->index);
    buf_str(b, "] = ");
  }
  if (t == F16 || t == BF16) buf_printf(b, "dnn_bits_%s(", dtype_name(t));
  if (t == BOOL) buf_str(b, "(uint8_t)(");
  c_put_x(b, s->value);
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
    if (a.arr) c_put_at(b, a.arr, a.x);
    else c_put_x(b, a.x);
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
    c_put_type(b, s->var->dtype, s->var->lanes);
    buf_printf(b, " %s = ", s->var->name);
    c_put_x(b, s->value);
    buf_str(b, ";\n");
    break;
  case S_ASSIGN:
    buf_printf(b, "%s = ", s->var->name);
    c_put_x(b, s->value);
    buf_str(b, ";\n");
    break;
  case S_STORE: put_store(p, s); break;
  case S_LOCAL:
    buf_printf(b, "%s %s[%lld];\n", c_memory_type(s->arr->dtype), s->arr->name, (long long)s->arr->count);
    break;
  case S_IF:
    buf_str(b, "if (");
    c_put_x(b, s->value);
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
      snprintf(s, sizeof s, "%s%s *%s%s,", a->written ? "" : "const ", c_memory_type(a->dtype),
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
  buf_printf(b, "  static const %s %s[%lld] = {", c_memory_type(a->dtype), a->name, (long long)a->count);
  for (int64_t i = 0; i < a->count; i++) {
    buf_str(b, i % 12 ? " " : "\n      ");
    switch (a->dtype) {
    case F64: c_put_num(b, ((const double *)a->data)[i], F64); break;
    case F32: c_put_num(b, ((const float *)a->data)[i], F32); break;
    case F16:
    case BF16: buf_printf(b, "%u", ((const uint16_t *)a->data)[i]); break;
    case I64: c_put_int(b, ((const int64_t *)a->data)[i]); break;
    case I32:
      if (((const int32_t *)a->data)[i] == INT32_MIN) buf_str(b, "INT32_MIN");
      else c_put_int(b, ((const int32_t *)a->data)[i]);
      break;
    case I8: c_put_int(b, ((const int8_t *)a->data)[i]); break;
    default: c_put_int(b, ((const uint8_t *)a->data)[i]);
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
      buf_printf(b, "  %s *restrict const %s = (%s *)(void *)(team->scratch + %lld);\n", c_memory_type(a->dtype),
                 a->name, c_memory_type(a->dtype), (long long)a->offset);
  }
  put_block(&p, k->body);
  lines_put(&p.lines, b, k->loc);
  buf_str(b, "}\n");
}
void kernel_print_c(const Kernel *k, Buf *b) { kernel_print_lines(k, NULL, b); }
