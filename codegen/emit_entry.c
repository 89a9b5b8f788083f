/* NAME.c: one entry point: bound checks, one parallel region with the kernel calls of its plan in order, then what is
 * told after it (checks and prints). */
#include "base/ds.h"
#include "codegen/emit_internal.h"
#include "runtime/core/error.h"
#include <string.h>

/* Where a value stands after the last step. */
static void put_buffer(const Emit *e, int i, Buf *b, int buf) {
  const PlanBuf *p = &e->plans[i]->bufs[buf];
  switch (p->kind) {
  case BUF_INPUT: buf_printf(b, "in[%d]", p->index); return;
  case BUF_OUTPUT: buf_printf(b, "out[%d]", p->index); return;
  case BUF_CELL: buf_printf(b, "(m->cells + %lld)", (long long)e->cell_offset[p->index]); return;
  case BUF_ARENA: buf_printf(b, "(m->arena + %lld)", (long long)p->offset); return;
  default: INTERNAL("%s: a row of a loop is read after it", e->prog->entries[i].name);
  }
}

/* By number: does a kernel of the plan leave its result in this output or cell? There are n of them. */
static bool *are_written(Arena *a, const Plan *p, BufKind kind, int n) {
  bool *written = arena_array(a, bool, n + 1);
  for (int g = 0; g < (int)arrlen(p->groups); g++)
    for (int o = 0; o < (int)arrlen(p->groups[g].outs); o++) {
      const PlanBuf *x = &p->bufs[p->groups[g].outs[o].buf];
      while (x->kind == BUF_ROW) x = &p->bufs[x->index];
      if (x->kind == kind && x->index < n) written[x->index] = true;
    }
  return written;
}

static int buffer_of(const Emit *e, int i, int output) {
  const Plan *p = e->plans[i];
  int buf = p->buf_of[p->graph->outputs[output]];
  if (buf < 0) INTERNAL("%s: output %d has no place", e->prog->entries[i].name, output);
  return buf;
}

/* Results and new cell values whose place the planner shared with something else. */
static void put_copies(const Emit *e, int i, Buf *b) {
  const Entry *x = &e->prog->entries[i];
  const Plan *p = e->plans[i];
  int n_out = x->n_results + x->n_reports;
  bool *outs = are_written(e->arena, p, BUF_OUTPUT, n_out);
  bool *cells = are_written(e->arena, p, BUF_CELL, (int)arrlen(e->prog->cells));
  for (int k = 0; k < n_out + (int)arrlen(x->writes); k++) {
    bool is_cell = k >= n_out;
    int index = is_cell ? x->writes[k - n_out] : k;
    if (is_cell ? cells[index] : outs[index]) continue;
    int buf = buffer_of(e, i, k);
    if (is_cell && p->bufs[buf].kind == BUF_CELL && p->bufs[buf].index == index) continue;
    if (is_cell) buf_printf(b, "  memcpy(m->cells + %lld, ", (long long)e->cell_offset[index]);
    else buf_printf(b, "  memcpy(out[%d], ", index);
    put_buffer(e, i, b, buf);
    buf_str(b, ", ");
    emit_bytes(e, x, b, p->bufs[buf].type);
    buf_str(b, ");\n");
  }
}

/* A program's text may hold control signs, which never reach a terminal. */
static const char *plain_text(const Emit *e, const char *text) {
  char *s = arena_strdup(e->arena, text);
  dnn_make_plain(s);
  return s;
}

