/* Matching a value against a resolved type: argument passing, annotations, results. */
#include "frontend/elab_priv.h"
#include <string.h>

static Value *mismatch(Elab *e, TypeX *t, Value *v, const char *what, Loc at) {
  elab_error(e, at, E0320, "%s must be %s, but it is %s", what, typex_text(e, t), value_kind_name(e, v));
  elab_note(e, t->loc, "the type stands here");
  return e->poison;
}

static bool is_static_number(const Value *v) {
  return v->kind == V_INT || v->kind == V_FLOAT || v->kind == V_SYM || v->kind == V_BOOL;
}

static bool match_dtype(Elab *e, Sig *s, TypeX *t, DType actual, Value *v, const char *what, Loc at) {
  DType want = t->dtype;
  if (t->dtype_var) {
    Binding *b = env_find(s->env, t->dtype_var);
    if (!b) {
      env_bind(s->env, t->dtype_var, v_dtype(e, actual), at);
      return true;
    }
    want = b->v->kind == V_DTYPE ? b->v->dtype : actual;
  }
  if (want == actual) return true;
  elab_error(e, at, E0321, "%s must be of dtype %s, but it is %s", what, dtype_name(want), value_kind_name(e, v));
  elab_note(e, t->loc, "the type stands here");
  elab_help(e, "nothing is converted silently; cast it: `%s(…)`", dtype_name(want));
  return false;
}

/* A run of axes `...`: equal to the first one of that name. */
static bool match_run(Elab *e, Sig *s, TypeX *t, Type actual, int from, int n, const char *what, Loc at) {
  Binding *b = env_find(s->env, t->run_name);
  Value **dims = arena_array(e->arena, Value *, n + 1);
  for (int i = 0; i < n; i++) dims[i] = v_dim(e, actual.shape[from + i]);
  if (!b) {
    env_bind(s->env, t->run_name, v_list(e, dims, n), at);
    return true;
  }
  bool same = b->v->list.n == n;
  for (int i = 0; same && i < n; i++) same = dim_eq(e->dims, b->v->list.items[i]->i, dims[i]->i) == DIM_YES;
  if (same) return true;
  elab_error(e, at, E0322, "%s: the axes `%s` are %s here, but %s before", what, t->run_name,
             value_text(e, v_list(e, dims, n)), value_text(e, b->v));
  elab_note(e, b->loc, "they were bound here");
  return false;
}

static void rank_error(Elab *e, TypeX *t, Value *v, const char *what, Loc at) {
  Type a = v_type(v);
  elab_error(e, at, E0323, "%s must be %s, but it is %s: %d axes instead of %s%d", what, typex_text(e, t),
             type_text(e, a), a.rank, t->run >= 0 ? "at least " : "", t->run >= 0 ? t->n_dims - 1 : t->n_dims);
  elab_note(e, t->loc, "the type stands here");
  if (t->run < 0 && a.rank == t->n_dims - 1) elab_help(e, "did you mean `[none]`, which adds a leading axis of 1?");
}

/* Nothing runs a step that is only checked: its sizes are open, and a bound that they must keep counts from here on. */
static bool assume_bound(Elab *e, Dim size, Dim bound) {
  int64_t most;
  int var = dim_as_var(e->dims, size);
  if (var >= 0 && dim_is_int(e->dims, bound, &most)) dim_set_bound(e->dims, var, most);
  return true;
}

static bool prove_bound(Elab *e, Sig *s, TypeX *t, int i, Dim actual, Where where, Loc at) {
  Dim bound = sig_subst(e, t->bounds[i]);
  if (t->bounds[i] == DIM_NONE || s->entry) return true;
  DimTruth truth = dim_le(e->dims, actual, bound);
  if (truth == DIM_YES) return true;
  if (truth == DIM_UNKNOWN && e->trace->kind == T_CHECK) return assume_bound(e, actual, bound);
  elab_error(e, at, E0324,
             truth == DIM_NO ? "%s: the size %s is more than %s"
                             : "%s: it cannot be proved that the size %s is at most %s",
             where_text(e, where), dim_text(e, actual), dim_text(e, bound));
  elab_note(e, t->locs[i], "the bound stands here");
  if (truth == DIM_UNKNOWN)
    elab_help(e, "give the caller's size a bound too: `%s <= %s`", dim_text(e, actual), dim_text(e, bound));
  return false;
}

