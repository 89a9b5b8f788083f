#include "frontend/lex.h"
#include "base/ds.h"
#include "base/utf8.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
  const char *text;
  uint32_t n;
  TokenKind kind;
} signs[] = {
#define SIGN(kind, text) {text, sizeof text - 1, kind},
    LEX_SIGNS(SIGN)
#undef SIGN
};

static const struct {
  const char *text;
  uint32_t n;
  TokenKind kind;
} words[] = {
#define WORD(kind, text) {text, sizeof text - 1, kind},
    LEX_WORDS(WORD)
#undef WORD
};

const char *lex_kind_text(TokenKind kind) {
  static const char *const text[T_KINDS] = {[T_EOF] = "the end of the file",
                                            [T_END] = "the end of the statement",
                                            [T_NAME] = "a name",
                                            [T_INT] = "a number",
                                            [T_FLOAT] = "a number",
                                            [T_STRING] = "a string",
#define SIGN(kind, text) [kind] = "`" text "`",
                                            LEX_SIGNS(SIGN)
#undef SIGN
#define WORD(kind, text) [kind] = "`" text "`",
                                                LEX_WORDS(WORD)
#undef WORD
  };
  return text[kind];
}

typedef struct Lexer {
  Diag *diag;
  uint32_t file, at, end;
  const char *s;
  Token *tokens;     /* stb_ds */
  Comment *comments; /* stb_ds */
  char *open;        /* stb_ds: the opening brackets around this place */
  bool inside;       /* newlines mean nothing: an interpolated expression */
  bool line_start;
  TokenKind item; /* the word that begins the item being read */
} Lexer;

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_word_char(char c) { return is_letter(c) || is_digit(c); }
static char char_at(const Lexer *l, uint32_t i) { return i < l->end ? l->s[i] : 0; }

static Token *put(Lexer *l, TokenKind kind, uint32_t begin, uint32_t end) {
  Token t = {
      .kind = kind, .begin = begin, .end = end, .depth = (uint32_t)arrlenu(l->open), .line_start = l->line_start};
  l->line_start = false;
  arrput(l->tokens, t);
  return &arrlast(l->tokens);
}

/* ---- strings ---- */

uint32_t lex_interpolation_end(const char *text, uint32_t at, uint32_t end) {
  int depth = 0;
  for (uint32_t i = at; i < end && text[i] != '\n'; i++) {
    if (text[i] == '{') depth++;
    else if (text[i] == '}' && --depth == 0) return i;
    else if (text[i] == '"') {
      uint32_t k = i + 1; /* a string inside: braces in it do not count, escapes are passed over */
      while (k < end && text[k] != '"' && text[k] != '\n') k += text[k] == '\\' && k + 1 < end ? 2 : 1;
      if (k >= end || text[k] != '"') return end;
      i = k;
    }
  }
  return end;
}

uint32_t lex_string_end(const char *text, uint32_t at, uint32_t end, bool *closed) {
  *closed = false;
  for (uint32_t i = at + 1; i < end; i++) {
    if (text[i] == '\n') return i;
    if (text[i] == '"') {
      *closed = true;
      return i + 1;
    }
    if (text[i] == '\\' && i + 1 < end && text[i + 1] != '\n') i++;
    else if (text[i] == '{' && i + 1 < end && text[i + 1] == '{') i++;
    else if (text[i] == '{') {
      uint32_t k = lex_interpolation_end(text, i, end);
      if (k < end) i = k;
    }
  }
  return end;
}

static void lex_string(Lexer *l) {
  bool closed;
  uint32_t begin = l->at, end = lex_string_end(l->s, begin, l->end, &closed);
  if (!closed) {
    while (end > begin + 1 && (l->s[end - 1] == '\r' || l->s[end - 1] == ' ')) end--;
    diag_error(l->diag, (Loc){l->file, begin, end}, E0004, "this string does not end on its line");
    diag_help(l->diag, "close it with `\"`; a newline inside is written `\\n`");
  }
  put(l, T_STRING, begin, end);
  l->at = end;
}

