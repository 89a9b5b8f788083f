#include "report/plot.h"
#include "base/ds.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
  WIDTH = 640,
  HEIGHT = 290,
  LEFT = 58,
  RIGHT = 618,
  TOP = 12,
  BOTTOM = 256,
  MOST_BAD_MARKS = 40,
  MOST_TICKS = 12
};

/* Differences of what is drawn are finite. */
static bool is_drawn(double v) { return fabs(v) < 1e300; }

typedef struct Axes {
  double x1, y0, y1; /* x from 0; of log10(y) when `log` */
  bool log;
} Axes;

void plot_number(Buf *b, double v) {
  double size = fabs(v);
  if (size >= 1e13) buf_printf(b, "%.3g", v);
  else if (size >= 1e9) buf_printf(b, "%gG", v / 1e9);
  else if (size >= 1e6) buf_printf(b, "%gM", v / 1e6);
  else if (size >= 1e4) buf_printf(b, "%gk", v / 1e3);
  else buf_printf(b, "%g", v);
}

void plot_bytes(Buf *b, double v) {
  static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
  int k = 0;
  for (; v >= 1000 && k < 4; k++) v /= 1000;
  buf_printf(b, k && v < 100 ? "%.1f\302\240%s" : "%.0f\302\240%s", v, units[k]);
}

static double x_of(const Axes *a, double step) { return LEFT + (RIGHT - LEFT) * step / a->x1; }

