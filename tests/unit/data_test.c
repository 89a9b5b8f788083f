/* Data sets on hand-written program tables: sources, data from data, batches. */
#include "runtime_files.h"
#include "runtime/core/data_set.h"
#include "runtime/core/draw.h"
#include "runtime/core/tensor_file.h"

#define CONST_AXIS(n)                                                                                                  \
  { -1, 0, n }
static const DnnAxis image_axes[] = {CONST_AXIS(2), CONST_AXIS(3)}, four[] = {CONST_AXIS(4)},
                     side28[] = {CONST_AXIS(28), CONST_AXIS(28)};
static const DnnPort pair[] = {{"image", DNN_U8, 2, image_axes, CONST_AXIS(0), NULL},
                               {"label", DNN_I32, 0, NULL, CONST_AXIS(10), NULL}};
static const DnnPort digit[] = {{"image", DNN_U8, 2, side28, CONST_AXIS(0), NULL},
                                {"label", DNN_U8, 0, NULL, CONST_AXIS(10), NULL}};
static const DnnPort token[] = {{"id", DNN_I32, 0, NULL, CONST_AXIS(128), NULL}};
static const DnnPort window[] = {{"id", DNN_I32, 1, four, CONST_AXIS(0), NULL}};
static const DnnPort number[] = {{"v", DNN_F32, 0, NULL, CONST_AXIS(0), NULL}};
static const DnnPort other[] = {{"w", DNN_F32, 0, NULL, CONST_AXIS(0), NULL}};
static const DnnPort both[] = {{"v", DNN_F32, 0, NULL, CONST_AXIS(0), NULL},
                               {"w", DNN_F32, 0, NULL, CONST_AXIS(0), NULL}};
static const DnnPort kind[] = {{"v", DNN_F32, 0, NULL, CONST_AXIS(0), NULL},
                               {"kind", DNN_I32, 0, NULL, CONST_AXIS(0), NULL}};
static const DnnPort kinds[] = {{"v", DNN_F32, 1, four, CONST_AXIS(0), NULL},
                                {"kind", DNN_I32, 1, four, CONST_AXIS(0), NULL}};
static const DnnPort yes[] = {{"keep", DNN_BOOL, 0, NULL, CONST_AXIS(0), NULL}};

static void no_sizes(const int64_t *vars, int64_t *sizes) { (void)vars, (void)sizes; }
static int made_calls;
static int make_v(DnnContext *c, const int64_t *vars, const void *const *in, void *const *out) {
  (void)vars, (void)in;
  made_calls++;
  *(float *)out[0] = (float)c->step * 10;
  return 0;
}
static int v_to_w(DnnContext *c, const int64_t *vars, const void *const *in, void *const *out) {
  (void)c, (void)vars;
  *(float *)out[0] = *(const float *)in[0] + 1;
  return 0;
}
static int v_is_even(DnnContext *c, const int64_t *vars, const void *const *in, void *const *out) {
  (void)c, (void)vars;
  *(unsigned char *)out[0] = (int)*(const float *)in[0] % 20 == 0;
  return 0;
}
enum { E_MAKE, E_MAP, E_FILTER, E_STEP, E_IMAGES };
static const DnnAxis batch_axes[] = {{0, 1, 0}}, batch_image[] = {{0, 1, 0}, CONST_AXIS(2), CONST_AXIS(3)};
static const DnnVar small_batch[] = {{"B", 4}};
static const DnnPort step_in[] = {{"v", DNN_F32, 1, batch_axes, CONST_AXIS(0), NULL},
                                  {"row", DNN_I32, 1, batch_axes, CONST_AXIS(0), NULL}};
static const DnnPort image_in[] = {{"image", DNN_U8, 3, batch_image, CONST_AXIS(0), NULL},
                                   {"label", DNN_I32, 1, batch_axes, CONST_AXIS(0), NULL}};
static void step_sizes(const int64_t *vars, int64_t *sizes) { sizes[0] = sizes[1] = vars[0]; }
static void image_sizes(const int64_t *vars, int64_t *sizes) {
  sizes[0] = sizes[3] = vars[0], sizes[1] = 2, sizes[2] = 3;
}
static const DnnEntry entries[] = {
    {"make", DNN_RECORD, 0, 0, 0, 1, 0, NULL, NULL, number, no_sizes, make_v},
    {"plus", DNN_RECORD, 0, 0, 1, 1, 0, NULL, number, other, no_sizes, v_to_w},
    {"even", DNN_RECORD, 0, 0, 1, 1, 0, NULL, number, yes, no_sizes, v_is_even},
    {"learn", DNN_STEP, 0, 1, 2, 0, 0, small_batch, step_in, NULL, step_sizes, NULL},
    {"look", DNN_STEP, 0, 1, 2, 0, 0, small_batch, image_in, NULL, image_sizes, NULL},
};

