#include "runtime/tool/limits.h"
#include "runtime/tool/limits_loops.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Elements of an array: 64 MiB, beyond the caches; rounds of multiply-adds in a run, about a millisecond. */
enum { COUNT = 1 << 24, PART = 1 << 12, ROUNDS = 1 << 18, MOST_THREADS = 1024 };

typedef double LoopsFn(int what, int streaming, const DnnLimitArrays *a, int64_t from, int64_t to,
                       volatile float *sink);
LoopsFn limits_base;
#ifdef LIMITS_X86
LoopsFn limits_v3, limits_v4;
#endif

static LoopsFn *loops_here(void) {
#ifdef LIMITS_X86
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) return limits_v4;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return limits_v3;
#endif
  return limits_base;
}

typedef struct Job {
  pthread_barrier_t meet;
  LoopsFn *loops;
  DnnLimitArrays arrays;
  int n, what, streaming; /* what < 0: the threads end */
  struct Run {
    double work, begin, end;
  } * runs; /* by thread: the last one */
} Job;
typedef struct Worker {
  Job *job;
  int tid;
  pthread_t id;
} Worker;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int64_t part_of(const Worker *w, int k) { return (int64_t)PART * ((COUNT / PART) * (w->tid + k) / w->job->n); }

static void run_part(const Worker *w) {
  Job *j = w->job;
  volatile float sink;
  int64_t from = part_of(w, 0), to = part_of(w, 1);
  if (j->what == DNN_LIMIT_PEAK) from = 0, to = ROUNDS;
  double begin = now();
  double work = j->loops(j->what, j->streaming, &j->arrays, from, to, &sink);
  j->runs[w->tid] = (struct Run){work, begin, now()};
}

static void *worker(void *user) {
  Worker *w = user;
  int64_t from = part_of(w, 0), to = part_of(w, 1);
  for (int64_t i = from; i < to; i++) w->job->arrays.x[i] = w->job->arrays.y[i] = 1; /* the pages are this thread's */
  while (pthread_barrier_wait(&w->job->meet), w->job->what >= 0) {
    run_part(w);
    pthread_barrier_wait(&w->job->meet);
  }
  return NULL;
}

/* The best rate of runs for some seconds, each from the first thread's begin to the last one's end; the caller is
 * thread 0. */
static double best_rate(Job *j, int what, int streaming, double seconds) {
  const Worker me = {.job = j};
  double best = 0, end = now() + seconds;
  j->what = what, j->streaming = streaming;
  for (int runs = 0; runs < 3 || now() < end; runs++) {
    pthread_barrier_wait(&j->meet);
    run_part(&me);
    pthread_barrier_wait(&j->meet);
    struct Run all = j->runs[0];
    for (int i = 1; i < j->n; i++) {
      const struct Run *x = &j->runs[i];
      all.work += x->work;
      if (x->begin < all.begin) all.begin = x->begin;
      if (x->end > all.end) all.end = x->end;
    }
    double rate = all.work / (all.end - all.begin);
    if (all.end > all.begin && rate > best) best = rate;
  }
  return best;
}

static void measure(Job *j, double seconds, DnnLimits *out) {
  out->threads = j->n;
  out->flops = best_rate(j, DNN_LIMIT_PEAK, 0, seconds / 4);
  double read = best_rate(j, DNN_LIMIT_READ, 0, seconds / 4);
  double copy = best_rate(j, DNN_LIMIT_COPY, 0, seconds / 4), streaming = best_rate(j, DNN_LIMIT_COPY, 1, seconds / 4);
  out->bytes = read > copy ? read : copy;
  if (streaming > out->bytes) out->bytes = streaming;
}

int dnn_limits_measure(int threads, double seconds, DnnLimits *out) {
  Job j = {.loops = loops_here(), .n = threads};
  if (threads < 1 || threads > MOST_THREADS) return 0;
  Worker *w = calloc((size_t)threads, sizeof *w);
  float *memory = aligned_alloc(4096, sizeof(float) * 2 * COUNT);
  j.runs = calloc((size_t)threads, sizeof *j.runs);
  int started = 0;
  if (w && memory && j.runs && !pthread_barrier_init(&j.meet, NULL, (unsigned)threads)) {
    j.arrays = (DnnLimitArrays){memory, memory + COUNT, memory};
    for (started = 1; started < threads; started++) {
      w[started] = (Worker){.job = &j, .tid = started};
      if (pthread_create(&w[started].id, NULL, worker, &w[started])) break;
    }
    if (started == threads) {
      const Worker me = {.job = &j};
      for (int64_t i = 0; i < part_of(&me, 1); i++) memory[i] = memory[COUNT + i] = 1;
      measure(&j, seconds, out);
      j.what = -1;
      pthread_barrier_wait(&j.meet);
    } else { /* those that wait for the missing ones cannot be told to end */
      for (int i = 1; i < started; i++) pthread_cancel(w[i].id);
    }
    for (int i = 1; i < started; i++) pthread_join(w[i].id, NULL);
    pthread_barrier_destroy(&j.meet);
  }
  free(w), free(memory), free(j.runs);
  return started == threads;
}
