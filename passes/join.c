/* join: sums of values that are padded to disjoint places -> these values, end to end.
 *
 *   before  y = pad(a) low=[0, 0] + pad(b) low=[0, 4] + pad(c) low=[0, 8] : f32[n, 12]     (a, b, c: f32[n, 4])
 *   after   y = concat(a, b, c) axis=1
 *
 * So is the gradient of a value put together that is only read in slices, as that of all gates of a recurrent layer.
 * A sum selects among its terms for each element, a concatenation copies each part, or has it made in its place
 * (parts.c). The places may have gaps, filled with zeros, on less than half of the axis. Only what is stored anyway and
 * read by no element-wise node, which would rather be one kernel with the sum.
 *
 * Why here: behind block, whose bodies take pads in and no concatenations. Needs: an expanded graph. Keeps: results but
 * for the sign of a zero. Breaks: nothing. */
#include "base/ds.h"
#include "passes/rewrite.h"
#include <stdlib.h>

enum { MAX_PARTS = 16 };

/* An operand of the sum: it begins at `low` along the axis and has the size `size` there. */
typedef struct Part {
  NodeId value; /* an old node */
  Dim low, size;
} Part;
typedef struct Join {
  Rewrite r;
  int *users;       /* by old node: how often it is read */
  bool *as_whole;   /* by old node: an output, or read by a product, a window or a region, maybe through views */
  bool *by_element; /* by old node: read by an element-wise node, maybe through reshapes */
  int axis;         /* of the sum that is looked at, -1: not known yet */
  Part part[MAX_PARTS];
  int n_parts;
} Join;

static void find_users(Join *j) {
  const Graph *g = j->r.g;
  size_t n = (size_t)j->r.n_old + 1;
  j->users = zeroed(n, sizeof *j->users);
  j->as_whole = zeroed(n, sizeof *j->as_whole);
  j->by_element = zeroed(n, sizeof *j->by_element);
  for (int i = 0; i < (int)arrlen(g->outputs); i++) j->as_whole[g->outputs[i]] = true;
  for (NodeId m = j->r.n_old; m-- > 1;) { /* users stand behind their operands */
    const Node *x = &j->r.old[m];
    OpClass c = op_info[x->op].cls;
    for (int k = 0; k < x->n_in && j->r.live[m]; k++) {
      NodeId a = x->in[k];
      j->users[a]++;
      j->by_element[a] |= c == MAP || (x->op == OP_reshape && j->by_element[m]);
      j->as_whole[a] |= c == CONTRACT || c == WINDOW || c == REGION || (c == VIEW && j->as_whole[m]);
    }
  }
}

static bool le(const Join *j, Dim a, Dim b) { return dim_le(j->r.g->dims, a, b) == DIM_YES; }
static Dim plus(const Join *j, Dim a, Dim b) { return dim_add(j->r.g->dims, a, b); }

/* The axis along which a pad with zeros adds elements, and no other; -1: none, or it cuts. */
static int padded_axis(const Join *j, const Node *x) {
  Type from = j->r.old[x->in[0]].type;
  int axis = -1;
  if (node_num(x, A_value) != 0) return -1;
  for (int k = 0; k < x->type.rank; k++) {
    Dim low = node_attr(x, A_low)->dims[k];
    if (dim_is(j->r.g->dims, low, 0) && from.shape[k] == x->type.shape[k]) continue;
    if (axis >= 0 || !le(j, dim_int(j->r.g->dims, 0), low)) return -1;
    if (!le(j, plus(j, low, from.shape[k]), x->type.shape[k])) return -1;
    axis = k;
  }
  return axis;
}

/* Takes a term in, in the order of the places. False: it has no place of its own. */
static bool take_part(Join *j, const Node *x) {
  int axis = padded_axis(j, x), at = 0;
  if (axis < 0 || (j->axis >= 0 && axis != j->axis) || j->n_parts == MAX_PARTS) return false;
  j->axis = axis;
  Part p = {x->in[0], node_attr(x, A_low)->dims[axis], j->r.old[x->in[0]].type.shape[axis]};
  while (at < j->n_parts && le(j, plus(j, j->part[at].low, j->part[at].size), p.low)) at++;
  if (at < j->n_parts && !le(j, plus(j, p.low, p.size), j->part[at].low)) return false;
  for (int i = j->n_parts++; i > at; i--) j->part[i] = j->part[i - 1];
  j->part[at] = p;
  return true;
}
/* The terms of sum n, of which those that are sums are read by it alone. */
static bool take_terms(Join *j, NodeId n) {
  const Node *x = &j->r.old[n];
  for (int k = 0; k < x->n_in; k++) {
    const Node *a = &j->r.old[x->in[k]];
    bool taken =
        a->op == OP_pad ? take_part(j, a) : a->op == OP_add && j->users[x->in[k]] == 1 && take_terms(j, x->in[k]);
    if (!taken) return false;
  }
  return true;
}

static bool joins(Join *j, NodeId n) {
  const Node *x = &j->r.old[n];
  if (x->op != OP_add || !j->as_whole[n] || j->by_element[n]) return false;
  j->axis = -1, j->n_parts = 0;
  if (!take_terms(j, n)) return false;
  Dim filled = dim_int(j->r.g->dims, 0);
  for (int i = 0; i < j->n_parts; i++) filled = plus(j, filled, j->part[i].size);
  return le(j, x->type.shape[j->axis], plus(j, filled, filled));
}

/* Zeros from place `from` to place `to` along the axis, where these differ. */
static void fill(Join *j, const Node *x, Dim from, Dim to, NodeId **in) {
  Graph *g = j->r.g;
  Type t = x->type;
  Dim shape[MAX_RANK];
  if (from == to) return;
  for (int k = 0; k < t.rank; k++) shape[k] = k == j->axis ? dim_sub(g->dims, to, from) : t.shape[k];
  arrput(*in, g_full(g, x->loc, 0, type_of(g->arena, t.dtype, t.rank, shape)));
}
static NodeId joined(Join *j, const Node x) {
  NodeId *in = NULL;
  Dim at = dim_int(j->r.g->dims, 0);
  for (int i = 0; i < j->n_parts; i++) {
    const Part *p = &j->part[i];
    fill(j, &x, at, p->low, &in);
    arrput(in, rewrite_get(&j->r, p->value));
    at = plus(j, p->low, p->size);
  }
  fill(j, &x, at, x.type.shape[j->axis], &in);
  NodeId y = g_concat(j->r.g, x.loc, in, (int)arrlen(in), j->axis);
  arrfree(in);
  return y;
}

void pass_join(Graph *g, const Prog *prog, const Entry *entry) {
  rewrite_regions(g, pass_join, prog, entry);
  Join j = {.r = rewrite_begin(g)};
  find_users(&j);
  for (NodeId n = 1; n < j.r.n_old; n++)
    if (j.r.live[n]) rewrite_to(&j.r, n, joins(&j, n) ? joined(&j, j.r.old[n]) : rewrite_copy(&j.r, n));
  free(j.users), free(j.as_whole), free(j.by_element);
  rewrite_end(&j.r);
}
