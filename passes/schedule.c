/* schedule: the order of steps, and where threads must meet.
 *
 * Before: steps in the order of their first node. After: an order in which everything is written before it is read, old
 * values of cells are read before they are replaced where that is possible, and `barrier` stands on each step that
 * touches memory which an earlier step since the last barrier has written (or would overwrite what one still reads).
 * Steps of little work are thread 0's `alone`: they need no barrier between them. */
#include "base/ds.h"
#include "passes/pipeline.h"
#include "passes/plan_internal.h"
#include <stdlib.h>
#include <string.h>

static void add(int **list, int v) {
  for (int i = 0; i < arrlen(*list); i++)
    if ((*list)[i] == v) return;
  arrput(*list, v);
}

static void each(const Plan *p, const PlanStep *list, int **out, void (*f)(const Plan *, const PlanStep *, int **)) {
  for (int i = 0; i < arrlen(list); i++) f(p, &list[i], out);
}

void step_reads(const Plan *p, const PlanStep *s, int **out) {
  if (s->kind == PLAN_KERNEL) {
    const Group *gr = &p->groups[s->group];
    for (int i = 0; i < arrlen(gr->reads); i++) add(out, gr->reads[i]);
    return;
  }
  const Node *x = &p->scopes[s->scope].graph->nodes[s->node];
  for (int i = 0; i < x->n_in; i++) add(out, p->scopes[s->scope].buf_of[x->in[i]]);
  each(p, s->before, out, step_reads);
  each(p, s->body, out, step_reads);
  each(p, s->other, out, step_reads);
}

void step_writes(const Plan *p, const PlanStep *s, int **out) {
  if (s->kind == PLAN_KERNEL) {
    const Group *gr = &p->groups[s->group];
    for (int i = 0; i < arrlen(gr->outs); i++) add(out, gr->outs[i].buf);
    return;
  }
  each(p, s->before, out, step_writes);
  each(p, s->body, out, step_writes);
  each(p, s->other, out, step_writes);
}

static int home(const Plan *p, int b) {
  while (p->bufs[b].kind == BUF_ROW) b = p->bufs[b].index;
  return b;
}

bool plan_same_place(const Plan *p, int a, int b) {
  a = home(p, a), b = home(p, b);
  if (a == b || p->bufs[a].twin == b) return true;
  const PlanBuf *x = &p->bufs[a], *y = &p->bufs[b];
  return x->kind == y->kind && x->kind == BUF_CELL && x->index == y->index;
}

/* ---- order ---- */

typedef struct Item {
  int *reads, *writes;
  int waits;     /* writers not yet placed */
  int *unblocks; /* items that read what this one writes */
  NodeId first;  /* order among equals */
  bool commit;   /* writes cells only: as late as can be */
} Item;

static NodeId last_node(const Plan *p, const PlanStep *s) {
  if (s->kind != PLAN_KERNEL) return s->node;
  const Group *gr = &p->groups[s->group];
  return arrlen(gr->nodes) ? arrlast(gr->nodes) : 0;
}

/* A group whose values nobody but the end of the step wants: its outs are roots of the entry and nothing reads them. */
static bool read_by_none(const Plan *p, const Item *items, int n, const Item *it) {
  for (int i = 0; i < arrlen(it->writes); i++) {
    if (p->bufs[it->writes[i]].kind != BUF_ARENA) return false;
    for (int k = 0; k < n; k++)
      for (int j = 0; j < arrlen(items[k].reads); j++)
        if (&items[k] != it && plan_same_place(p, items[k].reads[j], it->writes[i])) return false;
  }
  return true;
}

/* Item j waits for item i when it reads something i writes. */
static void link_items(const Plan *p, Item *items, int n) {
  int nb = (int)arrlen(p->bufs);
  int *writer = malloc(sizeof(int) * (size_t)(nb + 1));
  for (int b = 0; b < nb; b++) writer[b] = -1;
  for (int i = 0; i < n; i++)
    for (int k = 0; k < arrlen(items[i].writes); k++) writer[home(p, items[i].writes[k])] = i;
  for (int j = 0; j < n; j++)
    for (int k = 0; k < arrlen(items[j].reads); k++) {
      int i = writer[home(p, items[j].reads[k])];
      if (i < 0 || i == j) continue;
      arrput(items[i].unblocks, j);
      items[j].waits++;
    }
  free(writer);
}

