#include "tests/lib/lanes.h"
#include "base/ds.h"
#include "passes/rewrite.h"
#include "tests/lib/opgen.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const Loc here = {0};

Graph *lanes_graph(Arena *a, Graph *body, uint64_t rows, Dim length) {
  Graph *g = graph_new(a, body->dims, body->diag);
  /* rows come first among a vmap's operands: the body's inputs change places accordingly */
  int n = body->n_inputs, n_rows = 0, *place = arena_array(a, int, n + 1);
  for (int i = 0; i < n; i++) n_rows += rows >> i & 1;
  for (int i = 0, r = 0, c = n_rows; i < n; i++) place[i] = rows >> i & 1 ? r++ : c++;
  NodeId *in = arena_array(a, NodeId, n + 1);
  Type *types = arena_array(a, Type, n + 1);
  for (int i = 0; i < n; i++) {
    Type t = body->input_types[i];
    Dim shape[MAX_RANK + 1] = {length};
    for (int k = 0; k < t.rank; k++) shape[k + 1] = t.shape[k];
    types[place[i]] = t;
    in[place[i]] = g_input(g, here, rows >> i & 1 ? type_of(a, t.dtype, t.rank + 1, shape) : t);
  }
  for (NodeId id = 1; id < (NodeId)arrlen(body->nodes); id++) {
    Node *x = &body->nodes[id];
    if (x->op != OP_input) continue;
    Attr *at = arena_one(a, Attr);
    *at = attr_int(body, A_index, place[node_int(body, x, A_index)]);
    x->attrs = at;
  }
  for (int i = 0; i < n; i++) body->input_types[i] = types[i];
  Attr at[2] = {attr_int(g, A_rows, n_rows), attr_dim(g, A_length, length)};
  NodeId v = graph_add_region(g, OP_vmap, here, in, n, at, 2, &body, 1);
  for (int i = 0; i < (int)arrlen(body->outputs); i++) arrput(g->outputs, g_get(g, here, v, i));
  return g;
}

Tensor *lanes_inputs(Arena *a, const Graph *g, uint64_t rows, Tensor *const *lane, int n_lanes, const int64_t *vars) {
  Tensor *in = arena_array(a, Tensor, g->n_inputs + 1);
  for (int i = 0; i < g->n_inputs; i++) {
    in[i] = lane[0][i];
    if (!(rows >> i & 1)) continue;
    in[i] = tensor_of_type(a, g->dims, g->input_types[i], vars);
    int64_t bytes = tensor_bytes(&lane[0][i]);
    for (int l = 0; l < n_lanes; l++) memcpy((char *)in[i].data + l * bytes, lane[l][i].data, (size_t)bytes);
  }
  return in;
}

static void must_verify(const Graph *g, const char *what) {
  Buf why = {0};
  if (!graph_verify(g, &why)) {
    graph_print(g, &why);
    fprintf(stderr, "%s: %s\n", what, why.s);
    abort();
  }
  buf_free(&why);
}

double lanes_differ(Arena *a, const Graph *g, const int64_t *vars, const Tensor *in) {
  must_verify(g, "vmap");
  Graph *flat = graph_clone(a, g);
  pass_expand(flat, NULL, NULL);
  must_verify(flat, "expanded");
  Tensor *want = opgen_eval(a, g, vars, in), *have = opgen_eval(a, flat, vars, in);
  double most = 0;
  for (int i = 0; i < (int)arrlen(g->outputs); i++) {
    double d = tensor_diff(&want[i], &have[i]);
    if (!(d <= most)) most = d;
  }
  return most;
}
