/* The verifier: every invariant of a graph, checked after each pass. */
#include "base/ds.h"
#include "ir/ir.h"
#include <string.h>

typedef struct Verify {
  Graph *g;
  const char *path; /* "" or "%5 region 0: " */
  Buf *why;
  bool ok;
} Verify;

static void wrong(Verify *v, NodeId id, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void wrong(Verify *v, NodeId id, const char *fmt, ...) {
  v->ok = false;
  va_list ap;
  va_start(ap, fmt);
  const char *text = arena_vprintf(v->g->arena, fmt, ap);
  va_end(ap);
  if (!v->why) return;
  buf_str(v->why, v->path);
  if (id) buf_printf(v->why, "%%%u %s: ", id, op_info[graph_node(v->g, id)->op].name);
  buf_printf(v->why, "%s\n", text);
}

static bool check_type(Verify *v, NodeId id, Type t) {
  if (t.dtype < 0 || t.dtype >= DTYPE_COUNT || t.rank < 0 || t.rank > MAX_RANK) {
    wrong(v, id, "bad type");
    return false;
  }
  for (int i = 0; i < t.rank; i++) {
    if (t.shape[i] == DIM_NONE || t.shape[i] == DIM_OVERFLOW) {
      wrong(v, id, "size of axis %d is missing or too large", i);
      return false;
    }
    int64_t n;
    if (dim_is_int(v->g->dims, t.shape[i], &n) && n < 0) {
      wrong(v, id, "size of axis %d is negative", i);
      return false;
    }
  }
  return true;
}

/* Attributes are those of ops.def in its order. */
static bool check_attrs(Verify *v, NodeId id, const Node *n) {
  const char *s = op_info[n->op].attrs;
  int i = 0;
  for (; *s; i++) {
    size_t len = strcspn(s, " ");
    if (i >= n->n_attrs) {
      wrong(v, id, "attribute `%.*s` is missing", (int)len, s);
      return false;
    }
    AttrKey key = n->attrs[i].key;
    if (key <= A_NONE || key >= A_COUNT || strlen(attr_names[key]) != len || memcmp(attr_names[key], s, len)) {
      wrong(v, id, "attribute %d must be `%.*s`", i, (int)len, s);
      return false;
    }
    AttrKind kind = attr_kinds[key];
    if (kind == AK_INT && n->attrs[i].n != 1) {
      wrong(v, id, "attribute `%s` must be one value", attr_names[key]);
      return false;
    }
    for (uint32_t k = 0; (kind == AK_INT || kind == AK_INTS) && k < n->attrs[i].n; k++) {
      if (n->attrs[i].dims[k] == DIM_NONE || n->attrs[i].dims[k] == DIM_OVERFLOW) {
        wrong(v, id, "attribute `%s` is missing or too large", attr_names[key]);
        return false;
      }
    }
    s += len;
    while (*s == ' ') s++;
  }
  if (i != n->n_attrs) wrong(v, id, "attribute `%s` does not belong here", attr_names[n->attrs[i].key]);
  return i == n->n_attrs;
}

static bool check_operands(Verify *v, NodeId id, const Node *n) {
  const OpInfo *info = &op_info[n->op];
  if (info->arity >= 0 && n->n_in != info->arity) {
    wrong(v, id, "takes %d operands, has %d", info->arity, n->n_in);
    return false;
  }
  for (int i = 0; i < n->n_in; i++) {
    if (n->in[i] == 0 || n->in[i] >= id) {
      wrong(v, id, "operand %d is %%%u, which is not defined before", i, n->in[i]);
      return false;
    }
    if (graph_type(v->g, n->in[i]).dtype == TUPLE && n->op != OP_get) {
      wrong(v, id, "operand %d is several values: only get takes them", i);
      return false;
    }
  }
  return true;
}

static const char *text_of(Verify *v, Type t) {
  Buf b = {0};
  type_print(v->g->dims, &b, t);
  const char *s = arena_strdup(v->g->arena, b.s);
  buf_free(&b);
  return s;
}

/* The types that the shape rule gives. */
static void check_results(Verify *v, NodeId id, const Node *n) {
  Buf why = {0};
  bool tuple = op_info[n->op].cls == REGION || n->op == OP_grad || n->op == OP_vjp || n->op == OP_jacobian;
  if (tuple != (n->type.dtype == TUPLE)) {
    wrong(v, id, tuple ? "must have several results" : "cannot have several results");
  } else if (tuple) {
    const Type *results;
    int count;
    if (!graph_results(v->g, (Op)n->op, n->in, n->n_in, n->attrs, n->n_attrs, n->regions, n->n_regions, &results,
                       &count, &why)) {
      wrong(v, id, "%s", why.s);
    } else if (count != n->n_results) {
      wrong(v, id, "has %d results, should have %d", n->n_results, count);
    } else {
      for (int i = 0; i < count; i++) {
        if (!type_same(results[i], n->results[i])) {
          wrong(v, id, "result %d is %s, should be %s", i, text_of(v, n->results[i]), text_of(v, results[i]));
        }
      }
    }
  } else {
    Type t;
    if (!graph_infer(v->g, (Op)n->op, n->in, n->n_in, n->attrs, n->n_attrs, &n->type, &t, &why)) {
      wrong(v, id, "%s", why.s);
    } else if (!type_same(t, n->type)) {
      wrong(v, id, "is %s, should be %s", text_of(v, n->type), text_of(v, t));
    }
  }
  buf_free(&why);
}

static bool verify(Graph *g, const char *path, Buf *why, int depth);

static bool check_regions(Verify *v, NodeId id, const Node *n, int depth) {
  if (n->n_regions != op_region_count((Op)n->op)) {
    wrong(v, id, "has %d regions, needs %d", n->n_regions, op_region_count((Op)n->op));
    return false;
  }
  for (int i = 0; i < n->n_regions; i++) {
    Graph *r = n->regions[i];
    if (!r || r->dims != v->g->dims) {
      wrong(v, id, "region %d is missing or of another table of dimensions", i);
      return false;
    }
    const char *path = arena_printf(v->g->arena, "%s%%%u region %d: ", v->path, id, i);
    if (!verify(r, path, v->why, depth + 1)) return v->ok = false;
  }
  return true;
}

static void check_input(Verify *v, NodeId id, const Node *n, bool *seen) {
  int64_t i;
  if (!dim_is_int(v->g->dims, node_dim(n, A_index), &i) || i < 0 || i >= v->g->n_inputs) {
    wrong(v, id, "the graph has %d inputs", v->g->n_inputs);
  } else if (seen[i]) {
    wrong(v, id, "input %d stands twice", (int)i);
  } else if (!type_same(n->type, v->g->input_types[i])) {
    wrong(v, id, "input %d is %s", (int)i, text_of(v, v->g->input_types[i]));
  } else {
    seen[i] = true;
  }
}

static bool verify(Graph *g, const char *path, Buf *why, int depth) {
  Verify v = {g, path, why, true};
  if (depth > 100) wrong(&v, 0, "regions nested too deeply");
  if (arrlen(g->nodes) < 1) wrong(&v, 0, "no node 0");
  if (arrlen(g->input_types) != g->n_inputs)
    wrong(&v, 0, "%d inputs but %d input types", g->n_inputs, (int)arrlen(g->input_types));
  if (!v.ok) return false;
  for (int i = 0; i < g->n_inputs; i++) {
    if (g->input_types[i].dtype == TUPLE) wrong(&v, 0, "input %d has no type", i);
    else check_type(&v, 0, g->input_types[i]);
  }
  bool *seen = arena_array(g->arena, bool, g->n_inputs + 1);
  for (NodeId id = 1; id < (NodeId)arrlen(g->nodes); id++) {
    const Node *n = graph_node(g, id);
    if (n->op == OP_NONE || n->op >= OP_COUNT) {
      v.ok = false;
      if (why) buf_printf(why, "%s%%%u: no such op\n", path, id);
      continue;
    }
    if (!check_type(&v, id, n->type) || !check_attrs(&v, id, n) || !check_operands(&v, id, n) ||
        !check_regions(&v, id, n, depth)) {
      continue;
    }
    check_results(&v, id, n);
    if (n->op == OP_input) check_input(&v, id, n, seen);
  }
  for (ptrdiff_t i = 0; i < arrlen(g->outputs); i++) {
    NodeId o = g->outputs[i];
    if (o == 0 || o >= (NodeId)arrlen(g->nodes)) wrong(&v, 0, "output %d is %%%u, which does not exist", (int)i, o);
    else if (graph_type(g, o).dtype == TUPLE) wrong(&v, 0, "output %d is several values", (int)i);
  }
  return v.ok;
}

bool graph_verify(const Graph *g, Buf *why) { return verify((Graph *)(uintptr_t)g, "", why, 0); }
