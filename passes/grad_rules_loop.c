/* Gradient rules of loops.
 *
 *   h, y.. = scan(h0; x..; w) { h', y = f(h, x, w) }
 *
 * becomes a scan in the other direction that carries dh and the sums of dw, and stacks dx:
 *
 *   dh0, dw; dx.. = scan(dh, 0; x.., h.., kept.., dy..; w) { (dh, dx, dwt) = f'(dh, dy); dh, dw + dwt, dx }
 *
 * where the forward scan stacks the carried values before each iteration and what else the reverse keeps (passes/
 * grad_joint.h). Only carried values, rows and captures that a gradient passes through take part. */
#include "base/ds.h"
#include "passes/grad_joint.h"
#include <stdlib.h>
#include <string.h>
#define RULE(name) void grad_##name(Grad *c, NodeId n, NodeId dy)

typedef struct Scan {
  Grad *c;
  NodeId n;
  Node d; /* the forward scan as it was */
  int carried, rows, n_out;
  Dim length;
  Joint j;
  bool *seeded;   /* by output of the body: its gradient exists */
  NodeId *map;    /* joint -> body of the reverse */
  Graph *body;    /* of the reverse */
  NodeId *in;     /* stb_ds: operands of the reverse */
  Graph *forward; /* the new body of the forward scan */
  Type *results;  /* stb_ds: of the new forward scan */
} Scan;

/* Marks the inputs that outputs in `out` are made of by differentiable ops. Operands of regions all count. */
static void reach_inputs(const Graph *body, const bool *out, bool *in) {
  bool *met = zeroed((size_t)arrlen(body->nodes), sizeof *met);
  for (ptrdiff_t i = 0; i < arrlen(body->outputs); i++) met[body->outputs[i]] |= out[i];
  for (NodeId n = (NodeId)arrlen(body->nodes); n-- > 1;) {
    const Node *d = graph_node(body, n);
    if (!met[n]) continue;
    if (d->op == OP_input) in[node_int(body, d, A_index)] = true;
    if (grad_rules[d->op] == grad_zero || (!dtype_is_float(d->type.dtype) && d->type.dtype != TUPLE)) continue;
    for (int k = 0; k < d->n_in; k++) met[d->in[k]] = true;
  }
  free(met);
}

/* What takes part: seeded outputs (a carried value's gradient comes from behind the loop or from a later iteration) and
 * wanted inputs. */
static bool *take_part(Scan *s) {
  Grad *c = s->c;
  const bool *live = c->live[s->n];
  NodeId *parts = c->parts[s->n];
  s->seeded = arena_array(c->g->arena, bool, s->n_out + 1);
  bool *wanted = arena_array(c->g->arena, bool, s->d.n_in + 1),
       *reached = arena_array(c->g->arena, bool, s->d.n_in + 1);
  for (int k = 0; k < s->d.n_in; k++) wanted[k] = k < s->carried ? live[k] : grad_wants(c, s->n, k);
  for (int i = 0; i < s->n_out; i++) s->seeded[i] = parts && parts[i];
  for (bool more = true; more;) {
    more = false;
    reach_inputs(s->d.regions[0], s->seeded, reached);
    for (int i = 0; i < s->carried; i++) {
      if (s->seeded[i] || !reached[i] || !wanted[i]) continue;
      s->seeded[i] = more = true;
    }
  }
  for (int i = 0; i < s->carried; i++) wanted[i] &= s->seeded[i];
  return wanted;
}

static Type stack_type(Scan *s, Type t) {
  Dim shape[MAX_RANK + 1] = {s->length};
  for (int k = 0; k < t.rank; k++) shape[k + 1] = t.shape[k];
  return type_of(s->c->g->arena, t.dtype, t.rank + 1, shape);
}

/* The stack of a value of the forward body, made if there is none; a value of MAX_RANK axes is stacked flat. */
static NodeId forward_stack(Scan *s, NodeId v) {
  Grad *c = s->c;
  Type t = graph_type(s->forward, v);
  if (t.rank == MAX_RANK) {
    Dim flat = type_count(c->g->dims, t);
    v = g_reshape(s->forward, c->loc, v, 1, &flat);
    t = graph_type(s->forward, v);
  }
  int at = s->carried;
  while (at < (int)arrlen(s->forward->outputs) && s->forward->outputs[at] != v) at++;
  if (at == (int)arrlen(s->forward->outputs)) {
    arrput(s->forward->outputs, v);
    arrput(s->results, stack_type(s, t));
    Node *d = &c->g->nodes[s->n];
    d->results = arena_copy(c->g->arena, s->results, sizeof *s->results * (size_t)arrlen(s->results));
    d->n_results = (int)arrlen(s->results);
  }
  return g_get(c->g, c->loc, s->n, at);
}

