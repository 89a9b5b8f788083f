/* libdnnc: the compiler for neural networks inside of another program.
 *
 *   dnnc_program *p = dnnc_open("model.dnn");
 *   if (dnnc_compile(p, NULL)) { fputs(dnnc_report(p, DNNC_PLAIN), stderr); ... }
 *   dnnc_train(p, NULL);
 *   dnnc_tensor x = {.dtype = DNNC_F32, .rank = 2, .shape = {1, 784}, .data = pixels}, y = {0};
 *   dnnc_call(p, "classify", &x, 1, &y, 1);
 *   ... y.data ...
 *   dnnc_tensor_free(&y);
 *   dnnc_close(p);
 *
 * How to use it, with a whole program: docs/library.md. The language: docs/language.md.
 *
 * Status. Functions that can fail return a dnnc_status; DNNC_OK is 0. dnnc_error() tells what the last failure on a
 * handle was; mistakes in the program are diagnostics. Nothing prints but the program's own `print`, and nothing ends
 * the process: a defect of dnnc, or memory that is not there, is DNNC_INTERNAL, after which a handle can only be
 * closed.
 *
 * Arguments. A handle that is NULL, an entry that does not exist, a tensor of another type, size or rank than its port,
 * an index out of range: DNNC_USE, and nothing has been changed. So is a handle that is closed, as long as no new one
 * has its address, or that works for another thread or for the listener that asks (docs/library.md, Wrong use).
 *
 * Strings are UTF-8 and end with a zero byte. Those that are passed in are copied. Those that come out belong to the
 * handle and live until it is closed, but for dnnc_error() and dnnc_report(), which live until the next call on it.
 *
 * Tensors are row-major without gaps. Numbers are as the machine stores them; a bool is a byte 0 or 1, f16 and bf16
 * are two bytes.
 *
 * Threads. Different handles may be used in different threads at the same time; compiling is done for one at a time,
 * the others wait. One handle is for one thread at a time. A call runs on the number of threads of the option `threads`
 * (OpenMP); results do not depend on it. Nothing is global but the compiled code of closed handles, which stays mapped,
 * and the names that programs used. No signal handler is installed, and numbers have a point whatever setlocale()
 * said. */
#ifndef DNNC_H
#define DNNC_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum dnnc_status {
  DNNC_OK = 0,
  DNNC_PROGRAM = 1,  /* a mistake in the program, its data or its weights; a file that cannot be read or written */
  DNNC_USE = 2,      /* an argument or option that cannot be */
  DNNC_STOPPED = 3,  /* the training was stopped by its callback */
  DNNC_INTERNAL = 70 /* no memory, or a defect of dnnc */
} dnnc_status;

/* The version of the library: "0.1.0". */
const char *dnnc_version(void);

/* ---- a program ---- */

/* A program on its way from text to trained code, with its parameters. */
typedef struct dnnc_program dnnc_program;

/* A handle for the program in a file, or for a text of `size` bytes (name: what messages call it; the folder in it is
 * where its imports and data are looked for). Nothing is read or checked yet. NULL: no memory, or an argument is
 * NULL. */
dnnc_program *dnnc_open(const char *path);
dnnc_program *dnnc_open_text(const char *name, const char *text, size_t size);
/* A handle for the training in a run folder (dnnc_training.out, `dnnc train --out`), which goes on by dnnc_compile(p,
 * NULL) and dnnc_train: with the bits of one that was never interrupted. Its program and options come from the folder;
 * only `threads`, `data`, `cache` and `verify` can be set. */
dnnc_program *dnnc_open_run(const char *run);
/* Frees the handle and all that belongs to it. NULL is fine, and so is one that is closed; one that works is not
 * closed. */
void dnnc_close(dnnc_program *p);
/* What went wrong in the last function that failed: one or more lines without a final newline. "" when the last
 * function did not fail. */
const char *dnnc_error(const dnnc_program *p);

/* Before the first dnnc_check or dnnc_compile: `const NAME` gets another value, written as in the language ("64",
 * "1e-3", "true"). A name that does not exist is a diagnostic later. */
dnnc_status dnnc_set(dnnc_program *p, const char *name, const char *value);
/* The same: the free dimension NAME is at most `size`, a whole number ("64"). */
dnnc_status dnnc_dim(dnnc_program *p, const char *name, const char *size);
/* The same: an option by name, with the values of the command's option of that name:
 *   target    native (default), x86-64-v2, x86-64-v3, x86-64-v4, aarch64, plain
 *   plan      a file that `dnnc tune` wrote
 *   memory    "500M": all that an entry needs stays within that; gradients compute values again
 *   data      the folder where data files are looked for
 *   import    DIR:DIR, folders beside the program's whose files it may use
 *   weights   a .dnnw file that the parameters start from
 *   seed      a whole number; default: what the program says, else 0
 *   threads   1 .. 4096; default: one per processor
 *   checks    "on" (default) or "off": indices are checked in every run
 *   check     "on" or "off" (default): a checked run, which stops at the first NaN, infinity or unwritten value
 *   cache     "on" (default) or "off": compiled programs are kept on disk and taken from there (`dnnc help cache`)
 *   debug     "on" or "off" (default): debuggers and profilers see the lines of the program
 *   limit     NAME=N, once for each: what the program may ask for (`dnnc check --limit list` has the names). `file` and
 *             `memory` hold for the whole process; they are set before other handles work */
