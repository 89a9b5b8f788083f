/* For every op of the table and random shapes: evaluator == interpreted loop IR == compiled C, for several numbers of
 * threads with equal bits. All cases of a target are one C file, compiled once. */
#include "base/ds.h"
#include "codegen/codegen.h"
#include "passes/pipeline.h"
#include "runtime/core/kernel.h"
#include "tests/lib/opgen.h"
#include <dlfcn.h>
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

typedef struct Case {
  Arena *a;
  Graph *g;
  Op op;
  DType dt;
  uint64_t seed;
  int product; /* 0: a case of the generator; else a row of `products` */
  int id;
  Prog prog;
  Entry entry;
  Plan *plan;
  Lowered *low;
  KernelTable *table;
  int64_t *vars;
  Tensor *in, want;
} Case;

static const int64_t clock_values[4] = {3, 10, 1, 42};
typedef void Glue(int call, unsigned char **bufs, unsigned char *temp, const int64_t *v, DnnTeam *team);

/* Products around the sizes of tiles and blocks, with several blocks of K, pieces of K, and an epilogue. */
static const int64_t products[][6] = {
    {0}, /* op, then dot: batch, M, N, K, operands transposed; convolutions: N, C, O, size, stride + 10 groups */
    {OP_dot, 1, 17, 49, 300, 0},
    {OP_dot, 1, 14, 32, 256, 1},
    {OP_dot, 1, 15, 97, 257, 2},
    {OP_dot, 1, 270, 33, 513, 3},
    {OP_dot, 1, 3, 1000, 7, 0},
    {OP_dot, 1, 8, 8, 5000, 1},
    {OP_dot, 1, 64, 10, 2100, 2},
    {OP_dot, 3, 20, 40, 33, 3},
    {OP_dot, 1, 1, 300, 70, 0},
    {OP_dot, 5, 300, 3, 65, 0},
    {OP_dot, 1, 9, 400, 1, 0},
    {OP_dot, 2, 8, 390, 1100, 1},
    {OP_conv, 3, 3, 16, 13, 1},
    {OP_conv, 2, 8, 7, 15, 2},
    {OP_conv, 2, 8, 16, 9, 21},
    {OP_conv, 5, 1, 32, 28, 1},
    {OP_conv_dx, 3, 3, 16, 13, 1},
    {OP_conv_dx, 2, 8, 7, 15, 2},
    {OP_conv_dx, 2, 8, 16, 9, 22},
    {OP_conv_dx, 1, 32, 8, 14, 1},
    {OP_conv_dw, 3, 3, 16, 13, 1},
    {OP_conv_dw, 2, 8, 7, 15, 2},
    {OP_conv_dw, 2, 8, 16, 9, 21},
    {OP_conv_dw, 6, 2, 8, 28, 1},
};

