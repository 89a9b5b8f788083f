/* Which Winograd form a convolution takes, and how its work is cut: a model of the time of both ways, in multiply-adds
 * of a thread. Large windows of tiles multiply least but have the most weights, 36 for every 9 with tiles of 4x4; where
 * there are few tiles, reading those is what costs. */
#include "base/ds.h"
#include "codegen/winograd.h"

/* Bytes of workspace: of MOST_SUMS a form is not taken, above MANY_SUMS it has the fewest pieces. ITEMS: at least, to
 * be spread over threads. */
enum { PIECES = 8, ITEMS = 4, MOST_SUMS = 48 << 20, MANY_SUMS = 2 << 20 };

static const struct WinoForm {
  int r, m;
  double point[7];
} forms[] = {{3, 4, {0, 0.75, -0.75, 1.5, -1.5}}, {3, 2, {0, 1, -1}}, {5, 4, {0, 1, -1, 2, -2, 0.5, -0.5}}};
enum { FORMS = sizeof forms / sizeof *forms };

static int64_t up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
static int64_t clamp64(int64_t n, int64_t lo, int64_t hi) { return n < lo ? lo : n > hi ? hi : n; }

static bool fixed_sizes(const Lower *l, NodeId id, int64_t *size) { /* all but the first */
  Type t = graph_type(l->g, id);
  for (int k = 1; k < 4; k++)
    if (!dim_is_int(l->dims, t.shape[k], &size[k]) || size[k] < 1) return false;
  return true;
}

/* The register tile: few idle rows, and enough work for each load. */
static void choose_tile(Wino *w, int registers) {
  static const int wide[][2] = {{6, 4}, {8, 2}, {8, 3}, {12, 2}, {14, 2}, {8, 1}, {14, 1}},
                   narrow[][2] = {{4, 3}, {6, 2}, {4, 2}, {6, 1}};
  const int(*tile)[2] = registers >= 32 ? wide : narrow;
  int n = registers >= 32 ? 7 : 4;
  double best = 0;
  for (int i = 0; i < n; i++) {
    int mr = tile[i][0], nv = tile[i][1];
    if (w->cols / w->lanes % nv) continue;
    if (w->op == OP_conv_dw && w->cip % (w->lanes / 2) == 0) mr = (int)clamp64(w->lanes / 2, 4, 8);
    if (mr * nv + nv >= registers) continue;
    double loads = (double)(mr + nv) / (mr * nv), cost = loads > 1 ? loads : 1;
    cost *= w->op == OP_conv_dw ? 1 : (double)up(w->tiles, mr);
    if (best != 0 && cost >= best) continue;
    best = cost;
    w->mr = mr;
    w->nr = nv * w->lanes;
  }
}

/* ---- how the work is cut ---- */
int64_t winograd_weight_bytes(const Wino *w) { return 4 * w->a * w->a * w->ci * w->cop; }
static void cut(Wino *w, const Target *t, int64_t images, int64_t rows, int64_t cols) {
  w->images = images;
  w->rows = rows;
  w->cols = cols;
  w->tiles = images * rows * w->tx;
  choose_tile(w, t->registers);
}

/* What an image costs with items as they are cut: products of whole register tiles, transforms, which items of the same
 * tiles repeat for the image if other threads do them, and what comes from further away than the second cache, a byte a
 * multiply-add. */
static double cost_of(const Wino *w, const Target *t) {
  double a2 = w->a * w->a, row_blocks = (double)((w->ty + w->rows - 1) / w->rows);
  double column_blocks = (double)(w->cop / w->cols), panels = (double)(w->cols / w->nr);
  double blocks = row_blocks / (double)w->images, tiles = blocks * (double)up(w->tiles, w->mr);
  double cost = tiles * a2 * ((double)(w->ci * w->cop) + 10 * (column_blocks * (double)w->cip + (double)w->cop));
  if (winograd_weight_bytes(w) > t->l2) cost += blocks * (double)winograd_weight_bytes(w);
  double read = 4 * (double)(w->tiles * w->cip), made = a2 * (read + 4 * (double)(w->tiles * w->cols));
  if (made > (double)t->l2) cost += blocks * column_blocks * a2 * read * panels;
  double items = (double)w->batch * blocks * column_blocks;
  if (items < ITEMS) return cost * ITEMS / items;
  return cost * (double)up((int64_t)items, 2) / items; /* of an odd number one thread has more */
}

/* Tiles of an item: what is kept of them, beside the weights, should stay in the second cache; few images are cut into
 * some items all the same. */
static void cut_images(Wino *w, const Target *t) {
  int64_t each = 4 * w->a * w->a * (w->cip + w->cop), weights = 4 * w->a * w->a * w->cip * w->cop;
  int64_t want = clamp64((t->l2 * 3 / 4 - weights) / each, 16, 64);
  int64_t images = clamp64(want / (w->ty * w->tx), 1, 64);
  while (images > 1 && (w->batch + images - 1) / images < ITEMS) images = (images + 1) / 2;
  int64_t rows = images > 1 ? w->ty : clamp64(want / w->tx, 1, w->ty);
  while (w->batch * ((w->ty + rows - 1) / rows) < ITEMS && rows > 1 && (rows + 1) / 2 * w->tx >= 8)
    rows = (rows + 1) / 2;
  cut(w, t, images, rows, w->cop);
}
/* Where an image has few tiles and many weights, items may share its tiles and have channels of their own. */
static void cut_channels(Wino *w, const Target *t) {
  Wino best = *w;
  double least = cost_of(w, t);
  if (w->op == OP_conv_dw || w->images > 1 || winograd_weight_bytes(w) <= t->l2) return;
  for (int64_t blocks = 1; w->cop / blocks >= 4 * w->lanes; blocks *= 2) {
    if (w->cop % (blocks * w->lanes)) break;
    for (int64_t rows = 1; rows <= w->ty; rows++) {
      cut(w, t, 1, rows, w->cop / blocks);
      double cost = cost_of(w, t);
      if (cost >= least) continue;
      least = cost;
      best = *w;
    }
  }
  *w = best;
}

