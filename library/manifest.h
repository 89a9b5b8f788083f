/* Warm starts: what front end, passes and emission would make of a program is known from the last time, so its image is
 * loaded at once. Two entries of the cache stand for it:
 *   BASE.sources   the files that were read, each with its hash; BASE: the program's place and text, the options that
 *                  decide the code, the build of dnnc, the compiler and the processor
 *   FULL.entry     the key of the image; FULL: BASE, the hashes of the files, and which entry points are wanted
 * Programs whose sizes come from counted data, and sweeps, have none; nor have checked runs, which look at the Prog,
 * and programs that are no files. The first two have BASE.seen, which is empty: compiled before, so that most likely
 * their image is in the cache. */
#ifndef LIBRARY_MANIFEST_H
#define LIBRARY_MANIFEST_H
#include "library/session.h"

/* For a session that has its options and nothing else: true when the files are as they were. The diag has them as
 * sources then. */
bool manifest_find(Session *s);
/* After it: loads the program for a call of `called` (NULL: all entry points). False: it has to be compiled. */
bool manifest_load(Session *s, const char *called);
/* After the program was compiled and loaded. */
void manifest_write(const Session *s, const char *called);
/* In its place, for a program whose code depends on more than its files. */
void manifest_mark(const Session *s);
#endif
