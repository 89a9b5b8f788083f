#include "codegen/watch.h"
#include "base/ds.h"
#include "codegen/watch_internal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- elements ---- */

/* Of every float type a quiet NaN, whose payload neither the processor nor libm makes. */
enum { POISON = 0x7ffd7ffd };

void watch_poison(void *p, int64_t bytes) {
  static const unsigned char pattern[4] = {POISON & 255, POISON >> 8 & 255, POISON >> 16 & 255, POISON >> 24};
  unsigned char *b = p;
  int64_t done = bytes < 4 ? bytes : 4;
  memcpy(b, pattern, (size_t)done);
  for (int64_t n; done < bytes; done += n) {
    n = done < bytes - done ? done : bytes - done;
    memcpy(b + done, b, (size_t)n);
  }
}

static void count(int64_t *n, int64_t *first, int64_t i) {
  if (!(*n)++) *first = i;
}

/* One element that is perhaps none of the ordinary ones. */
static void look_at(const Tensor *t, int64_t i, Seen *s) {
  static const int64_t pattern = (int64_t)((uint64_t)POISON << 32 | POISON);
  bool none;
  switch (t->dtype) {
  case F64:
  case I64: none = ((const int64_t *)t->data)[i] == pattern; break;
  case F32:
  case I32: none = ((const int32_t *)t->data)[i] == POISON; break;
  case F16:
  case BF16: none = ((const uint16_t *)t->data)[i] == (POISON & 0xffff); break;
  case BOOL: none = ((const uint8_t *)t->data)[i] > 1; break;
  default: return;
  }
  if (none) count(&s->unwritten, &s->first_unwritten, i);
  if (none || !dtype_is_float(t->dtype)) return;
  double v = tensor_get(t, i);
  if (isnan(v)) count(&s->nan, &s->first_nan, i);
  else if (isinf(v)) count(&s->inf, &s->first_inf, i);
}

/* Is there one in these `n` elements? A loop for the vector unit. */
#define SUSPECT(name, T, test)                                                                                         \
  static int name(const void *p, int64_t from, int n) {                                                                \
    const T *x = (const T *)p + from;                                                                                  \
    int any = 0;                                                                                                       \
    for (int i = 0; i < n; i++) any |= test;                                                                           \
    return any;                                                                                                        \
  }
SUSPECT(suspect_f64, uint64_t, (x[i] >> 52 & 0x7ff) == 0x7ff)
SUSPECT(suspect_f32, uint32_t, (x[i] & 0x7f800000) == 0x7f800000)
SUSPECT(suspect_f16, uint16_t, (x[i] & 0x7c00) == 0x7c00)
SUSPECT(suspect_bf16, uint16_t, (x[i] & 0x7f80) == 0x7f80)
SUSPECT(suspect_i64, int64_t, x[i] == (int64_t)((uint64_t)POISON << 32 | POISON))
SUSPECT(suspect_i32, int32_t, x[i] == POISON)
SUSPECT(suspect_bool, uint8_t, x[i] > 1)

Seen watch_scan(const void *p, DType dtype, int64_t n) {
  typedef int Suspect(const void *, int64_t, int);
  static Suspect *const suspects[] = {
      [F64] = suspect_f64, [F32] = suspect_f32, [F16] = suspect_f16,  [BF16] = suspect_bf16,
      [I64] = suspect_i64, [I32] = suspect_i32, [BOOL] = suspect_bool};
  enum { BLOCK = 256 };
  Seen s = {0};
  Tensor t = {.dtype = dtype, .rank = 1, .shape = {n}, .data = (void *)(uintptr_t)p};
  if (dtype == I8 || dtype == U8) return s;
  for (int64_t at = 0; at < n; at += BLOCK) {
    int m = (int)(n - at < BLOCK ? n - at : BLOCK);
    if (!suspects[dtype](p, at, m)) continue;
    for (int i = 0; i < m; i++) look_at(&t, at + i, &s);
  }
  return s;
}

/* ---- a call ---- */

int64_t watch_count(const WatchCall *c, Type t) {
  DimTab *dims = c->w->prog->dims;
  return dim_eval(dims, type_count(dims, t), c->vars);
}
static int64_t bytes_of(const WatchCall *c, Type t) { return watch_count(c, t) * dtype_size(t.dtype); }

/* Is there something else between its elements? */
static bool has_gaps(const Plan *p, int buf) { return p->bufs[buf].place && p->bufs[buf].kind == BUF_ROW; }
/* Has the buffer a place and a type that can be read? The number of an iteration and cells at distances have none. */
static bool is_memory(const Plan *p, int buf) {
  return p->bufs[buf].kind != BUF_COUNT && p->bufs[buf].kind != BUF_CELLS && !has_gaps(p, buf);
}

static WatchCall *call_of(Watch *w, const DnnContext *m) {
  for (int i = 0; i < (int)arrlen(w->calls); i++)
    if (w->calls[i].m == m) return &w->calls[i];
  WatchCall c = {.w = w, .m = m, .vars = arena_array(w->arena, int64_t, dim_var_count(w->prog->dims) + 1)};
  arrput(w->calls, c);
  return &arrlast(w->calls);
}

