/* NAME_program.c: the program's tables as runtime/core/program.h describes them, and dnn_program(). Rows with lists in
 * them refer to static arrays printed before; numbers in their names are the rows'. */
#include "base/ds.h"
#include "codegen/emit_internal.h"
#include <string.h>

/* A size as DnnAxis: in terms of the entry's variables, or -2 when shapes() alone can tell it. */
static void put_axis(const Emit *e, const Entry *entry, Buf *b, Dim d) {
  int var = -1;
  int64_t mul = 0, add = 0;
  if (d == DIM_NONE || !dim_linear(e->prog->dims, d, &var, &mul, &add)) {
    buf_str(b, d == DIM_NONE ? "{-1, 0, 0}" : "{-2, 0, 0}");
    return;
  }
  int index = -1;
  for (int i = 0; var >= 0 && i < (int)arrlen(entry->vars); i++)
    if (entry->vars[i] == var) index = i;
  if (var >= 0 && index < 0) INTERNAL("%s: a shape uses a dimension that is none of its variables", entry->name);
  buf_printf(b, "{%d, ", index);
  emit_int(b, mul);
  buf_str(b, ", ");
  emit_int(b, add);
  buf_char(b, '}');
}

static void put_ports(const Emit *e, int i, Buf *b, const Port *ports, int n, const char *what) {
  const Entry *entry = &e->prog->entries[i];
  for (int k = 0; k < n; k++) {
    if (!ports[k].type.rank) continue;
    buf_printf(b, "static const DnnAxis %s%d_%d_axes[] = {", what, i, k);
    for (int r = 0; r < ports[k].type.rank; r++) {
      if (r) buf_str(b, ", ");
      put_axis(e, entry, b, ports[k].type.shape[r]);
    }
    buf_str(b, "};\n");
  }
  if (!n) return;
  buf_printf(b, "static const DnnPort %s%d[] = {\n", what, i);
  for (int k = 0; k < n; k++) {
    buf_str(b, "    {");
    emit_string(b, ports[k].name ? ports[k].name : "result");
    buf_printf(b, ", %d, %d, ", ports[k].type.dtype, ports[k].type.rank);
    if (ports[k].type.rank) buf_printf(b, "%s%d_%d_axes, ", what, i, k);
    else buf_str(b, "0, ");
    put_axis(e, entry, b, ports[k].below);
    buf_str(b, ", ");
    emit_string(b, ports[k].as);
    buf_str(b, "},\n");
  }
  buf_str(b, "};\n");
}

static int put_sizes(const Emit *e, int i, Buf *b, const Port *ports, int n, int at) {
  for (int k = 0; k < n; k++) {
    for (int r = 0; r < ports[k].type.rank; r++) {
      buf_printf(b, "  sizes[%d] = ", at++);
      emit_dim(e, &e->prog->entries[i], b, ports[k].type.shape[r]);
      buf_str(b, ";\n");
    }
  }
  return at;
}

static void put_entry(const Emit *e, int i, Buf *b) {
  const Entry *entry = &e->prog->entries[i];
  int n_vars = (int)arrlen(entry->vars), n_in = (int)arrlen(entry->inputs);
  buf_str(b, "\n/* ");
  buf_c(b, entry->name);
  buf_str(b, " */\n");
  put_ports(e, i, b, entry->inputs, n_in, "in");
  put_ports(e, i, b, entry->outputs, entry->n_results + entry->n_reports, "out");
  if (n_vars) {
    buf_printf(b, "static const DnnVar vars%d[] = {", i);
    for (int k = 0; k < n_vars; k++) {
      buf_str(b, k ? ", {" : "{");
      emit_string(b, dim_var_name(e->prog->dims, entry->vars[k]));
      buf_str(b, ", ");
      emit_int(b, dim_var_bound(e->prog->dims, entry->vars[k]));
      buf_char(b, '}');
    }
    buf_str(b, "};\n");
  }
  Buf body = {0};
  int n = put_sizes(e, i, &body, entry->inputs, n_in, 0);
  n = put_sizes(e, i, &body, entry->outputs, entry->n_results + entry->n_reports, n);
  buf_printf(b, "static void shapes%d(const int64_t *v, int64_t *sizes) {\n", i);
  if (!body.s || !strstr(body.s, "v[")) buf_str(b, "  (void)v;\n");
  if (!n) buf_str(b, "  (void)sizes;\n");
  buf_str(b, body.s ? body.s : "");
  buf_str(b, "}\n");
  buf_free(&body);
  if (e->lowered[i])
    buf_printf(b, "int %s_call_%s(DnnContext *m, const int64_t *v, const void *const *in, void *const *out);\n",
               e->name, e->entries[i].id);
}

