#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "runtime/core/progress.h"
#include "runtime/core/error.h"
#include "runtime/core/show.h"
#include "runtime/core/words.h"
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { QUIET = 1, JSON = 2, FIRST_LINES = 10, LINE = 512 };
static const double BETWEEN_LINES = 0.5, BETWEEN_DRAWS = 0.1, BETWEEN_JSON_STEPS = 1.0;

double dnn_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void dnn_progress_start(DnnProgress *g, const DnnTrainOpts *o) {
  *g = (DnnProgress){.log = o->log ? o->log : stdout, .quiet = o->quiet};
  const char *term = getenv("TERM");
  g->terminal = !o->quiet && isatty(fileno(g->log)) && !(term && !strcmp(term, "dumb"));
  dnn_progress_stage(g);
}

void dnn_progress_stage(DnnProgress *g) {
  g->started = g->last_drawn = dnn_seconds();
  g->seen = g->smooth_n = g->lines = 0;
  g->smooth = 0;
}

/* ---- texts ---- */

/* A line under construction; what does not fit into it is left out. */
typedef struct Line {
  char s[LINE];
  size_t n;
} Line;

static void __attribute__((format(printf, 2, 3))) put(Line *l, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(l->s + l->n, sizeof l->s - l->n, fmt, ap);
  va_end(ap);
  if (n > 0) l->n += (size_t)n;
  if (l->n >= sizeof l->s) l->n = sizeof l->s - 1;
}

static void put_value(Line *l, const char *name, double v) {
  char number[40];
  dnn_show_float(number, sizeof number, 4, v);
  put(l, "  %s %s", name, number);
}

static void put_time(Line *l, double seconds) {
  long t = (long)(seconds + 0.5);
  if (!(seconds < 1e9)) put(l, "?");
  else if (t >= 3600) put(l, "%ld:%02ld:%02ld", t / 3600, t / 60 % 60, t % 60);
  else if (t >= 60) put(l, "%ld:%02ld", t / 60, t % 60);
  else put(l, "%.1f s", seconds);
}

/* East Asian wide signs and pictures (Unicode, East_Asian_Width W and F, by blocks) take two columns, combining marks
 * none. */
static int columns_of(uint32_t c) {
  if ((c >= 0x300 && c < 0x370) || c == 0x200D || (c >= 0xFE00 && c < 0xFE10)) return 0;
  if ((c >= 0x1100 && c < 0x1160) || (c >= 0x2E80 && c < 0xA4D0) || (c >= 0xAC00 && c < 0xD7A4) ||
      (c >= 0xF900 && c < 0xFB00) || (c >= 0xFE30 && c < 0xFE70) || (c >= 0xFF00 && c < 0xFF61) ||
      (c >= 0x1F300 && c < 0x1FB00) || (c >= 0x20000 && c < 0x40000))
    return 2;
  return 1;
}

void dnn_fit_line(char *out, size_t size, const char *line, int columns) {
  size_t n = 0, cut = 0; /* cut: what stands in front of the last column */
  int width = 0;
  const char *end = line + strlen(line);
  while (line < end) {
    uint32_t c = 0;
    int k = dnn_utf8(line, end, &c), plain = k && c >= 32 && c != 127 && !(c >= 0x80 && c < 0xA0);
    int wide = plain ? columns_of(c) : 1;
    if (width + wide > columns || n + 8 > size) {
      memcpy(out + cut, "…", sizeof "…");
      return;
    }
    if (plain) memcpy(out + n, line, (size_t)k), n += (size_t)k;
    else out[n++] = '?';
    line += k ? k : 1;
    width += wide;
    if (width < columns) cut = n;
  }
  out[n] = 0;
}

/* ---- JSON ---- */

/* JSON has no NaN or infinity: null stands for them. */
static void json_number(FILE *f, double v) {
  if (isfinite(v)) fprintf(f, "%.9g", v);
  else fputs("null", f);
}

static void json_string(FILE *f, const char *s) {
  const char *end = s + strlen(s);
  fputc('"', f);
  while (s < end) {
    uint32_t c = 0;
    int k = dnn_utf8(s, end, &c);
    if (!k) fputs("\\ufffd", f);
    else if (c == '"' || c == '\\') fprintf(f, "\\%c", (int)c);
    else if (c < 32 || c == 127) fprintf(f, "\\u%04x", (unsigned)c);
    else fwrite(s, 1, (size_t)k, f);
    s += k ? k : 1;
  }
  fputc('"', f);
}

