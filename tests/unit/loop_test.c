/* The loop IR alone: building with simplification, text form and back, interpretation. */
#include "base/ds.h"
#include "codegen/loop.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

typedef struct World {
  Arena *a;
  DimTab *dims;
  LB *b;
} World;
static World world(void) {
  World w = {.a = arena_new()};
  w.dims = dimtab_new(w.a);
  w.b = lb_new(w.a, w.dims, target_find("plain"));
  return w;
}

static void test_simplify(void **state) {
  (void)state;
  World w = world();
  LB *b = w.b;
  Dim n = dim_var(w.dims, "N", 100);
  LExpr *c3 = x_int(b, 3), *c4 = x_int(b, 4);
  assert_int_equal(x_add(b, c3, c4)->i, 7);
  assert_ptr_equal(x_add(b, c3, c4), x_int(b, 7));
  LVar *v = lb_for(b, FOR_SERIAL, "i", x_int(b, 0), x_int(b, 12), 1);
  LExpr *i = x_var(b, v);
  /* split and joined again: nothing is left of it */
  assert_ptr_equal(x_add(b, x_mul(b, x_div(b, i, c4), c4), x_mod(b, i, c4)), i);
  assert_ptr_equal(x_mod(b, i, x_int(b, 12)), i);
  assert_ptr_equal(x_div(b, i, x_int(b, 20)), x_int(b, 0));
  LExpr *sn = x_dim(b, n), *q = x_div(b, i, sn);
  assert_ptr_equal(x_add(b, x_mul(b, q, sn), x_mod(b, i, sn)), i);
  LVar *u = lb_for(b, FOR_SERIAL, "j", x_int(b, 0), sn, 1);
  LExpr *j = x_var(b, u), *line = x_add(b, x_mul(b, i, sn), j);
  assert_ptr_equal(x_div(b, line, sn), i);
  assert_ptr_equal(x_mod(b, line, sn), j);
  assert_int_equal(x_divisions(q, 0), 1);
  assert_int_equal(x_divisions(line, 0), 0);
  assert_int_equal((int)x_lt(b, i, x_int(b, 12))->num, 1); /* always */
  assert_int_equal(x_lt(b, i, x_int(b, 11))->kind, X_LT);
  LExpr *near, *far;
  assert_true(x_separate(b, x_add(b, x_mul(b, line, c3), i), &u, 1, &near, &far));
  assert_ptr_equal(near, x_mul(b, j, c3));
  assert_false(x_separate(b, x_div(b, line, c3), &u, 1, &near, &far));
  /* different values of a mutable variable are different expressions */
  LVar *m = lb_var(b, "m", x_num(b, 0, F32));
  assert_ptr_not_equal(x_read(b, m), x_read(b, m));
  assert_ptr_not_equal(x_num(b, 0.0, F32), x_num(b, -0.0, F32));
  arena_free(w.a);
}

