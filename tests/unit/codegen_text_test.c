/* tests/codegen/NAME.ir: a graph, and what must be in the kernels made of it. Lines before the graph:
 *   ; target: x86-64-v4     for which processor (default x86-64-v3)
 *   ; kernels: N            how many distinct kernels
 *   ; calls: N              how many kernel calls
 *   ; first: N              how many of them are made once, before a loop
 *   ; count: N TEXT         TEXT occurs N times in the loop IR of the kernels
 *   ; c: N TEXT             TEXT occurs N times in their C
 * The file starts with the lines; a blank stands around TEXT for nothing. */
#include "base/ds.h"
#include "codegen/codegen.h"
#include "passes/pipeline.h"
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static int occurrences(const char *text, const char *what) {
  int n = 0;
  for (const char *s = text; (s = strstr(s, what)); s += strlen(what)) n++;
  return n;
}

static void check_file(const char *path) {
  Arena *a = arena_new();
  Buf file = {0}, why = {0}, ir = {0}, c = {0}, planned = {0};
  assert_true(buf_read_file(&file, path, 1 << 20));
  const char *graph = strstr(file.s, "\ngraph "), *at = strstr(file.s, "; target: ");
  char target[32] = "x86-64-v3";
  if (at) sscanf(at, "; target: %31s", target);
  DimTab *dims = dimtab_new(a);
  Graph *g = graph_parse(a, dims, diag_new(a), graph, &why);
  if (!g) fail_msg("%s: %s", path, why.s);
  Prog prog = {.arena = a, .dims = dims, .diag = g->diag, .name = "t"};
  Entry e = {.name = "f", .kind = DNN_EXPORT, .graph = g, .n_results = (int)arrlen(g->outputs)};
  for (int i = 0; i < g->n_inputs; i++) arrput(e.inputs, ((Port){.name = "x", .type = g->input_types[i]}));
  for (int i = 0; i < e.n_results; i++) arrput(e.outputs, ((Port){.name = "y", .type = graph_type(g, g->outputs[i])}));
  for (int v = 0; v < dim_var_count(dims); v++) arrput(e.vars, v);
  Plan *plan = plan_build(a, &prog, &e);
  KernelTable *t = kernels_new(a, &prog, target_find(target));
  Lowered *l = lower_plan(a, plan, t);
  int calls = 0, first = 0, checks = 0;
  plan_print(plan, &planned);
  for (int i = 0; i < arrlen(plan->groups); i++) calls += (int)arrlen(l->groups[i].calls);
  for (int i = 0; i < plan->n_loops; i++) first += (int)arrlen(l->loops[i].calls);
  for (int i = 0; i < kernels_count(t); i++) { /* a kernel's text has its callees before it: once each */
    Buf one = {0};
    kernel_print(kernels_get(t, i), &one);
    Buf again = {0};
    const Kernel *parsed = kernel_parse(a, one.s, &why);
    if (!parsed) fail_msg("%s: %s\n%s", path, why.s, one.s);
    kernel_print(parsed, &again);
    assert_string_equal(again.s, one.s);
    buf_free(&again);
    char *own = one.s;
    for (char *s = own; (s = strstr(s, "\nkernel ")); s++) own = s + 1;
    buf_str(&ir, own);
    kernel_print_c(kernels_get(t, i), &c);
    buf_free(&one);
  }
  for (char *line = strtok(file.s, "\n"); line && line < graph; line = strtok(NULL, "\n")) {
    int want, used = 0, got = -1;
    if (sscanf(line, "; kernels: %d", &want) == 1) got = kernels_count(t);
    else if (sscanf(line, "; calls: %d", &want) == 1) got = calls;
    else if (sscanf(line, "; first: %d", &want) == 1) got = first;
    else if (sscanf(line, "; count: %d %n", &want, &used) == 1 && used) got = occurrences(ir.s, line + used);
    else if (sscanf(line, "; plan: %d %n", &want, &used) == 1 && used) got = occurrences(planned.s, line + used);
    else if (sscanf(line, "; c: %d %n", &want, &used) == 1 && used) got = occurrences(c.s, line + used);
    else continue;
    checks++;
    if (got != want) fail_msg("%s: `%s`: there are %d\n%s\n%s\n%s", path, line, got, ir.s, c.s, planned.s);
  }
  assert_true(checks > 0);
  buf_free(&file);
  buf_free(&ir);
  buf_free(&planned);
  buf_free(&c);
  arena_free(a);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }
static void test_files(void **state) {
  (void)state;
  DIR *d = opendir(TEST_ROOT "/tests/codegen");
  assert_non_null(d);
  char **names = NULL;
  for (struct dirent *f; (f = readdir(d));)
    if (strstr(f->d_name, ".ir")) arrput(names, strdup(f->d_name));
  closedir(d);
  arrsort(names, by_name);
  assert_true(arrlen(names) >= 10);
  for (int i = 0; i < arrlen(names); i++) {
    char path[512];
    snprintf(path, sizeof path, TEST_ROOT "/tests/codegen/%s", names[i]);
    check_file(path);
    free(names[i]);
  }
  arrfree(names);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_files)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
