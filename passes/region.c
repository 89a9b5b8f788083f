/* Loops and branches of the plan. A body is a graph of its own, so it gets a scope; its inputs are bound to buffers of
 * the operands, its outputs end in buffers of the results:
 *
 *   scan     carried value i: a pair of buffers that swap after each iteration (the body reads one, writes its twin);
 *            row operand: the iteration's slice of the operand's buffer, the iteration's cell where the operand stacks
 *            cells, or the number of the iteration where it is an iota; stacked result: a slice of the result's buffer
 *   while    carried values as in scan; `other` holds the condition, whose flag is a pair as well, so that nobody
 *            overwrites what another thread has still to read
 *   cond     both bodies write the same result buffers
 *   vmap     rows and stacks as in scan, nothing carried
 *   others   the body runs once */
#include "base/ds.h"
#include "passes/plan_internal.h"
#include <stdlib.h>

static int carried_of(const Graph *g, const Node *x) {
  return x->op == OP_scan || x->op == OP_while ? (int)node_int(g, x, A_carried) : 0;
}
static int rows_of(const Graph *g, const Node *x) {
  return x->op == OP_scan || x->op == OP_vmap ? (int)node_int(g, x, A_rows) : 0;
}
static bool counts(const Graph *g, NodeId n) { /* 0, 1, 2, ... */
  return g->nodes[n].op == OP_iota && g->nodes[n].type.rank == 1;
}

/* Made from nothing: a first value of a loop that nothing has to hold before. */
static bool is_made(const Graph *g, NodeId n) {
  const Node *x = &g->nodes[n];
  return op_info[x->op].cls == LEAF && x->op != OP_input && x->op != OP_cell && x->op != OP_uniform;
}

/* A stack of cells at equal distances, one a row: their numbers into `cells` and the distance; 0 when it is not. */
static int64_t cell_rows(const Plan *p, int scope, NodeId n, int **cells) {
  const Graph *g = p->scopes[scope].graph;
  const Node *x = &g->nodes[n];
  if (x->op != OP_concat || node_int(g, x, A_axis)) return 0;
  Type row = {x->type.dtype, x->type.rank - 1, x->type.shape + 1};
  int64_t *at = arena_array(p->arena, int64_t, arrlen(p->prog->cells) + 1), stride = 0;
  prog_layout(p->prog, at);
  for (int k = 0; k < x->n_in; k++) {
    const Node *y = &g->nodes[x->in[k]], *c = y->op == OP_reshape ? &g->nodes[y->in[0]] : y;
    int64_t before = arrlen(*cells) ? at[arrlast(*cells)] : 0;
    if (c->op != OP_cell || !dim_is(g->dims, y->type.shape[0], 1) || !type_same(c->type, row)) return 0;
    arrput(*cells, (int)node_int(g, c, A_cell));
    int64_t step = at[arrlast(*cells)] - before;
    if (k == 1) stride = step;
    if (k && (step != stride || step <= 0)) return 0;
  }
  return stride;
}

bool buf_holds_cell(const PlanBuf *b, int cell) {
  if (b->kind == BUF_CELL) return b->index == cell;
  for (int i = 0; b->kind == BUF_CELLS && i < arrlen(b->cells); i++)
    if (b->cells[i] == cell) return true;
  return false;
}

bool region_reads(const Plan *p, int scope, NodeId region, int operand) {
  const Graph *g = p->scopes[scope].graph;
  const Node *x = &g->nodes[region];
  int row = operand - carried_of(g, x), *cells = NULL;
  if (row < 0 && operand < carried_of(g, x)) return !is_made(g, x->in[operand]);
  if (row >= rows_of(g, x)) return true;
  bool together = cell_rows(p, scope, x->in[operand], &cells) > 0;
  arrfree(cells);
  return !together && !counts(g, x->in[operand]);
}

int region_buf(const Plan *p, int scope, NodeId n) {
  const Scope *s = &p->scopes[scope];
  while (s->buf_of[n] < 0 && s->graph->nodes[n].op == OP_reshape) n = s->graph->nodes[n].in[0];
  return s->buf_of[n];
}

