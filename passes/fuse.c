/* fuse: graph -> groups.
 *
 * Before: one node, one value. After: clusters of nodes that one loop nest computes, and the set of values that get a
 * buffer; all other nodes are computed where they are used. It works by class and by structure alone:
 *  1. Views, constants and index generators are virtual: they only change where an operand is read.
 *  2. Along element-wise edges (a MAP node and an operand with the same elements in the same order) clusters are merged,
 *     as long as at most one of them holds a heavy node (reduction, contraction, window) and no cycle arises.
 *  3. A cluster without a heavy node whose value is read once by one other cluster is computed there; so is one that
 *     costs next to nothing.
 * Needs: an expanded graph (no META but `get`). Keeps: every root in a buffer. */
#include "base/ds.h"
#include "passes/plan_internal.h"
#include "passes/rewrite.h"
#include <stdlib.h>
#include <string.h>

enum { K_DEAD, K_VIRTUAL, K_SOURCE, K_CLUSTER, K_REGION };

typedef struct Fuse {
  Plan *p;
  int scope;
  Graph *g;
  int n;
  uint8_t *kind;
  bool *forced;    /* must have a buffer: a root, or an operand of a region */
  bool *inlined;   /* by cluster head: computed in its users */
  NodeId *head;    /* by node: the cluster's representative (union-find) */
  NodeId *next;    /* members of a cluster, a list from head to 0 */
  NodeId *last;    /* by head */
  NodeId *heavy;   /* by head */
  NodeId *lowest;  /* by head: smallest member */
  uint32_t *stamp; /* by head: visited in search `now` */
  uint32_t now;
} Fuse;

static NodeId find(Fuse *f, NodeId n) {
  while (f->head[n] != n) n = f->head[n] = f->head[f->head[n]];
  return n;
}

static OpClass class_of(const Fuse *f, NodeId n) { return op_info[f->g->nodes[n].op].cls; }
static bool is_map(const Fuse *f, NodeId n) {
  const Node *x = &f->g->nodes[n];
  return op_info[x->op].cls == MAP || (x->op == OP_reshape && f->kind[n] == K_CLUSTER);
}
static bool is_heavy(const Fuse *f, NodeId n) {
  OpClass c = class_of(f, n);
  return c == REDUCE || c == CONTRACT || c == WINDOW;
}
/* Nodes that stay alone in their cluster. */
static bool is_lonely(const Fuse *f, NodeId n) {
  const Node *x = &f->g->nodes[n];
  OpClass c = op_info[x->op].cls;
  return c == SCATTER || (c == VIEW && x->op != OP_reshape) || (c == LEAF && x->op != OP_uniform);
}

/* One read of a buffered value by node `user`: `same` when it reads the element it computes; `once` when each element
 * is read at most once. */
typedef struct Edge {
  NodeId user, base;
  int operand;
  bool same, once;
} Edge;

/* The value behind operand k of n, through virtual views; base 0 when it is generated (constants, indices). */
static Edge edge_of(const Fuse *f, NodeId n, int k) {
  const Node *x = &f->g->nodes[n];
  Edge e = {n, x->in[k], k, is_map(f, n), true};
  OpClass c = op_info[x->op].cls;
  if (c == CONTRACT || c == WINDOW || c == GATHER || (c == SCATTER && k != 2)) e.once = false;
  if (x->op == OP_uniform) e.once = false;
  while (f->kind[e.base] == K_VIRTUAL) {
    const Node *v = &f->g->nodes[e.base];
    if (op_info[v->op].cls != VIEW) {
      e.base = 0;
      break;
    }
    if (v->op != OP_reshape) e.same = false;
    if (v->op == OP_broadcast) e.once = false;
    e.base = v->in[0];
  }
  return e;
}

