/* together: kernels of one structure that run at the same time.
 *
 * Before: steps in order, cells committed. After: runs of independent kernels that are the same loop nest up to sizes
 * and buffers stand behind one another as one step (PlanStep.behind, .joined): the optimiser's updates of all
 * parameters, their norms, their first values. Lowering makes them one call over a table. A kernel waits for others of
 * its structure as long as nothing needs it; where other steps run meanwhile, only when what it keeps alive is little.
 * Why here: cells have their places, so that it is known who touches what; lives are counted afterwards. */
#include "base/ds.h"
#include "passes/pipeline.h"
#include "passes/plan_internal.h"
#include "passes/rewrite.h"
#include <string.h>

/* Bytes that steps which run together, or wait for each other, may keep alive in addition: a part of all values. */
enum { MOST_BYTES = 1 << 16, PART = 16 };

/* ---- the structure of a group ---- */

typedef struct Text {
  const Plan *p;
  const Group *gr;
  const Graph *g;
  const int *buf_of;
  Buf *b;
  Dim count;    /* elements that the nest goes through */
  int *bufs;    /* stb_ds: in order of their first use */
  NodeId *seen; /* stb_ds: nodes that have been looked at */
  NodeId *told; /* stb_ds: those that the text names, in order */
  bool shaped;  /* sizes have been told: they must be equal */
} Text;

static Dim count_of(const Text *t, NodeId n) { return type_count(t->g->dims, graph_type(t->g, n)); }

/* Buffers of one cell are one. */
static bool same_buf(const Plan *p, int a, int b) {
  const PlanBuf *x = &p->bufs[a], *y = &p->bufs[b];
  return a == b || (x->kind == BUF_CELL && y->kind == BUF_CELL && x->index == y->index);
}
/* A table tells where in the arena or among the cells something is; what lies elsewhere must be the same buffer. */
static void put_buf(Text *t, int buf) {
  int k = 0;
  const PlanBuf *x = &t->p->bufs[buf];
  bool placed = (x->kind == BUF_ARENA && x->twin < 0) || x->kind == BUF_CELL || x->kind == BUF_FIXED;
  if (!placed) buf_printf(t->b, "#%d", buf);
  while (k < arrlen(t->bufs) && !same_buf(t->p, t->bufs[k], buf)) k++;
  if (k == arrlen(t->bufs)) arrput(t->bufs, buf);
  buf_printf(t->b, "b%d", k);
}

static bool is_out(const Text *t, NodeId n) {
  for (int i = 0; i < arrlen(t->gr->outs); i++)
    if (t->gr->outs[i].node == n) return true;
  return false;
}
static int place_in(const NodeId *list, NodeId n) {
  for (int i = 0; i < arrlen(list); i++)
    if (list[i] == n) return i;
  return -1;
}
/* Moves nothing in row-major order, or repeats one number. */
static bool is_plain_view(const Text *t, NodeId n) {
  const Node *x = graph_node(t->g, n);
  if (x->op == OP_reshape) return true;
  return x->op == OP_broadcast &&
         (dim_is(t->g->dims, count_of(t, x->in[0]), 1) || count_of(t, x->in[0]) == count_of(t, n));
}

static void put_shape(Text *t, NodeId n) { /* axes of one element are none */
  Type x = graph_type(t->g, n);
  for (int k = 0; k < x.rank; k++) {
    if (dim_is(t->g->dims, x.shape[k], 1)) continue;
    buf_char(t->b, '[');
    dim_print(t->g->dims, t->b, x.shape[k]);
  }
  t->shaped = true;
}
static void put_operand(Text *t, NodeId n) {
  while (place_in(t->seen, n) >= 0 && is_plain_view(t, n) && !is_out(t, n)) n = graph_node(t->g, n)->in[0];
  int told = place_in(t->told, n);
  if (told >= 0) {
    buf_printf(t->b, " %d", told);
    return;
  }
  buf_printf(t->b, " %s", dtype_name(graph_type(t->g, n).dtype));
  if (t->buf_of[n] >= 0) put_buf(t, t->buf_of[n]);
  else buf_printf(t->b, "%%%u", (unsigned)n);
  if (dim_is(t->g->dims, count_of(t, n), 1)) buf_char(t->b, '1');
  else if (count_of(t, n) != t->count) put_shape(t, n);
}

static void put_attr(Text *t, const Attr *a) {
  buf_printf(t->b, ",%d", (int)a->key);
  switch (attr_kinds[a->key]) {
  case AK_INT: buf_printf(t->b, "=%u", (unsigned)a->dims[0]); break;
  case AK_INTS:
    for (int i = 0; i < (int)a->n; i++) buf_printf(t->b, ":%u", (unsigned)a->dims[i]);
    break;
  case AK_NUM: buf_printf(t->b, "=%a", a->num); break;
  case AK_DATA:
    buf_char(t->b, '=');
    for (int i = 0; i < (int)a->n; i++) buf_printf(t->b, "%02x", ((const unsigned char *)a->data)[i]);
    break;
  case AK_HASH: break; /* a number that the kernel is told */
  }
}

