#include "base/buf.h"
#include "frontend/parse.h"
#include <string.h>

/* ---- strings ---- */

static void put_text(Parser *p, AstExpr *e, Buf *text) {
  if (!text->n) return;
  AstStringPart part = {.text = arena_strndup(p->arena, text->s, text->n)};
  PUSH(p, e->string.parts, e->string.n, part);
  text->n = 0;
}

static void *interpolated(Parser *p) {
  AstExpr *e = parse_expr(p);
  if (!at(p, T_EOF))
    parse_fail(p, tok_loc(p, p->t), E0006, "a brace in the text is written `{{` or `}}`",
               "expected `}` behind the expression in the string, found %s", tok_text(p, p->t));
  return e;
}

/* The expression text[begin, end) inside of a string; it has its own tokens. */
static AstExpr *interpolation(Parser *p, uint32_t begin, uint32_t end) {
  Parser inner = *p;
  inner.lexed = lex_source(p->arena, p->diag, p->source, begin, end, true);
  inner.t = inner.lexed.tokens;
  parse_deeper(&inner);
  AstExpr *e = parse_guarded(&inner, interpolated, 0);
  return e ? e : parse_new_expr(p, AX_ERROR, p->t);
}

static void escape(Parser *p, uint32_t i, Buf *text) {
  static const char from[] = "ntr\"\\", to[] = "\n\t\r\"\\";
  char c = p->text[i + 1];
  const char *k = c ? strchr(from, c) : NULL;
  if (k) {
    buf_char(text, to[k - from]);
    return;
  }
  diag_error(p->diag, (Loc){p->source, i, i + 2}, E0005, "this escape does not exist");
  diag_help(p->diag, "the escapes are `\\n`, `\\t`, `\\r`, `\\\"` and `\\\\`");
}

static void lone_brace(Parser *p, uint32_t i) {
  diag_error(p->diag, (Loc){p->source, i, i + 1}, E0006, "this brace has no partner in the string");
  diag_help(p->diag, "write `%c%c` for the sign itself", p->text[i], p->text[i]);
}

/* The parts of a string: text with its escapes resolved, and the expressions in braces. */
AstExpr *parse_string(Parser *p) {
  const Token *t = tok_expect(p, T_STRING, "");
  AstExpr *e = parse_new_expr(p, AX_STRING, t);
  bool closed = t->end > t->begin + 1 && p->text[t->end - 1] == '"';
  uint32_t end = closed ? t->end - 1 : t->end;
  Buf text = {0};
  for (uint32_t i = t->begin + 1; i < end; i++) {
    char c = p->text[i];
    bool twice = i + 1 < end && p->text[i + 1] == c;
    if (c == '\\' && i + 1 < end) escape(p, i++, &text);
    else if ((c == '{' || c == '}') && twice) buf_char(&text, p->text[i++]);
    else if (c == '{') {
      uint32_t close = lex_interpolation_end(p->text, i, end);
      if (close == end) {
        if (closed) lone_brace(p, i);
      } else {
        put_text(p, e, &text);
        AstStringPart part = {.expr = interpolation(p, i + 1, close)};
        PUSH(p, e->string.parts, e->string.n, part);
        i = close;
      }
    } else if (c == '}' && closed) lone_brace(p, i);
    else buf_char(&text, c);
  }
  put_text(p, e, &text);
  buf_free(&text);
  return e;
}

/* ---- constructs with blocks ---- */

/* The expression behind `if`, `cond`, `while`; a single `=` in it is E0115. */
AstExpr *parse_condition(Parser *p, const char *word) {
  AstExpr *e = parse_expr(p);
  if (at(p, T_SET))
    parse_fail(p, tok_loc(p, p->t), E0115, "equality is asked with `==`", "`=` cannot stand in the condition of `%s`",
               word);
  return e;
}

/* choice = ( "if" | "cond" ) expr block [ "else" ( block | choice ) ] . */
static AstExpr *parse_choice(Parser *p) {
  const Token *first = p->t;
  TokenKind word = first->kind;
  AstExpr *e = parse_new_expr(p, word == K_IF ? AX_IF : AX_COND, first);
  for (bool more = true; more;) {
    AstArm arm = {0};
    more = false;
    if (at(p, K_IF) || at(p, K_COND)) {
      if (!at(p, word))
        parse_fail(p, tok_loc(p, p->t), E0110, "`if` is decided while compiling, `cond` at run time",
                   "a chain that begins with %s goes on with it", lex_kind_text(word));
      tok_take(p);
      arm.cond = parse_condition(p, word == K_IF ? "if" : "cond");
      more = true;
    }
    arm.body = parse_block(p);
    PUSH(p, e->choice.arms, e->choice.n, arm);
    more = more && tok_accept(p, K_ELSE);
    if (e->choice.n > PARSE_CHAIN) parse_fail(p, tok_loc(p, p->t), E0108, NULL, "this chain has too many arms");
  }
  e->op = tok_loc(p, first);
  e->loc = tok_loc_since(p, first);
  return e;
}

