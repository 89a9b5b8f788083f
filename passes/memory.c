/* memory: a place for every buffer.
 *
 * Before: values have buffers without offsets. After: new cell values are written into the cells directly where no
 * later step reads the old value; element-wise results take over the buffer of an operand that dies there; every other
 * buffer has an offset in the arena; a loop's carried values begin where their first values are made. Liveness counts
 * positions in the order of steps, a loop as a whole: what it reads from outside lives to its end. Offsets:
 * passes/offsets.h. When lowering knows what workspace the groups need, it becomes buffers of their steps, the steps go
 * into another order where that needs less, and all places are found once more. */
#include "base/ds.h"
#include "passes/mutate.h"
#include "passes/offsets.h"
#include "passes/pipeline.h"
#include "passes/plan_internal.h"
#include <stdlib.h>

/* ---- positions and lives ---- */

static int number_steps(PlanStep *steps, int at) {
  for (int i = 0; i < arrlen(steps); i++) {
    PlanStep *s = &steps[i];
    if (s->kind != PLAN_KERNEL) {
      at = number_steps(s->before, at);
      at = number_steps(s->other, at);
      at = number_steps(s->body, at);
    }
    s->at = s->joined ? at - 1 : at++;
  }
  return at;
}

static void touch(Plan *p, int b, int at) {
  PlanBuf *x = &p->bufs[b];
  if (x->kind == BUF_ROW) {
    touch(p, x->index, at);
    return;
  }
  if (x->begin < 0 || at < x->begin) x->begin = at;
  if (at > x->end) x->end = at;
}

static bool has(const int *list, int v) {
  for (int i = 0; i < arrlen(list); i++)
    if (list[i] == v) return true;
  return false;
}

static void live_steps(Plan *p, const PlanStep *steps) {
  for (int i = 0; i < arrlen(steps); i++) {
    const PlanStep *s = &steps[i];
    if (s->kind != PLAN_KERNEL) {
      live_steps(p, s->before);
      live_steps(p, s->other);
      live_steps(p, s->body);
    }
    int *b = NULL;
    if (s->kind == PLAN_KERNEL) {
      step_reads(p, s, &b);
      step_writes(p, s, &b);
    } else {
      const Node *x = &p->scopes[s->scope].graph->nodes[s->node];
      for (int k = region_carried(p, s->scope, s->node); k < x->n_in; k++)
        arrput(b, region_buf(p, s->scope, x->in[k])); /* first values of carried ones are read by `before` only */
    }
    for (int k = 0; k < arrlen(b); k++)
      if (b[k] >= 0) touch(p, b[k], s->at);
    arrfree(b);
  }
}

static int first_at(const PlanStep *s) {
  if (s->kind == PLAN_KERNEL) return s->at;
  if (arrlen(s->before)) return first_at(&s->before[0]);
  if (arrlen(s->other) && s->kind == PLAN_LOOP) return first_at(&s->other[0]);
  if (arrlen(s->body)) return first_at(&s->body[0]);
  return s->at;
}

/* A buffer that is alive before a loop and used in it, or carried by it, or stacked by it, lives through the whole
 * loop; carried pairs live together. */
static void live_loops(Plan *p, const PlanStep *steps) {
  for (int i = 0; i < arrlen(steps); i++) {
    const PlanStep *s = &steps[i];
    if (s->kind == PLAN_KERNEL) continue;
    live_loops(p, s->before);
    live_loops(p, s->body);
    live_loops(p, s->other);
    if (s->kind != PLAN_LOOP) continue;
    int from = first_at(s), to = s->at;
    int *used = NULL;
    for (int k = 0; k < arrlen(s->body); k++) step_reads(p, &s->body[k], &used), step_writes(p, &s->body[k], &used);
    for (int k = 0; k < arrlen(s->other); k++) step_reads(p, &s->other[k], &used), step_writes(p, &s->other[k], &used);
    for (int k = 0; k < arrlen(s->carried); k++) arrput(used, s->carried[k]);
    for (int k = 0; k < arrlen(used); k++) {
      int b = used[k];
      bool row = false; /* of a loop: parts are none */
      for (; p->bufs[b].kind == BUF_ROW; b = p->bufs[b].index) row |= p->bufs[b].loop >= 0;
      PlanBuf *x = &p->bufs[b];
      if (row || x->begin < from || x->end > to || has(s->carried, b)) touch(p, b, from), touch(p, b, to);
    }
    arrfree(used);
  }
  for (int b = 0; b < arrlen(p->bufs); b++) {
    PlanBuf *x = &p->bufs[b];
    if (x->twin < 0 || p->bufs[x->twin].begin < 0) continue;
    touch(p, b, p->bufs[x->twin].begin);
    touch(p, b, p->bufs[x->twin].end);
  }
}

