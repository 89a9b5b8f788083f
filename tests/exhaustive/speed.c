/* Processor cycles for each element of a loop over 4096 floats (16 KB read, 16 KB written). A cycle is what a chain of
 * additions takes for one, so the clock's rate does not matter. */
#include "tests/exhaustive/functions.h"
#include <stdio.h>
#include <time.h>

enum { COUNT = 4096 };
static _Alignas(64) float x[COUNT], x2[COUNT], y[COUNT];

#define FUNCTION(name, ref, bound)                                                                                     \
  __attribute__((noinline)) static void loop_##name(float *restrict to, const float *restrict a,                       \
                                                    const float *restrict b) {                                         \
    (void)b;                                                                                                           \
    for (int i = 0; i < COUNT; i++) to[i] = dnn_##name##_f32(a[i]);                                                    \
  }
FUNCTIONS
#undef FUNCTION
__attribute__((noinline)) static void loop_pow(float *restrict to, const float *restrict a, const float *restrict b) {
  for (int i = 0; i < COUNT; i++) to[i] = dnn_pow_f32(a[i], b[i]);
}

__attribute__((noinline)) static void loop_gelu(float *restrict to, const float *restrict a, const float *restrict b) {
  (void)b;
  for (int i = 0; i < COUNT; i++) to[i] = dnn_gelu_f32(a[i]);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
static double seconds_of_cycle(void) {
  double best = 1;
  for (int turn = 0; turn < 1000; turn++) {
    const double begin = now();
    long a = 1;
    for (int i = 0; i < 100000; i++) {
      a += 1;
      __asm__ volatile("" : "+r"(a)); /* keeps the chain */
    }
    const double t = (now() - begin) / 100000;
    if (t < best) best = t;
  }
  return best;
}
static void time_of(const char *name, void (*loop)(float *, const float *, const float *), double cycle) {
  double best = 1;
  for (int turn = 0; turn < 2000; turn++) {
    const double begin = now();
    loop(y, x, x2);
    const double t = (now() - begin) / COUNT;
    if (t < best) best = t;
  }
  printf("%-8s %6.2f\n", name, best / cycle);
}

int main(void) {
  const double cycle = seconds_of_cycle();
  for (int i = 0; i < COUNT; i++) {
    x[i] = (float)((double)(pair_random((uint64_t)i) >> 32) * 0x1p-32 * 20);
    x2[i] = (float)((double)(pair_random((uint64_t)i) & 0xffffffff) * 0x1p-32 * 4 - 2);
  }
  printf("function cycles\n");
#define FUNCTION(name, ref, bound) time_of(#name, loop_##name, cycle);
  FUNCTIONS
#undef FUNCTION
  time_of("pow", loop_pow, cycle);
  time_of("gelu", loop_gelu, cycle);
  return 0;
}
