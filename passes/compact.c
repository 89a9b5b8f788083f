/* compact: gradients of tables of which few rows are looked up are stored for these rows alone.
 *
 *   before  g = scatter_add(0, i, u)                                   g: [rows, ..], as large as the table
 *   after   last = scatter_set(-1, i, 0 1 2 ..); k = last[i]           last: [rows], the last u that goes to a row, or
 * -1 f = scatter_add(0, k, u); g = where(last >= 0, f[max(last, 0)], 0)      f: [number of indices + 1, ..]
 *
 * Fusion makes an element of g where it is used, as in the update of the table. The sums are those of before, in the
 * same order. Only where g is used by element-wise nodes alone, has LEAST bytes and PART times as many rows as there
 * are indices, of which there is at least one.
 *
 * Why here: behind simplify, which knows indices that are neighbours. Needs: an expanded graph, and a bound of the
 * number of indices. Keeps: bits. Breaks: nothing. */
#include "base/ds.h"
#include "passes/rewrite.h"
#include <stdlib.h>

enum { LEAST = 1 << 20, PART = 4 };

/* By node: is it an output, or an operand of one that is not element-wise? */
static bool *used_as_whole(const Rewrite *r) {
  bool *whole = zeroed((size_t)r->n_old + 1, sizeof *whole);
  for (int i = 0; i < (int)arrlen(r->g->outputs); i++) whole[r->g->outputs[i]] = true;
  for (NodeId n = 1; n < r->n_old; n++) {
    const Node *x = &r->old[n];
    for (int k = 0; k < x->n_in && op_info[x->op].cls != MAP; k++) whole[x->in[k]] = true;
  }
  return whole;
}

static bool zero(const Node *x) { return x->op == OP_full && node_num(x, A_value) == 0; }

static bool pays(const Rewrite *r, const Node *x) {
  DimTab *d = r->g->dims;
  Type t = x->type;
  if (x->op != OP_scatter_add || node_int(r->g, x, A_axis) || node_int(r->g, x, A_batch)) return false;
  if (t.rank < 2 || !zero(&r->old[x->in[0]])) return false;
  Dim few = type_count(d, r->old[x->in[1]].type);
  int64_t rows, most = dim_upper(d, few), all = dim_upper(d, type_count(d, t));
  if (!dim_is_int(d, t.shape[0], &rows) || most < 0 || most > rows / PART || all < 0) return false;
  return all * dtype_size(t.dtype) >= LEAST;
}

static NodeId compacted(Rewrite *r, const Node x) {
  Graph *g = r->g;
  Type t = x.type;
  Dim few = type_count(g->dims, r->old[x.in[1]].type), shape[MAX_RANK];
  int first = 0;
  for (int k = 0; k < t.rank; k++) shape[k] = k ? t.shape[k] : few;
  NodeId i = g_reshape(g, x.loc, rewrite_get(r, x.in[1]), 1, &few);
  NodeId u = g_reshape(g, x.loc, rewrite_get(r, x.in[2]), t.rank, shape);
  shape[0] = dim_add(g->dims, few, dim_int(g->dims, 1));
  Type number = type_of(g->arena, I32, 1, &few), row = type_of(g->arena, I32, 1, t.shape);
  NodeId none = g_full(g, x.loc, -1, row);
  NodeId last = g_scatter(g, OP_scatter_set, x.loc, none, i, g_iota(g, x.loc, number, 0), 0, 0);
  NodeId sums = g_full(g, x.loc, 0, type_of(g->arena, t.dtype, t.rank, shape));
  sums = g_scatter(g, OP_scatter_add, x.loc, sums, g_gather(g, x.loc, last, i, 0, 0), u, 0, 0);
  NodeId at = g_map2(g, OP_maximum, x.loc, last, g_full(g, x.loc, 0, row));
  NodeId some = g_map2(g, OP_ge, x.loc, last, g_full(g, x.loc, 0, row));
  some = g_broadcast(g, x.loc, some, t.rank, t.shape, &first);
  return g_where(g, x.loc, some, g_gather(g, x.loc, sums, at, 0, 0), g_full(g, x.loc, 0, t));
}

void pass_compact(Graph *g, const Prog *prog, const Entry *entry) {
  rewrite_regions(g, pass_compact, prog, entry);
  Rewrite r = rewrite_begin(g);
  bool *whole = used_as_whole(&r);
  for (NodeId n = 1; n < r.n_old; n++)
    if (r.live[n]) rewrite_to(&r, n, !whole[n] && pays(&r, &r.old[n]) ? compacted(&r, r.old[n]) : rewrite_copy(&r, n));
  free(whole);
  rewrite_end(&r);
}
