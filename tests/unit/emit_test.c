/* Whole programs made by hand as graphs: emitted, compiled by the system's compiler, loaded, called. */
#include "base/ds.h"
#include "codegen/load.h"
#include "passes/pipeline.h"
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

typedef struct World {
  bool training; /* only what the training calls is compiled */
  Arena *a;
  Prog *prog;
  Backend *backend;
  EmitOut out;
} World;

static const Loc nowhere;

static Port port(const char *name, Type t) { return (Port){.name = name, .type = t}; }

/* line: cells w; init sets w = 3; export predict(x: f32[N <= 100]) = w * x; step grow() sets w = w + 1 and reports it.
 */
static World make(void) {
  World w = {.a = arena_new()};
  Arena *a = w.a;
  Diag *d = diag_new(a);
  DimTab *t = dimtab_new(a);
  Prog *p = w.prog = arena_one(a, Prog);
  *p = (Prog){.arena = a, .dims = t, .diag = d, .name = "line", .init = 0, .seed = 7};
  Type scalar = type_scalar(F32);
  arrput(p->cells, ((Cell){.path = "net.w", .type = scalar, .kind = DNN_PARAM}));

  Entry init = {.name = "init", .kind = DNN_INIT, .graph = graph_new(a, t, d)};
  arrput(init.graph->outputs, g_full(init.graph, nowhere, 3, scalar));
  arrput(init.writes, 0);
  arrput(p->entries, init);

  Dim n = dim_var(t, "N", 100);
  Type row = type_of(a, F32, 1, &n);
  Entry predict = {.name = "predict", .kind = DNN_EXPORT, .exported = 1, .graph = graph_new(a, t, d), .n_results = 1};
  Graph *g = predict.graph;
  NodeId x = g_input(g, nowhere, row), c = g_cell(g, nowhere, 0, scalar);
  NodeId wide = g_broadcast_to(g, nowhere, c, 1, &n);
  arrput(g->outputs, g_map2(g, OP_mul, nowhere, wide, x));
  arrput(predict.inputs, port("x", row));
  arrput(predict.outputs, port("y", row));
  arrput(predict.vars, dim_as_var(t, n));
  arrput(p->entries, predict);

  Entry grow = {.name = "grow", .kind = DNN_STEP, .graph = graph_new(a, t, d), .n_reports = 1};
  g = grow.graph;
  c = g_cell(g, nowhere, 0, scalar);
  NodeId next = g_map2(g, OP_add, nowhere, c, g_full(g, nowhere, 1, scalar));
  arrput(g->outputs, next);
  arrput(g->outputs, next);
  arrput(g->outputs, g_map2(g, OP_lt, nowhere, next, g_full(g, nowhere, 6, scalar)));
  arrput(grow.outputs, port("w", scalar));
  arrput(grow.writes, 0);
  Effect check = {.is_check = 1, .cond = 2, .n_values = 1};
  check.text = arena_array(a, const char *, 2);
  check.text[0] = "w is ";
  check.text[1] = ", too large";
  check.values = arena_array(a, int, 1);
  check.values[0] = 0;
  arrput(grow.effects, check);
  arrput(p->entries, grow);
  return w;
}

static void emit(World *w, const char *target) {
  Prog *p = w->prog;
  int n = (int)arrlen(p->entries);
  PipelineOpts o = {.verify = true};
  Plan **plans = arena_array(w->a, Plan *, n);
  Lowered **lowered = arena_array(w->a, Lowered *, n);
  const Target *t = target_find(target);
  KernelTable *k = kernels_new(w->a, p, t);
  for (int i = 0; i < n; i++) {
    assert_true(pipeline_graph(p, &p->entries[i], &o));
    plans[i] = plan_build(w->a, p, &p->entries[i]);
  }
  for (int first = 1; first >= 0; first--)
    for (int i = 0; i < n; i++)
      if (prog_trains(p, i) == first && (first || !w->training)) lowered[i] = lower_plan(w->a, plans[i], k);
  EmitOpts eo = {.checks = true, .bare = w->training, .source = "line.dnn"};
  assert_true(emit_program(w->a, p, plans, lowered, k, t, &eo, &w->out));
}

static const DnnProgram *load(World *w) {
  Buf why = {0};
  emit(w, "native");
  const DnnProgram *p =
      backend_load(w->a, &w->out, target_find("native"), &(LoadOpts){.no_cache = true}, &w->backend, &why);
  if (!p) fail_msg("%s", why.s);
  return p;
}

