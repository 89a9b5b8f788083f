/* Packing the operands of products. They are expressions at an index, so this is where views, borders and element-wise
 * operands are computed: a convolution is a product whose B is read through the image. */
#include "base/ds.h"
#include "codegen/tile.h"

/* ---- where an operand lies ---- */
bool linear_in(LB *b, LExpr *e, LVar *v, LExpr **stride, LExpr **rest) {
  LExpr *near;
  int64_t none;
  if (!x_separate(b, e, &v, 1, &near, rest)) return false;
  if (near->kind == X_VAR) *stride = x_int(b, 1);
  else if (x_is_int(near, &none)) *stride = near; /* 0 */
  else if (near->kind == X_MUL && near->in[0]->kind == X_VAR && near->in[0]->var == v) *stride = near->in[1];
  else return false;
  return true;
}
LVar *stand_in(Lower *l, const char *name, Dim end) {
  LVar *v = arena_one(l->arena, LVar);
  *v = (LVar){.name = name, .dtype = I64, .lanes = 1, .level = 1000};
  lb_range(l->b, v, end);
  return v;
}
/* The axes of K: the outer ones at part.ko, the others at k. */
static void k_index(Lower *l, const Tiled *s, LExpr *ko, LExpr *k, Idx *at) {
  const Product *p = s->p;
  axes_split(l->b, p->k.size, p->outer, ko, at->i);
  axes_split(l->b, p->k.size + p->outer, p->k.n - p->outer, k, at->i + p->outer);
}
static LExpr *element(Lower *l, const Tiled *s, bool is_a, Part part, LExpr *i, LExpr *k) {
  const Product *p = s->p;
  const Axes *side = is_a ? &p->m : &p->n;
  Idx at = {0}, ks = {0};
  axes_split(l->b, side->size, side->n, i, at.i);
  k_index(l, s, part.ko, k, &ks);
  return is_a ? p->a(l, p, part.b, &at, &ks) : p->bv(l, p, part.b, &at, &ks);
}
bool place_of(Lower *l, const Tiled *s, bool is_a, Part part, Place *q) {
  LVar *i = stand_in(l, "i", is_a ? s->M : s->N), *k = stand_in(l, "k", s->K);
  LExpr *v = element(l, s, is_a, part, x_var(l->b, i), x_var(l->b, k)), *rest;
  if (v->kind != X_LOAD || v->in[1] || v->dtype != s->p->dtype) return false;
  q->arr = v->arr;
  return linear_in(l->b, v->in[0], i, &q->side, &rest) && linear_in(l->b, rest, k, &q->along, &q->base);
}

Reading product_reading(Lower *l, const Product *p, bool is_a) {
  Tiled s = {.p = p};
  Idx b = {0};
  Place q = {0};
  s.M = axes_count(l->dims, &p->m, 0, p->m.n);
  s.N = axes_count(l->dims, &p->n, 0, p->n.n);
  s.K = axes_count(l->dims, &p->k, p->outer, p->k.n);
  lower_begin(l);
  for (int i = 0; i < p->b.n; i++) b.i[i] = x_int(l->b, 0);
  bool along = place_of(l, &s, is_a, (Part){&b, x_int(l->b, 0)}, &q);
  if (q.arr && q.arr->kind == ARR_BUF && (lower_stays(l, q.arr->buf) || lower_keeps(l, q.arr->buf))) return READS_FIXED;
  return along ? READS_ALONG : READS_APART;
}

bool place_of_result(Lower *l, const Tiled *s, const Idx *b, Place *q) {
  const Product *p = s->p;
  LVar *i = stand_in(l, "i", s->M), *j = stand_in(l, "j", s->N), *sum = arena_one(l->arena, LVar);
  LExpr *rest;
  Idx m = {0}, n = {0};
  if (arrlen(l->group->outs) != 1 || l->group->outs[0].node != l->group->heavy) return false;
  *sum = (LVar){.name = "sum", .dtype = p->dtype, .lanes = 1, .level = 1000};
  axes_split(l->b, p->m.size, p->m.n, x_var(l->b, i), m.i);
  axes_split(l->b, p->n.size, p->n.n, x_var(l->b, j), n.i);
  p->done(l, p, b, &m, &n, x_var(l->b, sum));
  const LStmt *store = lb_take(l->b);
  if (store->kind != S_STORE || store->value->kind != X_VAR || store->value->var != sum) return false;
  q->arr = store->arr;
  return linear_in(l->b, store->index, i, &q->side, &rest) && linear_in(l->b, rest, j, &q->along, &q->base);
}

