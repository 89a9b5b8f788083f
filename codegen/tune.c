/* The tuning record as text.
 *
 *   dnnc plan 1 x86-64-v4                    the head: version of the format, target
 *   # a comment
 *   dot f32 1 128x256x784 a 784,1 b 1,256: tile 14x32 kc 196 mc 112 nc 512 splits 1
 *   conv f32 64x32x14x14 64x32x5x5 low 2,2 high 2,2: direct
 *
 * A line is KEY: CHOICE; words are parted by blanks. A product's key is the operation, the type of its sums, the number
 * of products, M x N x K at the bounds of all sizes (M x N x OUTER x K where outer axes of K are gone through one
 * element at a time), and how A and B lie: the distances in elements of neighbours along the side (M or N) and along K,
 * `*` where they depend on sizes, `-` where the operand is computed or gathered. Its choice: the register tile
 * mr x nr, how much of K is taken at a time, the block mc x nc of the result that is one thread's, and the number of
 * pieces of K that are summed apart. The key of a convolution that both forms can compute is the operation, the type,
 * image, window, the border, and `kept` where the transformed window is kept from call to call; its choice is
 * `winograd` or `direct`, and a direct one consists of products with keys of their own.
 *
 * Choices decide the order of sums and with it bits. They are part of the plan record: a function of the program, the
 * target and the named file alone, whatever the number of threads. Keys that a program does not have are no mistake:
 * one plan may serve several programs. */
#include "codegen/tune.h"
#include "base/ds.h"
#include <errno.h>
#include <string.h>

enum { FILE_MOST = 1 << 20, WORDS = 24, MOST_KC = 4096, MOST_MC = 8192, MOST_NC = 65536, MOST_SPLITS = 64 };

/* ---- the record ---- */
Tuning *tuning_new(Arena *a) {
  Tuning *t = arena_one(a, Tuning);
  t->arena = a;
  return t;
}
void tuning_free(Tuning *t) {
  shfree(t->rows);
  arrfree(t->notes);
}
Tuning *tuning_copy(Arena *a, const Tuning *t) {
  Tuning *c = tuning_new(a);
  for (int i = 0; i < tuning_count(t); i++) tuning_put(c, t->rows[i].key, t->rows[i].value.choice);
  return c;
}
void tuning_put(Tuning *t, const char *key, Choice c) {
  TuneValue v = {.choice = c};
  char *mine = shgeti(t->rows, key) < 0 ? arena_strdup(t->arena, key) : (char *)(uintptr_t)key;
  shput(t->rows, mine, v);
}
const Choice *tuning_find(Tuning *t, const char *key) {
  ptrdiff_t at = shgeti(t->rows, key);
  if (at < 0) return NULL;
  t->rows[at].value.used = true;
  return &t->rows[at].value.choice;
}
void tuning_note(Tuning *t, const Group *group, const char *key, Choice made) {
  TuneNote n = {group, arena_strdup(t->arena, key), made};
  arrput(t->notes, n);
}
int tuning_count(const Tuning *t) { return (int)shlen(t->rows); }
int tuning_used(const Tuning *t) {
  int n = 0;
  for (int i = 0; i < tuning_count(t); i++) n += t->rows[i].value.used;
  return n;
}
bool choice_same(Choice a, Choice b) {
  return a.form == b.form && a.mr == b.mr && a.nr == b.nr && a.kc == b.kc && a.mc == b.mc && a.nc == b.nc &&
         a.splits == b.splits;
}

/* ---- writing ---- */
void choice_print(Choice c, Buf *b) {
  if (c.form == FORM_TILE)
    buf_printf(b, "tile %dx%d kc %lld mc %lld nc %lld splits %lld", c.mr, c.nr, (long long)c.kc, (long long)c.mc,
               (long long)c.nc, (long long)c.splits);
  else buf_str(b, c.form == FORM_DIRECT ? "direct" : "winograd");
}
void tuning_print(const Tuning *t, const Target *target, Buf *b) {
  buf_printf(b, "dnnc plan 1 %s\n", target->name);
  for (int i = 0; i < tuning_count(t); i++) {
    buf_printf(b, "%s: ", t->rows[i].key);
    choice_print(t->rows[i].value.choice, b);
    buf_char(b, '\n');
  }
}

/* ---- reading ---- */
typedef struct Reader {
  Tuning *t;
  const Target *target;
  const char *name;
  int line, n;
  char *word[WORDS];
  Buf *why;
} Reader;

__attribute__((format(printf, 2, 3))) static bool wrong(Reader *r, const char *fmt, ...) {
  char text[400];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  buf_printf(r->why, "%s:%d: ", r->name, r->line);
  for (char *p = text; *p; p++) buf_char(r->why, (unsigned char)*p < 32 || (unsigned char)*p > 126 ? '?' : *p);
  return false;
}

