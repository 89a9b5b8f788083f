/* Tiling of products, after Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008):
 *
 *   pack     A into panels of mr rows, once, by all threads                                workspace
 *   for each block of the result (mc x nc), spread over the threads:
 *     for each block of K (kc), each nr columns: pack that panel of B; register tiles add up   scratch
 *     epilogue: the block goes through the nodes behind the product into the outs
 *
 * The operands are expressions at an index, so packing is where views, borders and element-wise operands are computed:
 * a convolution is a product whose B is read through the image. Columns at the edge repeat the last one and are
 * dropped; rows at the edge are zero. Where blocks are too few, K is cut into `splits` pieces, summed in order at the
 * end. */
#include "base/ds.h"
#include "codegen/lower.h"

static int64_t up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }

bool tile_choose(Lower *l, const Product *p, Tile *t) {
  static const int wide[][2] = {{14, 2}, {8, 3}, {6, 4}}, narrow[][2] = {{6, 2}, {4, 3}};
  DimTab *d = l->dims;
  const Target *cpu = l->target;
  int64_t M = dim_most(l, axes_count(d, &p->m, 0, p->m.n)), N = dim_most(l, axes_count(d, &p->n, 0, p->n.n));
  int64_t K = dim_most(l, axes_count(d, &p->k, 0, p->k.n)), B = dim_most(l, axes_count(d, &p->b, 0, p->b.n));
  int size = dtype_size(p->dtype);
  t->lanes = cpu->vector_bytes > size ? cpu->vector_bytes / size : 1;
  int n = t->lanes == 1 ? 1 : cpu->registers >= 32 ? 3 : 2;
  double best = 0;
  for (int i = 0; i < n; i++) {
    int mr = t->lanes == 1 ? 4 : n == 3 ? wide[i][0] : narrow[i][0];
    int nr = t->lanes == 1 ? 4 : t->lanes * (n == 3 ? wide[i][1] : narrow[i][1]);
    double area = (double)up(M, mr) * (double)up(N, nr) * (i ? 1.02 : 1); /* the first is the fastest */
    if (i && area >= best) continue;
    best = area;
    t->mr = mr;
    t->nr = nr;
  }
  double useful = (double)M * (double)N;
  if (M < 3 || N < 3 || useful * (double)K < 4096 || best > 8 * useful) return false;
  t->kc = min64(K, 256);
  t->mc = min64(up(M, t->mr), 128 / t->mr * t->mr);
  t->nc = min64(up(N, t->nr), 384 / t->nr * t->nr);
  t->splits = 1;
  int64_t blocks = B * ((M + t->mc - 1) / t->mc);
  for (;;) {
    int64_t items = blocks * ((N + t->nc - 1) / t->nc) * t->splits;
    if (items >= 16) break;
    if (K / (2 * t->splits) >= 2048) t->splits *= 2;
    else if (t->nc >= 4 * t->nr) t->nc = up(t->nc / 2, t->nr);
    else if (K / (2 * t->splits) >= 512 && t->splits < 16) t->splits *= 2;
    else if (t->nc > t->nr) t->nc = up(t->nc / 2, t->nr);
    else break;
  }
  return true;
}

/* ---- state of one product ---- */
typedef struct Tiled {
  const Product *p;
  const Tile *t;
  Dim M, N, K, B, panels; /* panels of A */
  int64_t a_temp, sum_temp;
} Tiled;

/* ---- packing A ---- */
static void pack_panel(Lower *l, const Tiled *s, LArr *w, LExpr *to, LExpr *row, const Idx *b, const Idx *k,
                       LExpr *count) {
  LB *x = l->b;
  LVar *i = lb_for(x, FOR_VECTOR, "i", x_int(x, 0), count, 1);
  Idx m = {0};
  axes_split(x, s->p->m.size, s->p->m.n, x_add(x, row, x_var(x, i)), m.i);
  lb_store(x, w, x_add(x, to, x_var(x, i)), s->p->a(l, s->p, b, &m, k));
  lb_end(x);
}

