/* What the commands that take a program share: its options from the command line, and what is printed of its errors. */
#ifndef DRIVER_PROGRAM_H
#define DRIVER_PROGRAM_H
#include "driver/driver.h"
#include "library/machine.h"

/* The folders of all --import as DIR:DIR, NULL when there is none. */
const char *program_imports(const Args *a);
/* The command line as options of the library, for the program in `path`; those that the command has not are left at
 * their defaults. False after a message. */
bool program_options(const Args *a, const char *path, Options *o);
/* Prints the diagnostics and the error of a session. `status`: a Status, or the EXIT_… of what the command has told
 * already. The command's exit status. */
int program_told(const Args *a, Session *s, int status);
/* The same and the session's or machine's end. */
int program_end(const Args *a, Session *s, int status);
int program_machine_end(const Args *a, Machine *m, int status);

/* How a training of a sweep ended. */
typedef struct Trained {
  const char *metric; /* the one that the sweep chooses by */
  double value;       /* of the metric at the end, NaN when there is none */
  Arena *arena;       /* holds what follows */
  const char *failed; /* why, in one line, or NULL */
} Trained;

/* Runs the training of a compiled program by the command line; `end`: NULL outside of a sweep. */
int program_train(const Args *a, Machine *m, bool evaluate_only, Trained *end);
/* program_machine_end() of a training. */
int program_end_training(const Args *a, Machine *m, int status, Trained *end);
/* Goes on with a run folder, or from a checkpoint file of it; of a finished one only the value is told. */
int program_resume(const Args *a, const char *run, Trained *end);
/* dnnc check --grad. */
int check_gradients(const Args *a);
/* `sweep { }` of a loaded program: a training for every combination of its constants. `again`: the command line that
 * goes on with a sweep, whose own is `a`; or NULL. */
int program_sweep(const Args *a, Machine *m, const Args *again);
/* Goes on with a sweep: with its runs that have begun, then with the others. */
int program_resume_sweep(const Args *a, const char *dir);
/* Puts a weights file of the emitted program into DIR, as NAME.dnnw or NAME.cells; an exit status. */
int emit_copy_weights(const Session *s, const char *from, const char *dir);
#endif