static Type shape4(Case *c, DType t, int64_t a, int64_t b, int64_t h, int64_t w) {
  Dim d[4] = {dim_int(c->g->dims, a), dim_int(c->g->dims, b), dim_int(c->g->dims, h), dim_int(c->g->dims, w)};
  return type_of(c->a, t, 4, d);
}
static NodeId make_dot(Case *c, const int64_t *r) {
  Dim b = dim_int(c->g->dims, r[1]), m = dim_int(c->g->dims, r[2]), n = dim_int(c->g->dims, r[3]),
      k = dim_int(c->g->dims, r[4]);
  bool ta = r[5] & 1, tb = r[5] & 2;
  if (r[1] == 1) m = dim_var(c->g->dims, "M", r[2]); /* rows are a run-time size */
  Dim da[3] = {b, ta ? k : m, ta ? m : k}, db[3] = {b, tb ? n : k, tb ? k : n}, dy[3] = {b, m, n};
  int la[3] = {0, ta ? 3 : 1, ta ? 1 : 3}, lb[3] = {0, tb ? 2 : 3, tb ? 3 : 2}, ly[3] = {0, 1, 2};
  NodeId x = g_input(c->g, (Loc){0}, type_of(c->a, c->dt, 3, da)),
         w = g_input(c->g, (Loc){0}, type_of(c->a, c->dt, 3, db));
  NodeId bias = g_input(c->g, (Loc){0}, type_of(c->a, c->dt, 1, &n));
  NodeId y = g_dot(c->g, (Loc){0}, x, w, la, lb, ly, 3);
  y = g_map2(c->g, OP_add, (Loc){0}, y, g_broadcast_to(c->g, (Loc){0}, bias, 3, dy));
  return g_map2(c->g, OP_maximum, (Loc){0}, y, g_full_like(c->g, (Loc){0}, 0, y));
}
static NodeId make_conv(Case *c, const int64_t *r) {
  int64_t stride[2] = {r[5] % 10, r[5] % 10}, groups = r[5] / 10 ? r[5] / 10 : 1, low[2] = {2, 1}, high[2] = {1, 2};
  int64_t dilation[2] = {1, groups > 1 ? 2 : 1}, out[2];
  for (int i = 0; i < 2; i++) out[i] = (r[4] + 3 - (2 + i) * dilation[i] - 1) / stride[i] + 1;
  Type x = shape4(c, c->dt, r[1], r[2], r[4], r[4]), w = shape4(c, c->dt, r[3], r[2] / groups, 3, 4);
  Type y = shape4(c, c->dt, r[1], r[3], out[0], out[1]);
  Type a = c->op == OP_conv_dx ? y : x, b = c->op == OP_conv_dw ? y : w;
  Type want = c->op == OP_conv_dx ? x : w;
  Attr attrs[] = {attr_ints(c->g, A_stride, stride, 2), attr_ints(c->g, A_low, low, 2),
                  attr_ints(c->g, A_high, high, 2), attr_ints(c->g, A_dilation, dilation, 2),
                  attr_int(c->g, A_groups, groups)};
  NodeId in[2] = {g_input(c->g, (Loc){0}, a), g_input(c->g, (Loc){0}, b)};
  return graph_add(c->g, c->op, (Loc){0}, in, 2, attrs, 5, c->op == OP_conv ? NULL : &want);
}

static bool make_case(Case *c, const Target *target) {
  c->a = arena_new();
  DimTab *dims = dimtab_new(c->a);
  c->g = graph_new(c->a, dims, diag_new(c->a));
  NodeId y;
  if (c->product) {
    y = c->op == OP_dot ? make_dot(c, products[c->product]) : make_conv(c, products[c->product]);
    arrput(c->g->outputs, y);
  } else if (!opgen_case(c->a, c->g, c->op, c->dt, c->seed, &y)) {
    arena_free(c->a);
    return false;
  }
  c->vars = opgen_vars(c->a, c->g, c->seed);
  c->in = opgen_inputs(c->a, c->g, c->seed, c->vars);
  c->want = *opgen_eval(c->a, c->g, c->vars, c->in);
  c->prog = (Prog){.arena = c->a, .dims = dims, .diag = c->g->diag, .name = arena_printf(c->a, "c%d", c->id)};
  c->entry = (Entry){.name = "f", .kind = DNN_EXPORT, .graph = c->g, .n_results = 1};
  for (int i = 0; i < c->g->n_inputs; i++) arrput(c->entry.inputs, ((Port){.name = "x", .type = c->g->input_types[i]}));
  arrput(c->entry.outputs, ((Port){.name = "y", .type = graph_type(c->g, y)}));
  for (int v = 0; v < dim_var_count(dims); v++) {
    if (dim_var_bound(dims, v) < 0) dim_set_bound(dims, v, 64);
    arrput(c->entry.vars, v);
  }
  c->plan = plan_build(c->a, &c->prog, &c->entry);
  c->table = kernels_new(c->a, &c->prog, target);
  c->low = lower_plan(c->a, c->plan, c->table);
  return true;
}

