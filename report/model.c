#include "report/report.h"
#include "base/ds.h"
#include <stdlib.h>
#include <string.h>

/* The program's file in the folder: what run.json names, else the only one. */
static const char *source_of(const Run *run) {
  const char *name = run_text(run, "program"), *found = NULL;
  const char *path = name ? run_path(run, arena_printf(run->arena, "source/%s", name)) : NULL;
  int n = 0;
  for (int i = 0; i < (int)arrlen(run->sources) && !path; i++) {
    size_t length = strlen(run->sources[i].name);
    if (length < 4 || strcmp(run->sources[i].name + length - 4, ".dnn")) continue;
    found = run_path(run, run->sources[i].name);
    n++;
  }
  return path ? path : n == 1 ? found : NULL;
}

/* The strings of an array in run.json, NULL-terminated; NULL when there is none. */
static const char *const *strings(const Run *run, const char *key) {
  json_t *list = json_object_get(run->record, key), *item;
  size_t i, n = json_array_size(list);
  const char **out = n ? arena_array(run->arena, const char *, n + 1) : NULL;
  json_array_foreach(list, i, item) out[i] = json_is_string(item) ? json_string_value(item) : "";
  return out;
}

/* The steps that the stages of the training run. */
static int *trained_entries(const Prog *p) {
  int *entries = NULL;
  for (int i = 0; i < p->n_stages; i++) {
    const DnnAction *a = &p->actions[i];
    for (int k = 0; a->kind == DNN_STAGE && k < a->n; k++) {
      const DnnAction *run = &p->actions[a->first + k];
      bool known = run->kind != DNN_RUN;
      for (int j = 0; j < (int)arrlen(entries); j++) known |= entries[j] == run->entry;
      if (!known) arrput(entries, run->entry);
    }
  }
  return entries;
}

/* Calls name nodes of the graphs as the front end made them, so passes come afterwards. */
static void take_layers(Model *m) {
  Prog *p = m->session.prog;
  for (int i = 0; i < (int)arrlen(p->entries); i++) {
    const Entry *x = &p->entries[i];
    if (!summary_shows(p, i)) continue;
    Layers l = {summary_head(p, x), summary_work(p, x), summary_rows(p, x)};
    arrput(m->layers, l);
  }
}

static bool is_bound(const Prog *p, const Entry *x) {
  for (int k = 0; k < (int)arrlen(x->vars); k++)
    if (dim_var_bound(p->dims, x->vars[k]) < 0) return false;
  return true;
}

static int by_peak(const void *a, const void *b) {
  const Plan *x = *(Plan *const *)a, *y = *(Plan *const *)b;
  return x->peak < y->peak ? 1 : x->peak > y->peak ? -1 : 0;
}

void model_read(Model *m, const Run *run, bool plans) {
  memset(m, 0, sizeof *m);
  Options o = {.path = source_of(run),
               .imports = arena_printf(run->arena, "%s/source", run->dir),
               .sets = strings(run, "set"),
               .dims = strings(run, "dim"),
               .memory = run_text(run, "memory")};
  if (!o.path) {
    m->trouble = arrlen(run->sources) ? "which of the sources is the program is not known"
                                      : "there is no source in the folder: a built trainer does not have it";
    return;
  }
  m->read = true;
  Session *s = &m->session;
  Status status = session_load(s, &o);
  if (status) {
    m->trouble = s->error ? s->error : arena_printf(run->arena, "it has errors: `dnnc check %s` tells them", o.path);
    return;
  }
  if (!plans) return;
  take_layers(m);
  if (session_passes(s, NULL)) {
    m->trouble = s->error ? s->error : "the passes found errors in it";
    return;
  }
  int *entries = trained_entries(s->prog);
  for (int i = 0; i < (int)arrlen(entries); i++) {
    const Entry *x = &s->prog->entries[entries[i]];
    Plan *p = is_bound(s->prog, x) ? plan_build(s->arena, s->prog, x) : NULL;
    if (p) arrput(m->plans, p);
  }
  arrfree(entries);
  arrsort(m->plans, by_peak);
}

void model_end(Model *m) {
  for (int i = 0; i < (int)arrlen(m->layers); i++) arrfree(m->layers[i].rows);
  arrfree(m->layers), arrfree(m->plans);
  if (m->read) session_end(&m->session);
}
