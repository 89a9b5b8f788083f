/* main() of built executables.
 *
 *   EXE ENTRY --in name=file.npy … [--name value …] [--out DIR] [--show] [--weights W] [--threads N] [--seed N]
 *   EXE train [--data DIR] [--out RUN] [--overwrite] [--weights W] [--epochs N] [--steps N] [--threads N] [--seed N]
 *                      [--checkpoint-every 30s] [--keep-checkpoints K] [--quiet] (-DDNN_TRAINER; with -DDNN_PICTURES it
 *                      reads PNG and JPEG files)
 *   EXE train --resume RUN [--data DIR] [--threads N] [--quiet] ...
 *
 * With -DDNN_EMBEDDED the symbols dnn_embedded_weights .. dnn_embedded_weights_end hold a .dnnw file, with
 * -DDNN_VOCABULARIES dnn_vocabularies holds those of the tokenisers at its ports. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "runtime/core/file.h"
#include "runtime/core/run.h"
#include "runtime/core/weights.h"
#ifdef DNN_TRAINER
#include "runtime/core/folder.h"
#include "runtime/core/train.h"
#include "runtime/core/vocabulary.h"
#endif
#ifdef DNN_PICTURES
#include "runtime/core/picture.h"
#endif
#include <errno.h>
#include <stdlib.h>
#include <string.h>

DnnProgramFn dnn_program;
#ifdef DNN_EMBEDDED
extern const unsigned char dnn_embedded_weights[], dnn_embedded_weights_end[];
#endif

#ifdef DNN_VOCABULARIES
extern const DnnVocabulary dnn_vocabularies[];
extern const int dnn_n_vocabularies;
#endif

typedef struct Options {
  const char *command, *weights, *out, *data;
  const char **in;
  char **made; /* "name=value" of every `--name value`: an input of the entry may have the name */
  int n_in, n_made, show, quiet, seed_given, overwrite;
  long long threads, seed, epochs, steps, keep;
  const char *resume, *every;
} Options;

static void usage(FILE *f, const char *self, const DnnProgram *p) {
  fprintf(f,
          "usage: %s ENTRY --in NAME=FILE.npy ... [--NAME VALUE ...] [--out DIR] [--show] [--weights FILE.dnnw] "
          "[--threads N] [--seed N]\n",
          self);
#ifdef DNN_TRAINER
  fprintf(f,
          "       %s train [--data DIR] [--out RUN] [--overwrite] [--weights FILE.dnnw] [--epochs N] [--steps N] "
          "[--threads N] [--seed N] [--checkpoint-every 30s] [--keep-checkpoints K] [--quiet]\n"
          "       %s train --resume RUN [--data DIR] [--threads N] [--checkpoint-every 30s] [--keep-checkpoints K] "
          "[--quiet]\n",
          self, self);
#endif
  fprintf(f, "entries of %s, compiled for %s:\n", p->name, p->target);
  dnn_list_entries(p, f);
}

static int usage_error(const char *self, const char *what, const char *which) {
  fprintf(stderr, "%s: %s%s; see --help\n", self, what, which);
  return 2;
}

static bool integer(const char *s, long long *out) {
  char *end;
  errno = 0;
  *out = strtoll(s, &end, 10);
  return *s && !*end && !errno;
}

/* "name=value" of `--name value`; 0 or an exit status. */
static int note(Options *o, const char *self, const char *name, const char *value) {
  size_t n = strlen(name) + strlen(value) + 2;
  char *s = malloc(n);
  if (!s) return usage_error(self, "no memory", "");
  snprintf(s, n, "%s=%s", name, value);
  o->made[o->n_made++] = s;
  return 0;
}

