#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "runtime/core/checkpoint.h"
#include "runtime/core/xxh64.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Fields of the tables, in the order of schema/dnn.fbs. First those of Checkpoint that are numbers: all have 8 bytes in
 * memory, `size` in the file. */
#define NUMBERS(X)                                                                                                     \
  X(at.action, 8)                                                                                                      \
  X(at.begun, 1)                                                                                                       \
  X(at.step, 8)                                                                                                        \
  X(at.row, 8)                                                                                                         \
  X(at.batch, 8)                                                                                                       \
  X(clock_stage, 8)                                                                                                    \
  X(clock_step, 8)                                                                                                     \
  X(clock_steps, 8)                                                                                                    \
  X(clock_epoch, 8)                                                                                                    \
  X(seed, 8)                                                                                                           \
  X(plan_hash, 8)                                                                                                      \
  X(table_hash, 8)                                                                                                     \
  X(steps, 8)                                                                                                          \
  X(passes, 8)                                                                                                         \
  X(stopped, 1)                                                                                                        \
  X(have_best, 1)                                                                                                      \
  X(best_seen, 1)                                                                                                      \
  X(seconds, 8)                                                                                                        \
  X(stage_seconds, 8)                                                                                                  \
  X(epoch_seconds, 8)                                                                                                  \
  X(smooth, 8)                                                                                                         \
  X(smooth_n, 8)                                                                                                       \
  X(seen, 8)
typedef struct Number {
  size_t offset;
  int size;
} Number;
static const Number numbers[] = {
#define X(member, size) {offsetof(DnnCheckpoint, member), size},
    NUMBERS(X)
#undef X
};
enum { N_NUMBERS = sizeof numbers / sizeof *numbers };
enum { C_METRICS = N_NUMBERS, C_RUNS, C_GROWN, C_SETTINGS, C_BEST, C_FILES, C_FIELDS };
enum { M_NAME, M_VALUE, M_BEST, M_KEPT, M_BEST_AT, M_KNOWN, M_FIELDS };
enum { R_ROW, R_WEIGHT, R_SUMS, R_STAGE, R_EPOCH, R_NEXT, R_FIELDS };
enum { G_NAME, G_BYTES, G_FIELDS };

static uint64_t bits(double v) {
  uint64_t u;
  memcpy(&u, &v, 8);
  return u;
}

static double real(uint64_t u) {
  double v;
  memcpy(&v, &u, 8);
  return v;
}

/* ---- what it belongs to ---- */
static uint64_t add(uint64_t h, int64_t v) { return dnn_xxh64(&v, 8, h); }
static uint64_t add_text(uint64_t h, const char *s) { return s ? dnn_xxh64(s, (int64_t)strlen(s) + 1, h) : add(h, -1); }

static uint64_t add_action(uint64_t h, const DnnAction *a) {
  const int64_t v[] = {a->kind, a->first, a->n, a->unit, a->count, a->entry, a->n_feeds, a->compare};
  h = add(dnn_xxh64(v, sizeof v, h), (int64_t)bits(a->value));
  for (int k = 0; k < a->n_feeds; k++) {
    const DnnFeed *f = &a->feeds[k];
    const int64_t u[] = {f->data, f->shuffled, f->drop, f->batch};
    h = dnn_xxh64(u, sizeof u, h);
  }
  return add_text(add_text(add_text(add_text(add_text(h, a->name), a->metric), a->path), a->as), a->into);
}

static uint64_t add_data(uint64_t h, const DnnData *d) {
  h = add(add(h, d->op), d->n_args);
  for (int k = 0; k < d->n_args; k++) {
    const DnnDataArg *x = &d->args[k];
    h = add(add(add(add_text(add_text(h, x->name), x->str), x->kind), x->index), (int64_t)bits(x->num));
  }
  return h;
}

