/* The body of an entry's run function: its plan's steps as kernel calls, loops and branches, for every thread of the
 * team. All threads take the same way through them, so that they meet at the same barriers; what a loop carries is
 * named by pointers that swap. Steps of little work, loops and branches of such alone too, stand in blocks that thread
 * 0 goes through as a team of one. */
#include "base/ds.h"
#include "codegen/account.h"
#include "codegen/emit_steps.h"
#include "passes/plan_internal.h"
#include "runtime/core/profile.h"

/* ---- meetings, and blocks of thread 0 ---- */

static void close_alone(Steps *c) {
  if (!c->alone || c->inside) return;
  steps_line(c, "team->n = n;\n");
  c->indent -= 2;
  steps_line(c, "}\n");
  c->alone = false;
}
static void open_alone(Steps *c) {
  if (c->alone) return;
  steps_line(c, "if (team->tid == 0) {\n");
  c->indent += 2;
  steps_line(c, "const int32_t n = team->n;\n");
  steps_line(c, "team->n = 1;\n");
  c->alone = true;
}
/* `group`: what waits for it; the loops and branches are one behind the last. */
static void put_barrier(Steps *c, int group) {
  close_alone(c);
  if (c->e->opts->profile) {
    steps_line(c, "");
    buf_printf(c->b, "if (dnn_lap_barrier(team, %d)) return;\n", c->piece + group);
  } else steps_line(c, "if (dnn_barrier(team)) return;\n");
  c->temp = false;
}
/* With EmitOpts.profile: the time since the last lap is this group's, which is done or goes on behind a meeting. */
static void put_lap(Steps *c, int group, bool done) {
  if (!c->e->opts->profile) return;
  steps_line(c, "");
  if (c->spread) {
    buf_printf(c->b, "dnn_lap_thread(team, thread, %d, %d);\n", c->piece + group, done);
    return;
  }
  buf_printf(c->b, "dnn_lap_team(team, %d, %d);\n", c->piece + group, done);
}

static const LoweredGroup *calls_of(const Steps *c, const PlanStep *s) {
  const LoweredGroup *g = &c->e->lowered[c->i]->groups[s->group];
  return g->lead >= 0 && c->e->opts->watch ? &c->e->lowered[c->i]->groups[g->lead] : g;
}

static bool any_temp(const Steps *c, const PlanStep *steps);
/* Does the step use the workspace that threads share? */
static bool uses_temp(const Steps *c, const PlanStep *s) {
  if (s->spread) return false;
  if (s->kind != PLAN_KERNEL) return any_temp(c, s->before) || any_temp(c, s->body) || any_temp(c, s->other);
  const LoweredGroup *g = calls_of(c, s);
  bool temp = false;
  for (int k = 0; k < (int)arrlen(g->calls); k++) {
    temp |= g->calls[k].barrier;
    for (int i = 0; i < (int)arrlen(g->calls[k].args); i++) temp |= g->calls[k].args[i].kind == KARG_KEPT;
  }
  return temp;
}
static bool any_temp(const Steps *c, const PlanStep *steps) {
  bool temp = false;
  for (int i = 0; i < (int)arrlen(steps); i++) temp |= uses_temp(c, &steps[i]);
  return temp;
}

/* ---- checked runs ---- */

/* One element of the watched group's list of addresses. */
static void put_watched(Steps *c, int buf) {
  const PlanBuf *x = &c->p->bufs[buf];
  steps_line(c, "  ");
  if (x->kind == BUF_COUNT) buf_printf(c->b, "&i%d", x->loop);
  else steps_address(c, buf);
  buf_str(c->b, ",\n");
}

/* Opens a block with the watched group; the watch is called at its begin and its end. */
static void begin_watch(Steps *c, const PlanStep *s) {
  const Group *g = &c->p->groups[s->group];
  steps_line(c, "{\n");
  c->indent += 2;
  steps_line(c, "const void *const bufs[] = {\n");
  for (int k = 0; k < (int)arrlen(g->reads); k++) put_watched(c, g->reads[k]);
  for (int k = 0; k < (int)arrlen(g->outs); k++) put_watched(c, g->outs[k].buf);
  steps_line(c, "};\n");
  steps_line(c, "const int64_t loops[] = {");
  for (int k = 0; k < (int)arrlen(c->loops); k++) buf_printf(c->b, "%d, i%d, ", c->loops[k], c->loops[k]);
  buf_str(c->b, "0};\n");
  steps_line(c, "");
  buf_printf(c->b, "DnnWatched at = {DNN_WATCH_BEFORE, %d, %d, v, bufs, %d, loops};\n", c->i, s->group,
             (int)arrlen(c->loops));
  steps_line(c, "if (dnn_watch(team, &at)) return;\n");
}
static void end_watch(Steps *c) {
  steps_line(c, "at.when = DNN_WATCH_AFTER;\n");
  steps_line(c, "if (dnn_watch(team, &at)) return;\n");
  c->indent -= 2;
  steps_line(c, "}\n");
}