/* ---- cells written in place ---- */

static const PlanStep *writer_of(const PlanStep *steps, const Plan *p, int buf) {
  for (int i = 0; i < arrlen(steps); i++) {
    if (steps[i].kind != PLAN_KERNEL) continue;
    const Group *gr = &p->groups[steps[i].group];
    for (int k = 0; k < arrlen(gr->outs); k++)
      if (gr->outs[k].buf == buf) return &steps[i];
  }
  return NULL;
}

/* By cell: the last of the steps that reads it, -1 for none. */
static int *last_readers(const Plan *p) {
  int *last = NULL, *r = NULL;
  for (int i = 0; i < arrlen(p->steps); i++) {
    step_reads(p, &p->steps[i], &r);
    for (int k = 0; k < arrlen(r); k++) {
      int b = r[k];
      while (p->bufs[b].kind == BUF_ROW) b = p->bufs[b].index;
      const PlanBuf *x = &p->bufs[b];
      int n = x->kind == BUF_CELL ? 1 : x->kind == BUF_CELLS ? (int)arrlen(x->cells) : 0;
      for (int c = 0; c < n; c++) {
        int cell = x->kind == BUF_CELL ? x->index : x->cells[c];
        while (arrlen(last) <= cell) arrput(last, -1);
        last[cell] = i;
      }
    }
    arrsetlen(r, 0);
  }
  arrfree(r);
  return last;
}

bool group_may_commit(const Plan *p, const Group *gr, int cell) {
  for (int i = 0; i < arrlen(gr->nodes); i++) { /* inside the group: the element itself only */
    const Node *x = &p->graph->nodes[gr->nodes[i]];
    for (int k = 0; k < x->n_in; k++) {
      const Node *c = &p->graph->nodes[x->in[k]];
      if (c->op == OP_cell && node_int(p->graph, c, A_cell) == cell && !group_reads_same(p, gr, x->in[k])) return false;
    }
  }
  return true;
}

static void commit_cells(Plan *p) {
  const Entry *e = p->entry;
  int base = e->n_results + e->n_reports, before = 0; /* steps that came in before the others */
  int *last = last_readers(p);
  for (int i = 0; i < arrlen(e->writes); i++) {
    int cell = e->writes[i];
    NodeId n = p->graph->outputs[base + i];
    const Node *x = &p->graph->nodes[n];
    if (x->op == OP_cell && node_int(p->graph, x, A_cell) == cell) continue; /* unchanged */
    int b = p->buf_of[n];
    const PlanStep *w =
        b >= 0 && p->bufs[b].kind == BUF_ARENA && p->bufs[b].twin < 0 ? writer_of(p->steps, p, b) : NULL;
    int read = cell < arrlen(last) && last[cell] >= 0 ? last[cell] + before : -1; /* the last step that does */
    if (w && read <= w - p->steps && group_may_commit(p, &p->groups[w->group], cell)) {
      p->bufs[b].kind = BUF_CELL;
      p->bufs[b].index = cell;
      continue;
    }
    if (x->op == OP_cell) { /* another cell's old value: taken before anything is replaced */
      int stage = plan_new_buf(p, BUF_ARENA, 0, x->type, n);
      arrins(p->steps, 0, plan_kernel_step(plan_copy_group(p, 0, n, b, stage)));
      before++;
      b = stage;
    }
    int to = plan_new_buf(p, BUF_CELL, cell, x->type, n);
    arrput(p->steps, plan_kernel_step(plan_copy_group(p, 0, n, b, to)));
  }
  arrfree(last);
}

/* ---- taking over an operand's buffer ---- */

static void rename_flags(PlanStep *steps, int from, int to) {
  for (int i = 0; i < arrlen(steps); i++) {
    if (steps[i].kind == PLAN_KERNEL) continue;
    if (steps[i].flag == from) steps[i].flag = to;
    rename_flags(steps[i].body, from, to);
    rename_flags(steps[i].other, from, to);
  }
}

