/* Graphs as text and as Graphviz. The grammar of the text stands in ir/parse.c. */
#include "base/ds.h"
#include "ir/ir.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Names of variables that are unique in the table: the second H is H'2. */
typedef struct Names {
  const DimTab *t;
  char buf[128];
} Names;

static const char *unique_name(void *ctx, int var) {
  Names *n = ctx;
  const char *name = dim_var_name(n->t, var);
  int k = 1;
  for (int i = 0; i < var; i++) k += !strcmp(dim_var_name(n->t, i), name);
  if (k == 1) return name;
  snprintf(n->buf, sizeof n->buf, "%.100s'%d", name, k);
  return n->buf;
}

static void put_dim(Buf *b, Names *n, Dim d) { dim_print_as(n->t, b, d, unique_name, n); }

static void put_type(Buf *b, Names *n, Type t) {
  buf_printf(b, "%s[", dtype_name(t.dtype));
  for (int i = 0; i < t.rank; i++) {
    if (i) buf_str(b, ", ");
    put_dim(b, n, t.shape[i]);
  }
  buf_char(b, ']');
}

/* ---- which variables occur ---- */

static void mark_dim(const DimTab *t, Dim d, bool *used, int n) {
  int *vars = NULL;
  dim_vars(t, d, &vars);
  for (ptrdiff_t i = 0; i < arrlen(vars); i++)
    if (vars[i] < n) used[vars[i]] = true;
  arrfree(vars);
}

static void mark_type(const DimTab *t, Type ty, bool *used, int n) {
  for (int i = 0; i < ty.rank; i++) mark_dim(t, ty.shape[i], used, n);
}

static void mark_graph(const Graph *g, bool *used, int n) {
  for (int i = 0; i < g->n_inputs; i++) mark_type(g->dims, g->input_types[i], used, n);
  for (NodeId id = 1; id < (NodeId)arrlen(g->nodes); id++) {
    const Node *x = graph_node(g, id);
    mark_type(g->dims, x->type, used, n);
    for (int i = 0; i < x->n_results; i++) mark_type(g->dims, x->results[i], used, n);
    for (int i = 0; i < x->n_regions; i++) mark_graph(x->regions[i], used, n);
    for (int i = 0; i < x->n_attrs; i++) {
      AttrKind k = attr_kinds[x->attrs[i].key];
      if (k != AK_INT && k != AK_INTS) continue;
      for (uint32_t j = 0; j < x->attrs[i].n; j++) mark_dim(g->dims, x->attrs[i].dims[j], used, n);
    }
  }
}

/* ---- attributes ---- */

/* The shortest decimal that reads back as v, in f32 when `single`. */
static void put_num(Buf *b, double v, bool single) {
  if (isnan(v)) {
    buf_str(b, "nan");
    return;
  }
  char s[40];
  for (int digits = 1; digits <= 17; digits++) {
    snprintf(s, sizeof s, "%.*g", digits, v);
    double back = strtod(s, NULL);
    if (single ? (float)back == (float)v : back == v) break;
  }
  buf_str(b, s);
}

static bool is_nan_at(DType t, const void *data, size_t i) {
  if (t == F32) return isnan(((const float *)data)[i]);
  if (t == F64) return isnan(((const double *)data)[i]);
  return false;
}

enum { LIST_MAX = 64 };

/* Short literals as numbers {1, 2.5}, long ones and those with NaN or 16-bit floats as bytes x0000803f. */
static void put_data(Buf *b, DType t, const Attr *a) {
  size_t size = (size_t)(dtype_size(t) ? dtype_size(t) : 1), n = a->n / size;
  bool list = n <= LIST_MAX && n * size == a->n && t != F16 && t != BF16 && t != TUPLE;
  for (size_t i = 0; list && i < n; i++) list = !is_nan_at(t, a->data, i);
  if (!list) {
    buf_char(b, 'x');
    for (uint32_t i = 0; i < a->n; i++) buf_printf(b, "%02x", ((const unsigned char *)a->data)[i]);
    return;
  }
  buf_char(b, '{');
  for (size_t i = 0; i < n; i++) {
    if (i) buf_str(b, ", ");
    switch (t) {
    case F64: put_num(b, ((const double *)a->data)[i], false); break;
    case F32: put_num(b, ((const float *)a->data)[i], true); break;
    case I64: buf_printf(b, "%lld", (long long)((const int64_t *)a->data)[i]); break;
    case I32: buf_printf(b, "%d", ((const int32_t *)a->data)[i]); break;
    case I8: buf_printf(b, "%d", ((const int8_t *)a->data)[i]); break;
    default: buf_printf(b, "%u", ((const unsigned char *)a->data)[i]); break;
    }
  }
  buf_char(b, '}');
}

static void put_attr(Buf *b, Names *n, const Node *x, const Attr *a) {
  if (attr_optional(a->key) && dim_is(n->t, a->dims[0], 0)) return;
  buf_printf(b, " %s=", attr_names[a->key]);
  switch (attr_kinds[a->key]) {
  case AK_INT: put_dim(b, n, a->dims[0]); break;
  case AK_INTS:
    buf_char(b, '[');
    for (uint32_t i = 0; i < a->n; i++) {
      if (i) buf_char(b, ',');
      put_dim(b, n, a->dims[i]);
    }
    buf_char(b, ']');
    break;
  case AK_NUM: put_num(b, a->num, false); break;
  case AK_DATA: put_data(b, x->type.dtype, a); break;
  case AK_HASH: buf_printf(b, "0x%llx", (unsigned long long)a->hash); break;
  }
}

