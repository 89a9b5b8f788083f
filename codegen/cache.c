/* See cache.h. */
#include "codegen/cache.h"
#include "base/ds.h"
#include "runtime/core/xxh64.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "dnnc cache 1\n\n\n" /* 16 bytes with its end */
#define TEMPORARY "tmp-"
#define LIMIT_FILE "limit"

typedef struct Trailer {
  char magic[16];
  CacheKey key;
  uint64_t size, sum;
} Trailer;

static char place[PATH_MAX], no_place[PATH_MAX + 64];

void cache_key_add(CacheKey *k, const void *data, size_t n) {
  for (int i = 0; i < 2; i++) {
    uint64_t seed = k->word[i] ^ (0x9e3779b97f4a7c15u * (uint64_t)(i + 1)) ^ n;
    k->word[i] = dnn_xxh64(data, (int64_t)n, seed);
  }
}
void cache_key_text(CacheKey *k, const char *s) { cache_key_add(k, s, strlen(s)); }

static uint64_t checksum(const CacheKey *k, const void *data, size_t n) {
  return dnn_xxh64(data, (int64_t)n, k->word[0] ^ k->word[1]);
}

/* Nobody else could have written it. */
static bool is_mine(const struct stat *s) { return s->st_uid == geteuid() && !(s->st_mode & (S_IWGRP | S_IWOTH)); }

/* Makes a directory and those above it. */
static bool make_dirs(char *path) {
  for (char *p = path + 1; *p; p++) {
    if (*p != '/') continue;
    *p = 0;
    bool ok = !mkdir(path, 0700) || errno == EEXIST;
    *p = '/';
    if (!ok) return false;
  }
  return !mkdir(path, 0700) || errno == EEXIST;
}

static void find_place(void) {
  const char *own = getenv("DNNC_CACHE"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  char path[PATH_MAX];
  int n = own && *own            ? snprintf(path, sizeof path, "%s", own)
          : xdg && *xdg == '/'   ? snprintf(path, sizeof path, "%s/dnnc", xdg)
          : home && *home == '/' ? snprintf(path, sizeof path, "%s/.cache/dnnc", home)
                                 : -1;
  struct stat s;
  if (n < 0) snprintf(no_place, sizeof no_place, "neither DNNC_CACHE nor HOME is set");
  else if (n >= (int)sizeof path - 64) snprintf(no_place, sizeof no_place, "its path is too long");
  else if (!make_dirs(path) || lstat(path, &s)) snprintf(no_place, sizeof no_place, "%s: %s", path, strerror(errno));
  else if (!S_ISDIR(s.st_mode)) snprintf(no_place, sizeof no_place, "%s is no directory", path);
  else if (!is_mine(&s)) snprintf(no_place, sizeof no_place, "%s can be written by other users", path);
  else if (access(path, W_OK | X_OK)) snprintf(no_place, sizeof no_place, "%s: %s", path, strerror(errno));
  else memcpy(place, path, (size_t)n + 1);
}

const char *cache_place(Buf *why) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, find_place);
  if (!place[0] && why) buf_str(why, no_place);
  return place[0] ? place : NULL;
}

static bool entry_path(const CacheKey *k, const char *kind, char path[PATH_MAX]) {
  if (!cache_place(NULL)) return false;
  int n = snprintf(path, PATH_MAX, "%s/%016llx%016llx.%s", place, (unsigned long long)k->word[0],
                   (unsigned long long)k->word[1], kind);
  return n < PATH_MAX;
}

/* The first `size` bytes of an open file, malloc'd; NULL when they are not there. */
static char *read_all(int fd, size_t size) {
  char *all = malloc(size);
  for (size_t n = 0; all && n < size;) {
    ssize_t k = read(fd, all + n, size - n);
    if (k < 0 && errno == EINTR) continue;
    if (k > 0) n += (size_t)k;
    else free(all), all = NULL;
  }
  return all;
}

/* Is this an entry of the key, its trailer included? Its value has *n bytes. */
static bool verified(const char *all, size_t size, const CacheKey *k, size_t *n) {
  Trailer t;
  if (size < sizeof t) return false;
  *n = size - sizeof t;
  memcpy(&t, all + *n, sizeof t);
  return !memcmp(t.magic, MAGIC, sizeof t.magic) && t.key.word[0] == k->word[0] && t.key.word[1] == k->word[1] &&
         t.size == *n && t.sum == checksum(k, all, *n);
}

/* Looks at an entry and takes it for used now; its value goes to `b` unless that is NULL. A bad one is removed. */
static bool look(const char *path, const CacheKey *k, Buf *b) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) {
    if (errno != ENOENT) unlink(path);
    return false;
  }
  struct stat s;
  bool ok = !fstat(fd, &s) && S_ISREG(s.st_mode) && is_mine(&s) && s.st_size > 0;
  char *all = ok ? read_all(fd, (size_t)s.st_size) : NULL;
  size_t n = 0;
  ok = all && verified(all, (size_t)s.st_size, k, &n);
  if (ok && b) buf_bytes(b, all, n);
  free(all);
  if (ok) futimens(fd, NULL);
  else unlink(path);
  close(fd);
  return ok;
}

bool cache_read(const CacheKey *k, const char *kind, Buf *b) {
  char path[PATH_MAX];
  return entry_path(k, kind, path) && look(path, k, b);
}

