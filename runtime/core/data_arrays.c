/* Sources of whole arrays: CIFAR's binary batches, tensors of a weights file. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "runtime/core/ragged.h"
#include "runtime/core/weights.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

char **dnn_folder_names(const char *dir, int *n) {
  DIR *d = opendir(dir);
  char **names = NULL;
  *n = 0;
  for (struct dirent *x; d && (x = readdir(d));) {
    if (x->d_name[0] == '.') continue;
    if (*n % 256 == 0) {
      char **more = realloc(names, (size_t)(*n + 256) * sizeof *names);
      if (!more) break;
      names = more;
    }
    names[(*n)++] = strdup(x->d_name);
  }
  if (d) closedir(d);
  if (*n) qsort(names, (size_t)*n, sizeof *names, by_name);
  return names;
}

void dnn_folder_names_free(char **names, int n) {
  for (int i = 0; i < n; i++) free(names[i]);
  free(names);
}

/* ---- CIFAR (Krizhevsky, "Learning multiple layers of features from tiny images", 2009) ----
 * A record is a label (CIFAR-100: the coarse one, then the fine one) and 3072 bytes: red, green and blue planes. */
static bool is_batch(const char *name, bool test) {
  const char *end = strstr(name, ".bin");
  if (!end || (end[4] && strcmp(end + 4, ".gz"))) return false;
  return test ? !strncmp(name, "test", 4) : !strncmp(name, "data_batch", 10) || !strncmp(name, "train", 5);
}

static bool add_batch(const char *path, int labels, DnnGather *all, DnnError *e) {
  DnnBytes b;
  int64_t record = labels + 3072;
  if (!dnn_file_read_gz(path, &b, e)) return false;
  bool ok = b.size % record == 0 || dnn_fail(e, "%s: ends within record %lld: records have %lld bytes, the file %lld",
                                             path, (long long)(b.size / record), (long long)record, (long long)b.size);
  ok = ok && (dnn_gather_add(all, b.data, b.size) || dnn_fail(e, "%s: no memory", path));
  free(b.data);
  return ok;
}

static bool take_cifar(const char *dir, const DnnData *s, const DnnData *typed, DnnSet *set, int labels,
                       const DnnGather *all, DnnError *e) {
  int64_t record = labels + 3072, n = all->used / record;
  for (int i = 0; i < typed->n_fields; i++) {
    const char *name = typed->fields[i].name;
    bool image = !strcmp(name, "image");
    int at = image ? labels : !strcmp(name, "label") ? labels - 1 : !strcmp(name, "coarse") ? 0 : -1;
    int64_t shape[4] = {n, 3, 32, 32}, bytes = image ? 3072 : 1;
    DnnTensor t;
    if (at < 0)
      return dnn_fail(e, "%s: CIFAR has image, label and (CIFAR-100) coarse, but no field `%s`", s->place, name);
    if (!dnn_tensor_new(&t, DNN_U8, image ? 4 : 1, shape, e)) return false;
    for (int64_t k = 0; k < n; k++) memcpy((char *)t.data + k * bytes, all->data + k * record + at, (size_t)bytes);
    bool ok = dnn_take_tensor(dir, s, &typed->fields[i], &t, false, set, &set->fields[i], e);
    dnn_tensor_free(&t);
    if (!ok) return false;
  }
  return true;
}

bool dnn_open_cifar(DnnDataSets *d, const DnnData *s, const char *part, const DnnData *typed, DnnSet *set,
                    DnnError *e) {
  char *dir;
  int n, labels = dnn_field_named(typed, "coarse") >= 0 ? 2 : 1;
  bool test = part && !strcmp(part, "test");
  if (!dnn_data_folder(&d->opts, s->place, s->args[0].str, &dir, e)) return false;
  char **names = dnn_folder_names(dir, &n);
  DnnGather all = {0};
  bool ok = true;
  for (int i = 0; ok && i < n; i++) {
    if (!is_batch(names[i], test)) continue;
    char *path = dnn_path_join(dir, names[i]);
    ok = path ? add_batch(path, labels, &all, e) : dnn_fail(e, "no memory");
    free(path);
  }
  if (ok && !all.used) ok = dnn_fail(e, "%s: holds no %s", dir, test ? "test*.bin" : "data_batch*.bin or train*.bin");
  ok = ok && take_cifar(dir, s, typed, set, labels, &all, e);
  dnn_gather_free(&all);
  dnn_folder_names_free(names, n);
  free(dir);
  return ok;
}

/* ---- tensors of a weights file: their leading axis counts the records ---- */
bool dnn_open_tensors(DnnDataSets *d, const DnnData *s, const DnnData *typed, DnnSet *set, DnnError *e) {
  char *path;
  DnnWeights w;
  if (!dnn_data_path(&d->opts, s->place, s->args[0].str, &path, e)) return false;
  bool ok = dnn_weights_open(path, &w, e), open = ok;
  for (int i = 0; ok && i < typed->n_fields; i++) {
    const DnnDataArg *a = dnn_arg_of(s, typed->fields[i].name);
    const char *name = a ? a->str : typed->fields[i].name;
    int k = dnn_weights_find(&w, name);
    DnnTensor t;
    if (k < 0) {
      ok = dnn_fail(e, "%s: has no tensor `%s`; it holds", path, name);
      for (int j = 0; j < w.n && j < 20; j++) dnn_fail_more(e, "%s %s", j ? "," : "", w.rows[j].path);
      break;
    }
    ok = dnn_tensor_new(&t, w.rows[k].dtype, w.rows[k].rank, w.rows[k].shape, e);
    if (ok) memcpy(t.data, w.rows[k].data, (size_t)w.rows[k].bytes);
    ok = ok && dnn_take_tensor(path, s, &typed->fields[i], &t, false, set, &set->fields[i], e);
    if (k >= 0) dnn_tensor_free(&t);
  }
  if (open) dnn_weights_close(&w);
  free(path);
  return ok;
}
