/* block: products that share batch axes, with what stands between them, become one loop over the elements of these
 * axes.
 *
 *   before  s = dot(q, k) [b, h, t, u]; e = exp(s - max s); y = dot(e / sum e, v) [b, h, t, c]
 *   after   y = vmap(i; q, k, v) { s = dot(q[i], k[i]) [t, u]; .. dot(.., v[i]) }, as y[b, h, t, c]
 *
 * The plan gives each thread whole elements, so what stands between the products stays in its cache and takes memory
 * for one element only; large elements are dealt with by all threads, one after the other. The axes are followed from a
 * product's batch labels through everything that is parallel in them, wherever they are in a node; no order of
 * operations is known here. The members are the nodes on ways from product to product, and what is made of the last
 * one's result. A way that leaves the members and comes back, as from the forward part of a step to its gradient,
 * begins a new block; large values of an earlier one (probabilities) are made again from what is small (q, k, the row's
 * largest and sum) or read there anyway (exponentials), and so need not live as long.
 * A product of rows with weights is the only one of its block where what is made of its values folds them, as the loss
 * of a label for each row does.
 *
 * Why here: after all that moves work between loops; before retrim, which drops what bodies take in for nothing.
 * Needs: an expanded graph. Keeps: bits of everything but the order of sums in products. Breaks: nothing. */
#include "passes/block.h"
#include "base/ds.h"
#include <stdlib.h>
#include <string.h>

enum {
  SAVED_BYTES = 32 << 10,  /* that need not be stored, at least */
  LEAST_ELEMENT = 2 << 10, /* bytes of the largest value inside, for one element: otherwise calls would cost too much */
  LARGE_ELEMENT = 1 << 20, /* .. and from here on there is enough to do for all threads in one element */
  FEW = 4                  /* elements: threads would have nothing to do */
};

typedef struct User {
  NodeId node;
  int operand;
} User;
typedef struct Search {
  Graph *g;
  NodeId n_nodes;
  bool *live;
  User *users; /* grouped by operand: those of node n are users[first[n]] .. users[first[n + 1]] */
  int *first;
  bool *done;     /* products that belong to a family */
  Block **blocks; /* stb_ds */
  int *block_of;  /* by node: its block + 1, or 0 */
} Search;

static const Node *node_of(const Search *s, NodeId n) { return graph_node(s->g, n); }

static void find_users(Search *s) {
  Arena *a = s->g->arena;
  s->live = arena_array(a, bool, s->n_nodes + 1);
  s->first = arena_array(a, int, s->n_nodes + 2);
  for (int i = 0; i < (int)arrlen(s->g->outputs); i++) s->live[s->g->outputs[i]] = true;
  for (NodeId n = s->n_nodes; n-- > 1;) {
    const Node *x = node_of(s, n);
    s->live[n] |= (op_info[x->op].flags & IMPURE) != 0;
    for (int k = 0; k < x->n_in && s->live[n]; k++) s->live[x->in[k]] = true, s->first[x->in[k] + 1]++;
  }
  for (NodeId n = 0; n <= s->n_nodes; n++) s->first[n + 1] += s->first[n];
  s->users = arena_array(a, User, s->first[s->n_nodes + 1] + 1);
  int *at = arena_array(a, int, s->n_nodes + 1);
  for (NodeId n = 1; n < s->n_nodes; n++)
    for (int k = 0; k < node_of(s, n)->n_in && s->live[n]; k++) {
      NodeId o = node_of(s, n)->in[k];
      s->users[s->first[o] + at[o]++] = (User){n, k};
    }
}

/* ---- a family ---- */

static bool same_lead(const Family *f, const Lead *a, const Lead *b) {
  return !memcmp(a->axis, b->axis, sizeof *a->axis * (size_t)f->n);
}

