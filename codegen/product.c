/* Products too small or too thin for tiles: a fold of A * B, whole rows of the result at a time. */
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
static bool few_summands(const Lower *l, const Product *p) {
  int64_t n;
  return dim_is_int(l->dims, axes_count(l->dims, &p->k, 0, p->k.n), &n) && n <= 49;
}
void lower_product(Lower *l, const Product *p) {
  if (lower_tiled(l, p)) return;
  Fold f = {.op = OP_add,
            .dtype = p->dtype,
            .red = p->k,
            .value = small_value,
            .done = small_done,
            .ctx = p,
            .name = p->name};
  f.kept = result_axes(p, &p->m, &p->n);
  if (few_summands(l, p)) {
    lower_nest(l, &f.kept, p->name, unrolled_body, (void *)(uintptr_t)p);
    return;
  }
  f.rows = contiguous_rows(l, p);
  lower_fold(l, &f);
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
