/* The standard library, embedded in the binary: std/NAME.dnn by NAME ("prelude", "nn", ...).
 *
 * What std/ leaves to the elaborator, beside the primitives of the language (all are static):
 *   is_function(v), is_list(v)  bool: is v a function, a list
 *   is_float(x)                  bool: is x a tensor or tree of floats or a static number
 *   axes(x, axis)                [int]: the axes a reduction over `axis` folds (int, list or none), 0 .. rank - 1,
 * ascending tree.map tree.map_path tree.leaves tree.count   (see std/tree.dnn; both maps take several trees)
 *   prelude.NAME                 a primitive or function of the prelude, after `use prelude`
 * A rule's `apply` gets the number of the update as i32[], 1 at the first. */
#ifndef FRONTEND_STD_H
#define FRONTEND_STD_H
#include <stddef.h>

typedef struct StdFile {
  const char *name, *text; /* text is NUL-terminated */
  size_t size;             /* without the NUL */
} StdFile;
extern const StdFile std_files[];
extern const int std_count;

/* The text of std/NAME.dnn and its size, or NULL when there is no such file. */
const char *std_source(const char *name, size_t *n);
#endif
