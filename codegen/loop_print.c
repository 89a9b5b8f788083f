/* The text form of the loop IR; loop_parse.c reads it back.
 *
 *   kernel NAME
 *   buf x f32            buf y f32 written      temp w f32 written      scratch s f32 1024
 *   table t i32 2 00000000ffffffff              size n
 *   {
 *     parallel i 0 n 1 {            (or: for, vector, vectors)
 *       let a f32 = x[i]            x[i ? guard] is 0 where the guard fails; x[i : 16] is a vector
 *       y[i] = add.f32(a, 0x1p+0:f32)
 *     }
 *   }
 * Index arithmetic is (a + b), min(a, b), …; element arithmetic carries its type; micro-kernels stand before their
 * users. */
#include "base/ds.h"
#include "codegen/loop_internal.h"

static void put_x(Buf *b, const LExpr *x);
static void put_list(Buf *b, const LExpr *x) {
  buf_char(b, '(');
  for (int k = 0; k < x->n_in; k++) {
    if (k) buf_str(b, ", ");
    put_x(b, x->in[k]);
  }
  buf_char(b, ')');
}
static void put_x(Buf *b, const LExpr *x) {
  switch (x->kind) {
  case X_INT: buf_printf(b, "%lld", (long long)x->i); break;
  case X_NUM: buf_printf(b, "%a:%s", x->num, dtype_name(x->dtype)); break;
  case X_VAR: buf_str(b, x->var->name); break;
  case X_ADD:
  case X_SUB:
  case X_MUL:
  case X_DIV:
  case X_MOD:
  case X_LT:
  case X_GE:
  case X_EQ:
  case X_AND:
    buf_char(b, '(');
    put_x(b, x->in[0]);
    buf_printf(b, " %s ", x_names[x->kind]);
    put_x(b, x->in[1]);
    buf_char(b, ')');
    break;
  case X_OP:
    buf_printf(b, "%s.%s", op_info[x->op].name, dtype_name(x->dtype));
    put_list(b, x);
    break;
  case X_LOAD:
    buf_printf(b, "%s[", x->arr->name);
    put_x(b, x->in[0]);
    if (x->in[1]) {
      buf_str(b, " ? ");
      put_x(b, x->in[1]);
    }
    if (x->lanes > 1) buf_printf(b, " : %d", x->lanes);
    buf_char(b, ']');
    break;
  case X_SPLAT:
    buf_str(b, "splat(");
    put_x(b, x->in[0]);
    buf_printf(b, ", %d)", x->lanes);
    break;
  case X_WEAVE:
    buf_str(b, "weave(");
    put_x(b, x->in[0]);
    buf_str(b, ", ");
    put_x(b, x->in[1]);
    buf_printf(b, ", %lld)", (long long)x->i);
    break;
  case X_UNIFORM:
    buf_printf(b, "uniform.%s", dtype_name(x->dtype));
    put_list(b, x);
    break;
  default: buf_str(b, x_names[x->kind]); put_list(b, x);
  }
}

static void put_type(Buf *b, const LVar *v) {
  buf_str(b, dtype_name(v->dtype));
  if (v->lanes > 1) buf_printf(b, "x%d", v->lanes);
}
static void put_block(Buf *b, LBlock body, int depth);
static void put_stmt(Buf *b, const LStmt *s, int depth) {
  static const char *const modes[] = {"for", "parallel", "vector", "vectors"};
  buf_fill(b, ' ', 2 * depth);
  switch (s->kind) {
  case S_FOR:
    buf_printf(b, "%s %s ", modes[s->mode], s->var->name);
    put_x(b, s->lo);
    buf_char(b, ' ');
    put_x(b, s->hi);
    buf_printf(b, " %lld ", (long long)s->step);
    put_block(b, s->body, depth);
    break;
  case S_LET:
  case S_VAR:
    buf_printf(b, "%s %s ", s->kind == S_LET ? "let" : "var", s->var->name);
    put_type(b, s->var);
    buf_str(b, " = ");
    put_x(b, s->value);
    break;
  case S_ASSIGN:
    buf_printf(b, "set %s = ", s->var->name);
    put_x(b, s->value);
    break;
  case S_STORE:
    buf_printf(b, "%s[", s->arr->name);
    put_x(b, s->index);
    buf_str(b, "] = ");
    put_x(b, s->value);
    break;
  case S_LOCAL:
    buf_printf(b, "local %s %s %lld", s->arr->name, dtype_name(s->arr->dtype), (long long)s->arr->count);
    break;
  case S_IF:
    buf_str(b, "if ");
    put_x(b, s->value);
    buf_char(b, ' ');
    put_block(b, s->body, depth);
    if (s->other) {
      buf_str(b, " else ");
      put_block(b, s->other, depth);
    }
    break;
  case S_CALL:
  case S_RUN:
    buf_printf(b, "%s %s(", s->kind == S_RUN ? "run" : "call", s->kind == S_RUN ? s->function->name : s->callee->name);
    for (int i = 0; i < arrlen(s->args); i++) {
      if (i) buf_str(b, ", ");
      if (s->args[i].arr) buf_printf(b, "%s @ ", s->args[i].arr->name);
      put_x(b, s->args[i].x);
    }
    buf_char(b, ')');
    break;
  }
  buf_char(b, '\n');
}
static void put_block(Buf *b, LBlock body, int depth) {
  buf_str(b, "{\n");
  for (int i = 0; i < arrlen(body); i++) put_stmt(b, body[i], depth + 1);
  buf_fill(b, ' ', 2 * depth);
  buf_char(b, '}');
}

static void put_array(Buf *b, const LArr *a) {
  static const char *const kinds[] = {"buf", "temp", "scratch", "local", "table"};
  if (a->kind == ARR_STACK) return;
  buf_printf(b, "%s %s %s", kinds[a->kind], a->name, dtype_name(a->dtype));
  if (a->kind == ARR_SCRATCH || a->kind == ARR_TABLE) buf_printf(b, " %lld", (long long)a->count);
  else if (a->written) buf_str(b, " written");
  if (a->kind == ARR_TABLE) {
    const unsigned char *p = a->data;
    buf_char(b, ' ');
    for (int64_t i = 0; i < a->count * dtype_size(a->dtype); i++) buf_printf(b, "%02x", p[i]);
  }
  buf_char(b, '\n');
}

void kernel_print(const Kernel *k, Buf *b) {
  for (int i = 0; i < arrlen(k->callees); i++) kernel_print(k->callees[i], b);
  buf_printf(b, "kernel %s%s\n", k->name, k->shared_arrays ? " inplace" : "");
  for (int i = 0; i < arrlen(k->params); i++) {
    if (k->params[i].arr) put_array(b, k->params[i].arr);
    else buf_printf(b, "size %s\n", k->params[i].var->name);
  }
  for (int i = 0; i < arrlen(k->arrs); i++)
    if (k->arrs[i]->kind == ARR_SCRATCH || k->arrs[i]->kind == ARR_TABLE) put_array(b, k->arrs[i]);
  put_block(b, k->body, 0);
  buf_char(b, '\n');
}
