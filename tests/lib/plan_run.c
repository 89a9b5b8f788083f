#include "tests/lib/plan_run.h"
#include "base/ds.h"
#include "passes/plan_internal.h"
#include <stdlib.h>
#include <string.h>

typedef struct PlanTouch {
  const char *from, *to;
  bool write, alone;
} PlanTouch;

static const PlanBuf *buf(const PlanRun *r, int b) { return &r->plan->bufs[b]; }
static Tensor shaped(const PlanRun *r, Type t) {
  return tensor_of_type(r->arena, r->plan->graph->dims, t, r->env->vars);
}
static int64_t bytes_of(const PlanRun *r, Type t) {
  Tensor x = shaped(r, t);
  return tensor_bytes(&x);
}

static char *cell_place(const PlanRun *r, int cell) {
  for (int b = 0; b < arrlen(r->plan->bufs); b++)
    if (buf(r, b)->kind == BUF_CELL && buf(r, b)->index == cell) return r->memory[b];
  return NULL;
}

static char *place(PlanRun *r, int b) {
  const PlanBuf *x = buf(r, b);
  if (x->kind == BUF_ROW && buf(r, x->index)->kind == BUF_CELLS)
    return cell_place(r, buf(r, x->index)->cells[r->at[x->loop]]);
  if (x->kind == BUF_ROW && x->loop < 0)
    return place(r, x->index) + dim_eval(r->plan->graph->dims, x->first, r->env->vars) * dtype_size(x->type.dtype);
  if (x->kind == BUF_ROW && x->place)
    return place(r, x->index) + row_offset(r->plan, x->place, r->at[x->loop], r->env->vars) * dtype_size(x->type.dtype);
  if (x->kind == BUF_ROW) return place(r, x->index) + r->at[x->loop] * bytes_of(r, x->type);
  if (x->kind == BUF_OWN) return r->own + x->offset;
  if (x->kind == BUF_ARENA) return r->space + (r->swapped[b] ? buf(r, x->twin)->offset : x->offset);
  int same = b; /* several buffers name one cell */
  for (int i = 0; i < b && x->kind == BUF_CELL; i++)
    if (buf(r, i)->kind == BUF_CELL && buf(r, i)->index == x->index) {
      same = i;
      break;
    }
  return r->memory[same];
}

static void touch(PlanRun *r, int b, int at) {
  while (buf(r, b)->kind == BUF_ROW) b = buf(r, b)->index;
  if (at > r->last[b]) r->last[b] = at;
}

/* ---- barriers ---- */

/* In a loop whose iterations are spread, what this iteration has touched before is the same thread's. */
static bool conflicts(const PlanRun *r, const PlanTouch *x, bool solo) {
  for (int i = 0; i < (solo ? r->others : arrlen(r->touched)); i++) {
    const PlanTouch *t = &r->touched[i];
    if (t->alone && x->alone) continue;
    if ((x->write || t->write) && x->from < t->to && t->from < x->to) return true;
  }
  return false;
}

static PlanTouch touch_of(PlanRun *r, int b, bool write, bool alone) {
  char *from = place(r, b);
  if (buf(r, b)->place) return (PlanTouch){from, from + dtype_size(buf(r, b)->type.dtype), write, alone}; /* at least */
  return (PlanTouch){from, from + bytes_of(r, buf(r, b)->type), write, alone};
}

static void check_barrier(PlanRun *r, const PlanStep *s, const Group *gr) {
  if (s->barrier) arrsetlen(r->touched, 0);
  PlanTouch *mine = NULL;
  for (int i = 0; i < arrlen(gr->reads); i++)
    if (buf(r, gr->reads[i])->kind != BUF_COUNT && buf(r, gr->reads[i])->kind != BUF_OWN)
      arrput(mine, touch_of(r, gr->reads[i], false, s->alone));
  for (int i = 0; i < arrlen(gr->outs); i++)
    if (buf(r, gr->outs[i].buf)->kind != BUF_OWN) arrput(mine, touch_of(r, gr->outs[i].buf, true, s->alone));
  for (int i = 0; i < arrlen(mine); i++)
    if (conflicts(r, &mine[i], gr->solo))
      buf_printf(&r->why, "kernel %d touches what another one does, without a barrier; ", s->group);
  for (int i = 0; i < arrlen(mine); i++) arrput(r->touched, mine[i]);
  arrfree(mine);
}

