/* The front end from a file to a Prog: loading, imports, the order of elaboration. */
#include "base/cnames.h"
#include "base/trap.h"
#include "frontend/elab_priv.h"
#include "base/limits.h"
#include "frontend/train.h"
#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <string.h>

static const size_t STACK = (size_t)1 << 30;

/* --- files -------------------------------------------------------------------------------------------------------- */
static const AstName *item_name(const AstItem *it) {
  if (it->kind == AI_TRAIN || it->kind == AI_SWEEP || it->kind == AI_USE) return NULL;
  return &it->name;
}

static bool add_global(Elab *e, Scope *s, AstItem *it) {
  const AstName *name = item_name(it);
  if (!name || !name->name) return true;
  const Global *first = scope_find(s, name->name);
  if (first) {
    elab_error(e, name->loc, E0214, "`%s` is declared twice", name->name);
    elab_note(e, first->item->loc, "it is declared here first");
    return false;
  }
  Global g = {.name = name->name, .item = it};
  hmput(s->by_name, name->name, (int)arrlen(s->globals));
  arrput(s->globals, g);
  return true;
}

static Scope *scope_new(Elab *e, const char *name, const AstFile *file, bool is_std) {
  Scope *s = arena_one(e->arena, Scope);
  s->name = name;
  s->file = file;
  s->source = file->source;
  s->is_std = is_std;
  s->env = env_new(e, NULL);
  s->env->scope = s;
  s->env->fixed = true;
  arrput(e->files, s);
  for (int i = 0; i < file->n_items; i++) add_global(e, s, file->items[i]);
  return s;
}

static void load_uses(Elab *e, Scope *s);

static Scope *load_std(Elab *e, const char *name) {
  size_t n;
  for (ptrdiff_t i = 0; i < arrlen(e->files); i++)
    if (e->files[i]->is_std && strcmp(e->files[i]->name, name) == 0) return e->files[i];
  const char *text = std_source(name, &n);
  if (!text) return NULL;
  uint32_t f = diag_add_source(e->diag, arena_printf(e->arena, "std/%s.dnn", name), text, n, 1);
  int errors = diag_errors(e->diag);
  AstFile *file = parse_outline(e->arena, e->diag, f);
  if (diag_errors(e->diag) != errors) e->errors++;
  Scope *s = scope_new(e, intern(name), file, true);
  load_uses(e, s);
  return s;
}

static bool read_source(Elab *e, const char *path, Buf *b) {
  return buf_read_file(b, path, (size_t)limits[LIMIT_source]) != 0;
}

static const char *folder_of(Elab *e, const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? arena_strndup(e->arena, path, (size_t)(slash - path) + 1) : "";
}

/* Does the file lie below the folder, links followed? */
static bool lies_below(const char *file, const char *folder) {
  char *at = realpath(file, NULL), *root = realpath(*folder ? folder : ".", NULL);
  size_t n = root ? strlen(root) : 0;
  bool below = at && root && !strncmp(at, root, n) && (at[n] == '/' || (n && root[n - 1] == '/'));
  free(at), free(root);
  return below;
}

/* A program must not make dnnc read, and show in messages, files that its user never meant. */
static bool may_use(Elab *e, const char *file) {
  if (lies_below(file, folder_of(e, e->main ? e->main->name : ""))) return true;
  for (const char *const *p = e->opts ? e->opts->path : NULL; p && *p; p++)
    if (lies_below(file, *p)) return true;
  return false;
}