/* y[i, j] = x[i] * 2 + i / 3, shared parts get names, the division leaves the inner loop */
static void test_finish(void **state) {
  (void)state;
  World w = world();
  LB *b = w.b;
  LArr *x = lb_array(b, ARR_BUF, F32, 0, "x"), *y = lb_array(b, ARR_BUF, F32, 0, "y");
  y->written = true;
  LExpr *i = x_var(b, lb_for(b, FOR_PARALLEL, "i", x_int(b, 0), x_dim(b, dim_var(w.dims, "N", 9)), 1));
  LExpr *j = x_var(b, lb_for(b, FOR_VECTOR, "j", x_int(b, 0), x_int(b, 4), 1));
  LExpr *v = x_op(b, OP_mul, F32, x_load(b, x, i, NULL), x_num(b, 2, F32), NULL);
  v = x_op(b, OP_add, F32, v, x_cast(b, x_div(b, i, x_int(b, 3)), F32), NULL);
  lb_store(b, y, x_add(b, x_mul(b, i, x_int(b, 4)), j), x_op(b, OP_add, F32, v, v, NULL));
  lb_end(b);
  lb_end(b);
  Kernel *k = kernel_finish(b, "rows", "");
  Buf text = {0}, c = {0}, why = {0};
  kernel_print(k, &text);
  assert_string_equal(text.s, "kernel rows\nbuf x f32\nbuf y f32 written\nsize n\n{\n"
                              "  parallel i 0 n 1 {\n    let t f32 = cast.f32((i / 3))\n    vector j 0 4 1 {\n"
                              "      let t1 f32 = add.f32(mul.f32(x[i], 0x1p+1:f32), t)\n"
                              "      y[((i * 4) + j)] = add.f32(t1, t1)\n    }\n  }\n}\n");
  kernel_print_c(k, &c);
  assert_non_null(
      strstr(c.s, "void dnn_k0_rows(const float *restrict x, float *restrict y, int64_t n, DnnTeam *team) {"));
  float in[5] = {1, 2, 3, 4, 5}, out[20] = {0};
  KValue args[3] = {{.ptr = in}, {.ptr = out}, {.i = 5}};
  for (int threads = 1; threads <= 3; threads++) {
    memset(out, 0xff, sizeof out);
    assert_true(kernel_interpret(k, args, threads, &why));
    for (int p = 0; p < 20; p++) assert_true(out[p] == 2 * (in[p / 4] * 2 + (float)(p / 4 / 3)));
  }
  buf_free(&text);
  buf_free(&c);
  arena_free(w.a);
}

static const char *const text_form =
    "kernel dot4\nbuf a f64\nbuf b f64\nbuf c f64 written\nsize k\n{\n  var s f64x4 = splat(0x0p+0:f64, 4)\n"
    "  for p 0 k 4 {\n    set s = fma(a[p : 4], b[p : 4], s)\n  }\n  c[0] = s\n}\n"
    "kernel main\nbuf x f64\nbuf y f64\nbuf z i32 written\ntemp w f64 written\nsize n\nscratch part f64 4\n"
    "table primes i32 3 020000000300000005000000\n{\n  call dot4(x @ 0, y @ 0, part @ 0, n)\n"
    "  let sum f64 = add.f64(add.f64(part[0], part[1]), add.f64(part[2], part[3]))\n  local t i32 2\n"
    "  if (n < 100) {\n    t[0] = cast.i32(sum)\n  } else {\n    t[0] = -0x1p+0:i32\n  }\n"
    "  w[0] = select(lt.bool(sum, inf:f64), sum, nan:f64)\n  z[0] = t[0]\n  z[1] = primes[min((n / 4), 2)]\n"
    "  z[2] = primes[n ? (n < 3)]\n  z[3] = cast.i32(check(n, 5, 7))\n}\n";

static void test_parse(void **state) {
  (void)state;
  Arena *a = arena_new();
  Buf again = {0}, why = {0};
  Kernel *k = kernel_parse(a, text_form, &why);
  if (!k) fail_msg("%s", why.s);
  kernel_print(k, &again);
  assert_string_equal(again.s, text_form);
  double x[8] = {1, 2, 3, 4, 5, 6, 7, 8}, y[8] = {1, 1, 1, 1, 2, 2, 2, 2}, w[1];
  int32_t z[4];
  KValue args[] = {{.ptr = x}, {.ptr = y}, {.ptr = z}, {.ptr = w}, {.i = 4}};
  assert_true(kernel_interpret(k, args, 1, &why));
  assert_int_equal(z[0], 10);
  assert_true(w[0] == 10);
  assert_int_equal(z[1], 3);
  assert_int_equal(z[2], 0); /* the guard fails */
  assert_int_equal(z[3], 4);
  args[4].i = 8; /* out of range of the check: reported, and clamped */
  assert_false(kernel_interpret(k, args, 1, &why));
  assert_non_null(strstr(why.s, "site 7: index 8 is outside of 0 .. 4"));
  assert_int_equal(z[0], 62);
  assert_int_equal(z[3], 4);
  arena_free(a);
}

