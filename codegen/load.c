/* backend_load by the system's compiler: emitted files -> shared object -> dlopen. */
#include "codegen/load.h"
#include "base/ds.h"
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

struct Backend {
  void *object;
};

static const DnnProgram *open_object(const char *path, Backend *b, Buf *why) {
  /* never unmapped: OpenMP's idle threads live in a library that would go with it */
  b->object = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  void *symbol = b->object ? dlsym(b->object, DNN_PROGRAM_SYMBOL) : NULL;
  if (!symbol) {
    buf_printf(why, "%s", dlerror());
    return NULL;
  }
  DnnProgramFn *fn;
  memcpy(&fn, &symbol, sizeof fn);
  return fn();
}

const DnnProgram *backend_load(Arena *a, const EmitOut *emitted, const Target *target, bool time, Backend **handle,
                               Buf *why) {
  const char *dir = cc_temp_dir(a, why);
  if (!dir) return NULL;
  const char *so = arena_printf(a, "%s/program.so", dir);
  int n = (int)arrlen(emitted->files);
  CcJob job = {
      .dir = dir, .out = so, .kind = CC_SHARED, .target = target, .extra_libs = "", .openmp = true, .time = time};
  *handle = arena_one(a, Backend);
  const DnnProgram *p = NULL;
  if (cc_write_files(dir, emitted->files, n, why) && cc_build(&job, emitted->files, n, why))
    p = open_object(so, *handle, why);
  cc_remove_dir(dir);
  if (p && !p->supported()) {
    buf_printf(why, "this processor lacks what the target %s needs", p->target);
    return NULL;
  }
  return p;
}

void backend_close(Backend *b) {
  if (b && b->object) dlclose(b->object);
}
