/* Folding axes: sums, products, largest and smallest elements. The order of the operations is fixed by the shapes'
 * bounds alone, so that the result does not depend on the number of threads: lanes   the contiguous axis is folded: L
 * running results side by side, combined at the end as a tree rows    the contiguous axis stays: whole rows are
 * accumulated into a block of results chunks  few results of many elements: the outermost folded loop is cut into a
 * fixed number of pieces, whose results a second kernel folds in order */
#include "base/ds.h"
#include "codegen/lower.h"

enum { ROW_BLOCK = 512, MAX_CHUNKS = 32, FEW = 8, LONG = 16384 };

double fold_start(Op op, DType t) {
  static const double least[] = {[I64] = -0x1p63, [I32] = -0x1p31, [I8] = -128},
                      most[] = {[I64] = 0x1p63, [I32] = 0x1p31 - 1, [I8] = 127, [U8] = 255, [BOOL] = 1};
  bool f = dtype_is_float(t);
  switch (op) {
  case OP_mul: return 1;
  case OP_maximum: return f ? -__builtin_inf() : t <= I8 ? least[t] : 0;
  case OP_minimum: return f ? __builtin_inf() : most[t];
  default: return 0;
  }
}

typedef struct FoldPlan {
  Merge kept, red;
  int64_t chunks; /* 1: none */
  int64_t temp;   /* byte offset of the chunks' results */
} FoldPlan;

/* State while one kernel is emitted. */
typedef struct FoldEmit {
  const Fold *f;
  const FoldPlan *p;
  int n_kept, n_red;
  Dim kept_size[MAX_AXES], red_size[MAX_AXES]; /* of the merged loops */
  LExpr *kept_loop[MAX_AXES], *red_loop[MAX_AXES];
  LExpr *chunk;   /* number of the piece */
  LExpr *lo, *hi; /* of the first folded loop */
} FoldEmit;

static LExpr *value_of(Lower *l, FoldEmit *e) {
  Idx kept = {0}, red = {0};
  merge_index(l->b, &e->f->kept, e->p->kept, e->kept_loop, &kept);
  merge_index(l->b, &e->f->red, e->p->red, e->red_loop, &red);
  return e->f->value(l, e->f, &kept, &red);
}
static LExpr *combine(Lower *l, const Fold *f, LExpr *x, LExpr *y) { return x_op(l->b, f->op, f->dtype, x, y, NULL); }

static void finish(Lower *l, FoldEmit *e, LExpr *result) {
  Idx kept = {0};
  merge_index(l->b, &e->f->kept, e->p->kept, e->kept_loop, &kept);
  if (!e->chunk) {
    e->f->done(l, e->f, &kept, result);
    return;
  }
  LArr *w = lower_temp_array(l, e->p->temp, e->f->dtype, true);
  LExpr *at = x_mul(l->b, e->chunk, x_dim(l->b, axes_count(l->dims, &e->f->kept, 0, e->f->kept.n)));
  lb_store(l->b, w, x_add(l->b, at, axes_linear(l->b, &e->f->kept, &kept)), result);
}

/* Opens folded loops first .. last-1. */
static void open_red(Lower *l, FoldEmit *e, int first, int last) {
  for (int k = first; k < last; k++) {
    LVar *v = lb_for(l->b, FOR_SERIAL, "r", k ? x_int(l->b, 0) : e->lo, k ? x_dim(l->b, e->red_size[k]) : e->hi, 1);
    lb_range(l->b, v, e->red_size[k]);
    e->red_loop[k] = x_var(l->b, v);
  }
}
static void close_red(Lower *l, int n) {
  while (n-- > 0) lb_end(l->b);
}

