/* `dnnc check --grad`: the gradients of a program's own entry points against finite differences (passes/grad_check.h),
 * at its first parameters and a first batch, and the compiled gradients against those. */
#ifndef LIBRARY_GRADIENTS_H
#define LIBRARY_GRADIENTS_H
#include "library/machine.h"
#include "passes/grad_check.h"

/* An entry point that takes gradients. */
typedef struct GradEntry {
  int entry; /* of the program */
  const char *name;
  bool made_up;    /* its inputs are random numbers */
  const char *why; /* ... because of this: a data set cannot be opened; NULL: nothing feeds it */
  GradSite *sites; /* stb_ds */
  int n_compiled;  /* gradients of the entry's own graph, which are compiled, too: the first ones that are no loop's */
  double compiled; /* largest distance of compiled ones from those of f64, as a share of their length; -1: none */
  const char *failed; /* a call of the compiled program failed: why */
} GradEntry;

/* Of a machine that is opened by machine_load: the entry point `called` or, when it is NULL, all that take gradients.
 * `rows`: records of a batch where the program leaves their number open. `*out`: stb_ds, of gradients_free. The machine
 * is of no use for anything else afterwards. */
Status gradients_check(Machine *m, const char *called, int64_t rows, GradEntry **out);
void gradients_free(GradEntry *list);
#endif
