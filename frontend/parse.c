#include "frontend/parse.h"
#include "base/limits.h"
#include <stdarg.h>
#include <string.h>

const char *const ast_op_text[AST_OP_COUNT] = {
#define AST_OP(name, text) [name] = text,
    AST_OPS(AST_OP)
#undef AST_OP
};

bool ast_is_place(const AstExpr *e) {
  while (e->kind == AX_FIELD || e->kind == AX_INDEX) e = e->kind == AX_FIELD ? e->field.base : e->index.base;
  return e->kind == AX_NAME;
}

/* ---- tokens ---- */

bool tok_at_word(const Parser *p, const char *word) { return p->t->kind == T_NAME && !strcmp(p->t->name, word); }
bool tok_is_word(const Token *t) { return t->kind == T_NAME || t->kind >= K_USE; }

Token *tok_take(Parser *p) { return p->t->kind == T_EOF ? p->t : p->t++; }

bool tok_accept(Parser *p, TokenKind k) {
  if (!at(p, k)) return false;
  tok_take(p);
  return true;
}

bool tok_accept_word(Parser *p, const char *word) {
  if (!tok_at_word(p, word)) return false;
  tok_take(p);
  return true;
}

Loc tok_loc(const Parser *p, const Token *t) { return (Loc){p->source, t->begin, t->end}; }

Loc tok_loc_since(const Parser *p, const Token *first) {
  uint32_t end = p->t > p->lexed.tokens ? p->t[-1].end : p->t->end;
  return (Loc){p->source, first->begin, end > first->begin ? end : first->end};
}

const char *tok_text(const Parser *p, const Token *t) {
  size_t n;
  diag_source_text(p->diag, p->source, &n);
  if (t->kind == T_EOF) return t->begin < n ? "the end of the expression" : "the end of the file";
  if (t->kind == T_END && p->text[t->begin] == ';' && t->end > t->begin) return "`;`";
  if (t->kind == T_END) return "the end of the line";
  if (t->kind == T_STRING) return "a string";
  uint32_t len = t->end - t->begin;
  return arena_printf(p->arena, "`%.*s%s`", (int)(len < 40 ? len : 40), p->text + t->begin, len < 40 ? "" : "...");
}

Token *tok_expect(Parser *p, TokenKind k, const char *where) {
  if (!at(p, k)) {
    Loc here = tok_loc(p, p->t);
    parse_fail(p, here, E0101, NULL, "expected %s%s%s, found %s", lex_kind_text(k), *where ? " " : "", where,
               tok_text(p, p->t));
  }
  return tok_take(p);
}

void tok_expect_word(Parser *p, const char *word, const char *where) {
  if (!tok_accept_word(p, word))
    parse_fail(p, tok_loc(p, p->t), E0101, NULL, "expected `%s` %s, found %s", word, where, tok_text(p, p->t));
}

Token *tok_expect_close(Parser *p, const Token *open, TokenKind k, const char *or_else) {
  if (at(p, k)) return tok_take(p);
  const Token *t = p->t;
  bool closer = t->kind == T_RPAREN || t->kind == T_RBRACKET || t->kind == T_RBRACE;
  if (closer && t->depth >= open->depth && t->kind != T_RBRACE) {
    diag_error(p->diag, tok_loc(p, t), E0103, "%s does not close the %s that is open here", tok_text(p, t),
               lex_kind_text(open->kind));
    diag_note(p->diag, tok_loc(p, open), "opened here");
    longjmp(*p->recover, 1);
  }
  if (closer || t->kind == T_END || t->kind == T_EOF || t->depth <= open->depth) {
    diag_error(p->diag, tok_loc(p, t), E0102, "%s is not closed: expected %s, found %s", lex_kind_text(open->kind),
               lex_kind_text(k), tok_text(p, t));
    diag_note(p->diag, tok_loc(p, open), "opened here");
    longjmp(*p->recover, 1);
  }
  parse_fail(p, tok_loc(p, t), E0101, NULL, "expected %s%s, found %s", or_else, lex_kind_text(k), tok_text(p, t));
}

AstName tok_expect_name(Parser *p, const char *what) {
  if (p->t->kind >= K_USE)
    parse_fail(p, tok_loc(p, p->t), E0105, NULL, "%s is a reserved word; expected %s", tok_text(p, p->t), what);
  return tok_expect_any_name(p, what);
}

AstName tok_expect_any_name(Parser *p, const char *what) {
  if (!tok_is_word(p->t))
    parse_fail(p, tok_loc(p, p->t), E0101, NULL, "expected %s, found %s", what, tok_text(p, p->t));
  Token *t = tok_take(p);
  return (AstName){t->name, tok_loc(p, t)};
}

bool tok_accept_colon(Parser *p) {
  if (!at(p, T_COLON)) return false;
  tok_take(p)->loose_colon = true;
  return true;
}

