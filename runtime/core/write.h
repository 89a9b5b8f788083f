/* `write "path" = expr`: results of an entry as a file; the form is told by the ending: .npy, .csv, .txt, .png. */
#ifndef DNN_WRITE_H
#define DNN_WRITE_H
#include "runtime/core/error.h"
#include "runtime/core/tokens.h"

/* The first result of `x`, for these values of its variables. With `as`, a tokeniser's name, .txt holds the text. */
bool dnn_write_result(DnnTokenSet *tokens, const DnnEntry *x, const int64_t *vars, void *const *out, const char *path,
                      const char *as, DnnError *e);
#endif
