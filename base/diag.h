/* Diagnostics: every message a user sees about a program. Locations are byte ranges of registered sources.
 *
 *   Diag *d = diag_new(arena);
 *   uint32_t f = diag_add_source(d, "model.dnn", text, n);
 *   diag_error(d, loc, E0301, "`@` needs equal inner sizes: %s and %s", a, b);
 *   diag_note(d, there, "this dimension comes from here");      // belongs to the message before it
 *   diag_help(d, "did you mean `x @ transpose(w)`?");
 *   diag_flush(d, stderr, color);                               // prints in order of place, drops exact repeats
 *
 * A user's mistake is diag_error; a defect of dnnc is diag_internal. */
#ifndef BASE_DIAG_H
#define BASE_DIAG_H
#include "base/arena.h"
#include <stdint.h>
#include <stdio.h>

typedef struct Loc {
  uint32_t file;       /* index from diag_add_source; 0 = no place */
  uint32_t begin, end; /* byte offsets, end exclusive */
  uint32_t grad;       /* 1: of a node that computes a derivative of what stands there; no part of the place */
} Loc;
int loc_same(Loc a, Loc b);

typedef enum ErrorId {
  E_NONE,
#define ERROR(id, title, text) E##id,
#include "base/errors.def"
#undef ERROR
  E_COUNT
} ErrorId;

typedef struct ErrorInfo {
  const char *code;  /* "E0123" */
  const char *title; /* one line */
  const char *text;  /* what `dnnc explain` prints: cause, example, cure */
} ErrorInfo;
extern const ErrorInfo error_info[E_COUNT];

typedef struct Diag Diag;
Diag *diag_new(Arena *a);
/* Registers a source; `text` must outlive the Diag. std sources are flagged so that messages prefer user places. */
uint32_t diag_add_source(Diag *d, const char *name, const char *text, size_t n, int is_std);
/* Files are numbered from 1 up to, without, this. */
uint32_t diag_source_count(const Diag *d);
const char *diag_source_name(const Diag *d, uint32_t file);
const char *diag_source_text(const Diag *d, uint32_t file, size_t *n);
int diag_source_is_std(const Diag *d, uint32_t file);
/* 1-based line and column (in code points) of a place; 0 when it has none. */
void diag_line_col(const Diag *d, Loc loc, int *line, int *col);

/* The line of a place, with its number, and a line of marks under it; nothing when it has none. */
void diag_excerpt(const Diag *d, Loc at, FILE *out);

void diag_error(Diag *d, Loc at, ErrorId id, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void diag_note(Diag *d, Loc at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void diag_help(Diag *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int diag_errors(const Diag *d); /* how many errors so far */
/* Not one more error will be kept: help for it need not be looked for. */
int diag_is_full(const Diag *d);
/* After the limit of errors no more are kept; the flush says how many were left out. */
void diag_flush(Diag *d, FILE *out, int color);
/* The same as JSON lines: {"file":…,"line":…,"col":…,"id":"E0301","message":…,"notes":[…]} */
void diag_flush_json(Diag *d, FILE *out);
/* The same two, and the messages stay. */
void diag_print(Diag *d, FILE *out, int color);
void diag_print_json(Diag *d, FILE *out);

/* The messages themselves, for callers that do not print: message i of diag_count(d), in order of place. */
enum { DIAG_NOTES = 12 };
typedef struct DiagNote {
  Loc at;
  const char *text;
} DiagNote;
typedef struct DiagMessage {
  ErrorId id;
  Loc at;
  const char *text;
  DiagNote notes[DIAG_NOTES];
  int n_notes;
  const char *help[DIAG_NOTES];
  int n_help;
  int order; /* of arrival, so that the sort is stable */
} DiagMessage;
int diag_count(const Diag *d);
const DiagMessage *diag_message(Diag *d, int i);

/* A defect of dnnc: to the trap of this thread (base/trap.h); without one a message and the end, with status 70. */
_Noreturn void diag_internal(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
#define INTERNAL(...) diag_internal(__FILE__, __LINE__, __VA_ARGS__)

/* The name among `names` nearest to `wrong` by edit distance (at most a third of its length), or NULL: "did you mean".
 */
const char *diag_nearest(const char *wrong, const char *const *names, int n);
#endif
