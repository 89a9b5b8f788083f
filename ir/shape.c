/* Shape rules: the type of a result from operands, attributes and, where it is free, the wanted type. One function
 * shape_NAME per rule of ops.def. Messages are what a user reads in an error, so they speak `.dnn`. */
#include "base/ds.h"
#include "ir/shape_rules.h"
#include <string.h>

/* ---- helpers ---- */

bool shape_fail(Shape *s, const char *fmt, ...) {
  if (!s->why) return false;
  va_list ap;
  va_start(ap, fmt);
  char *text = arena_vprintf(s->g->arena, fmt, ap);
  va_end(ap);
  buf_str(s->why, text);
  return false;
}

const char *shape_type(Shape *s, Type t) {
  Buf b = {0};
  type_print(s->g->dims, &b, t);
  char *text = arena_strdup(s->g->arena, b.s);
  buf_free(&b);
  return text;
}

const char *shape_dim(Shape *s, Dim d) {
  Buf b = {0};
  dim_print(s->g->dims, &b, d);
  char *text = arena_strdup(s->g->arena, b.s);
  buf_free(&b);
  return text;
}

static const Attr *find_attr(const Shape *s, AttrKey key) {
  for (int i = 0; i < s->n_attrs; i++) {
    if (s->attrs[i].key == key) return &s->attrs[i];
  }
  return NULL;
}

bool shape_ints(Shape *s, AttrKey key, int64_t *out, int n) {
  const Attr *a = find_attr(s, key);
  if (!a) return shape_fail(s, "`%s` needs %s", s->spelling, attr_names[key]);
  if ((int)a->n != n) return shape_fail(s, "`%s` needs %d values in %s, got %u", s->spelling, n, attr_names[key], a->n);
  for (int i = 0; i < n; i++) {
    if (!dim_is_int(s->g->dims, a->dims[i], &out[i])) {
      return shape_fail(s, "%s of `%s` must be a constant, not %s", attr_names[key], s->spelling,
                        shape_dim(s, a->dims[i]));
    }
  }
  return true;
}

bool shape_dims(Shape *s, AttrKey key, const Dim **out, int n) {
  const Attr *a = find_attr(s, key);
  if (!a) return shape_fail(s, "`%s` needs %s", s->spelling, attr_names[key]);
  if ((int)a->n != n) return shape_fail(s, "`%s` needs %d values in %s, got %u", s->spelling, n, attr_names[key], a->n);
  *out = a->dims;
  return true;
}

bool shape_int(Shape *s, AttrKey key, int64_t lo, int64_t hi, int *out) {
  int64_t v;
  if (!shape_ints(s, key, &v, 1)) return false;
  if (v < lo || v > hi) {
    if (key == A_axis || key == A_axes) {
      return shape_fail(s, "`%s` has no axis %lld: the value has %lld", s->spelling, (long long)v, (long long)hi + 1);
    }
    return shape_fail(s, "%s of `%s` is %lld, which is not in %lld .. %lld", attr_names[key], s->spelling, (long long)v,
                      (long long)lo, (long long)hi);
  }
  *out = (int)v;
  return true;
}

/* A list of different axes of a rank; any length up to the rank. */
static bool get_axes(Shape *s, AttrKey key, int rank, bool *set, int *list, int *count) {
  const Attr *a = find_attr(s, key);
  if (!a) return shape_fail(s, "`%s` needs %s", s->spelling, attr_names[key]);
  memset(set, 0, sizeof *set * MAX_RANK);
  for (uint32_t i = 0; i < a->n; i++) {
    int64_t v;
    if (!dim_is_int(s->g->dims, a->dims[i], &v) || v < 0 || v >= rank) {
      return shape_fail(s, "`%s` has no axis %s: the value has %d", s->spelling, shape_dim(s, a->dims[i]), rank);
    }
    if (set[v]) return shape_fail(s, "axis %d stands twice in `%s`", (int)v, s->spelling);
    set[v] = true;
    if (list) list[i] = (int)v;
  }
  *count = (int)a->n;
  return true;
}

bool shape_done(Shape *s, DType dtype, int rank, const Dim *shape) {
  if (rank > MAX_RANK) {
    return shape_fail(s, "the result of `%s` would have %d axes, more than %d", s->spelling, rank, MAX_RANK);
  }
  for (int i = 0; i < rank; i++) {
    if (shape[i] == DIM_NONE) return shape_fail(s, "a size of the result of `%s` is missing", s->spelling);
    int64_t v;
    if (dim_is_int(s->g->dims, shape[i], &v) && v < 0) {
      return shape_fail(s, "a size of the result of `%s` would be negative: %lld", s->spelling, (long long)v);
    }
  }
  *s->out = type_of(s->g->arena, dtype, rank, shape);
  if (!type_countable(s->g->dims, *s->out)) {
    return shape_fail(s, "%s has too many elements", shape_type(s, *s->out));
  }
  return true;
}

