/* Building loop IR: statements, and the end of a kernel, where shared expressions get names and parameters are found.
 */
#include "base/ds.h"
#include "codegen/loop_internal.h"
#include <string.h>

static LStmt *put(LB *b, SKind kind) {
  LStmt *s = arena_one(b->arena, LStmt);
  s->kind = kind;
  s->loc = b->at;
  arrput(*arrlast(b->open).body, s);
  return s;
}
/* What computes something knows its place; a name or a number may have been made anywhere. */
static Loc place_of(const LB *b, const LExpr *x) {
  bool computes = x->kind == X_OP || x->kind == X_SELECT || x->kind == X_UNIFORM || x->kind == X_CHECK;
  return computes && x->loc.file ? x->loc : b->at;
}
static LVar *new_var(LB *b, const char *name, DType t, int lanes, int level) {
  LVar *v = arena_one(b->arena, LVar);
  *v = (LVar){.name = name, .dtype = t, .lanes = lanes, .level = level};
  return v;
}
static void open_block(LB *b, LStmt *s, LBlock *body) {
  Open o = {body, s};
  arrput(b->open, o);
}

LVar *lb_for(LB *b, ForMode mode, const char *name, LExpr *lo, LExpr *hi, int64_t step) {
  LStmt *s = put(b, S_FOR);
  s->mode = mode;
  s->lo = lo;
  s->hi = hi;
  s->step = step;
  s->var = new_var(b, name, I64, 1, lb_level(b) + 1);
  if (lo->kind == X_INT && lo->i >= 0) { /* its range is known when the upper end is a size */
    Dim end = hi->kind == X_INT ? dim_int(b->dims, hi->i) : hi->kind == X_DIM ? hi->dim : DIM_NONE;
    if (end) hmput(b->range, s->var, end);
  }
  open_block(b, s, &s->body);
  return s->var;
}
void lb_range(LB *b, LVar *v, Dim end) { hmput(b->range, v, end); }
LStmt *lb_if(LB *b, LExpr *cond) {
  LStmt *s = put(b, S_IF);
  s->value = cond;
  open_block(b, s, &s->body);
  return s;
}
void lb_else(LB *b) { arrlast(b->open).body = &arrlast(b->open).stmt->other; }
void lb_end(LB *b) { arrsetlen(b->open, arrlen(b->open) - 1); }

LArr *lb_array(LB *b, ArrKind kind, DType t, int64_t count, const char *name) {
  LArr *a = arena_one(b->arena, LArr);
  *a = (LArr){.name = name, .kind = kind, .dtype = t, .count = count, .buf = -1};
  if (kind != ARR_STACK) return a;
  LStmt *s = put(b, S_LOCAL);
  s->arr = a;
  a->written = true;
  return a;
}
void lb_param(LB *b, LArr *a) {
  a->id = (int)arrlen(b->k->arrs);
  arrput(b->k->arrs, a);
}
LExpr *lb_let(LB *b, const char *name, LExpr *x) {
  if (x->kind == X_VAR || x->kind == X_INT || x->kind == X_NUM || x->kind == X_DIM) return x;
  LStmt *s = put(b, S_LET);
  s->loc = place_of(b, x);
  s->value = x;
  s->var = new_var(b, name, x->dtype, x->lanes, lb_level(b));
  return x_var(b, s->var);
}
LVar *lb_var(LB *b, const char *name, LExpr *init) {
  LStmt *s = put(b, S_VAR);
  s->value = init;
  s->var = new_var(b, name, init->dtype, init->lanes, lb_level(b));
  s->var->mutable = true;
  return s->var;
}
void lb_assign(LB *b, LVar *v, LExpr *x) {
  LStmt *s = put(b, S_ASSIGN);
  s->var = v;
  s->value = x;
}
void lb_store(LB *b, LArr *a, LExpr *index, LExpr *value) {
  LStmt *s = put(b, S_STORE);
  s->arr = a;
  s->loc = place_of(b, value);
  s->index = index;
  s->value = value;
}
void lb_call(LB *b, const Kernel *callee, const CallArg *args, int n) {
  LStmt *s = put(b, S_CALL);
  s->callee = callee;
  for (int i = 0; i < n; i++) arrput(s->args, args[i]);
}

void lb_run(LB *b, const char *function, const CallArg *args, int n) {
  LStmt *s = put(b, S_RUN);
  s->function = runtime_fn(function);
  if (!s->function || s->function->arrays + s->function->ints != n) INTERNAL("no function %s of the runtime", function);
  for (int i = 0; i < n; i++) arrput(s->args, args[i]);
}

