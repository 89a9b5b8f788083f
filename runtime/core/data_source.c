/* Sources of records: files and drawings. Files are checked against the declared record when they are opened. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "runtime/core/data_set.h"
#include "runtime/core/draw.h"
#include "runtime/core/ragged.h"
#include "runtime/core/tensor_file.h"
#include <stdlib.h>
#include <string.h>

int64_t dnn_field_bytes(const DnnPort *p) {
  int64_t n = dnn_dtype_size(p->dtype);
  for (int i = 0; i < p->rank; i++)
    if (__builtin_mul_overflow(n, p->axes[i].add, &n)) return INT64_MAX;
  return n;
}

static bool find_file(const DnnDataSets *d, const DnnData *s, const char *name, char **path, DnnError *e) {
  return dnn_data_path(&d->opts, s->place, name, path, e);
}

const DnnDataArg *dnn_arg_of(const DnnData *s, const char *field) {
  for (int i = 0; i < s->n_args; i++)
    if (s->args[i].name && !strcmp(s->args[i].name, field)) return &s->args[i];
  return NULL;
}

static char *record_text(char *buf, size_t size, const DnnPort *p, int dtype) {
  int64_t shape[DNN_MAX_RANK];
  for (int i = 0; i < p->rank && i < DNN_MAX_RANK; i++) shape[i] = p->axes[i].add;
  return dnn_type_text(buf, size, dtype, p->rank, shape);
}

bool dnn_check_values(const char *file, const DnnData *s, const DnnPort *p, const void *data, int64_t n, DnnError *e) {
  if (p->below.var != -1 || !p->below.add || dnn_dtype_is_float(p->dtype)) return true;
  int64_t most = -1, at = 0;
  for (int64_t i = 0; i < n; i++) {
    int64_t v = dnn_get_int(data, p->dtype, i);
    if (v < 0)
      return dnn_fail(e, "%s: `%s` is declared < %lld at %s, but value %lld is %lld, below 0", file, p->name,
                      (long long)p->below.add, s->place, (long long)i, (long long)v);
    if (v > most) most = v, at = i;
  }
  if (most < p->below.add) return true;
  return dnn_fail(e, "%s: `%s` is declared < %lld at %s, but value %lld is %lld; write < %lld", file, p->name,
                  (long long)p->below.add, s->place, (long long)at, (long long)most, (long long)most + 1);
}

/* Takes a tensor [n, record...] as the array of a field: checks record shape, converts to the declared dtype. */
bool dnn_take_tensor(const char *file, const DnnData *s, const DnnPort *p, DnnTensor *t, bool whole, DnnSet *set,
                     DnnSetField *f, DnnError *e) {
  char want[200], have[200];
  const int64_t *shape = whole ? t->shape : t->shape + 1;
  int rank = whole ? t->rank : t->rank - 1;
  bool same = rank == p->rank;
  for (int i = 0; same && i < rank; i++) same = shape[i] == p->axes[i].add;
  bool kind = dnn_dtype_is_float(t->dtype) == dnn_dtype_is_float(p->dtype);
  if (!same || !kind) {
    if (rank < 0) return dnn_fail(e, "%s: holds one number, not records", file);
    dnn_type_text(have, sizeof have, t->dtype, rank, shape);
    return dnn_fail(e, "%s: a record is %s, but field `%s` is declared %s at %s; write %s", file, have, p->name,
                    record_text(want, sizeof want, p, p->dtype), s->place, have);
  }
  int64_t n = whole ? 1 : t->shape[0], count = dnn_count(t->rank, t->shape, 8), bad;
  if (set->n >= 0 && n != set->n)
    return dnn_fail(e, "%s: has %lld records, but the field before `%s` has %lld", file, (long long)n, p->name,
                    (long long)set->n);
  set->n = n;
  if (t->dtype != p->dtype) {
    void *to = dnn_alloc(count * dnn_dtype_size(p->dtype));
    if (!to) return dnn_fail(e, "%s: no memory for field `%s`", file, p->name);
    if (!dnn_convert(to, p->dtype, t->data, t->dtype, count, &bad)) {
      free(to);
      return dnn_fail(e, "%s: value %lld is %lld, which does not fit into %s, the type of `%s` at %s", file,
                      (long long)bad, (long long)dnn_get_int(t->data, t->dtype, bad), dnn_dtype_name(p->dtype), p->name,
                      s->place);
    }
    free(t->data);
    t->data = to, t->dtype = p->dtype;
  }
  if (!dnn_check_values(file, s, p, t->data, count, e)) return false;
  f->base = t->data;
  t->data = NULL;
  return true;
}

