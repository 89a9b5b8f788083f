/* Curves as inline SVG. Colours are the classes c0 .. c7 of the page's style sheet. */
#ifndef REPORT_PLOT_H
#define REPORT_PLOT_H
#include "base/buf.h"
#include "report/run.h"

enum { PLOT_COLOURS = 8 };
typedef struct Curve {
  const char *name; /* in the legend */
  const Point *points;
  int n, colour;                                     /* from PLOT_COLOURS on the colours come again, dashed */
  enum { CURVE_LINE, CURVE_PALE, CURVE_TREND } form; /* PALE: thin, it scatters; TREND: and a smoothed one over it */
} Curve;

typedef struct Chart {
  const char *title;
  const Curve *curves;
  int n;
  const Mark *marks; /* stages: a line where each begins, from the second on */
  int n_marks;
  double last; /* the axis goes from 0 to this step at least */
} Chart;

/* A figure with title, axes, curves and legend. The y axis is logarithmic when all values are positive and the largest
 * is 30 times the least. Curves of more points than the picture has columns keep least and largest of each column.
 * Values that are NaN or infinite are gaps, marked at the lower edge and told below; the few
 * that are larger than all else by four powers of ten run along the upper edge. */
void plot_chart(Buf *b, const Chart *chart);
/* The classes of a colour's number: "c3", "c3 dash1" in the second round. Valid until the next call. */
const char *plot_colour(int colour);
/* The distance of marks on an axis: 1, 2 or 5 times a power of ten, at least `v`, which is above 0. */
double plot_nice(double v);
/* 12, 1.5k, 2M for an axis. */
void plot_number(Buf *b, double v);
/* 1.2 MB; 640 B */
void plot_bytes(Buf *b, double v);
#endif
