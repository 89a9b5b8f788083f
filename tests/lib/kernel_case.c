#include "tests/lib/kernel_case.h"
#include "base/ds.h"
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

static const int64_t clock_values[4] = {3, 10, 1, 42};
typedef void Glue(int call, unsigned char **bufs, unsigned char *temp, const int64_t *v, DnnTeam *team);

void case_finish(KernelCase *c, const Target *target) {
  DimTab *dims = c->g->dims;
  NodeId y = c->g->outputs[0];
  c->vars = opgen_vars(c->a, c->g, c->seed);
  c->in = opgen_inputs(c->a, c->g, c->seed, c->vars);
  if (c->change) c->change(&c->in[0]);
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
}

/* The kernels, and a function that makes the calls of the case one by one. */
void case_print(const KernelCase *c, Buf *b) {
  for (int i = 0; i < kernels_count(c->table); i++) kernel_print_c(kernels_get(c->table, i), b);
  buf_printf(b, "void case_%d(int call, unsigned char **p, unsigned char *temp, const int64_t *v, DnnTeam *team);\n",
             c->id);
  buf_printf(b, "void case_%d(int call, unsigned char **p, unsigned char *temp, const int64_t *v, DnnTeam *team) {\n",
             c->id);
  buf_str(b, "  (void)call, (void)p, (void)temp, (void)v, (void)team;\n");
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

static unsigned char **place_bufs(const KernelCase *c, Tensor *out, unsigned char **arena) {
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

static void run_compiled(const KernelCase *c, Glue *glue, int threads, Tensor *out) {
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
static double tolerance(const KernelCase *c) {
  OpClass k = op_info[c->op].cls;
  if (c->tolerance != 0) return c->tolerance;
  bool sums = k == CONTRACT || k == REDUCE || k == SCATTER || k == CALL;
  switch (c->want.dtype) {
  case F64: return sums ? 1e-12 : 1e-14;
  case F32: return sums ? 2e-5 : 2e-6;
  case F16: return 3e-3;
  case BF16: return 2e-2;
  default: return 0;
  }
}
static void compare(const KernelCase *c, const Tensor *got, const char *how) {
  double scale = 1, tol = tolerance(c);
  bool sums = op_info[c->op].cls == CONTRACT || op_info[c->op].cls == REDUCE || op_info[c->op].cls == CALL;
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

static void check_interpreted(const KernelCase *c, int threads) {
  Buf why = {0};
  Tensor out = tensor_of_type(c->a, c->g->dims, graph_type(c->g, c->g->outputs[0]), c->vars);
  const void *in[16];
  void *outs[1] = {out.data};
  for (int i = 0; i < c->g->n_inputs; i++) in[i] = c->in[i].data;
  if (!lowered_interpret(c->low, c->table, c->vars, in, outs, NULL, clock_values, threads, &why)) fail_msg("%s", why.s);
  compare(c, &out, "interpreted");
}

/* print(parse(print(k))) == print(k) */
static void check_text(const KernelCase *c) {
  for (int i = 0; i < kernels_count(c->table); i++) {
    Buf one = {0}, two = {0}, why = {0};
    kernel_print(kernels_get(c->table, i), &one);
    Kernel *k = kernel_parse(c->a, one.s, &why);
    if (!k) fail_msg("%s\n%s", why.s, one.s);
    kernel_print(k, &two);
    size_t at = 0;
    while (one.s[at] && one.s[at] == two.s[at]) at++;
    if (one.s[at] || two.s[at]) fail_msg("read back, `%.200s` is `%.200s`", one.s + at, two.s + at);
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

static void check_compiled(const KernelCase *c, void *so) {
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

void cases_check(KernelCase *cases, const char *text, const char *compiler, const char *flags) {
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

KernelCase *set_begin(CaseSet *s, Op op, DType dt, int seed) {
  if (!s->text.n)
    buf_str(
        &s->text,
        "#include \"runtime/core/kernel.h\"\n#include \"runtime/core/number.h\"\n#include \"runtime/core/random.h\"\n"
        "#include \"runtime/core/sort.h\"\n#include \"runtime/core/matrix.h\"\n");
  KernelCase c = {.a = arena_new(), .op = op, .dt = dt, .seed = (uint64_t)seed, .id = (int)arrlen(s->cases)};
  c.g = graph_new(c.a, dimtab_new(c.a), diag_new(c.a));
  arrput(s->cases, c);
  return &arrlast(s->cases);
}
void set_end(CaseSet *s) {
  case_finish(&arrlast(s->cases), s->target);
  case_print(&arrlast(s->cases), &s->text);
}
void set_check(CaseSet *s, const char *compiler, const char *flags) {
  cases_check(s->cases, s->text.s, compiler, flags);
  arrfree(s->cases);
  buf_free(&s->text);
}
