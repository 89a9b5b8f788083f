/* FlatBuffers by hand (flatbuffers.dev, "FlatBuffer Internals"): verified reading of tables, vectors and strings, and
 * forward writing. Little-endian machines, as the tensors in weights files are. A table begins with the signed distance
 * back to its vtable; a vtable holds its own size, the table's size and one 16-bit offset per field, 0 for a field that
 * is absent. */
#ifndef DNN_FLAT_H
#define DNN_FLAT_H
#include <stdbool.h>
#include <stdint.h>
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "weights files are read on little-endian machines only"
#endif

typedef struct DnnFlat {
  const unsigned char *b;
  int64_t n;
} DnnFlat;

/* Positions count from byte 0 and are > 0; 0 means absent or damaged, which *ok tells apart (it is only ever cleared).
 */
int64_t dnn_flat_root(DnnFlat f, const char identifier[4], bool *ok);
/* Where field `id` of a table stands, `size` bytes of it inside the table. */
int64_t dnn_flat_field(DnnFlat f, int64_t table, int id, int size, bool *ok);
uint64_t dnn_flat_number(DnnFlat f, int64_t table, int id, int size, bool *ok);
/* The target of an offset field. */
int64_t dnn_flat_follow(DnnFlat f, int64_t table, int id, bool *ok);
/* A table field. */
int64_t dnn_flat_table_in(DnnFlat f, int64_t table, int id, bool *ok);
/* A vector field: its first element and count. */
int64_t dnn_flat_vector(DnnFlat f, int64_t table, int id, int item, int64_t *count, bool *ok);
/* A string field, NUL-terminated in place; NULL when absent. */
const char *dnn_flat_string(DnnFlat f, int64_t table, int id, bool *ok);
/* The table that element `i` of a vector of tables points to. */
int64_t dnn_flat_table_at(DnnFlat f, int64_t vector, int64_t i, bool *ok);

/* Element `i` of a vector of strings. */
const char *dnn_flat_string_at(DnnFlat f, int64_t vector, int64_t i, bool *ok);

typedef struct DnnFlatOut {
  unsigned char *b;
  int64_t n, room;
  bool failed; /* no memory */
} DnnFlatOut;
/* Appends zeros so that what follows in `before` bytes is a multiple of `align`, then `size` zeros; their position. */
int64_t dnn_flat_space(DnnFlatOut *o, int64_t before, int64_t align, int64_t size);
void dnn_flat_put(DnnFlatOut *o, int64_t at, uint64_t v, int size);
enum { DNN_FLAT_FIELDS = 32 }; /* of a table that is written, at most */
/* A table with its vtable: sizes[i] bytes for field i (0: absent); places[i] is where it stands. Returns the table. */
int64_t dnn_flat_table(DnnFlatOut *o, int n, const int *sizes, int64_t *places);
/* Stores at `place` the distance to `target`, which lies behind it. */
void dnn_flat_link(DnnFlatOut *o, int64_t place, int64_t target);
int64_t dnn_flat_put_string(DnnFlatOut *o, const char *s);
/* Room for a vector; returns its position (that of the count), elements follow 4 bytes later. */
int64_t dnn_flat_put_vector(DnnFlatOut *o, int64_t count, int item);
#endif