static void put_entries(const Emit *e, Buf *b) {
  for (int i = 0; i < e->n_entries; i++) put_entry(e, i, b);
  if (!e->n_entries) return;
  buf_str(b, "\nstatic const DnnEntry entries[] = {\n");
  for (int i = 0; i < e->n_entries; i++) {
    const Entry *x = &e->prog->entries[i];
    buf_str(b, "    {");
    emit_string(b, x->name);
    buf_printf(b, ", %d, %d, %d, %d, %d, %d, ", x->kind, x->exported, (int)arrlen(x->vars), (int)arrlen(x->inputs),
               x->n_results, x->n_reports);
    if (arrlen(x->vars)) buf_printf(b, "vars%d, ", i);
    else buf_str(b, "0, ");
    if (arrlen(x->inputs)) buf_printf(b, "in%d, ", i);
    else buf_str(b, "0, ");
    if (x->n_results + x->n_reports) buf_printf(b, "out%d, ", i);
    else buf_str(b, "0, ");
    buf_printf(b, "shapes%d, ", i);
    if (e->lowered[i]) buf_printf(b, "%s_call_%s, ", e->name, e->entries[i].id);
    else buf_str(b, "0, ");
    emit_int(b, e->lowered[i] ? emit_work(e, i) : 0);
    buf_str(b, "},\n");
  }
  buf_str(b, "};\n");
}

static void put_cells(const Emit *e, Buf *b) {
  int n = (int)arrlen(e->prog->cells);
  if (!n) return;
  for (int i = 0; i < n; i++) {
    const Type t = e->prog->cells[i].type;
    if (!t.rank) continue;
    buf_printf(b, "static const int64_t cell%d[] = {", i);
    for (int k = 0; k < t.rank; k++) {
      if (k) buf_str(b, ", ");
      int64_t axis = 0;
      dim_is_int(e->prog->dims, t.shape[k], &axis);
      emit_int(b, axis);
    }
    buf_str(b, "};\n");
  }
  buf_str(b, "static const DnnCell cells[] = {\n");
  for (int i = 0; i < n; i++) {
    const Cell *c = &e->prog->cells[i];
    int64_t bytes = dtype_size(c->type.dtype), axis = 0;
    for (int k = 0; k < c->type.rank; k++) bytes *= dim_is_int(e->prog->dims, c->type.shape[k], &axis) ? axis : 0;
    buf_str(b, "    {");
    emit_string(b, c->path);
    buf_printf(b, ", %d, %d, %d, ", c->type.dtype, c->type.rank, c->kind);
    if (c->type.rank) buf_printf(b, "cell%d, ", i);
    else buf_str(b, "0, ");
    emit_int(b, e->cell_offset[i]);
    buf_str(b, ", ");
    emit_int(b, bytes);
    buf_str(b, ", ");
    emit_string(b, c->load_file);
    buf_str(b, ", ");
    emit_string(b, c->load_path);
    buf_str(b, "},\n");
  }
  buf_str(b, "};\n");
}

static void put_raw_axis(Buf *b, DnnAxis x) {
  buf_printf(b, "{%d, ", x.var);
  emit_int(b, x.mul);
  buf_str(b, ", ");
  emit_int(b, x.add);
  buf_char(b, '}');
}

