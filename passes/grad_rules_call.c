/* Gradient rules of functions of rows and matrices, in the order of ir/ops.def. Each is made of ops that have rules
 * themselves, so every order exists. Matrices are the last two axes; ^T swaps them. */
#include "passes/grad.h"
#define RULE(name) void grad_##name(Grad *c, NodeId n, NodeId dy)
#define X operand(c, n, 0)

static NodeId call(Grad *c, Op op, NodeId a, NodeId b, AttrKey key, int64_t v) {
  NodeId in[2] = {a, b};
  Attr attr = attr_int(c->g, key == A_NONE ? A_lower : key, v);
  return graph_add(c->g, op, c->loc, in, b ? 2 : 1, &attr, key != A_NONE, NULL);
}

RULE(cumsum) {
  int64_t reverse = node_int(c->g, graph_node(c->g, n), A_reverse);
  GIVE(0, call(c, OP_cumsum, dy, 0, A_reverse, !reverse));
}

/* dx[k] = sum over i >= k of dy[i] * product of x[j], j <= i, j != k: running products of the row with 1 in place k.
 * Quadratic, but right where elements are 0 and differentiable again. */
RULE(cumprod) {
  int64_t reverse = node_int(c->g, graph_node(c->g, n), A_reverse);
  Type t = operand_type(c, n, 0);
  DimTab *dims = c->g->dims;
  Dim plane[2] = {dim_int(dims, 1), t.shape[t.rank - 1]}, cube[3];
  for (int k = 0; k < t.rank - 1; k++) plane[0] = dim_mul(dims, plane[0], t.shape[k]);
  cube[0] = plane[0], cube[1] = cube[2] = plane[1];
  NodeId row = g_reshape(c->g, c->loc, X, 2, plane), d = g_reshape(c->g, c->loc, dy, 2, plane);
  NodeId a = g_broadcast(c->g, c->loc, row, 3, cube, (const int[]){0, 2});
  Type at = type_of(c->g->arena, I32, 3, cube);
  NodeId k = g_iota(c->g, c->loc, at, 1), i = g_iota(c->g, c->loc, at, 2);
  NodeId others = pick(c, map2(c, OP_eq, k, i), num(c, 1, a), a);
  NodeId products = call(c, OP_cumprod, others, 0, A_reverse, reverse);
  NodeId each = mul(c, products, g_broadcast(c->g, c->loc, d, 3, cube, (const int[]){0, 2}));
  NodeId later = map2(c, reverse ? OP_le : OP_ge, i, k), zero = num(c, 0, each);
  NodeId dx = g_reduce(c->g, OP_sum, c->loc, pick(c, later, each, zero), (const int[]){2}, 1);
  GIVE(0, shaped(c, dx, t));
}

/* ---- matrices ---- */

static NodeId flip(Grad *c, NodeId a) {
  int perm[MAX_RANK], rank = graph_type(c->g, a).rank;
  for (int k = 0; k < rank; k++) perm[k] = k;
  perm[rank - 2] = rank - 1, perm[rank - 1] = rank - 2;
  return g_transpose(c->g, c->loc, a, perm);
}

/* a b, or with `across` a^T b: labels 0 .. for what leads, then rows, columns, the summed axis. */
static NodeId times(Grad *c, NodeId a, bool across, NodeId b) {
  int rank = graph_type(c->g, a).rank, lead = rank - 2, la[MAX_RANK], lb[MAX_RANK], ly[MAX_RANK];
  for (int k = 0; k < lead; k++) la[k] = lb[k] = ly[k] = k;
  la[lead + across] = ly[lead] = lead;
  lb[lead + 1] = ly[lead + 1] = lead + 1;
  la[lead + !across] = lb[lead] = lead + 2;
  return g_dot(c->g, c->loc, a, b, la, lb, ly, rank);
}

/* a where `op` holds between row and column, else 0. */
static NodeId triangle(Grad *c, NodeId a, Op op) {
  Type t = graph_type(c->g, a), at = type_of(c->g->arena, I32, t.rank, t.shape);
  NodeId row = g_iota(c->g, c->loc, at, t.rank - 2), column = g_iota(c->g, c->loc, at, t.rank - 1);
  return pick(c, map2(c, op, row, column), a, num(c, 0, a));
}

static NodeId symmetric(Grad *c, NodeId a) {
  NodeId sum = add(c, a, flip(c, a));
  return mul(c, sum, num(c, 0.5, sum));
}

static NodeId triangular(Grad *c, NodeId a, NodeId b, bool lower) {
  return call(c, OP_triangular_solve, a, b, A_lower, lower);
}

