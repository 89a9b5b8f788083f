/* dnnc repl: an interactive session. Each input is elaborated together with what the session holds and its value
 * computed by the reference evaluator; nothing is compiled. */
#include "base/ds.h"
#include "base/limits.h"
#include "driver/driver.h"
#include "driver/repl.h"
#include "frontend/frontend.h"
#include "frontend/library.h"
#include "passes/pipeline.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Repl {
  Arena *arena;   /* of the session */
  AskText *items; /* stb_ds: the file's text first, when there is one */
  AskStep *steps; /* stb_ds */
  int number;     /* of the input at hand, from 1 */
  uint64_t seed;
} Repl;

static void flush(Diag *d) { diag_flush(d, stderr, isatty(STDERR_FILENO) && !getenv("NO_COLOR")); }

/* A text of the session under the name "[3]". */
static AskText kept_text(Repl *r, const char *text, size_t n) {
  return (AskText){arena_printf(r->arena, "[%d]", r->number), arena_strndup(r->arena, text, n), n};
}

static bool ask(Repl *r, Arena *a, Diag *d, int fresh, Question *q, Answer *out) {
  *q = (Question){r->items, (int)arrlen(r->items), r->steps, (int)arrlen(r->steps), fresh};
  bool ok = frontend_ask(a, d, q, out);
  flush(d);
  return ok;
}

/* ---- inputs ---- */

static void declare(Repl *r, const char *text, size_t n) {
  Arena *a = arena_new();
  Diag *d = diag_new(a);
  AskText t = kept_text(r, text, n);
  const char **names = ask_names(a, d, &t);
  Question q;
  Answer answer;
  if (diag_errors(d)) {
    flush(d);
  } else {
    arrput(r->items, t);
    if (!ask(r, a, diag_new(a), 1, &q, &answer)) arrpop(r->items);
    else if (arrlen(names)) {
      fputs("declared ", stdout);
      for (int i = 0; i < (int)arrlen(names); i++) printf("%s%s", i ? ", " : "", names[i]);
      putchar('\n');
    }
  }
  arrfree(names);
  arena_free(a);
}

static int columns(const char *s) {
  int n = 0;
  for (; *s; s++) n += ((unsigned char)*s & 0xC0) != 0x80;
  return n;
}

static void print_answer(const Answer *x, const Tensor *outputs) {
  Buf b = {0};
  if (x->name) buf_printf(&b, "%s: ", x->name);
  buf_str(&b, x->type);
  if (arrlen(x->parts)) buf_str(&b, " = ");
  for (int i = 0; i < (int)arrlen(x->parts); i++) {
    buf_str(&b, x->parts[i].text);
    const char *line = b.s ? strrchr(b.s, '\n') : NULL;
    if (x->parts[i].output >= 0) repl_print_value(&b, &outputs[x->parts[i].output], columns(line ? line + 1 : b.s));
  }
  puts(b.s);
  buf_free(&b);
}

/* The value that `let NAME = …` gave becomes an input of what follows, so that it is computed once. */
static void keep_step(Repl *r, const AskStep *step, const Answer *x, const Tensor *outputs) {
  AskStep kept = *step;
  if (x->kind == ANSWER_TENSOR && x->fixed) {
    Tensor *t = arena_copy(r->arena, outputs, sizeof *outputs);
    t->data = arena_copy(r->arena, t->data, (size_t)tensor_bytes(t));
    kept = (AskStep){.name = arena_strdup(r->arena, x->name), .value = t};
  }
  arrput(r->steps, kept);
}

typedef enum What { VALUE, TYPE, SHAPE, GRAPH } What;

static void print_graph(Answer *x) {
  Entry *e = &x->prog->entries[x->entry];
  PipelineOpts o = {.stop_after = "expand"};
  if (!pipeline_graph(x->prog, e, &o)) return;
  pass_find("dce")->run(e->graph, x->prog, e);
  Buf b = {0};
  graph_print(e->graph, &b);
  fputs(b.s, stdout);
  buf_free(&b);
}

static void tell(const Answer *x, What what) {
  if (what == TYPE) puts(x->kind == ANSWER_NONE ? "none" : x->type);
  else if (x->shape) puts(x->shape);
  else fprintf(stderr, "error: that is no tensor, but %s\n", x->kind == ANSWER_NONE ? "none" : x->type);
}

