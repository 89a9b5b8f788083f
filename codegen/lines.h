/* `#line` directives: the statements of emitted C name the places of the program that they compute, so that debuggers
 * and profilers show its text. */
#ifndef CODEGEN_LINES_H
#define CODEGEN_LINES_H
#include "base/buf.h"
#include "base/diag.h"

/* The place of the line being written. Zeroed but for `diag` at the begin of each stretch of text that has places. */
typedef struct Lines {
  const Diag *diag; /* NULL: no directives are written */
  uint32_t file;
  int line;
} Lines;
/* Before a line of C, at its begin: `#line N "/whole/path.dnn"`, for a stretch's first line and where the file changes,
 * else `#line N`. A place without a file is that of the line before. */
void lines_put(Lines *l, Buf *b, Loc at);
/* Behind such text: the lines that follow are those of the C file. */
void lines_back(const Lines *l, Buf *b);
/* What is left to do when the C file is whole: the directives of lines_back get its name and their numbers. */
void lines_number(Buf *text, const char *name);
#endif