static void pack_a(Lower *l, const Tiled *s) {
  enum { K_PART = 256 };
  const Product *p = s->p;
  int mr = s->t->mr;
  lower_begin(l);
  LB *x = l->b;
  LArr *w = lower_temp_array(l, s->a_temp, p->dtype, true);
  /* pieces: batch, panel, and the outermost axis of K or a part of its only one */
  bool parts = p->k.n == 1;
  Dim first = p->k.n == 0 ? dim_int(l->dims, 1) : parts ? dim_ceil_div(l->dims, p->k.size[0], K_PART) : p->k.size[0];
  Axes items = {.n = 3, .size = {s->B, s->panels, first}};
  Idx at = {0}, b = {0}, k = {0};
  open_items(l, &items, &at);
  axes_split(x, p->b.size, p->b.n, at.i[0], b.i);
  LExpr *row = x_mul(x, at.i[1], x_int(x, mr));
  int opened = 0;
  if (parts) {
    LExpr *lo = x_mul(x, at.i[2], x_int(x, K_PART));
    LVar *v = lb_for(x, FOR_SERIAL, "k", lo, x_min(x, x_add(x, lo, x_int(x, K_PART)), x_dim(x, p->k.size[0])), 1);
    lb_range(x, v, p->k.size[0]);
    k.i[0] = x_var(x, v);
    opened++;
  } else if (p->k.n) {
    k.i[0] = at.i[2];
    for (int i = 1; i < p->k.n; i++, opened++)
      k.i[i] = x_var(x, lb_for(x, FOR_SERIAL, "k", x_int(x, 0), x_dim(x, p->k.size[i]), 1));
  }
  LExpr *panel = x_add(x, x_mul(x, at.i[0], x_dim(x, s->panels)), at.i[1]);
  LExpr *kk = axes_linear(x, &p->k, &k);
  LExpr *to = x_mul(x, x_add(x, x_mul(x, panel, x_dim(x, s->K)), kk), x_int(x, mr));
  if (dim_is(l->dims, dim_mod(l->dims, s->M, dim_int(l->dims, mr)), 0)) {
    pack_panel(l, s, w, to, row, &b, &k, x_int(x, mr));
  } else {
    LExpr *full = x_ge(x, x_dim(x, s->M), x_add(x, row, x_int(x, mr)));
    bool never = full->kind == X_NUM;
    if (!never) {
      lb_if(x, full);
      pack_panel(l, s, w, to, row, &b, &k, x_int(x, mr));
      lb_else(x);
    }
    LExpr *count = x_sub(x, x_dim(x, s->M), row);
    pack_panel(l, s, w, to, row, &b, &k, count);
    LVar *i = lb_for(x, FOR_SERIAL, "i", count, x_int(x, mr), 1);
    lb_store(x, w, x_add(x, to, x_var(x, i)), x_num(x, 0, p->dtype));
    close_nest(l, never ? 1 : 2);
  }
  close_nest(l, opened + 1);
  lower_end(l, "pack", false);
}

/* ---- packing B ---- */
typedef struct Columns { /* how the columns of a block are addressed */
  LArr *src;             /* not NULL: element (k, j) is src[far(k) + table[0][j]] */
  LArr *table[MAX_AXES]; /* else: the n axes' indices of column j */
  LVar *coord[MAX_AXES]; /* stand for the n axes' indices in expressions */
  int n_tables;
  LExpr *near;
} Columns;

