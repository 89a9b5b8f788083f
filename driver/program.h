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

/* Runs the training of a compiled program by the command line; `choose`, `chosen`: a metric that a sweep wants. */
int program_train(const Args *a, Machine *m, bool evaluate_only, const char *choose, double *chosen);
/* dnnc check --grad. */
int check_gradients(const Args *a);
/* `sweep { }` of a loaded program: a training for every combination of its constants. */
int program_sweep(const Args *a, Machine *m);
/* Puts a weights file of the emitted program into DIR, as NAME.dnnw or NAME.cells; an exit status. */
int emit_copy_weights(const Session *s, const char *from, const char *dir);
#endif
