#include "runtime_files.h"
#include "runtime/core/tensor_file.h"
#include <zlib.h>

static const unsigned char images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2,  0,  0,
                                       0, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

static void bytes(void **state) {
  (void)state;
  DnnError e;
  DnnTensor t;
  assert_true(dnn_idx_read(put_file("a-idx3", images, sizeof images), &t, &e));
  assert_int_equal(t.rank, 3);
  assert_int_equal(t.shape[2], 3);
  assert_memory_equal(t.data, images + 16, 12);
  dnn_tensor_free(&t);
}

static void other_types(void **state) {
  (void)state;
  DnnError e;
  DnnTensor t;
  const unsigned char i2[] = {0, 0, 11, 1, 0, 0, 0, 2, 0xff, 0xfe, 1, 0};
  assert_true(dnn_idx_read(put_file("b", i2, sizeof i2), &t, &e));
  assert_int_equal(t.dtype, DNN_I32);
  assert_int_equal(((int32_t *)t.data)[0], -2);
  assert_int_equal(((int32_t *)t.data)[1], 256);
  dnn_tensor_free(&t);
  const unsigned char f4[] = {0, 0, 13, 1, 0, 0, 0, 1, 0x3f, 0x80, 0, 0};
  assert_true(dnn_idx_read(put_file("c", f4, sizeof f4), &t, &e));
  assert_true(((float *)t.data)[0] == 1.0f);
  dnn_tensor_free(&t);
  const unsigned char f8[] = {0, 0, 14, 1, 0, 0, 0, 1, 0x40, 0, 0, 0, 0, 0, 0, 0};
  assert_true(dnn_idx_read(put_file("d", f8, sizeof f8), &t, &e));
  assert_true(((double *)t.data)[0] == 2.0);
  dnn_tensor_free(&t);
}

static const char *put_gz(const char *name) {
  const char *path = in_folder(name);
  gzFile g = gzopen(path, "wb");
  assert_int_equal(gzwrite(g, images, sizeof images), sizeof images);
  gzclose(g);
  return path;
}

static int read_one(const char *path) {
  DnnError e;
  DnnTensor t;
  bool ok = dnn_idx_read(path, &t, &e);
  if (ok) dnn_tensor_free(&t);
  else assert_non_null(strstr(e.text, path));
  return ok;
}

static void packed(void **state) {
  (void)state;
  size_t n;
  static unsigned char copy[4096];
  assert_true(read_one(put_gz("e.gz")));
  memcpy(copy, get_file(in_folder("e.gz"), &n), sizeof copy);
  for (size_t k = 0; k < n; k++) assert_false(read_one(put_file("cut.gz", copy, k)));
  hostile("x.gz", copy, n, read_one);
}

static void damaged(void **state) {
  (void)state;
  DnnError e;
  DnnTensor t;
  for (size_t k = 0; k < sizeof images; k++) assert_false(read_one(put_file("cut", images, k)));
  hostile("x", images, sizeof images, read_one);
  unsigned char huge[16] = {0, 0, 8, 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  assert_false(dnn_idx_read(put_file("huge", huge, 16), &t, &e));
  assert_says(&e, "damaged");
  unsigned char type[8] = {0, 0, 7, 1, 0, 0, 0, 0};
  assert_false(dnn_idx_read(put_file("type", type, 8), &t, &e));
  assert_says(&e, "type 7");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(bytes), cmocka_unit_test(other_types), cmocka_unit_test(packed),
                                     cmocka_unit_test(damaged)};
  return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