/* Fills inputs of the entry from options of their name. */
static int take_named(const DnnProgram *p, Options *o, const char *self) {
  int k = dnn_find_entry(p, o->command);
  for (int i = 0; i < o->n_made; i++) {
    bool is_input = false, given = false, is_option = false;
    size_t n = strcspn(o->made[i], "=") + 1;
    for (int j = 0; k >= 0 && j < p->entries[k].n_inputs; j++) {
      const char *name = p->entries[k].inputs[j].name;
      is_input |= strlen(name) == n - 1 && !strncmp(name, o->made[i], n - 1);
    }
    for (int j = 0; j < o->n_in; j++) given |= !strncmp(o->in[j], o->made[i], n);
    if (is_input && !given) o->in[o->n_in++] = o->made[i];
    static const char *const known[] = {"weights=", "out=",   "data=",   "threads=",          "seed=",
                                        "epochs=",  "steps=", "resume=", "checkpoint-every=", "keep-checkpoints="};
    for (size_t j = 0; j < sizeof known / sizeof *known; j++) is_option |= !strncmp(o->made[i], known[j], n);
    o->made[i][n - 1] = 0;
    if (!is_input && !is_option) return usage_error(self, "unknown option --", o->made[i]);
    if (is_input && given && !is_option) return usage_error(self, "an input is given twice: ", o->made[i]);
    o->made[i][n - 1] = '=';
  }
  return 0;
}

/* 0, or the exit status after a message. */
static int parse(Options *o, int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    const char *a = argv[i], *v = i + 1 < argc ? argv[i + 1] : NULL;
    if (a[0] != '-') {
      if (o->command) return usage_error(argv[0], "one entry at a time, not also ", a);
      o->command = a;
      continue;
    }
    if (!strcmp(a, "--show")) {
      o->show = 1;
      continue;
    }
    if (!strcmp(a, "--quiet")) {
      o->quiet = 1;
      continue;
    }
    if (!strcmp(a, "--overwrite")) {
      o->overwrite = 1;
      continue;
    }
    const char **text = !strcmp(a, "--weights")            ? &o->weights
                        : !strcmp(a, "--out")              ? &o->out
                        : !strcmp(a, "--data")             ? &o->data
                        : !strcmp(a, "--resume")           ? &o->resume
                        : !strcmp(a, "--checkpoint-every") ? &o->every
                                                           : NULL;
    long long *number = !strcmp(a, "--threads")            ? &o->threads
                        : !strcmp(a, "--seed")             ? &o->seed
                        : !strcmp(a, "--epochs")           ? &o->epochs
                        : !strcmp(a, "--steps")            ? &o->steps
                        : !strcmp(a, "--keep-checkpoints") ? &o->keep
                                                           : NULL;
    bool in = !strcmp(a, "--in");
    if (!text && !number && (a[1] != '-' || !a[2])) return usage_error(argv[0], "unknown option ", a);
    if (!v) return usage_error(argv[0], "no value after ", a);
    i++;
    if (!in && note(o, argv[0], a + 2, v)) return 2;
    if (text) *text = v;
    else if (in) o->in[o->n_in++] = v;
    else if (!number) continue;
    else if (!integer(v, number) || *number < 0) return usage_error(argv[0], "this is no number: ", v);
    if ((number == &o->threads || number == &o->keep) && *number > INT32_MAX)
      return usage_error(argv[0], "this is too large: ", v);
    if (number == &o->seed) o->seed_given = 1;
  }
  return o->command ? 0 : usage_error(argv[0], "name an entry", "");
}

/* weights("file"): in --data, else here. */
static char *find_file(void *options, const char *name) {
  const Options *o = options;
  return dnn_file_find(&o->data, 1, name);
}

static bool has_weights(const Options *o) {
#ifdef DNN_EMBEDDED
  return o != NULL;
#else
  return o->weights != NULL;
#endif
}

/* The weights of --weights, else those that are embedded. */
static bool open_given(const Options *o, DnnWeights *w, DnnError *e) {
  if (o->weights) return dnn_weights_open(o->weights, w, e);
#ifdef DNN_EMBEDDED
  return dnn_weights_open_memory("the embedded weights", dnn_embedded_weights,
                                 (int64_t)(dnn_embedded_weights_end - dnn_embedded_weights), w, e);
#else
  return false;
#endif
}

