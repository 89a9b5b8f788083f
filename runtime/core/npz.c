/* NumPy's .npz files: zip archives of .npy files. Numbers in zip files are little-endian. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "runtime/core/tensor_file.h"
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static uint64_t get(const unsigned char *p, int n) {
  uint64_t v = 0;
  while (n--) v = v << 8 | p[n];
  return v;
}

/* Place of the directory: from the end record (22 bytes and a comment) and, when it says so, its zip64 form. */
static bool find_directory(const DnnNpz *z, int64_t *at, int64_t *size, int64_t *count, DnnError *e) {
  const unsigned char *b = z->bytes.data;
  int64_t n = z->bytes.size, end = n - 22;
  while (end >= 0 && end >= n - 22 - 65535 && get(b + end, 4) != 0x06054b50) end--;
  if (end < 0 || end < n - 22 - 65535) return dnn_fail(e, "%s: is not a complete .npz (zip) file", z->path);
  *count = (int64_t)get(b + end + 10, 2), *size = (int64_t)get(b + end + 12, 4), *at = (int64_t)get(b + end + 16, 4);
  if (*at == 0xffffffff || *count == 0xffff || *size == 0xffffffff) {
    if (end < 20 || get(b + end - 20, 4) != 0x07064b50) return dnn_fail(e, "%s: the zip64 record is missing", z->path);
    uint64_t place = get(b + end - 12, 8);
    if (place > (uint64_t)n - 56 || n < 56 || get(b + place, 4) != 0x06064b50)
      return dnn_fail(e, "%s: the zip64 record is damaged", z->path);
    *count = (int64_t)get(b + place + 32, 8), *size = (int64_t)get(b + place + 40, 8);
    *at = (int64_t)get(b + place + 48, 8);
  }
  if (*at < 0 || *size < 0 || *at > end || *size > end - *at || *count < 0 || *count > *size / 46)
    return dnn_fail(e, "%s: damaged: the zip directory lies outside the file", z->path);
  return true;
}

/* zip64 sizes stand in an extra field of id 1, only those that are ffffffff in the record, in this order. */
static void read_zip64(const unsigned char *extra, int64_t n, DnnZipEntry *z) {
  for (int64_t i = 0; i + 4 <= n;) {
    int64_t id = (int64_t)get(extra + i, 2), size = (int64_t)get(extra + i + 2, 2), p = i + 4;
    if (size > n - p) return;
    if (id == 1) {
      int64_t *const wanted[] = {&z->size, &z->packed, &z->offset};
      for (int k = 0; k < 3; k++)
        if (*wanted[k] == 0xffffffff && p + 8 <= i + 4 + size) *wanted[k] = (int64_t)get(extra + p, 8), p += 8;
    }
    i += 4 + size;
  }
}