LStmt *lb_take(LB *b) { return arrpop(*arrlast(b->open).body); }

int lb_divisions(const LB *b) {
  LBlock body = *arrlast(b->open).body;
  int n = 0, level = lb_level(b);
  for (int i = 0; i < arrlen(body); i++) {
    if (body[i]->index) n += x_divisions(body[i]->index, level);
    if (body[i]->value) n += x_divisions(body[i]->value, level);
  }
  return n;
}

void stmt_exprs(LStmt *s, ExprFn *fn, void *ctx) {
  if (s->lo) fn(ctx, &s->lo);
  if (s->hi) fn(ctx, &s->hi);
  if (s->index) fn(ctx, &s->index);
  if (s->value) fn(ctx, &s->value);
  for (int i = 0; i < arrlen(s->args); i++) fn(ctx, &s->args[i].x);
}

/* ---- the end of a kernel ---- */
typedef struct Bound {
  const LExpr *key;
  LExpr *value; /* the variable that holds it */
} Bound;
struct Finish {
  LB *b;
  struct {
    const LExpr *key;
    int value;
  } * count;           /* users of each expression */
  Bound *bound;        /* names in scope */
  LBlock *out;         /* stb_ds: per level, the block being written */
  const LExpr ***made; /* stb_ds: per level, what got a name there */
  struct {
    Dim key;
    LVar *value;
  } * dims;
  Dim *dim_order; /* stb_ds */
  bool arm;       /* within an arm of a select */
};

static void count_uses(void *ctx, LExpr **slot) {
  struct Finish *f = ctx;
  const LExpr *x = *slot;
  ptrdiff_t at = hmgeti(f->count, x);
  if (at >= 0) {
    f->count[at].value++;
    return;
  }
  hmput(f->count, x, 1);
  for (int k = 0; k < x->n_in; k++)
    if (x->in[k]) count_uses(f, (LExpr **)&x->in[k]);
}
static void each_stmt(LBlock body, ExprFn *fn, void *ctx) {
  for (int i = 0; i < arrlen(body); i++) {
    stmt_exprs(body[i], fn, ctx);
    each_stmt(body[i]->body, fn, ctx);
    each_stmt(body[i]->other, fn, ctx);
  }
}

static LExpr *size_var(struct Finish *f, Dim d) {
  ptrdiff_t at = hmgeti(f->dims, d);
  if (at < 0) {
    hmput(f->dims, d, new_var(f->b, NULL, I64, 1, 0));
    arrput(f->dim_order, d);
    at = hmgeti(f->dims, d);
  }
  return x_var(f->b, f->dims[at].value);
}

static bool leaf(const LExpr *x) {
  return x->kind == X_INT || x->kind == X_NUM || x->kind == X_DIM || x->kind == X_VAR;
}

/* A divisor that may be 0 at some sizes is taken as 1: where an index is not needed, its parts may still be computed.
 */
static void save_divisor(struct Finish *f, const LExpr *x, LExpr *y) {
  bool divides = x->kind == X_DIV || x->kind == X_MOD;
  if (divides && x->in[1]->kind == X_DIM && dim_lower(f->b->dims, x->in[1]->dim) < 1)
    y->in[1] = x_max(f->b, y->in[1], x_int(f->b, 1));
}

/* Rewrites x for a use at the innermost level: inner parts first, each named where it is shared or can leave a loop. */
static LExpr *rewrite(struct Finish *f, LExpr *x, int parent_level) {
  if (x->kind == X_DIM) return size_var(f, x->dim);
  if (leaf(x)) return x;
  ptrdiff_t at = hmgeti(f->bound, x);
  /* what has its name in an inner block only is named again further out */
  if (at >= 0 && f->bound[at].value->level <= parent_level) return f->bound[at].value;
  int here = (int)arrlen(f->out) - 1;
  int place = x->pure ? x->level : here;
  /* Loads under a select are made before it: gcc 12 puts masked loads into wrong lanes (-fno-trapping-math, restrict).
   */
  bool before = f->arm && x->kind == X_LOAD && !x->in[1], arm = f->arm;
  bool shared = hmget(f->count, x) > 1 || before, leaves = x->pure && x->heavy && place < parent_level;
  LExpr *y = arena_one(f->b->arena, LExpr);
  *y = *x;
  for (int k = 0; k < x->n_in; k++) {
    f->arm = arm || (x->kind == X_SELECT && k > 0);
    if (x->in[k]) y->in[k] = rewrite(f, x->in[k], shared || leaves ? place : parent_level);
  }
  f->arm = arm;
  save_divisor(f, x, y);
  if (!shared && !leaves) return y;
  LStmt *s = arena_one(f->b->arena, LStmt);
  s->kind = S_LET;
  s->loc = x->loc;
  s->value = y;
  s->var = new_var(f->b, NULL, y->dtype, y->lanes, place);
  arrput(f->out[place], s);
  LExpr *v = arena_one(f->b->arena, LExpr);
  *v = (LExpr){.kind = X_VAR, .dtype = y->dtype, .lanes = y->lanes, .var = s->var, .level = place, .pure = true};
  hmput(f->bound, x, v);
  arrput(f->made[place], x);
  return v;
}
/* A `let` of lowering names its expression itself, but for one that belongs into an outer block, where this name is not
 * known. */