/* Initial values of what the weights that are given leave out, then the embedded weights, then those of --weights. */
static bool fill(const DnnProgram *p, DnnContext *c, Options *o, DnnError *e) {
  uint64_t seed = o->seed_given ? (uint64_t)o->seed : p->seed;
  if (!has_weights(o)) return dnn_context_init(p, c, seed, NULL, find_file, o, e);
  DnnWeights w;
  if (!open_given(o, &w, e)) return false;
  bool ok = true;
  dnn_context_init(p, c, seed, &w, find_file, o, e); /* of what it could not make the weights are there */
#ifdef DNN_EMBEDDED
  const Options inside = {0};
  DnnWeights first;
  ok = !o->weights || (open_given(&inside, &first, e) && dnn_weights_load(p, c->cells, NULL, &first, e));
  if (o->weights) dnn_weights_close(&first);
#endif
  ok = ok && dnn_weights_load(p, c->cells, NULL, &w, e);
  dnn_weights_close(&w);
  return ok;
}

#ifdef DNN_TRAINER
/* A training with its run folder. What decides the bits stands in every checkpoint as "name=value". */
typedef struct Run {
  DnnFolder folder;
  DnnCheckpoint from;
  char *dir, *settings[8];
  int n_settings;
} Run;

static void set(Run *r, const char *name, const char *value) {
  size_t n = strlen(name) + strlen(value) + 2;
  char *s = malloc(n);
  if (s) snprintf(s, n, "%s=%s", name, value), r->settings[r->n_settings++] = s;
}

static void set_number(Run *r, const char *name, long long value) {
  char text[32];
  snprintf(text, sizeof text, "%lld", value);
  set(r, name, text);
}

static void set_path(Run *r, const char *name, const char *path) {
  char *whole = path ? realpath(path, NULL) : NULL;
  if (path) set(r, name, whole ? whole : path);
  free(whole);
}

static long long number_of(const DnnCheckpoint *k, const char *name) {
  const char *text = dnn_checkpoint_setting(k, name, NULL);
  return text ? strtoll(text, NULL, 10) : 0;
}

/* --resume: everything comes from the checkpoint. */
static bool go_on(Run *r, Options *o, const DnnProgram *p, DnnError *e) {
  if (o->out || o->weights || o->seed_given || o->epochs || o->steps || o->overwrite)
    return dnn_fail(e, "--resume takes the seed, the weights and the length from the run; leave out the option");
  if (!dnn_checkpoint_resume(o->resume, &r->dir, &r->from, e) || !dnn_folder_lock(&r->folder, r->dir, e) ||
      !dnn_checkpoint_fits(&r->from, p, e))
    return false;
  o->out = r->dir, o->seed = number_of(&r->from, "seed"), o->seed_given = 1;
  o->epochs = number_of(&r->from, "epochs"), o->steps = number_of(&r->from, "steps");
  if (!o->data) o->data = dnn_checkpoint_setting(&r->from, "data", NULL);
  o->weights = dnn_checkpoint_setting(&r->from, "weights", NULL);
  return true;
}

/* Before the context is made. */
static bool run_open(Run *r, Options *o, const DnnProgram *p, DnnError *e) {
  if (o->resume ? !go_on(r, o, p, e) : o->out && !dnn_folder_new(&r->folder, o->out, o->overwrite, e)) return false;
  set_number(r, "seed", o->seed_given ? o->seed : (long long)p->seed);
  set_number(r, "epochs", o->epochs), set_number(r, "steps", o->steps);
  set_path(r, "data", o->data), set_path(r, "weights", o->weights);
  return true;
}

static bool is_drawn(const DnnProgram *p, const Options *o) {
  bool drawn = !has_weights(o);
  for (int i = 0; i < p->n_cells; i++) drawn &= !p->cells[i].load_file;
  return drawn;
}