static bool same_dtypes(Shape *s, int from, int to) {
  for (int i = from + 1; i < to; i++) {
    if (s->in[i].dtype != s->in[from].dtype) {
      return shape_fail(s, "`%s` needs equal dtypes: %s and %s", s->spelling, shape_type(s, s->in[from]),
                        shape_type(s, s->in[i]));
    }
  }
  return true;
}

static bool same_shapes(Shape *s) {
  for (int i = 1; i < s->n_in; i++) {
    if (!shape_same(s->in[0], s->in[i])) {
      return shape_fail(s, "`%s` needs equal shapes: %s and %s", s->spelling, shape_type(s, s->in[0]),
                        shape_type(s, s->in[i]));
    }
  }
  return true;
}

static bool need_want(Shape *s) { return s->want || shape_fail(s, "`%s` needs a type", s->spelling); }

/* ---- leaves and element-wise ---- */

static bool shape_given(Shape *s) {
  if (!need_want(s)) return false;
  Type w = *s->want;
  int axis;
  if (s->op == OP_iota && w.dtype == BOOL) return shape_fail(s, "positions are numbers, not bool");
  if (s->op == OP_iota && !shape_int(s, A_axis, 0, w.rank - 1, &axis)) return false;
  if ((s->op == OP_size || s->op == OP_clock) && w.rank != 0) {
    return shape_fail(s, "`%s` is a scalar, not %s", s->spelling, shape_type(s, w));
  }
  int which;
  if (s->op == OP_clock && !shape_int(s, A_which, 0, 3, &which)) return false;
  if (s->op == OP_clock && w.dtype != (which == 3 ? I64 : I32)) {
    return shape_fail(s, "clock %d cannot be %s", which, shape_type(s, w));
  }
  if (s->op == OP_literal) {
    int64_t n;
    const Attr *a = find_attr(s, A_data);
    if (!dim_is_int(s->g->dims, type_count(s->g->dims, w), &n) || !a || (int64_t)a->n != n * dtype_size(w.dtype)) {
      return shape_fail(s, "a literal of %u bytes is no %s", a ? a->n : 0, shape_type(s, w));
    }
  }
  return shape_done(s, w.dtype, w.rank, w.shape);
}

static bool shape_uniform(Shape *s) {
  if (!need_want(s)) return false;
  Type key = s->in[0], y = *s->want;
  if (key.dtype != I64) return shape_fail(s, "a random key is i64, not %s", shape_type(s, key));
  bool leads = key.rank <= y.rank;
  for (int k = 0; leads && k < key.rank; k++) leads = key.shape[k] == y.shape[k];
  if (!leads) return shape_fail(s, "keys %s do not lead random numbers %s", shape_type(s, key), shape_type(s, y));
  if (!dtype_is_float(s->want->dtype))
    return shape_fail(s, "random numbers are floats, not %s", shape_type(s, *s->want));
  return shape_done(s, s->want->dtype, s->want->rank, s->want->shape);
}

static bool shape_same_rule(Shape *s) {
  if (!same_dtypes(s, 0, s->n_in) || !same_shapes(s)) return false;
  if (s->op == OP_mix_key && s->in[0].dtype != I64) {
    return shape_fail(s, "a random key is i64, not %s", shape_type(s, s->in[0]));
  }
  return shape_done(s, s->in[0].dtype, s->in[0].rank, s->in[0].shape);
}

static bool shape_compare(Shape *s) {
  if (!same_dtypes(s, 0, s->n_in) || !same_shapes(s)) return false;
  return shape_done(s, BOOL, s->in[0].rank, s->in[0].shape);
}

static bool shape_cast(Shape *s) {
  if (!need_want(s)) return false;
  if (!shape_same(*s->want, s->in[0])) {
    return shape_fail(s, "a cast keeps the shape: %s to %s", shape_type(s, s->in[0]), shape_type(s, *s->want));
  }
  return shape_done(s, s->want->dtype, s->in[0].rank, s->in[0].shape);
}

static bool shape_where(Shape *s) {
  if (s->in[0].dtype != BOOL) return shape_fail(s, "`where` needs a bool condition, not %s", shape_type(s, s->in[0]));
  if (!same_dtypes(s, 1, 3) || !same_shapes(s)) return false;
  return shape_done(s, s->in[1].dtype, s->in[0].rank, s->in[0].shape);
}

