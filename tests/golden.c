/* golden [NAME...]: compiles the programs of tests/golden/NAME.txt (all without a NAME) and compares what they return
 * with the numbers there. `golden --eval NAME...` asks the reference evaluator instead. */
#include "base/ds.h"
#include "tests/lib/golden.h"
#include <stdio.h>
#include <string.h>

static int check(const char *file, bool compiled) {
  Arena *a = arena_new();
  Buf why = {0};
  int compared = 0;
  bool good = golden_check(a, file, compiled, &compared, &why);
  printf("%s: %d tensors compared%s\n%s", file, compared, good ? "" : ", FAILED", why.s ? why.s : "");
  buf_free(&why);
  arena_free(a);
  return !good;
}

int main(int argc, char **argv) {
  Arena *a = arena_new();
  bool eval = argc > 1 && !strcmp(argv[1], "--eval");
  int status = 0, first = 1 + eval;
  for (int i = first; i < argc; i++) status |= check(arena_printf(a, "tests/golden/%s.txt", argv[i]), !eval);
  char **all = first < argc ? NULL : golden_files(a);
  for (int i = 0; i < arrlen(all); i++) status |= check(all[i], !eval);
  arrfree(all);
  arena_free(a);
  return status;
}
