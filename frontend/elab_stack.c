/* Stacks of trees: the elements of a list as the rows of one tree, and the number of axes that a tree has in front. */
#include "frontend/elab_priv.h"
#include <string.h>

/* The tree with `by` more axes in front of each leaf: a tree of stacks cannot be called. */
Value *restack(Elab *e, Value *v, int by) {
  if (v->kind == V_TUPLE || v->kind == V_LIST) {
    if (!holds_inst(v)) return v;
    Value **items = arena_array(e->arena, Value *, v->list.n + 1);
    for (int i = 0; i < v->list.n; i++) items[i] = restack(e, v->list.items[i], by);
    Value *t = v_tuple(e, items, v->list.names, v->list.n);
    t->kind = v->kind;
    return t;
  }
  if (v->kind != V_INST) return v;
  Inst *m = inst_copy(e, v->inst);
  m->stacked += by;
  for (int i = 0; i < m->n; i++)
    if (m->fields[i].kind == FIELD_STATIC && holds_inst(m->fields[i].v))
      m->fields[i].v = restack(e, m->fields[i].v, by);
  return v_inst(e, m);
}

typedef struct ListRows {
  int n;
  Loc loc;
} ListRows;

static Value *rows_differ(Elab *e, const ListRows *c, const Value *a, const Value *b, int i, const char *path) {
  elab_error(e, c->loc, E0425,
             "the elements of a list are walked through as rows, but element %d is not like the first%s%s", i,
             *path ? " at " : "", path);
  elab_note(e, c->loc, "it is %s, and the first is %s", value_kind_name(e, b), value_kind_name(e, a));
  return e->poison;
}

static NodeId as_row(Elab *e, NodeId n, Loc loc) {
  Type t = graph_type(e->trace->graph, n);
  Dim shape[MAX_RANK + 1] = {dim_int(e->dims, 1)};
  for (int k = 0; k < t.rank; k++) shape[k + 1] = t.shape[k];
  return g_reshape(e->trace->graph, loc, n, t.rank + 1, shape);
}

static Value *stack_tensors(Elab *e, const ListRows *c, Value **v, const char *path) {
  NodeId *row = arena_array(e->arena, NodeId, c->n);
  DType want = TUPLE;
  for (int i = 0; i < c->n; i++)
    if (v[i]->kind == V_TENSOR) want = v_type(v[i]).dtype;
    else if (want == TUPLE && v[i]->kind != V_INT && v[i]->kind != V_BOOL) want = F32;
  for (int i = 0; i < c->n; i++) {
    Value *t = is_number(v[i]) ? v_to_tensor(e, v[i], want, c->loc) : v[i];
    if (is_poison(t) || !want_tensor(e, &t, "a row", c->loc)) return e->poison;
    v[i] = t;
    Type ty = v_type(t);
    if (!type_same(ty, v_type(v[0]))) return rows_differ(e, c, v[0], t, i, path);
    if (ty.rank == MAX_RANK) return elab_error(e, c->loc, E0304, "the stack has more than %d axes", MAX_RANK);
    row[i] = as_row(e, nid(t), elab_place(e, c->loc));
  }
  return v_tensor(e, g_concat(e->trace->graph, elab_place(e, c->loc), row, c->n, 0));
}

/* One cell for the states of all elements at one place. */
static Value *row_cell(Elab *e, const ListRows *c, Value **part) {
  RowCell r = {.info = *cell_info(e, part[0]->cell), .cells = arena_array(e->arena, int, c->n), .n = c->n};
  for (int i = 0; i < c->n; i++) r.cells[i] = part[i]->cell;
  arrput(e->row_cells, r);
  Value *v = arena_one(e->arena, Value);
  v->kind = V_CELL;
  v->cell = -(int)arrlen(e->row_cells);
  return v;
}

static Value *stack_parts(Elab *e, const ListRows *c, Value **v, const char *path);

static bool same_arguments(Elab *e, const Inst *a, const Inst *b) {
  if (a->env == b->env) return true;
  if (a->env->n != b->env->n) return false;
  for (ptrdiff_t i = 0; i < a->env->n; i++) {
    const Value *x = a->env->binds[i].v, *y = b->env->binds[i].v;
    bool part = x->kind == V_LEAF || holds_inst(x); /* fields, which are compared as such */
    if (!part && !v_equal(e, x, y)) return false;
  }
  return true;
}

