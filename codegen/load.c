/* backend_load: cache, LLVM in memory, system's compiler. */
#include "codegen/load.h"
#include "base/ds.h"
#include "codegen/cache.h"
#include "codegen/plugin.h"
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The emitted files as the plug-in wants them. */
typedef struct Units {
  JitFile *files; /* stb_ds */
  JitUnit *units; /* stb_ds, those that take longest first */
} Units;

/* An image on its way into the cache, by a thread of its own: the program need not wait for it. */
typedef struct Imaging {
  pthread_t thread;
  const JitApi *api;
  Units u;
  const char *const *libraries;
  CacheKey key;
  bool time;
} Imaging;

struct Backend {
  void *object; /* of dlopen */
  const JitApi *api;
  JitCode *code;
  CacheKey image;
  bool has_image; /* in the cache, or on its way */
  bool by_system; /* its compiler made it */
  Imaging *imaging;
};

/* One load on its way. */
typedef struct Load {
  Arena *arena;
  const EmitOut *emitted;
  const Target *target;
  const LoadOpts *opts;
  Backend *backend;
  Buf *why;
  bool cached; /* with the cache: backend->image is the key */
} Load;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static void say(bool time, const char *what, const char *name, double since) {
  if (time) fprintf(stderr, "%8.1f ms  %s%s%s\n", now() - since, what, *name ? " " : "", name);
}

static void tell(const Load *l, const char *what, const char *name, double since) {
  say(l->opts->time, what, name, since);
}

static const DnnProgram *call_program(void *symbol) {
  DnnProgramFn *fn;
  memcpy(&fn, &symbol, sizeof fn);
  return fn();
}

static const DnnProgram *open_object(const char *path, Backend *b, Buf *why) {
  /* never unmapped: OpenMP's idle threads live in a library that would go with it */
  b->object = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  void *symbol = b->object ? dlsym(b->object, DNN_PROGRAM_SYMBOL) : NULL;
  if (symbol) return call_program(symbol);
  buf_str(why, dlerror());
  return NULL;
}

#if defined(__x86_64__)
/* libgcc's record of the processor, which __builtin_cpu_supports reads: 32 features in the last word. */
extern unsigned processor[4] __asm__("__cpu_model") __attribute__((visibility("hidden")));

/* The compilers' static library is not there for code in memory, so this processor's answer becomes part of it: a unit
 * that also puts the processor into the cache's key. */
static const char *processor_unit(Arena *a) {
  __builtin_cpu_init();
  return arena_printf(a,
                      "extern unsigned __cpu_model[4];\nunsigned __cpu_model[4] = {%uu, %uu, %uu, %uu};\n"
                      "int __cpu_indicator_init(void);\nint __cpu_indicator_init(void) { return 0; }\n",
                      processor[0], processor[1], processor[2], processor[3]);
}
#else
static const char *processor_unit(Arena *a) { return ""; }
#endif

/* Entry functions do nothing but call kernels: to optimise them takes longer than it saves. So do vectors of loops that
 * run briefly, half of what clang does for these, and what -O2 adds to them; bits are the same without. */
static const char **flags_of(const Load *l, EmitKind kind) {
  static const char *const plain[] = {"-O0", NULL}, *const brief[] = {"-O1", "-fno-vectorize", "-fno-unroll-loops",
                                                                      NULL};
  const char **flags = cc_unit_flags(l->arena, true, l->target, kind, true, l->opts->debug);
  const char *const *add = kind == EMIT_PLAIN ? plain : kind == EMIT_BRIEF ? brief : NULL;
  int n = 0;
  while (flags[n]) n++;
  const char **more = arena_array(l->arena, const char *, n + 4);
  memcpy(more, flags, (size_t)n * sizeof *flags);
  for (; add && *add; add++) more[n++] = *add;
  return more;
}

static int by_weight(const void *a, const void *b) {
  const JitUnit *x = a, *y = b;
  return x->weight != y->weight ? (x->weight < y->weight ? 1 : -1) : x->file - y->file;
}

/* Not optimised, a text takes a tenth of the time. */
static void units_make(const Load *l, Units *u) {
  const char *text = processor_unit(l->arena);
  const char **flags[EMIT_ASM + 1] = {NULL};
  for (int i = 0; i < (int)arrlen(l->emitted->files); i++) {
    const EmitFile *f = &l->emitted->files[i];
    arrput(u->files, ((JitFile){f->name, f->text, f->size}));
    if (f->kind == EMIT_HEADER) continue;
    if (!flags[f->kind]) flags[f->kind] = flags_of(l, f->kind);
    size_t weight = f->kind == EMIT_PLAIN ? f->size / 10 : emit_weight(f->text);
    arrput(u->units, ((JitUnit){.file = i, .flags = flags[f->kind], .weight = weight}));
  }
  arrput(u->files, ((JitFile){"dnn_processor.c", text, strlen(text)}));
  arrput(u->units, ((JitUnit){.file = (int)arrlen(u->files) - 1, .flags = flags[EMIT_PLAIN]}));
  qsort(u->units, arrlenu(u->units), sizeof *u->units, by_weight);
}

