/* Tensor files: NumPy's .npy and .npz, idx (the format of MNIST), csv tables. Every reader checks what a header claims
 * against the size of the file before it asks for memory; a damaged file gives a text, never a crash. */
#ifndef DNN_TENSOR_FILE_H
#define DNN_TENSOR_FILE_H
#include "runtime/core/file.h"
#include "runtime/core/tensor.h"

/* ---- .npy (NumPy enhancement proposal 1, versions 1 to 3) ---- */
/* Reads f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 b1, either byte order, C or Fortran order (turned into row-major). i2 and u2
 * become i32, u4 and u8 i64 (values must fit). */
bool dnn_npy_read(const char *path, DnnTensor *t, DnnError *e);
/* The same from memory; `name` stands in messages. */
bool dnn_npy_parse(const char *name, const unsigned char *data, int64_t size, DnnTensor *t, DnnError *e);
/* bf16, which NumPy lacks, is written as f4 (exact). Atomic. */
bool dnn_npy_write(const char *path, int dtype, int rank, const int64_t *shape, const void *data, DnnError *e);
/* The header alone, for other writers: magic to newline, a multiple of 64 bytes. Returns its size. */
int dnn_npy_header(char buf[512], int dtype, int rank, const int64_t *shape);

/* ---- .npz: a zip archive of .npy files, stored or deflated, also zip64 (APPNOTE 6.3.x) ---- */
typedef struct DnnZipEntry {
  char *name; /* without .npy */
  int64_t offset, packed, size;
  uint32_t crc;
  int method;
} DnnZipEntry;
typedef struct DnnNpz {
  char *path;
  DnnBytes bytes;
  DnnZipEntry *entries;
  int n;
} DnnNpz;
bool dnn_npz_open(const char *path, DnnNpz *z, DnnError *e);
void dnn_npz_close(DnnNpz *z);
int dnn_npz_find(const DnnNpz *z, const char *name); /* -1 when there is none */
bool dnn_npz_read(const DnnNpz *z, int entry, DnnTensor *t, DnnError *e);

typedef struct DnnNpzOut {
  DnnOut out;
  DnnZipEntry *entries;
  int n;
  bool deflate;
} DnnNpzOut;
bool dnn_npz_create(const char *path, bool deflate, DnnNpzOut *z, DnnError *e);
bool dnn_npz_add(DnnNpzOut *z, const char *name, int dtype, int rank, const int64_t *shape, const void *data,
                 DnnError *e);
bool dnn_npz_finish(DnnNpzOut *z, DnnError *e);
void dnn_npz_cancel(DnnNpzOut *z);

/* ---- idx, also .gz: 0 0 type rank, big-endian sizes, big-endian numbers ---- */
bool dnn_idx_read(const char *path, DnnTensor *t, DnnError *e);

/* ---- csv, also .gz: RFC 4180 with quotes, LF or CRLF; the separator is the one of `,` `;` and tab in the first line
 * ---- */
typedef struct DnnCsvCell {
  const char *text; /* ends with a zero byte, quotes taken off */
  int32_t line;
} DnnCsvCell;
typedef struct DnnCsv {
  char *path;
  DnnBytes bytes;
  DnnCsvCell *cells; /* rows * columns, the first row included whether it is a header or not */
  int64_t rows;
  int32_t columns;
} DnnCsv;
bool dnn_csv_open(const char *path, DnnCsv *c, DnnError *e);
/* The same of bytes, which belong to `c` from now on; `name` stands in messages. */
bool dnn_csv_parse(const char *name, DnnBytes bytes, DnnCsv *c, DnnError *e);
void dnn_csv_close(DnnCsv *c);
/* The column of a name in the first row, or of a number counted from 0. *first is the first row of data: 1 when the
 * column was found by name or the first row does not hold numbers where the second does, else 0. */
bool dnn_csv_column(const DnnCsv *c, const char *name, int32_t *column, int64_t *first, DnnError *e);
/* Rows `first`.. of a column as a vector. In an integer dtype a column without any number is read as categories,
 * numbered in the order of their bytes. */
bool dnn_csv_read(const DnnCsv *c, int32_t column, int64_t first, int dtype, DnnTensor *t, DnnError *e);

/* Any of them by ending: x.npy, x.npz:array, x-idx3-ubyte[.gz] (an idx by its first bytes), x.csv[:column]. */
bool dnn_tensor_read(const char *path, DnnTensor *t, DnnError *e);
/* `text` cut at the last colon: path and what follows it (NULL when there is none). The path is malloc'd. */
char *dnn_path_cut(const char *text, const char **after);
#endif
