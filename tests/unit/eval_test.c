/* The evaluator: loops and branches against closed forms, errors, 16-bit floats, constant folding. Ops are held against
 * NumPy in eval_golden_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/ds.h"
#include "ir/eval.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static Arena *a;
static int setup(void **state) {
  (void)state;
  a = arena_new();
  return 0;
}
static int teardown(void **state) {
  (void)state;
  arena_free(a);
  return 0;
}

static Graph *load(const char *name) {
  Buf b = {0}, why = {0};
  if (!buf_read_file(&b, arena_printf(a, TEST_ROOT "/tests/ir/%s", name), 1 << 20)) fail_msg("%s cannot be read", name);
  Graph *g = graph_parse(a, dimtab_new(a), NULL, b.s, &why);
  if (!g) fail_msg("%s: %s", name, why.s);
  buf_free(&b);
  return g;
}
static Graph *parse(const char *text) {
  Buf why = {0};
  Graph *g = graph_parse(a, dimtab_new(a), NULL, text, &why);
  if (!g || !graph_verify(g, &why)) fail_msg("%s", why.s);
  return g;
}
static Tensor floats(int rank, int64_t n, int64_t m, const double *v) {
  int64_t shape[] = {n, m};
  Tensor t = tensor_new(a, F32, rank, shape);
  for (int64_t i = 0; i < tensor_count(&t); i++) tensor_set(&t, i, v[i]);
  return t;
}
static Tensor *run(Graph *g, const int64_t *vars, const Tensor *in) {
  EvalEnv env = {vars, in, NULL, {0}};
  Tensor *out = arena_array(a, Tensor, 8);
  Buf why = {0};
  if (!graph_eval(a, g, &env, out, &why)) fail_msg("%s", why.s);
  return out;
}
static void fails(Graph *g, const int64_t *vars, const Tensor *in, const char *expect) {
  EvalEnv env = {vars, in, NULL, {0}};
  Tensor out[8];
  Buf why = {0};
  assert_false(graph_eval(a, g, &env, out, &why));
  if (!strstr(why.s, expect)) fail_msg("expected `%s`, got `%s`", expect, why.s);
  buf_free(&why);
}

static void test_scan(void **state) {
  (void)state;
  const double x[] = {1, 2, 4, 8, 16, 32}; /* h = h/2 + x per column */
  Tensor in[] = {floats(2, 3, 2, x)}, *out = run(load("scan.ir"), (int64_t[]){3, 2}, in);
  assert_true(tensor_get(&out[0], 0) == 1 / 4.0 + 4 / 2.0 + 16 && tensor_get(&out[0], 1) == 2 / 4.0 + 8 / 2.0 + 32);
  assert_true(tensor_get(&out[1], 0) == -1 && tensor_get(&out[1], 2) == -4.5 && tensor_get(&out[1], 5) == -36.5);
  out =
      run(load("scan.ir"), (int64_t[]){0, 2}, (Tensor[]){floats(2, 0, 2, x)}); /* no iteration: the carry as it came */
  assert_true(tensor_get(&out[0], 0) == 0 && tensor_count(&out[1]) == 0);
}

/* From the last row to the first; the stack keeps the places of the rows. */
static void test_scan_reverse(void **state) {
  (void)state;
  const double x[] = {1, 2, 4, 8, 16, 32};
  Tensor in[] = {floats(2, 3, 2, x)}, *out = run(load("scan_reverse.ir"), (int64_t[]){3, 2}, in);
  assert_true(tensor_get(&out[0], 0) == 16 / 4.0 + 4 / 2.0 + 1 && tensor_get(&out[0], 1) == 32 / 4.0 + 8 / 2.0 + 2);
  assert_true(tensor_get(&out[1], 4) == -16 && tensor_get(&out[1], 2) == -12 && tensor_get(&out[1], 0) == -7);
}

static void test_while(void **state) {
  (void)state;
  Tensor n = tensor_new(a, I64, 0, NULL);
  tensor_set_int(&n, 0, 27);
  assert_int_equal(tensor_get_int(run(load("while.ir"), NULL, &n), 0), 111); /* Collatz */
  tensor_set_int(&n, 0, 1);
  assert_int_equal(tensor_get_int(run(load("while.ir"), NULL, &n), 0), 0);
  Graph *g = parse("graph { %1 = input() index=0 : i64[]\n %2 = while(%1) carried=1 limit=5 : (i64[]) {\n"
                   "%1 = full() value=1 : bool[] unused input 0 : i64[] return %1 } {\n"
                   "%1 = input() index=0 : i64[] %2 = full() value=1 : i64[] %3 = add(%1, %2) : i64[] return %3 }\n"
                   "%3 = get(%2) index=0 : i64[] return %3 }");
  assert_int_equal(tensor_get_int(run(g, NULL, &n), 0), 6); /* the limit ends it */
}

