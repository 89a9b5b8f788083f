/* Tiling of products, after Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008):
 *
 *   pack     A into panels, once, by all threads                                           workspace
 *   for each block of the result (mc x nc), spread over the threads:
 *     for each panel of nr columns:
 *       for each block of K (kc): pack that part of B; register tiles add up               scratch
 *       epilogue: the columns go through the nodes behind the product into the outs
 *
 * An operand whose rows can be read well where they lie is not packed: register tiles take any strides. The last tile
 * of a side begins earlier so that it is whole; what it computes again is dropped. Where M is smaller than a tile, rows
 * go one by one; where N may be, columns are padded. Where blocks are too few, K is cut into `splits` pieces, summed in
 * order at the end. */
#include "codegen/tile.h"
#include "base/ds.h"
#include <stdlib.h>

static int64_t up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t gcd64(int64_t a, int64_t b) { return b ? gcd64(b, a % b) : a; }

/* ---- choosing ---- */
typedef struct Sizes { /* at their bounds; O: elements of the outer axes of K */
  int64_t B, M, N, O, K;
} Sizes;
/* How an operand or the result lies: the distances of neighbours along its side and along K (the result's columns). */
typedef struct Lie {
  bool in_array, side_known, along_known;
  bool kept;  /* it does not change from call to call, or while a loop runs */
  bool stays; /* the latter */
  int64_t side, along;
} Lie;
typedef struct Lies {
  Lie a, b, c;
} Lies;

static Lie lie_of(const Lower *l, bool in_array, const Place *q) {
  Lie lie = {.in_array = in_array};
  if (!in_array) return lie;
  lie.side_known = x_is_int(q->side, &lie.side);
  lie.along_known = x_is_int(q->along, &lie.along);
  lie.stays = q->arr->kind == ARR_BUF && lower_stays(l, q->arr->buf);
  lie.kept = lie.stays || (q->arr->kind == ARR_BUF && lower_keeps(l, q->arr->buf));
  return lie;
}
/* Is B, which lies in no array, computed from what stays the same from call to call? */
static bool computed_once(Lower *l, const Tiled *s, Part part) {
  Idx n = {0}, k = {0};
  for (int i = 0; i < s->p->n.n; i++) n.i[i] = x_int(l->b, 0);
  for (int i = 0; i < s->p->k.n; i++) k.i[i] = x_int(l->b, 0);
  return lower_keeps_value(l, s->p->bv(l, s->p, part.b, &n, &k));
}
static Lies look(Lower *l, const Tiled *s) {
  lower_begin(l);
  Idx b = {0};
  Part part = {&b, x_int(l->b, 0)};
  Place q;
  Lies lies;
  for (int i = 0; i < s->p->b.n; i++) b.i[i] = x_int(l->b, 0);
  lies.a = lie_of(l, place_of(l, s, true, part, &q), &q);
  lies.c = lie_of(l, place_of_result(l, s, &b, &q), &q);
  lies.b = lie_of(l, place_of(l, s, false, part, &q), &q);
  if (!lies.b.in_array) lies.b.kept = computed_once(l, s, part);
  return lies;
}

enum { L2_WAYS = 8 };
enum { WIDE = 64 }; /* bytes of a vector: processors with such have second caches to match */

/* How much of K is taken at a time, where a row of a panel of B has so many bytes: the panel stays in a part of the
 * second cache, from which register tiles of wide vectors read it in time; else it is kept small for the first. */
static int64_t most_deep(const Target *t, int64_t row) {
  if (t->vector_bytes < WIDE) return t->l2 < 512 * 1024 ? 256 : 512;
  return min64(t->l2 / 4 / row, 1024);
}
/* A stride that maps the rows of a panel to few places of the first cache. */
static bool crowded(int64_t stride, int64_t bytes) { return stride * bytes % 4096 == 0; }
/* Rows of B so many bytes apart can be read where they lie: from a large second cache, which register tiles of wide
 * vectors ask for so little that it keeps up, or from the first. */
static bool reached(const Target *t, int64_t stride) {
  if (t->vector_bytes >= WIDE) return stride % 8192 != 0;
  return stride % 4096 != 0 && stride < 4096;
}

