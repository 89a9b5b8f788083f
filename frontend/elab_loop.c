/* The loops of the graph: scan, vmap, while. A body is elaborated in a region of its own; what it changes outside comes
 * out of the loop's op. */
#include "frontend/elab_priv.h"
#include <string.h>

const char *region_name(const Region *r) {
  static const char *const names[] = {"scan", "vmap", "while", "cond", "checkpoint", "fn"};
  return names[r->kind];
}

bool want_condition(Elab *e, Value **v, const char *what, Loc at) {
  Value *c = v_read(e, *v);
  if (is_poison(c)) return false;
  if (is_open_bool(c)) c = v_to_tensor(e, c, BOOL, at);
  if (c->kind == V_BOOL) {
    elab_error(e, at, E0427, "`%s` takes a run-time bool[], and this is known while compiling: %s", what,
               value_text(e, c));
    elab_help(e, "`if` chooses while compiling");
    return false;
  }
  if (c->kind != V_TENSOR || v_type(c).dtype != BOOL || v_type(c).rank != 0) {
    elab_error(e, at, E0427, "`%s` takes a bool[], and this is %s", what, value_kind_name(e, c));
    if (c->kind == V_TENSOR && v_type(c).dtype == BOOL) elab_help(e, "did you mean `all(…)` or `any(…)`?");
    return false;
  }
  *v = c;
  return true;
}

/* --- attempts ----------------------------------------------------------------------------------------------------- */
/* What one attempt at a body leaves behind besides nodes; taken back before the next. */
typedef struct Attempt {
  ptrdiff_t calls;
  int call_depth, updates, errors;
} Attempt;

static Attempt attempt_begin(const Elab *e) {
  const Trace *t = e->trace;
  return (Attempt){t->entry ? arrlen(t->entry->calls) : 0, t->call_depth, t->n_updates, e->errors};
}

static void attempt_undo(Elab *e, const Attempt *a) {
  Trace *t = e->trace;
  if (t->entry) arrsetlen(t->entry->calls, a->calls);
  t->call_depth = a->call_depth;
  t->n_updates = a->updates;
  e->errors = a->errors;
}

/* --- rows --------------------------------------------------------------------------------------------------------- */
typedef struct Rows {
  Value *v; /* a tree of tensors with the leading axis `length`; NULL: the numbers from `first` on */
  Dim length;
  int64_t first;
  int first_row, last_row; /* states of the rows among e->row_cells */
  bool failed;
  Loc loc;
} Rows;

static void row_length(Elab *e, Rows *r, Dim n, const Value *v) {
  if (r->length == DIM_NONE) r->length = n;
  if (r->length == n || r->failed) return;
  elab_error(e, r->loc, E0425, "what is walked through in step has the lengths %s and %s", dim_text(e, r->length),
             dim_text(e, n));
  if (v->kind == V_TENSOR) elab_note(e, graph_node(v->t.graph, v->t.id)->loc, "%s is made here", value_kind_name(e, v));
  r->failed = true;
}

static Value *leading_part(Elab *e, void *ctx, Value *v) {
  Rows *r = ctx;
  v = v_read(e, v);
  if (v->kind == V_NONE) return v;
  if (v->kind == V_TENSOR && v_type(v).rank > 0 && want_tensor(e, &v, "the rows", r->loc)) {
    row_length(e, r, v_type(v).shape[0], v);
    return v;
  }
  if (is_poison(v)) return v;
  elab_error(e, r->loc, E0425, "a loop of the graph walks through the first axis of tensors, and this is %s",
             value_kind_name(e, v));
  if (v->kind == V_INT) elab_help(e, "did you mean `0..%s`?", value_text(e, v));
  return e->poison;
}

static Value *rows_part(Elab *e, Rows *r, Value *v) {
  v = v_read(e, v);
  if (v->kind == V_LIST) {
    row_length(e, r, dim_int(e->dims, v->list.n), v);
    return r->failed ? e->poison : stack_list(e, v, r->loc);
  }
  if (v->kind != V_TUPLE) return tree_parts(e, v, leading_part, r);
  Value **items = arena_array(e->arena, Value *, v->list.n + 1);
  for (int i = 0; i < v->list.n; i++) {
    items[i] = rows_part(e, r, v->list.items[i]);
    if (is_poison(items[i])) return items[i];
  }
  return v_tuple(e, items, v->list.names, v->list.n);
}

