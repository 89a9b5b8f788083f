/* Vocabularies made of files. */
#ifndef DNN_VOCABULARY_H
#define DNN_VOCABULARY_H
#include "runtime/core/data.h"
#include "runtime/core/tokens.h"

/* The vocabulary text of a tokeniser from its file (also .gz), which is looked for like data; `user` is a DnnDataOpts.
 * Wrong sizes are told with the right one ("write 67"). */
bool dnn_vocabulary_read(void *user, const DnnTokens *row, DnnBytes *text, DnnError *e);

/* Byte-pair merges after Sennrich, Haddow and Birch, "Neural Machine Translation of Rare Words with Subword Units"
 * (2016), on bytes: each word is a row of symbols, at first its bytes; the pair of neighbours that is most frequent
 * (weighted by the words' counts; of equal ones the pair with the smaller left, then the smaller right id) becomes a
 * new symbol everywhere, from left to right, until `most` merges are made or no pair occurs twice. pairs[k] gets the
 * two ids of merge k, whose own id is DNN_BPE_MERGES + k; *n their number. Pairs are counted once and then kept up to
 * date in the words that hold the merged pair; a heap with late corrections finds the next one. */
bool dnn_bpe_train(const DnnWordTable *words, const int64_t *counts, int64_t most, int32_t (*pairs)[2], int64_t *n);
#endif
