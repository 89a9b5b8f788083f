/* dnnc summary: for each entry point the calls of modules and functions with the shapes they return, their trained
 * parameters, multiply-adds and the bytes of the result; totals below. Nothing is planned or compiled for it. */
#include "base/ds.h"
#include "driver/program.h"
#include <string.h>

typedef struct Row {
  char *cell[5]; /* name, shape, parameters, multiply-adds, bytes */
} Row;
enum { COLUMNS = 5 };
static const char *const titles[COLUMNS] = {"layer", "result", "parameters", "multiply-adds", "bytes"};

static char *dim_text(Session *s, Dim d) {
  Buf b = {0};
  dim_print(s->prog->dims, &b, d);
  char *text = arena_strdup(s->arena, b.s ? b.s : "0");
  buf_free(&b);
  return text;
}

/* Multiply-adds of the contractions among nodes first .. last-1 of a graph, regions left out. */
/* How often the bodies of a loop run at most; once for other ops, and for a loop without a limit. */
static Dim turns(const Graph *g, const Node *n) {
  if (n->op == OP_scan || n->op == OP_vmap) return node_dim(n, A_length);
  bool limited = n->op == OP_while && !dim_is(g->dims, node_dim(n, A_limit), -1);
  return limited ? node_dim(n, A_limit) : dim_int(g->dims, 1);
}

/* Operations of contractions; of loops as often as they run, of a branch those of its larger arm. */
static Dim contractions(DimTab *t, const Graph *g, NodeId first, NodeId last) {
  Dim sum = dim_int(t, 0);
  for (NodeId k = first; k < last && k < (NodeId)arrlen(g->nodes); k++) {
    const Node *n = graph_node(g, k);
    if (op_info[n->op].cls == CONTRACT) sum = dim_add(t, sum, node_flops(g, k));
    if (op_info[n->op].cls != REGION) continue;
    Dim body = dim_int(t, 0);
    for (int r = 0; r < (n->op == OP_custom_grad ? 1 : n->n_regions); r++) {
      Dim d = contractions(t, n->regions[r], 1, (NodeId)arrlen(n->regions[r]->nodes));
      if (n->op != OP_cond) body = dim_add(t, body, d);
      else if (dim_le(t, body, d) != DIM_NO) body = d;
    }
    sum = dim_add(t, sum, dim_mul(t, turns(g, n), body));
  }
  return sum;
}

static Dim multiply_adds(Session *s, const Graph *g, NodeId first, NodeId last) {
  return dim_floordiv(s->prog->dims, contractions(s->prog->dims, g, first, last), dim_int(s->prog->dims, 2));
}

static Dim bytes_of(Session *s, Type t) {
  if (t.dtype == TUPLE) return dim_int(s->prog->dims, 0);
  return dim_mul(s->prog->dims, type_count(s->prog->dims, t), dim_int(s->prog->dims, dtype_size(t.dtype)));
}

static char *type_text(Session *s, Type t) {
  if (t.dtype == TUPLE) return arena_strdup(s->arena, "(...)");
  Buf b = {0};
  type_print(s->prog->dims, &b, t);
  char *text = arena_strdup(s->arena, b.s);
  buf_free(&b);
  return text;
}

static int64_t trained(const Prog *p) {
  int64_t sum = 0;
  for (int i = 0; i < (int)arrlen(p->cells); i++) {
    int64_t n = 1, axis = 0;
    if (p->cells[i].kind != DNN_PARAM) continue;
    for (int k = 0; k < p->cells[i].type.rank; k++)
      n *= dim_is_int(p->dims, p->cells[i].type.shape[k], &axis) ? axis : 0;
    sum += n;
  }
  return sum;
}

