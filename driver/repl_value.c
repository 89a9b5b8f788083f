/* Values of `dnnc repl`: the reference evaluator on the graph of an answer, and their texts. */
#include "base/ds.h"
#include "driver/repl.h"
#include "passes/pipeline.h"
#include "runtime/core/random.h"
#include "runtime/core/show.h"
#include <math.h>
#include <string.h>

enum { SHOWN = 200, START = 160, TEXT = 16384 };

/* ---- evaluation ---- */

/* Sizes by `:dim`; every other variable belongs to a signature and is solved. */
static int64_t *sizes(Arena *a, const Question *q, const Prog *prog) {
  int n = dim_var_count(prog->dims);
  int64_t *vars = arena_array(a, int64_t, n + 1);
  for (int i = 0; i < n; i++)
    for (int k = 0; k < q->n_steps; k++)
      if (q->steps[k].size && !strcmp(q->steps[k].name, dim_var_name(prog->dims, i))) vars[i] = q->steps[k].size;
  return vars;
}

static bool too_large(const Graph *g, const int64_t *vars, Buf *why) {
  double bytes = 0;
  for (NodeId n = 1; n < (NodeId)arrlen(g->nodes); n++) {
    const Node *d = graph_node(g, n);
    double count = d->type.dtype == TUPLE ? 0 : dtype_size(d->type.dtype);
    for (int k = 0; k < d->type.rank; k++) count *= (double)dim_eval(g->dims, d->type.shape[k], vars);
    bytes += count;
  }
  if (bytes <= REPL_BYTES) return false;
  buf_printf(why, "its values take %.3g bytes; the repl computes with up to 1 GiB", bytes);
  return true;
}

static bool evaluate(Arena *a, Prog *prog, Entry *x, EvalEnv *env, Tensor *out, Buf *why) {
  PipelineOpts o = {.stop_after = "expand"};
  if (!pipeline_graph(prog, x, &o)) return false;
  if (too_large(x->graph, env->vars, why)) return false;
  env->stop = &repl_interrupted;
  return graph_eval(a, x->graph, env, out, why);
}

/* The initial values of all cells. */
static bool fill_cells(Arena *a, Prog *prog, EvalEnv *env, Buf *why) {
  int n = (int)arrlen(prog->cells);
  Tensor *cells = arena_array(a, Tensor, n + 1);
  env->cells = cells;
  if (!n) return true;
  for (int i = 0; i < n; i++) cells[i] = tensor_of_type(a, prog->dims, prog->cells[i].type, env->vars);
  Entry *init = &prog->entries[prog->init];
  Tensor *made = arena_array(a, Tensor, arrlen(init->graph->outputs) + 1);
  if (!evaluate(a, prog, init, env, made, why)) return false;
  int first = init->n_results + init->n_reports;
  for (int i = 0; i < (int)arrlen(init->writes); i++) cells[init->writes[i]] = made[first + i];
  return true;
}

static void put_effect(Buf *b, const Effect *f, const Tensor *out) {
  for (int k = 0; k <= f->n_values; k++) {
    buf_str(b, f->text[k] ? f->text[k] : "");
    if (k < f->n_values) repl_print_value(b, &out[f->values[k]], 0);
  }
}

/* A `check` that does not hold. */
static bool holds(const Prog *prog, const Entry *x, const Tensor *out, Buf *why) {
  for (int i = 0; i < (int)arrlen(x->effects); i++) {
    const Effect *f = &x->effects[i];
    if (!f->is_check || tensor_get_int(&out[f->cond], 0)) continue;
    int line, col;
    diag_line_col(prog->diag, f->loc, &line, &col);
    buf_printf(why, "%s:%d:%d: check failed", diag_source_name(prog->diag, f->loc.file), line, col);
    if (f->n_values || (f->text && f->text[0] && *f->text[0])) buf_str(why, ": ");
    put_effect(why, f, out);
    return false;
  }
  return true;
}

bool repl_evaluate(Arena *a, const Question *q, Answer *answer, uint64_t seed, Tensor **outputs, Buf *why) {
  Prog *prog = answer->prog;
  Entry *x = &prog->entries[answer->entry];
  Tensor *in = arena_array(a, Tensor, q->n_steps + 1), *out = arena_array(a, Tensor, arrlen(x->graph->outputs) + 1);
  int n = 0;
  for (int i = 0; i < q->n_steps; i++)
    if (q->steps[i].value) in[n++] = *q->steps[i].value;
  EvalEnv env = {.vars = sizes(a, q, prog), .inputs = in, .clock = {0, 1, 0, dnn_call_key((int64_t)seed, 0, 0)}};
  if (!fill_cells(a, prog, &env, why) || !evaluate(a, prog, x, &env, out, why)) return false;
  *outputs = out;
  return holds(prog, x, out, why);
}

/* ---- texts ---- */

/* A row of an array begins on a line of its own, below the row before. */
static void put_rows(Buf *b, const char *s, int rank, int indent) {
  for (; *s; s++) {
    int closed = 0;
    while (s[closed] == ']') closed++;
    buf_bytes(b, s, closed ? (size_t)closed : 1);
    if (!closed) continue;
    s += closed - 1;
    if (s[1] != ',') continue;
    buf_str(b, ",\n");
    buf_fill(b, ' ', indent + rank - closed);
    s += 2; /* the comma and the blank */
  }
}

static void put_statistics(Buf *b, const Tensor *t) {
  int64_t n = tensor_count(t), odd = 0;
  double least = INFINITY, most = -INFINITY, sum = 0, squares = 0;
  for (int64_t i = 0; i < n; i++) {
    double v = tensor_get(t, i);
    if (!isfinite(v)) {
      odd++;
      continue;
    }
    least = fmin(least, v), most = fmax(most, v), sum += v;
  }
  double count = (double)(n - odd), mean = sum / count;
  for (int64_t i = 0; i < n; i++)
    if (isfinite(tensor_get(t, i))) squares += (tensor_get(t, i) - mean) * (tensor_get(t, i) - mean);
  if (odd < n)
    buf_printf(b, "  (%lld numbers: min %.6g, max %.6g, mean %.6g, deviation %.6g", (long long)n, least, most, mean,
               sqrt(squares / count));
  else buf_printf(b, "  (%lld numbers", (long long)n);
  if (odd) buf_printf(b, "; %lld are nan or infinite", (long long)odd);
  buf_char(b, ')');
}

void repl_print_value(Buf *b, const Tensor *t, int indent) {
  char text[TEXT];
  bool large = tensor_count(t) > SHOWN;
  DnnShow s = {text, large ? START : TEXT, 0};
  text[0] = 0;
  dnn_show_value(&s, t->data, (int)t->dtype, t->rank, t->shape);
  if (!large) {
    put_rows(b, text, t->rank, indent);
    return;
  }
  buf_str(b, text);
  put_statistics(b, t);
}
