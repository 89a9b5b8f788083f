/* cse: equal computations are done once.
 *
 *   before  a = exp(x); b = exp(x); y = a * b        after  a = exp(x); y = a * a
 *
 * Two nodes are equal when op, operands, attributes and type are; operands of COMM ops are ordered first. The first of
 * the two stays, with its place. Nodes with regions and IMPURE nodes are never merged.
 *
 * Needs: expanded gradients (which of two equal nodes is `x` matters to grad). Keeps: bits. Breaks: nothing. */
#include "passes/rewrite.h"
#include "base/ds.h"
#include <stdlib.h>
#include <string.h>

static uint64_t mix(uint64_t h, uint64_t v) {
  h ^= v + 0x9e3779b97f4a7c15u + (h << 6) + (h >> 2);
  h *= 0xff51afd7ed558ccdu;
  return h ^ (h >> 32);
}

static uint64_t hash_bytes(uint64_t h, const void *p, size_t n) {
  const unsigned char *s = p;
  for (; n >= 8; s += 8, n -= 8) {
    uint64_t v;
    memcpy(&v, s, 8);
    h = mix(h, v);
  }
  for (; n; s++, n--) h = mix(h, *s);
  return h;
}

static uint64_t bits_of(double v) {
  uint64_t u;
  memcpy(&u, &v, sizeof u);
  return u;
}

static uint64_t attr_hash_of(uint64_t h, const Attr *a) {
  h = mix(h, a->key);
  switch (attr_kinds[a->key]) {
  case AK_INT: return mix(h, a->dims[0]);
  case AK_INTS: return hash_bytes(mix(h, a->n), a->dims, sizeof(Dim) * a->n);
  case AK_NUM: return mix(h, bits_of(a->num));
  case AK_DATA: return hash_bytes(mix(h, a->n), a->data, a->n);
  case AK_HASH: return mix(h, a->hash);
  }
  return h;
}

bool attr_same(const Attr *a, const Attr *b) {
  if (a->key != b->key) return false;
  switch (attr_kinds[a->key]) {
  case AK_INT: return a->dims[0] == b->dims[0];
  case AK_INTS: return a->n == b->n && !memcmp(a->dims, b->dims, sizeof(Dim) * a->n);
  case AK_NUM: return bits_of(a->num) == bits_of(b->num); /* -0 is not 0, a NaN is itself */
  case AK_DATA: return a->n == b->n && !memcmp(a->data, b->data, a->n);
  case AK_HASH: return a->hash == b->hash;
  }
  return false;
}

/* The operands of a node in the order in which they are compared. */
static int ordered(const Node *d, NodeId in[2]) {
  in[0] = d->n_in > 0 ? d->in[0] : 0;
  in[1] = d->n_in > 1 ? d->in[1] : 0;
  if ((op_info[d->op].flags & COMM) && in[0] > in[1]) {
    NodeId t = in[0];
    in[0] = in[1], in[1] = t;
  }
  return d->n_in < 2 ? d->n_in : 2;
}

static uint64_t node_hash(const Node *d) {
  NodeId first[2];
  int n = ordered(d, first);
  uint64_t h = mix(d->op, d->type.dtype);
  h = hash_bytes(mix(h, (uint64_t)d->type.rank), d->type.shape, sizeof(Dim) * (size_t)d->type.rank);
  for (int k = 0; k < d->n_in; k++) h = mix(h, k < n ? first[k] : d->in[k]);
  for (int k = 0; k < d->n_attrs; k++) h = attr_hash_of(h, &d->attrs[k]);
  return h;
}

static bool node_same(const Node *a, const Node *b) {
  if (a->op != b->op || a->n_in != b->n_in || a->n_attrs != b->n_attrs || !type_same(a->type, b->type)) return false;
  NodeId fa[2], fb[2];
  int n = ordered(a, fa);
  ordered(b, fb);
  for (int k = 0; k < a->n_in; k++)
    if ((k < n ? fa[k] : a->in[k]) != (k < n ? fb[k] : b->in[k])) return false;
  for (int k = 0; k < a->n_attrs; k++)
    if (!attr_same(&a->attrs[k], &b->attrs[k])) return false;
  return true;
}

/* Open addressing over the new nodes; `cap` is a power of two above twice their number. */
typedef struct Seen {
  NodeId *slot;
  uint64_t *hash;
  size_t cap;
} Seen;

static NodeId seen_or_enter(Seen *s, const Graph *g, NodeId n) {
  uint64_t h = node_hash(&g->nodes[n]);
  for (size_t i = h & (s->cap - 1);; i = (i + 1) & (s->cap - 1)) {
    if (!s->slot[i]) {
      s->slot[i] = n, s->hash[i] = h;
      return n;
    }
    if (s->hash[i] == h && node_same(&g->nodes[s->slot[i]], &g->nodes[n])) return s->slot[i];
  }
}

void pass_cse(Graph *g, const Prog *prog, const Entry *entry) {
  rewrite_regions(g, pass_cse, prog, entry);
  Rewrite r = rewrite_begin(g);
  Seen s = {.cap = 16};
  while (s.cap < 2 * (size_t)r.n_old + 2) s.cap *= 2;
  s.slot = zeroed(s.cap, sizeof *s.slot);
  s.hash = zeroed(s.cap, sizeof *s.hash);
  for (NodeId n = 1; n < r.n_old; n++) {
    if (!r.live[n]) continue;
    NodeId now = rewrite_copy(&r, n);
    const Node *d = &g->nodes[now];
    if (!d->n_regions && d->type.dtype != TUPLE && !(op_info[d->op].flags & IMPURE)) {
      NodeId same = seen_or_enter(&s, g, now);
      if (same != now) {
        (void)arrpop(g->nodes);
        now = same;
      }
    }
    rewrite_to(&r, n, now);
  }
  rewrite_end(&r);
  free(s.slot);
  free(s.hash);
}
