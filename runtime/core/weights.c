#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "runtime/core/weights.h"
#include "runtime/core/file.h"
#include "runtime/core/flat.h"
#include "runtime/core/xxh64.h"
#include <stdlib.h>
#include <string.h>

/* Fields of the tables, in the order of schema/dnn.fbs. */
enum {
  FILE_VERSION,
  FILE_CHECKSUM,
  FILE_TABLE_BYTES,
  FILE_BYTES,
  FILE_PROGRAM,
  FILE_TENSORS,
  FILE_CHECKPOINT,
  FILE_FIELDS
};
enum { T_PATH, T_DTYPE, T_KIND, T_SHAPE, T_OFFSET, T_BYTES, T_CHECKSUM, T_FIELDS };

/* XXH64 of the table with the 8 bytes at `place` taken as 0. */
static bool table_checksum(const unsigned char *b, int64_t n, int64_t place, uint64_t *sum) {
  unsigned char *copy = malloc((size_t)n);
  if (!copy) return false;
  memcpy(copy, b, (size_t)n);
  memset(copy + place, 0, 8);
  *sum = dnn_xxh64(copy, n, 0);
  free(copy);
  return true;
}

/* Between tensors stand zeros: nothing in a file can change unseen. */
static bool is_padded(const DnnWeights *w, int64_t at) {
  for (; at < w->size && at % 64; at++)
    if (w->bytes[at]) return false;
  return true;
}

/* Row `at` of `rows`, whose earlier ones are read. */
static bool read_row(const DnnWeights *w, DnnFlat f, int64_t table, DnnWeight *rows, int at, DnnError *e) {
  bool ok = true;
  DnnWeight *r = &rows[at];
  const char *path = dnn_flat_string(f, table, T_PATH, &ok);
  int64_t rank, shape = dnn_flat_vector(f, table, T_SHAPE, 8, &rank, &ok);
  r->dtype = (int32_t)dnn_flat_number(f, table, T_DTYPE, 1, &ok);
  r->kind = (int32_t)dnn_flat_number(f, table, T_KIND, 1, &ok);
  uint64_t offset = dnn_flat_number(f, table, T_OFFSET, 8, &ok), bytes = dnn_flat_number(f, table, T_BYTES, 8, &ok);
  r->checksum = dnn_flat_number(f, table, T_CHECKSUM, 8, &ok);
  if (!ok || !path) return dnn_fail(e, "%s: damaged: tensor %d of the table", w->name, at);
  if (r->dtype >= DNN_DTYPES || r->kind > DNN_OPT || rank > DNN_MAX_RANK)
    return dnn_fail(e, "%s: damaged: dtype, kind or rank of `%s`", w->name, path);
  r->rank = (int32_t)rank;
  for (int i = 0; i < rank; i++) memcpy(&r->shape[i], f.b + shape + 8 * i, 8);
  int64_t n = dnn_count(r->rank, r->shape, dnn_dtype_size(r->dtype));
  if (n < 0 || bytes != (uint64_t)(n * dnn_dtype_size(r->dtype)))
    return dnn_fail(e, "%s: damaged: the size of `%s` does not fit its shape", w->name, path);
  if (offset % 64 || offset < (uint64_t)w->table_bytes || offset > (uint64_t)w->size ||
      bytes > (uint64_t)w->size - offset)
    return dnn_fail(e, "%s: damaged: `%s` lies outside the file", w->name, path);
  r->offset = (int64_t)offset, r->bytes = (int64_t)bytes, r->data = w->bytes + offset;
  if (dnn_xxh64(r->data, r->bytes, 0) != r->checksum)
    return dnn_fail(e, "%s: damaged: the checksum of `%s` is wrong", w->name, path);
  if (!is_padded(w, r->offset + r->bytes))
    return dnn_fail(e, "%s: damaged: behind `%s` stand bytes that are not zero", w->name, path);
  for (int i = 0; i < at; i++)
    if (!strcmp(rows[i].path, path)) return dnn_fail(e, "%s: damaged: `%s` stands in it twice", w->name, path);
  r->path = strdup(path);
  return r->path || dnn_fail(e, "%s: no memory", w->name);
}

