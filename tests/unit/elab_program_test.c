/* Whole programs given as text: steps, gradients, optimisers, state, modes, random sites, sizes of entries. Graphs are
 * expanded by the pipeline and evaluated. */
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

typedef struct World {
  Arena *a;
  Prog *p;
  Tensor *cells;
  int64_t vars[4096];
  int64_t clock[4];
} World;

static World *load(const char *text, const ElabOpts *o) {
  Arena *a = arena_new();
  Diag *d = diag_new(a);
  World *w = arena_one(a, World);
  w->a = a;
  w->p = frontend_load_text(a, d, "test.dnn", text, strlen(text), o);
  if (!w->p) {
    diag_flush(d, stderr, 0);
    return NULL;
  }
  w->clock[1] = 10;
  w->cells = arena_array(a, Tensor, arrlen(w->p->cells) + 1);
  for (ptrdiff_t i = 0; i < arrlen(w->p->cells); i++)
    w->cells[i] = tensor_of_type(a, w->p->dims, w->p->cells[i].type, w->vars);
  for (ptrdiff_t i = 0; i < arrlen(w->p->entries); i++) {
    Buf why = {0};
    if (!graph_verify(w->p->entries[i].graph, &why)) fail_msg("%s: %s", w->p->entries[i].name, why.s);
    PipelineOpts po = {.verify = true};
    assert_true(pipeline_graph(w->p, &w->p->entries[i], &po));
  }
  return w;
}

static Entry *entry(World *w, const char *name) {
  for (ptrdiff_t i = 0; i < arrlen(w->p->entries); i++)
    if (strcmp(w->p->entries[i].name, name) == 0) return &w->p->entries[i];
  fail_msg("no entry %s", name);
  return NULL;
}

/* Calls the entry with the sizes in w->vars; writes go to the cells. Results, then reports, then values of effects. */
static Tensor *call(World *w, const char *name, const Tensor *in) {
  Entry *e = entry(w, name);
  Tensor *out = arena_array(w->a, Tensor, arrlen(e->graph->outputs) + 1);
  EvalEnv env = {.vars = w->vars, .inputs = in, .cells = w->cells};
  memcpy(env.clock, w->clock, sizeof env.clock);
  Buf why = {0};
  if (!graph_eval(w->a, e->graph, &env, out, &why)) fail_msg("%s: %s", name, why.s);
  int first = e->n_results + e->n_reports;
  for (ptrdiff_t i = 0; i < arrlen(e->writes); i++) w->cells[e->writes[i]] = out[first + i];
  return out;
}

static int cell(World *w, const char *path) {
  for (ptrdiff_t i = 0; i < arrlen(w->p->cells); i++)
    if (strcmp(w->p->cells[i].path, path) == 0) return (int)i;
  fail_msg("no cell %s", path);
  return -1;
}

static double value(World *w, const char *path, int i) { return tensor_get(&w->cells[cell(w, path)], i); }

static Tensor floats(World *w, int n, const double *v) {
  int64_t shape[1] = {n};
  Tensor t = tensor_new(w->a, F32, 1, shape);
  for (int i = 0; i < n; i++) tensor_set(&t, i, v[i]);
  return t;
}

static void near(double a, double b) {
  if (!(fabs(a - b) <= 1e-5 * fmax(1, fabs(b)))) fail_msg("%.9g is not %.9g", a, b);
}

static void set_var(World *w, const char *name, int64_t v) {
  for (int i = 0; i < dim_var_count(w->p->dims); i++) {
    const char *s = dim_var_name(w->p->dims, i);
    if (strcmp(s, name) == 0) w->vars[i] = v;
  }
}

