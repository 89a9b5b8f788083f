/* Text sources on any bytes, and records laid end to end by hand-written tables. */
#include "runtime_files.h"
#include "runtime/core/ragged.h"
#include "runtime/core/vocabulary.h"

#define AXIS(n)                                                                                                        \
  { -1, 0, n }
#define FIT(k, n)                                                                                                      \
  { k, 0, n }
static const DnnAxis nodes[] = {FIT(0, 8)}, edges[] = {FIT(1, 8)}, padded[] = {FIT(0, 3)};
static const DnnPort graph_ports[] = {{"x", DNN_F32, 1, nodes, AXIS(0), NULL},
                                      {"src", DNN_I64, 1, edges, FIT(0, 8), NULL},
                                      {"dst", DNN_I32, 1, edges, FIT(0, 8), NULL},
                                      {"of", DNN_I32, 1, nodes, AXIS(0), NULL}};
static const DnnFit pack[] = {{1, "N", "of", 8}, {1, "E", NULL, 8}}, pad[] = {{0, "S", "n", 3}};
static const DnnPort line_ports[] = {{"a", DNN_U8, 1, padded, AXIS(0), NULL}, {"n", DNN_I32, 0, NULL, AXIS(0), NULL}};
static const DnnPort word_ports[] = {{"a", DNN_I32, 0, NULL, AXIS(0), NULL}, {"b", DNN_I32, 1, padded, AXIS(0), NULL}};
static const DnnDataArg a_graphs[] = {{NULL, 's', 0, 0, "g"}};
static const DnnDataArg a_lines[] = {{"a", 's', 0, 0, "t.txt"}, {"a", 't', 0, 0, NULL}};
static const DnnDataArg a_words[] = {{NULL, 's', 0, 0, "t.txt"}, {NULL, 't', 1, 0, NULL}, {NULL, 'i', 0, 1, NULL}};
static const DnnDataArg a_csv[] = {{"a", 's', 0, 0, "a"}, {"a", 't', 0, 0, NULL}};
static DnnDataArg csv_args[3];
static const DnnData rows[] = {{DNN_DATA_graphs, "g", "t.dnn:1", 1, 4, 2, a_graphs, graph_ports, pack},
                               {DNN_DATA_lines, "l", "t.dnn:2", 2, 2, 1, a_lines, line_ports, pad},
                               {DNN_DATA_words, "w", "t.dnn:3", 3, 2, 1, a_words, word_ports, pad},
                               {DNN_DATA_csv, "c", "t.dnn:4", 3, 2, 1, csv_args, line_ports, pad}};
static const DnnTokens tokens[] = {{.kind = DNN_TOKENS_BYTES, .name = "bytes", .size = 256},
                                   {.kind = DNN_TOKENS_CHARS, .name = "abc", .alphabet = "abc", .size = 3}};
static void sizes(const int64_t *vars, int64_t *s) { s[0] = s[3] = vars[0], s[1] = s[2] = vars[1], s[4] = vars[2]; }
static const DnnAxis in_nodes[] = {{0, 1, 0}}, in_edges[] = {{1, 1, 0}}, in_rows[] = {{2, 1, 0}};
static const DnnPort in[] = {{"x", DNN_F32, 1, in_nodes, AXIS(0), NULL},
                             {"src", DNN_I64, 1, in_edges, {0, 1, 0}, NULL},
                             {"dst", DNN_I32, 1, in_edges, {0, 1, 0}, NULL},
                             {"of", DNN_I32, 1, in_nodes, {2, 1, 0}, NULL},
                             {"row", DNN_I32, 1, in_rows, AXIS(0), NULL}};
static const DnnVar vars[] = {{"N", 8}, {"E", 8}, {"G", 2}};
static const DnnEntry entry = {"s", DNN_STEP, 0, 3, 5, 0, 0, vars, in, NULL, sizes, NULL};
static const DnnProgram program = {
    .name = "t", .n_data = 4, .data = rows, .tokens = tokens, .n_tokens = 2, .n_entries = 1, .entries = &entry};

static DnnDataSets *sets(DnnTokenSet *s) {
  static DnnContext context;
  DnnDataOpts o = {folder, NULL, 1};
  DnnError e;
  assert_true(dnn_tokens_new(&program, s, &e));
  return dnn_data_new(&program, &context, &o, s);
}

static bool opens(int row, DnnError *e) {
  DnnTokenSet s;
  DnnDataSets *d = sets(&s);
  bool ok = dnn_data_open(d, row, e);
  dnn_data_free(d);
  dnn_tokens_free(&s);
  return ok;
}

