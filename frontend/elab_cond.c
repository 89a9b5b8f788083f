/* Branches of the graph and recomputed blocks: what their bodies assign and write outside comes out of the op. */
#include "frontend/elab_priv.h"
#include <string.h>

/* What comes out of an op is told by its number until the op is made. */
Value *coming(Elab *e, int index) {
  Value *v = arena_one(e->arena, Value);
  v->kind = V_TENSOR;
  v->t.id = (NodeId)index;
  return v;
}

typedef struct Came {
  NodeId op;
  Loc loc;
} Came;

static Value *came_part(Elab *e, void *ctx, Value *v) {
  const Came *c = ctx;
  if (v->kind != V_TENSOR || v->t.graph) return v;
  return v_tensor(e, g_get(e->trace->graph, c->loc, c->op, (int)v->t.id));
}

Value *come(Elab *e, NodeId op, Loc loc, Value *v) {
  Came c = {op, loc};
  return tree_parts(e, v, came_part, &c);
}

/* --- cond --------------------------------------------------------------------------------------------------------- */
typedef struct Merge {
  Region *r[2];
  const char *what; /* for messages */
  int n;            /* outputs so far */
  Loc loc;
} Merge;

static Value *arms_differ(Elab *e, const Merge *m, Value *a, Value *b) {
  if (is_poison(a) || is_poison(b)) return e->poison;
  elab_error(e, m->loc, E0428, "%s is %s in one arm of the `cond` and %s in the other", m->what, part_text(e, a),
             part_text(e, b));
  if (a->kind == V_TENSOR) elab_note(e, graph_node(a->t.graph, a->t.id)->loc, "it is %s here", part_text(e, a));
  if (b->kind == V_TENSOR) elab_note(e, graph_node(b->t.graph, b->t.id)->loc, "it is %s here", part_text(e, b));
  return e->poison;
}

static DType merged_dtype(const Value *a, const Value *b) {
  if (a->kind == V_TENSOR) return v_type(a).dtype;
  if (b->kind == V_TENSOR) return v_type(b).dtype;
  if (is_bool(a) && is_bool(b)) return BOOL;
  return a->kind == V_INT && b->kind == V_INT ? I32 : F32;
}

static Value *merge_leaf(Elab *e, Merge *m, Value *a, Value *b) {
  Value *v[2] = {a, b};
  NodeId out[2];
  DType t = merged_dtype(a, b);
  for (int k = 0; k < 2; k++) {
    Value *other = v[1 - k];
    if (is_number(v[k]) && other->kind == V_TENSOR && (v_type(other).rank || is_bool(v[k]) != (t == BOOL)))
      return arms_differ(e, m, a, b);
    if (is_number(v[k]) && is_number(other) && is_bool(v[k]) != is_bool(other)) return arms_differ(e, m, a, b);
    region_enter(e, m->r[k]);
    if (is_number(v[k])) v[k] = v_to_tensor(e, v[k], t, m->loc);
    out[k] = v[k]->kind == V_TENSOR ? nid(v[k]) : 0;
    region_leave(e, m->r[k]);
    if (is_poison(v[k])) return v[k];
  }
  if (!out[0] || !out[1] || !type_same(v_type(v[0]), v_type(v[1]))) return arms_differ(e, m, a, b);
  for (int k = 0; k < 2; k++) arrput(m->r[k]->graph->outputs, out[k]);
  return coming(e, m->n++);
}

static Value *merge(Elab *e, Merge *m, Value *a, Value *b);

static Value *merge_insts(Elab *e, Merge *m, Value *a, Value *b) {
  const Inst *o = b->inst;
  if (o->def != a->inst->def || o->n != a->inst->n || o->stacked != a->inst->stacked) return arms_differ(e, m, a, b);
  Inst *r = inst_copy(e, a->inst);
  for (int i = 0; i < r->n; i++) {
    Field *f = &r->fields[i];
    if (f->kind == FIELD_STATE) continue;
    if (f->kind == FIELD_STATIC && !holds_inst(f->v)) {
      if (!v_equal(e, f->v, o->fields[i].v)) return arms_differ(e, m, a, b);
      continue;
    }
    f->v = merge(e, m, f->v, o->fields[i].v);
    if (is_poison(f->v)) return f->v;
  }
  return v_inst(e, r);
}

