#include "tests/lib/regiongen.h"
#include "base/ds.h"
#include "runtime/core/random.h"
#include <stdlib.h>

static const Loc here = {0};

typedef struct Gen {
  uint64_t seed, count;
  bool stops;  /* stop_gradient is among the ops */
  int longest; /* loop */
} Gen;

/* What a body can compute with: vectors f64[WIDTH] and one matrix. */
typedef struct Pool {
  Graph *g;
  NodeId v[64], matrix;
  int n;
} Pool;

static int pick(Gen *r, int n) { return (int)(dnn_mix64(r->seed, r->count++) % (uint64_t)n); }
static NodeId any(Gen *r, const Pool *p) { return p->v[pick(r, p->n)]; }
static NodeId recent(Gen *r, const Pool *p) { return p->v[p->n - 1 - pick(r, p->n < 3 ? p->n : 3)]; }
static void put(Pool *p, NodeId v) { p->v[p->n < 64 ? p->n++ : 63] = v; }
static NodeId map1(Pool *p, Op op, NodeId a) { return g_map1(p->g, op, here, a); }
static NodeId map2(Pool *p, Op op, NodeId a, NodeId b) { return g_map2(p->g, op, here, a, b); }
static Type vector(Graph *g) {
  Dim w = dim_int(g->dims, REGIONGEN_WIDTH);
  return type_of(g->arena, F64, 1, &w);
}
static Type matrix(Graph *g) {
  Dim w[2] = {dim_int(g->dims, REGIONGEN_WIDTH), dim_int(g->dims, REGIONGEN_WIDTH)};
  return type_of(g->arena, F64, 2, w);
}

static void values(Gen *r, Pool *p, int depth);

/* A body whose inputs are the operands: `n_vec` vectors, then the matrix. */
static Pool body_pool(Graph *outer, int n_vec) {
  Pool p = {.g = graph_new(outer->arena, outer->dims, outer->diag)};
  for (int i = 0; i < n_vec; i++) put(&p, g_input(p.g, here, vector(p.g)));
  p.matrix = g_input(p.g, here, matrix(p.g));
  return p;
}

/* v as a double of the counter, so that integers take part: v * (1 + i / 4) */
static NodeId counted(Pool *p, NodeId v, NodeId i) {
  NodeId f = g_cast(p->g, here, i, F64), quarter = g_full_like(p->g, here, 0.25, f);
  f = map2(p, OP_add, map2(p, OP_mul, f, quarter), g_full_like(p->g, here, 1, f));
  Type t = vector(p->g);
  return map2(p, OP_mul, v, g_broadcast_to(p->g, here, f, t.rank, t.shape));
}

static NodeId next_count(Pool *p, NodeId i) { return map2(p, OP_add, i, g_full_like(p->g, here, 1, i)); }

/* A matrix of T rows made of a vector. */
static NodeId rows_of(Pool *p, NodeId v, int64_t length) {
  Dim shape[2] = {dim_int(p->g->dims, length), dim_int(p->g->dims, REGIONGEN_WIDTH)};
  int axis = 1;
  NodeId wide = g_broadcast(p->g, here, v, 2, shape, &axis);
  NodeId number = g_iota(p->g, here, type_of(p->g->arena, F64, 2, shape), 0);
  NodeId scale = map2(p, OP_add, map2(p, OP_mul, number, g_full_like(p->g, here, 0.3, number)),
                      g_full_like(p->g, here, 0.5, number));
  return map2(p, OP_mul, wide, scale);
}