bool dnn_weights_rows(const DnnWeights *w, int64_t vector, int64_t count, DnnWeight **rows, int32_t *n, DnnError *e) {
  DnnFlat f = {w->bytes, w->table_bytes};
  *n = 0;
  *rows = calloc((size_t)count + 1, sizeof **rows);
  if (!*rows) return dnn_fail(e, "%s: no memory", w->name);
  for (int64_t i = 0; i < count; i++) {
    bool ok = true;
    int64_t table = dnn_flat_table_at(f, vector, i, &ok);
    if (!ok) return dnn_fail(e, "%s: damaged: tensor %lld of the table", w->name, (long long)i);
    if (!read_row(w, f, table, *rows, (int)i, e)) return false;
    *n = (int32_t)i + 1;
  }
  return true;
}

void dnn_weights_free_rows(DnnWeight *rows, int n) {
  for (int i = 0; i < n; i++) free(rows[i].path);
  free(rows);
}

static bool is_ours(const char *name, const unsigned char *head, int64_t n, DnnError *e) {
  return (n >= 8 && !memcmp(head + 4, "DNNW", 4)) ||
         dnn_fail(e, "%s: is not a weights file or checkpoint (.dnnw, .dnnc)", name);
}

static bool verify(DnnWeights *w, DnnError *e) {
  if (!is_ours(w->name, w->bytes, w->size, e)) return false;
  bool ok = true;
  DnnFlat f = {w->bytes, w->size < (1 << 30) ? w->size : 1 << 30};
  int64_t root = dnn_flat_root(f, "DNNW", &ok);
  uint64_t version = dnn_flat_number(f, root, FILE_VERSION, 4, &ok);
  if (ok && version != 1)
    return dnn_fail(e, "%s: has version %llu of the format; this program reads 1", w->name,
                    (unsigned long long)version);
  int64_t sum_at = dnn_flat_field(f, root, FILE_CHECKSUM, 8, &ok);
  uint64_t sum = dnn_flat_number(f, root, FILE_CHECKSUM, 8, &ok);
  int64_t table_bytes = (int64_t)dnn_flat_number(f, root, FILE_TABLE_BYTES, 8, &ok);
  int64_t file_bytes = (int64_t)dnn_flat_number(f, root, FILE_BYTES, 8, &ok);
  if (ok && file_bytes != w->size)
    return dnn_fail(e, "%s: damaged: it has %lld bytes and should have %lld", w->name, (long long)w->size,
                    (long long)file_bytes);
  if (!ok || !sum_at || table_bytes < sum_at + 8 || table_bytes > f.n)
    return dnn_fail(e, "%s: damaged: the table of its tensors cannot be read", w->name);
  uint64_t found;
  f.n = table_bytes;
  if (!table_checksum(w->bytes, table_bytes, sum_at, &found)) return dnn_fail(e, "%s: no memory", w->name);
  if (found != sum) return dnn_fail(e, "%s: damaged: the checksum of its table is wrong", w->name);
  int64_t n, tensors = dnn_flat_vector(f, root, FILE_TENSORS, 4, &n, &ok);
  const char *program = dnn_flat_string(f, root, FILE_PROGRAM, &ok);
  if (!ok || !tensors) return dnn_fail(e, "%s: damaged: the list of its tensors cannot be read", w->name);
  w->program = program ? strdup(program) : NULL;
  if (!is_padded(w, table_bytes))
    return dnn_fail(e, "%s: damaged: behind its table stand bytes that are not zero", w->name);
  w->checkpoint = dnn_flat_table_in(f, root, FILE_CHECKPOINT, &ok), w->table_bytes = table_bytes;
  if (!ok) return dnn_fail(e, "%s: damaged: its checkpoint cannot be read", w->name);
  return dnn_weights_rows(w, tensors, n, &w->rows, &w->n, e);
}

