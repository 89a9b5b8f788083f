/* One program on its way through the compiler, as far as its user needs it.
 *
 * Nothing here ends the process or, but for what the options say, prints: a function returns a status; messages about
 * the program are in `diag`, what else there is to say in `error`. All memory belongs to the session. */
#ifndef LIBRARY_SESSION_H
#define LIBRARY_SESSION_H
#include "codegen/cache.h"
#include "codegen/load.h"
#include "codegen/tune.h"
#include "passes/pipeline.h"

typedef enum Status {
  STATUS_OK,
  STATUS_PROGRAM, /* a mistake in the program or its data, a file that cannot be read or written */
  STATUS_USE,     /* an option that cannot be, by itself or for this program */
  STATUS_STOPPED, /* a training that was stopped from outside, with everything saved */
} Status;

/* How a program is read, compiled and run. What decides the code also belongs into the key of manifest.c.
 * The strings outlive the session. All zero but for `path`: the defaults. */
typedef struct Options {
  const char *path; /* the program's file; of a text: its name in messages, with the folder it belongs to */
  const char *text; /* the program itself, of text_size bytes and a zero byte; NULL: it stands in the file */
  size_t text_size;
  const char *dir;         /* where files beside the program are looked for; NULL: its folder */
  const char *const *sets; /* "NAME=VALUE" for a `const`, NULL-terminated, or NULL */
  const char *const *dims; /* the same for free dimensions */
  const char *imports;     /* DIR:DIR, folders beside the program's whose files it may `use`, or NULL */
  /* compiling */
  const char *target;         /* NULL: what the caller of session_lower takes */
  const char *plan;           /* a file of `dnnc tune`, or NULL */
  const char *memory;         /* "500M": limit of all memory of an entry, cells included, or NULL */
  int units;                  /* the kernels are spread over at most so many files; 0: by their number */
  const char *const *entries; /* only these entry points are emitted, NULL-terminated, or NULL */
  bool freestanding;          /* emitted for a machine without a system: one thread, no libc */
  bool training;              /* what the `train` block calls is compiled, nothing else */
  bool no_checks, verify;
  bool check;    /* a checked run: stops at the first NaN, infinity or unwritten value (codegen/watch.h) */
  bool profile;  /* kernels count their time in context->profile (runtime/core/profile.h) */
  bool no_cache; /* the cache of compiled programs is neither read nor written */
  bool debug;    /* debuggers and profilers show the lines of the program */
  bool quiet;    /* not even that the system's compiler is used where the LLVM plug-in is missing */
  bool time;     /* every phase says on stderr how long it took */
  /* running */
  const char *data;    /* the folder where data files are looked for, or NULL */
  const char *weights; /* a .dnnw file that the cells are filled from, or NULL */
  bool seeded;
  uint64_t seed; /* when `seeded`; else the program's */
  int threads;   /* 0: one per processor */
} Options;

/* What manifest.c knows of a program without compiling it. */
typedef struct Manifest {
  bool usable;         /* the program may start from the cache the next time */
  bool compiled;       /* it has been compiled before, though sizes from data may differ */
  CacheKey base, full; /* of its text and options; and of the files it uses */
} Manifest;

/* A part of the way through the compiler and when it was gone, by session_clock. */
typedef struct Phase {
  const char *name;
  double begin, end;
} Phase;

typedef struct Session {
  Options o;
  Arena *arena;
  Diag *diag;
  const char *error; /* what went wrong beside `diag`; NULL when nothing did */
  Prog *prog;        /* what the front end made; NULL when the program came compiled from a cache */
  bool *needed;      /* by entry: it is compiled; NULL: all are */
  bool built;        /* sources or an executable are made, which any number of threads may run */
  const Target *target;
  Tuning *tuning;    /* of --plan, or NULL */
  Plan **plans;      /* one per entry; NULL where it is not needed */
  Lowered **lowered; /* the same */
  KernelTable *kernels;
  EmitOut out;
  Backend *backend;
  const DnnProgram *program; /* loaded into this process */
  Manifest manifest;
  double begun;  /* session_clock() at session_open */
  Phase *phases; /* stb_ds */
} Session;

/* Makes an empty session of these options; session_end frees what there is, after any status. */
Status session_open(Session *s, const Options *o);
/* Then: reads and elaborates the program. */
Status session_elaborate(Session *s);
/* Both. */
Status session_load(Session *s, const Options *o);
/* Graph passes of every entry, up to `stop_after` when that is a graph pass, else all. */
Status session_passes(Session *s, const char *stop_after);
/* Plans and kernels. `target`: when the options name none. */
Status session_lower(Session *s, const char *target);
/* The same and the C text. */
Status session_emit(Session *s, const char *target, bool weights, bool bare);
/* After session_load: all of it and the program in this process, without the C interface. `called`: the only entry that
 * will be called; NULL: those of the training, or any. */
Status session_native(Session *s, const char *called);
void session_end(Session *s);
/* `*found`: the entry named `name` among those of `kinds` (bits 1 << kind). The error lists them. */
Status session_entry(Session *s, const char *name, unsigned kinds, int *found);

/* Sets `error` and returns `status`, so that `return session_fail(…);` reads well. */
Status session_fail(Session *s, Status status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The folder of the program's file ("" for the current one) and its name therein. */
const char *session_dir(const Session *s);
const char *session_file(const Session *s);
double session_clock(void); /* seconds */
/* A phase has ended: keeps it, and says "%8.1f ms  what" on stderr with `time`. */
void session_time(Session *s, const char *what, double since);
const char *session_default_target(bool native);
#endif