/* The axes of the result that both operands of a product have: its batch, without those of one element. */
static int batch_axes(const Graph *g, const Node *x, Lead *lead) {
  int64_t la[MAX_RANK], lb[MAX_RANK], ly[MAX_RANK];
  int na = node_ints(g, x, A_la, la, MAX_RANK), nb = node_ints(g, x, A_lb, lb, MAX_RANK);
  int ny = node_ints(g, x, A_ly, ly, MAX_RANK), n = 0;
  for (int i = 0; i < ny; i++) {
    bool in_a = false, in_b = false;
    for (int k = 0; k < na; k++) in_a |= la[k] == ly[i];
    for (int k = 0; k < nb; k++) in_b |= lb[k] == ly[i];
    if (!in_a || !in_b || dim_is(g->dims, x->type.shape[i], 1)) continue;
    if (n == MAX_LEAD) return 0;
    lead->axis[n++] = (int8_t)i;
  }
  return n;
}

/* Do the axes go on from this node to its operands and users? One operand of a product must have all of them and the
 * other some: a product of rows with fixed weights is none of many small ones. */
static bool goes_on(const Family *f, NodeId n) {
  const Node *x = graph_node(f->g, n);
  Lead at;
  if (op_info[x->op].cls == VIEW) return x->op != OP_concat;
  if (!block_member_kind(f->g, n)) return false;
  if (x->op != OP_dot) return true;
  if (f->tail) return n == f->tail;
  int a = lead_axes_of_operand(f->g, n, &f->lead[n], f->n, 0, &at);
  int b = lead_axes_of_operand(f->g, n, &f->lead[n], f->n, 1, &at);
  if (f->rows) return a || b;
  bool room =
      graph_type(f->g, x->in[0]).rank - a + f->n <= MAX_RANK && graph_type(f->g, x->in[1]).rank - b + f->n <= MAX_RANK;
  return a && b && (a == f->n || b == f->n) && room;
}

/* Node n has its lead axes there; `blame` is given up when it has others already. */
static void reach(Family *f, NodeId n, const Lead *lead, NodeId blame, NodeId **todo) {
  if (f->known[n]) {
    if (!same_lead(f, lead, &f->lead[n])) f->bad[blame] = true;
    return;
  }
  f->known[n] = true;
  f->lead[n] = *lead;
  arrput(*todo, n);
}

static void follow(const Search *s, Family *f, NodeId seed, const Lead *lead) {
  NodeId *todo = NULL;
  reach(f, seed, lead, seed, &todo);
  while (arrlen(todo)) {
    NodeId n = arrpop(todo);
    Lead at;
    if (!goes_on(f, n)) continue;
    const Node *x = node_of(s, n);
    for (int k = 0; k < x->n_in && n != f->tail; k++)
      if (lead_of_operand(s->g, n, &f->lead[n], f->n, k, &at)) reach(f, x->in[k], &at, n, &todo);
    for (int i = s->first[n]; i < s->first[n + 1]; i++) {
      User u = s->users[i];
      if (lead_of_user(s->g, u.node, u.operand, &f->lead[n], f->n, &at)) reach(f, u.node, &at, u.node, &todo);
    }
  }
  arrfree(todo);
}

/* Both ends of the edge have the axes, and they are the same ones. */
static bool joined(const Family *f, NodeId user, int k) {
  NodeId n = graph_node(f->g, user)->in[k];
  Lead at;
  return f->known[user] && !f->bad[user] && f->known[n] && !f->bad[n] && goes_on(f, user) && goes_on(f, n) &&
         lead_of_operand(f->g, user, &f->lead[user], f->n, k, &at) && same_lead(f, &at, &f->lead[n]);
}

/* Ways that are followed begin at a product; they end at one, or, behind the only one, at what makes rows small. */
static bool begins(const Family *f, NodeId n) { return f->tail ? n == f->tail : graph_node(f->g, n)->op == OP_dot; }
static bool ends(const Family *f, NodeId n) {
  const Node *x = graph_node(f->g, n);
  return f->tail ? op_info[x->op].cls == REDUCE || op_info[x->op].cls == GATHER : x->op == OP_dot;
}

