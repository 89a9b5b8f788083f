/* Expressions that move elements: views, indices, windows; products, matrices, layers. */
#include "tests/generate/gen.h"

const char *gen_expr(Gen *g, Shape t, int depth) {
  if (depth <= 0) return gen_leaf(g, t);
  for (int turn = 0; turn < 6; turn++) {
    const char *x = NULL;
    int k = gen_pick(g, 20);
    if (k == 0) return gen_leaf(g, t);
    if (k < 4 && gen_may(g, MAY_VIEW)) x = gen_view(g, t, depth);
    else if (k == 4 && gen_may(g, MAY_GATHER)) x = gen_gather(g, t, depth);
    else if (k == 5 && gen_may(g, MAY_ORDER)) x = gen_order(g, t, depth);
    else if (k == 6 && gen_may(g, MAY_RANDOM)) x = gen_drawn(g, t, depth);
    else if (t.dtype == BOOL) x = gen_truth(g, t, depth);
    else if (!dtype_is_float(t.dtype)) x = gen_whole(g, t, depth);
    else if (k < 9 && gen_may(g, MAY_REDUCE)) x = gen_reduce(g, t, depth);
    else if (k < 12 && gen_may(g, MAY_PRODUCT)) x = gen_product(g, t, depth);
    else if (k == 12 && gen_may(g, MAY_WINDOW)) x = gen_window(g, t, depth);
    else if (k == 13 && gen_may(g, MAY_MATRIX)) x = gen_matrix(g, t, depth);
    else if (k == 14 && gen_may(g, MAY_MODEL) && g->cells) x = gen_layer(g, t, depth);
    else if (k > 14) x = gen_float_map(g, t, depth);
    if (x) return x;
  }
  return gen_leaf(g, t);
}

/* ---- views ---- */

/* A factorisation of the elements into another shape; false: there is none here. */
static bool refactor(Gen *g, Shape t, Shape *out) {
  *out = t;
  if (t.rank >= 2 && gen_chance(g, 2)) { /* axes k and k + 1 were split from one */
    int k = gen_pick(g, t.rank - 1);
    Size a = t.size[k], b = t.size[k + 1];
    if (a.many && b.many) return false;
    Size both = a.many ? (Size){a.many * b.plus, a.plus * b.plus} : (Size){b.many * a.plus, b.plus * a.plus};
    *out = gen_without(t, k);
    out->size[k] = both;
    return true;
  }
  if (t.rank == 0 || t.rank == GEN_RANK) return false;
  int k = gen_pick(g, t.rank); /* axis k was merged from two */
  Size s = t.size[k];
  for (int d = 2; d <= 5; d++)
    if (s.plus % d == 0 && s.many % d == 0 && (s.plus || s.many)) {
      out->size[k] = (Size){s.many / d, s.plus / d};
      *out = gen_with(*out, k + gen_pick(g, 2), gen_const(d));
      return true;
    }
  *out = gen_with(t, k, gen_const(1));
  return true;
}

static const char *transposed(Gen *g, Shape t, int depth) {
  if (t.rank < 2) return NULL;
  int order[GEN_RANK], used = 0;
  Shape s = t;
  const char *list = "";
  for (int i = 0; i < t.rank; i++) {
    do order[i] = gen_pick(g, t.rank);
    while (used >> order[i] & 1);
    used |= 1 << order[i];
    s.size[order[i]] = t.size[i];
    list = gen_text(g, "%s%s%d", list, i ? ", " : "", order[i]);
  }
  return gen_text(g, "transpose(%s, [%s])", gen_expr(g, s, depth - 1), list);
}

