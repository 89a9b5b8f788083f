/* Which buffers stay as they are while a loop of the plan runs. What is made from such alone can be made once, before
 * the loop begins. */
#include "base/ds.h"
#include "passes/plan_internal.h"

static void walk(PlanLoops *l, const Plan *p, const PlanStep *steps, int around) {
  for (int i = 0; i < arrlen(steps); i++) {
    const PlanStep *s = &steps[i];
    if (s->kind == PLAN_KERNEL) {
      l->of_group[s->group] = around;
      continue;
    }
    int inside = s->kind == PLAN_LOOP ? s->loop : around;
    walk(l, p, s->before, around);
    walk(l, p, s->body, inside);
    walk(l, p, s->other, inside);
    if (s->kind != PLAN_LOOP) continue;
    l->around[s->loop] = around;
    l->writes[s->loop] = arena_array(p->arena, bool, arrlen(p->bufs) + 1);
    int *w = NULL;
    step_writes(p, s, &w);
    for (int k = 0; k < arrlen(w); k++) l->writes[s->loop][buf_home(p, w[k])] = true;
    arrfree(w);
  }
}

int buf_home(const Plan *p, int b) {
  while (p->bufs[b].kind == BUF_ROW) b = p->bufs[b].index;
  return b;
}

PlanLoops *plan_loops(const Plan *p) {
  PlanLoops *l = arena_one(p->arena, PlanLoops);
  l->of_group = arena_array(p->arena, int, arrlen(p->groups) + 1);
  l->around = arena_array(p->arena, int, p->n_loops + 1);
  l->writes = arena_array(p->arena, bool *, p->n_loops + 1);
  for (int i = 0; i < arrlen(p->groups); i++) l->of_group[i] = -1;
  walk(l, p, p->steps, -1);
  return l;
}

static bool stays_in(const Plan *p, const PlanLoops *l, int loop, int buf) {
  for (int b = buf; p->bufs[b].kind == BUF_ROW || p->bufs[b].kind == BUF_COUNT; b = p->bufs[b].index) {
    for (int k = p->bufs[b].loop; k >= 0; k = l->around[k])
      if (k == loop) return false;
    if (p->bufs[b].kind == BUF_COUNT) return true;
  }
  return !l->writes[loop][buf_home(p, buf)];
}

int plan_stays(const Plan *p, const PlanLoops *l, int group, const int *bufs, int n) {
  int outermost = -1;
  for (int loop = l->of_group[group]; loop >= 0; loop = l->around[loop]) {
    for (int i = 0; i < n; i++)
      if (!stays_in(p, l, loop, bufs[i])) return outermost;
    outermost = loop;
  }
  return outermost;
}
