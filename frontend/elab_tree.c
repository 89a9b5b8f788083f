/* Trees: instances, tuples, lists of tensors; arithmetic and functions leaf by leaf. */
#include "frontend/elab_priv.h"
#include <string.h>

bool is_tree(const Value *v) { return v->kind == V_INST || v->kind == V_TUPLE; }

bool holds_inst(const Value *v) {
  if (v->kind == V_INST) return true;
  if (v->kind != V_LIST && v->kind != V_TUPLE) return false;
  for (int i = 0; i < v->list.n; i++)
    if (holds_inst(v->list.items[i])) return true;
  return false;
}

static Value *structure_error(Elab *e, Value *a, Value *b, const char *path, Loc at) {
  return elab_error(e, at, E0504, "the trees differ in structure%s%s: %s beside %s", *path ? " at " : "", path,
                    value_kind_name(e, a), value_kind_name(e, b));
}

static const char *join(Elab *e, const char *path, const char *name) {
  return *path ? arena_join(e->arena, path, ".", name) : name;
}

static const char *join_index(Elab *e, const char *path, int i) { return arena_printf(e->arena, "%s[%d]", path, i); }

/* What lies in a list of modules beside them: functions, names. They are part of the structure, not leaves. */
static bool is_fixture(const Value *v) {
  return v->kind == V_FN || v->kind == V_STR || v->kind == V_DTYPE || v->kind == V_MODULE || v->kind == V_BOOL;
}

static bool spreads(const Value *v) { return !is_tree(v) && v->kind != V_LIST; }

/* Axes of the first tensor of a tree, -1 when it has none. */
static int first_rank(const Value *v) {
  int r = v->kind == V_TENSOR ? v_type(v).rank : -1;
  if (v->kind == V_LIST || v->kind == V_TUPLE)
    for (int i = 0; i < v->list.n && r < 0; i++) r = first_rank(v->list.items[i]);
  for (int i = 0; v->kind == V_INST && i < v->inst->n && r < 0; i++)
    if (v->inst->fields[i].kind != FIELD_STATE) r = first_rank(v->inst->fields[i].v);
  return r;
}

/* A function that adds or folds axes in front of the leaves makes another number of instances. */
static void count_stacked(Inst *m, const Value *before) {
  Value after = {.kind = V_INST, .inst = m};
  int a = first_rank(before), b = first_rank(&after);
  if (a < 0 || b < 0) return;
  m->stacked += b - a;
  if (m->stacked < 0) m->stacked = 0;
}

static Value *map_inst(Elab *e, Value **t, int n, LeafFn *fn, void *ctx, const char *path, Loc at) {
  Inst *m = inst_copy(e, t[0]->inst);
  if (m->path) path = m->path;
  Value **part = arena_array(e->arena, Value *, n);
  for (int i = 1; i < n; i++)
    if (!spreads(t[i]) && (t[i]->kind != V_INST || t[i]->inst->def != m->def || t[i]->inst->n != m->n))
      return structure_error(e, t[0], t[i], path, at);
  for (int k = 0; k < m->n; k++) {
    Field *f = &m->fields[k];
    if (f->kind == FIELD_STATE || (f->kind == FIELD_STATIC && !holds_inst(f->v))) continue;
    part[0] = f->v;
    for (int i = 1; i < n; i++) part[i] = spreads(t[i]) ? t[i] : t[i]->inst->fields[k].v;
    f->v = tree_map(e, part, n, fn, ctx, join(e, path, f->name), at);
    if (is_poison(f->v)) return f->v;
  }
  count_stacked(m, t[0]);
  return v_inst(e, m);
}

/* fn over the leaves of t[0] and what stands at their places in the other trees; numbers and tensors there count for
 * every leaf. Paths begin with an instance's own. States stay as they are on the left. */
