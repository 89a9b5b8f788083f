/* Static natives: shape, rank, len, zip, reversed. */
#include "frontend/elab_priv.h"

static Value *shape(Elab *e, Value **a, int n, Loc at) {
  Value *x = a[0];
  if (!want_tensor(e, &x, "the argument of `shape`", at)) return e->poison;
  Type t = v_type(x);
  Value **items = arena_array(e->arena, Value *, t.rank + 1);
  for (int i = 0; i < t.rank; i++) items[i] = v_dim(e, t.shape[i]);
  return v_list(e, items, t.rank);
}

static Value *rank(Elab *e, Value **a, int n, Loc at) {
  Value *x = a[0];
  return want_tensor(e, &x, "the argument of `rank`", at) ? v_int(e, v_type(x).rank) : e->poison;
}

static Value *len(Elab *e, Value **a, int n, Loc at) {
  Value *v = v_read(e, a[0]);
  if (v->kind == V_LIST || v->kind == V_TUPLE) return v_int(e, v->list.n);
  if (v->kind == V_TENSOR && v_type(v).rank > 0) return v_dim(e, v_type(v).shape[0]);
  return elab_error(e, at, E0401, "`len` takes a list, a tuple or a tensor with axes, not %s", value_kind_name(e, v));
}

static Value *zip(Elab *e, Value **a, int n, Loc at) {
  Value *more = a[0];
  if (more->list.n == 2 && more->list.items[0]->kind == V_DATA)
    return data_zip(e, more->list.items[0], more->list.items[1], at);
  int count = -1, k = more->list.n;
  for (int i = 0; i < k; i++) {
    Value *v = more->list.items[i];
    if (v->kind != V_LIST && v->kind != V_TUPLE)
      return elab_error(e, at, E0401, "`zip` takes lists, not %s", value_kind_name(e, v));
    if (count >= 0 && v->list.n != count)
      return elab_error(e, at, E0422, "`zip` takes lists of equal length: %d and %d", count, v->list.n);
    count = v->list.n;
  }
  Value **rows = arena_array(e->arena, Value *, count + 1);
  for (int i = 0; i < count; i++) {
    Value **items = arena_array(e->arena, Value *, k);
    for (int j = 0; j < k; j++) items[j] = more->list.items[j]->list.items[i];
    rows[i] = v_tuple(e, items, NULL, k);
  }
  return v_list(e, rows, count < 0 ? 0 : count);
}

static Value *reversed(Elab *e, Value **a, int n, Loc at) {
  const Value *v = a[0];
  if (v->kind != V_LIST && v->kind != V_TUPLE) {
    elab_error(e, at, E0401, "`reversed` takes a list, not %s", value_kind_name(e, v));
    if (v->kind == V_TENSOR) elab_help(e, "`reverse(x, axis)` turns a tensor around");
    return e->poison;
  }
  Value **items = arena_array(e->arena, Value *, v->list.n + 1);
  for (int i = 0; i < v->list.n; i++) items[i] = v->list.items[v->list.n - 1 - i];
  return v_list(e, items, v->list.n);
}

static const Native table[] = {
    {"shape", "x", shape, 0}, {"rank", "x", rank, 0},          {"len", "x", len, 0},
    {"zip", "*", zip, 0},     {"reversed", "xs", reversed, 0},
};
void natives_static(Elab *e) { elab_register(e, table, (int)(sizeof table / sizeof *table)); }
