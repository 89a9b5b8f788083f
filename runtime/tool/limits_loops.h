/* What measures a machine's limits, for `dnnc profile` and bench/limits.c: loops that are compiled once for each width
 * of vectors (the compiler's flags say which). Arrays are multiples of 64 bytes. */
#ifndef DNN_LIMITS_LOOPS_H
#define DNN_LIMITS_LOOPS_H
#include <stdint.h>

typedef struct DnnLimitArrays {
  float *x, *y, *z;
} DnnLimitArrays;
/* PEAK: multiply-adds in registers, a multiply-add counts 2; READ: sum of an array; COPY: y = x; TRIAD: y = x + a z;
 * UPDATE: y = y + a z. In each, every access of an array counts its bytes. */
enum { DNN_LIMIT_PEAK, DNN_LIMIT_READ, DNN_LIMIT_COPY, DNN_LIMIT_TRIAD, DNN_LIMIT_UPDATE };

enum { LIMIT_BYTES = 64, LIMIT_LANES = LIMIT_BYTES / 4, LIMIT_CHAINS = 12 };
typedef float limit_vec __attribute__((vector_size(LIMIT_BYTES)));
typedef float limit_native __attribute__((vector_size(
#if defined(__AVX512F__)
    64
#elif defined(__AVX__)
    32
#else
    16
#endif
    )));

#if defined(__x86_64__)
#define LIMIT_REGISTER(v) "+x"(v)
#else
#define LIMIT_REGISTER(v) "+w"(v)
#endif

/* Independent chains a = a b + c: scalars by name, since an array would live in memory. */
#define LIMIT_EACH(F) F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11)
static inline double limit_chains(int64_t n, volatile float *sink) {
  limit_native b = {0}, c = {0}, total = {0};
  b += 0.999f;
  c += 0.001f;
#define LIMIT_BEGIN(k) limit_native a##k = b + (float)k;
#define LIMIT_STEP(k) a##k = a##k * b + c;
#define LIMIT_KEEP(k) __asm__("" : LIMIT_REGISTER(a##k));
#define LIMIT_END(k) total += a##k;
  LIMIT_EACH(LIMIT_BEGIN)
  for (int64_t i = 0; i < n; i++) {
    LIMIT_EACH(LIMIT_STEP)
    LIMIT_EACH(LIMIT_KEEP)
  }
  LIMIT_EACH(LIMIT_END)
  *sink = total[0];
  return 2.0 * LIMIT_CHAINS * (double)(sizeof b / sizeof(float)) * (double)n;
}

static inline void limit_store(float *to, limit_vec v, int streaming) {
#ifdef __clang__
  if (streaming) __builtin_nontemporal_store(v, (limit_vec *)to);
  else *(limit_vec *)to = v;
#elif defined(__AVX512F__)
  if (streaming) __builtin_ia32_movntps512(to, v);
  else *(limit_vec *)to = v;
#elif defined(__AVX__)
  union {
    limit_vec whole;
    limit_native half[2];
  } u = {v};
  if (streaming) __builtin_ia32_movntps256(to, u.half[0]), __builtin_ia32_movntps256(to + 8, u.half[1]);
  else *(limit_vec *)to = v;
#else
  *(limit_vec *)to = v;
#endif
}

/* One sweep over elements from .. to, a multiple of 64 of them; the bytes it moved. */
static inline double limit_sweep(int what, int streaming, const DnnLimitArrays *a, int64_t from, int64_t to,
                                 volatile float *sink) {
  const float *in = a->x, *more = a->z;
  float *out = a->y;
  limit_vec sum[4] = {{0}};
  for (int64_t i = from; i < to; i += 4 * LIMIT_LANES)
    for (int k = 0; k < 4; k++) {
      int64_t j = i + k * LIMIT_LANES;
      if (what == DNN_LIMIT_READ) sum[k] += *(const limit_vec *)(in + j);
      else if (what == DNN_LIMIT_COPY) limit_store(out + j, *(const limit_vec *)(in + j), streaming);
      else if (what == DNN_LIMIT_UPDATE) *(limit_vec *)(out + j) += 1e-3f * *(const limit_vec *)(more + j);
      else limit_store(out + j, *(const limit_vec *)(in + j) + 1.5f * *(const limit_vec *)(more + j), streaming);
    }
  sum[0] += sum[1] + sum[2] + sum[3];
  if (what == DNN_LIMIT_READ) *sink = sum[0][0] + sum[0][LIMIT_LANES - 1];
  return 4.0 * (what == DNN_LIMIT_READ ? 1 : what == DNN_LIMIT_COPY ? 2 : 3) * (double)(to - from);
}

/* `streaming`: stores go past the caches. PEAK does `to - from` rounds. The work: operations or bytes. Each case is
 * compiled for itself. */
static inline double limit_run(int what, int streaming, const DnnLimitArrays *a, int64_t from, int64_t to,
                               volatile float *sink) {
  switch (what) {
  case DNN_LIMIT_PEAK: return limit_chains(to - from, sink);
  case DNN_LIMIT_READ: return limit_sweep(DNN_LIMIT_READ, 0, a, from, to, sink);
  case DNN_LIMIT_COPY:
    if (streaming) return limit_sweep(DNN_LIMIT_COPY, 1, a, from, to, sink);
    return limit_sweep(DNN_LIMIT_COPY, 0, a, from, to, sink);
  case DNN_LIMIT_UPDATE: return limit_sweep(DNN_LIMIT_UPDATE, 0, a, from, to, sink);
  default:
    if (streaming) return limit_sweep(DNN_LIMIT_TRIAD, 1, a, from, to, sink);
    return limit_sweep(DNN_LIMIT_TRIAD, 0, a, from, to, sink);
  }
}
#endif