/* Values of the two arms as one of the branch; what is static and the same in both stays static. */
static Value *merge(Elab *e, Merge *m, Value *a, Value *b) {
  a = v_read(e, a), b = v_read(e, b);
  if (is_poison(a) || is_poison(b)) return e->poison;
  if (a->kind == V_INST && b->kind == V_INST) return merge_insts(e, m, a, b);
  if ((a->kind == V_TUPLE || a->kind == V_LIST) && b->kind == a->kind) {
    if (a->list.n != b->list.n || !same_names(a, b)) return arms_differ(e, m, a, b);
    Value **items = arena_array(e->arena, Value *, a->list.n + 1);
    for (int i = 0; i < a->list.n; i++) {
      items[i] = merge(e, m, a->list.items[i], b->list.items[i]);
      if (is_poison(items[i])) return items[i];
    }
    Value *t = v_tuple(e, items, a->list.names, a->list.n);
    t->kind = a->kind;
    return t;
  }
  if (a == b || (a->kind == b->kind && !v_has_tensor(a) && !v_has_tensor(b) && v_equal(e, a, b))) return a;
  bool leaf = (a->kind == V_TENSOR || is_number(a)) && (b->kind == V_TENSOR || is_number(b));
  return leaf ? merge_leaf(e, m, a, b) : arms_differ(e, m, a, b);
}

static Value *rest_of_cond(Elab *e, Env *env, const AstExpr *x, int arm);

/* The two arms, each in its region; the values of all vars behind them. */
static void run_arms(Elab *e, Env *env, const AstExpr *x, int arm, Region **r, Value **v, Saved **after) {
  Saved *before = save_vars(env);
  for (int k = 0; k < 2; k++) {
    region_enter(e, r[k]);
    v[k] = k ? rest_of_cond(e, env, x, arm + 1) : elab_block(e, env, &x->choice.arms[arm].body);
    after[k] = save_vars(env);
    region_leave(e, r[k]);
    restore_vars(before);
  }
  arrfree(before);
}

static void merge_cells(Elab *e, Merge *m, Region **r, int **cells) {
  ptrdiff_t at[2] = {0, 0};
  for (;;) { /* both lists are by slot */
    const CellNow *next = NULL;
    for (int k = 0; k < 2; k++) {
      while (at[k] < arrlen(r[k]->cells) && !r[k]->cells[at[k]].written) at[k]++;
      const CellNow *c = at[k] < arrlen(r[k]->cells) ? &r[k]->cells[at[k]] : NULL;
      if (c && (!next || cell_slot(c->cell) < cell_slot(next->cell))) next = c;
    }
    if (!next) break;
    arrput(*cells, next->cell);
    for (int k = 0; k < 2; k++) at[k] += at[k] < arrlen(r[k]->cells) && r[k]->cells[at[k]].cell == next->cell;
  }
  for (int k = 0; k < 2; k++) {
    region_enter(e, r[k]);
    for (ptrdiff_t i = 0; i < arrlen(*cells); i++) arrput(r[k]->graph->outputs, cell_now(e, (*cells)[i], m->loc));
    region_leave(e, r[k]);
  }
}

static Loc cell_loc(const Region *r, int cell) {
  const CellNow *c = cell_find(r->cells, cell);
  return c ? c->loc : (Loc){0};
}

