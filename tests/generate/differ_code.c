/* Lowered programs: interpreted loop nests, code in memory, code of the compilers. */
#include "base/ds.h"
#include "codegen/load.h"
#include "runtime/core/random.h"
#include "tests/generate/differ_internal.h"
#include "tests/lib/quick_target.h"
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

static const int thread_counts[] = {1, 2, 7};

/* A program behind lowering. */
typedef struct Made {
  Prog *prog;
  Plan **plans;
  Lowered **lowered;
  KernelTable *kernels;
  const Target *target;
} Made;

/* `shared`: threads share every kernel, however little it does. */
static bool lower(World *w, const char *hostile, const char *target, bool shared, Made *m) {
  m->prog = world_load(w, hostile, NULL, 0);
  if (!m->prog) return false;
  int n = (int)arrlen(m->prog->entries);
  m->target = target_find(target);
  m->plans = arena_array(w->a, Plan *, n + 1);
  m->lowered = arena_array(w->a, Lowered *, n + 1);
  m->kernels = kernels_new(w->a, m->prog, m->target);
  if (hostile) setenv("DNN_HOSTILE", hostile, 1);
  for (int i = 0; i < n; i++) {
    Buf why = {0};
    m->plans[i] = shared ? plan_build_for(w->a, m->prog, &m->prog->entries[i], 0)
                         : plan_build(w->a, m->prog, &m->prog->entries[i]);
    if (m->plans[i] && plan_verify(m->plans[i], &why)) continue;
    unsetenv("DNN_HOSTILE");
    return world_fail(w, "plan", "%s", why.s ? why.s : "there is none");
  }
  for (int i = 0; i < n; i++) m->lowered[i] = lower_plan(w->a, m->plans[i], m->kernels);
  unsetenv("DNN_HOSTILE");
  return true;
}

/* Room for the outputs of a call; results and reports by port, then the cells that are written. */
static Tensor *room(World *w, const Sample *s) {
  int n = world_outputs(&w->ref->entries[s->entry]);
  Tensor *out = arena_array(w->a, Tensor, n + 1);
  for (int i = 0; i < n; i++) out[i] = tensor_new(w->a, s->want[i].dtype, s->want[i].rank, s->want[i].shape);
  return out;
}

/* ---- interpreted ---- */

static Tensor *interpret(World *w, const Made *m, const Sample *s, int threads) {
  const Entry *e = &m->prog->entries[s->entry];
  Tensor *out = room(w, s);
  int n = (int)arrlen(e->inputs), base = e->n_results + e->n_reports, n_cells = (int)arrlen(m->prog->cells);
  const void **in = arena_array(w->a, const void *, n + 1);
  void **to = arena_array(w->a, void *, base + 1), **cells = arena_array(w->a, void *, n_cells + 1);
  for (int i = 0; i < n; i++) in[i] = s->in[i].data;
  for (int i = 0; i < base; i++) to[i] = out[i].data;
  for (int i = 0; i < n_cells; i++)
    cells[i] = arena_copy(w->a, s->cells[i].data, (size_t)tensor_bytes(&s->cells[i]) + !tensor_bytes(&s->cells[i]));
  int64_t *vars = arena_array(w->a, int64_t, dim_var_count(m->prog->dims) + 1);
  for (int i = 0; i < (int)arrlen(e->vars); i++) vars[e->vars[i]] = s->own[i];
  Buf why = {0};
  int64_t clock[4];
  memcpy(clock, sample_clock, sizeof clock);
  clock[3] = dnn_call_key(SAMPLE_SEED, 0, clock[0]);
  bool ok = lowered_interpret(m->lowered[s->entry], m->kernels, vars, in, to, cells, clock, threads, &why);
  if (!ok) world_fail(w, "loops", "%s: %s", e->name, why.s ? why.s : "?");
  buf_free(&why);
  for (int i = 0; ok && i < (int)arrlen(e->writes); i++)
    memcpy(out[base + i].data, cells[e->writes[i]], (size_t)tensor_bytes(&out[base + i]));
  return ok ? out : NULL;
}

bool way_loops(World *w) {
  static const char *const targets[] = {"native", "x86-64-v3", "x86-64-v2", "plain"};
  const char *target = targets[world_draw(w) % 4];
  const char *order = arena_printf(w->a, "steps=%d", (int)(world_draw(w) % 1000));
  Made m, other;
  bool steps = w->d->ways >> WAY_STEPS & 1, shared = world_draw(w) % 3 > 0;
  if (!lower(w, NULL, target, shared, &m)) return false;
  if (steps && !lower(w, order, target, shared, &other)) return false;
  w->d->compared[WAY_LOOPS]++, w->d->compared[WAY_STEPS] += steps;
  for (int i = 0; i < (int)arrlen(w->samples); i++) {
    Sample *s = &w->samples[i];
    const Tensor *one = interpret(w, &m, s, 1), *more;
    if (!one || !sample_check(w, "loops", s, one, m.prog)) return false;
    for (int k = 1; k < 3; k++)
      if (!(more = interpret(w, &m, s, thread_counts[k])) || !same_bits(w, "loops-threads", s, one, more)) return false;
    if (steps && (!(more = interpret(w, &other, s, 2)) || !same_bits(w, "steps", s, one, more))) return false;
  }
  return true;
}

/* ---- compiled ---- */