static void put_data_row(int i, const DnnData *d, Buf *b) {
  if (d->n_args) {
    buf_printf(b, "static const DnnDataArg data%d_args[] = {\n", i);
    for (int k = 0; k < d->n_args; k++) {
      const DnnDataArg *x = &d->args[k];
      buf_str(b, "    {");
      emit_string(b, x->name);
      buf_printf(b, ", '%c', %d, ", x->kind, x->index);
      emit_double(b, x->num);
      buf_str(b, ", ");
      emit_string(b, x->str);
      buf_str(b, "},\n");
    }
    buf_str(b, "};\n");
  }
  for (int k = 0; k < d->n_fields; k++) {
    if (!d->fields[k].rank) continue;
    buf_printf(b, "static const DnnAxis data%d_%d_axes[] = {", i, k);
    for (int r = 0; r < d->fields[k].rank; r++) {
      if (r) buf_str(b, ", ");
      put_raw_axis(b, d->fields[k].axes[r]);
    }
    buf_str(b, "};\n");
  }
  if (d->n_fields) {
    buf_printf(b, "static const DnnPort data%d_fields[] = {\n", i);
    for (int k = 0; k < d->n_fields; k++) {
      const DnnPort *x = &d->fields[k];
      buf_str(b, "    {");
      emit_string(b, x->name);
      buf_printf(b, ", %d, %d, ", x->dtype, x->rank);
      if (x->rank) buf_printf(b, "data%d_%d_axes, ", i, k);
      else buf_str(b, "0, ");
      put_raw_axis(b, x->below);
      buf_str(b, ", ");
      emit_string(b, x->as);
      buf_str(b, "},\n");
    }
    buf_str(b, "};\n");
  }
  if (!d->n_fits) return;
  buf_printf(b, "static const DnnFit data%d_fits[] = {\n", i);
  for (int k = 0; k < d->n_fits; k++) {
    buf_printf(b, "    {%d, ", d->fits[k].pack);
    emit_string(b, d->fits[k].var);
    buf_str(b, ", ");
    emit_string(b, d->fits[k].as);
    buf_str(b, ", ");
    emit_int(b, d->fits[k].size);
    buf_str(b, "},\n");
  }
  buf_str(b, "};\n");
}

static void put_name_or_null(Buf *b, int n, const char *fmt, int i) {
  if (n) buf_printf(b, fmt[0] == 'a' ? "data%d_args" : fmt[0] == 'f' ? "data%d_fields" : "data%d_fits", i);
  else buf_char(b, '0');
}

static void put_data(const Emit *e, Buf *b) {
  int n = (int)arrlen(e->prog->data);
  if (!n) return;
  for (int i = 0; i < n; i++) put_data_row(i, &e->prog->data[i], b);
  buf_str(b, "static const DnnData data[] = {\n");
  for (int i = 0; i < n; i++) {
    const DnnData *d = &e->prog->data[i];
    buf_printf(b, "    {%d, ", d->op);
    emit_string(b, d->name);
    buf_str(b, ", ");
    emit_string(b, d->place);
    buf_printf(b, ", %d, %d, %d, ", d->n_args, d->n_fields, d->n_fits);
    put_name_or_null(b, d->n_args, "a", i);
    buf_str(b, ", ");
    put_name_or_null(b, d->n_fields, "f", i);
    buf_str(b, ", ");
    put_name_or_null(b, d->n_fits, "t", i);
    buf_str(b, "},\n");
  }
  buf_str(b, "};\n");
}

static void put_action_lists(const Emit *e, int i, const DnnAction *x, Buf *b) {
  if (x->n_feeds) {
    buf_printf(b, "static const DnnFeed action%d_feeds[] = {", i);
    for (int k = 0; k < x->n_feeds; k++) {
      const DnnFeed *f = &x->feeds[k];
      buf_printf(b, "%s{%d, ", k ? ", " : "", f->data);
      emit_string(b, f->name);
      buf_printf(b, ", %d, %d, ", f->shuffled, f->drop);
      emit_int(b, f->batch);
      buf_char(b, '}');
    }
    buf_str(b, "};\n");
  }
  if (x->texts) {
    buf_printf(b, "static const char *const action%d_texts[] = {", i);
    for (int k = 0; k < (int)arrlen(e->prog->entries[x->entry].inputs); k++) {
      if (k) buf_str(b, ", ");
      emit_string(b, x->texts[k]);
    }
    buf_str(b, "};\n");
  }
  int n = x->kind == DNN_RUN && x->binds ? (int)arrlen(e->prog->entries[x->entry].inputs) : 0;
  if (!n) return;
  buf_printf(b, "static const DnnBind action%d_binds[] = {", i);
  for (int k = 0; k < n; k++) buf_printf(b, "%s{%d, %d}", k ? ", " : "", x->binds[k].feed, x->binds[k].field);
  buf_str(b, "};\n");
}

