#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "runtime/core/data_set.h"
#include "runtime/core/random.h"
#include "runtime/core/shapes.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PORTS 64
#define MAX_MADE ((int64_t)1 << 34) /* bytes of records made in advance */
static const uint64_t split_site = 0x5911, group_site = 0x6209;

DnnDataSets *dnn_data_new(const DnnProgram *p, DnnContext *c, const DnnDataOpts *o, DnnTokenSet *tokens) {
  DnnDataSets *d = calloc(1, sizeof *d);
  if (!d) return NULL;
  d->program = p, d->opts = *o, d->tokens = tokens, d->context = *c;
  d->context.arena = NULL, d->context.threads = 1, d->context.seed = (int64_t)o->seed;
  d->context.called = d->context.alone_until = 0;
  d->context.profile = NULL; /* it is called by a thread of its own */
  pthread_mutexattr_t kind;
  pthread_mutexattr_init(&kind);
  pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_init(&d->lock, &kind);
  pthread_mutexattr_destroy(&kind);
  d->sets = calloc((size_t)p->n_data + 1, sizeof *d->sets);
  if (d->sets) return d;
  dnn_data_free(d);
  return NULL;
}

void dnn_data_free(DnnDataSets *d) {
  if (!d) return;
  for (int i = 0; d->sets && i < d->program->n_data; i++) {
    DnnSet *s = &d->sets[i];
    for (int k = 0; s->fields && k < d->program->data[i].n_fields; k++) free(s->fields[k].base);
    free(s->fields);
    free(s->rows);
    for (int k = 0; s->starts && k < DNN_MAX_FITS; k++) free(s->starts[k]);
    free(s->starts);
  }
  free(d->sets);
  free(d->scratch);
  free(d->context.arena);
  pthread_mutex_destroy(&d->lock);
  free(d);
}

int64_t dnn_data_count(const DnnDataSets *d, int row) { return d->sets[row].n == DNN_ENDLESS ? -1 : d->sets[row].n; }

void dnn_shuffle(int64_t *rows, int64_t n, int64_t key) {
  for (int64_t i = n - 1; i > 0; i--) {
    int64_t k = (int64_t)(dnn_bits(key, 0, i) % (uint64_t)(i + 1)), t = rows[i];
    rows[i] = rows[k], rows[k] = t;
  }
}

/* ---- fields ---- */
static int field_named(const DnnData *s, const char *name) {
  const char *dot = strrchr(name, '.');
  for (int i = 0; i < s->n_fields; i++)
    if (!strcmp(s->fields[i].name, name) || (dot && !strcmp(s->fields[i].name, dot + 1))) return i;
  return -1;
}

/* Links the fields of `row` to those of the same name in one of two sets (second: -1 for none); `times`: records of
 * `from` in one of `row`. */
static bool link_fields(DnnDataSets *d, int row, int from, int second, int64_t times, DnnError *e) {
  const DnnData *s = &d->program->data[row], *p = d->program->data;
  DnnSet *set = &d->sets[row];
  for (int i = 0; i < s->n_fields; i++) {
    int source = from, k = field_named(&p[from], s->fields[i].name);
    if (k < 0 && second >= 0) source = second, k = field_named(&p[second], s->fields[i].name);
    if (k < 0) return dnn_fail(e, "%s: no field `%s` in what this is made from", s->place, s->fields[i].name);
    set->fields[i].from = source, set->fields[i].field = k;
    if (set->fields[i].bytes != times * d->sets[source].fields[k].bytes)
      return dnn_fail(e, "%s: field `%s` has another type in what this is made from", s->place, s->fields[i].name);
  }
  return true;
}

static int source_of(const DnnData *s, int at) {
  return s->n_args > at && s->args[at].kind == 'd' ? s->args[at].index : -1;
}

static int64_t number_of(const DnnData *s, int at, const char *name, int64_t otherwise) {
  for (int i = 0; i < s->n_args; i++)
    if (s->args[i].name && !strcmp(s->args[i].name, name)) return (int64_t)s->args[i].num;
  return at < s->n_args && (s->args[at].kind == 'i' || s->args[at].kind == 'f') ? (int64_t)s->args[at].num : otherwise;
}

