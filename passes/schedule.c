/* schedule: the order of steps.
 *
 * Before: steps in the order of their first node. After: an order in which everything is written before it is read, old
 * values of cells are read before they are replaced where that is possible, and few bytes are alive at a time
 * (passes/order.h). */
#include "base/ds.h"
#include "passes/hostile.h"
#include "passes/order.h"
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
    if (gr->temp) add(out, gr->temp - 1);
    return;
  }
  for (int i = 0; i < arrlen(s->carried); i++) add(out, s->carried[i]), add(out, p->bufs[s->carried[i]].twin);
  each(p, s->before, out, step_writes);
  each(p, s->body, out, step_writes);
  each(p, s->other, out, step_writes);
}

/* ---- the problem of the order ---- */

/* A step, with those that run at the same time, as an item of passes/order.h. Pairs that a loop swaps are one value.
 * What the entry writes to a cell takes no memory where the cell can take it, behind all steps that read the old value.
 * Where places are known already, values are what lies in one place, and items keep the order in which they touch it.
 */
typedef struct Touch {
  int item, buf;
  bool writes;
} Touch;
typedef struct Problem {
  const Plan *p;
  PlanStep *steps; /* of one sequence */
  int *at;         /* stb_ds: by item: its first step, and behind the last item the number of steps */
  int n, n_bufs;
  bool whole;            /* all of the entry's steps, not those of a body */
  int **reads, **writes; /* by item, stb_ds: buffers */
  Touch **touched;       /* by buffer that holds others, behind them by cell; stb_ds, in order */
  int *value;            /* by buffer: its value, or -1 */
  int *writer;           /* by value: the item that makes it, or the first part of it */
  Order order;
} Problem;

static const PlanStep *step_of(const Problem *q, int item) { return &q->steps[q->at[item]]; }

static bool lies_in(const Plan *p, int buf, int in) {
  while (buf != in && p->bufs[buf].kind == BUF_ROW) buf = p->bufs[buf].index;
  return buf == in;
}
/* Cells are touched as a whole; two parts of one buffer have nothing in common. */
static bool share(const Problem *q, int a, int b) {
  BufKind k = q->p->bufs[buf_home(q->p, a)].kind;
  return k == BUF_CELL || k == BUF_CELLS || lies_in(q->p, a, b) || lies_in(q->p, b, a);
}

static void touch(Problem *q, int item, int buf, bool writes) {
  int home = buf_home(q->p, buf);
  const PlanBuf *x = &q->p->bufs[home];
  Touch t = {item, buf, writes};
  if (x->kind == BUF_CELL) arrput(q->touched[q->n_bufs + x->index], t);
  else if (x->kind != BUF_CELLS) arrput(q->touched[home], t);
  for (int c = 0; c < (x->kind == BUF_CELLS ? (int)arrlen(x->cells) : 0); c++)
    arrput(q->touched[q->n_bufs + x->cells[c]], t);
}
static void touch_all(Problem *q) {
  int n = q->n_bufs + (int)arrlen(q->p->prog->cells);
  for (int k = 0; k < n && q->touched; k++) arrfree(q->touched[k]);
  free(q->touched);
  q->touched = zeroed(n, sizeof *q->touched);
  for (int i = 0; i < q->n; i++) {
    for (int k = 0; k < arrlen(q->reads[i]); k++) touch(q, i, q->reads[i][k], false);
    for (int k = 0; k < arrlen(q->writes[i]); k++) touch(q, i, q->writes[i][k], true);
  }
}

/* What each item waits for: for everybody who writes what it reads and, where the items are in an order (`in_order`),
 * only for the ones before, but also for those who read or write what it writes. */
static void find_after(Problem *q, bool in_order) {
  int n = q->n_bufs + (int)arrlen(q->p->prog->cells);
  for (int k = 0; k < n; k++)
    for (int a = 0; a < arrlen(q->touched[k]); a++)
      for (int b = 0; b < arrlen(q->touched[k]); b++) {
        Touch x = q->touched[k][a], y = q->touched[k][b];
        bool waits = in_order ? y.item < x.item && (x.writes || y.writes) : y.item != x.item && !x.writes && y.writes;
        if (waits && share(q, x.buf, y.buf)) add(&q->order.items[x.item].after, y.item);
      }
}