void schedule_steps(Plan *p, PlanStep **steps) {
  int n = (int)arrlen(*steps);
  if (n < 2) return;
  Item *items = calloc((size_t)n, sizeof *items);
  for (int i = 0; i < n; i++) {
    step_reads(p, &(*steps)[i], &items[i].reads);
    step_writes(p, &(*steps)[i], &items[i].writes);
    items[i].first = last_node(p, &(*steps)[i]);
  }
  link_items(p, items, n);
  for (int i = 0; i < n; i++) items[i].commit = (*steps)[i].kind == PLAN_KERNEL && read_by_none(p, items, n, &items[i]);
  PlanStep *order = NULL;
  bool *done = calloc((size_t)n, sizeof *done);
  for (int placed = 0; placed < n; placed++) {
    int best = -1;
    for (int i = 0; i < n; i++) {
      if (done[i] || items[i].waits) continue;
      if (best < 0 || items[i].commit < items[best].commit ||
          (items[i].commit == items[best].commit && items[i].first < items[best].first))
        best = i;
    }
    if (best < 0) INTERNAL("schedule: groups wait for each other in a circle");
    done[best] = true;
    arrput(order, (*steps)[best]);
    for (int k = 0; k < arrlen(items[best].unblocks); k++) items[items[best].unblocks[k]].waits--;
  }
  for (int i = 0; i < n; i++) arrfree(items[i].reads), arrfree(items[i].writes), arrfree(items[i].unblocks);
  free(items);
  free(done);
  arrfree(*steps);
  *steps = order;
}

/* ---- barriers: after memory is planned, since buffers that share bytes count as one place ---- */

static bool overlap(const Plan *p, int a, int b) {
  if (plan_same_place(p, a, b)) return true;
  const PlanBuf *x = &p->bufs[home(p, a)], *y = &p->bufs[home(p, b)];
  return x->kind == BUF_ARENA && y->kind == BUF_ARENA && x->offset < y->offset + y->bytes &&
         y->offset < x->offset + x->bytes;
}

static bool any_overlap(const Plan *p, const int *a, const int *b) {
  for (int i = 0; i < arrlen(a); i++)
    for (int j = 0; j < arrlen(b); j++)
      if (overlap(p, a[i], b[j])) return true;
  return false;
}

/* Too little work to share, in operations and words moved at the bounds of the sizes: some microseconds, of which a
 * barrier and the way of the values to another processor would take the better part. */
static bool is_little(const Plan *p, const PlanStep *s) {
  enum { LITTLE = 1 << 16 };
  if (s->kind != PLAN_KERNEL) return false;
  const Group *gr = &p->groups[s->group];
  const Graph *g = p->scopes[gr->scope].graph;
  int64_t work = 0;
  for (int i = 0; i < arrlen(gr->nodes) && work >= 0; i++) {
    int64_t flops = dim_upper(g->dims, node_flops(g, gr->nodes[i]));
    work = flops < 0 || flops > LITTLE ? -1 : work + flops;
  }
  for (int i = 0; i < arrlen(gr->reads) + arrlen(gr->outs) && work >= 0; i++) {
    int n = (int)arrlen(gr->reads);
    Type t = p->bufs[i < n ? gr->reads[i] : gr->outs[i - n].buf].type;
    int64_t count = dim_upper(g->dims, type_count(g->dims, t));
    work = count < 0 || count > LITTLE ? -1 : work + count * dtype_size(t.dtype) / 4;
  }
  return work >= 0 && work < LITTLE;
}

/* What was touched since the last barrier, [1] by thread 0 alone: its steps are in order without one. */
typedef struct Touched {
  int *read[2], *written[2];
} Touched;

static bool must_wait(const Plan *p, const Touched *t, const PlanStep *s, const int *r, const int *w) {
  bool wait = s->kind != PLAN_KERNEL;
  for (int k = 0; k < (s->alone ? 1 : 2); k++)
    wait |= any_overlap(p, r, t->written[k]) || any_overlap(p, w, t->written[k]) || any_overlap(p, w, t->read[k]);
  return wait;
}

static void place_barriers(Plan *p, PlanStep *steps) {
  Touched t = {0};
  for (int i = 0; i < arrlen(steps); i++) {
    PlanStep *s = &steps[i];
    int *r = NULL, *w = NULL;
    step_reads(p, s, &r);
    step_writes(p, s, &w);
    s->alone = is_little(p, s);
    s->barrier = must_wait(p, &t, s, r, w);
    for (int k = 0; k < 2 && s->barrier; k++) arrsetlen(t.read[k], 0), arrsetlen(t.written[k], 0);
    for (int k = 0; k < arrlen(r); k++) add(&t.read[s->alone], r[k]);
    for (int k = 0; k < arrlen(w); k++) add(&t.written[s->alone], w[k]);
    arrfree(r), arrfree(w);
    if (s->kind == PLAN_KERNEL) continue;
    place_barriers(p, s->before);
    place_barriers(p, s->body);
    place_barriers(p, s->other);
    if (s->kind == PLAN_LOOP && arrlen(s->body)) s->body[0].barrier = true; /* the iteration before may still run */
    if (s->kind == PLAN_LOOP && arrlen(s->other)) s->other[0].barrier = true;
  }
  for (int k = 0; k < 2; k++) arrfree(t.read[k]), arrfree(t.written[k]);
}

void plan_schedule(Plan *p) { schedule_steps(p, &p->steps); }

void plan_barriers(Plan *p) { place_barriers(p, p->steps); }