/* Digits at *s, of a number without leading zeros that is at most `most`. */
static bool digits(const char **s, int64_t most, int64_t *out) {
  int64_t v = 0;
  const char *p = *s;
  if (*p < '0' || *p > '9' || (*p == '0' && p[1] >= '0' && p[1] <= '9')) return false;
  for (; *p >= '0' && *p <= '9'; p++) {
    if (v > (most - (*p - '0')) / 10) return false;
    v = v * 10 + (*p - '0');
  }
  *s = p;
  *out = v;
  return true;
}
/* n numbers with `between` between them, and nothing else. */
static bool list(const char *s, int n, char between, int64_t most, int64_t *out) {
  for (int i = 0; i < n; i++) {
    if (i && *s++ != between) return false;
    if (!digits(&s, most, &out[i])) return false;
  }
  return !*s;
}
static bool is_sizes(const char *s, int n) {
  int64_t v[4];
  return list(s, n, 'x', INT64_MAX, v);
}
static bool is_place(const char *s) {
  int64_t v;
  if (!strcmp(s, "-")) return true;
  for (int i = 0; i < 2; i++) {
    if (i && *s++ != ',') return false;
    if (*s == '*') {
      s++;
      continue;
    }
    s += *s == '-';
    if (!digits(&s, INT64_MAX, &v)) return false;
  }
  return !*s;
}
static bool is_border(const char *s) { /* may be negative */
  int64_t v;
  for (int i = 0; i < 2; i++) {
    if (i && *s++ != ',') return false;
    s += *s == '-';
    if (!digits(&s, INT64_MAX, &v)) return false;
  }
  return !*s;
}

/* The words of the key; `*dtype`, and whether it is a product's. */
static bool read_key(Reader *r, int n, DType *dtype, bool *product) {
  static const char *const ops[] = {"dot", "conv", "conv_dx", "conv_dw"};
  char **w = r->word;
  int op = 0;
  while (op < 4 && n && strcmp(w[0], ops[op])) op++;
  if (!n || op == 4) return wrong(r, "`%.40s` is none of dot, conv, conv_dx and conv_dw", n ? w[0] : "");
  if (n < 3) return wrong(r, "the key breaks off behind `%.40s`", w[n - 1]);
  if (!dtype_parse(w[1], dtype) || (*dtype != F32 && *dtype != F64))
    return wrong(r, "`%.40s` is neither f32 nor f64", w[1]);
  *product = !strchr(w[2], 'x');
  if (*product) {
    if (n != 8) return wrong(r, "a product's key is OP TYPE COUNT MxNxK a PLACE b PLACE");
    if (!is_sizes(w[2], 1)) return wrong(r, "`%.40s` is no number of products", w[2]);
    if (!is_sizes(w[3], 3) && !is_sizes(w[3], 4)) return wrong(r, "`%.40s`: MxNxK or MxNxOUTERxK is wanted", w[3]);
    for (int i = 4; i < 8; i += 2) {
      const char *side = i == 4 ? "a" : "b";
      if (strcmp(w[i], side)) return wrong(r, "`%s` is wanted, not `%.40s`", side, w[i]);
      if (!is_place(w[i + 1])) return wrong(r, "`%.40s`: SIDE,ALONG or - is wanted", w[i + 1]);
    }
    return true;
  }
  if (op == 0 || (n != 8 && n != 9)) return wrong(r, "a convolution's key is OP TYPE IMAGE WINDOW low Y,X high Y,X");
  if (*dtype != F32) return wrong(r, "a convolution of %s has one form", dtype_name(*dtype));
  for (int i = 2; i < 4; i++)
    if (!is_sizes(w[i], 4)) return wrong(r, "`%.40s`: four sizes are wanted", w[i]);
  for (int i = 4; i < 8; i += 2) {
    const char *side = i == 4 ? "low" : "high";
    if (strcmp(w[i], side)) return wrong(r, "`%s` is wanted, not `%.40s`", side, w[i]);
    if (!is_border(w[i + 1])) return wrong(r, "`%.40s`: Y,X is wanted", w[i + 1]);
  }
  return n == 8 || !strcmp(w[8], "kept") || wrong(r, "`kept` is wanted, not `%.40s`", w[8]);
}