/* What decides, as every thread of those that go through the loop or branch reads it. */
static bool read_flag(PlanRun *r, const PlanStep *s) {
  PlanTouch t = touch_of(r, s->flag, false, s->alone);
  if (s->meet) arrsetlen(r->touched, 0);
  if (conflicts(r, &t, false)) buf_printf(&r->why, "a flag is read without a barrier; ");
  arrput(r->touched, t);
  return *place(r, s->flag);
}

/* ---- kernels ---- */

static bool computed_here(const Group *gr, NodeId n) {
  for (int i = 0; i < arrlen(gr->nodes); i++)
    if (gr->nodes[i] == n) return true;
  return false;
}

/* The nodes of a group as a graph whose inputs are the buffers it reads. */
static Graph *group_graph(PlanRun *r, const Group *gr, Tensor **inputs) {
  const Scope *s = &r->plan->scopes[gr->scope];
  Graph *g = graph_new(r->arena, s->graph->dims, s->graph->diag);
  NodeId *map = arena_array(r->arena, NodeId, arrlen(s->graph->nodes));
  for (int i = 0; i < arrlen(gr->nodes); i++) {
    Node d = s->graph->nodes[gr->nodes[i]];
    NodeId *in = arena_array(r->arena, NodeId, d.n_in + 1);
    for (int k = 0; k < d.n_in; k++) {
      NodeId o = d.in[k];
      if (!map[o]) {
        if (computed_here(gr, o) || s->buf_of[o] < 0) {
          buf_printf(&r->why, "node %u is neither computed nor stored; ", o);
          return NULL;
        }
        Tensor t = shaped(r, graph_type(s->graph, o));
        const PlanBuf *from = buf(r, s->buf_of[o]);
        if (from->kind == BUF_COUNT) tensor_set(&t, 0, (double)r->at[from->loop]);
        else t.data = place(r, s->buf_of[o]);
        arrput(*inputs, t);
        map[o] = g_input(g, d.loc, graph_type(s->graph, o));
      }
      in[k] = map[o];
    }
    d.in = in;
    arrput(g->nodes, d);
    map[gr->nodes[i]] = (NodeId)arrlen(g->nodes) - 1;
  }
  for (int i = 0; i < arrlen(gr->outs); i++) arrput(g->outputs, map[gr->outs[i].node]);
  return g;
}

/* The row of element i of `count` in a row group; elsewhere each element is its own. */
static int64_t row_of(const PlanRun *r, const Group *gr, int64_t count, int64_t i) {
  const Graph *g = r->plan->scopes[gr->scope].graph;
  Split s;
  if (!arrlen(gr->folds) || !split_of(g, gr->folds[0], &s)) return i;
  int64_t row = 0, unit = 1, all = 1;
  for (int k = s.n - 1; k >= 0; k--) {
    int64_t size = dim_eval(g->dims, s.size[k], r->env->vars), at = size ? i / all % size : 0;
    all *= size;
    if (s.folded[k]) continue;
    row += at * unit;
    unit *= size;
  }
  return count == all ? row : i;
}

/* Where a result stands on an operand's bytes, element i of it may depend on element i of that operand only, or on
 * those of its row: others may have been replaced already. Each element is changed in turn. */
