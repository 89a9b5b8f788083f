/* Asking for what comes next, so that its lines are on their way from memory while something is computed: of products,
 * a part with each register tile, of rows the next one. Nothing depends on it: these loops read ahead only. */
#include "base/ds.h"
#include "codegen/loop_internal.h"
#include "codegen/tile.h"
#include <stdlib.h>

int64_t fetch_step(int64_t rows, int mr, int nr, int64_t size) {
  enum { LINE = 64 };
  int64_t tiles = (rows + mr - 1) / mr, step = (nr + tiles - 1) / tiles;
  return mr > 1 && step * size <= LINE ? step : 0;
}
/* Panels that are packed as a whole lie one behind the other. Where they are large, they come from memory. */
static void fetch_packed(Lower *l, const Block *q, LExpr *tile, Ahead *ahead) {
  LB *x = l->b;
  DimTab *d = l->dims;
  const Tiled *s = q->s;
  const Tile *t = &s->t;
  int64_t size = dtype_size(s->p->dtype), most = dim_most(l, s->M);
  int64_t step = fetch_step(most < t->mc ? most : t->mc, t->mr, t->nr, size);
  Dim all = dim_mul(d, dim_mul(d, s->B, dim_mul(d, s->K, dim_ceil_div(d, s->N, t->nr))), dim_int(d, t->nr));
  if (!step || t->deep || dim_most(l, all) * size < l->target->l2 / 2) return;
  LExpr *part = x_mul(x, q->kc, x_int(x, step)), *last = x_sub(x, x_dim(x, all), part);
  LExpr *at = x_add(x, q->b0, x_add(x, x_mul(x, q->kc, x_int(x, t->nr)), x_mul(x, tile, part)));
  ahead->fetch = FETCH_NEXT;
  ahead->at[0] = (CallArg){.arr = q->bp, .x = x_min(x, at, last)};
  ahead->side = step;
}
/* Rows of A, one behind the other and larger than B, come from far away: those of the next tile are asked for. */
static bool fetch_next_rows(Lower *l, const Block *q, LExpr *row, Ahead *ahead) {
  enum { LINE = 64 };
  LB *x = l->b;
  const Tiled *s = q->s;
  const Tile *t = &s->t;
  int64_t side, along, size = dtype_size(s->p->dtype), K = dim_most(l, s->K), M = dim_most(l, s->M);
  if (t->a != WAY_DIRECT || t->deep || t->short_ || t->splits > 1 || s->p->outer || t->mr * size > LINE) return false;
  if (t->mr + 2 * t->nr / t->lanes > t->mr * t->nr / t->lanes) return false; /* loads would wait */
  if (!x_is_int(q->a.side, &side) || !x_is_int(q->a.along, &along) || along != 1 || side != K) return false;
  if (K > t->kc || M <= dim_most(l, s->N) || M * K * size < l->target->l2 / 2) return false;
  LExpr *mr = x_int(x, t->mr), *next = x_min(x, x_add(x, row, mr), x_sub(x, x_dim(x, s->M), mr));
  ahead->fetch = FETCH_NEXT;
  ahead->at[0] = (CallArg){.arr = q->a.arr, .x = x_add(x, q->a.base, x_mul(x, next, q->a.side))};
  ahead->side = t->mr;
  return true;
}
void fetch_panel(Lower *l, const Block *q, LExpr *tile, LExpr *row, Ahead *ahead) {
  enum { WIDE = 64, ROWS_AT_ONCE = 32, LEAST = 24 }; /* multiplications of vectors that leave time for requests */
  LB *x = l->b;
  const Tiled *s = q->s;
  const Tile *t = &s->t;
  Place b;
  Ahead none = {0};
  int64_t side, along, size = dtype_size(s->p->dtype), panel = t->kc * t->nr * size;
  if (t->rounds) return;                     /* the next panel is another block's, or the thread's first */
  bool asks = ahead->fetch != FETCH_NOTHING; /* the tile for something else */
  if (fetch_next_rows(l, q, row, asks ? &none : ahead)) return;
  if (t->kept) fetch_packed(l, q, tile, asks ? &none : ahead);
  int64_t most = dim_most(l, s->M), rows = most < t->mc ? most : t->mc;
  if (t->kept || s->p->outer || panel < l->target->l1 || most < 4 * t->mr) return;
  if (!place_of(l, s, false, (Part){q->b, q->ko}, &b) || !x_is_int(b.side, &side) || !x_is_int(b.along, &along)) return;
  if (side != 1 && along != 1) return;
  double M = (double)dim_most(l, s->M), N = (double)dim_most(l, s->N), K = (double)dim_most(l, s->K);
  bool large = (M * N + (M + N) * K) * (double)size > 2 * (double)l->target->l2;
  bool in_loop = side == 1 && l->target->vector_bytes >= WIDE && large && ahead->fetch == FETCH_NOTHING &&
                 t->mr * t->nr >= LEAST * t->lanes;
  /* few tiles would wait for many lines each */
  if (in_loop && FETCH_EVERY * t->mr > rows) return;
  if (!in_loop && side == 1 && l->target->vector_bytes >= WIDE && t->kc * t->mr > ROWS_AT_ONCE * rows) return;
  LExpr *k = x_add(x, q->k0, x_int(x, t->kc)), *same = x_lt(x, k, q->hi), *nr = x_int(x, t->nr);
  LExpr *j = x_min(x, x_add(x, q->j, nr), x_max(x, x_sub(x, x_dim(x, s->N), nr), x_int(x, 0)));
  if (t->deep) { /* the next columns of these rows, then the first ones of the next rows */
    LExpr *last = lb_let(x, "last", x_ge(x, x_add(x, q->j, nr), q->end));
    k = lb_let(x, "next_k", x_select(x, last, x_select(x, same, k, q->lo), q->k0));
    LExpr *first = x_min(x, q->j0, x_max(x, x_sub(x, x_dim(x, s->N), nr), x_int(x, 0)));
    j = lb_let(x, "next_j", x_select(x, last, first, j));
  } else {
    k = lb_let(x, "next_k", x_select(x, same, k, q->lo));
    j = lb_let(x, "next_j", x_select(x, same, q->j, j));
  }
  LExpr *all = side == 1 ? q->kc : x_min(x, nr, x_dim(x, s->N)), *tiles = q->panels;
  LExpr *each = x_div(x, x_add(x, all, x_sub(x, tiles, x_int(x, 1))), tiles), *first = x_mul(x, tile, each);
  LExpr *last = x_sub(x, side == 1 ? x_dim(x, s->K) : x_dim(x, s->N), each);
  if (side == 1) k = x_max(x, x_min(x, x_add(x, k, first), last), x_int(x, 0));
  else j = x_max(x, x_min(x, x_add(x, j, first), last), x_int(x, 0));
  LExpr *at = x_add(x, b.base, x_add(x, x_mul(x, j, b.side), x_mul(x, k, b.along)));
  if (in_loop) {
    *ahead = (Ahead){.fetch = FETCH_ROWS, .at = {{.arr = b.arr, .x = at}}, .side = along};
    ahead->line = x_sub(x, each, x_int(x, 1));
    return;
  }
  CallArg args[] = {{.arr = b.arr, .x = at},
                    {.x = each},
                    {.x = x_mul(x, side == 1 ? b.along : b.side, x_int(x, size))},
                    {.x = x_mul(x, side == 1 ? nr : q->kc, x_int(x, size))}};
  lb_run(x, "fetch_rows", args, 4);
}

