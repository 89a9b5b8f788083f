/* What a checked run tells: the place, the value, its operands, the step. */
#include "base/ds.h"
#include "codegen/watch_internal.h"
#include <math.h>
#include <string.h>

/* ---- pieces ---- */

/* "element [3, 7] of f32[32, 10]" at the sizes of the call; of a scalar "f32[]". */
static const char *element_text(const WatchCall *c, Type t, int64_t i) {
  const Prog *p = c->w->prog;
  int64_t size[MAX_RANK], at[MAX_RANK];
  for (int k = 0; k < t.rank; k++) size[k] = dim_eval(p->dims, t.shape[k], c->vars);
  for (int k = t.rank - 1; k >= 0; k--) at[k] = size[k] ? i % size[k] : 0, i = size[k] ? i / size[k] : 0;
  Buf b = {0};
  for (int k = 0; k < t.rank && i >= 0; k++) buf_printf(&b, "%s%lld", k ? ", " : "element [", (long long)at[k]);
  buf_printf(&b, "%s%s[", t.rank ? "] of " : "", dtype_name(t.dtype));
  for (int k = 0; k < t.rank; k++) buf_printf(&b, k ? ", %lld" : "%lld", (long long)size[k]);
  buf_char(&b, ']');
  const char *s = arena_strndup(p->arena, b.s, b.n);
  buf_free(&b);
  return s;
}
static const char *type_text(const WatchCall *c, Type t) {
  const char *s = element_text(c, t, 0), *of = strstr(s, "] of ");
  return of ? of + 5 : s;
}

static const char *number_text(Arena *a, double v) {
  return isnan(v) ? "NaN" : isinf(v) ? v < 0 ? "-inf" : "inf" : arena_printf(a, "%.7g", v);
}

/* A name of the program for a value, through what only moves it: "parameter `net.w`", "input `x`", or NULL. */
static const char *name_of(const WatchCall *c, const Graph *g, NodeId n) {
  const Prog *p = c->w->prog;
  while (op_info[graph_node(g, n)->op].cls == VIEW && graph_node(g, n)->n_in == 1) n = graph_node(g, n)->in[0];
  const Node *x = graph_node(g, n);
  if (x->op == OP_cell) {
    const Cell *cell = &p->cells[node_int(g, x, A_cell)];
    static const char *const kinds[] = {
        [DNN_PARAM] = "parameter", [DNN_STATE] = "state", [DNN_OPT] = "optimiser state"};
    return arena_printf(p->arena, "%s `%s`", kinds[cell->kind], cell->path);
  }
  if (x->op == OP_input && g == c->w->plans[c->entry]->graph)
    return arena_printf(p->arena, "input `%s`", p->entries[c->entry].inputs[node_int(g, x, A_index)].name);
  if (x->op == OP_full) return arena_printf(p->arena, "constant %s", number_text(p->arena, node_num(x, A_value)));
  return NULL;
}

/* Least and greatest of the finite elements, and how many are not finite. */
static const char *range_text(Arena *a, const Tensor *t) {
  int64_t n = tensor_count(t), bad = 0;
  double lo = INFINITY, hi = -INFINITY;
  for (int64_t i = 0; i < n; i++) {
    double v = tensor_get(t, i);
    bad += !isfinite(v);
    if (isfinite(v) && v < lo) lo = v;
    if (isfinite(v) && v > hi) hi = v;
  }
  const char *range =
      hi >= lo ? arena_printf(a, "from %s to %s", number_text(a, lo), number_text(a, hi)) : "none finite";
  return bad ? arena_printf(a, "%s, %lld of %lld not finite", range, (long long)bad, (long long)n) : range;
}

/* ---- notes ---- */

