/* Where the time of a program goes: training steps or calls of an entry point, measured kernel by kernel.
 *
 * The machine's program is compiled with Options.profile. Every thread counts without gaps (runtime/core/profile.h), so
 * what thread 0, which goes through all of it, counts adds up to the whole time. Seconds are those of thread 0 unless
 * something else is said; shares are of the whole time. */
#ifndef LIBRARY_PROFILE_H
#define LIBRARY_PROFILE_H
#include "codegen/account.h"
#include "library/machine.h"
#include "runtime/tool/limits.h"

typedef struct ProfileOpts {
  int64_t steps;  /* > 0: so many steps of every stage, or calls, are measured; else as many as fill about a second */
  int64_t traced; /* > 0: keep what happens in the last so many of them, for profile_trace */
} ProfileOpts;

/* Equal kernels of one place are one row. */
typedef struct ProfileKernel {
  const char *name;  /* "k10_dot"; several that compute one group: "k8_pack+k10_dot" */
  const char *entry; /* its entry point */
  const char *about; /* "dot add exp -> f32[B, 10]" */
  const char *place; /* "curve.dnn:8", "" when it has none */
  int64_t calls;
  double seconds, waited; /* waited: at the meeting before it, in no other row */
  double flops, bytes;    /* of all calls */
  double share;
  double threads; /* that share the work of a call, in the mean */
  /* The least time that the machine allows so many threads, by operations or by bytes, over the time; 0: no work. By
   * bytes it can be above 1: what stays in the caches moves faster than the limit, which is that of the memory. */
  double limit_fraction;
  bool by_bytes;
} ProfileKernel;

typedef struct ProfileLine {
  const char *place; /* "curve.dnn:8" */
  const char *text;  /* without blanks at its ends */
  double seconds, share, parts[PARTS], flops;
} ProfileLine;

typedef struct ProfileRest { /* what is in no kernel */
  const char *name;
  double seconds, share;
} ProfileRest;

typedef struct ProfileThread {
  double kernels, waited, rest;
} ProfileThread;

typedef struct Profile {
  Machine *machine;
  const char *what; /* "steps of learn", "calls of predict" */
  bool made_up;     /* the inputs were */
  int64_t steps;    /* measured */
  double seconds;   /* all of it */
  double alone;     /* the part of the calls that got one thread, for other programs have the processors */
  double stamps;    /* of these, about so many are measuring itself */
  DnnLimits limits, limits_of_one;
  ProfileKernel *kernels; /* stb_ds, the longest first */
  ProfileLine *lines;     /* stb_ds, the longest first */
  ProfileRest *rest;      /* stb_ds */
  ProfileThread *threads; /* stb_ds */
  struct Count *count;
} Profile;

/* Training steps on the data that `train` takes, in all stages; what stands outside of stages and in `each` blocks is
 * left out, and no file is written. Steps of the first tenth of a second, at least one, are not counted. */
Status profile_train(Machine *m, const ProfileOpts *o, Profile *p);
/* Calls of an entry point on "NAME=VALUE" inputs, or, when there are none, on made-up ones of the largest sizes:
 * numbers from 0 to 1, integers within the bounds of their values. */
Status profile_entry(Machine *m, const char *entry, const char *const *in, int n_in, const ProfileOpts *o, Profile *p);
void profile_end(Profile *p);
/* The profile as one JSON object; what happened in the traced steps in the Chrome trace event format. */
void profile_json(const Profile *p, Buf *b);
void profile_trace(const Profile *p, Buf *b);
#endif