static void gen_scan(Gen *r, Pool *p, int depth) {
  int64_t length = 1 + pick(r, r->longest);
  int carried = 1 + pick(r, 2), rows = pick(r, 3), captures = pick(r, 3), n = 0;
  NodeId in[16];
  Pool b = {.g = graph_new(p->g->arena, p->g->dims, p->g->diag)};
  NodeId count = 0;
  for (int k = 0; k < carried + 1 + rows + captures; k++) {
    if (k == carried) { /* a counter is carried too */
      in[n++] = g_full(p->g, here, 0, type_scalar(I64));
      count = g_input(b.g, here, type_scalar(I64));
      continue;
    }
    bool is_row = k > carried && k <= carried + rows;
    NodeId x = k <= carried + rows ? recent(r, p) : any(r, p);
    in[n++] = is_row ? rows_of(p, x, length) : x;
    put(&b, g_input(b.g, here, vector(b.g)));
  }
  in[n++] = p->matrix;
  b.matrix = g_input(b.g, here, matrix(b.g));
  values(r, &b, depth);
  for (int k = 0; k < carried; k++) arrput(b.g->outputs, counted(&b, b.v[b.n - 1 - k], count));
  arrput(b.g->outputs, next_count(&b, count));
  int stacks = pick(r, 3);
  for (int k = 0; k < stacks; k++) arrput(b.g->outputs, k ? b.v[0] : recent(r, &b));
  Attr attrs[4] = {attr_int(p->g, A_carried, carried + 1), attr_int(p->g, A_rows, rows),
                   attr_int(p->g, A_length, length), attr_int(p->g, A_reverse, pick(r, 2))};
  NodeId t = graph_add_region(p->g, OP_scan, here, in, n, attrs, 4, &b.g, 1);
  for (int k = 0; k < carried; k++)
    if (k == 0 || pick(r, 2)) put(p, map1(p, OP_tanh, g_get(p->g, here, t, k)));
  for (int k = 0; k < stacks; k++) {
    NodeId s = g_get(p->g, here, t, carried + 1 + k), w = rows_of(p, recent(r, p), length);
    put(p, map1(p, OP_sin, g_reduce(p->g, OP_sum, here, map2(p, OP_mul, s, w), (int[]){0}, 1)));
  }
}

static void gen_while(Gen *r, Pool *p, int depth) {
  int64_t limit = 1 + pick(r, r->longest), turns = pick(r, r->longest + 1);
  NodeId in[4] = {recent(r, p), g_full(p->g, here, 0, type_scalar(I64)), any(r, p), p->matrix};
  Graph *regions[2];
  for (int k = 0; k < 2; k++) {
    Pool b = {.g = graph_new(p->g->arena, p->g->dims, p->g->diag)};
    NodeId x = g_input(b.g, here, vector(b.g)), i = g_input(b.g, here, type_scalar(I64));
    put(&b, g_input(b.g, here, vector(b.g)));
    put(&b, x);
    b.matrix = g_input(b.g, here, matrix(b.g));
    regions[k] = b.g;
    if (k == 0) {
      arrput(b.g->outputs, map2(&b, OP_lt, i, g_full_like(b.g, here, (double)turns, i)));
      continue;
    }
    values(r, &b, depth);
    arrput(b.g->outputs, counted(&b, b.v[b.n - 1], i));
    arrput(b.g->outputs, next_count(&b, i));
  }
  Attr attrs[2] = {attr_int(p->g, A_carried, 2), attr_int(p->g, A_limit, limit)};
  NodeId t = graph_add_region(p->g, OP_while, here, in, 4, attrs, 2, regions, 2);
  put(p, map1(p, OP_tanh, g_get(p->g, here, t, 0)));
}

static void gen_vmap(Gen *r, Pool *p, int depth) {
  int64_t length = 1 + pick(r, 3);
  NodeId in[4] = {rows_of(p, recent(r, p), length), rows_of(p, any(r, p), length), any(r, p), p->matrix};
  Pool b = body_pool(p->g, 3);
  values(r, &b, depth);
  arrput(b.g->outputs, b.v[b.n - 1]);
  Attr attrs[2] = {attr_int(p->g, A_rows, 2), attr_int(p->g, A_length, length)};
  NodeId t = graph_add_region(p->g, OP_vmap, here, in, 4, attrs, 2, &b.g, 1);
  NodeId s = g_get(p->g, here, t, 0), w = rows_of(p, recent(r, p), length);
  put(p, map1(p, OP_sin, g_reduce(p->g, OP_sum, here, map2(p, OP_mul, s, w), (int[]){0}, 1)));
}

static void gen_cond(Gen *r, Pool *p, int depth) {
  NodeId v = recent(r, p), s = g_reduce(p->g, OP_sum, here, v, (int[]){0}, 1);
  NodeId in[4] = {map2(p, OP_gt, s, g_full_like(p->g, here, 0.1 * pick(r, 5), s)), v, any(r, p), p->matrix};
  Graph *regions[2];
  int n = 1 + pick(r, 2);
  for (int k = 0; k < 2; k++) {
    Pool b = body_pool(p->g, 2);
    if (pick(r, 4)) values(r, &b, depth);
    for (int i = 0; i < n; i++) arrput(b.g->outputs, b.v[b.n - 1 - i]);
    regions[k] = b.g;
  }
  NodeId t = graph_add_region(p->g, OP_cond, here, in, 4, NULL, 0, regions, 2);
  for (int i = 0; i < n; i++) put(p, g_get(p->g, here, t, i));
}

