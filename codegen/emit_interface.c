/* NAME.c: the functions of the header, and what the entries share. */
#include "base/ds.h"
#include "codegen/emit_internal.h"
#include <string.h>

static bool uses(const Buf *b, const char *word) { return b->s && strstr(b->s, word); }

/* Messages of kernels' error places: the kernel leaves the number and two values, the text is made here. */
static void put_places(Emit *e, Buf *b) {
  buf_printf(b, "\n/* Places where a kernel can meet an index out of range: before its numbers, and behind them. */\n"
                "static const char *const places[][2] = {\n    {\"\", \"\"},\n");
  for (int i = 1; i <= e->n_sites; i++) {
    Loc at = kernels_site_loc(e->kernels, i);
    buf_str(b, "    {");
    emit_string(b, emit_column(e, at));
    buf_str(b, ",\n     ");
    emit_string(b, arena_printf(e->arena, "%s%s", kernels_site_what(e->kernels, i), emit_excerpt(e, at)));
    buf_str(b, "},\n");
  }
  buf_str(b, "};\n");
}

/* What the entries' texts call: the team, and the error that its threads may leave. */
static void put_team(Emit *e, const Buf *entries, Buf *b) {
  bool runs = uses(entries, "team_of(") || kernels_prepared_count(e->kernels), takes = uses(entries, "take_error(");
  if (takes) {
    put_places(e, b);
    buf_printf(b,
               "\n/* Keeps the error of the first thread that met one: an index out of range. */\n"
               "static int take_error(DnnContext *m, const DnnTeam *teams, int n) {\n"
               "  for (int t = 0; t < n; t++) {\n    if (!teams[t].error_site) continue;\n"
               "    m->error_site = teams[t].error_site;\n    m->error_value[0] = teams[t].error_value[0];\n"
               "    m->error_value[1] = teams[t].error_value[1];\n"
               "    DnnShow text = {message(m), %d, 0};\n"
               "    dnn_show_text(&text, places[m->error_site][0]);\n"
               "    dnn_show_text(&text, \": error: index \");\n    dnn_show_int(&text, m->error_value[0]);\n"
               "    dnn_show_text(&text, \" is outside of 0 .. \");\n    dnn_show_int(&text, m->error_value[1] - 1);\n"
               "    dnn_show_text(&text, \", \");\n    dnn_show_text(&text, places[m->error_site][1]);\n"
               "    return 1;\n  }\n  return 0;\n}\n",
               EMIT_MESSAGE_BYTES);
  }
  if (runs)
    buf_str(
        b, "\n/* Thread `t` of a team of `n`; its scratch stands in the arena. */\n"
           "static DnnTeam team_of(DnnContext *m, DnnMeeting *meeting, int t, int n, int64_t scratch, int64_t each) {\n"
           "  DnnTeam team = {t, n, m, meeting, m->arena + scratch + t * each, 0, {0, 0}};\n  return team;\n}\n");
}

static void put_errors(Emit *e, const Buf *entries, Buf *b) {
  buf_printf(b,
             "\nstatic char *message(const DnnContext *m) { return (char *)m->arena + %lld; }\n\n"
             "const char *%s_error(const DnnContext *m) {\n",
             (long long)e->message_at, e->name);
  if (!e->opts->bare)
    buf_printf(b,
               "  if (!m || !m->arena)\n    return \"error: the instance is not open: %s_open comes first, and wants "
               "memory at an address divisible by 64\";\n",
               e->name);
  buf_str(b, "  return m->error_site ? message(m) : \"\";\n}\n\n");
  if (e->opts->bare && !uses(entries, "range_error(")) return;
  buf_printf(b,
             "static int range_error(DnnContext *m, int site, const char *what, int64_t found, int64_t limit,\n"
             "                       const char *line) {\n"
             "  m->error_site = site;\n  m->error_value[0] = found;\n  m->error_value[1] = limit;\n"
             "  DnnShow text = {message(m), %d, 0};\n  dnn_show_text(&text, what);\n"
             "  dnn_show_text(&text, \" is \");\n  dnn_show_int(&text, found);\n"
             "  dnn_show_text(&text, \", allowed is 0 .. \");\n  dnn_show_int(&text, limit);\n"
             "  dnn_show_text(&text, line);\n"
             "  return site;\n}\n",
             EMIT_MESSAGE_BYTES);
}

