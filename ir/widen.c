/* A copy of a graph with every float type f64: gradient checks by finite differences need the digits. */
#include "base/ds.h"
#include "ir/eval.h"

static Type wide(Type t) {
  if (dtype_is_float(t.dtype)) t.dtype = F64;
  return t;
}

static Attr wide_literal(Arena *a, const Attr *at, DType dtype) {
  Tensor from = {dtype, 1, {(int64_t)at->n / dtype_size(dtype)}, (void *)(uintptr_t)at->data};
  Tensor to = tensor_new(a, F64, 1, from.shape);
  for (int64_t i = 0; i < from.shape[0]; i++) tensor_set(&to, i, tensor_get(&from, i));
  return (Attr){.key = at->key, .n = (uint32_t)tensor_bytes(&to), .data = to.data};
}

Graph *graph_widen(Arena *a, const Graph *g) {
  Graph *w = graph_new(a, g->dims, g->diag);
  for (NodeId id = 1; id < (NodeId)arrlen(g->nodes); id++) {
    Node n = *graph_node(g, id);
    if (n.op == OP_literal && dtype_is_float(n.type.dtype) && n.type.dtype != F64) {
      Attr at = wide_literal(a, &n.attrs[0], n.type.dtype);
      n.attrs = arena_copy(a, &at, sizeof at);
    }
    n.type = wide(n.type);
    Type *results = arena_array(a, Type, n.n_results ? n.n_results : 1);
    for (int i = 0; i < n.n_results; i++) results[i] = wide(n.results[i]);
    n.results = results;
    Graph **regions = arena_array(a, Graph *, n.n_regions ? n.n_regions : 1);
    for (int i = 0; i < n.n_regions; i++) regions[i] = graph_widen(a, n.regions[i]);
    n.regions = regions;
    arrput(w->nodes, n);
  }
  for (ptrdiff_t i = 0; i < arrlen(g->outputs); i++) arrput(w->outputs, g->outputs[i]);
  for (int i = 0; i < g->n_inputs; i++) arrput(w->input_types, wide(g->input_types[i]));
  w->n_inputs = g->n_inputs;
  return w;
}
