/* Calls that fill workspace from what no iteration of a loop around their group changes, such as packing a weight, are
 * made once, before the outermost such loop begins. What they make stands behind the workspace that groups use in
 * turns; the loops inside of one outermost loop have their places there one after the other. */
#include "base/ds.h"
#include "codegen/lower.h"

static int loop_of(const Lower *l, const int *bufs, int n) {
  return l->group->solo ? -1 : plan_stays(l->plan, l->loops, (int)(l->group - l->plan->groups), bufs, n);
}
bool lower_stays(const Lower *l, int buf) { return loop_of(l, &buf, 1) >= 0; }

/* The loop before which the call can be made, or -1. */
static int can_keep(const Lower *l, const KernelCall *c) {
  const Kernel *k = kernels_get(l->table, c->kernel);
  int *bufs = NULL, fills = 0;
  bool ok = true;
  for (int i = 0; i < arrlen(c->args); i++) {
    const KArg *a = &c->args[i];
    bool memory = a->kind == KARG_BUF || a->kind == KARG_TEMP, written = memory && k->params[i].arr->written;
    ok &= a->kind != KARG_LOOP && a->kind != KARG_KEPT && a->kind != KARG_PREPARED &&
          (!memory || written == (a->kind == KARG_TEMP));
    if (a->kind == KARG_BUF) arrput(bufs, a->buf);
    fills += a->kind == KARG_TEMP;
  }
  int loop = ok && fills == 1 && arrlen(bufs) ? loop_of(l, bufs, (int)arrlen(bufs)) : -1;
  arrfree(bufs);
  return loop;
}

static bool same_call(const KernelCall *x, const KernelCall *y) { /* but for the place of the result */
  bool same = x->kernel == y->kernel;
  for (int i = 0; i < arrlen(x->args) && same; i++) {
    const KArg *a = &x->args[i], *b = &y->args[i];
    same =
        a->kind == b->kind && a->buf == b->buf && a->dim == b->dim && (a->offset == b->offset || a->kind == KARG_KEPT);
  }
  return same;
}

static void keep_call(Lower *l, LoweredGroup *g, int c, int loop) {
  int outermost = loop, made = 0;
  while (l->loops->around[outermost] >= 0) outermost = l->loops->around[outermost];
  LoweredLoop *there = &l->kept[loop];
  KernelCall call = g->calls[c];
  while (call.args[made].kind != KARG_TEMP) made++;
  int64_t from = call.args[made].offset, to = l->kept[outermost].bytes;
  call.args[made] = (KArg){.kind = KARG_KEPT, .buf = -1, .offset = to};
  const KernelCall *known = NULL;
  for (int i = 0; i < arrlen(there->calls) && !known; i++)
    if (same_call(&call, &there->calls[i])) known = &there->calls[i];
  if (known) to = known->args[made].offset;
  else {
    arrput(there->calls, call);
    for (int i = 0; i < arrlen(l->parts); i++)
      if (l->parts[i].offset == from) l->kept[outermost].bytes += l->parts[i].bytes;
  }
  arrdel(g->calls, c);
  for (int i = 0; i < arrlen(g->calls); i++)
    for (int k = 0; k < arrlen(g->calls[i].args); k++) {
      KArg *a = &g->calls[i].args[k];
      if (a->kind == KARG_TEMP && a->offset == from) *a = (KArg){.kind = KARG_KEPT, .buf = -1, .offset = to};
    }
}

void lower_keep_calls(Lower *l, LoweredGroup *g) {
  for (int c = 0; c < arrlen(g->calls);) {
    int loop = can_keep(l, &g->calls[c]);
    if (loop >= 0) keep_call(l, g, c, loop);
    else c++;
  }
}
