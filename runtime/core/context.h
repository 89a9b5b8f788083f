/* The context of a compiled program: everything a call reads or writes beside its arguments. The caller owns it.
 * This text is also printed into every emitted header, so it stands alone: libc only. */
#ifndef DNN_CONTEXT_H
#define DNN_CONTEXT_H
#include <stdint.h>

typedef struct DnnContext {
  unsigned char *cells;       /* parameters, state, optimiser state */
  unsigned char *arena;       /* intermediate values and per-thread scratch; contents do not outlive a call */
  unsigned char *prepared;    /* what NAME_prepare made from the parameters */
  int32_t threads;            /* 1 .. MAX_THREADS */
  int32_t error_site;         /* 0, or the number of the place that failed */
  int64_t error_value[2];     /* what was found there: an index and its bound, ... */
  int64_t seed, stage;        /* the random key of a call is made from seed, stage and step */
  int64_t step, steps, epoch; /* the clock: step of the stage, its length, epoch */
  int64_t called;             /* when the call at hand began, if it has several threads; in microseconds */
  int64_t alone_until;        /* calls take one thread until then: other programs have the processors; 0: no */
  int32_t is_prepared;        /* `prepared` belongs to the parameters as they are */
  int32_t alone_times;        /* how many times as long as was lost: twice as many after each call that lost again */
  struct DnnWatch *watch;     /* checked runs: who looks at the memory around every kernel group (watch.h); else NULL */
  struct DnnProfile *profile; /* where programs that `dnnc profile` runs count their time (profile.h); else NULL */
  const uint8_t *given; /* while initial values are made, by cell: is its value taken from elsewhere? NULL: of none */
} DnnContext;
#endif
