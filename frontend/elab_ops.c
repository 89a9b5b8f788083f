/* Tensor arithmetic: numbers take the dtype beside them, dtypes never mix, broadcasting is strict NumPy. */
#include "frontend/elab_priv.h"
#include "base/limits.h"
#include <math.h>
#include <string.h>

static bool is_bounded(Elab *e, Dim d) {
  int *vars = NULL;
  bool bounded = true;
  dim_vars(e->dims, d, &vars);
  for (ptrdiff_t i = 0; i < arrlen(vars); i++) bounded &= dim_var_bound(e->dims, vars[i]) >= 0;
  arrfree(vars);
  return bounded;
}

/* By the product of the largest sizes: what nearly every tensor is known to be at once. */
static bool is_small(Elab *e, Type t) {
  double n = 1;
  for (int i = 0; i < t.rank; i++) {
    int64_t most;
    int var = dim_as_var(e->dims, t.shape[i]);
    if (var >= 0) most = dim_var_bound(e->dims, var);
    else if (!dim_is_int(e->dims, t.shape[i], &most)) most = dim_upper(e->dims, t.shape[i]);
    if (most < 0) return false;
    n *= most > 1 ? (double)most : 1;
  }
  return n < (double)limits[LIMIT_elements] && type_countable(e->dims, t);
}

bool too_big(Elab *e, Type t, Loc at) {
  if (is_small(e, t)) return false;
  Dim n = type_count(e->dims, t);
  int64_t most = n == DIM_OVERFLOW ? -1 : dim_upper(e->dims, n);
  bool unknown = n != DIM_OVERFLOW && most < 0 && !is_bounded(e, n);
  if (unknown || (most >= 0 && most < limits[LIMIT_elements])) return false;
  if (!e->trace->too_big)
    elab_error(e, at, E0306, "the tensor %s has too many elements: the limit is %lld", type_text(e, t),
               (long long)limits[LIMIT_elements]);
  else e->errors++;
  return e->trace->too_big = true; /* what is made of it is not told again */
}

Value *full_value(Elab *e, double x, DType dtype, int rank, const Dim *shape, Loc at) {
  Type t = type_of(e->arena, dtype, rank, shape);
  if (too_big(e, t, at)) return e->poison;
  return v_tensor(e, g_full(e->trace->graph, elab_place(e, at), x, t));
}

static bool fits(double x, DType t) {
  switch (t) {
  case I64: return x >= -9.2e18 && x <= 9.2e18;
  case I32: return x >= -2147483648.0 && x <= 2147483647.0;
  case I8: return x >= -128 && x <= 127;
  case U8: return x >= 0 && x <= 255;
  default: return true;
  }
}

/* A static number as a scalar node of `dtype`. */
static NodeId number_node(Elab *e, Value *v, DType dtype, Loc at) {
  Graph *g = e->trace->graph;
  Loc place = elab_place(e, at);
  double x;
  int64_t k;
  if (v->kind == V_INT && !v_const_int(e, v, &k)) return g_size(g, place, v->i, dtype);
  if (v_number(e, v, &x)) return g_full(g, place, x, type_scalar(dtype));
  if (is_open_bool(v)) {
    DType side = v->sym.a->kind == V_INT && v->sym.b->kind == V_INT ? I64 : F32;
    return g_map2(g, v->sym.op, place, number_node(e, v->sym.a, side, at), number_node(e, v->sym.b, side, at));
  }
  NodeId a = number_node(e, v->sym.a, dtype, at);
  if (!v->sym.b) return g_map1(g, v->sym.op, place, a);
  return g_map2(g, v->sym.op, place, a, number_node(e, v->sym.b, dtype, at));
}

static bool sym_is_int(const Value *v) {
  if (v->kind == V_INT) return true;
  if (v->kind != V_SYM || is_open_bool(v)) return false;
  if (v->sym.op == OP_div || v->sym.op == OP_pow || (!v->sym.b && v->sym.op != OP_neg)) return false;
  return sym_is_int(v->sym.a) && (!v->sym.b || sym_is_int(v->sym.b));
}

