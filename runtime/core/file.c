#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define _FILE_OFFSET_BITS 64 /* on 32-bit machines too */
#include "runtime/core/file.h"
#include "runtime/core/input.h"
#include "runtime/core/tensor.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int64_t dnn_file_most;

int64_t dnn_file_limit(void) { return dnn_file_most ? dnn_file_most : dnn_memory_limit(); }

/* Up to `size` bytes; fewer at the end of the file or after an error. */
static int64_t read_some(int f, unsigned char *data, int64_t size) {
  int64_t n = 0;
  while (n < size) {
    ssize_t k = read(f, data + n, (size_t)(size - n));
    if (k < 0 && errno == EINTR) continue;
    if (k <= 0) break;
    n += k;
  }
  return n;
}

int64_t dnn_file_head(const char *path, void *head, int64_t n, DnnError *e) {
  struct stat st;
  const char *why;
  int f = dnn_input_open(path, &st, &why);
  if (f < 0) return dnn_fail(e, "%s: cannot be read: %s", path, why), -1;
  n = read_some(f, head, n);
  close(f);
  return n;
}

bool dnn_file_read(const char *path, DnnBytes *out, DnnError *e) {
  struct stat st;
  const char *why;
  out->data = NULL, out->size = 0;
  int f = dnn_input_open(path, &st, &why);
  if (f < 0) return dnn_fail(e, "%s: cannot be read: %s", path, why);
  int64_t size = st.st_size, n = 0;
  if (size > dnn_file_limit()) {
    close(f);
    return dnn_fail(e, "%s: has %lld bytes; at most %lld are read", path, (long long)size, (long long)dnn_file_limit());
  }
  out->data = (uint64_t)size < SIZE_MAX ? malloc((size_t)size + 1) : NULL;
  if (!out->data) {
    close(f);
    return dnn_fail(e, "%s: no memory for its %lld bytes", path, (long long)size);
  }
  n = read_some(f, out->data, size);
  close(f);
  if (n < size) {
    free(out->data);
    out->data = NULL;
    return dnn_fail(e, "%s: only %lld of its %lld bytes can be read", path, (long long)n, (long long)size);
  }
  out->data[n] = 0, out->size = n;
  return true;
}

