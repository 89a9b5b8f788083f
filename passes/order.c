#include "passes/order.h"
#include "base/ds.h"
#include "base/diag.h"
#include <stdlib.h>
#include <string.h>

/* What has run, and what that means: kept up to date item by item. */
typedef struct Run {
  const Order *o;
  int n, *waits, *left; /* by item: how many it waits for; by value: readers that have not run */
  int **next;           /* by item, stb_ds: who waits for it */
  int64_t alive, peak;
} Run;

static Run run_new(const Order *o) {
  int n = (int)arrlen(o->items), nv = (int)arrlen(o->values);
  Run r = {o, n, zeroed((size_t)n, sizeof(int)), zeroed((size_t)nv, sizeof(int)), zeroed((size_t)n, sizeof(int *)),
           0, 0};
  for (int i = 0; i < n; i++) {
    const OrderItem *x = &o->items[i];
    for (int k = 0; k < arrlen(x->after); k++) arrput(r.next[x->after[k]], i);
  }
  return r;
}
static void run_begin(Run *r) {
  memset(r->left, 0, sizeof(int) * (size_t)arrlen(r->o->values));
  for (int i = 0; i < r->n; i++) {
    const OrderItem *x = &r->o->items[i];
    r->waits[i] = (int)arrlen(x->after);
    for (int k = 0; k < arrlen(x->reads); k++) r->left[x->reads[k]]++;
  }
  r->alive = r->peak = 0;
}
static void run_free(Run *r) {
  for (int i = 0; i < r->n; i++) arrfree(r->next[i]);
  free(r->waits), free(r->left), free(r->next);
}

void order_free(Order *o) {
  for (int i = 0; i < arrlen(o->items); i++) {
    OrderItem *x = &o->items[i];
    arrfree(x->after), arrfree(x->reads), arrfree(x->writes), arrfree(x->takes);
  }
  arrfree(o->items), arrfree(o->values);
}

/* A value that item x reads and nobody after it. */
static bool dies(const Order *o, const int *left, int v) { return left[v] == 1 && !o->values[v].stays; }

static int64_t taken(const Order *o, const int *left, const OrderItem *x) {
  int64_t bytes = 0;
  for (int k = 0; k < arrlen(x->takes); k++) {
    OrderTake t = x->takes[k];
    bool again = !dies(o, left, t.from);
    for (int j = 0; j < k && !again; j++)
      again = dies(o, left, x->takes[j].from) && (x->takes[j].from == t.from || x->takes[j].out == t.out);
    if (!again) bytes += o->values[t.from].bytes;
  }
  return bytes;
}

/* Bytes alive while item i runs, and by how many fewer (or more) are alive behind it. */
static int64_t during(const Order *o, const int *left, int64_t alive, int i) {
  const OrderItem *x = &o->items[i];
  int64_t bytes = alive + x->inner - taken(o, left, x);
  for (int k = 0; k < arrlen(x->writes); k++) bytes += o->values[x->writes[k]].bytes;
  return bytes;
}
static int64_t change(const Order *o, const int *left, int i) {
  const OrderItem *x = &o->items[i];
  int64_t bytes = 0;
  for (int k = 0; k < arrlen(x->writes); k++) {
    const OrderValue *v = &o->values[x->writes[k]];
    if (left[x->writes[k]] || v->stays) bytes += v->bytes;
  }
  for (int k = 0; k < arrlen(x->reads); k++)
    if (dies(o, left, x->reads[k])) bytes -= o->values[x->reads[k]].bytes;
  return bytes;
}

static void run_item(Run *r, int i) {
  const OrderItem *x = &r->o->items[i];
  int64_t most = during(r->o, r->left, r->alive, i);
  if (most > r->peak) r->peak = most;
  r->alive += change(r->o, r->left, i);
  for (int k = 0; k < arrlen(x->reads); k++) r->left[x->reads[k]]--;
  for (int k = 0; k < arrlen(r->next[i]); k++) r->waits[r->next[i][k]]--;
}

static int64_t peak_of(Run *r, const int *seq) {
  run_begin(r);
  for (int i = 0; i < r->n; i++) run_item(r, seq[i]);
  return r->peak;
}
int64_t order_peak(const Order *o, const int *seq) {
  Run r = run_new(o);
  int64_t peak = peak_of(&r, seq);
  run_free(&r);
  return peak;
}

/* ---- list scheduling ---- */

/* What is done next of all that can be. EAGER: by place, but first what leaves no more alive; READY: the same, with
 * what leaves next to nothing, on which much may wait; LEAST: what leaves the least alive. */
