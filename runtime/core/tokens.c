#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "runtime/core/tokens.h"
#include "runtime/core/tensor.h"
#include <stdlib.h>
#include <string.h>

bool dnn_ids_add(DnnIds *ids, int32_t id) {
  if (ids->n == ids->room) {
    int64_t room = ids->room * 2 + 64;
    int32_t *more = realloc(ids->v, (size_t)room * sizeof *more);
    if (!more) return false;
    ids->v = more, ids->room = room;
  }
  ids->v[ids->n++] = id;
  return true;
}

/* ---- opening ---- */
static bool size_fails(const DnnTokens *row, int64_t size, DnnError *e) {
  return dnn_fail(e, "%s: the vocabulary of `%s` (%s) has %lld tokens, but size = %lld is declared; write %lld",
                  row->place, row->name, row->from ? row->from : "its alphabet", (long long)size, (long long)row->size,
                  (long long)size);
}

static bool open_chars(DnnTokeniser *t, const char *s, const char *end, DnnError *e) {
  while (s < end) {
    uint32_t c;
    int n = dnn_utf8(s, end, &c);
    if (!n) return dnn_fail(e, "%s: the alphabet of `%s` is no UTF-8", t->row->place, t->row->name);
    int64_t before = t->pieces.n, at = dnn_word_add(&t->pieces, s, n);
    if (at < 0) return dnn_fail(e, "no memory");
    if (at < before)
      return dnn_fail(e, "%s: the alphabet of `%s` holds `%.*s` twice", t->row->place, t->row->name, n, s);
    s += n;
  }
  return t->pieces.n == t->row->size || size_fails(t->row, t->pieces.n, e);
}

static bool open_words(DnnTokeniser *t, const char *s, const char *end, DnnError *e) {
  while (s < end) {
    const char *line = memchr(s, '\n', (size_t)(end - s));
    if (!line) line = end;
    if (dnn_word_add(&t->pieces, s, line - s) < 0) return dnn_fail(e, "no memory");
    s = line + 1;
  }
  int64_t size = t->first + t->pieces.n;
  return size == t->row->size || size_fails(t->row, size, e);
}

static int64_t merge_slot(const DnnTokeniser *t, uint64_t key) {
  int64_t mask = t->n_merge_slots - 1, k = (int64_t)((key * 0x9e3779b97f4a7c15u) >> 20) & mask;
  while (t->merge_keys[k] && t->merge_keys[k] != key) k = (k + 1) & mask;
  return k;
}

static bool open_bpe(DnnTokeniser *t, const char *s, const char *end, DnnError *e) {
  DnnWordTable *p = &t->pieces;
  int64_t merges = t->row->size - DNN_BPE_MERGES;
  for (t->n_merge_slots = 256; t->n_merge_slots < merges * 3;) t->n_merge_slots *= 2;
  t->merge_keys = calloc((size_t)t->n_merge_slots, sizeof *t->merge_keys);
  t->merge_ids = calloc((size_t)t->n_merge_slots, sizeof *t->merge_ids);
  if (!t->merge_keys || !t->merge_ids) return dnn_fail(e, "no memory");
  for (int i = 0; i < 256; i++) {
    char byte = (char)i;
    if (dnn_word_append(p, &byte, 1) < 0) return dnn_fail(e, "no memory");
  }
  while (s < end && p->n < t->row->size) {
    char *after;
    long left = strtol(s, &after, 10), right = *after == ' ' ? strtol(after, &after, 10) : -1;
    long id = (long)p->n + DNN_TOKEN_FIRST;
    if (*after != '\n' || left < DNN_TOKEN_FIRST || right < DNN_TOKEN_FIRST || left >= id || right >= id)
      return dnn_fail(e, "the vocabulary of `%s` is damaged at merge %ld", t->row->name, id);
    const int64_t *at = p->start;
    int64_t a = at[left - DNN_TOKEN_FIRST], n = at[left - DNN_TOKEN_FIRST + 1] - a;
    int64_t b = at[right - DNN_TOKEN_FIRST], m = at[right - DNN_TOKEN_FIRST + 1] - b;
    char *piece = malloc((size_t)(n + m) + 1);
    if (piece) memcpy(piece, p->bytes + a, (size_t)n), memcpy(piece + n, p->bytes + b, (size_t)m);
    bool ok = piece && dnn_word_append(p, piece, n + m) >= 0;
    free(piece);
    if (!ok) return dnn_fail(e, "no memory");
    int64_t k = merge_slot(t, (uint64_t)left << 32 | (uint64_t)right);
    t->merge_keys[k] = (uint64_t)left << 32 | (uint64_t)right, t->merge_ids[k] = (int32_t)id;
    s = after + 1;
  }
  int64_t size = t->first + p->n;
  return size == t->row->size || size_fails(t->row, size, e);
}

