#include "frontend/parse.h"
#include <string.h>

static AstStmt *new_stmt(Parser *p, AstStmtKind kind, const Token *first) {
  AstStmt *s = arena_one(p->arena, AstStmt);
  s->kind = kind;
  s->loc = s->op = tok_loc(p, first);
  return s;
}

static void expect_set(Parser *p, const char *of) {
  if (!tok_accept(p, T_SET))
    parse_fail(p, tok_loc(p, p->t), E0120, NULL, "expected `=` and %s, found %s", of, tok_text(p, p->t));
}

static void let(Parser *p, AstStmt *s) {
  s->pattern = parse_pattern(p);
  if (at(p, T_COLON))
    parse_fail(p, tok_loc(p, p->t), E0101, "`var x: type = expr` has one", "`let` takes no type; expected `=`");
  expect_set(p, "a value");
  s->value = parse_expr(p);
}

static void var(Parser *p, AstStmt *s) {
  s->name = tok_expect_name(p, "the name of the variable");
  if (tok_accept_colon(p)) s->type = parse_type(p);
  expect_set(p, "the first value");
  s->value = parse_expr(p);
}

static void for_loop(Parser *p, AstStmt *s) {
  s->pattern = parse_pattern(p);
  if (!tok_accept(p, K_IN)) parse_fail_expected(p, "`in`");
  s->range = parse_range(p);
  s->body = parse_block(p);
}

static void update(Parser *p, AstStmt *s) {
  do PUSH(p, s->places, s->n_places, parse_place(p));
  while (tok_accept(p, T_COMMA));
  tok_expect_word(p, "by", "and a rule (`update net by optim.sgd(0.1) on l`)");
  s->rule = parse_expr(p);
  s->with_gradient = tok_at_word(p, "with");
  if (!s->with_gradient && !tok_at_word(p, "on"))
    parse_fail(p, tok_loc(p, p->t), E0101, NULL, "expected `on` and a loss, or `with` and a gradient, found %s",
               tok_text(p, p->t));
  tok_take(p);
  s->value = parse_expr(p);
}

static void report(Parser *p, AstStmt *s) {
  do {
    AstReport r = {0};
    if (at(p, T_STRING)) r.text = parse_string(p);
    else r.name = tok_expect_any_name(p, "a name or a string for the number that is reported");
    expect_set(p, "the number that is reported under this name");
    r.value = parse_expr(p);
    PUSH(p, s->reports, s->n_reports, r);
  } while (tok_accept(p, T_COMMA));
}

static bool is_target(const AstExpr *e) {
  if (e->kind != AX_TUPLE) return ast_is_place(e);
  for (int i = 0; i < e->tuple.n; i++)
    if (e->tuple.items[i].name.name || !is_target(e->tuple.items[i].value)) return false;
  return e->tuple.n > 0;
}

/* An expression, or an assignment when a sign of one follows. */
static void expr_or_assign(Parser *p, AstStmt *s) {
  static const TokenKind signs[] = {T_SET, T_PLUS_SET, T_MINUS_SET, T_TIMES_SET, T_DIV_SET};
  static const AstOp ops[] = {AST_OP_COUNT, AST_ADD, AST_SUB, AST_MUL, AST_DIV};
  s->value = parse_expr(p);
  for (int k = 0; k < 5; k++) {
    if (!at(p, signs[k])) continue;
    const Token *sign = tok_take(p);
    if (!is_target(s->value) || (k > 0 && s->value->kind == AX_TUPLE))
      parse_fail(p, s->value->loc, E0107, "`let x = ...` makes a name", "this cannot stand on the left of %s",
                 tok_text(p, sign));
    s->kind = AS_ASSIGN;
    s->op = tok_loc(p, sign);
    s->assign_op = ops[k];
    s->target = s->value;
    s->value = parse_expr(p);
    return;
  }
}

