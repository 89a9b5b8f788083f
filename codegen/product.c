/* Products, by tiles or, where they or their last columns are too small or too thin for these, as a fold of A * B. */
#include "codegen/tile.h"

/* The axes of the result: batch, those of `second`, those of `last`. */
static Axes result_axes(const Product *p, const Axes *second, const Axes *last) {
  const Axes *parts[] = {&p->b, second, last};
  Axes all = {0};
  for (int k = 0; k < 3; k++)
    for (int i = 0; i < parts[k]->n; i++) all.size[all.n++] = parts[k]->size[i];
  return all;
}
static void split_result(const Product *p, const Idx *at, const Axes *second, Idx *b, Idx *in_second, Idx *in_last) {
  int last = p->b.n + second->n;
  for (int i = 0; i < p->b.n; i++) b->i[i] = at->i[i];
  for (int i = 0; i < second->n; i++) in_second->i[i] = at->i[p->b.n + i];
  for (int i = 0; i < p->m.n + p->n.n - second->n; i++) in_last->i[i] = at->i[last + i];
}
static void split_kept(const Product *p, const Idx *kept, Idx *b, Idx *m, Idx *n) {
  split_result(p, kept, &p->m, b, m, n);
}
static LExpr *small_value(Lower *l, const Fold *f, const Idx *kept, const Idx *red) {
  const Product *p = f->ctx;
  Idx b = {0}, m = {0}, n = {0};
  split_kept(p, kept, &b, &m, &n);
  return x_op(l->b, OP_mul, p->dtype, p->a(l, p, &b, &m, red), p->bv(l, p, &b, &n, red), NULL);
}
static void small_done(Lower *l, const Fold *f, const Idx *kept, LExpr *result) {
  const Product *p = f->ctx;
  Idx b = {0}, m = {0}, n = {0};
  split_kept(p, kept, &b, &m, &n);
  p->done(l, p, &b, &m, &n, result);
}
/* Does a load in x go to the next element when v grows by one? */
static bool steps_by_one(LB *b, const LExpr *x, LVar *v) {
  LExpr *near, *far;
  if (x->kind == X_LOAD && x_separate(b, x->in[0], &v, 1, &near, &far) && near->kind == X_VAR) return true;
  for (int k = 0; k < x->n_in; k++)
    if (x->in[k] && steps_by_one(b, x->in[k], v)) return true;
  return false;
}
static void probe(Lower *l, const Axes *a, Idx *at, LVar **last) {
  for (int i = 0; i < a->n; i++) {
    *last = lb_for(l->b, FOR_SERIAL, "v", x_int(l->b, 0), x_dim(l->b, a->size[i]), 1);
    at->i[i] = x_var(l->b, *last);
  }
}
/* Whole rows of the result are accumulated, unless its operands lie along K. */
static bool contiguous_rows(Lower *l, const Product *p) {
  LVar *along = NULL, *n_last = NULL, *m_last = NULL, *b_last;
  Idx b = {0}, m = {0}, n = {0}, k = {0};
  lower_begin(l);
  probe(l, &p->b, &b, &b_last);
  probe(l, &p->m, &m, &m_last);
  probe(l, &p->n, &n, &n_last);
  probe(l, &p->k, &k, &along);
  if (!along) return p->n.n > 0;
  if (dim_most(l, axes_count(l->dims, &p->n, 0, p->n.n)) > 1)
    return !steps_by_one(l->b, p->bv(l, p, &b, &n, &k), along);
  return m_last && !steps_by_one(l->b, p->a(l, p, &b, &m, &k), along);
}
/* Few summands: all of them in one expression for each element, so that a loop over elements is vectorised. */
static void unrolled_body(Lower *l, const Axes *a, const Idx *at, bool trial, int *cost, void *ctx) {
  const Product *p = ctx;
  LB *x = l->b;
  Idx b = {0}, m = {0}, n = {0}, k = {0};
  (void)a;
  split_kept(p, at, &b, &m, &n);
  int64_t size[MAX_AXES], count = 1;
  for (int i = 0; i < p->k.n; i++) {
    dim_is_int(l->dims, p->k.size[i], &size[i]);
    count *= size[i];
  }
  LExpr *sum = NULL;
  for (int64_t e = 0; e < count; e++) {
    int64_t rest = e;
    for (int i = p->k.n - 1; i >= 0; rest /= size[i--]) k.i[i] = x_int(x, rest % size[i]);
    LExpr *u = p->a(l, p, &b, &m, &k), *v = p->bv(l, p, &b, &n, &k);
    if (trial) *cost += x_divisions(u, lb_level(x)) + x_divisions(v, lb_level(x));
    else sum = lb_let(x, NULL, sum ? x_fma(x, u, v, sum) : x_op(x, OP_mul, p->dtype, u, v, NULL));
  }
  if (!trial) p->done(l, p, &b, &m, &n, sum ? sum : x_num(x, 0, p->dtype));
}
bool few_summands(const Lower *l, const Product *p) {
  int64_t n;
  return dim_is_int(l->dims, axes_count(l->dims, &p->k, 0, p->k.n), &n) && n <= 49;
}