/* A square of lanes x lanes: rows i .. of the operand become columns of the panel. */
static void turn_square(Lower *l, const Tiled *s, const Place *q, LExpr *i, LExpr *k, LArr *panel, LExpr *to,
                        int64_t width) {
  LB *x = l->b;
  const Kernel *square = transpose_kernel(l->table, l->arena, l->dims, s->p->dtype, s->t.lanes);
  LExpr *from = x_add(x, x_add(x, q->base, x_mul(x, i, q->side)), k);
  CallArg args[] = {{.arr = q->arr, .x = from}, {.arr = panel, .x = to}, {.x = q->side}, {.x = x_int(x, width)}};
  lb_call(x, square, args, 4);
}

/* ---- A ---- */
/* Rows of several axes whose place is a part that the row decides plus one that K decides: the first stands in a table
 * for the `width` rows from w0 on. */
typedef struct RowTable {
  LArr *src, *table;
  LVar *coord[MAX_AXES]; /* stand for the m axes' indices */
  LExpr *near;
} RowTable;
static bool open_row_table(Lower *l, const Tiled *s, Part part, LExpr *w0, RowTable *c) {
  LB *x = l->b;
  const Product *p = s->p;
  Idx m = {0}, k = {0};
  LExpr *far, *at[MAX_AXES];
  if (p->m.n < 2 || s->t.lanes == 1) return false;
  for (int i = 0; i < p->m.n; i++) {
    c->coord[i] = stand_in(l, "m", p->m.size[i]);
    m.i[i] = dim_is(l->dims, p->m.size[i], 1) ? x_int(x, 0) : x_var(x, c->coord[i]);
  }
  for (int i = 0; i < p->k.n; i++) k.i[i] = x_var(x, stand_in(l, "k", p->k.size[i]));
  LExpr *v = p->a(l, p, part.b, &m, &k);
  if (v->kind != X_LOAD || v->in[1] || v->dtype != p->dtype) return false;
  if (!x_separate(x, v->in[0], c->coord, p->m.n, &c->near, &far)) return false;
  c->src = v->arr;
  c->table = lb_array(x, ARR_SCRATCH, I64, s->t.width, "row");
  c->table->written = true;
  LExpr *i = x_var(x, lb_for(x, FOR_SERIAL, "i", x_int(x, 0), x_int(x, s->t.width), 1));
  LExpr *row = lb_let(x, "at", x_min(x, x_add(x, w0, i), x_sub(x, x_dim(x, s->M), x_int(x, 1))));
  axes_split(x, p->m.size, p->m.n, row, at);
  lb_store(x, c->table, i, x_subst(x, c->near, c->coord, at, p->m.n));
  lb_end(x);
  return true;
}
/* Element (w0 + i, k). */
static LExpr *row_element(Lower *l, const Tiled *s, Part part, const RowTable *c, LExpr *w0, LExpr *i, LExpr *k) {
  LB *x = l->b;
  const Product *p = s->p;
  if (!c) return element(l, s, true, part, x_add(x, w0, i), k);
  Idx m = {0}, ks = {0};
  for (int j = 0; j < p->m.n; j++) m.i[j] = x_int(x, 0);
  k_index(l, s, part.ko, k, &ks);
  LExpr *v = p->a(l, p, part.b, &m, &ks), *far = x_sub(x, v->in[0], x_subst(x, c->near, c->coord, m.i, p->m.n));
  return x_load(x, c->src, x_add(x, x_load(x, c->table, i, NULL), far), NULL);
}

/* Rows i of columns k of the panel that begins at row w0, without turning. */
static void copy_rows(Lower *l, const Tiled *s, LArr *w, LExpr *panel, Part part, const RowTable *c, LExpr *w0,
                      LExpr *from, LExpr *to, LExpr *k0, LExpr *k1) {
  LB *x = l->b;
  LVar *kv = lb_for(x, FOR_SERIAL, "k", k0, k1, 1);
  lb_range(x, kv, s->K);
  LExpr *k = x_var(x, kv), *at = x_add(x, panel, x_mul(x, k, x_int(x, s->t.width)));
  LExpr *rows = x_max(x, x_min(x, x_sub(x, x_dim(x, s->M), w0), to), from);
  LExpr *i = x_var(x, lb_for(x, FOR_VECTOR, "i", from, rows, 1));
  lb_store(x, w, x_add(x, at, i), row_element(l, s, part, c, w0, i, k));
  lb_end(x);
  if (!dim_is(l->dims, dim_mod(l->dims, s->M, dim_int(l->dims, s->t.width)), 0)) {
    i = x_var(x, lb_for(x, FOR_VECTOR, "i", rows, to, 1));
    lb_store(x, w, x_add(x, at, i), x_num(x, 0, s->p->dtype));
    lb_end(x);
  }
  lb_end(x);
}

