/* What a loop carries: the outer `var`s that its body assigns, part by part, and the cells that the body writes. */
#include "frontend/elab_priv.h"
#include <string.h>

/* The parts of a tree that may hold tensors; static fields of instances and states stay. */
Value *tree_parts(Elab *e, Value *v, PartFn *fn, void *ctx) {
  if (v->kind == V_TUPLE || v->kind == V_LIST) {
    Value **items = arena_array(e->arena, Value *, v->list.n + 1);
    for (int i = 0; i < v->list.n; i++) {
      items[i] = tree_parts(e, v->list.items[i], fn, ctx);
      if (is_poison(items[i])) return items[i];
    }
    Value *t = v_tuple(e, items, v->list.names, v->list.n);
    t->kind = v->kind;
    return t;
  }
  if (v->kind != V_INST) return fn(e, ctx, v);
  Inst *m = inst_copy(e, v->inst);
  for (int i = 0; i < m->n; i++) {
    Field *f = &m->fields[i];
    if (f->kind != FIELD_PARAM && (f->kind != FIELD_STATIC || !holds_inst(f->v))) continue;
    f->v = tree_parts(e, f->v, fn, ctx);
    if (is_poison(f->v)) return f->v;
  }
  return v_inst(e, m);
}

bool is_number(const Value *v) {
  return v->kind == V_INT || v->kind == V_FLOAT || v->kind == V_SYM || v->kind == V_BOOL;
}

/* --- finding ------------------------------------------------------------------------------------------------------ */
static Binding *outer_var(Env *env, const char *name, Env **where) {
  for (Env *s = env; s && !s->fixed; s = s->up) {
    Binding *b = env_find(s, name);
    if (b) *where = s;
    if (b) return b->var && !s->captured ? b : NULL;
    if (s->self && inst_field(s->self, name)) return NULL;
  }
  return NULL;
}

Carried carried_find(Env *env, const AstPattern *header, const AstBlock *body) {
  Carried c = {0};
  Assigned *names = assigned_names(header, body);
  for (ptrdiff_t i = 0; i < arrlen(names); i++) {
    CarriedVar v = {.name = names[i].name, .loc = names[i].loc};
    Binding *b = outer_var(env, v.name, &v.env);
    if (!b) continue;
    v.at = b - v.env->binds;
    v.before = b->v;
    arrput(c.vars, v);
  }
  arrfree(names);
  return c;
}

void carried_free(Carried *c) {
  arrfree(c->vars);
  arrfree(c->cells);
  arrfree(c->cell_starts);
  arrfree(c->numbers);
}

static void bind_var(const CarriedVar *v, Value *to) { v->env->binds[v->at].v = to; }

void carried_restore(Carried *c) {
  for (ptrdiff_t i = 0; i < arrlen(c->vars); i++) bind_var(&c->vars[i], c->vars[i].before);
}

/* --- entering ----------------------------------------------------------------------------------------------------- */
typedef struct Start {
  Carried *c;
  int number; /* the next static number */
} Start;

/* A static number that changes in the loop is a tensor from the start. */
static Value *start_part(Elab *e, void *ctx, Value *v) {
  Start *s = ctx;
  if (!is_number(v)) return v;
  if (s->number >= arrlen(s->c->numbers)) arrput(s->c->numbers, TUPLE);
  DType t = s->c->numbers[s->number++];
  return t == TUPLE ? v : v_to_tensor(e, v, t, s->c->loc);
}

void carried_start(Elab *e, Carried *c, Loc loc) {
  Start s = {c, 0};
  for (ptrdiff_t i = 0; i < arrlen(c->vars); i++) c->vars[i].start = tree_parts(e, c->vars[i].before, start_part, &s);
  arrsetlen(c->cell_starts, 0);
  for (ptrdiff_t i = 0; i < arrlen(c->cells); i++) arrput(c->cell_starts, cell_now(e, c->cells[i], loc));
}

bool carried_numbers(Elab *e, Carried *c) {
  carried_start(e, c, c->loc);
  return arrlen(c->numbers) > 0;
}

/* The region is the current one. */
void carried_bind(Elab *e, Carried *c, Region *r) {
  for (ptrdiff_t i = 0; i < arrlen(c->vars); i++) {
    c->vars[i].inside = tree_parts(e, c->vars[i].start, region_argument, r);
    bind_var(&c->vars[i], c->vars[i].inside);
  }
  for (ptrdiff_t i = 0; i < arrlen(c->cells); i++) {
    const Cell *k = cell_info(e, c->cells[i]);
    cell_begin(e, c->cells[i], region_input(r, IN_CARRY, c->cell_starts[i], k->type));
    arrlast(r->inputs).state = k->kind == DNN_STATE;
  }
}

