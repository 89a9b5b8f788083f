/* Convolutions and pools: attributes from arguments, checks with messages, then one op. */
#include "frontend/elab_priv.h"
#include <string.h>

enum { MAX_SPATIAL = MAX_RANK - 2 };
typedef struct Window {
  int ns;
  int64_t stride[MAX_SPATIAL], dilation[MAX_SPATIAL], kernel[MAX_SPATIAL], lo[MAX_SPATIAL], hi[MAX_SPATIAL];
  Dim low[MAX_SPATIAL], high[MAX_SPATIAL];
} Window;

/* An int for all spatial axes, or a list of one per axis. */
static bool per_axis(Elab *e, Value *v, int ns, int64_t least, int64_t *out, const char *what, Loc at) {
  if (v->kind == V_LIST || v->kind == V_TUPLE) {
    if (v->list.n != ns) {
      elab_error(e, at, E0354, "%s needs one int or %d, one per spatial axis, not %d", what, ns, v->list.n);
      return false;
    }
  }
  for (int i = 0; i < ns; i++) {
    Value *k = v->kind == V_LIST || v->kind == V_TUPLE ? v->list.items[i] : v;
    if (!want_int(e, k, &out[i], what, at)) return false;
    if (out[i] < least || out[i] > 1 << 20) {
      elab_error(e, at, E0354, "%s must be at least %lld, not %lld", what, (long long)least, (long long)out[i]);
      return false;
    }
  }
  return true;
}

/* "same": dilation * (k - 1) in all, the odd one behind; "valid": none; an int; a list of ints or pairs. */
static bool paddings(Elab *e, Value *v, Window *w, Loc at) {
  bool list = v->kind == V_LIST || v->kind == V_TUPLE;
  if (v->kind == V_STR && strcmp(v->s, "same") != 0 && strcmp(v->s, "valid") != 0) {
    elab_error(e, at, E0355, "the padding is \"same\", \"valid\", an int, or a list of pairs, not \"%s\"", v->s);
    return false;
  }
  if (list && v->list.n != w->ns) {
    elab_error(e, at, E0355, "the padding needs one pair per spatial axis: %d, not %d", w->ns, v->list.n);
    return false;
  }
  for (int i = 0; i < w->ns; i++) {
    int64_t total = w->dilation[i] * (w->kernel[i] - 1);
    Value *p = list ? v->list.items[i] : v;
    w->lo[i] = w->hi[i] = 0;
    if (v->kind == V_STR) {
      if (v->s[0] == 's') w->lo[i] = total / 2, w->hi[i] = total - total / 2;
    } else if ((p->kind == V_TUPLE || p->kind == V_LIST) && p->list.n == 2) {
      if (!want_int(e, p->list.items[0], &w->lo[i], "the padding", at) ||
          !want_int(e, p->list.items[1], &w->hi[i], "the padding", at))
        return false;
    } else {
      if (!want_int(e, p, &w->lo[i], "the padding", at)) return false;
      w->hi[i] = w->lo[i];
    }
    if (w->lo[i] < 0 || w->hi[i] < 0 || w->lo[i] > 1 << 30 || w->hi[i] > 1 << 30) {
      elab_error(e, at, E0355, "a padding is at least 0 and at most 2^30");
      return false;
    }
    w->low[i] = dim_int(e->dims, w->lo[i]);
    w->high[i] = dim_int(e->dims, w->hi[i]);
  }
  return true;
}

static bool window_fits(Elab *e, const char *what, Type x, const Window *w, Loc at) {
  for (int i = 0; i < w->ns; i++) {
    Dim size = dim_add(e->dims, x.shape[2 + i], dim_int(e->dims, w->lo[i] + w->hi[i]));
    int64_t span = w->dilation[i] * (w->kernel[i] - 1) + 1;
    if (dim_le(e->dims, dim_int(e->dims, span), size) != DIM_NO) continue;
    elab_error(e, at, E0356, "`%s`: a window of %lld does not fit into axis %d of %s, which is %s with its padding",
               what, (long long)span, 2 + i, type_text(e, x), dim_text(e, size));
    return false;
  }
  return true;
}

static bool image(Elab *e, Value **x, const char *what, Loc at) {
  if (!want_tensor(e, x, arena_printf(e->arena, "the input of `%s`", what), at)) return false;
  Type t = v_type(*x);
  if (t.rank < 3) {
    elab_error(e, at, E0357, "`%s` needs [batch, channel, size...], but the input is %s", what, type_text(e, t));
    if (t.rank == 2) elab_help(e, "a single channel is added by `x[:, none]`");
    return false;
  }
  if (!dtype_is_float(t.dtype)) {
    elab_error(e, at, E0310, "`%s` takes floats, not %s", what, type_text(e, t));
    elab_help(e, "cast first: `f32(x)`");
    return false;
  }
  return true;
}

