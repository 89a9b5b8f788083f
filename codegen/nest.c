/* Loop nests over the elements of a tensor: neighbouring axes are merged as far as no index needs a division, work is
 * cut into pieces fixed at compile time, and the pieces are spread over the threads. */
#include "base/ds.h"
#include "codegen/lower.h"

enum { BLOCK = 2048 }; /* elements of one piece of a long row */

Dim dim_ceil_div(DimTab *t, Dim a, int64_t b) {
  return b == 1 ? a : dim_floordiv(t, dim_add(t, a, dim_int(t, b - 1)), dim_int(t, b));
}
int64_t dim_most(const Lower *l, Dim d) {
  int64_t n = dim_upper(l->dims, d);
  if (n < 0) INTERNAL("a dimension without a bound reached lowering");
  return n;
}

int merge_loops(DimTab *t, const Axes *a, Merge m, Dim *size) {
  int n = 0;
  for (int k = 0; k < a->n; k++) {
    if (n == 0 || m.cuts >> k & 1) size[n++] = a->size[k];
    else size[n - 1] = dim_mul(t, size[n - 1], a->size[k]);
  }
  if (n == 0) size[n++] = dim_int(t, 1);
  return n;
}

void merge_index(LB *b, const Axes *a, Merge m, LExpr *const *loop, Idx *at) {
  int n = -1;
  for (int k = 0; k < a->n;) {
    int end = k + 1;
    while (end < a->n && !(m.cuts >> end & 1)) end++;
    axes_split(b, a->size + k, end - k, loop[++n], at->i + k);
    k = end;
  }
}

LExpr *open_parts(Lower *l, Dim rows, LExpr **end) {
  LB *b = l->b;
  LExpr *all = x_dim(b, rows), *size = x_int(b, l->group->rows), *one = x_int(b, 1);
  LExpr *count = x_max(b, x_div(b, all, size), one);
  LExpr *part = x_var(b, lb_for(b, FOR_PARALLEL, "part", x_int(b, 0), count, 1)), *next = x_add(b, part, one);
  bool even = dim_is(l->dims, dim_mod(l->dims, rows, dim_int(l->dims, l->group->rows)), 0);
  *end = x_mul(b, next, size);
  if (!even) *end = lb_let(b, "end", x_select(b, x_lt(b, next, count), *end, all));
  l->parted = true;
  return x_mul(b, part, size);
}
/* In a loop by rows: the rows of a part one after the other, the last loop of what is left innermost. */
static int open_part_nest(Lower *l, const Axes *a, Merge m, Idx *at) {
  LB *b = l->b;
  Dim size[MAX_AXES];
  LExpr *loop[MAX_AXES], *end, *begin = open_parts(l, a->size[0], &end);
  int n = merge_loops(l->dims, a, m, size), opened = 1;
  for (int k = 0; k < n; k++) {
    LVar *v = k ? lb_for(b, k == n - 1 ? FOR_VECTOR : FOR_SERIAL, "i", x_int(b, 0), x_dim(b, size[k]), 1)
                : lb_for(b, n == 1 ? FOR_VECTOR : FOR_SERIAL, "row", begin, end, 1);
    lb_range(b, v, size[k]);
    loop[k] = x_var(b, v);
    opened++;
  }
  merge_index(b, a, m, loop, at);
  return opened;
}

