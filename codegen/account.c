#include "codegen/account.h"
#include "base/ds.h"

const char *const part_names[PARTS] = {"forward", "gradient", "update"};

Loc group_place(const Plan *p, const Group *g) {
  const Graph *graph = group_graph(p, g);
  Loc at = {0};
  if (g->heavy) at = graph_node(graph, g->heavy)->loc;
  for (int i = 0; i < arrlen(g->outs) && !at.file; i++)
    if (g->outs[i].node) at = graph_node(graph, g->outs[i].node)->loc;
  for (int i = (int)arrlen(g->nodes); i-- > 0 && !at.file;) at = graph_node(graph, g->nodes[i])->loc;
  return at;
}

void group_print(const Plan *p, const Group *g, bool brief, Buf *b) {
  const Graph *graph = group_graph(p, g);
  int n = 0;
  for (int i = 0; i < arrlen(g->nodes); i++) {
    const OpInfo *op = &op_info[graph_node(graph, g->nodes[i])->op];
    if (brief && (op->cls == LEAF || op->cls == VIEW)) continue;
    if (n++ < 12) buf_printf(b, " %s", op->name);
  }
  if (n > 12) buf_str(b, " …");
  for (int i = 0; i < arrlen(g->outs) && i < 4; i++) {
    buf_str(b, i ? ", " : " -> ");
    type_print(graph->dims, b, graph_type(graph, g->outs[i].node));
  }
}

/* ---- parts of a step ---- */

/* Derivatives say so themselves. Then, forwards: what uses one is an update; backwards: so is what only updates use. */
static void entry_parts(const Plan *p, uint8_t *part) {
  const Graph *g = p->graph;
  NodeId n = (NodeId)arrlen(g->nodes);
  const Entry *e = p->entry;
  int shown = e ? e->n_results + e->n_reports : (int)arrlen(g->outputs), stored = e ? (int)arrlen(e->writes) : 0;
  uint8_t *other = arena_array(p->arena, uint8_t, n), *used = arena_array(p->arena, uint8_t, n);
  for (NodeId i = 1; i < n; i++) {
    const Node *x = graph_node(g, i);
    part[i] = x->loc.grad ? PART_GRADIENT : PART_FORWARD;
    for (int k = 0; k < x->n_in && part[i] == PART_FORWARD; k++)
      if (part[x->in[k]] != PART_FORWARD) part[i] = PART_UPDATE;
  }
  for (int i = 0; i < arrlen(g->outputs); i++) {
    used[g->outputs[i]] = 1;
    if (i < shown || i >= shown + stored) other[g->outputs[i]] = 1;
  }
  for (NodeId i = n; i-- > 1;) {
    const Node *x = graph_node(g, i);
    if (part[i] == PART_FORWARD && used[i] && !other[i]) part[i] = PART_UPDATE;
    for (int k = 0; k < x->n_in; k++) {
      used[x->in[k]] = 1;
      if (part[i] != PART_UPDATE) other[x->in[k]] = 1;
    }
  }
}

static void body_parts(const Plan *p, uint8_t **parts, int scope) {
  const Graph *g = p->scopes[scope].graph;
  for (NodeId i = 1; i < (NodeId)arrlen(g->nodes); i++) {
    const Node *x = graph_node(g, i);
    for (int r = 0; r < x->n_regions; r++)
      for (int s = 0; s < arrlen(p->scopes); s++) {
        if (p->scopes[s].graph != x->regions[r] || parts[s]) continue;
        NodeId n = (NodeId)arrlen(x->regions[r]->nodes);
        parts[s] = arena_array(p->arena, uint8_t, n);
        for (NodeId j = 1; j < n; j++)
          parts[s][j] = graph_node(x->regions[r], j)->loc.grad ? PART_GRADIENT : parts[scope][i];
        body_parts(p, parts, s);
      }
  }
}

uint8_t **plan_parts(Arena *a, const Plan *p) {
  int n = (int)arrlen(p->scopes);
  uint8_t **parts = arena_array(a, uint8_t *, n + 1);
  parts[0] = arena_array(a, uint8_t, arrlen(p->graph->nodes) + 1);
  entry_parts(p, parts[0]);
  if (n) body_parts(p, parts, 0);
  return parts;
}

/* ---- lines ---- */

static double at_bounds(const DimTab *t, Dim d) {
  int64_t v = dim_upper(t, d);
  return v > 0 ? (double)v : 0;
}

/* Bytes of the buffers that node n is the first of the group to read. */
static double first_reads(const Plan *p, const Group *g, const Node *x, bool *seen) {
  const Graph *graph = group_graph(p, g);
  const int *buf_of = arrlen(p->scopes) ? p->scopes[g->scope].buf_of : p->buf_of;
  double bytes = 0;
  for (int k = 0; k < x->n_in; k++) {
    int buf = buf_of[x->in[k]];
    for (int r = 0; r < arrlen(g->reads); r++) {
      if (g->reads[r] != buf || seen[r]) continue;
      seen[r] = true;
      bytes += at_bounds(graph->dims, group_bytes_read(p, g, buf));
    }
  }
  return bytes;
}

static void add_line(LineShare **lines, const Graph *g, Loc at, Part part, double weight, double flops) {
  int line = 0, col = 0;
  if (at.file && g->diag) diag_line_col(g->diag, at, &line, &col);
  uint32_t file = line ? at.file : 0;
  for (int i = 0; i < arrlen(*lines); i++) {
    LineShare *x = &(*lines)[i];
    if (x->file != file || x->line != line || x->part != part) continue;
    x->share += weight;
    x->flops_share += flops;
    return;
  }
  arrput(*lines, ((LineShare){file, line, part, weight, flops}));
}

LineShare *group_lines(const Plan *p, const Group *g, uint8_t *const *parts) {
  const Graph *graph = group_graph(p, g);
  const uint8_t *part = parts[arrlen(p->scopes) ? g->scope : 0];
  bool *seen = arena_array(p->arena, bool, arrlen(g->reads) + 1);
  LineShare *lines = NULL;
  double sum = 0, operations = 0;
  for (int i = 0; i < arrlen(g->nodes); i++) {
    NodeId n = g->nodes[i];
    const Node *x = graph_node(graph, n);
    double flops = at_bounds(graph->dims, node_flops(graph, n)), bytes = first_reads(p, g, x, seen);
    for (int o = 0; o < arrlen(g->outs); o++)
      if (g->outs[o].node == n)
        bytes += at_bounds(graph->dims, type_count(graph->dims, x->type)) * (double)dtype_size(x->type.dtype);
    double weight = flops + bytes / 4;
    sum += weight;
    operations += flops;
    if (weight > 0) add_line(&lines, graph, x->loc, (Part)part[n], weight, flops);
  }
  if (!arrlen(lines)) {
    NodeId n = arrlen(g->outs) ? g->outs[0].node : 0;
    add_line(&lines, graph, group_place(p, g), n ? (Part)part[n] : PART_FORWARD, sum = 1, 0);
  }
  for (int i = 0; i < arrlen(lines); i++) {
    lines[i].share /= sum;
    if (operations > 0) lines[i].flops_share /= operations;
  }
  return lines;
}
