/* How a product is tiled: ways of the operands, register tile, depth and block, from sizes, places, target and tuning
 * record alone. */
#include "base/ds.h"
#include "codegen/tile.h"
#include <stdlib.h>

static int64_t up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t gcd64(int64_t a, int64_t b) { return b ? gcd64(b, a % b) : a; }

typedef struct Sizes { /* at their bounds; O: elements of the outer axes of K */
  int64_t B, M, N, O, K;
} Sizes;
/* How an operand or the result lies: the distances of neighbours along its side and along K (the result's columns). */
typedef struct Lie {
  bool in_array, side_known, along_known;
  bool kept;  /* it does not change from call to call, or while a loop runs */
  bool stays; /* the latter */
  int64_t side, along;
} Lie;
typedef struct Lies {
  Lie a, b, c;
} Lies;

static Lie lie_of(const Lower *l, bool in_array, const Place *q) {
  Lie lie = {.in_array = in_array};
  if (!in_array) return lie;
  lie.side_known = x_is_int(q->side, &lie.side);
  lie.along_known = x_is_int(q->along, &lie.along);
  lie.stays = q->arr->kind == ARR_BUF && lower_stays(l, q->arr->buf);
  lie.kept = lie.stays || (q->arr->kind == ARR_BUF && lower_keeps(l, q->arr->buf));
  return lie;
}
/* Is B, which lies in no array, computed from what stays the same from call to call? */
static bool computed_once(Lower *l, const Tiled *s, Part part) {
  Idx n = {0}, k = {0};
  for (int i = 0; i < s->p->n.n; i++) n.i[i] = x_int(l->b, 0);
  for (int i = 0; i < s->p->k.n; i++) k.i[i] = x_int(l->b, 0);
  return lower_keeps_value(l, s->p->bv(l, s->p, part.b, &n, &k));
}
static Lies look(Lower *l, const Tiled *s) {
  lower_begin(l);
  Idx b = {0};
  Part part = {&b, x_int(l->b, 0)};
  Place q;
  Lies lies;
  for (int i = 0; i < s->p->b.n; i++) b.i[i] = x_int(l->b, 0);
  lies.a = lie_of(l, place_of(l, s, true, part, &q), &q);
  lies.c = lie_of(l, place_of_result(l, s, &b, &q), &q);
  lies.b = lie_of(l, place_of(l, s, false, part, &q), &q);
  if (!lies.b.in_array) lies.b.kept = computed_once(l, s, part);
  return lies;
}

enum { L2_WAYS = 8 };
enum { WIDE = 64 }; /* bytes of a vector: processors with such have second caches to match */

/* How much of K is taken at a time, where a row of a panel of B has so many bytes: the panel stays in a part of the
 * second cache, from which register tiles of wide vectors read it in time; else it is kept small for the first. */
static int64_t most_deep(const Target *t, int64_t row) {
  if (t->vector_bytes < WIDE) return t->l2 < 512 * 1024 ? 256 : 512;
  return min64(t->l2 / 4 / row, 1024);
}
/* A stride that maps the rows of a panel to few places of the first cache. */
static bool crowded(int64_t stride, int64_t bytes) { return stride * bytes % 4096 == 0; }
/* For how many rows that are so many bytes apart the second cache has places, one line of each. */
static int64_t rows_held(const Target *t, int64_t stride) { return t->l2 / gcd64(llabs(stride), t->l2 / L2_WAYS); }
/* So many rows of B, so many bytes apart, can be read where they lie: from a large second cache that has places for all
 * of them, which register tiles of wide vectors ask for so little that it keeps up, or from the first. */
static bool reached(const Target *t, int64_t stride, int64_t rows) {
  if (t->vector_bytes >= WIDE) return stride % 8192 != 0 && rows <= rows_held(t, stride);
  return stride % 4096 != 0 && stride < 4096;
}

