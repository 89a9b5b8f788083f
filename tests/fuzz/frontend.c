/* Lexer, parser, formatter and elaborator: never a crash; what parses has a layout that is stable and keeps the tree;
 * every graph of a program without errors is sound; messages print as text and as JSON. */
#include "tests/fuzz/fuzz.h"
#include "base/ds.h"
#include "base/limits.h"
#include "frontend/frontend.h"
#include "tests/unit/syntax_files.h"

static void layout(const char *text, size_t n) {
  char *once = fmt_of(text, n), *tree = dump_of(text, n);
  FUZZ_HOLDS(!once == !tree);
  if (once) {
    char *twice = fmt_of(once, strlen(once)), *after = dump_of(once, strlen(once));
    FUZZ_HOLDS(twice && after && !strcmp(tree, after) && !strcmp(once, twice));
    free(twice), free(after);
  }
  free(once), free(tree);
}

static void program(const char *text, size_t n) {
  static FILE *null;
  if (!null) null = fopen("/dev/null", "w");
  Arena *a = arena_new();
  Diag *d = diag_new(a);
  Buf why = {0};
  Prog *p = frontend_load_text(a, d, "x.dnn", text, n, NULL);
  FUZZ_HOLDS(!p == (diag_errors(d) > 0));
  if (null) diag_print(d, null, 1), diag_print_json(d, null);
  for (int i = 0; p && i < (int)arrlen(p->entries); i++)
    if (p->entries[i].graph && !graph_verify(p->entries[i].graph, &why)) fuzz_broken("frontend.c", i, why.s);
  buf_free(&why);
  arena_free(a);
}

/* Small limits: what runs into one is as good as what runs into a large one, and sooner there. */
static void small_limits(void) {
  limits[LIMIT_steps] = 30000, limits[LIMIT_items] = 2000, limits[LIMIT_text] = 100000, limits[LIMIT_nodes] = 20000;
  limits[LIMIT_calls] = 200;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  char *text = fuzz_text(data, n);
  small_limits();
  if (!memchr(text, 0, n)) layout(text, n); /* zero bytes may stand in comments; the helpers take strings */
  program(text, n);
  free(text);
  return 0;
}
