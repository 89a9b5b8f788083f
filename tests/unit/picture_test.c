/* Pictures: JPEG and PNG written by their own libraries, damaged files of every kind, hostile graphs and boxes. */
#include "runtime_files.h"
#include "runtime/core/picture.h"
#include "runtime/core/ragged.h"
#include <jpeglib.h>
#include <png.h>

static unsigned char pixels[40 * 30 * 3];

static void draw(void) {
  for (int y = 0; y < 30; y++)
    for (int x = 0; x < 40; x++)
      for (int c = 0; c < 3; c++) pixels[(y * 40 + x) * 3 + c] = (unsigned char)(3 * x + 4 * y * (c == 1) + 20 * c);
}

static const char *put_jpeg(const char *name, int channels) {
  struct jpeg_compress_struct c;
  struct jpeg_error_mgr m;
  unsigned char *out = NULL;
  unsigned long n = 0;
  c.err = jpeg_std_error(&m);
  jpeg_create_compress(&c);
  jpeg_mem_dest(&c, &out, &n);
  c.image_width = 40, c.image_height = 30, c.input_components = channels;
  c.in_color_space = channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
  jpeg_set_defaults(&c);
  jpeg_set_quality(&c, 98, TRUE);
  jpeg_start_compress(&c, TRUE);
  for (int y = 0; y < 30; y++) {
    JSAMPROW row = pixels + y * 40 * channels;
    jpeg_write_scanlines(&c, &row, 1);
  }
  jpeg_finish_compress(&c);
  jpeg_destroy_compress(&c);
  const char *path = put_file(name, out, n);
  free(out);
  return path;
}

static void jpeg(void **state) {
  (void)state;
  draw();
  for (int channels = 1; channels <= 3; channels += 2) {
    DnnPicture p;
    DnnError e;
    if (!dnn_picture_read(put_jpeg("a.jpg", channels), &p, &e)) fail_msg("%s", e.text);
    assert_true(p.width == 40 && p.height == 30 && p.channels == channels);
    for (int i = 0; i < 40 * 30 * channels; i++) assert_true(abs(p.pixels[i] - pixels[i]) < 24);
    free(p.pixels);
  }
}

/* Grey of 16 bits, a palette, transparency: one pixel each is looked at. */
static void png(void **state) {
  (void)state;
  static const struct {
    png_uint_32 format;
    unsigned char pixel[4];
    int channels, value[3];
  } kinds[] = {{PNG_FORMAT_RGB, {10, 20, 30}, 3, {10, 20, 30}},
               {PNG_FORMAT_GRAY, {77}, 1, {77}},
               {PNG_FORMAT_RGBA, {200, 100, 50, 0}, 3, {0, 0, 0}},
               {PNG_FORMAT_RGBA, {200, 100, 50, 255}, 3, {200, 100, 50}}};
  for (int k = 0; k < 4; k++) {
    png_image image = {.version = PNG_IMAGE_VERSION, .width = 3, .height = 2, .format = kinds[k].format};
    unsigned char data[24];
    int n = PNG_IMAGE_PIXEL_SIZE(kinds[k].format);
    for (int i = 0; i < 6; i++) memcpy(data + i * n, kinds[k].pixel, (size_t)n);
    assert_true(png_image_write_to_file(&image, in_folder("a.png"), 0, data, 0, NULL));
    DnnPicture p;
    DnnError e;
    if (!dnn_picture_read(in_folder("a.png"), &p, &e)) fail_msg("%s", e.text);
    assert_true(p.width == 3 && p.height == 2 && p.channels == kinds[k].channels);
    for (int c = 0; c < p.channels; c++) assert_int_equal(p.pixels[5 * p.channels + c], kinds[k].value[c]);
    free(p.pixels);
  }
}

static int read_picture(const char *path) {
  DnnPicture p;
  DnnError e;
  unsigned char to[3 * 4 * 4];
  bool ok = dnn_picture_read(path, &p, &e);
  if (ok) assert_true(dnn_picture_fit(&p, 3, 4, 4, to));
  if (ok) free(p.pixels);
  return ok;
}

