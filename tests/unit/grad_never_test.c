/* A gradient through an operation that has none is a user's error with its place, not a defect. */
#include "base/ds.h"
#include "passes/grad.h"
#include "passes/pipeline.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char text[] = "let y = while x < 2 { x = exp(x) }\n";

static void check_told(Diag *d, const char *place, const char *id) {
  char *out = NULL;
  size_t n = 0;
  FILE *f = open_memstream(&out, &n);
  assert_int_equal(diag_errors(d), 1);
  diag_flush_json(d, f);
  fclose(f);
  assert_non_null(strstr(out, place));
  assert_non_null(strstr(out, id));
  free(out);
}

/* A loop without a limit: the whole pipeline stops with the error. */
static void test_while(void **state) {
  Arena *a = arena_new();
  Diag *d = diag_new(a);
  DimTab *t = dimtab_new(a);
  Loc at = {diag_add_source(d, "model.dnn", text, sizeof text - 1, 0), 8, 18}, none = {0};
  Type scalar = type_scalar(F32);
  Entry e = {.name = "f", .kind = DNN_EXPORT, .graph = graph_new(a, t, d), .n_results = 1};
  Prog p = {.arena = a, .dims = t, .diag = d, .name = "model"};
  Graph *g = e.graph, *test = graph_new(a, t, d), *body = graph_new(a, t, d);
  NodeId v = g_input(test, none, scalar);
  arrput(test->outputs, g_map2(test, OP_lt, none, v, g_full(test, none, 2, scalar)));
  arrput(body->outputs, g_map1(body, OP_exp, none, g_input(body, none, scalar)));
  NodeId x = g_input(g, none, scalar);
  Attr attrs[2] = {attr_int(g, A_carried, 1), attr_int(g, A_limit, -1)};
  NodeId y = graph_add_region(g, OP_while, at, &x, 1, attrs, 2, (Graph *[]){test, body}, 2);
  y = g_get(g, none, y, 0);
  NodeId dy = graph_add(g, OP_grad, none, (NodeId[]){y, x}, 2, NULL, 0, NULL);
  arrput(g->outputs, g_get(g, none, dy, 0));
  arrput(e.inputs, ((Port){.name = "x", .type = scalar}));
  arrput(e.outputs, ((Port){.name = "out", .type = scalar}));
  PipelineOpts o = {.verify = false};
  assert_false(pipeline_graph(&p, &e, &o));
  check_told(d, "\"line\":1,\"col\":9", "\"id\":\"E0791\"");
  arena_free(a);
}

/* An op whose rule is `never`, here one that is expanded before gradients are taken. */
static void test_never(void **state) {
  Arena *a = arena_new();
  Diag *d = diag_new(a);
  Loc at = {diag_add_source(d, "model.dnn", text, sizeof text - 1, 0), 8, 18}, none = {0};
  Graph *g = graph_new(a, dimtab_new(a), d), *body = graph_new(a, g->dims, d);
  Dim three = dim_int(g->dims, 3);
  arrput(body->outputs, g_map1(body, OP_exp, none, g_input(body, none, type_scalar(F32))));
  NodeId x = g_input(g, none, type_of(a, F32, 1, &three)), dx;
  Attr attrs[2] = {attr_int(g, A_rows, 1), attr_int(g, A_length, 3)};
  NodeId y = g_get(g, none, graph_add_region(g, OP_vmap, at, &x, 1, attrs, 2, &body, 1), 0);
  NodeId u = g_full_like(g, none, 1, y);
  assert_false(grad_reverse(g, none, &y, &u, 1, &x, 1, &dx));
  check_told(d, "\"line\":1,\"col\":9", "\"id\":\"E0790\"");
  arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_while), cmocka_unit_test(test_never)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