/* One column of a matrix of records. */
static bool take_column(const char *file, DnnTensor *t, const char *column, DnnError *e) {
  char *end;
  long k = strtol(column, &end, 10);
  if (*end || t->rank != 2 || k < 0 || k >= t->shape[1])
    return dnn_fail(e, "%s: column `%s` of %lld is not there", file, column, t->rank == 2 ? (long long)t->shape[1] : 0);
  int64_t item = dnn_dtype_size(t->dtype);
  unsigned char *b = t->data;
  for (int64_t i = 0; i < t->shape[0]; i++) memmove(b + i * item, b + (i * t->shape[1] + k) * item, (size_t)item);
  t->rank = 1;
  return true;
}

/* `*` in a path stands for the part: train; t10k or test. */
static char *with_part(const DnnDataSets *d, const char *path, const char *part) {
  const char *star = strchr(path, '*');
  if (!star || !part) return strdup(path);
  const char *const words[] = {part, strcmp(part, "test") ? part : "t10k"};
  for (int i = 0;; i++) {
    size_t n = strlen(path) + strlen(words[i]) + 1;
    char *p = malloc(n);
    if (!p) return NULL;
    snprintf(p, n, "%.*s%s%s", (int)(star - path), path, words[i], star + 1);
    char *found = i ? NULL : dnn_data_find(&d->opts, p);
    if (found || i) {
      free(found);
      return p;
    }
    free(p);
  }
}

static bool open_arrays(DnnDataSets *d, const DnnData *s, const char *part, const DnnData *typed, DnnSet *set,
                        DnnError *e) {
  for (int i = 0; i < typed->n_fields; i++) {
    const DnnPort *p = &typed->fields[i];
    const DnnDataArg *a = dnn_arg_of(s, p->name);
    if (!a) return dnn_fail(e, "%s: the source says nothing of field `%s`", s->place, p->name);
    const char *after;
    char *text = with_part(d, a->str, part), *name = text ? dnn_path_cut(text, &after) : NULL, *path = NULL,
         *full = NULL;
    DnnTensor t = {0};
    bool ok = name && find_file(d, s, name, &path, e);
    if (ok && s->op == DNN_DATA_npz) {
      size_t n = strlen(path) + (after ? strlen(after) : 0) + 2;
      full = malloc(n);
      if (full) snprintf(full, n, "%s%s%s", path, after ? ":" : "", after ? after : "");
      ok = full && dnn_tensor_read(full, &t, e);
    } else if (ok) {
      ok = dnn_idx_read(path, &t, e) && (!after || take_column(path, &t, after, e));
    }
    ok = ok && dnn_take_tensor(path, s, p, &t, false, set, &set->fields[i], e);
    dnn_tensor_free(&t);
    free(full), free(path), free(name), free(text);
    if (!ok) return false;
  }
  return true;
}

