/* Natives that map to one op, and choices: exp ... stop_gradient, maximum, where, casts, constants. */
#include "frontend/elab_priv.h"
#include <math.h>

static Value *map1(Elab *e, Value **a, int n, Loc at) { return elab_unary(e, (Op)e->native->data, a[0], at); }
static Value *map2(Elab *e, Value **a, int n, Loc at) { return elab_binary(e, (Op)e->native->data, a[0], a[1], at); }

static bool is_static(const Value *v) {
  return v->kind == V_INT || v->kind == V_FLOAT || v->kind == V_BOOL || v->kind == V_SYM;
}

/* where(c, a, b): c chooses element by element; all three broadcast. */
static Value *where(Elab *e, Value **v, int n, Loc at) {
  Value *c = v_read(e, v[0]), *a = v_read(e, v[1]), *b = v_read(e, v[2]);
  Dim shape[MAX_RANK];
  int rank = 0;
  if (c->kind == V_BOOL) return c->b ? a : b;
  if (is_open_bool(c)) c = v_to_tensor(e, c, BOOL, at);
  if (is_tree(a) || is_tree(b)) return select_value(e, c, a, b, at);
  if (!want_tensor(e, &c, "the condition of `where`", at)) return e->poison;
  if (v_type(c).dtype != BOOL) {
    elab_error(e, at, E0310, "the condition of `where` must be bool, but it is %s", type_text(e, v_type(c)));
    elab_help(e, "compare first: `x != 0`");
    return e->poison;
  }
  if (is_static(a) && is_static(b)) {
    DType t = a->kind == V_FLOAT || a->kind == V_SYM ? F32 : TUPLE;
    if (b->kind == V_FLOAT || b->kind == V_SYM) t = F32;
    a = v_to_tensor(e, a, t, at);
    b = v_to_tensor(e, b, t, at);
  }
  if (!tensor_pair(e, "where", &a, &b, at)) return e->poison;
  if (!broadcast_shapes(e, "where", v_type(c), v_type(a), at, &rank, shape)) return e->poison;
  NodeId cn = broadcast_node(e, nid(c), rank, shape, at), an = broadcast_node(e, nid(a), rank, shape, at);
  return v_tensor(e, g_where(e->trace->graph, elab_place(e, at), cn, an, broadcast_node(e, nid(b), rank, shape, at)));
}

static Value *cast_leaf(Elab *e, int t, Value *v, Loc at) { return cast_value(e, (DType)t, v, at); }

/* f32(x): a tensor, number, nested list of numbers, or every leaf of a tree. */
Value *cast_value(Elab *e, DType t, Value *v, Loc at) {
  double x;
  v = v_read(e, v);
  if (is_poison(v)) return v;
  if (is_tree(v) && v->kind == V_INST) return tree_unary(e, v, cast_leaf, t, at);
  if (v->kind == V_TENSOR) {
    if (!want_tensor(e, &v, "what is cast", at)) return e->poison;
    return v_tensor(e, g_cast(e->trace->graph, elab_place(e, at), nid(v), t));
  }
  if (v->kind == V_BOOL && t != BOOL) v = v_int(e, v->b);
  if (v_number(e, v, &x) && !dtype_is_float(t) && t != BOOL && !(fabs(x) < 9e18))
    return elab_error(e, at, E0308, "%s does not fit %s", value_text(e, v), dtype_name(t));
  if (v_number(e, v, &x) && !dtype_is_float(t)) v = t == BOOL ? v_bool(e, x != 0) : v_int(e, (int64_t)trunc(x));
  return v_to_tensor(e, v, t, at);
}

static Value *constant(Elab *e, Value **a, int n, Loc at) {
  return v_float(e, e->native->data ? INFINITY : 3.14159265358979323846);
}

static Value *is_float(Elab *e, Value **a, int n, Loc at) {
  Value *v = v_read(e, a[0]);
  LeafRef *leaves = NULL;
  bool yes = true;
  if (v->kind == V_TENSOR) return v_bool(e, dtype_is_float(v_type(v).dtype));
  if (!is_tree(v) && v->kind != V_LIST) return v_bool(e, v->kind == V_FLOAT || v->kind == V_INT || v->kind == V_SYM);
  tree_leaves(e, v, "", &leaves);
  for (ptrdiff_t i = 0; i < arrlen(leaves); i++) {
    const Value *l = leaves[i].v;
    yes &= l->kind == V_FLOAT || l->kind == V_SYM || (l->kind == V_TENSOR && dtype_is_float(v_type(l).dtype));
  }
  arrfree(leaves);
  return v_bool(e, yes);
}

static Value *is_function(Elab *e, Value **a, int n, Loc at) {
  return v_bool(e, a[0]->kind == V_FN || a[0]->kind == V_MODULE);
}

static Value *is_list(Elab *e, Value **a, int n, Loc at) { return v_bool(e, a[0]->kind == V_LIST); }

static const Native table[] = {
    {"exp", "x", map1, OP_exp},
    {"log", "x", map1, OP_log},
    {"log1p", "x", map1, OP_log1p},
    {"expm1", "x", map1, OP_expm1},
    {"sqrt", "x", map1, OP_sqrt},
    {"rsqrt", "x", map1, OP_rsqrt},
    {"sin", "x", map1, OP_sin},
    {"cos", "x", map1, OP_cos},
    {"tan", "x", map1, OP_tan},
    {"tanh", "x", map1, OP_tanh},
    {"sigmoid", "x", map1, OP_sigmoid},
    {"erf", "x", map1, OP_erf},
    {"abs", "x", map1, OP_abs},
    {"sign", "x", map1, OP_sign},
    {"floor", "x", map1, OP_floor},
    {"ceil", "x", map1, OP_ceil},
    {"round", "x", map1, OP_round},
    {"stop_gradient", "x", map1, OP_stop_gradient},
    {"maximum", "a, b", map2, OP_maximum},
    {"minimum", "a, b", map2, OP_minimum},
    {"where", "c, a, b", where, 0},
    {"pi", NULL, constant, 0},
    {"inf", NULL, constant, 1},
    {"is_float", "x", is_float, 0},
    {"is_function", "x", is_function, 0},
    {"is_list", "x", is_list, 0},
};
void natives_math(Elab *e) { elab_register(e, table, (int)(sizeof table / sizeof *table)); }