/* Can B be packed as a whole? */
static bool whole_b(Lower *l, const Tiled *s, const Tile *t, const Sizes *z) {
  bool fixed = dim_lower(l->dims, s->K) == z->K && dim_lower(l->dims, s->N) == z->N;
  return fixed && (!t->narrow || t->straight) && s->p->outer == 0;
}
static bool cached(const Lower *l, const Product *p, const Sizes *z) { /* B stays in the second cache */
  return z->N * z->K * dtype_size(p->dtype) <= l->target->l2;
}
/* Where operands and result lie decides how they are reached. */
static void choose_ways(Lower *l, const Tiled *s, Tile *t, const Sizes *z, const Lies *at) {
  const Lie *a = &at->a, *b = &at->b;
  int64_t size = dtype_size(s->p->dtype), K = z->K;
  int64_t column_panels = (z->N + t->nr - 1) / t->nr, row_panels = (z->M + t->mr - 1) / t->mr;
  bool fixed_k = dim_lower(l->dims, s->K) == K;
  bool wide = l->target->vector_bytes >= WIDE; /* kc is chosen so that the lines of A stay in the second cache */
  t->a = t->b = WAY_COPY;
  t->straight = s->p->n.n <= 1 || (b->side_known && b->side == 1);
  if (a->side_known && a->along_known) {
    bool good = a->along == 1 ? t->mr <= 8 || (!crowded(a->side, size) && (column_panels < 12 || t->mr < 14))
                              : wide || (!crowded(a->along, size) && a->along * size < 8192);
    if (column_panels <= 3 || good) t->a = WAY_DIRECT;
    else if (a->along == 1 && t->lanes > 1) t->a = WAY_TURN;
  }
  bool whole = whole_b(l, s, t, z);
  if (!b->in_array) t->kept = b->kept && whole && t->straight;
  if (b->side_known) {
    bool good = row_panels <= 3 || (b->along_known && reached(l->target, b->along * size));
    if (b->stays && z->M >= 8 && b->along_known && b->along * size >= 512) good = false; /* packed once for the loop */
    if (b->side == 1 && b->along_known && good && !t->narrow) t->b = WAY_DIRECT;
    else if (b->along_known && b->along == 1 && b->side > 1 && t->lanes > 1 && !t->narrow && fixed_k &&
             t->kc >= t->lanes && (K % t->kc == 0 || K % t->kc >= t->lanes))
      t->b = WAY_TURN;
    /* many blocks of rows would pack the same panels, and B does not stay in the second cache */
    bool many = z->M >= 512 && !cached(l, s->p, z);
    t->kept = (b->kept || many) && t->b != WAY_DIRECT && whole && (t->straight || t->b == WAY_TURN);
  }
}

enum { EVEN = 48, LONG_PACKING = 256 * 1024 };
/* How many rows the blocks have when they are even. A short last block leaves a thread without work, as does one block
 * more than half of the threads' share: a few more or less are better then. */
static int64_t even_rows(int64_t M, int64_t blocks, int64_t others, int64_t unit) {
  int64_t units = (M + unit - 1) / unit, most = blocks / 3, best = 0;
  double least = 0;
  for (int64_t d = 0; d <= 2 * most; d++) { /* 0, 1, -1, 2, -2 .. */
    int64_t n = blocks + (d % 2 ? (d + 1) / 2 : -d / 2), each = (units + n - 1) / n;
    double share = (double)((n * others + 1) / 2 * each); /* of one of two threads */
    if (d > 0 && share > 0.99 * least) continue;
    best = each * unit;
    least = share;
  }
  return best;
}
/* The blocks that are spread over the threads: large enough for the caches, and enough of them. */
static void choose_blocks(Lower *l, const Tiled *s, Tile *t, const Sizes *z, int64_t unit) {
  int outer = s->p->outer;
  if (t->by_rows) {
    t->mc = up((z->M + 7) / 8, unit);
    int64_t row_blocks = (z->M + t->mc - 1) / t->mc, column_blocks = (16 + row_blocks - 1) / row_blocks;
    t->nc = up((z->N + column_blocks - 1) / column_blocks, t->nr);
    t->splits = 1;
    return;
  }
  /* What packing B costs is shared by the rows of a block, but those of A stay in the second cache. */
  int64_t rows = t->b == WAY_DIRECT ? 256 : l->target->l2 / 2 / (t->kc * dtype_size(s->p->dtype)) + 1;
  rows = rows < 128 ? 128 : min64(rows, 1024);
  t->mc = min64(up(z->M, unit), up(rows, unit));
  t->nc = min64(up(z->N, t->nr), up(8 * 64, t->nr));
  t->splits = 1;
  for (;;) {
    int64_t row_blocks = (z->M + t->mc - 1) / t->mc, column_blocks = (z->N + t->nc - 1) / t->nc;
    int64_t items = z->B * row_blocks * column_blocks * t->splits;
    if (items >= 16 || l->group->solo) break;
    bool halves = !outer || z->O >= 2 * t->splits; /* pieces of K */
    int64_t piece = z->O * z->K / (2 * t->splits);
    if (s->p->turned && items >= 8) break;
    if (s->p->turned) halves = false; /* the sum of the pieces goes along N */
    if (piece >= 2048 && halves) t->splits *= 2;
    else if (t->nc >= 2 * t->nr) t->nc = up(t->nc / 2, t->nr);
    else if (t->mc >= 16 * unit) t->mc = up(t->mc / 2, unit);
    else if (items < 8 && piece >= 512 && halves) t->splits *= 2; /* the pieces must be added up */
    else if (t->mc >= 4 * unit && (double)z->M * (double)z->N * (double)z->K > 1e6 &&
             (t->b == WAY_DIRECT || t->straight))
      t->mc = up(t->mc / 2, unit);
    else break;
  }
  /* One block of rows gains nothing by wide blocks of columns: many items are shared evenly. */
  while (z->M <= t->mc && t->nc >= 2 * t->nr && z->B * ((z->N + t->nc - 1) / t->nc) * t->splits < EVEN)
    t->nc = up(t->nc / 2, t->nr);
  int64_t row_blocks = (z->M + t->mc - 1) / t->mc, column_blocks = (z->N + t->nc - 1) / t->nc;
  int64_t others = z->B * column_blocks * t->splits, half = up(t->nc / 2, t->nr);
  bool fixed = dim_lower(l->dims, s->M) == z->M && dim_lower(l->dims, s->N) == z->N;
  if (row_blocks == 1 && fixed && others % 2 && others < 4 * EVEN && t->nc >= 2 * t->nr && t->straight &&
      (z->N + half - 1) / half % 2 == 0)
    t->nc = half;
  bool shared = fixed && (z->M > z->N || others % 2); /* else each thread has columns of its own */
  t->mc = shared ? even_rows(z->M, row_blocks, others, unit) : up((z->M + row_blocks - 1) / row_blocks, unit);
}