/* A further operand of the reverse and its node in the body. */
static NodeId reverse_input(Scan *s, NodeId x, Type t) {
  arrput(s->in, x);
  return g_input(s->body, s->c->loc, t);
}

/* A row of the reverse that holds node v of the forward body. */
static void kept_row(Scan *s, NodeId v) {
  Type t = graph_type(s->j.g, v);
  NodeId x = forward_stack(s, v);
  Type row = graph_type(s->c->g, x);
  NodeId r = reverse_input(s, x, type_of(s->c->g->arena, row.dtype, row.rank - 1, row.shape + 1));
  s->map[v] = shape_same(graph_type(s->body, r), t) ? r : g_reshape(s->body, s->c->loc, r, t.rank, t.shape);
}

/* A carried value that no iteration changes is a capture. */
static bool is_passed_on(const Scan *s, int i) { return i < s->carried && s->j.g->outputs[i] == s->j.in[i]; }

/* Operands of the reverse: carried gradients and sums, rows, captures. Returns how many rows there are. */
static int reverse_operands(Scan *s, NodeId *sums) {
  Grad *c = s->c;
  Joint *j = &s->j;
  int first_capture = s->carried + s->rows;
  for (int i = 0; i < s->carried; i++) {
    if (!s->seeded[i]) continue;
    NodeId part = c->parts[s->n][i], start = part ? part : g_full(c->g, c->loc, 0, s->d.results[i]);
    s->map[j->us[i]] = reverse_input(s, start, s->d.results[i]);
  }
  for (int k = first_capture; k < s->d.n_in; k++) {
    Type t = j->g->input_types[k];
    if (j->dxs[k]) sums[k] = reverse_input(s, g_full(c->g, c->loc, 0, t), t);
  }
  int before = (int)arrlen(s->in);
  for (int k = s->carried; k < first_capture; k++)
    if (joint_needs_input(j, k)) s->map[j->in[k]] = reverse_input(s, s->d.in[k], j->g->input_types[k]);
  for (int i = 0; i < s->carried; i++)
    if (joint_needs_input(j, i) && !is_passed_on(s, i)) kept_row(s, j->in[i]);
  for (int i = 0; i < (int)arrlen(j->keep); i++) kept_row(s, j->keep[i]);
  for (int i = s->carried; i < s->n_out; i++)
    if (s->seeded[i]) {
      Type t = graph_type(j->g, j->us[i]);
      s->map[j->us[i]] = reverse_input(s, c->parts[s->n][i], t);
    }
  int n_rows = (int)arrlen(s->in) - before;
  for (int k = 0; k < s->d.n_in; k++)
    if ((k >= first_capture || is_passed_on(s, k)) && joint_needs_input(j, k))
      s->map[j->in[k]] = reverse_input(s, s->d.in[k], j->g->input_types[k]);
  return n_rows;
}

