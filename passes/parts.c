/* parts: what is put end to end is made in its place.
 *
 *   before  a = conv(..) -> b1; b = dot(..) -> b2; c = concat(a, b, d) -> b3 (b1, b2, d)
 *   after   a = conv(..) -> b3[part]; b = dot(..) -> b3[part]; d -> b3[part]
 *
 * A product's or convolution's result that nobody else reads has no buffer of its own: its kernel stores it in the
 * result of the concatenation, at the distances it has there. The other operands are copied, or computed, each by a
 * kernel of its own; the result has as many writers as parts. Where less than half of the result would be made in its
 * place, the kernel of the concatenation stays.
 * Why here: behind fuse, which says who reads what, and before schedule, which then counts the result from its first
 * part on. */
#include "base/ds.h"
#include "passes/plan_internal.h"
#include <stdlib.h>

static bool has(const int *list, int v) {
  for (int i = 0; i < arrlen(list); i++)
    if (list[i] == v) return true;
  return false;
}
static bool has_node(const NodeId *list, int n, NodeId v) {
  for (int i = 0; i < n; i++)
    if (list[i] == v) return true;
  return false;
}
static bool computes(const Group *gr, NodeId n) { return has_node(gr->nodes, (int)arrlen(gr->nodes), n); }

/* The steps of one scope, and what must be in a buffer of its own. */
typedef struct Parts {
  Plan *p;
  int scope;
  PlanStep *steps;
  const NodeId *roots;
  int n_roots;
  int *regions; /* stb_ds: buffers that loops and branches touch */
} Parts;

/* A group that puts operands end to end, into a buffer that may have several writers. */
static bool is_concat(const Parts *t, const PlanStep *s) {
  const Group *gr = s->kind == PLAN_KERNEL ? &t->p->groups[s->group] : NULL;
  if (!gr || gr->heavy || arrlen(gr->outs) != 1) return false;
  NodeId n = gr->outs[0].node;
  const PlanBuf *b = &t->p->bufs[gr->outs[0].buf];
  const Graph *g = t->p->scopes[t->scope].graph;
  if (!n || graph_node(g, n)->op != OP_concat || !computes(gr, n) || b->twin >= 0) return false;
  bool root = has_node(t->roots, t->n_roots, n);
  return b->kind == BUF_OUTPUT || (b->kind == BUF_ARENA && !root && !has(t->regions, gr->outs[0].buf));
}

/* Is it made by a product or convolution, and read by this group alone, where it is put end to end? */
static bool is_part(const Parts *t, int concat, NodeId x) {
  const Plan *p = t->p;
  const Scope *s = &p->scopes[t->scope];
  const Group *to = &p->groups[concat], *maker = NULL;
  int buf = s->buf_of[x], uses = 0;
  if (buf < 0 || computes(to, x) || has(t->regions, buf) || has_node(t->roots, t->n_roots, x)) return false;
  const PlanBuf *b = &p->bufs[buf];
  if (b->kind != BUF_ARENA || b->twin >= 0 || b->place || b->node != x) return false;
  for (NodeId n = 1; n < (NodeId)arrlen(s->graph->nodes); n++)
    if (n != x && s->buf_of[n] == buf) return false;
  for (int i = 0; i < arrlen(to->nodes); i++) {
    const Node *n = graph_node(s->graph, to->nodes[i]);
    for (int k = 0; k < n->n_in; k++) uses += n->in[k] == x;
  }
  for (int i = 0; i < arrlen(p->groups); i++) {
    const Group *gr = &p->groups[i];
    if (i != concat && has(gr->reads, buf)) return false;
    for (int k = 0; k < arrlen(gr->outs); k++)
      if (gr->outs[k].buf == buf) maker = gr;
  }
  if (uses != 1 || !maker || maker->scope != t->scope || !maker->heavy || arrlen(maker->folds)) return false;
  return op_info[graph_node(s->graph, maker->heavy)->op].cls == CONTRACT;
}

/* Buffer `buf` becomes the part of `whole`, the result of n, that begins at `begin` along the axis. */
static void lay(const Parts *t, int buf, int whole, const Node *n, Dim begin) {
  Plan *p = t->p;
  DimTab *d = p->graph->dims;
  int axis = (int)node_int(p->scopes[t->scope].graph, n, A_axis);
  RowPlace *place = arena_one(p->arena, RowPlace);
  Dim stride = dim_int(d, 1), before = dim_int(d, 1);
  PlanBuf *x = &p->bufs[buf];
  for (int k = n->type.rank; k-- > 0; stride = dim_mul(d, stride, n->type.shape[k])) {
    place->axis[k] = stride;
    if (k == axis) x->first = dim_mul(d, begin, stride);
    if (k < axis) before = dim_mul(d, before, n->type.shape[k]);
  }
  p->n_parts++;
  x->kind = BUF_ROW;
  x->index = whole;
  x->loop = -1;
  x->place = dim_is(d, before, 1) ? NULL : place;
}

