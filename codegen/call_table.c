/* Kernels that run at the same time (PlanStep.behind) and are one kernel but for what it is called with become one call
 * that goes through a table: a row for each of them.
 *
 *   before   k(x1, y1, 128); k(x2, y2, 4096); ..   each with a parallel loop over its items (blocks of 2048 elements)
 *   after    k_table(rows, memory, ..): a parallel loop over the items of all rows; k_item(x, y, n, item) does one
 *
 * The items are those of the single calls, so the bits are too, for any number of threads. A row is the number of its
 * first item, then an element for each parameter: how far the array lies from the begin of its memory, or the size. */
#include "base/ds.h"
#include "codegen/loop_internal.h"
#include "codegen/lower.h"
#include <string.h>

/* The loop whose items the threads share, if the kernel is that loop and what is named before it; else NULL. */
static const LStmt *items_of(const Kernel *k) {
  int n = (int)arrlen(k->body);
  if (!n || k->scratch_bytes) return NULL;
  for (int i = 0; i < n - 1; i++)
    if (k->body[i]->kind != S_LET && k->body[i]->kind != S_LOCAL) return NULL;
  const LStmt *s = k->body[n - 1];
  return s->kind == S_FOR && s->mode == FOR_PARALLEL ? s : NULL;
}

static const LExpr *named(const Kernel *k, const LVar *v) {
  for (int i = 0; i < arrlen(k->body); i++)
    if (k->body[i]->kind == S_LET && k->body[i]->var == v) return k->body[i]->value;
  return NULL;
}

/* An expression over the kernel's sizes as the call gives them. False: it is none, or not known before the program
 * runs. */
static bool as_dim(DimTab *t, const Kernel *k, const KArg *args, const LExpr *x, Dim *d) {
  Dim a, b;
  if (x->kind == X_INT) {
    *d = dim_int(t, x->i);
    return true;
  }
  if (x->kind == X_VAR) {
    const LExpr *value = named(k, x->var);
    if (value) return as_dim(t, k, args, value, d);
    for (int i = 0; i < arrlen(k->params); i++)
      if (k->params[i].var == x->var && (args[i].kind == KARG_SIZE || args[i].kind == KARG_INT)) {
        *d = args[i].kind == KARG_SIZE ? args[i].dim : dim_int(t, args[i].offset);
        return true;
      }
    return false;
  }
  bool known = x->kind == X_ADD || x->kind == X_SUB || x->kind == X_MUL || x->kind == X_DIV || x->kind == X_MOD;
  if (!known || !as_dim(t, k, args, x->in[0], &a) || !as_dim(t, k, args, x->in[1], &b)) return false;
  *d = x->kind == X_ADD   ? dim_add(t, a, b)
       : x->kind == X_SUB ? dim_sub(t, a, b)
       : x->kind == X_MUL ? dim_mul(t, a, b)
       : x->kind == X_DIV ? dim_floordiv(t, a, b)
                          : dim_mod(t, a, b);
  return true;
}

typedef struct Use {
  const LVar *var;
  bool found;
} Use;
static void see_use(void *ctx, LExpr **slot) {
  Use *u = ctx;
  const LExpr *x = *slot;
  u->found |= x->kind == X_VAR && x->var == u->var;
  for (int i = 0; i < x->n_in; i++)
    if (x->in[i]) see_use(ctx, (LExpr **)&x->in[i]);
}
static bool uses(LBlock body, const LVar *var) {
  Use u = {.var = var};
  for (int i = 0; i < arrlen(body) && !u.found; i++) {
    stmt_exprs(body[i], see_use, &u);
    u.found |= uses(body[i]->body, var) || uses(body[i]->other, var);
  }
  return u.found;
}

/* The kernel that does one item of k: its number is one more parameter, where there can be others than 0. */
static const Kernel *item_kernel(Lower *l, Kernel *k, const LStmt *loop) {
  if (k->item) return k->item;
  Kernel *one = arena_one(l->arena, Kernel);
  *one = *k;
  one->params = NULL, one->sizes = NULL, one->body = NULL, one->prefix = NULL;
  for (int i = 0; i < arrlen(k->params); i++) arrput(one->params, k->params[i]);
  if (uses(loop->body, loop->var)) arrput(one->params, ((KParam){.var = loop->var}));
  for (int i = 0; i + 1 < arrlen(k->body); i++) arrput(one->body, k->body[i]);
  for (int i = 0; i < arrlen(loop->body); i++) arrput(one->body, loop->body[i]);
  one->name = arena_printf(l->arena, "%s_item", k->name);
  return k->item = kernels_get(l->table, kernels_add(l->table, one));
}

/* Makes k, which is called by itself too, a loop of calls of its item: then there is one text to compile and not two.
 *   before   for (item ..) y[..] = f(x[..])        after   for (item ..) k_item(y, x, n, item) */
