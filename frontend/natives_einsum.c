/* Contractions by name: `@`, einsum, and rearrange. */
#include "frontend/elab_priv.h"
#include <ctype.h>
#include <string.h>

#define GRAPH (e->trace->graph)

/* --- @ ------------------------------------------------------------------------------------------------------------ */
enum { LAB_M = 1, LAB_N = 2, LAB_K = 3, LAB_BATCH = 8 };

static Value *inner_error(Elab *e, Type a, Type b, Dim ka, Dim kb, Loc at) {
  elab_error(e, at, E0359, "`@` needs equal inner sizes: %s @ %s sums over %s and %s", type_text(e, a), type_text(e, b),
             dim_text(e, ka), dim_text(e, kb));
  const char *l = expr_text(e, e->left), *r = expr_text(e, e->right);
  if (b.rank >= 2 && ka == b.shape[b.rank - 1])
    elab_help(e, "did you mean `%s @ transpose(%s)`?", l ? l : "x", r ? r : "w");
  else if (a.rank >= 2 && a.shape[a.rank - 2] == kb)
    elab_help(e, "did you mean `transpose(%s) @ %s`?", l ? l : "x", r ? r : "w");
  return e->poison;
}

/* Leading axes of `x` that stretch (a literal 1 beside something else) are dropped; labels of what stays. */
static NodeId batch_labels(Elab *e, NodeId x, int nb, const bool *drop, int total, int *labels, int *count, Loc at) {
  Type t = graph_type(GRAPH, x);
  Dim shape[MAX_RANK];
  int rank = 0;
  *count = 0;
  for (int i = 0; i < t.rank; i++) {
    if (i < nb && drop[i]) continue;
    if (i < nb) labels[(*count)++] = LAB_BATCH + total - nb + i;
    shape[rank++] = t.shape[i];
  }
  return rank < t.rank ? g_reshape(GRAPH, elab_place(e, at), x, rank, shape) : x;
}

Value *matmul(Elab *e, Value *a, Value *b, Loc at) {
  a = v_read(e, a), b = v_read(e, b);
  if (is_poison(a) || is_poison(b)) return e->poison;
  if (is_tree(a) || is_tree(b))
    return elab_error(e, at, E0405, "`@` does not take %s and %s", value_kind_name(e, a), value_kind_name(e, b));
  if (!want_tensor(e, &a, "the left side of `@`", at) || !want_tensor(e, &b, "the right side of `@`", at))
    return e->poison;
  Type ta = v_type(a), tb = v_type(b);
  if (ta.rank == 0 || tb.rank == 0) {
    elab_error(e, at, E0360, "`@` multiplies matrices and vectors, not scalars: %s @ %s", type_text(e, ta),
               type_text(e, tb));
    elab_help(e, "`*` multiplies by a number");
    return e->poison;
  }
  if (ta.dtype != tb.dtype || !dtype_is_float(ta.dtype)) {
    elab_error(e, at, ta.dtype != tb.dtype ? E0302 : E0310, "`@` takes floats of one dtype: %s and %s",
               type_text(e, ta), type_text(e, tb));
    elab_help(e, "cast first: `f32(x)`");
    return e->poison;
  }
  Dim ka = ta.shape[ta.rank - 1], kb = tb.shape[tb.rank == 1 ? 0 : tb.rank - 2];
  if (dim_eq(e->dims, ka, kb) != DIM_YES) return inner_error(e, ta, tb, ka, kb, at);
  int na = ta.rank > 2 ? ta.rank - 2 : 0, nb = tb.rank > 2 ? tb.rank - 2 : 0, total = na > nb ? na : nb, rank = 0;
  Dim batch[MAX_RANK];
  if (!broadcast_shapes(e, "@", (Type){ta.dtype, na, ta.shape}, (Type){tb.dtype, nb, tb.shape}, at, &rank, batch))
    return e->poison;
  bool drop_a[MAX_RANK], drop_b[MAX_RANK];
  for (int i = 0; i < na; i++) drop_a[i] = ta.shape[i] != batch[total - na + i];
  for (int i = 0; i < nb; i++) drop_b[i] = tb.shape[i] != batch[total - nb + i];
  int la[MAX_RANK], lb[MAX_RANK], ly[MAX_RANK + 2], ca, cb, ny = 0;
  NodeId x = batch_labels(e, nid(a), na, drop_a, total, la, &ca, at),
         y = batch_labels(e, nid(b), nb, drop_b, total, lb, &cb, at);
  for (int i = 0; i < total; i++) ly[ny++] = LAB_BATCH + i;
  if (ta.rank > 1) la[ca++] = LAB_M, ly[ny++] = LAB_M;
  la[ca++] = LAB_K;
  lb[cb++] = LAB_K;
  if (tb.rank > 1) lb[cb++] = LAB_N, ly[ny++] = LAB_N;
  if (ny > MAX_RANK) return elab_error(e, at, E0304, "the result would have more than %d axes", MAX_RANK);
  NodeId r = g_dot(GRAPH, elab_place(e, at), x, y, la, lb, ly, ny);
  return too_big(e, graph_type(GRAPH, r), at) ? e->poison : v_tensor(e, r);
}