/* Members: on ways between products, and element-wise nodes behind the last one. */
static void choose_members(const Search *s, Family *f) {
  bool *inside = f->inside;
  bool *from = zeroed(s->n_nodes + 1, 1), *to = zeroed(s->n_nodes + 1, 1);
  for (NodeId n = 1; n < s->n_nodes; n++) {
    if (!s->live[n] || !f->known[n] || f->bad[n] || !goes_on(f, n)) continue;
    from[n] = begins(f, n);
    for (int k = 0; k < node_of(s, n)->n_in; k++) from[n] |= joined(f, n, k) && from[node_of(s, n)->in[k]];
  }
  for (NodeId n = s->n_nodes; n-- > 1;) {
    if (!from[n]) continue;
    to[n] = ends(f, n);
    for (int i = s->first[n]; i < s->first[n + 1]; i++)
      to[n] |= joined(f, s->users[i].node, s->users[i].operand) && to[s->users[i].node];
    inside[n] = to[n];
    f->member[n] = inside[n] && block_member_kind(s->g, n);
  }
  for (NodeId n = 1; n < s->n_nodes; n++) { /* behind */
    const Node *x = node_of(s, n);
    int made = 0;
    if (!from[n] || to[n] || op_info[x->op].cls != MAP) continue;
    for (int k = 0; k < x->n_in; k++)
      made += !f->member[x->in[k]] ? 0 : s->first[x->in[k] + 1] - s->first[x->in[k]] == 1 && joined(f, n, k) ? 1 : 2;
    f->member[n] = inside[n] = made == 1;
  }
  free(from), free(to);
}

/* Returns how many levels there are. */
static int find_levels(const Search *s, Family *f) {
  const bool *inside = f->inside;
  int most = 0;
  for (NodeId n = 1; n < s->n_nodes; n++) {
    if (!s->live[n]) continue;
    const Node *x = node_of(s, n);
    for (int k = 0; k < x->n_in; k++) {
      int level = f->level[x->in[k]] + (inside[x->in[k]] && !(inside[n] && joined(f, n, k)));
      if (level > f->level[n]) f->level[n] = level;
    }
    if (f->member[n] && f->level[n] >= most) most = f->level[n] + 1;
  }
  return most;
}

/* ---- blocks ---- */

static NodeId behind_views(const Search *s, NodeId n) {
  while (op_info[node_of(s, n)->op].cls == VIEW && node_of(s, n)->op != OP_concat) n = node_of(s, n)->in[0];
  return n;
}

/* Does it pay to make the members of a level a block? What goes from one to a product need not be stored. */
static bool pays(const Search *s, const Family *f, int level, bool *large) {
  double largest = 0, saved = 0, elements = (double)dim_upper(s->g->dims, f->length);
  for (NodeId n = 1; n < s->n_nodes; n++) {
    if (!f->member[n] || f->level[n] != level) continue;
    const Node *x = node_of(s, n);
    double bytes = (double)dim_upper(s->g->dims, type_count(s->g->dims, x->type)) * dtype_size(x->type.dtype);
    if (bytes > largest) largest = bytes;
    for (int k = 0; k < x->n_in && x->op == OP_dot; k++) {
      NodeId o = behind_views(s, x->in[k]);
      if (!f->member[o] || f->level[o] != level) continue;
      saved += (double)dim_upper(s->g->dims, type_count(s->g->dims, graph_type(s->g, o))) *
               dtype_size(graph_type(s->g, o).dtype);
    }
  }
  double element = largest / elements;
  *large = element >= LARGE_ELEMENT;
  return saved >= SAVED_BYTES && (elements >= FEW ? element >= LEAST_ELEMENT : element >= LARGE_ELEMENT);
}

static void add_blocks(Search *s, const Family *f, int levels) {
  for (int level = 0; level < levels; level++) {
    bool large;
    if (f->tail) large = false; /* its cost is known */
    else if (!pays(s, f, level, &large)) continue;
    Block *b = arena_one(s->g->arena, Block);
    *b = (Block){.f = f, .level = level, .large = large};
    block_fill(b);
    arrput(s->blocks, b);
    for (NodeId n = 1; n < s->n_nodes; n++)
      if (f->member[n] && f->level[n] == level) s->block_of[n] = (int)arrlen(s->blocks);
  }
}

