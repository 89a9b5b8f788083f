/* Weights files (.dnnw): a FlatBuffer of schema/dnn.fbs, then tensor data on multiples of 64. Reader and writer are
 * plain C on the FlatBuffers format; a file is verified whole (every offset, every size, every checksum) before
 * anything is taken from it. */
#ifndef DNN_WEIGHTS_H
#define DNN_WEIGHTS_H
#include "runtime/core/flat.h"
#include "runtime/core/program.h"
#include "runtime/core/tensor.h"

typedef struct DnnWeight {
  char *path;
  int32_t dtype, rank, kind;
  int64_t shape[DNN_MAX_RANK];
  int64_t offset, bytes;
  uint64_t checksum;
  const unsigned char *data; /* in the file's bytes */
} DnnWeight;

typedef struct DnnWeights {
  char *name;                 /* for messages */
  const unsigned char *bytes; /* the whole file */
  int64_t size;
  unsigned char *owned; /* what is freed at the end; NULL: the caller owns the bytes */
  char *program;        /* who wrote it; may be NULL */
  DnnWeight *rows;
  int32_t n;
  int64_t checkpoint, table_bytes; /* where its table of a checkpoint stands, 0: there is none; bytes of all tables */
} DnnWeights;

/* Reads and verifies a file: what was verified is what is taken, whatever happens to the file meanwhile. */
bool dnn_weights_open(const char *path, DnnWeights *w, DnnError *e);
/* The same of bytes in memory, 8 bytes aligned, that outlive `w`. */
bool dnn_weights_open_memory(const char *name, const void *bytes, int64_t size, DnnWeights *w, DnnError *e);
void dnn_weights_close(DnnWeights *w);
int dnn_weights_find(const DnnWeights *w, const char *path); /* -1 when there is none */

/* Writes tensors (path, dtype, rank, shape, kind, data are read) as one file, atomically. */
bool dnn_weights_write(const char *path, const char *program, const DnnWeight *rows, int n, DnnError *e);

/* A checkpoint beside the tensors: `put` appends its table and returns its place; its n rows, whose list `put` makes
 * with dnn_weights_list(o, rows, n), have their data behind that of the others. */
typedef struct DnnWeightsMore {
  const DnnWeight *rows;
  int n;
  int64_t (*put)(void *user, DnnFlatOut *o, const DnnWeight *rows, int n);
  void *user;
} DnnWeightsMore;
bool dnn_weights_write_more(const char *path, const char *program, const DnnWeight *rows, int n,
                            const DnnWeightsMore *more, DnnError *e);
/* Appends a vector of tensors; offset, bytes and checksum of the rows are known. */
int64_t dnn_weights_list(DnnFlatOut *o, const DnnWeight *rows, int n);
/* The rows of a vector of tensors in the tables of an open file, each verified; freed by dnn_weights_free_rows(). */
bool dnn_weights_rows(const DnnWeights *w, int64_t vector, int64_t count, DnnWeight **rows, int32_t *n, DnnError *e);
void dnn_weights_free_rows(DnnWeight *rows, int n);
/* Describes the cells of these kinds in rows (room for p->n_cells); returns their number. */
int dnn_weights_of_cells(const DnnProgram *p, const unsigned char *cells, int kinds, DnnWeight *rows);

enum { DNN_SAVE_PARAM = 1, DNN_SAVE_STATE = 2, DNN_SAVE_OPT = 4 };
/* The program's cells of these kinds. */
bool dnn_weights_save(const DnnProgram *p, const unsigned char *cells, int kinds, const char *path, DnnError *e);
/* Fills the cells whose path is `prefix` or lies below it (NULL: all) from tensors of the same path. Parameters and
 * state must be there with the same shape and dtype, and no parameter may be left over; otherwise nothing is changed
 * and the text lists the differences. Optimiser state is taken when it is there. */
bool dnn_weights_load(const DnnProgram *p, unsigned char *cells, const char *prefix, const DnnWeights *w, DnnError *e);
/* By cell (room for p->n_cells): has the file a tensor for it? True: for all of them, so that dnn_weights_load() leaves
 * nothing of their initial values. */
bool dnn_weights_given(const DnnProgram *p, const DnnWeights *w, uint8_t *given);
/* Fills the cells that the program initialises by weights("file", "path"): `find` gives the malloc'd place of a file.
 */
bool dnn_weights_initial(const DnnProgram *p, unsigned char *cells, char *(*find)(void *, const char *), void *user,
                         DnnError *e);

/* weights_npz.c (needs zlib): conversion; a name in the archive is a path. */
bool dnn_weights_to_npz(const DnnWeights *w, const char *path, bool deflate, DnnError *e);
bool dnn_weights_from_npz(const char *npz, const char *path, DnnError *e);
#endif