/* What the entries' texts call where an argument is NULL. */
static void put_null_error(const Buf *entries, Buf *b) {
  if (!uses(entries, "null_error(")) return;
  buf_printf(b,
             "\nstatic int null_error(DnnContext *m, int site, const char *what, const char *line) {\n"
             "  DnnShow text = {message(m), %d, 0};\n  m->error_site = site;\n  dnn_show_text(&text, what);\n"
             "  dnn_show_text(&text, \" is NULL\");\n  dnn_show_text(&text, line);\n  return site;\n}\n",
             EMIT_MESSAGE_BYTES);
}

static void put_open(Emit *e, Buf *b) {
  const char *n = e->name, *u = e->upper;
  buf_printf(b,
             "\nint %s_open(%s *m, void *memory, int threads) {\n  unsigned char *p = memory;\n"
             "  if (m) memset(m, 0, sizeof *m);\n  if (!m || !p || (uintptr_t)p %% 64) return %d;\n",
             n, n, e->n_sites + 2);
  if (e->constant)
    buf_printf(b,
               "  m->cells = (unsigned char *)(uintptr_t)%s_cells; /* nobody writes there */\n"
               "  m->prepared = p;\n",
               n);
  else buf_printf(b, "  memset(p, 0, %s_CELLS_BYTES);\n  m->cells = p;\n  m->prepared = p + %s_CELLS_BYTES;\n", u, u);
  buf_printf(b, "  m->arena = m->prepared + %s_PREPARED_BYTES;\n", u);
  buf_printf(b,
             "  m->threads = threads < 1 ? 1 : threads > %s_MAX_THREADS ? %s_MAX_THREADS : threads;\n"
             "  message(m)[0] = 0;\n"
             "  if (threads != m->threads) return range_error(m, %d, \"threads\", threads, %s_MAX_THREADS, \"\");\n",
             u, u, e->n_sites + 1, u);
  if (!e->opts->freestanding)
    buf_str(b, "#ifdef _OPENMP\n  /* OpenMP makes its threads and their memory now, not in a later call. */\n"
               "#pragma omp parallel num_threads(m->threads)\n  (void)omp_get_thread_num();\n#endif\n");
  buf_str(b, "  return 0;\n}\n");
  if (!e->lowered[e->prog->init]) return;
  buf_printf(b,
             "\nint %s_init(%s *m, int64_t seed) {\n  if (!m || !m->arena) return %d;\n  m->seed = seed;\n  m->stage = "
             "m->step = m->epoch = 0;\n"
             "  return %s_call_%s(m, 0, 0, 0);\n}\n",
             n, n, e->n_sites + 2, n, e->entries[e->prog->init].id);
}

/* The reader of weights is runtime/core's; only the table of cells is printed here. */
static void put_load(Emit *e, Buf *b) {
  const char *n = e->name;
  int count = (int)arrlen(e->prog->cells), rows = 0;
  buf_str(b, "\n/* Parameters and states: path, dtype, shape, and place among the cells. */\n"
             "static const DnnFill weights[] = {\n");
  for (int i = 0; i < count; i++) {
    const Cell *c = &e->prog->cells[i];
    if (c->kind == DNN_OPT) continue;
    rows++;
    int64_t bytes = dtype_size(c->type.dtype), axis = 0;
    buf_str(b, "    {");
    emit_string(b, c->path);
    buf_printf(b, ", %d, %d, {", c->type.dtype, c->type.rank);
    for (int k = 0; k < c->type.rank; k++) {
      bytes *= dim_is_int(e->prog->dims, c->type.shape[k], &axis) ? axis : 0;
      if (k) buf_str(b, ", ");
      emit_int(b, axis);
    }
    if (!c->type.rank) buf_char(b, '0');
    buf_str(b, "}, ");
    emit_int(b, e->cell_offset[i]);
    buf_str(b, ", ");
    emit_int(b, bytes);
    buf_str(b, "},\n");
  }
  if (!rows) buf_str(b, "    {\"\", 0, 0, {0}, 0, 0},\n");
  buf_printf(b,
             "};\n\nint %s_load(%s *m, const void *file, size_t n) {\n  if (!m || !m->arena) return %d;\n"
             "  m->error_site = m->is_prepared = 0;\n"
             "  if (!dnn_weights_fill(file, n, weights, %d, m->cells, message(m), %d)) return m->error_site = %d;\n"
             "  return 0;\n}\n",
             n, n, e->n_sites + 2, rows, EMIT_MESSAGE_BYTES, e->n_sites + 3);
}

