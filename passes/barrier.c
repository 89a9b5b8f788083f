/* barriers: where threads must meet.
 *
 * Before: steps in order, buffers in their places. After: `barrier` stands on each step that touches memory which an
 * earlier step since the last barrier has written, or would overwrite what one still reads. Steps of little work are
 * thread 0's `alone`: they need no barrier between them, and so is a loop or branch that holds no others.
 *
 * What was touched since the last barrier is carried through the tree of steps: into both branches and what either left
 * behind it, round a loop until nothing is added. In a loop, the names of carried pairs swap after each iteration; what
 * decides is read by all threads. Needs: memory, since buffers that share bytes count as one place. */
#include "base/ds.h"
#include "passes/pipeline.h"
#include "passes/plan_internal.h"
#include "passes/work.h"

/* Buffers, [1] by thread 0 alone: its steps are in order without a barrier. */
typedef struct Touched {
  int *read[2], *written[2]; /* stb_ds, sets */
} Touched;

static void add(int **list, int v) {
  for (int i = 0; i < arrlen(*list); i++)
    if ((*list)[i] == v) return;
  arrput(*list, v);
}
static int size_of(const Touched *t) {
  return (int)(arrlen(t->read[0]) + arrlen(t->read[1]) + arrlen(t->written[0]) + arrlen(t->written[1]));
}
static void forget(Touched *t) {
  for (int k = 0; k < 2; k++) arrfree(t->read[k]), arrfree(t->written[k]);
}
static void join(Touched *to, const Touched *from) {
  for (int k = 0; k < 2; k++) {
    for (int i = 0; i < arrlen(from->read[k]); i++) add(&to->read[k], from->read[k][i]);
    for (int i = 0; i < arrlen(from->written[k]); i++) add(&to->written[k], from->written[k][i]);
  }
}

static int home(const Plan *p, int b) {
  while (p->bufs[b].kind == BUF_ROW) b = p->bufs[b].index;
  return b;
}
static bool share_bytes(const PlanBuf *x, const PlanBuf *y) {
  return x->kind == BUF_ARENA && y->kind == BUF_ARENA && x->offset < y->offset + y->bytes &&
         y->offset < x->offset + x->bytes;
}
/* Made in its place in another (parts.c)? Two of one have nothing in common. */
static bool is_part(const Plan *p, int b) { return p->bufs[b].kind == BUF_ROW && p->bufs[b].loop < 0; }
/* The two of a pair are apart, whichever is which; against all others each may be in either place. */
static bool overlap(const Plan *p, int a, int b) {
  if (a != b && is_part(p, a) && is_part(p, b) && p->bufs[a].index == p->bufs[b].index) return false;
  a = home(p, a), b = home(p, b);
  const PlanBuf *x = &p->bufs[a], *y = &p->bufs[b];
  if (x->kind == BUF_OWN || y->kind == BUF_OWN) return false; /* each thread has its own */
  if (a == b) return true;
  if (x->twin == b) return false;
  if (x->kind == BUF_CELL) return buf_holds_cell(y, x->index);
  if (y->kind == BUF_CELL) return buf_holds_cell(x, y->index);
  for (int i = 0; i < (x->twin < 0 ? 1 : 2); i++)
    for (int k = 0; k < (y->twin < 0 ? 1 : 2); k++)
      if (share_bytes(i ? &p->bufs[x->twin] : x, k ? &p->bufs[y->twin] : y)) return true;
  return false;
}
static bool any_overlap(const Plan *p, const int *a, const int *b) {
  for (int i = 0; i < arrlen(a); i++)
    for (int j = 0; j < arrlen(b); j++)
      if (overlap(p, a[i], b[j])) return true;
  return false;
}

/* ---- little work ---- */

/* n steps: those of a loop whose iterations are spread, or of kernels that run at the same time, are one piece. */
static bool is_little(const Plan *p, const PlanStep *steps, int n) {
  return plan_work(p, steps, n) < (double)p->little;
}

