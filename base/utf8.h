/* UTF-8: the length of the well-formed sequence at a place (RFC 3629, table 3-7 of Unicode). */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H
#include <stddef.h>

/* Bytes (1 to 4) of the well-formed sequence at the start of `s`, of which `n` bytes may be read; 0 when there is none:
 * stray or missing continuation bytes, overlong forms, surrogates, and values above U+10FFFF. */
static inline int utf8_len(const char *text, size_t n) {
  const unsigned char *s = (const unsigned char *)text;
  if (!n) return 0;
  if (s[0] < 0x80) return 1;
  int len = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
  if (s[0] < 0xC2 || s[0] > 0xF4 || n < (size_t)len) return 0;
  for (int i = 1; i < len; i++)
    if ((s[i] & 0xC0) != 0x80) return 0;
  if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F)) return 0;
  if ((s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F)) return 0;
  return len;
}
#endif
