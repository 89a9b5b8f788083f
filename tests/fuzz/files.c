#include "tests/fuzz/fuzz.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

_Noreturn void fuzz_broken(const char *file, int line, const char *what) {
  fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
  abort();
}

static char folder[64];

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where) {
  (void)st, (void)kind;
  if (where->level) remove(path);
  return 0;
}

void fuzz_clear(void) {
  if (*folder) nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void at_end(void) {
  fuzz_clear();
  rmdir(folder);
}

const char *fuzz_folder(void) {
  if (*folder) return folder;
  strcpy(folder, "/dev/shm/dnn-fuzz-XXXXXX");
  if (!mkdtemp(folder)) {
    strcpy(folder, "/tmp/dnn-fuzz-XXXXXX");
    if (!mkdtemp(folder)) fuzz_broken(__FILE__, __LINE__, "a private folder");
  }
  atexit(at_end);
  return folder;
}

const char *fuzz_path(const char *name) {
  static char paths[8][512];
  static int turn;
  char *p = paths[turn++ & 7];
  snprintf(p, sizeof paths[0], "%s/%s", fuzz_folder(), name);
  return p;
}

const char *fuzz_file(const char *name, const uint8_t *data, size_t n) {
  const char *path = fuzz_path(name);
  char part[512];
  for (const char *s = path + strlen(fuzz_folder()) + 1; (s = strchr(s, '/')); s++) {
    snprintf(part, sizeof part, "%.*s", (int)(s - path), path);
    mkdir(part, 0700);
  }
  FILE *f = fopen(path, "wb");
  if (!f) return path; /* a folder of that name */
  if (n) FUZZ_HOLDS(fwrite(data, 1, n, f) == n);
  fclose(f);
  return path;
}

/* The name behind `=== ` at `s`, when it is one. */
static bool name_at(const char *s, const char *end, char *name, size_t size) {
  size_t n = 0;
  if (end - s < 5 || memcmp(s, "=== ", 4)) return false;
  for (s += 4; s < end && *s != '\n'; s++) {
    bool good = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || strchr("_-./", *s);
    if (!good || !*s || n + 1 == size || (*s == '.' && n && name[n - 1] == '.')) return false;
    name[n++] = *s;
  }
  name[n] = 0;
  return n && name[0] != '/' && s < end;
}

int fuzz_files(const uint8_t *data, size_t n) {
  const char *s = (const char *)data, *end = s + n;
  char name[100], next[100];
  int files = 0;
  fuzz_clear();
  if (!name_at(s, end, name, sizeof name)) return 0;
  while (s < end) {
    s = (const char *)memchr(s, '\n', (size_t)(end - s)) + 1;
    const char *to = s;
    while (to < end && !((to == s || to[-1] == '\n') && name_at(to, end, next, sizeof next))) to++;
    fuzz_file(name, (const uint8_t *)s, (size_t)(to - s));
    files++;
    if (to == end || files == 16) break;
    memcpy(name, next, sizeof name);
    s = to;
  }
  return files;
}

char *fuzz_text(const uint8_t *data, size_t n) {
  char *s = malloc(n + 1);
  if (!s) abort();
  if (n) memcpy(s, data, n);
  s[n] = 0;
  return s;
}
