/* The parser's inside: recursive descent, one function for each production of the grammar, the production in the
 * comment above it (docs/language.md is checked against these comments by tests/check-grammar).
 *
 * The first mistake of a statement (item, member) ends it: parse_fail reports and jumps back to the loop over the
 * statements, which goes on behind the next END at the same depth of brackets. */
#ifndef FRONTEND_PARSE_H
#define FRONTEND_PARSE_H
#include "frontend/ast.h"
#include "frontend/lex.h"
#include <setjmp.h>

typedef struct Parser {
  Arena *arena;
  Diag *diag;
  uint32_t source;
  const char *text;
  Lexed lexed;
  Token *t;  /* the next token */
  int depth; /* of nesting */
  jmp_buf *recover;
} Parser;

enum { PARSE_CHAIN = 1000 };

/* ---- tokens ---- */
static inline bool at(const Parser *p, TokenKind k) { return p->t->kind == k; }
bool tok_at_word(const Parser *p, const char *word); /* a contextual word */
bool tok_accept(Parser *p, TokenKind k);
bool tok_accept_word(Parser *p, const char *word);
Token *tok_take(Parser *p);
Token *tok_expect(Parser *p, TokenKind k, const char *where); /* where: "after `with`", "" */
void tok_expect_word(Parser *p, const char *word, const char *where);
/* The bracket that closes `open`; else E0102 with a note at `open`, or E0101 with what could stand here. */
Token *tok_expect_close(Parser *p, const Token *open, TokenKind k, const char *or_else);
AstName tok_expect_name(Parser *p, const char *what); /* what: "the name of the constant" */
/* A name where a reserved word is also one: behind ".", before "=" or ":". */
AstName tok_expect_any_name(Parser *p, const char *what);
bool tok_is_word(const Token *t); /* a name or a reserved word */
/* A colon before a type. */
void tok_expect_colon(Parser *p, const char *where);
bool tok_accept_colon(Parser *p);
void tok_expect_end(Parser *p); /* END, or the end of the block or file */

Loc tok_loc(const Parser *p, const Token *t);
Loc tok_loc_since(const Parser *p, const Token *first); /* from `first` to the last token taken */
const char *tok_text(const Parser *p, const Token *t);  /* as it is quoted in messages */

/* ---- errors and recovery ---- */
_Noreturn void parse_fail(Parser *p, Loc where, ErrorId id, const char *help, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
_Noreturn void parse_fail_expected(Parser *p, const char *what);
/* Calls `one`; after a mistake in it, goes on at the END or the closing bracket at `depth` and returns NULL. */
void *parse_guarded(Parser *p, void *(*one)(Parser *), uint32_t depth);
void parse_deeper(Parser *p); /* E0108 beyond PARSE_DEPTH; undone by p->depth-- */

/* Arrays that grow in the arena. */
void *parse_grow(Parser *p, void *items, int n, size_t size);
#define PUSH(p, items, n, value) ((items) = parse_grow((p), (items), (n), sizeof *(items)), (items)[(n)++] = (value))

/* Documentation (`##` lines) that ends just before the token, or NULL. */
const char *parse_doc(Parser *p, const Token *t);

/* ---- productions ---- */
void *parse_item(Parser *p);
void parse_fn(Parser *p, AstFn *f);
AstParam *parse_params(Parser *p, int *n);
AstType *parse_type(Parser *p);
AstBlock parse_block(Parser *p);
AstExpr *parse_expr(Parser *p);
AstExpr *parse_arith(Parser *p);
AstExpr *parse_unary(Parser *p);
AstExpr *parse_postfix(Parser *p);
AstExpr *parse_primary(Parser *p);
AstExpr *parse_string(Parser *p);
AstExpr *parse_place(Parser *p);
AstExpr *parse_metric(Parser *p);
AstArg *parse_args(Parser *p, const Token *open, int *n, bool tuple);
AstPattern *parse_pattern(Parser *p);
AstRange parse_range(Parser *p);
AstExpr *parse_condition(Parser *p, const char *word);
AstTrainBlock parse_train_block(Parser *p);
AstExpr *parse_new_expr(Parser *p, AstExprKind kind, const Token *first);
AstExpr *parse_new_binary(Parser *p, AstOp op, const Token *sign, AstExpr *a, AstExpr *b, const Token *first);

/* The parser over all tokens of a source; the tree is left in *file. The tokens keep the marks the formatter needs. */
void parse_tokens(Parser *p, AstFile *file);
#endif