/* Can B be packed as a whole? */
static bool whole_b(Lower *l, const Tiled *s, const Tile *t, const Sizes *z) {
  bool fixed = dim_lower(l->dims, s->K) == z->K && dim_lower(l->dims, s->N) == z->N;
  return fixed && (!t->narrow || t->straight) && s->p->outer == 0;
}
static bool cached(const Lower *l, const Product *p, const Sizes *z) { /* B stays in the second cache */
  return z->N * z->K * dtype_size(p->dtype) <= l->target->l2;
}
/* Many blocks of rows would pack the same panels, and B does not stay in the second cache. */
static bool packed_once(const Lower *l, const Product *p, const Sizes *z) { return z->M >= 512 && !cached(l, p, z); }
/* Where operands and result lie decides how they are reached. */
static void choose_ways(Lower *l, const Tiled *s, Tile *t, const Sizes *z, const Lies *at) {
  const Lie *a = &at->a, *b = &at->b;
  int64_t size = dtype_size(s->p->dtype), K = z->K;
  int64_t column_panels = (z->N + t->nr - 1) / t->nr, row_panels = (z->M + t->mr - 1) / t->mr;
  bool fixed_k = dim_lower(l->dims, s->K) == K;
  bool wide = l->target->vector_bytes >= WIDE; /* kc is chosen so that the lines of A stay in the second cache */
  t->a = t->b = WAY_COPY;
  t->straight = s->p->n.n <= 1 || (b->side_known && b->side == 1);
  if (a->side_known && a->along_known) {
    bool good = a->along == 1 ? t->mr <= 8 || (!crowded(a->side, size) && (column_panels < 12 || t->mr < 14))
                              : wide || (!crowded(a->along, size) && a->along * size < 8192);
    if (column_panels <= 3 || good) t->a = WAY_DIRECT;
    else if (a->along == 1 && t->lanes > 1) t->a = WAY_TURN;
  }
  bool whole = whole_b(l, s, t, z);
  if (!b->in_array) t->kept = b->kept && whole && t->straight;
  if (b->side_known) {
    bool good = row_panels <= 3 || (b->along_known && reached(l->target, b->along * size, t->kc));
    if (b->stays && z->M >= 8 && b->along_known && b->along * size >= 512) good = false; /* packed once for the loop */
    if (b->side == 1 && b->along_known && good && !t->narrow) t->b = WAY_DIRECT;
    else if (b->along_known && b->along == 1 && b->side > 1 && t->lanes > 1 && !t->narrow && fixed_k &&
             t->kc >= t->lanes && (K % t->kc == 0 || K % t->kc >= t->lanes))
      t->b = WAY_TURN;
    t->kept = (b->kept || packed_once(l, s->p, z)) && t->b != WAY_DIRECT && whole && (t->straight || t->b == WAY_TURN);
  }
}

/* ---- K outside of the panels ---- */
static bool may_go_deep(const Tiled *s, const Tile *t) {
  return !s->p->outer && !t->narrow && !t->by_rows && !t->parted;
}
/* B comes from memory and the first cache holds all sums: rows of B should come one behind the other, as wholes. */
static bool rows_stream(const Lower *l, const Tiled *s, const Tile *t, const Sizes *z) {
  int64_t size = dtype_size(s->p->dtype), columns = up(z->N, t->nr);
  return may_go_deep(s, t) && t->mr > 1 && t->b == WAY_DIRECT && columns >= 2 * t->nr &&
         up(z->M, t->mr) * columns * size <= l->target->l1 / 2 && z->K * columns * size > 4 * l->target->l2;
}
/* With panels outside, each of them goes through all of A that a block has, which the second cache should hold; with K
 * outside, A comes from there, and the sums of all panels come and go with each part of K. */
static bool goes_deep(const Lower *l, const Tiled *s, const Tile *t, const Sizes *z, const Lie *a) {
  int64_t size = dtype_size(s->p->dtype), piece = (z->K + t->splits - 1) / t->splits;
  int64_t rows = min64(t->mc, z->M), used = (rows * t->kc + (2 * t->kc + rows) * t->nr) * size;
  if (!may_go_deep(s, t) || t->nc < 2 * t->nr || piece <= t->kc) return false;
  if (rows_stream(l, s, t, z)) return true;
  if (t->a == WAY_DIRECT && a->along != 1) return false; /* a line of each row of K serves many panels */
  return rows * piece * size > l->target->l2 && used <= l->target->l2 && rows * t->nc * size <= l->target->l3 / 8;
}
/* How much of K is then taken at a time: that part of A for the rows of a block, two panels of B and the sums of one
 * leave some of the second cache. Returns 0 where it is too little, or rows of A meet in few places of the cache. */