static void close_one(DnnTokeniser *t) {
  if (!t) return;
  dnn_word_free(&t->pieces), dnn_word_free(&t->known);
  free(t->merge_keys), free(t->merge_ids), free(t->known_ids.v), free(t->known_start.v);
  free(t);
}

static DnnTokeniser *open_one(const DnnTokens *row, const DnnBytes *text, DnnError *e) {
  DnnTokeniser *t = calloc(1, sizeof *t);
  if (!t) return dnn_fail(e, "no memory"), NULL;
  const char *s = (const char *)text->data, *end = s ? s + text->size : s;
  t->row = row;
  t->first = row->kind == DNN_TOKENS_WORDS || row->kind == DNN_TOKENS_BPE ? DNN_TOKEN_FIRST : 0;
  bool ok = row->kind == DNN_TOKENS_BYTES   ? true
            : row->kind == DNN_TOKENS_CHARS ? open_chars(t, s, end, e)
            : row->kind == DNN_TOKENS_WORDS ? open_words(t, s, end, e)
                                            : open_bpe(t, s, end, e);
  if (ok) return t;
  close_one(t);
  return NULL;
}

/* ---- text to ids ---- */
static bool no_memory(const char *name, DnnError *e) { return dnn_fail(e, "%s: no memory for its tokens", name); }

static bool encode_chars(DnnTokeniser *t, const char *name, const char *text, int64_t n, DnnIds *ids, DnnError *e) {
  const char *end = text + n;
  int64_t line = 1;
  for (const char *s = text; s < end;) {
    uint32_t c;
    int k = dnn_utf8(s, end, &c);
    if (!k)
      return dnn_fail(e, "%s: line %lld: byte %lld, 0x%02x, is no UTF-8", name, (long long)line, (long long)(s - text),
                      (unsigned char)*s);
    int64_t id = dnn_word_find(&t->pieces, s, k);
    if (id < 0)
      return dnn_fail(e, "%s: line %lld: the character `%.*s` (U+%04X) is not in the vocabulary of `%s` (%s)", name,
                      (long long)line, k, s, c, t->row->name, t->row->from ? t->row->from : "its alphabet");
    if (!dnn_ids_add(ids, (int32_t)id)) return no_memory(name, e);
    line += c == '\n';
    s += k;
  }
  return true;
}

/* The ids of one word: its bytes, then the earliest merge that fits, as long as one does. */
static bool split_word(const DnnTokeniser *t, const char *s, int64_t n, DnnIds *ids) {
  int64_t first = ids->n;
  for (int64_t i = 0; i < n; i++)
    if (!dnn_ids_add(ids, DNN_TOKEN_FIRST + (unsigned char)s[i])) return false;
  for (;;) {
    int32_t best = INT32_MAX, *v = ids->v + first;
    int64_t m = ids->n - first, to = 0;
    for (int64_t i = 0; i + 1 < m; i++) {
      uint64_t key = (uint64_t)v[i] << 32 | (uint64_t)v[i + 1];
      int64_t k = merge_slot(t, key);
      if (t->merge_keys[k] && t->merge_ids[k] < best) best = t->merge_ids[k];
    }
    if (best == INT32_MAX) return true;
    for (int64_t i = 0; i < m; i++, to++) {
      int64_t k = i + 1 < m ? merge_slot(t, (uint64_t)v[i] << 32 | (uint64_t)v[i + 1]) : -1;
      bool here = k >= 0 && t->merge_keys[k] && t->merge_ids[k] == best;
      v[to] = here ? best : v[i];
      i += here;
    }
    ids->n = first + to;
  }
}

static bool encode_bpe_word(DnnTokeniser *t, const char *s, int64_t n, DnnIds *ids) {
  int64_t before = t->known.n, at = dnn_word_add(&t->known, s, n);
  if (at < 0) return false;
  if (at == before) {
    if (t->known_ids.n > INT32_MAX - n || !dnn_ids_add(&t->known_start, (int32_t)t->known_ids.n)) return false;
    if (!split_word(t, s, n, &t->known_ids)) return false;
  }
  int64_t from = t->known_start.v[at], to = at + 1 < t->known_start.n ? t->known_start.v[at + 1] : t->known_ids.n;
  for (int64_t i = from; i < to; i++)
    if (!dnn_ids_add(ids, t->known_ids.v[i])) return false;
  return true;
}

/* words and bpe: over the words of the text, in lower case where that is asked for. */
static bool encode_words(DnnTokeniser *t, const char *name, const char *text, int64_t n, DnnIds *ids, DnnError *e) {
  char *copy = malloc((size_t)n + 2); /* a byte in front of each word, for its blank */
  if (!copy) return no_memory(name, e);
  memcpy(copy + 1, text, (size_t)n);
  if (t->row->lower) dnn_lower_text(copy + 1, n);
  const char *begin = copy + 1, *s = begin, *end = begin + n;
  bool ok = true;
  DnnWord w;
  while (ok && dnn_next_word(begin, &s, end, &w)) {
    if (t->row->kind == DNN_TOKENS_WORDS) {
      int64_t id = dnn_word_find(&t->pieces, w.s, w.n);
      ok = dnn_ids_add(ids, id < 0 ? DNN_TOKEN_UNKNOWN : (int32_t)(t->first + id));
    } else {
      char *from = copy + (w.s - copy) - w.spaced;
      if (w.spaced) *from = ' ';
      ok = encode_bpe_word(t, from, w.n + w.spaced, ids);
    }
  }
  free(copy);
  return ok || no_memory(name, e);
}

