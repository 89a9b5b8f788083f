/* again: what is cheap to compute is computed again for the gradient instead of being kept for it.
 *
 *   before  u = dot(x, w); e = 1 + erf u; y = u e; ..; du = dy (e + u exp(- u u)); dv = dot(y, dz)     keeps e, y, exp
 *   after   u, e and y as before; ..; e' = 1 + erf u[:]; du = dy (e' + ..); y' = u[:] e'; dv = dot(y', dz)   keeps u
 *
 * A value that lies unused where most bytes of the step are alive is dropped when it takes a few element-wise
 * operations on at most ARRAYS arrays that lie there anyway: writing and reading it would cost memory's time, which is
 * as long. A large part of all that lies there may be made of MORE_ARRAYS, by a chain of its own: what this goes
 * through and is dropped as well would otherwise be stored by it until its own readers come. A mask of an array that is
 * kept costs a comparison instead of a byte that is written and read, also in the kernel behind which most is alive:
 * the result would not take a mask's place, as it would that of a value of its own size. Several values that come of
 * one product or convolution may have its result in their place. Clones are those of remat.c.
 *
 * Why here: behind all passes, since cse would find that clones are equal to their originals.
 * Needs: an expanded graph; a bound of every size, or nothing happens. Keeps: values, and bits where the same kernels
 * come out. Breaks: equal nodes are not one any more. */
#include "base/ds.h"
#include "passes/plan_internal.h"
#include "passes/remat_internal.h"
#include "passes/rewrite.h"

enum {
  LEAST = 256 << 10, /* bytes of a value */
  PARTS = 1024,      /* and it is at least such a part of what is alive, also in deep models */
  MASK = 32 << 10,   /* of one with elements of a byte, which takes less to make than to keep */
  ARRAYS = 3,
  LARGE_PARTS = 32, /* a value of such a part may be made of more, by clones of its own */
  MORE_ARRAYS = 4,
  OPERATIONS = 40, /* for an element */
  FEW = 8,         /* of a mask of less than LEAST or PARTS */
  LONGEST = 40     /* nodes */
};

typedef struct Effort {
  int operations, arrays, nodes;
  double words; /* of the value */
  bool possible;
} Effort;

static void follow(Remat *r, NodeId n, Effort *e) {
  if (r->stamp[n] == r->now || !e->possible) return;
  r->stamp[n] = r->now;
  const Node *d = &r->nodes[n];
  OpClass cls = op_info[d->op].cls;
  bool plain = cls == MAP || d->op == OP_reshape || d->op == OP_broadcast || d->op == OP_full || d->op == OP_iota;
  e->possible = plain && ++e->nodes <= LONGEST;
  if (cls == MAP && remat_words(r, n) * 2 > e->words) e->operations += op_info[d->op].flops;
  for (int k = 0; k < d->n_in && e->possible; k++) {
    NodeId x = d->in[k];
    if (!remat_is_leaf(r, x) && !remat_is_there(r, x)) {
      follow(r, x, e);
      continue;
    }
    e->possible = r->nodes[x].op != OP_get || remat_is_there(r, x);
    if (r->stamp[x] != r->now && remat_words(r, x) * 2 > e->words) e->arrays++;
    r->stamp[x] = r->now;
  }
}

typedef struct Dropping {
  Remat r;
  NodeId *dropped;     /* stb_ds */
  int64_t least, mask; /* bytes of a value that is looked at, of a mask */
  int64_t large;       /* of one that may be made of MORE_ARRAYS */
} Dropping;

/* Is it little work to make n from what is there without it? */
static bool is_light(Dropping *d, NodeId n) {
  Remat *r = &d->r;
  Effort e = {.words = remat_words(r, n), .possible = true};
  bool large = (int64_t)e.words * dtype_size(r->nodes[n].type.dtype) >= d->least;
  r->now++;
  follow(r, n, &e);
  return e.possible && e.arrays <= (r->alone[n] ? MORE_ARRAYS : ARRAYS) && e.operations <= (large ? OPERATIONS : FEW);
}

/* Drops n where it, and whatever was dropped before, stays light; `alone`: where it may be made of more arrays. */
static bool drop(Dropping *d, NodeId n, bool alone) {
  Remat *r = &d->r;
  r->dropped[n] = true;
  r->alone[n] = alone;
  bool good = is_light(d, n);
  for (int i = 0; i < (int)arrlen(d->dropped) && good; i++) good = is_light(d, d->dropped[i]);
  if (good) arrput(d->dropped, n);
  r->dropped[n] = good;
  return good;
}

static int64_t drop_outs(Dropping *d, const Group *gr) {
  Remat *r = &d->r;
  int64_t bytes = 0;
  for (int k = 0; k < (int)arrlen(gr->outs); k++) {
    NodeId n = gr->outs[k].node;
    int b = gr->outs[k].buf;
    bool mask = dtype_size(r->nodes[n].type.dtype) == 1;
    if (!r->idle[b] && !(mask && r->read[b])) continue;
    if (r->p->bufs[b].kind != BUF_ARENA || r->content[b] != n || r->dropped[n]) continue;
    int64_t least = mask ? d->mask : d->least;
    if (op_info[r->nodes[n].op].cls != MAP || r->p->bufs[b].bytes < least) continue;
    bool large = r->p->bufs[b].bytes >= d->large;
    if (drop(d, n, false) || (large && drop(d, n, true))) bytes += r->p->bufs[b].bytes;
  }
  return bytes;
}

static void look_at_group(Dropping *d, const Group *gr) {
  Remat *r = &d->r;
  drop_outs(d, gr);
  NodeId h = gr->heavy;
  OpClass cls = h ? op_info[r->nodes[h].op].cls : LEAF;
  if (!h || arrlen(gr->folds) || (cls != CONTRACT && cls != WINDOW) || r->p->buf_of[h] >= 0) return;
  int before = (int)arrlen(d->dropped);
  int64_t own = (int64_t)remat_words(r, h) * dtype_size(r->nodes[h].type.dtype);
  r->offered[h] = true;
  if (drop_outs(d, gr) > own) return;
  r->offered[h] = false;
  while ((int)arrlen(d->dropped) > before) r->dropped[arrpop(d->dropped)] = false;
}

void pass_again(Graph *g, const Prog *prog, const Entry *entry) {
  if (!entry || g != entry->graph) return; /* a graph alone */
  for (int k = 0; k < (int)arrlen(entry->vars); k++)
    if (dim_var_bound(g->dims, entry->vars[k]) < 0) return;
  Plan *p = plan_fuse(g->arena, prog, entry);
  plan_lives(p);
  Dropping d = {.r = remat_begin(p), .least = LEAST, .mask = MASK};
  int64_t alive = 0;
  for (int b = 0; b < (int)arrlen(p->bufs); b++)
    if (d.r.kept[b] && p->bufs[b].kind == BUF_ARENA) alive += p->bufs[b].bytes;
  if (alive / PARTS > d.least) d.least = alive / PARTS;
  if (alive / PARTS > d.mask) d.mask = alive / PARTS;
  d.large = alive / LARGE_PARTS > d.least ? alive / LARGE_PARTS : d.least;
  for (int i = 0; i <= d.r.at && i < (int)arrlen(p->steps); i++)
    if (p->steps[i].kind == PLAN_KERNEL) look_at_group(&d, &p->groups[p->steps[i].group]);
  if (arrlen(d.dropped)) remat_clone(&d.r);
  arrfree(d.dropped);
  remat_end(&d.r);
}
