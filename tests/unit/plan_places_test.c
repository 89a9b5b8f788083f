/* fuse, schedule and memory: values that take the place of others, parts of a value that are made where it is, and
 * workspace. */
#include "base/ds.h"
#include "tests/lib/plan_world.h"
#include <stdlib.h>
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

/* The second product, which stands where a matrix is alive, wants workspace: then it runs where none is. */
static void test_workspace(void **state) {
  PlanWorld w =
      plan_world_parse("graph {\n%1 = input() index=0 : f32[16, 16]\n"
                       "%2 = dot(%1, %1) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\n%3 = input() index=1 : f32[16]\n"
                       "%4 = dot(%1, %3) la=[0,1] lb=[1] ly=[0] : f32[16]\n"
                       "%5 = dot(%2, %4) la=[0,1] lb=[0] ly=[1] : f32[16]\n"
                       "%6 = dot(%1, %1) la=[0,1] lb=[2,1] ly=[0,2] : f32[16, 16]\n"
                       "%7 = dot(%6, %6) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\n"
                       "%8 = dot(%7, %5) la=[0,1] lb=[1] ly=[0] : f32[16]\nreturn %8\n}\n");
  PlanValues v = plan_world_evaluate(&w);
  Plan *p = plan_world_check_values(&w, v, 0);
  int64_t bytes[8] = {0};
  assert_int_equal(p->peak, 2048 + 64); /* so that the order before it does not count */
  for (int i = 0; i < arrlen(p->groups); i++) bytes[i] = p->groups[i].outs[0].node == 4 ? 4096 : 0;
  assert_int_equal(p->groups[p->steps[1].group].outs[0].node, 4);
  plan_workspace(p, bytes);
  assert_int_equal(p->peak, 4096 + 64);
  plan_world_run(&w, p, v, 0);
}

/* Two products end to end are made in their places, and what reads both waits for both, in whatever order. */
static void test_parts(void **state) {
  PlanWorld w = plan_world_parse("graph {\n%1 = input() index=0 : f32[16, 16]\n"
                                 "%2 = dot(%1, %1) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\n"
                                 "%3 = dot(%1, %1) la=[0,1] lb=[2,1] ly=[0,2] : f32[16, 16]\n"
                                 "%4 = concat(%2, %3, %1) axis=1 : f32[16, 48]\n"
                                 "%5 = dot(%4, %4) la=[0,1] lb=[2,1] ly=[0,2] : f32[16, 16]\nreturn %5\n}\n");
  Plan *p = plan_world_check(&w);
  assert_int_equal(p->n_parts, 3);
  assert_int_equal(plan_kernels(p), 4);
  assert_int_equal(p->peak, 3 * 1024);
  for (int seed = 1; seed <= 12; seed++) {
    setenv("DNN_HOSTILE", arena_printf(w.a, "steps=%d", seed), 1);
    p = plan_world_check(&w);
    assert_int_equal(p->groups[arrlast(p->steps).group].outs[0].node, 5);
  }
  unsetenv("DNN_HOSTILE");
}

/* The product's kernel reads the whole of another one through a slice, element by element, and takes its place. */
static void test_slice_in_place(void **state) {
  PlanWorld w =
      plan_world_parse("graph {\n%1 = input() index=0 : f32[16, 16]\n"
                       "%2 = dot(%1, %1) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\n"
                       "%3 = dot(%2, %1) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\n"
                       "%4 = slice(%2) start=[0,0] step=[1,1] : f32[16, 16]\n"
                       "%5 = dot(%3, %3) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\n%6 = mul(%5, %4) : f32[16, 16]\n"
                       "%7 = dot(%6, %1) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\nreturn %7\n}\n");
  assert_int_equal(plan_world_check(&w)->peak, 2 * 1024);
}

