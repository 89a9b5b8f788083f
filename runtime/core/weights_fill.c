#include "runtime/core/weights_fill.h"
#include "runtime/core/flat.h"
#include "runtime/core/show.h"
#include "runtime/core/xxh64.h"
#include <string.h>

/* Fields of the tables, in the order of schema/dnn.fbs. */
enum { FILE_VERSION, FILE_CHECKSUM, FILE_TABLE_BYTES, FILE_BYTES, FILE_PROGRAM, FILE_TENSORS };
enum { T_PATH, T_DTYPE, T_KIND, T_SHAPE, T_OFFSET, T_BYTES, T_CHECKSUM };

typedef struct Fill {
  DnnFlat f; /* the table */
  const unsigned char *file;
  int64_t size, vector, count;
  char *message;
  size_t message_size;
} Fill;

static int fail(const Fill *w, const char *text, const char *more) {
  DnnShow b = {w->message, (int)w->message_size, 0};
  dnn_show_text(&b, text);
  dnn_show_text(&b, more);
  return 0;
}
static int fail_number(const Fill *w, const char *text, int64_t number, const char *more, int64_t other) {
  DnnShow b = {w->message, (int)w->message_size, 0};
  dnn_show_text(&b, text);
  dnn_show_int(&b, number);
  dnn_show_text(&b, more);
  dnn_show_int(&b, other);
  return 0;
}
static bool same_text(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}

static int open_table(Fill *w) {
  bool ok = true;
  w->f = (DnnFlat){w->file, w->size < (1 << 30) ? w->size : 1 << 30};
  if (!w->file || w->size < 8 || memcmp(w->file + 4, "DNNW", 4))
    return fail(w, "these bytes are no weights file (.dnnw)", "");
  int64_t root = dnn_flat_root(w->f, "DNNW", &ok);
  uint64_t version = dnn_flat_number(w->f, root, FILE_VERSION, 4, &ok);
  if (ok && version != 1) return fail_number(w, "weights of version ", (int64_t)version, "; this program reads ", 1);
  int64_t sum_at = dnn_flat_field(w->f, root, FILE_CHECKSUM, 8, &ok);
  uint64_t sum = dnn_flat_number(w->f, root, FILE_CHECKSUM, 8, &ok);
  int64_t table = (int64_t)dnn_flat_number(w->f, root, FILE_TABLE_BYTES, 8, &ok);
  int64_t whole = (int64_t)dnn_flat_number(w->f, root, FILE_BYTES, 8, &ok);
  if (ok && whole != w->size) return fail_number(w, "damaged weights: ", w->size, " bytes instead of ", whole);
  if (!ok || !sum_at || sum_at % 8 || table < sum_at + 8 || table > w->f.n)
    return fail(w, "damaged weights: ", "the table");
  w->f.n = table;
  if (dnn_xxh64_without(w->file, table, 0, sum_at) != sum) return fail(w, "damaged weights: ", "the table's checksum");
  w->vector = dnn_flat_vector(w->f, root, FILE_TENSORS, 4, &w->count, &ok);
  return (ok && w->vector) || fail(w, "damaged weights: ", "the list of tensors");
}

/* The tensor of a cell: where its data stands in the file, or 0. */
static int64_t find(const Fill *w, const DnnFill *c) {
  for (int64_t i = 0; i < w->count; i++) {
    bool ok = true;
    int64_t rank, t = dnn_flat_table_at(w->f, w->vector, i, &ok);
    const char *path = ok ? dnn_flat_string(w->f, t, T_PATH, &ok) : NULL;
    if (!ok || !path) return fail_number(w, "damaged weights: tensor ", i, " of ", w->count);
    if (!same_text(path, c->path)) continue;
    int64_t shape = dnn_flat_vector(w->f, t, T_SHAPE, 8, &rank, &ok);
    uint64_t at = dnn_flat_number(w->f, t, T_OFFSET, 8, &ok), bytes = dnn_flat_number(w->f, t, T_BYTES, 8, &ok);
    bool same = (int32_t)dnn_flat_number(w->f, t, T_DTYPE, 1, &ok) == c->dtype && rank == c->rank;
    for (int k = 0; ok && same && k < c->rank; k++) same = !memcmp(w->file + shape + 8 * k, &c->shape[k], 8);
    uint64_t sum = dnn_flat_number(w->f, t, T_CHECKSUM, 8, &ok), size = (uint64_t)w->size;
    if (ok && !same) return fail(w, path, " has another type or shape in the weights");
    if (!ok || bytes != (uint64_t)c->bytes || at % 64 || at < (uint64_t)w->f.n || at > size || bytes > size - at)
      return fail(w, "damaged weights: ", path);
    if (dnn_xxh64(w->file + at, c->bytes, 0) != sum) return fail(w, "damaged weights: the checksum of ", path);
    return (int64_t)at;
  }
  return fail(w, c->path, " is missing in the weights");
}

int dnn_weights_fill(const void *file, size_t size, const DnnFill *cells, int n, unsigned char *to, char *message,
                     size_t message_size) {
  Fill w = {.file = file, .size = (int64_t)size, .message = message, .message_size = message_size};
  if (!open_table(&w)) return 0;
  for (int i = 0; i < n; i++)
    if (!find(&w, &cells[i])) return 0;
  for (int i = 0; i < n; i++) memcpy(to + cells[i].offset, w.file + find(&w, &cells[i]), (size_t)cells[i].bytes);
  return 1;
}
