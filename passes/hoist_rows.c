/* hoist, products: what a loop computes of its rows and of fixed values alone is computed for all rows at once.
 *
 *   before  scan(h; x; w) { .. x w .. }          after  y = X w; scan(h; y; w) { .. y .. }
 *
 * Only products with a fixed operand move, with what is made of them element by element: one product with a large first
 * operand is many times faster than one per row. What they are made of is batched along with them (passes/vmap.h); trim
 * drops rows that the body no longer reads.
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

/* By node: the only node that reads it; 0 when there is none, or it is a result of the body. */
static NodeId *only_users(const Hoist *l) {
  NodeId n_nodes = (NodeId)arrlen(l->body->nodes), *user = arena_array(l->g->arena, NodeId, n_nodes);
  int *uses = arena_array(l->g->arena, int, n_nodes);
  for (NodeId n = 1; n < n_nodes; n++) {
    const Node *d = graph_node(l->body, n);
    for (int k = 0; k < d->n_in; k++) uses[d->in[k]]++, user[d->in[k]] = n;
  }
  for (int i = 0; i < (int)arrlen(l->body->outputs); i++) uses[l->body->outputs[i]]++;
  for (NodeId n = 1; n < n_nodes; n++)
    if (uses[n] != 1) user[n] = 0;
  return user;
}
/* What is made of the product n alone, element by element, and of rows and fixed values: a bias, an activation. It is
 * one row for all rows as well, and takes the product's place; but an epilogue wants scratch of every thread, so that
 * where memory is short the product moves alone. */
static NodeId end_of_chain(const Hoist *l, const bool *of, const NodeId *user, NodeId n) {
  while (!l->tight && user[n] && of[user[n]] && op_info[graph_node(l->body, user[n])->op].cls == MAP) n = user[n];
  return n;
}
static bool is_in(const NodeId *list, NodeId n) {
  for (int i = 0; i < (int)arrlen(list); i++)
    if (list[i] == n) return true;
  return false;
}

void hoist_products(Hoist *l) {
  NodeId *values = NULL;
  const bool *of = by_row(l);
  int64_t have = hoist_stack_bytes(l);
  const NodeId *user = only_users(l);
  for (NodeId n = 1; n < (NodeId)arrlen(l->body->nodes); n++) {
    if (!is_row_product(l, of, n)) continue;
    NodeId end = end_of_chain(l, of, user, n);
    if (!is_in(values, end) && hoist_pays(l, graph_type(l->body, end), have)) arrput(values, end);
  }
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
