/* Dimensions: normal form, bounds, solving, text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "ir/dim.h"
#include <string.h>

static Arena *arena;
static DimTab *T;
static Dim H, W, B; /* B <= 64 */

static int setup(void **state) {
  (void)state;
  arena = arena_new();
  T = dimtab_new(arena);
  H = dim_var(T, "H", -1);
  W = dim_var(T, "W", -1);
  B = dim_var(T, "B", 64);
  return 0;
}
static int teardown(void **state) {
  (void)state;
  arena_free(arena);
  return 0;
}

static Dim find(void *ctx, const char *name) {
  (void)ctx;
  for (int i = 0; i < dim_var_count(T); i++) {
    if (!strcmp(dim_var_name(T, i), name)) return dim_of_var(T, i);
  }
  return DIM_NONE;
}
static Dim P(const char *s) {
  Dim d = dim_parse(T, &s, find, NULL);
  assert_string_equal(s, "");
  return d;
}
static void prints(const char *in, const char *out) {
  Buf b = {0};
  dim_print(T, &b, P(in));
  assert_string_equal(b.s, out);
  buf_free(&b);
}
#define same(a, b) assert_int_equal(P(a), P(b))

static void test_normal_form(void **state) {
  (void)state;
  same("H + 1 - 1", "H");
  same("2*H // 2", "H");
  same("(H*3) % 3", "0");
  same("H*W - W*H", "0");
  same("(H + W)*(H - W)", "H*H - W*W");
  same("(H // 2) // 3", "H // 6");
  same("((H + 1) // 2 + 1) // 3", "(H + 3) // 6");
  same("(2*H + 1) // 2", "H");
  same("(2*H + 3) // 4", "(H + 1) // 2");
  same("(4*H + 2) % 4", "2");
  same("(6*H + 4) % 4", "2*(H % 2)");
  same("(H - 1) // 2 + 1", "(H + 1) // 2");
  same("-H // 2", "H // 2 - H");
  same("H // 2 * 2 + H % 2", "H");
  same("5*(H % 3) + 15*(H // 3)", "5*H");
  same("H*W // W", "H");
  same("(H*W + H) // (W + 1)", "H");
  same("H*W % W", "0");
  same("(H*W + 3) % W", "3 % W");
  same("(H % 6) % 3", "H % 3");
  same("(H % 3) % 6", "H % 3");
  same("(H % 3) // 3", "0");
  same("7 // -2", "-4");
  same("-7 % 3", "2");
  same("7 % -3", "-2");
  assert_int_not_equal(P("H"), P("W"));
  assert_int_not_equal(dim_var(T, "H", -1), H);
}

/* Every normal form against direct evaluation. */
static void test_eval(void **state) {
  (void)state;
  const char *texts[] = {"(H - 1) // 2 + 1",  "-H // 3",           "(5*H - 7*W + 3) % 4",    "(H*W + 5) // 6",
                         "(H // 2 + W) // 3", "H*H - 2*H*W + W*W", "(H + 1) % 5 * (W // 2)", "(9*H + 5) // 6"};
  for (int h = 0; h < 14; h++) {
    for (int w = 1; w < 9; w++) {
      int64_t v[3] = {h, w, 0}, got[8];
      for (int i = 0; i < 8; i++) got[i] = dim_eval(T, P(texts[i]), v);
#define FD(a, b) ((a) / (b) - ((a) % (b) < 0))
      int64_t want[8] = {FD(h - 1, 2) + 1,      FD(-h, 3),        5 * h - 7 * w + 3 - 4 * FD(5 * h - 7 * w + 3, 4),
                         FD(h * w + 5, 6),      FD(h / 2 + w, 3), (h - w) * (h - w),
                         (h + 1) % 5 * (w / 2), FD(9 * h + 5, 6)};
      for (int i = 0; i < 8; i++) assert_int_equal(got[i], want[i]);
    }
  }
}

/* Random expressions: the normal form has the value of the expression, and lies within its bounds. */
typedef struct Term {
  Dim d;
  int64_t v;
  bool ok;
} Term;

static uint32_t rnd(uint32_t n) {
  static uint32_t seed = 7;
  seed = seed * 1664525 + 1013904223;
  return (seed >> 12) % n;
}

static int64_t fdiv(int64_t p, int64_t q) { return p / q - (p % q != 0 && (p < 0) != (q < 0)); }

