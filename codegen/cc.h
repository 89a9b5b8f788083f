/* The system's C compiler: translation units to objects, in parallel, and objects to shared objects or executables. */
#ifndef CODEGEN_CC_H
#define CODEGEN_CC_H
#include "codegen/emit.h"

enum { CC_MOST_JOBS = 64 };
typedef enum CcKind { CC_SHARED, CC_EXE, CC_OBJECTS } CcKind;
typedef struct CcJob {
  const char *dir; /* holds the files already written; objects go there too */
  const char *out; /* path of the result; CC_OBJECTS: not used */
  CcKind kind;
  const Target *target;
  const char *extra_libs; /* "-lz", separated by blanks; "" for none */
  int jobs;               /* compilers at a time; 0: one per processor */
  bool openmp;            /* linked with OpenMP */
  bool debug;             /* with line tables */
  bool time;              /* tells times on stderr */
} CcJob;

/* The command of the compiler: $CC, words separated by blanks ("ccache gcc", "gcc -m32"), else gcc, else clang-19, else
 * clang, else cc. NULL when there is none. */
const char *cc_find(void);
bool cc_is_clang(const char *cc);
/* The flags of a unit of this kind, the same for the command and for the LLVM plug-in: NULL-terminated, in the arena.
 */
const char **cc_unit_flags(Arena *a, bool clang, const Target *target, EmitKind kind, bool openmp, bool debug);
/* How many units are compiled at a time: one per processor, at most CC_MOST_JOBS. */
int cc_jobs(void);
/* Compiles every .c and .S of `files` in `job->dir` and links. False: `why` tells that there is no
 * compiler, or that it failed, with its words. */
bool cc_build(const CcJob *job, const EmitFile *files, int n_files, Buf *why);
/* Writes the files into `dir`, which is made when missing. False and errno in `why`. Unchanged files are left alone. */
bool cc_write_files(const char *dir, const EmitFile *files, int n_files, Buf *why);
/* A new private directory below $TMPDIR or /tmp; and the end of it with all it holds (one level). */
char *cc_temp_dir(Arena *a, Buf *why);
void cc_remove_dir(const char *dir);
#endif
