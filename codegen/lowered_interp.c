/* Runs a lowered entry through the interpreter of the loop IR. */
#include "base/ds.h"
#include "codegen/loop.h"
#include "passes/plan_internal.h"
#include <stdlib.h>
#include <string.h>

typedef struct World {
  const Lowered *l;
  const KernelTable *t;
  const int64_t *vars;
  const void *const *in;
  void *const *out;
  void *const *cells;
  const int64_t *clock;
  int threads;
  Buf *why;
  unsigned char *arena, *temp, *kept, *own, *prepared;
  bool solo;      /* inside of a loop whose iterations are spread */
  int64_t *table; /* stb_ds: of the call */
  int64_t *at;    /* by loop: its iteration */
  bool *swapped;  /* by buffer of a pair: it stands where its twin's place is */
} World;

static void *place_of(const World *w, int buf) {
  const PlanBuf *b = &w->l->plan->bufs[buf];
  switch (b->kind) {
  case BUF_INPUT: return (void *)(uintptr_t)w->in[b->index];
  case BUF_OUTPUT: return w->out[b->index];
  case BUF_CELL: return w->cells[b->index];
  case BUF_OWN: return w->own + b->offset;
  case BUF_ARENA: return w->arena + (w->swapped[buf] ? w->l->plan->bufs[b->twin].offset : b->offset);
  case BUF_ROW: {
    const PlanBuf *whole = &w->l->plan->bufs[b->index];
    if (whole->kind == BUF_CELLS) return w->cells[whole->cells[w->at[b->loop]]];
    DimTab *dims = w->l->plan->graph->dims;
    unsigned char *base = place_of(w, b->index);
    int64_t bytes = dim_eval(dims, type_count(dims, b->type), w->vars) * dtype_size(b->type.dtype);
    if (base && b->loop < 0) return base + dim_eval(dims, b->first, w->vars) * dtype_size(b->type.dtype);
    if (base && b->place)
      return base + row_offset(w->l->plan, b->place, w->at[b->loop], w->vars) * dtype_size(b->type.dtype);
    return base ? base + w->at[b->loop] * bytes : NULL;
  }
  default: return NULL;
  }
}

static KValue value_of(World *w, const KArg *a, bool prepares) {
  switch (a->kind) {
  case KARG_BUF: return (KValue){.ptr = prepares ? w->cells[a->buf] : place_of(w, a->buf)};
  case KARG_TEMP: return (KValue){.ptr = (w->solo ? w->own + w->l->plan->own : w->temp) + a->offset};
  case KARG_PREPARED: return (KValue){.ptr = w->prepared + a->offset};
  case KARG_KEPT: return (KValue){.ptr = w->kept + a->offset};
  case KARG_ARENA: return (KValue){.ptr = w->arena};
  case KARG_CELLS: /* cells lie apart here: any of them can be what the others are counted from */
    for (int i = 0;; i++)
      if (w->cells[i]) return (KValue){.ptr = w->cells[i]};
  case KARG_TABLE: return (KValue){.ptr = w->table};
  case KARG_SIZE: return (KValue){.i = dim_eval(w->l->plan->graph->dims, a->dim, w->vars)};
  case KARG_CLOCK: return (KValue){.i = w->clock[a->buf]};
  case KARG_INT: return (KValue){.i = a->offset};
  case KARG_LOOP: return (KValue){.i = w->at[a->buf]};
  }
  return (KValue){0};
}

static bool run_call(World *w, int kernel, const KArg *list, bool prepares) {
  const Kernel *k = kernels_get(w->t, kernel);
  KValue *args = zeroed((size_t)arrlen(list) + 1, sizeof *args);
  bool good = true;
  for (int i = 0; i < arrlen(list); i++) {
    args[i] = value_of(w, &list[i], prepares);
    if (list[i].kind == KARG_BUF && !args[i].ptr) good = false;
  }
  if (!good) buf_printf(w->why, "kernel %s: a buffer has no place", kernel_name(k));
  good = good && kernel_interpret(k, args, w->solo ? 1 : w->threads, w->why);
  free(args);
  return good;
}

/* The rows, with the places that buffers have here. */
static bool run_table(World *w, const KernelCall *c) {
  const Kernel *k = kernels_get(w->t, c->kernel);
  int64_t first = 0;
  arrsetlen(w->table, 0);
  for (int i = 0; i < arrlen(c->rows); i++) {
    arrput(w->table, first);
    for (int a = 0; a < arrlen(c->base); a++) {
      KValue v = value_of(w, &c->rows[i].args[a], false);
      if (c->base[a] >= 0) {
        KValue from = value_of(w, &c->args[c->base[a]], false);
        int64_t bytes = (int64_t)((uintptr_t)v.ptr - (uintptr_t)from.ptr);
        v.i = bytes / dtype_size(k->params[c->base[a]].arr->dtype);
      }
      arrput(w->table, v.i);
    }
    first += dim_eval(w->l->plan->graph->dims, c->rows[i].items, w->vars);
  }
  return run_call(w, c->kernel, c->args, false);
}