typedef enum Rule { EAGER, READY, LEAST, RULES } Rule;
enum { NOTHING = 1000 }; /* of the largest value: what is next to nothing */
static int64_t slack_of(const Order *o, Rule rule) {
  int64_t most = 0;
  for (int v = 0; v < arrlen(o->values); v++)
    if (o->values[v].bytes > most) most = o->values[v].bytes;
  return rule == READY ? most / NOTHING : 0;
}
/* The least comes first. */
static int64_t key_of(Rule rule, int64_t slack, int64_t more) {
  return more <= slack ? more - slack - 1 : rule == LEAST ? more : 0;
}

static void ready_add(int **list, int i) {
  int at = (int)arrlen(*list);
  while (at > 0 && (*list)[at - 1] > i) at--;
  arrins(*list, at, i);
}

static void schedule_forwards(Run *r, Rule rule, int *seq) {
  int *ready = NULL;
  int64_t slack = slack_of(r->o, rule);
  run_begin(r);
  for (int i = 0; i < r->n; i++)
    if (!r->waits[i]) arrput(ready, i);
  for (int placed = 0; placed < r->n; placed++) {
    int best = -1;
    int64_t best_key = 0;
    for (int k = 0; k < arrlen(ready); k++) {
      int64_t key = key_of(rule, slack, change(r->o, r->left, ready[k]));
      if (best < 0 || key < best_key) best = k, best_key = key;
    }
    if (best < 0) INTERNAL("schedule: groups wait for each other in a circle");
    int i = seq[placed] = ready[best];
    arrdel(ready, best);
    run_item(r, i);
    for (int k = 0; k < arrlen(r->next[i]); k++)
      if (!r->waits[r->next[i][k]]) ready_add(&ready, r->next[i][k]);
  }
  arrfree(ready);
}

/* From the end: an item needs its operands from here on, and its results no more. */
static void schedule_backwards(Run *r, Rule rule, int *seq) {
  const Order *o = r->o;
  int nv = (int)arrlen(o->values), *ready = NULL, *waits = zeroed((size_t)r->n, sizeof(int));
  int64_t slack = slack_of(o, rule);
  bool *needed = zeroed((size_t)nv, sizeof(bool));
  for (int v = 0; v < nv; v++) needed[v] = o->values[v].stays;
  for (int i = 0; i < r->n; i++) {
    waits[i] = (int)arrlen(r->next[i]);
    if (!waits[i]) arrput(ready, i);
  }
  for (int placed = r->n; placed-- > 0;) {
    int best = -1;
    int64_t best_key = 0;
    for (int k = (int)arrlen(ready); k-- > 0;) {
      const OrderItem *x = &o->items[ready[k]];
      int64_t more = 0;
      for (int j = 0; j < arrlen(x->reads); j++)
        if (!needed[x->reads[j]]) more += o->values[x->reads[j]].bytes;
      for (int j = 0; j < arrlen(x->writes); j++)
        if (needed[x->writes[j]]) more -= o->values[x->writes[j]].bytes;
      int64_t key = key_of(rule, slack, more);
      if (best < 0 || key < best_key) best = k, best_key = key;
    }
    if (best < 0) INTERNAL("schedule: groups wait for each other in a circle");
    int i = seq[placed] = ready[best];
    const OrderItem *x = &o->items[i];
    arrdel(ready, best);
    for (int j = 0; j < arrlen(x->writes); j++) needed[x->writes[j]] = false;
    for (int j = 0; j < arrlen(x->reads); j++) needed[x->reads[j]] = true;
    for (int k = 0; k < arrlen(x->after); k++)
      if (!--waits[x->after[k]]) ready_add(&ready, x->after[k]);
  }
  arrfree(ready);
  free(waits), free(needed);
}

/* ---- moving items across the peak ---- */

enum { MOST_TRIES = 400, MOST_WORK = 4000000 };