static void mark_live(Fuse *f, NodeId n) {
  NodeId *todo = NULL;
  arrput(todo, n);
  while (arrlen(todo)) {
    NodeId m = arrpop(todo);
    if (f->kind[m] != K_DEAD) continue;
    const Node *x = &f->g->nodes[m];
    switch (op_info[x->op].cls) {
    case REGION: f->kind[m] = K_REGION; break;
    case META: f->kind[m] = K_SOURCE; break; /* get: its region provides the buffer */
    case LEAF: f->kind[m] = x->op == OP_input || x->op == OP_cell ? K_SOURCE : x->op == OP_uniform ? K_CLUSTER : K_VIRTUAL; break;
    case VIEW: f->kind[m] = x->op == OP_concat ? K_CLUSTER : K_VIRTUAL; break;
    default: f->kind[m] = K_CLUSTER;
    }
    for (int i = 0; i < x->n_in; i++) arrput(todo, x->in[i]);
  }
  arrfree(todo);
}

static void force(Fuse *f, NodeId n) {
  f->forced[n] = true;
  if (f->kind[n] == K_VIRTUAL) f->kind[n] = K_CLUSTER;
}

/* Does anything that cluster `c` reads, other than by same-element reads of `p` itself, depend on cluster `p`? */
static bool depends_around(Fuse *f, NodeId c, NodeId p) {
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
        Edge e = edge_of(f, m, i);
        NodeId b = e.base;
        if (b && f->kind[b] == K_SOURCE && f->g->nodes[b].n_in) b = f->g->nodes[b].in[0]; /* get -> region */
        if (!b || f->kind[b] == K_SOURCE) continue;
        NodeId h = find(f, b);
        if (h == k) continue;
        if (h == p) {
          if (k == c && e.same) continue;
          found = true;
          break;
        }
        if (f->stamp[h] == f->now || f->last[h] < f->lowest[p]) continue;
        f->stamp[h] = f->now;
        arrput(todo, h);
      }
    }
  }
  arrfree(todo);
  return found;
}

static void merge(Fuse *f, NodeId a, NodeId b) { /* b into a; the list stays unordered, groups sort it */
  NodeId tail = a;
  while (f->next[tail]) tail = f->next[tail];
  f->next[tail] = b;
  f->head[b] = a;
  if (f->heavy[b]) f->heavy[a] = f->heavy[b];
  if (f->lowest[b] < f->lowest[a]) f->lowest[a] = f->lowest[b];
  if (f->last[b] > f->last[a]) f->last[a] = f->last[b];
}

/* max_pool and max_pool_arg of one operand are two results of one search. */
static void merge_pools(Fuse *f) {
  for (NodeId n = 1; n < (NodeId)f->n; n++)
    for (NodeId m = 1; m < n && f->kind[n] == K_CLUSTER && class_of(f, n) == WINDOW; m++) {
      const Node *a = &f->g->nodes[m], *b = &f->g->nodes[n];
      if (f->kind[m] != K_CLUSTER || class_of(f, m) != WINDOW || a->n_in != 1 || b->n_in != 1) continue;
      bool same = a->op != b->op && a->in[0] == b->in[0];
      for (int k = 0; same && k < a->n_attrs; k++) same = attr_same(&a->attrs[k], &b->attrs[k]);
      if (same && find(f, m) == m && !f->next[m] && find(f, n) == n) merge(f, m, n);
    }
}

static void merge_elementwise(Fuse *f) {
  for (NodeId n = 1; n < (NodeId)f->n; n++) {
    if (f->kind[n] != K_CLUSTER || !is_map(f, n)) continue;
    for (int i = 0; i < f->g->nodes[n].n_in; i++) {
      Edge e = edge_of(f, n, i);
      if (!e.base || !e.same || f->kind[e.base] != K_CLUSTER || is_lonely(f, e.base)) continue;
      NodeId p = find(f, e.base), c = find(f, n);
      if (p == c || (f->heavy[p] && f->heavy[c])) continue;
      if (!depends_around(f, c, p)) merge(f, p, c);
    }
  }
}

/* How the members of cluster h are read from outside. */
typedef struct Uses {
  int edges;
  bool once;     /* each element at most once */
  bool contract; /* by a node that reads elements many times or wants them in memory */
} Uses;

static int cluster_flops(Fuse *f, NodeId h) {
  int sum = 0;
  for (NodeId m = h; m; m = f->next[m]) sum += op_info[f->g->nodes[m].op].flops;
  return sum;
}

