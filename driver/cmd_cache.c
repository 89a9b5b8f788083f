/* dnnc cache: where the cache of compiled programs is and what it holds. */
#include "base/size.h"
#include "codegen/cache.h"
#include "driver/driver.h"
#include <errno.h>
#include <string.h>

static void print_size(const char *what, int64_t bytes) {
  Buf b = {0};
  size_print(&b, bytes);
  printf("%-8s %s\n", what, b.s);
  buf_free(&b);
}

int cmd_cache(const Args *a) {
  const char *limit = args_get(a, "limit", NULL);
  int64_t bytes = limit ? size_parse(limit) : 0;
  if (bytes < 0) return usage_error(a, "--limit takes a size such as 500M or 2G, not `%s`", limit);
  Buf why = {0};
  const char *place = cache_place(&why);
  int status = place ? EXIT_OK : program_error("there is no cache: %s", why.s);
  buf_free(&why);
  if (status) return status;
  if (args_has(a, "clear")) cache_clear();
  if (limit && !cache_set_limit(bytes)) return program_error("%s: %s", place, strerror(errno));
  CacheState s;
  cache_state(&s);
  printf("%-8s %s\n%-8s %lld\n", "place", place, "entries", (long long)s.entries);
  print_size("size", s.bytes);
  print_size("limit", s.limit);
  return EXIT_OK;
}