/* A file of the user; `path` as it was written. Reports what cannot be read and cycles. */
Scope *elab_load(Elab *e, const char *path, Loc at, bool is_std) {
  Buf b = {0};
  if (is_std) return load_std(e, path);
  const char *from = at.file ? diag_source_name(e->diag, at.file) : "";
  const char *full = path[0] == '/' ? path : arena_printf(e->arena, "%s%s", folder_of(e, from), path);
  bool ok = read_source(e, full, &b);
  const char *why = ok ? NULL : arena_strdup(e->arena, buf_read_why());
  for (const char *const *p = e->opts ? e->opts->path : NULL; !ok && p && *p; p++) {
    full = arena_printf(e->arena, "%s/%s", *p, path);
    ok = read_source(e, full, &b);
  }
  if (!ok) {
    elab_error(e, at, E0001, "cannot read `%s`: %s", path, why);
    return NULL;
  }
  if (!may_use(e, full)) {
    buf_free(&b);
    elab_error(e, at, E0216, "the file `%s` lies outside of the program's folder", path);
    elab_help(e, "`--import DIR` allows the files of another folder");
    return NULL;
  }
  const char *name = intern(full);
  for (ptrdiff_t i = 0; i < arrlen(e->files); i++) {
    Scope *s = e->files[i];
    if (s->is_std || strcmp(s->name, name) != 0) continue;
    buf_free(&b);
    if (!s->loading) return s;
    elab_error(e, at, E0215, "the file `%s` uses itself, through this chain of imports", path);
    for (ptrdiff_t k = i + 1; k < arrlen(e->files); k++)
      if (e->files[k]->loading && e->files[k]->used_at.file)
        elab_note(e, e->files[k]->used_at, "`%s` is used here", e->files[k]->name);
    return NULL;
  }
  char *text = arena_strndup(e->arena, b.s ? b.s : "", b.n);
  uint32_t f = diag_add_source(e->diag, name, text, b.n, 0);
  buf_free(&b);
  int errors = diag_errors(e->diag);
  AstFile *file = parse_file(e->arena, e->diag, f);
  Scope *s = scope_new(e, name, file, false);
  s->used_at = at;
  if (diag_errors(e->diag) != errors) e->errors++;
  s->loading = true;
  load_uses(e, s);
  s->loading = false;
  return s;
}

static void use_one(Elab *e, Scope *s, const AstUse *u) {
  Value *v = arena_one(e->arena, Value);
  v->kind = V_SPACE;
  v->s = u->name.name;
  v->loc = u->loc;
  v->scope = u->file ? elab_load(e, u->file, u->loc, false) : load_std(e, u->name.name);
  if (!v->scope) {
    if (u->file) return;
    if (!native_space(e, u->name.name)) {
      elab_error(e, u->loc, E0213, "there is no namespace `%s` in the library", u->name.name);
      static const char *const known[] = {"nn",     "init", "loss",    "optim",  "metric", "source",
                                          "tokens", "tree", "augment", "sample", "plot",   "search"};
      const char *near = diag_nearest(u->name.name, known, (int)(sizeof known / sizeof *known));
      if (near) elab_help(e, "did you mean `%s`?", near);
      else elab_help(e, "a file is used as `use \"%s.dnn\" as %s`", u->name.name, u->name.name);
      return;
    }
  }
  for (ptrdiff_t i = 0; i < arrlen(s->uses); i++)
    if (s->uses[i].name == u->name.name) {
      elab_error(e, u->loc, E0214, "`%s` is used twice", u->name.name);
      elab_note(e, s->uses[i].loc, "it is used here first");
      return;
    }
  arraddnptr(s->uses, 1);
  arrlast(s->uses).name = u->name.name;
  arrlast(s->uses).v = v;
  arrlast(s->uses).loc = u->loc;
}

static void load_uses(Elab *e, Scope *s) {
  for (int i = 0; i < s->file->n_items; i++)
    for (int k = 0; k < s->file->items[i]->n_uses; k++) use_one(e, s, &s->file->items[i]->uses[k]);
}

/* --- order of elaboration ----------------------------------------------------------------------------------------- */
static void check_sets(Elab *e) {
  for (const char *const *o = e->opts ? e->opts->sets : NULL; o && *o; o++) {
    size_t n = strcspn(*o, "=");
    bool found = false;
    const char **names = NULL;
    for (ptrdiff_t i = 0; i < arrlen(e->main->globals); i++) {
      Global *g = &e->main->globals[i];
      if (g->item->kind != AI_CONST) continue;
      found |= strlen(g->name) == n && strncmp(g->name, *o, n) == 0;
      arrput(names, g->name);
    }
    if (!found) {
      const char *wrong = arena_strndup(e->arena, *o, n);
      elab_error(e, (Loc){0}, E0407, "`--set %s`: the file has no constant `%s`", *o, wrong);
      const char *near = diag_nearest(wrong, names, (int)arrlen(names));
      if (near) elab_help(e, "did you mean `%s`?", near);
    }
    arrfree(names);
  }
}