static void check_in_place(PlanRun *r, const Group *gr, Graph *g, EvalEnv env, Tensor *inputs, int o,
                           const Tensor *out) {
  Tensor *again = arena_array(r->arena, Tensor, arrlen(gr->outs));
  for (int k = 0; k < arrlen(inputs); k++) {
    if (inputs[k].data != (void *)place(r, gr->outs[o].buf) || !dtype_is_float(inputs[k].dtype)) continue;
    Tensor kept = inputs[k];
    inputs[k].data = arena_copy(r->arena, kept.data, (size_t)tensor_bytes(&kept));
    for (int64_t j = 0; j < tensor_count(&kept); j++) {
      tensor_set(&inputs[k], j, tensor_get(&kept, j) + 100);
      if (!graph_eval(r->arena, g, &env, again, &r->why)) return;
      for (int64_t i = 0; i < tensor_count(out); i++)
        if (row_of(r, gr, tensor_count(out), i) != row_of(r, gr, tensor_count(&kept), j) &&
            tensor_get(&again[o], i) != tensor_get(out, i)) {
          buf_printf(&r->why, "in place, but element %d needs element %d of node %u; ", (int)i, (int)j,
                     gr->outs[o].node);
          return;
        }
      tensor_set(&inputs[k], j, tensor_get(&kept, j));
    }
    inputs[k] = kept;
  }
}

/* A row whose elements do not lie one after the other. */
static void scatter_row(PlanRun *r, const PlanBuf *x, const Tensor *t, char *to) {
  size_t size = (size_t)dtype_size(x->type.dtype);
  for (int64_t i = 0; i < tensor_count(t); i++) {
    int64_t rest = i, at = 0;
    for (int k = x->type.rank; k-- > 0; rest /= t->shape[k])
      at += rest % t->shape[k] * dim_eval(r->plan->graph->dims, x->place->axis[k], r->env->vars);
    memcpy(to + (size_t)at * size, (char *)t->data + (size_t)i * size, size);
  }
}

static void run_group(PlanRun *r, const Group *gr) {
  if (!arrlen(gr->nodes) && buf(r, gr->reads[0])->kind == BUF_COUNT) {
    Tensor t = shaped(r, buf(r, gr->reads[0])->type);
    tensor_set(&t, 0, (double)r->at[buf(r, gr->reads[0])->loop]);
    memcpy(place(r, gr->outs[0].buf), t.data, (size_t)tensor_bytes(&t));
    return;
  }
  if (!arrlen(gr->nodes)) {
    const PlanBuf *to = buf(r, gr->outs[0].buf);
    Tensor from = shaped(r, to->type);
    from.data = place(r, gr->reads[0]);
    if (to->place) scatter_row(r, to, &from, place(r, gr->outs[0].buf));
    else memmove(place(r, gr->outs[0].buf), from.data, (size_t)bytes_of(r, to->type));
    return;
  }
  Tensor *inputs = NULL, *out = arena_array(r->arena, Tensor, arrlen(gr->outs));
  Graph *g = group_graph(r, gr, &inputs);
  if (!g) return;
  EvalEnv env = *r->env;
  env.inputs = inputs;
  if (!graph_eval(r->arena, g, &env, out, &r->why)) return;
  for (int i = 0; i < arrlen(gr->outs); i++) check_in_place(r, gr, g, env, inputs, i, &out[i]);
  for (int i = 0; i < arrlen(gr->outs); i++) {
    int b = gr->outs[i].buf;
    if (tensor_bytes(&out[i]) > buf(r, b)->bytes) buf_printf(&r->why, "buffer %d is too small; ", b);
    if (buf(r, b)->place) scatter_row(r, buf(r, b), &out[i], place(r, b));
    else memcpy(place(r, b), out[i].data, (size_t)tensor_bytes(&out[i]));
  }
  arrfree(inputs);
}

