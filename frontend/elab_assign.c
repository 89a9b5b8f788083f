/* Cells and assignment: who may write, places, functional updates of parts. */
#include "frontend/elab_priv.h"
#include <string.h>

/* --- cells -------------------------------------------------------------------------------------------------------- */
/* The first element whose slot is not below that of the cell. */
static ptrdiff_t place_of(CellNow *cells, int cell) {
  ptrdiff_t low = 0, high = arrlen(cells);
  while (low < high) {
    ptrdiff_t middle = (low + high) / 2;
    if (cell_slot(cells[middle].cell) < cell_slot(cell)) low = middle + 1;
    else high = middle;
  }
  return low;
}

CellNow *cell_find(CellNow *cells, int cell) {
  ptrdiff_t i = place_of(cells, cell);
  return i < arrlen(cells) && cells[i].cell == cell ? &cells[i] : NULL;
}

static CellNow *slot_of(Elab *e, int cell) {
  Trace *t = e->trace;
  ptrdiff_t i = place_of(t->cells, cell);
  if (i == arrlen(t->cells) || t->cells[i].cell != cell) arrins(t->cells, i, ((CellNow){.cell = cell}));
  return &t->cells[i];
}

const Cell *cell_info(const Elab *e, int cell) {
  return cell >= 0 ? &e->prog->cells[cell] : &e->row_cells[-1 - cell].info;
}

NodeId cell_now(Elab *e, int cell, Loc at) {
  CellNow *c = slot_of(e, cell);
  const Cell *k = cell_info(e, cell);
  if (c->now) return c->now;
  if (e->trace->region) {
    NodeId n = region_cell(e, cell, at);
    cell_begin(e, cell, n);
    return n;
  }
  if (cell < 0) {
    if (!e->rows_told)
      elab_error(e, at, E0430, "the state `%s` belongs to a row of a loop, it is not known outside of it", k->path);
    e->rows_told = !e->mute; /* the other states of the same module are not told again */
    return c->now = g_full(e->trace->graph, k->loc, 0, k->type);
  }
  if (e->trace->kind == T_INIT) { /* its initial value failed, or is being made */
    c->now = g_full(e->trace->graph, k->loc, 0, k->type);
    return c->now;
  }
  c->now = g_cell(e->trace->graph, k->loc, cell, k->type);
  return c->now;
}

void cell_begin(Elab *e, int cell, NodeId value) { slot_of(e, cell)->now = value; }

Value *v_read(Elab *e, Value *v) { return v->kind == V_CELL ? v_tensor(e, cell_now(e, v->cell, (Loc){0})) : v; }

void cell_write(Elab *e, int cell, NodeId value, Loc at) {
  CellNow *c = slot_of(e, cell);
  if (c->now == value) return;
  c->now = value;
  c->written = true;
  c->loc = elab_place(e, at);
  e->trace->version++;
}

static bool may_write(Elab *e, const char *what, bool own_module, Loc at) {
  Trace *t = e->trace;
  if (t->kind == T_INIT) {
    elab_error(e, at, E0604, "an initial value cannot write %s", what);
    return false;
  }
  if (t->kind != T_STEP && t->kind != T_CHECK) {
    elab_error(e, at, E0604, "%s is written here, but `%s` is not a step", what,
               t->entry ? t->entry->name : "this function");
    if (t->entry && t->entry->loc.file) elab_note(e, t->entry->loc, "it is reached from here");
    elab_help(e, "make it a `step`: only steps have effects");
    return false;
  }
  if (!own_module && t->frame && t->frame->depth > 0) {
    elab_error(e, at, E0607, "%s is written in a function; only the step itself may do that", what);
    elab_help(e, "return the new value and assign it in the step");
    return false;
  }
  return true;
}

static bool stored_type(Elab *e, int cell, Value **v, Loc at) {
  const Cell *k = cell_info(e, cell);
  Type t = k->type;
  double x;
  if (v_number(e, *v, &x) || (*v)->kind == V_SYM || (*v)->kind == V_INT || (*v)->kind == V_BOOL)
    *v = adapt_number(e, *v, t, at);
  if (is_poison(*v) || !want_tensor(e, v, arena_printf(e->arena, "the new value of `%s`", k->path), at)) return false;
  if (type_same(v_type(*v), t)) return true;
  elab_error(e, at, E0608, "`%s` is %s, it cannot take %s", k->path, type_text(e, t), type_text(e, v_type(*v)));
  elab_note(e, k->loc, "it is declared here");
  return false;
}