static const DnnDataArg a_idx[] = {{"image", 's', 0, 0, "set/*-images"}, {"label", 's', 0, 0, "set/*-labels"}};
static const DnnDataArg a_train[] = {{NULL, 'd', 0, 0, NULL}, {NULL, 's', 0, 0, "train"}};
static const DnnDataArg a_test[] = {{NULL, 'd', 0, 0, NULL}, {NULL, 's', 0, 0, "test"}};
static const DnnDataArg a_digits[] = {{"train", 'i', 0, 30, NULL}, {"test", 'i', 0, 10, NULL}};
static const DnnDataArg a_part[] = {{NULL, 'd', 3, 0, NULL}, {NULL, 's', 0, 0, "test"}};
static const DnnDataArg a_text[] = {{NULL, 's', 0, 0, "text.txt"}, {NULL, 't', 0, 0, NULL}};
static const DnnTokens byte_tokens[] = {{.kind = DNN_TOKENS_BYTES, .name = "bytes", .size = 256}};
static const DnnDataArg a_windows[] = {{NULL, 'd', 5, 0, NULL}, {NULL, 'i', 0, 4, NULL}, {NULL, 'i', 0, 2, NULL}};
static const DnnDataArg a_generate[] = {{NULL, 'i', 0, 10, NULL}, {NULL, 'e', E_MAKE, 0, NULL}};
static const DnnDataArg a_map[] = {{NULL, 'd', 7, 0, NULL}, {NULL, 'e', E_MAP, 0, NULL}};
static const DnnDataArg a_filter[] = {{NULL, 'd', 7, 0, NULL}, {NULL, 'e', E_FILTER, 0, NULL}};
static const DnnDataArg a_drop[] = {{NULL, 'd', 7, 0, NULL}, {NULL, 'i', 0, 3, NULL}};
static const DnnDataArg a_take[] = {{NULL, 'd', 10, 0, NULL}, {NULL, 'i', 0, 5, NULL}};
static const DnnDataArg a_zip[] = {{NULL, 'd', 11, 0, NULL}, {NULL, 'd', 8, 0, NULL}};
static const DnnDataArg a_chain[] = {{NULL, 'd', 11, 0, NULL}, {NULL, 'd', 9, 0, NULL}};
static const DnnDataArg a_split[] = {{NULL, 'd', 7, 0, NULL}, {"a", 'f', 0, 0.7, NULL}, {"b", 'f', 0, 0.3, NULL}};
static const DnnDataArg a_share[] = {{NULL, 'd', 14, 0, NULL}, {NULL, 's', 0, 0, "a"}};
static const DnnDataArg a_rest[] = {{NULL, 'd', 14, 0, NULL}, {NULL, 's', 0, 0, "b"}};
static const DnnDataArg a_endless[] = {{NULL, 'i', 0, -1, NULL}, {NULL, 'e', E_MAKE, 0, NULL}};
static const DnnDataArg a_csv[] = {
    {NULL, 's', 0, 0, "table.csv"}, {"v", 's', 0, 0, "value"}, {"kind", 's', 0, 0, "kind"}};
static const DnnDataArg a_groups[] = {{NULL, 'd', 18, 0, NULL}, {NULL, 's', 0, 0, "kind"}, {NULL, 'i', 0, 4, NULL}};
static const DnnDataArg a_columns[] = {{"v", 's', 0, 0, "table.csv:value"}, {"kind", 's', 0, 0, "table.csv:kind"}};