static Value *unify_tensor(Elab *e, Sig *s, TypeX *t, Value *v, const char *what, Loc at) {
  v = v_read(e, v);
  if (is_static_number(v)) {
    if (t->n_dims - (t->run >= 0) > 0) {
      mismatch(e, t, v, what, at);
      elab_help(e, "`full([…], %s)` makes a tensor of it", value_text(e, v));
      return e->poison;
    }
    Binding *b = t->dtype_var ? env_find(s->env, t->dtype_var) : NULL;
    v = v_to_tensor(e, v, b ? b->v->dtype : t->dtype, at);
  }
  if (v->kind == V_LIST) {
    mismatch(e, t, v, what, at);
    elab_help(e, "numbers become a tensor by `%s([…])`, tensors by `stack([…])`",
              t->dtype_var ? "f32" : dtype_name(t->dtype));
    return e->poison;
  }
  if (is_poison(v)) return v;
  if (v->kind != V_TENSOR) return mismatch(e, t, v, what, at);
  if (!want_tensor(e, &v, what, at)) return e->poison;
  Type a = v_type(v);
  int tail = t->run >= 0 ? t->n_dims - 1 - t->run : 0;
  if (t->run < 0 ? a.rank != t->n_dims : a.rank < t->n_dims - 1) return rank_error(e, t, v, what, at), e->poison;
  if (!match_dtype(e, s, t, a.dtype, v, what, at)) return e->poison;
  for (int i = 0; i < t->n_dims; i++) {
    if (i == t->run) continue;
    int k = t->run >= 0 && i > t->run ? a.rank - (t->n_dims - i) : i;
    Where axis = {what, k, a};
    if (!match_dim(e, s, t->dims[i], a.shape[k], axis, at, t->locs[i], false)) return e->poison;
    if (!prove_bound(e, s, t, i, a.shape[k], axis, at)) return e->poison;
  }
  if (t->run >= 0 && !match_run(e, s, t, a, t->run, a.rank - t->run - tail, what, at)) return e->poison;
  return v;
}

/* The same tensor, known to be `as` a tokeniser. */
static Value *as_text(Elab *e, const Value *v, const char *as) {
  Value *w = arena_copy(e->arena, v, sizeof *v);
  w->s = as;
  return w;
}

static Value *unify_tuple(Elab *e, Sig *s, TypeX *t, Value *v, const char *what, Loc at) {
  if (v->kind != V_TUPLE || v->list.n != t->n) return mismatch(e, t, v, what, at);
  Value **items = arena_array(e->arena, Value *, t->n + 1);
  const char **names = v->list.names ? v->list.names : t->names;
  for (int i = 0; i < t->n; i++) {
    Value *f = v->list.items[i];
    TypeX *ft = t->items[i];
    const char *fw;
    if (!t->names || !v->list.names) {
      fw = arena_printf(e->arena, "part %d of %s", i, what);
    } else {
      f = v_field(v, t->names[i]);
      fw = arena_join(e->arena, "`", t->names[i], "` of ", what);
      if (!f) return mismatch(e, t, v, what, at);
    }
    items[i] = unify_type(e, s, ft, f, fw, at);
    if (is_poison(items[i])) return items[i];
  }
  return v_tuple(e, items, t->names ? t->names : names, t->n);
}

/* A size that stands in a value bound only, `graph: i32[N] < G`, is that of the entry point's input. */
static bool solve_bound(Elab *e, Sig *s, TypeX *t, const Value *v, const char *what, Loc at) {
  Entry *entry = e->trace->entry;
  Dim pattern = sig_subst(e, t->below);
  if (!sig_open(e, s, pattern) || v->t.graph != entry->graph) return true;
  const Node *n = graph_node(v->t.graph, v->t.id);
  if (n->op != OP_input) return true;
  Dim below = entry->inputs[node_int(v->t.graph, n, A_index)].below;
  if (below == DIM_NONE || sig_open(e, s, sig_subst(e, below))) return true;
  Where where = {.what = arena_join(e->arena, "the value bound of ", what)};
  return match_dim(e, s, pattern, below, where, at, t->loc, false);
}