static bool run_steps(World *w, const PlanStep *steps);

static bool flag_of(const World *w, const PlanStep *s) { return s->flag < 0 || *(unsigned char *)place_of(w, s->flag); }

/* Pairs of the loops inside stand in their first places again: first values may be made there before a loop begins. */
static void settle(World *w, const PlanStep *steps) {
  for (int i = 0; i < arrlen(steps); i++) {
    const PlanStep *s = &steps[i];
    for (int k = 0; k < arrlen(s->carried); k++)
      w->swapped[s->carried[k]] = w->swapped[w->l->plan->bufs[s->carried[k]].twin] = false;
    settle(w, s->body);
    settle(w, s->other);
  }
}

static bool run_loop(World *w, const PlanStep *s) {
  const Plan *p = w->l->plan;
  const Node *x = &p->scopes[s->scope].graph->nodes[s->node];
  int64_t length = dim_eval(p->graph->dims, node_dim(x, x->op == OP_while ? A_limit : A_length), w->vars);
  int64_t own = p->own + w->l->solo_bytes;
  bool outer = w->solo;
  w->solo |= s->spread;
  const LoweredLoop *first = &w->l->loops[s->loop];
  for (int i = 0; i < arrlen(first->calls); i++)
    if (!run_call(w, first->calls[i].kernel, first->calls[i].args, false)) return false;
  if (!run_steps(w, s->before)) return false;
  for (int64_t i = 0; i < length || (x->op == OP_while && length < 0); i++) {
    w->at[s->loop] = x->op == OP_scan && node_int(p->graph, x, A_reverse) ? length - 1 - i : i;
    settle(w, s->body);
    settle(w, s->other);
    if (s->spread) memset(w->own, 0xff, (size_t)own); /* another thread's, perhaps */
    if (!run_steps(w, s->other)) return false;
    if (!flag_of(w, s)) break;
    if (!run_steps(w, s->body)) return false;
    for (int k = 0; k < arrlen(s->carried); k++) {
      int b = s->carried[k];
      w->swapped[b] = w->swapped[p->bufs[b].twin] = !w->swapped[b];
    }
  }
  w->solo = outer;
  return true;
}

static bool run_steps(World *w, const PlanStep *steps) {
  bool good = true;
  for (int i = 0; i < arrlen(steps) && good; i++) {
    const PlanStep *s = &steps[i];
    if (s->kind == PLAN_LOOP) good = run_loop(w, s);
    else if (s->kind == PLAN_BRANCH) good = run_steps(w, flag_of(w, s) ? s->body : s->other);
    const LoweredGroup *g = s->kind == PLAN_KERNEL ? &w->l->groups[s->group] : NULL;
    int temp = g ? w->l->plan->groups[s->group].temp : 0;
    w->temp = w->arena + (temp ? w->l->plan->bufs[temp - 1].offset : 0);
    for (int k = 0; g && k < arrlen(g->calls) && good; k++)
      good = arrlen(g->calls[k].rows) ? run_table(w, &g->calls[k])
                                      : run_call(w, g->calls[k].kernel, g->calls[k].args, false);
  }
  return good;
}

bool lowered_interpret(const Lowered *l, const KernelTable *t, const int64_t *vars, const void *const *in,
                       void *const *out, void *const *cells, const int64_t clock[4], int threads, Buf *why) {
  World w = {.l = l, .t = t, .vars = vars, .in = in, .out = out, .cells = cells, .clock = clock, .threads = threads};
  w.why = why;
  int64_t bytes = 64;
  const Plan *p = l->plan;
  for (int i = 0; i < arrlen(p->bufs); i++)
    if (p->bufs[i].kind == BUF_ARENA && p->bufs[i].offset + p->bufs[i].bytes > bytes)
      bytes = p->bufs[i].offset + p->bufs[i].bytes;
  w.arena = zeroed((size_t)bytes + 64, 1);
  w.kept = zeroed((size_t)l->kept_bytes + 64, 1);
  w.own = zeroed((size_t)(p->own + l->solo_bytes) + 64, 1);
  w.prepared = zeroed((size_t)kernels_prepared_bytes(t) + 64, 1);
  w.at = zeroed((size_t)p->n_loops + 1, sizeof *w.at);
  w.swapped = zeroed((size_t)arrlen(p->bufs) + 1, sizeof *w.swapped);
  memset(w.prepared, 0xff, (size_t)kernels_prepared_bytes(t) + 64);
  memset(w.arena, 0xff, (size_t)bytes);
  memset(w.kept, 0xff, (size_t)l->kept_bytes + 64);
  memset(w.own, 0xff, (size_t)(p->own + l->solo_bytes) + 64);
  bool good = true;
  for (int i = 0; i < kernels_prepared_count(t) && good; i++)
    good = run_call(&w, kernels_prepared(t, i)->kernel, kernels_prepared(t, i)->args, true);
  good = good && run_steps(&w, p->steps);
  free(w.arena);
  free(w.kept);
  free(w.own);
  free(w.prepared);
  free(w.at);
  free(w.swapped);
  arrfree(w.table);
  return good;
}
