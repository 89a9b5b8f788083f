/* The limits of this machine, measured: what the rates of kernels are held against. */
#ifndef DNN_LIMITS_H
#define DNN_LIMITS_H

typedef struct DnnLimits {
  int threads;
  double flops; /* a second, of multiply-adds in registers; a multiply-add counts 2 */
  double bytes; /* a second, to and from memory: the better of reading and of copying an array beyond the caches */
} DnnLimits;
/* By `threads` threads at a time, in about `seconds`: the best of many short runs, for other programs may run beside.
 * False: no memory or no threads. */
int dnn_limits_measure(int threads, double seconds, DnnLimits *out);
#endif