/* ---- numbers ---- */

static void number_error(Lexer *l, uint32_t begin, const char *help) {
  while (is_word_char(char_at(l, l->at)) || (l->s[l->at] == '.' && is_digit(char_at(l, l->at + 1)))) l->at++;
  diag_error(l->diag, (Loc){l->file, begin, l->at}, E0007, "`%.*s` is not a number", (int)(l->at - begin),
             l->s + begin);
  if (help) diag_help(l->diag, "%s", help);
  put(l, T_INT, begin, l->at)->i = 0;
}

/* NUMBER = digit { digit } [ "." digit { digit } ] [ ( "e" | "E" ) [ "+" | "-" ] digit { digit } ]
 *        | "0x" hexdigit { hexdigit } . */
static void lex_number(Lexer *l) {
  uint32_t begin = l->at, i = begin;
  bool real = false, hex = l->s[i] == '0' && (char_at(l, i + 1) == 'x' || char_at(l, i + 1) == 'X');
  if (hex)
    for (i += 2; is_digit(char_at(l, i)) || (char_at(l, i) && strchr("abcdefABCDEF", l->s[i]));) i++;
  else {
    while (is_digit(char_at(l, i))) i++;
    if (char_at(l, i) == '.' && is_digit(char_at(l, i + 1))) {
      real = true;
      for (i++; is_digit(char_at(l, i));) i++;
    }
    if (char_at(l, i) == 'e' || char_at(l, i) == 'E') {
      uint32_t k = i + 1;
      if (char_at(l, k) == '+' || char_at(l, k) == '-') k++;
      if (is_digit(char_at(l, k))) {
        real = true;
        for (i = k; is_digit(char_at(l, i));) i++;
      }
    }
  }
  l->at = i;
  if (is_word_char(char_at(l, i)) || (hex && i == begin + 2)) return number_error(l, begin, NULL);
  if (!hex && char_at(l, i) == '.' && char_at(l, i + 1) != '.') {
    l->at++;
    return number_error(l, begin, "write a digit behind the point: `1.0`");
  }
  if (!hex && !real && l->s[begin] == '0' && i > begin + 1)
    return number_error(l, begin, "whole numbers do not begin with 0");
  char small[64], *digits = i - begin < sizeof small ? small : zeroed(i - begin, 1);
  memcpy(digits, l->s + begin, i - begin);
  digits[i - begin] = 0;
  errno = 0;
  Token *t = put(l, real ? T_FLOAT : T_INT, begin, i);
  if (real) t->f = strtod(digits, NULL);
  else t->i = strtoll(digits, NULL, hex ? 16 : 10);
  if (errno == ERANGE && (!real || t->f > 1)) {
    diag_error(l->diag, (Loc){l->file, begin, i}, E0008, "this number is too large for %s", real ? "f64" : "64 bits");
    t->i = 0;
  }
  if (digits != small) free(digits);
}

/* ---- words ---- */

/* A word at the left edge that can only begin an item. A bracket that is still open there was forgotten further up, so
 * the count of brackets starts again: one forgotten sign then costs one message and not the rest of the file. */
static bool begins_item(const Lexer *l, TokenKind kind, uint32_t end) {
  static const TokenKind items[] = {K_USE,  K_CONST,  K_TYPE, K_MODULE, K_MODEL,
                                    K_DATA, K_EXPORT, K_STEP, K_TRAIN,  K_SWEEP};
  bool item = false;
  for (size_t i = 0; i < sizeof items / sizeof *items; i++) item |= items[i] == kind;
  item |= kind == K_FN && (l->item != K_MODULE || arrlenu(l->open) > 1);
  while (char_at(l, end) == ' ') end++;
  char next = char_at(l, end);
  return item && (is_letter(next) || next == '"' || next == '{');
}