static bool number_fits(Elab *e, Value *v, DType t, Loc at) {
  double x;
  if (v->kind == V_BOOL || is_open_bool(v)) {
    if (t == BOOL) return true;
    elab_error(e, at, E0307, "a bool does not go with %s", dtype_name(t));
    return false;
  }
  if (t == BOOL) {
    elab_error(e, at, E0307, "the number %s does not go with a bool tensor", value_text(e, v));
    elab_help(e, "a bool tensor becomes numbers by a cast: `i32(mask)`, `f32(mask)`");
    return false;
  }
  if (dtype_is_int(t) && !sym_is_int(v)) {
    elab_error(e, at, E0307, "the float %s does not fit %s", value_text(e, v), dtype_name(t));
    elab_help(e, "cast the tensor: `f32(x)`");
    return false;
  }
  if (v_number(e, v, &x) && !fits(x, t)) {
    elab_error(e, at, E0308, "%s does not fit %s", value_text(e, v), dtype_name(t));
    if (dtype_is_float(t) || t == I64) elab_help(e, "no dtype of that kind holds it");
    else
      elab_help(e, "cast the tensor to a wider dtype first, for example `%s(x)`",
                fits(x, I32) && t != I32 ? "i32" : "i64");
    return false;
  }
  return true;
}

static bool is_static_number(const Value *v) {
  return v->kind == V_INT || v->kind == V_FLOAT || v->kind == V_SYM || v->kind == V_BOOL;
}

/* The number `v` beside a tensor of type `like`: a tensor of its dtype and shape. */
Value *adapt_number(Elab *e, Value *v, Type like, Loc at) {
  double x;
  if (!number_fits(e, v, like.dtype, at)) return e->poison;
  if (v->kind == V_BOOL) return full_value(e, v->b, BOOL, like.rank, like.shape, at);
  if (v_number(e, v, &x)) return full_value(e, x, like.dtype, like.rank, like.shape, at);
  return v_tensor(e, broadcast_node(e, number_node(e, v, like.dtype, at), like.rank, like.shape, at));
}

/* --- literals of nested lists ------------------------------------------------------------------------------------ */
static bool literal_shape(Elab *e, Value *v, int depth, int *rank, int64_t *shape, Loc at) {
  if (v->kind != V_LIST && v->kind != V_TUPLE) {
    *rank = depth;
    if (is_static_number(v)) return true;
    if (v->kind != V_ERROR)
      elab_error(e, at, E0309, "a literal tensor is made of numbers, but one entry is %s", value_kind_name(e, v));
    return false;
  }
  if (depth == MAX_RANK) return elab_error(e, at, E0304, "a tensor has at most %d axes", MAX_RANK), false;
  shape[depth] = v->list.n;
  if (v->list.n == 0) *rank = depth + 1;
  for (int i = 0; i < v->list.n; i++) {
    int64_t sub[MAX_RANK] = {0};
    int r = 0;
    if (!literal_shape(e, v->list.items[i], depth + 1, &r, sub, at)) return false;
    if (i == 0) {
      *rank = r;
      for (int k = depth + 1; k < r; k++) shape[k] = sub[k];
      continue;
    }
    bool same = r == *rank;
    for (int k = depth + 1; same && k < r; k++) same = shape[k] == sub[k];
    if (!same) {
      elab_error(e, at, E0309, "the rows of a literal tensor have different sizes: entry %d differs from entry 0", i);
      return false;
    }
  }
  return true;
}

static void put_number(void *at, DType t, double x) {
  switch (t) {
  case F64: *(double *)at = x; break;
  case F32: *(float *)at = (float)x; break;
  case I64: *(int64_t *)at = (int64_t)x; break;
  case I32: *(int32_t *)at = (int32_t)x; break;
  case I8: *(int8_t *)at = (int8_t)x; break;
  default: *(uint8_t *)at = (uint8_t)x; break;
  }
}