/* Fills the tables of the block's columns j0 .. j0 + nc; beyond N the last column is repeated. */
static void column_tables(Lower *l, const Tiled *s, const Idx *b, LExpr *j0, Columns *c) {
  LB *x = l->b;
  const Product *p = s->p;
  Idx n = {0}, k = {0};
  LVar *k_var[MAX_AXES];
  for (int i = 0; i < p->n.n; i++) {
    c->coord[i] = arena_one(l->arena, LVar);
    *c->coord[i] = (LVar){.name = "n", .dtype = I64, .lanes = 1, .level = 1000};
    lb_range(x, c->coord[i], p->n.size[i]);
    n.i[i] = dim_is(l->dims, p->n.size[i], 1) ? x_int(x, 0) : x_var(x, c->coord[i]);
  }
  for (int i = 0; i < p->k.n; i++) {
    k_var[i] = arena_one(l->arena, LVar);
    *k_var[i] = (LVar){.name = "k", .dtype = I64, .lanes = 1, .level = 1000};
    lb_range(x, k_var[i], p->k.size[i]);
    k.i[i] = x_var(x, k_var[i]);
  }
  LExpr *v = p->bv(l, p, b, &n, &k), *far;
  if (v->kind == X_LOAD && !v->in[1] && x_separate(x, v->in[0], c->coord, p->n.n, &c->near, &far)) {
    c->src = v->arr;
    c->n_tables = 1;
  } else c->n_tables = p->n.n;
  for (int i = 0; i < c->n_tables; i++) c->table[i] = lb_array(x, ARR_SCRATCH, I64, s->t->nc, "column");
  for (int i = 0; i < c->n_tables; i++) c->table[i]->written = true;
  LVar *j = lb_for(x, FOR_SERIAL, "j", x_int(x, 0), x_int(x, s->t->nc), 1);
  LExpr *col = x_min(x, x_add(x, j0, x_var(x, j)), x_sub(x, x_dim(x, s->N), x_int(x, 1))), *at[MAX_AXES];
  axes_split(x, p->n.size, p->n.n, lb_let(x, "at", col), at);
  if (c->src) lb_store(x, c->table[0], x_var(x, j), x_subst(x, c->near, c->coord, at, p->n.n));
  else
    for (int i = 0; i < p->n.n; i++) lb_store(x, c->table[i], x_var(x, j), at[i]);
  lb_end(x);
}

/* One panel of B and where it comes from. */
typedef struct Panel {
  const Idx *b;
  const Columns *c;
  LArr *bp;
  LExpr *j0, *jp, *k0, *kc;
} Panel;

/* Opens the loop over the panel's rows k0 .. k0 + kc of K: their indices, and the row's begin in bp. */
static LExpr *open_rows(Lower *l, const Tiled *s, const Panel *q, Idx *k) {
  LB *x = l->b;
  LVar *r = lb_for(x, FOR_SERIAL, "k", x_int(x, 0), q->kc, 1);
  LExpr *kk = x_add(x, q->k0, x_var(x, r));
  if (s->p->k.n == 1) k->i[0] = kk;
  else axes_split(x, s->p->k.size, s->p->k.n, kk, k->i);
  return x_mul(x, x_var(x, r), x_int(x, s->t->nr));
}
/* The part of the address in c->src that the row alone decides. */
static LExpr *row_address(Lower *l, const Tiled *s, const Panel *q, const Idx *k) {
  const Product *p = s->p;
  Idx n = {0};
  for (int i = 0; i < p->n.n; i++) n.i[i] = x_int(l->b, 0);
  LExpr *v = p->bv(l, p, q->b, &n, k);
  return x_sub(l->b, v->in[0], x_subst(l->b, q->c->near, q->c->coord, n.i, p->n.n));
}
static LExpr *panel_column(Lower *l, const Tiled *s, const Panel *q, LExpr *j) {
  return x_add(l->b, x_mul(l->b, q->jp, x_int(l->b, s->t->nr)), j);
}

/* The columns are the last index itself: nothing to look up. */
static void pack_direct(Lower *l, const Tiled *s, const Panel *q) {
  LB *x = l->b;
  const Product *p = s->p;
  int nr = s->t->nr;
  Idx k = {0}, n = {0};
  LExpr *to = open_rows(l, s, q, &k), *last = x_sub(x, x_dim(x, s->N), x_int(x, 1));
  LExpr *full = x_ge(x, x_dim(x, s->N), x_add(x, x_add(x, q->j0, x_mul(x, q->jp, x_int(x, nr))), x_int(x, nr)));
  bool whole = dim_is(l->dims, dim_mod(l->dims, s->N, dim_int(l->dims, nr)), 0);
  if (!whole) lb_if(x, full);
  for (int pass = 0; pass < (whole ? 1 : 2); pass++) {
    if (pass == 1) lb_else(x);
    LVar *j = lb_for(x, FOR_VECTOR, "j", x_int(x, 0), x_int(x, nr), 1);
    n.i[0] = x_add(x, q->j0, panel_column(l, s, q, x_var(x, j)));
    if (pass == 1) n.i[0] = x_min(x, n.i[0], last);
    lb_store(x, q->bp, x_add(x, to, x_var(x, j)), p->bv(l, p, q->b, &n, &k));
    lb_end(x);
  }
  close_nest(l, whole ? 1 : 2);
}

