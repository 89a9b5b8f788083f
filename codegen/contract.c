/* Contractions as products: which axes of the operands are batch, rows (M), columns (N) and summed (K). */
#include "base/ds.h"
#include "codegen/lower.h"
#include <string.h>

static DType sum_type(DType t) { return t == F64 ? F64 : F32; }

/* ---- dot ---- */
typedef struct DotCtx {
  const Node *n;
  NodeId a, b; /* a has the M axes, b the N axes */
  int na, nb, ny;
  int64_t la[MAX_RANK], lb[MAX_RANK], ly[MAX_RANK];
  int nB, nM, nN, nK;
  int64_t B[MAX_RANK], M[MAX_RANK], N[MAX_RANK], K[MAX_RANK]; /* labels */
} DotCtx;

static LExpr *by_label(const DotCtx *c, int64_t label, const Idx *b, const Idx *m, const Idx *n, const Idx *k) {
  for (int i = 0; i < c->nB; i++)
    if (c->B[i] == label) return b->i[i];
  for (int i = 0; i < c->nM; i++)
    if (c->M[i] == label) return m->i[i];
  for (int i = 0; i < c->nN; i++)
    if (c->N[i] == label) return n->i[i];
  for (int i = 0; i < c->nK; i++)
    if (c->K[i] == label) return k->i[i];
  INTERNAL("a label of dot is nowhere");
}
static LExpr *dot_a(Lower *l, const Product *p, const Idx *b, const Idx *m, const Idx *k) {
  const DotCtx *c = p->ctx;
  Idx at = {0};
  for (int i = 0; i < c->na; i++) at.i[i] = by_label(c, c->la[i], b, m, NULL, k);
  return x_cast(l->b, value_at(l, c->a, &at), p->dtype);
}
static LExpr *dot_b(Lower *l, const Product *p, const Idx *b, const Idx *n, const Idx *k) {
  const DotCtx *c = p->ctx;
  Idx at = {0};
  for (int i = 0; i < c->nb; i++) at.i[i] = by_label(c, c->lb[i], b, NULL, n, k);
  return x_cast(l->b, value_at(l, c->b, &at), p->dtype);
}
static void dot_done(Lower *l, const Product *p, const Idx *b, const Idx *m, const Idx *n, LExpr *sum) {
  const DotCtx *c = p->ctx;
  Axes out = axes_of(l, l->group->heavy);
  Idx at = {0};
  for (int i = 0; i < c->ny; i++) at.i[i] = by_label(c, c->ly[i], b, m, n, NULL);
  store_epilogue(l, &out, &at, x_cast(l->b, sum, c->n->type.dtype));
}

static int find(const int64_t *list, int n, int64_t label) {
  for (int i = 0; i < n; i++)
    if (list[i] == label) return i;
  return -1;
}
static void push(Axes *a, int64_t *labels, int *n, int64_t label, Dim size) {
  labels[(*n)++] = label;
  a->size[a->n++] = size;
}
/* The axes of `a` that stand in `labels`, in the order in which an operand with labels `in` has them. */
static void as_in(Axes *a, int64_t *labels, const int64_t *in, int n_in) {
  Axes to = {0};
  int64_t sorted[MAX_RANK];
  int n = 0;
  for (int i = 0; i < n_in; i++) {
    const int at = find(labels, a->n, in[i]);
    if (at >= 0) push(&to, sorted, &n, in[i], a->size[at]);
  }
  *a = to;
  for (int i = 0; i < n; i++) labels[i] = sorted[i];
}
/* Several axes are gone through as one: in an order in which operands lie so they need not be packed. Of summed axes
 * that the operands have in different orders, the larger operand's is taken, so that the smaller one is packed; rows
 * take the order of A, where the result has another one. */
static void order_axes(Lower *l, DotCtx *c, Product *p) {
  const DotCtx before = *c;
  const Axes m = p->m, k = p->k;
  if (c->nK >= 2 && product_reading(l, p, false) == READS_APART) {
    as_in(&p->k, c->K, c->lb, c->nb);
    bool fewer =
        dim_most(l, axes_count(l->dims, &p->n, 0, p->n.n)) > dim_most(l, axes_count(l->dims, &p->m, 0, p->m.n));
    if (product_reading(l, p, false) != READS_ALONG || !(fewer || product_reading(l, p, true) == READS_ALONG)) {
      p->k = k;
      memcpy(c->K, before.K, sizeof c->K);
    }
  }
  if (c->nM >= 2 && c->nN > 0 && product_reading(l, p, true) == READS_APART) {
    as_in(&p->m, c->M, c->la, c->na);
    if (product_reading(l, p, true) == READS_ALONG) return;
    p->m = m;
    memcpy(c->M, before.M, sizeof c->M);
  }
}