static const char *joined(Gen *g, Shape t, int depth) {
  if (!t.rank) return NULL;
  int k = gen_pick(g, t.rank);
  Size s = t.size[k];
  Shape a = t, b = t;
  if (!s.many && s.plus == 2 && gen_chance(g, 2)) {
    a = gen_without(t, k);
    const char *x = gen_expr(g, a, depth - 1);
    return gen_text(g, "stack([%s, %s], axis = %d)", x, gen_expr(g, a, depth - 1), k);
  }
  if (s.many + s.plus < 2) return NULL;
  int many = s.many ? gen_pick(g, s.many + 1) : 0, plus = s.plus ? gen_pick(g, s.plus + 1) : 0;
  if (!(many + plus) || (many == s.many && plus == s.plus)) return NULL;
  a.size[k] = (Size){many, plus};
  b.size[k] = (Size){s.many - many, s.plus - plus};
  const char *x = gen_expr(g, a, depth - 1);
  return gen_text(g, "concat([%s, %s], axis = %d)", x, gen_expr(g, b, depth - 1), k);
}

/* A part of a larger value along axis k. */
static const char *sliced(Gen *g, Shape t, int depth) {
  if (!t.rank || gen_elements(t) > g->most / 2) return NULL;
  int k = gen_pick(g, t.rank);
  Shape s = t;
  const char *colons = "";
  for (int i = 0; i < k; i++) colons = gen_text(g, "%s:, ", colons);
  if (t.size[k].many) {
    if (gen_chance(g, 2)) return gen_text(g, "%s[%s::-1]", gen_expr(g, t, depth - 1), colons);
    s.size[k].plus += 2;
    const char *x = gen_expr(g, s, depth - 1);
    return gen_text(g, "%s[%s%s]", x, colons, gen_chance(g, 2) ? "2:" : ":-2");
  }
  int n = t.size[k].plus, step = 1 + gen_pick(g, 2), from = gen_pick(g, 3), span = (n - 1) * step + 1;
  s.size[k] = gen_const(from + span + gen_pick(g, 3));
  const char *x = gen_expr(g, s, depth - 1);
  if (gen_chance(g, 3)) {
    if (from) return gen_text(g, "%s[%s%d:%d:-%d]", x, colons, from + span - 1, from - 1, step);
    return gen_text(g, "%s[%s%d::-%d]", x, colons, span - 1, step);
  }
  if (gen_chance(g, 4) && step == 1) return gen_text(g, "slice(%s, i32(%d), %d, axis = %d)", x, from, n, k);
  return gen_text(g, "%s[%s%d:%d:%d]", x, colons, from, from + span, step);
}

static const char *padded(Gen *g, Shape t, int depth) {
  Shape s = t;
  const char *pairs = "";
  if (!t.rank || !dtype_is_float(t.dtype)) return NULL;
  for (int i = 0; i < t.rank; i++) {
    int low = gen_pick(g, 3), high = gen_pick(g, 3);
    if (s.size[i].many || s.size[i].plus <= low + high) low = high = 0;
    s.size[i].plus -= low + high;
    pairs = gen_text(g, "%s%s(%d, %d)", pairs, i ? ", " : "", low, high);
  }
  const char *x = gen_expr(g, s, depth - 1);
  return gen_text(g, "pad(%s, [%s]%s)", x, pairs, gen_chance(g, 3) ? ", value = 0.5" : "");
}

static const char *indexed(Gen *g, Shape t, int depth) {
  if (t.rank == GEN_RANK || gen_elements(t) > g->most / 4) return NULL;
  int k = gen_pick(g, t.rank + 1), n = 2 + gen_pick(g, 5);
  Shape s = gen_with(t, k, gen_const(n));
  const char *colons = "";
  for (int i = 0; i < k; i++) colons = gen_text(g, "%s:, ", colons);
  const char *x = gen_expr(g, s, depth - 1);
  if (gen_chance(g, 2)) return gen_text(g, "%s[%s%d]", x, colons, gen_pick(g, 2 * n) - n);
  return gen_text(g, "%s[%s%s %% %d]", x, colons, gen_expr(g, gen_scalar(I32), depth - 1), n);
}

