#include "tests/generate/reduce.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Reduce {
  Buf *text;
  Differ *d;
  int tried, taken;
} Reduce;

/* Does the text with `with` in place of from .. to still disagree? Then it is taken. */
static bool replace(Reduce *r, size_t from, size_t to, const char *with) {
  Buf b = {0};
  buf_bytes(&b, r->text->s, from);
  buf_str(&b, with);
  buf_bytes(&b, r->text->s + to, r->text->n - to);
  Differ d = *r->d;
  d.text = b.s, d.size = b.n;
  r->tried++;
  try_program(&d);
  if (strcmp(d.kind, r->d->kind)) {
    buf_free(&b);
    return false;
  }
  buf_free(r->text);
  *r->text = b;
  *r->d = d;
  r->taken++;
  return true;
}

static size_t line_end(const Buf *b, size_t at) {
  while (at < b->n && b->s[at] != '\n') at++;
  return at < b->n ? at + 1 : at;
}

static size_t blanks(const Buf *b, size_t at) { return strspn(b->s + at, " "); }

/* The end of the lines that belong to the one at `at`: those deeper than it, and the `}` behind them. */
static size_t block_end(const Buf *b, size_t at) {
  size_t depth = blanks(b, at), end = line_end(b, at);
  while (end < b->n && blanks(b, end) > depth) end = line_end(b, end);
  if (end < b->n && b->s[end + depth] == '}' && end > line_end(b, at)) end = line_end(b, end);
  return end;
}

/* Whole entries and blocks, then single lines. */
static bool drop_lines(Reduce *r) {
  bool any = false;
  size_t first = line_end(r->text, 0);
  for (size_t at = first; at < r->text->n;) {
    size_t block = block_end(r->text, at), line = line_end(r->text, at);
    if ((block > line && replace(r, at, block, "")) || replace(r, at, line, "")) any = true;
    else at = line;
  }
  return any;
}

/* The end of the bracket that opens at `at`, behind it. */
static size_t closing(const Buf *b, size_t at) {
  int depth = 0;
  for (size_t i = at; i < b->n; i++) {
    if (strchr("([{", b->s[i])) depth++;
    if (strchr(")]}", b->s[i]) && --depth == 0) return i + 1;
    if (b->s[i] == '\n') return 0;
  }
  return 0;
}

static bool is_name(char c) { return isalnum((unsigned char)c) || c == '_' || c == '.'; }

/* An expression that begins at `at`: a call, a parenthesis, a name with what stands behind it; 0: none does. */
static size_t expression(const Buf *b, size_t at) {
  if (at && is_name(b->s[at - 1])) return 0;
  size_t end = at;
  while (end < b->n && is_name(b->s[end])) end++;
  if (end == at && b->s[at] != '(') return 0;
  while (end < b->n && strchr("([", b->s[end]) && b->s[end]) {
    size_t next = closing(b, end);
    if (!next) return 0;
    end = next;
  }
  return end;
}

/* The parts of a bracket's inside that stand between commas or operators at its own level. */
static bool by_its_part(Reduce *r, size_t at, size_t end) {
  const Buf *b = r->text;
  size_t open = at;
  while (open < end && b->s[open] != '(') open++;
  if (open == end) return false;
  int depth = 0;
  size_t begin = open + 1;
  for (size_t i = open; i < end; i++) {
    char c = b->s[i];
    if (strchr("([{", c)) depth++;
    bool out = strchr(")]}", c) && --depth == 0;
    bool between =
        depth == 1 && i > open && (c == ',' || (c == ' ' && strchr("+-*/@%<>=!ao", b->s[i + 1]) && b->s[i + 1]));
    if (!out && !between) continue;
    if (i > begin) {
      char *part = strndup(b->s + begin, i - begin);
      bool taken = !strchr(part, '=') && replace(r, at, end, part);
      free(part);
      if (taken) return true;
    }
    if (out) return false;
    begin = i + 1;
    while (begin < end && strchr(" +-*/@%<>=!,", b->s[begin])) begin++;
  }
  return false;
}

/* Expressions become one of their parts, or a number. */
static bool simplify(Reduce *r) {
  bool any = false;
  for (size_t at = line_end(r->text, 0); at < r->text->n; at++) {
    size_t end = expression(r->text, at);
    if (!end || end - at < 2) continue;
    bool taken = by_its_part(r, at, end);
    if (!taken && end - at > 3) taken = replace(r, at, end, "0.5") || replace(r, at, end, "2");
    if (!taken && r->text->s[end - 1] == ']') { /* without the index */
      size_t open = at;
      while (open < end && r->text->s[open] != '[') open++;
      taken = replace(r, open, end, "");
    }
    any |= taken;
    if (taken) at--;
  }
  return any;
}

/* Numbers become smaller, everywhere at once or at one place. */
static bool shrink(Reduce *r) {
  bool any = false;
  for (size_t at = line_end(r->text, 0); at < r->text->n; at++) {
    const char *s = r->text->s + at;
    if (!isdigit((unsigned char)*s) || is_name(s[-1])) continue;
    long v = strtol(s, NULL, 10);
    size_t end = at + strspn(s, "0123456789");
    if (v < 2 || r->text->s[end] == '.') continue;
    static const long by[] = {1, 2};
    for (int k = 0; k < 2; k++) {
      char text[32];
      snprintf(text, sizeof text, "%ld", k ? v - 1 : by[k]);
      if (replace(r, at, end, text)) {
        any = true;
        break;
      }
    }
  }
  return any;
}

void reduce_program(Buf *text, Differ *d) {
  Reduce r = {.text = text, .d = d};
  bool any = true;
  for (int turn = 0; any && turn < 6; turn++) {
    any = drop_lines(&r);
    any |= simplify(&r);
    any |= shrink(&r);
    fprintf(stderr, "reduce: %d tried, %d taken, %zu bytes\n", r.tried, r.taken, r.text->n);
  }
}
