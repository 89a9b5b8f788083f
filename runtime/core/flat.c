#include "runtime/core/flat.h"
#include <string.h>

static uint64_t number(DnnFlat f, int64_t at, int size) {
  uint64_t v = 0;
  for (int i = size; i-- > 0;) v = v << 8 | f.b[at + i];
  return v;
}

static bool inside(DnnFlat f, int64_t at, int64_t size) { return at > 0 && size >= 0 && at <= f.n && size <= f.n - at; }

static int64_t bad(bool *ok) {
  *ok = false;
  return 0;
}

/* A table is sound when its vtable and its own bytes lie inside the buffer. */
static int64_t check_table(DnnFlat f, int64_t table, bool *ok) {
  if (!inside(f, table, 4) || table % 4) return bad(ok);
  int64_t vtable = table - (int32_t)(uint32_t)number(f, table, 4);
  if (!inside(f, vtable, 4) || vtable % 2) return bad(ok);
  int64_t size = (int64_t)number(f, vtable, 2), bytes = (int64_t)number(f, vtable + 2, 2);
  return size >= 4 && size % 2 == 0 && inside(f, vtable, size) && bytes >= 4 && inside(f, table, bytes) ? table
                                                                                                        : bad(ok);
}

int64_t dnn_flat_root(DnnFlat f, const char identifier[4], bool *ok) {
  if (f.n < 8 || memcmp(f.b + 4, identifier, 4)) return bad(ok);
  return check_table(f, (int64_t)number(f, 0, 4), ok);
}

int64_t dnn_flat_field(DnnFlat f, int64_t table, int id, int size, bool *ok) {
  if (!table) return 0;
  int64_t vtable = table - (int32_t)(uint32_t)number(f, table, 4);
  if (4 + 2 * id + 2 > (int64_t)number(f, vtable, 2)) return 0;
  int64_t at = (int64_t)number(f, vtable + 4 + 2 * id, 2);
  if (!at) return 0;
  if (at < 4 || at + size > (int64_t)number(f, vtable + 2, 2) || (table + at) % size) return bad(ok);
  return table + at;
}

uint64_t dnn_flat_number(DnnFlat f, int64_t table, int id, int size, bool *ok) {
  int64_t at = dnn_flat_field(f, table, id, size, ok);
  return at ? number(f, at, size) : 0;
}

int64_t dnn_flat_follow(DnnFlat f, int64_t table, int id, bool *ok) {
  int64_t at = dnn_flat_field(f, table, id, 4, ok);
  if (!at) return 0;
  int64_t target = at + (int64_t)number(f, at, 4);
  return target > at && inside(f, target, 4) && target % 4 == 0 ? target : bad(ok);
}

int64_t dnn_flat_table_in(DnnFlat f, int64_t table, int id, bool *ok) {
  int64_t at = dnn_flat_follow(f, table, id, ok);
  return at ? check_table(f, at, ok) : 0;
}

int64_t dnn_flat_vector(DnnFlat f, int64_t table, int id, int item, int64_t *count, bool *ok) {
  int64_t at = dnn_flat_follow(f, table, id, ok);
  *count = 0;
  if (!at) return 0;
  int64_t n = (int64_t)number(f, at, 4);
  if (n > f.n / item || !inside(f, at + 4, n * item) || (at + 4) % item) return bad(ok);
  *count = n;
  return at + 4;
}

/* A string of n bytes behind its count. */
static const char *text_at(DnnFlat f, int64_t at, int64_t n, bool *ok) {
  bool sound = inside(f, at, n + 1) && !f.b[at + n];
  for (int64_t i = 0; sound && i < n; i++) sound = f.b[at + i] != 0;
  if (sound) return (const char *)f.b + at;
  *ok = false;
  return NULL;
}

const char *dnn_flat_string(DnnFlat f, int64_t table, int id, bool *ok) {
  int64_t n, at = dnn_flat_vector(f, table, id, 1, &n, ok);
  return at ? text_at(f, at, n, ok) : NULL;
}

const char *dnn_flat_string_at(DnnFlat f, int64_t vector, int64_t i, bool *ok) {
  int64_t at = vector + 4 * i + (int64_t)number(f, vector + 4 * i, 4);
  if (inside(f, at, 4) && at % 4 == 0) return text_at(f, at + 4, (int64_t)number(f, at, 4), ok);
  *ok = false;
  return NULL;
}

int64_t dnn_flat_table_at(DnnFlat f, int64_t vector, int64_t i, bool *ok) {
  int64_t at = vector + 4 * i;
  return check_table(f, at + (int64_t)number(f, at, 4), ok);
}
