/* Reads the text of graphs:
 *
 *   text   = "graph" [ "(" var { "," var } ")" ] body
 *   var    = NAME [ "<=" INT ]
 *   body   = "{" { unused | node } "return" [ id { "," id } ] "}"
 *   unused = "unused" "input" INT ":" type
 *   node   = id "=" OP "(" [ id { "," id } ] ")" { NAME "=" value } ":" ( type | "(" [ type { "," type } ] ")" ) { body
 * } value  = dim | "[" [ dim { "," dim } ] "]" | NUMBER | "0x" HEX | "{" [ NUMBER { "," NUMBER } ] "}" | "x" HEX type
 * = DTYPE "[" [ dim { "," dim } ] "]"
 *
 * `;` begins a comment. What is written is kept as it stands; whether it makes sense is the verifier's business. */
#include "base/ds.h"
#include "ir/ir.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

typedef struct IdMap {
  uint32_t key;
  NodeId value;
} IdMap;

typedef struct Parser {
  Arena *arena;
  DimTab *dims;
  Diag *diag;
  const char *s;
  int line, depth;
  Buf *why;
  jmp_buf out;
} Parser;

_Noreturn static void fail(Parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
_Noreturn static void fail(Parser *p, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  buf_printf(p->why, "line %d: %s", p->line, arena_vprintf(p->arena, fmt, ap));
  va_end(ap);
  longjmp(p->out, 1);
}

static void skip(Parser *p) {
  for (;; p->s++) {
    if (*p->s == ';') {
      while (*p->s && *p->s != '\n') p->s++;
    }
    if (*p->s == '\n') p->line++;
    else if (*p->s != ' ' && *p->s != '\t' && *p->s != '\r') return;
  }
}

static bool accept(Parser *p, const char *token) {
  skip(p);
  size_t n = strlen(token);
  if (strncmp(p->s, token, n)) return false;
  if (isalpha((unsigned char)token[0]) && (isalnum((unsigned char)p->s[n]) || p->s[n] == '_')) return false;
  p->s += n;
  return true;
}

static void expect(Parser *p, const char *token) {
  if (!accept(p, token)) fail(p, "expected `%s` before `%.12s`", token, p->s);
}

static const char *name(Parser *p, const char *what) {
  skip(p);
  const char *from = p->s;
  while (isalnum((unsigned char)*p->s) || *p->s == '_' || *p->s == '\'') p->s++;
  if (p->s == from) fail(p, "expected %s before `%.12s`", what, p->s);
  return intern_n(from, (size_t)(p->s - from));
}

static int64_t integer(Parser *p) {
  skip(p);
  char *end;
  errno = 0;
  long long v = strtoll(p->s, &end, 10);
  if (end == p->s || errno) fail(p, "expected a number before `%.12s`", p->s);
  p->s = end;
  return v;
}

static Dim find_var(void *ctx, const char *n) {
  const DimTab *t = ctx;
  const char *tick = strchr(n, '\'');
  size_t len = tick ? (size_t)(tick - n) : strlen(n);
  int nth = tick ? atoi(tick + 1) : 1;
  for (int i = 0; i < dim_var_count(t); i++) {
    const char *have = dim_var_name(t, i);
    if (!strcmp(have, n)) return dim_of_var(t, i);
    if (tick && strlen(have) == len && !memcmp(have, n, len) && --nth == 0) return dim_of_var(t, i);
  }
  return DIM_NONE;
}

static Dim dim(Parser *p) {
  skip(p);
  const char *from = p->s;
  Dim d = dim_parse(p->dims, &p->s, find_var, p->dims);
  if (d == DIM_NONE) fail(p, "no dimension: `%.20s`", from);
  return d;
}

/* A list of dimensions up to `close`. */
static Dim *dim_list(Parser *p, const char *close, int *n) {
  Dim *list = NULL;
  if (!accept(p, close)) {
    do arrput(list, dim(p));
    while (accept(p, ","));
    expect(p, close);
  }
  *n = (int)arrlen(list);
  Dim *copy = arena_copy(p->arena, list, sizeof *list * (size_t)*n);
  arrfree(list);
  return copy;
}

static Type type(Parser *p) {
  const char *n = name(p, "a type");
  Type t = {0};
  if (!dtype_parse(n, &t.dtype)) fail(p, "`%s` is no dtype", n);
  expect(p, "[");
  t.shape = dim_list(p, "]", &t.rank);
  if (t.rank > MAX_RANK) fail(p, "more than %d axes", MAX_RANK);
  return t;
}

static NodeId operand(Parser *p, IdMap *ids) {
  expect(p, "%");
  uint32_t n = (uint32_t)integer(p);
  ptrdiff_t i = hmgeti(ids, n);
  if (i < 0) fail(p, "%%%u is not defined above", n);
  return ids[i].value;
}

/* ---- attributes ---- */

static double number(Parser *p) {
  skip(p);
  char *end;
  double v = strtod(p->s, &end);
  if (end == p->s) fail(p, "expected a number before `%.12s`", p->s);
  p->s = end;
  return v;
}

static int hex(int c) { return isdigit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

/* A literal's data; numbers wait in `nums` for the dtype, which follows. */
typedef struct Data {
  const char *list; /* text after `{`, or NULL when bytes were given */
  int line;
} Data;

static void data(Parser *p, Attr *a, Data *d) {
  if (accept(p, "{")) {
    *d = (Data){p->s, p->line};
    while (*p->s && *p->s != '}') {
      if (*p->s == '\n') p->line++;
      p->s++;
    }
    expect(p, "}");
    return;
  }
  skip(p);
  if (*p->s != 'x') fail(p, "expected data before `%.12s`", p->s);
  p->s++;
  Buf b = {0};
  while (hex(p->s[0]) >= 0 && hex(p->s[1]) >= 0) {
    buf_char(&b, (char)(hex(p->s[0]) * 16 + hex(p->s[1])));
    p->s += 2;
  }
  a->n = (uint32_t)b.n;
  a->data = arena_copy(p->arena, b.s, b.n);
  buf_free(&b);
}

static void put_element(Parser *p, Buf *b, DType t) {
  if (dtype_is_float(t)) {
    double v = number(p);
    float f = (float)v;
    if (t != F64 && t != F32) fail(p, "%s literals are written as bytes", dtype_name(t));
    buf_bytes(b, t == F64 ? (void *)&v : (void *)&f, (size_t)dtype_size(t));
    return;
  }
  int64_t v = integer(p);
  int32_t i = (int32_t)v;
  int8_t c = (int8_t)v;
  buf_bytes(b, t == I64 ? (void *)&v : t == I32 ? (void *)&i : (void *)&c, (size_t)dtype_size(t));
}

static void data_list(Parser *p, Attr *a, Data d, DType t) {
  const char *back = p->s;
  int line = p->line;
  p->s = d.list;
  p->line = d.line;
  Buf b = {0};
  if (!accept(p, "}")) {
    do put_element(p, &b, t);
    while (accept(p, ","));
    expect(p, "}");
  }
  a->n = (uint32_t)b.n;
  a->data = arena_copy(p->arena, b.s, b.n);
  buf_free(&b);
  p->s = back;
  p->line = line;
}

static Attr attr(Parser *p, Data *d) {
  const char *n = name(p, "an attribute");
  Attr a = {0};
  for (int k = 1; k < A_COUNT; k++) {
    if (!strcmp(attr_names[k], n)) a.key = (AttrKey)k;
  }
  if (!a.key) fail(p, "`%s` is no attribute", n);
  expect(p, "=");
  int count = 1;
  switch (attr_kinds[a.key]) {
  case AK_INT: {
    Dim v = dim(p);
    a.dims = arena_copy(p->arena, &v, sizeof v);
    break;
  }
  case AK_INTS:
    expect(p, "[");
    a.dims = dim_list(p, "]", &count);
    break;
  case AK_NUM: a.num = number(p); return a;
  case AK_HASH: {
    skip(p);
    char *end;
    a.hash = strtoull(p->s, &end, 0);
    if (end == p->s) fail(p, "expected a number before `%.12s`", p->s);
    p->s = end;
    return a;
  }
  case AK_DATA: data(p, &a, d); return a;
  }
  a.n = (uint32_t)count;
  return a;
}

/* ---- nodes ---- */

static Graph *body(Parser *p);

static void set_input(Parser *p, Graph *g, int64_t i, Type t) {
  if (i < 0 || i > 65535) fail(p, "no input has number %lld", (long long)i);
  while (arrlen(g->input_types) <= i) arrput(g->input_types, ((Type){TUPLE, 0, NULL}));
  g->input_types[i] = t;
  if (i >= g->n_inputs) g->n_inputs = (int)i + 1;
}

static void result_types(Parser *p, Node *n) {
  if (!accept(p, "(")) {
    n->type = type(p);
    return;
  }
  Type *list = NULL;
  if (!accept(p, ")")) {
    do arrput(list, type(p));
    while (accept(p, ","));
    expect(p, ")");
  }
  n->type = (Type){TUPLE, 0, NULL};
  n->n_results = (int)arrlen(list);
  n->results = arena_copy(p->arena, list, sizeof *list * (size_t)arrlen(list));
  arrfree(list);
}

static void regions(Parser *p, Node *n) {
  Graph *list[4];
  while (skip(p), *p->s == '{') {
    if (n->n_regions == 4) fail(p, "too many regions");
    list[n->n_regions++] = body(p);
  }
  n->regions = arena_copy(p->arena, list, sizeof *list * n->n_regions);
}

static void node(Parser *p, Graph *g, IdMap **ids) {
  expect(p, "%");
  uint32_t id = (uint32_t)integer(p);
  if (hmgeti(*ids, id) >= 0) fail(p, "%%%u is defined twice", id);
  expect(p, "=");
  const char *op = name(p, "an op");
  Node n = {.op = (uint16_t)op_by_name(op)};
  if (!n.op) fail(p, "`%s` is no op", op);
  expect(p, "(");
  NodeId *in = NULL;
  if (!accept(p, ")")) {
    do arrput(in, operand(p, *ids));
    while (accept(p, ","));
    expect(p, ")");
  }
  n.n_in = (int)arrlen(in);
  n.in = arena_copy(p->arena, in, sizeof *in * (size_t)n.n_in);
  arrfree(in);
  Attr attrs[16] = {0};
  Data d = {0};
  while (!accept(p, ":")) {
    if (n.n_attrs == 16) fail(p, "too many attributes");
    attrs[n.n_attrs++] = attr(p, &d);
  }
  result_types(p, &n);
  for (int i = 0; i < n.n_attrs; i++) {
    if (attrs[i].key == A_data && d.list) data_list(p, &attrs[i], d, n.type.dtype);
    int64_t index;
    if (attrs[i].key == A_index && n.op == OP_input && dim_is_int(p->dims, attrs[i].dims[0], &index)) {
      set_input(p, g, index, n.type);
    }
  }
  static const AttrKey optional[] = {A_reverse, A_again};
  for (int k = 0; k < 2; k++) {
    bool given = !op_has_attr((Op)n.op, optional[k]);
    for (int i = 0; i < n.n_attrs; i++) given |= attrs[i].key == optional[k];
    if (!given && n.n_attrs < 16) attrs[n.n_attrs++] = attr_int(g, optional[k], 0);
  }
  n.attrs = arena_copy(p->arena, attrs, sizeof *attrs * n.n_attrs);
  regions(p, &n);
  hmput(*ids, id, (NodeId)arrlen(g->nodes));
  arrput(g->nodes, n);
}

static Graph *body(Parser *p) {
  Graph *g = graph_new(p->arena, p->dims, p->diag);
  IdMap *ids = NULL;
  if (++p->depth > 100) fail(p, "regions nested too deeply");
  expect(p, "{");
  while (!accept(p, "return")) {
    if (accept(p, "unused")) {
      expect(p, "input");
      int64_t i = integer(p);
      expect(p, ":");
      set_input(p, g, i, type(p));
    } else {
      node(p, g, &ids);
    }
  }
  if (!accept(p, "}")) {
    do arrput(g->outputs, operand(p, ids));
    while (accept(p, ","));
    expect(p, "}");
  }
  hmfree(ids);
  p->depth--;
  return g;
}

static void variables(Parser *p) {
  if (!accept(p, "(")) return;
  do {
    const char *n = name(p, "a dimension");
    Dim d = find_var(p->dims, n);
    if (d == DIM_NONE) d = dim_var(p->dims, n, -1);
    if (accept(p, "<=")) dim_set_bound(p->dims, dim_as_var(p->dims, d), integer(p));
  } while (accept(p, ","));
  expect(p, ")");
}

Graph *graph_parse(Arena *a, DimTab *dims, Diag *diag, const char *text, Buf *why) {
  Parser *p = arena_one(a, Parser);
  *p = (Parser){.arena = a, .dims = dims, .diag = diag, .s = text, .line = 1, .why = why};
  if (setjmp(p->out)) return NULL;
  expect(p, "graph");
  variables(p);
  Graph *g = body(p);
  skip(p);
  if (*p->s) fail(p, "text after the graph: `%.12s`", p->s);
  return g;
}
