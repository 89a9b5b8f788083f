/* idx files, the format of MNIST and its like. */
#include "runtime/core/tensor_file.h"
#include <stdlib.h>
#include <string.h>

static bool parse(const char *path, const DnnBytes *b, DnnTensor *t, DnnError *e) {
  if (b->size < 4 || b->data[0] || b->data[1]) return dnn_fail(e, "%s: is not an idx file", path);
  static const struct {
    int code, bytes, dtype;
  } types[] = {{8, 1, DNN_U8}, {9, 1, DNN_I8}, {11, 2, DNN_I32}, {12, 4, DNN_I32}, {13, 4, DNN_F32}, {14, 8, DNN_F64}};
  int k = 0, rank = b->data[3];
  while (k < 6 && types[k].code != b->data[2]) k++;
  if (k == 6) return dnn_fail(e, "%s: idx type %d is not known", path, b->data[2]);
  if (rank > DNN_MAX_RANK) return dnn_fail(e, "%s: claims %d axes; at most %d are read", path, rank, DNN_MAX_RANK);
  int64_t start = 4 + 4 * rank, shape[DNN_MAX_RANK];
  if (b->size < start) return dnn_fail(e, "%s: ends within the header", path);
  for (int i = 0; i < rank; i++) {
    const unsigned char *p = b->data + 4 + 4 * i;
    shape[i] = (int64_t)((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]);
  }
  int64_t n = dnn_count(rank, shape, 8), have = b->size - start;
  int size = types[k].bytes;
  if (n < 0 || n > have / size || n * size != have) {
    char text[160];
    return dnn_fail(e, "%s: damaged: %s needs %s bytes than the %lld that follow the header", path,
                    dnn_type_text(text, sizeof text, types[k].dtype, rank, shape),
                    n >= 0 && n <= have / size ? "fewer" : "more", (long long)have);
  }
  if (!dnn_tensor_new(t, types[k].dtype, rank, shape, e)) return false;
  const unsigned char *from = b->data + start;
  if (size == 1) {
    memcpy(t->data, from, (size_t)n);
    return true;
  }
  for (int64_t i = 0; i < n; i++, from += size) {
    uint64_t v = 0;
    for (int j = 0; j < size; j++) v = v << 8 | from[j];
    int32_t narrow = size == 2 ? (int16_t)v : (int32_t)(uint32_t)v;
    if (size == 8) memcpy((char *)t->data + 8 * i, &v, 8);
    else memcpy((char *)t->data + 4 * i, &narrow, 4);
  }
  return true;
}

bool dnn_idx_read(const char *path, DnnTensor *t, DnnError *e) {
  DnnBytes b;
  memset(t, 0, sizeof *t);
  if (!dnn_file_read_gz(path, &b, e)) return false;
  bool ok = parse(path, &b, t, e);
  free(b.data);
  return ok;
}
