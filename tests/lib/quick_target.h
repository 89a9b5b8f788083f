/* A target with less optimisation, for tests that compile much. */
#ifndef TESTS_QUICK_TARGET_H
#define TESTS_QUICK_TARGET_H
#include "base/arena.h"
#include "codegen/codegen.h"

/* A copy in the arena, compiled with -O1: the same kernels and bits, compiled in half the time. */
const Target *quick_target(Arena *a, const Target *from);
#endif
