#include "runtime/core/error.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void dnn_make_plain(char *text) {
  for (unsigned char *s = (unsigned char *)text; *s; s++) {
    if (*s == '\t') *s = ' ';
    else if ((*s < 0x20 && *s != '\n') || *s == 0x7F) *s = '?';
    else if (*s == 0xC2 && s[1] >= 0x80 && s[1] < 0xA0) s[0] = s[1] = '?';
  }
}

bool dnn_fail(DnnError *e, const char *format, ...) {
  va_list v;
  va_start(v, format);
  vsnprintf(e->text, sizeof e->text, format, v);
  va_end(v);
  dnn_make_plain(e->text);
  return false;
}

void dnn_fail_more(DnnError *e, const char *format, ...) {
  size_t n = strlen(e->text);
  va_list v;
  va_start(v, format);
  vsnprintf(e->text + n, sizeof e->text - n, format, v);
  va_end(v);
  dnn_make_plain(e->text + n);
}
