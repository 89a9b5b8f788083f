/* One program on its way through the compiler, as far as a subcommand needs it. */
#ifndef DRIVER_SESSION_H
#define DRIVER_SESSION_H
#include "codegen/load.h"
#include "codegen/tune.h"
#include "driver/driver.h"
#include "passes/pipeline.h"

typedef struct Session {
  const Args *args;
  Arena *arena;
  Diag *diag;
  Prog *prog;
  const Target *target;
  Tuning *tuning;    /* of --plan, or NULL */
  Plan **plans;      /* one per entry */
  Lowered **lowered; /* one per entry */
  KernelTable *kernels;
  EmitOut out;
  Backend *backend;
  const DnnProgram *program; /* loaded into this process */
  bool time, verify;
} Session;

/* Reads and elaborates the program named by operand `operand`. Errors are printed; returns an exit status. */
int session_load(Session *s, const Args *a, const char *path);
/* Graph passes of every entry, up to `stop_after` when that is a graph pass, else all. */
int session_passes(Session *s, const char *stop_after);
/* Plans and kernels. `target`: when --target is not given. */
int session_lower(Session *s, const char *target);
/* The same and the C text. */
int session_emit(Session *s, const char *target, bool weights);
/* After session_load: all of it and the program in this process, for run, train and eval. */
int session_native(Session *s);
void session_end(Session *s);
/* Entry by name among those of `kinds` (bits 1 << kind), -1 after a message that lists them. */
int session_entry(const Session *s, const char *name, unsigned kinds);
/* Says "%8.1f ms  what" on stderr with --time. */
double session_clock(void);
void session_time(const Session *s, const char *what, double since);
/* Prints the diagnostics to stderr, in colour on a terminal. */
void session_flush(Session *s);
/* Copies a weights file to DIR/NAME.dnnw; an exit status. */
int emit_copy_weights(const char *from, const char *dir, const char *name);
const char *session_default_target(bool native);
#endif
