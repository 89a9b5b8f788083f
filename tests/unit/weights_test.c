#include "runtime_files.h"
#include "runtime/core/flat.h"
#include "runtime/core/tensor_file.h"
#include "runtime/core/weights.h"
#include "runtime/core/xxh64.h"

static const int64_t w_shape[] = {2, 3}, m_shape[] = {2, 3};
static const DnnCell cells[] = {
    {"net.fc.w", DNN_F32, 2, DNN_PARAM, w_shape, 0, 24, NULL, NULL},
    {"net.count", DNN_I32, 0, DNN_STATE, NULL, 64, 4, NULL, NULL},
    {"learn.0.m.net.fc.w", DNN_F32, 2, DNN_OPT, m_shape, 128, 24, NULL, NULL},
};
static const DnnProgram program = {.name = "test", .cell_bytes = 192, .n_cells = 3, .cells = cells};

static void fill(unsigned char *memory) {
  memset(memory, 0, 192);
  for (int i = 0; i < 6; i++) dnn_put(memory, DNN_F32, i, i + 0.5), dnn_put(memory + 128, DNN_F32, i, -i);
  dnn_put(memory + 64, DNN_I32, 0, 42);
}

static const char *saved(const char *name, int kinds) {
  unsigned char memory[192];
  DnnError e;
  const char *path = in_folder(name);
  fill(memory);
  assert_true(dnn_weights_save(&program, memory, kinds, path, &e));
  return path;
}

static void there_and_back(void **state) {
  (void)state;
  unsigned char want[192], got[192] = {0};
  uint8_t given[3];
  DnnWeights w;
  DnnError e;
  fill(want);
  assert_true(dnn_weights_open(saved("a.dnnw", 7), &w, &e));
  assert_int_equal(w.n, 3);
  assert_string_equal(w.program, "test");
  assert_int_equal(w.rows[2].kind, DNN_OPT);
  for (int i = 0; i < 3; i++) assert_int_equal(w.rows[i].offset % 64, 0);
  assert_true(dnn_weights_given(&program, &w, given));
  assert_true(dnn_weights_load(&program, got, NULL, &w, &e));
  assert_memory_equal(want, got, 192);
  dnn_weights_close(&w);
  memset(got, 0, 192);
  assert_true(dnn_weights_open(saved("b.dnnw", DNN_SAVE_PARAM | DNN_SAVE_STATE), &w, &e));
  assert_int_equal(w.n, 2);
  assert_false(dnn_weights_given(&program, &w, given)); /* the optimiser's state keeps its initial value */
  assert_true(given[0] && given[1] && !given[2]);
  assert_true(dnn_weights_load(&program, got, NULL, &w, &e));
  assert_memory_equal(want, got, 128);
  assert_int_equal(got[131], 0);
  dnn_weights_close(&w);
  char command[300];
  snprintf(command, sizeof command, "test $(ls '%s' | grep -c tmp) = 0", folder);
  assert_int_equal(system(command), 0); /* no temporary is left */
}

static void differences(void **state) {
  (void)state;
  static const int64_t other_shape[] = {3, 2};
  const float some[6] = {0};
  const DnnWeight rows[] = {
      {.path = "net.fc.w", .dtype = DNN_F32, .rank = 2, .shape = {3, 2}, .data = (const unsigned char *)some},
      {.path = "net.extra", .dtype = DNN_F32, .rank = 1, .shape = {6}, .data = (const unsigned char *)some},
  };
  (void)other_shape;
  unsigned char got[192] = {0}, zeros[192] = {0};
  DnnWeights w;
  DnnError e;
  assert_true(dnn_weights_write(in_folder("d.dnnw"), NULL, rows, 2, &e));
  assert_true(dnn_weights_open(in_folder("d.dnnw"), &w, &e));
  assert_false(dnn_weights_load(&program, got, NULL, &w, &e));
  assert_says(&e, "net.fc.w: the program has f32[2, 3], the file f32[3, 2]");
  assert_says(&e, "net.count: i32[] is missing in the file");
  assert_says(&e, "net.extra: is in the file only");
  assert_memory_equal(got, zeros, 192);
  assert_false(dnn_weights_load(&program, got, "net.fc", &w, &e));
  assert_null(strstr(e.text, "net.count"));
  dnn_weights_close(&w);
}

static char *found(void *user, const char *name) {
  (void)user;
  return strdup(in_folder(name));
}

static void initial(void **state) {
  (void)state;
  DnnCell from[3];
  memcpy(from, cells, sizeof cells);
  from[0].load_file = "i.dnnw", from[0].load_path = "net.fc.w";
  DnnProgram p = program;
  p.cells = from;
  unsigned char got[192] = {0}, want[192];
  DnnError e;
  fill(want);
  saved("i.dnnw", DNN_SAVE_PARAM);
  assert_true(dnn_weights_initial(&p, got, found, NULL, &e));
  assert_memory_equal(got, want, 24);
  assert_int_equal(got[64], 0);
  from[0].load_path = "nothing.w";
  assert_false(dnn_weights_initial(&p, got, found, NULL, &e));
  assert_says(&e, "net.fc.w");
}

static int read_one(const char *path) {
  DnnWeights w;
  DnnError e;
  bool ok = dnn_weights_open(path, &w, &e);
  if (ok) dnn_weights_close(&w);
  return ok;
}

