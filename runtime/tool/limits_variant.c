/* The loops for one width of vectors: compiled several times, each with its flags and LIMIT_VARIANT. */
#include "runtime/tool/limits_loops.h"

double LIMIT_VARIANT(int what, int streaming, const DnnLimitArrays *a, int64_t from, int64_t to, volatile float *sink);
double LIMIT_VARIANT(int what, int streaming, const DnnLimitArrays *a, int64_t from, int64_t to, volatile float *sink) {
  return limit_run(what, streaming, a, from, to, sink);
}
