#include "frontend/parse.h"
#include <string.h>

/* param = NAME [ ":" type ] [ "=" expr ] . */
static AstParam parse_param(Parser *p) {
  const Token *first = p->t;
  AstParam x = {.name = tok_expect_name(p, "the name of a parameter")};
  if (tok_accept_colon(p)) x.type = parse_type(p);
  if (tok_accept(p, T_SET)) x.value = parse_expr(p);
  x.loc = tok_loc_since(p, first);
  return x;
}

static void twice(Parser *p, const char *what, AstName a, AstName b) {
  if (!a.name || a.name != b.name || !strcmp(a.name, "_")) return;
  diag_error(p->diag, b.loc, E0112, "the %s `%s` is there already", what, b.name);
  diag_note(p->diag, a.loc, "here");
}

/* params = "(" [ param { "," param } ] ")" . */
AstParam *parse_params(Parser *p, int *n) {
  AstParam *params = NULL;
  *n = 0;
  p->t->tight = true;
  const Token *open = tok_expect(p, T_LPAREN, "before the parameters");
  if (!at(p, T_RPAREN)) do
      PUSH(p, params, *n, parse_param(p));
    while (tok_accept(p, T_COMMA));
  tok_expect_close(p, open, T_RPAREN, "`,` or ");
  for (int i = 0; i < *n; i++)
    for (int k = 0; k < i; k++) twice(p, "parameter", params[k].name, params[i].name);
  return params;
}

/* The part behind "fn" or "step": NAME params [ "->" type ] block. */
void parse_fn(Parser *p, AstFn *f) {
  f->name = tok_expect_name(p, f->kind == AF_STEP ? "the name of the step" : "the name of the function");
  f->params = parse_params(p, &f->n_params);
  if (tok_accept(p, T_ARROW)) f->result = parse_type(p);
  f->body = parse_block(p);
}

static void backward(Parser *p, AstFn *f) {
  f->has_backward = true;
  p->t->tight = true;
  const Token *open = tok_expect(p, T_LPAREN, "behind `backward`");
  f->backward_value = tok_expect_name(p, "a name for the function's value");
  tok_expect(p, T_COMMA, "and a name for its gradient");
  f->backward_grad = tok_expect_name(p, "a name for its gradient");
  tok_expect_close(p, open, T_RPAREN, "");
  f->backward = parse_block(p);
}

/* used = NAME | STRING "as" NAME . */
static AstUse parse_used(Parser *p) {
  const Token *first = p->t;
  AstUse u = {0};
  if (at(p, T_STRING)) {
    AstExpr *s = parse_string(p);
    if (s->string.n > 1 || (s->string.n == 1 && s->string.parts[0].expr))
      parse_fail(p, s->loc, E0101, NULL, "the name of a file that is used is plain text, without `{}`");
    u.file = s->string.n ? s->string.parts[0].text : "";
    tok_expect_word(p, "as", "and the name by which the file is used");
  }
  u.name = tok_expect_name(p, "a name");
  u.loc = tok_loc_since(p, first);
  return u;
}

/* fit = NAME "to" expr [ "as" NAME ] . */
static AstFit parse_fit(Parser *p, bool pack) {
  const Token *first = p->t;
  AstFit f = {.pack = pack, .dim = tok_expect_name(p, "a dimension of the record")};
  tok_expect_word(p, "to", "and a size");
  f.to = parse_expr(p);
  if (tok_accept_word(p, "as")) f.as = tok_expect_name(p, "a name");
  f.loc = tok_loc_since(p, first);
  return f;
}

static void value_of(Parser *p, AstItem *x, const char *what) {
  if (!tok_accept(p, T_SET))
    parse_fail(p, tok_loc(p, p->t), E0120, NULL, "expected `=` and %s, found %s", what, tok_text(p, p->t));
  x->value = parse_expr(p);
}

/* member = NAME "=" expr | "param" NAME ":" type "=" expr | "state" NAME [ ":" type ] "=" expr
 *        | "fn" NAME params [ "->" type ] block | "assert" expr [ "," expr ] . */
