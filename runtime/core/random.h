/* Counter-based random numbers: a number is a pure function of (key, site, index), so that it is the same for any
 * number of threads and in any order. Used by the evaluator, the emitted programs and the data loader alike; this text
 * is also printed into emitted programs, so it stands alone. */
#ifndef DNN_RANDOM_H
#define DNN_RANDOM_H
#include <stdint.h>

/* Mixes two 64-bit words: the finaliser of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
 * generators", 2014) over a + golden * b. */
static inline uint64_t dnn_mix64(uint64_t a, uint64_t b) {
  uint64_t z = a + 0x9e3779b97f4a7c15u * (b + 1);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/* The random key of a call: of the run's seed, the stage and the step in it. */
static inline int64_t dnn_call_key(int64_t seed, int64_t stage, int64_t step) {
  return (int64_t)dnn_mix64(dnn_mix64((uint64_t)seed, (uint64_t)stage), (uint64_t)step);
}

/* The op mix_key. */
static inline int64_t dnn_mix_key(int64_t a, int64_t b) { return (int64_t)dnn_mix64((uint64_t)a, (uint64_t)b); }

/* 64 random bits of element `i` at a site. */
static inline uint64_t dnn_bits(int64_t key, uint64_t site, int64_t i) {
  return dnn_mix64((uint64_t)key ^ site, (uint64_t)i);
}
/* Uniform in [0, 1): 24 and 53 random bits. */
static inline float dnn_uniform_f32(int64_t key, uint64_t site, int64_t i) {
  return (float)(dnn_bits(key, site, i) >> 40) * 0x1p-24f;
}
static inline double dnn_uniform_f64(int64_t key, uint64_t site, int64_t i) {
  return (double)(dnn_bits(key, site, i) >> 11) * 0x1p-53;
}
#endif