static bool is_mine(const Text *t, NodeId n) {
  for (int i = 0; i < arrlen(t->gr->nodes); i++)
    if (t->gr->nodes[i] == n) return true;
  return false;
}

/* Operands first, in their order: the order of the group's list depends on what the graph shares with others. */
static bool put_node(Text *t, NodeId n) {
  const Node *x = graph_node(t->g, n);
  if (place_in(t->seen, n) >= 0 || !is_mine(t, n)) return true;
  for (int k = 0; k < x->n_in && x->op != OP_input && x->op != OP_cell; k++)
    if (!put_node(t, x->in[k])) return false;
  OpClass cls = op_info[x->op].cls;
  bool plain = is_plain_view(t, n), part = cls == LEAF || cls == MAP || cls == VIEW || cls == GATHER || cls == REDUCE;
  if (!part || x->op == OP_argmax || x->op == OP_argmin || x->n_regions) return false;
  arrput(t->seen, n);
  if ((plain && !is_out(t, n)) || x->op == OP_input || x->op == OP_cell) return true;
  bool whole = cls == REDUCE && dim_is(t->g->dims, count_of(t, n), 1) && count_of(t, x->in[0]) == t->count;
  buf_printf(t->b, ";%s %s", op_info[x->op].name, dtype_name(x->type.dtype));
  for (int k = 0; k < x->n_attrs && !plain && !whole; k++) put_attr(t, &x->attrs[k]);
  if (cls == REDUCE ? !whole : !plain && (cls == VIEW || cls == GATHER)) put_shape(t, n);
  if (dim_is(t->g->dims, count_of(t, n), 1)) buf_str(t->b, " one");
  for (int k = 0; k < x->n_in; k++) put_operand(t, x->in[k]);
  arrput(t->told, n);
  return true;
}

/* Groups of equal text are mostly one kernel, with other sizes and buffers. False: it runs by itself. */
static bool structure(const Plan *p, const Group *gr, Buf *b) {
  const Scope *s = &p->scopes[gr->scope];
  Text t = {.p = p, .gr = gr, .g = s->graph, .buf_of = s->buf_of, .b = b};
  if (gr->solo || !arrlen(gr->outs)) return false;
  NodeId first = arrlen(gr->folds) ? graph_node(t.g, gr->folds[0])->in[0] : gr->outs[0].node;
  t.count = first ? count_of(&t, first) : type_count(t.g->dims, p->bufs[gr->outs[0].buf].type);
  bool good = true;
  for (int i = 0; i < arrlen(gr->outs) && good && arrlen(gr->nodes); i++) {
    good = put_node(&t, gr->outs[i].node);
    buf_printf(b, ";-> %d ", place_in(t.told, gr->outs[i].node));
    put_buf(&t, gr->outs[i].buf);
  }
  if (good && !arrlen(gr->nodes)) {
    PlanBuf *from = &p->bufs[gr->reads[0]];
    buf_printf(b, "copy %s", dtype_name(p->bufs[gr->outs[0].buf].type.dtype));
    good = from->kind != BUF_COUNT;
    put_buf(&t, gr->reads[0]);
  }
  if (t.shaped || dim_is(t.g->dims, t.count, 1)) { /* a nest without a loop is another one */
    buf_str(b, "; of ");
    dim_print(t.g->dims, b, t.count);
  }
  arrfree(t.bufs), arrfree(t.seen), arrfree(t.told);
  return good;
}

/* ---- who touches what ---- */

typedef struct Item {
  int *reads, *writes; /* stb_ds: buffers that they lie in */
  char *text;          /* NULL: runs by itself */
  int64_t made, read;  /* arena bytes */
} Item;

static int *homes(const Plan *p, int *list) {
  for (int i = 0; i < arrlen(list); i++) list[i] = buf_home(p, list[i]);
  return list;
}
static int64_t arena_bytes(const Plan *p, const int *list) {
  int64_t bytes = 0;
  for (int i = 0; i < arrlen(list); i++) bytes += p->bufs[list[i]].kind == BUF_ARENA ? p->bufs[list[i]].bytes : 0;
  return bytes;
}
static bool meet(const Plan *p, const int *a, const int *b) {
  for (int i = 0; i < arrlen(a); i++)
    for (int k = 0; k < arrlen(b); k++) {
      const PlanBuf *x = &p->bufs[a[i]], *y = &p->bufs[b[k]];
      if (a[i] == b[k] || (x->kind == BUF_CELL && buf_holds_cell(y, x->index)) ||
          (y->kind == BUF_CELL && buf_holds_cell(x, y->index)))
        return true;
    }
  return false;
}
static bool conflict(const Plan *p, const Item *a, const Item *b) {
  return meet(p, a->writes, b->writes) || meet(p, a->writes, b->reads) || meet(p, a->reads, b->writes);
}

