/* remat: values that live long from the forward computation to the gradient are computed again.
 *
 *   before  a = relu(norm(y)); ... ; g = f(a)       a is kept until g
 *   after   a = relu(norm(y)); ... ; b = relu(norm(y[:])); g = f(b)
 *
 * Where most bytes of the plan are alive, some hold values that lie there for later. A turn chooses among them, the
 * cheapest operations for each byte first: the chain of nodes that makes the value again from what is alive there
 * anyway, from inputs and cells. All nodes that run behind this place and read a dropped value, directly or through
 * what has no buffer, read a clone of it. A clone stands before its first reader, so the schedule runs it there, and it
 * reads what is kept through a slice of all of it: a view that fusion does not merge across, so that original and clone
 * stay two kernels (Chen et al., Training deep nets with sublinear memory cost, 2016; here in turns with the planner,
 * as Jain et al., Checkmate, 2020, do with a solver).
 *
 * Why here: behind all passes, since cse would find that clones are equal to their originals.
 * Needs: a plan. Keeps: values, and bits where the same kernels come out. Breaks: equal nodes are not one any more. */
#include "passes/remat.h"
#include "base/ds.h"
#include "passes/pipeline.h"
#include "passes/plan_internal.h"
#include "passes/remat_internal.h"
#include "passes/rewrite.h"
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 200 }; /* nodes of a chain */

static int home(const Plan *p, int b) {
  while (p->bufs[b].kind == BUF_ROW) b = p->bufs[b].index;
  return b;
}

/* ---- what lies where ---- */

static bool covers(const PlanStep *s, int at);
static bool any_covers(const PlanStep *steps, int at) {
  for (int i = 0; i < arrlen(steps); i++)
    if (covers(&steps[i], at)) return true;
  return false;
}
static bool covers(const PlanStep *s, int at) {
  return s->at == at || any_covers(s->before, at) || any_covers(s->body, at) || any_covers(s->other, at);
}

/* The step at which most bytes are alive, those of its workspace not counted. */
static int step_of_peak(const Plan *p) {
  int end = 0;
  for (int b = 0; b < arrlen(p->bufs); b++)
    if (p->bufs[b].end >= end) end = p->bufs[b].end + 1;
  int64_t *alive = zeroed((size_t)end + 1, sizeof *alive), most = -1, now = 0;
  int at = 0;
  for (int b = 0; b < arrlen(p->bufs); b++) {
    const PlanBuf *x = &p->bufs[b];
    if (x->kind == BUF_ARENA && x->begin >= 0) alive[x->begin] += x->bytes, alive[x->end + 1] -= x->bytes;
  }
  for (int t = 0; t < end; t++) {
    now += alive[t];
    if (now > most) most = now, at = t;
  }
  free(alive);
  for (int i = 0; i < arrlen(p->steps); i++)
    if (covers(&p->steps[i], at)) return i;
  return (int)arrlen(p->steps);
}

static void look_at_step(Remat *r, int i, bool *touched) {
  const Plan *p = r->p;
  const PlanStep *s = &p->steps[i];
  int *reads = NULL, *writes = NULL;
  step_reads(p, s, &reads);
  step_writes(p, s, &writes);
  for (int k = 0; k < arrlen(reads); k++) {
    int b = home(p, reads[k]);
    if (i > r->at && r->content[b] && !r->kept[b]) r->kept[b] = true, r->next[b] = i;
    if (i < r->at) r->last[b] = i;
    if (i == r->at) touched[b] = true, r->read[b] = s->kind == PLAN_KERNEL;
  }
  for (int k = 0; k < arrlen(writes); k++) {
    int b = home(p, writes[k]);
    if (i < r->at) r->last[b] = i;
    if (i == r->at) touched[b] = true, r->read[b] = false;
    if (i > r->at && !r->kept[b]) r->content[b] = 0; /* another value from here on */
    if (i <= r->at) r->content[b] = s->kind == PLAN_KERNEL ? 0 : p->bufs[b].node;
  }
  const Group *gr = s->kind == PLAN_KERNEL ? &p->groups[s->group] : NULL;
  for (int k = 0; gr && k < arrlen(gr->outs) && i <= r->at; k++)
    r->content[home(p, gr->outs[k].buf)] = gr->outs[k].node;
  for (int k = 0; gr && k < arrlen(gr->nodes); k++)
    if (r->first[gr->nodes[k]] < 0) r->first[gr->nodes[k]] = i;
  if (!gr && r->first[s->node] < 0) r->first[s->node] = i;
  arrfree(reads), arrfree(writes);
}

