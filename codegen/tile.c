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
#include "base/ds.h"
#include "codegen/tile.h"

static int64_t up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

/* The rows of a block's sums: whole register tiles, and whole squares where these are turned. */
static int64_t sum_rows(const Tiled *s) {
  int64_t rows = up(s->t.mc, s->t.mr);
  return s->p->turned ? up(rows, s->t.lanes) : rows;
}

/* ---- the epilogue: columns j0 .. j1 of a block whose sums stand in cb[.., nr], the first at column `at` ---- */
typedef struct Sums {
  LArr *cb;
  LExpr *i0, *rows, *whole, *shift; /* rows from `whole` on stand `shift` further */
  LExpr *j0, *j1, *at, *split;
  LExpr *from; /* where in cb they begin */
} Sums;

static void store_sum(Lower *l, const Tiled *s, const Idx *b, const Idx *m, const Idx *n, LExpr *split, LExpr *sum) {
  const Product *p = s->p;
  if (s->t.splits == 1) {
    p->done(l, p, b, m, n, sum);
    return;
  }
  LB *x = l->b;
  LExpr *at = x_add(x, x_mul(x, split, x_dim(x, s->B)), axes_linear(x, &p->b, b));
  LExpr *row = axes_linear(x, &p->m, m), *column = axes_linear(x, &p->n, n); /* as the result lies */
  at = x_add(x, x_mul(x, at, x_dim(x, p->turned ? s->N : s->M)), p->turned ? column : row);
  at = x_add(x, x_mul(x, at, x_dim(x, p->turned ? s->M : s->N)), p->turned ? row : column);
  lb_store(x, lower_temp_array(l, s->sum_temp, p->dtype, true), at, sum);
}

/* Every panel holds nr columns of one axis: a loop of constant length, which compilers make vectors of. */
static bool even_panels(Lower *l, const Tiled *s) {
  return !s->t.narrow && s->p->n.n == 1 && !s->p->wanted.n &&
         dim_is(l->dims, dim_mod(l->dims, s->N, dim_int(l->dims, s->t.nr)), 0);
}

/* Are the first `n` indices those of wanted columns? NULL: they are. */
static LExpr *is_wanted(Lower *l, const Product *p, const Idx *at, int n) {
  LExpr *all = NULL;
  for (int i = 0; i < n && p->wanted.n; i++)
    if (p->wanted.size[i] != p->n.size[i]) all = x_and(l->b, all, x_lt(l->b, at->i[i], x_dim(l->b, p->wanted.size[i])));
  return all;
}

/* The columns as loops: the last `inner` axes of n are one loop, those before it another. Returns the divisions in the
 * inner loop. */
static int epilogue(Lower *l, const Tiled *s, int inner, const Idx *b, const Sums *q) {
  LB *x = l->b;
  const Product *p = s->p;
  LVar *iv = lb_for(x, FOR_SERIAL, "i", x_int(x, 0), q->rows, 1), *j;
  LExpr *i = x_var(x, iv), *row = i, *at, *wanted = NULL;
  if (q->shift) row = x_add(x, i, x_select(x, x_ge(x, i, q->whole), q->shift, x_int(x, 0)));
  Idx m = {0}, n = {0};
  axes_split(x, p->m.size, p->m.n, x_add(x, q->i0, i), m.i);
  int outer = p->n.n - inner;
  Dim P = axes_count(l->dims, &p->n, outer, p->n.n), last = p->wanted.n ? p->wanted.size[p->n.n - 1] : P;
  LExpr *line = lb_let(x, "line", x_add(x, q->from, x_mul(x, row, x_int(x, s->t.nr))));
  if (even_panels(l, s)) {
    at = x_var(x, lb_for(x, FOR_VECTOR, "j", x_int(x, 0), x_int(x, s->t.nr), 1));
    n.i[0] = x_add(x, q->at, at);
  } else if (outer == 0) {
    j = lb_for(x, FOR_VECTOR, "j", q->j0, p->wanted.n ? x_min(x, q->j1, x_dim(x, last)) : q->j1, 1);
    lb_range(x, j, P);
    at = x_sub(x, x_var(x, j), q->at);
    axes_split(x, p->n.size, p->n.n, x_var(x, j), n.i);
  } else {
    LExpr *size = x_dim(x, P);
    LExpr *end = x_add(x, x_div(x, x_sub(x, q->j1, x_int(x, 1)), size), x_int(x, 1));
    LVar *o = lb_for(x, FOR_SERIAL, "o", x_div(x, q->j0, size), end, 1);
    lb_range(x, o, axes_count(l->dims, &p->n, 0, outer));
    LExpr *begin = x_mul(x, x_var(x, o), size);
    axes_split(x, p->n.size, outer, x_var(x, o), n.i);
    wanted = is_wanted(l, p, &n, outer);
    if (wanted) lb_if(x, wanted);
    j = lb_for(x, FOR_VECTOR, "j", x_max(x, x_sub(x, q->j0, begin), x_int(x, 0)),
               x_min(x, x_sub(x, q->j1, begin), x_dim(x, last)), 1);
    lb_range(x, j, P);
    at = x_add(x, x_sub(x, begin, q->at), x_var(x, j));
    axes_split(x, p->n.size + outer, inner, x_var(x, j), n.i + outer);
  }
  store_sum(l, s, b, &m, &n, q->split, x_load(x, q->cb, x_add(x, line, at), NULL));
  int cost = lb_divisions(x);
  close_nest(l, (outer ? 3 : 2) + (wanted != NULL));
  return cost;
}