static bool read_entry(DnnNpz *z, int64_t *at, int64_t end, DnnError *e) {
  const unsigned char *b = z->bytes.data + *at;
  if (*at + 46 > end || get(b, 4) != 0x02014b50) return dnn_fail(e, "%s: the zip directory is damaged", z->path);
  int64_t name = (int64_t)get(b + 28, 2), extra = (int64_t)get(b + 30, 2), comment = (int64_t)get(b + 32, 2);
  if (46 + name + extra + comment > end - *at) return dnn_fail(e, "%s: the zip directory is damaged", z->path);
  DnnZipEntry *x = &z->entries[z->n];
  x->method = (int)get(b + 10, 2), x->crc = (uint32_t)get(b + 16, 4);
  x->packed = (int64_t)get(b + 20, 4), x->size = (int64_t)get(b + 24, 4), x->offset = (int64_t)get(b + 42, 4);
  bool locked = get(b + 8, 2) & 1;
  x->name = malloc((size_t)name + 1);
  if (!x->name) return dnn_fail(e, "%s: no memory", z->path);
  memcpy(x->name, b + 46, (size_t)name);
  x->name[name] = 0;
  z->n++;
  if (name > 4 && !strcmp(x->name + name - 4, ".npy")) x->name[name - 4] = 0;
  read_zip64(b + 46 + name, extra, x);
  if (locked) return dnn_fail(e, "%s: %s is encrypted", z->path, x->name);
  if (x->method != 0 && x->method != 8)
    return dnn_fail(e, "%s: %s is packed by method %d; stored and deflated ones are read", z->path, x->name, x->method);
  /* the local record repeats name and extra field, of its own lengths */
  int64_t n = z->bytes.size;
  if (x->offset < 0 || x->offset > n - 30 || get(z->bytes.data + x->offset, 4) != 0x04034b50)
    return dnn_fail(e, "%s: %s lies outside the file", z->path, x->name);
  x->offset += 30 + (int64_t)get(z->bytes.data + x->offset + 26, 2) + (int64_t)get(z->bytes.data + x->offset + 28, 2);
  if (x->packed < 0 || x->size < 0 || x->offset > n || x->packed > n - x->offset)
    return dnn_fail(e, "%s: damaged: %s lies outside the file", z->path, x->name);
  if (x->size > dnn_file_limit())
    return dnn_fail(e, "%s: %s has %lld bytes; at most %lld are read", z->path, x->name, (long long)x->size,
                    (long long)dnn_file_limit());
  if (x->method == 0 ? x->size != x->packed : x->size / 1100 > x->packed)
    return dnn_fail(e, "%s: damaged: %s claims to unpack %lld bytes to %lld", z->path, x->name, (long long)x->packed,
                    (long long)x->size);
  *at += 46 + name + extra + comment;
  return true;
}

bool dnn_npz_open(const char *path, DnnNpz *z, DnnError *e) {
  memset(z, 0, sizeof *z);
  if (!dnn_file_read(path, &z->bytes, e)) return false;
  z->path = strdup(path);
  int64_t at = 0, size = 0, count = 0;
  bool ok = z->path && find_directory(z, &at, &size, &count, e);
  if (ok) {
    z->entries = calloc((size_t)count + 1, sizeof *z->entries);
    ok = z->entries || dnn_fail(e, "%s: no memory", path);
    int64_t end = ok ? at + size : 0;
    for (int64_t i = 0; ok && i < count; i++) ok = read_entry(z, &at, end, e);
  }
  if (!ok) dnn_npz_close(z);
  return ok;
}

void dnn_npz_close(DnnNpz *z) {
  for (int i = 0; i < z->n; i++) free(z->entries[i].name);
  free(z->entries);
  free(z->bytes.data);
  free(z->path);
  memset(z, 0, sizeof *z);
}

int dnn_npz_find(const DnnNpz *z, const char *name) {
  for (int i = 0; i < z->n; i++)
    if (!strcmp(z->entries[i].name, name)) return i;
  return -1;
}

/* Raw deflate between buffers that may be larger than zlib's 32-bit counts. */
static bool inflate_raw(const unsigned char *from, int64_t n, unsigned char *to, int64_t size) {
  z_stream z;
  memset(&z, 0, sizeof z);
  if (inflateInit2(&z, -15) != Z_OK) return false;
  int64_t fed = 0, got = 0;
  int status = Z_OK;
  while (status == Z_OK) {
    if (z.avail_in == 0 && fed < n) {
      int64_t k = n - fed < (1 << 30) ? n - fed : 1 << 30;
      z.next_in = (unsigned char *)(uintptr_t)(from + fed), z.avail_in = (uInt)k, fed += k;
    }
    int64_t k = size - got < (1 << 30) ? size - got : 1 << 30;
    z.next_out = to + got, z.avail_out = (uInt)k;
    status = inflate(&z, Z_NO_FLUSH);
    if (k == z.avail_out && z.avail_in == 0 && fed == n) break;
    got += k - z.avail_out;
  }
  inflateEnd(&z);
  return status == Z_STREAM_END && got == size;
}

static uint32_t crc_of(const unsigned char *p, int64_t n) {
  uLong c = crc32(0, NULL, 0);
  for (int64_t i = 0; i < n; i += 1 << 30) c = crc32(c, p + i, (uInt)(n - i < (1 << 30) ? n - i : 1 << 30));
  return (uint32_t)c;
}