bool kernel_call_items(Kernel *k, DimTab *dims) {
  const LStmt *loop = k->item ? items_of(k) : NULL;
  if (!loop || arrlen(k->body) != 1) return false; /* names in front of the loop would be left without a use */
  if (arrlen(k->callees) && arrlast(k->callees) == k->item) return true;
  LB *b = lb_new(k->arena, dims, k->target);
  LExpr *none = x_int(b, 0);
  LStmt *call = arena_one(k->arena, LStmt), *all = arena_one(k->arena, LStmt);
  *call = (LStmt){.kind = S_CALL, .loc = loop->loc, .callee = k->item};
  for (int i = 0; i < arrlen(k->params); i++) {
    const KParam *p = &k->params[i];
    arrput(call->args, ((CallArg){p->arr, p->arr ? none : x_var(b, p->var)}));
  }
  if (arrlen(k->item->params) > arrlen(k->params)) arrput(call->args, ((CallArg){NULL, x_var(b, loop->var)}));
  *all = *loop;
  all->body = NULL;
  arrput(all->body, call);
  k->body[0] = all;
  arrput(k->callees, k->item);
  return true;
}

/* Where the memory of an argument begins. */
static KArg base_of(const Lower *l, const KArg *a) {
  KArg base = {.kind = a->kind, .buf = -1};
  if (a->kind != KARG_BUF) return base; /* workspace, what was prepared or kept: from its first byte on */
  const PlanBuf *x = &l->plan->bufs[a->buf];
  if (x->kind == BUF_ARENA && x->twin < 0) base.kind = KARG_ARENA;
  else if (x->kind == BUF_CELL) base.kind = KARG_CELLS;
  else base.buf = a->buf; /* its own */
  return base;
}

typedef struct Bases {
  KArg *args; /* stb_ds */
  LArr **arrs;
} Bases;

static int find_base(Lower *l, Bases *b, KArg want, const LArr *like) {
  for (int i = 0; i < arrlen(b->args); i++)
    if (b->args[i].kind == want.kind && b->args[i].buf == want.buf && b->arrs[i]->dtype == like->dtype) {
      b->arrs[i]->written |= like->written;
      return i;
    }
  static const char *const names[] = {[KARG_BUF] = "x",     [KARG_TEMP] = "work",   [KARG_PREPARED] = "prepared",
                                      [KARG_KEPT] = "kept", [KARG_ARENA] = "arena", [KARG_CELLS] = "cells"};
  LArr *a = lb_array(l->b, ARR_BUF, like->dtype, 0, names[want.kind]);
  a->written = like->written;
  lb_param(l->b, a);
  arrput(b->args, want);
  arrput(b->arrs, a);
  return (int)arrlen(b->args) - 1;
}

/* The kernel that goes through a table of calls of k; its parameters: rows, bases, number of rows, of items. */
static int table_kernel(Lower *l, const Kernel *k, const Kernel *one, KArg *const *rows, KernelCall *call) {
  LB *b = l->b = lb_new(l->arena, l->dims, l->target);
  lb_place(b, k->loc);
  int n_params = (int)arrlen(k->params), width = n_params + 1;
  LArr *table = lb_array(b, ARR_BUF, I64, 0, "rows");
  lb_param(b, table);
  Bases bases = {0};
  for (int i = 0; i < n_params; i++) {
    if (!k->params[i].arr) {
      arrput(call->base, -1);
      continue;
    }
    KArg base = base_of(l, &rows[0][i]);
    arrput(call->base, 1 + find_base(l, &bases, base, k->params[i].arr));
  }
  LExpr *n = x_param(b, (KSize){.kind = KARG_INT, .value = 0}), *zero = x_int(b, 0);
  LExpr *items = x_param(b, (KSize){.kind = KARG_INT, .value = 1});
  n->var->name = "n", items->var->name = "items";
  LExpr *item = x_var(b, lb_for(b, FOR_PARALLEL, "item", zero, items, 1));
  LArr *row = lb_array(b, ARR_STACK, I64, 1, "row");
  row->written = true;
  CallArg search[] = {{table, zero}, {row, zero}, {NULL, x_int(b, width)}, {NULL, n}, {NULL, item}};
  lb_run(b, "find_row", search, 5);
  LExpr *at = lb_let(b, "at", x_mul(b, x_load(b, row, zero, NULL), x_int(b, width)));
  CallArg *args = arena_array(l->arena, CallArg, n_params + 2);
  for (int i = 0; i < n_params; i++) {
    LExpr *x = x_load(b, table, x_add(b, at, x_int(b, i + 1)), NULL);
    args[i] = (CallArg){call->base[i] < 0 ? NULL : bases.arrs[call->base[i] - 1], x};
  }
  args[n_params] = (CallArg){NULL, x_sub(b, item, x_load(b, table, at, NULL))};
  lb_call(b, one, args, (int)arrlen(one->params));
  lb_end(b);
  Kernel *made =
      kernel_finish(b, arena_printf(l->arena, "%s_table", k->name),
                    arena_printf(l->arena, "a table of calls of %s: first item, then its arguments", k->name));
  made->shared_arrays = true;
  l->b = NULL;
  arrput(call->args, ((KArg){.kind = KARG_TABLE, .buf = -1}));
  for (int i = 0; i < arrlen(bases.args); i++) arrput(call->args, bases.args[i]);
  arrfree(bases.args), arrfree(bases.arrs);
  return kernels_add(l->table, made);
}

