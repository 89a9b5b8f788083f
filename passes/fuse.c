/* fuse: graph -> groups.
 *
 * Before: one node, one value. After: clusters of nodes that one loop nest computes, and the set of values that get a
 * buffer; all other nodes are computed where they are used. It works by class and by structure alone:
 *  1. Views, constants and index generators are virtual: they only change where an operand is read.
 *  2. Along element-wise edges (a MAP node and an operand with the same elements in the same order) clusters are
 *     merged, as long as at most one of them holds a heavy node (reduction, contraction, window) and no cycle arises.
 *  3. Reductions of one split, what they fold and what is made of their results and their operands become one cluster,
 *     as long as a row is dealt with from its elements alone; see fuse_merge.c.
 *  4. A cluster without a heavy node whose value is read once by one other cluster is computed there; so is one that
 *     costs next to nothing.
 *  5. A value of a cluster with a heavy node that takes a few operations on what is stored anyway is made again by its
 *     readers; the heavy node's own value is stored where it takes the place of several.
 * Needs: an expanded graph (no META but `get`). Keeps: every root in a buffer. */
#include "base/ds.h"
#include "passes/fixed.h"
#include "passes/fuse.h"
#include "passes/rewrite.h"
#include <stdlib.h>
#include <string.h>

/* GENERATED: the operations that an element made from its indices alone may take, to be made wherever it is read. */
enum { MANY = 1000, GENERATED = 4 };

static OpClass class_of(const Fuse *f, NodeId n) { return op_info[f->g->nodes[n].op].cls; }
static bool is_heavy(const Fuse *f, NodeId n) {
  OpClass c = class_of(f, n);
  return c == REDUCE || c == CONTRACT || c == WINDOW;
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
    case LEAF:
      f->kind[m] = x->op == OP_input || x->op == OP_cell ? K_SOURCE : x->op == OP_uniform ? K_CLUSTER : K_VIRTUAL;
      break;
    case VIEW: f->kind[m] = x->op == OP_concat ? K_CLUSTER : K_VIRTUAL; break;
    case GATHER: f->kind[m] = picks_iteration(f->p, f->scope, m) ? K_VIRTUAL : K_CLUSTER; break;
    default: f->kind[m] = K_CLUSTER;
    }
    bool region = f->kind[m] == K_REGION;
    for (int i = 0; i < x->n_in; i++)
      if (!region || region_reads(f->p, f->scope, m, i)) arrput(todo, x->in[i]);
  }
  arrfree(todo);
}

static void force(Fuse *f, NodeId n) {
  f->forced[n] = true;
  if (f->kind[n] == K_VIRTUAL) f->kind[n] = K_CLUSTER;
}

/* What a region reads has a buffer; it sees another shape of it there. */
static void force_operands(Fuse *f, NodeId region) {
  for (int i = 0; i < f->g->nodes[region].n_in; i++) {
    NodeId n = f->g->nodes[region].in[i];
    if (!region_reads(f->p, f->scope, region, i)) continue;
    while (f->g->nodes[n].op == OP_reshape) n = f->g->nodes[n].in[0];
    force(f, n);
  }
}

/* How the members of cluster h are read from outside. */
typedef struct Uses {
  int edges;
  bool once;     /* each element at most once */
  bool contract; /* by a node that reads elements many times or wants them in memory */
  bool packs;    /* by convolutions, as weights, whose copy in another order `prepare` makes */
} Uses;

static int cluster_flops(Fuse *f, NodeId h) {
  int sum = 0;
  for (NodeId m = h; m; m = f->next[m]) sum += op_info[f->g->nodes[m].op].flops;
  return sum;
}

/* The arrays that the members of cluster h read. */
static int arrays_of(Fuse *f, NodeId h) {
  int arrays = 0;
  for (NodeId m = h; m; m = f->next[m])
    for (int i = 0; i < f->g->nodes[m].n_in; i++) {
      NodeId b = fuse_edge(f, m, i).base;
      arrays += b && f->g->nodes[b].type.rank > 0 && fuse_find(f, b) != h;
    }
  return arrays;
}
/* One element-wise node over one array (the rest are scalars or generated): computing it again costs one load. */
static bool is_trivial(Fuse *f, NodeId h) { return !f->next[h] && cluster_flops(f, h) <= 1 && arrays_of(f, h) <= 1; }
/* Some nodes over what is generated, such as a mask: computing them again costs less than a load. */
static bool is_generated(Fuse *f, NodeId h) { return cluster_flops(f, h) <= GENERATED && !arrays_of(f, h); }