/* One element-wise node over one array (the rest are scalars or generated): computing it again costs one load. */
static bool is_trivial(Fuse *f, NodeId h) {
  if (f->next[h] || cluster_flops(f, h) > 1) return false;
  int arrays = 0;
  for (int i = 0; i < f->g->nodes[h].n_in; i++) {
    NodeId b = edge_of(f, h, i).base;
    arrays += b && f->g->nodes[b].type.rank > 0;
  }
  return arrays <= 1;
}

/* Rule 3 of the header. */
static void inline_clusters(Fuse *f) {
  Uses *uses = calloc((size_t)f->n, sizeof *uses);
  bool *kept = calloc((size_t)f->n, sizeof *kept);
  for (NodeId n = 1; n < (NodeId)f->n; n++) {
    if (f->kind[n] == K_DEAD || f->kind[n] == K_VIRTUAL || f->kind[n] == K_SOURCE) continue;
    for (int i = 0; i < f->g->nodes[n].n_in; i++) {
      Edge e = edge_of(f, n, i);
      if (!e.base || f->kind[e.base] != K_CLUSTER) continue;
      NodeId h = find(f, e.base);
      if (h == find(f, n)) continue;
      Uses *s = &uses[h];
      OpClass c = class_of(f, n);
      s->once = (s->edges == 0 || s->once) && e.once;
      s->contract |= c == CONTRACT || c == WINDOW || c == REGION || c == SCATTER;
      s->edges++;
    }
  }
  for (NodeId n = 1; n < (NodeId)f->n; n++)
    if (f->kind[n] == K_CLUSTER && f->forced[n]) kept[find(f, n)] = true;
  for (NodeId h = 1; h < (NodeId)f->n; h++) {
    if (f->kind[h] != K_CLUSTER || find(f, h) != h || kept[h] || f->heavy[h] || !uses[h].edges) continue;
    if (is_lonely(f, h)) continue;
    Uses *s = &uses[h];
    bool scalar = f->g->nodes[h].type.rank == 0;
    f->inlined[h] = (s->edges == 1 && s->once && !s->contract) || (s->edges <= 4 && !s->contract && is_trivial(f, h)) ||
                    (scalar && cluster_flops(f, h) <= 2);
  }
  free(uses);
  free(kept);
}

/* ---- groups ---- */

static int by_id(const void *a, const void *b) {
  NodeId x = *(const NodeId *)a, y = *(const NodeId *)b;
  return (x > y) - (x < y);
}

static bool has(const int *list, int v) {
  for (int i = 0; i < arrlen(list); i++)
    if (list[i] == v) return true;
  return false;
}

/* Every node computed in the group: from the outs down to buffered values. */
static void collect(Fuse *f, Group *gr, NodeId h) {
  int *buf_of = f->p->scopes[f->scope].buf_of;
  NodeId *todo = NULL;
  f->now++;
  for (int i = 0; i < arrlen(gr->outs); i++) arrput(todo, gr->outs[i].node);
  while (arrlen(todo)) {
    NodeId n = arrpop(todo);
    if (f->stamp[n] == f->now) continue;
    f->stamp[n] = f->now;
    bool mine = f->kind[n] == K_CLUSTER && find(f, n) == h;
    if (buf_of[n] >= 0 && !mine) {
      if (!has(gr->reads, buf_of[n])) arrput(gr->reads, buf_of[n]);
      continue;
    }
    arrput(gr->nodes, n);
    const Node *x = &f->g->nodes[n];
    for (int i = 0; i < x->n_in; i++) arrput(todo, x->in[i]);
  }
  arrfree(todo);
  qsort(gr->nodes, (size_t)arrlen(gr->nodes), sizeof(NodeId), by_id);
}

/* Which members get a buffer: those a root names, and those another group reads. */
static void choose_outs(Fuse *f, bool *is_out) {
  for (NodeId n = 1; n < (NodeId)f->n; n++) {
    if (f->kind[n] == K_CLUSTER && f->forced[n]) is_out[n] = true;
    if (f->kind[n] != K_CLUSTER && f->kind[n] != K_REGION) continue;
    for (int i = 0; i < f->g->nodes[n].n_in; i++) {
      Edge e = edge_of(f, n, i);
      if (!e.base || f->kind[e.base] != K_CLUSTER) continue;
      NodeId h = find(f, e.base);
      if (!f->inlined[h] && h != find(f, n)) is_out[e.base] = true;
    }
  }
}

