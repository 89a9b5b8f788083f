/* A vectorised loop and one call at a time must give the same bits, for every length of the loop: the functions of
 * runtime/core/maths.h are evaluated both ways. Prints one number for each function, a digest of all results, so that
 * compilers can be compared; status 1 when a bit differs. */
#include "tests/exhaustive/functions.h"
#include <stdio.h>

enum { COUNT = 1 << 16 };
static float x[COUNT], x2[COUNT], y[COUNT], z[COUNT];

#define FUNCTION(name, ref, bound)                                                                                     \
  __attribute__((noinline)) static void loop_##name(float *restrict to, const float *restrict a,                       \
                                                    const float *restrict b, long n) {                                 \
    (void)b;                                                                                                           \
    for (long i = 0; i < n; i++) to[i] = dnn_##name##_f32(a[i]);                                                       \
  }                                                                                                                    \
  __attribute__((noinline)) static float call_##name(float a, float b) {                                               \
    (void)b;                                                                                                           \
    return dnn_##name##_f32(a);                                                                                        \
  }
FUNCTIONS
#undef FUNCTION
__attribute__((noinline)) static void loop_pow(float *restrict to, const float *restrict a, const float *restrict b,
                                               long n) {
  for (long i = 0; i < n; i++) to[i] = dnn_pow_f32(a[i], b[i]);
}
__attribute__((noinline)) static float call_pow(float a, float b) { return dnn_pow_f32(a, b); }
__attribute__((noinline)) static void loop_gelu(float *restrict to, const float *restrict a, const float *restrict b,
                                                long n) {
  (void)b;
  for (long i = 0; i < n; i++) to[i] = dnn_gelu_f32(a[i]);
}
__attribute__((noinline)) static float call_gelu(float a, float b) {
  (void)b;
  return dnn_gelu_f32(a);
}
/* Divisors are from 2^-75 to 2^75. */
static float divisor(float b) { return b > 0x1p-75f && b < 0x1p75f ? b : 1.5f; }
__attribute__((noinline)) static void loop_over(float *restrict to, const float *restrict a, const float *restrict b,
                                                long n) {
  for (long i = 0; i < n; i++) to[i] = dnn_over_f32(a[i], divisor(b[i]));
}
__attribute__((noinline)) static float call_over(float a, float b) { return dnn_over_f32(a, divisor(b)); }

static int same(const char *name, long at, float a, float b) {
  if (dnn_word(a) == dnn_word(b) || (a != a && b != b)) return 1;
  printf("%s: %a in the loop, %a alone, at %a, %a\n", name, (double)a, (double)b, (double)x[at], (double)x2[at]);
  return 0;
}
static int function(const char *name, void (*loop)(float *, const float *, const float *, long),
                    float (*call)(float, float)) {
  uint64_t digest = 0;
  volatile float one, two;
  for (long i = 0; i < COUNT; i++) {
    one = x[i];
    two = x2[i];
    z[i] = call(one, two);
    digest = pair_random(digest ^ (z[i] != z[i] ? 0x7fc00000u : dnn_word(z[i])));
  }
  loop(y, x, x2, COUNT);
  for (long i = 0; i < COUNT; i++)
    if (!same(name, i, y[i], z[i])) return 0;
  for (long n = 1; n < 100; n++) /* all kinds of tails, from places that are not aligned */
    for (long from = 0; from < COUNT - n; from += 1013) {
      loop(y, x + from, x2 + from, n);
      for (long i = 0; i < n; i++)
        if (!same(name, from + i, y[i], z[from + i])) return 0;
    }
  printf("%-8s %016llx\n", name, (unsigned long long)digest);
  return 1;
}

int main(void) {
  int fine = 1;
  for (long i = 0; i < COUNT; i++) {
    pair_for_pow((uint64_t)i, &x[i], &x2[i]);
    if (i % 4 == 3) x[i] = (float)((double)(pair_random((uint64_t)i) >> 32) * 0x1p-32 * 40 - 20); /* ordinary ones */
  }
  for (int i = 0; i < 2 * SPECIAL_VALUES; i++) x[7 * i] = special_value(i);
#define FUNCTION(name, ref, bound) fine &= function(#name, loop_##name, call_##name);
  FUNCTIONS
#undef FUNCTION
  fine &= function("pow", loop_pow, call_pow);
  fine &= function("gelu", loop_gelu, call_gelu);
  fine &= function("over", loop_over, call_over);
  return !fine;
}