uint64_t dnn_table_hash(const DnnProgram *p) {
  const int64_t sizes[] = {p->n_cells, p->n_entries, p->n_data, p->n_actions, p->n_stages, (int64_t)p->seed};
  uint64_t h = dnn_xxh64(sizes, sizeof sizes, 1);
  for (int i = 0; i < p->n_actions; i++) h = add_action(h, &p->actions[i]);
  for (int i = 0; i < p->n_data; i++) h = add_data(h, &p->data[i]);
  for (int i = 0; i < p->n_entries; i++) h = add(add_text(h, p->entries[i].name), p->entries[i].n_reports);
  for (int i = 0; i < p->n_cells; i++)
    h = add(add(add_text(h, p->cells[i].path), p->cells[i].dtype), p->cells[i].bytes);
  return h;
}

/* ---- writing ---- */
static void link_text(DnnFlatOut *o, int64_t place, const char *s) {
  dnn_flat_link(o, place, dnn_flat_put_string(o, s));
}

static void put_metrics(DnnFlatOut *o, int64_t place, const DnnCheckpoint *k) {
  static const int sizes[M_FIELDS] = {4, 8, 8, 8, 8, 1};
  int64_t at[M_FIELDS], list = dnn_flat_put_vector(o, k->n_metrics, 4);
  dnn_flat_link(o, place, list);
  for (int64_t i = 0; i < k->n_metrics; i++) {
    const DnnMetric *m = &k->metrics[i];
    dnn_flat_link(o, list + 4 + 4 * i, dnn_flat_table(o, M_FIELDS, sizes, at));
    link_text(o, at[M_NAME], m->name);
    dnn_flat_put(o, at[M_VALUE], bits(m->value), 8);
    dnn_flat_put(o, at[M_BEST], bits(m->best), 8);
    dnn_flat_put(o, at[M_KEPT], bits(m->kept), 8);
    dnn_flat_put(o, at[M_BEST_AT], (uint64_t)m->best_at, 8);
    dnn_flat_put(o, at[M_KNOWN], (uint64_t)m->known, 1);
  }
}

static void put_runs(DnnFlatOut *o, int64_t place, const DnnCheckpoint *k) {
  static const int sizes[R_FIELDS] = {8, 8, 4, 8, 8, 8};
  int64_t at[R_FIELDS], list = dnn_flat_put_vector(o, k->n_runs, 4);
  dnn_flat_link(o, place, list);
  for (int64_t i = 0; i < k->n_runs; i++) {
    const DnnRunState *r = &k->runs[i];
    dnn_flat_link(o, list + 4 + 4 * i, dnn_flat_table(o, R_FIELDS, sizes, at));
    dnn_flat_put(o, at[R_ROW], (uint64_t)r->row, 8);
    dnn_flat_put(o, at[R_WEIGHT], bits(r->weight), 8);
    dnn_flat_put(o, at[R_STAGE], (uint64_t)r->stage, 8);
    dnn_flat_put(o, at[R_EPOCH], (uint64_t)r->epoch, 8);
    dnn_flat_put(o, at[R_NEXT], (uint64_t)r->next, 8);
    int64_t sums = dnn_flat_put_vector(o, r->n, 8);
    dnn_flat_link(o, at[R_SUMS], sums);
    for (int64_t j = 0; j < r->n; j++) dnn_flat_put(o, sums + 4 + 8 * j, bits(r->sums[j]), 8);
  }
}

static void put_grown(DnnFlatOut *o, int64_t place, const DnnCheckpoint *k) {
  static const int sizes[G_FIELDS] = {4, 8};
  int64_t at[G_FIELDS], list = dnn_flat_put_vector(o, k->n_grown, 4);
  dnn_flat_link(o, place, list);
  for (int64_t i = 0; i < k->n_grown; i++) {
    dnn_flat_link(o, list + 4 + 4 * i, dnn_flat_table(o, G_FIELDS, sizes, at));
    link_text(o, at[G_NAME], k->grown[i].name);
    dnn_flat_put(o, at[G_BYTES], (uint64_t)k->grown[i].bytes, 8);
  }
}