static void gen_checkpoint(Gen *r, Pool *p, int depth) {
  NodeId in[3] = {recent(r, p), any(r, p), p->matrix};
  Pool b = body_pool(p->g, 2);
  values(r, &b, depth);
  arrput(b.g->outputs, b.v[b.n - 1]);
  if (pick(r, 2)) arrput(b.g->outputs, b.v[b.n - 2]);
  NodeId t = graph_add_region(p->g, OP_checkpoint, here, in, 3, NULL, 0, &b.g, 1);
  for (int i = 0; i < (int)arrlen(b.g->outputs); i++) put(p, g_get(p->g, here, t, i));
}

/* y = sin(a) b, with da = cos(a) b dy, db = sin(a) dy */
static void gen_own_gradient(Gen *r, Pool *p, int depth) {
  (void)depth;
  NodeId in[2] = {recent(r, p), any(r, p)};
  Pool f = {.g = graph_new(p->g->arena, p->g->dims, p->g->diag)}, b = f;
  b.g = graph_new(p->g->arena, p->g->dims, p->g->diag);
  NodeId x[4];
  for (int i = 0; i < 2; i++) x[i] = g_input(f.g, here, vector(f.g));
  arrput(f.g->outputs, map2(&f, OP_mul, map1(&f, OP_sin, x[0]), x[1]));
  for (int i = 0; i < 4; i++) x[i] = g_input(b.g, here, vector(b.g));
  NodeId slope = map2(&b, OP_mul, map1(&b, OP_cos, x[0]), x[1]);
  arrput(b.g->outputs, map2(&b, OP_mul, slope, x[3]));
  arrput(b.g->outputs, map2(&b, OP_mul, map1(&b, OP_sin, x[0]), x[3]));
  NodeId t = graph_add_region(p->g, OP_custom_grad, here, in, 2, NULL, 0, (Graph *[]){f.g, b.g}, 2);
  put(p, g_get(p->g, here, t, 0));
}

static NodeId scalar_to_vector(Pool *p, NodeId s) {
  Type t = vector(p->g);
  return g_broadcast_to(p->g, here, s, t.rank, t.shape);
}

static NodeId part(Pool *p, NodeId a, int64_t from, int64_t n) {
  Dim start = dim_int(p->g->dims, from), size = dim_int(p->g->dims, n);
  return g_slice(p->g, here, a, &start, &(int64_t){1}, &size);
}

/* a as a plane [1, 1, n] and back */
static NodeId plane(Pool *p, NodeId a, int64_t n) {
  Dim shape[3] = {dim_int(p->g->dims, 1), dim_int(p->g->dims, 1), dim_int(p->g->dims, n)};
  return g_reshape(p->g, here, a, 3, shape);
}
static NodeId line(Pool *p, NodeId a) {
  Type t = vector(p->g);
  return g_reshape(p->g, here, a, 1, t.shape);
}

/* Ops that move, choose and reduce. */
static NodeId gen_mover(Gen *r, Pool *p, NodeId a, NodeId b) {
  Graph *g = p->g;
  const int64_t one = 1, two = 2;
  Dim none = dim_int(g->dims, 0), single = dim_int(g->dims, 1);
  NodeId in[2], s;
  switch (pick(r, 8)) {
  case 0: in[0] = part(p, a, 1, 2), in[1] = part(p, b, 0, 1); return g_concat(g, here, in, 2, 0);
  case 1: return scalar_to_vector(p, g_gather(g, here, a, g_arg(g, OP_argmax, here, b, 0), 0, 0));
  case 2:
    s = g_reduce(g, OP_sum, here, b, (int[]){0}, 1);
    return map1(p, OP_sin, g_scatter(g, OP_scatter_add, here, a, g_arg(g, OP_argmin, here, a, 0), s, 0, 0));
  case 3: return g_where(g, here, map2(p, OP_gt, a, b), a, map1(p, OP_sin, b));
  case 4:
    s = map1(p, OP_exp, map2(p, OP_sub, a, scalar_to_vector(p, g_reduce(g, OP_reduce_max, here, a, (int[]){0}, 1))));
    return map2(p, OP_div, s, scalar_to_vector(p, g_reduce(g, OP_sum, here, s, (int[]){0}, 1)));
  case 5: return scalar_to_vector(p, map1(p, OP_tanh, g_dot(g, here, a, b, (int[]){0}, (int[]){0}, NULL, 0)));
  case 6:
    s = g_conv(g, OP_conv, here, plane(p, a, 3), plane(p, part(p, b, 1, 2), 2), 1, &one, &none, &single, &one, 1, NULL);
    return map1(p, OP_tanh, line(p, s));
  default: return line(p, g_pool(g, OP_max_pool, here, plane(p, map1(p, OP_sin, a), 3), 1, &two, &one, &none, &single));
  }
}

