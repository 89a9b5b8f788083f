/* Sizes in bytes as people write them. */
#ifndef BASE_SIZE_H
#define BASE_SIZE_H
#include <stdint.h>
#include "base/buf.h"

/* "4096", "500M", "1.5G" (K, M, G: 1024 each time); -1 when it is no size. */
int64_t size_parse(const char *text);
/* "512 B", "1.5 MB" (1024 each time). */
void size_print(Buf *b, int64_t bytes);
#endif