static Tensor *call(World *w, const DnnProgram *p, const Sample *s, const char *way, int threads) {
  const Entry *e = &w->ref->entries[s->entry];
  const DnnEntry *x = &p->entries[s->entry];
  Tensor *out = room(w, s);
  int n = (int)arrlen(e->inputs), base = e->n_results + e->n_reports;
  const void **in = arena_array(w->a, const void *, n + 1);
  void **to = arena_array(w->a, void *, base + 1);
  for (int i = 0; i < n; i++) in[i] = s->in[i].data;
  for (int i = 0; i < base; i++) to[i] = out[i].data;
  size_t cells = (size_t)(p->cell_bytes + 63) / 64 * 64, ready = (size_t)(p->prepared_bytes + 63) / 64 * 64;
  size_t bytes = (cells + ready + (size_t)p->arena_bytes + 127) / 64 * 64;
  unsigned char *memory = aligned_alloc(64, bytes);
  memset(memory, 0xff, bytes);
  DnnContext c = {.cells = memory, .prepared = memory + cells, .arena = memory + cells + ready, .threads = threads};
  c.seed = SAMPLE_SEED, c.step = sample_clock[0], c.steps = sample_clock[1], c.epoch = sample_clock[2];
  for (int i = 0; i < p->n_cells; i++)
    memcpy(c.cells + p->cells[i].offset, s->cells[i].data, (size_t)p->cells[i].bytes);
  int status = x->call(&c, s->own, in, to);
  if (status) world_fail(w, way, "%s: %s", e->name, p->error_text(&c));
  for (int i = 0; !status && i < (int)arrlen(e->writes); i++)
    memcpy(out[base + i].data, c.cells + p->cells[e->writes[i]].offset, (size_t)tensor_bytes(&out[base + i]));
  free(memory);
  return status ? NULL : out;
}

static bool emit(World *w, const Made *m, bool bare, EmitOut *out) {
  EmitOpts o = {.checks = true, .bare = bare, .source = "generated.dnn"};
  if (emit_program(w->a, m->prog, m->plans, m->lowered, m->kernels, m->target, &o, out)) return true;
  return world_fail(w, "emit", "the program cannot be printed");
}

static bool by_command(World *w, const Made *m, const char *way, const char *cc, Tensor **jit) {
  EmitOut out = {0};
  Buf why = {0};
  if (!emit(w, m, false, &out)) return false;
  char *dir = cc_temp_dir(w->a, &why);
  if (!dir) return world_fail(w, way, "%s", why.s);
  CcJob job = {.dir = dir, .out = arena_printf(w->a, "%s/t.so", dir), .kind = CC_SHARED, .target = m->target};
  job.extra_libs = "", job.jobs = 1, job.openmp = true;
  setenv("CC", cc, 1);
  bool ok = cc_write_files(dir, out.files, (int)arrlen(out.files), &why) &&
            cc_build(&job, out.files, (int)arrlen(out.files), &why);
  unsetenv("CC");
  void *so = ok ? dlopen(job.out, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) : NULL;
  cc_remove_dir(dir);
  if (!so) return world_fail(w, way, "%s", ok ? dlerror() : why.s);
  DnnProgramFn *fn;
  void *symbol = dlsym(so, DNN_PROGRAM_SYMBOL);
  memcpy(&fn, &symbol, sizeof fn);
  for (int i = 0; ok && i < (int)arrlen(w->samples); i++) {
    Sample *s = &w->samples[i];
    const Tensor *got = call(w, fn(), s, way, 2);
    ok = got && sample_check(w, way, s, got, m->prog) && (!jit || same_bits(w, way, s, jit[i], got));
  }
  dlclose(so);
  return ok;
}

bool way_code(World *w) {
  Made m;
  EmitOut out = {0};
  Backend *backend = NULL;
  Buf why = {0};
  const char *target = world_draw(w) % 3 ? "native" : "x86-64-v3";
  if (!lower(w, NULL, target, world_draw(w) % 2, &m) || !emit(w, &m, true, &out)) return false;
  const DnnProgram *p =
      backend_load(w->a, &out, quick_target(w->a, m.target), &(LoadOpts){.no_cache = true}, &backend, &why);
  if (!p) return world_fail(w, "jit", "%s", why.s ? why.s : "it cannot be loaded");
  int n = (int)arrlen(w->samples);
  Tensor **jit = arena_array(w->a, Tensor *, n + 1);
  bool ok = true;
  w->d->compared[WAY_JIT]++;
  for (int i = 0; ok && i < n; i++) {
    Sample *s = &w->samples[i];
    const Tensor *more = NULL;
    ok = (jit[i] = call(w, p, s, "jit", 1)) && sample_check(w, "jit", s, jit[i], m.prog);
    for (int k = 1; ok && k < 3; k++)
      ok = (more = call(w, p, s, "jit", thread_counts[k])) && same_bits(w, "jit-threads", s, jit[i], more);
  }
  if (ok && w->d->ways >> WAY_CLANG & 1) w->d->compared[WAY_CLANG]++, ok = by_command(w, &m, "clang", "clang-19", jit);
  if (ok && w->d->ways >> WAY_GCC & 1) w->d->compared[WAY_GCC]++, ok = by_command(w, &m, "gcc", "gcc", NULL);
  backend_close(backend);
  return ok;
}