static void put_actions(const Emit *e, Buf *b) {
  int n = (int)arrlen(e->prog->actions);
  if (!n) return;
  for (int i = 0; i < n; i++) put_action_lists(e, i, &e->prog->actions[i], b);
  buf_str(b, "static const DnnAction actions[] = {\n");
  for (int i = 0; i < n; i++) {
    const DnnAction *x = &e->prog->actions[i];
    bool binds = x->kind == DNN_RUN && x->binds && arrlen(e->prog->entries[x->entry].inputs);
    buf_printf(b, "    {%d, ", x->kind);
    emit_string(b, x->name);
    buf_str(b, ", ");
    emit_string(b, x->place);
    buf_printf(b, ", %d, %d, %d, ", x->first, x->n, x->unit);
    emit_int(b, x->count);
    buf_printf(b, ", %d, %d, ", x->entry, x->n_feeds);
    if (x->n_feeds) buf_printf(b, "action%d_feeds, ", i);
    else buf_str(b, "0, ");
    if (binds) buf_printf(b, "action%d_binds, ", i);
    else buf_str(b, "0, ");
    emit_string(b, x->metric);
    if (x->compare) buf_printf(b, ", '%c', ", x->compare);
    else buf_str(b, ", 0, ");
    emit_double(b, x->value);
    buf_str(b, ", ");
    emit_string(b, x->path);
    buf_str(b, ", ");
    emit_string(b, x->as);
    buf_str(b, ", ");
    emit_string(b, x->into);
    if (x->texts) buf_printf(b, ", action%d_texts},\n", i);
    else buf_str(b, ", 0},\n");
  }
  buf_str(b, "};\n");
}

/* Asks the processor, by code that runs on every one of its architecture. */
static void put_supported(const Emit *e, Buf *b) {
  buf_str(b, "\nstatic int supported(void) {\n");
  const char *s = e->target->cpu_features ? e->target->cpu_features : "";
  if (*s) {
    buf_str(b, "#if defined(__x86_64__) || defined(__i386__)\n  __builtin_cpu_init();\n  return 1");
    while (*s) {
      size_t n = strcspn(s, " ");
      if (n) buf_printf(b, " &&\n         __builtin_cpu_supports(\"%.*s\")", (int)n, s);
      s += n + (s[n] == ' ');
    }
    buf_str(b, ";\n#else\n  return 0;\n#endif\n}\n");
  } else {
    buf_str(b, "  return 1;\n}\n");
  }
}

static int put_tokens(const Prog *p, Buf *b) {
  int n = (int)arrlen(p->tokens);
  if (n) buf_str(b, "static const DnnTokens tokens[] = {\n");
  for (int i = 0; i < n; i++) {
    const DnnTokens *t = &p->tokens[i];
    buf_printf(b, "    {%d, %d, ", t->kind, t->lower);
    emit_string(b, t->name);
    buf_str(b, ", ");
    emit_string(b, t->place);
    buf_str(b, ", ");
    emit_string(b, t->from);
    buf_str(b, ", ");
    emit_string(b, t->alphabet);
    buf_str(b, ", ");
    emit_int(b, t->size);
    buf_str(b, "},\n");
  }
  if (n) buf_str(b, "};\n");
  return n;
}

void emit_program_table(Emit *e, Buf *b) {
  buf_str(b, "\nconst DnnProgram *dnn_program(void);\n\n");
  put_cells(e, b);
  put_entries(e, b);
  put_data(e, b);
  put_actions(e, b);
  put_supported(e, b);
  const Prog *p = e->prog;
  int n_tokens = put_tokens(p, b);
  buf_printf(b, "\nconst char *%s_error(const DnnContext *m);\n", e->name);
  buf_printf(b, "static const DnnProgram program = {\n    \"%s\", UINT64_C(0x%016llx), ", e->name,
             (unsigned long long)e->hash);
  emit_string(b, e->target->name);
  buf_str(b, ",\n    ");
  emit_int(b, e->cell_bytes);
  buf_str(b, ", ");
  emit_int(b, e->arena_bytes);
  buf_str(b, ", ");
  emit_int(b, e->prepared_bytes);
  buf_printf(
      b, ", %d,\n    %d, %d, %d, %d, %d, %d,\n    %s, %s, %s, %s, %d, UINT64_C(%llu), supported, %s_error, %s, %d};\n",
      EMIT_STACK_BYTES, e->target->max_threads, (int)arrlen(p->cells), e->n_entries, (int)arrlen(p->data),
      (int)arrlen(p->actions), p->n_stages, arrlen(p->cells) ? "cells" : "0", e->n_entries ? "entries" : "0",
      arrlen(p->data) ? "data" : "0", arrlen(p->actions) ? "actions" : "0", p->init, (unsigned long long)p->seed,
      e->name, n_tokens ? "tokens" : "0", n_tokens);
  buf_str(b, "\nconst DnnProgram *dnn_program(void) { return &program; }\n");
}
