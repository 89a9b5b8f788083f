#include "frontend/parse.h"
#include <string.h>

AstExpr *parse_new_expr(Parser *p, AstExprKind kind, const Token *first) {
  AstExpr *e = arena_one(p->arena, AstExpr);
  e->kind = kind;
  e->loc = e->op = tok_loc_since(p, first);
  return e;
}

AstExpr *parse_new_binary(Parser *p, AstOp op, const Token *sign, AstExpr *a, AstExpr *b, const Token *first) {
  AstExpr *e = parse_new_expr(p, b ? AX_BINARY : AX_UNARY, first);
  e->op = tok_loc(p, sign);
  e->binary.op = op;
  e->binary.a = a;
  e->binary.b = b;
  return e;
}

static void check_chain(Parser *p, int n) {
  if (n > PARSE_CHAIN)
    parse_fail(p, tok_loc(p, p->t), E0108, "give parts a name with `let`", "this chain has more than %d links",
               PARSE_CHAIN);
}

/* A left-associative chain of `next` joined by the operators of `signs`. */
static AstExpr *chain(Parser *p, AstExpr *(*next)(Parser *), const TokenKind *signs, const AstOp *ops, int n_signs) {
  const Token *first = p->t;
  AstExpr *a = next(p);
  for (int links = 0;; check_chain(p, ++links)) {
    int k = 0;
    while (k < n_signs && !at(p, signs[k])) k++;
    if (k == n_signs) return a;
    const Token *sign = tok_take(p);
    a = parse_new_binary(p, ops[k], sign, a, next(p), first);
  }
}

static const TokenKind compare_signs[] = {T_EQ, T_NE, T_LT, T_LE, T_GT, T_GE};
static const AstOp compare_ops[] = {AST_EQ, AST_NE, AST_LT, AST_LE, AST_GT, AST_GE};

static int comparison(const Parser *p) {
  for (int k = 0; k < 6; k++)
    if (at(p, compare_signs[k])) return k;
  return -1;
}

/* cmp = arith [ ( "==" | "!=" | "<" | "<=" | ">" | ">=" ) arith ] . */
static AstExpr *parse_cmp(Parser *p) {
  const Token *first = p->t;
  AstExpr *a = parse_arith(p);
  int k = comparison(p);
  if (k < 0) return a;
  const Token *sign = tok_take(p);
  a = parse_new_binary(p, compare_ops[k], sign, a, parse_arith(p), first);
  if (comparison(p) >= 0) {
    diag_error(p->diag, tok_loc(p, p->t), E0106, "comparisons do not chain");
    diag_note(p->diag, tok_loc(p, sign), "the first comparison");
    diag_help(p->diag, "write `a < b and b < c`");
    longjmp(*p->recover, 1);
  }
  return a;
}

/* not = { "not" } cmp . */
static AstExpr *parse_not(Parser *p) {
  if (!at(p, K_NOT)) return parse_cmp(p);
  parse_deeper(p);
  const Token *sign = tok_take(p);
  AstExpr *e = parse_new_binary(p, AST_NOT, sign, parse_not(p), NULL, sign);
  p->depth--;
  return e;
}

/* and = not { "and" not } . */
static AstExpr *parse_and(Parser *p) { return chain(p, parse_not, &(TokenKind){K_AND}, &(AstOp){AST_AND}, 1); }

/* expr = and { "or" and } . */
AstExpr *parse_expr(Parser *p) {
  parse_deeper(p);
  AstExpr *e = chain(p, parse_and, &(TokenKind){K_OR}, &(AstOp){AST_OR}, 1);
  p->depth--;
  return e;
}

/* power = postfix [ "**" unary ] . */
static AstExpr *parse_power(Parser *p) {
  const Token *first = p->t;
  AstExpr *a = parse_postfix(p);
  if (!at(p, T_POW)) return a;
  const Token *sign = tok_take(p);
  return parse_new_binary(p, AST_POW, sign, a, parse_unary(p), first);
}

/* unary = { "-" } power . */
AstExpr *parse_unary(Parser *p) {
  parse_deeper(p);
  AstExpr *e;
  if (at(p, T_MINUS)) {
    p->t->tight = true;
    const Token *sign = tok_take(p);
    e = parse_new_binary(p, AST_NEG, sign, parse_unary(p), NULL, sign);
  } else e = parse_power(p);
  p->depth--;
  return e;
}

/* term = unary { ( "*" | "/" | "//" | "%" | "@" ) unary } . */
static AstExpr *parse_term(Parser *p) {
  static const TokenKind signs[] = {T_TIMES, T_DIV, T_FLOORDIV, T_MOD, T_AT};
  static const AstOp ops[] = {AST_MUL, AST_DIV, AST_FLOORDIV, AST_MOD, AST_MATMUL};
  return chain(p, parse_unary, signs, ops, 5);
}

/* arith = term { ( "+" | "-" ) term } . */
AstExpr *parse_arith(Parser *p) {
  static const TokenKind signs[] = {T_PLUS, T_MINUS};
  static const AstOp ops[] = {AST_ADD, AST_SUB};
  return chain(p, parse_term, signs, ops, 2);
}

/* index = "..." | expr | [ expr ] ":" [ expr ] [ ":" [ expr ] ] . */
static AstIndex parse_index(Parser *p) {
  const Token *first = p->t;
  AstIndex x = {.kind = AST_INDEX_EXPR};
  if (tok_accept(p, T_ELLIPSIS)) x.kind = AST_INDEX_ELLIPSIS;
  else {
    if (!at(p, T_COLON)) x.value = parse_expr(p);
    if (tok_accept(p, T_COLON)) {
      x.kind = AST_INDEX_SLICE;
      x.from = x.value;
      x.value = NULL;
      if (!at(p, T_COLON) && !at(p, T_COMMA) && !at(p, T_RBRACKET)) x.to = parse_expr(p);
      if (tok_accept(p, T_COLON) && !at(p, T_COMMA) && !at(p, T_RBRACKET)) x.step = parse_expr(p);
    }
  }
  x.loc = tok_loc_since(p, first);
  return x;
}

