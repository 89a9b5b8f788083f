/* What a block assigns, by its text: names of the surroundings, which a loop carries, and places of models, which a
 * step trains. Lambdas are left out, since a function cannot assign what it captured. */
#include "frontend/elab_priv.h"

typedef struct Walk {
  Assigned *found;    /* stb_ds */
  const char **local; /* stb_ds: names bound inside, innermost last */
} Walk;

static void walk_expr(Walk *w, const AstExpr *x);
static void walk_stmts(Walk *w, const AstBlock *b);

static bool is_local(const Walk *w, const char *name) {
  for (ptrdiff_t i = 0; i < arrlen(w->local); i++)
    if (w->local[i] == name) return true;
  return false;
}

static void bind_pattern(Walk *w, const AstPattern *p) {
  if (p->kind == AP_NAME) arrput(w->local, p->name);
  for (int i = 0; p->kind == AP_TUPLE && i < p->n; i++) bind_pattern(w, p->items[i]);
}

static void walk_block(Walk *w, const AstPattern *p, const AstBlock *b) {
  ptrdiff_t depth = arrlen(w->local);
  if (p) bind_pattern(w, p);
  walk_stmts(w, b);
  arrsetlen(w->local, depth);
}

static void walk_range(Walk *w, const AstRange *r) {
  walk_expr(w, r->from);
  walk_expr(w, r->to);
}

static void walk_indices(Walk *w, const AstExpr *x) {
  for (int i = 0; i < x->index.n; i++) {
    const AstIndex *a = &x->index.items[i];
    walk_expr(w, a->value);
    walk_expr(w, a->from);
    walk_expr(w, a->to);
    walk_expr(w, a->step);
  }
}

static void walk_target(Walk *w, const AstExpr *place) {
  if (place->kind == AX_TUPLE) {
    for (int i = 0; i < place->tuple.n; i++) walk_target(w, place->tuple.items[i].value);
  } else if (place->kind == AX_INDEX) {
    walk_indices(w, place);
    walk_target(w, place->index.base);
  } else if (place->kind == AX_FIELD) {
    walk_target(w, place->field.base);
  } else if (place->kind == AX_NAME && !is_local(w, place->name)) {
    for (ptrdiff_t i = 0; i < arrlen(w->found); i++)
      if (w->found[i].name == place->name) return;
    Assigned a = {place->name, place->loc};
    arrput(w->found, a);
  }
}

static void walk_each(Walk *w, const AstExpr *x) {
  ptrdiff_t depth = arrlen(w->local);
  walk_range(w, &x->each.range);
  bind_pattern(w, x->each.pattern);
  walk_expr(w, x->each.cond);
  walk_expr(w, x->each.value);
  arrsetlen(w->local, depth);
}

static void walk_choice(Walk *w, const AstExpr *x) {
  for (int i = 0; i < x->choice.n; i++) {
    walk_expr(w, x->choice.arms[i].cond);
    walk_block(w, NULL, &x->choice.arms[i].body);
  }
}

static void walk_expr(Walk *w, const AstExpr *x) {
  if (!x) return;
  switch (x->kind) {
  case AX_STRING:
    for (int i = 0; i < x->string.n; i++) walk_expr(w, x->string.parts[i].expr);
    break;
  case AX_TUPLE:
    for (int i = 0; i < x->tuple.n; i++) walk_expr(w, x->tuple.items[i].value);
    break;
  case AX_LIST:
    for (int i = 0; i < x->list.n; i++) walk_expr(w, x->list.items[i]);
    break;
  case AX_COMPREHENSION: walk_each(w, x); break;
  case AX_UNARY:
  case AX_BINARY:
    walk_expr(w, x->binary.a);
    walk_expr(w, x->binary.b);
    break;
  case AX_CALL:
    walk_expr(w, x->call.fn);
    for (int i = 0; i < x->call.n; i++) walk_expr(w, x->call.args[i].value);
    break;
  case AX_INDEX:
    walk_expr(w, x->index.base);
    walk_indices(w, x);
    break;
  case AX_FIELD: walk_expr(w, x->field.base); break;
  case AX_IF:
  case AX_COND: walk_choice(w, x); break;
  case AX_SCAN:
  case AX_VMAP:
    walk_range(w, &x->loop.range);
    walk_block(w, x->loop.pattern, &x->loop.body);
    break;
  case AX_WHILE:
    walk_expr(w, x->whilst.cond);
    walk_expr(w, x->whilst.limit);
    walk_block(w, NULL, &x->whilst.body);
    break;
  case AX_SEEDED:
  case AX_CHECKPOINT:
    walk_expr(w, x->with.value);
    walk_block(w, NULL, &x->with.body);
    break;
  default: break;
  }
}

static void walk_stmt(Walk *w, const AstStmt *s) {
  if (s->kind == AS_FOR) {
    walk_range(w, &s->range);
    walk_block(w, s->pattern, &s->body);
    return;
  }
  walk_expr(w, s->value);
  walk_expr(w, s->message);
  walk_expr(w, s->rule);
  for (int i = 0; i < s->n_reports; i++) walk_expr(w, s->reports[i].value);
  if (s->kind == AS_LET) bind_pattern(w, s->pattern);
  if (s->kind == AS_VAR) arrput(w->local, s->name.name);
  if (s->kind == AS_ASSIGN) walk_target(w, s->target);
  for (int i = 0; i < s->n_places; i++) walk_target(w, s->places[i]);
}

static void walk_stmts(Walk *w, const AstBlock *b) {
  for (int i = 0; i < b->n; i++) walk_stmt(w, b->stmts[i]);
}

Assigned *assigned_names(const AstPattern *header, const AstBlock *body) {
  Walk w = {0};
  walk_block(&w, header, body);
  arrfree(w.local);
  return w.found;
}

const AstExpr *place_root(const AstExpr *place) {
  while (place->kind == AX_FIELD || place->kind == AX_INDEX)
    place = place->kind == AX_FIELD ? place->field.base : place->index.base;
  return place;
}

static void add_place(const Walk *w, const AstExpr *place, const AstExpr ***places) {
  const AstExpr *root = place_root(place);
  if (root->kind == AX_NAME && !is_local(w, root->name)) arrput(*places, place);
}

static void stmt_places(const Walk *w, const AstStmt *s, const AstExpr ***places) {
  const AstExpr *t = s->kind == AS_ASSIGN ? s->target : NULL;
  for (int i = 0; i < s->n_places; i++) add_place(w, s->places[i], places);
  if (t && t->kind != AX_TUPLE) add_place(w, t, places);
  for (int i = 0; t && t->kind == AX_TUPLE && i < t->tuple.n; i++) add_place(w, t->tuple.items[i].value, places);
}

const AstExpr **outermost_places(const AstFn *f, Assigned **inner) {
  Walk w = {0};
  const AstExpr **places = NULL;
  for (int i = 0; i < f->n_params; i++) arrput(w.local, f->params[i].name.name);
  for (int i = 0; i < f->body.n; i++) {
    AstStmt s = *f->body.stmts[i];
    stmt_places(&w, &s, &places);
    s.target = NULL;
    s.n_places = 0;
    if (s.kind == AS_ASSIGN) s.kind = AS_EXPR;
    walk_stmt(&w, &s);
  }
  arrfree(w.local);
  *inner = w.found;
  return places;
}