static int64_t deep_part(const Lower *l, const Tiled *s, const Tile *t, const Sizes *z, const Lie *a) {
  enum { ROWS = 256, LEAST = 192 };
  int64_t size = dtype_size(s->p->dtype), l2 = l->target->l2, rows = min64(z->M, l2 < 512 * 1024 ? ROWS / 2 : ROWS);
  int64_t most = min64((l2 / 4 * 3 / size - rows * t->nr) / (rows + 2 * t->nr), t->kc);
  if (!may_go_deep(s, t) || z->N < 2 * t->nr) return 0;
  if (rows_stream(l, s, t, z)) return min64(ROWS, t->kc);
  if (most < LEAST || rows * z->K * size <= l2) return 0;
  if (t->a == WAY_DIRECT) {
    int64_t places = gcd64(llabs(a->side) * size, l2 / L2_WAYS);
    if (places >= most * size ? rows * places > l2 : places * 4 > l2 / L2_WAYS) return 0;
  }
  int64_t parts = (z->K + most - 1) / most, part = (z->K + parts - 1) / parts;
  bool turns = t->b != WAY_TURN || z->K % part == 0 || z->K % part >= t->lanes;
  return parts > 1 && turns ? part : 0;
}

/* ---- K outside of the blocks ---- */
/* A weight gradient with many summands: both operands come row of K after row, and the second cache does not hold them.
 * Blocks one after the other would each bring all of their rows and columns anew; in rounds a thread goes through its
 * blocks with one part of K after the other, which is read once, and the second cache holds the sums of all blocks. */
static bool pays_in_rounds(const Lower *l, const Tiled *s, const Sizes *z, const Lies *at) {
  enum { LEAST_BLOCKS = 8, ROWS = 24, COLUMNS = 64 };
  int64_t size = dtype_size(s->p->dtype), l2 = l->target->l2, sums = up(z->M, ROWS) * up(z->N, COLUMNS) * size;
  bool by_rows = at->a.in_array && at->a.side_known && at->a.along_known && at->a.side == 1 && at->a.along > 1;
  if (!by_rows || s->p->outer || z->B != 1 || (z->M + z->N) * z->K * size <= l2) return false;
  if (up(z->M, ROWS) / ROWS * (up(z->N, COLUMNS) / COLUMNS) < LEAST_BLOCKS) return false; /* pieces of K instead */
  return sums <= l2 / 2 && sums <= l->room;
}
/* How much of K a round takes: what it reads is half of the second cache. */
static int64_t round_part(const Lower *l, const Tiled *s, const Sizes *z) {
  enum { LEAST = 128, MOST = 256 };
  int64_t most = l->target->l2 / 2 / ((z->M + z->N) * dtype_size(s->p->dtype));
  most = most < LEAST ? LEAST : min64(most, MOST);
  int64_t parts = (z->K + most - 1) / most;
  return (z->K + parts - 1) / parts;
}
static bool goes_in_rounds(const Tile *t, const Sizes *z) {
  return t->kc < z->K && t->b != WAY_TURN && !t->narrow && !t->short_;
}

enum { LEAST_HELD = 256, SHORT = 512 };
enum { TURNED_PIECE = 4096 }; /* squares of the pieces' sums and the sum of them are then little */
enum { EVEN = 48, LONG_PACKING = 256 * 1024 };
/* How many rows the blocks have when they are even. A short last block leaves a thread without work, as does one block
 * more than half of the threads' share: a few more or less are better then. */