void tok_expect_colon(Parser *p, const char *where) {
  if (!tok_accept_colon(p)) tok_expect(p, T_COLON, where);
}

/* Signs that go on with an expression but cannot begin one. */
static bool goes_on(TokenKind k) {
  switch (k) {
  case T_PLUS:
  case T_TIMES:
  case T_DIV:
  case T_FLOORDIV:
  case T_MOD:
  case T_AT:
  case T_POW:
  case T_EQ:
  case T_NE:
  case T_LT:
  case T_LE:
  case T_GT:
  case T_GE:
  case K_AND:
  case K_OR:
  case T_DOT:
  case T_DOTS: return true;
  default: return false;
  }
}

void tok_expect_end(Parser *p) {
  if (at(p, T_END) && p->t[0].begin < p->t[1].begin && goes_on(p->t[1].kind) && p->t[1].line_start) {
    tok_take(p);
    parse_fail_expected(p, "a statement");
  }
  if (at(p, T_RBRACE) || at(p, T_EOF) || tok_accept(p, T_END)) return;
  Loc here = tok_loc(p, p->t);
  if (at(p, T_RPAREN) || at(p, T_RBRACKET))
    parse_fail(p, here, E0103, NULL, "%s closes nothing: no such bracket is open", tok_text(p, p->t));
  if (at(p, K_ELSE)) parse_fail(p, here, E0110, NULL, "this `else` belongs to no `if` or `cond`");
  if (at(p, T_LBRACE) || at(p, T_COLON))
    parse_fail(p, here, E0104, NULL, "%s cannot follow here; expected the end of the statement", tok_text(p, p->t));
  parse_fail(p, here, E0104, "statements are separated by a newline or `;`",
             "expected the end of the statement, found %s", tok_text(p, p->t));
}

/* ---- errors and recovery ---- */

void parse_fail(Parser *p, Loc where, ErrorId id, const char *help, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  const char *text = arena_vprintf(p->arena, fmt, ap);
  va_end(ap);
  diag_error(p->diag, where, id, "%s", text);
  if (help) diag_help(p->diag, "%s", help);
  longjmp(*p->recover, 1);
}

void parse_fail_expected(Parser *p, const char *what) {
  const Token *t = p->t;
  Loc here = tok_loc(p, t);
  if (goes_on(t->kind) && t->line_start && t->kind != T_DOTS)
    parse_fail(p, here, E0117, "write it at the end of the line before, or put the expression into `( )`",
               "a line cannot begin with %s", tok_text(p, t));
  if (t->stray) parse_fail(p, here, E0103, NULL, "expected %s; %s closes nothing", what, tok_text(p, t));
  if (t->kind == T_LBRACE)
    parse_fail(p, here, E0113, "a record is written `(a = 1, b = 2)`, a list `[1, 2]`",
               "expected %s; braces do not make a value", what);
  if (t->kind == K_ELSE) parse_fail(p, here, E0110, NULL, "this `else` belongs to no `if` or `cond`");
  if (t->kind >= K_USE && t->kind <= K_PARAM && what[0] == 'a') /* an expression, a type */
    parse_fail(p, here, E0105, NULL, "expected %s, found the reserved word %s", what, tok_text(p, t));
  parse_fail(p, here, E0101, NULL, "expected %s, found %s", what, tok_text(p, t));
}

static void sync(Parser *p, uint32_t depth) {
  while (!at(p, T_EOF) && p->t->depth >= depth && !(at(p, T_END) && p->t->depth == depth)) {
    if (at(p, T_RBRACE) && p->t->depth < depth) return;
    p->t++;
  }
}

void *parse_guarded(Parser *p, void *(*one)(Parser *), uint32_t depth) {
  jmp_buf here, *outer = p->recover;
  int nesting = p->depth;
  void *volatile result = NULL;
  p->recover = &here;
  if (!setjmp(here)) result = one(p);
  else sync(p, depth);
  p->recover = outer;
  p->depth = nesting;
  return result;
}

void parse_deeper(Parser *p) {
  if (++p->depth > limits[LIMIT_nesting])
    parse_fail(p, tok_loc(p, p->t), E0108, "give parts a name with `let`, or allow more by `--limit nesting=N`",
               "this is nested more than %lld deep", (long long)limits[LIMIT_nesting]);
}

void *parse_grow(Parser *p, void *items, int n, size_t size) {
  if (n == 0) return arena_alloc(p->arena, 2 * size);
  if (n < 2 || (n & (n - 1))) return items;
  void *more = arena_alloc(p->arena, 2 * (size_t)n * size);
  memcpy(more, items, (size_t)n * size);
  return more;
}

/* ---- documentation ---- */

