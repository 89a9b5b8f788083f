/* Which kernels do too little for loops of vectors to be worth their compile time: those that fill a few cells once or
 * make a few records, those whose work is nothing beside that of their entry, and those that go through a table and
 * call others. Some of them do so little that they need not be optimised at all. */
#include "base/ds.h"
#include "codegen/account.h"
#include "codegen/emit_internal.h"
#include "codegen/loop.h"

/* An element that is drawn for a cell takes some 15 ns instead of 3, at every start of the program, and a kernel that
 * draws 25 ms less to compile, once: so many are filled by two processors in 2 ms. Work that is one part in SHARE of
 * its entry's is none of its time, optimised or not. So many operations in all take a tenth of a millisecond as they
 * are written. */
enum { FILLED = 1 << 18, SHARE = 1 << 17, FEW = 1 << 16 };

static double upper(DimTab *dims, Dim d) {
  int64_t n = dim_upper(dims, d);
  return n < 0 ? (double)INT64_MAX : (double)n;
}
static double filled_by(const Plan *p, const Group *g) {
  double n = 0;
  for (int i = 0; i < (int)arrlen(g->outs); i++)
    n += upper(p->graph->dims, type_count(p->graph->dims, p->bufs[g->outs[i].buf].type));
  return n;
}

/* How often the entry is called in all: for the first values of cells once, for records that are made when their data
 * set is opened as often as there are such; 0: not known. */
static double calls_in_all(const Emit *e, int entry) {
  int kind = e->prog->entries[entry].kind;
  double n = kind == DNN_INIT;
  for (int i = 0; i < (int)arrlen(e->prog->data) && kind == DNN_RECORD; i++) {
    const DnnData *d = &e->prog->data[i];
    int64_t count = -1;
    bool mine = false;
    for (int k = 0; k < d->n_args; k++) {
      if (d->args[k].kind == 'i' && !d->args[k].name) count = (int64_t)d->args[k].num;
      mine |= d->args[k].kind == 'e' && d->args[k].index == entry;
    }
    if (mine && (d->op != DNN_DATA_generate || count < 0)) return 0;
    if (mine) n += (double)count;
  }
  return n;
}

/* By kernel: what it costs with loops but no vectors, and as it is written, as a share of what it may; above 1 it is
 * compiled for more speed. */
typedef struct Cost {
  double plain, slow;
  bool table;
} Cost;
static void add_cost(Cost *c, double plain, double slow) {
  c->plain += plain;
  c->slow += slow;
}
static void add_entry(const Emit *e, int entry, Cost *cost) {
  const Plan *p = e->plans[entry];
  int n = (int)arrlen(p->groups);
  bool *once = arena_array(e->arena, bool, n + 1); /* in no loop or branch */
  double total = 0, times = calls_in_all(e, entry);
  int threads = e->prog->entries[entry].kind == DNN_RECORD ? 1 : 2; /* records are made by one */
  for (int i = 0; i < (int)arrlen(p->steps); i++)
    if (p->steps[i].kind == PLAN_KERNEL) once[p->steps[i].group] = true;
  for (int g = 0; g < n; g++) total += group_work(p, &p->groups[g]);
  for (int g = 0; g < n; g++) {
    const LoweredGroup *groups = e->lowered[entry]->groups, *l = &groups[groups[g].lead >= 0 ? groups[g].lead : g];
    double work = group_work(p, &p->groups[g]), filled = filled_by(p, &p->groups[g]) * 2 / threads;
    double plain = times > 0 ? filled * times / FILLED : work * SHARE / total,
           slow = times > 0 ? work * times / FEW : plain;
    if (!once[g]) plain = slow = 2;
    for (int k = 0; k < (int)arrlen(l->calls); k++) {
      const Kernel *x = kernels_get(e->kernels, l->calls[k].kernel);
      add_cost(&cost[x->index], plain, slow);
      bool items = x->item && arrlen(x->callees) && arrlast(x->callees) == x->item; /* kernel_call_items */
      if (!arrlen(l->calls[k].rows) && !items) continue;
      add_cost(&cost[items ? x->item->index : x->callees[0]->index], plain, slow);
      cost[x->index].table = true;
    }
  }
}

Effort *emit_find_effort(const Emit *e) {
  int n = kernels_count(e->kernels);
  Cost *cost = arena_array(e->arena, Cost, n + 1);
  Effort *effort = arena_array(e->arena, Effort, n + 1);
  for (int i = 0; i < e->n_entries; i++)
    if (e->lowered[i]) add_entry(e, i, cost);
  for (int i = 0; i < kernels_prepared_count(e->kernels); i++)
    add_cost(&cost[kernels_prepared(e->kernels, i)->kernel], 2, 2);
  for (int i = 0; i < n; i++) { /* what others call is called by none of the entries */
    bool little = cost[i].plain > 0 && cost[i].plain <= 1;
    if (cost[i].table) effort[i] = little ? EFFORT_NONE : EFFORT_LITTLE;
    else if (little && !arrlen(kernels_get(e->kernels, i)->callees))
      effort[i] = cost[i].slow <= 1 ? EFFORT_NONE : EFFORT_LITTLE;
  }
  return effort;
}
