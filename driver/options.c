/* The option table and everything that parses by it. Help, manual page and completion (help.c) read the same rows. */
#include "driver/driver.h"
#include "base/diag.h"
#include "base/ds.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

const Command commands[CMD_COUNT] = {
#define COMMAND(name, operands, least, most, title, text) {#name, operands, least, most, title, text, cmd_##name},
#include "driver/commands.def"
#undef COMMAND
};

#define C(name) (1u << CMD_##name)
enum {
  LOADS = C(check) | C(summary) | C(ir) | C(emit) | C(build) | C(run) | C(train) | C(eval) | C(profile) | C(tune),
  COMPILES = C(ir) | C(emit) | C(build) | C(run) | C(train) | C(eval) | C(profile),
  RUNS = C(run) | C(train) | C(eval) | C(profile),
  ALL = (1u << CMD_COUNT) - 1,
};

const Option options[] = {
    {"check", 0, NULL, "write nothing; tell which files would change", C(fmt), false},
    {"check", 0, NULL, "stop at the first NaN or infinity, with its place and operands (slow)",
     C(run) | C(train) | C(eval), false},
    {"grad", 0, NULL, "compare every gradient that the program takes with finite differences in f64", C(check), false},
    {"rows", 0, "N", "with --grad: records of a batch where their number is open; default: 4", C(check), false},
    {"json", 0, NULL, "print JSON", C(check) | C(summary) | C(train) | C(eval) | C(profile), false},
    {"entry", 'e', "NAME", "this entry point (check, ir, summary, tune: only this one)",
     C(ir) | C(run) | C(summary) | C(profile) | C(tune) | C(check), false},
    {"entry", 'e', "NAME",
     "only this entry point; those that it does not need have no code (may be given more than once)", C(emit), true},
    {"freestanding", 0, NULL,
     "for a machine without a system: one thread, of libc nothing but memcpy and its like and mathematics", C(emit),
     false},
    {"after", 0, "PASS", "stop after this pass; `--after=list` lists the passes", C(ir), false},
    {"dot", 0, NULL, "print the graph for Graphviz", C(ir), false},
    {"loops", 0, NULL, "print the loop nests of the kernels", C(ir), false},
    {"output", 'o', "PATH", "the directory (emit), executable (build), page (report) or plan (tune) to make",
     C(emit) | C(build) | C(report) | C(tune), false},
    {"train", 0, NULL, "make a trainer", C(build), false},
    {"weights", 'w', "FILE", "weights (.dnnw) to start from or to embed", C(emit) | C(build) | C(check) | RUNS, false},
    {"in", 'i', "NAME=VALUE", "an input: a .npy file, a number or a text; `run` also takes --NAME VALUE",
     C(run) | C(profile), true},
    {"out", 0, "DIR", "the directory for outputs (run) or the run folder (train, profile)",
     C(run) | C(train) | C(profile), false},
    {"data", 'd', "DIR", "where data files are looked for",
     C(train) | C(eval) | C(run) | C(build) | C(profile) | C(check), false},
    {"set", 's', "NAME=VALUE", "another value for a `const`", LOADS, true},
    {"dim", 0, "NAME=SIZE", "a value for a free dimension", LOADS, true},
    {"import", 0, "DIR", "a folder beside the program's whose files it may `use`", LOADS, true},
    {"epochs", 0, "N", "this many epochs in every stage", C(train), false},
    {"steps", 0, "N", "end the stages after N steps of all of them (profile: measure N steps of each, or N calls)",
     C(train) | C(profile), false},
    {"resume", 0, "RUN", "go on with this folder of a run or a sweep, or from a checkpoint", C(train), false},
    {"overwrite", 0, NULL, "remove the run that is in the folder of --out", C(train), false},
    {"checkpoint-every", 0, "TIME", "a checkpoint each 30s, 5m, 1h, or each N steps; default: about 30s", C(train),
     false},
    {"keep-checkpoints", 0, "K", "the newest K checkpoints stay; default: 3", C(train), false},
    {"show", 0, NULL, "draw image-like inputs in the terminal", C(run), false},
    {"quiet", 'q', NULL, "print nothing but errors", C(train) | C(eval) | C(report), false},
    {"seed", 0, "N", "another seed", C(train) | C(run) | C(repl) | C(profile) | C(check), false},
    {"threads", 'j', "N", "threads; default: one per processor", RUNS | C(tune), false},
    {"target", 't', "T", "native, x86-64-v2, x86-64-v3, x86-64-v4, aarch64 or plain", COMPILES | C(tune) | C(summary),
     false},
    {"plan", 'p', "FILE", "take the choices of this file, which `dnnc tune` wrote", COMPILES, false},
    {"memory", 0, "LIMIT",
     "all that an entry point needs stays within LIMIT bytes (500M, 2G): gradients compute values again", COMPILES,
     false},
    {"memory", 0, NULL, "print what lies in memory: parts, the arena's peak and the values alive there", C(summary),
     false},
    {"svg", 0, "FILE", "with --memory: draw the arena over the steps", C(summary), false},
    {"trace", 0, "FILE", "with --memory: write the arena over the steps for chrome://tracing or Perfetto", C(summary),
     false},
    {"seconds", 0, "S", "measure each product for about S seconds; default: 1.5", C(tune), false},
    {"units", 0, "N", "spread the kernels over at most N files", C(emit) | C(build), false},
    {"no-checks", 0, NULL, "leave out run-time checks", COMPILES, false},
    {"debug", 0, NULL, "debuggers and profilers show the program's lines (build: with debug information)",
     C(emit) | C(build) | RUNS, false},
    {"no-cache", 0, NULL, "neither read nor write the cache of compiled programs", RUNS, false},
    {"limit", 0, "NAME=N", "another limit of what a program may ask for; `--limit list` tells all of them",
     LOADS | C(fmt) | C(repl) | C(report) | C(weights), true},
    {"clear", 0, NULL, "remove all entries", C(cache), false},
    {"limit", 0, "SIZE", "keep at most SIZE bytes (500M, 2G), from now on", C(cache), false},
    {"trace", 0, "FILE", "write what each thread does in the last steps, for chrome://tracing or Perfetto", C(profile),
     false},
    {"keep", 0, "DIR", "keep the C sources in this directory", C(build), false},
    {"to", 0, "FILE", "write the weights as .npz", C(weights), false},
    {"from", 0, "FILE", "make the weights file from an .npz", C(weights), false},
    {"verify", 0, NULL, "check every invariant after each pass", COMPILES | C(tune), false},
    {"time", 0, NULL, "tell how long each phase takes", COMPILES | C(tune), false},
    {"markdown", 0, NULL, "print the whole index as Markdown", C(explain), false},
    {"man", 0, NULL, "print the manual page", C(help), false},
    {"completion", 0, NULL, "print the completion for bash", C(help), false},
    {"help", 'h', NULL, "this help", ALL, false},
};
const int option_count = (int)(sizeof options / sizeof *options);