static bool int_rows(Elab *e, Env *env, const AstRange *range, Value *from, Rows *r) {
  Value *to = v_read(e, elab_expr(e, env, range->to));
  if (is_poison(to)) return false;
  if (from->kind != V_INT || to->kind != V_INT) {
    const Value *v = from->kind != V_INT ? from : to;
    elab_error(e, range->loc, E0425, "the ends of a range are ints, and this one is %s", value_kind_name(e, v));
    if (v->kind == V_TENSOR)
      elab_help(e, "the most turns are known while compiling: `scan i in 0..64 { …; stop when i + 1 >= n }`");
    return false;
  }
  if (!v_const_int(e, from, &r->first)) {
    elab_error(e, range->loc, E0425, "the first number of a range is known while compiling, `%s` is not",
               dim_text(e, from->i));
    return false;
  }
  r->length = dim_sub(e->dims, to->i, from->i);
  int64_t n;
  if (dim_is_int(e->dims, r->length, &n) && n < 0) r->length = dim_int(e->dims, 0);
  return true;
}

static bool loop_rows(Elab *e, Env *env, const AstRange *range, Rows *r) {
  Value *from = v_read(e, elab_expr(e, env, range->from));
  *r = (Rows){.length = DIM_NONE, .loc = range->loc};
  if (is_poison(from)) return false;
  if (range->to) return int_rows(e, env, range, from, r);
  r->first_row = (int)arrlen(e->row_cells);
  r->v = rows_part(e, r, from);
  r->last_row = (int)arrlen(e->row_cells);
  if (is_poison(r->v) || r->failed) return false;
  if (r->length != DIM_NONE) return true;
  elab_error(e, range->loc, E0425, "there is nothing to walk through: %s has no tensors", value_kind_name(e, from));
  return false;
}

static Value *row_part(Elab *e, void *ctx, Value *v) {
  Region *r = ctx;
  if (v->kind != V_TENSOR) return v;
  Type t = v_type(v);
  region_leave(e, r);
  NodeId outside = nid(v);
  region_enter(e, r);
  return v_tensor(e, region_input(r, IN_ROW, outside, (Type){t.dtype, t.rank - 1, t.shape + 1}));
}

/* The value of the loop's pattern; the region is the current one. */
static Value *bind_rows(Elab *e, Region *r, const Rows *rows) {
  if (rows->v) return restack(e, tree_parts(e, rows->v, row_part, r), -1);
  region_leave(e, r);
  NodeId numbers = g_iota(e->trace->graph, r->loc, type_of(e->arena, I32, 1, &rows->length), 0);
  region_enter(e, r);
  NodeId i = region_input(r, IN_ROW, numbers, type_scalar(I32));
  if (rows->first)
    i = g_map2(r->graph, OP_add, r->loc, i, g_full(r->graph, r->loc, (double)rows->first, type_scalar(I32)));
  return v_tensor(e, i);
}

/* --- values ------------------------------------------------------------------------------------------------------- */
typedef struct Stack {
  Region *r;
  NodeId *nodes; /* stb_ds: of the body, to be stacked */
  NodeId op;     /* the loop, once it is made */
  int next;
  bool top;
  Loc loc;
} Stack;

static Value *stacked_part(Elab *e, void *ctx, Value *v) {
  Stack *s = ctx;
  v = v_read(e, v);
  if (is_number(v)) v = v_to_tensor(e, v, TUPLE, s->loc);
  if (is_poison(v)) return v;
  if (v->kind != V_TENSOR) {
    if (v->kind == V_NONE || (!s->top && v->kind != V_FN) || (v->kind == V_FN && !v_has_tensor(v))) return v;
    elab_error(e, s->loc, E0424, "the value of `%s` is a stack of tensors, and a part of it is %s", region_name(s->r),
               value_kind_name(e, v));
    return e->poison;
  }
  if (v_type(v).rank >= MAX_RANK)
    return elab_error(e, s->loc, E0304, "the stack of %s has more than %d axes", value_kind_name(e, v), MAX_RANK);
  NodeId n = nid(v);
  arrput(s->nodes, n);
  return v_tensor(e, n);
}

static Value *stack_result(Elab *e, void *ctx, Value *v) {
  Stack *s = ctx;
  return v->kind == V_TENSOR ? v_tensor(e, g_get(e->trace->graph, s->r->loc, s->op, s->next++)) : v;
}

static Loc value_loc(const AstBlock *b) { return b->n ? b->stmts[b->n - 1]->loc : b->loc; }