static int64_t put(void *user, DnnFlatOut *o, const DnnWeight *rows, int n) {
  const DnnCheckpoint *k = user;
  int n_best = (int)k->n_best;
  int sizes[C_FIELDS];
  int64_t at[C_FIELDS];
  for (int i = 0; i < C_FIELDS; i++) sizes[i] = i < N_NUMBERS ? numbers[i].size : 4;
  int64_t table = dnn_flat_table(o, C_FIELDS, sizes, at);
  for (int i = 0; i < N_NUMBERS; i++) {
    uint64_t v;
    memcpy(&v, (const char *)k + numbers[i].offset, 8);
    dnn_flat_put(o, at[i], v, numbers[i].size);
  }
  put_metrics(o, at[C_METRICS], k);
  put_runs(o, at[C_RUNS], k);
  put_grown(o, at[C_GROWN], k);
  int64_t list = dnn_flat_put_vector(o, k->n_settings, 4);
  dnn_flat_link(o, at[C_SETTINGS], list);
  for (int64_t i = 0; i < k->n_settings; i++) link_text(o, list + 4 + 4 * i, k->settings[i]);
  dnn_flat_link(o, at[C_BEST], dnn_weights_list(o, rows, n_best));
  dnn_flat_link(o, at[C_FILES], dnn_weights_list(o, rows + n_best, n - n_best));
  return table;
}

bool dnn_checkpoint_write(const char *path, const char *program, const DnnCheckpoint *k, const DnnWeight *rows, int n,
                          DnnError *e) {
  int count = (int)(k->n_best + k->n_files);
  DnnWeight *all = calloc((size_t)count + 1, sizeof *all);
  if (!all) return dnn_fail(e, "%s: no memory", path);
  for (int i = 0; i < count; i++) all[i] = i < k->n_best ? k->best[i] : k->files[i - k->n_best];
  DnnWeightsMore more = {all, count, put, (void *)(uintptr_t)k};
  bool ok = dnn_weights_write_more(path, program, rows, n, &more, e);
  free(all);
  return ok;
}

/* ---- reading ---- */
static char *text_of(DnnFlat f, int64_t table, int id, bool *ok) {
  const char *s = dnn_flat_string(f, table, id, ok);
  char *copy = s ? strdup(s) : NULL;
  if (!copy) *ok = false;
  return copy;
}

static void *rows_for(int64_t n, size_t size, bool *ok) {
  void *rows = *ok ? calloc((size_t)n + 1, size) : NULL;
  if (!rows) *ok = false;
  return rows;
}

static void read_metrics(DnnFlat f, DnnCheckpoint *k, bool *ok) {
  int64_t n, list = dnn_flat_vector(f, k->file.checkpoint, C_METRICS, 4, &n, ok);
  k->metrics = rows_for(n, sizeof *k->metrics, ok);
  for (int64_t i = 0; i < n && *ok; i++) {
    DnnMetric *m = &k->metrics[k->n_metrics++];
    int64_t t = dnn_flat_table_at(f, list, i, ok);
    m->name = text_of(f, t, M_NAME, ok);
    m->value = real(dnn_flat_number(f, t, M_VALUE, 8, ok));
    m->best = real(dnn_flat_number(f, t, M_BEST, 8, ok));
    m->kept = real(dnn_flat_number(f, t, M_KEPT, 8, ok));
    m->best_at = (int64_t)dnn_flat_number(f, t, M_BEST_AT, 8, ok);
    m->known = dnn_flat_number(f, t, M_KNOWN, 1, ok) != 0;
  }
}

