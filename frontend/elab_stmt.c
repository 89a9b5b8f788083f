/* Statements: bindings, static loops, assignment to places, reports, checks, prints. */
#include "frontend/elab_priv.h"
#include "base/limits.h"
#include <string.h>

bool elab_pattern(Elab *e, Env *env, const AstPattern *p, Value *v) {
  if (p->kind == AP_ANY) return true;
  if (p->kind == AP_NAME) {
    env_bind(env, p->name, v, p->loc);
    return true;
  }
  if (is_poison(v)) {
    for (int i = 0; i < p->n; i++) elab_pattern(e, env, p->items[i], v);
    return true;
  }
  if (v->kind != V_TUPLE && v->kind != V_LIST) {
    elab_error(e, p->loc, E0208, "a pattern of %d names takes a tuple or list apart, not %s", p->n,
               value_kind_name(e, v));
    if (v->kind == V_TENSOR) elab_help(e, "`unstack(x)` gives the slices along the first axis as a list");
    v = e->poison;
  } else if (v->list.n != p->n) {
    elab_error(e, p->loc, E0208, "a pattern of %d names stands beside %d values", p->n, v->list.n);
    v = e->poison;
  }
  for (int i = 0; i < p->n; i++) elab_pattern(e, env, p->items[i], is_poison(v) ? v : v_read(e, v->list.items[i]));
  return !is_poison(v);
}

/* --- ranges ------------------------------------------------------------------------------------------------------- */

static int int_range(Elab *e, Env *env, const AstRange *r, Value *from, Value ***items) {
  Value *to = elab_expr(e, env, r->to);
  int64_t a, b, turns = 0;
  if (is_poison(to)) return -1;
  if (to->kind == V_TENSOR || from->kind == V_TENSOR) {
    elab_error(e, r->loc, E0409, "a static `for` cannot run to a run-time value");
    elab_help(e, "`scan i in 0..n { … }` is the loop of the graph");
    return -1;
  }
  if (!v_const_int(e, from, &a) || !v_const_int(e, to, &b)) {
    if (from->kind == V_INT && to->kind == V_INT) not_yet(e, r->loc, "a static `for` over a run-time size");
    else
      elab_error(e, r->loc, E0409, "the ends of a range must be ints, not %s and %s", value_kind_name(e, from),
                 value_kind_name(e, to));
    return -1;
  }
  if (__builtin_sub_overflow(b, a, &turns) ? b > a : turns > limits[LIMIT_items]) {
    if (turns < 0) turns = INT64_MAX;
    elab_error(e, r->loc, E0408, "this static loop has %lld turns; at most %lld are unrolled%s", (long long)turns,
               (long long)limits[LIMIT_items], limit_hint(LIMIT_items));
    elab_help(e, "`scan` is the loop of the graph: it costs no code size");
    return -1;
  }
  int n = b > a ? (int)(b - a) : 0;
  *items = arena_array(e->arena, Value *, n + 1);
  for (int i = 0; i < n; i++) (*items)[i] = v_int(e, a + i);
  return n;
}

int elab_range(Elab *e, Env *env, const AstRange *r, Value ***items) {
  Value *v = elab_expr(e, env, r->from);
  int64_t n;
  if (is_poison(v)) return -1;
  if (r->to) return int_range(e, env, r, v, items);
  v = v_read(e, v);
  if (v->kind == V_LIST || v->kind == V_TUPLE) {
    *items = v->list.items;
    return v->list.n;
  }
  if (v->kind == V_TENSOR) {
    Type t = v_type(v);
    if (t.rank > 0 && dim_is_int(e->dims, t.shape[0], &n) && n <= limits[LIMIT_items]) {
      *items = arena_array(e->arena, Value *, n + 1);
      for (int i = 0; i < n; i++) (*items)[i] = v_tensor(e, index_axis(e, nid(v), 0, dim_int(e->dims, i), r->loc));
      return (int)n;
    }
  }
  elab_error(
      e, r->loc, E0409,
      "a static `for` walks through a range `a..b`, a list, a tuple or a tensor's first axis of known size, not %s",
      value_kind_name(e, v));
  if (v->kind == V_INT) elab_help(e, "did you mean `0..%s`?", value_text(e, v));
  return -1;
}

static void stmt_for(Elab *e, Env *env, const AstStmt *s) {
  Value **items;
  int n = elab_range(e, env, &s->range, &items);
  uint64_t site = site_next(e, "for");
  int errors = e->errors;
  for (int i = 0; i < n && e->fuel > 0; i++) {
    Frame f;
    Env *inner = env_new(e, env);
    frame_push(e, &f, NULL, (Loc){0}, hash_mix(site, (uint64_t)i));
    if (elab_pattern(e, inner, s->pattern, items[i])) block_in(e, inner, &s->body);
    frame_pop(e);
    if (e->errors > errors + 20) break;
  }
}

