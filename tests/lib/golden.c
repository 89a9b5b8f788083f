#include "tests/lib/golden.h"
#include "base/ds.h"
#include "codegen/load.h"
#include "frontend/frontend.h"
#include "ir/eval.h"
#include "passes/pipeline.h"
#include "tests/lib/quick_target.h"
#include <glob.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_INPUTS = 32, MAX_TOLD = 30 };

typedef struct World {
  Arena *a;
  Buf *why;
  const char *path;
  int line, compared, told;
  bool compiled, failed;
  const char **sets; /* stb_ds: constants of the file, "d=32" */
  Prog *prog;
  Tensor *cells; /* stb_ds */
  const DnnProgram *program;
  DnnContext context;
  /* the call at hand */
  const Entry *entry;
  Tensor in[MAX_INPUTS], *outputs;
  bool pending; /* not evaluated yet: inputs may follow */
  int64_t times, first, steps;
  double tolerance, by_dtype[2];
} World;

const char *golden_path(Arena *a, const char *file) { return arena_printf(a, "%s/%s", TEST_ROOT, file); }

char **golden_files(Arena *a) {
  glob_t found;
  char **files = NULL;
  const char *root = golden_path(a, "");
  if (glob(golden_path(a, "tests/golden/*.txt"), 0, NULL, &found)) return NULL;
  for (size_t i = 0; i < found.gl_pathc; i++) {
    const char *name = found.gl_pathv[i] + strlen(root);
    if (strcmp(name, "tests/golden/ops.txt")) arrput(files, arena_strdup(a, name));
  }
  globfree(&found);
  return files;
}

