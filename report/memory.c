#include "report/memory.h"
#include "base/ds.h"
#include "passes/peak.h"
#include "report/plot.h"
#include "report/report.h"
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 960, HEIGHT = 380, LEFT = 64, RIGHT = 948, TOP = 16, BOTTOM = 348, MOST_BUFFERS = 4000 };

typedef struct Scale {
  double last, bytes; /* positions and bytes that the axes reach */
} Scale;

static double x_of(const Scale *s, double at) { return LEFT + (RIGHT - LEFT) * at / s->last; }
static double y_of(const Scale *s, double bytes) { return BOTTOM - (BOTTOM - TOP) * bytes / s->bytes; }

/* What made the value, by its op's class: colours of the page. */
static const struct {
  const char *title;
  int colour;
} kinds[] = {{"products, convolutions", 0},
             {"element by element", 1},
             {"reductions", 2},
             {"gathered, sorted", 3},
             {"loops and branches", 4}};
enum { KINDS = sizeof kinds / sizeof *kinds };
static int kind_of(const Node *n) {
  switch (n ? op_info[n->op].cls : REGION) {
  case CONTRACT:
  case WINDOW: return 0;
  case REDUCE: return 2;
  case GATHER:
  case SCATTER:
  case CALL: return 3;
  case REGION:
  case META: return 4;
  default: return 1;
  }
}

static void put_title(Buf *b, const Plan *p, int number, const Node *maker) {
  const PlanBuf *x = &p->bufs[number];
  Buf text = {0}, type = {0};
  plan_tell_maker(p, &text, number, maker);
  type_print(p->graph->dims, &type, x->type);
  buf_printf(b, "<title>b%d ", number);
  buf_html(b, text.s);
  buf_char(b, '\n');
  buf_html(b, type.s);
  buf_str(b, ", ");
  plot_bytes(b, (double)x->bytes);
  buf_printf(b, " at %lld\nalive in steps %d to %d</title>", (long long)x->offset, x->begin, x->end);
  buf_free(&text), buf_free(&type);
}

/* The name of what lies there, where the rectangle has room for it. */
static void put_label(Buf *b, const Plan *p, int number, const Node *maker, double x, double y, double w, double h) {
  enum { LETTER = 6, LINE = 13 };
  Buf text = {0};
  plan_tell_maker(p, &text, number, maker);
  if ((double)text.n * LETTER + 8 > w) {
    text.n = 0;
    buf_printf(&text, "b%d", number);
  }
  if ((double)text.n * LETTER + 8 <= w && h >= LINE) {
    buf_printf(b, "<text class=\"label\" x=\"%.1f\" y=\"%.1f\">", x + 4, y + h / 2 + 4);
    buf_html(b, text.s);
    buf_str(b, "</text>\n");
  }
  buf_free(&text);
}

static void put_buffers(Buf *b, const Plan *p, const Scale *s, const Node *const *made) {
  for (int i = 0; i < (int)arrlen(p->bufs) && i < MOST_BUFFERS; i++) {
    const PlanBuf *x = &p->bufs[i];
    if (!plan_in_arena(x)) continue;
    double top = y_of(s, (double)(x->offset + x->bytes)), left = x_of(s, x->begin);
    double wide = x_of(s, x->end + 1) - left, high = y_of(s, (double)x->offset) - top;
    buf_printf(b, "<rect class=\"buffer c%d\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\">",
               kinds[kind_of(made[i])].colour, left, top, wide, high);
    put_title(b, p, i, made[i]);
    buf_str(b, "</rect>\n");
    put_label(b, p, i, made[i], left, top, wide, high);
  }
}

/* The bytes alive at each position, as a line of steps. */
static void put_alive(Buf *b, const Plan *p, const Scale *s) {
  int n = 0;
  int64_t *alive = plan_alive(p, &n);
  buf_str(b, "<path class=\"alive\" d=\"");
  for (int i = 0; i < n; i++) {
    if (!i) buf_printf(b, "M%.1f %.1f", x_of(s, 0), y_of(s, (double)alive[0]));
    else if (alive[i] != alive[i - 1]) buf_printf(b, "V%.1f", y_of(s, (double)alive[i]));
    buf_printf(b, "H%.1f", x_of(s, i + 1));
  }
  buf_str(b, "\"><title>bytes that are needed at this time</title></path>\n");
  arrfree(alive);
}

static void put_level(Buf *b, const Scale *s, const char *class, const char *what, double bytes, int below) {
  buf_printf(b,
             "<path class=\"level %s\" d=\"M%d %.1fH%d\"/><text class=\"stage\" x=\"%d\" y=\"%.1f\" "
             "text-anchor=\"end\">%s ",
             class, LEFT, y_of(s, bytes), RIGHT, RIGHT - 4, y_of(s, bytes) + below, what);
  plot_bytes(b, bytes);
  buf_str(b, "</text>\n");
}

static void put_axes(Buf *b, const Scale *s) {
  double by = plot_nice(s->bytes / 5);
  for (int tick = 0; tick * by <= s->bytes; tick++) {
    double bytes = tick * by;
    buf_printf(b,
               "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text class=\"tick\" x=\"%d\" y=\"%.1f\" "
               "text-anchor=\"end\">",
               LEFT, y_of(s, bytes), RIGHT, LEFT - 6, y_of(s, bytes) + 4);
    plot_bytes(b, bytes);
    buf_str(b, "</text>\n");
  }
  buf_printf(b,
             "<text class=\"tick\" x=\"%d\" y=\"%d\">first kernel</text>"
             "<text class=\"tick\" x=\"%d\" y=\"%d\" text-anchor=\"end\">last kernel</text>\n",
             LEFT, BOTTOM + 18, RIGHT, BOTTOM + 18);
}