/* ---- runs ---- */

typedef struct Run {  /* of steps that wait for each other */
  int *steps;         /* stb_ds */
  int before;         /* it runs before this step; -1: it still waits */
  int64_t made, read; /* arena bytes of its steps */
  int64_t passed;     /* made by others while it waits */
} Run;
typedef struct Together {
  const Plan *p;
  Item *items; /* stb_ds: by step */
  Run *runs;   /* stb_ds */
  int64_t most;
} Together;

static void look_at(Together *t, const PlanStep *s) {
  Item x = {0};
  Buf b = {0};
  step_reads(t->p, s, &x.reads);
  step_writes(t->p, s, &x.writes);
  homes(t->p, x.reads), homes(t->p, x.writes);
  if (s->kind == PLAN_KERNEL && structure(t->p, &t->p->groups[s->group], &b))
    x.text = arena_strndup(t->p->arena, b.s, b.n);
  x.made = arena_bytes(t->p, x.writes), x.read = arena_bytes(t->p, x.reads);
  buf_free(&b);
  arrput(t->items, x);
}

static bool conflicts(const Together *t, const Run *r, int step) {
  for (int i = 0; i < arrlen(r->steps); i++)
    if (conflict(t->p, &t->items[r->steps[i]], &t->items[step])) return true;
  return false;
}

/* Step i comes: it joins a run, or begins one, or runs, and runs that cannot wait any longer go before it. */
static void come(Together *t, int i) {
  const Item *x = &t->items[i];
  Run *mine = NULL;
  for (int k = 0; k < arrlen(t->runs); k++) {
    Run *r = &t->runs[k];
    if (r->before >= 0) continue;
    bool same = x->text && !strcmp(x->text, t->items[r->steps[0]].text) && r->made + x->made <= t->most;
    if (!same) r->passed += x->made;
    if (conflicts(t, r, i) || (r->read > t->most && r->passed > t->most)) r->before = i;
    else if (same) mine = r;
  }
  if (!x->text) return;
  if (!mine) {
    arrput(t->runs, ((Run){.before = -1}));
    mine = &arrlast(t->runs);
  }
  arrput(mine->steps, i);
  mine->made += x->made, mine->read += x->read;
}

static void put_run(const Run *r, const PlanStep *from, PlanStep **to) {
  for (int i = 0; i < arrlen(r->steps); i++) {
    PlanStep s = from[r->steps[i]];
    s.behind = i ? 0 : (int)arrlen(r->steps) - 1;
    s.joined = i > 0;
    arrput(*to, s);
  }
}

static void join_steps(const Plan *p, PlanStep **steps, int64_t most) {
  Together t = {.p = p, .most = most};
  int n = (int)arrlen(*steps);
  for (int i = 0; i < n; i++) look_at(&t, &(*steps)[i]);
  for (int i = 0; i < n; i++) come(&t, i);
  PlanStep *out = NULL;
  bool *gone = arena_array(p->arena, bool, n + 1);
  for (int k = 0; k < arrlen(t.runs); k++) {
    if (t.runs[k].before < 0) t.runs[k].before = n;
    for (int i = 0; i < arrlen(t.runs[k].steps) && arrlen(t.runs[k].steps) > 1; i++) gone[t.runs[k].steps[i]] = true;
  }
  for (int i = 0; i <= n; i++) {
    for (int k = 0; k < arrlen(t.runs); k++)
      if (t.runs[k].before == i && arrlen(t.runs[k].steps) > 1) put_run(&t.runs[k], *steps, &out);
    if (i == n || gone[i]) continue;
    (*steps)[i].behind = 0, (*steps)[i].joined = false;
    arrput(out, (*steps)[i]);
  }
  for (int i = 0; i < n; i++) arrfree(t.items[i].reads), arrfree(t.items[i].writes);
  for (int k = 0; k < arrlen(t.runs); k++) arrfree(t.runs[k].steps);
  arrfree(t.items), arrfree(t.runs), arrfree(*steps);
  *steps = out;
}

static void join_all(Plan *p, PlanStep **steps, int64_t most) {
  join_steps(p, steps, most);
  for (int i = 0; i < arrlen(*steps); i++) {
    PlanStep *s = &(*steps)[i];
    if (s->kind == PLAN_KERNEL || s->spread) continue;
    join_all(p, &s->body, most);
    join_all(p, &s->other, most);
  }
}

void plan_together(Plan *p) {
  int64_t all = 0;
  for (int i = 0; i < arrlen(p->bufs); i++) all += p->bufs[i].kind == BUF_ARENA ? p->bufs[i].bytes : 0;
  join_all(p, &p->steps, all / PART < MOST_BYTES ? all / PART : MOST_BYTES);
}
