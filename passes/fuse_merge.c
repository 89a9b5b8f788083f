/* Merging clusters: fuse.c's rules 2 and 3.
 *
 * A row cluster holds reductions of one split. Its members are wide, with an element for each one that is folded, or
 * narrow, with one for each result; a wide one may read a narrow one through a broadcast of the same split, so that a
 * row can be dealt with from its first reduction to its last store while it lies in the cache. */
#include "base/ds.h"
#include "passes/fixed.h"
#include "passes/fuse.h"
#include "passes/rewrite.h"
#include <stdlib.h>

/* A cluster in which a row is gone through several times: so many rows at least that threads have work, unless all of
 * it is little, and rows that stay in a cache. Columns are taken in blocks of at least COLUMNS. */
enum { FEW_ROWS = 8, LITTLE = 16384, LONG_ROW = 65536, COLUMNS = 16 };

NodeId fuse_find(Fuse *f, NodeId n) {
  while (f->head[n] != n) n = f->head[n] = f->head[f->head[n]];
  return n;
}

static bool is_map(const Fuse *f, NodeId n) {
  const Node *x = &f->g->nodes[n];
  return op_info[x->op].cls == MAP || (x->op == OP_reshape && f->kind[n] == K_CLUSTER);
}
bool fuse_is_lonely(const Fuse *f, NodeId n) {
  const Node *x = &f->g->nodes[n];
  OpClass c = op_info[x->op].cls;
  return c == SCATTER || c == CALL || (c == VIEW && x->op != OP_reshape) || (c == LEAF && x->op != OP_uniform);
}

Edge fuse_edge(const Fuse *f, NodeId n, int k) {
  const Node *x = &f->g->nodes[n];
  Edge e = {.user = n, .base = x->in[k], .operand = k, .once = true};
  OpClass c = op_info[x->op].cls;
  if (c == CONTRACT || c == WINDOW || c == GATHER || (c == SCATTER && k != 2)) e.once = false;
  if (x->op == OP_uniform) e.once = false;
  while (f->kind[e.base] == K_VIRTUAL) {
    const Node *v = &f->g->nodes[e.base];
    if (op_info[v->op].cls != VIEW && op_info[v->op].cls != GATHER) {
      e.base = 0;
      break;
    }
    if (v->op == OP_broadcast) {
      e.bent |= e.spread != 0;
      e.spread = e.base;
      e.once = false;
    } else if (v->op != OP_reshape) e.bent = true;
    e.base = v->in[0];
  }
  e.same = is_map(f, n) && !e.bent && !e.spread;
  return e;
}

/* ---- which edges a cluster may hold inside ---- */

/* A merge that is being tried: user's cluster c and its operand's p, one of them maybe without a heavy node, whose
 * members would all become narrow or all wide. */
typedef struct Try {
  NodeId c, p;
  const Split *row; /* of the merged cluster, or NULL */
  NodeId plain;     /* the one of the two without a heavy node, where the other is a row cluster */
  bool plain_narrow;
  bool again; /* found: a wide member needs a result of its row */
} Try;

static bool narrow_in(Fuse *f, const Try *t, NodeId n) {
  return fuse_find(f, n) == t->plain ? t->plain_narrow : f->narrow[n];
}
static bool folds_like(const Fuse *f, NodeId n, const Split *row) {
  Split s;
  return split_of(f->g, n, &s) && split_same(&s, row);
}
/* Edge e goes from a member of c to one of p: does it stay within the element, or within the row? */
static bool inner(Fuse *f, Try *t, Edge e) {
  if (!t->row) return e.same;
  if (e.bent) return false;
  bool user = narrow_in(f, t, e.user), base = narrow_in(f, t, e.base);
  OpClass cls = op_info[f->g->nodes[e.user].op].cls;
  if (cls == REDUCE || cls == GATHER) return !e.operand && !e.spread && !base && folds_like(f, e.user, t->row);
  if (!is_map(f, e.user)) return false;
  if (!e.spread) return user == base;
  if (user || !base || !folds_like(f, e.spread, t->row)) return false;
  t->again |= t->p != t->plain;
  return true;
}