/* ---- records made by entries ---- */
static int64_t round64(int64_t n) { return (n + 63) / 64 * 64; }

/* Memory for one call of a record entry, with its inputs and outputs side by side. */
static int64_t call_bytes(const DnnEntry *x) {
  int64_t bytes = 0, shape[DNN_MAX_RANK], vars[DNN_MAX_VARS] = {0};
  for (int i = 0; i < x->n_inputs + x->n_results + x->n_reports; i++) {
    const DnnPort *p = i < x->n_inputs ? &x->inputs[i] : &x->outputs[i - x->n_inputs];
    bytes += round64(dnn_port_shape(x, i, vars, shape) * dnn_dtype_size(p->dtype));
  }
  return bytes;
}

/* Grows the scratch block; sets are opened before any record is made for a reader. */
static bool need_scratch(DnnDataSets *d, const DnnEntry *x, DnnError *e) {
  if (x->n_inputs > MAX_PORTS || x->n_results + x->n_reports > MAX_PORTS || x->n_vars > 0)
    return dnn_fail(e, "`%s` has too many fields or a free size", x->name);
  if (!d->context.arena) d->context.arena = dnn_alloc(d->program->arena_bytes);
  void *more = dnn_alloc(d->scratch_bytes += call_bytes(x));
  if (!d->context.arena || !more) return dnn_fail(e, "no memory to make records with `%s`", x->name);
  free(d->scratch);
  d->scratch = more;
  return true;
}

/* The call on record `i` of `from` (-1: on nothing but the number) with memory at `at`. */
static bool call_record(DnnDataSets *d, int row, const DnnEntry *x, int from, int64_t i, unsigned char *at, void **out,
                        DnnError *e) {
  const void *in[MAX_PORTS + 1];
  int64_t vars[1] = {0}, shape[DNN_MAX_RANK];
  for (int k = 0; k < x->n_inputs; k++) {
    const DnnPort *p = &x->inputs[k];
    int f = from < 0 ? -1 : field_named(&d->program->data[from], p->name);
    in[k] = at;
    if (f >= 0 && !dnn_data_read(d, from, f, i, at, e)) return false;
    if (f < 0) dnn_put(at, p->dtype, 0, (double)i);
    at += round64(dnn_port_shape(x, k, vars, shape) * dnn_dtype_size(p->dtype));
  }
  for (int k = 0; k < x->n_results + x->n_reports; k++) {
    out[k] = at;
    at += round64(dnn_port_shape(x, x->n_inputs + k, vars, shape) * dnn_dtype_size(x->outputs[k].dtype));
  }
  DnnContext *c = &d->context;
  c->stage = -2 - row, c->step = i, c->steps = 0, c->epoch = 0, c->error_site = 0;
  if (!x->call(c, vars, in, out)) return true;
  return dnn_fail(e, "%s: record %lld: %s", d->program->data[row].place, (long long)i, d->program->error_text(c));
}

/* out[k] points into the scratch and is good until the next record is made. */
static bool make_record(DnnDataSets *d, int row, int entry, int from, int64_t i, void **out, DnnError *e) {
  const DnnEntry *x = &d->program->entries[entry];
  int64_t was = d->scratch_used;
  d->scratch_used += call_bytes(x);
  bool ok = call_record(d, row, x, from, i, d->scratch + was, out, e);
  d->scratch_used = was;
  return ok;
}

static int result_of(const DnnEntry *x, const DnnData *s, int field) {
  for (int k = 0; k < x->n_results; k++)
    if (x->outputs[k].name && !strcmp(x->outputs[k].name, s->fields[field].name)) return k;
  return field < x->n_results ? field : -1;
}

