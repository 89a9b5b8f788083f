/* Row groups: reductions of one split with what stands before, between and after them. A row is gone through as often
 * as its values depend on each other; what is costly to compute and needed again is kept beside, in scratch of the
 * length of a row. Wide outs are stored in the last pass, narrow ones behind it, so that all reads of a row come first.
 */
#include "base/ds.h"
#include "codegen/lower.h"

/* operations; what is kept of a row, in first caches; bytes of a row that are worth a way past the caches; of a line */
enum { COSTLY = 8, NEAR_CACHES = 2, STREAM_LEAST = 512, LINE = 64 };

typedef struct Kept { /* a wide value that is stored in its first pass and loaded in later ones */
  NodeId node;
  int pass;
} Kept;
typedef struct RowGroup {
  Axes all; /* of the operand of the first fold; the others are reshapes of it */
  int n_kept, n_red;
  int kept[MAX_RANK], red[MAX_RANK]; /* its axes */
  Dim count;                         /* of all */
  int *level;             /* by node: the first pass in which it can be computed; of a fold's result: the pass behind */
  NodeId *folds, *values; /* stb_ds */
  RowFold *fold;          /* stb_ds, parallel */
  RowValue *row_value;    /* stb_ds, parallel */
  LExpr **raw;            /* by fold: the result in the accumulator's dtype */
  GroupOut *wide, *narrow; /* stb_ds */
  bool *streamed;          /* by wide out: its lines, or its rows, are made in scratch and copied past the caches */
  LArr **line;             /* by wide out: where a piece of it is made */
  int store_pass;
  NodeId *fetched;                  /* stb_ds: wide operands whose next row is asked for */
  int64_t row_elements, kept_bytes; /* of a row or a block of rows side by side; of all that should be kept */
  Kept *keep;                       /* stb_ds */
  int *seen;                        /* by node: 1 + the last pass that needs it, while keeps are chosen */
  int *first;                       /* by node: 1 + the first such pass */
} RowGroup;

static Idx whole(const RowGroup *c, const Idx *kept, const Idx *red) {
  Idx at = {0};
  for (int k = 0; k < c->n_kept; k++) at.i[c->kept[k]] = kept->i[k];
  for (int k = 0; k < c->n_red; k++) at.i[c->red[k]] = red->i[k];
  return at;
}
/* The index of a node of as many elements as `axes`, in the same order. */
static Idx index_of(Lower *l, NodeId n, const Axes *axes, const Idx *at) {
  Axes to = axes_of(l, n);
  return axes_reshape(l, axes, at, &to);
}
/* The array of a row's length that is known by `key`. */
static LArr *row_array(Lower *l, const RowGroup *c, NodeId n, int key, const char *name) {
  for (int i = 0; i < arrlen(l->temps); i++)
    if (l->temps[i]->kind == ARR_SCRATCH && l->temps[i]->buf == key) return l->temps[i];
  LArr *a = lb_array(l->b, ARR_SCRATCH, graph_type(l->g, n).dtype, c->row_elements, name);
  a->buf = key;
  a->written = true;
  arrput(l->temps, a);
  return a;
}
static LArr *keep_array(Lower *l, const Rows *r, const Kept *k) {
  return row_array(l, r->ctx, k->node, (int)k->node, "row");
}
static LArr *stream_array(Lower *l, const RowGroup *c, int out) {
  return row_array(l, c, c->wide[out].node, -1 - (int)c->wide[out].node, "out");
}
static LExpr *keep_place(Lower *l, const Rows *r, const Idx *red, LExpr *column) {
  LExpr *at = axes_linear(l->b, &r->red, red);
  return column ? x_add(l->b, x_mul(l->b, at, x_int(l->b, r->block)), column) : at;
}
/* What earlier passes have kept is there. */
static void recall(Lower *l, const Rows *r, int pass, const Idx *kept, const Idx *red, LExpr *column) {
  const RowGroup *c = r->ctx;
  Idx at = whole(c, kept, red);
  for (int i = 0; i < arrlen(c->keep); i++) {
    if (c->keep[i].pass >= pass) continue;
    Idx in = index_of(l, c->keep[i].node, &c->all, &at);
    LExpr *v = x_load(l->b, keep_array(l, r, &c->keep[i]), keep_place(l, r, red, column), NULL);
    value_known_at(l, c->keep[i].node, &in, v);
  }
}

