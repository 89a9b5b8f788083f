/* Loops and branches of the graph: each row is two bodies of a function that must give the same numbers, one with a
 * construct of the graph and one without, or with the numbers in closed form. */
#include "base/ds.h"
#include "frontend/frontend.h"
#include "ir/eval.h"
#include "passes/pipeline.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct Pair {
  const char *loop, *plain;
} Pair;
static const Pair pairs[] = {
#include "flow_rows.h"
};

static const char prologue[] =
    "use nn, tree\n"
    "module Scale(n: int) {\n  param w: f32[n] = fn(shape) { 0.5 * f32(arange(n)) }\n"
    "  fn call(x: f32[..., n]) -> f32[..., n] { x * w + 1 }\n}\n"
    "module Net() {\n  body = [Scale(3) for _ in 0..4]; head = Scale(3)\n"
    "  fn call(x: f32[..., 3]) -> f32[..., 3] { head(x) }\n}\n"
    "model net = Net()\n"
    "const table = f32([1, 2, 3])\n"
    "model norm = nn.BatchNorm(3)\n"
    "module Deep() {\n  norms = [nn.BatchNorm(3) for _ in 0..4]; pairs = [[nn.BatchNorm(3) for _ in 0..2] for _ in "
    "0..2]\n}\n"
    "model deep = Deep()\n"
    "state total: f32[3] = 2; state count: i32[] = 0\n"
    "fn square(x: f32[...]) -> f32[...] { x * x }\n"
    "fn cube(x: f32[...S], n: int = 3) -> f32[...S] { x ** n } backward(y, dy) { 3 * x ** 2 * dy }\n"
    "fn blend(a: f32[N], t: (p: f32[N], k: i32[N], q: f32[]), w: f32[N]) -> (u: f32[N], v: f32[]) {\n"
    "  (u = a * t.p * w, v = t.q * sum(a))\n"
    "} backward(y, dy) {\n"
    "  (dy.u * t.p * w + dy.v * t.q, (p = dy.u * a * w, k = none, q = dy.v * sum(a)), dy.u * a * t.p)\n}\n"
    "fn straight(x: f32[...]) -> f32[...] { f32(x > 0) } backward(y, dy) { dy }\n"
    "export step f() {\n"
    "  let xs = reshape(f32(arange(12)) - 4, [4, 3])\n"
    "  let ys = f32([3, 1, 2, 5])\n"
    "  let w = f32([0.5, -1, 2])\n"
    "  ";

/* All outputs of entry f, with the cells at their initial values. */
static int run(Arena *a, const char *body, Tensor *out) {
  Diag *d = diag_new(a);
  const char *text = arena_printf(a, "%s%s\n}\n", prologue, body);
  Prog *p = frontend_load_text(a, d, "row.dnn", text, strlen(text), NULL);
  Buf why = {0};
  int n = -1;
  if (!p) {
    diag_flush(d, stderr, 0);
    return -1;
  }
  const Entry *init = &p->entries[p->init], *f = &p->entries[1];
  Tensor *cells = arena_array(a, Tensor, arrlen(p->cells) + 1), *got = arena_array(a, Tensor, arrlen(p->cells) + 1);
  EvalEnv env = {.cells = cells, .clock = {0, 0, 0, 77}};
  if (!graph_eval(a, init->graph, &env, got, &why)) print_error("init: %s\n", why.s);
  pass_find("expand")->run(f->graph, p, f);
  for (ptrdiff_t i = 0; i < arrlen(init->writes); i++) cells[init->writes[i]] = got[i];
  if (graph_verify(f->graph, &why) && graph_eval(a, f->graph, &env, out, &why)) n = (int)arrlen(f->graph->outputs);
  else print_error("%s\n", why.s);
  buf_free(&why);
  return n;
}

static int check_pair(const Pair *r) {
  Arena *a = arena_new();
  Tensor x[64], y[64];
  int n = run(a, r->loop, x), m = run(a, r->plain, y), bad = n < 1 || n != m;
  for (int i = 0; i < n && !bad; i++) {
    bad = !(tensor_diff(&x[i], &y[i]) < 1e-5);
    if (!bad) continue;
    Buf b = {0};
    tensor_print(&b, &x[i], 24);
    buf_str(&b, "\nand   ");
    tensor_print(&b, &y[i], 24);
    print_error("result %d: %s\n", i, b.s);
    buf_free(&b);
  }
  if (bad) print_error("%d and %d results in: %s\n", n, m, r->loop);
  arena_free(a);
  return bad;
}

static void test_pairs(void **state) {
  int bad = 0, n = (int)(sizeof pairs / sizeof *pairs);
  for (int i = 0; i < n; i++) bad += check_pair(&pairs[i]);
  assert_true(n > 10);
  assert_int_equal(bad, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_pairs)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