/* The kernels, and a function that makes the calls of the case one by one. */
static void print_case(const Case *c, Buf *b) {
  for (int i = 0; i < kernels_count(c->table); i++) kernel_print_c(kernels_get(c->table, i), b);
  buf_printf(b, "void case_%d(int call, unsigned char **p, unsigned char *temp, const int64_t *v, DnnTeam *team);\n",
             c->id);
  buf_printf(b, "void case_%d(int call, unsigned char **p, unsigned char *temp, const int64_t *v, DnnTeam *team) {\n",
             c->id);
  buf_str(b, "  (void)p, (void)temp, (void)v;\n");
  int n = 0, at = 0;
  for (int s = 0; s < arrlen(c->plan->steps); s++) {
    LoweredGroup *g = &c->low->groups[c->plan->steps[s].group];
    for (int k = 0; k < arrlen(g->calls); k++) {
      buf_printf(b, "  if (call == %d) %s(", n++, kernel_name(kernels_get(c->table, g->calls[k].kernel)));
      for (int i = 0; i < arrlen(g->calls[k].args); i++) {
        KArg *a = &g->calls[k].args[i];
        if (a->kind == KARG_BUF) buf_printf(b, "(void *)p[%d], ", a->buf);
        else if (a->kind == KARG_TEMP) buf_printf(b, "(void *)(temp + %lld), ", (long long)a->offset);
        else buf_printf(b, "v[%d], ", at++);
      }
      buf_str(b, "team);\n");
    }
  }
  buf_str(b, "}\n");
}

static unsigned char **place_bufs(const Case *c, Tensor *out, unsigned char **arena) {
  int64_t bytes = 64;
  int n = (int)arrlen(c->plan->bufs);
  unsigned char **p = calloc((size_t)n + 1, sizeof *p);
  for (int i = 0; i < n; i++)
    if (c->plan->bufs[i].kind == BUF_ARENA && c->plan->bufs[i].offset + c->plan->bufs[i].bytes > bytes)
      bytes = c->plan->bufs[i].offset + c->plan->bufs[i].bytes;
  *arena = aligned_alloc(64, (size_t)(bytes + 127) / 64 * 64);
  for (int i = 0; i < n; i++) {
    const PlanBuf *x = &c->plan->bufs[i];
    p[i] = x->kind == BUF_INPUT ? c->in[x->index].data : x->kind == BUF_OUTPUT ? out->data : *arena + x->offset;
  }
  return p;
}

static void run_compiled(const Case *c, Glue *glue, int threads, Tensor *out) {
  unsigned char *arena, **p = place_bufs(c, out, &arena);
  unsigned char *temp = aligned_alloc(64, (size_t)(c->low->temp_bytes + 127) / 64 * 64);
  unsigned char *scratch = aligned_alloc(64, (size_t)(c->low->scratch_bytes + 127) / 64 * 64);
  memset(temp, 0xff, (size_t)c->low->temp_bytes);
  int64_t *v = NULL;
  int calls = 0;
  for (int s = 0; s < arrlen(c->plan->steps); s++) {
    LoweredGroup *g = &c->low->groups[c->plan->steps[s].group];
    for (int k = 0; k < arrlen(g->calls); k++, calls++)
      for (int i = 0; i < arrlen(g->calls[k].args); i++) {
        KArg *a = &g->calls[k].args[i];
        if (a->kind == KARG_SIZE) arrput(v, dim_eval(c->g->dims, a->dim, c->vars));
        if (a->kind == KARG_CLOCK) arrput(v, clock_values[a->buf]);
        if (a->kind == KARG_INT) arrput(v, a->offset);
      }
  }
  for (int k = 0; k < calls; k++)
    for (int t = 0; t < threads; t++) {
      memset(scratch, 0xff, (size_t)c->low->scratch_bytes);
      DnnTeam team = {.tid = t, .n = threads, .scratch = scratch};
      glue(k, p, temp, v, &team);
      if (team.error_site) fail_msg("%s: error at run time", op_info[c->op].name);
    }
  arrfree(v);
  free(p);
  free(arena);
  free(temp);
  free(scratch);
}