static void lex_word(Lexer *l) {
  uint32_t begin = l->at, i = begin;
  while (is_word_char(char_at(l, i))) i++;
  TokenKind kind = T_NAME;
  for (size_t k = 0; k < sizeof words / sizeof *words; k++)
    if (words[k].n == i - begin && words[k].text[0] == l->s[begin] && !memcmp(words[k].text, l->s + begin, i - begin))
      kind = words[k].kind;
  if (!l->inside && (begin == 0 || l->s[begin - 1] == '\n') && arrlenu(l->open) && begins_item(l, kind, i)) {
    arrsetlen(l->open, 0);
    if (arrlenu(l->tokens) && arrlast(l->tokens).kind != T_END) put(l, T_END, begin - 1, begin);
    l->line_start = true;
  }
  if (!arrlenu(l->open) && (!arrlenu(l->tokens) || arrlast(l->tokens).kind == T_END)) l->item = kind;
  put(l, kind, begin, i)->name = intern_n(l->s + begin, i - begin);
  l->at = i;
}

/* ---- newlines ---- */

/* What a statement cannot end with: binary operators, ",", "=", "->", "..", "with". */
static bool goes_on_behind(const Lexer *l) {
  if (!arrlenu(l->tokens)) return true;
  const Token *t = &arrlast(l->tokens);
  switch (t->kind) {
  case T_DOTS:
  case T_ARROW:
  case T_POW:
  case T_FLOORDIV:
  case T_PLUS_SET:
  case T_MINUS_SET:
  case T_TIMES_SET:
  case T_DIV_SET:
  case T_EQ:
  case T_NE:
  case T_LE:
  case T_GE:
  case T_LT:
  case T_GT:
  case T_SET:
  case T_PLUS:
  case T_MINUS:
  case T_TIMES:
  case T_DIV:
  case T_MOD:
  case T_AT:
  case T_COMMA:
  case K_AND:
  case K_OR:
  case K_NOT: return true;
  case T_NAME: return !strcmp(t->name, "with");
  default: return false;
  }
}

static bool word_is(const Lexer *l, uint32_t at, const char *word) {
  uint32_t n = (uint32_t)strlen(word);
  return at + n <= l->end && !memcmp(l->s + at, word, n) && !is_word_char(char_at(l, at + n));
}

/* Whether the next line that says something begins with a word that goes on: "else", "->" and, outside all braces,
 * "pad", "pack", "backward". */
static bool goes_on_before(const Lexer *l, uint32_t i) {
  for (; i < l->end; i++) {
    if (l->s[i] == '#')
      while (i < l->end && l->s[i] != '\n') i++;
    if (i < l->end && !strchr(" \t\r\n", l->s[i])) break;
  }
  if (word_is(l, i, "else") || (i + 1 < l->end && l->s[i] == '-' && l->s[i + 1] == '>')) return true;
  if (arrlenu(l->open)) return false;
  return word_is(l, i, "pad") || word_is(l, i, "pack") || word_is(l, i, "backward");
}

static void lex_newline(Lexer *l) {
  char open = arrlenu(l->open) ? arrlast(l->open) : '{';
  bool ends = !l->inside && open == '{' && !goes_on_behind(l) && !goes_on_before(l, l->at);
  if (ends && arrlast(l->tokens).kind != T_END && arrlast(l->tokens).kind != T_LBRACE) put(l, T_END, l->at, l->at + 1);
  l->at++;
  l->line_start = true;
}

/* ---- brackets and other signs ---- */

/* A closing sign without its opening one closes the innermost bracket that is no brace, as if it were a slip of the
 * sign. */