/* `--dim B=8`: a positive bound of a size that some signature has. */
static void check_dims(Elab *e) {
  for (const char *const *o = e->opts ? e->opts->dims : NULL; o && *o; o++) {
    size_t n = strcspn(*o, "=");
    char *end = NULL;
    long long bound = (*o)[n] ? strtoll(*o + n + 1, &end, 10) : 0;
    if (bound < 1 || bound > INT64_MAX >> 1 || *end) {
      elab_error(e, (Loc){0}, E0901, "`--dim %s`: write a name, `=` and a positive bound", *o);
      continue;
    }
    bool found = false;
    for (int i = 0; i < dim_var_count(e->dims); i++) {
      const char *name = dim_var_name(e->dims, i);
      found |= strlen(name) == n && strncmp(name, *o, n) == 0;
    }
    if (!found) elab_error(e, (Loc){0}, E0901, "`--dim %s`: no entry point has a size `%.*s`", *o, (int)n, *o);
  }
}

void elab_close_init(Elab *e) {
  trace_close(e, e->init);
  e->prog->entries[e->prog->init] = *e->init->entry;
}

static bool was_stepped(Elab *e, const AstFn *f) {
  for (ptrdiff_t i = 0; i < arrlen(e->stepped); i++)
    if (e->stepped[i] == f) return true;
  return false;
}

static void elaborate(Elab *e) {
  const AstFile *file = e->main->file;
  const AstItem *train = NULL;
  for (int i = 0; i < file->n_items; i++)
    if (file->items[i]->kind == AI_MODEL || file->items[i]->kind == AI_STATE) declare_model(e, e->main, file->items[i]);
  for (int i = 0; i < file->n_items; i++) {
    const AstItem *it = file->items[i];
    if (it->kind == AI_CONST || it->kind == AI_DATA) elab_global(e, e->main, it->name.name, it->name.loc);
  }
  for (int i = 0; i < file->n_items; i++) {
    const AstItem *it = file->items[i];
    if (it->kind != AI_TRAIN) continue;
    train = it;
    train_elaborate(e, it);
  }
  for (int i = 0; i < file->n_items; i++)
    if (file->items[i]->kind == AI_SWEEP) train_sweep(e, file->items[i]);
  if (train) train_check_metrics(e);
  for (int i = 0; i < file->n_items; i++) {
    const AstItem *it = file->items[i];
    if (it->kind != AI_STEP && it->kind != AI_FN) continue;
    if (it->kind == AI_FN && it->fn->exported) elab_export_entry(e, it->fn);
    if (it->kind == AI_STEP && it->fn->exported && !was_stepped(e, it->fn)) elab_export_entry(e, it->fn);
    else if (it->kind == AI_STEP && !was_stepped(e, it->fn)) elab_check_step(e, it->fn, !train);
  }
  elab_close_init(e);
}

/* The file's name as a C identifier; `exp.dnn` and `for.dnn` are m_exp and m_for. */
static const char *prog_name(Elab *e, const char *path) {
  const char *base = strrchr(path, '/');
  base = base ? base + 1 : path;
  size_t n = strcspn(base, ".");
  char *s = arena_printf(e->arena, "%s%.*s", isdigit((unsigned char)base[0]) || n == 0 ? "m" : "", (int)n, base);
  for (char *p = s; *p; p++)
    if (!isalnum((unsigned char)*p)) *p = '_';
  return c_is_word(s) || c_is_global(s) ? arena_printf(e->arena, "m_%s", s) : s;
}

static void start_traces(Elab *e) {
  Entry empty = {0};
  e->init = trace_new(e, T_INIT, "init", (Loc){0});
  e->trace = e->init;
  e->prog->init = (int)arrlen(e->prog->entries);
  arrput(e->prog->entries, empty);
}

void natives_register(Elab *e) {
  natives_math(e);
  natives_shape(e);
  natives_reduce(e);
  natives_nn(e);
  natives_call(e);
  natives_random(e);
  natives_tree(e);
  natives_static(e);
  natives_einsum(e);
}

void elab_open_main(Elab *e, const char *name, const AstFile *file) {
  e->main = scope_new(e, name, file, false);
  e->main->is_main = true;
  e->main->loading = true;
  load_uses(e, e->main);
  e->main->loading = false;
}