/* Each column's address or indices stand in tables. */
static void pack_gather(Lower *l, const Tiled *s, const Panel *q) {
  LB *x = l->b;
  const Product *p = s->p;
  Idx k = {0}, n = {0};
  LExpr *to = open_rows(l, s, q, &k), *far = q->c->src ? row_address(l, s, q, &k) : NULL, *v;
  LVar *j = lb_for(x, FOR_VECTOR, "j", x_int(x, 0), x_int(x, s->t->nr), 1);
  LExpr *column = panel_column(l, s, q, x_var(x, j));
  if (far) {
    v = x_load(x, q->c->src, x_add(x, x_load(x, q->c->table[0], column, NULL), far), NULL);
  } else {
    for (int i = 0; i < p->n.n; i++) n.i[i] = x_load(x, q->c->table[i], column, NULL);
    v = p->bv(l, p, q->b, &n, &k);
  }
  lb_store(x, q->bp, x_add(x, to, x_var(x, j)), v);
  close_nest(l, 2);
}

/* Columns of neighbouring addresses form runs, which are copied by vectors. A vector may reach beyond its run: what it
 * writes too much is written again by the next run, row or panel, or lies in the slack at the end. */
static void pack_runs(Lower *l, const Tiled *s, const Panel *q) {
  LB *x = l->b;
  int nr = s->t->nr, lanes = s->t->lanes;
  LArr *begin = lb_array(x, ARR_SCRATCH, I64, nr + 1, "begin"), *from = lb_array(x, ARR_SCRATCH, I64, nr, "from");
  begin->written = from->written = true;
  LVar *runs = lb_var(x, "runs", x_int(x, 0));
  LExpr *j = x_var(x, lb_for(x, FOR_SERIAL, "j", x_int(x, 0), x_int(x, nr), 1)), *column = panel_column(l, s, q, j);
  LExpr *here = lb_let(x, "here", x_load(x, q->c->table[0], column, NULL));
  LExpr *before = x_load(x, q->c->table[0], x_max(x, x_sub(x, column, x_int(x, 1)), x_int(x, 0)), NULL);
  LExpr *follows = x_op(x, OP_eq, BOOL, here, x_add(x, before, x_int(x, 1)), NULL);
  lb_if(x, x_op(x, OP_or, BOOL, x_eq(x, j, x_int(x, 0)), x_op(x, OP_not, BOOL, follows, NULL, NULL), NULL));
  lb_store(x, begin, x_read(x, runs), j);
  lb_store(x, from, x_read(x, runs), here);
  lb_assign(x, runs, x_add(x, x_read(x, runs), x_int(x, 1)));
  lb_end(x);
  lb_end(x);
  lb_store(x, begin, x_read(x, runs), x_int(x, nr));
  lb_if(x, x_ge(x, x_int(x, nr / 4), x_read(x, runs)));
  Idx k = {0};
  LExpr *to = open_rows(l, s, q, &k), *far = row_address(l, s, q, &k);
  LExpr *r = x_var(x, lb_for(x, FOR_SERIAL, "r", x_int(x, 0), x_read(x, runs), 1));
  LExpr *lo = lb_let(x, "lo", x_load(x, begin, r, NULL)),
        *hi = lb_let(x, "hi", x_load(x, begin, x_add(x, r, x_int(x, 1)), NULL));
  LExpr *src = lb_let(x, "src", x_sub(x, x_add(x, x_load(x, from, r, NULL), far), lo));
  LExpr *v = x_var(x, lb_for(x, FOR_SERIAL, "v", lo, hi, lanes));
  lb_store(x, q->bp, x_add(x, to, v), x_vload(x, q->c->src, x_add(x, src, v), lanes));
  close_nest(l, 3);
  lb_else(x);
  pack_gather(l, s, q);
  lb_end(x);
}

static void pack_b(Lower *l, const Tiled *s, const Panel *q) {
  if (s->p->n.n == 1) pack_direct(l, s, q);
  else if (q->c->src && s->p->slack && s->t->lanes > 1) pack_runs(l, s, q);
  else pack_gather(l, s, q);
}

