/* Loops and branches in emitted C: the graphs of tests/codegen/loop_*.ir, compiled and run. */
#include "base/ds.h"
#include "tests/lib/emitted.h"
#include "tests/lib/regiongen.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }
static int is_loop(const struct dirent *d) { return !strncmp(d->d_name, "loop_", 5) && strstr(d->d_name, ".ir"); }

/* Each file for sizes of 0, 1, and the bound; a variable has one bound in all files. */
static EmittedCase *files(Arena *a) {
  DimTab *dims = dimtab_new(a);
  struct dirent **list;
  EmittedCase *cases = NULL;
  int n = scandir(TEST_ROOT "/tests/codegen", &list, is_loop, by_name);
  assert_true(n > 0);
  for (int i = 0; i < n; i++) {
    Buf text = {0}, why = {0};
    assert_true(buf_read_file(&text, arena_printf(a, "%s/tests/codegen/%s", TEST_ROOT, list[i]->d_name), 1 << 20));
    const char *at = strncmp(text.s, "graph", 5) ? strstr(text.s, "\ngraph") : text.s;
    for (int k = 0; k < 3; k++) {
      int before = dim_var_count(dims);
      EmittedCase c = {.seed = (uint64_t)(3 * i + k)};
      c.g = graph_parse(a, dims, diag_new(a), at, &why);
      if (!c.g || !graph_verify(c.g, &why)) fail_msg("%s: %s", list[i]->d_name, why.s);
      int after = dim_var_count(dims);
      c.vars = arena_array(a, int64_t, 64);
      for (int v = 0; v < after; v++) c.vars[v] = k == 2 ? dim_var_bound(dims, v) : k;
      arrput(cases, c);
      if (before == after && !strstr(at, "<=")) break;
    }
    buf_free(&text);
  }
  return cases;
}

static void run(const EmittedHow *how) {
  Arena *a = arena_new();
  EmittedCase *cases = files(a);
  emitted_check(cases, how);
  arrfree(cases);
  arena_free(a);
}
static void test_threads(void **state) {
  (void)state;
  run(&(EmittedHow){.target = "native", .openmp = true});
}
static void test_single(void **state) {
  (void)state;
  run(&(EmittedHow){.target = "x86-64-v3"});
}
static void test_plain(void **state) {
  (void)state;
  run(&(EmittedHow){.target = "plain", .openmp = true});
}

static int count(const char *text, const char *what) {
  int n = 0;
  for (; (text = strstr(text, what)); text += strlen(what)) n++;
  return n;
}
/* h = tanh(h @ w), `length` times, of `n` numbers. */
static char *product_loop(Arena *a, int n, int length) {
  DimTab *dims = dimtab_new(a);
  char *text = arena_printf(
      a,
      "graph {\n%%1 = input() index=0 : f32[2, %d]\n%%2 = input() index=1 : f32[%d, %d]\n"
      "%%3 = scan(%%1, %%2) carried=1 rows=0 length=%d : (f32[2, %d]) {\n"
      "  %%1 = input() index=0 : f32[2, %d]\n  %%2 = input() index=1 : f32[%d, %d]\n"
      "  %%3 = dot(%%1, %%2) la=[0, 1] lb=[1, 2] ly=[0, 2] : f32[2, %d]\n  %%4 = full() value=0.05 : f32[2, %d]\n"
      "  %%5 = mul(%%3, %%4) : f32[2, %d]\n  %%6 = tanh(%%5) : f32[2, %d]\n  return %%6\n}\n"
      "%%4 = get(%%3) index=0 : f32[2, %d]\nreturn %%4\n}\n",
      n, n, n, length, n, n, n, n, n, n, n, n, n);
  Buf why = {0};
  EmittedCase *cases = NULL;
  arrput(cases, ((EmittedCase){.g = graph_parse(a, dims, diag_new(a), text, &why), .seed = 3}));
  if (!cases[0].g) fail_msg("%s", why.s);
  const char *c = emitted_check(cases, &(EmittedHow){.target = "native", .openmp = true});
  arrfree(cases);
  return arena_strdup(a, c);
}
/* A loop of little kernels runs on the caller's thread, one of large ones on a team; code does not grow with the
 * length. */
static void test_size(void **state) {
  (void)state;
  Arena *a = arena_new();
  const char *few = product_loop(a, 8, 10), *many = product_loop(a, 8, 3000), *large = product_loop(a, 256, 3);
  assert_int_equal(count(few, "dnn_threads(m)"), 0);
  assert_int_equal(count(few, "dnn_barrier("), 0);
  assert_int_equal(count(large, "dnn_threads(m)"), 1);
  assert_int_equal(count(large, "if (dnn_barrier(team)) return;"), 2); /* one behind the first value, one a turn */
  assert_true(strlen(many) < strlen(few) + 32);
  arena_free(a);
}

/* Random loops and branches in each other, whose kernels are shared by threads, or some of them. */
static void check_random(uint64_t seed, const EmittedHow *how) {
  Arena *a = arena_new();
  DimTab *dims = dimtab_new(a);
  EmittedCase *cases = NULL;
  for (int i = 0; i < 20; i++) {
    EmittedCase c = {.g = graph_new(a, dims, diag_new(a)), .seed = seed + (uint64_t)i, .tolerance = 1e-9};
    NodeId y = regiongen_build(c.g, c.seed, 2, true);
    arrsetlen(c.g->outputs, 0);
    arrput(c.g->outputs, y);
    arrput(cases, c);
  }
  emitted_check(cases, how);
  arrfree(cases);
  arena_free(a);
}
static void test_random(void **state) {
  (void)state;
  check_random(1000, &(EmittedHow){.target = "native", .openmp = true, .little = -1});
  check_random(2000, &(EmittedHow){.target = "native", .openmp = true, .little = 12, .raw = true});
  check_random(3000, &(EmittedHow){.target = "plain", .openmp = true, .little = 30});
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads), cmocka_unit_test(test_single),
                                     cmocka_unit_test(test_plain), cmocka_unit_test(test_random),
                                     cmocka_unit_test(test_size)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
