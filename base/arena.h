/* Arena: memory that lives as long as one compile (or one scratch scope) and is freed as a whole. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H
#include "base/trap.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

typedef struct Arena Arena;

Arena *arena_new(void);
void arena_free(Arena *a);

/* `size` zeroed bytes, aligned to 16; never NULL: the process ends with "out of memory" when there is none. */
void *arena_alloc(Arena *a, size_t size);
void *arena_copy(Arena *a, const void *data, size_t size);
char *arena_strndup(Arena *a, const char *s, size_t n);
char *arena_strdup(Arena *a, const char *s);
char *arena_printf(Arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(Arena *a, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* The texts one behind the other: what a printf of `%s` alone gives, much faster. */
char *arena_join_n(Arena *a, const char *const *parts, int n);
#define arena_join(a, ...)                                                                                             \
  arena_join_n((a), (const char *const[]){__VA_ARGS__}, (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)))

#define arena_array(a, T, n) ((T *)arena_alloc((a), sizeof(T) * (size_t)(n)))
#define arena_one(a, T) ((T *)arena_alloc((a), sizeof(T)))

/* `n` elements of zeros and one more, for free(); never NULL, as arena_alloc. */
static inline void *zeroed(size_t n, size_t size) {
  void *p = calloc(n + 1, size);
  if (!p) out_of_memory();
  return p;
}

/* The one shared copy of a name: equal names are equal pointers. Lives as long as the process. */
const char *intern(const char *s);
const char *intern_n(const char *s, size_t n);
#endif
