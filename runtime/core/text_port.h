/* Text at the border of a program: ports `as` a tokeniser. */
#ifndef DNN_TEXT_PORT_H
#define DNN_TEXT_PORT_H
#include "runtime/core/tensor.h"
#include "runtime/core/tokens.h"

/* The input of a port from a text: one token (rank 0), its tokens (rank 1), or those of each of its lines, padded to
 * the longest (rank 2). */
bool dnn_text_input(DnnTokenSet *s, const DnnPort *port, const char *text, DnnTensor *to, DnnError *e);
/* The text of ids: each row of the last axis is a line. */
bool dnn_text_output(DnnTokenSet *s, const DnnPort *port, const int64_t *shape, const void *data, DnnTextFn *put,
                     void *user, DnnError *e);
#endif
