/* by_rows: loops whose rows have nothing to do with each other.
 *
 * Before: the steps of a plan, fused. After: a scan of which every value has the same first axis, the examples of a
 * recurrent layer's batch, and of which no element needs another row, holds in `rows` how many rows are one part, and
 * so does each of its groups. Lowering then cuts all kernels at the same rows, and a thread takes its parts through all
 * iterations: nobody waits (barrier.c), and a part stays in the caches of its thread.
 *
 * A node is OWN when row i of it needs row i of what the loop writes and nothing else of that, and SHARED when it needs
 * nothing that the loop writes: weights, or what was made before it. */
#include "base/ds.h"
#include "passes/pipeline.h"
#include "passes/plan_internal.h"

enum { PARTS = 16, TILE = 8, EVEN = 4 };

typedef enum Needs { SHARED, OWN, OTHERS } Needs;
typedef struct Rows {
  const Plan *p;
  const PlanStep *loop;
  const bool *writes; /* by buffer, homes only */
  Dim rows;
  const Graph *g;
  const int *buf_of;
  unsigned char *needs; /* by node of the body */
  bool *here;           /* by node: the group at hand computes it */
  bool product;         /* there is a product of rows with what is SHARED */
} Rows;

static bool has_rows(const Rows *r, Type t) { return t.rank > 0 && t.shape[0] == r->rows; }

static Needs needs_of_buf(const Rows *r, int buf) {
  const PlanBuf *x = &r->p->bufs[buf];
  if (x->kind == BUF_COUNT || !r->writes[buf_home(r->p, buf)]) return SHARED;
  bool row = x->kind == BUF_ROW;
  if (row && (x->loop != r->loop->loop || x->place || r->p->bufs[x->index].kind == BUF_ROW)) return OTHERS;
  return has_rows(r, x->type) ? OWN : OTHERS;
}
static Needs needs_of(const Rows *r, NodeId n) {
  if (r->here[n]) return (Needs)r->needs[n];
  if (r->buf_of[n] < 0) return op_info[r->g->nodes[n].op].cls == LEAF ? SHARED : OTHERS;
  Needs of_buf = needs_of_buf(r, r->buf_of[n]);
  return of_buf == OWN && !has_rows(r, graph_type(r->g, n)) ? OTHERS : of_buf;
}

/* Does the first axis of a view remain its first axis, element by element? */
static bool keeps_rows(const Rows *r, const Node *x) {
  int64_t v[MAX_RANK], zero;
  switch (x->op) {
  case OP_reshape: return true;
  case OP_transpose: node_ints(r->g, x, A_perm, v, MAX_RANK); return v[0] == 0;
  case OP_broadcast: return node_ints(r->g, x, A_axes, v, MAX_RANK) > 0 && v[0] == 0;
  case OP_concat: return node_int(r->g, x, A_axis) != 0;
  case OP_slice:
    node_ints(r->g, x, A_step, v, MAX_RANK);
    return v[0] == 1 && dim_is_int(r->g->dims, node_attr(x, A_start)->dims[0], &zero) && zero == 0;
  default: return false;
  }
}
/* Rows times weights: the rows are those of the result, and all columns of a row lie in the weights. */
static bool multiplies_rows(Rows *r, const Node *x) {
  int64_t la[MAX_RANK], lb[MAX_RANK], ly[MAX_RANK];
  bool a = needs_of(r, x->in[0]) == OWN, b = needs_of(r, x->in[1]) == OWN;
  int na = node_ints(r->g, x, A_la, la, MAX_RANK), nb = node_ints(r->g, x, A_lb, lb, MAX_RANK);
  int ny = node_ints(r->g, x, A_ly, ly, MAX_RANK);
  if (a == b || ny < 2 || (a ? la[0] : lb[0]) != ly[0]) return false;
  for (int i = 0; i < (a ? na : nb); i++)
    for (int k = 1; k < ny; k++)
      if ((a ? la[i] : lb[i]) == ly[k]) return false;
  for (int i = 0; i < (a ? nb : na); i++)
    if ((a ? lb[i] : la[i]) == ly[0]) return false;
  return r->product = true;
}
static Needs needs_of_node(Rows *r, NodeId n) {
  const Node *x = &r->g->nodes[n];
  bool own = false;
  for (int i = 0; i < x->n_in; i++) {
    Needs in = needs_of(r, x->in[i]);
    if (in == OTHERS) return OTHERS;
    own |= in == OWN;
  }
  if (!own) return SHARED;
  if (!has_rows(r, x->type)) return OTHERS;
  OpClass c = op_info[x->op].cls;
  if (c == MAP) return OWN;
  if (c == VIEW) return keeps_rows(r, x) ? OWN : OTHERS;
  return x->op == OP_dot && multiplies_rows(r, x) ? OWN : OTHERS;
}

