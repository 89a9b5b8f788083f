#include "library/profile_count.h"
#include "base/ds.h"
#include <stdlib.h>
#include <string.h>

enum { EVENTS = 1 << 16 }; /* of a thread, for the trace: 1.5 MB */

/* ---- what the pieces are ---- */

static void describe_pieces(Count *c) {
  const Session *s = &c->m->s;
  for (int i = 0; i < (int)arrlen(s->prog->entries); i++) {
    const Plan *p = s->plans[i];
    int first = emit_first_piece(s->plans, i);
    if (!p) continue;
    for (int g = 0; g < (int)arrlen(p->groups); g++)
      c->flops_of[first + g] = c->bytes_of[first + g] = dim_int(s->prog->dims, 0);
    for (int g = 0; g <= (int)arrlen(p->groups); g++) {
      c->entry_of[first + g] = i;
      c->group_of[first + g] = g < (int)arrlen(p->groups) ? g : -1;
      if (g == (int)arrlen(p->groups)) continue;
      int lead = s->lowered[i]->groups[g].lead, to = first + (lead >= 0 ? lead : g); /* whose calls it is part of */
      c->flops_of[to] = dim_add(s->prog->dims, c->flops_of[to], group_flops(p, &p->groups[g]));
      c->bytes_of[to] = dim_add(s->prog->dims, c->bytes_of[to], group_bytes(p, &p->groups[g]));
    }
  }
}

/* ---- counting ---- */

/* Adds the work of calls whose sizes are c->vars[entry]. */
static void settle(Count *c, int entry) {
  const Session *s = &c->m->s;
  const Entry *x = &s->prog->entries[entry];
  if (!c->vars[entry] || !s->plans[entry]) return;
  for (int k = 0; k < (int)arrlen(x->vars); k++) c->values[x->vars[k]] = c->vars[entry][k];
  int first = emit_first_piece(s->plans, entry);
  for (int i = first; i < first + (int)arrlen(s->plans[entry]->groups); i++) {
    int64_t times = c->laps.threads[0].sums[i].times - c->settled[i];
    c->settled[i] += times;
    if (!times) continue;
    c->flops[i] += (double)times * (double)dim_eval(s->prog->dims, c->flops_of[i], c->values);
    c->bytes[i] += (double)times * (double)dim_eval(s->prog->dims, c->bytes_of[i], c->values);
  }
}

static void on_call(DnnProfile *p, int32_t entry, const int64_t *vars) {
  Count *c = (Count *)p;
  c->calls++;
  c->calls_of_one += c->n_threads > 1 && dnn_threads(&c->m->context) == 1;
  size_t bytes = sizeof *vars * arrlenu(c->m->s.prog->entries[entry].vars);
  if (c->vars[entry] && !memcmp(c->vars[entry], vars, bytes)) return;
  settle(c, entry);
  if (!c->vars[entry]) c->vars[entry] = arena_array(c->m->s.arena, int64_t, bytes / sizeof *vars + 1);
  memcpy(c->vars[entry], vars, bytes);
}

void count_open(Count *c, double seconds, int64_t wanted) {
  double now = session_clock();
  c->warm_until = now + 0.1, c->until = now + 0.1 + seconds;
  c->wanted = wanted ? c->steps + wanted : 0;
  c->stop = 0, c->counts = false;
}

static void start(Count *c, double seconds) {
  c->counts = true;
  c->until = session_clock() + seconds;
  c->begin = c->opened = dnn_lap_clock();
  for (int t = 0; t < c->n_threads; t++) c->laps.threads[t].last = c->begin;
  c->m->context.profile = &c->laps;
}

void count_close(Count *c) {
  if (c->counts) {
    c->whole += c->laps.threads[0].last - c->begin;
    for (int t = 1; t < c->n_threads; t++) /* they have slept since their last kernel, or all the time */
      c->laps.threads[t].sums[DNN_LAP_OUTSIDE].spent += c->laps.threads[0].last - c->laps.threads[t].last;
  }
  c->m->context.profile = NULL;
  c->counts = false;
  for (int i = 0; i < (int)arrlen(c->m->s.prog->entries); i++) settle(c, i);
}

void count_step(Count *c) {
  double now = session_clock();
  if (!c->counts) {
    if (now >= c->warm_until) start(c, c->until - c->warm_until);
    return;
  }
  dnn_lap(&c->m->context, DNN_LAP_OUTSIDE);
  if (c->traced) c->spans[c->steps % c->traced] = (Span){c->opened, c->laps.threads[0].last};
  c->opened = c->laps.threads[0].last;
  c->steps++;
  c->stop = c->wanted ? c->steps >= c->wanted : now >= c->until;
  if (c->stop) c->m->context.profile = NULL;
}

Status count_new(Machine *m, const ProfileOpts *o, Count **out) {
  Session *s = &m->s;
  Arena *a = s->arena;
  Count *c = *out = arena_one(a, Count);
  int entries = (int)arrlen(s->prog->entries), n = c->n_pieces = emit_first_piece(s->plans, entries);
  c->m = m;
  c->n_threads = m->context.threads;
  c->laps.call = on_call;
  c->laps.threads = aligned_alloc(128, sizeof *c->laps.threads * (size_t)c->n_threads);
  if (!c->laps.threads) return session_fail(s, STATUS_PROGRAM, "out of memory");
  memset(c->laps.threads, 0, sizeof *c->laps.threads * (size_t)c->n_threads);
  for (int t = 0; t < c->n_threads; t++) {
    DnnLaps *l = &c->laps.threads[t];
    l->sums = calloc((size_t)n + 16, sizeof *l->sums);
    l->events = o->traced ? malloc(EVENTS * sizeof *l->events) : NULL;
    l->n_events = EVENTS;
    if (!l->sums || (o->traced && !l->events)) return session_fail(s, STATUS_PROGRAM, "out of memory");
  }
  c->entry_of = arena_array(a, int32_t, n), c->group_of = arena_array(a, int32_t, n);
  c->flops_of = arena_array(a, Dim, n), c->bytes_of = arena_array(a, Dim, n);
  c->flops = arena_array(a, double, n), c->bytes = arena_array(a, double, n);
  c->settled = arena_array(a, int64_t, n);
  c->vars = arena_array(a, int64_t *, entries + 1);
  c->values = arena_array(a, int64_t, dim_var_count(s->prog->dims) + 1);
  c->traced = o->traced;
  if (o->traced) c->spans = arena_array(a, Span, o->traced);
  describe_pieces(c);
  return STATUS_OK;
}

void count_free(Count *c) {
  c->m->context.profile = NULL;
  for (int t = 0; c->laps.threads && t < c->n_threads; t++)
    free(c->laps.threads[t].sums), free(c->laps.threads[t].events);
  free(c->laps.threads);
  c->laps.threads = NULL;
}
