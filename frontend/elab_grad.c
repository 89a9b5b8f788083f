/* Derivatives as values: grad, vjp, jvp, jacobian of what the trace computed. */
#include "frontend/elab_priv.h"
#include <string.h>

static bool reaches(Elab *e, NodeId y, const NodeId *x, int n) {
  const Graph *g = e->trace->graph;
  NodeId low = y;
  for (int i = 0; i < n; i++)
    if (x[i] < low) low = x[i];
  unsigned char *mark = zeroed((size_t)y + 1, 1); /* 1 wanted, 2 on a path from y */
  bool found = false;
  for (int i = 0; i < n; i++)
    if (x[i] <= y) mark[x[i]] |= 1;
  mark[y] |= 2;
  for (NodeId i = y; i >= low && i > 0 && !found; i--) {
    if (!(mark[i] & 2)) continue;
    found = (mark[i] & 1) != 0;
    const Node *node = graph_node(g, i);
    for (int k = 0; k < node->n_in; k++) mark[node->in[k]] |= 2;
  }
  free(mark);
  return found;
}

/* Gradients have no states. */
static Value *without_state(Elab *e, Value *v) {
  if (v->kind == V_INST) {
    for (int i = 0; i < v->inst->n; i++) {
      Field *f = &v->inst->fields[i];
      if (f->kind == FIELD_STATE) f->v = e->none;
      else if (f->kind == FIELD_STATIC && holds_inst(f->v)) f->v = without_state(e, f->v);
    }
  } else if ((v->kind == V_LIST || v->kind == V_TUPLE) && holds_inst(v)) {
    for (int i = 0; i < v->list.n; i++) without_state(e, v->list.items[i]);
  }
  return v;
}

static bool is_float_leaf(const Elab *e, const Value *v) {
  return v->kind == V_TENSOR && is_around(e, v->t.graph) && dtype_is_float(v_type(v).dtype);
}

/* ---- what is differentiated ---- */

/* A float tensor; of `grad` a scalar. */
static bool target(Elab *e, const char *name, Value **y, Loc at) {
  bool scalar = !strcmp(name, "grad");
  if (is_poison(*y)) return false;
  *y = v_read(e, *y);
  if ((*y)->kind != V_TENSOR) {
    elab_error(e, at, E0701, "`%s` takes the derivative of a %s, not of %s", name, scalar ? "scalar tensor" : "tensor",
               value_kind_name(e, *y));
    return false;
  }
  if (!want_tensor(e, y, "what is differentiated", at)) return false;
  Type t = v_type(*y);
  if (!dtype_is_float(t.dtype)) {
    elab_error(e, at, E0702, "integer and bool values have no gradient: this is %s", type_text(e, t));
    elab_help(e, "compute it in floats: `f32(x)`");
    return false;
  }
  if (scalar && t.rank != 0) {
    elab_error(e, at, E0703, "`grad` takes the derivative of a scalar, but this is %s", type_text(e, t));
    elab_help(e, "did you mean its `mean(…)` or `sum(…)`?");
    elab_help(e, "`jacobian` takes the derivative of each element");
    return false;
  }
  return true;
}

/* A tensor, or the float leaves of a tree, all of one dtype, end to end. NULL after an error. */
static Value *joined(Elab *e, const char *name, Value *y, Loc at) {
  LeafRef *leaves = NULL;
  NodeId *part = NULL;
  Graph *g = e->trace->graph;
  DType dtype = TUPLE, other = TUPLE;
  if (is_poison(y)) return NULL;
  y = v_read(e, y);
  if (!is_tree(y) && y->kind != V_LIST) return target(e, name, &y, at) ? y : NULL;
  tree_leaves(e, y, "", &leaves);
  for (ptrdiff_t i = 0; i < arrlen(leaves); i++) {
    const Value *v = leaves[i].v;
    if (!is_float_leaf(e, v)) continue;
    Dim n = type_count(e->dims, v_type(v));
    if (dtype == TUPLE) dtype = v_type(v).dtype;
    if (v_type(v).dtype != dtype) other = v_type(v).dtype;
    arrput(part, g_reshape(g, elab_place(e, at), nid(v), 1, &n));
  }
  Value *r = NULL;
  if (dtype == TUPLE) {
    elab_error(e, at, E0701, "`%s` takes the derivative of float tensors, not of %s", name, value_kind_name(e, y));
  } else if (other != TUPLE) {
    elab_error(e, at, E0701, "`%s` takes the derivative of a tree of one dtype, not of %s beside %s", name,
               dtype_name(dtype), dtype_name(other));
  } else {
    r = v_tensor(e, g_concat(g, elab_place(e, at), part, (int)arrlen(part), 0));
  }
  arrfree(leaves);
  arrfree(part);
  return r;
}

/* ---- by what ---- */

