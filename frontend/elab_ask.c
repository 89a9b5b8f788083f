/* Questions: declarations and statements of several sources, the value of the last one. The elaborator is the one of
 * programs; only the order is another one: nothing is elaborated but what is asked for. */
#include "frontend/ask.h"
#include "frontend/elab_priv.h"
#include "frontend/lex.h"
#include <string.h>

AskForm ask_form(const char *text, size_t n) {
  Arena *a = arena_new();
  Diag *d = diag_new(a);
  uint32_t source = diag_add_source(d, "", text, n, 0);
  Lexed l = lex_source(a, d, source, 0, (uint32_t)n, false);
  const Token *t = l.tokens;
  while (t->kind == T_END) t++;
  AskForm f = {.empty = t->kind == T_EOF && !diag_errors(d), .open = t->kind != T_EOF && l.open};
  switch (t->kind) {
  case K_USE:
  case K_CONST:
  case K_TYPE:
  case K_MODULE:
  case K_MODEL:
  case K_STATE:
  case K_DATA:
  case K_EXPORT:
  case K_STEP:
  case K_TRAIN:
  case K_SWEEP: f.item = true; break;
  case K_FN: f.item = t[1].kind == T_NAME; break;
  default: break;
  }
  arena_free(a);
  return f;
}

const char **ask_names(Arena *a, Diag *d, const AskText *t) {
  const char **names = NULL;
  const AstFile *file = parse_file(a, d, diag_add_source(d, t->name, t->text, t->n, 0));
  for (int i = 0; i < file->n_items; i++) {
    const AstItem *x = file->items[i];
    if (x->name.name) arrput(names, x->name.name);
    for (int k = 0; k < x->n_uses; k++) arrput(names, x->uses[k].name.name);
  }
  return names;
}

/* ---- declarations ---- */

static bool is_kept(const AstItem *x) { return x->kind != AI_TRAIN && x->kind != AI_SWEEP; }

/* Takes away what is declared again behind item i. */
static bool is_replaced(AstItem **all, ptrdiff_t i) {
  AstItem *x = all[i];
  for (ptrdiff_t k = i + 1; k < arrlen(all); k++) {
    if (x->name.name && x->name.name == all[k]->name.name) return true;
    for (int u = 0; u < all[k]->n_uses; u++)
      for (int w = 0; w < x->n_uses; w++) {
        if (x->uses[w].name.name != all[k]->uses[u].name.name) continue;
        x->uses[w--] = x->uses[--x->n_uses];
      }
  }
  return false;
}

/* One file of all items; *first: of the fresh ones. */
static AstFile *gather(Elab *e, const Question *q, int *first) {
  AstItem **all = NULL;
  AstFile *file = arena_one(e->arena, AstFile);
  for (int i = 0; i < q->n_items; i++) {
    const AskText *t = &q->items[i];
    if (i == q->n_items - q->fresh) *first = (int)arrlen(all);
    AstFile *part = parse_file(e->arena, e->diag, diag_add_source(e->diag, t->name, t->text, t->n, 0));
    if (i == 0) file->source = part->source;
    for (int k = 0; k < part->n_items; k++)
      if (is_kept(part->items[k])) arrput(all, part->items[k]);
  }
  file->items = arena_array(e->arena, AstItem *, arrlen(all) + 1);
  int from = *first;
  for (ptrdiff_t i = 0; i < arrlen(all); i++) {
    if (i == from) *first = file->n_items;
    if (!is_replaced(all, i)) file->items[file->n_items++] = all[i];
  }
  if (from == arrlen(all)) *first = file->n_items;
  arrfree(all);
  return file;
}

static void look_at_fresh(Elab *e, const AstFile *file, int first) {
  for (int i = first; i < file->n_items; i++) {
    AstItem *x = file->items[i];
    if (x->kind == AI_MODEL || x->kind == AI_STATE) declare_model(e, e->main, x);
    if (x->kind == AI_CONST || x->kind == AI_DATA) elab_global(e, e->main, x->name.name, x->name.loc);
  }
}

/* ---- values as text ---- */

static void put_text(Answer *out, const char *text) {
  AnswerPart p = {text, -1};
  arrput(out->parts, p);
}