/* ---- the epilogue: block cb[rows, nc] at (i0, j0) ---- */
static void store_sum(Lower *l, const Tiled *s, const Idx *b, const Idx *m, const Idx *n, LExpr *split, LExpr *sum) {
  const Product *p = s->p;
  if (s->t->splits == 1) {
    p->done(l, p, b, m, n, sum);
    return;
  }
  LB *x = l->b;
  LExpr *at = x_add(x, x_mul(x, split, x_dim(x, s->B)), axes_linear(x, &p->b, b));
  at = x_add(x, x_mul(x, at, x_dim(x, s->M)), axes_linear(x, &p->m, m));
  at = x_add(x, x_mul(x, at, x_dim(x, s->N)), axes_linear(x, &p->n, n));
  lb_store(x, lower_temp_array(l, s->sum_temp, p->dtype, true), at, sum);
}

/* The columns j0 .. j1 as loops: the last `inner` axes of n are one loop, those before it another. Returns the
 * divisions in the inner loop. */
static int epilogue(Lower *l, const Tiled *s, int inner, const Idx *b, LArr *cb, LExpr *i0, LExpr *rows, LExpr *j0,
                    LExpr *j1, LExpr *split) {
  LB *x = l->b;
  const Product *p = s->p;
  LVar *i = lb_for(x, FOR_SERIAL, "i", x_int(x, 0), rows, 1);
  Idx m = {0}, n = {0};
  axes_split(x, p->m.size, p->m.n, x_add(x, i0, x_var(x, i)), m.i);
  int outer = p->n.n - inner;
  Dim P = axes_count(l->dims, &p->n, outer, p->n.n);
  LExpr *line = x_mul(x, x_var(x, i), x_int(x, s->t->nc)), *at;
  LVar *j;
  if (outer == 0) {
    j = lb_for(x, FOR_VECTOR, "j", j0, j1, 1);
    lb_range(x, j, P);
    at = x_sub(x, x_var(x, j), j0);
    axes_split(x, p->n.size, p->n.n, x_var(x, j), n.i);
  } else {
    LExpr *size = x_dim(x, P);
    LExpr *last = x_add(x, x_div(x, x_sub(x, j1, x_int(x, 1)), size), x_int(x, 1));
    LVar *o = lb_for(x, FOR_SERIAL, "o", x_div(x, j0, size), last, 1);
    lb_range(x, o, axes_count(l->dims, &p->n, 0, outer));
    LExpr *begin = x_mul(x, x_var(x, o), size);
    j = lb_for(x, FOR_VECTOR, "j", x_max(x, x_sub(x, j0, begin), x_int(x, 0)), x_min(x, x_sub(x, j1, begin), size), 1);
    lb_range(x, j, P);
    at = x_add(x, x_sub(x, begin, j0), x_var(x, j));
    axes_split(x, p->n.size, outer, x_var(x, o), n.i);
    axes_split(x, p->n.size + outer, inner, x_var(x, j), n.i + outer);
  }
  store_sum(l, s, b, &m, &n, split, x_load(x, cb, x_add(x, line, at), NULL));
  int cost = lb_divisions(x);
  close_nest(l, outer ? 3 : 2);
  return cost;
}

/* How many of the last n axes can be one loop without divisions. */
static int choose_inner(Lower *l, const Tiled *s) {
  int best = 1, best_cost = -1;
  for (int inner = s->p->n.n; inner >= 1; inner--) {
    lower_begin(l);
    LB *x = l->b;
    LArr *cb = lb_array(x, ARR_SCRATCH, s->p->dtype, 1, "c");
    Idx b = {0};
    LVar *v[5];
    LExpr *e[5];
    for (int k = 0; k < 5; k++) {
      v[k] = lb_for(x, FOR_SERIAL, "v", x_int(x, 0), x_int(x, 1 << 30), 1);
      e[k] = x_var(x, v[k]);
    }
    for (int k = 0; k < s->p->b.n; k++) b.i[k] = e[4];
    int cost = epilogue(l, s, inner, &b, cb, e[0], e[1], e[2], e[3], e[4]);
    if (best_cost >= 0 && cost >= best_cost) continue;
    best = inner;
    best_cost = cost;
    if (cost == 0) break;
  }
  return best;
}