static int64_t even_rows(int64_t M, int64_t blocks, int64_t others, int64_t unit) {
  int64_t units = (M + unit - 1) / unit, most = blocks / 3, best = 0;
  double least = 0;
  for (int64_t d = 0; d <= 2 * most; d++) { /* 0, 1, -1, 2, -2 .. */
    int64_t n = blocks + (d % 2 ? (d + 1) / 2 : -d / 2), each = (units + n - 1) / n;
    double share = (double)((n * others + 1) / 2 * each); /* of one of two threads */
    if (d > 0 && share > 0.99 * least) continue;
    best = each * unit;
    least = share;
  }
  return best;
}
/* The blocks that are spread over the threads: large enough for the caches, and enough of them. `least`: of columns. */
static void choose_blocks(Lower *l, const Tiled *s, Tile *t, const Sizes *z, int64_t unit, int64_t least) {
  int outer = s->p->outer;
  if (t->parted) { /* what is left of the rows belongs to the last part */
    bool even = dim_is(l->dims, dim_mod(l->dims, s->M, dim_int(l->dims, l->group->rows)), 0);
    t->mc = even ? l->group->rows : 2 * l->group->rows;
    t->nc = up(z->N, t->nr);
    t->splits = 1;
    return;
  }
  if (t->by_rows) {
    t->mc = up((z->M + 7) / 8, unit);
    int64_t row_blocks = (z->M + t->mc - 1) / t->mc, column_blocks = (16 + row_blocks - 1) / row_blocks;
    t->nc = up((z->N + column_blocks - 1) / column_blocks, t->nr);
    t->splits = 1;
    return;
  }
  /* What packing B costs is shared by the rows of a block, but those of A stay in the second cache. */
  int64_t size = dtype_size(s->p->dtype), deep = t->kc * size, l2 = l->target->l2;
  bool near = cached(l, s->p, z) && !t->whole; /* more rows save nothing then, and their sums leave the first cache */
  int64_t direct = near ? min64(l->target->l1 / (t->nr * size), 256) : 256;
  int64_t rows = t->b == WAY_DIRECT ? direct : (t->b == WAY_TURN && !t->kept ? l2 / 4 * 3 : l2 / 2) / deep + 1;
  if (least > t->nr) rows = l2 / 2 / deep + 1;
  rows = rows < 128 ? 128 : min64(rows, 1024);
  t->mc = min64(up(z->M, unit), up(rows, unit));
  t->nc = min64(up(z->N, t->nr), up(8 * 64, t->nr));
  t->splits = 1;
  for (;;) {
    int64_t row_blocks = (z->M + t->mc - 1) / t->mc, column_blocks = (z->N + t->nc - 1) / t->nc;
    int64_t items = z->B * row_blocks * column_blocks * t->splits;
    if (items >= 16 || l->group->solo) break;
    bool halves = !t->rounds && (!outer || z->O >= 2 * t->splits); /* pieces of K */
    int64_t piece = z->O * z->K / (2 * t->splits);
    if (s->p->turned && items >= 8 && piece < TURNED_PIECE) break;
    if (s->p->wanted.n || (s->p->turned && piece < TURNED_PIECE)) halves = false;
    if (piece >= 2048 && halves) t->splits *= 2;
    else if (t->nc >= 2 * least) t->nc = up(t->nc / 2, t->nr);
    else if (least > t->nr && items < 8 && t->nc > least) t->nc = least;
    else if (least > t->nr && items >= 8) break;
    else if (t->mc >= 16 * unit) t->mc = up(t->mc / 2, unit);
    else if (items < 8 && piece >= 512 && halves) t->splits *= 2; /* the pieces must be added up */
    else if (items >= 8 && t->b == WAY_DIRECT && t->kc * t->nr * size > l->target->l1) break; /* few rows share it */
    else if (t->mc >= 4 * unit && (double)z->M * (double)z->N * (double)z->K > 1e6 &&
             (t->b == WAY_DIRECT || t->straight))
      t->mc = up(t->mc / 2, unit);
    else break;
  }
  /* One block of rows gains nothing by wide blocks of columns: many items are shared evenly. */
  while (least == t->nr && z->M <= t->mc && t->nc >= 2 * t->nr &&
         z->B * ((z->N + t->nc - 1) / t->nc) * t->splits < EVEN)
    t->nc = up(t->nc / 2, t->nr);
  int64_t row_blocks = (z->M + t->mc - 1) / t->mc, column_blocks = (z->N + t->nc - 1) / t->nc;
  int64_t others = z->B * column_blocks * t->splits, half = up(t->nc / 2, t->nr);
  bool fixed = dim_lower(l->dims, s->M) == z->M && dim_lower(l->dims, s->N) == z->N;
  if (row_blocks == 1 && fixed && others % 2 && others < 4 * EVEN && t->nc >= 2 * t->nr && t->straight &&
      (z->N + half - 1) / half % 2 == 0)
    t->nc = half;
  if (least > t->nr) t->nc = up((z->N + column_blocks - 1) / column_blocks, t->nr);
  bool shared = fixed && (z->M > z->N || others % 2); /* else each thread has columns of its own */
  t->mc = shared ? even_rows(z->M, row_blocks, others, unit) : up((z->M + row_blocks - 1) / row_blocks, unit);
}