/* One result: a running value, or lanes of them over the last folded loop. Returns the cost of a trial. */
static int fold_one(Lower *l, FoldEmit *e, bool trial) {
  LB *b = l->b;
  const Fold *f = e->f;
  int last = e->n_red - 1, cost = 0;
  LExpr *start = x_num(b, fold_start(f->op, f->dtype), f->dtype);
  int lanes = 128 / dtype_size(f->dtype);
  if (dim_most(l, e->red_size[last]) < 2 * lanes) {
    LVar *acc = lb_var(b, "acc", start);
    open_red(l, e, 0, e->n_red);
    LExpr *v = value_of(l, e);
    cost = x_divisions(v, lb_level(b));
    if (!trial) lb_assign(b, acc, combine(l, f, x_read(b, acc), v));
    close_red(l, e->n_red);
    if (!trial) finish(l, e, x_read(b, acc));
    return cost;
  }
  LArr *acc = lb_array(b, ARR_STACK, f->dtype, lanes, "acc");
  LExpr *zero = x_int(b, 0), *n = x_int(b, lanes);
  LVar *z = lb_for(b, FOR_VECTOR, "z", zero, n, 1);
  lb_store(b, acc, x_var(b, z), start);
  lb_end(b);
  open_red(l, e, 0, last);
  LExpr *lo = last ? zero : e->lo, *hi = last ? x_dim(b, e->red_size[last]) : e->hi;
  LExpr *count = x_sub(b, hi, lo), *full = x_div(b, count, n), *rest = x_mod(b, count, n);
  LVar *r = lb_for(b, FOR_SERIAL, "r", zero, full, 1);
  z = lb_for(b, FOR_VECTOR, "z", zero, n, 1);
  e->red_loop[last] = x_add(b, lo, x_add(b, x_mul(b, x_var(b, r), n), x_var(b, z)));
  LExpr *v = value_of(l, e);
  cost = x_divisions(v, lb_level(b));
  if (!trial) lb_store(b, acc, x_var(b, z), combine(l, f, x_load(b, acc, x_var(b, z), NULL), v));
  close_red(l, 2);
  int64_t none;
  if (!x_is_int(rest, &none) || none != 0) {
    z = lb_for(b, FOR_SERIAL, "z", zero, rest, 1);
    e->red_loop[last] = x_add(b, lo, x_add(b, x_mul(b, full, n), x_var(b, z)));
    if (!trial) lb_store(b, acc, x_var(b, z), combine(l, f, x_load(b, acc, x_var(b, z), NULL), value_of(l, e)));
    lb_end(b);
  }
  close_red(l, last);
  if (trial) return cost;
  for (int h = lanes / 2; h; h /= 2) {
    z = lb_for(b, FOR_VECTOR, "z", zero, x_int(b, h), 1);
    LExpr *at = x_var(b, z);
    lb_store(b, acc, at, combine(l, f, x_load(b, acc, at, NULL), x_load(b, acc, x_add(b, at, x_int(b, h)), NULL)));
    lb_end(b);
  }
  finish(l, e, lb_let(b, "result", x_load(b, acc, zero, NULL)));
  return cost;
}

/* A block of results along the last kept loop, from lo to hi. */
static int fold_rows(Lower *l, FoldEmit *e, LExpr *lo, LExpr *hi, bool trial) {
  LB *b = l->b;
  const Fold *f = e->f;
  int64_t most = dim_most(l, e->kept_size[e->n_kept - 1]);
  LArr *acc = lb_array(b, ARR_STACK, f->dtype, most < ROW_BLOCK ? most > 0 ? most : 1 : ROW_BLOCK, "acc");
  LVar *c = lb_for(b, FOR_VECTOR, "c", lo, hi, 1);
  lb_store(b, acc, x_sub(b, x_var(b, c), lo), x_num(b, fold_start(f->op, f->dtype), f->dtype));
  lb_end(b);
  open_red(l, e, 0, e->n_red);
  c = lb_for(b, FOR_VECTOR, "c", lo, hi, 1);
  lb_range(b, c, e->kept_size[e->n_kept - 1]);
  e->kept_loop[e->n_kept - 1] = x_var(b, c);
  LExpr *at = x_sub(b, x_var(b, c), lo), *v = value_of(l, e);
  int cost = x_divisions(v, lb_level(b));
  if (!trial) lb_store(b, acc, at, combine(l, f, x_load(b, acc, at, NULL), v));
  close_red(l, e->n_red + 1);
  if (trial) return cost;
  c = lb_for(b, FOR_VECTOR, "c", lo, hi, 1);
  lb_range(b, c, e->kept_size[e->n_kept - 1]);
  e->kept_loop[e->n_kept - 1] = x_var(b, c);
  finish(l, e, lb_let(b, "result", x_load(b, acc, x_sub(b, x_var(b, c), lo), NULL)));
  lb_end(b);
  return cost;
}

