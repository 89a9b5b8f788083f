/* Batches for the runs of a training program. A batch is a function of (seed, stage, epoch, number), so that it is the
 * same with and without the thread that prepares the next one. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "runtime/core/ragged.h"
#include "runtime/core/random.h"
#include "runtime/core/shapes.h"
#include "runtime/core/watch.h"
#include <locale.h>
#include <stdlib.h>
#include <string.h>

typedef struct Feed {
  const DnnFeed *feed;
  int64_t n, batch, batches;  /* records, rows of a full batch, batches of a pass (-1: without end) */
  int64_t *order, order_pass; /* shuffled: the order of this pass */
} Feed;

typedef struct Slot {
  unsigned char **in; /* one per input */
  int64_t *rows;      /* one per feed */
  int64_t *places;    /* packed: one per input, of the first axis */
  int64_t number;     /* the batch that is in it, -1: none */
  bool failed;
  DnnError error;
} Slot;

struct DnnFeeder {
  DnnDataSets *data;
  const DnnAction *run;
  const DnnEntry *entry;
  Feed *feeds;
  Slot slots[2];
  int n_slots;
  int64_t stage, epoch, next;
  bool prefetch, started, wanted, quit; /* wanted: the thread has slot wanted_number & 1 to fill */
  int64_t wanted_number;
  pthread_t thread;
  locale_t locale; /* of who made it: a record may hold numbers as text */
  pthread_mutex_t lock;
  pthread_cond_t changed;
};

/* ---- one batch ---- */
/* Which pass of feed `j` batch `number` falls into, and where in it. Feeds beside the first go on from epoch to epoch.
 */
static int64_t place_in(const DnnFeeder *f, int j, int64_t number, int64_t *pass) {
  const Feed *x = &f->feeds[j];
  if (x->batches < 0) {
    *pass = 0;
    return (f->feeds[0].batches > 0 ? f->epoch * f->feeds[0].batches : 0) + number;
  }
  if (j == 0) {
    *pass = f->epoch;
    return number;
  }
  int64_t total = (f->feeds[0].batches > 0 ? f->epoch * f->feeds[0].batches : 0) + number;
  *pass = total / x->batches;
  return total % x->batches;
}

static void set_order(DnnFeeder *f, int j, int64_t pass) {
  Feed *x = &f->feeds[j];
  if (!x->order || x->order_pass == pass) return;
  for (int64_t i = 0; i < x->n; i++) x->order[i] = i;
  uint64_t where = dnn_mix64((uint64_t)f->stage, (uint64_t)j);
  dnn_shuffle(x->order, x->n, dnn_call_key((int64_t)f->data->opts.seed, (int64_t)where, pass));
  x->order_pass = pass;
}

/* What a bind reads: its record's data, its port there (NULL: the record's number). */
static const DnnData *data_of(const DnnFeeder *f, const DnnBind *b) {
  return &f->data->program->data[f->run->feeds[b->feed].data];
}

static const DnnPort *port_of(const DnnFeeder *f, const DnnBind *b) {
  return b->field < 0 ? NULL : &data_of(f, b)->fields[b->field];
}

/* The fit of a packed input, -1. */
static int packed_fit(const DnnFeeder *f, const DnnBind *b) {
  int fit = b->field < 0 ? -1 : dnn_field_fit(data_of(f, b), b->field);
  return fit >= 0 && data_of(f, b)->fits[fit].pack ? fit : -1;
}

/* A field of this fit that records have themselves, not the one of `as`. */
static int field_of_fit(const DnnData *d, int fit) {
  for (int i = 0; i < d->n_fields; i++)
    if (dnn_field_fit(d, i) == fit && !dnn_is_count(d, i)) return i;
  return -1;
}

static void add_to(void *data, int dtype, int64_t n, int64_t by) {
  for (int64_t i = 0; by && i < n; i++) dnn_put(data, dtype, i, (double)(dnn_get_int(data, dtype, i) + by));
}