static void damaged(void **state) {
  (void)state;
  size_t n;
  draw();
  unsigned char *b = get_file(put_jpeg("a.jpg", 3), &n);
  unsigned char *copy = malloc(n);
  memcpy(copy, b, n);
  hostile("h.jpg", copy, n, read_picture);
  free(copy);
  png_image image = {.version = PNG_IMAGE_VERSION, .width = 40, .height = 30, .format = PNG_FORMAT_RGB};
  assert_true(png_image_write_to_file(&image, in_folder("a.png"), 0, pixels, 0, NULL));
  b = get_file(in_folder("a.png"), &n);
  copy = malloc(n);
  memcpy(copy, b, n);
  hostile("h.png", copy, n, read_picture);
  free(copy);
  const char text[] = "P3\n2 2\n15\n1 2 3 4 5 6 7 8 9 10 11 12\n", bytes[] = "P6 2 1 255 abcdef";
  assert_int_equal(read_picture(put_text("a.ppm", text)), 1);
  hostile("h.ppm", (const unsigned char *)text, sizeof text - 1, read_picture);
  hostile("h.ppm", (const unsigned char *)bytes, sizeof bytes - 1, read_picture);
  assert_int_equal(read_picture(put_text("a.ppm", "P6 60000 60000 255 a")), 0);
}

/* A header claims more pixels than the file can hold: nothing is asked for. */
static void bombs(void **state) {
  (void)state;
  static const char png[] = /* 16000 x 16000 */
      "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x3e\x80\0\0\x3e\x80\x08\0\0\0\0\x64\x15\x80\x02\0\0\0\x1bIDAT\x78\x9c\xed\xc1"
      "\x31\x01\0\0\0\xc2\xa0\xf5\x4f\x6d\x0c\x1f\xa0\0\0\0\x80\xb7\x01\x0f\xa0\0\x01\xaf\xa1\x82\xcc\0\0\0\0IEND\xae"
      "\x42"
      "\x60\x82";
  DnnPicture p;
  DnnError e;
  assert_false(dnn_picture_read(put_file("b.png", png, sizeof png - 1), &p, &e));
  assert_says(&e, "a picture of 16000 x 16000 does not fit into the file");
  assert_false(dnn_picture_read(put_text("b.pgm", "P2 16000 16000 255\n0 1"), &p, &e));
  assert_says(&e, "a picture of 16000 x 16000 does not fit into the file");
  size_t n;
  draw();
  unsigned char *b = get_file(put_jpeg("b.jpg", 1), &n), *frame = memmem(b, n, "\xff\xc0", 2);
  assert_non_null(frame);
  memcpy(frame + 5, "\x3e\x80\x3e\x80", 4);
  assert_false(dnn_picture_read(put_file("b.jpg", b, n), &p, &e));
  assert_says(&e, "a picture of 16000 x 16000 does not fit into the file");
}

/* ---- folders ---- */
#define AXIS(n)                                                                                                        \
  { -1, 0, n }
#define FIT(k, n)                                                                                                      \
  { k, 0, n }
static const DnnAxis nodes[] = {FIT(0, 9), AXIS(2)}, edges[] = {FIT(1, 9)}, picture[] = {AXIS(3), AXIS(2), AXIS(2)},
                     corners[] = {FIT(0, 4), AXIS(4)};
static const DnnPort graph_ports[] = {{"x", DNN_F32, 2, nodes, AXIS(0), NULL},
                                      {"src", DNN_I32, 1, edges, FIT(0, 9), NULL},
                                      {"dst", DNN_I32, 1, edges, FIT(0, 9), NULL},
                                      {"label", DNN_U8, 0, NULL, AXIS(2), NULL}};
static const DnnPort box_ports[] = {{"image", DNN_U8, 3, picture, AXIS(0), NULL},
                                    {"box", DNN_F32, 2, corners, AXIS(0), NULL},
                                    {"kind", DNN_U8, 1, edges, AXIS(0), NULL}};
static const DnnFit pack[] = {{1, "N", "graph", 9}, {1, "E", NULL, 9}}, pad[] = {{0, "M", NULL, 4}, {0, "K", NULL, 9}};
static const DnnDataArg a_graphs[] = {{NULL, 's', 0, 0, "g"}},
                        a_boxes[] = {{NULL, 's', 0, 0, "v"}, {NULL, 'i', 0, 2, NULL}, {NULL, 'i', 0, 2, NULL}};
static const DnnData rows[] = {{DNN_DATA_graphs, "g", "t.dnn:1", 1, 4, 2, a_graphs, graph_ports, pack},
                               {DNN_DATA_boxes, "v", "t.dnn:2", 3, 3, 2, a_boxes, box_ports, pad}};
