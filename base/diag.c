#include "base/diag.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/trap.h"
#include "base/utf8.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ERROR(id, title, text) [E##id] = {"E" #id, title, text},
const ErrorInfo error_info[E_COUNT] = {
    [E_NONE] = {"", "", ""},
#include "base/errors.def"
};
#undef ERROR

enum { KEEP_NOTES = DIAG_NOTES };

typedef struct Source {
  const char *name, *text;
  size_t n;
  int is_std;
  uint32_t *lines; /* offsets of the starts of the lines; NULL until a place is asked for */
  uint32_t n_lines;
} Source;

struct Diag {
  Arena *arena;
  Source *sources; /* index 0 is "no place" */
  uint32_t n_sources, cap_sources;
  DiagMessage *messages; /* n_messages of at most cap_messages */
  int n_messages, cap_messages, left_out;
  DiagMessage *last; /* what notes and helps belong to; NULL when it was left out */
  int errors;
};

Diag *diag_new(Arena *a) {
  Diag *d = arena_one(a, Diag);
  d->arena = a;
  d->n_sources = 1;
  d->cap_sources = 8;
  d->sources = arena_array(a, Source, d->cap_sources);
  return d;
}

uint32_t diag_add_source(Diag *d, const char *name, const char *text, size_t n, int is_std) {
  if (d->n_sources == d->cap_sources) {
    Source *more = arena_array(d->arena, Source, 2 * d->cap_sources);
    memcpy(more, d->sources, d->n_sources * sizeof(Source));
    d->sources = more;
    d->cap_sources *= 2;
  }
  Source *s = &d->sources[d->n_sources];
  *s = (Source){.name = arena_strdup(d->arena, name), .text = text, .n = n, .is_std = is_std};
  return d->n_sources++;
}

static Source *source_of(const Diag *d, uint32_t file) {
  return file && file < d->n_sources ? &d->sources[file] : NULL;
}

uint32_t diag_source_count(const Diag *d) { return d->n_sources; }

const char *diag_source_name(const Diag *d, uint32_t file) {
  const Source *s = source_of(d, file);
  return s ? s->name : "";
}

const char *diag_source_text(const Diag *d, uint32_t file, size_t *n) {
  const Source *s = source_of(d, file);
  if (n) *n = s ? s->n : 0;
  return s ? s->text : "";
}

int diag_source_is_std(const Diag *d, uint32_t file) {
  const Source *s = source_of(d, file);
  return s && s->is_std;
}

static void find_lines(const Diag *d, Source *s) {
  uint32_t lines = 1;
  for (size_t i = 0; i < s->n; i++) lines += s->text[i] == '\n';
  s->lines = arena_array(d->arena, uint32_t, lines);
  s->n_lines = 1;
  for (size_t i = 0; i < s->n; i++)
    if (s->text[i] == '\n') s->lines[s->n_lines++] = (uint32_t)i + 1;
}

/* The index of the line that holds the offset: the last start that is not behind it. */
static uint32_t line_of(const Diag *d, Source *s, uint32_t at) {
  if (!s->lines) find_lines(d, s);
  uint32_t lo = 0, hi = s->n_lines;
  while (hi - lo > 1) {
    uint32_t mid = lo + (hi - lo) / 2;
    if (s->lines[mid] <= at) lo = mid;
    else hi = mid;
  }
  return lo;
}

/* Code points in [p, end); a byte that is not part of well-formed text counts as one. */
static int columns(const char *p, const char *end) {
  int n = 0;
  for (; p < end; n++) {
    int len = utf8_len(p, (size_t)(end - p));
    p += len ? len : 1;
  }
  return n;
}

void diag_line_col(const Diag *d, Loc loc, int *line, int *col) {
  Source *s = source_of(d, loc.file);
  *line = *col = 0;
  if (!s) return;
  uint32_t at = loc.begin < s->n ? loc.begin : (uint32_t)s->n, l = line_of(d, s, at);
  *line = (int)l + 1;
  *col = columns(s->text + s->lines[l], s->text + at) + 1;
}