/* Words that begin a statement in other languages, when what follows shows that they are no name here. */
static void foreign_word(Parser *p) {
  static const char *const rows[][2] = {
      {"return", "the value of a block is its last expression"},
      {"break", "a graph loop ends early with `stop when condition`"},
      {"continue", "wrap the rest of the body in `if`, or choose with `where`"},
      {"def", "a function is `fn name(x) { ... }` at the outermost level, or `let f = fn(x) { ... }`"},
      {"class", "a module is `module Name(...) { ... }` at the outermost level"},
      {"import", "`use nn, optim` at the outermost level"},
      {"elif", "write `else if`"},
      {"lambda", "write `fn(x) { ... }`"},
      {"yield", "the value of a loop is the stack of the values of its body"},
      {"mut", "write `var x = ...`"},
      {"func", "write `fn`"},
      {"function", "write `fn`"}};
  if (!at(p, T_NAME)) return;
  TokenKind next = p->t[1].kind;
  bool value = next == T_NAME || next == T_INT || next == T_FLOAT || next == T_STRING || next >= K_USE;
  bool alone = next == T_END || next == T_RBRACE;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (tok_at_word(p, rows[i][0]) && (value || (alone && i < 3)))
      parse_fail(p, tok_loc(p, p->t), E0114, rows[i][1], "there is no `%s` in this language", rows[i][0]);
}

/* stmt = "let" pattern "=" expr | "var" NAME [ ":" type ] "=" expr
 *      | expr [ ( "=" | "+=" | "-=" | "*=" | "/=" ) expr ]
 *      | "for" pattern "in" range block
 *      | "update" place { "," place } "by" expr ( "on" | "with" ) expr
 *      | "report" ( NAME | STRING ) "=" expr { "," ( NAME | STRING ) "=" expr }
 *      | ( "assert" | "check" ) expr [ "," expr ] | "print" expr | "stop" "when" expr . */
static void *parse_stmt(Parser *p) {
  const Token *first = p->t;
  AstStmt *s = new_stmt(p, AS_EXPR, first);
  TokenKind k = first->kind;
  foreign_word(p);
  if (k == K_LET || k == K_FOR || k == K_UPDATE || k == K_REPORT || k == K_ASSERT || k == K_CHECK || k == K_PRINT)
    tok_take(p);
  if (k == K_LET) s->kind = AS_LET, let(p, s);
  else if (k == K_FOR) s->kind = AS_FOR, for_loop(p, s);
  else if (k == K_UPDATE) s->kind = AS_UPDATE, update(p, s);
  else if (k == K_REPORT) s->kind = AS_REPORT, report(p, s);
  else if (k == K_ASSERT || k == K_CHECK) {
    s->kind = k == K_ASSERT ? AS_ASSERT : AS_CHECK;
    s->value = parse_condition(p, k == K_ASSERT ? "assert" : "check");
    if (tok_accept(p, T_COMMA)) s->message = parse_expr(p);
  } else if (k == K_PRINT) s->kind = AS_PRINT, s->value = parse_expr(p);
  else if (tok_at_word(p, "var") && tok_is_word(&p->t[1]) && p->t[1].kind != K_IN) {
    tok_take(p);
    s->kind = AS_VAR;
    var(p, s);
  } else if (tok_at_word(p, "stop") && p->t[1].kind == T_NAME && !strcmp(p->t[1].name, "when")) {
    tok_take(p), tok_take(p);
    s->kind = AS_STOP;
    s->value = parse_condition(p, "stop when");
  } else expr_or_assign(p, s);
  s->loc = tok_loc_since(p, first);
  tok_expect_end(p);
  return s;
}

/* block = "{" { stmt END } "}" . */
AstBlock parse_block(Parser *p) {
  parse_deeper(p);
  const Token *open = tok_expect(p, T_LBRACE, "before a block");
  AstBlock b = {0};
  for (;;) {
    while (tok_accept(p, T_END)) {
    }
    if (at(p, T_RBRACE) || at(p, T_EOF) || p->t->depth <= open->depth) break;
    const Token *before = p->t;
    AstStmt *s = parse_guarded(p, parse_stmt, open->depth + 1);
    if (s) PUSH(p, b.stmts, b.n, s);
    if (p->t == before) p->t++;
  }
  tok_expect_close(p, open, T_RBRACE, "");
  b.loc = tok_loc_since(p, open);
  p->depth--;
  return b;
}

AstBlock parse_statements(Arena *a, Diag *d, uint32_t source) {
  size_t n;
  Parser p = {.arena = a, .diag = d, .source = source, .text = diag_source_text(d, source, &n)};
  p.lexed = lex_source(a, d, source, 0, (uint32_t)n, false);
  p.t = p.lexed.tokens;
  AstBlock b = {.loc = {source, 0, (uint32_t)n}};
  for (;;) {
    while (tok_accept(&p, T_END)) {
    }
    if (at(&p, T_EOF)) return b;
    const Token *before = p.t;
    AstStmt *s = parse_guarded(&p, parse_stmt, 0);
    if (s) PUSH(&p, b.stmts, b.n, s);
    if (p.t == before) p.t++;
  }
}