static void test_branches(void **state) {
  (void)state;
  const double x[] = {0, 1, -2};
  for (int c = 0; c < 2; c++) {
    Tensor in[] = {tensor_new(a, BOOL, 0, NULL), floats(1, 3, 0, x)};
    tensor_set_int(&in[0], 0, c);
    Tensor *out = run(load("cond.ir"), NULL, in);
    for (int i = 0; i < 3; i++) assert_true(tensor_get(out, i) == (c ? (double)expf((float)x[i]) : -x[i]));
  }
  Tensor in[] = {floats(2, 2, 2, (double[]){2, 3, 5, 7}), tensor_new(a, BOOL, 0, NULL)};
  Tensor *out = run(load("nested.ir"), (int64_t[]){2, 2}, in);
  assert_true(tensor_get(out, 0) == 5 && tensor_get(out, 1) == 7);
  tensor_set_int(&in[1], 0, 1);
  out = run(load("nested.ir"), (int64_t[]){2, 2}, in);
  assert_true(tensor_get(out, 0) == 10 && tensor_get(out, 1) == 21);
}

static void test_vmap_calls(void **state) {
  (void)state;
  Tensor in[] = {tensor_new(a, F64, 2, (int64_t[]){2, 3}), tensor_new(a, F64, 1, (int64_t[]){3})};
  for (int i = 0; i < 6; i++) tensor_set(&in[0], i, i);
  for (int i = 0; i < 3; i++) tensor_set(&in[1], i, i + 1);
  Tensor *out = run(load("vmap.ir"), (int64_t[]){2}, in);
  assert_true(tensor_get(&out[0], 0) == 8 && tensor_get(&out[0], 1) == 26);
  assert_true(tensor_get(&out[1], 0) == -8 && tensor_get(&out[1], 5) == 5 - 26);
  const double x[] = {0.5, -1.5, 2.5, 0};
  Tensor m[] = {floats(2, 2, 2, x)};
  out = run(load("checkpoint.ir"), NULL, m);
  assert_true(tensor_get(out, 1) == (double)(tanhf(-1.5f) * tanhf(-1.5f)));
  Tensor r[] = {floats(1, 4, 0, x), tensor_new(a, I32, 0, NULL)};
  out = run(load("custom_grad.ir"), (int64_t[]){4}, r);
  assert_true(tensor_get(out, 0) == 0 && tensor_get(out, 1) == -2 && tensor_get(out, 2) == 2);
}

static void test_errors(void **state) {
  (void)state;
  Graph *g = parse("graph { %1 = input() index=0 : f32[3] %2 = input() index=1 : i32[2]\n"
                   "%3 = gather(%1, %2) axis=0 batch=0 : f32[2] return %3 }");
  Tensor in[] = {floats(1, 3, 0, (double[]){1, 2, 3}), tensor_new(a, I32, 1, (int64_t[]){2})};
  tensor_set_int(&in[1], 1, 3);
  fails(g, NULL, in, "%3 gather: index 3 is out of range 0 .. 2");
  tensor_set_int(&in[1], 1, -1);
  fails(g, NULL, in, "index -1 is out of range");
  in[1] = in[0];
  fails(g, NULL, in, "input 1 is f32[3], must be i32[2]");
  Tensor x[] = {tensor_new(a, F32, 2, (int64_t[]){2, 2})};
  fails(load("grad.ir"), (int64_t[]){2, 2}, x, "%4 grad: must be expanded before it is evaluated");
  g = parse("graph (N) { %1 = input() index=0 : f32[N] %2 = slice(%1) start=[2] step=[1] : f32[2] return %2 }");
  fails(g, (int64_t[]){3}, in, "2 .. 3 leaves axis 0 of size 3");
  /* what no output needs is not run */
  g = parse("graph { %1 = input() index=0 : f32[3] %2 = full() value=9 : i32[]\n"
            "%3 = gather(%1, %2) axis=0 batch=0 : f32[] return %1 }");
  assert_true(tensor_get(run(g, NULL, in), 2) == 3);
}

/* The place of the source stands before the reason. */
static void test_place(void **state) {
  (void)state;
  Diag *d = diag_new(a);
  const char *text = "a\n  b[i]\n";
  uint32_t f = diag_add_source(d, "model.dnn", text, strlen(text), 0);
  Graph *g = graph_new(a, dimtab_new(a), d);
  Dim three = dim_int(g->dims, 3);
  NodeId x = g_full(g, (Loc){0}, 1, type_of(a, F32, 1, &three)), i = g_full(g, (Loc){0}, 7, type_scalar(I32));
  arrput(g->outputs, g_gather(g, (Loc){f, 4, 8}, x, i, 0, 0));
  fails(g, NULL, NULL, "model.dnn:2:3: %3 gather: index 7 is out of range 0 .. 2");
}

