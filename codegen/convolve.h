/* A convolution while it is lowered: what convolve.c and its form for few channels (convolve_taps.c) share. */
#ifndef CODEGEN_CONVOLVE_H
#define CODEGEN_CONVOLVE_H
#include "codegen/lower.h"

enum { MAX_SPATIAL = MAX_RANK - 2 };

typedef struct Spatial { /* one spatial axis */
  int64_t stride, dilation, low;
  Dim image, result, window; /* sizes: of the operand that is copied, of y (or dy), of w */
  /* of the phase: place q, tap t reads the copy at q * step + t * gap + shift, the window at k0 + t * every, and is
   * place first + q * apart of the result */
  int64_t step, gap, shift, k0, every, first, apart;
  Dim places, taps;
  Dim border; /* zeros before the image; may be negative */
} Spatial;

typedef struct Conv {
  const Node *n;
  Op op;
  int spatial;
  int64_t groups;
  Spatial axis[MAX_RANK];
  NodeId image, other; /* the copied operand; w, or dy for dw */
  bool in_place;       /* no copy */
  bool thin;           /* a copy of the places that windows of one element stand on, which is read like an image */
  bool single;         /* each image is a product of its own: in place, thin, by lines */
  bool taps_first;     /* K goes through the window, then the channels */
  Axes weights;        /* by lines: a copy of the window, rows of the product one behind the other */
  int64_t weights_temp;
  bool last;           /* the image is stored with its channels last */
  int64_t apart;       /* stride of the last axis: the copy has places apart by it side by side */
  Axes copy;
  int64_t temp;
  Dim cg, og; /* channels per group of x and of y */
} Conv;

/* Element of the image in `channel` under place q, tap t. */
LExpr *conv_image_at(Lower *l, const Conv *c, LExpr *n, LExpr *channel, LExpr *const *q, LExpr *const *t);
/* Stores element (m, n) of dw and what follows it: `b`, `m`, `n` as in lower_dw(). */
void conv_taps_done(Lower *l, const Product *p, const Idx *b, const Idx *m, const Idx *n, LExpr *sum);
/* dw of one channel per group; false: another form is better. */
bool lower_taps(Lower *l, Conv *c, Dim images);
#endif
