/* What emitted kernels stand on: the team of threads and its meeting place, checked indices, vectors. Copied beside
 * emitted programs, so it stands alone: C11, libc, libm; with DNN_FREESTANDING there is one thread and neither clock
 * nor scheduler. Each function is the definition of its op: the interpreter of the loop IR calls the same ones. What
 * some kernels need only has headers of its own, which take compilers longer than most kernels: maths.h, number.h,
 * random.h, sort.h, matrix.h. */
#ifndef DNN_KERNEL_H
#define DNN_KERNEL_H
#include "runtime/core/context.h"
#include <math.h>
#include <stdint.h>
#include <string.h>
#ifndef DNN_FREESTANDING
#include <sched.h>
#include <stdatomic.h>
#include <time.h>
#endif

/* One thread's view of a call. Threads share `meeting`; each has its own team record, scratch and first error. */
typedef struct DnnMeeting {
#ifndef DNN_FREESTANDING
  _Atomic uint32_t arrived, turn;
  _Atomic int32_t lost; /* microseconds that processors were not ours while a thread waited */
#endif
  int32_t alone;        /* thread 0 does the rest of the call */
} DnnMeeting;
typedef struct DnnTeam {
  int32_t tid, n;         /* thread number 0 .. n-1 */
  DnnContext *context;
  DnnMeeting *meeting;    /* shared by the n threads; zeroed before the call */
  unsigned char *scratch; /* this thread's, aligned to 64 */
  int32_t error_site;     /* the first error this thread met, or 0 */
  int64_t error_value[2]; /* the index and its bound */
} DnnTeam;

#ifdef DNN_FREESTANDING
static inline int dnn_barrier(DnnTeam *team) {
  (void)team;
  return 0;
}
#else
static inline int64_t dnn_now(void) { /* in microseconds */
  struct timespec t;
  timespec_get(&t, TIME_UTC);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}
static inline void dnn_pause(void) {
#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
  __builtin_ia32_pause();
#endif
}

/* Waits for the end of turn `turn`: spins some microseconds, then gives the processor away, for threads may outnumber
 * processors. A long wait counts what the process did not get of the time of n processors. */
static inline void dnn_wait(DnnMeeting *m, uint32_t turn, int n) {
  for (int spin = 0; spin < 500; spin++) {
    if (atomic_load_explicit(&m->turn, memory_order_acquire) != turn) return;
    dnn_pause();
  }
  int64_t begin = dnn_now();
  clock_t had = clock();
  while (atomic_load_explicit(&m->turn, memory_order_acquire) == turn) sched_yield();
  int64_t waited = dnn_now() - begin;
  if (waited < 2000) return; /* work that is not even; besides, clock() counts other threads by the scheduler's ticks */
  int64_t lost = waited * n - (int64_t)((double)(clock() - had) * (1e6 / (double)CLOCKS_PER_SEC));
  const int64_t most = 1 << 24; /* the sum of all threads stays within 32 bits */
  if (lost > 0) atomic_fetch_add_explicit(&m->lost, (int32_t)(lost < most ? lost : most), memory_order_relaxed);
}

/* Has the call lost so many microseconds, and half of its time by that? One thread is faster then. What a long call
 * loses by the way costs less than going on alone would. */
static inline int dnn_is_lost(const DnnContext *c, DnnMeeting *m, int64_t least) {
  int64_t lost = atomic_load_explicit(&m->lost, memory_order_relaxed);
  return lost > least && 2 * lost > dnn_now() - c->called;
}

/* All threads meet; 1 tells one to leave the call. Who waits for a thread whose processor another program has does so
 * for milliseconds, at every meeting: when a call has lost too many, thread 0 goes on alone. Bits do not depend on the
 * number of threads. */
static inline int dnn_barrier(DnnTeam *team) {
  enum { LOST = 2000 };
  if (team->n <= 1) return 0;
  DnnMeeting *m = team->meeting;
  uint32_t turn = atomic_load_explicit(&m->turn, memory_order_relaxed);
  if (atomic_fetch_add_explicit(&m->arrived, 1, memory_order_acq_rel) + 1 == (uint32_t)team->n) {
    atomic_store_explicit(&m->arrived, 0, memory_order_relaxed);
    m->alone = dnn_is_lost(team->context, m, LOST);
    atomic_store_explicit(&m->turn, turn + 1, memory_order_release);
  } else {
    dnn_wait(m, turn, team->n);
  }
  if (!m->alone) return 0;
  team->n = 1;
  return team->tid != 0;
}

/* How many threads a call gets: one for a while after a call that was lost, for as long as that lost, and twice as long
 * each time when the call after it is lost again. So what is lost stays a small part, and what comes once is soon over.
 */
