/* Calls that depend on cells alone, of an exported function that writes none of them, are made once, by NAME_prepare:
 * packing and transforming weights, and whole groups of the plan (Plan.fixed). Equal calls of several functions are
 * one.
 */
#include "base/ds.h"
#include "codegen/lower.h"
#include "passes/fixed.h"

bool lower_keeps(const Lower *l, int buf) {
  const PlanBuf *b = &l->plan->bufs[buf];
  if (b->kind == BUF_FIXED) return true;
  return b->kind == BUF_CELL && l->plan->entry && fixed_cell(l->plan->entry, b->index);
}

bool lower_keeps_value(const Lower *l, const LExpr *x) {
  if (x->kind == X_LOAD && x->arr->kind != ARR_TABLE && (x->arr->kind != ARR_BUF || !lower_keeps(l, x->arr->buf)))
    return false;
  for (int i = 0; i < 3; i++)
    if (x->in[i] && !lower_keeps_value(l, x->in[i])) return false;
  return true;
}

static bool can_prepare(const Lower *l, const KernelCall *c) {
  const Kernel *k = kernels_get(l->table, c->kernel);
  bool reads = false, writes = false;
  int64_t none;
  for (int i = 0; i < arrlen(c->args); i++) {
    const KArg *a = &c->args[i];
    if (a->kind == KARG_BUF && !lower_keeps(l, a->buf)) return false;
    if (a->kind == KARG_TEMP && !k->params[i].arr->written) return false;
    if (a->kind == KARG_CLOCK || a->kind == KARG_LOOP || (a->kind == KARG_SIZE && !dim_is_int(l->dims, a->dim, &none)))
      return false;
    reads |= a->kind == KARG_BUF || a->kind == KARG_PREPARED;
    writes |= a->kind == KARG_TEMP;
  }
  return reads && writes;
}

enum { NOWHERE = -1 }; /* the offset of what has no place yet */
static bool is_new(const KArg *a) { return a->kind == KARG_PREPARED && a->offset == NOWHERE; }
static bool same_args(const KArg *a, const KArg *b) { /* but for the places of a's new results */
  for (int i = 0; i < arrlen(a); i++)
    if (a[i].kind != b[i].kind || a[i].buf != b[i].buf || a[i].dim != b[i].dim ||
        (a[i].offset != b[i].offset && !is_new(&a[i])))
      return false;
  return true;
}
static int64_t bytes_of(const Lower *l, const KArg *a) {
  if (a->kind == KARG_BUF) return l->plan->bufs[a->buf].bytes;
  for (int i = 0; i < arrlen(l->parts); i++)
    if (l->parts[i].offset == a->offset) return l->parts[i].bytes;
  INTERNAL("a prepared call writes workspace that nobody asked for");
}
/* From now on what stood at `was` stands in prepared memory. */
static void moved(Lower *l, LoweredGroup *g, const KArg *was, int64_t to) {
  if (was->kind == KARG_BUF) {
    l->fixed_at[was->buf] = to;
    return;
  }
  int64_t from = was->offset;
  for (int i = 0; i < arrlen(g->calls); i++)
    for (int k = 0; k < arrlen(g->calls[i].args); k++) {
      KArg *a = &g->calls[i].args[k];
      if (a->kind != KARG_TEMP || a->offset != from) continue;
      a->kind = KARG_PREPARED;
      a->offset = to;
    }
}

/* Moves call c of the group to the prepared ones. `alone`: nothing else writes what it writes. */
static void prepare_call(Lower *l, LoweredGroup *g, int c, bool alone) {
  PreparedCall p = {.kernel = g->calls[c].kernel, .alone = alone};
  KArg *was = g->calls[c].args;
  for (int i = 0; i < arrlen(was); i++) {
    KArg a = was[i];
    bool fixed = a.kind == KARG_BUF && l->plan->bufs[a.buf].kind == BUF_FIXED;
    if (fixed || a.kind == KARG_TEMP)
      a = (KArg){.kind = KARG_PREPARED, .buf = -1, .offset = fixed ? l->fixed_at[a.buf] : NOWHERE};
    else if (a.kind == KARG_BUF) a.buf = l->plan->bufs[a.buf].index;
    p.waits |= a.kind == KARG_PREPARED && !is_new(&a);
    arrput(p.args, a);
  }
  const PreparedCall *known = NULL;
  for (int i = 0; alone && i < kernels_prepared_count(l->table) && !known; i++) {
    const PreparedCall *q = kernels_prepared(l->table, i);
    if (q->alone && q->kernel == p.kernel && same_args(p.args, q->args)) known = q;
  }
  for (int i = 0; i < arrlen(p.args); i++) {
    if (!is_new(&p.args[i])) continue;
    KArg old = was[i];
    p.args[i].offset = known ? known->args[i].offset : kernels_reserve(l->table, bytes_of(l, &old));
    moved(l, g, &old, p.args[i].offset);
  }
  if (known) arrfree(p.args);
  else kernels_prepare(l->table, p);
  arrdel(g->calls, c);
}

void prepare_calls(Lower *l, LoweredGroup *g) {
  for (int c = 0; c < arrlen(g->calls);)
    if (can_prepare(l, &g->calls[c])) prepare_call(l, g, c, true);
    else c++;
}
void prepare_group(Lower *l, LoweredGroup *g) {
  bool alone = arrlen(g->calls) == 1;
  while (arrlen(g->calls)) prepare_call(l, g, 0, alone);
}