/* Another process shortens the file, or writes other bytes into it, between its check and what is taken from it. */
static void changed_meanwhile(void **state) {
  (void)state;
  unsigned char want[192], got[192] = {0};
  DnnWeights w;
  DnnError e;
  fill(want);
  const char *path = saved("m.dnnw", 7);
  assert_true(dnn_weights_open(path, &w, &e));
  assert_int_equal(truncate(path, 0), 0);
  assert_true(dnn_weights_load(&program, got, NULL, &w, &e));
  assert_memory_equal(want, got, 192);
  dnn_weights_close(&w);
}

static void damaged(void **state) {
  (void)state;
  size_t n;
  unsigned char copy[4096];
  memcpy(copy, get_file(saved("h.dnnw", 7), &n), sizeof copy);
  assert_true(n < 4096);
  for (size_t k = 0; k < n; k++) assert_false(read_one(put_file("cut.dnnw", copy, k)));
  assert_int_equal(hostile("x.dnnw", copy, n, read_one), 0);
  DnnWeights w;
  DnnError e;
  assert_false(dnn_weights_open(put_text("t.dnnw", "this is a text file"), &w, &e));
  assert_says(&e, "is not a weights file");
}

/* Every bit of the table changed, its checksum made good again: what is left is the verifier. */
static void forged(void **state) {
  (void)state;
  size_t n;
  static unsigned char copy[4096];
  bool ok = true;
  memcpy(copy, get_file(saved("g.dnnw", 7), &n), sizeof copy);
  DnnFlat f = {copy, (int64_t)n};
  int64_t root = dnn_flat_root(f, "DNNW", &ok), sum = dnn_flat_field(f, root, 1, 8, &ok);
  int64_t bytes = (int64_t)dnn_flat_number(f, root, 2, 8, &ok);
  assert_true(ok && sum && bytes > 200 && bytes < (int64_t)n);
  for (int64_t k = 0; k < bytes * 8; k++) {
    if (k / 8 >= sum && k / 8 < sum + 8) continue;
    copy[k / 8] ^= (unsigned char)(1 << k % 8);
    memset(copy + sum, 0, 8);
    uint64_t good = dnn_xxh64(copy, bytes, 0);
    memcpy(copy + sum, &good, 8);
    DnnWeights w;
    DnnError e;
    unsigned char memory[192];
    if (dnn_weights_open_memory("forged", copy, (int64_t)n, &w, &e)) {
      dnn_weights_load(&program, memory, NULL, &w, &e);
      dnn_weights_close(&w);
    }
    copy[k / 8] ^= (unsigned char)(1 << k % 8);
  }
}

/* An independent reader: flatc and the schema. */
static void flatc_reads_it(void **state) {
  (void)state;
  if (system("flatc --version > /dev/null 2>&1")) skip();
  char command[800], text[16384] = "";
  char path[256];
  snprintf(path, sizeof path, "%s/schema/dnn.fbs", TEST_ROOT);
  saved("f.dnnw", 7);
  snprintf(command, sizeof command, "cd '%s' && flatc --json --strict-json -o . '%s' -- f.dnnw", folder, path);
  assert_int_equal(system(command), 0);
  size_t n;
  memcpy(text, get_file(in_folder("f.json"), &n), 16000);
  text[n < 16000 ? n : 16000] = 0;
  char sum[64];
  float first[6];
  for (int i = 0; i < 6; i++) first[i] = (float)i + 0.5f;
  snprintf(sum, sizeof sum, "\"checksum\": %llu", (unsigned long long)dnn_xxh64(first, 24, 0));
  static const char *const words[] = {"\"version\": 1",
                                      "\"program\": \"test\"",
                                      "\"path\": \"net.fc.w\"",
                                      "\"dtype\": \"f32\"",
                                      "\"path\": \"learn.0.m.net.fc.w\"",
                                      "\"kind\": \"opt\"",
                                      "\"kind\": \"state\"",
                                      "\"dtype\": \"i32\"",
                                      "\"bytes\": 24"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (!strstr(text, words[i])) fail_msg("flatc does not see %s in %s", words[i], text);
  assert_non_null(strstr(text, sum));
}

static void npz(void **state) {
  (void)state;
  DnnWeights w;
  DnnError e;
  unsigned char want[192], got[192] = {0};
  fill(want);
  assert_true(dnn_weights_open(saved("n.dnnw", 7), &w, &e));
  assert_true(dnn_weights_to_npz(&w, in_folder("n.npz"), true, &e));
  dnn_weights_close(&w);
  assert_true(dnn_weights_from_npz(in_folder("n.npz"), in_folder("back.dnnw"), &e));
  assert_true(dnn_weights_open(in_folder("back.dnnw"), &w, &e));
  assert_true(dnn_weights_load(&program, got, NULL, &w, &e));
  assert_memory_equal(want, got, 192);
  dnn_weights_close(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(there_and_back),
                                     cmocka_unit_test(differences),
                                     cmocka_unit_test(initial),
                                     cmocka_unit_test(changed_meanwhile),
                                     cmocka_unit_test(damaged),
                                     cmocka_unit_test(forged),
                                     cmocka_unit_test(flatc_reads_it),
                                     cmocka_unit_test(npz)};
  return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
