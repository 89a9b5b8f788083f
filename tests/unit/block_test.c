/* Pass `block`: attention in many spellings, losses of the last product's rows. The evaluator on the graph before the
 * pass against the evaluator after it, the plan run by the evaluator, and the loop IR's interpreter; and how many
 * blocks there are. */
#include "base/ds.h"
#include "codegen/codegen.h"
#include "frontend/frontend.h"
#include "passes/pipeline.h"
#include "tests/lib/opgen.h"
#include "tests/lib/plan_run.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

typedef struct Row {
  const char *name, *sizes, *body; /* statements that make y of q, k, v; `sizes`: their types */
  int forward, both;               /* blocks of y alone, and with its gradients */
} Row;
static const Row rows[] = {
    {"library", "q: f32[B <= 6, 3, 33, 8], k: f32[B, 3, 33, 8], v: f32[B, 3, 33, 8]", "let y = nn.attend(q, k, v)", 1,
     2},
    {"causal", "q: f32[B <= 6, 2, 37, 8], k: f32[B, 2, 37, 8], v: f32[B, 2, 37, 5]",
     "let y = nn.attend(q, k, v, mask = arange(37)[none] <= arange(37)[:, none])", 1, 2},
    {"scale after the mask, heads behind", "q: f32[B <= 6, 40, 2, 8], k: f32[B, 29, 2, 8], v: f32[B, 29, 2, 8]",
     "let s = einsum(\"b t h c, b s h c -> b t h s\", q, k)\n"
     "let seen = arange(29)[none, none] <= arange(40)[:, none, none]\n"
     "let y = einsum(\"b t h s, b s h c -> b t h c\", softmax(where(seen, s, -1e30) / 3), v)",
     1, 2},
    {"no largest", "q: f32[B <= 6, 2, 33, 8], k: f32[B, 2, 33, 8], v: f32[B, 2, 33, 8]",
     "let e = exp(einsum(\"b h t c, b h s c -> b h t s\", q, k) / 4)\n"
     "let y = einsum(\"b h t s, b h s c -> b h t c\", e, v) / sum(e, axis = -1)[..., none]",
     1, 2},
    {"squared distance", "q: f32[B <= 6, 2, 41, 4], k: f32[B, 2, 31, 4], v: f32[B, 2, 31, 6]",
     "let d = sum(q * q, axis = -1)[..., none] + sum(k * k, axis = -1)[:, :, none] - "
     "2 * einsum(\"b h t c, b h s c -> b h t s\", q, k)\n"
     "let e = exp(0 - d)\n"
     "let y = einsum(\"b h t s, b h s c -> b h t c\", e / (1 + sum(e, axis = -1))[..., none], v)",
     1, 2},
    {"one head", "q: f32[B <= 6, 65, 8], k: f32[B, 65, 8], v: f32[B, 65, 8]",
     "let y = einsum(\"b t s, b s c -> b t c\", softmax(einsum(\"b t c, b s c -> b t s\", q, k)), v)", 1, 2},
    {"bias of places, gate behind", "q: f32[B <= 6, 2, 33, 8], k: f32[B, 2, 33, 8], v: f32[B, 2, 33, 8]",
     "let far = (1 + f32(arange(2)))[:, none, none] * f32(arange(33)[none, none] - arange(33)[none, :, none])\n"
     "let s = softmax(einsum(\"b h t c, b h s c -> b h t s\", q, k) - far)\n"
     "let y = einsum(\"b h t s, b h s c -> b h t c\", s, v) * sigmoid(q)",
     1, 2},
    {"without a softmax", "q: f32[B <= 6, 2, 33, 6], k: f32[B, 2, 33, 6], v: f32[B, 2, 33, 6]",
     "let s = tanh(einsum(\"b h t c, b h s c -> b h t s\", q, k))\n"
     "let y = einsum(\"b h t s, b h s c -> b h t c\", s, v)",
     1, 2},
    {"random zeros", "q: f32[B <= 6, 2, 33, 8], k: f32[B, 2, 33, 8], v: f32[B, 2, 33, 8]",
     "let p = softmax(einsum(\"b h t c, b h s c -> b h t s\", q, k))\n"
     "let y = einsum(\"b h t s, b h s c -> b h t c\", where(random.bernoulli(0.8, shape(p)), p / 0.8, 0), v)",
     1, 2},
    {"keys shared by heads", "q: f32[B <= 6, 3, 33, 8], k: f32[B, 33, 8], v: f32[B, 3, 33, 8]",
     "let s = softmax(einsum(\"b h t c, b s c -> b h t s\", q, k))\n"
     "let y = einsum(\"b h t s, b h s c -> b h t c\", s, v)",
     1, 2},
    {"long rows", "q: f32[B <= 2, 2, 520, 2], k: f32[B, 2, 517, 2], v: f32[B, 2, 517, 3]",
     "let y = nn.attend(q, k, v, mask = arange(517)[none] <= arange(520)[:, none])", 1, 2},
    {"too small to pay", "q: f32[B <= 6, 2, 5, 4], k: f32[B, 2, 5, 4], v: f32[B, 2, 5, 4]",
     "let y = nn.attend(q, k, v)", 0, 0},
    {"weights are read outside", "q: f32[B <= 6, 2, 33, 8], k: f32[B, 2, 33, 8], v: f32[B, 2, 33, 8]",
     "let p = softmax(einsum(\"b h t c, b h s c -> b h t s\", q, k))\n"
     "let y = einsum(\"b h t s, b h s c -> b h t c\", p, v) + sum(p * p)",
     1, 2},
    {"the label's loss", "q: f32[B <= 16, 64, 8], k: f32[37, 8], v: f32[37], i: i32[B, 64]",
     "let y = -pick(log_softmax(q @ transpose(k) + v), i % 37)", 1, 0},
    {"the label's loss as a difference", "q: f32[B <= 16, 2, 41, 8], k: f32[8, 37], v: f32[37], i: u8[B, 2, 41]",
     "let s = einsum(\"b h t c, c s -> b h t s\", q, k) * 0.5 + v\n"
     "let y = log(sum(exp(s), axis = -1)) - pick(s, i32(i) % 37)",
     1, 0},
    {"loss and how often it is right", "q: f32[B <= 16, 64, 8], k: f32[37, 8], v: f32[37], i: i32[B, 64]",
     "let s = q @ transpose(k) + v\n"
     "let y = -pick(log_softmax(s), i % 37) + f32(argmax(s, axis = -1) == i % 37)",
     1, 0},
    {"some rows at a time", "q: f32[512, 8], k: f32[37, 8], v: f32[37], i: i32[512]",
     "let y = -pick(log_softmax(q @ transpose(k) - v), i % 37)", 1, 0},
    {"columns", "q: f32[8, 512], k: f32[37, 8], v: f32[37]", "let y = log(sum(exp(k @ q + v[:, none]), axis = 0))", 1,
     0},
    {"the nearest", "q: f32[B <= 16, 70, 6], k: f32[33, 6], v: f32[33]",
     "let y = min(sum(k * k, axis = -1) - 2 * einsum(\"b t c, s c -> b t s\", q, k) + v, axis = -1)", 1, 0},
    {"logits are read outside", "q: f32[B <= 16, 64, 8], k: f32[37, 8], v: f32[37], i: i32[B, 64]",
     "let s = q @ transpose(k) + v\nlet y = pick(log_softmax(s), i % 37) + sum(s * s)", 0, 0},
    {"few rows", "q: f32[B <= 64, 4, 8], k: f32[64, 8], v: f32[64], i: i32[B, 4]",
     "let y = -pick(log_softmax(q @ transpose(k) + v), i % 37)", 0, 0},
};