/* The largest member of clusters that begin at n or before it; `reach` is a tree of maxima of prefixes (Fenwick 1994).
 */
static NodeId reach_of(const Fuse *f, NodeId n) {
  NodeId most = 0;
  for (; n; n -= n & -n)
    if (f->reach[n] > most) most = f->reach[n];
  return most;
}
static void set_reach(Fuse *f, NodeId begin, NodeId end) {
  for (NodeId n = begin; n < (NodeId)arrlen(f->g->nodes); n += n & -n)
    if (f->reach[n] < end) f->reach[n] = end;
}

/* No member of cluster h, nor of one that it depends on, is larger: those begin before what h reads of them. */
static NodeId furthest(const Fuse *f, NodeId h) {
  NodeId n = f->last[h], next;
  while ((next = reach_of(f, n)) > n) n = next;
  return n;
}

/* Does anything that cluster `c` reads, other than by inner edges to `p`, depend on cluster `p`? Without a try: at all?
 */
static bool depends(Fuse *f, NodeId c, NodeId p, Try *t) {
  NodeId *todo = NULL;
  bool found = false;
  f->now++;
  arrput(todo, c);
  f->stamp[c] = f->now;
  while (arrlen(todo) && !found) {
    NodeId k = arrpop(todo);
    for (NodeId m = k; m && !found; m = f->next[m]) {
      const Node *x = &f->g->nodes[m];
      for (int i = 0; i < x->n_in; i++) {
        Edge e = fuse_edge(f, m, i);
        NodeId b = e.base;
        bool source = b && f->kind[b] == K_SOURCE; /* get, or a turned one -> region */
        while (source && f->kind[b] != K_REGION && f->g->nodes[b].n_in) b = f->g->nodes[b].in[0];
        if (!b || f->kind[b] == K_SOURCE) continue;
        NodeId h = fuse_find(f, b);
        if (h == k) continue;
        if (h == p) {
          if (t && k == c && inner(f, t, e)) continue;
          found = true;
          break;
        }
        if (f->stamp[h] == f->now || furthest(f, h) < f->lowest[p]) continue;
        f->stamp[h] = f->now;
        arrput(todo, h);
      }
    }
  }
  arrfree(todo);
  return found;
}

static void merge(Fuse *f, NodeId a, NodeId b) { /* b into a; the list stays unordered, groups sort it */
  f->next[f->tail[a]] = b;
  f->tail[a] = f->tail[b];
  f->head[b] = a;
  if (f->heavy[b]) f->heavy[a] = f->heavy[b];
  if (f->row[b]) f->row[a] = f->row[b];
  if (f->lowest[b] < f->lowest[a]) f->lowest[a] = f->lowest[b];
  if (f->last[b] > f->last[a]) f->last[a] = f->last[b];
  set_reach(f, f->lowest[a], f->last[a]);
}

/* May the rows be gone through several times? A function of the bounds alone. */
static bool rows_fit(const Fuse *f, const Split *s) {
  double rows = 1, row = 1;
  for (int k = 0; k < s->n; k++) {
    double most = (double)dim_upper(f->g->dims, s->size[k]);
    if (s->folded[k]) row *= most;
    else if (k + 1 < s->n) rows *= most;
    else { /* the contiguous axis stays */ rows *= most < COLUMNS ? 1 : most / COLUMNS;
      row *= most < COLUMNS ? most : COLUMNS;
    }
  }
  return row <= LONG_ROW && (rows >= FEW_ROWS || rows * row < LITTLE);
}

/* Results of a conv_dx with a stride come in phases, each of which lies in memory with gaps. */
static bool has_gaps(const Fuse *f, NodeId n) {
  const Node *x = &f->g->nodes[n];
  int64_t stride[MAX_RANK];
  if (x->op != OP_conv_dx) return false;
  for (int k = node_ints(f->g, x, A_stride, stride, MAX_RANK); k-- > 0;)
    if (stride[k] > 1) return true;
  return false;
}
/* Does a member other than `heavy` read an array, element by element, that none of the two clusters makes? */
static bool reads_arrays(Fuse *f, NodeId c, NodeId p, NodeId heavy) {
  for (int side = 0; side < 2; side++)
    for (NodeId m = side ? p : c; m; m = f->next[m])
      for (int k = 0; k < f->g->nodes[m].n_in && m != heavy; k++) {
        Edge e = fuse_edge(f, m, k);
        if (!e.base || e.spread || f->g->nodes[e.base].type.rank == 0) continue;
        NodeId h = f->kind[e.base] == K_CLUSTER ? fuse_find(f, e.base) : 0;
        if (h != c && h != p) return true;
      }
  return false;
}

