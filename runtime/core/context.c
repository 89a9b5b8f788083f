/* The memory of a context, and its first contents. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "runtime/core/context.h"
#include "runtime/core/run.h"
#include "runtime/core/tensor.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CLEARED = 1 << 20 }; /* blocks of fewer bytes are set to 0 by hand */

/* A multiple of 64 bytes; large blocks ask for huge pages. Those of small ones come at once, which takes less than one
 * after the other, when they are touched. */
static unsigned char *block(int64_t bytes) {
  unsigned char *p = dnn_alloc(bytes);
  if (!p) return NULL;
#ifdef MADV_HUGEPAGE
  if (bytes >= (4 << 20)) {
    uintptr_t at = ((uintptr_t)p + 4095) & ~(uintptr_t)4095;
    madvise((void *)at, (size_t)(bytes - 4096), MADV_HUGEPAGE);
  }
#endif
#ifdef MADV_POPULATE_WRITE
  if (bytes >= 1 << 16 && bytes < CLEARED)
    madvise((void *)((uintptr_t)p & ~(uintptr_t)4095), (size_t)bytes, MADV_POPULATE_WRITE);
#endif
  return p;
}

/* Sets a block to 0. Pages that nobody has touched stay so: of a large one the system gives new ones, as they are
 * needed, to whoever needs them first. */
static void clear(unsigned char *p, int64_t bytes) {
  unsigned char *end = p + bytes, *from = end, *to = end;
#if defined(__linux__) && defined(MADV_DONTNEED)
  const uintptr_t page = 4095;
  if (bytes >= CLEARED)
    from = (unsigned char *)(((uintptr_t)p + page) & ~page), to = (unsigned char *)((uintptr_t)end & ~page);
  if (from < to && madvise(from, (size_t)(to - from), MADV_DONTNEED)) from = to = end;
#endif
  memset(p, 0, (size_t)(from - p));
  memset(to, 0, (size_t)(end - to));
}

bool dnn_context_new(const DnnProgram *p, DnnContext *c, int threads, DnnError *e) {
  memset(c, 0, sizeof *c);
  if (p->supported && !p->supported())
    return dnn_fail(e, "this program was compiled for %s, which this processor does not support", p->target);
  if (threads <= 0) {
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    threads = n > 0 && n < p->max_threads ? (int)n : n > 0 ? p->max_threads : 1;
  }
  if (threads > p->max_threads)
    return dnn_fail(e, "%d threads, but this program was compiled for at most %d", threads, p->max_threads);
  c->threads = threads;
  c->cells = block(p->cell_bytes);
  c->arena = block(p->arena_bytes);
  c->prepared = block(p->prepared_bytes);
  if (c->cells && c->arena && c->prepared) {
    clear(c->cells, p->cell_bytes); /* the arena is not touched: most of it may never be needed */
    return true;
  }
  dnn_context_free(c);
  return dnn_fail(e, "out of memory: %s wants %lld bytes; at most %lld may lie together", p->name,
                  (long long)(p->cell_bytes + p->arena_bytes + p->prepared_bytes), (long long)dnn_memory_limit());
}

void dnn_context_free(DnnContext *c) {
  free(c->cells), free(c->arena), free(c->prepared);
  memset(c, 0, sizeof *c);
}

/* Stages are numbered from 1 as their actions are, passes are far above (train.c). */
static const char *stage_name(const DnnProgram *p, int64_t stage) {
  int64_t i = (stage & (((int64_t)1 << 28) - 1)) - 1;
  return stage > 0 && stage >> 60 == 0 && i < p->n_actions ? p->actions[i].name : NULL;
}

bool dnn_call_failed(const DnnProgram *p, const DnnContext *c, const char *what, DnnError *e) {
  const char *stage = stage_name(p, c->stage);
  dnn_fail(e, "%s\nnote: in `%s`", p->error_text(c), what);
  if (c->steps > 0) dnn_fail_more(e, ", step %lld of %lld", (long long)c->step + 1, (long long)c->steps);
  if (c->steps > 0 && c->stage >> 60 == 0) dnn_fail_more(e, ", epoch %lld", (long long)c->epoch + 1);
  if (stage) dnn_fail_more(e, ", stage `%s`", stage);
  return false;
}

int dnn_find_entry(const DnnProgram *p, const char *name) {
  for (int i = 0; i < p->n_entries; i++) {
    const DnnEntry *x = &p->entries[i];
    if ((x->exported || x->kind == DNN_STEP) && !strcmp(x->name, name)) return i;
  }
  return -1;
}

void dnn_context_begin(DnnContext *c, uint64_t seed) {
  c->seed = (int64_t)seed;
  c->stage = c->step = c->steps = c->epoch = 0;
}

int dnn_threads_once(const DnnProgram *p, int entry, bool drawn, int asked) {
  enum { START = 1 << 24 }; /* operations: some 100 us */
  int64_t call = entry < 0 ? -1 : p->entries[entry].work, init = drawn && p->init >= 0 ? p->entries[p->init].work : 0;
  bool little = call >= 0 && init >= 0 && call < START && init < START - call;
  return asked <= 0 && little ? 1 : asked;
}

bool dnn_context_init(const DnnProgram *p, DnnContext *c, uint64_t seed, const DnnWeights *given,
                      char *(*find)(void *, const char *), void *user, DnnError *e) {
  dnn_context_begin(c, seed);
  uint8_t *cells = given ? calloc((size_t)p->n_cells + 1, 1) : NULL;
  bool whole = cells && dnn_weights_given(p, given, cells), ok = true;
  int64_t none = 0;
  c->given = cells;
  if (!whole && p->init >= 0 && p->entries[p->init].call(c, &none, NULL, NULL)) ok = dnn_call_failed(p, c, "init", e);
  c->given = NULL;
  c->step = 0;
  free(cells);
  return ok && (whole || dnn_weights_initial(p, c->cells, find, user, e));
}
