/* Functions of rows and matrices: one piece of work is one row (matrix). Its operands are copied, whatever computes
 * them, into space of their own as double (sorted integers as i64), a function of the runtime works there, and what it
 * leaves is stored in the result's dtype. Running sums and products need no function: they are a loop. */
#include "base/ds.h"
#include "codegen/lower.h"

typedef struct Piece {
  Lower *l;
  const Node *n;
  Axes out;
  int lead;    /* leading axes */
  Idx at;      /* the piece */
  LExpr *item; /* its number */
  int64_t items;
} Piece;
typedef struct Space { /* of one piece */
  LArr *arr;
  LExpr *base;
} Space;

static Dim last_size(const Piece *c, int operand, int from_end) {
  Type t = graph_type(c->l->g, c->n->in[operand]);
  return t.shape[t.rank - from_end];
}

/* Scratch of the thread; where there are fewer pieces than threads might be, workspace, which is smaller then. */
static Space space(Piece *c, DType t, Dim count, const char *name) {
  Lower *l = c->l;
  int64_t most = dim_most(l, count);
  if (most < 1) most = 1;
  if (c->items >= l->target->max_threads) return (Space){lb_array(l->b, ARR_SCRATCH, t, most, name), x_int(l->b, 0)};
  LArr *a = lower_temp_array(l, lower_temp(l, t, most * c->items), t, true);
  return (Space){a, x_mul(l->b, c->item, x_int(l->b, most))};
}

/* Loops over the trailing axes of `a`; returns the position within the piece. */
static LExpr *open_piece(Piece *c, const Axes *a, Idx *at, int *opened) {
  LB *b = c->l->b;
  Axes inner = {0};
  Idx in = {0};
  *at = c->at;
  *opened = 0;
  for (int k = c->lead; k < a->n; k++) {
    LVar *v = lb_for(b, k + 1 == a->n ? FOR_VECTOR : FOR_SERIAL, "i", x_int(b, 0), x_dim(b, a->size[k]), 1);
    lb_range(b, v, a->size[k]);
    at->i[k] = in.i[inner.n] = x_var(b, v);
    inner.size[inner.n++] = a->size[k];
    ++*opened;
  }
  return axes_linear(b, &inner, &in);
}

static void load(Piece *c, NodeId x, Space s) {
  Lower *l = c->l;
  Axes a = axes_of(l, x);
  Idx at;
  int opened;
  LExpr *i = open_piece(c, &a, &at, &opened);
  lb_store(l->b, s.arr, x_add(l->b, s.base, i), x_cast(l->b, value_at(l, x, &at), s.arr->dtype));
  close_nest(l, opened);
}

static void store(Piece *c, Space s) {
  Lower *l = c->l;
  Idx at;
  int opened;
  DType t = c->n->type.dtype;
  LExpr *i = open_piece(c, &c->out, &at, &opened), *v = x_load(l->b, s.arr, x_add(l->b, s.base, i), NULL);
  lb_store(l->b, lower_buf(l, l->group->outs[0].buf, t), axes_linear(l->b, &c->out, &at), x_cast(l->b, v, t));
  close_nest(l, opened);
}

static void cumulate(Piece *c) {
  Lower *l = c->l;
  LB *b = l->b;
  DType t = c->n->type.dtype, wide = dtype_is_float(t) ? F64 : I64;
  bool sum = c->n->op == OP_cumsum;
  int last = c->out.n - 1;
  LVar *acc = lb_var(b, "acc", x_num(b, sum ? 0 : 1, wide));
  LVar *k = lb_for(b, FOR_SERIAL, "k", x_int(b, 0), x_dim(b, c->out.size[last]), 1);
  lb_range(b, k, c->out.size[last]);
  Idx at = c->at;
  at.i[last] = x_var(b, k);
  if (node_int(l->g, c->n, A_reverse))
    at.i[last] = x_sub(b, x_sub(b, x_dim(b, c->out.size[last]), x_int(b, 1)), x_var(b, k));
  LExpr *x = x_cast(b, value_at(l, c->n->in[0], &at), wide);
  lb_assign(b, acc, x_op(b, sum ? OP_add : OP_mul, wide, x_read(b, acc), x, NULL));
  lb_store(b, lower_buf(l, l->group->outs[0].buf, t), axes_linear(b, &c->out, &at), x_cast(b, x_read(b, acc), t));
  lb_end(b);
}

