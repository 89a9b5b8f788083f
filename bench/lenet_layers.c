/* Speed of the products inside LeNet (batch 64): each convolution and dense layer forward and both gradients, alone, in
 * GF/s (a multiply-add counts 2), and all of them together. Not a test: numbers of a shared machine are noisy.
 *   lenet_layers [threads] [only] */
#include "base/ds.h"
#include "codegen/load.h"
#include "passes/pipeline.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const Loc nowhere;
typedef struct Bench {
  Arena *a;
  Prog *prog;
  DimTab *dims;
} Bench;

static Type shape(Bench *b, int rank, const int64_t *n) {
  Dim d[MAX_RANK];
  for (int k = 0; k < rank; k++) d[k] = dim_int(b->dims, n[k]);
  return type_of(b->a, F32, rank, d);
}
static void add_entry(Bench *b, const char *name, Op op, Type x, Type w, Type want, int pad, const int *la,
                      const int *lb, const int *ly) {
  Graph *g = graph_new(b->a, b->dims, b->prog->diag);
  NodeId in[2] = {g_input(g, nowhere, x), g_input(g, nowhere, w)}, y;
  if (op == OP_dot) {
    y = g_dot(g, nowhere, in[0], in[1], la, lb, ly, 2);
  } else {
    int64_t one[2] = {1, 1}, p[2] = {pad, pad};
    Attr attrs[] = {attr_ints(g, A_stride, one, 2), attr_ints(g, A_low, p, 2), attr_ints(g, A_high, p, 2),
                    attr_ints(g, A_dilation, one, 2), attr_int(g, A_groups, 1)};
    y = graph_add(g, op, nowhere, in, 2, attrs, 5, op == OP_conv ? NULL : &want);
  }
  arrput(g->outputs, y);
  Entry e = {.name = name, .kind = DNN_EXPORT, .exported = 1, .graph = g, .n_results = 1};
  for (int i = 0; i < 2; i++) arrput(e.inputs, ((Port){.name = i ? "w" : "x", .type = graph_type(g, in[i])}));
  arrput(e.outputs, ((Port){.name = "y", .type = graph_type(g, y)}));
  arrput(b->prog->entries, e);
}
static void add_conv(Bench *b, const char *name, int64_t n, int64_t c, int64_t o, int64_t hw, int64_t k) {
  Type x = shape(b, 4, (int64_t[]){n, c, hw, hw}), w = shape(b, 4, (int64_t[]){o, c, k, k}),
       y = shape(b, 4, (int64_t[]){n, o, hw, hw});
  add_entry(b, arena_printf(b->a, "%s", name), OP_conv, x, w, y, (int)k / 2, NULL, NULL, NULL);
  if (c > 1) add_entry(b, arena_printf(b->a, "%s_dx", name), OP_conv_dx, y, w, x, (int)k / 2, NULL, NULL, NULL);
  add_entry(b, arena_printf(b->a, "%s_dw", name), OP_conv_dw, x, y, w, (int)k / 2, NULL, NULL, NULL);
}
static void add_dense(Bench *b, const char *name, int64_t n, int64_t i, int64_t o) {
  Type x = shape(b, 2, (int64_t[]){n, i}), w = shape(b, 2, (int64_t[]){i, o}), y = shape(b, 2, (int64_t[]){n, o});
  add_entry(b, name, OP_dot, x, w, y, 0, (int[]){0, 1}, (int[]){1, 2}, (int[]){0, 2});
  add_entry(b, arena_printf(b->a, "%s_dx", name), OP_dot, y, w, x, 0, (int[]){0, 1}, (int[]){2, 1}, (int[]){0, 2});
  add_entry(b, arena_printf(b->a, "%s_dw", name), OP_dot, x, y, w, 0, (int[]){0, 1}, (int[]){0, 2}, (int[]){1, 2});
}