Remat remat_begin(const Plan *p) {
  size_t nb = (size_t)arrlen(p->bufs), n = (size_t)arrlen(p->graph->nodes);
  Remat r = {.p = p, .g = p->graph, .nodes = p->graph->nodes, .n = (int)n, .at = step_of_peak(p)};
  r.first = zeroed(n, sizeof *r.first), r.content = zeroed(nb, sizeof *r.content), r.kept = zeroed(nb, sizeof *r.kept);
  r.last = zeroed(nb, sizeof *r.last), r.next = zeroed(nb, sizeof *r.next), r.idle = zeroed(nb, sizeof *r.idle),
  r.dropped = zeroed(n, sizeof *r.dropped), r.offered = zeroed(n, sizeof *r.offered);
  r.alone = zeroed(n, sizeof *r.alone), r.read = zeroed(nb, sizeof *r.read);
  r.stamp = zeroed(n, sizeof *r.stamp);
  for (size_t i = 0; i < n; i++) r.first[i] = -1;
  bool *touched = zeroed(nb, sizeof *touched);
  for (int i = 0; i < arrlen(p->steps); i++) look_at_step(&r, i, touched);
  for (size_t b = 0; b < nb; b++) {
    bool free = p->bufs[b].kind == BUF_ARENA && p->bufs[b].twin < 0;
    r.idle[b] = free && r.kept[b] && !touched[b];
    r.read[b] &= free;
  }
  for (int i = 0; i < arrlen(r.g->outputs); i++) { /* they stay to the end */
    int b = p->buf_of[r.g->outputs[i]];
    if (b >= 0) r.idle[b] = r.read[b] = false;
  }
  free(touched);
  return r;
}
void remat_end(Remat *r) {
  free(r->first), free(r->content), free(r->kept), free(r->idle), free(r->last), free(r->next), free(r->dropped),
      free(r->offered), free(r->alone), free(r->read), free(r->stamp);
}

bool remat_is_late(const Remat *r, NodeId n) { return r->first[n] > r->at; }
bool remat_is_leaf(const Remat *r, NodeId n) {
  Op op = (Op)r->nodes[n].op;
  return op == OP_input || op == OP_cell || op == OP_get;
}
bool remat_is_there(const Remat *r, NodeId n) {
  if (r->offered[n]) return true;
  int b = r->p->buf_of[n];
  return b >= 0 && !r->dropped[n] && r->kept[b] && r->content[b] == n;
}

/* ---- what it takes to make a value again ---- */

typedef struct Chain {
  double work; /* operations, and words of what is read and written */
  int nodes;
  bool possible;
} Chain;

double remat_words(const Remat *r, NodeId n) {
  Type t = r->nodes[n].type;
  return t.dtype == TUPLE ? 0 : (double)dim_upper(r->g->dims, type_count(r->g->dims, t));
}

static void follow(Remat *r, NodeId n, Chain *c) {
  if (r->stamp[n] == r->now || !c->possible) return;
  r->stamp[n] = r->now;
  const Node *d = &r->nodes[n];
  OpClass cls = op_info[d->op].cls;
  if (cls == REGION || (op_info[d->op].flags & IMPURE) || ++c->nodes > LONGEST) {
    c->possible = false;
    return;
  }
  if (cls != VIEW && cls != LEAF) c->work += (double)dim_upper(r->g->dims, node_flops(r->g, n));
  for (int k = 0; k < d->n_in; k++) {
    NodeId x = d->in[k];
    if (remat_is_leaf(r, x) || remat_is_there(r, x)) {
      if (r->nodes[x].op == OP_get && !remat_is_there(r, x)) c->possible = false;
      if (r->stamp[x] != r->now) c->work += remat_words(r, x);
      r->stamp[x] = r->now;
    } else follow(r, x, c);
  }
}

/* From what is there without it. */
static Chain chain_of(Remat *r, NodeId n) {
  Chain c = {.work = 2 * remat_words(r, n), .possible = true};
  r->now++;
  r->dropped[n] = true;
  follow(r, n, &c);
  r->dropped[n] = false;
  return c;
}

/* The idle buffer with the least work for a byte and the steps in which it lies there unused; -1: none. */
static int cheapest(Remat *r) {
  int best = -1;
  double least = 0;
  for (int b = 0; b < arrlen(r->p->bufs); b++) {
    if (!r->idle[b] || r->dropped[r->content[b]] || remat_is_late(r, r->content[b])) continue;
    if (op_info[r->nodes[r->content[b]].op].cls == META) continue;
    Chain c = chain_of(r, r->content[b]);
    double price = c.work / (double)r->p->bufs[b].bytes / (double)(r->next[b] - r->last[b]);
    if (c.possible && (best < 0 || price < least)) best = b, least = price;
  }
  return best;
}

