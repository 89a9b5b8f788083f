/* Training of byte-pair tokens; the algorithm is told in vocabulary.h. */
#include "runtime/core/vocabulary.h"
#include <stdlib.h>
#include <string.h>

typedef struct Pair {
  uint64_t key; /* left << 32 | right; 0: an empty slot */
  int64_t count;
  int32_t *words; /* that held it once: it may have gone from some */
  int32_t n, room;
} Pair;

typedef struct Guess { /* of the heap: a count that was right once and may have fallen since */
  uint64_t key;
  int64_t count;
} Guess;

typedef struct Trainer {
  int32_t *symbols; /* of all words; those of word w are symbols[start[w] ..], length[w] of them */
  int64_t *start;
  int32_t *length, *seen; /* seen: the merge that looked at the word last */
  const int64_t *counts;
  Pair *pairs;
  int64_t n_pairs, n_slots;
  Guess *heap;
  int64_t n_heap, heap_room;
  bool failed;
} Trainer;

static uint64_t key_of(int32_t left, int32_t right) { return (uint64_t)left << 32 | (uint32_t)right; }

static int64_t slot_of(const Pair *pairs, int64_t n_slots, uint64_t key) {
  int64_t k = (int64_t)((key * 0x9e3779b97f4a7c15u) >> 24) & (n_slots - 1);
  while (pairs[k].key && pairs[k].key != key) k = (k + 1) & (n_slots - 1);
  return k;
}

static Pair *pair_of(Trainer *t, uint64_t key) {
  if (t->n_pairs * 2 >= t->n_slots) {
    int64_t n = t->n_slots ? t->n_slots * 2 : 1 << 12;
    Pair *more = calloc((size_t)n, sizeof *more);
    if (!more) return t->failed = true, NULL;
    for (int64_t i = 0; i < t->n_slots; i++)
      if (t->pairs[i].key) more[slot_of(more, n, t->pairs[i].key)] = t->pairs[i];
    free(t->pairs);
    t->pairs = more, t->n_slots = n;
  }
  Pair *p = &t->pairs[slot_of(t->pairs, t->n_slots, key)];
  if (!p->key) p->key = key, t->n_pairs++;
  return p;
}

/* Adds `sign` times the word's count to each of its pairs; pairs with `fresh` (0: any) get the word into their list. */
static void count_pairs(Trainer *t, int32_t w, int sign, int32_t fresh) {
  const int32_t *s = t->symbols + t->start[w];
  for (int32_t i = 0; i + 1 < t->length[w] && !t->failed; i++) {
    Pair *p = pair_of(t, key_of(s[i], s[i + 1]));
    if (!p) return;
    p->count += sign * t->counts[w];
    bool listed = sign > 0 && (!fresh || s[i] == fresh || s[i + 1] == fresh);
    if (!listed || (p->n && p->words[p->n - 1] == w)) continue;
    if (p->n == p->room) {
      int32_t room = p->room * 2 + 4, *more = realloc(p->words, (size_t)room * sizeof *more);
      if (!more) {
        t->failed = true;
        return;
      }
      p->words = more, p->room = room;
    }
    p->words[p->n++] = w;
  }
}

/* ---- the heap: the largest count on top, of equal ones the smallest key ---- */
static bool before(const Guess *a, const Guess *b) {
  return a->count != b->count ? a->count > b->count : a->key < b->key;
}

static void sink(Trainer *t, int64_t i) {
  for (Guess *h = t->heap;;) {
    int64_t k = 2 * i + 1;
    if (k >= t->n_heap) return;
    if (k + 1 < t->n_heap && before(&h[k + 1], &h[k])) k++;
    if (!before(&h[k], &h[i])) return;
    Guess g = h[i];
    h[i] = h[k], h[k] = g, i = k;
  }
}

static void push(Trainer *t, uint64_t key, int64_t count) {
  if (t->n_heap == t->heap_room) {
    int64_t room = t->heap_room * 2 + 1024;
    Guess *more = realloc(t->heap, (size_t)room * sizeof *more);
    if (!more) {
      t->failed = true;
      return;
    }
    t->heap = more, t->heap_room = room;
  }
  int64_t i = t->n_heap++;
  t->heap[i] = (Guess){key, count};
  for (Guess *h = t->heap; i && before(&h[i], &h[(i - 1) / 2]); i = (i - 1) / 2) {
    Guess g = h[i];
    h[i] = h[(i - 1) / 2], h[(i - 1) / 2] = g;
  }
}