/* Is operand k of n the weights of a convolution that gets them in another order, made once? */
static bool packs_weights(const Fuse *f, NodeId n, int k) {
  const Node *x = &f->g->nodes[n];
  return k == 1 && (x->op == OP_conv || x->op == OP_conv_dx) && node_int(f->g, x, A_groups) == 1;
}

/* Rule 4 of the header. */
static void inline_clusters(Fuse *f) {
  Uses *uses = zeroed((size_t)f->n, sizeof *uses);
  bool *kept = zeroed((size_t)f->n, sizeof *kept);
  for (NodeId n = 1; n < (NodeId)f->n; n++) {
    if (f->kind[n] == K_DEAD || f->kind[n] == K_VIRTUAL || f->kind[n] == K_SOURCE) continue;
    for (int i = 0; i < f->g->nodes[n].n_in; i++) {
      Edge e = fuse_edge(f, n, i);
      if (!e.base || f->kind[e.base] != K_CLUSTER) continue;
      NodeId h = fuse_find(f, e.base);
      if (h == fuse_find(f, n)) continue;
      Uses *s = &uses[h];
      OpClass c = class_of(f, n);
      s->once = (s->edges == 0 || s->once) && e.once;
      s->contract |= c == CONTRACT || c == WINDOW || c == REGION || c == SCATTER;
      s->packs |= packs_weights(f, n, i);
      s->edges++;
    }
  }
  for (NodeId n = 1; n < (NodeId)f->n; n++)
    if (f->kind[n] == K_CLUSTER && f->forced[n]) kept[fuse_find(f, n)] = true;
  for (NodeId h = 1; h < (NodeId)f->n; h++) {
    if (f->kind[h] != K_CLUSTER || fuse_find(f, h) != h || kept[h] || f->heavy[h] || !uses[h].edges) continue;
    if (fuse_is_lonely(f, h)) continue;
    Uses *s = &uses[h];
    bool scalar = f->g->nodes[h].type.rank == 0;
    bool fixed = f->fixed[h] == FIXED, single = s->edges == 1 && (fixed ? s->packs : s->once && !s->contract);
    bool again = (s->edges <= 4 && is_trivial(f, h)) || is_generated(f, h);
    f->inlined[h] = single || (again && !s->contract) || (scalar && cluster_flops(f, h) <= 2);
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
    bool mine = f->kind[n] == K_CLUSTER && fuse_find(f, n) == h;
    if (buf_of[n] >= 0 && !mine) {
      if (!has(gr->reads, buf_of[n])) arrput(gr->reads, buf_of[n]);
      continue;
    }
    arrput(gr->nodes, n);
    const Node *x = &f->g->nodes[n];
    for (int i = 0; i < x->n_in; i++) arrput(todo, x->in[i]);
  }
  arrfree(todo);
  arrsort(gr->nodes, by_id);
  for (int i = 0; i < arrlen(gr->nodes); i++)
    if (folds_axes(&f->g->nodes[gr->nodes[i]])) arrput(gr->folds, gr->nodes[i]);
  if (arrlen(gr->folds)) gr->heavy = gr->folds[0];
}

bool fuse_is_stored(const Fuse *f, NodeId n) { return f->forced[n] || (f->reads[n] && !f->again[n]); }

/* What it takes to make member n of cluster h from what has a buffer and from narrow members; with `outs` the latter
 * are marked. Each node counts once in a search. */
typedef struct Effort {
  int flops, arrays, widest; /* of the arrays' elements */
} Effort;
static void add_effort(Fuse *f, NodeId h, NodeId n, Effort *sum, bool *outs) {
  const Node *x = &f->g->nodes[n];
  sum->flops += is_heavy(f, n) ? MANY : op_info[x->op].flops;
  for (int i = 0; i < x->n_in; i++) {
    Edge e = fuse_edge(f, n, i);
    if (!e.base || f->stamp[e.base] == f->now) continue;
    f->stamp[e.base] = f->now;
    bool member = f->kind[e.base] == K_CLUSTER && fuse_find(f, e.base) == h;
    if (member && f->narrow[e.base]) {
      if (outs) outs[e.base] = true;
    } else if (f->again[e.base] || (member && !fuse_is_stored(f, e.base))) {
      add_effort(f, fuse_find(f, e.base), e.base, sum, outs);
    } else if (!e.spread) {
      int size = dtype_size(f->g->nodes[e.base].type.dtype);
      sum->arrays++;
      if (size > sum->widest) sum->widest = size;
    }
  }
}