/* --- leaving ------------------------------------------------------------------------------------------------------ */
typedef struct After {
  Carried *c;
  const CarriedVar *var;
  Region *r;
  int carry, number; /* the next carry of the region, the next static number */
} After;

const char *part_text(Elab *e, const Value *v) {
  if (is_number(v)) return arena_printf(e->arena, "the static number %s", value_text(e, v));
  if (v->kind == V_TUPLE || v->kind == V_LIST)
    return arena_printf(e->arena, "%s of %d", value_kind_name(e, v), v->list.n);
  return value_kind_name(e, v);
}

static bool changed_type(Elab *e, const After *a, Value *before, Value *now) {
  elab_error(e, a->var->loc, E0423, "`%s` is %s before the `%s` and %s after its body", a->var->name,
             part_text(e, before), region_name(a->r), part_text(e, now));
  if (before->kind == V_TENSOR)
    elab_note(e, graph_node(a->r->outer.graph, a->r->inputs[a->carry - 1].outside)->loc, "it is made here");
  if (now->kind == V_TENSOR) elab_note(e, graph_node(now->t.graph, now->t.id)->loc, "its new value is made here");
  bool fixed = before->kind != V_TENSOR && before->kind == now->kind && !is_number(before);
  if (fixed && before->kind != V_TUPLE && before->kind != V_LIST)
    elab_help(e, "what is static does not change in a loop of the graph; `for` is unrolled and may change it");
  else elab_help(e, "what a loop carries has one type: give it that type before the loop");
  return false;
}

/* The dtype with which a static number is carried: that of what the body assigns, where the number fits it. */
static DType number_dtype(const Value *before, const Value *now) {
  bool whole = before->kind == V_INT;
  if (is_bool(before)) return BOOL;
  if (now->kind == V_TENSOR) {
    DType t = v_type(now).dtype;
    if (dtype_is_float(t) || (whole && dtype_is_int(t))) return t;
  }
  return whole && now->kind != V_FLOAT && now->kind != V_SYM ? I32 : F32;
}

/* A static number that the body changes is carried as a tensor from the next attempt on. */
static bool number_after(Elab *e, After *a, Value *before, Value *now) {
  int k = a->number++;
  if (is_number(now) && v_equal(e, before, now) && is_bool(before) == is_bool(now)) return true;
  a->c->numbers[k] = number_dtype(before, now);
  a->c->again = true;
  return !is_poison(now);
}

/* `origin`: as it was before the loop; a number there was given a dtype by an attempt that may have known less. */
static bool tensor_after(Elab *e, After *a, Value *origin, Value *before, Value *now) {
  int number = is_number(origin) ? a->number++ : -1;
  RegionInput *in = &a->r->inputs[a->carry++];
  if (in->kind != IN_CARRY) INTERNAL("the order of carried values is broken");
  Type t = v_type(before);
  in->next = in->node;
  if (is_poison(now)) return false;
  if (is_number(now) && t.rank == 0) now = adapt_number(e, now, t, a->var->loc);
  if (number >= 0 && now->kind == V_TENSOR && number_dtype(origin, now) != t.dtype) {
    a->c->numbers[number] = number_dtype(origin, now);
    return a->c->again = true;
  }
  if (now->kind != V_TENSOR || !type_same(t, v_type(now))) return changed_type(e, a, before, now);
  in->next = nid(now);
  return true;
}

static bool part_after(Elab *e, After *a, Value *origin, Value *before, Value *now);

static bool inst_after(Elab *e, After *a, const Inst *origin, const Inst *before, Value *now) {
  bool ok = true;
  const Inst *m = now->kind == V_INST ? now->inst : NULL;
  for (int i = 0; i < before->n; i++) {
    const Field *f = &before->fields[i];
    Value *g = m ? m->fields[i].v : now;
    if (f->kind == FIELD_STATE) continue;
    if (f->kind == FIELD_PARAM || holds_inst(f->v)) ok &= part_after(e, a, origin->fields[i].v, f->v, g);
    else if (m && !v_equal(e, f->v, g)) ok = changed_type(e, a, f->v, g);
  }
  return ok;
}

bool same_names(const Value *a, const Value *b) {
  if (!a->list.names || !b->list.names) return !a->list.names && !b->list.names;
  for (int i = 0; i < a->list.n; i++)
    if (strcmp(a->list.names[i] ? a->list.names[i] : "", b->list.names[i] ? b->list.names[i] : "") != 0) return false;
  return true;
}