/* The arguments behind the bases: of a table of so many rows. */
void call_table_sizes(const KernelCall *c, DimTab *t, int n, KArg sizes[2]) {
  Dim items = dim_int(t, 0);
  for (int i = 0; i < n; i++) items = dim_add(t, items, c->rows[i].items);
  sizes[0] = (KArg){.kind = KARG_INT, .buf = -1, .offset = n};
  sizes[1] = (KArg){.kind = KARG_SIZE, .buf = -1, .dim = items};
}

/* Can these calls, one of each group, be one over a table? Then it is `out`. */
static bool join_calls(Lower *l, const int *groups, int n, int c, KernelCall *out) {
  const KernelCall *first = &l->lowered[groups[0]].calls[c];
  const Kernel *k = kernels_get(l->table, first->kernel);
  const LStmt *loop = items_of(k);
  if (!loop) return false;
  *out = (KernelCall){0};
  bool good = true;
  for (int i = 0; i < n && good; i++) {
    const KernelCall *one = &l->lowered[groups[i]].calls[c];
    CallRow row = {.group = groups[i], .args = one->args};
    good = as_dim(l->dims, k, one->args, loop->hi, &row.items);
    for (int a = 0; a < arrlen(k->params) && good; a++) {
      KArg x = base_of(l, &one->args[a]), y = base_of(l, &first->args[a]);
      good = !k->params[a].arr || (x.kind == y.kind && x.buf == y.buf);
    }
    out->barrier |= one->barrier;
    arrput(out->rows, row);
  }
  return good;
}
static void finish_call(Lower *l, int kernel, KernelCall *call) {
  Kernel *k = kernels_change(l->table, kernel);
  KArg **args = NULL;
  for (int i = 0; i < arrlen(call->rows); i++) arrput(args, call->rows[i].args);
  call->kernel = table_kernel(l, k, item_kernel(l, k, items_of(k)), args, call);
  arrfree(args);
  KArg sizes[2];
  call_table_sizes(call, l->dims, (int)arrlen(call->rows), sizes);
  for (int i = 0; i < 2; i++) arrput(call->args, sizes[i]);
}

static bool same_kernels(const LoweredGroup *x, const LoweredGroup *y) {
  bool same = arrlen(x->calls) == arrlen(y->calls);
  for (int i = 0; i < arrlen(x->calls) && same; i++) same = x->calls[i].kernel == y->calls[i].kernel;
  return same && arrlen(x->calls);
}

/* Those of the groups that are equal to the first are joined, and their calls are the first one's. */
static void join_groups(Lower *l, const int *groups, int n) {
  LoweredGroup *lead = &l->lowered[groups[0]];
  int calls = (int)arrlen(lead->calls);
  KernelCall *made = arena_array(l->arena, KernelCall, calls + 1);
  for (int c = 0; c < calls; c++)
    if (!join_calls(l, groups, n, c, &made[c])) return;
  for (int c = 0; c < calls; c++) {
    finish_call(l, lead->calls[c].kernel, &made[c]);
    lead->calls[c] = made[c];
  }
  for (int i = 1; i < n; i++) {
    arrfree(l->lowered[groups[i]].calls);
    l->lowered[groups[i]].lead = groups[0];
  }
}

void lower_together(Lower *l, const PlanStep *steps) {
  for (int i = 0; i < arrlen(steps); i++) {
    const PlanStep *s = &steps[i];
    if (s->kind != PLAN_KERNEL && !s->spread) {
      lower_together(l, s->body);
      lower_together(l, s->other);
    }
    bool *done = arena_array(l->arena, bool, s->behind + 1);
    for (int a = 0; a < s->behind; a++) {
      int *groups = NULL;
      for (int k = a; k <= s->behind && !done[a]; k++) {
        if (done[k] || !same_kernels(&l->lowered[s[a].group], &l->lowered[s[k].group])) continue;
        arrput(groups, s[k].group);
        if (k > a) done[k] = true;
      }
      if (arrlen(groups) > 1) join_groups(l, groups, (int)arrlen(groups));
      arrfree(groups);
    }
  }
}
