/* For the tests of the syntax: the files of a folder of tests, and one source parsed, formatted or dumped. */
#ifndef TESTS_SYNTAX_FILES_H
#define TESTS_SYNTAX_FILES_H
#include "base/buf.h"
#include "frontend/ast_dump.h"
#include "frontend/fmt.h"
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Syntax {
  Arena *arena;
  Diag *diag;
  uint32_t source;
  AstFile *file;
} Syntax;

static inline Syntax syntax_of(const char *text, size_t n) {
  Syntax s = {.arena = arena_new()};
  s.diag = diag_new(s.arena);
  s.source = diag_add_source(s.diag, "x.dnn", text, n, 0);
  s.file = parse_file(s.arena, s.diag, s.source);
  return s;
}

/* The dump of the text's tree; the caller frees. NULL when it does not parse. */
static inline char *dump_of(const char *text, size_t n) {
  Syntax s = syntax_of(text, n);
  Buf b = {0};
  buf_bytes(&b, "", 0);
  ast_dump(s.file, &b);
  if (diag_errors(s.diag)) buf_free(&b);
  arena_free(s.arena);
  return b.s;
}

/* The text laid out; the caller frees. NULL when it does not parse. */
static inline char *fmt_of(const char *text, size_t n) {
  Arena *a = arena_new();
  Diag *d = diag_new(a);
  Buf b = {0};
  buf_bytes(&b, "", 0);
  if (!fmt_source(a, d, diag_add_source(d, "x.dnn", text, n, 0), &b)) buf_free(&b);
  arena_free(a);
  return b.s;
}

/* Calls `one` for each file that fits the pattern below tests/; returns how many there are. */
static inline int each_file(const char *pattern, void (*one)(const char *path, const Buf *text)) {
  char full[4096];
  snprintf(full, sizeof full, "%s/tests/%s", TEST_ROOT, pattern);
  glob_t g;
  int n = glob(full, 0, NULL, &g) ? 0 : (int)g.gl_pathc;
  for (int i = 0; i < n; i++) {
    Buf b = {0};
    if (!buf_read_file(&b, g.gl_pathv[i], 1 << 24)) abort();
    one(g.gl_pathv[i], &b);
    buf_free(&b);
  }
  if (n) globfree(&g);
  return n;
}

/* The file beside `path` with another ending. */
static inline Buf file_beside(const char *path, const char *ending) {
  char other[4096];
  snprintf(other, sizeof other, "%.*s%s", (int)(strrchr(path, '.') - path), path, ending);
  Buf b = {0};
  if (!buf_read_file(&b, other, 1 << 24)) fprintf(stderr, "%s is missing\n", other);
  return b;
}
#endif
