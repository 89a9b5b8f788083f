/* One program, computed in every way there is; the answers are held against each other.
 *
 *   way       what computes                                              must equal
 *   check     the front end                                              accepts the program
 *   text      the program as `dnnc fmt` lays it out                     the same graphs
 *   passes    the evaluator, on the graph behind all passes              the evaluator on the graph before (spread)
 *   without   the same without some passes, nodes in another order       the same
 *   memory    the same within a limit of memory that is hard to meet     the same
 *   loops     the loop nests, interpreted                                the same; 2 and 7 threads: the bits of one
 *   steps     the loop nests, steps in another order                     the bits of `loops`
 *   jit       code in memory                                             (spread); 2 and 7 threads: the bits of one
 *   clang     the command, of the same files                             the bits of `jit`
 *   gcc       the same                                                   (spread)
 *   lanes     the evaluator, on mapN with `scan` in place of `vmap`      (spread)
 *   slope     differences of lossN in f64, along random directions       its gradient by x0, in f64
 *
 * Within the spread: twice correct answers may lie that far apart, by evaluations that round at random
 * (ir/eval_noise.c); so a program that is ill conditioned is no false alarm. */
#ifndef TESTS_GENERATE_DIFFER_H
#define TESTS_GENERATE_DIFFER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum Way {
  WAY_TEXT,
  WAY_PASSES,
  WAY_WITHOUT,
  WAY_MEMORY,
  WAY_LOOPS,
  WAY_STEPS,
  WAY_JIT,
  WAY_CLANG,
  WAY_GCC,
  WAY_LANES,
  WAY_SLOPE,
  WAYS
} Way;
extern const char *const way_names[WAYS];

typedef struct Differ {
  const char *text;
  size_t size;
  uint64_t seed; /* of inputs, and of what is left out */
  unsigned ways; /* bits 1 << Way */
  /* what came of it */
  char kind[64];          /* "": all agree; the way, or "check", "crash" … */
  char what[400];         /* which entry, output, element, numbers */
  int64_t compared[WAYS]; /* programs */
  bool rejected;
} Differ;

void differ_run(Differ *d);
#endif