static bool is_cheap_again(Fuse *f, NodeId n) {
  if (!f->reads[n] || f->reads[n] > 2 || f->fixed[n] == FIXED || f->narrow[n] || f->forced[n] || class_of(f, n) != MAP)
    return false;
  NodeId h = fuse_find(f, n);
  if (!f->heavy[h]) return false;
  Effort e = {0};
  f->now++;
  add_effort(f, h, n, &e, NULL);
  return e.flops <= 4 && e.arrays <= 2 && e.widest <= dtype_size(f->g->nodes[n].type.dtype);
}
/* Decides for the members of cluster h; returns how many get a buffer. */
static int decide_again(Fuse *f, NodeId h) {
  int stored = 0;
  for (NodeId m = f->lowest[h]; m <= f->last[h]; m++) {
    if (f->kind[m] != K_CLUSTER || fuse_find(f, m) != h) continue;
    f->again[m] = is_cheap_again(f, m);
    stored += fuse_is_stored(f, m);
  }
  return stored;
}
/* A heavy node gets a buffer itself where it takes the place of several. */
static void store_heavy(Fuse *f, NodeId h) {
  NodeId n = f->heavy[h];
  int without = decide_again(f, h);
  if (f->row[h] || f->forced[n] || f->reads[n] || without < 2) return;
  f->forced[n] = true;
  if (decide_again(f, h) < without) return;
  f->forced[n] = false;
  decide_again(f, h);
}

/* Rule 5 of the header: members that their readers make again. */
static void choose_again(Fuse *f) {
  NodeId *reader = zeroed((size_t)f->n + 1, sizeof *reader); /* the last cluster that reads a node */
  for (NodeId n = 1; n < (NodeId)f->n; n++) {
    if (f->kind[n] != K_CLUSTER && f->kind[n] != K_REGION) continue;
    bool streams = class_of(f, n) == MAP || class_of(f, n) == REDUCE;
    for (int i = 0; i < f->g->nodes[n].n_in; i++) {
      Edge e = fuse_edge(f, n, i);
      NodeId c = fuse_find(f, n);
      if (!e.base || f->kind[e.base] != K_CLUSTER || fuse_find(f, e.base) == c) continue;
      f->reads[e.base] += !streams || !e.once ? MANY : reader[e.base] != c;
      reader[e.base] = c;
    }
  }
  free(reader);
  for (NodeId n = 1; n < (NodeId)f->n; n++)
    if (f->kind[n] == K_CLUSTER && fuse_find(f, n) == n && f->heavy[n]) store_heavy(f, n);
}

/* Which members get a buffer: those a root names, and those another group reads. */
static void choose_outs(Fuse *f, bool *is_out) {
  for (NodeId n = 1; n < (NodeId)f->n; n++) {
    if (!f->again[n]) continue;
    f->now++;
    add_effort(f, fuse_find(f, n), n, &(Effort){0}, is_out);
  }
  for (NodeId n = 1; n < (NodeId)f->n; n++) {
    if (f->kind[n] == K_CLUSTER && f->forced[n]) is_out[n] = true;
    if (f->kind[n] != K_CLUSTER && f->kind[n] != K_REGION) continue;
    for (int i = 0; i < f->g->nodes[n].n_in; i++) {
      Edge e = fuse_edge(f, n, i);
      if (!e.base || f->kind[e.base] != K_CLUSTER) continue;
      NodeId h = fuse_find(f, e.base);
      if (!f->inlined[h] && h != fuse_find(f, n) && !f->again[e.base]) is_out[e.base] = true;
    }
  }
}