static void test_half(void **state) {
  (void)state;
  for (uint32_t h = 0; h < 65536; h++) { /* every half survives; the middle between neighbours goes to the even one */
    float f = f16_to_float((uint16_t)h), b = bf16_to_float((uint16_t)h);
    if (isnan(f)) assert_true(isnan(f16_to_float(f16_from_float(f))));
    else assert_int_equal(f16_from_float(f), h);
    if (isnan(b)) assert_true(isnan(bf16_to_float(bf16_from_float(b))));
    else assert_int_equal(bf16_from_float(b), h);
    if ((h & 0x7fff) < 0x7bff) {
      float next = f16_to_float((uint16_t)(h + 1)), middle = (f + next) / 2;
      assert_int_equal(f16_from_float(middle), h + (h & 1));
      assert_int_equal(f16_from_float(nextafterf(middle, next)), h + 1);
      assert_int_equal(f16_from_float(nextafterf(middle, f)), h);
    }
  }
  assert_true(f16_to_float(0x3c00) == 1 && f16_to_float(0xc000) == -2 && f16_to_float(0x7bff) == 65504);
  assert_true(f16_to_float(1) == 0x1p-24f && f16_to_float(0x0400) == 0x1p-14f);
  assert_int_equal(f16_from_float(65520), 0x7c00);
  assert_int_equal(f16_from_float(65519), 0x7bff);
  assert_int_equal(bf16_from_float(1.00390625f), 0x3f80); /* a tie, to even */
}

static void test_fold(void **state) {
  (void)state;
  Graph *g = parse("graph (N) { %1 = literal() data={1, 2, 3} : f32[3] %2 = full() value=2 : f32[3]\n"
                   "%3 = mul(%1, %2) : f32[3] %4 = sum(%1) axes=[0] : f32[] %5 = neg(%3) : f32[3]\n"
                   "%6 = full() value=1 : f32[N] %7 = neg(%6) : f32[N] %8 = size() size=N : i32[]\n"
                   "%9 = size() size=4 : i32[] %10 = iota() axis=0 : i32[3] return }");
  Tensor t;
  assert_true(node_eval_const(a, g, 3, 100, &t));
  assert_true(tensor_get(&t, 2) == 6);
  assert_true(node_eval_const(a, g, 4, 100, &t) && tensor_get(&t, 0) == 6);
  assert_false(node_eval_const(a, g, 5, 100, &t)); /* its operand is no constant yet */
  assert_false(node_eval_const(a, g, 7, 100, &t)); /* symbolic size */
  assert_false(node_eval_const(a, g, 8, 100, &t));
  assert_true(node_eval_const(a, g, 9, 100, &t) && tensor_get_int(&t, 0) == 4);
  assert_true(node_eval_const(a, g, 10, 100, &t) && tensor_get_int(&t, 2) == 2);
  assert_false(node_eval_const(a, g, 3, 2, &t)); /* larger than asked for */
}

static void test_diff(void **state) {
  (void)state;
  Tensor x = floats(1, 3, 0, (double[]){1, 100, NAN}), y = floats(1, 3, 0, (double[]){1.5, 101, NAN});
  assert_true(fabs(tensor_diff(&x, &y) - 0.5 / 1.5) < 1e-9);
  tensor_set(&y, 2, 0);
  assert_true(isinf(tensor_diff(&x, &y)));
  Tensor z = floats(1, 2, 0, (double[]){1, 100});
  assert_true(isinf(tensor_diff(&x, &z)));
  Tensor i = tensor_new(a, I32, 1, (int64_t[]){100}), j = tensor_new(a, I32, 1, (int64_t[]){100});
  tensor_random(&i, 5, -3, 4);
  tensor_random(&j, 5, -3, 4);
  assert_true(tensor_diff(&i, &j) == 0);
  tensor_random(&j, 6, -3, 4);
  assert_true(tensor_diff(&i, &j) > 0);
  for (int k = 0; k < 100; k++) assert_in_range(tensor_get_int(&i, k) + 3, 0, 6);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_scan, setup, teardown),
      cmocka_unit_test_setup_teardown(test_scan_reverse, setup, teardown),
      cmocka_unit_test_setup_teardown(test_while, setup, teardown),
      cmocka_unit_test_setup_teardown(test_branches, setup, teardown),
      cmocka_unit_test_setup_teardown(test_vmap_calls, setup, teardown),
      cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
      cmocka_unit_test_setup_teardown(test_place, setup, teardown),
      cmocka_unit_test_setup_teardown(test_half, setup, teardown),
      cmocka_unit_test_setup_teardown(test_fold, setup, teardown),
      cmocka_unit_test_setup_teardown(test_diff, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