static void gen_plain(Gen *r, Pool *p) {
  NodeId a = recent(r, p), b = any(r, p);
  switch (pick(r, 9)) {
  case 6:
  case 7:
  case 8: put(p, gen_mover(r, p, a, b)); break;
  case 0: put(p, map1(p, OP_tanh, g_dot(p->g, here, a, p->matrix, (int[]){0}, (int[]){0, 1}, (int[]){1}, 1))); break;
  case 1: put(p, map1(p, OP_sin, map2(p, OP_add, a, b))); break;
  case 2: put(p, map1(p, OP_tanh, map2(p, OP_mul, a, b))); break;
  case 3: put(p, map2(p, OP_sub, a, map1(p, OP_sigmoid, b))); break;
  case 4: put(p, map1(p, OP_cos, map2(p, OP_sub, a, b))); break;
  default:
    if (r->stops) put(p, g_map1(p->g, OP_stop_gradient, here, a));
    put(p, map2(p, OP_add, a, b));
  }
}

static void values(Gen *r, Pool *p, int depth) {
  static void (*const regions[])(Gen *, Pool *, int) = {gen_scan,       gen_cond, gen_while,
                                                        gen_checkpoint, gen_vmap, gen_own_gradient};
  int n = 1 + pick(r, 3);
  for (int i = 0; i < n; i++) gen_plain(r, p);
  if (depth > 0) regions[pick(r, 6)](r, p, depth - 1);
  gen_plain(r, p);
}

static NodeId build(Graph *g, Gen r, int depth) {
  Pool p = {.g = g};
  for (int i = 0; i < REGIONGEN_INPUTS - 1; i++) put(&p, g_input(g, here, vector(g)));
  p.matrix = g_input(g, here, matrix(g));
  NodeId all = g_dot(g, here, p.v[0], p.matrix, (int[]){0}, (int[]){0, 1}, (int[]){1}, 1);
  all = map2(&p, OP_add, all, map2(&p, OP_mul, p.v[1], p.v[2]));
  put(&p, map1(&p, OP_tanh, all));
  values(&r, &p, depth);
  values(&r, &p, depth);
  NodeId y = map2(&p, OP_mul, p.v[p.n - 1], p.v[3]);
  for (int i = 4; i < p.n - 1; i += 2) y = map2(&p, OP_add, y, p.v[i]);
  return g_reduce(g, OP_sum, here, y, (int[]){0}, 1);
}

NodeId regiongen_build(Graph *g, uint64_t seed, int depth, bool stops) {
  return build(g, (Gen){.seed = seed, .stops = stops, .longest = 4}, depth);
}
NodeId regiongen_build_long(Graph *g, uint64_t seed, int depth, int longest) {
  return build(g, (Gen){.seed = seed, .longest = longest}, depth);
}

/* ---- unrolled ---- */

static void flatten(Graph *to, const Graph *body, const NodeId *in, NodeId *out);

static NodeId row(Graph *g, NodeId x, int64_t t) {
  Type ty = graph_type(g, x);
  Dim start[MAX_RANK], size[MAX_RANK];
  int64_t step[MAX_RANK];
  for (int k = 0; k < ty.rank; k++) {
    start[k] = dim_int(g->dims, k ? 0 : t), step[k] = 1;
    size[k] = k ? ty.shape[k] : dim_int(g->dims, 1);
  }
  return g_reshape(g, here, g_slice(g, here, x, start, step, size), ty.rank - 1, ty.shape + 1);
}

static NodeId stack(Graph *g, const NodeId *x, int64_t n) {
  Type ty = graph_type(g, x[0]);
  Dim shape[MAX_RANK + 1] = {dim_int(g->dims, 1)};
  NodeId *one = arena_array(g->arena, NodeId, n);
  for (int k = 0; k < ty.rank; k++) shape[k + 1] = ty.shape[k];
  for (int64_t t = 0; t < n; t++) one[t] = g_reshape(g, here, x[t], ty.rank + 1, shape);
  return g_concat(g, here, one, (int)n, 0);
}