static bool literal_fill(Elab *e, Value *v, DType t, unsigned char *data, size_t *pos, Loc at) {
  double x = 0;
  if (v->kind == V_LIST || v->kind == V_TUPLE) {
    for (int i = 0; i < v->list.n; i++)
      if (!literal_fill(e, v->list.items[i], t, data, pos, at)) return false;
    return true;
  }
  if (!number_fits(e, v, t, at)) return false;
  if (v->kind == V_BOOL) x = v->b;
  else if (!v_number(e, v, &x)) {
    elab_error(e, at, E0402,
               "a literal tensor's numbers must be known while compiling; this one depends on a run-time size");
    return false;
  }
  put_number(data + *pos, t, x);
  *pos += (size_t)dtype_size(t);
  return true;
}

static DType literal_dtype(Elab *e, Value *v) {
  if (v->kind == V_LIST || v->kind == V_TUPLE) {
    DType t = TUPLE;
    for (int i = 0; i < v->list.n; i++) {
      DType u = literal_dtype(e, v->list.items[i]);
      t = t == TUPLE ? u : (t == F32 || u == F32) ? F32 : t;
    }
    return t == TUPLE ? F32 : t;
  }
  return v->kind == V_BOOL || is_open_bool(v) ? BOOL : sym_is_int(v) ? I32 : F32;
}

static bool list_has_tensor(const Value *v) {
  if (v->kind == V_TENSOR || v->kind == V_CELL) return true;
  if (v->kind != V_LIST && v->kind != V_TUPLE) return false;
  for (int i = 0; i < v->list.n; i++)
    if (list_has_tensor(v->list.items[i])) return true;
  return false;
}

static Value *literal_tensor(Elab *e, Value *v, DType dtype, Loc at) {
  int rank = 0;
  int64_t shape[MAX_RANK] = {0}, count = 1;
  if (list_has_tensor(v)) {
    elab_error(e, at, E0309, "a literal tensor is made of numbers, but this list holds tensors");
    elab_help(e, "did you mean `stack([…])`?");
    return e->poison;
  }
  if (!literal_shape(e, v, 0, &rank, shape, at)) return e->poison;
  Dim dims[MAX_RANK];
  for (int i = 0; i < rank; i++) {
    count *= shape[i];
    dims[i] = dim_int(e->dims, shape[i]);
  }
  DType store = dtype == F16 || dtype == BF16 ? F32 : dtype;
  size_t size = (size_t)dtype_size(store), pos = 0;
  unsigned char *data = arena_alloc(e->arena, (size_t)count * size + 1);
  if (!literal_fill(e, v, store, data, &pos, at)) return e->poison;
  Graph *g = e->trace->graph;
  Loc place = elab_place(e, at);
  NodeId n = g_literal(g, place, type_of(e->arena, store, rank, dims), data, (size_t)count * size);
  return v_tensor(e, g_cast(g, place, n, dtype));
}

Value *v_to_tensor(Elab *e, Value *v, DType dtype, Loc at) {
  v = v_read(e, v);
  switch (v->kind) {
  case V_ERROR:
  case V_TENSOR: return v;
  case V_INT:
  case V_FLOAT:
  case V_SYM:
  case V_BOOL: return adapt_number(e, v, type_scalar(dtype == TUPLE ? literal_dtype(e, v) : dtype), at);
  case V_LIST:
  case V_TUPLE: return literal_tensor(e, v, dtype == TUPLE ? literal_dtype(e, v) : dtype, at);
  default: return elab_error(e, at, E0303, "%s is not a tensor and cannot become one", value_kind_name(e, v));
  }
}

