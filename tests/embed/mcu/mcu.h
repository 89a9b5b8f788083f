/* What startup.c (a Cortex-M without a system) and host.c (a process) offer to main(). */
#ifndef MCU_H
#define MCU_H
#include <stdint.h>
void mcu_print(const char *text);
void mcu_exit(int status);
unsigned mcu_stack(void); /* the most bytes of stack that have been in use; 0: unknown */

static inline void mcu_print_number(int64_t v) {
  char s[24], *p = s + sizeof s;
  uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
  *--p = 0;
  do *--p = (char)('0' + u % 10);
  while (u /= 10);
  if (v < 0) *--p = '-';
  mcu_print(p);
}
#endif
