/* What the contestants of bench/run and bench/sweep have in common: a process reads requests, one a line, and answers
 * each with one line. `SECONDS WORDS...` asks for repeated runs of the case that the words name, for SECONDS and at
 * least 3 times, but not again after 2 seconds; the answer is `BEST MEDIAN COUNT`, in seconds a run, or `error
 * MESSAGE`. */
#ifndef BENCH_SERVE_H
#define BENCH_SERVE_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline double serve_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline int serve_less(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Runs `once` until the time is up and prints the answer; NULL, or what `once` says went wrong. */
static inline const char *serve_time(double seconds, const char *(*once)(void *), void *user) {
  enum { MOST = 20000 };
  static double times[MOST];
  int n = 0;
  double begin = serve_now(), before = begin;
  while (n < MOST && (before - begin < seconds || (n < 3 && before - begin < 2) || n < 1)) {
    const char *error = once(user);
    if (error) return error;
    double now = serve_now();
    times[n++] = now - before;
    before = now;
  }
  qsort(times, (size_t)n, sizeof *times, serve_less);
  printf("%.9g %.9g %d\n", times[0], times[n / 2], n);
  return NULL;
}

/* n floats in -1 .. 1, at a multiple of 64 bytes. */
static inline float *serve_floats(int64_t n, uint32_t *random) {
  float *v = aligned_alloc(64, (size_t)(4 * n + 127) / 64 * 64);
  if (!v) abort();
  for (int64_t i = 0; i < n; i++) {
    *random = *random * 1664525u + 1013904223u;
    v[i] = (float)(*random >> 8) * 0x1p-23f - 1;
  }
  return v;
}
#endif