static void read_runs(DnnFlat f, DnnCheckpoint *k, bool *ok) {
  int64_t n, list = dnn_flat_vector(f, k->file.checkpoint, C_RUNS, 4, &n, ok);
  k->runs = rows_for(n, sizeof *k->runs, ok);
  for (int64_t i = 0; i < n && *ok; i++) {
    DnnRunState *r = &k->runs[k->n_runs++];
    int64_t t = dnn_flat_table_at(f, list, i, ok), sums = dnn_flat_vector(f, t, R_SUMS, 8, &r->n, ok);
    r->row = (int64_t)dnn_flat_number(f, t, R_ROW, 8, ok);
    r->weight = real(dnn_flat_number(f, t, R_WEIGHT, 8, ok));
    r->stage = (int64_t)dnn_flat_number(f, t, R_STAGE, 8, ok);
    r->epoch = (int64_t)dnn_flat_number(f, t, R_EPOCH, 8, ok);
    r->next = (int64_t)dnn_flat_number(f, t, R_NEXT, 8, ok);
    r->sums = rows_for(r->n, 8, ok);
    if (*ok && r->n) memcpy(r->sums, f.b + sums, (size_t)r->n * 8);
  }
}

static void read_grown(DnnFlat f, DnnCheckpoint *k, bool *ok) {
  int64_t n, list = dnn_flat_vector(f, k->file.checkpoint, C_GROWN, 4, &n, ok);
  *ok &= n <= DNN_MAX_GROWN;
  for (int64_t i = 0; i < n && *ok; i++) {
    DnnGrown *g = &k->grown[k->n_grown++];
    int64_t t = dnn_flat_table_at(f, list, i, ok);
    const char *name = dnn_flat_string(f, t, G_NAME, ok);
    g->bytes = (int64_t)dnn_flat_number(f, t, G_BYTES, 8, ok);
    *ok &= name && strlen(name) < sizeof g->name && !strchr(name, '/') && g->bytes >= 0;
    if (*ok) strcpy(g->name, name);
  }
}

static void read_settings(DnnFlat f, DnnCheckpoint *k, bool *ok) {
  int64_t n, list = dnn_flat_vector(f, k->file.checkpoint, C_SETTINGS, 4, &n, ok);
  k->settings = rows_for(n, sizeof *k->settings, ok);
  for (int64_t i = 0; i < n && *ok; i++) {
    const char *s = dnn_flat_string_at(f, list, i, ok);
    k->settings[i] = s ? strdup(s) : NULL;
    if (k->settings[i]) k->n_settings++;
    else *ok = false;
  }
}

bool dnn_checkpoint_open(const char *path, DnnCheckpoint *k, DnnError *e) {
  memset(k, 0, sizeof *k);
  if (!dnn_weights_open(path, &k->file, e)) return false;
  DnnFlat f = {k->file.bytes, k->file.table_bytes};
  bool ok = k->file.checkpoint != 0;
  if (!ok) dnn_fail(e, "%s: holds weights only; it is no checkpoint", path);
  for (int i = 0; i < N_NUMBERS && ok; i++) {
    uint64_t v = dnn_flat_number(f, k->file.checkpoint, i, numbers[i].size, &ok);
    memcpy((char *)k + numbers[i].offset, &v, 8);
  }
  if (k->file.checkpoint) {
    int64_t n, list = dnn_flat_vector(f, k->file.checkpoint, C_BEST, 4, &n, &ok);
    int64_t m, files = dnn_flat_vector(f, k->file.checkpoint, C_FILES, 4, &m, &ok);
    int32_t n_best = 0, n_files = 0;
    read_metrics(f, k, &ok), read_runs(f, k, &ok), read_grown(f, k, &ok), read_settings(f, k, &ok);
    if (!ok) dnn_fail(e, "%s: damaged: the state of its training cannot be read", path);
    ok = ok && dnn_weights_rows(&k->file, list, n, &k->best, &n_best, e);
    k->n_best = n_best;
    ok = ok && dnn_weights_rows(&k->file, files, m, &k->files, &n_files, e);
    k->n_files = n_files;
  }
  if (!ok) dnn_checkpoint_close(k);
  return ok;
}

void dnn_checkpoint_close(DnnCheckpoint *k) {
  for (int64_t i = 0; i < k->n_metrics; i++) free(k->metrics[i].name);
  for (int64_t i = 0; i < k->n_runs; i++) free(k->runs[i].sums);
  for (int64_t i = 0; i < k->n_settings; i++) free(k->settings[i]);
  free(k->metrics), free(k->runs), free(k->settings);
  dnn_weights_free_rows(k->best, (int)k->n_best);
  dnn_weights_free_rows(k->files, (int)k->n_files);
  dnn_weights_close(&k->file);
  memset(k, 0, sizeof *k);
}