/* The most frequent pair; NULL when none occurs twice. Counts only fall after a pair came into being, so a guess that
 * is still right is the best one. */
static Pair *best_pair(Trainer *t) {
  while (t->n_heap) {
    Guess *top = &t->heap[0];
    Pair *p = &t->pairs[slot_of(t->pairs, t->n_slots, top->key)];
    if (p->count == top->count && p->count >= 2) return p;
    if (p->count >= 2) top->count = p->count;
    else *top = t->heap[--t->n_heap];
    sink(t, 0);
  }
  return NULL;
}

/* Replaces the pair by `id` in one word. */
static void merge_word(Trainer *t, int32_t w, int32_t left, int32_t right, int32_t id) {
  int32_t *s = t->symbols + t->start[w], to = 0, n = t->length[w];
  count_pairs(t, w, -1, 0);
  for (int32_t i = 0; i < n; i++, to++) {
    bool here = i + 1 < n && s[i] == left && s[i + 1] == right;
    s[to] = here ? id : s[i];
    i += here;
  }
  t->length[w] = to;
  count_pairs(t, w, 1, id);
}

static void merge(Trainer *t, Pair *best, int32_t id) {
  int32_t left = (int32_t)(best->key >> 32), right = (int32_t)(best->key & 0xffffffff), n = best->n;
  int32_t *words = best->words;
  best->words = NULL, best->n = best->room = 0; /* the table may move */
  for (int32_t i = 0; i < n && !t->failed; i++) {
    if (t->seen[words[i]] == id) continue;
    t->seen[words[i]] = id;
    merge_word(t, words[i], left, right, id);
  }
  for (int32_t i = 0; i < n && !t->failed; i++) { /* the new pairs: each is guessed once per word that holds it */
    int32_t w = words[i];
    const int32_t *s = t->symbols + t->start[w];
    if (t->seen[w] != id) continue;
    t->seen[w] = -id;
    for (int32_t k = 0; k + 1 < t->length[w]; k++) {
      if (s[k] != id && s[k + 1] != id) continue;
      Pair *p = pair_of(t, key_of(s[k], s[k + 1]));
      if (p && p->count >= 2 && p->words[0] == w) push(t, p->key, p->count);
    }
  }
  free(words);
}

static bool start(Trainer *t, const DnnWordTable *words) {
  int64_t n = words->n;
  t->symbols = malloc((size_t)(words->used + 1) * sizeof *t->symbols);
  t->start = malloc((size_t)(n + 1) * sizeof *t->start);
  t->length = malloc((size_t)(n + 1) * sizeof *t->length);
  t->seen = calloc((size_t)(n + 1), sizeof *t->seen);
  if (!t->symbols || !t->start || !t->length || !t->seen) return false;
  for (int64_t i = 0; i < words->used; i++) t->symbols[i] = DNN_TOKEN_FIRST + (unsigned char)words->bytes[i];
  for (int64_t w = 0; w < n; w++) {
    t->start[w] = words->start[w], t->length[w] = (int32_t)(words->start[w + 1] - words->start[w]);
    count_pairs(t, (int32_t)w, 1, 0);
  }
  for (int64_t i = 0; i < t->n_slots && !t->failed; i++)
    if (t->pairs[i].key) push(t, t->pairs[i].key, t->pairs[i].count);
  return !t->failed;
}

bool dnn_bpe_train(const DnnWordTable *words, const int64_t *counts, int64_t most, int32_t (*pairs)[2], int64_t *n) {
  Trainer t = {.counts = counts};
  *n = 0;
  bool ok = start(&t, words);
  while (ok && *n < most) {
    Pair *p = best_pair(&t);
    if (!p) break;
    pairs[*n][0] = (int32_t)(p->key >> 32), pairs[*n][1] = (int32_t)(p->key & 0xffffffff);
    merge(&t, p, (int32_t)(DNN_BPE_MERGES + (*n)++));
    ok = !t.failed;
  }
  for (int64_t i = 0; i < t.n_slots; i++) free(t.pairs[i].words);
  free(t.pairs), free(t.heap), free(t.symbols), free(t.start), free(t.length), free(t.seen);
  return ok;
}
