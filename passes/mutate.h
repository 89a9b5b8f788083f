/* Hooks for tests/mutate: in a build with -DDNN_MUTATE the environment plants one defect, which the tests must find.
 *
 *   DNN_MUTATE_GRAD=name     the gradient rule `name` works on -dy
 *   DNN_MUTATE_REWRITE=row   the row of simplify fires wherever its op stands, without its condition
 *   DNN_MUTATE_VMAP=op       what the batching rule of `op` gives has its lanes in reverse
 *   DNN_MUTATE_LIVE=k:s      the life of the k-th buffer of the arena ends s positions later (s = -1: earlier) than it
 * should
 *
 * Without DNN_MUTATE all of it is constant and costs nothing. */
#ifndef PASSES_MUTATE_H
#define PASSES_MUTATE_H
#include <stdbool.h>

#ifdef DNN_MUTATE
#include <stdlib.h>
#include <string.h>
static inline bool mutate_is(const char *variable, const char *name) {
  const char *v = getenv(variable);
  return v && !strcmp(v, name);
}
static inline bool mutate_grad(const char *name) { return mutate_is("DNN_MUTATE_GRAD", name); }
static inline bool mutate_rewrite(const char *row) { return mutate_is("DNN_MUTATE_REWRITE", row); }
static inline bool mutate_vmap(const char *op) { return mutate_is("DNN_MUTATE_VMAP", op); }
static inline int mutate_live(int buffer) {
  const char *v = getenv("DNN_MUTATE_LIVE"), *shift = v ? strchr(v, ':') : NULL;
  return shift && atoi(v) == buffer ? atoi(shift + 1) : 0;
}
#else
static inline bool mutate_grad(const char *name) { return (void)name, false; }
static inline bool mutate_rewrite(const char *row) { return (void)row, false; }
static inline bool mutate_vmap(const char *op) { return (void)op, false; }
static inline int mutate_live(int buffer) { return (void)buffer, 0; }
#endif
#endif
