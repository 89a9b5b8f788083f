/* fuse, schedule and memory: plans of random graphs, and of loops and branches written by hand, run on real memory by
 * tests/lib/plan_run.c and are held against the evaluator on the graph. */
#include "base/ds.h"
#include "passes/hostile.h"
#include "passes/remat.h"
#include "passes/rewrite.h"
#include "tests/lib/plan_run.h"
#include "tests/lib/regiongen.h"
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

static const Loc nowhere = {0};

typedef struct World {
  Arena *a;
  Prog *prog;
  Entry *entry;
  Graph *g;
  Dim N;
  int64_t vars[8];
  uint64_t seed;
  NodeId *pool; /* stb_ds: values so far */
} World;

static int choose(World *w, int n) {
  uint64_t z = (w->seed += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return (int)((z ^ (z >> 31)) % (uint64_t)n);
}

static World world_new(uint64_t seed) {
  World w = {.a = arena_new(), .seed = seed};
  w.prog = arena_one(w.a, Prog);
  *w.prog = (Prog){.arena = w.a, .dims = dimtab_new(w.a), .diag = diag_new(w.a), .name = "plan"};
  w.g = graph_new(w.a, w.prog->dims, w.prog->diag);
  w.entry = arena_one(w.a, Entry);
  *w.entry = (Entry){.name = "entry", .kind = DNN_STEP, .graph = w.g};
  return w;
}

static World world_parse(const char *text) {
  World w = world_new(1);
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

/* fail_msg cuts long texts. */
static void wrong(const char *why, const char *text) {
  fprintf(stderr, "%s\n%s", text, why);
  fail_msg("%s", why);
}

typedef struct Values {
  Tensor *in, *cells, *out;
  EvalEnv env;
} Values;

/* Random inputs and what the evaluator makes of them. */
static Values evaluate(World *w) {
  int n_cells = (int)arrlen(w->prog->cells);
  Values v = {arena_array(w->a, Tensor, w->g->n_inputs + 1), arena_array(w->a, Tensor, n_cells + 1),
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

/* Runs the plan on memory, and compares with what the evaluator said, to within `tolerance`. */
static void run_on(World *w, const Plan *p, Values v, double tolerance) {
  int n_out = (int)arrlen(w->g->outputs);
  Tensor *have = arena_array(w->a, Tensor, n_out);
  Buf text = {0}, why = {0};
  graph_print(w->g, &text), plan_print(p, &text);
  PlanRun r = {.arena = w->a, .plan = p, .env = &v.env};
  if (!plan_verify(p, &why)) wrong(why.s, text.s);
  if (!plan_run(&r, have)) wrong(r.why.s, text.s);
  for (int i = 0; i < n_out; i++) {
    if (tensor_diff(&v.out[i], &have[i]) <= tolerance) continue;
    buf_printf(&why, "output %d: ", i);
    tensor_print(&why, &v.out[i], 8), buf_str(&why, " became "), tensor_print(&why, &have[i], 8);
    wrong(why.s, text.s);
  }
  if (p->peak < p->bound) fail_msg("peak %d below its bound %d", (int)p->peak, (int)p->bound);
  buf_free(&text), buf_free(&why);
}

static int reordered; /* plans whose steps went into another order for workspace */

/* The same plan when some of its groups want workspace. */
static void with_workspace(World *w, Values v, double tolerance, int64_t little) {
  Plan *p = plan_build_for(w->a, w->prog, w->entry, little);
  int n = (int)arrlen(p->groups), *before = NULL;
  int64_t *bytes = arena_array(w->a, int64_t, n + 1);
  for (int i = 0; i < n; i++) bytes[i] = (uint64_t)i * 7 % 5 == w->seed % 5 ? 4096 * (1 + i % 3) : 0;
  for (int i = 0; i < arrlen(p->steps); i++) arrput(before, p->steps[i].group);
  plan_workspace(p, bytes);
  run_on(w, p, v, tolerance);
  bool other = false;
  for (int i = 0; i < arrlen(before); i++) other |= p->steps[i].group != before[i];
  reordered += other;
  arrfree(before);
}

/* Plans the graph and runs the plan. */
static Plan *check_values_for(World *w, Values v, double tolerance, int64_t little) {
  with_workspace(w, v, tolerance, little);
  Plan *p = plan_build_for(w->a, w->prog, w->entry, little);
  run_on(w, p, v, tolerance);
  return p;
}
static Plan *check_values(World *w, Values v, double tolerance) { return check_values_for(w, v, tolerance, 1 << 16); }
static Plan *check_plan(World *w) { return check_values(w, evaluate(w), 0); }

/* ---- random graphs ---- */

static Type shape(World *w, int which) {
  Dim four = dim_int(w->g->dims, 4), dims[5][2] = {{0}, {four}, {w->N}, {w->N, four}, {four, four}};
  return type_of(w->a, F32, (const int[]){0, 1, 1, 2, 2}[which], dims[which]);
}

static NodeId any(World *w) { return w->pool[choose(w, (int)arrlen(w->pool))]; }

/* Some value of that shape: one of the pool, or a broadcast, or a constant. */
static NodeId any_of(World *w, Type t) {
  for (int tries = 0; tries < 8; tries++) {
    NodeId n = any(w);
    if (type_same(graph_type(w->g, n), t)) return n;
    if (graph_type(w->g, n).rank == 0) return g_broadcast_to(w->g, nowhere, n, t.rank, t.shape);
  }
  return g_full(w->g, nowhere, 0.5, t);
}

static NodeId random_map(World *w) {
  static const Op one[] = {OP_neg, OP_tanh, OP_abs, OP_sin}, two[] = {OP_add, OP_mul, OP_maximum, OP_sub};
  NodeId a = any(w);
  if (choose(w, 2)) return g_map1(w->g, one[choose(w, 4)], nowhere, a);
  return g_map1(w->g, OP_tanh, nowhere, g_map2(w->g, two[choose(w, 4)], nowhere, a, any_of(w, graph_type(w->g, a))));
}

static NodeId random_reduce(World *w) {
  NodeId a = any(w);
  int rank = graph_type(w->g, a).rank, axis = choose(w, 2);
  if (rank == 0) return g_map1(w->g, OP_sin, nowhere, a);
  return g_reduce(w->g, choose(w, 2) ? OP_sum : OP_reduce_max, nowhere, a, &(int){rank == 2 ? axis : 0}, 1);
}

static NodeId random_view(World *w) {
  Type square = shape(w, 4), wide = shape(w, 3);
  NodeId a = any_of(w, square), b = any_of(w, wide);
  Dim zero = dim_int(w->g->dims, 0), start[2] = {zero, zero}, flat = dim_int(w->g->dims, 16);
  switch (choose(w, 4)) {
  case 0: return g_transpose(w->g, nowhere, a, (const int[]){1, 0});
  case 1:
    return g_slice(w->g, nowhere, g_concat(w->g, nowhere, (NodeId[]){a, a}, 2, 1), start, (int64_t[]){1, 2},
                   square.shape);
  case 2:
    return g_slice(w->g, nowhere, g_concat(w->g, nowhere, (NodeId[]){b, b}, 2, 0), start, (int64_t[]){1, 1},
                   wide.shape);
  default: {
    NodeId line = g_map1(w->g, OP_neg, nowhere, g_reshape(w->g, nowhere, a, 1, &flat));
    return g_reshape(w->g, nowhere, line, 2, square.shape);
  }
  }
}

static NodeId random_heavy(World *w) {
  NodeId a = any_of(w, shape(w, choose(w, 2) ? 3 : 4)), b = any_of(w, shape(w, 4));
  switch (choose(w, 4)) {
  case 0: {
    NodeId i = g_arg(w->g, OP_argmax, nowhere, b, 1);
    return g_gather(w->g, nowhere, any_of(w, shape(w, 4)), i, 0, 0);
  }
  case 1: {
    NodeId i = g_arg(w->g, OP_argmin, nowhere, b, 1);
    return g_scatter(w->g, choose(w, 2) ? OP_scatter_add : OP_scatter_set, nowhere, any_of(w, shape(w, 4)), i, b, 0, 0);
  }
  default: {
    NodeId y = g_dot(w->g, nowhere, a, b, (int[]){0, 1}, (int[]){1, 2}, (int[]){0, 2}, 2);
    return g_map1(w->g, OP_tanh, nowhere, y);
  }
  }
}

static void random_roots(World *w) {
  w->entry->n_results = 1 + choose(w, 2), w->entry->n_reports = choose(w, 2);
  for (int i = 0; i < w->entry->n_results + w->entry->n_reports; i++) arrput(w->g->outputs, any(w));
  for (int c = 0; c < (int)arrlen(w->prog->cells); c++) {
    if (choose(w, 4) == 0) continue;
    arrput(w->g->outputs, any_of(w, w->prog->cells[c].type));
    arrput(w->entry->writes, c);
  }
  for (int i = choose(w, 2); i > 0; i--) arrput(w->g->outputs, any(w)); /* a value of an effect */
}

/* Gradients of the sum of some value with respect to a cell and an input. */
static void random_grad(World *w) {
  NodeId y = any(w), in[3] = {y, w->pool[3 + choose(w, 3)], w->pool[choose(w, 3)]};
  int rank = graph_type(w->g, y).rank;
  in[0] = g_reduce(w->g, OP_sum, nowhere, y, (const int[]){0, 1}, rank);
  NodeId t = graph_add(w->g, OP_grad, nowhere, in, 3, NULL, 0, NULL);
  for (int i = 0; i < 2; i++) arrput(w->pool, g_get(w->g, nowhere, t, i));
}

static World random_world(uint64_t seed) {
  World w = world_new(seed);
  w.N = dim_var(w.prog->dims, "N", 9);
  w.vars[0] = 1 + choose(&w, 9);
  arrput(w.entry->vars, 0);
  for (int i = 0; i < 3; i++) arrput(w.pool, g_input(w.g, nowhere, shape(&w, choose(&w, 5))));
  for (int i = 0; i < 3; i++) {
    Type t = shape(&w, (const int[]){0, 1, 4}[i]);
    arrput(w.prog->cells, ((Cell){.path = "cell", .type = t, .kind = DNN_PARAM}));
    arrput(w.pool, g_cell(w.g, nowhere, i, t));
  }
  arrput(w.pool, g_uniform(w.g, nowhere, g_clock(w.g, nowhere, 3), 77, shape(&w, 3)));
  for (int i = 3 + choose(&w, 25); i > 0; i--) {
    int kind = choose(&w, 8);
    NodeId n = kind < 4 ? random_map(&w) : kind < 5 ? random_reduce(&w) : kind < 6 ? random_view(&w) : random_heavy(&w);
    arrput(w.pool, n);
  }
  random_grad(&w);
  for (int i = choose(&w, 4); i > 0; i--) {
    NodeId n = random_map(&w);
    arrput(w.pool, n);
  }
  random_roots(&w);
  return w;
}

static void test_random(void **state) {
  static const char *const hostile[10] = {"steps=9",         "text", "steps=1", "text,nodes=7", "", "steps=9", "",
                                          "nodes=2,steps=3", "",     ""};
  int reused = 0, inplace = 0, again = 0;
  for (uint64_t seed = 1; seed <= 300; seed++) {
    World w = random_world(seed);
    pass_expand(w.g, w.prog, w.entry);
    Values v = evaluate(&w); /* before the passes: they may change the last bits of sums, no more */
    setenv("DNN_HOSTILE", hostile[seed % 10], 1);
    if (seed % 2) assert_true(pipeline_graph(w.prog, w.entry, &(PipelineOpts){.verify = true}));
    else pass_keep(w.g, w.prog, w.entry);
    Plan *p = check_values(&w, v, seed % 2 ? 1e-4 : 0);
    int64_t all = 0;
    for (int b = 0; b < arrlen(p->bufs); b++)
      if (p->bufs[b].kind == BUF_ARENA && p->bufs[b].begin >= 0) all += p->bufs[b].bytes;
    reused += p->peak < all;
    for (int i = 0; i < arrlen(p->groups); i++) inplace += p->groups[i].inplace;
    for (int turn = 0; turn < 4 && remat_turn(p, turn % 2 ? 1 : INT64_MAX); turn++, again++) {
      Buf why = {0};
      if (!graph_verify(w.g, &why)) wrong(why.s, "a graph with clones");
      p = check_values(&w, v, seed % 2 ? 1e-4 : 0);
    }
    arrfree(w.pool);
    arena_free(w.a);
  }
  unsetenv("DNN_HOSTILE");
  assert_true(reused > 50); /* places are shared, and operands taken over */
  assert_true(inplace > 0);
  assert_true(reordered > 20); /* and workspace comes where less is alive */
  assert_true(again > 100);    /* values are computed again, and are what they were */
}

/* The hostile orders are others, and as good as the usual one. */
static void test_hostile(void **state) {
  World w = world_parse("graph (N <= 8) {\n"
                        "%1 = input() index=0 : f32[N, 4]\n%2 = input() index=1 : f32[4, 4]\n"
                        "%3 = dot(%1, %2) la=[0,1] lb=[1,2] ly=[0,2] : f32[N, 4]\n"
                        "%4 = dot(%1, %2) la=[0,1] lb=[2,1] ly=[0,2] : f32[N, 4]\n"
                        "%5 = dot(%3, %2) la=[0,1] lb=[1,2] ly=[0,2] : f32[N, 4]\n"
                        "%6 = dot(%4, %2) la=[0,1] lb=[1,2] ly=[0,2] : f32[N, 4]\n%7 = add(%5, %6) : f32[N, 4]\n"
                        "return %7\n}\n");
  Buf usual = {0}, text = {0};
  plan_print(check_plan(&w), &usual);
  int others = 0;
  for (int seed = 0; seed < 8; seed++) {
    setenv("DNN_HOSTILE", arena_printf(w.a, "steps=%d", seed), 1);
    text.n = 0;
    plan_print(check_plan(&w), &text);
    others += strcmp(usual.s, text.s) != 0;
  }
  assert_true(others >= 3);
  unsetenv("DNN_HOSTILE");
  usual.n = text.n = 0;
  graph_print(w.g, &usual);
  hostile_shuffle(w.g, 1);
  graph_print(w.g, &text);
  assert_string_not_equal(usual.s, text.s);
  assert_true(graph_verify(w.g, &text));
  check_plan(&w);
  buf_free(&usual), buf_free(&text);
}

/* ---- what the planner promises ---- */

static int kernels(const Plan *p) {
  int n = 0;
  for (int i = 0; i < arrlen(p->steps); i++) n += p->steps[i].kind == PLAN_KERNEL;
  return n;
}

static void test_fusion(void **state) {
  World w =
      world_parse("graph (N <= 8) {\n"
                  "%1 = input() index=0 : f32[N, 4]\n%2 = input() index=1 : f32[4, 4]\n%3 = input() index=2 : f32[4]\n"
                  "%4 = dot(%1, %2) la=[0,1] lb=[1,2] ly=[0,2] : f32[N, 4]\n"
                  "%5 = broadcast(%3) axes=[1] : f32[N, 4]\n%6 = add(%4, %5) : f32[N, 4]\n"
                  "%7 = full() value=0 : f32[N, 4]\n%8 = maximum(%7, %6) : f32[N, 4]\nreturn %8\n}\n");
  Plan *p = check_plan(&w); /* product, bias and relu are one kernel and need no arena */
  assert_int_equal(kernels(p), 1);
  assert_int_equal(p->peak, 0);
}

/* A chain of products: two buffers are alive at a time. */
static void test_reuse(void **state) {
  World w = world_parse("graph {\n%1 = input() index=0 : f32[16, 16]\n"
                        "%2 = dot(%1, %1) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\n"
                        "%3 = dot(%2, %1) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\n"
                        "%4 = dot(%3, %1) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\n"
                        "%5 = dot(%4, %1) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\n"
                        "%6 = dot(%5, %1) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\nreturn %6\n}\n");
  Plan *p = check_plan(&w);
  assert_int_equal(p->peak, 2 * 1024);
  assert_int_equal(p->bound, 2 * 1024);
}

/* The second product, which stands where a matrix is alive, wants workspace: then it runs where none is. */
static void test_workspace(void **state) {
  World w = world_parse("graph {\n%1 = input() index=0 : f32[16, 16]\n"
                        "%2 = dot(%1, %1) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\n%3 = input() index=1 : f32[16]\n"
                        "%4 = dot(%1, %3) la=[0,1] lb=[1] ly=[0] : f32[16]\n"
                        "%5 = dot(%2, %4) la=[0,1] lb=[0] ly=[1] : f32[16]\n"
                        "%6 = dot(%1, %1) la=[0,1] lb=[2,1] ly=[0,2] : f32[16, 16]\n"
                        "%7 = dot(%6, %6) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\n"
                        "%8 = dot(%7, %5) la=[0,1] lb=[1] ly=[0] : f32[16]\nreturn %8\n}\n");
  Values v = evaluate(&w);
  Plan *p = check_values(&w, v, 0);
  int64_t bytes[8] = {0};
  assert_int_equal(p->peak, 2048 + 64); /* so that the order before it does not count */
  for (int i = 0; i < arrlen(p->groups); i++) bytes[i] = p->groups[i].outs[0].node == 4 ? 4096 : 0;
  assert_int_equal(p->groups[p->steps[1].group].outs[0].node, 4);
  plan_workspace(p, bytes);
  assert_int_equal(p->peak, 4096 + 64);
  run_on(&w, p, v, 0);
}

/* Two products end to end are made in their places, and what reads both waits for both, in whatever order. */
static void test_parts(void **state) {
  World w = world_parse("graph {\n%1 = input() index=0 : f32[16, 16]\n"
                        "%2 = dot(%1, %1) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\n"
                        "%3 = dot(%1, %1) la=[0,1] lb=[2,1] ly=[0,2] : f32[16, 16]\n"
                        "%4 = concat(%2, %3, %1) axis=1 : f32[16, 48]\n"
                        "%5 = dot(%4, %4) la=[0,1] lb=[2,1] ly=[0,2] : f32[16, 16]\nreturn %5\n}\n");
  Plan *p = check_plan(&w);
  assert_int_equal(p->n_parts, 3);
  assert_int_equal(kernels(p), 4);
  assert_int_equal(p->peak, 3 * 1024);
  for (int seed = 1; seed <= 12; seed++) {
    setenv("DNN_HOSTILE", arena_printf(w.a, "steps=%d", seed), 1);
    p = check_plan(&w);
    assert_int_equal(p->groups[arrlast(p->steps).group].outs[0].node, 5);
  }
  unsetenv("DNN_HOSTILE");
}

/* The product's kernel reads the whole of another one through a slice, element by element, and takes its place. */
static void test_slice_in_place(void **state) {
  World w = world_parse("graph {\n%1 = input() index=0 : f32[16, 16]\n"
                        "%2 = dot(%1, %1) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\n"
                        "%3 = dot(%2, %1) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\n"
                        "%4 = slice(%2) start=[0,0] step=[1,1] : f32[16, 16]\n"
                        "%5 = dot(%3, %3) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\n%6 = mul(%5, %4) : f32[16, 16]\n"
                        "%7 = dot(%6, %1) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\nreturn %7\n}\n");
  assert_int_equal(check_plan(&w)->peak, 2 * 1024);
}

/* A small product of large operands does not wait for what is made of them much later to be added. */
static void test_apart(void **state) {
  World w = world_parse("graph {\n%1 = input() index=0 : f32[2048, 40]\n%2 = input() index=1 : f32[16, 40]\n"
                        "%3 = dot(%1, %2) la=[0,1] lb=[2,1] ly=[0,2] : f32[2048, 16]\n%4 = tanh(%3) : f32[2048, 16]\n"
                        "%5 = dot(%4, %1) la=[0,1] lb=[0,2] ly=[1,2] : f32[16, 40]\n"
                        "%6 = dot(%4, %2) la=[0,1] lb=[1,2] ly=[0,2] : f32[2048, 40]\n"
                        "%7 = sum(%6) axes=[0] : f32[40]\n%8 = broadcast(%7) axes=[1] : f32[16, 40]\n"
                        "%9 = add(%5, %8) : f32[16, 40]\n%10 = sin(%9) : f32[16, 40]\nreturn %10\n}\n");
  Plan *p = check_values(&w, evaluate(&w), 1e-3);
  bool apart = false;
  for (int i = 0; i < arrlen(p->groups); i++) apart |= p->groups[i].outs[0].node == 5;
  assert_true(apart);
}

/* One that others read, or that is a result itself, is copied. */
static void test_parts_not(void **state) {
  World w = world_parse("graph {\n%1 = input() index=0 : f32[16, 16]\n"
                        "%2 = dot(%1, %1) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\n"
                        "%3 = dot(%1, %1) la=[0,1] lb=[2,1] ly=[0,2] : f32[16, 16]\n"
                        "%4 = concat(%2, %3) axis=1 : f32[16, 32]\n"
                        "%5 = dot(%4, %4) la=[0,1] lb=[2,1] ly=[0,2] : f32[16, 16]\n"
                        "%6 = dot(%2, %5) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\nreturn %6, %3\n}\n");
  assert_int_equal(check_plan(&w)->n_parts, 0);
}

/* softmax of a product: the exponentials take the place of the product. */
static void test_in_place(void **state) {
  World w = world_parse("graph {\n%1 = input() index=0 : f32[16, 16]\n"
                        "%2 = dot(%1, %1) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\n"
                        "%3 = reduce_max(%2) axes=[1] : f32[16]\n%4 = broadcast(%3) axes=[0] : f32[16, 16]\n"
                        "%5 = sub(%2, %4) : f32[16, 16]\n%6 = exp(%5) : f32[16, 16]\n%7 = sum(%6) axes=[1] : f32[16]\n"
                        "%8 = broadcast(%7) axes=[0] : f32[16, 16]\n%9 = div(%6, %8) : f32[16, 16]\n"
                        "%10 = dot(%9, %1) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\nreturn %10\n}\n");
  Plan *p = check_plan(&w);
  assert_true(p->peak <= 1024 + 3 * 64);
}

/* A result of each row may not replace what every row reads. */
static void test_rows_in_place(void **state) {
  World w = world_parse("graph {\n%1 = input() index=0 : f32[16, 16]\n%2 = input() index=1 : f32[16]\n"
                        "%3 = dot(%1, %2) la=[0,1] lb=[1] ly=[0] : f32[16]\n"
                        "%4 = broadcast(%3) axes=[1] : f32[16, 16]\n%5 = mul(%1, %4) : f32[16, 16]\n"
                        "%6 = sum(%5) axes=[1] : f32[16]\n"
                        "%7 = dot(%1, %6) la=[0,1] lb=[1] ly=[0] : f32[16]\nreturn %7\n}\n");
  Plan *p = check_plan(&w);
  assert_true(arrlen(p->groups) == 3);
}

/* The sum of a late value and one that an early group's maximum leads to; the early group needs the late value itself.
 */
static void test_circle(void **state) {
  World w = world_parse("graph {\n%1 = input() index=0 : f32[3]\n%2 = input() index=1 : f32[3]\n"
                        "%4 = input() index=2 : f32[3, 3]\n%5 = dot(%1, %4) la=[0] lb=[0,1] ly=[1] : f32[3]\n"
                        "%8 = tanh(%5) : f32[3]\n%10 = cos(%8) : f32[3]\n%11 = argmax(%10) axis=0 : i32[]\n"
                        "%12 = gather(%8, %11) axis=0 batch=0 : f32[]\n%13 = broadcast(%12) axes=[] : f32[3]\n"
                        "%15 = sin(%13) : f32[3]\n%16 = dot(%2, %4) la=[0] lb=[0,1] ly=[1] : f32[3]\n"
                        "%19 = tanh(%16) : f32[3]\n%27 = slice(%19) start=[1] step=[1] : f32[2]\n"
                        "%28 = slice(%1) start=[0] step=[1] : f32[1]\n%29 = concat(%27, %28) axis=0 : f32[3]\n"
                        "%30 = mul(%29, %8) : f32[3]\n%31 = tanh(%30) : f32[3]\n%32 = add(%19, %15) : f32[3]\n"
                        "return %31, %32, %10, %15\n}\n");
  check_plan(&w);
}

static const char *const scan_text =
    "graph (N <= 5) {\n%1 = input() index=0 : f32[4]\n%2 = input() index=1 : f32[N, 4]\n%3 = input() index=2 : f32[4]\n"
    "%4 = scan(%1, %2, %3) carried=1 rows=1 length=N : (f32[4], f32[N, 4]) {\n"
    "  %1 = input() index=0 : f32[4]\n  %2 = input() index=1 : f32[4]\n  %3 = input() index=2 : f32[4]\n"
    "  %4 = mul(%1, %3) : f32[4]\n  %5 = add(%4, %2) : f32[4]\n  %6 = sum(%1) axes=[0] : f32[]\n"
    "  %7 = broadcast(%6) axes=[] : f32[4]\n  %8 = add(%5, %7) : f32[4]\n  return %8, %5\n}\n"
    "%5 = get(%4) index=0 : f32[4]\n%6 = get(%4) index=1 : f32[N, 4]\nreturn %5, %6\n}\n";

/* Loops and branches in each other, with kernels that thread 0 does alone, that threads share, and both: barriers,
 * lives and places hold at every step of the run. */
static void test_regions(void **state) {
  static const int64_t little[] = {1 << 16, 0, 4, 12, 30};
  int meets = 0;
  for (uint64_t seed = 1; seed <= 200; seed++) {
    World w = world_new(seed);
    NodeId y = regiongen_build(w.g, seed, 2, true);
    arrsetlen(w.g->outputs, 0);
    arrput(w.g->outputs, y);
    w.entry->n_results = 1;
    Values v = evaluate(&w);
    if (seed % 2) assert_true(pipeline_graph(w.prog, w.entry, &(PipelineOpts){.verify = true}));
    check_values_for(&w, v, 1e-9, little[seed % 5]);
    meets += arrlen(w.g->nodes) > 0;
    arena_free(w.a);
  }
  assert_int_equal(meets, 200);
}

/* What a loop that only carries holds does not grow with its length, nor does its code. */
static Plan *carries(int length) {
  World w = world_parse(arena_printf(
      arena_new(),
      "graph {\n%%1 = input() index=0 : f32[16]\n%%2 = iota() axis=0 : f32[%d]\n%%3 = full() value=0 : f32[16]\n"
      "%%4 = scan(%%3, %%2, %%1) carried=1 rows=1 length=%d : (f32[16]) {\n"
      "  %%1 = input() index=0 : f32[16]\n  %%2 = input() index=1 : f32[]\n  %%3 = input() index=2 : f32[16]\n"
      "  %%4 = broadcast(%%2) axes=[] : f32[16]\n  %%5 = add(%%1, %%4) : f32[16]\n  %%6 = mul(%%5, %%3) : f32[16]\n"
      "  %%7 = tanh(%%6) : f32[16]\n  return %%7\n}\n"
      "%%5 = get(%%4) index=0 : f32[16]\nreturn %%5\n}\n",
      length, length));
  return check_plan(&w);
}
static void test_length(void **state) {
  Plan *few = carries(10), *many = carries(10000);
  assert_int_equal(few->peak, many->peak);
  assert_int_equal(few->peak, 128); /* the pair; the first value is made in its place */
  assert_int_equal(arrlen(few->groups), arrlen(many->groups));
}

/* Layers of a list, w and b in turns: a scan through their stacks reads the cells, and their new values are stored when
 * it is done. */
static void test_cells_in_a_row(void **state) {
  enum { LAYERS = 3 };
  World w = world_new(5);
  Dim four = dim_int(w.prog->dims, 4), size[3] = {dim_int(w.prog->dims, LAYERS), four, four};
  Type matrix = type_of(w.a, F32, 2, size + 1), vector = type_of(w.a, F32, 1, &four);
  NodeId h = g_input(w.g, nowhere, vector), stack[2][LAYERS], in[3] = {h}, cell[2 * LAYERS];
  for (int i = 0; i < 2 * LAYERS; i++) {
    Type t = i % 2 ? vector : matrix;
    Dim one[3] = {dim_int(w.prog->dims, 1), four, four};
    arrput(w.prog->cells, ((Cell){.path = arena_printf(w.a, "net[%d].%c", i / 2, "wb"[i % 2]), .type = t}));
    cell[i] = g_cell(w.g, nowhere, i, t);
    stack[i % 2][i / 2] = g_reshape(w.g, nowhere, cell[i], t.rank + 1, one);
  }
  for (int k = 0; k < 2; k++) in[1 + k] = g_concat(w.g, nowhere, stack[k], LAYERS, 0);
  Graph *body = graph_new(w.a, w.prog->dims, w.prog->diag);
  NodeId x = g_input(body, nowhere, vector), m = g_input(body, nowhere, matrix), b = g_input(body, nowhere, vector);
  NodeId y = g_dot(body, nowhere, x, m, (int[]){0}, (int[]){0, 1}, (int[]){1}, 1);
  arrput(body->outputs, g_map1(body, OP_tanh, nowhere, g_map2(body, OP_add, nowhere, y, b)));
  Attr attrs[] = {attr_int(w.g, A_carried, 1), attr_int(w.g, A_rows, 2), attr_int(w.g, A_length, LAYERS)};
  NodeId scan = graph_add_region(w.g, OP_scan, nowhere, in, 3, attrs, 3, &body, 1);
  NodeId last = g_get(w.g, nowhere, scan, 0);
  arrput(w.g->outputs, last);
  w.entry->n_results = 1;
  for (int i = 1; i < 2 * LAYERS; i += 2) {
    arrput(w.g->outputs, g_map2(w.g, OP_sub, nowhere, cell[i], i == 3 ? h : last));
    arrput(w.entry->writes, i);
  }
  Plan *p = check_plan(&w);
  int rows = 0;
  for (int k = 0; k < arrlen(p->bufs); k++) rows += p->bufs[k].kind == BUF_CELLS;
  assert_int_equal(rows, 2);
  assert_int_equal(p->peak, 128); /* what it carries, nothing else */
}

/* Carried values stand twice: an iteration reads one and writes the other. */
static void test_scan(void **state) {
  World w = world_parse(scan_text);
  Plan *p = check_plan(&w);
  int pairs = 0, loops = 0;
  for (int i = 0; i < arrlen(p->steps); i++) loops += p->steps[i].kind == PLAN_LOOP;
  for (int b = 0; b < arrlen(p->bufs); b++) {
    int t = p->bufs[b].twin;
    if (t < b) continue;
    pairs++;
    assert_int_equal(p->bufs[t].twin, b);
    assert_int_not_equal(p->bufs[b].offset, p->bufs[t].offset);
  }
  assert_int_equal(loops, 1);
  assert_int_equal(pairs, 1);
}

static void test_while(void **state) {
  World w =
      world_parse("graph {\n%1 = input() index=0 : f32[4]\n%2 = full() value=0 : i32[]\n"
                  "%3 = while(%1, %2) carried=2 limit=-1 : (f32[4], i32[]) {\n"
                  "  %1 = input() index=0 : f32[4]\n  %2 = input() index=1 : i32[]\n  %3 = full() value=5 : i32[]\n"
                  "  %4 = lt(%2, %3) : bool[]\n  return %4\n} {\n"
                  "  %1 = input() index=0 : f32[4]\n  %2 = input() index=1 : i32[]\n  %3 = full() value=1 : i32[]\n"
                  "  %4 = add(%2, %3) : i32[]\n  %5 = add(%1, %1) : f32[4]\n  %6 = sum(%5) axes=[0] : f32[]\n"
                  "  %7 = broadcast(%6) axes=[] : f32[4]\n  %8 = sub(%5, %7) : f32[4]\n  return %8, %4\n}\n"
                  "%4 = get(%3) index=0 : f32[4]\n%5 = get(%3) index=1 : i32[]\nreturn %4, %5\n}\n");
  check_plan(&w);
}

static void test_vmap(void **state) {
  World w = world_parse("graph (N <= 5) {\n%1 = input() index=0 : f32[N, 4]\n%2 = input() index=1 : f32[4]\n"
                        "%3 = vmap(%1, %2) rows=1 length=N : (f32[N]) {\n"
                        "  %1 = input() index=0 : f32[4]\n  %2 = input() index=1 : f32[4]\n"
                        "  %3 = mul(%1, %2) : f32[4]\n  %4 = sum(%3) axes=[0] : f32[]\n  return %4\n}\n"
                        "%4 = get(%3) index=0 : f32[N]\nreturn %4\n}\n");
  check_plan(&w);
}

/* A branch whose body holds a buffer of `rows` x 16 numbers. */
static char *branch(Arena *a, int rows) {
  return arena_printf(
      a,
      " {\n  %%1 = input() index=0 : f32[16]\n  %%2 = broadcast(%%1) axes=[1] : f32[%d, 16]\n"
      "  %%3 = dot(%%2, %%1) la=[0,1] lb=[1] ly=[0] : f32[%d]\n  %%4 = broadcast(%%3) axes=[0] : f32[%d, 16]\n"
      "  %%5 = dot(%%4, %%1) la=[0,1] lb=[1] ly=[0] : f32[%d]\n  %%6 = sum(%%5) axes=[0] : f32[]\n"
      "  return %%6\n}",
      rows, rows, rows, rows);
}
static int64_t cond_peak(int then_rows, int else_rows) {
  Arena *a = arena_new();
  int64_t peak = 0;
  for (int taken = 0; taken < 2; taken++) {
    World w =
        world_parse(arena_printf(a,
                                 "graph {\n%%1 = input() index=0 : f32[16]\n%%2 = full() value=%d : bool[]\n"
                                 "%%3 = cond(%%2, %%1) : (f32[])%s%s\n%%4 = get(%%3) index=0 : f32[]\nreturn %%4\n}\n",
                                 taken, branch(a, then_rows), branch(a, else_rows)));
    peak = check_plan(&w)->peak;
  }
  return peak;
}

/* Branches share memory: the arena holds the larger one. */
static void test_branches(void **state) {
  int64_t large = cond_peak(64, 64), small = cond_peak(2, 2), other = cond_peak(2, 64);
  assert_true(large > small);
  assert_int_equal(cond_peak(64, 2), large);
  assert_true(other > small && other <= large);
}

static void test_checkpoint(void **state) {
  World w = world_parse("graph {\n%1 = input() index=0 : f32[4]\n%2 = checkpoint(%1) : (f32[4]) {\n"
                        "  %1 = input() index=0 : f32[4]\n  %2 = exp(%1) : f32[4]\n  return %2\n}\n"
                        "%3 = get(%2) index=0 : f32[4]\n%4 = neg(%3) : f32[4]\nreturn %4, %3\n}\n");
  check_plan(&w);
}

/* Old values of cells are read before new ones are stored, also when two cells trade places. */
static void test_cells_trade(void **state) {
  World w = world_new(3);
  NodeId c[2];
  for (int i = 0; i < 2; i++) {
    Dim n = dim_int(w.prog->dims, 4);
    Type t = type_of(w.a, F32, 1, &n);
    arrput(w.prog->cells, ((Cell){.path = "cell", .type = t, .kind = DNN_STATE}));
    c[i] = g_cell(w.g, nowhere, i, t);
  }
  w.entry->n_reports = 1;
  arrput(w.g->outputs, c[0]);
  for (int i = 0; i < 2; i++) {
    arrput(w.g->outputs, c[1 - i]);
    arrput(w.entry->writes, i);
  }
  check_plan(&w);
}

/* verify finds what is broken by hand. */
static void test_verify(void **state) {
  World w = world_parse("graph {\n%1 = input() index=0 : f32[16, 16]\n"
                        "%2 = dot(%1, %1) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\n"
                        "%3 = dot(%2, %2) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\n"
                        "%4 = dot(%3, %2) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\nreturn %4\n}\n");
  Plan *p = check_plan(&w);
  Buf why = {0};
  assert_true(plan_verify(p, &why));
  for (int b = 0; b < arrlen(p->bufs); b++) p->bufs[b].offset = 0;
  assert_false(plan_verify(p, &why));
  p = check_plan(&w);
  PlanStep first = p->steps[0];
  p->steps[0] = p->steps[1], p->steps[1] = first;
  assert_false(plan_verify(p, &why));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_random),         cmocka_unit_test(test_hostile),
                                     cmocka_unit_test(test_fusion),         cmocka_unit_test(test_reuse),
                                     cmocka_unit_test(test_workspace),      cmocka_unit_test(test_apart),
                                     cmocka_unit_test(test_slice_in_place), cmocka_unit_test(test_parts),
                                     cmocka_unit_test(test_parts_not),      cmocka_unit_test(test_in_place),
                                     cmocka_unit_test(test_rows_in_place),  cmocka_unit_test(test_scan),
                                     cmocka_unit_test(test_while),          cmocka_unit_test(test_vmap),
                                     cmocka_unit_test(test_regions),        cmocka_unit_test(test_length),
                                     cmocka_unit_test(test_circle),         cmocka_unit_test(test_cells_in_a_row),
                                     cmocka_unit_test(test_branches),       cmocka_unit_test(test_checkpoint),
                                     cmocka_unit_test(test_cells_trade),    cmocka_unit_test(test_verify)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
