/* Readers of arrays, by the first byte: npy, npz, idx, csv, csv with a column's name on its first line; the last three
 * also through gzip when the bytes begin like it. Checksums of an npz are set right before it is read a second time, so
 * that what is behind them is reached. What was read is written and read back. */
#include "tests/fuzz/fuzz.h"
#include "runtime/core/tensor_file.h"
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static void touch(DnnTensor *t) {
  DnnTensor again;
  DnnError e;
  int64_t n = dnn_count(t->rank, t->shape, 8);
  FUZZ_HOLDS(n >= 0 && n * dnn_dtype_size(t->dtype) == t->bytes);
  if (t->rank <= 8) {
    FUZZ_HOLDS(dnn_npy_write(fuzz_path("again.npy"), t->dtype, t->rank, t->shape, t->data, &e));
    FUZZ_HOLDS(dnn_npy_read(fuzz_path("again.npy"), &again, &e));
    FUZZ_HOLDS(again.bytes == t->bytes && (!n || !memcmp(again.data, t->data, (size_t)t->bytes)));
    dnn_tensor_free(&again);
  }
  dnn_tensor_free(t);
}

static void read_whole(const char *path) {
  DnnTensor t;
  DnnError e = {{0}};
  if (dnn_tensor_read(path, &t, &e)) touch(&t);
  else FUZZ_HOLDS(*e.text);
}

/* The checksum of what an entry really holds. */
static void repair(const DnnNpz *z, DnnZipEntry *x) {
  const unsigned char *from = z->bytes.data + x->offset;
  uLongf size = (uLongf)x->size;
  unsigned char *to = x->size < 1 << 20 ? malloc((size_t)x->size + 1) : NULL;
  z_stream s = {.next_in = (unsigned char *)(uintptr_t)from,
                .avail_in = (uInt)x->packed,
                .next_out = to,
                .avail_out = (uInt)size};
  if (x->method == 0) {
    x->crc = (uint32_t)crc32(crc32(0, NULL, 0), from, (uInt)x->size);
  } else if (to && inflateInit2(&s, -15) == Z_OK) {
    if (inflate(&s, Z_FINISH) == Z_STREAM_END) x->crc = (uint32_t)crc32(crc32(0, NULL, 0), to, (uInt)x->size);
    inflateEnd(&s);
  }
  free(to);
}

static void read_archive(const char *path) {
  DnnNpz z;
  DnnError e = {{0}};
  if (!dnn_npz_open(path, &z, &e)) {
    FUZZ_HOLDS(*e.text);
    return;
  }
  for (int i = 0; i < z.n && i < 20; i++) {
    DnnTensor t;
    repair(&z, &z.entries[i]);
    if (dnn_npz_read(&z, i, &t, &e)) touch(&t);
  }
  dnn_npz_close(&z);
}

static void read_table(const uint8_t *data, size_t n) {
  const uint8_t *line = memchr(data, '\n', n < 60 ? n : 60);
  char column[64] = "0";
  if (line)
    memcpy(column, data, (size_t)(line - data)), column[line - data] = 0, n -= (size_t)(line + 1 - data),
                                                               data = line + 1;
  DnnCsv c;
  DnnError e = {{0}};
  if (!dnn_csv_open(fuzz_file("x.csv", data, n), &c, &e)) {
    FUZZ_HOLDS(*e.text);
    return;
  }
  int32_t k = 0;
  int64_t first = 0;
  if (dnn_csv_column(&c, column, &k, &first, &e))
    for (int dtype = 0; dtype < DNN_DTYPES; dtype++) {
      DnnTensor t;
      if (dnn_csv_read(&c, k, first, dtype, &t, &e)) dnn_tensor_free(&t);
    }
  dnn_csv_close(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  if (!n) return 0;
  static const char *const names[] = {"x.npy", "x.npz", "x-idx3-ubyte", "x.csv"};
  int kind = data[0] & 7;
  if (kind < 4) read_whole(fuzz_file(names[kind], data + 1, n - 1));
  if (kind == 1) read_archive(fuzz_path("x.npz"));
  if (kind == 4) read_table(data + 1, n - 1);
  if (kind == 5) {
    DnnTensor t;
    DnnError e = {{0}};
    if (dnn_npy_parse("x", data + 1, (int64_t)n - 1, &t, &e)) dnn_tensor_free(&t);
  }
  return 0;
}