/* --- broadcasting ------------------------------------------------------------------------------------------------ */
NodeId broadcast_node(Elab *e, NodeId n, int rank, const Dim *shape, Loc at) {
  Type t = graph_type(e->trace->graph, n);
  bool same = t.rank == rank;
  for (int i = 0; same && i < rank; i++) same = t.shape[i] == shape[i];
  return same ? n : g_broadcast_to(e->trace->graph, elab_place(e, at), n, rank, shape);
}

static bool is_one(Elab *e, Dim d) { return dim_is(e->dims, d, 1); }

/* How the smaller operand should be indexed so that NumPy's way is spelled out, or NULL. */
static const char *axis_hint(Elab *e, Type small, Type large) {
  int extra = large.rank - small.rank;
  bool front = small.rank > 0;
  for (int i = 0; front && i < small.rank; i++) front = small.shape[i] == large.shape[i] || is_one(e, large.shape[i]);
  Buf b = {0};
  if (front) {
    buf_str(&b, "[");
    for (int i = 0; i < small.rank; i++) buf_str(&b, i ? ", :" : ":");
    for (int i = 0; i < extra; i++) buf_str(&b, ", none");
    buf_str(&b, "]");
  } else {
    for (int i = 0; i < small.rank; i++) {
      Dim s = small.shape[i], l = large.shape[i + extra];
      if (s != l && !is_one(e, s) && !is_one(e, l)) return NULL;
    }
    buf_str(&b, "[none");
    for (int i = 1; i < extra; i++) buf_str(&b, ", none");
    buf_str(&b, "]");
  }
  const char *s = arena_strdup(e->arena, b.s);
  buf_free(&b);
  return s;
}

static void broadcast_error(Elab *e, const char *what, Type a, Type b, int axis_from_end, Loc at) {
  elab_error(e, at, E0301, "`%s` needs shapes that fit: %s and %s", what, type_text(e, a), type_text(e, b));
  if (a.rank == b.rank) {
    int k = a.rank - axis_from_end;
    elab_note(e, elab_place(e, at), "axis %d is %s on the left and %s on the right%s", k, dim_text(e, a.shape[k]),
              dim_text(e, b.shape[k]),
              is_one(e, a.shape[k]) || is_one(e, b.shape[k]) ? "" : "; only a literal 1 stretches");
    return;
  }
  bool left = a.rank < b.rank;
  const char *hint = left ? axis_hint(e, a, b) : axis_hint(e, b, a);
  const char *text = expr_text(e, left ? e->left : e->right);
  if (hint && text) elab_help(e, "did you mean `%s%s`?", text, hint);
  else if (hint)
    elab_help(e, "did you mean `%s` on the %s operand? only the operand of smaller rank may stretch", hint,
              left ? "left" : "right");
  else elab_note(e, elab_place(e, at), "trailing axes are aligned, and only the operand of smaller rank may stretch");
}

bool broadcast_shapes(Elab *e, const char *what, Type a, Type b, Loc at, int *rank, Dim *shape) {
  int n = a.rank > b.rank ? a.rank : b.rank;
  for (int i = 1; i <= n; i++) {
    Dim da = i <= a.rank ? a.shape[a.rank - i] : DIM_NONE, db = i <= b.rank ? b.shape[b.rank - i] : DIM_NONE;
    bool a_may = a.rank <= b.rank, b_may = b.rank <= a.rank;
    Dim d;
    if (da == DIM_NONE) d = db;
    else if (db == DIM_NONE || da == db) d = da;
    else if (a_may && is_one(e, da)) d = db;
    else if (b_may && is_one(e, db)) d = da;
    else {
      broadcast_error(e, what, a, b, i, at);
      return false;
    }
    shape[n - i] = d;
  }
  *rank = n;
  return true;
}