/* The float leaves of x, on which y depends (stb_ds); NULL after an error. */
static NodeId *variables(Elab *e, const char *name, const Value *y, Value *x, Loc at) {
  LeafRef *leaves = NULL;
  NodeId *in = NULL;
  tree_leaves(e, x, "", &leaves);
  for (ptrdiff_t i = 0; i < arrlen(leaves); i++)
    if (is_float_leaf(e, leaves[i].v)) arrput(in, nid(leaves[i].v));
  bool integer = arrlen(leaves) == 1 && leaves[0].v->kind == V_TENSOR && !in;
  arrfree(leaves);
  bool loss = !strcmp(name, "grad");
  if (integer) {
    elab_error(e, at, E0702, "there is no gradient with respect to %s", value_kind_name(e, x));
  } else if (!in) {
    elab_error(e, at, E0704, "there is nothing to take the gradient for: %s has no float tensors",
               value_kind_name(e, x));
  } else if (!grad_sees_all(e, nid(y), in, (int)arrlen(in), at)) {
    arrfree(in);
  } else if (!reaches(e, nid(y), in, (int)arrlen(in))) {
    elab_error(e, at, E0705, "%s does not depend on %s", loss ? "the loss" : "this value",
               x->kind == V_INST ? value_kind_name(e, x) : "what the gradient is asked for");
    elab_note(e, graph_node(e->trace->graph, nid(y))->loc, "%s was computed here", loss ? "the loss" : "it");
    for (ptrdiff_t i = 0; i < arrlen(e->trace->cells); i++)
      if (e->trace->cells[i].written) {
        elab_note(e, e->trace->cells[i].loc, "`%s` was updated here; %s was computed with its value before",
                  cell_info(e, e->trace->cells[i].cell)->path, loss ? "the loss" : "it");
        break;
      }
    elab_help(e, "take the gradient for the very value %s was computed from", loss ? "the loss" : "it");
    arrfree(in);
  }
  return in;
}

typedef struct Results {
  NodeId op;
  int next;
  Loc at;
} Results;

static Value *result_leaf(Elab *e, void *ctx, Value **leaf, int n, const char *path) {
  Results *c = ctx;
  if (!is_float_leaf(e, leaf[0])) return e->none;
  return v_tensor(e, g_get(e->trace->graph, elab_place(e, c->at), c->op, c->next++));
}

/* The results of an op with one for each float leaf of x, as a tree like x. */
static Value *results(Elab *e, Op op, const NodeId *in, int n, Value *x, Loc at) {
  Results c = {.at = at};
  c.op = graph_add(e->trace->graph, op, elab_place(e, at), in, n, NULL, 0, NULL);
  return without_state(e, tree_map(e, &x, 1, result_leaf, &c, "", at));
}

/* dy/dx for every float leaf of x, as a tree like x. */
Value *grad_value(Elab *e, Value *y, Value *x, Loc at) {
  if (is_poison(x) || !target(e, "grad", &y, at)) return e->poison;
  x = v_read(e, x);
  NodeId *in = variables(e, "grad", y, x, at);
  if (!in) return e->poison;
  arrins(in, 0, nid(y));
  Value *r = results(e, OP_grad, in, (int)arrlen(in), x, at);
  arrfree(in);
  return r;
}

/* ---- in a direction ---- */

typedef struct Directions {
  const char *name;
  NodeId *out; /* stb_ds: one for each float leaf */
  Loc at;
} Directions;

/* The direction of a leaf: a tensor of its type, or a number for all its elements. */
static Value *direction_leaf(Elab *e, void *ctx, Value **leaf, int n, const char *path) {
  Directions *c = ctx;
  Value *v = leaf[1];
  if (!is_float_leaf(e, leaf[0])) return e->none;
  Type t = v_type(leaf[0]);
  if (is_number(v)) {
    v = adapt_number(e, v, type_scalar(t.dtype), c->at);
    if (is_poison(v)) return v;
    v = v_tensor(e, broadcast_node(e, nid(v), t.rank, t.shape, c->at));
  }
  if (!want_tensor(e, &v, "a direction", c->at)) return e->poison;
  if (!type_same(v_type(v), t))
    return elab_error(e, c->at, E0711, "the direction%s%s of `%s` is %s, but the value is %s", *path ? " for " : "",
                      path, c->name, type_text(e, v_type(v)), type_text(e, t));
  arrput(c->out, nid(v));
  return leaf[0];
}

/* v along the float leaves of x (stb_ds); NULL after an error. */
static NodeId *directions(Elab *e, const char *name, Value *x, Value *v, Loc at) {
  Directions c = {.name = name, .at = at};
  Value *t[2] = {x, v};
  if (!is_poison(tree_map(e, t, 2, direction_leaf, &c, "", at))) return c.out;
  arrfree(c.out);
  return NULL;
}

