/* The largest errors of the f32 functions of runtime/core/maths.h against libm's f64 functions.
 *
 *   sweep [--step N] [--pairs N] [--threads N] [NAME...]
 *
 * Every N-th of all 2^32 floats (1), N pairs for pow (10^9), N threads (2); the named functions, or all. One row each:
 * the largest error in units of the last place where the result is a normal number and where it is not (there in units
 * of 2^-149), and how many results that must be exact (0, infinities, NaN, infinite arguments) are not. Status 1 when
 * one is beyond its bound. `gelu` has bounds right of 0 and close to 0, and of its absolute error for x < 0. */
#include "tests/exhaustive/functions.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Blocks of arguments, so that the function's loop is vectorised as in kernels. */
enum { BLOCK = 4096, MAX_THREADS = 64 };
typedef struct Worst {
  double normal, subnormal;
  float x, y; /* of `normal` */
  uint64_t wrong;
  float wrong_x, wrong_y;
} Worst;
typedef struct Job {
  void (*values)(float *restrict y, const float *restrict x, const float *restrict x2);
  double (*ref)(double);
  double (*ref2)(double, double);
  uint64_t begin, end, step;
  Worst worst;
} Job;

#define FUNCTION(name, ref, bound)                                                                                     \
  static void values_##name(float *restrict y, const float *restrict x, const float *restrict x2) {                    \
    (void)x2;                                                                                                          \
    for (int i = 0; i < BLOCK; i++) y[i] = dnn_##name##_f32(x[i]);                                                     \
  }
FUNCTIONS
#undef FUNCTION
static void values_pow(float *restrict y, const float *restrict x, const float *restrict x2) {
  for (int i = 0; i < BLOCK; i++) y[i] = dnn_pow_f32(x[i], x2[i]);
}
static void values_gelu(float *restrict y, const float *restrict x, const float *restrict x2) {
  (void)x2;
  for (int i = 0; i < BLOCK; i++) y[i] = dnn_gelu_f32(x[i]);
}

static void see(Worst *w, float x, float x2, float y, UlpError e) {
  if (e.ulp == (double)INFINITY) {
    if (!w->wrong++) w->wrong_x = x, w->wrong_y = x2;
  } else if (e.subnormal) {
    if (e.ulp > w->subnormal) w->subnormal = e.ulp;
  } else if (e.ulp > w->normal) {
    w->normal = e.ulp;
    w->x = x;
    w->y = x2;
  }
  (void)y;
}
static void *work(void *p) {
  Job *j = p;
  static _Thread_local float x[BLOCK], x2[BLOCK], y[BLOCK];
  for (uint64_t at = j->begin; at < j->end; at += BLOCK * j->step) {
    for (uint64_t i = 0; i < BLOCK; i++) {
      if (j->ref2) pair_for_pow(at + i, &x[i], &x2[i]);
      else x[i] = dnn_float((uint32_t)(at + i * j->step));
    }
    j->values(y, x, x2);
    for (int i = 0; i < BLOCK; i++) {
      const bool plain = isfinite(x[i]) && (!j->ref2 || isfinite(x2[i]));
      const double want = j->ref2 ? j->ref2((double)x[i], (double)x2[i]) : j->ref((double)x[i]);
      see(&j->worst, x[i], x2[i], y[i], ulp_error(y[i], want, plain));
    }
  }
  return NULL;
}
static Worst sweep(Job job, int threads) {
  Job jobs[MAX_THREADS];
  pthread_t ids[MAX_THREADS];
  const uint64_t piece = BLOCK * job.step, pieces = (job.end + piece - 1) / piece;
  Worst w = {0};
  for (int t = 0; t < threads; t++) {
    jobs[t] = job;
    jobs[t].begin = pieces * (uint64_t)t / (uint64_t)threads * piece;
    jobs[t].end = pieces * (uint64_t)(t + 1) / (uint64_t)threads * piece;
    if (pthread_create(&ids[t], NULL, work, &jobs[t])) {
      perror("pthread_create");
      exit(2);
    }
  }
  for (int t = 0; t < threads; t++) {
    pthread_join(ids[t], NULL);
    const Worst *one = &jobs[t].worst;
    if (one->normal > w.normal) w.normal = one->normal, w.x = one->x, w.y = one->y;
    if (one->subnormal > w.subnormal) w.subnormal = one->subnormal;
    if (one->wrong && !w.wrong) w.wrong_x = one->wrong_x, w.wrong_y = one->wrong_y;
    w.wrong += one->wrong;
  }
  return w;
}

