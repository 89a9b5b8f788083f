/* Weights to and from NumPy's archives. */
#include "runtime/core/tensor_file.h"
#include "runtime/core/weights.h"
#include <stdlib.h>
#include <string.h>

bool dnn_weights_to_npz(const DnnWeights *w, const char *path, bool deflate, DnnError *e) {
  DnnNpzOut z;
  if (!dnn_npz_create(path, deflate, &z, e)) return false;
  for (int i = 0; i < w->n; i++) {
    const DnnWeight *r = &w->rows[i];
    if (!dnn_npz_add(&z, r->path, r->dtype, r->rank, r->shape, r->data, e)) {
      dnn_npz_cancel(&z);
      return false;
    }
  }
  return dnn_npz_finish(&z, e);
}

bool dnn_weights_from_npz(const char *npz, const char *path, DnnError *e) {
  DnnNpz z;
  if (!dnn_npz_open(npz, &z, e)) return false;
  DnnWeight *rows = calloc((size_t)z.n + 1, sizeof *rows);
  DnnTensor *tensors = calloc((size_t)z.n + 1, sizeof *tensors);
  bool ok = rows && tensors ? true : dnn_fail(e, "%s: no memory", npz);
  for (int i = 0; ok && i < z.n; i++) {
    DnnTensor *t = &tensors[i];
    ok = dnn_npz_read(&z, i, t, e);
    rows[i].path = z.entries[i].name, rows[i].dtype = t->dtype, rows[i].rank = t->rank, rows[i].data = t->data;
    memcpy(rows[i].shape, t->shape, sizeof t->shape);
  }
  ok = ok && dnn_weights_write(path, "npz", rows, z.n, e);
  for (int i = 0; tensors && i < z.n; i++) dnn_tensor_free(&tensors[i]);
  free(tensors);
  free(rows);
  dnn_npz_close(&z);
  return ok;
}
