#include "base/size.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

int64_t size_parse(const char *text) {
  static const char units[] = "KMG";
  char *end;
  double v = strtod(text, &end);
  const char *unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
  if (unit) end++;
  for (int k = 0; unit && k <= unit - units; k++) v *= 1024;
  return end > text && !*end && v >= 1 && v < 0x1p62 ? (int64_t)v : -1;
}

void size_print(Buf *b, int64_t bytes) {
  static const char *const units[] = {"B", "kB", "MB", "GB"};
  double v = (double)bytes;
  int k = 0;
  while (v >= 1024 && k < 3) v /= 1024, k++;
  buf_printf(b, k && v < 100 ? "%.1f %s" : "%.0f %s", v, units[k]);
}