/* Pieces of K are whole parts: parts as long as all of K would leave one piece with everything, long ones uneven. */
static void even_parts(const Tiled *s, Tile *t, const Sizes *z) {
  int64_t piece = (z->K + t->splits - 1) / t->splits, parts = (piece + t->kc - 1) / t->kc;
  int64_t kc = (piece + parts - 1) / parts;
  bool turns = t->b != WAY_TURN || z->K % kc == 0 || z->K % kc >= t->lanes;
  if (t->splits > 1 && !s->p->outer && turns && kc > 0) t->kc = kc;
}

static void print_lie(Buf *b, const char *name, const Lie *x) {
  buf_printf(b, " %s ", name);
  if (!x->in_array) buf_char(b, '-');
  else if (x->side_known) buf_printf(b, "%lld,", (long long)x->side);
  else buf_str(b, "*,");
  if (x->in_array && x->along_known) buf_printf(b, "%lld", (long long)x->along);
  else if (x->in_array) buf_char(b, '*');
}
/* In the tuning record (tune.c): what decides the choice. */
static const char *product_key(Lower *l, const Product *p, const Sizes *z, const Lies *at) {
  Buf b = {0};
  buf_printf(&b, "%s %s %lld %lldx%lld", p->name, dtype_name(p->dtype), (long long)z->B, (long long)z->M,
             (long long)z->N);
  if (p->outer) buf_printf(&b, "x%lld", (long long)z->O);
  buf_printf(&b, "x%lld", (long long)z->K);
  print_lie(&b, "a", &at->a);
  print_lie(&b, "b", &at->b);
  if (at->b.stays) buf_str(&b, " loop");
  const char *key = arena_strdup(l->arena, b.s);
  buf_free(&b);
  return key;
}

