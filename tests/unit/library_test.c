/* Every primitive of the language, every op it makes and every public function of std/ has golden cases: values and
 * gradients against PyTorch or NumPy (tests/golden), at least three. What is tested in another way stands in a list
 * with the place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/ds.h"
#include "frontend/library.h"
#include "ir/ir.h"
#include "tests/lib/golden.h"
#include <string.h>

enum { ENOUGH = 3 };

static const struct {
  const char *name, *where; /* a name that ends in "." is a whole namespace */
} elsewhere[] = {
    {"source.", "read files: tests/models/sources.sh"},
    {"tokens.", "static: tests/unit/data_test.c"},
    {"data.", "functions on data sets: tests/unit/data_test.c, tests/models/data.sh"},
    {"grad", "in every golden case"},
    {"train_mode", "the layers of tests/golden/nn.py in training"},
    {"eval_mode", "tests/check/tour_steps.dnn"},
    {"weights", "reads files: tests/models/language.sh"},
    {"pi", "static"},
    {"inf", "static"},
    {"shape", "static: tests/unit/elab_values_test.c"},
    {"rank", "static: tests/unit/elab_values_test.c"},
    {"len", "static: tests/unit/elab_values_test.c"},
    {"zip", "static: tests/unit/elab_values_test.c"},
    {"reversed", "static: tests/unit/elab_values_test.c"},
    {"axes", "static: tests/unit/std_test.c"},
    {"is_float", "static: tests/unit/std_test.c"},
    {"is_function", "static: tests/unit/std_test.c"},
    {"is_list", "static: the windows of tests/golden/images.py"},
};

/* Ops that a program writes in another way. */
static const struct {
  Op op;
  const char *name;
} written[] = {
    {OP_neg, "-"},
    {OP_add, "+"},
    {OP_sub, "-"},
    {OP_mul, "*"},
    {OP_div, "/"},
    {OP_floordiv, "//"},
    {OP_mod, "%"},
    {OP_pow, "**"},
    {OP_eq, "=="},
    {OP_ne, "!="},
    {OP_lt, "<"},
    {OP_le, "<="},
    {OP_gt, ">"},
    {OP_ge, ">="},
    {OP_dot, "@"},
    {OP_gather, "[]"},
    {OP_slice, "[]"},
    {OP_iota, "arange"},
    {OP_full, "full"},
    {OP_uniform, "random.uniform"},
    {OP_clock, "clock.step"},
    {OP_reduce_max, "max"},
    {OP_reduce_min, "min"},
    {OP_scatter_add, "x[i]+="},
    {OP_scatter_set, "x[i]="},
};

/* Ops that no program names: leaves of the graph, loops (tests/golden/derivatives.py, tests/unit), transformations. */
static bool is_inside(Op op) {
  OpClass c = op_info[op].cls;
  return c == REGION || c == META || op == OP_input || op == OP_cell || op == OP_literal || op == OP_size ||
         op == OP_mix_key;
}

static bool is_elsewhere(const char *space, const char *name) {
  for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++) {
    const char *e = elsewhere[i].name;
    size_t n = strlen(e);
    if (!strcmp(e, name) || (e[n - 1] == '.' && !strncmp(e, space, n - 1) && !space[n - 1])) return true;
  }
  return false;
}

/* A run of an optimiser moves leaves of several shapes for twenty steps. */
static int enough_for(const char *space) { return strcmp(space, "optim") ? ENOUGH : 1; }

static void test_library(void **state) {
  Arena *a = arena_new();
  LibraryItem *items = library_items(a);
  Covered *covered = golden_covered(a);
  int missing = 0;
  for (int i = 0; i < arrlen(items); i++) {
    int n = shget(covered, items[i].name);
    if (is_elsewhere(items[i].space, items[i].name) || n >= enough_for(items[i].space)) continue;
    print_error("%s: %d of %d golden cases\n", items[i].name, n, enough_for(items[i].space));
    missing++;
  }
  assert_true(arrlen(items) > 200);
  if (missing) fail_msg("%d names of the library lack golden cases (docs/hacking.md, Add a library function)", missing);
  shfree(covered);
  arrfree(items);
  arena_free(a);
}

static void test_ops(void **state) {
  Arena *a = arena_new();
  Covered *covered = golden_covered(a);
  int missing = 0;
  for (Op op = 1; op < OP_COUNT; op++) {
    const char *name = op_info[op].name;
    for (size_t i = 0; i < sizeof written / sizeof *written; i++)
      if (written[i].op == op) name = written[i].name;
    if (is_inside(op) || shget(covered, name) >= ENOUGH) continue;
    print_error("%s: %d golden cases\n", op_info[op].name, shget(covered, name));
    missing++;
  }
  if (missing) fail_msg("%d ops lack golden cases", missing);
  shfree(covered);
  arena_free(a);
}

static void test_documented(void **state) {
  Arena *a = arena_new();
  LibraryItem *items = library_items(a);
  int missing = 0;
  for (int i = 0; i < arrlen(items); i++) {
    if (*items[i].doc) continue;
    print_error("%s has no line in frontend/native_docs.def\n", items[i].name);
    missing++;
  }
  if (missing) fail_msg("%d names are not documented", missing);
  arrfree(items);
  arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_library), cmocka_unit_test(test_ops),
                                     cmocka_unit_test(test_documented)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