static bool open_made(DnnDataSets *d, int row, int entry, int from, int64_t n, DnnError *e) {
  const DnnData *s = &d->program->data[row];
  const DnnEntry *x = &d->program->entries[entry];
  DnnSet *set = &d->sets[row];
  int64_t bytes = 0;
  if (!need_scratch(d, x, e)) return false;
  set->kind = DNN_SET_MADE, set->n = n, set->entry = entry, set->from = from;
  for (int i = 0; i < s->n_fields; i++) {
    set->fields[i].field = result_of(x, s, i);
    if (set->fields[i].field < 0)
      return dnn_fail(e, "%s: `%s` makes no field `%s`", s->place, x->name, s->fields[i].name);
    bytes += set->fields[i].bytes;
  }
  if (n == DNN_ENDLESS || n > MAX_MADE / (bytes + 1)) return true; /* made when they are read */
  for (int i = 0; i < s->n_fields; i++) {
    set->fields[i].base = dnn_alloc(n * set->fields[i].bytes);
    if (!set->fields[i].base) return dnn_fail(e, "%s: no memory for %lld records", s->place, (long long)n);
  }
  void *out[MAX_PORTS + 1];
  for (int64_t r = 0; r < n; r++) {
    if (!make_record(d, row, entry, from, r, out, e)) return false;
    for (int i = 0; i < s->n_fields; i++)
      memcpy(set->fields[i].base + r * set->fields[i].bytes, out[set->fields[i].field], (size_t)set->fields[i].bytes);
  }
  set->kind = DNN_SET_DENSE;
  return true;
}

static bool open_filter(DnnDataSets *d, int row, int from, int entry, DnnError *e) {
  DnnSet *set = &d->sets[row];
  int64_t n = d->sets[from].n, kept = 0;
  void *out[MAX_PORTS + 1];
  if (n == DNN_ENDLESS)
    return dnn_fail(e, "%s: endless records cannot be filtered; take some first", d->program->data[row].place);
  if (!need_scratch(d, &d->program->entries[entry], e) || !link_fields(d, row, from, -1, 1, e)) return false;
  set->rows = malloc((size_t)(n + 1) * sizeof *set->rows);
  if (!set->rows) return dnn_fail(e, "no memory");
  for (int64_t i = 0; i < n; i++) {
    if (!make_record(d, row, entry, from, i, out, e)) return false;
    if (*(unsigned char *)out[0]) set->rows[kept++] = i;
  }
  set->kind = DNN_SET_ROWS, set->from = from, set->n = kept;
  return true;
}

/* ---- data from data ---- */
static bool open_split(DnnDataSets *d, int row, int split, const char *name, DnnError *e) {
  const DnnData *s = &d->program->data[split];
  DnnSet *set = &d->sets[row];
  int from = source_of(s, 0);
  if (!dnn_data_open(d, from, e) || !link_fields(d, row, from, -1, 1, e)) return false;
  int64_t n = d->sets[from].n;
  if (n == DNN_ENDLESS) return dnn_fail(e, "%s: endless records cannot be split", s->place);
  double sum = 0;
  int64_t begin = -1, end = -1;
  for (int i = 1; i < s->n_args; i++) {
    if (s->args[i].kind == 's' || !s->args[i].name) continue;
    int64_t low = (int64_t)floor(sum * (double)n + 0.5);
    sum += s->args[i].num;
    int64_t high = (int64_t)floor(sum * (double)n + 0.5);
    if (!strcmp(s->args[i].name, name)) begin = low, end = high < n ? high : n;
  }
  if (begin < 0) return dnn_fail(e, "%s: the split has no share `%s`", s->place, name);
  int64_t *all = malloc((size_t)(n + 1) * sizeof *all);
  set->rows = malloc((size_t)(end - begin + 1) * sizeof *set->rows);
  if (!all || !set->rows) {
    free(all);
    return dnn_fail(e, "no memory");
  }
  for (int64_t i = 0; i < n; i++) all[i] = i;
  dnn_shuffle(all, n, (int64_t)dnn_mix64(split_site, (uint64_t)n));
  memcpy(set->rows, all + begin, (size_t)(end - begin) * sizeof *all);
  free(all);
  set->kind = DNN_SET_ROWS, set->from = from, set->n = end - begin;
  return true;
}

typedef struct Keyed {
  int64_t key, row;
} Keyed;