static bool mark_alone(const Plan *p, PlanStep *steps) {
  bool all = true;
  for (int i = 0; i < arrlen(steps); i++) {
    PlanStep *s = &steps[i];
    if (s->joined) s->alone = steps[i - 1].alone;
    else if (s->kind == PLAN_KERNEL) s->alone = is_little(p, s, 1 + s->behind);
    else if (s->spread) {
      s->alone = is_little(p, s, 1);
      for (int k = 0; k < arrlen(s->body); k++) s->body[k].alone = s->alone;
    } else {
      bool before = mark_alone(p, s->before), body = mark_alone(p, s->body), other = mark_alone(p, s->other);
      s->alone = before && body && other;
    }
    all &= s->alone;
  }
  return all;
}

/* ---- loops by rows ---- */

/* The same rows of both lie in the same bytes: slices of one iteration, or buffers in one place. */
static bool same_rows(const Plan *p, const PlanStep *s, int a, int b) {
  const PlanBuf *x = &p->bufs[a], *y = &p->bufs[b];
  if (a == b) return true;
  if (x->index == y->index && x->kind == BUF_ROW && y->kind == BUF_ROW)
    return x->loop == s->loop && y->loop == s->loop && !x->place && !y->place && shape_same(x->type, y->type) &&
           x->type.dtype == y->type.dtype;
  return x->kind == BUF_ARENA && y->kind == BUF_ARENA && x->twin < 0 && y->twin < 0 && x->offset == y->offset &&
         shape_same(x->type, y->type) && x->type.dtype == y->type.dtype;
}
/* May each thread take its rows through all iterations? Every kernel is cut at the same rows, and no row of anything
 * that is written lies where other rows of something else do. */
static bool is_apart(const Plan *p, const PlanStep *s) {
  int *r = NULL, *w = NULL;
  bool apart = s->rows > 0 && !s->alone;
  for (int i = 0; i < arrlen(s->body) && apart; i++) {
    apart = p->groups[s->body[i].group].parted;
    step_reads(p, &s->body[i], &r), step_writes(p, &s->body[i], &w);
  }
  for (int i = 0; i < arrlen(s->carried); i++) arrput(w, s->carried[i]), arrput(w, p->bufs[s->carried[i]].twin);
  for (int i = 0; i < arrlen(w) && apart; i++) {
    for (int k = 0; k < arrlen(r); k++) apart &= !overlap(p, w[i], r[k]) || same_rows(p, s, w[i], r[k]);
    for (int k = 0; k < arrlen(w); k++) apart &= !overlap(p, w[i], w[k]) || same_rows(p, s, w[i], w[k]);
  }
  arrfree(r), arrfree(w);
  return apart;
}

static void mark_apart(const Plan *p, PlanStep *steps) {
  for (int i = 0; i < arrlen(steps); i++) {
    PlanStep *s = &steps[i];
    s->apart = s->kind == PLAN_LOOP && is_apart(p, s);
    for (int k = 0; k < arrlen(s->body) && s->apart; k++) s->body[k].alone = false;
    if (!s->apart) mark_apart(p, s->body), mark_apart(p, s->other);
  }
}

/* ---- barriers ---- */

static bool must_wait(const Plan *p, const Touched *t, bool alone, const int *r, const int *w) {
  bool wait = false;
  for (int k = 0; k < (alone ? 1 : 2); k++)
    wait |= any_overlap(p, r, t->written[k]) || any_overlap(p, w, t->written[k]) || any_overlap(p, w, t->read[k]);
  return wait;
}

/* A step as a whole, with the kernels that run at the same time: does it need a barrier before it? Once it had one, it
 * keeps it. */
static void begin_step(Plan *p, PlanStep *s, Touched *t, bool touches) {
  int *r = NULL, *w = NULL;
  if (s->joined) return;
  for (int k = 0; k <= s->behind; k++) step_reads(p, &s[k], &r), step_writes(p, &s[k], &w);
  s->barrier |= must_wait(p, t, s->alone, r, w);
  if (s->barrier) forget(t);
  for (int k = 0; k < arrlen(r) && touches; k++) add(&t->read[s->alone], r[k]);
  for (int k = 0; k < arrlen(w) && touches; k++) add(&t->written[s->alone], w[k]);
  arrfree(r), arrfree(w);
}

