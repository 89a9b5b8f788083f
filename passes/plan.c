/* Building a plan from an entry, and checking it. */
#include "base/ds.h"
#include "passes/pipeline.h"
#include "passes/plan_internal.h"
#include <stdlib.h>
#include <string.h>

/* Too little work to share: some microseconds, of which a barrier and the way of the values to another processor would
 * take the better part. */
enum { LITTLE = 1 << 16 };

int plan_new_buf(Plan *p, BufKind kind, int index, Type type, NodeId node) {
  Dim count = type_count(p->graph->dims, type);
  int64_t n = dim_upper(p->graph->dims, count);
  if (n < 0) INTERNAL("a buffer without a bound: every dimension of an entry needs one before it is planned");
  PlanBuf b = {.kind = kind, .index = index, .twin = -1, .type = type, .node = node, .begin = -1, .end = -1};
  b.bytes = (n * dtype_size(type.dtype) + 63) / 64 * 64;
  if (b.bytes == 0) b.bytes = 64;
  arrput(p->bufs, b);
  return (int)arrlen(p->bufs) - 1;
}

int plan_new_scope(Plan *p, Graph *g) {
  Scope s = {g, arena_array(p->arena, int, arrlen(g->nodes) + 1)};
  for (int i = 0; i < arrlen(g->nodes); i++) s.buf_of[i] = -1;
  arrput(p->scopes, s);
  return (int)arrlen(p->scopes) - 1;
}

PlanStep plan_kernel_step(int group) {
  PlanStep s = {.kind = PLAN_KERNEL, .group = group};
  return s;
}

int plan_copy_group(Plan *p, int scope, NodeId n, int from, int to) {
  if (from < 0) INTERNAL("a copy of node %u, which has no buffer", n);
  Group gr = {.scope = scope};
  GroupOut o = {n, to};
  arrput(gr.outs, o);
  arrput(gr.reads, from);
  arrput(p->groups, gr);
  return (int)arrlen(p->groups) - 1;
}

static void bind_sources(Plan *p) {
  Graph *g = p->graph;
  int *cell_buf = NULL;
  for (int i = 0; i < arrlen(p->prog->cells); i++) arrput(cell_buf, -1);
  for (NodeId n = 1; n < (NodeId)arrlen(g->nodes); n++) {
    const Node *x = &g->nodes[n];
    if (x->op == OP_input) p->buf_of[n] = plan_new_buf(p, BUF_INPUT, (int)node_int(g, x, A_index), x->type, n);
    if (x->op != OP_cell) continue;
    int c = (int)node_int(g, x, A_cell);
    if (cell_buf[c] < 0) cell_buf[c] = plan_new_buf(p, BUF_CELL, c, x->type, n);
    p->buf_of[n] = cell_buf[c];
  }
  arrfree(cell_buf);
}

int plan_made_group(Plan *p, int scope, NodeId n, int to) {
  Group gr = {.scope = scope};
  GroupOut o = {n, to};
  arrput(gr.outs, o);
  arrput(gr.nodes, n);
  arrput(p->groups, gr);
  return (int)arrlen(p->groups) - 1;
}

/* A value that is read after the last step does not stand in one of two buffers that a loop swaps. */
static void keep_still(Plan *p, NodeId n) {
  int from = p->buf_of[n];
  if (p->bufs[from].twin < 0) return;
  int to = plan_new_buf(p, BUF_ARENA, 0, p->bufs[from].type, n);
  arrput(p->steps, plan_kernel_step(plan_copy_group(p, 0, n, from, to)));
  p->buf_of[n] = to;
}