static void rename_buf(Plan *p, int from, int to) {
  rename_flags(p->steps, from, to);
  for (int b = 0; b < arrlen(p->bufs); b++)
    if (p->bufs[b].kind == BUF_ROW && p->bufs[b].index == from) p->bufs[b].index = to;
  for (int s = 0; s < arrlen(p->scopes); s++)
    for (NodeId n = 1; n < (NodeId)arrlen(p->scopes[s].graph->nodes); n++)
      if (p->scopes[s].buf_of[n] == from) p->scopes[s].buf_of[n] = to;
  for (int i = 0; i < arrlen(p->groups); i++) {
    Group *gr = &p->groups[i];
    for (int k = 0; k < arrlen(gr->reads); k++)
      if (gr->reads[k] == from) gr->reads[k] = to;
    for (int k = 0; k < arrlen(gr->outs); k++)
      if (gr->outs[k].buf == from) gr->outs[k].buf = to;
  }
}

bool group_may_take(const Plan *p, const Group *gr, int from, int out) {
  const PlanBuf *x = &p->bufs[from], *y = &p->bufs[out];
  bool arena = x->kind == BUF_ARENA && y->kind == BUF_ARENA, own = x->kind == BUF_OWN && y->kind == BUF_OWN;
  if ((!arena && !own) || x->twin >= 0 || y->twin >= 0) return false;
  if (x->bytes != y->bytes || x->type.dtype != y->type.dtype) return false;
  if (type_count(p->graph->dims, x->type) != type_count(p->graph->dims, y->type)) return false;
  const Graph *g = p->scopes[gr->scope].graph;
  for (int i = 0; i < arrlen(gr->nodes); i++) {
    const Node *n = &g->nodes[gr->nodes[i]];
    for (int k = 0; k < n->n_in; k++)
      if (p->scopes[gr->scope].buf_of[n->in[k]] == from && !group_reads_same(p, gr, n->in[k])) return false;
  }
  return true;
}

/* A carried value's first value is made where it is wanted, unless it is needed later. */
static void take_carried(Plan *p, PlanStep *s) {
  for (int i = (int)arrlen(s->before) - 1; i >= 0; i--) {
    Group *gr = &p->groups[s->before[i].group];
    if (!arrlen(gr->reads)) continue; /* made there anyway */
    int from = gr->reads[0], to = gr->outs[0].buf;
    PlanBuf *x = &p->bufs[from];
    if (x->kind != BUF_ARENA || x->twin >= 0 || x->end != s->before[i].at || x->bytes != p->bufs[to].bytes) continue;
    p->bufs[to].begin = x->begin;
    x->begin = x->end = -1;
    arrfree(gr->outs);
    arrdel(s->before, i);
    rename_buf(p, from, to);
  }
}

/* Do others of the kernels that run at the same time as steps[i] read the buffer? */
static bool read_beside(const Plan *p, const PlanStep *steps, int i, int buf) {
  int first = i;
  while (steps[first].joined) first--;
  for (int k = first; k <= first + steps[first].behind; k++)
    if (k != i && has(p->groups[steps[k].group].reads, buf)) return true;
  return false;
}

/* ---- rows of a loop in place of rows that it reads ---- */

/* A buffer in the arena that the loop goes through in rows, one after the other: the row's buffer is `row`. */
static int stack_of(const Plan *p, const PlanStep *s, int row) {
  const PlanBuf *x = &p->bufs[row];
  if (x->kind != BUF_ROW || x->loop != s->loop || x->place) return -1;
  const PlanBuf *y = &p->bufs[x->index];
  return y->kind == BUF_ARENA && y->twin < 0 && y->begin >= 0 ? x->index : -1;
}

static bool touches(const Plan *p, const PlanStep *steps, int stack) {
  int *b = NULL;
  bool any = false;
  for (int i = 0; i < arrlen(steps); i++) step_reads(p, &steps[i], &b), step_writes(p, &steps[i], &b);
  for (int k = 0; k < arrlen(b); k++) any |= buf_home(p, b[k]) == stack;
  arrfree(b);
  return any;
}

/* May each iteration store row `to` where row `from` was? It has read that for the last time, or reads it in the same
 * kernel, at the element it stores. *step: which one of the body stores it. */
