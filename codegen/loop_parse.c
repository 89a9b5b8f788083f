/* Reads the text form of the loop IR (loop_print.c). */
#include "base/ds.h"
#include "codegen/loop_internal.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef struct Parse {
  Arena *arena;
  const char *s;
  Buf *why;
  bool failed;
  Kernel *k;
  Kernel **known; /* stb_ds: kernels that can be called */
  LVar **scope;   /* stb_ds: the innermost last */
  int level;
} Parse;

static void fail(Parse *p, const char *what) {
  if (p->failed) return;
  p->failed = true;
  int n = 0;
  while (p->s[n] && p->s[n] != '\n' && n < 40) n++;
  buf_printf(p->why, "expected %s at `%.*s`", what, n, p->s);
}
static void blanks(Parse *p) {
  while (isspace((unsigned char)*p->s)) p->s++;
}
static bool accept(Parse *p, const char *t) {
  blanks(p);
  size_t n = strlen(t);
  if (strncmp(p->s, t, n)) return false;
  if (isalnum((unsigned char)t[n - 1]) && (isalnum((unsigned char)p->s[n]) || p->s[n] == '_')) return false;
  p->s += n;
  return true;
}
static void expect(Parse *p, const char *t) {
  if (!accept(p, t)) fail(p, t);
}
static const char *word(Parse *p) {
  blanks(p);
  const char *at = p->s;
  while (isalnum((unsigned char)*p->s) || *p->s == '_') p->s++;
  if (p->s == at) fail(p, "a name");
  return intern_n(at, (size_t)(p->s - at));
}
static int64_t number(Parse *p) {
  blanks(p);
  char *end;
  int64_t v = strtoll(p->s, &end, 10);
  if (end == p->s) fail(p, "a number");
  p->s = end;
  return v;
}
static DType type(Parse *p) {
  blanks(p);
  const char *at = p->s;
  while (isalnum((unsigned char)*p->s) && !(*p->s == 'x' && p->s > at)) p->s++;
  DType t = F32;
  char name[16];
  snprintf(name, sizeof name, "%.*s", (int)(p->s - at), at);
  if (!dtype_parse(name, &t)) fail(p, "an element type");
  return t;
}

static LArr *find_array(Parse *p, const char *name) {
  for (int i = (int)arrlen(p->k->arrs) - 1; i >= 0; i--)
    if (p->k->arrs[i]->name == name) return p->k->arrs[i];
  return NULL;
}
static LVar *find_var(Parse *p, const char *name) {
  for (int i = (int)arrlen(p->scope) - 1; i >= 0; i--)
    if (p->scope[i]->name == name) return p->scope[i];
  return NULL;
}
static LVar *declare(Parse *p, const char *name, DType t, int lanes, bool mutable) {
  LVar *v = arena_one(p->arena, LVar);
  *v = (LVar){
      .name = name, .dtype = t, .lanes = lanes, .level = p->level, .mutable = mutable, .id = (int)arrlen(p->k->vars)};
  arrput(p->k->vars, v);
  arrput(p->scope, v);
  return v;
}
static LArr *declare_array(Parse *p, ArrKind kind) {
  LArr *a = arena_one(p->arena, LArr);
  a->kind = kind;
  a->name = word(p);
  a->dtype = type(p);
  a->id = (int)arrlen(p->k->arrs);
  a->buf = -1;
  arrput(p->k->arrs, a);
  return a;
}

static LExpr *node(Parse *p, XKind kind, DType t, int lanes) {
  LExpr *x = arena_one(p->arena, LExpr);
  x->kind = kind;
  x->dtype = t;
  x->lanes = lanes;
  return x;
}
static LExpr *expr(Parse *p);
static void operands(Parse *p, LExpr *x) { /* after "(" */
  do {
    if (x->n_in == 4) fail(p, "`)`");
    else x->in[x->n_in++] = expr(p);
  } while (!p->failed && accept(p, ","));
  expect(p, ")");
}

static LExpr *infix(Parse *p) {
  static const XKind kinds[] = {X_ADD, X_SUB, X_MUL, X_DIV, X_MOD, X_LT, X_GE, X_EQ, X_AND};
  LExpr *a = expr(p);
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    if (!accept(p, x_names[kinds[i]])) continue;
    LExpr *x = node(p, kinds[i], kinds[i] >= X_LT ? BOOL : I64, 1);
    x->in[0] = a;
    x->in[1] = expr(p);
    x->n_in = 2;
    expect(p, ")");
    return x;
  }
  fail(p, "an operator");
  return a;
}

