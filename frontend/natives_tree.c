/* Natives on trees: tree.map, map_path, leaves, count; derivatives; modes; weights. */
#include "frontend/elab_priv.h"
#include <string.h>

typedef struct MapCtx {
  Value *fn;
  bool path;
  Loc at;
} MapCtx;

static Value *map_leaf(Elab *e, void *ctx, Value **leaf, int n, const char *path) {
  MapCtx *c = ctx;
  Value **v = arena_array(e->arena, Value *, n + 1);
  if (c->path) v[0] = v_str(e, path);
  for (int i = 0; i < n; i++) v[i + c->path] = leaf[i];
  return elab_call_values(e, c->fn, v, n + c->path, c->at);
}

static Value *map(Elab *e, Value **a, int n, Loc at) {
  const Value *more = a[2];
  Value **t = arena_array(e->arena, Value *, more->list.n + 1);
  t[0] = a[1];
  for (int i = 0; i < more->list.n; i++) t[i + 1] = more->list.items[i];
  MapCtx c = {a[0], e->native->data != 0, at};
  const char *path = t[0]->kind == V_TENSOR && e->trace->target ? e->trace->target : "";
  return tree_map(e, t, more->list.n + 1, map_leaf, &c, path, at);
}

static Value *leaves(Elab *e, Value **a, int n, Loc at) {
  LeafRef *all = NULL;
  tree_leaves(e, a[0], "", &all);
  int count = 0;
  Value **items = arena_array(e->arena, Value *, arrlen(all) + 1);
  for (ptrdiff_t i = 0; i < arrlen(all); i++)
    if (all[i].v->kind != V_NONE) items[count++] = all[i].v;
  arrfree(all);
  return v_list(e, items, count);
}

static Value *count(Elab *e, Value **a, int n, Loc at) {
  LeafRef *all = NULL;
  Dim sum = dim_int(e->dims, 0);
  tree_leaves(e, a[0], "", &all);
  for (ptrdiff_t i = 0; i < arrlen(all); i++)
    sum =
        dim_add(e->dims, sum, all[i].v->kind == V_TENSOR ? type_count(e->dims, v_type(all[i].v)) : dim_int(e->dims, 1));
  arrfree(all);
  return v_dim(e, sum);
}

static Value *grad(Elab *e, Value **a, int n, Loc at) { return grad_value(e, a[0], a[1], at); }

static Value *vjp(Elab *e, Value **a, int n, Loc at) { return vjp_value(e, a[0], a[1], a[2], at); }
static Value *jvp(Elab *e, Value **a, int n, Loc at) { return jvp_value(e, a[0], a[1], a[2], at); }
static Value *jacobian(Elab *e, Value **a, int n, Loc at) { return jacobian_value(e, a[0], a[1], at); }

static Value *with_mode(Elab *e, Value *v, int mode) {
  if (v->kind == V_INST) {
    Inst *m = inst_copy(e, v->inst);
    m->mode = mode;
    for (int i = 0; i < m->n; i++)
      if (m->fields[i].kind == FIELD_STATIC && holds_inst(m->fields[i].v))
        m->fields[i].v = with_mode(e, m->fields[i].v, mode);
    return v_inst(e, m);
  }
  if ((v->kind != V_LIST && v->kind != V_TUPLE) || !holds_inst(v)) return v;
  Value **items = arena_array(e->arena, Value *, v->list.n);
  for (int i = 0; i < v->list.n; i++) items[i] = with_mode(e, v->list.items[i], mode);
  Value *r = v_tuple(e, items, v->list.names, v->list.n);
  r->kind = v->kind;
  return r;
}

static Value *set_mode(Elab *e, Value **a, int n, Loc at) {
  if (!holds_inst(a[0]))
    return elab_error(e, at, E0515, "`%s` takes a module instance, not %s", e->native->name, value_kind_name(e, a[0]));
  return with_mode(e, a[0], e->native->data);
}

static Value *weights(Elab *e, Value **a, int n, Loc at) {
  const char *s;
  if (!want_str(e, a[0], &s, "the file of `weights`", at) || !want_str(e, a[1], &s, "the path of `weights`", at))
    return e->poison;
  Value *v = v_list(e, arena_copy(e->arena, a, 2 * sizeof *a), 2);
  v->kind = V_WEIGHTS;
  return v;
}

static const Native table[] = {
    {"tree.map", "fn, t, *", map, 0},
    {"tree.map_path", "fn, t, *", map, 1},
    {"tree.leaves", "t", leaves, 0},
    {"tree.count", "t", count, 0},
    {"grad", "y, x", grad, 0},
    {"vjp", "y, x, u", vjp, 0},
    {"jvp", "y, x, v", jvp, 0},
    {"jacobian", "y, x", jacobian, 0},
    {"train_mode", "m", set_mode, 1},
    {"eval_mode", "m", set_mode, 2},
    {"weights", "file, path = \"\"", weights, 0},
};
void natives_tree(Elab *e) { elab_register(e, table, (int)(sizeof table / sizeof *table)); }
