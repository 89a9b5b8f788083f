/* Walks tests/passes/NAME.ir: a graph, and above it comment lines that say what to run and what must come out.
 *
 *   ; run: simplify,cse     passes in order
 *   ; count: add 1          afterwards there is one `add`, regions apart
 *   ; text: scan(%2, %1)    afterwards the graph's text holds this
 *
 * The graph computes the same before and after on random inputs, special values among them where passes keep bits. For
 * each row of rewrites.def there is rewrite_ROW.ir, where it fires, and rewrite_ROW_not.ir, where it does not.
 *
 * With names of files only these are looked at: passes_test rewrite_add_zero_not.ir */
#include "base/ds.h"
#include "ir/eval.h"
#include "passes/rewrite.h"
#include "passes/simplify.h"
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

static const char *folder(void) { return TEST_ROOT "/tests/passes"; }

typedef struct File {
  Arena *a;
  const char *name;
  char *text;
  Graph *g;
  int *fired;
} File;

static File read_file(const char *name) {
  File f = {.a = arena_new(), .name = name, .fired = calloc((size_t)rewrite_row_count, sizeof(int))};
  Buf b = {0}, why = {0};
  if (!buf_read_file(&b, arena_printf(f.a, "%s/%s", folder(), name), 1 << 20)) fail_msg("%s cannot be read", name);
  f.text = b.s;
  f.g = graph_parse(f.a, dimtab_new(f.a), diag_new(f.a), f.text, &why);
  if (!f.g) fail_msg("%s: %s", name, why.s);
  if (!graph_verify(f.g, &why)) fail_msg("%s: %s", name, why.s);
  return f;
}

static bool has_transform(const File *f) { return strstr(f->text, " = grad(") || strstr(f->text, "stop_gradient"); }

static void fill(Tensor *t, uint64_t seed, bool special) {
  static const double odd[] = {0, -0.0, INFINITY, -INFINITY, NAN, 1, -1, 1e-40, 0.5, 3};
  bool is_float = dtype_is_float(t->dtype);
  tensor_random(t, seed, is_float ? -2 : 0, is_float ? 2 : 3);
  for (int64_t i = 0; special && is_float && i < tensor_count(t); i += 2)
    tensor_set(t, i, odd[(seed * 7 + (uint64_t)i * 3) % (sizeof odd / sizeof *odd)]);
}

static Tensor *run_graph(const File *f, uint64_t seed, bool special) {
  const Graph *g = f->g;
  int n_vars = dim_var_count(g->dims), n_out = (int)arrlen(g->outputs);
  int64_t *vars = arena_array(f->a, int64_t, n_vars + 1);
  for (int i = 0; i < n_vars; i++) vars[i] = 1 + (int64_t)((seed + (uint64_t)i) % 5);
  Tensor *in = arena_array(f->a, Tensor, g->n_inputs + 1), *out = arena_array(f->a, Tensor, n_out + 1);
  for (int i = 0; i < g->n_inputs; i++) {
    in[i] = tensor_of_type(f->a, g->dims, g->input_types[i], vars);
    fill(&in[i], seed * 31 + (uint64_t)i, special);
  }
  enum { MOST_CELLS = 16 };
  Tensor *cells = arena_array(f->a, Tensor, MOST_CELLS);
  for (NodeId n = 1; n < (NodeId)arrlen(g->nodes); n++) {
    if (graph_node(g, n)->op != OP_cell) continue;
    int64_t c = node_int(g, graph_node(g, n), A_cell);
    assert_in_range(c, 0, MOST_CELLS - 1);
    cells[c] = tensor_of_type(f->a, g->dims, graph_type(g, n), vars);
    fill(&cells[c], seed * 37 + (uint64_t)c, special);
  }
  Buf why = {0};
  EvalEnv env = {.vars = vars, .inputs = in, .cells = cells};
  if (!graph_eval(f->a, g, &env, out, &why)) fail_msg("%s: %s", f->name, why.s);
  return out;
}