static int emit_fold(Lower *l, const Fold *f, const FoldPlan *p, bool trial) {
  LB *b = l->b;
  FoldEmit e = {.f = f, .p = p};
  e.n_kept = merge_loops(l->dims, &f->kept, p->kept, e.kept_size);
  e.n_red = merge_loops(l->dims, &f->red, p->red, e.red_size);
  int outer = e.n_kept - (f->rows ? 1 : 0);
  Dim size[MAX_AXES + 2]; /* of the parallel loop: chunk, outer kept loops, block */
  int n = 0;
  if (p->chunks > 1) size[n++] = dim_int(l->dims, p->chunks);
  for (int k = 0; k < outer; k++) size[n++] = e.kept_size[k];
  Dim last = e.kept_size[e.n_kept - 1];
  bool blocks = f->rows && dim_most(l, last) > ROW_BLOCK;
  if (blocks) size[n++] = dim_ceil_div(l->dims, last, ROW_BLOCK);
  Dim total = dim_int(l->dims, 1);
  for (int k = 0; k < n; k++) total = dim_mul(l->dims, total, size[k]);
  LVar *item = lb_for(b, FOR_PARALLEL, "item", x_int(b, 0), x_dim(b, total), 1);
  LExpr *at[MAX_AXES + 2];
  axes_split(b, size, n, x_var(b, item), at);
  n = 0;
  e.lo = x_int(b, 0);
  e.hi = x_dim(b, e.red_size[0]);
  if (p->chunks > 1) {
    e.chunk = at[n++];
    LExpr *each = x_dim(b, dim_ceil_div(l->dims, e.red_size[0], p->chunks));
    e.lo = x_min(b, x_mul(b, e.chunk, each), e.hi);
    e.hi = x_min(b, x_add(b, e.lo, each), e.hi);
  }
  for (int k = 0; k < outer; k++) e.kept_loop[k] = at[n++];
  int cost;
  if (!f->rows) cost = fold_one(l, &e, trial);
  else if (!blocks) cost = fold_rows(l, &e, x_int(b, 0), x_dim(b, last), trial);
  else {
    LExpr *lo = x_mul(b, at[n], x_int(b, ROW_BLOCK));
    cost = fold_rows(l, &e, lo, x_min(b, x_add(b, lo, x_int(b, ROW_BLOCK)), x_dim(b, last)), trial);
  }
  lb_end(b);
  return cost;
}

static void choose_merges(Lower *l, const Fold *f, FoldPlan *p) {
  int best = -1, nk = f->kept.n > 1 ? f->kept.n - 1 : 0, nr = f->red.n > 1 ? f->red.n - 1 : 0;
  FoldPlan t = {.chunks = 1};
  for (unsigned cuts = 0; cuts < 1u << (nk + nr) && cuts < 512; cuts++) {
    t.kept.cuts = (cuts & ((1u << nk) - 1)) << 1 | 1;
    t.red.cuts = cuts >> nk << 1 | 1;
    lower_begin(l);
    int cost = 16 * emit_fold(l, f, &t, true) + __builtin_popcount(cuts);
    if (best >= 0 && cost >= best) continue;
    best = cost;
    p->kept = t.kept;
    p->red = t.red;
    if (cost == 0) break;
  }
}

/* How many pieces the folded elements are cut into: a function of the bounds only. */
static int64_t choose_chunks(Lower *l, const Fold *f, const FoldPlan *p) {
  Dim kept[MAX_AXES], red[MAX_AXES];
  int n_kept = merge_loops(l->dims, &f->kept, p->kept, kept), n_red = merge_loops(l->dims, &f->red, p->red, red);
  double items = 1, elements = 1;
  for (int k = 0; k < n_kept - (f->rows ? 1 : 0); k++) items *= (double)dim_most(l, kept[k]);
  for (int k = 0; k < n_red; k++) elements *= (double)dim_most(l, red[k]);
  double last = f->rows ? (double)dim_most(l, kept[n_kept - 1]) : 1;
  if (f->rows) items *= (last + ROW_BLOCK - 1) / ROW_BLOCK;
  if (items >= FEW || elements * last < LONG) return 1;
  int64_t most = dim_most(l, red[0]);
  return most < MAX_CHUNKS ? most > 1 ? most : 1 : MAX_CHUNKS;
}

typedef struct Second {
  const Fold *first;
  int64_t temp;
} Second;
static LExpr *second_value(Lower *l, const Fold *f, const Idx *kept, const Idx *red) {
  const Second *s = f->ctx;
  LArr *w = lower_temp_array(l, s->temp, f->dtype, false);
  LExpr *at = x_mul(l->b, red->i[0], x_dim(l->b, axes_count(l->dims, &f->kept, 0, f->kept.n)));
  return x_load(l->b, w, x_add(l->b, at, axes_linear(l->b, &f->kept, kept)), NULL);
}
static void second_done(Lower *l, const Fold *f, const Idx *kept, LExpr *result) {
  const Second *s = f->ctx;
  s->first->done(l, s->first, kept, result);
}

