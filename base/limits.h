/* Limits of what a program may ask for (limits.def), so that a hostile one ends with a message. They hold for the whole
 * process: the command sets them before it begins, the library changes them while a handle compiles. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H
#include <stdint.h>

typedef enum LimitId {
#define LIMIT(name, usual, least, most, what) LIMIT_##name,
#include "base/limits.def"
#undef LIMIT
  LIMIT_COUNT
} LimitId;
typedef struct LimitInfo {
  const char *name;
  int64_t usual, least, most;
  const char *what;
} LimitInfo;
extern const LimitInfo limit_info[LIMIT_COUNT];
extern int64_t limits[LIMIT_COUNT];

/* "NAME=N", N a size as size_parse() takes it. NULL, or what is wrong with it (a static buffer). */
const char *limit_set(const char *text);
/* For messages: " (--limit NAME=N)", a static buffer. */
const char *limit_hint(LimitId id);
#endif