void pack_a(Lower *l, const Tiled *s) {
  enum { K_PART = 256 };
  const Product *p = s->p;
  int64_t width = s->t.width, lanes = s->t.lanes;
  lower_begin(l);
  LB *x = l->b;
  LArr *w = lower_temp_array(l, s->a_temp, p->dtype, true);
  Dim panels = dim_ceil_div(l->dims, s->M, width);
  Axes items = {.n = 4, .size = {s->B, panels, s->outer, dim_ceil_div(l->dims, s->K, K_PART)}};
  Idx at = {0}, b = {0};
  open_items(l, &items, &at);
  axes_split(x, p->b.size, p->b.n, at.i[0], b.i);
  LExpr *w0 = x_mul(x, at.i[1], x_int(x, width)), *lo = x_mul(x, at.i[3], x_int(x, K_PART));
  LExpr *hi = lb_let(x, "k_end", x_min(x, x_add(x, lo, x_int(x, K_PART)), x_dim(x, s->K)));
  LExpr *number = x_add(x, x_mul(x, at.i[0], x_dim(x, panels)), at.i[1]);
  number = x_add(x, x_mul(x, number, x_dim(x, s->outer)), at.i[2]);
  LExpr *panel = x_mul(x, x_mul(x, number, x_dim(x, s->K)), x_int(x, width)), *zero = x_int(x, 0),
        *all = x_int(x, width);
  Place q;
  Part part = {&b, at.i[2]};
  if (s->t.a != WAY_TURN || !place_of(l, s, true, part, &q)) {
    RowTable c;
    bool table = open_row_table(l, s, part, w0, &c);
    copy_rows(l, s, w, panel, part, table ? &c : NULL, w0, zero, all, lo, hi);
  } else {
    LExpr *step = x_int(x, lanes), *rows = x_min(x, x_sub(x, x_dim(x, s->M), w0), all);
    LExpr *full = lb_let(x, "rows", x_mul(x, x_div(x, rows, step), step));
    LExpr *turned = lb_let(x, "turned", x_add(x, lo, x_mul(x, x_div(x, x_sub(x, hi, lo), step), step)));
    LExpr *i = x_var(x, lb_for(x, FOR_SERIAL, "i", zero, full, lanes));
    LExpr *k = x_var(x, lb_for(x, FOR_SERIAL, "k", lo, turned, lanes));
    LExpr *to = x_add(x, x_add(x, panel, x_mul(x, k, all)), i);
    turn_square(l, s, &q, x_add(x, w0, i), k, w, to, width);
    close_nest(l, 2);
    copy_rows(l, s, w, panel, part, NULL, w0, zero, full, turned, hi);
    copy_rows(l, s, w, panel, part, NULL, w0, full, all, lo, hi);
  }
  lb_end(x);
  lower_end(l, "pack", false);
}

/* ---- B ---- */
struct Columns {         /* how the columns of a block are addressed */
  LArr *src;             /* not NULL: element (k, j) is src[far(k) + table[0][j]] */
  LArr *table[MAX_AXES]; /* else: the n axes' indices of column j */
  LVar *coord[MAX_AXES]; /* stand for the n axes' indices in expressions */
  int n_tables;
  LExpr *near;
};

