/* Checked runs of programs that are compiled wrongly on purpose: a kernel that leaves elements out, steps in the wrong
 * order, a buffer that is freed too early, a workspace that nobody fills. */
#include "base/ds.h"
#include "codegen/load.h"
#include "codegen/watch.h"
#include "frontend/frontend.h"
#include "ir/eval.h"
#include "passes/pipeline.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

typedef struct World {
  Arena *a;
  Diag *diag;
  Prog *prog;
  Plan **plans;
  Lowered **lowered;
  KernelTable *kernels;
  int entry; /* of the one exported function */
} World;

/* `text` up to plans and kernels. */
static World compile(const char *text) {
  World w = {.a = arena_new()};
  char path[] = "/tmp/dnnc-watch-XXXXXX";
  int file = mkstemp(path);
  assert_true(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text));
  close(file);
  w.diag = diag_new(w.a);
  w.prog = frontend_load(w.a, w.diag, path, NULL);
  unlink(path);
  if (!w.prog) diag_flush(w.diag, stderr, 0);
  assert_non_null(w.prog);
  int n = (int)arrlen(w.prog->entries);
  w.plans = arena_array(w.a, Plan *, n);
  w.lowered = arena_array(w.a, Lowered *, n);
  w.kernels = kernels_new(w.a, w.prog, target_find("x86-64-v2"));
  PipelineOpts o = {0};
  for (int i = 0; i < n; i++) {
    if (w.prog->entries[i].kind == DNN_EXPORT) w.entry = i;
    assert_true(pipeline_graph(w.prog, &w.prog->entries[i], &o));
    w.plans[i] = plan_build(w.a, w.prog, &w.prog->entries[i]);
    w.lowered[i] = lower_plan(w.a, w.plans[i], w.kernels);
  }
  return w;
}

/* A call with n rows of numbers; `wanted`: part of the short message, NULL: nothing is found. Ends the world. */
static void call(World *w, int64_t n, int64_t width, const char *wanted) {
  EmitOut out;
  EmitOpts o = {.checks = true, .watch = true, .source = "t.dnn"};
  Backend *backend;
  Buf why = {0};
  assert_true(emit_program(w->a, w->prog, w->plans, w->lowered, w->kernels, target_find("x86-64-v2"), &o, &out));
  const DnnProgram *p =
      backend_load(w->a, &out, target_find("x86-64-v2"), &(LoadOpts){.no_cache = true}, &backend, &why);
  if (!p) fail_msg("%s", why.s);
  unsigned char *memory = aligned_alloc(64, (size_t)((out.memory_bytes + 63) / 64 * 64));
  memset(memory, 0, (size_t)out.memory_bytes); /* stale numbers look like good ones */
  DnnContext m = {.cells = memory, .prepared = memory + out.cell_bytes, .threads = 2};
  m.arena = m.prepared + out.prepared_bytes;
  Watch *watch = watch_new(w->a, w->prog, w->plans, w->lowered, &out);
  watch_attach(watch, &m);
  float *x = calloc((size_t)(n * width), sizeof *x), *y = calloc((size_t)(n * width), sizeof *y);
  for (int64_t i = 0; i < n * width; i++) x[i] = (float)(i * 7 % 11) - 3;
  const void *in[] = {x};
  void *outs[] = {y};
  int status = p->entries[w->entry].call(&m, &n, in, outs);
  const char *said = status ? p->error_text(&m) : "";
  if (wanted && !strstr(said, wanted)) fail_msg("no `%s` but `%s`", wanted, said);
  if (!wanted && status) fail_msg("found `%s`", said);
  assert_int_equal(status != 0, watch_found(watch));
  assert_int_equal(status != 0, diag_errors(w->diag));
  if (status) diag_flush_json(w->diag, stdout);
  watch_end(watch);
  backend_close(backend);
  free(memory), free(x), free(y);
  arena_free(w->a);
}

