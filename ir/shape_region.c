/* Types of ops with several results: regions and transformations. */
#include "base/ds.h"
#include "ir/shape_rules.h"

bool shape_get(Shape *s) {
  const Node *n = graph_node(s->g, s->ids[0]);
  int i;
  if (n->type.dtype != TUPLE) return shape_fail(s, "`get` needs several results");
  if (!shape_int(s, A_index, 0, n->n_results - 1, &i)) return false;
  *s->out = n->results[i];
  return true;
}

static bool float_scalar(Shape *s, const char *what) {
  if (s->n_in < 2) return shape_fail(s, "`%s` needs a value and what to differentiate by", s->spelling);
  if (!dtype_is_float(s->in[0].dtype) || (s->op == OP_grad && s->in[0].rank != 0)) {
    return shape_fail(s, "`%s` %s, not %s", s->spelling, what, shape_type(s, s->in[0]));
  }
  return true;
}

bool shape_grad(Shape *s) {
  if (!float_scalar(s, s->op == OP_grad ? "differentiates a float scalar" : "differentiates floats")) return false;
  int first = 1;
  if (s->op == OP_vjp) {
    first = 2;
    if (s->n_in < 3 || !type_same(s->in[0], s->in[1]))
      return shape_fail(s, "`vjp` needs a vector of the type of its value");
  }
  for (int i = first; i < s->n_in; i++) {
    if (!dtype_is_float(s->in[i].dtype)) {
      return shape_fail(s, "%s has no gradient: only floats have", shape_type(s, s->in[i]));
    }
  }
  *s->out = (Type){TUPLE, 0, NULL};
  return true;
}

/* The results are types of their own: graph_results. */
bool shape_jacobian(Shape *s) {
  if (!float_scalar(s, "differentiates floats")) return false;
  for (int i = 1; i < s->n_in; i++) {
    if (!dtype_is_float(s->in[i].dtype)) {
      return shape_fail(s, "%s has no gradient: only floats have", shape_type(s, s->in[i]));
    }
    if (s->in[0].rank + s->in[i].rank > MAX_RANK) {
      return shape_fail(s, "the Jacobian of %s by %s would have more than %d axes", shape_type(s, s->in[0]),
                        shape_type(s, s->in[i]), MAX_RANK);
    }
  }
  *s->out = (Type){TUPLE, 0, NULL};
  return true;
}

/* y's axes, then x's. */
static Type derivative(Graph *g, Type y, Type x) {
  Dim shape[MAX_RANK];
  for (int k = 0; k < y.rank; k++) shape[k] = y.shape[k];
  for (int k = 0; k < x.rank; k++) shape[y.rank + k] = x.shape[k];
  return type_of(g->arena, x.dtype, y.rank + x.rank, shape);
}

bool shape_jvp(Shape *s) {
  if (!float_scalar(s, "differentiates floats")) return false;
  if (s->n_in % 2 == 0) return shape_fail(s, "`jvp` needs a direction for each value");
  for (int i = 1; i < s->n_in; i += 2) {
    if (!dtype_is_float(s->in[i].dtype) || !type_same(s->in[i], s->in[i + 1])) {
      return shape_fail(s, "`jvp` needs a direction of type %s, got %s", shape_type(s, s->in[i]),
                        shape_type(s, s->in[i + 1]));
    }
  }
  return shape_done(s, s->in[0].dtype, s->in[0].rank, s->in[0].shape);
}

/* ---- regions ---- */

typedef struct Ctl {
  Shape s;
  Graph *const *regions;
  int n_regions;
  Type *results;
  int n;
} Ctl;

