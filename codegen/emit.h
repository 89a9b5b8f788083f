/* A whole program as C text: header, entries, kernels and the tables of runtime/core/program.h.
 *
 *   NAME.h            the documented C interface; stands alone (stdint.h and stddef.h only)
 *   NAME.c            the interface and one function per entry: bound checks, one parallel region, kernel calls
 *   NAME_kernels_N.c  the distinct kernels, spread over units of about equal compile time
 *   NAME_program.c    `dnn_program()`: the descriptor tables that training loop, `run` and built executables read
 *   NAME_weights.S    with embedded weights: an object section made by .incbin of NAME.dnnw, or of NAME.cells
 *   dnn_*.h           the runtime's headers that the files above include */
#ifndef CODEGEN_EMIT_H
#define CODEGEN_EMIT_H
#include "codegen/codegen.h"

typedef struct EmitOpts {
  bool checks;        /* bound, index and `check` tests in the entries */
  bool weights;       /* NAME.dnnw is embedded */
  bool freestanding;  /* one thread, no libc but mem* and mathematics: for machines without a system */
  bool lines;         /* `#line` directives: kernels and their calls name the program's places */
  bool watch;         /* a checked run: the context's watch is called around every kernel group */
  bool bare;          /* for a process that knows the program's table alone: no C interface */
  bool profile;       /* threads count the time of every kernel group in context->profile (runtime/core/profile.h) */
  int units;          /* kernel units at most; 0: by size */
  const char *source; /* how comments name the program's file */
} EmitOpts;

typedef enum EmitKind {
  EMIT_HEADER,  /* not compiled */
  EMIT_PLAIN,   /* compiled for the architecture's base level */
  EMIT_KERNELS, /* compiled with the target's flags */
  EMIT_BRIEF,   /* the same, of kernels that do little: loops need not become fast when that takes time */
  EMIT_ASM,     /* assembled */
} EmitKind;
typedef struct EmitFile {
  const char *name;
  const char *text;
  size_t size;
  EmitKind kind;
} EmitFile;
size_t emit_weight(const char *text);
enum { EMIT_MESSAGE_BYTES = 1024 };
typedef struct EmitOut {
  EmitFile *files; /* stb_ds */
  int64_t cell_bytes, prepared_bytes, arena_bytes, memory_bytes;
  const int64_t *cell_offset; /* by cell, one more at the end; an optimiser's cell that nothing uses has no bytes */
  bool constant;              /* the embedded weights are the cells as they lie in memory: NAME.cells */
  int64_t message_at;         /* in the arena: where the text of the last error stands, EMIT_MESSAGE_BYTES */
  int64_t *scratch_at;        /* by entry, in the arena: the scratch of the threads, behind everything else */
  uint64_t plan_hash;
} EmitOut;

/* `plans` and `lowered` hold one per entry of `prog`, in order; NULL: that entry is not compiled. The text depends on
 * nothing else. The plan's hash is that of what the training calls, where there is one: it is the same whatever else is
 * compiled, as long as the training's entries are lowered first. */
bool emit_program(Arena *a, const Prog *prog, Plan *const *plans, Lowered *const *lowered, KernelTable *kernels,
                  const Target *target, const EmitOpts *opts, EmitOut *out);

/* With EmitOpts.profile: the piece that the first group of an entry is, in the order of groups; the piece behind the
 * last group is the entry's loops and branches. Entry arrlen(entries): the number of pieces. */
int emit_first_piece(Plan *const *plans, int entry);

/* `s` made a C identifier, never a keyword, in the arena. */
const char *emit_identifier(Arena *a, const char *s);

/* Texts of runtime/core held in the dnnc binary (made at build by codegen/embed.py), under their emitted names
 * dnn_NAME.h and dnn_NAME.c. */
typedef struct EmbeddedFile {
  const char *name;
  const char *text;
  size_t size;
  const char *role; /* head; run: in every executable; train: in trainers too; entry: main() */
} EmbeddedFile;
extern const EmbeddedFile embedded_files[];
extern const int embedded_count;
const EmbeddedFile *embedded_find(const char *name);
#endif