/* ---- initial values ---- */

/* Does anybody but the one write of `cell` take the value that stands in it? */
static bool is_taken(const Plan *p, int cell) {
  const Graph *g = p->graph;
  int first = p->entry->n_results + p->entry->n_reports, n = (int)arrlen(p->entry->writes);
  bool taken = false;
  for (int i = 0; i < (int)arrlen(p->groups); i++)
    for (int k = 0; k < (int)arrlen(p->groups[i].reads); k++)
      taken |= buf_holds_cell(&p->bufs[buf_home(p, p->groups[i].reads[k])], cell);
  for (int i = 0; i < (int)arrlen(g->outputs); i++) {
    int buf = p->buf_of[g->outputs[i]];
    bool own = i >= first && i < first + n && p->entry->writes[i - first] == cell;
    taken |= !own && buf >= 0 && buf_holds_cell(&p->bufs[buf_home(p, buf)], cell);
  }
  return taken;
}
/* stb_ds: the cells that a group of the initialisation fills, with those that are rows of its table. NULL: it is needed
 * for something else as well, or may be. */
static int *filled_by(const Steps *c, int group) {
  const Plan *p = c->p;
  int *cells = NULL;
  if (c->i != c->e->prog->init || c->e->opts->watch || c->e->opts->freestanding || arrlen(c->loops)) return NULL;
  for (int i = 0; i < (int)arrlen(p->groups); i++) {
    if (i != group && c->e->lowered[c->i]->groups[i].lead != group) continue;
    for (int k = 0; k < (int)arrlen(p->groups[i].outs); k++) {
      const PlanBuf *x = &p->bufs[p->groups[i].outs[k].buf];
      if (x->kind != BUF_CELL || is_taken(p, x->index)) {
        arrfree(cells);
        return NULL;
      }
      arrput(cells, x->index);
    }
  }
  return cells;
}
/* Opens a block that is for these cells. */
static void begin_filled(Steps *c, const int *cells) {
  int n = (int)arrlen(cells);
  steps_line(c, "{\n");
  c->indent += 2;
  steps_line(c, "static const int32_t filled[] = {");
  for (int i = 0; i < n; i++) buf_printf(c->b, i ? ", %d" : "%d", cells[i]);
  buf_str(c->b, "};\n");
  steps_line(c, "");
  buf_printf(c->b, "if (dnn_left(team->context, filled, %d)) {\n", n);
  c->indent += 2;
}
static void end_filled(Steps *c) {
  for (int i = 0; i < 2; i++) {
    c->indent -= 2;
    steps_line(c, "}\n");
  }
}

/* ---- steps ---- */

static void put_steps(Steps *c, const PlanStep *steps);

/* The watch meets all threads around every group, so that in checked runs none is thread 0's alone. */
static bool is_alone(const Steps *c, const PlanStep *s) { return s->alone && !c->e->opts->watch; }

static void put_kernel(Steps *c, const PlanStep *s) {
  const LoweredGroup *g = calls_of(c, s);
  bool alone = is_alone(c, s), watch = c->e->opts->watch && arrlen(g->calls);
  const Group *group = &c->p->groups[s->group];
  c->solo = group->solo;
  c->temp_at = group->temp ? c->p->bufs[group->temp - 1].offset : 0;
  if (alone && arrlen(g->calls)) open_alone(c);
  if (arrlen(g->calls)) steps_comment(c, s->group);
  int *filled = arrlen(g->calls) ? filled_by(c, s->group) : NULL;
  if (filled) begin_filled(c, filled);
  if (watch) begin_watch(c, s);
  if (watch && c->solo) open_alone(c); /* as all threads have come here */
  for (int k = 0; k < (int)arrlen(g->calls); k++) {
    if (!alone && !c->solo && g->calls[k].barrier && k) { /* the plan knows about the first one */
      put_lap(c, s->group, false);
      put_barrier(c, s->group);
    }
    Loc at = group_place(c->p, &c->p->groups[s->group]);
    if (watch) steps_call_for(c, &g->calls[k], s->group, at);
    else steps_call(c, &g->calls[k], at);
  }
  if (watch && c->solo) close_alone(c);
  if (watch) end_watch(c);
  if (filled) end_filled(c);
  arrfree(filled);
  if (arrlen(g->calls)) put_lap(c, s->group, true);
  c->temp |= uses_temp(c, s) && !alone && !c->solo;
  c->solo = false;
}