static void test_line(void **state) {
  World *w = load("use optim\n"
                  "module Line() { param w: f32[] = 0.5; fn call(x: f32[N]) -> f32[N] { w * x } }\n"
                  "model net = Line()\n"
                  "step learn(x: f32[N <= 32], y: f32[N]) {\n"
                  "  let l = mean((net(x) - y) ** 2)\n"
                  "  update net by optim.sgd(0.1) on l\n"
                  "  report loss = l\n"
                  "}\n",
                  NULL);
  assert_non_null(w);
  call(w, "init", NULL);
  near(value(w, "net.w", 0), 0.5);
  set_var(w, "N", 2);
  Tensor in[2] = {floats(w, 2, (double[]){1, 2}), floats(w, 2, (double[]){3, 6})};
  Tensor *out = call(w, "learn", in);
  near(tensor_get(&out[0], 0), (2.5 * 2.5 + 5 * 5) / 2); /* w = 0.5, target slope 3 */
  near(value(w, "net.w", 0), 0.5 + 0.1 * 2 * (2.5 * 1 + 5 * 2) / 2);
  near(value(w, "learn.0.t", 0), 1);
}

/* Momentum, two parameters groups, the count of updates, sharing by calling twice. */
static void test_momentum(void **state) {
  World *w = load("use optim\n"
                  "module Two() { param a: f32[] = 1; param b: f32[2] = [1, 2]; fn call() { a * sum(b) } }\n"
                  "model net = Two()\n"
                  "step s() {\n"
                  "  let l = net() + net()\n"
                  "  update net.a by optim.sgd(1.0, momentum = 0.5) on l\n"
                  "  update net.b by optim.adam(0.1) with 2.0 * ones([2])\n"
                  "}\n",
                  NULL);
  assert_non_null(w);
  call(w, "init", NULL);
  call(w, "s", NULL);
  near(value(w, "net.a", 0), 1 - 6);
  near(value(w, "net.b", 0), 1 - 0.1);
  double b = value(w, "net.b", 0) + value(w, "net.b", 1);
  call(w, "s", NULL);
  near(value(w, "net.a", 0), -5 - (0.5 * 6 + 2 * b));
  near(value(w, "s.0.t", 0), 2);
  near(value(w, "s.1.t", 0), 2);
  near(value(w, "net.b", 1), 2 - 0.2);
}

/* Nested gradients: d/dx (d/dx x^3)^2 = 2 * 3x^2 * 6x; trees: fast = net - grad. */
static void test_grad(void **state) {
  World *w = load("module M() { param w: f32[] = 2; fn call(x: f32[]) { w * x } }\n"
                  "model net = M()\n"
                  "export fn second(x: f32[]) -> f32[] {\n"
                  "  let g = grad(x ** 3, x)\n"
                  "  grad(g ** 2, x)\n"
                  "}\n"
                  "export fn inner(x: f32[]) -> f32[] {\n"
                  "  let fast = net - 0.5 * grad(net(x) ** 2, net)\n"
                  "  fast(x)\n"
                  "}\n"
                  "export fn pair(x: f32[]) -> f32[] {\n"
                  "  let g = grad(x * exp(2 * x), (x, net))\n"
                  "  g[0]\n"
                  "}\n",
                  NULL);
  assert_non_null(w);
  call(w, "init", NULL);
  Tensor x = tensor_new(w->a, F32, 0, NULL);
  tensor_set(&x, 0, 1.5);
  near(tensor_get(call(w, "second", &x), 0), 2 * 3 * 1.5 * 1.5 * 6 * 1.5);
  near(tensor_get(call(w, "inner", &x), 0), (2 - 0.5 * 2 * (2 * 1.5) * 1.5) * 1.5);
  near(tensor_get(call(w, "pair", &x), 0), exp(3) * (1 + 2 * 1.5));
}