/* Whether only blanks and exactly one newline stand between the two places. */
static bool next_line(const char *text, uint32_t from, uint32_t to) {
  int lines = 0;
  for (uint32_t i = from; i < to; i++) {
    if (text[i] == '\n') lines++;
    else if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r') return false;
  }
  return lines == 1;
}

const char *parse_doc(Parser *p, const Token *t) {
  const Lexed *l = &p->lexed;
  uint32_t lo = 0, hi = l->n_comments; /* comments before the token */
  while (lo < hi) {
    uint32_t mid = lo + (hi - lo) / 2;
    if (l->comments[mid].begin < t->begin) lo = mid + 1;
    else hi = mid;
  }
  uint32_t first = lo, next = t->begin;
  for (; first > 0; first--) {
    const Comment *c = &l->comments[first - 1];
    if (!c->own_line || !c->doc || !next_line(p->text, c->end, next)) break;
    next = c->begin;
  }
  if (first == lo) return NULL;
  const char *doc = "";
  for (uint32_t i = first; i < lo; i++) {
    uint32_t b = l->comments[i].begin + 2, e = l->comments[i].end;
    if (b < e && p->text[b] == ' ') b++;
    doc = arena_printf(p->arena, "%s%s%.*s", doc, i > first ? "\n" : "", (int)(e - b), p->text + b);
  }
  return doc;
}

/* ---- files ---- */

/* file = { item END } . */
void parse_tokens(Parser *p, AstFile *file) {
  for (;;) {
    while (tok_accept(p, T_END)) {
    }
    if (at(p, T_EOF)) return;
    const Token *before = p->t;
    AstItem *item = parse_guarded(p, parse_item, 0);
    if (item) PUSH(p, file->items, file->n_items, item);
    if (p->t == before) p->t++;
  }
}

static AstFile *parse_part(Arena *a, Diag *d, uint32_t source, uint32_t begin, uint32_t end) {
  size_t n;
  Parser p = {.arena = a, .diag = d, .source = source, .text = diag_source_text(d, source, &n)};
  p.lexed = lex_source(a, d, source, begin, end < n ? end : (uint32_t)n, false);
  p.t = p.lexed.tokens;
  AstFile *file = arena_one(a, AstFile);
  file->source = source;
  parse_tokens(&p, file);
  return file;
}

AstFile *parse_file(Arena *a, Diag *d, uint32_t source) { return parse_part(a, d, source, 0, UINT32_MAX); }

/* The kind by the item's first word, and where its name begins. */
static AstItemKind outline_kind(const char *s, const char **name) {
  static const struct {
    const char *word;
    AstItemKind kind;
  } words[] = {{"fn ", AI_FN}, {"module ", AI_MODULE}, {"const ", AI_CONST}, {"type ", AI_TYPE}, {"use ", AI_USE}};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    size_t n = strlen(words[i].word);
    if (strncmp(s, words[i].word, n)) continue;
    *name = s + n;
    return words[i].kind;
  }
  INTERNAL("`%.20s` begins no item of the library", s);
}

static bool is_word_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* The beginning of the item behind `s`, or the end of the text. */
static const char *next_item(const char *s, const char *end) {
  while (s < end && (s = memchr(s, '\n', (size_t)(end - s))))
    if (++s < end && *s >= 'a' && *s <= 'z') return s;
  return end;
}

AstFile *parse_outline(Arena *a, Diag *d, uint32_t source) {
  size_t n;
  const char *text = diag_source_text(d, source, &n), *end = text + n;
  Parser p = {.arena = a};
  AstFile *file = arena_one(a, AstFile);
  file->source = source;
  const char *s = n && *text >= 'a' && *text <= 'z' ? text : next_item(text, end);
  for (const char *next; s < end; s = next) {
    const char *name;
    next = next_item(s, end);
    Loc at = {source, (uint32_t)(s - text), (uint32_t)(next - text)};
    AstItemKind kind = outline_kind(s, &name);
    if (kind == AI_USE) {
      AstFile *part = parse_part(a, d, source, at.begin, at.end);
      for (int i = 0; i < part->n_items; i++) PUSH(&p, file->items, file->n_items, part->items[i]);
      continue;
    }
    size_t len = 0;
    while (is_word_char(name[len])) len++;
    AstItem *x = arena_one(a, AstItem);
    x->kind = kind;
    x->loc = at;
    x->outline = true;
    x->name = (AstName){intern_n(name, len), {source, (uint32_t)(name - text), (uint32_t)(name - text + (long)len)}};
    PUSH(&p, file->items, file->n_items, x);
  }
  return file;
}

void parse_rest(Arena *a, Diag *d, AstItem *x) {
  if (!x->outline) return;
  const AstFile *part = parse_part(a, d, x->loc.file, x->loc.begin, x->loc.end);
  if (part->n_items != 1) INTERNAL("`%s` of the library is not one item", x->name.name);
  *x = *part->items[0];
}