/* Pairs of a loop among the steps are one value. In the loop's body they are two, and none of the body's memory. */
static void find_values(Problem *q) {
  const Plan *p = q->p;
  for (int b = 0; b < q->n_bufs; b++) q->value[b] = -1;
  for (int i = 0; i < q->n; i++)
    for (int k = 0; k < arrlen(q->writes[i]); k++) {
      int b = buf_home(p, q->writes[i][k]), twin = p->bufs[b].twin;
      if (q->value[b] < 0 && twin >= 0) q->value[b] = q->value[twin];
      if (q->value[b] >= 0) continue;
      q->value[b] = (int)arrlen(q->order.values);
      bool here = p->bufs[b].kind == BUF_ARENA && (twin < 0 || q->whole || step_of(q, i)->kind == PLAN_LOOP);
      OrderValue v = {.bytes = here ? p->bufs[b].bytes * (twin < 0 ? 1 : 2) : 0};
      arrput(q->order.values, v);
      arrput(q->writer, i);
    }
}
static int value_of(const Problem *q, int b) { return q->value[buf_home(q->p, b)]; }

/* Who reads what, or adds to it: a value is alive from the first who writes it to the last who touches it. One that one
 * item makes for itself alone is read by nobody. */
static void fill_items(Problem *q) {
  for (int i = 0; i < q->n; i++) {
    OrderItem *x = &q->order.items[i];
    for (int k = 0; k < arrlen(q->reads[i]); k++) {
      int v = value_of(q, q->reads[i][k]);
      if (v >= 0 && q->writer[v] != i) add(&x->reads, v);
    }
    for (int k = 0; k < arrlen(q->writes[i]); k++) {
      int v = value_of(q, q->writes[i][k]);
      add(q->writer[v] == i ? &x->writes : &x->reads, v);
      if (q->writer[v] != i) add(&x->after, q->writer[v]);
    }
  }
}

/* Roots that the caller reads live to the end; in a body, whatever nobody in it reads. */
static void keep_roots(Problem *q) {
  const Plan *p = q->p;
  bool whole = q->whole;
  int nv = (int)arrlen(q->order.values);
  bool *read = zeroed(nv, sizeof(bool));
  for (int i = 0; i < q->n; i++)
    for (int k = 0; k < arrlen(q->order.items[i].reads); k++) read[q->order.items[i].reads[k]] = true;
  for (int v = 0; v < nv && !whole; v++) q->order.values[v].stays = !read[v];
  for (int i = 0; i < arrlen(p->graph->outputs) && whole; i++) {
    int b = p->buf_of[p->graph->outputs[i]], v = b >= 0 ? value_of(q, b) : -1;
    if (v >= 0 && p->bufs[b].twin < 0) q->order.values[v].stays = true;
  }
  free(read);
}

/* ---- values for the step's time ---- */

static int flatten(const Plan *p, const PlanStep *s, int at, int *first, int *last) {
  if (s->kind != PLAN_KERNEL) {
    for (int i = 0; i < arrlen(s->before); i++) at = flatten(p, &s->before[i], at, first, last);
    for (int i = 0; i < arrlen(s->other); i++) at = flatten(p, &s->other[i], at, first, last);
    for (int i = 0; i < arrlen(s->body); i++) at = flatten(p, &s->body[i], at, first, last);
    return at;
  }
  int *b = NULL;
  step_reads(p, s, &b);
  step_writes(p, s, &b);
  for (int k = 0; k < arrlen(b); k++) {
    int one = buf_home(p, b[k]);
    if (first[one] < 0) first[one] = at;
    last[one] = at;
  }
  arrfree(b);
  return at + 1;
}