static Term expression(int depth, const int64_t *v) {
  if (depth == 0 || rnd(5) == 0) {
    if (rnd(3) == 0) {
      int64_t c = (int64_t)rnd(13) - 4;
      return (Term){dim_int(T, c), c, true};
    }
    int var = (int)rnd(3);
    return (Term){dim_of_var(T, var), v[var], true};
  }
  Term p = expression(depth - 1, v), q = expression(depth - 1, v);
  int64_t c = (int64_t)rnd(7) - 2;
  if (rnd(4)) q = rnd(2) ? q : (Term){dim_int(T, c), c, true};
  if (!p.ok || !q.ok) return (Term){0, 0, false};
  switch (rnd(5)) {
  case 0: return (Term){dim_add(T, p.d, q.d), p.v + q.v, true};
  case 1: return (Term){dim_sub(T, p.d, q.d), p.v - q.v, true};
  case 2: return (Term){dim_mul(T, p.d, q.d), p.v * q.v, true};
  case 3: return q.v == 0 ? (Term){0, 0, false} : (Term){dim_floordiv(T, p.d, q.d), fdiv(p.v, q.v), true};
  default: return q.v == 0 ? (Term){0, 0, false} : (Term){dim_mod(T, p.d, q.d), p.v - q.v * fdiv(p.v, q.v), true};
  }
}

static void test_random(void **state) {
  (void)state;
  int done = 0;
  for (int i = 0; i < 20000; i++) {
    int64_t v[3] = {rnd(20), 1 + rnd(9), rnd(65)};
    Term e = expression(3, v);
    if (!e.ok || e.v > 1000000 || e.v < -1000000 || e.d == DIM_OVERFLOW) continue;
    Buf b = {0};
    dim_print(T, &b, e.d);
    if (dim_eval(T, e.d, v) != e.v) fail_msg("%s is %d, not %d", b.s, (int)dim_eval(T, e.d, v), (int)e.v);
    if (P(b.s) != e.d) fail_msg("%s is read as another dimension", b.s);
    if (dim_le(T, e.d, dim_int(T, e.v - 1)) == DIM_YES || dim_le(T, dim_int(T, e.v), e.d) == DIM_NO) {
      fail_msg("wrong bounds of %s", b.s);
    }
    buf_free(&b);
    done++;
  }
  assert_true(done > 10000);
}

static void test_text(void **state) {
  (void)state;
  prints("1 + 2*H", "2*H + 1");
  prints("(B + 1) // 2", "(B + 1) // 2");
  prints("3*(H // 2) - W", "-W + 3*(H // 2)");
  prints("0*H", "0");
  prints("-1*(H // 2)", "-(H // 2)");
  prints("H*W*2 - 5", "2*H*W - 5");
  prints("H % (W + 1)", "H % (W + 1)");
}

static void test_bounds(void **state) {
  (void)state;
  assert_int_equal(dim_upper(T, P("2*B + 1")), 129);
  assert_int_equal(dim_lower(T, P("2*B + 1")), 1);
  assert_int_equal(dim_upper(T, H), -1);
  assert_int_equal(dim_upper(T, P("H % 7")), 6);
  assert_int_equal(dim_upper(T, P("(B + 3) // 4")), 16);
  assert_int_equal(dim_upper(T, P("B*B")), 4096);
  assert_int_equal(dim_le(T, B, dim_int(T, 64)), DIM_YES);
  assert_int_equal(dim_le(T, dim_int(T, 65), B), DIM_NO);
  assert_int_equal(dim_le(T, B, dim_int(T, 63)), DIM_UNKNOWN);
  assert_int_equal(dim_le(T, H, P("H + W")), DIM_YES);
  assert_int_equal(dim_le(T, P("2*(H // 2)"), H), DIM_YES);
  assert_int_equal(dim_le(T, H, P("2*((H + 1) // 2)")), DIM_YES);
  assert_int_equal(dim_le(T, P("H // 2"), H), DIM_YES);
  assert_int_equal(dim_le(T, P("H + 1"), H), DIM_NO);
  assert_int_equal(dim_eq(T, P("H + 1"), H), DIM_NO);
  assert_int_equal(dim_eq(T, H, W), DIM_UNKNOWN);
}

static void test_solve(void **state) {
  (void)state;
  int64_t r;
  assert_int_equal(dim_solve(T, P("2*H"), 0, dim_int(T, 28), &r), dim_int(T, 14));
  assert_int_equal(dim_solve(T, P("2*H"), 0, dim_int(T, 27), &r), DIM_NONE);
  assert_int_equal(r, 1);
  assert_int_equal(dim_solve(T, P("2*H + 1"), 0, P("4*W + 3"), &r), P("2*W + 1"));
  assert_int_equal(dim_solve(T, P("2*H"), 0, W, &r), DIM_NONE);
  assert_int_equal(dim_solve(T, P("H*W"), 0, P("3*W"), &r), dim_int(T, 3));
  assert_int_equal(dim_solve(T, P("H*H"), 0, dim_int(T, 9), &r), DIM_NONE);
  assert_int_equal(dim_solve(T, P("H // 2"), 0, dim_int(T, 9), &r), DIM_NONE);
  assert_int_equal(dim_solve(T, P("H + 3"), 0, dim_int(T, 2), &r), DIM_NONE);
  assert_int_equal(r, -1);
}