static void flat_scan(Graph *g, const Graph *from, const Node *d, const NodeId *in, NodeId *out) {
  bool loop = d->op == OP_scan, reverse = loop && node_int(from, d, A_reverse);
  int carried = loop ? (int)node_int(from, d, A_carried) : 0, rows = (int)node_int(from, d, A_rows);
  int64_t length = node_int(from, d, A_length);
  NodeId *now = arena_copy(g->arena, in, sizeof *in * (size_t)d->n_in);
  NodeId *next = arena_array(g->arena, NodeId, d->n_results + 1);
  NodeId *all = arena_array(g->arena, NodeId, (d->n_results + 1) * (length + 1));
  for (int64_t k = 0; k < length; k++) {
    int64_t t = reverse ? length - 1 - k : k;
    for (int i = carried; i < carried + rows; i++) now[i] = row(g, in[i], t);
    flatten(g, d->regions[0], now, next);
    for (int i = 0; i < carried; i++) now[i] = next[i];
    for (int i = carried; i < d->n_results; i++) all[i * length + t] = next[i];
  }
  for (int i = 0; i < d->n_results; i++) out[i] = i < carried ? now[i] : stack(g, all + i * length, length);
}

static NodeId choose(Graph *g, NodeId flag, NodeId a, NodeId b) {
  Type t = graph_type(g, a);
  return g_where(g, here, g_broadcast_to(g, here, flag, t.rank, t.shape), a, b);
}

static void flat_while(Graph *g, const Graph *from, const Node *d, const NodeId *in, NodeId *out) {
  int carried = (int)node_int(from, d, A_carried);
  int64_t limit = node_int(from, d, A_limit);
  NodeId *now = arena_copy(g->arena, in, sizeof *in * (size_t)d->n_in), flag;
  for (int64_t t = 0; t < limit; t++) {
    flatten(g, d->regions[0], now, &flag);
    flatten(g, d->regions[1], now, out);
    for (int i = 0; i < carried; i++) now[i] = choose(g, flag, out[i], now[i]);
  }
  for (int i = 0; i < carried; i++) out[i] = now[i];
}

static void flat_region(Graph *g, const Graph *from, const Node *d, const NodeId *in, NodeId *out) {
  if (d->op == OP_scan || d->op == OP_vmap) flat_scan(g, from, d, in, out);
  else if (d->op == OP_while) flat_while(g, from, d, in, out);
  else if (d->op == OP_cond) {
    NodeId *other = arena_array(g->arena, NodeId, d->n_results + 1);
    flatten(g, d->regions[0], in + 1, out);
    flatten(g, d->regions[1], in + 1, other);
    for (int i = 0; i < d->n_results; i++) out[i] = choose(g, in[0], out[i], other[i]);
  } else {
    flatten(g, d->regions[0], in, out);
  }
}

static void flatten(Graph *to, const Graph *body, const NodeId *in, NodeId *out) {
  NodeId n_nodes = (NodeId)arrlen(body->nodes);
  NodeId *map = arena_array(to->arena, NodeId, n_nodes), **results = arena_array(to->arena, NodeId *, n_nodes);
  for (NodeId n = 1; n < n_nodes; n++) {
    const Node *d = graph_node(body, n);
    if (d->op == OP_input) {
      map[n] = in[node_int(body, d, A_index)];
    } else if (d->n_regions) {
      NodeId *x = arena_array(to->arena, NodeId, d->n_in + 1);
      for (int k = 0; k < d->n_in; k++) x[k] = map[d->in[k]];
      results[n] = arena_array(to->arena, NodeId, d->n_results + 1);
      flat_region(to, body, d, x, results[n]);
    } else if (d->op == OP_get && results[d->in[0]]) {
      map[n] = results[d->in[0]][node_int(body, d, A_index)];
    } else {
      map[n] = graph_copy_node(to, *d, map);
    }
  }
  for (ptrdiff_t i = 0; i < arrlen(body->outputs); i++) out[i] = map[body->outputs[i]];
}

Graph *regiongen_unroll(Arena *a, const Graph *g) {
  Graph *to = graph_new(a, g->dims, g->diag);
  NodeId *in = arena_array(a, NodeId, g->n_inputs + 1);
  for (int i = 0; i < g->n_inputs; i++) in[i] = g_input(to, here, g->input_types[i]);
  NodeId *out = arena_array(a, NodeId, arrlen(g->outputs) + 1);
  flatten(to, g, in, out);
  for (ptrdiff_t i = 0; i < arrlen(g->outputs); i++) arrput(to->outputs, out[i]);
  return to;
}