static double y_of(const Axes *a, double v) {
  if (a->log) v = log10(v);
  double y = BOTTOM - (BOTTOM - TOP) * (v - a->y0) / (a->y1 - a->y0);
  return y > TOP - 4 ? y : TOP - 4; /* what diverges runs along the upper edge */
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Where the axis ends when a few values are larger than all else by four powers of ten, as of runs that diverge: at ten
 * times what nine in ten of the (positive) values do not exceed. Else INFINITY. */
static double limit_of(const Chart *c, double most) {
  double *values = NULL, limit = INFINITY;
  for (int i = 0; i < c->n; i++)
    for (int k = 0; k < c->curves[i].n; k++)
      if (is_drawn(c->curves[i].points[k].value)) arrput(values, c->curves[i].points[k].value);
  int n = (int)arrlen(values);
  arrsort(values, by_value);
  if (n && most > 1e4 * values[9 * (n - 1) / 10]) limit = 10 * values[9 * (n - 1) / 10];
  arrfree(values);
  return limit;
}

static Axes axes_of(const Chart *c) {
  Axes a = {c->last, INFINITY, -INFINITY, false};
  for (int i = 0; i < c->n; i++)
    for (int k = 0; k < c->curves[i].n; k++) {
      Point p = c->curves[i].points[k];
      a.x1 = fmax(a.x1, p.step);
      if (is_drawn(p.value)) a.y0 = fmin(a.y0, p.value), a.y1 = fmax(a.y1, p.value);
    }
  if (a.x1 <= 0) a.x1 = 1;
  if (!isfinite(a.y0)) a.y0 = 0, a.y1 = 1; /* not one finite value */
  if (a.y0 > 0 && a.y1 >= 1e4 * a.y0) a.y1 = fmin(a.y1, limit_of(c, a.y1));
  a.log = a.y0 > 0 && a.y1 >= 30 * a.y0;
  if (a.log) a.y0 = log10(a.y0), a.y1 = log10(a.y1);
  double room = (a.y1 - a.y0) * 0.05;
  if (room <= 0) room = a.y0 ? fabs(a.y0) * 0.5 : 1;
  a.y0 -= room, a.y1 += room;
  return a;
}

double plot_nice(double v) {
  double power = pow(10, floor(log10(v))), m = v / power;
  return power * (m <= 1.0001 ? 1 : m <= 2.0001 ? 2 : m <= 5.0001 ? 5 : 10);
}

static void y_tick(Buf *b, const Axes *a, double v) {
  double y = y_of(a, v);
  if (y < TOP - 0.5 || y > BOTTOM + 0.5) return;
  buf_printf(b, "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text class=\"tick\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">",
             LEFT, y, RIGHT, LEFT - 6, y + 4);
  plot_number(b, v);
  buf_str(b, "</text>\n");
}

static void y_ticks(Buf *b, const Axes *a) {
  if (!a->log) {
    double by = plot_nice((a->y1 - a->y0) / 5);
    for (int k = 0; k < MOST_TICKS; k++) y_tick(b, a, (ceil(a->y0 / by) + k) * by);
    return;
  }
  int decades = (int)(a->y1 - a->y0), each = decades > 6 ? (decades + 5) / 6 : 1;
  for (int k = (int)floor(a->y0); k <= (int)ceil(a->y1); k++) {
    if (k % each == 0) y_tick(b, a, pow(10, k));
    if (decades < 3) y_tick(b, a, 2 * pow(10, k)), y_tick(b, a, 5 * pow(10, k));
  }
}

static void x_ticks(Buf *b, const Axes *a) {
  double by = fmax(plot_nice(a->x1 / 6), 1);
  buf_printf(b, "<path class=\"axis\" d=\"M%d %dH%d\"/>", LEFT, BOTTOM, RIGHT);
  for (int k = 0; k < MOST_TICKS && k * by <= a->x1; k++) {
    buf_printf(
        b, "<path class=\"axis\" d=\"M%.1f %dv4\"/><text class=\"tick\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">",
        x_of(a, k * by), BOTTOM, x_of(a, k * by), BOTTOM + 18);
    plot_number(b, k * by);
    buf_str(b, "</text>\n");
  }
  buf_printf(b, "<text class=\"tick\" x=\"%d\" y=\"%d\" text-anchor=\"end\">step</text>\n", RIGHT, BOTTOM + 32);
}

static void stage_lines(Buf *b, const Chart *c, const Axes *a) {
  for (int i = 0; i < c->n_marks && c->n_marks > 1; i++) {
    double x = x_of(a, c->marks[i].step);
    if (x < LEFT || x > RIGHT - 2) continue;
    if (i) buf_printf(b, "<path class=\"stage\" d=\"M%.1f %dV%d\"/>", x, TOP, BOTTOM);
    buf_printf(b, "<text class=\"stage\" x=\"%.1f\" y=\"%d\">", x + 4, TOP + 9);
    buf_html(b, c->marks[i].stage);
    buf_str(b, "</text>\n");
  }
}

/* ---- curves ---- */

const char *plot_colour(int colour) {
  static char text[32];
  int dash = colour / PLOT_COLOURS % 3;
  snprintf(text, sizeof text, dash ? "c%d dash%d" : "c%d", colour % PLOT_COLOURS, dash);
  return text;
}

/* A pixel column of a curve: its first, least, largest and last value with their places in the row of points. */
typedef struct Column {
  int pixel, first, least, largest, last;
} Column;

static void put_point(Buf *b, const Axes *a, Point p, bool *pen) {
  buf_printf(b, "%c%.1f %.1f", *pen ? 'L' : 'M', x_of(a, p.step), y_of(a, p.value));
  *pen = true;
}

static void put_column(Buf *b, const Axes *a, const Point *p, const Column *c, bool *pen) {
  int order[4] = {c->first, c->least < c->largest ? c->least : c->largest,
                  c->least < c->largest ? c->largest : c->least, c->last};
  for (int i = 0; i < 4; i++)
    if (!i || order[i] != order[i - 1]) put_point(b, a, p[order[i]], pen);
}

/* The end of a column; when it is all there is between two gaps its one point is a dot, in `dots`. */
static void end_column(Buf *b, Buf *dots, const Axes *a, const Point *p, const Column *c, bool gap, bool *pen) {
  if (!gap || *pen || c->first != c->last) put_column(b, a, p, c, pen);
  else buf_printf(dots, "M%.1f %.1fh0", x_of(a, p[c->first].step), y_of(a, p[c->first].value));
}

static void put_curve(Buf *b, const Axes *a, const Point *p, int n, int colour, const char *class) {
  Buf dots = {0};
  bool pen = false, open = false;
  Column c = {0};
  buf_printf(b, "<path class=\"%s %s\" d=\"", class, plot_colour(colour));
  for (int i = 0; i < n; i++) {
    bool gap = !is_drawn(p[i].value);
    int pixel = (int)x_of(a, p[i].step);
    if (open && (gap || pixel != c.pixel)) end_column(b, &dots, a, p, &c, gap, &pen), open = false;
    if (gap) pen = false;
    if (gap) continue;
    if (!open) c = (Column){pixel, i, i, i, i}, open = true;
    c.last = i;
    if (p[i].value < p[c.least].value) c.least = i;
    if (p[i].value > p[c.largest].value) c.largest = i;
  }
  if (open) end_column(b, &dots, a, p, &c, true, &pen);
  buf_str(b, "\"/>\n");
  if (dots.n) buf_printf(b, "<path class=\"dots %s\" d=\"%s\"/>\n", plot_colour(colour), dots.s);
  buf_free(&dots);
}

static void put_dots(Buf *b, const Axes *a, const Point *p, int n, int colour) {
  buf_printf(b, "<path class=\"dots %s\" d=\"", plot_colour(colour));
  for (int i = 0; i < n; i++)
    if (is_drawn(p[i].value)) buf_printf(b, "M%.1f %.1fh0", x_of(a, p[i].step), y_of(a, p[i].value));
  buf_str(b, "\"/>\n");
}

/* An exponential mean over some 1/30 of the curve, without the pull of its beginning at 0. */
static void put_trend(Buf *b, const Axes *a, const Curve *c) {
  Point *smooth = NULL;
  double keep = 1 - fmin(1, 30.0 / c->n), sum = 0, weight = 0;
  for (int i = 0; i < c->n; i++) {
    Point p = c->points[i];
    if (!is_drawn(p.value)) continue;
    sum = keep * sum + (1 - keep) * p.value, weight = keep * weight + (1 - keep);
    p.value = sum / weight;
    arrput(smooth, p);
  }
  put_curve(b, a, smooth, (int)arrlen(smooth), c->colour, "trend");
  arrfree(smooth);
}

static void put_bad(Buf *b, const Axes *a, const Curve *c) {
  int marks = 0;
  for (int i = 0; i < c->n && marks < MOST_BAD_MARKS; i++) {
    if (is_drawn(c->points[i].value)) continue;
    buf_printf(b, "<path class=\"bad\" d=\"M%.1f %dl-3 6h6z\"><title>", x_of(a, c->points[i].step), BOTTOM - 6);
    buf_html(b, c->name);
    buf_printf(b, ", step %.0f: %g</title></path>\n", c->points[i].step, c->points[i].value);
    marks++;
  }
}

/* Which curves have values that cannot be drawn, and from where on. */
static void put_bad_values(Buf *b, const Chart *c) {
  bool any = false;
  for (int i = 0; i < c->n; i++) {
    const Curve *u = &c->curves[i];
    int bad = 0, first = 0;
    for (int k = u->n; k-- > 0;)
      if (!is_drawn(u->points[k].value)) bad++, first = k;
    if (!bad) continue;
    buf_str(b, any ? "; " : "<p class=\"warn\">not finite: ");
    buf_html(b, u->name);
    buf_printf(b, ", %d of %d values, the first at step %.0f (%g)", bad, u->n, u->points[first].step,
               u->points[first].value);
    any = true;
  }
  if (any) buf_str(b, "</p>");
}

static void put_legend(Buf *b, const Chart *c) {
  buf_str(b, "<figcaption>");
  for (int i = 0; i < c->n; i++) {
    buf_printf(b, "<span class=\"item\"><span class=\"key %s%s\"></span>", plot_colour(c->curves[i].colour),
               c->curves[i].form == CURVE_PALE ? " pale" : "");
    buf_html(b, c->curves[i].name);
    buf_str(b, "</span>\n");
  }
  buf_str(b, "</figcaption>");
}

void plot_chart(Buf *b, const Chart *c) {
  Axes a = axes_of(c);
  buf_str(b, "<figure class=\"chart\"><h3>");
  buf_html(b, c->title);
  buf_printf(b, "%s</h3><svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"",
             a.log ? " <small>logarithmic</small>" : "", WIDTH, HEIGHT);
  buf_html(b, c->title);
  buf_str(b, "\">\n");
  y_ticks(b, &a);
  x_ticks(b, &a);
  stage_lines(b, c, &a);
  for (int i = 0; i < c->n; i++) {
    const Curve *u = &c->curves[i];
    put_curve(b, &a, u->points, u->n, u->colour, u->form == CURVE_LINE ? "curve" : "curve pale");
    if (u->form == CURVE_TREND) put_trend(b, &a, u);
    if (u->form == CURVE_LINE && u->n <= 60) put_dots(b, &a, u->points, u->n, u->colour);
  }
  for (int i = 0; i < c->n; i++) put_bad(b, &a, &c->curves[i]);
  buf_str(b, "</svg>");
  put_bad_values(b, c);
  put_legend(b, c);
  buf_str(b, "</figure>\n");
}
