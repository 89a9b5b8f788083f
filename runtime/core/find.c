/* Where files that a program names are. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define _FILE_OFFSET_BITS 64 /* on 32-bit machines too */
#include "runtime/core/data.h"
#include "runtime/core/file.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool is_there(const char *path, bool dir) {
  struct stat st;
  return dir ? stat(path, &st) == 0 && S_ISDIR(st.st_mode) : dnn_file_exists(path);
}

/* dir/name, and for files the same with .gz added or taken away. */
static char *try_dir(const char *dir, const char *name, bool folder) {
  char *path = dnn_path_join(dir, name);
  if (path && is_there(path, folder)) return path;
  size_t n = path ? strlen(path) : 0;
  char *other = folder ? NULL : malloc(n + 4);
  if (other && path) {
    bool gz = n > 3 && !strcmp(path + n - 3, ".gz");
    memcpy(other, path, n + 1);
    if (gz) other[n - 3] = 0;
    else memcpy(other + n, ".gz", 4);
    if (dnn_file_exists(other)) {
      free(path);
      return other;
    }
  }
  free(other);
  free(path);
  return NULL;
}

static char *find(const DnnDataOpts *o, const char *name, bool dir) {
  char *path = NULL;
  const char *slash = strchr(name, '/');
  if (o->data_dir) path = try_dir(o->data_dir, name, dir);
  for (const char *s = slash; !path && o->data_dir && s && name[0] != '/'; s = strchr(s + 1, '/'))
    if (s[1]) path = try_dir(o->data_dir, s + 1, dir);
  if (!path && o->file_dir) path = try_dir(o->file_dir, name, dir);
  if (!path) path = try_dir(NULL, name, dir);
  if (!path) path = try_dir("/usr/share/datasets", name, dir);
  return path;
}

char *dnn_data_find(const DnnDataOpts *o, const char *name) { return find(o, name, false); }

static bool lookup(const DnnDataOpts *o, const char *place, const char *name, bool dir, char **path, DnnError *e) {
  *path = find(o, name, dir);
  if (*path) return true;
  const char *what = dir ? "the folder " : "";
  if (o->data_dir)
    return dnn_fail(e, "%s: %s`%s` is not found in %s, nor beside the program", place, what, name, o->data_dir);
  return dnn_fail(e, "%s: %s`%s` is not found beside the program; say where the data is with --data DIR", place, what,
                  name);
}

bool dnn_data_path(const DnnDataOpts *o, const char *place, const char *name, char **path, DnnError *e) {
  return lookup(o, place, name, false, path, e);
}

bool dnn_data_folder(const DnnDataOpts *o, const char *place, const char *name, char **path, DnnError *e) {
  return lookup(o, place, name, true, path, e);
}