bool dnn_encode(DnnTokeniser *t, const char *name, const char *text, int64_t n, bool line, DnnIds *ids, DnnError *e) {
  bool ends = line && t->row->kind == DNN_TOKENS_WORDS;
  switch (t->row->kind) {
  case DNN_TOKENS_BYTES:
    for (int64_t i = 0; i < n; i++)
      if (!dnn_ids_add(ids, (unsigned char)text[i])) return no_memory(name, e);
    return true;
  case DNN_TOKENS_CHARS: return encode_chars(t, name, text, n, ids, e);
  default:
    if (ends && !dnn_ids_add(ids, DNN_TOKEN_BEGIN)) return no_memory(name, e);
    if (!encode_words(t, name, text, n, ids, e)) return false;
    return !ends || dnn_ids_add(ids, DNN_TOKEN_END) || no_memory(name, e);
  }
}

/* ---- ids to text ---- */
void dnn_decode(const DnnTokeniser *t, const void *ids, int dtype, int64_t n, DnnTextFn *put, void *user) {
  bool any = false;
  for (int64_t i = 0; i < n; i++) {
    int64_t id = dnn_get_int(ids, dtype, i);
    if (id < 0 || id >= t->row->size) id = t->first ? DNN_TOKEN_UNKNOWN : 0;
    if (t->row->kind == DNN_TOKENS_BYTES) {
      char byte = (char)id;
      if (!byte) return;
      put(user, &byte, 1);
      continue;
    }
    if (t->first && id == DNN_TOKEN_END) return;
    const char *s = id == DNN_TOKEN_UNKNOWN ? "<unknown>" : "<mask>";
    int64_t len = (int64_t)strlen(s);
    if (t->first && (id == DNN_TOKEN_PAD || id == DNN_TOKEN_BEGIN)) continue;
    if (id >= t->first) {
      int64_t at = t->pieces.start[id - t->first];
      s = t->pieces.bytes + at, len = t->pieces.start[id - t->first + 1] - at;
    }
    if (t->row->kind == DNN_TOKENS_WORDS && any) put(user, " ", 1);
    bool blank = t->row->kind == DNN_TOKENS_BPE && !any && len && s[0] == ' ';
    put(user, s + blank, len - blank);
    any = true;
  }
}

/* ---- the set ---- */
bool dnn_tokens_new(const DnnProgram *p, DnnTokenSet *s, DnnError *e) {
  *s = (DnnTokenSet){.program = p};
  s->open = calloc((size_t)p->n_tokens + 1, sizeof *s->open);
  return s->open || dnn_fail(e, "no memory");
}

void dnn_tokens_free(DnnTokenSet *s) {
  for (int i = 0; s->open && i < s->program->n_tokens; i++) close_one(s->open[i]);
  free(s->open);
  s->open = NULL;
}

bool dnn_tokens_text(DnnTokenSet *s, int row, DnnBytes *text, DnnError *e) {
  const DnnTokens *t = &s->program->tokens[row];
  *text = (DnnBytes){0};
  const DnnVocabulary *held = NULL;
  for (int i = 0; i < s->n_held; i++)
    if (s->held[i].row == row) held = &s->held[i];
  const char *given = held ? held->text : t->kind == DNN_TOKENS_BYTES ? "" : t->alphabet;
  if (!given && s->read) return s->read(s->user, t, text, e);
  if (!given) return dnn_fail(e, "%s: the vocabulary of `%s` is not in this executable", t->place, t->name);
  text->size = held ? held->bytes : (int64_t)strlen(given);
  text->data = malloc((size_t)text->size + 1);
  if (!text->data) return dnn_fail(e, "no memory");
  memcpy(text->data, given, (size_t)text->size);
  text->data[text->size] = 0;
  return true;
}

DnnTokeniser *dnn_tokens_get(DnnTokenSet *s, int row, DnnError *e) {
  if (s->open[row]) return s->open[row];
  DnnBytes text;
  if (!dnn_tokens_text(s, row, &text, e)) return NULL;
  s->open[row] = open_one(&s->program->tokens[row], &text, e);
  free(text.data);
  return s->open[row];
}

int dnn_tokens_row(const DnnProgram *p, const char *as) {
  for (int i = 0; as && i < p->n_tokens; i++)
    if (!strcmp(p->tokens[i].name, as)) return i;
  return -1;
}
