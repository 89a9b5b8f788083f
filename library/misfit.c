#include "library/misfit.h"
#include "base/ds.h"
#include "passes/peak.h"
#include <stdlib.h>
#include <string.h>

enum { MOST = 8 }; /* lines */

/* "4194304  f32[B, 16, 32, 32]  conv, model.dnn:12", and the place. */
typedef struct Line {
  int64_t bytes;
  Type type;
  const char *what;
  Loc loc;
} Line;

static int larger(const void *a, const void *b) {
  int64_t x = ((const Line *)a)->bytes, y = ((const Line *)b)->bytes;
  return (x < y) - (x > y);
}

static Line *cell_lines(const Session *s) {
  Line *lines = NULL;
  for (int i = 0; i < (int)arrlen(s->prog->cells); i++) {
    const Cell *c = &s->prog->cells[i];
    Dim count = type_count(s->prog->dims, c->type);
    arrput(lines, ((Line){dim_upper(s->prog->dims, count) * dtype_size(c->type.dtype), c->type, c->path, c->loc}));
  }
  arrsort(lines, larger);
  return lines;
}

static Line *value_lines(const Session *s, const Entry *e, const Plan *p, const int *bufs) {
  const Node **made = plan_makers(p);
  Line *lines = NULL;
  for (int i = 0; i < (int)arrlen(bufs); i++) {
    const Node *maker = made[bufs[i]];
    Buf what = {0};
    plan_tell_maker(p, &what, bufs[i], maker);
    Line x = {p->bufs[bufs[i]].bytes, p->bufs[bufs[i]].type, arena_strndup(s->arena, what.s, strlen(what.s)),
              maker && maker->loc.file ? maker->loc : e->loc};
    arrput(lines, x);
    buf_free(&what);
  }
  return lines;
}

static void tell_lines(Session *s, const Line *lines, Buf *b) {
  int n = (int)arrlen(lines);
  for (int i = 0; i < n && i < MOST; i++) {
    Buf one = {0};
    buf_printf(&one, "%12lld  ", (long long)lines[i].bytes);
    type_print(s->prog->dims, &one, lines[i].type);
    buf_printf(&one, "  %s", lines[i].what);
    if (s->o.memory) buf_printf(b, "\n%s", one.s);
    else diag_note(s->diag, lines[i].loc, "%s", one.s + strspn(one.s, " "));
    buf_free(&one);
  }
  if (n > MOST) buf_printf(b, "\n              and %d more", n - MOST);
}

Status misfit_tell(Session *s, const Entry *e, int64_t limit, int64_t least) {
  long long cells = prog_layout(s->prog, NULL);
  Buf b = {0}, why = {0}, head = {0};
  Line *lines;
  if (cells > limit) {
    buf_printf(&why, "the cells alone are %lld bytes", cells);
    buf_str(&head, "; the largest cells:");
    lines = cell_lines(s);
  } else {
    const Plan *p = plan_build(s->arena, s->prog, e);
    int at = 0, *bufs = NULL;
    int64_t needs = plan_needs(p, &bufs);
    if (cells + needs > limit) {
      buf_printf(&why, "it needs %lld bytes at least, of which %lld are cells", (long long)(cells + needs), cells);
      buf_printf(&head, "; one step has to have, %lld bytes:", (long long)needs);
    } else {
      arrfree(bufs);
      bufs = plan_at_peak(p, &at);
      buf_printf(&why, "the least found is %lld bytes", (long long)least);
      if (!s->o.memory) buf_printf(&why, ", of which %lld are cells", cells);
      buf_printf(&head, "\n%lld bytes are cells; what is alive where the values need most, %lld bytes:", cells,
                 (long long)p->bound);
    }
    lines = value_lines(s, e, p, bufs);
    arrfree(bufs);
  }
  if (!s->o.memory)
    diag_error(s->diag, s->prog->budget_loc, E0845, "`%s` does not fit into the budget: %s", e->name, why.s);
  tell_lines(s, lines, &b);
  if (s->o.memory)
    session_fail(s, STATUS_PROGRAM, "`%s` does not fit into --memory %s: %s%s%s", e->name, s->o.memory, why.s, head.s,
                 b.s ? b.s : "");
  else if (cells > limit)
    diag_help(s->diag, "parameters, state and what the optimiser keeps for them are cells; a smaller model has less");
  else diag_help(s->diag, "`dnnc summary --memory` shows what a step keeps; a smaller batch keeps less");
  buf_free(&b), buf_free(&why), buf_free(&head);
  arrfree(lines);
  return STATUS_PROGRAM;
}
