/* A malloc that counts what is asked for inside calls of the program, after the first of them (init or load) has ended.
 * Linked with -Wl,--wrap for the program's functions; the whole process allocates through these functions, OpenMP's
 * library too. At the end it prints the count and fails when it is not 0. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t align, size_t n);

static int inside, calls;
static unsigned long allocations;

void *malloc(size_t n) {
  allocations += (unsigned long)inside;
  return __libc_malloc(n);
}
void *calloc(size_t n, size_t size) {
  allocations += (unsigned long)inside;
  return __libc_calloc(n, size);
}
void *realloc(void *p, size_t n) {
  allocations += (unsigned long)inside;
  return __libc_realloc(p, n);
}
void *aligned_alloc(size_t align, size_t n) {
  allocations += (unsigned long)inside;
  return __libc_memalign(align, n);
}
int posix_memalign(void **p, size_t align, size_t n) {
  allocations += (unsigned long)inside;
  *p = __libc_memalign(align, n);
  return 0;
}

int __real_digits_learn(void *m, int64_t n, const void *image, const void *label, void *loss);
int __real_digits_classify(void *m, int64_t n, const void *image, void *out);
int __wrap_digits_learn(void *m, int64_t n, const void *image, const void *label, void *loss);
int __wrap_digits_classify(void *m, int64_t n, const void *image, void *out);

int __wrap_digits_learn(void *m, int64_t n, const void *image, const void *label, void *loss) {
  inside = 1;
  calls++;
  int r = __real_digits_learn(m, n, image, label, loss);
  inside = 0;
  return r;
}
int __wrap_digits_classify(void *m, int64_t n, const void *image, void *out) {
  inside = 1;
  calls++;
  int r = __real_digits_classify(m, n, image, out);
  inside = 0;
  return r;
}

__attribute__((destructor)) static void report(void) {
  fprintf(stderr, "%d calls, %lu allocations\n", calls, allocations);
  if (!calls || allocations) _exit(3);
}