static bool same_dtypes(Elab *e, const char *what, Type a, Type b, Loc at) {
  if (a.dtype == b.dtype) return true;
  elab_error(e, at, E0302, "`%s` takes one dtype: %s and %s", what, type_text(e, a), type_text(e, b));
  DType wide = dtype_is_float(a.dtype)   ? a.dtype
               : dtype_is_float(b.dtype) ? b.dtype
               : a.dtype == BOOL         ? b.dtype
                                         : a.dtype;
  const char *text = expr_text(e, a.dtype == wide ? e->right : e->left);
  elab_help(e, "nothing is promoted; cast one: `%s(%s)`", dtype_name(wide), text ? text : "x");
  return false;
}

static bool want_operand(Elab *e, Value **v, const char *what, Loc at) {
  if ((*v)->kind == V_TENSOR && is_around(e, (*v)->t.graph)) return true; /* without the text, which only errors need */
  return want_tensor(e, v, arena_join(e->arena, "an operand of `", what, "`"), at);
}

bool tensor_pair(Elab *e, const char *what, Value **a, Value **b, Loc at) {
  Value *x = v_read(e, *a), *y = v_read(e, *b);
  int rank = 0;
  Dim shape[MAX_RANK];
  if (is_poison(x) || is_poison(y)) return false;
  if (is_static_number(x) && y->kind == V_TENSOR) x = adapt_number(e, x, v_type(y), at);
  else if (is_static_number(y) && x->kind == V_TENSOR) y = adapt_number(e, y, v_type(x), at);
  if (!want_operand(e, &x, what, at) || !want_operand(e, &y, what, at)) return false;
  if (!same_dtypes(e, what, v_type(x), v_type(y), at)) return false;
  if (!broadcast_shapes(e, what, v_type(x), v_type(y), at, &rank, shape)) return false;
  if (too_big(e, type_of(e->arena, v_type(x).dtype, rank, shape), at)) return false;
  *a = v_tensor(e, broadcast_node(e, nid(x), rank, shape, at));
  *b = v_tensor(e, broadcast_node(e, nid(y), rank, shape, at));
  return true;
}

/* --- element-wise ------------------------------------------------------------------------------------------------ */
/* Does the op take this dtype? By the flags of ops.def. */
static bool takes_dtype(Elab *e, Op op, const char *what, DType t, Loc at) {
  unsigned f = op_info[op].flags;
  bool cmp_eq = op == OP_eq || op == OP_ne;
  if ((f & BOOLS) && t != BOOL) {
    elab_error(e, at, E0310, "`%s` takes bools, not %s", what, dtype_name(t));
    elab_help(e, "compare first: `x != 0`");
  } else if ((f & FLOAT) && !dtype_is_float(t)) {
    elab_error(e, at, E0310, "`%s` takes floats, not %s", what, dtype_name(t));
    elab_help(e, op == OP_div && dtype_is_int(t) ? "`//` divides integers; or cast: `f32(x)`" : "cast first: `f32(x)`");
  } else if ((f & INT) && t == BOOL && !cmp_eq && op != OP_cast && op != OP_stop_gradient) {
    elab_error(e, at, E0310, "`%s` takes numbers, not bool", what);
    elab_help(e, "cast first: `i32(x)`, `f32(x)`");
  } else {
    return true;
  }
  return false;
}

/* Small whole powers become products. */
static Value *power(Elab *e, Value *a, Value *b, Loc at) {
  Graph *g = e->trace->graph;
  Loc place = elab_place(e, at);
  double n;
  if (a->kind == V_TENSOR && v_number(e, b, &n)) {
    Type t = v_type(a);
    if (!dtype_is_float(t.dtype) && !(dtype_is_int(t.dtype) && n >= 0 && n <= 8 && n == floor(n))) {
      takes_dtype(e, OP_pow, "**", t.dtype, at);
      return e->poison;
    }
    if (n == 0) return adapt_number(e, v_int(e, 1), t, at);
    if (n == 1) return a;
    if (n == 0.5) return v_tensor(e, g_map1(g, OP_sqrt, place, nid(a)));
    if (n == 2 || n == 3 || n == 4 || (dtype_is_int(t.dtype))) {
      NodeId x = nid(a), y = x;
      for (int i = 1; i < (int)n; i++) y = g_map2(g, OP_mul, place, y, x);
      return v_tensor(e, y);
    }
  }
  if (!tensor_pair(e, "**", &a, &b, at) || !takes_dtype(e, OP_pow, "**", v_type(a).dtype, at)) return e->poison;
  return v_tensor(e, g_map2(g, OP_pow, place, nid(a), nid(b)));
}

