/* Places of blocks that live for a time in one range of bytes: no two that live at the same time overlap. (Dynamic
 * storage allocation with known lives.) */
#ifndef PASSES_OFFSETS_H
#define PASSES_OFFSETS_H
#include <stdbool.h>
#include <stdint.h>

typedef struct Block {
  int64_t bytes;  /* above 0 */
  int begin, end; /* it lives in positions begin .. end; both at least 0 */
  int64_t offset; /* found */
} Block;

/* Bytes that live at one time: no offsets need less. */
int64_t offsets_bound(const Block *blocks, int n);
/* Gives every block an offset and returns the bytes needed in all. First each block at the lowest gap that is free over
 * its life, in the best of a few orders (greedy by size; Pisarchyk and Lee, Efficient Memory Management for Deep Neural
 * Net Inference, 2020); then again with those first that stuck out; then, with few blocks, by offsets_exact. *proven:
 * nothing less is possible. */
int64_t offsets_find(Block *blocks, int n, bool *proven);
/* A placement within `limit` bytes, by search over the orders of rising offsets, in which each block lies on the
 * highest of those below it; ends where what still has to live at some time does not fit over what lies there. 1:
 * found; 0: there is none; -1: not known after `work` units, a unit being a position of a block that is looked at. */
int offsets_exact(Block *blocks, int n, int64_t limit, int64_t work);
#endif
