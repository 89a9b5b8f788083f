/* The page of a sweep: its table, and the curves of its runs over each other. */
#include "base/ds.h"
#include "report/plot.h"
#include "report/report.h"
#include "runtime/core/tensor_file.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_RUNS = 64 }; /* in one chart */

typedef struct Trials {
  DnnCsv table; /* run, the constants, the metric */
  Run *runs;    /* by row from 0; `arena` is NULL where the folder is not there */
  int n, best;  /* -1: not known */
  bool links;
} Trials;

bool report_is_sweep(const char *dir) {
  char *path = dnn_path_join(dir, "sweep.csv");
  bool is = path && dnn_file_exists(path);
  free(path);
  return is;
}

static const char *cell(const Trials *t, int row, int column) {
  return t->table.cells[(int64_t)(row + 1) * t->table.columns + column].text;
}

static const char *metric_of(const Trials *t) { return t->table.cells[t->table.columns - 1].text; }

/* Whether the largest is the best stands in the program's `sweep`. */
static void find_best(Trials *t) {
  t->best = -1;
  for (int i = 0; i < t->n; i++) {
    if (!t->runs[i].arena) continue;
    Model m;
    model_read(&m, &t->runs[i], false);
    const Sweep *sweep = m.session.prog ? m.session.prog->sweep : NULL;
    for (int k = 0; sweep && k < t->n; k++) {
      double v = strtod(cell(t, k, t->table.columns - 1), NULL);
      double best = t->best < 0 ? NAN : strtod(cell(t, t->best, t->table.columns - 1), NULL);
      if (!isnan(v) && (isnan(best) || (sweep->max ? v > best : v < best))) t->best = k;
    }
    model_end(&m);
    return;
  }
}

static void table(Buf *b, const Trials *t) {
  buf_str(b, "<div class=\"wide\"><table class=\"sweep\"><tr>");
  for (int c = 0; c < t->table.columns; c++) {
    buf_printf(b, "<th%s>", c == t->table.columns - 1 ? " class=\"n\"" : "");
    buf_html(b, t->table.cells[c].text);
    buf_str(b, "</th>");
  }
  buf_str(b, "</tr>\n");
  for (int i = 0; i < t->n; i++) {
    buf_printf(b, "<tr><td><span class=\"key %s\"></span>", plot_colour(i));
    bool number = !cell(t, i, 0)[strspn(cell(t, i, 0), "0123456789")];
    if (t->links && t->runs[i].arena && number) {
      buf_str(b, "<a href=\"");
      buf_html(b, cell(t, i, 0));
      buf_str(b, "/report.html\">");
      buf_html(b, cell(t, i, 0));
      buf_str(b, "</a></td>");
    } else {
      buf_html(b, cell(t, i, 0));
      buf_str(b, "</td>");
    }
    for (int c = 1; c < t->table.columns; c++) {
      bool last = c == t->table.columns - 1;
      buf_str(b, last ? i == t->best ? "<td class=\"n best\">" : "<td class=\"n\">" : "<td class=\"mono\">");
      buf_html(b, cell(t, i, c));
      buf_str(b, "</td>");
    }
    buf_str(b, "</tr>\n");
  }
  buf_str(b, "</table></div>\n");
}

/* Means where there are some, else single steps. */
static const Series *series_of(const Run *run, const char *metric) {
  const Series *found = NULL;
  for (int i = 0; i < (int)arrlen(run->series); i++) {
    const Series *s = &run->series[i];
    if (!strcmp(s->metric, metric) && (!found || s->kind != SERIES_STEPS)) found = s;
  }
  return found;
}

static const char *name_of(Arena *arena, const Trials *t, int row) {
  const char *text = cell(t, row, 0);
  for (int c = 1; c < t->table.columns - 1; c++)
    text = arena_printf(arena, "%s%s %s = %s", text, c > 1 ? "," : ":", t->table.cells[c].text, cell(t, row, c));
  return text;
}

static void chart(Buf *b, Arena *arena, const Trials *t, const char *metric) {
  Curve curves[MOST_RUNS];
  int n = 0;
  for (int i = 0; i < t->n && n < MOST_RUNS; i++) {
    const Series *s = t->runs[i].arena ? series_of(&t->runs[i], metric) : NULL;
    if (s) curves[n++] = (Curve){name_of(arena, t, i), s->points, (int)arrlen(s->points), i, CURVE_LINE};
  }
  plot_chart(b, &(Chart){metric, curves, n, NULL, 0, 0});
}

/* The metric that the sweep compares first, then the others. */
static void charts(Buf *b, Arena *arena, const Trials *t) {
  const char **metrics = NULL;
  arrput(metrics, metric_of(t));
  bool measured = false;
  for (int i = 0; i < t->n; i++)
    for (int k = 0; t->runs[i].arena && k < (int)arrlen(t->runs[i].series); k++) {
      const char *metric = t->runs[i].series[k].metric;
      bool known = false;
      for (int j = 0; j < (int)arrlen(metrics); j++) known |= !strcmp(metrics[j], metric);
      measured |= !strcmp(metric, metrics[0]);
      if (!known) arrput(metrics, metric);
    }
  for (int i = measured ? 0 : 1; i < (int)arrlen(metrics); i++) chart(b, arena, t, metrics[i]);
  arrfree(metrics);
}

bool report_sweep(Buf *b, Arena *arena, const char *dir, bool links, const char **why) {
  DnnError e;
  Trials t = {.links = links};
  if (!dnn_csv_open(arena_printf(arena, "%s/sweep.csv", dir), &t.table, &e))
    return *why = arena_strdup(arena, e.text), false;
  t.n = (int)t.table.rows - 1;
  t.runs = arena_array(arena, Run, t.n + 1);
  for (int i = 0; i < t.n; i++) {
    const char *ignored;
    if (!run_read(&t.runs[i], arena, arena_printf(arena, "%s/%s", dir, cell(&t, i, 0)), &ignored)) t.runs[i] = (Run){0};
  }
  find_best(&t);
  page_begin(b, arena_printf(arena, "sweep: %s", dir));
  buf_printf(b, "<header><h1>Sweep of %d runs</h1><p class=\"sub\">folder <code>", t.n);
  buf_html(b, dir);
  buf_str(b, "</code></p></header>\n<main>\n");
  section_begin(b, "runs", "Runs");
  table(b, &t);
  section_end(b);
  section_begin(b, "curves", "Curves");
  buf_str(b, "<div class=\"charts\">\n");
  charts(b, arena, &t);
  buf_str(b, "</div>\n");
  section_end(b);
  buf_str(b, "</main>\n");
  page_end(b);
  for (int i = 0; i < t.n; i++)
    if (t.runs[i].arena) run_free(&t.runs[i]);
  dnn_csv_close(&t.table);
  return true;
}
