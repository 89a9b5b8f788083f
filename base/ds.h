/* Dynamic arrays and maps: stb_ds from Debian's libstb-dev, under its own names (arrput, hmget, shget, ...). Their
 * memory comes from the heap of the thread, if it has one, so that a caller which goes on for long can free in one go
 * what the compiler, which ends with its process, does not. */
#ifndef BASE_DS_H
#define BASE_DS_H
#include <stddef.h>
#include <stdlib.h>

/* The blocks of a heap; all zero: empty. */
typedef struct DsHeap {
  struct DsBlock *first;
} DsHeap;
/* From now on arrays of this thread are made in this heap; NULL: in none. Returns the one before. Arrays grow and are
 * freed where they were made. */
DsHeap *ds_heap_use(DsHeap *heap);
void ds_heap_free(DsHeap *heap);

/* What stb_ds calls. Never NULL: without memory it is out_of_memory() of base/trap.h. */
void *ds_realloc(void *p, size_t n);
void ds_free(void *p);
#define STBDS_REALLOC(context, p, n) ds_realloc(p, n)
#define STBDS_FREE(context, p) ds_free(p)

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-compare"
#endif
#include <stb/stb_ds.h>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

/* Sorts an array; unlike qsort() it may be empty, a null pointer then. */
#define arrsort(a, order) ((a) ? qsort((a), arrlenu(a), sizeof *(a), (order)) : (void)0)
#endif
