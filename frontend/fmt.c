#include "frontend/fmt.h"
#include "base/utf8.h"
#include "frontend/parse.h"
#include <string.h>

enum { WIDTH = 120, INDENT = 2, SMALL_BLOCK = 40 };

/* A token or a comment. Newlines are marks on the pieces they stand before, taken from the text first and added to
 * where a line is too long; the output is a function of the pieces and these marks alone. */
typedef struct Piece {
  const char *s;
  int n;          /* bytes */
  int width;      /* code points */
  TokenKind kind; /* T_EOF: a comment */
  bool own_line;  /* a comment with a line of its own */
  bool boundary;  /* a statement ended before it */
  bool starts;    /* the first piece of a statement, or a comment between statements */
  bool nl, blank; /* a newline (and an empty line) before it */
  bool space;     /* a blank before it, when no newline */
  int partner;    /* of a bracket: the other one */
} Piece;

typedef struct Open {
  int piece;       /* the opening bracket; -1: the file */
  int base;        /* what its contents are indented from */
  int column;      /* behind the bracket */
  bool hanging;    /* a newline follows it */
  int line;        /* the first piece of the line it stands on */
  int stmt;        /* indentation of the statement that is being printed inside */
  TokenKind first; /* the first token of that statement */
} Open;

typedef struct Fmt {
  Arena *arena;
  Buf *out;
  Piece *p;
  int n;
  Open *stack;
  int depth; /* of the stack; at least 1 */
} Fmt;

static bool opens(TokenKind k) { return k == T_LPAREN || k == T_LBRACKET || k == T_LBRACE; }
static bool closes(TokenKind k) { return k == T_RPAREN || k == T_RBRACKET || k == T_RBRACE; }

/* ---- pieces ---- */