static int run_walk(Run *r, const DnnProgram *p, DnnContext *c, const Options *o, DnnError *e) {
  DnnSaving saving = {.run = o->out,
                      .keep = (int)o->keep,
                      .drawn = is_drawn(p, o),
                      .settings = (const char *const *)r->settings,
                      .n_settings = r->n_settings,
                      .from = o->resume ? &r->from : NULL,
                      .grown = dnn_folder_grown,
                      .sound = dnn_folder_sound,
                      .user = &r->folder};
  DnnTrainOpts t = {.data_dir = o->data,
                    .out_dir = o->out,
                    .seed = (uint64_t)c->seed,
                    .epochs = o->epochs,
                    .max_steps = o->steps,
                    .quiet = o->quiet};
  if (o->every && !dnn_checkpoint_every(o->every, &saving.seconds, &saving.steps))
    return dnn_fail(e, "--checkpoint-every %s: a time such as 30s, 5m, 1h or a number of steps is wanted", o->every), 1;
  if (o->out) {
    if (!dnn_folder_start(&r->folder, p, c, saving.from, e)) return 1;
    t.event = dnn_folder_event, t.user = &r->folder, t.saving = &saving;
  }
  int status = dnn_train(p, c, &t, e);
  if (status != 1 && o->out && !dnn_folder_close(&r->folder, e)) status = 1;
  return status == 2 ? 130 : status;
}

static int train(const DnnProgram *p, DnnContext *c, Options *o, DnnError *e) {
  Run r = {.folder.lock = -1};
  int status = !run_open(&r, o, p, e) || !dnn_context_new(p, c, (int)o->threads, e);
  if (r.from.file.n) c->seed = o->seed; /* its cells are the checkpoint's */
  else status = status || !fill(p, c, o, e);
  if (!status) status = run_walk(&r, p, c, o, e);
  dnn_folder_leave(&r.folder);
  dnn_checkpoint_close(&r.from);
  for (int i = 0; i < r.n_settings; i++) free(r.settings[i]);
  free(r.dir);
  return status;
}
#endif

/* Vocabularies stand in the executable; a trainer without them reads them from its data. */
static int run(const DnnProgram *p, DnnContext *c, const Options *o, DnnError *e) {
  DnnTokenSet tokens;
  if (!dnn_tokens_new(p, &tokens, e)) return 1;
#ifdef DNN_VOCABULARIES
  tokens.held = dnn_vocabularies, tokens.n_held = dnn_n_vocabularies;
#endif
#ifdef DNN_TRAINER
  DnnDataOpts find = {o->data, NULL, 0};
  tokens.read = dnn_vocabulary_read, tokens.user = &find;
#endif
  DnnRunOpts r = {
      .entry = o->command, .in = o->in, .n_in = o->n_in, .out_dir = o->out, .show = o->show, .tokens = &tokens};
  bool ok = dnn_run_entry(p, c, &r, e);
  dnn_tokens_free(&tokens);
  return !ok;
}

static int threads_of(const DnnProgram *p, const Options *o) {
  return dnn_threads_once(p, dnn_find_entry(p, o->command), !has_weights(o), (int)o->threads);
}

int main(int argc, char **argv) {
  const DnnProgram *p = dnn_program();
  Options o = {0};
#ifdef DNN_PICTURES
  dnn_picture_codecs();
#endif
  for (int i = 1; i < argc; i++)
    if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) return usage(stdout, argv[0], p), 0;
  if (!p->supported()) {
    fprintf(stderr, "%s: this processor lacks what the target %s needs\n", argv[0], p->target);
    return 1;
  }
  o.in = calloc((size_t)argc + 1, sizeof *o.in);
  o.made = calloc((size_t)argc + 1, sizeof *o.made);
  if (!o.in || !o.made) return 1;
  int status = parse(&o, argc, argv);
  if (!status) status = take_named(p, &o, argv[0]);
  DnnContext c = {0};
  DnnError e = {{0}};
#ifdef DNN_TRAINER
  if (!status && !strcmp(o.command, "train")) status = train(p, &c, &o, &e);
  else
#endif
      if (!status)
    status = !dnn_context_new(p, &c, threads_of(p, &o), &e) || !fill(p, &c, &o, &e) ? 1 : run(p, &c, &o, &e);
  if (status == 1) fprintf(stderr, "%s: %s\n", argv[0], e.text);
  dnn_context_free(&c);
  for (int i = 0; i < o.n_made; i++) free(o.made[i]);
  free(o.in), free(o.made);
  return status;
}
