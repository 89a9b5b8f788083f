/* What ends the process when nothing else is possible, and how a caller keeps it alive: memory that is not there and
 * defects of dnnc. The command lets the process end; the library sets a trap around what it does.
 *
 *   Trap trap;
 *   if (setjmp(*trap_set(&trap))) { ... trap.text ...; }   // what ran was left half-way: only its memory is of use
 *   else work();
 *   trap_end(&trap);
 */
#ifndef BASE_TRAP_H
#define BASE_TRAP_H
#include <setjmp.h>

typedef struct Trap {
  jmp_buf to;
  struct Trap *outer;
  char text[1024];
} Trap;

/* From now on trap_spring of this thread comes back to `t->to`, until trap_end. */
jmp_buf *trap_set(Trap *t);
void trap_end(Trap *t);
int trap_is_set(void);
/* To the innermost trap of this thread with this text; returns when there is none. */
void trap_spring(const char *text);
/* The same for memory that is not there; without a trap it says so and ends the process with status 1. */
_Noreturn void out_of_memory(void);
#endif