/* Records laid end to end; indices below a packed size are shifted by what stands before the record. */
static bool fill_packed(DnnFeeder *f, Slot *s, int input, int fit, int64_t at) {
  const DnnBind *b = &f->run->binds[input];
  const Feed *x = &f->feeds[b->feed];
  const DnnData *d = data_of(f, b);
  const DnnPort *p = port_of(f, b);
  int row = x->feed->data, sized = field_of_fit(d, fit), below = p->below.var >= 0 ? field_of_fit(d, p->below.var) : -1;
  bool count = dnn_is_count(d, b->field);
  int64_t total = 0, before = 0, place = f->data->sets[row].fields[b->field].bytes / d->fits[fit].size;
  for (int64_t r = 0; r < s->rows[b->feed]; r++) {
    int64_t record = x->order ? x->order[at + r] : at + r, n = dnn_data_size(f->data, row, sized, record);
    unsigned char *to = s->in[input] + total * place;
    if (n < 0 || total + n > d->fits[fit].size)
      return dnn_fail(&s->error, "%s: a batch does not fit into %s = %lld", f->run->place, d->fits[fit].var,
                      (long long)d->fits[fit].size);
    for (int64_t i = 0; count && i < n; i++) dnn_put(to, p->dtype, i, (double)r);
    if (!count && !dnn_data_read(f->data, row, b->field, record, to, &s->error)) return false;
    if (below >= 0) {
      add_to(to, p->dtype, n * place / dnn_dtype_size(p->dtype), before);
      before += dnn_data_size(f->data, row, below, record);
    }
    total += n;
  }
  s->places[input] = total;
  return true;
}

static bool fill(DnnFeeder *f, Slot *s, int64_t number) {
  int64_t at[64];
  for (int j = 0; j < f->run->n_feeds; j++) {
    Feed *x = &f->feeds[j];
    int64_t pass;
    at[j] = place_in(f, j, number, &pass) * x->batch;
    s->rows[j] = x->n == DNN_ENDLESS || x->n - at[j] > x->batch ? x->batch : x->n - at[j];
    set_order(f, j, pass);
  }
  for (int i = 0; i < f->entry->n_inputs; i++) {
    const DnnBind *b = &f->run->binds[i];
    const Feed *x = &f->feeds[b->feed];
    int fit = packed_fit(f, b);
    if (fit >= 0) {
      if (!fill_packed(f, s, i, fit, at[b->feed])) return false;
      continue;
    }
    int64_t bytes = b->field < 0 ? 0 : f->data->sets[x->feed->data].fields[b->field].bytes;
    for (int64_t r = 0; r < s->rows[b->feed]; r++) {
      int64_t record = x->order ? x->order[at[b->feed] + r] : at[b->feed] + r;
      if (b->field < 0) dnn_put(s->in[i], f->entry->inputs[i].dtype, r, (double)record);
      else if (!dnn_data_read(f->data, x->feed->data, b->field, record, s->in[i] + r * bytes, &s->error)) return false;
    }
  }
  return true;
}

static void fill_slot(DnnFeeder *f, int64_t number) {
  Slot *s = &f->slots[f->n_slots > 1 ? number & 1 : 0];
  s->failed = !fill(f, s, number);
  s->number = number;
}

/* ---- the thread ---- */
static void *worker(void *arg) {
  DnnFeeder *f = arg;
  uselocale(f->locale);
  pthread_mutex_lock(&f->lock);
  for (;;) {
    while (!f->quit && !f->wanted) pthread_cond_wait(&f->changed, &f->lock);
    if (f->quit) break;
    int64_t number = f->wanted_number;
    pthread_mutex_unlock(&f->lock);
    fill_slot(f, number);
    pthread_mutex_lock(&f->lock);
    f->wanted = false;
    pthread_cond_broadcast(&f->changed);
  }
  pthread_mutex_unlock(&f->lock);
  return NULL;
}

static void wait_for_thread(DnnFeeder *f) {
  if (!f->started) return;
  pthread_mutex_lock(&f->lock);
  while (f->wanted) pthread_cond_wait(&f->changed, &f->lock);
  pthread_mutex_unlock(&f->lock);
}

static void ask_thread(DnnFeeder *f, int64_t number) {
  if (!f->started) f->started = !pthread_create(&f->thread, NULL, worker, f);
  if (!f->started) return; /* without a thread the next batch is made when it is needed */
  pthread_mutex_lock(&f->lock);
  f->wanted = true, f->wanted_number = number;
  pthread_cond_broadcast(&f->changed);
  pthread_mutex_unlock(&f->lock);
}