Value *unify_type(Elab *e, Sig *s, TypeX *t, Value *v, const char *what, Loc at) {
  double x;
  if (!t || is_poison(v)) return e->poison;
  switch (t->kind) {
  case TX_ANY:
  case TX_TREE: return v;
  case TX_TENSOR:
    if (v->kind == V_STR && t->as) return data_text_argument(e, s, t, v->s, at);
    v = unify_tensor(e, s, t, v, what, at);
    if (t->below != DIM_NONE && v->kind == V_TENSOR && !solve_bound(e, s, t, v, what, at)) return e->poison;
    return t->as && v->kind == V_TENSOR ? as_text(e, v, t->as) : v;
  case TX_INT: return v->kind == V_INT ? v : mismatch(e, t, v, what, at);
  case TX_FLOAT:
    if (v->kind == V_FLOAT || v->kind == V_SYM) return v;
    if (v->kind == V_INT) return v_number(e, v, &x) ? v_float(e, x) : v;
    return mismatch(e, t, v, what, at);
  case TX_BOOL: return v->kind == V_BOOL || is_open_bool(v) ? v : mismatch(e, t, v, what, at);
  case TX_STR: return v->kind == V_STR ? v : mismatch(e, t, v, what, at);
  case TX_DTYPE: return v->kind == V_DTYPE ? v : mismatch(e, t, v, what, at);
  case TX_FN:
    return v->kind == V_FN || v->kind == V_MODULE || v->kind == V_DTYPE || v->kind == V_INST
               ? v
               : mismatch(e, t, v, what, at);
  case TX_MODULE: return v->kind == V_INST || v->kind == V_FN ? v : mismatch(e, t, v, what, at);
  case TX_INST: return v->kind == V_INST && v->inst->def == t->mod ? v : mismatch(e, t, v, what, at);
  case TX_DATA: return v->kind == V_DATA ? v : mismatch(e, t, v, what, at);
  case TX_TUPLE: return unify_tuple(e, s, t, v, what, at);
  case TX_LIST: {
    if (v->kind != V_LIST && v->kind != V_TUPLE) return mismatch(e, t, v, what, at);
    Value **items = arena_array(e->arena, Value *, v->list.n + 1);
    for (int i = 0; i < v->list.n; i++) {
      items[i] = unify_type(e, s, t->items[0], v->list.items[i], arena_printf(e->arena, "item %d of %s", i, what), at);
      if (is_poison(items[i])) return items[i];
    }
    return v_list(e, items, v->list.n);
  }
  }
  return v;
}

/* A tensor type in which every dimension is known, as cells need it. */
bool type_fixed(Elab *e, Env *env, const AstType *t, Type *out) {
  Sig s;
  Env *inner = env_new(e, env);
  sig_begin(e, &s, inner);
  TypeX *x = resolve_type(e, &s, t);
  bool ok = x != NULL;
  if (ok && (x->kind != TX_TENSOR || x->dtype_var)) {
    elab_error(e, t->loc, E0325, "a parameter or state has a tensor type such as `f32[3]`, not %s", typex_text(e, x));
    ok = false;
  }
  for (int i = 0; ok && i < x->n_dims; i++) {
    int64_t k;
    if (i != x->run && dim_is_int(e->dims, x->dims[i], &k)) continue;
    elab_error(e, x->locs[i], E0326, "every size of a parameter or state must be known while compiling, `%s` is not",
               i == x->run ? x->run_name : dim_text(e, x->dims[i]));
    elab_help(e, "use a constant or an argument of the module");
    ok = false;
  }
  if (ok) {
    *out = type_of(e->arena, x->dtype, x->n_dims, x->dims);
    ok = !too_big(e, *out, t->loc);
  }
  sig_end(e, &s);
  return ok;
}

TypeX *elab_record_type(Elab *e, Env *env, const AstType *type, SizeVar **vars) {
  Sig s;
  Env *inner = env_new(e, env);
  sig_begin(e, &s, inner);
  TypeX *x = resolve_type(e, &s, type);
  for (int i = 0; x && i < arrlen(s.used); i++) {
    struct MetaVar *m = &e->metas[s.used[i]];
    SizeVar v = {m->name, dim_var(e->dims, m->name, -1), m->loc};
    arrput(*vars, v);
    sig_solve(e, s.used[i], v.dim, (Where){.what = "the record's type"}, m->loc);
  }
  TypeX *items[1] = {x};
  TypeX **all = x && x->kind == TX_TUPLE ? x->items : items;
  for (int i = 0; x && i < (x->kind == TX_TUPLE ? x->n : 1); i++) {
    for (int k = 0; k < all[i]->n_dims; k++) all[i]->dims[k] = sig_subst(e, all[i]->dims[k]);
    all[i]->below = sig_subst(e, all[i]->below);
  }
  sig_end(e, &s);
  return x;
}
