/* The one place where stb_ds is compiled, and the heaps its memory comes from. */
#define STB_DS_IMPLEMENTATION
#include "base/ds.h"
#include "base/trap.h"
#include <stdint.h>
#include <stdlib.h>

/* In front of every block. */
typedef struct DsBlock {
  DsHeap *heap; /* NULL: in none, and the links are not used */
  struct DsBlock *next, *prev;
  _Alignas(16) unsigned char data[];
} DsBlock;

static _Thread_local DsHeap *current;

DsHeap *ds_heap_use(DsHeap *heap) {
  DsHeap *before = current;
  current = heap;
  return before;
}

static void unlink_block(DsBlock *b) {
  if (!b->heap) return;
  if (b->prev) b->prev->next = b->next;
  else b->heap->first = b->next;
  if (b->next) b->next->prev = b->prev;
}

static void link_block(DsBlock *b, DsHeap *heap) {
  b->heap = heap;
  b->prev = NULL;
  b->next = heap ? heap->first : NULL;
  if (b->next) b->next->prev = b;
  if (heap) heap->first = b;
}

void *ds_realloc(void *p, size_t n) {
  DsBlock *b = p ? (DsBlock *)((unsigned char *)p - offsetof(DsBlock, data)) : NULL;
  DsHeap *heap = b ? b->heap : current;
  if (b) unlink_block(b);
  DsBlock *grown = n < SIZE_MAX - sizeof *b ? realloc(b, sizeof *b + n) : NULL;
  if (!grown && b) link_block(b, heap);
  if (!grown) out_of_memory();
  link_block(grown, heap);
  return grown->data;
}

void ds_free(void *p) {
  if (!p) return;
  DsBlock *b = (DsBlock *)((unsigned char *)p - offsetof(DsBlock, data));
  unlink_block(b);
  free(b);
}

void ds_heap_free(DsHeap *heap) {
  for (DsBlock *b = heap->first, *next; b; b = next) {
    next = b->next;
    free(b);
  }
  heap->first = NULL;
}