/* After position `at`, values whose life ends there are gone. */
static void poison(PlanRun *r, int at) {
  for (int b = 0; b < arrlen(r->plan->bufs); b++) {
    const PlanBuf *x = buf(r, b);
    if (x->kind == BUF_OWN && x->begin >= 0 && x->end == at) memset(r->own + x->offset, 0xff, (size_t)x->bytes);
    if (x->kind == BUF_ARENA && x->begin >= 0 && x->end == at) memset(r->space + x->offset, 0xff, (size_t)x->bytes);
  }
}

static void run_steps(PlanRun *r, const PlanStep *steps);

/* The carried values of the next iteration become those of this one. */
static void swap_twins(PlanRun *r, const PlanStep *s) {
  for (int i = 0; i < arrlen(s->carried); i++) {
    int b = s->carried[i], twin = buf(r, b)->twin;
    r->swapped[b] = r->swapped[twin] = !r->swapped[b];
  }
}

/* Where a loop was thread 0's alone, the others find its results in their first places. */
static void settle_twins(PlanRun *r, const PlanStep *s) {
  for (int i = 0; i < arrlen(s->carried); i++) {
    int b = s->carried[i];
    if (!r->swapped[b]) continue;
    PlanTouch from = touch_of(r, b, false, true), to = touch_of(r, buf(r, b)->twin, true, true);
    memcpy(place(r, buf(r, b)->twin), place(r, b), (size_t)bytes_of(r, buf(r, b)->type));
    arrput(r->touched, from);
    arrput(r->touched, to);
    r->swapped[b] = r->swapped[buf(r, b)->twin] = false;
  }
}

/* First values of the loops inside may be made in the pairs' first places before they begin. */
static void begin_inside(PlanRun *r, const PlanStep *steps) {
  for (int i = 0; i < arrlen(steps); i++) {
    const PlanStep *s = &steps[i];
    for (int k = 0; k < arrlen(s->carried); k++)
      r->swapped[s->carried[k]] = r->swapped[buf(r, s->carried[k])->twin] = false;
    begin_inside(r, s->body);
    begin_inside(r, s->other);
  }
}

static void run_loop(PlanRun *r, const PlanStep *s, const Node *x) {
  const Graph *g = r->plan->scopes[s->scope].graph;
  bool outer = r->inside;
  r->inside |= s->alone;
  run_steps(r, s->before);
  int64_t length = dim_eval(g->dims, node_dim(x, x->op == OP_while ? A_limit : A_length), r->env->vars);
  for (int64_t i = 0; i < length || (x->op == OP_while && length < 0 && i < 1 << 20); i++) {
    r->others = arrlen(r->touched);
    r->at[s->loop] = x->op == OP_scan && node_int(g, x, A_reverse) ? length - 1 - i : i;
    begin_inside(r, s->body);
    begin_inside(r, s->other);
    if (x->op == OP_while) {
      run_steps(r, s->other);
      if (!read_flag(r, s)) break;
    }
    run_steps(r, s->body);
    swap_twins(r, s);
  }
  r->inside = outer;
  if (s->alone && !r->inside) settle_twins(r, s);
}

static void run_branch(PlanRun *r, const PlanStep *s, const Node *x) {
  bool first = x->op != OP_cond || read_flag(r, s);
  bool outer = r->inside;
  r->inside |= s->alone;
  run_steps(r, first ? s->body : s->other);
  r->inside = outer;
}

static void run_steps(PlanRun *r, const PlanStep *steps) {
  for (int i = 0; i < arrlen(steps); i++) {
    const PlanStep *s = &steps[i];
    if (s->kind == PLAN_KERNEL) {
      const Group *gr = &r->plan->groups[s->group];
      check_barrier(r, s, gr);
      for (int k = 0; k < arrlen(gr->reads); k++) touch(r, gr->reads[k], s->at);
      for (int k = 0; k < arrlen(gr->outs); k++) touch(r, gr->outs[k].buf, s->at);
      run_group(r, gr);
    } else {
      const Node *x = &r->plan->scopes[s->scope].graph->nodes[s->node];
      r->straight = false;
      if (s->barrier) arrsetlen(r->touched, 0);
      if (s->kind == PLAN_LOOP) run_loop(r, s, x);
      else run_branch(r, s, x);
    }
    if (i + 1 == arrlen(steps) || !steps[i + 1].joined) poison(r, s->at);
  }
}

