#include "frontend/parse.h"
#include <string.h>

/* dim = "..." [ NAME ] | arith [ "<=" arith ] . */
static AstDim parse_dim(Parser *p) {
  const Token *first = p->t;
  AstDim d = {0};
  if (tok_accept(p, T_ELLIPSIS)) {
    d.ellipsis = true;
    if (at(p, T_NAME)) d.rest = tok_expect_name(p, "a name");
  } else {
    d.size = parse_arith(p);
    if (tok_accept(p, T_LE)) d.bound = parse_arith(p);
  }
  d.loc = tok_loc_since(p, first);
  return d;
}

/* field = [ NAME ":" ] type . */
static AstField parse_field(Parser *p) {
  AstField f = {0};
  if (tok_is_word(p->t) && p->t[1].kind == T_COLON) {
    f.name = tok_expect_any_name(p, "the name of a field");
    tok_accept_colon(p);
  }
  f.type = parse_type(p);
  return f;
}

static void check_fields(Parser *p, const AstType *t) {
  for (int i = 0; i < t->n_fields; i++) {
    const AstName *a = &t->fields[i].name;
    if (!a->name != !t->fields[0].name.name) {
      diag_error(p->diag, t->fields[i].type->loc, E0111, "a tuple type names all of its fields or none");
      diag_note(p->diag, t->fields[0].type->loc, "the first field %s name", a->name ? "has no" : "has a");
      return;
    }
    for (int k = 0; k < i && a->name; k++)
      if (t->fields[k].name.name == a->name) {
        diag_error(p->diag, a->loc, E0112, "the field `%s` is there already", a->name);
        diag_note(p->diag, t->fields[k].name.loc, "here");
      }
  }
}

static AstType *tuple_type(Parser *p, AstType *t, const Token *first) {
  const Token *open = tok_take(p);
  t->kind = AT_TUPLE;
  if (!at(p, T_RPAREN)) do
      PUSH(p, t->fields, t->n_fields, parse_field(p));
    while (tok_accept(p, T_COMMA));
  tok_expect_close(p, open, T_RPAREN, "`,` or ");
  if (t->n_fields == 1 && !t->fields[0].name.name) return t->fields[0].type;
  check_fields(p, t);
  t->loc = tok_loc_since(p, first);
  return t;
}

static void fn_type(Parser *p, AstType *t) {
  t->kind = AT_FN;
  tok_take(p);
  if (!at(p, T_LPAREN)) return;
  p->t->tight = true;
  const Token *open = tok_take(p);
  t->has_params = true;
  if (!at(p, T_RPAREN)) do
      PUSH(p, t->params, t->n_params, parse_type(p));
    while (tok_accept(p, T_COMMA));
  tok_expect_close(p, open, T_RPAREN, "`,` or ");
  if (tok_accept(p, T_ARROW)) t->result = parse_type(p);
}

static void named_type(Parser *p, AstType *t) {
  t->kind = AT_NAME;
  PUSH(p, t->path, t->n_path, tok_expect_name(p, "a type"));
  while (tok_accept(p, T_DOT)) PUSH(p, t->path, t->n_path, tok_expect_any_name(p, "a name behind the point"));
  if (at(p, T_LBRACKET)) {
    p->t->tight = true;
    const Token *open = tok_take(p);
    t->has_dims = true;
    if (!at(p, T_RBRACKET)) do
        PUSH(p, t->dims, t->n_dims, parse_dim(p));
      while (tok_accept(p, T_COMMA));
    tok_expect_close(p, open, T_RBRACKET, "`,` or ");
  } else if (at(p, T_LPAREN)) {
    p->t->tight = true;
    const Token *open = tok_take(p);
    t->has_args = true;
    if (!at(p, T_RPAREN)) do
        PUSH(p, t->args, t->n_args, parse_expr(p));
      while (tok_accept(p, T_COMMA));
    tok_expect_close(p, open, T_RPAREN, "`,` or ");
  }
}

/* kind = NAME { "." NAME } [ "[" [ dim { "," dim } ] "]" | "(" [ expr { "," expr } ] ")" ]
 *      | "(" [ field { "," field } ] ")" | "[" type "]"
 *      | "fn" [ "(" [ type { "," type } ] ")" [ "->" type ] ] | "data" | "module" . */
static AstType *parse_kind(Parser *p) {
  const Token *first = p->t;
  AstType *t = arena_one(p->arena, AstType);
  if (at(p, T_LPAREN)) return tuple_type(p, t, first);
  if (at(p, T_LBRACKET)) {
    const Token *open = tok_take(p);
    t->kind = AT_LIST;
    t->element = parse_type(p);
    tok_expect_close(p, open, T_RBRACKET, "");
  } else if (at(p, K_FN)) fn_type(p, t);
  else if (tok_accept(p, K_DATA)) t->kind = AT_DATA;
  else if (tok_accept(p, K_MODULE)) t->kind = AT_MODULE;
  else if (at(p, T_NAME)) named_type(p, t);
  else parse_fail_expected(p, "a type");
  t->loc = tok_loc_since(p, first);
  return t;
}

/* type = kind [ "<" arith ] [ "as" postfix ] . */
AstType *parse_type(Parser *p) {
  parse_deeper(p);
  const Token *first = p->t;
  AstType *t = parse_kind(p);
  if (tok_accept(p, T_LT)) t->below = parse_arith(p);
  if (tok_accept_word(p, "as")) t->outside = parse_postfix(p);
  t->loc = tok_loc_since(p, first);
  p->depth--;
  return t;
}
