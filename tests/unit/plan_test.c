/* fuse, schedule and memory: plans of random graphs, and of loops and branches written by hand, run on real memory by
 * tests/lib/plan_run.c and are held against the evaluator on the graph. */
#include "base/ds.h"
#include "passes/hostile.h"
#include "passes/remat.h"
#include "passes/rewrite.h"
#include "tests/lib/plan_world.h"
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

static int choose(PlanWorld *w, int n) {
  uint64_t z = (w->seed += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return (int)((z ^ (z >> 31)) % (uint64_t)n);
}

/* ---- random graphs ---- */

static Type shape(PlanWorld *w, int which) {
  Dim four = dim_int(w->g->dims, 4), dims[5][2] = {{0}, {four}, {w->N}, {w->N, four}, {four, four}};
  return type_of(w->a, F32, (const int[]){0, 1, 1, 2, 2}[which], dims[which]);
}

static NodeId any(PlanWorld *w) { return w->pool[choose(w, (int)arrlen(w->pool))]; }

/* Some value of that shape: one of the pool, or a broadcast, or a constant. */
static NodeId any_of(PlanWorld *w, Type t) {
  for (int tries = 0; tries < 8; tries++) {
    NodeId n = any(w);
    if (type_same(graph_type(w->g, n), t)) return n;
    if (graph_type(w->g, n).rank == 0) return g_broadcast_to(w->g, nowhere, n, t.rank, t.shape);
  }
  return g_full(w->g, nowhere, 0.5, t);
}

static NodeId random_map(PlanWorld *w) {
  static const Op one[] = {OP_neg, OP_tanh, OP_abs, OP_sin}, two[] = {OP_add, OP_mul, OP_maximum, OP_sub};
  NodeId a = any(w);
  if (choose(w, 2)) return g_map1(w->g, one[choose(w, 4)], nowhere, a);
  return g_map1(w->g, OP_tanh, nowhere, g_map2(w->g, two[choose(w, 4)], nowhere, a, any_of(w, graph_type(w->g, a))));
}

static NodeId random_reduce(PlanWorld *w) {
  NodeId a = any(w);
  int rank = graph_type(w->g, a).rank, axis = choose(w, 2);
  if (rank == 0) return g_map1(w->g, OP_sin, nowhere, a);
  return g_reduce(w->g, choose(w, 2) ? OP_sum : OP_reduce_max, nowhere, a, &(int){rank == 2 ? axis : 0}, 1);
}

static NodeId random_view(PlanWorld *w) {
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

static NodeId random_heavy(PlanWorld *w) {
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

static void random_roots(PlanWorld *w) {
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
static void random_grad(PlanWorld *w) {
  NodeId y = any(w), in[3] = {y, w->pool[3 + choose(w, 3)], w->pool[choose(w, 3)]};
  int rank = graph_type(w->g, y).rank;
  in[0] = g_reduce(w->g, OP_sum, nowhere, y, (const int[]){0, 1}, rank);
  NodeId t = graph_add(w->g, OP_grad, nowhere, in, 3, NULL, 0, NULL);
  for (int i = 0; i < 2; i++) arrput(w->pool, g_get(w->g, nowhere, t, i));
}

static PlanWorld random_world(uint64_t seed) {
  PlanWorld w = plan_world_new(seed);
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
  int reused = 0, inplace = 0, again = 0, reordered = 0;
  for (uint64_t seed = 1; seed <= 300; seed++) {
    PlanWorld w = random_world(seed);
    pass_expand(w.g, w.prog, w.entry);
    PlanValues v = plan_world_evaluate(&w); /* before the passes: they may change the last bits of sums, no more */
    setenv("DNN_HOSTILE", hostile[seed % 10], 1);
    if (seed % 2) assert_true(pipeline_graph(w.prog, w.entry, &(PipelineOpts){.verify = true}));
    else pass_keep(w.g, w.prog, w.entry);
    Plan *p = plan_world_check_values(&w, v, seed % 2 ? 1e-4 : 0);
    int64_t all = 0;
    for (int b = 0; b < arrlen(p->bufs); b++)
      if (p->bufs[b].kind == BUF_ARENA && p->bufs[b].begin >= 0) all += p->bufs[b].bytes;
    reused += p->peak < all;
    for (int i = 0; i < arrlen(p->groups); i++) inplace += p->groups[i].inplace;
    for (int turn = 0; turn < 4 && remat_turn(p, turn % 2 ? 1 : INT64_MAX); turn++, again++) {
      Buf why = {0};
      if (!graph_verify(w.g, &why)) plan_world_wrong(why.s, "a graph with clones");
      p = plan_world_check_values(&w, v, seed % 2 ? 1e-4 : 0);
    }
    reordered += w.reordered;
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
  PlanWorld w =
      plan_world_parse("graph (N <= 8) {\n"
                       "%1 = input() index=0 : f32[N, 4]\n%2 = input() index=1 : f32[4, 4]\n"
                       "%3 = dot(%1, %2) la=[0,1] lb=[1,2] ly=[0,2] : f32[N, 4]\n"
                       "%4 = dot(%1, %2) la=[0,1] lb=[2,1] ly=[0,2] : f32[N, 4]\n"
                       "%5 = dot(%3, %2) la=[0,1] lb=[1,2] ly=[0,2] : f32[N, 4]\n"
                       "%6 = dot(%4, %2) la=[0,1] lb=[1,2] ly=[0,2] : f32[N, 4]\n%7 = add(%5, %6) : f32[N, 4]\n"
                       "return %7\n}\n");
  Buf usual = {0}, text = {0};
  plan_print(plan_world_check(&w), &usual);
  int others = 0;
  for (int seed = 0; seed < 8; seed++) {
    setenv("DNN_HOSTILE", arena_printf(w.a, "steps=%d", seed), 1);
    text.n = 0;
    plan_print(plan_world_check(&w), &text);
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
  plan_world_check(&w);
  buf_free(&usual), buf_free(&text);
}

/* ---- what the planner promises ---- */

static void test_fusion(void **state) {
  PlanWorld w = plan_world_parse(
      "graph (N <= 8) {\n"
      "%1 = input() index=0 : f32[N, 4]\n%2 = input() index=1 : f32[4, 4]\n%3 = input() index=2 : f32[4]\n"
      "%4 = dot(%1, %2) la=[0,1] lb=[1,2] ly=[0,2] : f32[N, 4]\n"
      "%5 = broadcast(%3) axes=[1] : f32[N, 4]\n%6 = add(%4, %5) : f32[N, 4]\n"
      "%7 = full() value=0 : f32[N, 4]\n%8 = maximum(%7, %6) : f32[N, 4]\nreturn %8\n}\n");
  Plan *p = plan_world_check(&w); /* product, bias and relu are one kernel and need no arena */
  assert_int_equal(plan_kernels(p), 1);
  assert_int_equal(p->peak, 0);
}

/* A chain of products: two buffers are alive at a time. */
static void test_reuse(void **state) {
  PlanWorld w = plan_world_parse("graph {\n%1 = input() index=0 : f32[16, 16]\n"
                                 "%2 = dot(%1, %1) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\n"
                                 "%3 = dot(%2, %1) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\n"
                                 "%4 = dot(%3, %1) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\n"
                                 "%5 = dot(%4, %1) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\n"
                                 "%6 = dot(%5, %1) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\nreturn %6\n}\n");
  Plan *p = plan_world_check(&w);
  assert_int_equal(p->peak, 2 * 1024);
  assert_int_equal(p->bound, 2 * 1024);
}

/* The sum of a late value and one that an early group's maximum leads to; the early group needs the late value itself.
 */
static void test_circle(void **state) {
  PlanWorld w = plan_world_parse("graph {\n%1 = input() index=0 : f32[3]\n%2 = input() index=1 : f32[3]\n"
                                 "%4 = input() index=2 : f32[3, 3]\n%5 = dot(%1, %4) la=[0] lb=[0,1] ly=[1] : f32[3]\n"
                                 "%8 = tanh(%5) : f32[3]\n%10 = cos(%8) : f32[3]\n%11 = argmax(%10) axis=0 : i32[]\n"
                                 "%12 = gather(%8, %11) axis=0 batch=0 : f32[]\n%13 = broadcast(%12) axes=[] : f32[3]\n"
                                 "%15 = sin(%13) : f32[3]\n%16 = dot(%2, %4) la=[0] lb=[0,1] ly=[1] : f32[3]\n"
                                 "%19 = tanh(%16) : f32[3]\n%27 = slice(%19) start=[1] step=[1] : f32[2]\n"
                                 "%28 = slice(%1) start=[0] step=[1] : f32[1]\n%29 = concat(%27, %28) axis=0 : f32[3]\n"
                                 "%30 = mul(%29, %8) : f32[3]\n%31 = tanh(%30) : f32[3]\n%32 = add(%19, %15) : f32[3]\n"
                                 "return %31, %32, %10, %15\n}\n");
  plan_world_check(&w);
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
    PlanWorld w = plan_world_new(seed);
    NodeId y = regiongen_build(w.g, seed, 2, true);
    arrsetlen(w.g->outputs, 0);
    arrput(w.g->outputs, y);
    w.entry->n_results = 1;
    PlanValues v = plan_world_evaluate(&w);
    if (seed % 2) assert_true(pipeline_graph(w.prog, w.entry, &(PipelineOpts){.verify = true}));
    plan_world_check_for(&w, v, 1e-9, little[seed % 5]);
    meets += arrlen(w.g->nodes) > 0;
    arena_free(w.a);
  }
  assert_int_equal(meets, 200);
}

/* What a loop that only carries holds does not grow with its length, nor does its code. */
static Plan *carries(int length) {
  PlanWorld w = plan_world_parse(arena_printf(
      arena_new(),
      "graph {\n%%1 = input() index=0 : f32[16]\n%%2 = iota() axis=0 : f32[%d]\n%%3 = full() value=0 : f32[16]\n"
      "%%4 = scan(%%3, %%2, %%1) carried=1 rows=1 length=%d : (f32[16]) {\n"
      "  %%1 = input() index=0 : f32[16]\n  %%2 = input() index=1 : f32[]\n  %%3 = input() index=2 : f32[16]\n"
      "  %%4 = broadcast(%%2) axes=[] : f32[16]\n  %%5 = add(%%1, %%4) : f32[16]\n  %%6 = mul(%%5, %%3) : f32[16]\n"
      "  %%7 = tanh(%%6) : f32[16]\n  return %%7\n}\n"
      "%%5 = get(%%4) index=0 : f32[16]\nreturn %%5\n}\n",
      length, length));
  return plan_world_check(&w);
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
  PlanWorld w = plan_world_new(5);
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
  Plan *p = plan_world_check(&w);
  int rows = 0;
  for (int k = 0; k < arrlen(p->bufs); k++) rows += p->bufs[k].kind == BUF_CELLS;
  assert_int_equal(rows, 2);
  assert_int_equal(p->peak, 128); /* what it carries, nothing else */
}

/* Carried values stand twice: an iteration reads one and writes the other. */
static void test_scan(void **state) {
  PlanWorld w = plan_world_parse(scan_text);
  Plan *p = plan_world_check(&w);
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
  PlanWorld w = plan_world_parse(
      "graph {\n%1 = input() index=0 : f32[4]\n%2 = full() value=0 : i32[]\n"
      "%3 = while(%1, %2) carried=2 limit=-1 : (f32[4], i32[]) {\n"
      "  %1 = input() index=0 : f32[4]\n  %2 = input() index=1 : i32[]\n  %3 = full() value=5 : i32[]\n"
      "  %4 = lt(%2, %3) : bool[]\n  return %4\n} {\n"
      "  %1 = input() index=0 : f32[4]\n  %2 = input() index=1 : i32[]\n  %3 = full() value=1 : i32[]\n"
      "  %4 = add(%2, %3) : i32[]\n  %5 = add(%1, %1) : f32[4]\n  %6 = sum(%5) axes=[0] : f32[]\n"
      "  %7 = broadcast(%6) axes=[] : f32[4]\n  %8 = sub(%5, %7) : f32[4]\n  return %8, %4\n}\n"
      "%4 = get(%3) index=0 : f32[4]\n%5 = get(%3) index=1 : i32[]\nreturn %4, %5\n}\n");
  plan_world_check(&w);
}

static void test_vmap(void **state) {
  PlanWorld w = plan_world_parse("graph (N <= 5) {\n%1 = input() index=0 : f32[N, 4]\n%2 = input() index=1 : f32[4]\n"
                                 "%3 = vmap(%1, %2) rows=1 length=N : (f32[N]) {\n"
                                 "  %1 = input() index=0 : f32[4]\n  %2 = input() index=1 : f32[4]\n"
                                 "  %3 = mul(%1, %2) : f32[4]\n  %4 = sum(%3) axes=[0] : f32[]\n  return %4\n}\n"
                                 "%4 = get(%3) index=0 : f32[N]\nreturn %4\n}\n");
  plan_world_check(&w);
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
    PlanWorld w = plan_world_parse(
        arena_printf(a,
                     "graph {\n%%1 = input() index=0 : f32[16]\n%%2 = full() value=%d : bool[]\n"
                     "%%3 = cond(%%2, %%1) : (f32[])%s%s\n%%4 = get(%%3) index=0 : f32[]\nreturn %%4\n}\n",
                     taken, branch(a, then_rows), branch(a, else_rows)));
    peak = plan_world_check(&w)->peak;
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
  PlanWorld w = plan_world_parse("graph {\n%1 = input() index=0 : f32[4]\n%2 = checkpoint(%1) : (f32[4]) {\n"
                                 "  %1 = input() index=0 : f32[4]\n  %2 = exp(%1) : f32[4]\n  return %2\n}\n"
                                 "%3 = get(%2) index=0 : f32[4]\n%4 = neg(%3) : f32[4]\nreturn %4, %3\n}\n");
  plan_world_check(&w);
}

/* Old values of cells are read before new ones are stored, also when two cells trade places. */
static void test_cells_trade(void **state) {
  PlanWorld w = plan_world_new(3);
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
  plan_world_check(&w);
}

/* verify finds what is broken by hand. */
static void test_verify(void **state) {
  PlanWorld w = plan_world_parse("graph {\n%1 = input() index=0 : f32[16, 16]\n"
                                 "%2 = dot(%1, %1) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\n"
                                 "%3 = dot(%2, %2) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\n"
                                 "%4 = dot(%3, %2) la=[0,1] lb=[1,2] ly=[0,2] : f32[16, 16]\nreturn %4\n}\n");
  Plan *p = plan_world_check(&w);
  Buf why = {0};
  assert_true(plan_verify(p, &why));
  for (int b = 0; b < arrlen(p->bufs); b++) p->bufs[b].offset = 0;
  assert_false(plan_verify(p, &why));
  p = plan_world_check(&w);
  PlanStep first = p->steps[0];
  p->steps[0] = p->steps[1], p->steps[1] = first;
  assert_false(plan_verify(p, &why));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random),     cmocka_unit_test(test_hostile),        cmocka_unit_test(test_fusion),
      cmocka_unit_test(test_reuse),      cmocka_unit_test(test_scan),           cmocka_unit_test(test_while),
      cmocka_unit_test(test_vmap),       cmocka_unit_test(test_regions),        cmocka_unit_test(test_length),
      cmocka_unit_test(test_circle),     cmocka_unit_test(test_cells_in_a_row), cmocka_unit_test(test_branches),
      cmocka_unit_test(test_checkpoint), cmocka_unit_test(test_cells_trade),    cmocka_unit_test(test_verify)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