static bool open_csv(DnnDataSets *d, const DnnData *s, const DnnData *typed, DnnSet *set, DnnError *e) {
  DnnCsv c = {0};
  char *path = NULL, *open_name = NULL;
  bool ok = true, whole = s->op == DNN_DATA_columns;
  for (int i = 0; ok && i < typed->n_fields; i++) {
    const DnnPort *p = &typed->fields[i];
    const DnnDataArg *a = dnn_arg_of(s, p->name);
    if (dnn_is_count(typed, i)) continue;
    if (!a) {
      ok = dnn_fail(e, "%s: the source says nothing of field `%s`", s->place, p->name);
      break;
    }
    const char *column = a->str, *file = s->args[0].str;
    char *cut = NULL;
    if (whole) file = cut = dnn_path_cut(a->str, &column);
    if (!column) column = "0";
    if (!file) {
      ok = dnn_fail(e, "%s: no memory", s->place);
      break;
    }
    if (!open_name || strcmp(open_name, file)) {
      dnn_csv_close(&c);
      free(open_name), free(path);
      path = NULL, open_name = strdup(file);
      ok = find_file(d, s, file, &path, e) && dnn_csv_open(path, &c, e);
    }
    int32_t k = 0;
    int64_t first = 0;
    DnnTensor t = {0};
    DnnTokeniser *tok = NULL;
    ok = ok && dnn_tokeniser_of(d, s, a, &tok, e) && dnn_csv_column(&c, column, &k, &first, e);
    if (ok && tok) {
      ok = dnn_take_cells(tok, &c, k, first, s, typed, set, i, e);
      continue;
    }
    if (ok) ok = dnn_csv_read(&c, k, first, p->dtype, &t, e);
    if (ok && !whole && p->rank)
      ok = dnn_fail(e, "%s: field `%s` is one column, so it is declared %s[]", s->place, p->name,
                    dnn_dtype_name(p->dtype));
    if (ok && whole) set->n = -1;
    ok = ok && dnn_take_tensor(path, s, p, &t, whole, set, &set->fields[i], e);
    dnn_tensor_free(&t);
    free(cut);
  }
  dnn_csv_close(&c);
  free(open_name), free(path);
  return ok;
}

bool dnn_tokeniser_of(DnnDataSets *d, const DnnData *s, const DnnDataArg *a, DnnTokeniser **t, DnnError *e) {
  *t = NULL;
  if (a + 1 >= s->args + s->n_args || a[1].kind != 't') return true;
  *t = dnn_tokens_get(d->tokens, a[1].index, e);
  return *t != NULL;
}

/* Tokens of a file, one record each. */
static bool open_text(DnnDataSets *d, const DnnData *s, const DnnData *typed, DnnSet *set, DnnError *e) {
  char *path;
  DnnBytes b = {0};
  if (typed->n_fields != 1 || typed->fields[0].rank || dnn_dtype_is_float(typed->fields[0].dtype))
    return dnn_fail(e, "%s: text has one integer field, `id: i32[] < 256`", s->place);
  if (!find_file(d, s, s->args[0].str, &path, e)) return false;
  DnnTokeniser *tok;
  DnnIds ids = {0};
  bool ok = dnn_tokeniser_of(d, s, &s->args[0], &tok, e) && dnn_file_read_gz(path, &b, e) &&
            dnn_encode(tok, path, (char *)b.data, b.size, false, &ids, e);
  free(b.data);
  if (ok) {
    DnnTensor t = {.dtype = DNN_I32, .rank = 1, .shape = {ids.n}, .data = ids.v, .bytes = 4 * ids.n};
    ok = ids.n > 0 || dnn_fail(e, "%s: is empty", path);
    ok = ok && dnn_take_tensor(path, s, &typed->fields[0], &t, false, set, &set->fields[0], e);
    ids.v = t.data;
  }
  free(ids.v);
  free(path);
  return ok;
}

static int64_t arg_number(const DnnData *s, int at, const char *name) {
  const DnnDataArg *a = dnn_arg_of(s, name);
  return (int64_t)(a ? a->num : at < s->n_args ? s->args[at].num : 0);
}

static DnnSetField *drawn_field(const DnnData *typed, DnnSet *set, const char *name) {
  for (int i = 0; i < typed->n_fields; i++)
    if (!strcmp(typed->fields[i].name, name)) return &set->fields[i];
  return NULL;
}

