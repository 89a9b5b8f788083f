/* A profile as JSON, and as a trace that chrome://tracing and Perfetto open. */
#include "base/ds.h"
#include "library/profile_count.h"
#include <math.h>

static void put_text(Buf *b, const char *key, const char *value) {
  buf_printf(b, "\"%s\": ", key);
  buf_json(b, value);
  buf_str(b, ", ");
}
static void put_number(Buf *b, const char *key, double value, const char *after) {
  buf_printf(b, "\"%s\": %.9g%s", key, isfinite(value) ? value : 0, after);
}

static void put_kernels(const Profile *p, Buf *b) {
  for (int i = 0; i < (int)arrlen(p->kernels); i++) {
    const ProfileKernel *k = &p->kernels[i];
    buf_str(b, i ? ",\n  {" : "\n  {");
    put_text(b, "name", k->name);
    put_text(b, "entry", k->entry);
    put_text(b, "about", k->about);
    put_text(b, "place", k->place);
    buf_printf(b, "\"calls\": %lld, ", (long long)k->calls);
    put_number(b, "threads", k->threads, ", ");
    put_number(b, "seconds", k->seconds, ", ");
    put_number(b, "waited", k->waited, ", ");
    buf_printf(b, "\"flops\": %.0f, \"bytes\": %.0f, ", k->flops, k->bytes);
    put_number(b, "share", k->share, ", ");
    buf_printf(b, "\"limit\": \"%s\", ", k->by_bytes ? "bytes" : "flops");
    put_number(b, "limit_fraction", k->limit_fraction, "}");
  }
}

static void put_lines(const Profile *p, Buf *b) {
  for (int i = 0; i < (int)arrlen(p->lines); i++) {
    const ProfileLine *x = &p->lines[i];
    buf_str(b, i ? ",\n  {" : "\n  {");
    put_text(b, "place", x->place);
    put_text(b, "text", x->text);
    put_number(b, "seconds", x->seconds, ", ");
    put_number(b, "share", x->share, ", ");
    for (int k = 0; k < PARTS; k++) put_number(b, part_names[k], x->parts[k], ", ");
    put_number(b, "flops", x->flops, "}");
  }
}

void profile_json(const Profile *p, Buf *b) {
  const Session *s = &p->machine->s;
  buf_char(b, '{');
  put_text(b, "program", session_file(s));
  put_text(b, "what", p->what);
  buf_printf(b, "\"steps\": %lld, \"made_up\": %s, ", (long long)p->steps, p->made_up ? "true" : "false");
  put_number(b, "seconds", p->seconds, ", ");
  put_number(b, "alone", p->alone, ", ");
  put_number(b, "stamps", p->stamps, ",\n\"machine\": {");
  put_text(b, "target", s->target->name);
  buf_printf(b, "\"threads\": %d, ", p->limits.threads);
  put_number(b, "flops", p->limits.flops, ", ");
  put_number(b, "bytes", p->limits.bytes, ", ");
  put_number(b, "flops_of_one", p->limits_of_one.flops, ", ");
  put_number(b, "bytes_of_one", p->limits_of_one.bytes, "},\n\"kernels\": [");
  put_kernels(p, b);
  buf_str(b, "],\n\"lines\": [");
  put_lines(p, b);
  buf_str(b, "],\n\"rest\": [");
  for (int i = 0; i < (int)arrlen(p->rest); i++) {
    buf_str(b, i ? ", {" : "{");
    put_text(b, "name", p->rest[i].name);
    put_number(b, "seconds", p->rest[i].seconds, ", ");
    put_number(b, "share", p->rest[i].share, "}");
  }
  buf_str(b, "],\n\"threads\": [");
  for (int i = 0; i < (int)arrlen(p->threads); i++) {
    buf_str(b, i ? ", {" : "{");
    put_number(b, "kernels", p->threads[i].kernels, ", ");
    put_number(b, "waited", p->threads[i].waited, ", ");
    put_number(b, "rest", p->threads[i].rest, "}");
  }
  buf_str(b, "]}\n");
}

/* ---- trace ---- */

typedef struct Trace {
  const Profile *p;
  Buf *b;
  int64_t zero;               /* of its clock */
  const char **names, **args; /* by piece; NULL: not yet made */
  bool any;
} Trace;

static void put_event(Trace *t, const char *name, const char *kind, int thread, int64_t begin, int64_t end,
                      const char *args) {
  Buf *b = t->b;
  buf_str(b, t->any ? ",\n{\"name\": " : "\n{\"name\": ");
  t->any = true;
  buf_json(b, name);
  buf_printf(b, ", \"cat\": \"%s\", \"ph\": \"X\", \"pid\": 1, \"tid\": %d, \"ts\": %.3f, \"dur\": %.3f%s}", kind,
             thread, 1e-3 * (double)(begin - t->zero), 1e-3 * (double)(end - begin), args);
}
static void put_name(Trace *t, const char *what, int thread, const char *name) {
  buf_printf(t->b, "%s{\"name\": \"%s\", \"ph\": \"M\", \"pid\": 1, \"tid\": %d, \"args\": {\"name\": ",
             t->any ? ",\n" : "\n", what, thread);
  buf_json(t->b, name);
  buf_str(t->b, "}}");
  t->any = true;
}