int loc_same(Loc a, Loc b) { return a.file == b.file && a.begin == b.begin && a.end == b.end; }

int diag_is_full(const Diag *d) { return d->n_messages >= limits[LIMIT_errors]; }

static void add(Diag *d, Loc at, ErrorId id, const char *fmt, va_list ap) {
  const char *text = diag_is_full(d) ? NULL : arena_vprintf(d->arena, fmt, ap);
  d->last = NULL;
  if (!text) {
    d->left_out++;
    return;
  }
  for (int i = 0; i < d->n_messages; i++) {
    DiagMessage *m = &d->messages[i];
    if (m->id == id && loc_same(m->at, at) && !strcmp(m->text, text)) return;
  }
  if (d->n_messages == d->cap_messages) {
    DiagMessage *more = arena_array(d->arena, DiagMessage, 2 * d->cap_messages + 8);
    if (d->n_messages) memcpy(more, d->messages, (size_t)d->n_messages * sizeof *more);
    d->messages = more;
    d->cap_messages = 2 * d->cap_messages + 8;
  }
  d->last = &d->messages[d->n_messages];
  *d->last = (DiagMessage){.id = id, .at = at, .text = text, .order = d->n_messages};
  d->n_messages++;
}

void diag_error(Diag *d, Loc at, ErrorId id, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  add(d, at, id, fmt, ap);
  va_end(ap);
  d->errors++;
}

void diag_note(Diag *d, Loc at, const char *fmt, ...) {
  if (!d->last || d->last->n_notes == KEEP_NOTES) return;
  va_list ap;
  va_start(ap, fmt);
  d->last->notes[d->last->n_notes++] = (DiagNote){at, arena_vprintf(d->arena, fmt, ap)};
  va_end(ap);
}

void diag_help(Diag *d, const char *fmt, ...) {
  if (!d->last || d->last->n_help == KEEP_NOTES) return;
  va_list ap;
  va_start(ap, fmt);
  d->last->help[d->last->n_help++] = arena_vprintf(d->arena, fmt, ap);
  va_end(ap);
}

int diag_errors(const Diag *d) { return d->errors; }

/* A message about a place inside the library is shown at the user's call, when a note tells one; the place inside
 * becomes a note of it. */
static void prefer_user_place(const Diag *d, DiagMessage *m) {
  if (!diag_source_is_std(d, m->at.file)) return;
  for (int i = 0; i < m->n_notes; i++) {
    Loc there = m->notes[i].at;
    if (!source_of(d, there.file) || diag_source_is_std(d, there.file)) continue;
    m->notes[i] = (DiagNote){m->at, "it is found here, inside the library"};
    m->at = there;
    return;
  }
}

static int by_place(const void *a, const void *b) {
  const DiagMessage *x = a, *y = b;
  if (x->at.file != y->at.file) return x->at.file < y->at.file ? -1 : 1;
  if (x->at.begin != y->at.begin) return x->at.begin < y->at.begin ? -1 : 1;
  return x->order - y->order;
}

static void sort_messages(Diag *d) {
  for (int i = 0; i < d->n_messages; i++) prefer_user_place(d, &d->messages[i]);
  if (d->n_messages) qsort(d->messages, (size_t)d->n_messages, sizeof(DiagMessage), by_place);
}

static void forget_messages(Diag *d) {
  d->n_messages = 0;
  d->last = NULL;
  d->left_out = 0;
}

/* One code point for the terminal: control signs and broken bytes never reach it. Returns the bytes consumed. */
static int put_sign(FILE *out, const char *p, size_t n) {
  int len = utf8_len(p, n);
  unsigned char c = (unsigned char)*p;
  if (!len) fputs("\xEF\xBF\xBD", out);
  else if (c < 0x20 || c == 0x7F) fputc(c == '\t' ? ' ' : '?', out);
  else if (c == 0xC2 && (unsigned char)p[1] < 0xA0) fputc('?', out); /* U+0080 to U+009F */
  else fwrite(p, 1, (size_t)len, out);
  return len ? len : 1;
}