/* ---- views ---- */

static bool want_dtype(Shape *s) {
  if (!need_want(s)) return false;
  if (s->want->dtype == s->in[0].dtype) return true;
  return shape_fail(s, "`%s` keeps the dtype: %s to %s", s->spelling, shape_type(s, s->in[0]), shape_type(s, *s->want));
}

static bool want_rank(Shape *s) {
  if (!want_dtype(s)) return false;
  if (s->want->rank == s->in[0].rank) return true;
  return shape_fail(s, "`%s` keeps the number of axes: %s to %s", s->spelling, shape_type(s, s->in[0]),
                    shape_type(s, *s->want));
}

static bool shape_reshape(Shape *s) {
  if (!want_dtype(s)) return false;
  Dim a = type_count(s->g->dims, s->in[0]), b = type_count(s->g->dims, *s->want);
  if (dim_eq(s->g->dims, a, b) != DIM_YES) {
    return shape_fail(s, "%s has %s elements, %s has %s", shape_type(s, s->in[0]), shape_dim(s, a),
                      shape_type(s, *s->want), shape_dim(s, b));
  }
  return shape_done(s, s->want->dtype, s->want->rank, s->want->shape);
}

static bool shape_transpose(Shape *s) {
  bool set[MAX_RANK];
  int perm[MAX_RANK], n, rank = s->in[0].rank;
  if (!get_axes(s, A_perm, rank, set, perm, &n)) return false;
  if (n != rank) return shape_fail(s, "`transpose` needs all %d axes, got %d", rank, n);
  Dim shape[MAX_RANK];
  for (int i = 0; i < n; i++) shape[i] = s->in[0].shape[perm[i]];
  return shape_done(s, s->in[0].dtype, n, shape);
}

static bool shape_broadcast(Shape *s) {
  bool set[MAX_RANK];
  int axes[MAX_RANK], n;
  if (!want_dtype(s)) return false;
  if (s->want->rank > MAX_RANK) return shape_fail(s, "more than %d axes", MAX_RANK);
  if (!get_axes(s, A_axes, s->want->rank, set, axes, &n)) return false;
  if (n != s->in[0].rank) return shape_fail(s, "`broadcast` needs %d axes, got %d", s->in[0].rank, n);
  for (int i = 0; i < n; i++) {
    if (i && axes[i] <= axes[i - 1]) return shape_fail(s, "axes of `broadcast` must rise");
    if (s->in[0].shape[i] != s->want->shape[axes[i]] && !dim_is(s->g->dims, s->in[0].shape[i], 1)) {
      return shape_fail(s, "%s does not stretch to %s: size %s against %s", shape_type(s, s->in[0]),
                        shape_type(s, *s->want), shape_dim(s, s->in[0].shape[i]),
                        shape_dim(s, s->want->shape[axes[i]]));
    }
  }
  return shape_done(s, s->want->dtype, s->want->rank, s->want->shape);
}

static bool shape_slice(Shape *s) {
  DimTab *t = s->g->dims;
  int64_t step[MAX_RANK];
  const Dim *start;
  int rank = s->in[0].rank;
  if (!want_rank(s) || !shape_dims(s, A_start, &start, rank) || !shape_ints(s, A_step, step, rank)) return false;
  for (int i = 0; i < rank; i++) {
    Dim size = s->want->shape[i], zero = dim_int(t, 0);
    if (step[i] == 0) return shape_fail(s, "the step of a slice cannot be 0");
    if (dim_is(t, size, 0)) continue;
    Dim last = dim_add(t, start[i], dim_mul(t, dim_sub(t, size, dim_int(t, 1)), dim_int(t, step[i])));
    Dim lo = step[i] > 0 ? start[i] : last, hi = step[i] > 0 ? last : start[i];
    bool symbolic = !dim_is_int(t, size, NULL); /* may be empty */
    if (!symbolic &&
        (dim_le(t, zero, lo) == DIM_NO || dim_le(t, dim_add(t, hi, dim_int(t, 1)), s->in[0].shape[i]) == DIM_NO)) {
      return shape_fail(s, "the slice %s .. %s leaves axis %d of %s", shape_dim(s, lo), shape_dim(s, hi), i,
                        shape_type(s, s->in[0]));
    }
  }
  return shape_done(s, s->want->dtype, rank, s->want->shape);
}

static bool shape_pad(Shape *s) {
  const Dim *low;
  if (!want_rank(s) || !shape_dims(s, A_low, &low, s->in[0].rank)) return false;
  return shape_done(s, s->want->dtype, s->want->rank, s->want->shape);
}