static void print_lie(Buf *b, const char *name, const Lie *x) {
  buf_printf(b, " %s ", name);
  if (!x->in_array) buf_char(b, '-');
  else if (x->side_known) buf_printf(b, "%lld,", (long long)x->side);
  else buf_str(b, "*,");
  if (x->in_array && x->along_known) buf_printf(b, "%lld", (long long)x->along);
  else if (x->in_array) buf_char(b, '*');
}
/* In the tuning record (tune.c): what decides the choice. */
static const char *product_key(Lower *l, const Product *p, const Sizes *z, const Lies *at) {
  Buf b = {0};
  buf_printf(&b, "%s %s %lld %lldx%lld", p->name, dtype_name(p->dtype), (long long)z->B, (long long)z->M,
             (long long)z->N);
  if (p->outer) buf_printf(&b, "x%lld", (long long)z->O);
  buf_printf(&b, "x%lld", (long long)z->K);
  print_lie(&b, "a", &at->a);
  print_lie(&b, "b", &at->b);
  if (at->b.stays) buf_str(&b, " loop");
  const char *key = arena_strdup(l->arena, b.s);
  buf_free(&b);
  return key;
}

/* The cost model chooses what the tuning record does not give: register tile, depth and block. The rest follows. */
static bool choose(Lower *l, Tiled *s) {
  const Product *p = s->p;
  Tile *t = &s->t;
  const Sizes z = {dim_most(l, s->B), dim_most(l, s->M), dim_most(l, s->N), dim_most(l, s->outer), dim_most(l, s->K)};
  t->lanes = target_lanes(l->target, p->dtype);
  if ((double)z.M * (double)z.N * (double)(z.K * z.O) < 4096 || z.N < t->lanes / 2) return false;
  const Lies lies = look(l, s);
  const char *key = l->tuning ? product_key(l, p, &z, &lies) : NULL;
  const Choice *given = key ? tuning_find(l->tuning, key) : NULL;
  bool streams = (double)z.N * (double)z.K * dtype_size(p->dtype) > (double)l->target->l3;
  if (given) t->mr = given->mr, t->nr = given->nr;
  else if (choose_register_tile(t, z.M, z.N, streams, !lies.b.in_array && p->n.n > 1, l->target) == 0) return false;
  int64_t deep = z.K > 0 ? z.K : 1, most = most_deep(l->target, t->nr * dtype_size(p->dtype));
  if (lies.a.side_known && lies.a.side == 1 && lies.a.along_known) {
    int64_t stride = llabs(lies.a.along) * dtype_size(p->dtype); /* a line of each row of K stays in the second cache */
    most = min64(most, up(l->target->l2 / gcd64(stride, l->target->l2 / L2_WAYS), 64));
  }
  int64_t pieces = (deep + most - 1) / most;
  t->kc = given ? min64(given->kc, deep) : (deep + pieces - 1) / pieces;
  t->width = t->lanes / gcd64(t->lanes, t->mr) * t->mr;
  t->short_ = dim_lower(l->dims, s->M) < t->mr;
  t->narrow = dim_lower(l->dims, s->N) < t->nr;
  choose_ways(l, s, t, &z, &lies);
  if (t->a != WAY_DIRECT) t->short_ = false;
  t->by_rows = t->kept && lies.b.stays && z.B == 1 && z.M >= 2 * t->mr;
  if (!given && z.M < 4 && t->b != WAY_DIRECT && (t->straight || z.K * z.O <= 49)) return false;
  int64_t unit = t->a == WAY_DIRECT ? t->mr : t->width;
  if (given) {
    t->mc = min64(up(z.M, unit), up(given->mc, unit));
    t->nc = min64(up(z.N, t->nr), given->nc);
    t->splits = given->splits;
  } else choose_blocks(l, s, t, &z, unit);
  /* every block of rows would turn the same panels, or pad the same columns, which takes longer than a meeting */
  bool padded = t->narrow && lies.b.in_array && t->b == WAY_COPY && (double)z.M / t->mc * z.K * t->nr >= LONG_PACKING;
  if ((t->b == WAY_TURN || padded) && z.M > t->mc && !l->group->solo)
    t->kept |= whole_b(l, s, t, &z) && cached(l, p, &z) && z.B * up(z.N, t->nr) * z.K * dtype_size(p->dtype) <= l->room;
  bool exact =
      z.M % t->mr == 0 && z.N % t->nr == 0 && dim_lower(l->dims, s->M) == z.M && dim_lower(l->dims, s->N) == z.N;
  t->whole = lies.c.along_known && lies.c.along == 1 && p->outer == 0 && t->splits == 1 && !t->narrow &&
             (exact || z.K <= t->kc) && t->a == WAY_DIRECT && !t->short_;
  if (key) tuning_note(l->tuning, l->group, key, (Choice){FORM_TILE, t->mr, t->nr, t->kc, t->mc, t->nc, t->splits});
  return true;
}