static void put_flag(Steps *c, const char *before, int flag, const char *after) {
  steps_line(c, before);
  steps_address(c, flag);
  buf_str(c->b, after);
}

static void put_pairs(Steps *c, const PlanStep *s) {
  for (int k = 0; k < (int)arrlen(s->carried); k++) {
    int x = s->carried[k], y = c->p->bufs[x].twin;
    steps_line(c, "");
    buf_printf(c->b, "unsigned char *b%d = a + %lld, *b%d = a + %lld;\n", x, (long long)c->p->bufs[x].offset, y,
               (long long)c->p->bufs[y].offset);
    c->named[x] = c->named[y] = true;
  }
}

/* Others than thread 0 do not know which of a pair it left its values in: it is the first. */
static void settle_pairs(Steps *c, const PlanStep *s) {
  for (int k = 0; k < (int)arrlen(s->carried); k++) {
    int x = s->carried[k];
    long long at = (long long)c->p->bufs[x].offset;
    if (x != s->flag) {
      steps_line(c, "");
      buf_printf(c->b, "if (b%d != a + %lld) memcpy(a + %lld, b%d, ", x, at, at, x);
      emit_bytes(c->e, &c->e->prog->entries[c->i], c->b, c->p->bufs[x].type);
      buf_str(c->b, ");\n");
    }
    c->named[x] = c->named[c->p->bufs[x].twin] = false;
  }
  put_lap(c, (int)arrlen(c->p->groups), true);
}

/* What none of the iterations changes, between two meetings: others may still read what stood there before. */
static void put_kept(Steps *c, const PlanStep *s) {
  const LoweredLoop *first = &c->e->lowered[c->i]->loops[s->loop];
  int n = (int)arrlen(first->calls), group = (int)arrlen(c->p->groups);
  if (!n) return;
  if (!c->inside && !s->barrier) put_barrier(c, group);
  for (int i = 0; i < n; i++) steps_call(c, &first->calls[i], c->p->scopes[s->scope].graph->nodes[s->node].loc);
  put_lap(c, group, true);
  if (!c->inside) put_barrier(c, group);
}

static void put_loop(Steps *c, const PlanStep *s) {
  const Node *x = &c->p->scopes[s->scope].graph->nodes[s->node];
  Dim length = node_dim(x, x->op == OP_while ? A_limit : A_length);
  put_pairs(c, s);
  put_kept(c, s);
  put_steps(c, s->before);
  if (s->apart) put_barrier(c, (int)arrlen(c->p->groups));
  steps_line_at(c, x->loc, "");
  bool reverse = x->op == OP_scan && node_int(c->p->graph, x, A_reverse);
  bool counted = x->op != OP_while || !dim_is(c->e->prog->dims, length, -1);
  if (!counted) buf_str(c->b, "for (;;) {\n");
  else {
    arrput(c->loops, s->loop);
    buf_printf(c->b, reverse ? "for (int64_t i%d = " : "for (int64_t i%d = 0; i%d < ", s->loop, s->loop);
    emit_dim(c->e, &c->e->prog->entries[c->i], c->b, length);
    buf_printf(c->b, reverse ? "; i%d-- > 0;) {\n" : "; i%d++) {\n", s->loop);
  }
  c->indent += 2;
  put_steps(c, s->other);
  if (s->meet) put_barrier(c, (int)arrlen(c->p->groups));
  if (s->flag >= 0) put_flag(c, "if (!*(", s->flag, ")) break;\n");
  put_steps(c, s->body);
  for (int k = 0; k < (int)arrlen(s->carried); k++) {
    steps_line(c, "");
    buf_printf(c->b, "dnn_swap(&b%d, &b%d);\n", s->carried[k], c->p->bufs[s->carried[k]].twin);
  }
  if (counted) arrpop(c->loops);
  c->indent -= 2;
  steps_line(c, "}\n");
}

