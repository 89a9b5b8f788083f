/* schedule: the order of steps.
 *
 * Before: steps in the order of their first node. After: an order in which everything is written before it is read, and
 * old values of cells are read before they are replaced where that is possible. */
#include "base/ds.h"
#include "passes/hostile.h"
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
  for (int i = 0; i < x->n_in; i++) {
    int b = region_buf(p, s->scope, x->in[i]);
    if (b >= 0) add(out, b);
  }
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
  for (int i = 0; i < arrlen(s->carried); i++) add(out, s->carried[i]), add(out, p->bufs[s->carried[i]].twin);
  each(p, s->before, out, step_writes);
  each(p, s->body, out, step_writes);
  each(p, s->other, out, step_writes);
}

static int home(const Plan *p, int b) {
  while (p->bufs[b].kind == BUF_ROW) b = p->bufs[b].index;
  return b;
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

/* Who reads a buffer or its twin: no item, this one, or several. */
enum { NONE = -1, SEVERAL = -2 };
static void read_by(int *reader, int b, int item) {
  reader[b] = reader[b] == NONE || reader[b] == item ? item : SEVERAL;
}
static int *find_readers(const Plan *p, const Item *items, int n) {
  int nb = (int)arrlen(p->bufs), *reader = malloc(sizeof(int) * (size_t)(nb + 1));
  for (int b = 0; b < nb; b++) reader[b] = NONE;
  for (int i = 0; i < n; i++)
    for (int k = 0; k < arrlen(items[i].reads); k++) {
      int b = home(p, items[i].reads[k]);
      read_by(reader, b, i);
      if (p->bufs[b].twin >= 0) read_by(reader, p->bufs[b].twin, i);
    }
  return reader;
}

/* A group whose values nobody but the end of the step wants: its outs are roots of the entry and nothing reads them. */
static bool read_by_none(const Plan *p, const int *reader, const Item *it, int item) {
  for (int i = 0; i < arrlen(it->writes); i++) {
    int b = it->writes[i];
    if (p->bufs[b].kind != BUF_ARENA || (reader[b] != NONE && reader[b] != item)) return false;
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

/* Of the items that wait for nothing: commits last, else in the order of their nodes. */
static int next_item(const Item *items, const bool *done, int n) {
  int best = -1;
  for (int i = 0; i < n; i++) {
    if (done[i] || items[i].waits) continue;
    if (best < 0 || items[i].commit < items[best].commit ||
        (items[i].commit == items[best].commit && items[i].first < items[best].first))
      best = i;
  }
  return best;
}

/* The same, any of them (hostile.h). */
static int any_item(const Item *items, const bool *done, int n, uint64_t *state) {
  int ready = 0, best = -1;
  for (int i = 0; i < n; i++)
    if (!done[i] && !items[i].waits && !hostile_pick(state, ++ready)) best = i;
  return best;
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
  int *reader = find_readers(p, items, n);
  for (int i = 0; i < n; i++)
    items[i].commit = (*steps)[i].kind == PLAN_KERNEL && read_by_none(p, reader, &items[i], i);
  free(reader);
  PlanStep *order = NULL;
  bool *done = calloc((size_t)n, sizeof *done);
  uint64_t hostile = hostile_steps();
  for (int placed = 0; placed < n; placed++) {
    int best = hostile ? any_item(items, done, n, &hostile) : next_item(items, done, n);
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

void plan_schedule(Plan *p) { schedule_steps(p, &p->steps); }