bool dnn_weights_open_memory(const char *name, const void *bytes, int64_t size, DnnWeights *w, DnnError *e) {
  memset(w, 0, sizeof *w);
  w->name = strdup(name), w->bytes = bytes, w->size = size;
  if (w->name ? verify(w, e) : dnn_fail(e, "%s: no memory", name)) return true;
  dnn_weights_close(w);
  return false;
}

bool dnn_weights_open(const char *path, DnnWeights *w, DnnError *e) {
  DnnBytes all;
  unsigned char head[8];
  int64_t n = dnn_file_head(path, head, sizeof head, e);
  if (n < 0 || !is_ours(path, head, n, e) || !dnn_file_read(path, &all, e)) return false;
  bool ok = dnn_weights_open_memory(path, all.data, all.size, w, e);
  if (ok) w->owned = all.data;
  else free(all.data);
  return ok;
}

void dnn_weights_close(DnnWeights *w) {
  dnn_weights_free_rows(w->rows, w->n);
  free(w->owned);
  free(w->program);
  free(w->name);
  memset(w, 0, sizeof *w);
}

int dnn_weights_find(const DnnWeights *w, const char *path) {
  for (int i = 0; i < w->n; i++)
    if (!strcmp(w->rows[i].path, path)) return i;
  return -1;
}

/* ---- writing ---- */
int64_t dnn_weights_list(DnnFlatOut *o, const DnnWeight *rows, int n) {
  static const int row_sizes[T_FIELDS] = {4, 1, 1, 4, 8, 8, 8};
  int64_t p[T_FIELDS], list = dnn_flat_put_vector(o, n, 4);
  for (int i = 0; i < n; i++) {
    const DnnWeight *r = &rows[i];
    dnn_flat_link(o, list + 4 + 4 * i, dnn_flat_table(o, T_FIELDS, row_sizes, p));
    dnn_flat_link(o, p[T_PATH], dnn_flat_put_string(o, r->path));
    int64_t shape = dnn_flat_put_vector(o, r->rank, 8);
    dnn_flat_link(o, p[T_SHAPE], shape);
    for (int k = 0; k < r->rank; k++) dnn_flat_put(o, shape + 4 + 8 * k, (uint64_t)r->shape[k], 8);
    dnn_flat_put(o, p[T_DTYPE], (uint64_t)r->dtype, 1);
    dnn_flat_put(o, p[T_KIND], (uint64_t)r->kind, 1);
    dnn_flat_put(o, p[T_OFFSET], (uint64_t)r->offset, 8);
    dnn_flat_put(o, p[T_BYTES], (uint64_t)r->bytes, 8);
    dnn_flat_put(o, p[T_CHECKSUM], r->checksum, 8);
  }
  return list;
}

/* Gives the rows their offsets from `start` on, in order, each on a multiple of 64; where the last one ends. */
static int64_t place_rows(DnnWeight *rows, int n, int64_t start) {
  for (int i = 0; i < n; i++) {
    rows[i].offset = (start + 63) / 64 * 64;
    start = rows[i].offset + rows[i].bytes;
  }
  return (start + 63) / 64 * 64;
}

/* The tables; `all` are the n rows of tensors, then those of `more`. Returns their bytes. */
static int64_t build_table(DnnFlatOut *o, const char *program, DnnWeight *all, int n, const DnnWeightsMore *more,
                           int64_t start) {
  const int sizes[FILE_FIELDS] = {4, 8, 8, 8, 4, 4, more ? 4 : 0};
  int64_t at[FILE_FIELDS], end = place_rows(all, n + (more ? more->n : 0), start);
  o->n = 0;
  dnn_flat_space(o, 0, 1, 8);
  if (!o->failed) memcpy(o->b + 4, "DNNW", 4);
  int64_t root = dnn_flat_table(o, FILE_FIELDS, sizes, at);
  dnn_flat_put(o, 0, (uint64_t)root, 4);
  dnn_flat_put(o, at[FILE_VERSION], 1, 4);
  dnn_flat_link(o, at[FILE_PROGRAM], dnn_flat_put_string(o, program ? program : ""));
  dnn_flat_link(o, at[FILE_TENSORS], dnn_weights_list(o, all, n));
  if (more) dnn_flat_link(o, at[FILE_CHECKPOINT], more->put(more->user, o, all + n, more->n));
  dnn_flat_put(o, at[FILE_TABLE_BYTES], (uint64_t)o->n, 8);
  dnn_flat_put(o, at[FILE_BYTES], (uint64_t)end, 8);
  if (!o->failed) dnn_flat_put(o, at[FILE_CHECKSUM], dnn_xxh64(o->b, o->n, 0), 8);
  return o->n;
}

