#include "frontend/std.h"
#include <string.h>

const char *std_source(const char *name, size_t *n) {
  for (int i = 0; i < std_count; i++) {
    if (strcmp(std_files[i].name, name)) continue;
    if (n) *n = std_files[i].size;
    return std_files[i].text;
  }
  return NULL;
}
