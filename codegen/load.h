/* A program made runnable inside this process. In this order: an image of it in the cache, opened without a compiler;
 * the LLVM plug-in, in memory; the system's compiler, which is said once on stderr, with the reason. */
#ifndef CODEGEN_LOAD_H
#define CODEGEN_LOAD_H
#include "codegen/cache.h"
#include "codegen/cc.h"

typedef struct LoadOpts {
  bool time;     /* every phase on stderr */
  bool no_cache; /* the cache is neither read nor written */
  bool quiet;    /* that there is no LLVM plug-in is not said */
  bool debug;    /* line tables, and the code is shown to GDB and perf; never from the cache */
} LoadOpts;

typedef struct Backend Backend;
/* Compiles the emitted files and loads them; nothing is left in the file system but the cache's entry. NULL and the
 * reasons in `why`; the tables live until backend_close. A unit that clang has words about is a defect of dnnc and ends
 * the process (INTERNAL); the unit is kept and named. */
const DnnProgram *backend_load(Arena *a, const EmitOut *emitted, const Target *target, const LoadOpts *opts,
                               Backend **handle, Buf *why);
/* Did the system's compiler make it, not the plug-in? */
bool backend_by_system(const Backend *b);
/* The image's key in the cache; NULL when there is none. */
const CacheKey *backend_image(const Backend *b);
/* The program of an image in the cache; NULL when it is not there any more. */
const DnnProgram *backend_load_image(Arena *a, const CacheKey *image, const LoadOpts *opts, Backend **handle);
/* Adds what decides about images beside the text: the compiler and the processor. False: there is no such compiler. */
bool backend_key(CacheKey *k);
void backend_close(Backend *b);
#endif
