/* For the fuzz targets: a private folder for the files of an input, and inputs that are several files.
 *
 * A target is one file of this folder with LLVMFuzzerTestOneInput(). `tests/fuzz/run` builds it with libFuzzer,
 * AddressSanitizer and UndefinedBehaviorSanitizer; the ordinary build links it with replay.c, which gives it the files
 * of its corpus as a unit test. What a target finds is a crash, a leak of a file's bytes, a hang, or memory that the
 * size of the input does not explain; a file that shows it stands in corpus/TARGET from then on. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* A property does not hold: ends the process the way a sanitizer does. */
#define FUZZ_HOLDS(what)                                                                                               \
  do {                                                                                                                 \
    if (!(what)) fuzz_broken(__FILE__, __LINE__, #what);                                                               \
  } while (0)
_Noreturn void fuzz_broken(const char *file, int line, const char *what);

/* The process's own folder, in memory where there is such a file system; removed at the end. */
const char *fuzz_folder(void);
/* A path in it: one of eight static buffers. */
const char *fuzz_path(const char *name);
/* Writes a file there, and the folders of its name; returns its path. */
const char *fuzz_file(const char *name, const uint8_t *data, size_t n);
/* Removes all that is in the folder. */
void fuzz_clear(void);

/* An input of several files: `=== NAME` lines with their contents behind them. Writes each below the folder, names of
 * letters, digits, `_ - . /` only and without `..`; returns their number. */
int fuzz_files(const uint8_t *data, size_t n);
/* The bytes with a zero behind them, malloc'd. */
char *fuzz_text(const uint8_t *data, size_t n);
#endif