static Plan *fused(Arena *a, const Prog *prog, const Entry *entry, bool whole) {
  Plan *p = arena_one(a, Plan);
  p->whole = whole;
  p->arena = a;
  p->prog = prog;
  p->entry = entry;
  p->graph = entry->graph;
  p->little = LITTLE;
  plan_new_scope(p, entry->graph);
  p->buf_of = p->scopes[0].buf_of;
  bind_sources(p);
  int n = (int)arrlen(p->graph->outputs), results = entry->n_results + entry->n_reports;
  int *home = arena_array(a, int, n + 1);
  for (int i = 0; i < n; i++) {
    NodeId v = p->graph->outputs[i];
    home[i] = i < results ? plan_new_buf(p, BUF_OUTPUT, i, graph_type(p->graph, v), v) : -1;
  }
  fuse_scope(p, 0, &p->steps, p->graph->outputs, home, n);
  for (int i = 0; i < results; i++) {
    NodeId v = p->graph->outputs[i];
    if (p->buf_of[v] != home[i]) arrput(p->steps, plan_kernel_step(plan_copy_group(p, 0, v, p->buf_of[v], home[i])));
  }
  for (int i = results + (int)arrlen(entry->writes); i < n; i++) keep_still(p, p->graph->outputs[i]);
  return p;
}

Plan *plan_fuse(Arena *a, const Prog *prog, const Entry *entry) { return fused(a, prog, entry, false); }

Plan *plan_build(Arena *a, const Prog *prog, const Entry *entry) { return plan_build_for(a, prog, entry, LITTLE); }

static Plan *placed(Arena *a, const Prog *prog, const Entry *entry, int64_t little, bool whole) {
  Plan *p = fused(a, prog, entry, whole);
  p->little = little;
  plan_schedule(p);
  plan_memory(p);
  return p;
}

/* A result that is made early in its place has the whole wait for the rest: then a copy may need less. */
Plan *plan_build_for(Arena *a, const Prog *prog, const Entry *entry, int64_t little) {
  Plan *p = placed(a, prog, entry, little, false), *copied = p->n_parts ? placed(a, prog, entry, little, true) : p;
  if (copied->peak < p->peak) p = copied;
  plan_layout(p);
  plan_by_rows(p);
  plan_barriers(p);
  Buf why = {0};
  if (!plan_verify(p, &why)) INTERNAL("the plan of %s is wrong: %s", entry->name, why.s);
  buf_free(&why);
  return p;
}

/* ---- same-element reads ---- */

/* A slice of everything, as clones read what is kept through (remat.c). */
static bool is_all(const Graph *g, const Node *x) {
  int64_t step[MAX_RANK];
  if (x->op != OP_slice || !shape_same(x->type, graph_type(g, x->in[0]))) return false;
  for (int k = node_ints(g, x, A_step, step, MAX_RANK); k-- > 0;)
    if (step[k] != 1 || !dim_is(g->dims, node_attr(x, A_start)->dims[k], 0)) return false;
  return true;
}

/* Walks from the outs: `same` holds along MAP operands and reshapes, in a row group also from a result to its row and
 * back. Returns false when n is reached otherwise. */
static bool keeps_element(const Plan *p, const Group *gr, NodeId n) {
  const Graph *g = p->scopes[gr->scope].graph;
  const Node *x = graph_node(g, n);
  if (op_info[x->op].cls == MAP || x->op == OP_reshape || is_all(g, x)) return true;
  Split row, s;
  return arrlen(gr->folds) && split_of(g, gr->folds[0], &row) && split_of(g, n, &s) && split_same(&row, &s);
}

static bool walk_same(const Plan *p, const Group *gr, NodeId at, bool same, NodeId n, uint8_t *seen) {
  if (at == n) return same;
  if (seen[at] & (same ? 1 : 2)) return true;
  seen[at] |= same ? 1 : 2;
  const Scope *s = &p->scopes[gr->scope];
  bool mine = false;
  for (int i = 0; i < arrlen(gr->outs); i++) mine |= gr->outs[i].node == at;
  if (s->buf_of[at] >= 0 && !mine) return true;
  const Node *x = &s->graph->nodes[at];
  bool keep = same && keeps_element(p, gr, at);
  for (int i = 0; i < x->n_in; i++)
    if (!walk_same(p, gr, x->in[i], keep, n, seen)) return false;
  return true;
}