static void evaluate(Repl *r, const char *text, size_t n, What what) {
  DsHeap heap = {0}, *before = ds_heap_use(&heap); /* what the compiler leaves behind is freed with it */
  Arena *a = arena_new();
  Diag *d = diag_new(a);
  Question q;
  Answer x;
  AskStep step = {.code = kept_text(r, text, n), .number = r->number};
  arrput(r->steps, step);
  bool ok = ask(r, a, d, 0, &q, &x);
  arrpop(r->steps);
  Tensor *outputs = NULL;
  Buf why = {0};
  if (ok && what == GRAPH) {
    print_graph(&x);
  } else if (ok && what != VALUE) {
    tell(&x, what);
  } else if (ok) {
    ok = repl_evaluate(a, &q, &x, r->seed, &outputs, &why);
    if (ok && x.kind != ANSWER_NONE) print_answer(&x, outputs);
    if (ok && x.keep) keep_step(r, &step, &x, outputs);
  }
  if (diag_errors(d) && ok) flush(d);
  if (!ok && why.s) fprintf(stderr, "error: %s\n", why.s);
  repl_interrupted = 0;
  buf_free(&why);
  arrfree(x.parts);
  ds_heap_use(before);
  ds_heap_free(&heap);
  arena_free(a);
}

/* ---- the session ---- */

static void forget(Repl *r) {
  arrsetlen(r->items, 0);
  arrsetlen(r->steps, 0);
}

/* A new session on a file, which must be right. Its `train` and `sweep` stay out. */
static bool load(Repl *r, const char *path) {
  Arena *a = arena_new();
  Diag *d = diag_new(a);
  Buf b = {0};
  bool ok = frontend_load(a, d, path, NULL) != NULL;
  flush(d);
  if (ok && !buf_read_file(&b, path, (size_t)limits[LIMIT_source])) {
    fprintf(stderr, "error: %s: %s\n", path, buf_read_why());
    ok = false;
  }
  if (ok) {
    forget(r);
    AskText t = {arena_strdup(r->arena, path), arena_strndup(r->arena, b.s ? b.s : "", b.n), b.n};
    arrput(r->items, t);
  }
  buf_free(&b);
  arena_free(a);
  return ok;
}

/* ---- commands ---- */

static const char help[] =
    "An expression shows its type and value; `let x = ...` keeps it. Functions, modules, constants, models and `use`\n"
    "are declared as in a file; a later one replaces an earlier one of its name. An input goes on over the next lines\n"
    "while a bracket is open. Values are computed by the reference evaluator, exactly and slowly.\n"
    "  :type EXPR       its type, without computing it     :shape EXPR   of a tensor, its sizes\n"
    "  :graph EXPR      the operations that it becomes      :dim NAME N   a size that types show by its name\n"
    "  :names           what this session has               :reset        forget it\n"
    "  :load FILE       a new session on a program          :help NAME    of the library: `:help nn.Linear`\n"
    "  :quit            or the end of the input";

static void library_help(const char *name) {
  Arena *a = arena_new();
  LibraryItem *items = library_items(a);
  const char **names = NULL;
  bool found = false;
  for (int i = 0; i < (int)arrlen(items) && !found; i++) {
    arrput(names, items[i].name);
    if (strcmp(items[i].name, name)) continue;
    found = true;
    printf("%s\n  %s\n", items[i].signature, items[i].doc);
    for (int k = 0; k < (int)arrlen(items[i].parts); k++) printf("  %s\n", items[i].parts[k]);
  }
  const char *near = found ? NULL : diag_nearest(name, names, (int)arrlen(names));
  if (!found)
    fprintf(stderr, "error: the library has no `%s`%s%s%s\n", name, near ? "; did you mean `" : "", near ? near : "",
            near ? "`?" : "");
  arrfree(names);
  for (int i = 0; i < (int)arrlen(items); i++) arrfree(items[i].parts);
  arrfree(items);
  arena_free(a);
}

static void print_names(const Repl *r) {
  for (int i = 0; i < (int)arrlen(r->items); i++) {
    Arena *a = arena_new();
    const char **names = ask_names(a, diag_new(a), &r->items[i]);
    printf("%s:", r->items[i].name);
    for (int k = 0; k < (int)arrlen(names); k++) printf("%s %s", k ? "," : "", names[k]);
    putchar('\n');
    arrfree(names);
    arena_free(a);
  }
  for (int i = 0; i < (int)arrlen(r->steps); i++) {
    const AskStep *s = &r->steps[i];
    Buf b = {0};
    if (s->value) {
      tensor_print(&b, s->value, 0);
      printf("%s: %s\n", s->name, b.s);
    } else if (s->size) {
      printf("%s: a size, %lld\n", s->name, (long long)s->size);
    } else {
      printf("%s: %.*s\n", s->code.name, (int)strcspn(s->code.text, "\n"), s->code.text);
    }
    buf_free(&b);
  }
}