static bool conv_window(Elab *e, Value **a, Type x, Type w, Window *k, int64_t *groups, const char *what, Loc at) {
  k->ns = x.rank - 2;
  if (w.rank != x.rank) {
    elab_error(e, at, E0357, "`%s` of %s needs weights of %d axes, not %s", what, type_text(e, x), x.rank,
               type_text(e, w));
    return false;
  }
  if (w.dtype != x.dtype) {
    elab_error(e, at, E0302, "`%s` takes one dtype: %s and %s", what, type_text(e, x), type_text(e, w));
    elab_help(e, "cast one: `%s(w)`", dtype_name(x.dtype));
    return false;
  }
  for (int i = 0; i < k->ns; i++)
    if (!dim_is_int(e->dims, w.shape[2 + i], &k->kernel[i])) {
      elab_error(e, at, E0357, "the window of `%s` has a size known at run time only: %s", what, type_text(e, w));
      return false;
    }
  if (!per_axis(e, a[2], k->ns, 1, k->stride, "the stride", at) ||
      !per_axis(e, a[4], k->ns, 1, k->dilation, "the dilation", at) || !paddings(e, a[3], k, at))
    return false;
  if (a[5]->kind == V_INT && !v_const_int(e, a[5], groups)) {
    elab_error(e, at, E0402, "the groups of `%s` must be known while compiling", what);
    return false;
  }
  if (!want_int(e, a[5], groups, "`groups`", at)) return false;
  if (*groups < 1) {
    elab_error(e, at, E0354, "`groups` must be at least 1");
    return false;
  }
  return true;
}

static Value *conv(Elab *e, Value **a, int n, Loc at) {
  Value *x = a[0], *w = a[1];
  Window k = {0};
  int64_t groups;
  if (!image(e, &x, "conv", at) || !want_tensor(e, &w, "the weights of `conv`", at)) return e->poison;
  Type t = v_type(x), u = v_type(w);
  if (!conv_window(e, a, t, u, &k, &groups, "conv", at)) return e->poison;
  Dim g = dim_int(e->dims, groups);
  if (dim_eq(e->dims, dim_mul(e->dims, u.shape[1], g), t.shape[1]) != DIM_YES) {
    elab_error(e, at, E0358, "`conv` of %s needs weights [out, %s%s, ...], not %s", type_text(e, t),
               dim_text(e, t.shape[1]), groups > 1 ? arena_printf(e->arena, " / %lld", (long long)groups) : "",
               type_text(e, u));
    elab_note(e, graph_node(e->trace->graph, nid(w))->loc, "the weights come from here");
    return e->poison;
  }
  if (!dim_is(e->dims, dim_mod(e->dims, u.shape[0], g), 0))
    return elab_error(e, at, E0358, "%s output channels do not divide into %lld groups", dim_text(e, u.shape[0]),
                      (long long)groups);
  if (!window_fits(e, "conv", t, &k, at)) return e->poison;
  NodeId y = g_conv(e->trace->graph, OP_conv, elab_place(e, at), nid(x), nid(w), k.ns, k.stride, k.low, k.high,
                    k.dilation, groups, NULL);
  return too_big(e, graph_type(e->trace->graph, y), at) ? e->poison : v_tensor(e, y);
}

/* The transpose of conv as a linear map: size (n - 1) * stride - pads + dilation * (k - 1) + 1. */
static Value *conv_transpose(Elab *e, Value **a, int n, Loc at) {
  Value *x = a[0], *w = a[1];
  Window k = {0};
  int64_t groups, s;
  Dim shape[MAX_RANK];
  if (!image(e, &x, "conv_transpose", at) || !want_tensor(e, &w, "the weights of `conv_transpose`", at))
    return e->poison;
  Type t = v_type(x), u = v_type(w);
  if (!conv_window(e, a, t, u, &k, &groups, "conv_transpose", at)) return e->poison;
  if (dim_eq(e->dims, u.shape[0], t.shape[1]) != DIM_YES ||
      !dim_is(e->dims, dim_mod(e->dims, u.shape[0], dim_int(e->dims, groups)), 0)) {
    elab_error(e, at, E0358, "`conv_transpose` of %s needs weights [%s, out / groups, ...], not %s", type_text(e, t),
               dim_text(e, t.shape[1]), type_text(e, u));
    return e->poison;
  }
  shape[0] = t.shape[0];
  shape[1] = dim_mul(e->dims, u.shape[1], dim_int(e->dims, groups));
  for (int i = 0; i < k.ns; i++) {
    Dim m = dim_mul(e->dims, dim_sub(e->dims, t.shape[2 + i], dim_int(e->dims, 1)), dim_int(e->dims, k.stride[i]));
    shape[2 + i] = dim_add(e->dims, m, dim_int(e->dims, k.dilation[i] * (k.kernel[i] - 1) + 1 - k.lo[i] - k.hi[i]));
    if (dim_is_int(e->dims, shape[2 + i], &s) && s < 0)
      return elab_error(e, at, E0356, "`conv_transpose` leaves a negative size on axis %d", 2 + i);
  }
  Type want = type_of(e->arena, t.dtype, t.rank, shape);
  if (too_big(e, want, at)) return e->poison;
  return v_tensor(e, g_conv(e->trace->graph, OP_conv_dx, elab_place(e, at), nid(x), nid(w), k.ns, k.stride, k.low,
                            k.high, k.dilation, groups, &want));
}

