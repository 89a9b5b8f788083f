/* The plan as text: buffers with place and life, then the tree of steps. */
#include "base/ds.h"
#include "passes/pipeline.h"

static void print_buf_name(const Plan *p, Buf *b, int i) {
  const PlanBuf *x = &p->bufs[i];
  switch (x->kind) {
  case BUF_INPUT: buf_printf(b, "in%d", x->index); break;
  case BUF_OUTPUT: buf_printf(b, "out%d", x->index); break;
  case BUF_CELL: buf_printf(b, "%s", p->prog->cells[x->index].path); break;
  case BUF_ROW:
    print_buf_name(p, b, x->index);
    if (x->loop >= 0) buf_printf(b, "[i%d]", x->loop);
    else buf_str(b, "["), dim_print(p->graph->dims, b, x->first), buf_str(b, " ..]");
    break;
  case BUF_CELLS:
    buf_printf(b, "%s..%s", p->prog->cells[x->cells[0]].path, p->prog->cells[arrlast(x->cells)].path);
    break;
  case BUF_COUNT: buf_printf(b, "i%d", x->loop); break;
  case BUF_OWN:
  case BUF_ARENA: buf_printf(b, "b%d", i); break;
  case BUF_FIXED: buf_printf(b, "fixed%d", i); break;
  }
}

static void print_group(const Plan *p, Buf *b, int group, const char *what) {
  const Group *gr = &p->groups[group];
  const Graph *g = p->scopes[gr->scope].graph;
  buf_printf(b, "%s %d: ", what, group);
  for (int i = 0; i < arrlen(gr->outs); i++) {
    if (i) buf_str(b, ", ");
    print_buf_name(p, b, gr->outs[i].buf);
  }
  buf_str(b, " =");
  for (int i = 0; i < arrlen(gr->nodes); i++) buf_printf(b, " %s", op_info[g->nodes[gr->nodes[i]].op].name);
  if (!arrlen(gr->nodes)) buf_str(b, " copy");
  buf_str(b, " (");
  for (int i = 0; i < arrlen(gr->reads); i++) {
    if (i) buf_str(b, ", ");
    print_buf_name(p, b, gr->reads[i]);
  }
  buf_printf(b, ")%s\n", gr->inplace ? " in place" : "");
}

/* Number, length and pairs of a loop, or what decides. */
static void print_loop_head(const Plan *p, Buf *b, const PlanStep *s) {
  const Node *x = &p->scopes[s->scope].graph->nodes[s->node];
  if (s->kind == PLAN_LOOP) buf_printf(b, " i%d", s->loop);
  if (s->kind == PLAN_LOOP && x->op != OP_while) {
    buf_str(b, " < ");
    dim_print(p->graph->dims, b, node_dim(x, A_length));
    if (x->op == OP_scan && node_int(p->graph, x, A_reverse)) buf_str(b, " backwards");
  }
  if (s->flag >= 0) buf_str(b, s->kind == PLAN_LOOP ? " flag " : " ");
  if (s->flag >= 0) print_buf_name(p, b, s->flag);
  for (int i = 0; i < arrlen(s->carried); i++)
    buf_printf(b, "%sb%d <-> b%d", i ? ", " : " swaps ", s->carried[i], p->bufs[s->carried[i]].twin);
}

static void print_steps(const Plan *p, Buf *b, const PlanStep *steps, int indent, const char *when) {
  for (int i = 0; i < arrlen(steps); i++) {
    const PlanStep *s = &steps[i];
    buf_fill(b, ' ', indent);
    buf_str(b, when);
    if (s->joined) buf_str(b, "  ");
    if (s->barrier) buf_str(b, "barrier ");
    if (s->alone && !s->joined) buf_str(b, "alone ");
    if (s->spread) buf_str(b, "spread ");
    if (s->kind == PLAN_KERNEL) {
      print_group(p, b, s->group, s->joined ? "with" : "kernel");
      continue;
    }
    bool loop = s->kind == PLAN_LOOP;
    buf_printf(b, "%s %%%u", op_info[p->scopes[s->scope].graph->nodes[s->node].op].name, s->node);
    print_loop_head(p, b, s);
    if (s->rows) buf_printf(b, " by rows of %lld", (long long)s->rows);
    buf_str(b, " {\n");
    print_steps(p, b, s->before, indent + 2, "first ");
    print_steps(p, b, loop ? s->other : s->body, indent + 2, "");
    if (s->flag >= 0 && (loop || arrlen(s->other))) {
      buf_fill(b, ' ', indent);
      buf_str(b, !loop ? "} else {\n" : s->meet ? "} barrier then {\n" : "} then {\n");
    }
    print_steps(p, b, loop ? s->body : s->other, indent + 2, "");
    buf_fill(b, ' ', indent);
    buf_str(b, "}\n");
  }
}

void plan_print(const Plan *p, Buf *b) {
  buf_printf(b, "plan %s: arena %lld bytes, bound %lld%s%s", p->entry->name, (long long)p->peak, (long long)p->bound,
             p->least && p->peak > p->bound ? ", no offsets need less" : "", p->ordered ? ", best order" : "");
  if (p->own) buf_printf(b, ", own %lld", (long long)p->own);
  buf_char(b, '\n');
  for (int i = 0; i < arrlen(p->bufs); i++) {
    const PlanBuf *x = &p->bufs[i];
    if ((x->kind != BUF_ARENA && x->kind != BUF_OWN) || x->begin < 0) continue;
    buf_printf(b, "  b%d %%%u ", i, x->node);
    type_print(p->graph->dims, b, x->type);
    buf_printf(b, "%s at %s%lld, %lld bytes, live %d..%d\n", x->place ? " channels last" : "",
               x->kind == BUF_OWN ? "own " : "", (long long)x->offset, (long long)x->bytes, x->begin, x->end);
  }
  for (int i = 0; i < arrlen(p->fixed); i++) {
    buf_str(b, "  prepare ");
    print_group(p, b, p->fixed[i], "kernel");
  }
  print_steps(p, b, p->steps, 2, "");
}