static bool close_bracket(Lexer *l, char opening) {
  for (size_t i = arrlenu(l->open); i > 0; i--) {
    if (l->open[i - 1] == opening) {
      arrsetlen(l->open, i - 1);
      return true;
    }
    if (l->open[i - 1] == '{') break; /* a round or square bracket never closes a block */
  }
  if (!arrlenu(l->open) || arrlast(l->open) == '{') return false;
  arrsetlen(l->open, arrlenu(l->open) - 1);
  return true;
}

static bool lex_sign(Lexer *l) {
  for (size_t k = 0; k < sizeof signs / sizeof *signs; k++) {
    if (signs[k].n > l->end - l->at || memcmp(signs[k].text, l->s + l->at, signs[k].n)) continue;
    TokenKind kind = signs[k].kind;
    bool closed = true;
    if (kind == T_RPAREN) closed = close_bracket(l, '(');
    if (kind == T_RBRACKET) closed = close_bracket(l, '[');
    if (kind == T_RBRACE) {
      while (arrlenu(l->open) && arrlast(l->open) != '{') arrsetlen(l->open, arrlenu(l->open) - 1);
      closed = close_bracket(l, '{');
    }
    put(l, kind, l->at, l->at + signs[k].n)->stray = !closed;
    if (kind == T_LPAREN || kind == T_LBRACKET || kind == T_LBRACE) arrput(l->open, l->s[l->at]);
    l->at += signs[k].n;
    return true;
  }
  return false;
}

/* Signs of other languages: what stands for them here, and the token that is taken in their place. */
static const struct {
  const char *sign, *help;
  TokenKind stand_in; /* T_EOF: none */
} foreign[] = {{"&&", "write `and`", K_AND},
               {"&", "write `and`; it works on bool tensors too", K_AND},
               {"||", "write `or`", K_OR},
               {"|", "write `or`; it works on bool tensors too", K_OR},
               {"!", "write `not`", K_NOT},
               {"^", "a power is written `**`", T_POW},
               {"~", "write `not`", K_NOT},
               {"'", "strings are written with `\"`", T_INT},
               {"?", "write `if c { a } else { b }`", T_EOF}};

static int foreign_sign(const Lexer *l, uint32_t begin) {
  for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
    size_t n = strlen(foreign[i].sign);
    if (n <= l->end - begin && !memcmp(foreign[i].sign, l->s + begin, n)) return (int)i;
  }
  return -1;
}

/* A name with letters beyond a to z: one mistake, and a name all the same. */
static void strange_name(Lexer *l) {
  Token *last = arrlenu(l->tokens) ? &arrlast(l->tokens) : NULL;
  bool joins = last && last->kind == T_NAME && last->end == l->at;
  uint32_t begin = joins ? last->begin : l->at;
  for (int len = 1; l->at < l->end && len; l->at += (uint32_t)len) {
    len = utf8_len(l->s + l->at, l->end - l->at);
    if (len == 1 && !is_word_char(l->s[l->at])) break;
  }
  diag_error(l->diag, (Loc){l->file, begin, l->at}, E0003, "`%.*s` has signs that cannot stand in a name",
             (int)(l->at - begin), l->s + begin);
  diag_help(l->diag, "names are made of the letters a to z, digits and `_`");
  if (joins) last->end = l->at;
  else last = put(l, T_NAME, begin, l->at);
  last->name = intern_n(l->s + begin, l->at - begin);
}

static void lex_strange(Lexer *l) {
  uint32_t begin = l->at++;
  unsigned char c = (unsigned char)l->s[begin];
  if ((c == '&' || c == '|') && char_at(l, l->at) == (char)c) l->at++;
  if (c == '\'') { /* up to its partner, as one value */
    uint32_t i = l->at;
    while (i < l->end && l->s[i] != '\n' && l->s[i] != '\'') i++;
    if (char_at(l, i) == '\'') l->at = i + 1;
  }
  Loc at = {l->file, begin, l->at};
  if (c < 0x20 || c == 0x7F)
    diag_error(l->diag, at, E0003, "the control character 0x%02x cannot stand in a program", c);
  else diag_error(l->diag, at, E0003, "`%.*s` is no sign of the language", (int)(l->at - begin), l->s + begin);
  int k = foreign_sign(l, begin);
  if (k < 0) return;
  diag_help(l->diag, "%s", foreign[k].help);
  if (foreign[k].stand_in) put(l, foreign[k].stand_in, begin, l->at)->i = 0;
}