/* ---- use ---- */
static bool is_run(const DnnProgram *p, int64_t row) {
  return row >= 0 && row < p->n_actions && p->actions[row].kind == DNN_RUN;
}

/* Rows for all cells, in their order, as dnn_weights_of_cells() makes them. */
static bool holds_cells(const DnnProgram *p, const DnnWeight *rows, int64_t n) {
  if (n != p->n_cells) return false;
  for (int64_t i = 0; i < n; i++)
    if (strcmp(rows[i].path, p->cells[i].path) || rows[i].bytes != p->cells[i].bytes) return false;
  return true;
}

/* A row of a stage is an action of one of its blocks, or its own. */
static bool is_within(const DnnProgram *p, const DnnAction *stage, int64_t row) {
  if (row >= stage->first && row < stage->first + stage->n) return true;
  for (int i = 0; i < stage->n; i++) {
    const DnnAction *a = &p->actions[stage->first + i];
    if (a->kind == DNN_EVERY && row >= a->first && row < a->first + a->n) return true;
  }
  return false;
}

static bool keeps(const DnnProgram *p) {
  for (int i = 0; i < p->n_actions; i++)
    if (p->actions[i].kind == DNN_KEEP) return true;
  return false;
}

static bool fits_tables(const DnnCheckpoint *k, const DnnProgram *p) {
  const DnnPlace *at = &k->at;
  if (at->action < 0 || at->action > p->n_stages || at->row < -1 || at->row >= p->n_actions || at->batch < -1)
    return false;
  if (at->begun && (at->action == p->n_stages || p->actions[at->action].kind != DNN_STAGE)) return false;
  if (at->begun && at->row >= 0 && !is_within(p, &p->actions[at->action], at->row)) return false;
  if (at->batch >= 0 && !is_run(p, at->begun ? at->row : at->action)) return false;
  if (at->step < 0 || k->steps < 0 || k->passes < 0 || (k->file.n && !holds_cells(p, k->file.rows, k->file.n)))
    return false;
  if (k->have_best ? !keeps(p) || !holds_cells(p, k->best, k->n_best) : k->n_best != 0) return false;
  for (int64_t i = 0; i < k->n_runs; i++)
    if (!is_run(p, k->runs[i].row) || k->runs[i].n != p->entries[p->actions[k->runs[i].row].entry].n_reports)
      return false;
  return true;
}

bool dnn_checkpoint_fits(const DnnCheckpoint *k, const DnnProgram *p, DnnError *e) {
  if (k->table_hash != dnn_table_hash(p)) return dnn_fail(e, "%s: is of another program", k->file.name);
  if (k->plan_hash != p->plan_hash)
    return dnn_fail(e,
                    "%s: is of the same program compiled differently (plan %016llx, here %016llx): by another version "
                    "of dnnc, for another target or with other options; only the same plan ends with the same bits",
                    k->file.name, (unsigned long long)k->plan_hash, (unsigned long long)p->plan_hash);
  return fits_tables(k, p) || dnn_fail(e, "%s: damaged: its place is not in the program", k->file.name);
}

int64_t dnn_checkpoint_grown(const DnnCheckpoint *k, const char *name) {
  for (int64_t i = 0; i < k->n_grown; i++)
    if (!strcmp(k->grown[i].name, name)) return k->grown[i].bytes;
  return -1;
}

const char *dnn_checkpoint_setting(const DnnCheckpoint *k, const char *name, int *next) {
  size_t n = strlen(name);
  for (int i = next ? *next : 0; i < k->n_settings; i++) {
    if (strncmp(k->settings[i], name, n) || k->settings[i][n] != '=') continue;
    if (next) *next = i + 1;
    return k->settings[i] + n + 1;
  }
  return NULL;
}