/* What a loop or branch keeps in its bodies: the values that no other step sees do not go through all of it. */
static void fold_inner(Problem *q, int i, const bool *seen, int *first, int *last) {
  OrderItem *x = &q->order.items[i];
  for (int b = 0; b < q->n_bufs; b++) first[b] = -1;
  int n = flatten(q->p, step_of(q, i), 0, first, last);
  int64_t *change = zeroed(n + 1, sizeof(int64_t)), alive = 0;
  for (int k = 0; k < arrlen(q->writes[i]); k++) {
    int b = buf_home(q->p, q->writes[i][k]);
    if (q->value[b] < 0 || seen[q->value[b]] || q->p->bufs[b].twin >= 0 || first[b] < 0) continue;
    int64_t bytes = q->order.values[q->value[b]].bytes;
    q->order.values[q->value[b]].bytes = 0;
    change[first[b]] += bytes, change[last[b] + 1] -= bytes;
  }
  for (int at = 0; at <= n; at++) {
    alive += change[at];
    if (alive > x->inner) x->inner = alive;
  }
  free(change);
}

static void fold_all(Problem *q) {
  bool *seen = zeroed((int)arrlen(q->order.values), sizeof(bool)), any = false;
  for (int i = 0; i < q->n; i++) {
    any |= step_of(q, i)->kind != PLAN_KERNEL;
    for (int k = 0; k < arrlen(q->order.items[i].reads); k++) seen[q->order.items[i].reads[k]] = true;
  }
  for (int v = 0; v < arrlen(q->order.values); v++) seen[v] |= q->order.values[v].stays;
  int *first = zeroed(q->n_bufs, sizeof(int)), *last = zeroed(q->n_bufs, sizeof(int));
  for (int i = 0; i < q->n && any; i++)
    if (step_of(q, i)->kind != PLAN_KERNEL) fold_inner(q, i, seen, first, last);
  free(seen), free(first), free(last);
}

/* ---- buffers that are taken over ---- */

static void find_takes(Problem *q, int i) {
  const PlanStep *s = step_of(q, i);
  if (s->kind != PLAN_KERNEL) return;
  const Group *gr = &q->p->groups[s->group];
  for (int o = 0; o < arrlen(gr->outs); o++)
    for (int r = 0; r < arrlen(gr->reads); r++) {
      OrderTake t = {value_of(q, gr->reads[r]), value_of(q, gr->outs[o].buf)};
      if (t.from < 0 || t.out < 0 || q->writer[t.from] == i) continue;
      if (q->order.values[t.from].bytes && q->order.values[t.out].bytes &&
          group_may_take(q->p, gr, gr->reads[r], gr->outs[o].buf))
        arrput(q->order.items[i].takes, t);
    }
}

/* ---- cells ---- */

/* Can `to` be reached from `from` along what waits? */
static bool reaches(int *const *next, int from, int to, int *mark, int stamp) {
  if (from == to) return true;
  if (mark[from] == stamp) return false;
  mark[from] = stamp;
  for (int k = 0; k < arrlen(next[from]); k++)
    if (reaches(next, next[from][k], to, mark, stamp)) return true;
  return false;
}

/* The steps that read each cell, stb_ds. */
static int **cell_readers(const Problem *q) {
  int **readers = zeroed((int)arrlen(q->p->prog->cells), sizeof(int *));
  for (int i = 0; i < q->n; i++)
    for (int k = 0; k < arrlen(q->reads[i]); k++) {
      const PlanBuf *x = &q->p->bufs[buf_home(q->p, q->reads[i][k])];
      if (x->kind == BUF_CELL) add(&readers[x->index], i);
      for (int c = 0; c < (x->kind == BUF_CELLS ? (int)arrlen(x->cells) : 0); c++) add(&readers[x->cells[c]], i);
    }
  return readers;
}