static LExpr *named(Parse *p) {
  const char *name = word(p);
  if (accept(p, ".")) {
    DType t = type(p);
    bool random = !strcmp(name, "uniform");
    LExpr *x = node(p, random ? X_UNIFORM : X_OP, t, 1);
    x->op = random ? OP_NONE : (Op)op_by_name(name);
    if (!random && x->op == OP_NONE) fail(p, "an op");
    expect(p, "(");
    operands(p, x);
    if (x->in[0]) x->lanes = x->in[0]->lanes;
    return x;
  }
  LArr *a = find_array(p, name);
  if (a && accept(p, "[")) {
    LExpr *x = node(p, X_LOAD, a->dtype, 1);
    x->arr = a;
    x->in[0] = expr(p);
    x->n_in = 1;
    if (accept(p, "?")) {
      x->in[1] = expr(p);
      x->n_in = 2;
    }
    if (accept(p, ":")) x->lanes = (int)number(p);
    expect(p, "]");
    return x;
  }
  LVar *v = find_var(p, name);
  if (v) {
    LExpr *x = node(p, X_VAR, v->dtype, v->lanes);
    x->var = v;
    return x;
  }
  static const XKind kinds[] = {X_MIN, X_MAX, X_SELECT, X_SPLAT, X_FMA, X_CHECK, X_WEAVE};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    if (strcmp(name, x_names[kinds[i]])) continue;
    LExpr *x = node(p, kinds[i], I64, 1);
    expect(p, "(");
    operands(p, x);
    static const int counts[] = {
        [X_MIN] = 2, [X_MAX] = 2, [X_SELECT] = 3, [X_SPLAT] = 2, [X_FMA] = 3, [X_CHECK] = 3, [X_WEAVE] = 3};
    if (!p->failed && x->n_in < counts[x->kind]) fail(p, "more operands");
    if (p->failed) return x;
    if (x->kind == X_SPLAT) {
      x->lanes = (int)x->in[1]->i;
      x->n_in = 1;
      x->dtype = x->in[0]->dtype;
    } else if (x->kind == X_WEAVE) {
      x->i = x->in[2]->i;
      x->n_in = 2;
      x->dtype = x->in[0]->dtype;
      x->lanes = x->in[0]->lanes;
    } else if (x->kind == X_SELECT || x->kind == X_FMA) {
      x->dtype = x->in[x->kind == X_FMA ? 2 : 1]->dtype;
      x->lanes = x->in[x->kind == X_FMA ? 2 : 1]->lanes;
    }
    return x;
  }
  fail(p, "a declared name");
  return node(p, X_INT, I64, 1);
}

static LExpr *expr(Parse *p) {
  blanks(p);
  if (p->failed) return node(p, X_INT, I64, 1);
  if (accept(p, "(")) return infix(p);
  const char *c = p->s;
  bool special = !strncmp(c, "nan:", 4) || !strncmp(c, "inf:", 4) || !strncmp(c, "-nan:", 5) || !strncmp(c, "-inf:", 5);
  if (!special && (isalpha((unsigned char)*c) || *c == '_')) return named(p);
  char *end;
  double d = strtod(c, &end);
  if (end == c) {
    fail(p, "an expression");
    return node(p, X_INT, I64, 1);
  }
  if (*end == ':') {
    p->s = end + 1;
    LExpr *x = node(p, X_NUM, type(p), 1);
    x->num = d;
    return x;
  }
  LExpr *x = node(p, X_INT, I64, 1);
  x->i = number(p);
  return x;
}

static void call_args(Parse *p, LStmt *s) {
  expect(p, "(");
  if (accept(p, ")")) return;
  do {
    CallArg a = {0};
    const char *back = p->s;
    blanks(p);
    if (isalpha((unsigned char)*p->s)) {
      LArr *arr = find_array(p, word(p));
      if (arr && accept(p, "@")) a.arr = arr;
      else p->s = back;
    }
    a.x = expr(p);
    arrput(s->args, a);
  } while (!p->failed && accept(p, ","));
  expect(p, ")");
}