/* A scan that may stop carries whether it still runs, and its body is a branch: else what it carries and the states of
 * its rows stay, and the rows of its value are 0. */
static Graph *stopping_body(Elab *e, Region *r, int carried) {
  Graph *body = graph_new(e->arena, e->dims, e->diag), *rest = graph_new(e->arena, e->dims, e->diag);
  Type flag = type_scalar(BOOL);
  int n = r->graph->n_inputs, n_out = (int)arrlen(r->graph->outputs);
  NodeId *in = arena_array(e->arena, NodeId, n + 1);
  in[0] = g_input(body, r->loc, flag);
  arrput(rest->outputs, g_full(rest, r->loc, 0, flag));
  NodeId first = (NodeId)arrlen(rest->nodes); /* the inputs are one behind the other */
  for (int i = 0; i < n; i++) {
    in[i + 1] = g_input(body, r->loc, r->graph->input_types[i]);
    NodeId same = g_input(rest, r->loc, r->graph->input_types[i]);
    if (i < carried) arrput(rest->outputs, same);
  }
  for (ptrdiff_t i = 0; i < arrlen(r->row_states); i++)
    arrput(rest->outputs, first + (NodeId)node_int(r->graph, graph_node(r->graph, r->row_states[i]), A_index));
  for (int i = carried + (int)arrlen(r->row_states); i < n_out; i++)
    arrput(rest->outputs, g_full(rest, r->loc, 0, graph_type(r->graph, r->graph->outputs[i])));
  arrins(r->graph->outputs, 0, g_map1(r->graph, OP_not, r->loc, r->stop));
  Graph *branches[2] = {r->graph, rest};
  NodeId op = graph_add_region(body, OP_cond, r->loc, in, n + 1, NULL, 0, branches, 2);
  for (int i = 0; i <= n_out; i++) arrput(body->outputs, g_get(body, r->loc, op, i));
  return body;
}

/* --- scan --------------------------------------------------------------------------------------------------------- */
typedef struct Loop {
  const AstExpr *x;
  Env *env;
  Rows rows;
  Carried carried;
  Region *r, *test; /* of the body; of a `while`'s condition */
  Stack stack;
  Value *value; /* of the body, of its graph */
  int *states;  /* stb_ds: row cells that the body writes */
  uint64_t site;
} Loop;

static bool loop_body(Elab *e, Loop *l) {
  const AstExpr *x = l->x;
  Frame f;
  Region *r = l->r;
  Env *inner = env_new(e, l->env);
  carried_start(e, &l->carried, r->loc);
  region_enter(e, r);
  carried_bind(e, &l->carried, r);
  row_cells_bind(e, r, l->rows.first_row, l->rows.last_row);
  frame_push(e, &f, NULL, (Loc){0}, l->site);
  bool ok = elab_pattern(e, inner, x->loop.pattern, bind_rows(e, r, &l->rows));
  Value *v = ok ? block_in(e, inner, &x->loop.body) : e->poison;
  frame_pop(e);
  l->stack = (Stack){.r = r, .loc = value_loc(&x->loop.body), .top = !is_tree(v) && v->kind != V_LIST};
  l->value = is_poison(v) ? v : tree_parts(e, v, stacked_part, &l->stack);
  ok = carried_close(e, &l->carried, r) && !is_poison(l->value);
  l->states = row_cells_close(e, r);
  region_leave(e, r);
  carried_restore(&l->carried);
  return ok;
}

enum { MAX_ATTEMPTS = 8 };

/* Elaborates the body until what it changes is known: the static numbers that it assigns and the cells that it writes
 * show only then. While numbers are taken for static that are not, errors do not count; the last attempt is in earnest.
 */
static bool settle_loop(Elab *e, Loop *l, RegionKind kind, bool (*body)(Elab *, Loop *)) {
  Attempt a = attempt_begin(e);
  l->carried.loc = elab_place(e, l->x->op);
  bool quiet = carried_numbers(e, &l->carried) && !e->mute;
  for (int n = 0;; n++) {
    l->r = region_new(e, kind, l->carried.loc);
    l->r->length = l->rows.length;
    e->mute += quiet;
    bool ok = body(e, l);
    e->mute -= quiet;
    bool again = l->carried.again && n < MAX_ATTEMPTS;
    if (!again && !quiet) return ok && e->errors == a.errors;
    arrfree(l->stack.nodes);
    arrfree(l->states);
    attempt_undo(e, &a);
    quiet = quiet && again;
  }
}