static bool row_may_take(const Plan *p, const PlanStep *s, int from, int to, int *step) {
  int old = p->bufs[from].index, new = p->bufs[to].index, last = -1, first = -1;
  bool ok = !touches(p, s->before, old) && !touches(p, s->before, new) && !touches(p, s->other, old) &&
            !touches(p, s->other, new);
  for (int i = 0; i < arrlen(s->body) && ok; i++) {
    int *r = NULL, *w = NULL;
    bool plain = s->body[i].kind == PLAN_KERNEL && !s->body[i].joined && !s->body[i].behind;
    step_reads(p, &s->body[i], &r), step_writes(p, &s->body[i], &w);
    for (int k = 0; k < arrlen(r); k++) {
      if (buf_home(p, r[k]) == old) ok &= plain && r[k] == from && first < 0, last = i;
      if (buf_home(p, r[k]) == new) ok &= r[k] == to && first >= 0;
    }
    for (int k = 0; k < arrlen(w); k++) {
      ok &= buf_home(p, w[k]) != old;
      if (buf_home(p, w[k]) == new) ok &= plain && w[k] == to && first < 0, first = i;
    }
    arrfree(r), arrfree(w);
  }
  *step = first;
  if (!ok || first < 0 || last < 0) return false;
  const Group *gr = &p->groups[s->body[first].group];
  const Scope *c = &p->scopes[gr->scope];
  for (int i = 0; i < arrlen(gr->nodes) && last == first; i++) {
    const Node *n = &c->graph->nodes[gr->nodes[i]];
    for (int k = 0; k < n->n_in; k++)
      if (c->buf_of[n->in[k]] == from && !group_reads_same(p, gr, n->in[k])) return false;
  }
  return true;
}

/* What a loop stacks stands in place of a stack that it reads, and nobody behind it, row for row. */
static void take_rows(Plan *p, PlanStep *s) {
  if (s->kind != PLAN_LOOP || s->spread) return;
  for (int to = 0; to < arrlen(p->bufs); to++)
    for (int from = 0, new = stack_of(p, s, to); new >= 0 && from < arrlen(p->bufs); from++) {
      int old = stack_of(p, s, from), step;
      if (old < 0 || old == new || p->bufs[new].begin != first_at(s) || p->bufs[old].end != s->at) continue;
      const PlanBuf *x = &p->bufs[from], *y = &p->bufs[to];
      if (p->bufs[old].bytes != p->bufs[new].bytes || x->type.dtype != y->type.dtype || x->bytes != y->bytes) continue;
      if (type_count(p->graph->dims, x->type) != type_count(p->graph->dims, y->type)) continue;
      if (!row_may_take(p, s, from, to, &step)) continue;
      p->bufs[old].end = p->bufs[new].end;
      p->bufs[new].begin = p->bufs[new].end = -1;
      p->groups[s->body[step].group].inplace |= has(p->groups[s->body[step].group].reads, from);
      rename_buf(p, new, old);
      rename_buf(p, to, from);
      break;
    }
}

static void take_over(Plan *p, PlanStep *steps) {
  for (int i = 0; i < arrlen(steps); i++) {
    if (steps[i].kind != PLAN_KERNEL) {
      take_carried(p, &steps[i]);
      take_rows(p, &steps[i]);
      take_over(p, steps[i].body);
      take_over(p, steps[i].other);
      continue;
    }
    Group *gr = &p->groups[steps[i].group];
    for (int o = 0; o < arrlen(gr->outs); o++)
      for (int r = 0; r < arrlen(gr->reads); r++) {
        int from = gr->reads[r], out = gr->outs[o].buf;
        if (from == out || p->bufs[from].end != p->bufs[out].begin || read_beside(p, steps, i, from) ||
            !group_may_take(p, gr, from, out))
          continue;
        p->bufs[from].end = p->bufs[out].end;
        p->bufs[out].begin = p->bufs[out].end = -1;
        gr->inplace = true;
        rename_buf(p, out, from);
        break;
      }
  }
}

/* ---- offsets ---- */

