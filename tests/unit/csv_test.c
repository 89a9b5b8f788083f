#include "runtime_files.h"
#include "runtime/core/tensor_file.h"

/* Column `name` of `text` read as `dtype`; NULL data when it is refused. */
static DnnTensor column(const char *text, const char *name, int dtype, DnnError *e) {
  DnnCsv c;
  DnnTensor t = {0};
  int32_t k;
  int64_t first;
  if (!dnn_csv_open(put_text("t.csv", text), &c, e)) return t;
  if (!dnn_csv_column(&c, name, &k, &first, e) || !dnn_csv_read(&c, k, first, dtype, &t, e)) t.data = NULL;
  dnn_csv_close(&c);
  return t;
}

static void assert_column(const char *text, const char *name, int n, const float *want) {
  DnnError e;
  DnnTensor t = column(text, name, DNN_F32, &e);
  if (!t.data) fail_msg("%s", e.text);
  assert_int_equal(t.shape[0], n);
  for (int i = 0; i < n; i++) assert_true(((float *)t.data)[i] == want[i]);
  dnn_tensor_free(&t);
}

static void tables(void **state) {
  (void)state;
  const float b[] = {2, 4.5f};
  assert_column("a,b\n1,2\n3,4.5\n", "b", 2, b);
  assert_column("a,b\r\n1,2\r\n3,4.5", "b", 2, b);
  assert_column("a,b\r\n1,2\r\n\r\n3,4.5\r\n", "1", 2, b);
  assert_column("1,2\n3,4.5\n", "1", 2, b);
  assert_column("\"a \"\"x\"\"\",\"b, c\"\n\"line\nbreak\",2\n3,4.5\n", "b, c", 2, b);
  assert_column("a;b\n1;2\n3;4.5\n", "b", 2, b);
  assert_column("a\tb\n1\t2\n3\t4.5\n", "b", 2, b);
  assert_column("\xef\xbb\xbf"
                "b,a\n2,1\n 4.5 ,3\n",
                "b", 2, b);
}

static void whole_numbers(void **state) {
  (void)state;
  DnnError e;
  DnnTensor t = column("kind,n\nred,1\nblue,2.0\nred,300\n", "kind", DNN_I32, &e);
  const int32_t kinds[] = {1, 0, 1};
  assert_non_null(t.data);
  assert_memory_equal(t.data, kinds, sizeof kinds);
  dnn_tensor_free(&t);
  t = column("kind,n\nred,1\nblue,2.0\nred,300\n", "n", DNN_I32, &e);
  const int32_t n[] = {1, 2, 300};
  assert_non_null(t.data);
  assert_memory_equal(t.data, n, sizeof n);
  dnn_tensor_free(&t);
  t = column("a\n9223372036854775807\n", "a", DNN_I64, &e);
  assert_true(*(int64_t *)t.data == INT64_MAX);
  dnn_tensor_free(&t);
}

static void refused(const char *text, const char *name, int dtype, const char *word) {
  DnnError e = {{0}};
  DnnTensor t = column(text, name, dtype, &e);
  assert_null(t.data);
  assert_says(&e, word);
  assert_says(&e, "t.csv");
}

static void refusals(void **state) {
  (void)state;
  refused("a,b\n1,2\n3\n", "a", DNN_F32, ":3: has 1 columns, the first line has 2");
  refused("a,b\n1,\"2\n3,4\n", "a", DNN_F32, ":2: the quote");
  refused("a,b\n1,\"2\"x\n", "a", DNN_F32, "closing quote");
  refused("a,b\n1,?\n2,3\n", "b", DNN_F32, ":2: column 1 is `?`");
  refused("a,b\n1,?\n2,3\n", "b", DNN_I32, ":2: column 1 is `?`");
  refused("a\n1\n300\n", "a", DNN_U8, ":3: column 0 is 300");
  refused("a\n1.5\n", "a", DNN_I32, "whole number");
  refused("a,b\n1,2\n", "c", DNN_F32, "its columns are a, b");
  refused("", "a", DNN_F32, "is empty");
}

static int read_one(const char *path) {
  DnnCsv c;
  DnnError e;
  DnnTensor t;
  int32_t k;
  int64_t first;
  if (!dnn_csv_open(path, &c, &e)) return 0;
  bool ok = dnn_csv_column(&c, "b", &k, &first, &e) && dnn_csv_read(&c, k, first, DNN_I8, &t, &e);
  if (ok) dnn_tensor_free(&t);
  dnn_csv_close(&c);
  return ok;
}

static void damaged(void **state) {
  (void)state;
  static const char text[] = "a,\"b\"\r\n\"x\"\"y\",2\r\n\"z\n\",-4\r\n";
  hostile("x.csv", (const unsigned char *)text, sizeof text - 1, read_one);
  DnnCsv c;
  DnnError e;
  assert_false(dnn_csv_open(put_file("zero.csv", "a,b\n1,\0\n", 8), &c, &e));
  assert_says(&e, "not text");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(tables), cmocka_unit_test(whole_numbers),
                                     cmocka_unit_test(refusals), cmocka_unit_test(damaged)};
  return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
