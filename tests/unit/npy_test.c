#include "runtime_files.h"
#include "runtime/core/tensor_file.h"
#include <math.h>

static const int64_t shape[3] = {2, 3, 4};

static void every_dtype(void **state) {
  (void)state;
  for (int dtype = 0; dtype < DNN_DTYPES; dtype++) {
    unsigned char data[24 * 8];
    for (int i = 0; i < 24; i++) dnn_put(data, dtype, i, dtype == DNN_BOOL ? i % 2 : dtype == DNN_U8 ? i * 10 : i - 12);
    DnnError e;
    DnnTensor t;
    assert_true(dnn_npy_write(in_folder("a.npy"), dtype, 3, shape, data, &e));
    assert_true(dnn_npy_read(in_folder("a.npy"), &t, &e));
    assert_int_equal(t.dtype, dtype == DNN_BF16 ? DNN_F32 : dtype);
    assert_int_equal(t.rank, 3);
    assert_memory_equal(t.shape, shape, sizeof shape);
    for (int i = 0; i < 24; i++) assert_true(dnn_get(t.data, t.dtype, i) == dnn_get(data, dtype, i));
    dnn_tensor_free(&t);
  }
}

/* A file as NumPy writes it. */
static const char *made(const char *header, const void *data, size_t n) {
  unsigned char b[1024] = "\x93NUMPY\x01\x00";
  size_t h = strlen(header);
  b[8] = (unsigned char)(h & 255), b[9] = (unsigned char)(h >> 8);
  memcpy(b + 10, header, h);
  memcpy(b + 10 + h, data, n);
  return put_file("m.npy", b, 10 + h + n);
}

static void fortran_and_swapped(void **state) {
  (void)state;
  DnnError e;
  DnnTensor t;
  const int32_t columns[6] = {1, 4, 2, 5, 3, 6};
  assert_true(dnn_npy_read(made("{'descr': '<i4', 'fortran_order': True, 'shape': (2, 3), }\n", columns, 24), &t, &e));
  for (int i = 0; i < 6; i++) assert_int_equal(((int32_t *)t.data)[i], i + 1);
  dnn_tensor_free(&t);
  const unsigned char big[8] = {0xff, 0xfe, 0x01, 0x02, 0, 0, 0x80, 0};
  assert_true(dnn_npy_read(made("{'descr': '>i2', 'fortran_order': False, 'shape': (4,), }\n", big, 8), &t, &e));
  assert_int_equal(t.dtype, DNN_I32);
  const int32_t want[4] = {-2, 258, 0, -32768};
  assert_memory_equal(t.data, want, 16);
  dnn_tensor_free(&t);
  const uint16_t u2[2] = {65535, 7};
  assert_true(dnn_npy_read(made("{'descr': '<u2', 'fortran_order': False, 'shape': (2,), }\n", u2, 4), &t, &e));
  assert_int_equal(((int32_t *)t.data)[0], 65535);
  dnn_tensor_free(&t);
  const float f = 2.5f;
  assert_true(dnn_npy_read(made("{'descr': '<f4', 'fortran_order': False, 'shape': (), }\n", &f, 4), &t, &e));
  assert_int_equal(t.rank, 0);
  assert_true(((float *)t.data)[0] == 2.5f);
  dnn_tensor_free(&t);
}

static void refused(const char *header, size_t n, const char *word) {
  static const unsigned char zeros[512];
  unsigned char data[512];
  memcpy(data, zeros, 512);
  if (n == 8 && strstr(header, "u8")) memset(data, 0xff, 8);
  DnnError e;
  DnnTensor t;
  assert_false(dnn_npy_read(made(header, data, n), &t, &e));
  assert_says(&e, word);
  assert_says(&e, "m.npy");
}

static void refusals(void **state) {
  (void)state;
  refused("{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999, 9999999999), }\n", 16, "damaged");
  refused("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904,), }\n", 16, "damaged");
  refused("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }\n", 16, "4 bytes follow");
  refused("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }\n", 8, "more data");
  refused("{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }\n", 8, "c8");
  refused("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n", 8, "|O");
  refused("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }\n", 4, "records");
  refused("{'fortran_order': False, 'shape': (1,), }\n", 4, "lacks");
  refused("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }\n", 4, "shape");
  refused("{'descr': '<f4', 'fortran_order': False, 'shape': (1", 4, "shape");
  refused("{'descr': '<u8', 'fortran_order': False, 'shape': (1,), }\n", 8, "i64");
  DnnError e;
  DnnTensor t;
  assert_false(dnn_npy_read(in_folder("none.npy"), &t, &e));
  assert_says(&e, "none.npy");
  assert_false(dnn_npy_read(folder, &t, &e));
}

static int read_one(const char *path) {
  DnnError e;
  DnnTensor t;
  bool ok = dnn_npy_read(path, &t, &e);
  if (ok) dnn_tensor_free(&t);
  return ok;
}

static void damaged(void **state) {
  (void)state;
  DnnError e;
  int16_t data[24] = {0};
  size_t n;
  assert_true(dnn_npy_write(in_folder("h.npy"), DNN_F16, 3, shape, data, &e));
  static unsigned char copy[4096];
  memcpy(copy, get_file(in_folder("h.npy"), &n), sizeof copy);
  int accepted = hostile("x.npy", copy, n, read_one);
  assert_true(accepted < (int)(n * 4)); /* changed numbers are still numbers, a changed frame is not */
  for (size_t k = 0; k < n; k++) assert_false(read_one(put_file("cut.npy", copy, k)));
}

static void half_floats(void **state) {
  (void)state;
  for (uint32_t h = 0; h < 65536; h++) {
    float f = dnn_f16_to_f32((uint16_t)h);
    if (f == f) assert_int_equal(dnn_f32_to_f16(f), h);
    else assert_true(isnan(dnn_f16_to_f32(dnn_f32_to_f16(f))));
  }
  assert_int_equal(dnn_f32_to_f16(65519.0f), 0x7bff);
  assert_int_equal(dnn_f32_to_f16(65520.0f), 0x7c00);
  assert_int_equal(dnn_f32_to_f16(1 + 0x1p-11f), 0x3c00); /* a tie goes to even */
  assert_int_equal(dnn_f32_to_f16(1 + 3 * 0x1p-11f), 0x3c02);
  uint16_t b;
  dnn_put(&b, DNN_BF16, 0, 1.0 + 0x1p-8);
  assert_int_equal(b, 0x3f80);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_dtype), cmocka_unit_test(fortran_and_swapped), cmocka_unit_test(refusals),
      cmocka_unit_test(damaged),     cmocka_unit_test(half_floats),
  };
  return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