const Columns *open_columns(Lower *l, const Tiled *s, const Idx *b, LExpr *j0) {
  LB *x = l->b;
  const Product *p = s->p;
  if (s->t.b != WAY_COPY || s->t.straight) return NULL;
  Columns *c = arena_one(l->arena, Columns);
  Idx n = {0}, k = {0};
  for (int i = 0; i < p->n.n; i++) {
    c->coord[i] = stand_in(l, "n", p->n.size[i]);
    n.i[i] = dim_is(l->dims, p->n.size[i], 1) ? x_int(x, 0) : x_var(x, c->coord[i]);
  }
  for (int i = 0; i < p->k.n; i++) k.i[i] = x_var(x, stand_in(l, "k", p->k.size[i]));
  LExpr *v = p->bv(l, p, b, &n, &k), *far;
  if (v->kind == X_LOAD && !v->in[1] && x_separate(x, v->in[0], c->coord, p->n.n, &c->near, &far)) {
    c->src = v->arr;
    c->n_tables = 1;
  } else c->n_tables = p->n.n;
  int64_t count = s->t.nc + s->t.nr; /* the last panel may begin before its place and reach to the last column */
  for (int i = 0; i < c->n_tables; i++) {
    c->table[i] = lb_array(x, ARR_SCRATCH, I64, count, "column");
    c->table[i]->written = true;
  }
  LVar *j = lb_for(x, FOR_SERIAL, "j", x_int(x, 0), x_int(x, count), 1);
  LExpr *col = x_min(x, x_add(x, j0, x_var(x, j)), x_sub(x, x_dim(x, s->N), x_int(x, 1))), *at[MAX_AXES];
  axes_split(x, p->n.size, p->n.n, lb_let(x, "at", x_max(x, col, x_int(x, 0))), at);
  if (c->src) lb_store(x, c->table[0], x_var(x, j), x_subst(x, c->near, c->coord, at, p->n.n));
  else
    for (int i = 0; i < p->n.n; i++) lb_store(x, c->table[i], x_var(x, j), at[i]);
  lb_end(x);
  return c;
}

/* Opens the loop over the panel's rows of K: their indices, and the row's begin in bp. */
static LExpr *open_rows(Lower *l, const Tiled *s, const Panel *q, Idx *k) {
  LB *x = l->b;
  LVar *r = lb_for(x, FOR_SERIAL, "k", x_int(x, 0), q->kc, 1);
  LExpr *kk = x_add(x, q->k0, x_var(x, r));
  k_index(l, s, q->part.ko, kk, k);
  return x_mul(x, x_var(x, r), x_int(x, s->t.nr));
}
/* The part of the address in c->src that the row alone decides. */
static LExpr *row_address(Lower *l, const Tiled *s, const Panel *q, const Idx *k) {
  const Product *p = s->p;
  Idx n = {0};
  for (int i = 0; i < p->n.n; i++) n.i[i] = x_int(l->b, 0);
  LExpr *v = p->bv(l, p, q->part.b, &n, k);
  return x_sub(l->b, v->in[0], x_subst(l->b, q->c->near, q->c->coord, n.i, p->n.n));
}

/* One index, or one of the merged axes, tells the columns: nothing to look up. */
static void pack_straight(Lower *l, const Tiled *s, const Panel *q) {
  LB *x = l->b;
  LVar *r = lb_for(x, FOR_SERIAL, "k", x_int(x, 0), q->kc, 1);
  LExpr *to = x_add(x, q->to, x_mul(x, x_var(x, r), x_int(x, s->t.nr)));
  LExpr *all = x_int(x, s->t.nr), *count = s->t.narrow ? x_min(x, x_sub(x, x_dim(x, s->N), q->j), all) : all;
  LExpr *j = x_var(x, lb_for(x, FOR_VECTOR, "j", x_int(x, 0), count, 1)), *k = x_add(x, q->k0, x_var(x, r));
  lb_store(x, q->bp, x_add(x, to, j), element(l, s, false, q->part, x_add(x, q->j, j), k));
  lb_end(x);
  if (s->t.narrow) {
    j = x_var(x, lb_for(x, FOR_VECTOR, "j", count, all, 1));
    lb_store(x, q->bp, x_add(x, to, j), x_num(x, 0, s->p->dtype));
    lb_end(x);
  }
  lb_end(x);
}

/* Squares turned; the last rows of K, when they fill no square, in a square that overlaps the one before. */
static void pack_turned(Lower *l, const Tiled *s, const Panel *q, const Place *place) {
  LB *x = l->b;
  int64_t lanes = s->t.lanes;
  LExpr *j = x_var(x, lb_for(x, FOR_SERIAL, "j", x_int(x, 0), x_int(x, s->t.nr), lanes));
  LExpr *k = x_var(x, lb_for(x, FOR_SERIAL, "k", x_int(x, 0), q->kc, lanes));
  LExpr *at = lb_let(x, "at", x_min(x, k, x_sub(x, q->kc, x_int(x, lanes))));
  LExpr *to = x_add(x, q->to, x_add(x, x_mul(x, at, x_int(x, s->t.nr)), j));
  turn_square(l, s, place, x_add(x, q->j, j), x_add(x, q->k0, at), q->bp, to, s->t.nr);
  close_nest(l, 2);
}