/* Writes of cells wait for all who read the old value, unless these wait for them: then a copy is made at the end. */
static void order_cells(Problem *q) {
  const Plan *p = q->p;
  const Entry *e = p->entry;
  int **readers = cell_readers(q), **next = zeroed(q->n, sizeof(int *)), *mark = zeroed(q->n, sizeof(int)), stamp = 0;
  for (int i = 0; i < q->n; i++)
    for (int k = 0; k < arrlen(q->order.items[i].after); k++) arrput(next[q->order.items[i].after[k]], i);
  for (int w = 0; w < arrlen(e->writes); w++) {
    int cell = e->writes[w], b = p->buf_of[p->graph->outputs[e->n_results + e->n_reports + w]];
    int v = b >= 0 ? value_of(q, b) : -1, i = v >= 0 ? q->writer[v] : -1;
    bool fits = i >= 0 && step_of(q, i)->kind == PLAN_KERNEL && p->bufs[b].kind == BUF_ARENA && p->bufs[b].twin < 0 &&
                group_may_commit(p, &p->groups[step_of(q, i)->group], cell);
    for (int k = 0; k < arrlen(readers[cell]) && fits; k++)
      if (readers[cell][k] != i && (arrlen(next[i]) || !k)) fits = !reaches(next, i, readers[cell][k], mark, ++stamp);
    if (!fits) continue;
    q->order.values[v].bytes = 0;
    for (int k = 0; k < arrlen(readers[cell]); k++) {
      int r = readers[cell][k];
      if (r == i) continue;
      add(&q->order.items[i].after, r);
      add(&next[r], i);
    }
  }
  for (int c = 0; c < arrlen(p->prog->cells); c++) arrfree(readers[c]);
  for (int i = 0; i < q->n; i++) arrfree(next[i]);
  free(readers), free(next), free(mark);
}

/* ---- the order ---- */

/* The first node whose value the step stores. */
static NodeId first_node(const Plan *p, const PlanStep *s) {
  if (s->kind != PLAN_KERNEL) return s->node;
  const Group *gr = &p->groups[s->group];
  NodeId first = arrlen(gr->outs) ? gr->outs[0].node : 0;
  for (int i = 1; i < arrlen(gr->outs); i++)
    if (gr->outs[i].node < first) first = gr->outs[i].node;
  return first;
}

static bool is_ready(const Problem *q, const bool *done, int i) {
  bool ready = !done[i];
  for (int k = 0; k < arrlen(q->order.items[i].after) && ready; k++) ready = done[q->order.items[i].after[k]];
  return ready;
}
/* Of the steps that wait for nothing: the first by its node. */
static int first_ready(const Problem *q, const bool *done) {
  int best = -1;
  for (int i = 0; i < q->n; i++)
    if (is_ready(q, done, i) && (best < 0 || first_node(q->p, step_of(q, i)) < first_node(q->p, step_of(q, best))))
      best = i;
  return best;
}
/* Any of them (hostile.h). */
static int any_ready(const Problem *q, const bool *done, uint64_t *state) {
  int ready = 0, best = -1;
  for (int i = 0; i < q->n; i++)
    if (is_ready(q, done, i) && !hostile_pick(state, ++ready)) best = i;
  return best;
}

/* First by their nodes, each behind what it waits for: an order that is possible, and the program's own. */
static int *natural_order(const Problem *q, uint64_t hostile) {
  int *seq = zeroed(q->n, sizeof(int));
  bool *done = zeroed(q->n, sizeof(bool));
  for (int placed = 0; placed < q->n; placed++) {
    int best = hostile ? any_ready(q, done, &hostile) : first_ready(q, done);
    if (best < 0) INTERNAL("schedule: groups wait for each other in a circle");
    done[best] = true;
    seq[placed] = best;
  }
  free(done);
  return seq;
}