/* ---- blocks ---- */
static void tile_calls(Lower *l, const Tiled *s, const Kernel *micro, LArr *a, LArr *bp, LArr *cb, LExpr *batch,
                       LExpr *ip0, LExpr *row_panels, LExpr *jp, LExpr *k0, LExpr *kc, LExpr *more) {
  LB *x = l->b;
  const Tile *t = s->t;
  LVar *ip = lb_for(x, FOR_SERIAL, "ip", x_int(x, 0), row_panels, 1);
  LExpr *panel = x_add(x, x_mul(x, batch, x_dim(x, s->panels)), x_add(x, ip0, x_var(x, ip)));
  CallArg args[] = {
      {.arr = a, .x = x_mul(x, x_add(x, x_mul(x, panel, x_dim(x, s->K)), k0), x_int(x, t->mr))},
      {.arr = bp, .x = x_int(x, 0)},
      {.arr = cb, .x = x_add(x, x_mul(x, x_var(x, ip), x_int(x, t->mr * t->nc)), x_mul(x, jp, x_int(x, t->nr)))},
      {.x = kc},
      {.x = x_int(x, 1)},
      {.x = x_int(x, t->mr)},
      {.x = x_int(x, t->nr)},
      {.x = x_int(x, t->nc)},
      {.x = more}};
  lb_call(x, micro, args, 9);
  lb_end(x);
}

static void blocks(Lower *l, const Tiled *s, int inner) {
  const Product *p = s->p;
  const Tile *t = s->t;
  const Kernel *micro = micro_kernel(l->table, l->arena, l->dims, p->dtype, t->mr, t->nr, t->lanes);
  lower_begin(l);
  LB *x = l->b;
  LArr *a = lower_temp_array(l, s->a_temp, p->dtype, false);
  LArr *bp = lb_array(x, ARR_SCRATCH, p->dtype, t->kc * t->nr + 64, "bp");
  LArr *cb = lb_array(x, ARR_SCRATCH, p->dtype, t->mc * t->nc, "cb");
  bp->written = cb->written = true;
  Dim m_blocks = dim_ceil_div(l->dims, s->M, t->mc), n_blocks = dim_ceil_div(l->dims, s->N, t->nc);
  Axes items = {.n = 4, .size = {dim_int(l->dims, t->splits), s->B, n_blocks, m_blocks}};
  Idx at = {0}, b = {0};
  open_items(l, &items, &at);
  axes_split(x, p->b.size, p->b.n, at.i[1], b.i);
  LExpr *i0 = x_mul(x, at.i[3], x_int(x, t->mc)), *j0 = x_mul(x, at.i[2], x_int(x, t->nc));
  LExpr *rows = lb_let(x, "rows", x_min(x, x_sub(x, x_dim(x, s->M), i0), x_int(x, t->mc)));
  LExpr *cols = lb_let(x, "cols", x_min(x, x_sub(x, x_dim(x, s->N), j0), x_int(x, t->nc)));
  LExpr *row_panels = x_div(x, x_add(x, rows, x_int(x, t->mr - 1)), x_int(x, t->mr));
  LExpr *col_panels = x_div(x, x_add(x, cols, x_int(x, t->nr - 1)), x_int(x, t->nr));
  Columns c = {0};
  if (p->n.n > 1) column_tables(l, s, &b, j0, &c);
  LExpr *lo = x_int(x, 0), *hi = x_dim(x, s->K);
  if (t->splits > 1) {
    Dim each =
        dim_mul(l->dims, dim_ceil_div(l->dims, dim_ceil_div(l->dims, s->K, t->splits), t->kc), dim_int(l->dims, t->kc));
    lo = lb_let(x, "lo", x_min(x, x_mul(x, at.i[0], x_dim(x, each)), hi));
    hi = lb_let(x, "hi", x_min(x, x_add(x, lo, x_dim(x, each)), hi));
    /* a piece without work still has a sum */
    lb_if(x, x_ge(x, lo, hi));
    LVar *z = lb_for(x, FOR_VECTOR, "z", x_int(x, 0), x_mul(x, rows, x_int(x, t->nc)), 1);
    lb_store(x, cb, x_var(x, z), x_num(x, 0, p->dtype));
    close_nest(l, 2);
  } else if (dim_lower(l->dims, s->K) < 1) {
    lb_if(x, x_eq(x, hi, x_int(x, 0)));
    LVar *z = lb_for(x, FOR_VECTOR, "z", x_int(x, 0), x_mul(x, rows, x_int(x, t->nc)), 1);
    lb_store(x, cb, x_var(x, z), x_num(x, 0, p->dtype));
    close_nest(l, 2);
  }
  LExpr *k0 = x_var(x, lb_for(x, FOR_SERIAL, "k0", lo, hi, t->kc));
  LExpr *kc = lb_let(x, "kc", x_min(x, x_sub(x, hi, k0), x_int(x, t->kc)));
  LExpr *jp = x_var(x, lb_for(x, FOR_SERIAL, "jp", x_int(x, 0), col_panels, 1));
  Panel q = {&b, &c, bp, j0, jp, k0, kc};
  pack_b(l, s, &q);
  LExpr *more = x_lt(x, lo, k0);
  tile_calls(l, s, micro, a, bp, cb, at.i[1], x_mul(x, at.i[3], x_int(x, t->mc / t->mr)), row_panels, jp, k0, kc, more);
  close_nest(l, 2);
  epilogue(l, s, inner, &b, cb, i0, rows, j0, lb_let(x, "j1", x_add(x, j0, cols)), at.i[0]);
  lb_end(x);
  lower_end(l, p->name, true);
}