const char *gen_view(Gen *g, Shape t, int depth) {
  Shape s;
  const char *x;
  int k;
  switch (gen_pick(g, 12)) {
  case 10:
    if (!t.rank || t.dtype != F32 || t.size[t.rank - 1].many) return NULL;
    s = gen_of(gen_without(t, t.rank - 1), I32);
    return gen_text(g, "one_hot(%s %% %d, %d)", gen_expr(g, s, depth - 1), t.size[t.rank - 1].plus,
                    t.size[t.rank - 1].plus);
  case 11:
    if (!t.rank || t.size[k = gen_pick(g, t.rank)].plus % 2 || t.size[k].many % 2) return NULL;
    s = t;
    s.size[k] = (Size){t.size[k].many / 2, t.size[k].plus / 2};
    return gen_text(g, "repeat(%s, 2, axis = %d)", gen_expr(g, s, depth - 1), k);
  case 0:
  case 1: return transposed(g, t, depth);
  case 2:
    if (!refactor(g, t, &s)) return NULL;
    return gen_text(g, "reshape(%s, %s)", gen_expr(g, s, depth - 1), gen_list(g, t));
  case 3: return joined(g, t, depth);
  case 4: return sliced(g, t, depth);
  case 5: return padded(g, t, depth);
  case 6: return indexed(g, t, depth);
  case 7:
    if (!t.rank) return NULL;
    x = gen_expr(g, t, depth - 1);
    k = gen_pick(g, t.rank);
    if (gen_chance(g, 2)) return gen_text(g, "reverse(%s, axis = %d)", x, k);
    return gen_text(g, "roll(%s, %d, axis = %d)", x, gen_pick(g, 4), k);
  case 8:
    if (!t.rank) return NULL;
    s = gen_without(t, 0);
    return gen_text(g, "broadcast(%s, %s)", gen_expr(g, s, depth - 1), gen_list(g, t));
  default:
    if (t.rank < 2) return NULL;
    x = gen_expr(g, t, depth - 1);
    return gen_text(g, "%s(%s)", gen_chance(g, 2) ? "tril" : "triu", x);
  }
}

/* ---- run-time indices ---- */

const char *gen_gather(Gen *g, Shape t, int depth) {
  if (!t.rank) return NULL;
  Shape s = t, i = gen_scalar(I32);
  int k = gen_pick(g, 4), n = 1 + gen_pick(g, 9);
  Size size = g->sized && gen_chance(g, 4) ? (Size){1, 0} : gen_const(n);
  const char *below = gen_size_text(g, size);
  if (k == 0 && t.rank < GEN_RANK && gen_elements(t) * 9 <= g->most) { /* one element for each row */
    int axis = gen_pick(g, t.rank + 1);
    const char *x = gen_expr(g, gen_with(t, axis, size), depth - 1);
    return gen_text(g, "pick(%s, %s %% %s, axis = %d)", x, gen_expr(g, gen_of(t, I32), depth - 1), below, axis);
  }
  if (k == 1 && t.rank >= 2) { /* two axes of indices */
    i.rank = 2, i.size[0] = t.size[0], i.size[1] = t.size[1];
    s = gen_without(t, 0);
    s.size[0] = size;
    const char *x = gen_expr(g, s, depth - 1);
    return gen_text(g, "%s[%s %% %s]", x, gen_expr(g, i, depth - 1), below);
  }
  if (k == 2 && (t.dtype == F32 || t.dtype == F64) && !g->smooth) { /* sums of rows */
    s.size[0] = size;
    i.rank = 1, i.size[0] = size;
    const char *x = gen_expr(g, s, depth - 1), *ids = gen_expr(g, i, depth - 1);
    if (t.size[0].many || !t.size[0].plus) return NULL;
    return gen_text(g, "segment_sum(%s, %s %% %d, %d)", x, ids, t.size[0].plus, t.size[0].plus);
  }
  int axis = gen_pick(g, t.rank);
  const char *colons = "";
  for (int j = 0; j < axis; j++) colons = gen_text(g, "%s:, ", colons);
  s.size[axis] = size;
  i.rank = 1, i.size[0] = t.size[axis];
  const char *x = gen_expr(g, s, depth - 1);
  return gen_text(g, "%s[%s%s %% %s]", x, colons, gen_expr(g, i, depth - 1), below);
}