/* Writes a tree of new values to the cells of `to`. */
void assign_tree(Elab *e, Value *to, Value *v, Loc at) {
  if (is_poison(v) || is_poison(to)) return;
  if (to->kind == V_CELL) {
    if (v->kind == V_NONE || (v->kind == V_CELL && v->cell == to->cell)) return;
    v = v_read(e, v);
    if (stored_type(e, to->cell, &v, at)) cell_write(e, to->cell, nid(v), at);
    return;
  }
  if (to->kind == V_INST && v->kind == V_INST && to->inst->def == v->inst->def && to->inst->n == v->inst->n) {
    for (int i = 0; i < to->inst->n; i++) {
      Field *f = &to->inst->fields[i], *g = &v->inst->fields[i];
      if (f->kind != FIELD_STATIC || holds_inst(f->v)) assign_tree(e, f->v, g->v, at);
      else if (!v_equal(e, f->v, g->v))
        elab_error(e, at, E0505, "the static field `%s` of `%s` differs", f->name,
                   to->inst->path ? to->inst->path : to->inst->def->name);
    }
    return;
  }
  if ((to->kind == V_LIST || to->kind == V_TUPLE) && (v->kind == V_LIST || v->kind == V_TUPLE) &&
      to->list.n == v->list.n) {
    for (int i = 0; i < to->list.n; i++) assign_tree(e, to->list.items[i], v->list.items[i], at);
    return;
  }
  if (!v_equal(e, to, v))
    elab_error(e, at, E0505, "%s cannot take %s: the structures differ", value_kind_name(e, to), value_kind_name(e, v));
}

/* --- names -------------------------------------------------------------------------------------------------------- */
static bool assign_self(Elab *e, Inst *self, const char *name, Value *v, Loc at) {
  Field *f = inst_field(self, name);
  if (!f) return false;
  const char *path = arena_printf(e->arena, "%s.%s", self->path ? self->path : self->def->name, name);
  if (f->kind == FIELD_STATE && f->v->kind == V_CELL) {
    if (may_write(e, arena_printf(e->arena, "the state `%s`", path), true, at)) assign_tree(e, f->v, v, at);
    return true;
  }
  elab_error(e, at, E0609, "`%s` is %s: a module's functions write its states only", path,
             f->kind == FIELD_PARAM ? "a parameter" : "a static field");
  if (f->kind == FIELD_PARAM) elab_help(e, "a step changes parameters: `update`, or an assignment to the model");
  return true;
}

static bool assign_global(Elab *e, Scope *s, const char *name, Value *v, Loc at) {
  const Global *g = scope_find(s, name);
  if (!g) return false;
  AstItemKind kind = g->item->kind;
  if (kind != AI_MODEL && kind != AI_STATE) {
    elab_error(e, at, E0209, "`%s` cannot be assigned: it is not a `var`, a state or a model", name);
    elab_note(e, g->item->loc, "it is declared here");
    return true;
  }
  elab_global(e, s, name, at);
  g = scope_find(s, name);
  if (!g->v || is_poison(g->v)) return true;
  if (may_write(e, arena_printf(e->arena, "the %s `%s`", kind == AI_MODEL ? "model" : "state", name), false, at))
    assign_tree(e, g->v, v, at);
  return true;
}

static void assign_name(Elab *e, Env *env, const char *name, Value *v, Loc at) {
  Scope *scope = env->scope;
  for (Env *s = env; s; s = s->up) {
    Binding *b = env_find(s, name);
    if (b && s->captured) {
      elab_error(e, at, E0210, "a function cannot assign `%s`, which it captured", name);
      elab_note(e, b->loc, "it belongs to the enclosing function");
      elab_help(e, "return the new value");
      return;
    }
    if (b && !b->var) {
      elab_error(e, at, E0209, "`%s` is not a `var`", name);
      elab_note(e, b->loc, "it is bound here");
      elab_help(e, "`var %s = …` may be assigned; `let %s = …` binds the name anew", name, name);
      return;
    }
    if (b) {
      b->v = v;
      return;
    }
    if (s->self && assign_self(e, s->self, name, v, at)) return;
  }
  if (assign_global(e, scope, name, v, at)) return;
  elab_error(e, at, E0201, "there is no `%s` to assign", name);
  elab_help(e, "`var %s = …` makes one", name);
}