/* A message, or the name of a file: what stands in it may come from the program. */
static void put_text(FILE *out, const char *s) {
  for (size_t n = strlen(s); n;) {
    int k = *s == '\n' ? (fputc('\n', out), 1) : put_sign(out, s, n);
    s += k, n -= (size_t)k;
  }
}

/* The source line and, under it, a caret at the place and waves to its end. Of a very long line, the part around it. */
static void show_line(const Diag *d, Loc at, FILE *out, const char *mark, const char *plain) {
  Source *s = source_of(d, at.file);
  if (!s) return;
  enum { WIDTH = 140, LEAD = 40 };
  uint32_t begin = at.begin < s->n ? at.begin : (uint32_t)s->n, l = line_of(d, s, begin);
  const char *p = s->text + s->lines[l], *end = s->text + (l + 1 < s->n_lines ? s->lines[l + 1] - 1 : s->n);
  if (end > p && end[-1] == '\r') end--;
  const char *from = s->text + begin, *to = s->text + (at.end < s->n ? at.end : s->n);
  if (from > end) from = end;
  if (to > end) to = end;
  int before = columns(p, from), skip = before > WIDTH ? before - LEAD : 0;
  int marks = to > from ? columns(from, to) : 1;
  for (int i = 0; i < skip; i++) {
    int len = utf8_len(p, (size_t)(end - p));
    p += len ? len : 1;
  }
  if (marks > WIDTH + LEAD - (before - skip)) marks = WIDTH + LEAD - (before - skip);
  fprintf(out, "%5u | %s", l + 1, skip ? "..." : "");
  for (int i = 0; p < end; i++) {
    if (i == WIDTH + LEAD) {
      fputs("...", out);
      break;
    }
    p += put_sign(out, p, (size_t)(end - p));
  }
  fprintf(out, "\n      | %*s%s^", before - skip + (skip ? 3 : 0), "", mark);
  for (int i = 1; i < marks; i++) fputc('~', out);
  fprintf(out, "%s\n", plain);
}

void diag_excerpt(const Diag *d, Loc at, FILE *out) { show_line(d, at, out, "", ""); }

static void show_head(const Diag *d, Loc at, FILE *out, int color) {
  int line, col;
  diag_line_col(d, at, &line, &col);
  if (!line) return;
  fputs(color ? "\033[1m" : "", out);
  put_text(out, diag_source_name(d, at.file));
  fprintf(out, ":%d:%d:%s ", line, col, color ? "\033[0m" : "");
}

/* "error: text", the head in a color. */
static void show_text(FILE *out, const char *mark, const char *what, const char *plain, const char *text) {
  fprintf(out, "%s%s:%s ", mark, what, plain);
  put_text(out, text);
}

static void show(const Diag *d, const DiagMessage *m, FILE *out, int color) {
  const char *plain = color ? "\033[0m" : "", *mark = color ? "\033[1;31m" : "";
  const char *blue = color ? "\033[1;36m" : "";
  show_head(d, m->at, out, color);
  show_text(out, mark, "error", plain, m->text);
  fprintf(out, " [%s]\n", error_info[m->id].code);
  show_line(d, m->at, out, mark, plain);
  for (int i = 0; i < m->n_notes; i++) {
    show_head(d, m->notes[i].at, out, color);
    show_text(out, blue, "note", plain, m->notes[i].text);
    fputc('\n', out);
    show_line(d, m->notes[i].at, out, blue, plain);
  }
  for (int i = 0; i < m->n_help; i++) {
    show_text(out, blue, "help", plain, m->help[i]);
    fputc('\n', out);
  }
}

void diag_print(Diag *d, FILE *out, int color) {
  sort_messages(d);
  for (int i = 0; i < d->n_messages; i++) show(d, &d->messages[i], out, color);
  if (d->left_out) fprintf(out, "and %d more errors%s\n", d->left_out, limit_hint(LIMIT_errors));
}

