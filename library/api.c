/* dnnc.h: handles, options, checking and compiling, diagnostics. */
#include "base/ds.h"
#include "base/trap.h"
#include "library/handle.h"
#include "runtime/core/file.h"
#include "runtime/core/tensor.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Statuses are the numbers of session.h. */
_Static_assert((int)DNNC_OK == STATUS_OK && (int)DNNC_PROGRAM == STATUS_PROGRAM && (int)DNNC_USE == STATUS_USE &&
                   (int)DNNC_STOPPED == STATUS_STOPPED,
               "the statuses are the same numbers");

const char *dnnc_version(void) { return DNNC_VERSION; }

/* ---- what every function does ---- */

dnnc_status handle_fail(dnnc_program *p, dnnc_status status, const char *fmt, ...) {
  va_list ap;
  if (!p || p->stage == HANDLE_BROKEN) return status;
  va_start(ap, fmt);
  vsnprintf(p->error, sizeof p->error, fmt, ap);
  va_end(ap);
  return status;
}

static Diag *diag_of(const dnnc_program *p) { return p->compiling ? p->m.s.diag : p->check.diag; }

dnnc_status handle_told(dnnc_program *p, const Session *s, Status status) {
  if (!status) return DNNC_OK;
  int n = s->diag ? diag_count(s->diag) : 0;
  if (s->error || !n) return handle_fail(p, (dnnc_status)status, "%s", s->error ? s->error : "stopped");
  handle_fail(p, (dnnc_status)status, "%s has %d error%s", p->o.path, n, n == 1 ? "" : "s");
  p->counted = true;
  return (dnnc_status)status;
}

dnnc_status handle_enter(dnnc_program *p, HandleStage stage) {
  if (handle_use(p) != HANDLE_FREE) return DNNC_USE;
  if (p->stage == HANDLE_BROKEN) return DNNC_INTERNAL;
  p->error[0] = 0;
  p->counted = false;
  if (p->stage == stage) return DNNC_OK;
  return handle_fail(p, DNNC_USE,
                     stage == HANDLE_OPEN ? "the program is compiled already" : "the program is not compiled");
}

/* One program at a time: the front end shares the table of names, the planner and stb_ds have static variables. */
static pthread_mutex_t compiling = PTHREAD_MUTEX_INITIALIZER;

static locale_t plain;
static void make_plain(void) { plain = newlocale(LC_ALL_MASK, "C", (locale_t)0); }
locale_t handle_locale(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, make_plain);
  return uselocale(plain);
}

/* The limits of the handle become those of the process, and the other way round. */
static void change_limits(dnnc_program *p) {
  int64_t other[LIMIT_COUNT];
  memcpy(other, limits, sizeof other);
  memcpy(limits, p->limits, sizeof other);
  memcpy(p->limits, other, sizeof other);
}

dnnc_status handle_do(dnnc_program *p, bool compiles, HandleWork *work, void *arguments) {
  Trap trap;
  if (!handle_take(p)) return DNNC_USE; /* another thread was faster */
  locale_t locale = handle_locale();
  DsHeap *heap = ds_heap_use(compiles ? &p->compiled : &p->own);
  dnnc_status status;
  if (compiles) pthread_mutex_lock(&compiling), change_limits(p);
  if (setjmp(*trap_set(&trap))) {
    handle_fail(p, DNNC_INTERNAL, "%s", trap.text);
    p->stage = HANDLE_BROKEN;
    status = DNNC_INTERNAL;
  } else {
    status = work(p, arguments);
  }
  trap_end(&trap);
  ds_heap_use(heap);
  uselocale(locale);
  if (compiles) change_limits(p), pthread_mutex_unlock(&compiling);
  handle_leave(p);
  return status;
}

/* What is wrong with a handle that cannot be used now. */
static const char *use_text(HandleUse use) {
  if (use == HANDLE_NULL) return "the handle is NULL";
  if (use == HANDLE_DEAD) return "the handle is not open";
  return "the handle is at work: for another thread, or for the listener that asks";
}

const char *dnnc_error(const dnnc_program *p) {
  HandleUse use = handle_use(p);
  return use == HANDLE_FREE ? p->error : use_text(use);
}

/* ---- a handle's life ---- */

typedef struct Opening {
  const char *name, *text;
  size_t size;
  bool is_run;
} Opening;
static dnnc_status begin(dnnc_program *p, void *arguments) {
  const Opening *o = arguments;
  p->arena = arena_new();
  p->o.quiet = true;
  p->o.path = arena_strdup(p->arena, o->name);
  if (o->is_run) p->run = p->o.path;
  if (o->text) {
    p->o.text = arena_strndup(p->arena, o->text, o->size);
    p->o.text_size = o->size;
  }
  return DNNC_OK;
}

