/* What programs of checked runs call around every kernel group; the tool that runs them looks at the memory there.
 * Emitted beside such programs only. */
#ifndef DNN_WATCH_H
#define DNN_WATCH_H
#include "runtime/core/kernel.h"

enum { DNN_WATCH_CALL, DNN_WATCH_BEFORE, DNN_WATCH_AFTER };
typedef struct DnnWatched {
  int32_t when;            /* a call begins; a group begins; it has ended */
  int32_t entry, group;    /* numbers in the tables of the compiler */
  const int64_t *vars;     /* of the call */
  const void *const *bufs; /* of a group: where the buffers stand that it reads, then those it writes; of a buffer that
                              is the number of an iteration the address of that int64_t */
  int32_t n_loops;         /* loops around the group, the outermost first: */
  const int64_t *loops;    /* for each its number in the plan and that of its iteration */
} DnnWatched;
typedef struct DnnWatch DnnWatch;
struct DnnWatch {
  int (*look)(DnnWatch *w, DnnContext *m, const DnnWatched *at); /* not 0: the call ends here */
  int32_t input;    /* -1, or the input of the entry that holds what was found .. */
  int64_t row;      /* .. and in which row, along its first axis */
  char record[300]; /* which record of the data that is, filled by who feeds the call */
};

/* Thread 0 looks while the others wait; 1: all of them leave the call. */
static inline int dnn_watch(DnnTeam *team, const DnnWatched *at) {
  DnnContext *m = team->context;
  if (!m->watch) return 0;
  if (dnn_barrier(team)) return 1;
  if (team->tid == 0 && m->watch->look(m->watch, m, at)) m->error_site = -1;
  if (dnn_barrier(team)) return 1;
  return m->error_site != 0;
}
#endif