bool dnn_npz_read(const DnnNpz *z, int entry, DnnTensor *t, DnnError *e) {
  const DnnZipEntry *x = &z->entries[entry];
  const unsigned char *from = z->bytes.data + x->offset;
  char name[400];
  snprintf(name, sizeof name, "%s:%s", z->path, x->name);
  memset(t, 0, sizeof *t);
  unsigned char *unpacked = NULL;
  if (x->method == 8) {
    unpacked = malloc((size_t)x->size + 1);
    if (!unpacked) return dnn_fail(e, "%s: no memory for %lld bytes", name, (long long)x->size);
    if (!inflate_raw(from, x->packed, unpacked, x->size)) {
      free(unpacked);
      return dnn_fail(e, "%s: the packed data is damaged", name);
    }
    from = unpacked;
  }
  bool ok = crc_of(from, x->size) == x->crc ? dnn_npy_parse(name, from, x->size, t, e)
                                            : dnn_fail(e, "%s: the checksum is wrong, the file is damaged", name);
  free(unpacked);
  return ok;
}

/* ---- writing ---- */
typedef struct Record {
  unsigned char b[128];
  int n;
} Record;

static void put(Record *r, uint64_t v, int bytes) {
  for (int i = 0; i < bytes; i++) r->b[r->n++] = (unsigned char)(v >> 8 * i);
}

bool dnn_npz_create(const char *path, bool deflate_them, DnnNpzOut *z, DnnError *e) {
  memset(z, 0, sizeof *z);
  z->deflate = deflate_them;
  return dnn_out_open(&z->out, path, e);
}

/* The fields that local and central records share, from "version needed" on. Sizes always stand in a zip64 extra field
 * when one passes 32 bits. */
static void put_common(Record *r, const DnnZipEntry *x, bool big, int extra) {
  put(r, big ? 45 : 20, 2), put(r, 0, 2), put(r, (uint64_t)x->method, 2);
  put(r, 0, 2), put(r, 0x21, 2); /* 1 January 1980: the same bytes for the same arrays */
  put(r, x->crc, 4);
  put(r, big ? 0xffffffff : (uint64_t)x->packed, 4), put(r, big ? 0xffffffff : (uint64_t)x->size, 4);
  put(r, strlen(x->name) + 4, 2), put(r, (uint64_t)extra, 2);
}

static bool is_big(const DnnZipEntry *x) {
  return x->size >= 0xffffffff || x->packed >= 0xffffffff || x->offset >= 0xffffffff;
}