/* How far a result may be from the evaluator's, relative to the largest number around: sums are in another order. */
static double tolerance(const Case *c) {
  OpClass k = op_info[c->op].cls;
  bool sums = k == CONTRACT || k == REDUCE || k == SCATTER;
  switch (c->want.dtype) {
  case F64: return sums ? 1e-12 : 1e-14;
  case F32: return sums ? 2e-5 : 2e-6;
  case F16: return 3e-3;
  case BF16: return 2e-2;
  default: return 0;
  }
}
static void compare(const Case *c, const Tensor *got, const char *how) {
  double scale = 1, tol = tolerance(c);
  bool sums = op_info[c->op].cls == CONTRACT || op_info[c->op].cls == REDUCE;
  for (int64_t i = 0; i < tensor_count(&c->want) && sums; i++)
    if (isfinite(tensor_get(&c->want, i))) scale = fmax(scale, fabs(tensor_get(&c->want, i)));
  for (int64_t i = 0; i < tensor_count(&c->want); i++) {
    double x = tensor_get(&c->want, i), y = tensor_get(got, i);
    double s = sums ? scale : fmax(1, fabs(x));
    if (x == y || (x != x && y != y) || fabs(x - y) <= tol * s) continue;
    Buf b = {0};
    graph_print(c->g, &b);
    for (int k = 0; k < kernels_count(c->table); k++) kernel_print(kernels_get(c->table, k), &b);
    fail_msg("%s %s seed %d, %s: element %d is %.9g, not %.9g\n%s", op_info[c->op].name, dtype_name(c->dt),
             (int)c->seed, how, (int)i, y, x, b.s);
  }
}

static void check_interpreted(const Case *c, int threads) {
  Buf why = {0};
  Tensor out = tensor_of_type(c->a, c->g->dims, graph_type(c->g, c->g->outputs[0]), c->vars);
  const void *in[16];
  void *outs[1] = {out.data};
  for (int i = 0; i < c->g->n_inputs; i++) in[i] = c->in[i].data;
  if (!lowered_interpret(c->low, c->table, c->vars, in, outs, NULL, clock_values, threads, &why)) fail_msg("%s", why.s);
  compare(c, &out, "interpreted");
}

/* print(parse(print(k))) == print(k) */
static void check_text(const Case *c) {
  for (int i = 0; i < kernels_count(c->table); i++) {
    Buf one = {0}, two = {0}, why = {0};
    kernel_print(kernels_get(c->table, i), &one);
    Kernel *k = kernel_parse(c->a, one.s, &why);
    if (!k) fail_msg("%s\n%s", why.s, one.s);
    kernel_print(k, &two);
    assert_string_equal(one.s, two.s);
    buf_free(&one);
    buf_free(&two);
  }
}

static void *compile(const char *text, const char *compiler, const char *flags) {
  char dir[] = "/tmp/dnn-ops-XXXXXX", command[2048];
  assert_non_null(mkdtemp(dir));
  snprintf(command, sizeof command, "%s/k.c", dir);
  FILE *f = fopen(command, "w");
  fputs(text, f);
  fclose(f);
  snprintf(command, sizeof command, "%s %s -Wall -Wextra -Werror -I%s -shared -fPIC -o %s/k.so %s/k.c -lm", compiler,
           flags, TEST_ROOT, dir, dir);
  if (system(command)) fail_msg("does not compile: %s", command);
  snprintf(command, sizeof command, "%s/k.so", dir);
  void *so = dlopen(command, RTLD_NOW);
  if (!so) fail_msg("%s", dlerror());
  snprintf(command, sizeof command, "rm -rf %s", dir);
  assert_int_equal(system(command), 0);
  return so;
}

