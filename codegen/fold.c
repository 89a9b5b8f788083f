/* Going through rows: the elements that are folded into one result, once or several times, with running results and
 * with stores of what is there for every element. The order of the operations is fixed by the shapes' bounds alone, so
 * that the result does not depend on the number of threads:
 *   lanes    the contiguous axis is folded: L running results side by side, combined at the end as a tree
 *   columns  the contiguous axis stays: a block of rows side by side, with a result for each
 *   chunks   few rows of many elements: the outermost folded loop is cut into a fixed number of pieces, whose results a
 *            second kernel folds in order */
#include "base/ds.h"
#include "codegen/lower.h"

enum { BLOCK = 512, LEAST_BLOCK = 16, MAX_CHUNKS = 32, FEW = 8, LONG = 16384, NEAR = 16384 };

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

typedef struct RowsPlan {
  Merge kept, red;
  int64_t chunks; /* 1: none */
  int64_t *temp;  /* byte offset of the chunks' results, one per fold */
} RowsPlan;

/* State while one kernel is emitted. */
typedef struct Emit {
  const Rows *r;
  const RowsPlan *p;
  int n_kept, n_red, cost;
  Dim kept_size[MAX_AXES], red_size[MAX_AXES]; /* of the merged loops */
  LExpr *kept_loop[MAX_AXES], *red_loop[MAX_AXES];
  LExpr *chunk;                  /* number of the piece */
  LExpr *lo, *hi;                /* of the first folded loop */
  LExpr *left, *right;           /* columns: of the block */
  bool piece;                    /* inside of a piece */
  LArr **acc;                    /* running results of each fold; columns: also each value of the row */
  int known_folds, known_values; /* columns: what is there already */
} Emit;

static LExpr *combine(Lower *l, const RowFold *f, LExpr *x, LExpr *y) {
  return x_op(l->b, f->op, f->dtype, x, y, NULL);
}
static LExpr *start(Lower *l, const RowFold *f) { return x_num(l->b, fold_start(f->op, f->dtype), f->dtype); }
static Idx kept_index(Lower *l, const Emit *e) {
  Idx at = {0};
  merge_index(l->b, &e->r->kept, e->p->kept, e->kept_loop, &at);
  return at;
}
static Idx red_index(Lower *l, const Emit *e) {
  Idx at = {0};
  merge_index(l->b, &e->r->red, e->p->red, e->red_loop, &at);
  return at;
}

/* Fold i of this row has result v, or row value i - n is v. */
static void know(Lower *l, const Emit *e, int i, LExpr *v) {
  Idx kept = kept_index(l, e);
  e->r->know(l, e->r, i, &kept, v);
}

/* Opens folded loops first .. last-1. */
static void open_red(Lower *l, Emit *e, int first, int last) {
  for (int k = first; k < last; k++) {
    ForMode mode = k == e->n_red - 1 ? FOR_VECTOR : FOR_SERIAL;
    LVar *v = lb_for(l->b, mode, "r", k ? x_int(l->b, 0) : e->lo, k ? x_dim(l->b, e->red_size[k]) : e->hi, 1);
    lb_range(l->b, v, e->red_size[k]);
    e->red_loop[k] = x_var(l->b, v);
  }
}
static void close_loops(Lower *l, int n) {
  while (n-- > 0) lb_end(l->b);
}
/* The loop over the block of columns. In it, every result and value of before can be used. */
static LExpr *open_columns(Lower *l, Emit *e) {
  LB *b = l->b;
  LVar *c = lb_for(b, FOR_VECTOR, "c", e->left, e->right, 1);
  lb_range(b, c, e->kept_size[e->n_kept - 1]);
  e->kept_loop[e->n_kept - 1] = x_var(b, c);
  LExpr *at = x_sub(b, x_var(b, c), e->left);
  for (int i = 0; i < e->known_folds; i++) know(l, e, i, x_load(b, e->acc[i], at, NULL));
  for (int i = 0; i < e->known_values; i++) know(l, e, e->r->n + i, x_load(b, e->acc[e->r->n + i], at, NULL));
  return at;
}

/* One element in one pass: each fold's running result at acc[at], or in a variable, then what `each` stores. */
static void element(Lower *l, Emit *e, int pass, LExpr *at, LVar *const *var) {
  LB *b = l->b;
  const Rows *r = e->r;
  Idx kept = kept_index(l, e), red = red_index(l, e);
  LExpr *column = r->columns || e->piece ? at : NULL;
  for (int i = 0; i < r->n; i++) {
    if (r->fold[i].pass != pass) continue;
    LExpr *v = r->value(l, r, i, &kept, &red, column);
    e->cost += x_divisions(v, lb_level(b) - 1); /* the loop around lanes counts as well */
    if (var) lb_assign(b, var[i], combine(l, &r->fold[i], x_read(b, var[i]), v));
    else lb_store(b, e->acc[i], at, combine(l, &r->fold[i], x_load(b, e->acc[i], at, NULL), v));
  }
  if (r->each) r->each(l, r, pass, &kept, &red, column);
  e->cost += lb_divisions(b);
}