/* A becomes B, and B becomes A. */
static void exchange(DotCtx *c) {
  const DotCtx d = *c;
  c->a = d.b;
  c->b = d.a;
  c->na = d.nb;
  c->nb = d.na;
  memcpy(c->la, d.lb, sizeof c->la);
  memcpy(c->lb, d.la, sizeof c->lb);
}
static Product product_of(Lower *l, DotCtx *c) {
  Type a = graph_type(l->g, c->a), b = graph_type(l->g, c->b);
  Product p = {.a = dot_a, .bv = dot_b, .done = dot_done, .ctx = c, .name = "dot", .dtype = sum_type(c->n->type.dtype)};
  c->nB = c->nM = c->nN = c->nK = 0;
  for (int i = 0; i < c->ny; i++) {
    int in_a = find(c->la, c->na, c->ly[i]), in_b = find(c->lb, c->nb, c->ly[i]);
    if (in_a >= 0 && in_b >= 0) push(&p.b, c->B, &c->nB, c->ly[i], a.shape[in_a]);
    else if (in_a >= 0) push(&p.m, c->M, &c->nM, c->ly[i], a.shape[in_a]);
    else push(&p.n, c->N, &c->nN, c->ly[i], b.shape[in_b]);
  }
  for (int i = 0; i < c->na; i++)
    if (find(c->ly, c->ny, c->la[i]) < 0) push(&p.k, c->K, &c->nK, c->la[i], a.shape[i]);
  return p;
}
/* Few columns fill vectors badly. Where A lies along its rows and both are read where they lie, A can take their place;
 * the result then goes out through squares. */
static bool pays_exchanged(Lower *l, const DotCtx *c, const Product *p) {
  if (l->group->rows) return false;
  const double squares = 16; /* what turning a result costs, in multiplications of an element */
  int64_t M, N, K = dim_most(l, axes_count(l->dims, &p->k, 0, p->k.n));
  if (c->nM != 1 || c->nN != 1 || c->la[c->na - 1] != c->M[0] || c->lb[c->nb - 1] != c->N[0]) return false;
  if (!dim_is_int(l->dims, p->m.size[0], &M) || !dim_is_int(l->dims, p->n.size[0], &N) || K < 1) return false;
  if (product_reading(l, p, true) != READS_ALONG || product_reading(l, p, false) != READS_ALONG) return false;
  double here = tile_cost(l->target, p->dtype, M, N), turned = tile_cost(l->target, p->dtype, N, M);
  return turned > 0 && turned + squares / (double)K < 0.9 * here;
}
static void lower_dot(Lower *l, const Node *n) {
  DotCtx c = {.n = n, .a = n->in[0], .b = n->in[1]};
  c.na = node_ints(l->g, n, A_la, c.la, MAX_RANK);
  c.nb = node_ints(l->g, n, A_lb, c.lb, MAX_RANK);
  c.ny = node_ints(l->g, n, A_ly, c.ly, MAX_RANK);
  /* the operand that has the contiguous axis of the result becomes B */
  for (int i = c.ny - 1; i >= 0; i--) {
    bool in_a = find(c.la, c.na, c.ly[i]) >= 0, in_b = find(c.lb, c.nb, c.ly[i]) >= 0;
    if (in_a && in_b) continue;
    if (in_a) exchange(&c);
    break;
  }
  Product p = product_of(l, &c);
  if (pays_exchanged(l, &c, &p)) {
    exchange(&c);
    p = product_of(l, &c);
    p.turned = true;
  } else order_axes(l, &c, &p);
  lower_product(l, &p);
}

void lower_contract(Lower *l) {
  const Node *n = graph_node(l->g, l->group->heavy);
  if (n->op == OP_dot) lower_dot(l, n);
  else if (!lower_winograd(l, n)) lower_convolution(l, n);
}