static bool open_drawn(const DnnData *s, const char *part, const DnnData *typed, DnnSet *set, DnnError *e) {
  bool digits = s->op == DNN_DATA_digits, sine = s->op == DNN_DATA_sine;
  bool test = part && !strcmp(part, "test");
  int64_t n = digits ? arg_number(s, test ? 1 : 0, test ? "test" : "train") : arg_number(s, 0, "n");
  const DnnDataArg *named = dnn_arg_of(s, "noise");
  double noise = named ? named->num : s->n_args > 1 ? s->args[1].num : 0.1;
  const char *const names[2] = {digits ? "image" : sine ? "x" : "point", sine ? "y" : "label"};
  const int64_t bytes[2] = {digits ? 784 : sine ? 4 : 8, sine ? 4 : 1};
  unsigned char *base[2];
  set->n = n;
  for (int k = 0; k < 2; k++) {
    DnnSetField *f = drawn_field(typed, set, names[k]);
    base[k] = dnn_alloc(n * bytes[k]);
    if (f) f->base = base[k]; /* a field that is not declared is drawn all the same, then dropped */
    if (!base[k] || (f && f->bytes != bytes[k]))
      return dnn_fail(e, base[k] ? "%s: field `%s` has another type here" : "%s: no memory for field `%s`", s->place,
                      names[k]);
  }
  for (int64_t i = 0; i < n; i++) {
    if (digits) dnn_draw_digit(test, i, base[0] + 784 * i, base[1] + i);
    else if (sine) dnn_draw_sine(i, noise, (float *)base[0] + i, (float *)base[1] + i);
    else dnn_draw_spiral(i, noise, (float *)base[0] + 2 * i, base[1] + i);
  }
  for (int k = 0; k < 2; k++)
    if (!drawn_field(typed, set, names[k])) free(base[k]);
  for (int i = 0; i < typed->n_fields; i++)
    if (!set->fields[i].base)
      return dnn_fail(e, "%s: the drawn records have no field `%s`", s->place, typed->fields[i].name);
  return true;
}

/* Sizes that differ from record to record: the first axis, of sources that have such records. */
static bool axes_fit(const DnnData *s, const DnnData *typed, DnnError *e) {
  bool ragged = s->op == DNN_DATA_csv || s->op == DNN_DATA_lines || s->op == DNN_DATA_words ||
                s->op == DNN_DATA_graphs || s->op == DNN_DATA_boxes;
  for (int i = 0; i < typed->n_fields; i++)
    for (int k = 0; k < typed->fields[i].rank; k++) {
      if (typed->fields[i].axes[k].var == -1 || (ragged && k == 0)) continue;
      return dnn_fail(e, "%s: axis %d of field `%s` differs from record to record, which this source does not have",
                      s->place, k, typed->fields[i].name);
    }
  return true;
}

bool dnn_source_open(DnnDataSets *d, const DnnData *s, const char *part, const DnnData *typed, DnnSet *set,
                     DnnError *e) {
  set->kind = DNN_SET_DENSE, set->n = -1;
  if (!axes_fit(s, typed, e)) return false;
  switch (s->op) {
  case DNN_DATA_idx:
  case DNN_DATA_npz: return open_arrays(d, s, part, typed, set, e);
  case DNN_DATA_csv:
  case DNN_DATA_columns: return open_csv(d, s, typed, set, e);
  case DNN_DATA_text: return open_text(d, s, typed, set, e);
  case DNN_DATA_lines: return dnn_open_lines(d, s, typed, set, e);
  case DNN_DATA_words: return dnn_open_words(d, s, typed, set, e);
  case DNN_DATA_graphs: return dnn_open_graphs(d, s, typed, set, e);
  case DNN_DATA_images: return dnn_open_images(d, s, typed, set, e);
  case DNN_DATA_boxes: return dnn_open_boxes(d, s, typed, set, e);
  case DNN_DATA_cifar: return dnn_open_cifar(d, s, part, typed, set, e);
  case DNN_DATA_tensors: return dnn_open_tensors(d, s, typed, set, e);
  case DNN_DATA_digits:
  case DNN_DATA_spirals:
  case DNN_DATA_sine: return open_drawn(s, part, typed, set, e);
  default: return dnn_fail(e, "%s: data row of kind %d is no source", s->place, s->op);
  }
}
