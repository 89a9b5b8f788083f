/* What was counted, as rows: kernels, lines of the program, the rest, threads. */
#include "base/ds.h"
#include "library/profile_count.h"
#include <stdlib.h>
#include <string.h>

const char *place_text(const Session *s, uint32_t file, int line) {
  if (!file || !line) return "";
  const char *name = diag_source_name(s->diag, file), *slash = strrchr(name, '/');
  const char *folder = diag_source_is_std(s->diag, file) ? "std/" : "";
  return arena_printf(s->arena, "%s%s:%d", folder, slash ? slash + 1 : name, line);
}

static const char *place_of(const Session *s, Loc at) {
  int line = 0, col = 0;
  if (at.file) diag_line_col(s->diag, at, &line, &col);
  return place_text(s, at.file, line);
}

/* A line of a source without the blanks at its ends. */
static const char *line_text(const Session *s, uint32_t file, int line) {
  size_t n = 0;
  const char *text = file ? diag_source_text(s->diag, file, &n) : "", *end = text + n;
  for (; line > 1 && text < end; text++) line -= *text == '\n';
  while (text < end && (*text == ' ' || *text == '\t')) text++;
  const char *stop = text;
  while (stop < end && *stop != '\n' && *stop != '\r') stop++;
  while (stop > text && (stop[-1] == ' ' || stop[-1] == '\t')) stop--;
  return arena_strndup(s->arena, text, (size_t)(stop - text));
}

static const Group *group_of(const Count *c, int piece, const Plan **p) {
  *p = c->m->s.plans[c->entry_of[piece]];
  return c->group_of[piece] < 0 ? NULL : &(*p)->groups[c->group_of[piece]];
}

const char *piece_name(const Count *c, int piece) {
  static const char *const names[] = {[DNN_LAP_OUTSIDE] = "between the calls",
                                      [DNN_LAP_FEED] = "taking data",
                                      [DNN_LAP_CALL] = "calls",
                                      [DNN_LAP_PREPARE] = "preparing parameters",
                                      [DNN_LAP_MEET] = "waiting for threads"};
  const Session *s = &c->m->s;
  if (piece < DNN_LAP_GROUPS) return names[piece];
  if (c->group_of[piece] < 0) return "loops and branches";
  const LoweredGroup *g = &s->lowered[c->entry_of[piece]]->groups[c->group_of[piece]];
  Buf b = {0};
  for (int i = 0; i < (int)arrlen(g->calls); i++) {
    bool known = false;
    for (int k = 0; k < i; k++) known |= g->calls[k].kernel == g->calls[i].kernel;
    if (known) continue;
    if (b.n) buf_char(&b, '+');
    buf_str(&b, kernel_name(kernels_get(s->kernels, g->calls[i].kernel)) + strlen(s->prog->name) + 1);
  }
  const char *name = arena_strdup(s->arena, b.s ? b.s : "");
  buf_free(&b);
  return name;
}

static int by_seconds(double x, double y) { return (x < y) - (x > y); }
static int kernel_order(const void *x, const void *y) {
  const ProfileKernel *a = x, *b = y;
  int order = by_seconds(a->seconds, b->seconds);
  return order ? order : strcmp(a->name, b->name);
}
static int line_order(const void *x, const void *y) {
  const ProfileLine *a = x, *b = y;
  int order = by_seconds(a->seconds, b->seconds);
  return order ? order : strcmp(a->place, b->place);
}

/* How many groups the calls of the piece are for. */
static int rows_of(const Count *c, int piece) {
  const LoweredGroup *g = &c->m->s.lowered[c->entry_of[piece]]->groups[c->group_of[piece]];
  return arrlen(g->calls) && arrlen(g->calls[0].rows) ? (int)arrlen(g->calls[0].rows) : 1;
}

static void add_kernel(Profile *p, int piece) {
  const Count *c = p->count;
  const Session *s = &c->m->s;
  const DnnLapSum *sum = &c->laps.threads[0].sums[piece];
  const Plan *plan;
  const Group *g = group_of(c, piece, &plan);
  ProfileKernel k = {.name = piece_name(c, piece),
                     .entry = s->prog->entries[c->entry_of[piece]].name,
                     .place = place_of(s, group_place(plan, g))};
  ProfileKernel *x = NULL;
  for (int i = 0; i < (int)arrlen(p->kernels) && !x; i++) {
    ProfileKernel *y = &p->kernels[i];
    if (!strcmp(y->name, k.name) && !strcmp(y->place, k.place) && !strcmp(y->entry, k.entry)) x = y;
  }
  if (!x) {
    Buf about = {0};
    group_print(plan, g, true, &about);
    k.about = arena_strdup(s->arena, about.s ? about.s + 1 : "copy");
    buf_free(&about);
    int rows = rows_of(c, piece);
    if (rows > 1) k.about = arena_printf(s->arena, "%d times: %s", rows, k.about);
    arrput(p->kernels, k);
    x = &arrlast(p->kernels);
  }
  for (int t = 0; t < c->n_threads; t++) x->threads += (double)c->laps.threads[t].sums[piece].times;
  x->calls += sum->times;
  x->seconds += 1e-9 * (double)sum->spent;
  x->waited += 1e-9 * (double)sum->waited;
  x->flops += c->flops[piece];
  x->bytes += c->bytes[piece];
}

