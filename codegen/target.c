/* The table of targets: everything about a processor that the compiler asks. One table of flags serves every compiler.
 */
#include "codegen/codegen.h"
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* No -ffast-math: only what does not change results. Math functions need not set errno, and no one reads the floating
 * point exception flags. The last flag of gcc keeps it from making calls of memmove out of copies of a few vectors.
 * What clang does more at -O3, and vectors made of straight code, find nothing in these kernels but take a quarter of
 * the compile time; accumulators of lanes, which -O3 unrolls before it makes vectors of them, are faster at -O2.
 * Strength reduction of addresses takes an eighth and changes no kernel's speed. Scheduling before registers are chosen
 * hoists the loads of a register tile and spills its sums; processors find the order themselves. Only short loops of
 * known length are unrolled whole, as lanes are: tails and loops of calls win nothing by it. */
#define GCC "-O3 -std=gnu11 -ffp-contract=fast -fno-math-errno -fno-trapping-math -fno-tree-loop-distribute-patterns "
#define CLANG                                                                                                          \
  "-O2 -std=gnu11 -ffp-contract=on -fno-math-errno -fno-trapping-math -fno-slp-vectorize "                             \
  "-mllvm -disable-lsr -mllvm -unroll-runtime=false -mllvm -unroll-partial-threshold=0 -mllvm -unroll-threshold=80 "   \
  "-mllvm -enable-misched=0 "
#define KB INT64_C(1024)

static const Target targets[] = {
    {"x86-64-v4", 64, 32, 32 * KB, 1024 * KB, 16384 * KB, GCC "-march=x86-64-v4 -mprefer-vector-width=512",
     CLANG "-march=x86-64-v4 -mprefer-vector-width=512", "avx512f avx512bw avx512cd avx512dq avx512vl", 32},
    {"x86-64-v3", 32, 16, 32 * KB, 256 * KB, 8192 * KB, GCC "-march=x86-64-v3", CLANG "-march=x86-64-v3",
     "avx avx2 bmi bmi2 fma", 32},
    {"x86-64-v2", 16, 16, 32 * KB, 256 * KB, 8192 * KB, GCC "-march=x86-64-v2", CLANG "-march=x86-64-v2",
     "sse3 ssse3 sse4.1 sse4.2 popcnt", 32},
    {"aarch64", 16, 32, 32 * KB, 512 * KB, 4096 * KB, GCC "-march=armv8-a", CLANG "-march=armv8-a", "", 32},
    {"plain", 4, 16, 32 * KB, 256 * KB, 4096 * KB, "-O2 -std=c11 -ffp-contract=fast", "-O2 -std=c11 -ffp-contract=on",
     "", 32},
};

static const Target *native(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    return &targets[0];
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"))
    return &targets[1];
  return __builtin_cpu_supports("sse4.2") ? &targets[2] : &targets[4];
#elif defined(__aarch64__)
  return &targets[3];
#else
  return &targets[4];
#endif
}

const Target *target_find(const char *name) {
  if (!strcmp(name, "native")) {
    static Target here;
    here = *native();
    /* What runs here was compiled here: gcc may use all of this processor. Clang gets the level's name, because
     * -march=native makes clang-19 warn about itself on processors with AVX10. */
    if (!strncmp(here.name, "x86", 3))
      here.gcc_flags = here.vector_bytes == 64 ? GCC "-march=native -mprefer-vector-width=512" : GCC "-march=native";
    return &here;
  }
  for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
    if (!strcmp(targets[i].name, name)) return &targets[i];
  return NULL;
}

int target_lanes(const Target *t, DType d) {
  int size = dtype_size(d);
  return t->vector_bytes > size ? t->vector_bytes / size : 1;
}
bool tile_fits(const Target *t, int mr, int nv) {
  if (mr > 16 || nv > 8) return false;
  return t->vector_bytes <= 8 ? mr * nv <= 16 : mr * nv + nv + 1 <= t->registers;
}