/* Equal bits, any NaN like any other. */
static bool same_bits(const Tensor *x, const Tensor *y) {
  if (!tensor_same_shape(x, y)) return false;
  size_t size = (size_t)dtype_size(x->dtype);
  for (int64_t i = 0; i < tensor_count(x); i++) {
    if (dtype_is_float(x->dtype) && isnan(tensor_get(x, i)) && isnan(tensor_get(y, i))) continue;
    if (memcmp((char *)x->data + (size_t)i * size, (char *)y->data + (size_t)i * size, size)) return false;
  }
  return true;
}

static void run_passes(File *f, bool exact) {
  char *line = strstr(f->text, "; run:");
  if (!line) fail_msg("%s says not what to run", f->name);
  char *list = arena_strndup(f->a, line + 6, strcspn(line + 6, "\n"));
  for (char *s = strtok(list, " ,"); s; s = strtok(NULL, " ,")) {
    const PassInfo *p = pass_find(s);
    if (!p) fail_msg("%s: there is no pass `%s`", f->name, s);
    if (p->run == pass_simplify) simplify_graph(f->g, exact, f->fired);
    else if (!strcmp(p->name, "again")) { /* plans */
      Prog prog = {.arena = f->a, .dims = f->g->dims, .diag = f->g->diag};
      p->run(f->g, &prog, &(Entry){.name = "f", .graph = f->g, .n_results = (int)arrlen(f->g->outputs)});
    } else p->run(f->g, NULL, NULL);
    Buf why = {0};
    if (!graph_verify(f->g, &why)) fail_msg("%s after %s: %s", f->name, s, why.s);
  }
}

static void check_counts(const File *f) {
  for (const char *s = f->text; (s = strstr(s, "; count: ")); s++) {
    char op[64];
    int want, have = 0;
    if (sscanf(s, "; count: %63s %d", op, &want) != 2 || !op_by_name(op)) fail_msg("%s: `%.40s`", f->name, s);
    for (NodeId n = 1; n < (NodeId)arrlen(f->g->nodes); n++) have += graph_node(f->g, n)->op == op_by_name(op);
    if (have != want) {
      Buf b = {0};
      graph_print(f->g, &b);
      fail_msg("%s: %d %s, not %d, in\n%s", f->name, have, op, want, b.s);
    }
  }
}

static void check_text(const File *f) {
  Buf b = {0};
  graph_print(f->g, &b);
  for (const char *s = f->text; (s = strstr(s, "; text: ")); s++) {
    const char *want = arena_printf(f->a, "%.*s", (int)strcspn(s + 8, "\n"), s + 8);
    if (!strstr(b.s, want)) fail_msg("%s: no `%s` in\n%s", f->name, want, b.s);
  }
  buf_free(&b);
}

/* rewrite_ROW.ir or rewrite_ROW_not.ir: the row's index, -1 for other files. */
static int row_of(const char *name, bool *fires) {
  if (strncmp(name, "rewrite_", 8)) return -1;
  for (int i = 0; i < rewrite_row_count; i++) {
    size_t n = strlen(rewrite_rows[i].name);
    if (strncmp(name + 8, rewrite_rows[i].name, n)) continue;
    *fires = !strcmp(name + 8 + n, ".ir");
    if (*fires || !strcmp(name + 8 + n, "_not.ir")) return i;
  }
  fail_msg("%s: no such row", name);
  return -1;
}

enum { MOST_RUNS = 6 };

/* How often a graph is evaluated: values of many elements, which some passes ask for, take the evaluator seconds. */
static int runs_of(const File *f) {
  int64_t vars[MOST_RUNS] = {5, 5, 5, 5, 5, 5}, total = 0;
  assert_in_range(dim_var_count(f->g->dims), 0, MOST_RUNS);
  for (NodeId n = 1; n < (NodeId)arrlen(f->g->nodes); n++)
    if (graph_type(f->g, n).dtype != TUPLE)
      total += dim_eval(f->g->dims, type_count(f->g->dims, graph_type(f->g, n)), vars);
  return total < 1 << 18 ? MOST_RUNS : 1;
}