dnnc_status dnnc_option(dnnc_program *p, const char *name, const char *value);

/* Reads the program and what it uses and looks for every mistake that can be found without data: syntax, names, shapes,
 * gradients. DNNC_PROGRAM: there are diagnostics. */
dnnc_status dnnc_check(dnnc_program *p);
/* The same; then compiles it, loads it into the process, and fills its parameters by the seed or from `weights`. Where
 * data decides sizes (`batch all`), it is counted. `entry`: the only entry point that will be called, which saves time;
 * NULL: all of them and the training. Once for a handle. */
dnnc_status dnnc_compile(dnnc_program *p, const char *entry);

/* ---- diagnostics ---- */

typedef enum dnnc_severity { DNNC_ERROR, DNNC_NOTE, DNNC_HELP } dnnc_severity;
typedef struct dnnc_diagnostic {
  dnnc_severity severity;
  const char *id;           /* of an error: "E0301", which `dnnc explain` explains; else "" */
  const char *text;         /* one line */
  const char *file;         /* "" when there is no place, as for a help */
  int line, column;         /* from 1; columns count code points. 0 when there is no place */
  int end_line, end_column; /* exclusive */
  int parts;                /* of an error: how many notes and helps belong to it */
} dnnc_diagnostic;

/* How many errors dnnc_check or dnnc_compile found; at most 50 are kept. 0 for NULL. */
int dnnc_diagnostics(const dnnc_program *p);
/* Error i, in order of place: part 0 is the error itself, parts 1 .. parts its notes and helps. */
dnnc_status dnnc_get_diagnostic(dnnc_program *p, int i, int part, dnnc_diagnostic *out);

typedef enum dnnc_format { DNNC_PLAIN, DNNC_COLOR, DNNC_JSON } dnnc_format;
/* All of them as `dnnc check` prints them: with the source lines, in plain text or with colours of a terminal; or JSON
 * lines. Behind them, when the last function failed for another reason, what dnnc_error() says. */
const char *dnnc_report(dnnc_program *p, dnnc_format format);

/* ---- tensors ---- */

typedef enum dnnc_dtype {
  DNNC_F64,
  DNNC_F32,
  DNNC_F16,
  DNNC_BF16,
  DNNC_I64,
  DNNC_I32,
  DNNC_I8,
  DNNC_U8,
  DNNC_BOOL
} dnnc_dtype;
#define DNNC_MAX_RANK 12

typedef struct dnnc_tensor {
  dnnc_dtype dtype;
  int rank; /* 0: a scalar */
  int64_t shape[DNNC_MAX_RANK];
  void *data;
  size_t bytes; /* of what comes out: its size; of the caller's buffer: how much it holds. Not looked at in inputs */
} dnnc_tensor;

/* Bytes of an element; 0 for a number that is no dtype. */
size_t dnnc_dtype_size(dnnc_dtype dtype);
/* Frees the data that the library allocated for it and clears it. NULL is fine. */
void dnnc_tensor_free(dnnc_tensor *t);

/* ---- entry points, after dnnc_compile ---- */

/* Exported functions and steps. */
int dnnc_entries(const dnnc_program *p);
/* The name of entry i, NULL out of range. A step with static arguments is "evaluate(s = 0)". */
const char *dnnc_entry_name(const dnnc_program *p, int i);

typedef struct dnnc_port {
  const char *name;
  dnnc_dtype dtype;
  int rank;
  const char *type;      /* as in the language: "f32[B <= 64, 28, 28]", "i32[N] < 10" */
  const char *text_form; /* the tokeniser it speaks through (dnnc_encode), "image", or NULL */
} dnnc_port;

/* How many inputs and outputs an entry has; outputs are its results, then its reports. -1: there is no such entry. */
int dnnc_inputs(const dnnc_program *p, const char *entry);
int dnnc_outputs(const dnnc_program *p, const char *entry);
dnnc_status dnnc_input(dnnc_program *p, const char *entry, int i, dnnc_port *out);
dnnc_status dnnc_output(dnnc_program *p, const char *entry, int i, dnnc_port *out);
/* What a call with inputs of these shapes gives: dtype, rank, shape and bytes of every output. Data is not looked at,
 * out[i].data not touched. */
dnnc_status dnnc_shapes(dnnc_program *p, const char *entry, const dnnc_tensor *in, int n_in, dnnc_tensor *out,
                        int n_out);

