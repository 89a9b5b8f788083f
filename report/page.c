/* The page of a run: summary, curves, layers, memory. */
#include "base/ds.h"
#include "library/summary.h"
#include "report/memory.h"
#include "report/plot.h"
#include "report/report.h"
#include <math.h>
#include <string.h>
#include <time.h>

enum { MOST_CURVES = 16, MOST_OPEN = 60 }; /* of a chart; rows of a table that is open at first */

/* The policy forbids everything that a page could ask a network for, and scripts. */
void page_begin(Buf *b, const char *title) {
  buf_str(b, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
             "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
             "img-src data:\">\n"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
  buf_html(b, title);
  buf_str(b, "</title>\n<style>\n");
  buf_str(b, report_drawing_style);
  buf_str(b, report_style);
  buf_str(b, "</style></head>\n<body>\n");
}

void page_end(Buf *b) { buf_str(b, "<footer>Written by <code>dnnc report</code>.</footer>\n</body></html>\n"); }

void section_begin(Buf *b, const char *id, const char *title) {
  buf_printf(b, "<section id=\"%s\"><h2>%s</h2>\n", id, title);
}

void section_end(Buf *b) { buf_str(b, "</section>\n"); }

/* ---- summary ---- */

static void put_json(Buf *b, const char *key, json_t *v) {
  size_t i = 0, n = strlen(key);
  const char *name;
  json_t *x;
  bool bytes = (n > 5 && !strcmp(key + n - 5, "bytes")) || !strcmp(key, "memory");
  switch (json_typeof(v)) {
  case JSON_STRING: buf_html(b, json_string_value(v)); break;
  case JSON_INTEGER:
    if (bytes) plot_bytes(b, (double)json_integer_value(v));
    else buf_printf(b, "%lld", (long long)json_integer_value(v));
    break;
  case JSON_REAL: buf_printf(b, "%.6g", json_real_value(v)); break;
  case JSON_TRUE: buf_str(b, "yes"); break;
  case JSON_FALSE: buf_str(b, "no"); break;
  case JSON_NULL: buf_str(b, "none"); break;
  case JSON_ARRAY:
    json_array_foreach(v, i, x) {
      if (i) buf_str(b, ", ");
      put_json(b, key, x);
    }
    break;
  case JSON_OBJECT:
    json_object_foreach(v, name, x) {
      if (i++) buf_str(b, ", ");
      buf_html(b, name);
      buf_char(b, ' ');
      put_json(b, name, x);
    }
    break;
  }
}

/* Seconds since 1970 of "2026-11-27T12:41:02Z"; 0: not there. */
static double moment(const Run *run, const char *key) {
  struct tm t = {0};
  const char *text = run_text(run, key);
  const char *end = text ? strptime(text, "%Y-%m-%dT%H:%M:%SZ", &t) : NULL;
  return end && !*end ? (double)timegm(&t) : 0;
}

static void put_took(Buf *b, const Run *run) {
  double from = moment(run, "started"), to = moment(run, run_text(run, "ended") ? "ended" : "now");
  long seconds = (long)(to - from);
  if (!from || !to || seconds < 1) return;
  buf_str(b, "<dt>took</dt><dd>");
  if (seconds >= 3600) buf_printf(b, "%ld h %ld min", seconds / 3600, seconds / 60 % 60);
  else if (seconds >= 60) buf_printf(b, "%ld min %ld s", seconds / 60, seconds % 60);
  else buf_printf(b, "%ld s", seconds);
  buf_str(b, "</dd>\n");
}

static bool is_empty(const json_t *v) {
  return json_is_null(v) || (json_is_array(v) && !json_array_size(v)) || (json_is_object(v) && !json_object_size(v)) ||
         (json_is_string(v) && !*json_string_value(v));
}

static void fact_begin(Buf *b, const char *name) {
  Buf text = {0};
  for (; *name; name++) buf_char(&text, *name == '_' ? ' ' : *name); /* plan_hash is "plan hash" */
  buf_str(b, "<dt>");
  buf_html(b, text.s ? text.s : "");
  buf_free(&text);
  buf_str(b, "</dt><dd>");
}

static void facts(Buf *b, const Run *run, const Model *m) {
  const char *key;
  json_t *v;
  buf_str(b, "<dl>\n");
  json_object_foreach(run->record, key, v) {
    if (is_empty(v) || !strcmp(key, "state") || !strcmp(key, "now")) continue;
    fact_begin(b, key);
    put_json(b, key, v);
    buf_str(b, "</dd>\n");
  }
  put_took(b, run);
  fact_begin(b, "folder");
  buf_html(b, run->dir);
  buf_printf(b, "</dd>\n<dt>steps</dt><dd>%.0f</dd>\n", run->last_step);
  if (m->session.prog)
    buf_printf(b, "<dt>trained numbers</dt><dd>%lld</dd>\n", (long long)summary_parameters(m->session.prog));
  if (run->checkpoints) buf_printf(b, "<dt>checkpoints</dt><dd>%lld</dd>\n", (long long)run->checkpoints);
  buf_str(b, "</dl>\n");
  for (int i = 0; i < (int)arrlen(run->notes); i++) {
    buf_str(b, "<p class=\"warn\">");
    buf_html(b, run->notes[i]);
    buf_str(b, "</p>\n");
  }
}

static bool has_epochs(const Run *run, const Series *s) {
  for (int i = 0; i < (int)arrlen(run->series); i++)
    if (run->series[i].kind == SERIES_EPOCHS && !strcmp(run->series[i].metric, s->metric)) return true;
  return false;
}

static void put_extreme(Buf *b, const Series *s, double sign) {
  const Point *best = NULL;
  for (int i = 0; i < (int)arrlen(s->points); i++)
    if (isfinite(s->points[i].value) && (!best || sign * s->points[i].value > sign * best->value)) best = &s->points[i];
  if (!best) buf_str(b, "<td class=\"n\"></td><td class=\"n\"></td>");
  else buf_printf(b, "<td class=\"n\">%.5g</td><td class=\"n\">%.0f</td>", best->value, best->step);
}

static void metric_table(Buf *b, const Run *run) {
  static const char *const kinds[] = {"training steps", "means of epochs", "passes"};
  buf_str(b, "<div class=\"wide\"><table class=\"metrics\"><tr><th>metric</th><th>of</th><th class=\"n\">values</th>"
             "<th class=\"n\">first</th><th class=\"n\">last</th><th class=\"n\">least</th><th class=\"n\">at step</th>"
             "<th class=\"n\">largest</th><th class=\"n\">at step</th></tr>\n");
  for (int i = 0; i < (int)arrlen(run->series); i++) {
    const Series *s = &run->series[i];
    if (s->kind == SERIES_STEPS && has_epochs(run, s)) continue;
    buf_str(b, "<tr><td>");
    buf_html(b, s->metric);
    buf_printf(b, "</td><td>%s</td><td class=\"n\">%d</td><td class=\"n\">%.5g</td><td class=\"n\">%.5g</td>",
               kinds[s->kind], (int)arrlen(s->points), s->points[0].value, arrlast(s->points).value);
    put_extreme(b, s, -1);
    put_extreme(b, s, 1);
    buf_str(b, "</tr>\n");
  }
  buf_str(b, "</table></div>\n");
}

/* ---- curves ---- */

/* A step has one colour in all charts: its number among those that report. */
static int colour_of(const Run *run, const char *metric) {
  int colour = 0;
  for (int i = 0; i < (int)arrlen(run->series); i++) {
    const char *other = run->series[i].metric;
    size_t n = (size_t)(metric_report(other) - other);
    bool first = true;
    if (n == (size_t)(metric_report(metric) - metric) && !memcmp(other, metric, n)) break;
    for (int k = 0; k < i && first; k++) {
      const char *known = run->series[k].metric;
      first = n != (size_t)(metric_report(known) - known) || memcmp(known, other, n) != 0;
    }
    colour += first;
  }
  return colour % PLOT_COLOURS;
}

/* One chart for all metrics that a report's name is in: the training's and the evaluation's loss side by side. Single
 * steps are pale where there are means as well. */
static void put_report(Buf *b, Arena *arena, const Run *run, const char *report) {
  static const char *const kinds[] = {" (steps)", " (epoch means)", ""};
  Curve curves[MOST_CURVES];
  int n = 0;
  for (int i = 0; i < (int)arrlen(run->series) && n < MOST_CURVES; i++) {
    const Series *s = &run->series[i];
    if (strcmp(metric_report(s->metric), report)) continue;
    int count = (int)arrlen(s->points);
    Curve c = {arena_printf(arena, "%s%s", s->metric, kinds[s->kind]), s->points, count, colour_of(run, s->metric),
               CURVE_LINE};
    if (s->kind == SERIES_STEPS) c.form = has_epochs(run, s) ? CURVE_PALE : count >= 60 ? CURVE_TREND : CURVE_LINE;
    curves[n++] = c;
  }
  plot_chart(b, &(Chart){report, curves, n, run->marks, (int)arrlen(run->marks), run->last_step});
}

static void curves_section(Buf *b, const Run *run) {
  section_begin(b, "curves", "Curves");
  buf_str(b, "<div class=\"charts\">\n");
  for (int i = 0; i < (int)arrlen(run->series); i++) {
    const char *report = metric_report(run->series[i].metric);
    bool done = false;
    for (int k = 0; k < i; k++) done |= !strcmp(metric_report(run->series[k].metric), report);
    if (!done) put_report(b, run->arena, run, report);
  }
  buf_str(b, "</div>\n");
  section_end(b);
}

/* ---- what the source tells ---- */

static void layer_table(Buf *b, const Layers *l) {
  buf_printf(b, "<details%s><summary>", arrlen(l->rows) <= MOST_OPEN ? " open" : "");
  buf_html(b, l->head);
  buf_str(b, "</summary><div class=\"wide\"><table class=\"layers\"><tr>");
  for (int c = 0; c < SUMMARY_COLUMNS; c++)
    buf_printf(b, "<th%s>%s</th>", c < 2 ? "" : " class=\"n\"", summary_titles[c]);
  buf_str(b, "</tr>\n");
  for (int i = 0; i < (int)arrlen(l->rows); i++) {
    buf_printf(b, "<tr><td style=\"padding-left:%dpx\">", 16 * l->rows[i].depth);
    buf_html(b, l->rows[i].cell[0]);
    for (int c = 1; c < SUMMARY_COLUMNS; c++) {
      buf_str(b, c < 2 ? "</td><td class=\"mono\">" : "</td><td class=\"n\">");
      buf_html(b, l->rows[i].cell[c]);
    }
    buf_str(b, "</td></tr>\n");
  }
  buf_str(b, "</table></div><p class=\"legend\">");
  buf_html(b, l->work);
  buf_str(b, " multiply-adds in all</p></details>\n");
}

static void layers_section(Buf *b, const Model *m) {
  section_begin(b, "layers", "Layers");
  for (int i = 0; i < (int)arrlen(m->layers); i++) layer_table(b, &m->layers[i]);
  section_end(b);
}

static void memory_section(Buf *b, const Model *m) {
  section_begin(b, "memory", "Memory");
  memory_bar(b, m->session.prog, m->plans[0]);
  buf_str(b,
          "<p class=\"sub\">Below: the values that a training step keeps in its arena, each at its place for as long "
          "as it is needed. Workspace of kernels and scratch of threads come on top.</p>\n");
  for (int i = 0; i < (int)arrlen(m->plans); i++) {
    if (i == 1) buf_str(b, "<details><summary>other training steps</summary>\n");
    memory_picture(b, m->plans[i]);
  }
  if (arrlen(m->plans) > 1) buf_str(b, "</details>\n");
  section_end(b);
}

/* ---- the page ---- */

static const char *title_of(const Run *run) {
  const char *name = run_text(run, "program");
  if (!name && arrlen(run->sources) == 1) name = run->sources[0].name;
  return name ? name : run->dir;
}

/* run.json says how the training ended. It cannot say that it was killed, and a built trainer writes none. */
static const char *state_of(const Run *run) {
  const char *state = run_text(run, "state");
  if (run_is_at_work(run)) return "running";
  if (state && strcmp(state, "running")) return state;
  return !state && run_path(run, "last.dnnw") ? "finished" : "not finished";
}

static void head(Buf *b, const Run *run, const Model *m) {
  const char *state = state_of(run);
  page_begin(b, arena_printf(run->arena, "%s: %s", title_of(run), run->dir));
  buf_str(b, "<header><h1>");
  buf_html(b, title_of(run));
  buf_str(b, "</h1><p class=\"sub\">run folder <code>");
  buf_html(b, run->dir);
  buf_printf(b, "</code> <span class=\"state %s\">", strcmp(state, "finished") ? "warn" : "good");
  buf_html(b, state);
  buf_str(b, "</span></p>\n<nav>");
  buf_str(b, "<a href=\"#summary\">Summary</a>");
  if (arrlen(run->series)) buf_str(b, "<a href=\"#curves\">Curves</a>");
  if (arrlen(m->layers)) buf_str(b, "<a href=\"#layers\">Layers</a>");
  if (arrlen(m->plans)) buf_str(b, "<a href=\"#memory\">Memory</a>");
  if (run->profile) buf_str(b, "<a href=\"#profile\">Profile</a>");
  if (arrlen(run->files)) buf_str(b, "<a href=\"#files\">Files</a>");
  if (arrlen(run->sources)) buf_str(b, "<a href=\"#source\">Source</a>");
  buf_str(b, "</nav></header>\n<main>\n");
}

void report_run(Buf *b, const Run *run, Model *m) {
  head(b, run, m);
  section_begin(b, "summary", "Summary");
  if (arrlen(run->series)) metric_table(b, run);
  else buf_str(b, "<p>Nothing has been measured yet.</p>\n");
  facts(b, run, m);
  if (m->trouble) {
    buf_str(b, "<p class=\"sub\">Layers and memory are not shown: ");
    buf_html(b, m->trouble);
    buf_str(b, ".</p>\n");
  }
  section_end(b);
  if (arrlen(run->series)) curves_section(b, run);
  if (arrlen(m->layers)) layers_section(b, m);
  if (arrlen(m->plans)) memory_section(b, m);
  if (run->profile) profile_section(b, run);
  if (arrlen(run->files)) files_section(b, run);
  if (arrlen(run->sources)) sources_section(b, run);
  buf_str(b, "</main>\n");
  page_end(b);
}
