/* dnnc summary: the table of layers of library/summary.h, as text or JSON; with --memory what the
 * entries keep in memory (library/summary_memory.h). */
#include "base/ds.h"
#include "driver/program.h"
#include "library/summary.h"
#include "library/summary_memory.h"
#include "report/memory.h"
#include <errno.h>
#include <string.h>

static void print_table(const SummaryRow *rows) {
  int width[SUMMARY_COLUMNS];
  for (int c = 0; c < SUMMARY_COLUMNS; c++) {
    width[c] = (int)strlen(summary_titles[c]);
    for (int i = 0; i < (int)arrlen(rows); i++) {
      int wide = (int)strlen(rows[i].cell[c]) + (c ? 0 : 2 * rows[i].depth);
      if (wide > width[c]) width[c] = wide;
    }
  }
  for (int i = -1; i < (int)arrlen(rows); i++) {
    for (int c = 0; c < SUMMARY_COLUMNS; c++) {
      const char *text = i < 0 ? summary_titles[c] : rows[i].cell[c];
      int indent = c || i < 0 ? 0 : 2 * rows[i].depth;
      if (c < 2) printf("%s%*s%-*s", c ? "  " : "", indent, "", width[c] - indent, text);
      else printf("  %*s", width[c], text);
    }
    putchar('\n');
  }
}

static void text_entry(Session *s, const Entry *x) {
  SummaryRow *rows = summary_rows(s->prog, x);
  printf("%s\n", summary_head(s->prog, x));
  print_table(rows);
  printf("%s multiply-adds\n\n", summary_work(s->prog, x));
  arrfree(rows);
}

static void json_dim(Session *s, Buf *b, const char *key, Dim d) {
  int64_t v;
  buf_printf(b, ", \"%s\": ", key);
  if (dim_is_int(s->prog->dims, d, &v)) buf_printf(b, "%lld", (long long)v);
  else buf_json(b, summary_dim(s->prog, d));
}

static void json_entry(Session *s, Buf *b, const Entry *x) {
  buf_str(b, "{\"name\": ");
  buf_json(b, x->name);
  buf_printf(b, ", \"kind\": \"%s\", \"layers\": [", x->kind == DNN_STEP ? "step" : "fn");
  for (int i = 0; i < (int)arrlen(x->calls); i++) {
    const Call *c = &x->calls[i];
    buf_printf(b, "%s\n    {\"depth\": %d, \"label\": ", i ? "," : "", c->depth);
    buf_json(b, c->label);
    buf_str(b, ", \"path\": ");
    if (c->path) buf_json(b, c->path);
    else buf_str(b, "null");
    buf_str(b, ", \"result\": ");
    buf_json(b, summary_type(s->prog, c->out));
    buf_printf(b, ", \"parameters\": %lld", (long long)c->params);
    json_dim(s, b, "multiply_adds", summary_multiply_adds(s->prog, c->graph, c->first, c->last));
    json_dim(s, b, "bytes", summary_bytes(s->prog, c->out));
    buf_char(b, '}');
  }
  buf_char(b, ']');
  json_dim(s, b, "multiply_adds", summary_multiply_adds(s->prog, x->graph, 1, (NodeId)arrlen(x->graph->nodes)));
  buf_char(b, '}');
}

static void print_summary(Session *s, int only, bool json) {
  Buf b = {0};
  const char *comma = "";
  if (json) {
    buf_str(&b, "{\"program\": ");
    buf_json(&b, s->prog->name);
    buf_printf(&b, ", \"parameters\": %lld, \"cell_bytes\": %lld, \"entries\": [",
               (long long)summary_parameters(s->prog), (long long)prog_layout(s->prog, NULL));
  }
  for (int i = 0; i < (int)arrlen(s->prog->entries); i++) {
    if (only >= 0 ? i != only : !summary_shows(s->prog, i)) continue;
    if (!json) {
      text_entry(s, &s->prog->entries[i]);
      continue;
    }
    buf_str(&b, comma);
    buf_str(&b, "\n  ");
    json_entry(s, &b, &s->prog->entries[i]);
    comma = ",";
  }
  if (json) printf("%s]}\n", b.s);
  else {
    printf("%lld parameters; %lld bytes with optimiser and other state\n", (long long)summary_parameters(s->prog),
           (long long)prog_layout(s->prog, NULL));
  }
  buf_free(&b);
}

/* ---- memory ---- */

static int write_file(const char *path, const Buf *b) {
  return path && file_write_atomic(path, b->s, b->n) ? program_error("%s: %s", path, strerror(errno)) : EXIT_OK;
}

static int draw_memory(const Args *a, Session *s, const int *entries, int n) {
  Buf svg = {0}, trace = {0};
  Plan **plans = arena_array(s->arena, Plan *, n + 1);
  for (int i = 0; i < n; i++) plans[i] = s->plans[entries[i]];
  memory_svg(&svg, plans, n);
  memory_trace(s, entries, n, &trace);
  int status = write_file(args_get(a, "svg", NULL), &svg);
  if (!status) status = write_file(args_get(a, "trace", NULL), &trace);
  buf_free(&svg), buf_free(&trace);
  return status;
}

static int print_memory(const Args *a, Session *s, int only) {
  bool json = args_has(a, "json");
  int *entries = NULL;
  Buf b = {0};
  for (int i = 0; i < (int)arrlen(s->prog->entries); i++) {
    int kind = s->prog->entries[i].kind;
    if (only >= 0 ? i == only : kind == DNN_STEP || kind == DNN_EXPORT) arrput(entries, i);
  }
  int n = (int)arrlen(entries);
  if (json) {
    buf_str(&b, "{\"program\": ");
    buf_json(&b, s->prog->name);
    buf_printf(&b, ", \"cell_bytes\": %lld, \"prepared_bytes\": %lld, \"max_threads\": %d, \"entries\": [",
               (long long)prog_layout(s->prog, NULL), (long long)kernels_prepared_bytes(s->kernels),
               s->target->max_threads);
  }
  for (int i = 0; i < n; i++) {
    buf_str(&b, !i ? "" : json ? ",\n  " : "\n");
    if (json) memory_json(s, entries[i], &b);
    else memory_text(s, entries[i], &b);
  }
  if (json) buf_str(&b, "]}\n");
  if (b.n) fputs(b.s, stdout);
  int status = draw_memory(a, s, entries, n);
  buf_free(&b);
  arrfree(entries);
  return status;
}

int cmd_summary(const Args *a) {
  Options o;
  Session s;
  const char *entry = args_get(a, "entry", NULL);
  bool memory = args_has(a, "memory");
  if (!program_options(a, a->operands[0], &o)) return EXIT_USAGE;
  if (!memory && (args_has(a, "svg") || args_has(a, "trace") || o.target))
    return usage_error(a, "--svg, --trace and --target belong to --memory");
  int only = -1, status = session_load(&s, &o);
  if (!status && entry) status = session_entry(&s, entry, ~0u, &only);
  if (!status && memory) status = session_lower(&s, session_default_target(true));
  if (!status && memory) status = print_memory(a, &s, only);
  else if (!status) print_summary(&s, only, args_has(a, "json"));
  return program_end(a, &s, status);
}
