/* Error texts of the runtime. A function that can fail takes a DnnError and returns false when it did; the text names
 * the file, what is wrong and where, in one to a few lines without a final newline. */
#ifndef DNN_ERROR_H
#define DNN_ERROR_H
#include <stdbool.h>

typedef struct DnnError {
  char text[2048];
} DnnError;

/* Names in a text may come from a file: its control signs (C0 but line ends, DEL, C1) become `?` and never steer a
 * terminal, a tab a blank. dnn_fail and dnn_fail_more do it. */
void dnn_make_plain(char *text);
/* Sets the text and returns false, so that `return dnn_fail(e, …);` reads well. */
bool dnn_fail(DnnError *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Adds to the text, cutting it at the end of the buffer. */
void dnn_fail_more(DnnError *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
#endif
