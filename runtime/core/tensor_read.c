/* One way in for every kind of tensor file. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "runtime/core/tensor_file.h"
#include <stdlib.h>
#include <string.h>

char *dnn_path_cut(const char *text, const char **after) {
  const char *colon = strrchr(text, ':');
  if (colon && strchr(colon, '/')) colon = NULL;
  *after = colon ? colon + 1 : NULL;
  return colon ? strndup(text, (size_t)(colon - text)) : strdup(text);
}

static bool ends(const char *s, const char *ending) {
  size_t n = strlen(s), k = strlen(ending);
  return n >= k && !strcmp(s + n - k, ending);
}

bool dnn_tensor_read(const char *text, DnnTensor *t, DnnError *e) {
  const char *after;
  char *path = dnn_path_cut(text, &after);
  bool ok = false;
  memset(t, 0, sizeof *t);
  if (!path) return dnn_fail(e, "%s: no memory", text);
  if (ends(path, ".npy")) {
    ok = dnn_npy_read(path, t, e);
  } else if (ends(path, ".npz")) {
    DnnNpz z;
    if (dnn_npz_open(path, &z, e)) {
      int i = after ? dnn_npz_find(&z, after) : z.n == 1 ? 0 : -1;
      if (i >= 0) ok = dnn_npz_read(&z, i, t, e);
      else {
        dnn_fail(e, after ? "%s: has no array `%s`; it holds" : "%s: name one of its arrays behind a colon; it holds",
                 path, after);
        for (int k = 0; k < z.n && k < 30; k++) dnn_fail_more(e, "%s %s", k ? "," : "", z.entries[k].name);
      }
      dnn_npz_close(&z);
    }
  } else if (ends(path, ".csv") || ends(path, ".csv.gz") || ends(path, ".tsv")) {
    DnnCsv c;
    int32_t column = 0;
    int64_t first = 0;
    if (dnn_csv_open(path, &c, e)) {
      ok =
          dnn_csv_column(&c, after ? after : "0", &column, &first, e) && dnn_csv_read(&c, column, first, DNN_F32, t, e);
      dnn_csv_close(&c);
    }
  } else {
    ok = dnn_idx_read(path, t, e);
  }
  free(path);
  return ok;
}
