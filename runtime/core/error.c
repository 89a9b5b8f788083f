#include "runtime/core/error.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool dnn_fail(DnnError *e, const char *format, ...) {
  va_list v;
  va_start(v, format);
  vsnprintf(e->text, sizeof e->text, format, v);
  va_end(v);
  return false;
}

void dnn_fail_more(DnnError *e, const char *format, ...) {
  size_t n = strlen(e->text);
  va_list v;
  va_start(v, format);
  vsnprintf(e->text + n, sizeof e->text - n, format, v);
  va_end(v);
}