static void test_subst_linear(void **state) {
  (void)state;
  Dim by[2] = {P("2*W"), DIM_NONE};
  assert_int_equal(dim_subst(T, P("H // 2 + H % 3 + W"), by, 2), P("2*W + (2*W) % 3"));
  int var;
  int64_t mul, add;
  assert_true(dim_linear(T, P("3*W - 4"), &var, &mul, &add));
  assert_int_equal(var, 1);
  assert_int_equal(mul, 3);
  assert_int_equal(add, -4);
  assert_true(dim_linear(T, dim_int(T, 9), &var, &mul, &add));
  assert_int_equal(var, -1);
  assert_int_equal(add, 9);
  assert_false(dim_linear(T, P("H + W"), &var, &mul, &add));
  assert_false(dim_linear(T, P("H // 2"), &var, &mul, &add));
  assert_true(dim_uses(T, P("(H + 1) // 2"), 0));
  assert_false(dim_uses(T, P("(H + 1) // 2"), 1));
}

static void test_overflow(void **state) {
  (void)state;
  Dim big = dim_int(T, (int64_t)1 << 61);
  assert_int_equal(dim_mul(T, big, big), DIM_OVERFLOW);
  assert_int_equal(dim_add(T, big, big), DIM_OVERFLOW);
  assert_int_equal(dim_mul(T, dim_mul(T, big, H), dim_int(T, 4)), DIM_OVERFLOW);
  assert_int_equal(dim_add(T, DIM_OVERFLOW, H), DIM_OVERFLOW);
  assert_int_equal(dim_floordiv(T, H, dim_int(T, 0)), DIM_OVERFLOW);
  assert_int_equal(dim_int(T, INT64_MIN), DIM_OVERFLOW);
  assert_int_equal(P("99999999999999999999"), DIM_OVERFLOW);
}

/* What the rough bound lets pass has a form; sizes as programs have them pass. */
static void test_product_fits(void **state) {
  (void)state;
  Dim pass[] = {H, P("3*H + 1"), dim_int(T, 1 << 30), dim_int(T, 0)};
  assert_true(dim_product_fits(T, pass, 4));
  assert_true(dim_product_fits(T, NULL, 0));
  Dim fail[] = {dim_int(T, INT64_C(1) << 31), dim_int(T, INT64_C(1) << 31), H};
  assert_false(dim_product_fits(T, fail, 3));
  Dim none[] = {DIM_OVERFLOW, H};
  assert_false(dim_product_fits(T, none, 2));
  Dim wide = P("1"), many[70];
  for (int i = 0; i < 70; i++) many[i] = H;
  assert_false(dim_product_fits(T, many, 70));
  for (int n = 1; n <= 70; n++) {
    if (wide != DIM_OVERFLOW) wide = dim_mul(T, wide, H);
    if (dim_product_fits(T, many, n)) assert_int_not_equal(wide, DIM_OVERFLOW);
  }
}

static const char *c_name(void *ctx, int var) {
  (void)ctx;
  return dim_var_name(T, var);
}
static void test_c(void **state) {
  (void)state;
  Buf b = {0};
  dim_print_c(T, &b, P("3*((H + 1) // 2) + W % 4 - 1"), c_name, NULL);
  assert_string_equal(b.s, "3*dnn_floordiv(H + 1, 2) + dnn_floormod(W, 4) - 1");
  buf_free(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_normal_form, setup, teardown),
      cmocka_unit_test_setup_teardown(test_eval, setup, teardown),
      cmocka_unit_test_setup_teardown(test_random, setup, teardown),
      cmocka_unit_test_setup_teardown(test_text, setup, teardown),
      cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
      cmocka_unit_test_setup_teardown(test_solve, setup, teardown),
      cmocka_unit_test_setup_teardown(test_subst_linear, setup, teardown),
      cmocka_unit_test_setup_teardown(test_overflow, setup, teardown),
      cmocka_unit_test_setup_teardown(test_product_fits, setup, teardown),
      cmocka_unit_test_setup_teardown(test_c, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