static void fail(World *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void fail(World *w, const char *fmt, ...) {
  char text[1000];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  w->failed = true;
  if (w->told++ >= MAX_TOLD) return;
  buf_printf(w->why, "%s:%d: %s%s: %s\n", w->path, w->line, w->entry ? w->entry->name : "",
             w->compiled ? ", compiled" : "", text);
}

/* ---- the program ---- */

static bool compile(World *w) {
  int n = (int)arrlen(w->prog->entries);
  const Target *t = quick_target(w->a, target_find("native"));
  Plan **plans = arena_array(w->a, Plan *, n);
  Lowered **lowered = arena_array(w->a, Lowered *, n);
  KernelTable *k = kernels_new(w->a, w->prog, t);
  for (int i = 0; i < n; i++)
    if (!(plans[i] = plan_build(w->a, w->prog, &w->prog->entries[i]))) return false;
  for (int i = 0; i < n; i++) lowered[i] = lower_plan(w->a, plans[i], k);
  EmitOpts o = {.checks = true, .source = "golden.dnn"};
  EmitOut out = {0};
  Backend *backend;
  if (diag_errors(w->prog->diag) || !emit_program(w->a, w->prog, plans, lowered, k, t, &o, &out)) return false;
  w->program = backend_load(w->a, &out, t, &(LoadOpts){.no_cache = true}, &backend, w->why);
  if (!w->program) return false;
  const DnnProgram *p = w->program;
  w->context.cells = aligned_alloc(64, (size_t)((p->cell_bytes + p->arena_bytes + p->prepared_bytes + 255) / 64 * 64));
  w->context.arena = w->context.cells + (p->cell_bytes + 63) / 64 * 64;
  w->context.prepared = w->context.arena + (p->arena_bytes + 63) / 64 * 64;
  w->context.threads = 2;
  return true;
}

static void call(World *w);

static bool load(World *w, const char *file) {
  PipelineOpts opts = {.verify = true};
  Diag *d = diag_new(w->a);
  arrput(w->sets, NULL);
  w->prog = frontend_load(w->a, d, golden_path(w->a, file), &(ElabOpts){.sets = w->sets});
  bool good = w->prog;
  for (int i = 0; good && i < arrlen(w->prog->entries); i++)
    good = pipeline_graph(w->prog, &w->prog->entries[i], &opts);
  if (good && w->compiled) good = compile(w);
  if (!good) {
    diag_flush(d, stderr, 0);
    fail(w, "%s cannot be compiled", file);
    return false;
  }
  for (int i = 0; i < arrlen(w->prog->cells); i++)
    arrput(w->cells, tensor_of_type(w->a, w->prog->dims, w->prog->cells[i].type, NULL));
  w->entry = &w->prog->entries[w->prog->init];
  w->pending = true, w->times = 1;
  call(w);
  return !w->failed;
}

/* ---- calls ---- */

/* Cells as the compiled program holds them. */
static void fetch_cells(World *w) {
  for (int i = 0; i < arrlen(w->cells); i++)
    memcpy(w->cells[i].data, w->context.cells + w->program->cells[i].offset, (size_t)w->program->cells[i].bytes);
}

static void call_compiled(World *w, const int64_t *all) {
  int which = (int)(w->entry - w->prog->entries), n_vars = (int)arrlen(w->entry->vars);
  const DnnEntry *x = &w->program->entries[which];
  int64_t *vars = arena_array(w->a, int64_t, n_vars + 1);
  for (int i = 0; i < n_vars; i++) vars[i] = all[w->entry->vars[i]];
  const void *in[MAX_INPUTS];
  void **out = arena_array(w->a, void *, arrlen(w->entry->outputs) + 1);
  for (int i = 0; i < x->n_inputs; i++) in[i] = w->in[i].data;
  for (int i = 0; i < arrlen(w->entry->outputs); i++) {
    w->outputs[i] = tensor_of_type(w->a, w->prog->dims, w->entry->outputs[i].type, all);
    out[i] = w->outputs[i].data;
  }
  if (x->call(&w->context, vars, in, out)) fail(w, "%s", w->program->error_text(&w->context));
  else fetch_cells(w);
}

static void evaluate(World *w, const int64_t *all, int64_t step, int64_t steps) {
  Buf why = {0};
  EvalEnv env = {.vars = all, .inputs = w->in, .cells = w->cells, .clock = {step, steps, 0, 1}};
  if (!graph_eval(w->a, w->entry->graph, &env, w->outputs, &why)) {
    fail(w, "%s", why.s);
    w->outputs = NULL;
    buf_free(&why);
    return;
  }
  int first = w->entry->n_results + w->entry->n_reports;
  for (int i = 0; i < arrlen(w->entry->writes); i++) w->cells[w->entry->writes[i]] = w->outputs[first + i];
}

/* The call at hand, unless it is done: so many runs one after the other. */
static void call(World *w) {
  if (!w->pending) return;
  w->pending = false, w->outputs = NULL;
  int64_t *vars = arena_array(w->a, int64_t, dim_var_count(w->prog->dims) + 1);
  for (int i = 0; i < arrlen(w->entry->inputs); i++) {
    if (!w->in[i].data) {
      fail(w, "no numbers for the input %s", w->entry->inputs[i].name);
      return;
    }
    for (int k = 0; k < w->in[i].rank; k++) {
      int var = dim_as_var(w->prog->dims, w->entry->inputs[i].type.shape[k]);
      if (var >= 0) vars[var] = w->in[i].shape[k];
    }
  }
  w->outputs = arena_array(w->a, Tensor, arrlen(w->entry->graph->outputs) + 1);
  for (int64_t k = 0; k < w->times && w->outputs; k++) {
    w->context.step = w->first + k, w->context.steps = w->steps;
    if (w->compiled) call_compiled(w, vars);
    else evaluate(w, vars, w->first + k, w->steps);
  }
}

/* The call at hand becomes the entry's; the one before is done. */
static bool choose(World *w, const char *name, int64_t times, int64_t steps, int64_t first) {
  call(w);
  w->times = times, w->steps = steps, w->first = first;
  for (int i = 0; i < arrlen(w->prog->entries); i++)
    if (!strcmp(w->prog->entries[i].name, name)) {
      w->entry = &w->prog->entries[i];
      w->pending = true;
      memset(w->in, 0, sizeof w->in);
      return true;
    }
  w->entry = NULL;
  fail(w, "no entry %s", name);
  return false;
}

/* RANK SHAPE wave FIRST PACE SCALE SHIFT | list NUMBERS */
static Tensor given(World *w, DType dtype, char *s) {
  int64_t shape[MAX_RANK];
  int rank = (int)strtol(s, &s, 10), used = 0;
  for (int i = 0; i < rank; i++) shape[i] = strtol(s, &s, 10);
  Tensor given = tensor_new(w->a, dtype, rank, shape), *t = &given;
  double first, pace, scale, shift;
  bool wave = sscanf(s, " wave %lf %lf %lf %lf", &first, &pace, &scale, &shift) == 4;
  if (!wave && (sscanf(s, " list%n", &used), used)) s += used;
  for (int64_t i = 0, n = tensor_count(t); i < n; i++) {
    double v = wave ? round(1024 * (shift + scale * sin(first + pace * (double)i))) / 1024 : strtod(s, &s);
    if (dtype_is_float(t->dtype)) tensor_set(t, i, v);
    else tensor_set_int(t, i, (int64_t)v);
  }
  return given;
}

/* in NAME RANK SHAPE NUMBERS: an input of the call at hand. */
static void take_input(World *w, const char *name, char *s) {
  for (int i = 0; i < arrlen(w->entry->inputs); i++)
    if (!strcmp(w->entry->inputs[i].name, name)) {
      w->in[i] = given(w, (DType)w->entry->inputs[i].type.dtype, s);
      return;
    }
  fail(w, "no input %s", name);
}

/* weight PATH RANK SHAPE NUMBERS: a cell's new value. */
static void set_weight(World *w, const char *path, char *s) {
  for (int i = 0; i < arrlen(w->prog->cells); i++) {
    if (strcmp(w->prog->cells[i].path, path)) continue;
    Tensor t = given(w, (DType)w->cells[i].dtype, s);
    if (tensor_count(&t) != tensor_count(&w->cells[i])) break;
    w->cells[i] = t; /* the evaluator's cells may share their numbers */
    if (w->compiled) memcpy(w->context.cells + w->program->cells[i].offset, t.data, (size_t)w->program->cells[i].bytes);
    return;
  }
  fail(w, "no cell %s of this shape", path);
}

/* ---- results ---- */

static const Tensor *find(World *w, const char *kind, const char *name) {
  if (!w->outputs) return NULL; /* the call failed */
  if (!strcmp(kind, "cell")) {
    for (int i = 0; i < arrlen(w->prog->cells); i++)
      if (!strcmp(w->prog->cells[i].path, name)) return &w->cells[i];
  } else {
    int from = strcmp(kind, "report") ? 0 : w->entry->n_results;
    int to = strcmp(kind, "report") ? w->entry->n_results : w->entry->n_results + w->entry->n_reports;
    for (int i = from; i < to; i++)
      if (!strcmp(w->entry->outputs[i].name, name)) return &w->outputs[i];
    if (from + 1 == to && !strcmp(name, "y")) return &w->outputs[from];
  }
  fail(w, "no %s `%s`", kind, name);
  return NULL;
}

/* The rest of a line is the rank, the shape, and the numbers. */
static void compare(World *w, const char *kind, const char *name, char *rest) {
  const Tensor *t = find(w, kind, name);
  if (!t) return;
  int rank = (int)strtol(rest, &rest, 10);
  bool same = t->rank == rank;
  for (int i = 0; same && i < rank; i++) same = t->shape[i] == strtol(rest, &rest, 10);
  if (!same) {
    fail(w, "%s %s has another shape", kind, name);
    return;
  }
  int64_t n = tensor_count(t), where = 0;
  double worst = 0, largest = 0;
  for (int64_t i = 0; i < n; i++) {
    double want = strtod(rest, &rest), got = tensor_get(t, i), off = want == got ? 0 : fabs(want - got);
    if (isnan(want) && isnan(got)) off = 0;
    if (isfinite(want)) largest = fmax(largest, fabs(want));
    if (!(off <= worst)) worst = off, where = i;
  }
  double tolerance = strcmp(kind, "report") ? w->tolerance : fmax(w->tolerance, 2e-7); /* reports are f32 */
  w->compared++;
  if (!(worst <= tolerance * largest))
    fail(w, "%s %s: element %lld is %.17g, off by %g, the largest is %g", kind, name, (long long)where,
         tensor_get(t, where), worst, largest);
}

/* A line that belongs to a call: its inputs, results, cells and reports. */
static void check_line(World *w, char *line) {
  char kind[32], name[256];
  int used = 0;
  if (sscanf(line, "%31s %255s %n", kind, name, &used) < 2) return;
  if (!strcmp(kind, "covers")) return;
  if (!strcmp(kind, "in")) {
    if (w->pending) take_input(w, name, line + used);
    return;
  }
  call(w);
  compare(w, kind, name, line + used);
}

static bool is_word(const char *line, const char *word) {
  size_t n = strlen(word);
  return !strncmp(line, word, n) && line[n] == ' ';
}

static bool begins_block(const char *line) {
  return is_word(line, "case") || is_word(line, "call") || is_word(line, "run") || is_word(line, "tolerance");
}

/* `case NAME`: the lines behind it, for NAME_f64 and NAME_f32. Returns the index of the first line after them. */
static int check_case(World *w, char **lines, int i) {
  static const char *const dtypes[] = {"f64", "f32"};
  char name[256] = "";
  double scale = 1;
  sscanf(lines[i], "case %255s %lf", name, &scale);
  int end = i + 1;
  while (end < arrlen(lines) && !begins_block(lines[end])) end++;
  for (int d = 0; d < 2; d++) {
    w->tolerance = w->by_dtype[d] * scale, w->line = i + 1;
    if (!choose(w, arena_printf(w->a, "%s_%s", name, dtypes[d]), 1, 0, 0)) continue;
    for (int k = i + 1; k < end; k++) w->line = k + 1, check_line(w, lines[k]);
    call(w);
  }
  return end;
}

/* One line outside of a case, or a whole case. */
static int check_from(World *w, char **lines, int i) {
  char *line = lines[i], name[256] = "", kind[32] = "";
  int times = 1, steps = 1, first = 0;
  w->line = i + 1;
  if (is_word(line, "case")) return check_case(w, lines, i);
  if (sscanf(line, "%31s %255s %d %d %d", kind, name, &times, &steps, &first) < 2 || kind[0] == '#') return i + 1;
  if (!strcmp(kind, "set")) arrput(w->sets, arena_strdup(w->a, name));
  else if (!strcmp(kind, "file")) return load(w, name) ? i + 1 : (int)arrlen(lines);
  else if (!strcmp(kind, "weight")) call(w), set_weight(w, name, strstr(line, name) + strlen(name));
  else if (!strcmp(kind, "tolerance")) {
    w->by_dtype[0] = atof(name), w->by_dtype[1] = atof(line + strlen("tolerance ") + strlen(name));
    w->tolerance = w->by_dtype[0];
  } else if (!strcmp(kind, "call")) {
    size_t n = strlen(name);
    double scale = 1;
    sscanf(line, "call %*s %lf", &scale);
    w->tolerance = scale * w->by_dtype[n > 4 && !strcmp(name + n - 4, "_f32")];
    choose(w, name, 1, 0, 0);
  } else if (!strcmp(kind, "run")) {
    w->tolerance = w->by_dtype[0];
    choose(w, name, times, steps, first);
  } else check_line(w, line);
  return i + 1;
}

static char **lines_of(Arena *a, const char *file) {
  Buf text = {0};
  char **lines = NULL;
  if (!buf_read_file(&text, golden_path(a, file), 1 << 26)) return NULL;
  char *copy = arena_strndup(a, text.s, text.n);
  for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n")) arrput(lines, line);
  buf_free(&text);
  return lines;
}

bool golden_check(Arena *a, const char *file, bool compiled, int *compared, Buf *why) {
  World w = {.a = a, .why = why, .path = file, .compiled = compiled};
  char **lines = lines_of(a, file);
  if (!lines) fail(&w, "cannot be read");
  for (int i = 0; i < arrlen(lines);) i = check_from(&w, lines, i);
  call(&w);
  *compared = w.compared;
  if (!w.compared) fail(&w, "nothing is compared");
  free(w.context.cells);
  arrfree(w.cells);
  arrfree(w.sets);
  arrfree(lines);
  return !w.failed;
}

Covered *golden_covered(Arena *a) {
  Covered *covered = NULL;
  char **files = golden_files(a);
  sh_new_strdup(covered);
  for (int i = 0; i < arrlen(files); i++) {
    char **lines = lines_of(a, files[i]);
    for (int k = 0; k < arrlen(lines); k++) {
      if (!is_word(lines[k], "covers")) continue;
      for (char *name = strtok(lines[k] + strlen("covers"), " "); name; name = strtok(NULL, " ")) {
        int before = shget(covered, name);
        shput(covered, name, before + 1);
      }
    }
    arrfree(lines);
  }
  arrfree(files);
  return covered;
}