static LExpr *row_operand(Lower *l, const Rows *r, int fold, const Idx *kept, const Idx *red, LExpr *column) {
  const RowGroup *c = r->ctx;
  recall(l, r, r->fold[fold].pass, kept, red, column);
  NodeId n = graph_node(l->g, c->folds[fold])->in[0];
  Idx at = whole(c, kept, red), in = index_of(l, n, &c->all, &at);
  return x_cast(l->b, value_at(l, n, &in), r->fold[fold].dtype);
}

static void row_each(Lower *l, const Rows *r, int pass, const Idx *kept, const Idx *red, LExpr *column) {
  const RowGroup *c = r->ctx;
  Idx at = whole(c, kept, red);
  LExpr *in_piece = r->columns ? NULL : column;
  if (in_piece) column = NULL;
  recall(l, r, pass, kept, red, column);
  for (int i = 0; i < arrlen(c->keep); i++) {
    if (c->keep[i].pass != pass) continue;
    Idx in = index_of(l, c->keep[i].node, &c->all, &at);
    LExpr *v = value_at(l, c->keep[i].node, &in);
    lb_store(l->b, keep_array(l, r, &c->keep[i]), keep_place(l, r, red, column), v);
  }
  int n = pass == c->store_pass ? (int)arrlen(c->wide) : 0;
  LExpr **v = arena_array(l->arena, LExpr *, n + 1);
  for (int i = 0; i < n; i++) {
    Idx in = index_of(l, c->wide[i].node, &c->all, &at);
    v[i] = value_at(l, c->wide[i].node, &in);
  }
  for (int i = 0; i < n && n > 1; i++) v[i] = lb_let(l->b, NULL, v[i]);
  for (int i = 0; i < n; i++) {
    if (c->streamed[i] && in_piece) lb_store(l->b, c->line[i], in_piece, v[i]);
    else if (c->streamed[i]) lb_store(l->b, stream_array(l, c, i), axes_linear(l->b, &r->red, red), v[i]);
    else store_out(l, &c->wide[i], axes_linear(l->b, &c->all, &at), v[i]);
  }
}

static LExpr *row_found(Lower *l, const Rows *r, int value, const Idx *kept) {
  const RowGroup *c = r->ctx;
  Idx at = index_of(l, c->values[value], &r->kept, kept);
  return value_at(l, c->values[value], &at);
}
static void row_know(Lower *l, const Rows *r, int i, const Idx *kept, LExpr *v) {
  const RowGroup *c = r->ctx;
  NodeId n = i < r->n ? c->folds[i] : c->values[i - r->n];
  if (i < r->n) c->raw[i] = v;
  v = x_cast(l->b, v, graph_type(l->g, n).dtype);
  if (c->level[n]) { /* only members of the group's cluster depend on its folds, and they read their own row */
    value_known(l, n, v);
    return;
  }
  Idx at = index_of(l, n, &r->kept, kept);
  value_known_at(l, n, &at, v);
}
static LExpr *row_result(Lower *l, const Rows *r, int i) {
  (void)l;
  return ((const RowGroup *)r->ctx)->raw[i];
}
/* Copies the streamed outs of this row, or of a piece of it that begins at red, to their places. */
static void stream_outs(Lower *l, const Rows *r, const Idx *kept, const Idx *red) {
  const RowGroup *c = r->ctx;
  LB *b = l->b;
  LExpr *count = x_dim(b, axes_count(l->dims, &r->red, 0, r->red.n)),
        *row = x_mul(b, axes_linear(b, &r->kept, kept), count);
  for (int i = 0; i < arrlen(c->wide); i++) {
    if (!c->streamed[i]) continue;
    DType t = graph_type(l->g, c->wide[i].node).dtype;
    CallArg args[] = {
        {.arr = lower_buf(l, c->wide[i].buf, t), .x = red ? x_add(b, row, axes_linear(b, &r->red, red)) : row},
        {.arr = red ? c->line[i] : stream_array(l, c, i), .x = x_int(b, 0)},
        {.x = x_mul(b, red ? x_int(b, r->piece) : count, x_int(b, dtype_size(t)))}};
    lb_run(b, red ? "stream_lines" : "stream", args, 3);
  }
}
static void begin_piece(Lower *l, const Rows *r) {
  const RowGroup *c = r->ctx;
  for (int i = 0; i < arrlen(c->wide); i++)
    if (c->streamed[i])
      c->line[i] = lb_array(l->b, ARR_STACK, graph_type(l->g, c->wide[i].node).dtype, r->piece, "out");
}
/* Asks for the next row, one half in each of the last two passes, so that its lines are on their way while e^x and the
 * like of this one are computed: processors do not fetch beyond a page, which may be a row. */
