/* Checked runs (`--check`): looks at the memory of a program that was emitted with EmitOpts.watch, around every kernel
 * group of its plans (runtime/core/watch.h), and stops it at the first
 *
 *   NaN, wherever it stands;
 *   infinity that arises from finite operands (one that the program or its data wrote may spread: masks of attention);
 *   read of memory that nobody wrote, or value that its kernel did not write.
 *
 * For the last, the arena is filled with a pattern when a call begins. So are, when a group begins, what it will write,
 * its workspace and scratch, and what lived before and does not any more, so that no kernel reads freed memory: a quiet
 * NaN with a payload of its own in every float type, a value of its own in bool, i32 and i64 (bytes have none to
 * spare).
 *
 * The place within a group of fused operations is found by the reference evaluator, from the operands that stand in
 * memory: only when there is something to tell, or an infinity to be judged. */
#ifndef CODEGEN_WATCH_H
#define CODEGEN_WATCH_H
#include "codegen/emit.h"
#include "runtime/core/watch.h"

typedef struct Watch Watch;
/* `plans` and `lowered`: those that `out` was emitted from; NULL: of an entry that is not compiled. */
Watch *watch_new(Arena *a, const Prog *prog, Plan *const *plans, Lowered *const *lowered, const EmitOut *out);
/* Contexts, and copies of them, are watched from now on. */
void watch_attach(Watch *w, DnnContext *c);
/* After a call that failed: was it for something found here? Then prog->diag holds it, and the error text of the call
 * says it in short. */
bool watch_found(Watch *w);
void watch_end(Watch *w);
#endif