/* ---- nodes ---- */

static void put_body(const Graph *g, Buf *b, Names *n, int indent);

static void put_node(const Graph *g, NodeId id, Buf *b, Names *n, int indent) {
  const Node *x = graph_node(g, id);
  buf_fill(b, ' ', indent);
  buf_printf(b, "%%%u = %s(", id, op_info[x->op].name);
  for (int i = 0; i < x->n_in; i++) buf_printf(b, "%s%%%u", i ? ", " : "", x->in[i]);
  buf_char(b, ')');
  for (int i = 0; i < x->n_attrs; i++) put_attr(b, n, x, &x->attrs[i]);
  buf_str(b, " : ");
  if (x->type.dtype == TUPLE) {
    buf_char(b, '(');
    for (int i = 0; i < x->n_results; i++) {
      if (i) buf_str(b, ", ");
      put_type(b, n, x->results[i]);
    }
    buf_char(b, ')');
  } else {
    put_type(b, n, x->type);
  }
  for (int i = 0; i < x->n_regions; i++) {
    buf_str(b, " {\n");
    put_body(x->regions[i], b, n, indent + 2);
    buf_fill(b, ' ', indent);
    buf_char(b, '}');
  }
  buf_char(b, '\n');
}

static void put_body(const Graph *g, Buf *b, Names *n, int indent) {
  bool *seen = zeroed((size_t)g->n_inputs + 1, sizeof *seen);
  for (NodeId id = 1; id < (NodeId)arrlen(g->nodes); id++) {
    const Node *x = graph_node(g, id);
    if (x->op != OP_input) continue;
    int64_t i;
    if (dim_is_int(g->dims, node_dim(x, A_index), &i) && i >= 0 && i < g->n_inputs) seen[i] = true;
  }
  for (int i = 0; i < g->n_inputs; i++) {
    if (seen[i]) continue;
    buf_fill(b, ' ', indent);
    buf_printf(b, "unused input %d : ", i);
    put_type(b, n, g->input_types[i]);
    buf_char(b, '\n');
  }
  free(seen);
  for (NodeId id = 1; id < (NodeId)arrlen(g->nodes); id++) put_node(g, id, b, n, indent);
  buf_fill(b, ' ', indent);
  buf_str(b, "return");
  for (ptrdiff_t i = 0; i < arrlen(g->outputs); i++) buf_printf(b, "%s %%%u", i ? "," : "", g->outputs[i]);
  buf_char(b, '\n');
}

void graph_print(const Graph *g, Buf *b) {
  int n = dim_var_count(g->dims), shown = 0;
  Names names = {.t = g->dims};
  bool *used = zeroed((size_t)n + 1, sizeof *used);
  mark_graph(g, used, n);
  buf_str(b, "graph ");
  for (int v = 0; v < n; v++) {
    if (!used[v]) continue;
    buf_printf(b, "%s%s", shown++ ? ", " : "(", unique_name(&names, v));
    if (dim_var_bound(g->dims, v) >= 0) buf_printf(b, " <= %lld", (long long)dim_var_bound(g->dims, v));
  }
  buf_str(b, shown ? ") {\n" : "{\n");
  put_body(g, b, &names, 2);
  buf_str(b, "}\n");
  free(used);
}

/* ---- Graphviz ---- */

static const char *dot_color(OpClass c) {
  switch (c) {
  case LEAF: return "lightyellow";
  case VIEW: return "lightgrey";
  case REDUCE:
  case WINDOW: return "lightblue";
  case CONTRACT: return "lightsalmon";
  case GATHER:
  case SCATTER:
  case CALL: return "plum";
  case REGION:
  case META: return "palegreen";
  default: return "white";
  }
}

static void dot_graph(const Graph *g, Buf *b, const char *prefix, Names *n) {
  for (NodeId id = 1; id < (NodeId)arrlen(g->nodes); id++) {
    const Node *x = graph_node(g, id);
    buf_printf(b, "  \"%s%u\" [label=\"%%%u %s\\n", prefix, id, id, op_info[x->op].name);
    if (x->type.dtype != TUPLE) put_type(b, n, x->type);
    buf_printf(b, "\", style=filled, fillcolor=%s];\n", dot_color(op_info[x->op].cls));
    for (int i = 0; i < x->n_in; i++) buf_printf(b, "  \"%s%u\" -> \"%s%u\";\n", prefix, x->in[i], prefix, id);
    for (int i = 0; i < x->n_regions; i++) {
      char *inner = arena_printf(g->arena, "%s%u.%d.", prefix, id, i);
      buf_printf(b, "  subgraph \"cluster_%s\" {\n  label=\"%%%u region %d\";\n", inner, id, i);
      dot_graph(x->regions[i], b, inner, n);
      buf_str(b, "  }\n");
    }
  }
  for (ptrdiff_t i = 0; i < arrlen(g->outputs); i++) {
    buf_printf(b, "  \"%sout%d\" [label=\"result %d\", shape=plaintext];\n", prefix, (int)i, (int)i);
    buf_printf(b, "  \"%s%u\" -> \"%sout%d\";\n", prefix, g->outputs[i], prefix, (int)i);
  }
}

void graph_print_dot(const Graph *g, Buf *b) {
  Names n = {.t = g->dims};
  buf_str(b, "digraph {\n  node [shape=box];\n");
  dot_graph(g, b, "n", &n);
  buf_str(b, "}\n");
}
