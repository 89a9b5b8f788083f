/* The cache on disk: values by keys, each in a file of its own, KEY.KIND in one directory: $DNNC_CACHE, else
 * $XDG_CACHE_HOME/dnnc, else ~/.cache/dnnc.
 *
 * Files come by a rename, so any number of processes may use it at a time. Behind the value stands a trailer with the
 * key, the length and a checksum of all of it: an entry with any damage is seen, removed and made again. Entries count
 * only when nobody but the user could have written them. When the directory cannot be made or is not the user's alone,
 * there is no cache, and that is no error; it is told when $DNNC_CACHE named the directory. The least recently used
 * entries go when the limit is reached. */
#ifndef CODEGEN_CACHE_H
#define CODEGEN_CACHE_H
#include "base/buf.h"
#include <stdbool.h>
#include <stdint.h>

/* 128 bits of hash (XXH64 twice) of everything that was added. */
typedef struct CacheKey {
  uint64_t word[2];
} CacheKey;
/* Adds n bytes and their number. */
void cache_key_add(CacheKey *k, const void *data, size_t n);
void cache_key_text(CacheKey *k, const char *s);

/* The value of an entry, appended to `b`. `kind` is the end of the file's name. */
bool cache_read(const CacheKey *k, const char *kind, Buf *b);
/* The path of an entry whose value is an image for dlopen, NUL-terminated in `b`. */
bool cache_image(const CacheKey *k, Buf *b);
#define CACHE_IMAGE "so"
/* Makes an entry; false when that fails. */
bool cache_write(const CacheKey *k, const char *kind, const void *data, size_t n);
/* Takes an entry away that turned out to be no good. */
void cache_drop(const CacheKey *k, const char *kind);

enum { CACHE_LIMIT = 500 << 20 }; /* bytes, when no other limit was set */
typedef struct CacheState {
  int64_t entries, bytes, limit;
} CacheState;
/* The directory (made when missing); NULL and the reason in `why`. */
const char *cache_place(Buf *why);
void cache_state(CacheState *s);
/* Removes all entries; remembers another limit and makes it hold (false: errno). */
void cache_clear(void);
bool cache_set_limit(int64_t limit);
#endif