int open_nest(Lower *l, const Axes *a, Merge m, Idx *at) {
  LB *b = l->b;
  Dim size[MAX_AXES];
  if (l->group->rows && a->n) {
    m.cuts |= 2;
    return open_part_nest(l, a, m, at);
  }
  int n = merge_loops(l->dims, a, m, size), opened = 0;
  Dim rows = dim_int(l->dims, 1), last = size[n - 1];
  for (int k = 0; k < n - 1; k++) rows = dim_mul(l->dims, rows, size[k]);
  int64_t most_rows = dim_most(l, rows), most_last = dim_most(l, last);
  if (n == 1 && most_last > 1) { /* one loop: its size is a parameter, so that equal kernels of other sizes are one */
    LExpr *count = x_param(b, (KSize){.kind = KARG_SIZE, .dim = last});
    LExpr *all = x_div(b, x_add(b, count, x_int(b, BLOCK - 1)), x_int(b, BLOCK));
    LExpr *at0 = x_mul(b, x_var(b, lb_for(b, FOR_PARALLEL, "block", x_int(b, 0), all, 1)), x_int(b, BLOCK)), *index;
    LVar *v = lb_for(b, FOR_VECTOR, "i", at0, x_min(b, x_add(b, at0, x_int(b, BLOCK)), count), 1);
    lb_range(b, v, last);
    index = x_var(b, v);
    merge_index(b, a, m, &index, at);
    return 2;
  }
  bool cut = most_last > BLOCK && most_rows < 64;
  LExpr *loop[MAX_AXES], *row, *lo = x_int(b, 0), *hi = x_dim(b, last);
  if (cut) {
    Dim blocks = dim_ceil_div(l->dims, last, BLOCK);
    LVar *v =
        lb_for(b, FOR_PARALLEL, n > 1 ? "piece" : "block", x_int(b, 0), x_dim(b, dim_mul(l->dims, rows, blocks)), 1);
    row = x_div(b, x_var(b, v), x_dim(b, blocks));
    lo = x_mul(b, n > 1 ? x_mod(b, x_var(b, v), x_dim(b, blocks)) : x_var(b, v), x_int(b, BLOCK));
    if (!dim_is(l->dims, dim_mod(l->dims, last, dim_int(l->dims, BLOCK)), 0))
      hi = x_min(b, x_add(b, lo, x_int(b, BLOCK)), hi);
    else hi = x_add(b, lo, x_int(b, BLOCK));
  } else {
    row = x_var(b, lb_for(b, FOR_PARALLEL, n > 1 ? "row" : "all", x_int(b, 0),
                          x_dim(b, n > 1 ? rows : dim_int(l->dims, 1)), 1));
  }
  opened++;
  axes_split(b, size, n - 1, row, loop);
  if (dim_is(l->dims, last, 1)) {
    loop[n - 1] = x_int(b, 0);
  } else {
    LVar *i = lb_for(b, FOR_VECTOR, "i", lo, hi, 1);
    lb_range(b, i, last);
    loop[n - 1] = x_var(b, i);
    opened++;
  }
  merge_index(b, a, m, loop, at);
  return opened;
}
void close_nest(Lower *l, int opened) {
  while (opened--) lb_end(l->b);
}

void lower_nest(Lower *l, const Axes *a, const char *name, NestFn *fn, void *ctx) {
  Merge best = {1};
  int best_cost = -1;
  for (unsigned cuts = 0; cuts < 1u << (a->n ? a->n - 1 : 0); cuts++) {
    Merge m = {cuts << 1 | 1};
    Idx at = {0};
    int cost = 0;
    lower_begin(l);
    int opened = open_nest(l, a, m, &at);
    fn(l, a, &at, true, &cost, ctx);
    close_nest(l, opened);
    cost = 16 * cost + __builtin_popcount(cuts);
    if (best_cost < 0 || cost < best_cost) {
      best_cost = cost;
      best = m;
    }
    if (best_cost == 0) break;
  }
  Idx at = {0};
  lower_begin(l);
  int opened = open_nest(l, a, best, &at);
  fn(l, a, &at, false, &best_cost, ctx);
  close_nest(l, opened);
  lower_end(l, name, false);
}

void open_items(Lower *l, const Axes *a, Idx *at) {
  LVar *v = lb_for(l->b, FOR_PARALLEL, "item", x_int(l->b, 0), x_dim(l->b, axes_count(l->dims, a, 0, a->n)), 1);
  axes_split(l->b, a->size, a->n, x_var(l->b, v), at->i);
}