void diag_flush(Diag *d, FILE *out, int color) {
  diag_print(d, out, color);
  forget_messages(d);
}

int diag_count(const Diag *d) { return d->n_messages; }

const DiagMessage *diag_message(Diag *d, int i) {
  sort_messages(d);
  return &d->messages[i];
}

static void json_place(const Diag *d, Loc at, Buf *b) {
  int line, col, end_line, end_col;
  diag_line_col(d, at, &line, &col);
  diag_line_col(d, (Loc){at.file, at.end, at.end}, &end_line, &end_col);
  buf_str(b, "{\"file\":");
  buf_json(b, diag_source_name(d, at.file));
  buf_printf(b, ",\"line\":%d,\"col\":%d,\"end_line\":%d,\"end_col\":%d", line, col, end_line, end_col);
}

void diag_print_json(Diag *d, FILE *out) {
  sort_messages(d);
  for (int i = 0; i < d->n_messages; i++) {
    const DiagMessage *m = &d->messages[i];
    Buf b = {0};
    json_place(d, m->at, &b);
    buf_str(&b, ",\"severity\":\"error\",\"id\":");
    buf_json(&b, error_info[m->id].code);
    buf_str(&b, ",\"message\":");
    buf_json(&b, m->text);
    buf_str(&b, ",\"notes\":[");
    for (int k = 0; k < m->n_notes; k++) {
      if (k) buf_char(&b, ',');
      json_place(d, m->notes[k].at, &b);
      buf_str(&b, ",\"message\":");
      buf_json(&b, m->notes[k].text);
      buf_char(&b, '}');
    }
    buf_str(&b, "],\"help\":[");
    for (int k = 0; k < m->n_help; k++) {
      if (k) buf_char(&b, ',');
      buf_json(&b, m->help[k]);
    }
    buf_str(&b, "]}\n");
    fputs(b.s, out);
    buf_free(&b);
  }
  if (d->left_out) fprintf(out, "{\"left_out\":%d,\"severity\":\"error\"}\n", d->left_out);
}

void diag_flush_json(Diag *d, FILE *out) {
  diag_print_json(d, out);
  forget_messages(d);
}

void diag_internal(const char *file, int line, const char *fmt, ...) {
  char text[800], all[1000];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  snprintf(
      all, sizeof all,
      "internal error at %s:%d: %s\nThis is a defect of dnnc, not of your program. Please report it with the program "
      "that shows it.",
      file, line, text);
  trap_spring(all);
  fflush(stdout);
  fprintf(stderr, "dnnc: %s\n", all);
  exit(70);
}

/* Edit distance with swaps of neighbours (Damerau 1964, optimal string alignment), of names of at most 63 bytes. */
static int distance(const char *a, const char *b) {
  enum { MAX = 64 };
  int n = (int)strlen(a), m = (int)strlen(b), row[3][MAX];
  if (n >= MAX || m >= MAX) return MAX;
  for (int j = 0; j <= m; j++) row[0][j] = j;
  for (int i = 1; i <= n; i++) {
    int *now = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];
    now[0] = i;
    for (int j = 1; j <= m; j++) {
      int best = up[j - 1] + (a[i - 1] != b[j - 1]);
      if (up[j] + 1 < best) best = up[j] + 1;
      if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && up2[j - 2] + 1 < best)
        best = up2[j - 2] + 1;
      now[j] = best;
    }
  }
  return row[n % 3][m];
}

const char *diag_nearest(const char *wrong, const char *const *names, int n) {
  const char *best = NULL;
  int least = (int)strlen(wrong) / 3 + 1;
  for (int i = 0; i < n; i++) {
    if (!names[i] || !strcmp(names[i], wrong)) continue;
    int k = !strcasecmp(names[i], wrong) ? 0 : distance(wrong, names[i]);
    if (k < least) {
      least = k;
      best = names[i];
    }
  }
  return best;
}