#define ROW(op, args, fields)                                                                                          \
  { DNN_DATA_##op, #op, "t.dnn:7", sizeof args / sizeof *args, sizeof fields / sizeof *fields, 0, args, fields, NULL }
static DnnData rows[] = {
    {DNN_DATA_idx, "set", "t.dnn:7", 2, 2, 0, a_idx, pair, NULL}, /* 0 */
    ROW(part, a_train, pair),
    ROW(part, a_test, pair), /* 1 2 */
    ROW(digits, a_digits, digit),
    ROW(part, a_part, digit), /* 3 4 */
    ROW(text, a_text, token),
    ROW(windows, a_windows, window), /* 5 6 */
    ROW(generate, a_generate, number),
    ROW(map, a_map, other),
    ROW(filter, a_filter, number), /* 7 8 9 */
    ROW(drop, a_drop, number),
    ROW(take, a_take, number),
    ROW(zip, a_zip, both),
    ROW(chain, a_chain, number), /* 10 .. 13 */
    ROW(split, a_split, number),
    ROW(part, a_share, number),
    ROW(part, a_rest, number), /* 14 15 16 */
    ROW(generate, a_endless, number),
    ROW(csv, a_csv, kind),
    ROW(groups, a_groups, kinds), /* 17 18 19 */
    ROW(columns, a_columns, kind),
    ROW(columns, a_columns, kinds), /* 20 21 */
};
static const char *error_text(const DnnContext *c) {
  (void)c;
  return "failed";
}
static const DnnProgram program = {.name = "t",
                                   .arena_bytes = 64,
                                   .n_entries = 5,
                                   .n_data = sizeof rows / sizeof *rows,
                                   .entries = entries,
                                   .data = rows,
                                   .tokens = byte_tokens,
                                   .n_tokens = 1,
                                   .error_text = error_text};
static DnnContext context;
static DnnTokeniser *no_tokenisers[2];
static DnnTokenSet tokens = {.program = &program, .open = no_tokenisers};

static DnnDataSets *opened(int row) {
  DnnDataOpts o = {folder, NULL, 11};
  DnnDataSets *d = dnn_data_new(&program, &context, &o, &tokens);
  DnnError e;
  if (!dnn_data_open(d, row, &e)) fail_msg("%s", e.text);
  return d;
}

static void fails(int row, const char *word) {
  DnnDataOpts o = {folder, NULL, 11};
  DnnDataSets *d = dnn_data_new(&program, &context, &o, &tokens);
  DnnError e;
  assert_false(dnn_data_open(d, row, &e));
  assert_says(&e, word);
  dnn_data_free(d);
}

static float value(DnnDataSets *d, int row, int field, int64_t i) {
  float v;
  DnnError e;
  assert_true(dnn_data_read(d, row, field, i, &v, &e));
  return v;
}

static void put_idx(const char *name, int n, int label) {
  unsigned char b[400] = {0, 0, 8, (unsigned char)(label ? 1 : 3), 0, 0, 0, (unsigned char)n};
  size_t at = 8;
  if (!label) b[11] = 2, b[15] = 3, at = 16;
  for (int i = 0; i < n * (label ? 1 : 6); i++) b[at++] = (unsigned char)(label ? i % 10 : i);
  put_file(name, b, at);
}

static void idx_parts(void **state) {
  (void)state;
  char command[128];
  snprintf(command, sizeof command, "mkdir -p '%s/set'", folder);
  assert_int_equal(system(command), 0);
  put_idx("set/train-images", 20, 0), put_idx("set/train-labels", 20, 1);
  put_idx("set/t10k-images", 5, 0), put_idx("t10k-labels", 5, 1); /* the folder itself may be the data folder */
  DnnDataSets *d = opened(1);
  DnnError e;
  unsigned char image[6];
  int32_t label = -1;
  assert_int_equal(dnn_data_count(d, 1), 20);
  assert_true(dnn_data_read(d, 1, 0, 3, image, &e) && dnn_data_read(d, 1, 1, 13, &label, &e));
  assert_int_equal(image[5], 23);
  assert_int_equal(label, 3);
  assert_true(dnn_data_open(d, 2, &e));
  assert_int_equal(dnn_data_count(d, 2), 5);
  dnn_data_free(d);
  put_idx("set/train-labels", 19, 1);
  fails(1, "19 records, but the field before `label` has 20");
  put_idx("set/train-labels", 20, 0);
  fails(1, "a record is u8[2, 3], but field `label` is declared i32[] at t.dnn:7; write u8[2, 3]");
  unsigned char big[28] = {0, 0, 8, 1, 0, 0, 0, 20};
  big[9] = 66;
  put_file("set/train-labels", big, 28);
  fails(1, "declared < 10 at t.dnn:7, but value 1 is 66; write < 67");
  snprintf(command, sizeof command, "%s/set/train-labels", folder);
  unlink(command);
  fails(1, "`set/train-labels` is not found");
}

static void drawn(void **state) {
  (void)state;
  DnnDataSets *d = opened(4);
  DnnError e;
  unsigned char image[784], want[784], label = 0, want_label;
  assert_int_equal(dnn_data_count(d, 4), 10);
  assert_true(dnn_data_read(d, 4, 0, 7, image, &e) && dnn_data_read(d, 4, 1, 7, &label, &e));
  dnn_draw_digit(1, 7, want, &want_label);
  assert_memory_equal(image, want, 784);
  assert_int_equal(label, want_label);
  dnn_data_free(d);
}

static void text_windows(void **state) {
  (void)state;
  put_text("text.txt", "abcdefghi");
  DnnDataSets *d = opened(6);
  DnnError e;
  int32_t w[4];
  assert_int_equal(dnn_data_count(d, 6), 3);
  assert_true(dnn_data_read(d, 6, 0, 2, w, &e));
  assert_int_equal(w[0], 'e');
  assert_int_equal(w[3], 'h');
  dnn_data_free(d);
  put_text("text.txt", "ab\xff");
  fails(6, "value 2 is 255; write < 256");
}

static void derived(void **state) {
  (void)state;
  DnnDataSets *d = opened(13);
  DnnError e;
  assert_int_equal(dnn_data_count(d, 9), 5); /* 0 20 40 60 80 */
  assert_true(value(d, 9, 0, 2) == 40);
  assert_int_equal(dnn_data_count(d, 11), 5); /* 30 40 50 60 70 */
  assert_true(value(d, 11, 0, 0) == 30);
  assert_int_equal(dnn_data_count(d, 13), 10);
  assert_true(value(d, 13, 0, 4) == 70 && value(d, 13, 0, 6) == 20);
  assert_true(dnn_data_open(d, 12, &e));
  assert_int_equal(dnn_data_count(d, 12), 5);
  assert_true(value(d, 12, 0, 1) == 40 && value(d, 12, 1, 1) == 11);
  assert_true(dnn_data_open(d, 15, &e) && dnn_data_open(d, 16, &e));
  assert_int_equal(dnn_data_count(d, 15), 7);
  assert_int_equal(dnn_data_count(d, 16), 3);
  int seen[10] = {0};
  for (int i = 0; i < 7; i++) seen[(int)value(d, 15, 0, i) / 10]++;
  for (int i = 0; i < 3; i++) seen[(int)value(d, 16, 0, i) / 10]++;
  for (int i = 0; i < 10; i++) assert_int_equal(seen[i], 1);
  dnn_data_free(d);
  fails(14, "a share of the split must be chosen");
}

static void endless(void **state) {
  (void)state;
  made_calls = 0;
  DnnDataSets *d = opened(17);
  assert_int_equal(dnn_data_count(d, 17), -1);
  assert_int_equal(made_calls, 0);
  assert_true(value(d, 17, 0, 1000000) == 1e7f);
  dnn_data_free(d);
}

static void grouped(void **state) {
  (void)state;
  char text[2000] = "value,kind\n";
  for (int i = 0; i < 30; i++) sprintf(text + strlen(text), "%d,%d\n", i, i % 3);
  put_text("table.csv", text);
  DnnDataSets *d = opened(19);
  DnnError e;
  assert_int_equal(dnn_data_count(d, 19), 6); /* two whole groups of each of three kinds */
  int seen[30] = {0};
  for (int i = 0; i < 6; i++) {
    float v[4];
    int32_t k[4];
    assert_true(dnn_data_read(d, 19, 0, i, v, &e) && dnn_data_read(d, 19, 1, i, k, &e));
    for (int j = 0; j < 4; j++) {
      assert_int_equal(k[j], k[0]);
      assert_int_equal((int)v[j] % 3, k[0]);
      assert_int_equal(seen[(int)v[j]]++, 0);
    }
  }
  dnn_data_free(d);
  fails(20, "a record is f32[30], but field `v` is declared f32[]"); /* whole columns */
}

static void columns(void **state) {
  (void)state;
  put_text("table.csv", "value,kind\n1.5,b\n2.5,a\n3.5,b\n4.5,c\n");
  DnnDataSets *d = opened(21);
  DnnError e;
  float v[4];
  int32_t k[4];
  const int32_t want[4] = {1, 0, 1, 2};
  assert_int_equal(dnn_data_count(d, 21), 1);
  assert_true(dnn_data_read(d, 21, 0, 0, v, &e) && dnn_data_read(d, 21, 1, 0, k, &e));
  assert_true(v[3] == 4.5f);
  assert_memory_equal(k, want, 16);
  dnn_data_free(d);
}

/* Every value of a pass in order, with or without the thread. */
static int pass(DnnFeeder *f, int64_t epoch, float *v, int32_t *row, int64_t *sizes) {
  const void *in[2];
  int64_t vars[1], rows_now, n = 0, batches = 0;
  DnnError e;
  dnn_feeder_start(f, 3, epoch);
  for (int more; (more = dnn_feeder_next(f, in, vars, &rows_now, &e)) != 0; batches++) {
    if (more < 0) fail_msg("%s", e.text);
    assert_int_equal(vars[0], rows_now);
    memcpy(v + n, in[0], (size_t)rows_now * 4);
    memcpy(row + n, in[1], (size_t)rows_now * 4);
    sizes[batches] = rows_now;
    n += rows_now;
  }
  return (int)n;
}

static const DnnBind binds[] = {{0, 0}, {0, -1}};

static void batches(void **state) {
  (void)state;
  for (int shuffled = 0; shuffled < 2; shuffled++) {
    DnnFeed feed = {.data = 7, .shuffled = shuffled, .batch = 4};
    DnnAction run = {
        .kind = DNN_RUN, .place = "t.dnn:9", .entry = E_STEP, .n_feeds = 1, .feeds = &feed, .binds = binds};
    float v[2][3][16];
    int32_t row[2][3][16];
    for (int prefetch = 0; prefetch < 2; prefetch++) {
      DnnDataSets *d = opened(7);
      DnnFeeder *f;
      DnnError e;
      int64_t sizes[8];
      assert_true(dnn_feeder_new(d, &run, prefetch, &f, &e));
      assert_int_equal(dnn_feeder_batches(f), 3);
      for (int epoch = 0; epoch < 3; epoch++) {
        assert_int_equal(pass(f, epoch, v[prefetch][epoch], row[prefetch][epoch], sizes), 10);
        assert_int_equal(sizes[2], 2);
        for (int i = 0; i < 10; i++) assert_true(v[prefetch][epoch][i] == (float)row[prefetch][epoch][i] * 10);
      }
      dnn_feeder_free(f);
      dnn_data_free(d);
    }
    for (int k = 0; k < 3; k++) assert_memory_equal(row[0][k], row[1][k], 40);
    if (shuffled) assert_memory_not_equal(row[0][0], row[0][1], 40);
    else assert_memory_equal(row[0][0], row[0][1], 40);
    int sum = 0;
    for (int i = 0; i < 10; i++) sum += 1 << row[0][2][i];
    assert_int_equal(sum, 1023);
  }
}

static void batch_forms(void **state) {
  (void)state;
  DnnFeed feed = {.data = 7, .batch = 4, .drop = 1};
  DnnAction run = {.kind = DNN_RUN, .place = "t.dnn:9", .entry = E_STEP, .n_feeds = 1, .feeds = &feed, .binds = binds};
  DnnDataSets *d = opened(7);
  DnnFeeder *f;
  DnnError e;
  int64_t sizes[8], vars[1], n;
  float v[16];
  int32_t row[16];
  const void *in[2];
  assert_true(dnn_feeder_new(d, &run, 1, &f, &e));
  assert_int_equal(pass(f, 0, v, row, sizes), 8);
  dnn_feeder_free(f);
  feed.batch = -1, feed.drop = 0; /* `all`: ten rows are more than the bound */
  assert_true(dnn_feeder_new(d, &run, 1, &f, &e));
  assert_int_equal(dnn_feeder_batches(f), 1);
  assert_int_equal(dnn_feeder_next(f, in, vars, &n, &e), -1);
  assert_says(&e, "B = 10 is more than the bound 4");
  dnn_feeder_free(f);
  feed.data = 17, feed.batch = 3;
  assert_true(dnn_feeder_new(d, &run, 1, &f, &e));
  assert_int_equal(dnn_feeder_batches(f), -1);
  dnn_feeder_start(f, 1, 0);
  for (int i = 0; i < 5; i++) {
    assert_int_equal(dnn_feeder_next(f, in, vars, &n, &e), 1);
    assert_true(((const float *)in[0])[2] == (float)(i * 3 + 2) * 10);
  }
  dnn_feeder_free(f);
  dnn_data_free(d);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(idx_parts), cmocka_unit_test(drawn),   cmocka_unit_test(text_windows),
      cmocka_unit_test(derived),   cmocka_unit_test(endless), cmocka_unit_test(grouped),
      cmocka_unit_test(columns),   cmocka_unit_test(batches), cmocka_unit_test(batch_forms)};
  return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
