/* csv tables (RFC 4180). The text is cut in place: cells point into the file's bytes. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "runtime/core/tensor_file.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static char separator_of(const char *s) {
  int semicolons = 0, tabs = 0;
  for (bool quoted = false; *s && (quoted || *s != '\n'); s++) {
    if (*s == '"') quoted = !quoted;
    else if (!quoted && *s == ',') return ',';
    else if (!quoted) semicolons += *s == ';', tabs += *s == '\t';
  }
  return semicolons ? ';' : tabs ? '\t' : ',';
}

typedef struct Reader {
  DnnCsv *c;
  char *s, *end, separator;
  int32_t line;
  int64_t n, room;
} Reader;

/* Takes one cell at r->s off; returns the byte that ended it: the separator, '\n' or 0; -1 on error. */
static int take_cell(Reader *r, DnnError *e) {
  char *from = r->s, *to = from, *text = from;
  int32_t line = r->line;
  if (*from == '"') {
    for (from++;; from++) {
      if (from >= r->end) {
        dnn_fail(e, "%s:%d: the quote that opens here is never closed", r->c->path, line);
        return -1;
      }
      if (*from == '"' && *++from != '"') break;
      if (*from == '\n') r->line++;
      *to++ = *from;
    }
    if (from < r->end && *from != r->separator && *from != '\n' && *from != '\r') {
      dnn_fail(e, "%s:%d: text follows a closing quote", r->c->path, r->line);
      return -1;
    }
  } else {
    while (from < r->end && *from != r->separator && *from != '\n') from++;
    to = from;
  }
  if (from < r->end && *from == '\r') from++;
  int ended = from < r->end ? (unsigned char)*from : 0;
  if (ended == '\n') r->line++;
  if (to > text && to[-1] == '\r' && ended != r->separator) to--;
  r->s = from < r->end ? from + 1 : from;
  while (*text == ' ' && text < to) text++;
  while (to > text && to[-1] == ' ') to--;
  *to = 0;
  if (r->n == r->room) {
    DnnCsvCell *more = realloc(r->c->cells, (size_t)(r->room = r->room * 2 + 256) * sizeof *more);
    if (!more) {
      dnn_fail(e, "%s: no memory", r->c->path);
      return -1;
    }
    r->c->cells = more;
  }
  r->c->cells[r->n++] = (DnnCsvCell){text, line};
  return ended;
}

static bool parse(DnnCsv *c, DnnError *e) {
  char *text = (char *)c->bytes.data;
  if (c->bytes.size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) text += 3;
  Reader r = {
      .c = c, .s = text, .end = (char *)c->bytes.data + c->bytes.size, .separator = separator_of(text), .line = 1};
  if (memchr(text, 0, (size_t)(r.end - text))) return dnn_fail(e, "%s: holds zero bytes, so it is not text", c->path);
  while (r.s < r.end) {
    if (*r.s == '\n' || (*r.s == '\r' && r.s[1] == '\n')) { /* an empty line */
      r.s += *r.s == '\r' ? 2 : 1, r.line++;
      continue;
    }
    int32_t line = r.line;
    int64_t first = r.n;
    int ended;
    do ended = take_cell(&r, e);
    while (ended == (unsigned char)r.separator);
    if (ended < 0) return false;
    int64_t columns = r.n - first;
    if (columns > 100000) return dnn_fail(e, "%s:%d: more than 100000 columns", c->path, line);
    if (c->rows == 0) c->columns = (int32_t)columns;
    else if (columns != c->columns)
      return dnn_fail(e, "%s:%d: has %lld columns, the first line has %d", c->path, line, (long long)columns,
                      c->columns);
    c->rows++;
  }
  return c->rows || dnn_fail(e, "%s: is empty", c->path);
}

bool dnn_csv_open(const char *path, DnnCsv *c, DnnError *e) {
  DnnBytes bytes;
  memset(c, 0, sizeof *c);
  return dnn_file_read_gz(path, &bytes, e) && dnn_csv_parse(path, bytes, c, e);
}

bool dnn_csv_parse(const char *name, DnnBytes bytes, DnnCsv *c, DnnError *e) {
  *c = (DnnCsv){.path = strdup(name), .bytes = bytes};
  if (c->path && parse(c, e)) return true;
  dnn_csv_close(c);
  return false;
}

void dnn_csv_close(DnnCsv *c) {
  free(c->cells);
  free(c->bytes.data);
  free(c->path);
  memset(c, 0, sizeof *c);
}

static bool is_number(const char *s, double *v) {
  char *end;
  *v = strtod(s, &end);
  return *s && !*end;
}