static void json_text(FILE *f, const char *key, const char *s) {
  fprintf(f, ",\"%s\":", key);
  json_string(f, s);
}

static void json_values(FILE *f, int n, const char *const *names, const double *values) {
  fputs(",\"values\":{", f);
  for (int i = 0; i < n; i++) {
    if (i) fputc(',', f);
    json_string(f, names[i]);
    fputc(':', f);
    json_number(f, values[i]);
  }
  fputc('}', f);
}

static void json_at(FILE *f, const DnnProgressAt *at) {
  json_text(f, "stage", at->stage);
  json_text(f, "entry", at->entry);
  fprintf(f, ",\"step\":%lld,\"steps\":%lld", (long long)at->step, (long long)at->steps);
  if (at->in_epochs) fprintf(f, ",\"epoch\":%lld,\"epochs\":%lld", (long long)at->epoch, (long long)at->epochs);
  json_values(f, at->n, at->names, at->values);
}

static void json_end(FILE *f, double rate, double seconds) {
  if (rate > 0) {
    fputs(",\"examples_per_second\":", f);
    json_number(f, rate);
  }
  fprintf(f, ",\"seconds\":%.3f}\n", seconds);
  fflush(f);
}

/* ---- lines ---- */

static void clear_line(DnnProgress *g) {
  if (g->drawn) fputs("\r\033[K", g->log);
  g->drawn = 0;
}

static void print_line(DnnProgress *g, char *line) {
  clear_line(g);
  dnn_make_plain(line);
  fprintf(g->log, "%s\n", line);
  fflush(g->log);
}

void dnn_progress_settle(DnnProgress *g) {
  if (g->quiet == QUIET || g->quiet == JSON) return;
  clear_line(g);
  if (g->pending[0]) print_line(g, g->pending);
  g->pending[0] = 0;
}

static void finish_line(Line *l, int n, const char *const *names, const double *values, double rate, double seconds) {
  for (int i = 0; i < n; i++) put_value(l, names[i], values[i]);
  if (rate > 0) put(l, "  %.0f examples/s", rate);
  put(l, "  ");
  put_time(l, seconds);
}

void dnn_progress_epoch(DnnProgress *g, const DnnProgressAt *at, double rate, double seconds) {
  if (g->quiet == QUIET) return;
  if (g->quiet == JSON) {
    fputs("{\"event\":\"epoch\"", g->log);
    json_at(g->log, at);
    json_end(g->log, rate, seconds);
    return;
  }
  Line title = {0}, line = {0};
  if (at->in_epochs) put(&title, "%s epoch %lld/%lld", at->stage, (long long)at->epoch, (long long)at->epochs);
  else put(&title, "%s %s %lld/%lld", at->stage, at->entry, (long long)at->step, (long long)at->steps);
  put(&line, "%-20s", title.s);
  finish_line(&line, at->n, at->names, at->values, rate, seconds);
  double now = dnn_seconds();
  int due = g->lines < FIRST_LINES || now - g->last_line >= BETWEEN_LINES || (at->in_epochs && at->epoch == at->epochs);
  if (!due) {
    memcpy(g->pending, line.s, sizeof g->pending);
    return;
  }
  g->pending[0] = 0;
  g->lines++;
  g->last_line = now;
  print_line(g, line.s);
}

void dnn_progress_pass(DnnProgress *g, const char *entry, int n, const char *const *names, const double *values,
                       double rate, double seconds) {
  if (g->quiet == QUIET) return;
  if (g->quiet == JSON) {
    fputs("{\"event\":\"pass\"", g->log);
    json_text(g->log, "entry", entry);
    json_values(g->log, n, names, values);
    json_end(g->log, rate, seconds);
    return;
  }
  dnn_progress_settle(g); /* a pass is of the epoch before it */
  Line line = {0};
  put(&line, "%-20s", entry);
  finish_line(&line, n, names, values, rate, seconds);
  print_line(g, line.s);
}