bool cache_image(const CacheKey *k, Buf *b) {
  char path[PATH_MAX];
  if (!entry_path(k, CACHE_IMAGE, path) || !look(path, k, NULL)) return false;
  buf_str(b, path);
  return true;
}

void cache_drop(const CacheKey *k, const char *kind) {
  char path[PATH_MAX];
  if (entry_path(k, kind, path)) unlink(path);
}

static bool write_all(int fd, const char *p, size_t n) {
  while (n) {
    ssize_t k = write(fd, p, n);
    if (k < 0 && errno == EINTR) continue;
    if (k <= 0) return false;
    p += k, n -= (size_t)k;
  }
  return true;
}

typedef struct CacheFile {
  char name[64];
  int64_t bytes;
  struct timespec used;
  bool temporary;
} CacheFile;

/* What the directory holds of ours: KEY.KIND (32 digits) and temporary files. */
static CacheFile *list_files(void) {
  CacheFile *files = NULL;
  DIR *d = cache_place(NULL) ? opendir(place) : NULL;
  for (struct dirent *x; d && (x = readdir(d));) {
    bool temporary = !strncmp(x->d_name, TEMPORARY, strlen(TEMPORARY));
    if (!temporary && (strspn(x->d_name, "0123456789abcdef") != 32 || x->d_name[32] != '.')) continue;
    struct stat s;
    CacheFile f = {.temporary = temporary};
    if (strlen(x->d_name) >= sizeof f.name || fstatat(dirfd(d), x->d_name, &s, AT_SYMLINK_NOFOLLOW)) continue;
    strcpy(f.name, x->d_name);
    f.bytes = (int64_t)s.st_size, f.used = s.st_mtim;
    arrput(files, f);
  }
  if (d) closedir(d);
  return files;
}

static int64_t limit_now(void) {
  char path[PATH_MAX];
  Buf b = {0};
  int64_t limit = CACHE_LIMIT;
  if (cache_place(NULL) && snprintf(path, sizeof path, "%s/" LIMIT_FILE, place) < PATH_MAX &&
      buf_read_file(&b, path, 64)) {
    long long v = strtoll(b.s ? b.s : "", NULL, 10);
    if (v > 0) limit = v;
  }
  buf_free(&b);
  return limit;
}

void cache_state(CacheState *s) {
  *s = (CacheState){.limit = limit_now()};
  CacheFile *files = list_files();
  for (int i = 0; i < (int)arrlen(files); i++) {
    if (files[i].temporary) continue;
    s->entries++;
    s->bytes += files[i].bytes;
  }
  arrfree(files);
}

static void remove_file(const char *name) {
  char path[PATH_MAX];
  if (snprintf(path, sizeof path, "%s/%s", place, name) < PATH_MAX) unlink(path);
}

static int by_use(const void *x, const void *y) {
  const CacheFile *a = x, *b = y;
  if (a->used.tv_sec != b->used.tv_sec) return a->used.tv_sec < b->used.tv_sec ? -1 : 1;
  return (a->used.tv_nsec > b->used.tv_nsec) - (a->used.tv_nsec < b->used.tv_nsec);
}

/* Makes room for `more` bytes below the limit: what was used longest ago goes, until a tenth is free; and temporary
 * files that a process left behind an hour ago. */
static void make_room(int64_t more, int64_t limit) {
  CacheFile *files = list_files();
  int64_t total = more;
  time_t now = time(NULL);
  for (int i = 0; i < (int)arrlen(files); i++) {
    if (!files[i].temporary) total += files[i].bytes;
    else if (files[i].used.tv_sec < now - 3600) remove_file(files[i].name);
  }
  if (total > limit) {
    arrsort(files, by_use);
    for (int i = 0; i < (int)arrlen(files) && total > limit - limit / 10; i++) {
      if (files[i].temporary) continue;
      remove_file(files[i].name);
      total -= files[i].bytes;
    }
  }
  arrfree(files);
}

bool cache_write(const CacheKey *k, const char *kind, const void *data, size_t n) {
  char path[PATH_MAX], temporary[PATH_MAX];
  int64_t limit = limit_now();
  if (!entry_path(k, kind, path) || (int64_t)(n + sizeof(Trailer)) > limit) return false;
  if (snprintf(temporary, sizeof temporary, "%s/" TEMPORARY "XXXXXX", place) >= PATH_MAX) return false;
  make_room((int64_t)(n + sizeof(Trailer)), limit);
  int fd = mkostemp(temporary, O_CLOEXEC);
  if (fd < 0) return false;
  Trailer t = {.key = *k, .size = n, .sum = checksum(k, data, n)};
  memcpy(t.magic, MAGIC, sizeof t.magic);
  bool ok = write_all(fd, data, n) && write_all(fd, (const char *)&t, sizeof t);
  if (close(fd)) ok = false;
  if (ok && !rename(temporary, path)) return true;
  unlink(temporary);
  return false;
}

void cache_clear(void) {
  CacheFile *files = list_files();
  for (int i = 0; i < (int)arrlen(files); i++) remove_file(files[i].name);
  arrfree(files);
}

bool cache_set_limit(int64_t limit) {
  char path[PATH_MAX], text[32];
  int n = snprintf(text, sizeof text, "%lld\n", (long long)limit);
  if (!cache_place(NULL) || snprintf(path, sizeof path, "%s/" LIMIT_FILE, place) >= PATH_MAX) return false;
  if (file_write_atomic(path, text, (size_t)n)) return false;
  make_room(0, limit);
  return true;
}