bool dnn_npz_add(DnnNpzOut *z, const char *name, int dtype, int rank, const int64_t *shape, const void *data,
                 DnnError *e) {
  DnnZipEntry *more = realloc(z->entries, (size_t)(z->n + 1) * sizeof *more);
  if (!more) return dnn_fail(e, "%s: no memory", z->out.path);
  z->entries = more;
  DnnZipEntry *x = &more[z->n];
  memset(x, 0, sizeof *x);
  char header[512];
  int64_t head = dnn_npy_header(header, dtype, rank, shape), n = dnn_count(rank, shape, 8);
  x->size = head + n * (dtype == DNN_BF16 ? 4 : dnn_dtype_size(dtype));
  unsigned char *plain = malloc((size_t)x->size), *packed = NULL;
  x->name = strdup(name);
  if (!plain || !x->name) {
    free(plain);
    free(x->name);
    return dnn_fail(e, "%s: no memory for %s", z->out.path, name);
  }
  z->n++;
  memcpy(plain, header, (size_t)head);
  if (dtype == DNN_BF16)
    for (int64_t i = 0; i < n; i++) dnn_put(plain + head, DNN_F32, i, dnn_get(data, dtype, i));
  else memcpy(plain + head, data, (size_t)(x->size - head));
  x->crc = crc_of(plain, x->size), x->packed = x->size, x->offset = z->out.at;
  if (z->deflate && x->size < (1 << 30)) {
    z_stream s;
    memset(&s, 0, sizeof s);
    if (deflateInit2(&s, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK) {
      uLong bound = deflateBound(&s, (uLong)x->size);
      packed = malloc(bound);
      s.next_in = plain, s.avail_in = (uInt)x->size, s.next_out = packed, s.avail_out = (uInt)bound;
      if (packed && deflate(&s, Z_FINISH) == Z_STREAM_END) x->method = 8, x->packed = (int64_t)(bound - s.avail_out);
      deflateEnd(&s);
    }
  }
  Record r = {.n = 0};
  bool big = is_big(x);
  put(&r, 0x04034b50, 4), put_common(&r, x, big, big ? 20 : 0);
  dnn_out_write(&z->out, r.b, r.n);
  dnn_out_write(&z->out, name, (int64_t)strlen(name));
  dnn_out_write(&z->out, ".npy", 4);
  r.n = 0;
  if (big) put(&r, 1, 2), put(&r, 16, 2), put(&r, (uint64_t)x->size, 8), put(&r, (uint64_t)x->packed, 8);
  dnn_out_write(&z->out, r.b, r.n);
  dnn_out_write(&z->out, x->method ? packed : plain, x->packed);
  free(plain);
  free(packed);
  return true;
}

static void free_entries(DnnNpzOut *z) {
  for (int i = 0; i < z->n; i++) free(z->entries[i].name);
  free(z->entries);
  z->entries = NULL, z->n = 0;
}

bool dnn_npz_finish(DnnNpzOut *z, DnnError *e) {
  int64_t start = z->out.at;
  for (int i = 0; i < z->n; i++) {
    const DnnZipEntry *x = &z->entries[i];
    bool big = is_big(x);
    Record r = {.n = 0};
    put(&r, 0x02014b50, 4), put(&r, big ? 45 : 20, 2), put_common(&r, x, big, big ? 28 : 0);
    put(&r, 0, 2), put(&r, 0, 2), put(&r, 0, 2), put(&r, 0, 4), put(&r, big ? 0xffffffff : (uint64_t)x->offset, 4);
    dnn_out_write(&z->out, r.b, r.n);
    dnn_out_write(&z->out, x->name, (int64_t)strlen(x->name));
    dnn_out_write(&z->out, ".npy", 4);
    r.n = 0;
    if (big) {
      put(&r, 1, 2), put(&r, 24, 2), put(&r, (uint64_t)x->size, 8), put(&r, (uint64_t)x->packed, 8);
      put(&r, (uint64_t)x->offset, 8);
    }
    dnn_out_write(&z->out, r.b, r.n);
  }
  int64_t size = z->out.at - start, end = z->out.at;
  bool big = start >= 0xffffffff || size >= 0xffffffff || z->n >= 0xffff;
  Record r = {.n = 0};
  uint64_t n = (uint64_t)z->n;
  if (big) {
    put(&r, 0x06064b50, 4), put(&r, 44, 8), put(&r, 45, 2), put(&r, 45, 2), put(&r, 0, 4), put(&r, 0, 4);
    put(&r, n, 8), put(&r, n, 8), put(&r, (uint64_t)size, 8), put(&r, (uint64_t)start, 8);
    put(&r, 0x07064b50, 4), put(&r, 0, 4), put(&r, (uint64_t)end, 8), put(&r, 1, 4);
  }
  put(&r, 0x06054b50, 4), put(&r, 0, 4), put(&r, big ? 0xffff : n, 2), put(&r, big ? 0xffff : n, 2);
  put(&r, big ? 0xffffffff : (uint64_t)size, 4), put(&r, big ? 0xffffffff : (uint64_t)start, 4), put(&r, 0, 2);
  dnn_out_write(&z->out, r.b, r.n);
  free_entries(z);
  return dnn_out_close(&z->out, e);
}

void dnn_npz_cancel(DnnNpzOut *z) {
  free_entries(z);
  dnn_out_cancel(&z->out);
}