/* The lines of the group that is row i of the piece's calls have this part of its time. */
static void add_lines(Profile *p, int piece, int group, double part, uint8_t *const *parts) {
  const Count *c = p->count;
  const Session *s = &c->m->s;
  const Plan *plan = s->plans[c->entry_of[piece]];
  LineShare *lines = group_lines(plan, &plan->groups[group], parts);
  for (int i = 0; i < (int)arrlen(lines); i++) {
    const char *place = place_text(s, lines[i].file, lines[i].line);
    ProfileLine *x = NULL;
    for (int k = 0; k < (int)arrlen(p->lines) && !x; k++)
      if (!strcmp(p->lines[k].place, place)) x = &p->lines[k];
    if (!x) {
      arrput(p->lines, ((ProfileLine){.place = place, .text = line_text(s, lines[i].file, lines[i].line)}));
      x = &arrlast(p->lines);
    }
    double seconds = part * lines[i].share * 1e-9 * (double)c->laps.threads[0].sums[piece].spent;
    x->seconds += seconds;
    x->parts[lines[i].part] += seconds;
    x->flops += part * lines[i].flops_share * c->flops[piece];
  }
  arrfree(lines);
}

static double work_of(const Plan *p, int group) {
  DimTab *t = p->graph->dims;
  int64_t flops = dim_upper(t, group_flops(p, &p->groups[group])),
          bytes = dim_upper(t, group_bytes(p, &p->groups[group]));
  return (flops > 0 ? (double)flops : 0) + (bytes > 0 ? (double)bytes / 4 : 0) + 1;
}
/* The time of calls over a table is shared by its groups as their work is. */
static void share_lines(Profile *p, int piece, uint8_t *const *parts) {
  const Count *c = p->count;
  int entry = c->entry_of[piece], n = rows_of(c, piece);
  const KernelCall *call = &c->m->s.lowered[entry]->groups[c->group_of[piece]].calls[0];
  double all = 0;
  for (int i = 0; i < n && n > 1; i++) all += work_of(c->m->s.plans[entry], call->rows[i].group);
  for (int i = 0; i < n && n > 1; i++)
    add_lines(p, piece, call->rows[i].group, work_of(c->m->s.plans[entry], call->rows[i].group) / all, parts);
  if (n == 1) add_lines(p, piece, c->group_of[piece], 1, parts);
}

static void add_rest(Profile *p) {
  const Count *c = p->count;
  const DnnLapSum *sums = c->laps.threads[0].sums;
  double waited = 0, loops = 0;
  for (int i = 0; i < c->n_pieces; i++) {
    waited += (double)sums[i].waited;
    if (i >= DNN_LAP_GROUPS && c->group_of[i] < 0) loops += (double)sums[i].spent;
  }
  for (int i = 0; i < DNN_LAP_GROUPS; i++) {
    double spent = (double)sums[i].spent + (i == DNN_LAP_MEET ? waited : 0);
    if (spent > 0) arrput(p->rest, ((ProfileRest){piece_name(c, i), 1e-9 * spent, 0}));
  }
  if (loops > 0) arrput(p->rest, ((ProfileRest){"loops and branches", 1e-9 * loops, 0}));
}

static void add_threads(Profile *p) {
  const Count *c = p->count;
  for (int t = 0; t < c->n_threads; t++) {
    const DnnLapSum *sums = c->laps.threads[t].sums;
    ProfileThread x = {0};
    for (int i = 0; i < c->n_pieces; i++) {
      bool kernel = i >= DNN_LAP_GROUPS && c->group_of[i] >= 0;
      *(kernel ? &x.kernels : i == DNN_LAP_MEET ? &x.waited : &x.rest) += 1e-9 * (double)sums[i].spent;
      x.waited += 1e-9 * (double)sums[i].waited;
    }
    arrput(p->threads, x);
  }
}

/* About what reading the clock so often has cost thread 0. */
static double cost_of_laps(const Count *c) {
  enum { TIMES = 2000 };
  int64_t begin = dnn_lap_clock(), end = begin;
  for (int i = 0; i < TIMES; i++) end = dnn_lap_clock();
  return 1e-9 * (double)(end - begin) / TIMES * (double)c->laps.threads[0].n_laps;
}

static void find_shares(Profile *p) {
  for (int i = 0; i < (int)arrlen(p->kernels); i++) {
    ProfileKernel *x = &p->kernels[i];
    const DnnLimits *one = &p->limits_of_one, *all = &p->limits;
    x->threads /= (double)x->calls;
    double others = all->threads > 1 ? (x->threads - 1) / (all->threads - 1) : 0;
    double least = x->flops / (one->flops + others * (all->flops - one->flops));
    double moving = x->bytes / (one->bytes + others * (all->bytes - one->bytes));
    x->by_bytes = moving > least;
    x->share = x->seconds / p->seconds;
    x->limit_fraction = x->seconds > 0 ? (least > moving ? least : moving) / x->seconds : 0;
  }
  for (int i = 0; i < (int)arrlen(p->lines); i++) p->lines[i].share = p->lines[i].seconds / p->seconds;
  for (int i = 0; i < (int)arrlen(p->rest); i++) p->rest[i].share = p->rest[i].seconds / p->seconds;
  arrsort(p->kernels, kernel_order);
  arrsort(p->lines, line_order);
}

void profile_rows(Profile *p) {
  const Count *c = p->count;
  const Session *s = &c->m->s;
  uint8_t ***parts = arena_array(s->arena, uint8_t **, arrlen(s->prog->entries) + 1);
  p->steps = c->steps;
  p->seconds = 1e-9 * (double)c->whole;
  p->alone = c->calls ? (double)c->calls_of_one / (double)c->calls : 0;
  p->stamps = cost_of_laps(c);
  for (int i = DNN_LAP_GROUPS; i < c->n_pieces; i++) {
    int entry = c->entry_of[i];
    if (c->group_of[i] < 0 || !c->laps.threads[0].sums[i].times) continue;
    if (!parts[entry]) parts[entry] = plan_parts(s->arena, s->plans[entry]);
    add_kernel(p, i);
    share_lines(p, i, parts[entry]);
  }
  add_rest(p);
  add_threads(p);
  find_shares(p);
}