/* The text of an effect with its values, into `text` of the emitted code. */
static void put_text(const Emit *e, int i, Buf *b, const Effect *f, const char *indent) {
  const Entry *x = &e->prog->entries[i];
  for (int k = 0; k <= f->n_values; k++) {
    if (f->text[k] && f->text[k][0]) {
      buf_printf(b, "%sdnn_show_text(&text, ", indent);
      emit_string(b, plain_text(e, f->text[k]));
      buf_str(b, ");\n");
    }
    if (k == f->n_values) break;
    int buf = buffer_of(e, i, f->values[k]);
    Type t = e->plans[i]->bufs[buf].type;
    buf_printf(b, "%sdnn_show_value(&text, ", indent);
    put_buffer(e, i, b, buf);
    buf_printf(b, ", %d, %d, ", t.dtype, t.rank);
    if (!t.rank) buf_str(b, "0");
    else buf_str(b, "(const int64_t[]){");
    for (int r = 0; r < t.rank; r++) {
      if (r) buf_str(b, ", ");
      emit_dim(e, x, b, t.shape[r]);
    }
    buf_str(b, t.rank ? "});\n" : ");\n");
  }
}

static void put_effects(Emit *e, int i, Buf *b) {
  const Entry *x = &e->prog->entries[i];
  for (int k = 0; k < (int)arrlen(x->effects); k++) {
    const Effect *f = &x->effects[k];
    if (f->is_check && !e->opts->checks) continue;
    const char *indent = "    ";
    if (f->is_check) {
      buf_str(b, "  if (!*(const uint8_t *)");
      put_buffer(e, i, b, buffer_of(e, i, f->cond));
      arrput(e->sites, f->loc);
      int site = e->n_sites + 3 + (int)arrlen(e->sites);
      buf_printf(b, ") {\n    DnnShow text = {message(m), %d, 0};\n    m->error_site = %d;\n    dnn_show_text(&text, ",
                 EMIT_MESSAGE_BYTES, site);
      emit_string(b, arena_printf(e->arena, "%s: error: check failed: ", emit_column(e, f->loc)));
      buf_str(b, ");\n");
      put_text(e, i, b, f, indent);
      buf_printf(b, "%sdnn_show_text(&text, ", indent);
      emit_string(b, emit_excerpt(e, f->loc));
      buf_printf(b, ");\n    return %d;\n  }\n", site);
    } else {
      if (e->opts->freestanding) buf_printf(b, "  {\n    DnnShow text = {message(m), %d, 0};\n", EMIT_MESSAGE_BYTES);
      else buf_str(b, "  {\n    char line[4096];\n    DnnShow text = {line, sizeof line, 0};\n");
      put_text(e, i, b, f, indent);
      if (e->opts->freestanding) buf_printf(b, "    %s_print(text.text);\n  }\n", e->name);
      else buf_str(b, "    puts(line);\n    fflush(stdout);\n  }\n");
    }
  }
}

bool emit_prints(const Emit *e) {
  for (int i = 0; i < e->n_entries; i++)
    for (int k = 0; e->lowered[i] && k < (int)arrlen(e->prog->entries[i].effects); k++)
      if (!e->prog->entries[i].effects[k].is_check) return true;
  return false;
}

static int new_site(Emit *e, Loc at) {
  arrput(e->sites, at);
  return e->n_sites + 3 + (int)arrlen(e->sites);
}

/* `d` must not be negative, which is tested where it cannot be proved; with `count` only when that is at least 1. The
 * error: WHAT is FOUND, allowed is 0 .. LIMIT. */
static void put_check(Emit *e, int i, Buf *b, Loc at, Dim d, Dim count, const char *what, Dim found, Dim limit,
                      Dim **seen) {
  const Entry *x = &e->prog->entries[i];
  DimTab *t = e->prog->dims;
  Dim one = dim_int(t, 1);
  bool always = count == DIM_NONE || dim_le(t, one, count) == DIM_YES, known = dim_le(t, dim_int(t, 0), d) == DIM_YES;
  if (count != DIM_NONE) known |= dim_le(t, dim_sub(t, count, one), d) == DIM_YES;
  for (int j = 0; j < (int)arrlen(*seen); j++) known |= (*seen)[j] == d;
  if (known) return;
  if (always) arrput(*seen, d);
  if (!at.file) at = x->loc;
  buf_str(b, "  if (");
  if (!always) {
    emit_dim(e, x, b, count);
    buf_str(b, " > 0 && ");
  }
  emit_dim(e, x, b, d);
  buf_printf(b, " < 0) return range_error(m, %d, ", new_site(e, at));
  emit_string(b, arena_printf(e->arena, "%s: error: %s", emit_column(e, at), what));
  buf_str(b, ", ");
  emit_dim(e, x, b, found);
  buf_str(b, ", ");
  emit_dim(e, x, b, limit);
  buf_str(b, ", ");
  emit_string(b, emit_excerpt(e, at));
  buf_str(b, ");\n");
}

