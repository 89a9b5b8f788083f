/* Contractions as products: which axes of the operands are batch, rows (M), columns (N) and summed (K). */
#include "base/ds.h"
#include "codegen/lower.h"

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
static void lower_dot(Lower *l, const Node *n) {
  DotCtx c = {.n = n, .a = n->in[0], .b = n->in[1]};
  c.na = node_ints(l->g, n, A_la, c.la, MAX_RANK);
  c.nb = node_ints(l->g, n, A_lb, c.lb, MAX_RANK);
  c.ny = node_ints(l->g, n, A_ly, c.ly, MAX_RANK);
  /* the operand that has the contiguous axis of the result becomes B */
  for (int i = c.ny - 1; i >= 0; i--) {
    bool in_a = find(c.la, c.na, c.ly[i]) >= 0, in_b = find(c.lb, c.nb, c.ly[i]) >= 0;
    if (in_a && in_b) continue;
    if (in_a) {
      DotCtx d = c;
      c.a = d.b;
      c.b = d.a;
      c.na = d.nb;
      c.nb = d.na;
      for (int k = 0; k < MAX_RANK; k++) {
        c.la[k] = d.lb[k];
        c.lb[k] = d.la[k];
      }
    }
    break;
  }
  Type a = graph_type(l->g, c.a), b = graph_type(l->g, c.b);
  Product p = {.a = dot_a, .bv = dot_b, .done = dot_done, .ctx = &c, .name = "dot", .dtype = sum_type(n->type.dtype)};
  for (int i = 0; i < c.ny; i++) {
    int in_a = find(c.la, c.na, c.ly[i]), in_b = find(c.lb, c.nb, c.ly[i]);
    if (in_a >= 0 && in_b >= 0) push(&p.b, c.B, &c.nB, c.ly[i], a.shape[in_a]);
    else if (in_a >= 0) push(&p.m, c.M, &c.nM, c.ly[i], a.shape[in_a]);
    else push(&p.n, c.N, &c.nN, c.ly[i], b.shape[in_b]);
  }
  for (int i = 0; i < c.na; i++)
    if (find(c.ly, c.ny, c.la[i]) < 0) push(&p.k, c.K, &c.nK, c.la[i], a.shape[i]);
  lower_product(l, &p);
}

/* ---- convolutions ----
 * y[n, o, p] = sum over c, k of x[n, c, p s + k d - low] w[o, c, k], within each group.
 *   conv     A = w (o x c k)         B = X (c k x n p)           X: the image with its border of zeros
 *   conv_dx  A = w (c x o k)         B = D (o k x n i)           D: dy spread by the stride, with a border; w is
 * flipped conv_dw  A = dy (o x n p)        B = X (n p x c k) B's operand is first copied with its border into
 * workspace, so that every read of it is in range and at an address that is a part of K plus a part of N. */
typedef struct ConvCtx {
  const Node *n;
  Op op;
  int spatial;
  int64_t stride[MAX_RANK], low[MAX_RANK], dilation[MAX_RANK], groups;
  NodeId image, weight, grad; /* those that are operands; `image` is what is copied */
  Axes padded;                /* the copy: [N, C, spatial with border] */
  int64_t temp;
  Dim cg, og;  /* channels per group */
  Axes kernel; /* spatial sizes of w */
} ConvCtx;

static LExpr *channel(Lower *l, const ConvCtx *c, const Idx *b, LExpr *i, Dim each) {
  return c->groups > 1 ? x_add(l->b, x_mul(l->b, b->i[0], x_dim(l->b, each)), i) : i;
}
static LExpr *padded_at(Lower *l, const ConvCtx *c, const Idx *at, DType t) {
  LArr *w = lower_temp_array(l, c->temp, t, false);
  return x_load(l->b, w, axes_linear(l->b, &c->padded, at), NULL);
}

