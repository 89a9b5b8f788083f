/* The reader of graphs: an error, or a graph that the verifier takes or refuses; a sound one prints as a text that
 * reads as the same graph. */
#include "tests/fuzz/fuzz.h"
#include "ir/ir.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  char *text = fuzz_text(data, n);
  Arena *a = arena_new();
  Buf why = {0}, once = {0}, twice = {0};
  Graph *g = graph_parse(a, dimtab_new(a), NULL, text, &why);
  FUZZ_HOLDS(g || why.n);
  if (g && graph_verify(g, &why)) {
    graph_print(g, &once);
    Graph *h = graph_parse(a, dimtab_new(a), NULL, once.s, &why);
    FUZZ_HOLDS(h && graph_verify(h, &why));
    graph_print(h, &twice);
    FUZZ_HOLDS(!strcmp(once.s, twice.s));
    graph_print_dot(g, &twice);
  }
  buf_free(&why), buf_free(&once), buf_free(&twice);
  arena_free(a);
  free(text);
  return 0;
}