/* ---- choosing ---- */
/* This form for this convolution, if it fits. */
static bool form_of(const Lower *l, const Node *n, const struct WinoForm *form, Wino *w) {
  int64_t stride[MAX_RANK], dilation[MAX_RANK], low[MAX_RANK], x[4], y[4], k[4];
  *w = (Wino){.n = n, .op = (Op)n->op, .lanes = l->target->vector_bytes / 4};
  if (w->lanes < 4 || n->type.dtype != F32 || node_ints(l->g, n, A_stride, stride, MAX_RANK) != 2) return false;
  node_ints(l->g, n, A_dilation, dilation, MAX_RANK);
  node_ints(l->g, n, A_low, low, MAX_RANK);
  if (node_int(l->g, n, A_groups) != 1 || stride[0] * stride[1] * dilation[0] * dilation[1] != 1) return false;
  w->image = n->in[0];
  w->other = n->in[1];
  NodeId self = (NodeId)(n - l->g->nodes);
  bool dw = n->op == OP_conv_dw;
  if (!fixed_sizes(l, w->image, x) || !fixed_sizes(l, dw ? w->other : self, y) ||
      !fixed_sizes(l, dw ? self : w->other, k) || k[2] != form->r || k[3] != form->r)
    return false;
  w->r = form->r;
  w->m = form->m;
  w->a = w->m + w->r - 1;
  toom_cook(w->m, w->r, form->point, &w->at, &w->g, &w->bt);
  w->ci = x[1], w->co = y[1];
  w->h = x[2], w->w = x[3], w->oh = y[2], w->ow = y[3];
  for (int i = 0; i < 2; i++) w->low[i] = n->op == OP_conv_dx ? w->r - 1 - low[i] : low[i];
  w->cip = up(w->ci, w->lanes), w->cop = up(w->co, w->lanes);
  w->ty = (w->oh + w->m - 1) / w->m, w->tx = (w->ow + w->m - 1) / w->m;
  w->batch = dim_most(l, graph_type(l->g, w->image).shape[0]);
  cut_images(w, l->target);
  cut_channels(w, l->target);
  w->pieces = clamp64(w->batch * w->ty * w->tx / 16, 1, PIECES);
  int64_t sums = 4 * w->a * w->a * w->cip * w->cop; /* of a piece */
  while (w->pieces > ITEMS && w->pieces * sums > MANY_SUMS) w->pieces /= 2;
  return w->op != OP_conv_dw || w->pieces * sums <= MOST_SUMS;
}

/* What this form takes for all images, and the convolution itself. */
static double winograd_cost(const Lower *l, const Wino *w) {
  double a2 = w->a * w->a, tiles = (double)(w->ty * w->tx), batch = (double)w->batch;
  double made = a2 * (double)(w->cip * w->cop) * 8; /* transforming the weights, or the sums */
  if (w->op == OP_conv_dw)
    return batch * tiles * a2 * ((double)(w->cip * w->cop) + 10 * (double)(w->cip + w->cop)) + made * (double)w->pieces;
  if (l->buf_of[w->other] >= 0 && lower_keeps(l, l->buf_of[w->other])) made = 0; /* once, by prepare */
  return batch * cost_of(w, l->target) + made;
}
static double direct_cost(const Lower *l, const Wino *w) {
  double weights = 4 * (double)(w->r * w->r * w->ci * w->co);
  double cost = 1.2 * (double)(w->oh * w->ow * w->r * w->r) * (double)(w->ci * w->co);
  return (double)w->batch * cost + (weights > (double)l->target->l2 ? weights : 0);
}

/* The form of the least time; false: none is better than the convolution itself. */
static bool best_form(const Lower *l, const Node *n, Wino *w, bool *pays) {
  bool some = false;
  double least = 0;
  *pays = false;
  for (int i = 0; i < FORMS; i++) {
    Wino one;
    if (!form_of(l, n, &forms[i], &one)) continue;
    double cost = winograd_cost(l, &one);
    if (some && cost >= least) continue;
    some = true;
    least = cost;
    *w = one;
  }
  if (!some) return false;
  /* dw: not in pieces of too little work */
  *pays = least < direct_cost(l, w) && (w->op != OP_conv_dw || w->batch * w->ty * w->tx >= 4 * 16);
  return true;
}

/* The cost model decides where the tuning record does not. */
bool winograd_choose(Lower *l, const Node *n, Wino *w) {
  bool pays;
  if (!best_form(l, n, w, &pays)) return false;
  if (!l->tuning) return pays;
  const char *key = convolution_key(l, n);
  const Choice *given = tuning_find(l->tuning, key);
  Choice c = given ? *given : (Choice){.form = pays ? FORM_WINOGRAD : FORM_DIRECT};
  tuning_note(l->tuning, l->group, key, c);
  return c.form == FORM_WINOGRAD;
}
