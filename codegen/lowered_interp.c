/* Runs a lowered entry through the interpreter of the loop IR. */
#include "base/ds.h"
#include "codegen/loop.h"
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
  unsigned char *arena, *temp, *prepared;
} World;

static void *place_of(const World *w, int buf) {
  const PlanBuf *b = &w->l->plan->bufs[buf];
  switch (b->kind) {
  case BUF_INPUT: return (void *)(uintptr_t)w->in[b->index];
  case BUF_OUTPUT: return w->out[b->index];
  case BUF_CELL: return w->cells[b->index];
  case BUF_ARENA: return w->arena + b->offset;
  default: return NULL;
  }
}

static bool run_call(World *w, int kernel, const KArg *list, bool prepares) {
  const Kernel *k = kernels_get(w->t, kernel);
  DimTab *dims = w->l->plan->graph->dims;
  KValue *args = calloc((size_t)arrlen(list) + 1, sizeof *args);
  bool good = true;
  for (int i = 0; i < arrlen(list); i++) {
    const KArg *a = &list[i];
    switch (a->kind) {
    case KARG_BUF:
      args[i].ptr = prepares ? w->cells[a->buf] : place_of(w, a->buf);
      if (!args[i].ptr) good = false;
      break;
    case KARG_TEMP: args[i].ptr = w->temp + a->offset; break;
    case KARG_PREPARED: args[i].ptr = w->prepared + a->offset; break;
    case KARG_SIZE: args[i].i = dim_eval(dims, a->dim, w->vars); break;
    case KARG_CLOCK: args[i].i = w->clock[a->buf]; break;
    case KARG_INT: args[i].i = a->offset; break;
    }
  }
  if (!good) buf_printf(w->why, "kernel %s: a buffer has no place", kernel_name(k));
  good = good && kernel_interpret(k, args, w->threads, w->why);
  free(args);
  return good;
}

bool lowered_interpret(const Lowered *l, const KernelTable *t, const int64_t *vars, const void *const *in,
                       void *const *out, void *const *cells, const int64_t clock[4], int threads, Buf *why) {
  World w = {l, t, vars, in, out, cells, clock, threads, why, NULL, NULL, NULL};
  int64_t bytes = 64;
  const Plan *p = l->plan;
  for (int i = 0; i < arrlen(p->bufs); i++)
    if (p->bufs[i].kind == BUF_ARENA && p->bufs[i].offset + p->bufs[i].bytes > bytes)
      bytes = p->bufs[i].offset + p->bufs[i].bytes;
  w.arena = malloc((size_t)bytes + 64);
  w.temp = malloc((size_t)l->temp_bytes + 64);
  w.prepared = malloc((size_t)kernels_prepared_bytes(t) + 64);
  memset(w.prepared, 0xff, (size_t)kernels_prepared_bytes(t) + 64);
  memset(w.arena, 0xff, (size_t)bytes);
  memset(w.temp, 0xff, (size_t)l->temp_bytes + 64);
  bool good = true;
  for (int i = 0; i < kernels_prepared_count(t) && good; i++)
    good = run_call(&w, kernels_prepared(t, i)->kernel, kernels_prepared(t, i)->args, true);
  for (int i = 0; i < arrlen(p->steps) && good; i++) {
    if (p->steps[i].kind != PLAN_KERNEL) {
      buf_str(why, "loops and branches are not interpreted");
      good = false;
      break;
    }
    const LoweredGroup *g = &l->groups[p->steps[i].group];
    for (int k = 0; k < arrlen(g->calls) && good; k++) good = run_call(&w, g->calls[k].kernel, g->calls[k].args, false);
  }
  free(w.arena);
  free(w.temp);
  free(w.prepared);
  return good;
}
