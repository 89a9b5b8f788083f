/* Element-wise groups with an operand whose contiguous axis is not the result's, as a transpose has: the nest runs in
 * tiles over both axes. A tile of each such operand is first copied to the stack along the operand's axis, whole cache
 * lines at a time, and read from there along the result's. */
#include "base/ds.h"
#include "codegen/lower.h"

enum { LEAST = 8 }; /* of an axis that is worth a tile */

/* The nest's axes: [i, n) are one loop along the result, [j, j_end) one along the operand, the rest is outside. */
typedef struct Turn {
  int i, j, j_end;
  int64_t side; /* of a tile: 64 columns or 256 bytes */
  LVar *iv, *jv;
  LArr **arrs;    /* stb_ds: what is turned, */
  LExpr **at;     /* stb_ds: where, by iv and jv, */
  LArr **tiles;   /* stb_ds: and its tile */
  LVar *i2, *j2;  /* the loops that read tiles */
  LExpr *i0, *j0; /* first of the tile */
} Turn;

static bool is_turned(LB *b, LExpr *index, LVar *iv, LVar *jv) {
  LExpr *near, *far;
  if (!x_separate(b, index, &iv, 1, &near, &far)) return false;
  int64_t none;
  if (near == x_var(b, iv) || x_is_int(near, &none)) return false;
  return x_separate(b, index, &jv, 1, &near, &far) && near == x_var(b, jv);
}

/* Collects the turned loads. */
static LExpr *collect(Lower *l, LArr *arr, LExpr *index, LExpr *guard) {
  Turn *t = l->read_ctx;
  if (!guard && is_turned(l->b, index, t->iv, t->jv)) {
    bool known = false;
    for (int k = 0; k < arrlen(t->at); k++) known |= t->arrs[k] == arr && t->at[k] == index;
    if (!known) {
      arrput(t->arrs, arr);
      arrput(t->at, index);
    }
  }
  return x_load(l->b, arr, index, guard);
}
/* Reads the tile where there is one. */
static LExpr *from_tile(Lower *l, LArr *arr, LExpr *index, LExpr *guard) {
  Turn *t = l->read_ctx;
  LB *b = l->b;
  LExpr *iv = x_var(b, t->iv), *jv = x_var(b, t->jv);
  LExpr *there = guard ? NULL : x_subst(b, index, (LVar *[]){t->i2, t->j2}, (LExpr *[]){iv, jv}, 2);
  for (int k = 0; there && k < arrlen(t->at); k++)
    if (t->arrs[k] == arr && t->at[k] == there) {
      LExpr *row = x_mul(b, x_sub(b, x_var(b, t->i2), t->i0), x_int(b, t->side + 1));
      return x_load(b, t->tiles[k], x_add(b, row, x_sub(b, x_var(b, t->j2), t->j0)), NULL);
    }
  return x_load(b, arr, index, guard);
}

static void index_of(Lower *l, const Axes *a, const Turn *t, const Idx *outside, LVar *iv, LVar *jv, Idx *at) {
  *at = *outside;
  axes_split(l->b, a->size + t->j, t->j_end - t->j, x_var(l->b, jv), at->i + t->j);
  axes_split(l->b, a->size + t->i, a->n - t->i, x_var(l->b, iv), at->i + t->i);
}
/* The values of all outs at `at`; how many divisions they hold in the loops of the tile. */
static int values(Lower *l, const Axes *a, const Idx *at, int level) {
  int divisions = x_divisions(axes_linear(l->b, a, at), level);
  for (int i = 0; i < arrlen(l->group->outs); i++) {
    Axes out = axes_of(l, l->group->outs[i].node);
    Idx to = *at;
    if (out.n != a->n) axes_split(l->b, out.size, out.n, axes_linear(l->b, a, at), to.i);
    divisions += x_divisions(value_at(l, l->group->outs[i].node, &to), level);
  }
  return divisions;
}

static LVar *open_axes(Lower *l, const Axes *a, ForMode mode, const char *name, int from, int to, LExpr *lo,
                       LExpr *hi) {
  LVar *v = lb_for(l->b, mode, name, lo, hi, 1);
  lb_range(l->b, v, axes_count(l->dims, a, from, to));
  return v;
}
/* Opens the loop over everything outside of the tile. */
static void open_tiles(Lower *l, const Axes *a, Turn *t, Idx *at) {
  LB *b = l->b;
  Axes items = {0};
  Dim ni = axes_count(l->dims, a, t->i, a->n), nj = axes_count(l->dims, a, t->j, t->j_end);
  for (int k = 0; k < t->i; k++)
    if (k < t->j || k >= t->j_end) items.size[items.n++] = a->size[k];
  items.size[items.n++] = dim_ceil_div(l->dims, nj, t->side);
  items.size[items.n++] = dim_ceil_div(l->dims, ni, t->side);
  Idx item = {0};
  open_items(l, &items, &item);
  int n = 0;
  for (int k = 0; k < t->i; k++)
    if (k < t->j || k >= t->j_end) at->i[k] = item.i[n++];
  t->j0 = x_mul(b, item.i[n], x_int(b, t->side));
  t->i0 = x_mul(b, item.i[n + 1], x_int(b, t->side));
}
static LExpr *end_of_tile(Lower *l, const Axes *a, const Turn *t, int from, int to, LExpr *first) {
  Dim count = axes_count(l->dims, a, from, to);
  LExpr *end = x_add(l->b, first, x_int(l->b, t->side));
  bool whole = dim_is(l->dims, dim_mod(l->dims, count, dim_int(l->dims, t->side)), 0);
  return whole ? end : x_min(l->b, end, x_dim(l->b, count));
}

