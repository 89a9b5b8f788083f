#include "passes/peak.h"
#include "base/ds.h"
#include <stdlib.h>
#include <string.h>

bool plan_in_arena(const PlanBuf *x) { return x->kind == BUF_ARENA && x->begin >= 0 && x->bytes > 0; }

const Node **plan_makers(const Plan *p) {
  const Node **by = arena_array(p->arena, const Node *, arrlen(p->bufs) + 1);
  for (int i = 0; i < (int)arrlen(p->groups); i++) {
    const Group *gr = &p->groups[i];
    for (int k = 0; k < (int)arrlen(gr->outs); k++)
      if (!by[gr->outs[k].buf] && gr->outs[k].node)
        by[gr->outs[k].buf] = &p->scopes[gr->scope].graph->nodes[gr->outs[k].node];
  }
  return by;
}

int64_t *plan_alive(const Plan *p, int *n) {
  int64_t *alive = NULL;
  for (int i = 0; i < (int)arrlen(p->bufs); i++) {
    const PlanBuf *x = &p->bufs[i];
    if (!plan_in_arena(x)) continue;
    while (arrlen(alive) <= x->end) arrput(alive, 0);
    for (int at = x->begin; at <= x->end; at++) alive[at] += x->bytes;
  }
  *n = (int)arrlen(alive);
  return alive;
}

static const Plan *sorting;
static int larger(const void *a, const void *b) {
  int x = *(const int *)a, y = *(const int *)b;
  int64_t d = sorting->bufs[y].bytes - sorting->bufs[x].bytes;
  return d ? (d > 0 ? 1 : -1) : x - y;
}

int *plan_at_peak(const Plan *p, int *position) {
  int n = 0, *list = NULL;
  int64_t *alive = plan_alive(p, &n);
  *position = 0;
  for (int at = 1; at < n; at++)
    if (alive[at] > alive[*position]) *position = at;
  for (int i = 0; i < (int)arrlen(p->bufs); i++)
    if (plan_in_arena(&p->bufs[i]) && p->bufs[i].begin <= *position && p->bufs[i].end >= *position) arrput(list, i);
  sorting = p;
  if (arrlen(list)) qsort(list, (size_t)arrlen(list), sizeof *list, larger);
  arrfree(alive);
  return list;
}

void plan_tell_maker(const Plan *p, Buf *b, const Node *maker) {
  buf_str(b, maker ? op_info[maker->op].name : "carried by a loop or branch");
  if (!maker || !maker->loc.file) return;
  int line = 0, column = 0;
  const char *file = diag_source_name(p->prog->diag, maker->loc.file), *slash = strrchr(file, '/');
  diag_line_col(p->prog->diag, maker->loc, &line, &column);
  buf_printf(b, ", %s%s:%d", maker->loc.grad ? "gradient at " : "", slash ? slash + 1 : file, line);
}
