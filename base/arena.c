#include "base/arena.h"
#include "base/ds.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Chunk Chunk;
struct Chunk {
  Chunk *next;
  size_t used, size;
  _Alignas(16) unsigned char data[];
};
struct Arena {
  Chunk *chunks;
};

static void *need(void *p) {
  if (p) return p;
  fputs("dnnc: out of memory\n", stderr);
  exit(1);
}

Arena *arena_new(void) { return need(calloc(1, sizeof(Arena))); }

void arena_free(Arena *a) {
  if (!a) return;
  for (Chunk *c = a->chunks, *next; c; c = next) {
    next = c->next;
    free(c);
  }
  free(a);
}

void *arena_alloc(Arena *a, size_t size) {
  if (size > SIZE_MAX / 2) need(NULL);
  size = (size + 15) & ~(size_t)15;
  Chunk *c = a->chunks;
  if (!c || c->size - c->used < size) {
    size_t room = size > 65536 ? size : 65536;
    c = need(calloc(1, sizeof(Chunk) + room));
    c->size = room;
    c->next = a->chunks;
    a->chunks = c;
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
  va_list again;
  va_copy(again, ap);
  int n = vsnprintf(NULL, 0, fmt, ap);
  char *p = arena_alloc(a, (size_t)(n < 0 ? 0 : n) + 1);
  if (n > 0) vsnprintf(p, (size_t)n + 1, fmt, again);
  va_end(again);
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
  if (!arena) {
    arena = arena_new();
    sh_new_arena(names);
  }
  char small[128], *key = n < sizeof small ? small : arena_alloc(arena, n + 1);
  memcpy(key, s, n);
  key[n] = 0;
  struct Name *row = shgetp_null(names, key);
  if (row) return row->key;
  shputs(names, (struct Name){key});
  return shgetp(names, key)->key;
}

const char *intern(const char *s) { return intern_n(s, strlen(s)); }