static void print_table(const Row *rows) {
  int width[COLUMNS];
  for (int c = 0; c < COLUMNS; c++) {
    width[c] = (int)strlen(titles[c]);
    for (int i = 0; i < (int)arrlen(rows); i++)
      if ((int)strlen(rows[i].cell[c]) > width[c]) width[c] = (int)strlen(rows[i].cell[c]);
  }
  for (int i = -1; i < (int)arrlen(rows); i++) {
    for (int c = 0; c < COLUMNS; c++) {
      const char *text = i < 0 ? titles[c] : rows[i].cell[c];
      if (c < 2) printf("%s%-*s", c ? "  " : "", width[c], text);
      else printf("  %*s", width[c], text);
    }
    putchar('\n');
  }
}

static void text_entry(Session *s, const Entry *x) {
  Row *rows = NULL;
  for (int i = 0; i < (int)arrlen(x->calls); i++) {
    const Call *c = &x->calls[i];
    Row r = {{arena_printf(s->arena, "%*s%s%s%s%s", 2 * c->depth, "", c->label, c->path ? " (" : "",
                           c->path ? c->path : "", c->path ? ")" : ""),
              type_text(s, c->out), arena_printf(s->arena, "%lld", (long long)c->params),
              dim_text(s, multiply_adds(s, c->graph, c->first, c->last)), dim_text(s, bytes_of(s, c->out))}};
    arrput(rows, r);
  }
  printf("%s %s(", x->kind == DNN_STEP ? "step" : "fn", x->name);
  for (int i = 0; i < (int)arrlen(x->inputs); i++)
    printf("%s%s: %s", i ? ", " : "", x->inputs[i].name, type_text(s, x->inputs[i].type));
  printf(")\n");
  print_table(rows);
  Dim total = multiply_adds(s, x->graph, 1, (NodeId)arrlen(x->graph->nodes));
  printf("%s multiply-adds\n\n", dim_text(s, total));
  arrfree(rows);
}

static void json_dim(Session *s, Buf *b, const char *key, Dim d) {
  int64_t v;
  buf_printf(b, ", \"%s\": ", key);
  if (dim_is_int(s->prog->dims, d, &v)) buf_printf(b, "%lld", (long long)v);
  else buf_json(b, dim_text(s, d));
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
    buf_json(b, type_text(s, c->out));
    buf_printf(b, ", \"parameters\": %lld", (long long)c->params);
    json_dim(s, b, "multiply_adds", multiply_adds(s, c->graph, c->first, c->last));
    json_dim(s, b, "bytes", bytes_of(s, c->out));
    buf_char(b, '}');
  }
  buf_char(b, ']');
  json_dim(s, b, "multiply_adds", multiply_adds(s, x->graph, 1, (NodeId)arrlen(x->graph->nodes)));
  buf_char(b, '}');
}

/* Exports, or steps where there are none; with --entry just that one. */
static bool shown(const Session *s, int i, int only) {
  if (only >= 0) return i == only;
  int exports = 0;
  for (int k = 0; k < (int)arrlen(s->prog->entries); k++) exports += s->prog->entries[k].kind == DNN_EXPORT;
  return s->prog->entries[i].kind == (exports ? DNN_EXPORT : DNN_STEP);
}

static void print_summary(Session *s, int only, bool json) {
  Buf b = {0};
  const char *comma = "";
  if (json) {
    buf_str(&b, "{\"program\": ");
    buf_json(&b, s->prog->name);
    buf_printf(&b, ", \"parameters\": %lld, \"cell_bytes\": %lld, \"entries\": [", (long long)trained(s->prog),
               (long long)prog_layout(s->prog, NULL));
  }
  for (int i = 0; i < (int)arrlen(s->prog->entries); i++) {
    if (!shown(s, i, only)) continue;
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
    printf("%lld parameters; %lld bytes with optimiser and other state\n", (long long)trained(s->prog),
           (long long)prog_layout(s->prog, NULL));
  }
  buf_free(&b);
}

int cmd_summary(const Args *a) {
  Options o;
  Session s;
  const char *entry = args_get(a, "entry", NULL);
  if (!program_options(a, a->operands[0], &o)) return EXIT_USAGE;
  int only = -1, status = session_load(&s, &o);
  if (!status && entry) status = session_entry(&s, entry, ~0u, &only);
  if (!status) print_summary(&s, only, args_has(a, "json"));
  return program_end(a, &s, status);
}