static dnnc_program *open_handle(Opening o) {
  dnnc_program *p = calloc(1, sizeof *p);
  if (!p || !handle_live(p)) {
    free(p);
    return NULL;
  }
  pthread_mutex_lock(&compiling);
  memcpy(p->limits, limits, sizeof p->limits);
  pthread_mutex_unlock(&compiling);
  if (!handle_do(p, false, begin, &o)) return p;
  dnnc_close(p);
  return NULL;
}

dnnc_program *dnnc_open(const char *path) { return path ? open_handle((Opening){path, NULL, 0, false}) : NULL; }

dnnc_program *dnnc_open_text(const char *name, const char *text, size_t size) {
  return name && text ? open_handle((Opening){name, text, size, false}) : NULL;
}

dnnc_program *dnnc_open_run(const char *run) { return run ? open_handle((Opening){run, NULL, 0, true}) : NULL; }

void dnnc_close(dnnc_program *p) {
  if (!p || !handle_dead(p)) return;
  if (p->opened_run) resumed_close(&p->resumed);
  machine_end(&p->m);
  session_end(&p->check);
  ds_heap_free(&p->compiled);
  ds_heap_free(&p->own);
  free(p->report);
  arena_free(p->arena);
  free(p);
}

/* ---- options ---- */

typedef struct Pair {
  const char *name, *value;
  bool is_dim;
} Pair;

/* The list stays NULL-terminated. */
static dnnc_status add_pair(dnnc_program *p, void *arguments) {
  const Pair *pair = arguments;
  const char ***list = pair->is_dim ? &p->dims : &p->sets;
  if (arrlen(*list)) (void)arrpop(*list);
  arrput(*list, arena_printf(p->arena, "%s=%s", pair->name, pair->value));
  arrput(*list, NULL);
  p->o.sets = p->sets, p->o.dims = p->dims;
  return DNNC_OK;
}

static dnnc_status give(dnnc_program *p, Pair pair) {
  dnnc_status status = handle_enter(p, HANDLE_OPEN);
  if (status) return status;
  if (!pair.name || !*pair.name || strchr(pair.name, '=') || !pair.value)
    return handle_fail(p, DNNC_USE, "a name and a value are wanted");
  if (p->run) return handle_fail(p, DNNC_USE, "%s comes from the run", pair.name);
  return handle_do(p, false, add_pair, &pair);
}

dnnc_status dnnc_set(dnnc_program *p, const char *name, const char *value) {
  return give(p, (Pair){name, value, false});
}

dnnc_status dnnc_dim(dnnc_program *p, const char *name, const char *size) { return give(p, (Pair){name, size, true}); }

typedef enum OptionKind { OPTION_TEXT, OPTION_COUNT, OPTION_ON, OPTION_OFF } OptionKind;
typedef struct OptionRow {
  const char *name;
  OptionKind kind; /* OFF: the field is true when the option is off */
  size_t at;       /* in Options */
  int least, most; /* of a count */
} OptionRow;
static const OptionRow option_rows[] = {
    {"target", OPTION_TEXT, offsetof(Options, target)},
    {"plan", OPTION_TEXT, offsetof(Options, plan)},
    {"memory", OPTION_TEXT, offsetof(Options, memory)},
    {"data", OPTION_TEXT, offsetof(Options, data)},
    {"import", OPTION_TEXT, offsetof(Options, imports)},
    {"weights", OPTION_TEXT, offsetof(Options, weights)},
    {"threads", OPTION_COUNT, offsetof(Options, threads), 1, 4096},
    {"checks", OPTION_OFF, offsetof(Options, no_checks)},
    {"debug", OPTION_ON, offsetof(Options, debug)},
    {"cache", OPTION_OFF, offsetof(Options, no_cache)},
    {"check", OPTION_ON, offsetof(Options, check)},
    {"verify", OPTION_ON, offsetof(Options, verify)},
};

typedef struct OptionValue {
  const OptionRow *row;
  const char *value;
} OptionValue;
static dnnc_status keep_text(dnnc_program *p, void *arguments) {
  const OptionValue *o = arguments;
  *(const char **)((char *)&p->o + o->row->at) = arena_strdup(p->arena, o->value);
  return DNNC_OK;
}