const char *gen_order(Gen *g, Shape t, int depth) {
  if (!t.rank) return NULL;
  int axis = gen_pick(g, t.rank);
  if (t.dtype == BOOL) return NULL;
  bool order = t.dtype == I32 && gen_chance(g, 2);
  if (order) t.dtype = gen_float(g);
  const char *x = gen_expr(g, t, depth - 1);
  if (order) return gen_text(g, "argsort(%s, axis = %d%s)", x, axis, gen_chance(g, 3) ? ", descending = true" : "");
  if (!dtype_is_float(t.dtype)) return gen_text(g, "sort(%s, axis = %d)", x, axis);
  switch (gen_pick(g, 5)) {
  case 0: return gen_text(g, "sort(%s, axis = %d%s)", x, axis, gen_chance(g, 3) ? ", descending = true" : "");
  case 1: return gen_text(g, "cumsum(%s, axis = %d%s)", x, axis, gen_chance(g, 2) ? ", reverse = true" : "");
  case 2: return gen_text(g, "cumprod(1 + 0.1 * tanh(%s), axis = %d)", x, axis);
  case 3: return gen_text(g, "softmax(%s, axis = %d)", x, axis);
  default: return gen_text(g, "log_softmax(%s, axis = %d)", x, axis);
  }
}

/* ---- products ---- */

const char *gen_product(Gen *g, Shape t, int depth) {
  if (t.rank < 1 || gen_elements(t) > g->most || t.rank > 4) return NULL;
  Size k = g->sized && gen_chance(g, 5) ? (Size){1, 0} : gen_size(g, g->most > GEN_FEW ? 129 : 33);
  Shape a = t, b = t;
  if (t.rank == 1) { /* [n] = [k] @ [k, n] or einsum */
    a = gen_with(t, 0, k);
    b.size[0] = k;
    const char *x = gen_expr(g, a, depth - 1);
    return gen_text(g, "einsum(\"k n, k -> n\", %s, %s)", x, gen_expr(g, b, depth - 1));
  }
  a.size[t.rank - 1] = k;
  b.size[t.rank - 2] = k;
  bool shared = t.rank > 2 && gen_chance(g, 2); /* one matrix for the whole batch */
  while (shared && b.rank > 2) b = gen_without(b, 0);
  if (!shared && gen_chance(g, 4)) { /* attention */
    Shape q = t, keys = t;
    q.size[t.rank - 1] = gen_size(g, 9);
    keys.size[t.rank - 1] = q.size[t.rank - 1], keys.size[t.rank - 2] = k;
    const char *x = gen_expr(g, q, depth - 1), *y = gen_expr(g, keys, depth - 1), *z = gen_expr(g, b, depth - 1);
    if (t.rank == 4 && t.dtype == F32) return gen_text(g, "nn.attend(%s, %s, %s)", x, y, z);
    return gen_text(g, "(softmax(%s @ transpose(%s)) @ %s)", x, y, z);
  }
  int form = gen_pick(g, 4);
  if (form == 1) { /* a stands transposed */
    Size m = a.size[t.rank - 2];
    a.size[t.rank - 2] = k, a.size[t.rank - 1] = m;
  }
  if (form == 2) {
    Size n = b.size[b.rank - 1];
    b.size[b.rank - 1] = k, b.size[b.rank - 2] = n;
  }
  const char *x = gen_expr(g, a, depth - 1), *y = gen_expr(g, b, depth - 1);
  if (form == 3 && t.rank == 3 && !shared) return gen_text(g, "einsum(\"b m k, b k n -> b m n\", %s, %s)", x, y);
  return gen_text(g, "(%s @ %s)", form == 1 ? gen_text(g, "transpose(%s)", x) : x,
                  form == 2 ? gen_text(g, "transpose(%s)", y) : y);
}