void lower_fold(Lower *l, const Fold *f) {
  FoldPlan p = {.chunks = 1};
  choose_merges(l, f, &p);
  p.chunks = choose_chunks(l, f, &p);
  if (p.chunks > 1) {
    int64_t count = dim_most(l, axes_count(l->dims, &f->kept, 0, f->kept.n));
    p.temp = lower_temp(l, f->dtype, count * p.chunks);
  }
  lower_begin(l);
  emit_fold(l, f, &p, false);
  lower_end(l, f->name, false);
  if (p.chunks == 1) return;
  Second s = {f, p.temp};
  Fold second = {.op = f->op,
                 .dtype = f->dtype,
                 .kept = f->kept,
                 .rows = f->kept.n > 0,
                 .ctx = &s,
                 .name = "combine",
                 .value = second_value,
                 .done = second_done};
  second.red = (Axes){.n = 1, .size = {dim_int(l->dims, p.chunks)}};
  FoldPlan q = {.chunks = 1};
  choose_merges(l, &second, &q);
  lower_begin(l);
  emit_fold(l, &second, &q, false);
  lower_end(l, second.name, true);
}

/* ---- the REDUCE class ---- */
typedef struct ReduceCtx {
  NodeId operand;
  int n_kept, n_red;
  int kept[MAX_RANK], red[MAX_RANK]; /* axes of the operand */
  DType dtype;
} ReduceCtx;
static LExpr *reduce_value(Lower *l, const Fold *f, const Idx *kept, const Idx *red) {
  const ReduceCtx *c = f->ctx;
  Idx at = {0};
  for (int k = 0; k < c->n_kept; k++) at.i[c->kept[k]] = kept->i[k];
  for (int k = 0; k < c->n_red; k++) at.i[c->red[k]] = red->i[k];
  return x_cast(l->b, value_at(l, c->operand, &at), f->dtype);
}
static void reduce_done(Lower *l, const Fold *f, const Idx *kept, LExpr *result) {
  const ReduceCtx *c = f->ctx;
  store_epilogue(l, &f->kept, kept, x_cast(l->b, result, c->dtype));
}

/* A tensor that the operand is a copy or a part of decides which axis is contiguous; else the last one is. */
static int contiguous_axis(const Lower *l, NodeId id, int rank) {
  const Node *n = graph_node(l->g, id);
  if (rank == 0) return -1;
  if (n->op == OP_transpose && l->buf_of[id] < 0) {
    int64_t perm[MAX_RANK];
    node_ints(l->g, n, A_perm, perm, MAX_RANK);
    for (int k = 0; k < rank; k++)
      if (perm[k] == rank - 1) return k;
  }
  return rank - 1;
}

void lower_reduce(Lower *l) {
  const Node *n = graph_node(l->g, l->group->heavy);
  Type a = graph_type(l->g, n->in[0]);
  DType t = n->type.dtype;
  ReduceCtx c = {.operand = n->in[0], .dtype = t};
  Fold f = {.ctx = &c, .value = reduce_value, .done = reduce_done, .name = op_info[n->op].name};
  f.dtype = t == F16 || t == BF16 ? F32 : t;
  f.op = n->op == OP_sum ? OP_add : n->op == OP_prod ? OP_mul : n->op == OP_reduce_max ? OP_maximum : OP_minimum;
  int64_t axes[MAX_RANK];
  int n_axes = node_ints(l->g, n, A_axes, axes, MAX_RANK);
  for (int k = 0; k < a.rank; k++) {
    bool folded = false;
    for (int j = 0; j < n_axes; j++) folded |= axes[j] == k;
    if (folded) {
      c.red[c.n_red++] = k;
      f.red.size[f.red.n++] = a.shape[k];
    } else {
      c.kept[c.n_kept++] = k;
      f.kept.size[f.kept.n++] = a.shape[k];
    }
  }
  int contiguous = contiguous_axis(l, n->in[0], a.rank);
  /* rows: the contiguous axis is the last kept one and worth a row */
  f.rows = c.n_kept && c.kept[c.n_kept - 1] == contiguous && dim_most(l, a.shape[contiguous]) > 1;
  lower_fold(l, &f);
}