static void check_compiled(const Case *c, void *so) {
  char name[32];
  snprintf(name, sizeof name, "case_%d", c->id);
  Glue *glue = (Glue *)(uintptr_t)dlsym(so, name);
  assert_non_null(glue);
  Tensor first = {0};
  for (int threads = 1; threads <= 3; threads++) {
    Tensor out = tensor_of_type(c->a, c->g->dims, graph_type(c->g, c->g->outputs[0]), c->vars);
    run_compiled(c, glue, threads, &out);
    if (threads == 1) {
      compare(c, &out, "compiled");
      first = out;
    } else if (memcmp(first.data, out.data, (size_t)tensor_bytes(&out)))
      fail_msg("%s %s seed %d: other bits with %d threads", op_info[c->op].name, dtype_name(c->dt), (int)c->seed,
               threads);
  }
}

static bool wanted(Op op) {
  OpClass k = op_info[op].cls;
  const char *only = getenv("DNN_TEST_OP");
  if (only && strcmp(only, op_info[op].name)) return false;
  return k != REGION && k != META && op != OP_cell;
}

static void check_cases(Case *cases, const char *text, const char *compiler, const char *flags) {
  for (int i = 0; i < arrlen(cases); i++) {
    check_text(&cases[i]);
    check_interpreted(&cases[i], 1 + (int)(cases[i].seed % 3));
  }
  void *so = compile(text, compiler, flags);
  for (int i = 0; i < arrlen(cases); i++) {
    check_compiled(&cases[i], so);
    arena_free(cases[i].a);
  }
  dlclose(so);
}
static void check_target(const char *target, const char *compiler, bool clang, uint64_t seeds) {
  if (getenv("DNN_TEST_SEEDS")) seeds = (uint64_t)atoi(getenv("DNN_TEST_SEEDS"));
  const Target *t = target_find(target);
  Case *cases = NULL;
  Buf text = {0};
  buf_str(&text, "#include \"runtime/core/kernel.h\"\n");
  for (Op op = 1; op < OP_COUNT; op++) {
    int found = 0;
    for (DType dt = 0; dt < TUPLE && wanted(op); dt++)
      for (uint64_t seed = 0; seed < seeds; seed++) {
        Case c = {.op = op, .dt = dt, .seed = seed, .id = (int)arrlen(cases)};
        if (!make_case(&c, t)) continue;
        print_case(&c, &text);
        arrput(cases, c);
        found++;
      }
    if (wanted(op)) assert_true(found > 0);
  }
  check_cases(cases, text.s, compiler, clang ? t->clang_flags : t->gcc_flags);
  arrfree(cases);
  buf_free(&text);
}
static void test_products(void **state) {
  (void)state;
  static const char *const targets[] = {"native", "x86-64-v3", "x86-64-v2"};
  for (int k = 0; k < 3; k++) {
    const Target *t = target_find(targets[k]);
    Case *cases = NULL;
    Buf text = {0};
    buf_str(&text, "#include \"runtime/core/kernel.h\"\n");
    for (int i = 1; i < (int)(sizeof products / sizeof *products); i++)
      for (DType dt = F64; dt <= F32; dt++) {
        Case c = {.op = (Op)products[i][0], .dt = dt, .seed = (uint64_t)i, .id = (int)arrlen(cases), .product = i};
        if (!wanted(c.op) || (dt == F64 && k)) continue;
        assert_true(make_case(&c, t));
        print_case(&c, &text);
        arrput(cases, c);
      }
    check_cases(cases, text.s, "gcc", t->gcc_flags);
    arrfree(cases);
    buf_free(&text);
  }
}

static void test_native(void **state) {
  (void)state;
  check_target("native", "gcc", false, 4);
}
static void test_plain(void **state) {
  (void)state;
  check_target("plain", "gcc -std=c11 -pedantic", false, 2);
}
static void test_clang(void **state) {
  (void)state;
  if (system("clang-19 --version >/dev/null 2>&1")) skip();
  check_target("native", "clang-19", true, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_native), cmocka_unit_test(test_plain),
                                     cmocka_unit_test(test_clang), cmocka_unit_test(test_products)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