/* Each thread does its part of the iterations, as a team of one. */
static void put_spread(Steps *c, const PlanStep *s) {
  const Node *x = &c->p->scopes[s->scope].graph->nodes[s->node];
  const Entry *entry = &c->e->prog->entries[c->i];
  steps_line_at(c, x->loc, "{\n");
  c->indent += 2;
  steps_line(c, "const int32_t thread = team->tid, threads = team->n;\n");
  steps_line(c, "const int64_t count = ");
  emit_dim(c->e, entry, c->b, node_dim(x, A_length));
  buf_str(c->b, ", last = dnn_part(count, thread + 1, threads);\n");
  steps_line(c, "team->tid = 0;\n");
  steps_line(c, "team->n = 1;\n");
  steps_line(c, "");
  buf_printf(c->b, "for (int64_t i%d = dnn_part(count, thread, threads); i%d < last; i%d++) {\n", s->loop, s->loop,
             s->loop);
  c->indent += 2;
  c->spread = true;
  put_steps(c, s->body);
  c->spread = false;
  c->indent -= 2;
  steps_line(c, "}\n");
  steps_line(c, "team->tid = thread;\n");
  steps_line(c, "team->n = threads;\n");
  c->indent -= 2;
  steps_line(c, "}\n");
}

static void put_branch(Steps *c, const PlanStep *s) {
  if (s->flag < 0) {
    put_steps(c, s->body);
    return;
  }
  put_flag(c, "if (*(", s->flag, ")) {\n");
  c->indent += 2;
  put_steps(c, s->body);
  c->indent -= 2;
  if (arrlen(s->other)) {
    steps_line(c, "} else {\n");
    c->indent += 2;
    put_steps(c, s->other);
    c->indent -= 2;
  }
  steps_line(c, "}\n");
}

static void put_region(Steps *c, const PlanStep *s) {
  bool alone = is_alone(c, s), first = alone && !c->inside, temp = uses_temp(c, s) && !alone;
  if (first) open_alone(c);
  c->inside |= alone;
  c->temp |= temp; /* by the iteration before */
  bool was = c->temp;
  if (first && s->kind == PLAN_LOOP) { /* pointers of its own */
    steps_line(c, "{\n");
    c->indent += 2;
  }
  if (s->spread && !alone && !c->e->opts->watch) put_spread(c, s);
  else if (s->kind == PLAN_LOOP) put_loop(c, s);
  else put_branch(c, s);
  if (first && s->kind == PLAN_LOOP) {
    settle_pairs(c, s);
    c->indent -= 2;
    steps_line(c, "}\n");
  }
  c->temp = was;
  if (first) c->inside = false;
}

/* The group that a step begins with. */
static int first_group(const Steps *c, const PlanStep *s) {
  while (s && s->kind != PLAN_KERNEL) s = arrlen(s->before) ? s->before : arrlen(s->body) ? s->body : NULL;
  return s ? s->group : (int)arrlen(c->p->groups);
}

static void put_steps(Steps *c, const PlanStep *steps) {
  for (int k = 0; k < (int)arrlen(steps); k++) {
    const PlanStep *s = &steps[k];
    bool alone = is_alone(c, s);
    if (s->barrier || (alone && !c->inside && c->temp && uses_temp(c, s))) put_barrier(c, first_group(c, s));
    if (!alone) close_alone(c);
    if (s->kind == PLAN_KERNEL) put_kernel(c, s);
    else put_region(c, s);
  }
  close_alone(c);
}

int emit_first_piece(Plan *const *plans, int entry) {
  int piece = DNN_LAP_GROUPS;
  for (int i = 0; i < entry; i++) piece += plans[i] ? (int)arrlen(plans[i]->groups) + 1 : 0;
  return piece;
}

void emit_steps(const Emit *e, int i, Buf *b) {
  const Plan *p = e->plans[i];
  Steps c = {
      .e = e, .i = i, .p = p, .b = b, .indent = 2, .lines = {e->opts->lines ? e->prog->diag : NULL}, .comment = ""};
  c.piece = emit_first_piece(e->plans, i);
  c.parts = plan_parts(e->arena, p);
  c.named = arena_array(e->arena, bool, arrlen(p->bufs) + 1);
  if (e->opts->watch) {
    buf_printf(b, "  const DnnWatched call = {DNN_WATCH_CALL, %d, 0, v, 0, 0, 0};\n", i);
    buf_str(b, "  if (dnn_watch(team, &call)) return;\n");
  }
  put_steps(&c, p->steps);
  if (b->n) lines_back(&c.lines, b);
  arrfree(c.loops);
}

/* ---- work ---- */

static bool all_alone(const PlanStep *steps) {
  bool all = true;
  for (int i = 0; i < (int)arrlen(steps); i++) all &= steps[i].alone;
  return all;
}

int64_t emit_work(const Emit *e, int i) {
  const Plan *p = e->plans[i];
  double work = plan_work(p, p->steps, (int)arrlen(p->steps));
  return work < 0x1p62 ? (int64_t)work : -1;
}

bool emit_is_little(const Emit *e, int i) {
  const Plan *p = e->plans[i];
  int64_t work = emit_work(e, i);
  return all_alone(p->steps) || (work >= 0 && work < 4 * p->little);
}
