#include "base/limits.h"
#include "base/size.h"
#include <stdio.h>
#include <string.h>

const LimitInfo limit_info[LIMIT_COUNT] = {
#define LIMIT(name, usual, least, most, what) [LIMIT_##name] = {#name, usual, least, most, what},
#include "base/limits.def"
#undef LIMIT
};
int64_t limits[LIMIT_COUNT] = {
#define LIMIT(name, usual, least, most, what) [LIMIT_##name] = usual,
#include "base/limits.def"
#undef LIMIT
};

const char *limit_set(const char *text) {
  static char why[400];
  const char *eq = strchr(text, '=');
  size_t n = eq ? (size_t)(eq - text) : strlen(text), at = 0;
  for (int i = 0; i < LIMIT_COUNT; i++) {
    const LimitInfo *l = &limit_info[i];
    if (strlen(l->name) != n || memcmp(l->name, text, n)) continue;
    int64_t v = eq ? size_parse(eq + 1) : -1;
    if (v >= l->least && v <= l->most) return limits[i] = v, NULL;
    if (l->most == INT64_MAX) snprintf(why, sizeof why, "a number or size is wanted, such as %s=500M", l->name);
    else snprintf(why, sizeof why, "%s is from %lld to %lld", l->name, (long long)l->least, (long long)l->most);
    return why;
  }
  at += (size_t)snprintf(why, sizeof why, "NAME=N is wanted; the names are");
  for (int i = 0; i < LIMIT_COUNT && at < sizeof why; i++)
    at += (size_t)snprintf(why + at, sizeof why - at, "%s %s", i ? "," : "", limit_info[i].name);
  return why;
}

const char *limit_hint(LimitId id) {
  static char text[LIMIT_COUNT][40];
  snprintf(text[id], sizeof text[id], " (--limit %s=N)", limit_info[id].name);
  return text[id];
}
