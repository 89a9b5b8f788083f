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
void lower_product(Lower *l, const Product *p) {
  Tile t;
  if (tile_choose(l, p, &t)) {
    lower_tiled(l, p, &t);
    return;
  }
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
  f.rows = p->n.n > 0;
  lower_fold(l, &f);
}
