#include "tests/lib/plan_world.h"
#include "base/ds.h"
#include <stdio.h>
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

PlanWorld plan_world_new(uint64_t seed) {
  PlanWorld w = {.a = arena_new(), .seed = seed};
  w.prog = arena_one(w.a, Prog);
  *w.prog = (Prog){.arena = w.a, .dims = dimtab_new(w.a), .diag = diag_new(w.a), .name = "plan"};
  w.g = graph_new(w.a, w.prog->dims, w.prog->diag);
  w.entry = arena_one(w.a, Entry);
  *w.entry = (Entry){.name = "entry", .kind = DNN_STEP, .graph = w.g};
  return w;
}

PlanWorld plan_world_parse(const char *text) {
  PlanWorld w = plan_world_new(1);
  Buf why = {0};
  w.g = graph_parse(w.a, w.prog->dims, w.prog->diag, text, &why);
  if (!w.g || !graph_verify(w.g, &why)) fail_msg("%s\n%s", why.s, text);
  w.entry->graph = w.g;
  w.entry->n_results = (int)arrlen(w.g->outputs);
  for (int i = 0; i < dim_var_count(w.prog->dims); i++) {
    w.vars[i] = 3;
    arrput(w.entry->vars, i);
  }
  return w;
}

void plan_world_wrong(const char *why, const char *text) {
  fprintf(stderr, "%s\n%s", text, why);
  fail_msg("%s", why);
}

PlanValues plan_world_evaluate(PlanWorld *w) {
  int n_cells = (int)arrlen(w->prog->cells);
  PlanValues v = {arena_array(w->a, Tensor, w->g->n_inputs + 1), arena_array(w->a, Tensor, n_cells + 1),
                  arena_array(w->a, Tensor, arrlen(w->g->outputs))};
  for (int i = 0; i < w->g->n_inputs; i++) {
    v.in[i] = tensor_of_type(w->a, w->g->dims, w->g->input_types[i], w->vars);
    tensor_random(&v.in[i], w->seed + (uint64_t)i, dtype_is_float(v.in[i].dtype) ? -1 : 0, 2);
  }
  for (int i = 0; i < n_cells; i++) {
    v.cells[i] = tensor_of_type(w->a, w->g->dims, w->prog->cells[i].type, w->vars);
    tensor_random(&v.cells[i], w->seed + 100 + (uint64_t)i, -1, 1);
  }
  v.env = (EvalEnv){.vars = w->vars, .inputs = v.in, .cells = v.cells, .clock = {1, 2, 3, 4}};
  Buf why = {0};
  if (!graph_eval(w->a, w->g, &v.env, v.out, &why)) fail_msg("%s", why.s);
  return v;
}

void plan_world_run(PlanWorld *w, const Plan *p, PlanValues v, double tolerance) {
  int n_out = (int)arrlen(w->g->outputs);
  Tensor *have = arena_array(w->a, Tensor, n_out);
  Buf text = {0}, why = {0};
  graph_print(w->g, &text), plan_print(p, &text);
  PlanRun r = {.arena = w->a, .plan = p, .env = &v.env};
  if (!plan_verify(p, &why)) plan_world_wrong(why.s, text.s);
  if (!plan_run(&r, have)) plan_world_wrong(r.why.s, text.s);
  for (int i = 0; i < n_out; i++) {
    if (tensor_diff(&v.out[i], &have[i]) <= tolerance) continue;
    buf_printf(&why, "output %d: ", i);
    tensor_print(&why, &v.out[i], 8), buf_str(&why, " became "), tensor_print(&why, &have[i], 8);
    plan_world_wrong(why.s, text.s);
  }
  if (p->peak < p->bound) fail_msg("peak %d below its bound %d", (int)p->peak, (int)p->bound);
  buf_free(&text), buf_free(&why);
}

/* The same plan when some of its groups want workspace. */
static void with_workspace(PlanWorld *w, PlanValues v, double tolerance, int64_t little) {
  Plan *p = plan_build_for(w->a, w->prog, w->entry, little);
  int n = (int)arrlen(p->groups), *before = NULL;
  int64_t *bytes = arena_array(w->a, int64_t, n + 1);
  for (int i = 0; i < n; i++) bytes[i] = (uint64_t)i * 7 % 5 == w->seed % 5 ? 4096 * (1 + i % 3) : 0;
  for (int i = 0; i < arrlen(p->steps); i++) arrput(before, p->steps[i].group);
  plan_workspace(p, bytes);
  plan_world_run(w, p, v, tolerance);
  bool other = false;
  for (int i = 0; i < arrlen(before); i++) other |= p->steps[i].group != before[i];
  w->reordered += other;
  arrfree(before);
}

Plan *plan_world_check_for(PlanWorld *w, PlanValues v, double tolerance, int64_t little) {
  with_workspace(w, v, tolerance, little);
  Plan *p = plan_build_for(w->a, w->prog, w->entry, little);
  plan_world_run(w, p, v, tolerance);
  return p;
}

Plan *plan_world_check_values(PlanWorld *w, PlanValues v, double tolerance) {
  return plan_world_check_for(w, v, tolerance, 1 << 16);
}

Plan *plan_world_check(PlanWorld *w) { return plan_world_check_values(w, plan_world_evaluate(w), 0); }

int plan_kernels(const Plan *p) {
  int n = 0;
  for (int i = 0; i < arrlen(p->steps); i++) n += p->steps[i].kind == PLAN_KERNEL;
  return n;
}
