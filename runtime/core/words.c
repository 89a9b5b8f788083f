#include "runtime/core/words.h"
#include "runtime/core/xxh64.h"
#include <stdlib.h>
#include <string.h>

int dnn_utf8(const char *s, const char *end, uint32_t *c) {
  const unsigned char *u = (const unsigned char *)s;
  int n = u[0] < 0x80 ? 1 : u[0] < 0xc2 ? 0 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : u[0] < 0xf5 ? 4 : 0;
  if (!n || end - s < n) return 0;
  *c = n == 1 ? u[0] : u[0] & (0x7fu >> n);
  for (int i = 1; i < n; i++) {
    if ((u[i] & 0xc0) != 0x80) return 0;
    *c = *c << 6 | (u[i] & 0x3f);
  }
  bool too_long = (n == 3 && *c < 0x800) || (n == 4 && *c < 0x10000), surrogate = *c >= 0xd800 && *c < 0xe000;
  return too_long || surrogate || *c > 0x10ffff ? 0 : n;
}

uint32_t dnn_lower(uint32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  if (c < 0x100) return c >= 0xc0 && c <= 0xde && c != 0xd7 ? c + 32 : c;
  if (c < 0x180) {
    if (c == 0x130 || c == 0x131 || c == 0x138 || c == 0x149 || c == 0x17f) return c;
    if (c == 0x178) return 0xff;
    bool odd = (c >= 0x139 && c <= 0x148) || c >= 0x179;
    return (c & 1) == odd ? c + 1 : c;
  }
  if (c >= 0x386 && c <= 0x3ab) {
    if (c == 0x386) return 0x3ac;
    if (c >= 0x388 && c <= 0x38a) return c + 37;
    if (c == 0x38c) return 0x3cc;
    if (c == 0x38e || c == 0x38f) return c + 63;
    return c >= 0x391 && c != 0x3a2 ? c + 32 : c;
  }
  if (c >= 0x400 && c <= 0x42f) return c < 0x410 ? c + 80 : c + 32;
  return c;
}

void dnn_lower_text(char *s, int64_t n) {
  char *end = s + n;
  while (s < end) {
    uint32_t c;
    int k = dnn_utf8(s, end, &c);
    uint32_t l = k ? dnn_lower(c) : 0;
    if (k == 1) s[0] = (char)l;
    else if (k == 2 && l != c) s[0] = (char)(0xc0 | l >> 6), s[1] = (char)(0x80 | (l & 0x3f));
    s += k ? k : 1;
  }
}

typedef enum { WHITE, LETTER, OTHER } Class;

static Class class_of(const char *s, const char *end, int *n) {
  uint32_t c;
  *n = dnn_utf8(s, end, &c);
  if (!*n) return *n = 1, LETTER;
  if (c == ' ' || (c >= '\t' && c <= '\r') || c == 0xa0) return WHITE;
  if (c < 0x80)
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ? LETTER : OTHER;
  bool other = (c >= 0xa1 && c <= 0xbf) || c == 0xd7 || c == 0xf7 || (c >= 0x2000 && c <= 0x206f) ||
               (c >= 0x20a0 && c <= 0x20cf) || (c >= 0x3000 && c <= 0x303f);
  return other ? OTHER : LETTER;
}

bool dnn_next_word(const char *begin, const char **s, const char *end, DnnWord *w) {
  const char *p = *s;
  int n;
  Class k = WHITE;
  while (p < end && (k = class_of(p, end, &n)) == WHITE) p += n;
  w->spaced = p == begin || p > *s;
  w->s = p;
  *s = p;
  if (p >= end) return false;
  p += n;
  while (k == LETTER && p < end && class_of(p, end, &n) == LETTER) p += n;
  w->n = p - w->s;
  *s = p;
  return true;
}

/* ---- the table ---- */
static bool grow(void **p, int64_t *room, int64_t want, size_t item) {
  if (want <= *room) return true;
  int64_t n = *room * 2 > want ? *room * 2 : want + 64;
  void *more = realloc(*p, (size_t)n * item);
  if (!more) return false;
  *p = more, *room = n;
  return true;
}

int64_t dnn_word_append(DnnWordTable *t, const char *s, int64_t n) {
  void *bytes = t->bytes, *start = t->start;
  bool ok = t->n < INT32_MAX - 1 && grow(&bytes, &t->room, t->used + n + 1, 1);
  t->bytes = bytes;
  ok = ok && grow(&start, &t->n_room, t->n + 2, sizeof *t->start);
  t->start = start;
  if (!ok) return -1;
  if (n) memcpy(t->bytes + t->used, s, (size_t)n);
  t->start[t->n] = t->used;
  t->used += n;
  t->start[t->n + 1] = t->used;
  return t->n++;
}

/* The slot of a word: its own, or the empty one where it would go. */
static int64_t slot_of(const DnnWordTable *t, const char *s, int64_t n) {
  int64_t mask = t->n_slots - 1, k = (int64_t)(dnn_xxh64(s, n, 0) & (uint64_t)mask);
  for (; t->slots[k]; k = (k + 1) & mask) {
    int64_t i = t->slots[k] - 1;
    if (t->start[i + 1] - t->start[i] == n && !memcmp(t->bytes + t->start[i], s, (size_t)n)) break;
  }
  return k;
}

int64_t dnn_word_find(const DnnWordTable *t, const char *s, int64_t n) {
  return t->n_slots ? (int64_t)t->slots[slot_of(t, s, n)] - 1 : -1;
}

static bool more_slots(DnnWordTable *t) {
  int64_t n = t->n_slots ? t->n_slots * 2 : 256;
  int32_t *slots = calloc((size_t)n, sizeof *slots);
  if (!slots) return false;
  free(t->slots);
  t->slots = slots, t->n_slots = n;
  for (int64_t i = 0; i < t->n; i++)
    t->slots[slot_of(t, t->bytes + t->start[i], t->start[i + 1] - t->start[i])] = (int32_t)(i + 1);
  return true;
}

int64_t dnn_word_add(DnnWordTable *t, const char *s, int64_t n) {
  if (t->n * 2 >= t->n_slots && !more_slots(t)) return -1;
  int64_t k = slot_of(t, s, n);
  if (t->slots[k]) return t->slots[k] - 1;
  int64_t i = dnn_word_append(t, s, n);
  if (i >= 0) t->slots[k] = (int32_t)(i + 1);
  return i;
}

void dnn_word_free(DnnWordTable *t) {
  free(t->bytes), free(t->start), free(t->slots);
  memset(t, 0, sizeof *t);
}