static AstExpr *index_of(Parser *p, AstExpr *base, const Token *first) {
  p->t->tight = true;
  const Token *open = tok_take(p);
  AstIndex *items = NULL;
  int n = 0;
  if (at(p, T_RBRACKET))
    parse_fail(p, tok_loc_since(p, open), E0118, "`x[:]` is all of it; empty brackets stand in types only",
               "an index is missing");
  do PUSH(p, items, n, parse_index(p));
  while (tok_accept(p, T_COMMA));
  tok_expect_close(p, open, T_RBRACKET, "`,` or ");
  AstExpr *e = parse_new_expr(p, AX_INDEX, first);
  e->op = tok_loc_since(p, open);
  e->index.base = base;
  e->index.items = items;
  e->index.n = n;
  return e;
}

/* postfix = primary { "(" [ arg { "," arg } ] ")" | "[" [ index { "," index } ] "]" | "." NAME } . */
AstExpr *parse_postfix(Parser *p) {
  const Token *first = p->t;
  AstExpr *e = parse_primary(p);
  for (int links = 0;; check_chain(p, ++links)) {
    if (at(p, T_LPAREN)) {
      p->t->tight = true;
      const Token *open = tok_take(p);
      int n;
      AstArg *args = parse_args(p, open, &n, false);
      AstExpr *call = parse_new_expr(p, AX_CALL, first);
      call->op = tok_loc_since(p, open);
      call->call.fn = e;
      call->call.args = args;
      call->call.n = n;
      e = call;
    } else if (at(p, T_LBRACKET)) e = index_of(p, e, first);
    else if (tok_accept(p, T_DOT)) {
      AstName name = tok_expect_any_name(p, "the name of a field");
      AstExpr *field = parse_new_expr(p, AX_FIELD, first);
      field->op = name.loc;
      field->field.base = e;
      field->field.name = name;
      e = field;
    } else return e;
  }
}

/* arg = [ NAME "=" ] expr . */
static AstArg parse_arg(Parser *p) {
  AstArg a = {0};
  if (tok_is_word(p->t) && p->t[1].kind == T_SET) {
    a.name = tok_expect_any_name(p, "a name");
    tok_take(p);
  } else if (tok_is_word(p->t) && p->t[1].kind == T_COLON && p->t->depth > 0) {
    Loc colon = tok_loc(p, &p->t[1]);
    parse_fail(p, colon, E0101, "a named value is written `name = value`", "a colon announces a type; expected `=`");
  }
  a.value = parse_expr(p);
  return a;
}

static void check_args(Parser *p, const AstArg *args, int n, bool tuple) {
  for (int i = 0; i < n; i++) {
    bool named = args[i].name.name;
    if (tuple ? named != !!args[0].name.name : !named && i > 0 && args[i - 1].name.name) {
      diag_error(p->diag, args[i].value->loc, E0111,
                 tuple ? "a tuple names all of its parts or none"
                       : "this argument has no name but stands behind a named one");
      diag_note(p->diag, args[tuple ? 0 : i - 1].value->loc,
                args[tuple ? 0 : i - 1].name.name ? "this one has a name" : "this one has none");
      return;
    }
    for (int k = 0; k < i && named; k++)
      if (args[k].name.name == args[i].name.name) {
        diag_error(p->diag, args[i].name.loc, E0112, "`%s` is given twice", args[i].name.name);
        diag_note(p->diag, args[k].name.loc, "the first time");
      }
  }
}

/* The arguments behind the bracket `open`, which has been taken, and the closing one. */
AstArg *parse_args(Parser *p, const Token *open, int *n, bool tuple) {
  AstArg *args = NULL;
  *n = 0;
  if (!at(p, T_RPAREN)) do
      PUSH(p, args, *n, parse_arg(p));
    while (tok_accept(p, T_COMMA));
  tok_expect_close(p, open, T_RPAREN, "`,` or ");
  check_args(p, args, *n, tuple);
  return args;
}

/* range = expr [ ".." expr ] . */
AstRange parse_range(Parser *p) {
  const Token *first = p->t;
  AstRange r = {.from = parse_expr(p)};
  if (tok_accept(p, T_DOTS)) r.to = parse_expr(p);
  r.loc = tok_loc_since(p, first);
  return r;
}

/* place = postfix . */
AstExpr *parse_place(Parser *p) {
  AstExpr *e = parse_postfix(p);
  if (!ast_is_place(e)) parse_fail(p, e->loc, E0107, NULL, "expected a place: a name, then fields and indices");
  return e;
}

/* pattern = NAME | "_" | "(" pattern { "," pattern } ")" . */
AstPattern *parse_pattern(Parser *p) {
  parse_deeper(p);
  const Token *first = p->t;
  AstPattern *x = arena_one(p->arena, AstPattern);
  if (tok_accept(p, T_LPAREN)) {
    x->kind = AP_TUPLE;
    do PUSH(p, x->items, x->n, parse_pattern(p));
    while (tok_accept(p, T_COMMA));
    tok_expect_close(p, first, T_RPAREN, "`,` or ");
  } else {
    x->name = tok_expect_name(p, "a name or a tuple of names").name;
    x->kind = strcmp(x->name, "_") ? AP_NAME : AP_ANY;
  }
  x->loc = tok_loc_since(p, first);
  p->depth--;
  return x;
}