bool dnn_file_exists(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

char *dnn_path_join(const char *dir, const char *name) {
  if (!dir || !*dir || name[0] == '/') return strdup(name);
  size_t n = strlen(dir) + strlen(name) + 2;
  char *p = malloc(n);
  if (p) snprintf(p, n, "%s%s%s", dir, dir[strlen(dir) - 1] == '/' ? "" : "/", name);
  return p;
}

char *dnn_file_find(const char *const *dirs, int n, const char *name) {
  for (int i = 0; i < n; i++) {
    char *path = dirs[i] ? dnn_path_join(dirs[i], name) : NULL;
    if (path && dnn_file_exists(path)) return path;
    free(path);
  }
  return strdup(name);
}

bool dnn_make_dir(const char *path, DnnError *e) {
  char *p = strdup(path);
  if (!p) return dnn_fail(e, "%s: no memory", path);
  for (char *s = p; *s; s++) {
    if (*s != '/' || s == p) continue;
    *s = 0;
    mkdir(p, 0777);
    *s = '/';
  }
  int failed = mkdir(p, 0777) && errno != EEXIST ? errno : 0;
  struct stat st;
  if (!failed && (stat(p, &st) || !S_ISDIR(st.st_mode))) failed = ENOTDIR;
  free(p);
  return failed ? dnn_fail(e, "%s: the folder cannot be made: %s", path, strerror(failed)) : true;
}

/* Whether a file may take the place of what is at the path; a folder, a device, a pipe and links of /dev must not go.
 */
static bool is_replaceable(const char *path, DnnError *e) {
  struct stat st, link;
  if (stat(path, &st)) return true;
  if (S_ISDIR(st.st_mode)) return dnn_fail(e, "%s: cannot be written: it is a folder", path);
  bool system = !strncmp(path, "/dev/", 5) && !lstat(path, &link) && S_ISLNK(link.st_mode);
  if (S_ISREG(st.st_mode) && !system) return true;
  return dnn_fail(e, "%s: cannot be written: it is no regular file", path);
}

bool dnn_out_open(DnnOut *o, const char *path, DnnError *e) {
  memset(o, 0, sizeof *o);
  if (!is_replaceable(path, e)) return false;
  size_t n = strlen(path) + 32;
  o->path = strdup(path), o->temporary = malloc(n);
  if (!o->path || !o->temporary) {
    dnn_out_cancel(o);
    return dnn_fail(e, "%s: no memory", path);
  }
  snprintf(o->temporary, n, "%s.tmp-%ld", path, (long)getpid());
  unlink(o->temporary); /* of a process that had the same number; O_EXCL follows no link that somebody put there */
  int f = open(o->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  o->file = f >= 0 ? fdopen(f, "wb") : NULL;
  if (!o->file) {
    dnn_fail(e, "%s: cannot be written: %s", path, strerror(errno));
    dnn_out_cancel(o);
    return false;
  }
  return true;
}

void dnn_out_write(DnnOut *o, const void *data, int64_t size) {
  if (size > 0 && !o->failed && fwrite(data, 1, (size_t)size, o->file) != (size_t)size) o->failed = errno ? errno : EIO;
  o->at += size;
}

void dnn_out_align(DnnOut *o, int64_t align) {
  static const unsigned char zeros[64];
  while (o->at % align) dnn_out_write(o, zeros, align - o->at % align < 64 ? align - o->at % align : 64);
}

void dnn_sync_folder_of(const char *path) {
  const char *slash = strrchr(path, '/');
  char *dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
  int f = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  if (f >= 0) {
    fsync(f); /* a file system that cannot do it writes its folders when it likes */
    close(f);
  }
  free(dir);
}

bool dnn_out_close(DnnOut *o, DnnError *e) {
  if (!o->failed && (fflush(o->file) || fsync(fileno(o->file)))) o->failed = errno;
  if (fclose(o->file) && !o->failed) o->failed = errno;
  o->file = NULL;
  if (!o->failed && rename(o->temporary, o->path)) o->failed = errno;
  if (o->failed) dnn_fail(e, "%s: cannot be written: %s", o->path, strerror(o->failed));
  bool ok = !o->failed;
  if (ok) {
    dnn_sync_folder_of(o->path);
    free(o->temporary);
    o->temporary = NULL;
  }
  dnn_out_cancel(o);
  return ok;
}

void dnn_out_cancel(DnnOut *o) {
  if (o->file) fclose(o->file);
  if (o->temporary) unlink(o->temporary);
  free(o->path);
  free(o->temporary);
  memset(o, 0, sizeof *o);
}

bool dnn_log_open(DnnLog *l, const char *path, int64_t keep, DnnError *e) {
  memset(l, 0, sizeof *l);
  struct stat st;
  int f = open(path, (keep ? O_RDWR : O_WRONLY | O_CREAT | O_TRUNC) | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
  l->file = f >= 0 ? fdopen(f, keep ? "r+b" : "wb") : NULL;
  if (!l->file) return dnn_fail(e, "%s: cannot be written: %s", path, strerror(errno));
  bool ok = !fstat(fileno(l->file), &st) || dnn_fail(e, "%s: %s", path, strerror(errno));
  if (ok && st.st_size < keep)
    ok = dnn_fail(e, "%s: has only %lld of the %lld bytes that were in it", path, (long long)st.st_size,
                  (long long)keep);
  if (ok && keep && (ftruncate(fileno(l->file), keep) || fseek(l->file, 0, SEEK_END)))
    ok = dnn_fail(e, "%s: cannot be cut: %s", path, strerror(errno));
  l->path = ok ? strdup(path) : NULL;
  if (ok && !l->path) ok = dnn_fail(e, "%s: no memory", path);
  l->at = keep;
  if (!ok) fclose(l->file), l->file = NULL;
  return ok;
}

void dnn_log_write(DnnLog *l, const void *data, int64_t size) {
  if (size > 0 && !l->failed && fwrite(data, 1, (size_t)size, l->file) != (size_t)size) l->failed = errno ? errno : EIO;
  l->at += size;
}

void dnn_log_flush(DnnLog *l, bool sync) {
  if (!l->failed && (fflush(l->file) || (sync && fsync(fileno(l->file))))) l->failed = errno ? errno : EIO;
}

bool dnn_log_close(DnnLog *l, DnnError *e) {
  if (!l->file) return true;
  dnn_log_flush(l, true);
  if (fclose(l->file) && !l->failed) l->failed = errno ? errno : EIO;
  bool ok = !l->failed;
  if (!ok) dnn_fail(e, "%s: cannot be written: %s", l->path, strerror(l->failed));
  free(l->path);
  memset(l, 0, sizeof *l);
  return ok;
}

/* Is `name` STEM.tmp-NUMBER? An empty stem is any. */
static bool is_torn(const char *name, const char *stem) {
  const char *mark = strstr(name, ".tmp-");
  if (!mark || (*stem && (strncmp(name, stem, strlen(stem)) || mark != name + strlen(stem)))) return false;
  return mark[5] && !mark[5 + strspn(mark + 5, "0123456789")];
}

void dnn_remove_torn(const char *path) {
  const char *slash = strrchr(path, '/'), *stem = slash ? slash + 1 : path;
  char *dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
  DIR *d = dir ? opendir(dir) : NULL;
  for (struct dirent *x; d && (x = readdir(d));)
    if (is_torn(x->d_name, stem)) unlinkat(dirfd(d), x->d_name, 0);
  if (d) closedir(d);
  free(dir);
}