static void test_call(void **state) {
  World w = make();
  const DnnProgram *p = load(&w);
  assert_string_equal(p->name, "line");
  assert_int_equal(p->n_cells, 1);
  assert_string_equal(p->cells[0].path, "net.w");
  assert_int_equal(p->n_entries, 3);
  unsigned char *memory =
      aligned_alloc(64, (size_t)((p->cell_bytes + p->prepared_bytes + p->arena_bytes + 63) / 64 * 64));
  DnnContext c = {.cells = memory, .prepared = memory + p->cell_bytes, .threads = 2};
  c.arena = c.prepared + p->prepared_bytes;
  assert_int_equal(p->entries[p->init].call(&c, NULL, NULL, NULL), 0);

  float x[100], y[100], value = 0;
  for (int i = 0; i < 100; i++) x[i] = (float)i;
  const DnnEntry *predict = &p->entries[1];
  const int64_t sizes[] = {1, 7, 100};
  for (int k = 0; k < 3; k++) {
    int64_t v[] = {sizes[k]}, s[2];
    memset(y, 0xff, sizeof y);
    assert_int_equal(predict->call(&c, v, (const void *[]){x}, (void *[]){y}), 0);
    for (int i = 0; i < sizes[k]; i++) assert_true(y[i] == 3 * x[i]);
    if (sizes[k] < 100) assert_true(y[sizes[k]] != y[sizes[k]]); /* not touched */
    predict->shapes(v, s);
    assert_int_equal(s[0], sizes[k]);
    assert_int_equal(s[1], sizes[k]);
  }
  int64_t v[] = {101};
  assert_int_not_equal(predict->call(&c, v, (const void *[]){x}, (void *[]){y}), 0);
  assert_non_null(strstr(p->error_text(&c), "N of predict is 101, allowed is 0 .. 100"));

  const DnnEntry *grow = &p->entries[2];
  for (int k = 4; k < 6; k++) {
    assert_int_equal(grow->call(&c, NULL, NULL, (void *[]){&value}), 0);
    assert_true(value == (float)k);
    assert_true(*(float *)c.cells == (float)k);
  }
  assert_int_not_equal(grow->call(&c, NULL, NULL, (void *[]){&value}), 0);
  assert_non_null(strstr(p->error_text(&c), "check failed: w is 6, too large"));
  free(memory);
  backend_close(w.backend);
}

static void test_deterministic(void **state) {
  World one = make(), two = make();
  emit(&one, "x86-64-v3");
  emit(&two, "x86-64-v3");
  assert_int_equal(arrlen(one.out.files), arrlen(two.out.files));
  assert_true(one.out.plan_hash == two.out.plan_hash);
  for (int i = 0; i < (int)arrlen(one.out.files); i++) {
    assert_string_equal(one.out.files[i].name, two.out.files[i].name);
    assert_string_equal(one.out.files[i].text, two.out.files[i].text);
  }
  World plain = make();
  emit(&plain, "plain");
  assert_true(one.out.plan_hash != plain.out.plan_hash);
}

/* What the training does not call is left out, and the plan's hash is the same. */
static void test_training(void **state) {
  World all = make(), some = make();
  World *both[] = {&all, &some};
  for (int i = 0; i < 2; i++)
    arrput(both[i]->prog->actions, ((DnnAction){.kind = DNN_RUN, .name = "grow", .place = "line.dnn:1", .entry = 2}));
  assert_string_equal(some.prog->entries[2].name, "grow");
  assert_string_equal(some.prog->entries[1].name, "predict");
  some.training = true;
  emit(&all, "native");
  const DnnProgram *p = load(&some);
  assert_true(p->plan_hash == all.out.plan_hash);
  assert_non_null(p->entries[0].call);
  assert_non_null(p->entries[2].call);
  assert_null(p->entries[1].call);
  assert_true(arrlen(some.out.files) < arrlen(all.out.files));
  for (int i = 0; i < (int)arrlen(some.out.files); i++) assert_null(strstr(some.out.files[i].text, "call_predict"));
  backend_close(some.backend);
}

/* The text of the unit of what does little, NULL when there is none. */
static const char *brief_of(const World *w) {
  for (int i = 0; i < (int)arrlen(w->out.files); i++)
    if (w->out.files[i].kind == EMIT_BRIEF) return w->out.files[i].text;
  return NULL;
}

