/* Files for tests of the runtime: a private folder, bytes in, hostile variants. */
#ifndef TESTS_RUNTIME_FILES_H
#define TESTS_RUNTIME_FILES_H
#include "runtime/core/error.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64];

static inline int folder_make(void **state) {
  (void)state;
  strcpy(folder, "/dev/shm/dnn-test-XXXXXX"); /* in memory: thousands of files are brought to the disk */
  if (mkdtemp(folder)) return 0;
  strcpy(folder, "/tmp/dnn-test-XXXXXX");
  return mkdtemp(folder) ? 0 : -1;
}

static inline int folder_remove(void **state) {
  (void)state;
  char command[128];
  snprintf(command, sizeof command, "rm -rf '%s'", folder);
  return system(command);
}

/* One of four static buffers. */
static inline const char *in_folder(const char *name) {
  static char paths[4][256];
  static int turn;
  char *p = paths[turn++ & 3];
  snprintf(p, 256, "%s/%s", folder, name);
  return p;
}

static inline const char *put_file(const char *name, const void *data, size_t n) {
  const char *path = in_folder(name);
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(data, 1, n, f), n);
  fclose(f);
  return path;
}

static inline const char *put_text(const char *name, const char *text) { return put_file(name, text, strlen(text)); }

static inline unsigned char *get_file(const char *path, size_t *n) {
  static unsigned char bytes[1 << 20];
  FILE *f = fopen(path, "rb");
  assert_non_null(f);
  *n = fread(bytes, 1, sizeof bytes, f);
  fclose(f);
  return bytes;
}

/* A refused file: the text names the file and holds `word`. */
static inline void assert_says(const DnnError *e, const char *word) {
  if (!strstr(e->text, word)) fail_msg("`%s` does not say `%s`", e->text, word);
}

/* Whatever happens to a file, reading it ends: `read` is given every prefix of `bytes` and every byte changed in four
 * ways; it must come back (under AddressSanitizer: without touching foreign memory). Returns how many were accepted. */
static inline int hostile(const char *name, const unsigned char *bytes, size_t n, int (*read)(const char *path)) {
  unsigned char *copy = malloc(n + 1);
  int accepted = 0;
  size_t step = n > 1500 ? n / 700 : 1;
  memcpy(copy, bytes, n);
  for (size_t k = 0; k < n; k += step) accepted += read(put_file(name, copy, k));
  for (size_t k = 0; k < n; k += step) {
    static const unsigned char masks[] = {0xff, 0x80, 1, 0x40};
    for (int m = 0; m < 4; m++) {
      copy[k] ^= masks[m];
      accepted += read(put_file(name, copy, n));
      copy[k] ^= masks[m];
    }
  }
  free(copy);
  return accepted;
}
#endif
