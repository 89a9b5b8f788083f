/* Products too small or too thin for tiles: a fold of A * B, whole rows of the result at a time. */
#include "codegen/lower.h"

static void split_kept(const Product *p, const Idx *kept, Idx *b, Idx *m, Idx *n) {
  for (int i = 0; i < p->b.n; i++) b->i[i] = kept->i[i];
  for (int i = 0; i < p->m.n; i++) m->i[i] = kept->i[p->b.n + i];
  for (int i = 0; i < p->n.n; i++) n->i[i] = kept->i[p->b.n + p->m.n + i];
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
void lower_product(Lower *l, const Product *p) {
  if (lower_tiled(l, p)) return;
  Fold f = {.op = OP_add,
            .dtype = p->dtype,
            .red = p->k,
            .value = small_value,
            .done = small_done,
            .ctx = p,
            .name = p->name};
  const Axes *parts[] = {&p->b, &p->m, &p->n};
  for (int k = 0; k < 3; k++)
    for (int i = 0; i < parts[k]->n; i++) f.kept.size[f.kept.n++] = parts[k]->size[i];
  f.rows = contiguous_rows(l, p);
  lower_fold(l, &f);
}
