/* What a program keeps in memory, entry by entry: `dnnc summary --memory`. The session has been lowered. */
#ifndef LIBRARY_SUMMARY_MEMORY_H
#define LIBRARY_SUMMARY_MEMORY_H
#include "library/session.h"

/* As text: the parts of the block in bytes, arena and bound, the step where most is alive and every value that is alive
 * there with place, type, size and life. */
void memory_text(const Session *s, int entry, Buf *b);
/* The same as a JSON object, with workspace and scratch as numbers. */
void memory_json(const Session *s, int entry, Buf *b);
/* Plans of the entries `entries` in the order of their steps as a trace that chrome://tracing and Perfetto open: one
 * microsecond is one step; a process per entry with its kernels, the values that are alive, and their bytes as a
 * counter. */
void memory_trace(const Session *s, const int *entries, int n, Buf *b);
#endif