/* u' dy/dx as a tree like x; u is like y. */
Value *vjp_value(Elab *e, Value *y, Value *x, Value *u, Loc at) {
  if (is_poison(x) || is_poison(u)) return e->poison;
  Value *all = joined(e, "vjp", y, at), *r = e->poison;
  if (!all) return r;
  x = v_read(e, x);
  y = v_read(e, y);
  NodeId *in = variables(e, "vjp", all, x, at), *us = in ? directions(e, "vjp", y, v_read(e, u), at) : NULL;
  if (us) {
    Graph *g = e->trace->graph;
    for (ptrdiff_t i = 0; all != y && i < arrlen(us); i++) {
      Dim n = type_count(e->dims, graph_type(g, us[i]));
      us[i] = g_reshape(g, elab_place(e, at), us[i], 1, &n);
    }
    arrins(in, 0, all == y ? us[0] : g_concat(g, elab_place(e, at), us, (int)arrlen(us), 0));
    arrins(in, 0, nid(all));
    r = results(e, OP_vjp, in, (int)arrlen(in), x, at);
  }
  arrfree(in);
  arrfree(us);
  return r;
}

typedef struct Parts {
  NodeId whole;
  Dim start;
  Loc at;
} Parts;

static Value *part_leaf(Elab *e, void *ctx, Value **leaf, int n, const char *path) {
  Parts *c = ctx;
  if (!is_float_leaf(e, leaf[0])) return e->none;
  Type t = v_type(leaf[0]);
  Dim count = type_count(e->dims, t);
  int64_t step = 1;
  NodeId part = g_slice(e->trace->graph, elab_place(e, c->at), c->whole, &c->start, &step, &count);
  c->start = dim_add(e->dims, c->start, count);
  return v_tensor(e, g_reshape(e->trace->graph, elab_place(e, c->at), part, t.rank, t.shape));
}

/* dy/dx v as a tree like y; v is like x. */
Value *jvp_value(Elab *e, Value *y, Value *x, Value *v, Loc at) {
  if (is_poison(x) || is_poison(v)) return e->poison;
  Value *all = joined(e, "jvp", y, at), *r = e->poison;
  if (!all) return r;
  x = v_read(e, x);
  y = v_read(e, y);
  NodeId *xs = variables(e, "jvp", all, x, at), *vs = xs ? directions(e, "jvp", x, v_read(e, v), at) : NULL, *in = NULL;
  if (vs) {
    arrput(in, nid(all));
    for (ptrdiff_t i = 0; i < arrlen(xs); i++) {
      arrput(in, xs[i]);
      arrput(in, vs[i]);
    }
    NodeId d = graph_add(e->trace->graph, OP_jvp, elab_place(e, at), in, (int)arrlen(in), NULL, 0, NULL);
    Parts c = {d, dim_int(e->dims, 0), at};
    r = all == y ? v_tensor(e, d) : without_state(e, tree_map(e, &y, 1, part_leaf, &c, "", at));
  }
  arrfree(in);
  arrfree(xs);
  arrfree(vs);
  return r;
}

/* ---- all elements ---- */

typedef struct Rows {
  Value *x;
  Loc at;
} Rows;

/* d leaf / d x: a tree like x whose leaves have the axes of `leaf` in front. */
static Value *jacobian_leaf(Elab *e, void *ctx, Value **leaf, int n, const char *path) {
  Rows *c = ctx;
  Value *y = leaf[0];
  if (*path && !is_float_leaf(e, y)) return e->none;
  if (!target(e, "jacobian", &y, c->at)) return e->poison;
  NodeId *in = variables(e, "jacobian", y, c->x, c->at);
  if (!in) return e->poison;
  Value *r = e->poison;
  int most = 0;
  for (ptrdiff_t i = 0; i < arrlen(in); i++) {
    int rank = graph_type(e->trace->graph, in[i]).rank;
    if (rank > most) most = rank;
  }
  if (v_type(y).rank + most > MAX_RANK) {
    elab_error(e, c->at, E0712, "the Jacobian of %s would have %d axes; at most %d are possible",
               type_text(e, v_type(y)), v_type(y).rank + most, MAX_RANK);
    elab_help(e, "join axes with `reshape` before");
  } else {
    arrins(in, 0, nid(y));
    r = restack(e, results(e, OP_jacobian, in, (int)arrlen(in), c->x, c->at), v_type(y).rank);
  }
  arrfree(in);
  return r;
}

/* d y / d x: for each float leaf of y a tree like x. */
Value *jacobian_value(Elab *e, Value *y, Value *x, Loc at) {
  if (is_poison(x) || is_poison(y)) return e->poison;
  Rows c = {v_read(e, x), at};
  y = v_read(e, y);
  return without_state(e, tree_map(e, &y, 1, jacobian_leaf, &c, "", at));
}
