/* All that a Cortex-M image has beside its program, when it is linked with -nostdlib -lm -lgcc: the vector table, the
 * start, the four functions of string.h that a C compiler may call, and the way out to a debugger (semihosting: QEMU
 * and every debug probe). Fills the free stack with a pattern, so that mcu_stack() tells how much was used. */
#include "mcu.h"
#include <stddef.h>
#include <stdint.h>

/* The loops of memset and memcpy shall not become calls of memset and memcpy. */
#pragma GCC optimize("no-tree-loop-distribute-patterns")

int main(void);
extern uint32_t mcu_stack_end[], mcu_stack_begin[], mcu_data[], mcu_data_end[], mcu_data_from[], mcu_bss[],
    mcu_bss_end[];
int *__errno(void); /* newlib's mathematics set it */

void *memcpy(void *restrict to, const void *restrict from, size_t n) {
  unsigned char *t = to;
  const unsigned char *f = from;
  for (size_t i = 0; i < n; i++) t[i] = f[i];
  return to;
}
void *memmove(void *to, const void *from, size_t n) {
  unsigned char *t = to;
  const unsigned char *f = from;
  if (t <= f)
    for (size_t i = 0; i < n; i++) t[i] = f[i];
  else
    while (n-- > 0) t[n] = f[n];
  return to;
}
void *memset(void *to, int c, size_t n) {
  unsigned char *t = to;
  for (size_t i = 0; i < n; i++) t[i] = (unsigned char)c;
  return to;
}
int memcmp(const void *a, const void *b, size_t n) {
  const unsigned char *x = a, *y = b;
  for (size_t i = 0; i < n; i++)
    if (x[i] != y[i]) return x[i] < y[i] ? -1 : 1;
  return 0;
}
int *__errno(void) {
  static int number;
  return &number;
}

static int host(int what, const void *with) {
  register int r0 __asm__("r0") = what;
  register const void *r1 __asm__("r1") = with;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}
void mcu_print(const char *text) { host(0x04, text); }
void mcu_exit(int status) {
  const uint32_t reason[2] = {0x20026, (uint32_t)status}; /* the application has ended by itself */
  host(0x20, reason);
  for (;;) {
  }
}

enum { UNUSED = 0x5afe5afe };
unsigned mcu_stack(void) {
  const volatile uint32_t *p = mcu_stack_begin;
  while (*p == UNUSED) p++;
  return (unsigned)((const char *)mcu_stack_end - (const char *)(uintptr_t)p);
}

void mcu_start(void);
void mcu_start(void) {
  uint32_t *here = __builtin_frame_address(0);
  for (uint32_t *p = mcu_stack_begin; p < here - 16; p++) *(volatile uint32_t *)p = UNUSED;
  for (uint32_t *p = mcu_data, *f = mcu_data_from; p < mcu_data_end; p++) *(volatile uint32_t *)p = *f++;
  for (uint32_t *p = mcu_bss; p < mcu_bss_end; p++) *(volatile uint32_t *)p = 0;
#if __ARM_FP
  *(volatile uint32_t *)0xe000ed88 |= 0xfu << 20; /* CPACR: the floating point unit may be used */
  __asm__ volatile("dsb\n\tisb");
#endif
  mcu_exit(main());
}
static void fault(void) {
  mcu_print("the processor has met a fault\n");
  mcu_exit(3);
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    mcu_stack_end,
    (const void *)(uintptr_t)mcu_start,
    (const void *)(uintptr_t)fault,
    (const void *)(uintptr_t)fault,
    (const void *)(uintptr_t)fault,
    (const void *)(uintptr_t)fault,
    (const void *)(uintptr_t)fault,
};
