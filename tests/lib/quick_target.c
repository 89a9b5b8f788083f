#include "tests/lib/quick_target.h"
#include <string.h>

const Target *quick_target(Arena *a, const Target *from) {
  Target *t = arena_one(a, Target);
  *t = *from;
  const char **flags[] = {&t->gcc_flags, &t->clang_flags};
  for (int i = 0; i < 2; i++) {
    char *copy = arena_printf(a, "%s", *flags[i]), *level = strstr(copy, "-O");
    if (level) level[2] = '1';
    *flags[i] = copy;
  }
  return t;
}