/* --- effects ------------------------------------------------------------------------------------------------------ */
/* How often something happens in a loop or branch depends on data; the numbers of a step's effects do not. */
bool outside_of_loops(Elab *e, const char *what, Loc at) {
  const Region *r = e->trace->region;
  if (!r) return true;
  elab_error(e, at, E0616, "`%s` cannot stand inside of `%s`", what, region_name(r));
  elab_note(e, r->loc, "it begins here");
  elab_help(e, "carry the value out in a `var`, or give it as the value of the block, and write `%s` behind it", what);
  return false;
}

static bool in_step(Elab *e, const char *what, Loc at) {
  if (!outside_of_loops(e, what, at)) return false;
  if (e->trace->kind == T_STEP || e->trace->kind == T_CHECK) return true;
  elab_error(e, at, E0601, "`%s` stands in a step only", what);
  return false;
}

static void add_report(Elab *e, const char *name, Value *v, Loc at) {
  Trace *t = e->trace;
  if (!want_tensor(e, &v, arena_printf(e->arena, "the report `%s`", name), at)) return;
  Type ty = v_type(v);
  if (ty.rank != 0) {
    elab_error(e, at, E0602, "a report is a scalar, but `%s` is %s", name, type_text(e, ty));
    elab_help(e, "did you mean its `mean(…)` or `sum(…)`?");
    return;
  }
  for (int i = 0; i < arrlen(t->reports); i++)
    if (strcmp(t->report_names[i], name) == 0) {
      elab_error(e, at, E0603, "`%s` is reported twice in one step", name);
      return;
    }
  arrput(t->reports, g_cast(t->graph, elab_place(e, at), nid(v), F32));
  arrput(t->report_names, arena_strdup(e->arena, name));
  Port p = {.name = arena_strdup(e->arena, name), .type = type_scalar(F32), .below = DIM_NONE, .loc = at};
  arrput(t->report_ports, p);
}

static void stmt_report(Elab *e, Env *env, const AstStmt *s) {
  if (!in_step(e, "report", s->op)) return;
  for (int i = 0; i < s->n_reports; i++) {
    const AstReport *r = &s->reports[i];
    const char *name = r->name.name;
    Value *v = elab_expr(e, env, r->value);
    if (!name) {
      Value *text = elab_expr(e, env, r->text);
      if (is_poison(text) || !want_str(e, text, &name, "the name of a report", r->text->loc)) continue;
    }
    if (!is_poison(v)) add_report(e, name, v, r->value->loc);
  }
}

/* A string, perhaps with run-time values, as the pieces of an effect. */
static void effect_text(Elab *e, Effect *f, Value *v) {
  int n = v && v->kind == V_TEXT ? v->list.n / 2 : 0;
  f->n_values = n;
  f->text = arena_array(e->arena, const char *, n + 1);
  f->values = arena_array(e->arena, int, n + 1);
  if (!v || v->kind == V_STR) f->text[0] = v ? v->s : "";
  else
    for (int i = 0; i < v->list.n; i++) {
      Value *p = v->list.items[i];
      if (i % 2 == 0) f->text[i / 2] = p->s;
      else {
        f->values[i / 2] = (int)arrlen(e->trace->effect_values);
        arrput(e->trace->effect_values, nid(p));
      }
    }
}

static Value *as_text(Elab *e, Value *v, Loc at) {
  v = v_read(e, v);
  if (v->kind == V_STR || v->kind == V_TEXT || is_poison(v)) return v;
  if (v->kind != V_TENSOR) return v_str(e, value_text(e, v));
  Value **items = arena_array(e->arena, Value *, 3);
  items[0] = v_str(e, "");
  items[1] = v;
  items[2] = v_str(e, "");
  Value *t = v_list(e, items, 3);
  t->kind = V_TEXT;
  return t;
}

static void stmt_print(Elab *e, Env *env, const AstStmt *s) {
  Value *v = as_text(e, elab_expr(e, env, s->value), s->loc);
  if (is_poison(v) || !in_step(e, "print", s->op)) return;
  Effect f = {.loc = elab_place(e, s->loc)};
  effect_text(e, &f, v);
  arrput(e->trace->effects, f);
}

