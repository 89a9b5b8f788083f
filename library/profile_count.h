/* Counting for a profile; what the rows and the trace are made of. */
#ifndef LIBRARY_PROFILE_COUNT_H
#define LIBRARY_PROFILE_COUNT_H
#include "library/profile.h"
#include "runtime/core/profile.h"

typedef struct Span {
  int64_t begin, end; /* dnn_lap_clock */
} Span;

typedef struct Count {
  DnnProfile laps; /* first: the context points to it */
  Machine *m;
  int n_threads, n_pieces;
  int32_t *entry_of, *group_of; /* by piece from DNN_LAP_GROUPS; group -1: loops and branches */
  Dim *flops_of, *bytes_of;     /* by piece, of one call */
  double *flops, *bytes;        /* by piece, of all calls */
  int64_t *settled;             /* by piece: calls that are in these */
  int64_t **vars;               /* by entry: of the last call, NULL before it */
  int64_t *values;              /* by dimension variable: for the evaluation */
  int64_t steps, wanted;
  int64_t calls, calls_of_one; /* that got one thread, for other programs have the processors */
  double warm_until, until;    /* session_clock */
  bool counts;
  int stop;
  int64_t begin, whole;   /* whole: nanoseconds counted */
  Span *spans;            /* the last traced steps: number k stands at k % traced */
  int64_t traced, opened; /* opened: when the current step began */
} Count;

Status count_new(Machine *m, const ProfileOpts *o, Count **out);
void count_free(Count *c);
/* A step, or call, has ended. Begins to count when it is warm and ends in time: `stop` is set then. */
void count_step(Count *c);
/* A stage, or the calls, begin; and end. */
void count_open(Count *c, double seconds, int64_t wanted);
void count_close(Count *c);
/* The rows, from what was counted. */
void profile_rows(Profile *p);
/* "k10_dot" or "k8_pack+k10_dot"; "file:line" of a place, "" for none. In the arena. */
const char *piece_name(const Count *c, int piece);
const char *place_text(const Session *s, uint32_t file, int line);
#endif