static void tell_operand(Find *f, const Node *x, int k, int64_t i) {
  const WatchCall *c = f->c;
  Arena *a = c->w->prog->arena;
  NodeId n = x->in[k];
  const Node *o = graph_node(f->graph, n);
  const Tensor *t = watch_value(f, n);
  const char *name = name_of(c, f->graph, n), *type = type_text(c, o->type), *which = "the operand";
  if (x->n_in > 1) which = arena_printf(a, "operand %d", k + 1);
  Buf b = {0};
  buf_printf(&b, "%s, %s%s%s", which, name ? name : "", name ? ", " : "", type);
  bool here = op_info[x->op].cls == MAP;
  if (t && here) buf_printf(&b, ": %s there", number_text(a, tensor_get(t, i)));
  if (t && o->type.rank) buf_printf(&b, "%s %s", here ? "," : ":", range_text(a, t));
  else if (t && !here) buf_printf(&b, ": %s", number_text(a, tensor_get(t, 0)));
  bool elsewhere =
      !name && o->op != OP_input && !loc_same(o->loc, x->loc); /* what enters a body has the loop's place */
  diag_note(c->w->prog->diag, elsewhere ? o->loc : (Loc){0}, "%s", b.s);
  buf_free(&b);
}

/* The action that a call belongs to, as runtime/core/train.c numbers stages; NULL when none. */
static const DnnAction *stage_of(const Prog *p, const DnnContext *m) {
  int64_t number = m->stage & (((int64_t)1 << 28) - 1);
  bool pass = m->stage >> 60;
  return m->stage > 0 && !pass && number <= (int64_t)arrlen(p->actions) ? &p->actions[number - 1] : NULL;
}

/* "in step 3 of 100, epoch 1, of stage `warm`, entry `learn`, iteration 5 of a loop" */
static const char *when_text(const WatchCall *c) {
  const Prog *p = c->w->prog;
  const DnnContext *m = c->m;
  const Entry *x = &p->entries[c->entry];
  Buf b = {0};
  const DnnAction *stage = stage_of(p, m);
  if (x->kind == DNN_INIT) buf_str(&b, "while the parameters get their first values");
  else if (x->kind == DNN_RECORD && m->stage <= -2)
    buf_printf(&b, "making record %lld of the data at %s", (long long)m->step, p->data[-2 - m->stage].place);
  else if (m->steps > 0 || stage) {
    buf_printf(&b, "in step %lld", (long long)m->step + 1);
    if (m->steps > 0) buf_printf(&b, " of %lld", (long long)m->steps);
    if (stage) buf_printf(&b, ", epoch %lld", (long long)m->epoch + 1);
    if (stage && stage->name) buf_printf(&b, ", stage `%s`", stage->name);
    if (!stage) buf_str(&b, " of a pass");
    buf_printf(&b, ", in `%s`", x->name);
  } else buf_printf(&b, "in `%s`", x->name);
  for (int k = 0; c->at && k < c->at->n_loops; k++)
    buf_printf(&b, "%s %lld", k ? " of" : ", iteration", (long long)c->at->loops[2 * k + 1]);
  const char *s = arena_strndup(p->arena, b.s, b.n);
  buf_free(&b);
  return s;
}

/* The short form is the error text of the call. */
static void say(const WatchCall *c, Loc at, const char *text) {
  char *to = (char *)c->m->arena + c->w->out->message_at;
  int line = 0, col = 0;
  diag_line_col(c->w->prog->diag, at, &line, &col);
  if (line)
    snprintf(to, EMIT_MESSAGE_BYTES, "%s:%d:%d: error: %s", diag_source_name(c->w->prog->diag, at.file), line, col,
             text);
  else snprintf(to, EMIT_MESSAGE_BYTES, "%s", text);
}

static Loc place_of(const WatchCall *c, const Graph *g, NodeId n) {
  Loc at = n ? graph_node(g, n)->loc : (Loc){0};
  return at.file ? at : c->w->prog->entries[c->entry].loc;
}

/* ---- the three reports ---- */

void watch_tell_value(Find *f, NodeId n, int64_t i) {
  const WatchCall *c = f->c;
  const Prog *p = c->w->prog;
  const Node *x = graph_node(f->graph, n);
  const Tensor *t = watch_value(f, n);
  const char *value = t ? number_text(p->arena, tensor_get(t, i)) : "not finite";
  Loc at = place_of(c, f->graph, n);
  const char *text = arena_printf(p->arena, "%s`%s` gives %s, %s", at.grad ? "in the gradient of this, " : "",
                                  op_spelling(x->op), value, element_text(c, x->type, i));
  diag_error(p->diag, at, E0618, "%s", text);
  for (int k = 0; k < x->n_in && k < 6; k++) tell_operand(f, x, k, i);
  if (f->unknown)
    diag_note(p->diag, (Loc){0}, "or a fused operation before it: computing all of them again takes too long");
  diag_note(p->diag, (Loc){0}, "%s, in the %s", when_text(c),
            at.grad ? "computation of gradients" : "forward computation");
  say(c, at, text);
}

