/* Between the choice of a Winograd form (winograd_form.c) and its kernels (winograd.c). */
#ifndef CODEGEN_WINOGRAD_H
#define CODEGEN_WINOGRAD_H
#include "codegen/lower.h"
#include "codegen/toom_cook.h"

typedef struct Wino {
  const Node *n;
  Op op;
  NodeId image, other; /* the transformed planes; weights, or the gradient for dw */
  int m, r, a, lanes;
  Matrix at, g, bt;     /* A', G, B' */
  int64_t ci, co;       /* channels of the image and of the result (dw: of x and dy) */
  int64_t cip, cop;     /* the same, full vectors */
  int64_t h, w, oh, ow; /* planes of the image and of the result */
  int64_t low[2];
  int64_t ty, tx;       /* tiles of a plane */
  int64_t images, rows; /* of an item: images, and rows of tiles of each */
  int64_t cols;         /* of an item: channels of the result, all of them or a part of `cop` in whole panels */
  int64_t tiles;        /* of an item at most, and room for whole register tiles */
  int mr, nr;
  int64_t batch;         /* images at most */
  int64_t pieces;        /* of the sums for dw */
  int64_t weights, sums; /* workspace */
} Wino;

/* Bytes of all transformed weights. */
int64_t winograd_weight_bytes(const Wino *w);
/* The best form for this convolution; false where products of the window itself are better. */
bool winograd_choose(Lower *l, const Node *n, Wino *w);
#endif
