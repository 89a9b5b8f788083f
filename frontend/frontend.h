/* The front end's face: a `.dnn` file becomes a program of graphs. */
#ifndef FRONTEND_FRONTEND_H
#define FRONTEND_FRONTEND_H
#include "ir/prog.h"

typedef struct ElabOpts {
  const char *const *sets; /* "const=value", NULL-terminated, or NULL */
  const char *const *dims; /* "B=8": bounds of free dimensions of entries, NULL-terminated, or NULL */
  const char *const *path; /* folders where `use "x.dnn"` is looked for after the file's own, NULL-terminated, or NULL;
                             a used file lies, links followed, below one of them or below the folder of the program */
} ElabOpts;

/* Parses the file and what it uses, elaborates every entry, the data sets and the training program. Errors are in the
 * diag; NULL when there are any. `o` may be NULL. */
Prog *frontend_load(Arena *a, Diag *d, const char *path, const ElabOpts *o);
/* The same for text that is not in a file; `name` stands in messages. */
Prog *frontend_load_text(Arena *a, Diag *d, const char *name, const char *text, size_t n, const ElabOpts *o);
#endif