bool dnn_csv_column(const DnnCsv *c, const char *name, int32_t *column, int64_t *first, DnnError *e) {
  double v;
  bool header = false; /* a row of numbers is none */
  for (int32_t i = 0; i < c->columns; i++) header |= !is_number(c->cells[i].text, &v);
  for (int32_t i = 0; i < c->columns && header; i++) {
    if (strcmp(c->cells[i].text, name)) continue;
    *column = i, *first = 1;
    return true;
  }
  char *end;
  long k = strtol(name, &end, 10);
  if (*name && !*end && k >= 0 && k < c->columns) {
    *column = (int32_t)k;
    bool second = c->rows > 1 && is_number(c->cells[c->columns + k].text, &v);
    *first = !is_number(c->cells[k].text, &v) && second;
    if (*first) return true;
    for (int32_t i = 0; i < c->columns && c->rows > 1; i++) /* a text column below a header of a table with numbers */
      if (!is_number(c->cells[i].text, &v) && is_number(c->cells[c->columns + i].text, &v)) *first = 1;
    return true;
  }
  dnn_fail(e, "%s: has no column `%s`; its columns are", c->path, name);
  for (int32_t i = 0; i < c->columns && i < 30; i++) dnn_fail_more(e, "%s %s", i ? "," : "", c->cells[i].text);
  return false;
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* The column as categories numbered in the order of their bytes. */
static bool read_categories(const DnnCsvCell *cells, int32_t stride, int64_t n, DnnTensor *t, DnnError *e) {
  const char **words = malloc((size_t)(n + 1) * sizeof *words);
  if (!words) return dnn_fail(e, "no memory for %lld words", (long long)n);
  for (int64_t i = 0; i < n; i++) words[i] = cells[i * stride].text;
  qsort(words, (size_t)n, sizeof *words, by_text);
  int64_t kinds = 0, lo, hi;
  for (int64_t i = 0; i < n; i++)
    if (!kinds || strcmp(words[kinds - 1], words[i])) words[kinds++] = words[i];
  dnn_dtype_range(t->dtype, &lo, &hi);
  for (int64_t i = 0; i < n && kinds <= hi; i++) {
    const char *key = cells[i * stride].text;
    const char **at = bsearch(&key, words, (size_t)kinds, sizeof *words, by_text);
    dnn_put(t->data, t->dtype, i, (double)(at - words));
  }
  free(words);
  return kinds <= hi ||
         dnn_fail(e, "%lld different words do not fit into %s", (long long)kinds, dnn_dtype_name(t->dtype));
}

bool dnn_csv_read(const DnnCsv *c, int32_t column, int64_t first, int dtype, DnnTensor *t, DnnError *e) {
  int64_t n = c->rows - first, lo, hi;
  const DnnCsvCell *cells = c->cells + first * c->columns + column;
  bool whole = !dnn_dtype_is_float(dtype), words = whole && n > 0;
  double v;
  if (!dnn_tensor_new(t, dtype, 1, &n, e)) return false;
  dnn_dtype_range(dtype, &lo, &hi);
  for (int64_t i = 0; words && i < n; i++)
    words = *cells[i * c->columns].text && !is_number(cells[i * c->columns].text, &v);
  bool ok = true;
  if (words) ok = read_categories(cells, c->columns, n, t, e);
  for (int64_t i = 0; ok && !words && i < n; i++) {
    const DnnCsvCell *x = &cells[i * c->columns];
    char *end;
    if (!is_number(x->text, &v)) {
      ok = dnn_fail(e, "%s:%d: column %d is `%.40s`, not a number", c->path, x->line, column, x->text);
    } else if (!whole) {
      dnn_put(t->data, dtype, i, v);
    } else {
      errno = 0;
      long long k = strtoll(x->text, &end, 10);
      if (*end && v == floor(v) && fabs(v) < 9e15) k = (long long)v, end = "";
      if (*end)
        ok = dnn_fail(e, "%s:%d: column %d is %.40s, which is no whole number; the field is %s", c->path, x->line,
                      column, x->text, dnn_dtype_name(dtype));
      else if (errno || k < lo || k > hi)
        ok = dnn_fail(e, "%s:%d: column %d is %.40s, which does not fit into %s", c->path, x->line, column, x->text,
                      dnn_dtype_name(dtype));
      else if (dtype == DNN_I64) ((int64_t *)t->data)[i] = k;
      else dnn_put(t->data, dtype, i, (double)k);
    }
  }
  if (!ok) dnn_tensor_free(t);
  return ok;
}