/* After an iteration the name of a carried value means what its twin was. */
static void swap_names(const Plan *p, const PlanStep *s, int *list) {
  for (int i = 0; i < arrlen(list); i++)
    for (int k = 0; k < arrlen(s->carried); k++)
      if (list[i] == s->carried[k] || list[i] == p->bufs[s->carried[k]].twin) {
        list[i] = p->bufs[list[i]].twin;
        break;
      }
}
/* At the begin the pairs get their first places again, at the end either may be in either: what was touched of one of
 * them counts for both. */
static void blur_names(const Plan *p, const PlanStep *s, int **list) {
  for (int i = 0, n = (int)arrlen(*list); i < n; i++)
    for (int k = 0; k < arrlen(s->carried); k++)
      if ((*list)[i] == s->carried[k] || (*list)[i] == p->bufs[s->carried[k]].twin) add(list, p->bufs[(*list)[i]].twin);
}

static void blur(const Plan *p, const PlanStep *s, Touched *t) {
  for (int k = 0; k < 2; k++) blur_names(p, s, &t->read[k]), blur_names(p, s, &t->written[k]);
}

static void walk(Plan *p, PlanStep *steps, Touched *t);

/* Threads meet before the first iteration and not again. */
static void walk_apart(Plan *p, PlanStep *s, Touched *t) {
  int *r = NULL, *w = NULL;
  walk(p, s->before, t);
  forget(t);
  for (int i = 0; i < arrlen(s->body); i++) step_reads(p, &s->body[i], &r), step_writes(p, &s->body[i], &w);
  for (int i = 0; i < arrlen(r); i++) add(&t->read[0], r[i]);
  for (int i = 0; i < arrlen(w); i++) add(&t->written[0], w[i]);
  arrfree(r), arrfree(w);
  blur(p, s, t);
}

static void walk_loop(Plan *p, PlanStep *s, Touched *t) {
  blur(p, s, t);
  if (s->apart) {
    walk_apart(p, s, t);
    return;
  }
  walk(p, s->before, t);
  Touched head = {0}, end = {0};
  join(&head, t);
  for (int before = -1; size_of(&head) != before;) {
    before = size_of(&head);
    Touched now = {0};
    forget(&end);
    join(&now, &head);
    if (s->flag >= 0) {
      walk(p, s->other, &now);
      int *flag = NULL;
      arrput(flag, s->flag);
      s->meet |= must_wait(p, &now, false, flag, NULL);
      arrfree(flag);
      if (s->meet) forget(&now);
      add(&now.read[0], s->flag);
      join(&end, &now);
    }
    walk(p, s->body, &now);
    for (int k = 0; k < 2; k++) swap_names(p, s, now.read[k]), swap_names(p, s, now.written[k]);
    join(&head, &now);
    forget(&now);
  }
  forget(t);
  join(t, &head); /* as often as it runs, and not at all */
  join(t, &end);
  blur(p, s, t);
  forget(&head), forget(&end);
}

static void walk_branch(Plan *p, PlanStep *s, Touched *t) {
  Touched other = {0};
  if (s->flag >= 0) add(&t->read[0], s->flag);
  if (s->flag >= 0) join(&other, t);
  walk(p, s->body, t);
  walk(p, s->other, &other);
  join(t, &other);
  forget(&other);
}

static void walk(Plan *p, PlanStep *steps, Touched *t) {
  for (int i = 0; i < arrlen(steps); i++) {
    PlanStep *s = &steps[i];
    bool whole = s->kind == PLAN_KERNEL || s->alone || s->spread;
    begin_step(p, s, t, whole);
    if (whole) continue;
    if (s->kind == PLAN_LOOP) walk_loop(p, s, t);
    else walk_branch(p, s, t);
  }
}

static void no_barriers(PlanStep *steps) {
  for (int i = 0; i < arrlen(steps); i++) {
    PlanStep *s = &steps[i];
    s->barrier = s->meet = false;
    no_barriers(s->before), no_barriers(s->body), no_barriers(s->other);
  }
}

void plan_barriers(Plan *p) {
  Touched t = {0};
  no_barriers(p->steps);
  mark_alone(p, p->steps);
  mark_apart(p, p->steps);
  walk(p, p->steps, &t);
  forget(&t);
}