static int folds_in(const Rows *r, int pass) {
  int n = 0;
  for (int i = 0; i < r->n; i++) n += r->fold[i].pass == pass;
  return n;
}

/* A pass over short rows: a variable for each result. */
static void pass_short(Lower *l, Emit *e, int pass) {
  const Rows *r = e->r;
  LVar **var = arena_array(l->arena, LVar *, r->n + 1);
  for (int i = 0; i < r->n; i++)
    if (r->fold[i].pass == pass) var[i] = lb_var(l->b, "acc", start(l, &r->fold[i]));
  open_red(l, e, 0, e->n_red);
  element(l, e, pass, NULL, var);
  close_loops(l, e->n_red);
  for (int i = 0; i < r->n; i++)
    if (r->fold[i].pass == pass) know(l, e, i, lb_let(l->b, "result", x_read(l->b, var[i])));
}

/* In front of `count` elements. */
static void ahead(Lower *l, Emit *e, int pass, int count) {
  if (!e->r->ahead) return;
  Idx kept = kept_index(l, e), red = red_index(l, e);
  e->r->ahead(l, e->r, pass, &kept, &red, count);
}

/* A pass without results, piece after piece. */
static void pass_pieces(Lower *l, Emit *e, int pass) {
  LB *b = l->b;
  const Rows *r = e->r;
  const int last = e->n_red - 1;
  LExpr *n = x_int(b, r->piece);
  open_red(l, e, 0, last);
  LVar *v = lb_for(b, FOR_SERIAL, "r", x_int(b, 0), x_div(b, x_dim(b, e->red_size[last]), n), 1);
  LExpr *begin = x_mul(b, x_var(b, v), n);
  e->red_loop[last] = begin;
  ahead(l, e, pass, (int)r->piece);
  r->piece_begin(l, r);
  LVar *z = lb_for(b, FOR_LINE, "z", x_int(b, 0), n, 1);
  e->red_loop[last] = x_add(b, begin, x_var(b, z));
  e->piece = true;
  element(l, e, pass, x_var(b, z), NULL);
  e->piece = false;
  lb_end(b);
  e->red_loop[last] = begin;
  Idx kept = kept_index(l, e), red = red_index(l, e);
  r->piece_end(l, r, &kept, &red);
  close_loops(l, last + 1);
}

/* A pass with lanes of each result over the last folded loop. */
static void pass_lanes(Lower *l, Emit *e, int pass, int lanes) {
  LB *b = l->b;
  const Rows *r = e->r;
  int last = e->n_red - 1;
  LExpr *zero = x_int(b, 0), *n = x_int(b, lanes);
  for (int i = 0; i < r->n; i++)
    if (r->fold[i].pass == pass) e->acc[i] = lb_array(b, ARR_STACK, r->fold[i].dtype, lanes, "acc");
  LVar *z = lb_for(b, FOR_VECTOR, "z", zero, n, 1);
  for (int i = 0; i < r->n; i++)
    if (r->fold[i].pass == pass) lb_store(b, e->acc[i], x_var(b, z), start(l, &r->fold[i]));
  lb_end(b);
  open_red(l, e, 0, last);
  LExpr *lo = last ? zero : e->lo, *hi = last ? x_dim(b, e->red_size[last]) : e->hi;
  LExpr *count = x_sub(b, hi, lo), *full = x_div(b, count, n), *rest = x_mod(b, count, n);
  LVar *v = lb_for(b, FOR_SERIAL, "r", zero, full, 1);
  LExpr *first = x_mul(b, x_var(b, v), n);
  e->red_loop[last] = x_add(b, lo, first);
  ahead(l, e, pass, lanes);
  z = lb_for(b, FOR_VECTOR, "z", zero, n, 1);
  e->red_loop[last] = x_add(b, lo, x_add(b, first, x_var(b, z)));
  element(l, e, pass, x_var(b, z), NULL);
  close_loops(l, 2);
  int64_t none;
  if (!x_is_int(rest, &none) || none != 0) {
    z = lb_for(b, FOR_SERIAL, "z", zero, rest, 1);
    e->red_loop[last] = x_add(b, lo, x_add(b, x_mul(b, full, n), x_var(b, z)));
    element(l, e, pass, x_var(b, z), NULL);
    lb_end(b);
  }
  close_loops(l, last);
  for (int h = lanes / 2; h; h /= 2) {
    z = lb_for(b, FOR_VECTOR, "z", zero, x_int(b, h), 1);
    LExpr *at = x_var(b, z), *other = x_add(b, at, x_int(b, h));
    for (int i = 0; i < r->n; i++)
      if (r->fold[i].pass == pass)
        lb_store(b, e->acc[i], at,
                 combine(l, &r->fold[i], x_load(b, e->acc[i], at, NULL), x_load(b, e->acc[i], other, NULL)));
    lb_end(b);
  }
  for (int i = 0; i < r->n; i++)
    if (r->fold[i].pass == pass) know(l, e, i, lb_let(b, "result", x_load(b, e->acc[i], zero, NULL)));
}

