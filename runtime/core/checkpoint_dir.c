/* RUN/checkpoints: names, the newest, the last good one, what is removed. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define _FILE_OFFSET_BITS 64 /* on 32-bit machines too */
#include "runtime/core/checkpoint.h"
#include "runtime/core/file.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char folder_name[] = "checkpoints";

char *dnn_checkpoint_path(const char *run, int64_t step) {
  size_t n = strlen(run) + sizeof folder_name + 40;
  char *s = malloc(n);
  if (s) snprintf(s, n, "%s/%s/%06lld.dnnc", run, folder_name, (long long)step);
  return s;
}

static int falling(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x < y) - (x > y);
}

/* The steps of all checkpoints of a run, newest first, malloc'd; NULL and *n = 0 when there are none. */
static int64_t *steps_of(const char *run, int *n) {
  char *dir = dnn_path_join(run, folder_name);
  DIR *d = dir ? opendir(dir) : NULL;
  int64_t *steps = NULL;
  *n = 0;
  for (struct dirent *x; d && (x = readdir(d));) {
    char *end;
    long long step = strtoll(x->d_name, &end, 10);
    if (end == x->d_name || strcmp(end, ".dnnc") || step < 0) continue;
    int64_t *more = realloc(steps, sizeof *more * (size_t)(*n + 1));
    if (!more) break;
    steps = more, steps[(*n)++] = step;
  }
  if (d) closedir(d);
  free(dir);
  if (steps) qsort(steps, (size_t)*n, sizeof *steps, falling);
  return steps;
}

char *dnn_checkpoint_newest(const char *run) {
  int n;
  int64_t *steps = steps_of(run, &n);
  char *path = n ? dnn_checkpoint_path(run, steps[0]) : NULL;
  free(steps);
  return path;
}

/* Adds to the text which checkpoint of the run below `step` is good. */
static void name_last_good(const char *run, int64_t below, DnnError *e) {
  int n;
  int64_t *steps = steps_of(run, &n);
  bool found = false;
  for (int i = 0; i < n && !found; i++) {
    if (below >= 0 && steps[i] >= below) continue;
    DnnCheckpoint k;
    DnnError why;
    char *path = dnn_checkpoint_path(run, steps[i]);
    found = path && dnn_checkpoint_open(path, &k, &why);
    if (found) {
      dnn_checkpoint_close(&k);
      dnn_fail_more(e, "\nthe last good checkpoint is %s, after step %lld; go on from it with --resume %s", path,
                    (long long)steps[i], path);
    }
    free(path);
  }
  free(steps);
  if (!found) dnn_fail_more(e, "\nthere is no older one that is good; begin again with --out %s --overwrite", run);
}

/* RUN of RUN/checkpoints/X, malloc'd. */
static char *run_of_file(const char *path) {
  char *s = strdup(path), *slash = s ? strrchr(s, '/') : NULL;
  if (slash) {
    *slash = 0;
    char *up = strrchr(s, '/');
    if (!strcmp(up ? up + 1 : s, folder_name)) {
      if (up) up[up == s] = 0;
      else strcpy(s, ".");
      return s;
    }
  } else if (s) { /* within the folder */
    free(s);
    return strdup("..");
  }
  free(s);
  return NULL;
}

bool dnn_checkpoint_resume(const char *run_or_file, char **run, DnnCheckpoint *k, DnnError *e) {
  struct stat st;
  memset(k, 0, sizeof *k);
  *run = NULL;
  if (stat(run_or_file, &st)) return dnn_fail(e, "%s: %s", run_or_file, strerror(errno));
  char *path;
  if (S_ISDIR(st.st_mode)) {
    *run = strdup(run_or_file), path = dnn_checkpoint_newest(run_or_file);
    if (!path) return dnn_fail(e, "%s: holds no checkpoint to go on from", run_or_file);
  } else {
    *run = run_of_file(run_or_file), path = strdup(run_or_file);
    if (!*run) {
      free(path);
      return dnn_fail(e, "%s: is neither a run folder nor one of its checkpoints, RUN/%s/STEP.dnnc", run_or_file,
                      folder_name);
    }
  }
  const char *slash = path ? strrchr(path, '/') : NULL;
  int64_t step = path ? strtoll(slash ? slash + 1 : path, NULL, 10) : 0;
  bool ok = path && *run ? dnn_checkpoint_open(path, k, e) : dnn_fail(e, "out of memory");
  if (!ok && *run) name_last_good(*run, step, e);
  free(path);
  return ok;
}

void dnn_checkpoint_prune(const char *run, int64_t newest, int keep) {
  int n, kept = 0;
  int64_t *steps = steps_of(run, &n);
  for (int i = 0; i < n; i++) {
    if (steps[i] <= newest && kept++ < keep) continue;
    char *path = dnn_checkpoint_path(run, steps[i]);
    if (path) unlink(path);
    free(path);
  }
  free(steps);
  char *all = dnn_path_join(run, folder_name), *any = all ? dnn_path_join(all, "") : NULL;
  if (any) dnn_remove_torn(any);
  free(all), free(any);
}

bool dnn_checkpoint_every(const char *text, double *seconds, int64_t *steps) {
  char *end;
  double v = strtod(text, &end);
  while (*end == ' ') end++;
  static const struct {
    const char *unit;
    double seconds;
  } units[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"", 0}, {"steps", 0}, {"step", 0}};
  for (size_t i = 0; end != text && v > 0 && v < 1e15 && i < sizeof units / sizeof *units; i++) {
    if (strcmp(end, units[i].unit)) continue;
    *seconds = v * units[i].seconds, *steps = units[i].seconds > 0 ? 0 : (int64_t)v;
    return units[i].seconds > 0 || (double)*steps == v;
  }
  return false;
}