/* A group that makes or copies operand x into `to`. */
static int rest_group(const Parts *t, int concat, NodeId x, int to) {
  Plan *p = t->p;
  const Scope *s = &p->scopes[t->scope];
  if (!computes(&p->groups[concat], x)) return plan_copy_group(p, t->scope, x, s->buf_of[x], to);
  Group gr = {.scope = t->scope};
  const Group *from = &p->groups[concat];
  arrput(gr.outs, ((GroupOut){x, to}));
  bool *needed = zeroed(x + 1, sizeof *needed);
  needed[x] = true;
  for (NodeId n = x; n > 0; n--) { /* operands stand before their users */
    if (!needed[n]) continue;
    if (!computes(from, n)) {
      if (!has(gr.reads, s->buf_of[n])) arrput(gr.reads, s->buf_of[n]);
      continue;
    }
    arrins(gr.nodes, 0, n);
    const Node *d = graph_node(s->graph, n);
    for (int k = 0; k < d->n_in; k++) needed[d->in[k]] = true;
  }
  free(needed);
  arrput(p->groups, gr);
  return (int)arrlen(p->groups) - 1;
}

/* Can the step leave it to others to put end to end what is at least half of its result? */
static bool some_parts(const Parts *t, const PlanStep *s) {
  if (!is_concat(t, s)) return false;
  const Graph *g = t->p->scopes[t->scope].graph;
  const Node *n = graph_node(g, t->p->groups[s->group].outs[0].node);
  int64_t bytes = 0;
  for (int k = 0; k < n->n_in; k++)
    if (is_part(t, s->group, n->in[k])) bytes += t->p->bufs[t->p->scopes[t->scope].buf_of[n->in[k]]].bytes;
  return bytes * 2 >= t->p->bufs[t->p->groups[s->group].outs[0].buf].bytes;
}

/* The operands of the group, each in its place; the steps that are left to do so. */
static void put_parts(const Parts *t, int concat, PlanStep **steps) {
  Plan *p = t->p;
  DimTab *d = p->graph->dims;
  const Scope *s = &p->scopes[t->scope];
  int whole = p->groups[concat].outs[0].buf;
  const Node *n = graph_node(s->graph, p->groups[concat].outs[0].node);
  int axis = (int)node_int(s->graph, n, A_axis);
  Dim begin = dim_int(d, 0);
  for (int k = 0; k < n->n_in; k++) {
    NodeId x = n->in[k];
    Type type = graph_type(s->graph, x);
    if (is_part(t, concat, x)) lay(t, s->buf_of[x], whole, n, begin);
    else if (!dim_is(d, type_count(d, type), 0)) {
      int b = plan_new_buf(p, BUF_ROW, whole, type, x);
      lay(t, b, whole, n, begin);
      arrput(*steps, plan_kernel_step(rest_group(t, concat, x, b)));
    }
    begin = dim_add(d, begin, type.shape[axis]);
  }
  Group *gr = &p->groups[concat];
  arrfree(gr->outs), arrfree(gr->reads), arrfree(gr->nodes);
}

void plan_place_parts(Plan *p, int scope, PlanStep **steps, const NodeId *roots, int n_roots) {
  if (p->whole) return;
  Parts t = {.p = p, .scope = scope, .steps = *steps, .roots = roots, .n_roots = n_roots};
  PlanStep *out = NULL;
  for (int i = 0; i < arrlen(*steps); i++)
    if ((*steps)[i].kind != PLAN_KERNEL)
      step_reads(p, &(*steps)[i], &t.regions), step_writes(p, &(*steps)[i], &t.regions);
  for (int i = 0, n = (int)arrlen(t.regions); i < n; i++) arrput(t.regions, buf_home(p, t.regions[i]));
  for (int i = 0; i < arrlen(*steps); i++) {
    PlanStep s = (*steps)[i];
    if (some_parts(&t, &s)) put_parts(&t, s.group, &out);
    else arrput(out, s);
  }
  arrfree(t.regions);
  arrfree(*steps);
  *steps = out;
}