static const DnnProgram program = {.name = "t", .n_data = 2, .data = rows};

static bool open_of(const DnnProgram *p, int row, DnnError *e) {
  static DnnContext context;
  DnnDataOpts o = {folder, NULL, 1};
  DnnDataSets *d = dnn_data_new(p, &context, &o, NULL);
  bool ok = dnn_data_open(d, row, e);
  dnn_data_free(d);
  return ok;
}
static int open_row(int row) {
  DnnError e;
  return open_of(&program, row, &e);
}
static int open_graphs(const char *path) { return (void)path, open_row(0); }
static int open_boxes(const char *path) { return (void)path, open_row(1); }

static void folders(void **state) {
  (void)state;
  char command[300];
  snprintf(command, sizeof command, "mkdir -p '%s/g' '%s/v/Annotations' '%s/v/images'", folder, folder, folder);
  assert_int_equal(system(command), 0);
  static const char *const files[][2] = {{"g/D_A.txt", "1, 2\n2,1\n3 3\n"},
                                         {"g/D_graph_indicator.txt", "1\n1\n2\n"},
                                         {"g/D_graph_labels.txt", "1\n-1\n"},
                                         {"g/D_node_labels.txt", "0\n5\n5\n"}};
  for (int i = 0; i < 4; i++) put_text(files[i][0], files[i][1]);
  assert_int_equal(open_row(0), 1);
  for (int i = 0; i < 4; i++) {
    int good = hostile(files[i][0], (const unsigned char *)files[i][1], strlen(files[i][1]), open_graphs);
    assert_true(good < (int)strlen(files[i][1]) * 5);
    put_text(files[i][0], files[i][1]);
  }
  const char xml[] = "<a><filename>p.ppm</filename><object><name>x</name><bndbox><xmin>0</xmin><ymin>0</ymin>"
                     "<xmax>1</xmax><ymax>2</ymax></bndbox></object></a>";
  put_text("v/images/p.ppm", "P3\n1 2\n15\n1 2 3 4 5 6\n");
  put_text("v/Annotations/p.xml", xml);
  assert_int_equal(open_row(1), 1);
  hostile("v/Annotations/p.xml", (const unsigned char *)xml, sizeof xml - 1, open_boxes);
}

/* What is declared may be larger than any memory, and its bytes, or those of some pictures, than a number holds. */
static void large(void **state) {
  (void)state;
  char command[300];
  DnnError e;
  snprintf(command, sizeof command, "mkdir -p '%s/i'", folder);
  assert_int_equal(system(command), 0);
  put_text("i/p.pgm", "P2 2 1 255\n0 9\n");
  static const int64_t sizes[][2] = {{1, 2},
                                     {1024, 1024},
                                     {(int64_t)1 << 27, (int64_t)1 << 27},
                                     {(int64_t)1 << 30, (int64_t)1 << 30},
                                     {(int64_t)1 << 31, (int64_t)1 << 30},
                                     {(int64_t)1 << 40, (int64_t)1 << 40}};
  for (int64_t k = 0; k < 6; k++) {
    DnnAxis axes[] = {AXIS(sizes[k][0]), AXIS(sizes[k][1])};
    DnnPort port = {"image", DNN_U8, 2, axes, AXIS(0), NULL};
    DnnDataArg args[] = {
        {NULL, 's', 0, 0, "i"}, {NULL, 'i', 0, (double)sizes[k][0], NULL}, {NULL, 'i', 0, (double)sizes[k][1], NULL}};
    DnnData row = {DNN_DATA_images, "i", "t.dnn:1", 1, 1, 0, args, &port, NULL};
    DnnProgram p = {.name = "t", .n_data = 1, .data = &row};
    dnn_memory_most = k == 1 ? 1 << 20 : 0; /* of a megabyte no room for eight such pictures */
    assert_int_equal(open_of(&p, 0, &e), k == 0);
    if (k) assert_says(&e, "i/p.pgm: no memory for the picture");
  }
  dnn_memory_most = 0;
}

int main(void) {
  dnn_picture_codecs();
  const struct CMUnitTest tests[] = {cmocka_unit_test(jpeg),  cmocka_unit_test(png),     cmocka_unit_test(damaged),
                                     cmocka_unit_test(bombs), cmocka_unit_test(folders), cmocka_unit_test(large)};
  return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