/* The rows of a block in whole register tiles and whole squares. */
static int64_t turned_rows(const Tile *t) { return up(up(t->mc, t->mr), t->lanes); }

/* ---- the epilogue: columns j0 .. j1 of a block whose sums stand in cb[.., nr], the first at column `at` ---- */
typedef struct Sums {
  LArr *cb;
  LExpr *i0, *rows, *whole, *shift; /* rows from `whole` on stand `shift` further */
  LExpr *j0, *j1, *at, *split;
} Sums;

static void store_sum(Lower *l, const Tiled *s, const Idx *b, const Idx *m, const Idx *n, LExpr *split, LExpr *sum) {
  const Product *p = s->p;
  if (s->t.splits == 1) {
    p->done(l, p, b, m, n, sum);
    return;
  }
  LB *x = l->b;
  LExpr *at = x_add(x, x_mul(x, split, x_dim(x, s->B)), axes_linear(x, &p->b, b));
  at = x_add(x, x_mul(x, at, x_dim(x, s->M)), axes_linear(x, &p->m, m));
  at = x_add(x, x_mul(x, at, x_dim(x, s->N)), axes_linear(x, &p->n, n));
  lb_store(x, lower_temp_array(l, s->sum_temp, p->dtype, true), at, sum);
}

/* Every panel holds nr columns of one axis: a loop of constant length, which compilers make vectors of. */
static bool even_panels(Lower *l, const Tiled *s) {
  return !s->t.narrow && s->p->n.n == 1 && dim_is(l->dims, dim_mod(l->dims, s->N, dim_int(l->dims, s->t.nr)), 0);
}

/* The columns as loops: the last `inner` axes of n are one loop, those before it another. Returns the divisions in the
 * inner loop. */