/* `before` as it was bound in the body. Poison goes down to the leaves, so that these are counted. */
static bool part_after(Elab *e, After *a, Value *origin, Value *before, Value *now) {
  bool lost = is_poison(now);
  if (before->kind == V_TENSOR) return tensor_after(e, a, origin, before, now);
  if (is_number(before)) return number_after(e, a, before, now);
  if ((before->kind == V_TUPLE || before->kind == V_LIST) &&
      (lost || (now->kind == before->kind && now->list.n == before->list.n && same_names(before, now)))) {
    bool ok = true;
    for (int i = 0; i < before->list.n; i++)
      ok &= part_after(e, a, origin->list.items[i], before->list.items[i], lost ? now : now->list.items[i]);
    return ok;
  }
  if (before->kind == V_INST &&
      (lost || (now->kind == V_INST && before->inst->def == now->inst->def && before->inst->n == now->inst->n &&
                before->inst->stacked == now->inst->stacked)))
    return inst_after(e, a, origin->inst, before->inst, now);
  if (before == now || (v_equal(e, before, now) && !v_has_tensor(now) && !is_tree(before))) return true;
  if (lost) return false;
  changed_type(e, a, before, now);
  part_after(e, a, origin, before, e->poison); /* counts its leaves */
  return false;
}

static bool is_row_cell(const Region *r, int cell) {
  return cell < 0 && -1 - cell >= r->first_row && -1 - cell < r->last_row;
}

static bool carries_cell(const Carried *c, int cell) {
  for (ptrdiff_t i = 0; i < arrlen(c->cells); i++)
    if (c->cells[i] == cell) return true;
  return false;
}

/* The body is elaborated and its region still the current one: what the carried values become. False after an error;
 * c->again: the body has to be elaborated once more, since it changes more than was known. */
bool carried_close(Elab *e, Carried *c, Region *r) {
  After a = {.c = c, .r = r};
  bool ok = true;
  c->again = false;
  for (ptrdiff_t i = 0; i < arrlen(c->vars); i++) {
    a.var = &c->vars[i];
    if (is_poison(a.var->inside)) return false;
    ok &= part_after(e, &a, a.var->before, a.var->inside, a.var->env->binds[a.var->at].v);
  }
  for (ptrdiff_t i = 0; i < arrlen(c->cells); i++) r->inputs[a.carry++].next = cell_now(e, c->cells[i], c->loc);
  for (int k = 0; k < arrlen(e->trace->cells); k++) {
    const CellNow *now = &e->trace->cells[k];
    if (!now->written || carries_cell(c, now->cell) || is_row_cell(r, now->cell)) continue;
    arrput(c->cells, now->cell);
    c->again = true;
  }
  return ok;
}

/* A carried value that never changes is a captured one. */
void carried_drop_constant(Region **r, int n, const Region *body) {
  for (ptrdiff_t i = 0; i < arrlen(body->inputs); i++) {
    if (body->inputs[i].kind != IN_CARRY || body->inputs[i].next != body->inputs[i].node) continue;
    for (int k = 0; k < n; k++) r[k]->inputs[i].kind = IN_CAPTURE;
  }
}

typedef struct Results {
  const Region *r;
  NodeId op;
  int input, result;
} Results;

static NodeId next_result(Elab *e, Results *x) {
  bool carried = x->r->inputs[x->input++].kind == IN_CARRY;
  return carried ? g_get(e->trace->graph, x->r->loc, x->op, x->result++) : 0;
}

static Value *result_part(Elab *e, void *ctx, Value *v) {
  if (v->kind != V_TENSOR) return v;
  NodeId n = next_result(e, ctx);
  return n ? v_tensor(e, n) : v;
}

/* Behind the loop `op`, whose results from `first` on are the carried values of its body r. */
void carried_results(Elab *e, Carried *c, const Region *r, NodeId op, int first) {
  Results x = {r, op, 0, first};
  for (ptrdiff_t i = 0; i < arrlen(c->vars); i++) {
    int before = x.result;
    Value *v = tree_parts(e, c->vars[i].start, result_part, &x);
    bind_var(&c->vars[i], x.result > before ? v : c->vars[i].before);
  }
  for (ptrdiff_t i = 0; i < arrlen(c->cells); i++) {
    NodeId n = next_result(e, &x);
    if (n) cell_write(e, c->cells[i], n, cell_find(r->cells, c->cells[i])->loc);
  }
}

/* What the loop would have changed is unknown after an error in it. */
Value *carried_fail(Elab *e, Carried *c) {
  for (ptrdiff_t i = 0; i < arrlen(c->vars); i++) bind_var(&c->vars[i], e->poison);
  return e->poison;
}
