/* The elaborator's expressions against NumPy: every row of elab_rows.h is elaborated as an exported function and its
 * graph evaluated. */
#include "base/ds.h"
#include "frontend/frontend.h"
#include "ir/eval.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct Row {
  const char *body, *type;
  int n;
  double v[40];
} Row;
static const Row rows[] = {
#include "elab_rows.h"
};

static const char prologue[] = "fn fib(n: int) -> int { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } }\n"
                               "fn half(y: F[2*H]) -> F[2, H] { reshape(y, [2, H]) }\n"
                               "fn scale(y: f32[N], by: int = 2) -> f32[N] { by * y }\n"
                               "export fn f() {\n"
                               "  let a = reshape(f32(arange(6)), [2, 3])\n"
                               "  let b = reshape(f32(arange(24)), [2, 3, 4])\n"
                               "  let i = i32([1, 0, 1])\n"
                               "  let x = f32([1, -2, 3])\n"
                               "  let w = reshape(f32(arange(12)) - 5, [3, 4])\n"
                               "  let im = reshape(f32(arange(32)), [1, 2, 4, 4])\n"
                               "  let k = reshape(f32(arange(36)) - 10, [2, 2, 3, 3])\n"
                               "  ";

static int check_row(const Row *r) {
  Arena *a = arena_new();
  Diag *d = diag_new(a);
  const char *text = arena_printf(a, "%s%s\n}\n", prologue, r->body);
  Prog *p = frontend_load_text(a, d, "row.dnn", text, strlen(text), NULL);
  int bad = 1;
  Buf why = {0};
  if (!p) {
    diag_flush(d, stderr, 0);
  } else {
    const Entry *e = &p->entries[1];
    Tensor out[4];
    Buf type = {0};
    type_print(p->dims, &type, e->outputs[0].type);
    EvalEnv env = {0};
    if (!graph_verify(e->graph, &why) || !graph_eval(a, e->graph, &env, out, &why)) {
      print_error("%s\n", why.s);
    } else if (strcmp(type.s, r->type) != 0 || tensor_count(&out[0]) != r->n) {
      print_error("type %s, wanted %s\n", type.s, r->type);
    } else {
      bad = 0;
      for (int i = 0; i < r->n && !bad; i++) {
        double v = tensor_get(&out[0], i);
        bad = !(fabs(v - r->v[i]) <= 2e-5 * fmax(1, fabs(r->v[i])));
        if (bad) print_error("element %d is %g, wanted %g\n", i, v, r->v[i]);
      }
    }
    buf_free(&type);
  }
  if (bad) print_error("in: %s\n", r->body);
  buf_free(&why);
  arena_free(a);
  return bad;
}

static void test_rows(void **state) {
  int bad = 0, n = (int)(sizeof rows / sizeof *rows);
  for (int i = 0; i < n; i++) bad += check_row(&rows[i]);
  assert_true(n > 100);
  assert_int_equal(bad, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