static Value *loop_results(Elab *e, Loop *l, NodeId op, int first_carry, int first_stack) {
  carried_results(e, &l->carried, l->r, op, first_carry);
  row_cells_commit(e, l->r, l->states, op, first_stack);
  l->stack.op = op;
  l->stack.next = first_stack + (int)arrlen(l->states);
  return restack(e, tree_parts(e, l->value, stack_result, &l->stack), 1);
}

static void loop_outputs(Loop *l) {
  Region *r = l->r;
  for (ptrdiff_t i = 0; i < arrlen(r->inputs); i++)
    if (r->inputs[i].kind == IN_CARRY) arrput(r->graph->outputs, r->inputs[i].next);
  for (ptrdiff_t i = 0; i < arrlen(l->states); i++) arrput(r->graph->outputs, cell_find(r->cells, l->states[i])->now);
  for (ptrdiff_t i = 0; i < arrlen(l->stack.nodes); i++) arrput(r->graph->outputs, l->stack.nodes[i]);
}

static Value *scan_op(Elab *e, Loop *l) {
  Region *r = l->r;
  int n, carried, rows;
  if (!carried_grads(e, r)) return carried_fail(e, &l->carried);
  carried_drop_constant(&r, 1, r);
  loop_outputs(l);
  NodeId *in = region_operands(e, &r, 1, &n, &carried, &rows);
  Graph *g = e->trace->graph, *body = r->graph;
  int stop = r->stop != 0;
  if (stop) {
    body = stopping_body(e, r, carried);
    NodeId *more = arena_array(e->arena, NodeId, n + 1);
    more[0] = g_full(g, r->loc, 1, type_scalar(BOOL));
    memcpy(more + 1, in, sizeof *in * (size_t)n);
    in = more;
    n++;
    carried++;
  }
  Attr at[3] = {attr_int(g, A_carried, carried), attr_int(g, A_rows, rows), attr_dim(g, A_length, r->length)};
  NodeId op = graph_add_region(g, OP_scan, r->loc, in, n, at, 3, &body, 1);
  return loop_results(e, l, op, stop, carried);
}

Value *elab_scan(Elab *e, Env *env, const AstExpr *x) {
  Loop l = {.x = x, .env = env};
  if (!loop_rows(e, env, &x->loop.range, &l.rows)) return e->poison;
  l.site = site_next(e, "scan");
  l.carried = carried_find(env, x->loop.pattern, &x->loop.body);
  Value *v = settle_loop(e, &l, RG_SCAN, loop_body) ? scan_op(e, &l) : carried_fail(e, &l.carried);
  carried_free(&l.carried);
  arrfree(l.stack.nodes);
  arrfree(l.states);
  return v;
}

/* --- vmap --------------------------------------------------------------------------------------------------------- */
/* Iterations are independent: nothing is carried and no cell written. */
static bool independent(Elab *e, const Loop *l) {
  if (!arrlen(l->carried.cells)) return true;
  int cell = l->carried.cells[0];
  elab_error(e, cell_find(l->r->cells, cell)->loc, E0617,
             "`%s` is written inside of `vmap`, once for each of its iterations", cell_info(e, cell)->path);
  elab_note(e, l->r->loc, "the `vmap` begins here");
  elab_help(e, "`scan` writes it in order; `eval_mode(m)` leaves a module's states alone");
  return false;
}

static bool assigns_nothing(Elab *e, Env *env, const AstExpr *x) {
  Carried c = carried_find(env, x->loop.pattern, &x->loop.body);
  bool ok = arrlen(c.vars) == 0;
  if (!ok) {
    elab_error(e, c.vars[0].loc, E0426, "`vmap` cannot assign `%s`, which lies outside of it", c.vars[0].name);
    elab_note(e, elab_place(e, x->op), "its iterations are independent of each other");
    elab_help(e, "give the new value as the value of the block, or carry it in a `scan`");
  }
  carried_free(&c);
  return ok;
}