/* ---- element-wise groups ---- */
/* From the order of axes in which the results lie, channels last, to that of the nodes. */
static void channels_back(const Axes *a, const Idx *at, Axes *axes, Idx *to) {
  *axes = *a, *to = *at;
  axes->size[1] = a->size[a->n - 1], to->i[1] = at->i[a->n - 1];
  for (int k = 2; k < a->n; k++) axes->size[k] = a->size[k - 1], to->i[k] = at->i[k - 1];
}
static void map_body(Lower *l, const Axes *a, const Idx *at, bool trial, int *cost, void *ctx) {
  Axes axes;
  Idx index;
  (void)ctx;
  if (lower_last(l, l->group->outs[0].buf)) {
    channels_back(a, at, &axes, &index);
    a = &axes, at = &index;
  }
  if (!trial) {
    store_outs(l, a, at);
    return;
  }
  for (int i = 0; i < arrlen(l->group->outs); i++) {
    NodeId n = l->group->outs[i].node;
    Axes out = axes_of(l, n);
    Idx to = *at;
    if (out.n != a->n) axes_split(l->b, out.size, out.n, axes_linear(l->b, a, at), to.i);
    *cost += x_divisions(value_at(l, n, &to), lb_level(l->b));
  }
}
/* Named by the first of its element-wise ops. */
static const char *map_name(const Lower *l) {
  const char *name = NULL;
  int n = 0;
  for (int i = 0; i < arrlen(l->group->nodes) && n < 3; i++) {
    Op op = (Op)graph_node(l->g, l->group->nodes[i])->op;
    OpClass c = op_info[op].cls;
    if (c != MAP && c != GATHER && op != OP_uniform) continue;
    name = name ? arena_printf(l->arena, "%s_%s", name, op_info[op].name) : op_info[op].name;
    n++;
  }
  if (!n) name = op_info[graph_node(l->g, l->group->outs[0].node)->op].name;
  return name;
}
/* A result that surely does not fit the caches is not there when its reader comes: each line of it is made in registers
 * and goes past them, and the operands' next block is asked for. Is it one, in whole blocks, gone through as one loop?
 */
static bool streams(Lower *l, const Axes *a) {
  const Group *g = l->group;
  int buf = g->outs[0].buf;
  Dim count = axes_count(l->dims, a, 0, a->n);
  double bytes = (double)dim_lower(l->dims, count) * dtype_size(graph_type(l->g, g->outs[0].node).dtype);
  if (bytes <= (double)l->target->l3 || arrlen(g->outs) > 1 || g->rows || g->solo) return false;
  if (l->plan->bufs[buf].place || !dim_is(l->dims, dim_mod(l->dims, count, dim_int(l->dims, BLOCK)), 0)) return false;
  for (int k = 0; k < arrlen(g->reads); k++)
    if (lower_same_buf(l, g->reads[k]) == lower_same_buf(l, buf)) return false;
  return true;
}
static bool lower_streamed(Lower *l, const Axes *a, const char *name) {
  enum { LINE = 64 };
  if (!streams(l, a)) return false;
  lower_begin(l);
  LB *b = l->b;
  const GroupOut *o = &l->group->outs[0];
  Dim count = axes_count(l->dims, a, 0, a->n), blocks = dim_ceil_div(l->dims, count, BLOCK);
  DType t = graph_type(l->g, o->node).dtype;
  int size = dtype_size(t), cost = 0;
  LExpr *n = x_int(b, LINE / size), *blocksize = x_int(b, BLOCK);
  LVar *block = lb_for(b, FOR_PARALLEL, "block", x_int(b, 0), x_dim(b, blocks), 1);
  LVar *line = lb_for(b, FOR_SERIAL, "r", x_int(b, 0), x_div(b, blocksize, n), 1);
  LExpr *in_block = x_mul(b, x_var(b, line), n), *begin = x_add(b, x_mul(b, x_var(b, block), blocksize), in_block);
  LExpr *next = x_min(b, x_add(b, x_var(b, block), x_int(b, 1)), x_sub(b, x_dim(b, blocks), x_int(b, 1)));
  NodeId *wide = wide_operands(l, count);
  fetch_wide(l, wide, x_add(b, x_mul(b, next, blocksize), in_block), LINE / size);
  arrfree(wide);
  LArr *out = lb_array(b, ARR_STACK, t, LINE / size, "out");
  LVar *z = lb_for(b, FOR_LINE, "z", x_int(b, 0), n, 1);
  LExpr *index = x_add(b, begin, x_var(b, z));
  Idx at = {0};
  merge_index(b, a, (Merge){1}, &index, &at);
  map_body(l, a, &at, true, &cost, NULL);
  if (cost == 0) lb_store(b, out, x_var(b, z), value_at(l, o->node, &at));
  lb_end(b);
  CallArg args[] = {
      {.arr = lower_buf(l, o->buf, t), .x = begin}, {.arr = out, .x = x_int(b, 0)}, {.x = x_int(b, LINE)}};
  lb_run(b, "stream_lines", args, 3);
  close_nest(l, 2);
  lb_run(b, "stream_end", NULL, 0);
  if (cost == 0) lower_end(l, name, false);
  return cost == 0;
}
void lower_map(Lower *l) {
  Axes a = axes_of(l, l->group->outs[0].node);
  if (lower_last(l, l->group->outs[0].buf)) { /* as the results lie */
    Dim channels = a.size[1];
    for (int k = 1; k < a.n - 1; k++) a.size[k] = a.size[k + 1];
    a.size[a.n - 1] = channels;
    lower_nest(l, &a, map_name(l), map_body, NULL);
    return;
  }
  if (lower_turned(l, &a, map_name(l)) || lower_streamed(l, &a, map_name(l))) return;
  lower_nest(l, &a, map_name(l), map_body, NULL);
}