static void fetch_next(Lower *l, const Rows *r, int pass, const Idx *kept, const Idx *red, int count) {
  const RowGroup *c = r->ctx;
  LB *b = l->b;
  if (pass < r->passes - 2) return;
  LExpr *one = x_int(b, 1), *two = x_int(b, 2), *row = x_add(b, axes_linear(b, &r->kept, kept), one);
  LExpr *last = x_sub(b, x_dim(b, axes_count(l->dims, &r->kept, 0, r->kept.n)), one);
  LExpr *size = x_dim(b, axes_count(l->dims, &r->red, 0, r->red.n));
  LExpr *at = x_add(b, x_mul(b, x_min(b, row, last), size), x_div(b, axes_linear(b, &r->red, red), two));
  if (pass == r->passes - 1) at = x_add(b, at, x_div(b, size, two));
  fetch_wide(l, c->fetched, at, count / 2);
}
static void stream_end(Lower *l, const Rows *r) {
  (void)r;
  lb_run(l->b, "stream_end", NULL, 0);
}
static void row_done(Lower *l, const Rows *r, const Idx *kept) {
  const RowGroup *c = r->ctx;
  if (!r->piece) stream_outs(l, r, kept, NULL);
  int n = (int)arrlen(c->narrow);
  LExpr **v = arena_array(l->arena, LExpr *, n + 1);
  for (int i = 0; i < n; i++) {
    Idx in = index_of(l, c->narrow[i].node, &r->kept, kept);
    v[i] = value_at(l, c->narrow[i].node, &in);
  }
  for (int i = 0; i < n && n > 1; i++) v[i] = lb_let(l->b, NULL, v[i]);
  for (int i = 0; i < n; i++) store_out(l, &c->narrow[i], axes_linear(l->b, &r->kept, kept), v[i]);
}

/* ---- what happens in which pass ---- */

static void find_levels(Lower *l, RowGroup *c) {
  const Group *g = l->group;
  c->level = l->marks[0];
  int most = 0;
  for (int i = 0; i < arrlen(g->nodes); i++) {
    NodeId n = g->nodes[i];
    const Node *x = graph_node(l->g, n);
    for (int k = 0; k < x->n_in; k++)
      if (l->here[x->in[k]] && c->level[x->in[k]] > c->level[n]) c->level[n] = c->level[x->in[k]];
    for (int k = 0; k < arrlen(g->folds); k++)
      if (g->folds[k] == n && ++c->level[n] > most) most = c->level[n];
  }
  for (int pass = 0; pass < most; pass++)
    for (int k = 0; k < arrlen(g->folds); k++) {
      NodeId n = g->folds[k];
      if (c->level[n] != pass + 1) continue;
      const Node *x = graph_node(l->g, n);
      DType t = x->type.dtype;
      RowFold f = {.dtype = t == F16 || t == BF16 ? F32 : t, .pass = pass};
      f.op = x->op == OP_sum ? OP_add : x->op == OP_prod ? OP_mul : x->op == OP_reduce_max ? OP_maximum : OP_minimum;
      arrput(c->folds, n);
      arrput(c->fold, f);
    }
  c->store_pass = most - 1;
}

static void find_outs(Lower *l, RowGroup *c) {
  const Group *g = l->group;
  Dim rows = type_count(l->dims, graph_type(l->g, g->folds[0]));
  for (int i = 0; i < arrlen(g->outs); i++) {
    GroupOut o = g->outs[i];
    if (c->count == rows || type_count(l->dims, graph_type(l->g, o.node)) != c->count) {
      arrput(c->narrow, o);
      continue;
    }
    arrput(c->wide, o);
    if (c->level[o.node] > c->store_pass) c->store_pass = c->level[o.node];
  }
}

static void add_value(Lower *l, RowGroup *c, NodeId n) {
  for (int k = 0; k < arrlen(c->values); k++)
    if (c->values[k] == n) return;
  arrput(c->values, n);
  arrput(c->row_value, ((RowValue){.dtype = graph_type(l->g, n).dtype, .pass = c->level[n] - 1}));
}
/* Values of rows, other than folds, that are found before a pass: what wide values need of their row, and what is
 * picked from the row, which the last pass may replace. */