static void pass_columns(Lower *l, Emit *e, int pass) {
  LB *b = l->b;
  const Rows *r = e->r;
  if (folds_in(r, pass)) {
    LVar *c = lb_for(b, FOR_VECTOR, "c", e->left, e->right, 1);
    LExpr *at = x_sub(b, x_var(b, c), e->left);
    for (int i = 0; i < r->n; i++)
      if (r->fold[i].pass == pass) lb_store(b, e->acc[i], at, start(l, &r->fold[i]));
    lb_end(b);
  }
  open_red(l, e, 0, e->n_red);
  LExpr *at = open_columns(l, e);
  element(l, e, pass, at, NULL);
  close_loops(l, e->n_red + 1);
  while (e->known_folds < r->n && r->fold[e->known_folds].pass == pass) e->known_folds++;
}

/* What was found for a row is kept for its further passes, so that it is computed once. */
static void row_values(Lower *l, Emit *e, int pass) {
  LB *b = l->b;
  const Rows *r = e->r;
  int first = e->known_values, last = first;
  while (last < r->n_values && r->row_value[last].pass == pass) last++;
  if (first == last) return;
  LExpr *at = r->columns ? open_columns(l, e) : NULL;
  Idx kept = kept_index(l, e);
  for (int i = first; i < last; i++) {
    LExpr *v = lb_let(b, NULL, r->found(l, r, i, &kept));
    if (at) lb_store(b, e->acc[r->n + i], at, v);
    know(l, e, r->n + i, v);
  }
  if (at) lb_end(b);
  e->known_values = last;
}

static void finish(Lower *l, Emit *e) {
  LB *b = l->b;
  const Rows *r = e->r;
  if (r->columns) open_columns(l, e);
  Idx kept = kept_index(l, e);
  if (!e->chunk) r->done(l, r, &kept);
  for (int i = 0; e->chunk && i < r->n; i++) {
    LArr *w = lower_temp_array(l, e->p->temp[i], r->fold[i].dtype, true);
    LExpr *at = x_mul(b, e->chunk, x_dim(b, axes_count(l->dims, &r->kept, 0, r->kept.n)));
    lb_store(b, w, x_add(b, at, axes_linear(b, &r->kept, &kept)), r->result(l, r, i));
  }
  if (r->columns) lb_end(b);
}

/* All passes over one row, or over a block of rows side by side. */
static void one_row(Lower *l, Emit *e) {
  const Rows *r = e->r;
  int widest = 1, last = e->n_red - 1;
  for (int i = 0; i < r->n; i++)
    if (dtype_size(r->fold[i].dtype) > widest) widest = dtype_size(r->fold[i].dtype);
  int lanes = 128 / widest;
  while (lanes > FEW && dim_most(l, e->red_size[last]) < 2 * lanes) lanes /= 2;
  bool narrow = dim_most(l, e->red_size[last]) < 2 * lanes;
  e->acc = arena_array(l->arena, LArr *, r->n + r->n_values + 1);
  int64_t most = dim_most(l, e->kept_size[e->n_kept - 1]), block = most < r->block ? most > 0 ? most : 1 : r->block;
  for (int i = 0; r->columns && i < r->n; i++) e->acc[i] = lb_array(l->b, ARR_STACK, r->fold[i].dtype, block, "acc");
  for (int i = 0; r->columns && i < r->n_values; i++)
    e->acc[r->n + i] = lb_array(l->b, ARR_STACK, r->row_value[i].dtype, block, "each");
  row_values(l, e, -1);
  for (int pass = 0; pass < r->passes; pass++) {
    if (r->columns) pass_columns(l, e, pass);
    else if (r->piece && pass == r->passes - 1 && !folds_in(r, pass)) pass_pieces(l, e, pass);
    else if (narrow || !folds_in(r, pass)) pass_short(l, e, pass);
    else pass_lanes(l, e, pass, lanes);
    row_values(l, e, pass);
  }
  finish(l, e);
}

