/* Makes a program that disagrees small: parts of its text are left out or replaced by simpler ones as long as it
 * disagrees in the same way. */
#ifndef TESTS_GENERATE_REDUCE_H
#define TESTS_GENERATE_REDUCE_H
#include "base/buf.h"
#include "tests/generate/differ.h"

/* Compares d->text in a process of its own: d->kind and d->what. */
void try_program(Differ *d);
/* `text` becomes smaller; d tells its seed, ways and kind, and then what the small one shows. */
void reduce_program(Buf *text, Differ *d);
#endif
