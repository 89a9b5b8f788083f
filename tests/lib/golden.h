/* Golden numbers: what an independent implementation (PyTorch, NumPy) gets for the entries of a .dnn file. The files
 * are tests/golden/NAME.txt, written by NAME.py; tests/golden/golden.py describes the form.
 *
 *   golden_check(arena, "tests/golden/nn.txt", false, &n, &why)   // by the reference evaluator
 *   golden_check(arena, "tests/golden/nn.txt", true, &n, &why)    // by compiled code
 *
 * Each number agrees within the tolerance times the largest magnitude of its tensor. */
#ifndef TESTS_GOLDEN_H
#define TESTS_GOLDEN_H
#include "base/arena.h"
#include "base/buf.h"
#include <stdbool.h>

/* The path of a file of the project, in the arena. */
const char *golden_path(Arena *a, const char *file);
/* tests/golden/NAME.txt of all models and library functions, sorted (stb_ds, paths within the project). */
char **golden_files(Arena *a);
/* False and all that disagrees (or why nothing could be compared); *compared: how many tensors were. */
bool golden_check(Arena *a, const char *file, bool compiled, int *compared, Buf *why);

/* How often each name stands behind `covers` in the golden files. */
typedef struct Covered {
  char *key;
  int value;
} Covered;
Covered *golden_covered(Arena *a); /* stb_ds string map */
#endif