/* How many elements the first folded loop has. Where all of an array is folded into one result this is a parameter, so
 * that equal kernels of other sizes are one; not for so few that the lanes depend on it. */
static LExpr *red_count(Lower *l, const Emit *e, bool *sized) {
  const Rows *r = e->r;
  Dim size = e->red_size[0];
  *sized = !r->columns && !r->kept.n && e->n_red == 1 && r->passes == 1 && dim_most(l, size) >= 256;
  return *sized ? x_param(l->b, (KSize){.kind = KARG_SIZE, .dim = size}) : x_dim(l->b, size);
}

/* Returns the divisions in inner loops. */
static int emit_rows(Lower *l, const Rows *r, const RowsPlan *p) {
  LB *b = l->b;
  Emit e = {.r = r, .p = p};
  e.n_kept = merge_loops(l->dims, &r->kept, p->kept, e.kept_size);
  e.n_red = merge_loops(l->dims, &r->red, p->red, e.red_size);
  int outer = e.n_kept - (r->columns ? 1 : 0);
  Dim size[MAX_AXES + 2]; /* of the parallel loop: chunk, outer kept loops, block */
  int n = 0;
  if (p->chunks > 1) size[n++] = dim_int(l->dims, p->chunks);
  for (int k = 0; k < outer; k++) size[n++] = e.kept_size[k];
  Dim last = e.kept_size[e.n_kept - 1];
  bool blocks = r->columns && dim_most(l, last) > r->block;
  if (blocks) size[n++] = dim_ceil_div(l->dims, last, r->block);
  Dim total = dim_int(l->dims, 1);
  for (int k = 0; k < n; k++) total = dim_mul(l->dims, total, size[k]);
  LVar *item = lb_for(b, FOR_PARALLEL, "item", x_int(b, 0), x_dim(b, total), 1);
  LExpr *at[MAX_AXES + 2];
  axes_split(b, size, n, x_var(b, item), at);
  n = 0;
  e.lo = x_int(b, 0);
  bool sized;
  e.hi = red_count(l, &e, &sized);
  if (p->chunks > 1) {
    e.chunk = at[n++];
    LExpr *each = sized ? x_div(b, x_add(b, e.hi, x_int(b, p->chunks - 1)), x_int(b, p->chunks))
                        : x_dim(b, dim_ceil_div(l->dims, e.red_size[0], p->chunks));
    e.lo = x_min(b, x_mul(b, e.chunk, each), e.hi);
    e.hi = x_min(b, x_add(b, e.lo, each), e.hi);
  }
  for (int k = 0; k < outer; k++) e.kept_loop[k] = at[n++];
  e.left = blocks ? x_mul(b, at[n], x_int(b, r->block)) : x_int(b, 0);
  e.right = blocks ? x_min(b, x_add(b, e.left, x_int(b, r->block)), x_dim(b, last)) : x_dim(b, last);
  one_row(l, &e);
  lb_end(b);
  if (r->end) r->end(l, r);
  return e.cost;
}

static void choose_merges(Lower *l, const Rows *r, RowsPlan *p) {
  int best = -1, nk = r->kept.n > 1 ? r->kept.n - 1 : 0, nr = r->red.n > 1 ? r->red.n - 1 : 0;
  RowsPlan t = {.chunks = 1};
  for (unsigned cuts = 0; cuts < 1u << (nk + nr) && cuts < 512; cuts++) {
    t.kept.cuts = (cuts & ((1u << nk) - 1)) << 1 | 1;
    t.red.cuts = cuts >> nk << 1 | 1;
    lower_begin(l);
    int cost = 16 * emit_rows(l, r, &t) + __builtin_popcount(cuts);
    if (best >= 0 && cost >= best) continue;
    best = cost;
    p->kept = t.kept;
    p->red = t.red;
    if (cost == 0) break;
  }
}

/* How many rows stand side by side: fewer where they are gone through again and should lie in the cache. */
int64_t rows_block(Lower *l, const Rows *r) {
  int64_t block = BLOCK, row = dim_most(l, axes_count(l->dims, &r->red, 0, r->red.n));
  while (r->passes > 1 && block > LEAST_BLOCK && (double)block * (double)row > NEAR) block /= 2;
  return block;
}