/* --- patterns ----------------------------------------------------------------------------------------------------- */
enum { MAX_AXES = 24, RUN = 1000 };
typedef struct Axis {
  const char *name; /* interned; "..." for a run, "1" for an axis of one */
  int group;        /* which axis of the tensor it belongs to */
} Axis;
typedef struct Side {
  Axis axis[MAX_AXES];
  int n, groups;
  bool grouped[MAX_AXES];
} Side;

/* Parses one side: names separated by blanks, parentheses around what is one axis. Stops at `,` or `->` or the end. */
static bool parse_side(Elab *e, const char **s, Side *side, bool groups, Loc at) {
  bool open = false;
  memset(side, 0, sizeof *side);
  for (;;) {
    while (**s == ' ') ++*s;
    if (!**s || **s == ',' || strncmp(*s, "->", 2) == 0) break;
    if (groups && **s == '(' && !open) {
      open = true;
      side->grouped[side->groups] = true;
      ++*s;
      continue;
    }
    if (groups && **s == ')' && open) {
      open = false;
      side->groups++;
      ++*s;
      continue;
    }
    size_t n = strncmp(*s, "...", 3) == 0 ? 3 : 0;
    while (**s != '.' && (isalnum((unsigned char)(*s)[n]) || (*s)[n] == '_')) n++;
    if (n == 0 || side->n == MAX_AXES - 1 || side->groups == MAX_AXES - 1) {
      elab_error(e, at, E0361, "the pattern has `%.8s` where a name is expected", *s);
      elab_help(e, "names are separated by blanks: \"b t (h d) -> b h t d\"");
      return false;
    }
    side->axis[side->n].name = intern_n(*s, n);
    side->axis[side->n++].group = side->groups;
    if (!open) side->groups++;
    *s += n;
  }
  if (open) elab_error(e, at, E0361, "a parenthesis of the pattern is not closed");
  return !open;
}

static bool is_run(const Axis *a) { return strcmp(a->name, "...") == 0; }

/* --- einsum ------------------------------------------------------------------------------------------------------- */
typedef struct Term {
  NodeId node;
  int label[MAX_RANK];
  int n;
} Term;
typedef struct Labels {
  const char *name[64];
  Dim size[64];
  int n;
} Labels;

static int label_of(Labels *l, const char *name) {
  for (int i = 0; i < l->n; i++)
    if (l->name[i] == name) return i;
  if (l->n == 64) return -1;
  l->name[l->n] = name;
  l->size[l->n] = DIM_NONE;
  return l->n++;
}

/* A name for the k-th axis of a run, counted from its end. */
static const char *run_name(Elab *e, int k) { return intern(arena_printf(e->arena, "...%d", k)); }

static bool einsum_term(Elab *e, const Side *s, Value *x, Labels *l, Term *t, Loc at) {
  Type ty = v_type(x);
  int run = -1;
  for (int i = 0; i < s->n; i++)
    if (is_run(&s->axis[i])) run = i;
  int extra = run >= 0 ? ty.rank - (s->n - 1) : 0;
  if (run < 0 ? s->n != ty.rank : extra < 0) {
    elab_error(e, at, E0362, "the pattern names %d axes, but the tensor is %s", s->n, type_text(e, ty));
    return false;
  }
  t->node = nid(x);
  t->n = 0;
  for (int i = 0; i < s->n; i++) {
    for (int k = 0; k < (i == run ? extra : 1); k++) {
      int lab = label_of(l, i == run ? run_name(e, extra - 1 - k) : s->axis[i].name);
      Dim d = ty.shape[t->n];
      if (lab < 0) return elab_error(e, at, E0361, "the pattern has too many names"), false;
      for (int j = 0; j < t->n; j++)
        if (t->label[j] == lab)
          return elab_error(e, at, E0361, "the axis `%s` stands twice in one term", l->name[lab]), false;
      if (l->size[lab] != DIM_NONE && dim_eq(e->dims, l->size[lab], d) != DIM_YES) {
        elab_error(e, at, E0363, "the axis `%s` is %s and %s", l->name[lab], dim_text(e, l->size[lab]), dim_text(e, d));
        elab_note(e, graph_node(GRAPH, nid(x))->loc, "the second one comes from %s, made here", type_text(e, ty));
        return false;
      }
      if (l->size[lab] == DIM_NONE) l->size[lab] = d;
      t->label[t->n++] = lab;
    }
  }
  return true;
}

