/* One graph through lowering: evaluator == interpreted loop IR == compiled C, for several numbers of threads with equal
 * bits. All cases of a target are one C file, compiled once:
 *
 *   KernelCase c = {.a = arena, .g = graph with one output, .op = ..., .seed = ..., .id = number of the case};
 *   case_finish(&c, target);         // draws sizes and inputs, evaluates, plans, lowers
 *   case_print(&c, &text);           // text begins with #include "runtime/core/kernel.h"
 *   cases_check(cases, text.s, "gcc", flags);
 *
 * Failures end the cmocka test with graph and kernels printed. */
#ifndef TESTS_KERNEL_CASE_H
#define TESTS_KERNEL_CASE_H
#include "codegen/codegen.h"
#include "ir/eval.h"

typedef struct KernelCase {
  Arena *a;
  Graph *g;
  Op op; /* decides the tolerance */
  DType dt;
  uint64_t seed;
  int id;
  double tolerance;         /* 0: by op and dtype */
  void (*change)(Tensor *); /* of the first input, before anything is computed; or NULL */
  Prog prog;
  Entry entry;
  Plan *plan;
  Lowered *low;
  KernelTable *table;
  int64_t *vars;
  Tensor *in, want;
} KernelCase;

/* Cases of one target: set_begin makes a case with an empty graph, which gets one output before set_end. */
typedef struct CaseSet {
  const Target *target;
  KernelCase *cases; /* stb_ds */
  Buf text;
} CaseSet;
KernelCase *set_begin(CaseSet *s, Op op, DType dt, int seed);
void set_end(CaseSet *s);
void set_check(CaseSet *s, const char *compiler, const char *flags); /* frees it */

void case_finish(KernelCase *c, const Target *target);
void case_print(const KernelCase *c, Buf *b);
void cases_check(KernelCase *cases, const char *text, const char *compiler, const char *flags); /* frees them */
#endif