static void add_size(Repl *r, const char *text) {
  char name[64];
  long long n;
  int end = 0;
  bool fits = sscanf(text, "%63[A-Za-z0-9_] %lld %n", name, &n, &end) == 2 && !text[end];
  if (!fits || !isupper((unsigned char)name[0]) || n < 1 || n > INT32_MAX) {
    fputs("error: `:dim NAME N` takes a name with a capital letter and a positive number\n", stderr);
    return;
  }
  AskStep s = {.name = arena_strdup(r->arena, name), .size = n};
  arrput(r->steps, s);
}

typedef enum Told { GO_ON, QUIT } Told;

static Told command(Repl *r, char *s) {
  static const char *const names[] = {":type", ":shape", ":graph", ":dim",  ":names",
                                      ":load", ":reset", ":help",  ":quit", ":q"};
  size_t n = strcspn(s, " \t");
  char *rest = s + n;
  while (*rest == ' ' || *rest == '\t') *rest++ = 0;
  bool wants = !strcmp(s, ":type") || !strcmp(s, ":shape") || !strcmp(s, ":graph") || !strcmp(s, ":load");
  if (wants && !*rest) fprintf(stderr, "error: `%s` what? `:help` lists the commands\n", s);
  else if (!strcmp(s, ":type")) evaluate(r, rest, strlen(rest), TYPE);
  else if (!strcmp(s, ":shape")) evaluate(r, rest, strlen(rest), SHAPE);
  else if (!strcmp(s, ":graph")) evaluate(r, rest, strlen(rest), GRAPH);
  else if (!strcmp(s, ":dim")) add_size(r, rest);
  else if (!strcmp(s, ":names")) print_names(r);
  else if (!strcmp(s, ":load")) load(r, rest);
  else if (!strcmp(s, ":reset")) forget(r);
  else if (!strcmp(s, ":help") && *rest) library_help(rest);
  else if (!strcmp(s, ":help")) puts(help);
  else if (!strcmp(s, ":quit") || !strcmp(s, ":q")) return QUIT;
  else {
    const char *near = diag_nearest(s, names, (int)(sizeof names / sizeof *names));
    fprintf(stderr, "error: there is no command `%.40s`%s%s%s; `:help` lists them\n", s, near ? "; did you mean `" : "",
            near ? near : "", near ? "`?" : "");
  }
  return GO_ON;
}

/* The input as a command's text, or NULL. */
static char *as_command(Arena *a, const Buf *b) {
  size_t i = 0, n = b->n;
  while (i < n && (b->s[i] == ' ' || b->s[i] == '\t')) i++;
  if (i == n || b->s[i] != ':') return NULL;
  while (n > i && isspace((unsigned char)b->s[n - 1])) n--;
  char *s = arena_strndup(a, b->s + i, n - i);
  for (size_t k = 0; k < n - i; k++)
    if (!s[k]) s[k] = '?';
  return s;
}

/* The first Ctrl-C ends what is being read or computed, behind the operation at hand; the second one the session. */
static void on_interrupt(int signal) {
  if (repl_interrupted) _exit(128 + signal);
  repl_interrupted = signal;
}

int cmd_repl(const Args *a) {
  int64_t seed = 0;
  if (!args_int(a, "seed", 0, INT64_MAX, &seed)) return EXIT_USAGE;
  Repl r = {.arena = arena_new(), .seed = (uint64_t)seed};
  Buf b = {0};
  arrsetcap(r.items, 16); /* made here, outside of the heaps of single inputs */
  arrsetcap(r.steps, 16);
  if (arrlen(a->operands) && !load(&r, a->operands[0])) return EXIT_PROGRAM;
  struct sigaction sa = {.sa_handler = on_interrupt};
  sigaction(SIGINT, &sa, NULL);
  Reader *reader = reader_new();
  if (reader_is_terminal(reader)) puts("dnnc repl: `:help` tells what can be typed, `:quit` ends");
  Told told = GO_ON;
  for (int got; told == GO_ON && (got = reader_next(reader, &b));) {
    if (got < 0) continue;
    r.number++;
    char *line = as_command(r.arena, &b);
    AskForm form = line ? (AskForm){0} : ask_form(b.s, b.n);
    if (line) told = command(&r, line);
    else if (form.empty) r.number--;
    else if (form.item) declare(&r, b.s, b.n);
    else evaluate(&r, b.s, b.n, VALUE);
    fflush(stdout);
  }
  reader_free(reader);
  buf_free(&b);
  arrfree(r.items);
  arrfree(r.steps);
  arena_free(r.arena);
  return EXIT_OK;
}