/* A cell that is filled once is no reason to wait for vectors; the one kernel of a step is all of its work. What is
 * emitted for others knows no such difference. */
static void test_brief(void **state) {
  World all = make(), some = make();
  World *both[] = {&all, &some};
  for (int i = 0; i < 2; i++)
    arrput(both[i]->prog->actions, ((DnnAction){.kind = DNN_RUN, .name = "grow", .place = "line.dnn:1", .entry = 2}));
  some.training = true;
  emit(&all, "native"), emit(&some, "native");
  assert_null(brief_of(&all));
  assert_non_null(brief_of(&some));
  assert_non_null(strstr(brief_of(&some), "DNN_LEAST\nvoid line_k0_full("));
  assert_null(strstr(brief_of(&some), "_add"));
}

/* Records of 1000 elements, made by an entry from their number by an operation each: 'n' not optimised, 'l' a little,
 * 'f' for speed. */
static char effort_of(int op, double count) {
  World w = make();
  Prog *p = w.prog;
  Dim n = dim_int(p->dims, 1000);
  Type scalar = type_scalar(F32);
  Entry made = {.name = "made", .kind = DNN_RECORD, .graph = graph_new(w.a, p->dims, p->diag), .n_results = 1};
  NodeId x = g_broadcast_to(made.graph, nowhere, g_input(made.graph, nowhere, scalar), 1, &n);
  arrput(made.graph->outputs, g_map1(made.graph, OP_neg, nowhere, x));
  arrput(made.inputs, port("i", scalar));
  arrput(made.outputs, port("x", type_of(w.a, F32, 1, &n)));
  arrput(p->entries, made);
  DnnDataArg *args = arena_array(w.a, DnnDataArg, 2);
  args[0] = (DnnDataArg){.kind = 'i', .num = count};
  args[1] = (DnnDataArg){.kind = 'e', .index = 3};
  arrput(p->data, ((DnnData){.op = op, .name = "d", .place = "line.dnn:1", .n_args = 2, .args = args}));
  w.training = true;
  emit(&w, "native");
  const char *brief = brief_of(&w), *at = brief ? strstr(brief, "_neg(") : NULL;
  if (!at) return 'f';
  while (*at != '\n') at--;
  return strncmp(at - 9, "DNN_LEAST", 9) ? 'l' : 'n';
}

/* Records that are made when the data set is opened are so many calls; of others nobody knows. */
static void test_records(void **state) {
  assert_int_equal(effort_of(DNN_DATA_generate, 10), 'n');
  assert_int_equal(effort_of(DNN_DATA_generate, 100), 'l');
  assert_int_equal(effort_of(DNN_DATA_generate, 200), 'f');
  assert_int_equal(effort_of(DNN_DATA_generate, -1), 'f');
  assert_int_equal(effort_of(DNN_DATA_map, 10), 'f');
}

static void test_header(void **state) {
  World w = make();
  emit(&w, "plain");
  for (int i = 0; i < (int)arrlen(w.out.files); i++) {
    if (strcmp(w.out.files[i].name, "line.h")) continue;
    const char *h = w.out.files[i].text;
    assert_non_null(strstr(h, "#define LINE_WEIGHTS_BYTES 64 "));
    assert_non_null(strstr(h, "int line_predict(line *m, int64_t N, const float *x, float *y);"));
    assert_non_null(strstr(h, "int line_grow(line *m, float *w);"));
    assert_non_null(strstr(h, "extern \"C\""));
    return;
  }
  fail_msg("no header");
}

static void test_identifier(void **state) {
  Arena *a = arena_new();
  assert_string_equal(emit_identifier(a, "evaluate(s = 0)"), "evaluate_s_0");
  assert_string_equal(emit_identifier(a, "double"), "double_");
  assert_string_equal(emit_identifier(a, "int64_t"), "int64_t_");
  assert_string_equal(emit_identifier(a, "3d"), "_3d");
  assert_string_equal(emit_identifier(a, ""), "x");
  arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_identifier),    cmocka_unit_test(test_call),
                                     cmocka_unit_test(test_deterministic), cmocka_unit_test(test_header),
                                     cmocka_unit_test(test_training),      cmocka_unit_test(test_brief),
                                     cmocka_unit_test(test_records)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
