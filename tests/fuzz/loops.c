/* The reader of kernels in the loop IR: an error, or a kernel that prints as a text which reads as the same. */
#include "tests/fuzz/fuzz.h"
#include "codegen/loop.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  char *text = fuzz_text(data, n);
  Arena *a = arena_new();
  Buf why = {0}, once = {0}, twice = {0};
  Kernel *k = kernel_parse(a, text, &why);
  FUZZ_HOLDS(k || why.n);
  if (k) {
    kernel_print(k, &once);
    Kernel *again = kernel_parse(a, once.s, &why);
    if (!again) fuzz_broken(once.s, 0, why.s);
    kernel_print(again, &twice);
    FUZZ_HOLDS(!strcmp(once.s, twice.s));
  }
  buf_free(&why), buf_free(&once), buf_free(&twice);
  arena_free(a);
  free(text);
  return 0;
}