static Value *cond_from(Elab *e, Env *env, const AstExpr *x, int arm) {
  const AstArm *a = &x->choice.arms[arm];
  Value *c = elab_expr(e, env, a->cond), *v[2];
  if (!want_condition(e, &c, "cond", a->cond->loc)) return e->poison;
  Loc at = elab_place(e, x->op);
  Merge m = {{region_new(e, RG_COND, at), region_new(e, RG_COND, at)}, "the value", 0, x->loc};
  Saved *after[2];
  int *cells = NULL, n, none;
  Binding **changed = NULL;
  run_arms(e, env, x, arm, m.r, v, after);
  bool has_value = arm + 1 < x->choice.n;
  Value *value = has_value ? merge(e, &m, v[0], v[1]) : is_poison(v[0]) ? v[0] : e->none;
  for (ptrdiff_t i = 0; i < arrlen(after[0]); i++) {
    Binding *b = saved_binding(&after[0][i]);
    if (after[0][i].v == b->v && after[1][i].v == b->v) continue;
    m.what = arena_printf(e->arena, "`%s`", b->name);
    b->v = merge(e, &m, after[0][i].v, after[1][i].v);
    arrput(changed, b);
  }
  merge_cells(e, &m, m.r, &cells);
  if (arrlen(m.r[0]->graph->outputs)) {
    NodeId *in = region_operands(e, m.r, 2, &n, &none, &none), *all = arena_array(e->arena, NodeId, n + 1);
    Graph *bodies[2] = {m.r[0]->graph, m.r[1]->graph};
    all[0] = nid(c);
    memcpy(all + 1, in, sizeof *in * (size_t)n);
    NodeId op = graph_add_region(e->trace->graph, OP_cond, at, all, n + 1, NULL, 0, bodies, 2);
    value = come(e, op, at, value);
    for (ptrdiff_t i = 0; i < arrlen(changed); i++) changed[i]->v = come(e, op, at, changed[i]->v);
    for (ptrdiff_t i = 0; i < arrlen(cells); i++) {
      Loc l = cell_loc(m.r[0], cells[i]);
      cell_write(e, cells[i], g_get(e->trace->graph, at, op, m.n + (int)i), l.file ? l : cell_loc(m.r[1], cells[i]));
    }
  }
  arrfree(after[0]), arrfree(after[1]), arrfree(cells), arrfree(changed);
  return value;
}

static Value *rest_of_cond(Elab *e, Env *env, const AstExpr *x, int arm) {
  if (arm >= x->choice.n) return e->none;
  return x->choice.arms[arm].cond ? cond_from(e, env, x, arm) : elab_block(e, env, &x->choice.arms[arm].body);
}

Value *elab_cond(Elab *e, Env *env, const AstExpr *x) { return cond_from(e, env, x, 0); }

/* --- checkpoint --------------------------------------------------------------------------------------------------- */
typedef struct Leaving {
  Region *r;
  Loc loc;
  int n;
} Leaving;

static Value *leaving_part(Elab *e, void *ctx, Value *v) {
  Leaving *l = ctx;
  v = v_read(e, v);
  if (v->kind == V_FN && v_has_tensor(v))
    return elab_error(e, l->loc, E0424, "a function made inside of `%s` cannot leave it", region_name(l->r));
  if (v->kind != V_TENSOR || v->t.graph != l->r->graph) return v;
  arrput(l->r->graph->outputs, v->t.id);
  return coming(e, l->n++);
}

Value *elab_checkpoint(Elab *e, Env *env, const AstExpr *x) {
  Loc at = elab_place(e, x->op);
  Region *r = region_new(e, RG_CHECKPOINT, at);
  Saved *before = save_vars(env);
  int *cells = NULL, n, none;
  region_enter(e, r);
  Value *v = elab_block(e, env, &x->with.body);
  Leaving l = {r, x->loc, 0};
  if (!is_poison(v)) v = tree_parts(e, v, leaving_part, &l);
  for (ptrdiff_t i = 0; i < arrlen(before); i++) {
    Binding *b = saved_binding(&before[i]);
    if (b->v != before[i].v && !is_poison(b->v)) b->v = tree_parts(e, b->v, leaving_part, &l);
  }
  for (int i = 0; i < (int)arrlen(e->trace->cells); i++)
    if (e->trace->cells[i].written) {
      arrput(r->graph->outputs, e->trace->cells[i].now);
      arrput(cells, e->trace->cells[i].cell);
    }
  region_leave(e, r);
  if (arrlen(r->graph->outputs)) {
    NodeId *in = region_operands(e, &r, 1, &n, &none, &none);
    NodeId op = graph_add_region(e->trace->graph, OP_checkpoint, at, in, n, NULL, 0, &r->graph, 1);
    v = come(e, op, at, v);
    for (ptrdiff_t i = 0; i < arrlen(before); i++) {
      Binding *b = saved_binding(&before[i]);
      if (b->v != before[i].v) b->v = come(e, op, at, b->v);
    }
    for (ptrdiff_t i = 0; i < arrlen(cells); i++)
      cell_write(e, cells[i], g_get(e->trace->graph, at, op, l.n + (int)i), cell_loc(r, cells[i]));
  }
  arrfree(before), arrfree(cells);
  return v;
}