/* ---- a group without nodes: reads[0] -> outs[0] ---- */
static void copy_body(Lower *l, const Axes *a, const Idx *at, bool trial, int *cost, void *ctx) {
  (void)cost;
  (void)ctx;
  int from = l->group->reads[0], to = l->group->outs[0].buf;
  DType t = l->plan->bufs[to].type.dtype;
  if (trial) return;
  LExpr *i = axes_linear(l->b, a, at);
  bool count = l->plan->bufs[from].kind == BUF_COUNT;
  lb_store(l->b, lower_buf(l, to, t), lower_place(l, to, a, at),
           count ? count_at(l, from, t) : x_load(l->b, lower_buf(l, from, t), i, NULL));
}
void lower_copy(Lower *l) {
  Type t = l->plan->bufs[l->group->outs[0].buf].type;
  Axes a = {.n = t.rank};
  for (int k = 0; k < t.rank; k++) a.size[k] = t.shape[k];
  lower_nest(l, &a, "copy", copy_body, NULL);
}

/* ---- operands end to end: each is copied to its place ---- */
typedef struct ConcatPart {
  NodeId whole, operand;
  int axis;
  Dim begin;
} ConcatPart;
static void concat_body(Lower *l, const Axes *a, const Idx *at, bool trial, int *cost, void *ctx) {
  const ConcatPart *c = ctx;
  Axes out = axes_of(l, c->whole);
  Idx to = *at;
  to.i[c->axis] = x_add(l->b, at->i[c->axis], x_dim(l->b, c->begin));
  LExpr *i = lower_place(l, l->group->outs[0].buf, &out, &to), *v = value_at(l, c->operand, at);
  (void)a;
  if (trial) *cost = x_divisions(i, lb_level(l->b)) + x_divisions(v, lb_level(l->b));
  else lb_store(l->b, lower_buf(l, l->group->outs[0].buf, v->dtype), i, v);
}
void lower_concat(Lower *l) {
  NodeId whole = l->group->outs[0].node;
  const Node *n = graph_node(l->g, whole);
  ConcatPart c = {.whole = whole, .axis = (int)node_int(l->g, n, A_axis), .begin = dim_int(l->dims, 0)};
  for (int k = 0; k < n->n_in; k++) {
    Axes a = axes_of(l, n->in[k]);
    c.operand = n->in[k];
    bool empty = false;
    for (int j = 0; j < a.n; j++) empty |= dim_is(l->dims, a.size[j], 0);
    if (!empty) lower_nest(l, &a, "concat", concat_body, &c);
    c.begin = dim_add(l->dims, c.begin, a.size[c.axis]);
  }
}