static int by_key(const void *a, const void *b) {
  const Keyed *x = a, *y = b;
  return x->key != y->key ? (x->key < y->key ? -1 : 1) : (x->row > y->row) - (x->row < y->row);
}

static bool open_groups(DnnDataSets *d, int row, int from, const char *by, int64_t size, DnnError *e) {
  const DnnData *s = &d->program->data[row], *up = &d->program->data[from];
  DnnSet *set = &d->sets[row];
  int64_t n = d->sets[from].n, groups = 0;
  int field = field_named(up, by);
  if (n == DNN_ENDLESS) return dnn_fail(e, "%s: endless records cannot be grouped", s->place);
  if (field < 0 || up->fields[field].rank)
    return dnn_fail(e, "%s: no field `%s` of one number to group by", s->place, by);
  if (size < 1 || !link_fields(d, row, from, -1, size, e)) return false;
  Keyed *keys = malloc((size_t)(n + 1) * sizeof *keys);
  set->rows = malloc((size_t)(n + 1) * sizeof *set->rows);
  int64_t *some = malloc((size_t)(n + 1) * sizeof *some);
  bool ok = keys && set->rows && some ? true : dnn_fail(e, "no memory");
  for (int64_t i = 0; ok && i < n; i++) {
    unsigned char value[8];
    ok = dnn_data_read(d, from, field, i, value, e);
    if (ok) keys[i] = (Keyed){dnn_get_int(value, up->fields[field].dtype, 0), i};
  }
  if (ok) qsort(keys, (size_t)n, sizeof *keys, by_key);
  for (int64_t i = 0, k; ok && i < n; i = k) {
    for (k = i; k < n && keys[k].key == keys[i].key; k++) some[k - i] = keys[k].row;
    dnn_shuffle(some, k - i, (int64_t)dnn_mix64(group_site, (uint64_t)keys[i].key));
    int64_t whole = (k - i) / size;
    memcpy(set->rows + groups * size, some, (size_t)(whole * size) * sizeof *some);
    groups += whole;
  }
  free(some);
  free(keys);
  set->kind = DNN_SET_GROUPS, set->from = from, set->size = size, set->n = groups;
  return ok;
}

static bool open_part(DnnDataSets *d, int row, DnnError *e) {
  const DnnData *s = &d->program->data[row];
  int from = source_of(s, 0);
  const char *name = s->n_args > 1 ? s->args[1].str : NULL;
  if (from < 0 || !name) return dnn_fail(e, "%s: a part without a name", s->place);
  if (d->program->data[from].op == DNN_DATA_split) return open_split(d, row, from, name, e);
  return dnn_source_open(d, &d->program->data[from], name, s, &d->sets[row], e);
}

static bool open_selection(DnnDataSets *d, int row, int from, DnnError *e) {
  const DnnData *s = &d->program->data[row];
  DnnSet *set = &d->sets[row];
  int64_t n = d->sets[from].n, k = number_of(s, 1, "n", 0);
  if (!link_fields(d, row, from, -1, 1, e)) return false;
  set->kind = DNN_SET_ROWS, set->from = from;
  set->start = s->op == DNN_DATA_drop ? (k < n ? k : n) : 0;
  if (s->op == DNN_DATA_drop) set->n = n == DNN_ENDLESS ? n : n - set->start;
  else set->n = k < n ? k : n;
  return true;
}

static bool open_pair(DnnDataSets *d, int row, int from, int second, DnnError *e) {
  DnnSet *set = &d->sets[row];
  bool zip = d->program->data[row].op == DNN_DATA_zip;
  int64_t n = d->sets[from].n, m = d->sets[second].n;
  if (!link_fields(d, row, from, zip ? second : -1, 1, e)) return false;
  set->kind = zip ? DNN_SET_ZIP : DNN_SET_CHAIN, set->from = from, set->second = second;
  if (zip) set->n = n < m ? n : m;
  else set->n = n == DNN_ENDLESS || m == DNN_ENDLESS ? DNN_ENDLESS : n + m;
  return true;
}

