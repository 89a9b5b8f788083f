/* Tokenisers: text to ids and back.
 *
 *   bytes   an id is a byte; no special ones (all of them are 0)
 *   chars   an id is a character, in the order of code points or of the alphabet; no special ones (all are 0)
 *   words   0 pad 1 begin 2 end 3 unknown 4 mask, then words (words.h) by falling frequency, equal ones by their bytes
 *   bpe     the same five, 5 .. 260 the bytes, then pairs in the order in which they were merged (vocabulary.c)
 *
 * The vocabulary is a text, made of a file (vocabulary.c) or held in the executable:
 *   chars: the characters one after the other; words: the words behind the fifth id, a line each;
 *   bpe: a line "left right" per merge. */
#ifndef DNN_TOKENS_H
#define DNN_TOKENS_H
#include "runtime/core/error.h"
#include "runtime/core/file.h"
#include "runtime/core/program.h"
#include "runtime/core/words.h"

enum { DNN_BPE_MERGES = DNN_TOKEN_FIRST + 256 }; /* the first id of a merge */

typedef struct DnnIds {
  int32_t *v;
  int64_t n, room;
} DnnIds;
bool dnn_ids_add(DnnIds *ids, int32_t id); /* false: no memory */

typedef struct DnnTokeniser {
  const DnnTokens *row;
  DnnWordTable pieces; /* of the ids from `first` on */
  int32_t first;
  uint64_t *merge_keys; /* bpe: left << 32 | right, and the id it becomes; open addressing */
  int32_t *merge_ids;
  int64_t n_merge_slots;
  DnnWordTable known; /* bpe: words met before, with their ids */
  DnnIds known_ids;
  DnnIds known_start;
} DnnTokeniser;

/* Ids of a text. `line`: it is one line or argument, which `words` puts between begin and end. A character that the
 * vocabulary lacks is an error for chars ("NAME: line 3: ...") and `unknown` for words. Appends. */
bool dnn_encode(DnnTokeniser *t, const char *name, const char *text, int64_t n, bool line, DnnIds *ids, DnnError *e);
/* The text of ids: pieces one after the other, words with a blank between. Special tokens give nothing, but `unknown`
 * and `mask` show as <unknown> and <mask>; `end`, and the zero byte of bytes, ends it. */
typedef void DnnTextFn(void *user, const char *s, int64_t n);
void dnn_decode(const DnnTokeniser *t, const void *ids, int dtype, int64_t n, DnnTextFn *put, void *user);

/* A vocabulary that stands in the executable. */
typedef struct DnnVocabulary {
  int32_t row;
  int64_t bytes;
  const char *text;
} DnnVocabulary;
/* Makes the vocabulary text of a row from its file. */
typedef bool DnnVocabularyFn(void *user, const DnnTokens *row, DnnBytes *text, DnnError *e);

/* The tokenisers of a program, each opened when it is asked for the first time. */
typedef struct DnnTokenSet DnnTokenSet;
struct DnnTokenSet {
  const DnnProgram *program;
  DnnTokeniser **open;
  const DnnVocabulary *held;
  int n_held;
  DnnVocabularyFn *read; /* NULL: only those held */
  void *user;
};
bool dnn_tokens_new(const DnnProgram *p, DnnTokenSet *s, DnnError *e);
void dnn_tokens_free(DnnTokenSet *s);
DnnTokeniser *dnn_tokens_get(DnnTokenSet *s, int row, DnnError *e);
/* The vocabulary text of a row, malloc'd. */
bool dnn_tokens_text(DnnTokenSet *s, int row, DnnBytes *text, DnnError *e);
/* The row that a port's `as` names; -1: it is no tokeniser. */
int dnn_tokens_row(const DnnProgram *p, const char *as);
#endif
