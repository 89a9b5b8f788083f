/* Freed memory in checked runs: what no living buffer of the plan covers holds no number that looks like a good one. */
#include "base/ds.h"
#include "codegen/watch_internal.h"

static void find_positions(const PlanStep *steps, int *at) {
  for (int i = 0; i < (int)arrlen(steps); i++) {
    const PlanStep *s = &steps[i];
    if (s->kind == PLAN_KERNEL) at[s->group] = s->at;
    find_positions(s->before, at);
    find_positions(s->body, at);
    find_positions(s->other, at);
  }
}

int *watch_positions(Arena *a, const Plan *p) {
  int *at = arena_array(a, int, arrlen(p->groups) + 1);
  find_positions(p->steps, at);
  return at;
}

static bool is_alive(const PlanBuf *x, int at) {
  return x->kind == BUF_ARENA && x->begin >= 0 && x->begin <= at && at <= x->end;
}

/* Fills what lies from `from` to `to` in the arena and in no buffer that is alive. */
static void fill_free(const WatchCall *c, const Plan *p, int at, int64_t from, int64_t to) {
  while (from < to) {
    int64_t free_to = to, next = from;
    for (int b = 0; b < (int)arrlen(p->bufs); b++) {
      const PlanBuf *x = &p->bufs[b];
      if (!is_alive(x, at) || x->offset + x->bytes <= from || x->offset >= free_to) continue;
      free_to = x->offset > from ? x->offset : from;
      next = x->offset + x->bytes;
    }
    if (free_to > from) watch_poison(c->m->arena + from, free_to - from);
    from = free_to > from ? free_to : next;
  }
}

void watch_free(WatchCall *c, const Plan *p, int group) {
  int at = c->w->positions[c->entry][group], n = (int)arrlen(p->bufs);
  for (int b = (int)arrlen(c->alive); b < n; b++) arrput(c->alive, false);
  for (int b = 0; b < n; b++) {
    const PlanBuf *x = &p->bufs[b];
    bool alive = is_alive(x, at);
    if (c->alive[b] && !alive) fill_free(c, p, at, x->offset, x->offset + x->bytes);
    c->alive[b] = alive;
  }
}