/* Calls an entry: in[0 .. n_in) are its inputs, in order, with the dtypes of their ports; out[0 .. n_out) its outputs.
 * Where out[i].data is NULL the library allocates (to be freed by dnnc_tensor_free), else the output is written to that
 * buffer of out[i].bytes bytes; dtype, rank, shape and bytes are set in any case. Values of integer inputs are checked
 * against the bounds of their ports. After an error the outputs' contents are undefined and nothing is allocated.
 *
 * A step changes parameters and state, and moves the clock on by one step, from which random numbers and schedules
 * depend. DNNC_PROGRAM: the program's own error (an assert, an index out of range), with its place. */
dnnc_status dnnc_call(dnnc_program *p, const char *entry, const dnnc_tensor *in, int n_in, dnnc_tensor *out, int n_out);
/* The clock of the next call: the step from 0, how many there will be (0: not known), the epoch from 0. */
dnnc_status dnnc_clock(dnnc_program *p, int64_t step, int64_t steps, int64_t epoch);

/* A text as the input of a port with a tokeniser: `out` is allocated as by dnnc_call. */
dnnc_status dnnc_encode(dnnc_program *p, const char *entry, int input, const char *text, dnnc_tensor *out);
/* The text of such an output, allocated; to be freed by dnnc_text_free. */
dnnc_status dnnc_decode(dnnc_program *p, const char *entry, int output, const dnnc_tensor *t, char **text);
void dnnc_text_free(char *text);

/* ---- parameters and state, after dnnc_compile ---- */

typedef enum dnnc_kind { DNNC_PARAMETER = 1, DNNC_STATE = 2, DNNC_OPTIMISER = 4 } dnnc_kind;
typedef struct dnnc_cell {
  const char *path; /* "net.layers[0].w" */
  dnnc_kind kind;
  dnnc_dtype dtype;
  int rank;
  int64_t shape[DNNC_MAX_RANK];
} dnnc_cell;

int dnnc_cells(const dnnc_program *p);
dnnc_status dnnc_get_cell(dnnc_program *p, int i, dnnc_cell *out);
/* Copies a cell out (`out` as in dnnc_call) or in (`in` has its dtype and shape). */
dnnc_status dnnc_read(dnnc_program *p, const char *path, dnnc_tensor *out);
dnnc_status dnnc_write(dnnc_program *p, const char *path, const dnnc_tensor *in);
/* All cells as at the start, by another seed; the clock is 0. */
dnnc_status dnnc_reset(dnnc_program *p, uint64_t seed);

/* A weights file (.dnnw). Saving writes the cells of these kinds (sum of dnnc_kind; 0: parameters and state), as a
 * whole or not at all. Loading verifies the file; parameters and state must be there with their shapes, or nothing is
 * changed and the error lists the differences. */
dnnc_status dnnc_save_weights(dnnc_program *p, const char *path, int kinds);
dnnc_status dnnc_load_weights(dnnc_program *p, const char *path);

/* ---- training, after dnnc_compile of all ---- */

typedef enum dnnc_event_kind {
  DNNC_STEP,  /* after a step: the reports of its run */
  DNNC_PASS,  /* after a pass over data: means of the reports */
  DNNC_EPOCH, /* after an epoch, or a tenth of a stage that has no more than one: means of the training reports */
  DNNC_BEST   /* the parameters are the best so far by `keep` */
} dnnc_event_kind;
typedef struct dnnc_event {
  dnnc_event_kind kind;
  const char *stage, *entry;  /* names; may be "" */
  int64_t step, steps, epoch; /* from 1, within the stage */
  int values;
  const char *const *names; /* of the values */
  const double *value;
} dnnc_event;
/* Called in the thread of dnnc_train; the event is gone when it returns. Not 0: the training stops cleanly after this
 * step. The handle is refused meanwhile, others may be used. It must return. */
typedef int dnnc_listener(void *user, const dnnc_event *event);

/* All zero: the defaults. */
typedef struct dnnc_training {
  const char *out;       /* the run folder (docs/language.md): weights, metrics, checkpoints, the source; NULL: none */
  bool overwrite;        /* a run that is in the folder is removed; else that is an error */
  const char *every;     /* between checkpoints: "30s", "5m" or "1000" steps; NULL: as dnnc sees fit */
  int keep;              /* so many checkpoints stay; 0: 3 */
  int64_t epochs, steps; /* > 0: every stage has so many epochs; all stages together end after so many steps */
  dnnc_listener *listener;
  void *user;
} dnnc_training;

/* Carries out the program's `train` block, from the parameters as they are; `o` may be NULL. A sweep is not carried
 * out: the program is trained with its constants. DNNC_STOPPED: the listener wanted it; with a run folder dnnc_open_run
 * goes on from there. Of a handle of dnnc_open_run only `listener`, `user`, `every` and `keep` count. */
dnnc_status dnnc_train(dnnc_program *p, const dnnc_training *o);
/* The evaluation passes of the `train` block, once; only `listener` and `user` count. */
dnnc_status dnnc_evaluate(dnnc_program *p, const dnnc_training *o);

#ifdef __cplusplus
}
#endif
#endif