static Entry *load(Arena *a, const Row *r, bool gradient, Prog **prog) {
  Diag *d = diag_new(a);
  const char *end =
      gradient ? "let m = sum(y, axis = 0)\n  let l = sum(m * sin(m))\n  (grad(l, q), grad(l, k), grad(l, v), y)" : "y";
  const char *text = arena_printf(a, "use nn, random\nexport step f(%s) {\n%s\n  %s\n}\n", r->sizes, r->body, end);
  *prog = frontend_load_text(a, d, "row.dnn", text, strlen(text), NULL);
  if (!*prog) {
    diag_flush(d, stderr, 0);
    fail_msg("%s: does not compile", r->name);
  }
  for (int i = 0; i < (int)arrlen((*prog)->entries); i++)
    if (!strcmp((*prog)->entries[i].name, "f")) return &(*prog)->entries[i];
  fail_msg("%s: no entry", r->name);
  return NULL;
}

static int count_blocks(const Graph *g) {
  int n = 0;
  for (NodeId i = 1; i < (NodeId)arrlen(g->nodes); i++) n += g->nodes[i].op == OP_vmap;
  return n;
}

static void compare(const Row *r, const char *what, const Tensor *want, const Tensor *got, int n) {
  for (int i = 0; i < n; i++) {
    double scale = 1, diff = tensor_diff(&want[i], &got[i]);
    for (int64_t k = 0; k < tensor_count(&want[i]); k++) scale = fmax(scale, fabs(tensor_get(&want[i], k)));
    if (!(diff < 1e-4 * scale)) fail_msg("%s: %s: result %d differs by %g of %g", r->name, what, i, diff, scale);
  }
}