static bool group_by_rows(Rows *r, const Group *gr) {
  bool own = arrlen(gr->folds) == 0;
  const Scope *scope = &r->p->scopes[gr->scope];
  r->g = scope->graph;
  r->buf_of = scope->buf_of;
  if (gr->heavy && r->g->nodes[gr->heavy].op != OP_dot) return false;
  for (int i = 0; i < arrlen(gr->nodes) && own; i++) {
    NodeId n = gr->nodes[i];
    Op op = (Op)r->g->nodes[n].op;
    OpClass c = op_info[op].cls;
    if (c == SCATTER || c == CALL || c == GATHER) return false;
    if (op == OP_input || op == OP_cell) continue; /* an operand */
    r->needs[n] = (unsigned char)needs_of_node(r, n);
    r->here[n] = true;
    own = r->needs[n] != OTHERS;
  }
  for (int i = 0; i < arrlen(gr->nodes); i++) r->here[gr->nodes[i]] = false;
  for (int i = 0; i < arrlen(gr->outs) && own; i++) {
    const GroupOut *o = &gr->outs[i];
    own = has_rows(r, r->p->bufs[o->buf].type) && (!o->node || has_rows(r, graph_type(r->g, o->node))) &&
          needs_of_buf(r, o->buf) == OWN;
  }
  if (!arrlen(gr->nodes)) own &= needs_of_buf(r, gr->reads[0]) != OTHERS; /* a copy */
  return own;
}

/* At its bound; 0: too few rows, one of two threads would have most of them, as of one part or three. */
static int64_t rows_of_part(const Plan *p, Dim rows) {
  int64_t most = dim_upper(p->graph->dims, rows), each = (most + PARTS - 1) / PARTS;
  bool even = most / TILE == 2 || most / TILE >= EVEN;
  return even ? (each + TILE - 1) / TILE * TILE : 0;
}
static void look(Plan *p, PlanStep *s, const PlanLoops *loops) {
  const Node *x = &p->scopes[s->scope].graph->nodes[s->node];
  if (x->op != OP_scan || !arrlen(s->carried) || p->bufs[s->carried[0]].type.rank == 0) return;
  Rows r = {.p = p, .loop = s, .writes = loops->writes[s->loop], .rows = p->bufs[s->carried[0]].type.shape[0]};
  int64_t rows = rows_of_part(p, r.rows);
  for (int i = 0; i < arrlen(s->carried) && rows; i++)
    if (!has_rows(&r, p->bufs[s->carried[i]].type)) rows = 0;
  for (int i = 0; i < arrlen(s->body) && rows; i++) {
    const PlanStep *k = &s->body[i];
    if (k->kind != PLAN_KERNEL || k->joined || k->behind) {
      rows = 0;
      break;
    }
    const Group *gr = &p->groups[k->group];
    if (!r.here) {
      ptrdiff_t n = arrlen(p->scopes[gr->scope].graph->nodes);
      r.needs = arena_array(p->arena, unsigned char, n + 1);
      r.here = arena_array(p->arena, bool, n + 1);
    }
    if (!group_by_rows(&r, gr)) rows = 0;
  }
  if (!r.product) rows = 0;
  s->rows = rows;
  for (int i = 0; i < arrlen(s->body) && rows; i++) p->groups[s->body[i].group].rows = rows;
}
static void walk(Plan *p, PlanStep *steps, const PlanLoops *loops) {
  for (int i = 0; i < arrlen(steps); i++) {
    PlanStep *s = &steps[i];
    if (s->kind == PLAN_KERNEL || s->spread) continue;
    if (s->kind == PLAN_LOOP) look(p, s, loops);
    walk(p, s->body, loops);
    walk(p, s->other, loops);
  }
}
void plan_by_rows(Plan *p) { walk(p, p->steps, plan_loops(p)); }