/* What the threads that there are have for themselves. */
static void poison_scratch(const WatchCall *c) {
  const Lowered *l = c->w->lowered[c->entry];
  unsigned char *scratch = c->m->arena + c->w->out->scratch_at[c->entry];
  watch_poison(scratch, lowered_scratch_bytes(l) * c->m->threads);
}

/* The entry's own part of the arena: values and workspace; scratch is filled before every group. */
static void begin_call(WatchCall *c, const DnnWatched *at) {
  const Entry *x = &c->w->prog->entries[at->entry];
  c->entry = at->entry;
  for (int k = 0; k < (int)arrlen(x->vars); k++) c->vars[x->vars[k]] = at->vars[k];
  watch_poison(c->m->arena, c->w->out->scratch_at[at->entry]);
  arrsetlen(c->alive, 0);
}

static bool overlap(const void *a, int64_t n, const void *b, int64_t m) {
  uintptr_t x = (uintptr_t)a, y = (uintptr_t)b;
  return x < y + (uintptr_t)m && y < x + (uintptr_t)n;
}

void watch_gather(const WatchCall *c, const PlanBuf *x, const void *from, void *to) {
  DimTab *dims = c->w->prog->dims;
  size_t size = (size_t)dtype_size(x->type.dtype);
  for (int64_t i = 0, n = watch_count(c, x->type); i < n; i++) {
    int64_t rest = i, at = 0;
    for (int k = x->type.rank; k-- > 0;) {
      int64_t of = dim_eval(dims, x->type.shape[k], c->vars);
      at += rest % of * dim_eval(dims, x->place->axis[k], c->vars);
      rest /= of;
    }
    memcpy((char *)to + (size_t)i * size, (const char *)from + (size_t)at * size, size);
  }
}

/* What stands in a buffer, in the order of its axes. */
static Seen scan(const WatchCall *c, const PlanBuf *x, const void *data) {
  void *row = x->place ? zeroed((size_t)bytes_of(c, x->type), 1) : NULL;
  if (row) watch_gather(c, x, data, row);
  Seen s = watch_scan(row ? row : data, x->type.dtype, watch_count(c, x->type));
  free(row);
  return s;
}

/* Does the group write into what it reads as `read`? */
static bool is_overwritten(const WatchCall *c, const Plan *p, const Group *g, int read, int64_t bytes) {
  int n = (int)arrlen(g->reads);
  for (int k = 0; k < (int)arrlen(g->outs); k++)
    if (overlap(c->at->bufs[read], bytes, c->at->bufs[n + k], bytes_of(c, p->bufs[g->outs[k].buf].type))) return true;
  return false;
}

static void keep_copy(WatchCall *c, int read, int64_t bytes) {
  WatchCopy x = {zeroed((size_t)bytes, 1), bytes};
  memcpy(x.data, c->at->bufs[read], (size_t)bytes);
  c->copies[read] = x;
}

static void drop_copies(WatchCall *c) {
  for (int i = 0; i < (int)arrlen(c->copies); i++) free(c->copies[i].data);
  arrsetlen(c->copies, 0);
}

static uint64_t mix(uint64_t h, int64_t n) { return (h ^ (uint64_t)n) * 0x100000001b3u; }

/* False when an operand is bad, and told. */
static bool before(Watch *w, WatchCall *c, const Plan *p, const Group *g) {
  int n = (int)arrlen(g->reads);
  drop_copies(c);
  c->infs = 0;
  watch_free(c, p, c->at->group);
  for (int k = 0; k < n; k++) {
    arrput(c->copies, ((WatchCopy){0}));
    if (!is_memory(p, g->reads[k])) continue;
    const PlanBuf *x = &p->bufs[g->reads[k]];
    BufKind kind = p->bufs[watch_root(p, g->reads[k])].kind;
    Seen s = scan(c, x, c->at->bufs[k]);
    bool unwritten = s.unwritten && (kind == BUF_ARENA || kind == BUF_OWN || kind == BUF_OUTPUT),
         nan = s.nan && !watch_makes_records(c);
    if (unwritten) watch_tell_unwritten(c, g->reads[k], true, &s);
    else if (nan) watch_tell_operand(c, k, &s);
    if (unwritten || nan) return false;
    c->infs = mix(c->infs, s.inf);
    int64_t bytes = bytes_of(c, x->type);
    if (is_overwritten(c, p, g, k, bytes)) keep_copy(c, k, bytes);
  }
  for (int k = 0; k < (int)arrlen(g->outs); k++) {
    int64_t bytes = bytes_of(c, p->bufs[g->outs[k].buf].type);
    bool shared = false;
    for (int i = 0; i < n; i++)
      shared |= is_memory(p, g->reads[i]) &&
                overlap(c->at->bufs[n + k], bytes, c->at->bufs[i], bytes_of(c, p->bufs[g->reads[i]].type));
    if (!shared && !has_gaps(p, g->outs[k].buf)) watch_poison((void *)(uintptr_t)c->at->bufs[n + k], bytes);
  }
  if (g->temp) watch_poison(c->m->arena + p->bufs[g->temp - 1].offset, p->bufs[g->temp - 1].bytes);
  if (!g->solo) poison_scratch(c); /* which holds what the groups of a loop hand on */
  return true;
}