/* The reverse scan, and its results to the operands. */
static void reverse_scan(Scan *s) {
  Grad *c = s->c;
  Joint *j = &s->j;
  NodeId *sums = arena_array(c->g->arena, NodeId, s->d.n_in + 1);
  s->map = joint_map(j);
  s->body = graph_new(c->g->arena, c->g->dims, c->g->diag);
  s->forward = joint_forward(j);
  for (int i = 0; i < s->d.n_results; i++) arrput(s->results, s->d.results[i]);
  int n_rows = reverse_operands(s, sums);
  c->g->nodes[s->n].regions = arena_copy(c->g->arena, &s->forward, sizeof s->forward);
  joint_reverse(j, s->body, s->map);
  for (int i = 0; i < s->carried; i++) {
    if (!s->seeded[i]) continue;
    NodeId zero = j->dxs[i] ? 0 : g_full(s->body, c->loc, 0, s->d.results[i]);
    arrput(s->body->outputs, zero ? zero : s->map[j->dxs[i]]);
  }
  for (int k = s->carried + s->rows; k < s->d.n_in; k++)
    if (sums[k]) arrput(s->body->outputs, g_map2(s->body, OP_add, c->loc, sums[k], s->map[j->dxs[k]]));
  int n_carried = (int)arrlen(s->body->outputs);
  for (int k = s->carried; k < s->carried + s->rows; k++)
    if (j->dxs[k]) arrput(s->body->outputs, s->map[j->dxs[k]]);
  int64_t forth = node_int(c->g, &s->d, A_reverse);
  Attr attrs[4] = {attr_int(c->g, A_carried, n_carried), attr_int(c->g, A_rows, n_rows),
                   attr_dim(c->g, A_length, s->length), attr_int(c->g, A_reverse, !forth)};
  NodeId t = graph_add_region(c->g, OP_scan, c->loc, s->in, (int)arrlen(s->in), attrs, 4, &s->body, 1);
  int at = 0;
  for (int i = 0; i < s->carried; i++) {
    if (!s->seeded[i]) continue;
    if (grad_wants(c, s->n, i)) grad_give(c, s->n, i, g_get(c->g, c->loc, t, at));
    at++;
  }
  for (int k = s->carried + s->rows; k < s->d.n_in; k++)
    if (sums[k]) grad_give(c, s->n, k, g_get(c->g, c->loc, t, at++));
  for (int k = s->carried; k < s->carried + s->rows; k++)
    if (j->dxs[k]) grad_give(c, s->n, k, g_get(c->g, c->loc, t, at++));
}

RULE(scan) {
  (void)dy;
  Scan s = {.c = c, .n = n, .d = *graph_node(c->g, n)};
  s.carried = (int)node_int(c->g, &s.d, A_carried);
  s.rows = (int)node_int(c->g, &s.d, A_rows);
  s.length = node_dim(&s.d, A_length);
  s.n_out = (int)arrlen(s.d.regions[0]->outputs);
  bool *wanted = take_part(&s);
  if (joint_build(c, s.d.regions[0], s.seeded, wanted, &s.j)) {
    joint_needs(&s.j, s.carried);
    reverse_scan(&s);
  }
  joint_free(&s.j);
  arrfree(s.in);
  arrfree(s.results);
}

/* Once the condition is false the carried values stay as they are, and so does the condition. */
bool while_to_scan(Graph *g, NodeId n) {
  Node d = *graph_node(g, n);
  Dim limit = node_dim(&d, A_limit);
  if (dim_is(g->dims, limit, -1)) return false;
  int carried = (int)node_int(g, &d, A_carried);
  Graph *body = graph_new(g->arena, g->dims, g->diag), *stay = graph_new(g->arena, g->dims, g->diag);
  NodeId *in = arena_array(g->arena, NodeId, d.n_in + 2);
  for (int k = 0; k < d.n_in; k++) {
    Type t = graph_type(g, d.in[k]);
    in[1 + k] = g_input(body, d.loc, t);
    NodeId same = g_input(stay, d.loc, t);
    if (k < carried) arrput(stay->outputs, same);
  }
  graph_inline(body, d.regions[0], in + 1, in);
  NodeId t = graph_add_region(body, OP_cond, d.loc, in, d.n_in + 1, NULL, 0, (Graph *[]){d.regions[1], stay}, 2);
  for (int i = 0; i < carried; i++) arrput(body->outputs, g_get(body, d.loc, t, i));
  Node *w = &g->nodes[n];
  Attr attrs[4] = {attr_int(g, A_carried, carried), attr_int(g, A_rows, 0), attr_dim(g, A_length, limit),
                   attr_int(g, A_reverse, 0)};
  w->op = OP_scan;
  w->n_attrs = 4;
  w->attrs = arena_copy(g->arena, attrs, sizeof attrs);
  w->n_regions = 1;
  w->regions = arena_copy(g->arena, &body, sizeof body);
  return true;
}

RULE(while) {
  if (while_to_scan(c->g, n)) {
    grad_scan(c, n, dy);
    return;
  }
  if (c->failed) return;
  c->failed = true;
  diag_error(c->g->diag, graph_node(c->g, n)->loc, E0791, "no gradient passes through a `while` without a limit");
  diag_note(c->g->diag, c->asked, "the gradient is asked for here");
  diag_help(c->g->diag, "`while c limit n { ... }` keeps what at most n iterations need");
}
