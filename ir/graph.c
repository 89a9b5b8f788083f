#include "base/ds.h"
#include "ir/ir.h"
#include <stdlib.h>
#include <string.h>

/* ---- tables ---- */

const OpInfo op_info[OP_COUNT] = {
    {"none", 0, META, 0, 0, "", "", "never", "never"},
#define OP(name, arity, cls, shape, grad, flops, flags, attrs, formula)                                                \
  {#name, arity, cls, flops, flags, attrs, formula, #shape, #grad},
#include "ir/ops.def"
#undef OP
};

const char *const attr_names[A_COUNT] = {
    "none",
#define ATTR(name, kind) #name,
#include "ir/attrs.def"
#undef ATTR
};

const AttrKind attr_kinds[A_COUNT] = {
    AK_INT,
#define ATTR(name, kind) AK_##kind,
#include "ir/attrs.def"
#undef ATTR
};

int op_by_name(const char *name) {
  for (int op = 1; op < OP_COUNT; op++) {
    if (!strcmp(op_info[op].name, name)) return op;
  }
  return OP_NONE;
}

const char *op_spelling(Op op) {
  switch (op) {
  case OP_add: return "+";
  case OP_sub:
  case OP_neg: return "-";
  case OP_mul: return "*";
  case OP_div: return "/";
  case OP_floordiv: return "//";
  case OP_mod: return "%";
  case OP_pow: return "**";
  case OP_eq: return "==";
  case OP_ne: return "!=";
  case OP_lt: return "<";
  case OP_le: return "<=";
  case OP_gt: return ">";
  case OP_ge: return ">=";
  case OP_dot: return "@";
  case OP_reduce_max: return "max";
  case OP_reduce_min: return "min";
  case OP_conv_dx: return "conv_transpose";
  default: return op_info[op].name;
  }
}

int op_region_count(Op op) {
  switch (op) {
  case OP_scan:
  case OP_vmap:
  case OP_checkpoint: return 1;
  case OP_while:
  case OP_cond:
  case OP_custom_grad: return 2;
  default: return 0;
  }
}

/* The next attribute of an op's list, or A_NONE at its end. */
static AttrKey next_key(const char **s) {
  while (**s == ' ') (*s)++;
  size_t n = strcspn(*s, " ");
  if (!n) return A_NONE;
  for (int k = 1; k < A_COUNT; k++) {
    if (strlen(attr_names[k]) == n && !memcmp(attr_names[k], *s, n)) {
      *s += n;
      return (AttrKey)k;
    }
  }
  INTERNAL("ops.def: attribute `%.*s` is not in attrs.def", (int)n, *s);
}

/* The attributes of an op in order, A_NONE behind the last; found in the list once. */
static const uint8_t *op_keys(Op op) {
  enum { MOST = 15 };
  static uint8_t keys[OP_COUNT][MOST + 1];
  static bool known[OP_COUNT];
  if (known[op]) return keys[op];
  const char *s = op_info[op].attrs;
  int n = 0;
  for (AttrKey k; (k = next_key(&s)) != A_NONE; keys[op][n++] = (uint8_t)k)
    if (n == MOST) INTERNAL("ops.def: %s has too many attributes", op_info[op].name);
  known[op] = true;
  return keys[op];
}

bool op_has_attr(Op op, AttrKey key) {
  for (const uint8_t *k = op_keys(op); *k != A_NONE; k++) {
    if (*k == key) return true;
  }
  return false;
}

/* ---- graphs ---- */

Graph *graph_new(Arena *a, DimTab *dims, Diag *diag) {
  Graph *g = arena_one(a, Graph);
  g->arena = a;
  g->dims = dims;
  g->diag = diag;
  arrput(g->nodes, ((Node){0}));
  return g;
}

/* A node with regions of its own. */
static Node own_regions(Arena *a, Node n) {
  if (!n.n_regions) return n;
  Graph **regions = arena_array(a, Graph *, n.n_regions);
  for (int i = 0; i < n.n_regions; i++) regions[i] = graph_clone(a, n.regions[i]);
  n.regions = regions;
  return n;
}

NodeId graph_copy_node(Graph *g, Node n, const NodeId *map) {
  NodeId *in = arena_array(g->arena, NodeId, n.n_in + 1);
  for (int k = 0; k < n.n_in; k++) {
    in[k] = map[n.in[k]];
    if (!in[k]) INTERNAL("%s: operand %d was not copied", op_info[n.op].name, k);
  }
  n.in = in;
  arrput(g->nodes, own_regions(g->arena, n));
  return (NodeId)arrlen(g->nodes) - 1;
}

void graph_inline(Graph *g, const Graph *body, const NodeId *in, NodeId *out) {
  NodeId *map = zeroed((size_t)arrlen(body->nodes), sizeof *map);
  for (NodeId id = 1; id < (NodeId)arrlen(body->nodes); id++) {
    const Node *n = graph_node(body, id);
    map[id] = n->op == OP_input ? in[node_int(body, n, A_index)] : graph_copy_node(g, *n, map);
  }
  for (ptrdiff_t i = 0; i < arrlen(body->outputs); i++) out[i] = map[body->outputs[i]];
  free(map);
}

Graph *graph_clone(Arena *a, const Graph *g) {
  Graph *c = graph_new(a, g->dims, g->diag);
  for (NodeId id = 1; id < (NodeId)arrlen(g->nodes); id++) arrput(c->nodes, own_regions(a, *graph_node(g, id)));
  for (ptrdiff_t i = 0; i < arrlen(g->outputs); i++) arrput(c->outputs, g->outputs[i]);
  for (int i = 0; i < g->n_inputs; i++) arrput(c->input_types, g->input_types[i]);
  c->n_inputs = g->n_inputs;
  return c;
}

bool attr_optional(AttrKey key) { return key == A_reverse || key == A_again; }

/* Copies attributes in the order of ops.def; all must be there but the optional ones, none else. */
static const Attr *order_attrs(Graph *g, Op op, const Attr *attrs, int n_attrs, uint8_t *count) {
  const uint8_t *keys = op_keys(op);
  int n = 0, given = 0;
  while (keys[n] != A_NONE) n++;
  Attr *out = arena_array(g->arena, Attr, n);
  n = 0;
  for (; keys[n] != A_NONE;) {
    AttrKey k = (AttrKey)keys[n];
    int i = 0;
    while (i < n_attrs && attrs[i].key != k) i++;
    if (i == n_attrs && !attr_optional(k)) INTERNAL("%s lacks attribute `%s`", op_info[op].name, attr_names[k]);
    out[n++] = i == n_attrs ? attr_int(g, k, 0) : attrs[i];
    given += i < n_attrs;
  }
  if (given != n_attrs) INTERNAL("%s takes %d attributes, got %d", op_info[op].name, n, n_attrs);
  *count = (uint8_t)n;
  return out;
}

static NodeId append(Graph *g, Node *n, const NodeId *in, const Attr *attrs) {
  if (n->n_in) {
    for (int i = 0; i < n->n_in; i++) {
      if (in[i] == 0 || in[i] >= (NodeId)arrlen(g->nodes)) {
        INTERNAL("%s: operand %d names no node (%%%u)", op_info[n->op].name, i, in[i]);
      }
    }
    n->in = arena_copy(g->arena, in, sizeof *in * (size_t)n->n_in);
  }
  n->attrs = order_attrs(g, (Op)n->op, attrs, n->n_attrs, &n->n_attrs);
  NodeId id = (NodeId)arrlen(g->nodes);
  if (n->op == OP_input) {
    int index = (int)node_int(g, n, A_index);
    while (arrlen(g->input_types) <= index) arrput(g->input_types, ((Type){TUPLE, 0, NULL}));
    g->input_types[index] = n->type;
    if (index >= g->n_inputs) g->n_inputs = index + 1;
  }
  arrput(g->nodes, *n);
  return id;
}

/* "file:line" of a place, for internal errors. */
static const char *place(const Graph *g, Loc loc) {
  if (!g->diag || !loc.file) return "no place";
  int line, col;
  diag_line_col(g->diag, loc, &line, &col);
  return arena_printf(g->arena, "%s:%d:%d", diag_source_name(g->diag, loc.file), line, col);
}

NodeId graph_add(Graph *g, Op op, Loc loc, const NodeId *in, int n_in, const Attr *attrs, int n_attrs,
                 const Type *want) {
  Node n = {.op = (uint16_t)op, .n_attrs = (uint8_t)n_attrs, .n_in = n_in, .loc = loc};
  Buf why = {0};
  bool good = graph_infer(g, op, in, n_in, attrs, n_attrs, want, &n.type, &why);
  if (!good && type_count(g->dims, n.type) != DIM_OVERFLOW) {
    INTERNAL("%s (%s): %s", op_info[op].name, place(g, loc), why.s);
  }
  if (n.type.dtype == TUPLE) {
    int count;
    if (!graph_results(g, op, in, n_in, attrs, n_attrs, NULL, 0, &n.results, &count, &why)) {
      INTERNAL("%s (%s): %s", op_info[op].name, place(g, loc), why.s);
    }
    n.n_results = count;
  }
  buf_free(&why);
  return append(g, &n, in, attrs);
}

NodeId graph_add_region(Graph *g, Op op, Loc loc, const NodeId *in, int n_in, const Attr *attrs, int n_attrs,
                        Graph *const *regions, int n_regions) {
  Node n = {.op = (uint16_t)op, .n_attrs = (uint8_t)n_attrs, .n_in = n_in, .loc = loc, .type = {TUPLE, 0, NULL}};
  Buf why = {0};
  int count;
  if (!graph_results(g, op, in, n_in, attrs, n_attrs, regions, n_regions, &n.results, &count, &why)) {
    INTERNAL("%s (%s): %s", op_info[op].name, place(g, loc), why.s);
  }
  n.n_results = count;
  n.n_regions = (uint8_t)n_regions;
  n.regions = arena_copy(g->arena, regions, sizeof *regions * (size_t)n_regions);
  buf_free(&why);
  return append(g, &n, in, attrs);
}

/* ---- attributes ---- */

const Attr *node_attr(const Node *n, AttrKey key) {
  for (int i = 0; i < n->n_attrs; i++) {
    if (n->attrs[i].key == key) return &n->attrs[i];
  }
  INTERNAL("%s has no attribute `%s`", op_info[n->op].name, attr_names[key]);
}

int64_t node_int(const Graph *g, const Node *n, AttrKey key) {
  int64_t v;
  if (!dim_is_int(g->dims, node_dim(n, key), &v)) {
    INTERNAL("%s: attribute `%s` is not a constant", op_info[n->op].name, attr_names[key]);
  }
  return v;
}

Dim node_dim(const Node *n, AttrKey key) { return node_attr(n, key)->dims[0]; }

int node_ints(const Graph *g, const Node *n, AttrKey key, int64_t *out, int max) {
  const Attr *a = node_attr(n, key);
  if ((int)a->n > max) INTERNAL("%s: attribute `%s` is too long", op_info[n->op].name, attr_names[key]);
  for (uint32_t i = 0; i < a->n; i++) {
    if (!dim_is_int(g->dims, a->dims[i], &out[i])) {
      INTERNAL("%s: attribute `%s` is not constant", op_info[n->op].name, attr_names[key]);
    }
  }
  return (int)a->n;
}

double node_num(const Node *n, AttrKey key) { return node_attr(n, key)->num; }

Attr attr_dims(Graph *g, AttrKey key, const Dim *v, int n) {
  return (Attr){.key = key, .n = (uint32_t)n, .dims = arena_copy(g->arena, v, sizeof *v * (size_t)n)};
}

Attr attr_dim(Graph *g, AttrKey key, Dim d) { return attr_dims(g, key, &d, 1); }
Attr attr_int(Graph *g, AttrKey key, int64_t v) { return attr_dim(g, key, dim_int(g->dims, v)); }

Attr attr_ints(Graph *g, AttrKey key, const int64_t *v, int n) {
  Dim *d = arena_array(g->arena, Dim, n ? n : 1);
  for (int i = 0; i < n; i++) d[i] = dim_int(g->dims, v[i]);
  return (Attr){.key = key, .n = (uint32_t)n, .dims = d};
}

Attr attr_int32s(Graph *g, AttrKey key, const int *v, int n) {
  Dim *d = arena_array(g->arena, Dim, n ? n : 1);
  for (int i = 0; i < n; i++) d[i] = dim_int(g->dims, v[i]);
  return (Attr){.key = key, .n = (uint32_t)n, .dims = d};
}

Attr attr_num(AttrKey key, double v) { return (Attr){.key = key, .num = v}; }
Attr attr_hash(AttrKey key, uint64_t v) { return (Attr){.key = key, .hash = v}; }