/* Everything that decides the code: texts with the processor's answer, flags, target, versions of dnnc and of LLVM. */
static CacheKey key_of(const Load *l, const Units *u) {
  CacheKey k = {{0}};
  cache_key_text(&k, plugin_identity());
  cache_key_text(&k, l->target->name);
  for (int i = 0; i < (int)arrlen(u->files); i++) {
    cache_key_text(&k, u->files[i].name);
    cache_key_add(&k, u->files[i].text, u->files[i].size);
  }
  for (int i = 0; i < (int)arrlen(u->units); i++) {
    cache_key_text(&k, u->files[u->units[i].file].name);
    for (const char *const *f = u->units[i].flags; *f; f++) cache_key_text(&k, *f);
  }
  return k;
}

static const DnnProgram *load_cached(const Load *l) {
  double begin = now();
  Buf path = {0}, why = {0};
  const DnnProgram *p = NULL;
  bool hit = cache_image(&l->backend->image, &path);
  if (hit) p = open_object(path.s, l->backend, &why);
  if (hit && !p) cache_drop(&l->backend->image, CACHE_IMAGE); /* of another machine's libraries */
  l->backend->has_image = p != NULL;
  tell(l, p ? "cache: hit" : "cache: miss", "", begin);
  buf_free(&path);
  buf_free(&why);
  return p;
}

/* The shared libraries that images need, as this process has them. */
static const char *const *library_paths(Arena *a) {
  static const char *const names[] = {"libomp.so.5", "libm.so.6", "libc.so.6"};
  enum { N = sizeof names / sizeof *names };
  const char **paths = arena_array(a, const char *, N + 1);
  int n = 0;
  for (int i = 0; i < N; i++) {
    struct link_map *map = NULL;
    void *handle = dlopen(names[i], RTLD_NOW | RTLD_NOLOAD);
    if (handle && !dlinfo(handle, RTLD_DI_LINKMAP, &map)) paths[n++] = arena_strdup(a, map->l_name);
    if (handle) dlclose(handle);
  }
  return paths;
}

static void units_free(Units *u, const JitApi *api) {
  if (api) api->free_units(u->units, (int)arrlen(u->units));
  arrfree(u->files);
  arrfree(u->units);
}

/* The objects as a shared image, for the next time. */
static void *make_image(void *arg) {
  Imaging *g = arg;
  double begin = now();
  char *bytes = NULL, *why = NULL;
  size_t size = 0;
  /* no image is no error: the program runs; memory or file descriptors may have been short */
  if (g->api->image(g->u.units, (int)arrlen(g->u.units), g->libraries, &bytes, &size, &why))
    cache_write(&g->key, CACHE_IMAGE, bytes, size);
  say(g->time, bytes ? "image for the cache" : "no image for the cache:", why ? why : "", begin);
  free(bytes);
  free(why);
  units_free(&g->u, g->api);
  return NULL;
}

/* Takes the units. */
static void keep_image(const Load *l, const JitApi *api, Units *u) {
  Imaging *g = arena_one(l->arena, Imaging);
  *g = (Imaging){
      .api = api, .u = *u, .libraries = library_paths(l->arena), .key = l->backend->image, .time = l->opts->time};
  *u = (Units){NULL, NULL};
  l->backend->has_image = true;
  if (pthread_create(&g->thread, NULL, make_image, g)) make_image(g);
  else l->backend->imaging = g;
}

/* Clang has words about emitted C: a defect of dnnc. The files stay in a directory. */
static void diagnosed(const Load *l, const Units *u) {
  const JitUnit *bad = NULL;
  for (int i = 0; i < (int)arrlen(u->units) && !bad; i++)
    if (u->units[i].words) bad = &u->units[i];
  if (!bad) INTERNAL("a unit was not compiled and nothing was said");
  Buf why = {0};
  const char *dir = cc_temp_dir(l->arena, &why);
  bool kept = dir && cc_write_files(dir, l->emitted->files, (int)arrlen(l->emitted->files), &why);
  INTERNAL("%s\nThe C text is kept for a report: %s/%s", bad->words, kept ? dir : "",
           kept    ? u->files[bad->file].name
           : why.s ? why.s
                   : "nowhere");
}