static AstExpr *loop(Parser *p) {
  const Token *first = tok_take(p);
  AstExpr *e = parse_new_expr(p, first->kind == K_SCAN ? AX_SCAN : AX_VMAP, first);
  e->loop.pattern = parse_pattern(p);
  if (!tok_accept(p, K_IN)) parse_fail_expected(p, "`in`");
  e->loop.range = parse_range(p);
  e->loop.body = parse_block(p);
  e->loc = tok_loc_since(p, first);
  return e;
}

static AstExpr *whilst(Parser *p) {
  const Token *first = tok_take(p);
  AstExpr *e = parse_new_expr(p, AX_WHILE, first);
  e->whilst.cond = parse_condition(p, "while");
  if (tok_accept_word(p, "limit")) e->whilst.limit = parse_expr(p);
  e->whilst.body = parse_block(p);
  e->loc = tok_loc_since(p, first);
  return e;
}

static AstExpr *with(Parser *p) {
  const Token *first = tok_take(p);
  AstExpr *e = parse_new_expr(p, first->kind == K_SEEDED ? AX_SEEDED : AX_CHECKPOINT, first);
  if (first->kind == K_SEEDED) {
    p->t->tight = true;
    const Token *open = tok_expect(p, T_LPAREN, "behind `seeded`");
    e->with.value = parse_expr(p);
    tok_expect_close(p, open, T_RPAREN, "");
  }
  e->with.body = parse_block(p);
  e->loc = tok_loc_since(p, first);
  return e;
}

static AstExpr *lambda(Parser *p) {
  const Token *first = tok_take(p);
  AstFn *f = arena_one(p->arena, AstFn);
  f->kind = AF_LAMBDA;
  f->params = parse_params(p, &f->n_params);
  f->body = parse_block(p);
  f->loc = tok_loc_since(p, first);
  AstExpr *e = parse_new_expr(p, AX_FN, first);
  e->op = tok_loc(p, first);
  e->fn = f;
  return e;
}

/* ---- brackets ---- */

/* Group, tuple and named tuple; one value without a name is a group and leaves no node. */
static AstExpr *parens(Parser *p) {
  const Token *open = tok_take(p);
  int n;
  AstArg *items = parse_args(p, open, &n, true);
  if (n == 1 && !items[0].name.name) return items[0].value;
  AstExpr *e = parse_new_expr(p, AX_TUPLE, open);
  e->tuple.items = items;
  e->tuple.n = n;
  return e;
}

static AstExpr *list(Parser *p) {
  const Token *open = tok_take(p);
  AstExpr **items = NULL, *e;
  int n = 0;
  if (!at(p, T_RBRACKET)) {
    PUSH(p, items, n, parse_expr(p));
    if (tok_accept(p, K_FOR)) {
      AstPattern *pattern = parse_pattern(p);
      if (!tok_accept(p, K_IN)) parse_fail_expected(p, "`in`");
      AstRange range = parse_range(p);
      AstExpr *cond = tok_accept(p, K_IF) ? parse_condition(p, "if") : NULL;
      tok_expect_close(p, open, T_RBRACKET, "");
      e = parse_new_expr(p, AX_COMPREHENSION, open);
      e->each.value = items[0];
      e->each.pattern = pattern;
      e->each.range = range;
      e->each.cond = cond;
      return e;
    }
    while (tok_accept(p, T_COMMA)) PUSH(p, items, n, parse_expr(p));
  }
  tok_expect_close(p, open, T_RBRACKET, "`,` or ");
  e = parse_new_expr(p, AX_LIST, open);
  e->list.items = items;
  e->list.n = n;
  return e;
}

/* primary = NUMBER | STRING | "true" | "false" | "none" | NAME
 *         | "(" [ arg { "," arg } ] ")"
 *         | "[" [ expr ( { "," expr } | "for" pattern "in" range [ "if" expr ] ) ] "]"
 *         | choice | "fn" params block
 *         | ( "scan" | "vmap" ) pattern "in" range block
 *         | "while" expr [ "limit" expr ] block
 *         | "seeded" "(" expr ")" block | "checkpoint" block . */
AstExpr *parse_primary(Parser *p) {
  const Token *t = p->t;
  AstExpr *e;
  switch (t->kind) {
  case T_INT:
    e = (tok_take(p), parse_new_expr(p, AX_INT, t));
    e->i = t->i;
    return e;
  case T_FLOAT:
    e = (tok_take(p), parse_new_expr(p, AX_FLOAT, t));
    e->f = t->f;
    return e;
  case T_NAME:
    e = (tok_take(p), parse_new_expr(p, AX_NAME, t));
    e->name = t->name;
    return e;
  case K_TRUE:
  case K_FALSE:
    e = (tok_take(p), parse_new_expr(p, AX_BOOL, t));
    e->b = t->kind == K_TRUE;
    return e;
  case K_NONE: tok_take(p); return parse_new_expr(p, AX_NONE, t);
  case T_STRING: return parse_string(p);
  case T_LPAREN: return parens(p);
  case T_LBRACKET: return list(p);
  case K_IF:
  case K_COND: return parse_choice(p);
  case K_FN: return lambda(p);
  case K_SCAN:
  case K_VMAP: return loop(p);
  case K_WHILE: return whilst(p);
  case K_SEEDED:
  case K_CHECKPOINT: return with(p);
  default: parse_fail_expected(p, "an expression");
  }
}