static void make_groups(Fuse *f, int *group_of, const bool *is_out) {
  Plan *p = f->p;
  int *buf_of = p->scopes[f->scope].buf_of;
  for (NodeId n = 1; n < (NodeId)f->n; n++)
    if (is_out[n] && !f->inlined[find(f, n)] && buf_of[n] < 0)
      buf_of[n] = plan_new_buf(p, BUF_ARENA, 0, f->g->nodes[n].type, n);
  for (NodeId h = 1; h < (NodeId)f->n; h++) {
    if (f->kind[h] != K_CLUSTER || find(f, h) != h || f->inlined[h]) continue;
    Group gr = {.scope = f->scope, .heavy = f->heavy[h]};
    for (NodeId m = h; m; m = f->next[m])
      if (is_out[m]) {
        GroupOut o = {m, buf_of[m]};
        arrput(gr.outs, o);
      }
    if (!arrlen(gr.outs)) continue;
    collect(f, &gr, h);
    group_of[h] = (int)arrlen(p->groups);
    arrput(p->groups, gr);
  }
}

static void start(Fuse *f, Plan *p, int scope) {
  f->p = p;
  f->scope = scope;
  f->g = p->scopes[scope].graph;
  f->n = (int)arrlen(f->g->nodes);
  size_t n = (size_t)f->n + 1;
  f->kind = calloc(n, sizeof *f->kind);
  f->forced = calloc(n, sizeof *f->forced);
  f->inlined = calloc(n, sizeof *f->inlined);
  f->head = calloc(n, sizeof *f->head);
  f->next = calloc(n, sizeof *f->next);
  f->last = calloc(n, sizeof *f->last);
  f->heavy = calloc(n, sizeof *f->heavy);
  f->lowest = calloc(n, sizeof *f->lowest);
  f->stamp = calloc(n, sizeof *f->stamp);
}

static void finish(Fuse *f) {
  free(f->kind), free(f->forced), free(f->inlined), free(f->head), free(f->next);
  free(f->last), free(f->heavy), free(f->lowest), free(f->stamp);
}

void fuse_scope(Plan *p, int scope, PlanStep **steps, const NodeId *roots, const int *home, int n_roots) {
  Fuse f = {0};
  start(&f, p, scope);
  int *buf_of = p->scopes[scope].buf_of;
  for (int i = 0; i < n_roots; i++) mark_live(&f, roots[i]);
  for (NodeId n = 1; n < (NodeId)f.n; n++) {
    f.head[n] = f.last[n] = f.lowest[n] = n;
    if (f.kind[n] == K_REGION)
      for (int i = 0; i < f.g->nodes[n].n_in; i++) force(&f, f.g->nodes[n].in[i]);
  }
  region_results(p, scope);
  for (int i = 0; i < n_roots; i++) {
    force(&f, roots[i]);
    if (home[i] >= 0 && f.kind[roots[i]] == K_CLUSTER && buf_of[roots[i]] < 0) buf_of[roots[i]] = home[i];
  }
  for (NodeId n = 1; n < (NodeId)f.n; n++)
    if (f.kind[n] == K_CLUSTER && is_heavy(&f, n)) f.heavy[n] = n;
  merge_pools(&f);
  merge_elementwise(&f);
  inline_clusters(&f);

  bool *is_out = calloc((size_t)f.n + 1, sizeof *is_out);
  int *group_of = malloc(sizeof(int) * ((size_t)f.n + 1));
  for (int i = 0; i <= f.n; i++) group_of[i] = -1;
  choose_outs(&f, is_out);
  make_groups(&f, group_of, is_out);
  for (NodeId n = 1; n < (NodeId)f.n; n++) {
    if (f.kind[n] == K_CLUSTER && group_of[n] >= 0) arrput(*steps, plan_kernel_step(group_of[n]));
    if (f.kind[n] == K_REGION) arrput(*steps, region_step(p, scope, n));
  }
  free(is_out);
  free(group_of);
  finish(&f);
}