static int epilogue(Lower *l, const Tiled *s, int inner, const Idx *b, const Sums *q) {
  LB *x = l->b;
  const Product *p = s->p;
  LVar *iv = lb_for(x, FOR_SERIAL, "i", x_int(x, 0), q->rows, 1), *j;
  LExpr *i = x_var(x, iv), *row = i, *at;
  if (q->shift) row = x_add(x, i, x_select(x, x_ge(x, i, q->whole), q->shift, x_int(x, 0)));
  Idx m = {0}, n = {0};
  axes_split(x, p->m.size, p->m.n, x_add(x, q->i0, i), m.i);
  int outer = p->n.n - inner;
  Dim P = axes_count(l->dims, &p->n, outer, p->n.n);
  LExpr *line = lb_let(x, "line", x_mul(x, row, x_int(x, s->t.nr)));
  if (even_panels(l, s)) {
    at = x_var(x, lb_for(x, FOR_VECTOR, "j", x_int(x, 0), x_int(x, s->t.nr), 1));
    n.i[0] = x_add(x, q->at, at);
  } else if (outer == 0) {
    j = lb_for(x, FOR_VECTOR, "j", q->j0, q->j1, 1);
    lb_range(x, j, P);
    at = x_sub(x, x_var(x, j), q->at);
    axes_split(x, p->n.size, p->n.n, x_var(x, j), n.i);
  } else {
    LExpr *size = x_dim(x, P);
    LExpr *last = x_add(x, x_div(x, x_sub(x, q->j1, x_int(x, 1)), size), x_int(x, 1));
    LVar *o = lb_for(x, FOR_SERIAL, "o", x_div(x, q->j0, size), last, 1);
    lb_range(x, o, axes_count(l->dims, &p->n, 0, outer));
    LExpr *begin = x_mul(x, x_var(x, o), size);
    j = lb_for(x, FOR_VECTOR, "j", x_max(x, x_sub(x, q->j0, begin), x_int(x, 0)),
               x_min(x, x_sub(x, q->j1, begin), size), 1);
    lb_range(x, j, P);
    at = x_add(x, x_sub(x, begin, q->at), x_var(x, j));
    axes_split(x, p->n.size, outer, x_var(x, o), n.i);
    axes_split(x, p->n.size + outer, inner, x_var(x, j), n.i + outer);
  }
  store_sum(l, s, b, &m, &n, q->split, x_load(x, q->cb, x_add(x, line, at), NULL));
  int cost = lb_divisions(x);
  close_nest(l, outer ? 3 : 2);
  return cost;
}

/* The same where the result lies along M: squares of the sums are transposed, and rows are the inner loop. */
static void turned_epilogue(Lower *l, const Tiled *s, const Idx *b, const Sums *q) {
  LB *x = l->b;
  const Product *p = s->p;
  const Tile *t = &s->t;
  int64_t stride = turned_rows(t);
  LArr *turned = lb_array(x, ARR_SCRATCH, p->dtype, stride * t->nr, "turned");
  turned->written = true;
  const Kernel *square = transpose_kernel(l->table, l->arena, l->dims, p->dtype, t->lanes);
  LExpr *rows = q->shift ? x_add(x, q->rows, q->shift) : q->rows;
  LExpr *r = x_var(x, lb_for(x, FOR_SERIAL, "r", x_int(x, 0), rows, t->lanes));
  LExpr *c = x_var(x, lb_for(x, FOR_SERIAL, "c", x_int(x, 0), x_int(x, t->nr), t->lanes));
  CallArg args[] = {{.arr = q->cb, .x = x_add(x, x_mul(x, r, x_int(x, t->nr)), c)},
                    {.arr = turned, .x = x_add(x, x_mul(x, c, x_int(x, stride)), r)},
                    {.x = x_int(x, t->nr)},
                    {.x = x_int(x, stride)}};
  lb_call(x, square, args, 4);
  close_nest(l, 2);
  LExpr *j = x_var(x, lb_for(x, FOR_SERIAL, "j", q->j0, q->j1, 1));
  LExpr *line = lb_let(x, "line", x_mul(x, x_sub(x, j, q->at), x_int(x, stride)));
  for (int part = 0; part < (q->shift ? 2 : 1); part++) {
    LVar *iv = lb_for(x, FOR_VECTOR, "i", part ? q->whole : x_int(x, 0), q->shift && !part ? q->whole : q->rows, 1);
    LExpr *i = x_var(x, iv), *at = x_add(x, line, i);
    Idx m = {0}, n = {0};
    axes_split(x, p->m.size, p->m.n, x_add(x, q->i0, i), m.i);
    axes_split(x, p->n.size, p->n.n, j, n.i);
    store_sum(l, s, b, &m, &n, q->split, x_load(x, turned, part ? x_add(x, at, q->shift) : at, NULL));
    lb_end(x);
  }
  lb_end(x);
}

/* How many of the last n axes can be one loop without divisions. */
static int choose_inner(Lower *l, const Tiled *s) {
  int best = 1, best_cost = -1;
  for (int inner = s->p->n.n; inner >= 1; inner--) {
    lower_begin(l);
    LB *x = l->b;
    Idx b = {0};
    LExpr *e[6];
    for (int k = 0; k < 6; k++) e[k] = x_var(x, lb_for(x, FOR_SERIAL, "v", x_int(x, 0), x_int(x, 1 << 30), 1));
    Sums q = {lb_array(x, ARR_SCRATCH, s->p->dtype, 1, "c"), e[0], e[1], NULL, NULL, e[2], e[3], e[2], e[4]};
    for (int k = 0; k < s->p->b.n; k++) b.i[k] = e[5];
    int cost = epilogue(l, s, inner, &b, &q);
    if (best_cost >= 0 && cost >= best_cost) continue;
    best = inner;
    best_cost = cost;
    if (cost == 0) break;
  }
  return best;
}