/* What is parallel with the seed in these axes of it. Returns how many levels there are. */
static int grow(Search *s, Family *f, NodeId seed, const Lead *lead) {
  Arena *a = s->g->arena;
  f->known = arena_array(a, bool, s->n_nodes + 1);
  f->bad = arena_array(a, bool, s->n_nodes + 1);
  f->lead = arena_array(a, Lead, s->n_nodes + 1);
  f->member = arena_array(a, bool, s->n_nodes + 1);
  f->level = arena_array(a, int, s->n_nodes + 1);
  f->inside = arena_array(a, bool, s->n_nodes + 1);
  follow(s, f, seed, lead);
  choose_members(s, f);
  for (NodeId n = 1; n < s->n_nodes; n++)
    if (f->member[n] && s->block_of[n]) return 0; /* of a block with other axes */
  return find_levels(s, f);
}

static void find_family(Search *s, NodeId seed) {
  Family *f = arena_one(s->g->arena, Family);
  Lead lead;
  *f = (Family){.g = s->g, .n = batch_axes(s->g, node_of(s, seed), &lead), .length = dim_int(s->g->dims, 1)};
  if (!f->n) return;
  for (int i = 0; i < f->n; i++) {
    f->size[i] = node_of(s, seed)->type.shape[lead.axis[i]];
    f->length = dim_mul(s->g->dims, f->length, f->size[i]);
  }
  if (dim_upper(s->g->dims, f->length) < 2) return;
  int levels = grow(s, f, seed, &lead);
  for (NodeId n = 1; n < s->n_nodes && levels; n++) s->done[n] |= f->member[n];
  add_blocks(s, f, levels);
}

/* ---- what is needed, and in which order ---- */

typedef struct Order {
  const Search *s;
  uint8_t *state;  /* by node: 1 while its operands are looked at, then 2 */
  uint8_t *blocks; /* likewise */
  int circle;      /* 1 + a block that depends on itself */
} Order;

static void visit(Order *o, NodeId n) {
  const Search *s = o->s;
  int k = s->block_of[n];
  uint8_t *state = k ? &o->blocks[k - 1] : &o->state[n];
  if (k && !o->state[n]) {
    o->state[n] = 2;
    arrput(s->blocks[k - 1]->outs, n);
  }
  if (*state == 2 || o->circle) return;
  if (*state == 1) {
    o->circle = k ? k : -1;
    return;
  }
  *state = 1;
  const Node *x = node_of(s, n);
  const Block *b = k ? s->blocks[k - 1] : NULL;
  for (int i = 0; i < (b ? (int)arrlen(b->captures) : x->n_in); i++) visit(o, b ? b->captures[i] : x->in[i]);
  if (o->circle < 0 && k) o->circle = k;
  *state = 2;
}

/* Finds what each block must give; a block that would wait for itself is given up. */
static void find_outs(Search *s) {
  for (;;) {
    Order o = {s, zeroed(s->n_nodes + 1, 1), zeroed((size_t)arrlen(s->blocks) + 1, 1), 0};
    for (int i = 0; i < (int)arrlen(s->blocks); i++) arrsetlen(s->blocks[i]->outs, 0);
    for (int i = 0; i < (int)arrlen(s->g->outputs); i++) visit(&o, s->g->outputs[i]);
    free(o.state), free(o.blocks);
    if (!o.circle) return;
    for (NodeId n = 1; n < s->n_nodes; n++)
      if (s->block_of[n] == o.circle) s->block_of[n] = 0;
  }
}

/* ---- the new graph ---- */

static void split_rows(Graph *body);

typedef struct Out {
  Search *s;
  Rewrite *r;
} Out;
static void put_node(Out *o, NodeId n);