/* ---- the last columns ---- */
/* Columns from `first` on of a product, as one of its own. Where B does not lie along K, they do so in workspace. */
typedef struct Rest {
  const Product *p;
  int64_t first, temp;
  bool copied;
} Rest;
static Idx shifted(Lower *l, const Rest *r, const Idx *n) {
  return (Idx){.i = {x_add(l->b, n->i[0], x_int(l->b, r->first))}};
}
static LExpr *copied_at(Lower *l, const Product *p, const Idx *b, const Idx *n, const Idx *k) {
  LB *x = l->b;
  LExpr *at = x_add(x, x_mul(x, axes_linear(x, &p->b, b), x_dim(x, p->n.size[0])), n->i[0]);
  return x_add(x, x_mul(x, at, x_dim(x, axes_count(l->dims, &p->k, 0, p->k.n))), axes_linear(x, &p->k, k));
}
static LExpr *rest_a(Lower *l, const Product *p, const Idx *b, const Idx *m, const Idx *k) {
  const Rest *r = p->ctx;
  return r->p->a(l, r->p, b, m, k);
}
static LExpr *rest_b(Lower *l, const Product *p, const Idx *b, const Idx *n, const Idx *k) {
  const Rest *r = p->ctx;
  if (r->copied) return x_load(l->b, lower_temp_array(l, r->temp, p->dtype, false), copied_at(l, p, b, n, k), NULL);
  const Idx at = shifted(l, r, n);
  return r->p->bv(l, r->p, b, &at, k);
}
static void rest_done(Lower *l, const Product *p, const Idx *b, const Idx *m, const Idx *n, LExpr *sum) {
  const Rest *r = p->ctx;
  const Idx at = shifted(l, r, n);
  r->p->done(l, r->p, b, m, &at, sum);
}
static void copy_body(Lower *l, const Axes *a, const Idx *at, bool trial, int *cost, void *ctx) {
  const Product *p = ctx;
  Idx b = {0}, n = {.i = {at->i[p->b.n]}}, k = {0};
  (void)a;
  for (int i = 0; i < p->b.n; i++) b.i[i] = at->i[i];
  for (int i = 0; i < p->k.n; i++) k.i[i] = at->i[p->b.n + 1 + i];
  LExpr *v = rest_b(l, p, &b, &n, &k);
  if (trial) *cost += x_divisions(v, lb_level(l->b));
  else
    lb_store(l->b, lower_temp_array(l, ((const Rest *)p->ctx)->temp, p->dtype, true), copied_at(l, p, &b, &n, &k), v);
}
/* A few columns behind whole vectors would take a vector of their own. Where A lies along K they are folds along K, for
 * which B's are copied. Returns how many they are, or 0. */