/* ---- blocks ---- */
/* One register tile of mr rows: from row `row` of A to place `to` of the block's sums. */
static void tile_call(Lower *l, const Block *q, int mr, LExpr *row, LExpr *to, const Ahead *ahead) {
  LB *x = l->b;
  const Tiled *s = q->s;
  const Kernel *micro = micro_kernel(l->table, l->arena, l->dims, s->p->dtype, mr, s->t.nr, s->t.lanes, ahead->fetches);
  LExpr *width = x_int(x, s->t.width), *one = x_int(x, 1);
  LExpr *panel = x_add(x, x_mul(x, q->batch, x_dim(x, dim_ceil_div(l->dims, s->M, s->t.width))), x_div(x, row, width));
  panel = x_add(x, x_mul(x, panel, x_dim(x, s->outer)), q->ko);
  CallArg packed = {
      .arr = q->packed,
      .x = x_add(x, x_mul(x, x_add(x, x_mul(x, panel, x_dim(x, s->K)), q->k0), width), x_mod(x, row, width))};
  CallArg direct = {.arr = q->a.arr};
  if (direct.arr) direct.x = x_add(x, x_add(x, q->a.base, x_mul(x, row, q->a.side)), x_mul(x, q->k0, q->a.along));
  CallArg args[11 + FETCHED_IN_TILE] = {
      direct.arr ? direct : packed,
      {.arr = q->bp, .x = q->b0},
      {.arr = q->cb, .x = s->t.whole ? x_add(x, q->c.base, x_mul(x, row, q->c.side)) : to},
  };
  int n = 3;
  for (int i = 0; ahead->fetches && i < FETCHED_IN_TILE; i++) args[n++] = ahead->at[i];
  args[n++].x = q->kc;
  if (mr > 1) args[n++].x = direct.arr ? q->a.side : one; /* one row has no stride of rows */
  args[n++].x = direct.arr ? q->a.along : width;
  args[n++].x = q->b_stride;
  if (mr > 1) args[n++].x = s->t.whole ? q->c.side : x_int(x, s->t.nr);
  args[n++].x = q->more;
  if (ahead->fetches) {
    args[n++].x = ahead->line;
    args[n++].x = x_int(x, ahead->side);
  }
  lb_call(x, micro, args, n);
}
static void tile_rows(Lower *l, const Block *q) {
  LB *x = l->b;
  const Tile *t = &q->s->t;
  LExpr *mr = x_int(x, t->mr), *none = x_int(x, 0), *all = x_dim(x, q->s->M), *tiles = q->panels;
  if (t->short_) tiles = lb_let(x, "tiles", x_select(x, x_ge(x, all, mr), tiles, none));
  LExpr *tile = x_var(x, lb_for(x, FOR_SERIAL, "ip", none, tiles, 1)), *i = x_mul(x, tile, mr);
  LExpr *row = x_add(x, q->i0, i);
  fetch_panel(l, q, tile);
  if (t->a == WAY_DIRECT) row = x_min(x, row, x_sub(x, all, mr));
  row = lb_let(x, "row", row);
  Ahead ahead = {0};
  fetch_results(l, q, row, &ahead);
  fetch_lines(l, q, row, &ahead);
  tile_call(l, q, t->mr, row, x_mul(x, i, x_int(x, t->nr)), &ahead);
  lb_end(x);
  if (!t->short_ || t->mr == 1) return;
  i = x_var(x, lb_for(x, FOR_SERIAL, "i", x_select(x, x_ge(x, all, mr), q->rows, none), q->rows, 1));
  tile_call(l, q, 1, x_add(x, q->i0, i), x_mul(x, i, x_int(x, t->nr)), &(Ahead){0});
  lb_end(x);
}

