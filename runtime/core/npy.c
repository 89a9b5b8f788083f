/* NumPy's .npy files. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "runtime/core/tensor_file.h"
#include <stdlib.h>
#include <string.h>

typedef struct Descr {
  char kind; /* f i u b */
  int size;
  bool swap, fortran;
  int rank;
  int64_t shape[DNN_MAX_RANK];
} Descr;

static const char *skip(const char *s) {
  while (*s == ' ') s++;
  return s;
}

/* The value of a key of the header's Python dictionary; NULL when it is missing. */
static const char *find_key(const char *h, const char *key) {
  size_t n = strlen(key);
  for (const char *s = h; (s = strchr(s, '\'')); s++)
    if (!strncmp(s + 1, key, n) && s[n + 1] == '\'' && *skip(s + n + 2) == ':') return skip(skip(s + n + 2) + 1);
  return NULL;
}

static bool parse_shape(const char *name, const char *s, Descr *d, DnnError *e) {
  if (*s++ != '(') return dnn_fail(e, "%s: the header has no shape", name);
  for (s = skip(s); *s != ')'; s = skip(s)) {
    int64_t n = 0;
    const char *digits = s;
    for (; *s >= '0' && *s <= '9' && s - digits < 18; s++) n = n * 10 + (*s - '0');
    if (s == digits || n < 0) return dnn_fail(e, "%s: the header's shape is damaged", name);
    if (d->rank == DNN_MAX_RANK) return dnn_fail(e, "%s: has more than %d axes", name, DNN_MAX_RANK);
    d->shape[d->rank++] = n;
    if (*s == 'L') s++;
    s = skip(s);
    if (*s == ',') s++;
    else if (*s != ')') return dnn_fail(e, "%s: the header's shape is damaged", name);
  }
  return true;
}

static bool parse_header(const char *name, const char *h, Descr *d, DnnError *e) {
  memset(d, 0, sizeof *d);
  const char *s = find_key(h, "descr"), *order = find_key(h, "fortran_order"), *shape = find_key(h, "shape");
  if (!s || !order || !shape) return dnn_fail(e, "%s: the header lacks descr, fortran_order or shape", name);
  if (*s == '[') return dnn_fail(e, "%s: holds records (a structured array); save one plain array", name);
  if (*s++ != '\'') return dnn_fail(e, "%s: the header's descr is damaged", name);
  const char *end = strchr(s, '\'');
  if (!end || end - s < 2 || end - s > 8) return dnn_fail(e, "%s: the header's descr is damaged", name);
  char text[16];
  memcpy(text, s, (size_t)(end - s));
  text[end - s] = 0;
  const char *t = text;
  char byte_order = '=';
  if (strchr("<>|=", *t)) byte_order = *t++;
  d->kind = *t, d->size = atoi(t + 1), d->swap = byte_order == '>' && d->size > 1;
  bool known = (d->kind == 'f' && (d->size == 2 || d->size == 4 || d->size == 8)) || (d->kind == 'b' && d->size == 1) ||
               ((d->kind == 'i' || d->kind == 'u') && (d->size == 1 || d->size == 2 || d->size == 4 || d->size == 8));
  if (!known) return dnn_fail(e, "%s: holds numbers of NumPy type %s, which is not read; convert them", name, text);
  d->fortran = !strncmp(order, "True", 4);
  return parse_shape(name, shape, d, e);
}

static int dtype_of(const Descr *d) {
  if (d->kind == 'f') return d->size == 8 ? DNN_F64 : d->size == 4 ? DNN_F32 : DNN_F16;
  if (d->kind == 'b') return DNN_BOOL;
  if (d->size == 1) return d->kind == 'i' ? DNN_I8 : DNN_U8;
  if (d->kind == 'i') return d->size == 8 ? DNN_I64 : DNN_I32;
  return d->size == 2 ? DNN_I32 : DNN_I64;
}

/* One number of the file as the bytes of the tensor's dtype. False: a u8 beyond i64. */
static bool put_number(const Descr *d, int dtype, const unsigned char *from, unsigned char *to) {
  unsigned char b[8] = {0};
  for (int i = 0; i < d->size; i++) b[i] = from[d->swap ? d->size - 1 - i : i];
  int64_t item = dnn_dtype_size(dtype);
  if (d->kind == 'b') {
    *to = b[0] != 0;
    return true;
  }
  if (d->kind == 'i' && d->size < item) memset(b + d->size, b[d->size - 1] & 128 ? 255 : 0, (size_t)(8 - d->size));
  if (d->kind == 'u' && d->size == 8 && b[7] & 128) return false;
  memcpy(to, b, (size_t)item);
  return true;
}