bool picks_iteration(const Plan *p, int scope, NodeId n) {
  const Scope *s = &p->scopes[scope];
  const Node *x = &s->graph->nodes[n];
  if (x->op != OP_gather || s->graph->nodes[x->in[1]].type.rank || node_int(s->graph, x, A_batch)) return false;
  int b = s->buf_of[x->in[1]];
  if (b < 0 || p->bufs[b].kind != BUF_COUNT) return false;
  Dim size = s->graph->nodes[x->in[0]].type.shape[node_int(s->graph, x, A_axis)];
  return dim_le(s->graph->dims, p->bufs[b].length, size) == DIM_YES;
}

int region_carried(const Plan *p, int scope, NodeId n) {
  const Graph *g = p->scopes[scope].graph;
  return carried_of(g, &g->nodes[n]);
}

static int new_pair(Plan *p, Type t, NodeId n) {
  int b = plan_new_buf(p, BUF_ARENA, 0, t, n), twin = plan_new_buf(p, BUF_ARENA, 0, t, n);
  p->bufs[b].twin = twin;
  p->bufs[twin].twin = b;
  return b;
}

/* ---- results with their axes in another order ---- */

static NodeId only_user(const Graph *g, NodeId n, Op op) {
  NodeId user = 0;
  for (int i = 0; i < arrlen(g->outputs); i++)
    if (g->outputs[i] == n) return 0;
  for (NodeId m = n + 1; m < (NodeId)arrlen(g->nodes); m++)
    for (int k = 0; k < g->nodes[m].n_in; k++) {
      if (g->nodes[m].in[k] != n) continue;
      if (user) return 0;
      user = m;
    }
  return user && g->nodes[user].op == op ? user : 0;
}
/* A product's results that are stacked, split into several axes and turned, and read in no other way, are stored as
 * they are wanted: that transposition of result `index` of a region, or 0. */
static NodeId turned_result(const Graph *g, NodeId region, int index) {
  const Node *x = &g->nodes[region];
  NodeId get = 0;
  if (x->op != OP_vmap || graph_node(x->regions[0], x->regions[0]->outputs[index])->op != OP_dot) return 0;
  for (int i = 0; i < arrlen(x->regions[0]->outputs); i++)
    if (i != index && x->regions[0]->outputs[i] == x->regions[0]->outputs[index]) return 0;
  for (NodeId m = region + 1; m < (NodeId)arrlen(g->nodes); m++) {
    if (g->nodes[m].op != OP_get || g->nodes[m].in[0] != region || node_int(g, &g->nodes[m], A_index) != index)
      continue;
    if (get) return 0;
    get = m;
  }
  NodeId split = get ? only_user(g, get, OP_reshape) : 0;
  if (!split || g->nodes[split].type.rank <= g->nodes[get].type.rank) return 0;
  return only_user(g, split, OP_transpose);
}
static const RowPlace *turned_place(Plan *p, const Graph *g, NodeId turned, int row_rank) {
  Type t = graph_type(g, turned);
  int64_t perm[MAX_RANK];
  RowPlace *x = arena_one(p->arena, RowPlace);
  node_ints(g, &g->nodes[turned], A_perm, perm, MAX_RANK);
  x->n = t.rank - row_rank;
  Dim stride = dim_int(g->dims, 1);
  for (int k = t.rank; k-- > 0; stride = dim_mul(g->dims, stride, t.shape[k])) {
    if (perm[k] >= x->n) x->axis[perm[k] - x->n] = stride;
    else x->stride[perm[k]] = stride, x->size[perm[k]] = t.shape[k];
  }
  return x;
}
int64_t row_offset(const Plan *p, const RowPlace *place, int64_t at, const int64_t *vars) {
  int64_t offset = 0;
  for (int k = place->n; k-- > 0;) {
    int64_t size = dim_eval(p->graph->dims, place->size[k], vars);
    offset += at % size * dim_eval(p->graph->dims, place->stride[k], vars);
    at /= size;
  }
  return offset;
}