static const char *told(Emit *e, const char *what, Dim d, const char *of, Dim size) {
  Buf text = {0};
  buf_str(&text, what);
  dim_print(e->prog->dims, &text, d);
  buf_str(&text, of);
  if (*of) dim_print(e->prog->dims, &text, size);
  const char *s = arena_strdup(e->arena, text.s);
  buf_free(&text);
  return s;
}

/* The first and the last place that a slice reads, such as 3 in x[3] of an axis of size N. */
static void put_slice_checks(Emit *e, int i, Buf *b, const Graph *g, const Node *x, Dim **seen) {
  DimTab *d = e->prog->dims;
  const Dim *start = node_attr(x, A_start)->dims, *step = node_attr(x, A_step)->dims;
  for (int k = 0; k < x->type.rank; k++) {
    Dim size = graph_type(g, x->in[0]).shape[k], end = dim_sub(d, size, dim_int(d, 1));
    Dim last = dim_add(d, start[k], dim_mul(d, dim_sub(d, x->type.shape[k], dim_int(d, 1)), step[k]));
    if (dim_le(d, x->type.shape[k], dim_int(d, 0)) == DIM_YES) continue;
    for (int side = 0; side < 2; side++) {
      Dim at = side ? last : start[k];
      const char *what = told(e, "the index ", at, " of an axis of size ", size);
      put_check(e, i, b, x->loc, at, x->type.shape[k], what, at, end, seen);
      put_check(e, i, b, x->loc, dim_sub(d, end, at), x->type.shape[k], what, at, end, seen);
    }
  }
}

/* Sizes that come out negative at some values of the variables, such as N - 4: no tensor of the entry may have them,
 * inside neither, for two of them multiplied would be a large one. */
static void put_size_checks(Emit *e, int i, Buf *b, const Graph *g, Dim **seen) {
  for (NodeId n = 1; n < (NodeId)arrlen(g->nodes); n++) {
    const Node *x = graph_node(g, n);
    for (int k = 0; k < x->n_regions; k++) put_size_checks(e, i, b, x->regions[k], seen);
    for (int k = 0; k < x->type.rank; k++) {
      Dim d = x->type.shape[k];
      put_check(e, i, b, x->loc, d, DIM_NONE, told(e, "the size ", d, "", d), d,
                dim_int(g->dims, dim_upper(g->dims, d)), seen);
    }
    if (x->op == OP_slice) put_slice_checks(e, i, b, g, x, seen);
  }
}

/* In C that is called by others: an array is there, unless it has no elements. Sizes are within their bounds by now. */
static void put_null_check(Emit *e, int i, Buf *b, const char *list, int k, const Port *p) {
  const Entry *x = &e->prog->entries[i];
  DimTab *t = e->prog->dims;
  Dim count = type_count(t, p->type);
  Loc at = p->loc.file ? p->loc : x->loc;
  buf_printf(b, "  if (!%s[%d]", list, k);
  if (dim_lower(t, count) < 1) {
    buf_str(b, " && ");
    emit_dim(e, x, b, count);
    buf_str(b, " > 0");
  }
  buf_printf(b, ") return null_error(m, %d, ", new_site(e, at));
  emit_string(b, arena_printf(e->arena, "%s: error: %s of %s", emit_column(e, at), p->name, x->name));
  buf_str(b, ", ");
  emit_string(b, emit_excerpt(e, at));
  buf_str(b, ");\n");
}