const Command *command_find(const char *name) {
  for (int i = 0; i < CMD_COUNT; i++)
    if (!strcmp(commands[i].name, name)) return &commands[i];
  return NULL;
}

static const Option *option_of(const Command *c, const char *name, size_t n, char letter) {
  unsigned bit = 1u << (c - commands);
  for (int i = 0; i < option_count; i++) {
    const Option *o = &options[i];
    if (!(o->commands & bit)) continue;
    if (letter ? o->letter == letter : strlen(o->name) == n && !memcmp(o->name, name, n)) return o;
  }
  return NULL;
}

int unknown_option(const Args *a, const char *given) {
  const char *names[64];
  int n = 0;
  unsigned bit = 1u << (a->command - commands);
  for (int i = 0; i < option_count && n < 64; i++)
    if (options[i].commands & bit) names[n++] = options[i].name;
  char word[64];
  snprintf(word, sizeof word, "%.*s", (int)strcspn(given, "="), given + (given[0] == '-') + (given[1] == '-'));
  word[strcspn(word, "=")] = 0;
  const char *near = diag_nearest(word, names, n);
  if (near) return usage_error(a, "unknown option `%s`; did you mean `--%s`?", given, near);
  return usage_error(a, "unknown option `%s`", given);
}

static bool add_value(Args *a, const Option *o, const char *value) {
  if (!o->many && o->value && args_has(a, o->name)) {
    usage_error(a, "`--%s` is given twice", o->name);
    return false;
  }
  arrput(a->values, ((ArgValue){o, value}));
  return true;
}

/* `--NAME VALUE` of `run`: an input of the entry. */
static bool add_input(Args *a, int argc, char **argv, int *i) {
  const char *name = argv[*i] + 2;
  if (strchr(name, '=')) {
    arrput(a->named, name);
    return true;
  }
  if (*i + 1 >= argc) {
    usage_error(a, "`%s` needs a value", argv[*i]);
    return false;
  }
  const char *value = argv[++*i];
  size_t n = strlen(name) + strlen(value) + 2;
  char *s = malloc(n);
  if (!s) INTERNAL("no memory");
  snprintf(s, n, "%s=%s", name, value);
  arrput(a->named, s);
  return true;
}