static Value *stack_insts(Elab *e, const ListRows *c, Value **v, const char *path) {
  Inst *m = inst_copy(e, v[0]->inst);
  for (int i = 1; i < c->n; i++) {
    const Inst *o = v[i]->kind == V_INST ? v[i]->inst : NULL;
    if (!o || o->def != m->def || o->n != m->n || o->stacked != m->stacked || !same_arguments(e, m, o))
      return rows_differ(e, c, v[0], v[i], i, path);
    if (inst_training(e, o) != inst_training(e, m)) {
      elab_error(e, c->loc, E0425, "some elements of the list are in training mode and some are not");
      elab_help(e, "walk through the two parts one after the other");
      return e->poison;
    }
  }
  Value **part = arena_array(e->arena, Value *, c->n);
  for (int k = 0; k < m->n; k++) {
    Field *f = &m->fields[k];
    for (int i = 0; i < c->n; i++) part[i] = v[i]->inst->fields[k].v;
    const char *p = arena_printf(e->arena, "%s%s%s", path, *path ? "." : "", f->name);
    if (f->kind == FIELD_PARAM || (f->kind == FIELD_STATIC && holds_inst(f->v))) {
      f->v = stack_parts(e, c, part, p);
      if (is_poison(f->v)) return f->v;
      continue;
    }
    for (int i = 1; i < c->n; i++) {
      if (v_equal(e, part[0], part[i])) continue;
      if (f->kind == FIELD_STATIC) return rows_differ(e, c, part[0], part[i], i, p);
      f->v = row_cell(e, c, part);
      break;
    }
  }
  return v_inst(e, m);
}

static Value *stack_parts(Elab *e, const ListRows *c, Value **part, const char *path) {
  Value **v = arena_array(e->arena, Value *, c->n);
  for (int i = 0; i < c->n; i++) {
    v[i] = v_read(e, part[i]);
    if (is_poison(v[i])) return v[i];
  }
  if (v[0]->kind == V_INST) return stack_insts(e, c, v, path);
  if (v[0]->kind == V_TENSOR || is_number(v[0])) return stack_tensors(e, c, v, path);
  if (v[0]->kind != V_TUPLE && v[0]->kind != V_LIST) {
    for (int i = 1; i < c->n; i++)
      if (!v_equal(e, v[0], v[i])) return rows_differ(e, c, v[0], v[i], i, path);
    return v[0];
  }
  int n = v[0]->list.n;
  for (int i = 1; i < c->n; i++)
    if (v[i]->kind != v[0]->kind || v[i]->list.n != n) return rows_differ(e, c, v[0], v[i], i, path);
  Value **items = arena_array(e->arena, Value *, n + 1), **row = arena_array(e->arena, Value *, c->n);
  for (int k = 0; k < n; k++) {
    for (int i = 0; i < c->n; i++) row[i] = v[i]->list.items[k];
    items[k] = stack_parts(e, c, row, arena_printf(e->arena, "%s[%d]", path, k));
    if (is_poison(items[k])) return items[k];
  }
  Value *t = v_tuple(e, items, v[0]->list.names, n);
  t->kind = v[0]->kind;
  return t;
}

/* The elements of a list, trees of one structure, as one tree whose leaves have a leading axis. */
Value *stack_list(Elab *e, Value *list, Loc loc) {
  ListRows c = {list->list.n, loc};
  if (!c.n) return elab_error(e, loc, E0425, "the list to walk through is empty");
  return restack(e, stack_parts(e, &c, list->list.items, ""), 1);
}

/* --- states of rows ----------------------------------------------------------------------------------------------- */
/* The region is the current one: its row of each state. */
void row_cells_bind(Elab *e, Region *r, int first, int last) {
  r->first_row = first, r->last_row = last;
  for (int k = first; k < last; k++) {
    RowCell c = e->row_cells[k];
    NodeId *row = arena_array(e->arena, NodeId, c.n);
    region_leave(e, r);
    for (int i = 0; i < c.n; i++) row[i] = as_row(e, cell_now(e, c.cells[i], r->loc), r->loc);
    NodeId all = g_concat(e->trace->graph, r->loc, row, c.n, 0);
    region_enter(e, r);
    cell_begin(e, -1 - k, region_input(r, IN_ROW, all, c.info.type));
  }
}

/* The row of state k: they are the first rows. */
static NodeId row_of_state(const Region *r, int k) {
  for (ptrdiff_t i = 0; i < arrlen(r->inputs); i++)
    if (r->inputs[i].kind == IN_ROW && k-- == r->first_row) return r->inputs[i].node;
  return 0;
}

/* The region is the current one, and its body complete. */
int *row_cells_close(Elab *e, Region *r) {
  int *written = NULL;
  for (int k = r->first_row; k < r->last_row; k++) {
    const CellNow *c = cell_find(e->trace->cells, -1 - k);
    if (!c || !c->written) continue;
    arrput(written, -1 - k);
    arrput(r->row_states, row_of_state(r, k));
  }
  return written;
}

/* Behind the loop, whose results from first_result on are the stacks of the new states. */
void row_cells_commit(Elab *e, const Region *r, const int *written, NodeId op, int first_result) {
  for (ptrdiff_t k = 0; k < arrlen(written); k++) {
    RowCell c = e->row_cells[-1 - written[k]];
    Loc at = cell_find(r->cells, written[k])->loc;
    NodeId all = g_get(e->trace->graph, r->loc, op, first_result + (int)k);
    for (int i = 0; i < c.n; i++) cell_write(e, c.cells[i], index_axis(e, all, 0, dim_int(e->dims, i), r->loc), at);
  }
}
