/* main() of built executables.
 *
 *   EXE ENTRY --in name=file.npy … [--out DIR] [--show] [--weights W] [--threads N] [--seed N]
 *   EXE train [--data DIR] [--out DIR] [--weights W] [--epochs N] [--threads N] [--seed N] [--quiet] (-DDNN_TRAINER)
 *
 * With -DDNN_EMBEDDED the symbols dnn_embedded_weights .. dnn_embedded_weights_end hold a .dnnw file. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "runtime/core/file.h"
#include "runtime/core/run.h"
#include "runtime/core/weights.h"
#ifdef DNN_TRAINER
#include "runtime/core/folder.h"
#include "runtime/core/train.h"
#endif
#include <stdlib.h>
#include <string.h>

DnnProgramFn dnn_program;
#ifdef DNN_EMBEDDED
extern const unsigned char dnn_embedded_weights[], dnn_embedded_weights_end[];
#endif

typedef struct Options {
  const char *command, *weights, *out, *data;
  const char **in;
  int n_in, show, quiet, seed_given;
  long long threads, seed, epochs;
} Options;

static void usage(FILE *f, const char *self, const DnnProgram *p) {
  fprintf(
      f, "usage: %s ENTRY --in NAME=FILE.npy ... [--out DIR] [--show] [--weights FILE.dnnw] [--threads N] [--seed N]\n",
      self);
#ifdef DNN_TRAINER
  fprintf(f,
          "       %s train [--data DIR] [--out DIR] [--weights FILE.dnnw] [--epochs N] [--threads N] [--seed N] "
          "[--quiet]\n",
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
                                                 : NULL;
    if (!text && !number && strcmp(a, "--in")) return usage_error(argv[0], "unknown option ", a);
    if (!v) return usage_error(argv[0], "no value after ", a);
    i++;
    if (text) *text = v;
    else if (!number) o->in[o->n_in++] = v;
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
  DnnTrainOpts t = {
      .data_dir = o->data, .out_dir = o->out, .seed = (uint64_t)c->seed, .epochs = o->epochs, .quiet = o->quiet};
  DnnFolder folder;
  if (o->out) {
    if (!dnn_folder_open(&folder, p, c, o->out, e)) return 1;
    t.event = dnn_folder_event, t.user = &folder;
  }
  int status = dnn_train(p, c, &t, e);
  if (status == 1 && o->out) dnn_out_cancel(&folder.metrics);
  if (status != 1 && o->out && !dnn_folder_close(&folder, e)) status = 1;
  return status == 2 ? 130 : status;
}
#endif

int main(int argc, char **argv) {
  const DnnProgram *p = dnn_program();
  Options o = {0};
  for (int i = 1; i < argc; i++)
    if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) return usage(stdout, argv[0], p), 0;
  if (!p->supported()) {
    fprintf(stderr, "%s: this processor lacks what the target %s needs\n", argv[0], p->target);
    return 1;
  }
  o.in = calloc((size_t)argc + 1, sizeof *o.in);
  if (!o.in) return 1;
  int status = parse(&o, argc, argv);
  DnnContext c = {0};
  DnnError e = {{0}};
  if (!status && !(dnn_context_new(p, &c, (int)o.threads, &e) && fill(p, &c, &o, &e))) status = 1;
  if (!status) {
#ifdef DNN_TRAINER
    if (!strcmp(o.command, "train")) status = train(p, &c, &o, &e);
    else
#endif
    {
      DnnRunOpts r = {o.command, o.in, o.n_in, o.out, o.show};
      status = !dnn_run_entry(p, &c, &r, &e);
    }
  }
  if (status == 1) fprintf(stderr, "%s: %s\n", argv[0], e.text);
  dnn_context_free(&c);
  free(o.in);
  return status;
}
