/* Writing at run-time indices. Each piece of work owns the elements it may write (a batch element, a block of the axes
 * behind the indexed one, and where these are few a part of the indexed axis), copies them, then goes through the
 * indices in order: repeats come out the same for any number of threads.
 *   x[b.., p.., axis, r..], i[b.., j..], u[b.., p.., j.., r..] */
#include "base/ds.h"
#include "codegen/lower.h"

enum { REST_BLOCK = 1024, FEW = 4, ROW = 128 }; /* elements of a block; few items; elements of a long row */

typedef struct Scatter {
  const Node *n;
  NodeId id;
  int axis, batch;
  Axes x, i;
  Axes rest; /* r.. */
  int nj;
  int64_t parts;    /* of the indexed axis */
  LExpr *own, *end; /* rows along it: the item's */
} Scatter;

static LArr *out_array(Lower *l, const Scatter *s) { return lower_buf(l, l->group->outs[0].buf, s->n->type.dtype); }

/* Loops over r.. within lo .. hi of its row-major positions. */
static void rest_loop(Lower *l, const Scatter *s, LExpr *lo, LExpr *hi, Idx *at, int from) {
  LVar *r = lb_for(l->b, FOR_VECTOR, "r", lo, hi, 1);
  lb_range(l->b, r, axes_count(l->dims, &s->rest, 0, s->rest.n));
  axes_split(l->b, s->rest.size, s->rest.n, x_var(l->b, r), at->i + from);
}

static void add_in_order(Lower *l, const Scatter *s, const Idx *at, LExpr *lo, LExpr *hi) {
  LB *b = l->b;
  Idx ix = {0}, iu = {0}, to = *at;
  for (int k = 0; k < s->batch; k++) ix.i[k] = at->i[k];
  for (int k = 0; k < s->axis; k++) iu.i[k] = at->i[k];
  for (int k = 0; k < s->nj; k++) {
    LVar *j = lb_for(b, FOR_SERIAL, "j", x_int(b, 0), x_dim(b, s->i.size[s->batch + k]), 1);
    ix.i[s->batch + k] = iu.i[s->axis + k] = x_var(b, j);
  }
  LExpr *where = x_cast(b, value_at(l, s->n->in[1], &ix), I64);
  LExpr *site =
      x_param(b, (KSize){.kind = KARG_INT, .value = kernels_site_of(l->table, s->n->loc, s->axis, &s->n->type)});
  to.i[s->axis] = lb_let(b, "where", x_check(b, where, x_dim(b, s->x.size[s->axis]), site, NULL));
  bool empty = dim_le(l->dims, dim_int(l->dims, 1), s->x.size[s->axis]) != DIM_YES; /* at some sizes */
  bool some = empty || s->parts > 1;
  LExpr *ours = some ? x_ge(b, to.i[s->axis], s->own) : NULL;
  if (some) lb_if(b, s->parts > 1 ? x_and(b, ours, x_lt(b, to.i[s->axis], s->end)) : ours);
  rest_loop(l, s, lo, hi, &to, s->axis + 1);
  for (int k = s->axis + 1; k < s->x.n; k++) iu.i[k + s->nj - 1] = to.i[k];
  LExpr *v = value_at(l, s->n->in[2], &iu), *e = axes_linear(b, &s->x, &to);
  LArr *y = out_array(l, s);
  Op with = s->n->op == OP_scatter_add ? OP_add : OP_maximum;
  if (s->n->op != OP_scatter_set) v = x_op(b, with, s->n->type.dtype, x_load(b, y, e, NULL), v, NULL);
  lb_store(b, y, e, v);
  close_nest(l, s->nj + (some ? 2 : 1));
}

/* Adds to the items the parts of the indexed axis: every part reads all indices, which long rows outweigh. */
static void choose_parts(Lower *l, Scatter *s, Axes *items, Dim rest) {
  int64_t many = dim_most(l, axes_count(l->dims, items, 0, items->n)), rows = dim_most(l, s->x.size[s->axis]);
  s->parts = many > 0 && many < FEW && dim_most(l, rest) >= ROW ? (FEW + many - 1) / many : 1;
  if (s->parts > rows) s->parts = rows > 0 ? rows : 1;
  items->size[items->n++] = dim_int(l->dims, s->parts);
}

void lower_scatter(Lower *l) {
  NodeId id = l->group->outs[0].node;
  const Node *n = graph_node(l->g, id);
  Scatter s = {.n = n,
               .id = id,
               .axis = (int)node_int(l->g, n, A_axis),
               .batch = (int)node_int(l->g, n, A_batch),
               .x = axes_of(l, n->in[0]),
               .i = axes_of(l, n->in[1])};
  s.nj = s.i.n - s.batch;
  for (int k = s.axis + 1; k < s.x.n; k++) s.rest.size[s.rest.n++] = s.x.size[k];
  Dim rest = axes_count(l->dims, &s.rest, 0, s.rest.n);
  bool blocks = dim_most(l, rest) > REST_BLOCK;
  Axes items = {.n = s.axis};
  for (int k = 0; k < s.axis; k++) items.size[k] = s.x.size[k];
  if (blocks) items.size[items.n++] = dim_ceil_div(l->dims, rest, REST_BLOCK);
  choose_parts(l, &s, &items, rest);
  lower_begin(l);
  LB *b = l->b;
  Idx at = {0};
  open_items(l, &items, &at);
  LExpr *rows = x_dim(b, s.x.size[s.axis]), *each = x_dim(b, dim_ceil_div(l->dims, s.x.size[s.axis], s.parts));
  s.own = lb_let(b, "own", x_min(b, x_mul(b, at.i[items.n - 1], each), rows));
  s.end = lb_let(b, "end", x_min(b, x_add(b, s.own, each), rows));
  LExpr *lo = x_int(b, 0), *hi = x_dim(b, rest);
  if (blocks) {
    lo = x_mul(b, at.i[s.axis], x_int(b, REST_BLOCK));
    hi = x_min(b, x_add(b, lo, x_int(b, REST_BLOCK)), hi);
  }
  int from = l->buf_of[n->in[0]];
  if (from < 0 || l->here[n->in[0]] || lower_same_buf(l, from) != lower_same_buf(l, l->group->outs[0].buf)) {
    Idx to = at;
    LVar *a = lb_for(b, FOR_SERIAL, "a", s.own, s.end, 1);
    to.i[s.axis] = x_var(b, a);
    rest_loop(l, &s, lo, hi, &to, s.axis + 1);
    lb_store(b, out_array(l, &s), axes_linear(b, &s.x, &to), value_at(l, n->in[0], &to));
    close_nest(l, 2);
  }
  if (!dim_is(l->dims, s.x.size[s.axis], 0)) add_in_order(l, &s, &at, lo, hi);
  lb_end(b);
  lower_end(l, op_info[n->op].name, false);
}