/* The sums of the columns jp .. of one panel, which begins at column j. */
static void add_epilogue(Lower *l, const Block *q, int inner, LExpr *jp, LExpr *j, LExpr *end, LExpr *split) {
  LB *x = l->b;
  const Tile *t = &q->s->t;
  LExpr *mr = x_int(x, t->mr);
  Sums sums = {.cb = q->cb, .i0 = q->i0, .rows = q->rows, .j0 = jp, .at = j, .split = split};
  sums.j1 = lb_let(x, "j1", x_min(x, x_add(x, jp, x_int(x, t->nr)), end));
  if (t->a == WAY_DIRECT && t->mr > 1 && !dim_is(l->dims, dim_mod(l->dims, q->s->M, dim_int(l->dims, t->mr)), 0)) {
    LExpr *shift = x_sub(x, x_mul(x, q->panels, mr), q->rows);
    if (t->short_) shift = x_select(x, x_ge(x, x_dim(x, q->s->M), mr), shift, x_int(x, 0));
    sums.whole = x_mul(x, x_div(x, q->rows, mr), mr);
    sums.shift = lb_let(x, "shift", shift);
  }
  if (q->s->p->turned) turned_epilogue(l, q->s, q->b, &sums);
  else epilogue(l, q->s, inner, q->b, &sums);
}

/* Panel jp of B, which begins at column q->j: where it lies, or packed. `j0`: the first column of the block. */
static void open_panel(Lower *l, Block *q, const Columns *c, LExpr *j0, LExpr *jp) {
  LB *x = l->b;
  const Tiled *s = q->s;
  const Tile *t = &s->t;
  LExpr *nr = x_int(x, t->nr);
  Part part = {q->b, q->ko};
  Place place;
  if (t->b == WAY_DIRECT && place_of(l, s, false, part, &place)) {
    q->bp = place.arr;
    q->b0 = x_add(x, x_add(x, place.base, x_mul(x, q->k0, place.along)), q->j);
    q->b_stride = place.along;
    return;
  }
  q->b_stride = nr;
  if (t->kept) {
    LExpr *panel = x_mul(x, q->batch, x_dim(x, dim_ceil_div(l->dims, s->N, t->nr)));
    q->bp = lower_temp_array(l, s->b_temp, s->p->dtype, false);
    panel = x_add(x, panel, x_div(x, jp, nr));
    q->b0 = x_mul(x, x_add(x, x_mul(x, panel, x_dim(x, s->K)), q->k0), nr);
    return;
  }
  q->bp = lb_array(x, ARR_SCRATCH, s->p->dtype, t->kc * t->nr + 64, "bp");
  q->bp->written = true;
  q->b0 = x_int(x, 0);
  LExpr *first = t->narrow ? j0 : x_min(x, j0, x_sub(x, x_dim(x, s->N), nr));
  Panel panel = {part, c, q->bp, q->b0, q->j, x_sub(x, q->j, first), q->k0, q->kc};
  pack_b(l, s, &panel);
}