/* dA = sym(L^-T P L^-1), P the lower triangle of L^T dL with half of its diagonal (Murray, Differentiation of the
 * Cholesky decomposition, 2016). */
RULE(cholesky) {
  NodeId p = times(c, n, true, triangle(c, dy, OP_ge)), lower = triangle(c, p, OP_ge), below = triangle(c, p, OP_gt);
  NodeId sum = add(c, lower, below), half = mul(c, sum, num(c, 0.5, p)), up = flip(c, n);
  NodeId left = triangular(c, up, half, false);
  GIVE(0, symmetric(c, triangular(c, up, flip(c, left), false)));
}

/* T y = b: db = T^-T dy, dT = -(db y^T) on the triangle. */
RULE(triangular_solve) {
  bool lower = node_int(c->g, graph_node(c->g, n), A_lower);
  NodeId db = triangular(c, flip(c, X), dy, !lower);
  GIVE(0, neg(c, triangle(c, times(c, db, false, flip(c, n)), lower ? OP_ge : OP_le)));
  GIVE(1, db);
}

RULE(solve) {
  NodeId db = call(c, OP_solve, flip(c, X), dy, A_NONE, 0);
  GIVE(0, neg(c, times(c, db, false, flip(c, n))));
  GIVE(1, db);
}

/* d log det a = tr(a^-1 da) */
RULE(logdet) {
  Type t = operand_type(c, n, 0);
  int axes[MAX_RANK];
  for (int k = 0; k < t.rank; k++) axes[k] = k;
  NodeId unit = triangle(c, num(c, 1, X), OP_eq), inverse = call(c, OP_solve, flip(c, X), unit, A_NONE, 0);
  GIVE(0, mul(c, g_broadcast(c->g, c->loc, dy, t.rank, t.shape, axes), inverse));
}

/* Q of a = Q R: M = -dQ^T Q, S = tril(M) + tril(M, -1)^T, dA = (dQ + Q S) R^-T (Walter and Lehmann, Algorithmic
 * differentiation of linear algebra functions, 2010). */
RULE(orthonormal) {
  NodeId r = triangle(c, times(c, n, true, X), OP_le), m = neg(c, times(c, dy, true, n));
  NodeId low = triangle(c, m, OP_ge), s = add(c, low, flip(c, triangle(c, m, OP_gt)));
  NodeId w = add(c, dy, times(c, n, false, s));
  GIVE(0, flip(c, triangular(c, r, flip(c, w), false)));
}

/* Rows lo .. of the packed result. */
static NodeId rows_of(Grad *c, NodeId y, int64_t lo, Dim count) {
  Type t = graph_type(c->g, y);
  Dim start[MAX_RANK], size[MAX_RANK];
  int64_t step[MAX_RANK];
  for (int k = 0; k < t.rank; k++) {
    start[k] = dim_int(c->g->dims, k == t.rank - 2 ? lo : 0);
    size[k] = k == t.rank - 2 ? count : t.shape[k];
    step[k] = 1;
  }
  return g_slice(c->g, c->loc, y, start, step, size);
}
/* [.., 1, n] as rows (every row the same) or, turned, as columns of [.., n, n]. */
static NodeId spread(Grad *c, NodeId line, Type square, bool down) {
  int axes[MAX_RANK];
  for (int k = 0; k < square.rank; k++) axes[k] = k;
  return g_broadcast(c->g, c->loc, down ? flip(c, line) : line, square.rank, square.shape, axes);
}

/* dA = sym(V (diag(dw) + F * (V^T dV)) V^T), F[i,j] = 1 / (w[j] - w[i]); 0 on the diagonal and between equal values,
 * for there only functions that do not depend on the choice of vectors have a gradient (Giles, Collected matrix
 * derivative results, 2008). */
RULE(eigh) {
  Type t = operand_type(c, n, 0);
  Dim one = dim_int(c->g->dims, 1), size = t.shape[t.rank - 1];
  NodeId w = rows_of(c, n, 0, one), v = rows_of(c, n, 1, size), dw = rows_of(c, dy, 0, one),
         dv = rows_of(c, dy, 1, size);
  NodeId column = spread(c, w, t, false), gap = sub(c, column, spread(c, w, t, true)), zero = num(c, 0, gap);
  NodeId equal = map2(c, OP_eq, gap, zero), safe = pick(c, equal, num(c, 1, gap), gap);
  NodeId f = pick(c, equal, zero, quo(c, num(c, 1, gap), safe));
  NodeId off = mul(c, f, times(c, v, true, dv)), diagonal = triangle(c, spread(c, dw, t, false), OP_eq);
  NodeId left = times(c, v, false, add(c, diagonal, off));
  GIVE(0, symmetric(c, times(c, left, false, flip(c, v))));
}
