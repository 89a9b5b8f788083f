#include "tests/lib/emitted.h"
#include "base/ds.h"
#include "passes/rewrite.h"
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

static const int64_t clock_values[4] = {3, 10, 1, 0}; /* the key is the context's */

static Prog *program_of(EmittedCase *cases) {
  Graph *first = cases[0].g;
  Arena *a = first->arena;
  Prog *p = arena_one(a, Prog);
  *p = (Prog){.arena = a, .dims = first->dims, .diag = diag_new(a), .name = "t"};
  arrput(p->entries, ((Entry){.name = "init", .kind = DNN_INIT, .graph = graph_new(a, first->dims, p->diag)}));
  for (int v = 0; v < dim_var_count(p->dims); v++)
    if (dim_var_bound(p->dims, v) < 0) dim_set_bound(p->dims, v, 64);
  for (int i = 0; i < arrlen(cases); i++) {
    Graph *g = cases[i].g;
    int n = (int)arrlen(g->outputs);
    Entry e = {.name = arena_printf(a, "f%d", i), .kind = DNN_EXPORT, .exported = 1, .graph = g, .n_results = n};
    g->diag = p->diag;
    for (int k = 0; k < g->n_inputs; k++) arrput(e.inputs, ((Port){.name = "x", .type = g->input_types[k]}));
    for (int k = 0; k < n; k++) arrput(e.outputs, ((Port){.name = "y", .type = graph_type(g, g->outputs[k])}));
    for (int v = 0; v < dim_var_count(p->dims); v++) arrput(e.vars, v);
    arrput(p->entries, e);
  }
  return p;
}

/* Inputs, and what the evaluator makes of the graph before any pass has seen it. */
static void evaluate(EmittedCase *c) {
  Arena *a = c->g->arena;
  if (!c->vars) c->vars = opgen_vars(a, c->g, c->seed);
  c->in = opgen_inputs(a, c->g, c->seed, c->vars);
  EvalEnv env = {.vars = c->vars, .inputs = c->in};
  memcpy(env.clock, clock_values, sizeof env.clock);
  c->want = arena_array(a, Tensor, arrlen(c->g->outputs) + 1);
  Buf why = {0};
  if (!graph_eval(a, c->g, &env, c->want, &why) && !c->error) fail_msg("the evaluator: %s", why.s);
  buf_free(&why);
}

static void emit(Prog *p, const EmittedHow *how, EmitOut *out) {
  int n = (int)arrlen(p->entries);
  PipelineOpts o = {.verify = true};
  Plan **plans = arena_array(p->arena, Plan *, n);
  Lowered **lowered = arena_array(p->arena, Lowered *, n);
  const Target *t = target_find(how->target);
  KernelTable *k = kernels_new(p->arena, p, t);
  for (int i = 0; i < n; i++) {
    if (!how->raw) assert_true(pipeline_graph(p, &p->entries[i], &o));
    if (!how->little) plans[i] = plan_build(p->arena, p, &p->entries[i]);
    else plans[i] = plan_build_for(p->arena, p, &p->entries[i], how->little < 0 ? 0 : how->little);
  }
  for (int i = 0; i < n; i++) lowered[i] = lower_plan(p->arena, plans[i], k);
  EmitOpts eo = {.checks = true, .source = "t.dnn"};
  assert_true(emit_program(p->arena, p, plans, lowered, k, t, &eo, out));
}

static void *compile(const EmitOut *out, const EmittedHow *how) {
  char dir[] = "/tmp/dnn-emitted-XXXXXX", command[4096];
  assert_non_null(mkdtemp(dir));
  Buf why = {0};
  if (!cc_write_files(dir, out->files, (int)arrlen(out->files), &why)) fail_msg("%s", why.s);
  snprintf(command, sizeof command,
           "cd %s && gcc -std=gnu11 -O1 %s %s -Wall -Wextra -Werror -shared -fPIC *.c -o t.so -lm", dir,
           target_find(how->target)->gcc_flags, how->openmp ? "-fopenmp" : "");
  if (system(command)) fail_msg("does not compile: %s", command);
  snprintf(command, sizeof command, "%s/t.so", dir);
  void *so = dlopen(command, RTLD_NOW | RTLD_NODELETE); /* OpenMP's idle threads live on in a library it needs */
  if (!so) fail_msg("%s", dlerror());
  cc_remove_dir(dir);
  return so;
}

