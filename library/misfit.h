/* What does not fit into a memory limit. */
#ifndef LIBRARY_MISFIT_H
#define LIBRARY_MISFIT_H
#include "library/session.h"

/* The entry does not fit into `limit` bytes (of --memory, or else of the file's budget): the least that was found, or
 * what no plan can do without, with the cells or values that take it. The file's budget is an error of the program,
 * with a note at each of them. */
Status misfit_tell(Session *s, const Entry *e, int64_t limit, int64_t least);
#endif
