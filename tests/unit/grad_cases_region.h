/* Cases of grad_cases.h for control flow: vectors of a size N and, in loops, a length T, both variables now and then.
 */
#ifndef TESTS_UNIT_GRAD_CASES_REGION_H
#define TESTS_UNIT_GRAD_CASES_REGION_H
#include "tests/unit/grad_cases.h"

static inline Graph *case_body(Case *c) { return graph_new(c->arena, c->g->dims, c->g->diag); }
static inline NodeId body_map2(Graph *g, Op op, NodeId a, NodeId b) { return g_map2(g, op, nowhere, a, b); }

/* h' = tanh(h w + x), y = h' x; the result is y + h */
static NodeId case_scan(Case *c) {
  Dim shape[2] = {case_any(c), case_any(c)};
  NodeId in[3] = {case_input(c, F64, 1, shape + 1, -1, 1), case_input(c, F64, 2, shape, -1, 1), 0};
  in[2] = case_like(c, in[0], 0.5, 1);
  Graph *b = case_body(c);
  NodeId x[3];
  for (int k = 0; k < 3; k++) x[k] = g_input(b, nowhere, graph_type(c->g, in[0]));
  NodeId h = g_map1(b, OP_tanh, nowhere, body_map2(b, OP_add, body_map2(b, OP_mul, x[0], x[2]), x[1]));
  arrput(b->outputs, h);
  arrput(b->outputs, body_map2(b, OP_mul, h, x[1]));
  Attr attrs[4] = {attr_int(c->g, A_carried, 1), attr_int(c->g, A_rows, 1), attr_dim(c->g, A_length, shape[0]),
                   attr_int(c->g, A_reverse, case_int(c, 0, 1))};
  NodeId t = graph_add_region(c->g, OP_scan, nowhere, in, 3, attrs, 4, &b, 1);
  NodeId last = g_broadcast_to(c->g, nowhere, g_get(c->g, nowhere, t, 0), 2, shape);
  return binary(c, OP_add, g_get(c->g, nowhere, t, 1), last);
}

/* while i < 3: h = sin(h) w, i = i + 1; a limit before or behind that */
static NodeId case_while(Case *c) {
  Dim shape[1] = {case_any(c)};
  NodeId in[3] = {case_input(c, F64, 1, shape, 0.5, 2), g_full(c->g, nowhere, 0, type_scalar(I64)), 0};
  in[2] = case_like(c, in[0], 0.5, 1.5);
  Graph *regions[2];
  for (int r = 0; r < 2; r++) {
    Graph *b = regions[r] = case_body(c);
    NodeId x[3];
    for (int k = 0; k < 3; k++) x[k] = g_input(b, nowhere, graph_type(c->g, in[k]));
    if (r == 0) arrput(b->outputs, body_map2(b, OP_lt, x[1], g_full_like(b, nowhere, 3, x[1])));
    else arrput(b->outputs, body_map2(b, OP_mul, g_map1(b, OP_sin, nowhere, x[0]), x[2]));
    if (r == 1) arrput(b->outputs, body_map2(b, OP_add, x[1], g_full_like(b, nowhere, 1, x[1])));
  }
  Attr attrs[2] = {attr_int(c->g, A_carried, 2), attr_int(c->g, A_limit, case_int(c, 1, 5))};
  return g_get(c->g, nowhere, graph_add_region(c->g, OP_while, nowhere, in, 3, attrs, 2, regions, 2), 0);
}

/* a b and b in one branch, a + sin(b) and a in the other */
static NodeId case_branches(Case *c) {
  NodeId a = case_floats(c, -2, 2), b = case_like(c, a, -2, 2);
  NodeId flag = g_full(c->g, nowhere, case_int(c, 0, 1), type_scalar(BOOL)), in[3] = {flag, a, b};
  Graph *regions[2];
  for (int r = 0; r < 2; r++) {
    Graph *g = regions[r] = case_body(c);
    NodeId x = g_input(g, nowhere, graph_type(c->g, a)), y = g_input(g, nowhere, graph_type(c->g, a));
    arrput(g->outputs, r ? body_map2(g, OP_add, x, g_map1(g, OP_sin, nowhere, y)) : body_map2(g, OP_mul, x, y));
    arrput(g->outputs, r ? x : y);
  }
  return graph_add_region(c->g, OP_cond, nowhere, in, 3, NULL, 0, regions, 2);
}
static NodeId case_cond(Case *c) { return g_get(c->g, nowhere, case_branches(c), 0); }
static NodeId case_get(Case *c) {
  NodeId t = case_branches(c), first = g_get(c->g, nowhere, t, 0);
  return binary(c, OP_mul, first, g_get(c->g, nowhere, t, 1));
}

/* sin(a b) a */
static NodeId case_checkpoint(Case *c) {
  NodeId a = case_floats(c, -2, 2), in[2] = {a, case_like(c, a, -2, 2)};
  Graph *g = case_body(c);
  NodeId x = g_input(g, nowhere, graph_type(c->g, a)), y = g_input(g, nowhere, graph_type(c->g, a));
  NodeId s = g_map1(g, OP_sin, nowhere, body_map2(g, OP_mul, x, y));
  arrput(g->outputs, body_map2(g, OP_mul, s, x));
  return g_get(c->g, nowhere, graph_add_region(c->g, OP_checkpoint, nowhere, in, 2, NULL, 0, &g, 1), 0);
}

/* y = e^a, dy/da = y dy */
static NodeId case_custom_grad(Case *c) {
  NodeId a = case_floats(c, -2, 2);
  Graph *regions[2] = {case_body(c), case_body(c)};
  NodeId x[3];
  arrput(regions[0]->outputs, g_map1(regions[0], OP_exp, nowhere, g_input(regions[0], nowhere, graph_type(c->g, a))));
  for (int k = 0; k < 3; k++) x[k] = g_input(regions[1], nowhere, graph_type(c->g, a));
  arrput(regions[1]->outputs, body_map2(regions[1], OP_mul, x[1], x[2]));
  return g_get(c->g, nowhere, graph_add_region(c->g, OP_custom_grad, nowhere, &a, 1, NULL, 0, regions, 2), 0);
}
#endif
