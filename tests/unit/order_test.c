/* Orders of few bytes and places of blocks (passes/order.h, offsets.h): random problems; the exact searches are held
 * against all permutations, everything else against the exact searches. */
#include "passes/order.h"
#include "base/ds.h"
#include "passes/offsets.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

static uint64_t seed;
static int choose(int n) {
  uint64_t z = (seed += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return (int)((z ^ (z >> 31)) % (uint64_t)n);
}

/* Each item makes one or two values and reads some of earlier ones; some results stay, some operands can be taken over,
 * some items wait for another that they read nothing of. */
static Order random_order(int n) {
  Order o = {0};
  for (int i = 0; i < n; i++) {
    OrderItem x = {.inner = choose(4) ? 0 : 64 * choose(8)};
    int known = (int)arrlen(o.values), *writer = NULL;
    for (int k = 0; k < i; k++)
      for (int j = 0; j < arrlen(o.items[k].writes); j++) arrput(writer, k);
    for (int v = 0; v < known; v++) {
      if (choose(known) > 1) continue;
      arrput(x.reads, v);
      bool again = false;
      for (int k = 0; k < arrlen(x.after); k++) again |= x.after[k] == writer[v];
      if (!again) arrput(x.after, writer[v]);
    }
    arrfree(writer);
    if (i && !choose(6)) {
      int other = choose(i);
      bool again = false;
      for (int k = 0; k < arrlen(x.after); k++) again |= x.after[k] == other;
      if (!again) arrput(x.after, other);
    }
    for (int k = 0; k <= (choose(4) == 0); k++) {
      arrput(o.values, ((OrderValue){64 * choose(16), choose(6) == 0}));
      arrput(x.writes, (int)arrlen(o.values) - 1);
      if (arrlen(x.reads) && choose(2)) {
        int from = x.reads[choose((int)arrlen(x.reads))];
        if (o.values[from].bytes) o.values[arrlen(o.values) - 1].bytes = o.values[from].bytes;
        OrderTake t = {from, (int)arrlen(o.values) - 1};
        if (o.values[from].bytes) arrput(x.takes, t);
      }
    }
    arrput(o.items, x);
  }
  return o;
}

/* Is it a permutation in which everybody waits for whom it has to? */
static void check_order(const Order *o, const int *seq) {
  int n = (int)arrlen(o->items);
  bool *done = calloc((size_t)n, sizeof *done);
  for (int i = 0; i < n; i++) {
    assert_true(seq[i] >= 0 && seq[i] < n && !done[seq[i]]);
    for (int k = 0; k < arrlen(o->items[seq[i]].after); k++) assert_true(done[o->items[seq[i]].after[k]]);
    done[seq[i]] = true;
  }
  free(done);
}

/* The lowest peak of all orders, one after the other. */
static int64_t lowest(const Order *o, int *seq, int at, unsigned done) {
  int n = (int)arrlen(o->items);
  if (at == n) return order_peak(o, seq);
  int64_t best = INT64_MAX;
  for (int i = 0; i < n; i++) {
    bool ready = !(done >> i & 1);
    for (int k = 0; k < arrlen(o->items[i].after); k++) ready &= done >> o->items[i].after[k] & 1;
    if (!ready) continue;
    seq[at] = i;
    int64_t peak = lowest(o, seq, at + 1, done | 1u << i);
    if (peak < best) best = peak;
  }
  return best;
}

static void test_peak(void **state) {
  (void)state;
  /* 0 makes a (128); 1 makes b (64) of a; 2 makes c (64) of b in b's place; a stays for 2 */
  Order o = {0};
  for (int i = 0; i < 3; i++) arrput(o.items, (OrderItem){0});
  for (int v = 0; v < 3; v++) {
    arrput(o.values, ((OrderValue){v ? 64 : 128, v == 2}));
    arrput(o.items[v].writes, v);
  }
  arrput(o.items[1].reads, 0), arrput(o.items[1].after, 0);
  arrput(o.items[2].reads, 1), arrput(o.items[2].after, 1);
  int seq[3] = {0, 1, 2};
  assert_int_equal(order_peak(&o, seq), 192);
  arrput(o.items[2].reads, 0), arrput(o.items[2].after, 0);
  assert_int_equal(order_peak(&o, seq), 256);
  arrput(o.items[2].takes, ((OrderTake){1, 2}));
  assert_int_equal(order_peak(&o, seq), 192);
  o.items[1].inner = 640;
  assert_int_equal(order_peak(&o, seq), 832);
  order_free(&o);
}

static void test_exact(void **state) {
  (void)state;
  int seq[8], found[8];
  for (seed = 1; seed < 3000; seed += 1) {
    uint64_t at = seed;
    Order o = random_order(2 + choose(6));
    int64_t best = lowest(&o, seq, 0, 0);
    assert_int_equal(order_exact(&o, INT64_MAX, 100000, found), best);
    check_order(&o, found);
    assert_int_equal(order_peak(&o, found), best);
    assert_int_equal(order_exact(&o, best, 100000, found), ORDER_NONE);
    order_free(&o);
    seed = at;
  }
}

/* How far list scheduling is from the best on plans of up to 20 steps; order_find is at it wherever it says so. */
static void test_quick(void **state) {
  (void)state;
  int seq[20], best = 0, all = 0;
  double ratio = 0;
  for (int i = 0; i < 400; i++) {
    seed = (uint64_t)i * 77 + 5;
    Order o = random_order(8 + choose(13));
    int64_t exact = order_exact(&o, INT64_MAX, 1 << 20, seq), quick = order_quick(&o, seq);
    assert_true(exact >= 0 && quick >= exact);
    check_order(&o, seq);
    assert_int_equal(order_peak(&o, seq), quick);
    bool proven = false;
    int64_t found = order_find(&o, seq, &proven);
    check_order(&o, seq);
    assert_int_equal(order_peak(&o, seq), found);
    assert_true(proven ? found == exact : found >= exact);
    all++, best += quick == exact;
    ratio += exact ? (double)quick / (double)exact : 1;
    order_free(&o);
  }
  printf("list scheduling: %d of %d are the best, %.4f of it on average\n", best, all, ratio / all);
  assert_true(best >= all * 80 / 100 && ratio / all < 1.015);
}

/* ---- places ---- */

static int random_blocks(Block *b, int most) {
  int n = 1 + choose(most);
  for (int i = 0; i < n; i++) {
    int begin = choose(6);
    b[i] = (Block){64 * (1 + choose(4)), begin, begin + choose(4), -1};
  }
  return n;
}
static int64_t check_blocks(const Block *b, int n) {
  int64_t peak = 0;
  for (int i = 0; i < n; i++) {
    assert_true(b[i].offset >= 0 && b[i].offset % 64 == 0);
    if (b[i].offset + b[i].bytes > peak) peak = b[i].offset + b[i].bytes;
    for (int k = 0; k < i; k++)
      assert_true(b[i].begin > b[k].end || b[k].begin > b[i].end || b[i].offset >= b[k].offset + b[k].bytes ||
                  b[k].offset >= b[i].offset + b[i].bytes);
  }
  return peak;
}
/* The least of all orders in which blocks are laid down on those that lie there. */
static int64_t least(Block *b, int n, unsigned done, int64_t peak) {
  if (done == (1u << n) - 1) return peak;
  int64_t best = INT64_MAX;
  for (int i = 0; i < n; i++) {
    if (done >> i & 1) continue;
    b[i].offset = 0;
    for (int k = 0; k < n; k++)
      if ((done >> k & 1) && b[k].begin <= b[i].end && b[i].begin <= b[k].end && b[k].offset + b[k].bytes > b[i].offset)
        b[i].offset = b[k].offset + b[k].bytes;
    int64_t top = b[i].offset + b[i].bytes, found = least(b, n, done | 1u << i, top > peak ? top : peak);
    if (found < best) best = found;
  }
  return best;
}

static void test_offsets(void **state) {
  (void)state;
  Block b[7], c[7];
  for (int i = 0; i < 1500; i++) {
    seed = (uint64_t)i * 131 + 9;
    int n = random_blocks(b, 7);
    memcpy(c, b, sizeof b);
    int64_t best = least(c, n, 0, 0), bound = offsets_bound(b, n);
    bool proven = false;
    int64_t found = offsets_find(b, n, &proven);
    assert_int_equal(check_blocks(b, n), found);
    assert_true(proven);
    assert_int_equal(found, best);
    assert_int_equal(offsets_exact(b, n, best - 64, 1000000), 0);
    assert_int_equal(check_blocks(b, n), best); /* as they were */
    assert_int_equal(offsets_exact(b, n, best, 1000000), 1);
    assert_true(check_blocks(b, n) <= best);
    assert_true(found >= bound);
  }
}

/* Nine blocks that no offsets bring to the bound. */
static void test_gap(void **state) {
  (void)state;
  Block b[] = {{192, 0, 0, -1}, {128, 0, 3, -1}, {64, 0, 2, -1},  {128, 1, 1, -1}, {64, 1, 4, -1},
               {64, 2, 2, -1},  {64, 2, 3, -1},  {128, 3, 4, -1}, {192, 4, 4, -1}};
  enum { N = sizeof b / sizeof *b };
  assert_int_equal(offsets_bound(b, N), 384);
  assert_int_equal(least(b, N, 0, 0), 448);
  assert_int_equal(offsets_exact(b, N, 384, 1000000), 0);
  assert_int_equal(offsets_exact(b, N, 384, 10), -1);
  bool proven = false;
  assert_int_equal(offsets_find(b, N, &proven), 448);
  assert_int_equal(check_blocks(b, N), 448);
  assert_true(proven);
}

static void test_many(void **state) {
  (void)state;
  enum { N = 3000 };
  Block *b = calloc(N, sizeof *b);
  for (int i = 0; i < N; i++) {
    int begin = choose(500);
    b[i] = (Block){64 * (1 + choose(100)), begin, begin + choose(30), -1};
  }
  bool proven = true;
  int64_t found = offsets_find(b, N, &proven), bound = offsets_bound(b, N);
  assert_int_equal(check_blocks(b, N), found);
  assert_true((double)found < 1.15 * (double)bound && (!proven || found == bound));
  free(b);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_peak),  cmocka_unit_test(test_exact),
                                     cmocka_unit_test(test_quick), cmocka_unit_test(test_offsets),
                                     cmocka_unit_test(test_gap),   cmocka_unit_test(test_many)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
