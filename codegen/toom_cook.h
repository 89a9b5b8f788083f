/* The matrices of Toom and Cook's fast correlations, and products with them as unrolled code. */
#ifndef CODEGEN_TOOM_COOK_H
#define CODEGEN_TOOM_COOK_H
#include "codegen/loop.h"

enum { MAX_A = 8 };
typedef struct Matrix {
  int rows, cols;
  double v[MAX_A][MAX_A];
} Matrix;

/* m results of a window of r from a = m + r - 1 inputs: y = at [ (g w) . (bt d) ], with a - 1 points and infinity.
 * After Winograd, "Arithmetic Complexity of Computations" (1980). at: m x a; g: a x r; bt: a x a. */
void toom_cook(int m, int r, const double *point, Matrix *at, Matrix *g, Matrix *bt);
Matrix matrix_transposed(const Matrix *m);
/* out = mat in, for values of `lanes` numbers each. */
void matrix_apply(LB *b, const Matrix *mat, LExpr *const *in, LExpr **out, int lanes);
#endif
