/* dce: nodes that no output needs are dropped.
 *
 *   before  y = a + b; t = a * b; out y        after  y = a + b; out y
 *
 * Why here: last, so that nothing later sees what other passes left behind.
 * Needs: nothing. Keeps: everything outputs can see; IMPURE nodes. Breaks: nothing. */
#include "passes/rewrite.h"

void pass_dce(Graph *g, const Prog *prog, const Entry *entry) {
  rewrite_regions(g, pass_dce, prog, entry);
  Rewrite r = rewrite_begin(g);
  for (NodeId n = 1; n < r.n_old; n++)
    if (r.live[n]) rewrite_to(&r, n, rewrite_copy(&r, n));
  rewrite_end(&r);
}