/* One word that begins with a dash; takes the next word when the option needs a value. False after a message. */
static bool parse_option(Args *a, int argc, char **argv, int *i) {
  const char *w = argv[*i];
  bool is_long = w[1] == '-';
  const char *eq = is_long ? strchr(w, '=') : NULL;
  const Option *o = is_long ? option_of(a->command, w + 2, eq ? (size_t)(eq - w - 2) : strlen(w + 2), 0)
                            : option_of(a->command, NULL, 0, w[1]);
  if (!o && is_long && w[2] && !strcmp(a->command->name, "run")) return add_input(a, argc, argv, i);
  if (!o || (!is_long && w[2] && !o->value)) {
    unknown_option(a, w);
    return false;
  }
  if (!o->value) {
    if (eq) usage_error(a, "`--%s` takes no value", o->name);
    return !eq && add_value(a, o, NULL);
  }
  const char *value = eq ? eq + 1 : !is_long && w[2] ? w + 2 : NULL;
  if (!value) {
    if (*i + 1 >= argc) {
      usage_error(a, "`--%s` needs a value: --%s %s", o->name, o->name, o->value);
      return false;
    }
    value = argv[++*i];
  }
  return add_value(a, o, value);
}

bool args_list(const Args *a) {
  const char *limit = strcmp(a->command->name, "cache") ? args_get(a, "limit", "") : "";
  return !strcmp(limit, "list") || !strcmp(args_get(a, "after", ""), "list");
}

bool args_parse(Args *a, const Command *command, int argc, char **argv) {
  *a = (Args){.command = command};
  bool only_operands = false;
  for (int i = 0; i < argc; i++) {
    if (!only_operands && !strcmp(argv[i], "--")) {
      only_operands = true;
    } else if (!only_operands && argv[i][0] == '-' && argv[i][1]) {
      if (!parse_option(a, argc, argv, &i)) return false;
    } else {
      arrput(a->operands, argv[i]);
    }
  }
  if (args_has(a, "help") || args_list(a)) return true;
  int n = (int)arrlen(a->operands);
  if (n < command->min) usage_error(a, "%s is missing", command->operands);
  else if (command->max >= 0 && n > command->max) usage_error(a, "unexpected `%s`", a->operands[command->max]);
  else return true;
  return false;
}

bool args_has(const Args *a, const char *option) {
  for (int i = 0; i < (int)arrlen(a->values); i++)
    if (!strcmp(a->values[i].option->name, option)) return true;
  return false;
}

const char *args_get(const Args *a, const char *option, const char *otherwise) {
  for (int i = (int)arrlen(a->values); i-- > 0;)
    if (!strcmp(a->values[i].option->name, option)) return a->values[i].value;
  return otherwise;
}

Args args_copy(const Args *a) {
  Args copy = *a;
  copy.values = NULL;
  for (int i = 0; i < (int)arrlen(a->values); i++) arrput(copy.values, a->values[i]);
  return copy;
}

void args_add(Args *a, const char *option, const char *value) {
  const Option *o = option_of(a->command, option, strlen(option), 0);
  if (!o) INTERNAL("the command %s has no option %s", a->command->name, option);
  arrput(a->values, ((ArgValue){o, value}));
}

int args_many(const Args *a, const char *option, const char ***values) {
  *values = NULL;
  for (int i = 0; i < (int)arrlen(a->values); i++)
    if (!strcmp(a->values[i].option->name, option)) arrput(*values, a->values[i].value);
  return (int)arrlen(*values);
}

bool args_int(const Args *a, const char *option, int64_t lo, int64_t hi, int64_t *out) {
  const char *s = args_get(a, option, NULL);
  if (!s) return true;
  char *end;
  errno = 0;
  long long v = strtoll(s, &end, 10);
  if (end == s || *end || errno || v < lo || v > hi) {
    usage_error(a, "`--%s %s`: a whole number from %lld to %lld is wanted", option, s, (long long)lo, (long long)hi);
    return false;
  }
  *out = v;
  return true;
}

int usage_error(const Args *a, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  const char *name = a && a->command ? a->command->name : NULL;
  fprintf(stderr, "dnnc%s%s: ", name ? " " : "", name ? name : "");
  vfprintf(stderr, fmt, ap);
  fprintf(stderr, "\nTry `dnnc %s%s--help`.\n", name ? name : "", name ? " " : "");
  va_end(ap);
  return EXIT_USAGE;
}

int program_error(const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  fputs("dnnc: ", stderr);
  vfprintf(stderr, fmt, ap);
  fputc('\n', stderr);
  va_end(ap);
  return EXIT_PROGRAM;
}
