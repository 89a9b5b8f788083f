/* Functions of rows and matrices: cumsum, cumprod, argsort along an axis; factorisations and solutions on the last two
 * axes; the largest at run-time indices. */
#include "frontend/elab_priv.h"

#define GRAPH (e->trace->graph)

static NodeId call(Elab *e, Op op, NodeId a, NodeId b, AttrKey key, int64_t v, Loc at) {
  NodeId in[2] = {a, b};
  Attr attr = attr_int(GRAPH, key == A_NONE ? A_lower : key, v);
  return graph_add(GRAPH, op, elab_place(e, at), in, b ? 2 : 1, &attr, key != A_NONE, NULL);
}

static bool row_op(Elab *e, Value **a, NodeId *x, int *axis, bool *flag, const char *what, Loc at) {
  Value *v = a[0];
  if (!want_tensor(e, &v, "the first argument", at) || !want_axis(e, a[1], v_type(v).rank, axis, "`axis`", at) ||
      !want_bool(e, a[2], flag, what, at))
    return false;
  *x = axis_last(e, nid(v), *axis, false, at);
  return true;
}

/* Running sums and products; bools are counted in i32. */
static Value *cumulate(Elab *e, Value **a, int n, Loc at) {
  NodeId x;
  int axis;
  bool reverse;
  Op op = (Op)e->native->data;
  if (!row_op(e, a, &x, &axis, &reverse, "`reverse`", at)) return e->poison;
  if (graph_type(GRAPH, x).dtype == BOOL) {
    if (op == OP_cumprod) return elab_error(e, at, E0310, "`cumprod` takes numbers, not bool");
    x = g_cast(GRAPH, elab_place(e, at), x, I32);
  }
  return v_tensor(e, axis_last(e, call(e, op, x, 0, A_reverse, reverse, at), axis, true, at));
}

static Value *argsort(Elab *e, Value **a, int n, Loc at) {
  NodeId x;
  int axis;
  bool descending;
  if (!row_op(e, a, &x, &axis, &descending, "`descending`", at)) return e->poison;
  if (graph_type(GRAPH, x).dtype == BOOL) x = g_cast(GRAPH, elab_place(e, at), x, U8);
  return v_tensor(e, axis_last(e, call(e, OP_argsort, x, 0, A_descending, descending, at), axis, true, at));
}

/* ---- matrices ---- */

static bool want_matrix(Elab *e, Value **v, bool square, Loc at) {
  if (!want_tensor(e, v, "the matrix", at)) return false;
  Type t = v_type(*v);
  const char *name = e->native->name;
  if (!dtype_is_float(t.dtype)) {
    elab_error(e, at, E0310, "`%s` takes floats, not %s", name, type_text(e, t));
    elab_help(e, "cast first: `f32(x)`");
    return false;
  }
  if (t.rank < 2) {
    elab_error(e, at, E0341, "`%s` needs a matrix, but this is %s", name, type_text(e, t));
    return false;
  }
  if (square && dim_eq(e->dims, t.shape[t.rank - 2], t.shape[t.rank - 1]) != DIM_YES) {
    elab_error(e, at, E0365, "`%s` needs a square matrix, but this is %s", name, type_text(e, t));
    elab_note(e, graph_node(GRAPH, nid(*v))->loc, "it was made here");
    return false;
  }
  return true;
}

static Value *square(Elab *e, Value **a, int n, Loc at) {
  Value *x = a[0];
  if (!want_matrix(e, &x, true, at)) return e->poison;
  return v_tensor(e, call(e, (Op)e->native->data, nid(x), 0, A_NONE, 0, at));
}

/* orthonormal(a): Q of a = Q R */
static Value *orthonormal(Elab *e, Value **a, int n, Loc at) {
  Value *x = a[0];
  if (!want_matrix(e, &x, false, at)) return e->poison;
  Type t = v_type(x);
  if (dim_le(e->dims, t.shape[t.rank - 1], t.shape[t.rank - 2]) != DIM_YES) {
    elab_error(e, at, E0366, "`orthonormal` needs at least as many rows as columns, but this is %s", type_text(e, t));
    return e->poison;
  }
  return v_tensor(e, call(e, OP_orthonormal, nid(x), 0, A_NONE, 0, at));
}

static NodeId rows_of(Elab *e, NodeId y, int64_t lo, Dim count, Loc at) {
  Type t = graph_type(GRAPH, y);
  Dim start[MAX_RANK], size[MAX_RANK];
  int64_t step[MAX_RANK];
  for (int k = 0; k < t.rank; k++) {
    start[k] = dim_int(e->dims, k == t.rank - 2 ? lo : 0);
    size[k] = k == t.rank - 2 ? count : t.shape[k];
    step[k] = 1;
  }
  return g_slice(GRAPH, elab_place(e, at), y, start, step, size);
}

/* eigh(a) -> (values, vectors as columns) */
static Value *eigh(Elab *e, Value **a, int n, Loc at) {
  Value *x = a[0];
  if (!want_matrix(e, &x, true, at)) return e->poison;
  NodeId y = call(e, OP_eigh, nid(x), 0, A_NONE, 0, at), values = rows_of(e, y, 0, dim_int(e->dims, 1), at);
  Type t = v_type(x);
  Dim shape[MAX_RANK];
  for (int k = 0; k < t.rank - 1; k++) shape[k] = t.shape[k];
  Value **items = arena_array(e->arena, Value *, 2);
  items[0] = v_tensor(e, g_reshape(GRAPH, elab_place(e, at), values, t.rank - 1, shape));
  items[1] = v_tensor(e, rows_of(e, y, 1, t.shape[t.rank - 1], at));
  return v_tuple(e, items, NULL, 2);
}