/* Sizes within their bounds, arrays, integers within their bounds. */
static void put_checks(Emit *e, int i, Buf *b) {
  const Entry *x = &e->prog->entries[i];
  for (int k = 0; k < (int)arrlen(x->vars); k++) {
    int64_t bound = dim_var_bound(e->prog->dims, x->vars[k]);
    const char *name = dim_var_name(e->prog->dims, x->vars[k]);
    buf_printf(b, "  if (v[%d] < 0 || v[%d] > %lld) return range_error(m, %d, ", k, k, (long long)bound,
               new_site(e, x->loc));
    emit_string(b, arena_printf(e->arena, "%s: error: the size %s of %s", emit_column(e, x->loc), name, x->name));
    buf_printf(b, ", v[%d], %lld, ", k, (long long)bound);
    emit_string(b, emit_excerpt(e, x->loc));
    buf_str(b, ");\n");
  }
  Dim *seen = NULL;
  put_size_checks(e, i, b, e->plans[i]->graph, &seen);
  arrfree(seen);
  bool others = !e->opts->bare && e->opts->checks && emit_in_interface(x);
  for (int k = 0; others && k < (int)arrlen(x->inputs); k++) put_null_check(e, i, b, "in", k, &x->inputs[k]);
  for (int k = 0; others && k < (int)arrlen(x->outputs); k++) put_null_check(e, i, b, "out", k, &x->outputs[k]);
  for (int k = 0; e->opts->checks && k < (int)arrlen(x->inputs); k++) {
    const Port *p = &x->inputs[k];
    if (p->below == DIM_NONE) continue;
    buf_printf(b, "  for (int64_t i = 0, n = ");
    emit_dim(e, x, b, type_count(e->prog->dims, p->type));
    buf_printf(b, ", limit = ");
    emit_dim(e, x, b, p->below);
    const char *type = emit_ctype(p->type.dtype);
    bool is_signed = p->type.dtype == I64 || p->type.dtype == I32 || p->type.dtype == I8;
    buf_printf(b,
               "; i < n; i++) {\n    const int64_t found = ((const %s *)in[%d])[i];\n    if (%sfound >= limit) return "
               "range_error(m, %d, ",
               type, k, is_signed ? "found < 0 || " : "", new_site(e, p->loc));
    emit_string(b, arena_printf(e->arena, "%s: error: an element of %s", emit_column(e, p->loc), p->name));
    buf_str(b, ", found, limit - 1, ");
    emit_string(b, emit_excerpt(e, p->loc));
    buf_str(b, ");\n  }\n");
  }
}

static bool uses(const Buf *b, const char *word) { return b->s && strstr(b->s, word); }
static bool uses_context(const Buf *b) { /* `m->` that is not the end of `team->` */
  for (const char *s = b->s; s && (s = strstr(s, "m->")); s++)
    if (s == b->s || s[-1] != 'a') return true;
  return false;
}

/* The function that every thread of the team runs; false when the plan is empty. */
static bool put_run(Emit *e, int i, Buf *b, const char *args) {
  const Entry *x = &e->prog->entries[i];
  Buf text = {0};
  emit_steps(e, i, &text);
  if (!text.n) return false;
  Buf body = emit_bare(&text);
  emit_hash_steps(e, i, &body);
  bool arena = uses(&body, "a + ") || uses(&body, "(void *)a,"),
       cells = uses(&body, "c + ") || uses(&body, "(void *)c,");
  bool key = uses(&body, "key, ");
  buf_str(b, "\n/* The kernels of ");
  buf_c(b, x->name);
  buf_printf(b, " (%s), as every thread of the team calls them. */\nstatic void run_%s(%s, DnnTeam *team) {\n",
             emit_place(e, x->loc), e->entries[i].id, args);
  if (arena) buf_str(b, "  unsigned char *const a = m->arena;\n");
  if (cells) buf_str(b, "  unsigned char *const c = m->cells;\n");
  if (key) buf_str(b, "  const int64_t key = dnn_call_key(m->seed, m->stage, m->step);\n");
  if (!arena && !cells && !key && !uses_context(&body)) buf_str(b, "  (void)m;\n");
  if (!uses(&body, "v[")) buf_str(b, "  (void)v;\n");
  if (!uses(&body, "in[")) buf_str(b, "  (void)in;\n");
  if (!uses(&body, "out[")) buf_str(b, "  (void)out;\n");
  if (!uses(&body, "team")) buf_str(b, "  (void)team;\n");
  if (e->opts->profile) buf_str(b, "  dnn_lap_team(team, team->tid ? DNN_LAP_OUTSIDE : DNN_LAP_CALL, 1);\n");
  buf_str(b, text.s);
  buf_str(b, "}\n");
  buf_free(&body);
  buf_free(&text);
  return true;
}

