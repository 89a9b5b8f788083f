/* main() of built executables.
 *
 *   EXE ENTRY --in name=file.npy … [--name value …] [--out DIR] [--show] [--weights W] [--threads N] [--seed N]
 *   EXE train [--data DIR] [--out DIR] [--weights W] [--epochs N] [--steps N] [--threads N] [--seed N]
 *                      [--quiet] (-DDNN_TRAINER; with -DDNN_PICTURES it reads PNG and JPEG files)
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
  int n_in, n_made, show, quiet, seed_given;
  long long threads, seed, epochs, steps;
} Options;

static void usage(FILE *f, const char *self, const DnnProgram *p) {
  fprintf(f,
          "usage: %s ENTRY --in NAME=FILE.npy ... [--NAME VALUE ...] [--out DIR] [--show] [--weights FILE.dnnw] "
          "[--threads N] [--seed N]\n",
          self);
#ifdef DNN_TRAINER
  fprintf(f,
          "       %s train [--data DIR] [--out DIR] [--weights FILE.dnnw] [--epochs N] [--steps N] [--threads N] "
          "[--seed N] [--quiet]\n",
          self);
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
  *out = strtoll(s, &end, 10);
  return *s && !*end;
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
    static const char *const known[] = {"weights=", "out=", "data=", "threads=", "seed=", "epochs=", "steps="};
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
    const char **text = !strcmp(a, "--weights") ? &o->weights
                        : !strcmp(a, "--out")   ? &o->out
                        : !strcmp(a, "--data")  ? &o->data
                                                : NULL;
    long long *number = !strcmp(a, "--threads")  ? &o->threads
                        : !strcmp(a, "--seed")   ? &o->seed
                        : !strcmp(a, "--epochs") ? &o->epochs
                        : !strcmp(a, "--steps")  ? &o->steps
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
    if (number == &o->seed) o->seed_given = 1;
  }
  return o->command ? 0 : usage_error(argv[0], "name an entry", "");
}

/* weights("file"): in --data, else here. */
static char *find_file(void *options, const char *name) {
  const Options *o = options;
  return dnn_file_find(&o->data, 1, name);
}

/* Initial values, then the embedded weights, then those of --weights. */
static bool fill(const DnnProgram *p, DnnContext *c, Options *o, DnnError *e) {
  uint64_t seed = o->seed_given ? (uint64_t)o->seed : p->seed;
  bool given = o->weights != NULL;
#ifdef DNN_EMBEDDED
  given = true;
#endif
  if (!dnn_context_init(p, c, seed, find_file, o, e) && !given) return false;
  DnnWeights w;
#ifdef DNN_EMBEDDED
  if (!dnn_weights_open_memory("the embedded weights", dnn_embedded_weights,
                               (int64_t)(dnn_embedded_weights_end - dnn_embedded_weights), &w, e))
    return false;
  bool fits = dnn_weights_load(p, c->cells, NULL, &w, e);
  dnn_weights_close(&w);
  if (!fits) return false;
#endif
  if (!o->weights) return true;
  bool ok = dnn_weights_open(o->weights, &w, e) && dnn_weights_load(p, c->cells, NULL, &w, e);
  dnn_weights_close(&w);
  return ok;
}

#ifdef DNN_TRAINER
static int train(const DnnProgram *p, DnnContext *c, const Options *o, DnnError *e) {
  DnnTrainOpts t = {.data_dir = o->data,
                    .out_dir = o->out,
                    .seed = (uint64_t)c->seed,
                    .epochs = o->epochs,
                    .max_steps = o->steps,
                    .quiet = o->quiet};
  DnnFolder folder;
  if (o->out) {
    if (!dnn_folder_open(&folder, p, c, o->out, NULL, e)) return 1;
    t.event = dnn_folder_event, t.user = &folder;
  }
  int status = dnn_train(p, c, &t, e);
  if (status == 1 && o->out) dnn_folder_leave(&folder);
  if (status != 1 && o->out && !dnn_folder_close(&folder, e)) status = 1;
  return status == 2 ? 130 : status;
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
  DnnRunOpts r = {o->command, o->in, o->n_in, o->out, o->show, &tokens};
  bool ok = dnn_run_entry(p, c, &r, e);
  dnn_tokens_free(&tokens);
  return !ok;
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
  if (!status && !(dnn_context_new(p, &c, (int)o.threads, &e) && fill(p, &c, &o, &e))) status = 1;
  if (!status) {
#ifdef DNN_TRAINER
    if (!strcmp(o.command, "train")) status = train(p, &c, &o, &e);
    else
#endif
      status = run(p, &c, &o, &e);
  }
  if (status == 1) fprintf(stderr, "%s: %s\n", argv[0], e.text);
  dnn_context_free(&c);
  for (int i = 0; i < o.n_made; i++) free(o.made[i]);
  free(o.in), free(o.made);
  return status;
}