/* The same where the result lies along M: squares of the sums are transposed, and rows are the inner loop. */
static void turned_epilogue(Lower *l, const Tiled *s, const Idx *b, const Sums *q) {
  LB *x = l->b;
  const Product *p = s->p;
  const Tile *t = &s->t;
  int64_t stride = sum_rows(s);
  LArr *turned = lb_array(x, ARR_SCRATCH, p->dtype, stride * t->nr, "turned");
  turned->written = true;
  const Kernel *square = transpose_kernel(l->table, l->arena, l->dims, p->dtype, t->lanes);
  LExpr *rows = q->shift ? x_add(x, q->rows, q->shift) : q->rows;
  LExpr *r = x_var(x, lb_for(x, FOR_SERIAL, "r", x_int(x, 0), rows, t->lanes));
  LExpr *c = x_var(x, lb_for(x, FOR_SERIAL, "c", x_int(x, 0), x_int(x, t->nr), t->lanes));
  CallArg args[] = {{.arr = q->cb, .x = x_add(x, q->from, x_add(x, x_mul(x, r, x_int(x, t->nr)), c))},
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
  for (int inner = s->p->wanted.n ? 1 : s->p->n.n; inner >= 1; inner--) {
    lower_begin(l);
    LB *x = l->b;
    Idx b = {0};
    LExpr *e[6];
    for (int k = 0; k < 6; k++) e[k] = x_var(x, lb_for(x, FOR_SERIAL, "v", x_int(x, 0), x_int(x, 1 << 30), 1));
    Sums q = {
        lb_array(x, ARR_SCRATCH, s->p->dtype, 1, "c"), e[0], e[1], NULL, NULL, e[2], e[3], e[2], e[4], x_int(x, 0)};
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
/* Should a register tile ask for rows of B? A vector is a line, the first cache does not hold the panel, and loads and
 * requests together are no more than multiplications. */
static bool far_panel(const Lower *l, const Tiled *s, int mr) {
  enum { LINE = 64 };
  int64_t size = dtype_size(s->p->dtype), nv = s->t.nr / s->t.lanes;
  return s->t.lanes * size == LINE && s->t.kc * s->t.nr * size > l->target->l1 && mr + 2 * nv <= mr * nv;
}
/* One register tile of mr rows: from row `row` of A to place `to` of the block's sums. */
static void tile_call(Lower *l, const Block *q, int mr, LExpr *row, LExpr *to, const Ahead *ahead) {
  LB *x = l->b;
  const Tiled *s = q->s;
  const Kernel *micro = micro_kernel(l->table, l->arena, l->dims, s->p->dtype, mr, s->t.nr, s->t.lanes,
                                     far_panel(l, s, mr), ahead->fetch);
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
  int arrays = ahead->fetch == FETCH_RESULTS ? FETCHED_IN_TILE : ahead->fetch != FETCH_NOTHING;
  for (int i = 0; i < arrays; i++) args[n++] = ahead->at[i];
  args[n++].x = q->kc;
  if (mr > 1) args[n++].x = direct.arr ? q->a.side : one; /* one row has no stride of rows */
  args[n++].x = direct.arr ? q->a.along : width;
  args[n++].x = q->b_stride;
  if (mr > 1) args[n++].x = s->t.whole ? q->c.side : x_int(x, s->t.nr);
  args[n++].x = q->more;
  if (ahead->fetch == FETCH_RESULTS || ahead->fetch == FETCH_ROWS) args[n++].x = ahead->line;
  if (ahead->fetch) args[n++].x = x_int(x, ahead->side);
  lb_call(x, micro, args, n);
}
/* Do the sums of a register tile go through the epilogue at once, while they are in the first cache? Those of a whole
 * panel would come from the second one. Several results, as of an update, come from memory for longer than a tile
 * takes. */
static bool at_once(Lower *l, const Tiled *s) {
  const Tile *t = &s->t;
  if (arrlen(l->group->outs) > 1) return false;
  bool one_part = s->p->outer == 0 && dim_most(l, s->K) <= t->kc && t->splits == 1;
  return one_part && !t->whole && !t->deep && !t->short_ && !s->p->turned && t->mr > 1 && t->lanes > 1 &&
         even_panels(l, s);
}
static void tile_epilogue(Lower *l, const Block *q, LExpr *i, LExpr *row) {
  LB *x = l->b;
  const Tile *t = &q->s->t;
  LExpr *i0 = x_add(x, q->i0, i), *again = x_sub(x, i0, row); /* rows that the tile before made */
  LExpr *rows = lb_let(x, "left", x_min(x, x_sub(x, q->rows, i), x_int(x, t->mr)));
  Sums sums = {.cb = q->cb, .i0 = i0, .rows = rows, .j0 = q->j, .at = q->j, .split = x_int(x, 0)};
  sums.j1 = x_add(x, q->j, x_int(x, t->nr));
  sums.from = x_mul(x, again, x_int(x, t->nr));
  epilogue(l, q->s, 1, q->b, &sums);
}
static void tile_rows(Lower *l, const Block *q) {
  LB *x = l->b;
  const Tile *t = &q->s->t;
  LExpr *mr = x_int(x, t->mr), *none = x_int(x, 0), *all = x_dim(x, q->s->M), *tiles = q->panels;
  if (t->short_) tiles = lb_let(x, "tiles", x_select(x, x_ge(x, all, mr), tiles, none));
  LExpr *tile = x_var(x, lb_for(x, FOR_SERIAL, "ip", none, tiles, 1)), *i = x_mul(x, tile, mr);
  LExpr *row = x_add(x, q->i0, i);
  Ahead ahead = {0};
  if (t->a == WAY_DIRECT) row = x_min(x, row, x_sub(x, all, mr));
  row = lb_let(x, "row", row);
  fetch_results(l, q, row, &ahead);
  fetch_panel(l, q, tile, row, &ahead);
  fetch_lines(l, q, row, &ahead);
  LExpr *to = q->once ? x_int(x, 0) : x_add(x, q->sums, x_mul(x, i, x_int(x, t->nr)));
  tile_call(l, q, t->mr, row, to, &ahead);
  if (q->once) tile_epilogue(l, q, i, row);
  lb_end(x);
  if (!t->short_ || t->mr == 1) return;
  i = x_var(x, lb_for(x, FOR_SERIAL, "i", x_select(x, x_ge(x, all, mr), q->rows, none), q->rows, 1));
  tile_call(l, q, 1, x_add(x, q->i0, i), x_add(x, q->sums, x_mul(x, i, x_int(x, t->nr))), &(Ahead){0});
  lb_end(x);
}

/* The sums of the columns jp .. of one panel, which begins at column j. */
static void add_epilogue(Lower *l, const Block *q, int inner, LExpr *jp, LExpr *split) {
  LB *x = l->b;
  const Tile *t = &q->s->t;
  LExpr *mr = x_int(x, t->mr);
  Sums sums = {.cb = q->cb, .i0 = q->i0, .rows = q->rows, .j0 = jp, .at = q->j, .split = split, .from = q->sums};
  sums.j1 = lb_let(x, "j1", x_min(x, x_add(x, jp, x_int(x, t->nr)), q->end));
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

/* The loop over the panels of a block; q->j is where the panel of columns jp begins. */
static LExpr *open_panels(Lower *l, Block *q) {
  LB *x = l->b;
  const Tiled *s = q->s;
  const Tile *t = &s->t;
  LExpr *nr = x_int(x, t->nr), *jp = x_var(x, lb_for(x, FOR_SERIAL, "jp", q->j0, q->end, t->nr));
  q->j = jp;
  if (!t->narrow && !even_panels(l, s)) q->j = lb_let(x, "j", x_min(x, jp, x_sub(x, x_dim(x, s->N), nr)));
  else if (!t->narrow && t->b == WAY_COPY) q->j = x_mul(x, lb_let(x, "panel", x_div(x, jp, nr)), nr); /* divides away */
  q->sums = q->first;
  if (t->deep || t->rounds) q->sums = x_add(x, q->first, x_mul(x, x_sub(x, jp, q->j0), x_int(x, sum_rows(s))));
  return jp;
}
/* The loops over the outer axes of K and over its blocks. Returns how many they are. */
static int open_depth(Lower *l, Block *q) {
  LB *x = l->b;
  const Tiled *s = q->s;
  int64_t kc = s->t.kc;
  bool outer = s->p->outer > 0, empty = s->t.splits > 1 || dim_lower(l->dims, outer ? s->outer : s->K) < 1;
  /* without a summand there is still a sum: 0 */
  LExpr *last = empty ? x_max(x, q->hi, x_add(x, q->lo, x_int(x, 1))) : q->hi, *none = x_int(x, 0);
  LExpr *size = x_dim(x, s->K);
  q->ko = outer ? x_var(x, lb_for(x, FOR_SERIAL, "ko", q->lo, last, 1)) : none;
  q->k0 = x_var(x, lb_for(x, FOR_SERIAL, "k0", outer ? none : q->lo, outer ? size : last, kc));
  LExpr *rest = x_sub(x, outer ? size : q->hi, q->k0);
  if (outer && empty) rest = x_select(x, x_lt(x, q->ko, q->hi), rest, none);
  rest = x_min(x, rest, x_int(x, kc));
  q->kc = lb_let(x, "kc", empty ? x_max(x, rest, none) : rest);
  LExpr *begun = x_lt(x, outer ? none : q->lo, q->k0);
  q->more = outer ? x_op(x, OP_or, BOOL, x_lt(x, q->lo, q->ko), begun, NULL) : begun;
  return outer ? 2 : 1;
}
/* What a block of K adds to one panel. */
static void add_depth(Lower *l, Block *q, const Columns *c, LExpr *jp) {
  LB *x = l->b;
  const Tiled *s = q->s;
  if (s->t.a == WAY_DIRECT) place_of(l, s, true, (Part){q->b, q->ko}, &q->a);
  open_panel(l, q, c, q->j0, jp);
  if (s->t.whole) {
    place_of_result(l, s, q->b, &q->c);
    q->cb = q->c.arr;
    q->c.base = x_add(x, q->c.base, q->j);
  }
  tile_rows(l, q);
}

/* Opens the loop over a thread's blocks. */
static void open_block(Lower *l, Block *q, Idx *b, LExpr **piece) {
  LB *x = l->b;
  const Tiled *s = q->s;
  const Product *p = s->p;
  const Tile *t = &s->t;
  Dim m_blocks = dim_ceil_div(l->dims, s->M, t->mc), n_blocks = dim_ceil_div(l->dims, s->N, t->nc);
  /* A thread's blocks are neighbours: the smaller operand is the one that more than one thread reads. */
  bool rows_first = t->by_rows || dim_most(l, s->M) > dim_most(l, s->N); /* as `shared` in choose_blocks */
  Axes items = {.n = 4, .size = {dim_int(l->dims, t->splits), s->B, n_blocks, m_blocks}};
  if (rows_first) items.size[2] = m_blocks, items.size[3] = n_blocks;
  Idx at = {0};
  LExpr *first = NULL, *behind = NULL;
  if (t->parted) {
    for (int i = 0; i < items.n; i++) at.i[i] = x_int(x, 0);
    first = open_parts(l, s->M, &behind);
  } else open_items(l, &items, &at);
  axes_split(x, p->b.size, p->b.n, at.i[1], b->i);
  LExpr *row_block = at.i[rows_first ? 2 : 3], *column_block = at.i[rows_first ? 3 : 2];
  *piece = at.i[0];
  q->b = b;
  q->batch = at.i[1];
  q->i0 = first ? first : x_mul(x, row_block, x_int(x, t->mc));
  q->j0 = x_mul(x, column_block, x_int(x, t->nc));
  q->first = x_int(x, 0);
  if (t->rounds) q->first = x_mul(x, axes_linear(x, &items, &at), x_int(x, sum_rows(s) * t->nc));
  LExpr *rows = first ? x_sub(x, behind, first) : x_min(x, x_sub(x, x_dim(x, s->M), q->i0), x_int(x, t->mc));
  q->rows = lb_let(x, "rows", rows);
  q->panels = x_div(x, x_add(x, q->rows, x_int(x, t->mr - 1)), x_int(x, t->mr));
  LExpr *cols = x_min(x, x_sub(x, x_dim(x, s->N), q->j0), x_int(x, t->nc));
  q->end = lb_let(x, "end", x_add(x, q->j0, cols));
}
static const Columns *open_block_columns(Lower *l, const Block *q) {
  LB *x = l->b;
  const Tiled *s = q->s;
  LExpr *last = x_sub(x, x_dim(x, s->N), x_int(x, s->t.nr));
  return open_columns(l, s, q->b, s->t.narrow ? q->j0 : x_min(x, q->j0, last));
}
/* In rounds: a part of K after the other, each with all blocks of the thread. */
static void block_rounds(Lower *l, Block *q, int inner) {
  Idx b = {0};
  LExpr *piece, *jp;
  q->lo = x_int(l->b, 0), q->hi = x_dim(l->b, q->s->K);
  int opened = open_depth(l, q);
  open_block(l, q, &b, &piece);
  const Columns *c = open_block_columns(l, q);
  jp = open_panels(l, q);
  add_depth(l, q, c, jp);
  close_nest(l, opened + 2);
  if (q->s->t.whole) return;
  open_block(l, q, &b, &piece);
  jp = open_panels(l, q);
  add_epilogue(l, q, inner, jp, piece);
  close_nest(l, 2);
}
static void blocks(Lower *l, const Tiled *s, int inner) {
  const Product *p = s->p;
  const Tile *t = &s->t;
  lower_begin(l);
  LB *x = l->b;
  Block q = {.s = s, .once = at_once(l, s)};
  if (t->rounds && !t->whole) q.cb = lower_temp_array(l, s->sum_temp, p->dtype, true);
  else if (!t->whole) {
    int64_t sums = q.once ? t->mr : sum_rows(s);
    q.cb = lb_array(x, ARR_SCRATCH, p->dtype, sums * (t->deep ? t->nc : t->nr), "cb");
    q.cb->written = true;
  }
  if (t->a != WAY_DIRECT) q.packed = lower_temp_array(l, s->a_temp, p->dtype, false);
  if (t->rounds) {
    block_rounds(l, &q, inner);
    lower_end(l, p->name, true);
    return;
  }
  Idx b = {0};
  LExpr *piece;
  open_block(l, &q, &b, &piece);
  const Columns *c = open_block_columns(l, &q);
  /* the part of K: of its outer axes when there are any */
  Dim range = p->outer ? s->outer : s->K;
  q.lo = x_int(x, 0), q.hi = x_dim(x, range);
  if (t->splits > 1) {
    Dim each = dim_ceil_div(l->dims, range, t->splits);
    if (!p->outer) each = dim_mul(l->dims, dim_ceil_div(l->dims, each, t->kc), dim_int(l->dims, t->kc));
    q.lo = lb_let(x, "lo", x_min(x, x_mul(x, piece, x_dim(x, each)), q.hi));
    q.hi = lb_let(x, "hi", x_min(x, x_add(x, q.lo, x_dim(x, each)), q.hi));
  }
  LExpr *jp = t->deep ? NULL : open_panels(l, &q);
  int opened = open_depth(l, &q);
  if (t->deep) jp = open_panels(l, &q);
  add_depth(l, &q, c, jp);
  close_nest(l, opened + t->deep);
  if (t->deep && !t->whole) jp = open_panels(l, &q);
  if (!t->whole && !q.once) add_epilogue(l, &q, inner, jp, piece);
  close_nest(l, t->deep && t->whole ? 1 : 2);
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
  if (!choose_tile(l, &s)) return false;
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
  if (s.t.rounds && !s.t.whole) {
    Dim count = dim_mul(d, dim_ceil_div(d, s.M, s.t.mc), dim_ceil_div(d, s.N, s.t.nc));
    s.sum_temp = lower_temp(l, p->dtype, dim_most(l, count) * sum_rows(&s) * s.t.nc);
  }
  blocks(l, &s, choose_inner(l, &s));
  if (s.t.splits > 1) sum_pieces(l, &s);
  return true;
}
