/* Sizes of an entry's inputs and outputs: variables from the shapes that are given, checks against bounds. */
#ifndef DNN_SHAPES_H
#define DNN_SHAPES_H
#include "runtime/core/program.h"
#include "runtime/core/tensor.h"

#define DNN_MAX_VARS 32
#define DNN_MAX_SIZES 2048 /* axes of all inputs and outputs of an entry */

/* The variables of an entry from its inputs' shapes: `ranks` and `shapes` hold one per input. Every axis is checked. */
bool dnn_bind_shapes(const DnnEntry *e, const int32_t *ranks, const int64_t (*shapes)[DNN_MAX_RANK], int64_t *vars,
                     DnnError *err);
/* The shape of port `port` (inputs, then outputs) for these variables; returns its elements. */
int64_t dnn_port_shape(const DnnEntry *e, int port, const int64_t *vars, int64_t shape[DNN_MAX_RANK]);
/* The type as a user writes it, "u8[B <= 64, 28, 28] < 10", into buf; returns buf. */
char *dnn_port_text(const DnnEntry *e, int port, char *buf, size_t size);
/* Checks 0 <= v < bound for an integer input; `what` names it in the text. True when the port has no bound. */
bool dnn_check_bound(const DnnEntry *e, int input, const int64_t *vars, const void *data, int64_t n, DnnError *err);
#endif