static bool check_inputs(Ctl *c, int region, const char *name, const Type *want, int n) {
  Shape *s = &c->s;
  const Graph *r = c->regions[region];
  if (r->n_inputs != n) {
    return shape_fail(s, "the %s of `%s` takes %d values, got %d", name, s->spelling, r->n_inputs, n);
  }
  for (int i = 0; i < n; i++) {
    if (!type_same(r->input_types[i], want[i])) {
      return shape_fail(s, "value %d into the %s of `%s` is %s, the %s expects %s", i, name, s->spelling,
                        shape_type(s, want[i]), name, shape_type(s, r->input_types[i]));
    }
  }
  return true;
}

static Type output(const Graph *r, int i) { return graph_type(r, r->outputs[i]); }

static bool check_outputs(Ctl *c, int region, const char *name, const Type *want, int n, bool exact) {
  Shape *s = &c->s;
  const Graph *r = c->regions[region];
  int have = (int)arrlen(r->outputs);
  if (have < n || (exact && have != n)) {
    return shape_fail(s, "the %s of `%s` gives %d values, needs %d", name, s->spelling, have, n);
  }
  for (int i = 0; i < n; i++) {
    if (!type_same(output(r, i), want[i])) {
      return shape_fail(s, "value %d of the %s of `%s` is %s, must be %s", i, name, s->spelling,
                        shape_type(s, output(r, i)), shape_type(s, want[i]));
    }
  }
  return true;
}

static Type row_of(Type t) { return (Type){t.dtype, t.rank - 1, t.shape + 1}; }

static Type stacked(Ctl *c, Type t, Dim length) {
  Dim shape[MAX_RANK + 1] = {length};
  for (int i = 0; i < t.rank; i++) shape[i + 1] = t.shape[i];
  return type_of(c->s.g->arena, t.dtype, t.rank + 1, shape);
}

static bool get_length(Ctl *c, Dim *length) {
  const Dim *d;
  if (!shape_dims(&c->s, A_length, &d, 1)) return false;
  *length = d[0];
  return true;
}

/* scan and vmap: `carried` values, `rows` with the leading axis `length`, captures. */
static bool loop(Ctl *c) {
  Shape *s = &c->s;
  int carried = 0, rows;
  Dim length;
  if (s->op == OP_scan && !shape_int(s, A_carried, 0, s->n_in, &carried)) return false;
  if (!shape_int(s, A_rows, 0, s->n_in - carried, &rows) || !get_length(c, &length)) return false;
  Type *in = arena_array(s->g->arena, Type, s->n_in ? s->n_in : 1);
  for (int i = 0; i < s->n_in; i++) {
    in[i] = s->in[i];
    if (i < carried || i >= carried + rows) continue;
    if (in[i].rank == 0 || in[i].shape[0] != length) {
      return shape_fail(s, "`%s` runs %s times, but operand %d is %s", s->spelling, shape_dim(s, length), i,
                        shape_type(s, in[i]));
    }
    in[i] = row_of(in[i]);
  }
  if (!check_inputs(c, 0, "body", in, s->n_in) || !check_outputs(c, 0, "body", in, carried, false)) return false;
  c->n = (int)arrlen(c->regions[0]->outputs);
  c->results = arena_array(s->g->arena, Type, c->n ? c->n : 1);
  for (int i = 0; i < c->n; i++) {
    Type t = output(c->regions[0], i);
    if (t.rank >= MAX_RANK && i >= carried)
      return shape_fail(s, "the stack of `%s` has more than %d axes", s->spelling, MAX_RANK);
    c->results[i] = i < carried ? t : stacked(c, t, length);
  }
  return true;
}

static bool while_loop(Ctl *c) {
  Shape *s = &c->s;
  int carried;
  const Dim *limit;
  if (!shape_int(s, A_carried, 0, s->n_in, &carried) || !shape_dims(s, A_limit, &limit, 1)) return false;
  Type flag = type_scalar(BOOL);
  c->results = arena_copy(s->g->arena, s->in, sizeof(Type) * (size_t)carried);
  c->n = carried;
  return check_inputs(c, 0, "condition", s->in, s->n_in) && check_outputs(c, 0, "condition", &flag, 1, true) &&
         check_inputs(c, 1, "body", s->in, s->n_in) && check_outputs(c, 1, "body", s->in, carried, true);
}