static inline int dnn_threads(DnnContext *c) {
  if (c->threads > 1) c->called = dnn_now();
  if (c->alone_until && c->called < c->alone_until) return 1;
  c->alone_until = 0;
  return c->threads;
}
static inline void dnn_after(DnnContext *c, DnnMeeting *m) {
  enum { LOST = 500, MOST_TIMES = 16 };
  if (c->alone_until) return; /* it had one thread */
  const int32_t times = c->alone_times < 1 ? 1 : c->alone_times < MOST_TIMES ? 2 * c->alone_times : MOST_TIMES;
  c->alone_times = m->alone || dnn_is_lost(c, m, LOST) ? times : 0;
  if (c->alone_times) c->alone_until = dnn_now() + times * (int64_t)atomic_load(&m->lost);
}
#endif

/* Initial values: have some of these n cells none from elsewhere? */
static inline int dnn_left(const DnnContext *c, const int32_t *cells, int n) {
  int left = !c->given;
  for (int i = 0; i < n && !left; i++) left = !c->given[cells[i]];
  return left;
}

/* A kernel that does so little that optimising it takes longer than it saves; one that others call and that is so long
 * that compiling it again in each of them takes longer than the calls do. */
#if defined(__clang__)
#define DNN_LEAST __attribute__((noinline, optnone))
#define DNN_ONCE __attribute__((noinline))
#else
#define DNN_LEAST
#define DNN_ONCE
#endif

/* In front of a loop over one line: clang would unroll it before it looks for vectors, and then finds narrow ones. */
#if defined(__clang__)
#define DNN_LINE _Pragma("clang loop unroll(disable)")
#else
#define DNN_LINE
#endif

/* The part of `count` pieces of work that is thread `tid`'s: dnn_part(count, tid, n) .. dnn_part(count, tid + 1, n). */
static inline int64_t dnn_part(int64_t count, int64_t tid, int64_t n) {
  return count / n * tid + (tid < count % n ? tid : count % n);
}

/* The row of a table that an item belongs to, of n rows of `width` numbers: the last whose first number is at most
 * `item`. */
static inline void dnn_find_row(const int64_t *rows, int64_t *row, int64_t width, int64_t n, int64_t item) {
  int64_t low = 0;
  for (int64_t end = n; end - low > 1;) {
    const int64_t middle = low + (end - low) / 2;
    if (rows[middle * width] <= item) low = middle;
    else end = middle;
  }
  *row = low;
}

/* An index out of range: the first one of each thread is kept, the access goes to the nearest element. -1 where there
 * is no element at all. */
static inline int64_t dnn_check(DnnTeam *team, int64_t index, int64_t bound, int64_t site) {
  if (index >= 0 && index < bound) return index;
  if (!team->error_site) {
    team->error_site = (int32_t)site;
    team->error_value[0] = index;
    team->error_value[1] = bound;
  }
  return index < 0 && bound > 0 ? 0 : bound - 1;
}

/* Asks for `bytes` of each of `rows` rows, which are `stride` bytes apart, to be in the second cache soon. */
static inline void dnn_fetch_rows(const void *p, int64_t rows, int64_t stride, int64_t bytes) {
#if defined(__GNUC__)
  for (int64_t i = 0; i < rows; i++)
    for (int64_t at = 0; at < bytes; at += 64) __builtin_prefetch((const char *)p + i * stride + at, 0, 2);
#else
  (void)p, (void)rows, (void)stride, (void)bytes;
#endif
}

/* Asks for so many bytes to be in the first cache soon. */
static inline void dnn_fetch(const void *p, int64_t bytes) {
#if defined(__GNUC__)
  for (int64_t at = 0; at < bytes; at += 64) __builtin_prefetch((const char *)p + at, 0, 3);
#else
  (void)p, (void)bytes;
#endif
}

/* The places of a loop's value of this iteration and of the next one. */
static inline void dnn_swap(unsigned char **a, unsigned char **b) {
  unsigned char *x = *a;
  *a = *b;
  *b = x;
}

/* Vectors of micro-kernels: registers, and the same at any address. */
#if defined(__GNUC__)
#define DNN_VECTOR(T, n, name)                                                                                       \
  typedef T name __attribute__((vector_size(n * sizeof(T))));                                                        \
  typedef T name##u __attribute__((vector_size(n * sizeof(T)), aligned(sizeof(T)), may_alias));
DNN_VECTOR(float, 4, dnn_f32x4)
DNN_VECTOR(float, 8, dnn_f32x8)
DNN_VECTOR(float, 16, dnn_f32x16)
DNN_VECTOR(double, 2, dnn_f64x2)
DNN_VECTOR(double, 4, dnn_f64x4)
DNN_VECTOR(double, 8, dnn_f64x8)
#undef DNN_VECTOR
#endif