Value *tree_map(Elab *e, Value **t, int n, LeafFn *fn, void *ctx, const char *path, Loc at) {
  if (!spend(e, at)) return e->poison;
  for (int i = 0; i < n; i++)
    if (is_poison(t[i])) return t[i];
  if (t[0]->kind == V_INST) return map_inst(e, t, n, fn, ctx, path, at);
  if (is_fixture(t[0]) && *path) return t[0];
  if (t[0]->kind != V_TUPLE && t[0]->kind != V_LIST) {
    Value **leaf = arena_array(e->arena, Value *, n);
    for (int i = 0; i < n; i++) {
      leaf[i] = v_read(e, t[i]);
      if (!spreads(leaf[i])) return structure_error(e, t[0], t[i], path, at);
      if (leaf[i]->kind == V_NONE || leaf[i]->kind == V_FN || leaf[i]->kind == V_MODULE) return leaf[0];
    }
    return fn(e, ctx, leaf, n, path);
  }
  int count = t[0]->list.n;
  Value **items = arena_array(e->arena, Value *, count + 1), **part = arena_array(e->arena, Value *, n);
  for (int i = 1; i < n; i++)
    if (!spreads(t[i]) && (t[i]->kind == V_INST || t[i]->list.n != count))
      return structure_error(e, t[0], t[i], path, at);
  for (int k = 0; k < count; k++) {
    const char *name = t[0]->list.names ? t[0]->list.names[k] : NULL;
    part[0] = t[0]->list.items[k];
    for (int i = 1; i < n; i++) {
      part[i] = spreads(t[i]) ? t[i] : t[i]->list.items[k];
      if (name && !spreads(t[i]) && t[i]->list.names && !(part[i] = v_field(t[i], name)))
        return structure_error(e, t[0], t[i], path, at);
    }
    items[k] = tree_map(e, part, n, fn, ctx, name ? join(e, path, name) : join_index(e, path, k), at);
    if (is_poison(items[k])) return items[k];
  }
  Value *v = v_tuple(e, items, t[0]->list.names, count);
  v->kind = t[0]->kind;
  return v;
}

typedef struct BinaryCtx {
  Op op;
  bool swap;
  Loc at;
} BinaryCtx;

static Value *binary_leaf(Elab *e, void *ctx, Value **leaf, int n, const char *path) {
  BinaryCtx *c = ctx;
  Value *v = c->swap ? elab_binary(e, c->op, leaf[1], leaf[0], c->at) : elab_binary(e, c->op, leaf[0], leaf[1], c->at);
  return v;
}

Value *tree_binary(Elab *e, Op op, Value *a, Value *b, Loc at) {
  BinaryCtx c = {op, !is_tree(a), at};
  Value *t[2] = {c.swap ? b : a, c.swap ? a : b};
  if (op == OP_and || op == OP_or || (op >= OP_eq && op <= OP_ge))
    return elab_error(e, at, E0405, "`%s` does not take %s and %s", op_spelling(op), value_kind_name(e, a),
                      value_kind_name(e, b));
  if (t[1]->kind == V_LIST) return structure_error(e, a, b, "", at);
  return tree_map(e, t, 2, binary_leaf, &c, "", at);
}

typedef struct UnaryCtx {
  Value *(*fn)(Elab *, int, Value *, Loc);
  int data;
  Loc at;
} UnaryCtx;

static Value *unary_leaf(Elab *e, void *ctx, Value **leaf, int n, const char *path) {
  UnaryCtx *c = ctx;
  return c->fn(e, c->data, leaf[0], c->at);
}

Value *tree_unary(Elab *e, Value *t, Value *(*fn)(Elab *, int, Value *, Loc), int data, Loc at) {
  UnaryCtx c = {fn, data, at};
  return tree_map(e, &t, 1, unary_leaf, &c, "", at);
}

static Value *collect_leaf(Elab *e, void *ctx, Value **leaf, int n, const char *path) {
  LeafRef **out = ctx;
  LeafRef r = {leaf[0], path};
  arrput(*out, r);
  return leaf[0];
}

/* The leaves in order, without states. */
void tree_leaves(Elab *e, Value *t, const char *path, LeafRef **out) {
  tree_map(e, &t, 1, collect_leaf, out, path, (Loc){0});
}