/* How many pieces the folded elements are cut into: a function of the bounds only. */
static int64_t choose_chunks(Lower *l, const Rows *r, const RowsPlan *p) {
  Dim kept[MAX_AXES], red[MAX_AXES];
  int n_kept = merge_loops(l->dims, &r->kept, p->kept, kept), n_red = merge_loops(l->dims, &r->red, p->red, red);
  double items = 1, elements = 1;
  for (int k = 0; k < n_kept - (r->columns ? 1 : 0); k++) items *= (double)dim_most(l, kept[k]);
  for (int k = 0; k < n_red; k++) elements *= (double)dim_most(l, red[k]);
  double last = r->columns ? (double)dim_most(l, kept[n_kept - 1]) : 1;
  if (r->columns) items *= (last + BLOCK - 1) / BLOCK;
  if (r->passes > 1 || items >= FEW || elements * last < LONG || l->group->solo) return 1;
  int64_t most = dim_most(l, red[0]);
  return most < MAX_CHUNKS ? most > 1 ? most : 1 : MAX_CHUNKS;
}

/* The second kernel: folds the chunks' results. */
typedef struct Second {
  const Rows *first;
  const int64_t *temp;
} Second;
static LExpr *second_value(Lower *l, const Rows *r, int fold, const Idx *kept, const Idx *red, LExpr *column) {
  (void)column;
  const Second *s = r->ctx;
  LArr *w = lower_temp_array(l, s->temp[fold], r->fold[fold].dtype, false);
  LExpr *at = x_mul(l->b, red->i[0], x_dim(l->b, axes_count(l->dims, &r->kept, 0, r->kept.n)));
  return x_load(l->b, w, x_add(l->b, at, axes_linear(l->b, &r->kept, kept)), NULL);
}
static void second_know(Lower *l, const Rows *r, int i, const Idx *kept, LExpr *v) {
  const Second *s = r->ctx;
  s->first->know(l, s->first, i, kept, v);
}
static void second_done(Lower *l, const Rows *r, const Idx *kept) {
  const Second *s = r->ctx;
  s->first->done(l, s->first, kept);
}

void lower_rows(Lower *l, Rows *r) {
  RowsPlan p = {.chunks = 1};
  r->block = rows_block(l, r);
  choose_merges(l, r, &p);
  p.chunks = choose_chunks(l, r, &p);
  if (p.chunks > 1) {
    int64_t count = dim_most(l, axes_count(l->dims, &r->kept, 0, r->kept.n));
    p.temp = arena_array(l->arena, int64_t, r->n + 1);
    for (int i = 0; i < r->n; i++) p.temp[i] = lower_temp(l, r->fold[i].dtype, count * p.chunks);
  }
  lower_begin(l);
  emit_rows(l, r, &p);
  lower_end(l, r->name, false);
  if (p.chunks == 1) return;
  Second s = {r, p.temp};
  Rows second = *r;
  second.columns = r->kept.n > 0;
  second.red = (Axes){.n = 1, .size = {dim_int(l->dims, p.chunks)}};
  second.ctx = &s;
  second.name = "combine";
  second.block = BLOCK;
  second.n_values = 0;
  second.value = second_value;
  second.each = NULL;
  second.know = second_know;
  second.done = second_done;
  second.end = NULL;
  RowsPlan q = {.chunks = 1};
  choose_merges(l, &second, &q);
  lower_begin(l);
  emit_rows(l, &second, &q);
  lower_end(l, second.name, true);
}

/* ---- one result per row, nothing else ---- */
typedef struct Single {
  const Fold *f;
  LExpr *result;
} Single;
static LExpr *single_value(Lower *l, const Rows *r, int fold, const Idx *kept, const Idx *red, LExpr *column) {
  (void)fold, (void)column;
  const Single *s = r->ctx;
  return s->f->value(l, s->f, kept, red);
}
static void single_know(Lower *l, const Rows *r, int i, const Idx *kept, LExpr *v) {
  (void)l, (void)i, (void)kept;
  ((Single *)r->ctx)->result = v;
}
static LExpr *single_result(Lower *l, const Rows *r, int i) {
  (void)l, (void)i;
  return ((const Single *)r->ctx)->result;
}
static void single_done(Lower *l, const Rows *r, const Idx *kept) {
  const Single *s = r->ctx;
  s->f->done(l, s->f, kept, s->result);
}
void lower_fold(Lower *l, const Fold *f) {
  Single s = {.f = f};
  RowFold fold = {.op = f->op, .dtype = f->dtype};
  Rows r = {.kept = f->kept,
            .red = f->red,
            .columns = f->rows,
            .passes = 1,
            .n = 1,
            .fold = &fold,
            .value = single_value,
            .know = single_know,
            .result = single_result,
            .done = single_done,
            .ctx = &s,
            .name = f->name};
  lower_rows(l, &r);
}