/* conv: m = o; n = n, p..; k = c, k.. */
static LExpr *conv_a(Lower *l, const Product *p, const Idx *b, const Idx *m, const Idx *k) {
  const ConvCtx *c = p->ctx;
  Idx at = {{channel(l, c, b, m->i[0], c->og)}};
  for (int i = 0; i <= c->spatial; i++) at.i[1 + i] = k->i[i];
  return x_cast(l->b, value_at(l, c->weight, &at), p->dtype);
}
static LExpr *conv_b(Lower *l, const Product *p, const Idx *b, const Idx *n, const Idx *k) {
  const ConvCtx *c = p->ctx;
  Idx at = {{n->i[0], channel(l, c, b, k->i[0], c->cg)}};
  for (int i = 0; i < c->spatial; i++)
    at.i[2 + i] = x_add(l->b, x_mul(l->b, n->i[1 + i], x_int(l->b, c->stride[i])),
                        x_mul(l->b, k->i[1 + i], x_int(l->b, c->dilation[i])));
  return padded_at(l, c, &at, p->dtype);
}
/* conv_dx: m = c; n = n, i..; k = o, k.. */
static LExpr *dx_a(Lower *l, const Product *p, const Idx *b, const Idx *m, const Idx *k) {
  const ConvCtx *c = p->ctx;
  Idx at = {{channel(l, c, b, k->i[0], c->og), m->i[0]}};
  for (int i = 0; i < c->spatial; i++) at.i[2 + i] = k->i[1 + i];
  return x_cast(l->b, value_at(l, c->weight, &at), p->dtype);
}
static LExpr *dx_b(Lower *l, const Product *p, const Idx *b, const Idx *n, const Idx *k) {
  const ConvCtx *c = p->ctx;
  Idx at = {{n->i[0], channel(l, c, b, k->i[0], c->og)}};
  for (int i = 0; i < c->spatial; i++) {
    LExpr *last = x_sub(l->b, x_dim(l->b, c->kernel.size[i]), x_int(l->b, 1));
    LExpr *flipped = x_mul(l->b, x_sub(l->b, last, k->i[1 + i]), x_int(l->b, c->dilation[i]));
    at.i[2 + i] = x_add(l->b, n->i[1 + i], flipped);
  }
  return padded_at(l, c, &at, p->dtype);
}
/* conv_dw: m = o; n = c, k..; k = n, p.. */
static LExpr *dw_a(Lower *l, const Product *p, const Idx *b, const Idx *m, const Idx *k) {
  const ConvCtx *c = p->ctx;
  Idx at = {{k->i[0], channel(l, c, b, m->i[0], c->og)}};
  for (int i = 0; i < c->spatial; i++) at.i[2 + i] = k->i[1 + i];
  return x_cast(l->b, value_at(l, c->grad, &at), p->dtype);
}
static LExpr *dw_b(Lower *l, const Product *p, const Idx *b, const Idx *n, const Idx *k) {
  const ConvCtx *c = p->ctx;
  Idx at = {{k->i[0], channel(l, c, b, n->i[0], c->cg)}};
  for (int i = 0; i < c->spatial; i++)
    at.i[2 + i] = x_add(l->b, x_mul(l->b, k->i[1 + i], x_int(l->b, c->stride[i])),
                        x_mul(l->b, n->i[1 + i], x_int(l->b, c->dilation[i])));
  return padded_at(l, c, &at, p->dtype);
}

static void conv_done(Lower *l, const Product *p, const Idx *b, const Idx *m, const Idx *n, LExpr *sum) {
  const ConvCtx *c = p->ctx;
  Axes out = axes_of(l, l->group->heavy);
  Idx at = {0};
  if (c->op == OP_conv_dw) {
    at.i[0] = channel(l, c, b, m->i[0], c->og);
    for (int i = 0; i <= c->spatial; i++) at.i[1 + i] = n->i[i];
  } else {
    at.i[0] = n->i[0];
    at.i[1] = channel(l, c, b, m->i[0], c->op == OP_conv ? c->og : c->cg);
    for (int i = 0; i < c->spatial; i++) at.i[2 + i] = n->i[1 + i];
  }
  store_epilogue(l, &out, &at, x_cast(l->b, sum, c->n->type.dtype));
}

/* The copy with its border: X[t] = x[t - low]; D[t] = dy[u / s] with u = t + low - (k - 1) d where s divides u. */
static void pad_body(Lower *l, const Axes *a, const Idx *at, bool trial, int *cost, void *ctx) {
  const ConvCtx *c = ctx;
  LB *b = l->b;
  Axes from = axes_of(l, c->image);
  Idx in = *at;
  LExpr *inside = NULL;
  DType t = sum_type(c->n->type.dtype);
  for (int i = 0; i < c->spatial; i++) {
    int axis = 2 + i;
    LExpr *u = at->i[axis];
    Dim size = from.size[axis];
    if (c->op == OP_conv_dx) {
      LExpr *reach = x_mul(b, x_sub(b, x_dim(b, c->kernel.size[i]), x_int(b, 1)), x_int(b, c->dilation[i]));
      u = x_sub(b, x_add(b, u, x_int(b, c->low[i])), reach);
      inside = x_and(b, inside, x_ge(b, u, x_int(b, 0)));
      if (c->stride[i] > 1) { /* a negative u is outside already */
        LExpr *s = x_int(b, c->stride[i]);
        inside = x_and(b, inside, x_eq(b, x_mod(b, u, s), x_int(b, 0)));
        u = x_div(b, u, s);
      }
    } else if (c->low[i] != 0) {
      u = x_sub(b, u, x_int(b, c->low[i]));
      if (c->low[i] > 0) inside = x_and(b, inside, x_ge(b, u, x_int(b, 0)));
    }
    inside = x_and(b, inside, x_lt(b, u, x_dim(b, size)));
    in.i[axis] = u;
  }
  l->guard = inside;
  LExpr *v = value_at(l, c->image, &in);
  l->guard = NULL;
  v = x_cast(b, x_select(b, inside, v, x_num(b, 0, v->dtype)), t);
  if (trial) *cost = x_divisions(v, lb_level(b));
  else lb_store(b, lower_temp_array(l, c->temp, t, true), axes_linear(b, a, at), v);
}