static void stmt_check(Elab *e, Env *env, const AstStmt *s) {
  Value *c = elab_expr(e, env, s->value);
  Value *m = s->message ? as_text(e, elab_expr(e, env, s->message), s->loc) : NULL;
  if (is_poison(c) || (m && is_poison(m)) || !outside_of_loops(e, "check", s->op)) return;
  if (is_open_bool(c) || c->kind == V_BOOL) c = v_to_tensor(e, c, BOOL, s->loc);
  if (!want_tensor(e, &c, "what `check` tests", s->value->loc)) return;
  Type t = v_type(c);
  if (t.dtype != BOOL || t.rank != 0) {
    elab_error(e, s->value->loc, E0413, "`check` tests a bool[], but this is %s", type_text(e, t));
    if (t.dtype == BOOL) elab_help(e, "did you mean `all(…)` or `any(…)`?");
    return;
  }
  Effect f = {.is_check = 1, .cond = (int)arrlen(e->trace->effect_values), .loc = elab_place(e, s->loc)};
  arrput(e->trace->effect_values, nid(c));
  effect_text(e, &f, m);
  arrput(e->trace->effects, f);
}

static void stmt_assert(Elab *e, Env *env, const AstStmt *s) {
  Value *c = elab_expr(e, env, s->value);
  if (is_poison(c) || (c->kind == V_BOOL && c->b)) return;
  if (c->kind == V_TENSOR || is_open_bool(c)) {
    elab_error(e, s->value->loc, E0413, "`assert` tests while compiling, but this is known at run time only");
    elab_help(e, "`check` tests at run time");
    return;
  }
  bool b;
  if (!want_bool(e, c, &b, "what `assert` tests", s->value->loc)) return;
  Value *m = s->message ? elab_expr(e, env, s->message) : NULL;
  if (m && is_poison(m)) return;
  elab_error(e, s->loc, E0414, "%s", m ? value_text(e, m) : "the assertion does not hold");
  e->asserted = !e->trace->discover; /* a first pass does not know what is in training mode */
}

static void stmt_stop(Elab *e, Env *env, const AstStmt *s) {
  Region *r = e->trace->region;
  if (!r || r->kind != RG_SCAN || frame_depth(e) != r->depth) {
    elab_error(e, s->loc, E0415, "`stop when` stands in the body of a `scan` only");
    if (r && r->kind == RG_WHILE) elab_help(e, "a `while` stops by its condition");
    else if (r) elab_help(e, "carry the condition out in a `var`, and stop by that");
    return;
  }
  Value *c = elab_expr(e, env, s->value);
  if (!want_condition(e, &c, "stop when", s->value->loc)) return;
  NodeId n = nid(c);
  r->stop = r->stop ? g_map2(r->graph, OP_or, elab_place(e, s->loc), r->stop, n) : n;
}

static void stmt_var(Elab *e, Env *env, const AstStmt *s) {
  Value *v = elab_expr(e, env, s->value);
  if (s->type && !is_poison(v)) {
    Sig sig;
    sig_begin(e, &sig, env);
    TypeX *t = resolve_type(e, &sig, s->type);
    v = t ? unify_type(e, &sig, t, v, arena_printf(e->arena, "`%s`", s->name.name), s->value->loc) : e->poison;
    sig_end(e, &sig);
  }
  env_var(env, s->name.name, v, s->name.loc);
}

void elab_stmt(Elab *e, Env *env, const AstStmt *s) {
  switch (s->kind) {
  case AS_LET: elab_pattern(e, env, s->pattern, elab_expr(e, env, s->value)); break;
  case AS_VAR: stmt_var(e, env, s); break;
  case AS_EXPR: elab_expr(e, env, s->value); break;
  case AS_ASSIGN: elab_assign(e, env, s); break;
  case AS_FOR: stmt_for(e, env, s); break;
  case AS_UPDATE: elab_update(e, env, s); break;
  case AS_REPORT: stmt_report(e, env, s); break;
  case AS_ASSERT: stmt_assert(e, env, s); break;
  case AS_CHECK: stmt_check(e, env, s); break;
  case AS_PRINT: stmt_print(e, env, s); break;
  case AS_STOP: stmt_stop(e, env, s); break;
  }
}

Value *block_in(Elab *e, Env *env, const AstBlock *b) {
  for (int i = 0; i < b->n; i++) {
    if (!spend(e, b->stmts[i]->loc)) return e->poison;
    if (i == b->n - 1 && b->stmts[i]->kind == AS_EXPR) return elab_expr(e, env, b->stmts[i]->value);
    bool outer = e->asserted;
    e->asserted = false;
    elab_stmt(e, env, b->stmts[i]);
    bool failed = e->asserted;
    e->asserted = outer;
    if (failed) return e->poison; /* what follows relies on it */
  }
  return e->none;
}

Value *elab_block(Elab *e, Env *env, const AstBlock *b) { return block_in(e, env_new(e, env), b); }
