#include "report/memory.h"
#include "base/ds.h"
#include "report/plot.h"
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 960, HEIGHT = 380, LEFT = 64, RIGHT = 948, TOP = 16, BOTTOM = 348, MOST_BUFFERS = 4000 };

typedef struct Scale {
  double last, bytes; /* positions and bytes that the axes reach */
} Scale;

static double x_of(const Scale *s, double at) { return LEFT + (RIGHT - LEFT) * at / s->last; }
static double y_of(const Scale *s, double bytes) { return BOTTOM - (BOTTOM - TOP) * bytes / s->bytes; }

static bool is_shown(const PlanBuf *x) { return x->kind == BUF_ARENA && x->begin >= 0 && x->bytes > 0; }

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

/* By buffer: the node whose value a kernel stores there first; NULL: what a loop or branch carries. */
static const Node **makers(const Plan *p) {
  const Node **by = arena_array(p->arena, const Node *, arrlen(p->bufs) + 1);
  for (int i = 0; i < (int)arrlen(p->groups); i++) {
    const Group *gr = &p->groups[i];
    for (int k = 0; k < (int)arrlen(gr->outs); k++)
      if (!by[gr->outs[k].buf] && gr->outs[k].node)
        by[gr->outs[k].buf] = &p->scopes[gr->scope].graph->nodes[gr->outs[k].node];
  }
  return by;
}

static void put_title(Buf *b, const Plan *p, int number, const Node *maker) {
  const PlanBuf *x = &p->bufs[number];
  Buf text = {0};
  type_print(p->graph->dims, &text, x->type);
  buf_printf(b, "<title>b%d %s", number, maker ? op_info[maker->op].name : "carried by a loop or branch");
  if (maker && maker->loc.file) {
    int line = 0, column = 0;
    const char *file = diag_source_name(p->prog->diag, maker->loc.file), *slash = strrchr(file, '/');
    diag_line_col(p->prog->diag, maker->loc, &line, &column);
    buf_str(b, ", ");
    buf_html(b, slash ? slash + 1 : file);
    buf_printf(b, ":%d", line);
  }
  buf_char(b, '\n');
  buf_html(b, text.s);
  buf_str(b, ", ");
  plot_bytes(b, (double)x->bytes);
  buf_printf(b, " at %lld\nalive in steps %d to %d</title>", (long long)x->offset, x->begin, x->end);
  buf_free(&text);
}

static void put_buffers(Buf *b, const Plan *p, const Scale *s, const Node *const *made) {
  for (int i = 0; i < (int)arrlen(p->bufs) && i < MOST_BUFFERS; i++) {
    const PlanBuf *x = &p->bufs[i];
    if (!is_shown(x)) continue;
    double top = y_of(s, (double)(x->offset + x->bytes));
    buf_printf(b, "<rect class=\"buffer c%d\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\">",
               kinds[kind_of(made[i])].colour, x_of(s, x->begin), top, x_of(s, x->end + 1) - x_of(s, x->begin),
               y_of(s, (double)x->offset) - top);
    put_title(b, p, i, made[i]);
    buf_str(b, "</rect>\n");
  }
}

/* The bytes alive at each position, as a line of steps. */
static void put_alive(Buf *b, const Plan *p, const Scale *s) {
  int n = (int)s->last;
  int64_t *change = calloc((size_t)n + 2, sizeof *change), alive = 0;
  if (!change) return;
  for (int i = 0; i < (int)arrlen(p->bufs); i++) {
    const PlanBuf *x = &p->bufs[i];
    if (is_shown(x)) change[x->begin] += x->bytes, change[x->end + 1] -= x->bytes;
  }
  buf_str(b, "<path class=\"alive\" d=\"");
  for (int i = 0; i < n; i++) {
    alive += change[i];
    if (!i) buf_printf(b, "M%.1f %.1f", x_of(s, 0), y_of(s, (double)alive));
    else if (change[i]) buf_printf(b, "V%.1f", y_of(s, (double)alive));
    buf_printf(b, "H%.1f", x_of(s, i + 1));
  }
  buf_str(b, "\"><title>bytes that are needed at this time</title></path>\n");
  free(change);
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
  for (double bytes = 0; bytes <= s->bytes; bytes += by) {
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

void memory_picture(Buf *b, const Plan *p) {
  Scale s = {1, (double)p->peak * 1.08};
  int shown = 0, used[KINDS] = {0};
  const Node **made = makers(p);
  for (int i = 0; i < (int)arrlen(p->bufs); i++) {
    const PlanBuf *x = &p->bufs[i];
    if (!is_shown(x)) continue;
    shown++, used[kind_of(made[i])]++;
    if (x->end + 1 > s.last) s.last = x->end + 1;
  }
  buf_str(b, "<figure class=\"memory\"><h3>");
  buf_html(b, p->entry->name);
  buf_str(b, " <small>");
  for (int i = 0; i < (int)arrlen(p->entry->vars); i++) {
    buf_html(b, dim_var_name(p->prog->dims, p->entry->vars[i]));
    buf_printf(b, " = %lld, ", (long long)dim_var_bound(p->prog->dims, p->entry->vars[i]));
  }
  buf_printf(b, "%d buffers</small></h3>", shown);
  if (!shown) {
    buf_str(b, "<p>This entry point keeps no intermediate value in memory.</p></figure>\n");
    return;
  }
  buf_printf(b, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"memory of the entry point\">\n", WIDTH, HEIGHT);
  put_axes(b, &s);
  put_buffers(b, p, &s, made);
  put_alive(b, p, &s);
  bool tight = p->peak == p->bound;
  put_level(b, &s, "peak", tight ? "arena, as small as can be:" : "arena", (double)p->peak, -4);
  if (!tight) put_level(b, &s, "bound", "lower bound", (double)p->bound, 12);
  buf_str(b, "</svg><figcaption>");
  for (int k = 0; k < KINDS; k++)
    if (used[k])
      buf_printf(b, "<span class=\"item\"><span class=\"key c%d\"></span>%s</span>\n", kinds[k].colour, kinds[k].title);
  buf_str(b, "<span class=\"item\"><span class=\"key line\"></span>bytes needed</span>");
  if ((int)arrlen(p->bufs) > MOST_BUFFERS) buf_printf(b, " (the first %d buffers)", MOST_BUFFERS);
  buf_str(b, "</figcaption></figure>\n");
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