static void *parse_member(Parser *p) {
  const Token *first = p->t;
  AstMember *m = arena_one(p->arena, AstMember);
  m->doc = parse_doc(p, first);
  if (tok_accept(p, K_ASSERT)) {
    m->kind = AM_ASSERT;
    m->value = parse_condition(p, "assert");
    if (tok_accept(p, T_COMMA)) m->message = parse_expr(p);
    m->loc = tok_loc_since(p, first);
    tok_expect_end(p);
    return m;
  }
  if (tok_accept(p, K_PARAM)) {
    m->kind = AM_PARAM;
    m->name = tok_expect_name(p, "the name of the parameter");
    if (!tok_accept_colon(p))
      parse_fail(p, tok_loc(p, p->t), E0120, "`param w: f32[n, m] = init.he`",
                 "expected `:` and the type of the parameter, found %s", tok_text(p, p->t));
    m->type = parse_type(p);
  } else if (tok_accept(p, K_STATE)) {
    m->kind = AM_STATE;
    m->name = tok_expect_name(p, "the name of the state");
    if (tok_accept_colon(p)) m->type = parse_type(p);
  } else if (tok_accept(p, K_FN)) {
    m->kind = AM_FN;
    m->fn = arena_one(p->arena, AstFn);
    m->fn->kind = AF_FN;
    m->fn->doc = m->doc;
    parse_fn(p, m->fn);
    m->name = m->fn->name;
    m->loc = m->fn->loc = tok_loc_since(p, first);
    tok_expect_end(p);
    return m;
  } else if (at(p, T_NAME) && p->t[1].kind != T_LPAREN && p->t[1].kind != T_NAME)
    m->name = tok_expect_name(p, "a field");
  else if (at(p, K_NONE) || at(p, T_NAME) || p->t->kind >= K_USE)
    parse_fail(p, tok_loc(p, first), E0119, "a module holds `name = expr`, `param`, `state`, `fn` and `assert`",
               "%s cannot begin a member of a module", tok_text(p, first));
  else parse_fail_expected(p, "a member of the module");
  if (!tok_accept(p, T_SET))
    parse_fail(p, tok_loc(p, p->t), E0120, NULL, "expected `=` and a value, found %s", tok_text(p, p->t));
  m->value = parse_expr(p);
  m->loc = tok_loc_since(p, first);
  tok_expect_end(p);
  return m;
}

static void members(Parser *p, AstItem *x) {
  const Token *open = tok_expect(p, T_LBRACE, "before the members of the module");
  for (;;) {
    while (tok_accept(p, T_END)) {
    }
    if (at(p, T_RBRACE) || at(p, T_EOF) || p->t->depth <= open->depth) break;
    const Token *before = p->t;
    AstMember *m = parse_guarded(p, parse_member, open->depth + 1);
    if (m) PUSH(p, x->members, x->n_members, *m);
    if (p->t == before) p->t++;
  }
  tok_expect_close(p, open, T_RBRACE, "");
  for (int i = 0; i < x->n_members; i++)
    for (int k = 0; k < i; k++) twice(p, "member", x->members[k].name, x->members[i].name);
}

static void type_alias(Parser *p, AstItem *x) {
  x->name = tok_expect_name(p, "the name of the type");
  if (at(p, T_LPAREN)) {
    p->t->tight = true;
    const Token *open = tok_take(p);
    do PUSH(p, x->type_params, x->n_type_params, tok_expect_name(p, "a name"));
    while (tok_accept(p, T_COMMA));
    tok_expect_close(p, open, T_RPAREN, "`,` or ");
  }
  tok_expect(p, T_SET, "and a type");
  x->type = parse_type(p);
}

static void model(Parser *p, AstItem *x) {
  x->name = tok_expect_name(p, "the name of the model");
  value_of(p, x, "a module");
  if (!tok_accept_word(p, "with")) return;
  do {
    AstWith w = {.place = parse_place(p)};
    tok_expect(p, T_SET, "and the initial value");
    w.value = parse_expr(p);
    PUSH(p, x->withs, x->n_withs, w);
  } while (tok_accept(p, T_COMMA));
}

static void data(Parser *p, AstItem *x) {
  x->name = tok_expect_name(p, "the name of the data");
  tok_expect_colon(p, "and the type of a record");
  x->type = parse_type(p);
  value_of(p, x, "a source");
  while (tok_at_word(p, "pad") || tok_at_word(p, "pack")) {
    bool pack = tok_at_word(p, "pack");
    tok_take(p);
    do PUSH(p, x->fits, x->n_fits, parse_fit(p, pack));
    while (tok_accept(p, T_COMMA));
  }
}

static void *sweep_line(Parser *p) {
  const Token *first = p->t;
  AstSweep *s = arena_one(p->arena, AstSweep);
  if (tok_at_word(p, "choose") && p->t[1].kind != K_IN) {
    tok_take(p);
    s->choose_max = tok_at_word(p, "max");
    if (!s->choose_max && !tok_at_word(p, "min")) tok_expect_word(p, "min", "or `max`");
    tok_take(p);
    s->value = parse_metric(p);
  } else {
    s->name = tok_expect_name(p, "the name of a constant, or `choose`");
    if (!tok_accept(p, K_IN)) parse_fail_expected(p, "`in`");
    s->value = parse_expr(p);
  }
  s->loc = tok_loc_since(p, first);
  tok_expect_end(p);
  return s;
}

static void sweep(Parser *p, AstItem *x) {
  const Token *open = tok_expect(p, T_LBRACE, "behind `sweep`");
  for (;;) {
    while (tok_accept(p, T_END)) {
    }
    if (at(p, T_RBRACE) || at(p, T_EOF) || p->t->depth <= open->depth) break;
    const Token *before = p->t;
    AstSweep *s = parse_guarded(p, sweep_line, open->depth + 1);
    if (s) PUSH(p, x->sweeps, x->n_sweeps, *s);
    if (p->t == before) p->t++;
  }
  tok_expect_close(p, open, T_RBRACE, "");
}

