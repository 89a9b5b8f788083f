/* FlatBuffers, the writing half: tables, vectors and strings behind each other in one growing buffer. */
#include "runtime/core/flat.h"
#include <stdlib.h>
#include <string.h>

int64_t dnn_flat_space(DnnFlatOut *o, int64_t before, int64_t align, int64_t size) {
  int64_t at = o->n;
  while ((at + before) % align) at++;
  int64_t end = at + size;
  if (end > o->room) {
    int64_t room = end * 2 + 1024;
    unsigned char *more = o->failed ? NULL : realloc(o->b, (size_t)room);
    if (!more) {
      o->failed = true;
      return 0;
    }
    o->b = more, o->room = room;
  }
  memset(o->b + o->n, 0, (size_t)(end - o->n));
  o->n = end;
  return at;
}

void dnn_flat_put(DnnFlatOut *o, int64_t at, uint64_t v, int size) {
  for (int i = 0; i < size && !o->failed; i++) o->b[at + i] = (unsigned char)(v >> 8 * i);
}

int64_t dnn_flat_table(DnnFlatOut *o, int n, const int *sizes, int64_t *places) {
  /* fields in falling size behind the 4 bytes of the vtable's distance, which stand 4 before a multiple of 8 */
  int bytes = 4, vsize = 4 + 2 * n, offsets[DNN_FLAT_FIELDS] = {0};
  for (int size = 8; size >= 1; size /= 2)
    for (int i = 0; i < n; i++)
      if (sizes[i] == size) offsets[i] = bytes, bytes += size;
  int64_t vtable = dnn_flat_space(o, 0, 2, vsize);
  int64_t table = dnn_flat_space(o, 4, 8, bytes);
  dnn_flat_put(o, vtable, (uint64_t)vsize, 2);
  dnn_flat_put(o, vtable + 2, (uint64_t)bytes, 2);
  for (int i = 0; i < n; i++) {
    dnn_flat_put(o, vtable + 4 + 2 * i, (uint64_t)offsets[i], 2);
    places[i] = sizes[i] ? table + offsets[i] : 0;
  }
  dnn_flat_put(o, table, (uint64_t)(table - vtable), 4);
  return table;
}

void dnn_flat_link(DnnFlatOut *o, int64_t place, int64_t target) {
  dnn_flat_put(o, place, (uint64_t)(target - place), 4);
}

int64_t dnn_flat_put_string(DnnFlatOut *o, const char *s) {
  int64_t n = (int64_t)strlen(s), at = dnn_flat_space(o, 0, 4, 4 + n + 1);
  dnn_flat_put(o, at, (uint64_t)n, 4);
  if (!o->failed) memcpy(o->b + at + 4, s, (size_t)n);
  return at;
}

int64_t dnn_flat_put_vector(DnnFlatOut *o, int64_t count, int item) {
  int64_t at = dnn_flat_space(o, 4, item < 4 ? 4 : item, 4 + count * item);
  dnn_flat_put(o, at, (uint64_t)count, 4);
  return at;
}