static void find_values(Lower *l, RowGroup *c) {
  const Group *g = l->group;
  Split row, s;
  if (!split_of(l->g, g->folds[0], &row)) return;
  for (int i = 0; i < arrlen(g->nodes) && arrlen(c->wide); i++) {
    NodeId n = g->nodes[i];
    if (op_info[graph_node(l->g, n)->op].cls != GATHER || !split_of(l->g, n, &s) || !split_same(&s, &row)) continue;
    int least = c->level[n] > 1 ? c->level[n] : 1; /* a pass of its own, so that rows are not cut into pieces */
    if (c->store_pass < least) c->store_pass = least;
  }
  for (int pass = -1; pass < c->store_pass; pass++)
    for (int i = 0; i < arrlen(g->nodes); i++) {
      NodeId n = g->nodes[i];
      if (c->level[n] != pass + 1 || !split_of(l->g, n, &s) || !split_same(&s, &row)) continue;
      if (graph_node(l->g, n)->op == OP_broadcast) {
        n = graph_node(l->g, n)->in[0];
        while (graph_node(l->g, n)->op == OP_reshape && l->here[n]) n = graph_node(l->g, n)->in[0];
        if (op_info[graph_node(l->g, n)->op].cls != MAP) continue;
      } else if (op_info[graph_node(l->g, n)->op].cls != GATHER || !arrlen(c->wide)) continue;
      if (l->here[n]) add_value(l, c, n);
    }
}

/* Marks what `pass` needs for n at an element; costly values that an earlier pass has had are kept. */
static void need(Lower *l, RowGroup *c, NodeId n, int pass) {
  const Node *x = graph_node(l->g, n);
  OpClass cls = op_info[x->op].cls;
  bool costly = cls == GATHER || op_info[x->op].flops >= COSTLY;
  if (!l->here[n] || c->seen[n] == pass + 1 || cls == REDUCE || (cls != MAP && x->op != OP_reshape && !costly)) return;
  c->seen[n] = pass + 1;
  if (!c->first[n]) c->first[n] = pass + 1;
  if (costly && c->first[n] <= pass) {
    for (int i = 0; i < arrlen(c->keep); i++)
      if (c->keep[i].node == n) return;
    c->kept_bytes += c->row_elements * dtype_size(x->type.dtype);
    if (c->kept_bytes > NEAR_CACHES * l->target->l1) return;
    arrput(c->keep, ((Kept){n, c->first[n] - 1}));
    return;
  }
  for (int k = 0; k < x->n_in && cls != GATHER; k++) need(l, c, x->in[k], pass);
}
static void find_keeps(Lower *l, RowGroup *c, const Rows *r) {
  int64_t row = dim_most(l, axes_count(l->dims, &r->red, 0, r->red.n)), side = r->columns ? rows_block(l, r) : 1;
  c->row_elements = row > 0 ? row * side : 1;
  c->seen = l->marks[1];
  c->first = l->marks[2];
  for (int pass = 0; pass < r->passes; pass++) {
    for (int i = 0; i < r->n; i++)
      if (c->fold[i].pass == pass) need(l, c, graph_node(l->g, c->folds[i])->in[0], pass);
    for (int i = 0; i < arrlen(c->wide) && pass == c->store_pass; i++) need(l, c, c->wide[i].node, pass);
  }
}

/* How many elements fill whole lines of the streamed outs, where rows are whole lines and the last pass, which stores
 * them, folds nothing: then each line goes out as it is made. Else 0: by rows. */
static int64_t line_elements(Lower *l, const RowGroup *c, const Rows *r) {
  int64_t piece = 1;
  for (int i = 0; i < arrlen(c->wide); i++) {
    int64_t n = LINE / dtype_size(graph_type(l->g, c->wide[i].node).dtype);
    if (c->streamed[i] && n > piece) piece = n;
  }
  for (int i = 0; i < arrlen(c->folds); i++)
    if (c->fold[i].pass == c->store_pass) return 0;
  return dim_is(l->dims, dim_mod(l->dims, r->red.size[r->red.n - 1], dim_int(l->dims, piece)), 0) ? piece : 0;
}
/* An out that surely does not fit the caches is not there when its reader comes: it goes past them, unless it is there
 * already because it is an operand's. */