/* ---- the feeder ---- */
static int falling(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x < y) - (x > y);
}

/* Any batch of packed records must fit: the largest ones together are looked at before the first step. */
static bool packs_fit(const DnnFeeder *f, const Feed *x, const DnnData *d, DnnError *e) {
  for (int k = 0; k < d->n_fits; k++) {
    int field = d->fits[k].pack ? field_of_fit(d, k) : -1;
    if (field < 0) continue;
    int64_t *sizes = malloc((size_t)(x->n + 1) * sizeof *sizes), sum = 0;
    if (!sizes) return dnn_fail(e, "no memory");
    for (int64_t i = 0; i < x->n; i++) sizes[i] = dnn_data_size(f->data, x->feed->data, field, i);
    qsort(sizes, (size_t)x->n, sizeof *sizes, falling);
    for (int64_t i = 0; i < x->batch && i < x->n; i++) sum += sizes[i];
    free(sizes);
    if (sum > d->fits[k].size)
      return dnn_fail(e,
                      "%s: the %lld largest records of `%s` have %s = %lld together, which does not fit into %lld; "
                      "write `pack %s to %lld` at %s, or a smaller batch",
                      f->run->place, (long long)(x->batch < x->n ? x->batch : x->n), d->name ? d->name : "the data set",
                      d->fits[k].var, (long long)sum, (long long)d->fits[k].size, d->fits[k].var, (long long)sum,
                      d->place);
  }
  return true;
}

static bool open_feed(DnnFeeder *f, int j, DnnError *e) {
  Feed *x = &f->feeds[j];
  x->feed = &f->run->feeds[j], x->order_pass = -1;
  if (!dnn_data_open(f->data, x->feed->data, e)) return false;
  const DnnData *d = &f->data->program->data[x->feed->data];
  const char *name = d->name ? d->name : "the data set";
  x->n = f->data->sets[x->feed->data].n;
  if (x->n == 0) return dnn_fail(e, "%s: `%s` of %s has no records", f->run->place, name, d->place);
  bool endless = x->n == DNN_ENDLESS;
  if (x->feed->batch < 0 && endless)
    return dnn_fail(e, "%s: `%s` has no end, so `batch all` cannot be; take some records", f->run->place, name);
  x->batch = x->feed->batch < 0 ? x->n : x->feed->batch ? x->feed->batch : 1;
  x->batches = endless ? -1 : x->feed->drop ? x->n / x->batch : (x->n - 1) / x->batch + 1;
  if (x->batch > x->n) x->batch = x->feed->drop ? x->batch : x->n;
  if (j && x->batches == 0) return dnn_fail(e, "%s: `%s` has not one full batch", f->run->place, name);
  if (!packs_fit(f, x, d, e)) return false;
  if (!x->feed->shuffled || endless) return true;
  x->order = malloc((size_t)x->n * sizeof *x->order);
  return x->order || dnn_fail(e, "no memory to shuffle %lld records", (long long)x->n);
}

static bool check_input(const DnnFeeder *f, int i, DnnError *e) {
  const DnnPort *p = &f->entry->inputs[i];
  const DnnBind *b = &f->run->binds[i];
  if (b->feed < 0 || b->feed >= f->run->n_feeds)
    return dnn_fail(e, "%s: input `%s` has no feed", f->run->place, p->name);
  const DnnData *d = &f->data->program->data[f->run->feeds[b->feed].data];
  if (b->field >= d->n_fields) return dnn_fail(e, "%s: input `%s` has no field", f->run->place, p->name);
  if (b->field < 0 || d->fields[b->field].dtype == p->dtype) return true;
  return dnn_fail(e, "%s: input `%s` is %s, field `%s` is %s", f->run->place, p->name, dnn_dtype_name(p->dtype),
                  d->fields[b->field].name, dnn_dtype_name(d->fields[b->field].dtype));
}