/* A result of the block gets its axes back. */
static NodeId unstack(Out *o, const Block *b, int index, NodeId old) {
  const Family *f = b->f;
  Graph *g = o->r->g;
  const Node *x = &o->r->old[old];
  Dim shape[MAX_RANK];
  int perm[MAX_RANK + 1], rank = f->n;
  bool turned = false;
  NodeId n = g_get(g, x->loc, b->region, index);
  for (int i = 0; i < f->n; i++) shape[i] = f->size[i], perm[f->lead[old].axis[i]] = i;
  for (int k = 0; k < x->type.rank; k++) {
    bool lead = false;
    for (int i = 0; i < f->n; i++) lead |= f->lead[old].axis[i] == k;
    if (lead) continue;
    perm[k] = rank;
    shape[rank++] = x->type.shape[k];
  }
  for (int k = 0; k < rank; k++) turned |= perm[k] != k;
  if (f->rows) {
    for (int k = 0, at = f->lead[old].axis[0]; k <= x->type.rank; k++) perm[k] = k < at ? k + 1 : k == at ? 0 : k;
    if (f->lead[old].axis[0]) n = g_transpose(g, x->loc, n, perm);
    return g_reshape(g, x->loc, n, x->type.rank, x->type.shape);
  }
  if (f->n > 1) n = g_reshape(g, x->loc, n, rank, shape);
  return turned ? g_transpose(g, x->loc, n, perm) : n;
}

static void put_block(Out *o, Block *b) {
  Graph *g = o->r->g;
  if (b->begun) return;
  b->begun = true;
  NodeId *in = NULL;
  Loc loc = o->r->old[b->outs[0]].loc;
  for (int i = 0; i < (int)arrlen(b->captures); i++) put_node(o, b->captures[i]);
  arrput(in, g_iota(g, loc, type_of(g->arena, I64, 1, &b->f->length), 0));
  for (int i = 0; i < (int)arrlen(b->captures); i++) arrput(in, rewrite_get(o->r, b->captures[i]));
  for (int i = 0; i < (int)arrlen(b->outs); i++) arrput(b->body->outputs, b->inner[b->outs[i]]);
  if (b->large && !b->f->rows) split_rows(b->body);
  Attr attrs[2] = {attr_int(g, A_rows, 1), attr_dim(g, A_length, b->f->length)};
  b->region = graph_add_region(g, OP_vmap, loc, in, (int)arrlen(in), attrs, 2, &b->body, 1);
  for (int i = 0; i < (int)arrlen(b->outs); i++) rewrite_to(o->r, b->outs[i], unstack(o, b, i, b->outs[i]));
  arrfree(in);
}

static void put_node(Out *o, NodeId n) {
  if (o->r->map[n]) return;
  int k = o->s->block_of[n];
  if (k) {
    put_block(o, o->s->blocks[k - 1]);
    return;
  }
  const Node *x = &o->r->old[n];
  for (int i = 0; i < x->n_in; i++) put_node(o, x->in[i]);
  rewrite_to(o->r, n, rewrite_copy(o->r, n));
}

static void rebuild(Search *s) {
  Rewrite r = rewrite_begin(s->g);
  Out o = {s, &r};
  bool *needed = zeroed(r.n_old + 1, 1);
  for (int i = 0; i < (int)arrlen(s->g->outputs); i++) needed[s->g->outputs[i]] = true;
  for (int i = 0; i < (int)arrlen(s->blocks); i++)
    for (int k = 0; k < (int)arrlen(s->blocks[i]->captures); k++)
      if (arrlen(s->blocks[i]->outs)) needed[s->blocks[i]->captures[k]] = true;
  for (NodeId n = r.n_old; n-- > 1;) {
    needed[n] |= (op_info[r.old[n].op].flags & IMPURE) && r.live[n];
    for (int k = 0; k < r.old[n].n_in && needed[n] && !s->block_of[n]; k++) needed[r.old[n].in[k]] = true;
  }
  for (NodeId n = 1; n < r.n_old; n++)
    if (needed[n]) put_node(&o, n);
  free(needed);
  rewrite_end(&r);
}

static Search begin(Graph *g) {
  Search s = {.g = g, .n_nodes = (NodeId)arrlen(g->nodes)};
  find_users(&s);
  s.done = arena_array(g->arena, bool, s.n_nodes + 1);
  s.block_of = arena_array(g->arena, int, s.n_nodes + 1);
  return s;
}
static void finish(Search *s) {
  if (!arrlen(s->blocks)) return;
  find_outs(s);
  rebuild(s);
  for (int i = 0; i < (int)arrlen(s->blocks); i++) arrfree(s->blocks[i]->outs), arrfree(s->blocks[i]->captures);
  arrfree(s->blocks);
}