/* With EmitOpts.profile: what the caller's thread has done since its last lap. */
static void put_lap(const Emit *e, Buf *b, const char *piece) {
  if (e->opts->profile) buf_printf(b, "  dnn_lap(m, %s);\n", piece);
}

/* The call of the kernels by a team. A second thread does not pay for little work: waking it and its barriers cost some
 * microseconds, far more when the machine is busy. The bits do not depend on the number of threads. */
static void put_team(const Emit *e, int i, Buf *b) {
  const EmitEntry *n = &e->entries[i];
  long long at = (long long)n->scratch_at, each = (long long)n->scratch_each;
  bool indices = e->opts->checks && e->n_sites;
  if (e->opts->freestanding || emit_is_little(e, i)) {
    buf_printf(b,
               "  DnnMeeting meeting = {0};\n  DnnTeam team = team_of(m, &meeting, 0, 1, %lld, %lld);\n"
               "  run_%s(m, v, in, out, &team);\n",
               at, each, n->id);
    if (e->opts->watch) buf_str(b, "  if (m->error_site) return m->error_site;\n");
    put_lap(e, b, "DNN_LAP_MEET");
    if (indices) buf_str(b, "  if (take_error(m, &team, 1)) return m->error_site;\n");
    return;
  }
  const char *count = indices ? "    if (t == 0) n = omp_get_num_threads();\n" : "";
  buf_printf(b,
             "  DnnMeeting meeting = {0};\n  DnnTeam teams[%d];\n%s"
             "#ifdef _OPENMP\n#pragma omp parallel num_threads(dnn_threads(m))\n  {\n"
             "    const int t = omp_get_thread_num();\n%s"
             "    teams[t] = team_of(m, &meeting, t, omp_get_num_threads(), %lld, %lld);\n"
             "    run_%s(m, v, in, out, &teams[t]);\n  }\n  dnn_after(m, &meeting);\n#else\n"
             "  teams[0] = team_of(m, &meeting, 0, 1, %lld, %lld);\n  run_%s(m, v, in, out, &teams[0]);\n#endif\n",
             e->target->max_threads, indices ? "  int n = 1;\n" : "", count, at, each, n->id, at, each, n->id);
  if (e->opts->watch) buf_str(b, "  if (m->error_site) return m->error_site;\n");
  put_lap(e, b, "DNN_LAP_MEET");
  if (indices) buf_str(b, "  if (take_error(m, teams, n)) return m->error_site;\n");
}

static bool uses_prepared(const Lowered *l) {
  for (int g = 0; g < (int)arrlen(l->plan->groups); g++)
    for (int c = 0; c < (int)arrlen(l->groups[g].calls); c++)
      for (int k = 0; k < (int)arrlen(l->groups[g].calls[c].args); k++)
        if (l->groups[g].calls[c].args[k].kind == KARG_PREPARED) return true;
  return false;
}