void region_results(Plan *p, int scope, const NodeId *roots, const int *home, int n_roots) {
  Graph *g = p->scopes[scope].graph;
  int *buf_of = p->scopes[scope].buf_of;
  for (NodeId n = 1; n < (NodeId)arrlen(g->nodes); n++) {
    const Node *x = &g->nodes[n];
    if (x->op != OP_get || op_info[g->nodes[x->in[0]].op].cls != REGION || buf_of[n] >= 0) continue;
    int index = (int)node_int(g, x, A_index), b = -1;
    bool carried = index < carried_of(g, &g->nodes[x->in[0]]);
    NodeId turned = carried ? 0 : turned_result(g, x->in[0], index);
    for (int i = 0; i < n_roots && b < 0 && !carried; i++) /* made where it is wanted */
      if (roots[i] == (turned ? turned : n)) b = home[i];
    if (b < 0)
      b = carried ? new_pair(p, x->type, n) : plan_new_buf(p, BUF_ARENA, 0, g->nodes[turned ? turned : n].type, n);
    if (turned) buf_of[turned] = b;
    for (NodeId m = n; m < (NodeId)arrlen(g->nodes); m++) { /* other reads of the same result */
      const Node *y = &g->nodes[m];
      if (y->op == OP_get && y->in[0] == x->in[0] && node_int(g, y, A_index) == index) buf_of[m] = b;
    }
  }
}

/* The buffer of result `index` of region n; a fresh one when nothing reads it. */
static int result_buf(Plan *p, int scope, NodeId n, int index) {
  Graph *g = p->scopes[scope].graph;
  for (NodeId m = n + 1; m < (NodeId)arrlen(g->nodes); m++) {
    const Node *y = &g->nodes[m];
    if (y->op == OP_get && y->in[0] == n && node_int(g, y, A_index) == index) return p->scopes[scope].buf_of[m];
  }
  const Node *x = &g->nodes[n];
  if (index < carried_of(g, x)) return new_pair(p, x->results[index], n);
  return plan_new_buf(p, BUF_ARENA, 0, x->results[index], n);
}

/* Plans one body; `in[i]` and `out[i]` are the buffers of its inputs and outputs. */
static PlanStep *plan_body(Plan *p, Graph *body, const int *in, const int *out) {
  int s = plan_new_scope(p, body);
  for (NodeId n = 1; n < (NodeId)arrlen(body->nodes); n++)
    if (body->nodes[n].op == OP_input) p->scopes[s].buf_of[n] = in[node_int(body, &body->nodes[n], A_index)];
  PlanStep *steps = NULL;
  int n_out = (int)arrlen(body->outputs);
  fuse_scope(p, s, &steps, body->outputs, out, n_out);
  schedule_steps(p, &steps);
  for (int i = 0; i < n_out; i++)
    if (out[i] >= 0 && p->scopes[s].buf_of[body->outputs[i]] != out[i])
      arrput(steps,
             plan_kernel_step(plan_copy_group(p, s, body->outputs[i], p->scopes[s].buf_of[body->outputs[i]], out[i])));
  return steps;
}

static int in_loop(Plan *p, int scope, BufKind kind, int loop, int buf, Type row, NodeId n) {
  int b = plan_new_buf(p, kind, buf, row, n);
  p->bufs[b].loop = loop;
  if (kind == BUF_COUNT) p->bufs[b].length = graph_type(p->scopes[scope].graph, n).shape[0];
  return b;
}

/* The buffer that holds the rows of an operand; -1: they are counted. */
static int row_source(Plan *p, int scope, NodeId region, int operand) {
  NodeId n = p->scopes[scope].graph->nodes[region].in[operand];
  if (region_reads(p, scope, region, operand)) return region_buf(p, scope, n);
  int *cells = NULL;
  int64_t stride = cell_rows(p, scope, n, &cells);
  if (!stride) {
    arrfree(cells);
    return -1;
  }
  int b = plan_new_buf(p, BUF_CELLS, cells[0], graph_type(p->scopes[scope].graph, n), n);
  p->bufs[b].cells = cells;
  p->bufs[b].stride = stride;
  return b;
}