static dnnc_status set_seed(dnnc_program *p, const char *value) {
  char *end;
  errno = 0;
  unsigned long long v = strtoull(value, &end, 10);
  if (end == value || *end || errno || *value == '-' || v > INT64_MAX)
    return handle_fail(p, DNNC_USE, "seed: a whole number is wanted, not `%s`", value);
  p->o.seed = v;
  p->o.seeded = true;
  return DNNC_OK;
}

/* "NAME=N": of this handle, but for what is read and kept while programs run, which is of the process. */
static dnnc_status set_limit(dnnc_program *p, void *arguments) {
  const char *value = arguments, *why = limit_set(value);
  if (why) return handle_fail(p, DNNC_USE, "limit: `%s`: %s", value, why);
  if (!strncmp(value, "file=", 5)) dnn_file_most = limits[LIMIT_file];
  if (!strncmp(value, "memory=", 7)) dnn_memory_most = limits[LIMIT_memory];
  return DNNC_OK;
}

dnnc_status dnnc_option(dnnc_program *p, const char *name, const char *value) {
  dnnc_status status = handle_enter(p, HANDLE_OPEN);
  if (status) return status;
  if (!name || !value) return handle_fail(p, DNNC_USE, "a name and a value are wanted");
  if (!strcmp(name, "limit")) return handle_do(p, true, set_limit, (void *)(uintptr_t)value);
  bool decides = strcmp(name, "threads") && strcmp(name, "data") && strcmp(name, "cache") && strcmp(name, "verify");
  if (p->run && decides) return handle_fail(p, DNNC_USE, "%s comes from the run", name);
  if (!strcmp(name, "seed")) return set_seed(p, value);
  const OptionRow *row = NULL;
  for (size_t i = 0; i < sizeof option_rows / sizeof *option_rows; i++)
    if (!strcmp(option_rows[i].name, name)) row = &option_rows[i];
  if (!row) return handle_fail(p, DNNC_USE, "there is no option `%s`", name);
  void *field = (char *)&p->o + row->at;
  if (row->kind == OPTION_TEXT) return handle_do(p, false, keep_text, &(OptionValue){row, value});
  if (row->kind == OPTION_COUNT) {
    char *end;
    long v = strtol(value, &end, 10);
    if (end == value || *end || v < row->least || v > row->most)
      return handle_fail(p, DNNC_USE, "%s: a number from %d to %d is wanted, not `%s`", name, row->least, row->most,
                         value);
    *(int *)field = (int)v;
    return DNNC_OK;
  }
  bool on = !strcmp(value, "on");
  if (!on && strcmp(value, "off")) return handle_fail(p, DNNC_USE, "%s is on or off, not `%s`", name, value);
  *(bool *)field = on == (row->kind == OPTION_ON);
  return DNNC_OK;
}

/* ---- checking and compiling ---- */

/* What was found before is forgotten. */
static void begin_again(dnnc_program *p) {
  if (p->opened_run) resumed_close(&p->resumed);
  p->opened_run = p->touched = false;
  machine_end(&p->m);
  session_end(&p->check);
  ds_heap_free(&p->compiled);
  memset(&p->m, 0, sizeof p->m);
  memset(&p->check, 0, sizeof p->check);
}

/* The program and options of the run, but for what may be given anew. */
static bool take_run(dnnc_program *p, Options *o) {
  p->opened_run = true;
  if (!resumed_open(&p->resumed, p->run, &p->m.error)) return false;
  *o = p->resumed.options;
  if (p->o.data) o->data = p->o.data;
  o->threads = p->o.threads, o->no_cache = p->o.no_cache, o->verify = p->o.verify, o->quiet = true;
  return true;
}

static dnnc_status check(dnnc_program *p, void *arguments) {
  Options o = p->o;
  (void)arguments;
  begin_again(p);
  p->compiling = false;
  if (p->run && !take_run(p, &o)) return handle_fail(p, DNNC_PROGRAM, "%s", p->m.error.text);
  Status status = session_load(&p->check, &o);
  if (!status) status = session_passes(&p->check, "expand"); /* later passes find nothing */
  return handle_told(p, p->compiling ? &p->m.s : &p->check, status);
}

dnnc_status dnnc_check(dnnc_program *p) {
  dnnc_status status = handle_enter(p, HANDLE_OPEN);
  return status ? status : handle_do(p, true, check, NULL);
}