/* A that lies along its rows: a line of each row of K serves the next few tiles. The first panel of a block brings
 * them, or every tile in its own loop. */
void fetch_lines(Lower *l, const Block *q, LExpr *row, Ahead *ahead) {
  enum { TILES = 3 };
  LB *x = l->b;
  const Tiled *s = q->s;
  const Tile *t = &s->t;
  int64_t side, along, size = dtype_size(s->p->dtype);
  double whole = (double)dim_most(l, s->M) * (double)dim_most(l, s->K) * (double)size;
  LExpr *none = x_int(x, 0);
  if (ahead->fetch == FETCH_RESULTS) ahead->line = none;
  if (t->a != WAY_DIRECT || t->lanes == 1 || t->rounds || s->p->outer) return;
  if (!x_is_int(q->a.side, &side) || side != 1 || !x_is_int(q->a.along, &along) || along * size < 256) return;
  if (ahead->fetch != FETCH_RESULTS && (t->nc <= t->nr || whole < (double)l->target->l2)) return;
  LExpr *first = x_lt(x, q->j, x_add(x, q->j0, x_int(x, t->nr)));
  LExpr *at = x_max(x, x_min(x, x_add(x, row, x_int(x, TILES * t->mr)), x_sub(x, x_dim(x, s->M), x_int(x, 1))), none);
  if (ahead->fetch == FETCH_RESULTS) {
    ahead->line = x_sub(x, at, row);
    return;
  }
  CallArg args[] = {{.arr = q->a.arr, .x = x_add(x, x_add(x, q->a.base, at), x_mul(x, q->k0, q->a.along))},
                    {.x = x_select(x, first, q->kc, none)},
                    {.x = x_mul(x, q->a.along, x_int(x, size))},
                    {.x = x_int(x, size)}};
  lb_run(x, "fetch_rows", args, 4);
}