static void put_tensor(Elab *e, Answer *out, Value *v) {
  Entry *en = e->trace->entry;
  Port port = {.name = "out", .type = v_type(v)};
  AnswerPart p = {"", en->n_results++};
  arrput(en->outputs, port);
  arrput(e->trace->graph->outputs, nid(v));
  arrput(out->parts, p);
}

static void put_value(Elab *e, Answer *out, Value *v) {
  v = v_read(e, v);
  if (v->kind == V_TENSOR) {
    put_tensor(e, out, v);
  } else if (v->kind == V_STR) {
    Buf b = {0};
    buf_json(&b, v->s);
    put_text(out, arena_strdup(e->arena, b.s));
    buf_free(&b);
  } else if (v->kind == V_LIST || v->kind == V_TUPLE) {
    put_text(out, v->kind == V_LIST ? "[" : "(");
    for (int i = 0; i < v->list.n; i++) {
      if (i) put_text(out, ", ");
      if (v->list.names && v->list.names[i]) put_text(out, arena_join(e->arena, v->list.names[i], " = "));
      put_value(e, out, v->list.items[i]);
    }
    put_text(out, v->kind == V_LIST ? "]" : ")");
  } else {
    put_text(out, value_text(e, v));
  }
}

/* `fn f(x: f32[N]) -> f32[N]`, as it was written. */
static const char *signature(Elab *e, const Fn *f) {
  if (f->native) return arena_printf(e->arena, "fn %s(%s)", f->name, f->native->params ? f->native->params : "");
  size_t n;
  const char *text = diag_source_text(e->diag, f->decl->loc.file, &n);
  uint32_t from = f->decl->name.name ? f->decl->name.loc.begin : f->decl->loc.begin, to = f->decl->body.loc.begin;
  Buf b = {0};
  if (f->decl->name.name) buf_str(&b, "fn ");
  for (uint32_t i = from; i < to && i < n; i++)
    if (text[i] != '\n' && (text[i] != ' ' || (b.n && b.s[b.n - 1] != ' '))) buf_char(&b, text[i]);
  while (b.n && b.s[b.n - 1] == ' ') b.s[--b.n] = 0;
  const char *s = arena_strdup(e->arena, b.s ? b.s : "fn");
  buf_free(&b);
  return s;
}

static void print_type(Elab *e, Buf *b, Value *v) {
  v = v_read(e, v);
  switch (v->kind) {
  case V_BOOL: buf_str(b, "bool"); break;
  case V_INT: buf_str(b, "int"); break;
  case V_FLOAT:
  case V_SYM: buf_str(b, "float"); break;
  case V_STR: buf_str(b, "str"); break;
  case V_DTYPE: buf_str(b, "dtype"); break;
  case V_FN: buf_str(b, signature(e, v->fn)); break;
  case V_TENSOR: buf_str(b, type_text(e, v_type(v))); break;
  case V_LIST:
    buf_char(b, '[');
    for (int i = 0; i < v->list.n && i < 8; i++) buf_str(b, i ? ", " : ""), print_type(e, b, v->list.items[i]);
    buf_str(b, v->list.n > 8 ? ", ...]" : "]");
    break;
  case V_TUPLE:
    buf_char(b, '(');
    for (int i = 0; i < v->list.n; i++) {
      buf_str(b, i ? ", " : "");
      if (v->list.names && v->list.names[i]) buf_str(b, v->list.names[i]), buf_str(b, ": ");
      print_type(e, b, v->list.items[i]);
    }
    buf_char(b, ')');
    break;
  case V_INST: {
    LeafRef *leaves = NULL;
    tree_leaves(e, v, "", &leaves);
    buf_str(b, v->inst->def->name);
    for (ptrdiff_t i = 0; i < arrlen(leaves); i++) {
      buf_str(b, "\n  "), buf_str(b, leaves[i].path), buf_str(b, ": ");
      print_type(e, b, leaves[i].v);
    }
    arrfree(leaves);
    break;
  }
  default: buf_str(b, value_kind_name(e, v)); break;
  }
}

static void describe(Elab *e, Answer *out, Value *v) {
  Buf b = {0};
  v = v_read(e, v);
  if (v->kind == V_NONE) return;
  out->kind = v->kind == V_TENSOR ? ANSWER_TENSOR : ANSWER_OTHER;
  print_type(e, &b, v);
  out->type = arena_strdup(e->arena, b.s);
  buf_free(&b);
  out->shape = v->kind == V_TENSOR ? shape_text(e, v_type(v)) : NULL;
  if (v->kind != V_FN && v->kind != V_INST) put_value(e, out, v);
}