/* Opens tiles and, in them, loops along the operand; collects what is turned. Returns the divisions. */
static int try_turn(Lower *l, const Axes *a, Turn *t, Idx *outside) {
  lower_begin(l);
  arrsetlen(t->arrs, 0), arrsetlen(t->at, 0);
  open_tiles(l, a, t, outside);
  t->iv = open_axes(l, a, FOR_SERIAL, "i", t->i, a->n, t->i0, end_of_tile(l, a, t, t->i, a->n, t->i0));
  t->jv = open_axes(l, a, FOR_VECTOR, "j", t->j, t->j_end, t->j0, end_of_tile(l, a, t, t->j, t->j_end, t->j0));
  Idx at;
  index_of(l, a, t, outside, t->iv, t->jv, &at);
  l->read = collect;
  l->read_ctx = t;
  int divisions = values(l, a, &at, lb_level(l->b) - 1);
  l->read = NULL;
  return divisions;
}

/* The longest loops without a division over which an operand is turned. */
static bool find_turn(Lower *l, const Axes *a, Turn *best) {
  bool moved = false, found = false;
  int size = dtype_size(graph_type(l->g, l->group->outs[0].node).dtype);
  int64_t side = size > 4 ? 256 / size : 64;
  for (int i = 0; i < arrlen(l->group->nodes); i++) moved |= graph_node(l->g, l->group->nodes[i])->op == OP_transpose;
  for (int i = 1; i < a->n && moved && !found; i++)
    for (int n = i; n >= 1 && !found; n--)
      for (int j = 0; j + n <= i && !found; j++) {
        Turn t = {.i = i, .j = j, .j_end = j + n, .side = side};
        Idx outside = {0};
        if (dim_most(l, axes_count(l->dims, a, i, a->n)) < LEAST ||
            dim_most(l, axes_count(l->dims, a, j, j + n)) < LEAST)
          continue;
        found = try_turn(l, a, &t, &outside) == 0 && arrlen(t.at) > 0;
        arrfree(t.arrs), arrfree(t.at);
        if (found) *best = (Turn){.i = i, .j = j, .j_end = j + n, .side = side};
      }
  return found;
}

bool lower_turned(Lower *l, const Axes *a, const char *name) {
  Turn t = {0};
  Idx outside = {0}, at;
  DType *types = NULL;
  if (!find_turn(l, a, &t)) return false;
  try_turn(l, a, &t,
           &outside); /* says which arrays are turned; their tiles are declared before the loops that fill them */
  for (int k = 0; k < arrlen(t.arrs); k++) arrput(types, t.arrs[k]->dtype);
  arrsetlen(t.arrs, 0), arrsetlen(t.at, 0);
  lower_begin(l);
  LB *b = l->b;
  open_tiles(l, a, &t, &outside);
  for (int k = 0; k < arrlen(types); k++)
    arrput(t.tiles, lb_array(b, ARR_STACK, types[k], t.side * (t.side + 1), "tile"));
  t.iv = open_axes(l, a, FOR_SERIAL, "i", t.i, a->n, t.i0, end_of_tile(l, a, &t, t.i, a->n, t.i0));
  t.jv = open_axes(l, a, FOR_VECTOR, "j", t.j, t.j_end, t.j0, end_of_tile(l, a, &t, t.j, t.j_end, t.j0));
  index_of(l, a, &t, &outside, t.iv, t.jv, &at);
  l->read = collect;
  l->read_ctx = &t;
  values(l, a, &at, lb_level(b));
  LExpr *row = x_mul(b, x_sub(b, x_var(b, t.iv), t.i0), x_int(b, t.side + 1));
  for (int k = 0; k < arrlen(t.at); k++)
    lb_store(b, t.tiles[k], x_add(b, row, x_sub(b, x_var(b, t.jv), t.j0)), x_load(b, t.arrs[k], t.at[k], NULL));
  close_nest(l, 2);
  t.j2 = open_axes(l, a, FOR_SERIAL, "j", t.j, t.j_end, t.j0, end_of_tile(l, a, &t, t.j, t.j_end, t.j0));
  t.i2 = open_axes(l, a, FOR_VECTOR, "i", t.i, a->n, t.i0, end_of_tile(l, a, &t, t.i, a->n, t.i0));
  index_of(l, a, &t, &outside, t.i2, t.j2, &at);
  l->read = from_tile;
  store_outs(l, a, &at);
  l->read = NULL;
  close_nest(l, 3);
  lower_end(l, name, false);
  arrfree(t.arrs), arrfree(t.at), arrfree(t.tiles), arrfree(types);
  return true;
}