/* ---- what the epilogue reads and writes ---- */
enum { MOST_FETCHED = 8 };
/* The arrays that the epilogue goes through along the rows of the result: element (i, j) is arr[base + i * side + j].
 */
typedef struct Through {
  Lower *l;
  LVar *i, *j;
  Place place[MOST_FETCHED];
  int n;
  struct {
    LExpr *key;
    bool value;
  } * seen; /* stb_ds */
} Through;

static void add_place(Through *t, LArr *arr, LExpr *index) {
  LB *x = t->l->b;
  LExpr *rest;
  int64_t side, along;
  Place q = {.arr = arr};
  if (arr->kind == ARR_SCRATCH || arr->kind == ARR_STACK || arr->kind == ARR_TABLE || t->n == MOST_FETCHED) return;
  if (!linear_in(x, index, t->i, &q.side, &rest) || !linear_in(x, rest, t->j, &q.along, &q.base)) return;
  if (!x_is_int(q.along, &along) || along != 1 || !x_is_int(q.side, &side) || side == 0) return;
  for (int i = 0; i < t->n; i++)
    if (t->place[i].arr == arr && t->place[i].base == q.base && t->place[i].side == q.side) return;
  t->place[t->n++] = q;
}
static void add_loads(void *ctx, LExpr **e) {
  Through *t = ctx;
  LExpr *x = *e;
  if (hmgeti(t->seen, x) >= 0) return;
  hmput(t->seen, x, true);
  if (x->kind == X_LOAD && !x->in[1]) add_place(t, x->arr, x->in[0]);
  for (int i = 0; i < x->n_in; i++)
    if (x->in[i]) add_loads(t, &x->in[i]);
}
static void go_through(Through *t, LBlock body) {
  for (int i = 0; i < (int)arrlen(body); i++) {
    if (body[i]->kind == S_STORE) add_place(t, body[i]->arr, body[i]->index);
    stmt_exprs(body[i], add_loads, t);
    go_through(t, body[i]->body);
    go_through(t, body[i]->other);
  }
}

/* Should the register tile ask for them? One stride serves all arrays, all of K is one loop, and lines are so many that
 * a tile would wait before it begins. */