static bool row(const char *name, Worst w, double bound, bool two) {
  const bool beyond = w.normal > bound || w.subnormal > bound || w.wrong;
  char at[64];
  snprintf(at, sizeof at, two ? "%a, %a" : "%a", (double)w.x, (double)w.y);
  printf("%-8s %9.4f %5.2f  %-30s %10.4f %6llu%s\n", name, w.normal, bound, at, w.subnormal,
         (unsigned long long)w.wrong, beyond ? "  BEYOND" : "");
  if (w.wrong) printf("  wrong at %a, %a\n", (double)w.wrong_x, (double)w.wrong_y);
  fflush(stdout);
  return !beyond;
}
static bool pow_specials(Worst *w) {
  static float x[BLOCK], x2[BLOCK], y[BLOCK];
  const int n = 2 * SPECIAL_VALUES;
  for (int a = 0; a < n; a++) {
    for (int i = 0; i < n; i++) x[i] = special_value(a), x2[i] = special_value(i);
    values_pow(y, x, x2);
    for (int i = 0; i < n; i++)
      see(w, x[i], x2[i], y[i], ulp_error(y[i], pow((double)x[i], (double)x2[i]), isfinite(x[i]) && isfinite(x2[i])));
  }
  return !w->wrong;
}
/* Where the result is normal, its relative error; left of 0 the absolute one. */
static bool gelu_row(uint64_t step) {
  static float x[BLOCK], y[BLOCK];
  double ulp_right = 0, ulp_left = 0, absolute = 0;
  float at_right = 0, at_left = 0, at = 0;
  for (uint64_t k = 0; k < UINT64_C(1) << 32; k += BLOCK * step) {
    for (uint64_t i = 0; i < BLOCK; i++) x[i] = dnn_float((uint32_t)(k + i * step));
    values_gelu(y, x, x);
    for (int i = 0; i < BLOCK; i++) {
      if (!(fabsf(x[i]) < 1e30f)) continue;
      const double want = gelu_ref((double)x[i]), off = fabs((double)y[i] - want);
      const double ulp = ulp_error(y[i], want, true).ulp;
      if (x[i] > 0 && ulp > ulp_right) ulp_right = ulp, at_right = x[i];
      if (x[i] < 0 && x[i] > -1 && ulp > ulp_left) ulp_left = ulp, at_left = x[i];
      if (x[i] < 0 && off > absolute) absolute = off, at = x[i];
    }
  }
  printf("gelu     x > 0: %.2f ulp at %g; -1 < x < 0: %.2f ulp at %g; x < 0: %.3g absolute at %g\n", ulp_right,
         (double)at_right, ulp_left, (double)at_left, absolute, (double)at);
  return ulp_right <= GELU_RIGHT_BOUND && ulp_left <= GELU_LEFT_BOUND && absolute <= GELU_ABSOLUTE_BOUND;
}

static bool chosen(char **names, const char *name) {
  if (!*names) return true;
  for (; *names; names++)
    if (!strcmp(*names, name)) return true;
  return false;
}
int main(int argc, char **argv) {
  uint64_t step = 1, pairs = 1000000000;
  int threads = 2, i = 1;
  bool fine = true;
  for (; i + 1 < argc && !strncmp(argv[i], "--", 2); i += 2) {
    const uint64_t n = strtoull(argv[i + 1], NULL, 10);
    if (!strcmp(argv[i], "--step") && n > 0) step = n;
    else if (!strcmp(argv[i], "--pairs")) pairs = n;
    else if (!strcmp(argv[i], "--threads") && n > 0 && n <= MAX_THREADS) threads = (int)n;
    else break;
  }
  if (i < argc && argv[i][0] == '-') {
    fprintf(stderr, "usage: sweep [--step N] [--pairs N] [--threads N] [NAME...]\n");
    return 2;
  }
  printf("function       ulp bound  at                              subnormal  wrong\n");
#define FUNCTION(name, reference, bound)                                                                               \
  if (chosen(argv + i, #name))                                                                                         \
    fine &=                                                                                                            \
        row(#name,                                                                                                     \
            sweep((Job){.values = values_##name, .ref = reference, .end = UINT64_C(1) << 32, .step = step}, threads),  \
            bound, false);
  FUNCTIONS
#undef FUNCTION
  if (chosen(argv + i, "pow")) {
    Worst w = sweep((Job){.values = values_pow, .ref2 = pow, .end = pairs, .step = 1}, threads);
    pow_specials(&w);
    fine &= row("pow", w, POW_BOUND, true);
  }
  if (chosen(argv + i, "gelu")) fine &= gelu_row(step);
  return !fine;
}