static bool make_slots(DnnFeeder *f, DnnError *e) {
  f->n_slots = f->prefetch && f->feeds[0].batches != 1 ? 2 : 1;
  if (f->n_slots == 1) f->prefetch = false;
  for (int k = 0; k < f->n_slots; k++) {
    Slot *s = &f->slots[k];
    s->number = -1;
    s->in = calloc((size_t)f->entry->n_inputs + 1, sizeof *s->in);
    s->rows = calloc((size_t)f->run->n_feeds + 1, sizeof *s->rows);
    s->places = calloc((size_t)f->entry->n_inputs + 1, sizeof *s->places);
    if (!s->in || !s->rows || !s->places) return dnn_fail(e, "no memory");
    for (int i = 0; i < f->entry->n_inputs; i++) {
      const DnnBind *b = &f->run->binds[i];
      const Feed *x = &f->feeds[b->feed];
      int64_t bytes = b->field < 0 ? 8 : f->data->sets[x->feed->data].fields[b->field].bytes;
      int64_t rows = packed_fit(f, b) >= 0 ? 1 : x->batch;
      if (bytes && rows > INT64_MAX / 64 / bytes) return dnn_fail(e, "%s: a batch is too large", f->run->place);
      s->in[i] = dnn_alloc(bytes * rows);
      if (!s->in[i]) return dnn_fail(e, "%s: no memory for a batch of %lld rows", f->run->place, (long long)x->batch);
    }
  }
  return true;
}

bool dnn_feeder_new(DnnDataSets *d, const DnnAction *run, int prefetch, DnnFeeder **out, DnnError *e) {
  DnnFeeder *f = calloc(1, sizeof *f);
  *out = NULL;
  if (!f) return dnn_fail(e, "no memory");
  f->data = d, f->run = run, f->entry = &d->program->entries[run->entry], f->prefetch = prefetch;
  f->locale = uselocale((locale_t)0);
  pthread_mutex_init(&f->lock, NULL);
  pthread_cond_init(&f->changed, NULL);
  f->feeds = calloc((size_t)run->n_feeds + 1, sizeof *f->feeds);
  bool ok = f->feeds && run->n_feeds <= 64 ? true : dnn_fail(e, "%s: too many feeds", run->place);
  for (int j = 0; ok && j < run->n_feeds; j++) ok = open_feed(f, j, e);
  for (int i = 0; ok && i < f->entry->n_inputs; i++) ok = check_input(f, i, e);
  ok = ok && make_slots(f, e);
  if (ok) *out = f;
  else dnn_feeder_free(f);
  return ok;
}

void dnn_feeder_free(DnnFeeder *f) {
  if (!f) return;
  if (f->started) {
    pthread_mutex_lock(&f->lock);
    f->quit = true;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    pthread_join(f->thread, NULL);
  }
  for (int k = 0; k < 2; k++) {
    for (int i = 0; f->slots[k].in && i < f->entry->n_inputs; i++) free(f->slots[k].in[i]);
    free(f->slots[k].in);
    free(f->slots[k].rows);
    free(f->slots[k].places);
  }
  for (int j = 0; f->feeds && j < f->run->n_feeds; j++) free(f->feeds[j].order);
  free(f->feeds);
  pthread_mutex_destroy(&f->lock);
  pthread_cond_destroy(&f->changed);
  free(f);
}

int64_t dnn_feeder_batches(const DnnFeeder *f) { return f->feeds[0].batches; }

void dnn_feeder_start(DnnFeeder *f, int64_t stage, int64_t epoch) {
  wait_for_thread(f);
  if (stage != f->stage)
    for (int j = 0; j < f->run->n_feeds; j++) f->feeds[j].order_pass = -1;
  f->stage = stage, f->epoch = epoch, f->next = 0;
  f->slots[0].number = f->slots[1].number = -1;
}

void dnn_feeder_place(const DnnFeeder *f, int64_t *stage, int64_t *epoch, int64_t *next) {
  *stage = f->stage, *epoch = f->epoch, *next = f->next;
}

void dnn_feeder_seek(DnnFeeder *f, int64_t stage, int64_t epoch, int64_t next) {
  dnn_feeder_start(f, stage, epoch);
  f->next = next;
}

/* The variables for the rows of this batch, and the entry's own value bounds where the record declares none as tight.
 */
