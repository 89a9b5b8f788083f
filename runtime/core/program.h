/* The compiled program as data: what `dnnc train`, built trainers and built executables need to know of it.
 * The compiler fills these tables while it elaborates (ir/prog.h holds them) and prints them as C; the runtime reads
 * them. Plain data but for the entry points. Indices instead of pointers between tables; -1 means none. */
#ifndef DNN_PROGRAM_H
#define DNN_PROGRAM_H
#include "runtime/core/context.h"
#include <stdint.h>

/* The numbers of ir.h's DType. */
enum { DNN_F64, DNN_F32, DNN_F16, DNN_BF16, DNN_I64, DNN_I32, DNN_I8, DNN_U8, DNN_BOOL };

/* A size: mul * vars[var] + add; var = -1: the constant `add`; var = -2: another expression, told by shapes(). */
typedef struct DnnAxis {
  int32_t var;
  int64_t mul, add;
} DnnAxis;

typedef struct DnnPort {
  const char *name;
  int32_t dtype, rank;
  const DnnAxis *axes;
  DnnAxis below;  /* every element of an integer input is in 0 .. below-1; {-1, 0, 0}: no bound */
  const char *as; /* outside form: "image", a tokeniser's name, or NULL */
} DnnPort;

enum { DNN_PARAM, DNN_STATE, DNN_OPT }; /* trained leaf, other state, optimiser's state */
typedef struct DnnCell {
  const char *path; /* net.blocks[3].attn.q.w */
  int32_t dtype, rank, kind;
  const int64_t *shape;
  int64_t offset, bytes;              /* in the context's `cells`, offsets are multiples of 64 */
  const char *load_file, *load_path;  /* weights("file", "path"): initial value comes from there; else NULL */
} DnnCell;

enum { DNN_EXPORT, DNN_STEP, DNN_INIT, DNN_RECORD }; /* INIT fills all cells; RECORD makes or maps data records */
typedef struct DnnVar {
  const char *name;
  int64_t bound;
} DnnVar;

typedef struct DnnEntry {
  const char *name; /* with static arguments: evaluate(s = 0) */
  int32_t kind, exported;
  int32_t n_vars, n_inputs, n_results, n_reports;
  const DnnVar *vars;
  const DnnPort *inputs;
  const DnnPort *outputs; /* results, then reports (scalars) */
  /* Sizes of all axes of inputs, then outputs, from the values of the variables. */
  void (*shapes)(const int64_t *vars, int64_t *sizes);
  /* 0, or the error's number, told by dnn_error_text(). in/out: one pointer per port, row-major; any alignment that the
   * type has. */
  int (*call)(DnnContext *c, const int64_t *vars, const void *const *in, void *const *out);
  int64_t work; /* of a call: operations and words moved, at the bounds of the sizes; -1: without bound */
} DnnEntry;

/* Tokenisers: how text and ids become each other. The vocabulary is read from `from` when it is needed for the first
 * time, or stands in the executable (runtime/core/tokens.h). */
enum { DNN_TOKENS_BYTES, DNN_TOKENS_CHARS, DNN_TOKENS_WORDS, DNN_TOKENS_BPE };
enum { DNN_TOKEN_PAD, DNN_TOKEN_BEGIN, DNN_TOKEN_END, DNN_TOKEN_UNKNOWN, DNN_TOKEN_MASK, DNN_TOKEN_FIRST };
typedef struct DnnTokens {
  int32_t kind, lower;               /* lower: case is dropped */
  const char *name, *place;          /* as the ports' `as` calls it; "file:line" for messages */
  const char *from, *alphabet;       /* one of them; neither: bytes */
  int64_t size;
} DnnTokens;