static CallArg array_of(Space s) { return (CallArg){s.arr, s.base}; }
static CallArg size_of(Piece *c, Dim d) { return (CallArg){NULL, x_dim(c->l->b, d)}; }

static void argsort(Piece *c) {
  Lower *l = c->l;
  Dim n = last_size(c, 0, 1);
  bool floats = dtype_is_float(graph_type(l->g, c->n->in[0]).dtype);
  Space x = space(c, floats ? F64 : I64, n, "key"), y = space(c, I32, n, "order"), work = space(c, I32, n, "work");
  load(c, c->n->in[0], x);
  CallArg descending = {NULL, x_int(l->b, node_int(l->g, c->n, A_descending))};
  lb_run(l->b, floats ? "argsort_f64" : "argsort_i64",
         (CallArg[]){array_of(x), array_of(y), array_of(work), size_of(c, n), descending}, 5);
  store(c, y);
}

static void factorise(Piece *c) {
  Lower *l = c->l;
  DimTab *t = l->dims;
  LB *b = l->b;
  Op op = (Op)c->n->op;
  Dim m = last_size(c, 0, 2), n = last_size(c, 0, 1), mn = dim_mul(t, m, n);
  Space x = space(c, F64, mn, "a");
  CallArg a = array_of(x), an = size_of(c, n);
  load(c, c->n->in[0], x);
  if (op == OP_cholesky) {
    lb_run(b, "cholesky", (CallArg[]){a, an}, 2);
    store(c, x);
  } else if (op == OP_solve || op == OP_triangular_solve) {
    Dim k = last_size(c, 1, 1);
    Space y = space(c, F64, dim_mul(t, n, k), "b");
    load(c, c->n->in[1], y);
    CallArg args[5] = {a, array_of(y), an, size_of(c, k)};
    if (op == OP_triangular_solve) args[4].x = x_int(b, node_int(l->g, c->n, A_lower));
    lb_run(b, op_info[op].name, args, op == OP_solve ? 4 : 5);
    store(c, y);
  } else if (op == OP_logdet) {
    Space y = space(c, F64, dim_int(t, 1), "y");
    lb_run(b, "logdet", (CallArg[]){a, array_of(y), an}, 3);
    store(c, y);
  } else if (op == OP_orthonormal) {
    Space q = space(c, F64, mn, "q"), work = space(c, F64, dim_mul(t, n, dim_add(t, m, dim_int(t, 3))), "work");
    lb_run(b, "orthonormal", (CallArg[]){a, array_of(q), array_of(work), size_of(c, m), an}, 5);
    store(c, q);
  } else {
    Space y = space(c, F64, dim_add(t, mn, n), "y"),
          work = space(c, F64, dim_mul(t, n, dim_add(t, n, dim_int(t, 4))), "work");
    lb_run(b, "eigh", (CallArg[]){a, array_of(y), array_of(work), an}, 4);
    store(c, y);
  }
}

void lower_call(Lower *l) {
  NodeId id = l->group->outs[0].node;
  const Node *n = graph_node(l->g, id);
  bool row = n->op == OP_cumsum || n->op == OP_cumprod || n->op == OP_argsort;
  Piece c = {.l = l, .n = n, .out = axes_of(l, id), .lead = graph_type(l->g, n->in[0]).rank - (row ? 1 : 2)};
  Axes items = {.n = c.lead};
  for (int k = 0; k < c.lead; k++) items.size[k] = c.out.size[k];
  c.items = dim_most(l, axes_count(l->dims, &items, 0, items.n));
  lower_begin(l);
  open_items(l, &items, &c.at);
  c.item = axes_linear(l->b, &items, &c.at);
  if (n->op == OP_cumsum || n->op == OP_cumprod) cumulate(&c);
  else if (n->op == OP_argsort) argsort(&c);
  else factorise(&c);
  lb_end(l->b);
  lower_end(l, op_info[n->op].name, false);
}