static LBlock block(Parse *p);
static LStmt *stmt(Parse *p) {
  static const char *const modes[] = {"for", "parallel", "vector", "vectors"};
  LStmt *s = arena_one(p->arena, LStmt);
  for (int m = 0; m < 4; m++) {
    if (!accept(p, modes[m])) continue;
    s->kind = S_FOR;
    s->mode = (ForMode)m;
    const char *name = word(p);
    s->lo = expr(p);
    s->hi = expr(p);
    s->step = number(p);
    size_t scope = arrlenu(p->scope);
    p->level++;
    s->var = declare(p, name, I64, 1, false);
    s->body = block(p);
    p->level--;
    arrsetlen(p->scope, scope);
    return s;
  }
  if (accept(p, "let") || accept(p, "var")) {
    bool mutable = p->s[-1] == 'r';
    s->kind = mutable ? S_VAR : S_LET;
    const char *name = word(p);
    DType t = type(p);
    int lanes = 1;
    if (*p->s == 'x') {
      p->s++;
      lanes = (int)number(p);
    }
    expect(p, "=");
    s->value = expr(p);
    s->var = declare(p, name, t, lanes, mutable);
  } else if (accept(p, "set")) {
    s->kind = S_ASSIGN;
    s->var = find_var(p, word(p));
    if (!s->var || !s->var->mutable) fail(p, "a mutable variable");
    expect(p, "=");
    s->value = expr(p);
  } else if (accept(p, "local")) {
    s->kind = S_LOCAL;
    s->arr = declare_array(p, ARR_STACK);
    s->arr->written = true;
    s->arr->count = number(p);
  } else if (accept(p, "if")) {
    s->kind = S_IF;
    s->value = expr(p);
    s->body = block(p);
    if (accept(p, "else")) s->other = block(p);
  } else if (accept(p, "call")) {
    s->kind = S_CALL;
    const char *name = word(p);
    for (int i = 0; i < arrlen(p->known); i++)
      if (!strcmp(p->known[i]->name, name)) s->callee = p->known[i];
    if (!s->callee) fail(p, "a kernel that stands before");
    else {
      bool known = false;
      for (int i = 0; i < arrlen(p->k->callees); i++) known |= p->k->callees[i] == s->callee;
      if (!known) arrput(p->k->callees, s->callee);
    }
    call_args(p, s);
  } else if (accept(p, "run")) {
    s->kind = S_RUN;
    s->function = runtime_fn(word(p));
    if (!s->function) fail(p, "a function of the runtime");
    call_args(p, s);
  } else {
    s->kind = S_STORE;
    s->arr = find_array(p, word(p));
    if (!s->arr) fail(p, "a declared array");
    expect(p, "[");
    s->index = expr(p);
    expect(p, "]");
    expect(p, "=");
    s->value = expr(p);
  }
  return s;
}
static LBlock block(Parse *p) {
  LBlock body = NULL;
  size_t scope = arrlenu(p->scope);
  expect(p, "{");
  while (!p->failed && !accept(p, "}")) arrput(body, stmt(p));
  arrsetlen(p->scope, scope);
  return body;
}

static int hex(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }
static void header(Parse *p) {
  static const char *const kinds[] = {"buf", "temp", "scratch", "local", "table"};
  for (;;) {
    if (accept(p, "size")) {
      KParam q = {.var = declare(p, word(p), I64, 1, false)};
      arrput(p->k->params, q);
      continue;
    }
    int kind = 0;
    while (kind < 5 && (kind == ARR_STACK || !accept(p, kinds[kind]))) kind++;
    if (kind == 5 || p->failed) return;
    LArr *a = declare_array(p, (ArrKind)kind);
    if (kind == ARR_BUF || kind == ARR_TEMP) {
      a->written = accept(p, "written");
      arrput(p->k->params, ((KParam){.arr = a}));
      continue;
    }
    a->count = number(p);
    if (a->count < 0 || a->count > INT64_C(1) << 30) fail(p, "a number of elements");
    if (p->failed) return;
    if (kind == ARR_SCRATCH) {
      a->written = true;
      a->offset = p->k->scratch_bytes;
      p->k->scratch_bytes += (a->count * dtype_size(a->dtype) + 63) / 64 * 64;
      continue;
    }
    blanks(p);
    unsigned char *data = arena_alloc(p->arena, (size_t)(a->count * dtype_size(a->dtype)) + 1);
    for (int64_t i = 0;
         i < a->count * dtype_size(a->dtype) && isxdigit((unsigned char)p->s[0]) && isxdigit((unsigned char)p->s[1]);
         i++, p->s += 2)
      data[i] = (unsigned char)(hex(p->s[0]) << 4 | hex(p->s[1]));
    a->data = data;
  }
}

Kernel *kernel_parse(Arena *arena, const char *text, Buf *why) {
  Parse p = {.arena = arena, .s = text, .why = why};
  do {
    p.k = arena_one(arena, Kernel);
    p.k->arena = arena;
    expect(&p, "kernel");
    p.k->name = word(&p);
    p.k->shared_arrays = accept(&p, "inplace");
    header(&p);
    p.k->body = block(&p);
    arrput(p.known, p.k);
    arrsetlen(p.scope, 0);
    blanks(&p);
  } while (!p.failed && *p.s);
  arrfree(p.known);
  arrfree(p.scope);
  return p.failed ? NULL : p.k;
}