static void rewrite_let(struct Finish *f, LStmt *s) {
  LExpr *x = s->value;
  int here = (int)arrlen(f->out) - 1;
  if (leaf(x) || hmgeti(f->bound, x) >= 0 || (x->pure && x->level < here)) {
    s->value = rewrite(f, x, here);
    return;
  }
  LExpr *y = arena_one(f->b->arena, LExpr), *v = x_var(f->b, s->var);
  *y = *x;
  for (int k = 0; k < x->n_in; k++)
    if (x->in[k]) y->in[k] = rewrite(f, x->in[k], here);
  save_divisor(f, x, y);
  s->value = y;
  hmput(f->bound, x, v);
  arrput(f->made[here], x);
}
static void rewrite_slot(void *ctx, LExpr **slot) {
  struct Finish *f = ctx;
  *slot = rewrite(f, *slot, (int)arrlen(f->out) - 1);
}

static LBlock finish_block(struct Finish *f, LBlock body) {
  arrput(f->out, NULL);
  arrput(f->made, NULL);
  int level = (int)arrlen(f->out) - 1;
  for (int i = 0; i < arrlen(body); i++) {
    LStmt *s = body[i];
    if (s->kind == S_LET) rewrite_let(f, s);
    else stmt_exprs(s, rewrite_slot, f);
    if (s->body) s->body = finish_block(f, s->body);
    if (s->other) s->other = finish_block(f, s->other);
    arrput(f->out[level], s);
  }
  LBlock made = f->out[level];
  for (int i = 0; i < arrlen(f->made[level]); i++) (void)hmdel(f->bound, f->made[level][i]);
  arrfree(f->made[level]);
  arrsetlen(f->out, level);
  arrsetlen(f->made, level);
  return made;
}

static void see_array(Kernel *k, LArr *a) {
  for (int i = 0; i < arrlen(k->arrs); i++)
    if (k->arrs[i] == a) return;
  a->id = (int)arrlen(k->arrs);
  arrput(k->arrs, a);
}
static void see_loads(void *ctx, LExpr **slot) {
  LExpr *x = *slot;
  if (x->kind == X_LOAD) see_array(ctx, x->arr);
  for (int i = 0; i < x->n_in; i++)
    if (x->in[i]) see_loads(ctx, &x->in[i]);
}
static void see_stmts(Kernel *k, LBlock body) {
  for (int i = 0; i < arrlen(body); i++) {
    LStmt *s = body[i];
    if (s->arr) see_array(k, s->arr);
    stmt_exprs(s, see_loads, k);
    for (int j = 0; j < arrlen(s->args); j++)
      if (s->args[j].arr) see_array(k, s->args[j].arr);
    if (s->callee) {
      bool known = false;
      for (int j = 0; j < arrlen(k->callees); j++) known |= k->callees[j] == s->callee;
      if (!known) arrput(k->callees, s->callee);
    }
    see_stmts(k, s->body);
    see_stmts(k, s->other);
  }
}

