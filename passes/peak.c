#include "passes/peak.h"
#include "base/ds.h"
#include <stdlib.h>
#include <string.h>

bool plan_in_arena(const PlanBuf *x) { return x->kind == BUF_ARENA && x->begin >= 0 && x->bytes > 0; }

const Node **plan_makers(const Plan *p) {
  const Node **by = arena_array(p->arena, const Node *, arrlen(p->bufs) + 1);
  for (int i = 0; i < (int)arrlen(p->groups); i++) {
    const Group *gr = &p->groups[i];
    for (int k = 0; k < (int)arrlen(gr->outs); k++) {
      int home = buf_home(p, gr->outs[k].buf); /* of parts the first one's, of stacks a row's */
      if (!by[home] && gr->outs[k].node) by[home] = &p->scopes[gr->scope].graph->nodes[gr->outs[k].node];
    }
    if (gr->temp) by[gr->temp - 1] = &p->scopes[gr->scope].graph->nodes[gr->heavy ? gr->heavy : gr->outs[0].node];
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
  arrsort(list, larger);
  arrfree(alive);
  return list;
}

static bool has_loops(const Graph *g) {
  for (NodeId n = 1; n < (NodeId)arrlen(g->nodes); n++)
    if (g->nodes[n].op == OP_scan || g->nodes[n].op == OP_while) return true;
  return false;
}

int64_t plan_needs(const Plan *p, int **bufs) {
  int64_t most = 0;
  *bufs = NULL;
  for (int s = 0; s < (int)arrlen(p->scopes); s++)
    if (has_loops(p->scopes[s].graph)) return 0;
  for (int i = 0; i < (int)arrlen(p->groups); i++) {
    const Group *gr = &p->groups[i];
    if (gr->scope || !gr->heavy || arrlen(gr->folds)) continue;
    const Node *x = &p->graph->nodes[gr->heavy];
    int out = gr->outs[0].buf, *list = NULL;
    int64_t bytes = 0;
    for (int k = 1; k < (int)arrlen(gr->outs); k++) {
      const PlanBuf *y = &p->bufs[gr->outs[k].buf];
      if (y->kind != BUF_ARENA || y->bytes < p->bufs[out].bytes) out = gr->outs[k].buf;
    }
    if (p->bufs[out].kind == BUF_ARENA) arrput(list, out);
    for (int k = 0; k < x->n_in; k++) {
      NodeId n = x->in[k];
      while (op_info[p->graph->nodes[n].op].cls == VIEW && p->buf_of[n] < 0) n = p->graph->nodes[n].in[0];
      int b = p->buf_of[n];
      if (b >= 0 && p->bufs[b].kind == BUF_ARENA && b != out && (!k || p->buf_of[x->in[0]] != b)) arrput(list, b);
    }
    for (int k = 0; k < (int)arrlen(list); k++) bytes += p->bufs[list[k]].bytes;
    if (bytes > most) {
      most = bytes;
      arrfree(*bufs);
      *bufs = list;
    } else arrfree(list);
  }
  sorting = p;
  arrsort(*bufs, larger);
  return most;
}

void plan_tell_maker(const Plan *p, Buf *b, int buf, const Node *maker) {
  if (p->bufs[buf].temp) buf_str(b, "workspace of ");
  buf_str(b, maker ? op_info[maker->op].name : "carried by a loop or branch");
  if (!maker || !maker->loc.file) return;
  int line = 0, column = 0;
  const char *file = diag_source_name(p->prog->diag, maker->loc.file), *slash = strrchr(file, '/');
  diag_line_col(p->prog->diag, maker->loc, &line, &column);
  buf_printf(b, ", %s%s:%d", maker->loc.grad ? "gradient at " : "", slash ? slash + 1 : file, line);
}