static bool write_all(const char *path, const DnnFlatOut *o, const DnnWeight *all, int n, DnnError *e) {
  DnnOut out;
  if (!dnn_out_open(&out, path, e)) return false;
  dnn_out_write(&out, o->b, o->n);
  for (int i = 0; i < n; i++) {
    dnn_out_align(&out, 64);
    dnn_out_write(&out, all[i].data, all[i].bytes);
  }
  dnn_out_align(&out, 64);
  return dnn_out_close(&out, e);
}

bool dnn_weights_write_more(const char *path, const char *program, const DnnWeight *rows, int n,
                            const DnnWeightsMore *more, DnnError *e) {
  DnnFlatOut o = {0};
  int count = n + (more ? more->n : 0);
  DnnWeight *all = calloc((size_t)count + 1, sizeof *all);
  if (!all) return dnn_fail(e, "%s: no memory", path);
  for (int i = 0; i < count; i++) {
    all[i] = i < n ? rows[i] : more->rows[i - n];
    all[i].bytes = dnn_count(all[i].rank, all[i].shape, 8) * dnn_dtype_size(all[i].dtype);
    all[i].checksum = dnn_xxh64(all[i].data, all[i].bytes, 0);
  }
  int64_t size = build_table(&o, program, all, n, more, 0);
  build_table(&o, program, all, n, more, size);
  bool ok = o.failed ? dnn_fail(e, "%s: no memory", path) : write_all(path, &o, all, count, e);
  free(all);
  free(o.b);
  return ok;
}

bool dnn_weights_write(const char *path, const char *program, const DnnWeight *rows, int n, DnnError *e) {
  return dnn_weights_write_more(path, program, rows, n, NULL, e);
}

int dnn_weights_of_cells(const DnnProgram *p, const unsigned char *cells, int kinds, DnnWeight *rows) {
  int n = 0;
  for (int i = 0; i < p->n_cells; i++) {
    const DnnCell *c = &p->cells[i];
    if (!(kinds & 1 << c->kind)) continue;
    DnnWeight *r = &rows[n++];
    *r = (DnnWeight){.path = (char *)(uintptr_t)c->path, .dtype = c->dtype, .rank = c->rank, .kind = c->kind};
    for (int k = 0; k < c->rank && k < DNN_MAX_RANK; k++) r->shape[k] = c->shape[k];
    r->data = cells + c->offset;
  }
  return n;
}

bool dnn_weights_save(const DnnProgram *p, const unsigned char *cells, int kinds, const char *path, DnnError *e) {
  DnnWeight *rows = calloc((size_t)p->n_cells + 1, sizeof *rows);
  if (!rows) return dnn_fail(e, "%s: no memory", path);
  bool ok = dnn_weights_write(path, p->name, rows, dnn_weights_of_cells(p, cells, kinds, rows), e);
  free(rows);
  return ok;
}

/* ---- into cells ---- */
static bool below(const char *path, const char *prefix) {
  size_t n = prefix ? strlen(prefix) : 0;
  return !n || (!strncmp(path, prefix, n) && (!path[n] || path[n] == '.' || path[n] == '['));
}

static bool fits(const DnnCell *c, const DnnWeight *r) {
  if (c->dtype != r->dtype || c->rank != r->rank) return false;
  for (int i = 0; i < c->rank; i++)
    if (c->shape[i] != r->shape[i]) return false;
  return true;
}