static Problem problem_new(const Plan *p, PlanStep *steps, bool whole) {
  Problem q = {.p = p, .steps = steps, .n_bufs = (int)arrlen(p->bufs), .whole = whole};
  int n = (int)arrlen(steps);
  for (int i = 0; i < n; i++)
    if (!steps[i].joined) arrput(q.at, i);
  q.n = (int)arrlen(q.at);
  arrput(q.at, n);
  q.reads = zeroed(q.n, sizeof(int *)), q.writes = zeroed(q.n, sizeof(int *)), q.value = zeroed(q.n_bufs, sizeof(int));
  for (int i = 0; i < q.n; i++) {
    for (int k = q.at[i]; k < q.at[i + 1]; k++) {
      step_reads(p, &steps[k], &q.reads[i]);
      step_writes(p, &steps[k], &q.writes[i]);
    }
    arrput(q.order.items, (OrderItem){0});
  }
  touch_all(&q);
  return q;
}
static void problem_free(Problem *q) {
  for (int i = 0; i < q->n; i++) arrfree(q->reads[i]), arrfree(q->writes[i]);
  for (int k = 0; k < q->n_bufs + (int)arrlen(q->p->prog->cells); k++) arrfree(q->touched[k]);
  free(q->reads), free(q->writes), free(q->value), free(q->touched);
  arrfree(q->writer), arrfree(q->at);
  order_free(&q->order);
}

/* The steps in the order `seq` of items. */
static PlanStep *reordered(const Problem *q, const int *seq) {
  PlanStep *list = NULL;
  for (int i = 0; i < q->n; i++)
    for (int k = q->at[seq[i]]; k < q->at[seq[i] + 1]; k++) arrput(list, q->steps[k]);
  return list;
}

/* The steps in an order that is possible. */
static void in_natural_order(const Plan *p, PlanStep **steps, bool whole) {
  Problem q = problem_new(p, *steps, whole);
  find_after(&q, false);
  int *seq = natural_order(&q, 0);
  PlanStep *list = reordered(&q, seq);
  problem_free(&q);
  free(seq);
  arrfree(*steps);
  *steps = list;
}

/* The items in the order `seq`, named by it. */
static Order renamed(const Order *o, const int *seq, int n) {
  Order to = {0};
  int *at = zeroed(n, sizeof(int));
  for (int i = 0; i < n; i++) at[seq[i]] = i;
  for (int i = 0; i < n; i++) {
    OrderItem x = o->items[seq[i]];
    for (int k = 0; k < arrlen(x.after); k++) x.after[k] = at[x.after[k]];
    arrput(to.items, x);
  }
  to.values = o->values;
  free(at);
  return to;
}

static void schedule(Plan *p, PlanStep **steps, bool whole) {
  int n = (int)arrlen(*steps);
  if (whole) p->ordered = n < 2;
  if (n < 2) return;
  in_natural_order(p, steps, whole);
  Problem q = problem_new(p, *steps, whole);
  find_after(&q, true);
  find_values(&q);
  fill_items(&q);
  keep_roots(&q);
  if (whole && !hostile_steps()) order_cells(&q);
  fold_all(&q);
  for (int i = 0; i < n; i++) find_takes(&q, i);
  int *natural = natural_order(&q, hostile_steps()), *seq = zeroed(n, sizeof(int));
  Order o = renamed(&q.order, natural, n);
  arrfree(q.order.items);
  q.order = o;
  bool proven = false;
  if (!hostile_steps()) order_find(&q.order, seq, &proven);
  else
    for (int i = 0; i < n; i++) seq[i] = i;
  if (whole) p->ordered = proven;
  for (int i = 0; i < n; i++) seq[i] = natural[seq[i]];
  PlanStep *order = reordered(&q, seq);
  problem_free(&q);
  free(natural), free(seq);
  arrfree(*steps);
  *steps = order;
}

void schedule_steps(Plan *p, PlanStep **steps) { schedule(p, steps, false); }
void plan_schedule(Plan *p) { schedule(p, &p->steps, true); }

PlanStep *plan_placed_order(const Plan *p) {
  Problem q = problem_new(p, p->steps, true);
  PlanStep *order = NULL;
  if (q.n > 1 && !hostile_steps()) {
    find_after(&q, true);
    find_values(&q);
    fill_items(&q);
    keep_roots(&q);
    fold_all(&q);
    int *seq = zeroed(q.n, sizeof(int)), *same = zeroed(q.n, sizeof(int));
    bool proven;
    for (int i = 0; i < q.n; i++) same[i] = i;
    if (order_find(&q.order, seq, &proven) < order_peak(&q.order, same)) order = reordered(&q, seq);
    free(seq), free(same);
  }
  problem_free(&q);
  return order;
}
