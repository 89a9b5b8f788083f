/* keep: values of prints and checks that are old values of cells get a node of their own.
 *
 *   before  c = cell 0; n = c + 1; writes cell 0 = n; print c        after  k = reshape(c); print k
 *
 * Prints and checks run after the last kernel, when the cell holds its new value already; a node that is no cell gets a
 * buffer, which is filled before the cell is replaced.
 * Why here: last, since simplify would take the reshape for what it is.
 * Needs: the final graph. Keeps: bits. Breaks: nothing. */
#include "passes/rewrite.h"
#include "base/ds.h"

static bool writes(const Entry *entry, int64_t cell) {
  for (int i = 0; i < (int)arrlen(entry->writes); i++)
    if (entry->writes[i] == cell) return true;
  return false;
}

void pass_keep(Graph *g, const Prog *prog, const Entry *entry) {
  int first = entry ? entry->n_results + entry->n_reports + (int)arrlen(entry->writes) : (int)arrlen(g->outputs);
  for (int i = first; i < (int)arrlen(g->outputs); i++) {
    Node d = *graph_node(g, g->outputs[i]);
    if (d.op != OP_cell || !writes(entry, node_int(g, &d, A_cell))) continue;
    g->outputs[i] = g_reshape(g, d.loc, g->outputs[i], d.type.rank, d.type.shape);
  }
}