/* Where do the infinities of the results come from? Their numbers are remembered when they are legitimate. */
static bool infinities_are_good(Watch *w, WatchCall *c, const Group *g, const Seen *seen, uint64_t sign) {
  uint64_t *vetted = &w->vetted[c->entry][c->at->group];
  if (*vetted == sign) return true;
  Find f = watch_find_begin(c);
  NodeId bad = 0;
  int64_t at = 0;
  for (int k = 0; !bad && k < (int)arrlen(g->outs); k++) {
    const Tensor *t = seen[k].inf ? watch_value(&f, g->outs[k].node) : NULL;
    for (int64_t i = 0, n = t ? tensor_count(t) : 0; !bad && i < n; i++)
      if (isinf(tensor_get(t, i))) bad = watch_arose(&f, g->outs[k].node, i, &at);
  }
  if (bad) watch_tell_value(&f, bad, at);
  else *vetted = sign;
  watch_find_end(&f);
  return !bad;
}

/* What makes records of records may hand a NaN of its input on. */
static bool nan_arises(const WatchCall *c, NodeId n, int64_t first) {
  Find f = watch_find_begin(c);
  const Tensor *t = watch_value(&f, n);
  NodeId from = 0;
  int64_t at = first;
  for (int64_t i = first, m = t ? tensor_count(t) : 0; !from && i < m; i++)
    if (isnan(tensor_get(t, i))) from = watch_arose(&f, n, i, &at);
  if (!from && !watch_makes_records(c)) from = n, at = first;
  if (from) watch_tell_value(&f, from, at);
  watch_find_end(&f);
  return from != 0;
}

static bool after(Watch *w, WatchCall *c, const Plan *p, const Group *g) {
  int n = (int)arrlen(g->reads), n_outs = (int)arrlen(g->outs);
  Seen *seen = zeroed((size_t)n_outs, sizeof *seen);
  bool good = true, inf = false;
  uint64_t sign = c->infs;
  for (int k = 0; good && k < n_outs; k++) {
    const PlanBuf *x = &p->bufs[g->outs[k].buf];
    Seen s = seen[k] = scan(c, x, c->at->bufs[n + k]);
    good = !s.unwritten && !s.nan;
    inf |= s.inf > 0;
    sign = mix(sign, s.inf);
    if (s.unwritten) {
      watch_tell_unwritten(c, g->outs[k].buf, false, &s);
    } else if (s.nan) {
      good = !nan_arises(c, g->outs[k].node, s.first_nan);
    }
  }
  good = good && (!inf || infinities_are_good(w, c, g, seen, sign));
  free(seen);
  return good;
}

static int look(DnnWatch *face, DnnContext *m, const DnnWatched *at) {
  Watch *w = (Watch *)face;
  pthread_mutex_lock(&w->lock);
  WatchCall *c = call_of(w, m);
  c->at = at;
  const Plan *p = w->plans[at->entry];
  bool good = true;
  switch (at->when) {
  case DNN_WATCH_CALL: begin_call(c, at); break;
  case DNN_WATCH_BEFORE: good = before(w, c, p, &p->groups[at->group]); break;
  case DNN_WATCH_AFTER: good = after(w, c, p, &p->groups[at->group]); break;
  }
  if (!good) drop_copies(c);
  w->found |= !good;
  pthread_mutex_unlock(&w->lock);
  return !good;
}

Watch *watch_new(Arena *a, const Prog *prog, Plan *const *plans, Lowered *const *lowered, const EmitOut *out) {
  Watch *w = arena_one(a, Watch);
  *w = (Watch){.face = {look, -1, 0, {0}}, .arena = a, .prog = prog, .plans = plans, .lowered = lowered, .out = out};
  int n = (int)arrlen(prog->entries);
  w->vetted = arena_array(a, uint64_t *, n + 1);
  w->positions = arena_array(a, int *, n + 1);
  for (int i = 0; i < n; i++) {
    if (!plans[i]) continue;
    w->vetted[i] = arena_array(a, uint64_t, arrlen(plans[i]->groups) + 1);
    w->positions[i] = watch_positions(a, plans[i]);
  }
  pthread_mutex_init(&w->lock, NULL);
  return w;
}

void watch_attach(Watch *w, DnnContext *c) { c->watch = &w->face; }
bool watch_found(Watch *w) {
  if (w->found && w->face.record[0]) diag_note(w->prog->diag, (Loc){0}, "%s", w->face.record);
  w->face.record[0] = 0;
  return w->found;
}

void watch_end(Watch *w) {
  for (int i = 0; i < (int)arrlen(w->calls); i++) {
    drop_copies(&w->calls[i]);
    arrfree(w->calls[i].copies);
    arrfree(w->calls[i].alive);
  }
  arrfree(w->calls);
  pthread_mutex_destroy(&w->lock);
}