/* ---- rows ---- */

/* How many rows of `bytes` each an element takes: a divisor of all, so that the elements are equal; 0: none fits. */
static int64_t choose_rows(int64_t all, double bytes) {
  enum { ROWS_BYTES = 256 << 10, LEAST_ROWS = 8 };
  for (int64_t n = all / 2; n >= LEAST_ROWS; n--)
    if (all % n == 0 && (double)n * bytes <= ROWS_BYTES) return n;
  return 0;
}

/* Are large values inside only? */
static bool keeps_inside(const Search *s, const Family *f) {
  double largest = 0, kept = 0;
  for (NodeId n = 1; n < s->n_nodes; n++) {
    if (!f->member[n]) continue;
    bool read = false;
    for (int i = s->first[n]; i < s->first[n + 1]; i++) {
      NodeId u = s->users[i].node;
      read |= f->tail ? !f->inside[u] : !f->member[u] && !joined(f, u, s->users[i].operand);
    }
    for (int i = 0; i < (int)arrlen(s->g->outputs); i++) read |= s->g->outputs[i] == n;
    Type t = graph_type(s->g, n);
    double bytes = (double)dim_upper(s->g->dims, type_count(s->g->dims, t)) * dtype_size(t.dtype);
    if (bytes > largest) largest = bytes;
    if (read && bytes > kept) kept = bytes;
  }
  return kept <= largest / 4;
}

static bool find_rows(Search *s, NodeId seed, int axis) {
  Family *f = arena_one(s->g->arena, Family);
  Type t = node_of(s, seed)->type;
  Lead lead = {{(int8_t)axis}};
  int64_t all, count = dim_upper(s->g->dims, type_count(s->g->dims, t));
  if (!dim_is_int(s->g->dims, t.shape[axis], &all) || all < 2 || count < 0) return false;
  int64_t rows = choose_rows(all, (double)count / (double)all * dtype_size(t.dtype));
  if (!rows) return false;
  *f = (Family){.g = s->g, .n = 1, .size = {t.shape[axis]}, .rows = rows};
  f->length = dim_int(s->g->dims, all / rows);
  bool large;
  if (grow(s, f, seed, &lead) != 1 || !keeps_inside(s, f) || !pays(s, f, 0, &large)) return false;
  add_blocks(s, f, 1);
  return true;
}

/* Queries, a few rows at a time: what is as long as the sequence for each of them is there for these rows only. */
static void split_rows(Graph *body) {
  Search s = begin(body);
  bool found = false;
  for (NodeId n = 1; n < s.n_nodes && !found; n++)
    for (int k = 0; k < body->nodes[n].type.rank && !found && s.live[n] && body->nodes[n].op == OP_dot; k++)
      found = find_rows(&s, n, k);
  finish(&s);
}

/* ---- the last product of rows, and what is made of each of its rows ---- */

/* Are the values of the product's size read element by element, or folded, and by nobody else? */
static bool only_folded(const Search *s, NodeId seed) {
  enum { MOST = 64 };
  NodeId todo[MOST];
  int n = 1, folds = 0;
  todo[0] = seed;
  for (int at = 0; at < n; at++) {
    for (int i = 0; i < (int)arrlen(s->g->outputs); i++)
      if (s->g->outputs[i] == todo[at]) return false;
    for (int i = s->first[todo[at]]; i < s->first[todo[at] + 1]; i++) {
      NodeId u = s->users[i].node;
      const Node *x = node_of(s, u);
      OpClass c = op_info[x->op].cls;
      bool seen = false;
      if (x->op == OP_dot || x->op == OP_concat || (c != VIEW && !block_member_kind(s->g, u))) return false;
      if (c == GATHER && s->users[i].operand) return false;
      folds += c == REDUCE || c == GATHER;
      if (c == REDUCE || c == GATHER) continue;
      for (int k = 0; k < n; k++) seen |= todo[k] == u;
      if (!seen && n == MOST) return false;
      if (!seen) todo[n++] = u;
    }
  }
  return folds > 0;
}