static void find_streams(Lower *l, RowGroup *c, Rows *r) {
  Dim row = axes_count(l->dims, &r->red, 0, r->red.n);
  int64_t least = dim_lower(l->dims, c->count), most_row = dim_most(l, row);
  bool rows = !r->columns && r->passes > 1 && c->n_red && c->red[0] == c->n_kept, any = false;
  c->streamed = arena_array(l->arena, bool, arrlen(c->wide) + 1);
  c->line = arena_array(l->arena, LArr *, arrlen(c->wide) + 1);
  for (int i = 0; rows && i < arrlen(c->wide); i++) {
    int64_t size = dtype_size(graph_type(l->g, c->wide[i].node).dtype);
    bool fits = most_row * size <= l->target->l1 && dim_lower(l->dims, row) * size >= STREAM_LEAST;
    c->streamed[i] = fits && (double)least * (double)size > (double)l->target->l3;
    for (int k = 0; k < arrlen(l->group->reads); k++) c->streamed[i] &= l->group->reads[k] != c->wide[i].buf;
    any |= c->streamed[i];
  }
  if (!any) return;
  r->end = stream_end;
  r->piece = line_elements(l, c, r);
  c->fetched = wide_operands(l, c->count);
  r->ahead = r->passes > 2 ? fetch_next : NULL; /* the first pass waits for its own lines */
  r->piece_begin = begin_piece;
  r->piece_end = stream_outs;
}

/* A tensor that the operand is a copy or a part of decides which axis is contiguous; else the last one is. */
static int contiguous_axis(const Lower *l, NodeId id, int rank) {
  const Node *n = graph_node(l->g, id);
  if (rank == 0) return -1;
  if (lower_last(l, l->buf_of[id]) && !l->here[id]) return 1;
  if (n->op == OP_transpose && l->buf_of[id] < 0) {
    int64_t perm[MAX_RANK];
    node_ints(l->g, n, A_perm, perm, MAX_RANK);
    for (int k = 0; k < rank; k++)
      if (perm[k] == rank - 1) return k;
  }
  return rank - 1;
}

static void split_axes(Lower *l, RowGroup *c, Rows *r) {
  const Node *n = graph_node(l->g, l->group->folds[0]);
  int64_t axes[MAX_RANK];
  int n_axes = node_ints(l->g, n, A_axes, axes, MAX_RANK);
  c->all = axes_of(l, n->in[0]);
  c->count = axes_count(l->dims, &c->all, 0, c->all.n);
  for (int k = 0; k < c->all.n; k++) {
    bool folded = false;
    for (int j = 0; j < n_axes; j++) folded |= axes[j] == k;
    if (folded) c->red[c->n_red++] = k;
    else c->kept[c->n_kept++] = k;
    Axes *to = folded ? &r->red : &r->kept;
    to->size[to->n++] = c->all.size[k];
  }
  int contiguous = contiguous_axis(l, n->in[0], c->all.n);
  /* columns: the contiguous axis is the last kept one and worth it */
  r->columns = c->n_kept && c->kept[c->n_kept - 1] == contiguous && dim_most(l, c->all.size[contiguous]) > 1;
}

void lower_row_group(Lower *l) {
  RowGroup c = {0};
  Rows r = {.value = row_operand, .each = row_each, .found = row_found, .know = row_know, .result = row_result};
  split_axes(l, &c, &r);
  find_levels(l, &c);
  find_outs(l, &c);
  find_values(l, &c);
  r.passes = c.store_pass + 1;
  r.n = (int)arrlen(c.folds);
  r.n_values = (int)arrlen(c.values);
  r.fold = c.fold;
  r.row_value = c.row_value;
  r.done = row_done;
  r.ctx = &c;
  c.raw = arena_array(l->arena, LExpr *, r.n);
  find_keeps(l, &c, &r);
  find_streams(l, &c, &r);
  r.name = op_info[graph_node(l->g, l->group->folds[0])->op].name;
  lower_rows(l, &r);
  arrfree(c.folds), arrfree(c.values), arrfree(c.fold), arrfree(c.row_value), arrfree(c.wide), arrfree(c.narrow);
  arrfree(c.keep), arrfree(c.fetched);
  for (int i = 0; i < arrlen(l->group->nodes); i++) /* no others have any */
    for (int k = 0; k < 3; k++) l->marks[k][l->group->nodes[i]] = 0;
}