/* ---- the whole ---- */

static void bind(PlanRun *r) {
  const Plan *p = r->plan;
  r->memory = arena_array(r->arena, char *, arrlen(p->bufs) + 1);
  r->at = arena_array(r->arena, int64_t, p->n_loops + 1);
  r->swapped = arena_array(r->arena, bool, arrlen(p->bufs) + 1);
  r->last = arena_array(r->arena, int, arrlen(p->bufs) + 1);
  r->space = arena_alloc(r->arena, (size_t)p->peak + 64);
  memset(r->space, 0xff, (size_t)p->peak);
  r->own = arena_alloc(r->arena, (size_t)p->own + 64);
  memset(r->own, 0xff, (size_t)p->own);
  for (int b = 0; b < arrlen(p->bufs); b++) {
    const PlanBuf *x = buf(r, b);
    const Tensor *from = x->kind == BUF_INPUT  ? &r->env->inputs[x->index]
                         : x->kind == BUF_CELL ? &r->env->cells[x->index]
                                               : NULL;
    r->memory[b] = arena_alloc(r->arena, (size_t)x->bytes + 64);
    if (from) memcpy(r->memory[b], from->data, (size_t)tensor_bytes(from));
    if (x->kind == BUF_ARENA && x->begin >= 0 && (x->offset < 0 || x->offset % 64 || x->offset + x->bytes > p->peak))
      buf_printf(&r->why, "buffer %d lies outside of the arena; ", b);
  }
}

/* In a plan without loops a life ends with its last use, but for what is read after the last step. */
static void check_lives(PlanRun *r) {
  const Plan *p = r->plan;
  for (int b = 0; r->straight && b < arrlen(p->bufs); b++) {
    const PlanBuf *x = buf(r, b);
    bool root = false;
    for (int i = 0; i < arrlen(p->graph->outputs); i++) root |= p->buf_of[p->graph->outputs[i]] == b;
    if (x->kind != BUF_ARENA || x->begin < 0 || root || x->temp) continue;
    if (x->end != r->last[b])
      buf_printf(&r->why, "buffer %d lives to %d, its last use is at %d; ", b, x->end, r->last[b]);
  }
}

/* Where output i is found: results and reports with the caller, writes in their cells, the rest where it was computed.
 */
static const char *output_place(PlanRun *r, int i) {
  const Entry *e = r->plan->entry;
  int base = e->n_results + e->n_reports, write = i - base;
  for (int b = 0; b < arrlen(r->plan->bufs); b++) {
    const PlanBuf *x = buf(r, b);
    if (i < base && x->kind == BUF_OUTPUT && x->index == i) return place(r, b);
    if (i >= base && write < arrlen(e->writes) && x->kind == BUF_CELL && x->index == e->writes[write])
      return place(r, b);
  }
  int b = r->plan->buf_of[r->plan->graph->outputs[i]];
  return b < 0 ? NULL : place(r, b);
}

bool plan_run(PlanRun *r, Tensor *outputs) {
  r->straight = true;
  bind(r);
  run_steps(r, r->plan->steps);
  check_lives(r);
  for (int i = 0; i < arrlen(r->plan->graph->outputs); i++) {
    const char *from = output_place(r, i);
    outputs[i] = shaped(r, graph_type(r->plan->graph, r->plan->graph->outputs[i]));
    if (!from) buf_printf(&r->why, "output %d is nowhere; ", i);
    else memcpy(outputs[i].data, from, (size_t)tensor_bytes(&outputs[i]));
  }
  arrfree(r->touched);
  return !r->why.n;
}