static bool bind_batch(const DnnFeeder *f, const Slot *s, int64_t *vars, DnnError *e) {
  int32_t ranks[256];
  int64_t shapes[256][DNN_MAX_RANK];
  const DnnEntry *x = f->entry;
  if (x->n_inputs > 256) return dnn_fail(e, "`%s` has too many inputs", x->name);
  for (int i = 0; i < x->n_inputs; i++) {
    const DnnBind *b = &f->run->binds[i];
    const DnnPort *p = port_of(f, b);
    bool packed = packed_fit(f, b) >= 0;
    ranks[i] = 0;
    if (packed) shapes[i][ranks[i]++] = s->places[i];
    else if (f->run->feeds[b->feed].batch) shapes[i][ranks[i]++] = s->rows[b->feed];
    for (int k = packed; p && k < p->rank && ranks[i] < DNN_MAX_RANK; k++) shapes[i][ranks[i]++] = p->axes[k].add;
  }
  DnnError why;
  if (!dnn_bind_shapes(x, ranks, (const int64_t(*)[DNN_MAX_RANK])shapes, vars, &why))
    return dnn_fail(e, "%s: %s", f->run->place, why.text);
  for (int i = 0; i < x->n_inputs; i++) {
    const DnnBind *b = &f->run->binds[i];
    const DnnAxis *bound = &x->inputs[i].below;
    const DnnPort *p = port_of(f, b);
    if (p && (p->below.var >= 0 || (packed_fit(f, b) >= 0 && dnn_is_count(data_of(f, b), b->field)))) continue;
    if (p && bound->var == -1 && p->below.add && p->below.add <= bound->add) continue;
    if (!dnn_check_bound(x, i, vars, s->in[i], dnn_count(ranks[i], shapes[i], 1), &why))
      return dnn_fail(e, "%s: %s", f->run->place, why.text);
  }
  return true;
}

int dnn_feeder_next(DnnFeeder *f, const void **in, int64_t *vars, int64_t *rows, DnnError *e) {
  int64_t batches = f->feeds[0].batches, number = f->next;
  if (batches >= 0 && number >= batches) return 0;
  Slot *s = &f->slots[f->n_slots > 1 ? number & 1 : 0];
  wait_for_thread(f);
  if (s->number != number) fill_slot(f, number);
  if (s->failed) {
    *e = s->error;
    return -1;
  }
  f->next++;
  if (f->prefetch && (batches < 0 || f->next < batches)) ask_thread(f, f->next);
  if (!bind_batch(f, s, vars, e)) return -1;
  for (int i = 0; i < f->entry->n_inputs; i++) in[i] = s->in[i];
  *rows = s->rows[0];
  return 1;
}

/* The row of a batch in which place `at` of a packed input stands. */
static int64_t packed_row(const DnnFeeder *f, const DnnBind *b, int fit, int64_t first, int64_t rows, int64_t at) {
  const Feed *x = &f->feeds[b->feed];
  int sized = field_of_fit(data_of(f, b), fit);
  for (int64_t r = 0; r < rows; r++) {
    at -= dnn_data_size(f->data, x->feed->data, sized, x->order ? x->order[first + r] : first + r);
    if (at < 0) return r;
  }
  return 0;
}

void dnn_feeder_blame(DnnFeeder *f, DnnContext *c) {
  DnnWatch *w = c->watch;
  if (!f || !w || w->input < 0) return;
  const DnnBind *b = &f->run->binds[w->input];
  const Feed *x = &f->feeds[b->feed];
  wait_for_thread(f);
  int64_t pass, number = f->next - 1, first = place_in(f, b->feed, number, &pass) * x->batch;
  int64_t row = x->feed->batch ? w->row : 0;
  int fit = packed_fit(f, b), set = x->feed->data, field = b->field;
  if (field < 0) return;
  set_order(f, b->feed, pass);
  if (fit >= 0) row = packed_row(f, b, fit, first, f->slots[f->n_slots > 1 ? number & 1 : 0].rows[b->feed], row);
  int64_t record = x->order ? x->order[first + row] : first + row;
  dnn_data_origin(f->data, &set, &field, &record);
  const DnnData *d = &f->data->program->data[set];
  snprintf(w->record, sizeof w->record, "that is record %lld (counted from 0) of %s, %s, field `%s`",
           (long long)record, d->name ? d->name : "the data", d->place, d->fields[field].name);
}