static bool has_label(const Term *t, int lab) {
  for (int i = 0; i < t->n; i++)
    if (t->label[i] == lab) return true;
  return false;
}

/* Sums away labels that no other term and not the result needs. */
static void presum(Elab *e, Term *t, const Term *others, int n, const Term *y, Loc at) {
  int axes[MAX_RANK], count = 0, left = 0;
  for (int i = 0; i < t->n; i++) {
    bool needed = has_label(y, t->label[i]);
    for (int k = 0; k < n; k++) needed |= has_label(&others[k], t->label[i]);
    if (!needed) axes[count++] = i;
  }
  if (!count) return;
  t->node = reduce_axes(e, OP_sum, t->node, axes, count, false, at);
  for (int i = 0, k = 0; i < t->n; i++) {
    if (k < count && axes[k] == i) k++;
    else t->label[left++] = t->label[i];
  }
  t->n = left;
}

static Value *einsum_single(Elab *e, Term *t, const Term *y, Loc at) {
  int perm[MAX_RANK];
  bool same = true;
  for (int i = 0; i < y->n; i++)
    for (int k = 0; k < t->n; k++)
      if (t->label[k] == y->label[i]) perm[i] = k;
  for (int i = 0; i < y->n; i++) same &= perm[i] == i;
  return v_tensor(e, same ? t->node : g_transpose(GRAPH, elab_place(e, at), t->node, perm));
}

/* The labels of a product of two terms: those of the result or of later terms, in order of appearance. */
static bool pair_labels(const Term *a, const Term *b, const Term *later, int n, const Term *y, Term *out) {
  const Term *both[2] = {a, b};
  out->n = 0;
  for (int s = 0; s < 2; s++)
    for (int i = 0; i < both[s]->n; i++) {
      int lab = both[s]->label[i];
      bool needed = has_label(y, lab);
      for (int k = 0; k < n; k++) needed |= has_label(&later[k], lab);
      if (!needed || has_label(out, lab)) continue;
      if (out->n == MAX_RANK) return false;
      out->label[out->n++] = lab;
    }
  return true;
}

static Value *einsum_contract(Elab *e, Term *t, int n, const Term *y, Loc at) {
  for (int i = 0; i < n; i++) {
    Term others[8];
    int k = 0;
    for (int j = 0; j < n; j++)
      if (j != i) others[k++] = t[j];
    presum(e, &t[i], others, k, y, at);
  }
  while (n > 1) {
    Term r;
    if (n == 2) r = *y;
    else if (!pair_labels(&t[0], &t[1], t + 2, n - 2, y, &r))
      return elab_error(e, at, E0304, "a product of this einsum has too many axes");
    r.node = g_dot(GRAPH, elab_place(e, at), t[0].node, t[1].node, t[0].label, t[1].label, r.label, r.n);
    if (too_big(e, graph_type(GRAPH, r.node), at)) return e->poison;
    t[0] = r;
    for (int i = 1; i + 1 < n; i++) t[i] = t[i + 1];
    n--;
  }
  return einsum_single(e, &t[0], y, at);
}

static bool einsum_result(Elab *e, const Side *s, Labels *l, int runs, Term *y, Loc at) {
  y->n = 0;
  for (int i = 0; i < s->n; i++) {
    for (int k = 0; k < (is_run(&s->axis[i]) ? runs : 1); k++) {
      const char *name = is_run(&s->axis[i]) ? run_name(e, runs - 1 - k) : s->axis[i].name;
      int before = l->n, lab = label_of(l, name);
      if (lab < 0 || before != l->n) {
        elab_error(e, at, E0361, "the axis `%s` of the result stands in no term", name);
        return false;
      }
      if (has_label(y, lab) || y->n == MAX_RANK) {
        elab_error(e, at, E0361, "the axis `%s` stands twice in the result", name);
        return false;
      }
      y->label[y->n++] = lab;
    }
  }
  return true;
}