static bool fill(const char *name, const Descr *d, const unsigned char *from, int64_t n, DnnTensor *t, DnnError *e) {
  int64_t item = dnn_dtype_size(t->dtype);
  if (!d->fortran && !d->swap && d->size == item && d->kind != 'b' && !(d->kind == 'u' && d->size == 8)) {
    memcpy(t->data, from, (size_t)(n * item));
    return true;
  }
  int64_t at[DNN_MAX_RANK] = {0}, stride[DNN_MAX_RANK], s = 1;
  for (int i = 0; i < d->rank; i++) {
    int axis = d->fortran ? i : d->rank - 1 - i;
    stride[axis] = s, s *= d->shape[axis];
  }
  int64_t place = 0;
  for (int64_t i = 0; i < n; i++) {
    if (!put_number(d, t->dtype, from + place * d->size, (unsigned char *)t->data + i * item))
      return dnn_fail(e, "%s: element %lld is more than i64 holds", name, (long long)i);
    for (int axis = d->rank - 1; axis >= 0; axis--) {
      place += stride[axis];
      if (++at[axis] < d->shape[axis]) break;
      place -= stride[axis] * d->shape[axis], at[axis] = 0;
    }
  }
  return true;
}

static bool is_npy(const char *name, const unsigned char *head, int64_t n, DnnError *e) {
  return (n >= 10 && !memcmp(head, "\x93NUMPY", 6)) || dnn_fail(e, "%s: is not a .npy file", name);
}

bool dnn_npy_parse(const char *name, const unsigned char *data, int64_t size, DnnTensor *t, DnnError *e) {
  memset(t, 0, sizeof *t);
  if (!is_npy(name, data, size, e)) return false;
  int version = data[6];
  if (version < 1 || version > 3) return dnn_fail(e, "%s: .npy version %d is not known", name, version);
  int64_t start = version == 1 ? 10 : 12;
  if (size < start) return dnn_fail(e, "%s: ends within the header", name);
  int64_t length = data[8] | data[9] << 8;
  if (version > 1) length |= (int64_t)data[10] << 16 | (int64_t)data[11] << 24;
  if (length > size - start)
    return dnn_fail(e, "%s: the header wants %lld bytes, the file has %lld", name, (long long)(start + length),
                    (long long)size);
  if (length > 65536) return dnn_fail(e, "%s: a header of %lld bytes is not plausible", name, (long long)length);
  char *h = malloc((size_t)length + 1);
  if (!h) return dnn_fail(e, "%s: no memory", name);
  memcpy(h, data + start, (size_t)length);
  h[length] = 0;
  Descr d;
  bool ok = parse_header(name, h, &d, e);
  free(h);
  if (!ok) return false;
  int64_t n = dnn_count(d.rank, d.shape, 8), have = size - start - length;
  if (n < 0 || n > have / d.size)
    return dnn_fail(e, "%s: damaged: the header claims more data than the file's %lld bytes", name, (long long)size);
  if (n * d.size != have)
    return dnn_fail(e, "%s: damaged: %lld bytes follow the data", name, (long long)(have - n * d.size));
  if (!dnn_tensor_new(t, dtype_of(&d), d.rank, d.shape, e)) return false;
  if (fill(name, &d, data + start + length, n, t, e)) return true;
  dnn_tensor_free(t);
  return false;
}

bool dnn_npy_read(const char *path, DnnTensor *t, DnnError *e) {
  DnnBytes b;
  memset(t, 0, sizeof *t);
  unsigned char head[10];
  int64_t n = dnn_file_head(path, head, sizeof head, e);
  if (n < 0 || !is_npy(path, head, n, e) || !dnn_file_read(path, &b, e)) return false;
  bool ok = dnn_npy_parse(path, b.data, b.size, t, e);
  free(b.data);
  return ok;
}

int dnn_npy_header(char buf[512], int dtype, int rank, const int64_t *shape) {
  static const char *const descr[DNN_DTYPES] = {"<f8", "<f4", "<f2", "<f4", "<i8", "<i4", "|i1", "|u1", "|b1"};
  int n = snprintf(buf + 10, 502, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr[dtype]);
  for (int i = 0; i < rank; i++)
    n += snprintf(buf + 10 + n, (size_t)(502 - n), i ? ", %lld" : "%lld", (long long)shape[i]);
  n += snprintf(buf + 10 + n, (size_t)(502 - n), rank == 1 ? ",), }" : "), }");
  int total = (10 + n + 1 + 63) / 64 * 64;
  memset(buf + 10 + n, ' ', (size_t)(total - 10 - n));
  buf[total - 1] = '\n';
  memcpy(buf, "\x93NUMPY\x01\x00", 8);
  buf[8] = (char)((total - 10) & 255), buf[9] = (char)((total - 10) >> 8);
  return total;
}

bool dnn_npy_write(const char *path, int dtype, int rank, const int64_t *shape, const void *data, DnnError *e) {
  char header[512];
  DnnOut o;
  if (!dnn_out_open(&o, path, e)) return false;
  dnn_out_write(&o, header, dnn_npy_header(header, dtype, rank, shape));
  int64_t n = dnn_count(rank, shape, 8);
  if (dtype == DNN_BF16) {
    for (int64_t i = 0; i < n; i++) {
      float f = (float)dnn_get(data, dtype, i);
      dnn_out_write(&o, &f, 4);
    }
  } else {
    dnn_out_write(&o, data, n * dnn_dtype_size(dtype));
  }
  return dnn_out_close(&o, e);
}