/* [n, c, s...] */
const char *gen_window(Gen *g, Shape t, int depth) {
  if (t.rank < 3 || t.rank > 4) return NULL;
  Shape x = t, w = t;
  int kind = gen_pick(g, 4);
  for (int i = 2; i < t.rank; i++)
    if (t.size[i].many) return NULL;
  if (kind >= 2 && gen_elements(t) > g->most / 4) return NULL;
  if (kind == 2) { /* pooling, stride 2 */
    for (int i = 2; i < t.rank; i++) x.size[i] = gen_const(2 * t.size[i].plus + gen_pick(g, 2));
    const char *a = gen_expr(g, x, depth - 1);
    return gen_text(g, "%s(%s, 2)", !t.size[1].many && gen_chance(g, 3) ? "avg_pool" : "max_pool", a);
  }
  if (kind == 3) { /* overlapping windows */
    for (int i = 2; i < t.rank; i++) x.size[i] = gen_const(t.size[i].plus + 2);
    return gen_text(g, "max_pool(%s, 3, stride = 1)", gen_expr(g, x, depth - 1));
  }
  if (t.size[1].many) return NULL;
  if (gen_chance(g, 5)) { /* kernels of 2 that do not overlap, backwards */
    bool even = true;
    for (int i = 2; i < t.rank; i++) even &= t.size[i].plus % 2 == 0;
    int c = 1 + gen_pick(g, 4);
    w.size[0] = x.size[1] = gen_const(c);
    for (int i = 2; i < t.rank && even; i++) x.size[i] = gen_const(t.size[i].plus / 2), w.size[i] = gen_const(2);
    if (!even) return NULL;
    const char *a = gen_expr(g, x, depth - 1), *b = gen_expr(g, w, depth - 1);
    return gen_text(g, "conv_transpose(%s, %s, stride = 2)", a, b);
  }
  int groups = !t.size[1].many && t.size[1].plus % 2 == 0 && gen_chance(g, 4) ? 2 : 1;
  int each = 1 + gen_pick(g, g->most > GEN_FEW ? 16 : 4), size = 1 + gen_pick(g, 3), stride = 1 + gen_chance(g, 4),
      dilation = 1 + gen_chance(g, 6);
  x.size[1] = gen_const(each * groups);
  w.size[0] = t.size[1], w.size[1] = gen_const(each);
  int pad = gen_pick(g, size + 1);
  for (int i = 2; i < t.rank; i++) {
    int span = dilation * (size - 1) + 1, n = (t.size[i].plus - 1) * stride + span - 2 * pad;
    if (n < 1) return NULL;
    x.size[i] = gen_const(n), w.size[i] = gen_const(size);
  }
  if (gen_elements(x) > g->most || gen_elements(w) > g->most) return NULL;
  const char *a = gen_expr(g, x, depth - 1), *b = gen_expr(g, w, depth - 1);
  return gen_text(g, "conv(%s, %s, padding = %d%s%s%s)", a, b, pad, stride > 1 ? ", stride = 2" : "",
                  dilation > 1 ? ", dilation = 2" : "", groups > 1 ? ", groups = 2" : "");
}

/* ---- matrices ---- */

/* x made a matrix that is far from singular. */
static const char *regular(Gen *g, Shape t, int depth) {
  return gen_text(g, "(0.25 * tanh(%s) + 3 * broadcast(eye(%d, dtype = %s), %s))", gen_expr(g, t, depth - 1),
                  t.size[t.rank - 1].plus, dtype_name(t.dtype), gen_list(g, t));
}