static double bytes_of(const Fuse *f, NodeId n) {
  Type t = f->g->nodes[n].type;
  return (double)dim_upper(f->g->dims, type_count(f->g->dims, t)) * dtype_size(t.dtype);
}
/* Is n made of something that a product makes of value `from`? */
static bool made_behind(const Fuse *f, NodeId n, NodeId from) {
  enum { REACHED = 1, BEHIND = 2 };
  if (n <= from) return false;
  uint8_t *mark = zeroed((size_t)n + 1, 1);
  mark[n] = REACHED;
  for (NodeId m = n; m > from; m--) {
    const Node *x = &f->g->nodes[m];
    uint8_t now = op_info[x->op].cls == CONTRACT ? BEHIND : 0;
    for (int i = 0; i < x->n_in && mark[m]; i++) mark[x->in[i]] |= mark[m] | now;
  }
  bool found = mark[from] & BEHIND;
  free(mark);
  return found;
}
/* Would product p, small beside its operands, keep these until something is there that is made of them much later, and
 * that node n adds to its result? So do the two gradients of a table that is read at both ends of a model. */
static bool waits_long(const Fuse *f, NodeId n, int k, NodeId p) {
  enum { LEAST = 256 << 10, TIMES = 4 };
  const Node *x = &f->g->nodes[n], *d = &f->g->nodes[p];
  if (x->op != OP_add || !p || d->op != OP_dot) return false;
  double operands = bytes_of(f, d->in[0]) + bytes_of(f, d->in[1]);
  if (operands < LEAST || operands < TIMES * bytes_of(f, p)) return false;
  return made_behind(f, x->in[1 - k], d->in[0]) || made_behind(f, x->in[1 - k], d->in[1]);
}

/* Merges the clusters of n and its operand k where all edges between them are inner ones. */
static void try_merge(Fuse *f, NodeId n, int k) {
  Edge e = fuse_edge(f, n, k);
  if (!e.base || e.bent || f->kind[e.base] != K_CLUSTER || fuse_is_lonely(f, e.base)) return;
  Try t = {.c = fuse_find(f, n), .p = fuse_find(f, e.base)};
  if (t.p == t.c || (f->fixed[e.base] == FIXED && f->fixed[n] != FIXED)) return;
  const Split *rc = f->row[t.c], *rp = f->row[t.p];
  if (f->heavy[t.c] && f->heavy[t.p] && !(rc && rp && split_same(rc, rp))) return;
  t.row = rc ? rc : rp;
  if (op_info[f->g->nodes[n].op].cls == GATHER && !t.row) return;
  if (!t.row && waits_long(f, n, k, f->heavy[t.p])) return;
  NodeId gaps = !t.row ? f->heavy[t.p] ? f->heavy[t.p] : f->heavy[t.c] : 0;
  if (gaps && has_gaps(f, gaps) && reads_arrays(f, t.c, t.p, gaps)) return;
  bool heavy_c = f->heavy[t.c] != 0, heavy_p = f->heavy[t.p] != 0;
  if (t.row && heavy_c != heavy_p) {
    t.plain = heavy_c ? t.p : t.c;
    if (is_map(f, n)) t.plain_narrow = e.spread ? heavy_c : f->narrow[heavy_c ? n : e.base];
    else t.plain_narrow = t.plain == t.c;
  }
  if (!inner(f, &t, e) || depends(f, t.c, t.p, &t)) return;
  if (t.again && !rows_fit(f, t.row)) return;
  for (NodeId m = t.plain; m; m = f->next[m]) f->narrow[m] = t.plain_narrow;
  merge(f, t.p, t.c);
}