static void lower_conv(Lower *l, const Node *n) {
  DimTab *d = l->dims;
  ConvCtx c = {.n = n, .op = (Op)n->op};
  c.spatial = node_ints(l->g, n, A_stride, c.stride, MAX_RANK);
  node_ints(l->g, n, A_low, c.low, MAX_RANK);
  node_ints(l->g, n, A_dilation, c.dilation, MAX_RANK);
  c.groups = node_int(l->g, n, A_groups);
  Type y = n->type, w, x, dy;
  if (c.op == OP_conv) {
    c.image = n->in[0];
    c.weight = n->in[1];
    x = graph_type(l->g, c.image);
    w = graph_type(l->g, c.weight);
    dy = y;
  } else if (c.op == OP_conv_dx) {
    c.image = n->in[0];
    c.weight = n->in[1];
    x = y;
    w = graph_type(l->g, c.weight);
    dy = graph_type(l->g, c.image);
  } else {
    c.image = n->in[0];
    c.grad = n->in[1];
    x = graph_type(l->g, c.image);
    w = y;
    dy = graph_type(l->g, c.grad);
  }
  Dim groups = dim_int(d, c.groups);
  c.og = dim_floordiv(d, w.shape[0], groups);
  c.cg = w.shape[1];
  Product p = {.ctx = &c, .name = op_info[n->op].name, .dtype = sum_type(y.dtype), .done = conv_done, .slack = true};
  if (c.groups > 1) p.b = (Axes){.n = 1, .size = {groups}};
  Axes pixels = {0}, window = {0}, inputs = {0}; /* of dy, of w, of x */
  c.padded = axes_of(l, c.image);
  for (int i = 0; i < c.spatial; i++) {
    Dim k = w.shape[2 + i], reach = dim_mul(d, dim_sub(d, k, dim_int(d, 1)), dim_int(d, c.dilation[i]));
    pixels.size[pixels.n++] = dy.shape[2 + i];
    window.size[window.n++] = k;
    inputs.size[inputs.n++] = x.shape[2 + i];
    Dim last = dim_mul(d, dim_sub(d, dy.shape[2 + i], dim_int(d, 1)), dim_int(d, c.stride[i]));
    c.padded.size[2 + i] =
        c.op == OP_conv_dx ? dim_add(d, x.shape[2 + i], reach) : dim_add(d, dim_add(d, last, reach), dim_int(d, 1));
  }
  c.kernel = window;
  Axes first_n = {.n = 1}, first_k = {.n = 1};
  p.m.n = 1;
  if (c.op == OP_conv) {
    p.a = conv_a;
    p.bv = conv_b;
    p.m.size[0] = c.og;
    first_n.size[0] = x.shape[0];
    first_k.size[0] = c.cg;
  } else if (c.op == OP_conv_dx) {
    p.a = dx_a;
    p.bv = dx_b;
    p.m.size[0] = c.cg;
    first_n.size[0] = x.shape[0];
    first_k.size[0] = c.og;
  } else {
    p.a = dw_a;
    p.bv = dw_b;
    p.m.size[0] = c.og;
    first_n.size[0] = c.cg;
    first_k.size[0] = x.shape[0];
  }
  const Axes *rest_n = c.op == OP_conv ? &pixels : c.op == OP_conv_dx ? &inputs : &window;
  const Axes *rest_k = c.op == OP_conv_dw ? &pixels : &window;
  p.n = first_n;
  p.k = first_k;
  for (int i = 0; i < c.spatial; i++) {
    p.n.size[p.n.n++] = rest_n->size[i];
    p.k.size[p.k.n++] = rest_k->size[i];
  }
  /* slack: a vector beyond the end may be read */
  c.temp = lower_temp(l, p.dtype, dim_most(l, axes_count(d, &c.padded, 0, c.padded.n)) + 64);
  lower_nest(l, &c.padded, "border", pad_body, &c);
  lower_product(l, &p);
}

void lower_contract(Lower *l) {
  const Node *n = graph_node(l->g, l->group->heavy);
  if (n->op == OP_dot) lower_dot(l, n);
  else if (!lower_winograd(l, n)) lower_conv(l, n);
}
