/* XXH64, the 64-bit hash of Yann Collet's xxHash (specification at github.com/Cyan4973/xxHash, doc/xxhash_spec.md). The
 * checksum of weights: several GB/s without tables, published test vectors, and Debian's library as the test's oracle.
 * It is written out here because built programs depend on libc and libm only. */
#ifndef DNN_XXH64_H
#define DNN_XXH64_H
#include <stdint.h>

uint64_t dnn_xxh64(const void *data, int64_t size, uint64_t seed);
/* The same with the 8 bytes at `hole`, a multiple of 8 and at most size - 8, taken as zeros. */
uint64_t dnn_xxh64_without(const void *data, int64_t size, uint64_t seed, int64_t hole);
#endif