/* What a kernel is, once for all its events. Operations and bytes: the mean of its calls. */
static const char *piece_args(Trace *t, int piece) {
  const Count *c = t->p->count;
  const Session *s = &c->m->s;
  if (piece < DNN_LAP_GROUPS || c->group_of[piece] < 0) return "";
  if (t->args[piece]) return t->args[piece];
  const Plan *p = s->plans[c->entry_of[piece]];
  const Group *g = &p->groups[c->group_of[piece]];
  Loc at = group_place(p, g);
  int line = 0, col = 0;
  if (at.file) diag_line_col(s->diag, at, &line, &col);
  Buf b = {0}, about = {0};
  group_print(p, g, true, &about);
  double calls = (double)c->laps.threads[0].sums[piece].times;
  buf_str(&b, ", \"args\": {");
  put_text(&b, "place", place_text(s, at.file, line));
  put_text(&b, "about", about.s ? about.s + 1 : "copy");
  put_number(&b, "flops", calls > 0 ? c->flops[piece] / calls : 0, ", ");
  put_number(&b, "bytes", calls > 0 ? c->bytes[piece] / calls : 0, "}");
  t->args[piece] = arena_strdup(s->arena, b.s);
  buf_free(&b), buf_free(&about);
  return t->args[piece];
}

/* The events of a thread from `from` on, when a step began. */
static void put_thread(Trace *t, int thread, int64_t from) {
  const Count *c = t->p->count;
  const DnnLaps *l = &c->laps.threads[thread];
  int64_t first = l->n_laps > l->n_events ? l->n_laps - l->n_events : 0;
  for (int64_t k = first; k < l->n_laps; k++) {
    const DnnLapEvent *x = &l->events[k % l->n_events];
    if (x->begin < from || x->end <= x->begin || x->piece == DNN_LAP_OUTSIDE) continue;
    const char **name = &t->names[x->piece];
    if (!*name) *name = piece_name(c, x->piece);
    bool waits = x->waits || x->piece == DNN_LAP_MEET;
    put_event(t, waits ? piece_name(c, DNN_LAP_MEET) : *name,
              waits                       ? "wait"
              : x->piece < DNN_LAP_GROUPS ? "call"
              : c->group_of[x->piece] < 0 ? "loop"
                                          : "kernel",
              thread, x->begin, x->end, piece_args(t, x->piece));
  }
}

/* Which of the kept steps is the first whose events are all still there. */
static int64_t first_step(const Count *c) {
  int64_t oldest = 0, k = c->steps > c->traced ? c->steps - c->traced : 0;
  for (int t = 0; t < c->n_threads; t++) {
    const DnnLaps *l = &c->laps.threads[t];
    if (l->n_laps <= l->n_events) continue;
    int64_t begin = l->events[l->n_laps % l->n_events].begin;
    if (begin > oldest) oldest = begin;
  }
  while (k < c->steps && c->spans[k % c->traced].begin < oldest) k++;
  return k;
}

void profile_trace(const Profile *p, Buf *b) {
  const Count *c = p->count;
  const Session *s = &p->machine->s;
  int n = c->n_pieces;
  Trace t = {.p = p, .b = b};
  t.names = arena_array(s->arena, const char *, n + 1);
  t.args = arena_array(s->arena, const char *, n + 1);
  t.zero = arrlen(s->phases) ? (int64_t)(s->phases[0].begin * 1e9) : c->begin;
  buf_str(b, "{\"displayTimeUnit\": \"ms\", \"traceEvents\": [");
  put_name(&t, "process_name", 0, session_file(s));
  for (int k = 0; k < c->n_threads; k++) put_name(&t, "thread_name", k, arena_printf(s->arena, "thread %d", k));
  for (int i = 0; i < (int)arrlen(s->phases); i++)
    put_event(&t, s->phases[i].name, "compile", 0, (int64_t)(s->phases[i].begin * 1e9),
              (int64_t)(s->phases[i].end * 1e9), "");
  int64_t from = first_step(c);
  for (int64_t k = from; k < c->steps; k++) {
    const Span *x = &c->spans[k % c->traced];
    put_event(&t, arena_printf(s->arena, "%.*s %lld", (int)strlen(p->what) - 1, p->what, (long long)k + 1), "step", 0,
              x->begin, x->end, "");
  }
  if (from < c->steps)
    for (int k = 0; k < c->n_threads; k++) put_thread(&t, k, c->spans[from % c->traced].begin);
  buf_str(b, "\n]}\n");
}
