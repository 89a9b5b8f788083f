/* Error texts of the runtime. A function that can fail takes a DnnError and returns false when it did; the text names
 * the file, what is wrong and where, in one to a few lines without a final newline. */
#ifndef DNN_ERROR_H
#define DNN_ERROR_H
#include <stdbool.h>

typedef struct DnnError {
  char text[2048];
} DnnError;

/* Sets the text and returns false, so that `return dnn_fail(e, …);` reads well. */
bool dnn_fail(DnnError *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Adds to the text, cutting it at the end of the buffer. */
void dnn_fail_more(DnnError *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
#endif
