/* A context's life, and calling one entry on files: what `dnnc run` and built executables do. */
#ifndef DNN_RUN_H
#define DNN_RUN_H
#include "runtime/core/error.h"
#include "runtime/core/tensor.h"
#include "runtime/core/tokens.h"
#include "runtime/core/weights.h"
#include <stdio.h>

/* Memory of a context: cells, arena and prepared data, allocated at once and zeroed; threads <= 0: as many as the
 * machine has, at most p->max_threads. */
bool dnn_context_new(const DnnProgram *p, DnnContext *c, int threads, DnnError *e);
void dnn_context_free(DnnContext *c);
/* Sets the clock to the begin of a run with this seed; cells are filled elsewhere. */
void dnn_context_begin(DnnContext *c, uint64_t seed);
/* Fills all cells: the init entry with this seed, then the weights files that the program names (weights("…")), whose
 * place `find` gives (malloc'd). Cells that `given` has a tensor for, which the caller loads behind it, may be left as
 * they are; what others have does not depend on it. NULL: none. */
bool dnn_context_init(const DnnProgram *p, DnnContext *c, uint64_t seed, const DnnWeights *given,
                      char *(*find)(void *, const char *), void *user, DnnError *e);
/* The threads of a context that draws its initial values (`drawn`), makes one call of `entry` and ends: as many as are
 * asked for, and where that is 0 one, if all is done before another thread has started. -1: no such entry. */
int dnn_threads_once(const DnnProgram *p, int entry, bool drawn, int asked);
/* Entry by name among exported ones and steps; -1 when there is none. */
int dnn_find_entry(const DnnProgram *p, const char *name);
/* e := the program's message, and a note in which entry, step and stage. Returns false. */
bool dnn_call_failed(const DnnProgram *p, const DnnContext *c, const char *what, DnnError *e);

typedef struct DnnRunOpts {
  const char *entry;
  const char *const *in; /* "name=file.npy", "name=3.5" for a scalar, "name=a text" for a tokeniser; n_in of them */
  int n_in;
  const char *out_dir; /* each output as OUT/name.npy; NULL: only printed */
  int show;            /* draw image-like inputs in the terminal */
  DnnTokenSet *tokens; /* of ports `as` a tokeniser */
  /* For who measures calls; all may be NULL. `fill` makes the inputs in place of reading them; `again` is asked after a
   * call whether there is another one, and results are not shown then. */
  bool (*fill)(void *user, const DnnEntry *x, DnnTensor *in, DnnError *e);
  int (*again)(void *user);
  void *user;
} DnnRunOpts;

/* Reads the inputs, checks dtypes, shapes and value bounds, calls, writes and prints the outputs. */
bool dnn_run_entry(const DnnProgram *p, DnnContext *c, const DnnRunOpts *o, DnnError *e);
/* One line per exported entry and step: name, inputs, outputs. */
void dnn_list_entries(const DnnProgram *p, FILE *file);
/* Draws u8 or float values of h x w as half blocks (two rows a line): black to white. */
void dnn_draw_image(FILE *file, const void *data, int dtype, int64_t h, int64_t w);
#endif