/* "B = 128, 37 buffers" */
static void put_sizes(Buf *b, const Plan *p, int shown) {
  for (int i = 0; i < (int)arrlen(p->entry->vars); i++) {
    buf_html(b, dim_var_name(p->prog->dims, p->entry->vars[i]));
    buf_printf(b, " = %lld, ", (long long)dim_var_bound(p->prog->dims, p->entry->vars[i]));
  }
  buf_printf(b, "%d buffers", shown);
}

static int count_shown(const Plan *p) {
  int shown = 0;
  for (int i = 0; i < (int)arrlen(p->bufs); i++) shown += plan_in_arena(&p->bufs[i]);
  return shown;
}

/* Axes, buffers, what is alive, arena and bound: what stands in an svg of WIDTH and HEIGHT. */
static void put_drawing(Buf *b, const Plan *p) {
  Scale s = {1, (double)p->peak * 1.08};
  for (int i = 0; i < (int)arrlen(p->bufs); i++)
    if (plan_in_arena(&p->bufs[i]) && p->bufs[i].end + 1 > s.last) s.last = p->bufs[i].end + 1;
  put_axes(b, &s);
  put_buffers(b, p, &s, plan_makers(p));
  put_alive(b, p, &s);
  bool tight = p->peak == p->bound;
  put_level(b, &s, "peak", tight ? "arena, as small as can be:" : "arena", (double)p->peak, -4);
  if (!tight) put_level(b, &s, "bound", "lower bound", (double)p->bound, 12);
}

void memory_picture(Buf *b, const Plan *p) {
  int shown = count_shown(p), used[KINDS] = {0};
  const Node **made = plan_makers(p);
  for (int i = 0; i < (int)arrlen(p->bufs); i++)
    if (plan_in_arena(&p->bufs[i])) used[kind_of(made[i])]++;
  buf_str(b, "<figure class=\"memory\"><h3>");
  buf_html(b, p->entry->name);
  buf_str(b, " <small>");
  put_sizes(b, p, shown);
  buf_str(b, "</small></h3>");
  if (!shown) {
    buf_str(b, "<p>This entry point keeps no intermediate value in memory.</p></figure>\n");
    return;
  }
  buf_printf(b, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"memory of the entry point\">\n", WIDTH, HEIGHT);
  put_drawing(b, p);
  buf_str(b, "</svg><figcaption>");
  for (int k = 0; k < KINDS; k++)
    if (used[k])
      buf_printf(b, "<span class=\"item\"><span class=\"key c%d\"></span>%s</span>\n", kinds[k].colour, kinds[k].title);
  buf_str(b, "<span class=\"item\"><span class=\"key line\"></span>bytes needed</span>");
  if ((int)arrlen(p->bufs) > MOST_BUFFERS) buf_printf(b, " (the first %d buffers)", MOST_BUFFERS);
  buf_str(b, "</figcaption></figure>\n");
}

void memory_svg(Buf *b, Plan *const *plans, int n) {
  enum { HEAD = 26 };
  buf_printf(b,
             "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\">\n<style>%s"
             "svg{background:var(--bg)}</style>\n",
             WIDTH, n * (HEAD + HEIGHT), report_drawing_style);
  for (int i = 0; i < n; i++) {
    int shown = count_shown(plans[i]);
    buf_printf(b, "<g transform=\"translate(0 %d)\"><text x=\"%d\" y=\"18\">", i * (HEAD + HEIGHT), LEFT);
    buf_html(b, plans[i]->entry->name);
    buf_str(b, ": ");
    put_sizes(b, plans[i], shown);
    buf_printf(b, "</text>\n<g transform=\"translate(0 %d)\">\n", HEAD);
    if (shown) put_drawing(b, plans[i]);
    buf_str(b, "</g></g>\n");
  }
  buf_str(b, "</svg>\n");
}

void memory_bar(Buf *b, const Prog *prog, const Plan *largest) {
  int64_t bytes[4] = {0};
  static const char *const titles[] = {"parameters", "other state", "optimiser's state", "arena"};
  static const int places[] = {[DNN_PARAM] = 0, [DNN_STATE] = 1, [DNN_OPT] = 2};
  for (int i = 0; i < (int)arrlen(prog->cells); i++) {
    int64_t n = dtype_size(prog->cells[i].type.dtype), axis = 0;
    for (int k = 0; k < prog->cells[i].type.rank; k++)
      n *= dim_is_int(prog->dims, prog->cells[i].type.shape[k], &axis) ? axis : 0;
    bytes[places[prog->cells[i].kind]] += n;
  }
  bytes[3] = largest ? largest->peak : 0;
  double all = (double)(bytes[0] + bytes[1] + bytes[2] + bytes[3]);
  if (all <= 0) return;
  buf_str(b, "<div class=\"bar\">");
  for (int i = 0; i < 4; i++)
    if (bytes[i]) buf_printf(b, "<span class=\"c%d\" style=\"flex-grow:%.4f\"></span>", i, (double)bytes[i] / all);
  buf_str(b, "</div><p class=\"legend\">");
  for (int i = 0; i < 4; i++) {
    if (!bytes[i]) continue;
    buf_printf(b, "<span class=\"item\"><span class=\"key c%d\"></span>%s ", i, titles[i]);
    plot_bytes(b, (double)bytes[i]);
    buf_str(b, "</span>\n");
  }
  buf_str(b, "</p>\n");
}
