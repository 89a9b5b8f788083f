/* simplify: local rewrites, row by row of rewrites.def, until none fires.
 *
 *   before  y = transpose(transpose(a)) * 1        after  y = a
 *
 * Why here: gradients leave products by 1, sums of negations, reshapes of reshapes; fold and cse uncover more.
 * Needs: nothing (stop_gradient goes only when no gradient is left). Keeps: every bit for EXACT rows.
 * Breaks: nothing; the place of a result is that of the node it replaces. */
#include "passes/simplify.h"
#include "base/ds.h"
#include "passes/mutate.h"
#include "passes/rewrite.h"
#include <string.h>

const RewriteRow rewrite_rows[] = {
#define OP_none OP_NONE
#define ROW(name, op, kind, before, after) {#name, OP_##op, kind, when_##name, then_##name, before, after},
#include "passes/rewrites.def"
#undef ROW
#undef OP_none
};
const int rewrite_row_count = sizeof rewrite_rows / sizeof *rewrite_rows;

enum { MAX_ROUNDS = 16, MAX_FIRES = 64 };

bool simp_same(double a, double b) { return !memcmp(&a, &b, sizeof a); }
bool simp_full(const Simplify *s, const Node *d, int k, double v) {
  const Node *a = simp_in(s, d, k);
  return a->op == OP_full && simp_same(node_num(a, A_value), v);
}

static NodeId try_row(const Simplify *s, const RewriteRow *row, NodeId n) {
  const Node *d = graph_node(s->g, n);
  if (row->op != OP_NONE && row->op != d->op) return 0;
  if (s->exact && row->kind != EXACT) return 0;
  if (!mutate_rewrite(row->name) && !row->when(s, d)) return 0;
  return row->then(s, *d);
}

/* The node that n becomes. */
static NodeId simplify_node(const Simplify *s, NodeId n, bool *changed) {
  for (int left = MAX_FIRES; left > 0; left--) {
    NodeId now = 0;
    for (int i = 0; i < rewrite_row_count && !now; i++) {
      now = try_row(s, &rewrite_rows[i], n);
      if (now == n) now = 0;
      if (now && s->fired) s->fired[i]++;
    }
    if (!now) return n;
    *changed = true;
    n = now;
  }
  INTERNAL("simplify: the rows do not end at %s", op_info[graph_node(s->g, n)->op].name);
}

static bool simplify_round(Graph *g, const Simplify *s) {
  Rewrite r = rewrite_begin(g);
  bool changed = false;
  for (NodeId n = 1; n < r.n_old; n++) {
    if (!r.live[n]) continue;
    NodeId now = rewrite_copy(&r, n);
    if (graph_type(g, now).dtype != TUPLE) now = simplify_node(s, now, &changed);
    rewrite_to(&r, n, now);
  }
  rewrite_end(&r);
  return changed;
}

void simplify_graph(Graph *g, bool exact, int *fired) {
  Simplify s = {.g = g, .plain = !rewrite_has_transforms(g), .exact = exact, .fired = fired};
  for (int round = 0; round < MAX_ROUNDS && simplify_round(g, &s); round++) {
  }
}

void pass_simplify(Graph *g, const Prog *prog, const Entry *entry) {
  rewrite_regions(g, pass_simplify, prog, entry);
  simplify_graph(g, false, NULL);
}