static void compare(const EmittedCase *c, int o, const Tensor *got, int id) {
  const Tensor *want = &c->want[o];
  double scale = 1, most = dtype_is_float(want->dtype) ? c->tolerance != 0 ? c->tolerance : 1e-4 : 0;
  for (int64_t i = 0; i < tensor_count(want); i++)
    if (isfinite(tensor_get(want, i))) scale = fmax(scale, fabs(tensor_get(want, i)));
  for (int64_t i = 0; i < tensor_count(want); i++) {
    double x = tensor_get(want, i), y = tensor_get(got, i);
    if (x == y || (x != x && y != y) || fabs(x - y) <= most * scale) continue;
    Buf text = {0};
    graph_print(c->g, &text);
    fputs(text.s, stderr);
    fail_msg("case %d (seed %d), output %d, element %d is %.9g, not %.9g", id, (int)c->seed, o, (int)i, y, x);
  }
}

/* One call; the results stand one after the other. */
static Tensor *call(const EmittedCase *c, const DnnProgram *p, int id, int threads) {
  int n = (int)arrlen(c->g->outputs);
  Arena *a = c->g->arena;
  int64_t bytes = p->cell_bytes + p->prepared_bytes + p->arena_bytes;
  unsigned char *memory = aligned_alloc(64, (size_t)((bytes + 127) / 64 * 64));
  memset(memory, 0xff, (size_t)bytes);
  DnnContext m = {.cells = memory, .prepared = memory + p->cell_bytes, .threads = threads};
  m.arena = m.prepared + p->prepared_bytes;
  m.step = clock_values[0], m.steps = clock_values[1], m.epoch = clock_values[2];
  const void **in = arena_array(a, const void *, c->g->n_inputs + 1);
  void **out = arena_array(a, void *, n + 1);
  Tensor *got = arena_array(a, Tensor, n + 1);
  for (int i = 0; i < c->g->n_inputs; i++) in[i] = c->in[i].data;
  for (int i = 0; i < n; i++) {
    got[i] = tensor_of_type(a, c->g->dims, graph_type(c->g, c->g->outputs[i]), c->vars);
    out[i] = got[i].data;
  }
  int status = p->entries[id + 1].call(&m, c->vars, in, out);
  if (!c->error && status) fail_msg("case %d: %s", id, p->error_text(&m));
  if (c->error && (!status || !strstr(p->error_text(&m), c->error)))
    fail_msg("case %d should fail with `%s`, not `%s`", id, c->error, status ? p->error_text(&m) : "no error");
  free(memory);
  return got;
}

const char *emitted_check(EmittedCase *cases, const EmittedHow *how) {
  Prog *prog = program_of(cases);
  EmitOut out = {0};
  for (int i = 0; i < arrlen(cases); i++) evaluate(&cases[i]);
  emit(prog, how, &out);
  void *so = compile(&out, how);
  const DnnProgram *(*tables)(void);
  *(void **)&tables = dlsym(so, "dnn_program");
  assert_non_null(tables);
  for (int i = 0; i < arrlen(cases); i++) {
    Tensor *one = call(&cases[i], tables(), i, 1);
    for (int o = 0; o < arrlen(cases[i].g->outputs) && !cases[i].error; o++) compare(&cases[i], o, &one[o], i);
    for (int again = 0; again < 3; again++) {
      Tensor *three = call(&cases[i], tables(), i, 3);
      for (int o = 0; o < arrlen(cases[i].g->outputs) && !cases[i].error; o++)
        if (memcmp(one[o].data, three[o].data, (size_t)tensor_bytes(&one[o])))
          fail_msg("case %d (seed %d): three threads give other bits of output %d", i, (int)cases[i].seed, o);
    }
  }
  const char *text = NULL;
  for (int i = 0; i < arrlen(out.files); i++)
    if (!strcmp(out.files[i].name, "t.c")) text = out.files[i].text;
  dlclose(so);
  return text;
}
