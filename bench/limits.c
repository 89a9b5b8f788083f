/* The limits of this machine as a contestant (bench/serve.h): `limits THREADS`. The words of a request are NAME and,
 * for stores past the caches, 1; with 0 SECONDS the answer is the work of a run: operations or bytes.
 *   peak   multiply-adds in registers; one counts 2
 *   read   sum of an array
 *   copy   y = x; each array counts once
 *   triad  y = x + a z
 *   update y = y + a z, where y counts twice
 * Arrays are 128 MiB each. */
#include "bench/serve.h"
#include <omp.h>

enum { BYTES = 64, LANES = BYTES / 4, CHAINS = 12, COUNT = 1 << 25, PART = 1 << 13 };
typedef float vec __attribute__((vector_size(BYTES)));
typedef float native __attribute__((vector_size(
#if defined(__AVX512F__)
    64
#elif defined(__AVX__)
    32
#else
    16
#endif
    )));

#if defined(__x86_64__)
#define REGISTER(v) "+x"(v)
#else
#define REGISTER(v) "+w"(v)
#endif

static float *x, *y, *z;
static volatile float sink;

/* Independent chains a = a b + c: scalars by name, since an array would live in memory. */
#define EACH_CHAIN(F) F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11)
static double chains(int64_t n) {
  native b = {0}, c = {0}, total = {0};
  b += 0.999f;
  c += 0.001f;
#define BEGIN(k) native a##k = b + (float)k;
#define STEP(k) a##k = a##k * b + c;
#define KEEP(k) __asm__("" : REGISTER(a##k));
#define END(k) total += a##k;
  EACH_CHAIN(BEGIN)
  for (int64_t i = 0; i < n; i++) {
    EACH_CHAIN(STEP)
    EACH_CHAIN(KEEP)
  }
  EACH_CHAIN(END)
  sink = total[0];
  return 2.0 * CHAINS * (double)(sizeof b / sizeof(float)) * (double)n;
}

static inline void store(float *to, vec v, int streaming) {
#ifdef __clang__
  if (streaming) __builtin_nontemporal_store(v, (vec *)to);
  else *(vec *)to = v;
#elif defined(__AVX512F__)
  if (streaming) __builtin_ia32_movntps512(to, v);
  else *(vec *)to = v;
#elif defined(__AVX__)
  union {
    vec whole;
    native half[2];
  } u = {v};
  if (streaming) __builtin_ia32_movntps256(to, u.half[0]), __builtin_ia32_movntps256(to + 8, u.half[1]);
  else *(vec *)to = v;
#else
  *(vec *)to = v;
#endif
}

/* One sweep of this thread's part; the bytes it moved. */
static inline double sweep(int what, int streaming, int64_t from, int64_t to) {
  const float *in = x, *more = z;
  float *out = y;
  vec sum[4] = {{0}};
  for (int64_t i = from; i < to; i += 4 * LANES)
    for (int k = 0; k < 4; k++) {
      int64_t j = i + k * LANES;
      if (what == 0) sum[k] += *(const vec *)(in + j);
      else if (what == 1) store(out + j, *(const vec *)(in + j), streaming);
      else if (what == 3) *(vec *)(out + j) += 1e-3f * *(const vec *)(more + j);
      else store(out + j, *(const vec *)(in + j) + 1.5f * *(const vec *)(more + j), streaming);
    }
  sum[0] += sum[1] + sum[2] + sum[3];
  if (what == 0) sink = sum[0][0] + sum[0][LANES - 1];
  return 4.0 * (what < 2 ? what + 1 : 3) * (double)(to - from);
}

/* Each case is compiled for itself. */
static double run(int what, int streaming, int64_t from, int64_t to) {
  if (what < 0) return chains(1 << 19);
  if (what == 0) return sweep(0, 0, from, to);
  if (what == 1) return streaming ? sweep(1, 1, from, to) : sweep(1, 0, from, to);
  if (what == 3) return sweep(3, 0, from, to);
  return streaming ? sweep(2, 1, from, to) : sweep(2, 0, from, to);
}

typedef struct Case {
  int threads, what, streaming;
  double work; /* of one run */
} Case;

static const char *once(void *user) {
  Case *c = user;
  double work = 0;
#pragma omp parallel num_threads(c->threads) reduction(+ : work)
  {
    int64_t tid = omp_get_thread_num(), n = omp_get_num_threads(), parts = COUNT / PART;
    work += run(c->what, c->streaming, PART * (parts * tid / n), PART * (parts * (tid + 1) / n));
  }
  c->work = work;
  return NULL;
}

int main(int argc, char **argv) {
  static const char *const names[] = {"peak", "read", "copy", "triad", "update"};
  Case c = {.threads = argc > 1 ? atoi(argv[1]) : 1};
  uint32_t random = 1;
  char line[64], name[16];
  x = serve_floats(COUNT, &random);
  y = serve_floats(COUNT, &random);
  z = serve_floats(COUNT, &random);
  puts("ready");
  while (fflush(stdout), fgets(line, sizeof line, stdin)) {
    double seconds = 0;
    int words = sscanf(line, "%lf %15s %d", &seconds, name, &c.streaming);
    for (c.what = 0; c.what < 5 && strcmp(name, names[c.what]);) c.what++;
    if (words < 2 || c.what-- == 5) {
      puts("error SECONDS peak|read|copy|triad|update [STREAMING] is wanted");
    } else if (seconds > 0) {
      serve_time(seconds, once, &c);
    } else {
      once(&c);
      printf("%.0f\n", c.work);
    }
  }
  return 0;
}
