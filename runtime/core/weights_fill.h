/* Weights from a file in memory into the cells of an embedded program: no allocation, no files. What weights.c does for
 * tools and trainers with whole tables of messages, this does for programs that have nothing but a context. */
#ifndef DNN_WEIGHTS_FILL_H
#define DNN_WEIGHTS_FILL_H
#include <stddef.h>
#include <stdint.h>

typedef struct DnnFill {
  const char *path;
  int32_t dtype, rank;
  int64_t shape[8];
  int64_t offset, bytes; /* in the cells */
} DnnFill;

/* Verifies the whole file of `size` bytes (every offset, every checksum), then copies one tensor to each of the `n`
 * cells. Every cell must be in the file with its dtype and shape; other tensors of the file are left out. 0 and the
 * reason in `message`, and nothing is changed; or 1. */
int dnn_weights_fill(const void *file, size_t size, const DnnFill *cells, int n, unsigned char *to, char *message,
                     size_t message_size);
#endif
