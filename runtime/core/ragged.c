#include "runtime/core/ragged.h"
#include <stdlib.h>
#include <string.h>

static bool room_for(void **p, int64_t *room, int64_t want, int64_t item) {
  if (want <= *room) return true;
  int64_t n = *room * 2 + want;
  void *more = realloc(*p, (size_t)(n * item));
  if (!more) return false;
  *p = more, *room = n;
  return true;
}

bool dnn_gather_add(DnnGather *g, const void *bytes, int64_t n) {
  void *data = g->data;
  bool ok = room_for(&data, &g->room, g->used + n + 1, 1);
  g->data = data;
  if (ok && n) memcpy(g->data + g->used, bytes, (size_t)n);
  g->used += ok ? n : 0;
  return ok;
}

bool dnn_gather_end(DnnGather *g) {
  void *ends = g->ends;
  bool ok = room_for(&ends, &g->n_room, g->n + 1, sizeof *g->ends);
  g->ends = ends;
  if (ok) g->ends[g->n++] = g->used;
  return ok;
}

void dnn_gather_free(DnnGather *g) {
  free(g->data), free(g->ends);
  memset(g, 0, sizeof *g);
}

int dnn_field_named(const DnnData *d, const char *name) {
  for (int i = 0; i < d->n_fields; i++)
    if (!strcmp(d->fields[i].name, name)) return i;
  return -1;
}

int dnn_field_fit(const DnnData *d, int field) {
  const DnnPort *p = &d->fields[field];
  return p->rank && p->axes[0].var >= 0 && p->axes[0].var < d->n_fits ? p->axes[0].var : -1;
}

bool dnn_is_count(const DnnData *d, int field) {
  for (int i = 0; i < d->n_fits; i++)
    if (d->fits[i].as && !strcmp(d->fits[i].as, d->fields[field].name)) return true;
  return false;
}

static bool no_memory(const char *file, DnnError *e) { return dnn_fail(e, "%s: no memory for its records", file); }

static bool same_number(const char *file, const DnnPort *p, DnnSet *set, int64_t n, DnnError *e) {
  if (set->n >= 0 && set->n != n)
    return dnn_fail(e, "%s: has %lld records of `%s`, but %lld of the fields before", file, (long long)n, p->name,
                    (long long)set->n);
  set->n = n;
  return true;
}

/* Elements in the declared dtype. */
static bool converted(const char *file, const DnnData *s, const DnnPort *p, DnnGather *g, int dtype, DnnError *e) {
  int64_t n = g->used / dnn_dtype_size(dtype), bad;
  if (dtype == p->dtype || !n) return true;
  unsigned char *to = malloc((size_t)(n * dnn_dtype_size(p->dtype)) + 1);
  if (!to) return no_memory(file, e);
  if (!dnn_convert(to, p->dtype, g->data, dtype, n, &bad)) {
    free(to);
    if (bad < 0)
      return dnn_fail(e, "%s: `%s` is %s, but is declared %s at %s", file, p->name, dnn_dtype_name(dtype),
                      dnn_dtype_name(p->dtype), s->place);
    return dnn_fail(e, "%s: value %lld of `%s` does not fit into %s, declared at %s", file, (long long)bad, p->name,
                    dnn_dtype_name(p->dtype), s->place);
  }
  int64_t from = dnn_dtype_size(dtype), size = dnn_dtype_size(p->dtype);
  for (int64_t i = 0; i < g->n; i++) g->ends[i] = g->ends[i] / from * size;
  free(g->data);
  g->data = to, g->used = g->room = n * size;
  return true;
}

/* The true sizes, cut to the padded one, as the field behind `as`. */
static bool put_counts(const char *file, const DnnData *typed, DnnSet *set, int fit, const DnnGather *g, int64_t place,
                       DnnError *e) {
  int k = typed->fits[fit].as ? dnn_field_named(typed, typed->fits[fit].as) : -1;
  if (k < 0) return true;
  DnnSetField *f = &set->fields[k];
  bool first = !f->base;
  if (first && !(f->base = dnn_alloc(g->n * 4))) return no_memory(file, e);
  for (int64_t i = 0, from = 0; i < g->n; from = g->ends[i++]) {
    int64_t n = (g->ends[i] - from) / place;
    int32_t size = (int32_t)(n < typed->fits[fit].size ? n : typed->fits[fit].size), *at = (int32_t *)f->base + i;
    if (!first && *at != size)
      return dnn_fail(e, "%s: record %lld: the fields of size %s have %d and %d", file, (long long)i,
                      typed->fits[fit].var, *at, size);
    *at = size;
  }
  return true;
}

