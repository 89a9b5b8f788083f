#include "runtime_files.h"
#include "runtime/core/tensor_file.h"

static const int64_t shape[2] = {5, 40};
static float values[200];

static const char *write_archive(const char *name, bool deflate) {
  DnnNpzOut z;
  DnnError e;
  const char *path = in_folder(name);
  int32_t three = 3;
  for (int i = 0; i < 200; i++) values[i] = (float)(i % 17);
  assert_true(dnn_npz_create(path, deflate, &z, &e));
  assert_true(dnn_npz_add(&z, "net.w", DNN_F32, 2, shape, values, &e));
  assert_true(dnn_npz_add(&z, "n", DNN_I32, 0, NULL, &three, &e));
  assert_true(dnn_npz_finish(&z, &e));
  return path;
}

static void there_and_back(void **state) {
  (void)state;
  for (int deflate = 0; deflate < 2; deflate++) {
    DnnNpz z;
    DnnError e;
    DnnTensor t;
    const char *path = write_archive("a.npz", deflate);
    assert_true(dnn_npz_open(path, &z, &e));
    assert_int_equal(z.n, 2);
    assert_int_equal(z.entries[0].method, deflate ? 8 : 0);
    assert_int_equal(dnn_npz_find(&z, "x"), -1);
    assert_true(dnn_npz_read(&z, dnn_npz_find(&z, "net.w"), &t, &e));
    assert_int_equal(t.rank, 2);
    assert_memory_equal(t.data, values, sizeof values);
    dnn_tensor_free(&t);
    assert_true(dnn_npz_read(&z, dnn_npz_find(&z, "n"), &t, &e));
    assert_int_equal(*(int32_t *)t.data, 3);
    dnn_tensor_free(&t);
    dnn_npz_close(&z);
  }
}

static void numpy_agrees(void **state) {
  (void)state;
  if (system("/usr/bin/python3 -c 'import numpy' 2>/dev/null")) skip();
  char command[600];
  write_archive("b.npz", true);
  snprintf(command, sizeof command,
           "/usr/bin/python3 -c \"import numpy as np; a = np.load('%s/b.npz'); assert a['net.w'].shape == (5, 40); "
           "assert a['net.w'][0, 16] == 16 and a['n'] == 3; "
           "np.savez_compressed('%s/c.npz', x=np.asfortranarray(np.arange(6.).reshape(2, 3)))\"",
           folder, folder);
  assert_int_equal(system(command), 0);
  DnnError e;
  DnnTensor t;
  assert_true(dnn_tensor_read(in_folder("c.npz:x"), &t, &e));
  assert_int_equal(t.dtype, DNN_F64);
  for (int i = 0; i < 6; i++) assert_true(((double *)t.data)[i] == i);
  dnn_tensor_free(&t);
}

static int read_all(const char *path) {
  DnnNpz z;
  DnnError e;
  DnnTensor t;
  if (!dnn_npz_open(path, &z, &e)) return 0;
  int good = 0;
  for (int i = 0; i < z.n; i++)
    if (dnn_npz_read(&z, i, &t, &e)) good++, dnn_tensor_free(&t);
  dnn_npz_close(&z);
  return good == 2;
}

static void damaged(void **state) {
  (void)state;
  size_t n;
  for (int deflate = 0; deflate < 2; deflate++) {
    unsigned char *bytes = get_file(write_archive("d.npz", deflate), &n);
    assert_true(hostile("x.npz", bytes, n, read_all) < 700); /* only what no checksum covers: names, dates, versions */
  }
  DnnNpz z;
  DnnError e;
  assert_false(dnn_npz_open(put_text("t.npz", "PK\x05\x06 is not enough"), &z, &e));
  assert_says(&e, "t.npz");
  DnnTensor t;
  write_archive("d.npz", 0);
  assert_false(dnn_tensor_read(in_folder("d.npz:other"), &t, &e));
  assert_says(&e, "net.w");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(there_and_back), cmocka_unit_test(numpy_agrees),
                                     cmocka_unit_test(damaged)};
  return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