/* A text and what it is called. */
typedef struct Text {
  const char *path, *text;
  size_t n;
} Text;

static void elaborate_text(Elab *e, void *p) {
  const Text *t = p;
  uint32_t f = diag_add_source(e->diag, t->path, t->text, t->n, 0);
  AstFile *file = parse_file(e->arena, e->diag, f);
  if (diag_errors(e->diag)) return;
  elab_open_main(e, intern(t->path), file);
  if (e->errors || diag_errors(e->diag)) return;
  check_sets(e);
  elaborate(e);
  check_dims(e);
}

typedef struct Job {
  Elab *e;
  ElabWork *work;
  void *p;
  DsHeap *heap; /* of the caller, whose thread it is otherwise */
  locale_t locale;
  bool trapped, sprung; /* the caller has set a trap; it has to spring */
  Trap trap;
} Job;

static void run(Job *j) {
  Elab *e = j->e;
  e->stack_base = __builtin_frame_address(0);
  start_traces(e);
  natives_register(e);
  data_register(e);
  e->prelude = load_std(e, "prelude");
  if (!e->errors) j->work(e, j->p);
}

/* In a thread of its own, with the heap, the numbers and, when there is one, the trap of the caller. */
static void *run_thread(void *p) {
  Job *j = p;
  ds_heap_use(j->heap);
  uselocale(j->locale);
  if (!j->trapped) {
    run(j);
  } else {
    j->sprung = setjmp(*trap_set(&j->trap)) != 0;
    if (!j->sprung) run(j);
    trap_end(&j->trap);
  }
  return NULL;
}

Elab *elab_new(Arena *a, Diag *d, const char *path, const ElabOpts *o) {
  Elab *e = arena_one(a, Elab);
  e->arena = a;
  e->diag = d;
  e->opts = o;
  e->dims = dimtab_new(a);
  e->fuel = limits[LIMIT_steps];
  e->prog = arena_one(a, Prog);
  *e->prog = (Prog){.arena = a, .dims = e->dims, .diag = d, .name = prog_name(e, path)};
  e->poison = arena_one(a, Value);
  e->none = arena_one(a, Value);
  e->none->kind = V_NONE;
  e->yes = arena_one(a, Value);
  e->yes->kind = V_BOOL;
  e->yes->b = true;
  e->no = arena_one(a, Value);
  e->no->kind = V_BOOL;
  sh_new_arena(e->natives);
  return e;
}

/* Elaboration follows the nesting of the program, so it gets a stack of its own that is large; what is deeper still is
 * reported. */
bool elab_run(Elab *e, ElabWork *work, void *p) {
  Job j = {.e = e, .work = work, .p = p};
  pthread_t t;
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  e->stack_size = STACK - (16 << 20);
  j.heap = ds_heap_use(NULL);
  ds_heap_use(j.heap);
  j.locale = uselocale((locale_t)0);
  j.trapped = trap_is_set();
  bool big = pthread_attr_setstacksize(&attr, STACK) == 0 && pthread_create(&t, &attr, run_thread, &j) == 0;
  if (big) {
    pthread_join(t, NULL);
    if (j.sprung) trap_spring(j.trap.text);
  } else {
    e->stack_size = 4 << 20;
    run(&j);
  }
  pthread_attr_destroy(&attr);
  return !diag_errors(e->diag) && !e->errors;
}

Prog *frontend_load_text(Arena *a, Diag *d, const char *name, const char *text, size_t n, const ElabOpts *o) {
  Elab *e = elab_new(a, d, name, o);
  Text t = {name, text, n};
  return elab_run(e, elaborate_text, &t) ? e->prog : NULL;
}

Prog *frontend_load(Arena *a, Diag *d, const char *path, const ElabOpts *o) {
  Buf b = {0};
  if (!buf_read_file(&b, path, (size_t)limits[LIMIT_source])) {
    diag_error(d, (Loc){0}, E0001, "cannot read `%s`: %s", path, buf_read_why());
    return NULL;
  }
  const char *text = arena_strndup(a, b.s ? b.s : "", b.n);
  size_t n = b.n;
  buf_free(&b);
  return frontend_load_text(a, d, path, text, n, o);
}