static bool shape_concat(Shape *s) {
  int axis;
  if (s->n_in == 0) return shape_fail(s, "`concat` of nothing");
  int rank = s->in[0].rank;
  if (rank == 0) return shape_fail(s, "`concat` needs an axis; scalars have none: use `stack`");
  if (!shape_int(s, A_axis, 0, rank - 1, &axis) || !same_dtypes(s, 0, s->n_in)) return false;
  Dim shape[MAX_RANK];
  memcpy(shape, s->in[0].shape, sizeof *shape * (size_t)rank);
  for (int i = 1; i < s->n_in; i++) {
    bool ok = s->in[i].rank == rank;
    for (int k = 0; ok && k < rank; k++) ok = k == axis || s->in[i].shape[k] == shape[k];
    if (!ok) {
      return shape_fail(s, "`concat` along axis %d needs shapes that agree elsewhere: %s and %s", axis,
                        shape_type(s, s->in[0]), shape_type(s, s->in[i]));
    }
    shape[axis] = dim_add(s->g->dims, shape[axis], s->in[i].shape[axis]);
  }
  return shape_done(s, s->in[0].dtype, rank, shape);
}

/* ---- reductions ---- */

static bool shape_reduce(Shape *s) {
  bool set[MAX_RANK];
  int n, rank = 0;
  if (!get_axes(s, A_axes, s->in[0].rank, set, NULL, &n)) return false;
  Dim shape[MAX_RANK];
  for (int i = 0; i < s->in[0].rank; i++) {
    if (!set[i]) shape[rank++] = s->in[0].shape[i];
  }
  return shape_done(s, s->in[0].dtype, rank, shape);
}

static bool shape_argreduce(Shape *s) {
  int axis, rank = 0;
  if (!shape_int(s, A_axis, 0, s->in[0].rank - 1, &axis)) return false;
  Dim shape[MAX_RANK];
  for (int i = 0; i < s->in[0].rank; i++) {
    if (i != axis) shape[rank++] = s->in[0].shape[i];
  }
  return shape_done(s, I32, rank, shape);
}

/* ---- the rule of an op ---- */

static bool shape_never(Shape *s) { return shape_fail(s, "`%s` holds regions", s->spelling); }
#define shape_scan shape_never
#define shape_while shape_never
#define shape_cond shape_never
#define shape_vmap shape_never
#define shape_call shape_never
#define shape_same shape_same_rule

static ShapeRule *const rules[OP_COUNT] = {
    shape_never,
#define OP(name, arity, cls, shape, ...) shape_##shape,
#include "ir/ops.def"
#undef OP
};
#undef shape_same

bool op_takes(Op op, DType t) {
  const OpInfo *info = &op_info[op];
  if (t == TUPLE) return info->cls == META;
  switch (op) {
  case OP_scatter_set:
  case OP_cast:
  case OP_where:
  case OP_stop_gradient:
  case OP_eq:
  case OP_ne:
  case OP_reduce_max:
  case OP_reduce_min: return true;
  default: break;
  }
  if (info->cls == LEAF || info->cls == VIEW || info->cls == GATHER || info->cls == REGION || info->cls == META)
    return true;
  if (info->flags & FLOAT) return dtype_is_float(t);
  return (t == BOOL) == ((info->flags & BOOLS) != 0);
}

static bool check_dtypes(Shape *s) {
  for (int i = 0; i < s->n_in; i++) {
    DType t = s->in[i].dtype;
    if (op_takes(s->op, t)) continue;
    if (t == TUPLE) return shape_fail(s, "`%s` needs tensors", s->spelling);
    unsigned flags = op_info[s->op].flags;
    const char *need = flags & FLOAT ? "floats" : flags & BOOLS ? "bools" : "numbers";
    return shape_fail(s, "`%s` needs %s, not %s", s->spelling, need, shape_type(s, s->in[i]));
  }
  return true;
}

bool graph_infer(Graph *g, Op op, const NodeId *in, int n_in, const Attr *attrs, int n_attrs, const Type *want,
                 Type *out, Buf *why) {
  const OpInfo *info = &op_info[op];
  Type small[8];
  Type *types = n_in <= 8 ? small : arena_array(g->arena, Type, n_in);
  for (int i = 0; i < n_in; i++) types[i] = g->nodes[in[i]].type;
  Shape s = {g, op, op_spelling(op), types, in, n_in, attrs, n_attrs, want, out, why};
  if (info->arity >= 0 && n_in != info->arity) {
    return shape_fail(&s, "`%s` takes %d operand%s, got %d", s.spelling, info->arity, info->arity == 1 ? "" : "s",
                      n_in);
  }
  return check_dtypes(&s) && rules[op](&s);
}
