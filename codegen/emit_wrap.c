/* Long lines of emitted C, broken where a reader would break them. */
#include "codegen/emit_internal.h"
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 120, FURTHER = 4, LEAST = 60, EARLY = 1000 };

/* A place where a line may end: `end` bytes of it stay, the next line begins with the byte `next`; 0: there is none. */
typedef struct Break {
  size_t end, next;
  int cost;       /* the nesting, then how tightly binds what is torn apart; more where the line would be short */
  bool in_string; /* quotes are put around the end and the begin */
} Break;

static int columns(const char *s, size_t n) {
  int count = 0;
  for (size_t i = 0; i < n; i++) count += ((unsigned char)s[i] & 0xC0) != 0x80; /* bytes inside of a sign of UTF-8 */
  return count;
}

/* What a break at the blank s[i] of a line tears apart: 0 items of a list, then as C binds; -1: no place for one. */
static int torn(const char *s, size_t i) {
  static const char *const signs[] = {"? : ", "|| && | & ", "== != < <= > >= ", "+ - ", "* / % "};
  if (i && (s[i - 1] == ',' || s[i - 1] == ';')) return 0;
  size_t n = strcspn(s + i + 1, " ");
  for (int k = 0; n && n < 3 && k < (int)(sizeof signs / sizeof *signs); k++)
    for (const char *p = signs[k]; *p; p += strcspn(p, " ") + 1)
      if (strcspn(p, " ") == n && !strncmp(p, s + i + 1, n)) return k + 1;
  return -1;
}

/* The end of the literal or comment that s[i] is the begin of, or a part of the text that s continues; else i. */
static size_t skip_opaque(const char *s, size_t n, size_t i, bool continued) {
  if (s[i] == '/' && i + 1 < n && s[i + 1] == '*' && !continued) {
    const char *close = strstr(s + i + 2, "*/");
    return close && (size_t)(close - s) + 2 < n ? (size_t)(close - s) + 2 : n;
  }
  if (s[i] != '"' && s[i] != '\'' && !continued) return i;
  char quote = continued ? '"' : s[i];
  size_t end = continued ? i : i + 1;
  for (; end < n && s[end] != quote; end++) end += s[end] == '\\';
  return end + 1 < n ? end + 1 : n;
}

static void consider(Break *best, Break b, int column) {
  if (column < LEAST) b.cost += EARLY;
  if (!best->next || (column <= COLUMNS && b.cost <= best->cost)) *best = b;
}

/* Where to break the line s of n bytes, which stands at a column; `continued`: its begin is inside of a text. Texts may
 * end behind a \n of theirs. */
static Break find_break(const char *s, size_t n, int at, bool continued) {
  Break best = {0, 0, 0, false};
  int depth = 0, column = at;
  for (size_t i = 0; i < n && (column < COLUMNS || !best.next);) {
    size_t end = skip_opaque(s, n, i, continued && !i);
    for (size_t k = i + 1; end > i && s[end - 1] == '"' && k + 3 < end; k += s[k] == '\\' ? 2 : 1)
      if (s[k] == '\\' && s[k + 1] == 'n')
        consider(&best, (Break){k + 2, k + 2, k > i + 1 ? 8 * depth : EARLY, true},
                 column + columns(s + i, k + 2 - i) + 1);
    if (end == i) {
      end++;
      depth += strchr("([{", s[i]) ? 1 : strchr(")]}", s[i]) ? -1 : 0;
      int what = s[i] == ' ' ? torn(s, i) : -1;
      if (what >= 0) consider(&best, (Break){i, i + 1, 8 * depth + what, false}, column);
    }
    column += columns(s + i, end - i);
    i = end;
  }
  return best;
}

/* The last blank of a comment's line before it is too long. */
static Break find_blank(const char *s, size_t n, int at) {
  Break best = {0, 0, 0, false};
  for (size_t i = 3; i + 3 < n && (at + columns(s, i) <= COLUMNS || !best.next); i++)
    if (s[i] == ' ') best = (Break){i, i + 1, 0, false};
  return best;
}

static bool is_comment(const char *s, size_t n) {
  if (strncmp(s, "/*", 2) && strncmp(s, "* ", 2)) return false;
  const char *close = strstr(s, "*/");
  return !close || close >= s + n - 2;
}

/* place > 0: the number that `#line` gives this line, and all its parts. */
static void put_line(Buf *out, const char *s, size_t n, int place) {
  size_t indent = strspn(s, " ");
  s += indent;
  n -= indent;
  bool comment = is_comment(s, n);
  int at = (int)indent, later = comment ? at + (*s == '/') : at + FURTHER;
  const char *before = ""; /* what a part begins with besides */
  for (;;) {
    int begin = at + (int)strlen(before);
    Break b = {0};
    if (begin + columns(s, n < 4 * COLUMNS ? n : 4 * COLUMNS) > COLUMNS)
      b = comment ? find_blank(s, n, begin) : find_break(s, n, begin, *before == '"');
    buf_fill(out, ' ', at);
    buf_str(out, before);
    buf_bytes(out, s, b.next ? b.end : n);
    buf_str(out, b.in_string ? "\"\n" : "\n");
    if (!b.next) return;
    if (place > 0) buf_printf(out, "#line %d\n", place);
    before = comment ? "* " : b.in_string ? "\"" : "";
    s += b.next, n -= b.next, at = later;
  }
}

void emit_wrap(Buf *text) {
  Buf out = {0};
  int place = 0; /* of the next line; 0: lines count as they stand in the file */
  for (const char *s = text->s, *end; s && *s; s = end + 1) {
    end = strchr(s, '\n');
    if (!end) INTERNAL("emitted C that does not end with a line");
    bool directive = !strncmp(s, "#line ", 6);
    if (directive) place = atoi(s + 6);
    if (*s == '#' || end - s <= COLUMNS) buf_bytes(&out, s, (size_t)(end - s) + 1);
    else put_line(&out, s, (size_t)(end - s), place);
    if (!directive && place) place++;
  }
  buf_free(text);
  *text = out;
}