/* The cost model chooses what the tuning record does not give: register tile, depth and block. The rest follows. */
bool choose_tile(Lower *l, Tiled *s) {
  const Product *p = s->p;
  Tile *t = &s->t;
  const Sizes z = {dim_most(l, s->B), dim_most(l, s->M), dim_most(l, s->N), dim_most(l, s->outer), dim_most(l, s->K)};
  t->lanes = target_lanes(l->target, p->dtype);
  if ((double)z.M * (double)z.N * (double)(z.K * z.O) < 4096 || z.N < t->lanes / 2) return false;
  const Lies lies = look(l, s);
  const int64_t rows = p->m.n == 1 && s->M == p->m.size[0] ? l->group->rows : 0;
  const char *key = l->tuning ? product_key(l, p, &z, &lies) : NULL;
  const Choice *given = key && !rows ? tuning_find(l->tuning, key) : NULL;
  bool rounds = pays_in_rounds(l, s, &z, &lies);
  bool far = !rounds && lies.b.side_known && lies.b.side == 1 && !cached(l, p, &z);
  const Loads how = {.far = far,
                     .streams = (double)z.N * (double)z.K * dtype_size(p->dtype) > (double)l->target->l3,
                     .gathers = !lies.b.in_array && p->n.n > 1,
                     .apart = rounds && lies.b.side_known && lies.b.side == 1};
  if (given) t->mr = given->mr, t->nr = given->nr;
  else if (choose_register_tile(t, rows ? rows : z.M, z.N, how, l->target) == 0) return false;
  int64_t deep = z.K > 0 ? z.K : 1, most = most_deep(l->target, t->nr * dtype_size(p->dtype));
  /* lines of rows of K stay in the second cache; rather fewer rows of B at a time than packing them for each block */
  int64_t held_a = rows_held(l->target, lies.a.along_known ? lies.a.along * dtype_size(p->dtype) : 1);
  int64_t held_b = rows_held(l->target, lies.b.along_known ? lies.b.along * dtype_size(p->dtype) : 1);
  if (lies.a.side_known && lies.a.side == 1) most = min64(most, up(held_a, 64));
  if (lies.b.side_known && lies.b.side == 1 && held_b >= LEAST_HELD && !packed_once(l, p, &z))
    most = min64(most, held_b);
  /* nothing asks for the first panel, which comes from far away: a short one, where sums cost little to keep */
  if (far && up(z.M, t->mr) * t->nr * dtype_size(p->dtype) <= l->target->l1 / 4 * 3) most = min64(most, SHORT);
  int64_t pieces = (deep + most - 1) / most;
  const int64_t usual = given ? min64(given->kc, deep) : (deep + pieces - 1) / pieces;
  t->kc = given || !rounds ? usual : round_part(l, s, &z);
  t->width = t->lanes / gcd64(t->lanes, t->mr) * t->mr;
  t->short_ = dim_lower(l->dims, s->M) < t->mr;
  t->narrow = dim_lower(l->dims, s->N) < t->nr;
  choose_ways(l, s, t, &z, &lies);
  if (rounds && !goes_in_rounds(t, &z)) {
    rounds = false;
    t->kc = usual;
    choose_ways(l, s, t, &z, &lies);
  }
  if (t->a != WAY_DIRECT) t->short_ = false;
  t->by_rows = t->kept && lies.b.stays && z.B == 1 && z.M >= 2 * t->mr;
  t->parted = rows && z.B == 1 && !p->turned && p->outer == 0 && t->a == WAY_DIRECT && rows % t->mr == 0;
  t->rounds = rounds && !t->by_rows && !t->parted;
  if (!given && z.M < 4 && t->b != WAY_DIRECT && (t->straight || z.K * z.O <= 49)) return false;
  t->whole = lies.c.along_known && lies.c.along == 1;
  int64_t unit = t->a == WAY_DIRECT ? t->mr : t->width;
  if (given) {
    t->mc = min64(up(z.M, unit), up(given->mc, unit));
    t->nc = min64(up(z.N, t->nr), given->nc);
    t->splits = given->splits;
    t->rounds &= t->splits == 1;
    t->deep = !t->rounds && goes_deep(l, s, t, &z, &lies.a);
  } else if (t->rounds) choose_blocks(l, s, t, &z, unit, t->nr);
  else {
    int64_t panels = t->kc, part = deep_part(l, s, t, &z, &lies.a);
    int64_t least = rows_stream(l, s, t, &z) ? up(z.N, t->nr) : 2 * t->nr;
    if (part) t->kc = part, choose_blocks(l, s, t, &z, unit, least);
    t->deep = part && goes_deep(l, s, t, &z, &lies.a);
    if (!t->deep) t->kc = panels, choose_blocks(l, s, t, &z, unit, t->nr);
    even_parts(s, t, &z);
  }
  /* every block of rows would turn the same panels, or pad the same columns, which takes longer than a meeting */
  bool padded = t->narrow && lies.b.in_array && t->b == WAY_COPY && (double)z.M / t->mc * z.K * t->nr >= LONG_PACKING;
  if ((t->b == WAY_TURN || padded) && z.M > t->mc && !l->group->solo)
    t->kept |= whole_b(l, s, t, &z) && cached(l, p, &z) && z.B * up(z.N, t->nr) * z.K * dtype_size(p->dtype) <= l->room;
  bool exact =
      z.M % t->mr == 0 && z.N % t->nr == 0 && dim_lower(l->dims, s->M) == z.M && dim_lower(l->dims, s->N) == z.N;
  t->whole &= p->outer == 0 && t->splits == 1 && !t->narrow && (exact || z.K <= t->kc) && t->a == WAY_DIRECT;
  t->whole &= !t->short_;
  if (key) tuning_note(l->tuning, l->group, key, (Choice){FORM_TILE, t->mr, t->nr, t->kc, t->mc, t->nc, t->splits});
  return true;
}