/* The place in `seq` of the item during which most is alive. */
static int place_of_peak(Run *r, const int *seq) {
  int at = 0;
  int64_t most = -1;
  run_begin(r);
  for (int i = 0; i < r->n; i++) {
    int64_t bytes = during(r->o, r->left, r->alive, seq[i]);
    if (bytes > most) most = bytes, at = i;
    run_item(r, seq[i]);
  }
  return at;
}
static bool waits_for(const Order *o, int item, int other) {
  const OrderItem *x = &o->items[item];
  for (int k = 0; k < arrlen(x->after); k++)
    if (x->after[k] == other) return true;
  return false;
}
/* The item at `from` comes to `to`, with all between that it waits for, or that waits for it. */
static void move(const Order *o, const int *seq, int n, int from, int to, int *out) {
  int step = from < to ? 1 : -1, *held = NULL, at = 0, *rest = zeroed((size_t)n, sizeof(int)), n_rest = 0;
  arrput(held, seq[from]);
  for (int i = from + step; i != to + step; i += step) {
    bool with = false;
    for (int k = 0; k < arrlen(held) && !with; k++)
      with = step > 0 ? waits_for(o, seq[i], held[k]) : waits_for(o, held[k], seq[i]);
    if (with) arrput(held, seq[i]);
    else rest[n_rest++] = seq[i];
  }
  int low = from < to ? from : to, high = from < to ? to : from;
  for (int i = 0; i < low; i++) out[at++] = seq[i];
  if (step > 0) {
    for (int i = 0; i < n_rest; i++) out[at++] = rest[i];
    for (int k = 0; k < arrlen(held); k++) out[at++] = held[k];
  } else {
    for (int k = (int)arrlen(held); k-- > 0;) out[at++] = held[k];
    for (int i = n_rest; i-- > 0;) out[at++] = rest[i];
  }
  for (int i = high + 1; i < n; i++) out[at++] = seq[i];
  arrfree(held);
  free(rest);
}

/* Moves single items from before the peak behind it and the other way round, as long as that makes it lower. */
static int64_t improve(Run *r, int *seq, int64_t peak) {
  int *other = zeroed((size_t)r->n, sizeof(int)), tries = MOST_WORK / (r->n * 8 + 1);
  if (tries > MOST_TRIES) tries = MOST_TRIES;
  for (bool better = true; better && tries > 0;) {
    better = false;
    int at = place_of_peak(r, seq);
    for (int away = 1; away < r->n && !better && tries > 0; away++)
      for (int side = -1; side <= 1 && !better; side += 2) {
        int from = at + side * away;
        if (from < 0 || from >= r->n) continue;
        move(r->o, seq, r->n, from, at, other);
        int64_t bytes = peak_of(r, other);
        tries--;
        better = bytes < peak;
        if (better) memcpy(seq, other, sizeof(int) * (size_t)r->n), peak = bytes;
      }
  }
  free(other);
  return peak;
}

int64_t order_quick(const Order *o, int *seq) {
  Run r = run_new(o);
  int *other = zeroed((size_t)r.n, sizeof(int));
  int64_t peak = INT64_MAX;
  for (int way = 0; way < 2 * RULES; way++) {
    if (way < RULES) schedule_forwards(&r, (Rule)way, other);
    else schedule_backwards(&r, (Rule)(way - RULES), other);
    int64_t bytes = peak_of(&r, other);
    if (bytes < peak) memcpy(seq, other, sizeof(int) * (size_t)r.n), peak = bytes;
  }
  peak = improve(&r, seq, peak);
  run_free(&r);
  free(other);
  return peak;
}

/* ---- exact search ---- */

typedef struct Set { /* items that have run */
  uint64_t done;
  int64_t alive, peak; /* now; the lowest peak on a way to here */
  int last, from;      /* the item that ran last, the set before it */
} Set;
typedef struct Search {
  const Order *o;
  int n, *left;
  Set *sets; /* stb_ds */
  struct {
    uint64_t key;
    int value;
  } * known;
  int *heap; /* stb_ds: open sets, lowest peak first, then those with more done */
} Search;

static bool before(const Search *s, int a, int b) {
  const Set *x = &s->sets[a], *y = &s->sets[b];
  if (x->peak != y->peak) return x->peak < y->peak;
  int more = __builtin_popcountll(x->done) - __builtin_popcountll(y->done);
  return more ? more > 0 : a < b;
}
static void push(Search *s, int set) {
  arrput(s->heap, set);
  for (int i = (int)arrlen(s->heap) - 1; i > 0 && before(s, s->heap[i], s->heap[(i - 1) / 2]); i = (i - 1) / 2) {
    int t = s->heap[i];
    s->heap[i] = s->heap[(i - 1) / 2], s->heap[(i - 1) / 2] = t;
  }
}
static int pop(Search *s) {
  int top = s->heap[0], n = (int)arrlen(s->heap) - 1;
  s->heap[0] = s->heap[n];
  arrsetlen(s->heap, n);
  for (int i = 0, k = 1; k < n; i = k, k = 2 * i + 1) {
    if (k + 1 < n && before(s, s->heap[k + 1], s->heap[k])) k++;
    if (!before(s, s->heap[k], s->heap[i])) break;
    int t = s->heap[i];
    s->heap[i] = s->heap[k], s->heap[k] = t;
  }
  return top;
}

