/* What a program may name without declaring it: the primitives of the elaborator and the library in std/, with their
 * signatures and documentation. docs/reference is written from it, `dnnc explain NAME` shows it, and a test asks for
 * golden cases of every name.
 *
 * An item of std/ is public when a `##` comment documents it; helpers have `#` comments. */
#ifndef FRONTEND_LIBRARY_H
#define FRONTEND_LIBRARY_H
#include "base/arena.h"
#include "base/buf.h"
#include <stdbool.h>

typedef struct LibraryItem {
  const char *space;     /* "prelude", "nn", "random", "data": of the functions on data sets */
  const char *name;      /* as a program writes it: "relu", "nn.Linear", "loss.each.mse" */
  const char *signature; /* "nn.Linear(n_in: int, n_out: int, bias: bool = true, w = init.he)" */
  const char *doc;       /* "" when there is none */
  const char **parts;    /* stb_ds: of a module, its parameters, state and functions: "param w: f32[n_in, n_out]" */
  bool primitive;
} LibraryItem;

/* All of it (stb_ds), namespaces in alphabetical order behind the prelude, in a namespace primitives first, then in the
 * order of its file. */
LibraryItem *library_items(Arena *a);
/* The heads of the files: what a namespace is for; "" when there is no such text. */
const char *library_head(Arena *a, const char *space);
/* One item, or a page of docs/reference, as Markdown. */
void library_print(Buf *b, const LibraryItem *item);
void library_page(Arena *a, Buf *b, const LibraryItem *items, const char *space);
#endif