static void told(DnnProgress *g, const char *event, const char *key, const char *before, const char *text) {
  if (g->quiet == QUIET) return;
  if (g->quiet == JSON) {
    fprintf(g->log, "{\"event\":\"%s\"", event);
    json_text(g->log, key, text);
    fputs("}\n", g->log);
  } else {
    char *plain = strdup(text);
    dnn_progress_settle(g);
    if (plain) dnn_make_plain(plain);
    fprintf(g->log, "%s%s\n", before, plain ? plain : "");
    free(plain);
  }
  fflush(g->log);
}

void dnn_progress_note(DnnProgress *g, const char *text) { told(g, "note", "text", "", text); }
void dnn_progress_file(DnnProgress *g, const char *path) { told(g, "file", "path", "wrote ", path); }

/* ---- the line in place ---- */

/* The terminal's width now: it may have been changed since. */
static int terminal_columns(const DnnProgress *g) {
  struct winsize w;
  if (!ioctl(fileno(g->log), TIOCGWINSZ, &w) && w.ws_col > 0) return w.ws_col;
  return 80;
}

static int line_columns(const char *s) {
  int n = 0;
  const char *end = s + strlen(s);
  while (s < end) {
    uint32_t c = 0;
    int k = dnn_utf8(s, end, &c);
    n += k ? columns_of(c) : 1;
    s += k ? k : 1;
  }
  return n;
}

/* Appends `more` when the line stays within the columns. */
static int put_fitting(Line *l, const Line *more, int columns) {
  if (line_columns(l->s) + line_columns(more->s) > columns) return 0;
  put(l, "%s", more->s);
  return 1;
}

/* Stage, place and loss; then what fits, the time left first, then the rate, then the other reports. */
static void draw(DnnProgress *g, const DnnProgressAt *at, double now) {
  int columns = terminal_columns(g) - 1, room = columns;
  double spent = now - g->started;
  Line line = {0}, rate = {0}, left = {0};
  put(&line, "%s ", at->stage);
  if (at->in_epochs) put(&line, "epoch %lld/%lld ", (long long)at->epoch, (long long)at->epochs);
  put(&line, "step %lld/%lld", (long long)at->step, (long long)at->steps);
  if (at->n > 0) put_value(&line, at->names[0], g->smooth);
  if (g->seen > 0) put(&rate, "  %.0f examples/s", (double)g->seen / (spent > 0 ? spent : 1));
  if (at->steps >= at->step) {
    put(&left, "  ");
    put_time(&left, spent * (double)(at->steps - at->step) / (double)(at->step > 0 ? at->step : 1));
    put(&left, " left");
  }
  room -= line_columns(left.s) + line_columns(rate.s);
  for (int i = 1; i < at->n; i++) {
    Line value = {0};
    put_value(&value, at->names[i], at->values[i]);
    if (!put_fitting(&line, &value, room)) break;
  }
  put_fitting(&line, &rate, columns - line_columns(left.s));
  put_fitting(&line, &left, columns);
  char shown[LINE + 8];
  dnn_fit_line(shown, sizeof shown, line.s, columns);
  fprintf(g->log, "\r\033[K%s", shown);
  fflush(g->log);
  g->drawn = 1;
}

void dnn_progress_step(DnnProgress *g, const DnnProgressAt *at, int64_t rows) {
  g->seen += rows;
  if (at->n > 0) {
    if (isnan(g->smooth) && !isnan(at->values[0])) g->smooth_n = 0; /* the average begins again */
    double share = ++g->smooth_n < 50 ? 1.0 / (double)g->smooth_n : 0.02;
    g->smooth = g->smooth_n == 1 ? at->values[0] : g->smooth + share * (at->values[0] - g->smooth);
  }
  if (!g->terminal && g->quiet != JSON) return;
  double now = dnn_seconds();
  if (now - g->last_drawn < (g->quiet == JSON ? BETWEEN_JSON_STEPS : BETWEEN_DRAWS)) return;
  g->last_drawn = now;
  if (g->quiet != JSON) {
    draw(g, at, now);
    return;
  }
  fputs("{\"event\":\"step\"", g->log);
  json_at(g->log, at);
  json_end(g->log, (double)g->seen / (now > g->started ? now - g->started : 1), now - g->started);
}