static void fn_item(Parser *p, AstItem *x, bool exported) {
  x->fn = arena_one(p->arena, AstFn);
  x->fn->doc = x->doc;
  x->fn->exported = exported;
  bool step = at(p, K_STEP);
  if (!step && !at(p, K_FN)) parse_fail_expected(p, "`fn` or `step` behind `export`");
  tok_take(p);
  x->kind = step ? AI_STEP : AI_FN;
  x->fn->kind = step ? AF_STEP : AF_FN;
  parse_fn(p, x->fn);
  if (tok_accept_word(p, "backward")) backward(p, x->fn);
  x->name = x->fn->name;
}

/* A mistake at the outermost level: what does the writer want? */
static _Noreturn void no_item(Parser *p) {
  Loc here = tok_loc(p, p->t);
  static const char usual[] = "a file holds use, const, type, module, model, state, data, fn, step, train and sweep";
  const char *help = usual;
  if (at(p, K_LET) || tok_at_word(p, "var")) help = "a value for the whole file is a `const`";
  if (tok_at_word(p, "def") || tok_at_word(p, "func") || tok_at_word(p, "function"))
    help = "a function is `fn name(x) { ... }`";
  if (at(p, T_FLOORDIV)) help = "a comment begins with `#`";
  if (tok_at_word(p, "import") || tok_at_word(p, "from") || tok_at_word(p, "include")) help = "write `use nn, optim`";
  if (tok_at_word(p, "class") || tok_at_word(p, "struct")) help = "a module is `module Name(...) { ... }`";
  if (at(p, T_RBRACE) || at(p, T_RPAREN) || at(p, T_RBRACKET))
    parse_fail(p, here, E0103, NULL, "%s closes nothing: no such bracket is open", tok_text(p, p->t));
  if (at(p, T_NAME) && help == usual) {
    static const char *const names[] = {"use",  "const", "type",  "module", "model", "state",
                                        "data", "step",  "train", "export", "sweep"};
    const char *near = diag_nearest(p->t->name, names, sizeof names / sizeof *names);
    if (near) help = arena_printf(p->arena, "did you mean `%s`?", near);
  }
  parse_fail(p, here, E0109, help, "%s cannot stand at the outermost level of a file", tok_text(p, p->t));
}

/* item = "use" used { "," used }
 *      | "const" NAME [ ":" type ] "=" expr
 *      | "type" NAME [ "(" NAME { "," NAME } ")" ] "=" type
 *      | "module" NAME params "{" { member END } "}"
 *      | "model" NAME "=" expr [ "with" place "=" expr { "," place "=" expr } ]
 *      | "state" NAME [ ":" type ] "=" expr
 *      | "data" NAME ":" type "=" expr { ( "pad" | "pack" ) fit { "," fit } }
 *      | [ "export" ] ( "fn" | "step" ) NAME params [ "->" type ] block [ "backward" "(" NAME "," NAME ")" block ]
 *      | "train" [ NAME ] "{" { tstmt END } "}"
 *      | "sweep" "{" { ( NAME "in" expr | "choose" ( "min" | "max" ) metric ) END } "}" . */
void *parse_item(Parser *p) {
  const Token *first = p->t;
  AstItem *x = arena_one(p->arena, AstItem);
  x->doc = parse_doc(p, first);
  if (tok_accept(p, K_USE)) {
    x->kind = AI_USE;
    do PUSH(p, x->uses, x->n_uses, parse_used(p));
    while (tok_accept(p, T_COMMA));
  } else if (at(p, K_CONST) || at(p, K_STATE)) {
    x->kind = at(p, K_CONST) ? AI_CONST : AI_STATE;
    tok_take(p);
    x->name = tok_expect_name(p, x->kind == AI_CONST ? "the name of the constant" : "the name of the state");
    if (tok_accept_colon(p)) x->type = parse_type(p);
    value_of(p, x, "a value");
  } else if (tok_accept(p, K_TYPE)) x->kind = AI_TYPE, type_alias(p, x);
  else if (tok_accept(p, K_MODULE)) {
    x->kind = AI_MODULE;
    x->name = tok_expect_name(p, "the name of the module");
    x->params = parse_params(p, &x->n_params);
    members(p, x);
  } else if (tok_accept(p, K_MODEL)) x->kind = AI_MODEL, model(p, x);
  else if (tok_accept(p, K_DATA)) x->kind = AI_DATA, data(p, x);
  else if (at(p, K_EXPORT) || at(p, K_FN) || at(p, K_STEP)) fn_item(p, x, tok_accept(p, K_EXPORT));
  else if (tok_accept(p, K_TRAIN)) {
    x->kind = AI_TRAIN;
    if (at(p, T_NAME)) x->name = tok_expect_name(p, "a name");
    AstTrainBlock b = parse_train_block(p);
    x->train = b.stmts;
    x->n_train = b.n;
  } else if (tok_accept(p, K_SWEEP)) x->kind = AI_SWEEP, sweep(p, x);
  else no_item(p);
  x->loc = tok_loc_since(p, first);
  if (x->fn) x->fn->loc = x->loc;
  tok_expect_end(p);
  return x;
}