static void check_row(const Row *r, bool gradient, int batch) {
  Arena *a = arena_new();
  Prog *p, *q;
  Buf why = {0};
  Entry *plain = load(a, r, gradient, &p), *e = load(a, r, gradient, &q);
  PipelineOpts before = {.verify = true, .stop_after = "recse"}, all = {.verify = true};
  if (!pipeline_graph(p, plain, &before) || !pipeline_graph(q, e, &all)) fail_msg("%s: the passes fail", r->name);
  Graph *g = e->graph;
  int n = (int)arrlen(g->outputs), blocks = count_blocks(g);
  if (blocks != (gradient ? r->both : r->forward)) fail_msg("%s: %d blocks", r->name, blocks);
  int64_t *vars = arena_array(a, int64_t, dim_var_count(g->dims) + 1);
  for (int v = 0; v < dim_var_count(g->dims); v++) vars[v] = batch;
  EvalEnv env = {.inputs = opgen_inputs(a, g, 7, vars), .vars = vars, .clock = {0, 0, 0, 77}};
  Tensor *want = arena_array(a, Tensor, n + 1), *got = arena_array(a, Tensor, n + 1);
  if (!graph_eval(a, plain->graph, &env, want, &why)) fail_msg("%s: %s", r->name, why.s);
  if (!graph_eval(a, g, &env, got, &why)) fail_msg("%s: %s", r->name, why.s);
  compare(r, "the graph", want, got, n);
  Plan *plan = plan_build(a, q, e);
  PlanRun run = {.arena = a, .plan = plan, .env = &env};
  bool small = batch == 1 && strchr(r->sizes, 'B') && strcmp(r->name, "long rows"); /* they take their time */
  if (small && !plan_run(&run, got)) fail_msg("%s: %s", r->name, run.why.s);
  if (small) compare(r, "the plan", want, got, n);
  for (int i = 0; i < 2; i++) {
    KernelTable *t = kernels_new(a, q, target_find(i ? "x86-64-v4" : "plain"));
    Lowered *l = lower_plan(a, plan, t);
    const void **in = arena_array(a, const void *, g->n_inputs + 1);
    void **out = arena_array(a, void *, n + 1);
    for (int k = 0; k < g->n_inputs; k++) in[k] = env.inputs[k].data;
    for (int k = 0; k < n; k++) {
      got[k] = tensor_of_type(a, g->dims, graph_type(g, g->outputs[k]), vars);
      out[k] = got[k].data;
    }
    if (!lowered_interpret(l, t, vars, in, out, NULL, env.clock, 1 + 2 * i, &why)) fail_msg("%s: %s", r->name, why.s);
    compare(r, "the kernels", want, got, n);
  }
  buf_free(&why);
  arena_free(a);
}

static void test_rows(void **state) {
  (void)state;
  for (int i = 0; i < (int)(sizeof rows / sizeof *rows); i++)
    for (int gradient = 0; gradient < 2; gradient++) {
      bool is_long = !strcmp(rows[i].name, "long rows");
      check_row(&rows[i], gradient, is_long ? 2 - gradient : gradient ? i % 3 : i % 6);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
