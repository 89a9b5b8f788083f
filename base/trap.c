#include "base/trap.h"
#include <stdio.h>
#include <stdlib.h>

static _Thread_local Trap *innermost;

jmp_buf *trap_set(Trap *t) {
  t->outer = innermost;
  t->text[0] = 0;
  innermost = t;
  return &t->to;
}

void trap_end(Trap *t) { innermost = t->outer; }

int trap_is_set(void) { return innermost != NULL; }

void trap_spring(const char *text) {
  if (!innermost) return;
  snprintf(innermost->text, sizeof innermost->text, "%s", text);
  longjmp(innermost->to, 1);
}

_Noreturn void out_of_memory(void) {
  trap_spring("out of memory");
  fputs("dnnc: out of memory\n", stderr);
  exit(1);
}
