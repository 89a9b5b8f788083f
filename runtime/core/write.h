/* `write "path" = expr`: results of an entry as a file; the form is told by the ending: .npy, .csv, .txt, .png. */
#ifndef DNN_WRITE_H
#define DNN_WRITE_H
#include "runtime/core/error.h"
#include "runtime/core/program.h"

/* The first result of `x`; its sizes are those of its variables' bounds. `as`: a tokeniser's name, "image" or NULL. */
bool dnn_write_result(const DnnProgram *p, const DnnEntry *x, void *const *out, const char *path, const char *as,
                      DnnError *e);
#endif