static void blocks(Lower *l, const Tiled *s, int inner) {
  const Product *p = s->p;
  const Tile *t = &s->t;
  lower_begin(l);
  LB *x = l->b;
  Dim m_blocks = dim_ceil_div(l->dims, s->M, t->mc), n_blocks = dim_ceil_div(l->dims, s->N, t->nc);
  /* A thread's blocks are neighbours: the smaller operand is the one that more than one thread reads. */
  bool rows_first = t->by_rows || dim_most(l, s->M) > dim_most(l, s->N); /* as `shared` in choose_blocks */
  Axes items = {.n = 4, .size = {dim_int(l->dims, t->splits), s->B, n_blocks, m_blocks}};
  if (rows_first) items.size[2] = m_blocks, items.size[3] = n_blocks;
  Idx at = {0}, b = {0};
  open_items(l, &items, &at);
  axes_split(x, p->b.size, p->b.n, at.i[1], b.i);
  LExpr *row_block = at.i[rows_first ? 2 : 3], *column_block = at.i[rows_first ? 3 : 2];
  Block q = {.s = s, .b = &b, .batch = at.i[1], .i0 = x_mul(x, row_block, x_int(x, t->mc))};
  if (!t->whole) {
    q.cb = lb_array(x, ARR_SCRATCH, p->dtype, turned_rows(t) * t->nr, "cb");
    q.cb->written = true;
  }
  if (t->a != WAY_DIRECT) q.packed = lower_temp_array(l, s->a_temp, p->dtype, false);
  LExpr *j0 = x_mul(x, column_block, x_int(x, t->nc)), *nr = x_int(x, t->nr), *mr = x_int(x, t->mr);
  q.rows = lb_let(x, "rows", x_min(x, x_sub(x, x_dim(x, s->M), q.i0), x_int(x, t->mc)));
  q.panels = x_div(x, x_add(x, q.rows, x_int(x, t->mr - 1)), mr);
  LExpr *cols = x_min(x, x_sub(x, x_dim(x, s->N), j0), x_int(x, t->nc)), *end = lb_let(x, "end", x_add(x, j0, cols));
  const Columns *c = open_columns(l, s, &b, t->narrow ? j0 : x_min(x, j0, x_sub(x, x_dim(x, s->N), nr)));
  /* the part of K: of its outer axes when there are any */
  Dim range = p->outer ? s->outer : s->K;
  LExpr *lo = x_int(x, 0), *hi = x_dim(x, range);
  if (t->splits > 1) {
    Dim each = dim_ceil_div(l->dims, range, t->splits);
    if (!p->outer) each = dim_mul(l->dims, dim_ceil_div(l->dims, each, t->kc), dim_int(l->dims, t->kc));
    lo = lb_let(x, "lo", x_min(x, x_mul(x, at.i[0], x_dim(x, each)), hi));
    hi = lb_let(x, "hi", x_min(x, x_add(x, lo, x_dim(x, each)), hi));
  }
  LExpr *jp = x_var(x, lb_for(x, FOR_SERIAL, "jp", j0, end, t->nr));
  LExpr *j = jp;
  if (!t->narrow && !even_panels(l, s)) j = lb_let(x, "j", x_min(x, jp, x_sub(x, x_dim(x, s->N), nr)));
  else if (!t->narrow && t->b == WAY_COPY) j = x_mul(x, lb_let(x, "panel", x_div(x, jp, nr)), nr); /* divides away */
  /* without a summand there is still a sum: 0 */
  bool empty = t->splits > 1 || dim_lower(l->dims, range) < 1;
  LExpr *last = empty ? x_max(x, hi, x_add(x, lo, x_int(x, 1))) : hi, *size = x_dim(x, s->K), *from = x_int(x, 0);
  q.ko = from;
  q.j = j;
  q.j0 = j0;
  q.lo = lo;
  q.hi = hi;
  if (p->outer) q.ko = x_var(x, lb_for(x, FOR_SERIAL, "ko", lo, last, 1));
  q.k0 = x_var(x, lb_for(x, FOR_SERIAL, "k0", p->outer ? from : lo, p->outer ? size : last, t->kc));
  LExpr *rest = x_sub(x, p->outer ? size : hi, q.k0);
  if (p->outer && empty) rest = x_select(x, x_lt(x, q.ko, hi), rest, from);
  LExpr *kc = x_min(x, rest, x_int(x, t->kc));
  q.kc = lb_let(x, "kc", empty ? x_max(x, kc, from) : kc);
  q.more = p->outer ? x_op(x, OP_or, BOOL, x_lt(x, lo, q.ko), x_lt(x, from, q.k0), NULL) : x_lt(x, lo, q.k0);
  if (t->a == WAY_DIRECT) place_of(l, s, true, (Part){&b, q.ko}, &q.a);
  open_panel(l, &q, c, j0, jp);
  if (t->whole) {
    place_of_result(l, s, &b, &q.c);
    q.cb = q.c.arr;
    q.c.base = x_add(x, q.c.base, j);
  }
  tile_rows(l, &q);
  close_nest(l, p->outer ? 2 : 1);
  if (!t->whole) add_epilogue(l, &q, inner, jp, j, end, at.i[0]);
  close_nest(l, 2);
  lower_end(l, p->name, true);
}
bool lower_tiled(Lower *l, const Product *given) {
  DimTab *d = l->dims;
  Product merged = *given, *p = &merged;
  Tiled s = {.p = p};
  if (dim_is(d, axes_count(d, &p->k, 0, p->outer), 1)) p->outer = 0;
  s.B = axes_count(d, &p->b, 0, p->b.n);
  s.M = axes_count(d, &p->m, 0, p->m.n);
  s.N = axes_count(d, &p->n, 0, p->n.n);
  s.outer = axes_count(d, &p->k, 0, p->outer);
  s.K = axes_count(d, &p->k, p->outer, p->k.n);
  if (!choose(l, &s)) return false;
  if (s.t.a != WAY_DIRECT) {
    Dim panels = dim_mul(d, s.B, dim_ceil_div(d, s.M, s.t.width));
    s.a_temp = lower_temp(l, p->dtype, dim_most(l, dim_mul(d, panels, dim_mul(d, s.outer, s.K))) * s.t.width);
    pack_a(l, &s);
  }
  if (s.t.kept) {
    Dim panels = dim_mul(d, s.B, dim_ceil_div(d, s.N, s.t.nr));
    s.b_temp = lower_temp(l, p->dtype, dim_most(l, dim_mul(d, panels, s.K)) * s.t.nr);
    pack_whole_b(l, &s);
  }
  if (s.t.splits > 1)
    s.sum_temp = lower_temp(l, p->dtype, dim_most(l, dim_mul(d, dim_mul(d, s.B, s.M), s.N)) * s.t.splits);
  blocks(l, &s, choose_inner(l, &s));
  if (s.t.splits > 1) sum_pieces(l, &s);
  return true;
}
