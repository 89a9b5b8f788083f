/* Sources of text: lines, words, cells of a table. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "runtime/core/ragged.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_FIELDS = 32 };

typedef struct Text { /* a file whose lines are records of a field */
  char *path;
  DnnBytes bytes;
  const char *s; /* the next line */
  DnnTokeniser *tok;
  DnnGather got;
  int field;
} Text;

/* The next line without its end; false behind the last. */
static bool next_line(Text *t, const char **line, int64_t *n) {
  const char *end = (const char *)t->bytes.data + t->bytes.size;
  if (t->s >= end) return false;
  const char *stop = memchr(t->s, '\n', (size_t)(end - t->s));
  *line = t->s, *n = (stop ? stop : end) - t->s;
  t->s = stop ? stop + 1 : end;
  if (*n && (*line)[*n - 1] == '\r') --*n;
  return true;
}

static bool blank(const char *s, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (!strchr(" \t\v\f\r", s[i]) || !s[i]) return false;
  return true;
}

static bool encode(Text *t, int64_t line, const char *s, int64_t n, bool whole, DnnIds *ids, DnnError *e) {
  DnnError why;
  ids->n = 0;
  if (!dnn_encode(t->tok, t->path, s, n, whole, ids, &why))
    return dnn_fail(e, "%s (in line %lld)", why.text, (long long)line);
  return true;
}

static bool gather(Text *t, const DnnIds *ids, DnnError *e) {
  return (dnn_gather_add(&t->got, ids->v, 4 * ids->n) && dnn_gather_end(&t->got)) ||
         dnn_fail(e, "%s: no memory for its records", t->path);
}

static bool read_lines(Text *t, int n, DnnError *e) {
  DnnIds ids = {0};
  bool ok = true;
  for (int64_t line = 1; ok; line++) {
    const char *s[MOST_FIELDS];
    int64_t size[MOST_FIELDS];
    int more = 0, empty = 0, ended = 0;
    for (int i = 0; i < n; i++) {
      bool got = next_line(&t[i], &s[i], &size[i]);
      more += got, empty += got && blank(s[i], size[i]);
      if (!got) ended = i;
    }
    if (!more) break;
    if (more < n)
      ok = dnn_fail(e, "%s: ends before line %lld, but another file of the source goes on; lines belong together",
                    t[ended].path, (long long)line);
    for (int i = 0; ok && i < n && empty < n; i++)
      ok = encode(&t[i], line, s[i], size[i], true, &ids, e) && gather(&t[i], &ids, e);
  }
  free(ids.v);
  return ok;
}

static bool open_texts(DnnDataSets *d, const DnnData *s, const DnnData *typed, Text *t, int *n, DnnError *e) {
  *n = 0;
  for (int i = 0; i < typed->n_fields; i++) {
    const DnnPort *p = &typed->fields[i];
    if (dnn_is_count(typed, i)) continue;
    const DnnDataArg *a = dnn_arg_of(s, p->name);
    Text *x = &t[*n];
    if (!a) return dnn_fail(e, "%s: the source says nothing of field `%s`", s->place, p->name);
    if (*n == MOST_FIELDS) return dnn_fail(e, "%s: more than %d fields", s->place, MOST_FIELDS);
    if (p->rank != 1 || dnn_dtype_is_float(p->dtype))
      return dnn_fail(e, "%s: field `%s` holds the tokens of a line, so it is declared i32[S]", s->place, p->name);
    ++*n;
    x->field = i;
    if (!dnn_tokeniser_of(d, s, a, &x->tok, e) || !dnn_data_path(&d->opts, s->place, a->str, &x->path, e)) return false;
    if (!x->tok) return dnn_fail(e, "%s: field `%s` has no tokeniser", s->place, p->name);
    if (!dnn_file_read_gz(x->path, &x->bytes, e)) return false;
    x->s = (const char *)x->bytes.data;
  }
  return true;
}

static void close_texts(Text *t, int n) {
  for (int i = 0; i < n; i++) free(t[i].path), free(t[i].bytes.data), dnn_gather_free(&t[i].got);
}

bool dnn_open_lines(DnnDataSets *d, const DnnData *s, const DnnData *typed, DnnSet *set, DnnError *e) {
  Text t[MOST_FIELDS] = {0};
  int n;
  bool ok = open_texts(d, s, typed, t, &n, e) && read_lines(t, n, e);
  for (int i = 0; ok && i < n; i++)
    ok = dnn_take_ragged(t[i].path, s, typed, set, t[i].field, &t[i].got, DNN_I32, 1, e);
  close_texts(t, n);
  return ok;
}

/* ---- words ---- */
typedef struct Words {
  Text text;
  int fields[MOST_FIELDS], n;
  DnnGather got[MOST_FIELDS];
  bool single;
} Words;