/* Of the eigenvalues, the determinant or the factor of a matrix. */
static const char *decomposed(Gen *g, Shape t, int depth) {
  Size n = gen_const(1 + gen_pick(g, 5));
  int kind = gen_pick(g, 3);
  if (gen_elements(t) > g->most / 25 || t.rank > GEN_RANK - 2) return NULL;
  if (kind == 0) {
    Shape a = gen_with(gen_with(t, t.rank, n), t.rank + 1, n);
    return gen_text(g, "logdet(%s)", regular(g, a, depth));
  }
  if (t.rank == 0 || t.size[t.rank - 1].many || t.size[t.rank - 1].plus > 6) return NULL;
  if (kind == 1 && !g->smooth) {
    Shape a = gen_with(t, t.rank, t.size[t.rank - 1]);
    return gen_text(g, "eigh(%s)[0]", gen_expr(g, a, depth - 1));
  }
  if (t.rank < 2 || t.size[t.rank - 2].many || t.size[t.rank - 2].plus < t.size[t.rank - 1].plus) return NULL;
  Shape a = t;
  a.size[t.rank - 1] = a.size[t.rank - 2];
  return gen_text(g, "orthonormal(%s%s:%d])", regular(g, a, depth), t.rank == 2 ? "[:, " : "[..., ",
                  t.size[t.rank - 1].plus);
}

const char *gen_matrix(Gen *g, Shape t, int depth) {
  if (t.dtype != F32 && t.dtype != F64) return NULL;
  if (t.rank < 2 || gen_chance(g, 3)) return decomposed(g, t, depth);
  Size n = t.size[t.rank - 2];
  if (n.many || n.plus > 9) return NULL;
  Shape a = t;
  a.size[t.rank - 1] = n;
  const char *s = regular(g, a, depth);
  if (gen_same(n, t.size[t.rank - 1]) && gen_chance(g, 3)) {
    if (gen_chance(g, 2)) return gen_text(g, "cholesky(%s)", s);
    return gen_text(g, "inverse(%s)", s);
  }
  if (gen_chance(g, 2)) return gen_text(g, "solve(%s, %s)", s, gen_expr(g, t, depth - 1));
  const char *y = gen_expr(g, t, depth - 1);
  return gen_text(g, "triangular_solve(%s, %s%s)", s, y, gen_chance(g, 2) ? ", lower = false" : "");
}

/* ---- layers of the model ---- */

const char *gen_layer(Gen *g, Shape t, int depth) {
  if (t.dtype != F32 || g->layers == GEN_LAYERS) return NULL;
  if (t.rank == 0) return NULL;
  Size last = t.size[t.rank - 1];
  if (last.many) return NULL;
  const char *name = gen_text(g, "p%d", g->layers);
  Shape s = t;
  int kind = gen_pick(g, 4);
  if (kind == 0) { /* a parameter by itself */
    Shape p = t;
    while (p.rank > 1) p = gen_without(p, 0);
    buf_printf(&g->members, "  param %s: %s = %s\n", name, gen_type(g, p),
               gen_chance(g, 2) ? "0.5" : "init.normal(0.5)");
    g->layers++;
    return gen_text(g, "(net.%s * %s)", name, gen_expr(g, t, depth - 1));
  }
  if (kind == 1) {
    buf_printf(&g->members, "  %s = nn.%s(%d)\n", name, gen_chance(g, 2) ? "LayerNorm" : "RmsNorm", last.plus);
    g->layers++;
    return gen_text(g, "net.%s(%s)", name, gen_expr(g, t, depth - 1));
  }
  if (kind == 2 && t.rank == 2 && gen_chance(g, 2)) {
    buf_printf(&g->members, "  %s = nn.BatchNorm(%d)\n", name, last.plus);
    g->layers++;
    return gen_text(g, "net.%s(%s)", name, gen_expr(g, t, depth - 1));
  }
  Size in = gen_size(g, 17);
  s.size[t.rank - 1] = in;
  buf_printf(&g->members, "  %s = nn.Linear(%d, %d)\n", name, in.plus, last.plus);
  g->layers++;
  return gen_text(g, "net.%s(%s)", name, gen_expr(g, s, depth - 1));
}