/* The whole that a row is of, and where element `*i` of the row stands in it. */
static const PlanBuf *whole_of(const WatchCall *c, const PlanBuf *x, int64_t *i) {
  const Plan *p = c->w->plans[c->entry];
  while (x->kind == BUF_ROW && p->bufs[x->index].kind != BUF_CELLS) {
    if (x->loop < 0 && !x->place) *i += dim_eval(c->w->prog->dims, x->first, c->vars);
    for (int k = 0; k < c->at->n_loops; k++)
      if (c->at->loops[2 * k] == x->loop) *i += c->at->loops[2 * k + 1] * watch_count(c, x->type);
    x = &p->bufs[x->index];
  }
  return x;
}

void watch_tell_operand(const WatchCall *c, int read, const Seen *s) {
  const Plan *p = c->w->plans[c->entry];
  const Group *g = &p->groups[c->at->group];
  const Prog *prog = c->w->prog;
  int64_t i = s->first_nan;
  const PlanBuf *x = &p->bufs[g->reads[read]], *whole = whole_of(c, x, &i);
  const Entry *entry = &prog->entries[c->entry];
  const char *text, *where = element_text(c, whole->type, i);
  Loc at = place_of(c, p->scopes[g->scope].graph, x->node);
  if (whole->kind == BUF_INPUT) {
    const Port *port = &entry->inputs[whole->index];
    at = port->loc.file ? port->loc : at;
    text = arena_printf(prog->arena, "the input `%s` of `%s` is NaN, %s", port->name, entry->name, where);
    if (whole->type.rank) {
      DnnWatch *face = (DnnWatch *)(uintptr_t)&c->w->face;
      face->input = whole->index;
      face->row = i / (watch_count(c, whole->type) / dim_eval(prog->dims, whole->type.shape[0], c->vars));
    }
  } else if (whole->kind == BUF_CELL) {
    const Cell *cell = &prog->cells[whole->index];
    at = cell->loc.file ? cell->loc : at;
    text = arena_printf(prog->arena, "`%s` is NaN when it is read, %s", cell->path, where);
  } else {
    text = arena_printf(prog->arena, "this has become NaN in memory, %s", where);
  }
  diag_error(prog->diag, at, whole->kind == BUF_INPUT ? E0832 : E0618, "%s", text);
  diag_note(prog->diag, (Loc){0}, "%lld of %lld elements%s are NaN", (long long)s->nan,
            (long long)watch_count(c, x->type), x == whole ? "" : " of this row");
  diag_note(prog->diag, (Loc){0}, "%s", when_text(c));
  say(c, at, text);
}

void watch_tell_unwritten(const WatchCall *c, int buf, bool read, const Seen *s) {
  const Plan *p = c->w->plans[c->entry];
  const Prog *prog = c->w->prog;
  const PlanBuf *x = &p->bufs[buf];
  const Graph *g = p->scopes[p->groups[c->at->group].scope].graph;
  Loc at = place_of(c, g, x->node);
  const char *text =
      arena_printf(prog->arena, "%s: %s",
                   read ? "this is read before anybody wrote it" : "the kernel of this has not written all of it",
                   element_text(c, x->type, s->first_unwritten));
  diag_error(prog->diag, at, E0619, "%s", text);
  diag_note(prog->diag, (Loc){0}, "%lld of %lld elements; kernel group %d, buffer %d", (long long)s->unwritten,
            (long long)watch_count(c, x->type), c->at->group, buf);
  diag_note(prog->diag, (Loc){0}, "%s", when_text(c));
  diag_help(prog->diag, "this is a defect of dnnc, not of your program; please report it with the program");
  say(c, at, text);
}