static void check_file(const char *name) {
  bool fires = false;
  int row = row_of(name, &fires);
  bool exact = row >= 0 && fires && rewrite_rows[row].kind == EXACT;
  File f = read_file(name);
  int runs = has_transform(&f) ? 0 : runs_of(&f);
  Tensor *before[MOST_RUNS] = {0};
  for (int k = 0; k < runs; k++) before[k] = run_graph(&f, (uint64_t)k + 1, exact && k % 2);
  run_passes(&f, exact);
  check_counts(&f);
  check_text(&f);
  if (row >= 0 && fires && !f.fired[row]) fail_msg("%s: the row does not fire", name);
  if (row >= 0 && !fires && f.fired[row]) fail_msg("%s: the row fires", name);
  for (int k = 0; k < runs; k++) {
    Tensor *after = run_graph(&f, (uint64_t)k + 1, exact && k % 2);
    for (int i = 0; i < (int)arrlen(f.g->outputs); i++) {
      bool same = exact ? same_bits(&before[k][i], &after[i]) : tensor_diff(&before[k][i], &after[i]) < 1e-5;
      if (same) continue;
      Buf b = {0};
      tensor_print(&b, &before[k][i], 20), buf_str(&b, " became "), tensor_print(&b, &after[i], 20);
      fail_msg("%s: result %d: %s", name, i, b.s);
    }
  }
  free(f.fired);
  arena_free(f.a);
}

static void test_files(void **state) {
  DIR *d = opendir(folder());
  int n = 0;
  if (!d) fail_msg("%s is not there", folder());
  for (struct dirent *e; (e = readdir(d));) {
    size_t len = strlen(e->d_name);
    if (len > 3 && !strcmp(e->d_name + len - 3, ".ir")) check_file(strdup(e->d_name)), n++;
  }
  closedir(d);
  assert_true(n >= 2 * rewrite_row_count);
}

static void test_every_row_has_files(void **state) {
  for (int i = 0; i < rewrite_row_count; i++)
    for (int fires = 0; fires < 2; fires++) {
      Buf b = {0};
      char path[512];
      snprintf(path, sizeof path, "%s/rewrite_%s%s.ir", folder(), rewrite_rows[i].name, fires ? "" : "_not");
      if (!buf_read_file(&b, path, 1 << 20)) fail_msg("%s is missing", path);
      buf_free(&b);
    }
}

/* The whole pipeline under the hostile mode keeps a graph and its order of outputs. */
static void test_pipeline(void **state) {
  File f = read_file("expand_linear.ir");
  Prog prog = {.arena = f.a, .dims = f.g->dims, .diag = f.g->diag};
  Entry entry = {.name = "linear", .graph = f.g};
  setenv("DNN_HOSTILE", "text,nodes=3", 1);
  assert_true(pipeline_graph(&prog, &entry, &(PipelineOpts){.verify = true}));
  unsetenv("DNN_HOSTILE");
  assert_int_equal(arrlen(f.g->outputs), 1);
  check_counts(&f);
  File h = read_file("expand_linear.ir");
  Entry half = {.name = "half", .graph = h.g};
  assert_true(pipeline_graph(&prog, &half, &(PipelineOpts){.verify = true, .stop_after = "expand"}));
  assert_true(rewrite_count(h.g) > rewrite_count(f.g));
  assert_null(pass_find("nothing"));
}

static char **some_files; /* NULL at the end */

static void test_some_files(void **state) {
  for (char **name = some_files; *name; name++) check_file(*name);
}

int main(int argc, char **argv) {
  some_files = argv + 1;
  const struct CMUnitTest some[] = {cmocka_unit_test(test_some_files)};
  if (argc > 1) return cmocka_run_group_tests(some, NULL, NULL);
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_files), cmocka_unit_test(test_every_row_has_files),
                                     cmocka_unit_test(test_pipeline)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
