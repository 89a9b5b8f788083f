#include "passes/offsets.h"
#include "base/diag.h"
#include <stdlib.h>
#include <string.h>

static int positions(const Block *b, int n) {
  int last = 0;
  for (int i = 0; i < n; i++)
    if (b[i].end >= last) last = b[i].end + 1;
  return last;
}

static int64_t most_alive(const Block *b, int n, int64_t *alive, int steps) {
  int64_t most = 0, now = 0;
  memset(alive, 0, sizeof *alive * (size_t)(steps + 1));
  for (int i = 0; i < n; i++) alive[b[i].begin] += b[i].bytes, alive[b[i].end + 1] -= b[i].bytes;
  for (int t = 0; t < steps; t++) {
    alive[t] = now += alive[t];
    if (now > most) most = now;
  }
  return most;
}

int64_t offsets_bound(const Block *blocks, int n) {
  int steps = positions(blocks, n);
  int64_t *alive = zeroed((size_t)steps + 1, sizeof *alive), most = most_alive(blocks, n, alive, steps);
  free(alive);
  return most;
}

/* ---- lowest gaps in a given order ---- */

/* Orders: by size, by size times life, by life, the earliest first, the latest end first, by size times life squared.
 * No one is best for all. */
enum { ORDERS = 6 };
typedef struct Rank {
  int64_t key, bytes;
  int block;
} Rank;
static int64_t weight(const Block *x, int order) {
  int64_t life = x->end - x->begin + 1;
  switch (order) {
  case 0: return x->bytes;
  case 1: return x->bytes / 64 * life;
  case 2: return life;
  case 3: return -x->begin;
  case 4: return x->end;
  default: return x->bytes / 64 * life * life;
  }
}
static int larger_first(const void *a, const void *b) {
  const Rank *x = a, *y = b;
  if (x->key != y->key) return x->key < y->key ? 1 : -1;
  if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
  return x->block - y->block;
}
static void sorted(const Block *blocks, int n, int order, Rank *ranks, int *list) {
  for (int i = 0; i < n; i++) ranks[i] = (Rank){weight(&blocks[i], order), blocks[i].bytes, i};
  qsort(ranks, (size_t)n, sizeof *ranks, larger_first);
  for (int i = 0; i < n; i++) list[i] = ranks[i].block;
}

/* The lowest offset for x beside the n placed blocks, in order of their offsets, that live at the same time. */
static int64_t lowest_gap(const Block *blocks, const int *placed, int n, const Block *x) {
  int64_t at = 0;
  for (int i = 0; i < n; i++) {
    const Block *y = &blocks[placed[i]];
    if (x->begin > y->end || y->begin > x->end) continue;
    if (y->offset >= at + x->bytes) break;
    if (y->offset + y->bytes > at) at = y->offset + y->bytes;
  }
  return at;
}
static int64_t place_in_order(Block *blocks, int n, const int *list, int *placed) {
  int64_t peak = 0;
  for (int i = 0; i < n; i++) {
    Block *x = &blocks[list[i]];
    x->offset = lowest_gap(blocks, placed, i, x);
    if (x->offset + x->bytes > peak) peak = x->offset + x->bytes;
    int at = i;
    for (; at > 0 && blocks[placed[at - 1]].offset > x->offset; at--) placed[at] = placed[at - 1];
    placed[at] = list[i];
  }
  return peak;
}

/* What sticks out over `limit` comes first the next time; `list` keeps the order of the rest. */
static void raise(const Block *blocks, int n, int64_t limit, int *list, int *other) {
  int at = 0;
  for (int way = 1; way >= 0; way--)
    for (int i = 0; i < n; i++)
      if ((blocks[list[i]].offset + blocks[list[i]].bytes > limit) == way) other[at++] = list[i];
  memcpy(list, other, sizeof *list * (size_t)n);
}

static void keep_offsets(const Block *blocks, int n, int64_t *kept) {
  for (int i = 0; i < n; i++) kept[i] = blocks[i].offset;
}

static int64_t place_by_gaps(Block *blocks, int n, int64_t bound) {
  enum { MOST_TURNS = 60, MOST_WORK = 60000000 };
  int *list = zeroed((size_t)n, sizeof *list), *other = zeroed((size_t)n, sizeof *other);
  Rank *ranks = zeroed((size_t)n, sizeof *ranks);
  int64_t *kept = zeroed((size_t)n, sizeof *kept), peak = INT64_MAX, turns = MOST_WORK / ((int64_t)n * n + 1) / ORDERS;
  if (turns > MOST_TURNS) turns = MOST_TURNS;
  for (int order = 0; order < ORDERS && peak > bound; order++) {
    sorted(blocks, n, order, ranks, list);
    for (int64_t turn = 0; turn <= turns && peak > bound; turn++) {
      int64_t bytes = place_in_order(blocks, n, list, other);
      if (bytes < peak) peak = bytes, keep_offsets(blocks, n, kept);
      raise(blocks, n, bound, list, other);
    }
  }
  for (int i = 0; i < n; i++) blocks[i].offset = kept[i];
  free(list), free(other), free(ranks), free(kept);
  return peak;
}

