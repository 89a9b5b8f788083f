/* For every op of the table and random shapes: evaluator == interpreted loop IR == compiled C, for several numbers of
 * threads with equal bits. All cases of a target are one C file, compiled once. */
#include "base/ds.h"
#include "codegen/emit.h"
#include "codegen/loop.h"
#include "tests/lib/kernel_case.h"
#include "tests/lib/opgen.h"
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

static bool make_case(KernelCase *c, const Target *target) {
  NodeId y;
  c->a = arena_new();
  c->g = graph_new(c->a, dimtab_new(c->a), diag_new(c->a));
  if (!opgen_case(c->a, c->g, c->op, c->dt, c->seed, &y)) {
    arena_free(c->a);
    return false;
  }
  case_finish(c, target);
  return true;
}

static bool wanted(Op op) {
  OpClass k = op_info[op].cls;
  const char *only = getenv("DNN_TEST_OP");
  if (only && strcmp(only, op_info[op].name)) return false;
  return k != REGION && k != META && op != OP_cell;
}

static void check_target(const char *target, const char *compiler, bool clang, uint64_t seeds) {
  if (getenv("DNN_TEST_SEEDS")) seeds = (uint64_t)atoi(getenv("DNN_TEST_SEEDS"));
  const Target *t = target_find(target);
  KernelCase *cases = NULL;
  Buf text = {0};
  buf_str(&text,
          "#include \"runtime/core/kernel.h\"\n#include \"runtime/core/number.h\"\n#include \"runtime/core/random.h\"\n"
          "#include \"runtime/core/sort.h\"\n#include \"runtime/core/matrix.h\"\n");
  for (Op op = 1; op < OP_COUNT; op++) {
    int found = 0;
    for (DType dt = 0; dt < TUPLE && wanted(op); dt++)
      for (uint64_t seed = 0; seed < seeds; seed++) {
        KernelCase c = {.op = op, .dt = dt, .seed = seed, .id = (int)arrlen(cases)};
        if (!make_case(&c, t)) continue;
        case_print(&c, &text);
        arrput(cases, c);
        found++;
      }
    if (wanted(op)) assert_true(found > 0);
  }
  cases_check(cases, text.s, compiler, clang ? t->clang_flags : t->gcc_flags);
  arrfree(cases);
  buf_free(&text);
}
/* Is it known which header has the function? Those of kernel.h are everywhere. */
static bool is_declared(const char *name) {
  static const char *const headers[] = {"maths.h", "number.h", "random.h"};
  for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
    if (text_uses(name, headers[i])) return true;
  char begin[80];
  snprintf(begin, sizeof begin, " %s(", name);
  if (strstr(embedded_find("dnn_kernel.h")->text, begin) || runtime_fn(name + 4)) return true;
  return !strncmp(name, "dnn_maximum_f", 13) || !strncmp(name, "dnn_minimum_f", 13); /* DNN_MAXMIN of kernel.h */
}

/* Whatever function of the runtime a kernel calls, the header that has it is known. */
static void test_headers(void **state) {
  (void)state;
  int called = 0;
  for (Op op = 1; op < OP_COUNT; op++)
    for (DType dt = 0; dt < TUPLE && wanted(op); dt++) {
      KernelCase c = {.op = op, .dt = dt};
      Buf text = {0};
      if (!make_case(&c, target_find("native"))) continue;
      case_print(&c, &text);
      for (const char *s = text.s; (s = strstr(s, "dnn_")); s += 4) {
        char name[64];
        size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_");
        bool own = s[4] == 'k' && s[5] >= '0' && s[5] <= '9'; /* a kernel */
        if (s[n] != '(' || own || n >= sizeof name) continue;
        memcpy(name, s, n), name[n] = 0;
        if (!is_declared(name)) fail_msg("%s: no header with %s", op_info[op].name, name);
        called++;
      }
      buf_free(&text);
    }
  assert_true(getenv("DNN_TEST_OP") || called > 1000);
}

static void test_native(void **state) {
  (void)state;
  check_target("native", "gcc", false, 4);
}
static void test_plain(void **state) {
  (void)state;
  check_target("plain", "gcc -std=c11 -pedantic", false, 2);
}
static void test_clang(void **state) {
  (void)state;
  if (system("clang-19 --version >/dev/null 2>&1")) skip();
  check_target("native", "clang-19", true, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_headers), cmocka_unit_test(test_native),
                                     cmocka_unit_test(test_plain), cmocka_unit_test(test_clang)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
