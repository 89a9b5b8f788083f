#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "runtime/core/vocabulary.h"
#include <stdlib.h>
#include <string.h>

static bool put(DnnBytes *b, int64_t *room, const char *s, int64_t n) {
  if (b->size + n + 1 > *room) {
    int64_t more = *room * 2 + n + 4096;
    unsigned char *data = realloc(b->data, (size_t)more);
    if (!data) return false;
    b->data = data, *room = more;
  }
  memcpy(b->data + b->size, s, (size_t)n);
  b->size += n;
  b->data[b->size] = 0;
  return true;
}

static int put_utf8(uint32_t c, char s[4]) {
  if (c < 0x80) return s[0] = (char)c, 1;
  if (c < 0x800) return s[0] = (char)(0xc0 | c >> 6), s[1] = (char)(0x80 | (c & 63)), 2;
  if (c < 0x10000)
    return s[0] = (char)(0xe0 | c >> 12), s[1] = (char)(0x80 | (c >> 6 & 63)), s[2] = (char)(0x80 | (c & 63)), 3;
  s[0] = (char)(0xf0 | c >> 18), s[1] = (char)(0x80 | (c >> 12 & 63)), s[2] = (char)(0x80 | (c >> 6 & 63));
  return s[3] = (char)(0x80 | (c & 63)), 4;
}

/* The characters of a text in the order of their code points. */
static bool read_chars(const DnnTokens *row, const char *path, const DnnBytes *file, DnnBytes *text, DnnError *e) {
  unsigned char *seen = calloc(0x110000 / 8, 1);
  const char *begin = (const char *)file->data, *end = begin + file->size;
  int64_t room = 0, line = 1, found = 0;
  bool ok = seen ? true : dnn_fail(e, "no memory");
  for (const char *s = begin; ok && s < end;) {
    uint32_t c;
    int n = dnn_utf8(s, end, &c);
    if (!n)
      ok = dnn_fail(e, "%s: line %lld: byte %lld, 0x%02x, is no UTF-8", path, (long long)line, (long long)(s - begin),
                    (unsigned char)*s);
    else seen[c / 8] |= (unsigned char)(1 << c % 8), line += c == '\n', s += n;
  }
  for (uint32_t c = 0; ok && c < 0x110000; c++) {
    char s[4];
    if (!(seen[c / 8] >> c % 8 & 1)) continue;
    found++;
    if (!put(text, &room, s, put_utf8(c, s))) ok = dnn_fail(e, "no memory");
  }
  free(seen);
  if (ok && found != row->size)
    ok = dnn_fail(e, "%s: has %lld different characters, but size = %lld is declared at %s; write %lld", path,
                  (long long)found, (long long)row->size, row->place, (long long)found);
  return ok;
}

typedef struct Counted {
  const DnnWordTable *words;
  int64_t word, count;
} Counted;

/* Falling counts; equal ones by their bytes, which for UTF-8 is by code point. */
static int by_count(const void *a, const void *b) {
  const Counted *x = a, *y = b;
  if (x->count != y->count) return x->count > y->count ? -1 : 1;
  const int64_t *at = x->words->start;
  int64_t n = at[x->word + 1] - at[x->word], m = at[y->word + 1] - at[y->word];
  int order = memcmp(x->words->bytes + at[x->word], x->words->bytes + at[y->word], (size_t)(n < m ? n : m));
  return order ? order : n < m ? -1 : n > m;
}

/* Every word of the text and how often it stands there; for bpe with the blank before it. The text is changed. */
static bool count_words(const DnnTokens *row, char *text, int64_t size, DnnWordTable *words, int64_t **counts) {
  int64_t room = 0;
  char *begin = text + 1;
  const char *s = begin, *end = begin + size;
  DnnWord w;
  if (row->lower) dnn_lower_text(begin, size);
  while (dnn_next_word(begin, &s, end, &w)) {
    bool spaced = row->kind == DNN_TOKENS_BPE && w.spaced;
    char *from = text + (w.s - text) - spaced;
    if (spaced) *from = ' ';
    int64_t i = dnn_word_add(words, from, w.n + spaced);
    if (i < 0) return false;
    if (i >= room) {
      int64_t *more = realloc(*counts, (size_t)(room * 2 + 1024) * sizeof *more);
      if (!more) return false;
      memset(more + room, 0, (size_t)(room + 1024) * sizeof *more);
      *counts = more, room = room * 2 + 1024;
    }
    (*counts)[i]++;
  }
  return true;
}