static void lex_comment(Lexer *l) {
  Comment c = {.begin = l->at, .own_line = l->line_start, .doc = char_at(l, l->at + 1) == '#'};
  while (l->at < l->end && l->s[l->at] != '\n') l->at++;
  c.end = l->at;
  while (c.end > c.begin && strchr(" \t\r", l->s[c.end - 1])) c.end--;
  arrput(l->comments, c);
}

/* Every byte that is not part of well-formed UTF-8 is one mistake of the file; the first of each run is reported. */
static void check_utf8(Lexer *l) {
  uint32_t bad_from = 0;
  bool bad = false;
  for (uint32_t i = l->at; i <= l->end;) {
    int len = i < l->end ? utf8_len(l->s + i, l->end - i) : 1;
    if (!len && !bad) bad_from = i;
    if (len && bad) {
      diag_error(l->diag, (Loc){l->file, bad_from, i}, E0002, "this is not UTF-8 (byte 0x%02x)",
                 (unsigned char)l->s[bad_from]);
      diag_help(l->diag, "save the file as UTF-8");
    }
    bad = !len;
    i += len ? (uint32_t)len : 1;
  }
}

Lexed lex_source(Arena *a, Diag *d, uint32_t source, uint32_t begin, uint32_t end, bool inside) {
  Lexer l = {.diag = d, .file = source, .at = begin, .end = end, .inside = inside, .line_start = true};
  l.s = diag_source_text(d, source, NULL);
  arrsetcap(l.tokens, (end - begin) / 4 + 4); /* what programs have; it grows where there are more */
  if (!inside) {
    check_utf8(&l);
    if (end - begin >= 3 && !memcmp(l.s + begin, "\xEF\xBB\xBF", 3)) l.at += 3; /* byte order mark */
  }
  while (l.at < l.end) {
    char c = l.s[l.at];
    if (c == '\n') lex_newline(&l);
    else if (c == ' ' || c == '\t' || c == '\r') l.at++;
    else if (c == '#' && !inside) lex_comment(&l);
    else if (c == '"') lex_string(&l);
    else if (is_digit(c)) lex_number(&l);
    else if (c == '.' && is_digit(char_at(&l, l.at + 1)) && (!arrlenu(l.tokens) || arrlast(l.tokens).kind != T_DOT)) {
      number_error(&l, l.at, "write a digit before the point: `0.5`");
    } else if (is_letter(c)) lex_word(&l);
    else if (c == ';') {
      put(&l, T_END, l.at, l.at + 1);
      l.at++;
    } else if ((unsigned char)c >= 0x80) {
      if (utf8_len(l.s + l.at, l.end - l.at)) strange_name(&l);
      else l.at++; /* reported by check_utf8 */
    } else if (!lex_sign(&l)) lex_strange(&l);
  }
  bool open = arrlenu(l.open) || goes_on_behind(&l);
  if (!inside && arrlenu(l.tokens) && arrlast(l.tokens).kind != T_END) put(&l, T_END, end, end);
  put(&l, T_EOF, end, end);
  Lexed r = {.n_tokens = (uint32_t)arrlenu(l.tokens), .n_comments = (uint32_t)arrlenu(l.comments), .open = open};
  r.tokens = arena_copy(a, l.tokens, r.n_tokens * sizeof(Token));
  r.comments = arena_copy(a, l.comments, r.n_comments * sizeof(Comment));
  arrfree(l.tokens);
  arrfree(l.comments);
  arrfree(l.open);
  return r;
}
