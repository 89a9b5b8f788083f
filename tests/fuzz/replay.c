/* Gives a target the files of folders and files: `TARGET_replay PATH...`. Prints how many. */
#include "tests/fuzz/fuzz.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

static int files;

static void give(const char *path) {
  struct stat st;
  if (stat(path, &st)) return;
  if (S_ISDIR(st.st_mode)) {
    struct dirent **names;
    int n = scandir(path, &names, NULL, alphasort);
    for (int i = 0; i < n; i++) {
      char *below = malloc(strlen(path) + strlen(names[i]->d_name) + 2);
      sprintf(below, "%s/%s", path, names[i]->d_name);
      if (names[i]->d_name[0] != '.') give(below);
      free(below), free(names[i]);
    }
    if (n >= 0) free(names);
    return;
  }
  FILE *f = fopen(path, "rb");
  uint8_t *data = malloc((size_t)st.st_size + 1);
  FUZZ_HOLDS(f && data);
  size_t n = fread(data, 1, (size_t)st.st_size, f);
  fclose(f);
  fprintf(stderr, "%s\n", path);
  LLVMFuzzerTestOneInput(data, n);
  free(data);
  files++;
}

int main(int argc, char **argv) {
  if (LLVMFuzzerInitialize) LLVMFuzzerInitialize(&argc, &argv);
  for (int i = 1; i < argc; i++) give(argv[i]);
  printf("%d files\n", files);
  return files == 0;
}
