/* The evaluator against NumPy and PyTorch: every case of tests/golden/ops.txt (made by ops_numpy.py, which explains the
 * form), and a case for every op. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/ds.h"
#include "ir/eval.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Case {
  Arena *a;
  Graph *g;
  const char *name;
  int line, n_inputs, n_outputs;
  int64_t vars[8];
  Tensor inputs[8], cells[8], got[8];
  bool done;
} Case;

static bool tested[OP_COUNT];

static void fill_formula(Tensor *t, long seed, double lo, double hi) {
  for (int64_t i = 0, n = tensor_count(t); i < n; i++) {
    int64_t k = (7919 * i + 104729 * seed + 12345) % 1009;
    if (dtype_is_float(t->dtype)) tensor_set(t, i, lo + (hi - lo) * (double)k / 1008.0);
    else if (t->dtype == BOOL) tensor_set_int(t, i, k % 2);
    else tensor_set_int(t, i, (int64_t)lo + k % ((int64_t)hi - (int64_t)lo + 1));
  }
}

static void fill_list(Case *c, Tensor *t, char *s) {
  for (int64_t i = 0, n = tensor_count(t); i < n; i++) {
    char *end;
    if (dtype_is_float(t->dtype)) tensor_set(t, i, strtod(s, &end));
    else tensor_set_int(t, i, strtoll(s, &end, 10));
    if (end == s) fail_msg("ops.txt:%d: %s: too few numbers", c->line, c->name);
    s = end;
  }
}

static Type type_of_leaf(Case *c, Op op, int index) {
  for (NodeId id = 1; id < (NodeId)arrlen(c->g->nodes); id++) {
    const Node *n = graph_node(c->g, id);
    if (n->op == op && node_int(c->g, n, op == OP_input ? A_index : A_cell) == index) return n->type;
  }
  fail_msg("ops.txt:%d: %s: no such input", c->line, c->name);
  return type_scalar(F32);
}

static void given(Case *c, Op op, char *s) {
  Tensor *t = op == OP_input ? &c->inputs[c->n_inputs] : &c->cells[0];
  *t = tensor_of_type(c->a, c->g->dims, type_of_leaf(c, op, op == OP_input ? c->n_inputs++ : 0), c->vars);
  long seed;
  double lo, hi;
  if (sscanf(s, "formula %ld %lf %lf", &seed, &lo, &hi) == 3) fill_formula(t, seed, lo, hi);
  else fill_list(c, t, s + strlen("list"));
}

static void evaluate(Case *c) {
  if (c->done) return;
  c->done = true;
  Buf why = {0};
  EvalEnv env = {c->vars, c->inputs, c->cells, {3, 10, 1, 42}};
  if (!graph_eval(c->a, c->g, &env, c->got, &why)) fail_msg("ops.txt:%d: %s: %s", c->line, c->name, why.s);
}

static bool close_to(double got, double want, double tol) {
  if (isnan(want)) return isnan(got);
  if (got == want) return true;
  return isfinite(want) && fabs(got - want) <= tol * fmax(1, fabs(want));
}

static void compare(Case *c, char *s) {
  evaluate(c);
  Tensor *t = &c->got[c->n_outputs++];
  double tol = strtod(s, &s);
  Tensor want = tensor_new(c->a, t->dtype, t->rank, t->shape);
  fill_list(c, &want, s);
  for (int64_t i = 0, n = tensor_count(t); i < n; i++) {
    bool same = dtype_is_float(t->dtype) ? close_to(tensor_get(t, i), tensor_get(&want, i), tol)
                                         : tensor_get_int(t, i) == tensor_get_int(&want, i);
    if (!same) {
      fail_msg("ops.txt:%d: %s: element %d is %.9g, should be %.9g", c->line, c->name, (int)i, tensor_get(t, i),
               tensor_get(&want, i));
    }
  }
}

/* Reads the graph that starts at `s`, to its closing brace at the beginning of a line; returns what follows. */
static char *read_graph(Case *c, char *s, int *line) {
  char *end = strstr(s, "\n}\n");
  if (!end) fail_msg("ops.txt:%d: no end of the graph", *line);
  end += 2;
  *end = 0;
  for (char *p = s; *p; p++) *line += *p == '\n';
  Buf why = {0};
  c->g = graph_parse(c->a, dimtab_new(c->a), NULL, s, &why);
  if (!c->g || !graph_verify(c->g, &why)) fail_msg("ops.txt:%d: %s: %s", c->line, c->name, why.s);
  for (NodeId id = 1; id < (NodeId)arrlen(c->g->nodes); id++) tested[graph_node(c->g, id)->op] = true;
  return end + 1;
}

static void test_cases(void **state) {
  (void)state;
  Buf text = {0};
  if (!buf_read_file(&text, TEST_ROOT "/tests/golden/ops.txt", 1 << 24))
    fail_msg("tests/golden/ops.txt cannot be read");
  Case c = {0};
  int line = 1, cases = 0;
  for (char *s = text.s, *next; *s; s = next, line++) {
    if (!strncmp(s, "graph", 5)) {
      next = read_graph(&c, s, &line);
      continue;
    }
    next = strchr(s, '\n');
    *next++ = 0;
    if (!strncmp(s, "case ", 5)) {
      c = (Case){.a = arena_new(), .name = s + 5, .line = line};
      cases++;
    } else if (!strncmp(s, "var ", 4)) {
      c.vars[0] = atoi(s + 4);
    } else if (!strncmp(s, "in ", 3)) {
      given(&c, OP_input, s + 3);
    } else if (!strncmp(s, "cell ", 5)) {
      given(&c, OP_cell, s + 5);
    } else if (!strncmp(s, "out ", 4)) {
      compare(&c, s + 4);
    } else if (!strcmp(s, "end")) {
      assert_int_equal(c.n_outputs, arrlen(c.g->outputs));
      arena_free(c.a);
    } else if (*s != '#') {
      fail_msg("ops.txt:%d: `%s`", line, s);
    }
  }
  assert_true(cases > 500);
}

static void test_every_op(void **state) {
  (void)state;
  for (Op op = 1; op < OP_COUNT; op++) {
    OpClass c = op_info[op].cls;
    if (c != REGION && c != META && !tested[op]) fail_msg("%s has no case in tests/golden/ops.txt", op_info[op].name);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_every_op)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