static clockid_t meter = CLOCK_MONOTONIC; /* one thread: processor time, which other programs disturb less */
static double now(void) {
  struct timespec t;
  clock_gettime(meter, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv) {
  int threads = argc > 1 ? atoi(argv[1]) : 2;
  if (threads == 1) meter = CLOCK_PROCESS_CPUTIME_ID;
  const char *only = argc > 2 ? argv[2] : NULL;
  Bench b = {.a = arena_new()};
  b.dims = dimtab_new(b.a);
  b.prog = arena_one(b.a, Prog);
  *b.prog = (Prog){.arena = b.a, .dims = b.dims, .diag = diag_new(b.a), .name = "layers"};
  Graph *g = graph_new(b.a, b.dims, b.prog->diag);
  arrput(b.prog->entries, ((Entry){.name = "init", .kind = DNN_INIT, .graph = g}));
  add_conv(&b, "conv1", 64, 1, 32, 28, 5);
  add_conv(&b, "conv2", 64, 32, 64, 14, 5);
  add_dense(&b, "dense1", 64, 3136, 256);
  add_dense(&b, "dense2", 64, 256, 10);

  const Target *t = target_find("native");
  KernelTable *kernels = kernels_new(b.a, b.prog, t);
  int n = (int)arrlen(b.prog->entries);
  Plan **plans = arena_array(b.a, Plan *, n);
  Lowered **lowered = arena_array(b.a, Lowered *, n);
  for (int i = 0; i < n; i++) {
    plans[i] = plan_build(b.a, b.prog, &b.prog->entries[i]);
    lowered[i] = lower_plan(b.a, plans[i], kernels);
  }
  EmitOut out;
  EmitOpts opts = {.source = "layers"};
  Buf why = {0};
  Backend *backend;
  if (!emit_program(b.a, b.prog, plans, lowered, kernels, t, &opts, &out)) return 1;
  if (getenv("DNN_BENCH_TEXT"))
    for (int i = 0; i < arrlen(out.files); i++)
      if (strstr(out.files[i].name, "kernels")) printf("%s\n", out.files[i].text);
  const DnnProgram *p = backend_load(b.a, &out, t, false, &backend, &why);
  if (!p) {
    fprintf(stderr, "%s\n", why.s);
    return 1;
  }
  DnnContext c = {.threads = threads};
  c.cells = aligned_alloc(64, (size_t)(p->cell_bytes + 64) / 64 * 64);
  c.arena = aligned_alloc(64, (size_t)(p->arena_bytes + 64) / 64 * 64);
  double seconds = 0, flops = 0;
  for (int i = 1; i < n; i++) {
    const Entry *e = &b.prog->entries[i];
    if (only && !strstr(e->name, only)) continue;
    const void *in[2];
    void *y = NULL;
    for (int k = 0; k < 2; k++) {
      int64_t count = dim_upper(b.dims, type_count(b.dims, e->inputs[k].type));
      float *v = aligned_alloc(64, (size_t)(4 * count + 64) / 64 * 64);
      for (int64_t j = 0; j < count; j++) v[j] = (float)(j % 17) * 0.1f - 0.8f;
      in[k] = v;
    }
    y = aligned_alloc(64, (size_t)(4 * dim_upper(b.dims, type_count(b.dims, e->outputs[0].type)) + 64) / 64 * 64);
    double work = (double)dim_upper(b.dims, node_flops(e->graph, e->graph->outputs[0])), best = 1e30, begin = now();
    for (int r = 0; r < 1000 && (r < 3 || now() - begin < 0.3); r++) {
      double t0 = now();
      if (p->entries[i].call(&c, NULL, in, &y)) return 1;
      double s = now() - t0;
      if (s < best) best = s;
    }
    printf("%-10s %8.3f ms %8.1f GF/s\n", e->name, 1e3 * best, 1e-9 * work / best);
    seconds += best;
    flops += work;
    free(y);
    free((void *)(uintptr_t)in[0]);
    free((void *)(uintptr_t)in[1]);
  }
  printf("%-10s %8.3f ms %8.1f GF/s, %d threads\n", "all", 1e3 * seconds, 1e-9 * flops / seconds, threads);
  backend_close(backend);
  return 0;
}