static bool in_tile(Lower *l, const Block *q, const Through *all) {
  enum { ROWS_PER_LINE = 8, LINE = 64 };
  const Tile *t = &q->s->t;
  int64_t lines = all->n * t->mr * t->nr * dtype_size(q->s->p->dtype) / LINE;
  if (t->mr == 1 || all->n < 2 || all->n > FETCHED_IN_TILE || dim_most(l, q->s->K) > t->kc) return false;
  if (lines * ROWS_PER_LINE < t->kc) return false;
  for (int i = 0; i < all->n; i++)
    if (all->place[i].side != all->place[0].side || all->place[i].arr->dtype != q->s->p->dtype) return false;
  return true;
}
void fetch_results(Lower *l, const Block *q, LExpr *row, Ahead *ahead) {
  LB *x = l->b;
  const Tiled *s = q->s;
  const Tile *t = &s->t;
  const Product *p = s->p;
  Idx m = {0}, n = {0};
  int64_t size = dtype_size(p->dtype);
  double M = (double)dim_most(l, s->M), N = (double)dim_most(l, s->N), K = (double)dim_most(l, s->K);
  double whole = M * N * (double)size, operands = (M + N) * K * (double)size, l2 = (double)l->target->l2;
  if (whole * MOST_FETCHED + operands < l2 / 2) return;
  if (t->whole || t->deep || t->rounds || t->splits > 1 || t->narrow || p->outer || p->turned || t->lanes == 1) return;
  Through all = {.l = l, .i = stand_in(l, "i", s->M), .j = stand_in(l, "j", s->N)};
  axes_split(x, p->m.size, p->m.n, x_var(x, all.i), m.i);
  axes_split(x, p->n.size, p->n.n, x_var(x, all.j), n.i);
  lb_for(x, FOR_SERIAL, "v", x_int(x, 0), x_int(x, 1), 1);
  p->done(l, p, q->b, &m, &n, x_num(x, 1, p->dtype));
  lb_end(x);
  go_through(&all, lb_take(x)->body);
  hmfree(all.seen);
  /* they come from memory, or the operands drove them out, and what is asked for stays until its epilogue */
  double asked = (double)((q->once ? t->mr : t->mc) * t->nr * size * all.n);
  if ((whole * all.n < l2 && (!q->once || whole * all.n + operands < l2 / 2)) || asked > l2 / 2) return;
  LExpr *count = x_min(x, x_int(x, t->mr), x_dim(x, s->M)), *none = x_int(x, 0);
  if (dim_most(l, s->K) > t->kc) count = x_select(x, x_ge(x, x_add(x, q->k0, q->kc), q->hi), count, none);
  LExpr *first = x_max(x, x_min(x, row, x_sub(x, x_dim(x, s->M), count)), none);
  if (in_tile(l, q, &all)) ahead->fetch = FETCH_RESULTS;
  for (int i = 0; i < all.n; i++) {
    const Place *at = &all.place[i];
    int64_t bytes = dtype_size(at->arr->dtype);
    CallArg begin = {.arr = at->arr, .x = x_add(x, at->base, x_add(x, x_mul(x, first, at->side), q->j))};
    if (ahead->fetch == FETCH_RESULTS) { /* two of them: one is asked for twice, which costs nothing */
      for (int j = i; j < FETCHED_IN_TILE; j++) ahead->at[j] = begin;
      x_is_int(at->side, &ahead->side);
      continue;
    }
    CallArg args[] = {begin, {.x = count}, {.x = x_mul(x, at->side, x_int(x, bytes))}, {.x = x_int(x, t->nr * bytes)}};
    lb_run(x, "fetch_rows", args, 4);
  }
}

/* ---- operands that are gone through once ---- */
NodeId *wide_operands(Lower *l, Dim count) {
  NodeId *wide = NULL;
  for (int i = 0; i < arrlen(l->group->nodes); i++) {
    const Node *x = graph_node(l->g, l->group->nodes[i]);
    for (int k = 0; k < x->n_in; k++) {
      NodeId n = x->in[k];
      bool drop = l->here[n] || l->buf_of[n] < 0 || type_count(l->dims, graph_type(l->g, n)) != count;
      for (int j = 0; j < arrlen(wide); j++) drop |= l->buf_of[wide[j]] == l->buf_of[n];
      if (!drop) arrput(wide, n);
    }
  }
  return wide;
}
void fetch_wide(Lower *l, const NodeId *wide, LExpr *at, int64_t count) {
  LB *b = l->b;
  for (int i = 0; i < arrlen(wide); i++) {
    DType t = graph_type(l->g, wide[i]).dtype;
    CallArg args[] = {{.arr = lower_buf(l, l->buf_of[wide[i]], t), .x = at}, {.x = x_int(b, count * dtype_size(t))}};
    lb_run(b, "fetch", args, 2);
  }
}
