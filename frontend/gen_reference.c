/* gen_reference DIR: writes docs/reference, a page for each namespace of the library and one for the ops of the graph.
 * `ninja -C build reference` calls it; tests/cli/reference.sh asks whether the committed pages are what it writes. */
#include "base/ds.h"
#include "frontend/library.h"
#include "ir/ir.h"
#include <stdio.h>
#include <string.h>

static bool write_page(Arena *a, const char *dir, const char *name, const Buf *b) {
  const char *path = arena_printf(a, "%s/%s.md", dir, name);
  FILE *f = fopen(path, "w");
  bool good = f && fwrite(b->s, 1, b->n, f) == b->n;
  if (f) good = !fclose(f) && good;
  if (!good) perror(path);
  return good;
}

static const char note[] =
    "<!-- Made by `ninja -C build reference` from std/, frontend/native_docs.def and ir/ops.def. -->\n";

int main(int argc, char **argv) {
  if (argc != 2) return fprintf(stderr, "usage: gen_reference DIR\n"), 2;
  Arena *a = arena_new();
  LibraryItem *items = library_items(a);
  Buf page = {0}, index = {0};
  bool good = true;
  buf_printf(&index, "%s# Reference\n\n", note);
  for (int i = 0; i < arrlen(items); i++) {
    const char *space = items[i].space;
    if (i && !strcmp(space, items[i - 1].space)) continue;
    page.n = 0;
    buf_str(&page, note);
    library_page(a, &page, items, space);
    good &= write_page(a, argv[1], space, &page);
    buf_printf(&index, "- [%s](%s.md):", space, space);
    for (int k = i; k < arrlen(items) && !strcmp(items[k].space, space); k++) {
      const char *dot = strcmp(space, "data") ? strchr(items[k].name, '.') : NULL;
      buf_printf(&index, " `%s`", dot ? dot + 1 : items[k].name);
    }
    buf_char(&index, '\n');
  }
  page.n = 0;
  buf_str(&page, note);
  ops_doc(&page);
  good &= write_page(a, argv[1], "ops", &page);
  buf_str(&index, "- [ops](ops.md): the primitives of the graph\n");
  good &= write_page(a, argv[1], "README", &index);
  buf_free(&page);
  buf_free(&index);
  arena_free(a);
  return !good;
}