/* Copies past the caches, in whole lines, what nobody reads soon: memory then does not read those lines first. The
 * copies of a thread are seen by others after its dnn_stream_end. */
#if defined(__AVX512F__)
typedef dnn_f32x16 dnn_stream_vector;
typedef dnn_f32x16u dnn_stream_from;
#elif defined(__AVX__)
typedef dnn_f32x8 dnn_stream_vector;
typedef dnn_f32x8u dnn_stream_from;
#elif defined(__SSE2__)
typedef dnn_f32x4 dnn_stream_vector;
typedef dnn_f32x4u dnn_stream_from;
#endif
#if defined(__SSE2__)
static inline void dnn_stream_vector_to(unsigned char *to, const unsigned char *from) {
  const dnn_stream_vector v = *(const dnn_stream_from *)(const void *)from;
#if defined(__clang__)
  __builtin_nontemporal_store(v, (dnn_stream_vector *)(void *)to);
#elif defined(__AVX512F__)
  __builtin_ia32_movntps512((float *)(void *)to, v);
#elif defined(__AVX__)
  __builtin_ia32_movntps256((float *)(void *)to, v);
#else
  __builtin_ia32_movntps((float *)(void *)to, v);
#endif
}
static inline void dnn_stream_16_to(unsigned char *to, const unsigned char *from) {
  const dnn_f32x4 v = *(const dnn_f32x4u *)(const void *)from;
#if defined(__clang__)
  __builtin_nontemporal_store(v, (dnn_f32x4 *)(void *)to);
#else
  __builtin_ia32_movntps((float *)(void *)to, v);
#endif
}
#endif
static inline void dnn_stream(void *to, const void *from, int64_t bytes) {
#if defined(__SSE2__)
  enum { LINE = 64, SIZE = (int)sizeof(dnn_stream_vector) };
  unsigned char *t = to;
  const unsigned char *f = from;
  int64_t at = (int64_t)(-(uintptr_t)to % LINE);
  if (at > bytes) at = bytes;
  memcpy(t, f, (size_t)at);
  for (; at + LINE <= bytes; at += LINE)
    for (int k = 0; k < LINE; k += SIZE) dnn_stream_vector_to(t + at + k, f + at + k);
  memcpy(t + at, f + at, (size_t)(bytes - at));
#else
  memcpy(to, from, (size_t)bytes);
#endif
}
/* The same for so many whole lines that they are in registers, one call behind the other: where `to` does not begin a
 * line, neighbouring calls fill it together. */
static inline void dnn_stream_lines(void *to, const void *from, int64_t bytes) {
#if defined(__SSE2__)
  unsigned char *t = to;
  const unsigned char *f = from;
  if ((uintptr_t)to % 64 == 0)
    for (int64_t at = 0; at < bytes; at += (int)sizeof(dnn_stream_vector)) dnn_stream_vector_to(t + at, f + at);
  else if ((uintptr_t)to % 16 == 0)
    for (int64_t at = 0; at < bytes; at += 16) dnn_stream_16_to(t + at, f + at);
  else memcpy(to, from, (size_t)bytes);
#else
  memcpy(to, from, (size_t)bytes);
#endif
}
static inline void dnn_stream_end(void) {
#if defined(__SSE2__)
  __builtin_ia32_sfence();
#endif
}

static inline int64_t dnn_min(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t dnn_max(int64_t a, int64_t b) { return a > b ? a : b; }

/* Floor division as in Python; by 0 gives 0. */
static inline int64_t dnn_floordiv(int64_t a, int64_t b) {
  if (b == 0) return 0;
  if (b == -1) return (int64_t)(0 - (uint64_t)a);
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}
static inline int64_t dnn_floormod(int64_t a, int64_t b) {
  if (b == 0 || b == -1) return 0;
  int64_t r = a % b;
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

/* Largest and smallest: the first on ties, a NaN on either side wins. Written so that gcc makes vectors of nested ones
 * and clang with masks makes two instructions: the first choice is one. */
#define DNN_MAXMIN(T, s)                                                                                             \
  static inline T dnn_maximum_##s(T a, T b) {                                                                        \
    const T m = b > a ? b : a;                                                                                       \
    return b == b ? m : b;                                                                                           \
  }                                                                                                                  \
  static inline T dnn_minimum_##s(T a, T b) {                                                                        \
    const T m = b < a ? b : a;                                                                                       \
    return b == b ? m : b;                                                                                           \
  }
DNN_MAXMIN(double, f64)
DNN_MAXMIN(float, f32)
#undef DNN_MAXMIN
#endif
