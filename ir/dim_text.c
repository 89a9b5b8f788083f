/* Dimensions as text: `.dnn` and C. */
#include "ir/dim_table.h"
#include "base/ds.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef struct Style {
  bool c;
  const char *(*name)(void *, int);
  void *ctx;
} Style;

static void print_poly(const DimTab *t, Buf *b, Dim d, const Style *s);

static void print_var(const DimTab *t, Buf *b, int var, const Style *s) {
  buf_str(b, s->name ? s->name(s->ctx, var) : t->vars[var].name);
}

/* Is d a name or a number that is not negative? */
static bool is_simple(const DimTab *t, Dim d) {
  int64_t v;
  return dim_as_var(t, d) >= 0 || (dim_is_int(t, d, &v) && v >= 0);
}

static void print_operand(const DimTab *t, Buf *b, Dim d, const Style *s) {
  bool bare = is_simple(t, d);
  if (!bare) buf_char(b, '(');
  print_poly(t, b, d, s);
  if (!bare) buf_char(b, ')');
}

/* `alone`: not a factor, so that `a // b` needs no parentheses. */
static void print_atom(const DimTab *t, Buf *b, uint32_t id, bool alone, const Style *s) {
  const DimAtom *a = &t->atoms[id];
  if (a->kind == ATOM_VAR) {
    print_var(t, b, a->var, s);
    return;
  }
  if (s->c) {
    buf_str(b, a->kind == ATOM_DIV ? "dnn_floordiv(" : "dnn_floormod(");
    print_poly(t, b, a->a, s);
    buf_str(b, ", ");
    print_poly(t, b, a->b, s);
    buf_char(b, ')');
    return;
  }
  if (!alone) buf_char(b, '(');
  print_operand(t, b, a->a, s);
  buf_str(b, a->kind == ATOM_DIV ? " // " : " % ");
  print_operand(t, b, a->b, s);
  if (!alone) buf_char(b, ')');
}

static void print_poly(const DimTab *t, Buf *b, Dim d, const Style *s) {
  DimPoly p = t->polys[d];
  if (p.n == 0) buf_char(b, '0');
  for (int i = 0; i < p.n; i++) {
    int64_t c = p.terms[i].c;
    DimMono m = t->monos[p.terms[i].mono];
    if (i > 0) {
      buf_str(b, c < 0 ? " - " : " + ");
      if (c < 0) c = -c;
    } else if (c < 0) {
      buf_char(b, '-');
      c = -c;
    }
    bool first_negative = i == 0 && p.terms[i].c < 0;
    if (m.n == 0 || c != 1) buf_int(b, c);
    for (int j = 0; j < m.n; j++) {
      if (j > 0 || c != 1) buf_char(b, '*');
      print_atom(t, b, m.atoms[j], m.n == 1 && c == 1 && !first_negative, s);
    }
  }
}

void dim_print(const DimTab *t, Buf *b, Dim d) {
  if (!dim_ok(t, d)) {
    buf_str(b, d == DIM_NONE ? "?" : "(too large)");
    return;
  }
  print_poly(t, b, d, &(Style){0});
}

void dim_print_as(const DimTab *t, Buf *b, Dim d, const char *(*name)(void *, int var), void *ctx) {
  if (dim_ok(t, d)) print_poly(t, b, d, &(Style){false, name, ctx});
  else dim_print(t, b, d);
}

void dim_print_c(const DimTab *t, Buf *b, Dim d, const char *(*name)(void *, int var), void *ctx) {
  print_poly(t, b, d, &(Style){true, name, ctx});
}

/* ---- parsing: expr = term { (+|-) term }, term = unary { (*|//|%) unary } ---- */

typedef struct Parse {
  DimTab *t;
  const char *s;
  Dim (*find)(void *, const char *);
  void *ctx;
  int depth;
} Parse;

static Dim parse_expr(Parse *p);

static void skip(Parse *p) {
  while (*p->s == ' ' || *p->s == '\t') p->s++;
}

static Dim parse_primary(Parse *p) {
  skip(p);
  if (isdigit((unsigned char)*p->s)) {
    int64_t v = 0;
    bool over = false;
    for (; isdigit((unsigned char)*p->s); p->s++) {
      over |= __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *p->s - '0', &v);
    }
    return over ? DIM_OVERFLOW : dim_int(p->t, v);
  }
  if (isalpha((unsigned char)*p->s) || *p->s == '_') {
    const char *from = p->s;
    while (isalnum((unsigned char)*p->s) || *p->s == '_' || *p->s == '\'') p->s++;
    return p->find(p->ctx, intern_n(from, (size_t)(p->s - from)));
  }
  if (*p->s == '(' && p->depth < 200) {
    p->s++;
    p->depth++;
    Dim d = parse_expr(p);
    p->depth--;
    skip(p);
    if (d == DIM_NONE || *p->s != ')') return DIM_NONE;
    p->s++;
    return d;
  }
  return DIM_NONE;
}

static Dim parse_unary(Parse *p) {
  bool minus = false;
  for (skip(p); *p->s == '-'; skip(p)) {
    minus = !minus;
    p->s++;
  }
  Dim d = parse_primary(p);
  return d != DIM_NONE && minus ? dim_neg(p->t, d) : d;
}

static Dim parse_term(Parse *p) {
  Dim d = parse_unary(p);
  while (d != DIM_NONE) {
    skip(p);
    char op = *p->s;
    if (op == '/' && p->s[1] == '/') p->s += 2;
    else if (op == '*' || op == '%') p->s++;
    else break;
    Dim e = parse_unary(p);
    if (e == DIM_NONE) return DIM_NONE;
    d = op == '*' ? dim_mul(p->t, d, e) : op == '/' ? dim_floordiv(p->t, d, e) : dim_mod(p->t, d, e);
  }
  return d;
}

static Dim parse_expr(Parse *p) {
  Dim d = parse_term(p);
  while (d != DIM_NONE) {
    skip(p);
    char op = *p->s;
    if (op != '+' && op != '-') break;
    p->s++;
    Dim e = parse_term(p);
    if (e == DIM_NONE) return DIM_NONE;
    d = op == '+' ? dim_add(p->t, d, e) : dim_sub(p->t, d, e);
  }
  return d;
}

Dim dim_parse(DimTab *t, const char **s, Dim (*find)(void *, const char *name), void *ctx) {
  Parse p = {t, *s, find, ctx, 0};
  Dim d = parse_expr(&p);
  *s = p.s;
  return d;
}