/* The buffers of the operands as the bodies see them. */
static int *bind_operands(Plan *p, int scope, NodeId n, PlanStep *step) {
  Graph *g = p->scopes[scope].graph;
  const Node *x = &g->nodes[n];
  int carried = carried_of(g, x), rows = rows_of(g, x), *in = NULL;
  const Graph *body = x->regions[0];
  for (int i = x->op == OP_cond ? 1 : 0; i < x->n_in; i++) {
    int b = region_buf(p, scope, x->in[i]);
    if (i < carried) {
      int cur = result_buf(p, scope, n, i);
      bool made = !region_reads(p, scope, n, i);
      int group = made ? plan_made_group(p, scope, x->in[i], cur) : plan_copy_group(p, scope, x->in[i], b, cur);
      arrput(step->before, plan_kernel_step(group));
      arrput(step->carried, cur);
      b = cur;
    } else if (i < carried + rows) {
      b = in_loop(p, scope, counts(g, x->in[i]) ? BUF_COUNT : BUF_ROW, step->loop, row_source(p, scope, n, i),
                  body->input_types[i], x->in[i]);
    }
    arrput(in, b);
  }
  return in;
}

/* May each thread do whole iterations? Nothing is carried, and what is made inside, the buffers from `first` on, has
 * room in the threads' scratch. */
static bool may_spread(const Plan *p, const PlanStep *s, const Node *x, int first) {
  enum { OWN_BYTES = 2 << 20 };
  int64_t bytes = 0;
  if (x->op != OP_vmap) return false;
  for (int i = 0; i < arrlen(s->body); i++)
    if (s->body[i].kind != PLAN_KERNEL) return false;
  for (int b = first; b < arrlen(p->bufs); b++) bytes += p->bufs[b].kind == BUF_ARENA ? p->bufs[b].bytes : 0;
  return bytes <= OWN_BYTES;
}
static void spread(Plan *p, PlanStep *s, int first) {
  s->spread = true;
  for (int b = first; b < arrlen(p->bufs); b++)
    if (p->bufs[b].kind == BUF_ARENA) p->bufs[b].kind = BUF_OWN;
  for (int i = 0; i < arrlen(s->body); i++) p->groups[s->body[i].group].solo = true;
}

PlanStep region_step(Plan *p, int scope, NodeId n) {
  Graph *g = p->scopes[scope].graph;
  const Node *x = &g->nodes[n];
  bool loop = x->op == OP_scan || x->op == OP_while || x->op == OP_vmap;
  PlanStep step = {.kind = loop ? PLAN_LOOP : PLAN_BRANCH, .group = -1, .scope = scope, .node = n, .flag = -1};
  if (loop) step.loop = p->n_loops++;
  Graph *body = x->regions[x->op == OP_while ? 1 : 0];
  int carried = carried_of(g, x), n_out = (int)arrlen(body->outputs), *in = bind_operands(p, scope, n, &step);
  int *out = NULL;
  for (int i = 0; i < n_out; i++) {
    int r = i < carried ? p->bufs[step.carried[i]].twin : result_buf(p, scope, n, i);
    if (i >= carried && loop) {
      NodeId turned = turned_result(g, n, i);
      r = in_loop(p, scope, BUF_ROW, step.loop, r, graph_type(body, body->outputs[i]), p->bufs[r].node);
      if (turned) p->bufs[r].place = turned_place(p, g, turned, p->bufs[r].type.rank);
    }
    arrput(out, r);
  }
  int first = (int)arrlen(p->bufs);
  step.body = plan_body(p, body, in, out);
  if (may_spread(p, &step, x, first)) spread(p, &step, first);
  if (x->op == OP_while) {
    step.flag = new_pair(p, type_scalar(BOOL), n);
    step.other = plan_body(p, x->regions[0], in, &step.flag);
    arrput(step.carried, step.flag);
  }
  if (x->op == OP_cond) {
    step.flag = region_buf(p, scope, x->in[0]);
    step.other = plan_body(p, x->regions[1], in, out);
  }
  arrfree(in), arrfree(out);
  return step;
}