static void put_wrapper(Emit *e, int i, Buf *b) {
  const Entry *x = &e->prog->entries[i];
  const EmitEntry *n = &e->entries[i];
  int n_vars = (int)arrlen(x->vars), n_in = (int)arrlen(x->inputs);
  buf_printf(b, "\nint %s_%s(", e->name, n->id);
  emit_parameters(e, i, b);
  buf_printf(b, ") {\n  if (!m || !m->arena) return %d;\n", e->n_sites + 2);
  if (n_vars) buf_str(b, "  const int64_t v_[] = {");
  for (int k = 0; k < n_vars; k++) buf_printf(b, "%s%s", k ? ", " : "", n->in_names[k - n_vars]);
  if (n_vars) buf_str(b, "};\n");
  if (n_in) buf_str(b, "  const void *const in_[] = {");
  for (int k = 0; k < n_in; k++) buf_printf(b, "%s%s", k ? ", " : "", n->in_names[k]);
  if (n_in) buf_str(b, "};\n");
  if (n->n_out) buf_str(b, "  void *const out_[] = {");
  for (int k = 0; k < n->n_out; k++) buf_printf(b, "%s%s", k ? ", " : "", n->out_names[k]);
  if (n->n_out) buf_str(b, "};\n");
  const char *v = n_vars ? "v_" : "0", *in = n_in ? "in_" : "0", *out = n->n_out ? "out_" : "0";
  if (x->kind == DNN_STEP)
    buf_printf(b, "  const int error_ = %s_call_%s(m, %s, %s, %s);\n  if (!error_) m->step++;\n  return error_;\n}\n",
               e->name, n->id, v, in, out);
  else buf_printf(b, "  return %s_call_%s(m, %s, %s, %s);\n}\n", e->name, n->id, v, in, out);
}

static void put_includes(const Emit *e, const Buf *entries, Buf *b) {
  if (!e->opts->bare) buf_printf(b, "#include \"%s.h\"\n", e->name);
  buf_str(b, "#include \"dnn_kernel.h\"\n");
  emit_includes(b, (const char *const[]){entries->s}, 1);
  buf_str(b, "#include \"dnn_show.h\"\n");
  if (e->opts->bare) buf_str(b, "#include \"dnn_program.h\"\n");
  else if (!e->constant) buf_str(b, "#include \"dnn_weights_fill.h\"\n");
  if (e->opts->watch) buf_str(b, "#include \"dnn_watch.h\"\n");
  if (e->opts->profile) buf_str(b, "#include \"dnn_profile.h\"\n");
  if (!e->opts->freestanding) buf_str(b, "#include <stdio.h>\n");
  buf_str(b, "#include <string.h>\n");
  if (!e->opts->freestanding) buf_str(b, "#ifdef _OPENMP\n#include <omp.h>\n#endif\n");
  buf_char(b, '\n');
}

void emit_interface(Emit *e, const Buf *entries, Buf *b) {
  bool bare = e->opts->bare;
  put_includes(e, entries, b);
  for (int i = 0; i < kernels_count(e->kernels); i++)
    if (e->used[i]) kernel_print_prototype(kernels_get(e->kernels, i), b);
  buf_char(b, '\n');
  if (bare)
    buf_printf(b, "const char *%s_error(const DnnContext *m);\nint %s_prepare(DnnContext *m);\n", e->name, e->name);
  for (int i = 0; i < e->n_entries; i++)
    if (e->lowered[i])
      buf_printf(b, "int %s_call_%s(DnnContext *m, const int64_t *v, const void *const *in, void *const *out);\n",
                 e->name, e->entries[i].id);
  put_errors(e, entries, b);
  put_null_error(entries, b);
  put_team(e, entries, b);
  if (!bare) put_open(e, b);
  if (!bare || uses(entries, "_prepare(m)")) emit_prepare(e, b);
  if (bare) return;
  if (!e->constant) put_load(e, b);
  for (int i = 0; i < e->n_entries; i++)
    if (e->lowered[i] && emit_in_interface(&e->prog->entries[i])) put_wrapper(e, i, b);
}