bool group_reads_same(const Plan *p, const Group *gr, NodeId n) {
  uint8_t *seen = zeroed((size_t)arrlen(p->scopes[gr->scope].graph->nodes) + 1, 1);
  bool ok = true;
  for (int i = 0; i < arrlen(gr->outs) && ok; i++) {
    NodeId o = gr->outs[i].node;
    if (!arrlen(gr->nodes)) ok = true; /* a copy */
    else ok = walk_same(p, gr, o, true, n, seen);
  }
  free(seen);
  return ok;
}

/* ---- verifying ---- */

typedef struct Check {
  const Plan *p;
  bool *written; /* by buffer */
  Buf *why;
  bool ok;
} Check;

static void wrong(Check *c, const char *what, int a, int b) {
  c->ok = false;
  buf_printf(c->why, "%s (%d, %d); ", what, a, b);
}

/* One heavy node, or reductions of one split. */
static void check_heavy(Check *c, const Group *gr, int group) {
  const Graph *g = c->p->scopes[gr->scope].graph;
  int heavy = 0;
  Split first, s;
  NodeId pooled = 0; /* pools of one operand count once */
  for (int k = 0; k < arrlen(gr->nodes); k++) {
    const Node *x = graph_node(g, gr->nodes[k]);
    OpClass cls = op_info[x->op].cls;
    heavy += cls == REDUCE || cls == CONTRACT || (cls == WINDOW && x->in[0] != pooled);
    if (cls == WINDOW) pooled = x->in[0];
  }
  if (heavy > 1 && heavy != arrlen(gr->folds)) wrong(c, "a group with several heavy nodes", group, heavy);
  for (int k = 1; k < arrlen(gr->folds); k++)
    if (!split_of(g, gr->folds[0], &first) || !split_of(g, gr->folds[k], &s) || !split_same(&first, &s))
      wrong(c, "a group with reductions of several splits", group, k);
}

static void check_steps(Check *c, const PlanStep *steps) {
  for (int i = 0; i < arrlen(steps); i++) {
    const PlanStep *s = &steps[i];
    if (s->kind != PLAN_KERNEL) {
      check_steps(c, s->before);
      check_steps(c, s->other);
      check_steps(c, s->body);
      continue;
    }
    const Group *gr = &c->p->groups[s->group];
    if (!arrlen(gr->outs)) wrong(c, "a group without a result", s->group, 0);
    for (int k = 0; k < arrlen(gr->reads); k++) {
      int b = gr->reads[k];
      while (c->p->bufs[b].kind == BUF_ROW) b = c->p->bufs[b].index;
      const PlanBuf *x = &c->p->bufs[b];
      bool given = x->kind == BUF_INPUT || x->kind == BUF_CELL || x->kind == BUF_FIXED || x->kind == BUF_COUNT ||
                   x->kind == BUF_CELLS || x->twin >= 0;
      if (!given && !c->written[b]) wrong(c, "a group reads a buffer before it is written", s->group, b);
    }
    for (int k = 0; k < arrlen(gr->outs); k++) {
      int b = gr->outs[k].buf;
      while (c->p->bufs[b].kind == BUF_ROW) b = c->p->bufs[b].index;
      c->written[b] = true;
      if (c->p->bufs[b].twin >= 0) c->written[c->p->bufs[b].twin] = true;
    }
    check_heavy(c, gr, s->group);
  }
}

static void check_overlaps(Check *c) {
  const PlanBuf *b = c->p->bufs;
  for (int i = 0; i < arrlen(b); i++)
    for (int k = i + 1; k < arrlen(b); k++) {
      bool placed = b[i].kind == BUF_ARENA || b[i].kind == BUF_OWN;
      if (!placed || b[k].kind != b[i].kind || b[i].begin < 0 || b[k].begin < 0) continue;
      if (b[i].begin > b[k].end || b[k].begin > b[i].end) continue;
      if (b[i].offset < b[k].offset + b[k].bytes && b[k].offset < b[i].offset + b[i].bytes)
        wrong(c, "two live buffers overlap", i, k);
    }
}

bool plan_verify(const Plan *p, Buf *why) {
  Check c = {p, zeroed((size_t)arrlen(p->bufs) + 1, 1), why, true};
  check_steps(&c, p->steps);
  check_overlaps(&c);
  free(c.written);
  return c.ok;
}