Value *elab_vmap(Elab *e, Env *env, const AstExpr *x) {
  Loop l = {.x = x, .env = env};
  if (!loop_rows(e, env, &x->loop.range, &l.rows)) return e->poison;
  l.site = site_next(e, "scan"); /* the numbers that a loop would draw */
  if (!assigns_nothing(e, env, x)) return e->poison;
  l.r = region_new(e, RG_VMAP, elab_place(e, x->op));
  l.r->length = l.rows.length;
  int errors = e->errors, n, carried, rows;
  Value *v = e->poison;
  if (loop_body(e, &l) && independent(e, &l) && e->errors == errors) {
    loop_outputs(&l);
    NodeId *in = region_operands(e, &l.r, 1, &n, &carried, &rows);
    Attr at[2] = {attr_int(e->trace->graph, A_rows, rows), attr_dim(e->trace->graph, A_length, l.r->length)};
    v = loop_results(e, &l, graph_add_region(e->trace->graph, OP_vmap, l.r->loc, in, n, at, 2, &l.r->graph, 1), 0, 0);
  }
  carried_free(&l.carried);
  arrfree(l.stack.nodes);
  arrfree(l.states);
  return v;
}

/* --- while -------------------------------------------------------------------------------------------------------- */
static bool while_test(Elab *e, Loop *l) {
  const AstExpr *x = l->x;
  Region *r = l->test = region_new(e, RG_WHILE, l->carried.loc);
  region_enter(e, r);
  carried_bind(e, &l->carried, r);
  int version = e->trace->version;
  Value *c = elab_expr(e, env_new(e, l->env), x->whilst.cond);
  bool ok = want_condition(e, &c, "while", x->whilst.cond->loc);
  if (ok) arrput(r->graph->outputs, nid(c));
  if (ok && version != e->trace->version) {
    elab_error(e, x->whilst.cond->loc, E0617, "the condition of a `while` writes a state");
    elab_help(e, "write it in the body");
    ok = false;
  }
  region_leave(e, r);
  carried_restore(&l->carried);
  return ok;
}

static bool while_body(Elab *e, Loop *l) {
  Frame f;
  Region *r = l->r;
  carried_start(e, &l->carried, r->loc);
  frame_push(e, &f, NULL, (Loc){0}, l->site);
  bool ok = while_test(e, l);
  region_enter(e, r);
  carried_bind(e, &l->carried, r);
  Value *v = elab_block(e, l->env, &l->x->whilst.body);
  ok = carried_close(e, &l->carried, r) && ok && !is_poison(v);
  region_leave(e, r);
  carried_restore(&l->carried);
  frame_pop(e);
  return ok;
}

static bool while_limit(Elab *e, Env *env, const AstExpr *x, Dim *out) {
  *out = dim_int(e->dims, -1);
  if (!x) return true;
  Value *v = elab_expr(e, env, x);
  if (is_poison(v)) return false;
  int64_t k;
  if (v->kind == V_INT && (!dim_is_int(e->dims, v->i, &k) || k >= 0)) {
    *out = v->i;
    return true;
  }
  elab_error(e, x->loc, E0429, "the limit of a `while` is an int of at least 0, known while compiling, not %s",
             v->kind == V_INT ? value_text(e, v) : value_kind_name(e, v));
  if (v->kind == V_TENSOR) elab_help(e, "test it in the condition: `while c and i < n limit 100 { … }`");
  return false;
}

static Value *while_op(Elab *e, Loop *l, Dim limit) {
  Region *both[2] = {l->test, l->r};
  Graph *g = e->trace->graph, *bodies[2] = {l->test->graph, l->r->graph};
  int n, carried, rows;
  if (!carried_grads(e, l->r)) return carried_fail(e, &l->carried);
  region_share_counter(both, 2);
  carried_drop_constant(both, 2, l->r);
  loop_outputs(l);
  NodeId *in = region_operands(e, both, 2, &n, &carried, &rows);
  if (!carried) {
    elab_error(e, l->x->op, E0429, "this `while` changes nothing, so it never ends once it has begun");
    elab_help(e, "its body assigns `var`s from outside, which its condition tests");
    return e->poison;
  }
  Attr at[2] = {attr_int(g, A_carried, carried), attr_dim(g, A_limit, limit)};
  NodeId op = graph_add_region(g, OP_while, l->r->loc, in, n, at, 2, bodies, 2);
  carried_results(e, &l->carried, l->r, op, 0);
  return e->none;
}

Value *elab_while(Elab *e, Env *env, const AstExpr *x) {
  Loop l = {.x = x, .env = env};
  Dim limit;
  if (!while_limit(e, env, x->whilst.limit, &limit)) return e->poison;
  l.site = site_next(e, "while");
  l.carried = carried_find(env, NULL, &x->whilst.body);
  Value *v = settle_loop(e, &l, RG_WHILE, while_body) ? while_op(e, &l, limit) : carried_fail(e, &l.carried);
  carried_free(&l.carried);
  return v;
}