static void test_parse_errors(void **state) {
  (void)state;
  static const char *const wrong[] = {"",
                                      "kernel",
                                      "kernel k\n{",
                                      "kernel k\n{ y[0] = 1 }",
                                      "kernel k\nbuf y f32 written\n{ y[0] = z }",
                                      "kernel k\nbuf y f32 written\n{ y[0] = (1 ^ 2) }",
                                      "kernel k\nbuf y f99\n{ }",
                                      "kernel k\n{ set a = 1 }",
                                      "kernel k\n{ call other(1) }",
                                      "kernel k\nbuf y f32 written\n{ y[0] = frob.f32(1) }",
                                      "kernel k\n{ } rest",
                                      "kernel k\nbuf y f32 written\n{ y[0] = min(1, 2, 3, 4, 5) }"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    Arena *a = arena_new();
    Buf why = {0};
    if (kernel_parse(a, wrong[i], &why)) fail_msg("accepted: %s", wrong[i]);
    assert_non_null(strstr(why.s, "expected"));
    buf_free(&why);
    arena_free(a);
  }
}

/* A register tile against its formula, for every vector length, alone and asking for what comes next. */
static void check_micro(const int *tile, Fetch fetch) {
  int mr = tile[0], nr = tile[1], k = 5;
  Arena *a = arena_new();
  DimTab *dims = dimtab_new(a);
  KernelTable *table = kernels_new(a, NULL, target_find("plain"));
  const Kernel *micro = micro_kernel(table, a, dims, F32, mr, nr, tile[2], true, fetch);
  assert_ptr_equal(micro, micro_kernel(table, a, dims, F32, mr, nr, tile[2], true, fetch)); /* made once */
  assert_int_equal(kernels_count(table), 1);
  assert_ptr_not_equal(micro, micro_kernel(table, a, dims, F32, mr, nr, tile[2], true, (fetch + 1) % 4));
  assert_ptr_not_equal(micro, micro_kernel(table, a, dims, F32, mr, nr, tile[2], false, fetch));
  float pa[5 * 14], pb[5 * 48], c[14 * 50], far[14 * 50];
  for (int i = 0; i < k * mr; i++) pa[i] = (float)(i % 7 - 3);
  for (int i = 0; i < k * nr; i++) pb[i] = (float)(i % 5 - 2);
  for (int i = 0; i < 14 * 50; i++) c[i] = 1;
  KValue args[16] = {{.ptr = pa}, {.ptr = pb}, {.ptr = c}};
  int n = 3;
  const int arrays[] = {0, FETCHED_IN_TILE, 1, 1}, count[] = {6, 8, 7, 8};
  for (int i = 0; i < arrays[fetch]; i++) args[n++].ptr = far;
  const int64_t sizes[] = {k, 1, mr, nr, 50, 1, 16, 50};
  for (int i = 0; i < count[fetch]; i++) args[n++].i = sizes[i];
  Buf why = {0};
  assert_true(kernel_interpret(micro, args, 1, &why));
  for (int i = 0; i < mr; i++)
    for (int j = 0; j < 50; j++) {
      float want = 1;
      for (int p = 0; p < k && j < nr; p++) want += pa[p * mr + i] * pb[p * nr + j];
      assert_true(c[i * 50 + j] == want);
    }
  arena_free(a);
}
static void test_micro(void **state) {
  (void)state;
  static const int tiles[][3] = {{14, 32, 16}, {8, 48, 16}, {6, 16, 8}, {4, 8, 4}, {4, 4, 1}};
  for (size_t t = 0; t < sizeof tiles / sizeof *tiles; t++)
    for (int fetch = 0; fetch < 4; fetch++) check_micro(tiles[t], (Fetch)fetch);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_simplify), cmocka_unit_test(test_finish),
                                     cmocka_unit_test(test_parse), cmocka_unit_test(test_parse_errors),
                                     cmocka_unit_test(test_micro)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