/* Repeats matrices over the leading axes of the other side, where that has more of them or this one has 1. */
static NodeId lead_like(Elab *e, NodeId x, Type like, Loc at) {
  Type t = graph_type(GRAPH, x);
  Dim shape[MAX_RANK];
  if (t.rank > like.rank) return x;
  for (int k = 0; k < like.rank - 2; k++) shape[k] = like.shape[k];
  shape[like.rank - 2] = t.shape[t.rank - 2], shape[like.rank - 1] = t.shape[t.rank - 1];
  for (int k = 0; k < t.rank - 2; k++)
    if (t.shape[k] != like.shape[k + like.rank - t.rank] && !dim_is(e->dims, t.shape[k], 1)) return x;
  return broadcast_node(e, x, like.rank, shape, at);
}

/* solve(a, b), triangular_solve(a, b, lower): b is a matrix, or with one axis less than a, a vector. */
static Value *solve(Elab *e, Value **v, int n, Loc at) {
  Op op = (Op)e->native->data;
  Value *a = v[0], *b = v[1];
  bool lower = false;
  if (!want_matrix(e, &a, true, at) || !want_tensor(e, &b, "the right side", at)) return e->poison;
  if (op == OP_triangular_solve && !want_bool(e, v[2], &lower, "`lower`", at)) return e->poison;
  Type t = v_type(a), u = v_type(b);
  Dim shape[MAX_RANK];
  bool vector = u.rank == t.rank - 1;
  NodeId x = nid(a), y = nid(b);
  for (int k = 0; k < u.rank; k++) shape[k] = u.shape[k];
  if (vector) {
    shape[u.rank] = dim_int(e->dims, 1);
    y = g_reshape(GRAPH, elab_place(e, at), y, u.rank + 1, shape);
  }
  x = lead_like(e, x, graph_type(GRAPH, y), at);
  y = lead_like(e, y, graph_type(GRAPH, x), at);
  Type p = graph_type(GRAPH, x), q = graph_type(GRAPH, y);
  bool fits = p.rank == q.rank && p.dtype == q.dtype;
  for (int k = 0; fits && k < p.rank - 1; k++) fits = dim_eq(e->dims, p.shape[k], q.shape[k]) == DIM_YES;
  if (!fits) {
    elab_error(e, at, E0367, "the sides of `%s` do not fit: %s and %s", e->native->name, type_text(e, t),
               type_text(e, u));
    elab_note(e, graph_node(GRAPH, nid(b))->loc, "the right side was made here");
    return e->poison;
  }
  if (too_big(e, p, at) || too_big(e, q, at)) return e->poison;
  NodeId r = call(e, op, x, y, op == OP_solve ? A_NONE : A_lower, lower, at);
  return v_tensor(e, vector ? g_reshape(GRAPH, elab_place(e, at), r, u.rank, u.shape) : r);
}

/* scatter_max(x, i, y): x[i] = the larger of it and y, along the first axis. */
static Value *scatter_max(Elab *e, Value **a, int n, Loc at) {
  Value *x = a[0], *i = a[1], *y = a[2];
  if (!want_tensor(e, &x, "the target of `scatter_max`", at) || !want_tensor(e, &i, "the positions", at) ||
      !want_tensor(e, &y, "the values of `scatter_max`", at))
    return e->poison;
  Type t = v_type(x), u = v_type(i), w = v_type(y);
  if (!dtype_is_int(u.dtype)) return elab_error(e, at, E0337, "positions are integers, not %s", type_text(e, u));
  if (t.dtype == BOOL) return elab_error(e, at, E0310, "`scatter_max` takes numbers, not bool");
  bool fits = t.rank > 0 && w.rank == t.rank - 1 + u.rank && w.dtype == t.dtype;
  for (int k = 0; fits && k < w.rank; k++) fits = w.shape[k] == (k < u.rank ? u.shape[k] : t.shape[k - u.rank + 1]);
  if (!fits) {
    elab_error(e, at, E0351, "`scatter_max` into %s at %s needs a row for each position, not %s", type_text(e, t),
               type_text(e, u), type_text(e, w));
    return e->poison;
  }
  return v_tensor(e, g_scatter(GRAPH, OP_scatter_max, elab_place(e, at), nid(x), nid(i), nid(y), 0, 0));
}

static const Native table[] = {
    {"cumsum", "x, axis = -1, reverse = false", cumulate, OP_cumsum},
    {"cumprod", "x, axis = -1, reverse = false", cumulate, OP_cumprod},
    {"argsort", "x, axis = -1, descending = false", argsort, 0},
    {"scatter_max", "x, i, y", scatter_max, 0},
    {"cholesky", "a", square, OP_cholesky},
    {"logdet", "a", square, OP_logdet},
    {"orthonormal", "a", orthonormal, 0},
    {"eigh", "a", eigh, 0},
    {"solve", "a, b", solve, OP_solve},
    {"triangular_solve", "a, b, lower = true", solve, OP_triangular_solve},
};
void natives_call(Elab *e) { elab_register(e, table, (int)(sizeof table / sizeof *table)); }