static int open_lines(const char *path) { return (void)path, opens(1, &(DnnError){{0}}); }
static int open_words(const char *path) { return (void)path, opens(2, &(DnnError){{0}}); }
static int open_csv(const char *path) { return (void)path, opens(3, &(DnnError){{0}}); }

static void any_bytes(void **state) {
  (void)state;
  const char text[] = "a cab\n: heading\n\nb abc\r\nc ccc", csv[] = "a,b\n\"x,y\",1\nzz,2\n";
  csv_args[0] = (DnnDataArg){NULL, 's', 0, 0, "t.csv"}, csv_args[1] = a_csv[0], csv_args[2] = a_csv[1];
  assert_int_equal(open_lines(put_text("t.txt", text)), 1);
  assert_int_equal(open_words(""), 1);
  assert_int_equal(open_csv(put_text("t.csv", csv)), 1);
  hostile("t.txt", (const unsigned char *)text, sizeof text - 1, open_lines);
  hostile("t.txt", (const unsigned char *)text, sizeof text - 1, open_words);
  hostile("t.csv", (const unsigned char *)csv, sizeof csv - 1, open_csv);
  DnnError e;
  put_text("t.txt", "a b\na b c\n");
  assert_false(opens(2, &e));
  assert_says(&e, "t.txt:2: has 3 words, but the record at t.dnn:3 has 2");
}

static void put_graphs(const char *a) {
  char command[200];
  snprintf(command, sizeof command, "mkdir -p '%s/g'", folder);
  assert_int_equal(system(command), 0);
  put_text("g/D_A.txt", a);
  put_text("g/D_graph_indicator.txt", "1\n1\n2\n3\n3\n3\n");
  put_text("g/D_node_attributes.txt", "10\n11\n20\n30\n31\n32\n");
}

/* Three graphs of 2, 1 and 3 nodes in batches of two. */
static void end_to_end(void **state) {
  (void)state;
  static const DnnFeed feed = {.data = 0, .batch = 2};
  static const DnnBind binds[] = {{0, 0}, {0, 1}, {0, 2}, {0, 3}, {0, -1}};
  const DnnAction run = {.kind = DNN_RUN, .place = "t.dnn:9", .n_feeds = 1, .feeds = &feed, .binds = binds};
  DnnTokenSet s;
  DnnError e;
  DnnFeeder *f;
  put_graphs("1, 2\n6, 4\n3, 3\n2, 1\n5, 6\n");
  DnnDataSets *d = sets(&s);
  if (!dnn_feeder_new(d, &run, 1, &f, &e)) fail_msg("%s", e.text);
  assert_int_equal(dnn_feeder_batches(f), 2);
  const void *got[5];
  int64_t v[3], n;
  dnn_feeder_start(f, 1, 0);
  assert_int_equal(dnn_feeder_next(f, got, v, &n, &e), 1);
  assert_true(n == 2 && v[0] == 3 && v[1] == 3 && v[2] == 2);
  assert_memory_equal(got[0], ((float[]){10, 11, 20}), 12);
  assert_memory_equal(got[1], ((int64_t[]){0, 1, 2}), 24);
  assert_memory_equal(got[2], ((int32_t[]){1, 0, 2}), 12);
  assert_memory_equal(got[3], ((int32_t[]){0, 0, 1}), 12);
  assert_memory_equal(got[4], ((int32_t[]){0, 1}), 8);
  assert_int_equal(dnn_feeder_next(f, got, v, &n, &e), 1);
  assert_true(n == 1 && v[0] == 3 && v[1] == 2 && v[2] == 1);
  assert_memory_equal(got[1], ((int64_t[]){2, 1}), 16);
  assert_memory_equal(got[2], ((int32_t[]){0, 2}), 8);
  assert_int_equal(dnn_feeder_next(f, got, v, &n, &e), 0);
  dnn_feeder_free(f);
  dnn_data_free(d);
  dnn_tokens_free(&s);
  put_graphs("1, 2\n1, 3\n");
  assert_false(opens(0, &e));
  assert_says(&e, "edge 2 joins nodes of two graphs");
  put_graphs("1, 7\n");
  assert_false(opens(0, &e));
  assert_says(&e, "edge 1 goes to node 7, not in 1 .. 6");
}

int main(void) {
  const struct CMUnitTest all[] = {cmocka_unit_test(any_bytes), cmocka_unit_test(end_to_end)};
  return cmocka_run_group_tests(all, folder_make, folder_remove);
}