static bool read_words(const DnnTokens *row, const char *path, const DnnWordTable *words, const int64_t *counts,
                       DnnBytes *text, DnnError *e) {
  int64_t want = row->size - DNN_TOKEN_FIRST, room = 0;
  if (want > words->n)
    return dnn_fail(e,
                    "%s: has %lld different words, with the special tokens %lld, but size = %lld is declared at %s; "
                    "write %lld or less",
                    path, (long long)words->n, (long long)(words->n + DNN_TOKEN_FIRST), (long long)row->size,
                    row->place, (long long)(words->n + DNN_TOKEN_FIRST));
  Counted *all = malloc((size_t)(words->n + 1) * sizeof *all);
  bool ok = all != NULL;
  for (int64_t i = 0; ok && i < words->n; i++) all[i] = (Counted){words, i, counts[i]};
  if (ok) qsort(all, (size_t)words->n, sizeof *all, by_count);
  for (int64_t i = 0; ok && i < want; i++) {
    const int64_t *at = words->start + all[i].word;
    ok = put(text, &room, words->bytes + at[0], at[1] - at[0]) && put(text, &room, "\n", 1);
  }
  free(all);
  return ok || dnn_fail(e, "no memory");
}

static bool read_bpe(const DnnTokens *row, const char *path, const DnnWordTable *words, const int64_t *counts,
                     DnnBytes *text, DnnError *e) {
  int64_t want = row->size - DNN_BPE_MERGES, n = 0, room = 0;
  int64_t most = want < words->used ? want : words->used; /* each merge takes a symbol away at least */
  int32_t(*pairs)[2] = malloc((size_t)(most > 0 ? most : 1) * sizeof *pairs);
  bool ok = pairs && dnn_bpe_train(words, counts, most, pairs, &n);
  for (int64_t i = 0; ok && i < n; i++) {
    char line[40];
    ok = put(text, &room, line, snprintf(line, sizeof line, "%d %d\n", pairs[i][0], pairs[i][1]));
  }
  free(pairs);
  if (!ok) return dnn_fail(e, "%s: no memory for its byte pairs", path);
  return n == want || dnn_fail(e,
                               "%s: gives %lld byte-pair tokens and no more, but size = %lld is declared at %s; "
                               "write %lld or less",
                               path, (long long)(DNN_BPE_MERGES + n), (long long)row->size, row->place,
                               (long long)(DNN_BPE_MERGES + n));
}

bool dnn_vocabulary_read(void *user, const DnnTokens *row, DnnBytes *text, DnnError *e) {
  char *path = NULL;
  DnnBytes file = {0};
  DnnWordTable words = {0};
  int64_t *counts = NULL;
  *text = (DnnBytes){0};
  if (!dnn_data_path(user, row->place, row->from, &path, e)) return false;
  bool ok = dnn_file_read_gz(path, &file, e);
  if (ok && row->kind == DNN_TOKENS_CHARS) {
    ok = read_chars(row, path, &file, text, e);
  } else if (ok) {
    char *copy = malloc((size_t)file.size + 2); /* room for a blank before the first word */
    if (copy) memcpy(copy + 1, file.data, (size_t)file.size + 1);
    free(file.data);
    file.data = NULL;
    ok = copy && count_words(row, copy, file.size, &words, &counts);
    free(copy);
    if (!ok) dnn_fail(e, "%s: no memory for its words", path);
    ok = ok && (row->kind == DNN_TOKENS_WORDS ? read_words : read_bpe)(row, path, &words, counts, text, e);
  }
  if (!ok) free(text->data), *text = (DnnBytes){0};
  dnn_word_free(&words);
  free(counts), free(file.data), free(path);
  return ok;
}