/* Data sets: a list in which arguments refer to earlier rows. Kinds and their arguments: runtime/core/data_ops.def. */
typedef enum DnnDataOp {
  DNN_DATA_NONE,
#define DATA_OP(name, text) DNN_DATA_##name,
#include "runtime/core/data_ops.def"
#undef DATA_OP
  DNN_DATA_COUNT
} DnnDataOp;
typedef struct DnnDataArg {
  const char *name; /* keyword, or NULL when positional */
  int32_t kind;     /* 's' str, 'i' num (integer), 'f' num, 'd' index of a data row, 'e' of an entry, 't' of a
                     * tokeniser */
  int32_t index;
  double num;
  const char *str;
} DnnDataArg;
#define DNN_MAX_FITS 8 /* of one declaration */
typedef struct DnnFit { /* pad VAR to size as NAME | pack VAR to size as NAME */
  int32_t pack;
  const char *var, *as;
  int64_t size;
} DnnFit;
typedef struct DnnData {
  int32_t op;
  const char *name, *place; /* the declaration's name and "file:line" for messages */
  int32_t n_args, n_fields, n_fits;
  const DnnDataArg *args;
  const DnnPort *fields; /* the record's type; axes of ragged fields have var >= 0 */
  const DnnFit *fits;
} DnnData;

/* The training program: `actions` is a list of trees; children of a row are actions[first .. first+n). */
enum { DNN_STAGE, DNN_RUN, DNN_EVERY, DNN_STOP, DNN_STALL, DNN_KEEP, DNN_SAVE, DNN_LOAD, DNN_WRITE };
enum { DNN_STEPS, DNN_EPOCHS };
typedef struct DnnFeed {
  int32_t data;           /* row of `data` */
  const char *name;       /* of a named feed, else NULL */
  int32_t shuffled, drop; /* drop: leave the incomplete last batch out */
  int64_t batch;          /* rows per batch; 0: one record without an axis (`none`); -1: everything (`all`) */
} DnnFeed;
typedef struct DnnBind { /* where an input of the entry comes from */
  int32_t feed, field;   /* field -1: the record number (`row`) */
} DnnBind;
typedef struct DnnAction {
  int32_t kind;
  const char *name, *place;
  int32_t first, n;        /* children */
  int32_t unit;            /* DNN_STEPS or DNN_EPOCHS: of STAGE's length, EVERY's interval, STALL's patience */
  int64_t count;           /* length, interval, patience; RUN: times in a row */
  int32_t entry;           /* RUN, WRITE: which entry */
  int32_t n_feeds;         /* RUN */
  const DnnFeed *feeds;
  const DnnBind *binds;    /* RUN: one per input of the entry */
  const char *metric;      /* STOP, STALL, KEEP: "evaluate.accuracy" */
  int32_t compare;         /* STOP: '<' '>' 'l' (<=) 'g' (>=); KEEP: '<' min, '>' max */
  double value;
  const char *path, *as;   /* SAVE, LOAD, WRITE */
  const char *into;        /* LOAD: path of the cells to fill */
  const char *const *texts; /* WRITE: one per input of the entry, for the tokeniser of its port; NULL: no inputs */
} DnnAction;

typedef struct DnnProgram {
  const char *name;
  uint64_t plan_hash;      /* of the plan record: what decides the bits */
  const char *target;      /* "x86-64-v3" */
  int64_t cell_bytes, arena_bytes, prepared_bytes, stack_bytes;
  int32_t max_threads;
  int32_t n_cells, n_entries, n_data, n_actions, n_stages; /* actions[0 .. n_stages) are the top level, in order */
  const DnnCell *cells;
  const DnnEntry *entries;
  const DnnData *data;
  const DnnAction *actions;
  int32_t init;            /* entry that fills the cells */
  uint64_t seed;           /* of `train { seed … }`, 0 when none */
  int (*supported)(void);  /* does this processor have what the target needs */
  const char *(*error_text)(const DnnContext *c); /* the message of the last error, with its place */
  const DnnTokens *tokens;
  int32_t n_tokens;
} DnnProgram;

/* A shared object made by `dnnc` exports this one symbol. */
typedef const DnnProgram *DnnProgramFn(void);
#define DNN_PROGRAM_SYMBOL "dnn_program"
#endif
