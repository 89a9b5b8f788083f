/* Which kernels do too little for loops of vectors to be worth their compile time: those that fill a few cells once,
 * those whose work is nothing beside that of their entry, and those that go through a table and call others. */
#include "base/ds.h"
#include "codegen/account.h"
#include "codegen/emit_internal.h"
#include "codegen/loop.h"

/* An element that is drawn for a cell takes some 15 ns instead of 3, and a kernel that draws 25 ms less to compile: so
 * many are filled by all processors in a third of that. Work that is one part in SHARE of its entry's is none of its
 * time, vectors or not. */
enum { FILLED = 1 << 20, SHARE = 1 << 17 };

static double upper(DimTab *dims, Dim d) {
  int64_t n = dim_upper(dims, d);
  return n < 0 ? (double)INT64_MAX : (double)n;
}
static double work_of(const Plan *p, const Group *g) {
  return upper(p->graph->dims, group_flops(p, g)) + upper(p->graph->dims, group_bytes(p, g)) / 4;
}
static double filled_by(const Plan *p, const Group *g) {
  double n = 0;
  for (int i = 0; i < (int)arrlen(g->outs); i++)
    n += upper(p->graph->dims, type_count(p->graph->dims, p->bufs[g->outs[i].buf].type));
  return n;
}

/* By kernel: what it costs, as a share of what it may; above 1 it is compiled for speed. */
static void add_entry(const Emit *e, int entry, double *cost, bool *table) {
  const Plan *p = e->plans[entry];
  int n = (int)arrlen(p->groups);
  bool *once = arena_array(e->arena, bool, n + 1); /* in no loop or branch */
  double total = 0;
  for (int i = 0; i < (int)arrlen(p->steps); i++)
    if (p->steps[i].kind == PLAN_KERNEL) once[p->steps[i].group] = true;
  for (int g = 0; g < n; g++) total += work_of(p, &p->groups[g]);
  for (int g = 0; g < n; g++) {
    const LoweredGroup *groups = e->lowered[entry]->groups, *l = &groups[groups[g].lead >= 0 ? groups[g].lead : g];
    bool init = e->prog->entries[entry].kind == DNN_INIT;
    double c = init ? filled_by(p, &p->groups[g]) / FILLED : work_of(p, &p->groups[g]) * SHARE / total;
    for (int k = 0; k < (int)arrlen(l->calls); k++) {
      const Kernel *x = kernels_get(e->kernels, l->calls[k].kernel);
      cost[x->index] += once[g] ? c : 2;
      bool items = x->item && arrlen(x->callees) && arrlast(x->callees) == x->item; /* kernel_call_items */
      if (!arrlen(l->calls[k].rows) && !items) continue;
      cost[items ? x->item->index : x->callees[0]->index] += once[g] ? c : 2;
      table[x->index] = true;
    }
  }
}

bool *emit_find_brief(const Emit *e) {
  int n = kernels_count(e->kernels);
  double *cost = arena_array(e->arena, double, n + 1);
  bool *brief = arena_array(e->arena, bool, n + 1), *table = arena_array(e->arena, bool, n + 1);
  for (int i = 0; i < e->n_entries; i++)
    if (e->lowered[i]) add_entry(e, i, cost, table);
  for (int i = 0; i < kernels_prepared_count(e->kernels); i++) cost[kernels_prepared(e->kernels, i)->kernel] += 2;
  for (int i = 0; i < n; i++) /* what others call is called by none of the entries */
    brief[i] = table[i] || (cost[i] > 0 && cost[i] <= 1 && !arrlen(kernels_get(e->kernels, i)->callees));
  return brief;
}