static bool pad(const char *file, DnnSet *set, int field, const DnnGather *g, DnnError *e) {
  DnnSetField *f = &set->fields[field];
  f->base = dnn_alloc(g->n * f->bytes);
  if (!f->base) return no_memory(file, e);
  memset(f->base, 0, (size_t)(g->n * f->bytes));
  for (int64_t i = 0, from = 0; i < g->n; from = g->ends[i++]) {
    int64_t n = g->ends[i] - from;
    if (n) memcpy(f->base + i * f->bytes, g->data + from, (size_t)(n < f->bytes ? n : f->bytes));
  }
  return true;
}

static bool keep(const char *file, const DnnData *typed, DnnSet *set, int field, int fit, DnnGather *g, int64_t place,
                 DnnError *e) {
  DnnSetField *f = &set->fields[field];
  if (!set->starts) set->starts = calloc(DNN_MAX_FITS, sizeof *set->starts);
  if (!set->starts || fit >= DNN_MAX_FITS) return no_memory(file, e);
  int64_t *starts = set->starts[fit];
  bool first = !starts;
  if (first) starts = set->starts[fit] = calloc((size_t)g->n + 1, sizeof *starts);
  if (!starts) return no_memory(file, e);
  for (int64_t i = 0; i < g->n; i++) {
    int64_t end = g->ends[i] / place;
    if (!first && starts[i + 1] != end)
      return dnn_fail(e, "%s: record %lld: the fields of size %s differ in size", file, (long long)i,
                      typed->fits[fit].var);
    starts[i + 1] = end;
  }
  f->base = g->data ? g->data : calloc(1, 1), f->starts = starts, f->place = place;
  g->data = NULL;
  return true;
}

bool dnn_take_ragged(const char *file, const DnnData *s, const DnnData *typed, DnnSet *set, int field, DnnGather *g,
                     int dtype, int64_t item, DnnError *e) {
  const DnnPort *p = &typed->fields[field];
  int fit = dnn_field_fit(typed, field);
  int64_t want = p->rank ? 1 : 0;
  for (int i = 1; i < p->rank; i++) want *= p->axes[i].add;
  if (want != item)
    return dnn_fail(e, "%s: `%s` has %lld numbers in each place of its first axis, which the type at %s does not have",
                    file, p->name, (long long)item, s->place);
  if (!same_number(file, p, set, g->n, e) || !converted(file, s, p, g, dtype, e)) return false;
  int64_t place = item * dnn_dtype_size(p->dtype);
  if (!dnn_check_values(file, s, p, g->data, g->used / dnn_dtype_size(p->dtype), e)) return false;
  if (fit >= 0 && typed->fits[fit].pack) return keep(file, typed, set, field, fit, g, place, e);
  for (int64_t i = 0, from = 0; fit < 0 && i < g->n; from = g->ends[i++])
    if (g->ends[i] - from != set->fields[field].bytes)
      return dnn_fail(e, "%s: record %lld has size %lld, but `%s` is declared with %lld at %s", file, (long long)i,
                      (long long)((g->ends[i] - from) / place), p->name, (long long)p->axes[0].add, s->place);
  return (fit < 0 || put_counts(file, typed, set, fit, g, place, e)) && pad(file, set, field, g, e);
}

bool dnn_check_packed(const char *file, const DnnData *s, const DnnData *typed, const DnnSet *set, DnnError *e) {
  for (int k = 0; k < typed->n_fields; k++) {
    const DnnPort *p = &typed->fields[k];
    const DnnSetField *f = &set->fields[k];
    if (p->below.var < 0 || !f->starts) continue;
    const int64_t *limit = set->starts[p->below.var];
    if (!limit)
      return dnn_fail(e, "%s: no field of `%s` has the size %s", s->place, p->name, typed->fits[p->below.var].var);
    int64_t item = f->place / dnn_dtype_size(p->dtype);
    for (int64_t i = 0; i < set->n; i++)
      for (int64_t j = f->starts[i] * item; j < f->starts[i + 1] * item; j++) {
        int64_t v = dnn_get_int(f->base, p->dtype, j), n = limit[i + 1] - limit[i];
        if (v >= 0 && v < n) continue;
        return dnn_fail(e, "%s: record %lld: `%s` is declared < %s at %s, but holds %lld where %s is %lld", file,
                        (long long)i, p->name, typed->fits[p->below.var].var, s->place, (long long)v,
                        typed->fits[p->below.var].var, (long long)n);
      }
  }
  return true;
}

bool dnn_take_numbers(const char *file, const DnnData *s, const DnnData *typed, DnnSet *set, int field, int dtype,
                      void *data, int64_t n, DnnError *e) {
  DnnTensor t;
  if (!dnn_tensor_new(&t, dtype, 1, &n, e)) return false;
  if (n) memcpy(t.data, data, (size_t)(n * dnn_dtype_size(dtype)));
  bool ok = dnn_take_tensor(file, s, &typed->fields[field], &t, false, set, &set->fields[field], e);
  dnn_tensor_free(&t);
  return ok;
}