/* ---- clones ---- */

typedef struct Cloning {
  Remat *r;
  Rewrite w;
  NodeId *clone, *whole; /* by old node: its clone, the slice of all of it; 0: none yet */
  int8_t *needs;         /* by old node: 1: it is dropped or made of what is; -1: not; 0: not known */
} Cloning;

/* The value of an early node, without a buffer or dropped, that is not there for those who read it late. */
static bool needs_clone(Cloning *c, NodeId n) {
  if (c->needs[n]) return c->needs[n] > 0;
  const Node *d = &c->w.old[n];
  bool needs = c->r->dropped[n];
  if (!needs && !remat_is_late(c->r, n) && !remat_is_there(c->r, n) && !remat_is_leaf(c->r, n) &&
      op_info[d->op].cls != REGION)
    for (int k = 0; k < d->n_in && !needs; k++) needs = needs_clone(c, d->in[k]);
  c->needs[n] = needs ? 1 : -1;
  return needs;
}

/* What is there, for a clone: products and windows are not merged with their operands anyway. */
static NodeId whole_of(Cloning *c, NodeId n, OpClass reader) {
  Graph *g = c->r->g;
  NodeId x = rewrite_get(&c->w, n);
  Type t = graph_type(g, x);
  if (!t.rank || reader == CONTRACT || reader == WINDOW) return x;
  if (c->whole[n]) return c->whole[n];
  Dim start[MAX_RANK];
  int64_t step[MAX_RANK];
  for (int k = 0; k < t.rank; k++) start[k] = dim_int(g->dims, 0), step[k] = 1;
  return c->whole[n] = g_slice(g, c->w.old[n].loc, x, start, step, t.shape);
}

static NodeId clone_of(Cloning *c, NodeId n) {
  if (c->clone[n]) return c->clone[n];
  Node d = c->w.old[n];
  NodeId *shared = c->clone;
  if (c->r->alone[n]) c->clone = zeroed((size_t)c->r->n, sizeof(NodeId));
  NodeId *in = arena_array(c->r->g->arena, NodeId, d.n_in + 1);
  for (int k = 0; k < d.n_in; k++) {
    NodeId x = d.in[k];
    in[k] = remat_is_leaf(c->r, x) || remat_is_there(c->r, x) ? whole_of(c, x, op_info[d.op].cls) : clone_of(c, x);
  }
  d.in = in;
  arrput(c->r->g->nodes, d);
  if (c->clone != shared) free(c->clone);
  c->clone = shared;
  return c->clone[n] = (NodeId)arrlen(c->r->g->nodes) - 1;
}

void remat_clone(Remat *r) {
  Cloning c = {.r = r, .clone = zeroed((size_t)r->n, sizeof(NodeId)), .whole = zeroed((size_t)r->n, sizeof(NodeId))};
  c.needs = zeroed((size_t)r->n, 1);
  c.w = rewrite_begin(r->g);
  for (NodeId n = 1; n < c.w.n_old; n++) {
    if (!c.w.live[n]) continue;
    Node d = c.w.old[n];
    bool late = remat_is_late(r, n);
    if (late || r->first[n] == r->at) {
      NodeId *in = arena_array(r->g->arena, NodeId, d.n_in + 1);
      for (int k = 0; k < d.n_in; k++) {
        bool again = late ? needs_clone(&c, d.in[k]) : r->dropped[d.in[k]];
        in[k] = again ? clone_of(&c, d.in[k]) : rewrite_get(&c.w, d.in[k]);
      }
      d.in = in;
      arrput(r->g->nodes, d);
      rewrite_to(&c.w, n, (NodeId)arrlen(r->g->nodes) - 1);
    } else rewrite_to(&c.w, n, rewrite_copy(&c.w, n));
  }
  rewrite_end(&c.w);
  free(c.clone), free(c.whole), free(c.needs);
}

bool remat_turn(const Plan *p, int64_t excess) {
  Remat r = remat_begin(p);
  bool any = false;
  while (excess > 0) {
    int b = cheapest(&r);
    if (b < 0) break;
    r.dropped[r.content[b]] = any = true;
    excess -= p->bufs[b].bytes;
  }
  if (any) remat_clone(&r);
  remat_end(&r);
  return any;
}