static bool open_windows(DnnDataSets *d, int row, int from, DnnError *e) {
  const DnnData *s = &d->program->data[row];
  DnnSet *set = &d->sets[row];
  int64_t n = d->sets[from].n;
  set->kind = DNN_SET_WINDOWS, set->from = from;
  set->size = number_of(s, 1, "n", 1), set->stride = number_of(s, 2, "stride", 1);
  if (set->size < 1 || set->stride < 1) return dnn_fail(e, "%s: a window of no length", s->place);
  if (!link_fields(d, row, from, -1, set->size, e)) return false;
  set->n = n == DNN_ENDLESS ? n : n < set->size ? 0 : (n - set->size) / set->stride + 1;
  return true;
}

/* Each record with the first field of the next one as a further field. */
static bool open_neighbours(DnnDataSets *d, int row, int from, DnnError *e) {
  const DnnData *s = &d->program->data[row], *up = &d->program->data[from];
  DnnSet *set = &d->sets[row];
  int64_t n = d->sets[from].n;
  set->kind = DNN_SET_NEXT, set->from = from, set->size = -1;
  for (int i = 0; i < s->n_fields; i++) {
    bool then = !strcmp(s->fields[i].name, s->args[1].str);
    int k = then ? 0 : field_named(up, s->fields[i].name);
    if (then) set->size = i;
    if (k < 0 || k >= up->n_fields || set->fields[i].bytes != d->sets[from].fields[k].bytes)
      return dnn_fail(e, "%s: field `%s` is not one of the records", s->place, s->fields[i].name);
    set->fields[i].from = from, set->fields[i].field = k;
  }
  set->n = n == DNN_ENDLESS ? n : n > 0 ? n - 1 : 0;
  return true;
}

static bool open_row(DnnDataSets *d, int row, DnnError *e) {
  const DnnData *s = &d->program->data[row];
  if (s->op == DNN_DATA_part) return open_part(d, row, e);
  int from = source_of(s, 0), second = source_of(s, 1), entry = -1;
  for (int i = 0; i < s->n_args; i++)
    if (s->args[i].kind == 'e') entry = s->args[i].index;
  if (from >= 0 && !dnn_data_open(d, from, e)) return false;
  if (second >= 0 && !dnn_data_open(d, second, e)) return false;
  switch (s->op) {
  case DNN_DATA_generate: {
    int64_t n = number_of(s, 0, "n", 0);
    return open_made(d, row, entry, -1, n < 0 ? DNN_ENDLESS : n, e);
  }
  case DNN_DATA_map: return open_made(d, row, entry, from, d->sets[from].n, e);
  case DNN_DATA_filter: return open_filter(d, row, from, entry, e);
  case DNN_DATA_take:
  case DNN_DATA_drop: return open_selection(d, row, from, e);
  case DNN_DATA_zip:
  case DNN_DATA_chain: return open_pair(d, row, from, second, e);
  case DNN_DATA_windows: return open_windows(d, row, from, e);
  case DNN_DATA_groups:
    return open_groups(d, row, from, s->n_args > 1 && s->args[1].str ? s->args[1].str : "", number_of(s, 2, "size", 1),
                       e);
  case DNN_DATA_neighbours: return open_neighbours(d, row, from, e);
  case DNN_DATA_split: return dnn_fail(e, "%s: a share of the split must be chosen", s->place);
  default: return dnn_source_open(d, s, NULL, s, &d->sets[row], e);
  }
}

bool dnn_data_open(DnnDataSets *d, int row, DnnError *e) {
  DnnSet *set = &d->sets[row];
  const DnnData *s = &d->program->data[row];
  if (set->kind != DNN_SET_CLOSED && set->fields && !set->opening) return true;
  if (set->opening) return dnn_fail(e, "%s: the data set is made from itself", s->place);
  set->opening = true;
  set->fields = calloc((size_t)s->n_fields + 1, sizeof *set->fields);
  if (!set->fields) return dnn_fail(e, "no memory");
  for (int i = 0; i < s->n_fields; i++) set->fields[i].bytes = dnn_field_bytes(&s->fields[i]);
  if (!open_row(d, row, e)) {
    set->kind = DNN_SET_CLOSED;
    return false;
  }
  set->opening = false;
  return true;
}