/* --- places ------------------------------------------------------------------------------------------------------- */
/* A copy of `base` with one field replaced; writes a state of an instance at once. */
static Value *with_field(Elab *e, Value *base, const char *name, Value *v, Loc at) {
  if (is_poison(base) || is_poison(v)) return e->poison;
  if (base->kind == V_TUPLE && v_field(base, name)) {
    Value **items = arena_copy(e->arena, base->list.items, sizeof(Value *) * (size_t)base->list.n);
    for (int i = 0; i < base->list.n; i++)
      if (strcmp(base->list.names[i], name) == 0) items[i] = v;
    return v_tuple(e, items, base->list.names, base->list.n);
  }
  Field *f = base->kind == V_INST ? inst_field(base->inst, name) : NULL;
  if (!f && is_poison(elab_field(e, base, name, at))) return e->poison;
  if (!f) return elab_error(e, at, E0211, "%s has no field `%s` to assign", value_kind_name(e, base), name);
  if (f->kind == FIELD_STATE) {
    if (may_write(e, arena_printf(e->arena, "the state `%s`", name), false, at)) assign_tree(e, f->v, v, at);
    return base;
  }
  if (f->kind == FIELD_STATIC && !holds_inst(f->v))
    return elab_error(e, at, E0609, "`%s` is a static field of %s", name, value_kind_name(e, base));
  Value *old = v_read(e, f->v);
  if (f->kind == FIELD_PARAM) {
    double x;
    if (old->kind == V_TENSOR && (v_number(e, v, &x) || v->kind == V_SYM)) v = adapt_number(e, v, v_type(old), at);
    if (is_poison(v)) return v;
    if (old->kind == V_TENSOR && (v->kind != V_TENSOR || !type_same(v_type(old), v_type(v)))) {
      elab_error(e, at, E0608, "`%s` is %s, it cannot take %s", name, type_text(e, v_type(old)), value_kind_name(e, v));
      return e->poison;
    }
  } else if (v->kind != old->kind || (v->kind == V_INST && v->inst->def != old->inst->def)) {
    return elab_error(e, at, E0505, "%s cannot take %s: the structures differ", value_kind_name(e, old),
                      value_kind_name(e, v));
  }
  Inst *m = inst_copy(e, base->inst);
  inst_field(m, name)->v = v;
  return v_inst(e, m);
}

void assign_place(Elab *e, Env *env, const AstExpr *place, Op op, Value *v, Loc at) {
  if (is_poison(v)) {
    if (place->kind == AX_NAME) {
      for (Env *s = env; s; s = s->up) {
        Binding *b = env_find(s, place->name);
        if (b && b->var && !s->captured) b->v = v;
        if (b) return;
      }
    }
    return;
  }
  if (place->kind == AX_INDEX) {
    IndexItem *items;
    Value *base = elab_expr(e, env, place->index.base);
    int n = eval_index_items(e, env, place, &items);
    if (n < 0 || is_poison(base)) return;
    assign_place(e, env, place->index.base, OP_NONE, index_store(e, base, items, n, op, v, at), at);
    return;
  }
  if (op != OP_NONE) {
    v = elab_binary(e, op, elab_expr(e, env, place), v, at);
    if (is_poison(v)) return;
  }
  if (place->kind == AX_NAME) assign_name(e, env, place->name, v, place->loc);
  else if (place->kind == AX_FIELD) {
    Value *base = elab_expr(e, env, place->field.base);
    Value *changed = with_field(e, base, place->field.name.name, v, place->loc);
    if (changed != base && !is_poison(changed)) assign_place(e, env, place->field.base, OP_NONE, changed, at);
  } else {
    elab_error(e, place->loc, E0107, "this cannot be assigned to; a place is a name with fields and indices");
  }
}

void elab_assign(Elab *e, Env *env, const AstStmt *s) {
  const AstExpr *t = s->target;
  Value *v = elab_expr(e, env, s->value);
  Op op = s->assign_op == AST_OP_COUNT ? OP_NONE : op_of_ast(s->assign_op);
  if (t->kind != AX_TUPLE) {
    if (e->trace->discover) trained_assigned(e, env, t);
    assign_place(e, env, t, op, v, s->op);
    return;
  }
  int n = t->tuple.n;
  if (!is_poison(v) && ((v->kind != V_TUPLE && v->kind != V_LIST) || v->list.n != n)) {
    elab_error(e, s->op, E0208, "%d places stand beside %s", n, value_kind_name(e, v));
    v = e->poison;
  }
  for (int i = 0; i < n; i++) {
    const AstExpr *place = t->tuple.items[i].value;
    if (place->kind == AX_NAME && strcmp(place->name, "_") == 0) continue;
    if (e->trace->discover) trained_assigned(e, env, place);
    assign_place(e, env, place, op, is_poison(v) ? v : v_read(e, v->list.items[i]), s->op);
  }
}
