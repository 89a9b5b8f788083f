/* The one layout of a program: two spaces, 120 columns, one blank line at most.
 *
 * What the writer decides stays: where a long statement is broken, whether a short block stands on one line, which
 * short statements share a line with `;`, and whether `*`, `/`, `//`, `%`, `**` are tight. What does not fit is broken;
 * all other blanks, the indentation and the blank lines are fmt's. Comments stay where they are. */
#ifndef FRONTEND_FMT_H
#define FRONTEND_FMT_H
#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include <stdbool.h>

/* Appends the laid-out text of the registered source to `out`. False, with errors in `d` and nothing appended, when the
 * source does not parse. fmt(fmt(x)) = fmt(x), and both have the tree of x. */
bool fmt_source(Arena *a, Diag *d, uint32_t source, Buf *out);
#endif
