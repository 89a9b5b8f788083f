#include "runtime/core/xxh64.h"
#include <string.h>

#define P1 0x9e3779b185ebca87u
#define P2 0xc2b2ae3d27d4eb4fu
#define P3 0x165667b19e3779f9u
#define P4 0x85ebca77c2b2ae63u
#define P5 0x27d4eb2f165667c5u

static uint64_t rotate(uint64_t x, int n) { return x << n | x >> (64 - n); }
static uint64_t turn(uint64_t acc, uint64_t lane) { return rotate(acc + lane * P2, 31) * P1; }
static uint64_t merge(uint64_t acc, uint64_t v) { return (acc ^ turn(0, v)) * P1 + P4; }

static uint64_t word(const unsigned char *p, const unsigned char *hole) {
  uint64_t v;
  memcpy(&v, p, 8);
  return p == hole ? 0 : v;
}

static inline uint64_t hash(const void *data, int64_t size, uint64_t seed, const unsigned char *hole) {
  const unsigned char *p = data;
  int64_t n = size;
  uint64_t h = seed + P5;
  if (n >= 32) {
    uint64_t a = seed + P1 + P2, b = seed + P2, c = seed, d = seed - P1;
    for (; n >= 32; n -= 32, p += 32) {
      a = turn(a, word(p, hole)), b = turn(b, word(p + 8, hole)), c = turn(c, word(p + 16, hole)),
      d = turn(d, word(p + 24, hole));
    }
    h = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18);
    h = merge(merge(merge(merge(h, a), b), c), d);
  }
  h += (uint64_t)size;
  for (; n >= 8; n -= 8, p += 8) h = rotate(h ^ turn(0, word(p, hole)), 27) * P1 + P4;
  if (n >= 4) {
    uint32_t v;
    memcpy(&v, p, 4);
    h = rotate(h ^ v * P1, 23) * P2 + P3, n -= 4, p += 4;
  }
  for (; n > 0; n--, p++) h = rotate(h ^ *p * P5, 11) * P1;
  h = (h ^ h >> 33) * P2;
  h = (h ^ h >> 29) * P3;
  return h ^ h >> 32;
}

uint64_t dnn_xxh64(const void *data, int64_t size, uint64_t seed) { return hash(data, size, seed, NULL); }

uint64_t dnn_xxh64_without(const void *data, int64_t size, uint64_t seed, int64_t hole) {
  return hash(data, size, seed, (const unsigned char *)data + hole);
}