/* Two sums, one behind the other, so that a value stands in the arena; and one in integers. */
static const char sums[] = "export fn f(x: f32[N <= 90, 5]) -> f32[N, 5] {\n"
                           "  let y = cumsum(x, axis = 0)\n"
                           "  cumsum(y * y, axis = 0)\n}\n";
static const char order[] = "export fn f(x: f32[N <= 90, 5]) -> f32[N, 5] {\n"
                            "  let at = argsort(x, axis = 1)\n"
                            "  f32(cumsum(at, axis = 1))\n}\n";
static const char parts[] = "export fn f(x: f32[900, 900]) -> f32[] {\n"
                            "  let s = sum(x)\n"
                            "  sum((x - s) ** 2)\n}\n";

static Plan *plan(World *w) { return w->plans[w->entry]; }
static Lowered *lowered(World *w) { return w->lowered[w->entry]; }

/* The groups in the order of their steps. */
static int group(World *w, int step) { return plan(w)->steps[step].group; }

static void good(void **state) {
  (void)state;
  const char *const texts[] = {sums, order, parts};
  for (int i = 0; i < 3; i++) {
    World w = compile(texts[i]);
    call(&w, i == 2 ? 900 : 20, i == 2 ? 900 : 5, NULL);
  }
}

/* A kernel is told that there are fewer rows: those whose results stand in the arena, and that of the caller's result,
 * whose memory holds numbers already. */
static void elements_left_out(void **state) {
  (void)state;
  int n = 3;
  for (int step = 0; step < n; step++) {
    World w = compile(sums);
    n = (int)arrlen(plan(&w)->steps);
    KernelCall *c = &lowered(&w)->groups[group(&w, step)].calls[0];
    bool any = false;
    for (int k = 0; k < (int)arrlen(c->args); k++) {
      if (c->args[k].kind != KARG_SIZE) continue;
      c->args[k].dim = dim_int(w.prog->dims, 10);
      any = true;
    }
    assert_true(any);
    call(&w, 20, 5, "not written all of it");
  }
  assert_true(n >= 3);
}

/* A value is read before it is made: floats, and integers. */
static void wrong_order(void **state) {
  (void)state;
  const char *const texts[] = {sums, order};
  for (int i = 0; i < 2; i++) {
    World w = compile(texts[i]);
    PlanStep *s = plan(&w)->steps, first = s[0];
    assert_true(arrlen(s) >= 2);
    s[0] = s[1], s[1] = first;
    call(&w, 20, 5, "before anybody wrote it");
  }
}

/* A life that ends too early: nothing else has taken the place, so that numbers would be right. */
static void freed_early(void **state) {
  (void)state;
  const char *const texts[] = {sums, order, parts};
  for (int i = 0; i < 3; i++) {
    World w = compile(texts[i]);
    int shortened = 0;
    for (int b = 0; b < (int)arrlen(plan(&w)->bufs); b++) {
      PlanBuf *x = &plan(&w)->bufs[b];
      if (x->kind != BUF_ARENA || x->begin < 0 || x->end == x->begin || shortened++) continue;
      x->end--;
    }
    assert_true(shortened > 0);
    call(&w, i == 2 ? 900 : 20, i == 2 ? 900 : 5, "before anybody wrote it");
  }
}

/* The call that makes the partial sums of the second group is missing: what stands in the workspace is the first's. */
static void empty_workspace(void **state) {
  (void)state;
  World w = compile(parts);
  Lowered *l = lowered(&w);
  int sums_in_parts = 0;
  for (int s = 0; s < (int)arrlen(plan(&w)->steps); s++) {
    LoweredGroup *g = &l->groups[group(&w, s)];
    if (arrlen(g->calls) < 2) continue;
    if (++sums_in_parts == 2) arrdel(g->calls, 0);
  }
  assert_int_equal(sums_in_parts, 2);
  call(&w, 900, 900, "not written all of it: f32[]");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(good),        cmocka_unit_test(elements_left_out), cmocka_unit_test(wrong_order),
      cmocka_unit_test(freed_early), cmocka_unit_test(empty_workspace),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
