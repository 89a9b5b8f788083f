/* Tensors in memory, row-major, and the numbers they hold. Dtypes are those of program.h. */
#ifndef DNN_TENSOR_H
#define DNN_TENSOR_H
#include "runtime/core/error.h"
#include "runtime/core/program.h"
#include <stddef.h>

#define DNN_MAX_RANK 12
#define DNN_DTYPES 9

typedef struct DnnTensor {
  int32_t dtype, rank;
  int64_t shape[DNN_MAX_RANK];
  void *data; /* malloc'd, 64 bytes aligned */
  int64_t bytes;
} DnnTensor;

/* Most bytes of one block of memory: `dnn_memory_most`, or when that is 0 as many as the machine has. */
extern int64_t dnn_memory_most;
int64_t dnn_memory_limit(void);
int64_t dnn_dtype_size(int dtype);
const char *dnn_dtype_name(int dtype); /* "f32" */
bool dnn_dtype_is_float(int dtype);
/* The least and the greatest value of an integer dtype (bool: 0 and 1). */
void dnn_dtype_range(int dtype, int64_t *lo, int64_t *hi);

/* Elements of a shape; -1 when a size is negative or the product (in bytes of `item`) passes 2^62. */
int64_t dnn_count(int rank, const int64_t *shape, int64_t item);
/* Memory for a tensor of this type. The shape is copied. */
bool dnn_tensor_new(DnnTensor *t, int dtype, int rank, const int64_t *shape, DnnError *e);
void dnn_tensor_free(DnnTensor *t);

/* One element as double or int64; f16 and bf16 are decoded by integer operations. */
double dnn_get(const void *data, int dtype, int64_t i);
int64_t dnn_get_int(const void *data, int dtype, int64_t i);
void dnn_put(void *data, int dtype, int64_t i, double v);
float dnn_f16_to_f32(uint16_t h);
uint16_t dnn_f32_to_f16(float f);
/* n elements from one dtype to another of the same kind (integers must fit). False: *bad is the element that does not
 * fit, -1 when the dtypes are of different kinds. */
bool dnn_convert(void *to, int to_dtype, const void *from, int from_dtype, int64_t n, int64_t *bad);

/* "u8[28, 28]" into buf; returns buf. */
char *dnn_type_text(char *buf, size_t size, int dtype, int rank, const int64_t *shape);
/* Aligned memory that free() gives back; NULL when there is none. At least 64 bytes. */
void *dnn_alloc(int64_t bytes);
#endif