static Value *einsum(Elab *e, Value **a, int n, Loc at) {
  const char *s;
  const Value *xs = a[1];
  Labels l = {.n = 0};
  Term t[8], y;
  Side side;
  int runs = 0, k = 0;
  DType dt = TUPLE;
  if (!want_str(e, a[0], &s, "the pattern of `einsum`", at)) return e->poison;
  for (;; k++) {
    if (!parse_side(e, &s, &side, false, at)) return e->poison;
    if (k == 8 || k >= xs->list.n)
      return elab_error(e, at, E0362, "the pattern has more terms than the %d tensors given", xs->list.n);
    Value *x = xs->list.items[k];
    if (!want_tensor(e, &x, "an operand of `einsum`", at)) return e->poison;
    Type ty = v_type(x);
    if (!dtype_is_float(ty.dtype) || (dt != TUPLE && ty.dtype != dt)) {
      elab_error(e, at, E0310, "`einsum` takes floats of one dtype, not %s", type_text(e, ty));
      elab_help(e, "cast first: `f32(x)`");
      return e->poison;
    }
    dt = ty.dtype;
    if (!einsum_term(e, &side, x, &l, &t[k], at)) return e->poison;
    for (int i = 0; i < side.n; i++)
      if (is_run(&side.axis[i]) && ty.rank - (side.n - 1) > runs) runs = ty.rank - (side.n - 1);
    if (*s != ',') break;
    s++;
  }
  if (k + 1 != xs->list.n)
    return elab_error(e, at, E0362, "the pattern has %d terms for %d tensors", k + 1, xs->list.n);
  if (strncmp(s, "->", 2) != 0) return elab_error(e, at, E0361, "the pattern has no `->` with the axes of the result");
  s += 2;
  if (!parse_side(e, &s, &side, false, at) || !einsum_result(e, &side, &l, runs, &y, at)) return e->poison;
  return einsum_contract(e, t, k + 1, &y, at);
}

/* --- rearrange ---------------------------------------------------------------------------------------------------- */
typedef struct Part {
  const char *name;
  Dim size;
} Part;

static Dim given_size(Elab *e, Value *named, const char *name) {
  Value *v = v_field(named, name);
  return v && v->kind == V_INT ? v->i : DIM_NONE;
}

/* Sizes of the names of one group of an axis of size `whole`: one may be unknown. */
static bool group_sizes(Elab *e, const Side *s, int first, int count, Dim whole, Value *named, Part *out, Loc at) {
  Dim known = dim_int(e->dims, 1);
  int open = -1;
  for (int i = 0; i < count; i++) {
    const char *name = s->axis[first + i].name;
    out[i].name = name;
    out[i].size = strcmp(name, "1") == 0 ? dim_int(e->dims, 1) : given_size(e, named, name);
    if (out[i].size == DIM_NONE && open >= 0) {
      elab_error(e, at, E0364, "the sizes of `%s` and `%s` are both unknown", out[open].name, name);
      elab_help(e, "give one of them: `%s = …`", name);
      return false;
    }
    if (out[i].size == DIM_NONE) open = i;
    else known = dim_mul(e->dims, known, out[i].size);
  }
  if (open >= 0) {
    if (dim_is(e->dims, known, 0) || !dim_is(e->dims, dim_mod(e->dims, whole, known), 0)) {
      elab_error(e, at, E0364, "%s does not divide into pieces of %s for `%s`", dim_text(e, whole), dim_text(e, known),
                 out[open].name);
      return false;
    }
    out[open].size = dim_floordiv(e->dims, whole, known);
    known = dim_mul(e->dims, known, out[open].size);
  }
  if (dim_eq(e->dims, known, whole) == DIM_YES) return true;
  elab_error(e, at, E0364, "the pattern makes %s of an axis of size %s", dim_text(e, known), dim_text(e, whole));
  return false;
}