/* NAME_prepare: the calls that depend on cells alone, in one parallel region. */
void emit_prepare(Emit *e, Buf *b) {
  const char *n = e->name, *open = "";
  if (!e->opts->bare) open = arena_printf(e->arena, "  if (!m || !m->arena) return %d;\n", e->n_sites + 2);
  int count = kernels_prepared_count(e->kernels);
  if (!count) {
    buf_printf(b, "\nint %s_prepare(DnnContext *m) {\n%s  m->error_site = 0;\n  m->is_prepared = 1;\n  return 0;\n}\n",
               n, open);
    return;
  }
  int64_t each = emit_prepare_scratch(e);
  buf_str(b, "\n/* What is made from cells alone, as every thread of the team makes it. */\n"
             "static void run_prepare_(DnnContext *m, DnnTeam *team) {\n");
  for (int i = 0; i < count; i++) {
    const PreparedCall *c = kernels_prepared(e->kernels, i);
    if (c->waits) buf_str(b, "  if (dnn_barrier(team)) return;\n");
    buf_printf(b, "  %s(", kernel_name(kernels_get(e->kernels, c->kernel)));
    for (int k = 0; k < (int)arrlen(c->args); k++) {
      const KArg *a = &c->args[k];
      int64_t v = a->offset;
      if (a->kind == KARG_BUF) buf_printf(b, "(void *)(m->cells + %lld), ", (long long)e->cell_offset[a->buf]);
      else if (a->kind == KARG_PREPARED) buf_printf(b, "(void *)(m->prepared + %lld), ", (long long)v);
      else {
        if (a->kind == KARG_SIZE) dim_is_int(e->prog->dims, a->dim, &v);
        emit_int(b, v);
        buf_str(b, ", ");
      }
    }
    buf_str(b, "team);\n");
  }
  if (e->opts->freestanding) {
    buf_printf(b,
               "}\n\nint %s_prepare(DnnContext *m) {\n  DnnMeeting meeting = {0};\n%s  m->error_site = 0;\n"
               "  DnnTeam team = team_of(m, &meeting, 0, 1, 0, %lld);\n  run_prepare_(m, &team);\n"
               "  m->is_prepared = 1;\n  return 0;\n}\n",
               n, open, (long long)each);
    return;
  }
  buf_printf(b,
             "}\n\nint %s_prepare(DnnContext *m) {\n  DnnMeeting meeting = {0};\n%s  m->error_site = 0;\n"
             "#ifdef _OPENMP\n#pragma omp parallel num_threads(m->threads)\n  {\n"
             "    DnnTeam team = team_of(m, &meeting, omp_get_thread_num(), omp_get_num_threads(), 0, %lld);\n"
             "    run_prepare_(m, &team);\n  }\n#else\n  DnnTeam team = team_of(m, &meeting, 0, 1, 0, %lld);\n"
             "  run_prepare_(m, &team);\n#endif\n  m->is_prepared = 1;\n  return 0;\n}\n",
             n, open, (long long)each, (long long)each);
}

void emit_entry(Emit *e, int i, Buf *b) {
  const EmitEntry *n = &e->entries[i];
  const char *args = "DnnContext *m, const int64_t *v, const void *const *in, void *const *out";
  bool any = put_run(e, i, b, args);
  buf_printf(b, "\nint %s_call_%s(%s) {\n", e->name, n->id, args);
  if (!any) buf_str(b, "  (void)v;\n  (void)in;\n  (void)out;\n");
  if (e->opts->profile) buf_printf(b, "  dnn_lap_call(m, %d, v);\n", i);
  buf_str(b, "  m->error_site = 0;\n");
  put_checks(e, i, b);
  if (uses_prepared(e->lowered[i])) {
    put_lap(e, b, "DNN_LAP_CALL");
    buf_printf(b, "  if (!m->is_prepared && %s_prepare(m)) return m->error_site;\n", e->name);
    put_lap(e, b, "DNN_LAP_PREPARE");
  }
  if (arrlen(e->prog->entries[i].writes)) buf_str(b, "  m->is_prepared = 0;\n");
  if (any) put_team(e, i, b);
  put_copies(e, i, b);
  put_effects(e, i, b);
  put_lap(e, b, "DNN_LAP_CALL");
  buf_str(b, "  return 0;\n}\n");
}