/* ---- exact search ---- */

typedef struct Search {
  Block *blocks;
  int n, steps;
  int64_t limit, work;
  int64_t *top, *rest; /* by position: where what lies there ends; bytes that have still to live there */
  bool *placed;
} Search;

static int64_t height(Search *s, const Block *x) {
  int64_t at = 0;
  for (int t = x->begin; t <= x->end; t++)
    if (s->top[t] > at) at = s->top[t];
  s->work -= x->end - x->begin + 1;
  return at;
}

/* All that is still to come lies at `from` or above: does it fit everywhere? */
static bool has_room(Search *s, int64_t from) {
  s->work -= s->steps / 4;
  for (int t = 0; t < s->steps; t++)
    if (s->rest[t] && (s->top[t] > from ? s->top[t] : from) + s->rest[t] > s->limit) return false;
  return true;
}

typedef struct Choice {
  int64_t offset;
  int block;
} Choice;
static int lower_first(const void *a, const void *b) {
  const Choice *x = a, *y = b;
  return x->offset != y->offset ? (x->offset < y->offset ? -1 : 1) : x->block - y->block;
}

/* Blocks `left` are to be placed at `from` or above; at `from` itself only those behind `last`. */
static int search(Search *s, int left, int64_t from, int last) {
  if (!left) return 1;
  if (s->work < 0) return -1;
  if (!has_room(s, from)) return 0;
  Choice *choices = zeroed((size_t)left, sizeof *choices);
  int n = 0, found = 0;
  for (int i = 0; i < s->n; i++) {
    if (s->placed[i]) continue;
    Choice c = {height(s, &s->blocks[i]), i};
    if (c.offset > from || (c.offset == from && i > last)) choices[n++] = c;
  }
  if (n) qsort(choices, (size_t)n, sizeof *choices, lower_first);
  int64_t *under = NULL;
  for (int k = 0; k < n && !found; k++) {
    Block *x = &s->blocks[choices[k].block];
    size_t life = (size_t)x->end - (size_t)x->begin + 1;
    x->offset = choices[k].offset;
    if (x->offset + x->bytes > s->limit || !has_room(s, x->offset)) break; /* nor is there for those above */
    under = realloc(under, sizeof *under * life);
    if (!under) out_of_memory();
    memcpy(under, s->top + x->begin, sizeof *under * life);
    for (int t = x->begin; t <= x->end; t++) s->top[t] = x->offset + x->bytes, s->rest[t] -= x->bytes;
    s->placed[choices[k].block] = true;
    found = search(s, left - 1, x->offset, choices[k].block);
    s->placed[choices[k].block] = false;
    for (int t = x->begin; t <= x->end; t++) s->rest[t] += x->bytes;
    memcpy(s->top + x->begin, under, sizeof *under * life);
  }
  free(under), free(choices);
  return found;
}

int offsets_exact(Block *blocks, int n, int64_t limit, int64_t work) {
  int steps = positions(blocks, n);
  int64_t *kept = zeroed((size_t)n, sizeof *kept);
  keep_offsets(blocks, n, kept);
  Search s = {blocks,
              n,
              steps,
              limit,
              work,
              zeroed((size_t)steps + 1, sizeof(int64_t)),
              zeroed((size_t)steps + 1, sizeof(int64_t)),
              zeroed((size_t)n, sizeof(bool))};
  int found = most_alive(blocks, n, s.rest, steps) > limit ? 0 : search(&s, n, 0, -1);
  if (found != 1)
    for (int i = 0; i < n; i++) blocks[i].offset = kept[i];
  free(s.top), free(s.rest), free(s.placed), free(kept);
  return found;
}

static int64_t needed(const Block *blocks, int n) {
  int64_t peak = 0;
  for (int i = 0; i < n; i++)
    if (blocks[i].offset + blocks[i].bytes > peak) peak = blocks[i].offset + blocks[i].bytes;
  return peak;
}

int64_t offsets_find(Block *blocks, int n, bool *proven) {
  enum { FEW = 400, WORK = 1000000, UNIT = 64 };
  int64_t bound = offsets_bound(blocks, n), peak = place_by_gaps(blocks, n, bound);
  *proven = peak <= bound;
  if (n > FEW || *proven) return peak;
  int found = offsets_exact(blocks, n, bound, WORK);
  if (found != 1) found = offsets_exact(blocks, n, peak - UNIT, WORK);
  for (; found == 1 && (peak = needed(blocks, n)) > bound;) found = offsets_exact(blocks, n, peak - UNIT, WORK);
  *proven = found >= 0;
  return peak;
}