/* One line of n words. *keep: it becomes a record. */
static bool take_words(Words *w, const DnnData *s, const DnnData *typed, int64_t line, const char *text, int64_t size,
                       DnnIds *ids, bool *keep, DnnError *e) {
  const char *at = text, *end = text + size;
  *keep = true;
  int n = 0;
  for (;; n++) {
    while (at < end && (*at == ' ' || *at == '\t')) at++;
    if (at == end) break;
    const char *from = at;
    while (at < end && *at != ' ' && *at != '\t') at++;
    if (n >= w->n) continue;
    if (!encode(&w->text, line, from, at - from, false, ids, e)) return false;
    bool known = ids->n == 1 && !(w->text.tok->first && ids->v[0] == DNN_TOKEN_UNKNOWN);
    if (w->single && !known) *keep = false;
    if (!w->single && typed->fields[w->fields[n]].rank == 0 && ids->n != 1)
      return dnn_fail(e, "%s:%lld: `%.*s` is %lld tokens, but `%s` is one; `single = true` leaves such lines out",
                      w->text.path, (long long)line, (int)(at - from), from, (long long)ids->n,
                      typed->fields[w->fields[n]].name);
    if (!dnn_gather_add(&w->got[n], ids->v, 4 * ids->n)) return dnn_fail(e, "%s: no memory", w->text.path);
  }
  if (n != w->n)
    return dnn_fail(e, "%s:%lld: has %d words, but the record at %s has %d", w->text.path, (long long)line, n, s->place,
                    w->n);
  for (int i = 0; i < n; i++) {
    DnnGather *g = &w->got[i];
    if (!*keep) g->used = g->n ? g->ends[g->n - 1] : 0;
    else if (!dnn_gather_end(g)) return dnn_fail(e, "%s: no memory", w->text.path);
  }
  return true;
}

static bool read_words(Words *w, const DnnData *s, const DnnData *typed, DnnSet *set, DnnError *e) {
  const char *text;
  int64_t size;
  DnnIds ids = {0};
  bool ok = true, keep;
  for (int64_t line = 1; ok && next_line(&w->text, &text, &size); line++)
    if (!blank(text, size) && text[0] != ':') ok = take_words(w, s, typed, line, text, size, &ids, &keep, e);
  for (int i = 0; ok && i < w->n; i++) {
    DnnGather *g = &w->got[i];
    if (typed->fields[w->fields[i]].rank)
      ok = dnn_take_ragged(w->text.path, s, typed, set, w->fields[i], g, DNN_I32, 1, e);
    else ok = dnn_take_numbers(w->text.path, s, typed, set, w->fields[i], DNN_I32, g->data, g->n, e);
  }
  free(ids.v);
  return ok;
}

bool dnn_open_words(DnnDataSets *d, const DnnData *s, const DnnData *typed, DnnSet *set, DnnError *e) {
  Words w = {.single = s->n_args > 2 && s->args[2].num != 0};
  for (int i = 0; i < typed->n_fields; i++) {
    if (dnn_is_count(typed, i)) continue;
    if (w.n == MOST_FIELDS) return dnn_fail(e, "%s: more than %d fields", s->place, MOST_FIELDS);
    if (typed->fields[i].rank > 1 || dnn_dtype_is_float(typed->fields[i].dtype))
      return dnn_fail(e, "%s: field `%s` is a word: i32[] or i32[S]", s->place, typed->fields[i].name);
    w.fields[w.n++] = i;
  }
  bool ok = dnn_tokeniser_of(d, s, &s->args[0], &w.text.tok, e) &&
            dnn_data_path(&d->opts, s->place, s->args[0].str, &w.text.path, e) &&
            dnn_file_read_gz(w.text.path, &w.text.bytes, e);
  w.text.s = (const char *)w.text.bytes.data;
  ok = ok && read_words(&w, s, typed, set, e);
  for (int i = 0; i < w.n; i++) dnn_gather_free(&w.got[i]);
  close_texts(&w.text, 1);
  return ok;
}

/* ---- cells ---- */
bool dnn_take_cells(DnnTokeniser *t, const DnnCsv *c, int32_t column, int64_t first, const DnnData *s,
                    const DnnData *typed, DnnSet *set, int field, DnnError *e) {
  DnnGather g = {0};
  DnnIds ids = {0};
  bool ok = typed->fields[field].rank == 1 ||
            dnn_fail(e, "%s: field `%s` holds tokens, so it is declared i32[S]", s->place, typed->fields[field].name);
  for (int64_t i = first; ok && i < c->rows; i++) {
    const DnnCsvCell *x = &c->cells[i * c->columns + column];
    DnnError why;
    ids.n = 0;
    if (!dnn_encode(t, c->path, x->text, (int64_t)strlen(x->text), true, &ids, &why))
      ok = dnn_fail(e, "%s (in the cell of line %d)", why.text, x->line);
    else ok = (dnn_gather_add(&g, ids.v, 4 * ids.n) && dnn_gather_end(&g)) || dnn_fail(e, "%s: no memory", c->path);
  }
  ok = ok && dnn_take_ragged(c->path, s, typed, set, field, &g, DNN_I32, 1, e);
  free(ids.v);
  dnn_gather_free(&g);
  return ok;
}