static void make_groups(Fuse *f, int *group_of, const bool *is_out) {
  Plan *p = f->p;
  int *buf_of = p->scopes[f->scope].buf_of;
  for (NodeId n = 1; n < (NodeId)f->n; n++)
    if (is_out[n] && !f->inlined[fuse_find(f, n)] && buf_of[n] < 0)
      buf_of[n] = plan_new_buf(p, BUF_ARENA, 0, f->g->nodes[n].type, n);
  for (NodeId h = 1; h < (NodeId)f->n; h++) {
    if (f->kind[h] != K_CLUSTER || fuse_find(f, h) != h || f->inlined[h]) continue;
    Group gr = {.scope = f->scope, .heavy = f->heavy[h]}; /* or the first of `folds` */
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

/* A group whose results are fixed and wanted in the entry's kernels only becomes one of `prepare`. */
static bool keep_group(Fuse *f, int group) {
  Plan *p = f->p;
  const Group *gr = &p->groups[group];
  for (int i = 0; i < arrlen(gr->outs); i++)
    if (f->fixed[gr->outs[i].node] != FIXED || f->forced[gr->outs[i].node] ||
        p->bufs[gr->outs[i].buf].kind != BUF_ARENA)
      return false;
  for (int i = 0; i < arrlen(gr->reads); i++) {
    BufKind k = p->bufs[gr->reads[i]].kind;
    if (k != BUF_CELL && k != BUF_FIXED) return false;
  }
  for (int i = 0; i < arrlen(gr->outs); i++) p->bufs[gr->outs[i].buf].kind = BUF_FIXED;
  arrput(p->fixed, group);
  return true;
}

static void start(Fuse *f, Plan *p, int scope) {
  f->p = p;
  f->scope = scope;
  f->g = p->scopes[scope].graph;
  f->n = (int)arrlen(f->g->nodes);
  size_t n = (size_t)f->n + 1;
  f->kind = zeroed(n, sizeof *f->kind);
  f->fixed = zeroed(n, sizeof *f->fixed);
  for (NodeId i = 1; !scope && i < (NodeId)f->n; i++) f->fixed[i] = (uint8_t)fixed_node(f->g, p->entry, i, f->fixed);
  for (NodeId i = 1; i < (NodeId)f->n; i++)
    if (!fixed_size(f->g, i)) f->fixed[i] = VARIES; /* what prepare makes has one size */
  f->forced = zeroed(n, sizeof *f->forced);
  f->inlined = zeroed(n, sizeof *f->inlined);
  f->head = zeroed(n, sizeof *f->head);
  f->next = zeroed(n, sizeof *f->next);
  f->tail = zeroed(n, sizeof *f->tail);
  f->last = zeroed(n, sizeof *f->last);
  f->heavy = zeroed(n, sizeof *f->heavy);
  f->lowest = zeroed(n, sizeof *f->lowest);
  f->stamp = zeroed(n, sizeof *f->stamp);
  f->reach = zeroed(n, sizeof *f->reach);
  f->narrow = zeroed(n, sizeof *f->narrow);
  f->row = zeroed(n, sizeof *f->row);
  f->again = zeroed(n, sizeof *f->again);
  f->reads = zeroed(n, sizeof *f->reads);
}

static void finish(Fuse *f) {
  free(f->kind), free(f->fixed), free(f->forced), free(f->inlined), free(f->head), free(f->next), free(f->tail);
  free(f->last), free(f->heavy), free(f->lowest), free(f->stamp), free(f->reach), free(f->narrow), free(f->row);
  free(f->again), free(f->reads);
}

void fuse_scope(Plan *p, int scope, PlanStep **steps, const NodeId *roots, const int *home, int n_roots) {
  Fuse f = {0};
  start(&f, p, scope);
  int *buf_of = p->scopes[scope].buf_of;
  for (int i = 0; i < n_roots; i++) mark_live(&f, roots[i]);
  for (NodeId n = 1; n < (NodeId)f.n; n++) {
    f.head[n] = f.tail[n] = f.last[n] = f.lowest[n] = f.reach[n] = n;
    if (f.kind[n] == K_REGION) force_operands(&f, n);
  }
  region_results(p, scope, roots, home, n_roots);
  for (NodeId n = 1; n < (NodeId)f.n; n++)
    if ((f.kind[n] == K_VIRTUAL || f.kind[n] == K_CLUSTER) && buf_of[n] >= 0)
      f.kind[n] = K_SOURCE; /* a region stores it as it is wanted */
  for (int i = 0; i < n_roots; i++) {
    force(&f, roots[i]);
    if (home[i] >= 0 && f.kind[roots[i]] == K_CLUSTER && buf_of[roots[i]] < 0) buf_of[roots[i]] = home[i];
  }
  for (NodeId n = 1; n < (NodeId)f.n; n++)
    if (f.kind[n] == K_CLUSTER && is_heavy(&f, n)) f.heavy[n] = n;
  fuse_merge(&f);
  choose_again(&f);
  fuse_merge_readers(&f);
  inline_clusters(&f);

  bool *is_out = zeroed((size_t)f.n + 1, sizeof *is_out);
  int *group_of = zeroed((size_t)f.n, sizeof *group_of);
  for (int i = 0; i <= f.n; i++) group_of[i] = -1;
  choose_outs(&f, is_out);
  make_groups(&f, group_of, is_out);
  for (NodeId n = 1; n < (NodeId)f.n; n++) {
    if (f.kind[n] == K_CLUSTER && group_of[n] >= 0 && !keep_group(&f, group_of[n]))
      arrput(*steps, plan_kernel_step(group_of[n]));
    if (f.kind[n] == K_REGION) arrput(*steps, region_step(p, scope, n));
  }
  free(is_out);
  free(group_of);
  finish(&f);
  plan_place_parts(p, scope, steps, roots, n_roots);
}
