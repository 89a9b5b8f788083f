/* Order of a row. Copied beside emitted programs that sort: C11 and libc. */
#ifndef DNN_SORT_H
#define DNN_SORT_H
#include <stdint.h>
#include <string.h>

/* order[0 .. n) = the positions of x in ascending (descending) order. Stable: equal elements keep their order, in both
 * directions. A NaN counts as larger than all numbers, -0 equals 0. `work` has n elements.
 * Algorithm: runs of RUN by insertion, then merged bottom up (Knuth, The Art of Computer Programming 3, 5.2.1, 5.2.4).
 */
#define DNN_ARGSORT(T, s, AFTER)                                                                                       \
  static inline void dnn_argsort_##s(const T *x, int32_t *order, int32_t *work, int64_t n, int64_t descending) {       \
    enum { RUN = 16 };                                                                                                 \
    for (int64_t lo = 0; lo < n; lo += RUN)                                                                            \
      for (int64_t i = lo; i < n && i < lo + RUN; i++) {                                                               \
        int64_t j = i;                                                                                                 \
        for (; j > lo && (descending ? AFTER(x[i], x[order[j - 1]]) : AFTER(x[order[j - 1]], x[i])); j--)              \
          order[j] = order[j - 1];                                                                                     \
        order[j] = (int32_t)i;                                                                                         \
      }                                                                                                                \
    int32_t *from = order, *to = work;                                                                                 \
    for (int64_t run = RUN; run < n; run *= 2) {                                                                       \
      for (int64_t lo = 0; lo < n; lo += 2 * run) {                                                                    \
        int64_t mid = lo + run < n ? lo + run : n, hi = lo + 2 * run < n ? lo + 2 * run : n, i = lo, j = mid;          \
        for (int64_t k = lo; k < hi; k++) {                                                                            \
          int64_t p = from[i < mid ? i : lo], q = from[j < hi ? j : lo];                                               \
          int after = descending ? AFTER(x[q], x[p]) : AFTER(x[p], x[q]);                                              \
          int right = i == mid || (j < hi && after);                                                                   \
          to[k] = right ? from[j++] : from[i++];                                                                       \
        }                                                                                                              \
      }                                                                                                                \
      int32_t *t = from;                                                                                               \
      from = to;                                                                                                       \
      to = t;                                                                                                          \
    }                                                                                                                  \
    if (from != order && n > 0) memcpy(order, from, (size_t)n * sizeof *order);                                        \
  }
#define DNN_FLOAT_AFTER(a, b) ((a) > (b) || ((a) != (a) && (b) == (b)))
#define DNN_INT_AFTER(a, b) ((a) > (b))
DNN_ARGSORT(double, f64, DNN_FLOAT_AFTER)
DNN_ARGSORT(int64_t, i64, DNN_INT_AFTER)
#undef DNN_ARGSORT
#undef DNN_FLOAT_AFTER
#undef DNN_INT_AFTER
#endif