/* Reductions of one split that read one value become one cluster: the value is read once. */
typedef struct ReaderKey {
  NodeId base;
  int32_t split; /* number among those seen */
} ReaderKey;
typedef struct Reader {
  ReaderKey key;
  NodeId value; /* a member of the last row cluster of that split that reads it */
} Reader;
typedef struct Readers {
  Reader *map;          /* stb_ds */
  const Split **splits; /* stb_ds */
} Readers;
static int number_of(Readers *r, const Split *s) {
  for (int i = 0; i < arrlen(r->splits); i++)
    if (split_same(r->splits[i], s)) return i;
  arrput(r->splits, s);
  return (int)arrlen(r->splits) - 1;
}
/* Node n, a member or what a member makes again, reads its operands for `member`. */
static void meet_readers(Fuse *f, Readers *r, NodeId n, NodeId member) {
  for (int i = 0; i < f->g->nodes[n].n_in; i++) {
    Edge e = fuse_edge(f, n, i);
    if (!e.base || e.bent || e.spread) continue;
    NodeId c = fuse_find(f, member);
    if (f->kind[e.base] == K_CLUSTER && fuse_find(f, e.base) != c && !fuse_is_stored(f, e.base)) {
      meet_readers(f, r, e.base, member);
      continue;
    }
    ReaderKey key = {e.base, number_of(r, f->row[c])};
    ptrdiff_t at = hmgeti(r->map, key);
    NodeId p = at >= 0 ? fuse_find(f, r->map[at].value) : c;
    if (p != c && f->fixed[p] == f->fixed[c] && !depends(f, c, p, NULL) && !depends(f, p, c, NULL)) merge(f, p, c);
    hmput(r->map, key, member);
  }
}
void fuse_merge_readers(Fuse *f) {
  Readers r = {0};
  for (NodeId n = 1; n < (NodeId)f->n; n++) {
    bool folds = op_info[f->g->nodes[n].op].cls == REDUCE;
    if (f->kind[n] != K_CLUSTER || !f->row[fuse_find(f, n)] || f->narrow[n] != folds) continue;
    meet_readers(f, &r, n, n);
  }
  hmfree(r.map);
  arrfree(r.splits);
}

/* max_pool and max_pool_arg of one operand are two results of one search. */
static void merge_pools(Fuse *f) {
  for (NodeId n = 1; n < (NodeId)f->n; n++)
    for (NodeId m = 1; m < n && f->kind[n] == K_CLUSTER && op_info[f->g->nodes[n].op].cls == WINDOW; m++) {
      const Node *a = &f->g->nodes[m], *b = &f->g->nodes[n];
      if (f->kind[m] != K_CLUSTER || op_info[a->op].cls != WINDOW || a->n_in != 1 || b->n_in != 1) continue;
      bool same = a->op != b->op && a->in[0] == b->in[0];
      for (int k = 0; same && k < a->n_attrs; k++) same = attr_same(&a->attrs[k], &b->attrs[k]);
      if (same && fuse_find(f, m) == m && !f->next[m] && fuse_find(f, n) == n) merge(f, m, n);
    }
}

/* First what stays within a row that lies in memory in one piece, then the rest. */
void fuse_merge(Fuse *f) {
  merge_pools(f);
  for (NodeId n = 1; n < (NodeId)f->n; n++) {
    Split s;
    if (f->kind[n] != K_CLUSTER || !f->heavy[n] || !split_of(f->g, n, &s)) continue;
    f->row[n] = arena_one(f->p->arena, Split);
    *f->row[n] = s;
    f->narrow[n] = true;
  }
  for (int round = 0; round < 2; round++)
    for (NodeId n = 1; n < (NodeId)f->n; n++) {
      if (f->kind[n] != K_CLUSTER) continue;
      Split s;
      bool folds = op_info[f->g->nodes[n].op].cls != VIEW && split_of(f->g, n, &s);
      if (!folds && !is_map(f, n)) continue;
      bool columns = folds && !s.folded[s.n - 1];
      if (columns && !round) continue;
      for (int i = 0; i < f->g->nodes[n].n_in; i++) try_merge(f, n, i);
    }
}
