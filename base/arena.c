#include "base/arena.h"
#include "base/ds.h"
#include "base/trap.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef struct Chunk Chunk;
struct Chunk {
  Chunk *next;
  size_t used, size;
  _Alignas(16) unsigned char data[];
};
struct Arena {
  Chunk *chunks;
  size_t total;
};
enum { LEAST_CHUNK = 65536, HUGE_CHUNK = 1 << 21 };

static void *need(void *p) {
  if (p) return p;
  out_of_memory();
}

/* Zeros in a page of 2 MiB, if the system has such: one fault instead of 512, which would take longer than what is
 * done with the memory. */
static void *huge_page(void) {
  char *p = mmap(NULL, 2 * HUGE_CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) need(NULL);
  size_t lead = -(uintptr_t)p & (HUGE_CHUNK - 1);
  if (lead) munmap(p, lead);
  munmap(p + lead + HUGE_CHUNK, HUGE_CHUNK - lead);
#ifdef MADV_HUGEPAGE
  madvise(p + lead, HUGE_CHUNK, MADV_HUGEPAGE);
#endif
  return p + lead;
}

Arena *arena_new(void) { return need(calloc(1, sizeof(Arena))); }

void arena_free(Arena *a) {
  if (!a) return;
  for (Chunk *c = a->chunks, *next; c; c = next) {
    next = c->next;
    if (c->size + sizeof(Chunk) == HUGE_CHUNK) munmap(c, HUGE_CHUNK);
    else free(c);
  }
  free(a);
}

void *arena_alloc(Arena *a, size_t size) {
  if (size > SIZE_MAX / 2) need(NULL);
  size = (size + 15) & ~(size_t)15;
  Chunk *c = a->chunks;
  if (!c || c->size - c->used < size) {
    size_t room = a->total < LEAST_CHUNK ? LEAST_CHUNK : a->total;
    bool large = room + sizeof(Chunk) > HUGE_CHUNK / 4 && size <= HUGE_CHUNK - sizeof(Chunk);
    if (large) room = HUGE_CHUNK - sizeof(Chunk);
    if (room < size) room = size;
    c = large ? huge_page() : need(calloc(1, sizeof(Chunk) + room));
    c->size = room;
    c->next = a->chunks;
    a->chunks = c;
    a->total += room;
  }
  void *p = c->data + c->used;
  c->used += size;
  return p;
}

void *arena_copy(Arena *a, const void *data, size_t size) {
  void *p = arena_alloc(a, size);
  if (size) memcpy(p, data, size);
  return p;
}

char *arena_strndup(Arena *a, const char *s, size_t n) {
  char *p = arena_alloc(a, n + 1);
  memcpy(p, s, n);
  return p;
}

char *arena_strdup(Arena *a, const char *s) { return arena_strndup(a, s, strlen(s)); }

char *arena_vprintf(Arena *a, const char *fmt, va_list ap) {
  char small[256];
  va_list again;
  va_copy(again, ap);
  int n = vsnprintf(small, sizeof small, fmt, ap);
  size_t size = (size_t)(n < 0 ? 0 : n) + 1;
  char *p = arena_alloc(a, size);
  if (size <= sizeof small) memcpy(p, small, size - 1);
  else vsnprintf(p, size, fmt, again);
  va_end(again);
  return p;
}

char *arena_join_n(Arena *a, const char *const *parts, int n) {
  size_t all = 1;
  for (int i = 0; i < n; i++) all += strlen(parts[i]);
  char *p = arena_alloc(a, all), *at = p;
  for (int i = 0; i < n; i++) {
    size_t size = strlen(parts[i]);
    memcpy(at, parts[i], size);
    at += size;
  }
  return p;
}

char *arena_printf(Arena *a, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  char *p = arena_vprintf(a, fmt, ap);
  va_end(ap);
  return p;
}

const char *intern_n(const char *s, size_t n) {
  static struct Name { char *key; } * names;
  static Arena *arena;
  static DsHeap lasting; /* the table outlives whoever asks */
  if (!arena) {
    DsHeap *heap = ds_heap_use(&lasting);
    arena = arena_new();
    sh_new_arena(names);
    ds_heap_use(heap);
  }
  char small[128], *key = n < sizeof small ? small : arena_alloc(arena, n + 1);
  memcpy(key, s, n);
  key[n] = 0;
  struct Name *row = shgetp_null(names, key);
  if (row) return row->key;
  DsHeap *heap = ds_heap_use(&lasting);
  shputs(names, (struct Name){key});
  ds_heap_use(heap);
  return shgetp(names, key)->key;
}

const char *intern(const char *s) { return intern_n(s, strlen(s)); }