/* Names that nobody uses go, innermost uses first: whoever builds a nest need not know what will be read. */
typedef struct VarUses {
  struct {
    LVar *key;
    int value;
  } * count;
  bool changed;
} VarUses;
static void count_vars(void *ctx, LExpr **slot) {
  VarUses *u = ctx;
  const LExpr *x = *slot;
  if (x->kind == X_VAR) hmput(u->count, x->var, 1);
  for (int k = 0; k < x->n_in; k++)
    if (x->in[k]) count_vars(u, (LExpr **)&x->in[k]);
}
static bool has_check(const LExpr *x) {
  bool found = x->kind == X_CHECK;
  for (int k = 0; k < x->n_in && !found; k++) found = x->in[k] && has_check(x->in[k]);
  return found;
}
static LBlock drop_unused(VarUses *u, LBlock body) {
  LBlock out = NULL;
  for (int i = 0; i < arrlen(body); i++) {
    LStmt *s = body[i];
    if (s->kind == S_LET && hmgeti(u->count, s->var) < 0 && !has_check(s->value)) {
      u->changed = true;
      continue;
    }
    s->body = drop_unused(u, s->body);
    s->other = drop_unused(u, s->other);
    arrput(out, s);
  }
  return out;
}
static void drop_unused_names(Kernel *k) {
  VarUses u = {.changed = true};
  while (u.changed) {
    hmfree(u.count);
    u.changed = false;
    each_stmt(k->body, count_vars, &u);
    k->body = drop_unused(&u, k->body);
  }
  hmfree(u.count);
}

typedef struct NameCount {
  const char *key;
  int value;
} NameCount;
/* A name not yet in use: the wished one, with a number behind it when it is taken. */
static const char *fresh(Kernel *k, NameCount **names, const char *wish) {
  const char *name = intern(wish);
  for (int n = 1; hmgeti(*names, name) >= 0; n++) name = intern(arena_printf(k->arena, "%s%d", wish, n));
  hmput(*names, name, 1);
  return name;
}
static void see_var(Kernel *k, NameCount **names, LVar *v, const char *wish) {
  v->id = (int)arrlen(k->vars);
  v->name = fresh(k, names, v->name ? v->name : wish);
  arrput(k->vars, v);
}
static void name_vars(Kernel *k, NameCount **names, LBlock body) {
  for (int i = 0; i < arrlen(body); i++) {
    LStmt *s = body[i];
    if (s->kind == S_FOR || s->kind == S_LET || s->kind == S_VAR)
      see_var(k, names, s->var, s->var->dtype == I64 ? "q" : "t");
    name_vars(k, names, s->body);
    name_vars(k, names, s->other);
  }
}

Kernel *kernel_finish(LB *b, const char *name, const char *comment) {
  Kernel *k = b->k;
  if (arrlen(b->open) != 1) INTERNAL("a block of kernel %s is open", name);
  struct Finish f = {.b = b};
  each_stmt(k->body, count_uses, &f);
  bool *used = arena_array(b->arena, bool, arrlen(b->fixed) + 1);
  for (int i = 0; i < arrlen(b->fixed); i++) used[i] = hmgeti(f.count, x_var(b, b->fixed[i].var)) >= 0;
  k->body = finish_block(&f, k->body);
  hmfree(f.count);
  hmfree(f.bound);
  drop_unused_names(k);
  see_stmts(k, k->body);
  NameCount *names = NULL;
  int64_t scratch = 0;
  for (int i = 0; i < arrlen(k->arrs); i++) {
    LArr *a = k->arrs[i];
    a->name = fresh(k, &names, a->name ? a->name : a->kind == ARR_TEMP ? "w" : a->kind == ARR_TABLE ? "table" : "x");
    if (a->kind == ARR_BUF || a->kind == ARR_TEMP) arrput(k->params, ((KParam){.arr = a}));
    if (a->kind == ARR_SCRATCH) {
      a->offset = scratch;
      scratch += (a->count * dtype_size(a->dtype) + 63) / 64 * 64;
    }
  }
  k->scratch_bytes = scratch;
  for (int i = 0; i < arrlen(f.dim_order); i++) {
    KSize s = {.kind = KARG_SIZE, .dim = f.dim_order[i]};
    LVar *v = hmget(f.dims, f.dim_order[i]);
    see_var(k, &names, v, "n");
    arrput(k->params, ((KParam){.var = v}));
    arrput(k->sizes, s);
  }
  for (int i = 0; i < arrlen(b->fixed); i++) {
    if (!used[i]) continue;
    see_var(k, &names, b->fixed[i].var, "n");
    arrput(k->params, ((KParam){.var = b->fixed[i].var}));
    arrput(k->sizes, b->fixed[i].size);
  }
  name_vars(k, &names, k->body);
  hmfree(names);
  hmfree(f.dims);
  k->name = name;
  k->loc = b->at;
  k->comment = comment;
  return k;
}
