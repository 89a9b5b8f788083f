/* What the files of the emitter share. */
#ifndef CODEGEN_EMIT_INTERNAL_H
#define CODEGEN_EMIT_INTERNAL_H
#include "codegen/emit.h"

/* Per entry: names and places in the arena. */
typedef struct EmitEntry {
  const char *id;        /* C identifier, different for every entry */
  const char **in_names; /* C identifiers of the ports, different within the entry */
  const char **out_names;
  int n_out;
  int64_t kept_at, scratch_at; /* bytes from the arena's begin */
  int64_t scratch_each;        /* per thread, multiple of 64 */
  int64_t own_at;              /* in it: the plan's own buffers, then the workspace of solo groups */
} EmitEntry;

typedef struct Emit {
  Arena *arena;
  const Prog *prog;
  Plan *const *plans;
  Lowered *const *lowered;
  KernelTable *kernels;
  const Target *target;
  const EmitOpts *opts;
  const char *name;  /* prog->name */
  const char *upper; /* the same in capitals */
  int n_entries;
  EmitEntry *entries;
  int64_t *cell_offset;
  int64_t cell_bytes, param_bytes, state_bytes, opt_bytes;
  bool constant; /* no compiled entry writes cells and they are embedded: they are read where they stand */
  int64_t arena_bytes, message_at, prepared_bytes;
  int n_sites; /* error places of kernels come first, 1 .. n_sites; those of entries follow */
  Loc *sites;  /* stb_ds: places of entries' errors */
  uint64_t hash;
  bool *used;   /* by kernel: something calls it */
  bool *hashed; /* by kernel: decides the plan's hash */
} Emit;

enum { EMIT_STACK_BYTES = 16384, EMIT_FREE_STACK_BYTES = 4096 };

const char *emit_ctype(DType t);
/* file:line of a place as the program's comments and messages name it. */
const char *emit_place(const Emit *e, Loc at);
const char *emit_line(const Emit *e, uint32_t file, int line);
/* The text, which holds no literals, without its comments, and without lines that are nothing else. */
Buf emit_bare(const Buf *text);
/* file:line:column, and what stands below a message about the place: the line of the program with marks, after a
 * newline. */
const char *emit_column(const Emit *e, Loc at);
const char *emit_excerpt(const Emit *e, Loc at);
/* `d` as C over v[0], v[1], …: the entry's variables in order. */
void emit_dim(const Emit *e, const Entry *entry, Buf *b, Dim d);
/* Bytes of a value of type `t` as C over v[…]. */
void emit_bytes(const Emit *e, const Entry *entry, Buf *b, Type t);
void emit_double(Buf *b, double v);
void emit_int(Buf *b, int64_t v);
/* A C string literal with quotes, or NULL. */
void emit_string(Buf *b, const char *s);
/* Breaks the lines of C that are longer than 120 columns: at a list's comma, at a sign that binds little, inside of a
 * text behind a \n of it. Directives stay as they are. */
void emit_wrap(Buf *text);

/* By kernel: how much compile time its speed is worth. LITTLE and NONE are EMIT_BRIEF; NONE is not optimised at all. */
typedef enum Effort { EFFORT_FULL, EFFORT_LITTLE, EFFORT_NONE } Effort;
Effort *emit_find_effort(const Emit *e);

/* #include of those headers besides dnn_kernel.h whose functions the n texts call. */
void emit_includes(Buf *b, const char *const *texts, int n);
void emit_header(Emit *e, Buf *b); /* NAME.h */
/* NAME.c: the functions of the header, and what the entries' texts call. */
void emit_interface(Emit *e, const Buf *entries, Buf *b);
void emit_entry(Emit *e, int i, Buf *b); /* NAME.c: one entry's call */
/* The steps of an entry's plan, as every thread of the team goes through them. */
void emit_steps(const Emit *e, int i, Buf *b);
/* The steps of an entry become part of the plan's hash, if they decide what its training computes. */
void emit_hash_steps(Emit *e, int entry, const Buf *steps);
/* Does the caller's thread do all of it, for there is too little work or none that threads share? */
bool emit_is_little(const Emit *e, int i);
/* Of a call of entry i: operations and words moved, at the bounds of the sizes; -1: without bound. */
int64_t emit_work(const Emit *e, int i);
void emit_prepare(Emit *e, Buf *b); /* NAME.c: NAME_prepare */
int64_t
emit_prepare_scratch(const Emit *e);      /* bytes of each thread's scratch while preparing, from the arena's begin */
void emit_program_table(Emit *e, Buf *b); /* NAME_program.c */
/* Parameters of an entry's C function, without the parentheses. */
void emit_parameters(const Emit *e, int i, Buf *b);
bool emit_in_interface(const Entry *entry);
/* Does a compiled entry print? */
bool emit_prints(const Emit *e);
#endif
