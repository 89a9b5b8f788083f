/* Text for tokenisers: UTF-8, lower case, words, and a table that numbers byte strings. */
#ifndef DNN_WORDS_H
#define DNN_WORDS_H
#include <stdbool.h>
#include <stdint.h>

/* The code point at s < end in *c and its length in bytes; 0: no UTF-8 (RFC 3629). */
int dnn_utf8(const char *s, const char *end, uint32_t *c);
/* The simple lower-case form of a letter of ASCII, Latin-1, Latin Extended-A, Greek or Cyrillic (U+0400 to U+042F);
 * other code points, and U+0130, which has none, as they are. Never another length in UTF-8. */
uint32_t dnn_lower(uint32_t c);
/* Lower case in place. */
void dnn_lower_text(char *s, int64_t n);

/* A word is a run of letters, digits and `_`, or one other visible character. White space separates: ASCII's and the
 * no-break space. Everything beyond ASCII is a letter, but for the punctuation of U+00A1 to U+00BF, U+00D7, U+00F7,
 * U+2000 to U+206F, the currency signs of U+20A0 to U+20CF and U+3000 to U+303F; a byte that is no UTF-8 is a letter.
 */
typedef struct DnnWord {
  const char *s;
  int64_t n;
  bool spaced; /* white space or the beginning stands before it */
} DnnWord;
/* The next word at *s, which moves behind it; false at the end. */
bool dnn_next_word(const char *begin, const char **s, const char *end, DnnWord *w);

/* Byte strings numbered in the order in which they were added. */
typedef struct DnnWordTable {
  char *bytes;
  int64_t used, room;
  int64_t *start; /* word i is bytes[start[i] .. start[i + 1]) */
  int64_t n, n_room;
  int32_t *slots; /* open addressing: number + 1 */
  int64_t n_slots;
} DnnWordTable;
int64_t dnn_word_find(const DnnWordTable *t, const char *s, int64_t n); /* -1: not there */
int64_t dnn_word_add(DnnWordTable *t, const char *s, int64_t n);        /* its number, found or new; -1: no memory */
int64_t dnn_word_append(DnnWordTable *t, const char *s, int64_t n);     /* without looking: not found by find */
void dnn_word_free(DnnWordTable *t);
#endif
