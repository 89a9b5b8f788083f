/* Laps of programs that `dnnc profile` runs: a thread that has done a piece of a call says so, and the time since its
 * last lap is that piece's. So pieces follow each other without gaps, and those of a thread add up to the whole time.
 * Emitted beside such programs only. */
#ifndef DNN_PROFILE_H
#define DNN_PROFILE_H
#include "runtime/core/kernel.h"

/* Pieces that are no kernel group. Groups follow in the order of entries and plans; behind those of an entry stands one
 * piece for its loops and branches themselves. */
enum {
  DNN_LAP_OUTSIDE, /* between the calls */
  DNN_LAP_FEED,    /* taking a batch from the data */
  DNN_LAP_CALL,    /* of a call what is none of the others: tests of its arguments, starting the threads, prints */
  DNN_LAP_PREPARE, /* making what depends on parameters alone */
  DNN_LAP_MEET,    /* the other threads are not done when thread 0 is */
  DNN_LAP_GROUPS
};
typedef struct DnnLapEvent {
  int64_t begin, end; /* dnn_lap_clock */
  int32_t piece;
  int32_t waits; /* at the meeting before the piece */
} DnnLapEvent;
typedef struct DnnLapSum {
  int64_t spent, waited; /* nanoseconds */
  int64_t times;
} DnnLapSum;
typedef struct DnnLaps { /* of a thread */
  int64_t last;          /* the end of its last lap */
  DnnLapSum *sums;       /* by piece */
  DnnLapEvent *events;   /* NULL, or the last n_events: number k stands at k % n_events */
  int64_t n_events, n_laps;
  int64_t padding[11]; /* two cache lines for each thread */
} DnnLaps;
typedef struct DnnProfile {
  DnnLaps *threads; /* as many as the context has */
  int32_t between;  /* OUTSIDE or FEED: what the time before the next call is */
  void (*call)(struct DnnProfile *p, int32_t entry, const int64_t *vars); /* a call begins */
} DnnProfile;

static inline int64_t dnn_lap_clock(void) { /* nanoseconds */
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline void dnn_lap_of(DnnLaps *l, int32_t piece, int32_t waits, int32_t done) {
  int64_t now = dnn_lap_clock();
  *(waits ? &l->sums[piece].waited : &l->sums[piece].spent) += now - l->last;
  l->sums[piece].times += done;
  if (l->events) l->events[l->n_laps % l->n_events] = (DnnLapEvent){l->last, now, piece, waits};
  l->n_laps++;
  l->last = now;
}

/* Thread 0, outside of the parallel region. */
static inline void dnn_lap(DnnContext *m, int32_t piece) {
  if (m->profile) dnn_lap_of(&m->profile->threads[0], piece, 0, 1);
}
static inline void dnn_lap_call(DnnContext *m, int32_t entry, const int64_t *vars) {
  if (!m->profile) return;
  dnn_lap(m, m->profile->between);
  m->profile->call(m->profile, entry, vars);
}
/* Each thread of the team; `done`: 0 when the piece goes on behind a meeting. */
static inline void dnn_lap_thread(DnnTeam *team, int32_t thread, int32_t piece, int32_t done) {
  if (team->context->profile) dnn_lap_of(&team->context->profile->threads[thread], piece, 0, done);
}
static inline void dnn_lap_team(DnnTeam *team, int32_t piece, int32_t done) {
  dnn_lap_thread(team, team->tid, piece, done);
}
static inline int dnn_lap_barrier(DnnTeam *team, int32_t piece) {
  if (team->n <= 1) return 0;
  int leave = dnn_barrier(team);
  if (team->context->profile) dnn_lap_of(&team->context->profile->threads[team->tid], piece, 1, 0);
  return leave;
}
#endif