static bool named_number(Reader *r, int at, const char *name, int64_t most, int64_t *out) {
  if (strcmp(r->word[at], name)) return wrong(r, "`%s` is wanted, not `%.40s`", name, r->word[at]);
  if (list(r->word[at + 1], 1, 0, most, out) && *out >= 1) return true;
  return wrong(r, "%s `%.40s`: a whole number from 1 to %lld is wanted", name, r->word[at + 1], (long long)most);
}
static bool read_choice(Reader *r, int at, DType dtype, bool product, Choice *c) {
  char **w = r->word + at;
  int n = r->n - at;
  if (!n) return wrong(r, "the choice is missing");
  if (!product) {
    c->form = !strcmp(w[0], "winograd") ? FORM_WINOGRAD : FORM_DIRECT;
    if (n == 1 && (c->form == FORM_WINOGRAD || !strcmp(w[0], "direct"))) return true;
    return wrong(r, "`winograd` or `direct` is wanted, not `%.40s`", w[0]);
  }
  if (strcmp(w[0], "tile")) return wrong(r, "`tile` is wanted, not `%.40s`", w[0]);
  if (n != 10) return wrong(r, "a product's choice is tile MRxNR kc N mc N nc N splits N");
  int64_t tile[2];
  int lanes = target_lanes(r->target, dtype);
  if (!list(w[1], 2, 'x', 1000, tile) || tile[0] < 1 || tile[1] < 1)
    return wrong(r, "tile `%.40s`: MRxNR is wanted", w[1]);
  c->mr = (int)tile[0], c->nr = (int)tile[1];
  if (c->nr % lanes) return wrong(r, "tile `%.40s`: %d is no multiple of %d, a vector", w[1], c->nr, lanes);
  if (!tile_fits(r->target, c->mr, c->nr / lanes))
    return wrong(r, "tile `%.40s` does not fit into %d registers of %d", w[1], r->target->registers, lanes);
  if (!named_number(r, at + 2, "kc", MOST_KC, &c->kc) || !named_number(r, at + 4, "mc", MOST_MC, &c->mc) ||
      !named_number(r, at + 6, "nc", MOST_NC, &c->nc) || !named_number(r, at + 8, "splits", MOST_SPLITS, &c->splits))
    return false;
  if (c->mc % c->mr) return wrong(r, "mc %lld is no multiple of the tile's %d", (long long)c->mc, c->mr);
  if (c->nc % c->nr) return wrong(r, "nc %lld is no multiple of the tile's %d", (long long)c->nc, c->nr);
  return true;
}

/* Cuts `s` into words; a colon ends one and `*colon` is how many stand before it, -1 without one. */
static bool cut(Reader *r, char *s, int *colon) {
  r->n = 0;
  *colon = -1;
  while (*(s += strspn(s, " \t\r"))) {
    if (*s == ':') {
      if (*colon >= 0) return wrong(r, "there is a second colon");
      *colon = r->n;
      *s++ = 0;
      continue;
    }
    if (r->n == WORDS) return wrong(r, "there are too many words");
    r->word[r->n++] = s;
    s += strcspn(s, " \t\r:");
    if (*s == ' ' || *s == '\t' || *s == '\r') *s++ = 0;
  }
  return true;
}
static bool read_head(Reader *r) {
  int colon;
  char **w = r->word;
  if (!cut(r, r->word[0], &colon)) return false;
  if (r->n != 4 || colon >= 0 || strcmp(w[0], "dnnc") || strcmp(w[1], "plan"))
    return wrong(r, "this is no plan: the first line should be `dnnc plan 1 %s`", r->target->name);
  if (strcmp(w[2], "1")) return wrong(r, "a plan of version `%.40s`; version 1 is known", w[2]);
  if (strcmp(w[3], r->target->name))
    return wrong(r, "the plan is for the target `%.40s`, not for %s", w[3], r->target->name);
  return true;
}
static bool read_row(Reader *r, char *line) {
  int colon;
  DType dtype = F32;
  bool product = true;
  Choice c = {0};
  if (!cut(r, line, &colon)) return false;
  if (!r->n && colon < 0) return true;
  if (colon < 0) return wrong(r, "KEY: CHOICE is wanted; there is no colon");
  if (!read_key(r, colon, &dtype, &product) || !read_choice(r, colon, dtype, product, &c)) return false;
  Buf key = {0};
  for (int i = 0; i < colon; i++) buf_printf(&key, "%s%s", i ? " " : "", r->word[i]);
  bool twice = shgeti(r->t->rows, key.s) >= 0;
  if (!twice) tuning_put(r->t, key.s, c);
  else wrong(r, "%s is given twice", key.s);
  buf_free(&key);
  return !twice;
}

bool tuning_parse(Tuning *t, const char *name, const char *text, size_t n, const Target *target, Buf *why) {
  Reader r = {.t = t, .target = target, .name = name, .why = why};
  const char *p = text, *end = text + n;
  bool ok = true;
  for (; ok && (r.line == 0 || p < end); p++) {
    const char *stop = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
    if (!stop) stop = end;
    Buf line = {0};
    buf_bytes(&line, p, (size_t)(stop - p));
    r.line++;
    if (strlen(line.s) != line.n) ok = wrong(&r, "the line holds a zero byte");
    else {
      line.s[strcspn(line.s, "#")] = 0;
      r.word[0] = line.s;
      ok = r.line == 1 ? read_head(&r) : read_row(&r, line.s);
    }
    buf_free(&line);
    p = stop;
  }
  return ok;
}
bool tuning_read(Tuning *t, const char *path, const Target *target, Buf *why) {
  Buf b = {0};
  bool ok = buf_read_file(&b, path, FILE_MOST);
  if (!ok && errno == EFBIG) buf_printf(why, "%s: a plan of more than 1 MiB", path);
  else if (!ok) buf_printf(why, "%s: %s", path, buf_read_why());
  else ok = tuning_parse(t, path, b.s, b.n, target, why);
  buf_free(&b);
  return ok;
}