/* What a step trains is in training mode, all else is not; states are cells; copies write the same cell. */
static void test_mode(void **state) {
  World *w = load(
      "use nn, optim\n"
      "module Seen() {\n"
      "  param w: f32[] = 1; state n: f32[] = 0\n"
      "  fn call(x) { if training { n = n + 1 }; w * x }\n"
      "}\n"
      "module Both() { left = Seen(); right = [Seen(), Seen()]; fn call(x) { left(x) + right[0](x) + right[1](x) } }\n"
      "model net = Both()\n"
      "model old = Both()\n"
      "state calls: i32[] = 5\n"
      "step part() {\n"
      "  let l = net(f32(1)) + old(f32(1))\n"
      "  update net.right[1:] by optim.sgd(0.5) on l\n"
      "  calls = calls + 1\n"
      "}\n"
      "step copy() { let fast = train_mode(net) * 2.0; report y = fast(f32(1)); old = net }\n"
      "export fn read() { (net(f32(1)), f32(calls)) }\n",
      NULL);
  assert_non_null(w);
  call(w, "init", NULL);
  call(w, "part", NULL);
  near(value(w, "net.right[1].n", 0), 1);
  near(value(w, "net.right[0].n", 0), 0);
  near(value(w, "net.left.n", 0), 0);
  near(value(w, "old.left.n", 0), 0);
  near(value(w, "net.right[1].w", 0), 0.5);
  near(value(w, "net.right[0].w", 0), 1);
  near(value(w, "calls", 0), 6);
  Tensor *out = call(w, "copy", NULL);
  near(tensor_get(&out[0], 0), 5);
  near(value(w, "net.left.n", 0), 1); /* the copy writes net's cell */
  near(value(w, "old.right[1].w", 0), 0.5);
  near(value(w, "old.left.n", 0), 1);
  out = call(w, "read", NULL);
  near(tensor_get(&out[0], 0), 2.5);
  near(tensor_get(&out[1], 0), 6);
}

/* Random numbers: the same at a site for one key, others at other sites, calls, turns and keys. */
static void test_random(void **state) {
  World *w = load(
      "fn noise() { random.uniform([4]) }\n"
      "step draw() {\n"
      "  report a = sum(noise()), b = sum(noise())\n"
      "  for i in 0..2 { report \"turn {i}\" = sum(random.uniform([4])) }\n"
      "  report seeded = sum(seeded(3) { random.normal([8]) })\n"
      "}\n"
      "model m = M()\n"
      "module M() { param w: f32[64] = fn(s) { random.normal(s) }; param v: f32[64] = fn(s) { random.normal(s) } }\n",
      NULL);
  assert_non_null(w);
  double first[5];
  w->clock[3] = 11;
  Tensor *out = call(w, "draw", NULL);
  for (int i = 0; i < 5; i++) first[i] = tensor_get(&out[i], 0);
  for (int i = 0; i < 4; i++)
    for (int k = 0; k < i; k++) assert_true(first[i] != first[k]);
  out = call(w, "draw", NULL);
  for (int i = 0; i < 5; i++) assert_true(first[i] == tensor_get(&out[i], 0));
  w->clock[3] = 12;
  out = call(w, "draw", NULL);
  for (int i = 0; i < 4; i++) assert_true(first[i] != tensor_get(&out[i], 0));
  assert_true(first[4] == tensor_get(&out[4], 0)); /* seeded: another key */
  call(w, "init", NULL);
  double mean = 0, square = 0;
  for (int i = 0; i < 64; i++) {
    assert_true(value(w, "m.w", i) != value(w, "m.v", i));
    mean += value(w, "m.w", i) / 64;
    square += value(w, "m.w", i) * value(w, "m.w", i) / 64;
  }
  assert_true(fabs(mean) < 0.5 && square > 0.5 && square < 1.7);
}

