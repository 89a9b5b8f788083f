/* The plug-in libdnnc_jit: clang, ORC and lld of LLVM 19 behind a C face. codegen/load.c opens it on first use; nothing
 * else of dnnc knows of LLVM.
 *
 * Nothing here reads a file of a compiler's installation: the units, their headers and those of libc (headers.cpp) are
 * in memory. No signal handler is installed, nothing is written to stdout or stderr, and no function exits. */
#ifndef CODEGEN_JIT_JIT_H
#define CODEGEN_JIT_JIT_H
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct JitFile {
  const char *name, *text; /* the text has a zero byte behind it */
  size_t size;
} JitFile;

/* One translation unit; what it gives is freed by JitApi.free_units. */
typedef struct JitUnit {
  int file;                 /* which of the files */
  const char *const *flags; /* as for the clang command, NULL-terminated; units may share a list */
  size_t weight;            /* of the time that it takes, for the caller's order */
  char *object;             /* out: an ELF object, NULL when the unit does not compile */
  size_t object_size;
  char *words; /* out: clang's diagnostics, warnings too; NULL for none */
  double ms;   /* out: processor time */
} JitUnit;

typedef struct JitCode JitCode; /* linked code in memory */

enum {
  JIT_ABI = 2,
  JIT_GDB = 1,  /* link: the objects are shown to a debugger (GDB's interface for just-in-time code) */
  JIT_PERF = 2, /* link: the symbols are added to /tmp/perf-PID.map */
};

typedef struct JitApi {
  int abi;              /* JIT_ABI */
  const char *compiler; /* "clang 19.1.7" */
  /* Compiles the units, in their order, on at most `jobs` threads. False when any has diagnostics. */
  bool (*compile)(const JitFile *files, int n_files, JitUnit *units, int n_units, int jobs);
  void (*free_units)(JitUnit *units, int n_units);
  /* Links the objects in memory, with libc, libm and libomp of this process, and finds the address of `symbol`. NULL
   * and the reason (for free()) in `*why`. */
  JitCode *(*link)(const JitUnit *units, int n_units, const char *symbol, unsigned flags, void **address, char **why);
  void (*unlink)(JitCode *code);
  /* Links the same objects to a shared object (lld), which needs `libraries`: paths, NULL-terminated. Its bytes are for
   * free(). False and the reason (for free()) in `*why`. */
  bool (*image)(const JitUnit *units, int n_units, const char *const *libraries, char **bytes, size_t *size,
                char **why);
} JitApi;

/* The plug-in's only symbol. */
#define JIT_SYMBOL "dnnc_jit_api"
typedef const JitApi *JitApiFn(void);

#ifdef __cplusplus
}
#endif
#endif