static bool pool_window(Elab *e, Value **a, Value **x, Window *k, const char *what, Loc at) {
  if (!image(e, x, what, at)) return false;
  k->ns = v_type(*x).rank - 2;
  for (int i = 0; i < k->ns; i++) k->dilation[i] = 1;
  return per_axis(e, a[1], k->ns, 1, k->kernel, "the window", at) &&
         per_axis(e, a[2]->kind == V_NONE ? a[1] : a[2], k->ns, 1, k->stride, "the stride", at) &&
         paddings(e, a[3], k, at) && window_fits(e, what, v_type(*x), k, at);
}

static Value *max_pool(Elab *e, Value **a, int n, Loc at) {
  Value *x = a[0];
  Window k = {0};
  if (!pool_window(e, a, &x, &k, e->native->name, at)) return e->poison;
  Graph *g = e->trace->graph;
  Loc place = elab_place(e, at);
  Value *y = v_tensor(e, g_pool(g, OP_max_pool, place, nid(x), k.ns, k.kernel, k.stride, k.low, k.high));
  if (!e->native->data) return y;
  Value **items = arena_array(e->arena, Value *, 2);
  items[0] = y;
  items[1] = v_tensor(e, g_pool(g, OP_max_pool_arg, place, nid(x), k.ns, k.kernel, k.stride, k.low, k.high));
  return v_tuple(e, items, NULL, 2);
}

/* max_unpool(y, at, k): y at the places that max_pool_at gave, zeros elsewhere. */
static Value *max_unpool(Elab *e, Value **a, int n, Loc at) {
  Value *y = a[0], *place = a[1], *args[4] = {a[0], a[2], a[3], v_int(e, 0)};
  Window k = {0};
  if (!image(e, &y, "max_unpool", at) || !want_tensor(e, &place, "the places", at)) return e->poison;
  Type t = v_type(y), u = v_type(place);
  k.ns = t.rank - 2;
  for (int i = 0; i < k.ns; i++) k.dilation[i] = 1;
  if (!per_axis(e, args[1], k.ns, 1, k.kernel, "the window", at) ||
      !per_axis(e, args[2]->kind == V_NONE ? args[1] : args[2], k.ns, 1, k.stride, "the stride", at) ||
      !paddings(e, args[3], &k, at))
    return e->poison;
  if (u.dtype != I32 || !shape_same(t, u))
    return elab_error(e, at, E0351, "`max_unpool` of %s needs places i32 of its shape, not %s", type_text(e, t),
                      type_text(e, u));
  Dim shape[MAX_RANK] = {t.shape[0], t.shape[1]};
  int rank = t.rank;
  for (int i = 0; i < k.ns; i++)
    shape[2 + i] = dim_add(
        e->dims, dim_mul(e->dims, dim_sub(e->dims, t.shape[2 + i], dim_int(e->dims, 1)), dim_int(e->dims, k.stride[i])),
        dim_int(e->dims, k.kernel[i]));
  if (a[4]->kind != V_NONE) {
    Dim size[MAX_RANK];
    if (!want_shape(e, a[4], &rank, size, "`size`", at)) return e->poison;
    bool fits = rank == k.ns;
    for (int i = 0; fits && i < k.ns; i++) { /* as many windows as y has elements */
      Dim room = dim_sub(e->dims, size[i], dim_int(e->dims, k.kernel[i]));
      Dim count = dim_add(e->dims, dim_floordiv(e->dims, room, dim_int(e->dims, k.stride[i])), dim_int(e->dims, 1));
      fits = dim_eq(e->dims, count, t.shape[2 + i]) == DIM_YES;
      shape[2 + i] = size[i];
    }
    if (!fits)
      return elab_error(e, at, E0356, "`max_unpool` of %s cannot give this `size`: its pool has another shape",
                        type_text(e, t));
  }
  Type want = type_of(e->arena, t.dtype, t.rank, shape);
  if (too_big(e, want, at)) return e->poison;
  Graph *g = e->trace->graph;
  Attr attrs[4] = {attr_ints(g, A_window, k.kernel, k.ns), attr_ints(g, A_stride, k.stride, k.ns),
                   attr_dims(g, A_low, k.low, k.ns), attr_dims(g, A_high, k.high, k.ns)};
  return v_tensor(e,
                  graph_add(g, OP_max_pool_dx, elab_place(e, at), (NodeId[]){nid(y), nid(place)}, 2, attrs, 4, &want));
}

static const Native table[] = {
    {"conv", "x, w, stride = 1, padding = \"same\", dilation = 1, groups = 1", conv, 0},
    {"conv_transpose", "x, w, stride = 1, padding = 0, dilation = 1, groups = 1", conv_transpose, 0},
    {"max_pool", "x, k, stride = none, padding = 0", max_pool, 0},
    {"max_pool_at", "x, k, stride = none, padding = 0", max_pool, 1},
    {"max_unpool", "y, at, k, stride = none, size = none", max_unpool, 0},
};
void natives_nn(Elab *e) { elab_register(e, table, (int)(sizeof table / sizeof *table)); }