/* How many rows meet each element of the operand that has not this axis of the product; 0: both have it. */
static double rows_beside(const Search *s, NodeId n, int axis) {
  const Node *x = node_of(s, n);
  int64_t la[MAX_RANK], lb[MAX_RANK], ly[MAX_RANK];
  int na = node_ints(s->g, x, A_la, la, MAX_RANK), nb = node_ints(s->g, x, A_lb, lb, MAX_RANK);
  int ny = node_ints(s->g, x, A_ly, ly, MAX_RANK);
  const int64_t *l[2] = {la, lb};
  int nl[2] = {na, nb}, other = -1;
  double rows = 1;
  for (int k = 0; k < 2; k++) {
    bool has = false;
    for (int i = 0; i < nl[k]; i++) has |= l[k][i] == ly[axis];
    if (!has) other = k;
  }
  for (int i = 0; i < ny && other >= 0; i++) {
    bool has = false;
    for (int k = 0; k < nl[other]; k++) has |= l[other][k] == ly[i];
    if (!has) rows *= (double)dim_upper(s->g->dims, x->type.shape[i]);
  }
  return other < 0 ? 0 : rows;
}

/* The other operand, mostly weights, is read again for each element. So an element has rows enough for that to cost
 * little, its values stay in a thread's cache, and all threads' scratch is less than the value in memory was. Takes
 * one element for each index of the axis, or else some indices at a time. */
static bool find_tail(Search *s, NodeId seed, int axis) {
  enum { TAIL_BYTES = 1 << 20, TAIL_ROWS = 32, TAIL_ELEMENTS = 16 };
  Family *f = arena_one(s->g->arena, Family);
  Type t = node_of(s, seed)->type;
  Lead lead = {{(int8_t)axis}};
  int64_t size = dim_upper(s->g->dims, t.shape[axis]), count = dim_upper(s->g->dims, type_count(s->g->dims, t)), all;
  if (size < TAIL_ELEMENTS || count < 0) return false;
  double bytes = (double)count / (double)size * dtype_size(t.dtype), beside = rows_beside(s, seed, axis) / (double)size;
  *f = (Family){.g = s->g, .n = 1, .size = {t.shape[axis]}, .length = t.shape[axis], .tail = seed};
  int64_t rows = 1;
  if (beside < TAIL_ROWS) {
    if (!dim_is_int(s->g->dims, t.shape[axis], &all)) return false;
    for (rows = all / TAIL_ELEMENTS; rows > 1 && (all % rows || (double)rows * bytes > TAIL_BYTES);) rows--;
    f->rows = rows;
    f->length = dim_int(s->g->dims, all / rows);
  }
  double element = bytes * (double)rows;
  if (beside * (double)rows < TAIL_ROWS || element < LEAST_ELEMENT || element > TAIL_BYTES) return false;
  if ((double)count * dtype_size(t.dtype) < SAVED_BYTES) return false;
  if (grow(s, f, seed, &lead) != 1 || !keeps_inside(s, f)) return false;
  add_blocks(s, f, 1);
  return true;
}

void pass_block(Graph *g, const Prog *prog, const Entry *entry) {
  rewrite_regions(g, pass_block, prog, entry);
  int batched = 0;
  Lead none;
  for (NodeId n = 1; n < (NodeId)arrlen(g->nodes); n++)
    batched += g->nodes[n].op == OP_dot && batch_axes(g, &g->nodes[n], &none) > 0;
  Search s = begin(g);
  for (NodeId n = 1; n < s.n_nodes && batched >= 2; n++)
    if (s.live[n] && g->nodes[n].op == OP_dot && !s.done[n]) find_family(&s, n);
  for (NodeId n = 1; n < s.n_nodes; n++) {
    bool found = !s.live[n] || g->nodes[n].op != OP_dot || s.block_of[n] || !only_folded(&s, n);
    for (int k = 0; k < g->nodes[n].type.rank && !found; k++) found = find_tail(&s, n, k);
  }
  finish(&s);
}