static void take_set(Search *s, uint64_t done) { /* `left` for this set */
  memset(s->left, 0, sizeof(int) * (size_t)arrlen(s->o->values));
  for (int i = 0; i < s->n; i++)
    if (!(done >> i & 1))
      for (int k = 0; k < arrlen(s->o->items[i].reads); k++) s->left[s->o->items[i].reads[k]]++;
}
static bool is_ready(const Search *s, uint64_t done, int i) {
  const OrderItem *x = &s->o->items[i];
  bool ready = !(done >> i & 1);
  for (int k = 0; k < arrlen(x->after) && ready; k++) ready = done >> x->after[k] & 1;
  return ready;
}
static void reach(Search *s, int from, int item, int64_t below) {
  Set x = s->sets[from];
  int64_t most = during(s->o, s->left, x.alive, item);
  Set to = {x.done | UINT64_C(1) << item, x.alive + change(s->o, s->left, item), most > x.peak ? most : x.peak, item,
            from};
  if (to.peak >= below) return;
  ptrdiff_t at = hmgeti(s->known, to.done);
  if (at < 0) {
    hmput(s->known, to.done, (int)arrlen(s->sets));
    arrput(s->sets, to);
    push(s, (int)arrlen(s->sets) - 1);
    return;
  }
  if (s->sets[s->known[at].value].peak <= to.peak) return;
  s->known[at].value = (int)arrlen(s->sets); /* the other one is passed over when its turn comes */
  arrput(s->sets, to);
  push(s, (int)arrlen(s->sets) - 1);
}
/* One that leaves no more alive, at no higher peak, is right in any order that goes on from here. */
static int free_item(const Search *s, const Set *x) {
  for (int i = 0; i < s->n; i++)
    if (is_ready(s, x->done, i) && change(s->o, s->left, i) <= 0 && during(s->o, s->left, x->alive, i) <= x->peak)
      return i;
  return -1;
}

int64_t order_exact(const Order *o, int64_t below, int states, int *seq) {
  int n = (int)arrlen(o->items), goal = -1;
  if (n > 64) return ORDER_UNKNOWN;
  Search s = {.o = o, .n = n, .left = zeroed((size_t)arrlen(o->values), sizeof(int))};
  uint64_t all = n == 64 ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1;
  Set begin = {.last = -1, .from = -1};
  arrput(s.sets, begin);
  push(&s, 0);
  while (arrlen(s.heap) && goal < 0 && arrlen(s.sets) <= states) {
    int at = pop(&s);
    uint64_t done = s.sets[at].done;
    ptrdiff_t known = hmgeti(s.known, done);
    if (known >= 0 && s.known[known].value != at) continue;
    if (done == all) goal = at;
    take_set(&s, done);
    int only = free_item(&s, &s.sets[at]);
    for (int i = 0; i < n; i++)
      if (only >= 0 ? i == only : is_ready(&s, done, i)) reach(&s, at, i, below);
  }
  int64_t peak = goal >= 0 ? s.sets[goal].peak : arrlen(s.heap) ? ORDER_UNKNOWN : ORDER_NONE;
  for (int at = goal, i = n; at > 0; at = s.sets[at].from) seq[--i] = s.sets[at].last;
  arrfree(s.sets), arrfree(s.heap), hmfree(s.known);
  free(s.left);
  return peak;
}

/* What the neediest item needs by itself: no order has a lower peak. */
static int64_t least_peak(const Order *o) {
  int64_t least = 0;
  int *left = zeroed((size_t)arrlen(o->values), sizeof(int));
  for (int v = 0; v < arrlen(o->values); v++) left[v] = 1;
  for (int i = 0; i < arrlen(o->items); i++) {
    int64_t bytes = during(o, left, 0, i);
    for (int k = 0; k < arrlen(o->items[i].reads); k++) bytes += o->values[o->items[i].reads[k]].bytes;
    if (bytes > least) least = bytes;
  }
  free(left);
  return least;
}

int64_t order_find(const Order *o, int *seq, bool *proven) {
  enum { STATES = 4000 };
  int n = (int)arrlen(o->items), *given = zeroed((size_t)n, sizeof(int)), *other = zeroed((size_t)n, sizeof(int));
  for (int i = 0; i < n; i++) given[i] = i;
  int64_t as_given = order_peak(o, given), peak = order_quick(o, seq), exact = ORDER_UNKNOWN;
  if (as_given <= peak) memcpy(seq, given, sizeof(int) * (size_t)n), peak = as_given;
  bool least = peak <= least_peak(o);
  if (!least) exact = order_exact(o, peak, STATES, other);
  if (exact >= 0) memcpy(seq, other, sizeof(int) * (size_t)n), peak = exact;
  *proven = least || exact != ORDER_UNKNOWN;
  free(given), free(other);
  return peak;
}
