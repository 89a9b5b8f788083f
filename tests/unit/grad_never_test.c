/* A gradient through an operation that has none is a user's error with its place, not a defect. */
#include "base/ds.h"
#include "passes/pipeline.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void test_checkpoint(void **state) {
  Arena *a = arena_new();
  Diag *d = diag_new(a);
  DimTab *t = dimtab_new(a);
  static const char text[] = "let y = checkpoint { exp(x) }\n";
  Loc at = {diag_add_source(d, "model.dnn", text, sizeof text - 1, 0), 8, 18}, none = {0};
  Type scalar = type_scalar(F32);
  Entry e = {.name = "f", .kind = DNN_EXPORT, .graph = graph_new(a, t, d), .n_results = 1};
  Prog p = {.arena = a, .dims = t, .diag = d, .name = "model"};
  Graph *g = e.graph, *body = graph_new(a, t, d);
  arrput(body->outputs, g_map1(body, OP_exp, none, g_input(body, none, scalar)));
  NodeId x = g_input(g, none, scalar);
  Graph *regions[] = {body};
  NodeId y = graph_add_region(g, OP_checkpoint, at, &x, 1, NULL, 0, regions, 1);
  y = g_get(g, none, y, 0);
  NodeId dy = graph_add(g, OP_grad, none, (NodeId[]){y, x}, 2, NULL, 0, NULL);
  arrput(g->outputs, g_get(g, none, dy, 0));
  arrput(e.inputs, ((Port){.name = "x", .type = scalar}));
  arrput(e.outputs, ((Port){.name = "out", .type = scalar}));
  PipelineOpts o = {.verify = false};
  assert_false(pipeline_graph(&p, &e, &o));
  assert_int_equal(diag_errors(d), 1);
  char *out = NULL;
  size_t n = 0;
  FILE *f = open_memstream(&out, &n);
  diag_flush_json(d, f);
  fclose(f);
  assert_non_null(strstr(out, "\"line\":1,\"col\":9"));
  assert_non_null(strstr(out, "\"id\":\"E0790\""));
  free(out);
  arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_checkpoint)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