static void note(DnnError *e, int *n, const char *format, const char *path, const char *a, const char *b) {
  if (++*n <= 12) {
    char line[400];
    snprintf(line, sizeof line, format, path, a, b);
    dnn_fail_more(e, "\n  %s", line);
  } else if (*n == 13) {
    dnn_fail_more(e, "\n  ... and more");
  }
}

static void compare(const DnnCell *c, const DnnWeight *r, DnnError *e, int *differences) {
  char want[160], have[160];
  dnn_type_text(want, sizeof want, c->dtype, c->rank, c->shape);
  if (!r) note(e, differences, "%s: %s is missing in the file%s", c->path, want, "");
  else if (!fits(c, r))
    note(e, differences, "%s: the program has %s, the file %s", c->path, want,
         dnn_type_text(have, sizeof have, r->dtype, r->rank, r->shape));
}

bool dnn_weights_load(const DnnProgram *p, unsigned char *cells, const char *prefix, const DnnWeights *w, DnnError *e) {
  int differences = 0;
  dnn_fail(e, "%s: does not fit the program:", w->name);
  for (int i = 0; i < p->n_cells; i++) {
    const DnnCell *c = &p->cells[i];
    int at = below(c->path, prefix) ? dnn_weights_find(w, c->path) : -2;
    if (at >= 0 || (at == -1 && c->kind != DNN_OPT)) compare(c, at < 0 ? NULL : &w->rows[at], e, &differences);
  }
  for (int i = 0; i < w->n; i++) {
    bool known = w->rows[i].kind != DNN_PARAM || !below(w->rows[i].path, prefix);
    for (int k = 0; k < p->n_cells && !known; k++) known = !strcmp(p->cells[k].path, w->rows[i].path);
    if (!known) note(e, &differences, "%s: is in the file only%s%s", w->rows[i].path, "", "");
  }
  if (differences) return false;
  e->text[0] = 0;
  for (int i = 0; i < p->n_cells; i++) {
    const DnnCell *c = &p->cells[i];
    int at = below(c->path, prefix) ? dnn_weights_find(w, c->path) : -1;
    if (at >= 0) memcpy(cells + c->offset, w->rows[at].data, (size_t)c->bytes);
  }
  return true;
}

bool dnn_weights_given(const DnnProgram *p, const DnnWeights *w, uint8_t *given) {
  bool all = true;
  for (int i = 0; i < p->n_cells; i++) all &= given[i] = dnn_weights_find(w, p->cells[i].path) >= 0;
  return all;
}

/* All cells that come from one file. */
static bool load_from(const DnnProgram *p, unsigned char *cells, int first, const DnnWeights *w, DnnError *e) {
  int differences = 0;
  const char *file = p->cells[first].load_file;
  dnn_fail(e, "%s: does not fit what the program takes from it:", w->name);
  for (int i = first; i < p->n_cells; i++) {
    const DnnCell *c = &p->cells[i];
    if (!c->load_file || strcmp(c->load_file, file)) continue;
    const char *path = c->load_path ? c->load_path : c->path;
    int at = dnn_weights_find(w, path);
    compare(c, at < 0 ? NULL : &w->rows[at], e, &differences);
    if (at >= 0 && fits(c, &w->rows[at])) memcpy(cells + c->offset, w->rows[at].data, (size_t)c->bytes);
  }
  if (!differences) e->text[0] = 0;
  return !differences;
}

bool dnn_weights_initial(const DnnProgram *p, unsigned char *cells, char *(*find)(void *, const char *), void *user,
                         DnnError *e) {
  for (int i = 0; i < p->n_cells; i++) {
    const char *file = p->cells[i].load_file;
    bool done = !file;
    for (int k = 0; k < i && !done; k++) done = p->cells[k].load_file && !strcmp(p->cells[k].load_file, file);
    if (done) continue;
    DnnWeights w;
    char *path = find(user, file);
    bool ok = dnn_weights_open(path ? path : file, &w, e);
    free(path);
    if (!ok) return false;
    ok = load_from(p, cells, i, &w, e);
    dnn_weights_close(&w);
    if (!ok) return false;
  }
  return true;
}