/* Sizes: bounds of entries, --dim, --set, outside forms, results by name, value bounds, run-time sizes as numbers. */
static void test_entries(void **state) {
  static const char *const dims[] = {"K=7", NULL}, *const sets[] = {"scale=2.5", "name=b", NULL};
  ElabOpts o = {.dims = dims, .sets = sets};
  World *w = load(
      "const scale = 1.5; const name = \"a\"\n"
      "export fn f(x: f32[2*N <= 9, K] as image, i: i32[K] < N) -> (mean: f32[] as image, rows: f32[2*N]) {\n"
      "  (mean = sum(x) / (2 * N * K) * (if name == \"b\" { scale } else { 0.0 }), rows = sum(x[:, i], axis = 1))\n"
      "}\n",
      &o);
  assert_non_null(w);
  Entry *e = entry(w, "f");
  assert_int_equal(arrlen(e->vars), 2);
  assert_int_equal(dim_var_bound(w->p->dims, e->vars[0]), 4);
  assert_int_equal(dim_var_bound(w->p->dims, e->vars[1]), 7);
  assert_string_equal(e->inputs[0].name, "x");
  assert_string_equal(e->inputs[0].as, "image");
  assert_true(e->inputs[0].below == DIM_NONE && dim_as_var(w->p->dims, e->inputs[1].below) == e->vars[0]);
  assert_int_equal(e->n_results, 2);
  assert_string_equal(e->outputs[0].name, "mean");
  assert_string_equal(e->outputs[0].as, "image");
  assert_string_equal(e->outputs[1].name, "rows");
  w->vars[e->vars[0]] = 1;
  w->vars[e->vars[1]] = 2;
  Tensor in[2] = {tensor_new(w->a, F32, 2, (int64_t[]){2, 2}), tensor_new(w->a, I32, 1, (int64_t[]){2})};
  for (int i = 0; i < 4; i++) tensor_set(&in[0], i, i + 1);
  Tensor *out = call(w, "f", in);
  near(tensor_get(&out[0], 0), 2.5 * 2.5);
  near(tensor_get(&out[1], 0), 2);
  near(tensor_get(&out[1], 1), 6);
}

/* `with`: literals by path and whole trees; weights() marks cells; one blueprint per place. */
static void test_with(void **state) {
  World *w = load("use nn\n"
                  "module Net() { a = nn.Linear(2, 2); b = [nn.Linear(2, 1), nn.Linear(2, 1)] }\n"
                  "model net = Net() with a.w = [[1, 2], [3, 4]], b[1].b = 7, b[0] = weights(\"x.dnnw\", \"enc\")\n"
                  "export fn f() -> f32[] { sum(net.a.w) }\n",
                  NULL);
  assert_non_null(w);
  call(w, "init", NULL);
  near(value(w, "net.a.w", 2), 3);
  near(value(w, "net.b[1].b", 0), 7);
  Cell *c = &w->p->cells[cell(w, "net.b[0].w")];
  assert_string_equal(c->load_file, "x.dnnw");
  assert_string_equal(c->load_path, "enc.w");
  assert_null(w->p->cells[cell(w, "net.a.w")].load_file);
}

/* Checks and prints: pieces of text and values as outputs; calls for the summary. */
static void test_effects(void **state) {
  World *w = load("use nn\n"
                  "model net = nn.Sequential([nn.Linear(3, 2), relu, tanh])\n"
                  "step s(x: f32[B <= 4, 3]) {\n"
                  "  let y = net(x)\n"
                  "  check all(y >= -1), \"low: {min(y)} of {len([1, 2])}\"\n"
                  "  print \"sum {sum(y)}\"\n"
                  "  report n = sum(y)\n"
                  "}\n",
                  NULL);
  assert_non_null(w);
  Entry *e = entry(w, "s");
  assert_int_equal(arrlen(e->effects), 2);
  assert_true(e->effects[0].is_check && !e->effects[1].is_check);
  assert_string_equal(e->effects[0].text[0], "low: ");
  assert_string_equal(e->effects[0].text[1], " of 2");
  assert_int_equal(e->effects[0].n_values, 1);
  assert_int_equal(e->effects[0].cond, 1); /* behind the report */
  const char *labels[] = {"Sequential", "Linear", "relu", "tanh"};
  for (int i = 0; i < 4; i++) {
    assert_string_equal(e->calls[i].label, labels[i]);
    assert_int_equal(e->calls[i].depth, i > 0);
  }
  assert_string_equal(e->calls[1].path, "net.layers[0]");
  assert_int_equal(e->calls[1].params, 8);
  assert_int_equal(e->calls[0].params, 8);
}

/* An `if` on a run-time size elaborates both arms and chooses; its `var`s merge. */
static void test_open_if(void **state) {
  World *w = load("export fn f(x: f32[N <= 8]) -> f32[N] {\n"
                  "  var k = x\n"
                  "  let y = if N > 2 { k = k + 1; x * 2 } else if N == 2 { x * 3 } else { x }\n"
                  "  y + k\n"
                  "}\n",
                  NULL);
  assert_non_null(w);
  for (int n = 1; n <= 3; n++) {
    w->vars[entry(w, "f")->vars[0]] = n;
    Tensor x = floats(w, n, (double[]){1, 1, 1});
    near(tensor_get(call(w, "f", &x), 0), n == 1 ? 2 : n == 2 ? 4 : 4);
  }
}