static int64_t rest_columns(Lower *l, const Product *p) {
  enum { LEAST = 1 << 22 }; /* multiplications */
  const int64_t lanes = target_lanes(l->target, p->dtype), M = dim_most(l, axes_count(l->dims, &p->m, 0, p->m.n));
  const int64_t K = dim_most(l, axes_count(l->dims, &p->k, 0, p->k.n));
  int64_t N;
  if (p->n.n != 1 || p->turned || p->outer || l->group->rows || !dim_is_int(l->dims, p->n.size[0], &N)) return 0;
  const int64_t rest = N % lanes;
  if (lanes == 1 || rest == 0 || N < lanes || (double)M * (double)N * (double)K < LEAST) return 0;
  Product one = *p;
  one.n = (Axes){0};
  if (product_reading(l, p, true) != READS_ALONG || contiguous_rows(l, &one)) return 0;
  const double fold = 4 + 512.0 / (double)K; /* columns of tiles that one column of folds takes */
  const double whole = tile_cost(l->target, p->dtype, M, N - rest) * (double)(N - rest);
  const double all = tile_cost(l->target, p->dtype, M, N) * (double)N;
  return whole > 0 && whole + fold * (double)rest < 0.9 * all ? rest : 0;
}

static void lower_folded(Lower *l, const Product *p) {
  Fold f = {.op = OP_add,
            .dtype = p->dtype,
            .red = p->k,
            .value = small_value,
            .done = small_done,
            .ctx = p,
            .name = p->name};
  f.kept = result_axes(p, &p->m, p->wanted.n ? &p->wanted : &p->n);
  if (few_summands(l, p)) {
    lower_nest(l, &f.kept, p->name, unrolled_body, (void *)(uintptr_t)p);
    return;
  }
  f.rows = contiguous_rows(l, p);
  lower_fold(l, &f);
}
void lower_product(Lower *l, const Product *p) {
  const int64_t rest = rest_columns(l, p);
  if (!rest) {
    if (!lower_tiled(l, p)) lower_folded(l, p);
    return;
  }
  const int64_t whole = dim_lower(l->dims, p->n.size[0]) - rest;
  Rest r = {.p = p, .first = whole};
  Product first = *p, last = *p;
  first.n.size[0] = dim_int(l->dims, whole);
  last.n.size[0] = dim_int(l->dims, rest);
  last.a = rest_a;
  last.bv = rest_b;
  last.done = rest_done;
  last.ctx = &r;
  if (contiguous_rows(l, p)) {
    Axes columns = result_axes(&last, &last.n, &last.k);
    r.temp = lower_temp(l, p->dtype, dim_most(l, axes_count(l->dims, &columns, 0, columns.n)));
    lower_nest(l, &columns, "pack", copy_body, &last);
    r.copied = true;
  }
  lower_product(l, &first);
  lower_folded(l, &last);
}

/* ---- the sum of the pieces of K of a tiled product ---- */
static LExpr *piece_value(Lower *l, const Fold *f, const Idx *kept, const Idx *red) {
  const Tiled *s = f->ctx;
  LExpr *at = x_mul(l->b, red->i[0], x_dim(l->b, axes_count(l->dims, &f->kept, 0, f->kept.n)));
  LArr *w = lower_temp_array(l, s->sum_temp, f->dtype, false);
  return x_load(l->b, w, x_add(l->b, at, axes_linear(l->b, &f->kept, kept)), NULL);
}
static void piece_done(Lower *l, const Fold *f, const Idx *kept, LExpr *result) {
  const Product *p = ((const Tiled *)f->ctx)->p;
  Idx b = {0}, m = {0}, n = {0};
  if (p->turned) split_result(p, kept, &p->n, &b, &n, &m);
  else split_result(p, kept, &p->m, &b, &m, &n);
  p->done(l, p, &b, &m, &n, result);
}
void sum_pieces(Lower *l, const Tiled *s) {
  const Product *p = s->p;
  Fold f = {.op = OP_add,
            .dtype = p->dtype,
            .rows = true,
            .ctx = s,
            .name = "combine",
            .value = piece_value,
            .done = piece_done};
  f.red = (Axes){.n = 1, .size = {dim_int(l->dims, s->t.splits)}};
  f.kept = p->turned ? result_axes(p, &p->n, &p->m) : result_axes(p, &p->m, &p->n); /* as they lie */
  lower_fold(l, &f);
}