static Value *tensor_binary(Elab *e, Op op, Value *a, Value *b, Loc at) {
  const char *what = op_spelling(op);
  if (op == OP_pow) return power(e, a, b, at);
  if (op == OP_and || op == OP_or) {
    if (a->kind == V_TENSOR && !takes_dtype(e, op, what, v_type(a).dtype, at)) return e->poison;
    if (b->kind == V_TENSOR && !takes_dtype(e, op, what, v_type(b).dtype, at)) return e->poison;
  }
  if (!tensor_pair(e, what, &a, &b, at) || !takes_dtype(e, op, what, v_type(a).dtype, at)) return e->poison;
  return v_tensor(e, g_map2(e->trace->graph, op, elab_place(e, at), nid(a), nid(b)));
}

Value *elab_binary(Elab *e, Op op, Value *a, Value *b, Loc at) {
  a = v_read(e, a), b = v_read(e, b);
  if (is_poison(a) || is_poison(b)) return e->poison;
  if ((op == OP_eq || op == OP_ne) && (a->kind == V_NONE || b->kind == V_NONE))
    return v_bool(e, (a->kind == b->kind) == (op == OP_eq));
  if (a->kind == V_TENSOR || b->kind == V_TENSOR || is_tree(a) || is_tree(b)) {
    bool tree = is_tree(a) || is_tree(b);
    if (tree && (op == OP_eq || op == OP_ne) && !v_has_tensor(a) && !v_has_tensor(b))
      return static_binary(e, op, a, b, at);
    return tree ? tree_binary(e, op, a, b, at) : tensor_binary(e, op, a, b, at);
  }
  if (op == OP_and || op == OP_or) {
    if (a->kind == V_BOOL && b->kind == V_BOOL) return v_bool(e, op == OP_and ? a->b && b->b : a->b || b->b);
    if (!is_open_bool(a) && a->kind != V_BOOL)
      return elab_error(e, at, E0405, "`%s` takes bools, not %s", op_spelling(op), value_kind_name(e, a));
    if (!is_open_bool(b) && b->kind != V_BOOL)
      return elab_error(e, at, E0405, "`%s` takes bools, not %s", op_spelling(op), value_kind_name(e, b));
    /* one that is decided, beside a comparison of sizes that is not, decides or vanishes */
    if (a->kind == V_BOOL) return a->b == (op == OP_or) ? a : b;
    if (b->kind == V_BOOL) return b->b == (op == OP_or) ? b : a;
    return tensor_binary(e, op, v_to_tensor(e, a, BOOL, at), v_to_tensor(e, b, BOOL, at), at);
  }
  return static_binary(e, op, a, b, at);
}

static Value *unary_leaf(Elab *e, int op, Value *a, Loc at) { return elab_unary(e, (Op)op, a, at); }

Value *elab_unary(Elab *e, Op op, Value *a, Loc at) {
  a = v_read(e, a);
  if (is_poison(a)) return a;
  if (is_tree(a)) return tree_unary(e, a, unary_leaf, op, at);
  if (a->kind != V_TENSOR) return static_unary(e, op, a, at);
  if (!want_tensor(e, &a, "the operand", at)) return e->poison;
  if (!takes_dtype(e, op, op == OP_neg ? "-" : op_info[op].name, v_type(a).dtype, at)) return e->poison;
  return v_tensor(e, g_map1(e->trace->graph, op, elab_place(e, at), nid(a)));
}