/* Each column's address or indices stand in tables. */
static void pack_gather(Lower *l, const Tiled *s, const Panel *q) {
  LB *x = l->b;
  const Product *p = s->p;
  Idx k = {0}, n = {0};
  LExpr *to = open_rows(l, s, q, &k), *far = q->c->src ? row_address(l, s, q, &k) : NULL, *v;
  LVar *j = lb_for(x, FOR_VECTOR, "j", x_int(x, 0), x_int(x, s->t.nr), 1);
  LExpr *column = x_add(x, q->at, x_var(x, j));
  if (far) {
    v = x_load(x, q->c->src, x_add(x, x_load(x, q->c->table[0], column, NULL), far), NULL);
  } else {
    for (int i = 0; i < p->n.n; i++) n.i[i] = x_load(x, q->c->table[i], column, NULL);
    v = p->bv(l, p, q->part.b, &n, &k);
  }
  lb_store(x, q->bp, x_add(x, to, x_var(x, j)), v);
  close_nest(l, 2);
}

/* Columns of neighbouring addresses form runs, which are copied by vectors. A vector may reach beyond its run: what it
 * writes too much is written again by the next run, row or panel, or lies in the slack at the end. */
static void pack_runs(Lower *l, const Tiled *s, const Panel *q) {
  LB *x = l->b;
  int nr = s->t.nr, lanes = s->t.lanes;
  LArr *begin = lb_array(x, ARR_SCRATCH, I64, nr + 1, "begin"), *from = lb_array(x, ARR_SCRATCH, I64, nr, "from");
  begin->written = from->written = true;
  LVar *runs = lb_var(x, "runs", x_int(x, 0));
  LExpr *j = x_var(x, lb_for(x, FOR_SERIAL, "j", x_int(x, 0), x_int(x, nr), 1)), *column = x_add(x, q->at, j);
  LExpr *here = lb_let(x, "here", x_load(x, q->c->table[0], column, NULL));
  LExpr *before = x_load(x, q->c->table[0], x_max(x, x_sub(x, column, x_int(x, 1)), x_int(x, 0)), NULL);
  LExpr *follows = x_op(x, OP_eq, BOOL, here, x_add(x, before, x_int(x, 1)), NULL);
  lb_if(x, x_op(x, OP_or, BOOL, x_eq(x, j, x_int(x, 0)), x_op(x, OP_not, BOOL, follows, NULL, NULL), NULL));
  lb_store(x, begin, x_read(x, runs), j);
  lb_store(x, from, x_read(x, runs), here);
  lb_assign(x, runs, x_add(x, x_read(x, runs), x_int(x, 1)));
  close_nest(l, 2);
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

void pack_b(Lower *l, const Tiled *s, const Panel *q) {
  Place place;
  if (s->t.b == WAY_TURN && place_of(l, s, false, q->part, &place)) pack_turned(l, s, q, &place);
  else if (s->t.straight) pack_straight(l, s, q);
  else if (q->c->src && s->p->slack && s->t.lanes > 1) pack_runs(l, s, q);
  else pack_gather(l, s, q);
}

void pack_whole_b(Lower *l, const Tiled *s) {
  const Product *p = s->p;
  const Tile *t = &s->t;
  lower_begin(l);
  LB *x = l->b;
  LArr *w = lower_temp_array(l, s->b_temp, p->dtype, true);
  Dim panels = dim_ceil_div(l->dims, s->N, t->nr);
  Axes items = {.n = 2, .size = {s->B, panels}};
  Idx at = {0}, b = {0};
  open_items(l, &items, &at);
  axes_split(x, p->b.size, p->b.n, at.i[0], b.i);
  LExpr *nr = x_int(x, t->nr), *size = x_dim(x, s->K), *zero = x_int(x, 0);
  LExpr *j = x_mul(x, at.i[1], nr);
  if (!t->narrow) j = lb_let(x, "j", x_min(x, j, x_sub(x, x_dim(x, s->N), nr)));
  LExpr *panel = x_add(x, x_mul(x, at.i[0], x_dim(x, panels)), at.i[1]);
  LExpr *k0 = x_var(x, lb_for(x, FOR_SERIAL, "k0", zero, size, t->kc));
  LExpr *to = x_mul(x, x_add(x, x_mul(x, panel, size), k0), nr);
  Panel q = {{&b, zero}, NULL, w, to, j, zero, k0, x_min(x, x_sub(x, size, k0), x_int(x, t->kc))};
  pack_b(l, s, &q);
  close_nest(l, 2);
  lower_end(l, "pack", false);
}