/* ---- statements ---- */

typedef struct Asked {
  const Question *q;
  Answer *out;
  Value *last; /* of the last step: what it shows */
} Asked;

static bool changes(const AstStmt *s) {
  return s->kind != AS_EXPR && s->kind != AS_PRINT && s->kind != AS_CHECK && s->kind != AS_ASSERT;
}

static Value *bound_name(Elab *e, Env *env, const AstBlock *b, Answer *out) {
  const AstStmt *s = b->n == 1 ? b->stmts[0] : NULL;
  bool var = s && s->kind == AS_VAR;
  const char *name = var ? s->name.name : NULL;
  if (s && s->kind == AS_LET && s->pattern->kind == AP_NAME) name = s->pattern->name;
  Binding *v = name ? env_find(env, name) : NULL;
  out->name = v ? name : NULL;
  out->fixed = v && !var;
  return v ? v->v : e->none;
}

static Env *take_step(Elab *e, Env *env, const AskStep *s, Asked *x) {
  Answer *out = x->out;
  Env *inner = env_new(e, env);
  if (s->value || s->size) {
    Loc at = {0};
    const char *name = intern(s->name);
    if (s->size) {
      env_bind(inner, name, v_dim(e, dim_var(e->dims, name, s->size)), at);
      return inner;
    }
    Dim shape[MAX_RANK];
    for (int i = 0; i < s->value->rank; i++) shape[i] = dim_int(e->dims, s->value->shape[i]);
    Type t = type_of(e->arena, s->value->dtype, s->value->rank, shape);
    env_bind(inner, name, v_tensor(e, trace_input(e, name, t, DIM_NONE, NULL, at)), at);
    return inner;
  }
  uint32_t source = diag_add_source(e->diag, s->code.name, s->code.text, s->code.n, 0);
  AstBlock b = parse_statements(e->arena, e->diag, source);
  if (diag_errors(e->diag)) return NULL;
  Frame f;
  frame_push(e, &f, "line", (Loc){0}, hash_mix(1, (uint64_t)s->number));
  int errors = e->errors;
  Value *v = block_in(e, inner, &b);
  frame_pop(e);
  if (e->errors != errors || is_poison(v)) return NULL;
  out->keep = false;
  for (int i = 0; i < b.n; i++) out->keep |= changes(b.stmts[i]);
  out->name = NULL, out->fixed = false;
  x->last = v->kind == V_NONE ? bound_name(e, inner, &b, out) : v;
  return inner;
}

static void answer(Elab *e, Asked *x) {
  Answer *out = x->out;
  Outer o;
  Trace *t = trace_new(e, T_EXPORT, "it", (Loc){0});
  trace_enter(e, &o, t, "it");
  Env *env = env_new(e, e->main->env);
  for (int i = 0; i < x->q->n_steps && env; i++) env = take_step(e, env, &x->q->steps[i], x);
  if (env && x->last && !is_poison(x->last)) describe(e, out, x->last);
  if (env) trace_close(e, t);
  trace_leave(e, &o);
  if (!env) return;
  out->entry = (int)arrlen(e->prog->entries);
  arrput(e->prog->entries, *t->entry);
}

static void ask(Elab *e, void *p) {
  Asked *x = p;
  int first = 0;
  AstFile *file = gather(e, x->q, &first);
  if (diag_errors(e->diag)) return;
  elab_open_main(e, intern(x->q->n_items ? x->q->items[0].name : ""), file);
  if (e->errors || diag_errors(e->diag)) return;
  if (x->q->fresh) look_at_fresh(e, file, first);
  else answer(e, x);
  if (!e->errors) elab_close_init(e);
}

bool frontend_ask(Arena *a, Diag *d, const Question *q, Answer *out) {
  Elab *e = elab_new(a, d, q->n_items ? q->items[0].name : "session", NULL);
  *out = (Answer){.entry = -1};
  Asked x = {.q = q, .out = out};
  if (!elab_run(e, ask, &x)) return false;
  out->prog = e->prog;
  return true;
}
