/* Tokens of one source text. Comments are kept beside them, for documentation and for the formatter. */
#ifndef FRONTEND_LEX_H
#define FRONTEND_LEX_H
#include "base/arena.h"
#include "base/diag.h"
#include <stdbool.h>
#include <stdint.h>

/* clang-format off */
/* SIGN(kind, spelling): longer ones first where one begins another. */
#define LEX_SIGNS(SIGN)                                                                                                \
  SIGN(T_ELLIPSIS, "...") SIGN(T_DOTS, "..") SIGN(T_DOT, ".") SIGN(T_ARROW, "->") SIGN(T_POW, "**")                    \
  SIGN(T_FLOORDIV, "//") SIGN(T_PLUS_SET, "+=") SIGN(T_MINUS_SET, "-=") SIGN(T_TIMES_SET, "*=")                        \
  SIGN(T_DIV_SET, "/=") SIGN(T_EQ, "==") SIGN(T_NE, "!=") SIGN(T_LE, "<=") SIGN(T_GE, ">=") SIGN(T_LT, "<")            \
  SIGN(T_GT, ">") SIGN(T_SET, "=") SIGN(T_PLUS, "+") SIGN(T_MINUS, "-") SIGN(T_TIMES, "*") SIGN(T_DIV, "/")            \
  SIGN(T_MOD, "%") SIGN(T_AT, "@") SIGN(T_COMMA, ",") SIGN(T_COLON, ":") SIGN(T_LPAREN, "(") SIGN(T_RPAREN, ")")       \
  SIGN(T_LBRACKET, "[") SIGN(T_RBRACKET, "]") SIGN(T_LBRACE, "{") SIGN(T_RBRACE, "}")

/* WORD(kind, spelling): the reserved words. */
#define LEX_WORDS(WORD)                                                                                                \
  WORD(K_USE, "use") WORD(K_CONST, "const") WORD(K_TYPE, "type") WORD(K_MODULE, "module") WORD(K_MODEL, "model")       \
  WORD(K_STATE, "state") WORD(K_DATA, "data") WORD(K_EXPORT, "export") WORD(K_FN, "fn") WORD(K_STEP, "step")           \
  WORD(K_TRAIN, "train") WORD(K_SWEEP, "sweep") WORD(K_PARAM, "param") WORD(K_LET, "let") WORD(K_FOR, "for")           \
  WORD(K_IN, "in") WORD(K_IF, "if") WORD(K_ELSE, "else") WORD(K_COND, "cond") WORD(K_SCAN, "scan")                     \
  WORD(K_VMAP, "vmap") WORD(K_WHILE, "while") WORD(K_SEEDED, "seeded") WORD(K_CHECKPOINT, "checkpoint")                \
  WORD(K_UPDATE, "update") WORD(K_REPORT, "report") WORD(K_ASSERT, "assert") WORD(K_CHECK, "check")                    \
  WORD(K_PRINT, "print") WORD(K_AND, "and") WORD(K_OR, "or") WORD(K_NOT, "not") WORD(K_TRUE, "true")                   \
  WORD(K_FALSE, "false") WORD(K_NONE, "none")
/* clang-format on */

/* clang-format off */
typedef enum TokenKind {
  T_EOF,
  T_END,    /* a newline that ends a statement, or ";" */
  T_NAME,   /* name */
  T_INT,    /* i */
  T_FLOAT,  /* f */
  T_STRING, /* quotes included in the place */
#define SIGN(kind, text) kind,
  LEX_SIGNS(SIGN)
#undef SIGN
#define WORD(kind, text) kind,
  LEX_WORDS(WORD)
#undef WORD
  T_KINDS
} TokenKind;
/* clang-format on */

typedef struct Token {
  TokenKind kind;
  uint32_t begin, end;
  uint32_t depth;  /* how many brackets are open around it; an opening and its closing one have the same */
  bool line_start; /* the first token of its line */
  bool stray;      /* a closing bracket that closes nothing */
  bool tight; /* set by the parser: a bracket that belongs to what stands before it, a minus sign before its operand */
  bool loose_colon; /* set by the parser: a colon before a type */
  union {
    const char *name;
    int64_t i;
    double f;
  };
} Token;

typedef struct Comment {
  uint32_t begin, end; /* from "#" to before the newline, trailing blanks left out */
  bool own_line;       /* nothing stands before it on its line */
  bool doc;            /* begins with "##" */
} Comment;

typedef struct Lexed {
  Token *tokens; /* ends with T_EOF */
  uint32_t n_tokens;
  Comment *comments;
  uint32_t n_comments;
  bool open; /* a bracket is open at the end, or what stands there ends no statement */
} Lexed;

/* The tokens of text[begin, end) of a registered source. Newlines within the range end statements unless `inside`
 * (interpolated expressions). Errors E0002 to E0008 are reported; the text goes on behind the place. */
Lexed lex_source(Arena *a, Diag *d, uint32_t source, uint32_t begin, uint32_t end, bool inside);

/* The offset behind the string literal that begins at `at` (its opening quote), interpolated parts and their own
 * strings included; *closed tells whether it ends before the line does. */
uint32_t lex_string_end(const char *text, uint32_t at, uint32_t end, bool *closed);
/* The offset of the "}" that ends the interpolation whose "{" is at `at`, or `end` when there is none on the line. */
uint32_t lex_interpolation_end(const char *text, uint32_t at, uint32_t end);

/* How a token of this kind is written: "`->`", "a name", "the end of the line". */
const char *lex_kind_text(TokenKind kind);
#endif