/* Places the buffers of one kind; returns the bytes they take. */
static int64_t place(Plan *p, BufKind kind, int64_t *bound, bool *least) {
  int *list = NULL;
  Block *blocks = NULL;
  for (int b = 0; b < arrlen(p->bufs); b++) {
    const PlanBuf *x = &p->bufs[b];
    if (x->kind != kind || x->begin < 0) continue;
    arrput(list, b);
    arrput(blocks, ((Block){x->bytes, x->begin, x->end, 0}));
  }
  int n = (int)arrlen(blocks);
  *bound = offsets_bound(blocks, n);
  int64_t peak = offsets_find(blocks, n, least);
  for (int i = 0; i < n; i++) p->bufs[list[i]].offset = blocks[i].offset;
  arrfree(list), arrfree(blocks);
  return peak;
}

/* What the caller reads after the last step lives to the end: values of effects. */
static void live_roots(Plan *p, int end) {
  for (int i = 0; i < arrlen(p->graph->outputs); i++) {
    int b = p->buf_of[p->graph->outputs[i]];
    if (b >= 0 && p->bufs[b].begin >= 0 && p->bufs[b].twin < 0) touch(p, b, end); /* a pair's value has been copied */
  }
}

static void count_lives(Plan *p) {
  for (int b = 0; b < arrlen(p->bufs); b++) p->bufs[b].begin = p->bufs[b].end = -1;
  int end = number_steps(p->steps, 0);
  live_steps(p, p->steps);
  live_loops(p, p->steps);
  live_roots(p, end);
}
static void find_lives(Plan *p) {
  count_lives(p);
  take_over(p, p->steps);
}

void plan_lives(Plan *p) {
  commit_cells(p);
  find_lives(p);
}

void plan_memory(Plan *p) {
  commit_cells(p);
  plan_together(p);
  find_lives(p);
  for (int b = 0, k = 0; b < arrlen(p->bufs); b++) {
    PlanBuf *x = &p->bufs[b];
    if (x->kind != BUF_ARENA || x->begin < 0) continue;
    int shift = mutate_live(k++);
    if (x->end + shift >= x->begin) x->end += shift;
  }
  int64_t bound;
  bool least;
  p->own = place(p, BUF_OWN, &bound, &least);
  p->peak = place(p, BUF_ARENA, &p->bound, &p->least);
}

static void workspace_of(Plan *p, const PlanStep *steps, const int64_t *bytes) {
  for (int i = 0; i < arrlen(steps); i++) {
    const PlanStep *s = &steps[i];
    if (s->kind != PLAN_KERNEL) {
      workspace_of(p, s->before, bytes);
      workspace_of(p, s->other, bytes);
      workspace_of(p, s->body, bytes);
      continue;
    }
    if (s->joined) p->groups[s->group].temp = p->groups[steps[i - 1].group].temp;
    if (s->joined || !bytes[s->group]) continue;
    Dim size = dim_int(p->graph->dims, bytes[s->group]);
    int b = plan_new_buf(p, BUF_ARENA, 0, type_of(p->arena, U8, 1, &size), 0);
    p->bufs[b].temp = true;
    p->bufs[b].begin = p->bufs[b].end = s->at;
    p->groups[s->group].temp = b + 1;
  }
}

/* Another order, where workspace has made the peak higher than it was, when that is lower with it. */
static void make_room(Plan *p) {
  PlanStep *order = plan_placed_order(p), *old = p->steps;
  int64_t peak = p->peak;
  if (!order) return;
  p->steps = order;
  count_lives(p);
  p->peak = place(p, BUF_ARENA, &p->bound, &p->least);
  p->ordered = false;
  if (p->peak >= peak) {
    p->steps = old;
    count_lives(p);
    p->peak = place(p, BUF_ARENA, &p->bound, &p->least);
    old = order;
  }
  arrfree(old);
}

void plan_workspace(Plan *p, const int64_t *bytes) {
  for (int i = 0; i < arrlen(p->groups); i++) {
    Group *gr = &p->groups[i];
    if (gr->temp) p->bufs[gr->temp - 1].begin = p->bufs[gr->temp - 1].end = -1;
    gr->temp = 0;
  }
  int n = (int)arrlen(p->bufs);
  int64_t bound = p->bound;
  workspace_of(p, p->steps, bytes);
  if ((int)arrlen(p->bufs) > n) p->peak = place(p, BUF_ARENA, &p->bound, &p->least);
  if (p->bound > bound) make_room(p);
  plan_barriers(p);
}