static bool read_made(DnnDataSets *d, int row, int field, int64_t i, void *to, DnnError *e) {
  DnnSet *s = &d->sets[row];
  void *out[MAX_PORTS + 1];
  pthread_mutex_lock(&d->lock);
  bool ok = make_record(d, row, s->entry, s->from, i, out, e);
  if (ok) memcpy(to, out[s->fields[field].field], (size_t)s->fields[field].bytes);
  pthread_mutex_unlock(&d->lock);
  return ok;
}

int64_t dnn_data_size(const DnnDataSets *d, int row, int field, int64_t i) {
  const DnnSet *s = &d->sets[row];
  const DnnSetField *f = &s->fields[field];
  if (s->kind == DNN_SET_ROWS) return dnn_data_size(d, f->from, f->field, s->rows ? s->rows[i] : s->start + i);
  return s->kind == DNN_SET_DENSE && f->starts ? f->starts[i + 1] - f->starts[i] : -1;
}

bool dnn_data_read(DnnDataSets *d, int row, int field, int64_t i, void *to, DnnError *e) {
  const DnnSet *s = &d->sets[row];
  const DnnSetField *f = &s->fields[field];
  switch (s->kind) {
  case DNN_SET_DENSE:
    if (!f->base) return true; /* packed, and no record has a place */
    if (f->starts)
      memcpy(to, f->base + f->starts[i] * f->place, (size_t)((f->starts[i + 1] - f->starts[i]) * f->place));
    else memcpy(to, f->base + i * f->bytes, (size_t)f->bytes);
    return true;
  case DNN_SET_NEXT: return dnn_data_read(d, f->from, f->field, i + (field == s->size), to, e);
  case DNN_SET_ROWS: return dnn_data_read(d, f->from, f->field, s->rows ? s->rows[i] : s->start + i, to, e);
  case DNN_SET_ZIP: return dnn_data_read(d, f->from, f->field, i, to, e);
  case DNN_SET_CHAIN: {
    int64_t n = d->sets[s->from].n;
    if (i < n) return dnn_data_read(d, s->from, f->field, i, to, e);
    int k = field_named(&d->program->data[s->second], d->program->data[row].fields[field].name);
    return k >= 0 ? dnn_data_read(d, s->second, k, i - n, to, e) : dnn_fail(e, "a field is missing");
  }
  case DNN_SET_WINDOWS:
  case DNN_SET_GROUPS: {
    int64_t bytes = f->bytes / s->size;
    const DnnSet *up = &d->sets[f->from];
    if (s->kind == DNN_SET_WINDOWS && up->kind == DNN_SET_DENSE) {
      memcpy(to, up->fields[f->field].base + i * s->stride * bytes, (size_t)f->bytes);
      return true;
    }
    for (int64_t k = 0; k < s->size; k++) {
      int64_t from = s->kind == DNN_SET_WINDOWS ? i * s->stride + k : s->rows[i * s->size + k];
      if (!dnn_data_read(d, f->from, f->field, from, (char *)to + k * bytes, e)) return false;
    }
    return true;
  }
  case DNN_SET_MADE: return read_made(d, row, field, i, to, e);
  default: return dnn_fail(e, "a data set that was not opened is read");
  }
}

void dnn_data_origin(const DnnDataSets *d, int *row, int *field, int64_t *i) {
  for (;;) {
    const DnnSet *s = &d->sets[*row];
    const DnnSetField *f = &s->fields[*field];
    int64_t n = s->kind == DNN_SET_CHAIN ? d->sets[s->from].n : 0;
    switch (s->kind) {
    case DNN_SET_NEXT: *i += *field == s->size; break;
    case DNN_SET_ROWS: *i = s->rows ? s->rows[*i] : s->start + *i; break;
    case DNN_SET_ZIP: break;
    case DNN_SET_CHAIN:
      if (*i < n) break;
      *field = field_named(&d->program->data[s->second], d->program->data[*row].fields[*field].name);
      *row = s->second, *i -= n;
      continue;
    default: return;
    }
    *row = f->from, *field = f->field;
  }
}