/* The types of all ports as texts, which dnnc_input and dnnc_output give. */
static void write_types(dnnc_program *p) {
  const DnnProgram *program = p->m.s.program;
  p->types = arena_array(p->arena, const char **, program->n_entries + 1);
  for (int i = 0; i < program->n_entries; i++) {
    const DnnEntry *x = &program->entries[i];
    int n = x->n_inputs + x->n_results + x->n_reports;
    p->types[i] = arena_array(p->arena, const char *, n + 1);
    for (int k = 0; k < n; k++) {
      char text[600];
      p->types[i][k] = arena_strdup(p->arena, dnn_port_text(x, k, text, sizeof text));
    }
  }
}

static dnnc_status compile(dnnc_program *p, void *arguments) {
  Options o = p->o;
  begin_again(p);
  p->compiling = true;
  if (p->run && arguments)
    return handle_fail(p, DNNC_USE, "a run goes on as a whole: its entry points are not compiled alone");
  if (p->run && !take_run(p, &o)) return handle_fail(p, DNNC_PROGRAM, "%s", p->m.error.text);
  Status status = machine_load(&p->m, &o);
  p->m.from = p->run ? &p->resumed.from : NULL;
  if (!status) status = machine_compile(&p->m, arguments);
  if (status) return handle_told(p, p->compiling ? &p->m.s : &p->check, status);
  write_types(p);
  p->stage = HANDLE_COMPILED;
  p->only = arguments ? handle_entry(p, arguments) : NULL;
  return DNNC_OK;
}

dnnc_status dnnc_compile(dnnc_program *p, const char *entry) {
  dnnc_status status = handle_enter(p, HANDLE_OPEN);
  if (status) return status;
  return handle_do(p, true, compile, (void *)(uintptr_t)entry);
}

/* ---- diagnostics ---- */

int dnnc_diagnostics(const dnnc_program *p) {
  return handle_use(p) == HANDLE_FREE && diag_of(p) ? diag_count(diag_of(p)) : 0;
}

static void put_place(const Diag *d, Loc at, dnnc_diagnostic *out) {
  out->file = diag_source_name(d, at.file);
  diag_line_col(d, at, &out->line, &out->column);
  diag_line_col(d, (Loc){at.file, at.end, at.end}, &out->end_line, &out->end_column);
}

dnnc_status dnnc_get_diagnostic(dnnc_program *p, int i, int part, dnnc_diagnostic *out) {
  if (handle_use(p) != HANDLE_FREE) return DNNC_USE;
  if (!out || i < 0 || i >= dnnc_diagnostics(p)) return handle_fail(p, DNNC_USE, "there is no such diagnostic");
  Diag *d = diag_of(p);
  const DiagMessage *m = diag_message(d, i);
  if (part < 0 || part > m->n_notes + m->n_help) return handle_fail(p, DNNC_USE, "there is no such part");
  *out = (dnnc_diagnostic){.id = "", .file = ""};
  if (part == 0) {
    *out = (dnnc_diagnostic){.id = error_info[m->id].code, .text = m->text, .parts = m->n_notes + m->n_help};
    put_place(d, m->at, out);
  } else if (part <= m->n_notes) {
    out->severity = DNNC_NOTE;
    out->text = m->notes[part - 1].text;
    put_place(d, m->notes[part - 1].at, out);
  } else {
    out->severity = DNNC_HELP;
    out->text = m->help[part - 1 - m->n_notes];
  }
  return DNNC_OK;
}

typedef struct Report {
  FILE *file;
  dnnc_format format;
} Report;
static dnnc_status print_report(dnnc_program *p, void *arguments) {
  Report *r = arguments;
  Diag *d = p->stage == HANDLE_BROKEN ? NULL : diag_of(p);
  if (d && r->format == DNNC_JSON) diag_print_json(d, r->file);
  else if (d) diag_print(d, r->file, r->format == DNNC_COLOR);
  if (!*p->error || p->counted) return DNNC_OK;
  Buf b = {0};
  if (r->format == DNNC_JSON) {
    buf_str(&b, "{\"severity\":\"error\",\"message\":");
    buf_json(&b, p->error);
    buf_str(&b, "}");
  } else {
    buf_printf(&b, "dnnc: %s", p->error);
  }
  fprintf(r->file, "%s\n", b.s);
  buf_free(&b);
  return DNNC_OK;
}

const char *dnnc_report(dnnc_program *p, dnnc_format format) {
  size_t n = 0;
  if (handle_use(p) != HANDLE_FREE) return "";
  free(p->report);
  p->report = NULL;
  Report r = {open_memstream(&p->report, &n), format};
  if (!r.file) return "";
  handle_do(p, false, print_report, &r);
  fclose(r.file);
  return p->report ? p->report : "";
}