/* The operators that the writer may set tight, to show what belongs together: 2*width * 49. */
static bool may_be_tight(TokenKind k) {
  return k == T_TIMES || k == T_DIV || k == T_FLOORDIV || k == T_MOD || k == T_POW;
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

static bool tight_in(const char *text, const Token *t) {
  return may_be_tight(t->kind) && !is_blank(text[t->begin - 1]) && !is_blank(text[t->end]) && text[t->end] != '#';
}

static bool needs_space(const char *text, const Token *a, const Token *b) {
  if (a->kind == T_LPAREN || a->kind == T_LBRACKET || b->kind == T_RPAREN || b->kind == T_RBRACKET) return false;
  if (b->kind == T_COLON && !b->loose_colon) return a->kind == T_COMMA;
  if (b->kind == T_COMMA || b->kind == T_COLON || (b->tight && opens(b->kind))) return false;
  if (a->kind == T_DOT || b->kind == T_DOT || a->kind == T_DOTS || b->kind == T_DOTS) return false;
  if (a->kind == T_ELLIPSIS && b->kind == T_NAME) return false;
  if (a->kind == T_LBRACE && b->kind == T_RBRACE) return false;
  if (a->kind == T_COLON) return a->loose_colon;
  if (a->kind == T_MINUS && a->tight) return false;
  return !tight_in(text, a) && !tight_in(text, b);
}

static int count_columns(const char *s, int n) {
  int width = 0;
  for (int i = 0; i < n; width++) {
    int len = utf8_len(s + i, (size_t)(n - i));
    i += len ? len : 1;
  }
  return width;
}

static Piece *add_piece(Fmt *f, const char *text, uint32_t begin, uint32_t end, TokenKind kind, uint32_t before) {
  Piece *p = &f->p[f->n++];
  *p = (Piece){.s = text + begin, .n = (int)(end - begin), .kind = kind, .partner = -1};
  p->width = count_columns(p->s, p->n);
  int lines = 0;
  for (uint32_t i = before; i < begin; i++) lines += text[i] == '\n';
  p->nl = lines > 0;
  p->blank = lines > 1;
  return p;
}

/* Merges tokens and comments in the order of the text and marks what stands between them. */
static void collect(Fmt *f, const Lexed *l, const char *text) {
  f->p = arena_array(f->arena, Piece, l->n_tokens + l->n_comments + 1);
  uint32_t end = 0, c = 0;
  const Token *last = NULL; /* the token before, T_END left out */
  bool boundary = true;
  for (const Token *t = l->tokens;; t++) {
    if (t->kind == T_END) {
      boundary = true;
      continue;
    }
    bool start = boundary || (last && last->kind == T_LBRACE), after_comment = false;
    for (; c < l->n_comments && (t->kind == T_EOF || l->comments[c].begin < t->begin); c++) {
      const Comment *k = &l->comments[c];
      Piece *p = add_piece(f, text, k->begin, k->end, T_EOF, end);
      p->own_line = k->own_line;
      p->starts = start && k->own_line;
      end = k->end;
      after_comment = true;
    }
    if (t->kind == T_EOF) return;
    Piece *p = add_piece(f, text, t->begin, t->end, t->kind, end);
    p->boundary = boundary;
    p->starts = start && !closes(t->kind);
    p->space = last && !after_comment && needs_space(text, last, t);
    end = t->end;
    last = t;
    boundary = false;
  }
}

static bool is_comment(const Piece *p) { return p->kind == T_EOF; }

/* Whether a newline follows the bracket; a comment behind it on its line does not count. */
static bool hangs(const Fmt *f, int bracket) {
  int next = bracket + 1;
  while (next < f->n && is_comment(&f->p[next]) && !f->p[next].own_line) next++;
  return next < f->n && f->p[next].nl;
}

/* Pairs the brackets. A block is open (its statements on lines of their own) when a newline stands at its own level:
 * behind its brace, before the closing one, or between its statements. */
static void pair(Fmt *f) {
  int *stack = arena_array(f->arena, int, f->n + 1), depth = 0;
  bool *open = arena_array(f->arena, bool, f->n + 1);
  for (int i = 0; i < f->n; i++) {
    Piece *p = &f->p[i];
    int top = depth ? stack[depth - 1] : -1;
    if (top >= 0 && f->p[top].kind == T_LBRACE && p->nl && (p->starts || p->kind == T_RBRACE || i == top + 1))
      open[top] = true;
    if (closes(p->kind) && depth) {
      p->partner = top;
      f->p[top].partner = i;
      depth--;
      bool braces = p->kind == T_RBRACE, empty = i == top + 1;
      if (braces) f->p[top + 1].nl = p->nl = open[top] && !empty;
      else p->nl = (hangs(f, top) && !empty) || is_comment(&f->p[i - 1]);
      if (braces && !empty && is_comment(&f->p[top + 1]) && !f->p[top + 1].own_line) f->p[top + 1].nl = false;
    }
    if (opens(p->kind)) stack[depth++] = i;
  }
}

/* Newlines that never stay, whatever the writer did. */
static void tidy(Fmt *f) {
  for (int i = 1; i < f->n; i++) {
    Piece *p = &f->p[i], *before = &f->p[i - 1];
    if (is_comment(before)) p->nl = true; /* a comment ends with its line */
    else if (p->kind == K_ELSE && before->kind == T_RBRACE && before->nl) p->nl = false;
    else if (p->kind == T_LBRACE || p->kind == T_COMMA) p->nl = false;
    if (is_comment(p) && !p->own_line) p->nl = false;
  }
}

/* ---- lines ---- */

static Open *top(Fmt *f) { return &f->stack[f->depth - 1]; }

static int indent_of(Fmt *f, int i) {
  const Piece *p = &f->p[i];
  Open *o = top(f);
  if (closes(p->kind)) return o->base;
  if (p->starts) return o->piece < 0 ? 0 : o->base + INDENT;
  if (o->piece >= 0 && f->p[o->piece].kind != T_LBRACE) return o->hanging ? o->base + INDENT : o->column;
  while (is_comment(p) && p < f->p + f->n - 1) p++; /* a comment stands as what it stands before */
  if (closes(p->kind) || p->starts) return o->piece < 0 ? 0 : o->base + INDENT;
  if (p->kind == T_ARROW) return o->stmt + 2 * INDENT;
  if (p->kind == K_ELSE && (o->first == K_IF || o->first == K_COND)) return o->stmt;
  if (p->kind == T_NAME && p->n == 8 && !memcmp(p->s, "backward", 8)) return o->stmt;
  return o->stmt + INDENT;
}

/* The columns that the blanks or the `; ` before the piece take, when no newline stands there. */
static int gap(const Fmt *f, int i) {
  const Piece *p = &f->p[i];
  if (is_comment(p)) return 2;
  if (p->boundary && !closes(p->kind)) return f->p[i - 1].kind == T_LBRACE ? 1 : 2;
  return p->boundary ? 1 : p->space;
}

static int line_end(const Fmt *f, int i) {
  int j = i + 1;
  while (j < f->n && !f->p[j].nl) j++;
  return j;
}

/* Columns of the pieces [i, j) on one line that is indented by `indent`; a comment at the end does not count. */
static int width_of(const Fmt *f, int i, int j, int indent) {
  int w = indent;
  for (int k = i; k < j; k++)
    if (k == i || !is_comment(&f->p[k])) w += f->p[k].width + (k > i ? gap(f, k) : 0);
  return w;
}

/* How little a newline before piece k is wanted, by what stands there; -1: it cannot stand there. The first that counts
 * is the depth of the brackets. */
static int reluctance(const Fmt *f, int k, int depth) {
  TokenKind before = f->p[k - 1].kind, here = f->p[k].kind;
  if (is_comment(&f->p[k]) || closes(here)) return -1;
  if (here == T_ARROW) return 0;
  switch (before) {
  case T_COMMA: return depth ? 0 : 1;
  case K_AND:
  case K_OR: return 1;
  case T_SET:
  case T_PLUS_SET:
  case T_MINUS_SET:
  case T_TIMES_SET:
  case T_DIV_SET: return depth ? 8 : 1;
  case T_EQ:
  case T_NE:
  case T_LT:
  case T_LE:
  case T_GT:
  case T_GE: return 2;
  case T_PLUS:
  case T_MINUS: return f->p[k].space ? 3 : -1; /* not behind a sign */
  case T_TIMES:
  case T_DIV:
  case T_FLOORDIV:
  case T_MOD:
  case T_AT: return 4;
  case T_POW: return 7;
  case T_LPAREN:
  case T_LBRACKET: return 9;
  case T_NAME: return depth == 0 && f->p[k - 1].n == 4 && !memcmp(f->p[k - 1].s, "with", 4) ? 0 : -1;
  default: return -1;
  }
}

/* Breaks the line [i, j) behind a `;` between its statements: the last one that fits. */
static bool break_statements(Fmt *f, int i, int j, int indent) {
  int depth = 0, at = -1;
  for (int k = i, w = indent; k < j; k++) {
    w += f->p[k].width + (k > i ? gap(f, k) : 0);
    if (k > i && depth == 0 && f->p[k].starts && !is_comment(&f->p[k]) && (at < 0 || w - f->p[k].width - 2 <= WIDTH))
      at = k;
    depth += opens(f->p[k].kind) - closes(f->p[k].kind);
    if (depth < 0) depth = 0; /* of a bracket before the line */
  }
  if (at < 0) return false;
  f->p[at].nl = true;
  return true;
}

/* Opens the outermost one-line blocks of the line. Small ones inside of brackets only when `all`. */
static bool open_blocks(Fmt *f, int i, int j, int indent, bool all) {
  int least = -1, depth = 0;
  bool done = false;
  for (int round = 0; round < 2; round++) {
    depth = 0;
    for (int k = i, w = indent; k < j; k++) {
      const Piece *p = &f->p[k];
      w += p->width + (k > i ? gap(f, k) : 0);
      if (p->kind == T_LBRACE && p->partner > k + 1 && !f->p[k + 1].nl && (w <= WIDTH || round == 1)) {
        bool small = width_of(f, k, p->partner, 0) < SMALL_BLOCK;
        if (round == 0 && (all || depth == 0 || !small) && (least < 0 || depth < least)) least = depth;
        if (round == 1 && depth == least && (all || depth == 0 || !small)) {
          f->p[k + 1].nl = f->p[p->partner].nl = done = true;
          tidy(f);
        }
      }
      depth += opens(p->kind) - closes(p->kind);
      if (depth < 0) depth = 0;
    }
  }
  return done;
}

/* Breaks the statement of the line [i, j) at the place where it is least unwelcome; of equal ones at the last that
 * fits. */
static bool break_inside(Fmt *f, int i, int j, int indent) {
  int best = -1, best_rank = 0, first = -1, depth = 0, stmt = f->p[i].starts ? indent : top(f)->stmt;
  for (int k = i, w = indent; k < j; k++) {
    if (k > i && w <= WIDTH) {
      int r = reluctance(f, k, depth);
      if (r >= 0 && first < 0) first = k;
      if (r == 1 && depth == 0 && f->p[k - 1].kind == T_SET && width_of(f, k, j, stmt + INDENT) > WIDTH)
        r = 12; /* it would not help */
      int rank = 10 * depth + r;
      if (r >= 0 && (best < 0 || rank <= best_rank)) best = k, best_rank = rank;
    }
    w += f->p[k].width + (k > i ? gap(f, k) : 0);
    depth += opens(f->p[k].kind) - closes(f->p[k].kind);
    if (depth < 0) depth = 0;
  }
  if (best < 0) best = first;
  if (best < 0) return false;
  f->p[best].nl = true;
  if (opens(f->p[best - 1].kind)) f->p[f->p[best - 1].partner].nl = true; /* as pair would have it */
  return true;
}

static bool break_line(Fmt *f, int i, int j, int indent) {
  return break_statements(f, i, j, indent) || open_blocks(f, i, j, indent, false) || break_inside(f, i, j, indent) ||
         open_blocks(f, i, j, indent, true);
}

static void print_gap(Fmt *f, int k) {
  const Piece *p = &f->p[k];
  if (p->boundary && !closes(p->kind) && !is_comment(p) && f->p[k - 1].kind != T_LBRACE) buf_str(f->out, "; ");
  else buf_fill(f->out, ' ', gap(f, k));
}

/* Prints the line [i, j) and follows the brackets. */
static void print_line(Fmt *f, int i, int j, int indent) {
  if (i > 0) buf_char(f->out, '\n');
  if (i > 0 && f->p[i].blank && f->p[i].starts && f->p[i - 1].kind != T_LBRACE) buf_char(f->out, '\n');
  buf_fill(f->out, ' ', indent);
  int column = indent, base = f->p[i].kind == T_ARROW ? top(f)->stmt : indent;
  for (int k = i; k < j; k++) {
    const Piece *p = &f->p[k];
    if (k > i) {
      print_gap(f, k);
      column += gap(f, k);
    }
    buf_bytes(f->out, p->s, (size_t)p->n);
    column += p->width;
    if (closes(p->kind) && f->depth > 1) {
      if (top(f)->line != i) base = top(f)->base;
      f->depth--;
    }
    if (p->starts && !is_comment(p)) {
      top(f)->stmt = base;
      top(f)->first = p->kind;
    }
    if (opens(p->kind)) {
      f->stack[f->depth++] =
          (Open){.piece = k, .base = base, .column = column, .hanging = hangs(f, k), .line = i, .stmt = base};
    }
  }
}

bool fmt_source(Arena *a, Diag *d, uint32_t source, Buf *out) {
  size_t n;
  int before = diag_errors(d);
  const char *text = diag_source_text(d, source, &n);
  Parser p = {.arena = a, .diag = d, .source = source, .text = text};
  p.lexed = lex_source(a, d, source, 0, (uint32_t)n, false);
  p.t = p.lexed.tokens;
  AstFile file = {.source = source};
  parse_tokens(&p, &file);
  if (diag_errors(d) > before) return false;
  Fmt f = {.arena = a, .out = out, .depth = 1};
  collect(&f, &p.lexed, text);
  pair(&f);
  tidy(&f);
  f.stack = arena_array(a, Open, f.n + 1);
  f.stack[0] = (Open){.piece = -1};
  for (int i = 0; i < f.n;) {
    int indent = indent_of(&f, i), j = line_end(&f, i);
    if (width_of(&f, i, j, indent) > WIDTH && break_line(&f, i, j, indent)) continue;
    print_line(&f, i, j, indent);
    i = j;
  }
  if (f.n) buf_char(out, '\n');
  return true;
}