/* The parts of the left side in order. */
static int left_parts(Elab *e, const Side *s, Type t, Value *named, Part *out, int *runs, Loc at) {
  int n = 0, axis = 0, run = 0;
  for (int i = 0; i < s->n; i++) run += is_run(&s->axis[i]);
  *runs = t.rank - (s->groups - run);
  if (run > 1 || *runs < 0 || (!run && *runs != 0)) {
    elab_error(e, at, E0362, "the pattern has %d axes, but the tensor is %s", s->groups, type_text(e, t));
    return -1;
  }
  for (int i = 0; i < s->n;) {
    int count = 1;
    if (is_run(&s->axis[i])) {
      for (int k = 0; k < *runs; k++) out[n++] = (Part){run_name(e, k), t.shape[axis++]};
      i++;
      continue;
    }
    while (i + count < s->n && s->axis[i + count].group == s->axis[i].group) count++;
    if (n + count > MAX_AXES - 2) return elab_error(e, at, E0361, "the pattern has too many names"), -1;
    if (!group_sizes(e, s, i, count, t.shape[axis++], named, &out[n], at)) return -1;
    n += count;
    i += count;
  }
  return n;
}

static int find_part(const Part *p, int n, const char *name) {
  for (int i = 0; i < n; i++)
    if (p[i].name == name) return i;
  return -1;
}

static Value *rearrange(Elab *e, Value **a, int n, Loc at) {
  Value *x = a[0];
  const char *s;
  Side left, right;
  Part parts[MAX_AXES];
  int runs = 0, perm[MAX_AXES], np = 0, groups = 0, used = 0;
  Dim inner[MAX_AXES], final[MAX_AXES];
  if (!want_tensor(e, &x, "what is rearranged", at) || !want_str(e, a[1], &s, "the pattern", at)) return e->poison;
  if (!parse_side(e, &s, &left, true, at)) return e->poison;
  if (strncmp(s, "->", 2) != 0) return elab_error(e, at, E0361, "the pattern has no `->`");
  s += 2;
  if (!parse_side(e, &s, &right, true, at)) return e->poison;
  int count = left_parts(e, &left, v_type(x), a[2], parts, &runs, at);
  if (count < 0) return e->poison;
  for (int i = 0, last = -1; i < right.n; i++) {
    bool run = is_run(&right.axis[i]);
    for (int k = 0; k < (run ? runs : 1); k++) {
      bool one = strcmp(right.axis[i].name, "1") == 0;
      const char *name = run ? run_name(e, k) : right.axis[i].name;
      int p = one ? -1 : find_part(parts, count, name);
      if (!one && p < 0) return elab_error(e, at, E0361, "the axis `%s` stands on the right side only", name);
      if (run || right.axis[i].group != last) {
        if (groups == MAX_AXES - 1) return elab_error(e, at, E0361, "the pattern has too many names");
        final[groups++] = dim_int(e->dims, 1);
      }
      last = right.axis[i].group;
      if (one) continue;
      for (int j = 0; j < np; j++)
        if (perm[j] == p) return elab_error(e, at, E0361, "the axis `%s` stands twice on the right side", name);
      perm[np++] = p;
      final[groups - 1] = dim_mul(e->dims, final[groups - 1], parts[p].size);
    }
  }
  for (int i = 0, k = 0; i < count; i++) { /* axes of one vanish; others must stand on the right */
    bool there = false;
    for (int j = 0; j < np; j++) there |= perm[j] == i;
    if (!there && !dim_is(e->dims, parts[i].size, 1))
      return elab_error(e, at, E0361, "the axis `%s` is missing on the right side", parts[i].name);
    if (!there) continue;
    inner[k] = parts[i].size;
    for (int j = 0; j < np; j++)
      if (perm[j] == i) perm[j] = k + 64;
    k++;
    used = k;
  }
  for (int j = 0; j < np; j++) perm[j] -= 64;
  if (used > MAX_RANK || groups > MAX_RANK)
    return elab_error(e, at, E0304, "the pattern has more than %d axes", MAX_RANK);
  Loc place = elab_place(e, at);
  NodeId y = g_transpose(GRAPH, place, g_reshape(GRAPH, place, nid(x), used, inner), perm);
  return v_tensor(e, g_reshape(GRAPH, place, y, groups, final));
}

static const Native table[] = {{"einsum", "pattern, *", einsum, 0}, {"rearrange", "x, pattern, *", rearrange, 0}};
void natives_einsum(Elab *e) { elab_register(e, table, (int)(sizeof table / sizeof *table)); }
