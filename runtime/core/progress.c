#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "runtime/core/progress.h"
#include <math.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double dnn_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void dnn_progress_start(DnnProgress *g, const DnnTrainOpts *o) {
  *g = (DnnProgress){.log = o->log ? o->log : stdout, .quiet = o->quiet};
  g->terminal = !o->quiet && isatty(fileno(g->log));
  g->started = dnn_seconds();
}

static void clear_line(DnnProgress *g) {
  if (g->drawn) fputs("\r\033[K", g->log);
  g->drawn = 0;
}

static void put_time(char *s, size_t n, double seconds) {
  long t = (long)(seconds + 0.5);
  if (t >= 3600) snprintf(s, n, "%ld:%02ld:%02ld", t / 3600, t / 60 % 60, t % 60);
  else if (t >= 60) snprintf(s, n, "%ld:%02ld", t / 60, t % 60);
  else snprintf(s, n, "%.1f s", seconds);
}

/* JSON has no NaN or infinity: null stands for them. */
static void put_json_number(FILE *f, double v) {
  if (isfinite(v)) fprintf(f, "%.9g", v);
  else fputs("null", f);
}

static void put_json_string(FILE *f, const char *s) {
  fputc('"', f);
  for (; *s; s++) {
    unsigned char c = (unsigned char)*s;
    if (c == '"' || c == '\\') fprintf(f, "\\%c", c);
    else if (c < 32) fprintf(f, "\\u%04x", c);
    else fputc(c, f);
  }
  fputc('"', f);
}

void dnn_progress_step(DnnProgress *g, const char *stage, int64_t step, int64_t steps, int64_t epoch, int64_t epochs,
                       int64_t rows, int n, const char *const *names, const double *values) {
  g->seen += rows;
  if (n > 0) {
    g->smooth_n++;
    double share = g->smooth_n < 50 ? 1.0 / (double)g->smooth_n : 0.02;
    g->smooth += share * (values[0] - g->smooth);
  }
  if (!g->terminal) return;
  double now = dnn_seconds();
  if (now - g->last_drawn < 0.1) return;
  g->last_drawn = now;
  double spent = now - g->started;
  char left[32];
  put_time(left, sizeof left, spent * (double)(steps - step) / (double)(step > 0 ? step : 1));
  fprintf(g->log, "\r\033[K%s ", stage);
  if (epochs > 1) fprintf(g->log, "epoch %lld/%lld ", (long long)epoch, (long long)epochs);
  fprintf(g->log, "step %lld/%lld", (long long)step, (long long)steps);
  if (n > 0) fprintf(g->log, "  %s %.4g", names[0], g->smooth);
  for (int i = 1; i < n && i < 4; i++) fprintf(g->log, "  %s %.4g", names[i], values[i]);
  fprintf(g->log, "  %.0f/s  %s left", (double)g->seen / (spent > 0 ? spent : 1), left);
  fflush(g->log);
  g->drawn = 1;
}

void dnn_progress_line(DnnProgress *g, const char *title, int n, const char *const *names, const double *values,
                       double rate, double seconds) {
  if (g->quiet == 1) return;
  if (g->quiet == 2) {
    fputs("{\"what\":", g->log);
    put_json_string(g->log, title);
    for (int i = 0; i < n; i++) {
      fputc(',', g->log);
      put_json_string(g->log, names[i]);
      fputc(':', g->log);
      put_json_number(g->log, values[i]);
    }
    fprintf(g->log, ",\"seconds\":%.3f}\n", seconds);
    fflush(g->log);
    return;
  }
  clear_line(g);
  fprintf(g->log, "%-20s", title);
  for (int i = 0; i < n; i++) fprintf(g->log, "  %s %.4g", names[i], values[i]);
  char took[32];
  put_time(took, sizeof took, seconds);
  if (rate > 0) fprintf(g->log, "  %.0f examples/s", rate);
  fprintf(g->log, "  %s\n", took);
  fflush(g->log);
}

void dnn_progress_note(DnnProgress *g, const char *text) {
  if (g->quiet == 1) return;
  if (g->quiet == 2) {
    fputs("{\"note\":", g->log);
    put_json_string(g->log, text);
    fputs("}\n", g->log);
  } else {
    clear_line(g);
    fprintf(g->log, "%s\n", text);
  }
  fflush(g->log);
}