/* The outputs of a region as results. */
static void give(Ctl *c, int region) {
  const Graph *r = c->regions[region];
  c->n = (int)arrlen(r->outputs);
  c->results = arena_array(c->s.g->arena, Type, c->n ? c->n : 1);
  for (int i = 0; i < c->n; i++) c->results[i] = output(r, i);
}

static bool branches(Ctl *c) {
  Shape *s = &c->s;
  if (s->n_in < 1 || s->in[0].dtype != BOOL || s->in[0].rank != 0) {
    return shape_fail(s, "`cond` needs a condition bool[]%s%s", s->n_in ? ", not " : "",
                      s->n_in ? shape_type(s, s->in[0]) : "");
  }
  give(c, 0);
  return check_inputs(c, 0, "first branch", s->in + 1, s->n_in - 1) &&
         check_inputs(c, 1, "second branch", s->in + 1, s->n_in - 1) &&
         check_outputs(c, 1, "second branch", c->results, c->n, true);
}

static bool own_gradient(Ctl *c) {
  Shape *s = &c->s;
  if (!check_inputs(c, 0, "function", s->in, s->n_in)) return false;
  give(c, 0);
  Type *in = arena_array(s->g->arena, Type, s->n_in + 2 * c->n + 1), *out = arena_array(s->g->arena, Type, s->n_in + 1);
  int n = 0, m = 0;
  for (int i = 0; i < s->n_in; i++) {
    in[n++] = s->in[i];
    if (dtype_is_float(s->in[i].dtype)) out[m++] = s->in[i];
  }
  for (int k = 0; k < 2; k++) {
    for (int i = 0; i < c->n; i++) in[n++] = c->results[i];
  }
  return check_inputs(c, 1, "gradient", in, n) && check_outputs(c, 1, "gradient", out, m, true);
}

static bool region_types(Ctl *c) {
  Shape *s = &c->s;
  if (c->n_regions != op_region_count(s->op)) {
    return shape_fail(s, "`%s` has %d regions, needs %d", s->spelling, c->n_regions, op_region_count(s->op));
  }
  for (int r = 0; r < c->n_regions; r++) {
    if (c->regions[r] == NULL) return shape_fail(s, "`%s` lacks a region", s->spelling);
  }
  switch (s->op) {
  case OP_scan:
  case OP_vmap: return loop(c);
  case OP_while: return while_loop(c);
  case OP_cond: return branches(c);
  case OP_custom_grad: return own_gradient(c);
  default: give(c, 0); return check_inputs(c, 0, "body", s->in, s->n_in);
  }
}

bool graph_results(Graph *g, Op op, const NodeId *in, int n_in, const Attr *attrs, int n_attrs, Graph *const *regions,
                   int n_regions, const Type **results, int *n_results, Buf *why) {
  Type out, *types = arena_array(g->arena, Type, n_in ? n_in : 1);
  for (int i = 0; i < n_in; i++) types[i] = g->nodes[in[i]].type;
  Ctl c = {{g, op, op_spelling(op), types, in, n_in, attrs, n_attrs, NULL, &out, why}, regions, n_regions, NULL, 0};
  if (op_info[op].cls == REGION) {
    for (int i = 0; i < n_in; i++) {
      if (types[i].dtype == TUPLE) return shape_fail(&c.s, "`%s` needs tensors", c.s.spelling);
    }
    if (!region_types(&c)) return false;
    *results = c.results;
    *n_results = c.n;
    return true;
  }
  if (!graph_infer(g, op, in, n_in, attrs, n_attrs, NULL, &out, why)) return false;
  int first = op == OP_vjp ? 2 : 1;
  for (int i = 1; op == OP_jacobian && i < n_in; i++) types[i] = derivative(g, types[0], types[i]);
  *results = types + first;
  *n_results = n_in - first;
  return true;
}
