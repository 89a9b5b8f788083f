/* The reader of plans (`dnnc tune -o`): an error, or rows that print as a text which reads as the same. */
#include "tests/fuzz/fuzz.h"
#include "codegen/tune.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  const Target *target = target_find("x86-64-v3");
  char *text = fuzz_text(data, n);
  Arena *a = arena_new();
  Buf why = {0}, once = {0}, twice = {0};
  Tuning *t = tuning_new(a), *u = tuning_new(a);
  bool good = tuning_parse(t, "x.plan", text, n, target, &why);
  FUZZ_HOLDS(good || why.n);
  if (good) {
    tuning_print(t, target, &once);
    FUZZ_HOLDS(tuning_parse(u, "x.plan", once.s, once.n, target, &why));
    tuning_print(u, target, &twice);
    FUZZ_HOLDS(!strcmp(once.s, twice.s));
  }
  buf_free(&why), buf_free(&once), buf_free(&twice);
  tuning_free(t), tuning_free(u);
  arena_free(a);
  free(text);
  return 0;
}