/* ---- the sum of the pieces ---- */
static LExpr *piece_value(Lower *l, const Fold *f, const Idx *kept, const Idx *red) {
  const Tiled *s = f->ctx;
  LExpr *at = x_mul(l->b, red->i[0], x_dim(l->b, axes_count(l->dims, &f->kept, 0, f->kept.n)));
  LArr *w = lower_temp_array(l, s->sum_temp, f->dtype, false);
  return x_load(l->b, w, x_add(l->b, at, axes_linear(l->b, &f->kept, kept)), NULL);
}
static void piece_done(Lower *l, const Fold *f, const Idx *kept, LExpr *result) {
  const Product *p = ((const Tiled *)f->ctx)->p;
  Idx b = {0}, m = {0}, n = {0};
  for (int i = 0; i < p->b.n; i++) b.i[i] = kept->i[i];
  for (int i = 0; i < p->m.n; i++) m.i[i] = kept->i[p->b.n + i];
  for (int i = 0; i < p->n.n; i++) n.i[i] = kept->i[p->b.n + p->m.n + i];
  p->done(l, p, &b, &m, &n, result);
}

void lower_tiled(Lower *l, const Product *p, const Tile *t) {
  DimTab *d = l->dims;
  Tiled s = {.p = p, .t = t};
  s.B = axes_count(d, &p->b, 0, p->b.n);
  s.M = axes_count(d, &p->m, 0, p->m.n);
  s.N = axes_count(d, &p->n, 0, p->n.n);
  s.K = axes_count(d, &p->k, 0, p->k.n);
  s.panels = dim_ceil_div(d, s.M, t->mr);
  s.a_temp = lower_temp(l, p->dtype, dim_most(l, dim_mul(d, dim_mul(d, s.B, s.panels), s.K)) * t->mr);
  if (t->splits > 1)
    s.sum_temp = lower_temp(l, p->dtype, dim_most(l, dim_mul(d, dim_mul(d, s.B, s.M), s.N)) * t->splits);
  pack_a(l, &s);
  blocks(l, &s, choose_inner(l, &s));
  if (t->splits == 1) return;
  Fold f = {.op = OP_add,
            .dtype = p->dtype,
            .rows = true,
            .ctx = &s,
            .name = "combine",
            .value = piece_value,
            .done = piece_done};
  f.red = (Axes){.n = 1, .size = {dim_int(d, t->splits)}};
  const Axes *parts[] = {&p->b, &p->m, &p->n};
  for (int k = 0; k < 3; k++)
    for (int i = 0; i < parts[k]->n; i++) f.kept.size[f.kept.n++] = parts[k]->size[i];
  lower_fold(l, &f);
}