/* The plug-in's way; NULL when it cannot link here: then the reason is in `why`. */
static const DnnProgram *load_jit(const Load *l, const JitApi *api, Units *u) {
  int n = (int)arrlen(u->units);
  double begin = now();
  if (!api->compile(u->files, (int)arrlen(u->files), u->units, n, cc_jobs())) diagnosed(l, u);
  for (int i = 0; i < n && l->opts->time; i++)
    fprintf(stderr, "%8.1f ms    %s\n", u->units[i].ms, u->files[u->units[i].file].name);
  tell(l, "compile by", api->compiler, begin);
  begin = now();
  void *symbol = NULL;
  char *why = NULL;
  l->backend->api = api;
  l->backend->code = api->link(u->units, n, DNN_PROGRAM_SYMBOL, l->opts->debug ? JIT_GDB | JIT_PERF : 0, &symbol, &why);
  tell(l, "link", "", begin);
  if (l->backend->code && l->cached) keep_image(l, api, u);
  if (l->backend->code) return call_program(symbol);
  buf_str(l->why, why ? why : "no memory");
  free(why);
  return NULL;
}

static const DnnProgram *load_cc(const Load *l) {
  const char *dir = cc_temp_dir(l->arena, l->why);
  if (!dir) return NULL;
  const char *so = arena_printf(l->arena, "%s/program.so", dir);
  int n = (int)arrlen(l->emitted->files);
  CcJob job = {.dir = dir,
               .out = so,
               .kind = CC_SHARED,
               .target = l->target,
               .extra_libs = "",
               .openmp = true,
               .debug = l->opts->debug,
               .time = l->opts->time};
  const DnnProgram *p = NULL;
  if (cc_write_files(dir, l->emitted->files, n, l->why) && cc_build(&job, l->emitted->files, n, l->why))
    p = open_object(so, l->backend, l->why);
  cc_remove_dir(dir);
  return p;
}

static void say_fallback(const char *why) {
  static bool said;
  if (!said) fprintf(stderr, "dnnc: compiling with the system's compiler: %s\n", why);
  said = true;
}

/* The place of the cache is there; when the user named one that cannot be used, that is told once. */
static bool has_cache(bool quiet) {
  static bool said;
  const char *own = getenv("DNNC_CACHE");
  Buf why = {0};
  bool there = cache_place(&why);
  if (!there && own && *own && !quiet && !said) fprintf(stderr, "dnnc: $DNNC_CACHE is not used: %s\n", why.s);
  said |= !there;
  buf_free(&why);
  return there;
}

/* From the cache or by the plug-in; NULL and the reason in `l->why` when neither is to be had. */
static const DnnProgram *load_llvm(Load *l) {
  if (!plugin_path()) {
    buf_str(l->why, "the LLVM plug-in is not installed");
    return NULL;
  }
  Units u = {0};
  const JitApi *api = NULL;
  units_make(l, &u);
  l->cached = !l->opts->no_cache && !l->opts->debug && has_cache(l->opts->quiet);
  if (l->cached) l->backend->image = key_of(l, &u);
  const DnnProgram *p = l->cached ? load_cached(l) : NULL;
  if (!p) {
    double begin = now();
    api = plugin_open(l->why);
    if (api) tell(l, "open", api->compiler, begin);
    if (api) p = load_jit(l, api, &u);
  }
  units_free(&u, api);
  return p;
}

bool backend_by_system(const Backend *b) { return b && b->by_system; }

const DnnProgram *backend_load(Arena *a, const EmitOut *emitted, const Target *target, const LoadOpts *opts,
                               Backend **handle, Buf *why) {
  *handle = arena_one(a, Backend);
  Buf no_llvm = {0};
  Load l = {a, emitted, target, opts, *handle, &no_llvm, false};
  const DnnProgram *p = load_llvm(&l);
  if (!p) {
    if (!opts->quiet) say_fallback(no_llvm.s);
    l.why = why;
    p = load_cc(&l);
    l.backend->by_system = true;
  }
  buf_free(&no_llvm);
  if (p && !p->supported()) {
    buf_printf(why, "this processor lacks what the target %s needs", p->target);
    return NULL;
  }
  return p;
}

const CacheKey *backend_image(const Backend *b) { return b && b->has_image ? &b->image : NULL; }

const DnnProgram *backend_load_image(Arena *a, const CacheKey *image, const LoadOpts *opts, Backend **handle) {
  *handle = arena_one(a, Backend);
  (*handle)->image = *image;
  const DnnProgram *p = load_cached(&(Load){.arena = a, .opts = opts, .backend = *handle});
  return p && p->supported() ? p : NULL;
}

bool backend_key(CacheKey *k) {
  Arena *a = arena_new();
  cache_key_text(k, plugin_identity());
  cache_key_text(k, processor_unit(a));
  arena_free(a);
  return plugin_path() != NULL;
}

void backend_close(Backend *b) {
  if (b && b->imaging) pthread_join(b->imaging->thread, NULL);
  if (b && b->code) b->api->unlink(b->code);
  if (b && b->object) dlclose(b->object);
}