/* Places: parts of models, slices of lists of modules, states, several places of one update. */
static void test_places(void **state) {
  World *w = load("use optim\n"
                  "module One() { param w: f32[] = 1; state n: f32[] = 3; fn call() { w } }\n"
                  "module All() { parts = [One() for _ in 0..3]; last = One() }\n"
                  "model net = All()\n"
                  "step s() {\n"
                  "  let l = net.parts[0]() + 2 * net.parts[2]() + 4 * net.last()\n"
                  "  update net.parts[-1], net.last by optim.sgd(1.0) on l\n"
                  "  net.parts[:2] = [p * 10 for p in net.parts[:2]]\n"
                  "  net.parts[1].w -= 0.5\n"
                  "  net.parts[0].n = 7\n"
                  "  net.last.w = net.last.w * 2\n"
                  "}\n",
                  NULL);
  assert_non_null(w);
  call(w, "init", NULL);
  call(w, "s", NULL);
  near(value(w, "net.parts[0].w", 0), 10);
  near(value(w, "net.parts[1].w", 0), 9.5);
  near(value(w, "net.parts[2].w", 0), -1);
  near(value(w, "net.last.w", 0), -6);
  near(value(w, "net.parts[0].n", 0), 7);
  near(value(w, "net.parts[1].n", 0), 3);
}

/* Nothing that is written badly ends in a crash; each of these gives an error. */
static void test_hostile(void **state) {
  static const char *const bad[] = {
      "",
      "fn f(n: int) { f(n) }\nexport fn g(x: f32[2]) -> f32[2] { f(1) }",
      "const a = [a]\nexport fn g(x: f32[2]) -> f32[2] { x * a[0] }",
      "export fn g(x: f32[N <= 99999999999999999, N, N]) -> f32[] { sum(x[:, none] * x) }",
      "model m = m\nexport fn g(x: f32[2]) -> f32[2] { m(x) }",
      "export fn g(x: f32[2]) -> f32[2] { g(x) }",
      "export fn g(x: f32[2]) -> f32[2] { let f = fn(h) { h(h) }; f(f) }",
      "export fn g(x: f32[2]) -> f32[2] { (none)(x)[nope](1) + undefined.field }",
      "fn h(x: f32[A // B]) { x }\nexport fn g(x: f32[2]) -> f32[2] { h(x) }",
      "export fn g(x: f32[2]) -> f32[2] { reshape(x, [0, -1]) }",
      "export fn g(x: f32[2]) -> f32[2] { \"{\"{x}\"}\" }",
      "step s(x: f32[B]) { update s by s on s }",
      "module M(m: module) { m = m; fn call(x) { m(x) } }\nmodel n = M(M)",
      "export fn g(x: f32[2]) -> f32[2] { conv(x, x, stride = [1, 2, 3], padding = [(1, 2, 3)]) }",
      "use \"nowhere.dnn\" as n\nexport fn g(x: f32[2]) -> f32[2] { n.f(x) }"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    Arena *a = arena_new();
    Diag *d = diag_new(a);
    Prog *p = frontend_load_text(a, d, "bad.dnn", bad[i], strlen(bad[i]), NULL);
    if (i > 0 && (p || diag_errors(d) == 0)) fail_msg("no error for: %s", bad[i]);
    arena_free(a);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_line),    cmocka_unit_test(test_momentum), cmocka_unit_test(test_grad),
      cmocka_unit_test(test_mode),    cmocka_unit_test(test_random),   cmocka_unit_test(test_entries),
      cmocka_unit_test(test_with),    cmocka_unit_test(test_effects),  cmocka_unit_test(test_hostile),
      cmocka_unit_test(test_open_if), cmocka_unit_test(test_places)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
