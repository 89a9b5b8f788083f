/* hoist, products: what a loop computes of its rows and of fixed values alone is computed for all rows at once.
 *
 *   before  scan(h; x; w) { .. x w .. }          after  y = X w; scan(h; y; w) { .. y .. }
 *
 * Only products with a fixed operand move: one product with a large first operand is many times faster than one per
 * row. What they are made of is batched along with them (passes/vmap.h); trim drops rows that the body no longer reads.
 */
#include "passes/hoist.h"
#include "passes/rewrite.h"
#include "passes/vmap.h"
#include "base/ds.h"

/* By node: made of rows and fixed values alone. */
static bool *by_row(const Hoist *l) {
  NodeId n_nodes = (NodeId)arrlen(l->body->nodes);
  bool *of = arena_array(l->g->arena, bool, n_nodes);
  for (NodeId n = 1; n < n_nodes; n++) {
    const Node *d = graph_node(l->body, n);
    int i = hoist_input(l->body, n);
    of[n] = i >= 0 ? i >= l->carried : !(op_info[d->op].flags & IMPURE);
    for (int k = 0; k < d->n_in; k++) of[n] &= of[d->in[k]] || l->fixed[d->in[k]];
  }
  return of;
}

static bool is_row_product(const Hoist *l, const bool *of, NodeId n) {
  const Node *d = graph_node(l->body, n);
  return d->op == OP_dot && of[n] && !l->fixed[n] && (l->fixed[d->in[0]] || l->fixed[d->in[1]]);
}

void hoist_products(Hoist *l) {
  NodeId *values = NULL;
  const bool *of = by_row(l);
  int64_t have = hoist_stack_bytes(l);
  for (NodeId n = 1; n < (NodeId)arrlen(l->body->nodes); n++)
    if (is_row_product(l, of, n) && hoist_pays(l, graph_type(l->body, n), have)) arrput(values, n);
  int n = (int)arrlen(values);
  if (n) {
    Lane *in = arena_array(l->g->arena, Lane, l->d.n_in + 1), *out = arena_array(l->g->arena, Lane, n + 1);
    for (int k = 0; k < l->d.n_in; k++) in[k] = (Lane){l->d.in[k], k >= l->carried && k < l->carried + l->rows};
    if (vmap_body(l->g, hoist_cone(l, values, n), l->length, l->d.loc, in, out))
      for (int i = 0; i < n; i++)
        hoist_make_input(l, values[i], l->carried + l->rows++, vmap_stack(l->g, l->length, l->d.loc, out[i]));
    Attr *attrs = arena_copy(l->g->arena, l->d.attrs, sizeof *attrs * l->d.n_attrs);
    for (int k = 0; k < l->d.n_attrs; k++)
      if (attrs[k].key == A_rows) attrs[k] = attr_int(l->g, A_rows, l->rows);
    l->d.attrs = attrs;
  }
  arrfree(values);
}