/* A small product of large operands does not wait for what is made of them much later to be added. */
static void test_apart(void **state) {
  PlanWorld w =
      plan_world_parse("graph {\n%1 = input() index=0 : f32[2048, 40]\n%2 = input() index=1 : f32[16, 40]\n"
                       "%3 = dot(%1, %2) la=[0,1] lb=[2,1] ly=[0,2] : f32[2048, 16]\n%4 = tanh(%3) : f32[2048, 16]\n"
                       "%5 = dot(%4, %1) la=[0,1] lb=[0,2] ly=[1,2] : f32[16, 40]\n"
                       "%6 = dot(%4, %2) la=[0,1] lb=[1,2] ly=[0,2] : f32[2048, 40]\n"
                       "%7 = sum(%6) axes=[0] : f32[40]\n%8 = broadcast(%7) axes=[1] : f32[16, 40]\n"
                       "%9 = add(%5, %8) : f32[16, 40]\n%10 = sin(%9) : f32[16, 40]\nreturn %10\n}\n");
  Plan *p = plan_world_check_values(&w, plan_world_evaluate(&w), 1e-3);
  bool apart = false;
  for (int i = 0; i < arrlen(p->groups); i++) apart |= p->groups[i].outs[0].node == 5;
  assert_true(apart);
}

/* One that others read, or that is a result itself, is copied. */
static void test_parts_not(void **state) {
  PlanWorld w = plan_world_parse("graph {\n%1 = input() index=0 : f32[16, 16]\n"
                                 "%2 = dot(%1, %1) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\n"
                                 "%3 = dot(%1, %1) la=[0,1] lb=[2,1] ly=[0,2] : f32[16, 16]\n"
                                 "%4 = concat(%2, %3) axis=1 : f32[16, 32]\n"
                                 "%5 = dot(%4, %4) la=[0,1] lb=[2,1] ly=[0,2] : f32[16, 16]\n"
                                 "%6 = dot(%2, %5) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\nreturn %6, %3\n}\n");
  assert_int_equal(plan_world_check(&w)->n_parts, 0);
}

/* softmax of a product: the exponentials take the place of the product. */
static void test_in_place(void **state) {
  PlanWorld w =
      plan_world_parse("graph {\n%1 = input() index=0 : f32[16, 16]\n"
                       "%2 = dot(%1, %1) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\n"
                       "%3 = reduce_max(%2) axes=[1] : f32[16]\n%4 = broadcast(%3) axes=[0] : f32[16, 16]\n"
                       "%5 = sub(%2, %4) : f32[16, 16]\n%6 = exp(%5) : f32[16, 16]\n%7 = sum(%6) axes=[1] : f32[16]\n"
                       "%8 = broadcast(%7) axes=[0] : f32[16, 16]\n%9 = div(%6, %8) : f32[16, 16]\n"
                       "%10 = dot(%9, %1) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\nreturn %10\n}\n");
  Plan *p = plan_world_check(&w);
  assert_true(p->peak <= 1024 + 3 * 64);
}

/* A result of each row may not replace what every row reads. */
static void test_rows_in_place(void **state) {
  PlanWorld w = plan_world_parse("graph {\n%1 = input() index=0 : f32[16, 16]\n%2 = input() index=1 : f32[16]\n"
                                 "%3 = dot(%1, %2) la=[0,1] lb=[1] ly=[0] : f32[16]\n"
                                 "%4 = broadcast(%3) axes=[1] : f32[16, 16]\n%5 = mul(%1, %4) : f32[16, 16]\n"
                                 "%6 = sum(%5) axes=[1] : f32[16]\n"
                                 "%7 = dot(%1, %6) la=[0,1] lb=[1] ly=[0] : f32[16]\nreturn %7\n}\n");
  Plan *p = plan_world_check(&w);
  assert_true(arrlen(p->groups) == 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_workspace),      cmocka_unit_test(test_parts),
                                     cmocka_unit_test(test_slice_in_place), cmocka_unit_test(test_apart),
                                     cmocka_unit_test(test_parts_not),      cmocka_unit_test(test_in_place),
                                     cmocka_unit_test(test_rows_in_place)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
